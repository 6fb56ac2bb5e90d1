//! Records about people: users, what they may, and what they prove themselves with.

use jiff::Timestamp;

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The name to sign in with.
    pub name: String,
    /// The password's PHC string; `None`: cannot sign in with one.
    pub password: Option<String>,
    /// When made.
    pub created: Timestamp,
    /// When this record last changed.
    pub updated: Timestamp,
    /// The rest, as JSON.
    pub body: String,
}

/// A role over a scope, as text so that further kinds fit without a migration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GrantRecord {
    /// The role's word.
    pub role: String,
    /// `all`, `remote`…
    pub scope_kind: String,
    /// Which one; empty for `all`.
    pub scope_value: String,
}

/// A session of the console. Its secret is known only as a hash.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// A name for it that is no secret.
    pub id: String,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// Whose.
    pub user: String,
    /// When begun.
    pub created: Timestamp,
    /// When last used.
    pub seen: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// The rest (from where, which browser), as JSON.
    pub body: String,
}

/// An API token. Its secret is known only as a hash.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id, part of the token's text.
    pub id: String,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// Whose.
    pub user: String,
    /// What its owner calls it.
    pub name: String,
    /// When made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When last used.
    pub seen: Option<Timestamp>,
    /// The rest, as JSON.
    pub body: String,
}

/// A user's second factor, once it is on. Its secret is sealed apart, under the user's name.
#[derive(Clone, PartialEq, Eq)]
pub struct FactorRecord {
    /// Whose.
    pub user: String,
    /// Since when it is on.
    pub since: Timestamp,
    /// The last of its time steps of which a code was accepted: none up to it is again.
    pub step: i64,
    /// The rest (hashes of recovery codes), as JSON.
    pub body: String,
}

/// How somebody likes things to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferencesRecord {
    /// Whose.
    pub user: String,
    /// When that user was made: what another of the same name had is not theirs.
    pub born: Timestamp,
    /// Counts its changes, from 1.
    pub number: i64,
    /// All of them, as JSON.
    pub body: String,
}

impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRecord").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionRecord")
            .field("id", &self.id)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRecord").field("id", &self.id).field("user", &self.user).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for FactorRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactorRecord")
            .field("user", &self.user)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
