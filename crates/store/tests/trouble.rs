//! Disks and databases that fail: each says so in its own words, nothing is half-written, and what may pass
//! passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::*;
use model::RemoteId;
use sqlx::Connection;
use store::*;

/// This test binary again, running one test that is only meant to be run so.
fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("STORE_CHILD_DIR", dir);
    command
}

fn child_dir() -> std::path::PathBuf {
    std::env::var_os("STORE_CHILD_DIR").expect("run by another test only").into()
}

#[track_caller]
fn assert_ran(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
}

/// Writes until the disk refuses, makes room, and writes the same again.
async fn fill_until_refused(path: &Path, make_room: impl FnOnce()) {
    let timings = Timings { sync: Duration::from_millis(50), ..timings() };
    let store = Store::open(Place::Sqlite(path.into()), keys(), timings.clone()).await.unwrap();
    let batch = |n: i64| {
        let mut big = event(1, 1, "big", n);
        big.body = format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(20_000));
        vec![Write::Event(big.clone()), Write::Operation(operation(1, 1, true, n)), Write::Event(big)]
    };
    let mut n = 0;
    let error = loop {
        match store.write(batch(n)).await {
            Ok(_) => n += 1,
            Err(error) => break error,
        }
        assert!(n < 10_000, "the disk never gets full");
    };
    println!("refused after {n} batches: {error}");
    assert!(matches!(error, StoreError::NoSpace | StoreError::Disk(_)), "{error:?}");
    assert!(error.may_pass());
    // What was there is still read, and nothing of the refused batch is.
    assert_eq!(store.last_event_seq().await.unwrap(), 2 * n);
    assert_eq!(
        store.operations(OperationFilter { limit: 9, ..OperationFilter::default() }).await.unwrap().len(),
        usize::from(n > 0)
    );
    assert!(store.write(batch(n)).await.is_err());
    make_room();
    assert_eq!(store.write(batch(n)).await.unwrap().events, [2 * n + 1, 2 * n + 2]);
    store.close().await;
    let store = Store::open(Place::Sqlite(path.into()), keys(), timings).await.unwrap();
    let events =
        store.events(EventFilter { after: Some(0), limit: 100_000, ..EventFilter::default() }).await.unwrap();
    assert!(events.iter().map(|(seq, _)| *seq).eq(1..=2 * n + 2));
    assert_eq!(store.check().await, Ok(()));
    store.close().await;
}

#[tokio::test]
#[ignore = "run in a process of its own by `a_file_that_may_not_grow`"]
async fn child_with_a_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    fill_until_refused(&child_dir().join("muster.db"), || {
        let mut limit = getrlimit(Resource::Fsize);
        limit.current = limit.maximum;
        setrlimit(Resource::Fsize, limit).unwrap();
    })
    .await;
}

/// Needs no rights: this is the one that always runs.
#[test]
fn a_file_that_may_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let inner = child("child_with_a_limit", dir.path());
    // The signal that comes with the limit is ignored, the error is not.
    let mut outer = Command::new("sh");
    outer.args(["-c", "trap '' XFSZ; ulimit -S -f 2000; exec \"$@\"", "sh"]);
    outer.arg(inner.get_program()).args(inner.get_args()).env("STORE_CHILD_DIR", dir.path());
    assert_ran(&outer.output().unwrap());
}

