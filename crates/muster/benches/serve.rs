//! What a real `muster serve` costs, simulated remotes in another process than it: memory per guest, the time of a
//! start, of a list while polling goes on, and how processor time, requests and writing grow with the number of remotes.
//! Fails when an aim is missed.
//!
//! `cargo bench -p muster --bench serve` for all of it, a quarter of an hour; `SERVE_BENCH=large` or `SERVE_BENCH=50,500`
//! for parts; `SERVE_LARGE=10x1000` for another large fleet (to look at, not to judge).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measurement may end itself"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::cost::{Cost, percentile, raise_open_files};
use common::many::{Viewer, alike, all_live, counted, gaps, known, observed, requests};
use common::process::Server;
use pve_sim::{Sim, SimTimings};

/// Bytes of resident memory a guest may cost.
const PER_GUEST: u64 = 2_048;
/// From the start of the process to the first answer that counts every guest.
const START: Duration = Duration::from_secs(1);
/// A list, 99 of 100.
const LIST: Duration = Duration::from_millis(20);
const LISTS: usize = 1_000;
const QUERY: &str = "/api/v1/guests?q=type:ct%20status:running&sort=cpu";
/// The sizes at which the cost of polling is compared, and how many guests each remote has there.
const SIZES: [usize; 3] = [50, 500, 5_000];
const GUESTS: usize = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// Nothing that works takes so long.
const PATIENCE: Duration = Duration::from_secs(900);
/// Open files that a simulated remote takes here at most: its listener, and both ends of what is not used any more.
const FILES: u64 = 4;

