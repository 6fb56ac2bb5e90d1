//! What the store has and nobody can read, or does not tell: shown as that, never as if there were nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{Clock, Fleet, OperationError, Resolution, Timings};
use jiff::SignedDuration;
use model::{Action, FacetKind, LinkState, OperationId, OperationState, Vmid};
use pve_sim::{Fault, Topology};
use store::{ObservedKind, ObservedRecord, OperationRecord, Write};
use support::{Bench, Lasting, PATIENCE, ada, root, spec};

fn quick() -> Timings {
    Timings::shrunk()
}

/// Every facet that has parts is known for each of them, as far as it can be.
fn complete(now: &fleet::RemoteSnapshot) -> bool {
    let known =
        |facet| now.facet(facet).is_some_and(|one| one.parts.is_none_or(|parts| parts.known == parts.due));
    now.link.state.is_up()
        && known(FacetKind::GuestConfig)
        && known(FacetKind::NodeStatus)
        && known(FacetKind::Certificates)
        && now.identity.is_some()
        && now.cluster.is_some()
        && now.guest(Vmid(101)).is_some_and(|row| row.addresses.is_some())
}

/// Writes into the store what nobody can read.
async fn damage(lasting: &Lasting, remote: model::RemoteId, kind: ObservedKind, key: &str, body: &str) {
    let (key, body) = (key.to_owned(), body.to_owned());
    let row = ObservedRecord { remote, kind, key, body, at: Some(jiff::Timestamp::now()), through: None };
    lasting.store.write(vec![Write::Observed(row)]).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_shown_and_an_open_operation_still_keeps_its_guest_busy() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.until("everything", complete).await;
    let Bench { sim, remote, fleet, id } = bench;
    fleet.stop().await;
    remote.fault(None, Fault::Refuse).await;
    damage(&lasting, id, ObservedKind::Guest, "101", "{\"guest\":").await;
    damage(&lasting, id, ObservedKind::GuestPast, "101/4", "{}").await;
    damage(&lasting, id, ObservedKind::GuestAddresses, "101", "[]").await;
    let lost = OperationId(77 << 40);
    let record = OperationRecord {
        id: lost,
        remote: id,
        vmid: Some(Vmid(102)),
        instance: lasting.store.instance().to_owned(),
        open: true,
        requested: jiff::Timestamp::now(),
        body: "{\"action\":\"of a later version\"}".to_owned(),
    };
    lasting.store.write(vec![Write::Operation(record)]).await.unwrap();
    let fleet = Fleet::open(quick(), Clock::new(), 8, lasting.store.clone()).await.unwrap();
    let bench = Bench { sim, remote, fleet, id };
    let now = bench.now();
    let told: Vec<&str> = now.unreadable.iter().map(|row| row.why.split(':').next().unwrap()).collect();
    let operation = format!("operation {lost} in the store could not be read");
    let wanted = [
        "guest 101 in the store could not be read",
        "guest_addresses 101 in the store could not be read",
        operation.as_str(),
    ];
    assert_eq!(told, wanted);
    assert!(now.unreadable.iter().all(|row| &*row.facet == "store" && !row.raw.is_empty()));
    assert!(now.guest(Vmid(101)).is_none());
    assert_eq!(now.guest(Vmid(102)).unwrap().busy, Some(lost));
    let untold = bench.fleet.operation_now(lost).await.unwrap_err();
    assert!(matches!(untold, OperationError::Unreadable { id, .. } if id == lost), "{untold}");

    // What is listed again is written anew, and is not taken for whoever had the number before.
    bench.remote.clear_all().await;
    let read = bench.until("read again", |now| now.unreadable.len() == 1 && complete(now)).await;
    assert_eq!(read.guest(Vmid(101)).unwrap().incarnation, model::Incarnation(5));
    let refused = bench.try_operate(102, Action::Start).await.unwrap_err();
    assert!(refused.to_string().contains(&lost.to_string()), "{refused}");
    bench.fleet.resolve(lost, Resolution::NotSent, &ada()).await.unwrap();
    bench.guest(102, "free", |row| row.busy.is_none()).await;
    assert!(bench.now().unreadable.is_empty());
    assert!(!lasting.store.operation(lost).await.unwrap().unwrap().open);
    let start = bench.operate(102, Action::Start).await;
    assert_eq!(bench.ended(start).await.state, OperationState::Succeeded);
    bench.end().await;
}

