//! Signing in, staying signed in, and what every call carries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::{After, Reply, Seen, VERSION, in_turn, pinned, pinned_with, root, signed_in, token};
use pve::{Credential, ErrorKind, Factor, GuestKind, Method, Power, PowerOptions, Secret, Sent, Timings};

const TICKET: &str = "/api2/json/access/ticket";
const CHALLENGE: &str = r#"{"NeedTFA":1,"ticket":"PVE:!tfa!{\"totp\"%3Atrue,\"recovery\"%3A[1]}:6B02::c2ln+/=",
    "CSRFPreventionToken":"6B02:half","username":"dave@pve"}"#;

fn upid() -> String {
    "\"UPID:pve1:0000ABCD:00001234:6B022481:vzstart:101:root@pam:\"".to_owned()
}

fn sign_ins(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|seen| seen.path() == TICKET).collect()
}

#[tokio::test]
async fn a_password_opens_a_session_that_every_call_carries() {
    let (server, client) = pinned(signed_in(|seen| match seen.method.as_str() {
        "GET" => Reply::data(VERSION),
        _ => Reply::data(&upid()),
    }))
    .await;
    let session = client.sign_in().await.unwrap();
    assert_eq!(session.username, "root@pam");
    assert_eq!(session.clustername, None);
    assert!(session.cap.is_some());
    client.version().await.unwrap();
    let answer = client.guest_power("pve1", GuestKind::Ct, 101, Power::Start, &PowerOptions::default()).await;
    let upid = answer.unwrap().value.unwrap();
    client.task_stop("pve1", &upid).await.unwrap();

    let seen = server.seen();
    assert_eq!(sign_ins(&seen).len(), 1);
    let sign_in = &seen[0];
    assert_eq!(sign_in.line(), format!("POST {TICKET}"));
    assert_eq!(sign_in.form("username").as_deref(), Some("root@pam"));
    assert_eq!(sign_in.form("password").as_deref(), Some("canary-password"));
    assert_eq!(sign_in.form("new-format").as_deref(), Some("1"));
    assert_eq!((sign_in.header("cookie"), sign_in.header("csrfpreventiontoken")), (None, None));
    for call in &seen[1..] {
        let cookie = "PVEAuthCookie=PVE%3Aroot%40pam%3A1%3A%3Ac2ln%2B%2F1%3D%3D";
        assert_eq!(call.header("cookie"), Some(cookie), "{}", call.line());
        let wanted = (call.method != "GET").then_some("1:csrf/1+");
        assert_eq!(call.header("csrfpreventiontoken"), wanted, "{}", call.line());
        assert_eq!(call.header("authorization"), None);
    }
    let methods: Vec<_> = seen.iter().map(|seen| seen.method.as_str()).collect();
    assert_eq!(methods, ["POST", "GET", "POST", "DELETE"]);
}

