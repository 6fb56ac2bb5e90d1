//! The fleet at one instant, immutable: what every reader holds. Nobody who reads delays a poll.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::access::Visible;
use model::capability::{Availability, Situation};
use model::facet::Coverage;
use model::guest::{GuestState, NodeState};
use model::rows::{Cluster, GuestRow, HaRow, NodeRow, Standing, StorageRow, Traffic, UnreadableRow};
use model::{
    Action, Cause, EndpointId, Freshness, LinkView, NodeName, Now, Observed, Operation, RemoteId, Rights,
    Task, Text, Vmid,
};
use serde::Serialize;

use crate::figures::FacetFigures;
use crate::inventory::Glimpse;
use crate::lists::{Glances, Values};
use crate::onboard::MintedToken;
use crate::overview::Digests;

/// All remotes at one instant.
#[derive(Debug, Clone, Serialize)]
pub struct FleetSnapshot {
    /// Grows with every change anywhere.
    pub revision: u64,
    /// By id, in the order in which they were added.
    pub remotes: Vec<Arc<RemoteSnapshot>>,
}

impl FleetSnapshot {
    /// A number that grows with every change of what may be seen, and does not move with what may not: of a part of
    /// the fleet, the time (µs) of its newest snapshot.
    #[must_use]
    pub fn revision_for(&self, visible: &Visible) -> u64 {
        if *visible == Visible::All {
            return self.revision;
        }
        let seen = self.remotes.iter().filter(|remote| visible.sees(remote.id));
        let newest = seen.map(|remote| remote.at.as_microsecond()).max();
        newest.and_then(|at| u64::try_from(at).ok()).unwrap_or_default()
    }
}

/// One remote at one instant.
#[derive(Debug, Clone, Serialize)]
pub struct RemoteSnapshot {
    /// Its id.
    pub id: RemoteId,
    /// Its name.
    pub name: Text,
    /// Why nothing can be done with it here: another process looks after it, or none does at present. All the rest
    /// is then as the store has it.
    pub elsewhere: Option<Cause>,
    /// When this snapshot was made.
    pub at: Timestamp,
    /// The link.
    pub link: LinkView,
    /// What each endpoint told of itself.
    pub versions: BTreeMap<EndpointId, Text>,
    /// The cluster, once its status was read.
    pub cluster: Option<Observed<Cluster>>,
    /// How many further endpoints its membership proposes ([`crate::Fleet::proposed_endpoints`] names them).
    pub proposed: usize,
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
    pub guests: Vec<Arc<GuestRow>>,
    /// What lists ask of them most, once a list has asked.
    #[serde(skip)]
    pub glances: Glances,
    /// Its part of the overview, once somebody has asked for that.
    #[serde(skip)]
    pub digests: Digests,
    /// The values that a query may go on with, once somebody types one.
    #[serde(skip)]
    pub values: Values,
    /// Storages, by name and node.
    pub storages: Vec<StorageRow>,
    /// Tasks, newest first.
    pub tasks: Vec<Task>,
    /// When it was added.
    pub created: Timestamp,
    /// Least interval of its listing, where its owner set one.
    #[serde(skip)]
    pub interval: Option<Duration>,
    /// The address of its own web interface, where that is not an endpoint's.
    pub web_url: Option<String>,
    /// What its credential was made for, where Muster made it.
    pub rights: Option<Rights>,
    /// The API token it is signed in to with, `USER@REALM!NAME`; `None`: a user with a password.
    pub token: Option<Text>,
    /// The token that Muster made on it.
    pub minted: Option<MintedToken>,
    /// How the reading of each facet has gone since Muster started.
    pub figures: Vec<FacetFigures>,
    /// Operations, newest first.
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
        self.remotes.iter().flat_map(|remote| remote.guests.iter().map(move |guest| (remote, &**guest)))
    }
}

// === impl RemoteSnapshot ===

impl RemoteSnapshot {
    /// A guest by number.
    #[must_use]
    pub fn guest(&self, vmid: Vmid) -> Option<&GuestRow> {
        let at = self.guests.binary_search_by_key(&vmid, |row| row.guest.vmid).ok()?;
        self.guests.get(at).map(|row| &**row)
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

    /// Whether its guests, nodes and storages were ever listed: before, how many it has is not known.
    #[must_use]
    pub fn was_listed(&self) -> bool {
        self.facet(model::FacetKind::Resources).is_some_and(|facet| facet.last_success.is_some())
    }

    /// How many guests it has, without those that are known to be deleted.
    #[must_use]
    pub fn guests_there(&self) -> usize {
        self.guests.iter().filter(|row| !matches!(row.presence, model::Presence::Deleted { .. })).count()
    }

    /// Whether `action` may be taken on a guest now; `None` when there is no such guest.
    #[must_use]
    pub fn availability(&self, vmid: Vmid, action: Action, now: Now) -> Option<Availability> {
        let row = self.guest(vmid)?;
        if let Some(cause) = &self.elsewhere {
            return Some(Availability::Disabled { reason: cause.sentence(), remedy: cause.remedy() });
        }
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
            rights: self.rights,
        };
        Some(model::capability(action, &at, now))
    }
}

/// Puts what the guest has just said of itself in the place of what a listing said.
pub(crate) fn glimpsed(row: &mut GuestRow, glimpse: Glimpse, at: Timestamp, through: &EndpointId) {
    if !glimpse.state.is_known() || !row.presence.is_present() {
        return;
    }
    glimpse.onto(&mut row.guest);
    row.state = row.guest.state.clone();
    row.standing = Standing::Known { state: row.state.clone() };
    row.freshness = Freshness::Live;
    (row.observed_at, row.through) = (Some(at), Some(through.clone()));
}
