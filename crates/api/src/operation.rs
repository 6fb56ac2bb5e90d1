//! Operations: `POST /operations`, `GET /operations`, `GET /operations/{id}`, `…/cancel`, `…/resolve`.

use jiff::Timestamp;
use model::operation::{Dispatch, LogEntry, UnknownWhy};
use model::{
    Action, Author, Availability, GuestKind, NodeName, OperationId, OperationState, PowerOptions, RemoteId,
    TaskId, Text, Vmid,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::guest::Fields;
use crate::{Cause, Problem};

/// What shall be done: `POST /operations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"remote": "home", "vmid": 101, "action": "shutdown", "options": {"timeout_seconds": 60}}))]
pub struct OperationRequest {
    /// The remote, by id or name.
    pub remote: String,
    /// The guest's number there.
    pub vmid: Vmid,
    /// What.
    pub action: Action,
    /// How.
    #[serde(default)]
    pub options: PowerOptions,
}

/// How many guests one request may be about.
pub const MAX_TARGETS: usize = 500;

/// What shall be done to many guests: `POST /operations`, and `POST /operations/plan`, which only says what would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"targets": [{"remote": "home", "vmid": 101}, {"remote": "home", "vmid": 102}], "action": "start"}))]
pub struct OperationsRequest {
    /// The guests, each once; 1 to 500.
    #[schema(min_items = 1, max_items = 500)]
    pub targets: Vec<Target>,
    /// What.
    pub action: Action,
    /// How.
    #[serde(default)]
    pub options: PowerOptions,
}

/// One guest of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// The remote, by id or name.
    pub remote: String,
    /// The guest's number there.
    pub vmid: Vmid,
}

/// `POST /operations` takes one guest, or many.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OperationsWanted {
    /// One.
    One(OperationRequest),
    /// Many.
    Many(OperationsRequest),
}

/// What `POST /operations` answers: of one guest its operation, of many what became of each wish.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OperationsBegun {
    /// Of one.
    One(Box<Operation>),
    /// Of many.
    Many(Started),
}

/// What became of a wish about many guests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Started {
    /// One for each target, in their order.
    pub items: Vec<StartedItem>,
    /// How many there are.
    pub total: usize,
    /// How many became operations; the others were refused, each with its reason.
    pub accepted: usize,
}

/// What became of the wish about one guest of many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StartedItem {
    /// The remote, as it was named.
    pub remote: String,
    /// The guest's number.
    pub vmid: Vmid,
    /// The operation that it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// The same as it stands; absent where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Why it became none; or, of one that it did become, why it cannot be told how that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// What would be done: `POST /operations/plan`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// What is asked for.
    pub action: Action,
    /// How.
    pub options: PowerOptions,
    /// One for each target, in their order.
    pub items: Vec<PlanItem>,
    /// How many there are.
    pub total: usize,
    /// How many of them can be done now, as far as is known.
    pub available: usize,
    /// How many may be tried, and may well fail.
    pub may_fail: usize,
    /// How many cannot be done now.
    pub disabled: usize,
}

/// What would be done to one guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanItem {
    /// The remote's name; as it was named where there is none.
    #[schema(example = "home")]
    pub remote: String,
    /// The guest's number.
    pub vmid: Vmid,
    /// The remote's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<RemoteId>,
    /// The guest, `remote/vmid`; `null` where there is none.
    #[serde(default)]
    #[schema(example = "7/101")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default)]
    pub name: Option<Text>,
    /// Container or virtual machine.
    #[serde(default)]
    pub kind: Option<GuestKind>,
    /// The node it is on.
    #[serde(default)]
    pub node: Option<NodeName>,
    /// What its state is now, in a word or two: `running`, `stopped`, `node down`, `out of reach`, …
    #[serde(default)]
    #[schema(example = "running")]
    pub state: Option<String>,
    /// Its state as last seen.
    #[serde(default)]
    #[schema(example = "running")]
    pub last_state: Option<String>,
    /// Whether it is a template.
    #[serde(default)]
    pub template: Option<bool>,
    /// When it was last seen.
    #[serde(default)]
    pub observed_at: Option<Timestamp>,
    /// `live`, `stale` or `never_seen`.
    #[serde(default)]
    #[schema(example = "live")]
    pub freshness: Option<String>,
    /// While it is not live: why, in one clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_why: Option<String>,
    /// Whether it can be done now, with reason and remedy.
    #[serde(flatten)]
    pub availability: Availability,
    /// Why there is nothing to be done: no such guest, or not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// How the same is asked for on the command line, of Muster's API, and of Proxmox VE itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_as: Option<ShowAs>,
}

