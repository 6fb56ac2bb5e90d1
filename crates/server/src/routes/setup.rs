//! The first start: `GET /setup`, `POST /setup`, `POST /setup/link`.

use api::session::Session;
use api::setup::{SetupLink, SetupRequest, SetupState};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sessions::signed_in;
use crate::app::App;
use crate::caller::{Caller, Via};
use crate::extract::Json;
use crate::guard::{Gate, guard};
use crate::peer::Whence;
use crate::people::Proof;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Gate::open(), routes!(state)))
        .routes(guard(Gate::open().unrepeated(), routes!(set_up)))
        .routes(guard(Gate::everywhere(model::access::Act::Users).unrepeated(), routes!(link)))
}

/// Whether somebody has to be made administrator first.
#[utoipa::path(
    get, path = "/setup", tag = "setup",
    responses((status = 200, description = "How it stands.", body = SetupState,
        example = json!({"needed": true, "instance": "9f31c0aa", "version": "0.1.0"}))),
)]
async fn state(State(app): State<App>) -> Json<SetupState> {
    Json(SetupState {
        needed: app.needs_setup(),
        instance: app.store().instance().to_owned(),
        version: app.settings().version.clone(),
    })
}

/// Makes the first administrator and signs them in.
///
/// The secret stands behind the `#` of the set-up link; it works once, and for an hour.
#[utoipa::path(
    post, path = "/setup", tag = "setup", request_body(content = SetupRequest,
        example = json!({"secret": "…", "user": "anna", "password": "…"})),
    responses(
        (status = 201, description = "Made, and signed in; the session's cookie comes along.", body = Session),
        (status = 403, description = "The secret is not the one, or too old.", body = api::Problem),
        (status = 409, description = "There is an administrator already, or a user of that name.",
            body = api::Problem),
    ),
)]
async fn set_up(
    State(app): State<App>,
    Extension(whence): Extension<Whence>,
    headers: HeaderMap,
    Json(asked): Json<SetupRequest>,
) -> Result<Response, Problem> {
    let proved = app.people().set_up(&asked.secret, &asked.user, &asked.password, &whence, app.now()).await?;
    let agent = headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
    let session =
        app.people().begin(&asked.user, &Proof::password(proved), agent, &whence, app.now().wall).await?;
    Ok((StatusCode::CREATED, signed_in(&app, &whence, session)?).into_response())
}

/// Makes a new set-up link.
///
/// Only for whoever sits at the machine (the Unix socket), and only while there is no administrator. The link made
/// before ends.
#[utoipa::path(
    post, path = "/setup/link", tag = "setup",
    responses(
        (status = 201, description = "The link.", body = SetupLink,
            example = json!({"url": "http://127.0.0.1:8088/setup#…", "expires": "2026-01-01T12:00:00Z"})),
        (status = 409, description = "There is an administrator already.", body = api::Problem),
    ),
)]
async fn link(State(app): State<App>, caller: Caller) -> Result<(StatusCode, Json<SetupLink>), Problem> {
    if !matches!(caller.via, Via::Socket { .. }) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "socket_only",
            "This is only for callers on the server's own socket.",
        ));
    }
    let link = app
        .setup_link()
        .await?
        .ok_or_else(|| Problem::conflict("set_up_already", "There is an administrator already."))?;
    Ok((StatusCode::CREATED, Json(link)))
}
