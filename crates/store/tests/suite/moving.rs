//! Other databases, and backups between places and engines.

use crate::common::*;
use crate::writing::session;
use model::RemoteId;
use store::*;

/// The bytes of a SQLite file that nobody has open.
pub fn contents(place: &Place) -> Option<Vec<u8>> {
    match place {
        Place::Sqlite(path) => Some(std::fs::read(path).unwrap()),
        Place::Postgres(_) => None,
    }
}

pub async fn a_newer_or_foreign_database_is_refused(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    store.close().await;
    execute(&place, "UPDATE meta SET value = '99' WHERE name = 'schema'").await;
    let before = contents(&place);
    let wanted = OpenError::Newer { found: 99, known: 4 };
    assert_eq!(Store::open(place.clone(), keys(), timings()).await.unwrap_err(), wanted);
    assert_eq!(Store::look(&place).await.unwrap_err(), wanted);
    assert_eq!(contents(&place), before);

    let foreign = ground.place().await;
    if let Place::Sqlite(path) = &foreign {
        std::fs::write(path, b"").unwrap();
    }
    execute(&foreign, "CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup')").await;
    let before = contents(&foreign);
    let error = Store::open(foreign.clone(), keys(), timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign(_)), "{error:?}");
    assert_eq!(contents(&foreign), before);
}

pub async fn fill(store: &Store) {
    let anna =
        UserRecord { name: "anna".into(), password: None, created: at(1), updated: at(2), body: "{}".into() };
    let factor = FactorRecord { user: "anna".into(), since: at(3), step: 58, body: "{}".into() };
    let likes = PreferencesRecord { user: "anna".into(), born: at(1), number: 1, body: "{\"é\":1}".into() };
    store.write(vec![Write::User(anna), Write::Factor(factor), Write::Preferences(likes)]).await.unwrap();
    for n in 0..30 {
        let number = u64::try_from(n).unwrap();
        store
            .write(vec![
                Write::Remote(remote(number + 1, "site")),
                Write::Observed(observed(number, ObservedKind::Guest, "101", "{\"é\":null}")),
                Write::Gauges(GaugesRecord { remote: RemoteId(number), at: at(n), body: vec![0, 1, 255] }),
                Write::Event(event(number, 101, "x", n)),
                Write::Operation(operation(number + (1 << 63), 1, false, n)),
                Write::Audit(audit("x", n)),
                Write::Session(session(&n.to_string(), "anna", [u8::try_from(n).unwrap(); 32])),
                secret("credential", &n.to_string(), "canary-in-the-backup"),
            ])
            .await
            .unwrap();
    }
}

pub async fn assert_same(one: &Store, other: &Store) {
    assert_eq!(one.instance(), other.instance());
    assert_eq!(one.remotes().await.unwrap(), other.remotes().await.unwrap());
    let all = EventFilter { limit: 1000, ..EventFilter::default() };
    assert_eq!(one.events(all.clone()).await.unwrap(), other.events(all).await.unwrap());
    let all = OperationFilter { limit: 1000, ..OperationFilter::default() };
    assert_eq!(one.operations(all.clone()).await.unwrap(), other.operations(all).await.unwrap());
    assert_eq!(one.audit(None, 1000).await.unwrap(), other.audit(None, 1000).await.unwrap());
    assert_eq!(one.sessions("anna").await.unwrap(), other.sessions("anna").await.unwrap());
    assert_eq!(one.users().await.unwrap(), other.users().await.unwrap());
    assert_eq!(one.factors().await.unwrap(), other.factors().await.unwrap());
    let likes = one.preferences("anna", at(1)).await.unwrap();
    assert!(likes.is_some() && likes == other.preferences("anna", at(1)).await.unwrap());
    for n in 0..30 {
        let id = RemoteId(n);
        assert_eq!(one.observed(id).await.unwrap(), other.observed(id).await.unwrap());
        assert_eq!(one.gauges(id).await.unwrap(), other.gauges(id).await.unwrap());
        let id = SecretId::new("credential", n);
        assert_eq!(one.secret(&id).await.unwrap(), other.secret(&id).await.unwrap());
    }
    assert_eq!(one.verify_audit().await, other.verify_audit().await);
}

