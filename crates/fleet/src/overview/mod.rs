//! The fleet at a glance: what is wrong, worst first; how remotes, guests and nodes stand; what there is in all; what
//! goes on.
//!
//! Enter at [`overview`]. Each remote's part of it, its [`Digest`], is made once per snapshot, whoever asks and however
//! often; putting the parts together costs a little per remote, not per guest.

mod capacity;
#[cfg(test)]
mod tests;
mod troubles;

use std::cmp::Reverse;
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use model::access::Visible;
use model::{GuestKind, TaskOutcome};

use crate::lists::{OperationAt, RemoteCounts, Tally, TaskAt};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

pub use capacity::{Capacity, Measure};
pub use troubles::{Severity, Subject, Trouble, TroubleKind};

/// For how long a task that failed is told of.
const FAILED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// One remote's part of the overview, made when it is first needed. A copy of a snapshot, which may be changed before
/// others see it, begins without.
#[derive(Debug, Default)]
pub struct Digests(OnceLock<Box<Digest>>);

impl Clone for Digests {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// One remote's part of the overview.
#[derive(Debug)]
struct Digest {
    guests: Guests,
    node_states: Tally,
    capacity: Capacity,
    /// All but failed tasks, which are troubles for a time only; the worst first.
    troubles: Vec<Trouble>,
    /// How many of them there are of each severity and kind.
    tallied: Tallied,
    /// Tasks that failed, by when and their place, the newest first.
    failed: Vec<(Timestamp, usize)>,
    /// Places of the operations that have not ended, the newest first.
    operations: Vec<usize>,
    /// Places of the tasks that run, the newest first.
    tasks: Vec<usize>,
    /// It is not known which run.
    tasks_unknown: bool,
}

/// How many troubles there are, each in its place in [`Severity::ALL`] and [`TroubleKind::ALL`].
#[derive(Debug, Clone, Copy, Default)]
struct Tallied {
    worse: [usize; Severity::ALL.len()],
    kinds: [usize; TroubleKind::ALL.len()],
}

impl Tallied {
    fn add(&mut self, severity: Severity, kind: TroubleKind, times: usize) {
        if let Some(count) = self.worse.get_mut(severity as usize) {
            *count += times;
        }
        if let Some(count) = self.kinds.get_mut(kind as usize) {
            *count += times;
        }
    }

    fn take(&mut self, other: &Self) {
        let add = |(count, more): (&mut usize, &usize)| *count += more;
        self.worse.iter_mut().zip(&other.worse).for_each(add);
        self.kinds.iter_mut().zip(&other.kinds).for_each(add);
    }
}

/// How guests stand; those that are known to be deleted are left out.
#[derive(Debug, Clone, Default)]
pub struct Guests {
    /// How many there are.
    pub total: usize,
    /// Containers, by the word for their state now.
    pub containers: Tally,
    /// Virtual machines, by the word for their state now.
    pub machines: Tally,
    /// Of how many it is not known in which state they are now.
    pub unknown: usize,
    /// How many are not live.
    pub stale: usize,
    /// How many are templates.
    pub templates: usize,
}

/// The fleet at a glance.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// What is wrong now, worst first; the worst only.
    pub troubles: Vec<(Arc<RemoteSnapshot>, Trouble)>,
    /// How many troubles there are of each severity.
    pub by_severity: Vec<(Severity, usize)>,
    /// How many troubles there are of each kind.
    pub by_kind: Vec<(TroubleKind, usize)>,
    /// The remotes behind it.
    pub remotes: RemoteCounts,
    /// Remotes, by the state of their link.
    pub links: Tally,
    /// Guests.
    pub guests: Guests,
    /// How many nodes there are.
    pub nodes: usize,
    /// Nodes, by state.
    pub node_states: Tally,
    /// What there is in all.
    pub capacity: Capacity,
    /// Operations that have not ended, the newest only.
    pub operations: Vec<OperationAt>,
    /// How many there are.
    pub operations_total: usize,
    /// Tasks that run, the newest only.
    pub tasks: Vec<TaskAt>,
    /// How many there are, of those remotes of which that is known.
    pub tasks_total: usize,
    /// Remotes of which it is not known which tasks run.
    pub tasks_unknown: usize,
}

/// How much an overview shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Troubles.
    pub troubles: usize,
    /// Operations, and tasks.
    pub running: usize,
}

impl Digests {
    fn of(&self, remote: &RemoteSnapshot) -> &Digest {
        self.0.get_or_init(|| Box::new(Digest::of(remote)))
    }
}

