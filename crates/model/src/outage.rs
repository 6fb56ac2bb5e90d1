//! When every remote fails at once, the trouble is most likely on our side: one remote is probed often, the
//! others seldom, until that one answers.

use serde::{Deserialize, Serialize};

use crate::id::RemoteId;
use crate::link::LinkState;

/// How often a failing link is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// By its own back-off.
    #[default]
    Usual,
    /// It stands for all: at short intervals.
    Often,
    /// At the longest interval.
    Seldom,
}

/// The pace of each remote, in the order given. Remotes that wait for a person count for nothing; a single
/// remote, or any that works, means the usual pace for all.
#[must_use]
pub fn paces(remotes: &[(RemoteId, &LinkState)]) -> Vec<(RemoteId, Pace)> {
    let fails = |state: &LinkState| match state {
        LinkState::BackingOff { cause, .. } => !cause.needs_person(),
        LinkState::Connecting { last: Some(cause) } => !cause.needs_person(),
        _ => false,
    };
    let waits_for_person = |state: &LinkState| state.needs_person();
    let failing: Vec<RemoteId> =
        remotes.iter().filter(|(_, state)| fails(state)).map(|(id, _)| *id).collect();
    let all = failing.len() > 1 && remotes.iter().all(|(_, state)| fails(state) || waits_for_person(state));
    let leader = failing.iter().min().copied();
    remotes
        .iter()
        .map(|(id, state)| {
            let pace = match (all && fails(state), Some(*id) == leader) {
                (false, _) => Pace::Usual,
                (true, true) => Pace::Often,
                (true, false) => Pace::Seldom,
            };
            (*id, pace)
        })
        .collect()
}
