//! What the store has done since it was opened, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened, and the queue as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Changes committed.
    pub writes: u64,
    /// Batches committed.
    pub batches: u64,
    /// Transactions committed: fewer than batches when several waited.
    pub commits: u64,
    /// Transactions that failed.
    pub failed: u64,
    /// Gauges that a later one for the same remote replaced while they waited.
    pub coalesced: u64,
    /// Times the disk was told to keep what was written.
    pub syncs: u64,
    /// Times the disk did not do so: what was written before may be lost by a power failure.
    pub unsynced: u64,
    /// Bytes of bodies committed.
    pub bytes: u64,
    /// Batches waiting for the writer.
    pub queue: u64,
    /// How many may wait.
    pub queue_bound: u64,
    /// Damage that the check behind a running store found.
    pub damaged: bool,
}

/// The same, as it is counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) writes: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) coalesced: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) unsynced: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) damaged: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn figures(&self, waiting: usize, bound: usize) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            writes: read(&self.writes),
            batches: read(&self.batches),
            commits: read(&self.commits),
            failed: read(&self.failed),
            coalesced: read(&self.coalesced),
            syncs: read(&self.syncs),
            unsynced: read(&self.unsynced),
            bytes: read(&self.bytes),
            queue: u64::try_from(waiting).unwrap_or(u64::MAX),
            queue_bound: u64::try_from(bound).unwrap_or(u64::MAX),
            damaged: read(&self.damaged) > 0,
        }
    }
}
