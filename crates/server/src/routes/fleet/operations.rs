//! `/operations`: asked for, listed, looked at, decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::operation::{
    Operation, OperationRequest, OperationsBegun, OperationsRequest, OperationsWanted, Plan, Resolve,
};
use api::{ListQuery, Page};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::lists;
use fleet::{FleetSnapshot, OperationError, RemoteSnapshot, Resolution};
use http::{HeaderValue, StatusCode, header};
use model::access::{Act, Visible};
use model::operation::UnknownWhy;
use model::query::Vocabulary;
use model::{OperationId, OperationState, RemoteId, TaskId};
use serde::Deserialize;
use serde_json::Value;
use store::OperationFilter;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{bulk, refuse, view};
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path, Query, whole};
use crate::guard::{Gate, guard};
use crate::problem::Problem;
use crate::show_as;
use crate::stream::rows;

/// Ended operations that are looked through for a list, the newest ones.
const ENDED: usize = 2000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Act::Power, routes!(create)))
        .routes(guard(Gate::on(Act::Power).unrepeated().unaudited(), routes!(plan)))
        .routes(guard(Act::Read, routes!(list)))
        .routes(guard(Act::Read, routes!(show)))
        .routes(guard(Act::Power, routes!(cancel)))
        .routes(guard(Act::Power, routes!(resolve)))
}

/// Starts, stops or otherwise switches a guest, or many.
///
/// Recorded before anything is sent, sent once, followed to its end: read it at `Location`, or follow it over the
/// stream. An action that makes no sense now is refused (409) with why, and with what would make it possible. While
/// the link is down for a cause that may pass, it is tried first; an operation that does not get through within ten
/// seconds ends as `not_sent`, and is never sent later.
///
/// With `targets` it is about up to 500 guests: each wish is taken on or refused by itself, and the answer has one item
/// for each, in their order, whatever became of it. What was taken on is sent in that order, a few at a time: at most
/// three requests to a node and six to a remote at once, and no more while eight of a node have not ended. What waits
/// for ten minutes in which nothing of its node ends, or for an hour in all, ends as `not_sent`; and so does what makes
/// no sense any more when its turn comes, or may not be done any more by who asked for it. Asked again with the same
/// `Idempotency-Key`, the same items are told, each operation as it stands then.
#[utoipa::path(
    post,
    path = "/operations",
    tag = "operations",
    request_body = OperationsWanted,
    responses(
        (status = 202, description = "It is under way.", body = OperationsBegun,
            headers(("Location" = String, description = "Where it is; of one."))),
        (status = 404, description = "There is no such remote or guest, or it may not be seen.",
            body = api::Problem),
        (status = 409, description = "It cannot be done now.", body = api::Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(wanted): Json<Value>,
) -> Result<Response, Problem> {
    if wanted.get("targets").is_some() {
        return bulk::start(&app, &caller, whole(wanted)?).await;
    }
    let wanted: OperationRequest = whole(wanted)?;
    let id = app.remote_meant(&wanted.remote, &caller.visible())?;
    caller.needs(Act::Power, Some(id))?;
    let remote = super::remote(&app, id)?;
    let asked = app.changing().operate(id, wanted.vmid, wanted.action, wanted.options, caller.author()).await;
    let operation = match asked {
        Ok(operation) => operation,
        Err(error) => return Err(refuse::operate(&error, &*super::remote(&app, id)?)),
    };
    let now = app.fleet().operation_now(operation).await?.ok_or_else(Problem::internal)?;
    Ok(accepted(&show_as::operation(&now, &remote.name), operation))
}

/// Says what would be done, guest by guest.
///
/// For whoever is about to ask for it: how each guest stands, whether the action makes sense now, and how the same is
/// asked for elsewhere. Nothing is recorded, and nothing is sent to any host.
#[utoipa::path(
    post,
    path = "/operations/plan",
    tag = "operations",
    request_body = OperationsRequest,
    responses((status = 200, description = "The plan.", body = Plan)),
)]
async fn plan(
    State(app): State<App>,
    caller: Caller,
    Json(wanted): Json<OperationsRequest>,
) -> Result<Json<Plan>, Problem> {
    bulk::plan(&app, &caller, wanted).map(Json)
}

fn accepted(operation: &Operation, id: OperationId) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(operation)).into_response();
    response.headers_mut().extend(located(id).map(|at| (header::LOCATION, at)));
    response
}

