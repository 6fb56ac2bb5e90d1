//! Actions on many guests at once: planned, and asked for, each by itself.

use std::collections::{BTreeMap, BTreeSet};

use api::guest::Guest;
use api::operation::{
    MAX_TARGETS, Operation, OperationsRequest, Plan, PlanItem, Started, StartedItem, Target,
};
use axum::response::{IntoResponse as _, Response};
use fleet::Leave;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use model::access::Act;
use model::{Availability, Freshness, Now, OperationId, RemoteId, Vmid};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{refuse, view};
use crate::app::App;
use crate::audit::{About, listed, ranges};
use crate::caller::{Caller, Via};
use crate::extract::Json;
use crate::mutation;
use crate::problem::Problem;
use crate::show_as::Wish;

/// Remotes that are asked at the same time.
const REMOTES: usize = 8;

/// Operations that are looked up at the same time.
const LOOKED_UP: usize = 16;

/// The largest answer that is kept word by word for a repetition; of a longer one the problems lose their details.
const KEPT: usize = 32 * 1024;

/// What became of one target.
type Took = Result<OperationId, Problem>;

/// The same, as it is told.
type TookTold = Result<OperationId, Box<api::Problem>>;

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
            false => Err(refuse::named_before()),
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
    let about = about(app, &wanted, &of_remote);
    // It is many commits: should Muster be stopped between two, the request is known to have been begun, and is not
    // done a second time. Where all is refused nothing is begun: then the refusal is what is recorded.
    if !of_remote.is_empty() {
        let receipt = mutation::begin_many(about.clone());
        if !receipt.is_empty() {
            app.store().write(receipt).await?;
        }
    }
    let begun = stream::iter(of_remote).map(async |(id, places)| {
        let vmids = places.iter().map(|(_, vmid)| *vmid).collect();
        let (action, options, leave) = (wanted.action, wanted.options.clone(), leave(app, caller, id));
        let answers = app.fleet().operate_many(id, vmids, action, options, caller.author(), leave).await;
        let remote = app.fleet().remote(id);
        let told = places.into_iter().zip(answers).map(|((at, _), answer)| {
            let took = answer.map_err(|error| match &remote {
                Some(remote) => refuse::operate(&error, remote),
                None => Problem::not_found("remote"),
            });
            (at, took)
        });
        told.collect::<Vec<_>>()
    });
    let mut begun: BTreeMap<usize, Took> =
        begun.buffer_unordered(REMOTES).flat_map(stream::iter).collect().await;
    let took = meant.into_iter().enumerate();
    let took =
        took.map(|(at, id)| id.and_then(|_| begun.remove(&at).unwrap_or_else(|| Err(Problem::internal()))));
    let took: Vec<Took> = took.collect();
    let (outcome, about) = came_of_it(about, &wanted.targets, &took);
    mutation::end_many(outcome, about, Kept::of(&took).bytes());
    let took = took.into_iter().map(|one| one.map_err(|problem| Box::new(problem.told()))).collect();
    Ok(told(app, wanted.targets, took).await)
}

/// The answer: what became of each target, as it stands now.
async fn told(app: &App, targets: Vec<Target>, took: Vec<TookTold>) -> Response {
    let total = targets.len();
    let accepted = took.iter().filter(|one| one.is_ok()).count();
    let items = targets.into_iter().zip(took).map(async |(target, took)| {
        let (remote, vmid) = (target.remote, target.vmid);
        let mut item = StartedItem { remote, vmid, operation_id: None, operation: None, problem: None };
        match took {
            Err(problem) => item.problem = Some(*problem),
            // It may be in other hands by now than those that took it on.
            Ok(id) => {
                item.operation_id = Some(id);
                match app.fleet().operation_now(id).await {
                    Ok(Some(now)) => item.operation = Some(shown(app, &now)),
                    Ok(None) => item.problem = Some(Problem::not_found("operation").told()),
                    Err(error) => item.problem = Some(Problem::from(error).told()),
                }
            }
        }
        item
    });
    let items: Vec<StartedItem> = stream::iter(items).buffered(LOOKED_UP).collect().await;
    (StatusCode::ACCEPTED, Json(Started { total, accepted, items })).into_response()
}

