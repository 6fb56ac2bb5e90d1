//! Resolve → TCP → TLS, each with its own time-out and its own errors: [`Connector`].

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Stats;
use super::watch::{Counted, Watched};
use crate::address::{Address, Host};
use crate::error::{Attempt, Error, ErrorKind, Phase, seconds};
use crate::timings::Timings;
use crate::trust::{Verifier, refusal_in, server_name};

/// TLS sessions kept for resumption; a handful of connections to one endpoint needs no more.
const SESSIONS: usize = 8;

/// A polite goodbye is not waited for longer than this.
const GOODBYE: Duration = Duration::from_millis(500);

/// Opens connections to one endpoint.
///
/// It owns the TLS configuration, and with it the store of resumable sessions: another trust means another
/// connector, so no session outlives the trust it was opened under.
#[derive(Debug)]
pub(crate) struct Connector {
    address: Address,
    endpoint: String,
    host: String,
    verifier: Arc<Verifier>,
    tls: Result<Arc<ClientConfig>, String>,
    timings: Timings,
    stats: Arc<Stats>,
}

/// An open connection, ready for HTTP.
pub(crate) struct Connected {
    pub(crate) stream: Watched<TlsStream<Counted<TcpStream>>>,
    pub(crate) peer: SocketAddr,
}

impl Connected {
    /// Says goodbye and closes.
    pub(crate) async fn close(mut self) {
        let _ = timeout(GOODBYE, self.stream.shutdown()).await;
    }
}

impl Connector {
    pub(crate) fn new(
        address: Address,
        verifier: Arc<Verifier>,
        timings: Timings,
        stats: Arc<Stats>,
    ) -> Self {
        // A certificate names addresses without their zone.
        let host = address.host.ip().map_or_else(|| address.dial_host(), |ip| ip.to_string());
        let tls = tls_config(Arc::clone(&verifier)).map(Arc::new).map_err(|error| error.to_string());
        Self { endpoint: address.to_string(), address, host, verifier, tls, timings, stats }
    }

