//! What others see of a remote: the snapshot is made here, and swapped in once what is durable is recorded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use model::guest::NodeState;
use model::{
    EndpointId, Freshness, LinkState, Now, Observed, Operation, OperationId, Presence, RemoteId, StaleWhy,
    Task, Text, Vmid,
};
use pve::drift::{Drift, DriftRecord};
use pve::reply::GuestConfig;
use tokio::sync::{Notify, watch};

use super::schedule::Part;
use super::{PUBLISH_GAP, Remote, newest_first};
use crate::clock::Clock;
use crate::detail::Flown;
use crate::inventory::{Doubt, Inventory, Known};
use crate::journal::Fact;
use crate::lines::Lines;
use crate::snapshot::RemoteSnapshot;
use model::rows::{GuestRow, NodeRow, Standing, StorageRow, UnreadableRow};

/// Unreadable rows shown per call.
const UNREADABLE_SHOWN: usize = 20;
/// What stands for a facet where an answer was asked for by somebody, not by the clock.
const ON_DEMAND: &str = "on_demand";
/// After a record could not be kept: how long until the next attempt.
pub(super) const JOURNAL_PAUSE: Duration = Duration::from_secs(1);

type Operations = BTreeMap<OperationId, watch::Receiver<Arc<Operation>>>;
type Identities = BTreeMap<Text, (RemoteId, Text)>;

/// What the tasks of a fleet and its readers share.
#[derive(Default)]
pub(crate) struct Board {
    operations: Mutex<Operations>,
    identities: Mutex<Identities>,
    pub(crate) links: Mutex<BTreeMap<RemoteId, LinkState>>,
    /// A link has changed: the pace of all may have to.
    pub(crate) links_changed: Notify,
    pub(crate) revision: watch::Sender<u64>,
}

/// What one remote's task and its readers share.
pub(crate) struct Shared {
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Clock,
    pub(crate) snapshot: ArcSwap<RemoteSnapshot>,
    /// The way in, while the link is up: clients, the endpoint in use, the epoch.
    pub(crate) way: ArcSwapOption<Way>,
    /// What is being asked about guests, by whomever.
    pub(crate) flown: Flown,
    configs: Mutex<BTreeMap<Vmid, Observed<Arc<GuestConfig>>>>,
}

/// How readers' own requests go out.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) lines: Lines,
    pub(crate) endpoint: EndpointId,
    pub(crate) epoch: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Board ===

impl Board {
    pub(crate) fn operation(&self, id: OperationId) -> Option<watch::Receiver<Arc<Operation>>> {
        lock(&self.operations).get(&id).cloned()
    }

    /// The remote that was the first to show this identity, unless it is this one.
    fn same_as(&self, identity: &Text, id: RemoteId, name: &Text) -> Option<Text> {
        let mut identities = lock(&self.identities);
        let (first, known) = identities.entry(identity.clone()).or_insert_with(|| (id, name.clone()));
        (*first != id).then(|| known.clone())
    }

    pub(crate) fn forget(&self, id: RemoteId) {
        lock(&self.identities).retain(|_, (owner, _)| *owner != id);
        lock(&self.links).remove(&id);
        lock(&self.operations).retain(|_, operation| operation.borrow().guest.remote != id);
        self.links_changed.notify_one();
        self.revision.send_modify(|revision| *revision += 1);
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(board: Arc<Board>, clock: Clock, first: RemoteSnapshot) -> Self {
        Self {
            board,
            clock,
            snapshot: ArcSwap::from_pointee(first),
            way: ArcSwapOption::empty(),
            flown: Flown::default(),
            configs: Mutex::default(),
        }
    }

    pub(super) fn link_changed(&self, id: RemoteId, state: LinkState) {
        lock(&self.board.links).insert(id, state);
        self.board.links_changed.notify_one();
    }

    pub(super) fn keep_operation(&self, id: OperationId, watch: watch::Receiver<Arc<Operation>>) {
        lock(&self.board.operations).insert(id, watch);
    }

    pub(super) fn drop_operation(&self, id: OperationId) {
        lock(&self.board.operations).remove(&id);
    }

    pub(crate) fn keep_config(&self, vmid: Vmid, config: Observed<Arc<GuestConfig>>) {
        lock(&self.configs).insert(vmid, config);
    }

    pub(super) fn drop_config(&self, vmid: Vmid) {
        lock(&self.configs).remove(&vmid);
    }

    pub(super) fn retain_configs(&self, keep: impl Fn(&Vmid) -> bool) {
        lock(&self.configs).retain(|vmid, _| keep(vmid));
    }

    /// A guest's configuration as last read.
    pub(crate) fn config(&self, vmid: Vmid) -> Option<Observed<Arc<GuestConfig>>> {
        lock(&self.configs).get(&vmid).cloned()
    }

    pub(super) fn close(&self) {
        self.way.store(None);
    }
}

// === impl Inventory: what may be asked ===

impl Inventory {
    /// A node that is not known to be down.
    pub(super) fn answers(&self, node: &model::NodeName) -> bool {
        self.nodes.get(node).is_some_and(|known| known.listed && known.node.state != NodeState::Offline)
    }

