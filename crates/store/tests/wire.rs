//! A network between Muster and its PostgreSQL that fails in the middle of things.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use sqlx::Connection;
use store::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What becomes of what goes through the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    /// It arrives.
    Sound,
    /// Nothing arrives any more, either way, and nobody is told.
    Silent,
    /// The next commit arrives; then every connection is cut, and none is made.
    CutAfterCommit,
    /// The next commit does not arrive: every connection is cut before it. New ones are made.
    CutBeforeCommit,
    /// Connections are cut, and none is made.
    Cut,
    /// Of so many commits and one more the last arrives and is cut before its answer; then nothing is told of it.
    Forget(u8),
    /// What became of a commit is not told; everything else arrives.
    Mute,
}

/// A wire to a server's socket; its own address.
async fn wire(socket: PathBuf) -> (std::net::SocketAddr, Arc<watch::Sender<Wire>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(watch::Sender::new(Wire::Sound));
    let told = state.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if *told.borrow() == Wire::Cut {
                continue;
            }
            let server = UnixStream::connect(&socket).await.unwrap();
            tokio::spawn(pass(client, server, told.clone()));
        }
    });
    (address, state)
}

async fn pass(client: TcpStream, server: UnixStream, state: Arc<watch::Sender<Wire>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut changed = state.subscribe();
    changed.mark_unchanged();
    loop {
        let (bytes, is_up) = tokio::select! {
            read = from_client.read(&mut up) => (&up[..read.unwrap_or(0)], true),
            read = from_server.read(&mut down) => (&down[..read.unwrap_or(0)], false),
            _ = changed.changed() => if *state.borrow() == Wire::Cut { return } else { continue },
        };
        if bytes.is_empty() {
            return;
        }
        let now = *state.borrow();
        let commits = is_up && bytes.windows(6).any(|six| six == b"COMMIT");
        match now {
            Wire::Silent => {
                // Whoever waits for an answer waits.
                std::future::pending::<()>().await;
            }
            Wire::CutBeforeCommit if commits => {
                state.send_replace(Wire::Sound);
                return;
            }
            Wire::CutAfterCommit if commits => {
                state.send_replace(Wire::Cut);
                to_server.write_all(bytes).await.unwrap();
                // Until it has answered.
                let _ = from_server.read(&mut down).await;
                return;
            }
            Wire::Forget(0) if commits => {
                state.send_replace(Wire::Mute);
                to_server.write_all(bytes).await.unwrap();
                let _ = from_server.read(&mut down).await;
                return;
            }
            Wire::Forget(more) if commits => {
                state.send_replace(Wire::Forget(more - 1));
                to_server.write_all(bytes).await.unwrap();
            }
            Wire::Mute if is_up && bytes.windows(14).any(|some| some == b"pg_xact_status") => return,
            _ if is_up => to_server.write_all(bytes).await.unwrap(),
            _ => {
                let _ = to_client.write_all(bytes).await;
            }
        }
    }
}

