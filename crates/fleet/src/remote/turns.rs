//! Whose turn it is: operations that were asked for many at once leave one after the other, in the order in which they
//! were asked for, as others end. One that was asked for by itself waits for nobody.

use std::collections::BTreeMap;

use model::{NodeName, OperationState};

use super::ride::Ride;
use crate::timings::Turns as Bounds;

/// What is on its way to a remote, or runs there.
pub(super) struct Turns {
    bounds: Bounds,
    sending: usize,
    nodes: BTreeMap<NodeName, Taken>,
}

/// The places of one node that are taken.
#[derive(Default)]
struct Taken {
    sending: usize,
    under_way: usize,
}

impl Turns {
    /// As things stand.
    pub(super) fn of<'a>(rides: impl Iterator<Item = &'a Ride>, bounds: &Bounds) -> Self {
        let mut turns = Self { bounds: bounds.clone(), sending: 0, nodes: BTreeMap::new() };
        for ride in rides {
            let sending = match ride.operation.state {
                OperationState::Sent => true,
                OperationState::Running => false,
                _ if ride.is_leaving() => true,
                _ => continue,
            };
            turns.count(&ride.operation.node, sending);
        }
        turns
    }

    fn count(&mut self, node: &NodeName, sending: bool) {
        let taken = match self.nodes.get_mut(node) {
            Some(taken) => taken,
            None => self.nodes.entry(node.clone()).or_default(),
        };
        taken.under_way += 1;
        taken.sending += usize::from(sending);
        self.sending += usize::from(sending);
    }

    /// Takes a place on a node, if one is free.
    pub(super) fn take(&mut self, node: &NodeName) -> bool {
        let taken = self.nodes.get(node);
        let free = self.sending < self.bounds.sending
            && taken.is_none_or(|taken| {
                taken.sending < self.bounds.sending_per_node && taken.under_way < self.bounds.per_node
            });
        if free {
            self.count(node, true);
        }
        free
    }
}
