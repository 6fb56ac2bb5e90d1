//! Operations over real sockets: to the exit status, and honest about what is not known.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{Clock, OperateError, Timings};
use model::operation::{FailedWhy, UnknownWhy};
use model::{Action, Availability, Cause, FacetKind, GuestState, OperationState, TaskOutcome};
use pve_sim::world::{Kind, Run};
use pve_sim::{Fault, Topology};
use support::{Bench, ada, alice};

const START_102: &str = "/nodes/pve1/lxc/102/status/start";

#[tokio::test]
async fn a_start_is_done_when_its_task_has_ended_well() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let id = bench.operate(102, Action::Start).await;
    let operation = bench.ended(id).await;
    assert_eq!(operation.state, OperationState::Succeeded);
    let words: Vec<_> = operation.log.iter().map(|line| line.text.as_str()).collect();
    assert!(words[0].starts_with("start asked for by ada"), "{words:?}");
    assert!(operation.task.is_some() && operation.dispatch.is_some());
    let asked = |one: &pve_sim::Exchange| one.path.contains("/tasks/") && one.path.ends_with("/status");
    assert!(bench.remote.journal().iter().any(asked), "done is said by the exit status, not by the answer");
    bench
        .guest(102, "running", |row| row.guest.state == GuestState::Running && row.freshness.is_live())
        .await;
    let sent = bench.mutations();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].api_path(), START_102);
    assert!(sent[0].had_csrf, "a ticket's mutation carries the CSRF token");

    // And the other way, for both kinds and on all versions.
    for (vmid, action) in
        [(102, Action::Stop), (101, Action::Shutdown), (100, Action::Reboot), (103, Action::Start)]
    {
        let id = bench.operate(vmid, action).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{action} {vmid}");
        bench.until("not busy", |now| now.guest(model::Vmid(vmid)).unwrap().busy.is_none()).await;
    }
    bench.end().await;
}

#[tokio::test]
async fn a_start_on_every_version() {
    for version in ["7.4", "8.4", "9.2"] {
        let bench = Bench::new(Topology::single(version)).await;
        bench.ready().await;
        let id = bench.operate(102, Action::Start).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{version}");
        bench.end().await;
    }
}

#[tokio::test]
async fn warnings_are_success_and_are_told() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.warn_next_task("vzstart", 1));
    let id = bench.operate(102, Action::Start).await;
    let operation = bench.ended(id).await;
    assert_eq!(operation.state, OperationState::SucceededWithWarnings { count: Some(1) });
    assert!(!operation.last_lines.is_empty(), "what it warned of is there to be read");
    bench.end().await;
}

#[tokio::test]
async fn a_failure_brings_the_last_lines_of_its_log() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.fail_next_task("vzstart", "startup for container '102' failed"));
    let id = bench.operate(102, Action::Start).await;
    let operation = bench.ended(id).await;
    let exit = "startup for container '102' failed".into();
    assert_eq!(operation.state, OperationState::Failed(FailedWhy::Task { exit }));
    let last = operation.last_lines.last().unwrap();
    assert!(last.as_str().contains("startup for container '102' failed"), "{last}");
    let page =
        bench.fleet.task_log(bench.id, operation.task.as_ref().unwrap().as_str(), 0, 50).await.unwrap();
    assert!(page.lines.iter().any(|line| line == last));
    bench
        .until("in the task list", |now| {
            now.tasks.iter().any(|task| matches!(task.outcome, TaskOutcome::Failed { .. }))
        })
        .await;
    bench.end().await;
}

#[tokio::test]
async fn what_proxmox_refuses_is_refused_in_its_words() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let words = "CT is locked (backup)";
    bench.remote.fault(None, Fault::ServerError { text: words.into() }.on(START_102).times(1)).await;
    let id = bench.operate(102, Action::Start).await;
    let operation = bench.ended(id).await;
    let OperationState::Failed(FailedWhy::Refused { cause: Cause::ServerError { text, class, .. } }) =
        &operation.state
    else {
        panic!("{:?}", operation.state)
    };
    assert_eq!((text.as_str(), *class), (words, model::cause::ServerClass::Locked));
    assert_eq!(bench.mutations().len(), 1, "it is not repeated");
    bench.end().await;
}

