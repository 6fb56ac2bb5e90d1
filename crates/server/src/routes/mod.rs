//! The routes, one module per noun. Each offers `routes()`; paths below `/api/v1` are written without it.

mod account;
mod audit;
mod console;
pub mod fleet;
mod health;
mod preferences;
mod sessions;
mod setup;
mod system;
mod tokens;
mod users;

pub(crate) use self::health::Tried;
pub(crate) use self::system::resident_bytes;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes with their description.
pub(crate) fn all() -> OpenApiRouter<App> {
    let api = OpenApiRouter::new()
        .merge(setup::routes())
        .merge(sessions::routes())
        .merge(users::routes())
        .merge(tokens::routes())
        .merge(account::routes())
        .merge(preferences::routes())
        .merge(audit::routes())
        .merge(system::routes())
        .merge(fleet::routes())
        .merge(crate::stream::routes());
    OpenApiRouter::new().nest(api::BASE, api).merge(health::routes()).fallback(console::otherwise)
}
