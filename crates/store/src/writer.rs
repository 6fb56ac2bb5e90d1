//! The one writer: takes what waits, commits it together, tells each author. Everything that changes the
//! database goes through here.

use std::collections::HashSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::{AnyConnection, AnyPool, Connection, Row};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::apply::{Hand, apply, take_numbers};
use crate::audit::Tail;
use crate::error::StoreError;
use crate::figures::Counters;
use crate::lock::DirLock;
use crate::place::{Engine, Route};
use crate::record::{Batch, Write, Written};
use crate::retention::{self, Sweep};
use crate::rotate::{self, Reseal, Resealed};
use crate::seal::Keys;

/// The keys in use; replaced as a whole when they are rotated.
pub(crate) type SharedKeys = Arc<RwLock<Arc<Keys>>>;

/// The keys of this moment.
pub(crate) fn keys_now(keys: &SharedKeys) -> Arc<Keys> {
    keys.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What waits in the queue.
pub(crate) enum Job {
    /// A batch, and who waits for it.
    Batch(Batch, oneshot::Sender<Result<Written, StoreError>>),
    /// Gives a number to a new remote.
    RemoteId(oneshot::Sender<Result<i64, StoreError>>),
    /// A step of a change of keys.
    Reseal(Reseal, oneshot::Sender<Result<Resealed, StoreError>>),
    /// Deletes some of what is old; how many rows that were.
    Sweep {
        /// What.
        sweep: Sweep,
        /// Older than this.
        before: i64,
        /// At most so many.
        limit: i64,
        /// Who waits.
        author: oneshot::Sender<Result<u64, StoreError>>,
    },
    /// The end: what came before is written, then everything is closed.
    Close(oneshot::Sender<()>),
}

/// A batch on its way.
struct Waiting {
    batch: Batch,
    author: oneshot::Sender<Result<Written, StoreError>>,
}

/// The writer with all it owns.
pub(crate) struct Writer {
    pub(crate) route: Route,
    /// Missing after a failure that left it in doubt: made anew when next needed.
    pub(crate) connection: Option<AnyConnection>,
    pub(crate) keys: SharedKeys,
    pub(crate) counters: Arc<Counters>,
    pub(crate) pool: AnyPool,
    /// The file whose changes are to be brought to the disk; `None` on PostgreSQL, which does so itself.
    pub(crate) wal: Option<PathBuf>,
    pub(crate) sync: Duration,
    pub(crate) group: usize,
    /// How long a database server may take for each step of a transaction.
    pub(crate) patience: Duration,
    /// How long it is asked what became of a commit that it did not answer.
    pub(crate) doubt: Duration,
    /// Held until the last connection is closed.
    pub(crate) lock: Option<DirLock>,
    /// How the connection is set at present.
    pub(crate) mode: Mode,
    /// Since when something committed may not be on the disk yet.
    pub(crate) unsynced: Option<Instant>,
}

/// Settings of SQLite's connection that change with what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mode {
    full: bool,
    delicate: bool,
    known: bool,
}

