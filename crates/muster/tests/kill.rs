//! `kill -9` at random moments, during operations, polls and writes: every operation that was asked for is found again
//! and finished, nothing is lost or doubled, and no mutation is sent twice. The simulator counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::process::Server;
use common::{PASSWORD, host};
use http::Method;
use pve_sim::{Remote, Sim, SimTimings};
use rand::Rng;
use serde_json::{Value, json};

/// Requests that change a guest's state, by guest and action, as the host received them.
fn mutations(remote: &Remote) -> BTreeMap<(u32, String), usize> {
    let mut counted = BTreeMap::new();
    for exchange in remote.journal() {
        let parts: Vec<&str> = exchange.path.split('/').collect();
        if exchange.method == "POST"
            && let [.., vmid, "status", action] = parts[..]
            && let Ok(vmid) = vmid.parse()
        {
            *counted.entry((vmid, action.to_owned())).or_default() += 1;
        }
    }
    counted
}

/// One wish: asked for until the server has said that it knows of it.
#[derive(Debug, Clone)]
struct Wish {
    vmid: u32,
    action: &'static str,
    key: String,
}

impl Wish {
    fn new(vmid: u32, action: &'static str) -> Self {
        Self { vmid, action, key: format!("{:032x}", rand::random::<u128>()) }
    }

    /// The operation that it became; `None` without an answer.
    async fn ask(&self, server: &Server) -> Option<String> {
        let body = json!({"remote": "lab", "vmid": self.vmid, "action": self.action});
        let key = [(api::IDEMPOTENCY_KEY, self.key.as_str())];
        let answer = server.try_call(Method::POST, "/api/v1/operations", Some(&body), &key).await?;
        match answer.status {
            202 => Some(answer.body["id"].as_str().unwrap().to_owned()),
            status => panic!("{} {}: {status} {}", self.action, self.vmid, answer.text),
        }
    }
}

fn is_running(guests: &Value, vmid: u32) -> bool {
    let items = guests["items"].as_array().unwrap();
    items.iter().any(|guest| guest["vmid"] == vmid && guest["state"] == "running")
}

async fn killed(rounds: usize) {
    let sim = Sim::start(host("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let mut server = Server::fresh().await;
    server
        .onboard(
            &remote,
            "lab",
            json!({"user": "root@pam", "password": PASSWORD}),
            json!({"keep": "token", "rights": "operate"}),
        )
        .await;
    let guests = server.until("/guests?q=remote:lab", |guests| guests["total"] == 4).await;
    let items = guests["items"].as_array().unwrap();
    let vmids: Vec<u32> =
        items.iter().map(|guest| u32::try_from(guest["vmid"].as_u64().unwrap()).unwrap()).collect();
    let mut running: BTreeMap<u32, bool> = vmids.iter().map(|id| (*id, is_running(&guests, *id))).collect();

    let mut known: BTreeMap<String, Wish> = BTreeMap::new();
    for round in 0..rounds {
        let before = mutations(&remote);
        let wishes: Vec<Wish> =
            vmids.iter().map(|vmid| Wish::new(*vmid, if running[vmid] { "stop" } else { "start" })).collect();
        // Some kills come before the first wish has arrived, some while the tasks run, some after they have ended; every
        // other one while answers are on their way.
        let span = if round % 2 == 0 { 150_000 } else { 25_000 };
        let moment = Duration::from_micros(rand::rng().random_range(0..span));
        let mut answers = Vec::new();
        {
            let asked = async {
                for wish in &wishes {
                    answers.push(wish.ask(&server).await);
                }
                std::future::pending::<()>().await;
            };
            let _ = tokio::time::timeout(moment, asked).await;
        }
        server.kill().await;
        server.start().await;

        // Whoever has had no answer asks again, with the same key: once is once.
        for (i, wish) in wishes.iter().enumerate() {
            let id = wish.ask(&server).await.expect("an answer");
            if let Some(Some(first)) = answers.get(i) {
                assert_eq!(*first, id, "the same wish became two operations");
            }
            let twin = known.insert(id.clone(), wish.clone());
            assert!(twin.is_none(), "{id} stands for two wishes");
        }
        // Each is found and finished.
        let mut sent: BTreeMap<(u32, String), usize> = BTreeMap::new();
        for (id, wish) in known.iter().filter(|(_, wish)| wishes.iter().any(|one| one.key == wish.key)) {
            let ended = server.until(&format!("/operations/{id}"), |o| o["final"] == true).await;
            match ended["state"].as_str().unwrap() {
                "succeeded" => {
                    sent.insert((wish.vmid, wish.action.to_owned()), 1);
                    running.insert(wish.vmid, wish.action == "start");
                }
                "not_sent" => {}
                other => panic!("round {round}: {} {} ended as {other}: {ended:#}", wish.action, wish.vmid),
            }
        }
        // And what the host has received is what the operations say.
        let mut after = mutations(&remote);
        for (what, count) in &before {
            *after.get_mut(what).unwrap() -= count;
        }
        after.retain(|_, count| *count > 0);
        assert_eq!(after, sent, "round {round}, killed after {moment:?}");
    }

    // Nothing is lost, nothing is there twice.
    let mut found = BTreeSet::new();
    let total = known.len();
    for offset in (0..total + 10).step_by(100) {
        let page = server.get(&format!("/operations?limit=100&offset={offset}")).await;
        for operation in page["items"].as_array().unwrap() {
            assert!(found.insert(operation["id"].as_str().unwrap().to_owned()), "twice: {operation}");
        }
    }
    assert_eq!(found, known.keys().cloned().collect(), "the operations that were asked for, and no others");

    // One event for the end of each, and numbers without a gap.
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let mut before: Option<i64> = None;
    let mut last: Option<i64> = None;
    loop {
        let at = before.map(|seq| format!("&before={seq}")).unwrap_or_default();
        let page = server.get(&format!("/events?limit=500{at}")).await;
        let items = page["items"].as_array().unwrap().clone();
        for event in &items {
            let seq = event["id"].as_i64().unwrap();
            assert!(last.is_none_or(|last| seq == last - 1), "a gap before {last:?}: {seq}");
            last = Some(seq);
            let what = &event["what"];
            let word = what["state"].as_str().unwrap_or_default();
            if what["type"] == "operation" && matches!(word, "succeeded" | "not_sent") {
                *ends.entry(event["operation"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        match items.last() {
            Some(oldest) => before = oldest["id"].as_i64(),
            None => break,
        }
    }
    assert!(ends.values().all(|count| *count == 1), "{ends:?}");
    assert_eq!(ends.len(), total);
    let sent: usize = mutations(&remote).values().sum();
    println!(
        "{rounds} kills: {total} operations asked for and finished, {sent} requests received by the host"
    );
    assert_eq!(server.end().await.0, 0);
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_the_server_is_killed() {
    killed(20).await;
}

/// Ten times as often; `make soak` runs it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn nothing_is_lost_or_doubled_in_two_hundred_kills() {
    killed(200).await;
}