#[tokio::test]
async fn one_endpoint_that_rejects_is_not_taken_for_the_other_that_waits_meanwhile() {
    let late = Duration::from_millis(300);
    let rejects = move |_: &Seen| Reply::status(401, "authentication failure", r#"{"data":null}"#).late(late);
    let (lets_in, client) = pinned(signed_in(|_| Reply::data(VERSION))).await;
    let (other, trusted) = pinned(rejects).await;
    let _ = trusted.version().await;
    let sibling = client.sibling(other.endpoint(pve::TrustPolicy::leaf(trusted.presented()[0].fingerprint)));
    let rejected = tokio::spawn(async move { sibling.version().await.map(|_| ()) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.version().await.unwrap();
    assert!(matches!(rejected.await.unwrap().unwrap_err().kind(), ErrorKind::CredentialsRejected { .. }));
    assert_eq!(sign_ins(&lets_in.seen()).len(), 1);
}

#[tokio::test]
async fn a_client_that_was_closed_does_not_sign_in_and_another_with_its_session_goes_on() {
    let (server, client) = pinned(signed_in(|_| Reply::data(VERSION))).await;
    client.version().await.unwrap();
    let endpoint = server.endpoint(pve::TrustPolicy::leaf(client.presented()[0].fingerprint));
    let other = pve::Client::taking_over(&client, endpoint, Timings::shrunk(), pve::SystemStore::new());
    client.close();
    client.sign_out().await;
    for error in [client.version().await.unwrap_err(), client.sign_in().await.unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest { .. }), "{error:?}");
    }
    assert_eq!(sign_ins(&server.seen()).len(), 1);
    other.version().await.unwrap();
    assert_eq!(sign_ins(&server.seen()).len(), 2);
}

#[tokio::test]
async fn a_token_goes_in_its_header_with_neither_cookie_nor_csrf() {
    let (server, client) = pinned_with(
        |seen| if seen.method == "GET" { Reply::data(VERSION) } else { Reply::data(&upid()) },
        token(),
        Timings::shrunk(),
    )
    .await;
    assert_eq!(client.sign_in().await.unwrap().username, "root@pam");
    client.guest_power("pve1", GuestKind::Vm, 100, Power::Stop, &PowerOptions::default()).await.unwrap();
    let seen = server.seen();
    assert_eq!(server.lines(), ["GET /api2/json/version", "POST /api2/json/nodes/pve1/qemu/100/status/stop"]);
    for call in seen {
        assert_eq!(call.header("authorization"), Some("PVEAPIToken=root@pam!ci=canary-token-0123"));
        assert_eq!((call.header("cookie"), call.header("csrfpreventiontoken")), (None, None));
    }
}

#[tokio::test]
async fn a_token_that_cannot_stand_in_a_header_is_not_sent() {
    let credential = Credential::token("root@pam!ci", "canary\r\nX-Injected: 1");
    let (server, client) = pinned_with(|_| Reply::data(VERSION), credential, Timings::shrunk()).await;
    let error = client.version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    assert!(!error.repeatable(Method::Get));
    assert!(server.connections().is_empty());
}

#[tokio::test]
async fn the_realm_list_is_read_without_any_authorisation() {
    let (server, client) = pinned(|_| Reply::data(r#"[{"realm":"pam","type":"pam"}]"#)).await;
    assert_eq!(client.domains().await.unwrap().value.rows[0].realm, "pam");
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].header("cookie"), seen[0].header("authorization")), (None, None));
}

