//! What a remote has, as last known: listings are reconciled with it and yield changes. Pure.
//!
//! Rules it keeps: nothing that was seen disappears; a row of a guest whose node is down, or whose state
//! Proxmox does not know, takes nothing away from what was known; a late answer is dropped; *deleted* needs
//! the three signs of [`model::presence`].

mod known;
mod places;
mod tasks;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::guest::{GuestState, NodeState, Task};
use model::interfaces::Interfaces;
use model::presence::{Gate, Inquiry, PermissionsMark, Presence, Traits};
use model::rows::Interface;
use model::{
    EndpointId, Guest, GuestKind, Incarnation, Node, NodeName, Now, Observed, Storage, TaskId, Text, Vmid,
};

pub(crate) use known::Known;
pub(crate) use places::{KnownNode, KnownStorage, storage_key};

use crate::change::Change;
use crate::clock::Micros;

/// How many deleted guests of a remote are kept in memory; their history is the journal's.
const DELETED_KEPT: usize = 1000;

/// How many values of a sort are kept to be shared.
const SHARED: usize = 2000;

/// Why a guest that is listed is not known for sure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Its node is down.
    NodeDown(NodeName),
    /// Proxmox does not know its state.
    StateUnknown,
    /// Its state could not be read.
    StateUnread,
}

/// What a guest says of itself: nearer to the truth than a listing, and newer. Endpoint: `GET …/status/current`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Glimpse {
    pub(crate) state: GuestState,
    pub(crate) cpu: Option<f64>,
    pub(crate) memory: Option<u64>,
    pub(crate) uptime: Option<u64>,
    pub(crate) lock: Option<Text>,
}

impl Glimpse {
    /// What of a guest's facts a glimpse tells.
    fn of(guest: &Guest) -> Self {
        let Guest { state, cpu, memory, uptime, lock, .. } = guest.clone();
        Self { state, cpu, memory, uptime, lock }
    }

    /// Puts it in the place of what a listing said.
    pub(crate) fn onto(self, guest: &mut Guest) {
        let Self { state, cpu, memory, uptime, lock } = self;
        (guest.state, guest.cpu, guest.memory, guest.uptime, guest.lock) = (state, cpu, memory, uptime, lock);
    }
}

/// One answer to `GET /cluster/resources`, in Muster's words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    pub(crate) guests: Vec<Guest>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) storages: Vec<Storage>,
    /// Guests in whose rows no state could be read.
    pub(crate) unread: BTreeSet<Vmid>,
    /// Every row could be read.
    pub(crate) complete: bool,
}

/// When and how an answer was obtained.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// When the request was begun (monotonic).
    pub(crate) begun: Duration,
    /// The endpoint.
    pub(crate) through: EndpointId,
}

/// Everything known of one remote.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    pub(crate) guests: BTreeMap<Vmid, Known>,
    pub(crate) nodes: BTreeMap<NodeName, KnownNode>,
    pub(crate) storages: BTreeMap<(Text, NodeName), KnownStorage>,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    gate: Gate,
    task_gate: Gate,
    /// The remote's clock less ours.
    pub(crate) skew: SignedDuration,
    /// How far listings may lag behind what a guest says of itself.
    lag: Duration,
    shared: Shared,
    /// The last life that is over of numbers that have had one: whoever is not in the map begins after it.
    pub(crate) lived: BTreeMap<Vmid, Incarnation>,
    /// With more guests than this the map of them is built anew.
    compact_at: usize,
    contradicted: BTreeSet<Vmid>,
    /// Tasks whose meaning for the life of a number has been taken in.
    lives_told: BTreeSet<TaskId>,
    /// What is different from what was last kept.
    pub(crate) touched: Touched,
}

/// What many rows say: one copy of each.
#[derive(Debug, Default)]
struct Shared {
    texts: HashSet<Text>,
    tags: HashSet<Arc<[Text]>>,
}

/// What is different from what was last kept, the moving figures apart.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) guests: BTreeSet<Vmid>,
    pub(crate) addresses: BTreeSet<Vmid>,
    pub(crate) nodes: BTreeSet<NodeName>,
    pub(crate) storages: BTreeSet<(Text, NodeName)>,
    pub(crate) tasks: BTreeSet<TaskId>,
    /// Lives that are over, as they were last known.
    pub(crate) past: Vec<Known>,
}

// === impl Inventory ===

