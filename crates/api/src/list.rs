//! What all lists have in common: how they are asked for and what they answer with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How many rows a list gives when nobody says.
pub const DEFAULT_LIMIT: usize = 100;

/// How many rows a list gives at most.
pub const MAX_LIMIT: usize = 1000;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Which rows, in the query language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "type:ct status:running cpu>80%")]
    pub q: Option<String>,
    /// Sort keys, separated by commas; `-` before one turns it round. Rows of which the value is not known come
    /// last either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "-cpu,name")]
    pub sort: Option<String>,
    /// How many rows to leave out at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    /// How many rows at most: 100 when not said, never more than 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many rows match in all.
    pub total: usize,
    /// What the matching rows are, and how complete the list can be.
    #[serde(default)]
    pub counts: Counts,
    /// Of which state of what the caller may see this was true; grows with every change of it.
    #[serde(default)]
    pub revision: u64,
    /// Rows that Muster had kept and cannot read any more: they are not among the items. Its log says which.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl<T> Page<T> {
    /// A whole list that knows of no counts.
    #[must_use]
    pub fn whole(items: Vec<T>) -> Self {
        Self { total: items.len(), items, counts: Counts::default(), revision: 0, unreadable: 0 }
    }

    /// The same with so many rows that were kept and cannot be read.
    #[must_use]
    pub fn lacking(self, unreadable: usize) -> Self {
        Self { unreadable, ..self }
    }
}

/// What the rows are that match, and how far the list can be believed. Nothing that may not be seen is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Rows by state: `running`, `stopped`, `unknown`, … (of operations and tasks: how they stand).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub state: BTreeMap<String, usize>,
    /// Rows by type: `ct`, `vm`; of storages the plugin; of tasks and operations the type.
    #[serde(default, rename = "type", skip_serializing_if = "BTreeMap::is_empty")]
    pub kind: BTreeMap<String, usize>,
    /// Rows by how sure they are: `live`, `stale`, `never_seen`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub freshness: BTreeMap<String, usize>,
    /// Rows by the state of the link to their remote.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub link: BTreeMap<String, usize>,
    /// The remotes behind the list, whether or not a row of theirs matches.
    #[serde(default)]
    pub remotes: RemoteCounts,
}

/// The remotes that a list is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemoteCounts {
    /// How many the caller may see.
    pub total: usize,
    /// Of these, how many are connected or degraded.
    pub up: usize,
    /// Of these, how many wait for a person.
    pub needs_person: usize,
    /// Of these, how many were never listed with success: what they have is in no list.
    pub never_listed: usize,
    /// Rows that these remotes sent in their latest listings and that could not be read.
    pub unreadable: usize,
}
