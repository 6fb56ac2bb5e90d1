//! What every request that changes something goes through: its body is read whole within bounds, it is done at
//! most once for an `Idempotency-Key`, and it leaves a line in the audit log.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sha2::{Digest, Sha256};
use store::{IdempotencyRecord, Write};
use zeroize::Zeroizing;

use crate::app::App;
use crate::audit;
use crate::caller::Caller;
use crate::guard::{Gate, Here, Replay};
use crate::peer::Whence;
use crate::problem::{Outcome, Problem};

/// The largest answer that is kept for a repetition.
const KEPT_ANSWER: usize = 1024 * 1024;

/// The longest key.
const KEY_LENGTH: usize = 200;

/// Requests that are being done right now, by principal and key.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<HashSet<(String, String)>>);

struct Place<'a> {
    of: &'a UnderWay,
    key: (String, String),
}

impl UnderWay {
    fn enter(&self, principal: &str, key: &str) -> Option<Place<'_>> {
        let key = (principal.to_owned(), key.to_owned());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Made only if it is ours: a place that is dropped is free again.
        all.insert(key.clone()).then(|| Place { of: self, key })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.of.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Runs a mutation that was allowed. `action` is the operation's id. Once begun it is brought to its end, also
/// when the caller goes away meanwhile.
pub(crate) async fn run(app: &App, gate: Gate, action: &str, request: Request, next: Next) -> Response {
    let (app, action) = (app.clone(), action.to_owned());
    let done = tokio::spawn(async move {
        match carry_out(&app, gate, &action, request, next).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        }
    });
    done.await.unwrap_or_else(|_| Problem::internal().into_response())
}

async fn carry_out(
    app: &App,
    gate: Gate,
    action: &str,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let body = read_body(app, gate, body).await?;
    let caller = parts.extensions.get::<Caller>().cloned();
    let key = match (&caller, gate.replay) {
        (Some(caller), Replay::Kept | Replay::Withheld) => {
            key_of(&parts.headers)?.map(|key| (caller.principal(), key))
        }
        _ => None,
    };
    let place = match &key {
        None => None,
        Some((principal, key)) => Some(app.under_way().enter(principal, key).ok_or_else(|| {
            Problem::conflict("in_progress", "The same request is being done right now.")
                .retry_after(std::time::Duration::from_secs(1))
        })?),
    };
    let mut record = None;
    if let Some((principal, key)) = key {
        let fingerprint = app.fingerprint(|digest: &mut Sha256| {
            let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
            for part in [parts.method.as_str().as_bytes(), target.as_bytes(), &body] {
                digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                digest.update(part);
            }
        });
        if let Some(known) = app.store().idempotency(&principal, &key).await? {
            return repeat(known, &fingerprint, gate);
        }
        let begun = IdempotencyRecord { principal, key, fingerprint, at: app.now().wall, reply: None };
        app.store().write(vec![Write::Idempotency(begun.clone())]).await?;
        record = Some(begun);
    }
    let line = gate.audited.then(|| audit::Line {
        at: app.now().wall,
        action: action.to_owned(),
        author: caller.as_ref().map(Caller::author),
        from: parts.extensions.get::<Whence>().map(Whence::text).unwrap_or_default(),
        remote: parts.extensions.get::<Here>().map(|here| here.0),
        target: String::new(),
        parameters: audit::parameters(app.secret_names(), &body, parts.uri.query()),
    });
    let line = match line {
        None => None,
        Some(line) => {
            let params = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
            Some(line.named(app, params.as_ref()))
        }
    };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let response = record_it(app, gate, record, line, response).await;
    drop(place);
    Ok(response)
}

async fn read_body(app: &App, gate: Gate, body: Body) -> Result<Bytes, Problem> {
    let limits = &app.settings().limits;
    let most = gate.body.unwrap_or(limits.body);
    let whole = Limited::new(body, most).collect();
    match tokio::time::timeout(limits.body_time, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "The request is larger than what is taken.",
        )
        .detail(format!("At most {most} bytes are taken."))),
        Ok(Err(_)) => Err(Problem::malformed("The body broke off.")),
        Err(_) => {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "The request took too long to arrive."))
        }
    }
}

fn key_of(headers: &http::HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(api::IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_LENGTH => Ok(Some(key.to_owned())),
        _ => Err(Problem::malformed(format!(
            "An Idempotency-Key has 1 to {KEY_LENGTH} letters, digits and signs."
        ))),
    }
}

/// The answer to a request that was made before.
fn repeat(known: IdempotencyRecord, fingerprint: &str, gate: Gate) -> Result<Response, Problem> {
    if known.fingerprint != fingerprint {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "This Idempotency-Key came with another request before.",
        )
        .remedy("Use a new key for each thing wanted."));
    }
    let Some((status, body)) = known.reply else {
        return Err(Problem::conflict(
            "outcome_unknown",
            "This was begun, and Muster was stopped before it had an answer.",
        )
        .remedy("Look how things stand before you ask for it with a new key."));
    };
    if gate.replay == Replay::Withheld {
        return Err(Problem::conflict("already_done", "This was done already; its answer is not kept."));
    }
    let status = StatusCode::from_u16(status).map_err(|_| Problem::internal())?;
    let failed = status.is_client_error() || status.is_server_error();
    let kind = if failed { api::PROBLEM_JSON } else { "application/json" };
    let mut response = (status, Bytes::from(body.to_vec())).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

/// Writes down what came of it, in one commit, before the caller is told.
async fn record_it(
    app: &App,
    gate: Gate,
    record: Option<IdempotencyRecord>,
    line: Option<audit::Line>,
    response: Response,
) -> Response {
    let (parts, body) = response.into_parts();
    let code = parts.extensions.get::<Outcome>().map(|outcome| outcome.code);
    let whole = gate.replay != Replay::Withheld || parts.status.is_client_error();
    let (kept, body) = if whole {
        match to_bytes(body, KEPT_ANSWER).await {
            Ok(bytes) => (bytes.clone(), Body::from(bytes)),
            Err(_) => return Problem::internal().into_response(),
        }
    } else {
        (Bytes::new(), body)
    };
    let mut batch = Vec::new();
    if let Some(mut record) = record {
        // What was refused for its pace may come again.
        if parts.status == StatusCode::TOO_MANY_REQUESTS {
            batch.push(Write::IdempotencyGone { principal: record.principal, key: record.key });
        } else {
            record.reply = Some((parts.status.as_u16(), Zeroizing::new(kept.to_vec())));
            batch.push(Write::Idempotency(record));
        }
    }
    if let Some(line) = line {
        batch.push(Write::Audit(line.record(parts.status, code, &kept)));
    }
    if !batch.is_empty()
        && let Err(error) = app.store().write(batch).await
    {
        tracing::error!(%error, status = parts.status.as_u16(), "what was done could not be recorded");
        return Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not_recorded",
            "It was carried out, but that could not be recorded.",
        )
        .detail(format!("It ended with status {}; then: {error}.", parts.status.as_u16()))
        .remedy("Look how things stand before you ask for it again.")
        .into_response();
    }
    Response::from_parts(parts, body)
}
