//! What somebody proved themselves with ends: their stream ends within a second, over a real connection.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{Ask, PASSWORD, PATIENCE, Who, bare, settings, sign_in, token};
use http::Method;
use model::access::{Grant, Role};
use serde_json::{Value, json};
use server::listen::Doors;
use server::stream::Timings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is promised.
const BOUND: Duration = Duration::from_secs(1);

/// A live stream as a browser has it.
struct Live {
    stream: TcpStream,
    text: String,
}

impl Live {
    async fn open(at: SocketAddr, who: &Who) -> Self {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let proof = match who {
            Who::Session { cookie, .. } => format!("Cookie: {cookie}"),
            Who::Token(token) => format!("Authorization: Bearer {token}"),
            other => panic!("{other:?}"),
        };
        let head = format!("GET /api/v1/stream HTTP/1.1\r\nHost: {at}\r\n{proof}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut live = Self { stream, text: String::new() };
        live.until("event: hello").await;
        live
    }

    /// Reads until that was told; `false` when the connection ended before.
    async fn until(&mut self, what: &str) -> bool {
        let mut buffer = [0; 4096];
        // In all: a stream that goes on for ever has its heartbeats.
        let end = tokio::time::Instant::now() + PATIENCE;
        while !self.text.contains(what) {
            assert!(tokio::time::Instant::now() < end, "never {what:?}, and much else");
            let read = tokio::time::timeout_at(end, self.stream.read(&mut buffer)).await;
            match read.unwrap_or_else(|_| panic!("never {what:?}: {}", self.text)).unwrap_or(0) {
                0 => return false,
                n => self.text.push_str(&String::from_utf8_lossy(&buffer[..n])),
            }
        }
        true
    }

    /// How long after `since` it was over: the last word was said, and nothing can follow it.
    async fn over(mut self, since: Instant) -> Duration {
        assert!(self.until("event: bye").await, "it ended without a word: {}", self.text);
        let took = since.elapsed();
        assert!(self.text.contains("\"why\":\"signed_out\""), "{}", self.text);
        // The body ends, and with it this answer.
        assert!(self.until("\r\n0\r\n\r\n").await, "{}", self.text);
        took
    }
}

#[test]
fn the_usual_intervals_keep_the_bound_twice_over() {
    // From the end of a right to the next look at it is one interval at most; the rest is for the machine.
    let usual = Timings::default();
    assert!(usual.access * 2 <= BOUND, "{:?}", usual.access);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_lose_it_ends_the_stream() {
    let mut settings = settings();
    // Of the second that is promised nearly all is left to a busy machine.
    settings.stream.access = Duration::from_millis(40);
    settings.passwords.at_once = 8;
    let (_dir, app) = bare(settings).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(Doors::new(&app, stopped).tcp(listener, None));
    let router = app.router();
    for name in [
        "root", "leaves", "changes", "changed", "removed", "ended", "others", "factor", "tokens", "expires",
        "stays",
    ] {
        let role = if name == "root" { Role::Administrator } else { Role::Viewer };
        app.add_user(name, &PASSWORD.into(), [Grant::everywhere(role)].into_iter().collect()).await.unwrap();
    }
    let root = sign_in(&router, "root", PASSWORD).await;
    let session = async |name: &str| sign_in(&router, name, PASSWORD).await;

    // What is somebody's own, and what an administrator takes from them.
    let leaves = session("leaves").await;
    let changes = session("changes").await;
    let other = session("changes").await;
    let (changed, removed, ended) =
        (session("changed").await, session("removed").await, session("ended").await);
    let (kept, of_removed) = (token(&router, "tokens").await, token(&router, "removed").await);
    let rows = Ask::get("/api/v1/sessions").by(&ended).of(&router).await;
    let id_of = |rows: &Value| {
        let all = rows["items"].as_array().unwrap();
        all.iter().find(|row| row["current"] == true).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let ended_id = id_of(&rows.json);
    let Who::Token(text) = &kept else { panic!() };
    let token_id = text.split('_').nth(1).unwrap().to_owned();
    let new = "another long password";
    let (others, there) = (session("others").await, session("others").await);
    let (factor, before) = (session("factor").await, session("factor").await);
    let begun =
        Ask::post("/api/v1/account/totp", json!({"password": PASSWORD})).by(&factor).of(&router).await;
    let secret = totp_rs::Secret::Encoded(begun.json["secret"].as_str().unwrap().into()).to_bytes().unwrap();
    let phone = totp_rs::TOTP::new(totp_rs::Algorithm::SHA1, 6, 1, 30, secret).unwrap();
    let code = json!({"code": phone.generate_current().unwrap()});
    let delete = |path: String| Ask::new(Method::DELETE, path);
    let put =
        |name: &str, body: Value| Ask::new(Method::PUT, format!("/api/v1/users/{name}/password")).json(&body);
    let ways: Vec<(&str, Vec<&Who>, Ask)> = vec![
        ("signed out", vec![&leaves], delete("/api/v1/session".into()).by(&leaves)),
        (
            "changed their own password, which ends all their sessions",
            vec![&changes, &other],
            put("changes", json!({"old": PASSWORD, "new": new})).by(&changes),
        ),
        ("was given another password", vec![&changed], put("changed", json!({"new": new})).by(&root)),
        (
            "was removed, with session and token",
            vec![&removed, &of_removed],
            delete("/api/v1/users/removed".into()).by(&root),
        ),
        ("had the session ended", vec![&ended], delete(format!("/api/v1/sessions/{ended_id}")).by(&root)),
        ("ended all others of theirs", vec![&there], delete("/api/v1/sessions".into()).by(&others)),
        (
            "turned a second factor on elsewhere",
            vec![&before],
            Ask::post("/api/v1/account/totp/confirm", code).by(&factor),
        ),
        ("had the token removed", vec![&kept], delete(format!("/api/v1/tokens/{token_id}")).by(&root)),
    ];
    let stays = session("stays").await;
    let mut bystander = Live::open(at, &stays).await;
    for (what, whose, ask) in ways {
        let mut streams = Vec::new();
        for who in whose {
            streams.push(Live::open(at, who).await);
        }
        let answer = ask.of(&router).await;
        let since = Instant::now();
        assert!(answer.status.is_success(), "{what}: {answer:?}");
        for stream in streams {
            let took = stream.over(since).await;
            println!("{what}: {took:?}");
            assert!(took <= BOUND, "{what}: {took:?}");
        }
    }

    // A token with an end of its own.
    let expires = session("expires").await;
    let ends = app.now().wall + Duration::from_millis(1200);
    let made = Ask::post("/api/v1/tokens", json!({"name": "short", "expires": ends.to_string()}));
    let made = made.by(&expires).of(&router).await;
    made.is(201, "");
    let stream = Live::open(at, &Who::Token(made.json["secret"].as_str().unwrap().into())).await;
    let left = Duration::try_from(ends.duration_since(app.now().wall)).unwrap_or_default();
    let took = stream.over(Instant::now() + left).await;
    assert!(took <= BOUND, "expired: {took:?}");

    // Nobody else's stream has ended.
    Ask::new(Method::DELETE, "/api/v1/session").by(&stays).of(&router).await.is(204, "");
    assert!(!bystander.text.contains("event: bye"));
    assert!(bystander.until("event: bye").await);
    stop.send(true).unwrap();
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_idle_or_old_ends_its_stream_though_nobody_ends_it() {
    for (idle, longest) in [(1500, 600_000), (600_000, 1500)] {
        let mut settings = settings();
        settings.stream.access = Duration::from_millis(40);
        settings.sessions.idle = Duration::from_millis(idle);
        settings.sessions.longest = Duration::from_millis(longest);
        let (_dir, app) = bare(settings).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(Doors::new(&app, stopped).tcp(listener, None));
        app.add_user("anna", &PASSWORD.into(), [Grant::everywhere(Role::Viewer)].into_iter().collect())
            .await
            .unwrap();
        let router = app.router();
        let body = json!({"user": "anna", "password": PASSWORD});
        let answer = Ask::post("/api/v1/session", body).of(&router).await;
        let ends: jiff::Timestamp = answer.json["expires"].as_str().unwrap().parse().unwrap();
        let stream = Live::open(at, &common::session_of(&answer)).await;
        let left = Duration::try_from(ends.duration_since(app.now().wall)).unwrap_or_default();
        let since = Instant::now() + left;
        let took = stream.over(since).await;
        assert!(Instant::now() >= since, "it ended before its time");
        assert!(took <= BOUND, "{took:?}");
        stop.send(true).unwrap();
        tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    }
}