    /// The dialled name or address, without port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port
    }

    /// The endpoint, `host:port`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The verifier, which knows the certificate last shown.
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn error(&self, kind: ErrorKind, phase: Phase) -> Error {
        Error::new(kind, phase, &self.endpoint)
    }

    /// A new connection. Every resolved address is tried before it is given up; what a certificate says ends it
    /// at once.
    pub(crate) async fn connect(&self) -> Result<Connected, Error> {
        let addresses = self.resolve().await?;
        self.connect_any(addresses).await
    }

    /// A new connection to any of these addresses.
    async fn connect_any(&self, mut pending: VecDeque<SocketAddr>) -> Result<Connected, Error> {
        let mut attempts = Vec::new();
        let mut broken: Option<Error> = None;
        loop {
            let (socket, peer) = match self.open_any(&mut pending, &mut attempts).await {
                Ok(opened) => opened,
                // A handshake that broke says more than addresses that did not answer after it.
                Err(kind) => {
                    return Err(broken
                        .unwrap_or_else(|| self.error(kind, Phase::Connect))
                        .with_attempts(attempts));
                }
            };
            match self.greet(socket).await {
                Ok(stream) => {
                    let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                    self.stats.connection(resumed);
                    tracing::trace!(endpoint = %self.endpoint, %peer, resumed, "connected");
                    return Ok(Connected { stream: Watched::new(stream), peer });
                }
                Err(kind) => {
                    attempts.push(Attempt { address: peer, outcome: tls_outcome(&kind) });
                    let about_trust = matches!(
                        kind,
                        ErrorKind::Untrusted { .. }
                            | ErrorKind::CertificateChanged { .. }
                            | ErrorKind::CertificateWithoutKey { .. }
                    );
                    let error = self.error(kind, Phase::Tls);
                    if about_trust || pending.is_empty() {
                        return Err(error.with_attempts(attempts));
                    }
                    broken.get_or_insert(error);
                }
            }
        }
    }

    /// The addresses of the host, families alternating so that a dead one costs little.
    async fn resolve(&self) -> Result<VecDeque<SocketAddr>, Error> {
        let port = self.address.port;
        let direct = match &self.address.host {
            Host::V4(ip) => Some(SocketAddr::from((*ip, port))),
            Host::V6 { address, zone: None } => Some(SocketAddr::from((*address, port))),
            // The number of a zone is the system's to know.
            Host::V6 { .. } | Host::Name(_) => None,
        };
        if let Some(address) = direct {
            return Ok(VecDeque::from([address]));
        }
        let name = self.address.dial_host();
        let dns = |text: String| self.error(ErrorKind::Dns { text }, Phase::Resolve);
        match timeout(self.timings.resolve, tokio::net::lookup_host((name.as_str(), port))).await {
            Err(_) => {
                Err(dns(format!("the resolver gave no answer within {}", seconds(self.timings.resolve))))
            }
            Ok(Err(error)) => {
                let text = system_text(&error);
                let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
                Err(dns(text.to_owned()))
            }
            Ok(Ok(found)) => {
                let found = alternate(found.collect());
                tracing::trace!(endpoint = %self.endpoint, addresses = ?found, "resolved");
                if found.is_empty() { Err(dns("the name has no address".to_owned())) } else { Ok(found) }
            }
        }
    }

    /// The first address that answers; each gets a head start over the next. Those that were not heard out when
    /// one won stay pending.
    async fn open_any(
        &self,
        pending: &mut VecDeque<SocketAddr>,
        attempts: &mut Vec<Attempt>,
    ) -> Result<(TcpStream, SocketAddr), ErrorKind> {
        let mut in_flight = FuturesUnordered::new();
        let mut waiting: Vec<SocketAddr> = Vec::new();
        let mut worst: Option<ErrorKind> = None;
        loop {
            if in_flight.is_empty() {
                let Some(address) = pending.pop_front() else {
                    let nothing = ErrorKind::Unreachable { text: "no address is left to try".to_owned() };
                    return Err(worst.unwrap_or(nothing));
                };
                waiting.push(address);
                in_flight.push(self.open(address));
            }
            tokio::select! {
                Some((address, outcome)) = in_flight.next() => {
                    waiting.retain(|other| *other != address);
                    match outcome {
                        Ok(socket) => {
                            pending.extend(waiting);
                            return Ok((socket, address));
                        }
                        Err(kind) => {
                            attempts.push(Attempt { address, outcome: tcp_outcome(&kind) });
                            worst = Some(more_telling(worst, kind));
                        }
                    }
                }
                () = sleep(self.timings.next_address), if !pending.is_empty() => {
                    if let Some(address) = pending.pop_front() {
                        waiting.push(address);
                        in_flight.push(self.open(address));
                    }
                }
            }
        }
    }

    /// One TCP connection.
    async fn open(&self, address: SocketAddr) -> (SocketAddr, Result<TcpStream, ErrorKind>) {
        let after = self.timings.connect;
        let outcome = match timeout(after, TcpStream::connect(address)).await {
            Err(_) => Err(ErrorKind::ConnectTimeout { after }),
            Ok(Ok(socket)) => {
                self.tune(&socket);
                Ok(socket)
            }
            Ok(Err(error)) => Err(match error.kind() {
                io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => ErrorKind::Refused,
                io::ErrorKind::TimedOut => ErrorKind::ConnectTimeout { after },
                _ => ErrorKind::Unreachable { text: system_text(&error) },
            }),
        };
        (address, outcome)
    }

    /// Small writes at once, and dead peers noticed. Neither is worth failing for.
    fn tune(&self, socket: &TcpStream) {
        let _ = socket.set_nodelay(true);
        let keepalive = TcpKeepalive::new()
            .with_time(self.timings.keepalive_idle)
            .with_interval(self.timings.keepalive_interval)
            .with_retries(self.timings.keepalive_probes);
        if let Err(error) = SockRef::from(socket).set_tcp_keepalive(&keepalive) {
            tracing::debug!(endpoint = %self.endpoint, %error, "no TCP keep-alive");
        }
    }

    /// The TLS handshake.
    async fn greet(&self, socket: TcpStream) -> Result<TlsStream<Counted<TcpStream>>, ErrorKind> {
        let config = self.tls.clone().map_err(|text| ErrorKind::Tls { text })?;
        let name = server_name(&self.host)
            .ok_or_else(|| ErrorKind::Tls { text: format!("{} is no name for TLS", self.host) })?;
        let socket = Counted::new(socket, Arc::clone(&self.stats));
        let opening = socket.opening();
        let after = self.timings.tls;
        match timeout(after, TlsConnector::from(config).connect(name, socket)).await {
            Err(_) => Err(ErrorKind::NoAnswer { after }),
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => {
                let opening = opening.lock().unwrap_or_else(PoisonError::into_inner);
                Err(handshake_error(&error, &opening))
            }
        }
    }
}

/// The TLS configuration: our verifier, the ring provider given explicitly, sessions resumed within this
/// configuration only, no early data.
fn tls_config(verifier: Arc<Verifier>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    config.enable_early_data = false;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What a failed handshake was.
fn handshake_error(error: &io::Error, opening: &[u8]) -> ErrorKind {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        if let Some(refusal) = refusal_in(error) {
            return refusal.into();
        }
        if opening.starts_with(b"HTTP/") {
            let text = "the server does not speak TLS on this port, it answers in plain HTTP".to_owned();
            return ErrorKind::Tls { text };
        }
        return ErrorKind::Tls { text: error.to_string() };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            ErrorKind::Cut { text: "the server closed the connection".to_owned() }
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            ErrorKind::Cut { text: "connection reset by the server".to_owned() }
        }
        _ => ErrorKind::Cut { text: system_text(error) },
    }
}

