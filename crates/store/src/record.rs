//! What is kept: plain records, keys in columns, bodies as text that the store does not read.

mod debug;
mod people;

use std::borrow::Cow;

use jiff::Timestamp;
use model::{EndpointId, Incarnation, NodeName, OperationId, RemoteId, TaskId, Vmid};
use zeroize::Zeroizing;

pub use self::people::{
    FactorRecord, GrantRecord, PreferencesRecord, SessionRecord, TokenRecord, UserRecord,
};

/// A remote as it was added. What was seen on it is in [`ObservedRecord`]s, its credential in a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRecord {
    /// Its number, from [`crate::Store::next_remote_id`].
    pub id: RemoteId,
    /// Its name.
    pub name: String,
    /// Fingerprint of its root CA, once known.
    pub identity: Option<String>,
    /// Which Muster process looks after it; `None`: whoever is there. Counts when it is added; afterwards it changes
    /// through [`crate::Leases`] alone.
    pub owner: Option<String>,
    /// Disconnected by whom, when.
    pub disconnected: Option<(String, Timestamp)>,
    /// Everything else, as JSON.
    pub spec: String,
    /// When it was added.
    pub created: Timestamp,
    /// When this record last changed.
    pub updated: Timestamp,
}

/// Which sealed record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretId {
    /// What it is for: `credential`, `service`…
    pub purpose: Cow<'static, str>,
    /// Whose it is.
    pub record: String,
}

impl SecretId {
    /// The secret of this purpose that belongs to `record`.
    pub fn new(purpose: impl Into<Cow<'static, str>>, record: impl ToString) -> Self {
        Self { purpose: purpose.into(), record: record.to_string() }
    }
}

/// What an observed document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObservedKind {
    /// A guest's row.
    Guest,
    /// A guest's configuration.
    GuestConfig,
    /// A guest's addresses.
    GuestAddresses,
    /// A guest's former lives.
    GuestPast,
    /// A node.
    Node,
    /// A storage.
    Storage,
    /// A task.
    Task,
    /// One document about the remote as a whole.
    State,
    /// When which facet last succeeded.
    Facets,
}

impl ObservedKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Guest,
        Self::GuestConfig,
        Self::GuestAddresses,
        Self::GuestPast,
        Self::Node,
        Self::Storage,
        Self::Task,
        Self::State,
        Self::Facets,
    ];

    /// As it stands in the column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::GuestConfig => "guest_config",
            Self::GuestAddresses => "guest_addresses",
            Self::GuestPast => "guest_past",
            Self::Node => "node",
            Self::Storage => "storage",
            Self::Task => "task",
            Self::State => "state",
            Self::Facets => "facets",
        }
    }

    /// The kind of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One thing seen on a remote, as it was last seen.
#[derive(Clone, PartialEq, Eq)]
pub struct ObservedRecord {
    /// Where.
    pub remote: RemoteId,
    /// What.
    pub kind: ObservedKind,
    /// Which: a VMID, a node's name, a storage's id, a UPID; empty for documents there is one of.
    pub key: String,
    /// The document, as JSON.
    pub body: String,
    /// When it was observed, if it has a time of its own.
    pub at: Option<Timestamp>,
    /// Through which endpoint.
    pub through: Option<EndpointId>,
}

/// The moving figures of a remote's guests and nodes, in one compact document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GaugesRecord {
    /// Whose.
    pub remote: RemoteId,
    /// When they were observed.
    pub at: Timestamp,
    /// The caller's own packing.
    pub body: Vec<u8>,
}

/// One line of history. Its sequence number is given when it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// When it happened.
    pub at: Timestamp,
    /// On which remote; `None`: the fleet's own history.
    pub remote: Option<RemoteId>,
    /// To which guest.
    pub vmid: Option<Vmid>,
    /// In which of its lives.
    pub incarnation: Option<Incarnation>,
    /// On which node.
    pub node: Option<NodeName>,
    /// The word for what happened.
    pub kind: String,
    /// The operation behind it.
    pub operation: Option<OperationId>,
    /// The task behind it.
    pub task: Option<TaskId>,
    /// Who did it.
    pub author: Option<String>,
    /// The rest, as JSON.
    pub body: String,
}

