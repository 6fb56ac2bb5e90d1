//! All remotes of an installation: [`Fleet`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use model::capability::Availability;
use model::facet::Coverage;
use model::link::Link;
use model::outage::{Pace, paces};
use model::{
    Action, Author, Cause, EndpointId, Failure, LinkState, Operation, OperationId, PowerOptions, RemoteId,
    TaskId, Text, Vmid,
};
use pve::upid::Upid;
use pve::{Credential, Factor, SystemStore, TrustPolicy};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::{Clock, Dice};
use crate::detail::{Asker, DetailError, GuestDetail, LogPage};
use crate::journal::{Forgetful, Journal};
use crate::remote::{Board, Common, DisconnectError, Message, OperateError, Remote, Shared, StopTaskError};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};
use crate::spec::RemoteSpec;
use crate::timings::Timings;
use model::rows::Traffic;

/// Messages to one remote that may wait.
const MAILBOX: usize = 64;

/// Between two looks at all links together.
const PACE_GAP: Duration = Duration::from_millis(50);

/// A remote was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It has no name, or one that another remote has.
    #[error("{0}")]
    Name(String),
    /// It has no endpoint, or one twice.
    #[error("{0}")]
    Endpoints(String),
}

/// There is no such remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such remote")]
pub struct NoSuchRemote;

/// All remotes of an installation, running. Clones are cheap and share everything; when the last one goes,
/// every task ends.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

struct Inner {
    common: Common,
    board: Arc<Board>,
    remotes: Mutex<BTreeMap<RemoteId, Handle>>,
    next: AtomicU64,
    pacer: Mutex<Option<JoinHandle<()>>>,
}

