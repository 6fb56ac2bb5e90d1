//! Many at once: each by itself, a few at a time, in the order in which they were asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fleet::{Leave, OperateError, TakeBackError, Timings, TurnTimings};
use model::{Action, Author, Cause, OperationId, OperationState, PowerOptions, Vmid};
use pve_sim::world::spec::GuestInput;
use pve_sim::world::{Kind, Run};
use pve_sim::{Fault, Topology};

use crate::support::{self, Bench, ada};

const FIRST: u32 = 300;

const LONG: Duration = Duration::from_secs(60);

/// So many containers that are off, on one node, where two may be under way at once.
async fn crowd(count: u32, patience: Duration) -> Bench {
    crowd_for(count, patience, LONG).await
}

fn timings(patience: Duration, longest: Duration) -> Timings {
    let turns = TurnTimings { sending: 2, sending_per_node: 2, per_node: 2, patience, longest };
    Timings { turns, ..Timings::shrunk() }
}

async fn crowd_for(count: u32, patience: Duration, longest: Duration) -> Bench {
    let timings = timings(patience, longest);
    let bench = Bench::with(Topology::single("9.2"), 1, support::root(), timings).await;
    gather(&bench, count).await;
    bench
}

async fn gather(bench: &Bench, count: u32) {
    bench.remote.with_world(|world, _| {
        for vmid in FIRST..FIRST + count {
            let (kind, name) = (Kind::Ct, format!("crowd-{vmid}"));
            world
                .add_guest(&GuestInput { vmid, kind, name, node: "pve1".to_owned(), ..GuestInput::default() })
                .unwrap();
        }
    });
    bench.until("all of them", |now| now.guest(Vmid(FIRST + count - 1)).is_some()).await;
}

async fn start(bench: &Bench, vmids: &[u32]) -> Vec<Result<OperationId, OperateError>> {
    start_by(bench, vmids, Leave::new(|| Ok(()))).await
}

async fn start_by(bench: &Bench, vmids: &[u32], leave: Leave) -> Vec<Result<OperationId, OperateError>> {
    let vmids = vmids.iter().copied().map(Vmid).collect();
    bench.fleet.operate_many(bench.id, vmids, Action::Start, PowerOptions::default(), ada(), leave).await
}

/// Why it was not sent.
async fn unsent(bench: &Bench, id: OperationId) -> String {
    let ended = bench.ended(id).await;
    let OperationState::NotSent { cause: Cause::NotSendable { what } } = &ended.state else {
        panic!("{:?}", ended.state)
    };
    what.clone()
}

/// Ends the task of one that runs.
async fn end_task(bench: &Bench, id: OperationId) {
    let running = bench.reaches(id, "running").await;
    bench.fleet.stop_task(bench.id, running.task.as_ref().unwrap().as_str(), &ada()).await.unwrap();
    bench.ended(id).await;
}

fn words(bench: &Bench, ids: &[OperationId]) -> Vec<&'static str> {
    ids.iter().map(|id| bench.fleet.operation(*id).unwrap().borrow().state.word()).collect()
}

/// The numbers of the guests that were started, in the order of the requests.
fn started(bench: &Bench) -> Vec<u32> {
    let path = |one: &pve_sim::Exchange| one.api_path().split('/').nth(4).and_then(|vmid| vmid.parse().ok());
    bench.mutations().iter().filter(|one| one.method == "POST").filter_map(path).collect()
}

#[tokio::test]
async fn a_few_at_a_time_in_the_order_asked() {
    let bench = crowd(5, LONG).await;
    bench.remote.with_world(|world, _| (0..5).for_each(|_| world.hang_next_task("vzstart")));
    let asked = [303, 300, 304, 302, 301];
    let ids: Vec<_> = start(&bench, &asked).await.into_iter().map(Result::unwrap).collect();
    bench.reaches(ids[0], "running").await;
    bench.reaches(ids[1], "running").await;
    // No matter how long these take: the others wait.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(words(&bench, &ids), ["running", "running", "pending", "pending", "pending"]);
    // What is asked for by itself waits for nobody.
    let alone = bench.operate(101, Action::Stop).await;
    assert_eq!(bench.ended(alone).await.state, OperationState::Succeeded);
    assert_eq!(words(&bench, &ids)[2], "pending");
    // Whoever ends makes room for the next.
    for (at, id) in ids.iter().enumerate() {
        end_task(&bench, *id).await;
        if let Some(next) = ids.get(at + 2) {
            bench.reaches(*next, "running").await;
        }
    }
    let order: Vec<u32> = started(&bench).into_iter().filter(|vmid| *vmid >= FIRST).collect();
    // Two that leave at the same moment may arrive either way round.
    let mut pairs = order.clone();
    pairs[..2].sort_unstable();
    assert_eq!(pairs, [300, 303, 304, 302, 301], "{order:?}");
    bench.end().await;
}