#[tokio::test]
async fn a_version_that_does_not_know_the_new_form_is_asked_without() {
    let refusal = r#"{"data":null,"errors":{"new-format":"property is not defined in schema and the schema does not allow additional properties"}}"#;
    let (server, client) = pinned(in_turn(vec![
        Reply::status(400, "Parameter verification failed.", refusal),
        Reply::ticket(1),
        Reply::data(VERSION),
    ]))
    .await;
    client.version().await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[1].form("new-format"), None);
    assert_eq!(seen[1].form("password").as_deref(), Some("canary-password"));
    // A 400 about something else is not answered by asking again.
    let refusal = r#"{"data":null,"errors":{"username":"value does not look like a valid user name"}}"#;
    let (server, client) =
        pinned(move |_| Reply::status(400, "Parameter verification failed.", refusal)).await;
    assert!(matches!(client.version().await.unwrap_err().kind(), ErrorKind::Parameters { .. }));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_said_in_the_servers_words_and_not_repeated() {
    let body = r#"{"message":"authentication failure\n","data":null}"#;
    for reply in
        [Reply::status(401, "authentication failure", body), Reply::bodiless(401, "authentication failure")]
    {
        let (server, client) = pinned(move |_| reply.clone()).await;
        let error = client.version().await.unwrap_err();
        let ErrorKind::CredentialsRejected { reason } = error.kind() else { panic!("{error}") };
        assert_eq!(reason, "authentication failure");
        assert_eq!(error.call(), Some("POST /access/ticket"));
        assert_eq!(server.seen().len(), 1, "a wrong password must not be hammered");
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_answered_in_the_new_form() {
    let (server, client) = pinned_with(
        in_turn(vec![Reply::data(CHALLENGE), Reply::ticket(7), Reply::data(VERSION)]),
        Credential::password("dave@pve", "canary-password"),
        Timings::shrunk(),
    )
    .await;
    let error = client.version().await.unwrap_err();
    let ErrorKind::SecondFactorNeeded { challenge } = error.kind() else { panic!("{error}") };
    assert_eq!(challenge.kinds(), ["totp", "recovery"]);
    assert!(error.to_string().contains("totp or recovery"), "{error}");
    client.answer_second_factor(challenge, &Factor::Totp("123456".into())).await.unwrap();
    client.version().await.unwrap();

    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[1].line(), format!("POST {TICKET}"));
    assert_eq!(seen[1].form("username").as_deref(), Some("dave@pve"));
    assert_eq!(seen[1].form("password").as_deref(), Some("totp:123456"));
    let ticket = r#"PVE:!tfa!{"totp"%3Atrue,"recovery"%3A[1]}:6B02::c2ln+/="#;
    assert_eq!(seen[1].form("tfa-challenge").as_deref(), Some(ticket));
    for call in &seen {
        assert!(!call.header("cookie").unwrap_or_default().contains("tfa"), "a challenge authorises nothing");
    }
}

#[tokio::test]
async fn a_second_factor_in_the_old_form_has_a_call_of_its_own() {
    let half = r#"{"NeedTFA":1,"ticket":"PVE:tfa!root@pam:6B02::c2ln","CSRFPreventionToken":"6B02:half","username":"root@pam"}"#;
    let whole = r#"{"ticket":"PVE:root@pam:6B03::d2hvbGU="}"#;
    let (server, client) =
        pinned(in_turn(vec![Reply::data(half), Reply::data(whole), Reply::data(&upid())])).await;
    let error = client.sign_in().await.unwrap_err();
    let ErrorKind::SecondFactorNeeded { challenge } = error.kind() else { panic!("{error}") };
    assert_eq!(challenge.kinds(), ["totp"]);
    client.answer_second_factor(challenge, &Factor::Totp("123456".into())).await.unwrap();
    client.guest_power("pve1", GuestKind::Ct, 101, Power::Start, &PowerOptions::default()).await.unwrap();

    let seen = server.seen();
    assert_eq!(seen[1].line(), "POST /api2/json/access/tfa");
    assert_eq!(seen[1].form("response").as_deref(), Some("123456"));
    assert_eq!(seen[1].header("csrfpreventiontoken"), Some("6B02:half"));
    assert_eq!(seen[1].header("cookie"), Some("PVEAuthCookie=PVE%3Atfa%21root%40pam%3A6B02%3A%3Ac2ln"));
    // The session has the whole ticket, and the CSRF token of the first step.
    assert_eq!(seen[2].header("cookie"), Some("PVEAuthCookie=PVE%3Aroot%40pam%3A6B03%3A%3Ad2hvbGU%3D"));
    assert_eq!(seen[2].header("csrfpreventiontoken"), Some("6B02:half"));
}

#[tokio::test]
async fn a_challenge_is_known_even_without_its_flag() {
    let (server, client) =
        pinned(in_turn(vec![Reply::data(r#"{"ticket":"PVE:!tfa!{\"totp\"%3Atrue}:6B02::c2ln"}"#)])).await;
    let error = client.version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SecondFactorNeeded { .. }), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_code_in_hand_is_used_once() {
    let replies = vec![Reply::data(CHALLENGE), Reply::ticket(1), Reply::data(CHALLENGE)];
    let credential = Credential::Password {
        user: "dave@pve".into(),
        password: "canary-password".into(),
        otp: Some("654321".into()),
    };
    let (server, client) = pinned_with(in_turn(replies), credential, Timings::shrunk()).await;
    client.sign_in().await.unwrap();
    assert_eq!(server.seen()[1].form("password").as_deref(), Some("totp:654321"));
    let error = client.sign_in().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SecondFactorNeeded { .. }), "{error}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_ticket_is_renewed_with_itself_before_it_ends() {
    let short = Timings { ticket_lifetime: Duration::from_secs(4), ..Timings::shrunk() };
    let (server, client) = pinned_with(signed_in(|_| Reply::data(VERSION)), root(), short).await;
    client.version().await.unwrap();
    client.version().await.unwrap();
    assert_eq!(sign_ins(&server.seen()).len(), 1);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    client.version().await.unwrap();

    let seen = server.seen();
    let renewal = sign_ins(&seen)[1];
    assert_eq!(renewal.form("username").as_deref(), Some("root@pam"));
    assert_eq!(renewal.form("password").as_deref(), Some("PVE:root@pam:1::c2ln+/1=="));
    assert_eq!(renewal.header("cookie"), None);
    let last = seen.last().unwrap();
    assert_eq!(last.header("cookie"), Some("PVEAuthCookie=PVE%3Aroot%40pam%3A2%3A%3Ac2ln%2B%2F2%3D%3D"));
    assert_eq!((client.stats().sign_ins, client.stats().renewals), (1, 1));
}

#[tokio::test]
async fn a_ticket_past_its_life_is_not_used_for_anything() {
    let short = Timings { ticket_lifetime: Duration::from_millis(200), ..Timings::shrunk() };
    let (server, client) = pinned_with(signed_in(|_| Reply::data(VERSION)), root(), short).await;
    client.version().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.version().await.unwrap();
    let seen = server.seen();
    let passwords: Vec<_> = sign_ins(&seen).iter().map(|seen| seen.form("password").unwrap()).collect();
    assert_eq!(passwords, ["canary-password", "canary-password"]);
}

#[tokio::test]
async fn many_calls_wait_for_one_renewal() {
    let count = AtomicU32::new(0);
    let handler = move |seen: &Seen| match seen.path() {
        TICKET => Reply::ticket(count.fetch_add(1, Ordering::SeqCst) + 1).late(Duration::from_millis(100)),
        _ => Reply::data(VERSION),
    };
    let short = Timings { ticket_lifetime: Duration::from_secs(4), ..Timings::shrunk() };
    let (server, client) = pinned_with(handler, root(), short).await;
    let together = |client: &pve::Client| {
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                async move { client.version().await }
            })
            .collect();
        futures_util::future::join_all(calls)
    };
    assert!(together(&client).await.iter().all(Result::is_ok));
    assert_eq!(sign_ins(&server.seen()).len(), 1, "eight calls at once, one sign-in");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(together(&client).await.iter().all(Result::is_ok));
    assert_eq!(sign_ins(&server.seen()).len(), 2, "eight calls at once, one renewal");
}

#[tokio::test]
async fn many_calls_share_one_failed_sign_in() {
    let body = r#"{"message":"authentication failure\n","data":null}"#;
    let (server, client) =
        pinned(move |_| Reply::status(401, "authentication failure", body).late(Duration::from_millis(100)))
            .await;
    let calls: Vec<_> = (0..8).map(|_| client.version()).collect();
    for outcome in futures_util::future::join_all(calls).await {
        assert!(matches!(outcome.unwrap_err().kind(), ErrorKind::CredentialsRejected { .. }));
    }
    assert_eq!(server.seen().len(), 1, "a wrong password went out more than once");
}

#[tokio::test]
async fn a_failed_renewal_costs_nothing_while_the_ticket_lives() {
    let count = AtomicU32::new(0);
    let handler = move |seen: &Seen| match (seen.path(), count.load(Ordering::SeqCst)) {
        (TICKET, 0) => {
            count.store(1, Ordering::SeqCst);
            Reply::ticket(1)
        }
        (TICKET, _) => Reply::status(500, "cluster not ready - no quorum?", "{\"data\":null}"),
        _ => Reply::data(VERSION),
    };
    let timings = Timings {
        ticket_lifetime: Duration::from_secs(4),
        renewal_pause: Duration::from_secs(60),
        ..Timings::shrunk()
    };
    let (server, client) = pinned_with(handler, root(), timings).await;
    client.version().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    client.version().await.unwrap();
    client.version().await.unwrap();
    assert_eq!(sign_ins(&server.seen()).len(), 2, "one renewal tried, then a pause");
}

#[tokio::test]
async fn a_renewal_without_an_answer_holds_a_call_up_only_for_its_own_wait() {
    let count = AtomicU32::new(0);
    let handler = move |seen: &Seen| match seen.path() {
        TICKET if count.fetch_add(1, Ordering::SeqCst) == 0 => Reply::ticket(1),
        TICKET => Reply::raw("", After::Hang),
        _ => Reply::data(VERSION),
    };
    let timings = Timings {
        ticket_lifetime: Duration::from_secs(4),
        renewal: Duration::from_millis(200),
        renewal_pause: Duration::from_secs(60),
        answer: Duration::from_secs(60),
        ..Timings::shrunk()
    };
    let (server, client) = pinned_with(handler, root(), timings).await;
    client.version().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    tokio::time::timeout(Duration::from_secs(20), client.version()).await.unwrap().unwrap();
    assert_eq!(server.lines().last().unwrap(), "GET /api2/json/version");
}

#[tokio::test]
async fn a_mutation_whose_sign_in_was_lost_has_not_been_sent() {
    for (reply, repeatable) in [
        (Reply::raw("", After::Close), true),
        (Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", After::Close), true),
        (Reply::data("[]"), false),
        (Reply::bodiless(401, "authentication failure"), false),
    ] {
        let (server, client) = pinned(move |_| reply.clone()).await;
        let options = PowerOptions::default();
        let error = client.guest_power("pve1", GuestKind::Ct, 101, Power::Start, &options).await.unwrap_err();
        assert_eq!(server.lines(), [format!("POST {TICKET}")]);
        assert_eq!((error.call(), error.request_sent()), (Some("POST /access/ticket"), Sent::No), "{error}");
        assert!(!error.outcome_unknown(Method::Post), "{error}");
        assert_eq!(error.repeatable(Method::Post), repeatable, "{error}");
    }
}

#[tokio::test]
async fn a_code_stays_used_after_signing_out() {
    let replies = vec![Reply::data(CHALLENGE), Reply::ticket(1), Reply::data(CHALLENGE)];
    let credential = Credential::Password {
        user: "dave@pve".into(),
        password: "canary-password".into(),
        otp: Some("654321".into()),
    };
    let (server, client) = pinned_with(in_turn(replies), credential, Timings::shrunk()).await;
    client.sign_in().await.unwrap();
    client.sign_out().await;
    let error = client.sign_in().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::SecondFactorNeeded { .. }), "{error}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn after_a_401_one_new_sign_in_and_one_more_try() {
    let rejected = AtomicU32::new(0);
    let handler = signed_in(move |_| match rejected.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::bodiless(401, "permission denied - invalid ticket"),
        _ => Reply::data(VERSION),
    });
    let (server, client) = pinned(handler).await;
    client.version().await.unwrap();
    let version = "GET /api2/json/version";
    assert_eq!(
        server.lines(),
        [format!("POST {TICKET}").as_str(), version, &format!("POST {TICKET}"), version]
    );
    assert_eq!(server.seen()[2].form("password").as_deref(), Some("canary-password"));
}

#[tokio::test]
async fn a_mutation_refused_with_a_401_goes_out_once_more_with_a_new_csrf_token() {
    let rejected = AtomicU32::new(0);
    let handler = signed_in(move |_| match rejected.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::bodiless(401, "Permission denied - invalid csrf token"),
        _ => Reply::data(&upid()),
    });
    let (server, client) = pinned(handler).await;
    client.guest_power("pve1", GuestKind::Ct, 101, Power::Start, &PowerOptions::default()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[1].header("csrfpreventiontoken"), Some("1:csrf/1+"));
    assert_eq!(seen[3].header("csrfpreventiontoken"), Some("2:csrf/2+"));
}

