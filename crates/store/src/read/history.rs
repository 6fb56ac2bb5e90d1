//! Events, operations, audit.

use std::fmt::Write as _;

use jiff::Timestamp;
use model::{Incarnation, NodeName, OperationId, RemoteId, TaskId, Vmid};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{bound, operation, remote, small, time};
use crate::apply::{bits, ms};
use crate::audit::{self, AuditExtent, BrokenAt, Tail};
use crate::error::{ReadError, StoreError};
use crate::record::{AuditRow, EventRecord, OperationRecord};
use crate::store::Store;

/// Which events. Everything that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of these remotes only; an event of no remote is then left out. `None`: of all.
    pub remotes: Option<Vec<RemoteId>>,
    /// Of this remote.
    pub remote: Option<RemoteId>,
    /// Of this guest.
    pub vmid: Option<Vmid>,
    /// Of this life of it.
    pub incarnation: Option<Incarnation>,
    /// Of these kinds; empty: of all.
    pub kinds: Vec<String>,
    /// Of this operation.
    pub operation: Option<OperationId>,
    /// Before this number; the latest come first.
    pub before: Option<i64>,
    /// After this number; with it the earliest come first.
    pub after: Option<i64>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Until before this time.
    pub until: Option<Timestamp>,
    /// At most so many.
    pub limit: usize,
}

/// Which operations. Everything that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct OperationFilter {
    /// Open ones, or closed ones.
    pub open: Option<bool>,
    /// On these remotes only. `None`: on all.
    pub remotes: Option<Vec<RemoteId>>,
    /// On this guest.
    pub vmid: Option<Vmid>,
    /// Followed by this Muster process.
    pub instance: Option<String>,
    /// Asked for before this one.
    pub before: Option<(Timestamp, OperationId)>,
    /// At most so many.
    pub limit: usize,
}

/// A statement whose conditions depend on what is asked. Values are always bound; only names of columns and
/// numbers become part of the text.
struct Select {
    sql: String,
    values: Vec<Value>,
}

enum Value {
    Int(i64),
    Text(String),
}

impl Select {
    fn new(sql: &'static str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    /// Adds `AND <condition> $n`.
    fn and(&mut self, condition: &'static str, value: Value) {
        self.values.push(value);
        let _ = write!(self.sql, " AND {condition} ${}", self.values.len());
    }

    fn and_int(&mut self, condition: &'static str, value: Option<i64>) {
        if let Some(value) = value {
            self.and(condition, Value::Int(value));
        }
    }

    /// Adds `AND column IN (…)`. Numbers go into the text: there may be more than an engine binds.
    fn and_in(&mut self, column: &'static str, remotes: Option<&[RemoteId]>) {
        let Some(remotes) = remotes else { return };
        let list: Vec<String> = remotes.iter().map(|remote| bits(remote.0).to_string()).collect();
        // An empty list is no SQL in PostgreSQL; no remote has the number NULL.
        let list = if list.is_empty() { "NULL".to_owned() } else { list.join(", ") };
        let _ = write!(self.sql, " AND {column} IN ({list})");
    }

    fn and_any(&mut self, column: &'static str, words: &[String]) {
        if words.is_empty() {
            return;
        }
        let _ = write!(self.sql, " AND {column} IN (");
        for (at, word) in words.iter().enumerate() {
            self.values.push(Value::Text(word.clone()));
            let _ = write!(self.sql, "{}${}", if at == 0 { "" } else { ", " }, self.values.len());
        }
        self.sql.push(')');
    }

    fn end(&mut self, order: &'static str, limit: usize) {
        self.values.push(Value::Int(bound(limit)));
        let _ = write!(self.sql, " ORDER BY {order} LIMIT ${}", self.values.len());
    }

    async fn run(self, store: &Store) -> Result<Vec<AnyRow>, ReadError> {
        let mut query = sqlx::query(AssertSqlSafe(self.sql));
        for value in self.values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
            };
        }
        Ok(query.fetch_all(&mut *store.reader().await?).await?)
    }
}

