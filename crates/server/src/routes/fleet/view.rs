//! From what the fleet knows to what the API tells, one function per noun. Lists of guests, nodes, storages, tasks
//! and operations are in [`crate::stream::rows`], which the stream shares.

use api::guest::{ActionAvailability, Fields, Guest, GuestDetail, Part, PastGuest, PendingRows};
use api::remote::{
    Certificate, CoverageRow, CredentialFacts, Drift, Link, MintedLeft, MintedThing, MintedToken, Proposed,
    Remote, RemoteFigures, RemoteRow, Removed, RunBy,
};
use fleet::onboard::{self, Thing, Verdict};
use fleet::{DetailPart, FleetSnapshot, GuestRow, RemoteSnapshot, Standing};
use jiff::Timestamp;
use model::access::Visible;
use model::rows::NodeRow;
use model::{
    Action, Cause, EndpointId, Freshness, Guest as GuestFacts, Incarnation, NodeState, Now, Observed,
    OperationState, Presence, StaleWhy, Text,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::ObservedRecord;

use super::open;
use crate::stream::rows::GuestFigures;

/// The other remote that is the same cluster or host, if whoever asks may see it.
pub(crate) fn twin(remote: &RemoteSnapshot, all: &FleetSnapshot, visible: &Visible) -> Option<Text> {
    remote.same_as.as_ref()?;
    let same = |other: &&std::sync::Arc<RemoteSnapshot>| {
        other.id != remote.id && other.identity == remote.identity && visible.sees(other.id)
    };
    all.remotes.iter().find(same).map(|other| other.name.clone())
}

/// A remote in a list; `same_as` as [`twin`] says.
pub(crate) fn remote_row(remote: &RemoteSnapshot, same_as: Option<Text>) -> RemoteRow {
    RemoteRow {
        id: remote.id,
        name: remote.name.clone(),
        link: Link::of(&remote.link),
        cluster: remote.cluster.clone(),
        versions: remote.versions.clone(),
        counts: figures(remote),
        traffic: remote.traffic,
        created: Some(remote.created),
        web_url: open::web_url(remote),
        open_url: open::url(remote, open::Thing::Root),
        same_as,
        run_by: match &remote.elsewhere {
            Some(Cause::RunElsewhere { process, address }) => {
                Some(RunBy { process: process.clone(), address: address.clone() })
            }
            _ => None,
        },
    }
}

/// How much there is on it. What is not known for sure is not counted as running or online.
fn figures(remote: &RemoteSnapshot) -> RemoteFigures {
    let there = remote.guests.iter().filter(|row| !matches!(row.presence, Presence::Deleted { .. }));
    let guests = GuestFigures::of(there.map(|row| &**row));
    let up = remote.link.state.is_up();
    let online = |row: &&NodeRow| row.node.state == NodeState::Online && row.freshness.is_live();
    // Before the first listing nobody knows how many there are.
    let listed = |count: usize| remote.was_listed().then_some(count);
    RemoteFigures {
        nodes: listed(remote.nodes.len()),
        nodes_online: listed(remote.nodes.iter().filter(online).count()).filter(|_| up),
        guests: listed(guests.all),
        guests_running: guests.running_if(up).filter(|_| remote.was_listed()),
        guests_unknown: listed(guests.unknown),
        storages: listed(fleet::lists::totals(remote).storages),
        tasks_running: fleet::lists::tasks_running(remote),
        operations_open: remote.operations.iter().filter(|operation| !operation.state.is_final()).count(),
        facets_failing: remote.coverage.iter().filter(|facet| facet.last_error.is_some()).count(),
        drift: remote.drift.len(),
        unreadable: remote.unreadable.len(),
    }
}

/// One remote in full; `same_as` as [`twin`] says.
pub(crate) fn remote(remote: &RemoteSnapshot, same_as: Option<Text>) -> Remote {
    Remote {
        row: remote_row(remote, same_as),
        identity: remote.identity.clone(),
        credential: credential(remote),
        interval_seconds: remote.interval.map(|interval| interval.as_secs_f64()),
        coverage: remote.coverage.iter().map(CoverageRow::of).collect(),
        drift: remote.drift.iter().map(drift).collect(),
        unreadable: remote.unreadable.clone(),
        ha: remote.ha.clone(),
        proposed: remote.proposed,
        faults: remote.faults,
        last_fault: remote.last_fault.clone(),
    }
}

/// How we sign in to it; nothing secret.
fn credential(remote: &RemoteSnapshot) -> Option<CredentialFacts> {
    let kind = if remote.token.is_some() { "token" } else { "password" };
    Some(CredentialFacts {
        kind: kind.to_owned(),
        user: remote.token.clone().or_else(|| remote.user.clone())?,
        rights: remote.rights,
        minted: remote.minted.as_ref().map(minted),
    })
}

/// A token that Muster made.
pub(crate) fn minted(token: &onboard::MintedToken) -> MintedToken {
    MintedToken {
        id: token.id.clone(),
        role: token.role.as_ref().map(|role| role.name.clone()),
        privileges: token.role.as_ref().map(|role| role.privileges.clone()).unwrap_or_default(),
        created: Some(token.created),
    }
}

/// What became of a token that Muster made, and of what belongs to it; `wanted`: that it be removed.
pub(crate) fn removed(token: &onboard::MintedToken, undone: &onboard::Undone, wanted: bool) -> Removed {
    let is_token = |thing: &Thing| matches!(thing, Thing::Token { .. });
    let thing = |fits: fn(&Thing) -> bool| {
        undone.left.iter().find(|left| fits(&left.thing)).map(|left| MintedThing {
            what: left.thing.to_string(),
            why: Some(left.why.clone()).filter(|why| wanted && !why.is_empty()),
            command: left.command.clone(),
        })
    };
    let whys = || {
        let mut whys: Vec<&str> = undone.left.iter().map(|left| left.why.as_str()).collect();
        whys.dedup();
        whys.join("; ")
    };
    let kept = undone.kept.iter().find_map(|thing| match thing {
        Thing::Role { name } => Some(name.clone()),
        _ => None,
    });
    Removed {
        minted_removed: undone.removed.iter().any(is_token).then(|| token.id.clone()),
        minted_left: (!undone.left.is_empty()).then(|| MintedLeft {
            id: token.id.clone(),
            why: wanted.then(whys),
            acl: thing(|thing| matches!(thing, Thing::Acl { .. })),
            token: thing(|thing| matches!(thing, Thing::Token { .. })),
            role: thing(|thing| matches!(thing, Thing::Role { .. })),
            commands: undone.left.iter().map(|left| left.command.clone()).collect(),
        }),
        role_kept: kept,
    }
}

/// A field that did not fit.
pub(super) fn drift(record: &pve::drift::DriftRecord) -> Drift {
    Drift {
        call: record.call.clone(),
        field: record.field.clone(),
        expected: record.expected.to_string(),
        found: record.found.to_string(),
        sample: record.sample.clone(),
        row: record.row,
        count: record.count,
    }
}

/// A certificate.
pub(crate) fn certificate(shown: &pve::Certificate) -> Certificate {
    Certificate {
        fingerprint: shown.fingerprint.to_string(),
        subject: shown.subject.clone(),
        issuer: shown.issuer.clone(),
        not_before: Some(shown.not_before),
        not_after: Some(shown.not_after),
        names: shown.sans.clone(),
    }
}

/// An endpoint that its cluster's membership proposes.
pub(crate) fn proposed(found: &onboard::Proposed) -> Proposed {
    let id = EndpointId::from(found.address.to_string());
    let cause = match &found.verdict {
        Verdict::Good => None,
        Verdict::OtherCertificate { shown } => Some(Cause::CertificateChanged {
            expected: found.certificate.as_ref().map(|one| one.fingerprint.to_string()).unwrap_or_default(),
            presented: shown.clone(),
        }),
        Verdict::Silent { cause } | Verdict::NoPin { cause } => Some(cause.clone()),
    };
    Proposed {
        reachable: matches!(found.verdict, Verdict::Good),
        cause: cause.map(|cause| api::Cause::at(&cause, Some(&id))),
        id,
        name: found.node.clone(),
        certificate: found.certificate.as_ref().map(certificate),
        vouched_for: found.trust.is_some() && matches!(found.verdict, Verdict::Good),
    }
}

/// One guest in full.
pub(crate) fn guest(remote: &RemoteSnapshot, detail: &fleet::GuestDetail, now: Now) -> GuestDetail {
    let vmid = detail.row.guest.vmid;
    let action = |action| {
        let availability = remote.availability(vmid, action, now)?;
        Some(ActionAvailability { action, availability })
    };
    let open = detail.row.busy.and_then(|id| remote.operations.iter().find(|operation| operation.id == id));
    GuestDetail {
        guest: Guest::of(&detail.row, remote.id, &remote.name, &remote.link),
        actions: Action::ALL.into_iter().filter_map(action).collect(),
        link: Link::of(&remote.link),
        operation: open.map(|operation| crate::show_as::operation(operation, &remote.name)),
        status: part(&detail.status, object),
        config: part(&detail.config, object),
        pending: part(&detail.pending, |rows| PendingRows(rows.iter().map(object).collect())),
        interfaces: part(&detail.addresses, Clone::clone),
        open_url: open::url(remote, open::Thing::Guest(detail.row.guest.kind, vmid)),
        drift: detail.drift.iter().map(drift).collect(),
    }
}

pub(super) fn part<T, U>(part: &DetailPart<T>, make: impl FnOnce(&T) -> U) -> Part<U> {
    let seen = part.seen.as_ref().map(|seen| Observed {
        value: make(&seen.value),
        at: seen.at,
        through: seen.through.clone(),
    });
    Part::of(seen, part.error.as_ref())
}

/// A reply with the field names of Proxmox VE.
pub(super) fn object<T: Serialize>(reply: &T) -> Fields {
    match serde_json::to_value(reply) {
        Ok(Value::Object(map)) => Fields(map),
        _ => Fields::default(),
    }
}

/// A guest of a number that belongs to another one by now, out of what was kept of it.
#[derive(Deserialize)]
struct Past {
    guest: GuestFacts,
    incarnation: Incarnation,
    #[serde(default)]
    presence: Option<Presence>,
    #[serde(default)]
    lacked: Option<Lacked>,
}

#[derive(Deserialize)]
struct Lacked {
    at: Option<Timestamp>,
    through: Option<EndpointId>,
}

/// An earlier life of a number.
///
/// # Errors
/// When what was kept of it cannot be read.
pub(crate) fn past(remote: &RemoteSnapshot, record: &ObservedRecord) -> serde_json::Result<PastGuest> {
    let past: Past = serde_json::from_str(&record.body)?;
    let (vmid, incarnation) = (past.guest.vmid, past.incarnation);
    let seen = past.lacked.as_ref().and_then(|lacked| lacked.at).or(record.at);
    let presence = past.presence.filter(|presence| !presence.is_present());
    let name = past.guest.name.clone();
    let row = seen.map(|since| GuestRow {
        state: past.guest.state.clone(),
        incarnation,
        observed_at: Some(since),
        through: past.lacked.and_then(|lacked| lacked.through),
        freshness: Freshness::Stale { since, why: StaleWhy::Deleted },
        presence: presence.clone().unwrap_or(Presence::Deleted { at: record.at.unwrap_or(since) }),
        standing: Standing::Deleted,
        addresses: None,
        busy: None,
        guest: past.guest,
    });
    Ok(PastGuest {
        id: format!("{}/{vmid}/{}", remote.id, incarnation.0),
        name,
        remote_id: remote.id,
        remote: remote.name.clone(),
        vmid,
        incarnation,
        presence,
        last_seen: seen,
        row,
    })
}

/// How a task ended that an operation has followed to its end; listings lag behind that.
pub(crate) fn outcome(state: &OperationState) -> Option<model::TaskOutcome> {
    use model::TaskOutcome;
    use model::operation::FailedWhy;
    match state {
        OperationState::Succeeded => Some(TaskOutcome::Ok),
        OperationState::SucceededWithWarnings { count } => Some(TaskOutcome::Warnings { count: *count }),
        OperationState::Failed(FailedWhy::Task { exit }) => Some(TaskOutcome::Failed { text: exit.clone() }),
        _ => None,
    }
}

/// A name for what is no longer there.
pub(crate) fn gone(id: model::RemoteId) -> Text {
    Text::from(format!("(removed remote {id})"))
}