#[tokio::test]
async fn a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(dir.path())
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        // Not shown then: a disk that is full before the database is made. A disk that fills under one is, by
        // `a_file_that_may_not_grow`, whoever runs this.
        let why = "this user may not mount a small disk; run as root to see it";
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true") || !rustix::process::geteuid().is_root(),
            "{why}"
        );
        eprintln!("SKIPPED a_full_disk: {why}");
        return;
    }
    // Unmounted also when an assertion fails.
    struct Mounted<'a>(&'a Path);
    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _mounted = Mounted(dir.path());
    let dir = dir.path().to_owned();
    let remount = || {
        let status = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&dir).status();
        assert!(status.unwrap().success());
    };
    fill_until_refused(&dir.join("muster.db"), remount).await;

    // Full before it is even made.
    let remount = Command::new("mount").args(["-o", "remount,size=16m"]).arg(&dir).status();
    assert!(remount.unwrap().success());
    let ballast = dir.join("ballast");
    let full = Command::new("dd")
        .args(["if=/dev/zero", "bs=64k"])
        .arg(format!("of={}", ballast.display()))
        .stderr(Stdio::null())
        .status();
    assert!(!full.unwrap().success());
    std::fs::create_dir(dir.join("other")).ok();
    let place = Place::Sqlite(dir.join("other").join("muster.db"));
    let error = Store::open(place.clone(), keys(), timings()).await.unwrap_err();
    println!("{error}");
    assert!(matches!(error, OpenError::Store(StoreError::NoSpace | StoreError::Disk(_))), "{error:?}");
    assert!(!dir.join("other").join("muster.db").exists(), "what a refusal has begun is gone");
    std::fs::remove_file(ballast).unwrap();
    std::fs::create_dir_all(dir.join("other")).unwrap();
    Store::open(place, keys(), timings()).await.unwrap().close().await;
}

#[tokio::test]
#[ignore = "run in a process of its own by `a_read_only_disk`"]
async fn child_that_may_only_read() {
    let path = child_dir().join("muster.db");
    let error = Store::open(Place::Sqlite(path), keys(), timings()).await.unwrap_err();
    println!("{error}");
    assert!(matches!(error, OpenError::Store(StoreError::ReadOnly(_))), "{error:?}");
    let error = Store::open(Place::Sqlite(child_dir().join("new.db")), keys(), timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::Store(StoreError::ReadOnly(_))), "{error:?}");
}

#[tokio::test]
async fn a_read_only_disk() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let path = data.join("muster.db");
    Store::open(Place::Sqlite(path.clone()), keys(), timings()).await.unwrap().close().await;
    let before = std::fs::read(&path).unwrap();
    for (name, mode) in [("data/muster.db", 0o444), ("data/lock", 0o444), ("data", 0o555), ("", 0o755)] {
        std::fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    // Nothing is forbidden to root: somebody else tries.
    let root = rustix::process::geteuid().is_root();
    let copy = dir.path().join("copy");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut command = as_nobody(root, &copy);
    let inner = child("child_that_may_only_read", &data);
    command.args(inner.get_args()).env("STORE_CHILD_DIR", &data).current_dir(dir.path());
    let output = command.output().unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_ran(&output);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// A closed database of some size.
async fn closed_database(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("muster.db");
    let store = Store::open(Place::Sqlite(path.clone()), keys(), timings()).await.unwrap();
    let mut batch: Vec<Write> = (0..2000).map(|n| Write::Event(event(1, 1, "x", n))).collect();
    batch.push(Write::Remote(remote(1, "site")));
    store.write(batch).await.unwrap();
    store.close().await;
    assert!(!dir.join("muster.db-wal").exists(), "a closed store leaves one file");
    path
}

fn listed(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        // Who looked last stands in it.
        .filter(|(name, _)| name != "lock")
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_refused_opening_leaves_every_file_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Sqlite(closed_database(dir.path()).await);
    let before = listed(dir.path());
    let schema = Store::look(&place).await.unwrap().unwrap().schema;
    let wrong = Keys::new(key(9), Vec::new());
    let error = Store::open(place.clone(), wrong.clone(), timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::WrongKey { .. }), "{error:?}");
    assert_eq!(Store::look(&place).await.unwrap().unwrap().schema, schema);
    assert!(
        listed(dir.path()) == before,
        "{:?}",
        listed(dir.path()).iter().map(|f| &f.0).collect::<Vec<_>>()
    );
    // Nor is anything begun where nothing was.
    let other = tempfile::tempdir().unwrap();
    let none = Place::Sqlite(other.path().join("muster.db"));
    let error = Store::open(none.clone(), Keys::none(), timings()).await.unwrap_err();
    assert_eq!(error, OpenError::KeyMissing);
    assert!(Store::look(&none).await.unwrap().is_none());
    assert_eq!(listed(other.path()), []);

    // What a killed server has left in its log is read, and stays there.
    let store = Store::open(place.clone(), keys(), timings()).await.unwrap();
    store.write(vec![Write::Remote(remote(2, "in the log"))]).await.unwrap();
    let left = tempfile::tempdir().unwrap();
    // As another process would see it: closing a file here drops SQLite's locks on it.
    let copied = Command::new("cp").arg("-r").arg(dir.path().join(".")).arg(left.path()).status().unwrap();
    assert!(copied.success());
    store.close().await;
    let place = Place::Sqlite(left.path().join("muster.db"));
    let durable = |files: Vec<(String, Vec<u8>)>| -> Vec<(String, Vec<u8>)> {
        files.into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect()
    };
    let before = durable(listed(left.path()));
    assert!(before.iter().any(|(name, bytes)| name == "muster.db-wal" && !bytes.is_empty()));
    let error = Store::open(place.clone(), wrong, timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::WrongKey { .. }), "{error:?}");
    assert!(durable(listed(left.path())) == before);
    let store = Store::open(place, keys(), timings()).await.unwrap();
    assert_eq!(store.remotes().await.unwrap().len(), 2);
    store.close().await;
}

