//! What Muster makes on a host, and what becomes of it: removed, or told with its reason and command. Two at once.

use std::time::{Duration, Instant};

use pve_sim::{BlackHoleAt, Fault, Topology};
use serde_json::{Value, json};

use crate::support::House;

/// An onboarding where somebody has signed in; its path. `remote`: an existing one, signed in to anew.
async fn signed_in(house: &House, remote: Option<&str>) -> String {
    let begin = match remote {
        Some(remote) => json!({"remote": remote}),
        None => json!({"address": house.address("pve1")}),
    };
    let state = house.post("/onboardings", begin).await.ok();
    let at = format!("/onboardings/{}", state["id"].as_str().unwrap());
    if state["step"] == "trust" {
        let trust = json!({"fingerprint": state["certificate"]["fingerprint"]});
        house.post(&format!("{at}/trust"), trust).await.ok();
    }
    let root = json!({"user": "root@pam", "password": "secret-root"});
    house.post(&format!("{at}/sign-in"), root).await.ok();
    at
}

async fn finish(house: &House, at: &str, name: &str, rights: &str) -> crate::support::Answer {
    house.post(&format!("{at}/finish"), json!({"name": name, "keep": "token", "rights": rights})).await
}

async fn onboard(house: &House, rights: &str) -> String {
    let at = signed_in(house, None).await;
    let finished = finish(house, &at, "home", rights).await.ok();
    house.listed("home").await;
    finished["minted"]["id"].as_str().unwrap().to_owned()
}

fn roles(house: &House) -> Vec<String> {
    let mut all = house.remote.with_world(|world, _| world.role_names());
    all.retain(|role| role.starts_with("Muster"));
    all
}

fn lines(house: &House) -> Vec<(String, String, String)> {
    let mut all = house.remote.with_world(|world, _| world.acl_lines());
    all.retain(|line| line.2.starts_with("Muster"));
    all
}

#[tokio::test]
async fn line_token_and_role_are_each_told_with_why_and_what_removes_them() {
    let house = House::single().await;
    let token = onboard(&house, "operate").await;
    let removed = house.delete("/remotes/home?confirm=home&minted=remove").await.ok();
    let left = &removed["minted_left"];
    assert_eq!((&left["id"], &removed["minted_removed"]), (&json!(token), &Value::Null), "{removed}");
    let name = token.split_once('!').unwrap().1;
    let commands = [
        format!("pveum acl delete / --tokens '{token}' --roles 'MusterOperate'"),
        format!("pveum user token remove 'root@pam' '{name}'"),
        "pveum role delete 'MusterOperate'".to_owned(),
    ];
    assert_eq!(left["commands"], json!(commands), "{removed}");
    for (thing, command) in ["acl", "token", "role"].iter().zip(&commands) {
        assert_eq!(left[thing]["command"], *command, "{thing}: {left}");
        assert!(!left[thing]["why"].as_str().unwrap().is_empty(), "{thing}: {left}");
    }
    assert!(left["why"].as_str().unwrap().contains("Permissions.Modify on /"), "{left}");
    assert_eq!(house.tokens(), [token]);
    assert_eq!((lines(&house).len(), roles(&house).len()), (1, 1), "nothing that was told is gone");
    house.end().await;
}

#[tokio::test]
async fn what_nobody_wants_removed_is_named_all_the_same() {
    let house = House::single().await;
    let token = onboard(&house, "look").await;
    house.remote.clear_journal();
    let removed = house.delete("/remotes/home?confirm=home&minted=keep").await.ok();
    let left = &removed["minted_left"];
    assert_eq!(
        (&left["id"], &left["why"], &left["token"]["why"]),
        (&json!(token), &Value::Null, &Value::Null)
    );
    assert_eq!(left["commands"].as_array().unwrap().len(), 3, "{left}");
    assert!(house.remote.journal().iter().all(|one| one.method == "GET"), "nothing was tried");
    house.end().await;
}

