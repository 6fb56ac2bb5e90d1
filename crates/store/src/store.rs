//! The store: opened, written to, closed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sqlx::{AnyConnection, AnyPool, Connection, Row};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::apply::{put_secret, sealed_row};
use crate::error::{OpenError, StoreError, WriteError};
use crate::figures::{Counters, Figures};
use crate::lock::DirLock;
use crate::place::{Engine, Place, Route, Timings};
use crate::record::{Batch, SecretId, Written};
use crate::schema::{self, Found};
use crate::seal::{self, Keys};
use crate::writer::{Job, SharedKeys, Writer};

/// Handle to the durable state. Cheap to clone; all clones share the writer and the readers. When the last
/// one is dropped the writer finishes what is queued and closes; [`Store::close`] waits for that.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) queue: mpsc::Sender<Job>,
    pub(crate) pool: AnyPool,
    pub(crate) keys: SharedKeys,
    pub(crate) instance: String,
    pub(crate) place: Place,
    pub(crate) engine: Engine,
    pub(crate) counters: Arc<Counters>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("place", &self.inner.place).finish_non_exhaustive()
    }
}

/// What is at a place, before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Its schema.
    pub schema: i64,
    /// Its instance id.
    pub instance: String,
    /// Names of the keys that its sealed rows need ([`crate::KeyId`]).
    pub keys: Vec<String>,
}

impl Store {
    /// Opens the store, makes it when there is nothing yet, brings an older schema up to date. For SQLite the
    /// directory of the file is locked while the store is open.
    ///
    /// # Errors
    /// Each an [`OpenError`] of its own; nothing was changed.
    pub async fn open(place: Place, keys: Keys, timings: Timings) -> Result<Self, OpenError> {
        let lock = match &place {
            Place::Sqlite(path) => Some(lock_for(path, &timings).await?),
            Place::Postgres(_) => None,
        };
        Self::open_with(place, keys, timings, lock).await
    }

