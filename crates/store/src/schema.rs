//! The tables, as a numbered list of migrations. A migration that was released is never edited: the next one
//! changes what it made.

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use crate::error::{OpenError, StoreError};
use crate::place::Engine;

/// Written into the header of a SQLite file: "MUST".
pub(crate) const APPLICATION_ID: i64 = 0x4d55_5354;

/// One step of the schema. `{int}` is a 64-bit integer, `{blob}` bytes, in the engine's word.
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) sql: &'static str,
}

/// All of them, from 1, without gaps.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, sql: FIRST },
    Migration { number: 2, sql: SHARED },
    Migration { number: 3, sql: SERVED },
    Migration { number: 4, sql: OWN },
];

/// The newest schema that this program knows.
pub(crate) const KNOWN: i64 = 4;

const FIRST: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, value {int} NOT NULL);
INSERT INTO counters (name, value) VALUES ('event', 0), ('remote', 0), ('audit', 0), ('audit_exported', 0);

CREATE TABLE remotes (
    id {int} PRIMARY KEY, name TEXT NOT NULL, identity TEXT, owner TEXT,
    disconnected_by TEXT, disconnected_at {int}, spec TEXT NOT NULL, created {int} NOT NULL, updated {int} NOT NULL
);
CREATE TABLE secrets (
    purpose TEXT NOT NULL, record TEXT NOT NULL, key_id TEXT NOT NULL, body {blob} NOT NULL,
    PRIMARY KEY (purpose, record)
);
CREATE INDEX secrets_by_key ON secrets (key_id);
CREATE TABLE observed (
    remote {int} NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, at {int}, through TEXT, body TEXT NOT NULL,
    PRIMARY KEY (remote, kind, key)
);
CREATE TABLE gauges (remote {int} PRIMARY KEY, at {int} NOT NULL, body {blob} NOT NULL);
CREATE TABLE events (
    seq {int} PRIMARY KEY, at {int} NOT NULL, remote {int}, vmid {int}, incarnation {int}, node TEXT,
    kind TEXT NOT NULL, operation {int}, task TEXT, author TEXT, body TEXT NOT NULL
);
CREATE INDEX events_by_guest ON events (remote, vmid, seq);
CREATE INDEX events_by_remote ON events (remote, seq);
CREATE INDEX events_by_kind ON events (kind, seq);
CREATE INDEX events_by_operation ON events (operation, seq) WHERE operation IS NOT NULL;
CREATE INDEX events_by_time ON events (at);
CREATE TABLE operations (
    id {int} PRIMARY KEY, remote {int} NOT NULL, vmid {int}, instance TEXT NOT NULL, open {int} NOT NULL,
    requested {int} NOT NULL, body TEXT NOT NULL
);
CREATE INDEX operations_by_time ON operations (requested, id);
CREATE INDEX operations_by_guest ON operations (remote, vmid, requested);
CREATE INDEX operations_open ON operations (id) WHERE open = 1;
CREATE TABLE drift (
    remote {int} NOT NULL, key TEXT NOT NULL, first {int} NOT NULL, at {int} NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (remote, key)
);
CREATE INDEX drift_by_time ON drift (at);
CREATE TABLE audit (
    seq {int} PRIMARY KEY, at {int} NOT NULL, who TEXT NOT NULL, source TEXT NOT NULL, action TEXT NOT NULL,
    remote {int}, operation {int}, body TEXT NOT NULL, before {blob} NOT NULL, hash {blob} NOT NULL
);
CREATE TABLE users (
    name TEXT PRIMARY KEY, password TEXT, created {int} NOT NULL, updated {int} NOT NULL, body TEXT NOT NULL
);
CREATE TABLE grants (
    subject TEXT NOT NULL, role TEXT NOT NULL, scope_kind TEXT NOT NULL, scope_value TEXT NOT NULL,
    PRIMARY KEY (subject, role, scope_kind, scope_value)
);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, hash {blob} NOT NULL UNIQUE, subject TEXT NOT NULL, created {int} NOT NULL,
    seen {int} NOT NULL, expires {int} NOT NULL, body TEXT NOT NULL
);
CREATE INDEX sessions_by_subject ON sessions (subject);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, hash {blob} NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL, created {int} NOT NULL,
    expires {int}, seen {int}, body TEXT NOT NULL
);
CREATE INDEX tokens_by_subject ON tokens (subject);
CREATE TABLE idempotency (
    principal TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, at {int} NOT NULL, status {int},
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_by_time ON idempotency (at);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
";

/// Several processes on one database, and who of them looks after what.
const SHARED: &str = "
CREATE TABLE processes (
    id TEXT PRIMARY KEY, home TEXT NOT NULL, name TEXT NOT NULL, address TEXT, number {int} NOT NULL,
    started {int} NOT NULL, seen {int} NOT NULL, expires {int} NOT NULL
);
ALTER TABLE remotes ADD COLUMN term {int} NOT NULL DEFAULT 0;
ALTER TABLE remotes ADD COLUMN written {int} NOT NULL DEFAULT 0;
INSERT INTO counters (name, value) VALUES ('process', 0), ('people', 0);
";

/// Open operations and former lives are found by an index of their own; a process says until when it
/// counts as one that takes its part.
const SERVED: &str = "
ALTER TABLE processes ADD COLUMN settles {int} NOT NULL DEFAULT 0;
DROP INDEX operations_open;
CREATE INDEX operations_open ON operations (remote, requested) WHERE open = 1;
CREATE INDEX observed_past ON observed (at) WHERE kind = 'guest_past';
";

/// What people have of their own: a second factor, and how they like things to be shown.
const OWN: &str = "
CREATE TABLE factors (subject TEXT PRIMARY KEY, since {int} NOT NULL, step {int} NOT NULL, body TEXT NOT NULL);
CREATE TABLE preferences (subject TEXT PRIMARY KEY, born {int} NOT NULL, number {int} NOT NULL, body TEXT NOT NULL);
";

/// How a column's values travel between engines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Int,
    Text,
    Blob,
}

