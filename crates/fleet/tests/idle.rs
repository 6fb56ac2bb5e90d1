//! What a fleet costs while nothing happens: its own thread's processor time, the simulator's apart.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end itself")]

mod support;

use std::time::{Duration, Instant};

use fleet::{Clock, Fleet, Timings};
use model::{Action, Author, PowerOptions, RemoteId, Vmid};
use pve_sim::{Fault, Remote, Sim, SimTimings, Topology};
use support::{PATIENCE, ada, root, spec};

/// Processor time of the calling thread.
fn spent() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// Only Linux tells it.
fn cannot_be_told() -> bool {
    let missing = std::fs::metadata("/proc/thread-self/schedstat").is_err();
    if missing {
        println!("skipped: this system does not tell a thread's processor time in /proc");
    }
    missing
}

/// Runs a fleet on a thread of its own, so that its processor time can be told.
fn on_its_own<T: Send + 'static>(
    timings: Timings,
    work: impl AsyncFnOnce(Fleet) -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fleet = Fleet::new(timings, Clock::new(), 7);
            let result = work(fleet.clone()).await;
            fleet.stop().await;
            result
        })
    })
}

async fn wait(fleet: &Fleet, what: &str, fits: impl Fn() -> bool) {
    let began = Instant::now();
    let mut changed = fleet.changed();
    while !fits() {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        let _ = tokio::time::timeout(Duration::from_millis(200), changed.changed()).await;
    }
}

async fn joined<T: Send + 'static>(thread: std::thread::JoinHandle<T>) -> T {
    tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap()
}

/// An operation that waits for a link that is down must not be waited for in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_operation_behind_a_dead_link_costs_nothing() {
    if cannot_be_told() {
        return;
    }
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let mut timings = Timings::shrunk();
    // Once it is down, nothing happens by itself.
    timings.link.backoff =
        model::backoff::Backoff { first: Duration::from_secs(60), most: Duration::from_secs(60) };
    let given = remote.clone();
    let (down, is_down) = tokio::sync::oneshot::channel();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let thread = on_its_own(timings, async move |fleet| {
        let id: RemoteId = fleet.add(spec(&given, 1, root()), &ada()).await.unwrap();
        wait(&fleet, "guests", || !fleet.remote(id).unwrap().guests.is_empty()).await;
        let author = Author { name: "ada".into(), from: "test".into() };
        let start = fleet.operate(id, Vmid(102), Action::Start, PowerOptions::default(), author);
        let start = start.await.unwrap();
        let watch = fleet.operation(start).unwrap();
        wait(&fleet, "running", || watch.borrow().state.word() == "running").await;
        down.send(()).unwrap();
        gone.await.unwrap();
        wait(&fleet, "down", || fleet.remote(id).unwrap().link.state.word() == "backing_off").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!watch.borrow().state.is_final());
        let before = spent();
        tokio::time::sleep(Duration::from_secs(2)).await;
        spent().saturating_sub(before)
    });
    is_down.await.unwrap();
    remote.fault(None, Fault::Refuse).await;
    go.send(()).unwrap();
    let cost = joined(thread).await;
    println!("an open operation behind a dead link: {cost:?} in 2 s");
    assert!(cost < Duration::from_millis(20), "{cost:?} of processor time in two idle seconds");
    sim.stop().await;
}

/// By hand: 50 remotes of 20 guests each, at true timings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes 80 s; its figure is for people to read"]
async fn fifty_remotes_at_true_timings() {
    if cannot_be_told() {
        return;
    }
    let mut topology = Topology::single("9.2");
    let mut one = topology.remotes.remove(0);
    one.fill = serde_json::from_value(serde_json::json!({ "count": 16 })).unwrap();
    topology.remotes = (0..50)
        .map(|n| {
            let mut one = one.clone();
            one.name = format!("r{n}");
            one
        })
        .collect();
    let sim = Sim::start(topology, SimTimings::default()).await.unwrap();
    let remotes: Vec<Remote> = sim.remotes();
    let asked = {
        let remotes = remotes.clone();
        move || remotes.iter().map(|remote| remote.journal().len()).sum::<usize>()
    };
    let thread = on_its_own(Timings::default(), async move |fleet| {
        for remote in &remotes {
            fleet.add(spec(remote, 1, root()), &ada()).await.unwrap();
        }
        wait(&fleet, "all guests", || fleet.snapshot().remotes.iter().all(|one| one.guests.len() == 20))
            .await;
        println!("connected, {:?} of processor time so far", spent());
        tokio::time::sleep(Duration::from_secs(40)).await;
        let (before, requests, revision) = (spent(), asked(), fleet.snapshot().revision);
        tokio::time::sleep(Duration::from_secs(30)).await;
        (spent().saturating_sub(before), asked() - requests, fleet.snapshot().revision - revision)
    });
    let (cost, requests, snapshots) = joined(thread).await;
    println!(
        "50 remotes, 1,000 guests, 30 s: {cost:?} of processor time ({:.2} % of one core), {requests} requests, {snapshots} snapshots",
        cost.as_secs_f64() / 30.0 * 100.0
    );
    sim.stop().await;
}
