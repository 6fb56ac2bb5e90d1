//! An operation to its end: done, failed, refused, cancelled; and what is judged before.

use std::time::Duration;

use fleet::{Clock, OperateError, Timings};
use model::operation::FailedWhy;
use model::{Action, Availability, Cause, GuestState, OperationState, TaskOutcome};
use pve_sim::world::{Kind, Run};
use pve_sim::{Fault, Topology};

use crate::START_102;
use crate::support::{self, Bench, ada, alice};

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