#[tokio::test]
async fn a_damaged_page_is_found_at_opening_and_nothing_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed_database(dir.path()).await;
    let sound = std::fs::read(&path).unwrap();
    let pages = sound.len() / 4096;
    assert!(pages > 50, "{pages}");
    // A page in the middle, the beginning, a file cut short, another file altogether.
    let mut bent = sound.clone();
    bent[pages / 2 * 4096..][..4096].fill(0xa5);
    let mut headless = sound.clone();
    headless[..100].fill(0);
    for broken in [bent, headless, sound[..sound.len() / 2].to_vec(), b"not a database".to_vec()] {
        std::fs::write(&path, &broken).unwrap();
        let error = Store::open(Place::Sqlite(path.clone()), keys(), timings()).await.unwrap_err();
        assert!(matches!(error, OpenError::Store(StoreError::Damaged(_))), "{error:?}");
        assert!(error.to_string().contains("restore the last backup"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), broken);
    }
    std::fs::write(&path, sound).unwrap();
    Store::open(Place::Sqlite(path), keys(), timings()).await.unwrap().close().await;
}

#[tokio::test]
async fn a_large_database_is_checked_while_it_serves() {
    let dir = tempfile::tempdir().unwrap();
    let path = closed_database(dir.path()).await;
    // Every page that holds events (told by their kind) but the schema.
    let mut bytes = std::fs::read(&path).unwrap();
    for page in bytes.chunks_mut(4096).skip(1) {
        if page.windows(12).any(|text| text == b"{\"type\":\"x\"}") {
            page.fill(0xa5);
        }
    }
    std::fs::write(&path, bytes).unwrap();
    let timings = Timings { check_at_open: 0, check_after: Duration::ZERO, ..timings() };
    let store = Store::open(Place::Sqlite(path), keys(), timings).await.unwrap();
    assert_eq!(store.remotes().await.unwrap().len(), 1);
    let error = store.events(EventFilter { limit: 10, ..EventFilter::default() }).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    assert!(matches!(store.check().await, Err(StoreError::Damaged(_))));
    let until = Instant::now() + Duration::from_secs(10);
    while !store.figures().damaged {
        assert!(Instant::now() < until, "the check behind says nothing");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.close().await;
}

#[tokio::test]
#[ignore = "run in a process of its own by `a_second_server_is_refused`"]
async fn child_that_holds_the_lock() {
    let _lock = DirLock::take(&child_dir()).unwrap();
    println!("held");
    // Until the other end closes.
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}

#[tokio::test]
async fn a_second_server_is_refused() {
    use std::io::BufRead;
    let dir = tempfile::tempdir().unwrap();
    let mut holder = child("child_that_holds_the_lock", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("held")));
    let place = Place::Sqlite(dir.path().join("muster.db"));
    let error = Store::open(place.clone(), keys(), timings()).await.unwrap_err();
    let dir_text = dir.path().display().to_string();
    assert_eq!(error, OpenError::Locked { dir: dir_text, pid: Some(holder.id()) });
    assert!(!dir.path().join("muster.db").exists());
    // Killed, it lets go.
    holder.kill().unwrap();
    holder.wait().unwrap();
    let store = Store::open(place.clone(), keys(), timings()).await.unwrap();
    let error = Store::open(place, keys(), timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    store.close().await;
}

#[tokio::test]
async fn another_program_in_the_way_is_waited_for_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::Sqlite(dir.path().join("muster.db"));
    let timings = Timings { busy: Duration::from_millis(200), ..timings() };
    let store = Store::open(place.clone(), keys(), timings).await.unwrap();
    let mut other = behind(&place).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let batch = || vec![Write::Event(event(1, 1, "x", 0))];
    let began = Instant::now();
    let error = store.write(batch()).await.unwrap_err();
    assert_eq!(error, StoreError::Busy);
    assert!(began.elapsed() > Duration::from_millis(150), "given up after {:?}", began.elapsed());
    assert!(error.may_pass());
    // Readers do not mind.
    assert_eq!(store.last_event_seq().await.unwrap(), 0);
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert_eq!(store.write(batch()).await.unwrap().events, [1]);
    store.close().await;
}

