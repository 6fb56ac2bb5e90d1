//! The whole store in one file, and back. From either engine, into either engine; sealed rows stay sealed.

use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row, SqlSafeStr, SqlStr};

use crate::error::{OpenError, StoreError};
use crate::lease;
use crate::lock::DirLock;
use crate::place::{Engine, Place, Route, Timings};
use crate::schema::{self, Column, Found, KNOWN, MIGRATIONS, TABLES};
use crate::seal;
use crate::store::{Store, beside, check_header, instance_of, keys_needed, lock_for, refuse_newer};

/// What was put into a backup, or taken out of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The installation's id.
    pub instance: String,
    /// Names of the keys that the sealed rows inside need. Without them the credentials cannot be read.
    pub keys: Vec<String>,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// What was in the place before, kept under this name.
    pub replaced: Option<PathBuf>,
}

impl Store {
    /// Writes everything, as of one moment, into one new file that only its owner can read; other work goes
    /// on meanwhile. The file is checked before it gets its name. The sealing key is not in it.
    ///
    /// # Errors
    /// [`OpenError::NotEmpty`] when there is such a file; otherwise what stopped it, with nothing left behind.
    pub async fn backup(&self, path: &Path) -> Result<BackedUp, OpenError> {
        let scratch = unfinished(path)?;
        match &self.inner.place {
            Place::Sqlite(file) => copy_file(&Route::read_only(file)?, &scratch.path).await?,
            Place::Postgres(_) => {
                let mut from = Route::to(&self.inner.place)?.connect_plain().await?;
                let mut into = Route::to(&Place::Sqlite(scratch.path.clone()))?.connect_plain().await?;
                schema::migrate(&mut into, Engine::Sqlite, 0, MIGRATIONS).await?;
                sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut from).await?;
                let copied = copy_rows(&mut from, &mut into, Engine::Sqlite).await;
                let _ = from.close().await;
                into.close().await?;
                copied?;
            }
        }
        let found = inspect(&scratch.path).await?;
        if found.instance != self.inner.instance {
            return Err(StoreError::Damaged("the copy is not what it was made from".into()).into());
        }
        scratch.become_(path)?;
        Ok(found.into_backed_up(path, None))
    }

    /// The same of an embedded database that nobody has open: `lock` is on its directory. The database is only read:
    /// it keeps its schema, and so does the backup; no key is needed.
    ///
    /// # Errors
    /// As [`Store::backup`]; [`OpenError::Newer`] when a later version has written it.
    pub async fn backup_closed(file: &Path, _lock: &DirLock, path: &Path) -> Result<BackedUp, OpenError> {
        let scratch = unfinished(path)?;
        if !check_header(file)? {
            return Err(StoreError::Damaged(format!("{} is empty", file.display())).into());
        }
        copy_file(&Route::looking(file)?, &scratch.path).await?;
        let found = inspect(&scratch.path).await?;
        scratch.become_(path)?;
        Ok(found.into_backed_up(path, None))
    }

    /// Puts a backup into a place, which must not be open. The file is read through and checked before
    /// anything is changed; an older schema is brought up to date. What is in the place is only replaced when
    /// `replace` says so, and a file so replaced is kept beside the new one.
    ///
    /// # Errors
    /// [`OpenError::NotEmpty`], [`OpenError::Newer`], [`OpenError::Foreign`], damage: the place was not
    /// changed.
    pub async fn restore(
        from: &Path,
        into: &Place,
        replace: bool,
        timings: &Timings,
    ) -> Result<BackedUp, OpenError> {
        let found = inspect(from).await?;
        let replaced = match into {
            Place::Sqlite(path) => restore_file(from, path, replace, timings).await?,
            Place::Postgres(_) => {
                restore_rows(from, into, found.schema, replace).await?;
                None
            }
        };
        Ok(found.into_backed_up(from, replaced))
    }
}

/// The beginning of a backup, beside its name, which nothing may have yet.
fn unfinished(path: &Path) -> Result<Scratch, OpenError> {
    if path.try_exists()? {
        return Err(OpenError::NotEmpty(path.display().to_string()));
    }
    Scratch::new(beside(path, ".partial"))
}

/// What a file turned out to be.
struct Inspected {
    schema: i64,
    instance: String,
    keys: Vec<String>,
}

impl Inspected {
    fn into_backed_up(self, file: &Path, replaced: Option<PathBuf>) -> BackedUp {
        let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
        BackedUp { instance: self.instance, keys: self.keys, bytes, replaced }
    }
}