/// An operation, log included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRecord {
    /// Its id.
    pub id: OperationId,
    /// On which remote.
    pub remote: RemoteId,
    /// On which guest.
    pub vmid: Option<Vmid>,
    /// Which Muster process follows it.
    pub instance: String,
    /// Whether its outcome is still open.
    pub open: bool,
    /// When it was asked for.
    pub requested: Timestamp,
    /// The operation itself, as JSON.
    pub body: String,
}

/// A sample of drift. The same key written again keeps the time it was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftRecord {
    /// On which remote.
    pub remote: RemoteId,
    /// What tells this drift from others: endpoint, field and kind, say.
    pub key: String,
    /// When it was seen.
    pub at: Timestamp,
    /// The sample, as JSON.
    pub body: String,
}

/// Who did what from where: one link of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From where: an address, a socket's uid, "muster" itself.
    pub source: String,
    /// What, in one word or a route.
    pub action: String,
    /// On which remote.
    pub remote: Option<RemoteId>,
    /// Which operation it became.
    pub operation: Option<OperationId>,
    /// Parameters (secrets redacted) and result, as JSON.
    pub body: String,
}

/// An audit record in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1, without gaps.
    pub seq: i64,
    /// The record.
    pub record: AuditRecord,
    /// Hash of the row before; 32 zeros before the first.
    pub before: [u8; 32],
    /// SHA-256 over `before` and every field of this row.
    pub hash: [u8; 32],
}

impl std::fmt::Debug for ObservedRecord {
    /// Where and what, never the document: a configuration may hold what is not for a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObservedRecord")
            .field("remote", &self.remote)
            .field("kind", &self.kind)
            .field("key", &self.key)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What a request with an idempotency key came to. Kept under (principal, key).
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Who asked.
    pub principal: String,
    /// The key sent.
    pub key: String,
    /// What tells the request from another one.
    pub fingerprint: String,
    /// When it was first asked.
    pub at: Timestamp,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a request with an idempotency key has come.
#[derive(Clone, PartialEq, Eq)]
pub enum Stage {
    /// Somebody has begun with it; nothing that it changes is recorded.
    Begun,
    /// What it changes is recorded, in the same transaction as this; its answer is not.
    Done {
        /// The operation that it became.
        operation: Option<OperationId>,
    },
    /// The answer, sealed at rest, since it may hold a fresh secret.
    Answered {
        /// Its HTTP status.
        status: u16,
        /// Its body.
        body: Zeroizing<Vec<u8>>,
    },
}

impl std::fmt::Debug for Stage {
    /// Never the body.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Begun => f.write_str("Begun"),
            Self::Done { operation } => write!(f, "Done({operation:?})"),
            Self::Answered { status, .. } => write!(f, "Answered({status})"),
        }
    }
}

impl std::fmt::Debug for IdempotencyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdempotencyRecord")
            .field("principal", &self.principal)
            .field("key", &self.key)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// One change to durable state. Each replaces what was under its key.
