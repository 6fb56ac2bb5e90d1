//! Connections kept for the next GET: [`Pool`].

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::exchange::Conn;

/// Idle connections of one endpoint, the freshest used first.
///
/// The server ends an idle connection after 5 s and any connection after 100 requests, so both are kept below that
/// here; a kept connection may be dead all the same.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<VecDeque<(Instant, Conn)>>,
    keep: Duration,
    size: usize,
    requests: u32,
}

impl Pool {
    pub(crate) fn new(keep: Duration, size: usize, requests: u32) -> Self {
        Self { idle: Mutex::default(), keep, size, requests }
    }

    /// The connection used last, if it is still good as far as is known. Those idle for too long are dropped.
    pub(crate) fn take(&self, now: Instant) -> Option<Conn> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, conn)| now.saturating_duration_since(*since) < self.keep && !conn.is_closed());
        idle.pop_back().map(|(_, conn)| conn)
    }

    /// Keeps a connection for the next call, unless it has served its number of requests.
    pub(crate) fn put(&self, conn: Conn, now: Instant) {
        if conn.requests() >= self.requests || conn.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back((now, conn));
        while idle.len() > self.size {
            idle.pop_front();
        }
    }

    /// Closes every kept connection.
    pub(crate) fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