fn main() -> ExitCode {
    let files = raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let parts = std::env::var("SERVE_BENCH").unwrap_or_else(|_| "large,50,500,5000".to_owned());
    let mut missed = Vec::new();
    runtime.block_on(async {
        if parts.split(',').any(|part| part == "large") {
            large(&mut missed).await;
        }
        let sizes = SIZES.into_iter().filter(|size| parts.split(',').any(|part| part == size.to_string()));
        let sizes: Vec<usize> = sizes.collect();
        if !sizes.is_empty() {
            growth(&sizes, files).await;
        }
    });
    for miss in &missed {
        println!("MISSED: {miss}");
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn server() -> Server {
    Server::nowhere().with(&["--listen", "127.0.0.1:0"])
}

/// The memory of a server that knows of nothing.
struct Empty {
    /// Right after its start.
    fresh: u64,
    /// When somebody has signed in (a password is checked in many MiB) and asked for lists.
    used: u64,
}

impl Empty {
    async fn measure() -> Self {
        let mut server = server();
        server.start().await;
        counted(&server).await.unwrap();
        let fresh = Cost::of(server.pid()).resident;
        let mut viewer = Viewer::sign_in(&server).await;
        viewer.time(QUERY, 100).await;
        let used = Cost::of(server.pid()).resident;
        server.end().await;
        Self { fresh, used }
    }
}

/// A process that starts with what another one knew: until it has answered with every guest.
async fn started(server: &mut Server, guests: usize) -> Duration {
    let began = Instant::now();
    server.spawn();
    loop {
        if counted(server).await.is_some_and(|(total, _)| total == guests as u64) {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "it does not answer:\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn large(missed: &mut Vec<String>) {
    let size = std::env::var("SERVE_LARGE").unwrap_or_else(|_| "100x1000".to_owned());
    let (remotes, each) = size.split_once('x').unwrap();
    let (remotes, each): (usize, usize) = (remotes.parse().unwrap(), each.parse().unwrap());
    let guests = remotes * each;
    let empty = Empty::measure().await;
    let sim = Sim::start(alike(remotes, each), SimTimings::default()).await.unwrap();
    let remotes = sim.remotes();
    let mut server = server();
    let swept = observed(&server, &remotes, each).await;
    println!("\n{size} guests; every configuration and address read once in {:.0} s", swept.as_secs_f64());

    let mut starts = Vec::new();
    for _ in 0..2 {
        starts.push(started(&mut server, guests).await);
        server.end().await;
    }
    starts.push(started(&mut server, guests).await);
    let live = all_live(&server, guests, PATIENCE).await + starts[2];
    let fresh = Cost::of(server.pid());

    let mut viewer = Viewer::sign_in(&server).await;
    viewer.time(QUERY, 20).await;
    let asked = requests(&remotes);
    let (lists, page) = viewer.time(QUERY, LISTS).await;
    let polled = requests(&remotes) - asked;
    assert!(page["total"].as_u64().unwrap() > 0 && page["items"][0]["cpu"].is_number(), "{page:#}");

    let (before, asked, began) = (Cost::of(server.pid()), requests(&remotes), Instant::now());
    tokio::time::sleep(MINUTE).await;
    let after = Cost::of(server.pid());
    let (processor, wchar, to_disk) = after.a_minute_since(&before);
    let asked = (requests(&remotes) - asked) as f64 / began.elapsed().as_secs_f64() * 60.0;
    let (_, still_live) = counted(&server).await.unwrap();
    let per_guest = |cost: &Cost, empty: u64| cost.resident.saturating_sub(empty) / guests as u64;
    let (at_first, later) = (per_guest(&fresh, empty.fresh), per_guest(&after, empty.used));
    starts.sort_unstable();
    let (p50, p99) = (percentile(&lists, 50), percentile(&lists, 99));

    println!("| | | aim |\n|---|---|---|");
    println!(
        "| resident memory of an empty server, right after a start / used | {:.1} / {:.1} MiB | |",
        mib(empty.fresh),
        mib(empty.used)
    );
    println!(
        "| more than that per guest, right after a start | {at_first} bytes ({:.1} MiB in all) | {PER_GUEST} bytes |",
        mib(fresh.resident)
    );
    println!(
        "| the same, minutes and {LISTS} lists later | {later} bytes ({:.1} MiB in all) | {PER_GUEST} bytes |",
        mib(after.resident)
    );
    println!(
        "| start to the first answer with all {guests} guests, best / median / worst of 3 | {:.2} / {:.2} / {:.2} s | {:.2} s |",
        starts[0].as_secs_f64(),
        starts[1].as_secs_f64(),
        starts[2].as_secs_f64(),
        START.as_secs_f64()
    );
    println!("| all live again | {:.1} s | |", live.as_secs_f64());
    println!(
        "| a list while polling ({polled} polls meanwhile), median / 99 of 100 / worst of {LISTS} | {:.1} / {:.1} / {:.1} ms | {} ms |",
        millis(p50),
        millis(p99),
        millis(lists[LISTS - 1]),
        LIST.as_millis()
    );
    println!(
        "| a minute of polling | {processor:.1} s of processor time, {asked:.0} requests, {:.0} KiB of `wchar`, {:.0} KiB to disk | |",
        wchar as f64 / 1024.0,
        to_disk as f64 / 1024.0
    );
    println!("| live at its end | {still_live} of {guests}; {} sockets | |", after.sockets);

    let mut judge = |bad: bool, what: String| missed.extend(bad.then_some(what));
    let most = at_first.max(later);
    judge(most > PER_GUEST, format!("{most} bytes a guest, not {PER_GUEST}"));
    judge(starts[1] > START, format!("{:?} for a start, not {START:?}", starts[1]));
    judge(p99 > LIST, format!("{p99:?} for a list (99 of 100), not {LIST:?}"));
    judge(still_live != guests as u64, format!("{still_live} of {guests} guests live"));
    assert_eq!(server.end().await.0, 0);
    sim.stop().await;
}

/// How cost grows with the number of remotes.
async fn growth(sizes: &[usize], files: u64) {
    let empty = Empty::measure().await.fresh;
    println!(
        "\nRemotes of {GUESTS} guests each, polled every 10 s; the simulator runs on the same processors.\n"
    );
    println!(
        "| remotes | processor time a minute | requests a minute and remote | between two listings, median / 99 of 100 | resident memory | sockets | `wchar` a minute | to disk a minute | live |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for &size in sizes {
        let most = usize::try_from(files / FILES).unwrap_or(usize::MAX);
        if size > most {
            println!("| {size} | `ulimit -n` is {files}: enough for {most} remotes | | | | | | | |");
            continue;
        }
        one_size(size, empty).await;
    }
}

async fn one_size(size: usize, empty: u64) {
    let guests = size * GUESTS;
    let sim = Sim::start(alike(size, GUESTS), SimTimings::default()).await.unwrap();
    let remotes = sim.remotes();
    let mut server = server();
    known(&server, &remotes).await;
    server.start().await;
    all_live(&server, guests, PATIENCE).await;
    settled(&server, &remotes).await;

    let (before, asked) = (Cost::of(server.pid()), requests(&remotes));
    tokio::time::sleep(MINUTE).await;
    let after = Cost::of(server.pid());
    let asked = (requests(&remotes) - asked) as f64 / (after.at - before.at).as_secs_f64() * 60.0;
    let (processor, wchar, to_disk) = after.a_minute_since(&before);
    let gaps = gaps(&remotes);
    let (_, live) = counted(&server).await.unwrap();
    println!(
        "| {size} | {processor:.1} s ({:.1} ms a remote) | {:.1} | {:.1} / {:.1} s | {:.0} MiB ({:.0} KiB a remote) | {} | {:.0} KiB | {:.0} KiB | {live} of {guests} |",
        processor * 1000.0 / size as f64,
        asked / size as f64,
        percentile(&gaps, 50).as_secs_f64(),
        percentile(&gaps, 99).as_secs_f64(),
        mib(after.resident),
        after.resident.saturating_sub(empty) as f64 / 1024.0 / size as f64,
        after.sockets,
        wchar as f64 / 1024.0,
        to_disk as f64 / 1024.0,
    );
    server.end().await;
    sim.stop().await;
}

/// Waits until the first reading of every configuration is over: what is asked for is what is asked for all day, and
/// nothing that is news is written any more.
async fn settled(server: &Server, remotes: &[pve_sim::Remote]) {
    const USUAL: f64 = 40.0;
    const NEWS: u64 = 256 * 1024;
    let began = Instant::now();
    loop {
        let (before, asked) = (Cost::of(server.pid()), requests(remotes));
        tokio::time::sleep(Duration::from_secs(20)).await;
        let after = Cost::of(server.pid());
        let a_minute = (requests(remotes) - asked) as f64 / (after.at - before.at).as_secs_f64() * 60.0;
        if a_minute / (remotes.len() as f64) < USUAL && after.wchar - before.wchar < NEWS {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come to rest");
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
