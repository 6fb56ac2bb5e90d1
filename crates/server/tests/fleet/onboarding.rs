//! From an address to a live remote, in each of the ways; and what fails leaves nothing.

use http::Method;
use model::access::Role;
use pve_sim::Topology;
use pve_sim::topology::TokenSpec;
use serde_json::{Value, json};

use crate::support::House;

/// Begins, and confirms the certificate that is shown.
async fn trusted(house: &House) -> Value {
    let address = house.address("pve1");
    let begun = house.post("/onboardings", json!({"address": format!("https://{address}/")})).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let state = begun.body;
    let at = format!("/onboardings/{}", state["id"].as_str().unwrap());
    assert_eq!(begun.headers["location"], format!("/api/v1{at}"));
    assert_eq!((&state["step"], &state["endpoint"]), (&json!("trust"), &json!(address)));
    assert_eq!(state["trusted"], false);
    let shown = state["certificate"]["fingerprint"].as_str().unwrap();
    assert_eq!(shown, house.remote.leaf_fingerprint("pve1").unwrap());
    assert!(house.remote.journal().is_empty(), "nothing is said before it is trusted");
    let state = house.post(&format!("{at}/trust"), json!({"fingerprint": shown})).await.ok();
    assert_eq!(state["step"], "sign_in");
    let realms: Vec<_> = state["realms"].as_array().unwrap().iter().map(|realm| &realm["name"]).collect();
    assert!(realms.contains(&&json!("pam")), "{realms:?}");
    state
}

fn at(state: &Value, step: &str) -> String {
    format!("/onboardings/{}/{step}", state["id"].as_str().unwrap())
}

fn root() -> Value {
    json!({"user": "root@pam", "password": "secret-root"})
}

#[tokio::test]
async fn by_password_with_a_token_made_for_it() {
    let house = House::single().await;
    let state = trusted(&house).await;
    let state = house.post(&at(&state, "sign-in"), root()).await.ok();
    assert_eq!(state["step"], "finish");
    let signed_in = &state["signed_in"];
    assert_eq!((&signed_in["user"], &signed_in["with_token"]), (&json!("root@pam"), &json!(false)));
    let offer = signed_in["offers"].as_array().unwrap().iter().find(|offer| offer["rights"] == "operate");
    assert!(offer.unwrap()["privileges"].as_array().unwrap().contains(&json!("VM.PowerMgmt")));

    // What the token may do has to be said; saying nothing makes none.
    house.post(&at(&state, "finish"), json!({"name": "home"})).await.refused(422, "rights");
    // A number is the id of some remote, and no name; that is said before anything is made.
    let numbered = json!({"name": "007", "keep": "token", "rights": "operate"});
    house.post(&at(&state, "finish"), numbered).await.refused(409, "name");
    assert!(house.tokens().is_empty());
    let wish = json!({"name": "home", "keep": "token", "rights": "operate"});
    let finished = house.post(&at(&state, "finish"), wish).await.ok();
    let minted = finished["minted"]["id"].as_str().unwrap();
    assert!(minted.starts_with("root@pam!muster-"), "{minted}");
    assert!(!finished["done"].as_array().unwrap().is_empty(), "what was made is told");
    assert_eq!(house.tokens(), [minted]);

    let remote = house.listed("home").await;
    assert_eq!(remote["link"]["state"], "connected");
    let credential = &remote["credential"];
    assert_eq!((&credential["kind"], &credential["user"]), (&json!("token"), &json!(minted)));
    assert_eq!(
        (&credential["rights"], &credential["minted"]["role"]),
        (&json!("operate"), &json!("MusterOperate"))
    );
    let whole = remote.to_string();
    assert!(!whole.contains("secret-root"), "no secret is shown");
    // It has ended.
    house.get(&format!("/onboardings/{}", state["id"].as_str().unwrap())).await.refused(404, "not_found");

    // The same host by the same address is recognised before anything is dialled.
    let again = house.post("/onboardings", json!({"address": house.address("pve1")})).await;
    let problem = again.refused(409, "already_managed");
    assert_eq!(problem["candidates"][0]["name"], "home");
    house.end().await;
}

