//! Resolve → TCP → TLS, each with its own time-out and its own errors: [`Connector`].

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
use crate::trust::{Certificate, Verifier, refusal_in, server_name};

/// TLS sessions kept for resumption; a handful of connections to one endpoint needs no more.
const SESSIONS: usize = 8;

/// What a connection that ends with a reset is said to have done.
const RESET: &str = "connection reset by the server";

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
    shown: Mutex<Vec<Certificate>>,
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
    pub(crate) fn new(address: Address, verifier: Verifier, timings: Timings, stats: Arc<Stats>) -> Self {
        // A certificate names addresses without their zone.
        let host = address.host.ip().map_or_else(|| address.dial_host(), |ip| ip.to_string());
        let tls = tls_config(verifier).map(Arc::new).map_err(|error| error.to_string());
        Self { endpoint: address.to_string(), address, host, shown: Mutex::default(), tls, timings, stats }
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

    /// The chain of the last full handshake that was finished, leaf first; empty before the first one.
    pub(crate) fn shown(&self) -> Vec<Certificate> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// A new connection to whichever of these addresses is the first to finish its handshake.
    ///
    /// Each has a head start over the next one: a short time to be opened, and once it is open a longer one for the
    /// handshake. Where there are many addresses both are shorter, so that even if all of them are silent the last
    /// one is begun within the time of one handshake.
    async fn connect_any(&self, mut pending: VecDeque<SocketAddr>) -> Result<Connected, Error> {
        let share = self.timings.tls / u32::try_from(pending.len()).unwrap_or(u32::MAX).max(1);
        let mut race = FuturesUnordered::new();
        let mut attempts = Vec::new();
        let mut worst = None;
        let mut opened = Arc::new(AtomicBool::new(false));
        let mut begun = Instant::now();
        let mut due = true;
        loop {
            if std::mem::take(&mut due)
                && let Some(address) = pending.pop_front()
            {
                opened = Arc::default();
                begun = Instant::now();
                race.push(self.attempt(address, Arc::clone(&opened)));
            }
            let head_start = if opened.load(Ordering::Acquire) {
                self.timings.next_handshake.min(share)
            } else {
                self.timings.next_address.min(share)
            };
            let left = head_start.saturating_sub(begun.elapsed());
            tokio::select! {
                next = race.next() => match next {
                    None => {
                        let nothing = ErrorKind::Unreachable { text: "no address is left to try".to_owned() };
                        let (kind, phase) = worst.unwrap_or((nothing, Phase::Connect));
                        return Err(self.error(kind, phase).with_attempts(attempts));
                    }
                    Some((address, Ok(stream))) => return Ok(self.connected(stream, address)),
                    Some((address, Err((kind, phase)))) => {
                        attempts.push(Attempt { address, outcome: outcome_text(&kind, phase) });
                        if is_about_trust(&kind) {
                            return Err(self.error(kind, phase).with_attempts(attempts));
                        }
                        worst = Some(more_telling(worst, (kind, phase)));
                        due = true;
                    }
                },
                () = sleep(left), if !pending.is_empty() => {
                    // Opened meanwhile, it has the longer head start.
                    due = begun.elapsed() >= self.timings.next_handshake.min(share)
                        || !opened.load(Ordering::Acquire);
                }
            }
        }
    }

    /// One address, up to a finished handshake. Notes when the connection is open.
    async fn attempt(
        &self,
        address: SocketAddr,
        opened: Arc<AtomicBool>,
    ) -> (SocketAddr, Result<TlsStream<Counted<TcpStream>>, (ErrorKind, Phase)>) {
        let outcome = match self.open(address).await {
            Err(kind) => Err((kind, Phase::Connect)),
            Ok(socket) => {
                opened.store(true, Ordering::Release);
                self.greet(socket).await.map_err(|kind| (kind, Phase::Tls))
            }
        };
        (address, outcome)
    }

    /// The connection that won; the certificate it was begun with is remembered.
    fn connected(&self, stream: TlsStream<Counted<TcpStream>>, peer: SocketAddr) -> Connected {
        let session = stream.get_ref().1;
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        if !resumed {
            let chain = session.peer_certificates().unwrap_or_default();
            let chain = chain.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        }
        self.stats.connection(resumed);
        tracing::trace!(endpoint = %self.endpoint, %peer, resumed, "connected");
        Connected { stream: Watched::new(stream), peer }
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

    /// One TCP connection.
    async fn open(&self, address: SocketAddr) -> Result<TcpStream, ErrorKind> {
        let after = self.timings.connect;
        match timeout(after, TcpStream::connect(address)).await {
            Err(_) => Err(ErrorKind::ConnectTimeout { after }),
            Ok(Ok(socket)) => {
                self.tune(&socket);
                Ok(socket)
            }
            Ok(Err(error)) => Err(match error.kind() {
                io::ErrorKind::ConnectionRefused => ErrorKind::Refused,
                // Somebody listens, and hung up before the first byte.
                io::ErrorKind::ConnectionReset => ErrorKind::Cut { text: RESET.to_owned() },
                io::ErrorKind::TimedOut => ErrorKind::ConnectTimeout { after },
                _ => ErrorKind::Unreachable { text: system_text(&error) },
            }),
        }
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
fn tls_config(verifier: Verifier) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
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
        return ErrorKind::Tls { text: not_tls(opening).unwrap_or_else(|| error.to_string()) };
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            ErrorKind::Cut { text: "the server closed the connection".to_owned() }
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            ErrorKind::Cut { text: RESET.to_owned() }
        }
        _ => ErrorKind::Cut { text: system_text(error) },
    }
}

