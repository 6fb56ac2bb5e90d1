//! No secret that the server was ever given is in anything it writes: log, events, audit, metrics, answers, backup, the
//! pages of its database. Only sealed, that is unreadable, and in the key file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use std::collections::BTreeSet;

use common::canary::found;
use common::process::Server;
use common::{TOTP_SECRET, host};
use http::Method;
use pve_sim::topology::{AclSpec, TokenSpec, UserSpec};
use pve_sim::{Fault, Remote, Sim, SimTimings, Topology};
use serde_json::json;

const ROOT: &str = "cänary-root \"p\\w/ d%+&=9Q";
const WRONG: &str = "wröng-cänary \"x\\y%+&=7Z";
const KEPT: &str = "kept-canary-\u{e4}-password+/=4R";
const TOKEN: &str = "7e1c5f2e-c4na-4b1d-t0ken-000000000077";
const RECOVERY: &str = "c0de-c4na-ry00-0001";
const ADMIN: &str = "canary admin pässword 11";
const USER: &str = "canary user pässword 22";

fn topology() -> Topology {
    let mut topology = host("9.2");
    topology.remotes[0].users = vec![
        UserSpec {
            userid: "root@pam".to_owned(),
            password: ROOT.to_owned(),
            tokens: vec![TokenSpec {
                name: "ops".to_owned(),
                secret: TOKEN.to_owned(),
                privsep: false,
                ..TokenSpec::default()
            }],
            ..UserSpec::default()
        },
        UserSpec {
            userid: "tfa@pve".to_owned(),
            password: KEPT.to_owned(),
            totp_secret: Some(TOTP_SECRET.to_owned()),
            recovery: vec![RECOVERY.to_owned()],
            acl: vec![AclSpec::new("/", "PVEAdmin")],
            ..UserSpec::default()
        },
    ];
    topology
}

