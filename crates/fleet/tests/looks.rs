//! Listings lag by up to ten seconds: what a guest says of itself is nearer to the truth.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{OperateError, Timings};
use model::{Action, GuestState, OperationState};
use pve_sim::world::Run;
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
        let seen = bench.now().at;
        let later = bench.until("the next listing", |now| now.at > seen).await;
        assert!(later.guest(model::Vmid(102)).is_some_and(runs), "what was seen closer counts");
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
