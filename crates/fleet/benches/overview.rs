//! How long the overview takes over 100 remotes of 1,000 guests each: the first time, after a poll of one remote, and
//! when nothing has changed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod measure;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::overview::{Limits, overview};
use fleet::{FleetSnapshot, GuestRow, NodeRow, RemoteSnapshot, Standing, StorageRow};
use jiff::Timestamp;
use measure::row;
use model::access::Visible;
use model::{
    Freshness, Guest, GuestKind, GuestState, Incarnation, LinkState, Node, NodeState, Presence, RemoteId,
    Storage, Task, TaskOutcome, Vmid,
};

const REMOTES: u64 = 100;
const GUESTS: u32 = 1000;
const NODES: u32 = 8;
const TASKS: u32 = 200;
const TIMES: usize = 200;
const LIMITS: Limits = Limits { troubles: 100, running: 20 };
/// How long it may take whoever looks while polls go on.
const BOUND: Duration = Duration::from_millis(5);

fn main() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let mut fleet =
        FleetSnapshot { revision: 1, remotes: (1..=REMOTES).map(|id| Arc::new(remote(id, now))).collect() };
    println!("| overview over {} guests | best ms | median ms | p99 ms |", REMOTES * u64::from(GUESTS));
    println!("|---|---|---|---|");
    let look = |fleet: &FleetSnapshot| {
        let begun = Instant::now();
        black_box(overview(black_box(fleet), &Visible::All, now, LIMITS));
        begun.elapsed()
    };
    let first: Vec<_> = (0..20)
        .map(|_| {
            // Copies begin without what was made for the overview.
            for one in &mut fleet.remotes {
                *one = Arc::new((**one).clone());
            }
            look(&fleet)
        })
        .collect();
    row("every remote polled since the last look", first);
    let polled: Vec<_> = (0..TIMES)
        .map(|n| {
            let at = n % fleet.remotes.len();
            if let Some(one) = fleet.remotes.get_mut(at) {
                *one = Arc::new((**one).clone());
            }
            look(&fleet)
        })
        .collect();
    let median = row("one remote polled since the last look", polled);
    row("nothing changed", (0..TIMES).map(|_| look(&fleet)).collect());
    assert!(median <= BOUND, "the overview takes longer than {BOUND:?}");
}

fn remote(id: u64, now: Timestamp) -> RemoteSnapshot {
    let mut one = RemoteSnapshot::bare(RemoteId(id), format!("site-{id}").into(), now);
    one.link.state = LinkState::Connected;
    one.nodes = (0..NODES).map(|n| node(n, now)).collect();
    one.storages =
        (0..NODES).flat_map(|n| [storage("local", n, false, now), storage("ceph", n, true, now)]).collect();
    one.tasks = (0..TASKS).map(|n| task(n, now)).collect();
    one.guests = (0..GUESTS).map(|n| Arc::new(guest(n, now))).collect();
    one
}

fn node(n: u32, now: Timestamp) -> NodeRow {
    let facts = Node {
        state: NodeState::Online,
        cpu: Some(0.25),
        cpus: Some(64.0),
        memory: Some(1 << 30),
        memory_max: Some(1 << 32),
        ..Node::bare(format!("pve{n}").into())
    };
    NodeRow { node: facts, observed_at: Some(now), through: None, freshness: Freshness::Live }
}

fn storage(name: &str, node: u32, shared: bool, now: Timestamp) -> StorageRow {
    let facts = Storage {
        storage: name.into(),
        node: format!("pve{node}").into(),
        status: Some("available".into()),
        shared: Some(shared),
        plugin: None,
        used: Some(86 + u64::from(node)),
        size: Some(100),
        content: Vec::new(),
    };
    StorageRow { storage: facts, observed_at: now, freshness: Freshness::Live }
}

fn task(n: u32, now: Timestamp) -> Task {
    let outcome = match n % 10 {
        0 => TaskOutcome::Failed { text: "unable to start".into() },
        1 => TaskOutcome::Running,
        _ => TaskOutcome::Ok,
    };
    Task {
        upid: format!("UPID:pve1:{n:08X}:").into(),
        node: "pve1".into(),
        kind: "vzstart".into(),
        id: (100 + n).to_string().into(),
        user: "root@pam".into(),
        started: now,
        ended: None,
        outcome,
    }
}

fn guest(n: u32, now: Timestamp) -> GuestRow {
    let kind = if n.is_multiple_of(2) { GuestKind::Ct } else { GuestKind::Vm };
    let state = if n.is_multiple_of(3) { GuestState::Stopped } else { GuestState::Running };
    let mut facts = Guest::bare(kind, Vmid(100 + n), format!("pve{}", n % NODES).into());
    facts.name = Some(format!("web-{n}").into());
    facts.state = state.clone();
    GuestRow {
        state: state.clone(),
        guest: facts,
        incarnation: Incarnation(0),
        observed_at: Some(now),
        through: None,
        freshness: Freshness::Live,
        presence: Presence::Present,
        standing: Standing::Known { state },
        addresses: None,
        busy: None,
    }
}
