//! What the store can do, as a table: writes alone and in groups, reads of history, and how soon a large
//! inventory is back. On SQLite, and on PostgreSQL where a server is installed. `MUSTER_BENCH_SCALE` (1 by
//! default) multiplies the amounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::*;
use model::{RemoteId, Vmid};
use store::*;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let scale = std::env::var("MUSTER_BENCH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("{:<58} {:>10} {:>12} {:>12}", "store", "count", "per second", "each");
    runtime.block_on(all("sqlite", &Ground::sqlite(), scale));
    match Postgres::start() {
        Ok(server) => runtime.block_on(all("postgres", &Ground::postgres(&server), scale)),
        Err(why) => println!("postgres: skipped, {why}"),
    }
}

fn row(engine: &str, what: &str, count: u64, took: Duration) {
    let each = took.as_secs_f64() / count as f64;
    println!("{:<58} {count:>10} {:>12.0} {:>9.1} µs", format!("{engine}: {what}"), 1.0 / each, each * 1e6);
}

/// Bytes this process has handed to the kernel to write.
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

async fn all(engine: &str, ground: &Ground<'_>, scale: u64) {
    let (store, place) = ground.store().await;

    let count = 500 * scale;
    let (started, before) = (Instant::now(), written());
    for n in 0..count {
        let it = event(1, 101, "guest_state", i64::try_from(n).unwrap());
        store.write(vec![Write::Event(it)]).await.unwrap();
    }
    row(engine, "one event at a time, synced within a second", count, started.elapsed());
    if ground.is_sqlite() {
        println!("{:<58} {:>10} bytes each", "        handed to the kernel", (written() - before) / count);
    }

    let started = Instant::now();
    for n in 0..count {
        let it = operation(n, 1, true, i64::try_from(n).unwrap());
        store.write(vec![Write::Operation(it)]).await.unwrap();
    }
    row(engine, "one operation at a time, synced at once", count, started.elapsed());

    for authors in [8_u64, 64] {
        let commits = store.figures().commits;
        let started = Instant::now();
        let each = 2_000 * scale / authors;
        let authors: Vec<_> = (0..authors)
            .map(|author| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..each {
                        let n = i64::try_from(n).unwrap();
                        let batch = vec![
                            Write::Operation(operation(author, 1, true, n)),
                            Write::Event(event(author, 101, "x", n)),
                        ];
                        store.write(batch).await.unwrap();
                    }
                })
            })
            .collect();
        let count = authors.len();
        for author in authors {
            author.await.unwrap();
        }
        let batches = each * u64::try_from(count).unwrap();
        let what = format!(
            "{count} authors, operation and event, synced; {:.1} batches a commit",
            batches as f64 / (store.figures().commits - commits) as f64
        );
        row(engine, &what, batches, started.elapsed());
    }

    let started = Instant::now();
    let count = 20_000 * scale;
    let mut n = 0;
    while n < count {
        let batch = (n..n + 1000).map(|n| {
            let vmid = u32::try_from(100 + n % 500).unwrap();
            Write::Event(event(n % 20, vmid, "guest_state", i64::try_from(n).unwrap()))
        });
        store.write(batch.collect()).await.unwrap();
        n += 1000;
    }
    row(engine, "events, a thousand in a batch", count, started.elapsed());

    let reads = 200;
    let started = Instant::now();
    for n in 0..reads {
        let page = EventFilter { before: Some(1 + n * 50), limit: 100, ..EventFilter::default() };
        store.events(page).await.unwrap();
    }
    row(engine, "pages of 100 events, of all remotes", u64::try_from(reads).unwrap(), started.elapsed());
    let started = Instant::now();
    for n in 0..reads {
        let vmid = Vmid(u32::try_from(100 + n).unwrap());
        let page =
            EventFilter { remote: Some(RemoteId(5)), vmid: Some(vmid), limit: 100, ..EventFilter::default() };
        store.events(page).await.unwrap();
    }
    row(engine, "pages of 100 events, of one guest", u64::try_from(reads).unwrap(), started.elapsed());

    let guests = 10_000 * scale;
    let started = Instant::now();
    let config = format!("{{\"config\":\"{}\"}}", "x".repeat(1_200));
    let status = format!("{{\"row\":\"{}\"}}", "x".repeat(400));
    for remote in 0..guests / 500 {
        let mut batch = Vec::new();
        for vmid in 0..500 {
            let key = (100 + vmid).to_string();
            batch.push(Write::Observed(observed(remote, ObservedKind::Guest, &key, &status)));
            batch.push(Write::Observed(observed(remote, ObservedKind::GuestConfig, &key, &config)));
            batch.push(Write::Observed(observed(remote, ObservedKind::GuestAddresses, &key, "{}")));
        }
        store.write(batch).await.unwrap();
    }
    row(engine, "guests seen for the first time, 3 rows each", guests, started.elapsed());
    let (started, before) = (Instant::now(), written());
    for n in 0..100 {
        let body = vec![7; 20_000];
        let it = GaugesRecord { remote: RemoteId(n % 20), at: at(0), body };
        store.write(vec![Write::Gauges(it)]).await.unwrap();
    }
    row(engine, "gauges of a remote, 20 kB", 100, started.elapsed());
    if ground.is_sqlite() {
        println!("{:<58} {:>10} bytes each", "        handed to the kernel", (written() - before) / 100);
    }
    store.close().await;

    let started = Instant::now();
    let store = Store::open(place, keys(), timings()).await.unwrap();
    println!("{:<58} {:>10.1?}", format!("{engine}: opening"), started.elapsed());
    let started = Instant::now();
    let readers: Vec<_> = (0..guests / 500)
        .map(|remote| {
            let store = store.clone();
            tokio::spawn(async move { store.observed(RemoteId(remote)).await.unwrap().len() })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    row(engine, "guests read back, 3 rows each", guests, started.elapsed());
    let started = Instant::now();
    let backup = store.backup(&ground.file("bench.db")).await.unwrap();
    println!(
        "{:<58} {:>10.1?} {} MB",
        format!("{engine}: backup"),
        started.elapsed(),
        backup.bytes / 1_000_000
    );
    store.close().await;
}