    /// A guest that is there, on a node that is not known to be down.
    pub(super) fn can_be_read(&self, vmid: Vmid) -> bool {
        self.guests.get(&vmid).is_some_and(|known| {
            known.presence.is_present() && !matches!(known.doubt, Some(Doubt::NodeDown(_)))
        })
    }

    /// A guest that is there and runs.
    pub(super) fn runs(&self, vmid: Vmid) -> bool {
        self.can_be_read(vmid)
            && self.guests.get(&vmid).is_some_and(|known| known.guest.state == model::GuestState::Running)
    }
}

// === impl Remote: publishing ===

impl Remote {
    /// Publishes if there is news and the last time is not too near; says when to wake.
    pub(super) async fn publish_if_due(&mut self, until: Duration) -> Duration {
        let now = self.now();
        let mut until = self.rides_due().map_or(until, |due| until.min(due.max(now.mono)));
        if self.dirty {
            let due = self.published.saturating_add(PUBLISH_GAP);
            if now.mono < due {
                until = until.min(due);
            } else if !self.publish().await {
                until = until.min(now.after(JOURNAL_PAUSE));
            }
        }
        until
    }

    /// Records what is durable, then swaps the snapshot in and tells everybody. `false`: it could not be
    /// recorded, so nobody was told anything.
    pub(super) async fn publish(&mut self) -> bool {
        if !self.facts.is_empty() {
            let facts: Vec<Fact> = self.facts.clone();
            if let Err(error) = self.common.journal.commit(self.id, facts).await {
                tracing::error!(remote = %self.spec.name, %error, "nothing is published before it is recorded");
                self.published = self.now().mono;
                return false;
            }
            self.facts.clear();
        }
        let now = self.now();
        self.revision += 1;
        let snapshot = self.snapshot(now);
        self.open_way(&snapshot.link.state);
        self.shared.snapshot.store(Arc::new(snapshot));
        self.tell_riders();
        self.shared.board.revision.send_modify(|revision| *revision += 1);
        self.dirty = false;
        self.published = now.mono;
        true
    }

    fn open_way(&mut self, state: &LinkState) {
        let epoch = self.link.epoch();
        let endpoint = self.link.endpoint().cloned();
        let (Some(lines), Some(endpoint), true) = (&self.lines, endpoint, state.is_up()) else {
            self.shared.close();
            return;
        };
        let open = self.shared.way.load();
        if open.as_ref().is_none_or(|way| way.epoch != epoch || way.endpoint != endpoint) {
            self.shared.way.store(Some(Arc::new(Way { lines: lines.clone(), endpoint, epoch })));
        }
    }

    fn snapshot(&mut self, now: Now) -> RemoteSnapshot {
        let (requests, bytes) = self.lines.as_ref().map_or((0, 0), Lines::counted);
        self.meter.read(now.mono, self.counted_before.0 + requests, self.counted_before.1 + bytes);
        let name = Text::from(self.spec.name.as_str());
        let same_as = self.identity.as_ref().and_then(|one| self.shared.board.same_as(one, self.id, &name));
        let why = self.why_stale(now);
        let mut tasks: Vec<Task> = self.inventory.tasks.values().cloned().collect();
        tasks.sort_by(|a, b| newest_first(a.started, b.started).then_with(|| a.upid.cmp(&b.upid)));
        RemoteSnapshot {
            id: self.id,
            name,
            at: now.wall,
            link: self.link.view(),
            versions: self.versions.clone(),
            cluster: self.cluster.clone(),
            same_as,
            identity: self.identity.clone(),
            user: Some(Text::from(self.spec.credential.authid())),
            ha: self.ha.clone(),
            coverage: self.schedule.coverage(),
            nodes: self.node_rows(why.as_ref()),
            guests: self.guest_rows(why.as_ref()),
            storages: self.storage_rows(why.as_ref()),
            tasks,
            operations: self.operations(),
            drift: self.drift_records(),
            unreadable: self.unreadable_rows(),
            traffic: self.meter.traffic(),
            faults: self.faults,
            last_fault: self.last_fault.clone(),
        }
    }

    /// Why nothing that listings bring is live; `None` when it is.
    fn why_stale(&self, now: Now) -> Option<StaleWhy> {
        if let Some(why) = self.link.state().stale_why() {
            return Some(why);
        }
        if let Some(failure) = self.schedule.error(&Part::Resources) {
            return Some(StaleWhy::Facet { cause: Arc::new(failure.cause.clone()) });
        }
        let last = self.schedule.last_success(&Part::Resources)?;
        if self.up_since.is_some_and(|up| last < up) {
            // What was seen before the link came back is not live before it was seen again.
            return Some(StaleWhy::Overdue);
        }
        (now.since(last) > self.schedule.interval(&Part::Resources).saturating_mul(3))
            .then_some(StaleWhy::Overdue)
    }

