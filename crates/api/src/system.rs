//! Muster itself: `GET /system`, `POST /system/backup`, `POST /system/rotate-key`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How this installation fares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct System {
    /// This installation's id, 8 hexadecimal digits.
    pub instance: String,
    /// The server's version.
    pub version: String,
    /// When it started.
    pub started: Timestamp,
    /// Its clock.
    pub now: Timestamp,
    /// Under which address it is reached, if one was given.
    #[serde(default)]
    pub public_url: Option<String>,
    /// Where it is reached: under its public address, or else at the first one it listens on.
    #[serde(default)]
    pub reached_at: String,
    /// Its data directory, where it has one.
    #[serde(default)]
    #[schema(example = "/var/lib/muster")]
    pub data_directory: Option<String>,
    /// The database.
    #[serde(default)]
    pub database: Database,
    /// Of how many things of others the binary is made: `GET /licences`.
    #[serde(default)]
    pub licences: usize,
    /// What whoever governs it should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The store.
    pub store: StoreFigures,
    /// What is kept, and for how long.
    #[serde(default)]
    pub retention: Vec<Retention>,
    /// The Muster processes that share the database, those that have ended lately among them; empty where there can be
    /// but one.
    #[serde(default)]
    pub processes: Vec<Process>,
    /// Remotes.
    pub remotes: usize,
    /// Guests.
    pub guests: usize,
    /// Streams that are open.
    #[serde(default)]
    pub streams: usize,
    /// Sessions that are open.
    #[serde(default)]
    pub sessions: usize,
    /// Bytes of memory the process holds, where the system says.
    #[serde(default)]
    pub resident_bytes: Option<u64>,
}

/// Where everything is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Database {
    /// `sqlite` or `postgresql`.
    #[schema(example = "sqlite")]
    pub engine: String,
    /// The file, or the address without user, password and options.
    #[schema(example = "/var/lib/muster/muster.db")]
    pub place: String,
}

/// Something of others that Muster is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"id": "cargo:serde@1.0.228", "name": "serde", "version": "1.0.228",
    "licence": "MIT OR Apache-2.0", "part": "binary"}))]
pub struct Licence {
    /// The registry, name and version.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The licence expression (SPDX) that it names.
    pub licence: String,
    /// What of Muster it is in.
    pub part: LicencePart,
}

/// A part of Muster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LicencePart {
    /// Server and command line.
    Binary,
    /// The console in the browser.
    Console,
}

/// One of several Muster processes that share a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Process {
    /// What it is called.
    #[schema(example = "muster-2")]
    pub name: String,
    /// Where its API is reached.
    #[serde(default)]
    pub address: Option<String>,
    /// It is the one that answers.
    pub this: bool,
    /// Whether it lives.
    pub alive: bool,
    /// When it started.
    pub started: Timestamp,
    /// When it last said that it lives.
    pub seen: Timestamp,
    /// How many remotes it looks after.
    pub remotes: usize,
}

/// How the store fares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoreFigures {
    /// `sqlite` or `postgresql`.
    pub engine: String,
    /// Version of its schema.
    #[serde(default)]
    pub schema: i64,
    /// How large each kind of record is.
    #[serde(default)]
    pub sizes: Vec<StoreSize>,
    /// Writes since the start.
    #[serde(default)]
    pub writes: u64,
    /// Commits since the start.
    #[serde(default)]
    pub commits: u64,
    /// Writes that wait.
    #[serde(default)]
    pub queued: u64,
    /// Bytes on disk, where they can be told.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Ids of the sealing keys in use, the current one first.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// How large one kind of record is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreSize {
    /// Which kind.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// How long one kind of record is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retention {
    /// Which kind.
    pub name: String,
    /// Days, a begun one counted as a whole; `null`: for ever. Of the audit log only what was exported is ever deleted.
    pub days: Option<u64>,
    /// The same in seconds.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// `POST /system/rotate-key`: all that is sealed was sealed anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyRotated {
    /// The id of the new key.
    pub key: String,
    /// How many records were sealed anew.
    pub records: u64,
    /// How many open under none of the keys: they stay as they were, and the older keys are kept.
    pub unopened: u64,
}