/// Every table with its columns, for copying from engine to engine and for counting. The test below holds it
/// against the migrations.
pub(crate) const TABLES: &[(&str, &[(&str, Column)])] = {
    use Column::{Blob, Int, Text};
    &[
        ("meta", &[("name", Text), ("value", Text)]),
        ("counters", &[("name", Text), ("value", Int)]),
        (
            "remotes",
            &[
                ("id", Int),
                ("name", Text),
                ("identity", Text),
                ("owner", Text),
                ("disconnected_by", Text),
                ("disconnected_at", Int),
                ("spec", Text),
                ("created", Int),
                ("updated", Int),
                ("term", Int),
                ("written", Int),
            ],
        ),
        ("secrets", &[("purpose", Text), ("record", Text), ("key_id", Text), ("body", Blob)]),
        (
            "observed",
            &[("remote", Int), ("kind", Text), ("key", Text), ("at", Int), ("through", Text), ("body", Text)],
        ),
        ("gauges", &[("remote", Int), ("at", Int), ("body", Blob)]),
        (
            "events",
            &[
                ("seq", Int),
                ("at", Int),
                ("remote", Int),
                ("vmid", Int),
                ("incarnation", Int),
                ("node", Text),
                ("kind", Text),
                ("operation", Int),
                ("task", Text),
                ("author", Text),
                ("body", Text),
            ],
        ),
        (
            "operations",
            &[
                ("id", Int),
                ("remote", Int),
                ("vmid", Int),
                ("instance", Text),
                ("open", Int),
                ("requested", Int),
                ("body", Text),
            ],
        ),
        ("drift", &[("remote", Int), ("key", Text), ("first", Int), ("at", Int), ("body", Text)]),
        (
            "audit",
            &[
                ("seq", Int),
                ("at", Int),
                ("who", Text),
                ("source", Text),
                ("action", Text),
                ("remote", Int),
                ("operation", Int),
                ("body", Text),
                ("before", Blob),
                ("hash", Blob),
            ],
        ),
        ("users", &[("name", Text), ("password", Text), ("created", Int), ("updated", Int), ("body", Text)]),
        ("grants", &[("subject", Text), ("role", Text), ("scope_kind", Text), ("scope_value", Text)]),
        (
            "sessions",
            &[
                ("id", Text),
                ("hash", Blob),
                ("subject", Text),
                ("created", Int),
                ("seen", Int),
                ("expires", Int),
                ("body", Text),
            ],
        ),
        (
            "tokens",
            &[
                ("id", Text),
                ("hash", Blob),
                ("subject", Text),
                ("name", Text),
                ("created", Int),
                ("expires", Int),
                ("seen", Int),
                ("body", Text),
            ],
        ),
        (
            "idempotency",
            &[("principal", Text), ("key", Text), ("fingerprint", Text), ("at", Int), ("status", Int)],
        ),
        ("settings", &[("name", Text), ("value", Text)]),
        (
            "processes",
            &[
                ("id", Text),
                ("home", Text),
                ("name", Text),
                ("address", Text),
                ("number", Int),
                ("started", Int),
                ("seen", Int),
                ("expires", Int),
                ("settles", Int),
            ],
        ),
        ("factors", &[("subject", Text), ("since", Int), ("step", Int), ("body", Text)]),
        ("preferences", &[("subject", Text), ("born", Int), ("number", Int), ("body", Text)]),
    ]
};

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing yet.
    Empty,
    /// A database of ours at this schema.
    Ours(i64),
}

