//! Each fault, as a client meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use pve_sim::{BlackHoleAt, Fault, FaultSpec, Handshake, Remote, ResetAt, Topology};
use support::{Conversation, Ending, Tls, sign_in, start};
use tokio::net::TcpStream;

const DOMAINS: &str = "/api2/json/access/domains";

async fn status(address: std::net::SocketAddr) -> u16 {
    Tls::new().connect(address).await.unwrap().get(DOMAINS).await.status
}

#[tokio::test]
async fn refuse() {
    let (sim, remote) = start(Topology::cluster(2, "9.2")).await;
    let address = remote.first_address();
    let mut open = Tls::new().connect(address).await.unwrap();
    open.get(DOMAINS).await;
    let id = remote.fault(Some("pve1"), Fault::Refuse).await;
    assert_eq!(open.ending().await, Ending::Reset, "what was open is gone");
    for _ in 0..3 {
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    assert_eq!(status(remote.address("pve2").unwrap()).await, 200, "only that node");
    assert!(remote.clear(id).await);
    assert!(!remote.clear(id).await);
    assert_eq!(status(address).await, 200, "at the same port again");
    sim.stop().await;
}

#[tokio::test]
async fn black_hole_at_syn() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let id = remote.fault(None, Fault::BlackHole { at: BlackHoleAt::Syn }).await;
    let patience = Duration::from_millis(300);
    for _ in 0..2 {
        assert!(tokio::time::timeout(patience, TcpStream::connect(address)).await.is_err(), "no SYN-ACK");
    }
    remote.clear(id).await;
    assert_eq!(status(address).await, 200);
    assert_eq!(remote.connections().len(), 1, "the simulator's own connections are not in the records");
    sim.stop().await;
}

#[tokio::test]
async fn black_hole_at_tls() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let mut open = Tls::new().connect(address).await.unwrap();
    open.get(DOMAINS).await;
    let id = remote.fault(None, Fault::BlackHole { at: BlackHoleAt::Tls }).await;
    let tls = Tls::new();
    assert!(tokio::time::timeout(Duration::from_millis(300), tls.connect(address)).await.is_err());
    open.send(&format!("GET {DOMAINS} HTTP/1.1\r\n\r\n")).await;
    assert!(open.is_silent().await, "what was open falls silent too");
    let (connected, _) = tokio::join!(tls.connect(address), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        remote.clear(id).await;
    });
    assert!(connected.is_err(), "who waited is let go");
    assert_eq!(remote.connections()[1].handshake, Handshake::None);
    assert_eq!(status(address).await, 200);
    sim.stop().await;
}

#[tokio::test]
async fn black_hole_at_the_answer() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let fault = Fault::BlackHole { at: BlackHoleAt::Answer }.on("/access/*").method("GET");
    remote.fault(None, fault).await;
    let tls = Tls::new();
    let mut conversation = tls.connect(remote.first_address()).await.unwrap();
    conversation.send(&format!("GET {DOMAINS} HTTP/1.1\r\n\r\n")).await;
    assert!(conversation.is_silent().await);
    assert_eq!(remote.journal()[0].status, None, "it came and was not answered");
    let mut other = tls.connect(remote.first_address()).await.unwrap();
    assert_eq!(other.get("/api2/json/version").await.status, 401, "other calls are");
    sim.stop().await;
}

#[tokio::test]
async fn reset() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let tls = Tls::new();
    remote.fault(None, Fault::Reset { at: ResetAt::Tls }.times(1)).await;
    let Err(error) = tls.connect(address).await else { panic!("it was reset") };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    for at in [ResetAt::Request, ResetAt::Answer] {
        remote.fault(None, Fault::Reset { at }.times(1)).await;
        let mut conversation = tls.connect(address).await.unwrap();
        conversation.send(&format!("GET {DOMAINS} HTTP/1.1\r\n\r\n")).await;
        assert_eq!(conversation.try_response().await.unwrap_err(), Ending::Reset, "{at:?}");
    }
    let answered: Vec<Option<u16>> = remote.journal().iter().map(|exchange| exchange.status).collect();
    assert_eq!(answered, [None, Some(200)]);
    assert_eq!(status(address).await, 200, "each happened once");
    sim.stop().await;
}

