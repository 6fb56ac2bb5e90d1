//! What stands on the wire when nothing is wrong: connections, header rules, limits, refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::io::Read as _;
use std::time::Duration;

use pve_sim::{Handshake, Topology};
use support::{Conversation, Ending, Tls, sign_in, start};
use tokio::net::TcpStream;

const DOMAINS: &str = "/api2/json/access/domains";

#[tokio::test]
async fn headers_of_a_success_in_their_order() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    let response = conversation.get(DOMAINS).await;
    assert_eq!((response.status, response.reason.as_str()), (200, "OK"));
    let names = "Cache-Control Connection Date Pragma Server Content-Length Content-Type Expires";
    assert_eq!(response.names().join(" "), names);
    assert_eq!(response.header("Connection"), Some("Keep-Alive"));
    assert_eq!(response.header("Server"), Some("pve-api-daemon/3.0"));
    assert_eq!(response.header("Content-Type"), Some("application/json;charset=UTF-8"));
    assert_eq!(response.header("Cache-Control"), Some("max-age=0"));
    assert_eq!(response.header("Pragma"), Some("no-cache"));
    assert_eq!(response.header("Date"), response.header("Expires"));
    let date = jiff::fmt::rfc2822::parse(response.header("Date").unwrap()).unwrap().timestamp();
    assert!((jiff::Timestamp::now().as_second() - date.as_second()).abs() < 30);
    assert!(response.data().is_array());
    sim.stop().await;
}

#[tokio::test]
async fn a_connection_carries_a_hundred_requests() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    for _ in 0..99 {
        assert_eq!(conversation.get(DOMAINS).await.header("Connection"), Some("Keep-Alive"));
    }
    assert_eq!(conversation.get(DOMAINS).await.header("Connection"), Some("close"));
    assert_eq!(conversation.ending().await, Ending::Proper);
    let record = &remote.connections()[0];
    assert_eq!((record.number, record.requests, &record.handshake), (1, 100, &Handshake::Full));
    assert_eq!(remote.journal().len(), 100);
    sim.stop().await;
}

#[tokio::test]
async fn an_idle_connection_ends_after_the_time_of_keep_alive() {
    let timings =
        pve_sim::SimTimings { keep_alive: Duration::from_millis(400), ..pve_sim::SimTimings::fast() };
    let sim = pve_sim::Sim::start(Topology::single("9.2"), timings).await.unwrap();
    let remote = sim.first().unwrap();
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    conversation.get(DOMAINS).await;
    let before = std::time::Instant::now();
    assert_eq!(conversation.ending().await, Ending::Proper);
    assert!(before.elapsed() >= Duration::from_millis(350));
    sim.stop().await;
}

#[tokio::test]
async fn a_client_may_ask_for_the_end() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let tls = Tls::new();
    let mut conversation = tls.connect(remote.first_address()).await.unwrap();
    let response = conversation.ask("GET", DOMAINS, "Connection: close\r\n", "").await;
    assert_eq!(response.all("Connection"), ["close"]);
    assert_eq!(conversation.ending().await, Ending::Proper);

    let mut conversation = tls.connect(remote.first_address()).await.unwrap();
    conversation.send(&format!("GET {DOMAINS} HTTP/1.0\r\n\r\n")).await;
    let response = conversation.response().await;
    assert_eq!(response.protocol, "HTTP/1.0");
    assert_eq!(response.header("Connection"), Some("close"));
    assert_eq!(conversation.ending().await, Ending::Proper);
    sim.stop().await;
}

#[tokio::test]
async fn without_authorisation_a_401_is_its_reason_phrase_and_the_end() {
    for (version, ending) in [("9.2", Ending::Proper), ("8.4", Ending::Proper), ("7.4", Ending::Bare)] {
        let (sim, remote) = start(Topology::single(version)).await;
        let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
        let response = conversation.get("/api2/json/version").await;
        assert_eq!((response.status, response.reason.as_str()), (401, "No ticket"), "{version}");
        assert_eq!(response.names().join(" "), "Cache-Control Connection Date Pragma Server Expires");
        assert_eq!(response.header("Connection"), Some("close"));
        assert!(conversation.buffer.is_empty());
        assert_eq!(conversation.ending().await, ending, "{version}");
        sim.stop().await;
    }
}

