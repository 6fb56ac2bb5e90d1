//! What a running server keeps: keys replaced under it, a disk that fills and comes back, what is old let go of, and who
//! did what.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::process::Server;
use common::{PASSWORD, host};
use http::Method;
use pve_sim::{Remote, Sim, SimTimings};
use rand::Rng;
use serde_json::{Value, json};
use sqlx::Connection;
use store::{Keys, Place, Store, Write};
use zeroize::Zeroizing;

/// A host that the server signs in to with a kept password.
async fn with_password(server: &Server) -> (Sim, Remote) {
    let sim = Sim::start(host("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    server
        .onboard(
            &remote,
            "lab",
            json!({"user": "root@pam", "password": PASSWORD}),
            json!({"keep": "password"}),
        )
        .await;
    (sim, remote)
}

/// How often somebody has signed in, and how often the guests were listed.
fn counted(remote: &Remote) -> (usize, usize) {
    let journal = remote.journal();
    let of = |method: &str, path: &str| {
        journal.iter().filter(|one| one.method == method && one.api_path() == path).count()
    };
    (of("POST", "/access/ticket"), of("GET", "/cluster/resources"))
}

/// The keys in a key file, the one in use first.
fn keys_in(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

async fn connected(server: &Server) -> Value {
    server.until("/remotes/lab", |remote| remote["link"]["state"] == "connected").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_password_is_sealed_anew_while_it_is_in_use_and_still_opens() {
    let mut server = Server::fresh().await;
    let (sim, remote) = with_password(&server).await;
    let key = server.dir().join("key");
    let before = connected(&server).await;
    let (signed_in, listed) = counted(&remote);
    let mut seen = keys_in(&key);
    for _ in 0..3 {
        let run = server.muster(&["config", "rotate-key"]).await;
        assert_eq!(run.code, 0, "{run:?}");
        let now = keys_in(&key);
        assert_eq!(now.len(), 1, "the old one is gone");
        assert!(!seen.contains(&now[0]));
        seen.push(now[0].clone());
        let at = counted(&remote).1;
        let until = Instant::now() + Duration::from_secs(30);
        while counted(&remote).1 == at {
            assert!(Instant::now() < until, "polling has stopped");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let after = connected(&server).await;
    assert_eq!(after["link"]["since"], before["link"]["since"], "the link was up all the time");
    assert_eq!(counted(&remote).0, signed_in, "and its session is the same");
    assert!(counted(&remote).1 > listed + 2);

    // Killed, and started again: the password opens under the last key.
    server.kill().await;
    server.start().await;
    connected(&server).await;
    assert!(counted(&remote).0 > signed_in, "signed in with it");
    // And under no other: it was sealed anew.
    server.kill().await;
    for old in &seen[..seen.len() - 1] {
        fs::write(&key, format!("{old}\n")).unwrap();
        let (code, said) = server.refused().await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("does not fit"), "{said}");
    }
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_keys_counts_what_does_not_open_and_keeps_the_older_key() {
    let mut server = Server::fresh().await;
    server.end().await;
    let file = server.dir().join("muster.db");
    let mut connection =
        sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let sql = "INSERT INTO secrets (purpose, record, key_id, body) \
               SELECT 'damaged', '1', key_id, X'00112233' FROM secrets WHERE purpose = 'check'";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    server.start().await;
    let run = server.muster(&["config", "rotate-key"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains("open under none of the keys: 1."), "{run:?}");
    let keys = keys_in(&server.dir().join("key"));
    assert_eq!(keys.len(), 2, "{run:?}");
    let run = server.muster(&["config", "rotate-key", "-o", "json"]).await;
    assert_eq!((run.code, &run.json()["unopened"]), (3, &json!(1)), "{run:?}");
    assert_eq!(keys_in(&server.dir().join("key")).len(), 3);
    server.end().await;
    server.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_keys_that_a_kill_cuts_short_is_finished_at_the_next_start() {
    let mut server = Server::fresh().await;
    let (sim, remote) = with_password(&server).await;
    // Answers that are kept are sealed: enough of them that a change of keys takes several steps.
    for _ in 0..300 {
        server.post("/remotes/lab/connect", json!({})).await;
    }
    let key = server.dir().join("key");
    let began = Instant::now();
    server.post("/system/rotate-key", json!({})).await;
    let whole = began.elapsed();
    let mut halfway = 0;
    for round in 0..12 {
        let moment = whole.mul_f64(rand::rng().random_range(0.0..1.0));
        let rotate = server.call(Method::POST, "/api/v1/system/rotate-key", Some(json!({})));
        let _ = tokio::time::timeout(moment, rotate).await;
        server.kill().await;
        let left = keys_in(&key).len();
        assert!((1..=2).contains(&left), "{left} keys");
        halfway += usize::from(left == 2);
        let signed_in = counted(&remote).0;
        server.start().await;
        assert_eq!(keys_in(&key).len(), 1, "round {round}: finished before anybody is answered");
        connected(&server).await;
        assert!(counted(&remote).0 > signed_in);
        if halfway >= 2 {
            break;
        }
    }
    println!("{halfway} kills left two keys in the file; a change takes {whole:?}");
    assert!(halfway > 0, "no kill came in the middle of a change");
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_under_the_server_and_comes_back() {
    let mut server = Server::nowhere().with(&["--listen", "127.0.0.1:0", "--pace", "test"]).bounded();
    server.start().await;
    let (sim, remote) = with_password(&server).await;
    let guests = server.until("/guests?q=remote:lab", |guests| guests["total"] == 4).await;
    let ready = async || {
        let answer = server.call(Method::GET, "/readyz", None).await;
        (answer.status, answer.body)
    };
    let until_ready = async |status: u16| {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let (now, body) = ready().await;
            if now == status {
                return body;
            }
            assert!(Instant::now() < until, "/readyz stays {now} {body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let named = |vmid: u64| {
        let items = guests["items"].as_array().unwrap();
        items.iter().find(|guest| guest["vmid"] == vmid).unwrap()["name"].clone()
    };
    until_ready(200).await;

    server.fill_disk(true);
    let told = until_ready(503).await;
    assert_eq!(told["status"], "store");
    assert!(matches!(told["cause"].as_str(), Some("disk_full" | "disk_failing")), "{told}");
    remote.with_world(|world, _| world.guest_mut(102).unwrap().set_name("renamed"));
    // All that was known is still served, with how old it is; nothing is shown as news that was not recorded.
    let stale = server
        .until("/guests?q=remote:lab", |guests| {
            let items = guests["items"].as_array().unwrap();
            items.len() == 4 && items.iter().all(|guest| guest["freshness"] != "live")
        })
        .await;
    let item = stale["items"].as_array().unwrap().iter().find(|guest| guest["vmid"] == 102).unwrap();
    assert_eq!(item["name"], named(102));
    assert!(item["observed_at"].is_string(), "{item:#}");
    server.get("/events?limit=10").await;
    // Nothing is sent that is not recorded.
    let sent = || {
        let journal = remote.journal();
        journal.iter().filter(|one| one.method != "GET" && !one.api_path().starts_with("/access/")).count()
    };
    let before = sent();
    let wish = json!({"remote": "lab", "vmid": 102, "action": "start"});
    let ask = async |key: &str| {
        let key = [(api::IDEMPOTENCY_KEY, key)];
        server.try_call(Method::POST, "/api/v1/operations", Some(&wish), &key).await.unwrap()
    };
    let refused = ask("while-full").await;
    assert!(matches!(refused.status, 503 | 507), "{} {}", refused.status, refused.text);
    assert!(refused.text.contains("disk"), "{}", refused.text);
    let total = server.get("/operations?limit=10").await["total"].clone();
    assert_eq!((sent(), total), (before, json!(0)));

    // It comes back by itself.
    server.fill_disk(false);
    until_ready(200).await;
    server
        .until("/guests?q=remote:lab", |guests| {
            let items = guests["items"].as_array().unwrap();
            items.iter().all(|guest| guest["freshness"] == "live")
                && items.iter().any(|guest| guest["vmid"] == 102 && guest["name"] == "renamed")
        })
        .await;
    assert_eq!(sent(), before, "what was refused is not sent later");
    let taken = ask("while-full").await;
    assert_eq!(taken.status, 202, "nothing was done under this key: {}", taken.text);
    let at = format!("/operations/{}", taken.body["id"].as_str().unwrap());
    let ended = server.until(&at, |operation| operation["final"] == true).await;
    assert_eq!(ended["state"], "succeeded");
    assert_eq!(sent(), before + 1);
    // Numbers of events have no gap, and the audit log holds.
    let page = server.get("/events?limit=500").await;
    let numbers: Vec<i64> =
        page["items"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{numbers:?}");
    assert_eq!(*numbers.last().unwrap(), 1);
    assert_eq!(server.get("/audit/verify").await["holds"], true);
    assert_eq!(server.get("/system").await["warnings"], json!([]));
    assert_eq!(server.end().await.0, 0);
    sim.stop().await;
}

/// The store of a server that does not run.
async fn store_of(server: &Server) -> Store {
    let key = keys_in(&server.dir().join("key")).remove(0);
    let mut bytes = Zeroizing::new([0; 32]);
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap();
    }
    let place = Place::Sqlite(server.dir().join("muster.db"));
    Store::open(place, Keys::new(bytes, Vec::new()), store::Timings::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_goes_while_the_server_runs_and_the_audit_log_only_once_it_was_exported() {
    let mut server = Server::fresh().await;
    server.end().await;
    let ago =
        |days: i64| jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(24 * days)).unwrap();
    let mut batch = Vec::new();
    for n in 0..1500_i64 {
        // The older half of each is past its time.
        let old = n % 2 == 0;
        batch.push(Write::Event(store::EventRecord {
            at: ago(if old { 200 } else { 100 }),
            remote: None,
            vmid: None,
            incarnation: None,
            node: None,
            kind: "remote_added".to_owned(),
            operation: None,
            task: None,
            author: None,
            body: "{}".to_owned(),
        }));
        batch.push(Write::Operation(store::OperationRecord {
            id: model::OperationId(u64::try_from(n).unwrap() + 1),
            remote: model::RemoteId(1),
            vmid: None,
            instance: "x".to_owned(),
            // One that has not ended stays, however old it is.
            open: n == 0,
            requested: ago(if old { 100 } else { 10 }),
            body: "{}".to_owned(),
        }));
        batch.push(Write::Audit(store::AuditRecord {
            at: ago(if n < 750 { 400 } else { 300 }),
            who: if n == 1234 { "bob" } else { "ada" }.to_owned(),
            source: "socket".to_owned(),
            action: "users.create".to_owned(),
            remote: None,
            operation: None,
            body: "{}".to_owned(),
        }));
    }
    let store = store_of(&server).await;
    store.write(batch).await.unwrap();
    store.close().await;

    server.start().await;
    let rows = |system: &Value, name: &str| {
        let sizes = system["store"]["sizes"].as_array().unwrap();
        sizes.iter().find(|size| size["name"] == name).unwrap()["rows"].as_u64().unwrap()
    };
    let bytes = |system: &Value, name: &str| {
        let sizes = system["store"]["sizes"].as_array().unwrap();
        sizes.iter().find(|size| size["name"] == name).unwrap()["bytes"].as_u64().unwrap()
    };
    let now =
        server.until("/system", |now| rows(now, "events") == 750 && rows(now, "operations") == 751).await;
    assert!(rows(&now, "audit") >= 1500, "nothing of it was exported: {now:#}");
    let days = |name: &str| {
        let kept = now["retention"].as_array().unwrap();
        kept.iter().find(|one| one["name"] == name).unwrap()["days"].clone()
    };
    assert_eq!((days("events"), days("operations"), days("audit")), (json!(180), json!(90), json!(365)));

    // Exported, and marked: then what is older than a year goes, and the chain holds on.
    let file = server.base().join("audit.jsonl");
    let file_text = file.to_str().unwrap().to_owned();
    let run = server.muster(&["audit", "export", &file_text]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let exported = fs::read_to_string(&file).unwrap().lines().count();
    let before = bytes(&now, "audit");
    server.kill().await;
    server.start().await;
    let now = server.until("/system", |now| rows(now, "audit") < 800).await;
    assert_eq!(rows(&now, "audit"), u64::try_from(exported).unwrap() - 750 + 1);
    assert!(bytes(&now, "audit") < before);
    let run = server.muster(&["audit", "verify"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out.contains("The chain holds") && run.err.contains("Rows up to 750 were exported"),
        "{run:?}"
    );

    // The next export goes on where the last one ended; both together are one chain.
    let next = server.base().join("next.jsonl").to_str().unwrap().to_owned();
    assert_eq!(server.muster(&["audit", "export", &next]).await.code, 0);
    let run = server.muster(&["audit", "verify", &file_text, &next]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains(&format!("{} rows, 1 to {}", exported + 1, exported + 1)), "{run:?}");
    let run = server.muster(&["audit", "verify", &next]).await;
    assert!(run.code == 0 && run.err.contains("follows from row"), "{run:?}");

    // Somebody alters, removes, repeats or adds to a line.
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let twenty = |line: &str| {
        let mut all = lines.clone();
        all[19] = line;
        all.join("\n")
    };
    let altered = lines[19].replace("users.create", "users.remove");
    let odd = lines[19].replace("{\"seq\"", "{\"note\":\"x\",\"seq\"");
    let sooner = lines[19].replacen("\"at\":\"20", "\"at\":\"19", 1);
    for (case, wanted) in [
        (twenty(&altered), "line 20: the audit trail was altered at row 20"),
        (twenty(&sooner), "line 20: the audit trail was altered at row 20"),
        (twenty(&odd), "line 20: this is no row of an audit log"),
        ([&lines[..19], &lines[20..]].concat().join("\n"), "line 20: this is row 21, where row 20 should be"),
        ([&lines[..20], &lines[19..]].concat().join("\n"), "line 21: this is row 20, where row 21 should be"),
    ] {
        let bad = server.base().join("bad.jsonl");
        fs::write(&bad, case).unwrap();
        let run = server.muster(&["audit", "verify", bad.to_str().unwrap()]).await;
        assert_eq!(run.code, 1, "{wanted}: {run:?}");
        assert!(run.err.contains(wanted), "{wanted}: {run:?}");
    }
    let run = server.muster(&["audit", "ls", "--limit", "3"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("audit.exported"), "{run:?}");

    // Or does so in the database.
    server.kill().await;
    let path = server.dir().join("muster.db");
    let store = store_of(&server).await;
    store.close().await;
    let mut pages = fs::read(&path).unwrap();
    let needle = b"bobsocketusers.create{}";
    let at = pages.windows(needle.len()).position(|window| window == needle).expect("a row");
    pages[at..at + 3].copy_from_slice(b"eve");
    fs::write(&path, pages).unwrap();
    server.start().await;
    let run = server.muster(&["audit", "verify"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("the audit trail was altered at row 1235"), "{run:?}");
    assert_eq!(server.get("/audit/verify").await["broken"]["row"], 1235);
    assert_eq!(server.get("/audit?before=1236&limit=1").await["items"][0]["author"]["name"], "eve");
    // It is exported as it stands, for whoever looks into it, and not marked.
    let third = server.base().join("third.jsonl");
    let run = server.muster(&["audit", "export", "--all", third.to_str().unwrap()]).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("line 485: the audit trail was altered at row 1235"), "{run:?}");
    assert!(third.exists());
    assert_eq!(server.get("/audit?limit=1").await["exported"], exported + 1, "as far as the last good one");
}
