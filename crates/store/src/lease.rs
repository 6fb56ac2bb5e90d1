//! Several Muster processes on one PostgreSQL: which of them live, and which looks after which remote.
//!
//! A process enrols ([`Store::enrol`]) and says again and again that it lives ([`Leases::renew`]). A remote without a
//! living owner is taken ([`Leases::take`]); each taking raises its term. Whatever a process writes about a remote it
//! writes together with [`crate::Write::Held`], which fails when owner or term are others by then: what was lost without
//! being noticed can do no harm. All of it goes by the database's clock. An embedded database has one user, whom the
//! lock on its directory makes sure of: there is nothing to lease.

use std::time::Duration;

use jiff::Timestamp;
use model::RemoteId;
use sqlx::{AnyConnection, Connection, Row};
use tokio::sync::Mutex;

use crate::apply::{bits, take_numbers, text};
use crate::error::StoreError;
use crate::place::{Engine, Route};
use crate::read::{remote_row, time};
use crate::record::RemoteRecord;
use crate::store::Store;

/// The database's clock, in milliseconds since 1970.
macro_rules! now {
    () => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}

/// How long the record of a process that is gone is kept, for people to see, milliseconds.
const GONE_KEPT: i64 = 3_600_000;

/// A process as it introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id, another at every start.
    pub id: String,
    /// Its data directory's id, the same at every start: whoever enrols from there takes the place of the one before.
    pub home: String,
    /// What people call it.
    pub name: String,
    /// Where its API is reached.
    pub address: Option<String>,
}

/// A process as the others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRecord {
    /// How it introduced itself.
    pub process: Process,
    /// When it enrolled.
    pub started: Timestamp,
    /// When it last said that it lives.
    pub seen: Timestamp,
    /// Whether that still counts.
    pub alive: bool,
    /// Whether it has lately taken and given up what it should: who does not is left none.
    pub settles: bool,
}

/// Who looks after a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Which remote.
    pub remote: RemoteId,
    /// Whose it is; `None`: whoever takes it.
    pub owner: Option<String>,
    /// How often it was taken.
    pub term: i64,
    /// Grows with everything that its owner writes about it.
    pub written: i64,
}

/// How things stand between the processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stand {
    /// All processes, by id; those that are gone for a while.
    pub processes: Vec<ProcessRecord>,
    /// Every remote, by id.
    pub holdings: Vec<Holding>,
    /// Number of the newest event, whoever wrote it.
    pub last_event: i64,
    /// Grows with every change of users, grants, sessions and tokens, whoever made it.
    pub people: i64,
}

impl Stand {
    /// Who looks after a remote.
    #[must_use]
    pub fn holding(&self, remote: RemoteId) -> Option<&Holding> {
        let at = self.holdings.binary_search_by_key(&remote, |one| one.remote).ok()?;
        self.holdings.get(at)
    }

    /// The processes that live, by id.
    pub fn living(&self) -> impl Iterator<Item = &ProcessRecord> {
        self.processes.iter().filter(|one| one.alive)
    }

    /// A process by its id, as long as it lives.
    #[must_use]
    pub fn alive(&self, id: &str) -> Option<&ProcessRecord> {
        self.living().find(|one| one.process.id == id)
    }
}

/// One process among those that share a database. It uses a connection of its own, so that nothing that is written
/// keeps it from saying that it lives.
pub struct Leases {
    route: Route,
    process: Process,
    number: i64,
    /// How long it counts that a process has said that it lives.
    life: Duration,
    connection: Mutex<Option<AnyConnection>>,
}

impl Store {
    /// Whether other processes may use the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.inner.engine == Engine::Postgres
    }

    /// Enrols a process; `life` is how long each of its renewals counts. `None` where there is nothing to share.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn enrol(&self, process: Process, life: Duration) -> Result<Option<Leases>, StoreError> {
        if !self.is_shared() {
            return Ok(None);
        }
        let route = Route::to(&self.inner.place)?;
        let mut connection = route.connect_plain().await?;
        let number = enrol(&mut connection, &process, life).await?;
        Ok(Some(Leases { route, process, number, life, connection: Mutex::new(Some(connection)) }))
    }
}

async fn enrol(c: &mut AnyConnection, process: &Process, life: Duration) -> Result<i64, StoreError> {
    sqlx::raw_sql("BEGIN").execute(&mut *c).await?;
    let number = take_numbers(c, "process", 1).await?;
    // Who enrolled from the same data directory before has ended: that directory is held by us.
    for sql in [
        "UPDATE remotes SET owner = NULL WHERE owner IN (SELECT id FROM processes WHERE home = $1)",
        "DELETE FROM processes WHERE home = $1",
    ] {
        sqlx::query(sql).bind(process.home.as_str()).execute(&mut *c).await?;
    }
    live(c, process, number, life, false).await?;
    sqlx::raw_sql("COMMIT").execute(c).await?;
    Ok(number)
}