impl Inventory {
    /// Nothing known yet; listings may lag so far behind what a guest says of itself.
    pub(crate) fn new(lag: Duration) -> Self {
        Self { lag, ..Self::default() }
    }

    /// The guests whose absence from a listing would mean something.
    pub(crate) fn expected(&self) -> BTreeSet<Vmid> {
        let counts = |known: &Known| matches!(known.presence, Presence::Present | Presence::Missing { .. });
        self.guests.iter().filter(|(_, known)| counts(known)).map(|(vmid, _)| *vmid).collect()
    }

    /// The guests whose own node shall now be asked whether they exist.
    pub(crate) fn to_ask(&self) -> Vec<(Vmid, GuestKind, NodeName)> {
        self.guests
            .iter()
            .filter(|(_, known)| known.presence.asks())
            .map(|(vmid, known)| (*vmid, known.guest.kind, known.guest.node.clone()))
            .collect()
    }

    /// Takes in a listing. `before` and `after` are the account's permissions around it, where read. `None`:
    /// the request was begun before the last one applied, so nothing was taken in.
    pub(crate) fn reconcile(
        &mut self,
        listing: Listing,
        reading: &Reading,
        before: Option<PermissionsMark>,
        after: Option<PermissionsMark>,
        now: Now,
    ) -> Option<Vec<Change>> {
        if !self.gate.admit(reading.begun) {
            return None;
        }
        let mut changes = Vec::new();
        self.follow_rename(&listing, &mut changes);
        self.take_nodes(listing.nodes, listing.complete, reading, now, &mut changes);
        let mut listed = BTreeSet::new();
        for guest in listing.guests {
            listed.insert(guest.vmid);
            let unread = listing.unread.contains(&guest.vmid);
            self.take_guest(guest, unread, reading, now, &mut changes);
        }
        for (vmid, known) in &mut self.guests {
            if listed.contains(vmid) {
                continue;
            }
            if matches!(known.presence, Presence::Deleted { .. } | Presence::NoLongerVisible { .. }) {
                continue;
            }
            let was = known.presence.clone();
            let is = was.clone().absent(listing.complete, before, after, now);
            if !same_kind(&was, &is) {
                changes.push(Change::GuestPresence { vmid: *vmid, presence: is.clone() });
                self.touched.guests.insert(*vmid);
            }
            known.row_mut().presence = is;
        }
        self.take_storages(listing.storages, reading, now);
        self.forget_long_deleted();
        if self.guests.len() > self.compact_at {
            // Filled one by one in order, the map's nodes are half empty; built anew, they are full.
            self.guests = std::mem::take(&mut self.guests).into_iter().collect();
            self.compact_at = self.guests.len() + self.guests.len() / 8;
        }
        Some(changes)
    }

    fn forget_long_deleted(&mut self) {
        let mut deleted: Vec<(Timestamp, Vmid)> = self
            .guests
            .iter()
            .filter_map(|(vmid, known)| match known.presence {
                Presence::Deleted { at } => Some((at, *vmid)),
                _ => None,
            })
            .collect();
        let surplus = deleted.len().saturating_sub(DELETED_KEPT);
        if surplus > 0 {
            deleted.sort();
            for (_, vmid) in deleted.into_iter().take(surplus) {
                if let Some(known) = self.guests.remove(&vmid) {
                    self.lived.insert(vmid, known.incarnation);
                    self.touched.past.push(known);
                    self.touched.guests.insert(vmid);
                    self.touched.addresses.insert(vmid);
                }
            }
        }
    }

    /// Why the row of a guest takes nothing away from what was known.
    fn doubt(&self, guest: &Guest, unread: bool) -> Option<Doubt> {
        let node = self.nodes.get(&guest.node).map(|known| &known.node.state);
        match (node, &guest.state) {
            (Some(NodeState::Offline), _) => Some(Doubt::NodeDown(guest.node.clone())),
            (_, GuestState::Unknown) if unread => Some(Doubt::StateUnread),
            (_, GuestState::Unknown) => Some(Doubt::StateUnknown),
            _ => None,
        }
    }

