//! Every time-out, interval and bound of the client in one value that is handed in: [`Timings`].

use std::time::Duration;

/// How long the client waits, how often it keeps things alive, and how much it holds.
///
/// The default holds the true figures; tests over sockets use [`Timings::shrunk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// Resolving a host name.
    pub resolve: Duration,
    /// One TCP connection attempt, per address.
    pub connect: Duration,
    /// Head start of one address, to be opened, before the next one is tried beside it.
    pub next_address: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// Head start of an address that has been opened, for its handshake, before the next one is tried beside it.
    pub next_handshake: Duration,
    /// From the request's start to the head of its answer. The server's own limit for a call that it passes
    /// on to another node is 30 s, so the verdict of a 596 still arrives.
    pub answer: Duration,
    /// Between two pieces of a body.
    pub body_idle: Duration,
    /// From the head of an answer to the end of its body.
    pub body_total: Duration,
    /// How long an idle connection is kept. The server closes it after 5 s.
    pub pool_idle: Duration,
    /// Idle time after which TCP keep-alive probes begin.
    pub keepalive_idle: Duration,
    /// Interval of TCP keep-alive probes.
    pub keepalive_interval: Duration,
    /// Unanswered TCP keep-alive probes before the connection counts as dead.
    pub keepalive_probes: u32,
    /// Life of a ticket; it is renewed at half of this.
    pub ticket_lifetime: Duration,
    /// Waiting for the renewal of a ticket that is still good: what it was renewed for has to wait for it.
    pub renewal: Duration,
    /// After a failed renewal of a ticket that is still good: how long until the next one.
    pub renewal_pause: Duration,
    /// Waiting for a free place among the calls to one node. Those before it may take as long as an answer may, and
    /// a call that has waited for two rounds of such will not fare better.
    pub place: Duration,
    /// Calls at once to one node, and cluster-level calls at once to one endpoint.
    pub calls_per_node: usize,
    /// Requests on one connection; the server ends it after 100.
    pub requests_per_connection: u32,
    /// Idle connections kept per endpoint.
    pub pool_size: usize,
    /// Bound of a listing after decompression, in bytes.
    pub listing_bytes: u64,
    /// Bound of every other answer after decompression, in bytes.
    pub answer_bytes: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            next_address: Duration::from_millis(250),
            tls: Duration::from_secs(5),
            next_handshake: Duration::from_secs(1),
            answer: Duration::from_secs(35),
            body_idle: Duration::from_secs(15),
            body_total: Duration::from_secs(60),
            pool_idle: Duration::from_secs(4),
            keepalive_idle: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(5),
            keepalive_probes: 3,
            ticket_lifetime: Duration::from_secs(2 * 60 * 60),
            renewal: Duration::from_secs(10),
            renewal_pause: Duration::from_secs(60),
            place: Duration::from_secs(75),
            calls_per_node: 3,
            requests_per_connection: 100,
            pool_size: 4,
            listing_bytes: 64 * 1024 * 1024,
            answer_bytes: 4 * 1024 * 1024,
        }
    }
}

impl Timings {
    /// Figures for tests over loopback sockets: the same order, much shorter. The waits for something that
    /// does come are kept long enough for a busy machine.
    pub fn shrunk() -> Self {
        Self {
            resolve: Duration::from_secs(2),
            connect: Duration::from_millis(600),
            next_address: Duration::from_millis(50),
            tls: Duration::from_millis(1500),
            next_handshake: Duration::from_millis(200),
            answer: Duration::from_millis(1500),
            body_idle: Duration::from_secs(1),
            body_total: Duration::from_secs(2),
            pool_idle: Duration::from_millis(400),
            renewal: Duration::from_millis(1500),
            renewal_pause: Duration::from_millis(50),
            place: Duration::from_secs(5),
            ..Self::default()
        }
    }
}
