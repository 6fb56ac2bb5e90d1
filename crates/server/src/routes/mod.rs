//! The routes, one module per noun. Each offers `routes()`; paths below `/api/v1` are written without it.

use axum::http::Method;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::problem::Problem;

/// All routes with their description.
pub(crate) fn all() -> OpenApiRouter<App> {
    let api = OpenApiRouter::new().merge(crate::stream::routes());
    OpenApiRouter::new().nest(api::BASE, api).fallback(nothing_here)
}

async fn nothing_here(_: Method) -> Problem {
    Problem::not_found("page")
}
