//! Whatever may happen to a connection is named as what it is, in the phase in which it happened.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::io::Write;
use std::time::{Duration, Instant};

use common::{After, Identity, Reply, Server, VERSION, pinned_with, token};
use pve::address::Address;
use pve::{
    Client, Endpoint, Error, ErrorKind, GuestKind, Method, Phase, Power, PowerOptions, Sent, Speaker,
    Timings, TrustPolicy,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn client_of(address: Address) -> Client {
    let trust = TrustPolicy::leaf(Identity::self_signed(&["127.0.0.1"]).fingerprint());
    Client::new(Endpoint { address, trust }, token(), Timings::shrunk())
}

/// A TCP server that does this with each connection, below TLS.
async fn raw<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    address
}

/// The error of a GET, and of a POST, when every request is answered so.
async fn answered(reply: Reply) -> (Error, Error) {
    let (_server, client) = pinned_with(move |_| reply.clone(), token(), Timings::shrunk()).await;
    let options = PowerOptions::default();
    let post = client.guest_power("pve1", GuestKind::Ct, 101, Power::Start, &options);
    let (get, post) = tokio::join!(client.version(), post);
    (get.unwrap_err(), post.unwrap_err())
}

fn assert_unsent(error: &Error, phase: Phase) {
    assert_eq!((error.phase(), error.request_sent()), (phase, Sent::No), "{error}");
    for method in [Method::Get, Method::Post, Method::Put, Method::Delete] {
        assert!(error.repeatable(method) && !error.outcome_unknown(method), "{error}");
    }
    assert!(!error.to_string().contains("unreachable"), "{error}");
}

/// The answer was lost: a GET may be repeated, the outcome of a POST is unknown.
fn assert_lost((get, post): &(Error, Error), phase: Phase) {
    assert_eq!((get.phase(), get.request_sent()), (phase, Sent::Yes), "{get}");
    assert!(get.repeatable(Method::Get) && !get.outcome_unknown(Method::Get), "{get}");
    assert_eq!((post.phase(), post.request_sent()), (phase, Sent::Yes), "{post}");
    assert!(!post.repeatable(Method::Post) && post.outcome_unknown(Method::Post), "{post}");
}

/// A verdict was read: nothing is repeated and nothing is unknown.
fn assert_verdict(error: &Error) {
    assert_eq!((error.phase(), error.request_sent()), (Phase::Decode, Sent::Yes), "{error}");
    assert!(!error.repeatable(Method::Post) && !error.outcome_unknown(Method::Post), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let error = client_of("no-such-host.invalid".parse().unwrap()).version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Dns { .. }), "{error:?}");
    assert_unsent(&error, Phase::Resolve);
    assert_eq!(error.words().unwrap().speaker, Speaker::System);
    assert!(error.to_string().contains("no-such-host.invalid:8006"), "{error}");
}

#[tokio::test]
async fn a_closed_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client_of(address.to_string().parse().unwrap()).version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Refused), "{error:?}");
    assert_unsent(&error, Phase::Connect);
    assert_eq!(error.attempts()[0].address, address);
    assert_eq!(error.to_string(), format!("{address}: connection refused"));
}

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    // `localhost` has an IPv6 address too on most machines; nobody listens there.
    let identity = Identity::self_signed(&["localhost"]);
    let server = Server::start(&identity, |_| Reply::data(VERSION)).await;
    let address = format!("localhost:{}", server.addr.port()).parse().unwrap();
    let trust = TrustPolicy::leaf(identity.fingerprint());
    let client = Client::new(Endpoint { address, trust }, token(), Timings::shrunk());
    client.version().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_not_answered() {
    // A listener whose queue is full answers no SYN. The queue of one is filled by connections nobody accepts.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(1).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        let filler = TcpStream::connect(address);
        if let Ok(Ok(filler)) = tokio::time::timeout(Duration::from_millis(200), filler).await {
            held.push(filler);
        }
    }
    let began = Instant::now();
    let error = client_of(address.to_string().parse().unwrap()).version().await.unwrap_err();
    let ErrorKind::ConnectTimeout { after } = error.kind() else { panic!("{error:?}") };
    assert_eq!(*after, Timings::shrunk().connect);
    assert_unsent(&error, Phase::Connect);
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(error.to_string().contains("connection timed out after 0.6 s"), "{error}");
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing() {
    let address = raw(|socket| async move {
        let _held = socket;
        std::future::pending::<()>().await;
    })
    .await;
    let error = client_of(address).version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoAnswer { .. }), "{error:?}");
    assert_unsent(&error, Phase::Tls);
    assert!(error.to_string().contains("TLS greeting"), "{error}");
}

