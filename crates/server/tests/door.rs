//! Strangers at the door: refused, and counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Ask, PASSWORD, Who, refusals, session_of, settings, sign_in};
use http::{Method, StatusCode};
use model::access::Grants;
use serde_json::json;
use server::listen::Doors;
use server::settings::{Bucket, Limits, Storms};
use server::{App, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

async fn with_anna(settings: Settings) -> (tempfile::TempDir, App, axum::Router) {
    let (dir, app) = common::bare(settings).await;
    app.add_user("anna", &PASSWORD.into(), Grants::administrator()).await.unwrap();
    let router = app.router();
    (dir, app, router)
}

#[tokio::test]
async fn a_strangers_host_and_origin_are_refused_and_counted() {
    let (_dir, _app, router) = with_anna(settings()).await;
    let ask = || Ask::get("/api/v1/setup");
    ask().of(&router).await.is(200, "");
    ask().header("host", "evil.example").of(&router).await.is(421, "unknown_host");
    ask()
        .header("host", "evil.example:8088")
        .by(&Who::Token("x".into()))
        .of(&router)
        .await
        .is(421, "unknown_host");
    ask().header("origin", "http://evil.example").of(&router).await.is(403, "foreign_origin");
    ask().header("origin", "null").of(&router).await.is(403, "foreign_origin");
    ask().header("origin", "http://127.0.0.1:8088").of(&router).await.is(200, "");
    assert_eq!(refusals(&router, "unknown_host").await, 2);
    assert_eq!(refusals(&router, "foreign_origin").await, 2);
    for header in ["x-content-type-options", "x-frame-options", "content-security-policy", "referrer-policy"]
    {
        assert!(ask().of(&router).await.headers.contains_key(header), "{header}");
        let refused = ask().header("host", "evil.example").of(&router).await;
        assert!(refused.headers.contains_key(header), "{header}");
    }
}

#[tokio::test]
async fn the_public_url_is_honoured_by_host_origin_prefix_and_cookie() {
    let settings = Settings {
        public_url: Some("https://muster.example/fleet".parse().unwrap()),
        trusted_proxies: vec!["10.0.0.1".parse().unwrap()],
        ..settings()
    };
    let (_dir, app, router) = with_anna(settings).await;
    let ask = |path: &str| {
        Ask::post(path, json!({"user": "anna", "password": PASSWORD}))
            .header("host", "muster.example")
            .header("x-forwarded-proto", "https")
            .header("origin", "https://muster.example")
            .from("10.0.0.1:4000")
    };
    let answer = ask("/fleet/api/v1/session").of(&router).await;
    answer.is(200, "");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    for part in [
        format!("muster-{}=", app.store().instance()),
        "; Path=/fleet/".into(),
        "; HttpOnly".into(),
        "; SameSite=Strict".into(),
        "; Secure".into(),
    ] {
        assert!(cookie.contains(&part), "{part} is not in {cookie}");
    }
    ask("/fleet/api/v1/session").header("host", "10.0.0.9:8088").of(&router).await.is(421, "unknown_host");
    ask("/fleet/api/v1/session")
        .header("origin", "https://evil.example")
        .of(&router)
        .await
        .is(403, "foreign_origin");
    ask("/other/api/v1/session").of(&router).await.is(404, "not_found");
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing_and_another_instances_is_nobodys() {
    let (_dir, _app, router) = with_anna(settings()).await;
    let session = sign_in(&router, "anna", PASSWORD).await;
    let Who::Session { cookie, csrf } = session.clone() else { panic!() };
    Ask::get("/api/v1/users").by(&session).of(&router).await.is(200, "");
    let make = |csrf: &str| {
        Ask::post("/api/v1/tokens", json!({"name": "x"}))
            .by(&Who::Session { cookie: cookie.clone(), csrf: csrf.into() })
    };
    make("").of(&router).await.is(403, "csrf");
    make("guess").of(&router).await.is(403, "csrf");
    make(&csrf).of(&router).await.is(201, "");
    assert_eq!(refusals(&router, "csrf").await, 2);

    let (_elsewhere, _other, second) = with_anna(settings()).await;
    let foreign = sign_in(&second, "anna", PASSWORD).await;
    Ask::get("/api/v1/users").by(&foreign).of(&router).await.is(401, "not_signed_in");
    // Under our own name its secret is not known either.
    let Who::Session { cookie: theirs, .. } = foreign else { panic!() };
    let name = cookie.split_once('=').unwrap().0;
    let renamed = Who::Session { cookie: format!("{name}={}", theirs.split_once('=').unwrap().1), csrf };
    Ask::get("/api/v1/users").by(&renamed).of(&router).await.is(401, "session_ended");
}

#[tokio::test]
async fn a_storm_of_sign_ins_is_slowed_down_whatever_it_says_of_itself() {
    let storms = Storms {
        per_address: Bucket { burst: 3, every: Duration::from_secs(600) },
        per_account: Bucket { burst: 5, every: Duration::from_secs(600) },
        ..Storms::default()
    };
    let (_dir, _app, router) = with_anna(Settings { storms, ..settings() }).await;
    let wrong =
        |from: &str| Ask::post("/api/v1/session", json!({"user": "anna", "password": "x"})).from(from);
    for n in 0..3 {
        // A header that nobody vouches for makes no other address of it.
        let forged = format!("198.51.100.{n}");
        wrong("203.0.113.9:1").header("x-forwarded-for", &forged).of(&router).await.is(401, "wrong_password");
    }
    let refused = wrong("203.0.113.9:2").header("x-forwarded-for", "198.51.100.77").of(&router).await;
    refused.is(429, "too_many_tries");
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&seconds), "{seconds}");
    // From elsewhere the account is guarded as well, though more widely.
    wrong("203.0.113.10:1").of(&router).await.is(401, "wrong_password");
    wrong("203.0.113.11:1").of(&router).await.is(401, "wrong_password");
    wrong("203.0.113.12:1").of(&router).await.is(429, "too_many_tries");
    // Another account from another address is not concerned.
    let other = Ask::post("/api/v1/session", json!({"user": "ben", "password": "x"})).from("203.0.113.13:1");
    other.of(&router).await.is(401, "wrong_password");
    assert_eq!(refusals(&router, "too_many_tries").await, 2);
    assert!(refusals(&router, "wrong_password").await >= 6);
}

