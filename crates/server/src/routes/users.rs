//! People: `/users`.

use api::Page;
use api::user::{GrantsChange, NewUser, PasswordChange, User};
use axum::Extension;
use axum::extract::State;
use http::StatusCode;
use model::access::{Act, Grants, Scope};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::{Caller, Via};
use crate::extract::{Json, Path};
use crate::guard::{Gate, guard};
use crate::peer::Whence;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Gate::everywhere(Act::Users), routes!(list, create)))
        .routes(guard(Gate::everywhere(Act::Users), routes!(show, remove)))
        .routes(guard(Gate::signed_in(), routes!(password)))
        .routes(guard(Gate::everywhere(Act::Users), routes!(grants)))
        .routes(guard(Gate::everywhere(Act::Users), routes!(end_totp)))
}

/// Lists all users.
#[utoipa::path(
    get, path = "/users", tag = "users",
    responses((status = 200, description = "All users, by name.", body = Page<User>,
        example = json!({"items": [{"id": "anna", "name": "anna", "created": "2026-01-01T12:00:00Z",
            "grants": [{"role": "administrator", "scope": {"kind": "all"}}], "sessions": 1, "tokens": 0}],
            "total": 1}))),
)]
async fn list(State(app): State<App>) -> Json<Page<User>> {
    Json(Page::whole(app.people().users(app.now().wall)))
}

/// Adds a user.
#[utoipa::path(
    post, path = "/users", tag = "users",
    request_body(content = NewUser, example = json!({"name": "ben", "password": "…",
        "grants": [{"role": "operator", "scope": {"kind": "remote", "value": 7}}]})),
    responses(
        (status = 201, description = "Added.", body = User),
        (status = 409, description = "There is a user of that name.", body = api::Problem),
    ),
)]
async fn create(
    State(app): State<App>,
    Json(asked): Json<NewUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    sensible(&app, &asked.grants)?;
    app.add_user(&asked.name, &asked.password, asked.grants).await?;
    one(&app, &asked.name).map(|user| (StatusCode::CREATED, user))
}

/// One user.
#[utoipa::path(
    get, path = "/users/{user}", tag = "users",
    params(("user" = String, Path, description = "The user's name.", example = "ben")),
    responses((status = 200, description = "The user.", body = User,
        example = json!({"id": "ben", "name": "ben", "created": "2026-01-01T12:00:00Z",
            "grants": [{"role": "operator", "scope": {"kind": "remote", "value": 7}}],
            "sessions": 0, "tokens": 1}))),
)]
async fn show(State(app): State<App>, Path(name): Path<String>) -> Result<Json<User>, Problem> {
    one(&app, &name)
}

/// Removes a user with all sessions and tokens.
///
/// The last administrator cannot be removed.
#[utoipa::path(
    delete, path = "/users/{user}", tag = "users",
    params(("user" = String, Path, description = "The user's name.", example = "ben")),
    responses(
        (status = 204, description = "Removed."),
        (status = 409, description = "It is the last administrator.", body = api::Problem),
    ),
)]
async fn remove(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    app.people().remove_user(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a password; all sessions of that user end.
///
/// One's own with the present one in `old`; an administrator anybody's. An API token may not.
#[utoipa::path(
    put, path = "/users/{user}/password", tag = "users",
    params(("user" = String, Path, description = "The user's name.", example = "ben")),
    request_body(content = PasswordChange, example = json!({"old": "…", "new": "…"})),
    responses(
        (status = 204, description = "Set."),
        (status = 403, description = "`old` is not right, or the caller is an API token.", body = api::Problem),
    ),
)]
async fn password(
    State(app): State<App>,
    caller: Caller,
    Extension(whence): Extension<Whence>,
    Path(name): Path<String>,
    Json(asked): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    if matches!(caller.via, Via::Token { .. }) {
        return Err(person_only());
    }
    let own = caller.user() == Some(name.as_str());
    if !own && !caller.grants.may(Act::Users, None) {
        return Err(Problem::not_found("user"));
    }
    if own && asked.old.is_none() {
        return Err(Problem::invalid("To change your own password, send the present one as “old”."));
    }
    let old = asked.old.as_ref().filter(|_| own);
    app.people().set_password(&name, old, &asked.new, &whence, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces what a user may see and do.
///
/// Holds from the next request on; open streams follow within a second. The last administrator stays one.
#[utoipa::path(
    put, path = "/users/{user}/grants", tag = "users",
    params(("user" = String, Path, description = "The user's name.", example = "ben")),
    request_body(content = GrantsChange,
        example = json!({"grants": [{"role": "viewer", "scope": {"kind": "all"}}]})),
    responses(
        (status = 200, description = "The user as it is now.", body = User),
        (status = 409, description = "It is the last administrator.", body = api::Problem),
    ),
)]
async fn grants(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(asked): Json<GrantsChange>,
) -> Result<Json<User>, Problem> {
    sensible(&app, &asked.grants)?;
    app.people().set_grants(&name, asked.grants).await?;
    one(&app, &name)
}

/// Turns the second factor of somebody off who has lost it.
///
/// Not one's own (`DELETE /account/totp`, which takes the password), and not with an API token.
#[utoipa::path(
    delete, path = "/users/{user}/totp", tag = "users",
    params(("user" = String, Path, description = "The user's name.", example = "ben")),
    responses(
        (status = 204, description = "It is off: the password is enough."),
        (status = 403, description = "The caller is an API token.", body = api::Problem),
        (status = 409, description = "They have no second factor.", body = api::Problem),
    ),
)]
async fn end_totp(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    if matches!(caller.via, Via::Token { .. }) {
        return Err(person_only());
    }
    if caller.user() == Some(name.as_str()) {
        return Err(Problem::invalid("To turn your own second factor off, say your password with it.")
            .remedy("DELETE /api/v1/account/totp {\"password\": …}"));
    }
    app.people().take_factor(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn one(app: &App, name: &str) -> Result<Json<User>, Problem> {
    app.people().user(name, app.now().wall).map(Json).ok_or_else(|| Problem::not_found("user"))
}

pub(super) fn person_only() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "person_only", "An API token may not do this.")
        .remedy("Sign in with a password.")
}

/// Grants must be on remotes that are there.
pub(super) fn sensible(app: &App, grants: &Grants) -> Result<(), Problem> {
    let missing = grants.0.iter().find_map(|grant| match grant.scope {
        Scope::Remote(id) if app.fleet().remote(id).is_none() => Some(id),
        _ => None,
    });
    match missing {
        Some(id) => Err(Problem::invalid(format!("There is no remote {id} to grant anything on."))),
        None => Ok(()),
    }
}