#[tokio::test]
async fn delay_drip_and_cut() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let tls = Tls::new();
    remote.fault(None, Fault::Delay { ms: 300 }.times(1)).await;
    let mut conversation = tls.connect(address).await.unwrap();
    let before = Instant::now();
    assert_eq!(conversation.get(DOMAINS).await.status, 200);
    assert!(before.elapsed() >= Duration::from_millis(300));

    remote.fault(None, Fault::Drip { bytes_per_second: 1000 }.times(1)).await;
    let before = Instant::now();
    assert_eq!(conversation.get(DOMAINS).await.status, 200);
    assert!(before.elapsed() >= Duration::from_millis(250), "some 300 bytes at 1,000 a second");

    for after_bytes in [0, 20, 100_000] {
        remote.fault(None, Fault::Cut { after_bytes }.times(1)).await;
        let mut conversation = tls.connect(address).await.unwrap();
        conversation.send(&format!("GET {DOMAINS} HTTP/1.1\r\n\r\n")).await;
        assert_eq!(conversation.try_response().await.unwrap_err(), Ending::Bare);
        match after_bytes {
            100_000 => assert!(conversation.buffer.len() > 20, "all but the last byte"),
            _ => assert_eq!(conversation.buffer.len(), after_bytes),
        }
    }
    sim.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    let good = conversation.get(DOMAINS).await;

    remote.fault(None, Fault::MalformedJson.on("/access/domains").times(1)).await;
    let bad = conversation.get(DOMAINS).await;
    assert_eq!(bad.body.len(), good.body.len());
    assert!(serde_json::from_slice::<serde_json::Value>(&bad.body).is_err());

    let wrong = |pointer: &str, value| Fault::WrongType { pointer: pointer.to_owned(), value };
    remote.fault(None, wrong("/0/realm", serde_json::json!({"a": []})).times(1)).await;
    let response = conversation.get(DOMAINS).await;
    assert_eq!(response.data()[0]["realm"], serde_json::json!({"a": []}));
    assert!(response.data()[1]["realm"].is_string());

    remote.fault(None, wrong("/*/type", serde_json::json!(7)).times(1)).await;
    let response = conversation.get(DOMAINS).await;
    assert!(response.data().as_array().unwrap().iter().all(|row| row["type"] == 7));

    remote.fault(None, wrong("", serde_json::Value::Null).times(1)).await;
    assert!(conversation.get(DOMAINS).await.data().is_null());

    remote.fault(None, Fault::MissingField { pointer: "/1/realm".to_owned() }.times(1)).await;
    let response = conversation.get(DOMAINS).await;
    assert!(response.data()[0].get("realm").is_some() && response.data()[1].get("realm").is_none());

    remote.fault(None, Fault::PlainTextBody.times(1)).await;
    let response = conversation.get(DOMAINS).await;
    assert_eq!((response.status, response.header("Content-Type")), (200, None));
    assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_err());
    assert_eq!(conversation.get(DOMAINS).await.status, 200, "all on one connection, and all over");
    sim.stop().await;
}

