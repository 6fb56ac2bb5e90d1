//! A small TLS server that sends exactly the bytes a test gives it, and remembers what it received.

#![allow(dead_code, unreachable_pub, missing_docs)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pve::address::Address;
use pve::{Certificate, Client, Credential, Endpoint, Fingerprint, Timings, TrustPolicy};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate authority made for one test.
pub struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub certificate: Certificate,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let made = params.self_signed(&key).unwrap();
        Self {
            certificate: Certificate::from_der(made.der()).unwrap(),
            pem: made.pem(),
            issuer: rcgen::Issuer::new(params, key),
        }
    }

    /// A certificate of this authority for these names, valid now.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_valid(names, 2020, 2100)
    }

    /// The same, valid between the first days of two years.
    pub fn issue_valid(&self, names: &[&str], from: i32, until: i32) -> Identity {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "node");
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Identity { chain: vec![made.der().clone()], key: key.serialize_der() }
    }
}

/// A certificate chain with a private key, not necessarily the right one.
#[derive(Clone)]
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    pub fn self_signed(names: &[&str]) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "stand-alone");
        let made = params.self_signed(&key).unwrap();
        Self { chain: vec![made.der().clone()], key: key.serialize_der() }
    }

    /// This certificate, with a key that is not its own.
    pub fn without_its_key(&self) -> Self {
        Self { chain: self.chain.clone(), key: rcgen::KeyPair::generate().unwrap().serialize_der() }
    }

    pub fn certificate(&self) -> Certificate {
        Certificate::from_der(&self.chain[0]).unwrap()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.certificate().fingerprint
    }

    fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        let key = provider.key_provider.load_private_key(key).unwrap();
        let resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(self.chain.clone(), key)));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        Arc::new(config)
    }
}

/// One request as it was received.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which connection, counted from 1.
    pub conn: u64,
    /// Which request on it, counted from 1.
    pub nth: u64,
    pub method: String,
    /// Path and query as they stood.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// A parameter of the body, decoded.
    pub fn form(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.body.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What becomes of the connection after the bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It stays open.
    Keep,
    /// TLS goodbye, then closed.
    Close,
    /// Closed without a TLS goodbye.
    Bare,
    /// Reset.
    Reset,
    /// Left open and silent.
    Hang,
}

/// What to answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub after: After,
    pub delay: Duration,
    /// Bytes at a time, with the delay before each.
    pub drip: Option<usize>,
}

impl Reply {
    pub fn raw(bytes: impl Into<Vec<u8>>, after: After) -> Self {
        Self { bytes: bytes.into(), after, delay: Duration::ZERO, drip: None }
    }

    /// A well-formed answer of the API server.
    pub fn status(status: u16, reason: &str, body: &str) -> Self {
        let after = if status < 400 { After::Keep } else { After::Close };
        let close = if status < 400 { "" } else { "Connection: close\r\n" };
        Self::raw(
            format!(
                "HTTP/1.1 {status} {reason}\r\nServer: pve-api-daemon/3.0\r\nDate: Sat, 21 Nov 2026 23:08:33 GMT\r\n\
                 {close}Content-Type: application/json;charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
            after,
        )
    }

    /// `200 OK` with this as `data`.
    pub fn data(data: &str) -> Self {
        Self::status(200, "OK", &format!("{{\"data\":{data}}}"))
    }

    /// Neither body nor length, as a server of 7.4 sends it: closed without a TLS goodbye.
    pub fn bodiless(status: u16, reason: &str) -> Self {
        Self::raw(
            format!("HTTP/1.1 {status} {reason}\r\nConnection: close\r\nServer: pve-api-daemon/3.0\r\n\r\n"),
            After::Bare,
        )
    }

    /// The answer to a good sign-in, with a ticket of this number.
    pub fn ticket(number: u32) -> Self {
        Self::data(&format!(
            r#"{{"ticket":"PVE:root@pam:{number}::c2ln+/{number}==","CSRFPreventionToken":"{number}:csrf/{number}+",
                "username":"root@pam","cap":{{"vms":{{"VM.Audit":1}}}}}}"#
        ))
    }

    pub fn late(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub fn dripping(mut self, bytes: usize, delay: Duration) -> Self {
        self.drip = Some(bytes);
        self.delay = delay;
        self
    }
}

/// A connection as far as it came.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The TLS handshake was finished.
    pub handshake: bool,
    /// A TLS session was resumed.
    pub resumed: bool,
    /// Bytes of application data received.
    pub bytes: usize,
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

