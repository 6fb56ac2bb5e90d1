//! People: `GET /users`, `POST /users`, `GET /users/{user}` and what may be changed.

use jiff::Timestamp;
use model::access::Grants;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Secret;

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The name, which is the id.
    pub id: String,
    /// The name.
    pub name: String,
    /// What may be seen and done.
    pub grants: Grants,
    /// When the account was made.
    pub created: Timestamp,
    /// When the password was last set.
    #[serde(default)]
    pub password_set: Option<Timestamp>,
    /// When this person last signed in.
    #[serde(default)]
    pub last_sign_in: Option<Timestamp>,
    /// Sessions that are open.
    #[serde(default)]
    pub sessions: usize,
    /// API tokens.
    #[serde(default)]
    pub tokens: usize,
    /// Whether signing in takes a second factor.
    #[serde(default)]
    pub totp: bool,
}

/// `POST /users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// The first password.
    pub password: Secret,
    /// What may be seen and done.
    #[serde(default)]
    pub grants: Grants,
}

/// `PUT /users/{user}/password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordChange {
    /// The one that holds now; needed to change one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Secret>,
    /// The one that shall hold. All sessions of that person end.
    pub new: Secret,
}

/// `PUT /users/{user}/grants`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantsChange {
    /// All of them, in the place of those before.
    pub grants: Grants,
}