/// The system's words without their number.
pub(crate) fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text.get(..at).unwrap_or(&text).to_owned(),
        None => text,
    }
}

/// The addresses with their families alternating, otherwise in the resolver's order, none twice.
fn alternate(found: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (mut one, mut other): (VecDeque<_>, VecDeque<_>) =
        found.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = VecDeque::new();
    while !one.is_empty() || !other.is_empty() {
        for address in [one.pop_front(), other.pop_front()].into_iter().flatten() {
            if !order.contains(&address) {
                order.push_back(address);
            }
        }
    }
    order
}

/// Of two failures of different addresses, the one that says more about the host: somebody refused, nobody
/// answered, no way there.
fn more_telling(known: Option<ErrorKind>, new: ErrorKind) -> ErrorKind {
    let rank = |kind: &ErrorKind| match kind {
        ErrorKind::Refused => 2,
        ErrorKind::ConnectTimeout { .. } => 1,
        _ => 0,
    };
    match known {
        Some(known) if rank(&known) >= rank(&new) => known,
        _ => new,
    }
}

fn tcp_outcome(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Refused => "connection refused".to_owned(),
        ErrorKind::ConnectTimeout { after } => format!("timed out after {}", seconds(*after)),
        ErrorKind::Unreachable { text } => text.clone(),
        _ => "failed".to_owned(),
    }
}

fn tls_outcome(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Tls { text } | ErrorKind::Cut { text } => format!("connected, then TLS failed: {text}"),
        ErrorKind::NoAnswer { .. } => "connected, then no answer to the TLS greeting".to_owned(),
        _ => "connected, but the certificate is not trusted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port of loopback where this is done with each connection.
    async fn port<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket));
            }
        });
        address
    }

    fn connector() -> Connector {
        let verifier = Arc::new(Verifier::new(None, crate::trust::SystemStore::of(Vec::<Vec<u8>>::new())));
        Connector::new("127.0.0.1:1".parse().unwrap(), verifier, Timings::shrunk(), Arc::default())
    }

    #[tokio::test]
    async fn every_address_is_tried_until_one_speaks_tls() {
        let refusing = port(|_| async {}).await;
        let closed = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let made =
            rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().self_signed(&key).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let speaking = port(move |socket| {
            let acceptor = acceptor.clone();
            async move {
                let _held = acceptor.accept(socket).await;
                sleep(Duration::from_secs(1)).await;
            }
        })
        .await;

        let connected = connector().connect_any(VecDeque::from([closed, refusing, speaking])).await.unwrap();
        assert_eq!(connected.peer, speaking);

        let failed = connector().connect_any(VecDeque::from([closed, refusing])).await.err().unwrap();
        assert!(matches!(failed.kind(), ErrorKind::Cut { .. }), "{failed:?}");
        let tried: Vec<_> = failed.attempts().iter().map(|attempt| attempt.address).collect();
        assert_eq!(tried, [closed, refusing]);
    }

    #[tokio::test]
    async fn a_silent_address_holds_up_the_next_one_only_for_its_head_start() {
        // Nobody answers a full queue.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(1).unwrap();
        let silent = socket.local_addr().unwrap().as_socket().unwrap();
        let mut held = Vec::new();
        for _ in 0..4 {
            held.extend(timeout(Duration::from_millis(100), TcpStream::connect(silent)).await);
        }
        let open = port(|socket| async move {
            let _held = socket;
            sleep(Duration::from_secs(1)).await;
        })
        .await;
        let timings = Timings { connect: Duration::from_secs(60), ..Timings::shrunk() };
        let connector = Connector { timings, ..connector() };
        let mut pending = VecDeque::from([silent, open]);
        let (_, peer) = connector.open_any(&mut pending, &mut Vec::new()).await.unwrap();
        assert_eq!(peer, open);
        // What was not heard out is still there to be tried, should TLS fail on the winner.
        assert_eq!(pending, [silent]);
    }

    #[test]
    fn families_alternate_and_nothing_is_tried_twice() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let found =
            parse(&["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::1]:1", "192.0.2.1:1", "192.0.2.2:1"]);
        let wanted = parse(&["[2001:db8::1]:1", "192.0.2.1:1", "[2001:db8::2]:1", "192.0.2.2:1"]);
        assert_eq!(alternate(found), wanted);
    }

    #[test]
    fn a_refusal_says_more_than_silence() {
        let after = Duration::from_secs(5);
        let no_route = ErrorKind::Unreachable { text: "No route to host".into() };
        let told = more_telling(Some(no_route), ErrorKind::ConnectTimeout { after });
        assert!(matches!(told, ErrorKind::ConnectTimeout { .. }));
        assert!(matches!(more_telling(Some(told), ErrorKind::Refused), ErrorKind::Refused));
        let told = more_telling(Some(ErrorKind::Refused), ErrorKind::ConnectTimeout { after });
        assert!(matches!(told, ErrorKind::Refused));
    }
}
