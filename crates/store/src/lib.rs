//! Durable state: what survives a restart, a crash and a power failure, in SQLite or PostgreSQL.
//!
//! One writer behind a bounded queue commits batches ([`Store::write`]), several waiting ones in one
//! transaction; each event gets its number there, without gaps. Readers have connections of their own and
//! never wait for the writer. Keys are in columns, bodies are text that this crate does not interpret.
//! Secrets are sealed under a key that is not in the database ([`Keys`]).
//!
//! Start at [`Store::open`]. A batch is in the database whole or not at all; when [`Store::write`] returns,
//! it is committed. Nothing of sqlx shows above this crate.

mod apply;
mod audit;
mod backup;
mod error;
mod figures;
mod lease;
mod lock;
mod place;
mod read;
mod record;
mod retention;
mod rotate;
mod schema;
mod seal;
mod store;
mod writer;

pub use audit::{AuditChain, AuditExtent, BrokenAt};
pub use backup::BackedUp;
pub use error::{OpenError, ReadError, StoreError, WriteError};
pub use figures::Figures;
pub use lease::{Holding, Leases, Process, ProcessRecord, Stand};
pub use lock::DirLock;
pub use place::{Place, Timings};
pub use read::{Bundle, Bundled, EventFilter, OperationFilter};
pub use record::{
    AuditRecord, AuditRow, Batch, DriftRecord, EventRecord, FactorRecord, GaugesRecord, GrantRecord,
    IdempotencyRecord, ObservedKind, ObservedRecord, OperationRecord, PreferencesRecord, RemoteRecord,
    SecretId, SessionRecord, Stage, TokenRecord, UserRecord, Write, Written,
};
pub use retention::{Expired, Retention, Size, Sizes};
pub use rotate::Rotated;
pub use seal::{KeyId, Keys};
pub use store::{Looked, Store};
