//! `/guests`: listed over all remotes, one in full, its history, its tasks, the earlier lives of its number.

use api::event::{EventPage, EventQuery};
use api::guest::{DetailQuery, Guest, GuestDetail, PastGuest};
use api::task::Task;
use api::{ListQuery, Page};
use axum::extract::State;
use fleet::lists;
use model::Vmid;
use model::access::Act;
use model::query::Vocabulary;
use store::ObservedKind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{events, view};
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path, Query};
use crate::guard::{Here, guard};
use crate::problem::Problem;
use crate::stream::rows;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Act::Read, routes!(list)))
        .routes(guard(Act::Read, routes!(show)))
        .routes(guard(Act::Read, routes!(history)))
        .routes(guard(Act::Read, routes!(tasks)))
        .routes(guard(Act::Read, routes!(past)))
}

/// Lists the guests of all remotes.
///
/// Containers and virtual machines, as last known: each row says how old it is, and why it is not live.
#[utoipa::path(
    get,
    path = "/guests",
    tag = "guests",
    params(ListQuery),
    responses((status = 200, description = "A page of guests.", body = Page<Guest>,
        example = json!({"items": [], "total": 0, "counts": {"state": {"running": 12, "stopped": 3}}, "revision": 42}))),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Guest>>, Problem> {
    let request = rows::request(Vocabulary::Guests, &query)?;
    let page = lists::guests(&app.fleet().snapshot(), &caller.visible(), &request, app.now().wall);
    Ok(Json(rows::guests(page)))
}

/// Shows one guest in full.
///
/// Its status, configuration, pending changes and addresses are asked for now; where the remote does not answer they
/// are told as last seen, each with its age and with why it could not be seen anew. And what may be done with it.
#[utoipa::path(
    get,
    path = "/guests/{remote}/{vmid}",
    tag = "guests",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("vmid" = u32, Path, description = "Its number.", example = 101),
        DetailQuery,
    ),
    responses((status = 200, description = "The guest.", body = GuestDetail)),
)]
async fn show(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, u32)>,
    Query(query): Query<DetailQuery>,
) -> Result<Json<GuestDetail>, Problem> {
    let Path((_, vmid)) = path;
    let detail = match query.look {
        Some(false) => app.fleet().guest_known(id, Vmid(vmid)).await?,
        _ => app.fleet().guest_detail(id, Vmid(vmid)).await?,
    };
    let remote = super::remote(&app, id)?;
    Ok(Json(view::guest(&remote, &detail, app.now())))
}

/// Refuses what is not there, and never was.
fn known(
    app: &App,
    id: model::RemoteId,
    vmid: Vmid,
) -> Result<std::sync::Arc<fleet::RemoteSnapshot>, Problem> {
    let remote = super::remote(app, id)?;
    if remote.guest(vmid).is_none() {
        return Err(Problem::not_found("guest"));
    }
    Ok(remote)
}

/// Lists what happened to a guest, newest first.
///
/// Earlier lives of its number included: each event says which `incarnation` it is about.
#[utoipa::path(
    get,
    path = "/guests/{remote}/{vmid}/events",
    tag = "guests",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("vmid" = u32, Path, description = "Its number.", example = 101),
        ("kind" = Option<String>, Query, description = "Of these kinds, separated by commas.", example = "guest_state"),
        ("before" = Option<i64>, Query, description = "Older than the event of this id: the next page."),
        ("limit" = Option<usize>, Query, description = "How many at most: 100 when not said, never more than 1000."),
    ),
    responses((status = 200, description = "A page of the history.", body = EventPage)),
)]
async fn history(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    path: Path<(String, u32)>,
    Query(query): Query<EventQuery>,
) -> Result<Json<EventPage>, Problem> {
    let Path((_, vmid)) = path;
    known(&app, id, Vmid(vmid))?;
    events::page(&app, &caller, &query, Some(id), Some(Vmid(vmid))).await.map(Json)
}

/// Lists the recent tasks of a guest, newest first.
#[utoipa::path(
    get,
    path = "/guests/{remote}/{vmid}/tasks",
    tag = "guests",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("vmid" = u32, Path, description = "Its number.", example = 101),
    ),
    responses((status = 200, description = "Its tasks, as far as they are known.", body = Page<Task>,
        example = json!({"items": [], "total": 0}))),
)]
async fn tasks(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, u32)>,
) -> Result<Json<Page<Task>>, Problem> {
    let Path((_, vmid)) = path;
    let remote = known(&app, id, Vmid(vmid))?;
    let of_it =
        |task: &&model::Task| lists::guest_of(&remote, task).is_some_and(|(one, _)| one == Vmid(vmid));
    let found = remote.tasks.iter().filter(of_it).map(|task| rows::task(&remote, task)).collect();
    Ok(Json(Page::whole(found)))
}

/// Lists the guests that had this number before.
#[utoipa::path(
    get,
    path = "/guests/{remote}/{vmid}/past",
    tag = "guests",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("vmid" = u32, Path, description = "The number.", example = 101),
    ),
    responses((status = 200, description = "The earlier lives, the last one first.", body = Page<PastGuest>,
        example = json!({"items": [], "total": 0}))),
)]
async fn past(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, u32)>,
) -> Result<Json<Page<PastGuest>>, Problem> {
    let Path((_, vmid)) = path;
    let remote = known(&app, id, Vmid(vmid))?;
    let records = match app.fleet().store() {
        Some(store) => store.observed_prefix(id, ObservedKind::GuestPast, &format!("{vmid}/")).await?,
        None => Vec::new(),
    };
    let (mut lives, mut unreadable) = (Vec::<PastGuest>::new(), 0);
    for record in &records {
        match view::past(&remote, record) {
            Ok(life) => lives.push(life),
            Err(error) => {
                tracing::warn!(remote = %id, key = record.key, %error, "what was kept of a guest cannot be read");
                unreadable += 1;
            }
        }
    }
    lives.sort_by_key(|life| std::cmp::Reverse(life.incarnation));
    Ok(Json(Page::whole(lives).lacking(unreadable)))
}