/// Somebody waits for the answer: it comes soon, whatever the host does.
#[tokio::test]
async fn a_removal_ends_in_time_on_a_host_that_hangs_or_is_away() {
    for fault in [
        Fault::BlackHole { at: BlackHoleAt::Answer }.method("DELETE"),
        Fault::ServerError { text: "cfs-lock 'file-user_cfg' error: no quorum!".into() }.method("DELETE"),
        Fault::Unauthorized.method("DELETE"),
        Fault::Refuse.into(),
    ] {
        let shown = format!("{fault:?}");
        let house = House::configured(Topology::single("9.2"), |settings| {
            settings.onboarding.removal = Duration::from_secs(2);
        })
        .await;
        let token = onboard(&house, "same_as_user").await;
        house.remote.fault(None, fault).await;
        let began = Instant::now();
        let removed = house.delete("/remotes/home?confirm=home&minted=remove").await.ok();
        assert!(began.elapsed() < Duration::from_secs(12), "{shown}: {:?}", began.elapsed());
        let left = &removed["minted_left"];
        assert_eq!(left["token"]["command"], left["commands"][0], "{shown}: {removed}");
        assert!(!left["why"].as_str().unwrap().is_empty(), "{shown}: {removed}");
        assert_eq!((house.tokens(), &left["role"]), (vec![token], &Value::Null), "{shown}");
        let tries = house.remote.journal().iter().filter(|one| one.method == "DELETE").count();
        assert!(tries <= 8, "{shown}: it does not hammer: {tries}");
        house.end().await;
    }
}

#[tokio::test]
async fn a_role_that_something_else_uses_stays_and_is_named() {
    let house = House::single().await;
    let token = onboard(&house, "look").await;
    house.remote.with_world(|world, _| world.grant("/vms", "alice@pve", "MusterLook"));
    let at = signed_in(&house, Some("home")).await;
    let id = at.rsplit_once('/').unwrap().1;
    let delete = format!("/remotes/home?confirm=home&minted=remove&signed_in={id}");
    let removed = house.delete(&delete).await.ok();
    assert_eq!(removed["minted_removed"], token, "{removed}");
    assert_eq!((&removed["role_kept"], &removed["minted_left"]), (&json!("MusterLook"), &Value::Null));
    assert_eq!(roles(&house), ["MusterLook"]);
    house.end().await;
}

