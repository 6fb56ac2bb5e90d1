//! Many at once: each by itself, a few at a time, in the order in which they were asked for.

use std::time::Duration;

use fleet::{OperateError, TakeBackError, Timings, TurnTimings};
use model::{Action, Author, Cause, OperationId, OperationState, PowerOptions, Vmid};
use pve_sim::world::Kind;
use pve_sim::world::spec::GuestInput;
use pve_sim::{Fault, Topology};

use crate::support::{self, Bench, ada};

const FIRST: u32 = 300;

/// So many containers that are off, on one node, where two may be under way at once.
async fn crowd(count: u32, patience: Duration) -> Bench {
    let turns = TurnTimings { sending: 2, sending_per_node: 2, per_node: 2, patience };
    let timings = Timings { turns, ..Timings::shrunk() };
    let bench = Bench::with(Topology::single("9.2"), 1, support::root(), timings).await;
    bench.remote.with_world(|world, _| {
        for vmid in FIRST..FIRST + count {
            let (kind, name) = (Kind::Ct, format!("crowd-{vmid}"));
            world
                .add_guest(&GuestInput { vmid, kind, name, node: "pve1".to_owned(), ..GuestInput::default() })
                .unwrap();
        }
    });
    bench.until("all of them", |now| now.guest(Vmid(FIRST + count - 1)).is_some()).await;
    bench
}

async fn start(bench: &Bench, vmids: &[u32]) -> Vec<Result<OperationId, OperateError>> {
    let vmids = vmids.iter().copied().map(Vmid).collect();
    bench.fleet.operate_many(bench.id, vmids, Action::Start, PowerOptions::default(), ada()).await
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
    let bench = crowd(5, Duration::from_secs(60)).await;
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
        let running = bench.reaches(*id, "running").await;
        bench.fleet.stop_task(bench.id, running.task.as_ref().unwrap().as_str(), &ada()).await.unwrap();
        bench.ended(*id).await;
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
    let bench = crowd(2, Duration::from_secs(60)).await;
    let answers = start(&bench, &[300, 101, 999, 301, 300]).await;
    assert!(answers[0].is_ok() && answers[3].is_ok(), "{answers:?}");
    let reason = |at: usize| match &answers[at] {
        Err(OperateError::Disabled { reason, .. }) => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert!(reason(1).contains("already"), "{}", reason(1));
    assert!(reason(4).contains("named before"), "{}", reason(4));
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
    let bench = crowd(6, Duration::from_secs(60)).await;
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
    let ended = bench.ended(ids[2]).await;
    let OperationState::NotSent { cause: Cause::NotSendable { what } } = &ended.state else {
        panic!("{:?}", ended.state)
    };
    assert!(what.contains("its turn did not come within 400 ms"), "{what}");
    assert_eq!(words(&bench, &ids[..2]), ["running", "running"]);
    assert_eq!(started(&bench).len(), 2);
    bench.end().await;
}

#[tokio::test]
async fn what_waits_can_be_taken_back_and_what_was_sent_cannot() {
    let bench = crowd(4, Duration::from_secs(60)).await;
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
    let task = bench.reaches(ids[0], "running").await.task.clone().unwrap();
    bench.fleet.stop_task(bench.id, task.as_str(), &ada()).await.unwrap();
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
    let bench = crowd(24, Duration::from_secs(60)).await;
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
