//! One HTTP exchange on one connection, and what its failures mean: [`Conn::exchange`].

use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::body::{Unpack, decompress};
use super::connect::{Connected, system_text};
use super::watch::{End, Watch};
use crate::error::{ErrorKind, Phase, Sent};
use crate::timings::Timings;

/// Of an answer that says no, so much is read: enough for any words, too little to be a burden.
const REFUSAL_BYTES: usize = 64 * 1024;

/// Bodies larger than this are unpacked off the async threads.
const LARGE: usize = 256 * 1024;

/// An HTTP/1.1 connection, on which one request at a time is made.
pub(crate) struct Conn {
    sender: SendRequest<Full<Bytes>>,
    watch: Arc<Watch>,
    requests: u32,
    peer: SocketAddr,
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("peer", &self.peer)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

/// An answer as it came, its body complete and unpacked.
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    /// The reason phrase as it stood on the wire; empty if there was none.
    pub(crate) reason: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Without headers and body: one of a sign-in holds the ticket.
impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAnswer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An exchange that gave no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) phase: Phase,
    pub(crate) sent: Sent,
    /// Nothing of an answer was received and the connection is dead: it may have been dead before.
    pub(crate) silent: bool,
}

impl Conn {
    /// Speaks HTTP/1.1 over a connection. The task that drives it ends with the connection.
    pub(crate) async fn open(connected: Connected) -> Result<Self, Failure> {
        let peer = connected.peer;
        let watch = connected.stream.watch();
        let shaken = http1::Builder::new()
            .ignore_invalid_headers_in_responses(true)
            .handshake(TokioIo::new(connected.stream))
            .await;
        let (sender, connection) = shaken.map_err(|error| Failure {
            kind: ErrorKind::Cut { text: error.to_string() },
            phase: Phase::Send,
            sent: Sent::No,
            silent: true,
        })?;
        tokio::spawn(async move {
            // Whoever waits for an answer hears of it through the sender; nobody else is concerned.
            if let Err(error) = connection.await {
                tracing::trace!(%error, "connection ended");
            }
        });
        Ok(Self { sender, watch, requests: 0, peer })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) fn requests(&self) -> u32 {
        self.requests
    }

