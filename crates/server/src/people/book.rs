//! Who there is, in memory: users, sessions and tokens as the store has them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::access::{Grant, Grants, Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use store::{FactorRecord, GrantRecord, SessionRecord, TokenRecord, UserRecord};

use crate::settings::Sessions;

/// A person.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) hash: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) grants: Grants,
    pub(crate) more: UserMore,
}

/// What of a user is kept as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct UserMore {
    #[serde(default)]
    pub(crate) password_set: Option<Timestamp>,
    #[serde(default)]
    pub(crate) last_sign_in: Option<Timestamp>,
}

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) created: Timestamp,
    pub(crate) seen: Timestamp,
    pub(crate) more: SessionMore,
}

/// What of a session is kept as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SessionMore {
    #[serde(default)]
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) agent: Option<String>,
}

/// A token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) hash: [u8; 32],
    pub(crate) user: String,
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) seen: Option<Timestamp>,
    pub(crate) more: TokenMore,
}

/// What of a token is kept as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct TokenMore {
    /// `None`: whatever its owner may.
    #[serde(default)]
    pub(crate) grants: Option<Grants>,
}

/// A second factor that is on. Its secret is sealed, and read when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Factor {
    pub(crate) since: Timestamp,
    /// The last time step of which a code was accepted.
    pub(crate) step: i64,
    /// Hashes of the recovery codes that were not used; `None`: what is kept of them cannot be read.
    pub(crate) recovery: Option<Vec<String>>,
    /// What is kept beside these, as JSON: written back as it is, whoever wrote it.
    body: String,
}

/// Where the recovery codes stand in what is kept of a factor.
const RECOVERY: &str = "recovery";

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    /// What the store counts their changes by, as of when they were read.
    pub(crate) number: i64,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) sessions: SessionBook,
    pub(crate) tokens: HashMap<String, Token>,
    /// By user.
    pub(crate) factors: HashMap<String, Factor>,
}

/// Sessions, found by the hash of their secret and by their public id.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionBook {
    by_hash: HashMap<[u8; 32], Session>,
    hashes: HashMap<String, [u8; 32]>,
}

/// SHA-256 of a secret of 256 random bits: nothing slower is needed.
pub(crate) fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// `at` and a duration later.
pub(crate) fn after(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

// === impl ===

impl std::fmt::Debug for User {
    /// Never the hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("grants", &self.grants).finish_non_exhaustive()
    }
}

impl User {
    pub(crate) fn record(&self, now: Timestamp) -> UserRecord {
        UserRecord {
            name: self.name.clone(),
            password: self.hash.clone(),
            created: self.created,
            updated: now,
            body: json(&self.more),
        }
    }

    pub(crate) fn of(record: UserRecord, grants: Vec<GrantRecord>) -> Self {
        Self {
            more: serde_json::from_str(&record.body).unwrap_or_default(),
            name: record.name,
            hash: record.password,
            created: record.created,
            grants: in_order(grants.iter().filter_map(grant_of).collect()),
        }
    }

    /// Whether this person can sign in and govern everything.
    pub(crate) fn is_administrator(&self) -> bool {
        self.hash.is_some() && self.grants.is_administrator()
    }
}

