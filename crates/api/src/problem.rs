//! What every refusal looks like (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Cause;

/// A refusal: `application/problem+json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:muster:disconnected",
    "title": "The remote is disconnected",
    "status": 409,
    "detail": "home was disconnected by anna",
    "remedy": "Connect the remote."
}))]
pub struct Problem {
    /// `urn:muster:` and a name that programs may act on.
    #[serde(rename = "type")]
    pub kind: String,
    /// What this kind of problem is, the same each time.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, in one sentence.
    #[serde(default)]
    pub detail: String,
    /// What is wrong behind it, where something is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What would mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Where in the text that was sent (a query) it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// The things that could have been meant, or that stand in the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
}

impl Problem {
    /// The name after `urn:muster:`.
    #[must_use]
    pub fn code(&self) -> &str {
        self.kind.strip_prefix("urn:muster:").unwrap_or(&self.kind)
    }
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// The first byte (UTF-8) of it.
    pub start: usize,
    /// The first byte after it.
    pub end: usize,
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// Something that could have been meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// Its id, as other calls take it.
    #[schema(example = "7/101")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is: `guest`, `remote`, `operation`, `task`.
    #[serde(rename = "type", default)]
    pub kind: String,
}
