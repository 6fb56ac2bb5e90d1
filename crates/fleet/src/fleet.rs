//! All remotes of an installation: [`Fleet`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use model::outage::{Pace, paces};
use model::{Cause, Failure, LinkState, OperationId, RemoteId, Vmid};
use pve::{Factor, SystemStore};
use store::Store;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::{Clock, Dice};
use crate::detail::{Asker, DetailError, GuestDetail, LogPage};
use crate::durable::StoreJournal;
use crate::journal::{Forgetful, Journal, Receipt};
use crate::lease::Party;
use crate::remote::{Board, Common, Message};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};
use crate::timings::Timings;

/// Between two looks at all links together.
const PACE_GAP: Duration = Duration::from_millis(50);

/// How often a message is offered to a remote that changes hands.
const HANDING_OVER: usize = 40;

/// There is no such remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such remote")]
pub struct NoSuchRemote;

/// All remotes of an installation, running. Clones are cheap and share everything; when the last one goes,
/// every task ends.
#[derive(Clone)]
pub struct Fleet {
    pub(crate) inner: Arc<Inner>,
    /// Goes with the next change that is asked for on this handle.
    pub(crate) receipt: Option<Receipt>,
}

pub(crate) struct Inner {
    pub(crate) common: Common,
    pub(crate) board: Arc<Board>,
    pub(crate) remotes: Mutex<BTreeMap<RemoteId, Handle>>,
    pub(crate) next: AtomicU64,
    pub(crate) next_operation: Arc<AtomicU64>,
    pub(crate) keeping: Option<Keeping>,
    /// One remote is added, renamed or removed at a time: names and identities are compared before.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) claims: crate::onboard::Claims,
    pub(crate) charts: crate::chart::Charts,
    pacer: Mutex<Option<JoinHandle<()>>>,
    /// What divides the remotes between processes.
    pub(crate) sharing: Mutex<Vec<JoinHandle<()>>>,
}

/// Where what is durable goes.
pub(crate) struct Keeping {
    pub(crate) store: Store,
    pub(crate) journal: Arc<StoreJournal>,
}

pub(crate) struct Handle {
    pub(crate) name: String,
    /// Whether this process looks after it.
    pub(crate) runs: bool,
    pub(crate) asker: Asker,
    pub(crate) task: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for handle in self.remotes.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            handle.task.abort();
        }
        for task in self.sharing.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
        if let Some(pacer) = self.pacer.get_mut().unwrap_or_else(PoisonError::into_inner) {
            pacer.abort();
        }
    }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("remotes", &self.remotes().len()).finish_non_exhaustive()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Fleet ===

