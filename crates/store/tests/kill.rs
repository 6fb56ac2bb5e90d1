//! `kill -9` at random moments: what was acknowledged is there, nothing is there by half, numbers have no gaps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use model::{OperationId, RemoteId};
use rand::Rng;
use store::*;

/// Writes for ever, four authors at once, and says each batch's last number once it is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run in a process of its own, to be killed"]
async fn child_that_writes() {
    let place: Place = std::env::var("STORE_CHILD_PLACE").expect("run by another test only").parse().unwrap();
    let store = Store::open(place, Keys::new(key(2), vec![key(1)]), Timings::default()).await.unwrap();
    let base = store.last_event_seq().await.unwrap();
    println!("\nopen");
    let rotating = store.clone();
    tokio::spawn(async move {
        for n in 3_u8.. {
            // Between two keys for ever, so that a kill finds rows under both.
            let (new, old) = if n % 2 == 0 { (2, 1) } else { (1, 2) };
            rotating.rotate(Keys::new(key(new), vec![key(old)])).await.unwrap();
        }
    });
    let authors = (0..4).map(|author: u64| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in base.. {
                // One number in several tables: they are there together or not at all.
                let mark = n.to_string();
                let mut happened = event(author, 1, "mark", n);
                happened.body = mark.clone();
                let id = u64::try_from(n).unwrap() * 4 + author;
                let batch = vec![
                    Write::Observed(observed(author, ObservedKind::State, "", &mark)),
                    Write::Event(event(author, 1, "x", n)),
                    secret("mark", &author.to_string(), &mark),
                    Write::Operation(operation(id, author, true, n)),
                    Write::Audit(audit(&mark, n)),
                    Write::Event(happened),
                ];
                let written = store.write(batch).await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "ack {author} {} {id}", written.events[1]).unwrap();
                out.flush().unwrap();
            }
        })
    });
    for author in authors.collect::<Vec<_>>() {
        author.await.unwrap();
    }
}

/// Kills the child `rounds` times and looks at what it left, each time.
async fn kill_and_look(place: &Place, rounds: u32) {
    let mut acknowledged = 0;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes", "--ignored", "--nocapture"])
            .env("STORE_CHILD_PLACE", url(place))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (opened, is_open) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut acks = Vec::new();
            for line in out.lines().map_while(Result::ok) {
                if line == "open" {
                    let _ = opened.send(());
                } else if let Some(rest) = line.strip_prefix("ack ") {
                    let numbers: Vec<u64> = rest.split(' ').map(|number| number.parse().unwrap()).collect();
                    acks.push((numbers[0], i64::try_from(numbers[1]).unwrap(), numbers[2]));
                }
            }
            acks
        });
        // Now and then while it is still opening.
        if round % 5 != 4 {
            is_open.recv_timeout(Duration::from_secs(30)).expect("the child does not open");
        }
        let wait = rand::rng().random_range(0..120);
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        let acks = reader.join().unwrap();
        acknowledged += acks.len();

        let store = Store::open(place.clone(), Keys::new(key(1), vec![key(2)]), timings()).await.unwrap();
        let last = store.last_event_seq().await.unwrap();
        let all = EventFilter { after: Some(0), limit: 1_000_000, ..EventFilter::default() };
        let events = store.events(all).await.unwrap();
        assert!(events.iter().map(|(seq, _)| *seq).eq(1..=last), "round {round}: a gap");
        for (author, seq, id) in acks {
            assert!(seq <= last, "round {round}: event {seq} was acknowledged and is gone");
            let found = store.operation(OperationId(id)).await.unwrap();
            assert!(
                found.is_some(),
                "round {round}: operation {id} of {author} was acknowledged and is gone"
            );
        }
        for author in 0..4 {
            let mut of_author = events.iter().filter(|(_, it)| it.remote == Some(RemoteId(author)));
            let count = of_author.clone().count();
            assert_eq!(count % 2, 0, "round {round}: half a batch");
            let Some((_, mark)) = of_author.rfind(|(_, it)| it.kind == "mark") else { continue };
            let state = store.observed_one(RemoteId(author), ObservedKind::State, "").await.unwrap().unwrap();
            assert_eq!(state.body, mark.body, "round {round}: half a batch");
            let sealed = store.secret(&SecretId::new("mark", author)).await.unwrap().unwrap();
            assert_eq!(sealed.as_slice(), mark.body.as_bytes(), "round {round}: half a batch");
        }
        let audited = store.verify_audit().await.unwrap();
        assert_eq!(audited * 2, usize::try_from(last).unwrap(), "round {round}: half a batch");
        assert_eq!(store.check().await, Ok(()));
        store.close().await;
    }
    println!("{acknowledged} batches were acknowledged in {rounds} rounds");
    assert!(acknowledged > 20, "the child hardly wrote: {acknowledged} batches");
}

fn url(place: &Place) -> String {
    match place {
        Place::Sqlite(path) => path.display().to_string(),
        Place::Postgres(url) => url.clone(),
    }
}

/// How often in `make soak`.
fn rounds(usual: u32) -> u32 {
    std::env::var("MUSTER_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test]
async fn sqlite_survives_being_killed() {
    let ground = Ground::sqlite();
    kill_and_look(&ground.place().await, rounds(20)).await;
}

#[test]
fn a_writer_of_postgres_survives_being_killed() {
    let server = match Postgres::start() {
        Ok(server) => server,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ground = Ground::postgres(&server);
        kill_and_look(&ground.place().await, rounds(5)).await;
    });
}
