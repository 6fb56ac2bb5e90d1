//! API tokens: `GET /tokens`, `POST /tokens`, `DELETE /tokens/{id}`.

use jiff::Timestamp;
use model::access::Grants;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Secret;

/// One API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// What may be seen and done with it, as far as its owner may.
    pub grants: Grants,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; `null`: never.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// When it was last used.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
}

/// `POST /tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// What it is for.
    pub name: String,
    /// What may be seen and done with it; absent: whatever its owner may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Grants>,
    /// When it ends; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A token that was just made. The secret is told this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// `mst_<id>_<secret>`: what `Authorization: Bearer` wants.
    pub secret: Secret,
}
