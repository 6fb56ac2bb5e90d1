//! While the link or a node is away, or a guest is on its way to another.

use std::time::Duration;

use fleet::Timings;
use model::operation::{FailedWhy, UnknownWhy};
use model::{Action, Cause, OperationState};
use pve_sim::{Fault, Topology};

use crate::support::{self, Bench, ada};

#[tokio::test]
async fn a_node_that_goes_down_in_mid_task_leaves_it_unknown_and_it_is_watched_on() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = bench.operate(202, Action::Start).await;
    bench.reaches(id, "running").await;
    let fault = bench.remote.fault(None, Fault::NodeDown { node: "pve2".into() }).await;
    let unknown = bench.reaches(id, "outcome_unknown").await;
    let OperationState::OutcomeUnknown(UnknownWhy::Node { node, .. }) = &unknown.state else {
        panic!("{:?}", unknown.state)
    };
    assert_eq!(node.as_str(), "pve2");
    assert!(!unknown.state.is_final(), "unknown, not failed");
    assert!(bench.now().link.state.is_up(), "the cluster answers");
    bench.remote.clear(fault).await;
    let ended = bench.operation(id, "told by the node", |operation| operation.state.is_final()).await;
    assert!(matches!(ended.state, OperationState::Failed(FailedWhy::Task { .. })), "{:?}", ended.state);
    assert_eq!(bench.mutations().len(), 1);
    bench.end().await;
}

#[tokio::test]
async fn the_link_goes_while_a_task_is_followed_and_comes_back_by_another_endpoint() {
    let bench = Bench::with(Topology::cluster(2, "9.2"), 2, support::root(), Timings::shrunk()).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = bench.operate(202, Action::Start).await;
    let running = bench.reaches(id, "running").await;
    for node in ["pve1", "pve2"] {
        bench.remote.fault(Some(node), Fault::Refuse).await;
    }
    bench.link("backing_off").await;
    let still = bench.fleet.operation(id).unwrap().borrow().clone();
    assert!(!still.state.is_final(), "{:?}", still.state);
    let first = bench.now().link.in_use().cloned();
    bench.remote.clear_all().await;
    bench.remote.fault(Some("pve1"), Fault::Refuse).await;
    let up = bench.link("degraded").await;
    let pve2 = bench.remote.address("pve2").unwrap().to_string();
    assert_eq!(up.link.in_use().unwrap().as_str(), pve2, "was {first:?}");
    bench.fleet.stop_task(bench.id, running.task.as_ref().unwrap().as_str(), &ada()).await.unwrap();
    assert_eq!(bench.ended(id).await.state, OperationState::Cancelled);
    assert_eq!(bench.mutations().iter().filter(|one| one.method == "POST").count(), 1);
    bench.end().await;
}

#[tokio::test]
async fn a_guest_that_moved_while_the_link_was_down_is_asked_where_it_is() {
    let bench = Bench::new(Topology::cluster(2, "9.2")).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Refuse).await;
    bench.link("backing_off").await;
    bench.remote.with_world(|world, _| world.move_guest(202, "pve1"));
    let id = bench.operate(202, Action::Start).await;
    bench.remote.clear_all().await;
    let operation = bench.ended(id).await;
    assert_eq!(operation.state, OperationState::Succeeded, "{:?}", operation.log);
    assert_eq!(operation.node.as_str(), "pve1");
    assert_eq!(bench.mutations()[0].api_path(), "/nodes/pve1/lxc/202/status/start");
    bench.end().await;
}

#[tokio::test]
async fn a_guest_that_moves_between_the_look_and_the_sending_is_not_said_to_have_started() {
    // No second look during the test.
    let hour = Duration::from_secs(3600);
    let timings = Timings { resources: hour, tasks: hour, ..Timings::shrunk() };
    let bench = Bench::with(Topology::cluster(2, "9.2"), 1, support::root(), timings).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.move_guest(202, "pve1"));
    let id = bench.operate(202, Action::Start).await;
    let operation = bench.ended(id).await;
    assert!(matches!(operation.state, OperationState::Failed(_)), "{:?}", operation.state);
    assert!(operation.state.sentence().contains("does not exist"), "{}", operation.state.sentence());
    // What it did is looked at, and so it can be asked for again, at the right place.
    bench.guest(202, "seen there", |row| row.guest.node.as_str() == "pve1" && row.busy.is_none()).await;
    let again = bench.operate(202, Action::Start).await;
    assert_eq!(bench.ended(again).await.state, OperationState::Succeeded);
    bench.end().await;
}

#[tokio::test]
async fn while_the_link_is_down_it_is_tried_first_and_not_sent_for_its_cause() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Refuse).await;
    bench.link("backing_off").await;
    let id = bench.operate(102, Action::Start).await;
    let operation = bench.ended(id).await;
    assert_eq!(operation.state, OperationState::NotSent { cause: Cause::Refused });
    assert!(operation.dispatch.is_none());
    bench.remote.clear_all().await;

    // Back in time, it goes out.
    bench.ready().await;
    bench.remote.fault(None, Fault::Refuse).await;
    bench.link("backing_off").await;
    let id = bench.operate(102, Action::Start).await;
    bench.remote.clear_all().await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    assert_eq!(bench.mutations().len(), 1);
    bench.end().await;
}

#[tokio::test]
async fn what_never_left_goes_out_by_another_endpoint() {
    let bench = Bench::with(Topology::cluster(2, "9.2"), 2, support::root(), Timings::shrunk()).await;
    bench.ready().await;
    // The next connection to the endpoint in use is refused; the link does not know yet.
    bench.remote.fault(Some("pve1"), Fault::Refuse).await;
    let id = bench.operate(202, Action::Start).await;
    let operation = bench.ended(id).await;
    assert_eq!(operation.state, OperationState::Succeeded, "{:?}", operation.log);
    assert_eq!(bench.mutations().len(), 1);
    assert_eq!(bench.mutations()[0].node, "pve2");
    bench.end().await;
}

#[tokio::test]
async fn disconnecting_asks_first_and_connecting_takes_it_up_again() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = bench.operate(102, Action::Start).await;
    let running = bench.reaches(id, "running").await;
    let refused = bench.fleet.disconnect(bench.id, &ada(), false).await.unwrap_err();
    assert_eq!(refused, fleet::DisconnectError::OpenOperations(vec![id]));
    bench.fleet.disconnect(bench.id, &ada(), true).await.unwrap();
    let left = bench.operation(id, "not followed", |operation| !operation.followed).await;
    assert!(!left.state.is_final());
    let quiet = bench.remote.journal().len();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(bench.remote.journal().len(), quiet, "disconnected means that nothing is asked");

    bench.fleet.connect(bench.id, &ada()).await.unwrap();
    bench.operation(id, "followed", |operation| operation.followed).await;
    bench.link("connected").await;
    bench.fleet.stop_task(bench.id, running.task.as_ref().unwrap().as_str(), &ada()).await.unwrap();
    assert_eq!(bench.ended(id).await.state, OperationState::Cancelled);
    bench.end().await;
}