#[tokio::test]
async fn a_missing_privilege_is_named() {
    let bench = Bench::with(Topology::single("9.2"), 1, alice(), Timings::shrunk()).await;
    bench.ready().await;
    let id = bench.operate(102, Action::Start).await;
    let operation = bench.ended(id).await;
    let OperationState::Failed(FailedWhy::Refused {
        cause: Cause::PrivilegeMissing { path, privileges, .. },
    }) = &operation.state
    else {
        panic!("{:?}", operation.state)
    };
    assert_eq!((path.as_str(), privileges.as_slice()), ("/vms/102", &["VM.PowerMgmt".to_owned()][..]));
    assert!(bench.now().link.state.is_up(), "the link is fine");
    bench.end().await;
}

#[tokio::test]
async fn an_ended_task_on_wish_is_cancelled() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = bench.operate(102, Action::Start).await;
    let running = bench.reaches(id, "running").await;

    // One mutating operation per guest at a time.
    let refused = bench.try_operate(102, Action::Stop).await.unwrap_err();
    assert!(
        matches!(&refused, OperateError::Disabled { reason, .. } if reason.contains("has not ended")),
        "{refused}"
    );

    let task = running.task.clone().unwrap();
    bench.fleet.stop_task(bench.id, task.as_str(), &ada()).await.unwrap();
    assert_eq!(bench.ended(id).await.state, OperationState::Cancelled);
    bench.end().await;
}

/// No listing tells what the operation before has done: the guest itself is asked before the next is judged.
#[tokio::test]
async fn a_second_wish_right_after_the_first_is_judged_by_what_that_has_done() {
    let bench = Bench::lagging(Topology::single("9.2")).await;
    bench.ready().await;
    for (action, other) in [(Action::Start, Action::Stop), (Action::Stop, Action::Start)] {
        let sent = bench.mutations().len();
        let id = bench.operate(102, action).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{action}");
        let refused = bench.try_operate(102, action).await.unwrap_err();
        let OperateError::Disabled { reason, .. } = &refused else { panic!("{refused}") };
        assert!(reason.ends_with(" already"), "{action}: {reason}");
        assert_eq!(bench.mutations().len(), sent + 1, "{action} was sent once");
        let id = bench.operate(102, other).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{other}");
        let id = bench.operate(102, action).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{action} once more");
    }
    bench.end().await;
}

// --- suspending ---

fn may(bench: &Bench, vmid: u32, action: Action) -> Availability {
    bench.now().availability(model::Vmid(vmid), action, Clock::new().now()).unwrap()
}

/// A checkpoint stops the container; nothing tells it from any other that is stopped, and it can be resumed.
#[tokio::test]
async fn a_suspended_container_is_seen_stopped_and_goes_on_when_resumed() {
    for version in ["8.4", "9.2"] {
        let bench = Bench::new(Topology::single(version)).await;
        bench.ready().await;
        let OperateError::Disabled { reason, remedy } =
            bench.try_operate(101, Action::Resume).await.unwrap_err()
        else {
            panic!()
        };
        assert_eq!((reason.as_str(), remedy.as_str()), ("it is running already", "Nothing to do."));
        let Availability::MayFail { why } = may(&bench, 101, Action::Suspend) else { panic!() };
        assert!(why.contains("stopped then"), "{why}");
        let id = bench.operate(101, Action::Suspend).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{version}");
        bench.guest(101, "stopped", |row| row.guest.state == GuestState::Stopped && row.busy.is_none()).await;
        assert!(matches!(may(&bench, 101, Action::Resume), Availability::MayFail { .. }));
        assert_eq!(may(&bench, 101, Action::Start), Availability::Available, "or started afresh");
        let id = bench.operate(101, Action::Resume).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{version}");
        bench.guest(101, "running", |row| row.guest.state == GuestState::Running && row.busy.is_none()).await;

        // One that nobody suspended: Proxmox VE finds no checkpoint, and says so.
        let id = bench.operate(102, Action::Resume).await;
        let ended = bench.ended(id).await;
        assert!(matches!(ended.state, OperationState::Failed(FailedWhy::Task { .. })), "{:?}", ended.state);
        assert!(ended.state.sentence().contains("lxc-checkpoint"), "{}", ended.state.sentence());
        bench.end().await;
    }
}

