//! What a fleet costs: memory per guest, processor time, requests and bytes written while it polls, and how soon it
//! serves what it knew after a restart. The simulated remotes run in a process of their own. Fails when an aim is
//! missed.
//!
//! `cargo bench -p fleet --bench footprint` for 100 remotes of 1,000 guests; `FOOTPRINT=10x1000` for others.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement may end itself"
)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use fleet::{Clock, Fleet, RemoteSpec, Timings};
use model::{Author, FacetKind};
use pve::{Credential, TrustPolicy};
use pve_sim::{Sim, SimTimings, Topology};
use store::{Keys, Place, Store};

/// As in the server.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIMULATE: &str = "FOOTPRINT_SIMULATE";
const START: &str = "FOOTPRINT_START";
const AGAIN: &str = "FOOTPRINT_AGAIN";

/// Resident bytes per guest at most.
const BYTES: u64 = 2048;
/// From the start of a process to serving what was known: the best of a few, for whatever else runs on the machine
/// takes part in each.
const STARTED: Duration = Duration::from_secs(1);
const STARTS: usize = 3;
/// An unchanged listing: what reconciling may take of decoding.
const SHARE: f64 = 0.5;

/// Whether an aim is met; tells when it is not.
fn met(is: bool, aim: &str) -> bool {
    if !is {
        println!("MISSED: {aim}");
    }
    is
}

/// Resident memory since this process had as much as `empty`, per guest; whether that is little enough.
fn resident_per_guest(when: &str, empty: u64, guests: usize) -> bool {
    let full = resident();
    let each = full.saturating_sub(empty) / u64::try_from(guests).unwrap();
    println!("{when}: {} MiB resident, {} MiB when empty: {each} bytes per guest", full >> 20, empty >> 20);
    met(each <= BYTES, "memory per guest")
}

