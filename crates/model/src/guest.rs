//! What a remote has: guests, nodes, storages, tasks. Facts as last seen; what is not known is `None`.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{GuestKind, NodeName, TaskId, Text, Vmid};

/// A guest's state in Proxmox's words, told apart as far as Muster acts on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "state", content = "text", rename_all = "snake_case")]
pub enum GuestState {
    /// It runs.
    Running,
    /// It is off.
    Stopped,
    /// A virtual machine whose processors stand still, or a frozen container.
    Paused,
    /// Suspended to RAM by the guest itself, or hibernated.
    Suspended,
    /// Proxmox does not know.
    Unknown,
    /// A word newer than this program, or one it does not act on (`prelaunch`, `internal-error`, …).
    Other(Text),
}

impl GuestState {
    /// From the word in a listing or a status.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "stopped" => Self::Stopped,
            "paused" => Self::Paused,
            "suspended" => Self::Suspended,
            "unknown" | "" => Self::Unknown,
            other => Self::Other(other.into()),
        }
    }

    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Unknown => "unknown",
            Self::Other(text) => text,
        }
    }

    /// Whether it is known at all.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }
}

/// A guest's state as its word alone.
pub(crate) mod word {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::GuestState;

    pub(crate) fn serialize<S: Serializer>(state: &GuestState, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(state.word())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<GuestState, D::Error> {
        String::deserialize(from).map(|word| GuestState::from_word(&word))
    }
}

/// A node's state as its word alone.
pub(crate) mod node_word {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::NodeState;

    pub(crate) fn serialize<S: Serializer>(state: &NodeState, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(state.word())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NodeState, D::Error> {
        String::deserialize(from).map(|word| NodeState::from_word(&word))
    }
}

/// One guest, container or virtual machine alike. Endpoint: `GET /cluster/resources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = GuestFacts))]
pub struct Guest {
    /// Container or virtual machine.
    pub kind: GuestKind,
    /// Its number.
    pub vmid: Vmid,
    /// The node it is on.
    pub node: NodeName,
    /// Its name.
    pub name: Option<Text>,
    /// Its state as last known; written as its word.
    #[serde(rename = "last_state", with = "word")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub state: GuestState,
    /// Whether it is a template.
    pub template: Option<bool>,
    /// Processor use, 0..1 of what it has.
    pub cpu: Option<f64>,
    /// Processors it has.
    pub cpus: Option<f64>,
    /// Memory in use, bytes.
    pub memory: Option<u64>,
    /// Memory it has, bytes.
    pub memory_max: Option<u64>,
    /// Root disk in use, bytes (containers; the 0 that Proxmox says of virtual machines and of what is off is left out).
    pub disk: Option<u64>,
    /// Root disk, bytes.
    pub disk_max: Option<u64>,
    /// Seconds since it started.
    pub uptime: Option<u64>,
    /// Tags.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Text>))]
    pub tags: Arc<[Text]>,
    /// Pool.
    pub pool: Option<Text>,
    /// What holds its lock (`backup`, `migrate`, …).
    pub lock: Option<Text>,
    /// What the HA manager says of it (`started`, `stopped`, `error`, …); `None` when it does not manage it.
    pub ha: Option<Text>,
}

impl Guest {
    /// A guest of which only kind, number and node are known.
    #[must_use]
    pub fn bare(kind: GuestKind, vmid: Vmid, node: NodeName) -> Self {
        Self {
            kind,
            vmid,
            node,
            name: None,
            state: GuestState::Unknown,
            template: None,
            cpu: None,
            cpus: None,
            memory: None,
            memory_max: None,
            disk: None,
            disk_max: None,
            uptime: None,
            tags: Arc::default(),
            pool: None,
            lock: None,
            ha: None,
        }
    }

    /// The name, or kind and number where there is none.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => format!("{} {}", self.kind, self.vmid),
        }
    }
}

/// A node's state within its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "state", content = "text", rename_all = "snake_case")]
pub enum NodeState {
    /// A member in good standing.
    Online,
    /// Down, as the rest of the cluster sees it.
    Offline,
    /// Just booted, no status yet; or the cluster does not say.
    Unknown,
    /// A word newer than this program.
    Other(Text),
}

impl NodeState {
    /// From the word in a listing.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "online" => Self::Online,
            "offline" => Self::Offline,
            "unknown" | "" => Self::Unknown,
            other => Self::Other(other.into()),
        }
    }

    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
            Self::Other(text) => text,
        }
    }
}

