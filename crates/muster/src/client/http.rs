//! One request and its answer: [`Line`]. What only reads may go over a connection that was kept; what changes
//! something goes over a fresh one, carries a key, and may therefore be sent once more when its answer was lost.

use std::io::Write;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;
use tokio::time::timeout;
use zeroize::Zeroizing;

pub use hyper::Method;

use super::stream::Events;
use super::{Patience, Way, idempotency_key};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::stopwatch;

/// No answer that is kept is longer.
const LONGEST: usize = 256 * 1024 * 1024;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: hyper::HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// What the body is said to be.
    pub fn content_type(&self) -> String {
        self.header("content-type").unwrap_or("nothing that says what it is").to_owned()
    }

    /// Is the body said to be JSON?
    pub fn is_json(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        kind.starts_with("application/json") || kind.starts_with(api::PROBLEM_JSON)
    }
}

/// The line to one server.
pub(super) struct Line {
    way: Way,
    token: Option<api::Secret>,
    patience: Patience,
    kept: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("way", &self.way).field("token", &self.token.is_some()).finish()
    }
}

/// How a request ended that has no answer.
enum Lost {
    /// Nothing was sent.
    Unsent(Failure),
    /// It may have arrived.
    Sent(String),
}

impl Line {
    pub(super) fn new(way: Way, token: Option<api::Secret>, patience: Patience) -> Self {
        Self { way, token, patience, kept: Mutex::new(None) }
    }

    pub(super) fn anonymous(&self) -> Self {
        Self::new(self.way.clone(), None, self.patience)
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Opens the connection that the first request will use.
    pub(super) async fn connect(&self) -> Result<(), Failure> {
        let sender = self.fresh().await?;
        *self.kept.lock().await = Some(sender);
        Ok(())
    }

    async fn fresh(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let io = self.way.open(self.patience.connect).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(|e| {
            Failure::new(Exit::Unreachable, format!("{} does not speak HTTP: {e}.", self.way))
        })?;
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::debug!("the connection to the server ended: {e}");
            }
        });
        Ok(sender)
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Zeroizing<Vec<u8>>>,
        headers: &[(&str, &str)],
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("host", self.way.host())
            .header("user-agent", concat!("muster/", env!("CARGO_PKG_VERSION")))
            .header("accept", "application/json, text/event-stream");
        if let Some(token) = &self.token {
            let mut value = hyper::header::HeaderValue::try_from(format!("Bearer {}", token.reveal()))
                .map_err(|_| {
                    Failure::new(Exit::Credentials, "The API token has characters that no token has.")
                })?;
            value.set_sensitive(true);
            request = request.header("authorization", value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Bytes::from_owner(body.clone())
            }
            None => Bytes::new(),
        };
        request
            .body(Full::new(bytes))
            .map_err(|e| Failure::new(Exit::Failed, format!("The request cannot be written: {e}.")))
    }

    /// Sends a request and reads its answer to the end.
    pub(super) async fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Option<Zeroizing<Vec<u8>>>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Failure> {
        let changes = *method != Method::GET;
        let key = idempotency_key();
        let mut headers = headers.to_vec();
        if changes {
            headers.push((api::IDEMPOTENCY_KEY, &key));
        }
        let mut last = String::new();
        // Once more is harmless: it only reads, or carries the same key.
        for again in [false, true] {
            let request = self.request(method, path, body.as_ref(), &headers)?;
            let began = Asked::now(&self.way, method, path, body.as_ref().map_or(0, |body| body.len()));
            match self.once(request, changes || again).await {
                Ok(answer) => {
                    began.answered(answer.status, &answer.content_type(), Some(&answer.body));
                    return Ok(answer);
                }
                Err(Lost::Unsent(failure)) => {
                    began.lost(&failure.sentence);
                    // What was sent before may have been done, whatever became of the second try.
                    if !(again && changes) {
                        return Err(failure);
                    }
                    last = failure.sentence;
                }
                Err(Lost::Sent(why)) => {
                    last = format!("{why}.");
                    began.lost(&last);
                }
            }
        }
        let name = self.way.to_string();
        Err(match changes {
            true => Failure::new(
                Exit::OutcomeUnknown,
                format!("{name} did not answer, and may have done it: {last}"),
            )
            .hint("Look before repeating it: muster operation ls, muster event ls."),
            false => Failure::new(Exit::Unreachable, format!("No answer from {name}: {last}")),
        })
    }

    async fn sender(&self, fresh: bool) -> Result<SendRequest<Full<Bytes>>, Failure> {
        if !fresh
            && let Some(mut sender) = self.kept.lock().await.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        self.fresh().await
    }

    async fn once(&self, request: Request<Full<Bytes>>, fresh: bool) -> Result<Answer, Lost> {
        let mut sender = self.sender(fresh).await.map_err(Lost::Unsent)?;
        let answer = timeout(self.patience.answer, async {
            let response = sender.send_request(request).await.map_err(|e| told(&e))?;
            let (parts, body) = response.into_parts();
            let body = http_body_util::Limited::new(body, LONGEST)
                .collect()
                .await
                .map_err(|e| format!("the answer broke off ({e})"))?
                .to_bytes();
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        })
        .await
        .map_err(|_| Lost::Sent(format!("no answer within {} s", self.patience.answer.as_secs())))?
        .map_err(Lost::Sent)?;
        if !fresh {
            *self.kept.lock().await = Some(sender);
        }
        Ok(answer)
    }

    /// Begins a request of which the answer goes on.
    async fn begin(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let mut sender = self.fresh().await?;
        let response = timeout(self.patience.answer, sender.send_request(request)).await;
        let name = self.way.to_string();
        response
            .map_err(|_| Failure::new(Exit::Unreachable, format!("No answer from {name}.")))?
            .map_err(|e| Failure::new(Exit::Unreachable, format!("No answer from {name}: {}.", told(&e))))
    }

    async fn whole(&self, response: Response<Incoming>) -> Answer {
        let (parts, body) = response.into_parts();
        let body = timeout(self.patience.answer, http_body_util::Limited::new(body, LONGEST).collect()).await;
        let body = body.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Opens a stream; what refuses it is handed back.
    pub(super) async fn stream(&self, path: &str) -> Result<Result<Events, Answer>, Failure> {
        let began = Asked::now(&self.way, &Method::GET, path, 0);
        let response = self.begin(self.request(&Method::GET, path, None, &[])?).await?;
        began.answered(response.status().as_u16(), "what goes on", None);
        let streams = response
            .headers()
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if response.status().is_success() && streams {
            return Ok(Ok(Events::new(response.into_body(), self.patience.silence)));
        }
        Ok(Err(self.whole(response).await))
    }

    /// Writes the body of an answer where it shall go, piece by piece.
    pub(super) async fn download(
        &self,
        method: &Method,
        path: &str,
        to: &mut (impl Write + Send),
    ) -> Result<Result<u64, Answer>, Failure> {
        let key = idempotency_key();
        let headers = [(api::IDEMPOTENCY_KEY, key.as_str())];
        let headers = if *method == Method::GET { &[][..] } else { &headers[..] };
        let began = Asked::now(&self.way, method, path, 0);
        let response = self.begin(self.request(method, path, None, headers)?).await?;
        began.answered(response.status().as_u16(), "what is written down", None);
        if !response.status().is_success() {
            return Ok(Err(self.whole(response).await));
        }
        let failed = |e: std::io::Error| Failure::new(Exit::Failed, format!("It cannot be written: {e}."));
        let mut body = response.into_body();
        let mut written = 0;
        loop {
            let frame = timeout(self.patience.answer, body.frame()).await.map_err(|_| {
                let seconds = self.patience.answer.as_secs();
                Failure::new(
                    Exit::Unreachable,
                    format!(
                        "The answer of {} stopped in its middle: nothing more for {seconds} s.",
                        self.way
                    ),
                )
            })?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|e| {
                Failure::new(
                    Exit::Unreachable,
                    format!("The answer of {} broke off: {}.", self.way, told(&e)),
                )
            })?;
            if let Some(data) = frame.data_ref() {
                to.write_all(data).map_err(failed)?;
                written += u64::try_from(data.len()).unwrap_or(0);
            }
        }
        to.flush().map_err(failed)?;
        Ok(Ok(written))
    }
}