/// Looks without changing anything.
pub(crate) async fn look(connection: &mut AnyConnection, engine: Engine) -> Result<Found, OpenError> {
    let tables = match engine {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Engine::Postgres => {
            "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
             WHERE table_schema = current_schema()"
        }
    };
    let names: Vec<String> = sqlx::query(tables)
        .fetch_all(&mut *connection)
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    if names.is_empty() {
        return Ok(Found::Empty);
    }
    if engine == Engine::Sqlite {
        let id: i64 = sqlx::query("PRAGMA application_id").fetch_one(&mut *connection).await?.try_get(0)?;
        if id != APPLICATION_ID {
            return Err(OpenError::Foreign(format!("it holds {} tables of something else", names.len())));
        }
    }
    if !names.iter().any(|name| name == "meta") {
        return Err(OpenError::Foreign(format!(
            "it holds {} tables of something else; give Muster a database or schema of its own",
            names.len()
        )));
    }
    let schema = sqlx::query("SELECT value FROM meta WHERE name = 'schema'")
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| match StoreError::from(error) {
            StoreError::Other(_) => OpenError::Foreign("its table \"meta\" is not Muster's".into()),
            other => other.into(),
        })?
        .ok_or_else(|| OpenError::Foreign("its table \"meta\" names no schema".into()))?;
    let schema: String = schema.try_get(0)?;
    let schema = schema
        .parse()
        .map_err(|_| OpenError::Foreign(format!("its schema is called {:?}", crate::store::clip(&schema))))?;
    Ok(Found::Ours(schema))
}

/// Brings the schema from `from` (0: nothing there) to the newest of `list`, each step in a transaction of its
/// own. Processes that start together on one PostgreSQL take turns.
pub(crate) async fn migrate(
    connection: &mut AnyConnection,
    engine: Engine,
    from: i64,
    list: &[Migration],
) -> Result<(), StoreError> {
    for step in list.iter().filter(|step| step.number > from) {
        begin(connection, engine).await?;
        let done = run_step(connection, engine, step).await;
        match done {
            Ok(()) => sqlx::raw_sql("COMMIT").execute(&mut *connection).await?,
            Err(error) => {
                // The error that led here is the one to tell.
                let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
                return Err(error);
            }
        };
    }
    Ok(())
}

/// Begins a transaction that writes; on PostgreSQL also one that alone changes the schema.
pub(crate) async fn begin(connection: &mut AnyConnection, engine: Engine) -> Result<(), StoreError> {
    let sql = match engine {
        Engine::Sqlite => "BEGIN IMMEDIATE",
        // Any number will do as long as every Muster takes the same one.
        Engine::Postgres => "BEGIN; SELECT pg_advisory_xact_lock(1297437524)",
    };
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}

