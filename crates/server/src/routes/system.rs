//! Muster itself: `/system`.

use std::path::{Path, PathBuf};

use api::Page;
use api::system::{Database, KeyRotated, Licence, Process, Retention, StoreFigures, StoreSize, System};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use model::access::Act;
use tokio::io::AsyncReadExt as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, KeyNotChanged};
use crate::extract::Json;
use crate::guard::{Gate, guard};
use crate::licences;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(guard(Gate::everywhere(Act::Users), routes!(show)))
        .routes(guard(Gate::everywhere(Act::Users).withheld(), routes!(backup)))
        .routes(guard(Gate::everywhere(Act::Users), routes!(rotate_key)))
        .routes(guard(Gate::signed_in(), routes!(parts)))
}

/// How this installation fares.
///
/// Sizes are counted anew for each request, which reads the whole database.
#[utoipa::path(
    get, path = "/system", tag = "system",
    responses((status = 200, description = "How it fares.", body = System,
        example = json!({"instance": "9f31c0aa", "version": "0.1.0", "started": "2026-01-01T12:00:00Z",
            "reached_at": "http://127.0.0.1:8088", "now": "2026-01-02T12:00:00Z", "store": {"engine": "sqlite"}, "remotes": 3, "guests": 41}))),
)]
async fn show(State(app): State<App>) -> Result<Json<System>, Problem> {
    let snapshot = app.fleet().snapshot();
    let figures = app.store().figures();
    let sizes = app.store().sizes().await?;
    let now = app.now().wall;
    let engine = match app.store().place() {
        store::Place::Sqlite(_) => "sqlite",
        store::Place::Postgres(_) => "postgresql",
    };
    let engine = engine.to_owned();
    Ok(Json(System {
        instance: app.store().instance().to_owned(),
        version: app.settings().version.clone(),
        started: app.started(),
        now,
        public_url: app.settings().public_url.as_ref().map(ToString::to_string),
        reached_at: app.base_url(),
        warnings: app.warnings(),
        data_directory: app.settings().data_directory.as_ref().map(|path| path.display().to_string()),
        database: Database { engine: engine.clone(), place: app.store().place().to_string() },
        licences: licences::count(app.its_console().is_some()),
        store: StoreFigures {
            engine,
            schema: app.store().schema(),
            sizes: sizes
                .tables
                .iter()
                .map(|size| StoreSize { name: size.name.to_owned(), rows: size.rows, bytes: size.bytes })
                .collect(),
            writes: figures.writes,
            commits: figures.commits,
            queued: figures.queue,
            bytes: Some(sizes.total),
            keys: app.store().keys_in_use().await?,
        },
        retention: retention(&app.settings().retention),
        processes: app.fleet().processes().into_iter().map(process).collect(),
        remotes: snapshot.remotes.len(),
        guests: snapshot.remotes.iter().map(|remote| remote.guests_there()).sum(),
        streams: app.streams().open(),
        sessions: app.people().open_sessions(now),
        resident_bytes: resident_bytes(),
    }))
}

/// Lists what Muster is made of that others wrote.
///
/// By name and version, with the licence expression that each names; the parts of the console where this binary has it.
#[utoipa::path(
    get, path = "/licences", operation_id = "licences", tag = "system",
    responses((status = 200, description = "All of them.", body = Page<Licence>,
        example = json!({"items": [{"id": "cargo:serde@1.0.228", "name": "serde", "version": "1.0.228",
            "licence": "MIT OR Apache-2.0", "part": "binary"}], "total": 1}))),
)]
async fn parts(State(app): State<App>) -> Json<Page<Licence>> {
    Json(Page::whole(licences::all(app.its_console().is_some())))
}

fn process(seen: fleet::ProcessSeen) -> Process {
    let fleet::ProcessSeen { name, address, started, seen, alive, remotes, this } = seen;
    Process { name, address, this, alive, started, seen, remotes }
}

fn retention(kept: &store::Retention) -> Vec<Retention> {
    [
        ("events", Some(kept.events)),
        ("operations", Some(kept.operations)),
        ("drift", Some(kept.drift)),
        ("idempotency", Some(kept.idempotency)),
        ("audit", kept.audit),
    ]
    .into_iter()
    .map(|(name, time)| {
        let seconds = time.map(|time| time.as_secs());
        Retention { name: name.to_owned(), days: seconds.map(|s| s.div_ceil(24 * 60 * 60)), seconds }
    })
    .collect()
}

/// Memory the process holds, where the system says.
pub(crate) fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Everything in one file, as of one moment.
///
/// An SQLite database, whichever engine holds the original. What is sealed stays sealed: the key is not in it.
#[utoipa::path(
    post, path = "/system/backup", tag = "system",
    responses((status = 200, description = "The file.", body = Vec<u8>,
        content_type = "application/vnd.sqlite3")),
)]
async fn backup(State(app): State<App>) -> Result<Response, Problem> {
    let scratch = Scratch::new(&app.settings().scratch);
    let made = app.store().backup(&scratch.0).await.map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "backup_failed", "The backup could not be made.")
            .detail(format!("{error}."))
    })?;
    let file = tokio::fs::File::open(&scratch.0).await.map_err(|_| Problem::internal())?;
    let body = stream::unfold((file, scratch), |(mut file, scratch)| async move {
        let mut part = vec![0; 64 * 1024];
        match file.read(&mut part).await {
            Ok(0) => None,
            Ok(read) => {
                part.truncate(read);
                Some((Ok(Bytes::from(part)), (file, scratch)))
            }
            Err(error) => Some((Err(error), (file, scratch))),
        }
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.sqlite3"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(made.bytes));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"muster-backup.db\""),
    );
    Ok(response)
}

/// A file that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Scratch {
    fn new(within: &Path) -> Self {
        let number: u64 = rand::random();
        Self(within.join(format!("backup-{number:016x}.tmp")))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "a backup's scratch file stays behind");
        }
    }
}

/// Makes a new sealing key and seals everything with it, while everything goes on.
#[utoipa::path(
    post, path = "/system/rotate-key", tag = "system",
    responses(
        (status = 200, description = "Done.", body = KeyRotated,
            example = json!({"key": "77c1f0d2a9e35b10", "records": 12, "unopened": 0})),
        (status = 409, description = "The key is kept where it cannot be replaced.", body = api::Problem),
    ),
)]
async fn rotate_key(State(app): State<App>) -> Result<Json<KeyRotated>, Problem> {
    let Some(keeper) = app.its_keeper() else {
        return Err(Problem::conflict("no_keeper", "Nobody here keeps the sealing key."));
    };
    if app.fleet().processes().iter().any(|one| one.alive && !one.this) {
        return Err(Problem::conflict("key_not_rotated", "The sealing key was not replaced.")
            .detail("Other Muster processes use the database, and would not have the new key.")
            .remedy("End them first; then give each the new key, and start them again."));
    }
    let done = keeper.rotate().await.map_err(|stopped| match stopped {
        KeyNotChanged { both: false, why } => {
            Problem::conflict("key_not_rotated", "The sealing key was not replaced.").detail(why)
        }
        KeyNotChanged { both: true, why } => {
            Problem::conflict("key_half_rotated", "A new sealing key is in use, and the older one is still needed.")
                .detail(format!(
                    "Not everything was sealed with the new key: {why} The key file holds both, and they open everything."
                ))
                .remedy("Keep a copy of the file as it is. Started again, the server ends what was begun.")
        }
    })?;
    Ok(Json(KeyRotated { key: done.key, records: done.records, unopened: done.unopened }))
}
