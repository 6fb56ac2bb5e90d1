//! Accepting connections: over TCP with or without TLS, and on a Unix socket. A caller who is slow or greedy
//! loses their own connection only.

mod pace;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use self::pace::{Phase, Watched};
use crate::app::App;
use crate::peer::Peer;
use crate::people::neighbourhood;
use crate::settings::Limits;

/// After a failed accept (no file handles left, say) it is tried again after this long.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What all listeners of one server share. Clones share it.
#[derive(Clone)]
pub struct Doors {
    app: App,
    router: Router,
    places: Arc<Semaphore>,
    /// Apart from those of callers over TCP: however many these are, whoever sits at the machine gets in.
    local_places: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    stopped: watch::Receiver<bool>,
    open: TaskTracker,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doors").field("connections", &self.open.len()).finish_non_exhaustive()
    }
}

impl Doors {
    /// Opens no door yet. Once `stopped` says `true`, nobody new is let in, idle connections close, and those with
    /// a request under way close after its answer.
    #[must_use]
    pub fn new(app: &App, stopped: watch::Receiver<bool>) -> Self {
        Self {
            router: app.router(),
            places: Arc::new(Semaphore::new(app.settings().limits.connections)),
            local_places: Arc::new(Semaphore::new(app.settings().limits.connections)),
            by_address: Arc::default(),
            app: app.clone(),
            stopped,
            open: TaskTracker::new(),
        }
    }

    fn limits(&self) -> &Limits {
        &self.app.settings().limits
    }

    /// Serves TCP callers until told to stop; returns once the last connection is closed.
    pub async fn tcp(self, listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>) {
        self.accept_tcp(listener, tls, false).await;
    }

    /// Serves figures and health alone, to whoever can reach the address.
    pub async fn metrics(self, listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>) {
        self.accept_tcp(listener, tls, true).await;
    }

    async fn accept_tcp(
        mut self,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        metrics_only: bool,
    ) {
        let tls = tls.map(TlsAcceptor::from);
        while let Some((stream, address)) = next(&mut self.stopped, || listener.accept()).await {
            let Some(place) = self.place(Some(address.ip())) else { continue };
            let _ = stream.set_nodelay(true);
            let peer = Peer::Tcp { address, tls: tls.is_some(), metrics_only };
            let (doors, tls) = (self.clone(), tls.clone());
            self.open.spawn(async move {
                let _place = place;
                match tls {
                    None => doors.serve(stream, peer).await,
                    Some(tls) => {
                        let handshake =
                            tokio::time::timeout(doors.limits().handshake_time, tls.accept(stream));
                        match handshake.await {
                            Ok(Ok(stream)) => doors.serve(stream, peer).await,
                            Ok(Err(_)) => doors.app.counters().refused("tls_handshake"),
                            Err(_) => doors.app.counters().refused("too_slow"),
                        }
                    }
                }
            });
        }
        self.wait().await;
    }

    /// Serves callers on the same machine, whom the kernel names, until told to stop.
    pub async fn unix(mut self, listener: UnixListener) {
        while let Some((stream, _)) = next(&mut self.stopped, || listener.accept()).await {
            let Some(place) = self.place(None) else { continue };
            let Ok(peer) = unix_peer(&stream) else {
                self.app.counters().refused("unknown_peer");
                continue;
            };
            let doors = self.clone();
            self.open.spawn(async move {
                let _place = place;
                doors.serve(stream, peer).await;
            });
        }
        self.wait().await;
    }

    async fn wait(&self) {
        self.open.close();
        self.open.wait().await;
    }

