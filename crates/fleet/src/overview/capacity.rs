//! What there is in all. What is not known is in no sum, and nothing unknown counts as 0.

use std::ops::AddAssign;

use model::rows::NodeRow;

use crate::snapshot::RemoteSnapshot;

/// What there is in all of one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measure<T> {
    /// How much there is, of those that are known.
    pub total: T,
    /// How much of that is in use.
    pub used: T,
    /// How many there are.
    pub of: usize,
    /// Of how many of these both are known: they make the sums.
    pub known: usize,
    /// How many of those that make the sums are as last seen.
    pub stale: usize,
}

/// What there is in all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Capacity {
    /// Processors.
    pub cpu: Measure<f64>,
    /// Memory, bytes.
    pub memory: Measure<u64>,
    /// Storages, each shared one once, bytes.
    pub storage: Measure<u64>,
}

impl<T: AddAssign + Copy> Measure<T> {
    /// Takes in one thing, which has `total` and uses `used`, if both are known.
    fn add(&mut self, total: Option<T>, used: Option<T>, live: bool) {
        self.of += 1;
        // A total without its use, or a use without its total, would make their share wrong.
        if let (Some(total), Some(used)) = (total, used) {
            self.total += total;
            self.used += used;
            self.known += 1;
            self.stale += usize::from(!live);
        }
    }

    fn take(&mut self, other: &Self) {
        self.total += other.total;
        self.used += other.used;
        self.of += other.of;
        self.known += other.known;
        self.stale += other.stale;
    }
}

impl Capacity {
    pub(super) fn of(remote: &RemoteSnapshot) -> Self {
        let mut all = Self::default();
        for row in &remote.nodes {
            all.node(row);
        }
        crate::lists::each_storage(remote, &mut |row| {
            all.storage.add(row.storage.size, row.storage.used, row.freshness.is_live());
        });
        all
    }

    fn node(&mut self, row: &NodeRow) {
        let (facts, live) = (&row.node, row.freshness.is_live());
        if crate::lists::node_word(row) == "offline" {
            // What it had when it was last seen, nobody can use now.
            self.cpu.of += 1;
            self.memory.of += 1;
            return;
        }
        let in_use = facts.cpu.zip(facts.cpus).map(|(share, cpus)| share * cpus);
        self.cpu.add(facts.cpus, in_use, live);
        self.memory.add(facts.memory_max, facts.memory, live);
    }

    pub(super) fn take(&mut self, other: &Self) {
        self.cpu.take(&other.cpu);
        self.memory.take(&other.memory);
        self.storage.take(&other.storage);
    }
}