#[tokio::test]
async fn by_password_kept_with_a_second_factor() {
    let mut topology = Topology::single("9.2");
    topology.remotes[0].users[0].totp_secret = Some("JBSWY3DPEHPK3PXP".into());
    topology.remotes[0].users[0].recovery = vec!["1111-2222-3333-4444".into(), "5555-6666-7777-8888".into()];
    let mut house = House::new(topology).await;
    let state = trusted(&house).await;
    let state = house.post(&at(&state, "sign-in"), root()).await.ok();
    assert_eq!(state["step"], "second_factor");
    assert!(state["factors"].as_array().unwrap().contains(&json!("totp")), "{state}");
    let wrong = house.post(&at(&state, "second-factor"), json!({"code": "0000-0000-0000-0000"})).await;
    let problem = wrong.refused(422, "credentials_rejected");
    assert!(!problem["cause"]["remedy"].as_str().unwrap().is_empty());
    let state = house.post(&at(&state, "second-factor"), json!({"code": "1111-2222-3333-4444"})).await.ok();
    assert_eq!(state["step"], "finish");
    let finished = house.post(&at(&state, "finish"), json!({"name": "home", "keep": "password"})).await.ok();
    assert_eq!((&finished["minted"], house.tokens().len()), (&Value::Null, 0));
    let remote = house.listed("home").await;
    assert_eq!(
        (&remote["credential"]["kind"], &remote["credential"]["user"]),
        (&json!("password"), &json!("root@pam"))
    );
    assert!(!remote.to_string().contains("secret-root"), "no secret is shown");

    // A new sign-in waits for the factor, and a person gives it.
    house.restart().await;
    let waits = |remote: &Value| remote["link"]["cause"]["code"] == "second_factor_needed";
    let remote = house.until("/remotes/home", "the second factor", waits).await;
    assert_eq!((&remote["link"]["needs_person"], &remote["link"]["up"]), (&json!(true), &json!(false)));
    let wrong = json!({"code": "1111-2222-3333-4444"});
    house.post("/remotes/home/second-factor", wrong).await.refused(422, "credentials_rejected");
    house.until("/remotes/home", "the second factor", waits).await;
    house.post("/remotes/home/second-factor", json!({"code": "5555-6666-7777-8888"})).await.ok();
    house.listed("home").await;
    house.end().await;
}

#[tokio::test]
async fn by_another_address_the_same_cluster_is_recognised_and_takes_that_address() {
    let house = House::managing_cluster().await;
    let (first, second) = (house.address("pve1"), house.address("pve2"));
    assert_ne!(first.split(':').next(), second.split(':').next(), "another address, not another port alone");
    // What it is known by was read.
    house.until("/remotes/home", "its identity", |remote| remote["identity"].is_string()).await;
    let begun = house.post("/onboardings", json!({"address": second})).await.ok();
    assert_eq!((&begun["step"], &begun["endpoint"]), (&json!("trust"), &json!(second)));
    let shown = json!({"fingerprint": begun["certificate"]["fingerprint"]});
    house.post(&at(&begun, "trust"), shown).await.ok();
    let tokens = house.tokens();
    let problem = house.post(&at(&begun, "sign-in"), root()).await.refused(409, "already_managed");
    let home = house.get("/remotes/home").await.ok();
    assert_eq!(
        problem["candidates"],
        json!([{"id": home["id"].to_string(), "name": "home", "type": "remote"}])
    );
    let words = problem["detail"].as_str().unwrap();
    assert!(words.contains("home") && words.contains("as an endpoint"), "{problem}");
    house
        .post(&at(&begun, "finish"), json!({"name": "other", "rights": "look"}))
        .await
        .refused(409, "wrong_step");
    assert_eq!(house.tokens(), tokens, "nothing was made");
    assert_eq!(house.get("/remotes").await.ok()["total"], 1);

    // What it proposes is what works.
    house.post("/remotes/home/endpoints", json!({"address": second})).await.ok();
    let both = |remote: &Value| remote["link"]["endpoints"].as_array().is_some_and(|all| all.len() == 2);
    house.until("/remotes/home", "two endpoints", both).await;
    // From now on that address is known, too: not even its certificate is asked about.
    let problem =
        house.post("/onboardings", json!({"address": second})).await.refused(409, "already_managed");
    assert_eq!(problem["candidates"][0]["name"], "home");
    house.end().await;
}

#[tokio::test]
async fn by_a_token_that_is_there() {
    let mut topology = Topology::single("9.2");
    let token =
        TokenSpec { name: "ci".into(), secret: "1111-2222".into(), privsep: false, ..TokenSpec::default() };
    topology.remotes[0].users[0].tokens.push(token);
    let house = House::new(topology).await;
    let state = trusted(&house).await;
    let odd = house.post(&at(&state, "sign-in"), json!({"token": "no-token-at-all=x"})).await;
    odd.refused(422, "not_a_token");
    let state = house.post(&at(&state, "sign-in"), json!({"token": "root@pam!ci=1111-2222"})).await.ok();
    assert_eq!(state["signed_in"]["with_token"], true);
    let finished = house.post(&at(&state, "finish"), json!({"name": "home", "connect": false})).await.ok();
    assert_eq!((&finished["minted"], house.tokens()), (&Value::Null, vec!["root@pam!ci".to_owned()]));
    assert_eq!(finished["remote"]["link"]["state"], "disconnected");
    house.post("/remotes/home/connect", json!({})).await.ok();
    house.listed("home").await;
    house.end().await;
}

