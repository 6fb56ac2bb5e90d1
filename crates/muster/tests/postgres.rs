//! The server on PostgreSQL: alone, started again, and two beside each other of which one is killed. Where no
//! PostgreSQL is installed these tests say so and are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;
#[path = "../../store/tests/common/postgres.rs"]
mod postgres;

use std::os::unix::fs::DirBuilderExt;

use common::process::Server;
use common::{PASSWORD, host};
use http::Method;
use postgres::Postgres;
use pve_sim::{Fault, Remote, Sim, SimTimings};
use serde_json::{Value, json};

const LISTEN: [&str; 4] = ["--listen", "127.0.0.1:0", "--pace", "test"];
const START_102: &str = "/nodes/pve1/lxc/102/status/start";

fn postgres() -> Option<Postgres> {
    Postgres::start().inspect_err(|why| println!("skipped: {why}")).ok()
}

/// A server on a database, with a data directory of its own. `like`: another whose sealing key it has, too.
async fn server(url: &str, like: Option<&Server>) -> Server {
    let mut server = Server::nowhere().with(&LISTEN).env("MUSTER_DATABASE", url);
    if let Some(like) = like {
        std::fs::DirBuilder::new().mode(0o700).create(server.dir()).unwrap();
        std::fs::copy(like.dir().join("key"), server.dir().join("key")).unwrap();
    }
    server.start().await;
    server
}

async fn onboard(server: &Server, remote: &Remote, name: &str) {
    let sign_in = json!({"user": "root@pam", "password": PASSWORD});
    let finish = json!({"keep": "token", "rights": "operate"});
    server.onboard(remote, name, sign_in, finish).await;
}

async fn start(server: &Server, remote: &str) -> String {
    let wish = json!({"remote": remote, "vmid": 102, "action": "start"});
    server.post("/operations", wish).await["id"].as_str().unwrap().to_owned()
}

async fn ended(server: &Server, id: &str) -> Value {
    server.until(&format!("/operations/{id}"), |one| one["final"] == true).await
}

fn starts(remote: &Remote) -> usize {
    remote.journal().iter().filter(|one| one.method == "POST" && one.api_path() == START_102).count()
}

