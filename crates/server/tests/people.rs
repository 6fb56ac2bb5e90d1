//! People, sessions, tokens; what is done once, and what is written down of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use axum::Router;
use common::{Ask, PASSWORD, Who, bare, refusals, session_of, settings, sign_in, token};
use fleet::Clock;
use http::{Method, StatusCode};
use model::RemoteId;
use model::access::{Grant, Grants, Role};
use serde_json::{Value, json};
use server::settings::{Bucket, Limits, Sessions, Storms};
use server::{App, Caller, Settings, Via};
use store::{IdempotencyRecord, Stage, Write};

async fn with_anna(settings: Settings) -> (tempfile::TempDir, App, Router) {
    let (dir, app) = bare(settings).await;
    app.add_user("anna", &PASSWORD.into(), Grants::administrator()).await.unwrap();
    let router = app.router();
    (dir, app, router)
}

fn secret_of(link: &api::setup::SetupLink) -> String {
    link.url.reveal().split_once('#').unwrap().1.to_owned()
}

fn set_up(secret: &str) -> Ask {
    Ask::post("/api/v1/setup", json!({"secret": secret, "user": "anna", "password": PASSWORD}))
}

#[tokio::test]
async fn the_set_up_secret_works_once() {
    let (_dir, app) = bare(settings()).await;
    let router = app.router();
    assert_eq!(Ask::get("/api/v1/setup").of(&router).await.json["needed"], true);
    let older = secret_of(&app.setup_link().await.unwrap().unwrap());
    let secret = secret_of(&app.setup_link().await.unwrap().unwrap());
    assert!(secret.len() >= 43 && secret != older);
    set_up("guess").of(&router).await.is(403, "setup_secret");
    set_up(&older).of(&router).await.is(403, "setup_secret");
    let answer = set_up(&secret).of(&router).await;
    answer.is(201, "");
    let session = session_of(&answer);
    Ask::get("/api/v1/users").by(&session).of(&router).await.is(200, "");
    set_up(&secret).of(&router).await.is(409, "set_up_already");
    assert_eq!(Ask::get("/api/v1/setup").of(&router).await.json["needed"], false);
    assert!(app.setup_link().await.unwrap().is_none());
    Ask::new(Method::POST, "/api/v1/setup/link").by(&session).of(&router).await.is(403, "socket_only");
    Ask::new(Method::POST, "/api/v1/setup/link").by(&Who::Socket).of(&router).await.is(409, "set_up_already");
}

#[tokio::test]
async fn the_set_up_secret_ends_with_its_time() {
    let (_dir, app) = bare(Settings { setup_life: Duration::ZERO, ..settings() }).await;
    let secret = secret_of(&app.setup_link().await.unwrap().unwrap());
    set_up(&secret).of(&app.router()).await.is(403, "setup_secret");
    assert!(app.needs_setup());
}

#[tokio::test]
async fn the_set_up_secret_makes_nobody_somebody_else() {
    let (_dir, app) = bare(settings()).await;
    app.add_user("anna", &"quite another one".into(), Grants::default()).await.unwrap();
    let router = app.router();
    let secret = secret_of(&app.setup_link().await.unwrap().unwrap());
    set_up(&secret).of(&router).await.is(409, "name_taken");
    assert!(app.needs_setup());
    sign_in(&router, "anna", "quite another one").await;
    let other = json!({"secret": secret, "user": "berta", "password": PASSWORD});
    Ask::post("/api/v1/setup", other).of(&router).await.is(201, "");
}

