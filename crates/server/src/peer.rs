//! Where a connection comes from, and whom a request says it comes from: [`Peer`], [`Whence`].

use std::net::{IpAddr, SocketAddr};

/// The other end of a connection. Whoever accepts connections puts it into each request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP.
    Tcp {
        /// Its address.
        address: SocketAddr,
        /// Whether the connection itself is TLS.
        tls: bool,
        /// Whether it was accepted on the address that is for metrics only.
        metrics_only: bool,
    },
    /// Over the Unix socket, as the kernel tells.
    Unix {
        /// The user's number.
        uid: u32,
        /// The user's name, where the system knows one.
        name: Option<String>,
    },
}

/// Where a request comes from once forwarded headers of trusted proxies are believed, and those of others not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whence {
    pub(crate) peer: Peer,
    /// The caller's address; `None` on the Unix socket.
    pub(crate) address: Option<IpAddr>,
    /// Whether the caller speaks TLS, be it to a trusted proxy.
    pub(crate) secure: bool,
}

impl Whence {
    /// For records: an address, or `socket`.
    pub(crate) fn text(&self) -> String {
        match self.address {
            Some(address) => address.to_string(),
            None => "socket".to_owned(),
        }
    }
}
