//! The audit chain: every row carries the hash of the one before, from the first row on. A row altered, taken
//! out or put in breaks the chain where it happened; a tail cut off is told by the counter.

use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::apply::{bits, ms};
use crate::error::StoreError;
use crate::read;
use crate::record::{AuditRecord, AuditRow};

/// The chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenAt {
    /// This row is not what was written, or not where it was written.
    #[error("the audit trail was altered at row {0}")]
    Row(i64),
    /// Rows from this number on are missing.
    #[error("rows of the audit trail are missing from {0} on")]
    Missing(i64),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far the chain reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditExtent {
    /// Number of the last row that was deleted after it was exported; 0: none was. Its hash is kept: the first row that
    /// is still there follows from it.
    pub expired: i64,
    /// Number of the last row that was exported; 0: none was.
    pub exported: i64,
    /// Number of the last row; 0 before the first.
    pub last: i64,
}

/// The chain, followed row by row, wherever the rows come from: the database, or a file that was exported.
#[derive(Debug, Clone, Default)]
pub struct AuditChain {
    /// What the next row must follow from; before the first one anything it says.
    tail: Option<Tail>,
    /// How many rows held.
    rows: u64,
}

impl AuditChain {
    /// Takes the next row. The first may be any: one that is not number 1 follows from a row that is not here.
    ///
    /// # Errors
    /// It is not what was written, or not what comes next; [`BrokenAt`] names it.
    pub fn take(&mut self, row: &AuditRow) -> Result<(), BrokenAt> {
        let mut tail = self.tail.unwrap_or(match row.seq {
            1 => Tail { next: 1, before: [0; 32] },
            seq => Tail { next: seq, before: row.before },
        });
        follow(&mut tail, std::slice::from_ref(row))?;
        self.tail = Some(tail);
        self.rows += 1;
        Ok(())
    }

    /// How many rows have held so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

/// Where the chain goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    /// Number of the next row.
    pub(crate) next: i64,
    /// Hash of the row before it.
    pub(crate) before: [u8; 32],
}

impl Tail {
    /// Nothing is to be appended.
    pub(crate) const UNUSED: Self = Self { next: 0, before: [0; 32] };

    /// Takes `count` numbers; other writers wait until the transaction ends.
    pub(crate) async fn take(c: &mut AnyConnection, count: usize) -> Result<Self, StoreError> {
        let next = crate::apply::take_numbers(c, "audit", count).await?;
        let row = sqlx::query("SELECT hash FROM audit WHERE seq = $1")
            .bind(next - 1)
            .fetch_optional(&mut *c)
            .await?;
        let before = match row {
            Some(row) => hash_of(&row, 0)?,
            // The first row; or all before were exported and have expired: their last hash was kept.
            None => kept(c).await?.1,
        };
        Ok(Self { next, before })
    }
}

/// Where the rows that expired ended: number and hash of the last of them; 0 and zeros when none did.
pub(crate) async fn kept(c: &mut AnyConnection) -> Result<(i64, [u8; 32]), StoreError> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = 'audit_kept'").fetch_optional(c).await?;
    let Some(row) = row else { return Ok((0, [0; 32])) };
    let text: String = row.try_get(0)?;
    text.split_once(' ')
        .and_then(|(seq, hash)| Some((seq.parse().ok()?, unhex(hash)?)))
        .ok_or_else(|| StoreError::Damaged("what is kept of the expired audit trail is not readable".into()))
}

/// Writes down where the rows that expired ended.
pub(crate) async fn keep(c: &mut AnyConnection, seq: i64, hash: &[u8; 32]) -> Result<(), StoreError> {
    use std::fmt::Write;
    let mut text = format!("{seq} ");
    for byte in hash {
        let _ = write!(text, "{byte:02x}");
    }
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ('audit_kept', $1) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(text)
    .execute(c)
    .await?;
    Ok(())
}

/// Appends one record.
pub(crate) async fn append(
    c: &mut AnyConnection,
    tail: &mut Tail,
    record: &AuditRecord,
) -> Result<(), StoreError> {
    // What is hashed is what will be read.
    let clean = |it: &String| crate::apply::text(it).into_owned();
    let record = &AuditRecord {
        who: clean(&record.who),
        source: clean(&record.source),
        action: clean(&record.action),
        body: clean(&record.body),
        ..record.clone()
    };
    let hash = hash(tail.next, &tail.before, record);
    sqlx::query(
        "INSERT INTO audit (seq, at, who, source, action, remote, operation, body, before, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tail.next)
    .bind(ms(record.at))
    .bind(record.who.as_str())
    .bind(record.source.as_str())
    .bind(record.action.as_str())
    .bind(record.remote.map(|remote| bits(remote.0)))
    .bind(record.operation.map(|operation| bits(operation.0)))
    .bind(record.body.as_str())
    .bind(tail.before.to_vec())
    .bind(hash.to_vec())
    .execute(c)
    .await?;
    *tail = Tail { next: tail.next + 1, before: hash };
    Ok(())
}

/// Everything the row says, each field with its length before it, after the hash of the row before.
pub(crate) fn hash(seq: i64, before: &[u8; 32], record: &AuditRecord) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(before);
    digest.update(seq.to_be_bytes());
    digest.update(ms(record.at).to_be_bytes());
    for text in [&record.who, &record.source, &record.action, &record.body] {
        digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(text.as_bytes());
    }
    for number in [record.remote.map(|id| id.0), record.operation.map(|id| id.0)] {
        digest.update([u8::from(number.is_some())]);
        digest.update(number.unwrap_or(0).to_be_bytes());
    }
    digest.finalize().into()
}

/// A hash in a column.
pub(crate) fn hash_of(row: &AnyRow, column: usize) -> Result<[u8; 32], StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes.try_into().map_err(|_| StoreError::Damaged("a hash has not 32 bytes".into()))
}

/// The same, where a hash that is none breaks the chain at its row instead of everything that is read with it.
fn hash_or_none(row: &AnyRow, column: usize) -> Result<[u8; 32], StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Ok(bytes.try_into().unwrap_or([0; 32]))
}

/// Follows the chain over `rows`, which come in order after `tail`.
pub(crate) fn follow(tail: &mut Tail, rows: &[AuditRow]) -> Result<(), BrokenAt> {
    for row in rows {
        if row.seq != tail.next {
            return Err(BrokenAt::Missing(tail.next));
        }
        if row.before != tail.before || row.hash != hash(row.seq, &row.before, &row.record) {
            return Err(BrokenAt::Row(row.seq));
        }
        *tail = Tail { next: row.seq + 1, before: row.hash };
    }
    Ok(())
}

/// Reads a row: seq, at, who, source, action, remote, operation, body, before, hash.
pub(crate) fn row(row: &AnyRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        seq: row.try_get(0)?,
        record: AuditRecord {
            at: read::time(row.try_get(1)?)?,
            who: row.try_get(2)?,
            source: row.try_get(3)?,
            action: row.try_get(4)?,
            remote: read::remote(row.try_get(5)?),
            operation: read::operation(row.try_get(6)?),
            body: row.try_get(7)?,
        },
        before: hash_or_none(row, 8)?,
        hash: hash_or_none(row, 9)?,
    })
}

/// 64 hexadecimal digits as 32 bytes.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