    fn node_rows(&self, why: Option<&StaleWhy>) -> Vec<NodeRow> {
        self.inventory
            .nodes
            .values()
            .map(|known| {
                let (at, through) = known.seen.clone().unzip();
                let own = match (&known.node.state, known.listed) {
                    (_, false) => Some(StaleWhy::Missing),
                    (NodeState::Offline, _) => Some(StaleWhy::NodeDown { node: known.node.name.clone() }),
                    (NodeState::Unknown, _) => Some(StaleWhy::StateUnknown),
                    _ => None,
                };
                NodeRow {
                    node: known.node.clone(),
                    observed_at: at,
                    through,
                    freshness: freshness(at, why.cloned().or(own)),
                }
            })
            .collect()
    }

    fn storage_rows(&self, why: Option<&StaleWhy>) -> Vec<StorageRow> {
        self.inventory
            .storages
            .iter()
            .map(|one| {
                let seen = &one.seen;
                let node = self.inventory.nodes.get(&seen.value.node).map(|known| &known.node.state);
                let own = match (node, one.listed) {
                    (Some(NodeState::Offline), _) => {
                        Some(StaleWhy::NodeDown { node: seen.value.node.clone() })
                    }
                    (_, false) => Some(StaleWhy::Missing),
                    (_, true) => one.vague.then_some(StaleWhy::StateUnknown),
                };
                StorageRow {
                    storage: seen.value.clone(),
                    observed_at: seen.at,
                    freshness: freshness(Some(seen.at), why.cloned().or(own)),
                }
            })
            .collect()
    }

    fn guest_rows(&self, why: Option<&StaleWhy>) -> Vec<Arc<GuestRow>> {
        let mut busy: BTreeMap<Vmid, OperationId> = BTreeMap::new();
        for (id, ride) in &self.rides {
            if ride.operation.state.blocks() {
                busy.insert(ride.operation.guest.vmid, *id);
            }
        }
        self.inventory
            .guests
            .iter()
            .map(|(vmid, known)| Arc::new(guest_row(known, why, busy.get(vmid).copied())))
            .collect()
    }

    /// What is odd now, equal records of one call together.
    fn drift_records(&self) -> Vec<DriftRecord> {
        let mut all = Drift::default();
        for drift in self.drift.values() {
            all.absorb(Drift { unreadable: Vec::new(), ..drift.clone() });
        }
        all.absorb(Drift { unreadable: Vec::new(), ..self.odd.clone() });
        all.records
    }

    fn unreadable_rows(&self) -> Vec<UnreadableRow> {
        let rows = |facet: &str, drift: &Drift| -> Vec<UnreadableRow> {
            drift
                .unreadable
                .iter()
                .take(UNREADABLE_SHOWN)
                .map(|row| UnreadableRow { facet: facet.into(), why: row.why.clone(), raw: row.raw.clone() })
                .collect()
        };
        let polled = self
            .drift
            .iter()
            .flat_map(|(part, drift)| rows(part.facet().map_or("", model::FacetKind::as_str), drift));
        polled.chain(rows(ON_DEMAND, &self.odd)).collect()
    }
}

fn freshness(at: Option<jiff::Timestamp>, why: Option<StaleWhy>) -> Freshness {
    match (at, why) {
        (None, _) => Freshness::NeverSeen,
        (Some(_), None) => Freshness::Live,
        (Some(since), Some(why)) => Freshness::Stale { since, why },
    }
}

fn guest_row(known: &Known, why: Option<&StaleWhy>, busy: Option<OperationId>) -> GuestRow {
    let (at, through) = known.seen.clone().unzip();
    let out_of_reach = || match why {
        Some(StaleWhy::Overdue | StaleWhy::Facet { .. }) | None => None,
        Some(why) => Some((why.clone(), Standing::OutOfReach)),
    };
    let found = match &known.presence {
        Presence::Deleted { .. } => Some((StaleWhy::Deleted, Standing::Deleted)),
        Presence::NoLongerVisible { .. } => Some((StaleWhy::NotVisible, Standing::NotVisible)),
        Presence::Missing { .. } => out_of_reach().or(Some((StaleWhy::Missing, Standing::Missing))),
        Presence::Present => out_of_reach().or_else(|| match &known.doubt {
            Some(Doubt::NodeDown(node)) => {
                Some((StaleWhy::NodeDown { node: node.clone() }, Standing::NodeDown { node: node.clone() }))
            }
            Some(Doubt::StateUnknown) => Some((StaleWhy::StateUnknown, Standing::Unknown)),
            Some(Doubt::StateUnread) => Some((StaleWhy::StateUnread, Standing::Unknown)),
            None => None,
        }),
    };
    let known_state = || Standing::Known { state: known.guest.state.clone() };
    let (why, standing) = match found {
        Some((why, standing)) => (Some(why), standing),
        None => (why.cloned(), known_state()),
    };
    let freshness = freshness(at, why);
    let state = match &standing {
        Standing::Known { state } if freshness.is_live() => state.clone(),
        _ => model::GuestState::Unknown,
    };
    GuestRow {
        state,
        guest: known.guest.clone(),
        incarnation: known.incarnation,
        observed_at: at,
        through,
        freshness,
        presence: known.presence.clone(),
        standing,
        addresses: known.addresses.clone(),
        busy,
    }
}
