//! What a fleet costs while nothing happens: its own thread's processor time, the simulator's apart.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end itself")]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleet::{Clock, Fleet, Timings};
use model::{Action, Author, FacetKind, GuestState, PowerOptions, RemoteId, Vmid};
use pve_sim::{Fault, Remote, Sim, SimTimings, Topology};
use support::{Lasting, PATIENCE, ada, root, spec};

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

/// Fifty remotes of 20 guests each, at true timings: no more is asked than polling manners allow, no less than the
/// intervals want, and next to no processor time goes into it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes 80 s"]
async fn fifty_remotes_at_true_timings() {
    if cannot_be_told() {
        return;
    }
    let sim = Sim::start(hosts(50, 20), SimTimings::default()).await.unwrap();
    let remotes: Vec<Remote> = sim.remotes();
    let asked = {
        let remotes = remotes.clone();
        move || remotes.iter().map(Remote::requests).sum::<u64>()
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
    // Listing and tasks every 10 s, the cluster every 30, node and HA manager every 60: 8 in 30 s, up to a twentieth
    // late; permissions, versions, configurations and addresses now and then.
    assert!((50 * 7..50 * 10).contains(&requests), "{requests} requests");
    assert!(cost < Duration::from_secs(3), "a tenth of a processor for nothing: {cost:?}");
    assert!(snapshots <= requests, "{snapshots} snapshots of what {requests} requests brought");
    sim.stop().await;
}

/// So many stand-alone hosts of so many guests each.
fn hosts(count: usize, guests: usize) -> Topology {
    let mut topology = Topology::single("9.2");
    let mut one = topology.remotes.remove(0);
    let fill = guests - one.guests.len();
    one.fill = serde_json::from_value(serde_json::json!({ "count": fill })).unwrap();
    topology.remotes = (0..count)
        .map(|n| {
            let mut one = one.clone();
            one.name = format!("r{n}");
            one
        })
        .collect();
    topology
}

/// While figures move and nothing else happens, one compact record a remote is written now and then, and nothing
/// beside it. (`make soak` measures what a real server writes in a true minute.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_fleet_writes_its_figures_and_nothing_else() {
    const REMOTES: usize = 4;
    const GUESTS: usize = 25;
    const KEPT: Duration = Duration::from_millis(1_000);
    let sim = Sim::start(hosts(REMOTES, GUESTS), SimTimings::fast()).await.unwrap();
    let lasting = Lasting::new().await;
    let mut timings = Timings::shrunk();
    timings.gauges_kept = KEPT;
    // A slow answer of a busy machine is not to stretch the polls.
    timings.rest = 1;
    timings.link.intervals = 20;
    let fleet = Fleet::open(timings.clone(), Clock::new(), 7, lasting.store.clone()).await.unwrap();
    for remote in sim.remotes() {
        fleet.add(spec(&remote, 1, root()), &ada()).await.unwrap();
    }
    wait(&fleet, "everything", || {
        fleet.snapshot().remotes.iter().all(|one| {
            let known = |kind| one.facet(kind).and_then(|facet| facet.parts).map(|parts| parts.known);
            one.guests.len() == GUESTS
                && known(FacetKind::GuestConfig) == Some(GUESTS)
                && known(FacetKind::Certificates) == Some(1)
                && known(FacetKind::Addresses) == one.facet(FacetKind::Addresses).and_then(asked_once)
        })
    })
    .await;
    // What was read last is written by then.
    tokio::time::sleep(2 * KEPT).await;
    let figures = |fleet: &Fleet| -> BTreeMap<(RemoteId, Vmid), u64> {
        let snapshot = fleet.snapshot();
        let running = snapshot.guests().filter(|(_, row)| row.guest.state == GuestState::Running);
        running
            .map(|(remote, row)| ((remote.id, row.guest.vmid), row.guest.cpu.unwrap_or_default().to_bits()))
            .collect()
    };
    let events = lasting.history().await.len();
    let asked = || sim.remotes().iter().map(Remote::requests).sum::<u64>();
    let (before, written, polls, began) = (figures(&fleet), lasting.store.figures(), asked(), Instant::now());
    tokio::time::sleep(3 * KEPT).await;
    let (after, writing, polled) = (figures(&fleet), lasting.store.figures(), asked() - polls);
    let records = u64::try_from(REMOTES).unwrap()
        * u64::try_from(began.elapsed().as_millis() / KEPT.as_millis() + 1).unwrap();

    let moved = after.iter().filter(|(key, cpu)| before.get(*key).is_some_and(|old| old != *cpu)).count();
    let (writes, bytes) = (writing.writes - written.writes, writing.bytes - written.bytes);
    println!(
        "{} idle guests in {:?}: {polled} requests, {writes} changes of {bytes} bytes written ({records} records at most); \
         figures of {moved} of {} running guests moved",
        REMOTES * GUESTS,
        began.elapsed(),
        after.len()
    );
    assert!(moved * 10 >= after.len() * 9, "figures stood still: {moved} of {}", after.len());
    assert!(polled > 4 * records, "{polled} requests: it was hardly polled");
    assert!(writes > 0, "the figures were to be recorded");
    // With each record of figures goes one of how old everything is.
    assert!(writes <= 2 * records, "{writes} changes, where {records} records of figures were due");
    let a_guest = bytes / records / u64::try_from(GUESTS).unwrap();
    assert!(a_guest < 400, "{a_guest} bytes in a record for each guest");
    assert_eq!(lasting.history().await.len(), events, "nothing has happened");
    fleet.stop().await;
    sim.stop().await;
}

/// Virtual machines without an agent are asked, and do not tell.
fn asked_once(facet: &model::facet::Coverage) -> Option<usize> {
    facet.parts.map(|parts| parts.known).filter(|known| *known > 0)
}
