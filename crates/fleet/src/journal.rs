//! Where durable facts go before they are published. In memory nothing is kept; a store plugs in here.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use model::{Event, Incarnation, Observed, Operation, OperationId, RemoteId, TaskId, Vmid};
use pve::reply::GuestConfig;
use serde::{Deserialize, Serialize};

/// One durable fact.
#[derive(Debug, Clone)]
pub enum Fact {
    /// Something happened.
    Event(Box<Event>),
    /// An operation was recorded or took a step. Recorded *before* anything is sent.
    Operation(Box<Recorded>),
    /// Anything else, in the store's words: rows as last seen, what a remote is, its sealed credential.
    Kept(Box<store::Write>),
}

/// An operation with what its remote must know to go on with it after a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// The life of the number that was meant.
    #[serde(default)]
    pub incarnation: Incarnation,
    /// Tasks of its guest that were there before it was sent: none of them is its own.
    #[serde(default)]
    pub before: Vec<TaskId>,
}

/// What somebody who asks for a change wants recorded in the same transaction as the change: that they asked, and that
/// it is done. Either both are there after a crash, or neither is.
#[derive(Clone)]
pub struct Receipt(Arc<dyn Fn(Option<OperationId>) -> Vec<store::Write> + Send + Sync>);

impl Receipt {
    /// A receipt that is written as `writes` says, given the operation that the wish became.
    pub fn new(writes: impl Fn(Option<OperationId>) -> Vec<store::Write> + Send + Sync + 'static) -> Self {
        Self(Arc::new(writes))
    }

    /// What is to be committed together with the change.
    #[must_use]
    pub fn writes(&self, operation: Option<OperationId>) -> Vec<store::Write> {
        (self.0)(operation)
    }

    pub(crate) fn facts(
        receipt: Option<&Self>,
        operation: Option<OperationId>,
    ) -> impl Iterator<Item = Fact> + use<> {
        let writes = receipt.map(|receipt| receipt.writes(operation)).unwrap_or_default();
        writes.into_iter().map(|write| Fact::Kept(Box::new(write)))
    }
}

/// A fact was not kept, or it is not known to be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("it was not seen to be recorded: {0}")]
pub struct JournalError(pub String);

/// What was kept could not be had back.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UnreadError {
    /// It could not be asked for.
    #[error("the database does not tell: {0}")]
    Store(String),
    /// It is there, and nobody can read it.
    #[error("what was kept cannot be read: {0}")]
    Damaged(String),
}

/// Takes in what is durable. Whatever is published waits for this to have returned.
pub trait Journal: Send + Sync + 'static {
    /// Keeps `facts` of one remote, in their order, all or none.
    fn commit(&self, remote: RemoteId, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Whether what it is given can be had back: then rows are given to it, and configurations are not held in
    /// memory.
    fn keeps(&self) -> bool {
        false
    }

    /// The configuration of a guest as it was kept last. `None`: none was.
    fn config(
        &self,
        _remote: RemoteId,
        _vmid: Vmid,
    ) -> BoxFuture<'_, Result<Option<Observed<Arc<GuestConfig>>>, UnreadError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// Keeps nothing: for tools that run without a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Journal for Forgetful {
    fn commit(&self, _: RemoteId, _: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