#[tokio::test]
async fn a_machine_is_paused_or_hibernated_and_goes_on_when_resumed() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let id = bench.operate(100, Action::Suspend).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    bench.guest(100, "paused", |row| row.guest.state == GuestState::Paused && row.busy.is_none()).await;
    let twice = bench.try_operate(100, Action::Suspend).await.unwrap_err();
    assert!(matches!(&twice, OperateError::Disabled { remedy, .. } if remedy == "Nothing to do."), "{twice}");
    let id = bench.operate(100, Action::Resume).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    bench.guest(100, "running", |row| row.guest.state == GuestState::Running && row.busy.is_none()).await;

    for waking in [Action::Resume, Action::Start] {
        let id = bench.operate(100, Action::Hibernate).await;
        let ended = bench.ended(id).await;
        assert_eq!(ended.state, OperationState::Succeeded);
        assert!(ended.task.as_ref().unwrap().as_str().contains(":qmsuspend:"), "{:?}", ended.task);
        bench
            .guest(100, "hibernated", |row| {
                row.guest.state == GuestState::Stopped
                    && row.guest.lock.as_deref() == Some("suspended")
                    && row.busy.is_none()
            })
            .await;
        assert_eq!(may(&bench, 100, waking), Availability::Available, "{waking}");
        let twice = bench.try_operate(100, Action::Hibernate).await.unwrap_err();
        assert!(matches!(&twice, OperateError::Disabled { remedy, .. } if remedy == "Nothing to do."));
        let id = bench.operate(100, waking).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{waking}");
        bench
            .guest(100, "awake", |row| {
                row.guest.state == GuestState::Running && row.guest.lock.is_none() && row.busy.is_none()
            })
            .await;
    }
    bench.end().await;
}

// --- high availability ---

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

// --- answers that do not come ---

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
async fn a_lost_answer_is_found_in_the_task_list_and_never_sent_twice() {
    for skew in [0, -90, 90] {
        let mut topology = Topology::single("9.2");
        if skew != 0 {
            topology.remotes[0].faults.push(Fault::ClockSkew { seconds: skew }.into());
        }
        let bench = Bench::new(topology).await;
        bench.ready().await;
        bench.remote.fault(None, Fault::LoseAnswer.on(START_102).times(1)).await;
        let id = bench.operate(102, Action::Start).await;
        bench
            .operation(id, "lost", |operation| {
                matches!(operation.state, OperationState::OutcomeUnknown(UnknownWhy::Lost { .. }))
                    || operation.state.is_final()
            })
            .await;
        let operation = bench.ended(id).await;
        assert_eq!(operation.state, OperationState::Succeeded, "skew {skew}: {:?}", operation.log);
        assert!(operation.log.iter().any(|line| line.text == "found in the task list"));
        assert_eq!(bench.mutations().len(), 1, "sent once");
        bench.guest(102, "running", |row| row.guest.state == GuestState::Running).await;
        bench.end().await;
    }
}

#[tokio::test]
async fn two_tasks_that_fit_are_left_to_a_person() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let unread = Fault::ServerError { text: "not now".into() };
    bench.remote.fault(None, unread.on("/cluster/tasks")).await;
    bench
        .until("tasks unread", |now| {
            now.facet(FacetKind::Tasks).is_some_and(|tasks| tasks.last_error.is_some())
        })
        .await;
    // Somebody else, with the same account, did the same at the same time.
    bench.remote.with_world(|world, _| {
        world.add_finished_task("pve1", "vzstart", "102", "root@pam", 0, "OK").unwrap();
    });
    bench.remote.fault(None, Fault::LoseAnswer.on(START_102).times(1)).await;
    let id = bench.operate(102, Action::Start).await;
    let operation = bench.ended(id).await;
    let OperationState::OutcomeUnknown(UnknownWhy::Candidates { tasks }) = &operation.state else {
        panic!("{:?}", operation.state)
    };
    assert_eq!(tasks.len(), 2);
    assert_eq!(bench.mutations().len(), 1);
    bench.end().await;
}

