//! The first look at every remote: [`first`] waits until each has been listed, or has a reason why not.

use std::time::Duration;

use fleet::{Fleet, FleetSnapshot, RemoteSnapshot};
use model::FacetKind;
use model::cause::Cause;
use tokio::time::{Instant, timeout_at};

use crate::failure::Failure;
use crate::trouble::failure_of;

/// Why a remote has no listing: the link's cause, or that of the listing itself.
pub(super) fn trouble(remote: &RemoteSnapshot) -> Option<Cause> {
    let listing = remote.facet(FacetKind::Resources);
    match remote.link.state.cause() {
        Some(cause) => Some(cause.clone()),
        None => listing.and_then(|l| l.last_error.as_ref()).map(|error| error.cause.clone()),
    }
}

/// Has it been listed over this link, and is the link up?
pub(super) fn is_listed(remote: &RemoteSnapshot) -> bool {
    remote.link.state.is_up()
        && remote
            .facet(FacetKind::Resources)
            .is_some_and(|l| l.last_success.is_some() && l.last_error.is_none())
}

/// Waits until every remote is listed or in trouble, `within` at most.
pub(super) async fn first(fleet: &Fleet, within: Duration) -> FleetSnapshot {
    until(fleet, within, |remote| is_listed(remote) || trouble(remote).is_some()).await
}

/// Waits until the tasks of every remote that is listed were asked for as well, `within` at most.
pub(super) async fn tasks(fleet: &Fleet, within: Duration) -> FleetSnapshot {
    let asked = |remote: &RemoteSnapshot| {
        remote.facet(FacetKind::Tasks).is_some_and(|t| t.last_success.is_some() || t.last_error.is_some())
    };
    until(fleet, within, |remote| !is_listed(remote) || asked(remote)).await
}

async fn until(fleet: &Fleet, within: Duration, fits: impl Fn(&RemoteSnapshot) -> bool) -> FleetSnapshot {
    let deadline = Instant::now() + within;
    let mut changed = fleet.changed();
    loop {
        let snapshot = fleet.snapshot();
        if snapshot.remotes.iter().all(|remote| fits(remote)) {
            return snapshot;
        }
        match timeout_at(deadline, changed.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return fleet.snapshot(),
        }
    }
}

/// The failure of a remote that could not be listed.
pub(super) fn failure(remote: &RemoteSnapshot) -> Failure {
    match trouble(remote) {
        Some(cause) => {
            let mut failure = failure_of(&cause);
            if let Some(at) = remote.link.in_use() {
                failure.sentence = format!("{} ({at}).", cause.sentence());
            }
            failure.about(remote.name.as_str())
        }
        None => {
            Failure::new(crate::exit::Exit::Unreachable, format!("{}: no listing came in time.", remote.name))
                .hint("--timeout gives it longer.")
        }
    }
}
