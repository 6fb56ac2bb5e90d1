//! Actions on many guests at once: planned, and asked for, each by itself.

use std::collections::{BTreeMap, BTreeSet};

use api::guest::Guest;
use api::operation::{
    MAX_TARGETS, Operation, OperationsRequest, Plan, PlanItem, Started, StartedItem, Target,
};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use model::access::Act;
use model::{Availability, Freshness, Now, RemoteId, Vmid};

use super::refuse;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::Json;
use crate::mutation;
use crate::problem::Problem;
use crate::show_as::Wish;

/// Remotes that are asked at the same time.
const REMOTES: usize = 8;

/// Which guest each target is; or why it is none that the caller may act on.
fn meant(app: &App, caller: &Caller, targets: &[Target]) -> Result<Vec<Result<RemoteId, Problem>>, Problem> {
    if targets.is_empty() || targets.len() > MAX_TARGETS {
        return Err(Problem::invalid(format!(
            "“targets” has {}; it takes 1 to {MAX_TARGETS}.",
            targets.len()
        )));
    }
    let visible = caller.visible();
    let mut known: BTreeMap<&str, Result<RemoteId, Problem>> = BTreeMap::new();
    let mut seen: BTreeSet<(RemoteId, Vmid)> = BTreeSet::new();
    let mut all = Vec::with_capacity(targets.len());
    for target in targets {
        let remote = known.entry(&target.remote).or_insert_with(|| {
            let id = app.remote_meant(&target.remote, &visible)?;
            caller.needs(Act::Power, Some(id)).map(|()| id)
        });
        all.push(remote.clone().and_then(|id| match seen.insert((id, target.vmid)) {
            true => Ok(id),
            false => Err(Problem::invalid("This guest stands in the list before.")),
        }));
    }
    Ok(all)
}

/// Asks for all of it; what is refused of it leaves the rest alone.
pub(super) async fn start(
    app: &App,
    caller: &Caller,
    wanted: OperationsRequest,
) -> Result<Response, Problem> {
    let meant = meant(app, caller, &wanted.targets)?;
    let mut of_remote: BTreeMap<RemoteId, Vec<(usize, Vmid)>> = BTreeMap::new();
    for (at, (target, id)) in wanted.targets.iter().zip(&meant).enumerate() {
        if let Ok(id) = id {
            of_remote.entry(*id).or_default().push((at, target.vmid));
        }
    }
    // It is many commits: should Muster be stopped between two, the request is known to have been begun, and is not
    // done a second time. Where all is refused nothing is begun: then the refusal is what is recorded.
    if !of_remote.is_empty() {
        let receipt = mutation::receipt(None);
        if !receipt.is_empty() {
            app.store().write(receipt).await?;
        }
    }
    let begun = stream::iter(of_remote).map(async |(id, places)| {
        let vmids = places.iter().map(|(_, vmid)| *vmid).collect();
        let (action, options) = (wanted.action, wanted.options.clone());
        let answers = app.fleet().operate_many(id, vmids, action, options, caller.author()).await;
        let remote = app.fleet().remote(id);
        let told = places.into_iter().zip(answers).map(|((at, _), answer)| {
            let Some(remote) = &remote else { return (at, Err(Problem::not_found("remote"))) };
            let one = match answer {
                Ok(operation) => match app.fleet().operation(operation) {
                    Some(now) => Ok(Operation::of(&now.borrow(), &remote.name)),
                    None => Err(Problem::internal()),
                },
                Err(error) => Err(refuse::operate(&error, remote)),
            };
            (at, one)
        });
        told.collect::<Vec<_>>()
    });
    let mut begun: BTreeMap<usize, Result<Operation, Problem>> =
        begun.buffer_unordered(REMOTES).flat_map(stream::iter).collect().await;
    let items = wanted.targets.into_iter().zip(meant).enumerate().map(|(at, (target, id))| {
        let answer = id.and_then(|_| begun.remove(&at).unwrap_or_else(|| Err(Problem::internal())));
        let (operation, problem) = match answer {
            Ok(operation) => (Some(operation), None),
            Err(problem) => (None, Some(problem.told())),
        };
        StartedItem { remote: target.remote, vmid: target.vmid, operation, problem }
    });
    let items: Vec<StartedItem> = items.collect();
    let accepted = items.iter().filter(|item| item.operation.is_some()).count();
    Ok((StatusCode::ACCEPTED, Json(Started { total: items.len(), accepted, items })).into_response())
}

/// What would be done. Nothing is sent, to no host.
pub(super) fn plan(app: &App, caller: &Caller, wanted: OperationsRequest) -> Result<Plan, Problem> {
    let meant = meant(app, caller, &wanted.targets)?;
    let now = app.now();
    let items: Vec<PlanItem> = wanted
        .targets
        .iter()
        .zip(meant)
        .map(|(target, id)| match id.and_then(|id| item(app, id, target.vmid, &wanted, now)) {
            Ok(item) => item,
            Err(problem) => nothing(target, problem),
        })
        .collect();
    let count =
        |fits: fn(&Availability) -> bool| items.iter().filter(|item| fits(&item.availability)).count();
    Ok(Plan {
        action: wanted.action,
        options: wanted.options.clone(),
        total: items.len(),
        available: count(|one| matches!(one, Availability::Available)),
        may_fail: count(|one| matches!(one, Availability::MayFail { .. })),
        disabled: count(|one| matches!(one, Availability::Disabled { .. })),
        items,
    })
}

fn item(
    app: &App,
    id: RemoteId,
    vmid: Vmid,
    wanted: &OperationsRequest,
    now: Now,
) -> Result<PlanItem, Problem> {
    let remote = super::remote(app, id)?;
    let row = remote.guest(vmid).ok_or_else(|| Problem::not_found("guest"))?;
    let availability =
        remote.availability(vmid, wanted.action, now).ok_or_else(|| Problem::not_found("guest"))?;
    let told = Guest::of(row, id, &remote.name, &remote.link);
    let (facts, action, options) = (&row.guest, wanted.action, &wanted.options);
    let (kind, node) = (facts.kind, &facts.node);
    let show_as = Wish { remote: &remote.name, vmid, kind, node, action, options }.show_as();
    Ok(PlanItem {
        remote: remote.name.to_string(),
        vmid,
        remote_id: Some(id),
        id: Some(told.id),
        name: facts.name.clone(),
        kind: Some(kind),
        node: Some(node.clone()),
        state: Some(told.word),
        last_state: Some(facts.state.word().to_owned()),
        template: facts.template,
        observed_at: row.observed_at,
        freshness: Some(
            match row.freshness {
                Freshness::Live => "live",
                Freshness::Stale { .. } => "stale",
                Freshness::NeverSeen => "never_seen",
            }
            .to_owned(),
        ),
        stale_why: told.stale_why,
        availability,
        problem: None,
        show_as: Some(show_as),
    })
}

/// A target that is nothing that could be acted on.
fn nothing(target: &Target, problem: Problem) -> PlanItem {
    let problem = problem.told();
    PlanItem {
        remote: target.remote.clone(),
        vmid: target.vmid,
        remote_id: None,
        id: None,
        name: None,
        kind: None,
        node: None,
        state: None,
        last_state: None,
        template: None,
        observed_at: None,
        freshness: None,
        stale_why: None,
        availability: Availability::Disabled {
            reason: problem.detail.trim_end_matches('.').to_owned(),
            remedy: problem.remedy.clone().unwrap_or_default(),
        },
        problem: Some(problem),
        show_as: None,
    }
}