#[tokio::test]
async fn a_task_that_was_there_before_is_not_taken_for_the_lost_one() {
    for skew in [0, 3 * 3600, -3 * 3600] {
        let mut topology = Topology::single("9.2");
        topology.remotes[0].faults.push(Fault::ClockSkew { seconds: skew }.into());
        let bench = Bench::new(topology).await;
        bench.ready().await;
        bench.remote.with_world(|world, _| {
            for ago in [0, 3600] {
                world.add_finished_task("pve1", "vzstart", "102", "root@pam", ago, "OK").unwrap();
            }
        });
        bench
            .until("told of both", |now| now.tasks.iter().filter(|t| &*t.kind == "vzstart").count() == 2)
            .await;
        let silent = Fault::Reset { at: pve_sim::ResetAt::Request };
        bench.remote.fault(None, silent.on(START_102).times(1)).await;
        let id = bench.operate(102, Action::Start).await;
        let operation = bench.ended(id).await;
        assert!(matches!(operation.state, OperationState::NotSent { .. }), "{skew}: {:?}", operation.state);
        assert_eq!(bench.mutations().len(), 1);
        bench.end().await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_on_whatever_page_it_stands() {
    let timings = Timings { page: 1, ..Timings::shrunk() };
    let bench = Bench::with(Topology::single("9.2"), 1, support::root(), timings).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::LoseAnswer.on(START_102).times(1)).await;
    let id = bench.operate(102, Action::Start).await;
    // The list grows while it is read.
    for _ in 0..5 {
        bench.remote.with_world(|world, _| {
            world.add_finished_task("pve1", "vzsnapshot", "102", "root@pam", 0, "OK").unwrap();
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    assert_eq!(bench.mutations().len(), 1);
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

#[tokio::test]
async fn of_two_who_ask_at_once_one_is_refused() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let (a, b) = tokio::join!(bench.try_operate(102, Action::Start), bench.try_operate(102, Action::Start));
    assert_eq!([a.is_ok(), b.is_ok()].iter().filter(|ok| **ok).count(), 1, "{a:?} {b:?}");
    let id = a.or(b).unwrap();
    let running = bench.reaches(id, "running").await;
    assert_eq!(bench.mutations().len(), 1);
    bench.fleet.stop_task(bench.id, running.task.as_ref().unwrap().as_str(), &ada()).await.unwrap();
    bench.ended(id).await;
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
async fn a_number_that_is_another_guests_by_now_is_left_alone() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Refuse).await;
    bench.link("backing_off").await;
    bench.remote.with_world(|world, _| {
        world.remove_guest(102);
        let mut another = Default::default();
        if false {
            // Says what it is; its type has no public name.
            let _ = world.add_guest(&another);
        }
        another.vmid = 102;
        another.kind = Kind::Vm;
        another.name = "another".into();
        another.node = "pve1".into();
        world.add_guest(&another).unwrap();
    });
    let id = bench.operate(102, Action::Start).await;
    bench.remote.clear_all().await;
    let operation = bench.ended(id).await;
    assert!(matches!(operation.state, OperationState::NotSent { .. }), "{:?}", operation.state);
    assert!(operation.state.sentence().contains("another guest"), "{}", operation.state.sentence());
    assert!(bench.mutations().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn starting_what_runs_already_fails_in_proxmox_words_for_either_kind() {
    let hour = Duration::from_secs(3600);
    let timings = Timings { resources: hour, tasks: hour, ..Timings::shrunk() };
    let bench = Bench::with(Topology::single("9.2"), 1, support::root(), timings).await;
    bench.ready().await;
    for vmid in [102, 103] {
        bench.remote.with_world(|world, now| {
            world.guest_mut(vmid).unwrap().set_run(Run::Running, now);
        });
        let id = bench.operate(vmid, Action::Start).await;
        let operation = bench.ended(id).await;
        let sentence = operation.state.sentence();
        assert!(matches!(operation.state, OperationState::Failed(_)), "{vmid}: {sentence}");
        assert!(sentence.contains("already running"), "{vmid}: {sentence}");
    }
    bench.end().await;
}

#[tokio::test]
async fn a_guest_locked_by_a_backup_is_said_to_be_and_proxmox_has_the_last_word() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.guest_mut(103).unwrap().set_lock(Some("backup")));
    let seen = bench.guest(103, "locked", |row| row.guest.lock.is_some()).await;
    let may = seen.availability(model::Vmid(103), Action::Start, Clock::new().now()).unwrap();
    assert!(matches!(&may, Availability::MayFail { why } if why.contains("locked (backup)")), "{may:?}");
    let id = bench.operate(103, Action::Start).await;
    let sentence = bench.ended(id).await.state.sentence();
    assert!(sentence.contains("locked (backup)"), "{sentence}");
    bench.end().await;
}

#[tokio::test]
async fn a_task_that_may_no_longer_be_read_is_unknown_and_bars_nobody() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = bench.operate(102, Action::Start).await;
    bench.reaches(id, "running").await;
    let text = "Permission check failed (/nodes/pve1, Sys.Audit)".to_owned();
    let fault = bench.remote.fault(None, Fault::Forbidden { text }.on("/nodes/pve1/tasks/*/status")).await;
    let unknown = bench.reaches(id, "outcome_unknown").await;
    assert!(unknown.state.sentence().contains("Sys.Audit"), "{}", unknown.state.sentence());
    bench.until("not busy", |now| now.guest(model::Vmid(102)).unwrap().busy.is_none()).await;
    assert!(bench.now().link.state.is_up());
    bench.remote.clear(fault).await;
    bench.reaches(id, "running").await;
    bench.end().await;
}

#[tokio::test]
async fn a_task_that_ended_nobody_says_how_is_no_success() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.remove_field("/nodes/*/tasks/*/status", "/exitstatus"));
    let id = bench.operate(102, Action::Start).await;
    let unknown = bench.reaches(id, "outcome_unknown").await;
    assert!(unknown.state.sentence().contains("without an exit status"), "{}", unknown.state.sentence());
    bench.remote.with_world(|world, _| world.clear_overrides());
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "watched on");
    bench.end().await;
}

