//! Where a store lives, and how connections to it are made.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions};

use crate::error::StoreError;

/// Where the durable state lives.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of our own. Its directory is locked while the store is open.
    Sqlite(PathBuf),
    /// A PostgreSQL database by URL (`postgres://user:password@host/database`). Its `sslmode` says how it is spoken to;
    /// without one, `require` off this machine, and `verify-full` where `sslrootcert` names whom to trust.
    Postgres(String),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Place {
    /// The path, or the URL without what stands before its `@` and after its `?`: there may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
                let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
                write!(f, "postgres://{rest}")
            }
        }
    }
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    /// A `postgres://` or `postgresql://` URL, `sqlite:PATH`, or a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::Postgres(text.to_owned())
        } else {
            Self::Sqlite(text.strip_prefix("sqlite:").unwrap_or(text).into())
        })
    }
}

/// Every interval and bound of the store.
#[derive(Debug, Clone)]
pub struct Timings {
    /// At most this long after its commit is a write that did not have to be on the disk at once there.
    pub sync: Duration,
    /// How many batches may wait for the writer before the next one's author has to.
    pub queue: usize,
    /// How many rows are written in one transaction when several batches wait.
    pub group: usize,
    /// How many readers at once.
    pub readers: u32,
    /// How long a read waits for a free reader.
    pub wait: Duration,
    /// How long a database server may take until a connection to it stands.
    pub connect: Duration,
    /// How long a database server may take for each step of a transaction: its statements together, and its commit.
    pub patience: Duration,
    /// How long it is asked what became of a commit that it did not answer.
    pub doubt: Duration,
    /// How long it may take for a statement that only reads.
    pub reading: Duration,
    /// How long we wait for another program that has the database locked.
    pub busy: Duration,
    /// How long opening waits for a lock that another process may be about to let go.
    pub lock_wait: Duration,
    /// A file of at most so many bytes is read through and checked before it is used; a larger one while it
    /// is used.
    pub check_at_open: u64,
    /// How long after it was opened a larger one is read through: whoever opened it reads first.
    pub check_after: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            sync: Duration::from_secs(1),
            queue: 256,
            group: 4_000,
            readers: 4,
            wait: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            patience: Duration::from_secs(30),
            doubt: Duration::from_secs(60),
            reading: Duration::from_secs(60),
            busy: Duration::from_secs(5),
            lock_wait: Duration::from_secs(1),
            check_at_open: 64 << 20,
            check_after: Duration::from_secs(10),
        }
    }
}

/// Which dialect's few differences apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// How to reach the place; made once.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) engine: Engine,
    options: AnyConnectOptions,
    /// How long it may take until a connection stands.
    connect: Duration,
    /// Whose wait for locks is set on every connection.
    patience: String,
}

impl Route {
    /// The way to a place, as patient with others' locks as `timings` say.
    pub(crate) fn with(place: &Place, timings: &Timings) -> Result<Self, StoreError> {
        let mut route = Self::to(place)?;
        route.connect = timings.connect;
        let ms = timings.busy.as_millis();
        route.patience = match route.engine {
            Engine::Sqlite => format!("PRAGMA busy_timeout = {ms}"),
            // What it hears no end of holds others up, and it notices late by itself that nobody is there any more.
            Engine::Postgres => format!(
                "SET lock_timeout = {ms}; SET idle_in_transaction_session_timeout = {}",
                timings.patience.as_millis().max(1)
            ),
        };
        Ok(route)
    }

    fn plain(engine: Engine, options: AnyConnectOptions) -> Self {
        Self { engine, options, connect: Timings::default().connect, patience: String::new() }
    }

