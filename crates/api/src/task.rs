//! Tasks of Proxmox VE: `GET /tasks`, `GET /tasks/{remote}/{upid}`, its log, its end.

use jiff::Timestamp;
use model::{NodeName, OperationId, RemoteId, TaskId, TaskOutcome, Text, Vmid};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// `remote/upid`.
    pub id: String,
    /// Type and object: `vzstart 101`.
    #[schema(example = "vzstart 101")]
    pub name: String,
    /// The remote it runs on.
    pub remote_id: RemoteId,
    /// That remote's name.
    pub remote: Text,
    /// Its id in Proxmox VE.
    pub upid: TaskId,
    /// The node it runs on.
    pub node: NodeName,
    /// Type (`vzstart`, `qmstop`, …).
    #[serde(rename = "type")]
    pub kind: Text,
    /// The object it works on; may be empty.
    pub object: Text,
    /// The guest it works on, where it is one: its number.
    #[serde(default)]
    pub vmid: Option<Vmid>,
    /// That guest's name, where known.
    #[serde(default)]
    pub guest: Option<Text>,
    /// The storage it works on, where it says so: those do that delete or prune what lies on one.
    #[serde(default)]
    pub storage: Option<Text>,
    /// Who started it, with `!token`.
    pub user: Text,
    /// When, by the node's clock.
    pub started: Timestamp,
    /// When it ended, by the node's clock.
    pub ended: Option<Timestamp>,
    /// How it stands.
    #[serde(flatten)]
    pub outcome: TaskOutcome,
    /// The operation of Muster that it belongs to.
    #[serde(default)]
    pub operation: Option<OperationId>,
}

impl Task {
    /// A task of a remote. `guest`: the guest it works on. `operation`: what it was made by, if by us.
    #[must_use]
    pub fn of(
        task: &model::Task,
        remote_id: RemoteId,
        remote: &Text,
        guest: Option<(Vmid, Option<&Text>)>,
        operation: Option<OperationId>,
    ) -> Self {
        let name = match task.id.is_empty() {
            true => task.kind.to_string(),
            false => format!("{} {}", task.kind, task.id),
        };
        Self {
            id: format!("{remote_id}/{}", task.upid),
            name,
            remote_id,
            remote: remote.clone(),
            upid: task.upid.clone(),
            node: task.node.clone(),
            kind: task.kind.clone(),
            object: task.id.clone(),
            vmid: guest.map(|(vmid, _)| vmid),
            guest: guest.and_then(|(_, name)| name.cloned()),
            storage: task.storage().map(Text::from),
            user: task.user.clone(),
            started: task.started,
            ended: task.ended,
            outcome: task.outcome.clone(),
            operation,
        }
    }
}

/// Which lines of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// The first line wanted, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// How many lines at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Some lines of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// The number of the first of these lines, from 0.
    pub start: u64,
    /// The lines.
    pub lines: Vec<Text>,
    /// How many there are in all, where Proxmox VE said.
    pub total: Option<u64>,
    /// How the task stood when they were read: after a log read of a task that has ended nothing more comes.
    #[serde(default)]
    pub outcome: Option<TaskOutcome>,
}
