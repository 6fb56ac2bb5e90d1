//! The live stream: `GET /stream` (server-sent events) and `PUT /stream/{id}/subscriptions`.
//!
//! Every message but a heartbeat carries an id, `epoch.sequence`. A client that comes back within ten minutes
//! with `Last-Event-ID` gets what it missed and what has changed since; otherwise the first message is
//! [`reset`](StreamMessage::Reset): what it holds is void, and everything it subscribes to is told anew.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::{OperationId, RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::event::Event;
use crate::guest::Guest;
use crate::list::Counts;
use crate::node::Node;
use crate::operation::Operation;
use crate::overview::OverviewChanges;
use crate::remote::Link;
use crate::storage::Storage;
use crate::task::Task;

/// How a stream is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// What it shall tell from the start: `Subscriptions` as JSON. May also be `PUT` later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<String>,
    /// The id of the last message received, for clients that cannot set `Last-Event-ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_id: Option<String>,
}

/// What may be followed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The links to all remotes.
    Links,
    /// Operations, open and recent.
    Operations,
    /// Tasks, running and recent.
    Tasks,
    /// The history, as it is written.
    Events,
    /// How many there are of everything.
    Counts,
    /// Everything at a glance, as `GET /overview` tells it.
    Overview,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Links, Self::Operations, Self::Tasks, Self::Events, Self::Counts, Self::Overview];
}

/// What a stream tells. A new set takes the place of the one before; what stays in it goes on without a break.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "topics": ["links", "events"],
    "lists": {"main": {"of": "guests", "q": "status:running", "sort": "-cpu", "offset": 0, "limit": 100}}
}))]
pub struct Subscriptions {
    /// Topics.
    #[serde(default)]
    pub topics: BTreeSet<Topic>,
    /// Lists, each under a name that the client chooses.
    #[serde(default)]
    pub lists: BTreeMap<String, ListSubscription>,
    /// Of the topic `events`: begin after the event of this id. Absent: with what happens from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_after: Option<i64>,
}

/// What a list is a list of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListOf {
    /// `GET /guests`.
    Guests,
    /// `GET /nodes`.
    Nodes,
    /// `GET /storages`.
    Storages,
}

/// A part of a list that a screen shows. The same question as the list itself is asked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListSubscription {
    /// Of what.
    pub of: ListOf,
    /// Which rows, in the query language.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub q: String,
    /// Sort keys.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sort: String,
    /// How many rows to leave out at the beginning.
    #[serde(default)]
    pub offset: usize,
    /// How many rows at most: 100 when absent. All lists of a stream have at most 1000 together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// One message. Its `type` is also the name of the server-sent event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamMessage {
    /// The first message of every connection, before anything that was missed; only a `reset` because the stream
    /// is not known comes before it.
    Hello(Hello),
    /// What the client holds is void; everything it subscribes to is told anew after this.
    Reset(Reset),
    /// Links that are new or changed, and remotes that are gone.
    Links(LinkChanges),
    /// Operations that are new or changed, and such as are no longer among the recent ones.
    Operations(OperationChanges),
    /// Tasks that are new or changed, and such as are no longer among the recent ones.
    Tasks(TaskChanges),
    /// What happened, oldest first, in the order of the history.
    Events(Events),
    /// How many there are of everything.
    Counts(FleetCounts),
    /// What changed in the overview; the first one has all of it.
    Overview(Box<OverviewChanges>),
    /// What changed in a part of a list.
    List(ListChanges),
    /// Nothing changed; the connection lives. Carries no id.
    Heartbeat(Heartbeat),
    /// The stream ends and is not to be taken up again: signed out, revoked, or the server stops.
    Bye(Bye),
}

impl StreamMessage {
    /// Its `type`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Reset(_) => "reset",
            Self::Links(_) => "links",
            Self::Operations(_) => "operations",
            Self::Tasks(_) => "tasks",
            Self::Events(_) => "events",
            Self::Counts(_) => "counts",
            Self::Overview(_) => "overview",
            Self::List(_) => "list",
            Self::Heartbeat(_) => "heartbeat",
            Self::Bye(_) => "bye",
        }
    }
}