#[tokio::test]
async fn each_is_taken_on_or_refused_by_itself() {
    let bench = crowd(2, LONG).await;
    let answers = start(&bench, &[300, 101, 999, 301, 300]).await;
    assert!(answers[0].is_ok() && answers[3].is_ok(), "{answers:?}");
    let Err(OperateError::Disabled { reason, .. }) = &answers[1] else { panic!("{answers:?}") };
    assert!(reason.contains("already"), "{reason}");
    assert_eq!(answers[4], Err(OperateError::NamedBefore));
    assert_eq!(answers[2], Err(OperateError::NoSuchGuest(Vmid(999))));
    for answer in [&answers[0], &answers[3]] {
        let id = *answer.as_ref().unwrap();
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded);
    }
    let mut sent = started(&bench);
    sent.sort_unstable();
    assert_eq!(sent, [300, 301]);
    bench.end().await;
}

#[tokio::test]
async fn what_waits_while_the_link_goes_is_not_sent_when_it_is_back() {
    let bench = crowd(6, LONG).await;
    bench.remote.with_world(|world, _| (0..6).for_each(|_| world.hang_next_task("vzstart")));
    let ids: Vec<_> =
        start(&bench, &[300, 301, 302, 303, 304, 305]).await.into_iter().map(Result::unwrap).collect();
    bench.reaches(ids[1], "running").await;
    bench.reaches(ids[0], "running").await;
    bench.remote.fault(None, Fault::Refuse).await;
    for id in &ids[2..] {
        let ended = bench.ended(*id).await;
        assert!(matches!(ended.state, OperationState::NotSent { .. }), "{:?}", ended.state);
    }
    bench.remote.clear_all().await;
    bench.link("connected").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(started(&bench).len(), 2, "{:?}", bench.mutations());
    bench.end().await;
}

#[tokio::test]
async fn what_never_gets_its_turn_ends_as_not_sent() {
    let bench = crowd(3, Duration::from_millis(400)).await;
    bench.remote.with_world(|world, _| (0..3).for_each(|_| world.hang_next_task("vzstart")));
    let ids: Vec<_> = start(&bench, &[300, 301, 302]).await.into_iter().map(Result::unwrap).collect();
    let what = unsent(&bench, ids[2]).await;
    let why = format!(
        "its turn did not come: nothing has ended on node pve1 for 400 ms; \
         before it there is still start of 300 (operation {}), and one more",
        ids[0]
    );
    assert_eq!(what, why);
    assert_eq!(words(&bench, &ids[..2]), ["running", "running"]);
    assert_eq!(started(&bench).len(), 2);
    bench.end().await;
}

#[tokio::test]
async fn what_waits_can_be_taken_back_and_what_was_sent_cannot() {
    let bench = crowd(4, LONG).await;
    bench.remote.with_world(|world, _| (0..2).for_each(|_| world.hang_next_task("vzstart")));
    let ids: Vec<_> = start(&bench, &[300, 301, 302, 303]).await.into_iter().map(Result::unwrap).collect();
    bench.reaches(ids[0], "running").await;
    bench.reaches(ids[1], "running").await;
    let ben = Author { name: "ben".into(), from: "test".into() };
    bench.fleet.take_back(ids[2], &ben).await.unwrap();
    let back = bench.ended(ids[2]).await;
    assert_eq!(back.state, OperationState::Cancelled);
    assert_eq!((back.sentence(), &back.dispatch), ("not sent: cancelled by ben".to_owned(), &None));
    // Twice is once; what runs goes on; what there is not cannot be taken back.
    let again = bench.fleet.take_back(ids[2], &ben).await;
    assert_eq!(again, Err(TakeBackError::Ended("not sent: cancelled by ben".to_owned())));
    assert_eq!(bench.fleet.take_back(ids[0], &ben).await, Err(TakeBackError::Sent));
    assert_eq!(bench.fleet.take_back(OperationId(1), &ben).await, Err(TakeBackError::NoSuchOperation));
    // Its guest is free again, and whoever waits behind it is next.
    end_task(&bench, ids[0]).await;
    assert_eq!(bench.ended(ids[3]).await.state, OperationState::Succeeded);
    let alone = bench.operate(302, Action::Start).await;
    assert_eq!(bench.ended(alone).await.state, OperationState::Succeeded);
    let mut sent = started(&bench);
    sent.sort_unstable();
    assert_eq!(sent, [300, 301, 302, 303]);
    bench.end().await;
}