#[tokio::test]
async fn errors_on_demand() {
    let (sim, remote) = start(Topology::cluster(2, "9.2")).await;
    let address = remote.first_address();
    let tls = Tls::new();
    let text = "Permission check failed (/vms/100, VM.PowerMgmt)";
    remote.fault(None, Fault::Forbidden { text: text.to_owned() }.on("/nodes/*/qemu/*")).await;
    remote
        .fault(None, Fault::ServerError { text: "VM is locked (backup)\nmore".to_owned() }.on("/pools"))
        .await;
    let proxy = |node: &str, status, reason: &str| Fault::Proxy {
        node: node.to_owned(),
        status,
        reason: reason.to_owned(),
    };
    remote.fault(None, proxy("pve2", 595, "Connection refused")).await;
    for (path, status, reason, bodiless) in [
        ("/api2/json/nodes/pve1/qemu/100/status/current", 403, text, false),
        ("/api2/json/pools", 500, "VM is locked (backup)", false),
        ("/api2/json/nodes/pve2/status", 595, "Connection refused", true),
        ("/api2/extjs/nodes/pve2/status", 595, "Connection refused", true),
        ("/api2/json/nodes/pve1/status", 401, "No ticket", true),
    ] {
        let mut conversation = tls.connect(address).await.unwrap();
        let response = conversation.get(path).await;
        assert_eq!((response.status, response.reason.as_str()), (status, reason), "{path}");
        assert_eq!(response.header("Content-Length").is_none(), bodiless, "{path}");
        assert_eq!(response.header("Content-Type").is_none(), bodiless, "{path}");
        assert_eq!(conversation.ending().await, Ending::Proper);
        if !bodiless {
            assert!(response.json()["message"].as_str().unwrap().starts_with(reason));
        }
    }
    remote.clear_all().await;

    remote.fault(None, proxy("pve2", 596, "")).await;
    let before = Instant::now();
    let response = tls.connect(address).await.unwrap().get("/api2/json/nodes/pve2/status").await;
    assert_eq!((response.status, response.reason.as_str()), (596, "Connection timed out"));
    assert!(before.elapsed() >= Duration::from_millis(500), "as long as the proxy waits");
    remote.clear_all().await;

    remote.fault(None, Fault::Unauthorized).await;
    let response = tls.connect(address).await.unwrap().get(DOMAINS).await;
    assert_eq!((response.status, response.reason.as_str()), (401, "Authentication failed!"));
    let mut conversation = tls.connect(address).await.unwrap();
    let response = conversation
        .ask("POST", "/api2/json/access/ticket", "", "username=root@pam&password=secret-root")
        .await;
    assert_eq!((response.status, response.reason.as_str()), (401, "authentication failure"));
    assert_eq!(response.json()["message"], "authentication failure\n");
    sim.stop().await;
}

#[tokio::test]
async fn an_old_server_ends_errors_without_close_notify() {
    let (sim, remote) = start(Topology::single("7.4")).await;
    let tls = Tls::new();
    let faults = [
        Fault::Unauthorized.times(1),
        Fault::ServerError { text: "no".to_owned() }.times(1),
        Fault::Proxy { node: "pve1".to_owned(), status: 595, reason: "No route to host".to_owned() }.times(1),
    ];
    for (fault, status) in faults.into_iter().zip([401, 500, 595]) {
        remote.fault(None, fault).await;
        let mut conversation = tls.connect(remote.first_address()).await.unwrap();
        let response = conversation.get("/api2/json/nodes/pve1/status").await;
        assert_eq!(response.status, status);
        assert!(!String::from_utf8_lossy(&response.body).contains("message"));
        assert_eq!(conversation.ending().await, Ending::Bare, "{status}");
    }
    sim.stop().await;
}