fn is_own(remote: &Value) -> bool {
    remote["run_by"].is_null() && remote["link"]["state"] == "connected"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_postgresql_remembers_and_operates() {
    let Some(postgres) = postgres() else { return };
    let url = postgres.database().await;
    let sim = Sim::start(host("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let mut server = server(&url, None).await;
    onboard(&server, &remote, "lab").await;
    server.until("/guests", |guests| guests["total"] == 4).await;
    let (code, _) = server.end().await;
    assert_eq!(code, 0);
    remote.fault(None, Fault::Refuse).await;
    server.start().await;
    let guests = server.get("/guests").await;
    assert_eq!(guests["total"], 4, "all of it is there before the host answers");
    remote.clear_all().await;
    server.until("/remotes/lab", is_own).await;
    let done = ended(&server, &start(&server, "lab").await).await;
    assert_eq!(done["state"], "succeeded", "{done:#}");
    assert_eq!(starts(&remote), 1);
    // Killed, it starts again on what it had, at once: nobody else can have it.
    server.kill().await;
    server.start().await;
    server.until("/remotes/lab", is_own).await;
    let system = server.get("/system").await;
    assert_eq!((&system["store"]["engine"], &system["store"]["schema"]), (&json!("postgresql"), &json!(4)));
    let processes = system["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 1, "{processes:?}");
    assert_eq!((&processes[0]["this"], &processes[0]["remotes"]), (&json!(true), &json!(1)));
    server.end().await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_on_one_database_the_other_goes_on_when_one_is_killed() {
    let Some(postgres) = postgres() else { return };
    let url = postgres.database().await;
    let first = Sim::start(host("9.2"), SimTimings::fast()).await.unwrap();
    let second = Sim::start(host("8.4"), SimTimings::fast()).await.unwrap();
    let hosts = [first.first().unwrap(), second.first().unwrap()];
    let mut a = server(&url, None).await;
    onboard(&a, &hosts[0], "one").await;
    onboard(&a, &hosts[1], "two").await;
    let b = server(&url, Some(&a)).await;
    b.until("/guests", |guests| guests["total"] == 8).await;
    let mut of_a = Vec::new();
    b.until("/system", |system| {
        let all = system["processes"].as_array().unwrap();
        all.len() == 2 && all.iter().all(|one| one["remotes"] == 1)
    })
    .await;
    for (name, host) in ["one", "two"].into_iter().zip(&hosts) {
        let told =
            b.until(&format!("/remotes/{name}"), |remote| remote["link"]["state"] == "connected").await;
        if told["run_by"].is_null() {
            continue;
        }
        of_a.push((name, host));
        // What is another's is shown as that one tells, and refused with whom to ask instead.
        let wish = json!({"remote": name, "vmid": 102, "action": "start"});
        let refused = b.call(Method::POST, "/api/v1/operations", Some(wish)).await;
        assert_eq!((refused.status, &refused.body["type"]), (409, &json!("urn:muster:run_elsewhere")));
        let at = told["run_by"]["address"].as_str().unwrap();
        assert!(refused.body["remedy"].as_str().unwrap().contains(at), "{}", refused.text);
        let shown = common::muster(&["remote", "show", name, "--data-dir", &b.dir_text()]).await;
        assert!(shown.out.contains("looked after by") && shown.out.contains(at), "{shown:?}");
        for path in ["disconnect", "connect", "try"] {
            let path = format!("/api/v1/remotes/{name}/{path}");
            let refused = b.call(Method::POST, &path, Some(json!({}))).await;
            assert_eq!(
                (refused.status, &refused.body["type"]),
                (409, &json!("urn:muster:run_elsewhere")),
                "{path}"
            );
        }
    }
    let [(name, host)] = of_a[..] else { panic!("each has one: {:?}", of_a.len()) };

    // People are the same on both, and who is removed on one is gone on the other.
    a.post("/users", json!({"name": "bea", "password": "correct horse battery"})).await;
    b.until("/users", |users| users["total"] == 1).await;
    a.call(Method::DELETE, "/api/v1/users/bea", None).await;
    b.until("/users", |users| users["total"] == 0).await;

    // Killed with an operation under way, the first leaves it to the second, which finds and ends it.
    host.fault(None, Fault::Delay { ms: 3_000 }.on(START_102)).await;
    let id = start(&a, name).await;
    while starts(host) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    a.kill().await;
    host.clear_all().await;
    b.until(&format!("/remotes/{name}"), is_own).await;
    let found = ended(&b, &id).await;
    assert_eq!(found["state"], "succeeded", "the host has received it: {found:#}");
    assert_eq!(starts(host), 1, "it is not sent again");
    // And when the first is back, they share again.
    a.start().await;
    b.until("/system", |system| {
        let all = system["processes"].as_array().unwrap();
        all.iter().filter(|one| one["alive"] == true && one["remotes"] == 1).count() == 2
    })
    .await;
    let mut b = b;
    b.end().await;
    a.until("/remotes/one", is_own).await;
    a.until("/remotes/two", is_own).await;
    a.end().await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_new_key_seals_nothing_anew_under_another_server() {
    let Some(postgres) = postgres() else { return };
    let url = postgres.database().await;
    let sim = Sim::start(host("9.2"), SimTimings::fast()).await.unwrap();
    let mut a = server(&url, None).await;
    onboard(&a, &sim.first().unwrap(), "lab").await;
    let mut b = server(&url, Some(&a)).await;
    b.end().await;
    let both = format!("{}\n{}", "0f".repeat(32), std::fs::read_to_string(a.dir().join("key")).unwrap());
    std::fs::write(b.dir().join("key"), &both).unwrap();
    b.start().await;
    assert!(b.log().contains("nothing is sealed anew"), "{}", b.log());
    assert_eq!(std::fs::read_to_string(b.dir().join("key")).unwrap(), both, "both are kept");
    // The other one can start again with what it has.
    a.end().await;
    a.start().await;
    a.end().await;
    // Alone, it ends what was begun.
    b.end().await;
    b.start().await;
    let kept = std::fs::read_to_string(b.dir().join("key")).unwrap();
    let older = both.trim().lines().last().unwrap();
    assert!(kept.trim().ends_with(&"0f".repeat(32)) && !kept.contains(older));
    b.until("/remotes/lab", is_own).await;
    b.end().await;
    sim.stop().await;
}
