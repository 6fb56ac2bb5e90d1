//! Remotes changed: edited, removed, their endpoints and certificates.

use http::Method;
use pve_sim::{Fault, Topology};
use serde_json::{Value, json};

use crate::support::House;

async fn onboard(house: &House, rights: &str) -> String {
    let state = house.post("/onboardings", json!({"address": house.address("pve1")})).await.ok();
    let at = format!("/onboardings/{}", state["id"].as_str().unwrap());
    let trust = json!({"fingerprint": state["certificate"]["fingerprint"]});
    house.post(&format!("{at}/trust"), trust).await.ok();
    let root = json!({"user": "root@pam", "password": "secret-root"});
    house.post(&format!("{at}/sign-in"), root).await.ok();
    let finish = json!({"name": "home", "keep": "token", "rights": rights});
    let finished = house.post(&format!("{at}/finish"), finish).await.ok();
    house.listed("home").await;
    finished["minted"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn edited() {
    let house = House::managing(Topology::single("9.2")).await;
    let edit = json!({"name": "lab", "interval_seconds": 30, "web_url": "https://lab.example"});
    let patch = |path: &'static str, body: Value| {
        let house = &house;
        async move { house.ask(&house.token, Method::PATCH, path, Some(&body)).await }
    };
    let remote = patch("/remotes/home", edit).await.ok();
    house.get("/remotes/home").await.refused(404, "not_found");
    let remote_now = house.until("/remotes/lab", "edited", |remote| remote["interval_seconds"] == 30.0).await;
    assert_eq!(remote["id"], remote_now["id"]);
    assert_eq!(remote_now["web_url"], "https://lab.example");
    assert_eq!(remote_now["open_url"], "https://lab.example/#v1:0:18:4:::::::");
    let back = patch("/remotes/lab", json!({"interval_seconds": null})).await.ok();
    assert_eq!(back["name"], "lab");
    patch("/remotes/lab", json!({"interval_seconds": 0.5})).await.refused(422, "invalid");
    for name in ["a/b", "7", "007", "+7", " 7 "] {
        patch("/remotes/lab", json!({"name": name})).await.refused(409, "name");
    }
    for odd in
        ["javascript:alert(1)", "https://", "https://root:secret@lab.example", "https://lab .example", "lab"]
    {
        patch("/remotes/lab", json!({"web_url": odd})).await.refused(422, "invalid");
    }
    let events = house.get("/events?kind=remote_edited").await.ok();
    assert_eq!(events["items"][0]["author"]["name"].as_str().unwrap(), "ada (token test)");
    house.end().await;
}

#[tokio::test]
async fn removed_by_its_typed_name_and_with_what_was_made_for_it() {
    let house = House::single().await;
    let token = onboard(&house, "same_as_user").await;
    assert_eq!(house.tokens(), [token.as_str()]);
    house.delete("/remotes/home?confirm=hom").await.refused(422, "not_confirmed");
    house.delete("/remotes/home").await.refused(422, "not_confirmed");
    let id = house.get("/remotes/home").await.ok()["id"].clone();
    let removed = house.delete("/remotes/home?confirm=home&minted=remove").await.ok();
    assert_eq!(removed["minted_removed"], token, "{removed}");
    assert!(house.tokens().is_empty());
    house.get("/remotes/home").await.refused(404, "not_found");
    assert_eq!(house.get("/guests").await.ok()["total"], 0);
    let events = house.get("/events?kind=remote_removed").await.ok();
    assert_eq!(events["total"], 1, "its history stays");
    let own = house.get(&format!("/events?remote={id}")).await.ok();
    let kinds: Vec<&Value> = own["items"].as_array().unwrap().iter().map(|event| &event["name"]).collect();
    assert!(kinds.contains(&&json!("remote_added")) && kinds.contains(&&json!("remote_removed")), "{own}");
    // To whom may not see that number there is nothing, and never was.
    let stranger = house.viewer("sid", model::access::Role::Administrator, Some(model::RemoteId(4711))).await;
    let asked = house.ask(&stranger, Method::GET, &format!("/events?remote={id}"), None).await;
    asked.refused(404, "not_found");
    house.end().await;
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_told() {
    let house = House::single().await;
    // A token with rights of its own may not remove itself.
    let token = onboard(&house, "operate").await;
    let removed = house.delete("/remotes/home?confirm=home&minted=remove").await.ok();
    assert_eq!(removed["minted_left"]["id"], token, "{removed}");
    assert!(!removed["minted_left"]["why"].as_str().unwrap().is_empty());
    assert_eq!(house.tokens(), [token]);
    assert_eq!(house.get("/remotes").await.ok()["total"], 0, "the remote is removed all the same");
    house.end().await;
}

#[tokio::test]
async fn what_a_token_may_not_take_back_somebody_who_signs_in_can() {
    let house = House::single().await;
    let token = onboard(&house, "operate").await;
    let roles = || house.remote.with_world(|world, _| world.role_names());
    assert!(roles().iter().any(|role| role == "MusterOperate"));
    let state = house.post("/onboardings", json!({"remote": "home"})).await.ok();
    let id = state["id"].as_str().unwrap();
    let delete = format!("/remotes/home?confirm=home&minted=remove&signed_in={id}");
    house.delete(&delete).await.refused(409, "wrong_step");
    let root = json!({"user": "root@pam", "password": "secret-root"});
    house.post(&format!("/onboardings/{id}/sign-in"), root).await.ok();
    // Nor with an onboarding of something else.
    let other = pve_sim::Sim::start(Topology::single("9.2"), pve_sim::SimTimings::fast()).await.unwrap();
    let address = other.first().unwrap().first_address().to_string();
    let begun = house.post("/onboardings", json!({"address": address})).await.ok();
    let foreign = begun["id"].as_str().unwrap();
    let wrong = format!("/remotes/home?confirm=home&minted=remove&signed_in={foreign}");
    house.delete(&wrong).await.refused(404, "not_found");
    other.stop().await;
    let removed = house.delete(&delete).await.ok();
    assert_eq!(removed["minted_removed"], token, "{removed}");
    assert!(house.tokens().is_empty());
    assert!(!roles().iter().any(|role| role == "MusterOperate"), "its role goes with it");
    house.end().await;
}

#[tokio::test]
async fn endpoints_are_proposed_added_and_removed() {
    let house = House::managing_cluster().await;
    let proposed = house.get("/remotes/home/proposed").await.ok();
    let of_nodes: Vec<_> = proposed["items"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(of_nodes, [&json!("pve2"), &json!("pve3")], "{proposed}");
    let second = house.address("pve2");
    let remote = house.post("/remotes/home/endpoints", json!({"address": second})).await.ok();
    let known = |remote: &Value, one: &str| {
        remote["link"]["endpoints"].as_array().unwrap().iter().any(|endpoint| endpoint["id"] == *one)
    };
    house.until("/remotes/home", "two endpoints", |remote| known(remote, &second)).await;
    assert_eq!(remote["name"], "home");
    house.post("/remotes/home/endpoints", json!({"address": second})).await.refused(409, "endpoint");

    // The first one goes away: the second one serves, and the link says which one fails.
    house.remote.fault(Some("pve1"), Fault::Refuse).await;
    let degraded = house.link("home", "degraded").await;
    assert_eq!(degraded["link"]["up"], true);
    house.remote.clear_all().await;
    house.link("home", "connected").await;

    house.delete(&format!("/remotes/home/endpoints/{second}")).await.ok();
    house.until("/remotes/home", "one endpoint", |remote| !known(remote, &second)).await;
    let first = house.address("pve1");
    house.delete(&format!("/remotes/home/endpoints/{first}")).await.refused(409, "endpoint");
    house.delete("/remotes/home/endpoints/192.0.2.1:8006").await.refused(404, "not_found");
    house.end().await;
}

#[tokio::test]
async fn a_stranger_is_shown_and_not_believed() {
    let house = House::managing(Topology::single("9.2")).await;
    let other = pve_sim::Sim::start(Topology::single("9.2"), pve_sim::SimTimings::fast()).await.unwrap();
    let stranger = other.first().unwrap();
    let address = stranger.first_address().to_string();
    let problem = house.post("/remotes/home/endpoints", json!({"address": address})).await;
    let problem = problem.refused(409, "untrusted_certificate");
    let shown = stranger.leaf_fingerprint("pve1").unwrap();
    assert_eq!(problem["cause"]["facts"]["presented"], shown, "{problem}");
    assert!(stranger.journal().is_empty(), "nothing is said to it");
    let wrong = json!({"address": address, "fingerprint": "00".repeat(32)});
    house.post("/remotes/home/endpoints", wrong).await.refused(409, "other_certificate");
    other.stop().await;
    house.end().await;
}

#[tokio::test]
async fn a_changed_certificate_is_shown_beside_the_trusted_one_and_accepted() {
    let house = House::managing(Topology::single("9.2")).await;
    let endpoint = house.address("pve1");
    let before = house.remote.leaf_fingerprint("pve1").unwrap();
    house.remote.fault(None, Fault::ChangeCertificate { same_ca: false }).await;
    let remote = house.link("home", "certificate_changed").await;
    assert_eq!(remote["link"]["needs_person"], true);
    let at = format!("/remotes/home/endpoints/{endpoint}/certificate");
    let pair = house.get(&at).await.ok();
    let shown = pair["presented"]["fingerprint"].as_str().unwrap();
    assert_eq!((&pair["trusted"], &pair["is_trusted"]), (&json!(before), &json!(false)));
    assert_ne!(shown, before);
    assert_eq!(pair["cause"]["code"], "certificate_changed");
    // An action is refused with the cause and its mending.
    let problem =
        house.post("/operations", crate::support::wish(102, "start")).await.refused(409, "disabled");
    assert_eq!(problem["cause"]["code"], "certificate_changed");
    assert!(!problem["remedy"].as_str().unwrap().is_empty());
    let old = json!({"endpoint": endpoint, "fingerprint": before});
    house.post("/remotes/home/trust", old).await.refused(409, "other_certificate");
    let new = json!({"endpoint": endpoint, "fingerprint": shown});
    house.post("/remotes/home/trust", new).await.ok();
    house.link("home", "connected").await;
    assert_eq!(house.get(&at).await.ok()["is_trusted"], true);
    house.end().await;
}
