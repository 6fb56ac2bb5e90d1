//! The fleet at one instant, immutable: what every reader holds. Nobody who reads delays a poll.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use model::capability::{Availability, Situation};
use model::facet::Coverage;
use model::guest::{GuestState, NodeState};
use model::{
    Action, EndpointId, Freshness, Guest, Incarnation, LinkView, Node, NodeName, Now, Observed, Operation,
    OperationId, Presence, RemoteId, StaleWhy, Storage, Task, Text, Vmid,
};
use serde::Serialize;

use crate::inventory::{Glimpse, Interface};
use crate::traffic::Traffic;

/// All remotes at one instant.
#[derive(Debug, Clone, Serialize)]
pub struct FleetSnapshot {
    /// Grows with every change anywhere.
    pub revision: u64,
    /// By id, in the order in which they were added.
    #[serde(serialize_with = "shared")]
    pub remotes: Vec<Arc<RemoteSnapshot>>,
}

/// One remote at one instant.
#[derive(Debug, Clone, Serialize)]
pub struct RemoteSnapshot {
    /// Its id.
    pub id: RemoteId,
    /// Its name.
    pub name: Text,
    /// When this snapshot was made.
    pub at: Timestamp,
    /// The link.
    pub link: LinkView,
    /// What each endpoint told of itself.
    pub versions: BTreeMap<EndpointId, Text>,
    /// The cluster, once its status was read.
    pub cluster: Option<Observed<Cluster>>,
    /// Another remote that turned out to be the same cluster or host (the same root certificate).
    pub same_as: Option<Text>,
    /// SHA-256 of its own root certificate, which is its identity, once read.
    pub identity: Option<Text>,
    /// Who we are there, as a UPID names us.
    pub user: Option<Text>,
    /// What the HA manager says; empty where nothing is managed or nothing was read.
    pub ha: Vec<HaRow>,
    /// How well each kind of information is known.
    pub coverage: Vec<Coverage>,
    /// Nodes, by name.
    pub nodes: Vec<NodeRow>,
    /// Guests, by number.
    pub guests: Vec<GuestRow>,
    /// Storages, by name and node.
    pub storages: Vec<StorageRow>,
    /// Tasks, newest first.
    pub tasks: Vec<Task>,
    /// Operations, newest first.
    #[serde(serialize_with = "shared")]
    pub operations: Vec<Arc<Operation>>,
    /// Replies that departed from what is documented, by call.
    pub drift: Vec<pve::drift::DriftRecord>,
    /// Rows that could not be read, raw; the first few of each part.
    pub unreadable: Vec<UnreadableRow>,
    /// What is being asked of it.
    pub traffic: Traffic,
    /// How often its task ended through a fault of ours and was started again.
    pub faults: u32,
    /// The last such fault.
    pub last_fault: Option<Text>,
}

/// A cluster as its own status tells. Endpoint: `GET /cluster/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// Its name; `None` for a stand-alone host.
    pub name: Option<Text>,
    /// Whether it has quorum; `None` where the word does not apply or is not told.
    pub quorate: Option<bool>,
    /// How many nodes it has.
    pub nodes: usize,
}

/// One line of what the HA manager says. Endpoint: `GET /cluster/ha/status/current`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

impl From<pve::reply::HaStatusRow> for HaRow {
    fn from(row: pve::reply::HaStatusRow) -> Self {
        Self {
            id: row.id.into(),
            kind: row.kind.map(Text::from),
            status: row.status.map(Text::from),
            node: row.node.map(NodeName::from),
            state: row.state.map(Text::from),
        }
    }
}

/// A row of some list that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadableRow {
    /// The facet that brought it; `on_demand` for what was read because somebody asked.
    pub facet: Text,
    /// Why it could not be read.
    pub why: String,
    /// The row as it came, bounded.
    pub raw: String,
}

/// A node with how far it is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Its interfaces and addresses, once read.
    pub addresses: Option<Observed<Vec<Interface>>>,
    /// The operation on it that has not ended.
    pub busy: Option<OperationId>,
}

/// What may be said of a guest's state now. Off, node down and out of reach are three things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

/// A list of shared things is written as a list of the things.
fn shared<T: Serialize, S: serde::Serializer>(list: &[Arc<T>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(list.iter().map(Arc::as_ref))
}

// === impl FleetSnapshot ===

impl FleetSnapshot {
    /// A remote by id.
    #[must_use]
    pub fn remote(&self, id: RemoteId) -> Option<&Arc<RemoteSnapshot>> {
        self.remotes.iter().find(|remote| remote.id == id)
    }

    /// A remote by name.
    #[must_use]
    pub fn remote_named(&self, name: &str) -> Option<&Arc<RemoteSnapshot>> {
        self.remotes.iter().find(|remote| remote.name.as_str() == name)
    }

    /// All guests of all remotes, each with its remote.
    pub fn guests(&self) -> impl Iterator<Item = (&Arc<RemoteSnapshot>, &GuestRow)> {
        self.remotes.iter().flat_map(|remote| remote.guests.iter().map(move |guest| (remote, guest)))
    }
}

// === impl RemoteSnapshot ===

impl RemoteSnapshot {
    /// A guest by number.
    #[must_use]
    pub fn guest(&self, vmid: Vmid) -> Option<&GuestRow> {
        let at = self.guests.binary_search_by_key(&vmid, |row| row.guest.vmid).ok()?;
        self.guests.get(at)
    }

    /// A node by name.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&NodeRow> {
        self.nodes.iter().find(|row| row.node.name == *name)
    }

    /// A facet's coverage.
    #[must_use]
    pub fn facet(&self, facet: model::FacetKind) -> Option<&Coverage> {
        self.coverage.iter().find(|one| one.facet == facet)
    }

    /// Whether `action` may be taken on a guest now; `None` when there is no such guest.
    #[must_use]
    pub fn availability(&self, vmid: Vmid, action: Action, now: Now) -> Option<Availability> {
        let row = self.guest(vmid)?;
        let state = match row.standing {
            Standing::Unknown | Standing::NodeDown { .. } => &GuestState::Unknown,
            _ => &row.guest.state,
        };
        let node_state: Option<&NodeState> = self.node(&row.guest.node).map(|node| &node.node.state);
        let at = Situation {
            kind: row.guest.kind,
            state,
            last_seen: row.observed_at,
            template: row.guest.template == Some(true),
            lock: row.guest.lock.as_ref(),
            presence: &row.presence,
            node: &row.guest.node,
            node_state,
            quorate: self.cluster.as_ref().and_then(|cluster| cluster.value.quorate),
            link: &self.link.state,
            busy: row.busy,
        };
        Some(model::capability(action, &at, now))
    }
}

// === impl GuestRow ===

impl GuestRow {
    /// Puts what the guest has just said of itself in the place of what a listing said.
    pub(crate) fn glimpsed(&mut self, glimpse: Glimpse, at: Timestamp, through: &EndpointId) {
        if !glimpse.state.is_known() || !self.presence.is_present() {
            return;
        }
        glimpse.onto(&mut self.guest);
        self.state = self.guest.state.clone();
        self.standing = Standing::Known { state: self.state.clone() };
        self.freshness = Freshness::Live;
        (self.observed_at, self.through) = (Some(at), Some(through.clone()));
    }

    /// Why it is not live, in words; `None` while it is.
    #[must_use]
    pub fn stale_why(&self) -> Option<&StaleWhy> {
        match &self.freshness {
            Freshness::Stale { why, .. } => Some(why),
            Freshness::Live | Freshness::NeverSeen => None,
        }
    }
}