/// Reads a file through: one of ours, of a schema we know, every page and every index sound.
async fn inspect(path: &Path) -> Result<Inspected, OpenError> {
    if !path.try_exists()? {
        return Err(StoreError::Other(format!("there is no file {}", path.display())).into());
    }
    if !check_header(path)? {
        return Err(StoreError::Damaged(format!("{} is empty", path.display())).into());
    }
    let mut connection = Route::read_only(path)?.connect_plain().await?;
    let inspected = async {
        let found = schema::look(&mut connection, Engine::Sqlite).await?;
        let Found::Ours(schema) = found else {
            return Err(OpenError::Foreign(format!("{} holds no tables", path.display())));
        };
        refuse_newer(schema)?;
        let words: Vec<String> = sqlx::query("PRAGMA integrity_check(1)")
            .fetch_all(&mut connection)
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?;
        if words != ["ok"] {
            return Err(StoreError::Damaged(words.join(" ").replace('\n', " ")).into());
        }
        let instance = instance_of(&mut connection).await?;
        if instance.is_empty() {
            return Err(OpenError::Foreign("it names no installation".into()));
        }
        Ok(Inspected { schema, instance, keys: keys_needed(&mut connection).await? })
    }
    .await;
    let _ = connection.close().await;
    inspected
}

/// A consistent, compact copy of a SQLite database into an empty file.
async fn copy_file(from: &Route, into: &Path) -> Result<(), OpenError> {
    let mut connection = from.connect_plain().await?;
    let into = into
        .to_str()
        .ok_or_else(|| StoreError::Other(format!("{} is not a name in UTF-8", into.display())))?;
    let copied = sqlx::query("VACUUM INTO $1").bind(into).execute(&mut connection).await;
    let _ = connection.close().await;
    copied?;
    Ok(())
}

/// The backup as it is, or a copy of it brought up to date.
async fn upgrade(file: &Path) -> Result<(), OpenError> {
    let mut connection = Route::to(&Place::Sqlite(file.to_owned()))?.connect_plain().await?;
    let upgraded = async {
        if let Found::Ours(schema) = schema::look(&mut connection, Engine::Sqlite).await? {
            schema::migrate(&mut connection, Engine::Sqlite, schema, MIGRATIONS).await?;
        }
        Ok::<_, OpenError>(())
    }
    .await;
    let _ = connection.close().await;
    upgraded
}

