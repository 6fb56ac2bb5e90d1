//! What every request that changes something goes through: its body is read whole within bounds, it is done at
//! most once for an `Idempotency-Key`, and it leaves a line in the audit log.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::OperationId;
use sha2::{Digest, Sha256};
use store::{AuditRecord, IdempotencyRecord, Stage, StoreError, Write};
use zeroize::Zeroizing;

use crate::again;
use crate::app::App;
use crate::audit;
use crate::caller::Caller;
use crate::guard::{Gate, Gone, Here, Need, Replay};
use crate::peer::Whence;
use crate::problem::{Outcome, Problem};
use crate::routes::fleet::operations;

/// The largest answer that is kept for a repetition.
const KEPT_ANSWER: usize = 2 * 1024 * 1024;

/// The largest body that is taken of somebody who need not be anybody.
const STRANGERS_BODY: usize = 8 * 1024;

/// Says that an answer is to a request that was carried out before.
const REPLAYED: &str = "idempotency-replayed";

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

/// What is committed together with the change that a request makes: that it was made, for whoever asks again with the
/// same key after a crash, and by whom.
#[derive(Debug)]
struct Ticket {
    record: Option<IdempotencyRecord>,
    line: Option<audit::Line>,
    /// It goes with the first change; most requests make one.
    used: AtomicBool,
    /// Whether a bound on how often it may come has let it through.
    paced: AtomicBool,
    /// Of a request that is many changes: what came of it.
    many: Mutex<Option<Many>>,
}

/// What came of a request that is many changes.
#[derive(Debug)]
struct Many {
    /// In a word.
    outcome: &'static str,
    about: audit::About,
    /// What is kept of its answer.
    kept: Vec<u8>,
}

tokio::task_local! {
    /// Of the request that this task carries out.
    static TICKET: Arc<Ticket>;
}

impl Ticket {
    fn new(record: Option<IdempotencyRecord>, line: Option<audit::Line>) -> Self {
        let (used, paced) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { record, line, used, paced, many: Mutex::default() }
    }

    fn writes(&self, operation: Option<OperationId>) -> Vec<Write> {
        self.writes_with(operation, |line| line.done(operation))
    }

    fn writes_with(
        &self,
        operation: Option<OperationId>,
        line: impl FnOnce(audit::Line) -> AuditRecord,
    ) -> Vec<Write> {
        if self.used.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        let done = self.record.as_ref().map(|record| Write::IdempotencyDone {
            principal: record.principal.clone(),
            key: record.key.clone(),
            operation,
        });
        let line = self.line.clone().map(|one| Write::Audit(line(one)));
        done.into_iter().chain(line).collect()
    }

    /// Whether how it ended belongs into the audit log: not what was refused for its pace, which is counted.
    fn is_worth(&self, line: &audit::Line, status: StatusCode) -> bool {
        let is_bounded = line.author.is_some() || self.paced.load(Ordering::Relaxed);
        let changed = status.is_success() || self.used.load(Ordering::Relaxed);
        changed || (is_bounded && status != StatusCode::TOO_MANY_REQUESTS)
    }
}

/// What goes into the commit of what the request under way changes; nothing outside of a request, or when a commit of
/// it has it already.
pub(crate) fn receipt(operation: Option<OperationId>) -> Vec<Write> {
    TICKET.try_with(|ticket| ticket.writes(operation)).unwrap_or_default()
}

/// What is committed before the first of many changes, none of which can say for the others that all is done: that the
/// request was begun, and what it is about. How it ended is said with [`end_many`].
pub(crate) fn begin_many(about: audit::About) -> Vec<Write> {
    let writes = |ticket: &Arc<Ticket>| ticket.writes_with(None, |line| line.about(about).stands("begun"));
    TICKET.try_with(writes).unwrap_or_default()
}

/// Says what came of a request that is many changes: in a word, in the audit log, and what is kept of its answer in its
/// place, from which that can be told anew.
pub(crate) fn end_many(outcome: &'static str, about: audit::About, kept: Vec<u8>) {
    let many = Many { outcome, about, kept };
    let _ =
        TICKET.try_with(|ticket| *ticket.many.lock().unwrap_or_else(PoisonError::into_inner) = Some(many));
}

/// The same for a commit that another task makes.
pub(crate) fn receipt_of_this_request() -> impl Fn(Option<OperationId>) -> Vec<Write> + Send + Sync + use<> {
    let ticket = TICKET.try_with(Arc::clone).ok();
    move |operation| ticket.as_ref().map(|ticket| ticket.writes(operation)).unwrap_or_default()
}

