//! Who asks: [`Caller`].

use axum::extract::FromRequestParts;
use http::request::Parts;
use model::access::{Act, Grants, Visible};
use model::{Author, RemoteId};

use crate::problem::Problem;

/// How the caller proved who they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Via {
    /// A session's cookie; the session's public id.
    Session {
        /// Which.
        id: String,
    },
    /// An API token.
    Token {
        /// Its id.
        id: String,
        /// What its owner calls it.
        label: String,
    },
    /// The Unix socket, as the kernel tells.
    Socket {
        /// The user's number.
        uid: u32,
    },
}

/// Who asks, from where, and what they may. An extractor: a route that takes it is never reached by strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's name; on the Unix socket the system's name for them.
    pub name: String,
    /// An address, or `socket`.
    pub from: String,
    /// How they proved it.
    pub via: Via,
    /// What they may.
    pub grants: Grants,
}

impl Caller {
    /// Asks for leave to do `act` on `remote` (`None`: on Muster itself).
    ///
    /// # Errors
    /// 404 when the remote may not even be seen, 403 when it may but the act is not allowed.
    pub fn needs(&self, act: Act, remote: Option<RemoteId>) -> Result<(), Problem> {
        if self.grants.may(act, remote) {
            return Ok(());
        }
        match remote {
            Some(id) if !self.grants.sees(id) => Err(Problem::not_found("remote")),
            _ => Err(Problem::forbidden(act)),
        }
    }

    /// The remotes they may see.
    #[must_use]
    pub fn visible(&self) -> Visible {
        self.grants.visible()
    }

    /// Who they are, for records that outlive this request.
    #[must_use]
    pub fn author(&self) -> Author {
        let name = match &self.via {
            Via::Session { .. } => self.name.clone(),
            Via::Token { label, .. } => format!("{} (token {label})", self.name),
            Via::Socket { uid } => format!("{} (uid {uid})", self.name),
        };
        Author { name, from: self.from.clone() }
    }

    /// The public id of the session they came with.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        match &self.via {
            Via::Session { id } => Some(id),
            Via::Token { .. } | Via::Socket { .. } => None,
        }
    }

    /// The user they act for; `None` on the Unix socket, where no user of Muster is behind them.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self.via {
            Via::Session { .. } | Via::Token { .. } => Some(&self.name),
            Via::Socket { .. } => None,
        }
    }

    /// What tells callers apart: the same for each request of one user, however many tokens they have, or one uid.
    /// What one caller may take at the same time is counted by it.
    #[must_use]
    pub fn principal(&self) -> String {
        match &self.via {
            Via::Session { .. } | Via::Token { .. } => format!("user:{}", self.name),
            Via::Socket { uid } => format!("uid:{uid}"),
        }
    }

    /// Among whose requests an `Idempotency-Key` is looked for: programs of one user do not meet in theirs.
    #[must_use]
    pub(crate) fn keyring(&self) -> String {
        match &self.via {
            Via::Session { .. } => format!("user:{}", self.name),
            Via::Token { id, .. } => format!("token:{id}"),
            Via::Socket { uid } => format!("uid:{uid}"),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthorized)
    }
}
