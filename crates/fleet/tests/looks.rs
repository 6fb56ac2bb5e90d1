//! Listings lag by up to ten seconds: what a guest says of itself is nearer to the truth.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{OperateError, Timings};
use model::{Action, FacetKind, GuestKind, GuestState, OperationState, Vmid};
use pve_sim::world::spec::GuestInput;
use pve_sim::world::{Kind, Run};
use pve_sim::{BlackHoleAt, Fault, Topology};
use support::Bench;

#[tokio::test]
async fn what_was_done_is_seen_at_once_though_listings_lag() {
    let bench = Bench::lagging(Topology::single("9.2")).await;
    bench.ready().await;
    let id = bench.operate(102, Action::Start).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    let runs = |row: &fleet::GuestRow| row.guest.state == GuestState::Running && row.freshness.is_live();
    bench.guest(102, "running", runs).await;
    // Listings go on to say that it is stopped.
    for _ in 0..4 {
        let listed =
            |now: &fleet::RemoteSnapshot| now.facet(FacetKind::Resources).and_then(|one| one.last_success);
        let seen = listed(&bench.now());
        let later = bench.until("the next listing", |now| listed(now) > seen).await;
        assert!(later.guest(Vmid(102)).is_some_and(runs), "what was seen closer counts");
    }
    let id = bench.operate(102, Action::Stop).await;
    assert_eq!(
        bench.ended(id).await.state,
        OperationState::Succeeded,
        "nothing refuses it as stopped already"
    );
    bench.end().await;
}

#[tokio::test]
async fn nothing_is_refused_by_an_old_look() {
    let bench = Bench::lagging(Topology::single("8.4")).await;
    bench.ready().await;
    // Somebody else stops 101 and starts 102.
    bench.remote.with_world(|world, now| {
        world.guest_mut(101).unwrap().set_run(Run::Stopped, now);
        world.guest_mut(102).unwrap().set_run(Run::Running, now);
    });
    let id = bench.operate(101, Action::Start).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    // The guest is asked at once after that; its answer takes a moment.
    bench.guest(101, "running", |row| row.state == GuestState::Running).await;
    let refused = bench.try_operate(101, Action::Start).await.unwrap_err();
    assert!(
        matches!(&refused, OperateError::Disabled { reason, .. } if reason.contains("running")),
        "{refused:?}"
    );
    let id = bench.operate(102, Action::Shutdown).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    bench.end().await;
}

#[tokio::test]
async fn a_guest_that_does_not_answer_holds_up_a_refusal_for_as_long_as_an_action_may_wait() {
    let mut timings = Timings::shrunk();
    timings.pve.answer = Duration::from_secs(120);
    let bench = Bench::with(Topology::single("9.2"), 1, support::root(), timings).await;
    bench.ready().await;
    let silent = Fault::BlackHole { at: BlackHoleAt::Answer };
    bench.remote.fault(None, silent.on("/nodes/*/lxc/101/status/current")).await;
    let refused = tokio::time::timeout(Duration::from_secs(40), bench.try_operate(101, Action::Start)).await;
    assert!(matches!(refused.unwrap().unwrap_err(), OperateError::Disabled { .. }));
    bench.end().await;
}

const TASK: &str = "UPID:pve1:00000001:00000002:6A4BB5C8:vzstart:102:root@pam:";

/// Nobody waits for an answer for as long as these.
fn patient() -> Timings {
    let mut timings = Timings::shrunk();
    timings.pve.answer = Duration::from_secs(120);
    timings.pve.place = Duration::from_secs(120);
    timings
}

