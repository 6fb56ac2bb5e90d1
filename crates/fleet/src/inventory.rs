//! What a remote has, as last known: listings are reconciled with it and yield changes. Pure.
//!
//! Rules it keeps: nothing that was seen disappears; a row of a guest whose node is down, or whose state
//! Proxmox does not know, takes nothing away from what was known; a late answer is dropped; *deleted* needs
//! the three signs of [`model::presence`].

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::guest::{GuestState, NodeState, Task, TaskOutcome};
use model::presence::{Gate, Inquiry, PermissionsMark, Presence, Traits, begins_new_life};
use model::rows::{GuestRow, Interface, Standing};
use model::{
    ConfigChange, EndpointId, Freshness, Guest, GuestKind, Incarnation, Node, NodeName, Now, Observed,
    Storage, TaskId, Text, Vmid,
};

use crate::change::Change;

/// How many tasks of a remote are kept.
const TASKS_KEPT: usize = 500;
/// How many deleted guests of a remote are kept in memory; their history is the journal's.
const DELETED_KEPT: usize = 1000;

/// How many texts are kept to be shared.
const TEXTS_SHARED: usize = 2000;

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

/// A guest as known. Reads as its row; the row is shared with snapshots, and replaced when it changes.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The facts. What follows from the link (`state`, `freshness`, `standing`, `busy`) is brought up to date when a
    /// snapshot is made.
    pub(crate) row: Arc<GuestRow>,
    pub(crate) traits: Traits,
    pub(crate) first_seen: Timestamp,
    pub(crate) doubt: Option<Doubt>,
    /// Its configuration as last read: a digest of it, and when.
    pub(crate) config: Option<(u64, Timestamp)>,
    /// A task destroyed it, as told then (monotonic): if a listing begun later has the number, it is another
    /// guest.
    ended: Option<Duration>,
    /// Since when this life is known (monotonic).
    born: Duration,
    /// When it was last asked for its own state (monotonic): listings that may lag behind that do not count for it.
    glimpsed: Option<Duration>,
}

impl std::ops::Deref for Known {
    type Target = GuestRow;

