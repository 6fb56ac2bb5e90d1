//! Counters of what went over the wire.

use std::sync::atomic::{AtomicU64, Ordering};

/// Running counters; shared by every client of one remote, read through [`Stats::snapshot`].
#[derive(Debug, Default)]
pub(crate) struct Stats {
    requests: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    connections: AtomicU64,
    resumed: AtomicU64,
    retries: AtomicU64,
    sign_ins: AtomicU64,
    renewals: AtomicU64,
}

/// The counters at one moment. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct StatsSnapshot {
    /// Requests written, repeats and sign-ins included.
    pub requests: u64,
    /// Bytes received on the sockets, TLS included.
    pub bytes_in: u64,
    /// Bytes sent on the sockets, TLS included.
    pub bytes_out: u64,
    /// Connections opened up to a finished TLS handshake.
    pub connections: u64,
    /// Those of them that resumed a TLS session.
    pub resumed: u64,
    /// GETs repeated because a kept connection was dead.
    pub retries: u64,
    /// Sign-ins with a password.
    pub sign_ins: u64,
    /// Renewals of a ticket.
    pub renewals: u64,
}

impl Stats {
    /// The counters now.
    pub(crate) fn snapshot(&self) -> StatsSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StatsSnapshot {
            requests: read(&self.requests),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            connections: read(&self.connections),
            resumed: read(&self.resumed),
            retries: read(&self.retries),
            sign_ins: read(&self.sign_ins),
            renewals: read(&self.renewals),
        }
    }

    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn connection(&self, resumed: bool) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        if resumed {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sign_in(&self) {
        self.sign_ins.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn renewal(&self) {
        self.renewals.fetch_add(1, Ordering::Relaxed);
    }
}
