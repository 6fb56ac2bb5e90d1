//! Whose turn it is: operations that were asked for many at once leave one after the other, in the order in which they
//! were asked for, as others end. One that was asked for by itself waits for nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use model::capability::Availability;
use model::operation::Event;
use model::time::spell;
use model::{Cause, NodeName, Now, OperationId};

use super::Remote;
use super::ride::Ride;
use super::wish::Leave;
use crate::timings::Turns as Bounds;

/// How an operation stands in line.
pub(super) struct InLine {
    /// Since when.
    since: Duration,
    /// Whether there was no room for it when that was looked at last.
    pub(super) waits: bool,
    /// Whether who asked for it may still have it.
    leave: Leave,
}

impl InLine {
    pub(super) fn new(leave: Leave, now: Now) -> Self {
        Self { since: now.mono, waits: false, leave }
    }
}

/// What is on its way to a remote, or runs there.
pub(super) struct Turns {
    bounds: Bounds,
    sending: usize,
    /// One that is on its way to whichever node.
    leaving: Option<OperationId>,
    nodes: BTreeMap<NodeName, Taken>,
}

/// The places of one node that are taken.
#[derive(Default)]
struct Taken {
    sending: usize,
    under_way: usize,
    /// By whom first.
    first: Option<OperationId>,
}

impl Turns {
    /// As things stand.
    pub(super) fn of(rides: &BTreeMap<OperationId, Ride>, bounds: &Bounds) -> Self {
        let mut turns = Self { bounds: bounds.clone(), sending: 0, leaving: None, nodes: BTreeMap::new() };
        for (id, ride) in rides.iter().filter(|(_, ride)| ride.takes_place()) {
            let runs = ride.operation.state == model::OperationState::Running;
            turns.take(*id, &ride.operation.node, !runs);
        }
        turns
    }

    /// Takes a place on a node.
    fn take(&mut self, id: OperationId, node: &NodeName, sending: bool) {
        let taken = match self.nodes.get_mut(node) {
            Some(taken) => taken,
            None => self.nodes.entry(node.clone()).or_default(),
        };
        taken.under_way += 1;
        taken.first.get_or_insert(id);
        taken.sending += usize::from(sending);
        self.sending += usize::from(sending);
        if sending {
            self.leaving.get_or_insert(id);
        }
    }

    /// Whether a place on a node is free.
    fn has_room(&self, node: &NodeName) -> bool {
        let taken = self.nodes.get(node);
        self.sending < self.bounds.sending
            && taken.is_none_or(|taken| {
                taken.sending < self.bounds.sending_per_node && taken.under_way < self.bounds.per_node
            })
    }

    /// One of those for which a node has no place, and how many others there are.
    fn in_the_way(&self, node: &NodeName) -> Option<(OperationId, usize)> {
        match self.nodes.get(node).and_then(|taken| Some((taken.first?, taken.under_way - 1))) {
            Some(one) => Some(one),
            None => self.leaving.map(|id| (id, self.sending.saturating_sub(1))),
        }
    }
}

// === impl Remote: whose turn it is ===

impl Remote {
    /// Whether it is its turn; where not, it goes on waiting, or ends: because it has waited for too long, or because
    /// what was right when it was asked for is not any more.
    pub(super) fn has_turn(&mut self, id: OperationId, turns: &mut Turns, now: Now) -> bool {
        let up = self.link.state().is_up();
        let (wait, unread) = (now.after(self.common.timings.operation_wait), self.is_before_listing());
        let Some(ride) = self.rides.get_mut(&id).filter(|ride| ride.waits_for_turn()) else { return true };
        let Some(line) = &mut ride.in_line else { return true };
        if !up {
            // Nothing leaves: like any other it waits for the link, from now on, and takes its turn once that is up.
            if std::mem::take(&mut line.waits) {
                ride.patience = wait;
            }
            return true;
        }
        let node = ride.operation.node.clone();
        // Before it was listed anew nobody knows whether it still makes sense.
        if !unread && turns.has_room(&node) {
            if let Some(what) = self.no_longer(id, now) {
                self.step_ride(id, Event::CannotSend { cause: Cause::NotSendable { what } }, now);
                return false;
            }
            turns.take(id, &node, true);
            if let Some(ride) = self.rides.get_mut(&id) {
                (ride.in_line, ride.patience) = (None, wait);
            }
            return true;
        }
        line.waits = true;
        if let Some(what) = self.waited_too_long(id, turns, now) {
            self.step_ride(id, Event::CannotSend { cause: Cause::NotSendable { what } }, now);
        }
        false
    }

    /// When one gives up that stands in line on that node.
    pub(super) fn gives_up(&self, line: &InLine, node: &NodeName) -> Duration {
        let bounds = &self.common.timings.turns;
        let last = self.ended_on.get(node).copied().unwrap_or_default().max(line.since);
        last.saturating_add(bounds.patience).min(line.since.saturating_add(bounds.longest))
    }

    /// Why it does not wait any longer, if it does not.
    fn waited_too_long(&self, id: OperationId, turns: &Turns, now: Now) -> Option<String> {
        let ride = self.rides.get(&id)?;
        let (line, node) = (ride.in_line.as_ref()?, &ride.operation.node);
        if now.mono < self.gives_up(line, node) {
            return None;
        }
        let bounds = &self.common.timings.turns;
        let waited = match now.since(line.since) >= bounds.longest {
            true => format!("its turn did not come within {}", spell(bounds.longest)),
            false => {
                format!(
                    "its turn did not come: nothing has ended on node {node} for {}",
                    spell(bounds.patience)
                )
            }
        };
        let in_the_way = turns.in_the_way(node).and_then(|(first, others)| {
            let first = &self.rides.get(&first)?.operation;
            let others = match others {
                0 => String::new(),
                1 => ", and one more".to_owned(),
                n => format!(", and {n} more"),
            };
            Some(format!(
                "; before it there is still {} of {} (operation {}){others}",
                first.action, first.guest.vmid, first.id
            ))
        });
        Some(waited + &in_the_way.unwrap_or_default())
    }

    /// Why it is not done now that its turn has come: who asked for it may not any more, or it makes no sense any more.
    fn no_longer(&self, id: OperationId, now: Now) -> Option<String> {
        let ride = self.rides.get(&id)?;
        if let Err(why) = ride.in_line.as_ref()?.leave.still() {
            return Some(why);
        }
        // That it is not there any more, or another one by now, is found when it is about to be sent.
        self.target(id).ok()?;
        match self.may(ride.operation.guest.vmid, ride.operation.action, Some(id), now) {
            Availability::Disabled { reason, .. } => {
                Some(format!("when its turn came it could not be done any more: {reason}"))
            }
            Availability::Available | Availability::MayFail { .. } => None,
        }
    }
}
