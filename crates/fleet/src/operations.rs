//! What is asked of guests through Muster: taken on, watched, taken back, decided. How each is carried out stands with
//! its remote.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use model::capability::Availability;
use model::{Action, Author, Cause, Failure, Operation, OperationId, PowerOptions, RemoteId, TaskId, Vmid};
use pve::upid::Upid;
use tokio::sync::{oneshot, watch};

use crate::fleet::{Fleet, NoSuchRemote};
use crate::journal::Recorded;
use crate::remote::{
    Leave, Message, OperateError, Resolution, ResolveError, StopTaskError, TakeBackError, Wish,
};

/// Guests of one remote that are asked for their state at the same time before an action.
const GLANCES: usize = 6;

/// It cannot be told how an operation stands.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The store does not tell.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// What the store has of it cannot be read. If it is open, it is not followed, and keeps its guest busy until a
    /// person closes it ([`Fleet::resolve`]).
    #[error("what was kept of operation {id} cannot be read: {text}")]
    Unreadable {
        /// Which.
        id: OperationId,
        /// On which remote.
        remote: RemoteId,
        /// Why not.
        text: String,
    },
}

fn fault() -> OperateError {
    OperateError::NotRecorded("a fault inside Muster".to_owned())
}

// === impl Fleet: operations ===