#[tokio::test]
async fn taking_back_and_sending_at_the_same_time_never_both() {
    let bench = crowd(24, LONG).await;
    let all: Vec<u32> = (FIRST..FIRST + 24).collect();
    let ids: Vec<_> = start(&bench, &all).await.into_iter().map(Result::unwrap).collect();
    // From the end to the beginning, while they leave from the beginning to the end.
    let mut taken = Vec::new();
    for (id, vmid) in ids.iter().zip(&all).rev() {
        match bench.fleet.take_back(*id, &ada()).await {
            Ok(()) => taken.push(*vmid),
            Err(TakeBackError::Sent | TakeBackError::Ended(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    for id in &ids {
        bench.ended(*id).await;
    }
    let sent = started(&bench);
    assert!(!taken.is_empty() && !sent.is_empty(), "{taken:?} {sent:?}");
    assert!(taken.iter().all(|vmid| !sent.contains(vmid)), "{taken:?} {sent:?}");
    assert_eq!(taken.len() + sent.len(), all.len());
    bench.end().await;
}

#[tokio::test]
async fn who_waits_is_patient_for_as_long_as_others_end() {
    let patience = Duration::from_millis(1500);
    let bench = crowd(6, patience).await;
    bench.remote.with_world(|world, _| (0..6).for_each(|_| world.hang_next_task("vzstart")));
    let all = [300, 301, 302, 303, 304, 305];
    let ids: Vec<_> = start(&bench, &all).await.into_iter().map(Result::unwrap).collect();
    let began = tokio::time::Instant::now();
    for id in &ids[..4] {
        bench.reaches(*id, "running").await;
        tokio::time::sleep(patience / 2).await;
        end_task(&bench, *id).await;
    }
    assert!(began.elapsed() > patience, "else it proves nothing");
    // The last one has waited for longer than that, and has its turn all the same.
    bench.reaches(ids[5], "running").await;
    bench.end().await;
}

#[tokio::test]
async fn all_waiting_has_a_bound_that_a_link_which_comes_and_goes_does_not_move() {
    let bench = crowd_for(3, LONG, Duration::from_secs(2)).await;
    bench.remote.with_world(|world, _| (0..3).for_each(|_| world.hang_next_task("vzstart")));
    let ids: Vec<_> = start(&bench, &[300, 301, 302]).await.into_iter().map(Result::unwrap).collect();
    let began = tokio::time::Instant::now();
    bench.reaches(ids[0], "running").await;
    bench.reaches(ids[1], "running").await;
    // It comes and goes all the time, each time for less than an operation waits for it.
    let mut flaps = 0;
    while words(&bench, &ids)[2] == "pending" && flaps < 20 {
        bench.remote.fault(None, Fault::Refuse).await;
        bench.until("down", |now| !now.link.state.is_up()).await;
        bench.remote.clear_all().await;
        bench.until("up", |now| now.link.state.is_up()).await;
        flaps += 1;
    }
    let what = unsent(&bench, ids[2]).await;
    assert!(what.contains("did not come within 2 s") || what.contains("link"), "{what}");
    assert!(flaps >= 1 && began.elapsed() < Duration::from_secs(20), "{flaps}");
    assert_eq!(started(&bench).len(), 2);
    bench.end().await;
}

#[tokio::test]
async fn when_its_turn_comes_it_is_looked_at_anew_whether_it_makes_sense_and_may_be() {
    let bench = crowd(5, LONG).await;
    bench.remote.with_world(|world, _| (0..3).for_each(|_| world.hang_next_task("vzstart")));
    let may = Arc::new(AtomicBool::new(true));
    let still = may.clone();
    let leave = Leave::new(move || match still.load(Ordering::Relaxed) {
        true => Ok(()),
        false => Err("ada may not do this any more".to_owned()),
    });
    let ids: Vec<_> = start_by(&bench, &[300, 301, 302, 303, 304], leave).await;
    let ids: Vec<_> = ids.into_iter().map(Result::unwrap).collect();
    bench.reaches(ids[0], "running").await;
    bench.reaches(ids[1], "running").await;
    // Somebody else starts it meanwhile.
    bench.remote.with_world(|world, now| world.guest_mut(302).unwrap().set_run(Run::Running, now));
    bench
        .until("started", |now| now.guest(Vmid(302)).is_some_and(|row| row.guest.state.word() == "running"))
        .await;
    end_task(&bench, ids[0]).await;
    let what = unsent(&bench, ids[2]).await;
    assert!(what.contains("when its turn came") && what.contains("running already"), "{what}");
    // The place goes to the next one at once.
    bench.reaches(ids[3], "running").await;
    may.store(false, Ordering::Relaxed);
    end_task(&bench, ids[1]).await;
    assert_eq!(unsent(&bench, ids[4]).await, "ada may not do this any more");
    let mut sent = started(&bench);
    sent.sort_unstable();
    assert_eq!(sent, [300, 301, 303]);
    bench.end().await;
}

#[tokio::test]
async fn what_waits_when_muster_is_restarted_is_not_sent_and_nothing_is_sent_twice() {
    let turns = timings(LONG, LONG);
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, turns.clone()).await;
    gather(&bench, 5).await;
    bench.remote.with_world(|world, _| (0..5).for_each(|_| world.hang_next_task("vzstart")));
    let all = [300, 301, 302, 303, 304];
    let ids: Vec<_> = start(&bench, &all).await.into_iter().map(Result::unwrap).collect();
    bench.reaches(ids[0], "running").await;
    bench.reaches(ids[1], "running").await;
    let bench = bench.crash(&lasting, turns).await;
    for id in &ids[2..] {
        assert!(unsent(&bench, *id).await.contains("Muster ended before it was sent"));
    }
    bench.link("connected").await;
    // What was sent is followed on, and ends as it would have.
    end_task(&bench, ids[0]).await;
    assert_eq!(words(&bench, &ids), ["cancelled", "running", "not_sent", "not_sent", "not_sent"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut sent = started(&bench);
    sent.sort_unstable();
    assert_eq!(sent, [300, 301]);
    bench.end().await;
}