/// The secrets of the tokens that a host was shown.
fn tokens(remote: &Remote) -> BTreeSet<String> {
    let headers = remote.journal().into_iter().flat_map(|exchange| exchange.headers);
    headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .filter_map(|(_, value)| Some(value.rsplit_once('=')?.1.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_the_server_writes() {
    // Three hosts, each with another kind of credential.
    let sims = [
        Sim::start(topology(), SimTimings::fast()).await.unwrap(),
        Sim::start(topology(), SimTimings::fast()).await.unwrap(),
        Sim::start(topology(), SimTimings::fast()).await.unwrap(),
    ];
    let remotes: Vec<_> = sims.iter().map(|sim| sim.first().unwrap()).collect();
    let mut server = Server::nowhere()
        .with(&["--listen", "127.0.0.1:0", "--pace", "test", "--log-level", "trace"])
        .env("RUST_BACKTRACE", "1");
    server.start().await;

    let link = std::fs::read_to_string(server.dir().join("setup-link")).unwrap();
    let setup = link.trim().split_once('#').unwrap().1.to_owned();
    server.post("/setup", json!({"secret": setup, "user": "ada", "password": ADMIN})).await;
    server
        .post(
            "/users",
            json!({"name": "bert", "password": USER, "grants": [{"role": "viewer", "scope": {"kind": "all"}}]}),
        )
        .await;
    let refused =
        server.call(Method::POST, "/api/v1/session", Some(json!({"user": "ada", "password": WRONG})));
    let refused = refused.await;
    assert!((400..500).contains(&refused.status), "{refused:?}");

    let minted = json!({"keep": "token", "rights": "operate"});
    let kept = json!({"keep": "password"});
    server.onboard(&remotes[0], "minted", json!({"user": "root@pam", "password": ROOT}), minted).await;
    let pasted = json!({"token": format!("root@pam!ops={TOKEN}")});
    server.onboard(&remotes[1], "pasted", pasted, json!({"keep": "token"})).await;
    // A wrong password first, then a second factor.
    let begun = server.post("/onboardings", json!({"address": remotes[2].first_address().to_string()})).await;
    let at = format!("/onboardings/{}", begun["id"].as_str().unwrap());
    let fingerprint = remotes[2].leaf_fingerprint(&remotes[2].nodes()[0]).unwrap();
    server.post(&format!("{at}/trust"), json!({"fingerprint": fingerprint})).await;
    let wrong = json!({"user": "tfa@pve", "password": WRONG});
    let refused = server.call(Method::POST, &format!("/api/v1{at}/sign-in"), Some(wrong)).await;
    assert!((400..500).contains(&refused.status), "{refused:?}");
    server.post(&format!("{at}/sign-in"), json!({"user": "tfa@pve", "password": KEPT})).await;
    server.post(&format!("{at}/second-factor"), json!({"code": RECOVERY, "kind": "recovery"})).await;
    let mut finish = kept;
    finish["name"] = json!("kept");
    server.post(&format!("{at}/finish"), finish).await;
    server.until("/remotes/kept", |remote| remote["link"]["state"] == "connected").await;

    // Things happen, answers break, and a host repeats what it was sent.
    let guests = server.until("/guests?q=type:ct", |guests| guests["total"].as_u64() >= Some(3)).await;
    for guest in guests["items"].as_array().unwrap().iter().take(3) {
        let body = json!({"remote": guest["remote"], "vmid": guest["vmid"], "action": "start"});
        server.call(Method::POST, "/api/v1/operations", Some(body)).await;
    }
    // (Only what Muster still has can be taken out of a host's words: root's password was forgotten at once.)
    let minted = tokens(&remotes[0]).into_iter().next().expect("a token was made");
    for (remote, text) in remotes.iter().zip([minted.as_str(), TOKEN, KEPT]) {
        let words = format!("no such password: {text}");
        remote.fault(None, Fault::ServerError { text: words }.on("/cluster/*").times(4)).await;
        remote.fault(None, Fault::ExpireTickets).await;
    }
    server.until("/remotes", |remotes| remotes["total"] == 3).await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;

    // Everything that can be read.
    let mut written: Vec<(String, Vec<u8>)> = Vec::new();
    for path in
        ["/remotes", "/remotes/minted", "/remotes/pasted", "/remotes/kept", "/guests", "/nodes", "/tasks"]
            .into_iter()
            .chain(["/events?limit=500", "/audit?limit=500", "/operations", "/users", "/tokens", "/sessions"])
            .chain(["/system", "/setup"])
    {
        let answer = server.call(Method::GET, &format!("/api/v1{path}"), None).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        written.push((path.to_owned(), answer.text.into_bytes()));
    }
    let metrics = server.call(Method::GET, "/metrics", None).await;
    assert!(metrics.text.contains("muster_"), "{metrics:?}");
    written.push(("/metrics".to_owned(), metrics.text.into_bytes()));
    let backup = server.base().join("backup.db");
    let run = server.muster(&["backup", backup.to_str().unwrap()]).await;
    assert_eq!(run.code, 0, "{run:?}");
    written.push(("the backup".to_owned(), std::fs::read(&backup).unwrap()));
    // The pages of the database as they are while it runs, log included, and once more when it is closed.
    let pages = |when: &str, written: &mut Vec<(String, Vec<u8>)>| {
        for entry in std::fs::read_dir(server.dir()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_file() && !["key", "setup-link"].contains(&name.as_str()) {
                written.push((format!("{name} {when}"), std::fs::read(&path).unwrap()));
            }
        }
    };
    pages("running", &mut written);
    assert!(written.iter().any(|(name, bytes)| name == "muster.db running" && !bytes.is_empty()));
    let key = std::fs::read_to_string(server.dir().join("key")).unwrap();
    let key = key.lines().find(|line| !line.starts_with('#')).unwrap().to_owned();

    let mut secrets = vec![
        ("root's password", ROOT.to_owned()),
        ("a wrong password", WRONG.to_owned()),
        ("the password that is kept", KEPT.to_owned()),
        ("the token that was given", TOKEN.to_owned()),
        ("the recovery key", RECOVERY.to_owned()),
        ("the administrator's password", ADMIN.to_owned()),
        ("a user's password", USER.to_owned()),
        ("the set-up secret", setup),
        ("the sealing key", key.clone()),
        ("the sealing key", key.to_uppercase()),
        ("a ticket", "PVE:root@pam:".to_owned()),
        ("a ticket", "PVE:tfa@pve:".to_owned()),
    ];
    // What the hosts gave out themselves.
    for remote in &remotes {
        secrets.extend(tokens(remote).into_iter().map(|secret| ("a token's secret", secret)));
        let headers = remote.journal().into_iter().flat_map(|exchange| exchange.headers);
        let csrf = headers.filter(|(name, _)| name.eq_ignore_ascii_case("csrfpreventiontoken"));
        secrets.extend(csrf.map(|(_, value)| ("what guards a session", value)));
    }
    secrets.sort();
    secrets.dedup();
    assert!(secrets.len() > 13, "a token was made, a session opened: {}", secrets.len());

    server.signal(rustix::process::Signal::TERM);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while server.dir().join("muster.sock").exists() && std::time::Instant::now() < until {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    pages("closed", &mut written);
    let log = server.log();
    assert!(log.contains("TRACE"), "the log is there");
    written.push(("the log".to_owned(), log.into_bytes()));

    for (what, secret) in &secrets {
        for (place, bytes) in &written {
            if let Some(how) = found(bytes, secret) {
                panic!("{what} is in {place}, {how}");
            }
        }
    }
    for sim in sims {
        sim.stop().await;
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let page = |text: &str| [&[0, 255, 13][..], text.as_bytes(), &[0; 9]].concat();
    assert!(found(&page(ROOT), ROOT).is_some());
    assert!(found(&page(&json!(ROOT).to_string()), ROOT).is_some());
    assert!(found(&page("nothing"), ROOT).is_none());
}