impl Fleet {
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
        let wish = Wish { vmids: vec![vmid], action, options, author, by_turns: None };
        let answers = self.carry_out(id, wish).await?;
        answers.into_iter().next().unwrap_or_else(|| Err(fault()))
    }

    /// The same for many guests of one remote, recorded in one commit. They leave by turns
    /// ([`Turns`](crate::TurnTimings)), in the order of `vmids`; what does not get its turn in time ends as not sent,
    /// and so does what can no longer be done then, or may not be any more (`leave`). One answer for each guest, in
    /// their order.
    pub async fn operate_many(
        &self,
        id: RemoteId,
        vmids: Vec<Vmid>,
        action: Action,
        options: PowerOptions,
        author: Author,
        leave: Leave,
    ) -> Vec<Result<OperationId, OperateError>> {
        let count = vmids.len();
        let wish = Wish { vmids, action, options, author, by_turns: Some(leave) };
        self.carry_out(id, wish).await.unwrap_or_else(|error| vec![Err(error); count])
    }

    /// Has one remote take a wish on.
    async fn carry_out(
        &self,
        id: RemoteId,
        wish: Wish,
    ) -> Result<Vec<Result<OperationId, OperateError>>, OperateError> {
        let asker = self.asker(id).ok_or(OperateError::NoSuchRemote)?;
        let now = self.inner.common.clock.now();
        let snapshot = asker.shared.snapshot.load_full();
        // What an operation has just done, no listing may tell yet.
        let lag = self.inner.common.timings.listing_lag;
        let just_ended = |vmid: Vmid| {
            snapshot.operations.iter().any(|one| {
                one.guest.vmid == vmid
                    && one.state.is_final()
                    && now.wall.duration_since(one.since).unsigned_abs() <= lag
            })
        };
        let doubtful = wish.vmids.iter().copied().filter(|vmid| {
            let availability = snapshot.availability(*vmid, wish.action, now);
            just_ended(*vmid) || matches!(availability, Some(Availability::Disabled { .. }))
        });
        // Listings lag: before anything is refused, the guest itself is asked, for as long as an action may wait.
        let doubtful: Vec<Vmid> = doubtful.collect();
        let patience = self.inner.common.timings.operation_wait;
        let asking = stream::iter(doubtful).for_each_concurrent(GLANCES, |vmid| asker.glance(vmid));
        let _ = tokio::time::timeout(patience, asking).await;
        let (reply, answer) = oneshot::channel();
        let receipt = self.receipt.clone();
        self.tell(id, Message::Operate { wish: Box::new(wish), receipt, reply })
            .await
            .map_err(|NoSuchRemote| OperateError::NoSuchRemote)?;
        answer.await.map_err(|_| match self.asker(id) {
            Some(_) => fault(),
            None => OperateError::NoSuchRemote,
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
    pub async fn stop_task(&self, id: RemoteId, upid: &str, author: &Author) -> Result<(), StopTaskError> {
        let task: Upid =
            upid.parse().map_err(|error: pve::upid::UpidError| StopTaskError::NotATask(error.to_string()))?;
        let asker = self.asker(id).ok_or(StopTaskError::NoSuchRemote)?;
        if let Some(cause) = asker.shared.not_ours() {
            let at = self.inner.common.clock.now().wall;
            return Err(StopTaskError::Failed(Failure { cause, endpoint: None, at }));
        }
        let (reply, recorded) = oneshot::channel();
        let cancel = Message::CancelAsked { task: TaskId::from(upid), author: author.clone(), reply };
        asker.mailbox.send(cancel).await.map_err(|_| StopTaskError::NoSuchRemote)?;
        let cancel_refused = async |cause: Cause| {
            let told = Message::CancelRefused { task: TaskId::from(upid), cause };
            let _ = asker.mailbox.send(told).await;
        };
        if !recorded.await.unwrap_or(false) {
            let cause =
                Cause::Internal { text: "it was not seen to be recorded, so it was not sent".to_owned() };
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

    /// An operation as it stands now, be it ended long ago. `None`: there is none.
    ///
    /// # Errors
    /// When the store does not tell, or what it has of the operation cannot be read.
    pub async fn operation_now(&self, id: OperationId) -> Result<Option<Arc<Operation>>, OperationError> {
        if let Some(watch) = self.operation(id) {
            return Ok(Some(watch.borrow().clone()));
        }
        let Some(store) = self.store() else { return Ok(None) };
        let Some(record) = store.operation(id).await? else { return Ok(None) };
        let recorded: Recorded = serde_json::from_str(&record.body).map_err(|error| {
            OperationError::Unreadable { id, remote: record.remote, text: error.to_string() }
        })?;
        Ok(Some(Arc::new(recorded.operation)))
    }

    /// Takes in what a person decided about an operation whose outcome nobody else can tell. One whose record cannot be
    /// read is closed, whatever was decided.
    ///
    /// # Errors
    /// When there is no such operation, or nothing to decide, or the task is none that it could be.
    pub async fn resolve(
        &self,
        operation: OperationId,
        resolution: Resolution,
        author: &Author,
    ) -> Result<(), ResolveError> {
        let remote = match self.operation_now(operation).await {
            Ok(Some(operation)) => operation.guest.remote,
            Err(OperationError::Unreadable { remote, .. }) => remote,
            Ok(None) => return Err(ResolveError::NoSuchOperation),
            Err(OperationError::Store(_)) => return Err(ResolveError::NotRecorded),
        };
        let (reply, answer) = oneshot::channel();
        let author = author.clone();
        self.tell(remote, Message::Resolve { operation, resolution, author, reply })
            .await
            .map_err(|NoSuchRemote| ResolveError::RemoteRemoved)?;
        // It was removed meanwhile, or its task fell over: then nobody has seen the decision recorded.
        let unheard = || match self.asker(remote) {
            Some(_) => ResolveError::NotRecorded,
            None => ResolveError::RemoteRemoved,
        };
        answer.await.unwrap_or_else(|_| Err(unheard()))
    }

    /// Takes an operation back that has not been sent: it ends as cancelled, and nothing of it ever leaves.
    ///
    /// # Errors
    /// When there is none, or it was sent or has ended, or it cannot be recorded. Then it goes on as before.
    pub async fn take_back(&self, operation: OperationId, author: &Author) -> Result<(), TakeBackError> {
        let known = match self.operation_now(operation).await {
            Ok(known) => known.ok_or(TakeBackError::NoSuchOperation)?,
            Err(error) => return Err(TakeBackError::NotRecorded(error.to_string())),
        };
        if known.state.is_final() {
            return Err(TakeBackError::Ended(known.sentence()));
        }
        let (reply, answer) = oneshot::channel();
        let author = author.clone();
        self.tell(known.guest.remote, Message::TakeBack { operation, author, reply })
            .await
            .map_err(|NoSuchRemote| TakeBackError::Ended("its remote was removed".to_owned()))?;
        let unheard = || TakeBackError::NotRecorded("a fault inside Muster".to_owned());
        answer.await.unwrap_or_else(|_| Err(unheard()))
    }
}
