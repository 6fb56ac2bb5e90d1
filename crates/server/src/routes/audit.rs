//! Who did what: read, verified, exported: `/audit`.

use api::audit::{
    AuditBroken, AuditExportQuery, AuditExported, AuditExtent, AuditLine, AuditPage, AuditQuery, AuditRow,
    AuditUnreadable, AuditVerified,
};
use api::list::{DEFAULT_LIMIT, MAX_LIMIT};
use axum::body::Body as Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderValue, header};
use model::Author;
use model::access::Act;
use store::{BrokenAt, StoreError, Write};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::audit::Body;
use crate::extract::{Json, Query};
use crate::guard::{Gate, guard};
use crate::problem::Problem;

/// Rows of an export that are read at once.
const PAGE: usize = 500;

/// Letters that are shown of a row that cannot be read.
const RAW: usize = 2000;

pub(super) fn routes() -> OpenApiRouter<App> {
    let gate = || Gate::everywhere(Act::Users);
    OpenApiRouter::new()
        .routes(guard(gate(), routes!(list)))
        .routes(guard(gate(), routes!(export)))
        .routes(guard(gate(), routes!(verify)))
        .routes(guard(gate(), routes!(exported)))
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
            "hash": "5a1f…"}], "total": 1, "next": null, "exported": 0}))),
)]
async fn list(State(app): State<App>, Query(asked): Query<AuditQuery>) -> Result<Json<AuditPage>, Problem> {
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let exported = app.store().audit_extent().await?.exported;
    let rows = app.store().audit(asked.before, limit.saturating_add(1)).await?;
    let more = rows.len() > limit;
    let items: Vec<AuditRow> = rows.into_iter().take(limit).map(|row| shown(&app, row)).collect();
    let next = items.last().filter(|_| more).map(|row| row.id);
    Ok(Json(AuditPage { total: items.len(), items, next, exported }))
}

fn shown(app: &App, row: store::AuditRow) -> AuditRow {
    let (body, unreadable) = match serde_json::from_str::<Body>(&row.record.body) {
        Ok(body) => (body, None),
        Err(error) => (Body::default(), Some(unreadable(&error, &row.record.body))),
    };
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
        unreadable,
        operation: row.record.operation,
        hash: hex(&row.hash),
    }
}

/// Nothing secret is ever written into a row, so that all of it may be shown to whoever may read the log.
fn unreadable(error: &serde_json::Error, body: &str) -> AuditUnreadable {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    AuditUnreadable {
        why: format!("not in the form in which it was written: {error}"),
        raw: body.chars().take(RAW).map(plain).collect(),
    }
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exports the audit log: one row a line, oldest first, each with all that its hash is made of.
///
/// With it anybody can follow the chain without Muster. Nothing is deleted because of it: say with `POST
/// /audit/exported` that the export is safe.
#[utoipa::path(
    get, path = "/audit/export", tag = "audit", params(AuditExportQuery),
    responses((status = 200, description = "Lines of JSON, an `AuditLine` each.", body = AuditLine,
        content_type = "application/x-ndjson",
        example = json!({"seq": 1, "at": "2026-01-01T12:00:00.123Z", "who": "anna", "source": "192.0.2.7",
            "action": "users.create", "remote": null, "operation": null,
            "body": "{\"target\":\"ben\",\"parameters\":{},\"status\":201,\"outcome\":\"ok\"}",
            "before": "00…", "hash": "5a1f…"}))),
)]
async fn export(State(app): State<App>, Query(asked): Query<AuditExportQuery>) -> Result<Response, Problem> {
    // What is written while it is read belongs to the next one.
    let last = app.store().audit_extent().await?.last;
    let from = asked.after.unwrap_or(0);
    let pages = stream::try_unfold(from, move |after| {
        let app = app.clone();
        async move {
            if after >= last {
                return Ok::<_, StoreError>(None);
            }
            let mut rows = app.store().audit_after(after, PAGE).await?;
            rows.retain(|row| row.seq <= last);
            let Some(after) = rows.last().map(|row| row.seq) else { return Ok(None) };
            let mut text = Vec::new();
            for row in rows {
                // A row is text and numbers: it always becomes JSON.
                serde_json::to_writer(&mut text, &line(row)).map_err(|e| StoreError::Other(e.to_string()))?;
                text.push(b'\n');
            }
            Ok(Some((text, after)))
        }
    });
    let mut response = Bytes::from_stream(pages).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    let named = HeaderValue::from_static("attachment; filename=\"muster-audit.jsonl\"");
    headers.insert(header::CONTENT_DISPOSITION, named);
    Ok(response)
}

