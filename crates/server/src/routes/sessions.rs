//! Sign-in: `POST /session`, `GET /session`, `DELETE /session`, `GET /sessions`, `DELETE /sessions`,
//! `DELETE /sessions/{id}`.

use api::Page;
use api::session::{Session, SessionQuery, SessionRow, SignInRequest, Via as ShownVia};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::access::Act;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::account::{no_user, not_narrowed};
use crate::app::App;
use crate::caller::{Caller, Via};
use crate::extract::{Json, Path, Query};
use crate::guard::{Gate, guard};
use crate::peer::Whence;
use crate::people::{NewSession, csrf};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Gate::open().unrepeated(), routes!(create)))
        .routes(guard(Gate::signed_in(), routes!(show)))
        .routes(guard(Gate::signed_in().unrepeated(), routes!(end_own)))
        .routes(guard(Gate::signed_in(), routes!(list, end_others)))
        .routes(guard(Gate::signed_in(), routes!(end)))
}

/// The answer to a sign-in: who it is, and the cookie.
pub(super) fn signed_in(app: &App, whence: &Whence, session: NewSession) -> Result<Response, Problem> {
    let secret = &session.secret;
    let path = format!("{}/", app.settings().prefix());
    let secure = if whence.secure { "; Secure" } else { "" };
    let name = app.people().cookie_name();
    let longest = app.settings().sessions.longest.as_secs();
    let cookie = zeroize::Zeroizing::new(format!(
        "{name}={}; Path={path}; Max-Age={longest}; HttpOnly; SameSite=Strict{secure}",
        secret.as_str()
    ));
    let mut value = HeaderValue::from_str(&cookie).map_err(|_| Problem::internal())?;
    value.set_sensitive(true);
    let mut shown = shown(app, &session.caller);
    shown.csrf = csrf(secret).into();
    shown.expires = Some(session.ends);
    let mut response = Json(shown).into_response();
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

fn shown(app: &App, caller: &Caller) -> Session {
    let governs = caller.grants.is_administrator();
    Session {
        user: caller.name.clone(),
        via: match caller.via {
            Via::Session { .. } => ShownVia::Session,
            Via::Token { .. } => ShownVia::Token,
            Via::Socket { .. } => ShownVia::Socket,
        },
        grants: caller.grants.clone(),
        csrf: String::new().into(),
        instance: app.store().instance().to_owned(),
        version: app.settings().version.clone(),
        expires: app.people().session_ends(caller),
        warnings: if governs { app.warnings() } else { Vec::new() },
    }
}

/// Signs in with a password.
///
/// The answer sets the session's cookie. A user there is not and a wrong password are the same, also in time. Where a
/// second factor is on, the right password without a `code` is answered with `urn:muster:second_factor`, a wrong code
/// with `urn:muster:wrong_code`.
#[utoipa::path(
    post, path = "/session", tag = "session",
    request_body(content = SignInRequest, example = json!({"user": "anna", "password": "…"})),
    responses(
        (status = 200, description = "Signed in.", body = Session),
        (status = 401, description = "User or password is not right; or the code of the second factor is missing \
            or not right.", body = api::Problem),
    ),
)]
async fn create(
    State(app): State<App>,
    Extension(whence): Extension<Whence>,
    headers: HeaderMap,
    Json(asked): Json<SignInRequest>,
) -> Result<Response, Problem> {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let SignInRequest { user, password, code } = &asked;
    let session = app.people().sign_in(user, password, code.as_ref(), agent, &whence, app.now()).await?;
    signed_in(&app, &whence, session)
}

/// Who is signed in, and what they may.
#[utoipa::path(
    get, path = "/session", tag = "session",
    responses((status = 200, description = "Who it is.", body = Session,
        example = json!({"user": "anna", "via": "session", "csrf": "…", "instance": "9f31c0aa",
            "version": "0.1.0", "grants": [{"role": "viewer", "scope": {"kind": "remote", "value": 7}}]}))),
)]
async fn show(State(app): State<App>, caller: Caller, headers: HeaderMap) -> Json<Session> {
    let mut session = shown(&app, &caller);
    if let (Via::Session { .. }, Some(secret)) = (&caller.via, app.people().cookie_of(&headers)) {
        session.csrf = csrf(secret).into();
    }
    Json(session)
}

/// Signs out.
#[utoipa::path(
    delete, path = "/session", tag = "session",
    responses((status = 204, description = "Signed out; the cookie is taken back.")),
)]
async fn end_own(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let Via::Session { id } = &caller.via else {
        return Err(Problem::conflict("no_session", "There is no session to end: none was begun."));
    };
    app.people().end_session(id).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let cookie = format!("{}=; Path={}/; Max-Age=0", app.people().cookie_name(), app.settings().prefix());
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Lists open sessions: one's own, an administrator everybody's.
#[utoipa::path(
    get, path = "/sessions", tag = "session", params(SessionQuery),
    responses((status = 200, description = "The sessions, newest first.", body = Page<SessionRow>,
        example = json!({"items": [{"id": "k3Jd82-fQx1a", "name": "anna", "from": "192.0.2.7",
            "created": "2026-01-01T12:00:00Z", "current": true}], "total": 1}))),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(SessionQuery { user }): Query<SessionQuery>,
) -> Json<Page<SessionRow>> {
    let all = caller.grants.may(Act::Users, None);
    let mut rows =
        app.people().sessions_of(Some(caller.name.as_str()).filter(|_| !all), &caller, app.now().wall);
    rows.retain(|row| user.as_ref().is_none_or(|user| row.name == *user));
    Json(Page::whole(rows))
}

/// Ends all of one's own sessions but the one that asks.
///
/// Asked for with an API token: all sessions of its owner. Their live streams end within a second. Not for a token that
/// may less than its owner.
#[utoipa::path(
    delete, path = "/sessions", tag = "session",
    responses(
        (status = 204, description = "They have ended."),
        (status = 403, description = "The caller is a narrowed API token.", body = api::Problem),
        (status = 409, description = "The caller is no user: it is the socket's.", body = api::Problem),
    ),
)]
async fn end_others(State(app): State<App>, caller: Caller) -> Result<StatusCode, Problem> {
    not_narrowed(&app, &caller)?;
    app.people().end_others(caller.user().ok_or_else(no_user)?, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session: one's own, an administrator anybody's.
///
/// One's own not by an API token that may less than its owner.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "session",
    params(("id" = String, Path, description = "The session's id.", example = "k3Jd82-fQx1a")),
    responses(
        (status = 204, description = "It has ended."),
        (status = 403, description = "The caller is a narrowed API token.", body = api::Problem),
    ),
)]
async fn end(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let owner = app.people().session_owner(&id);
    let may = owner
        .is_some_and(|owner| caller.grants.may(Act::Users, None) || caller.user() == Some(owner.as_str()));
    if !may {
        return Err(Problem::not_found("session"));
    }
    if !caller.grants.may(Act::Users, None) {
        not_narrowed(&app, &caller)?;
    }
    app.people().end_session(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
