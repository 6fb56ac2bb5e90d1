//! Answers and tasks that are lost: found, left to a person, or unknown, and never sent twice.

use std::time::Duration;

use fleet::Timings;
use model::operation::UnknownWhy;
use model::{Action, FacetKind, GuestState, OperationState};
use pve_sim::world::Run;
use pve_sim::{Fault, Topology};
use store::OperationFilter;

use crate::START_102;
use crate::support::{self, Bench};

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

/// What Muster itself began, no list need have told it; and after a crash it need not remember what has ended.
#[tokio::test]
async fn after_a_crash_the_task_of_an_earlier_operation_is_not_taken_for_a_lost_one() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    bench.ready().await;
    let unread = || Fault::ServerError { text: "not now".into() };
    bench.remote.fault(None, unread().on("/cluster/tasks")).await;
    bench
        .until("tasks unread", |now| {
            now.facet(FacetKind::Tasks).is_some_and(|tasks| tasks.last_error.is_some())
        })
        .await;
    let first = bench.operate(102, Action::Start).await;
    let first = bench.ended(first).await;
    assert_eq!(first.state, OperationState::Succeeded);
    bench.guest(102, "running", |row| row.guest.state == GuestState::Running && row.busy.is_none()).await;
    bench.remote.with_world(|world, now| world.guest_mut(102).unwrap().set_run(Run::Stopped, now));
    bench.remote.fault(None, unread().on("/nodes/pve1/tasks")).await;
    let silent = Fault::Reset { at: pve_sim::ResetAt::Request };
    bench.remote.fault(None, silent.on(START_102).times(1)).await;
    let second = bench.operate(102, Action::Start).await;
    bench.reaches(second, "outcome_unknown").await;
    let open = OperationFilter { open: Some(true), limit: 10, ..OperationFilter::default() };
    let kept = lasting.store.operations(open).await.unwrap();
    let recorded: fleet::Recorded = serde_json::from_str(&kept[0].body).unwrap();
    assert_eq!((recorded.operation.id, kept.len()), (second, 1));
    assert!(recorded.before.contains(first.task.as_ref().unwrap()), "{:?}", recorded.before);
    let bench = bench.crash(&lasting, Timings::shrunk()).await;
    bench.remote.clear_all().await;
    let ended = bench.ended(second).await;
    assert!(matches!(ended.state, OperationState::NotSent { .. }), "{:?} {:?}", ended.state, ended.log);
    bench.end().await;
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
