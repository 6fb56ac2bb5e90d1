//! The documents in which what was seen of a remote is kept. What moves all the time (the gauges) is apart, in one
//! compact record per remote.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use model::presence::Traits;
use model::rows::{Cluster, GuestRow, HaRow, Standing};
use model::{
    EndpointId, FacetKind, Freshness, Guest, GuestState, Incarnation, LinkState, Node, NodeName, Now,
    Observed, Presence, Storage, Text, Vmid,
};
use pve::decode::Scalar;
use pve::drift::Drift;
use pve::reply::{GuestConfig, NodeStatus};
use serde::{Deserialize, Serialize};

use super::Since;
use crate::inventory::{Doubt, Inventory, Known, KnownNode, KnownStorage, storage_key};
use crate::look::Contents;

/// A guest's row.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GuestDoc {
    guest: Guest,
    incarnation: Incarnation,
    first_seen: Timestamp,
    traits: Traits,
    presence: Presence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<DoubtDoc>,
    /// When it was last seen whole, where the latest listing did not bring it; else that is when the listing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lacked: Option<Lacked>,
    /// A task destroyed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
    /// Digest of its configuration, and when that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<(u64, Timestamp)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Lacked {
    at: Option<Timestamp>,
    through: Option<EndpointId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
enum DoubtDoc {
    NodeDown { node: NodeName },
    StateUnknown,
    StateUnread,
}

/// A node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodeDoc {
    node: Node,
    listed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lacked: Option<Lacked>,
    /// What it said of itself, as last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<StatusDoc>,
}

/// What a node says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct StatusDoc {
    at: Timestamp,
    through: EndpointId,
    says: serde_json::Value,
}

/// A storage.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StorageDoc {
    storage: Storage,
    listed: bool,
    vague: bool,
    at: Timestamp,
    through: EndpointId,
    /// What lay there, as last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contents: Option<Observed<serde_json::Value>>,
}

/// A storage that belongs to more guests is listed anew after a restart rather than kept: the document would be written
/// as a whole each time.
const OWNERS_KEPT: usize = 1_000;

/// What is known of the remote as a whole.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StateDoc {
    pub(crate) cluster: Option<Observed<Cluster>>,
    pub(crate) versions: BTreeMap<EndpointId, Text>,
    pub(crate) identity: Option<Text>,
    pub(crate) ha: Vec<HaRow>,
    /// The state of the link that was noted last.
    pub(crate) link: Option<LinkState>,
}

/// When each facet was last read, which is the age of all that it brought.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FacetsDoc {
    pub(crate) facets: BTreeMap<FacetKind, Timestamp>,
    /// Through which endpoint the latest listing came.
    pub(crate) through: Option<EndpointId>,
    /// The last authorised success on the link.
    pub(crate) link: Option<Timestamp>,
}

/// Processor use, memory, disk, uptime.
type Figures = (Option<f32>, Option<u64>, Option<u64>, Option<u64>);

/// The figures that move all the time.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct GaugesDoc {
    g: Vec<(Vmid, Figures)>,
    n: Vec<(NodeName, Figures, Vec<Text>)>,
    s: Vec<(Text, NodeName, Option<u64>)>,
}

/// A guest's configuration, in its order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ConfigDoc {
    entries: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lxc: Vec<(String, String)>,
}

pub(crate) fn json<T: Serialize>(doc: &T) -> String {
    serde_json::to_string(doc).unwrap_or_default()
}