#[tokio::test]
async fn forwarded_addresses_are_believed_from_a_trusted_proxy_only() {
    let settings = Settings { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..settings() };
    let (_dir, _app, router) = with_anna(settings).await;
    for (peer, seen) in [("10.1.2.3:1", "198.51.100.7"), ("203.0.113.9:1", "203.0.113.9")] {
        let ask = Ask::post("/api/v1/session", json!({"user": "anna", "password": PASSWORD}))
            .header("x-forwarded-for", "198.51.100.7")
            .from(peer);
        let session = session_of(&ask.of(&router).await);
        let rows = Ask::get("/api/v1/sessions").by(&session).of(&router).await;
        let current =
            rows.json["items"].as_array().unwrap().iter().find(|row| row["current"] == true).unwrap();
        assert_eq!(current["from"], seen);
        let audit = Ask::get("/api/v1/audit?limit=1").by(&session).of(&router).await;
        assert_eq!(audit.json["items"][0]["author"]["from"], seen, "{audit:?}");
    }
}

#[tokio::test]
async fn an_oversized_body_is_refused_and_counted() {
    let limits = Limits { body: 1000, ..Limits::default() };
    let (_dir, _app, router) = with_anna(Settings { limits, ..settings() }).await;
    let ask = Ask::post("/api/v1/session", json!({"user": "anna", "password": "x".repeat(2000)}));
    ask.of(&router).await.is(413, "too_large");
    assert_eq!(refusals(&router, "too_large").await, 1);
}