#[tokio::test]
async fn figures_are_not_given_to_what_was_seen_after_them() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    let before = bench.until("everything", complete).await;
    let has_figures = |now: &fleet::RemoteSnapshot| {
        now.guests.iter().any(|row| row.guest.memory.is_some() || row.guest.uptime.is_some())
            || now.nodes.iter().any(|row| row.node.cpu.is_some())
            || now.storages.iter().any(|row| row.storage.used.is_some())
    };
    assert!(has_figures(&before));
    let Bench { sim, remote, fleet, id } = bench;
    fleet.stop().await;
    remote.fault(None, Fault::Refuse).await;
    let mut figures = lasting.store.gauges(id).await.unwrap().unwrap();
    figures.at = figures.at.checked_sub(SignedDuration::from_mins(4)).unwrap();
    lasting.store.write(vec![Write::Gauges(figures)]).await.unwrap();
    let fleet = Fleet::open(quick(), Clock::new(), 8, lasting.store.clone()).await.unwrap();
    let bench = Bench { sim, remote, fleet, id };
    let now = bench.now();
    assert_eq!(now.guests.len(), before.guests.len());
    assert!(!has_figures(&now), "{:#?}", now.guests);
    bench.end().await;
}

#[tokio::test]
async fn a_store_that_does_not_tell_is_not_taken_for_one_that_has_nothing() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.until("everything", complete).await;
    bench.remote.fault(None, Fault::Refuse).await;
    bench.link("backing_off").await;
    damage(&lasting, bench.id, ObservedKind::GuestConfig, "101", "{").await;
    for detail in [
        bench.fleet.guest_known(bench.id, Vmid(101)).await.unwrap(),
        bench.fleet.guest_detail(bench.id, Vmid(101)).await.unwrap(),
    ] {
        let why = detail.config.error.unwrap().to_string();
        assert!(detail.config.seen.is_none() && why.contains("cannot be read"), "{why}");
    }
    // What cannot be read is not compared with; it is written anew, with the next change at the latest.
    bench.remote.clear_all().await;
    bench.remote.with_world(|world, _| world.guest_mut(101).unwrap().set_config("cores", Some("3")));
    let began = std::time::Instant::now();
    while bench.fleet.guest_known(bench.id, Vmid(101)).await.unwrap().config.seen.is_none() {
        assert!(began.elapsed() < PATIENCE, "never written anew");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    lasting.store.close().await;
    let untold = bench.fleet.operation_now(OperationId(1)).await.unwrap_err();
    assert!(matches!(untold, OperationError::Store(_)), "{untold}");
    let detail = bench.fleet.guest_known(bench.id, Vmid(101)).await.unwrap();
    assert!(detail.config.error.unwrap().to_string().contains("does not tell"));
    bench.end().await;
}

#[tokio::test]
async fn a_remote_that_cannot_be_read_keeps_no_other_from_starting_and_is_not_written_over() {
    let mut topology = Topology::single("9.2");
    let mut second = topology.remotes[0].clone();
    second.name = "second".into();
    topology.remotes.push(second);
    let (bench, lasting) = Bench::lasting(topology, 1, quick()).await;
    let other = bench.sim.remote("second").unwrap();
    let well = bench.fleet.add(spec(&other, 1, root()), &ada()).await.unwrap();
    bench.until("both", |_| bench.fleet.snapshot().remotes.iter().all(|one| one.guests.len() == 4)).await;
    let Bench { sim, remote, fleet, id } = bench;
    fleet.stop().await;
    let damaged = store::RemoteRecord {
        spec: "{\"endpoints\":7}".to_owned(),
        ..lasting.store.remote(id).await.unwrap().unwrap()
    };
    lasting.store.write(vec![Write::Remote(damaged.clone())]).await.unwrap();
    let fleet = Fleet::open(quick(), Clock::new(), 8, lasting.store.clone()).await.unwrap();
    let bench = Bench { sim, remote, fleet, id };
    bench.remote.clear_journal();
    bench
        .until("the other one", |_| {
            bench.fleet.remote(well).unwrap().guests.iter().all(|row| row.freshness.is_live())
        })
        .await;
    let now = bench.now();
    let LinkState::Disconnected { by } = &now.link.state else { panic!("{:?}", now.link.state) };
    assert!(by.contains("cannot be read"), "{by}");
    assert_eq!((&now.user, &now.token), (&None, &None), "nobody knows who signed in");
    assert_eq!(now.guests.len(), 4, "what was seen is still shown");
    assert!(now.guests.iter().all(|row| !row.freshness.is_live()));
    let edit = fleet::RemoteEdit { name: Some("other".into()), ..fleet::RemoteEdit::default() };
    let refused = bench.fleet.edit(id, edit, &ada()).await.unwrap_err();
    assert!(refused.to_string().contains("cannot be read"), "{refused}");
    assert!(bench.fleet.connect(id, &ada()).await.is_err());
    assert!(bench.try_operate(102, Action::Start).await.is_err());
    let kept = lasting.store.remote(id).await.unwrap().unwrap();
    assert_eq!(kept, damaged, "nothing is written over");
    assert!(bench.remote.journal().is_empty());
    bench.fleet.remove(id, &ada(), false).await.unwrap();
    assert!(bench.fleet.remote(id).is_none() && lasting.store.remote(id).await.unwrap().is_none());
    bench.end().await;
}