/// One of many: how it is asked for in other words is told where it is told alone.
fn shown(app: &App, operation: &model::Operation) -> Operation {
    let id = operation.guest.remote;
    let remote = app.fleet().remote(id).map_or_else(|| view::gone(id), |remote| remote.name.clone());
    Operation::of(operation, &remote)
}

/// Whether who asked may still act on that remote when a turn comes. Signing out calls nothing back; what a person or
/// a token may not do any more is not done.
fn leave(app: &App, caller: &Caller, id: RemoteId) -> Leave {
    let (app, caller) = (app.clone(), caller.clone());
    Leave::new(move || {
        let grants = match &caller.via {
            Via::Session { .. } => app.people().user(&caller.name, app.now().wall).map(|user| user.grants),
            Via::Token { .. } | Via::Socket { .. } => app.people().still(&caller),
        };
        match grants.is_some_and(|grants| grants.may(Act::Power, Some(id))) {
            true => Ok(()),
            false => Err(format!("{} may not do this any more", caller.author().name)),
        }
    })
}

// --- the audit log ---

/// The request, as the audit log tells it.
fn about(app: &App, wanted: &OperationsRequest, of_remote: &BTreeMap<RemoteId, Vec<(usize, Vmid)>>) -> About {
    let one = match of_remote.keys().collect::<Vec<_>>().as_slice() {
        [one] => Some(**one),
        _ => None,
    };
    let named: BTreeSet<&str> = wanted.targets.iter().map(|target| target.remote.as_str()).collect();
    let guests = match wanted.targets.len() {
        1 => "1 guest".to_owned(),
        n => format!("{n} guests"),
    };
    let place = match (one.and_then(|id| app.fleet().remote(id)), named.len()) {
        (Some(remote), 1) => remote.name.to_string(),
        (_, 1) => named.into_iter().collect(),
        (_, n) => format!("{n} remotes"),
    };
    let all = wanted.targets.iter().map(|target| (target.remote.as_str(), target.vmid));
    About {
        remote: one.filter(|_| of_remote.values().map(Vec::len).sum::<usize>() == wanted.targets.len()),
        target: format!("{place}: {guests}"),
        parameters: json!({ "action": wanted.action, "options": wanted.options, "targets": listed(all) }),
    }
}

/// The same with what came of it, and that in a word.
fn came_of_it(about: About, targets: &[Target], took: &[Took]) -> (&'static str, About) {
    let ids: Vec<OperationId> = took.iter().filter_map(|one| one.as_ref().ok().copied()).collect();
    let mut refused: BTreeMap<&str, Vec<(&str, Vmid)>> = BTreeMap::new();
    for (target, one) in targets.iter().zip(took) {
        if let Err(problem) = one {
            refused.entry(problem.code()).or_default().push((&target.remote, target.vmid));
        }
    }
    let outcome = match (ids.len(), refused.is_empty()) {
        (_, true) => "ok",
        (0, false) => "refused",
        (_, false) => "partly",
    };
    let refused: BTreeMap<&str, Vec<String>> =
        refused.into_iter().map(|(code, which)| (code, listed(which.into_iter()))).collect();
    let mut parameters = about.parameters;
    if let Some(fields) = parameters.as_object_mut() {
        // Which were meant stands in the line of its beginning, where there is one.
        if !ids.is_empty() {
            fields.remove("targets");
        }
        fields.insert("accepted".to_owned(), json!(ids.len()));
        fields.insert("total".to_owned(), json!(took.len()));
        fields.insert("operations".to_owned(), json!(ranges(ids.into_iter().map(|id| id.0))));
        fields.insert("refused".to_owned(), json!(refused));
    }
    (outcome, About { parameters, ..about })
}