#[tokio::test]
async fn what_need_not_be_synced_at_once_is_synced_soon() {
    let dir = tempfile::tempdir().unwrap();
    let timings = Timings { sync: Duration::from_millis(50), ..timings() };
    let store = Store::open(Place::Sqlite(dir.path().join("muster.db")), keys(), timings).await.unwrap();
    let synced = async |from: u64| {
        let until = Instant::now() + Duration::from_secs(10);
        while store.figures().syncs == from {
            assert!(Instant::now() < until, "never synced");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        store.figures().syncs
    };
    let after_opening = synced(0).await;
    let seen = Write::Observed(observed(1, ObservedKind::Guest, "1", "{}"));
    store.write(vec![seen]).await.unwrap();
    let after = synced(after_opening).await;
    // Nothing new: the disk is left alone. What must survive is there already.
    store.write(vec![Write::Remote(remote(1, "site"))]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(store.figures().syncs, after);
    assert_eq!(store.observed(RemoteId(1)).await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn a_closed_database_is_backed_up_as_it_is_without_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = closed_database(dir.path()).await;
    // As an earlier version would have left it: nothing is brought up to date on the way.
    let mut connection =
        sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("UPDATE meta SET value = '1' WHERE name = 'schema'").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let before = listed(dir.path());
    let lock = DirLock::take(dir.path()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup.db");
    let made = Store::backup_closed(&file, &lock, &backup).await.unwrap();
    assert!(
        listed(dir.path()) == before,
        "{:?}",
        listed(dir.path()).iter().map(|f| &f.0).collect::<Vec<_>>()
    );
    let looked = Store::look(&Place::Sqlite(backup.clone())).await.unwrap().unwrap();
    assert_eq!((looked.schema, &looked.instance, &looked.keys), (1, &made.instance, &made.keys));
    let again = Store::backup_closed(&file, &lock, &backup).await.unwrap_err();
    assert!(matches!(again, OpenError::NotEmpty(_)), "{again:?}");
    drop(lock);

    // What a killed server has left in its log is in the backup.
    let live = tempfile::tempdir().unwrap();
    let place = Place::Sqlite(live.path().join("muster.db"));
    let store = Store::open(place, keys(), timings()).await.unwrap();
    store.write(vec![Write::Remote(remote(2, "in the log"))]).await.unwrap();
    let left = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(live.path().join(".")).arg(left.path()).status().unwrap();
    assert!(copied.success());
    store.close().await;
    let lock = DirLock::take(left.path()).unwrap();
    let backup = elsewhere.path().join("log.db");
    Store::backup_closed(&left.path().join("muster.db"), &lock, &backup).await.unwrap();
    let store = Store::open(Place::Sqlite(backup), keys(), timings()).await.unwrap();
    assert_eq!(store.remotes().await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn a_database_host_that_swallows_everything_is_given_up() {
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::Postgres(format!("postgres://muster@{}/muster", hole.local_addr().unwrap()));
    let timings = Timings { connect: Duration::from_millis(200), ..timings() };
    let opened = tokio::time::timeout(Duration::from_secs(30), Store::open(place, keys(), timings)).await;
    let error = opened.expect("it waits for ever").unwrap_err();
    assert!(matches!(error, OpenError::Store(StoreError::Unreachable(_))), "{error:?}");
}

#[test]
fn a_database_server_that_goes_and_comes_back() {
    let mut server = match Postgres::start() {
        Ok(server) => server,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let place = Place::Postgres(server.database().await);
        let timings = Timings { wait: Duration::from_secs(1), ..timings() };
        let store = Store::open(place.clone(), keys(), timings.clone()).await.unwrap();
        let batch = || vec![Write::Event(event(1, 1, "x", 0)), Write::Operation(operation(1, 1, true, 0))];
        assert_eq!(store.write(batch()).await.unwrap().events, [1]);
        server.stop();
        let error = store.write(batch()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
        assert!(error.may_pass());
        assert!(store.remotes().await.is_err());
        let error = Store::open(place.clone(), keys(), timings.clone()).await.unwrap_err();
        assert!(matches!(error, OpenError::Store(StoreError::Unreachable(_))), "{error:?}");
        server.start_again();
        // Found again by itself; and the refused batch has left nothing.
        let until = Instant::now() + Duration::from_secs(20);
        let written = loop {
            match store.write(batch()).await {
                Ok(written) => break written,
                Err(error) => assert!(error.may_pass() && Instant::now() < until, "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(written.events, [2]);
        assert_eq!(store.last_event_seq().await.unwrap(), 2);
        // Gone and back while nothing was to be written: nobody need know.
        server.stop();
        server.start_again();
        let until = Instant::now() + Duration::from_secs(20);
        while let Err(error) = Store::look(&place).await {
            assert!(Instant::now() < until, "{error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(store.write(batch()).await.unwrap().events, [3]);
        store.close().await;
    });
}

#[test]
fn two_processes_share_one_postgres() {
    let server = match Postgres::start() {
        Ok(server) => server,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let place = Place::Postgres(server.database().await);
        // Born at the same moment: one of them makes the tables.
        let open = || tokio::spawn(Store::open(place.clone(), keys(), timings()));
        let (one, two) = (open(), open());
        let (one, two) = (one.await.unwrap().unwrap(), two.await.unwrap().unwrap());
        assert_eq!(one.instance(), two.instance());
        let tasks: Vec<_> = [&one, &two, &one, &two]
            .into_iter()
            .cloned()
            .map(|store| {
                tokio::spawn(async move {
                    for n in 0..50 {
                        // In either order: they must not wait for each other for ever.
                        let mut batch = vec![Write::Event(event(1, 1, "x", n)), Write::Audit(audit("x", n))];
                        if n % 2 == 0 {
                            batch.reverse();
                        }
                        store.write(batch).await.unwrap();
                        store.next_remote_id().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let all = EventFilter { after: Some(0), limit: 1000, ..EventFilter::default() };
        assert!(two.events(all).await.unwrap().iter().map(|(seq, _)| *seq).eq(1..=200));
        assert_eq!(one.verify_audit().await, Ok(200));
        assert_eq!(two.next_remote_id().await.unwrap(), RemoteId(201));
        one.close().await;
        two.close().await;
    });
}