#[tokio::test]
async fn certificates_change() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let trusting = Tls::trusting(&remote);
    trusting.connect(address).await.unwrap();
    let first = remote.leaf_fingerprint("pve1");

    let renewal = remote.fault(None, Fault::ChangeCertificate { same_ca: true }).await;
    let second = remote.leaf_fingerprint("pve1");
    assert_ne!(first, second);
    let fresh = Tls::trusting(&remote);
    fresh.connect(address).await.expect("the authority vouches for it");
    let looking = Tls::new();
    looking.connect(address).await.unwrap();
    assert_eq!(Some(looking.fingerprint()), second);
    let session = sign_in(address, "root@pam", "secret-root").await;
    let path = "/api2/json/nodes/pve1/certificates/info";
    let told = looking.connect(address).await.unwrap().ask("GET", path, &session.headers(), "").await.data();
    let told: Vec<&str> =
        told.as_array().unwrap().iter().map(|row| row["fingerprint"].as_str().unwrap()).collect();
    assert!(told.contains(&second.as_deref().unwrap()), "{told:?}");
    remote.clear(renewal).await;
    assert_eq!(remote.leaf_fingerprint("pve1"), first);

    remote.fault(None, Fault::ChangeCertificate { same_ca: false }).await;
    assert!(Tls::trusting(&remote).connect(address).await.is_err(), "nobody vouches for it");
    let mut records = remote.connections();
    for _ in 0..50 {
        if matches!(records.last().unwrap().handshake, Handshake::Failed(_)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        records = remote.connections();
    }
    let last = records.last().unwrap();
    assert!(matches!(&last.handshake, Handshake::Failed(why) if why.contains("UnknownCA")), "{last:?}");
    assert_eq!(last.bytes_received, 0);
    sim.stop().await;
}

#[tokio::test]
async fn the_right_certificate_without_its_key() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let (sim, remote) = start(Topology::single("9.2")).await;
        let tls = Tls::with(&[version]);
        let mut before = tls.connect(remote.first_address()).await.unwrap();
        before.get(DOMAINS).await;
        let right = tls.fingerprint();
        remote.fault(None, Fault::WrongKey).await;
        assert_eq!(remote.leaf_fingerprint("pve1"), Some(right.clone()));
        let other = Tls::with(&[version]);
        let Err(error) = other.connect(remote.first_address()).await else { panic!("it has no key") };
        assert_eq!(other.fingerprint(), right, "the certificate is the right one");
        assert!(error.to_string().contains("BadSignature"), "{error}");
        assert!(tls.connect(remote.first_address()).await.is_err(), "no session is resumed");
        sim.stop().await;
    }
}

#[tokio::test]
async fn other_servers() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let tls = Tls::new();
    let redirect = Fault::Redirect { to: "https://elsewhere.example:8006".to_owned() };
    remote.fault(None, redirect.times(1)).await;
    let response = tls.connect(address).await.unwrap().get("/api2/json/version?x=1").await;
    assert_eq!((response.status, response.reason.as_str()), (302, "Found"));
    assert_eq!(response.header("Location"), Some("https://elsewhere.example:8006/api2/json/version?x=1"));

    let id = remote.fault(None, Fault::NotProxmox).await;
    let response = tls.connect(address).await.unwrap().get(DOMAINS).await;
    assert_eq!((response.status, response.header("Server")), (404, Some("nginx")));
    assert_eq!(response.header("Content-Type"), Some("text/html"));
    assert_eq!(tls.connect(address).await.unwrap().get("/").await.status, 200);
    remote.clear(id).await;

    remote.fault(None, Fault::PlainHttp).await;
    let Err(error) = tls.connect(address).await else { panic!("there is no TLS") };
    assert!(error.to_string().contains("InvalidMessage") || error.kind() != ErrorKind::Other, "{error}");
    let stream = TcpStream::connect(address).await.unwrap();
    let mut plain = Conversation { stream, buffer: Vec::new() };
    assert_eq!(plain.get(DOMAINS).await.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn restart() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let tls = Tls::new();
    let mut open = tls.connect(address).await.unwrap();
    open.get(DOMAINS).await;
    remote.fault(None, Fault::Restart { down_ms: 300 }).await;
    assert_eq!(open.ending().await, Ending::Reset);
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let before = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        assert!(before.elapsed() < support::PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status(address).await, 200);
    assert!(remote.faults().is_empty(), "it is over by itself");
    let print = tls.fingerprint();
    tls.connect(address).await.unwrap().get(DOMAINS).await;
    assert_eq!(remote.connections().last().unwrap().handshake, Handshake::Full, "sessions are forgotten");
    assert_eq!(tls.fingerprint(), print, "certificates are not");
    sim.stop().await;
}