    /// Sends the request and reads the whole answer. Gives back the connection when it can be used again.
    pub(crate) async fn exchange(
        mut self,
        request: Request<Full<Bytes>>,
        limit: u64,
        timings: &Timings,
    ) -> Result<(RawAnswer, Option<Self>), Failure> {
        self.watch.begin();
        self.requests += 1;
        let answered = timeout(timings.answer, async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        });
        let response = match answered.await {
            Err(_) => return Err(self.failed(ErrorKind::NoAnswer { after: timings.answer })),
            Ok(Err(error)) => return Err(self.no_head(&error)),
            Ok(Ok(response)) => response,
        };
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let reason = match head.extensions.get::<ReasonPhrase>() {
            Some(reason) if !reason.as_bytes().is_empty() => {
                String::from_utf8_lossy(reason.as_bytes()).into_owned()
            }
            // hyper keeps neither a phrase that is the usual one nor one with other letters than ASCII.
            _ => self
                .watch
                .raw_reason(status)
                .or_else(|| head.status.canonical_reason().map(str::to_owned))
                .unwrap_or_default(),
        };
        let body = self.body(status, &head.headers, body, limit, timings).await?;
        let stays = status < 400
            && head.version == http::Version::HTTP_11
            && !says_close(&head.headers)
            && self.watch.end() == End::Open;
        let body = match unpacked(&head.headers, body, limit).await {
            Ok(body) => body,
            // The verdict stands without its words.
            Err(_) if status >= 400 => Bytes::new(),
            Err(Unpack::TooLarge) => return Err(self.answered(ErrorKind::TooLarge { limit }, Phase::Read)),
            Err(Unpack::Broken(what)) => {
                return Err(self.answered(ErrorKind::NotUnderstood { what }, Phase::Decode));
            }
        };
        let answer = RawAnswer { status, reason, headers: head.headers, body };
        Ok((answer, stays.then_some(self)))
    }

    /// Reads the body.
    ///
    /// An answer that says no (status ≥ 400) has said it with its head: however its body ends, that is the end.
    /// Servers before April 2025 close without a TLS goodbye there, and send no length. An answer that says yes
    /// must be complete: by its length, or, without one, by a goodbye.
    async fn body(
        &self,
        status: u16,
        headers: &HeaderMap,
        mut body: Incoming,
        limit: u64,
        timings: &Timings,
    ) -> Result<Bytes, Failure> {
        let refusal = status >= 400;
        let limit_here = usize::try_from(limit).unwrap_or(usize::MAX);
        let deadline = Instant::now() + timings.body_total;
        let mut whole = BytesMut::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let piece = match timeout(left.min(timings.body_idle), body.frame()).await {
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(None) => break,
                Ok(Some(Err(_))) | Err(_) if refusal => break,
                Ok(Some(Err(error))) => return Err(self.cut(&error)),
                Err(_) => {
                    let after =
                        if left <= timings.body_idle { timings.body_total } else { timings.body_idle };
                    return Err(self.answered(ErrorKind::NoAnswer { after }, Phase::Read));
                }
            };
            whole.extend_from_slice(&piece);
            if refusal && whole.len() > REFUSAL_BYTES {
                break;
            }
            if whole.len() > limit_here {
                return Err(self.answered(ErrorKind::TooLarge { limit }, Phase::Read));
            }
        }
        let length_known = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        let end = self.watch.end();
        if !refusal && !length_known && matches!(end, End::Bare | End::Reset) {
            let text = format!("{} and gave no length", end.text());
            return Err(self.answered(ErrorKind::Cut { text }, Phase::Read));
        }
        Ok(whole.freeze())
    }

    /// A failure before the head of the answer was complete; how far it had come is read off the connection.
    fn failed(&self, kind: ErrorKind) -> Failure {
        let (phase, sent) = match (self.watch.wrote(), self.watch.flushed()) {
            (false, _) => (Phase::Send, Sent::No),
            (true, false) => (Phase::Send, Sent::Maybe),
            (true, true) => (Phase::Await, Sent::Yes),
        };
        let dead = matches!(kind, ErrorKind::Cut { .. });
        Failure { kind, phase, sent, silent: dead && self.watch.received() == 0 }
    }

    /// A failure after the head of the answer.
    fn answered(&self, kind: ErrorKind, phase: Phase) -> Failure {
        Failure { kind, phase, sent: Sent::Yes, silent: false }
    }

    /// hyper gave no head.
    fn no_head(&self, error: &hyper::Error) -> Failure {
        if let Some(kind) = stream_error(error) {
            return self.failed(kind);
        }
        let ended = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        if error.is_parse() || (!ended && self.watch.received() > 0) {
            return self.failed(ErrorKind::NotHttp { text: error.to_string() });
        }
        let text = match (self.watch.end(), self.watch.received()) {
            (End::Open, 0) => error.to_string(),
            (end, 0) => format!("{} without an answer", end.text()),
            (end, bytes) => format!("{} after {bytes} bytes of the answer's head", end.text()),
        };
        self.failed(ErrorKind::Cut { text })
    }

    /// The body broke off.
    fn cut(&self, error: &hyper::Error) -> Failure {
        let kind = stream_error(error).unwrap_or_else(|| match self.watch.end() {
            End::Open if error.is_parse() => ErrorKind::NotHttp { text: error.to_string() },
            End::Open => ErrorKind::Cut { text: error.to_string() },
            end => ErrorKind::Cut { text: format!("{} in mid-answer", end.text()) },
        });
        self.answered(kind, Phase::Read)
    }
}

/// What the stream below hyper reported, if that was the failure.
fn stream_error(error: &hyper::Error) -> Option<ErrorKind> {
    let error = error.source()?.downcast_ref::<io::Error>()?;
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Some(ErrorKind::Tls { text: tls.to_string() });
    }
    match error.kind() {
        // hyper's own way to say that a chunked or counted body ended early.
        io::ErrorKind::UnexpectedEof => None,
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Some(ErrorKind::NotHttp { text: error.to_string() })
        }
        _ => Some(ErrorKind::Cut { text: system_text(error) }),
    }
}

/// Unpacks the body; a large one not on an async thread.
async fn unpacked(headers: &HeaderMap, body: Bytes, limit: u64) -> Result<Bytes, Unpack> {
    if body.len() < LARGE {
        return decompress(headers, body, limit);
    }
    let headers = headers.clone();
    match tokio::task::spawn_blocking(move || decompress(&headers, body, limit)).await {
        Ok(unpacked) => unpacked,
        Err(error) => Err(Unpack::Broken(format!("unpacking it failed: {error}"))),
    }
}

fn says_close(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("close"))
}