#[tokio::test]
async fn a_second_401_is_the_end_of_it() {
    let (server, client) = pinned(signed_in(|_| Reply::bodiless(401, "Authentication failed!"))).await;
    let error = client.version().await.unwrap_err();
    let ErrorKind::CredentialsRejected { reason } = error.kind() else { panic!("{error}") };
    assert_eq!(reason, "Authentication failed!");
    assert_eq!(error.call(), Some("GET /version"));
    assert_eq!(server.seen().len(), 4);

    let (server, client) =
        pinned_with(|_| Reply::bodiless(401, "Authentication failed!"), token(), Timings::shrunk()).await;
    assert!(matches!(client.version().await.unwrap_err().kind(), ErrorKind::CredentialsRejected { .. }));
    assert_eq!(server.lines(), ["GET /api2/json/version"; 2], "a token is tried twice");
}

#[tokio::test]
async fn siblings_share_the_session() {
    let (first, client) = pinned(signed_in(|_| Reply::data(VERSION))).await;
    let identity = common::Identity::self_signed(&["127.0.0.1"]);
    let second = common::Server::start(&identity, signed_in(|_| Reply::data(VERSION))).await;
    client.version().await.unwrap();
    let sibling = client.sibling(second.endpoint(pve::TrustPolicy::leaf(identity.fingerprint())));
    sibling.version().await.unwrap();
    assert_eq!(second.lines(), ["GET /api2/json/version"]);
    assert_eq!(second.seen()[0].header("cookie"), first.seen()[1].header("cookie"));
    assert_eq!(client.stats().requests, 3);
}