/// A request as `MUSTER_LOG=debug` shows it: what was asked of whom, and how it was answered. Bodies may hold secrets, as
/// headers do: of them only the length is told, and of a refusal its own words.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    at: std::time::Instant,
}

impl<'a> Asked<'a> {
    fn now(way: &Way, method: &'a Method, path: &'a str, length: usize) -> Self {
        match length {
            0 => tracing::debug!("asking {way}: {method} {path}"),
            n => tracing::debug!("asking {way}: {method} {path}, with {n} bytes"),
        }
        Self { method, path, at: std::time::Instant::now() }
    }

    fn answered(&self, status: u16, kind: &str, body: Option<&Bytes>) {
        let Self { method, path, at } = self;
        let took = stopwatch(at.elapsed());
        let length = body.map(|body| format!(", {} bytes", body.len())).unwrap_or_default();
        tracing::debug!("answered {method} {path}: {status} after {took}, {kind}{length}");
        let refusal = body.filter(|_| status >= 400);
        if let Some(problem) = refusal.and_then(|body| serde_json::from_slice::<api::Problem>(body).ok()) {
            tracing::debug!("refused: {}: {} {}", problem.code(), problem.title, problem.detail);
        }
    }

    fn lost(&self, why: &str) {
        let Self { method, path, at } = self;
        tracing::debug!("no answer to {method} {path} after {}: {why}", stopwatch(at.elapsed()));
    }
}

/// A connection's end in words.
fn told(error: &hyper::Error) -> String {
    match () {
        () if error.is_incomplete_message() || error.is_closed() => "the connection was closed".to_owned(),
        () if error.is_parse() => "what came is no HTTP".to_owned(),
        () => error.to_string(),
    }
}
