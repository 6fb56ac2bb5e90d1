//! A client that shows every byte: TLS by hand, HTTP by hand, nothing retried, nothing smoothed over.
#![allow(dead_code, unreachable_pub)] // Each test program uses a part of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pve_sim::{Remote, Sim, SimTimings, Topology};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing in these tests takes longer, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn start(topology: Topology) -> (Sim, Remote) {
    let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    (sim, remote)
}

/// Takes any certificate and remembers it; the signature is verified.
#[derive(Debug)]
pub struct Seen(pub Mutex<Vec<CertificateDer<'static>>>);

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut seen = self.0.lock().unwrap();
        seen.clear();
        seen.push(end_entity.clone().into_owned());
        seen.extend(intermediates.iter().map(|other| other.clone().into_owned()));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

pub struct Tls {
    pub config: Arc<ClientConfig>,
    pub seen: Arc<Seen>,
}

impl Tls {
    pub fn new() -> Self {
        Self::with(rustls::ALL_VERSIONS)
    }

    pub fn with(versions: &[&'static rustls::SupportedProtocolVersion]) -> Self {
        let seen = Arc::new(Seen(Mutex::new(Vec::new())));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = seen.clone();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Self { config: Arc::new(config), seen }
    }

    /// One that trusts the remote's authority and nothing else.
    pub fn trusting(remote: &Remote) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der(&remote.ca_pem())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { config: Arc::new(config), seen: Arc::new(Seen(Mutex::new(Vec::new()))) }
    }

    pub async fn connect(&self, address: SocketAddr) -> std::io::Result<Conversation<TlsStream<TcpStream>>> {
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::from(address.ip());
        let stream = TlsConnector::from(self.config.clone()).connect(name, tcp).await?;
        Ok(Conversation { stream, buffer: Vec::new() })
    }

    /// SHA-256 of the certificate last seen, `AA:BB:…`.
    pub fn fingerprint(&self) -> String {
        use sha2::Digest as _;
        let seen = self.seen.0.lock().unwrap();
        let digest = sha2::Sha256::digest(&seen[0]);
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }
}

pub fn der(pem: &str) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// How the other side ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With close_notify.
    Proper,
    /// FIN without close_notify.
    Bare,
    /// RST.
    Reset,
}

#[derive(Debug, Clone)]
pub struct Response {
    pub protocol: String,
    pub status: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn data(&self) -> serde_json::Value {
        self.json()["data"].clone()
    }
}

pub struct Conversation<S> {
    pub stream: S,
    pub buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub async fn get(&mut self, path: &str) -> Response {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
        self.response().await
    }

    pub async fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}{length}\r\n{body}")).await;
        self.response().await
    }

    pub async fn response(&mut self) -> Response {
        self.try_response().await.expect("an answer")
    }

    /// An answer, or how the connection ended without a whole one.
    pub async fn try_response(&mut self) -> Result<Response, Ending> {
        let mut response = loop {
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut parsed = httparse::Response::new(&mut slots);
            if let httparse::Status::Complete(length) = parsed.parse(&self.buffer).expect("HTTP") {
                let response = Response {
                    protocol: format!("HTTP/1.{}", parsed.version.unwrap()),
                    status: parsed.code.unwrap(),
                    reason: parsed.reason.unwrap().to_owned(),
                    headers: parsed
                        .headers
                        .iter()
                        .map(|h| (h.name.to_owned(), String::from_utf8(h.value.to_vec()).unwrap()))
                        .collect(),
                    body: Vec::new(),
                };
                self.buffer.drain(..length);
                break response;
            }
            self.more().await?;
        };
        if let Some(length) = response.header("Content-Length").map(|text| text.parse::<usize>().unwrap()) {
            while self.buffer.len() < length {
                self.more().await?;
            }
            response.body = self.buffer.drain(..length).collect();
        }
        Ok(response)
    }

    /// Reads a little more, or tells how it ended.
    pub async fn more(&mut self) -> Result<usize, Ending> {
        let mut chunk = [0; 16 * 1024];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("no silence");
        match read {
            Ok(0) => Err(Ending::Proper),
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Ending::Bare),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Err(Ending::Reset),
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads to the end and tells how it was.
    pub async fn ending(&mut self) -> Ending {
        loop {
            if let Err(ending) = self.more().await {
                return ending;
            }
        }
    }

    /// Whether nothing at all comes for a while.
    pub async fn is_silent(&mut self) -> bool {
        let mut byte = [0; 1];
        tokio::time::timeout(Duration::from_millis(300), self.stream.read(&mut byte)).await.is_err()
    }
}

/// A ticket and its CSRF token.
pub struct Session {
    pub cookie: String,
    pub csrf: String,
}

impl Session {
    pub fn headers(&self) -> String {
        format!("Cookie: PVEAuthCookie={}\r\nCSRFPreventionToken: {}\r\n", self.cookie, self.csrf)
    }
}

pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub async fn sign_in(address: SocketAddr, user: &str, password: &str) -> Session {
    let mut conversation = Tls::new().connect(address).await.unwrap();
    let body = format!("username={}&password={}", encode(user), encode(password));
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    let response = conversation.ask("POST", "/api2/json/access/ticket", headers, &body).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let data = response.data();
    Session {
        cookie: encode(data["ticket"].as_str().unwrap()),
        csrf: data["CSRFPreventionToken"].as_str().unwrap().to_owned(),
    }
}