#[tokio::test]
async fn the_clock_is_off() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    for seconds in [600, -600] {
        let id = remote.fault(None, Fault::ClockSkew { seconds }).await;
        let response = Tls::new().connect(remote.first_address()).await.unwrap().get(DOMAINS).await;
        let date = jiff::fmt::rfc2822::parse(response.header("Date").unwrap()).unwrap().timestamp();
        let off = date.as_second() - jiff::Timestamp::now().as_second();
        assert!((off - seconds).abs() < 30, "{off}");
        remote.clear(id).await;
    }
    sim.stop().await;
}

#[tokio::test]
async fn tasks_go_on_whatever_the_clock_does() {
    const MONTH: i64 = 31 * 86_400;
    for (seconds, at_start) in [(3600, true), (-3600, true), (MONTH, false), (-MONTH, false)] {
        let mut topology = Topology::single("9.2");
        if at_start {
            topology.remotes[0].faults = vec![Fault::ClockSkew { seconds }.into()];
        }
        let (sim, remote) = start(topology).await;
        if !at_start {
            remote.fault(None, Fault::ClockSkew { seconds }).await;
        }
        starts_a_guest(&remote, seconds).await;
        remote.clear_all().await;
        starts_a_guest(&remote, 0).await;
        sim.stop().await;
    }
}

/// Starts a container on a remote whose clock is so far off, follows the task to its end, and stops it again.
async fn starts_a_guest(remote: &Remote, seconds: i64) {
    let address = remote.first_address();
    let session = sign_in(address, "root@pam", "secret-root").await;
    let tls = Tls::new();
    for deed in ["start", "stop"] {
        let path = format!("/api2/json/nodes/pve1/lxc/102/status/{deed}");
        let mut conversation = tls.connect(address).await.unwrap();
        let upid = conversation.ask("POST", &path, &session.headers(), "").await.data();
        let upid = upid.as_str().unwrap();
        let started = i64::from_str_radix(upid.split(':').nth(4).unwrap(), 16).unwrap();
        let off = started - jiff::Timestamp::now().as_second();
        assert!((off - seconds).abs() < 30, "{off}");
        let path = format!("/api2/json/nodes/pve1/tasks/{}/status", support::encode(upid));
        let before = Instant::now();
        loop {
            let mut conversation = tls.connect(address).await.unwrap();
            let status = conversation.ask("GET", &path, &session.headers(), "").await.data();
            if status["status"] == "stopped" {
                assert_eq!(status["exitstatus"], "OK");
                break;
            }
            assert!(before.elapsed() < support::PATIENCE, "the task ends");
        }
    }
}

#[tokio::test]
async fn tickets_end() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let session = sign_in(address, "root@pam", "secret-root").await;
    let tls = Tls::new();
    let version = "/api2/json/version";
    assert_eq!(
        tls.connect(address).await.unwrap().ask("GET", version, &session.headers(), "").await.status,
        200
    );
    remote.fault(None, Fault::ExpireTickets).await;
    assert!(remote.faults().is_empty());
    let response = tls.connect(address).await.unwrap().ask("GET", version, &session.headers(), "").await;
    assert_eq!(response.status, 401);
    let session = sign_in(address, "root@pam", "secret-root").await;
    assert_eq!(
        tls.connect(address).await.unwrap().ask("GET", version, &session.headers(), "").await.status,
        200
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_lost_answer_is_to_a_request_that_was_carried_out() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let address = remote.first_address();
    let session = sign_in(address, "root@pam", "secret-root").await;
    let tls = Tls::new();
    remote.fault(None, Fault::LoseAnswer.method("POST").on("/nodes/*/status/start").times(1)).await;
    let mut conversation = tls.connect(address).await.unwrap();
    let path = "/api2/json/nodes/pve1/lxc/102/status/start";
    conversation.send(&format!("POST {path} HTTP/1.1\r\nHost: x\r\n{}\r\n", session.headers())).await;
    assert!(conversation.is_silent().await);
    assert_eq!(remote.journal().last().unwrap().status, None);
    let mut conversation = tls.connect(address).await.unwrap();
    let tasks =
        conversation.ask("GET", "/api2/json/nodes/pve1/tasks?source=all", &session.headers(), "").await;
    let started = tasks.data().as_array().unwrap().iter().any(|task| task["type"] == "vzstart");
    assert!(started, "{}", tasks.text());
    sim.stop().await;
}

