//! Why something does not work, as every reply says it.

use jiff::Timestamp;
use model::{EndpointId, Failure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is wrong, in words, and what would mend it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cause {
    /// The cause's name: `dns`, `refused`, `certificate_changed`, `privilege_missing`, …
    #[schema(example = "connect_timeout")]
    pub code: String,
    /// In one clause, with the endpoint where one is known.
    #[schema(example = "connection timed out after 5 s (192.0.2.7:8006)")]
    pub sentence: String,
    /// What would mend it.
    pub remedy: String,
    /// Whether it stays until a person acts.
    pub needs_person: bool,
    /// The endpoint it was met at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointId>,
    /// When it was met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The cause with its facts: fingerprints, status, words of Proxmox VE. Absent when it is one that this
    /// program is too old to know.
    #[serde(default, deserialize_with = "known", skip_serializing_if = "Option::is_none")]
    pub facts: Option<model::Cause>,
}

/// A newer server may know causes that we do not: the sentence still says it all.
fn known<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<model::Cause>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(from)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

impl Cause {
    /// A cause met at an endpoint that is in use.
    #[must_use]
    pub fn at(cause: &model::Cause, endpoint: Option<&EndpointId>) -> Self {
        let place = endpoint.map(|endpoint| format!(" ({endpoint})")).unwrap_or_default();
        Self {
            code: cause.code().to_owned(),
            sentence: format!("{}{place}", cause.sentence()),
            remedy: cause.remedy(),
            needs_person: cause.needs_person(),
            endpoint: endpoint.cloned(),
            at: None,
            facts: Some(cause.clone()),
        }
    }
}

impl From<&model::Cause> for Cause {
    fn from(cause: &model::Cause) -> Self {
        Self::at(cause, None)
    }
}

impl From<&Failure> for Cause {
    fn from(failure: &Failure) -> Self {
        Self { at: Some(failure.at), ..Self::at(&failure.cause, failure.endpoint.as_ref()) }
    }
}