async fn lines(app: &App) -> usize {
    app.store().audit(None, 1000).await.unwrap().len()
}

#[tokio::test]
async fn a_stranger_cannot_fill_the_audit_log() {
    let bucket = Bucket { burst: 3, every: Duration::from_secs(600) };
    let storms = Storms { per_address: bucket, per_account: bucket, ..Storms::default() };
    let (_dir, app, router) = with_anna(Settings { storms, ..settings() }).await;
    for path in ["/api/v1/session", "/api/v1/setup"] {
        for _ in 0..5 {
            let mut broken = Ask::post(path, json!({}));
            broken.body = "{".into();
            broken.of(&router).await.is(400, "malformed");
            Ask::post(path, json!({"user": 1})).of(&router).await.is(422, "invalid");
            // Much less than what whoever is signed in may send.
            let large = json!({"user": "anna", "password": "x".repeat(9000)});
            Ask::post(path, large).of(&router).await.is(413, "too_large");
        }
    }
    assert_eq!(lines(&app).await, 0);
    let wrong = || Ask::post("/api/v1/session", json!({"user": "anna", "password": "x"}));
    for _ in 0..3 {
        wrong().of(&router).await.is(401, "wrong_password");
    }
    for _ in 0..7 {
        wrong().of(&router).await.is(429, "too_many_tries");
    }
    assert_eq!(lines(&app).await, 3, "who tried is in it, who was refused for the pace is counted");
    assert_eq!(refusals(&router, "too_many_tries").await, 7);
    // A try to set up is one as well.
    let guess = Ask::post("/api/v1/setup", json!({"secret": "x", "user": "eve", "password": PASSWORD}));
    guess.from("198.51.100.7:1").of(&router).await.is(409, "set_up_already");
    assert_eq!(lines(&app).await, 4);
}

#[tokio::test]
async fn a_method_that_is_not_taken_is_refused_like_all_else_and_leaves_no_line() {
    let (_dir, app, router) = with_anna(settings()).await;
    let anna = sign_in(&router, "anna", PASSWORD).await;
    let before = lines(&app).await;
    for (method, path, allowed) in [
        (Method::POST, "/healthz", "GET,HEAD"),
        (Method::POST, "/readyz", "GET,HEAD"),
        (Method::POST, "/metrics", "GET,HEAD"),
        (Method::DELETE, "/api/v1/openapi.json", "GET,HEAD"),
        (Method::OPTIONS, "/api/v1/session", "DELETE,GET,HEAD,POST"),
        (Method::PUT, "/api/v1/setup", "GET,HEAD,POST"),
        (Method::PATCH, "/api/v1/users", "GET,HEAD,POST"),
        (Method::POST, "/api/v1/remotes/nowhere", "DELETE,GET,HEAD,PATCH"),
        (Method::POST, "/", "GET,HEAD"),
    ] {
        for who in [&Who::Nobody, &anna, &Who::Socket] {
            let refused = Ask::new(method.clone(), path).by(who).of(&router).await;
            refused.is(405, "wrong_method");
            assert_eq!(refused.headers["content-type"], "application/problem+json");
            let mut allow: Vec<_> = refused.headers["allow"].to_str().unwrap().split(',').collect();
            allow.sort_unstable();
            assert_eq!(allow.join(","), allowed, "{method} {path}");
        }
    }
    assert_eq!(lines(&app).await, before);
    let head = Ask::new(Method::HEAD, "/api/v1/users").by(&anna).of(&router).await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    Ask::new(Method::HEAD, "/api/v1/users").of(&router).await.is(401, "");
}

