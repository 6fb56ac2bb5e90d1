//! Letting go of what is old, a little at a time; and how much there is of everything.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use crate::apply::{ms, reply_id};
use crate::audit::hash_of;
use crate::error::{ReadError, StoreError, WriteError};
use crate::place::Engine;
use crate::record::Write;
use crate::schema::{Column, TABLES};
use crate::store::Store;
use crate::writer::Job;

const DAY: u64 = 24 * 60 * 60;

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Events, and the former lives of guests, which are part of their history.
    pub events: Duration,
    /// Operations with their logs, once closed.
    pub operations: Duration,
    /// Samples of drift since last seen.
    pub drift: Duration,
    /// Requests remembered by their idempotency keys.
    pub idempotency: Duration,
    /// Rows of the audit once they have been exported; `None`: for ever. Others are never deleted.
    pub audit: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            events: Duration::from_secs(180 * DAY),
            operations: Duration::from_secs(90 * DAY),
            drift: Duration::from_secs(30 * DAY),
            idempotency: Duration::from_secs(DAY),
            audit: None,
        }
    }
}

/// What was deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expired {
    /// Events.
    pub events: u64,
    /// Former lives of guests.
    pub past: u64,
    /// Operations.
    pub operations: u64,
    /// Samples of drift.
    pub drift: u64,
    /// Requests remembered.
    pub idempotency: u64,
    /// Sessions past their end.
    pub sessions: u64,
    /// Exported rows of the audit.
    pub audit: u64,
    /// Nothing was deleted: the clock is more than a day from where it was the last time. If it is still
    /// there the next time, it is believed.
    pub clock_doubted: bool,
}

/// One kind of thing that gets old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sweep {
    Events,
    Past,
    Operations,
    Drift,
    Idempotency,
    Sessions,
    Audit,
}

/// How much of one thing there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// The table's name.
    pub name: &'static str,
    /// Rows.
    pub rows: u64,
    /// Bytes of text and blobs in them.
    pub bytes: u64,
}

/// How much there is of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Each table.
    pub tables: Vec<Size>,
    /// Bytes of the whole database as it lies on the disk, log included.
    pub total: u64,
}

impl Store {
    /// Deletes what is older than it should be, `batch` rows to a transaction, so that other writes find
    /// their way in between.
    ///
    /// # Errors
    /// What stopped it; what was deleted before stays deleted.
    pub async fn expire(
        &self,
        retention: &Retention,
        now: Timestamp,
        batch: usize,
    ) -> Result<Expired, WriteError> {
        let mut expired = Expired { clock_doubted: self.clock_doubted(now).await?, ..Expired::default() };
        if expired.clock_doubted {
            return Ok(expired);
        }
        let before = |age: Duration| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            now.checked_sub(age).unwrap_or(Timestamp::MIN)
        };
        for (sweep, before, count) in [
            (Sweep::Events, Some(before(retention.events)), &mut expired.events),
            (Sweep::Past, Some(before(retention.events)), &mut expired.past),
            (Sweep::Operations, Some(before(retention.operations)), &mut expired.operations),
            (Sweep::Drift, Some(before(retention.drift)), &mut expired.drift),
            (Sweep::Idempotency, Some(before(retention.idempotency)), &mut expired.idempotency),
            (Sweep::Sessions, Some(now), &mut expired.sessions),
            (Sweep::Audit, retention.audit.map(before), &mut expired.audit),
        ] {
            let Some(before) = before else { continue };
            let before = ms(before);
            loop {
                let limit = i64::try_from(batch.max(1)).unwrap_or(i64::MAX);
                let gone = self.ask(|author| Job::Sweep { sweep, before, limit, author }).await??;
                *count += gone;
                if i64::try_from(gone).unwrap_or(i64::MAX) < limit {
                    break;
                }
            }
        }
        Ok(expired)
    }

    /// A clock that has just jumped must not make a month's history old. The time of every sweep is kept, and
    /// one that is far from the last is only noted.
    async fn clock_doubted(&self, now: Timestamp) -> Result<bool, WriteError> {
        const KEY: &str = "store.swept";
        let last = self.setting(KEY).await?.and_then(|text| text.parse::<Timestamp>().ok());
        self.write(vec![Write::Setting { key: KEY.to_owned(), value: Some(now.to_string()) }]).await?;
        Ok(last.is_some_and(|last| now.duration_since(last).unsigned_abs() > Duration::from_secs(DAY)))
    }

    /// Rows and bytes of everything. Reads every row: for a person who asks, or a slow timer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sizes(&self) -> Result<Sizes, ReadError> {
        let mut reader = self.reader().await?;
        let mut sizes = Sizes::default();
        for (name, columns) in TABLES {
            let bytes: Vec<String> = columns
                .iter()
                .filter(|(_, column)| *column != Column::Int)
                .map(|(column, _)| format!("COALESCE(SUM(OCTET_LENGTH({column})), 0)"))
                .collect();
            let bytes = if bytes.is_empty() { "0".to_owned() } else { bytes.join(" + ") };
            let sql = format!("SELECT COUNT(*), CAST({bytes} AS BIGINT) FROM {name}");
            let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *reader).await?;
            let (rows, bytes): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            sizes.tables.push(Size { name, rows: rows.unsigned_abs(), bytes: bytes.unsigned_abs() });
        }
        let total = match self.inner.engine {
            Engine::Sqlite => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            Engine::Postgres => "SELECT pg_database_size(current_database())",
        };
        let total: i64 = sqlx::query(total).fetch_one(&mut *reader).await?.try_get(0)?;
        sizes.total = total.unsigned_abs();
        if let crate::Place::Sqlite(path) = &self.inner.place {
            let log = std::fs::metadata(crate::store::beside(path, "-wal"));
            sizes.total += log.map_or(0, |log| log.len());
        }
        Ok(sizes)
    }
}