/// FNV-1a: the same on every machine and in every release, which the standard library's hasher does not promise.
pub(crate) fn digest(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl From<&Doubt> for DoubtDoc {
    fn from(doubt: &Doubt) -> Self {
        match doubt {
            Doubt::NodeDown(node) => Self::NodeDown { node: node.clone() },
            Doubt::StateUnknown => Self::StateUnknown,
            Doubt::StateUnread => Self::StateUnread,
        }
    }
}

impl From<DoubtDoc> for Doubt {
    fn from(doubt: DoubtDoc) -> Self {
        match doubt {
            DoubtDoc::NodeDown { node } => Self::NodeDown(node),
            DoubtDoc::StateUnknown => Self::StateUnknown,
            DoubtDoc::StateUnread => Self::StateUnread,
        }
    }
}

impl GuestDoc {
    pub(crate) fn of(known: &Known) -> Self {
        let lacked = known.doubt.is_some() || !known.presence.is_present() || known.observed_at.is_none();
        Self {
            guest: Guest { cpu: None, memory: None, disk: None, uptime: None, ..known.guest.clone() },
            incarnation: known.incarnation,
            first_seen: known.first_seen,
            traits: known.traits.clone(),
            presence: known.presence.clone(),
            doubt: known.doubt.as_ref().map(DoubtDoc::from),
            lacked: lacked.then(|| Lacked { at: known.observed_at, through: known.through.clone() }),
            ended: known.has_ended(),
            config: known.config,
        }
    }

    /// As it was known. `written`: when the row was kept; `facets`: when listings were last read.
    pub(crate) fn restored(self, written: Option<Timestamp>, facets: &FacetsDoc, now: Now) -> Known {
        let (observed_at, through) = match self.lacked {
            Some(lacked) => (lacked.at, lacked.through),
            None => (facets.of(FacetKind::Resources).max(written), facets.through.clone()),
        };
        let row = GuestRow {
            state: GuestState::Unknown,
            guest: self.guest,
            incarnation: self.incarnation,
            observed_at,
            through,
            freshness: Freshness::NeverSeen,
            presence: self.presence,
            standing: Standing::Unknown,
            addresses: None,
            busy: None,
        };
        let mut known =
            Known::of(Arc::new(row), self.traits, self.first_seen, self.doubt.map(Doubt::from), now);
        known.config = self.config;
        if self.ended {
            known.end(now);
        }
        known
    }
}

impl NodeDoc {
    pub(crate) fn of(known: &KnownNode, status: Option<&Observed<Arc<NodeStatus>>>) -> Self {
        let lacked = !known.listed || known.node.state != model::NodeState::Online || known.seen.is_none();
        let (at, through) = known.seen.clone().unzip();
        Self {
            node: Node {
                cpu: None,
                memory: None,
                disk: None,
                uptime: None,
                load: Vec::new(),
                ..known.node.clone()
            },
            listed: known.listed,
            lacked: lacked.then_some(Lacked { at, through }),
            status: status.map(|seen| StatusDoc {
                at: seen.at,
                through: seen.through.clone(),
                says: serde_json::to_value(&*seen.value).unwrap_or_default(),
            }),
        }
    }

    /// What it said of itself; one that cannot be read is read anew soon enough.
    pub(crate) fn status(&mut self) -> Option<(NodeName, Observed<Arc<NodeStatus>>)> {
        let StatusDoc { at, through, says } = self.status.take()?;
        let text = says.to_string();
        let raw = pve::decode::check(text.as_bytes()).ok()?;
        let value = Arc::new(pve::decode::object(raw, &mut Drift::default()).ok()?);
        Some((self.node.name.clone(), Observed { value, at, through }))
    }

    pub(crate) fn restored(self, written: Option<Timestamp>, facets: &FacetsDoc) -> KnownNode {
        let (at, through) = match self.lacked {
            Some(lacked) => (lacked.at, lacked.through),
            None => (facets.of(FacetKind::Resources).max(written), facets.through.clone()),
        };
        KnownNode { node: self.node, seen: at.zip(through), listed: self.listed }
    }
}

impl StorageDoc {
    pub(crate) fn of(known: &KnownStorage, contents: Option<&Observed<Arc<Contents>>>) -> Self {
        let contents = contents.filter(|seen| seen.value.guests.len() <= OWNERS_KEPT);
        Self {
            storage: Storage { used: None, ..known.seen.value.clone() },
            listed: known.listed,
            vague: known.vague,
            at: known.seen.at,
            through: known.seen.through.clone(),
            contents: contents
                .map(|seen| seen.clone().map(|all| serde_json::to_value(&*all).unwrap_or_default())),
        }
    }

    /// What lay there; what cannot be read is listed anew once somebody looks.
    pub(crate) fn contents(&mut self) -> Option<Observed<Arc<Contents>>> {
        let Observed { value, at, through } = self.contents.take()?;
        Some(Observed { value: Arc::new(serde_json::from_value(value).ok()?), at, through })
    }

    pub(crate) fn restored(self, facets: &FacetsDoc) -> KnownStorage {
        let listed_at = facets.of(FacetKind::Resources).filter(|_| self.listed && !self.vague);
        let at = listed_at.map_or(self.at, |at| at.max(self.at));
        let seen = Observed { value: self.storage, at, through: self.through };
        KnownStorage { seen, listed: self.listed, vague: self.vague }
    }
}

impl FacetsDoc {
    pub(crate) fn of(&self, facet: FacetKind) -> Option<Timestamp> {
        self.facets.get(&facet).copied()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a share of processor time; seven digits are plenty")]
fn short(figure: Option<f64>) -> Option<f32> {
    figure.map(|figure| figure as f32)
}

impl GaugesDoc {
    pub(crate) fn of(inventory: &Inventory) -> Self {
        let figures =
            |guest: &Guest| (guest.vmid, (short(guest.cpu), guest.memory, guest.disk, guest.uptime));
        Self {
            g: inventory
                .guests
                .values()
                .filter(|known| known.presence.is_present())
                .map(|known| figures(&known.guest))
                .filter(|(_, (cpu, memory, disk, uptime))| {
                    cpu.is_some() || memory.is_some() || disk.is_some() || uptime.is_some()
                })
                .collect(),
            n: inventory
                .nodes
                .values()
                .map(|known| &known.node)
                .map(|node| {
                    (
                        node.name.clone(),
                        (short(node.cpu), node.memory, node.disk, node.uptime),
                        node.load.clone(),
                    )
                })
                .collect(),
            s: inventory
                .storages
                .values()
                .map(|known| &known.seen.value)
                .map(|one| (one.storage.clone(), one.node.clone(), one.used))
                .collect(),
        }
    }

    /// Adds the figures to what they were taken of; what was kept since goes without.
    pub(crate) fn onto(self, inventory: &mut Inventory, since: &Since) {
        for (vmid, (cpu, memory, disk, uptime)) in self.g {
            if since.guests.contains(&vmid) {
                continue;
            }
            if let Some(known) = inventory.guests.get_mut(&vmid) {
                let guest = &mut known.row_mut().guest;
                (guest.cpu, guest.memory, guest.disk, guest.uptime) =
                    (cpu.map(f64::from), memory, disk, uptime);
            }
        }
        for (name, (cpu, memory, disk, uptime), load) in self.n {
            if since.nodes.contains(&name) {
                continue;
            }
            if let Some(known) = inventory.nodes.get_mut(&name) {
                let node = &mut known.node;
                (node.cpu, node.memory, node.disk, node.uptime) = (cpu.map(f64::from), memory, disk, uptime);
                node.load = load;
            }
        }
        for (storage, node, used) in self.s {
            let key = (storage, node);
            if since.storages.contains(&key) {
                continue;
            }
            if let Some(known) = inventory.storages.get_mut(&key) {
                known.seen.value.used = used;
            }
        }
    }
}

impl ConfigDoc {
    pub(crate) fn of(config: &GuestConfig) -> Self {
        let entries = config.entries.iter().map(|(key, value)| (key.clone(), value.as_str().to_owned()));
        Self { entries: entries.collect(), lxc: config.lxc.clone() }
    }

    pub(crate) fn restored(self) -> GuestConfig {
        let entries = self.entries.into_iter().map(|(key, value)| (key, Scalar(value)));
        GuestConfig { entries: entries.collect(), lxc: self.lxc }
    }
}

/// The place of a storage among the documents.
pub(crate) fn storage_word(key: &(Text, NodeName)) -> String {
    // Neither a node's name nor a storage's may hold a slash.
    format!("{}/{}", key.1, key.0)
}

/// A storage out of its document, with its place.
pub(crate) fn storage_of(doc: StorageDoc, facets: &FacetsDoc) -> ((Text, NodeName), KnownStorage) {
    let known = doc.restored(facets);
    (storage_key(&known.seen.value), known)
}