/// Grants as they are shown and kept, before and after a restart: each once, the least role first.
pub(crate) fn in_order(grants: Grants) -> Grants {
    grants.0.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// A grant of a kind that this version does not know allows nothing.
fn grant_of(record: &GrantRecord) -> Option<Grant> {
    let scope = Scope::from_row(&record.scope_kind, &record.scope_value).ok()?;
    Some(Grant { role: record.role.parse().ok()?, scope })
}

pub(crate) fn grant_records(grants: &Grants) -> Vec<GrantRecord> {
    let record = |grant: &Grant| GrantRecord {
        role: grant.role.as_str().to_owned(),
        scope_kind: grant.scope.kind().to_owned(),
        scope_value: grant.scope.value(),
    };
    let mut records: Vec<_> = grants.0.iter().map(record).collect();
    records.sort();
    records.dedup();
    records
}

impl Session {
    pub(crate) fn record(&self, hash: [u8; 32], rule: &Sessions) -> SessionRecord {
        SessionRecord {
            id: self.id.clone(),
            hash,
            user: self.user.clone(),
            created: self.created,
            seen: self.seen,
            expires: after(self.created, rule.longest),
            body: json(&self.more),
        }
    }

    pub(crate) fn of(record: SessionRecord) -> ([u8; 32], Self) {
        let session = Self {
            more: serde_json::from_str(&record.body).unwrap_or_default(),
            id: record.id,
            user: record.user,
            created: record.created,
            seen: record.seen,
        };
        (record.hash, session)
    }

    /// When it ends if nothing more is asked.
    pub(crate) fn ends(&self, rule: &Sessions) -> Timestamp {
        after(self.seen, rule.idle).min(after(self.created, rule.longest))
    }
}

impl SessionBook {
    pub(crate) fn insert(&mut self, hash: [u8; 32], session: Session) {
        self.hashes.insert(session.id.clone(), hash);
        self.by_hash.insert(hash, session);
    }

    pub(crate) fn get(&self, hash: &[u8; 32]) -> Option<&Session> {
        self.by_hash.get(hash)
    }

    pub(crate) fn get_mut(&mut self, hash: &[u8; 32]) -> Option<&mut Session> {
        self.by_hash.get_mut(hash)
    }

    /// The session of that public id.
    pub(crate) fn called(&self, id: &str) -> Option<&Session> {
        self.by_hash.get(self.hashes.get(id)?)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Session> {
        self.by_hash.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&[u8; 32], &mut Session)> {
        self.by_hash.iter_mut()
    }

    pub(crate) fn retain(&mut self, stays: impl Fn(&Session) -> bool) {
        self.by_hash.retain(|_, session| stays(session));
        self.hashes.retain(|_, hash| self.by_hash.contains_key(hash));
    }
}

impl Extend<([u8; 32], Session)> for SessionBook {
    fn extend<T: IntoIterator<Item = ([u8; 32], Session)>>(&mut self, sessions: T) {
        sessions.into_iter().for_each(|(hash, session)| self.insert(hash, session));
    }
}

impl Token {
    pub(crate) fn record(&self) -> TokenRecord {
        TokenRecord {
            id: self.id.clone(),
            hash: self.hash,
            user: self.user.clone(),
            name: self.name.clone(),
            created: self.created,
            expires: self.expires,
            seen: self.seen,
            body: json(&self.more),
        }
    }

    pub(crate) fn of(record: TokenRecord) -> Self {
        Self {
            // What cannot be read must not widen what the token may.
            more: serde_json::from_str(&record.body).unwrap_or(TokenMore { grants: Some(Grants::default()) }),
            id: record.id,
            hash: record.hash,
            user: record.user,
            name: record.name,
            created: record.created,
            expires: record.expires,
            seen: record.seen,
        }
    }

    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// What may be done with it: never more than its owner may at the time.
    pub(crate) fn grants(&self, owner: &User) -> Grants {
        match &self.more.grants {
            None => owner.grants.clone(),
            Some(own) => own.within(&owner.grants),
        }
    }
}

impl Factor {
    /// One that is turned on.
    pub(crate) fn new(since: Timestamp, step: i64, recovery: Vec<String>) -> Self {
        // As the store keeps it: what is compared must be the same when it was read again.
        let since = Timestamp::from_millisecond(since.as_millisecond()).unwrap_or(since);
        Self { since, step, recovery: None, body: String::new() }.with_recovery(recovery)
    }

    /// With these recovery codes in the place of those there were.
    pub(crate) fn with_recovery(&self, recovery: Vec<String>) -> Self {
        let mut all: Map<String, Value> = serde_json::from_str(&self.body).unwrap_or_default();
        all.insert(RECOVERY.to_owned(), recovery.clone().into());
        Self { recovery: Some(recovery), body: json(&all), ..*self }
    }

    pub(crate) fn record(&self, user: &str) -> FactorRecord {
        FactorRecord { user: user.to_owned(), since: self.since, step: self.step, body: self.body.clone() }
    }

    pub(crate) fn of(record: FactorRecord) -> (String, Self) {
        let FactorRecord { user, since, step, body } = record;
        let all = serde_json::from_str::<Map<String, Value>>(&body);
        let recovery = match all.map(|mut all| all.remove(RECOVERY)) {
            Ok(None) => Some(Vec::new()),
            Ok(Some(codes)) => serde_json::from_value(codes).ok(),
            Err(_) => None,
        };
        if recovery.is_none() {
            tracing::error!(user, "what is kept of somebody's recovery codes cannot be read");
        }
        (user, Self { since, step, recovery, body })
    }
}

impl Book {
    /// Takes in what `other` knows.
    pub(crate) fn take(&mut self, other: Self) {
        self.users.extend(other.users);
        self.sessions.extend(other.sessions.by_hash);
        self.tokens.extend(other.tokens);
        self.factors.extend(other.factors);
    }

    /// Nothing is known of this user.
    pub(crate) fn forget(&mut self, name: &str) {
        self.users.remove(name);
        self.factors.remove(name);
        self.sessions.retain(|session| session.user != name);
        self.tokens.retain(|_, token| token.user != name);
    }

    /// All sessions of a user end but one.
    pub(crate) fn end_sessions(&mut self, user: &str, except: Option<&str>) {
        self.sessions.retain(|session| session.user != user || Some(session.id.as_str()) == except);
    }

    pub(crate) fn has_administrator(&self) -> bool {
        self.users.values().any(User::is_administrator)
    }

    /// Whether somebody could still govern everything if `name` could not.
    pub(crate) fn governed_without(&self, name: &str) -> bool {
        self.users.values().any(|user| user.name != name && user.is_administrator())
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}
