//! Storages: `GET /storages`, `GET /storages/{remote}/{storage}`. A shared storage is one row.

use model::link::LinkView;
use model::rows::StorageRow;
use model::{NodeName, RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::guest::stale_why;
use crate::remote::Link;

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
}