/// One node. Endpoints: `GET /cluster/resources`, `GET /nodes/{node}/status`,
/// `GET /nodes/{node}/certificates/info`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = NodeFacts))]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Its state.
    #[serde(flatten)]
    pub state: NodeState,
    /// Processor use, 0..1.
    pub cpu: Option<f64>,
    /// Processors.
    pub cpus: Option<f64>,
    /// Memory in use, bytes.
    pub memory: Option<u64>,
    /// Memory, bytes.
    pub memory_max: Option<u64>,
    /// Root disk in use, bytes.
    pub disk: Option<u64>,
    /// Root disk, bytes.
    pub disk_max: Option<u64>,
    /// Seconds since it booted.
    pub uptime: Option<u64>,
    /// Version of Proxmox VE, as the node itself says (`pve-manager/9.2.3/…` or `9.2.3`).
    pub version: Option<Text>,
    /// Load averages over 1, 5 and 15 min, as text.
    pub load: Vec<Text>,
    /// When the certificate of its API ends.
    pub certificate_ends: Option<Timestamp>,
}

impl Node {
    /// A node of which only the name is known.
    #[must_use]
    pub fn bare(name: NodeName) -> Self {
        Self {
            name,
            state: NodeState::Unknown,
            cpu: None,
            cpus: None,
            memory: None,
            memory_max: None,
            disk: None,
            disk_max: None,
            uptime: None,
            version: None,
            load: Vec::new(),
            certificate_ends: None,
        }
    }
}

/// One storage as one node sees it; shared ones stand once per node. Endpoint: `GET /cluster/resources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = StorageFacts))]
pub struct Storage {
    /// Its name.
    pub storage: Text,
    /// The node that sees it.
    pub node: NodeName,
    /// State in Proxmox's words (`available`, `unknown`, …).
    pub status: Option<Text>,
    /// Whether all nodes see the same content.
    pub shared: Option<bool>,
    /// Plugin (`dir`, `zfspool`, …).
    pub plugin: Option<Text>,
    /// Bytes in use.
    pub used: Option<u64>,
    /// Bytes in all.
    pub size: Option<u64>,
    /// What may be kept there (`images`, `iso`, …).
    pub content: Vec<Text>,
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum TaskOutcome {
    /// It runs.
    Running,
    /// It ended well.
    Ok,
    /// It ended well, with warnings.
    Warnings {
        /// How many, where the text said.
        count: Option<u32>,
    },
    /// It failed.
    Failed {
        /// Its exit status in Proxmox's words.
        text: Text,
    },
    /// Not known at present: its node cannot be asked.
    Unknown,
}

impl TaskOutcome {
    /// From an exit status: `OK`, `WARNINGS: n`, anything else is the error's text.
    #[must_use]
    pub fn from_exit(exit: &str) -> Self {
        let exit = exit.trim();
        if exit == "OK" {
            return Self::Ok;
        }
        match exit.strip_prefix("WARNINGS:") {
            Some(count) => Self::Warnings { count: count.trim().parse().ok() },
            None => Self::Failed { text: exit.into() },
        }
    }

    /// Whether it has ended, one way or another.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        !matches!(self, Self::Running | Self::Unknown)
    }
}

/// One task of a remote. Endpoints: `GET /cluster/tasks`, `GET /nodes/{node}/tasks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = TaskFacts))]
pub struct Task {
    /// Its id (UPID).
    pub upid: TaskId,
    /// The node it runs on.
    pub node: NodeName,
    /// Type (`vzstart`, `qmstop`, …).
    #[serde(rename = "type")]
    pub kind: Text,
    /// The object it works on; may be empty.
    pub id: Text,
    /// Who started it, with `!token`.
    pub user: Text,
    /// When, by the node's clock.
    pub started: Timestamp,
    /// When it ended, by the node's clock.
    pub ended: Option<Timestamp>,
    /// How it stands.
    #[serde(flatten)]
    pub outcome: TaskOutcome,
}

impl Task {
    /// The storage that it says it works on. Few say so: those that delete or prune what lies on one name it, as
    /// `storage` or `vmid@storage`.
    #[must_use]
    pub fn storage(&self) -> Option<&str> {
        let says_so = matches!(self.kind.as_str(), "imgdel" | "prunebackups");
        let storage = self.id.rsplit_once('@').map_or(self.id.as_str(), |(_, storage)| storage);
        (says_so && !storage.is_empty()).then_some(storage)
    }
}
