//! Facts with how far they are known: the rows that readers see.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::guest::{Guest, GuestState, Node, Storage};
use crate::id::{EndpointId, Incarnation, NodeName, OperationId, Text};
use crate::interfaces::Interfaces;
use crate::presence::Presence;
use crate::time::{Freshness, Observed, StaleWhy};

/// A cluster as its own status tells. Endpoint: `GET /cluster/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Cluster {
    /// Its name; `None` for a stand-alone host.
    pub name: Option<Text>,
    /// Whether it has quorum; `None` where the word does not apply or is not told.
    pub quorate: Option<bool>,
    /// How many nodes it has.
    pub nodes: usize,
}

/// One line of what the HA manager says. Endpoint: `GET /cluster/ha/status/current`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HaRow {
    /// `quorum`, `master`, `lrm:pve1`, `service:vm:100`.
    pub id: Text,
    /// `quorum`, `master`, `lrm`, `service` or `fencing`.
    #[serde(rename = "type")]
    pub kind: Option<Text>,
    /// What it says, in one line.
    pub status: Option<Text>,
    /// The node it is on.
    pub node: Option<NodeName>,
    /// A service's state.
    pub state: Option<Text>,
}

/// A row of some list that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UnreadableRow {
    /// The facet that brought it; `on_demand` for what was read because somebody asked.
    pub facet: Text,
    /// Why it could not be read.
    pub why: String,
    /// The row as it came, bounded.
    pub raw: String,
}

/// A network interface of a guest with its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Interface {
    /// Its name inside the guest.
    pub name: Text,
    /// Its hardware address.
    pub mac: Option<Text>,
    /// Its IP addresses, as written by the guest, with prefix length where there is one.
    pub addresses: Vec<Text>,
}

/// What was asked of a remote in the last minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Traffic {
    /// Requests in the last 60 s.
    pub requests_per_minute: u64,
    /// Bytes received in the last 60 s, as they came over the wire.
    pub bytes_per_minute: u64,
    /// Requests since the remote was added.
    pub requests: u64,
    /// Bytes received since the remote was added.
    pub bytes: u64,
}

/// A node with how far it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeRow {
    /// The facts.
    #[serde(flatten)]
    pub node: Node,
    /// When it was last seen online.
    pub observed_at: Option<Timestamp>,
    /// Through which endpoint.
    pub through: Option<EndpointId>,
    /// Whether that still holds.
    #[serde(flatten)]
    pub freshness: Freshness,
}

/// A storage with how far it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StorageRow {
    /// The facts.
    #[serde(flatten)]
    pub storage: Storage,
    /// When they were seen.
    pub observed_at: Timestamp,
    /// Whether they still hold.
    #[serde(flatten)]
    pub freshness: Freshness,
}

/// A guest with how far it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GuestRow {
    /// Its state now; unknown while it is not known for sure, whatever it was when last seen.
    #[serde(flatten)]
    pub state: GuestState,
    /// The facts as last seen, the state among them (in JSON `last_state`).
    #[serde(flatten)]
    pub guest: Guest,
    /// Which life of the number.
    pub incarnation: Incarnation,
    /// When they were seen.
    pub observed_at: Option<Timestamp>,
    /// Through which endpoint.
    pub through: Option<EndpointId>,
    /// Whether they still hold.
    #[serde(flatten)]
    pub freshness: Freshness,
    /// Whether it is there.
    pub presence: Presence,
    /// What may be said of it now.
    pub standing: Standing,
    /// Its interfaces and addresses, once read; shared by all rows of a guest until they are read anew.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Observed<Vec<Interface>>>))]
    pub addresses: Option<Arc<Observed<Interfaces>>>,
    /// The operation on it that has not ended.
    pub busy: Option<OperationId>,
}

impl GuestRow {
    /// Why it is not live, in words; `None` while it is.
    #[must_use]
    pub fn stale_why(&self) -> Option<&StaleWhy> {
        match &self.freshness {
            Freshness::Stale { why, .. } => Some(why),
            Freshness::Live | Freshness::NeverSeen => None,
        }
    }
}

/// What may be said of a guest's state now. Off, node down and out of reach are three things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// The state it is in.
    Known {
        /// Which.
        #[serde(flatten)]
        state: GuestState,
    },
    /// Its node is down, in a cluster that answers.
    NodeDown {
        /// Which node.
        node: NodeName,
    },
    /// The remote cannot be reached (or is disconnected).
    OutOfReach,
    /// Proxmox does not know its state.
    Unknown,
    /// The latest listing lacks it.
    Missing,
    /// Deleted.
    Deleted,
    /// Our account may not see it.
    NotVisible,
}

impl Standing {
    /// In one or two words, for a table.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Known { state } => state.word(),
            Self::NodeDown { .. } => "node down",
            Self::OutOfReach => "out of reach",
            Self::Unknown => "unknown",
            Self::Missing => "missing",
            Self::Deleted => "deleted",
            Self::NotVisible => "not visible",
        }
    }
}
