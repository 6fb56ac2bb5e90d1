//! A connection whose other end must keep pace: it sends a request's head within a time, does not stay idle for
//! longer than another, and goes on reading what it asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Response, StatusCode};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::settings::Limits;

/// What a connection is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A head is awaited, of which something may have come.
    Head,
    /// A request is being read or answered, or the connection has become something else than HTTP.
    Answering,
    /// The last answer has left; nothing of another request has come.
    Idle,
}

/// The phase, shared by who reads and who answers.
#[derive(Debug, Clone)]
pub(super) struct SharedPhase(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The phase in the lowest two bits; above them how many there were before: the times of one request are not
    /// counted against the next.
    phase: AtomicU64,
    slow: AtomicBool,
}

impl SharedPhase {
    pub(super) fn set(&self, phase: Phase) {
        let next = |before: u64| Some((((before >> 2).wrapping_add(1)) << 2) | phase as u64);
        let _ = self.0.phase.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    /// Whether the connection was cut because the other end did not keep pace.
    pub(super) fn was_slow(&self) -> bool {
        self.0.slow.load(Ordering::Acquire)
    }

    fn too_slow(&self) -> io::Error {
        self.0.slow.store(true, Ordering::Release);
        io::ErrorKind::TimedOut.into()
    }

    /// The phase, and a number that no other phase of this connection has.
    fn get(&self) -> (Phase, u64) {
        let number = self.0.phase.load(Ordering::Acquire);
        let phase = match number & 3 {
            0 => Phase::Head,
            1 => Phase::Answering,
            _ => Phase::Idle,
        };
        (phase, number)
    }
}

/// The answer; once its last byte was handed on the connection is idle.
pub(super) fn until_sent(answer: Response<Body>, phase: SharedPhase) -> Response<Body> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return answer;
    }
    answer.map(|body| Body::new(Sent { body, phase }))
}

/// A body that tells when nothing more of it is wanted.
struct Sent {
    body: Body,
    phase: SharedPhase,
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.phase.set(Phase::Idle);
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream on which a read or write that makes no progress for too long fails.
pub(super) struct Watched<S> {
    stream: S,
    phase: SharedPhase,
    head: Duration,
    idle: Duration,
    stall: Duration,
    /// Until when what is awaited may come, and in which phase that was set.
    reading: Option<(u64, Pin<Box<Sleep>>)>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, limits: &Limits) -> (Self, SharedPhase) {
        let phase = AtomicU64::new(Phase::Head as u64);
        let phase = SharedPhase(Arc::new(Shared { phase, slow: AtomicBool::new(false) }));
        let watched = Self {
            stream,
            phase: phase.clone(),
            head: limits.head_time,
            idle: limits.idle_time,
            stall: limits.stall_time,
            reading: None,
            writing: None,
        };
        (watched, phase)
    }

    /// Ready once what is awaited in this phase has taken too long.
    fn over(&mut self, (phase, number): (Phase, u64), cx: &mut Context<'_>) -> Poll<()> {
        let time = match phase {
            Phase::Head => self.head,
            Phase::Idle => self.idle,
            Phase::Answering => {
                self.reading = None;
                return Poll::Pending;
            }
        };
        match &mut self.reading {
            Some((since, sleep)) if *since == number => sleep.as_mut().poll(cx),
            reading => {
                let sleep = Box::pin(tokio::time::sleep_until(Instant::now() + time));
                reading.insert((number, sleep)).1.as_mut().poll(cx)
            }
        }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.writing = None;
            return done;
        }
        let until = Instant::now() + self.stall;
        let waiting = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(self.phase.too_slow()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let came = buf.filled().len() > before;
        if self.phase.get().0 == Phase::Idle && came {
            self.phase.set(Phase::Head);
        }
        let phase = self.phase.get();
        // Asked also when something came: a head that comes byte by byte is slow all the same.
        match (self.over(phase, cx), phase.0) {
            (Poll::Ready(()), Phase::Head) => Poll::Ready(Err(self.phase.too_slow())),
            // As if the other end had closed: nothing was asked for that is not answered.
            (Poll::Ready(()), _) if !came => Poll::Ready(Ok(())),
            _ => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, done)
    }
}