    pub(crate) fn to(place: &Place) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (engine, url) = match place {
            Place::Sqlite(path) => (Engine::Sqlite, sqlite_url(path)?),
            Place::Postgres(url) => (Engine::Postgres, url.clone()),
        };
        let mut options = AnyConnectOptions::from_str(&url)
            .map_err(|_| StoreError::Unreachable("its URL cannot be understood".into()))?
            // Statements carry what must not be logged.
            .disable_statement_logging();
        if engine == Engine::Postgres
            && let Some(mode) = tls_of(&options, |name| std::env::var(name).ok())
        {
            options.database_url.query_pairs_mut().append_pair("sslmode", mode);
        }
        Ok(Self::plain(engine, options))
    }

    /// A SQLite file that is only to be read.
    pub(crate) fn read_only(path: &Path) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let url = sqlite_url(path)?.replace("?mode=rwc", "?mode=ro");
        let options = AnyConnectOptions::from_str(&url)
            .map_err(|_| StoreError::Other(format!("{} cannot be named", path.display())))?
            .disable_statement_logging();
        Ok(Self::plain(Engine::Sqlite, options))
    }

    /// A SQLite file that is looked at and left exactly as it is: no log is begun, folded in or removed.
    pub(crate) fn looking(path: &Path) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let holds = |ending| {
            std::fs::metadata(crate::store::beside(path, ending)).is_ok_and(|beside| beside.len() > 0)
        };
        // What stands in a log belongs to the file. A rollback journal can only be read by undoing what it is about.
        let mode = match (holds("-journal"), holds("-wal")) {
            (true, _) => "?mode=rw",
            (false, true) => "?mode=ro",
            (false, false) => "?mode=ro&immutable=true",
        };
        let url = sqlite_url(path)?.replace("?mode=rwc", mode);
        let options = AnyConnectOptions::from_str(&url)
            .map_err(|_| StoreError::Other(format!("{} cannot be named", path.display())))?
            .disable_statement_logging();
        Ok(Self::plain(Engine::Sqlite, options))
    }

    /// A connection that writes.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, StoreError> {
        let mut connection = self.connect_plain().await?;
        if self.engine == Engine::Sqlite {
            // WAL: readers never wait for the writer. Its size is cut back after a burst.
            sqlx::raw_sql("PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216;")
                .execute(&mut connection)
                .await?;
        }
        Ok(connection)
    }

    /// A connection that was told nothing: for looking at a file that may not be ours.
    pub(crate) async fn connect_plain(&self) -> Result<AnyConnection, StoreError> {
        let connecting = self.options.connect();
        let mut connection = match self.engine {
            // A file is there or is not.
            Engine::Sqlite => connecting.await?,
            // A host that swallows everything would be waited for without end.
            Engine::Postgres => tokio::time::timeout(self.connect, connecting).await.map_err(|_| {
                StoreError::Unreachable(format!("no answer within {} s", self.connect.as_secs_f32()))
            })??,
        };
        if !self.patience.is_empty() {
            sqlx::raw_sql(AssertSqlSafe(self.patience.clone())).execute(&mut connection).await?;
        }
        Ok(connection)
    }

    /// The readers. They connect when first needed, and cannot write.
    pub(crate) fn pool(&self, timings: &Timings) -> AnyPool {
        let engine = self.engine;
        let patience = match engine {
            Engine::Sqlite => self.patience.clone(),
            Engine::Postgres => {
                format!("{}; SET statement_timeout = {}", self.patience, timings.reading.as_millis().max(1))
            }
        };
        AnyPoolOptions::new()
            .max_connections(timings.readers.max(1))
            .acquire_timeout(timings.wait)
            .after_connect(move |connection, _| {
                let patience = patience.clone();
                Box::pin(async move {
                    if !patience.is_empty() {
                        sqlx::raw_sql(AssertSqlSafe(patience)).execute(&mut *connection).await?;
                    }
                    let statement = match engine {
                        Engine::Sqlite => "PRAGMA query_only = 1",
                        Engine::Postgres => "SET default_transaction_read_only = on",
                    };
                    sqlx::raw_sql(statement).execute(connection).await.map(|_| ())
                })
            })
            .connect_lazy_with(self.options.clone())
    }
}

