//! `/overview`: everything at a glance.

use api::overview::Overview;
use axum::extract::State;
use model::access::Act;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::extract::Json;
use crate::guard::guard;
use crate::overview;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Act::Read, routes!(show)))
}

/// Tells at a glance what is wrong, how everything stands, and what goes on.
///
/// Problems come worst first. Sums are made of what is known and say of how many that is; a storage that nodes share is
/// in them once. The topic `overview` of the live stream tells the same as it changes.
#[utoipa::path(
    get,
    path = "/overview",
    tag = "overview",
    responses((status = 200, description = "The overview.", body = Overview)),
)]
async fn show(State(app): State<App>, caller: Caller) -> Json<Overview> {
    let own = overview::own(&app, &caller);
    Json(overview::told(&app.fleet().snapshot(), &caller.visible(), own, app.now().wall))
}
