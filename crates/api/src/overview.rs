//! The fleet at a glance: `GET /overview`, and the topic `overview` of the live stream.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operation::Operation;
use crate::task::Task;

/// Problems in one overview at most.
pub const MAX_PROBLEMS: usize = 100;

/// Running operations, and running tasks, in one overview at most.
pub const MAX_RUNNING: usize = 20;

/// Everything at a glance, of what the caller may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// What is wrong now.
    pub problems: Troubles,
    /// Remotes, by their links.
    pub remotes: RemotesAtAGlance,
    /// Guests, by their state.
    pub guests: GuestsAtAGlance,
    /// Nodes, by their state.
    pub nodes: NodesAtAGlance,
    /// What there is in all, and how much of it is in use.
    pub capacity: Capacity,
    /// What goes on.
    pub running: Running,
    /// Of which state of what the caller may see this is true.
    #[serde(default)]
    pub revision: u64,
}

/// What is different from the overview told last: a part that is absent is as it was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OverviewChanges {
    /// What is wrong now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problems: Option<Troubles>,
    /// Remotes, by their links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remotes: Option<RemotesAtAGlance>,
    /// Guests, by their state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guests: Option<GuestsAtAGlance>,
    /// Nodes, by their state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodesAtAGlance>,
    /// What there is in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// What goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
}

impl OverviewChanges {
    /// What `now` has other than `before`; all of it when nothing was told before.
    #[must_use]
    pub fn between(before: Option<&Overview>, now: &Overview) -> Self {
        fn part<T: Clone + PartialEq>(before: Option<&T>, now: &T) -> Option<T> {
            (before != Some(now)).then(|| now.clone())
        }
        Self {
            problems: part(before.map(|one| &one.problems), &now.problems),
            remotes: part(before.map(|one| &one.remotes), &now.remotes),
            guests: part(before.map(|one| &one.guests), &now.guests),
            nodes: part(before.map(|one| &one.nodes), &now.nodes),
            capacity: part(before.map(|one| &one.capacity), &now.capacity),
            running: part(before.map(|one| &one.running), &now.running),
        }
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What is wrong now, worst first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Troubles {
    /// The worst ones, a hundred at most; of the same weight by kind, then the newest first.
    pub items: Vec<Trouble>,
    /// How many there are in all.
    pub total: usize,
    /// How many there are of each severity.
    pub by_severity: BTreeMap<Severity, usize>,
    /// How many there are of each kind.
    pub by_kind: BTreeMap<TroubleKind, usize>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something does not work, or waits for a person.
    Error,
    /// Something has gone wrong, or soon will.
    Warning,
    /// Somebody wanted it so, or less is known than could be.
    Notice,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// Muster itself: what it sees is not recorded, or it looks after nothing at present.
    Muster,
    /// The link to a remote.
    Link,
    /// A node is down.
    Node,
    /// A cluster has no quorum.
    Quorum,
    /// An operation of which the outcome is unknown.
    Operation,
    /// A guest is in a state of error.
    Guest,
    /// A storage is nearly full.
    Storage,
    /// A task that failed in the last 24 hours.
    Task,
    /// A kind of information that cannot be read from a remote that answers.
    Coverage,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"id": "link/7", "kind": "link", "severity": "error", "live": true,
    "subject": {"type": "remote", "id": "7", "name": "home", "remote_id": 7, "remote": "home"},
    "since": "2026-01-01T12:00:00Z", "sentence": "connection timed out after 5 s (192.0.2.7:8006)",
    "remedy": "Check that the host is on and that nothing on the way drops the connection."}))]
pub struct Trouble {
    /// The same for as long as it is the same trouble: kind and subject.
    pub id: String,
    /// What kind of thing.
    pub kind: TroubleKind,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: TroubleSubject,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// Where it is not `live`: when it was last seen to be so.
    #[serde(default)]
    pub seen: Option<Timestamp>,
    /// Whether it is seen to be so at present; `false`: it was so when it was last seen.
    pub live: bool,
    /// What is wrong, in one clause that does not name the subject again.
    pub sentence: String,
    /// What would mend it, where something is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// What a trouble is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TroubleSubject {
    /// `muster`, `remote`, `node`, `guest`, `storage`, `task` or `operation`.
    #[serde(rename = "type")]
    #[schema(example = "node")]
    pub kind: String,
    /// Its id, as in the list of such things: `7`, `7/pve1`, `7/101`, `7/local@pve1`, `7/UPID:…`; an operation's number.
    #[schema(example = "7/pve1")]
    pub id: String,
    /// What it is called.
    #[schema(example = "pve1")]
    pub name: String,
    /// The remote it is on.
    #[serde(default)]
    pub remote_id: Option<RemoteId>,
    /// That remote's name.
    #[serde(default)]
    pub remote: Option<Text>,
    /// The guest that a task or operation is about, `remote/vmid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
}

/// Remotes at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemotesAtAGlance {
    /// How many the caller may see.
    pub total: usize,
    /// Of these, how many are connected or degraded.
    pub up: usize,
    /// Of these, how many wait for a person.
    pub needs_person: usize,
    /// Of these, how many were never listed: what they have is in no figure here.
    pub never_listed: usize,
    /// By the state of their link.
    pub links: BTreeMap<String, usize>,
}

/// Guests at a glance; those that are known to be deleted are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GuestsAtAGlance {
    /// How many there are.
    pub total: usize,
    /// By the word for their state now, as `status:` of the query language has it: `running`, …, `out_of_reach`.
    pub states: BTreeMap<String, usize>,
    /// The same of each type: `ct`, `vm`.
    pub by_type: BTreeMap<String, BTreeMap<String, usize>>,
    /// Of how many it is not known in which state they are now, whyever.
    pub unknown: usize,
    /// How many are shown as they were last seen.
    pub stale: usize,
    /// How many are templates.
    pub templates: usize,
}

/// Nodes at a glance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodesAtAGlance {
    /// How many there are.
    pub total: usize,
    /// By the word for their state now: `online`, `offline`, `unknown`, …
    pub states: BTreeMap<String, usize>,
}

/// What there is in all. What is not known is in no sum: each says of how many it is made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Capacity {
    /// Processors of the nodes that are not down.
    pub cpu: Cores,
    /// Memory of the nodes that are not down, bytes.
    pub memory: Amount,
    /// Storages, each shared one once, bytes. Several that lie on the same disks cannot be told apart from several disks.
    pub storage: Amount,
}

/// Processors in all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cores {
    /// How many; `null`: of none it is known.
    pub total: Option<f64>,
    /// How many of these are in use.
    pub used: Option<f64>,
    /// How many nodes there are.
    pub of: usize,
    /// How many of these are in the sum.
    pub known: usize,
    /// How many of those in the sum are as last seen.
    pub stale: usize,
}

/// Bytes in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Amount {
    /// How many; `null`: of none it is known.
    pub total: Option<u64>,
    /// How many of these are in use.
    pub used: Option<u64>,
    /// How many nodes, or storages, there are.
    pub of: usize,
    /// How many of these are in the sum.
    pub known: usize,
    /// How many of those in the sum are as last seen.
    pub stale: usize,
}

/// What goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Running {
    /// Operations that have not ended, the newest twenty.
    pub operations: Vec<Operation>,
    /// How many there are.
    pub operations_total: usize,
    /// Tasks that run, the newest twenty.
    pub tasks: Vec<Task>,
    /// How many there are, on the remotes of which that is known.
    pub tasks_total: usize,
    /// Remotes of which it is not known which tasks run.
    #[serde(default)]
    pub tasks_unknown: usize,
}
