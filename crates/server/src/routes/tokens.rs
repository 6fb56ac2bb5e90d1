//! API tokens: `/tokens`.

use api::Page;
use api::token::{NewToken, Token, TokenRequest};
use axum::extract::State;
use http::StatusCode;
use model::access::Act;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::users::person_only;
use crate::app::App;
use crate::caller::{Caller, Via};
use crate::extract::{Json, Path};
use crate::guard::{Gate, guard};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        // Its secret is told once, and nothing of it is kept.
        .routes(guard(Gate::signed_in().withheld(), routes!(list, create)))
        .routes(guard(Gate::signed_in(), routes!(end)))
}

/// Lists API tokens: one's own, an administrator everybody's.
#[utoipa::path(
    get, path = "/tokens", tag = "tokens",
    responses((status = 200, description = "The tokens, newest first.", body = Page<Token>,
        example = json!({"items": [{"id": "x81kQz0a", "name": "ci", "user": "anna",
            "grants": [{"role": "viewer", "scope": {"kind": "all"}}], "created": "2026-01-01T12:00:00Z"}],
            "total": 1}))),
)]
async fn list(State(app): State<App>, caller: Caller) -> Json<Page<Token>> {
    let user = if caller.grants.may(Act::Users, None) { None } else { Some(caller.name.as_str()) };
    Json(Page::whole(app.people().tokens_of(user)))
}

/// Makes an API token for oneself.
///
/// It may never do more than its owner, at the time of each request. The secret is told this once.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens",
    request_body(content = TokenRequest, example = json!({"name": "ci",
        "grants": [{"role": "viewer", "scope": {"kind": "all"}}], "expires": "2027-01-01T00:00:00Z"})),
    responses(
        (status = 201, description = "Made.", body = NewToken),
        (status = 403, description = "It would be allowed more than its owner; or a token asks.",
            body = api::Problem),
        (status = 409, description = "There are as many as one user may have; or it was made already, and its \
            secret was told then.", body = api::Problem),
    ),
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(asked): Json<TokenRequest>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    if matches!(caller.via, Via::Token { .. }) {
        return Err(person_only());
    }
    let Some(user) = caller.user() else {
        return Err(Problem::conflict("no_user", "A token belongs to a user; the socket's caller is none.")
            .remedy("Sign in as the user it shall belong to."));
    };
    let new = app.people().add_token(user, &asked.name, asked.grants, asked.expires, app.now().wall).await?;
    Ok((StatusCode::CREATED, Json(new)))
}

/// Ends an API token: one's own, an administrator anybody's.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "tokens",
    params(("id" = String, Path, description = "The token's id.", example = "x81kQz0a")),
    responses((status = 204, description = "It has ended.")),
)]
async fn end(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let owner = app.people().token_owner(&id);
    let may = owner
        .is_some_and(|owner| caller.grants.may(Act::Users, None) || caller.user() == Some(owner.as_str()));
    if !may {
        return Err(Problem::not_found("token"));
    }
    app.people().end_token(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