pub async fn a_backup_is_one_moment_and_comes_back(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    fill(&store).await;
    let file = ground.file("backup.db");
    // Writing goes on meanwhile: each batch has two events, so an even number is one moment.
    let busy = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                let batch = vec![Write::Event(event(1, 1, "busy", n)), Write::Event(event(1, 1, "busy", n))];
                store.write(batch).await.unwrap();
            }
        })
    };
    let made = store.backup(&file).await.unwrap();
    busy.await.unwrap();
    assert_eq!(made.instance, store.instance());
    assert_eq!(made.keys, [keys().current().unwrap().to_string()]);
    assert!(made.bytes > 10_000);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|six| six == b"canary"), "a secret lies open in the backup");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // Never over another file, and nothing is left of the attempt.
    assert!(matches!(store.backup(&file).await.unwrap_err(), OpenError::NotEmpty(_)));
    assert!(!ground.file("backup.db.partial").exists());

    let place = ground.place().await;
    Store::restore(&file, &place, false, &timings()).await.unwrap();
    let restored = Store::open(place.clone(), keys(), timings()).await.unwrap();
    let busy = EventFilter { kinds: vec!["busy".into()], limit: 1000, ..EventFilter::default() };
    assert_eq!(restored.events(busy).await.unwrap().len() % 2, 0);
    assert_eq!(restored.remotes().await.unwrap(), store.remotes().await.unwrap());
    // Numbers go on after the last one that came back.
    let last = restored.last_event_seq().await.unwrap();
    assert_eq!(restored.write(vec![Write::Event(event(1, 1, "x", 0))]).await.unwrap().events, [last + 1]);
    assert_eq!(restored.verify_audit().await, Ok(30));
    restored.close().await;

    // A place that holds something is left alone unless told.
    let error = Store::restore(&file, &place, false, &timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::NotEmpty(_)), "{error:?}");
    let done = Store::restore(&file, &place, true, &timings()).await.unwrap();
    let restored = Store::open(place.clone(), keys(), timings()).await.unwrap();
    assert_eq!(restored.last_event_seq().await.unwrap(), last);
    if ground.is_sqlite() {
        // A place in use is refused, and what was replaced is still there.
        let error = Store::restore(&file, &place, true, &timings()).await.unwrap_err();
        assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
        assert!(Store::look(&Place::Sqlite(done.replaced.unwrap())).await.unwrap().is_some());
    }
    restored.close().await;

    // A damaged, newer, foreign, missing or empty file is refused and changes nothing.
    let bad = ground.file("bad.db");
    let fresh = ground.place().await;
    let mut bent = bytes.clone();
    for byte in &mut bent[8192..12288] {
        *byte ^= 0x5a;
    }
    std::fs::write(&bad, &bent).unwrap();
    let error = Store::restore(&bad, &fresh, false, &timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::Store(StoreError::Damaged(_))), "{error:?}");
    std::fs::write(&bad, &bytes[..bytes.len() / 2]).unwrap();
    assert!(Store::restore(&bad, &fresh, false, &timings()).await.is_err());
    std::fs::write(&bad, b"-- a dump of something").unwrap();
    let error = Store::restore(&bad, &fresh, false, &timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::Store(StoreError::Damaged(_))), "{error:?}");
    std::fs::write(&bad, b"").unwrap();
    assert!(Store::restore(&bad, &fresh, false, &timings()).await.is_err());
    assert!(Store::restore(&ground.file("none.db"), &fresh, false, &timings()).await.is_err());
    std::fs::write(&bad, &bytes).unwrap();
    execute(&Place::Sqlite(bad.clone()), "UPDATE meta SET value = '99' WHERE name = 'schema'").await;
    let error = Store::restore(&bad, &fresh, false, &timings()).await.unwrap_err();
    assert_eq!(error, OpenError::Newer { found: 99, known: 4 });
    std::fs::remove_file(&bad).unwrap();
    std::fs::write(&bad, b"").unwrap();
    execute(&Place::Sqlite(bad.clone()), "CREATE TABLE recipes (name TEXT)").await;
    let error = Store::restore(&bad, &fresh, false, &timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign(_)), "{error:?}");
    assert_eq!(Store::look(&fresh).await.unwrap(), None);
    store.close().await;
}

pub async fn a_backup_moves_between_engines(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    fill(&store).await;
    let file = ground.file("moving.db");
    store.backup(&file).await.unwrap();
    // Into the other engine (into a file, when this is PostgreSQL) and back into this one.
    let other = Ground::sqlite();
    let place = other.place().await;
    Store::restore(&file, &place, false, &timings()).await.unwrap();
    let moved = Store::open(place, keys(), timings()).await.unwrap();
    assert_same(&store, &moved).await;
    let again = ground.file("again.db");
    moved.backup(&again).await.unwrap();
    moved.close().await;
    let place = ground.place().await;
    Store::restore(&again, &place, false, &timings()).await.unwrap();
    let back = Store::open(place, keys(), timings()).await.unwrap();
    assert_same(&store, &back).await;
    back.close().await;
    store.close().await;
}
