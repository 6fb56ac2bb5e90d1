//! How many there are of everything.

use std::sync::Arc;

use model::access::Visible;
use model::operation::UnknownWhy;
use model::{FacetKind, OperationState, Task, TaskOutcome};

use super::counts::Tally;
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// How many there are of everything on one remote, or on several.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Guests that are not known to be deleted.
    pub guests: usize,
    /// By the word for their state.
    pub guest_states: Tally,
    /// Nodes.
    pub nodes: usize,
    /// By the word for their state.
    pub node_states: Tally,
    /// Storages, shared ones once.
    pub storages: usize,
    /// Tasks that run, where that is known.
    pub tasks_running: usize,
    /// Remotes of which it is not known which tasks run.
    pub tasks_unknown: usize,
    /// Tasks among the recent ones that failed.
    pub tasks_failed: usize,
    /// Operations that have not ended.
    pub operations_open: usize,
    /// Operations that wait for a person to decide.
    pub operations_undecided: usize,
}

/// How many there are of everything.
#[derive(Debug, Clone, Default)]
pub struct FleetTotals {
    /// All remotes together.
    pub totals: Totals,
    /// Remotes.
    pub remotes: usize,
    /// By the state of their link.
    pub links: Tally,
}

/// How many there are of everything on one remote.
#[must_use]
pub fn totals(remote: &RemoteSnapshot) -> Totals {
    let (guests, guest_states) = super::guests::count_states(remote);
    let (nodes, storages) = (remote.nodes.len(), super::storages::count(remote));
    let mut all = Totals { guests, guest_states, nodes, storages, ..Totals::default() };
    for node in &remote.nodes {
        super::nodes::count_state(node, &mut all.node_states);
    }
    match tasks_running(remote) {
        Some(running) => all.tasks_running = running,
        None => all.tasks_unknown = 1,
    }
    let failed = |task: &&Task| matches!(task.outcome, TaskOutcome::Failed { .. });
    all.tasks_failed = remote.tasks.iter().filter(failed).count();
    for operation in &remote.operations {
        let undecided =
            matches!(operation.state, OperationState::OutcomeUnknown(UnknownWhy::Candidates { .. }));
        all.operations_undecided += usize::from(undecided);
        all.operations_open += usize::from(!operation.state.is_final());
    }
    all
}

/// How many tasks run on a remote; `None` while nobody knows.
#[must_use]
pub fn tasks_running(remote: &RemoteSnapshot) -> Option<usize> {
    let listed = remote.facet(FacetKind::Tasks).is_some_and(|facet| facet.last_success.is_some());
    let known = listed && remote.link.state.is_up();
    known.then(|| remote.tasks.iter().filter(|task| task.outcome == TaskOutcome::Running).count())
}

/// How many there are of everything that may be seen. `of_one` tells of one remote: whoever asks often keeps
/// what [`totals`] said of a snapshot that is still the same.
#[must_use]
pub fn fleet_totals(
    snapshot: &FleetSnapshot,
    visible: &Visible,
    mut of_one: impl FnMut(&Arc<RemoteSnapshot>) -> Totals,
) -> FleetTotals {
    let mut all = FleetTotals::default();
    for remote in snapshot.remotes.iter().filter(|remote| visible.sees(remote.id)) {
        all.add(remote.link.state.word(), &of_one(remote));
    }
    all
}

impl FleetTotals {
    /// Takes in one remote: the word for its link, and how much there is on it.
    pub fn add(&mut self, link: &'static str, totals: &Totals) {
        self.remotes += 1;
        self.links.add(link, 1);
        self.totals.take(totals);
    }
}

impl Totals {
    fn take(&mut self, other: &Self) {
        self.guests += other.guests;
        self.guest_states.merge(&other.guest_states);
        self.nodes += other.nodes;
        self.node_states.merge(&other.node_states);
        self.storages += other.storages;
        self.tasks_running += other.tasks_running;
        self.tasks_unknown += other.tasks_unknown;
        self.tasks_failed += other.tasks_failed;
        self.operations_open += other.operations_open;
        self.operations_undecided += other.operations_undecided;
    }
}