/// What a person found out about an operation whose outcome several tasks could be: `…/resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "as", rename_all = "snake_case", deny_unknown_fields)]
pub enum Resolve {
    /// This task is it.
    Task {
        /// Which.
        task: TaskId,
    },
    /// None is: it never arrived.
    NotSent {},
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// The guest's name when it was asked for.
    pub name: Option<Text>,
    /// The remote it concerns.
    pub remote_id: RemoteId,
    /// That remote's name.
    pub remote: Text,
    /// The guest it concerns, `remote/vmid`.
    #[schema(example = "7/101")]
    pub guest: String,
    /// That guest's number.
    pub vmid: Vmid,
    /// Container or virtual machine.
    pub kind: GuestKind,
    /// The node the guest was on.
    pub node: NodeName,
    /// What was asked for.
    pub action: Action,
    /// How.
    pub options: PowerOptions,
    /// By whom.
    pub author: Author,
    /// When.
    pub requested: Timestamp,
    /// How it stands: `state`, and `detail` where a state has one.
    #[serde(flatten)]
    pub state: OperationState,
    /// The same in one clause.
    pub sentence: String,
    /// Whether nothing more will change it.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Whether what was asked for was done.
    pub success: bool,
    /// What went wrong, where something did.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// The tasks that could be it, when a person has to decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<TaskId>,
    /// Since when it stands so.
    pub since: Timestamp,
    /// Whether it is being followed; `false` while its remote is disconnected.
    pub followed: bool,
    /// How the request left; `null` before.
    pub dispatch: Option<Dispatch>,
    /// Its task, once known.
    pub task: Option<TaskId>,
    /// Whether somebody wants the task ended.
    pub cancel_asked: bool,
    /// What happened to it, oldest first.
    pub log: Vec<LogEntry>,
    /// The last lines of its task's log, when it failed or warned.
    pub last_lines: Vec<Text>,
    /// How the same is asked for on the command line, of Muster's API, and of Proxmox VE itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_as: Option<ShowAs>,
}

/// An action in other words, to be repeated or put into a script. Nothing secret is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShowAs {
    /// On the command line; `null` where the command line cannot say it.
    #[schema(example = "muster guest shutdown home/101 --timeout 60s")]
    pub command: Option<String>,
    /// The call of Proxmox VE's own API; `null` where there is none, or the guest's node is not known.
    pub call: Option<ShownCall>,
    /// The request to Muster.
    pub api: ShownRequest,
}

/// A call of Proxmox VE's own API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShownCall {
    /// The method.
    #[schema(example = "POST")]
    pub method: String,
    /// The path on the host.
    #[schema(example = "/api2/json/nodes/pve1/lxc/101/status/shutdown")]
    pub path: String,
    /// The parameters.
    #[schema(example = json!({"timeout": 60}))]
    pub parameters: Fields,
}

/// A request to Muster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShownRequest {
    /// The method.
    #[schema(example = "POST")]
    pub method: String,
    /// The path on the server.
    #[schema(example = "/api/v1/operations")]
    pub path: String,
    /// The body.
    #[schema(example = json!({"remote": "home", "vmid": 101, "action": "shutdown", "options": {"timeout_seconds": 60}}))]
    pub body: Fields,
}

impl Operation {
    /// An operation on a remote of that name; how it is shown in other words is for whoever knows the calls.
    #[must_use]
    pub fn of(operation: &model::Operation, remote: &Text) -> Self {
        let key = operation.guest;
        let candidates = match &operation.state {
            OperationState::OutcomeUnknown(UnknownWhy::Candidates { tasks }) => tasks.clone(),
            _ => Vec::new(),
        };
        Self {
            id: operation.id,
            name: operation.name.clone(),
            remote_id: key.remote,
            remote: remote.clone(),
            guest: crate::guest_id(key.remote, key.vmid),
            vmid: key.vmid,
            kind: operation.kind,
            node: operation.node.clone(),
            action: operation.action,
            options: operation.options.clone(),
            author: operation.author.clone(),
            requested: operation.requested,
            state: operation.state.clone(),
            sentence: operation.sentence(),
            is_final: operation.state.is_final(),
            success: operation.state.is_success(),
            cause: cause(&operation.state).map(Cause::from),
            candidates,
            since: operation.since,
            followed: operation.followed,
            dispatch: operation.dispatch.clone(),
            task: operation.task.clone(),
            cancel_asked: operation.cancel_asked,
            log: operation.log.clone(),
            last_lines: operation.last_lines.clone(),
            show_as: None,
        }
    }
}

/// What went wrong, where it is one of the causes we know.
fn cause(state: &OperationState) -> Option<&model::Cause> {
    use model::operation::FailedWhy;
    match state {
        OperationState::NotSent { cause }
        | OperationState::Failed(FailedWhy::Refused { cause })
        | OperationState::OutcomeUnknown(UnknownWhy::Lost { cause } | UnknownWhy::Node { cause, .. }) => {
            Some(cause)
        }
        _ => None,
    }
}