    fn take_guest(
        &mut self,
        mut fresh: Guest,
        unread: bool,
        reading: &Reading,
        now: Now,
        changes: &mut Vec<Change>,
    ) {
        self.share(&mut fresh);
        if fresh.node.as_str().is_empty()
            && let Some(known) = self.guests.get(&fresh.vmid)
        {
            // A row that does not say where a guest is has not moved it.
            fresh.node = known.guest.node.clone();
        }
        let mut doubt = self.doubt(&fresh, unread);
        let vmid = fresh.vmid;
        let traits = Traits { kind: Some(fresh.kind), ..Traits::default() };
        let Some(known) = self.guests.get_mut(&vmid) else {
            changes.push(Change::GuestAppeared {
                vmid,
                state: fresh.state.clone(),
                name: fresh.name.clone(),
            });
            self.touched.guests.insert(vmid);
            let seen = doubt.is_none().then(|| (now.wall, reading.through.clone()));
            let mut known = Known::new(fresh, seen, doubt, now);
            if let Some(last) = self.lived.get(&vmid) {
                known.row_mut().incarnation = last.next();
            }
            self.guests.insert(vmid, known);
            return;
        };
        let was_deleted = matches!(known.presence, Presence::Deleted { .. });
        let ended = known.ended.is_some_and(|told| Micros::of(reading.begun) >= told);
        if ended || was_deleted || !known.traits.may_be(&traits) {
            let seen = doubt.is_none().then(|| (now.wall, reading.through.clone()));
            let incarnation = known.incarnation.next();
            let mut next = Known::new(fresh, seen, doubt, now);
            next.row_mut().incarnation = incarnation;
            self.touched.past.push(std::mem::replace(known, next));
            self.touched.guests.insert(vmid);
            self.touched.addresses.insert(vmid);
            changes.push(Change::GuestReborn { vmid, incarnation });
            return;
        }
        if !known.presence.is_present() {
            known.row_mut().presence = Presence::Present;
            changes.push(Change::GuestPresence { vmid, presence: Presence::Present });
            self.touched.guests.insert(vmid);
        }
        let lags = known.glimpsed.is_some_and(|at| reading.begun < at.span().saturating_add(self.lag));
        if lags && !matches!(doubt, Some(Doubt::NodeDown(_))) {
            if fresh.state != known.guest.state {
                self.contradicted.insert(vmid);
            }
            Glimpse::of(&known.guest).onto(&mut fresh);
            doubt = None;
        }
        match (&doubt, &known.doubt) {
            (Some(now_doubt), before) if before.as_ref() != Some(now_doubt) => {
                let node_down = match now_doubt {
                    Doubt::NodeDown(node) => Some(node.clone()),
                    Doubt::StateUnknown | Doubt::StateUnread => None,
                };
                changes.push(Change::GuestInDoubt { vmid, node_down });
                self.touched.guests.insert(vmid);
            }
            (None, Some(_)) => {
                changes.push(Change::GuestCertain { vmid });
                self.touched.guests.insert(vmid);
            }
            _ => {}
        }
        known.doubt = doubt;
        if known.doubt.is_some() {
            // Where it is, is news even while its state is not.
            if known.guest.node != fresh.node {
                known.row_mut().guest.node = fresh.node;
                self.touched.guests.insert(vmid);
            }
            if known.observed_at.is_none() {
                known.fill(fresh.name, fresh.template, fresh.memory_max, fresh.cpus);
            }
            return;
        }
        if known.replace(fresh, reading, now, changes) {
            self.touched.guests.insert(vmid);
        }
    }

    /// Has a row share what it says with others that say the same: of a hundred thousand guests, few have a node, a
    /// pool or tags of their own.
    pub(crate) fn share(&mut self, guest: &mut Guest) {
        let before = self.guests.get(&guest.vmid).map(|known| &known.guest);
        match before {
            Some(before) if before.node == guest.node => guest.node = before.node.clone(),
            _ => {
                if let Some((name, _)) = self.nodes.get_key_value(&guest.node) {
                    guest.node = name.clone();
                }
            }
        }
        self.shared.take_in(guest, before);
    }

    /// Takes in what a guest's own node said when asked whether it exists.
    pub(crate) fn asked(&mut self, vmid: Vmid, said: Inquiry, now: Now) -> Vec<Change> {
        let Some(known) = self.guests.get_mut(&vmid) else { return Vec::new() };
        let was = known.presence.clone();
        known.row_mut().presence = was.clone().asked(said, now);
        if same_kind(&was, &known.presence) {
            return Vec::new();
        }
        self.touched.guests.insert(vmid);
        vec![Change::GuestPresence { vmid, presence: known.presence.clone() }]
    }

