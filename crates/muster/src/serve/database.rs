//! Where the database is, and how it is opened.

use store::{DirLock, Place, Store};

use super::config::Config;
use super::datadir::DataDir;
use super::key::KeyRing;
use super::{refusal, settings};
use crate::failure::Failure;

/// Where the database is.
pub fn place(config: &Config, dir: &DataDir) -> Place {
    match config.text(&settings::DATABASE) {
        Some(url) => Place::Postgres(url.to_owned()),
        None => Place::Sqlite(dir.database()),
    }
}

/// Opens the database. The embedded one keeps the directory's lock; beside another the server does.
///
/// # Errors
/// What keeps it from being opened; nothing has been changed then.
pub async fn open(place: Place, ring: &KeyRing, lock: DirLock) -> Result<(Store, Option<DirLock>), Failure> {
    let timings = store::Timings::default();
    let opened = match place {
        Place::Sqlite(_) => {
            Store::open_locked(place, ring.keys(), timings, lock).await.map(|store| (store, None))
        }
        Place::Postgres(_) => Store::open(place, ring.keys(), timings).await.map(|store| (store, Some(lock))),
    };
    opened.map_err(|e| refusal::of(&e, Some(ring)))
}
