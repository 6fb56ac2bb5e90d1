//! The first start: `GET /setup`, `POST /setup`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Secret;

/// Whether somebody has to be made administrator first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetupState {
    /// Whether there is no administrator yet.
    pub needed: bool,
    /// This installation's id, 8 hexadecimal digits.
    pub instance: String,
    /// The server's version.
    pub version: String,
}

/// The first administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetupRequest {
    /// The secret out of the set-up link.
    pub secret: Secret,
    /// What the administrator is called.
    pub user: String,
    /// The administrator's password.
    pub password: Secret,
}

/// A new set-up link, for whoever sits at the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetupLink {
    /// The link; the secret stands behind the `#`.
    pub url: Secret,
    /// Until when it works.
    pub expires: Timestamp,
}