    /// A place for one more connection, over TCP if it has an address; `None` when there is none.
    fn place(&self, address: Option<IpAddr>) -> Option<impl Send + use<>> {
        let refused = || self.app.counters().refused("too_many_connections");
        let places = if address.is_some() { &self.places } else { &self.local_places };
        let Ok(place) = places.clone().try_acquire_owned() else {
            refused();
            return None;
        };
        let address = address.map(|address| address.to_canonical());
        let counted =
            address.filter(|address| !address.is_loopback() && !self.app.settings().trusts(*address));
        let own = match counted {
            None => None,
            Some(address) => {
                let Some(own) = Counted::enter(
                    &self.by_address,
                    neighbourhood(address),
                    self.limits().connections_per_address,
                ) else {
                    refused();
                    return None;
                };
                Some(own)
            }
        };
        Some((place, own, Gauge::up(self.app.clone())))
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, peer: Peer) {
        let router = self.router.clone();
        let limits = self.limits();
        let (stream, phase) = Watched::new(stream, limits);
        let watched = phase.clone();
        let service = tower::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer.clone());
            let (mut router, phase) = (router.clone(), phase.clone());
            phase.set(Phase::Answering);
            async move {
                let answer = tower::Service::call(&mut router, request.map(axum::body::Body::new)).await;
                answer.map(|answer| pace::until_sent(answer, phase))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Waiting for a head and waiting between two requests have times of their own: see `pace`.
            .header_read_timeout(None)
            .max_buf_size(limits.head.max(8192))
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let mut stopped = self.stopped.clone();
        let asked = async { stopped.wait_for(|stopped| *stopped).await.map(drop) };
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            _ = asked => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if watched.was_slow() {
            // Told apart here: an end before the first byte is no error to whoever speaks HTTP.
            self.app.counters().refused("too_slow");
        } else if let Err(error) = ended {
            self.judge(&error);
        }
    }

    /// Counts how a connection ended that did not end well.
    fn judge(&self, error: &hyper::Error) {
        let counters = self.app.counters();
        if error.is_parse_too_large() {
            counters.refused("head_too_large");
        } else if error.is_parse() {
            counters.refused("not_http");
        }
    }
}

/// The next connection; `None` once stopped.
async fn next<T, F: Future<Output = io::Result<T>>>(
    stopped: &mut watch::Receiver<bool>,
    accept: impl Fn() -> F,
) -> Option<T> {
    loop {
        tokio::select! {
            biased;
            // What it lends must not live on beside the other branch: it cannot be sent between threads.
            () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => return None,
            accepted = accept() => match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            },
        }
    }
}

fn unix_peer(stream: &UnixStream) -> io::Result<Peer> {
    let uid = rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw();
    Ok(Peer::Unix { uid, name: user_name(uid) })
}

/// What the system calls a user; `None`: nothing.
#[must_use]
pub fn user_name(uid: u32) -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })?;
    Some(found.to_owned())
}

/// One connection of an address.
struct Counted {
    all: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Counted {
    fn enter(all: &Arc<Mutex<HashMap<IpAddr, usize>>>, address: IpAddr, most: usize) -> Option<Self> {
        let mut counts = all.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Self { all: all.clone(), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// One connection in the figures.
struct Gauge(App);

impl Gauge {
    fn up(app: App) -> Self {
        app.counters().connections().inc();
        Self(app)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.0.counters().connections().dec();
    }
}

#[cfg(test)]
mod tests {
    use fleet::{Clock, Fleet, Timings};
    use store::{Keys, Place, Store};

    use super::*;
    use crate::Settings;

    #[tokio::test]
    async fn a_network_of_ipv6_has_the_connections_of_one_address() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(place, keys, store::Timings::default()).await.unwrap();
        let clock = Clock::new();
        let fleet = Fleet::open(Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
        let limits = Limits { connections_per_address: 2, ..Limits::default() };
        let app = App::new(fleet, store, Settings { limits, ..Settings::default() }, clock).await.unwrap();
        let (_stop, stopped) = watch::channel(false);
        let doors = Doors::new(&app, stopped);
        let place = |address: &str| doors.place(Some(address.parse().unwrap()));
        let (one, two) = (place("2001:db8:0:1::1"), place("2001:db8:0:1::2"));
        assert!(one.is_some() && two.is_some());
        assert!(place("2001:db8:0:1:ffff::9").is_none());
        assert!(place("2001:db8:0:2::1").is_some(), "another network has its own");
        assert!(place("::1").is_some(), "this machine is not bounded so");
        drop(one);
        assert!(place("2001:db8:0:1:ffff::9").is_some());
    }
}
