//! Sign-in: `POST /session`, `GET /session`, `DELETE /session`, `GET /sessions`.

use jiff::Timestamp;
use model::access::Grants;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Secret;

/// Who wants in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignInRequest {
    /// Whom.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// Where a second factor is on: the six digits of the authenticator, or a recovery code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Secret>,
}

/// By what a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A cookie.
    Session,
    /// An API token.
    Token,
    /// The socket on the same machine.
    Socket,
}

/// Who is signed in, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Who.
    pub user: String,
    /// How.
    pub via: Via,
    /// What may be seen and done.
    pub grants: Grants,
    /// What every request that changes something has to carry in `x-muster-csrf`; empty unless via session.
    #[serde(default)]
    pub csrf: Secret,
    /// This installation's id, 8 hexadecimal digits.
    pub instance: String,
    /// The server's version.
    pub version: String,
    /// When it ends if nothing more is asked.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// What whoever governs this server should know: `plain HTTP on 0.0.0.0:8088`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// `GET /sessions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SessionQuery {
    /// Of this user alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "anna")]
    pub user: Option<String>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionRow {
    /// Its id; says nothing about its secret.
    pub id: String,
    /// Whose.
    pub name: String,
    /// Where from.
    #[serde(default)]
    pub from: Option<String>,
    /// What program, as it says itself.
    #[serde(default)]
    pub agent: Option<String>,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
    /// When it ends if nothing more is asked.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Whether it is the one that asks.
    #[serde(default)]
    pub current: bool,
}