/// What a server says whose first bytes are no TLS; `None` if they are.
fn not_tls(opening: &[u8]) -> Option<String> {
    let no_tls = "the server does not speak TLS on this port";
    match opening {
        // The kinds of records there are: each begins with one of these.
        [] | [20..=24, ..] => None,
        _ if opening.starts_with(b"HTTP/") => Some(format!("{no_tls}, it answers in plain HTTP")),
        _ => {
            let words = opening.iter().take_while(|byte| byte.is_ascii_graphic() || **byte == b' ');
            let words: String = words.copied().map(char::from).collect();
            match words.trim() {
                "" => Some(no_tls.to_owned()),
                words => Some(format!("{no_tls}, it begins with “{words}”")),
            }
        }
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

/// Of two failures of different addresses, the one that says more about the host: a handshake that broke, somebody
/// refused, nobody answered, no way there.
fn more_telling(known: Option<(ErrorKind, Phase)>, new: (ErrorKind, Phase)) -> (ErrorKind, Phase) {
    let rank = |(kind, phase): &(ErrorKind, Phase)| match (phase, kind) {
        (Phase::Tls, _) => 3,
        (_, ErrorKind::Refused) => 2,
        (_, ErrorKind::ConnectTimeout { .. }) => 1,
        _ => 0,
    };
    match known {
        Some(known) if rank(&known) >= rank(&new) => known,
        _ => new,
    }
}

fn is_about_trust(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Untrusted { .. }
            | ErrorKind::CertificateChanged { .. }
            | ErrorKind::CertificateWithoutKey { .. }
    )
}

/// What came of one address, as a person reads it.
fn outcome_text(kind: &ErrorKind, phase: Phase) -> String {
    match (kind, phase) {
        (ErrorKind::Refused, _) => "connection refused".to_owned(),
        (ErrorKind::ConnectTimeout { after }, _) => format!("timed out after {}", seconds(*after)),
        (ErrorKind::Unreachable { text }, _) => text.clone(),
        (ErrorKind::NoAnswer { .. }, _) => "connected, then no answer to the TLS greeting".to_owned(),
        (ErrorKind::Tls { text } | ErrorKind::Cut { text }, _) => {
            format!("connected, then TLS failed: {text}")
        }
        (kind, _) if is_about_trust(kind) => "connected, but the certificate is not trusted".to_owned(),
        (_, Phase::Tls) => "connected, then TLS failed".to_owned(),
        _ => "failed".to_owned(),
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
        let verifier = Verifier::new(None, crate::trust::SystemStore::of(Vec::<Vec<u8>>::new()));
        Connector::new("127.0.0.1:1".parse().unwrap(), verifier, Timings::shrunk(), Arc::default())
    }

    /// A port where TLS is spoken, with a certificate of its own.
    async fn speaking() -> SocketAddr {
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
        port(move |socket| {
            let acceptor = acceptor.clone();
            async move {
                let _held = acceptor.accept(socket).await;
                std::future::pending::<()>().await;
            }
        })
        .await
    }

    /// A port that accepts and says nothing.
    async fn mute() -> SocketAddr {
        port(|socket| async move {
            let _held = socket;
            std::future::pending::<()>().await;
        })
        .await
    }

    fn tried(error: &Error) -> Vec<SocketAddr> {
        error.attempts().iter().map(|attempt| attempt.address).collect()
    }

    #[tokio::test]
    async fn every_address_is_tried_until_one_speaks_tls() {
        let closing = port(|_| async {}).await;
        let closed = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let speaking = speaking().await;
        let connector = connector();
        let connected = connector.connect_any(VecDeque::from([closed, closing, speaking])).await.unwrap();
        assert_eq!(connected.peer, speaking);
        assert_eq!(connector.shown().len(), 1);

        // A handshake that broke says more than a port that is closed.
        let failed = connector.connect_any(VecDeque::from([closing, closed])).await.err().unwrap();
        assert!(matches!(failed.kind(), ErrorKind::Cut { .. }), "{failed:?}");
        assert_eq!((failed.phase(), tried(&failed)), (Phase::Tls, vec![closing, closed]));
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
        let (mute, speaking) = (mute().await, speaking().await);
        let forever = Duration::from_secs(60);
        let timings = Timings { connect: forever, tls: forever, ..Timings::shrunk() };
        let connector = Connector { timings, ..connector() };
        let connecting = connector.connect_any(VecDeque::from([silent, mute, speaking]));
        let connected = timeout(Duration::from_secs(20), connecting).await.unwrap().unwrap();
        assert_eq!(connected.peer, speaking);
    }

    #[tokio::test]
    async fn many_silent_addresses_cost_hardly_more_than_one() {
        let mut silent = VecDeque::new();
        for _ in 0..12 {
            silent.push_back(mute().await);
        }
        let timings = Timings { next_handshake: Duration::from_secs(60), ..Timings::shrunk() };
        let limit = timings.tls;
        let connector = Connector { timings, ..connector() };
        let began = Instant::now();
        let failed = connector.connect_any(silent.clone()).await.err().unwrap();
        assert!(matches!(failed.kind(), ErrorKind::NoAnswer { .. }), "{failed:?}");
        let mut tried = tried(&failed);
        tried.sort();
        let mut all = Vec::from(silent);
        all.sort();
        assert_eq!(tried, all, "every address is tried");
        // One after the other they would take twelve times as long as one.
        assert!(began.elapsed() < limit * 6, "{:?}", began.elapsed());
    }

    #[test]
    fn what_is_no_tls_is_said_as_it_is() {
        assert_eq!(not_tls(b""), None);
        assert_eq!(not_tls(&[22, 3, 3, 0, 80]), None);
        assert_eq!(not_tls(&[21, 3, 1, 0, 2]), None);
        let told = |opening: &[u8]| not_tls(opening).unwrap();
        assert!(told(b"HTTP/1.1 400 Bad").ends_with("plain HTTP"));
        assert!(told(b"SSH-2.0-OpenSSH_").ends_with("it begins with “SSH-2.0-OpenSSH_”"));
        assert_eq!(told(&[0, 1, 2]), "the server does not speak TLS on this port");
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
        let no_route = (ErrorKind::Unreachable { text: "No route to host".into() }, Phase::Connect);
        let silence = || (ErrorKind::ConnectTimeout { after }, Phase::Connect);
        let told = more_telling(Some(no_route), silence());
        assert!(matches!(told.0, ErrorKind::ConnectTimeout { .. }));
        let told = more_telling(Some(told), (ErrorKind::Refused, Phase::Connect));
        assert!(matches!(told.0, ErrorKind::Refused));
        let told = more_telling(Some(told), silence());
        assert!(matches!(told.0, ErrorKind::Refused));
        let told = more_telling(Some(told), (ErrorKind::NoAnswer { after }, Phase::Tls));
        assert_eq!(told.1, Phase::Tls);
    }
}