#[tokio::test]
async fn a_server_that_closes_or_resets_in_the_handshake() {
    let closing = raw(|mut socket| async move {
        let mut greeting = [0; 16];
        let _ = socket.read(&mut greeting).await;
        let _ = socket.shutdown().await;
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
    })
    .await;
    let resetting = raw(|socket| async move {
        let _ = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    })
    .await;
    for (address, word) in [(closing, "closed"), (resetting, "reset")] {
        let error = client_of(address).version().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Cut { text } if text.contains(word)), "{error:?}");
        assert_unsent(&error, Phase::Tls);
    }
}

#[tokio::test]
async fn a_server_that_speaks_plain_http_or_something_else() {
    let http = raw(|mut socket| async move {
        let mut greeting = [0; 16];
        let _ = socket.read(&mut greeting).await;
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
    })
    .await;
    let error = client_of(http).version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tls { text } if text.contains("plain HTTP")), "{error:?}");
    assert_unsent(&error, Phase::Tls);

    let ssh = raw(|mut socket| async move {
        let _ = socket.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await;
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
    })
    .await;
    let error = client_of(ssh).version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Tls { text } if !text.contains("plain HTTP")), "{error:?}");
    assert_unsent(&error, Phase::Tls);
    assert_eq!(error.words().unwrap().speaker, Speaker::Tls);
}

#[tokio::test]
async fn a_request_that_is_not_answered() {
    let errors = answered(Reply::raw("", After::Hang)).await;
    assert!(matches!(errors.0.kind(), ErrorKind::NoAnswer { .. }), "{:?}", errors.0);
    assert_lost(&errors, Phase::Await);
    assert!(errors.0.to_string().contains("no answer to the request within 1.5 s"), "{}", errors.0);
}

