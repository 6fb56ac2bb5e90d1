//! Nodes and storages as known, and what a listing changes about them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::guest::NodeState;
use model::{EndpointId, Node, NodeName, Now, Observed, Storage, Text};

use super::{Inventory, Listing, Reading};
use crate::change::Change;

/// A node as known.
#[derive(Debug, Clone)]
pub(crate) struct KnownNode {
    pub(crate) node: Node,
    /// When it was last seen online, and through which endpoint.
    pub(crate) seen: Option<(Timestamp, EndpointId)>,
    pub(crate) listed: bool,
}

/// A storage as known.
#[derive(Debug, Clone)]
pub(crate) struct KnownStorage {
    pub(crate) seen: Observed<Storage>,
    /// In the latest listing.
    pub(crate) listed: bool,
    /// Listed without its figures: those shown are from before.
    pub(crate) vague: bool,
}

pub(crate) fn storage_key(storage: &Storage) -> (Text, NodeName) {
    (storage.storage.clone(), storage.node.clone())
}

impl Inventory {
    /// A node that goes by another name since the last listing is the same node, with the same guests: one thing
    /// happened, not as many as it has guests. Recognised where, in a listing that is whole, one node took the place
    /// of one, and every guest of the one that is listed at all is on the other.
    pub(super) fn follow_rename(&mut self, listing: &Listing, changes: &mut Vec<Change>) {
        let listed: BTreeSet<&NodeName> = listing.nodes.iter().map(|node| &node.name).collect();
        let gone: Vec<&NodeName> = self
            .nodes
            .iter()
            .filter(|(name, known)| known.listed && !listed.contains(name))
            .map(|(name, _)| name)
            .collect();
        let come: Vec<&NodeName> =
            listed.iter().copied().filter(|name| !self.nodes.contains_key(*name)).collect();
        let ([from], [to], true) = (gone.as_slice(), come.as_slice(), listing.complete) else { return };
        let (from, to) = ((*from).clone(), (*to).clone());
        let mut moved = 0_usize;
        for guest in &listing.guests {
            match self.guests.get(&guest.vmid) {
                Some(known) if known.guest.node == from && guest.node == to => moved += 1,
                Some(known) if known.guest.node == from || guest.node == to => return,
                _ => {}
            }
        }
        if moved == 0 && (self.nodes.len() != 1 || listed.len() != 1) {
            return;
        }
        let Some(mut known) = self.nodes.remove(&from) else { return };
        known.node.name = to.clone();
        self.nodes.insert(to.clone(), known);
        self.touched.nodes.extend([from.clone(), to.clone()]);
        for (vmid, known) in &mut self.guests {
            if known.guest.node == from {
                known.row_mut().guest.node = to.clone();
                self.touched.guests.insert(*vmid);
            }
        }
        let storages = std::mem::take(&mut self.storages);
        for (mut key, mut known) in storages {
            if key.1 == from {
                self.touched.storages.insert(key.clone());
                key.1 = to.clone();
                known.seen.value.node = to.clone();
                self.touched.storages.insert(key.clone());
            }
            self.storages.insert(key, known);
        }
        changes.push(Change::NodeRenamed { from, to });
    }

    pub(super) fn take_nodes(
        &mut self,
        nodes: Vec<Node>,
        complete: bool,
        reading: &Reading,
        now: Now,
        changes: &mut Vec<Change>,
    ) {
        let listed: BTreeSet<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
        for (name, known) in &mut self.nodes {
            if complete && known.listed && !listed.contains(name) {
                known.listed = false;
                changes.push(Change::NodeMissing { node: name.clone() });
                self.touched.nodes.insert(name.clone());
            }
        }
        for fresh in nodes {
            let online = fresh.state == NodeState::Online;
            match self.nodes.get_mut(&fresh.name) {
                None => {
                    changes
                        .push(Change::NodeAppeared { node: fresh.name.clone(), state: fresh.state.clone() });
                    let seen = online.then(|| (now.wall, reading.through.clone()));
                    let name = fresh.name.clone();
                    self.touched.nodes.insert(name.clone());
                    self.nodes.insert(name, KnownNode { node: fresh, seen, listed: true });
                }
                Some(known) => {
                    if !std::mem::replace(&mut known.listed, true) {
                        changes.push(Change::NodeBack { node: fresh.name.clone() });
                        self.touched.nodes.insert(fresh.name.clone());
                    }
                    if known.node.state != fresh.state
                        || known.node.cpus != fresh.cpus
                        || known.node.memory_max != fresh.memory_max
                        || known.node.disk_max != fresh.disk_max
                    {
                        self.touched.nodes.insert(fresh.name.clone());
                    }
                    if known.node.state != fresh.state {
                        changes.push(Change::NodeState {
                            node: fresh.name.clone(),
                            from: known.node.state.clone(),
                            to: fresh.state.clone(),
                        });
                    }
                    if online {
                        // What other facets brought stays.
                        let (version, load, ends) = (
                            known.node.version.take(),
                            std::mem::take(&mut known.node.load),
                            known.node.certificate_ends.take(),
                        );
                        known.node = Node { version, load, certificate_ends: ends, ..fresh };
                        known.seen = Some((now.wall, reading.through.clone()));
                    } else {
                        known.node.state = fresh.state;
                    }
                }
            }
        }
    }

    pub(super) fn take_storages(&mut self, storages: Vec<Storage>, reading: &Reading, now: Now) {
        let listed: BTreeSet<(Text, NodeName)> = storages.iter().map(storage_key).collect();
        for (key, known) in &mut self.storages {
            if known.listed && !listed.contains(key) {
                known.listed = false;
                self.touched.storages.insert(key.clone());
            }
        }
        for fresh in storages {
            let vague = fresh.size.is_none() && fresh.used.is_none();
            let key = storage_key(&fresh);
            match self.storages.get_mut(&key) {
                Some(known) if vague && known.seen.value.size.is_some() => {
                    if known.seen.value.status != fresh.status || !known.listed || !known.vague {
                        self.touched.storages.insert(key);
                    }
                    known.seen.value.status = fresh.status;
                    (known.listed, known.vague) = (true, true);
                }
                Some(known) => {
                    let used = known.seen.value.used;
                    let still = Storage { used, ..fresh.clone() };
                    if known.seen.value != still || !known.listed || known.vague {
                        self.touched.storages.insert(key);
                    }
                    let seen = Observed { value: fresh, at: now.wall, through: reading.through.clone() };
                    *known = KnownStorage { seen, listed: true, vague: false };
                }
                None => {
                    let seen = Observed { value: fresh, at: now.wall, through: reading.through.clone() };
                    self.touched.storages.insert(key.clone());
                    self.storages.insert(key, KnownStorage { seen, listed: true, vague: false });
                }
            }
        }
    }
}
