//! Reading. Every method takes a reader's connection for as long as it runs and never waits for the writer.

mod history;
mod inventory;
mod people;

pub use history::{EventFilter, OperationFilter};
pub(crate) use inventory::remote_row;
pub use inventory::{Bundle, Bundled};

use jiff::Timestamp;
use model::{OperationId, RemoteId};
use sqlx::Any;
use sqlx::pool::PoolConnection;

use crate::error::{ReadError, StoreError};
use crate::store::Store;

impl Store {
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Any>, ReadError> {
        Ok(self.inner.pool.acquire().await?)
    }
}

/// A time in a column.
pub(crate) fn time(ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|_| StoreError::Damaged(format!("{ms} is no time")))
}

/// A time that may be missing.
pub(crate) fn maybe_time(ms: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    ms.map(time).transpose()
}

/// A remote in a column.
pub(crate) fn remote(bits: Option<i64>) -> Option<RemoteId> {
    bits.map(|bits| RemoteId(bits.cast_unsigned()))
}

/// An operation in a column.
pub(crate) fn operation(bits: Option<i64>) -> Option<OperationId> {
    bits.map(|bits| OperationId(bits.cast_unsigned()))
}

/// A number in a column that has fewer bits outside.
pub(crate) fn small(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Damaged(format!("{number} is out of range")))
}

/// How many rows a reader may ask for at once.
pub(crate) fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
