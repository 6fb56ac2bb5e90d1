//! `GET /stream`, `PUT /stream/{id}/subscriptions`.

use api::stream::{ResetWhy, StreamQuery, Subscriptions};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use model::Now;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::body;
use super::hub::{Held, Hub};
use super::machine::Wanted;
use super::world::World as _;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path, Query};
use crate::guard::{Gate, guard};
use crate::problem::Problem;

/// The routes of the stream.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Gate::signed_in(), routes!(open)))
        .routes(guard(Gate::signed_in().unrepeated().unaudited(), routes!(subscribe)))
}

/// Opens a live stream.
///
/// Server-sent events: each has a name, which is the `type` of its data, and data in JSON (`StreamMessage`).
/// All but heartbeats carry an id, `epoch.sequence`. With `Last-Event-ID`, within ten minutes, what was missed
/// comes first, then what has changed since; when that cannot be done, the first message is `reset`.
#[utoipa::path(
    get,
    path = "/stream",
    tag = "stream",
    params(StreamQuery, ("last-event-id" = Option<String>, Header, description = "The id of the last message received.")),
    responses((status = 200, description = "The stream.", content_type = "text/event-stream",
        body = api::stream::StreamMessage,
        example = json!({
            "type": "links",
            "upserted": [],
            "removed": [7]
        }))),
)]
async fn open(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let hub = app.streams().clone();
    let wanted = match query.subscribe.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let subscriptions: Subscriptions = serde_json::from_str(text)
                .map_err(|error| Problem::invalid(format!("“subscribe” cannot be read: {error}.")))?;
            Some(Wanted::read(subscriptions, hub.timings())?)
        }
    };
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (held, resumed) = attach(&hub, &caller, header.or(query.last_event_id).as_deref(), app.now())?;
    if let Some(wanted) = wanted {
        held.entry.machine().subscribe(wanted, last_event(&app));
    }
    let mut response = Response::new(Body::from_stream(body(app, hub, caller, held, resumed)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    // No proxy may hold back what is meant for now, be it to pack it (`no-transform`).
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The stream that a client comes back to, or a new one; and whether what the client holds still holds.
pub(super) fn attach(
    hub: &Hub,
    caller: &Caller,
    last: Option<&str>,
    now: Now,
) -> Result<(Held, bool), Problem> {
    let (owner, visible) = (caller.principal(), caller.visible());
    let Some(last) = last.filter(|last| !last.is_empty()) else {
        return Ok((hub.begin(&owner, visible, now)?, true));
    };
    let known = last
        .split_once('.')
        .and_then(|(epoch, sequence)| Some((hub.find(epoch, &owner, now)?, sequence.parse::<u64>().ok()?)));
    match known {
        Some((entry, sequence)) => {
            let held = hub.hold(entry, now);
            let resumed = held.entry.machine().resume(sequence, &visible);
            Ok((held, resumed))
        }
        None => {
            let held = hub.begin(&owner, visible, now)?;
            held.entry.machine().reset(ResetWhy::NotKnown);
            Ok((held, false))
        }
    }
}

/// Where the history ends now.
fn last_event(app: &App) -> i64 {
    app.history().map_or(0, |last| *last.borrow())
}

/// Changes what an open stream tells.
///
/// The set takes the place of the one before; what stays in it goes on without a break, what is new in it is told
/// from the beginning. The answer says where the history goes on (`events_after`).
#[utoipa::path(
    put,
    path = "/stream/{id}/subscriptions",
    tag = "stream",
    params(("id" = String, Path, description = "The stream's id, as its `hello` said.")),
    request_body = Subscriptions,
    responses((status = 200, description = "The subscriptions as they stand.", body = Subscriptions,
        example = json!({"topics": ["events"], "lists": {}, "events_after": 4711}))),
)]
async fn subscribe(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(subscriptions): Json<Subscriptions>,
) -> Result<Json<Subscriptions>, Problem> {
    let hub = app.streams();
    let entry = hub.find(&id, &caller.principal(), app.now()).ok_or_else(|| Problem::not_found("stream"))?;
    let wanted = Wanted::read(subscriptions, hub.timings())?;
    let stands = entry.machine().subscribe(wanted, last_event(&app));
    entry.ring();
    Ok(Json(stands))
}
