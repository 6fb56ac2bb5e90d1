//! What the sockets saw: every connection and every request that reached HTTP, for tests to look at.

use std::collections::VecDeque;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::seam::SimTime;

/// So many exchanges, and as many connections, are kept in all; each remote has its share.
const KEPT: usize = 100_000;
/// The largest share, and the smallest.
const SHARES: (usize, usize) = (20_000, 20);

/// One request that reached HTTP, and what became of it.
#[derive(Clone, Serialize)]
pub struct Exchange {
    /// Counts up from 1 over the whole remote.
    pub seq: u64,
    /// The node whose socket took it.
    pub node: String,
    /// The number of its connection.
    pub connection: u64,
    /// `GET`…
    pub method: String,
    /// As it stands on the wire, without query: `/api2/json/nodes/pve1/lxc`.
    pub path: String,
    /// Query and body parameters in the order in which they came, **secrets included** (serialised without).
    #[serde(serialize_with = "without_secrets")]
    pub params: Vec<(String, String)>,
    /// The names and values of the headers, **secrets included** (serialised without); names as they were sent.
    #[serde(serialize_with = "without_secrets")]
    pub headers: Vec<(String, String)>,
    /// It carried the cookie `PVEAuthCookie`.
    pub had_cookie: bool,
    /// It carried the header `CSRFPreventionToken`.
    pub had_csrf: bool,
    /// It carried an API token.
    pub had_token: bool,
    /// The status that was sent. `None`: none yet, or never.
    pub status: Option<u16>,
    /// When it came, by the remote's own clock.
    #[serde(serialize_with = "millis")]
    pub at: SimTime,
    /// When its answer began to be sent, by the same clock. `None`: not yet, or never.
    #[serde(serialize_with = "maybe_millis")]
    pub answered: Option<SimTime>,
}

fn maybe_millis<S: Serializer>(at: &Option<SimTime>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(SimTime::millis).serialize(serializer)
}

fn millis<S: Serializer>(at: &SimTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(at.millis())
}

/// Parts of the names of what nobody else should read. (The endpoint of a remote migration holds a token.)
const SECRET: [&str; 10] = [
    "endpoint",
    "password",
    "secret",
    "token",
    "ticket",
    "cookie",
    "authorization",
    "challenge",
    "otp",
    "response",
];

fn without_secrets<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(pairs.iter().map(|(name, value)| {
        let lower = name.to_ascii_lowercase();
        let secret = SECRET.iter().any(|word| lower.contains(word));
        (name, if secret { "•••" } else { value.as_str() })
    }))
}

impl Exchange {
    /// The path after `/api2/FORMAT`; the whole path if it is no call of the API.
    #[must_use]
    pub fn api_path(&self) -> &str {
        self.path
            .strip_prefix("/api2/")
            .and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)))
            .unwrap_or(&self.path)
    }

    /// A parameter's value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

// Parameters and headers hold passwords, tickets and tokens: only their names are shown.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Exchange")
            .field("seq", &self.seq)
            .field("node", &self.node)
            .field("connection", &self.connection)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("params", &params)
            .field("had_cookie", &self.had_cookie)
            .field("had_csrf", &self.had_csrf)
            .field("had_token", &self.had_token)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// What became of the TLS handshake of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handshake {
    /// Not over, or never begun.
    None,
    /// Done, with the certificate shown.
    Full,
    /// Done, as continuation of an earlier session: no certificate was shown.
    Resumed,
    /// Broken off, with why: the client's alert, mostly.
    Failed(String),
    /// The client spoke without TLS.
    Plain,
}

/// One TCP connection that was accepted.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionRecord {
    /// Counts up from 1 over the whole remote.
    pub number: u64,
    /// The node whose socket took it.
    pub node: String,
    /// When, by the remote's own clock.
    #[serde(serialize_with = "millis")]
    pub at: SimTime,
    /// The TLS handshake.
    pub handshake: Handshake,
    /// `TLSv1_3` or `TLSv1_2`, once the handshake is done.
    pub tls_version: Option<String>,
    /// The name that the client asked for (SNI), if it did.
    pub server_name: Option<String>,
    /// How many requests it carried.
    pub requests: u64,
    /// How many bytes of application data the client sent, after decryption.
    pub bytes_received: u64,
    /// Whether it is over.
    pub closed: bool,
}

/// The records of one remote.
pub(crate) struct Journal {
    kept: usize,
    exchanges: VecDeque<Exchange>,
    connections: VecDeque<ConnectionRecord>,
    last_exchange: u64,
    last_connection: u64,
}

impl Journal {
    /// That of one remote among so many.
    pub(crate) fn among(remotes: usize) -> Self {
        let (largest, smallest) = SHARES;
        Self {
            kept: (KEPT / remotes.max(1)).clamp(smallest, largest),
            exchanges: VecDeque::new(),
            connections: VecDeque::new(),
            last_exchange: 0,
            last_connection: 0,
        }
    }

    pub(crate) fn open_connection(&mut self, node: &str, at: SimTime) -> u64 {
        self.last_connection += 1;
        if self.connections.len() >= self.kept {
            self.connections.pop_front();
        }
        self.connections.push_back(ConnectionRecord {
            number: self.last_connection,
            node: node.to_owned(),
            at,
            handshake: Handshake::None,
            tls_version: None,
            server_name: None,
            requests: 0,
            bytes_received: 0,
            closed: false,
        });
        self.last_connection
    }

    pub(crate) fn connection(&mut self, number: u64) -> Option<&mut ConnectionRecord> {
        let at = self.connections.binary_search_by_key(&number, |record| record.number).ok()?;
        self.connections.get_mut(at)
    }

    pub(crate) fn open_exchange(&mut self, mut exchange: Exchange) -> u64 {
        self.last_exchange += 1;
        exchange.seq = self.last_exchange;
        if self.exchanges.len() >= self.kept {
            self.exchanges.pop_front();
        }
        self.exchanges.push_back(exchange);
        self.last_exchange
    }

    /// How many exchanges there ever were.
    pub(crate) fn exchanged(&self) -> u64 {
        self.last_exchange
    }

    pub(crate) fn answered(&mut self, seq: u64, status: u16, at: SimTime) {
        if let Ok(found) = self.exchanges.binary_search_by_key(&seq, |exchange| exchange.seq)
            && let Some(exchange) = self.exchanges.get_mut(found)
        {
            exchange.status = Some(status);
            exchange.answered = Some(at);
        }
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.iter().cloned().collect()
    }

    pub(crate) fn connections(&self) -> Vec<ConnectionRecord> {
        self.connections.iter().cloned().collect()
    }

    /// Forgets everything except connections that are open.
    pub(crate) fn clear(&mut self) {
        self.exchanges.clear();
        self.connections.retain(|record| !record.closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut journal = Journal::among(usize::MAX);
        for _ in 0..30 {
            journal.open_connection("pve1", SimTime(0));
        }
        let numbers: Vec<u64> = journal.connections().iter().map(|record| record.number).collect();
        assert_eq!(numbers, (11..=30).collect::<Vec<u64>>());
        assert!(journal.connection(10).is_none());
        assert_eq!(journal.connection(11).unwrap().number, 11);
        journal.connection(12).unwrap().closed = true;
        journal.clear();
        assert!(journal.connection(12).is_none() && journal.connection(13).is_some(), "open ones stay");
        assert_eq!(Journal::among(1).kept, 20_000);
    }
}