    /// Takes in a guest's addresses.
    pub(crate) fn take_addresses(&mut self, vmid: Vmid, seen: Observed<Vec<Interface>>) {
        let seen = seen.map(|list| Interfaces::from(list.as_slice()));
        let Some(known) = self.guests.get_mut(&vmid) else { return };
        if known.addresses.as_ref().is_none_or(|before| before.value != seen.value) {
            self.touched.addresses.insert(vmid);
        }
        known.row_mut().addresses = Some(Arc::new(seen));
    }

    /// The account's permissions are different: what was hidden may be asked for again.
    pub(crate) fn permissions_changed(&mut self) {
        for (vmid, known) in &mut self.guests {
            if matches!(known.presence, Presence::Missing { .. } | Presence::NoLongerVisible { .. }) {
                let is = known.presence.clone().permissions_changed();
                if !same_kind(&known.presence, &is) {
                    self.touched.guests.insert(*vmid);
                }
                known.row_mut().presence = is;
            }
        }
    }

    /// Whether an answer to a request begun then can be about the guest that has this number now.
    pub(crate) fn is_about(&self, vmid: Vmid, begun: Duration) -> bool {
        self.guests.get(&vmid).is_some_and(|known| Micros::of(begun) >= known.born)
    }

    /// Takes in what a guest said of itself when asked then. An answer that a later one overtook is dropped.
    pub(crate) fn glimpse(
        &mut self,
        vmid: Vmid,
        glimpse: Glimpse,
        reading: &Reading,
        now: Now,
    ) -> Vec<Change> {
        let Some(known) = self.guests.get_mut(&vmid) else { return Vec::new() };
        let begun = Micros::of(reading.begun);
        if !glimpse.state.is_known() || begun < known.born || known.glimpsed > Some(begun) {
            return Vec::new();
        }
        known.glimpsed = Some(begun);
        let mut changes = Vec::new();
        if known.doubt.take().is_some() {
            changes.push(Change::GuestCertain { vmid });
        }
        if known.guest.lock != glimpse.lock {
            self.touched.guests.insert(vmid);
        }
        if known.guest.state != glimpse.state {
            let from = known.guest.state.clone();
            changes.push(Change::GuestState { vmid, from, to: glimpse.state.clone() });
        }
        let row = known.row_mut();
        glimpse.onto(&mut row.guest);
        (row.observed_at, row.through) = (Some(now.wall), Some(reading.through.clone()));
        if !changes.is_empty() {
            self.touched.guests.insert(vmid);
        }
        changes
    }

    /// The guests whose row in the latest listing was contradicted by what they had said of themselves just before:
    /// they are asked again.
    pub(crate) fn contradicted(&mut self) -> BTreeSet<Vmid> {
        std::mem::take(&mut self.contradicted)
    }

    /// Takes in traits out of a configuration; returns the change if they are those of another guest.
    pub(crate) fn note_traits(&mut self, vmid: Vmid, seen: Traits, now: Now) -> Option<Change> {
        let known = self.guests.get_mut(&vmid)?;
        if known.traits.may_be(&seen) {
            let merged = known.traits.clone().merged(seen);
            if known.traits != merged {
                known.traits = merged;
                self.touched.guests.insert(vmid);
            }
            return None;
        }
        self.touched.past.push(known.clone());
        self.touched.guests.insert(vmid);
        self.touched.addresses.insert(vmid);
        known.reborn(seen, now);
        Some(Change::GuestReborn { vmid, incarnation: known.incarnation })
    }
}

// === impl Shared ===

impl Shared {
    /// Has a guest's words be those that are known already, its own of before first.
    fn take_in(&mut self, guest: &mut Guest, before: Option<&Guest>) {
        share(&mut self.tags, &mut guest.tags, before.map(|before| &before.tags));
        for (text, before) in [
            (&mut guest.pool, before.map(|before| &before.pool)),
            (&mut guest.lock, before.map(|before| &before.lock)),
            (&mut guest.ha, before.map(|before| &before.ha)),
        ] {
            if let Some(text) = text {
                share(&mut self.texts, text, before.and_then(Option::as_ref));
            }
        }
    }
}

/// Puts what is known already in the place of what equals it.
fn share<T: Clone + Eq + Hash>(known: &mut HashSet<T>, one: &mut T, before: Option<&T>) {
    if let Some(same) = before.filter(|before| *before == one).or_else(|| known.get(one)) {
        *one = same.clone();
        return;
    }
    if known.len() >= SHARED {
        known.clear();
    }
    known.insert(one.clone());
}

/// Whether two presences are of one kind; counts and times may differ.
fn same_kind(a: &Presence, b: &Presence) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[cfg(test)]
mod tests;
