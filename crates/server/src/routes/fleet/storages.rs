//! `/storages`: listed over all remotes, and one. A shared storage is one row.

use api::guest::{DetailQuery, Guest};
use api::remote::Link;
use api::storage::{ContentKind, ContentSummary, Storage, StorageContents, StorageDetail, StorageGuest};
use api::{ListQuery, Page};
use axum::extract::State;
use fleet::lists::{self, Request};
use fleet::{Contents, FleetSnapshot, RemoteSnapshot};
use model::access::{Act, Visible};
use model::query::Vocabulary;
use model::{NodeName, Text, Vmid};
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

/// So many guests are told of at most.
const GUESTS: usize = 1_000;

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
/// One for each node that has it to itself, or one in all when it is shared. `name@node` is that node's only. What lies
/// there is asked for now (of sixteen nodes at most), unless it was half a minute ago; where a node does not answer it is
/// told as last listed, with its age and with why. With `look=false` nothing is asked for. The guests are complete where
/// `guests_unknown` is 0.
#[utoipa::path(
    get,
    path = "/storages/{remote}/{storage}",
    tag = "storages",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("storage" = String, Path, description = "Its name, or `name@node`.", example = "local"),
        DetailQuery,
    ),
    responses((status = 200, description = "The storage.", body = StorageDetail)),
)]
async fn show(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, String)>,
    Query(query): Query<DetailQuery>,
) -> Result<Json<StorageDetail>, Problem> {
    let Path((_, named)) = path;
    let (name, node) = at_node(&named);
    let name = Text::from(name);
    let detail = app.fleet().storage_detail(id, &name, node.as_ref(), query.look != Some(false)).await?;
    let remote = super::remote(&app, id)?;
    let only = FleetSnapshot { revision: 0, remotes: vec![remote.clone()] };
    let all = Request { limit: usize::MAX, ..Request::default() };
    let of_remote = rows::storages(lists::storages(&only, &Visible::All, &all, app.now().wall)).items;
    let storages: Vec<Storage> = of_remote
        .into_iter()
        .filter(|one| one.name == name)
        .filter(|one| node.as_ref().is_none_or(|node| one.nodes.contains(node)))
        .collect();
    let open = |node: &NodeName| open::url(&remote, Thing::Storage(node, &name));
    Ok(Json(StorageDetail {
        id: format!("{id}/{named}"),
        link: Link::of(&remote.link),
        open_url: detail.looks.first().and_then(|look| open(&look.node)),
        contents: detail
            .looks
            .iter()
            .map(|look| contents(&remote, &detail, look, open(&look.node)))
            .collect(),
        guests: guests(&remote, &detail).take(GUESTS).collect(),
        guests_total: guests(&remote, &detail).count(),
        guests_unknown: detail.guests_unknown,
        guests_error: detail.unread.as_ref().map(api::Cause::from),
        nodes_not_asked: detail.nodes_left_out,
        drift: detail.drift.iter().map(view::drift).collect(),
        remote_id: id,
        remote: remote.name.clone(),
        name,
        storages,
    }))
}

/// A storage's name, and the node in `name@node`.
pub(super) fn at_node(named: &str) -> (&str, Option<NodeName>) {
    // No storage's name has an @ in it.
    named.split_once('@').map_or((named, None), |(name, node)| (name, Some(NodeName::from(node))))
}

/// The guests that have something there.
fn guests<'a>(
    remote: &'a RemoteSnapshot,
    detail: &'a fleet::StorageDetail,
) -> impl Iterator<Item = StorageGuest> + 'a {
    detail.guests.iter().filter_map(|(vmid, share)| {
        Some(StorageGuest {
            guest: Guest::of(remote.guest(*vmid)?, remote.id, &remote.name, &remote.link),
            has: share.listed.iter().map(kind).collect(),
            configured: share.configured,
        })
    })
}

fn contents(
    remote: &RemoteSnapshot,
    detail: &fleet::StorageDetail,
    look: &fleet::StorageLook,
    open_url: Option<String>,
) -> StorageContents {
    // A guest's disks are listed where it is, or everywhere alike.
    let is_here =
        |vmid: Vmid| look.shared || remote.guest(vmid).is_some_and(|row| row.guest.node == look.node);
    let has_disk = |contents: &Contents, vmid: Vmid| {
        let disks = [Text::from("images"), Text::from("rootdir")];
        contents.guests.get(&vmid).is_some_and(|kinds| disks.iter().any(|disk| kinds.contains_key(disk)))
    };
    let summary = |contents: &Contents| ContentSummary {
        kinds: contents.kinds.iter().map(kind).collect(),
        unreadable: contents.unreadable,
        unlisted_guests: (detail.guests.iter())
            .filter(|(vmid, share)| share.configured && is_here(**vmid) && !has_disk(contents, **vmid))
            .count(),
        of_unknown_guests: (contents.guests.iter())
            .filter(|(vmid, _)| remote.guest(**vmid).is_none())
            .flat_map(|(_, kinds)| kinds.values())
            .map(|figures| figures.volumes)
            .sum(),
    };
    StorageContents {
        node: look.node.clone(),
        shared: look.shared,
        contents: view::part(&look.contents, summary),
        open_url,
    }
}

fn kind((content, figures): (&Text, &fleet::ContentFigures)) -> ContentKind {
    ContentKind {
        content: Some(content.clone()).filter(|content| !content.is_empty()),
        volumes: figures.volumes,
        bytes: figures.bytes,
        sizeless: figures.sizeless,
    }
}