#[derive(Clone)]
pub enum Write {
    /// Adds or replaces a remote.
    Remote(RemoteRecord),
    /// Writes nothing, and makes the batch fail with [`crate::StoreError::NotHeld`] unless this process looks after
    /// the remote, in this term. Where several processes share a database, every batch about a remote has one.
    Held {
        /// Which.
        remote: RemoteId,
        /// The process.
        owner: String,
        /// Its term.
        term: i64,
    },
    /// Removes a remote with all that was observed on it, its gauges, drift and the grants over it. Events,
    /// operations and audit stay; its secrets are the caller's ([`Write::SecretGone`]).
    RemoteGone {
        /// Which.
        id: RemoteId,
    },
    /// Seals a secret.
    Secret {
        /// Which.
        id: SecretId,
        /// What is sealed.
        plain: Zeroizing<Vec<u8>>,
    },
    /// Seals a secret where there is none yet; one that is there stays. Whoever comes second reads it.
    SecretOnce {
        /// Which.
        id: SecretId,
        /// What is sealed.
        plain: Zeroizing<Vec<u8>>,
    },
    /// Forgets a secret.
    SecretGone {
        /// Which.
        id: SecretId,
    },
    /// Something seen.
    Observed(ObservedRecord),
    /// Something that is to be forgotten.
    ObservedGone {
        /// Where.
        remote: RemoteId,
        /// What.
        kind: ObservedKind,
        /// Which.
        key: String,
    },
    /// Moving figures. While queued, a later one for the same remote takes the place of an earlier one.
    Gauges(GaugesRecord),
    /// Appends an event; its number is in [`Written::events`].
    Event(EventRecord),
    /// Adds or replaces an operation.
    Operation(OperationRecord),
    /// A sample of drift.
    Drift(DriftRecord),
    /// Appends to the audit chain.
    Audit(AuditRecord),
    /// Rows of the audit up to this number have been exported and may expire.
    AuditExported {
        /// The last one exported.
        through: i64,
    },
    /// Writes nothing, and makes the batch fail with [`crate::StoreError::Stale`] unless users, grants, sessions and
    /// tokens are as they were at this number ([`crate::Store::people`]): what the batch was decided by still holds.
    PeopleAt {
        /// As read, or as [`Written::people`] told.
        number: i64,
    },
    /// Adds or replaces a user. Decided by what was read, so with a [`Write::PeopleAt`].
    User(UserRecord),
    /// Somebody signed in with a password. The batch fails with [`crate::StoreError::Stale`] unless it is still theirs.
    SignedIn {
        /// Who.
        name: String,
        /// The PHC string that their password was checked against.
        checked: String,
        /// When.
        at: Timestamp,
        /// As in [`UserRecord::body`].
        body: String,
    },
    /// Removes a user with grants, sessions, tokens, second factor and preferences; its secrets are the caller's.
    UserGone {
        /// Who.
        name: String,
    },
    /// Replaces a user's grants.
    Grants {
        /// Whose.
        user: String,
        /// All of them.
        grants: Vec<GrantRecord>,
    },
    /// Adds or replaces a session.
    Session(SessionRecord),
    /// A session was used.
    SessionSeen {
        /// Its id.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// Ends a session.
    SessionGone {
        /// Its id.
        id: String,
    },
    /// Ends all sessions of a user.
    SessionsGone {
        /// Whose.
        user: String,
        /// Except this one.
        except: Option<String>,
    },
    /// Adds or replaces a token.
    Token(TokenRecord),
    /// A token was used.
    TokenSeen {
        /// Its id.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// Ends a token.
    TokenGone {
        /// Its id.
        id: String,
    },
    /// A user's second factor is on, or has other codes. Decided by what was read, so with a [`Write::PeopleAt`].
    Factor(FactorRecord),
    /// A user's second factor was used. The batch fails with [`crate::StoreError::Stale`] unless it is as it was.
    FactorUsed {
        /// As it was.
        was: FactorRecord,
        /// As in [`FactorRecord::step`].
        step: i64,
        /// As in [`FactorRecord::body`].
        body: String,
    },
    /// Writes nothing, and makes the batch fail with [`crate::StoreError::Stale`] when a user has a second factor.
    FactorAbsent {
        /// Whose.
        user: String,
    },
    /// A user has no second factor any more. Its secrets are the caller's ([`Write::SecretGone`]).
    FactorGone {
        /// Whose.
        user: String,
    },
    /// Replaces a user's preferences. The batch fails with [`crate::StoreError::Stale`] unless they were at the number
    /// before this one (1: there were none), or when there is no such user.
    Preferences(PreferencesRecord),
    /// Remembers a request that nobody has begun with. The batch fails with [`crate::StoreError::AlreadyDone`] when
    /// somebody has, whatever came of it.
    Idempotency(IdempotencyRecord),
    /// Keeps the answer to a request. The batch fails with [`crate::StoreError::AlreadyDone`] when another one is kept,
    /// or when the request was carried out and not by whom this answer is from.
    IdempotencyAnswered {
        /// Who asked.
        principal: String,
        /// The key sent.
        key: String,
        /// Whether this is from who has carried it out ([`Write::IdempotencyDone`]), not a refusal.
        done: bool,
        /// The answer's HTTP status.
        status: u16,
        /// Its body, sealed at rest.
        body: Zeroizing<Vec<u8>>,
    },
    /// Remembers, with what a request changes, that it does. The whole batch fails with
    /// [`crate::StoreError::AlreadyDone`] unless the request stands as begun: of two that carry the same key, at
    /// the same time or after a crash, one changes something.
    IdempotencyDone {
        /// Who asked.
        principal: String,
        /// The key sent.
        key: String,
        /// The operation that it becomes.
        operation: Option<OperationId>,
    },
    /// Forgets a request that came to nothing; one that came to something stays.
    IdempotencyGone {
        /// Who asked.
        principal: String,
        /// The key sent.
        key: String,
    },
    /// Sets a setting.
    Setting {
        /// Its name.
        key: String,
        /// Its value; `None` removes it.
        value: Option<String>,
    },
}

impl Write {
    /// Whether it must be on the disk when the write returns, a power failure notwithstanding. The rest may
    /// lose its last second.
    #[must_use]
    pub fn must_survive(&self) -> bool {
        !matches!(
            self,
            Self::Observed(_)
                | Self::ObservedGone { .. }
                | Self::Held { .. }
                | Self::Gauges(_)
                | Self::Event(_)
                | Self::Drift(_)
                | Self::SessionSeen { .. }
                | Self::TokenSeen { .. }
        )
    }

    /// Whether it is about users, what they may do, or what they prove themselves with.
    pub(crate) fn is_about_people(&self) -> bool {
        matches!(
            self,
            Self::PeopleAt { .. }
                | Self::User(_)
                | Self::UserGone { .. }
                | Self::SignedIn { .. }
                | Self::Grants { .. }
                | Self::Session(_)
                | Self::SessionGone { .. }
                | Self::SessionsGone { .. }
                | Self::Token(_)
                | Self::TokenGone { .. }
                | Self::Factor(_)
                | Self::FactorUsed { .. }
                | Self::FactorAbsent { .. }
                | Self::FactorGone { .. }
                | Self::RemoteGone { .. }
        )
    }

    /// Whether what it replaces or removes should not linger in free pages.
    pub(crate) fn is_delicate(&self) -> bool {
        matches!(
            self,
            Self::Secret { .. }
                | Self::SecretGone { .. }
                | Self::User(_)
                | Self::UserGone { .. }
                | Self::SessionGone { .. }
                | Self::SessionsGone { .. }
                | Self::TokenGone { .. }
                | Self::Factor(_)
                | Self::FactorUsed { .. }
                | Self::FactorGone { .. }
                | Self::Idempotency(_)
                | Self::IdempotencyAnswered { .. }
                | Self::IdempotencyGone { .. }
        )
    }
}

/// Changes that happen together or not at all, in this order.
pub type Batch = Vec<Write>;

/// What a committed batch was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The sequence numbers of its events, in their order.
    pub events: Vec<i64>,
    /// Where several processes share the database, and the batch is about users, grants, sessions or tokens: the number
    /// that these are at now ([`crate::Store::people`]).
    pub people: Option<i64>,
}