impl Writer {
    /// Runs until closed, or until nobody is left who could write.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut closing = None;
        while closing.is_none() {
            let job = match self.unsynced {
                Some(since) => tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(since + self.sync) => {
                        self.bring_to_disk().await;
                        continue;
                    }
                    job = queue.recv() => job,
                },
                None => queue.recv().await,
            };
            let Some(job) = job else { break };
            let mut next = Some(job);
            while let Some(job) = next.take() {
                match job {
                    Job::Batch(batch, author) => {
                        let (group, after) = self.gather(Waiting { batch, author }, &mut queue);
                        self.write_group(group).await;
                        next = after;
                    }
                    Job::RemoteId(author) => {
                        let id = self.remote_id().await;
                        let _ = author.send(id);
                    }
                    Job::Reseal(step, author) => {
                        let done = self.reseal(step).await;
                        let _ = author.send(done);
                    }
                    Job::Sweep { sweep, before, limit, author } => {
                        let gone = self
                            .transaction(false, sweep == Sweep::Idempotency, async |connection| {
                                retention::sweep(connection, sweep, before, limit).await
                            })
                            .await;
                        let _ = author.send(gone);
                    }
                    Job::Close(author) => {
                        // Nothing more is taken in; what is already in the queue is still written.
                        queue.close();
                        closing = Some(author);
                        next = queue.recv().await;
                    }
                }
            }
        }
        self.end().await;
        if let Some(author) = closing {
            let _ = author.send(());
        }
    }

    /// The batch and those that wait behind it, as far as one transaction should take them; and the job that
    /// came next, if it is of another sort.
    fn gather(&self, first: Waiting, queue: &mut mpsc::Receiver<Job>) -> (Vec<Waiting>, Option<Job>) {
        let mut rows = first.batch.len();
        let mut group = vec![first];
        while rows < self.group {
            match queue.try_recv() {
                Ok(Job::Batch(batch, author)) => {
                    rows += batch.len();
                    group.push(Waiting { batch, author });
                }
                Ok(other) => return (group, Some(other)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    /// Commits a group together. If it fails for what is in it, each batch is tried alone, so that one author's mistake
    /// is not another's; what the place is to blame for meets them all, and what is in doubt is not written again.
    async fn write_group(&mut self, group: Vec<Waiting>) {
        let batches: Vec<&Batch> = group.iter().map(|waiting| &waiting.batch).collect();
        let written = self.commit(&batches).await;
        match written {
            Ok(written) => {
                for (waiting, written) in group.into_iter().zip(written) {
                    let _ = waiting.author.send(Ok(written));
                }
            }
            Err(error) if group.len() == 1 || error.may_pass() || matches!(error, StoreError::InDoubt(_)) => {
                for waiting in group {
                    let _ = waiting.author.send(Err(error.clone()));
                }
            }
            Err(_) => {
                for Waiting { batch, author } in group {
                    let written = self.commit(&[&batch]).await;
                    let _ = author.send(written.map(|mut written| written.pop().unwrap_or_default()));
                }
            }
        }
    }

    /// One transaction. On an error nothing of it is in the database, unless that is [`StoreError::InDoubt`].
    async fn commit(&mut self, batches: &[&Batch]) -> Result<Vec<Written>, StoreError> {
        let skipped = superseded(batches);
        let must_survive = batches.iter().copied().flatten().any(Write::must_survive);
        let delicate = batches.iter().copied().flatten().any(Write::is_delicate);
        let shared = self.route.engine == Engine::Postgres;
        let keys = keys_now(&self.keys);
        let (written, bytes) = self
            .transaction(must_survive, delicate, async |connection| {
                let count = |wanted: fn(&Write) -> bool| {
                    batches.iter().copied().flatten().filter(|write| wanted(write)).count()
                };
                let events = count(|write| matches!(write, Write::Event(_)));
                let audits = count(|write| matches!(write, Write::Audit(_)));
                // Always in this order, so that two processes cannot wait for each other.
                let next_event = match events {
                    0 => 0,
                    events => take_numbers(connection, "event", events).await?,
                };
                let audit = match audits {
                    0 => Tail::UNUSED,
                    audits => Tail::take(connection, audits).await?,
                };
                // One for each batch: what one was decided by may be what the one before it changes.
                let about_people = |batch: &Batch| shared && batch.iter().any(Write::is_about_people);
                let people = match batches.iter().filter(|batch| about_people(batch)).count() {
                    0 => None,
                    people => Some(take_numbers(connection, "people", people).await? - 1),
                };
                let mut hand = Hand { keys: &keys, next_event, audit, shared, people, bytes: 0 };
                let mut all = Vec::with_capacity(batches.len());
                for (at, batch) in batches.iter().enumerate() {
                    let mut written = Written::default();
                    for (row, write) in batch.iter().enumerate() {
                        if skipped.contains(&(at, row)) {
                            continue;
                        }
                        written.events.extend(apply(connection, &mut hand, write).await?);
                    }
                    if about_people(batch) {
                        hand.people = hand.people.map(|people| people + 1);
                        written.people = hand.people;
                    }
                    all.push(written);
                }
                Ok((all, hand.bytes))
            })
            .await?;
        Counters::add(&self.counters.batches, batches.len());
        Counters::add(
            &self.counters.writes,
            batches.iter().map(|batch| batch.len()).sum::<usize>() - skipped.len(),
        );
        Counters::add(&self.counters.coalesced, skipped.len());
        Counters::add(&self.counters.bytes, bytes);
        Ok(written)
    }

    /// Begins, does, commits; or rolls back.
    async fn transaction<T>(
        &mut self,
        must_survive: bool,
        delicate: bool,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.take_connection().await?;
        let (engine, patience) = (self.route.engine, self.patience);
        let worked = within(engine, patience, async {
            self.begin(&mut connection, must_survive, delicate).await?;
            work(&mut connection).await
        });
        let done = match worked.await {
            Ok(done) => self.end_transaction(&mut connection).await.map(|()| done),
            Err(error) => Err(error),
        };
        match done {
            Ok(done) => {
                self.connection = Some(connection);
                Counters::add(&self.counters.commits, 1);
                // A synchronous commit brings with it what was committed before, but only if it changed a row
                // at all: what waits to be synced is left waiting.
                if self.wal.is_some() && !must_survive {
                    self.unsynced.get_or_insert_with(Instant::now);
                }
                Ok(done)
            }
            Err(error) => {
                Counters::add(&self.counters.failed, 1);
                self.roll_back(connection, &error).await;
                Err(error)
            }
        }
    }

    async fn begin(
        &mut self,
        connection: &mut AnyConnection,
        full: bool,
        delicate: bool,
    ) -> Result<(), StoreError> {
        match self.route.engine {
            Engine::Sqlite => {
                let mode = Mode { full, delicate, known: true };
                if mode != self.mode {
                    self.mode.known = false;
                    sqlx::raw_sql(match (full, delicate) {
                        (true, true) => "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON",
                        (true, false) => "PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF",
                        (false, true) => "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON",
                        (false, false) => "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = OFF",
                    })
                    .execute(&mut *connection)
                    .await?;
                    self.mode = mode;
                }
                sqlx::raw_sql("BEGIN IMMEDIATE").execute(connection).await?;
            }
            Engine::Postgres => {
                let sql = if full { "BEGIN" } else { "BEGIN; SET LOCAL synchronous_commit = off" };
                sqlx::raw_sql(sql).execute(connection).await?;
            }
        }
        Ok(())
    }

    /// Commits. A PostgreSQL that goes away at this very moment is asked afterwards what became of it.
    async fn end_transaction(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        if self.route.engine == Engine::Sqlite {
            sqlx::raw_sql("COMMIT").execute(connection).await?;
            return Ok(());
        }
        let number: String = within(self.route.engine, self.patience, async {
            let row = sqlx::query("SELECT CAST(pg_current_xact_id() AS TEXT)").fetch_one(&mut *connection);
            Ok(row.await?.try_get(0)?)
        })
        .await?;
        let committed = within(self.route.engine, self.patience, async {
            sqlx::raw_sql("COMMIT").execute(connection).await?;
            Ok(())
        });
        match committed.await {
            Err(error @ StoreError::Unreachable(_)) => self.what_became_of(&number, error).await,
            done => done,
        }
    }

    /// Asks until the server tells, for as long as it is worth waiting for.
    async fn what_became_of(&mut self, number: &str, error: StoreError) -> Result<(), StoreError> {
        let until = Instant::now() + self.doubt;
        loop {
            let asked = within(self.route.engine, self.doubt, async {
                let mut again = self.route.connect().await?;
                let row = sqlx::query("SELECT pg_xact_status(CAST($1 AS xid8))").bind(number);
                let status: Option<String> = row.fetch_one(&mut again).await?.try_get(0)?;
                let _ = again.close().await;
                Ok(status)
            })
            .await;
            match asked.as_ref().map(Option::as_deref) {
                Ok(Some("committed")) => return Ok(()),
                // A number that it has not given (yet, after a crash) is of nothing that was kept.
                Ok(Some("aborted")) | Err(StoreError::Other(_)) => return Err(error),
                // Still going on, or nobody there to ask.
                Ok(Some(_)) | Err(_) if Instant::now() < until => {
                    tokio::time::sleep(ASK_AGAIN.min(self.doubt)).await;
                }
                _ => break,
            }
        }
        tracing::error!(%error, "what became of a commit is not known");
        Err(StoreError::InDoubt(match error {
            StoreError::Unreachable(why) => why,
            other => other.to_string(),
        }))
    }

    /// After a failure. SQLite may have rolled back on its own account (a full disk); whatever cannot be
    /// brought back to a known state is closed and opened again.
    async fn roll_back(&mut self, mut connection: AnyConnection, why: &StoreError) {
        self.mode.known = self.mode.known && self.route.engine == Engine::Sqlite;
        if self.route.engine == Engine::Postgres
            && matches!(why, StoreError::Unreachable(_) | StoreError::InDoubt(_))
        {
            // There is nobody to say it to; the server rolls back what it has heard no end of.
            return;
        }
        let rolled = within(self.route.engine, self.patience, async {
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
            Ok(())
        });
        let sound = match rolled.await {
            Ok(()) => true,
            Err(error) => error.to_string().contains("no transaction is active"),
        };
        if sound {
            self.connection = Some(connection);
        } else {
            let _ = within(self.route.engine, self.patience, async { Ok(connection.close().await?) }).await;
            self.mode.known = false;
        }
    }

    async fn take_connection(&mut self) -> Result<AnyConnection, StoreError> {
        if let Some(mut connection) = self.connection.take() {
            // A server may have gone and come back since; a file does not.
            let alive = match self.route.engine {
                Engine::Sqlite => true,
                Engine::Postgres => {
                    let answered = async { Ok(connection.ping().await?) };
                    within(self.route.engine, self.patience, answered).await.is_ok()
                }
            };
            if alive {
                return Ok(connection);
            }
        }
        self.mode.known = false;
        within(self.route.engine, self.patience, self.route.connect()).await
    }

    async fn remote_id(&mut self) -> Result<i64, StoreError> {
        self.transaction(true, false, async |connection| take_numbers(connection, "remote", 1).await).await
    }

    async fn reseal(&mut self, step: Reseal) -> Result<Resealed, StoreError> {
        let keys = keys_now(&self.keys);
        let done = self
            .transaction(true, true, async |connection| rotate::reseal(connection, &keys, &step.after).await)
            .await?;
        if done.last.is_none()
            && let Some(connection) = &mut self.connection
        {
            rotate::forget(connection, self.route.engine).await;
        }
        Ok(done)
    }

    /// Brings what was committed to the disk. The write-ahead log may be opened and closed beside SQLite,
    /// since it keeps its locks on other files.
    async fn bring_to_disk(&mut self) {
        self.unsynced = None;
        let Some(wal) = self.wal.clone() else { return };
        let synced = tokio::task::spawn_blocking(move || std::fs::File::open(wal)?.sync_data()).await;
        let error = match synced {
            Ok(Ok(())) => {
                Counters::add(&self.counters.syncs, 1);
                return;
            }
            // Nothing was written yet, or all of it is folded into the file, which was synced then.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        // Tried again; but what a disk has refused once it may have lost, whatever it says the next time.
        self.unsynced = Some(Instant::now());
        if self.counters.unsynced.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!(error, "what was written could not be brought to the disk");
        }
    }

    /// Closes readers first: the last connection to go folds the log into the file.
    async fn end(mut self) {
        if self.unsynced.is_some() {
            self.bring_to_disk().await;
        }
        let (engine, patience) = (self.route.engine, self.patience);
        let _ = within(engine, patience, async {
            self.pool.close().await;
            Ok(())
        })
        .await;
        if let Some(connection) = self.connection.take() {
            let _ = within(engine, patience, async { Ok(connection.close().await?) }).await;
        }
        drop(self.lock.take());
    }
}

/// After the server did not tell what became of a commit, until it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// What a database server does not answer in time it does not answer: the connection may have been dropped without a
/// word, which TCP alone notices after a quarter of an hour. A file needs no such bound.
async fn within<T>(
    engine: Engine,
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match engine {
        Engine::Sqlite => work.await,
        Engine::Postgres => tokio::time::timeout(patience, work)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unreachable("it does not answer in time".into()))),
    }
}

/// Gauges that a later one in the same transaction replaces, by batch and row: they need not be written.
fn superseded(batches: &[&Batch]) -> HashSet<(usize, usize)> {
    let mut seen = HashSet::new();
    let mut skipped = HashSet::new();
    for (at, batch) in batches.iter().enumerate().rev() {
        for (row, write) in batch.iter().enumerate().rev() {
            match write {
                Write::Gauges(gauges) if !seen.insert(gauges.remote) => {
                    skipped.insert((at, row));
                }
                // What came before a removal is not what comes after it.
                Write::RemoteGone { id } => {
                    seen.remove(id);
                }
                _ => {}
            }
        }
    }
    skipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{Place, Timings};

    #[tokio::test]
    async fn what_the_disk_did_not_take_is_told_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let route = Route::to(&Place::Sqlite(dir.path().join("x.db"))).unwrap();
        let timings = Timings { sync: Duration::from_millis(10), ..Timings::default() };
        let wal = dir.path().join("there").join("x.db-wal");
        // Not a directory: this fails, and not because there is nothing to sync.
        std::fs::write(dir.path().join("there"), b"").unwrap();
        let counters = Arc::new(Counters::default());
        let writer = Writer {
            pool: route.pool(&timings),
            route,
            connection: None,
            keys: Arc::new(RwLock::new(Arc::new(Keys::none()))),
            counters: counters.clone(),
            wal: Some(wal.clone()),
            sync: timings.sync,
            group: 1,
            patience: timings.patience,
            doubt: timings.doubt,
            lock: None,
            mode: Mode::default(),
            unsynced: Some(Instant::now()),
        };
        let (queue, jobs) = mpsc::channel(1);
        let running = tokio::spawn(writer.run(jobs));
        let seen = async |wanted: fn(&crate::Figures) -> bool| {
            let until = Instant::now() + Duration::from_secs(10);
            while !wanted(&counters.figures(0, 1)) {
                assert!(Instant::now() < until, "{:?}", counters.figures(0, 1));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        seen(|figures| figures.unsynced > 1).await;
        std::fs::remove_file(dir.path().join("there")).unwrap();
        std::fs::create_dir(dir.path().join("there")).unwrap();
        std::fs::write(wal, b"").unwrap();
        seen(|figures| figures.syncs == 1).await;
        assert!(counters.figures(0, 1).unsynced > 1, "what it has once refused stays said");
        drop(queue);
        running.await.unwrap();
    }
}