async fn run_step(
    connection: &mut AnyConnection,
    engine: Engine,
    step: &Migration,
) -> Result<(), StoreError> {
    if step.number > 1 {
        let done: String = sqlx::query("SELECT value FROM meta WHERE name = 'schema'")
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
        // Another process was quicker.
        if done.parse::<i64>().is_ok_and(|done| done >= step.number) {
            return Ok(());
        }
    } else if look(connection, engine).await.is_ok_and(|found| found != Found::Empty) {
        return Ok(());
    }
    let (int, blob) = match engine {
        Engine::Sqlite => ("INTEGER", "BLOB"),
        Engine::Postgres => ("BIGINT", "BYTEA"),
    };
    let sql = step.sql.replace("{int}", int).replace("{blob}", blob);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    if engine == Engine::Sqlite && step.number == 1 {
        sqlx::raw_sql("PRAGMA application_id = 1297437524").execute(&mut *connection).await?;
    }
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ('schema', $1) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(step.number.to_string())
    .execute(&mut *connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;
    use crate::place::{Place, Route};

    async fn fresh() -> (tempfile::TempDir, AnyConnection) {
        let dir = tempfile::tempdir().unwrap();
        let connection = Route::to(&Place::Sqlite(dir.path().join("x.db"))).unwrap().connect().await.unwrap();
        (dir, connection)
    }

    #[test]
    fn migrations_are_numbered_without_gaps() {
        let numbers: Vec<i64> = MIGRATIONS.iter().map(|step| step.number).collect();
        assert_eq!(numbers, (1..=KNOWN).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn the_list_of_tables_is_what_the_migrations_make() {
        let (_dir, mut c) = fresh().await;
        migrate(&mut c, Engine::Sqlite, 0, MIGRATIONS).await.unwrap();
        let rows = sqlx::query(
            "SELECT t.name, c.name, c.type FROM sqlite_master t JOIN pragma_table_info(t.name) c \
             WHERE t.type = 'table' ORDER BY t.rootpage, c.cid",
        )
        .fetch_all(&mut c)
        .await
        .unwrap();
        let mut found: Vec<(String, String, String)> =
            rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let mut listed = Vec::new();
        for (table, columns) in TABLES {
            for (column, kind) in *columns {
                let kind = match kind {
                    Column::Int => "INTEGER",
                    Column::Text => "TEXT",
                    Column::Blob => "BLOB",
                };
                listed.push(((*table).to_owned(), (*column).to_owned(), kind.to_owned()));
            }
        }
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
    }

    #[tokio::test]
    async fn what_an_older_schema_held_is_there_under_the_newest() {
        let (_dir, mut c) = fresh().await;
        migrate(&mut c, Engine::Sqlite, 0, &MIGRATIONS[..2]).await.unwrap();
        for sql in [
            "INSERT INTO processes (id, home, name, number, started, seen, expires) VALUES ('a', 'h', 'n', 1, 2, 3, 4)",
            "INSERT INTO operations (id, remote, instance, open, requested, body) VALUES (7, 1, 'a', 1, 5, '{}')",
            "INSERT INTO observed (remote, kind, key, at, body) VALUES (1, 'guest_past', '101/1', 6, '{}')",
        ] {
            sqlx::raw_sql(sql).execute(&mut c).await.unwrap();
        }
        migrate(&mut c, Engine::Sqlite, 2, MIGRATIONS).await.unwrap();
        assert_eq!(look(&mut c, Engine::Sqlite).await.unwrap(), Found::Ours(KNOWN));
        for (sql, wanted) in [
            ("SELECT settles FROM processes WHERE id = 'a'", 0),
            ("SELECT id FROM operations INDEXED BY operations_open WHERE open = 1 AND remote = 1", 7),
            ("SELECT at FROM observed INDEXED BY observed_past WHERE kind = 'guest_past' AND at < 9", 6),
        ] {
            let found: i64 = sqlx::query(sql).fetch_one(&mut c).await.unwrap().get(0);
            assert_eq!(found, wanted, "{sql}");
        }
        c.close().await.unwrap();
    }

    #[tokio::test]
    async fn people_of_an_older_schema_have_nothing_of_their_own_yet() {
        let (_dir, mut c) = fresh().await;
        migrate(&mut c, Engine::Sqlite, 0, &MIGRATIONS[..3]).await.unwrap();
        let anna = "INSERT INTO users (name, created, updated, body) VALUES ('anna', 1, 2, '{}')";
        sqlx::raw_sql(anna).execute(&mut c).await.unwrap();
        migrate(&mut c, Engine::Sqlite, 3, MIGRATIONS).await.unwrap();
        assert_eq!(look(&mut c, Engine::Sqlite).await.unwrap(), Found::Ours(KNOWN));
        for (sql, wanted) in [
            ("SELECT created FROM users WHERE name = 'anna'", 1),
            ("SELECT COUNT(*) FROM factors", 0),
            ("SELECT COUNT(*) FROM preferences", 0),
        ] {
            let found: i64 = sqlx::query(sql).fetch_one(&mut c).await.unwrap().get(0);
            assert_eq!(found, wanted, "{sql}");
        }
        c.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_the_schema_before_it() {
        let (_dir, mut c) = fresh().await;
        let good = Migration { number: 2, sql: "CREATE TABLE more (n {int}); INSERT INTO more VALUES (1)" };
        let bad = Migration { number: 3, sql: "CREATE TABLE half (n {int}); INSERT INTO nowhere VALUES (1)" };
        let first = Migration { number: 1, sql: FIRST };
        migrate(&mut c, Engine::Sqlite, 0, &[first, good, bad]).await.unwrap_err();
        assert_eq!(look(&mut c, Engine::Sqlite).await.unwrap(), Found::Ours(2));
        let tables = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetch_all(&mut c).await;
        assert!(tables.unwrap().is_empty());
        let mended = Migration { number: 3, sql: "DROP TABLE more" };
        migrate(&mut c, Engine::Sqlite, 2, &[mended]).await.unwrap();
        assert_eq!(look(&mut c, Engine::Sqlite).await.unwrap(), Found::Ours(3));
        // Done already, by another process say: nothing happens twice.
        let again = Migration { number: 3, sql: "DROP TABLE more" };
        migrate(&mut c, Engine::Sqlite, 2, &[again]).await.unwrap();
        c.close().await.unwrap();
    }
}