#[tokio::test]
async fn every_401_takes_its_time() {
    let delay = Duration::from_millis(400);
    let timings = pve_sim::SimTimings { unauthorized_delay: delay, ..pve_sim::SimTimings::fast() };
    let sim = pve_sim::Sim::start(Topology::single("9.2"), timings).await.unwrap();
    let address = sim.first().unwrap().first_address();
    let tls = Tls::new();
    for extjs in [false, true] {
        let mut conversation = tls.connect(address).await.unwrap();
        let before = std::time::Instant::now();
        let path = if extjs { "/api2/extjs/version" } else { "/api2/json/version" };
        assert_eq!(conversation.get(path).await.status, 401);
        assert!(before.elapsed() >= delay);
    }
    sim.stop().await;
}

#[tokio::test]
async fn methods_that_are_not_there() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let tls = Tls::new();
    for method in ["HEAD", "PATCH", "OPTIONS", "BREW"] {
        let mut conversation = tls.connect(remote.first_address()).await.unwrap();
        conversation.send(&format!("{method} /api2/json/version HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let response = conversation.response().await;
        assert_eq!((response.status, response.reason), (501, format!("method '{method}' not available")));
        assert_eq!(response.headers.len(), 6, "no body, no type, no length");
        assert_eq!(conversation.ending().await, Ending::Proper);
    }
    sim.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_taken() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let session = sign_in(remote.first_address(), "root@pam", "secret-root").await;
    let tls = Tls::new();
    let signed = session.headers();
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let json = "Content-Type: application/json\r\n";
    let long = format!("comment={}", "x".repeat(512 * 1024));
    let perl =
        "malformed JSON string, neither tag, array, object, number, string or atom, at character offset ";
    for (method, headers, body, status, reason) in [
        ("POST", "Transfer-Encoding: chunked\r\n", "", 501, "chunked transfer encoding not supported"),
        ("POST", "Transfer-Encoding: brotli\r\n", "", 501, "Unknown transfer encoding 'brotli'"),
        ("GET", form, "a=b", 501, "Unexpected content for method 'GET'"),
        ("DELETE", form, "a=b", 501, "Unexpected content for method 'DELETE'"),
        ("POST", form, long.as_str(), 501, "for data too large"),
        (
            "POST",
            "Content-Type: text/plain\r\n",
            "a=b",
            506,
            "upload 'Content-Type 'text/plain' not implemented",
        ),
        ("POST", json, "{oops", 500, perl),
        ("POST", json, "", 400, perl),
    ] {
        let mut conversation = tls.connect(remote.first_address()).await.unwrap();
        let head = format!("{signed}{headers}");
        let response = conversation.ask(method, "/api2/json/access/users", &head, body).await;
        assert_eq!(response.status, status, "{reason}");
        assert!(response.reason.starts_with(reason), "{} instead of {reason}", response.reason);
        assert_eq!(response.header("Content-Type"), None, "{reason}");
        assert!(response.text().starts_with(reason));
        assert_eq!(response.header("Connection"), Some("close"));
    }
    // As long as it may be, and it is read.
    let mut conversation = tls.connect(remote.first_address()).await.unwrap();
    let longest = format!("comment={}", "x".repeat(512 * 1024 - 8));
    let head = format!("{signed}{form}");
    let response = conversation.ask("POST", "/api2/json/access/users", &head, &longest).await;
    assert_eq!(response.reason, "Parameter verification failed.");
    sim.stop().await;
}

#[tokio::test]
async fn an_old_server_takes_shorter_bodies() {
    let (sim, remote) = start(Topology::single("7.4")).await;
    let session = sign_in(remote.first_address(), "root@pam", "secret-root").await;
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    let body = format!("comment={}", "x".repeat(64 * 1024));
    let response = conversation.ask("POST", "/api2/json/access/users", &session.headers(), &body).await;
    assert_eq!(response.reason, "for data too large");
    sim.stop().await;
}

#[tokio::test]
async fn too_many_headers_get_no_answer() {
    let timings =
        pve_sim::SimTimings { keep_alive: Duration::from_millis(500), ..pve_sim::SimTimings::fast() };
    let sim = pve_sim::Sim::start(Topology::single("9.2"), timings).await.unwrap();
    let address = sim.first().unwrap().first_address();
    let tls = Tls::new();
    // 62 lines and the empty one are taken, one more is not.
    for (lines, answered) in [(62, true), (63, false)] {
        let mut conversation = tls.connect(address).await.unwrap();
        let headers: String = (0..lines).map(|n| format!("X-{n}: y\r\n")).collect();
        conversation.send(&format!("GET {DOMAINS} HTTP/1.1\r\n{headers}\r\n")).await;
        match conversation.try_response().await {
            Ok(response) => assert!(answered && response.status == 200),
            Err(ending) => assert!(!answered && ending == Ending::Proper),
        }
    }
    let mut conversation = tls.connect(address).await.unwrap();
    let long = "y".repeat(8 * 1024);
    conversation.send(&format!("GET {DOMAINS} HTTP/1.1\r\nX: {long}\r\n\r\n")).await;
    assert!(conversation.try_response().await.is_err());
    sim.stop().await;
}

#[tokio::test]
async fn what_is_no_http_1() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let tls = Tls::new();
    for (sent, status, reason) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 506, "http protocol version 2.0 not supported"),
        ("hello\r\n\r\n", 400, "bad request"),
        ("GET user@host/ HTTP/1.1\r\n\r\n", 400, "invalid url"),
        ("GET / HTTP/1.1\r\nbroken header\r\n\r\n", 506, "unable to parse request header"),
    ] {
        let mut conversation = tls.connect(remote.first_address()).await.unwrap();
        conversation.send(sent).await;
        let response = conversation.response().await;
        assert_eq!((response.status, response.reason.as_str()), (status, reason));
        assert_eq!(conversation.ending().await, Ending::Proper);
    }
    sim.stop().await;
}

