//! `/tasks`: tasks of Proxmox VE over all remotes, their logs, their end.

use api::task::{LogPage, LogQuery, Task};
use api::{ListQuery, Page};
use axum::extract::State;
use fleet::{RemoteSnapshot, lists};
use http::StatusCode;
use model::access::Act;
use model::query::Vocabulary;
use model::{TaskId, TaskOutcome};
use pve::upid::Upid;
use store::ObservedKind;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{connected, view};
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path, Query};
use crate::guard::{Here, guard};
use crate::problem::Problem;
use crate::stream::rows;

/// Lines of a log when nobody says how many, and at most.
const LINES: (u64, u64) = (500, 5000);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Act::Read, routes!(list)))
        .routes(guard(Act::Read, routes!(show)))
        .routes(guard(Act::TaskStop, routes!(stop)))
        .routes(guard(Act::Read, routes!(log)))
}

/// Lists the recent tasks of all remotes, newest first.
#[utoipa::path(
    get,
    path = "/tasks",
    tag = "tasks",
    params(ListQuery),
    responses((status = 200, description = "A page of tasks.", body = Page<Task>,
        example = json!({"items": [], "total": 0, "counts": {"state": {"running": 1, "failed": 2}}, "revision": 42}))),
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Task>>, Problem> {
    let request = rows::request(Vocabulary::Tasks, &query)?;
    let page = lists::tasks(&app.fleet().snapshot(), &caller.visible(), &request, app.now().wall);
    Ok(Json(rows::tasks(page)))
}

/// How a task stands: as listed, or as an operation that followed it knows already.
fn outcome(remote: &RemoteSnapshot, upid: &str) -> Option<TaskOutcome> {
    let listed = remote.tasks.iter().find(|task| task.upid.as_str() == upid).map(|task| task.outcome.clone());
    if listed.as_ref().is_some_and(TaskOutcome::has_ended) {
        return listed;
    }
    let ours =
        |one: &&std::sync::Arc<model::Operation>| one.task.as_ref().is_some_and(|id| id.as_str() == upid);
    let followed = remote.operations.iter().find(ours).and_then(|one| view::outcome(&one.state));
    followed.or(listed)
}

/// A task, as it is listed, was kept, or is known from its operation.
async fn find(app: &App, remote: &RemoteSnapshot, upid: &str) -> Result<model::Task, Problem> {
    let read: Upid = upid.parse().map_err(|_| Problem::not_found("task"))?;
    let listed = remote.tasks.iter().find(|task| task.upid.as_str() == upid).cloned();
    let kept = match (&listed, app.fleet().store()) {
        (None, Some(store)) => store.observed_one(remote.id, ObservedKind::Task, upid).await?,
        _ => None,
    };
    // A record that cannot be read still says that there was such a task; its id says the rest but for its end.
    let mut is_one = kept.is_some();
    let kept = kept.and_then(|record| {
        let task = serde_json::from_str(&record.body);
        task.inspect_err(|error| tracing::warn!(upid, %error, "what was kept of a task cannot be read")).ok()
    });
    is_one |= remote.operations.iter().any(|one| one.task.as_ref().is_some_and(|id| id.as_str() == upid));
    let mut found = listed.or(kept);
    if found.is_none() && is_one {
        found = Some(model::Task {
            upid: TaskId::from(upid),
            node: read.node().into(),
            kind: read.task_type().into(),
            id: read.id().into(),
            user: read.authid().into(),
            started: read.starttime(),
            ended: None,
            outcome: TaskOutcome::Unknown,
        });
    }
    let mut task = found.ok_or_else(|| Problem::not_found("task"))?;
    if let Some(outcome) = outcome(remote, upid) {
        task.outcome = outcome;
    }
    Ok(task)
}

/// Shows one task.
#[utoipa::path(
    get,
    path = "/tasks/{remote}/{upid}",
    tag = "tasks",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("upid" = String, Path, description = "Its id in Proxmox VE.",
            example = "UPID:pve1:0000C530:001C9BEC:6B022530:vzstart:101:root@pam:"),
    ),
    responses((status = 200, description = "The task.", body = Task)),
)]
async fn show(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, String)>,
) -> Result<Json<Task>, Problem> {
    let Path((_, upid)) = path;
    let remote = super::remote(&app, id)?;
    let task = find(&app, &remote, &upid).await?;
    Ok(Json(rows::task(&remote, &task)))
}

/// Asks a running task to end.
///
/// The answer says that the wish arrived; whether the task has ended is seen in it.
#[utoipa::path(
    delete,
    path = "/tasks/{remote}/{upid}",
    tag = "tasks",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("upid" = String, Path, description = "Its id in Proxmox VE.",
            example = "UPID:pve1:0000C530:001C9BEC:6B022530:vzstart:101:root@pam:"),
    ),
    responses(
        (status = 202, description = "The task; it was asked to end.", body = Task),
        (status = 409, description = "It has ended, or the remote is disconnected.", body = api::Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn stop(
    State(app): State<App>,
    caller: Caller,
    Here(id): Here,
    path: Path<(String, String)>,
) -> Result<(StatusCode, Json<Task>), Problem> {
    let Path((_, upid)) = path;
    let remote = super::remote(&app, id)?;
    let task = find(&app, &remote, &upid).await?;
    if task.outcome.has_ended() {
        return Err(Problem::conflict("ended", "The task has ended already."));
    }
    connected(&remote)?;
    app.fleet().stop_task(id, &upid, &caller.author()).await?;
    Ok((StatusCode::ACCEPTED, Json(rows::task(&remote, &task))))
}

/// Reads some lines of a task's log.
///
/// To follow a log, read on from the line after the last one until `outcome` is another one than `running`.
#[utoipa::path(
    get,
    path = "/tasks/{remote}/{upid}/log",
    tag = "tasks",
    params(
        ("remote" = String, Path, description = "The remote's id or name.", example = "home"),
        ("upid" = String, Path, description = "Its id in Proxmox VE.",
            example = "UPID:pve1:0000C530:001C9BEC:6B022530:vzstart:101:root@pam:"),
        LogQuery,
    ),
    responses(
        (status = 200, description = "The lines.", body = LogPage,
            example = json!({"start": 0, "lines": ["starting CT 101", "TASK OK"], "total": 2, "outcome": {"outcome": "ok"}})),
        (status = 409, description = "The remote is disconnected.", body = api::Problem,
            content_type = "application/problem+json"),
    ),
)]
async fn log(
    State(app): State<App>,
    Here(id): Here,
    path: Path<(String, String)>,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogPage>, Problem> {
    let Path((_, upid)) = path;
    // Looked up first: a task that had ended before its log was read has no further lines.
    let outcome = outcome(&*super::remote(&app, id)?, &upid);
    let (usual, most) = LINES;
    let limit = query.limit.unwrap_or(usual).clamp(1, most);
    let page = app.fleet().task_log(id, &upid, query.start.unwrap_or(0), limit).await?;
    Ok(Json(LogPage { start: page.start, lines: page.lines, total: page.total, outcome }))
}