fn main() -> ExitCode {
    let size = std::env::var("FOOTPRINT").unwrap_or_else(|_| "100x1000".to_owned());
    let (remotes, guests) = size.split_once('x').unwrap();
    let (remotes, guests): (usize, usize) = (remotes.parse().unwrap(), guests.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let all_met = if std::env::var_os(SIMULATE).is_some() {
        runtime.block_on(simulate(remotes, guests));
        true
    } else if let Some(dir) = std::env::var_os(START) {
        runtime.block_on(start(dir.as_ref()))
    } else if let Some(dir) = std::env::var_os(AGAIN) {
        runtime.block_on(again(dir.as_ref(), remotes * guests))
    } else {
        runtime.block_on(measure(remotes, guests))
    };
    if all_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the remotes until standard input ends.
async fn simulate(remotes: usize, guests: usize) {
    let mut topology = Topology::single("9.2");
    let mut one = topology.remotes.remove(0);
    one.fill = serde_json::from_value(serde_json::json!({ "count": guests.saturating_sub(4) })).unwrap();
    topology.remotes = (0..remotes)
        .map(|n| {
            let mut one = one.clone();
            one.name = format!("r{n}");
            one
        })
        .collect();
    let sim = Sim::start(topology, SimTimings::default()).await.unwrap();
    let told: Vec<(String, String, String)> = sim
        .remotes()
        .iter()
        .map(|remote| {
            let node = remote.nodes()[0].clone();
            (
                remote.name().to_owned(),
                remote.address(&node).unwrap().to_string(),
                remote.leaf_fingerprint(&node).unwrap(),
            )
        })
        .collect();
    println!("{}", serde_json::to_string(&told).unwrap());
    let remotes = sim.remotes();
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    tokio::pin!(ended);
    loop {
        tokio::select! {
            _ = &mut ended => break,
            // Else what it remembers of every request would be the larger part.
            () = tokio::time::sleep(Duration::from_secs(5)) => remotes.iter().for_each(pve_sim::Remote::clear_journal),
        }
    }
    sim.stop().await;
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Processor time of this process, seconds.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

async fn open(dir: &std::path::Path) -> Store {
    let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
    Store::open(Place::Sqlite(dir.join("muster.db")), keys, store::Timings::default()).await.unwrap()
}

/// Starts with all that another process knew; what a process without any takes.
async fn restart(dir: &std::path::Path) -> (Fleet, Store, Duration, u64) {
    let began = Instant::now();
    let store = open(dir).await;
    let (opened, empty) = (began.elapsed(), resident());
    let fleet = Fleet::open(Timings::default(), Clock::new(), 7, store.clone()).await.unwrap();
    let known: usize = fleet.snapshot().remotes.iter().map(|one| one.guests.len()).sum();
    let took = began.elapsed();
    println!("after a restart {known} guests are there in {took:?} (the store alone {opened:?})");
    (fleet, store, took, empty)
}

/// A process that only starts; whether it did in time.
async fn start(dir: &std::path::Path) -> bool {
    let (fleet, store, took, _) = restart(dir).await;
    fleet.stop().await;
    store.close().await;
    took <= STARTED
}

/// A process that starts with all that another one knew, at true timings.
async fn again(dir: &std::path::Path, count: usize) -> bool {
    let began = Instant::now();
    let (fleet, store, _, empty) = restart(dir).await;
    let live = |fleet: &Fleet| fleet.snapshot().guests().filter(|(_, row)| row.freshness.is_live()).count();
    while live(&fleet) < count {
        assert!(began.elapsed() < Duration::from_secs(600), "they do not come live");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!("all live after {:?}", began.elapsed());
    let figures = |fleet: &Fleet| {
        let requests: u64 = fleet.snapshot().remotes.iter().map(|one| one.traffic.requests).sum();
        (processor(), requests, store.figures())
    };
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (before, since) = (figures(&fleet), Instant::now());
    tokio::time::sleep(seconds()).await;
    let after = figures(&fleet);
    let small = resident_per_guest("after a restart", empty, count);
    println!(
        "{:?} of polling at true timings: {:.2} s of processor time, {} requests, {} bytes of bodies in {} commits",
        since.elapsed(),
        after.0 - before.0,
        after.1 - before.1,
        after.2.bytes - before.2.bytes,
        after.2.commits - before.2.commits
    );
    fleet.stop().await;
    store.close().await;
    small
}

/// How long polling is measured.
fn seconds() -> Duration {
    let given = std::env::var("FOOTPRINT_SECONDS").ok().and_then(|n| n.parse().ok());
    Duration::from_secs(given.unwrap_or(60))
}

async fn measure(remotes: usize, guests: usize) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(SIMULATE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: Vec<(String, String, String)> = serde_json::from_str(&line).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    // The first sweep of all configurations takes half an hour by right.
    let timings = Timings {
        config_sweep: Duration::from_secs(60),
        addresses: Duration::from_secs(60),
        ..Timings::default()
    };
    let fleet = Fleet::open(timings.clone(), Clock::new(), 7, store.clone()).await.unwrap();
    let empty = resident();
    let author = Author { name: "bench".into(), from: "bench".into() };
    let began = Instant::now();
    for (name, address, leaf) in told {
        let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf.parse().unwrap()) };
        let credential = Credential::password("root@pam", "secret-root");
        let spec = RemoteSpec::new(name, address.parse().unwrap(), trust, credential);
        fleet.add(spec, &author).await.unwrap();
    }
    let count = remotes * guests;
    let swept = || {
        let snapshot = fleet.snapshot();
        snapshot.remotes.iter().all(|one| {
            let parts = one.facet(FacetKind::GuestConfig).and_then(|facet| facet.parts);
            one.guests.len() == guests && parts.is_some_and(|parts| parts.known == guests)
        })
    };
    while !swept() {
        assert!(began.elapsed() < Duration::from_secs(1800), "the sweep does not end");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    println!("{remotes} remotes x {guests} guests; every configuration read after {:?}", began.elapsed());
    let mut all_met = resident_per_guest("after the sweep", empty, count);
    fleet.stop().await;
    drop(fleet);
    store.close().await;
    drop(store);
    let process = async |way: &str| {
        let mut other = Command::new(std::env::current_exe().unwrap()).env(way, dir.path()).spawn().unwrap();
        tokio::task::spawn_blocking(move || other.wait()).await.unwrap().unwrap().success()
    };
    let mut in_time = false;
    for _ in 0..STARTS {
        in_time |= process(START).await;
    }
    all_met &= met(in_time, "what was known is served soon after the start");
    all_met &= process(AGAIN).await;
    drop(child.stdin.take());
    let _ = child.wait();
    measure_reconciling(guests) && all_met
}

/// An unchanged listing: decoding it, against reconciling it with what is known.
fn measure_reconciling(guests: usize) -> bool {
    let (mut decoding, mut reconciling) = (Duration::MAX, Duration::MAX);
    let mut one = fleet::bench::Listed::new(guests);
    for _ in 0..20 {
        let (decoded, reconciled) = one.take();
        (decoding, reconciling) = (decoding.min(decoded), reconciling.min(reconciled));
    }
    let share = reconciling.as_secs_f64() / decoding.as_secs_f64();
    println!(
        "an unchanged listing of {guests}: {decoding:?} to decode, {reconciling:?} to reconcile ({:.0} %)",
        share * 100.0
    );
    met(share <= SHARE, "reconciling an unchanged listing")
}
