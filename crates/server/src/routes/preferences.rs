//! How the caller likes things to be shown: `/preferences`.

use api::preferences::{Preferences, PreferencesPatch};
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::account::{no_user, not_narrowed};
use crate::app::App;
use crate::caller::Caller;
use crate::extract::Json;
use crate::guard::{Gate, guard};
use crate::problem::Problem;

/// A patch may take away as much as there is, and say anew as much.
const MOST_SENT: usize = 2 * api::preferences::MOST_BYTES;

pub(super) fn routes() -> OpenApiRouter<App> {
    // Nobody else's business, and the same however often it is asked for.
    let gate = Gate::signed_in().unrepeated().unaudited().body(MOST_SENT);
    OpenApiRouter::new().routes(guard(gate, routes!(show, change)))
}

/// How the caller likes things to be shown: theme, columns, saved views.
///
/// A token's are its owner's.
#[utoipa::path(
    get, path = "/preferences", tag = "preferences",
    responses(
        (status = 200, description = "All of them; what was never set is absent.", body = Preferences,
            example = json!({"theme": "dark", "density": "compact",
                "lists": {"guests": {"columns": ["name", "state", "cpu"], "sort": "-cpu"}},
                "views": [{"name": "busy", "list": "guests", "q": "cpu>80%", "sort": "-cpu"}],
                "favourites": ["guest:7/101"]})),
        (status = 409, description = "The caller is no user: it is the socket's.", body = api::Problem),
    ),
)]
async fn show(State(app): State<App>, caller: Caller) -> Result<Json<Preferences>, Problem> {
    app.people().preferences(user(&caller)?).await.map(Json)
}

/// Changes how the caller likes things to be shown.
///
/// A JSON merge patch (RFC 7396): `null` takes something away, an object goes into the one that is there, everything
/// else (also a list) takes the place of what was there. All of them together have at most 64 KiB. What a newer Muster has
/// put there stays as it is. Not for an API token that may less than its owner.
#[utoipa::path(
    patch, path = "/preferences", tag = "preferences",
    request_body(content = PreferencesPatch, example = json!({"theme": "dark", "lists": {"guests": null}})),
    responses(
        (status = 200, description = "All of them, as they are now.", body = Preferences,
            example = json!({"theme": "dark"})),
        (status = 403, description = "The caller is a narrowed API token.", body = api::Problem),
        (status = 409, description = "The caller is no user: it is the socket's. Or what is kept cannot be read, and \
            would be lost.", body = api::Problem),
        (status = 422, description = "They make no sense, or are too many.", body = api::Problem),
    ),
)]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Json(PreferencesPatch(patch)): Json<PreferencesPatch>,
) -> Result<Json<Preferences>, Problem> {
    not_narrowed(&app, &caller)?;
    app.people().prefer(user(&caller)?, patch).await.map(Json)
}

fn user(caller: &Caller) -> Result<&str, Problem> {
    caller.user().ok_or_else(no_user)
}
