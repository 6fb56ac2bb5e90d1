//! What can go wrong with durable state, told apart by what a person can do about it.

/// Why a read or a write did not happen. Whatever this says, nothing was half-written: a batch is in the
/// database whole or not at all; which of the two, only [`StoreError::InDoubt`] does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room left on the disk.
    #[error("the disk that holds the database is full; free some space, nothing was half-written")]
    NoSpace,
    /// The disk failed to read or write, for another reason than being full.
    #[error("the disk that holds the database fails ({0}); the system's log says more")]
    Disk(String),
    /// The place may not be written to.
    #[error("the database cannot be written: {0}")]
    ReadOnly(String),
    /// The file or a page of it is not what was written there.
    #[error("the database is damaged ({0}); restore the last backup into a new data directory")]
    Damaged(String),
    /// Somebody else holds the database for longer than we are willing to wait.
    #[error("the database is locked by another program; close whatever else has it open")]
    Busy,
    /// The database server does not answer, or refuses us.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A record that must be unique is there already.
    #[error("a record of that name is there already: {0}")]
    Conflict(String),
    /// The request that this belongs to was carried out already, by another who had the same key.
    #[error("this was carried out already, for the same request")]
    AlreadyDone,
    /// Another process looks after the remote by now: what was to be written about it was not.
    #[error("another Muster process looks after this remote by now")]
    NotHeld,
    /// What the batch was decided by has been changed since, by another process: read again, decide again.
    #[error("another Muster process has changed this meanwhile")]
    Stale,
    /// The database went away at the very moment of the commit, and has not told since what became of it.
    #[error("the database went away while it was committing ({0}): whether this was recorded is not known")]
    InDoubt(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// A sealed record does not open: it was moved, altered, or sealed with a key we do not have.
    #[error("the sealed record {purpose}/{record} does not open: {why}")]
    Sealed {
        /// What the record is for.
        purpose: String,
        /// The record's id.
        record: String,
        /// Which of the ways in which a seal may be broken.
        why: &'static str,
    },
    /// Anything else, in the engine's words.
    #[error("the database refused: {0}")]
    Other(String),
}

impl StoreError {
    /// Whether doing the very same thing again may work once the cause has passed. Not so what is in doubt: it may be
    /// there already.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NoSpace | Self::Disk(_) | Self::ReadOnly(_) | Self::Busy | Self::Unreachable(_))
    }
}

/// Why a batch was not written.
pub type WriteError = StoreError;
/// Why a read gave nothing.
pub type ReadError = StoreError;

/// Why a store was not opened. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has this data directory.
    #[error("{dir} is in use by another Muster{}", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// The directory.
        dir: String,
        /// Who holds it, as it wrote down.
        pid: Option<u32>,
    },
    /// Made by a later version of Muster.
    #[error(
        "the database was written by a newer Muster (schema {found}, this one knows {known}); \
         run that version, or restore a backup made by this one"
    )]
    Newer {
        /// The schema found.
        found: i64,
        /// The newest schema this program knows.
        known: i64,
    },
    /// A database, but not one of Muster's.
    #[error("this is not a database of Muster: {0}")]
    Foreign(String),
    /// The key does not open what is sealed in the database.
    #[error(
        "the sealing key does not fit this database (it needs key {needed}); \
         put the right key file back, without it the credentials inside cannot be read"
    )]
    WrongKey {
        /// Fingerprint of the key that the database needs.
        needed: String,
    },
    /// The database is sealed and no key was given.
    #[error("the database is sealed and there is no sealing key; put the key file back")]
    KeyMissing,
    /// There is a database already where one was to be restored.
    #[error("{0} is not empty; restoring would replace what is there")]
    NotEmpty(String),
    /// The place itself: full, read-only, damaged, locked, unreachable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::NoSpace,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => match error.code() {
                Some(code) => of_code(&code, error.message()),
                None => Self::Other(error.message().to_owned()),
            },
            sqlx::Error::Io(error) => match Self::from(error) {
                Self::Other(text) => Self::Unreachable(text),
                known => known,
            },
            sqlx::Error::Tls(error) => Self::Unreachable(error.to_string()),
            sqlx::Error::Protocol(text) => Self::Unreachable(text),
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::WorkerCrashed => Self::Unreachable("its worker ended".into()),
            other => Self::Other(other.to_string()),
        }
    }
}

/// The engines' own codes: SQLite's are numbers (the low byte is the kind), PostgreSQL's have five letters.
fn of_code(code: &str, message: &str) -> StoreError {
    if code.len() == 5 {
        return of_sqlstate(code, message);
    }
    let Ok(number) = code.parse::<u32>() else { return StoreError::Other(message.to_owned()) };
    match number & 0xff {
        13 => StoreError::NoSpace,
        10 => StoreError::Disk(message.to_owned()),
        8 | 3 | 14 => StoreError::ReadOnly(message.to_owned()),
        11 | 26 => StoreError::Damaged(message.to_owned()),
        5 | 6 => StoreError::Busy,
        19 => StoreError::Conflict(message.to_owned()),
        _ => StoreError::Other(message.to_owned()),
    }
}

fn of_sqlstate(code: &str, message: &str) -> StoreError {
    match code {
        "53100" => StoreError::NoSpace,
        "25006" => StoreError::ReadOnly(message.to_owned()),
        "XX001" | "XX002" => StoreError::Damaged(message.to_owned()),
        "55P03" | "40001" | "40P01" => StoreError::Busy,
        "23505" => StoreError::Conflict(message.to_owned()),
        _ if ["08", "28", "3D", "53", "57"].iter().any(|class| code.starts_with(class)) => {
            StoreError::Unreachable(message.to_owned())
        }
        _ => StoreError::Other(message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_engines_mean_the_same_things() {
        for (code, wanted) in [
            ("13", StoreError::NoSpace),
            ("778", StoreError::Disk("x".into())),
            ("53100", StoreError::NoSpace),
            ("8", StoreError::ReadOnly("x".into())),
            ("1032", StoreError::ReadOnly("x".into())),
            ("25006", StoreError::ReadOnly("x".into())),
            ("11", StoreError::Damaged("x".into())),
            ("26", StoreError::Damaged("x".into())),
            ("XX001", StoreError::Damaged("x".into())),
            ("5", StoreError::Busy),
            ("517", StoreError::Busy),
            ("40001", StoreError::Busy),
            ("2067", StoreError::Conflict("x".into())),
            ("23505", StoreError::Conflict("x".into())),
            ("57P01", StoreError::Unreachable("x".into())),
            ("1", StoreError::Other("x".into())),
            ("42601", StoreError::Other("x".into())),
        ] {
            assert_eq!(of_code(code, "x"), wanted, "{code}");
        }
    }
}