const EVENT: &str = "SELECT seq, at, remote, vmid, incarnation, node, kind, operation, task, author, body \
                     FROM events WHERE seq > 0";
const OPERATION: &str =
    "SELECT id, remote, vmid, instance, open, requested, body FROM operations WHERE id IS NOT NULL";
const AUDIT: &str =
    "SELECT seq, at, who, source, action, remote, operation, body, before, hash FROM audit WHERE seq > 0";

impl Store {
    /// Events with their numbers: the latest first, or, with `after`, the earliest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<(i64, EventRecord)>, ReadError> {
        let mut select = Select::new(EVENT);
        select.and_in("remote", filter.remotes.as_deref());
        select.and_int("remote =", filter.remote.map(|remote| bits(remote.0)));
        select.and_int("vmid =", filter.vmid.map(|vmid| i64::from(vmid.0)));
        select.and_int("incarnation =", filter.incarnation.map(|life| i64::from(life.0)));
        select.and_any("kind", &filter.kinds);
        select.and_int("operation =", filter.operation.map(|operation| bits(operation.0)));
        select.and_int("seq <", filter.before);
        select.and_int("seq >", filter.after);
        select.and_int("at >=", filter.from.map(ms));
        select.and_int("at <", filter.until.map(ms));
        select.end(if filter.after.is_some() { "seq" } else { "seq DESC" }, filter.limit);
        select.run(self).await?.iter().map(event_row).collect()
    }

    /// Number of the last event; 0 before the first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_event_seq(&self) -> Result<i64, ReadError> {
        Ok(sqlx::query("SELECT value FROM counters WHERE name = 'event'")
            .fetch_one(&mut *self.reader().await?)
            .await?
            .try_get(0)?)
    }

    /// Operations, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn operations(&self, filter: OperationFilter) -> Result<Vec<OperationRecord>, ReadError> {
        operations(filter).run(self).await?.iter().map(operation_row).collect()
    }

    /// One operation.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn operation(&self, id: OperationId) -> Result<Option<OperationRecord>, ReadError> {
        let mut select = Select::new(OPERATION);
        select.and("id =", Value::Int(bits(id.0)));
        select.run(self).await?.first().map(operation_row).transpose()
    }

    /// Rows of the audit, the latest first, before a number if given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, before: Option<i64>, limit: usize) -> Result<Vec<AuditRow>, ReadError> {
        let mut select = Select::new(AUDIT);
        select.and_int("seq <", before);
        select.end("seq DESC", limit);
        select.run(self).await?.iter().map(audit::row).collect()
    }

    /// Rows of the audit after a number, the earliest first: for export.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_after(&self, after: i64, limit: usize) -> Result<Vec<AuditRow>, ReadError> {
        let mut select = Select::new(AUDIT);
        select.and("seq >", Value::Int(after));
        select.end("seq", limit);
        select.run(self).await?.iter().map(audit::row).collect()
    }

    /// How far the audit reaches, and how much of it was exported.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_extent(&self) -> Result<AuditExtent, ReadError> {
        let mut reader = self.reader().await?;
        let expired = audit::kept(&mut reader).await?.0;
        let mut extent = AuditExtent { expired, ..AuditExtent::default() };
        let rows =
            sqlx::query("SELECT name, value FROM counters WHERE name = 'audit' OR name = 'audit_exported'")
                .fetch_all(&mut *reader)
                .await?;
        for row in rows {
            let (name, value): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            if name == "audit" {
                extent.last = value;
            } else {
                extent.exported = value;
            }
        }
        Ok(extent)
    }

    /// Follows the whole chain and returns how many rows hold.
    ///
    /// # Errors
    /// Where it is broken.
    pub async fn verify_audit(&self) -> Result<usize, BrokenAt> {
        loop {
            let from = audit::kept(&mut *self.reader().await?).await?;
            let found = self.verify_audit_from(from).await;
            // Rows may have expired meanwhile; those that follow are looked at again from there.
            if found.is_ok() || audit::kept(&mut *self.reader().await?).await? == from {
                return found;
            }
        }
    }

    async fn verify_audit_from(&self, before: (i64, [u8; 32])) -> Result<usize, BrokenAt> {
        let last = self.audit_extent().await?.last;
        let mut tail = Tail { next: before.0 + 1, before: before.1 };
        let mut count = 0;
        while tail.next <= last {
            let rows = self.audit_after(tail.next - 1, 1_000).await?;
            if rows.is_empty() {
                return Err(BrokenAt::Missing(tail.next));
            }
            audit::follow(&mut tail, &rows)?;
            count += rows.len();
        }
        Ok(count)
    }
}