/// The `sslmode` for a URL that names none; `None` where it names one, or what is said does not leave this machine. The
/// driver's own choice would be to speak in clear with any server that says it knows no TLS, or that somebody in between
/// has say so.
fn tls_of(options: &AnyConnectOptions, env: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let url = &options.database_url;
    let said = |names: &[&str]| {
        url.query_pairs()
            .filter(|(key, _)| names.contains(&&**key))
            .last()
            .map(|(_, value)| value.into_owned())
    };
    if said(&["sslmode", "ssl-mode"]).or_else(|| env("PGSSLMODE")).is_some() {
        return None;
    }
    if said(&["sslrootcert", "ssl-root-cert", "ssl-ca"]).is_some() {
        return Some("verify-full");
    }
    let host = said(&["host", "hostaddr"])
        .or_else(|| url.host_str().map(str::to_owned))
        .or_else(|| env("PGHOSTADDR"))
        .or_else(|| env("PGHOST"))
        .unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let is_here = host.is_empty()
        || host.starts_with('/')
        || host.to_ascii_lowercase().starts_with("%2f")
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback());
    (!is_here).then_some("require")
}

/// The file as a URL, with what a URL would take for its own escaped.
fn sqlite_url(path: &Path) -> Result<String, StoreError> {
    let path = std::path::absolute(path)?;
    let text = path
        .to_str()
        .ok_or_else(|| StoreError::Other(format!("{} is not a name in UTF-8", path.display())))?;
    let mut url = String::from("sqlite://");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.push_str("?mode=rwc");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_never_shows_its_password() {
        let place: Place = "postgres://muster:s3cr@t@db.example:5432/muster?password=s3cr".parse().unwrap();
        assert_eq!(place.to_string(), "postgres://db.example:5432/muster");
        assert!(!format!("{place:?}").contains("s3cr"));
        let place: Place = "sqlite:/var/lib/muster/muster.db".parse().unwrap();
        assert_eq!(place, Place::Sqlite("/var/lib/muster/muster.db".into()));
    }

    #[test]
    fn what_leaves_this_machine_is_encrypted_unless_said_otherwise() {
        let mode = |url: &str, host: Option<&str>| {
            let options = AnyConnectOptions::from_str(url).unwrap();
            tls_of(&options, |name| host.filter(|_| name == "PGHOST").map(str::to_owned))
        };
        for (url, wanted) in [
            ("postgres://muster:x@db.example/muster", Some("require")),
            ("postgres://muster@192.0.2.7:5433/muster", Some("require")),
            ("postgres://muster@[2001:db8::1]/muster", Some("require")),
            ("postgres://muster@localhost/muster?host=db.example", Some("require")),
            ("postgres://muster@localhost/muster?hostaddr=192.0.2.7", Some("require")),
            ("postgres://muster@db.example/muster?sslrootcert=/etc/ca.pem", Some("verify-full")),
            ("postgres://muster@db.example/muster?sslmode=disable", None),
            ("postgres://muster@db.example/muster?sslmode=prefer", None),
            ("postgres://muster@localhost/muster", None),
            ("postgres://muster@127.0.0.1/muster", None),
            ("postgres://muster@[::1]/muster", None),
            ("postgres://muster@%2Fvar%2Frun%2Fpostgresql/muster", None),
            ("postgres://muster@db.example/muster?host=/var/run/postgresql", None),
            ("postgres:///muster", None),
        ] {
            assert_eq!(mode(url, None), wanted, "{url}");
        }
        assert_eq!(mode("postgres:///muster", Some("db.example")), Some("require"));
    }

    #[test]
    fn odd_paths_become_urls() {
        assert_eq!(sqlite_url(Path::new("/a b/ü?#.db")).unwrap(), "sqlite:///a%20b/%C3%BC%3F%23.db?mode=rwc");
    }
}
