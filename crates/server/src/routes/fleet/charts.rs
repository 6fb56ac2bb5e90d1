//! Measurements over time of guests, nodes and storages.

use api::chart::{Chart, ChartQuery, StorageChartQuery};
use axum::extract::State;
use fleet::{ChartDetail, Charted};
use model::access::Act;
use model::{ChartSpan, NodeName, RemoteId, Text, Vmid};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::storages::at_node;
use super::view;
use crate::app::App;
use crate::extract::{Json, Path, Query};
use crate::guard::{Here, guard};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Act::Read, routes!(guest_chart)))
        .routes(guard(Act::Read, routes!(node_chart)))
        .routes(guard(Act::Read, routes!(storage_chart)))
}

/// Shows a guest's figures over time.
///
/// As Proxmox VE has measured them: processors, memory, network, disk. What was not measured (it did not run, its node
/// was down) is a gap, `null`. Read anew every half a minute at most, however many look at it.
#[utoipa::path(
    get,
    path = "/guests/{remote}/{vmid}/chart",
    operation_id = "chart",
    tag = "guests",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("vmid" = u32, Path, description = "Its number.", example = 101),
        ChartQuery,
    ),
    responses((status = 200, description = "The measurements, as last read.", body = Chart)),
)]
async fn guest_chart(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, u32)>,
    Query(query): Query<ChartQuery>,
) -> Result<Json<Chart>, Problem> {
    let Path((_, vmid)) = path;
    let (vmid, span) = (Vmid(vmid), query.span.unwrap_or_default());
    let read = app.fleet().chart(id, Charted::Guest(vmid), span).await?;
    let name = super::remote(&app, id)?.guest(vmid).and_then(|row| row.guest.name.clone());
    told(&app, id, api::guest_id(id, vmid), name, span, &read)
}

/// Shows a node's figures over time.
///
/// Any node that answers tells them, so that they are there of a node that is down as well.
#[utoipa::path(
    get,
    path = "/nodes/{remote}/{node}/chart",
    operation_id = "chart",
    tag = "nodes",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("node" = String, Path, description = "Its name.", example = "pve1"),
        ChartQuery,
    ),
    responses((status = 200, description = "The measurements, as last read.", body = Chart)),
)]
async fn node_chart(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, String)>,
    Query(query): Query<ChartQuery>,
) -> Result<Json<Chart>, Problem> {
    let Path((_, node)) = path;
    let span = query.span.unwrap_or_default();
    let read = app.fleet().chart(id, Charted::Node(NodeName::from(node.as_str())), span).await?;
    told(&app, id, format!("{id}/{node}"), Some(Text::from(node)), span, &read)
}

/// Shows how full a storage was over time.
///
/// Where nodes have one of that name each to itself, say which: `name@node`, or `node`.
#[utoipa::path(
    get,
    path = "/storages/{remote}/{storage}/chart",
    operation_id = "chart",
    tag = "storages",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("storage" = String, Path, description = "Its name, or `name@node`.", example = "local@pve1"),
        StorageChartQuery,
    ),
    responses((status = 200, description = "The measurements, as last read.", body = Chart)),
)]
async fn storage_chart(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, String)>,
    Query(query): Query<StorageChartQuery>,
) -> Result<Json<Chart>, Problem> {
    let Path((_, named)) = path;
    let (name, node) = at_node(&named);
    let node = match (node, query.node.map(NodeName::from)) {
        (Some(one), Some(other)) if one != other => {
            return Err(Problem::invalid(format!("The path says the node {one}, “node” says {other}."))
                .remedy("Say one of them."));
        }
        (one, other) => one.or(other),
    };
    let span = query.span.unwrap_or_default();
    let what = Charted::Storage { storage: Text::from(name), node };
    let read = app.fleet().chart(id, what, span).await?;
    told(&app, id, format!("{id}/{named}"), Some(Text::from(name)), span, &read)
}

/// A chart that was read, as the API tells it.
fn told(
    app: &App,
    id: RemoteId,
    of: String,
    name: Option<Text>,
    span: ChartSpan,
    read: &ChartDetail,
) -> Result<Json<Chart>, Problem> {
    let seen = read.chart.seen.as_ref();
    Ok(Json(Chart {
        id: of,
        name,
        remote_id: id,
        remote: super::remote(app, id)?.name.clone(),
        node: read.node.clone(),
        span,
        step_seconds: seen.and_then(|seen| seen.value.step),
        at: seen.map(|seen| seen.value.at.clone()).unwrap_or_default(),
        series: seen.map(|seen| seen.value.series.clone()).unwrap_or_default(),
        observed_at: seen.map(|seen| seen.at),
        through: seen.map(|seen| seen.through.clone()),
        error: read.chart.error.as_ref().map(api::Cause::from),
        drift: read.drift.iter().map(view::drift).collect(),
    }))
}