    fn deref(&self) -> &GuestRow {
        &self.row
    }
}

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
    /// Texts that many rows share: one copy of each.
    texts: HashSet<Text>,
    /// With more guests than this the map of them is built anew.
    compact_at: usize,
    contradicted: BTreeSet<Vmid>,
    /// Tasks whose meaning for the life of a number has been taken in.
    lives_told: BTreeSet<TaskId>,
    /// What is different from what was last kept.
    pub(crate) touched: Touched,
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
                    self.touched.past.push(known);
                    self.touched.guests.insert(vmid);
                    self.touched.addresses.insert(vmid);
                }
            }
        }
    }

    /// A node that goes by another name since the last listing is the same node, with the same guests: one thing
    /// happened, not as many as it has guests. Recognised where, in a listing that is whole, one node took the place
    /// of one, and every guest of the one that is listed at all is on the other.
    fn follow_rename(&mut self, listing: &Listing, changes: &mut Vec<Change>) {
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

    fn take_nodes(
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
            let known = Known::new(fresh, seen, doubt, now);
            self.guests.insert(vmid, known);
            return;
        };
        let was_deleted = matches!(known.presence, Presence::Deleted { .. });
        let ended = known.ended.is_some_and(|told| reading.begun >= told);
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
        let lags = known.glimpsed.is_some_and(|at| reading.begun < at.saturating_add(self.lag));
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
    fn share(&mut self, guest: &mut Guest) {
        if let Some((name, _)) = self.nodes.get_key_value(&guest.node) {
            guest.node = name.clone();
        }
        let Guest { tags, pool, lock, ha, .. } = guest;
        for text in tags.iter_mut().chain(pool).chain(lock).chain(ha) {
            *text = self.shared(text);
        }
    }

    fn shared(&mut self, text: &Text) -> Text {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        if self.texts.len() >= TEXTS_SHARED {
            self.texts.clear();
        }
        self.texts.insert(text.clone());
        text.clone()
    }

    fn take_storages(&mut self, storages: Vec<Storage>, reading: &Reading, now: Now) {
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
    pub(crate) fn take_addresses(&mut self, vmid: Vmid, mut seen: Observed<Vec<Interface>>) {
        for interface in &mut seen.value {
            interface.name = self.shared(&interface.name);
            if interface.addresses.iter().any(|one| is_loopback(one)) {
                for text in interface.addresses.iter_mut().chain(&mut interface.mac) {
                    *text = self.shared(text);
                }
            }
        }
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
        self.guests.get(&vmid).is_some_and(|known| begun >= known.born)
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
        if !glimpse.state.is_known() || reading.begun < known.born || known.glimpsed > Some(reading.begun) {
            return Vec::new();
        }
        known.glimpsed = Some(reading.begun);
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

    /// Takes in a task list. Tasks that it lacks stay; those that ran and are no longer told of are unknown.
    pub(crate) fn take_tasks(&mut self, tasks: Vec<Task>, begun: Duration, now: Now) -> Option<Vec<Change>> {
        if !self.task_gate.admit(begun) {
            return None;
        }
        let told: BTreeSet<TaskId> = tasks.iter().map(|task| task.upid.clone()).collect();
        for (upid, task) in &mut self.tasks {
            if task.outcome == TaskOutcome::Running && !told.contains(upid) {
                task.outcome = TaskOutcome::Unknown;
                self.touched.tasks.insert(upid.clone());
            }
        }
        let mut changes = Vec::new();
        for task in tasks {
            if let Some(change) = self.life_told(&task, now) {
                changes.push(change);
            }
            // A list read from a node that lags must not make an ended task run again.
            let known = self.tasks.get(&task.upid);
            let ended = known.is_some_and(|known| known.outcome.has_ended());
            if known != Some(&task) && (!ended || task.outcome.has_ended()) {
                self.touched.tasks.insert(task.upid.clone());
                self.tasks.insert(task.upid.clone(), task);
            }
        }
        self.forget_old_tasks();
        Some(changes)
    }

    fn forget_old_tasks(&mut self) {
        if self.tasks.len() <= TASKS_KEPT {
            return;
        }
        let mut by_age: Vec<(Timestamp, TaskId)> =
            self.tasks.values().map(|task| (task.started, task.upid.clone())).collect();
        by_age.sort();
        let surplus = by_age.len() - TASKS_KEPT;
        for (_, upid) in by_age.into_iter().take(surplus) {
            self.tasks.remove(&upid);
            self.lives_told.remove(&upid);
            self.touched.tasks.insert(upid);
        }
    }

    /// What an ended task means for the life of the number it worked on.
    fn life_told(&mut self, task: &Task, now: Now) -> Option<Change> {
        let good = matches!(task.outcome, TaskOutcome::Ok | TaskOutcome::Warnings { .. });
        if !good || !begins_new_life(&task.kind) || self.lives_told.contains(&task.upid) {
            return None;
        }
        let vmid: Vmid = task.id.parse().ok()?;
        let known = self.guests.get_mut(&vmid)?;
        self.lives_told.insert(task.upid.clone());
        // Told by the remote's clock, compared with ours.
        let started = task.started.checked_sub(self.skew).unwrap_or(task.started);
        if started <= known.first_seen {
            return None;
        }
        if task.kind.ends_with("destroy") {
            known.ended = Some(now.mono);
            self.touched.guests.insert(vmid);
            return None;
        }
        self.touched.past.push(known.clone());
        self.touched.guests.insert(vmid);
        self.touched.addresses.insert(vmid);
        known.reborn(Traits { kind: Some(known.guest.kind), ..Traits::default() }, now);
        Some(Change::GuestReborn { vmid, incarnation: known.incarnation })
    }
}

// === impl Known ===

impl Known {
    fn new(guest: Guest, seen: Option<(Timestamp, EndpointId)>, doubt: Option<Doubt>, now: Now) -> Self {
        let traits = Traits { kind: Some(guest.kind), ..Traits::default() };
        let (observed_at, through) = seen.unzip();
        let row = Arc::new(GuestRow {
            state: GuestState::Unknown,
            guest,
            incarnation: Incarnation::default(),
            observed_at,
            through,
            freshness: Freshness::NeverSeen,
            presence: Presence::Present,
            standing: Standing::Unknown,
            addresses: None,
            busy: None,
        });
        Self::of(row, traits, now.wall, doubt, now)
    }

    /// A guest as it was kept.
    pub(crate) fn of(
        row: Arc<GuestRow>,
        traits: Traits,
        first_seen: Timestamp,
        doubt: Option<Doubt>,
        now: Now,
    ) -> Self {
        Self { row, traits, first_seen, doubt, config: None, ended: None, born: now.mono, glimpsed: None }
    }

    /// Its row, to be changed: a copy of its own while a snapshot holds the other.
    pub(crate) fn row_mut(&mut self) -> &mut GuestRow {
        Arc::make_mut(&mut self.row)
    }

    /// Whether a task destroyed it.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    pub(crate) fn end(&mut self, now: Now) {
        self.ended = Some(now.mono);
    }

    /// The number is another guest's from here on: what the last one told of itself is not this one's.
    fn reborn(&mut self, traits: Traits, now: Now) {
        let row = self.row_mut();
        row.incarnation = row.incarnation.next();
        row.addresses = None;
        self.traits = traits;
        self.first_seen = now.wall;
        self.config = None;
        self.ended = None;
        self.born = now.mono;
        self.glimpsed = None;
    }

    fn fill(
        &mut self,
        name: Option<Text>,
        template: Option<bool>,
        memory_max: Option<u64>,
        cpus: Option<f64>,
    ) {
        let guest = &mut self.row_mut().guest;
        guest.name = name.or(guest.name.take());
        guest.template = template.or(guest.template);
        guest.memory_max = memory_max.or(guest.memory_max);
        guest.cpus = cpus.or(guest.cpus);
    }

    /// A row that is known for sure takes the place of the last one. Returns whether more than the figures moved.
    fn replace(&mut self, mut fresh: Guest, reading: &Reading, now: Now, changes: &mut Vec<Change>) -> bool {
        let (vmid, before, old) = (fresh.vmid, changes.len(), &self.row.guest);
        // A name is never lost to a row that happens to lack it; and what is the same is shared.
        if fresh.name.is_none() || fresh.name == old.name {
            fresh.name.clone_from(&old.name);
        }
        if fresh.pool == old.pool {
            fresh.pool.clone_from(&old.pool);
        }
        if fresh.ha == old.ha {
            fresh.ha.clone_from(&old.ha);
        }
        if old.state != fresh.state {
            changes.push(Change::GuestState { vmid, from: old.state.clone(), to: fresh.state.clone() });
        }
        if old.node == fresh.node {
            fresh.node.clone_from(&old.node);
        } else {
            changes.push(Change::GuestMoved { vmid, from: old.node.clone(), to: fresh.node.clone() });
        }
        if old.name != fresh.name {
            changes.push(Change::GuestRenamed { vmid, from: old.name.clone(), to: fresh.name.clone() });
        }
        let different = reshaped(old, &fresh);
        if !different.is_empty() {
            changes.push(Change::GuestReshaped { vmid, changes: different });
        }
        let through = match &self.row.through {
            Some(known) if *known == reading.through => known.clone(),
            _ => reading.through.clone(),
        };
        let row = self.row_mut();
        row.guest = fresh;
        (row.observed_at, row.through) = (Some(now.wall), Some(through));
        changes.len() > before
    }
}

/// What a row says of a guest's shape, key by key, where it is different.
fn reshaped(old: &Guest, new: &Guest) -> Vec<ConfigChange> {
    let mut changes = Vec::new();
    let mut note = |key: &str, from: Option<String>, to: Option<String>| {
        changes.push(ConfigChange { key: key.into(), from, to });
    };
    fn text<T: ToString>(value: Option<&T>) -> Option<String> {
        value.map(ToString::to_string)
    }
    let tags = |tags: &[Text]| (!tags.is_empty()).then(|| tags.join(";"));
    if old.template != new.template {
        note("template", text(old.template.as_ref()), text(new.template.as_ref()));
    }
    if old.memory_max != new.memory_max {
        note("memory", text(old.memory_max.as_ref()), text(new.memory_max.as_ref()));
    }
    if old.disk_max != new.disk_max {
        note("disk", text(old.disk_max.as_ref()), text(new.disk_max.as_ref()));
    }
    if old.cpus.map(f64::to_bits) != new.cpus.map(f64::to_bits) {
        note("cpus", text(old.cpus.as_ref()), text(new.cpus.as_ref()));
    }
    if old.tags != new.tags {
        note("tags", tags(&old.tags), tags(&new.tags));
    }
    if old.pool != new.pool {
        note("pool", text(old.pool.as_ref()), text(new.pool.as_ref()));
    }
    if old.lock != new.lock {
        note("lock", text(old.lock.as_ref()), text(new.lock.as_ref()));
    }
    if old.ha != new.ha {
        note("ha", text(old.ha.as_ref()), text(new.ha.as_ref()));
    }
    changes
}

/// The addresses that every guest has.
fn is_loopback(address: &str) -> bool {
    address.starts_with("127.") || address.starts_with("::1")
}

pub(crate) fn storage_key(storage: &Storage) -> (Text, NodeName) {
    (storage.storage.clone(), storage.node.clone())
}

/// Whether two presences are of one kind; counts and times may differ.
fn same_kind(a: &Presence, b: &Presence) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