/// Says that a bound on how often it may come has let the request under way through. What a stranger is refused without
/// is counted, but does not stand in the audit log: whoever likes could fill it.
pub(crate) fn paced() {
    let _ = TICKET.try_with(|ticket| ticket.paced.store(true, Ordering::Relaxed));
}

/// Whether a request is to be done at most once.
pub(crate) fn has_key(gate: Gate, headers: &http::HeaderMap) -> bool {
    gate.replay != Replay::Never && headers.contains_key(api::IDEMPOTENCY_KEY)
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
            key_of(&parts.headers)?.map(|key| (caller.keyring(), key))
        }
        _ => None,
    };
    let place = match &key {
        None => None,
        Some((principal, key)) => Some(app.under_way().enter(principal, key).ok_or_else(in_progress)?),
    };
    let gone = parts.extensions.get::<Gone>().is_some();
    let mut record = None;
    if let Some((principal, key)) = key {
        let fingerprint = app.fingerprint(|digest: &mut Sha256| {
            let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
            for part in [parts.method.as_str().as_bytes(), target.as_bytes(), &body] {
                digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
                digest.update(part);
            }
        });
        let begun =
            IdempotencyRecord { principal, key, fingerprint, at: app.now().wall, stage: Stage::Begun };
        let mut known = app.store().idempotency(&begun.principal, &begun.key).await?;
        if known.is_none() && !gone {
            match app.store().write(vec![Write::Idempotency(begun.clone())]).await {
                Ok(_) => {}
                // By another server, a moment ago.
                Err(StoreError::AlreadyDone) => {
                    let theirs = app.store().idempotency(&begun.principal, &begun.key).await?;
                    let is_other =
                        theirs.as_ref().is_some_and(|theirs| theirs.fingerprint != begun.fingerprint);
                    known = theirs.filter(|theirs| is_other || theirs.stage != Stage::Begun);
                    if known.is_none() {
                        return Err(in_progress());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        match known {
            Some(known)
                if gone && (known.fingerprint != begun.fingerprint || known.stage == Stage::Begun) =>
            {
                return Err(Problem::not_found("remote"));
            }
            None if gone => return Err(Problem::not_found("remote")),
            Some(known) if known.fingerprint != begun.fingerprint => return Err(reused()),
            // Muster was stopped before anything was recorded, and nothing else was done: it is done now.
            Some(known) if known.stage == Stage::Begun && again::is_one_commit(action) => {}
            Some(known) => return repeat(app, gate, action, known, &mut parts, &body).await,
            None => {}
        }
        record = Some(begun);
    } else if gone {
        return Err(Problem::not_found("remote"));
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
    let ticket = Arc::new(Ticket::new(record, line));
    let mut kept = Request::from_parts(parts, ()).into_parts().0;
    let request = Request::from_parts(kept.clone(), Body::from(body.clone()));
    let response = TICKET.scope(ticket.clone(), next.run(request)).await;
    let failed = !response.status().is_success();
    if failed
        && ticket.used.load(Ordering::Relaxed)
        && let Some(record) = &ticket.record
        && let Ok(Some(known)) = app.store().idempotency(&record.principal, &record.key).await
        && known.stage != Stage::Begun
    {
        // It is recorded as done all the same: by another server that had the same request at the same time, or by this
        // one before something went wrong.
        return repeat(app, gate, action, known, &mut kept, &body).await;
    }
    let (response, by_another) = record_it(app, gate, &ticket, response).await;
    if by_another
        && let Some(record) = &ticket.record
        && let Some(known) = app.store().idempotency(&record.principal, &record.key).await?
        && known.stage != Stage::Begun
    {
        return repeat(app, gate, action, known, &mut kept, &body).await;
    }
    drop(place);
    Ok(response)
}

fn in_progress() -> Problem {
    Problem::conflict("in_progress", "The same request is being done right now.")
        .retry_after(std::time::Duration::from_secs(1))
}

async fn read_body(app: &App, gate: Gate, body: Body) -> Result<Bytes, Problem> {
    let limits = &app.settings().limits;
    let most = match (gate.need, gate.body) {
        (Need::Open, _) => STRANGERS_BODY.min(limits.body),
        (_, Some(most)) => most,
        (_, None) => limits.body,
    };
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

fn reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "This Idempotency-Key came with another request before.",
    )
    .remedy("Use a new key for each thing wanted.")
}

/// The answer to a request that was made before.
async fn repeat(
    app: &App,
    gate: Gate,
    action: &str,
    known: IdempotencyRecord,
    parts: &mut Parts,
    body: &[u8],
) -> Result<Response, Problem> {
    let (status, body) = match known.stage {
        Stage::Begun => {
            return Err(Problem::conflict(
                "outcome_unknown",
                "This was begun, and Muster was stopped before it had an answer.",
            )
            .remedy("Look how things stand before you ask for it with a new key."));
        }
        Stage::Done { operation } => {
            let mut response = again::as_it_stands(app, action, operation, parts, body).await?;
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            return Ok(response);
        }
        // What failed holds no secret.
        Stage::Answered { status, .. } if gate.replay == Replay::Withheld && (200..300).contains(&status) => {
            return Err(Problem::conflict("already_done", "This was done already; its answer is not kept."));
        }
        Stage::Answered { status, body: kept } => {
            if let Some(mut response) = again::many(app, action, &kept, parts, body).await? {
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
                return Ok(response);
            }
            (status, kept)
        }
    };
    let status = StatusCode::from_u16(status).map_err(|_| Problem::internal())?;
    let failed = status.is_client_error() || status.is_server_error();
    let kind = if failed { api::PROBLEM_JSON } else { "application/json" };
    let mut response = (status, Bytes::from(body.to_vec())).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    if status == StatusCode::ACCEPTED
        && let Some(at) = operations::location(&body)
    {
        response.headers_mut().insert(header::LOCATION, at);
    }
    Ok(response)
}

/// Writes down what came of it, in one commit, before the caller is told. Also whether another server has carried out
/// what this one has refused: then that is what came of it.
async fn record_it(app: &App, gate: Gate, ticket: &Ticket, response: Response) -> (Response, bool) {
    let (parts, body) = response.into_parts();
    let code = parts.extensions.get::<Outcome>().map(|outcome| outcome.code);
    let many = ticket.many.lock().unwrap_or_else(PoisonError::into_inner).take();
    let whole = many.is_none() && (gate.replay != Replay::Withheld || !parts.status.is_success());
    let (answer, body) = if whole {
        // It is one of our own, and in memory anyway.
        match to_bytes(body, usize::MAX).await {
            Ok(bytes) => (bytes.clone(), Body::from(bytes)),
            Err(_) => return (Problem::internal().into_response(), false),
        }
    } else {
        (many.as_ref().map(|many| Bytes::from(many.kept.clone())).unwrap_or_default(), body)
    };
    // What has succeeded is in the log since the commit that made it so.
    let told = ticket.used.load(Ordering::Relaxed) && parts.status.is_success();
    let mut batch = Vec::new();
    if let Some(IdempotencyRecord { principal, key, .. }) = ticket.record.clone() {
        let too_long = answer.len() > KEPT_ANSWER;
        if parts.status == StatusCode::TOO_MANY_REQUESTS || (too_long && !parts.status.is_success()) {
            // What was refused for its pace may come again.
            batch.push(Write::IdempotencyGone { principal, key });
        } else if !too_long {
            let (status, body) = (parts.status.as_u16(), Zeroizing::new(answer.to_vec()));
            batch.push(Write::IdempotencyAnswered { principal, key, done: told, status, body });
        } else if !told {
            // It is sent all the same; whoever asks again is told that it was done.
            batch.push(Write::IdempotencyDone { principal, key, operation: None });
        }
    }
    let mut alone = Vec::new();
    let line = ticket.line.clone();
    match many {
        Some(many) => {
            alone.extend(line.map(|line| Write::Audit(line.about(many.about).stands(many.outcome))))
        }
        None => {
            let line = line.filter(|line| !told && ticket.is_worth(line, parts.status));
            alone.extend(line.map(|line| Write::Audit(line.record(parts.status, code, &answer))));
        }
    }
    batch.extend(alone.iter().cloned());
    let mut written = app.store().write(batch).await;
    if written == Err(StoreError::AlreadyDone) {
        if !parts.status.is_success() {
            return (Response::from_parts(parts, body), true);
        }
        // Both have done it, each with its line; one answer is kept.
        written = app.store().write(alone).await;
    }
    if let Err(error) = written {
        tracing::error!(%error, status = parts.status.as_u16(), "how a request ended could not be recorded");
        // What was refused was not done; and what the commit of the change has recorded is recorded.
        if told || !parts.status.is_success() {
            return (Response::from_parts(parts, body), false);
        }
        let problem = Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not_recorded",
            "It was carried out, but that could not be recorded.",
        )
        .detail(format!("It ended with status {}; then: {error}.", parts.status.as_u16()))
        .remedy("Look how things stand before you ask for it again.");
        return (problem.into_response(), false);
    }
    (Response::from_parts(parts, body), false)
}

#[cfg(test)]
mod tests {
    use fleet::{Clock, Fleet, Timings};
    use model::access::Grants;
    use store::{Keys, Place, Store};

    use super::*;
    use crate::Settings;

    async fn app(dir: &tempfile::TempDir) -> App {
        let keys = Keys::new(Zeroizing::new([7; 32]), Vec::new());
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(place, keys, store::Timings::default()).await.unwrap();
        let clock = Clock::new();
        let fleet = Fleet::open(Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
        App::new(fleet, store, Settings::default(), clock).await.unwrap()
    }

    fn ticket(app: &App) -> Arc<Ticket> {
        let record = IdempotencyRecord {
            principal: "user:anna".to_owned(),
            key: "k".to_owned(),
            fingerprint: String::new(),
            at: app.now().wall,
            stage: Stage::Begun,
        };
        let line = audit::Line {
            at: app.now().wall,
            action: "users.create".to_owned(),
            author: None,
            from: "socket".to_owned(),
            remote: None,
            target: "ben".to_owned(),
            parameters: serde_json::json!({}),
        };
        Arc::new(Ticket::new(Some(record), Some(line)))
    }

    #[tokio::test]
    async fn a_change_its_line_in_the_log_and_its_key_are_one_commit() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(&dir).await;
        let add = async |name: &str| {
            TICKET
                .scope(ticket(&app), app.add_user(name, &"long enough to do".into(), Grants::default()))
                .await
        };
        let stage =
            async || app.store().idempotency("user:anna", "k").await.unwrap().map(|known| known.stage);
        // Nobody has begun with it: then nothing of it is written.
        assert!(add("ben").await.is_err());
        assert_eq!(app.store().user("ben").await.unwrap(), None);
        assert_eq!(app.store().audit(None, 9).await.unwrap(), []);

        let begun = ticket(&app).record.clone().unwrap();
        app.store().write(vec![Write::Idempotency(begun)]).await.unwrap();
        let commits = app.store().figures().commits;
        add("ben").await.unwrap();
        assert_eq!(app.store().figures().commits, commits + 1);
        assert_eq!(stage().await, Some(Stage::Done { operation: None }));
        assert_eq!(app.store().audit(None, 9).await.unwrap().len(), 1);
        // Whoever comes second with the same key changes nothing.
        assert!(add("eve").await.is_err());
        assert_eq!(app.store().user("eve").await.unwrap(), None);
        assert_eq!(app.store().audit(None, 9).await.unwrap().len(), 1);
        app.store().close().await;
    }

    #[tokio::test]
    async fn an_answer_too_long_to_be_kept_is_sent_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(&dir).await;
        let ticket = ticket(&app);
        let gate = Gate::everywhere(model::access::Act::Users);
        app.store().write(vec![Write::Idempotency(ticket.record.clone().unwrap())]).await.unwrap();
        let long = "x".repeat(KEPT_ANSWER + 1);
        let (response, _) =
            record_it(&app, gate, &ticket, (StatusCode::ACCEPTED, long.clone()).into_response()).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let sent = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(sent.len(), long.len());
        let known = app.store().idempotency("user:anna", "k").await.unwrap().unwrap();
        assert_eq!(known.stage, Stage::Done { operation: None });
        assert_eq!(app.store().audit(None, 9).await.unwrap().len(), 1);
        app.store().close().await;
    }

    #[tokio::test]
    async fn what_another_server_has_done_is_not_recorded_as_refused() {
        let dir = tempfile::tempdir().unwrap();
        let app = app(&dir).await;
        let ticket = ticket(&app);
        let record = ticket.record.clone().unwrap();
        let stage =
            async || app.store().idempotency("user:anna", "k").await.unwrap().map(|known| known.stage);
        let gate = Gate::everywhere(model::access::Act::Users);
        let refused = |code| Problem::conflict(code, "No.").into_response();
        app.store().write(vec![Write::Idempotency(record.clone())]).await.unwrap();
        let done = Write::IdempotencyDone { principal: record.principal, key: record.key, operation: None };
        app.store().write(vec![done]).await.unwrap();
        let (_, by_another) = record_it(&app, gate, &ticket, refused("name_taken")).await;
        assert!(by_another);
        let too_often = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", "Wait.");
        record_it(&app, gate, &ticket, too_often.into_response()).await;
        assert_eq!(stage().await, Some(Stage::Done { operation: None }));
        assert_eq!(app.store().audit(None, 9).await.unwrap(), []);
        // Whoever has done it is believed how it ended.
        ticket.used.store(true, Ordering::Relaxed);
        let (_, by_another) = record_it(&app, gate, &ticket, StatusCode::CREATED.into_response()).await;
        assert!(!by_another);
        assert!(matches!(stage().await, Some(Stage::Answered { status: 201, .. })));
        app.store().close().await;
    }
}