fn located(id: OperationId) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{}/operations/{id}", api::BASE)).ok()
}

/// Where the operation is that an answer is about.
pub(crate) fn location(answer: &[u8]) -> Option<HeaderValue> {
    serde_json::from_slice::<Operation>(answer).ok().and_then(|operation| located(operation.id))
}

/// What [`create`] answers to a request that became this operation before, as it stands now; `None` when the caller
/// may not see it any more, or it is so old that it is gone.
pub(crate) async fn taken_on(
    app: &App,
    caller: &Caller,
    id: OperationId,
) -> Result<Option<Response>, Problem> {
    let operation = app.fleet().operation_now(id).await?;
    let seen = operation.filter(|operation| caller.grants.sees(operation.guest.remote));
    Ok(seen.map(|operation| accepted(&told(app, &operation), id)))
}

/// Lists operations, newest first: those that have not ended, and the newest two thousand that have.
#[utoipa::path(
    get,
    path = "/operations",
    tag = "operations",
    params(ListQuery),
    responses((status = 200, description = "A page of operations.", body = Page<Operation>,
        example = json!({"items": [], "total": 0, "counts": {"state": {"running": 1, "succeeded": 7}}, "revision": 42}))),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Operation>>, Problem> {
    let request = rows::request(Vocabulary::Operations, &query)?;
    let visible = caller.visible();
    let (now, at) = (app.fleet().snapshot(), app.now().wall);
    let (whole, unreadable) = with_ended(&app, &now, &visible).await?;
    let mut page = lists::operations(&whole, &visible, &request, at);
    // Of the remotes there are: those that are gone stand in `whole` for their operations only.
    page.counts.remotes = lists::operations(&now, &visible, &request, at).counts.remotes;
    page.revision = now.revision_for(&visible);
    Ok(Json(rows::operations(page).lacking(unreadable)))
}

/// The body of an operation's record, as far as it is looked at here.
#[derive(Deserialize)]
struct Kept {
    #[serde(flatten)]
    operation: model::Operation,
}

/// The fleet with nothing but its operations, those among them that have ended long ago; and how many of these cannot
/// be read.
async fn with_ended(
    app: &App,
    now: &FleetSnapshot,
    visible: &Visible,
) -> Result<(FleetSnapshot, usize), Problem> {
    let mut remotes: Vec<RemoteSnapshot> = now
        .remotes
        .iter()
        .filter(|remote| visible.sees(remote.id))
        .map(|remote| RemoteSnapshot {
            link: remote.link.clone(),
            operations: remote.operations.clone(),
            ..RemoteSnapshot::bare(remote.id, remote.name.clone(), remote.at)
        })
        .collect();
    let mut known: BTreeSet<OperationId> =
        remotes.iter().flat_map(|remote| remote.operations.iter().map(|operation| operation.id)).collect();
    let records = match app.fleet().store() {
        Some(store) => {
            let filter =
                OperationFilter { remotes: remotes_of(visible), limit: ENDED, ..OperationFilter::default() };
            store.operations(filter).await?
        }
        None => Vec::new(),
    };
    let mut unreadable = 0;
    for record in records {
        if !visible.sees(record.remote) || !known.insert(record.id) {
            continue;
        }
        let Ok(Kept { operation }) = serde_json::from_str(&record.body) else {
            tracing::warn!(operation = %record.id, "what was kept of an operation cannot be read");
            unreadable += 1;
            continue;
        };
        let at = match remotes.iter().position(|remote| remote.id == record.remote) {
            Some(at) => at,
            None => {
                remotes.push(RemoteSnapshot::bare(record.remote, view::gone(record.remote), app.now().wall));
                remotes.len() - 1
            }
        };
        if let Some(remote) = remotes.get_mut(at) {
            remote.operations.push(Arc::new(operation));
        }
    }
    let remotes = remotes.into_iter().map(Arc::new).collect();
    Ok((FleetSnapshot { revision: now.revision, remotes }, unreadable))
}

/// The remotes that the store is asked about.
pub(super) fn remotes_of(visible: &Visible) -> Option<Vec<RemoteId>> {
    match visible {
        Visible::All => None,
        Visible::Remotes(some) => Some(some.iter().copied().collect()),
    }
}