    /// The same under a lock already held. The store keeps it until it is closed.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_locked(
        place: Place,
        keys: Keys,
        timings: Timings,
        lock: DirLock,
    ) -> Result<Self, OpenError> {
        Self::open_with(place, keys, timings, Some(lock)).await
    }

    /// Looks at a place without opening it for use: what is there, and which keys it needs. `None`: nothing
    /// yet. Must not be called by a process that has the same file open.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn look(place: &Place) -> Result<Option<Looked>, OpenError> {
        if let Place::Sqlite(path) = place
            && !check_header(path)?
        {
            return Ok(None);
        }
        let route = match place {
            Place::Sqlite(path) => Route::looking(path)?,
            Place::Postgres(_) => Route::to(place)?,
        };
        let mut connection = route.connect_plain().await?;
        let looked = async {
            let Found::Ours(schema) = schema::look(&mut connection, route.engine).await? else {
                return Ok(None);
            };
            refuse_newer(schema)?;
            let instance = instance_of(&mut connection).await?;
            Ok(Some(Looked { schema, instance, keys: keys_needed(&mut connection).await? }))
        }
        .await;
        let _ = connection.close().await;
        looked
    }

    async fn open_with(
        place: Place,
        keys: Keys,
        timings: Timings,
        mut lock: Option<DirLock>,
    ) -> Result<Self, OpenError> {
        let missing = match &place {
            Place::Sqlite(path) if !path.try_exists()? => Some(path.clone()),
            _ => None,
        };
        let opened = Self::open_at(place, keys, timings, &mut lock).await;
        // Still under the lock: what a refusal has begun is nobody else's.
        if let (Err(_), Some(path)) = (&opened, missing) {
            for ending in ["", "-journal", "-wal", "-shm"] {
                let _ = std::fs::remove_file(beside(&path, ending));
            }
        }
        opened
    }

    async fn open_at(
        place: Place,
        keys: Keys,
        timings: Timings,
        lock: &mut Option<DirLock>,
    ) -> Result<Self, OpenError> {
        let route = Route::with(&place, &timings)?;
        let mut late_check = false;
        let look = match &place {
            Place::Sqlite(path) if check_header(path)? => {
                late_check = std::fs::metadata(path)?.len() > timings.check_at_open;
                Some(Route::looking(path)?)
            }
            Place::Sqlite(path) if keys.current().is_some() => {
                make_private(path)?;
                None
            }
            Place::Sqlite(_) => return Err(OpenError::KeyMissing),
            Place::Postgres(_) => Some(route.clone()),
        };
        let found = match look {
            None => Found::Empty,
            Some(look) => {
                let mut connection = look.connect_plain().await?;
                let found = fit(&mut connection, route.engine, &keys, !late_check).await;
                let _ = connection.close().await;
                found?
            }
        };

        let mut connection = route.connect().await?;
        let from = if let Found::Ours(schema) = found { schema } else { 0 };
        schema::migrate(&mut connection, route.engine, from, schema::MIGRATIONS).await?;
        // Also after a birth that was cut short.
        if instance_of(&mut connection).await?.is_empty() {
            begin_life(&mut connection, route.engine, &keys).await?;
        }
        // What was found empty may have been begun by another since, under another key.
        if found == Found::Empty {
            check_keys(&mut connection, &keys).await?;
        }
        let instance = instance_of(&mut connection).await?;

        let pool = route.pool(&timings);
        let counters = Arc::new(Counters::default());
        if late_check {
            tokio::spawn(check_meanwhile(pool.clone(), counters.clone(), timings.check_after));
        }
        let keys: SharedKeys = Arc::new(RwLock::new(Arc::new(keys)));
        let engine = route.engine;
        let (queue, jobs) = mpsc::channel(timings.queue.max(1));
        let writer = Writer {
            route,
            connection: Some(connection),
            keys: keys.clone(),
            counters: counters.clone(),
            pool: pool.clone(),
            wal: match &place {
                Place::Sqlite(path) => Some(beside(path, "-wal")),
                Place::Postgres(_) => None,
            },
            sync: timings.sync,
            group: timings.group.max(1),
            patience: timings.patience,
            doubt: timings.doubt,
            lock: lock.take(),
            mode: crate::writer::Mode::default(),
            unsynced: Some(Instant::now()),
        };
        tokio::spawn(writer.run(jobs));
        Ok(Self { inner: Arc::new(Inner { queue, pool, keys, instance, place, engine, counters }) })
    }

    /// The installation's id: 8 hexadecimal digits, made when the database was.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.inner.instance
    }

    /// Version of its schema: an open store always has the newest one that this program knows.
    #[must_use]
    pub fn schema(&self) -> i64 {
        schema::MIGRATIONS.last().map_or(0, |step| step.number)
    }

    /// Where this store lives.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// Commits a batch, whole or not at all, in the order of the calls. Waits while the queue is full. Once
    /// begun, the batch is written even if the caller stops waiting.
    ///
    /// # Errors
    /// When nothing of it was written; [`StoreError::may_pass`] tells whether to try the same again later.
    pub async fn write(&self, batch: Batch) -> Result<Written, WriteError> {
        if batch.is_empty() {
            return Ok(Written::default());
        }
        self.ask(|author| Job::Batch(batch, author)).await?
    }

    /// A number for a new remote. Never given twice, also when the remote is not added after all.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn next_remote_id(&self) -> Result<model::RemoteId, WriteError> {
        let id: i64 = self.ask(Job::RemoteId).await??;
        Ok(model::RemoteId(id.cast_unsigned()))
    }

    /// Puts a job in the queue and waits for its answer.
    pub(crate) async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, StoreError> {
        let (author, answer) = oneshot::channel();
        self.inner.queue.send(job(author)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)
    }

    /// Writes what is queued, brings it to the disk, closes every connection and lets go of the lock. Later
    /// calls on any clone fail with [`StoreError::Closed`].
    pub async fn close(&self) {
        // An error means that it is closed already.
        let _ = self.ask(Job::Close).await;
    }

    /// Reads every page and looks whether it makes sense; PostgreSQL looks after its own.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what was found.
    pub async fn check(&self) -> Result<(), StoreError> {
        match self.inner.engine {
            Engine::Sqlite => quick_check(&mut *self.reader().await?).await,
            Engine::Postgres => Ok(()),
        }
    }

    /// Counts since opening.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let queue = &self.inner.queue;
        self.inner.counters.figures(queue.max_capacity() - queue.capacity(), queue.max_capacity())
    }
}

/// A few characters of a text that came from outside.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

/// `muster.db` and `-wal` make `muster.db-wal`.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Takes the directory of a database file, waiting a little for a predecessor that is about to go.
pub(crate) async fn lock_for(path: &Path, timings: &Timings) -> Result<DirLock, OpenError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let until = Instant::now() + timings.lock_wait;
    loop {
        match DirLock::take(dir) {
            Err(OpenError::Locked { .. }) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other,
        }
    }
}

/// Whether there is a SQLite database in the file; an empty or missing file is none yet. Read before any
/// connection is made: closing a file drops the locks that SQLite has on it in this process.
pub(crate) fn check_header(path: &Path) -> Result<bool, OpenError> {
    use std::io::Read;
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let mut header = Vec::new();
    file.by_ref().take(16).read_to_end(&mut header)?;
    match header.as_slice() {
        b"" => Ok(false),
        b"SQLite format 3\0" => Ok(true),
        _ => Err(StoreError::Damaged(format!("{} is not a SQLite file", path.display())).into()),
    }
}

/// Makes the file, readable by its owner alone, before SQLite would make it readable by all.
pub(crate) fn make_private(path: &Path) -> Result<(), OpenError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?;
    Ok(())
}

pub(crate) fn refuse_newer(found: i64) -> Result<(), OpenError> {
    if found > schema::KNOWN {
        return Err(OpenError::Newer { found, known: schema::KNOWN });
    }
    Ok(())
}