impl Fleet {
    /// An empty fleet that keeps nothing. `seed` feeds the jitter. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(timings: Timings, clock: Clock, seed: u64) -> Self {
        Self::with_journal(timings, clock, seed, Arc::new(Forgetful))
    }

    /// An empty fleet whose durable facts go to `journal` before anybody is told.
    #[must_use]
    pub fn with_journal(timings: Timings, clock: Clock, seed: u64, journal: Arc<dyn Journal>) -> Self {
        Self::begin(timings, clock, seed, journal, None, None)
    }

    /// Begins with no remotes.
    pub(crate) fn begin(
        timings: Timings,
        clock: Clock,
        seed: u64,
        journal: Arc<dyn Journal>,
        keeping: Option<Keeping>,
        party: Option<Arc<Party>>,
    ) -> Self {
        // Ids grow over restarts as well: milliseconds in the upper bits, a counter below.
        let by_clock = u64::try_from(clock.now().wall.as_millisecond()).unwrap_or(1) << 12;
        let ids = Arc::new(AtomicU64::new(by_clock));
        let next_operation = ids.clone();
        // Processes that share a store have every so many-th number each, so that no two give the same.
        let (step, own) = party.as_ref().map_or((1, 0), |party| party.numbers());
        let common = Common {
            clock,
            dice: Dice::seeded(seed),
            timings: Arc::new(timings),
            journal,
            store: SystemStore::new(),
            party,
            ids: Arc::new(move || {
                let next = ids.fetch_add(step, Ordering::Relaxed);
                OperationId(next.next_multiple_of(step) + own)
            }),
        };
        let inner = Arc::new(Inner {
            common,
            board: Arc::new(Board::default()),
            remotes: Mutex::default(),
            next: AtomicU64::new(1),
            next_operation,
            keeping,
            changing: tokio::sync::Mutex::new(()),
            claims: crate::onboard::Claims::default(),
            charts: crate::chart::Charts::default(),
            pacer: Mutex::new(None),
            sharing: Mutex::default(),
        });
        let pacer = tokio::spawn(pace(Arc::downgrade(&inner), inner.board.clone()));
        *lock(&inner.pacer) = Some(pacer);
        Self { inner, receipt: None }
    }

    /// The same fleet for one change: `receipt` is committed together with it, or neither is.
    #[must_use]
    pub fn with(&self, receipt: Receipt) -> Self {
        Self { inner: self.inner.clone(), receipt: Some(receipt) }
    }

    pub(crate) fn remotes(&self) -> MutexGuard<'_, BTreeMap<RemoteId, Handle>> {
        lock(&self.inner.remotes)
    }

    pub(crate) fn asker(&self, id: RemoteId) -> Option<Asker> {
        self.remotes().get(&id).map(|handle| handle.asker.clone())
    }

    pub(crate) async fn tell(&self, id: RemoteId, message: Message) -> Result<(), NoSuchRemote> {
        let mut message = message;
        for _ in 0..HANDING_OVER {
            let asker = self.asker(id).ok_or(NoSuchRemote)?;
            match asker.mailbox.send(message).await {
                Ok(()) => return Ok(()),
                Err(_) if self.inner.common.party.is_none() => break,
                // It is just being handed from one process to another: a moment later somebody answers for it.
                Err(unsent) => message = unsent.0,
            }
            tokio::time::sleep(PACE_GAP).await;
        }
        Err(NoSuchRemote)
    }

    /// Ends every remote's task and closes its connections.
    pub async fn stop(&self) {
        self.stop_settling();
        let handles = std::mem::take(&mut *self.remotes());
        for handle in handles.values() {
            let _ = handle.asker.mailbox.send(Message::Stop).await;
        }
        for (_, handle) in handles {
            let mut task = handle.task;
            if tokio::time::timeout(Duration::from_secs(5), &mut task).await.is_err() {
                task.abort();
            }
        }
        self.leave().await;
    }

    /// All remotes at this instant. Takes no lock that a poll would wait for.
    #[must_use]
    pub fn snapshot(&self) -> FleetSnapshot {
        let revision = *self.inner.board.revision.borrow();
        let remotes = self.remotes().values().map(|one| one.asker.shared.snapshot.load_full()).collect();
        FleetSnapshot { revision, remotes }
    }

    /// One remote at this instant.
    #[must_use]
    pub fn remote(&self, id: RemoteId) -> Option<Arc<RemoteSnapshot>> {
        self.asker(id).map(|asker| asker.shared.snapshot.load_full())
    }

    /// Grows with every change anywhere: await [`watch::Receiver::changed`], then take a snapshot.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.board.revision.subscribe()
    }

    /// Tries the link now instead of when its back-off says.
    ///
    /// # Errors
    /// When there is none.
    pub async fn try_now(&self, id: RemoteId) -> Result<(), NoSuchRemote> {
        self.tell(id, Message::TryNow).await
    }

    /// Answers a sign-in that waits for its second factor.
    ///
    /// # Errors
    /// Why it was not accepted; `None` when there is no such remote.
    pub async fn second_factor(&self, id: RemoteId, factor: Factor) -> Result<(), Option<Failure>> {
        let (reply, answer) = oneshot::channel();
        self.tell(id, Message::SecondFactor { factor, reply }).await.map_err(|NoSuchRemote| None)?;
        match answer.await {
            Ok(answered) => answered.map_err(Some),
            // It was disconnected meanwhile, or fell over.
            Err(_) => Err(self.asker(id).map(|asker| match asker.shared.link_state() {
                Some(LinkState::Disconnected { .. }) => asker.link_failure(),
                _ => {
                    let cause = Cause::Internal { text: "a fault inside Muster: try again".to_owned() };
                    Failure { cause, endpoint: None, at: self.inner.common.clock.now().wall }
                }
            })),
        }
    }

    /// Everything about one guest, read now; where the remote does not answer, as last seen, and why.
    ///
    /// # Errors
    /// When there is no such remote or guest.
    pub async fn guest_detail(&self, id: RemoteId, vmid: Vmid) -> Result<GuestDetail, DetailError> {
        self.asker(id).ok_or(DetailError::NoSuchRemote)?.guest(vmid).await
    }

    /// Everything that is known of one guest, as last seen: nothing is asked for.
    ///
    /// # Errors
    /// When there is no such remote or guest.
    pub async fn guest_known(&self, id: RemoteId, vmid: Vmid) -> Result<GuestDetail, DetailError> {
        self.asker(id).ok_or(DetailError::NoSuchRemote)?.known(vmid).await
    }

    /// The client that speaks to a remote at present, signed in.
    ///
    /// # Errors
    /// When there is no such remote, or its link is not up.
    pub fn client(&self, id: RemoteId) -> Result<pve::Client, DetailError> {
        self.asker(id).ok_or(DetailError::NoSuchRemote)?.client().map_err(DetailError::Failed)
    }

    /// Every interval and time-out it runs by.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.inner.common.timings
    }

    /// The system's certificate store, by which it judges.
    #[must_use]
    pub fn system_store(&self) -> &SystemStore {
        &self.inner.common.store
    }

    /// Some lines of a task's log, from line `start` (0 is the first).
    ///
    /// # Errors
    /// When there is no such remote, or the log could not be read.
    pub async fn task_log(
        &self,
        id: RemoteId,
        upid: &str,
        start: u64,
        limit: u64,
    ) -> Result<LogPage, DetailError> {
        self.asker(id).ok_or(DetailError::NoSuchRemote)?.log(upid, start, limit).await
    }
}

/// Sets the pace of all links whenever one of them changes.
async fn pace(fleet: Weak<Inner>, board: Arc<Board>) {
    let mut set: BTreeMap<RemoteId, Pace> = BTreeMap::new();
    loop {
        board.links_changed.notified().await;
        let states: Vec<(RemoteId, LinkState)> =
            lock(&board.links).iter().map(|(id, state)| (*id, state.clone())).collect();
        set.retain(|id, _| states.binary_search_by_key(id, |(one, _)| *one).is_ok());
        let list: Vec<(RemoteId, &LinkState)> = states.iter().map(|(id, state)| (*id, state)).collect();
        for (id, pace) in paces(&list) {
            let known = set.insert(id, pace).unwrap_or_default();
            if known == pace {
                continue;
            }
            let Some(inner) = fleet.upgrade() else { return };
            let mailbox = lock(&inner.remotes).get(&id).map(|handle| handle.asker.mailbox.clone());
            drop(inner);
            if let Some(mailbox) = mailbox {
                let _ = mailbox.send(Message::Pace(pace)).await;
            }
        }
        // When thousands of links change at once, looking at all of them after each would take for ever.
        tokio::time::sleep(PACE_GAP).await;
    }
}
