//! Who did what: `/audit`.

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
    /// How it ended: `ok`, or why not; empty when the row is not readable.
    #[serde(default)]
    pub outcome: String,
    /// Target, parameters and outcome cannot be read, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<AuditUnreadable>,
    /// The operation it became.
    #[serde(default)]
    pub operation: Option<OperationId>,
    /// The hash that ties it to the row before.
    #[serde(default)]
    pub hash: String,
}

/// Of a row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditUnreadable {
    /// What is wrong with it.
    pub why: String,
    /// As it stands in the database, its first two thousand letters.
    pub raw: String,
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
    /// The last row that was exported; rows up to it are deleted when they are older than the audit log is kept.
    #[serde(default)]
    pub exported: i64,
}

/// Which rows to export, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditExportQuery {
    /// Only rows after this one; all that are there when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}

/// One exported row: a line of JSON with everything that its hash is made of. docs/security.md says how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditLine {
    /// Its number: 1, 2, 3… without gaps.
    pub seq: i64,
    /// When, in whole milliseconds.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From where.
    pub source: String,
    /// What was done.
    pub action: String,
    /// The number of the remote it concerns, in decimal digits.
    pub remote: Option<String>,
    /// The number of the operation it became, in decimal digits.
    pub operation: Option<String>,
    /// Target, parameters and outcome: JSON in a text, byte by byte as it was hashed.
    pub body: String,
    /// The hash of the row before, 64 hexadecimal digits; zeros before the first.
    pub before: String,
    /// SHA-256 over `before` and every other field.
    pub hash: String,
}

/// `GET /audit/verify`: whether the log is what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerified {
    /// Whether every row holds.
    pub holds: bool,
    /// How many rows were looked at and hold; `null` when not all do.
    #[serde(default)]
    pub rows: Option<u64>,
    /// Where the chain is broken: the first row that is not what was written, or not where.
    #[serde(default)]
    pub broken: Option<AuditBroken>,
    /// The last row that was deleted, after it was exported; 0: none. The first row that is there follows from it.
    pub expired: i64,
    /// The last row that was exported; 0: none.
    pub exported: i64,
    /// The last row.
    pub last: i64,
    /// Its hash: whoever has noted it knows later whether the log up to here is still the same.
    #[serde(default)]
    pub hash: Option<String>,
}

/// Where the chain of hashes is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditBroken {
    /// The first row that does not hold, or is not there.
    pub row: i64,
    /// In words.
    pub sentence: String,
}

/// `POST /audit/exported`: what was exported is safe elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditExported {
    /// The last row of the export.
    pub through: i64,
    /// Its hash: shows that the export is of this log.
    pub hash: String,
}

/// How far the audit log reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditExtent {
    /// The last row that was deleted, after it was exported; 0: none.
    pub expired: i64,
    /// The last row that was exported; 0: none.
    pub exported: i64,
    /// The last row.
    pub last: i64,
}
