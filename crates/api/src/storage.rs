//! Storages: `GET /storages`, `GET /storages/{remote}/{storage}`. A shared storage is one row.

use model::link::LinkView;
use model::rows::StorageRow;
use model::{NodeName, RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Cause;
use crate::guest::{Guest, Part, stale_why};
use crate::remote::{Drift, Link};

/// One storage in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Storage {
    /// `remote/storage` of a shared one, `remote/storage@node` of one that a node has to itself.
    #[schema(example = "7/local@pve1")]
    pub id: String,
    /// Its name.
    #[schema(example = "local")]
    pub name: Text,
    /// The remote it belongs to.
    pub remote_id: RemoteId,
    /// That remote's name.
    pub remote: Text,
    /// The nodes that see it; several only when it is shared.
    pub nodes: Vec<NodeName>,
    /// While it is not live: why, in one clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_why: Option<String>,
    /// Everything else. Of a shared storage, as the node `node` sees it.
    #[serde(flatten)]
    pub row: StorageRow,
}

impl Storage {
    /// A storage of a remote, with the nodes that have it.
    #[must_use]
    pub fn of(
        row: &StorageRow,
        remote_id: RemoteId,
        remote: &Text,
        link: &LinkView,
        shared: bool,
        nodes: Vec<NodeName>,
    ) -> Self {
        let name = &row.storage.storage;
        Self {
            id: match shared {
                true => format!("{remote_id}/{name}"),
                false => format!("{remote_id}/{name}@{}", row.storage.node),
            },
            name: name.clone(),
            remote_id,
            remote: remote.clone(),
            nodes,
            stale_why: stale_why(&row.freshness, link),
            row: row.clone(),
        }
    }
}

/// A storage of one name, on each node that has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageDetail {
    /// `remote/storage`.
    #[schema(example = "7/local")]
    pub id: String,
    /// Its name.
    pub name: Text,
    /// The remote it belongs to.
    pub remote_id: RemoteId,
    /// That remote's name.
    pub remote: Text,
    /// The link to its remote.
    pub link: Link,
    /// One per node, or one in all when it is shared.
    pub storages: Vec<Storage>,
    /// What lies there: one for each node that has it to itself, one in all when it is shared.
    #[serde(default)]
    pub contents: Vec<StorageContents>,
    /// The guests that have something there, by what was listed and by their configurations; a thousand at most.
    #[serde(default)]
    pub guests: Vec<StorageGuest>,
    /// How many there are of them, as far as is known.
    #[serde(default)]
    pub guests_total: usize,
    /// How many more guests may have something there: of these nothing was listed, and no configuration is known.
    #[serde(default)]
    pub guests_unknown: usize,
    /// Why configurations that are kept could not be told, if that is why.
    #[serde(default)]
    pub guests_error: Option<Cause>,
    /// How many nodes were not asked now what lies there, because there are too many: `contents` has of them what was
    /// listed last. Ask of one by `name@node`.
    #[serde(default)]
    pub nodes_not_asked: usize,
    /// Where Proxmox VE's own web interface shows it, as the first of the nodes has it.
    #[serde(default)]
    #[schema(example = "https://192.0.2.7:8006/#v1:0:=storage%2Fpve1%2Flocal:4:::::::")]
    pub open_url: Option<String>,
    /// Fields and rows of these replies that did not fit.
    #[serde(default)]
    pub drift: Vec<Drift>,
}

/// What lies on a storage, as one node sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageContents {
    /// The node that was asked, or would be.
    pub node: NodeName,
    /// Whether other nodes see the same.
    pub shared: bool,
    /// As last listed, and why it could not be listed anew.
    #[serde(flatten)]
    pub contents: Part<ContentSummary>,
    /// Where Proxmox VE's own web interface shows it.
    #[serde(default)]
    pub open_url: Option<String>,
}

/// What lies on a storage, counted. Proxmox VE lists only what the account may see; disks of guests take more than to
/// see the storage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContentSummary {
    /// By what it is.
    pub kinds: Vec<ContentKind>,
    /// How many rows could not be read.
    pub unreadable: usize,
    /// How many guests are configured to have a disk there of which no disk was listed: what the account may not see.
    pub unlisted_guests: usize,
    /// How many volumes belong to numbers that no known guest has.
    pub of_unknown_guests: usize,
}

/// How much there is of one kind of content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContentKind {
    /// `images`, `rootdir`, `backup`, `iso`, `vztmpl`, …; `null`: not told.
    #[schema(example = "backup")]
    pub content: Option<Text>,
    /// How many.
    pub volumes: usize,
    /// Their bytes; `null` where that is known of none.
    pub bytes: Option<u64>,
    /// Of how many of them the size is not known.
    pub sizeless: usize,
}

/// A guest that has something on a storage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StorageGuest {
    /// The guest.
    #[serde(flatten)]
    pub guest: Guest,
    /// What was listed of it there, by what it is.
    pub has: Vec<ContentKind>,
    /// Whether its configuration, as last read, names a disk there.
    pub configured: bool,
}
