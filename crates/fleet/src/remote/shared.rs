//! What a remote's task shares with whoever reads: the [`Board`] of a fleet, and what is [`Shared`] of one remote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use model::{Cause, EndpointId, LinkState, Observed, Operation, OperationId, RemoteId, Text, Vmid};
use pve::reply::GuestConfig;
use tokio::sync::{Notify, watch};

use super::Common;
use super::view::grow_stale;
use crate::clock::Clock;
use crate::detail::Flown;
use crate::journal::{Journal, UnreadError};
use crate::lease::Party;
use crate::lines::Lines;
use crate::look::Looks;
use crate::snapshot::RemoteSnapshot;

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
    id: RemoteId,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Clock,
    journal: Arc<dyn Journal>,
    pub(crate) snapshot: ArcSwap<RemoteSnapshot>,
    /// The way in, while the link is up: clients, the endpoint in use, the epoch.
    pub(crate) way: ArcSwapOption<Way>,
    /// The others that share a database, if there may be any.
    pub(crate) party: Option<Arc<Party>>,
    /// What is being asked about guests, by whomever.
    pub(crate) flown: Flown,
    pub(crate) looks: Looks,
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
    pub(super) fn same_as(&self, identity: &Text, id: RemoteId, name: &Text) -> Option<Text> {
        let mut identities = lock(&self.identities);
        // What it showed before, and was called before, it is no longer.
        identities.retain(|known, (first, _)| *first != id || known == identity);
        let (first, known) = identities.entry(identity.clone()).or_insert_with(|| (id, name.clone()));
        if *first != id {
            return Some(known.clone());
        }
        known.clone_from(name);
        None
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
    pub(crate) fn new(id: RemoteId, board: Arc<Board>, common: &Common, first: RemoteSnapshot) -> Self {
        Self {
            id,
            board,
            clock: common.clock,
            journal: common.journal.clone(),
            snapshot: ArcSwap::from_pointee(first),
            way: ArcSwapOption::empty(),
            party: common.party.clone(),
            flown: Flown::default(),
            looks: Looks::default(),
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

    pub(crate) fn drop_operation(&self, id: OperationId) {
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

    /// A guest's configuration as last read, from memory or from where it is kept.
    pub(crate) async fn known_config(
        &self,
        vmid: Vmid,
    ) -> Result<Option<Observed<Arc<GuestConfig>>>, UnreadError> {
        match self.config(vmid) {
            Some(known) => Ok(Some(known)),
            None => self.journal.config(self.id, vmid).await,
        }
    }

    /// A guest's configuration, where it is held in memory.
    pub(crate) fn config(&self, vmid: Vmid) -> Option<Observed<Arc<GuestConfig>>> {
        lock(&self.configs).get(&vmid).cloned()
    }

    /// Why nothing may be done with the remote here.
    pub(crate) fn not_ours(&self) -> Option<Cause> {
        self.party.as_ref()?.not_ours(self.id)
    }

    /// The fleet's pace does not go by its link any more.
    pub(crate) fn forget_link(&self) {
        lock(&self.board.links).remove(&self.id);
        self.board.links_changed.notify_one();
    }

    /// Its task has ended, and who looks after it now has not told anything yet: what was shown last stays, and is not
    /// what is.
    pub(crate) fn left(&self, elsewhere: Cause) {
        let text = "it is being handed from one process to another".to_owned();
        let link = LinkState::Connecting { last: Some(Cause::Unattended { text }) };
        let mut shown = RemoteSnapshot::clone(&self.snapshot.load());
        if let Some(why) = link.stale_why() {
            grow_stale(&mut shown, &why);
        }
        shown.at = self.clock.now().wall;
        shown.elsewhere = Some(elsewhere);
        if shown.link.state.is_up() {
            (shown.link.since, shown.link.down_since) = (shown.at, Some(shown.at));
        }
        shown.link.state = link;
        self.close();
        self.forget_link();
        self.snapshot.store(Arc::new(shown));
        self.board.revision.send_modify(|revision| *revision += 1);
    }

    /// The state of the link this moment: it may be ahead of the snapshot.
    pub(crate) fn link_state(&self) -> Option<LinkState> {
        lock(&self.board.links).get(&self.id).cloned()
    }

    pub(super) fn close(&self) {
        self.way.store(None);
    }
}