/// Says that it lives; and that it settles, if it has done so since it said that it lives.
async fn live(
    c: &mut AnyConnection,
    process: &Process,
    number: i64,
    life: Duration,
    settled: bool,
) -> Result<(), StoreError> {
    sqlx::query(concat!(
        "INSERT INTO processes (id, home, name, address, number, started, seen, expires, settles) \
         SELECT $1, $2, $3, $4, $5, n.now, n.now, n.now + $6, (n.now + $6) * $7 FROM (SELECT ",
        now!(),
        " AS now) n ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, expires = excluded.expires, \
         address = excluded.address, settles = CASE WHEN excluded.settles > 0 THEN excluded.settles \
         ELSE processes.settles END",
    ))
    .bind(process.id.as_str())
    .bind(process.home.as_str())
    .bind(&*text(&process.name))
    .bind(process.address.as_deref().map(text).as_deref())
    .bind(number)
    .bind(i64::try_from(life.as_millis()).unwrap_or(i64::MAX / 4))
    .bind(i64::from(settled))
    .execute(c)
    .await?;
    Ok(())
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leases").field("process", &self.process).finish_non_exhaustive()
    }
}

// === impl Leases ===

impl Leases {
    /// Who it is.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// How many have enrolled before it, and itself.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.number
    }

    /// How long each renewal counts.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.life
    }

    /// Runs `work` on the connection, for at most `life` / 4: an answer that comes later is of no use. What fails
    /// leaves the connection in doubt, and it is made anew.
    async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let all = async {
            let mut held = self.connection.lock().await;
            let mut connection = match held.take() {
                Some(connection) => connection,
                None => self.route.connect_plain().await?,
            };
            let done = work(&mut connection).await;
            if done.is_ok() {
                *held = Some(connection);
            }
            done
        };
        match tokio::time::timeout(self.life / 4, all).await {
            Ok(done) => done,
            Err(_) => Err(StoreError::Unreachable("it does not answer in time".into())),
        }
    }

    /// Says that it lives; and that it has taken and given up what it should since it said so last, if it has.
    ///
    /// # Errors
    /// When the database does not take it in time. It may have been taken all the same.
    pub async fn renew(&self, settled: bool) -> Result<(), StoreError> {
        self.run(async |c| {
            live(c, &self.process, self.number, self.life, settled).await?;
            sqlx::query(concat!("DELETE FROM processes WHERE expires < ", now!(), " - $1"))
                .bind(GONE_KEPT)
                .execute(c)
                .await?;
            Ok(())
        })
        .await
    }

    /// How things stand.
    ///
    /// # Errors
    /// When the database does not tell in time.
    pub async fn stand(&self) -> Result<Stand, StoreError> {
        self.run(async |c| {
            let mut stand = Stand::default();
            let rows = sqlx::query(concat!(
                "SELECT id, home, name, address, started, seen, CAST(expires > ",
                now!(),
                " AS INTEGER), CAST(settles > ",
                now!(),
                " AS INTEGER) FROM processes ORDER BY id"
            ))
            .fetch_all(&mut *c)
            .await?;
            for row in &rows {
                stand.processes.push(ProcessRecord {
                    process: Process {
                        id: row.try_get(0)?,
                        home: row.try_get(1)?,
                        name: row.try_get(2)?,
                        address: row.try_get(3)?,
                    },
                    started: time(row.try_get(4)?)?,
                    seen: time(row.try_get(5)?)?,
                    alive: row.try_get::<i32, _>(6)? != 0,
                    settles: row.try_get::<i32, _>(7)? != 0,
                });
            }
            let rows = sqlx::query("SELECT id, owner, term, written FROM remotes").fetch_all(&mut *c).await?;
            for row in &rows {
                stand.holdings.push(Holding {
                    remote: RemoteId(row.try_get::<i64, _>(0)?.cast_unsigned()),
                    owner: row.try_get(1)?,
                    term: row.try_get(2)?,
                    written: row.try_get(3)?,
                });
            }
            stand.holdings.sort_by_key(|one| one.remote);
            let rows = sqlx::query("SELECT name, value FROM counters WHERE name IN ('event', 'people')")
                .fetch_all(c)
                .await?;
            for row in &rows {
                let (name, value): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
                match name.as_str() {
                    "event" => stand.last_event = value,
                    _ => stand.people = value,
                }
            }
            Ok(stand)
        })
        .await
    }

    /// Takes up to `most` remotes that have no living owner; each with its term. A remote that somebody else is just
    /// taking is left to them.
    ///
    /// # Errors
    /// When the database does not tell in time. Some may have been taken all the same: the stand tells.
    pub async fn take(&self, most: usize) -> Result<Vec<(RemoteId, i64)>, StoreError> {
        self.run(async |c| {
            let rows = sqlx::query(concat!(
                "UPDATE remotes SET owner = $1, term = term + 1 WHERE id IN (SELECT id FROM remotes \
                 WHERE owner IS NULL OR owner NOT IN (SELECT id FROM processes WHERE expires > ",
                now!(),
                ") ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED) \
                 AND EXISTS (SELECT 1 FROM processes WHERE id = $1 AND expires > ",
                now!(),
                ") RETURNING id, term"
            ))
            .bind(self.process.id.as_str())
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(c)
            .await?;
            rows.iter()
                .map(|row| Ok((RemoteId(row.try_get::<i64, _>(0)?.cast_unsigned()), row.try_get(1)?)))
                .collect()
        })
        .await
    }

    /// Gives a remote up, for another to take.
    ///
    /// # Errors
    /// When the database does not take it in time.
    pub async fn give_up(&self, remote: RemoteId) -> Result<(), StoreError> {
        self.run(async |c| {
            sqlx::query("UPDATE remotes SET owner = NULL WHERE id = $1 AND owner = $2")
                .bind(bits(remote.0))
                .bind(self.process.id.as_str())
                .execute(c)
                .await?;
            Ok(())
        })
        .await
    }

    /// The end of this process: what it looked after is free for the others at once.
    ///
    /// # Errors
    /// When the database does not take it in time; it then expires.
    pub async fn leave(&self) -> Result<(), StoreError> {
        self.run(async |c| {
            for sql in
                ["UPDATE remotes SET owner = NULL WHERE owner = $1", "DELETE FROM processes WHERE id = $1"]
            {
                sqlx::query(sql).bind(self.process.id.as_str()).execute(&mut *c).await?;
            }
            Ok(())
        })
        .await?;
        if let Some(connection) = self.connection.lock().await.take() {
            let _ = connection.close().await;
        }
        Ok(())
    }
}