#[tokio::test]
async fn plain_http_is_sent_to_https() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    for (method, status, reason) in [("GET", 301, "Moved Permanently"), ("POST", 308, "Permanent Redirect")] {
        let stream = TcpStream::connect(remote.first_address()).await.unwrap();
        let mut conversation = Conversation { stream, buffer: Vec::new() };
        conversation.send(&format!("{method} /x?y=z HTTP/1.1\r\nHost: pve.example:8006\r\n\r\n")).await;
        let response = conversation.response().await;
        assert_eq!((response.status, response.reason.as_str()), (status, reason));
        assert_eq!(response.header("Location"), Some("https://pve.example:8006/x?y=z"));
        assert_eq!(response.text(), reason);
        assert_eq!(conversation.ending().await, Ending::Proper);
    }
    assert_eq!(remote.connections()[0].handshake, Handshake::Plain);
    assert!(remote.journal().is_empty(), "it is no call");
    sim.stop().await;
}

#[tokio::test]
async fn long_answers_are_compressed_when_asked_for() {
    let (sim, remote) = start(Topology::cluster(3, "9.2")).await;
    let session = sign_in(remote.first_address(), "root@pam", "secret-root").await;
    let path = "/api2/json/cluster/resources";
    let tls = Tls::new();
    let mut conversation = tls.connect(remote.first_address()).await.unwrap();
    let plain = conversation.ask("GET", path, &session.headers(), "").await;
    assert_eq!(plain.header("Content-Encoding"), None);
    assert!(plain.body.len() > 1024);

    let headers = format!("{}Accept-Encoding: gzip, deflate\r\n", session.headers());
    let packed = conversation.ask("GET", path, &headers, "").await;
    assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_string(&mut text).unwrap();
    let rows = |text: &str| {
        serde_json::from_str::<serde_json::Value>(text).unwrap()["data"].as_array().unwrap().len()
    };
    assert_eq!(rows(&text), rows(&plain.text()));

    let headers = format!("{}Accept-Encoding: deflate\r\n", session.headers());
    let packed = conversation.ask("GET", path, &headers, "").await;
    assert_eq!(packed.header("Content-Encoding"), Some("deflate"));
    let mut text = String::new();
    flate2::read::ZlibDecoder::new(packed.body.as_slice()).read_to_string(&mut text).unwrap();

    let headers = format!("{}Accept-Encoding: gzip\r\n", session.headers());
    let short = conversation.ask("GET", "/api2/json/version", &headers, "").await;
    assert_eq!(short.header("Content-Encoding"), None, "short answers are not");
    sim.stop().await;
}