// --- the same request once more ---

/// What is kept of an answer: which operation each became, or which of the problems kept it from that. The rest is told
/// anew.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    of_many: Vec<One>,
    problems: Vec<api::Problem>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum One {
    Problem(usize),
    Operation(OperationId),
}

impl Kept {
    fn of(took: &[Took]) -> Self {
        let mut kept = Self { of_many: Vec::with_capacity(took.len()), problems: Vec::new() };
        for one in took {
            let one = match one {
                Ok(id) => One::Operation(*id),
                Err(problem) => One::Problem(kept.place(problem.clone().told())),
            };
            kept.of_many.push(one);
        }
        kept
    }

    /// Where a problem stands; each is kept once.
    fn place(&mut self, problem: api::Problem) -> usize {
        self.problems.iter().position(|known| *known == problem).unwrap_or_else(|| {
            self.problems.push(problem);
            self.problems.len() - 1
        })
    }

    /// As it is kept, within bounds.
    fn bytes(mut self) -> Vec<u8> {
        let bytes = serde_json::to_vec(&self).unwrap_or_default();
        if bytes.len() <= KEPT {
            return bytes;
        }
        for problem in std::mem::take(&mut self.problems) {
            let api::Problem { kind, title, status, .. } = problem;
            let detail = title.clone();
            self.problems.push(api::Problem { kind, title, status, detail, ..api::Problem::default() });
        }
        let plain = std::mem::take(&mut self.problems);
        let places: Vec<usize> = plain.into_iter().map(|problem| self.place(problem)).collect();
        for one in &mut self.of_many {
            if let One::Problem(at) = one {
                *at = places.get(*at).copied().unwrap_or_default();
            }
        }
        serde_json::to_vec(&self).unwrap_or_default()
    }
}

/// The answer to a request that was answered before, if `kept` is what is kept of such a one: the same items, each
/// operation as it stands now.
pub(crate) async fn told_again(app: &App, caller: &Caller, kept: &[u8], body: &[u8]) -> Option<Response> {
    let kept: Kept = serde_json::from_slice(kept).ok()?;
    let wanted: OperationsRequest = serde_json::from_slice(body).ok()?;
    let mut took = Vec::with_capacity(kept.of_many.len());
    for one in kept.of_many {
        took.push(match one {
            One::Problem(at) => Err(Box::new(kept.problems.get(at)?.clone())),
            One::Operation(id) => match app.fleet().operation_now(id).await {
                Ok(Some(now)) if !caller.grants.sees(now.guest.remote) => {
                    Err(Box::new(Problem::not_found("remote").told()))
                }
                _ => Ok(id),
            },
        });
    }
    Some(told(app, wanted.targets, took).await)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_long_answer_is_short() {
        let id = |n: usize| OperationId(7_300_000_000_000_000 + u64::try_from(n).unwrap());
        let long =
            |n: usize| Problem::conflict("disabled", "That cannot be done now.").detail(format!("{n:0500}"));
        let took: Vec<Took> = (0..500).map(|n| if n % 2 == 0 { Ok(id(n)) } else { Err(long(n)) }).collect();
        let kept = Kept::of(&took).bytes();
        assert!(kept.len() < KEPT, "{}", kept.len());
        let kept: Kept = serde_json::from_slice(&kept).unwrap();
        assert_eq!((kept.of_many.len(), kept.problems.len()), (500, 1));
        assert_eq!((kept.problems[0].code(), kept.problems[0].status), ("disabled", 409));
        assert!(matches!(kept.of_many[498], One::Operation(one) if one == id(498)));
        // As long as there is room, word by word.
        let kept = Kept::of(&took[..9]).bytes();
        let kept: Kept = serde_json::from_slice(&kept).unwrap();
        assert_eq!(kept.problems.len(), 4);
        assert!(kept.problems[3].detail.ends_with('7'), "{:?}", kept.problems);
    }
}
