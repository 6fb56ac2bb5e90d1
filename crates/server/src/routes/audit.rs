//! Who did what: `GET /audit`.

use api::audit::{AuditPage, AuditQuery, AuditRow};
use api::list::{DEFAULT_LIMIT, MAX_LIMIT};
use axum::extract::State;
use model::Author;
use model::access::Act;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::audit::Body;
use crate::extract::{Json, Query};
use crate::guard::{Gate, guard};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Gate::everywhere(Act::Users), routes!(list)))
}

/// Lists the audit log, newest first.
///
/// Each row carries the hash that ties it to the one before.
#[utoipa::path(
    get, path = "/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page of it.", body = AuditPage,
        example = json!({"items": [{"id": 12, "name": "users.create", "at": "2026-01-01T12:00:00Z",
            "author": {"name": "anna", "from": "192.0.2.7"}, "target": "ben",
            "parameters": {"name": "ben", "password": "(redacted)"}, "outcome": "ok",
            "hash": "5a1f…"}], "total": 1, "next": null}))),
)]
async fn list(State(app): State<App>, Query(asked): Query<AuditQuery>) -> Result<Json<AuditPage>, Problem> {
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let rows = app.store().audit(asked.before, limit.saturating_add(1)).await?;
    let more = rows.len() > limit;
    let items: Vec<AuditRow> = rows.into_iter().take(limit).map(|row| shown(&app, row)).collect();
    let next = items.last().filter(|_| more).map(|row| row.id);
    Ok(Json(AuditPage { total: items.len(), items, next }))
}

fn shown(app: &App, row: store::AuditRow) -> AuditRow {
    let body: Body = serde_json::from_str(&row.record.body).unwrap_or_default();
    AuditRow {
        id: row.seq,
        name: row.record.action,
        at: row.record.at,
        author: Author { name: row.record.who, from: row.record.source },
        target: body.target,
        remote_id: row.record.remote,
        remote: row.record.remote.and_then(|id| app.fleet().remote(id)).map(|remote| remote.name.clone()),
        parameters: body.parameters,
        outcome: body.outcome,
        operation: row.record.operation,
        hash: row.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
