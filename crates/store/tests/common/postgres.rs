//! A PostgreSQL server for tests, where one is installed.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection;

/// A PostgreSQL server for the tests alone: its own directory, a Unix socket, no network. Ends with this.
pub struct Postgres {
    bin: PathBuf,
    dir: tempfile::TempDir,
    server: Child,
    settings: Vec<String>,
    user: &'static str,
    made: AtomicU32,
}

impl Postgres {
    /// Starts one, or says why there is none.
    pub fn start() -> Result<Self, String> {
        Self::start_with(|_| vec!["listen_addresses=".to_owned()])
    }

    /// The same with settings of its own, made once its directory is there.
    pub fn start_with(settings: impl FnOnce(&Path) -> Vec<String>) -> Result<Self, String> {
        let bin = find("initdb").ok_or("no PostgreSQL server is installed")?;
        let dir = tempfile::tempdir().unwrap();
        let root = rustix::process::geteuid().is_root();
        if root {
            // The server refuses to run as root.
            std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = dir.path().join("data");
        let made = as_nobody(root, &bin.join("initdb"))
            .args(["-A", "trust", "-U", "muster", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .current_dir(dir.path())
            .output()
            .map_err(|error| format!("initdb cannot be run: {error}"))?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let settings = settings(dir.path());
        let server = Self::run(&bin, dir.path(), &settings)?;
        Ok(Self { bin, dir, server, settings, user: "muster", made: AtomicU32::new(0) })
    }

    fn run(bin: &Path, dir: &Path, settings: &[String]) -> Result<Child, String> {
        let mut server = as_nobody(rustix::process::geteuid().is_root(), &bin.join("postgres"))
            .arg("-D")
            .arg(dir.join("data"))
            .arg("-k")
            .arg(dir)
            .args(["-c", "fsync=off", "-c", "max_connections=100"])
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("postgres cannot be run: {error}"))?;
        let until = Instant::now() + Duration::from_secs(60);
        while std::os::unix::net::UnixStream::connect(socket_in(dir, settings)).is_err() {
            if let Some(status) = server.try_wait().unwrap() {
                return Err(format!("postgres ended at once: {status}"));
            }
            if Instant::now() > until {
                let _ = server.kill();
                return Err("postgres does not come up".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        socket_in(self.dir.path(), &self.settings)
    }

    /// Ends it at once, as a crash would.
    pub fn stop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(i32::try_from(self.server.id()).unwrap()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        let _ = self.server.wait();
    }

    pub fn start_again(&mut self) {
        self.server = Self::run(&self.bin, self.dir.path(), &self.settings).unwrap();
    }

    fn url(&self, database: &str) -> String {
        let port = port_of(&self.settings);
        format!("postgres://{}@localhost:{port}/{database}?host={}", self.user, self.dir.path().display())
    }

    /// A fresh database.
    pub async fn database(&self) -> String {
        let name = format!("test{}", self.made.fetch_add(1, Ordering::Relaxed));
        sqlx::any::install_default_drivers();
        let until = Instant::now() + Duration::from_secs(30);
        let mut connection = loop {
            // The socket is there a moment before the server takes anyone in.
            match sqlx::AnyConnection::connect(&self.url("postgres")).await {
                Ok(connection) => break connection,
                Err(error) if Instant::now() > until => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        self.url(&name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn port_of(settings: &[String]) -> &str {
    settings.iter().find_map(|setting| setting.strip_prefix("port=")).unwrap_or("5432")
}

fn socket_in(dir: &Path, settings: &[String]) -> PathBuf {
    dir.join(format!(".s.PGSQL.{}", port_of(settings)))
}

pub const NOBODY: u32 = 65_534;

/// The command as an unprivileged user, ended with the thread that started it whatever happens to that.
pub fn as_nobody(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--pdeathsig", "QUIT", "--"])
        .arg(program);
    command
}

/// The directory with the server's programs.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        dirs.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    dirs.into_iter().find(|dir| dir.join(program).is_file() && dir.join("postgres").is_file())
}