#[tokio::test]
async fn what_fails_says_why_and_leaves_nothing() {
    let house = House::single().await;
    let state = trusted(&house).await;
    let wrong = json!({"user": "root@pam", "password": "wrong"});
    let problem = house.post(&at(&state, "sign-in"), wrong).await.refused(422, "credentials_rejected");
    assert_eq!(problem["cause"]["code"], "credentials_rejected");
    assert!(!problem["remedy"].as_str().unwrap().is_empty());
    assert!(!problem.to_string().contains("wrong\""));
    let nobody = json!({"user": "root@nowhere", "password": "secret-root"});
    let problem = house.post(&at(&state, "sign-in"), nobody).await.refused(422, "unknown_realm");
    assert!(problem["candidates"].as_array().unwrap().iter().any(|one| one["id"] == "pam"), "{problem}");
    house
        .post(&at(&state, "finish"), json!({"name": "x", "rights": "look"}))
        .await
        .refused(409, "wrong_step");

    // Given up: gone, and nobody can go on with it.
    let id = state["id"].as_str().unwrap();
    assert_eq!(house.delete(&format!("/onboardings/{id}")).await.status, 204);
    house.post(&at(&state, "sign-in"), root()).await.refused(404, "not_found");
    assert_eq!(house.get("/remotes").await.ok()["total"], 0);
    assert!(house.tokens().is_empty());

    // Nothing listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let problem =
        house.post("/onboardings", json!({"address": free.to_string()})).await.refused(502, "refused");
    assert!(problem["detail"].as_str().unwrap().contains(&free.to_string()), "{problem}");
    house.post("/onboardings", json!({"address": "not an address"})).await.refused(422, "address");
    house.end().await;
}

#[tokio::test]
async fn only_who_governs_everything_makes_muster_dial() {
    let house = House::single().await;
    let id = house.adopt("home", "root@pam", "secret-root").await;
    house.listed("home").await;
    let dial = json!({"address": house.address("pve1")});
    let endpoint = json!({"address": "192.0.2.9"});
    let operator = house.viewer("oscar", Role::Operator, None).await;
    let keeper = house.viewer("kim", Role::Administrator, Some(id)).await;
    for token in [&operator, &keeper] {
        house.ask(token, Method::POST, "/onboardings", Some(&dial)).await.refused(403, "not_allowed");
        let far = house.ask(token, Method::POST, "/remotes/home/endpoints", Some(&endpoint));
        far.await.refused(403, "not_allowed");
    }
    let elsewhere = json!({"address": "192.0.2.9", "remote": "home"});
    house.ask(&keeper, Method::POST, "/onboardings", Some(&elsewhere)).await.refused(403, "not_allowed");

    // Who governs that one remote signs in to it anew, and nobody else goes on with it.
    let anew = house.ask(&keeper, Method::POST, "/onboardings", Some(&json!({"remote": "home"}))).await;
    assert_eq!(anew.status, 201, "{anew:?}");
    let state = anew.body;
    assert_eq!((&state["step"], &state["remote"]["name"]), (&json!("sign_in"), &json!("home")));
    house.post(&at(&state, "sign-in"), root()).await.refused(404, "not_found");
    let by = |step: &str, body: Value| {
        let (path, house, keeper) = (at(&state, step), &house, &keeper);
        async move { house.ask(keeper, Method::POST, &path, Some(&body)).await }
    };
    by("sign-in", root()).await.ok();
    let finished = by("finish", json!({"keep": "token", "rights": "same_as_user"})).await.ok();
    assert_eq!(finished["remote"]["id"], id.0);
    house
        .until("/remotes/home", "signed in by token", |remote| {
            remote["credential"]["kind"] == "token" && remote["link"]["up"] == true
        })
        .await;
    house.end().await;
}

#[tokio::test]
async fn onboardings_are_few_and_end_by_themselves() {
    let house = House::configured(Topology::single("9.2"), |settings| {
        settings.onboarding.life = std::time::Duration::from_millis(1500);
        settings.onboarding.per_caller = 1;
    })
    .await;
    let address = json!({"address": house.address("pve1")});
    let begun = house.post("/onboardings", address.clone()).await.ok();
    let at = format!("/onboardings/{}", begun["id"].as_str().unwrap());
    assert_eq!(house.get(&at).await.ok()["step"], "trust");
    let dialled = house.remote.connections().len();
    let refused = house.post("/onboardings", address.clone()).await;
    assert!(refused.headers.contains_key("retry-after"));
    refused.refused(429, "too_many_onboardings");
    assert_eq!(house.remote.connections().len(), dialled);
    let begun = std::time::Instant::now();
    while house.get(&at).await.status != 404 {
        assert!(begun.elapsed() < crate::support::PATIENCE, "it never ends");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    house.post("/onboardings", address).await.ok();
    house.end().await;
}