#[tokio::test]
async fn a_network_of_ipv6_has_the_tries_of_one_address() {
    let storms =
        Storms { per_address: Bucket { burst: 3, every: Duration::from_secs(600) }, ..Storms::default() };
    let (_dir, _app, router) = with_anna(Settings { storms, ..settings() }).await;
    let wrong =
        |from: &str| Ask::post("/api/v1/session", json!({"user": "anna", "password": "x"})).from(from);
    for n in 1..=3 {
        wrong(&format!("[2001:db8:0:1::{n}]:1")).of(&router).await.is(401, "wrong_password");
    }
    wrong("[2001:db8:0:1:ffff::9]:1").of(&router).await.is(429, "too_many_tries");
    wrong("[2001:db8:0:2::1]:1").of(&router).await.is(401, "wrong_password");
}

struct Open {
    _dir: tempfile::TempDir,
    router: axum::Router,
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
}

async fn listening(limits: Limits) -> Open {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (dir, app, router) = with_anna(Settings { limits, listen: vec![address], ..settings() }).await;
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(Doors::new(&app, stopped).tcp(listener, None));
    Open { _dir: dir, router, address, stop, served }
}

async fn eventually(router: &axum::Router, reason: &str) {
    let begun = Instant::now();
    while refusals(router, reason).await == 0 {
        assert!(begun.elapsed() < common::PATIENCE, "{reason} is never counted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_callers_lose_their_own_connection_only() {
    let limits = Limits {
        head_time: Duration::from_millis(300),
        body_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let open = listening(limits).await;
    // One that never ends its head.
    let mut slow = TcpStream::connect(open.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n").await.unwrap();
    // One that never ends its body.
    let mut dribble = TcpStream::connect(open.address).await.unwrap();
    let head = "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    dribble.write_all(head.as_bytes()).await.unwrap();
    let mut quick = TcpStream::connect(open.address).await.unwrap();
    quick.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    quick.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let mut answer = String::new();
    tokio::time::timeout(common::PATIENCE, slow.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut answer = [0; 12];
    tokio::time::timeout(common::PATIENCE, dribble.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    // Each of the two is counted.
    let begun = Instant::now();
    while refusals(&open.router, "too_slow").await < 2 {
        assert!(begun.elapsed() < common::PATIENCE, "they are never counted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What came until the other end closed, and how long that took.
async fn until_closed(stream: &mut TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut all = Vec::new();
    // A connection that is cut off ends with an error or without one.
    let _ =
        tokio::time::timeout(common::PATIENCE, stream.read_to_end(&mut all)).await.expect("it never closes");
    (String::from_utf8_lossy(&all).into_owned(), begun.elapsed())
}

const ALIVE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// Reads one answer of `/healthz`.
async fn alive(stream: &mut TcpStream) {
    let (mut answer, mut buffer) = (String::new(), [0; 1024]);
    while !answer.ends_with("{\"status\":\"ok\"}") {
        let n = tokio::time::timeout(common::PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(n > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_has_its_time_and_a_kept_connection_another() {
    let limits = Limits {
        head_time: Duration::from_millis(400),
        idle_time: Duration::from_millis(1600),
        ..Limits::default()
    };
    let usual = Limits::default();
    assert!(usual.idle_time > usual.head_time * 2, "a kept connection is not cut like a slow one");
    let open = listening(limits).await;
    // Nothing at all is as slow as half a head.
    let mut silent = TcpStream::connect(open.address).await.unwrap();
    // Byte by byte is slow as well.
    let mut dribble = TcpStream::connect(open.address).await.unwrap();
    let dribbling = tokio::spawn(async move {
        let begun = Instant::now();
        for byte in ALIVE.iter().cycle() {
            if dribble.write_all(&[*byte]).await.is_err() {
                break;
            }
            let mut nothing = [0];
            let read = tokio::time::timeout(Duration::from_millis(60), dribble.read(&mut nothing)).await;
            if matches!(read, Ok(Ok(0) | Err(_))) {
                break;
            }
            assert!(begun.elapsed() < common::PATIENCE, "it goes on for ever");
        }
    });
    // One that asks again and again is never cut: each head has a time of its own.
    let mut busy = TcpStream::connect(open.address).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1200) {
        busy.write_all(ALIVE).await.unwrap();
        alive(&mut busy).await;
    }
    drop(busy);
    // One that is kept: longer idle than a head may take, it is answered still, and then closed without a word.
    let mut kept = TcpStream::connect(open.address).await.unwrap();
    for _ in 0..2 {
        kept.write_all(ALIVE).await.unwrap();
        alive(&mut kept).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let (rest, took) = until_closed(&mut kept).await;
    assert_eq!(rest, "");
    assert!(took >= Duration::from_millis(500), "closed after {took:?} more");
    assert_eq!(until_closed(&mut silent).await.0, "");
    dribbling.await.unwrap();
    let begun = Instant::now();
    while refusals(&open.router, "too_slow").await < 2 {
        assert!(begun.elapsed() < common::PATIENCE, "they are never counted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The idle one has done nothing wrong.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(refusals(&open.router, "too_slow").await, 2);

    // A second request whose head does not end is cut like a first one.
    let mut second = TcpStream::connect(open.address).await.unwrap();
    second.write_all(ALIVE).await.unwrap();
    alive(&mut second).await;
    second.write_all(b"GET /hea").await.unwrap();
    let (rest, took) = until_closed(&mut second).await;
    assert!(!rest.contains("200"), "{rest}");
    assert!(took < Duration::from_millis(1500), "it was taken for idle: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_what_they_asked_for_is_cut_off() {
    let limits = Limits { stall_time: Duration::from_millis(500), ..Limits::default() };
    let open = listening(limits).await;
    let mut greedy = TcpStream::connect(open.address).await.unwrap();
    // More answers than all buffers on the way hold, and nobody who reads them.
    let ask = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(200);
    let (mut reading, mut writing) = greedy.split();
    let _ = tokio::time::timeout(Duration::from_secs(3), writing.write_all(&ask)).await;
    eventually(&open.router, "too_slow").await;
    let mut all = Vec::new();
    let _ =
        tokio::time::timeout(common::PATIENCE, reading.read_to_end(&mut all)).await.expect("it never closes");
    let answers = String::from_utf8_lossy(&all).matches("HTTP/1.1 200").count();
    assert!((1..200).contains(&answers), "{answers} of 200 answers came");
    // Somebody else meanwhile was served.
    let mut other = TcpStream::connect(open.address).await.unwrap();
    other.write_all(ALIVE).await.unwrap();
    alive(&mut other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_so_many_connections_and_others_have_theirs() {
    // Neither loopback nor a trusted proxy is bounded by address: the machine's own address is needed.
    let udp = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let own = udp.connect("192.0.2.1:9").and_then(|()| udp.local_addr()).map(|address| address.ip());
    let Some(own) = own.ok().filter(|own| !own.is_loopback() && !own.is_unspecified()) else {
        println!("skipped: this machine has no address but loopback");
        return;
    };
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limits = Limits { connections_per_address: 3, ..Limits::default() };
    let settings = Settings { limits, listen: vec![(own, port).into()], ..settings() };
    let (_dir, app, router) = with_anna(settings).await;
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(Doors::new(&app, stopped).tcp(listener, None));
    let ask = format!("GET /healthz HTTP/1.1\r\nHost: {own}\r\n\r\n");
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut one = TcpStream::connect((own, port)).await.unwrap();
        one.write_all(ask.as_bytes()).await.unwrap();
        alive(&mut one).await;
        held.push(one);
    }
    let mut fourth = TcpStream::connect((own, port)).await.unwrap();
    let _ = fourth.write_all(ask.as_bytes()).await;
    assert_eq!(until_closed(&mut fourth).await.0, "");
    assert_eq!(refusals(&router, "too_many_connections").await, 1);
    // Others are served, as many as come.
    for _ in 0..5 {
        let mut other = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        other.write_all(ALIVE).await.unwrap();
        alive(&mut other).await;
        held.push(other);
    }
    // One that ends makes room.
    drop(held.remove(0));
    let begun = Instant::now();
    loop {
        let mut again = TcpStream::connect((own, port)).await.unwrap();
        let mut answer = [0; 12];
        if again.write_all(ask.as_bytes()).await.is_ok() && again.read_exact(&mut answer).await.is_ok() {
            assert_eq!(&answer, b"HTTP/1.1 200");
            break;
        }
        assert!(begun.elapsed() < common::PATIENCE, "no room is made");
    }
    drop(held);
    stop.send(true).unwrap();
    tokio::time::timeout(common::PATIENCE, served).await.expect("it does not stop").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_bounded_and_stopping_lets_requests_finish() {
    let open = listening(Limits { connections: 2, ..Limits::default() }).await;
    let held =
        [TcpStream::connect(open.address).await.unwrap(), TcpStream::connect(open.address).await.unwrap()];
    let begun = Instant::now();
    loop {
        let mut third = TcpStream::connect(open.address).await.unwrap();
        let mut nothing = [0];
        let read = tokio::time::timeout(Duration::from_millis(500), third.read(&mut nothing)).await;
        if matches!(read, Ok(Ok(0) | Err(_))) {
            break;
        }
        assert!(begun.elapsed() < common::PATIENCE, "a third one was let in");
    }
    assert!(refusals(&open.router, "too_many_connections").await >= 1);
    drop(held);
    let begun = Instant::now();
    let mut kept = Vec::new();
    while kept.len() < 2 {
        assert!(begun.elapsed() < common::PATIENCE, "no room is made");
        let mut one = TcpStream::connect(open.address).await.unwrap();
        let mut answer = [0; 12];
        if one.write_all(ALIVE).await.is_ok() && one.read_exact(&mut answer).await.is_ok() {
            kept.push(one);
        }
    }
    let [mut idle, mut asking] = <[TcpStream; 2]>::try_from(kept).unwrap();
    // In the middle of a request: that it has begun is heard before its body is sent.
    let body = json!({"user": "anna", "password": PASSWORD}).to_string();
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    asking.write_all(head.as_bytes()).await.unwrap();
    let (mut heard, mut buffer) = (String::new(), [0; 1024]);
    while !heard.contains("100 Continue") {
        let n = tokio::time::timeout(common::PATIENCE, asking.read(&mut buffer)).await.unwrap().unwrap();
        assert!(n > 0, "closed after {heard:?}");
        heard.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    let Open { stop, served, router: _router, .. } = open;
    stop.send(true).unwrap();
    // Who is idle is let go, who asks is answered, and before that it is not over.
    until_closed(&mut idle).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!served.is_finished(), "it is over with a request under way");
    asking.write_all(body.as_bytes()).await.unwrap();
    let answer = until_closed(&mut asking).await.0;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    tokio::time::timeout(common::PATIENCE, served).await.expect("it does not stop").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_all_places_over_tcp_leaves_those_of_the_socket() {
    let (dir, app) =
        common::bare(Settings { limits: Limits { connections: 1, ..Limits::default() }, ..settings() }).await;
    let (_stop, stopped) = watch::channel(false);
    let doors = Doors::new(&app, stopped);
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let path = dir.path().join("own.sock");
    let unix = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(doors.clone().tcp(tcp, None));
    tokio::spawn(doors.unix(unix));
    let mut only = TcpStream::connect(address).await.unwrap();
    only.write_all(ALIVE).await.unwrap();
    alive(&mut only).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    assert_eq!(until_closed(&mut second).await.0, "");
    let mut own = tokio::net::UnixStream::connect(&path).await.unwrap();
    own.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(common::PATIENCE, own.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_unix_socket_knows_who_calls() {
    let (dir, app) = common::bare(settings()).await;
    let path = dir.path().join("muster.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(Doors::new(&app, stopped).unix(listener));
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let body = json!({"name": "ben", "password": PASSWORD}).to_string();
    let request = format!(
        "POST /api/v1/users HTTP/1.1\r\nHost: muster\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let row = app.store().audit(None, 1).await.unwrap().remove(0);
    let uid = rustix::process::getuid().as_raw();
    assert!(row.record.who.ends_with(&format!("(uid {uid})")), "{row:?}");
    assert_eq!(row.record.source, "socket");
    stop.send(true).unwrap();
    tokio::time::timeout(common::PATIENCE, served).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_where_asked_for_and_cookies_are_secure_there() {
    let (_dir, app, router) = with_anna(settings()).await;
    let mut ask = Ask::post("/api/v1/session", json!({"user": "anna", "password": PASSWORD}));
    ask.tls = true;
    assert!(ask.of(&router).await.headers["set-cookie"].to_str().unwrap().contains("; Secure"));

    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(Doors::new(&app, stopped).tcp(listener, Some(Arc::new(tls))));
    // Plain words on a TLS port end in a refused handshake.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut nothing = Vec::new();
    let _ = plain.read_to_end(&mut nothing).await;
    eventually(&router, "tls_handshake").await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200 OK");
}

/// Shows another certificate from one moment on.
#[derive(Debug)]
struct Changing(std::sync::RwLock<Arc<rustls::sign::CertifiedKey>>);

impl rustls::server::ResolvesServerCert for Changing {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.read().unwrap().clone())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_shown_to_who_comes_and_disturbs_nobody_who_is_there() {
    let (_dir, app, _router) = with_anna(settings()).await;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let make = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let key = provider.key_provider.load_private_key(key).unwrap();
        Arc::new(rustls::sign::CertifiedKey::new(vec![made.cert.der().clone()], key))
    };
    let (old, new) = (make(), make());
    let shown = Arc::new(Changing(std::sync::RwLock::new(old.clone())));
    let tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(shown.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(Doors::new(&app, stopped).tcp(listener, Some(Arc::new(tls))));
    // One that trusts this certificate alone, and nothing of an earlier session.
    let connect = async |trusted: &rustls::sign::CertifiedKey| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.cert[0].clone()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        connector.connect("localhost".try_into().unwrap(), stream).await
    };
    let mut kept = connect(&old).await.unwrap();
    for renewed in [false, true] {
        if renewed {
            *shown.0.write().unwrap() = new.clone();
        }
        assert_eq!(connect(&new).await.is_ok(), renewed);
        assert_eq!(connect(&old).await.is_ok(), !renewed);
        for stream in [&mut kept, &mut connect(if renewed { &new } else { &old }).await.unwrap()] {
            stream.write_all(ALIVE).await.unwrap();
            let (mut answer, mut buffer) = (String::new(), [0; 1024]);
            while !answer.ends_with("{\"status\":\"ok\"}") {
                let n = stream.read(&mut buffer).await.unwrap();
                assert!(n > 0, "closed after {answer:?}");
                answer.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
            }
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}

#[tokio::test]
async fn metrics_take_a_token_or_their_own_address() {
    use sha2::Digest;
    let mut settings = settings();
    settings.metrics.token_sha256 = Some(sha2::Sha256::digest(b"scrape-me").into());
    let (_dir, _app, router) = with_anna(settings).await;
    Ask::get("/metrics").of(&router).await.is(401, "not_signed_in");
    Ask::get("/metrics").by(&Who::Token("wrong".into())).of(&router).await.is(401, "not_signed_in");
    let answer = Ask::get("/metrics").by(&Who::Token("scrape-me".into())).of(&router).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.ends_with("# EOF\n") && answer.text.contains("muster_links{state=\"connected\"} 0"));
    // The token of the figures opens nothing else.
    Ask::get("/api/v1/users").by(&Who::Token("scrape-me".into())).of(&router).await.is(401, "token_refused");
    let unknown = Ask::new(Method::PUT, "/api/v1/healthz").of(&router).await;
    unknown.is(404, "not_found");
}