/// Deletes up to `limit` rows, inside the writer's transaction.
pub(crate) async fn sweep(
    c: &mut AnyConnection,
    sweep: Sweep,
    before: i64,
    limit: i64,
) -> Result<u64, StoreError> {
    let sql = match sweep {
        Sweep::Events => {
            "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < $1 ORDER BY at LIMIT $2)"
        }
        // The kind stands in the text: the index that serves this one serves no value that is bound.
        Sweep::Past => {
            "DELETE FROM observed WHERE kind = 'guest_past' AND (remote, key) IN \
             (SELECT remote, key FROM observed WHERE kind = 'guest_past' AND at < $1 ORDER BY at LIMIT $2)"
        }
        Sweep::Operations => {
            "DELETE FROM operations WHERE id IN \
             (SELECT id FROM operations WHERE open = 0 AND requested < $1 ORDER BY requested LIMIT $2)"
        }
        Sweep::Drift => {
            "DELETE FROM drift WHERE (remote, key) IN \
             (SELECT remote, key FROM drift WHERE at < $1 ORDER BY at LIMIT $2)"
        }
        Sweep::Sessions => {
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires < $1 LIMIT $2)"
        }
        Sweep::Idempotency => return forget_requests(c, before, limit).await,
        Sweep::Audit => return forget_audit(c, before, limit).await,
    };
    Ok(sqlx::query(sql).bind(before).bind(limit).execute(c).await?.rows_affected())
}

async fn forget_requests(c: &mut AnyConnection, before: i64, limit: i64) -> Result<u64, StoreError> {
    let rows = sqlx::query("SELECT principal, key FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2")
        .bind(before)
        .bind(limit)
        .fetch_all(&mut *c)
        .await?;
    let mut gone = 0;
    for row in &rows {
        let (principal, key): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        crate::apply::drop_secret(c, &reply_id(&principal, &key)).await?;
        gone += sqlx::query("DELETE FROM idempotency WHERE principal = $1 AND key = $2")
            .bind(principal)
            .bind(key)
            .execute(&mut *c)
            .await?
            .rows_affected();
    }
    Ok(gone)
}

/// The oldest rows that were exported, in one piece: number and hash of the last are kept, and the chain goes
/// on from there.
async fn forget_audit(c: &mut AnyConnection, before: i64, limit: i64) -> Result<u64, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, at, hash FROM audit \
         WHERE seq <= (SELECT value FROM counters WHERE name = 'audit_exported') ORDER BY seq LIMIT $1",
    )
    .bind(limit)
    .fetch_all(&mut *c)
    .await?;
    let mut last = None;
    for row in &rows {
        if row.try_get::<i64, _>(1)? >= before {
            break;
        }
        last = Some((row.try_get::<i64, _>(0)?, hash_of(row, 2)?));
    }
    let Some((seq, hash)) = last else { return Ok(0) };
    crate::audit::keep(c, seq, &hash).await?;
    Ok(sqlx::query("DELETE FROM audit WHERE seq <= $1").bind(seq).execute(c).await?.rows_affected())
}