#[tokio::test]
async fn a_sister_product_is_named() {
    let (_server, client) = pinned(|_| {
        Reply::data(r#"{"ticket":"PBS:root@pam:6B02::x","CSRFPreventionToken":"y","username":"root@pam"}"#)
    })
    .await;
    let error = client.sign_in().await.unwrap_err();
    let ErrorKind::NotProxmox { seen } = error.kind() else { panic!("{error}") };
    assert!(seen.contains("Backup Server"), "{seen}");
}

#[tokio::test]
async fn no_secret_is_in_any_error() {
    // A server that says back whatever it was told, in words of every kind.
    let echo = |seen: &Seen| {
        let told = format!("{:?} {} {}", seen.headers, seen.body, seen.target).replace(['\r', '\n'], " ");
        let told = told.replace('"', "'").replace('\\', "/");
        Reply::status(500, &told, &format!("{{\"data\":null,\"message\":\"{told}\"}}"))
    };
    let canaries = ["canary", "c2ln", "csrf/1", "csrf%2F1", "654321"];
    let check = |error: pve::Error| {
        let shown = format!("{error} {error:?} {:?}", error.words());
        for canary in canaries {
            assert!(!shown.contains(canary), "{canary} in {shown}");
        }
        assert!(shown.contains("•••"), "{shown}");
    };
    let (_server, client) = pinned(echo).await;
    check(client.sign_in().await.unwrap_err());
    let (_server, client) = pinned_with(echo, token(), Timings::shrunk()).await;
    check(client.version().await.unwrap_err());
    let (_server, client) = pinned(signed_in(echo)).await;
    let options = PowerOptions::default();
    check(client.guest_power("pve1", GuestKind::Ct, 101, Power::Start, &options).await.unwrap_err());
    let (_server, client) = pinned(in_turn(vec![Reply::data(CHALLENGE)])).await;
    let error = client.sign_in().await.unwrap_err();
    let ErrorKind::SecondFactorNeeded { challenge } = error.kind() else { panic!("{error}") };
    let (echoing, _) = pinned(echo).await;
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("c2ln"), "{shown}");
    let identity_unknown = client.sibling(echoing.endpoint(pve::TrustPolicy::system()));
    let factor = Factor::Totp(Secret::from("654321"));
    // The challenge is not sent to whom is not trusted, either.
    identity_unknown.answer_second_factor(challenge, &factor).await.unwrap_err();
    assert_eq!(echoing.bytes(), 0);
}
