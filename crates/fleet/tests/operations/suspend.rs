//! Suspending: a checkpoint of a container, a machine paused or hibernated.

use fleet::{Clock, OperateError};
use model::operation::FailedWhy;
use model::{Action, Availability, GuestState, OperationState};
use pve_sim::Topology;

use crate::support::Bench;

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
