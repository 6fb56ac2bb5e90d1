//! The history: `GET /events`, `GET /guests/{remote}/{vmid}/events`, and the stream's topic `events`.

use jiff::Timestamp;
use model::event::Happening;
use model::{Author, Incarnation, NodeName, OperationId, RemoteId, TaskId, Text, Vmid};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which part of the history is wanted; newest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Of one remote, by id or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Of one guest of that remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmid: Option<Vmid>,
    /// Of these kinds, separated by commas: `guest_state`, `operation`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "guest_state,operation")]
    pub kind: Option<String>,
    /// Older than the event of this id: the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// How many at most: 100 when not said, never more than 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place in the history: grows, with gaps.
    #[schema(example = 4711)]
    pub id: i64,
    /// What kind of thing happened: the `type` of `what`.
    #[schema(example = "guest_state")]
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// In one sentence.
    #[schema(example = "ct 101 (web) went from running to stopped")]
    pub sentence: String,
    /// The remote it concerns.
    pub remote_id: Option<RemoteId>,
    /// That remote's name, if it is still there.
    #[serde(default)]
    pub remote: Option<Text>,
    /// The guest it concerns: its number.
    pub vmid: Option<Vmid>,
    /// That guest's name as it is known now; `null` where none is, or where the number is another guest's by now.
    #[serde(default)]
    pub guest: Option<Text>,
    /// Which life of the number.
    #[serde(default)]
    pub incarnation: Option<Incarnation>,
    /// The node it concerns.
    #[serde(default)]
    pub node: Option<NodeName>,
    /// Who made it happen, if it was made through Muster.
    #[serde(default)]
    pub author: Option<Author>,
    /// The operation behind it.
    #[serde(default)]
    pub operation: Option<OperationId>,
    /// The task behind it.
    #[serde(default)]
    pub task: Option<TaskId>,
    /// What happened, with its facts; `null` when it is of a kind that this program is too old to know.
    #[serde(default, deserialize_with = "known")]
    pub what: Option<Happening>,
}

fn known<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Happening>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(from)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

impl Event {
    /// An event of a remote of that name, about a guest of that name.
    #[must_use]
    pub fn of(event: &model::event::Event, remote: Option<&Text>, guest: Option<&Text>) -> Self {
        Self {
            id: event.seq.0,
            name: event.what.word().to_owned(),
            at: event.at,
            sentence: event.sentence(),
            remote_id: event.remote,
            remote: remote.cloned(),
            vmid: event.vmid,
            guest: guest.cloned(),
            incarnation: event.incarnation,
            node: event.node.clone(),
            author: event.author.clone(),
            operation: event.operation,
            task: event.task.clone(),
            what: Some(event.what.clone()),
        }
    }
}

/// A page of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// Newest first.
    pub items: Vec<Event>,
    /// How many these are: the history is not counted.
    pub total: usize,
    /// What to give as `before` for the next page; `null` at the end.
    #[serde(default)]
    pub next: Option<i64>,
}
