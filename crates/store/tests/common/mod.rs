//! What the store's tests share: records to write, and places to write them to.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

mod postgres;

use jiff::Timestamp;
use model::{Incarnation, OperationId, RemoteId, Vmid};
use sqlx::Connection;
use store::*;
use zeroize::Zeroizing;

#[allow(unused_imports, reason = "each test file uses its part")]
pub use postgres::{NOBODY, Postgres, as_nobody};

/// A key that is the same byte over and over.
pub fn key(byte: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([byte; 32])
}

pub fn keys() -> Keys {
    Keys::new(key(1), vec![])
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Short waits: a test that must be refused should not wait long for it.
pub fn timings() -> Timings {
    Timings { lock_wait: Duration::from_millis(100), ..Timings::default() }
}

pub fn remote(id: u64, name: &str) -> RemoteRecord {
    RemoteRecord {
        id: RemoteId(id),
        name: name.into(),
        identity: Some("AA:BB".into()),
        owner: None,
        disconnected: None,
        spec: "{\"endpoints\":[]}".into(),
        created: at(0),
        updated: at(1),
    }
}

pub fn event(remote: u64, vmid: u32, kind: &str, second: i64) -> EventRecord {
    EventRecord {
        at: at(second),
        remote: Some(RemoteId(remote)),
        vmid: Some(Vmid(vmid)),
        incarnation: Some(Incarnation(1)),
        node: Some("pve1".into()),
        kind: kind.into(),
        operation: None,
        task: None,
        author: Some("anna".into()),
        body: format!("{{\"type\":\"{kind}\"}}"),
    }
}

pub fn operation(id: u64, remote: u64, open: bool, second: i64) -> OperationRecord {
    OperationRecord {
        id: OperationId(id),
        remote: RemoteId(remote),
        vmid: Some(Vmid(101)),
        instance: "one".into(),
        open,
        requested: at(second),
        body: format!("{{\"id\":\"{id}\"}}"),
    }
}

pub fn audit(action: &str, second: i64) -> AuditRecord {
    AuditRecord {
        at: at(second),
        who: "anna".into(),
        source: "192.0.2.9".into(),
        action: action.into(),
        remote: Some(RemoteId(1)),
        operation: None,
        body: "{}".into(),
    }
}

pub fn observed(remote: u64, kind: ObservedKind, key: &str, body: &str) -> ObservedRecord {
    ObservedRecord {
        remote: RemoteId(remote),
        kind,
        key: key.into(),
        body: body.into(),
        at: Some(at(5)),
        through: Some("192.0.2.7:8006".into()),
    }
}

pub fn secret(purpose: &'static str, record: &str, plain: &str) -> Write {
    Write::Secret { id: SecretId::new(purpose, record), plain: Zeroizing::new(plain.as_bytes().to_vec()) }
}

/// Where one test may put stores: fresh places of one engine, and a directory for files.
pub struct Ground<'a> {
    pub dir: tempfile::TempDir,
    postgres: Option<&'a Postgres>,
    made: AtomicU32,
}

impl<'a> Ground<'a> {
    pub fn sqlite() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), postgres: None, made: AtomicU32::new(0) }
    }

    pub fn postgres(server: &'a Postgres) -> Self {
        Self { postgres: Some(server), ..Self::sqlite() }
    }

    pub fn is_sqlite(&self) -> bool {
        self.postgres.is_none()
    }

    /// An empty place of this ground's engine.
    pub async fn place(&self) -> Place {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        match self.postgres {
            None => {
                let dir = self.dir.path().join(format!("data{number}"));
                std::fs::create_dir(&dir).unwrap();
                Place::Sqlite(dir.join("muster.db"))
            }
            Some(server) => Place::Postgres(server.database().await),
        }
    }

    pub async fn store(&self) -> (Store, Place) {
        let place = self.place().await;
        (Store::open(place.clone(), keys(), timings()).await.unwrap(), place)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// A connection behind the store's back, to look and to tamper. Not to be used on a SQLite file that a store
/// in this process has open and the test reads as a file.
pub async fn behind(place: &Place) -> sqlx::AnyConnection {
    sqlx::any::install_default_drivers();
    let url = match place {
        Place::Sqlite(path) => format!("sqlite://{}", path.display()),
        Place::Postgres(url) => url.clone(),
    };
    sqlx::AnyConnection::connect(&url).await.unwrap()
}

pub async fn execute(place: &Place, sql: &'static str) {
    let mut connection = behind(place).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
