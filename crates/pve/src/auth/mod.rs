//! Who one is to the server: [`Credential`], the session it opens, and the second factor in between.

mod session;
mod tfa;

use std::fmt;

pub(crate) use session::{Authorisation, Sessions};
pub use tfa::{Factor, TfaChallenge};

use crate::secret::Secret;

/// What one signs in with.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user with a password; opens a session with a ticket.
    Password {
        /// The user with realm, e.g. `root@pam`.
        user: String,
        /// The password.
        password: Secret,
        /// A one-time code for the second factor, used for the first sign-in that asks for one.
        otp: Option<Secret>,
    },
    /// An API token; needs no session.
    Token {
        /// `USER@REALM!NAME`.
        id: String,
        /// The token's secret.
        secret: Secret,
    },
}

impl Credential {
    /// A user's password.
    pub fn password(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::Password { user: user.into(), password: password.into(), otp: None }
    }

    /// An API token.
    pub fn token(id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::Token { id: id.into(), secret: secret.into() }
    }

    /// The user, of a token its owner; with realm.
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } => user,
            Self::Token { id, .. } => id.split_once('!').map_or(id.as_str(), |(user, _)| user),
        }
    }

    /// The authentication id as tasks name it: the user, or `USER@REALM!NAME`.
    pub fn authid(&self) -> &str {
        match self {
            Self::Password { user, .. } => user,
            Self::Token { id, .. } => id,
        }
    }

    /// The realm, e.g. `pam`; empty if none was given.
    pub fn realm(&self) -> &str {
        self.user().rsplit_once('@').map_or("", |(_, realm)| realm)
    }

    /// Is it an API token?
    pub fn is_token(&self) -> bool {
        matches!(self, Self::Token { .. })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => {
                f.debug_struct("Password").field("user", user).finish_non_exhaustive()
            }
            Self::Token { id, .. } => f.debug_struct("Token").field("id", id).finish_non_exhaustive(),
        }
    }
}

/// What is known about a session once it is open.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SessionInfo {
    /// The user signed in, with realm; of a token its owner.
    pub username: String,
    /// The cluster's name; `None` on a stand-alone host, and for a token.
    pub clustername: Option<String>,
    /// Coarse capabilities by area, as the server sends them at sign-in; `None` for a token.
    pub cap: Option<serde_json::Value>,
}