impl Digest {
    fn of(remote: &RemoteSnapshot) -> Self {
        let mut node_states = Tally::default();
        for node in &remote.nodes {
            crate::lists::count_node(node, &mut node_states);
        }
        let mut failed: Vec<_> = remote
            .tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| matches!(task.outcome, TaskOutcome::Failed { .. }))
            .map(|(at, task)| (task.ended.unwrap_or(task.started), at))
            .collect();
        failed.sort_unstable_by_key(|(when, _)| Reverse(*when));
        let open = remote.operations.iter().enumerate().filter(|(_, one)| !one.state.is_final());
        let mut operations: Vec<usize> = open.map(|(at, _)| at).collect();
        operations.sort_by_key(|at| Reverse(remote.operations.get(*at).map(|one| one.requested)));
        let tasks_unknown = crate::lists::tasks_running(remote).is_none();
        let runs = remote.tasks.iter().enumerate().filter(|(_, one)| one.outcome == TaskOutcome::Running);
        let mut tasks: Vec<usize> = runs.map(|(at, _)| at).collect();
        tasks.sort_by_key(|at| Reverse(remote.tasks.get(*at).map(|one| one.started)));
        let (mut guests, mut troubles) = (Guests::default(), troubles::of_remote(remote));
        crate::lists::each_guest(remote, &mut |row, known, count| {
            guests.total += 1;
            count(match row.guest.kind {
                GuestKind::Ct => &mut guests.containers,
                GuestKind::Vm => &mut guests.machines,
            });
            guests.unknown += usize::from(!known);
            guests.stale += usize::from(!row.freshness.is_live());
            guests.templates += usize::from(row.guest.template == Some(true));
            troubles.extend(troubles::of_guest(row));
        });
        troubles.sort_by_key(Trouble::rank);
        let mut tallied = Tallied::default();
        troubles.iter().for_each(|one| tallied.add(one.severity, one.kind, 1));
        let capacity = Capacity::of(remote);
        Self { guests, node_states, capacity, troubles, tallied, failed, operations, tasks, tasks_unknown }
    }

    /// How many tasks have failed since.
    fn failed_since(&self, since: Timestamp) -> usize {
        self.failed.partition_point(|(when, _)| *when >= since)
    }
}

impl Guests {
    fn take(&mut self, other: &Self) {
        self.total += other.total;
        self.containers.merge(&other.containers);
        self.machines.merge(&other.machines);
        self.unknown += other.unknown;
        self.stale += other.stale;
        self.templates += other.templates;
    }
}

/// A trouble, before it is known whether it is among the worst.
#[derive(Clone, Copy)]
enum Found {
    /// By its place in the remote's digest.
    Digested(usize),
    /// A failed task, by its place in the remote's tasks.
    Task(usize),
}

/// The fleet at a glance, of what may be seen.
#[must_use]
pub fn overview(snapshot: &FleetSnapshot, visible: &Visible, now: Timestamp, limits: Limits) -> Overview {
    let mut all = Overview::default();
    let since = now.checked_sub(FAILED_FOR).unwrap_or(Timestamp::MIN);
    let mut found = Vec::new();
    let (mut operations, mut tasks) = (Vec::new(), Vec::new());
    let mut tallied = Tallied::default();
    for remote in snapshot.remotes.iter().filter(|remote| visible.sees(remote.id)) {
        let digest = remote.digests.of(remote);
        all.remotes.take(remote);
        all.links.add(remote.link.state.word(), 1);
        all.guests.take(&digest.guests);
        all.nodes += remote.nodes.len();
        all.node_states.merge(&digest.node_states);
        all.capacity.take(&digest.capacity);
        tallied.take(&digest.tallied);
        // The worst of all are among the worst of each.
        for (at, one) in digest.troubles.iter().take(limits.troubles).enumerate() {
            found.push((one.rank(), remote, Found::Digested(at)));
        }
        let failed = digest.failed_since(since);
        tallied.add(troubles::FAILED_TASK, TroubleKind::Task, failed);
        for (when, at) in digest.failed.iter().take(failed.min(limits.troubles)) {
            let rank = (troubles::FAILED_TASK, TroubleKind::Task, Reverse(Some(*when)));
            found.push((rank, remote, Found::Task(*at)));
        }
        all.operations_total += digest.operations.len();
        all.tasks_total += digest.tasks.len();
        all.tasks_unknown += usize::from(digest.tasks_unknown);
        let newest = digest.operations.iter().take(limits.running);
        operations.extend(newest.filter_map(|at| Some((remote, remote.operations.get(*at)?))));
        let newest = digest.tasks.iter().take(limits.running);
        tasks.extend(newest.filter_map(|at| Some((remote, *at, remote.tasks.get(*at)?.started))));
    }
    // What is equal stays in the order of the remotes.
    found.sort_by_key(|(rank, ..)| *rank);
    found.truncate(limits.troubles);
    all.troubles = found
        .into_iter()
        .filter_map(|(_, remote, found)| {
            let trouble = match found {
                Found::Digested(at) => remote.digests.of(remote).troubles.get(at)?.clone(),
                Found::Task(at) => troubles::of_task(remote, remote.tasks.get(at)?),
            };
            Some((remote.clone(), trouble))
        })
        .collect();
    all.by_severity = Severity::ALL.into_iter().zip(tallied.worse).filter(|(_, count)| *count > 0).collect();
    all.by_kind = TroubleKind::ALL.into_iter().zip(tallied.kinds).filter(|(_, count)| *count > 0).collect();
    operations.sort_by_key(|(_, one)| Reverse(one.requested));
    all.operations = operations
        .into_iter()
        .take(limits.running)
        .map(|(remote, one)| OperationAt { remote: remote.clone(), operation: one.clone() })
        .collect();
    tasks.sort_by_key(|(.., started)| Reverse(*started));
    all.tasks = tasks
        .into_iter()
        .take(limits.running)
        .map(|(remote, index, _)| TaskAt { remote: remote.clone(), index })
        .collect();
    all
}