/// An operation that the caller may see.
async fn seen(app: &App, caller: &Caller, id: &str) -> Result<Arc<model::Operation>, Problem> {
    let absent = || Problem::not_found("operation");
    let id: OperationId = id.parse().map_err(|_| absent())?;
    let operation = match app.fleet().operation_now(id).await {
        Err(OperationError::Unreadable { remote, .. }) if !caller.grants.sees(remote) => return Err(absent()),
        told => told?.ok_or_else(absent)?,
    };
    if caller.grants.sees(operation.guest.remote) { Ok(operation) } else { Err(absent()) }
}

/// An operation of which nothing but its place can be read, and whose remote that is.
async fn unreadable(app: &App, id: &str) -> Option<(OperationId, RemoteId)> {
    match app.fleet().operation_now(id.parse().ok()?).await {
        Err(OperationError::Unreadable { id, remote, .. }) => Some((id, remote)),
        _ => None,
    }
}

fn told(app: &App, operation: &model::Operation) -> Operation {
    let id = operation.guest.remote;
    let name = app.fleet().remote(id).map_or_else(|| view::gone(id), |remote| remote.name.clone());
    show_as::operation(operation, &name)
}

/// Shows one operation.
#[utoipa::path(
    get,
    path = "/operations/{id}",
    tag = "operations",
    params(("id" = String, Path, description = "Its id.", example = "7300000000000000")),
    responses((status = 200, description = "The operation.", body = Operation)),
)]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Operation>, Problem> {
    let operation = seen(&app, &caller, &id).await?;
    Ok(Json(told(&app, &operation)))
}

/// Takes back an operation that has not been sent.
///
/// One of many waits for its turn, and one by itself for a link that is down: until then nothing has left, and it ends
/// as `cancelled` with nothing sent. What was sent is not called back here: ask its task to end
/// (`DELETE /tasks/{remote}/{upid}`).
#[utoipa::path(
    post,
    path = "/operations/{id}/cancel",
    tag = "operations",
    params(("id" = String, Path, description = "Its id.", example = "7300000000000000")),
    responses(
        (status = 200, description = "The operation as it stands now.", body = Operation),
        (status = 409, description = "It was sent already, or has ended.", body = api::Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Operation>, Problem> {
    let operation = seen(&app, &caller, &id).await?;
    caller.needs(Act::Power, Some(operation.guest.remote))?;
    if let Err(error) = app.fleet().take_back(operation.id, &caller.author()).await {
        let now = seen(&app, &caller, &id).await?;
        return Err(refuse::take_back(&error, &told(&app, &now)));
    }
    let operation = seen(&app, &caller, &id).await?;
    Ok(Json(told(&app, &operation)))
}

/// Decides what became of an operation.
///
/// When several tasks could be it nobody but a person can tell: one of its `candidates`, or none of them. Where a node
/// or the HA manager will never tell, `not_sent` ends the watching, and the outcome stays unknown. An open
/// operation whose record in the store cannot be read is closed, whatever is decided.
#[utoipa::path(
    post,
    path = "/operations/{id}/resolve",
    tag = "operations",
    params(("id" = String, Path, description = "Its id.", example = "7300000000000000")),
    request_body(content = Resolve, example = json!({"as": "not_sent"})),
    responses(
        (status = 200, description = "The operation as it stands now.", body = Operation),
        (status = 204, description = "It is closed; what was kept of it cannot be read."),
    ),
)]
async fn resolve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(wanted): Json<Resolve>,
) -> Result<Response, Problem> {
    let resolution = match wanted {
        Resolve::Task { task } => Resolution::Task(task),
        Resolve::NotSent {} => Resolution::NotSent,
    };
    if let Some((id, remote)) = unreadable(&app, &id).await
        && caller.grants.sees(remote)
    {
        caller.needs(Act::Power, Some(remote))?;
        let closed = app.fleet().resolve(id, resolution, &caller.author()).await;
        closed.map_err(|error| refuse::resolve(&error, &[]))?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let operation = seen(&app, &caller, &id).await?;
    caller.needs(Act::Power, Some(operation.guest.remote))?;
    let candidates: Vec<TaskId> = match &operation.state {
        OperationState::OutcomeUnknown(UnknownWhy::Candidates { tasks }) => tasks.clone(),
        _ => Vec::new(),
    };
    app.fleet()
        .resolve(operation.id, resolution, &caller.author())
        .await
        .map_err(|error| refuse::resolve(&error, &candidates))?;
    let operation = seen(&app, &caller, &id).await?;
    Ok(Json(told(&app, &operation)).into_response())
}
