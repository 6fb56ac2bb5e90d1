//! Where durable facts go before they are published. In memory nothing is kept; a store plugs in here.

use futures_util::future::BoxFuture;
use model::{LinkState, Operation, RemoteId, TaskId};
use serde::Serialize;

use crate::change::Change;

/// One durable fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// Something about a remote's inventory changed.
    Changed(Change),
    /// A link entered another state.
    Link {
        /// Which.
        #[serde(flatten)]
        state: LinkState,
    },
    /// Somebody wants a task ended, be it that of an operation or not. Recorded *before* the wish is sent.
    TaskEndAsked {
        /// Which.
        task: TaskId,
        /// Who.
        by: String,
    },
    /// An operation was recorded or took a step. Recorded *before* anything is sent.
    Operation(Box<Operation>),
}

/// A fact could not be kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("could not be recorded: {0}")]
pub struct JournalError(pub String);

/// Takes in what is durable. Whatever is published waits for this to have returned.
pub trait Journal: Send + Sync + 'static {
    /// Keeps `facts` of one remote, in their order, all or none.
    fn commit(&self, remote: RemoteId, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>>;
}

/// Keeps nothing: for tools that run without a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Journal for Forgetful {
    fn commit(&self, _: RemoteId, _: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