struct Handle {
    name: String,
    asker: Asker,
    task: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for handle in self.remotes.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            handle.task.abort();
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
        // Ids grow over restarts as well: milliseconds in the upper bits, a counter below.
        let first = u64::try_from(clock.now().wall.as_millisecond()).unwrap_or(1) << 12;
        let ids = Arc::new(AtomicU64::new(first));
        let common = Common {
            clock,
            dice: Dice::seeded(seed),
            timings: Arc::new(timings),
            journal,
            store: SystemStore::new(),
            ids: Arc::new(move || OperationId(ids.fetch_add(1, Ordering::Relaxed))),
        };
        let inner = Arc::new(Inner {
            common,
            board: Arc::new(Board::default()),
            remotes: Mutex::default(),
            next: AtomicU64::new(1),
            pacer: Mutex::new(None),
        });
        let pacer = tokio::spawn(pace(Arc::downgrade(&inner), inner.board.clone()));
        *lock(&inner.pacer) = Some(pacer);
        Self { inner }
    }

    fn remotes(&self) -> MutexGuard<'_, BTreeMap<RemoteId, Handle>> {
        lock(&self.inner.remotes)
    }

    fn asker(&self, id: RemoteId) -> Option<Asker> {
        self.remotes().get(&id).map(|handle| handle.asker.clone())
    }

    async fn tell(&self, id: RemoteId, message: Message) -> Result<(), NoSuchRemote> {
        let asker = self.asker(id).ok_or(NoSuchRemote)?;
        asker.mailbox.send(message).await.map_err(|_| NoSuchRemote)
    }

    /// Adds a remote and begins to connect to it (unless it is to stay disconnected).
    ///
    /// # Errors
    /// When the name is empty or taken, or there is no endpoint, or one twice.
    pub fn add(&self, spec: RemoteSpec) -> Result<RemoteId, AddError> {
        if spec.name.trim().is_empty() || spec.name.chars().any(|c| c.is_control() || c == '/') {
            return Err(AddError::Name(
                "a remote needs a name without slashes or control characters".to_owned(),
            ));
        }
        let endpoints = spec.ids();
        if endpoints.is_empty() {
            return Err(AddError::Endpoints("a remote needs an endpoint".to_owned()));
        }
        if let Some(twice) =
            endpoints.iter().enumerate().find(|(n, one)| endpoints.iter().take(*n).any(|o| o == *one))
        {
            return Err(AddError::Endpoints(format!("the endpoint {} is there twice", twice.1)));
        }
        let mut remotes = self.remotes();
        if remotes.values().any(|handle| handle.name == spec.name) {
            return Err(AddError::Name(format!("a remote is already called {}", spec.name)));
        }
        let id = RemoteId(self.inner.next.fetch_add(1, Ordering::Relaxed));
        let name = spec.name.clone();
        let shared =
            Arc::new(Shared::new(self.inner.board.clone(), self.inner.common.clock, self.blank(id, &spec)));
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let remote = Remote::new(id, spec, self.inner.common.clone(), shared.clone(), inbox);
        let task = tokio::spawn(remote.supervise());
        remotes.insert(id, Handle { name, asker: Asker::new(shared, mailbox), task });
        drop(remotes);
        self.inner.board.revision.send_modify(|revision| *revision += 1);
        Ok(id)
    }

    /// What is seen of a remote before its task has said anything.
    fn blank(&self, id: RemoteId, spec: &RemoteSpec) -> RemoteSnapshot {
        let common = &self.inner.common;
        let now = common.clock.now();
        let interval = spec.interval.unwrap_or(common.timings.resources);
        let mut link = Link::new(spec.ids(), spec.login(), interval, common.timings.link.clone(), now);
        if let Some((by, since)) = &spec.disconnected {
            link = link.disconnected(by.clone(), *since);
        }
        RemoteSnapshot {
            id,
            name: Text::from(spec.name.as_str()),
            at: now.wall,
            link: link.view(),
            versions: BTreeMap::new(),
            cluster: None,
            same_as: None,
            identity: None,
            user: None,
            ha: Vec::new(),
            coverage: Vec::<Coverage>::new(),
            nodes: Vec::new(),
            guests: Vec::new(),
            storages: Vec::new(),
            tasks: Vec::new(),
            operations: Vec::new(),
            drift: Vec::new(),
            unreadable: Vec::new(),
            traffic: Traffic::default(),
            faults: 0,
            last_fault: None,
        }
    }

    /// Removes a remote; its task ends.
    ///
    /// # Errors
    /// When there is none.
    pub async fn remove(&self, id: RemoteId) -> Result<(), NoSuchRemote> {
        let handle = self.remotes().remove(&id).ok_or(NoSuchRemote)?;
        let _ = handle.asker.mailbox.send(Message::Stop).await;
        let _ = handle.task.await;
        self.inner.board.forget(id);
        Ok(())
    }

    /// Ends every remote's task and closes its connections.
    pub async fn stop(&self) {
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

    /// Connects a remote that was disconnected; its open operations are followed again.
    ///
    /// # Errors
    /// When there is none.
    pub async fn connect(&self, id: RemoteId) -> Result<(), NoSuchRemote> {
        self.tell(id, Message::Connect).await
    }

    /// Disconnects a remote until somebody connects it again: its session ends, its connections close.
    ///
    /// # Errors
    /// With open operations, unless `even_with_open`: they would not be followed.
    pub async fn disconnect(
        &self,
        id: RemoteId,
        by: impl Into<String>,
        even_with_open: bool,
    ) -> Result<(), DisconnectError> {
        let (reply, answer) = oneshot::channel();
        self.tell(id, Message::Disconnect { by: by.into(), even_with_open, reply })
            .await
            .map_err(|NoSuchRemote| DisconnectError::NoSuchRemote)?;
        answer.await.unwrap_or(Err(DisconnectError::NoSuchRemote))
    }

    /// Tries the link now instead of when its back-off says.
    ///
    /// # Errors
    /// When there is none.
    pub async fn try_now(&self, id: RemoteId) -> Result<(), NoSuchRemote> {
        self.tell(id, Message::TryNow).await
    }

    /// Believes something else of an endpoint from now on (a changed certificate was accepted), and tries again.
    ///
    /// # Errors
    /// When there is no such remote.
    pub async fn trust(
        &self,
        id: RemoteId,
        endpoint: EndpointId,
        trust: TrustPolicy,
    ) -> Result<(), NoSuchRemote> {
        self.tell(id, Message::Trust { endpoint, trust: Box::new(trust) }).await
    }

    /// Signs in with something else from now on.
    ///
    /// # Errors
    /// When there is no such remote.
    pub async fn credential(&self, id: RemoteId, credential: Credential) -> Result<(), NoSuchRemote> {
        self.tell(id, Message::Credential(Box::new(credential))).await
    }

    /// Answers a sign-in that waits for its second factor.
    ///
    /// # Errors
    /// Why it was not accepted; `None` when there is no such remote.
    pub async fn second_factor(&self, id: RemoteId, factor: Factor) -> Result<(), Option<Failure>> {
        let (reply, answer) = oneshot::channel();
        self.tell(id, Message::SecondFactor { factor, reply }).await.map_err(|NoSuchRemote| None)?;
        answer.await.map_err(|_| None)?.map_err(Some)
    }

    /// Everything about one guest, read now; where the remote does not answer, as last seen, and why.
    ///
    /// # Errors
    /// When there is no such remote or guest.
    pub async fn guest_detail(&self, id: RemoteId, vmid: Vmid) -> Result<GuestDetail, DetailError> {
        self.asker(id).ok_or(DetailError::NoSuchRemote)?.guest(vmid).await
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

    /// Asks for a change of a guest's power. It is recorded before anything is sent, sent once, and followed to
    /// its end: see [`Fleet::operation`].
    ///
    /// # Errors
    /// When it was not taken on; then nothing was sent.
    pub async fn operate(
        &self,
        id: RemoteId,
        vmid: Vmid,
        action: Action,
        options: PowerOptions,
        author: Author,
    ) -> Result<OperationId, OperateError> {
        let asker = self.asker(id).ok_or(OperateError::NoSuchRemote)?;
        let now = self.inner.common.clock.now();
        let availability = asker.shared.snapshot.load().availability(vmid, action, now);
        if matches!(availability, Some(Availability::Disabled { .. })) {
            // Listings lag: before anything is refused, the guest itself is asked, for as long as an action may wait.
            let patience = self.inner.common.timings.operation_wait;
            let _ = tokio::time::timeout(patience, asker.glance(vmid)).await;
        }
        let (reply, answer) = oneshot::channel();
        self.tell(id, Message::Operate { vmid, action, options, author, reply })
            .await
            .map_err(|NoSuchRemote| OperateError::NoSuchRemote)?;
        answer.await.unwrap_or_else(|_| {
            Err(match self.asker(id) {
                Some(_) => OperateError::NotRecorded("a fault inside Muster".to_owned()),
                None => OperateError::NoSuchRemote,
            })
        })
    }

    /// An operation, to be watched.
    #[must_use]
    pub fn operation(&self, id: OperationId) -> Option<watch::Receiver<Arc<Operation>>> {
        self.inner.board.operation(id)
    }

    /// Asks a task to end. That it has is seen in its status; if it belongs to an operation, that operation
    /// ends as cancelled.
    ///
    /// # Errors
    /// When the wish did not arrive.
    pub async fn stop_task(
        &self,
        id: RemoteId,
        upid: &str,
        by: impl Into<String>,
    ) -> Result<(), StopTaskError> {
        let task: Upid =
            upid.parse().map_err(|error: pve::upid::UpidError| StopTaskError::NotATask(error.to_string()))?;
        let asker = self.asker(id).ok_or(StopTaskError::NoSuchRemote)?;
        let (reply, recorded) = oneshot::channel();
        let cancel = Message::CancelAsked { task: TaskId::from(upid), by: by.into(), reply };
        asker.mailbox.send(cancel).await.map_err(|_| StopTaskError::NoSuchRemote)?;
        let cancel_refused = async |cause: Cause| {
            let told = Message::CancelRefused { task: TaskId::from(upid), cause };
            let _ = asker.mailbox.send(told).await;
        };
        if !recorded.await.unwrap_or(false) {
            let cause = Cause::Internal { text: "it could not be recorded, so it was not sent".to_owned() };
            cancel_refused(cause.clone()).await;
            let at = self.inner.common.clock.now().wall;
            return Err(StopTaskError::Failed(Failure { cause, endpoint: None, at }));
        }
        let failure = match asker.stop(&task).await {
            Ok(()) => return Ok(()),
            Err((failure, arrived)) => {
                if !arrived {
                    cancel_refused(failure.cause.clone()).await;
                }
                failure
            }
        };
        Err(StopTaskError::Failed(failure))
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