#[tokio::test]
async fn a_node_that_is_down() {
    let (sim, remote) = start(Topology::cluster(3, "9.2")).await;
    let address = remote.first_address();
    let session = sign_in(address, "root@pam", "secret-root").await;
    let tls = Tls::new();
    let mut open = tls.connect(remote.address("pve3").unwrap()).await.unwrap();
    open.get(DOMAINS).await;
    let id = remote.fault(None, Fault::NodeDown { node: "pve3".to_owned() }).await;
    open.send(&format!("GET {DOMAINS} HTTP/1.1\r\n\r\n")).await;
    assert!(open.is_silent().await);
    let patience = Duration::from_millis(300);
    let connect = TcpStream::connect(remote.address("pve3").unwrap());
    assert!(tokio::time::timeout(patience, connect).await.is_err(), "its own socket is dead");
    let mut conversation = tls.connect(address).await.unwrap();
    let response = conversation.ask("GET", "/api2/json/nodes/pve3/status", &session.headers(), "").await;
    assert_eq!((response.status, response.reason.as_str()), (595, "No route to host"));
    assert!(response.header("Content-Length").is_none());
    let mut conversation = tls.connect(address).await.unwrap();
    let response = conversation.ask("GET", "/api2/json/nodes/pve3", &session.headers(), "").await;
    assert_eq!(response.status, 200, "the index is known everywhere");
    remote.clear(id).await;
    assert_eq!(status(remote.address("pve3").unwrap()).await, 200);
    sim.stop().await;
}