/// What [`Store::operations`] asks.
fn operations(filter: OperationFilter) -> Select {
    let mut select = Select::new(OPERATION);
    match filter.open {
        // In the text: the index of the open ones serves no value that is bound.
        Some(true) => select.sql.push_str(" AND open = 1"),
        Some(false) => select.sql.push_str(" AND open = 0"),
        None => {}
    }
    select.and_in("remote", filter.remotes.as_deref());
    select.and_int("vmid =", filter.vmid.map(|vmid| i64::from(vmid.0)));
    if let Some(instance) = filter.instance {
        select.and("instance =", Value::Text(instance));
    }
    if let Some((at, id)) = filter.before {
        select.values.push(Value::Int(ms(at)));
        select.values.push(Value::Int(bits(id.0)));
        let n = select.values.len();
        let _ = write!(select.sql, " AND (requested < ${0} OR (requested = ${0} AND id < ${1}))", n - 1, n);
    }
    select.end("requested DESC, id DESC", filter.limit);
    select
}

fn event_row(row: &AnyRow) -> Result<(i64, EventRecord), StoreError> {
    let record = EventRecord {
        at: time(row.try_get(1)?)?,
        remote: remote(row.try_get(2)?),
        vmid: row.try_get::<Option<i64>, _>(3)?.map(small).transpose()?.map(Vmid),
        incarnation: row.try_get::<Option<i64>, _>(4)?.map(small).transpose()?.map(Incarnation),
        node: row.try_get::<Option<String>, _>(5)?.map(NodeName::from),
        kind: row.try_get(6)?,
        operation: operation(row.try_get(7)?),
        task: row.try_get::<Option<String>, _>(8)?.map(TaskId::from),
        author: row.try_get(9)?,
        body: row.try_get(10)?,
    };
    Ok((row.try_get(0)?, record))
}

fn operation_row(row: &AnyRow) -> Result<OperationRecord, StoreError> {
    Ok(OperationRecord {
        id: OperationId(row.try_get::<i64, _>(0)?.cast_unsigned()),
        remote: RemoteId(row.try_get::<i64, _>(1)?.cast_unsigned()),
        vmid: row.try_get::<Option<i64>, _>(2)?.map(small).transpose()?.map(Vmid),
        instance: row.try_get(3)?,
        open: row.try_get::<i64, _>(4)? != 0,
        requested: time(row.try_get(5)?)?,
        body: row.try_get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{Engine, Place, Route};
    use crate::schema;

    #[tokio::test]
    async fn open_operations_are_found_by_their_index() {
        let dir = tempfile::tempdir().unwrap();
        let mut c = Route::to(&Place::Sqlite(dir.path().join("x.db"))).unwrap().connect().await.unwrap();
        schema::migrate(&mut c, Engine::Sqlite, 0, schema::MIGRATIONS).await.unwrap();
        let filter = OperationFilter {
            open: Some(true),
            remotes: Some(vec![RemoteId(1)]),
            limit: 9,
            ..Default::default()
        };
        let select = operations(filter);
        let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", select.sql)))
            .bind(9_i64)
            .fetch_all(&mut c)
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
        assert!(plan.iter().any(|step| step.contains("operations_open")), "{plan:?}");
    }
}
