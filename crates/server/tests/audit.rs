//! The audit log: exported with its chain, verified, marked as exported; what is shown of a row that nobody can read; and
//! that a change is never recorded without its row, whenever the end comes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::time::Duration;

use api::audit::AuditLine;
use axum::Router;
use common::{Ask, PASSWORD, Who, bare, settings, sign_in};
use http::Method;
use model::access::{Grant, Grants, Role};
use pve_sim::{Sim, SimTimings, Topology};
use serde_json::{Value, json};
use server::App;
use sha2::{Digest, Sha256};
use store::{AuditRecord, Retention, Write};

async fn house() -> (tempfile::TempDir, App, Router, Who) {
    let (dir, app) = bare(settings()).await;
    app.add_user("anna", &PASSWORD.into(), Grants::administrator()).await.unwrap();
    let router = app.router();
    let anna = sign_in(&router, "anna", PASSWORD).await;
    (dir, app, router, anna)
}

async fn lines(router: &Router, who: &Who, query: &str) -> Vec<Value> {
    let answer = Ask::get(format!("/api/v1/audit/export{query}")).by(who).of(router).await;
    answer.is(200, "");
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The hash of a row, from what docs/security.md says and nothing else.
fn hash(line: &Value) -> String {
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let mut bytes = unhex(line["before"].as_str().unwrap());
    bytes.extend(line["seq"].as_i64().unwrap().to_be_bytes());
    let at: jiff::Timestamp = line["at"].as_str().unwrap().parse().unwrap();
    bytes.extend(at.as_millisecond().to_be_bytes());
    for name in ["who", "source", "action", "body"] {
        let text = line[name].as_str().unwrap().as_bytes();
        bytes.extend(u64::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend(text);
    }
    for name in ["remote", "operation"] {
        let number: Option<u64> = line[name].as_str().map(|digits| digits.parse().unwrap());
        bytes.push(u8::from(number.is_some()));
        bytes.extend(number.unwrap_or(0).to_be_bytes());
    }
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_export_holds_all_that_it_takes_to_follow_the_chain() {
    let (_dir, app, router, anna) = house().await;
    for name in ["ben", "eve", "Zoë \"ß\""] {
        Ask::post("/api/v1/users", json!({"name": name, "password": PASSWORD})).by(&anna).of(&router).await;
    }
    // More than are read at once, with numbers beyond what a float holds.
    let many = (0..1200).map(|n: u64| {
        Write::Audit(AuditRecord {
            at: app.now().wall,
            who: format!("script {n}"),
            source: "192.0.2.7".to_owned(),
            action: "x".to_owned(),
            remote: n.is_multiple_of(2).then_some(model::RemoteId(u64::MAX - n)),
            operation: n.is_multiple_of(3).then_some(model::OperationId(n)),
            body: "{}".to_owned(),
        })
    });
    app.store().write(many.collect()).await.unwrap();
    let all = lines(&router, &anna, "").await;
    let total = app.store().audit_extent().await.unwrap().last;
    assert_eq!(i64::try_from(all.len()).unwrap(), total);
    let mut before = "0".repeat(64);
    for (line, number) in all.iter().zip(1..) {
        assert_eq!(line["seq"], number);
        assert_eq!(line["before"], before);
        assert_eq!(hash(line), line["hash"].as_str().unwrap(), "{line}");
        before = line["hash"].as_str().unwrap().to_owned();
        serde_json::from_value::<AuditLine>(line.clone()).unwrap();
    }
    assert!(!all.iter().any(|line| line.to_string().contains(PASSWORD)));
    let later = lines(&router, &anna, "?after=1200").await;
    assert_eq!(later[0]["seq"], 1201);
    assert_eq!(later.last(), all.last());

    let verified = Ask::get("/api/v1/audit/verify").by(&anna).of(&router).await.json;
    assert_eq!(verified["holds"], true);
    assert_eq!((&verified["rows"], &verified["last"]), (&json!(total), &json!(total)));
    assert_eq!(verified["hash"], before);
}

/// Somebody with the database in hand changes a row, or takes one away.
#[tokio::test]
async fn a_row_that_was_changed_or_taken_away_is_found() {
    use sqlx::Connection as _;
    sqlx::any::install_default_drivers();
    for (sql, row) in
        [("UPDATE audit SET who = 'bert' WHERE seq = 2", 2), ("DELETE FROM audit WHERE seq = 3", 3)]
    {
        let (dir, _app, router, anna) = house().await;
        for name in ["ben", "eve", "kim"] {
            Ask::post("/api/v1/users", json!({"name": name, "password": PASSWORD}))
                .by(&anna)
                .of(&router)
                .await;
        }
        let verified = async || Ask::get("/api/v1/audit/verify").by(&anna).of(&router).await.json;
        assert_eq!(verified().await["holds"], true);
        let url = format!("sqlite://{}", dir.path().join("muster.db").display());
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let found = verified().await;
        assert_eq!((&found["holds"], &found["rows"]), (&json!(false), &Value::Null), "{sql}: {found}");
        assert_eq!(found["broken"]["row"], row, "{sql}: {found}");
        assert!(found["broken"]["sentence"].as_str().unwrap().contains(&row.to_string()), "{sql}: {found}");
        assert_eq!(found["last"], 4, "{sql}: {found}");
    }
}

#[tokio::test]
async fn only_what_is_said_to_be_exported_is_ever_deleted_and_the_chain_holds_on() {
    let (_dir, app, router, anna) = house().await;
    for name in ["ben", "eve", "kim"] {
        Ask::post("/api/v1/users", json!({"name": name, "password": PASSWORD})).by(&anna).of(&router).await;
    }
    let all = lines(&router, &anna, "").await;
    let kept = Retention { audit: Some(Duration::from_secs(1)), ..Retention::default() };
    let later = app.now().wall.checked_add(Duration::from_secs(600)).unwrap();
    let expire = async || app.store().expire(&kept, later, 10).await.unwrap().audit;
    let verified = async || Ask::get("/api/v1/audit/verify").by(&anna).of(&router).await.json;
    assert_eq!(expire().await, 0, "nothing was exported");

    let mark = |through: &Value, hash: &Value| {
        Ask::post("/api/v1/audit/exported", json!({"through": through, "hash": hash})).by(&anna)
    };
    let third = &all[2];
    mark(&third["seq"], &all[1]["hash"]).of(&router).await.is(409, "not_this_log");
    mark(&json!(999), &third["hash"]).of(&router).await.is(409, "not_this_log");
    assert_eq!(expire().await, 0);
    let told = mark(&third["seq"], &third["hash"]).of(&router).await;
    told.is(200, "");
    assert_eq!((&told.json["exported"], &told.json["expired"]), (&json!(3), &json!(0)));
    assert_eq!(
        lines(&router, &anna, "").await.len(),
        all.len() + 3,
        "saying so deletes nothing; each try is a row"
    );

    assert_eq!(expire().await, 3);
    let now = verified().await;
    assert_eq!((&now["holds"], &now["expired"], &now["exported"]), (&json!(true), &json!(3), &json!(3)));
    let left = lines(&router, &anna, "").await;
    assert_eq!((&left[0]["seq"], &left[0]["before"]), (&json!(4), &third["hash"]));
    assert_eq!(expire().await, 0, "the others were not exported");
    assert_eq!(Ask::get("/api/v1/audit").by(&anna).of(&router).await.json["exported"], 3);
}

#[tokio::test]
async fn nobody_but_an_administrator_sees_or_marks_it() {
    let (_dir, app, router, _) = house().await;
    for role in [Role::Viewer, Role::Operator, Role::Provisioner] {
        let name = format!("{role:?}").to_lowercase();
        let grants = Grants(vec![Grant { role, scope: model::access::Scope::All }]);
        app.add_user(&name, &PASSWORD.into(), grants).await.unwrap();
        let who = sign_in(&router, &name, PASSWORD).await;
        for path in ["/api/v1/audit", "/api/v1/audit/export", "/api/v1/audit/verify"] {
            Ask::get(path).by(&who).of(&router).await.is(403, "not_allowed");
        }
        let body = json!({"through": 1, "hash": "00"});
        Ask::post("/api/v1/audit/exported", body).by(&who).of(&router).await.is(403, "not_allowed");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_says_so_and_is_shown_as_it_is() {
    let (_dir, app, router, anna) = house().await;
    let odd = AuditRecord {
        at: app.now().wall,
        who: "anna".to_owned(),
        source: "socket".to_owned(),
        action: "users.create".to_owned(),
        remote: None,
        operation: None,
        body: "{\"target\":\u{7}\"be".to_owned(),
    };
    app.store().write(vec![Write::Audit(odd)]).await.unwrap();
    let page = Ask::get("/api/v1/audit?limit=2").by(&anna).of(&router).await.json;
    let row = &page["items"][0];
    assert_eq!(row["unreadable"]["raw"], "{\"target\": \"be");
    assert!(row["unreadable"]["why"].as_str().unwrap().contains("not in the form"), "{row}");
    assert_eq!(row["outcome"], "");
    assert_eq!(page["items"][1]["outcome"], "ok");
    assert!(page["items"][1].get("unreadable").is_none());
}

/// The whole of what is told when nothing can be recorded: nobody is told that something was done.
#[tokio::test]
async fn a_store_that_takes_nothing_is_told_and_nothing_is_said_to_be_done() {
    let (_dir, app, router, anna) = house().await;
    let ready = Ask::get("/readyz").of(&router).await;
    assert_eq!((ready.status.as_u16(), &ready.json), (200, &json!({"status": "ok"})));
    app.store().close().await;
    // It is believed for a second that the store takes what is written.
    let until = std::time::Instant::now() + Duration::from_secs(10);
    let told = loop {
        let told = Ask::get("/readyz").of(&router).await;
        if told.status.as_u16() != 200 {
            break told;
        }
        assert!(std::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((told.status.as_u16(), &told.json), (503, &json!({"status": "store", "cause": "closed"})));
    Ask::get("/healthz").of(&router).await.is(200, "");
    for key in ["", "k"] {
        let ask = Ask::post("/api/v1/users", json!({"name": "ben", "password": PASSWORD})).by(&anna);
        let ask = if key.is_empty() { ask } else { ask.header("idempotency-key", key) };
        let refused = ask.of(&router).await;
        assert_eq!(refused.code(), "store", "{refused:?}");
        assert!(refused.text.contains("closed"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_took_a_remote_away_is_told_again_to_whoever_did_it() {
    let (_dir, app, router, anna) = house().await;
    app.add_user("ben", &PASSWORD.into(), Grants::administrator()).await.unwrap();
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    common::manage(app.fleet(), &sim, "home").await;
    let ben = sign_in(&router, "ben", PASSWORD).await;
    let rename = |to: &str| Ask::new(Method::PATCH, "/api/v1/remotes/home").json(&json!({"name": to}));
    let remove = || Ask::new(Method::DELETE, "/api/v1/remotes/house?confirm=house");
    let lines = async || app.store().audit(None, 100).await.unwrap().len();

    let first = rename("house").header("idempotency-key", "n").by(&anna).of(&router).await;
    first.is(200, "");
    let before = lines().await;
    let again = rename("house").header("idempotency-key", "n").by(&anna).of(&router).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    // Only that request, with its key, by whom it came from.
    rename("house").by(&anna).of(&router).await.is(404, "not_found");
    rename("house").header("idempotency-key", "n2").by(&anna).of(&router).await.is(404, "not_found");
    rename("other").header("idempotency-key", "n").by(&anna).of(&router).await.is(404, "not_found");
    rename("house").header("idempotency-key", "n").by(&ben).of(&router).await.is(404, "not_found");
    rename("house").header("idempotency-key", "n").of(&router).await.is(401, "not_signed_in");
    assert_eq!(app.store().idempotency("user:anna", "n2").await.unwrap(), None);

    let first = remove().header("idempotency-key", "r").by(&anna).of(&router).await;
    first.is(200, "");
    let again = remove().header("idempotency-key", "r").by(&anna).of(&router).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(lines().await, before + 1, "asked again, nothing is done again");
    // What was only begun is not known to be done.
    let known = app.store().idempotency("user:anna", "r").await.unwrap().unwrap();
    let none = Retention { idempotency: Duration::ZERO, ..Retention::default() };
    let later = known.at + jiff::SignedDuration::from_mins(1);
    app.store().expire(&none, later, 100).await.unwrap();
    let begun = store::IdempotencyRecord { stage: store::Stage::Begun, ..known };
    app.store().write(vec![Write::Idempotency(begun)]).await.unwrap();
    remove().header("idempotency-key", "r").by(&anna).of(&router).await.is(404, "not_found");
    app.fleet().stop().await;
}

/// Another life of the server on the same data.
async fn life(dir: &tempfile::TempDir) -> App {
    let keys = store::Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
    let place = store::Place::Sqlite(dir.path().join("muster.db"));
    let store = store::Store::open(place, keys, store::Timings::default()).await.unwrap();
    let clock = fleet::Clock::new();
    let fleet = fleet::Fleet::open(fleet::Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
    App::new(fleet, store, settings(), clock).await.unwrap()
}

/// The store is closed the moment that it has recorded the change, before the answer can be: what is on the disk then is
/// what a kill leaves there.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_between_the_record_and_the_answer_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut users = 0;
    for round in 0..40 {
        let app = life(&dir).await;
        let name = format!("user{round}");
        let key = format!("k{round}");
        let add = || {
            let body = json!({"name": name, "password": PASSWORD});
            Ask::post("/api/v1/users", body).header("idempotency-key", &key).by(&Who::Socket)
        };
        let router = app.router();
        let (ask, again) = (add(), add());
        let asked = tokio::spawn(async move { ask.of(&router).await });
        let stage = async |app: &App| {
            let known = app.store().idempotency("uid:1234", &key).await.unwrap();
            known.map(|known| known.stage)
        };
        while !matches!(stage(&app).await, Some(store::Stage::Done { .. } | store::Stage::Answered { .. })) {
            tokio::task::yield_now().await;
        }
        app.store().close().await;
        asked.await.unwrap();
        app.fleet().stop().await;

        let app = life(&dir).await;
        users += 1;
        let lines = async || {
            let rows = app.store().audit(None, 1000).await.unwrap();
            rows.iter().filter(|row| row.record.action == "users.create").count()
        };
        assert_eq!(lines().await, users, "with its line in the log");
        let is_caught = matches!(stage(&app).await, Some(store::Stage::Done { .. }));
        let told = again.of(&app.router()).await;
        told.is(201, "");
        assert_eq!(told.json["name"], name);
        assert_eq!(told.headers["idempotency-replayed"], "true");
        assert_eq!((lines().await, app.store().users().await.unwrap().len()), (users, users));
        app.store().close().await;
        app.fleet().stop().await;
        if is_caught {
            return;
        }
    }
    panic!("in forty rounds no end came between the record and the answer");
}