#[tokio::test]
async fn readers_that_went_away_leave_no_request_behind_at_a_node_that_hangs() {
    let bench = Bench::with(Topology::single("9.2"), 1, support::root(), patient()).await;
    bench.ready().await;
    let silent = Fault::BlackHole { at: BlackHoleAt::Answer };
    bench.remote.fault(None, silent.on("/nodes/pve1/tasks/*/log")).await;
    for page in 0..3 {
        let log = bench.fleet.task_log(bench.id, TASK, page * 10, 10);
        assert!(tokio::time::timeout(Duration::from_millis(200), log).await.is_err());
    }
    assert_eq!(bench.remote.journal().iter().filter(|one| one.api_path().ends_with("/log")).count(), 3);
    let detail = bench.fleet.guest_detail(bench.id, Vmid(101));
    let detail = tokio::time::timeout(support::PATIENCE, detail).await.unwrap().unwrap();
    assert_eq!(detail.status.error, None, "the node is read again");
    let seen = bench.now().at;
    bench.guest(101, "read on", |row| row.observed_at > Some(seen) && row.freshness.is_live()).await;
    bench.end().await;
}

#[tokio::test]
async fn what_one_endpoint_leaves_open_keeps_nobody_from_asking_another() {
    let bench = Bench::with(Topology::cluster(2, "9.2"), 2, support::root(), patient()).await;
    bench.ready().await;
    let path = "/nodes/pve1/lxc/101/status/current";
    let silent = Fault::BlackHole { at: BlackHoleAt::Answer };
    bench.remote.fault(Some("pve1"), silent.on(path)).await;
    let stays = tokio::spawn({
        let (fleet, id) = (bench.fleet.clone(), bench.id);
        async move { fleet.guest_detail(id, Vmid(101)).await.map(|_| ()) }
    });
    bench.until("asked", |_| bench.asked("GET", path) > 0).await;
    // The endpoint fails by something else, and the other one takes over.
    bench.remote.fault(Some("pve1"), Fault::Cut { after_bytes: 5 }.on("/cluster/resources")).await;
    let other = bench.remote.address("pve2").unwrap().to_string();
    bench
        .until("the other", |now| {
            now.link.state.is_up() && now.link.in_use().is_some_and(|at| at.as_str() == other)
        })
        .await;
    let detail = bench.fleet.guest_detail(bench.id, Vmid(101));
    let detail = tokio::time::timeout(support::PATIENCE, detail).await.unwrap().unwrap();
    assert_eq!(detail.status.error, None);
    assert_eq!(detail.status.seen.unwrap().through.as_str(), other);
    assert!(!stays.is_finished());
    stays.abort();
    bench.end().await;
}

/// A container whose addresses are slow to come is gone before they do: they are not those of the machine that has its
/// number then.
#[tokio::test]
async fn a_slow_agent_tells_nothing_of_who_has_the_number_next() {
    let bench = Bench::with(Topology::single("9.2"), 1, support::root(), patient()).await;
    bench.guest(101, "addresses", |row| row.addresses.is_some()).await;
    let path = "/nodes/pve1/lxc/101/interfaces";
    bench.remote.fault(None, Fault::Delay { ms: 2500 }.on(path)).await;
    bench.remote.clear_journal();
    let slow = tokio::spawn({
        let (fleet, id) = (bench.fleet.clone(), bench.id);
        async move { fleet.guest_detail(id, Vmid(101)).await }
    });
    bench.until("asked", |_| bench.asked("GET", path) > 0).await;
    let second = GuestInput {
        vmid: 101,
        kind: Kind::Vm,
        name: "second".into(),
        node: "pve1".into(),
        running: false,
        tags: Vec::new(),
        pool: None,
        ha: false,
        template: false,
        agent: false,
        config: Vec::new(),
    };
    bench.remote.with_world(|world, _| {
        assert!(world.remove_guest(101));
        world.add_guest(&second).unwrap();
    });
    bench.guest(101, "another", |row| row.guest.kind == GuestKind::Vm).await;
    let told = slow.await.unwrap().unwrap();
    assert!(told.addresses.seen.is_some() && told.addresses.error.is_none(), "{:?}", told.addresses);
    let seen = bench.now().at;
    let now = bench.until("told", |now| now.at > seen + Duration::from_millis(300)).await;
    let row = now.guest(Vmid(101)).unwrap();
    assert_eq!((row.guest.kind, row.addresses.as_ref()), (GuestKind::Vm, None));
    bench.end().await;
}
