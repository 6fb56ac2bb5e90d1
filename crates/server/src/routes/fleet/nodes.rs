//! `/nodes`: listed over all remotes, and one.

use api::guest::DetailQuery;
use api::node::{Node, NodeDetail};
use api::remote::Link;
use api::{ListQuery, Page};
use axum::extract::State;
use fleet::lists;
use model::NodeName;
use model::access::Act;
use model::query::Vocabulary;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::open::{self, Thing};
use super::view;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path, Query};
use crate::guard::{Here, guard};
use crate::problem::Problem;
use crate::stream::rows;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Act::Read, routes!(list))).routes(guard(Act::Read, routes!(show)))
}

/// Lists the nodes of all remotes.
#[utoipa::path(
    get,
    path = "/nodes",
    tag = "nodes",
    params(ListQuery),
    responses((status = 200, description = "A page of nodes.", body = Page<Node>,
        example = json!({"items": [], "total": 0, "counts": {"state": {"online": 3}}, "revision": 42}))),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Node>>, Problem> {
    let request = rows::request(Vocabulary::Nodes, &query)?;
    let page = lists::nodes(&app.fleet().snapshot(), &caller.visible(), &request, app.now().wall);
    Ok(Json(rows::nodes(page)))
}

/// Shows one node.
///
/// Its status is asked for now; where it does not answer it is told as last read, with its age and with why. With
/// `look=false` nothing is asked for.
#[utoipa::path(
    get,
    path = "/nodes/{remote}/{node}",
    tag = "nodes",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("node" = String, Path, description = "Its name.", example = "pve1"),
        DetailQuery,
    ),
    responses((status = 200, description = "The node.", body = NodeDetail)),
)]
async fn show(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, String)>,
    Query(query): Query<DetailQuery>,
) -> Result<Json<NodeDetail>, Problem> {
    let Path((_, node)) = path;
    let node = NodeName::from(node);
    let detail = app.fleet().node_detail(id, &node, query.look != Some(false)).await?;
    let remote = super::remote(&app, id)?;
    Ok(Json(NodeDetail {
        node: rows::node(&remote, &detail.row),
        link: Link::of(&remote.link),
        status: view::part(&detail.status, view::object),
        open_url: open::url(&remote, Thing::Node(&node)),
        drift: detail.drift.iter().map(view::drift).collect(),
    }))
}