/// A server with a database, and a store on it that speaks to it over a wire.
struct Bench {
    server: Postgres,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Option<Self> {
        let server = match Postgres::start() {
            Ok(server) => server,
            Err(why) => {
                println!("skipped: {why}");
                return None;
            }
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Some(Self { server, runtime })
    }

    /// A fresh database, its place behind a wire, and the place as it is.
    async fn places(&self) -> (Place, Place, Arc<watch::Sender<Wire>>) {
        let url = self.server.database().await;
        let (address, state) = wire(self.server.socket()).await;
        let name = url.split('/').nth(3).unwrap().split('?').next().unwrap().to_owned();
        (Place::Postgres(format!("postgres://muster@{address}/{name}")), Place::Postgres(url), state)
    }
}

fn impatient() -> Timings {
    Timings {
        patience: Duration::from_millis(500),
        doubt: Duration::from_secs(4),
        connect: Duration::from_millis(500),
        ..timings()
    }
}

fn line(second: i64) -> Batch {
    vec![Write::Event(event(1, 1, "x", second)), Write::Audit(audit("x", second))]
}

#[test]
fn a_commit_that_was_not_answered_is_looked_into() {
    let Some(bench) = Bench::new() else { return };
    bench.runtime.block_on(async {
        let (place, direct, state) = bench.places().await;
        let store = Store::open(place, keys(), impatient()).await.unwrap();
        let look = Store::open(direct.clone(), keys(), timings()).await.unwrap();
        assert_eq!(store.write(line(0)).await.unwrap().events, [1]);

        // It arrived; the server is gone from sight for a while.
        state.send_replace(Wire::CutAfterCommit);
        let mend = {
            let state = state.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                state.send_replace(Wire::Sound);
            })
        };
        assert_eq!(store.write(line(1)).await.unwrap().events, [2]);
        mend.await.unwrap();
        assert_eq!(look.last_event_seq().await.unwrap(), 2);

        // It did not arrive. The server may take its time to notice: until then it holds the numbers.
        state.send_replace(Wire::CutBeforeCommit);
        let error = store.write(line(2)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
        assert_eq!(look.last_event_seq().await.unwrap(), 2);
        assert_eq!(store.write(line(2)).await.unwrap().events, [3]);

        // It arrived, and nobody can tell: then that is said, and the group is not written again. While somebody holds
        // the numbers the first one waits, and the others gather behind it.
        let mut holder = behind(&direct).await;
        let hold = "BEGIN; UPDATE counters SET value = value WHERE name = 'event'";
        sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
        state.send_replace(Wire::Forget(1));
        let writes: Vec<_> = (10..15)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { store.write(line(n)).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
        holder.close().await.unwrap();
        let mut doubted = 0;
        for write in writes {
            match write.await.unwrap() {
                Ok(written) => assert_eq!(written.events, [4]),
                Err(error) => {
                    assert!(matches!(error, StoreError::InDoubt(_)) && !error.may_pass(), "{error:?}");
                    doubted += 1;
                }
            }
        }
        assert_eq!(doubted, 4);
        assert_eq!(look.last_event_seq().await.unwrap(), 8, "each once");
        state.send_replace(Wire::Sound);
        assert_eq!(store.write(line(9)).await.unwrap().events, [9]);
        store.close().await;
        look.close().await;
    });
}

#[test]
fn a_connection_that_was_dropped_without_a_word_is_given_up() {
    let Some(bench) = Bench::new() else { return };
    bench.runtime.block_on(async {
        let (place, direct, state) = bench.places().await;
        let store = Store::open(place, keys(), impatient()).await.unwrap();
        let look = Store::open(direct, keys(), Timings { busy: Duration::from_secs(20), ..timings() })
            .await
            .unwrap();
        store.write(line(0)).await.unwrap();
        state.send_replace(Wire::Silent);
        let began = Instant::now();
        let error =
            tokio::time::timeout(Duration::from_secs(60), store.write(line(1))).await.expect("it hangs");
        assert!(matches!(error, Err(StoreError::Unreachable(_))), "{error:?}");
        println!("given up after {:?}", began.elapsed());
        // Whoever shares the database is not held up by it either.
        look.write(line(1)).await.unwrap();
        state.send_replace(Wire::Sound);
        store.write(line(2)).await.unwrap();
        assert_eq!(look.last_event_seq().await.unwrap(), 3);

        // Nor does it keep the end waiting.
        state.send_replace(Wire::Silent);
        tokio::time::timeout(Duration::from_secs(60), store.close()).await.expect("it does not close");
        look.close().await;
    });
}

/// Of two that find the database empty at the same moment, under keys of their own, one makes it its own.
#[test]
fn two_that_begin_at_once_have_one_key_between_them() {
    let Some(bench) = Bench::new() else { return };
    bench.runtime.block_on(async {
        for _ in 0..8 {
            let place = Place::Postgres(bench.server.database().await);
            let open =
                |byte| tokio::spawn(Store::open(place.clone(), Keys::new(key(byte), vec![]), timings()));
            let (one, two) = (open(1), open(2));
            let opened = [one.await.unwrap(), two.await.unwrap()];
            let refused: Vec<_> = opened.iter().filter_map(|opened| opened.as_ref().err()).collect();
            assert!(matches!(refused[..], [OpenError::WrongKey { .. }]), "{refused:?}");
            for store in opened.into_iter().flatten() {
                store.close().await;
            }
        }
        // With the same key there is one secret, whoever made it.
        let place = Place::Postgres(bench.server.database().await);
        let open = || Store::open(place.clone(), keys(), timings());
        let (one, two) = (open().await.unwrap(), open().await.unwrap());
        let id = || SecretId::new("fingerprint", "requests");
        let once = |plain: &[u8]| {
            vec![Write::SecretOnce { id: id(), plain: zeroize::Zeroizing::new(plain.to_vec()) }]
        };
        let (a, b) = tokio::join!(one.write(once(b"one")), two.write(once(b"two")));
        a.unwrap();
        b.unwrap();
        let kept = one.secret(&id()).await.unwrap().unwrap();
        assert_eq!(two.secret(&id()).await.unwrap().unwrap(), kept);
        two.write(once(b"three")).await.unwrap();
        assert_eq!(one.secret(&id()).await.unwrap().unwrap(), kept);
        one.close().await;
        two.close().await;
    });
}

/// A certificate for `localhost` under a CA of its own: what stands in the files of certificate, key and CA.
fn certificates() -> [String; 3] {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let own = authority.self_signed(&authority_key).unwrap().pem();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer);
    [leaf.unwrap().pem(), key.serialize_pem(), own]
}