impl Store {
    /// One remote.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn remote(&self, id: RemoteId) -> Result<Option<RemoteRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT id, name, identity, owner, disconnected_by, disconnected_at, spec, created, updated \
             FROM remotes WHERE id = $1",
        )
        .bind(bits(id.0))
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        row.as_ref().map(remote_row).transpose()
    }
}

// --- within the writer's transaction ---

/// Checks that the owner is who it thinks it is, and takes note that it writes. Until the transaction has ended nobody
/// can take the remote.
pub(crate) async fn held(
    c: &mut AnyConnection,
    remote: RemoteId,
    owner: &str,
    term: i64,
) -> Result<(), StoreError> {
    let done =
        sqlx::query("UPDATE remotes SET written = written + 1 WHERE id = $1 AND owner = $2 AND term = $3")
            .bind(bits(remote.0))
            .bind(owner)
            .bind(term)
            .execute(c)
            .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::NotHeld) }
}

/// That no other process has given the name, or managed the cluster, meanwhile. Whoever adds or renames a remote writes
/// an event with it, and the number of that makes such transactions wait for each other.
pub(crate) async fn is_alone(c: &mut AnyConnection, remote: &RemoteRecord) -> Result<(), StoreError> {
    let rows =
        sqlx::query("SELECT id, name, identity FROM remotes WHERE name = $1 OR id = $2 OR identity = $3")
            .bind(&*text(&remote.name))
            .bind(bits(remote.id.0))
            .bind(remote.identity.as_deref().map(text).as_deref())
            .fetch_all(c)
            .await?;
    let mut known = false;
    let mut same = None;
    for row in &rows {
        let (id, name): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        if id == bits(remote.id.0) {
            known = true;
        } else if name == remote.name {
            return Err(StoreError::Conflict(format!("a remote is already called {name}")));
        } else {
            same = Some(name);
        }
    }
    match same {
        // That one which is known turned out to be another's double is no reason to keep anything else from it.
        Some(name) if !known => Err(StoreError::Conflict(format!("already managed as {name}"))),
        _ => Ok(()),
    }
}

/// Whether some process uses the database.
pub(crate) async fn is_in_use(c: &mut AnyConnection) -> Result<bool, StoreError> {
    let row =
        sqlx::query(concat!("SELECT COUNT(*) FROM processes WHERE expires > ", now!())).fetch_one(c).await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}