#[tokio::test]
async fn what_one_user_may_have_is_bounded() {
    let limits = Limits { sessions_per_user: 3, tokens_per_user: 2, ..Limits::default() };
    let mut bounded = Settings { limits, ..settings() };
    bounded.sessions.touch = Duration::ZERO;
    bounded.stream.streams_per_caller = 2;
    let (_dir, app, router) = with_anna(bounded).await;
    app.add_user("ben", &PASSWORD.into(), Grants::default()).await.unwrap();
    let other = sign_in(&router, "anna", PASSWORD).await;
    let (one, two) = (token(&router, "ben").await, token(&router, "ben").await);
    let third = sign_in(&router, "ben", PASSWORD).await;
    let refused = Ask::post("/api/v1/tokens", json!({"name": "x"})).by(&third).of(&router).await;
    refused.is(409, "too_many_tokens");

    // With one session more, that one ends which was not used for longest.
    let alive = async |who: &Who| Ask::get("/api/v1/session").by(who).of(&router).await.status.as_u16();
    let fourth = sign_in(&router, "ben", PASSWORD).await;
    assert_eq!(alive(&third).await, 200);
    let rows = async || {
        let rows = Ask::get("/api/v1/sessions").by(&third).of(&router).await.json;
        rows["items"].as_array().unwrap().len()
    };
    assert_eq!(rows().await, 3);
    sign_in(&router, "ben", PASSWORD).await;
    assert_eq!((alive(&third).await, alive(&fourth).await, rows().await), (200, 200, 3));
    for _ in 0..3 {
        sign_in(&router, "ben", PASSWORD).await;
    }
    assert_eq!((alive(&third).await, alive(&fourth).await, alive(&other).await), (401, 401, 200));
    assert_eq!(app.store().sessions("ben").await.unwrap().len(), 3);

    // Live streams are counted together, whatever they are asked for with.
    let stream = |who: &Who| Ask::get("/api/v1/stream").by(who).sent(&router);
    let _open = (stream(&one).await, stream(&two).await);
    for who in [&one, &two, &sign_in(&router, "ben", PASSWORD).await] {
        assert_eq!(stream(who).await.status(), StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(stream(&other).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn sessions_end_when_idle_and_when_their_time_is_over() {
    let idle = Sessions { idle: Duration::from_millis(400), touch: Duration::ZERO, ..Sessions::default() };
    let (_dir, _app, router) = with_anna(Settings { sessions: idle, ..settings() }).await;
    let session = sign_in(&router, "anna", PASSWORD).await;
    Ask::get("/api/v1/session").by(&session).of(&router).await.is(200, "");
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ask::get("/api/v1/session").by(&session).of(&router).await.is(401, "session_ended");

    let longest =
        Sessions { longest: Duration::from_millis(400), touch: Duration::ZERO, ..Sessions::default() };
    let (_dir, _app, router) = with_anna(Settings { sessions: longest, ..settings() }).await;
    let session = sign_in(&router, "anna", PASSWORD).await;
    let begun = Instant::now();
    // However busy it is.
    while Ask::get("/api/v1/session").by(&session).of(&router).await.status == StatusCode::OK {
        assert!(begun.elapsed() < common::PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_changed_password_ends_every_session_at_once() {
    let (_dir, app, router) = with_anna(settings()).await;
    app.add_user("ben", &PASSWORD.into(), Grants::default()).await.unwrap();
    let anna = sign_in(&router, "anna", PASSWORD).await;
    let (first, second) = (sign_in(&router, "ben", PASSWORD).await, sign_in(&router, "ben", PASSWORD).await);
    let row = Ask::get("/api/v1/sessions").by(&second).of(&router).await.json["items"][0].clone();
    let caller = Caller {
        name: "ben".into(),
        from: "here".into(),
        via: Via::Session { id: row["id"].as_str().unwrap().into() },
        grants: Grants::default(),
    };
    assert!(app.people().still(&caller).is_some());
    let change = |old: Option<&str>| {
        Ask::new(Method::PUT, "/api/v1/users/ben/password")
            .json(&json!({"old": old, "new": "another long one"}))
    };
    change(None).by(&first).of(&router).await.is(422, "invalid");
    change(Some("wrong")).by(&first).of(&router).await.is(403, "wrong_password");
    change(Some(PASSWORD)).by(&first).of(&router).await.is(204, "");
    for session in [&first, &second] {
        Ask::get("/api/v1/session").by(session).of(&router).await.is(401, "session_ended");
    }
    assert_eq!(app.people().still(&caller), None, "a stream would go on");
    let body = json!({"user": "ben", "password": PASSWORD});
    Ask::post("/api/v1/session", body).of(&router).await.is(401, "wrong_password");
    let ben = sign_in(&router, "ben", "another long one").await;
    // An administrator needs no old one; nobody else may, or learns who there is.
    change(None).by(&anna).of(&router).await.is(204, "");
    Ask::get("/api/v1/session").by(&ben).of(&router).await.is(401, "session_ended");
    let ben = sign_in(&router, "ben", "another long one").await;
    for name in ["anna", "nobody"] {
        let ask = Ask::new(Method::PUT, format!("/api/v1/users/{name}/password"));
        ask.json(&json!({"new": "another long one"})).by(&ben).of(&router).await.is(404, "not_found");
    }
    Ask::new(Method::DELETE, "/api/v1/session").by(&ben).of(&router).await.is(204, "");
    Ask::get("/api/v1/session").by(&ben).of(&router).await.is(401, "session_ended");
}

#[tokio::test]
async fn who_is_signed_in_and_too_fast_is_counted_and_leaves_no_line() {
    let bucket = Bucket { burst: 3, every: Duration::from_secs(600) };
    let storms = Storms { per_address: bucket, per_account: bucket, ..Storms::default() };
    let (_dir, app, router) = with_anna(Settings { storms, ..settings() }).await;
    let anna = sign_in(&router, "anna", PASSWORD).await;
    let lines = async || app.store().audit(None, 100).await.unwrap().len();
    let before = lines().await;
    let guess = async || {
        let body = json!({"old": "x", "new": "another long one"});
        Ask::new(Method::PUT, "/api/v1/users/anna/password").json(&body).by(&anna).of(&router).await
    };
    for _ in 0..3 {
        guess().await.is(403, "wrong_password");
    }
    for _ in 0..4 {
        guess().await.is(429, "too_many_tries");
    }
    assert_eq!(lines().await, before + 3);
    assert_eq!(refusals(&router, "too_many_tries").await, 4);
}

#[tokio::test]
async fn somebody_always_governs() {
    let (_dir, app, router) = with_anna(settings()).await;
    let anna = sign_in(&router, "anna", PASSWORD).await;
    let remove = |name: &str| Ask::new(Method::DELETE, format!("/api/v1/users/{name}")).by(&anna);
    let demote = |name: &str| {
        Ask::new(Method::PUT, format!("/api/v1/users/{name}/grants"))
            .json(&json!({"grants": [{"role": "viewer", "scope": {"kind": "all"}}]}))
            .by(&anna)
    };
    remove("anna").of(&router).await.is(409, "last_administrator");
    demote("anna").of(&router).await.is(409, "last_administrator");
    // One who governs a single remote does not govern Muster.
    let one = Grants(vec![Grant::on(Role::Administrator, RemoteId(1))]);
    app.add_user("ben", &PASSWORD.into(), one).await.unwrap();
    remove("anna").of(&router).await.is(409, "last_administrator");
    app.add_user("cleo", &PASSWORD.into(), Grants::administrator()).await.unwrap();
    // Both at once: one of them stays.
    let (a, b) = tokio::join!(remove("anna").of(&router), remove("cleo").of(&router));
    let removed = [&a, &b].iter().filter(|answer| answer.status == StatusCode::NO_CONTENT).count();
    assert_eq!(removed, 1, "{a:?} {b:?}");
    assert!(!app.needs_setup());
}

#[tokio::test]
async fn a_token_may_what_its_owner_may_and_no_more() {
    let (_dir, app, router) = with_anna(settings()).await;
    let viewer = Grants(vec![Grant::everywhere(Role::Viewer)]);
    app.add_user("ben", &PASSWORD.into(), viewer).await.unwrap();
    let ben = sign_in(&router, "ben", PASSWORD).await;
    let make = |body: Value| Ask::post("/api/v1/tokens", body).by(&ben);
    let wide = json!({"name": "x", "grants": [{"role": "operator", "scope": {"kind": "all"}}]});
    make(wide).of(&router).await.is(403, "wider_than_owner");
    make(json!({"name": "x", "expires": "2020-01-01T00:00:00Z"})).of(&router).await.is(422, "invalid");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(400);
    let short = make(json!({"name": "x", "expires": soon})).of(&router).await;
    let short = Who::Token(short.json["secret"].as_str().unwrap().into());
    Ask::get("/api/v1/session").by(&short).of(&router).await.is(200, "");
    let whole = token(&router, "ben").await;
    assert_eq!(Ask::get("/api/v1/session").by(&whole).of(&router).await.json["grants"][0]["role"], "viewer");
    // Neither another token nor a password is a token's to make.
    Ask::post("/api/v1/tokens", json!({"name": "y"})).by(&whole).of(&router).await.is(403, "person_only");
    let change =
        Ask::new(Method::PUT, "/api/v1/users/ben/password").json(&json!({"new": "quite another one"}));
    change.by(&whole).of(&router).await.is(403, "person_only");
    // What its owner loses, it loses.
    let none =
        Ask::new(Method::PUT, "/api/v1/users/ben/grants").json(&json!({"grants": []})).by(&Who::Socket);
    none.of(&router).await.is(200, "");
    assert_eq!(Ask::get("/api/v1/session").by(&whole).of(&router).await.json["grants"], json!([]));
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ask::get("/api/v1/session").by(&short).of(&router).await.is(401, "token_refused");
    // A wrong secret of a known id is refused like any other.
    let Who::Token(text) = &whole else { panic!() };
    let mut forged = text.clone();
    forged.pop();
    forged.push(if text.ends_with('A') { 'B' } else { 'A' });
    Ask::get("/api/v1/session").by(&Who::Token(forged)).of(&router).await.is(401, "token_refused");
    Ask::new(Method::DELETE, "/api/v1/users/ben").by(&Who::Socket).of(&router).await.is(204, "");
    Ask::get("/api/v1/session").by(&whole).of(&router).await.is(401, "token_refused");
    // Nor is it good for somebody who is called the same later.
    app.add_user("ben", &PASSWORD.into(), Grants::default()).await.unwrap();
    Ask::get("/api/v1/session").by(&whole).of(&router).await.is(401, "token_refused");
    Ask::get("/api/v1/session").by(&ben).of(&router).await.is(401, "session_ended");
}

#[tokio::test]
async fn people_and_what_they_hold_outlive_a_restart() {
    let (dir, app, router) = with_anna(settings()).await;
    let session = sign_in(&router, "anna", PASSWORD).await;
    let key = token(&router, "anna").await;
    let (fleet, store) = (app.fleet().clone(), app.store().clone());
    drop((app, router));
    let again = App::new(fleet, store, settings(), Clock::new()).await.unwrap();
    let router = again.router();
    for who in [&session, &key] {
        let answer = Ask::get("/api/v1/session").by(who).of(&router).await;
        assert_eq!(answer.json["grants"][0]["role"], "administrator", "{answer:?}");
    }
    drop(dir);
}

#[tokio::test]
async fn a_repeated_request_is_done_once() {
    let (_dir, app, router) = with_anna(settings()).await;
    let anna = sign_in(&router, "anna", PASSWORD).await;
    let make = |name: &str, key: &str| {
        Ask::post("/api/v1/users", json!({"name": name, "password": PASSWORD}))
            .header("idempotency-key", key)
            .by(&anna)
    };
    let count =
        async || Ask::get("/api/v1/users").by(&anna).of(&router).await.json["total"].as_u64().unwrap();
    let first = make("ben", "k1").of(&router).await;
    first.is(201, "");
    let second = make("ben", "k1").of(&router).await;
    assert_eq!((second.status, &second.text), (first.status, &first.text));
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(count().await, 2);
    make("other", "k1").of(&router).await.is(422, "idempotency_key_reused");
    make("cleo", "k2").of(&router).await.is(201, "");
    assert_eq!(count().await, 3);
    // Refusals are kept as well.
    make("", "k3").of(&router).await.is(422, "invalid");
    let again = make("", "k3").of(&router).await;
    again.is(422, "invalid");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    // Somebody else's key is another key, and so is that of a token of one's own.
    let ben = sign_in(&router, "ben", PASSWORD).await;
    let own = |name: &str, who: &Who| {
        Ask::post("/api/v1/tokens", json!({"name": name})).header("idempotency-key", "k1").by(who)
    };
    let made = own("ci", &ben).of(&router).await;
    made.is(201, "");
    assert!(
        !made.headers.contains_key("idempotency-replayed") && made.json["token"]["user"] == "ben",
        "{made:?}"
    );
    own("ci", &token(&router, "ben").await).of(&router).await.is(403, "person_only");
    make("dan", &"x".repeat(300)).of(&router).await.is(400, "malformed");

    // Many at the same time: one is done, the others hear of it or of its answer.
    let all = futures_util::future::join_all((0..8).map(|_| make("storm", "k4").of(&router))).await;
    assert!(
        all.iter().all(|one| one.status == StatusCode::CREATED || one.code() == "in_progress"),
        "{all:?}"
    );
    assert_eq!(count().await, 4);
    let rows = app.store().audit(None, 100).await.unwrap();
    let storms = rows.iter().filter(|row| row.record.body.contains("storm")).count();
    assert_eq!(storms, 1);
}

#[tokio::test]
async fn a_secret_is_told_once_and_what_failed_as_often_as_it_is_asked() {
    let (dir, app, _) = with_anna(settings()).await;
    let nowhere = Settings { scratch: dir.path().join("none"), ..settings() };
    let (fleet, store) = (app.fleet().clone(), app.store().clone());
    let app = App::new(fleet, store, nowhere, Clock::new()).await.unwrap();
    let router = app.router();
    let anna = sign_in(&router, "anna", PASSWORD).await;
    let make = |name: &str| {
        Ask::post("/api/v1/tokens", json!({"name": name})).header("idempotency-key", "t").by(&anna)
    };
    let made = make("ci").of(&router).await;
    made.is(201, "");
    let kept = app.store().idempotency("user:anna", "t").await.unwrap().unwrap();
    let Stage::Answered { status: 201, body } = kept.stage else { panic!("{:?}", kept.stage) };
    assert!(body.is_empty(), "the secret lies in the database");
    make("ci").of(&router).await.is(409, "already_done");
    assert_eq!(Ask::get("/api/v1/tokens").by(&anna).of(&router).await.json["total"], 1);
    make("other").of(&router).await.is(422, "idempotency_key_reused");

    let backup = || Ask::new(Method::POST, "/api/v1/system/backup").header("idempotency-key", "b").by(&anna);
    let first = backup().of(&router).await;
    assert!(first.status.is_server_error(), "{first:?}");
    let again = backup().of(&router).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
}

/// Leaves the request that `key` came with as a crash does that comes at this stage.
async fn crash(app: &App, key: &str, stage: Stage) {
    let known = app.store().idempotency("user:anna", key).await.unwrap().unwrap();
    let none = store::Retention { idempotency: Duration::ZERO, ..store::Retention::default() };
    let later = known.at + jiff::SignedDuration::from_mins(1);
    assert!(app.store().expire(&none, later, 100).await.unwrap().idempotency > 0);
    app.store().write(vec![Write::Idempotency(IdempotencyRecord { stage, ..known })]).await.unwrap();
}

#[tokio::test]
async fn what_a_crash_cut_short_is_done_once_and_told_when_it_is_asked_for_again() {
    let (_dir, app, router) = with_anna(settings()).await;
    let anna = sign_in(&router, "anna", PASSWORD).await;
    let keyed = |ask: Ask, key: &str| ask.header("idempotency-key", key).by(&anna);
    let done = || Stage::Done { operation: None };

    // What was recorded is not done again. The answer is how things stand, where that can be told.
    let add = || Ask::post("/api/v1/users", json!({"name": "ben", "password": PASSWORD}));
    let first = keyed(add(), "u").of(&router).await;
    first.is(201, "");
    crash(&app, "u", done()).await;
    let again = keyed(add(), "u").of(&router).await;
    again.is(201, "");
    assert_eq!(again.json["name"], "ben");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let grants = || {
        let body = json!({"grants": [{"role": "viewer", "scope": {"kind": "all"}}]});
        Ask::new(Method::PUT, "/api/v1/users/ben/grants").json(&body)
    };
    keyed(grants(), "g").of(&router).await.is(200, "");
    crash(&app, "g", done()).await;
    let again = keyed(grants(), "g").of(&router).await;
    again.is(200, "");
    assert_eq!(again.json["grants"][0]["role"], "viewer");
    let make = || Ask::post("/api/v1/tokens", json!({"name": "ci"}));
    keyed(make(), "t").of(&router).await.is(201, "");
    crash(&app, "t", done()).await;
    keyed(make(), "t").of(&router).await.is(409, "already_done");
    let tokens = Ask::get("/api/v1/tokens").by(&anna).of(&router).await.json["total"].clone();
    assert_eq!(tokens, 1);
    // Another request is still another request.
    let other = Ask::post("/api/v1/tokens", json!({"name": "other"}));
    keyed(other, "t").of(&router).await.is(422, "idempotency_key_reused");
    let remove = || Ask::new(Method::DELETE, "/api/v1/users/ben");
    keyed(remove(), "r").of(&router).await.is(204, "");
    crash(&app, "r", done()).await;
    keyed(remove(), "r").of(&router).await.is(204, "");

    // What was not recorded was not done, and is done now.
    keyed(add(), "u2").of(&router).await.is(201, "");
    keyed(remove(), "r2").of(&router).await.is(204, "");
    crash(&app, "u2", Stage::Begun).await;
    let now = keyed(add(), "u2").of(&router).await;
    now.is(201, "");
    assert!(!now.headers.contains_key("idempotency-replayed"));
    keyed(add(), "u2").of(&router).await.is(201, "");
    // What does more than one commit may have been done in part: nobody but a person can tell.
    let rotate = || Ask::new(Method::POST, "/api/v1/system/rotate-key");
    keyed(rotate(), "k").of(&router).await.is(409, "no_keeper");
    crash(&app, "k", Stage::Begun).await;
    keyed(rotate(), "k").of(&router).await.is(409, "outcome_unknown");

    // Each change stands in the log once, whatever was asked again.
    let rows = app.store().audit(None, 100).await.unwrap();
    let lines = |action: &str| rows.iter().filter(|row| row.record.action == action).count();
    assert_eq!((lines("users.create"), lines("users.grants"), lines("tokens.create")), (3, 1, 1));
    assert_eq!(app.store().verify_audit().await.unwrap(), rows.len());
}

#[tokio::test]
async fn every_change_has_an_author() {
    let (_dir, app, router) = with_anna(settings()).await;
    let anna = sign_in(&router, "anna", PASSWORD).await;
    let first = app.store().audit(None, 1).await.unwrap().remove(0).record;
    assert_eq!((first.who.as_str(), first.action.as_str()), ("anna", "session.create"));
    let machine = token(&router, "anna").await;
    let rows = async || Ask::get("/api/v1/audit").by(&anna).of(&router).await.json["items"].clone();
    let post = |body: Value| Ask::post("/api/v1/users", body).from("198.51.100.7:1");
    post(json!({"name": "ben", "password": PASSWORD})).by(&machine).of(&router).await.is(201, "");
    let row = rows().await[0].clone();
    assert_eq!(row["name"], "users.create");
    assert_eq!(row["author"], json!({"name": "anna (token test)", "from": "198.51.100.7"}));
    assert_eq!((&row["target"], &row["outcome"]), (&json!("ben"), &json!("ok")));
    assert_eq!(row["parameters"], json!({"name": "ben", "password": "(redacted)"}));
    post(json!({"name": "ben", "password": PASSWORD}))
        .by(&Who::Socket)
        .of(&router)
        .await
        .is(409, "name_taken");
    let row = rows().await[0].clone();
    assert_eq!(
        (&row["author"]["name"], &row["outcome"]),
        (&json!("tester (uid 1234)"), &json!("name_taken"))
    );
    Ask::post("/api/v1/session", json!({"user": "anna", "password": "x"}))
        .of(&router)
        .await
        .is(401, "wrong_password");
    let row = rows().await[0].clone();
    assert_eq!(row["name"], "session.create");
    assert_eq!(row["author"]["name"], "anna (not signed in)");
    Ask::new(Method::DELETE, "/api/v1/users/ben").by(&anna).of(&router).await.is(204, "");
    let row = rows().await[0].clone();
    assert_eq!((&row["name"], &row["target"]), (&json!("users.remove"), &json!("ben")));
    assert!(app.store().verify_audit().await.unwrap() >= 5);
    // Pages hang together.
    let first = Ask::get("/api/v1/audit?limit=2").by(&anna).of(&router).await.json;
    let next = first["next"].as_i64().unwrap();
    let second = Ask::get(format!("/api/v1/audit?limit=2&before={next}")).by(&anna).of(&router).await.json;
    assert_eq!((&first["items"][1]["id"], &second["items"][0]["id"]), (&json!(next), &json!(next - 1)));
}

#[tokio::test]
async fn the_backup_is_a_database_and_leaves_no_file_behind() {
    let (dir, _app, router) = with_anna(settings()).await;
    let answer = Ask::new(Method::POST, "/api/v1/system/backup").by(&Who::Socket).of(&router).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.starts_with("SQLite format 3"));
    let left = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("backup-"));
    assert_eq!(left.count(), 0);
    let system = Ask::get("/api/v1/system").by(&Who::Socket).of(&router).await;
    assert_eq!(system.json["store"]["engine"], "sqlite");
    assert!(system.json["store"]["sizes"].as_array().unwrap().iter().any(|size| size["name"] == "users"));
    Ask::new(Method::POST, "/api/v1/system/rotate-key")
        .by(&Who::Socket)
        .of(&router)
        .await
        .is(409, "no_keeper");
}
