//! Links over real sockets: each fault by its own name, and back by itself where nobody has to act.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleet::{Clock, Fact, Fleet, Journal, JournalError, RemoteSpec, Timings};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use model::link::{EndpointView, Health};
use model::{Action, Cause, EndpointId, Happening, LinkState, OperationState, RemoteId, Vmid};
use pve::{Credential, Factor, TrustPolicy};
use pve_sim::topology::TokenSpec;
use pve_sim::{BlackHoleAt, Fault, ResetAt, Sim, SimTimings, Topology};
use support::{Bench, PATIENCE, ada, root, spec};

/// Each fault, the link's state, the codes of the cause that name it, and whether it passes by itself.
fn matrix() -> Vec<(Fault, &'static str, &'static [&'static str], bool)> {
    let words = || "Permission check failed (/, Sys.Audit)".to_owned();
    vec![
        (Fault::Refuse, "backing_off", &["refused"], true),
        (Fault::BlackHole { at: BlackHoleAt::Syn }, "backing_off", &["connect_timeout"], true),
        (Fault::BlackHole { at: BlackHoleAt::Tls }, "backing_off", &["no_answer"], true),
        (Fault::BlackHole { at: BlackHoleAt::Answer }, "backing_off", &["no_answer"], true),
        (Fault::Reset { at: ResetAt::Tls }, "backing_off", &["answer_cut"], true),
        (Fault::Reset { at: ResetAt::Request }, "backing_off", &["answer_cut"], true),
        (Fault::Reset { at: ResetAt::Answer }, "backing_off", &["answer_cut"], true),
        (Fault::Cut { after_bytes: 5 }, "backing_off", &["answer_cut"], true),
        (Fault::PlainHttp, "backing_off", &["not_http", "tls_failure"], true),
        (Fault::NotProxmox, "backing_off", &["not_proxmox"], true),
        (
            Fault::Redirect { to: "https://elsewhere.example:8006".into() },
            "backing_off",
            &["not_proxmox"],
            true,
        ),
        (Fault::MalformedJson, "backing_off", &["not_understood"], true),
        (Fault::Forbidden { text: words() }, "backing_off", &["privilege_missing"], true),
        (Fault::ServerError { text: "internal error".into() }, "backing_off", &["server_error"], true),
        (Fault::Unauthorized, "credentials_rejected", &["credentials_rejected"], true),
        (Fault::WrongKey, "backing_off", &["untrusted_certificate"], true),
        (Fault::ChangeCertificate { same_ca: false }, "certificate_changed", &["certificate_changed"], false),
        (Fault::ChangeCertificate { same_ca: true }, "certificate_changed", &["certificate_changed"], false),
    ]
}

/// An action on a link that is down: it tries first, and ends as not sent for the link's cause; or it is not taken on,
/// where a person has to mend that cause. The host receives nothing of it.
async fn acts_in_vain(bench: &Bench, shown: &str, codes: &[&str]) {
    match bench.try_operate(102, Action::Start).await {
        Ok(id) => {
            let ended = bench.ended(id).await;
            let OperationState::NotSent { cause } = &ended.state else {
                panic!("{shown}: {:?} {:?}", ended.state, ended.log)
            };
            assert!(codes.contains(&cause.code()), "{shown}: {cause:?}");
            assert!(ended.dispatch.is_none(), "{shown}: {:?}", ended.log);
        }
        Err(fleet::OperateError::Disabled { reason, remedy }) => {
            let now = bench.now();
            let cause = now.link.state.cause().unwrap();
            assert!(cause.needs_person(), "{shown}: {reason}");
            assert_eq!((reason, remedy), (cause.sentence(), cause.remedy()), "{shown}");
        }
        Err(other) => panic!("{shown}: {other}"),
    }
    assert!(bench.mutations().is_empty(), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_named_as_what_it_is() {
    let mut runs = tokio::task::JoinSet::new();
    // Answers that come slowly because the machine is busy would stretch the poll interval.
    let places = Arc::new(tokio::sync::Semaphore::new(3));
    for (fault, word, codes, passes) in matrix() {
        let places = places.clone();
        runs.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let shown = format!("{fault:?}");
            let mut timings = Timings::shrunk();
            timings.link.intervals = 5;
            timings.operation_wait = Duration::from_millis(500);
            let bench = Bench::with(Topology::single("9.2"), 1, root(), timings).await;
            let before = bench.ready().await;
            let began = std::time::Instant::now();
            bench.remote.fault(None, fault).await;
            let now = bench
                .until(&shown, |now| {
                    now.link.state.word() == word
                        && now.link.state.cause().is_some_and(|cause| codes.contains(&cause.code()))
                })
                .await;
            println!(
                "{shown:<60} {:<22} after {:>5} ms: {}",
                word,
                began.elapsed().as_millis(),
                now.link.sentence()
            );
            assert_eq!(now.guests.len(), before.guests.len(), "{shown}");
            acts_in_vain(&bench, &shown, codes).await;
            assert!(now.guests.iter().all(|row| !row.freshness.is_live()), "{shown}");
            if now.link.state.cause().unwrap().code() != "unreachable" {
                assert!(!now.link.sentence().contains("unreachable"), "{shown}");
            }
            bench.remote.clear_all().await;
            if passes {
                bench.until(&format!("back after {shown}"), |now| now.link.state.is_up()).await;
                bench.guest(101, "live", |row| row.freshness.is_live()).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            } else {
                tokio::time::sleep(Duration::from_millis(800)).await;
                assert!(!bench.now().link.state.is_up(), "{shown}: only a person may accept it");
            }
            assert!(bench.mutations().is_empty(), "{shown}: it is not sent later either");
            bench.end().await;
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

/// The ways that no simulator can show: a name that means nothing, and an address to which no route leads (nothing is
/// ever connected to a group of hosts, wherever this runs, and so nothing leaves the machine). What may pass, passes as
/// soon as there is a way again.
#[tokio::test]
async fn without_a_name_or_a_route_it_is_called_that_and_nothing_is_sent() {
    for (address, code) in [("no-such-host.invalid:8006", "dns"), ("224.0.0.1:8006", "unreachable")] {
        let bench = Bench::new(Topology::single("9.2")).await;
        let before = bench.ready().await;
        let (good, trust) = support::endpoint(&bench.remote, "pve1");
        let first = EndpointId::from(good.to_string());
        bench.fleet.add_endpoint(bench.id, address.parse().unwrap(), trust.clone(), &ada()).await.unwrap();
        bench.fleet.remove_endpoint(bench.id, &first, &ada()).await.unwrap();
        let now = bench
            .until(code, |now| {
                now.link.state.word() == "backing_off"
                    && now.link.state.cause().is_some_and(|cause| cause.code() == code)
            })
            .await;
        assert_eq!(now.guests.len(), before.guests.len());
        assert!(now.guests.iter().all(|row| !row.freshness.is_live()));
        assert!(now.link.sentence().contains(address), "{}", now.link.sentence());
        acts_in_vain(&bench, address, &[code]).await;
        bench.fleet.add_endpoint(bench.id, good, trust, &ada()).await.unwrap();
        bench.guest(101, "live by the other", |row| row.freshness.is_live()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(bench.mutations().is_empty(), "{address}: it is not sent later either");
        bench.end().await;
    }
}

/// An account that gets a second factor while Muster keeps its password.
#[tokio::test]
async fn a_second_factor_that_comes_to_be_needed_is_said_and_nothing_is_sent_without_it() {
    let bench = Bench::new(Topology::single("9.2")).await;
    let before = bench.ready().await;
    bench.remote.with_world(|world, now| {
        world.set_totp("root@pam", "JBSWY3DPEHPK3PXP");
        world.expire_tickets(now);
    });
    let now = bench.link("credentials_rejected").await;
    assert_eq!(now.link.state.cause().unwrap().code(), "second_factor_needed");
    assert_eq!(now.guests.len(), before.guests.len());
    acts_in_vain(&bench, "second factor", &["second_factor_needed"]).await;
    bench.remote.clear_journal();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(bench.remote.journal().len() <= 2, "nobody but a person can go on: {:?}", bench.remote.journal());
    bench.remote.with_world(|world, _| world.clear_factors("root@pam"));
    bench.fleet.try_now(bench.id).await.unwrap();
    bench.guest(101, "live", |row| row.freshness.is_live()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(bench.mutations().is_empty(), "it is not sent later either");
    bench.end().await;
}

/// Each fault that breaks the connection is named within its time, at true time-outs. Takes about a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "true time-outs; run by hand"]
async fn at_true_time_outs_every_fault_is_named_in_time() {
    let limit = |fault: &Fault| match fault {
        Fault::Refuse | Fault::Reset { .. } => 12,
        Fault::BlackHole { at: BlackHoleAt::Syn | BlackHoleAt::Tls } => 20,
        _ => 50,
    };
    let mut runs = tokio::task::JoinSet::new();
    for (fault, word, codes, _) in matrix() {
        runs.spawn(async move {
            let (shown, limit) = (format!("{fault:?}"), limit(&fault));
            let bench = Bench::with(Topology::single("9.2"), 1, root(), Timings::default()).await;
            bench.ready().await;
            // Idle: the next request is a new connection, and some time off.
            tokio::time::sleep(Duration::from_secs(6)).await;
            let began = std::time::Instant::now();
            bench.remote.fault(None, fault).await;
            let mut changed = bench.fleet.changed();
            let named = async {
                loop {
                    let now = bench.now();
                    let cause = now.link.state.cause().map(Cause::code);
                    if now.link.state.word() == word && cause.is_some_and(|code| codes.contains(&code)) {
                        return now;
                    }
                    changed.changed().await.unwrap();
                }
            };
            let now = tokio::time::timeout(Duration::from_secs(limit), named).await;
            let now = now.unwrap_or_else(|_| panic!("{shown} was not named within {limit} s"));
            let took = began.elapsed().as_secs_f64();
            println!("{shown:<60} {word:<22} {took:>5.1} s of {limit}: {}", now.link.sentence());
            bench.end().await;
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

#[tokio::test]
async fn a_fault_on_7_4_is_read_as_what_it_is() {
    for (fault, code) in [
        (Fault::Unauthorized, "credentials_rejected"),
        (Fault::ServerError { text: "internal error".into() }, "server_error"),
    ] {
        let bench = Bench::new(Topology::single("7.4")).await;
        bench.ready().await;
        bench.remote.fault(None, fault).await;
        bench.until(code, |now| now.link.state.cause().is_some_and(|cause| cause.code() == code)).await;
        bench.end().await;
    }
}

#[tokio::test]
async fn a_ticket_that_ends_or_a_server_that_restarts_is_no_matter() {
    let bench = Bench::new(Topology::single("9.2")).await;
    let before = bench.ready().await;
    bench.remote.fault(None, Fault::ExpireTickets).await;
    let seen = before.guest(Vmid(101)).unwrap().observed_at;
    let after = bench.guest(101, "read on", |row| row.observed_at > seen && row.freshness.is_live()).await;
    assert_eq!(after.link.since, before.link.since, "it never left connected");
    bench.remote.fault(None, Fault::Restart { down_ms: 300 }).await;
    bench.until("down", |now| !now.link.state.is_up()).await;
    bench.until("up again", |now| now.link.state.is_up()).await;
    bench.end().await;
}

#[tokio::test]
async fn a_rejected_password_is_tried_seldom_and_a_mended_one_connects() {
    let wrong = Credential::password("root@pam", "wrong");
    let bench = Bench::with(Topology::single("9.2"), 1, wrong, Timings::shrunk()).await;
    let now = bench.link("credentials_rejected").await;
    assert!(matches!(&now.link.state, LinkState::CredentialsRejected { next_try: Some(_), .. }));
    assert_eq!(now.link.last_success, None);
    assert!(bench.asked("POST", "/access/ticket") <= 2, "it does not hammer");
    assert!(bench.remote.journal().iter().all(|one| one.api_path() == "/access/ticket"));
    let tried = bench.asked("POST", "/access/ticket");
    bench.until("tried again by itself", |_| bench.asked("POST", "/access/ticket") > tried).await;
    let at = |n: usize| bench.remote.journal()[n].at.millis();
    assert!(at(tried) - at(tried - 1) >= 800, "not before half an hour (shrunk) has passed");
    bench.fleet.credential(bench.id, root(), &ada()).await.unwrap();
    bench.ready().await;
    bench.end().await;
}

/// A password that somebody changed on the host, and set back: nobody need tell Muster.
#[tokio::test]
async fn credentials_rejected_and_mended_on_the_host_come_back_without_hammering() {
    let bench = Bench::new(Topology::single("9.2")).await;
    let before = bench.ready().await;
    bench.remote.with_world(|world, now| {
        world.set_user("root@pam", Some("another"), true);
        world.expire_tickets(now);
    });
    let rejected = bench.link("credentials_rejected").await;
    assert_eq!(rejected.guests.len(), before.guests.len());
    assert!(rejected.guests.iter().all(|row| !row.freshness.is_live()));
    let refused = bench.try_operate(102, Action::Start).await.unwrap_err();
    assert!(matches!(refused, fleet::OperateError::Disabled { .. }), "{refused}");
    bench.remote.clear_journal();
    tokio::time::sleep(Duration::from_millis(1800)).await;
    let asked = bench.remote.journal().len();
    // Every (shrunk) half hour, the password once and, after that 401, once more.
    assert!(asked <= 6, "{asked} requests in a little more than two intervals");
    bench.remote.with_world(|world, _| world.set_user("root@pam", Some("secret-root"), true));
    let back =
        bench.until("live by itself", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    assert_eq!(back.guests.len(), before.guests.len());
    assert!(bench.mutations().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn a_directory_password_waits_for_a_person() {
    let mut topology = Topology::single("9.2");
    topology.remotes[0].users[1].userid = "alice@corp".into();
    let wrong = Credential::password("alice@corp", "wrong");
    let bench = Bench::with(topology, 1, wrong, Timings::shrunk()).await;
    let now = bench.link("credentials_rejected").await;
    assert_eq!(now.link.next_try(), None);
    let tried = bench.asked("POST", "/access/ticket");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(bench.asked("POST", "/access/ticket"), tried);
    bench.fleet.try_now(bench.id).await.unwrap();
    let wait = async {
        while bench.asked("POST", "/access/ticket") == tried {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    bench.end().await;
}

#[tokio::test]
async fn a_token_carries_no_csrf_and_a_rejected_one_is_tried_again_on_schedule() {
    let mut topology = Topology::single("9.2");
    let token = TokenSpec { name: "ci".into(), secret: "11111111-2222".into(), ..TokenSpec::default() };
    topology.remotes[0].users[0].tokens.push(token);
    let good = Credential::token("root@pam!ci", "11111111-2222");
    let bench = Bench::with(topology.clone(), 1, good, Timings::shrunk()).await;
    bench.ready().await;
    let id = bench.operate(102, Action::Start).await;
    let ended = bench.ended(id).await;
    assert_eq!(ended.state, OperationState::Succeeded);
    assert!(ended.task.as_ref().unwrap().as_str().contains("root@pam!ci"));
    assert!(bench.remote.journal().iter().all(|one| !one.had_csrf && !one.had_cookie && one.had_token));

    // The lost answer of a token's operation is matched by the token's name, too.
    bench.guest(102, "running", |row| row.busy.is_none() && row.guest.state.word() == "running").await;
    bench.remote.fault(None, Fault::LoseAnswer.on("/nodes/pve1/lxc/102/status/stop").times(1)).await;
    let id = bench.operate(102, Action::Stop).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    bench.end().await;

    let bad = Credential::token("root@pam!ci", "wrong");
    let bench = Bench::with(topology, 1, bad, Timings::shrunk()).await;
    bench.link("credentials_rejected").await;
    assert_eq!(bench.remote.journal().len(), 2, "retried once, then given up");
    bench.until("tried again", |_| bench.remote.journal().len() > 2).await;
    let at = |n: usize| bench.remote.journal()[n].at.millis();
    assert!(at(2) - at(1) >= 300, "not before a minute (shrunk) has passed");
    bench.end().await;
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_called_that() {
    let odd = Credential::token("root@pam!ci", "two\nlines");
    let bench = Bench::with(Topology::single("9.2"), 1, odd, Timings::shrunk()).await;
    let now = bench.link("backing_off").await;
    assert_eq!(now.link.state.cause().unwrap().code(), "not_sendable");
    assert!(!now.link.sentence().contains("two"), "{}", now.link.sentence());
    assert!(bench.remote.journal().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_its_answer_connects() {
    for version in ["8.4", "9.2"] {
        let mut topology = Topology::single(version);
        topology.remotes[0].users[0].totp_secret = Some("JBSWY3DPEHPK3PXP".into());
        topology.remotes[0].users[0].recovery =
            vec!["1111-2222-3333-4444".into(), "5555-6666-7777-8888".into()];
        let bench = Bench::new(topology).await;
        let now = bench.link("credentials_rejected").await;
        let Some(Cause::SecondFactorNeeded { kinds }) = now.link.state.cause() else {
            panic!("{:?}", now.link.state)
        };
        assert!(kinds.iter().any(|kind| kind == "totp"), "{kinds:?}");
        assert_eq!(now.link.next_try(), None);
        let wrong = bench.fleet.second_factor(bench.id, Factor::Recovery("0000-0000-0000-0000".into())).await;
        assert!(wrong.is_err(), "{version}");
        assert!(!bench.now().link.state.is_up());
        let right = Factor::Recovery("1111-2222-3333-4444".into());
        bench.fleet.second_factor(bench.id, right).await.unwrap();
        bench.ready().await;
        bench.end().await;
    }
}

/// The one endpoint that fails beside one that works.
fn failing(now: &fleet::RemoteSnapshot) -> Option<(EndpointId, Cause)> {
    match &now.link.state {
        LinkState::Degraded { failing } if failing.len() == 1 => {
            Some((failing[0].endpoint.clone(), failing[0].cause.clone()))
        }
        _ => None,
    }
}

#[tokio::test]
async fn another_endpoint_takes_over_and_the_link_says_which_one_fails() {
    let bench = Bench::with(Topology::cluster(3, "9.2"), 3, root(), Timings::shrunk()).await;
    bench.ready().await;
    bench.remote.fault(Some("pve1"), Fault::Refuse).await;
    let first = EndpointId::from(bench.remote.address("pve1").unwrap().to_string());
    // A request that was under way is reset; the next try is refused.
    bench
        .until("degraded", |now| failing(now).is_some_and(|one| one == (first.clone(), Cause::Refused)))
        .await;
    bench
        .guest(101, "live through another", |row| {
            row.freshness.is_live() && row.through.as_ref().is_some_and(|through| *through != first)
        })
        .await;
    // One session serves all endpoints.
    let tickets = bench.asked("POST", "/access/ticket");
    assert_eq!(tickets, 1);
    bench.remote.clear_all().await;
    bench.link("connected").await;
    bench.end().await;
}

#[tokio::test]
async fn a_changed_certificate_stops_that_endpoint_only_until_it_is_accepted() {
    let bench = Bench::with(Topology::cluster(2, "9.2"), 2, root(), Timings::shrunk()).await;
    bench.ready().await;
    bench.remote.fault(Some("pve1"), Fault::ChangeCertificate { same_ca: false }).await;
    let stopped = |now: &fleet::RemoteSnapshot| {
        failing(now).filter(|(_, cause)| matches!(cause, Cause::CertificateChanged { .. }))
    };
    let degraded = bench.until("degraded", |now| stopped(now).is_some()).await;
    let (endpoint, Cause::CertificateChanged { expected, presented }) = stopped(&degraded).unwrap() else {
        panic!()
    };
    assert_ne!(expected, presented);
    bench.remote.clear_journal();
    bench.fleet.try_now(bench.id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(bench.remote.journal().iter().all(|one| one.node == "pve2"), "nothing is sent there");

    let accepted = TrustPolicy { system: false, ..TrustPolicy::leaf(presented.parse().unwrap()) };
    bench.fleet.trust(bench.id, endpoint, accepted, &ada()).await.unwrap();
    bench
        .until("both again", |now| {
            let good = |one: &EndpointView| matches!(one.health, Health::Good);
            now.link.state.word() == "connected" && now.link.endpoints.iter().all(good)
        })
        .await;
    bench.end().await;
}

/// An endpoint that does not let us in, or shows another certificate, beside one that works: it costs the password once,
/// and not a connection more.
#[tokio::test]
async fn an_endpoint_that_turns_us_away_is_left_in_peace_and_the_other_one_serves() {
    let mut timings = Timings::shrunk();
    timings.version = Duration::from_millis(100);
    timings.link.password_retry = Duration::from_secs(600);
    let bench = Bench::with(Topology::cluster(2, "9.2"), 2, root(), timings).await;
    bench.ready().await;
    let second = EndpointId::from(bench.remote.address("pve2").unwrap().to_string());
    let fails = |now: &fleet::RemoteSnapshot, code: &str| {
        failing(now).is_some_and(|(at, cause)| at == second && cause.code() == code)
    };
    let dialled = || bench.remote.connections().iter().filter(|one| one.node == "pve2").count();
    let in_peace = async |code: &str| {
        bench.until(code, |now| fails(now, code)).await;
        // The ticket it threw away is fetched anew.
        let seen = bench.now().at;
        bench.guest(101, "read on", |row| row.freshness.is_live() && row.observed_at > Some(seen)).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (tickets, dials) = (bench.asked("POST", "/access/ticket"), dialled());
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert_eq!((bench.asked("POST", "/access/ticket"), dialled()), (tickets, dials), "{code}");
        assert!(fails(&bench.now(), code), "{:?}", bench.now().link);
        tickets
    };
    let back = async || {
        bench.remote.clear_all().await;
        bench.fleet.try_now(bench.id).await.unwrap();
        bench.link("connected").await;
        bench.remote.clear_journal();
    };

    // Found when its version is read.
    bench.remote.clear_journal();
    bench.remote.fault(Some("pve2"), Fault::Unauthorized).await;
    assert!(in_peace("credentials_rejected").await <= 3);
    back().await;

    // Found when it is tried again, having failed otherwise.
    bench.remote.fault(Some("pve2"), Fault::Refuse).await;
    bench.until("refused", |now| fails(now, "refused")).await;
    bench.remote.clear_all().await;
    bench.remote.fault(Some("pve2"), Fault::Unauthorized).await;
    let since = bench.now().link.since;
    assert!(in_peace("credentials_rejected").await <= 3);
    assert_eq!(bench.now().link.since, since, "the link was not touched");
    back().await;

    bench.remote.fault(Some("pve2"), Fault::ChangeCertificate { same_ca: false }).await;
    in_peace("certificate_changed").await;
    bench.end().await;
}

#[tokio::test]
async fn a_link_that_comes_up_has_its_version_read_once() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.guest(101, "addresses", |row| row.addresses.is_some()).await;
    assert_eq!(bench.asked("GET", "/version"), 1);
    assert_eq!(bench.now().versions.len(), 1);
    bench.end().await;
}

/// Calls that wait their turn behind others that are not answered: they leave neither when the remote is disconnected
/// nor when it is removed, and do not sign in either.
#[tokio::test]
async fn once_it_is_disconnected_or_removed_nothing_leaves_that_waited() {
    for removed in [false, true] {
        let mut timings = Timings::shrunk();
        timings.pve.answer = Duration::from_millis(1500);
        timings.pve.place = Duration::from_secs(60);
        let bench = Bench::with(Topology::single("9.2"), 1, root(), timings).await;
        bench.ready().await;
        let silent = Fault::BlackHole { at: BlackHoleAt::Answer };
        bench.remote.fault(None, silent.on("/nodes/pve1/tasks/*/log")).await;
        let task = "UPID:pve1:00000001:00000002:6A4BB5C8:vzstart:102:root@pam:";
        let mut readers = tokio::task::JoinSet::new();
        for page in 0..8 {
            let (fleet, id) = (bench.fleet.clone(), bench.id);
            readers.spawn(async move { fleet.task_log(id, task, page * 10, 10).await });
        }
        let asked = || bench.remote.journal().iter().filter(|one| one.api_path().ends_with("/log")).count();
        bench.until("three", |_| asked() == 3).await;
        let client = bench.fleet.client(bench.id).unwrap();
        if removed {
            bench.fleet.remove(bench.id, &ada(), false).await.unwrap();
        } else {
            bench.fleet.disconnect(bench.id, &ada(), false).await.unwrap();
        }
        // What was on its way may just be arriving.
        tokio::time::sleep(Duration::from_millis(50)).await;
        bench.remote.clear_journal();
        assert!(client.nodes().await.is_err(), "whoever still holds it");
        let mut causes = Vec::new();
        while let Some(read) = readers.join_next().await {
            let fleet::DetailError::Failed(failure) = read.unwrap().unwrap_err() else { panic!() };
            causes.push(failure.cause.code());
        }
        assert_eq!(bench.remote.journal().len(), 0, "{:?}", bench.remote.journal());
        if !removed {
            let by_hand = causes.iter().filter(|code| **code == "disconnected").count();
            assert_eq!(by_hand, 5, "{causes:?}");
        }
        bench.end().await;
    }
}

#[tokio::test]
async fn a_second_factor_under_way_when_it_is_disconnected_is_told_so() {
    let mut topology = Topology::single("9.2");
    topology.remotes[0].users[0].recovery = vec!["1111-2222-3333-4444".into()];
    let bench = Bench::new(topology).await;
    bench.link("credentials_rejected").await;
    bench.remote.fault(None, Fault::Delay { ms: 1000 }.on("/access/ticket")).await;
    bench.remote.clear_journal();
    let answer = tokio::spawn({
        let (fleet, id) = (bench.fleet.clone(), bench.id);
        async move { fleet.second_factor(id, Factor::Recovery("1111-2222-3333-4444".into())).await }
    });
    let asked = async {
        while bench.asked("POST", "/access/ticket") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    bench.fleet.disconnect(bench.id, &ada(), false).await.unwrap();
    let told = answer.await.unwrap().unwrap_err().expect("there is such a remote");
    assert_eq!(told.cause, Cause::Disconnected { by: "ada".into() });
    bench.end().await;
}

#[tokio::test]
async fn disconnected_is_remembered_and_means_silence() {
    let bench = Bench::new(Topology::single("9.2")).await;
    let before = bench.ready().await;
    bench.fleet.disconnect(bench.id, &ada(), false).await.unwrap();
    let off = bench.now();
    assert_eq!(off.link.state, LinkState::Disconnected { by: "ada".into() });
    assert_eq!(off.guests.len(), before.guests.len(), "last known good");
    bench.fleet.try_now(bench.id).await.unwrap();
    let (asked, connections) = (bench.remote.journal().len(), bench.remote.connections().len());
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!((bench.remote.journal().len(), bench.remote.connections().len()), (asked, connections));
    bench.fleet.connect(bench.id, &ada()).await.unwrap();
    bench.guest(101, "live again", |row| row.freshness.is_live()).await;
    assert_eq!(bench.asked("POST", "/access/ticket"), 2, "a new session");

    // Another process, later: it stays disconnected.
    let mut remembered = spec(&bench.remote, 1, root());
    remembered.name = "remembered".into();
    bench.fleet.disconnect(bench.id, &ada(), false).await.unwrap();
    remembered.disconnected = Some(("ada".into(), Timestamp::UNIX_EPOCH));
    bench.remote.clear_journal();
    let connections = bench.remote.connections().len();
    let other = Fleet::new(Timings::shrunk(), Clock::new(), 1);
    let id = other.add(remembered, &ada()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(other.remote(id).unwrap().link.state.word(), "disconnected");
    assert_eq!(bench.remote.connections().len(), connections);
    other.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn disconnecting_ends_what_is_under_way() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Delay { ms: 400 }.on("/cluster/resources")).await;
    bench.remote.clear_journal();
    let asked = async {
        while bench.asked("GET", "/cluster/resources") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    bench.fleet.disconnect(bench.id, &ada(), false).await.unwrap();
    let read = |now: &fleet::RemoteSnapshot| now.facet(model::FacetKind::Resources).unwrap().last_success;
    let before = read(&bench.now());
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(read(&bench.now()), before);
    bench.end().await;
}

#[tokio::test]
async fn try_now_does_not_wait_for_the_back_off() {
    let mut timings = Timings::shrunk();
    timings.link.backoff =
        model::backoff::Backoff { first: Duration::from_secs(600), most: Duration::from_secs(600) };
    let bench = Bench::with(Topology::single("9.2"), 1, root(), timings).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Refuse).await;
    bench.link("backing_off").await;
    bench.remote.clear_all().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(bench.now().link.state.word(), "backing_off", "by itself it waits");
    bench.fleet.try_now(bench.id).await.unwrap();
    bench.link("connected").await;
    bench.end().await;
}

#[tokio::test]
async fn when_everything_failed_one_that_answers_brings_the_others_back() {
    // Without the leader's probe the others would wait for ten minutes.
    let mut timings = Timings::shrunk();
    timings.link.outage_seldom = Duration::from_secs(600);
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    remote.fault(None, Fault::Refuse).await;
    let fleet = Fleet::new(timings, Clock::new(), 3);
    let mut ids: Vec<RemoteId> = Vec::new();
    for n in 0..3 {
        let one = RemoteSpec { name: format!("r{n}"), ..spec(&remote, 1, root()) };
        ids.push(fleet.add(one, &ada()).await.unwrap());
    }
    let waits = |fleet: &Fleet| -> Vec<f64> {
        let now = Timestamp::now();
        let next = |id: &RemoteId| fleet.remote(*id).unwrap().link.next_try();
        ids.iter().filter_map(|id| Some(next(id)?.duration_since(now).as_secs_f64())).collect()
    };
    let mut changed = fleet.changed();
    let seldom = async {
        while waits(&fleet).iter().filter(|wait| **wait > 100.0).count() < 2 {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, seldom).await.unwrap();
    remote.clear_all().await;
    let back = async {
        while !ids.iter().all(|id| fleet.remote(*id).unwrap().link.state.is_up()) {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, back).await.unwrap();
    fleet.stop().await;
    sim.stop().await;
}

// --- faults of our own ---

/// A journal that misbehaves on demand.
#[derive(Default)]
struct Moody {
    panics: AtomicU32,
    refuses: AtomicU32,
    /// Panics strike this remote only; 0: any.
    only: AtomicU64,
    operations: AtomicU32,
}

fn strike(counter: &AtomicU32) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

impl Journal for Moody {
    fn commit(&self, remote: RemoteId, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move {
            let only = self.only.load(Ordering::SeqCst);
            assert!(!((only == 0 || only == remote.0) && strike(&self.panics)), "the journal fell over");
            if strike(&self.refuses) {
                return Err(JournalError("disk full".into()));
            }
            let operations = facts.iter().filter(|fact| matches!(fact, Fact::Operation(_))).count();
            self.operations.fetch_add(u32::try_from(operations).unwrap(), Ordering::SeqCst);
            Ok(())
        })
    }
}

async fn moody() -> (Arc<Moody>, Bench) {
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let journal = Arc::new(Moody::default());
    let fleet = Fleet::with_journal(Timings::shrunk(), Clock::new(), 7, journal.clone());
    let id = fleet.add(spec(&remote, 1, root()), &ada()).await.unwrap();
    (journal, Bench { sim, remote, fleet, id })
}

#[tokio::test]
async fn a_panic_is_caught_reported_and_recovered_from_with_everything_known() {
    let (journal, bench) = moody().await;
    bench.ready().await;
    journal.panics.store(1, Ordering::SeqCst);
    bench.remote.with_world(|world, _| world.guest_mut(102).unwrap().set_name("renamed"));
    let after = bench.until("reported", |now| now.faults == 1).await;
    assert!(after.last_fault.as_ref().unwrap().as_str().contains("the journal fell over"));
    assert_eq!(after.guests.len(), 4, "what was known stays known");
    let seen = after.guest(Vmid(101)).unwrap().observed_at;
    let on = bench.guest(101, "read on", |row| row.observed_at > seen && row.freshness.is_live()).await;
    assert_eq!(on.guest(Vmid(102)).unwrap().guest.name.as_ref().unwrap().as_str(), "renamed");
    let id = bench.operate(102, Action::Start).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    bench.end().await;
}

#[tokio::test]
async fn a_panic_in_one_remote_leaves_the_others_alone_and_sends_nothing_twice() {
    let mut topology = Topology::single("9.2");
    let mut second = topology.remotes[0].clone();
    second.name = "second".into();
    topology.remotes.push(second);
    let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
    let journal = Arc::new(Moody::default());
    let fleet = Fleet::with_journal(Timings::shrunk(), Clock::new(), 7, journal.clone());
    let remotes = ["single", "second"].map(|name| sim.remote(name).unwrap());
    let id = fleet.add(spec(&remotes[0], 1, root()), &ada()).await.unwrap();
    let other = fleet.add(spec(&remotes[1], 1, root()), &ada()).await.unwrap();
    let bench = Bench { sim, remote: remotes[0].clone(), fleet, id };
    bench.ready().await;
    bench.until("the other", |_| !bench.fleet.remote(other).unwrap().guests.is_empty()).await;

    // It falls over while the answer to a start is awaited.
    bench.remote.fault(None, Fault::Delay { ms: 400 }.on("/nodes/pve1/lxc/102/status/start")).await;
    let start = bench.operate(102, Action::Start).await;
    bench.reaches(start, "sent").await;
    bench.until("received", |_| bench.asked("POST", "/nodes/pve1/lxc/102/status/start") == 1).await;
    journal.only.store(id.0, Ordering::SeqCst);
    journal.panics.store(1, Ordering::SeqCst);
    bench.remote.with_world(|world, _| world.guest_mut(101).unwrap().set_name("renamed"));
    bench.until("fell", |now| now.faults == 1).await;
    let after = bench.ended(start).await;
    assert_eq!(after.state, OperationState::Succeeded, "{:?}", after.log);
    assert_eq!(bench.mutations().len(), 1, "sent once");
    let seen = bench.fleet.remote(other).unwrap();
    assert_eq!(seen.faults, 0);
    assert!(seen.link.state.is_up() && seen.guests.iter().all(|row| row.freshness.is_live()));
    bench.end().await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_sent() {
    let (journal, bench) = moody().await;
    bench.ready().await;
    journal.refuses.store(1_000_000, Ordering::SeqCst);
    let refused = bench.try_operate(102, Action::Start).await.unwrap_err();
    assert!(matches!(refused, fleet::OperateError::NotRecorded(_)), "{refused}");
    let task = "UPID:pve1:00000001:00000002:6A4BB5C8:vzstart:102:root@pam:";
    let refused = bench.fleet.stop_task(bench.id, task, &ada()).await.unwrap_err();
    assert!(refused.to_string().contains("not seen to be recorded"), "{refused}");
    assert!(bench.mutations().is_empty());
    journal.refuses.store(0, Ordering::SeqCst);
    let id = bench.operate(102, Action::Start).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    assert!(journal.operations.load(Ordering::SeqCst) >= 4, "pending, sent, running, succeeded");
    bench.end().await;
}

#[tokio::test]
async fn while_nothing_can_be_recorded_a_link_that_is_down_is_not_shown_as_up() {
    let (journal, bench) = moody().await;
    bench.ready().await;
    journal.refuses.store(1_000_000, Ordering::SeqCst);
    bench.remote.with_world(|world, _| world.guest_mut(102).unwrap().set_name("renamed"));
    bench.guest(101, "stale", |row| !row.freshness.is_live()).await;
    assert!(bench.now().link.state.is_up() && bench.fleet.client(bench.id).is_ok(), "it is");
    bench.remote.fault(None, Fault::Refuse).await;
    let down = bench.link("backing_off").await;
    assert_eq!(down.link.state.cause(), Some(&Cause::Refused));
    let refused = bench.fleet.client(bench.id).unwrap_err();
    assert!(matches!(refused, fleet::DetailError::Failed(_)), "{refused}");
    bench.remote.clear_all().await;
    bench.link("connected").await;
    assert!(bench.fleet.client(bench.id).is_ok(), "and what it can tell is told");
    journal.refuses.store(0, Ordering::SeqCst);
    let live = |row: &fleet::GuestRow| {
        row.freshness.is_live() && row.guest.name.as_ref().is_some_and(|name| name.as_str() == "renamed")
    };
    bench.guest(102, "live", live).await;
    bench.end().await;
}

/// A journal that takes nothing for a while but what says that the remote was disconnected.
#[derive(Default)]
struct Choosy {
    refuses: AtomicBool,
    /// What was kept of the remote itself: whether it was disconnected.
    kept: Mutex<Vec<bool>>,
}

impl Journal for Choosy {
    fn commit(&self, _: RemoteId, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        let wanted = facts.iter().any(|fact| match fact {
            Fact::Event(event) => event.what == Happening::RemoteDisconnected,
            _ => false,
        });
        let taken = wanted || !self.refuses.load(Ordering::SeqCst);
        if taken {
            self.kept.lock().unwrap().extend(facts.iter().filter_map(|fact| match fact {
                Fact::Kept(write) => match &**write {
                    store::Write::Remote(record) => Some(record.disconnected.is_some()),
                    _ => None,
                },
                _ => None,
            }));
        }
        Box::pin(async move { if taken { Ok(()) } else { Err(JournalError("disk full".into())) } })
    }
}

#[tokio::test]
async fn what_waits_to_be_recorded_does_not_undo_a_disconnect() {
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let journal = Arc::new(Choosy::default());
    let fleet = Fleet::with_journal(Timings::shrunk(), Clock::new(), 7, journal.clone());
    let id = fleet.add(spec(&remote, 1, root()), &ada()).await.unwrap();
    journal.refuses.store(true, Ordering::SeqCst);
    let bench = Bench { sim, remote, fleet, id };
    let path = "/nodes/pve1/certificates/info";
    bench.remote.fault(None, Fault::Delay { ms: 100 }.on(path)).await;
    let read = async {
        while bench.asked("GET", path) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    // Its identity is known by now, and waits to be recorded.
    tokio::time::sleep(Duration::from_millis(400)).await;
    journal.kept.lock().unwrap().clear();
    bench.fleet.disconnect(bench.id, &ada(), true).await.unwrap();
    journal.refuses.store(false, Ordering::SeqCst);
    bench.until("recorded", |now| now.identity.is_some()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let kept = journal.kept.lock().unwrap().clone();
    assert_eq!(kept.last(), Some(&true), "{kept:?}");
    bench.end().await;
}