#[tokio::test]
async fn what_another_daemon_answered_brings_its_own_connection_header() {
    let (sim, remote) = start(Topology::cluster(2, "9.2")).await;
    let session = sign_in(remote.first_address(), "root@pam", "secret-root").await;
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    let headers = session.headers();
    for (path, expected) in [
        ("/api2/json/version", vec!["Keep-Alive"]),
        // The root daemon of this node answers, and ends its own connection.
        ("/api2/json/nodes/pve1/lxc", vec!["close", "Keep-Alive"]),
        ("/api2/json/nodes/pve2/lxc", vec!["Keep-Alive", "Keep-Alive"]),
    ] {
        let response = conversation.ask("GET", path, &headers, "").await;
        assert_eq!(response.status, 200, "{path}");
        let connection = response.all("Connection");
        if path.contains("pve1") {
            assert!(connection == expected || connection == ["Keep-Alive"], "{path}: {connection:?}");
        } else {
            assert_eq!(connection, expected, "{path}");
        }
    }
    sim.stop().await;
}

#[tokio::test]
async fn formats() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let session = sign_in(remote.first_address(), "root@pam", "secret-root").await;
    let tls = Tls::new();
    let ask = async |path: &str| {
        let mut conversation = tls.connect(remote.first_address()).await.unwrap();
        conversation.ask("GET", path, &session.headers(), "").await
    };
    let good = ask("/api2/extjs/version").await;
    assert_eq!(good.json()["success"], 1);
    assert_eq!(good.json()["data"]["release"], "9.2");

    let bad = ask("/api2/extjs/nope").await;
    assert_eq!((bad.status, bad.reason.as_str()), (200, "OK"));
    assert_eq!(bad.header("Connection"), Some("Keep-Alive"), "it is a success to HTTP");
    assert_eq!(bad.json()["success"], 0);
    assert_eq!(bad.json()["status"], 501);
    assert_eq!(bad.json()["message"], "Method 'GET /nope' not implemented");

    let html = ask("/api2/html/version").await;
    assert_eq!(html.header("Content-Type"), Some("text/html;charset=UTF-8"));
    let htmljs = ask("/api2/htmljs/version").await;
    assert!(htmljs.text().contains("&quot;success&quot;:1"));
    let png = ask("/api2/png/version").await;
    assert_eq!(
        (png.status, png.header("Content-Type"), png.header("Content-Length")),
        (200, Some("image/png"), None)
    );

    for (path, words) in [
        ("/api2/foo/version", "no formatter for uri /version, foo"),
        ("/api2/jsonp/version", "no formatter for uri /version, jsonp"),
        ("/api2/version", "no formatter for uri /, version"),
        ("/api2", "no such uri"),
        ("/api2/", "no such uri"),
    ] {
        let response = ask(path).await;
        assert_eq!((response.status, response.reason.as_str()), (501, words));
        assert_eq!(response.text(), words);
        assert_eq!(response.header("Content-Type"), None);
    }
    let index = ask("/").await;
    assert_eq!(index.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(index.text().contains("pve1 - Proxmox Virtual Environment"));
    let missing = ask("/favicon.ico").await;
    assert_eq!((missing.status, missing.reason.as_str()), (500, "no such file '/favicon.ico'"));
    sim.stop().await;
}

#[tokio::test]
async fn words_stand_in_the_body_since_8_and_in_the_reason_phrase_always() {
    for (version, in_body) in [("9.2", true), ("8.4", true), ("7.4", false)] {
        let (sim, remote) = start(Topology::single(version)).await;
        let session = sign_in(remote.first_address(), "root@pam", "secret-root").await;
        let tls = Tls::new();
        let mut conversation = tls.connect(remote.first_address()).await.unwrap();
        let path = "/api2/json/nodes/pve1/lxc/999/config";
        let response = conversation.ask("GET", path, &session.headers(), "").await;
        assert_eq!(response.status, 500);
        assert_eq!(response.reason, "Configuration file 'nodes/pve1/lxc/999.conf' does not exist");
        assert_eq!(response.json()["data"], serde_json::Value::Null);
        assert_eq!(response.json().get("message").is_some(), in_body, "{version}");
        let path = "/api2/extjs/nodes/pve1/lxc/999/config";
        let mut conversation = tls.connect(remote.first_address()).await.unwrap();
        let response = conversation.ask("GET", path, &session.headers(), "").await;
        assert!(response.json()["message"].as_str().unwrap().contains("does not exist"), "{version}");
        sim.stop().await;
    }
}

