//! `/healthz`, `/readyz`, `/metrics`, and the API's own description. None of them names anything.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use axum::Extension;
use model::access::{Act, Visible};
use sha2::{Digest, Sha256};
use store::{StoreError, Write};
use tokio::sync::Mutex;

use crate::app::App;
use crate::caller::Caller;
use crate::extract::Json;
use crate::guard::{Gate, guard};
use crate::metrics;
use crate::openapi;
use crate::peer::{Peer, Whence};
use crate::people::bearer;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Gate::open(), routes!(alive)))
        .routes(guard(Gate::open(), routes!(ready)))
        .routes(guard(Gate::open(), routes!(figures)))
        .routes(guard(Gate::open(), routes!(description)))
}

/// How it is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`, or what is wrong.
    status: &'static str,
    /// Why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
}

/// For so long it is believed that the store takes what is written, or that it does not.
const TRIED: Duration = Duration::from_secs(1);

/// Whether the store takes what is written, as was last tried.
#[derive(Debug, Default)]
pub(crate) struct Tried(Mutex<Option<(Duration, Option<&'static str>)>>);

impl Tried {
    /// Why the store does not take or give what it should. However many ask, it is tried once in a while.
    async fn trouble(&self, app: &App) -> Option<&'static str> {
        let mut last = self.0.lock().await;
        let now = app.now();
        match *last {
            Some((at, known)) if now.since(at) < TRIED => known,
            _ => {
                let written = app.store().write(vec![Write::Setting {
                    key: "ready".to_owned(),
                    value: Some(now.wall.to_string()),
                }]);
                let found = match written.await {
                    Ok(_) => app.store().setting("ready").await.err(),
                    Err(error) => Some(error),
                };
                let found = found.as_ref().map(cause);
                *last = Some((app.now().mono, found));
                found
            }
        }
    }
}

/// A store's trouble in one word that names nothing.
fn cause(error: &StoreError) -> &'static str {
    match error {
        StoreError::NoSpace => "disk_full",
        StoreError::Disk(_) => "disk_failing",
        StoreError::ReadOnly(_) => "disk_read_only",
        StoreError::Damaged(_) => "database_damaged",
        StoreError::Busy => "database_locked",
        StoreError::Unreachable(_) => "database_unreachable",
        StoreError::Closed => "closed",
        _ => "database",
    }
}

/// Whether the process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It does.", body = Health, example = json!({"status": "ok"}))),
)]
async fn alive() -> Json<Health> {
    Json(Health { status: "ok", cause: None })
}

/// Whether it can do its work: the store takes what is written.
///
/// `lease`: it shares a database with other processes, and cannot tell whether its remotes are still its own.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, description = "It can.", body = Health, example = json!({"status": "ok"})),
        (status = 503, description = "It cannot, and why in one word.", body = Health,
            example = json!({"status": "store", "cause": "disk_full"})),
    ),
)]
async fn ready(State(app): State<App>) -> (StatusCode, Json<Health>) {
    if app.fleet().lease().lapsed.is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "lease", cause: Some("lapsed") }));
    }
    match app.tried().trouble(&app).await {
        None => (StatusCode::OK, Json(Health { status: "ok", cause: None })),
        cause => (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "store", cause })),
    }
}

/// Figures for Prometheus (OpenMetrics text).
///
/// Takes the metrics token, or an API token or session that may see everything, or the address that is for metrics
/// alone.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "The figures.", body = String,
            content_type = "application/openmetrics-text", example = "muster_links{state=\"connected\"} 3"),
        (status = 401, description = "It takes a token.", body = api::Problem),
    ),
)]
async fn figures(
    State(app): State<App>,
    Extension(whence): Extension<Whence>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let own_door = matches!(whence.peer, Peer::Tcp { metrics_only: true, .. });
    let sees_all = caller.is_some_and(|Extension(caller)| {
        caller.grants.may(Act::Read, None) && caller.visible() == Visible::All
    });
    if !own_door && !sees_all && !has_token(&app, &headers) {
        return Err(Problem::unauthorized());
    }
    let text = metrics::text(&app).await.map_err(|_| Problem::internal())?;
    const KIND: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, KIND)], text).into_response())
}

fn has_token(app: &App, headers: &HeaderMap) -> bool {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    match (app.settings().metrics.token_sha256, sent) {
        (Some(known), Some(sent)) => {
            let sent: [u8; 32] = Sha256::digest(sent.as_bytes()).into();
            bool::from(known.ct_eq(&sent))
        }
        _ => false,
    }
}

/// This description.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "health",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object,
        example = json!({"openapi": "3.1.0", "info": {"title": "Muster"}}))),
)]
async fn description() -> Response {
    const KIND: HeaderValue = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, KIND)], openapi::served()).into_response()
}