/// Which stream this is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hello {
    /// Its id: where subscriptions are `PUT`. Also the epoch in the ids of its messages.
    pub stream: String,
    /// Whether what the client held before still holds.
    pub resumed: bool,
    /// How often a heartbeat comes when nothing else does.
    pub heartbeat_seconds: f64,
    /// For how long it may be taken up again after a break.
    pub resume_seconds: f64,
    /// The server's clock.
    pub at: Timestamp,
}

/// Why what the client holds is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResetWhy {
    /// The stream that was to be taken up is not known: too late, or the server was started anew.
    NotKnown,
    /// More was missed than is kept.
    TooFarBehind,
    /// The client read more slowly than things changed.
    Slow,
    /// What the caller may see has changed.
    Scope,
}

/// What the client holds is void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reset {
    /// Why.
    pub why: ResetWhy,
    /// Of the topic `events`: the stream goes on after the event of this id. Read the history again; what it
    /// has beyond this id comes a second time, under the same id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_after: Option<i64>,
}

/// The link to one remote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkRow {
    /// The remote.
    pub id: RemoteId,
    /// Its name.
    pub name: Text,
    /// The link.
    pub link: Link,
}

/// Links that changed. While a link is up, a newer `last_success` alone is not told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkChanges {
    /// New or changed.
    pub upserted: Vec<LinkRow>,
    /// Gone.
    pub removed: Vec<RemoteId>,
}

/// Operations that changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OperationChanges {
    /// New or changed.
    pub upserted: Vec<Operation>,
    /// No longer among the recent ones.
    pub removed: Vec<OperationId>,
}

/// Tasks that changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskChanges {
    /// New or changed.
    pub upserted: Vec<Task>,
    /// No longer among the recent ones: their ids.
    pub removed: Vec<String>,
}

/// What happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// Oldest first.
    pub items: Vec<Event>,
    /// The place in the history up to which everything the caller may see was told.
    pub up_to: i64,
}

/// How many there are of everything the caller may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FleetCounts {
    /// Guests.
    pub guests: usize,
    /// Guests by the word for their state.
    pub guest_states: BTreeMap<String, usize>,
    /// Nodes.
    pub nodes: usize,
    /// Nodes by state.
    pub node_states: BTreeMap<String, usize>,
    /// Storages, shared ones once.
    pub storages: usize,
    /// Remotes.
    pub remotes: usize,
    /// Remotes by the state of their link.
    pub links: BTreeMap<String, usize>,
    /// Tasks that run, on the remotes of which that is known.
    pub tasks_running: usize,
    /// Remotes of which it is not known which tasks run.
    #[serde(default)]
    pub tasks_unknown: usize,
    /// Tasks among the recent ones that failed.
    pub tasks_failed: usize,
    /// Operations that have not ended.
    pub operations_open: usize,
    /// Operations that wait for a person to decide.
    pub operations_undecided: usize,
}

/// Rows of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "of", content = "rows", rename_all = "snake_case")]
pub enum ListRows {
    /// Guests.
    Guests(Vec<Guest>),
    /// Nodes.
    Nodes(Vec<Node>),
    /// Storages.
    Storages(Vec<Storage>),
}

/// What changed in a part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ListChanges {
    /// The name under which the client subscribed to it.
    pub list: String,
    /// `of` what, and the `rows` that are new in this part or changed, in full.
    #[serde(flatten)]
    pub upserted: ListRows,
    /// The ids of rows that are no longer in this part.
    pub removed: Vec<String>,
    /// The ids of all rows of this part, in their order; absent while order and rows are the same as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<String>>,
    /// How many rows match in all.
    pub total: usize,
    /// What they are.
    pub counts: Counts,
    /// Of which state of the fleet this is true.
    pub revision: u64,
}

/// The connection lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// The server's clock.
    pub at: Timestamp,
    /// Of which state of the fleet all that was told is true.
    pub revision: u64,
}

/// Why a stream ends for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ByeWhy {
    /// The session or token that opened it has ended.
    SignedOut,
    /// The server stops; a new stream may be opened once it is back.
    Stopping,
    /// The same stream was taken up by another connection.
    TakenUp,
}

/// A stream ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bye {
    /// Why.
    pub why: ByeWhy,
}
