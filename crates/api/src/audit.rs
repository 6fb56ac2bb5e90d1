//! Who did what: `GET /audit`.

use jiff::Timestamp;
use model::{Author, OperationId, RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which part of the audit log; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Older than the row of this id: the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// How many at most: 100 when not said, never more than 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditRow {
    /// Its place in the log.
    pub id: i64,
    /// What was done: `session.create`, `remote.add`, `user.grants`, …
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Who, from where.
    pub author: Author,
    /// To what: a user, a remote, a guest.
    #[serde(default)]
    pub target: Option<String>,
    /// The remote it concerns.
    #[serde(default)]
    pub remote_id: Option<RemoteId>,
    /// That remote's name, if it is still there.
    #[serde(default)]
    pub remote: Option<Text>,
    /// With which parameters; secrets redacted.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub parameters: serde_json::Value,
    /// How it ended: `ok`, or why not.
    #[serde(default)]
    pub outcome: String,
    /// The operation it became.
    #[serde(default)]
    pub operation: Option<OperationId>,
    /// The hash that ties it to the row before.
    #[serde(default)]
    pub hash: String,
}

/// A page of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// Newest first.
    pub items: Vec<AuditRow>,
    /// How many these are: the log is not counted.
    pub total: usize,
    /// What to give as `before` for the next page; `null` at the end.
    #[serde(default)]
    pub next: Option<i64>,
}
