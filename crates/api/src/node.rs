//! Nodes: `GET /nodes`, `GET /nodes/{remote}/{node}`.

use model::link::LinkView;
use model::rows::NodeRow;
use model::{RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::guest::{Fields, Part, stale_why};
use crate::remote::{Drift, Link};

/// One node in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// `remote/node`.
    #[schema(example = "7/pve1")]
    pub id: String,
    /// The remote it belongs to.
    pub remote_id: RemoteId,
    /// That remote's name.
    pub remote: Text,
    /// What its state is now, in a word: `online`, `offline`, `unknown`, or Proxmox VE's own. `state` is what it was when
    /// last seen.
    #[schema(example = "online")]
    pub word: String,
    /// While it is not live: why, in one clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_why: Option<String>,
    /// Guests on it, as far as is known.
    #[serde(default)]
    pub guests: usize,
    /// Guests running on it, as far as is known for sure; `null` where it is known of none whether they run.
    #[serde(default)]
    pub guests_running: Option<usize>,
    /// Everything else, `name` among it.
    #[serde(flatten)]
    pub row: NodeRow,
}

impl Node {
    /// A node of a remote. `word`: what its state is now; then how many guests are on it and how many of these run.
    #[must_use]
    pub fn of(
        row: &NodeRow,
        remote_id: RemoteId,
        remote: &Text,
        link: &LinkView,
        word: &str,
        guests: usize,
        guests_running: Option<usize>,
    ) -> Self {
        Self {
            id: format!("{remote_id}/{}", row.node.name),
            remote_id,
            remote: remote.clone(),
            word: word.to_owned(),
            stale_why: stale_why(&row.freshness, link),
            guests,
            guests_running,
            row: row.clone(),
        }
    }
}

/// One node in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeDetail {
    /// Its row.
    #[serde(flatten)]
    pub node: Node,
    /// The link to its remote.
    pub link: Link,
    /// What it says of itself (kernel, processors, load, memory, swap, root disk), with the field names of Proxmox VE.
    pub status: Part<Fields>,
    /// Where Proxmox VE's own web interface shows it.
    #[serde(default)]
    #[schema(example = "https://192.0.2.7:8006/#v1:0:=node%2Fpve1:4:::::::")]
    pub open_url: Option<String>,
    /// Fields of that reply that did not fit.
    #[serde(default)]
    pub drift: Vec<Drift>,
}
