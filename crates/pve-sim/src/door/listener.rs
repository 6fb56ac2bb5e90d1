//! The sockets of the nodes: open, refusing, or deaf behind a full listen queue.
//!
//! One task per node owns its socket and follows the [`Mode`] that faults and the state of the node ask for.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::connection;
use super::inner::Inner;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// After so long a connection that the kernel would accept at once has been left unanswered.
const DEAF_AFTER: Duration = Duration::from_millis(150);

/// What a socket does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// Accepts.
    #[default]
    Open,
    /// Refuses: nobody listens.
    Refuse,
    /// Leaves SYNs unanswered.
    Deaf,
}

/// A mode, and the number of the order to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) mode: Mode,
}

enum Socket {
    Listening(TcpListener),
    /// Bound, so that nobody else takes the port, but not listening.
    Holding(TcpSocket),
    /// The listen queue is filled with the streams held here.
    Deaf(TcpListener, Vec<TcpStream>, BTreeSet<SocketAddr>),
    /// Could not be had back.
    Lost,
}

/// Opens a socket for a node.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    open_socket(address)?.listen(BACKLOG)
}

fn open_socket(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves one node until the remote ends.
pub(crate) async fn run(
    inner: Arc<Inner>,
    node: usize,
    listener: TcpListener,
    mut orders: watch::Receiver<Order>,
    done: watch::Sender<u64>,
) {
    let Some(address) = inner.node(node).map(|node| node.address) else { return };
    let mut socket = Socket::Listening(listener);
    let mut ignore = BTreeSet::new();
    loop {
        let order = *orders.borrow_and_update();
        socket = change(socket, order.mode, address, &mut ignore).await;
        done.send_replace(order.number);
        let changed = match &socket {
            Socket::Listening(listener) => tokio::select! {
                changed = orders.changed() => changed,
                () = accept_all(&inner, node, listener, &mut ignore) => Ok(()),
                () = inner.stop.cancelled() => return,
            },
            _ => tokio::select! {
                changed = orders.changed() => changed,
                () = inner.stop.cancelled() => return,
            },
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn accept_all(
    inner: &Arc<Inner>,
    node: usize,
    listener: &TcpListener,
    ignore: &mut BTreeSet<SocketAddr>,
) {
    loop {
        match listener.accept().await {
            Ok((_, peer)) if ignore.remove(&peer) => {}
            Ok((stream, peer)) => {
                inner.tracker.spawn(connection::serve(Arc::clone(inner), node, stream, peer));
            }
            Err(error) => {
                // Out of descriptors, mostly: a real server would not end for it either.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn change(
    socket: Socket,
    mode: Mode,
    address: SocketAddr,
    ignore: &mut BTreeSet<SocketAddr>,
) -> Socket {
    match (socket, mode) {
        (socket @ Socket::Listening(_), Mode::Open)
        | (socket @ Socket::Holding(_), Mode::Refuse)
        | (socket @ Socket::Deaf(..), Mode::Deaf) => socket,
        (Socket::Listening(listener), Mode::Refuse) => hold(listener, address),
        (Socket::Deaf(listener, _, _), Mode::Refuse) => hold(listener, address),
        (Socket::Listening(listener), Mode::Deaf) => deafen(listener, address).await,
        (Socket::Deaf(listener, streams, ours), Mode::Open) => {
            drop(streams);
            ignore.extend(ours);
            relisten(&listener, BACKLOG);
            Socket::Listening(listener)
        }
        (Socket::Holding(socket), Mode::Open) => match socket.listen(BACKLOG) {
            Ok(listener) => Socket::Listening(listener),
            Err(error) => lost(address, &error),
        },
        (Socket::Holding(socket), Mode::Deaf) => match socket.listen(BACKLOG) {
            Ok(listener) => deafen(listener, address).await,
            Err(error) => lost(address, &error),
        },
        (Socket::Lost, Mode::Refuse) => Socket::Lost,
        (Socket::Lost, mode) => match bind(address) {
            Ok(listener) if mode == Mode::Deaf => deafen(listener, address).await,
            Ok(listener) => Socket::Listening(listener),
            Err(error) => lost(address, &error),
        },
    }
}

/// Stops listening without giving the port away: a second socket takes it before the first lets go.
fn hold(listener: TcpListener, address: SocketAddr) -> Socket {
    let reserved = reserve(&listener, address);
    drop(listener);
    match reserved.or_else(|_| open_socket(address)) {
        Ok(socket) => Socket::Holding(socket),
        Err(error) => lost(address, &error),
    }
}

fn reserve(listener: &TcpListener, address: SocketAddr) -> std::io::Result<TcpSocket> {
    SockRef::from(listener).set_reuse_port(true)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Fills the listen queue, made as short as it can be, with connections of our own: what comes after is not
/// answered.
async fn deafen(listener: TcpListener, address: SocketAddr) -> Socket {
    relisten(&listener, 0);
    let mut streams = Vec::new();
    let mut ours = BTreeSet::new();
    for _ in 0..8 {
        match tokio::time::timeout(DEAF_AFTER, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                ours.extend(stream.local_addr());
                streams.push(stream);
            }
            _ => break,
        }
    }
    Socket::Deaf(listener, streams, ours)
}

/// Listening again on a listening socket changes the length of its queue.
fn relisten(listener: &TcpListener, backlog: u32) {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    if let Err(error) = SockRef::from(listener).listen(backlog) {
        tracing::warn!(%error, "the listen queue could not be changed");
    }
}

fn lost(address: SocketAddr, error: &std::io::Error) -> Socket {
    tracing::error!(%address, %error, "the port could not be had back");
    Socket::Lost
}