fn line(row: store::AuditRow) -> AuditLine {
    AuditLine {
        seq: row.seq,
        at: row.record.at,
        who: row.record.who,
        source: row.record.source,
        action: row.record.action,
        remote: row.record.remote.map(|id| id.0.to_string()),
        operation: row.record.operation.map(|id| id.0.to_string()),
        body: row.record.body,
        before: hex(&row.before),
        hash: hex(&row.hash),
    }
}

/// Follows the chain of the whole audit log. Reads every row.
#[utoipa::path(
    get, path = "/audit/verify", tag = "audit",
    responses((status = 200, description = "Whether it holds, and where not.", body = AuditVerified,
        example = json!({"holds": true, "rows": 12, "broken": null, "expired": 0, "exported": 10, "last": 12,
            "hash": "5a1f…"}))),
)]
async fn verify(State(app): State<App>) -> Result<Json<AuditVerified>, Problem> {
    let found = app.store().verify_audit().await;
    let extent = app.store().audit_extent().await?;
    let last = app.store().audit(None, 1).await?.first().map(|row| (row.seq, hex(&row.hash)));
    let broken = |row| Some(AuditBroken { row, sentence: String::new() });
    let (rows, broken) = match &found {
        Ok(rows) => (u64::try_from(*rows).ok(), None),
        Err(BrokenAt::Row(row) | BrokenAt::Missing(row)) => (None, broken(*row)),
        Err(BrokenAt::Store(error)) => return Err(error.clone().into()),
    };
    let sentence = found.err().map(|error| error.to_string()).unwrap_or_default();
    Ok(Json(AuditVerified {
        holds: broken.is_none(),
        rows,
        broken: broken.map(|broken| AuditBroken { sentence, ..broken }),
        expired: extent.expired,
        exported: extent.exported,
        last: last.as_ref().map_or(extent.last, |(seq, _)| *seq),
        hash: last.map(|(_, hash)| hash),
    }))
}

/// Says that the audit log up to a row was exported and is safe elsewhere.
///
/// From then on rows up to there are deleted once they are older than the audit log is kept (`retention.audit`); others
/// never are. The last row that was deleted leaves its hash: the chain holds on.
#[utoipa::path(
    post, path = "/audit/exported", tag = "audit",
    request_body(content = AuditExported, example = json!({"through": 12, "hash": "5a1f…"})),
    responses(
        (status = 200, description = "How far the log reaches.", body = AuditExtent,
            example = json!({"expired": 0, "exported": 12, "last": 13})),
        (status = 409, description = "That row is not there, or has another hash.", body = api::Problem),
    ),
)]
async fn exported(
    State(app): State<App>,
    Json(said): Json<AuditExported>,
) -> Result<Json<AuditExtent>, Problem> {
    let row = app.store().audit_after(said.through.saturating_sub(1), 1).await?.into_iter().next();
    let fits = |row: &store::AuditRow| row.seq == said.through && hex(&row.hash) == said.hash;
    if !row.as_ref().is_some_and(fits) {
        return Err(Problem::conflict("not_this_log", "That is no row of this audit log as it is now.")
            .detail(format!("Nothing was marked: row {} is not there, or has another hash.", said.through))
            .remedy("Verify the log and the file, and export it again."));
    }
    app.store().write(vec![Write::AuditExported { through: said.through }]).await?;
    let extent = app.store().audit_extent().await?;
    Ok(Json(AuditExtent { expired: extent.expired, exported: extent.exported, last: extent.last }))
}
