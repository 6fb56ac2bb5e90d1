//! One's own account and its second factor: `/account`.

use api::account::{Account, PasswordProof, RecoveryCodes, TotpBegun, TotpCode};
use axum::Extension;
use axum::extract::State;
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::users::person_only;
use crate::app::App;
use crate::caller::{Caller, Via};
use crate::extract::Json;
use crate::guard::{Gate, guard};
use crate::peer::Whence;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Gate::signed_in(), routes!(show)))
        // What they answer is told once, and nothing of it is kept.
        .routes(guard(Gate::signed_in().withheld(), routes!(begin_totp)))
        .routes(guard(Gate::signed_in().withheld(), routes!(confirm_totp)))
        .routes(guard(Gate::signed_in().withheld(), routes!(recovery_codes)))
        .routes(guard(Gate::signed_in(), routes!(end_totp)))
}

/// The caller's own account.
#[utoipa::path(
    get, path = "/account", tag = "account",
    responses(
        (status = 200, description = "The account.", body = Account,
            example = json!({"user": "anna", "created": "2026-01-01T12:00:00Z",
                "grants": [{"role": "administrator", "scope": {"kind": "all"}}],
                "totp": {"since": "2026-01-02T12:00:00Z", "recovery_codes_left": 9}})),
        (status = 409, description = "The caller is no user: it is the socket's.", body = api::Problem),
    ),
)]
async fn show(State(app): State<App>, caller: Caller) -> Result<Json<Account>, Problem> {
    app.people().account(&caller).map(Json).ok_or_else(no_user)
}

/// Begins with a second factor: makes its secret.
///
/// It counts once a code of it was confirmed, for which there is a quarter of an hour. Asked again, there is a new one
/// in the place of this. Not for API tokens.
#[utoipa::path(
    post, path = "/account/totp", tag = "account",
    request_body(content = PasswordProof, example = json!({"password": "…"})),
    responses(
        (status = 200, description = "The secret, told this once.", body = TotpBegun),
        (status = 403, description = "The password is not right, or the caller is an API token.",
            body = api::Problem),
        (status = 409, description = "There is a second factor already.", body = api::Problem),
    ),
)]
async fn begin_totp(
    State(app): State<App>,
    caller: Caller,
    Extension(whence): Extension<Whence>,
    Json(asked): Json<PasswordProof>,
) -> Result<Json<TotpBegun>, Problem> {
    let user = person(&caller)?;
    let host = app.settings().public_url.as_ref().and_then(|url| url.host_str());
    let address = whence.address;
    app.people().begin_factor(user, host, &asked.password, address, app.now()).await.map(Json)
}

/// Turns the second factor on, by the first code of it.
///
/// From then on signing in takes a code. All other sessions of that user end; API tokens go on.
#[utoipa::path(
    post, path = "/account/totp/confirm", tag = "account",
    request_body(content = TotpCode, example = json!({"code": "123456"})),
    responses(
        (status = 200, description = "It is on. The recovery codes, told this once.", body = RecoveryCodes),
        (status = 403, description = "The code is not right, or the caller is an API token.",
            body = api::Problem),
        (status = 409, description = "Nothing waits to be confirmed (any more).", body = api::Problem),
    ),
)]
async fn confirm_totp(
    State(app): State<App>,
    caller: Caller,
    Extension(whence): Extension<Whence>,
    Json(asked): Json<TotpCode>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let user = person(&caller)?;
    app.people().confirm_factor(user, &caller, &asked.code, &whence, app.now()).await.map(Json)
}

/// Makes new recovery codes; those there were work no more.
#[utoipa::path(
    post, path = "/account/recovery-codes", tag = "account",
    request_body(content = PasswordProof, example = json!({"password": "…"})),
    responses(
        (status = 200, description = "All that work from now on, told this once.", body = RecoveryCodes),
        (status = 403, description = "The password is not right, or the caller is an API token.",
            body = api::Problem),
        (status = 409, description = "There is no second factor.", body = api::Problem),
    ),
)]
async fn recovery_codes(
    State(app): State<App>,
    caller: Caller,
    Extension(whence): Extension<Whence>,
    Json(asked): Json<PasswordProof>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let user = person(&caller)?;
    app.people().renew_recovery(user, &asked.password, whence.address, app.now()).await.map(Json)
}

/// Turns one's own second factor off.
#[utoipa::path(
    delete, path = "/account/totp", tag = "account",
    request_body(content = PasswordProof, example = json!({"password": "…"})),
    responses(
        (status = 204, description = "It is off: the password is enough."),
        (status = 403, description = "The password is not right, or the caller is an API token.",
            body = api::Problem),
        (status = 409, description = "There is no second factor.", body = api::Problem),
    ),
)]
async fn end_totp(
    State(app): State<App>,
    caller: Caller,
    Extension(whence): Extension<Whence>,
    Json(asked): Json<PasswordProof>,
) -> Result<StatusCode, Problem> {
    let user = person(&caller)?;
    app.people().end_factor(user, &asked.password, whence.address, app.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is the owner's own is not for an API token that may less than they.
pub(super) fn not_narrowed(app: &App, caller: &Caller) -> Result<(), Problem> {
    if app.people().is_narrowed(caller) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "narrowed_token",
            "An API token that may less than its owner may not do this.",
        )
        .remedy("Sign in, or use a token that was not narrowed."));
    }
    Ok(())
}

/// The user that a person is who is signed in.
fn person(caller: &Caller) -> Result<&str, Problem> {
    if matches!(caller.via, Via::Token { .. }) {
        return Err(person_only());
    }
    caller.user().ok_or_else(no_user)
}

pub(super) fn no_user() -> Problem {
    Problem::conflict("no_user", "That belongs to a user; the socket's caller is none.")
        .remedy("Sign in as the user whose it shall be.")
}