/// The server; ends when dropped.
pub struct Server {
    pub addr: SocketAddr,
    identity: Arc<Mutex<Arc<ServerConfig>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<Vec<Connection>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(
        identity: &Identity,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let identity = Arc::new(Mutex::new(identity.config()));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Handler> = Arc::new(handler);
        let count = AtomicU64::new(0);
        let (identities, log, opened) = (Arc::clone(&identity), Arc::clone(&seen), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let conn = count.fetch_add(1, Ordering::SeqCst) + 1;
                opened.lock().unwrap().push(Connection::default());
                let config = identities.lock().unwrap().clone();
                tokio::spawn(serve(
                    socket,
                    conn,
                    config,
                    Arc::clone(&handler),
                    Arc::clone(&log),
                    Arc::clone(&opened),
                ));
            }
        });
        Self { addr, identity, seen, connections, task }
    }

    /// From now on another certificate.
    pub fn show(&self, identity: &Identity) {
        *self.identity.lock().unwrap() = identity.config();
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests so far as `METHOD target` lines.
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    pub fn connections(&self) -> Vec<Connection> {
        self.connections.lock().unwrap().clone()
    }

    /// All bytes of application data received, over all connections.
    pub fn bytes(&self) -> usize {
        self.connections().iter().map(|conn| conn.bytes).sum()
    }

    pub fn address(&self) -> Address {
        self.addr.to_string().parse().unwrap()
    }

    pub fn endpoint(&self, trust: TrustPolicy) -> Endpoint {
        Endpoint { address: self.address(), trust }
    }
}

async fn serve(
    socket: TcpStream,
    conn: u64,
    config: Arc<ServerConfig>,
    handler: Arc<Handler>,
    log: Arc<Mutex<Vec<Seen>>>,
    opened: Arc<Mutex<Vec<Connection>>>,
) {
    let at = usize::try_from(conn).unwrap() - 1;
    let Ok(mut stream) = TlsAcceptor::from(config).accept(socket).await else { return };
    {
        let mut opened = opened.lock().unwrap();
        opened[at].handshake = true;
        opened[at].resumed = stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
    }
    let mut buffer = Vec::new();
    let mut nth = 0;
    loop {
        let (head, length) = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
                let length = head
                    .lines()
                    .filter_map(|line| line.split_once(':'))
                    .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                    .map_or(0, |(_, value)| value.trim().parse().unwrap());
                if buffer.len() >= end + 4 + length {
                    break (head, (end + 4, length));
                }
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(read) if read > 0 => {
                    opened.lock().unwrap()[at].bytes += read;
                    buffer.extend_from_slice(&chunk[..read]);
                }
                _ => return,
            }
        };
        let (start, length) = length;
        let body = String::from_utf8_lossy(&buffer[start..start + length]).into_owned();
        buffer.drain(..start + length);
        nth += 1;
        let mut lines = head.lines();
        let mut words = lines.next().unwrap().split(' ');
        let seen = Seen {
            conn,
            nth,
            method: words.next().unwrap().to_owned(),
            target: words.next().unwrap().to_owned(),
            headers: lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
            body,
        };
        log.lock().unwrap().push(seen.clone());
        let reply = handler(&seen);
        let step = reply.drip.unwrap_or(reply.bytes.len()).max(1);
        if reply.bytes.is_empty() {
            tokio::time::sleep(reply.delay).await;
        }
        for piece in reply.bytes.chunks(step) {
            tokio::time::sleep(reply.delay).await;
            if stream.write_all(piece).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
        match reply.after {
            After::Keep => {}
            After::Close => {
                let _ = stream.shutdown().await;
                return;
            }
            After::Bare => return,
            After::Reset => {
                let (socket, _) = stream.into_inner();
                let _ = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                return;
            }
            After::Hang => std::future::pending().await,
        }
    }
}

/// A server with a self-signed certificate, and a client that has it pinned and signs in as root@pam.
pub async fn pinned(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Server, Client) {
    pinned_with(handler, root(), Timings::shrunk()).await
}

pub async fn pinned_with(
    handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    credential: Credential,
    timings: Timings,
) -> (Server, Client) {
    let identity = Identity::self_signed(&["127.0.0.1"]);
    let server = Server::start(&identity, handler).await;
    let client = Client::new(server.endpoint(TrustPolicy::leaf(identity.fingerprint())), credential, timings);
    (server, client)
}

pub fn root() -> Credential {
    Credential::password("root@pam", "canary-password")
}

pub fn token() -> Credential {
    Credential::token("root@pam!ci", "canary-token-0123")
}

/// Answers sign-ins with tickets 1, 2, 3…, everything else by the handler.
pub fn signed_in(
    handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    let tickets = std::sync::atomic::AtomicU32::new(0);
    move |seen| {
        if seen.path() == "/api2/json/access/ticket" {
            Reply::ticket(tickets.fetch_add(1, Ordering::SeqCst) + 1)
        } else {
            handler(seen)
        }
    }
}

/// Gives these replies in turn, the last one for ever.
pub fn in_turn(replies: Vec<Reply>) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    let next = AtomicU64::new(0);
    move |_| {
        let at = usize::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap();
        replies[at.min(replies.len() - 1)].clone()
    }
}

pub const VERSION: &str = r#"{"version":"9.2.11","release":"9.2","repoid":"14a22df35955d97d"}"#;