#[tokio::test]
async fn a_connection_that_breaks_instead_of_an_answer() {
    for after in [After::Close, After::Bare, After::Reset] {
        let errors = answered(Reply::raw("", after)).await;
        assert!(matches!(errors.0.kind(), ErrorKind::Cut { .. }), "{:?}", errors.0);
        assert_lost(&errors, Phase::Await);
        let errors = answered(Reply::raw("HTTP/1.1 200 OK\r\nContent-Ty", after)).await;
        assert!(matches!(errors.0.kind(), ErrorKind::Cut { .. }), "{:?}", errors.0);
        assert_lost(&errors, Phase::Await);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http() {
    for bytes in ["220 mail.example ESMTP\r\n", "\u{0}\u{1}\u{2}\u{3}\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n"] {
        let errors = answered(Reply::raw(bytes, After::Close)).await;
        assert!(matches!(errors.0.kind(), ErrorKind::NotHttp { .. }), "{bytes:?}: {:?}", errors.0);
        assert_lost(&errors, Phase::Await);
    }
}

#[tokio::test]
async fn a_good_answer_that_is_cut() {
    let head = "HTTP/1.1 200 OK\r\nServer: pve-api-daemon/3.0\r\n";
    let whole = format!("{{\"data\":{VERSION}}}");
    let counted = format!("{head}Content-Length: {}\r\n\r\n{}", whole.len(), &whole[..20]);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n14\r\n{}\r\n", &whole[..20]);
    for bytes in [&counted, &chunked] {
        for after in [After::Close, After::Bare, After::Reset] {
            let errors = answered(Reply::raw(bytes.as_str(), after)).await;
            assert!(matches!(errors.0.kind(), ErrorKind::Cut { .. }), "{:?}", errors.0);
            assert_lost(&errors, Phase::Read);
        }
    }
    // Without a length only the TLS goodbye says that it was all.
    let unbounded = format!("{head}\r\n{whole}");
    for after in [After::Bare, After::Reset] {
        let errors = answered(Reply::raw(unbounded.as_str(), after)).await;
        assert!(matches!(errors.0.kind(), ErrorKind::Cut { .. }), "{:?}", errors.0);
        assert_lost(&errors, Phase::Read);
    }
    let reply = Reply::raw(unbounded, After::Close);
    let (_server, client) = pinned_with(move |_| reply.clone(), token(), Timings::shrunk()).await;
    assert_eq!(client.version().await.unwrap().value.release.as_deref(), Some("9.2"));
}

#[tokio::test]
async fn a_refusal_without_a_length_is_read_however_it_ends() {
    let with_body = |status: u16, reason: &str, after| {
        let body = r#"{"data":null,"message":"from the body\n"}"#;
        Reply::raw(format!("HTTP/1.1 {status} {reason}\r\nServer: pve-api-daemon/3.0\r\n\r\n{body}"), after)
    };
    for after in [After::Bare, After::Close, After::Reset] {
        let bare = |status, reason| Reply { after, ..Reply::bodiless(status, reason) };
        let (error, post) = answered(bare(401, "authentication failure")).await;
        assert!(
            matches!(error.kind(), ErrorKind::CredentialsRejected { reason } if reason == "authentication failure")
        );
        assert_verdict(&post);
        let (error, post) = answered(bare(595, "No route to host")).await;
        assert!(
            matches!(error.kind(), ErrorKind::NodeDown { text, .. } if text == "No route to host"),
            "{error}"
        );
        assert_verdict(&post);
        let (error, post) = answered(bare(500, "can't lock file '/x' - got timeout")).await;
        assert!(
            matches!(error.kind(), ErrorKind::Server { text, .. } if text.starts_with("can't lock")),
            "{error}"
        );
        assert_verdict(&post);
        // A reset may overtake the body; the verdict stands on the reason phrase all the same.
        let (error, _) = answered(with_body(500, "from the phrase", after)).await;
        let ErrorKind::Server { text, .. } = error.kind() else { panic!("{error:?}") };
        assert!(text == "from the body" || (after == After::Reset && text == "from the phrase"), "{text}");
    }
    // 596: the node may have done it.
    let (_, post) = answered(Reply::bodiless(596, "Connection timed out")).await;
    assert!(
        matches!(post.kind(), ErrorKind::NodeNoAnswer { node: Some(node), .. } if node == "pve1"),
        "{post:?}"
    );
    assert!(post.outcome_unknown(Method::Post) && !post.repeatable(Method::Post));
    // A server that forgets to close does not turn a refusal into silence.
    let (error, _) = answered(Reply { after: After::Hang, ..Reply::bodiless(401, "No ticket") }).await;
    assert!(matches!(error.kind(), ErrorKind::CredentialsRejected { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_comes_in_drops() {
    // Slow is not dead, as long as it ends in time.
    let reply = Reply::data(VERSION).dripping(40, Duration::from_millis(30));
    let (_server, client) = pinned_with(move |_| reply.clone(), token(), Timings::shrunk()).await;
    client.version().await.unwrap();

    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    bytes.resize(100_000, b' ');
    let errors =
        answered(Reply::raw(bytes, After::Hang).dripping(head.len(), Duration::from_millis(100))).await;
    assert!(
        matches!(errors.0.kind(), ErrorKind::NoAnswer { after } if *after == Timings::shrunk().body_total)
    );
    assert_lost(&errors, Phase::Read);
    assert!(errors.0.to_string().contains("did not end within"), "{}", errors.0);

    let stalled = Reply::raw(format!("{head}{{\"data\":"), After::Hang);
    let errors = answered(stalled).await;
    assert!(
        matches!(errors.0.kind(), ErrorKind::NoAnswer { after } if *after == Timings::shrunk().body_idle)
    );
    assert_lost(&errors, Phase::Read);
}

#[tokio::test]
async fn what_is_too_large_is_not_held() {
    let gzipped = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let reply = |body: Vec<u8>, more: &str| {
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\nServer: pve-api-daemon/3.0\r\n{more}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend(body);
        Reply::raw(bytes, After::Keep)
    };
    let timings = Timings { answer_bytes: 10_000, listing_bytes: 50_000, ..Timings::shrunk() };
    let spaces = |count: usize| format!("{{\"data\":{}[]}}", " ".repeat(count)).into_bytes();
    let version = |count: usize| format!("{{\"data\":{}{VERSION}}}", " ".repeat(count)).into_bytes();
    let encoding = "Content-Encoding: gzip\r\n";
    for (small, large) in [
        (reply(version(5_000), ""), reply(version(20_000), "")),
        (reply(gzipped(&version(5_000)), encoding), reply(gzipped(&version(20_000)), encoding)),
    ] {
        let (_server, client) = pinned_with(move |_| small.clone(), token(), timings.clone()).await;
        client.version().await.unwrap();
        let (_server, client) = pinned_with(move |_| large.clone(), token(), timings.clone()).await;
        let error = client.version().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 10_000 }), "{error:?}");
    }
    let listing = reply(gzipped(&spaces(40_000)), encoding);
    let (_server, client) = pinned_with(move |_| listing.clone(), token(), timings.clone()).await;
    assert!(client.nodes().await.unwrap().value.rows.is_empty());
    let bomb = reply(gzipped(&spaces(5_000_000)), encoding);
    let (_server, client) = pinned_with(move |_| bomb.clone(), token(), timings).await;
    assert!(matches!(client.nodes().await.unwrap_err().kind(), ErrorKind::TooLarge { limit: 50_000 }));
}

#[tokio::test]
async fn what_is_not_understood_is_never_called_a_broken_connection() {
    for body in [r#"{"data":{"version":"#, r#"{"data":[1,2]}"#, r#"{"message":"x"}"#, "", "]["] {
        let (error, post) = answered(Reply::status(200, "OK", body)).await;
        assert!(matches!(error.kind(), ErrorKind::NotUnderstood { .. }), "{body}: {error:?}");
        assert_eq!(error.phase(), Phase::Decode);
        let shown = error.to_string();
        assert!(shown.contains("not understood") && shown.contains("GET /version"), "{shown}");
        assert!(!shown.contains("unreachable"), "{shown}");
        assert!(post.outcome_unknown(Method::Post), "it was accepted, and what became of it is not known");
    }
}

#[tokio::test]
async fn something_that_is_no_proxmox() {
    let page = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head></html>";
    let reply = Reply::raw(
        format!(
            "HTTP/1.1 200 OK\r\nServer: nginx/1.26\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
            page.len()
        ),
        After::Keep,
    );
    let (error, _) = answered(reply).await;
    let ErrorKind::NotProxmox { seen } = error.kind() else { panic!("{error:?}") };
    assert_eq!(seen, "status 200 with text/html from “nginx/1.26”, titled “Welcome to nginx!”");
}

#[tokio::test]
async fn the_persons_words_are_proxmoxs_own() {
    let words = async |reply: Reply| {
        let (error, _) = answered(reply).await;
        let words = error.words().unwrap();
        assert_eq!(words.speaker, Speaker::Proxmox);
        // One line, whatever the server makes of it.
        assert!(error.to_string().contains(&words.text.replace('\n', " ")), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
        words.text
    };
    let text = "CT is locked (backup)";
    assert_eq!(words(Reply::bodiless(500, text)).await, text);
    assert_eq!(words(Reply::status(500, text, r#"{"data":null}"#)).await, text);
    let in_body = format!(r#"{{"data":null,"message":"{text}\nand more\n"}}"#);
    assert_eq!(words(Reply::status(500, text, &in_body)).await, format!("{text}\nand more"));
    let in_errors = r#"{"data":null,"errors":{"vmid":"CT is locked (backup)"}}"#;
    assert_eq!(words(Reply::status(500, "x", in_errors)).await, format!("vmid: {text}"));
    let both = r#"{"data":null,"message":"Parameter verification failed.\n","errors":{"vmid":"invalid"}}"#;
    let shown = words(Reply::status(400, "Parameter verification failed.", both)).await;
    assert_eq!(shown, "Parameter verification failed. vmid: invalid");
    // Older servers have only the reason phrase, in whatever language the operator's names are.
    let odd = "container 'größe 🦀' ist gesperrt";
    assert_eq!(words(Reply::bodiless(500, odd)).await, odd);
    // The usual phrase of a status is a word of the server too.
    assert_eq!(words(Reply::bodiless(500, "Internal Server Error")).await, "Internal Server Error");
}

#[tokio::test]
async fn a_missing_privilege_is_named_with_its_path() {
    let text = "Permission check failed (/vms/101, VM.PowerMgmt)";
    for reply in [
        Reply::bodiless(403, text),
        Reply::status(403, text, &format!(r#"{{"data":null,"message":"{text}\n"}}"#)),
    ] {
        let (error, _) = answered(reply).await;
        let ErrorKind::PrivilegeMissing { path, privileges, .. } = error.kind() else { panic!("{error:?}") };
        assert_eq!(
            (path.as_deref(), privileges.as_slice()),
            (Some("/vms/101"), &["VM.PowerMgmt".to_owned()][..])
        );
        assert!(error.to_string().contains("VM.PowerMgmt on /vms/101"), "{error}");
        assert_verdict(&error);
    }
}

#[tokio::test]
async fn an_invalid_call_is_not_sent() {
    let (server, client) = pinned_with(|_| Reply::data("null"), token(), Timings::shrunk()).await;
    let error = client.node_status("..").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidRequest { .. }), "{error:?}");
    assert_eq!((error.phase(), error.request_sent()), (Phase::Local, Sent::No));
    assert!(!error.repeatable(Method::Get));
    let options = PowerOptions::default();
    client.guest_power("pve1", GuestKind::Ct, 101, Power::Reset, &options).await.unwrap_err();
    let options = PowerOptions { force_stop: Some(true), ..options };
    client.guest_power("pve1", GuestKind::Vm, 100, Power::Stop, &options).await.unwrap_err();
    assert!(server.connections().is_empty());
}
