//! What is asked for of guests and their operations, and why it is not done.

use std::sync::Arc;

use model::{Action, Author, Cause, Failure, PowerOptions, TaskId, Vmid};

/// An operation was not taken on; nothing was sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OperateError {
    /// There is no such remote, or it is being removed.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// There is no such guest.
    #[error("there is no guest {0} on this remote")]
    NoSuchGuest(Vmid),
    /// It was named before in the same wish.
    #[error("this guest stands in the list before")]
    NamedBefore,
    /// It cannot be done now.
    #[error("{reason}")]
    Disabled {
        /// Why not.
        reason: String,
        /// What would make it possible.
        remedy: String,
    },
    /// It was not seen to be recorded, so it was not sent either.
    #[error("not sent: {0}")]
    NotRecorded(String),
    /// Another process looks after the remote, or none does.
    #[error("not sent: {0}")]
    Elsewhere(Cause),
}

/// What a person decided about an operation whose outcome nobody else can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This is its task.
    Task(TaskId),
    /// It never arrived.
    NotSent,
}

/// A decision about an operation was not taken in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResolveError {
    /// There is no such operation.
    #[error("there is no such operation")]
    NoSuchOperation,
    /// Its remote was removed.
    #[error("its remote was removed: nothing will be done about it any more, whatever became of it")]
    RemoteRemoved,
    /// Its outcome is not in doubt.
    #[error("there is nothing to decide: its outcome is known, or being found out")]
    NotOpen,
    /// The task is not one that it could be.
    #[error("{0} is none of the tasks that it could be")]
    NotACandidate(TaskId),
    /// It could not be recorded yet.
    #[error("the decision could not be recorded yet")]
    NotRecorded,
    /// Another process looks after the remote, or none does.
    #[error("{0}")]
    Elsewhere(Cause),
}

/// An operation was not taken back.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TakeBackError {
    /// There is no such operation.
    #[error("there is no such operation")]
    NoSuchOperation,
    /// It is on its way or there already; its task, once it has one, can be asked to end.
    #[error("it was sent already")]
    Sent,
    /// It is over: how it ended, in one clause.
    #[error("it has ended already: {0}")]
    Ended(String),
    /// It could not be recorded, so it is as it was.
    #[error("it goes on: {0}")]
    NotRecorded(String),
    /// Another process looks after the remote, or none does.
    #[error("{0}")]
    Elsewhere(Cause),
}

/// A task was not asked to stop.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StopTaskError {
    /// There is no such remote.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// What was given is no task id.
    #[error("{0}")]
    NotATask(String),
    /// The call failed.
    #[error("{0}")]
    Failed(Failure),
}

/// Whether whoever asked for something may still have it: asked when its turn comes. `Err`: why not.
#[derive(Clone)]
pub struct Leave(Arc<dyn Fn() -> Result<(), String> + Send + Sync>);

impl Leave {
    /// Leave as `still` says.
    pub fn new(still: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(still))
    }

    pub(super) fn still(&self) -> Result<(), String> {
        (self.0)()
    }
}

/// What shall be done to guests of one remote.
pub(crate) struct Wish {
    pub(crate) vmids: Vec<Vmid>,
    pub(crate) action: Action,
    pub(crate) options: PowerOptions,
    pub(crate) author: Author,
    /// They leave by turns, and whether that may still be is asked then. `None`: at once.
    pub(crate) by_turns: Option<Leave>,
}