async fn is_encrypted(place: &Place) -> bool {
    use sqlx::Row;
    let mut look = behind(place).await;
    let row = sqlx::query("SELECT CAST(ssl AS INTEGER) FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    let ssl: i32 = row.fetch_one(&mut look).await.unwrap().get(0);
    look.close().await.unwrap();
    ssl == 1
}

#[test]
fn a_server_that_knows_tls_is_spoken_to_in_tls() {
    use std::os::unix::fs::PermissionsExt;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let files = tempfile::tempdir().unwrap();
    let [certificate, key, ours] = certificates();
    let [.., strange] = certificates();
    for (name, text) in [("ours.pem", &ours), ("strange.pem", &strange)] {
        std::fs::write(files.path().join(name), text).unwrap();
    }
    let server = Postgres::start_with(|dir| {
        for (name, text) in [("server.crt", &certificate), ("server.key", &key)] {
            let path = dir.join("data").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        vec!["listen_addresses=127.0.0.1".into(), format!("port={port}"), "ssl=on".into()]
    });
    let server = match server {
        Ok(server) => server,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let url = server.database().await;
        let name = url.split('/').nth(3).unwrap().split('?').next().unwrap();
        let place =
            |query: &str| Place::Postgres(format!("postgres://muster@localhost:{port}/{name}{query}"));
        let rooted = |name: &str, more: &str| {
            place(&format!("?sslrootcert={}{more}", files.path().join(name).display()))
        };
        // Only what is forbidden is not encrypted, on this machine too.
        for (place, encrypted) in [
            (place("?sslmode=disable"), false),
            (place(""), true),
            (place("?sslmode=require"), true),
            (rooted("ours.pem", "&sslmode=verify-full"), true),
        ] {
            let Place::Postgres(text) = &place else { unreachable!() };
            assert_eq!(is_encrypted(&place).await, encrypted, "{text}");
        }
        let store = Store::open(rooted("ours.pem", ""), keys(), timings()).await.unwrap();
        store.write(line(0)).await.unwrap();
        store.close().await;
        let error = Store::open(rooted("strange.pem", ""), keys(), timings()).await.unwrap_err();
        assert!(matches!(error, OpenError::Store(StoreError::Unreachable(_))), "{error:?}");
    });
    drop(server);
    let Some(bench) = Bench::new() else { return };
    bench.runtime.block_on(async {
        let (place, ..) = bench.places().await;
        let Place::Postgres(url) = place else { unreachable!() };
        let must = Place::Postgres(format!("{url}?sslmode=require"));
        let error = Store::open(must, keys(), timings()).await.unwrap_err();
        assert!(error.to_string().contains("does not support TLS"), "{error}");
    });
}