async fn restore_file(
    from: &Path,
    path: &Path,
    replace: bool,
    timings: &Timings,
) -> Result<Option<PathBuf>, OpenError> {
    let _lock = lock_for(path, timings).await?;
    let occupied = std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    if occupied && !replace {
        return Err(OpenError::NotEmpty(path.display().to_string()));
    }
    let scratch = Scratch::new(beside(path, ".restoring"))?;
    copy_file(&Route::read_only(from)?, &scratch.path).await?;
    upgrade(&scratch.path).await?;
    inspect(&scratch.path).await?;
    let kept = if occupied { Some(set_aside(path).await?) } else { None };
    // A log without its file would be taken for the new file's own.
    for ending in ["-wal", "-shm"] {
        match std::fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    scratch.become_(path)?;
    Ok(kept)
}

/// Gives the present database a second name, log included, so that nothing is lost by replacing it.
async fn set_aside(path: &Path) -> Result<PathBuf, OpenError> {
    // Folds the log into the file, if the file can still be used at all.
    if let Ok(route) = Route::to(&Place::Sqlite(path.to_owned()))
        && let Ok(mut connection) = route.connect_plain().await
    {
        let _ = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
        let _ = connection.close().await;
    }
    for number in 1..10_000 {
        let kept = beside(path, &format!(".replaced-{number}"));
        match std::fs::hard_link(path, &kept) {
            Ok(()) => {
                let log = beside(path, "-wal");
                if log.try_exists()? {
                    std::fs::rename(log, beside(&kept, "-wal"))?;
                }
                return Ok(kept);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Other("too many replaced databases lie beside it; remove some".into()).into())
}

async fn restore_rows(from: &Path, into: &Place, schema: i64, replace: bool) -> Result<(), OpenError> {
    // Everything that can be wrong with the file is found out before the server is touched.
    let mut older = None;
    if schema < KNOWN {
        let scratch = Scratch::among_others(&std::env::temp_dir())?;
        copy_file(&Route::read_only(from)?, &scratch.path).await?;
        upgrade(&scratch.path).await?;
        older = Some(scratch);
    }
    let file = older.as_ref().map_or(from, |scratch| &scratch.path);
    let mut to = Route::to(into)?.connect_plain().await?;
    let found = schema::look(&mut to, Engine::Postgres).await?;
    if let Found::Ours(schema) = found {
        refuse_newer(schema)?;
        if !replace && !instance_of(&mut to).await?.is_empty() {
            return Err(OpenError::NotEmpty(into.to_string()));
        }
        if schema >= 2 && lease::is_in_use(&mut to).await? {
            return Err(OpenError::Locked { dir: into.to_string(), pid: None });
        }
    }
    let at = if let Found::Ours(schema) = found { schema } else { 0 };
    schema::migrate(&mut to, Engine::Postgres, at, MIGRATIONS).await?;
    let mut from = Route::read_only(file)?.connect_plain().await?;
    let copied = copy_rows(&mut from, &mut to, Engine::Postgres).await;
    let _ = from.close().await;
    let _ = to.close().await;
    copied
}

/// Replaces every row of every table, in one transaction.
async fn copy_rows(
    from: &mut AnyConnection,
    into: &mut AnyConnection,
    engine: Engine,
) -> Result<(), OpenError> {
    schema::begin(into, engine).await?;
    let copied = async {
        for (table, columns) in TABLES {
            copy_table(from, into, table, columns).await?;
        }
        // Whoever looked after what did so elsewhere.
        for sql in ["DELETE FROM processes", "UPDATE remotes SET owner = NULL"] {
            sqlx::query(sql).execute(&mut *into).await?;
        }
        Ok::<_, StoreError>(())
    }
    .await;
    let end = if copied.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = sqlx::raw_sql(end).execute(into).await;
    copied?;
    ended?;
    Ok(())
}

async fn copy_table(
    from: &mut AnyConnection,
    into: &mut AnyConnection,
    table: &str,
    columns: &[(&str, Column)],
) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut *into).await?;
    let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let marks = (1..=columns.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let write = AssertSqlSafe(format!("INSERT INTO {table} ({names}) VALUES ({marks})")).into_sql_str();
    let mut rows = sqlx::query(AssertSqlSafe(format!("SELECT {names} FROM {table}"))).fetch(&mut *from);
    while let Some(row) = rows.try_next().await? {
        insert(into, write.clone(), &row, columns).await?;
    }
    Ok(())
}

async fn insert(
    into: &mut AnyConnection,
    sql: SqlStr,
    row: &AnyRow,
    columns: &[(&str, Column)],
) -> Result<(), StoreError> {
    let mut query = sqlx::query(sql);
    for (at, (_, column)) in columns.iter().enumerate() {
        query = match column {
            Column::Int => query.bind(row.try_get::<Option<i64>, _>(at)?),
            Column::Text => query.bind(row.try_get::<Option<String>, _>(at)?),
            Column::Blob => query.bind(row.try_get::<Option<Vec<u8>>, _>(at)?),
        };
    }
    query.execute(into).await?;
    Ok(())
}

/// A file that is not finished: gone again unless it gets its name.
struct Scratch {
    path: PathBuf,
    finished: bool,
}

impl Scratch {
    fn new(path: PathBuf) -> Result<Self, OpenError> {
        // Left by one that was killed.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Self::begin(path)
    }

    /// In a directory that others write to as well: under a name that nobody knows beforehand.
    fn among_others(dir: &Path) -> Result<Self, OpenError> {
        let mut bytes = [0; 8];
        seal::random(&mut bytes)?;
        Self::begin(dir.join(format!("muster-{:016x}.restoring", u64::from_be_bytes(bytes))))
    }

    /// Makes the file, for its owner alone; never takes one that is there, or follows a link.
    fn begin(path: PathBuf) -> Result<Self, OpenError> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?;
        Ok(Self { path, finished: false })
    }

    /// On the disk with all its bytes first, then under its name.
    fn become_(mut self, name: &Path) -> Result<(), OpenError> {
        std::fs::File::open(&self.path)?.sync_all()?;
        std::fs::rename(&self.path, name)?;
        self.finished = true;
        if let Some(dir) = name.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            std::fs::File::open(dir)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.finished {
            for ending in ["", "-journal", "-wal", "-shm"] {
                let _ = std::fs::remove_file(beside(&self.path, ending));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_among_others_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (one, other) =
            (Scratch::among_others(dir.path()).unwrap(), Scratch::among_others(dir.path()).unwrap());
        assert_ne!(one.path, other.path);
        assert_eq!(std::fs::metadata(&one.path).unwrap().permissions().mode() & 0o777, 0o600);
        // Neither a file that waits there nor what a link leads to is written to.
        let (bait, link) = (dir.path().join("bait"), dir.path().join("link"));
        std::os::unix::fs::symlink(&bait, &link).unwrap();
        assert!(Scratch::begin(link).is_err());
        assert!(Scratch::begin(other.path.clone()).is_err());
        assert!(!bait.exists());
    }
}
