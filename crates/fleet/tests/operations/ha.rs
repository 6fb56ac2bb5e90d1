//! Under high availability: done is what the manager has made of the wish.

use std::time::Duration;

use model::operation::{FailedWhy, UnknownWhy};
use model::{Action, GuestState, OperationState};
use pve_sim::{Fault, Topology};

use crate::support::Bench;

#[tokio::test]
async fn under_ha_it_is_done_when_the_guest_is_seen_in_the_wanted_state() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    bench.ready().await;
    for (action, word) in [(Action::Stop, GuestState::Stopped), (Action::Start, GuestState::Running)] {
        bench.remote.with_world(|world, _| world.hold_ha(101, true));
        let id = bench.operate(101, action).await;
        let handed = bench.reaches(id, "handed_to_ha").await;
        assert!(handed.task.as_ref().unwrap().as_str().contains(":ha"), "{:?}", handed.task);
        assert!(!handed.state.is_final(), "the task's OK is only the wish recorded");
        bench.remote.with_world(|world, _| world.hold_ha(101, false));
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{action}");
        bench.guest(101, "as wanted", |row| row.guest.state == word && row.busy.is_none()).await;
    }
    bench.end().await;
}

#[tokio::test]
async fn under_ha_a_guest_may_start_on_another_node() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    bench.ready().await;
    let id = bench.operate(101, Action::Stop).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    bench.guest(101, "stopped", |row| row.guest.state == GuestState::Stopped && row.busy.is_none()).await;
    bench.remote.with_world(|world, _| world.prefer_ha_node(101, "pve3"));
    let id = bench.operate(101, Action::Start).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    bench.guest(101, "moved", |row| row.guest.node.as_str() == "pve3").await;
    bench.end().await;
}

#[tokio::test]
async fn under_ha_what_never_comes_is_unknown_and_watched_until_it_does() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hold_ha(101, true));
    let id = bench.operate(101, Action::Stop).await;
    let unknown = bench.reaches(id, "outcome_unknown").await;
    assert_eq!(unknown.state, OperationState::OutcomeUnknown(UnknownWhy::Ha));
    assert!(!unknown.state.is_final());
    bench.remote.with_world(|world, _| world.hold_ha(101, false));
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "late, but seen");
    bench.end().await;
}

#[tokio::test]
async fn under_ha_is_told_by_the_task_and_not_by_the_row() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    bench.remote.with_world(|world, _| {
        world.remove_field("/cluster/resources", "/*/hastate");
        world.hold_ha(101, true);
    });
    bench.ready().await;
    bench.guest(101, "a row without", |row| row.guest.ha.is_none()).await;
    let id = bench.operate(101, Action::Stop).await;
    bench.reaches(id, "handed_to_ha").await;
    // States of the service that are no error are none.
    for state in ["freeze", "fence", "disabled", "ignored", "a word of tomorrow"] {
        bench.remote.with_world(|world, _| world.set_ha_service_state(101, state));
        let seen = bench.asked("GET", "/nodes/pve1/lxc/101/status/current");
        let mut changed = bench.fleet.changed();
        while bench.asked("GET", "/nodes/pve1/lxc/101/status/current") < seen + 2 {
            let _ = tokio::time::timeout(Duration::from_millis(50), changed.changed()).await;
        }
        assert!(!bench.fleet.operation(id).unwrap().borrow().state.is_final(), "{state}");
    }
    bench.remote.with_world(|world, _| {
        world.set_ha_service_state(101, "started");
        world.hold_ha(101, false);
    });
    bench.ended(id).await;
    bench.end().await;
}

#[tokio::test]
async fn under_ha_an_error_is_a_failure() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hold_ha(101, true));
    let id = bench.operate(101, Action::Stop).await;
    bench.reaches(id, "handed_to_ha").await;
    bench.remote.with_world(|world, _| world.set_ha_service_state(101, "error"));
    assert_eq!(bench.ended(id).await.state, OperationState::Failed(FailedWhy::Ha));
    bench.end().await;
}

#[tokio::test]
async fn a_lost_answer_under_ha_is_found_as_the_wish_and_followed_to_the_state() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    bench.ready().await;
    let path = "/nodes/*/lxc/101/status/stop";
    bench.remote.fault(None, Fault::LoseAnswer.on(path).times(1)).await;
    let id = bench.operate(101, Action::Stop).await;
    let operation = bench.ended(id).await;
    assert_eq!(operation.state, OperationState::Succeeded, "{:?}", operation.log);
    assert!(operation.task.as_ref().unwrap().as_str().contains(":hastop:"), "{:?}", operation.task);
    assert!(operation.log.iter().any(|line| line.text.starts_with("handed to the HA manager")));
    assert_eq!(bench.mutations().len(), 1);
    bench.end().await;
}