#[tokio::test]
async fn a_node_that_hangs() {
    let (sim, remote) = start(Topology::cluster(2, "9.2")).await;
    let session = sign_in(remote.first_address(), "root@pam", "secret-root").await;
    remote.fault(None, Fault::NodeHung { node: "pve2".to_owned() }).await;
    let tls = Tls::new();
    let patience = Duration::from_millis(300);
    let connect = tls.connect(remote.address("pve2").unwrap());
    assert!(tokio::time::timeout(patience, connect).await.is_err(), "TLS is silent");
    let mut conversation = tls.connect(remote.first_address()).await.unwrap();
    let response = conversation.ask("GET", "/api2/json/nodes/pve2/status", &session.headers(), "").await;
    assert_eq!((response.status, response.reason.as_str()), (596, "Connection timed out"));
    let mut conversation = tls.connect(remote.first_address()).await.unwrap();
    let response = conversation.ask("GET", "/api2/json/nodes/pve1/status", &session.headers(), "").await;
    assert_eq!(response.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn quorum_and_rows() {
    let (sim, remote) = start(Topology::cluster(3, "9.2")).await;
    let address = remote.first_address();
    let tls = Tls::new();
    let root = sign_in(address, "root@pam", "secret-root").await;
    let rows = async |session: &support::Session| {
        let mut conversation = tls.connect(address).await.unwrap();
        let path = "/api2/json/cluster/resources?type=vm";
        let response = conversation.ask("GET", path, &session.headers(), "").await;
        assert_eq!(response.status, 200);
        response.data().as_array().unwrap().len()
    };
    let id = remote.fault(None, Fault::QuorumLost).await;
    assert_eq!(rows(&root).await, 9, "reads go on");
    let mut conversation = tls.connect(address).await.unwrap();
    let path = "/api2/json/nodes/pve1/lxc/102/status/start";
    let response = conversation.ask("POST", path, &root.headers(), "").await;
    assert_eq!((response.status, response.reason.as_str()), (500, "cluster not ready - no quorum?"));
    remote.clear(id).await;

    let alice = sign_in(address, "alice@pve", "secret-alice").await;
    assert_eq!(rows(&alice).await, 9);
    let hide = Fault::HideRows { user: "alice@pve".to_owned(), path: "/vms/101".to_owned() };
    let id = remote.fault(None, hide).await;
    assert_eq!((rows(&alice).await, rows(&root).await), (8, 9));
    remote.clear(id).await;
    assert_eq!(rows(&alice).await, 9);
    sim.stop().await;
}

#[tokio::test]
async fn faults_of_a_topology_and_scripts() {
    let mut topology = Topology::single("9.2");
    topology.remotes[0].faults =
        vec![Fault::ServerError { text: "from the start".to_owned() }.on("/version")];
    topology.remotes[0].script = Some(pve_sim::topology::Script {
        repeat: true,
        steps: vec![
            pve_sim::topology::Step { ms: 150, faults: vec![] },
            pve_sim::topology::Step { ms: 150, faults: vec![Fault::Refuse.into()] },
        ],
    });
    let (sim, remote) = start(topology).await;
    let mut seen = Vec::new();
    let before = Instant::now();
    while seen.len() < 4 {
        assert!(before.elapsed() < support::PATIENCE, "{seen:?}");
        let refused = TcpStream::connect(remote.first_address()).await.is_err();
        if seen.last() != Some(&refused) {
            seen.push(refused);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(remote.faults()[0].1.path.as_deref(), Some("/version"));
    sim.stop().await;
}

#[tokio::test]
async fn faults_that_make_no_sense_are_not_placed() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    for (spec, words) in [
        (Fault::NodeDown { node: "pve7".to_owned() }.into(), "not one of its nodes"),
        (FaultSpec::from(Fault::Refuse).at_node("x"), "not one of its nodes"),
        (Fault::Refuse.on("/version"), "single calls"),
    ] {
        let error = remote.try_fault(spec).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(remote.faults().is_empty());
    sim.stop().await;
}

#[tokio::test]
async fn what_two_faults_want_lasts_until_both_are_ended() {
    let (sim, remote) = start(Topology::cluster(2, "9.2")).await;
    let health = || remote.with_world(|world, _| world.node_health("pve2"));
    let down = remote.fault(None, Fault::NodeDown { node: "pve2".into() }).await;
    let hung = remote.fault(None, Fault::NodeHung { node: "pve2".into() }).await;
    assert_eq!(health(), Some(pve_sim::world::Health::Hung));
    remote.clear(hung).await;
    assert_eq!(health(), Some(pve_sim::world::Health::Down));
    remote.clear(down).await;
    assert_eq!(health(), Some(pve_sim::world::Health::Up));

    let address = remote.first_address();
    let session = sign_in(address, "root@pam", "secret-root").await;
    let writes = async || {
        let path = "/api2/json/nodes/pve1/lxc/102/status/start";
        let mut conversation = Tls::new().connect(address).await.unwrap();
        conversation.ask("POST", path, &session.headers(), "").await.status
    };
    let first = remote.fault(None, Fault::QuorumLost).await;
    let second = remote.fault(None, Fault::QuorumLost).await;
    remote.clear(first).await;
    assert_eq!(writes().await, 500);
    remote.clear(second).await;
    assert_eq!(writes().await, 200);
    sim.stop().await;
}

#[tokio::test]
async fn silence_is_not_broken_by_another_fault() {
    let (sim, remote) = start(Topology::single("9.2")).await;
    let id = remote.fault(None, Fault::BlackHole { at: BlackHoleAt::Answer }.on("/access/*")).await;
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    conversation.send(&format!("GET {DOMAINS} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert!(conversation.is_silent().await);
    remote.fault(None, Fault::Delay { ms: 1 }).await;
    assert!(conversation.is_silent().await, "still");
    remote.clear(id).await;
    assert!(!conversation.is_silent().await, "over");
    sim.stop().await;
}