#[tokio::test]
async fn signed_in_to_anew_the_older_token_goes_and_its_role_is_still_ours() {
    let house = House::single().await;
    let first = onboard(&house, "operate").await;
    let at = signed_in(&house, Some("home")).await;
    let finished = finish(&house, &at, "home", "operate").await.ok();
    let second = finished["minted"]["id"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(house.tokens(), [second.as_str()], "{finished}");
    assert_eq!(lines(&house).len(), 1);
    let done = finished["done"].to_string();
    assert!(done.contains("not used any more") && done.contains(&first), "{done}");
    house.link("home", "connected").await;

    // With other rights the role of before is not used any more either.
    let at = signed_in(&house, Some("home")).await;
    let finished = finish(&house, &at, "home", "look").await.ok();
    assert_eq!(roles(&house), ["MusterLook"], "{finished}");
    assert_eq!(house.tokens().len(), 1);

    // And when the remote goes, everything goes, though the last token has found the role there.
    let at = signed_in(&house, Some("home")).await;
    finish(&house, &at, "home", "look").await.ok();
    let at = signed_in(&house, Some("home")).await;
    let id = at.rsplit_once('/').unwrap().1;
    let delete = format!("/remotes/home?confirm=home&minted=remove&signed_in={id}");
    house.delete(&delete).await.ok();
    assert_eq!((house.tokens(), roles(&house), lines(&house)), (vec![], vec![], vec![]));
    house.end().await;
}

#[tokio::test]
async fn an_older_token_that_cannot_be_removed_is_told_and_the_new_one_serves() {
    let house = House::single().await;
    let first = onboard(&house, "look").await;
    let at = signed_in(&house, Some("home")).await;
    let words = "Permission check failed (/access, User.Modify)".to_owned();
    house.remote.fault(None, Fault::Forbidden { text: words }.method("DELETE")).await;
    let finished = finish(&house, &at, "home", "look").await.ok();
    let name = first.split_once('!').unwrap().1;
    let done = finished["done"].to_string();
    assert!(done.contains(&format!("pveum user token remove 'root@pam' '{name}'")), "{done}");
    assert_eq!(house.tokens().len(), 2);
    house.link("home", "connected").await;
    house.end().await;
}

/// One of two who add the same cluster at the same time has it; the other hears so, and leaves nothing there.
#[tokio::test]
async fn of_two_who_add_one_cluster_at_once_one_has_it() {
    let house = House::new(Topology::cluster(2, "9.2")).await;
    let first = signed_in(&house, None).await;
    let second = {
        let state = house.post("/onboardings", json!({"address": house.address("pve2")})).await.ok();
        let at = format!("/onboardings/{}", state["id"].as_str().unwrap());
        let trust = json!({"fingerprint": state["certificate"]["fingerprint"]});
        house.post(&format!("{at}/trust"), trust).await.ok();
        let root = json!({"user": "root@pam", "password": "secret-root"});
        house.post(&format!("{at}/sign-in"), root).await.ok();
        at
    };
    // Both are at it while the role is being made.
    house.remote.fault(None, Fault::Delay { ms: 150 }.on("/access/*")).await;
    let (one, other) =
        tokio::join!(finish(&house, &first, "one", "look"), finish(&house, &second, "other", "look"));
    house.remote.clear_all().await;
    let made = house.mutations();
    let made = made.iter().filter(|one| one.method == "POST" && one.api_path().contains("/token/")).count();
    assert_eq!(made, 1, "the other makes nothing that would have to be taken back");
    let (won, lost, name) = if one.status.is_success() { (one, other, "one") } else { (other, one, "other") };
    let won = won.ok();
    let problem = lost.refused(409, "already_managed");
    assert!(problem["detail"].as_str().unwrap().contains(name), "{problem}");
    let minted = won["minted"]["id"].as_str().unwrap();
    assert_eq!(house.tokens(), [minted]);
    assert_eq!(lines(&house).len(), 1, "{:?}", lines(&house));
    assert_eq!(roles(&house), ["MusterLook"]);
    assert_eq!(house.get("/remotes").await.ok()["total"], 1);
    house.link(name, "connected").await;
    house.end().await;
}

/// That so many are listed. They are read anew each time, which a busy machine may not do in (shrunk) time.
async fn proposed(house: &House, wanted: u64) {
    let began = Instant::now();
    loop {
        let answer = house.get("/remotes/home/proposed").await;
        if answer.status.is_success() || began.elapsed() > crate::support::PATIENCE {
            assert_eq!(answer.ok()["total"], wanted);
            return;
        }
    }
}

/// What is announced is what is listed.
#[tokio::test]
async fn as_many_endpoints_are_announced_as_are_proposed() {
    // Nodes on other ports of one address, which no membership tells of.
    let house = House::managing(Topology::cluster(3, "9.2")).await;
    let remote = house.until("/remotes/home", "its cluster", |remote| !remote["cluster"].is_null()).await;
    assert_eq!(remote["proposed"], 0);
    proposed(&house, 0).await;
    house.end().await;
    // Nodes as real ones are.
    let house = House::managing_cluster().await;
    house.until("/remotes/home", "two more", |remote| remote["proposed"] == 2).await;
    proposed(&house, 2).await;
    house.post("/remotes/home/endpoints", json!({"address": house.address("pve2")})).await.ok();
    house.until("/remotes/home", "one more", |remote| remote["proposed"] == 1).await;
    proposed(&house, 1).await;
    house.end().await;
}

/// The database takes nothing any more at the worst moment: what was done on the host by then is said.
#[tokio::test]
async fn what_was_done_on_the_host_is_told_though_it_cannot_be_recorded() {
    let house = House::single().await;
    let token = onboard(&house, "same_as_user").await;
    let refuse =
        |when: &str| format!("CREATE TRIGGER no BEFORE {when} BEGIN SELECT RAISE(ABORT, 'worn out'); END");
    house.alter(&refuse("DELETE ON remotes")).await;
    let problem =
        house.delete("/remotes/home?confirm=home&minted=remove").await.refused(503, "removed_in_part");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("worn out") && detail.contains(&token), "{detail}");
    assert!(problem["remedy"].as_str().unwrap().contains("sign in to it anew"), "{problem}");
    assert!(house.tokens().is_empty());
    assert_eq!(house.get("/remotes").await.ok()["total"], 1);
    // It can be removed all the same, and then nothing was taken from the host by that.
    house.delete("/remotes/home?confirm=home&minted=keep").await.refused(503, "not_recorded");
    house.alter("DROP TRIGGER no").await;

    // Signed in to anew while it is disconnected: that is saved, and only the connecting is not.
    house.post("/remotes/home/disconnect", json!({})).await.ok();
    let at = signed_in(&house, Some("home")).await;
    house.alter(&refuse("INSERT ON events WHEN NEW.kind = 'remote_connected'")).await;
    let problem = finish(&house, &at, "home", "same_as_user").await.refused(503, "saved_not_connected");
    assert!(problem["detail"].as_str().unwrap().contains("worn out"), "{problem}");
    house.alter("DROP TRIGGER no").await;
    let made = house.tokens();
    let remote = house.get("/remotes/home").await.ok();
    assert_eq!((&remote["link"]["state"], made.len()), (&json!("disconnected"), 1));
    assert_eq!(remote["credential"]["user"], made[0], "{remote}");
    house.post("/remotes/home/connect", json!({})).await.ok();
    house.link("home", "connected").await;
    house.end().await;
}