#[tokio::test]
async fn a_wish_to_end_a_task_that_is_refused_cancels_nothing() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = bench.operate(102, Action::Start).await;
    let running = bench.reaches(id, "running").await;
    let task = running.task.clone().unwrap();
    let forbidden = Fault::Forbidden { text: "Permission check failed".into() };
    bench.remote.fault(None, forbidden.on("/nodes/pve1/tasks/*").method("DELETE").times(1)).await;
    bench
        .fleet
        .stop_task(bench.id, task.as_str(), &model::Author { name: "bob".into(), from: "test".into() })
        .await
        .unwrap_err();
    let told =
        bench.operation(id, "told", |one| one.log.iter().any(|l| l.text.contains("was not ended"))).await;
    assert!(!told.cancel_asked);
    bench.fleet.stop_task(bench.id, task.as_str(), &ada()).await.unwrap();
    assert_eq!(bench.ended(id).await.state, OperationState::Cancelled);
    bench.end().await;
}

#[tokio::test]
async fn what_is_odd_about_an_answer_on_demand_is_recorded_too() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| {
        world.override_field("/nodes/*/tasks/*/status", "/pstart", serde_json::json!({"odd": true}));
    });
    let id = bench.operate(102, Action::Start).await;
    assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    bench
        .until("recorded", |now| {
            now.drift.iter().any(|one| one.call.contains("tasks") && one.field == "pstart")
        })
        .await;
    bench.end().await;
}

#[tokio::test]
async fn what_never_arrived_is_told_only_after_the_list_was_read_late_enough() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    // Many older tasks of the guest: the list has several pages.
    bench.remote.with_world(|world, _| {
        for n in 0..120 {
            world.add_finished_task("pve1", "vzstart", "102", "root@pam", 4000 + n, "OK");
        }
    });
    let silent = Fault::Reset { at: pve_sim::ResetAt::Request };
    bench.remote.fault(None, silent.on(START_102).times(1)).await;
    let before = std::time::Instant::now();
    let id = bench.operate(102, Action::Start).await;
    let lost = bench.reaches(id, "outcome_unknown").await;
    assert!(!lost.state.is_final());
    assert!(bench.try_operate(102, Action::Start).await.is_err(), "nobody repeats what may have been done");
    let operation = bench.ended(id).await;
    assert!(matches!(operation.state, OperationState::NotSent { .. }), "{:?}", operation.state);
    assert!(before.elapsed() >= Timings::shrunk().operation.list_proves_after, "not before its time");
    assert_eq!(bench.mutations().len(), 1);
    // Now it may be tried again.
    bench.until("not busy", |now| now.guest(model::Vmid(102)).unwrap().busy.is_none()).await;
    let again = bench.operate(102, Action::Start).await;
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

#[tokio::test]
async fn what_makes_no_sense_is_not_taken_on() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    assert_eq!(bench.try_operate(999, Action::Start).await, Err(OperateError::NoSuchGuest(model::Vmid(999))));
    let refused = bench.try_operate(101, Action::Start).await.unwrap_err();
    assert!(matches!(refused, OperateError::Disabled { .. }), "it runs already");
    assert!(matches!(bench.try_operate(101, Action::Reset).await, Err(OperateError::Disabled { .. })));
    bench.fleet.disconnect(bench.id, &ada(), false).await.unwrap();
    let refused = bench.try_operate(102, Action::Start).await.unwrap_err();
    let OperateError::Disabled { reason, remedy } = refused else { panic!() };
    assert!(reason.contains("disconnected by ada") && remedy.contains("Connect"), "{reason} {remedy}");
    assert!(bench.mutations().is_empty());
    bench.end().await;
}
