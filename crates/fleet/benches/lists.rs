//! How long the first page of a large list takes, and what a query may go on with: 100 remotes of 1,000 guests each.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod measure;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::lists::{self, Request};
use fleet::{FleetSnapshot, GuestRow, RemoteSnapshot, Standing};
use jiff::Timestamp;
use measure::row;
use model::access::Visible;
use model::query::{Key, Vocabulary};
use model::{Freshness, Guest, GuestKind, GuestState, Incarnation, LinkState, Presence, RemoteId, Vmid};

const REMOTES: u64 = 100;
const GUESTS: u32 = 1000;
const TIMES: usize = 200;
/// What the console's first page asks, and how long it may take.
const FIRST: (&str, &str) = ("type:ct status:running", "cpu");
const BOUND: Duration = Duration::from_millis(20);
/// How long a key stroke may take whoever types while polls go on.
const KEY_BOUND: Duration = Duration::from_millis(10);

fn main() {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let fleet =
        FleetSnapshot { revision: 1, remotes: (1..=REMOTES).map(|id| Arc::new(remote(id, now))).collect() };
    println!(
        "| list over {} guests, first 100 | matching | best ms | median ms | p99 ms |",
        REMOTES * u64::from(GUESTS)
    );
    println!("|---|---|---|---|---|");
    let mut slow = false;
    for (q, sort) in [
        FIRST,
        ("type:ct status:running", "-cpu"),
        ("type:ct status:running", "name"),
        ("", ""),
        ("web-99", ""),
        ("remote:site-7 tag:prod cpu>50%", "-mem"),
    ] {
        let request = Request::parse(Vocabulary::Guests, q, sort, 0, 100).unwrap();
        let mut took: Vec<Duration> = Vec::with_capacity(TIMES);
        let mut total = 0;
        for _ in 0..TIMES {
            let begun = Instant::now();
            total = black_box(lists::guests(black_box(&fleet), &Visible::All, &request, now)).total;
            took.push(begun.elapsed());
        }
        let median = row(&format!("`{q}` by `{sort}` | {total}"), took);
        slow |= (q, sort) == FIRST && median > BOUND;
    }
    assert!(!slow, "the first list takes longer than {BOUND:?}");
    complete(fleet);
}

/// Values that a key has, as at each key stroke of whoever types a query.
fn complete(mut fleet: FleetSnapshot) {
    println!("| values of `name` that begin with `web-9`, first 20 | best ms | median ms | p99 ms |");
    println!("|---|---|---|---|");
    let look = |fleet: &FleetSnapshot| {
        let begun = Instant::now();
        let found =
            black_box(lists::values(fleet, &Visible::All, Vocabulary::Guests, Key::Name, "web-9", 20));
        assert_eq!(found.len(), 20);
        begun.elapsed()
    };
    // Copies begin without what was made for the one before.
    let again = |one: &mut Arc<RemoteSnapshot>| *one = Arc::new((**one).clone());
    let first = (0..20).map(|_| {
        fleet.remotes.iter_mut().for_each(again);
        look(&fleet)
    });
    row("every remote polled since the last key", first.collect());
    let polled = (0..TIMES).map(|n| {
        let at = n % fleet.remotes.len();
        fleet.remotes.get_mut(at).into_iter().for_each(again);
        look(&fleet)
    });
    let median = row("one remote polled since the last key", polled.collect());
    row("nothing changed", (0..TIMES).map(|_| look(&fleet)).collect());
    assert!(median <= KEY_BOUND, "a key stroke takes longer than {KEY_BOUND:?}");
}

/// Rows made one remote after the other with other memory between, as polls make them.
fn remote(id: u64, now: Timestamp) -> RemoteSnapshot {
    let mut one = RemoteSnapshot::bare(RemoteId(id), format!("site-{id}").into(), now);
    one.link.state = LinkState::Connected;
    let mut chance = id;
    one.guests = (0..GUESTS)
        .map(|n| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let kind = if chance >> 60 & 1 == 0 { GuestKind::Ct } else { GuestKind::Vm };
            let state = if chance >> 61 & 3 == 0 { GuestState::Stopped } else { GuestState::Running };
            let mut guest = Guest::bare(kind, Vmid(100 + n), format!("pve{}", n % 3).into());
            guest.name = Some(format!("web-{n}").into());
            guest.state = state.clone();
            guest.cpu = Some(f64::from(u32::try_from(chance >> 40 & 0xffff).unwrap()) / 65536.0);
            guest.memory = Some(chance >> 20);
            guest.tags = if n % 5 == 0 { ["prod".into()].into() } else { Arc::default() };
            Arc::new(GuestRow {
                state: state.clone(),
                guest,
                incarnation: Incarnation(0),
                observed_at: Some(now),
                through: None,
                freshness: Freshness::Live,
                presence: Presence::Present,
                standing: Standing::Known { state },
                addresses: None,
                busy: None,
            })
        })
        .collect();
    one
}