#[tokio::test]
async fn a_session_is_resumed_and_never_by_another_host() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let mut topology = Topology::cluster(2, "9.2");
        topology.remotes[0].guests.clear();
        let (sim, remote) = start(topology).await;
        let tls = Tls::with(&[version]);
        for _ in 0..2 {
            let mut conversation = tls.connect(remote.first_address()).await.unwrap();
            conversation.get(DOMAINS).await;
        }
        // The client believes it is the same host: the name is 127.0.0.1 again.
        let mut conversation = tls.connect(remote.address("pve2").unwrap()).await.unwrap();
        conversation.get(DOMAINS).await;
        let handshakes: Vec<Handshake> =
            remote.connections().into_iter().map(|record| record.handshake).collect();
        assert_eq!(handshakes, [Handshake::Full, Handshake::Resumed, Handshake::Full], "{version:?}");
        sim.stop().await;
    }
}

#[tokio::test]
async fn certificates_are_those_of_a_cluster() {
    let (sim, remote) = start(Topology::cluster(2, "9.2")).await;
    let tls = Tls::new();
    let mut prints = Vec::new();
    for node in ["pve1", "pve2"] {
        tls.connect(remote.address(node).unwrap()).await.unwrap();
        assert_eq!(tls.seen.0.lock().unwrap().len(), 1, "the leaf comes alone");
        assert_eq!(Some(tls.fingerprint()), remote.leaf_fingerprint(node));
        prints.push(tls.fingerprint());
        let leaf = tls.seen.0.lock().unwrap()[0].clone();
        let (_, certificate) = x509_parser::parse_x509_certificate(&leaf).unwrap();
        assert_eq!(
            certificate.subject().to_string(),
            format!("OU=PVE Cluster Node, O=Proxmox Virtual Environment, CN={node}")
        );
        assert!(certificate.issuer().to_string().starts_with("CN=Proxmox Virtual Environment, OU="));
        let names = certificate.subject_alternative_name().unwrap().unwrap().value.general_names.len();
        assert_eq!(names, 4, "127.0.0.1, ::1, localhost and its name");
        let years = (certificate.validity().not_after.timestamp()
            - certificate.validity().not_before.timestamp())
            / (365 * 24 * 3600);
        assert_eq!(years, 2);
    }
    assert_ne!(prints[0], prints[1]);
    // Both are vouched for by the one authority, for the address they are at.
    let trusting = Tls::trusting(&remote);
    for node in ["pve1", "pve2"] {
        trusting.connect(remote.address(node).unwrap()).await.unwrap();
    }
    sim.stop().await;
}

#[tokio::test]
async fn requests_may_come_in_pieces_and_in_a_row() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    for piece in ["\r\nGET /api2/json/acc", "ess/domains HTTP/1.1\r", "\nHo", "st: x\r\n", "\r\n"] {
        conversation.send(piece).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(conversation.response().await.status, 200);
    let two = format!("GET {DOMAINS} HTTP/1.1\r\n\r\n").repeat(2);
    conversation.send(&two).await;
    assert_eq!(conversation.response().await.status, 200);
    assert_eq!(conversation.response().await.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn the_journal_keeps_what_came_and_tells_no_secrets() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let session = sign_in(remote.first_address(), "alice@pve", "secret-alice").await;
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    conversation.ask("GET", "/api2/json/nodes?x=1", &session.headers(), "").await;
    let journal = remote.journal();
    assert_eq!(journal.len(), 2);
    assert_eq!(journal[0].method, "POST");
    assert_eq!(journal[0].api_path(), "/access/ticket");
    assert_eq!(journal[0].param("username"), Some("alice@pve"));
    assert_eq!(journal[0].param("password"), Some("secret-alice"));
    assert_eq!((journal[0].had_cookie, journal[0].had_csrf, journal[0].status), (false, false, Some(200)));
    assert_eq!((journal[1].had_cookie, journal[1].had_csrf, journal[1].status), (true, true, Some(400)));
    assert_eq!((journal[0].seq, journal[1].seq), (1, 2));
    assert_eq!((journal[0].connection, journal[1].connection), (1, 2));
    let shown = format!("{journal:?} {}", serde_json::to_string(&journal).unwrap());
    assert!(shown.contains("username"));
    assert!(!shown.contains("secret-alice"));
    assert!(!shown.contains(&session.cookie) && !shown.contains(&session.csrf));
    remote.clear_journal();
    assert!(remote.journal().is_empty());
    sim.stop().await;
}
