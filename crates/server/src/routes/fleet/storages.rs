//! `/storages`: listed over all remotes, and one. A shared storage is one row.

use api::remote::Link;
use api::storage::{Storage, StorageDetail};
use api::{ListQuery, Page};
use axum::extract::State;
use fleet::FleetSnapshot;
use fleet::lists::{self, Request};
use model::Text;
use model::access::{Act, Visible};
use model::query::Vocabulary;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path, Query};
use crate::guard::{Here, guard};
use crate::problem::Problem;
use crate::stream::rows;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Act::Read, routes!(list))).routes(guard(Act::Read, routes!(show)))
}

/// Lists the storages of all remotes, shared ones once.
#[utoipa::path(
    get,
    path = "/storages",
    tag = "storages",
    params(ListQuery),
    responses((status = 200, description = "A page of storages.", body = Page<Storage>,
        example = json!({"items": [], "total": 0, "counts": {"type": {"dir": 3}}, "revision": 42}))),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Storage>>, Problem> {
    let request = rows::request(Vocabulary::Storages, &query)?;
    let page = lists::storages(&app.fleet().snapshot(), &caller.visible(), &request, app.now().wall);
    Ok(Json(rows::storages(page)))
}

/// Shows the storages of one name.
///
/// One for each node that has it to itself, or one in all when it is shared. `name@node` is that node's only.
#[utoipa::path(
    get,
    path = "/storages/{remote}/{storage}",
    tag = "storages",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("storage" = String, Path, description = "Its name, or `name@node`.", example = "local"),
    ),
    responses((status = 200, description = "The storage.", body = StorageDetail)),
)]
async fn show(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, String)>,
) -> Result<Json<StorageDetail>, Problem> {
    let Path((_, named)) = path;
    let remote = super::remote(&app, id)?;
    let only = FleetSnapshot { revision: 0, remotes: vec![remote.clone()] };
    let all = Request { limit: usize::MAX, ..Request::default() };
    let of_remote = rows::storages(lists::storages(&only, &Visible::All, &all, app.now().wall)).items;
    // No storage's name has an @ in it.
    let (name, node) =
        named.split_once('@').map_or((named.as_str(), None), |(name, node)| (name, Some(node)));
    let storages: Vec<Storage> = of_remote
        .into_iter()
        .filter(|one| one.name.as_str() == name)
        .filter(|one| node.is_none_or(|node| one.nodes.iter().any(|has| has.as_str() == node)))
        .collect();
    if storages.is_empty() {
        return Err(Problem::not_found("storage"));
    }
    Ok(Json(StorageDetail {
        id: format!("{id}/{named}"),
        name: Text::from(name),
        remote_id: id,
        remote: remote.name.clone(),
        link: Link::of(&remote.link),
        storages,
    }))
}
