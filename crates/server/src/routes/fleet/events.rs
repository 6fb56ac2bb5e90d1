//! `/events`: the history of everything, newest first.

use api::event::{Event, EventPage, EventQuery};
use axum::extract::State;
use http::StatusCode;
use model::access::Act;
use model::{RemoteId, Vmid};
use store::EventFilter;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::limit;
use super::operations::remotes_of;
use crate::app::{App, number};
use crate::caller::Caller;
use crate::extract::{Json, Query};
use crate::guard::guard;
use crate::problem::Problem;
use crate::stream::rows;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Act::Read, routes!(list)))
}

/// Lists what happened, newest first.
///
/// One event per thing that happened. `next` is what to give as `before` for the next page.
#[utoipa::path(
    get,
    path = "/events",
    tag = "events",
    params(EventQuery),
    responses(
        (status = 200, description = "A page of the history.", body = EventPage,
            example = json!({"items": [], "total": 0, "next": null})),
        (status = 404, description = "There is no such remote, or it may not be seen.", body = api::Problem),
    ),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<EventQuery>,
) -> Result<Json<EventPage>, Problem> {
    let remote = match query.remote.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Some(match (app.remote_meant(text, &caller.visible()), number(text)) {
            // The number of a remote that may be gone: its history stays.
            (Err(absent), Some(id)) if absent.status() == StatusCode::NOT_FOUND && caller.grants.sees(id) => {
                id
            }
            (meant, _) => meant?,
        }),
        None => None,
    };
    page(&app, &caller, &query, remote, query.vmid).await.map(Json)
}

/// A page of what the caller may see.
pub(super) async fn page(
    app: &App,
    caller: &Caller,
    query: &EventQuery,
    remote: Option<RemoteId>,
    vmid: Option<Vmid>,
) -> Result<EventPage, Problem> {
    let Some(store) = app.fleet().store() else {
        return Ok(EventPage { items: Vec::new(), total: 0, next: None });
    };
    let kinds = query.kind.as_deref().unwrap_or_default().split(',').map(str::trim);
    let limit = limit(query.limit);
    let visible = caller.visible();
    let filter = EventFilter {
        remotes: remotes_of(&visible),
        remote,
        vmid,
        kinds: kinds.filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
        before: query.before,
        limit,
        ..EventFilter::default()
    };
    let records = store.events(filter).await?;
    let next = (records.len() == limit).then(|| records.last().map(|(seq, _)| *seq)).flatten();
    let snapshot = app.fleet().snapshot();
    let items: Vec<Event> = records
        .into_iter()
        .map(|(seq, record)| rows::happened(&rows::kept_event(seq, record), &snapshot, &visible))
        .collect();
    Ok(EventPage { total: items.len(), items, next })
}