/// Reads every page and looks whether it makes sense.
pub(crate) async fn quick_check(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let rows = sqlx::query("PRAGMA quick_check(1)").fetch_all(connection).await?;
    let words: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    match words.first().map(String::as_str) {
        Some("ok") => Ok(()),
        Some(other) => Err(StoreError::Damaged(other.replace('\n', " "))),
        None => Err(StoreError::Damaged("its check says nothing".into())),
    }
}

async fn check_meanwhile(pool: AnyPool, counters: Arc<Counters>, mut after: Duration) {
    loop {
        tokio::time::sleep(after).await;
        let checked = match pool.acquire().await {
            Ok(mut connection) => quick_check(&mut connection).await,
            Err(error) => Err(error.into()),
        };
        match checked {
            Ok(()) | Err(StoreError::Closed) => return,
            Err(StoreError::Damaged(text)) => {
                Counters::add(&counters.damaged, 1);
                tracing::error!(damage = text, "the database is damaged; restore the last backup");
                return;
            }
            // Every reader is busy, say: then later.
            Err(_) => after = after.max(CHECK_AGAIN),
        }
    }
}

/// After a check that could not be made, until the next try, at least.
const CHECK_AGAIN: Duration = Duration::from_millis(100);

/// Whether what is at a place may be opened: ours, of a schema that we know, whole, and sealed with keys we have.
async fn fit(
    connection: &mut AnyConnection,
    engine: Engine,
    keys: &Keys,
    check: bool,
) -> Result<Found, OpenError> {
    let found = schema::look(connection, engine).await?;
    if let Found::Ours(schema) = found {
        refuse_newer(schema)?;
        if engine == Engine::Sqlite && check {
            quick_check(connection).await?;
        }
        check_keys(connection, keys).await?;
    } else if keys.current().is_none() {
        return Err(OpenError::KeyMissing);
    }
    Ok(found)
}

/// The record that tells whether a key is the right one, before anything depends on it.
fn check_record() -> SecretId {
    SecretId::new("check", "key")
}

/// What the check record says when opened.
const CHECK: &[u8] = b"muster";

async fn begin_life(connection: &mut AnyConnection, engine: Engine, keys: &Keys) -> Result<(), StoreError> {
    let mut bytes = [0; 4];
    seal::random(&mut bytes)?;
    schema::begin(connection, engine).await?;
    sqlx::query("INSERT INTO meta (name, value) VALUES ('instance', $1) ON CONFLICT (name) DO NOTHING")
        .bind(format!("{:08x}", u32::from_be_bytes(bytes)))
        .execute(&mut *connection)
        .await?;
    if sealed_row(connection, &check_record()).await?.is_none() {
        put_secret(connection, keys, &check_record(), CHECK).await?;
    }
    sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
    Ok(())
}

/// The installation's id; empty when it was never given one.
pub(crate) async fn instance_of(connection: &mut AnyConnection) -> Result<String, StoreError> {
    let row =
        sqlx::query("SELECT value FROM meta WHERE name = 'instance'").fetch_optional(connection).await?;
    match row {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(String::new()),
    }
}

/// Names of all keys that sealed rows need.
pub(crate) async fn keys_needed(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    let rows =
        sqlx::query("SELECT DISTINCT key_id FROM secrets ORDER BY key_id").fetch_all(connection).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

async fn check_keys(connection: &mut AnyConnection, keys: &Keys) -> Result<(), OpenError> {
    let needed = keys_needed(connection).await?;
    if keys.current().is_none() {
        return Err(OpenError::KeyMissing);
    }
    if let Some(missing) = needed.iter().find(|id| !keys.has(id)) {
        return Err(OpenError::WrongKey { needed: missing.clone() });
    }
    // The names fit; the record proves it, and that sealed rows are whole.
    if let Some((key, body)) = sealed_row(connection, &check_record()).await?
        && *keys.open(&check_record(), &key, &body)? != CHECK
    {
        return Err(OpenError::WrongKey { needed: key });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_check_waits_until_a_reader_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let route = Route::to(&Place::Sqlite(path.clone())).unwrap();
        let mut connection = route.connect_plain().await.unwrap();
        let fill = "CREATE TABLE t (x TEXT); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) \
                    INSERT INTO t SELECT hex(randomblob(500)) FROM n";
        sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 8192 * 4096;
        bytes.get_mut(middle..middle + 4096).unwrap().fill(0xa5);
        std::fs::write(&path, bytes).unwrap();

        let timings = Timings { readers: 1, wait: Duration::from_millis(20), ..Timings::default() };
        let pool = route.pool(&timings);
        let counters = Arc::new(Counters::default());
        let busy = pool.acquire().await.unwrap();
        let check = tokio::spawn(check_meanwhile(pool.clone(), counters.clone(), Duration::ZERO));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!check.is_finished(), "it gave up");
        drop(busy);
        tokio::time::timeout(Duration::from_secs(10), check).await.unwrap().unwrap();
        assert!(counters.figures(0, 1).damaged);
        // Nor does it go on when there is nothing left to check.
        pool.close().await;
        let check = check_meanwhile(pool, counters, Duration::ZERO);
        tokio::time::timeout(Duration::from_secs(10), check).await.unwrap();
    }
}
