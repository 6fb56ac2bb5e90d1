//! Two thin layers that note facts about a connection: [`Counted`] below TLS, [`Watched`] above it.
//!
//! What hyper reports about a broken exchange is its own view; what was written, received, and how the other side
//! ended is known here.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stats;

/// The first bytes a server sent, enough to tell plain HTTP from TLS.
const OPENING: usize = 16;

/// A status line longer than this is not kept.
const STATUS_LINE: usize = 8 * 1024;

/// The socket below TLS: counts bytes, and keeps the first few that came in.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    io: S,
    stats: Arc<Stats>,
    opening: Arc<Mutex<Vec<u8>>>,
}

impl<S> Counted<S> {
    pub(crate) fn new(io: S, stats: Arc<Stats>) -> Self {
        Self { io, stats, opening: Arc::default() }
    }

    /// A handle on the first bytes received; it outlives the stream.
    pub(crate) fn opening(&self) -> Arc<Mutex<Vec<u8>>> {
        Arc::clone(&self.opening)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        self.stats.received(fresh.len());
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if opening.len() < OPENING {
            let wanted = OPENING - opening.len();
            opening.extend(fresh.iter().take(wanted));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, data))?;
        self.stats.sent(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// How the other side ended the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Not yet.
    Open,
    /// With a TLS close_notify: everything it sent was received.
    Clean,
    /// The connection was closed without one: more may have been meant.
    Bare,
    /// The connection was reset.
    Reset,
}

impl End {
    /// As a person says it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Open => "the connection ended",
            Self::Clean => "the server closed the connection",
            Self::Bare => "the server closed the connection without a TLS goodbye",
            Self::Reset => "connection reset by the server",
        }
    }
}

/// What was seen on a connection since the last request began. Shared between the stream and the exchange.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    written: AtomicU64,
    received: AtomicU64,
    flushed: AtomicBool,
    end: AtomicU8,
    status_line: Mutex<Vec<u8>>,
}

impl Watch {
    /// A new request begins.
    pub(crate) fn begin(&self) {
        self.written.store(0, Ordering::Release);
        self.received.store(0, Ordering::Release);
        self.flushed.store(false, Ordering::Release);
        self.status_line.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Was any byte of the request given to TLS?
    pub(crate) fn wrote(&self) -> bool {
        self.written.load(Ordering::Acquire) > 0
    }

    /// Was everything that hyper wrote handed to the system?
    pub(crate) fn flushed(&self) -> bool {
        self.flushed.load(Ordering::Acquire)
    }

    /// Bytes of the answer received.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// How the other side ended the stream.
    pub(crate) fn end(&self) -> End {
        match self.end.load(Ordering::Acquire) {
            1 => End::Clean,
            2 => End::Bare,
            3 => End::Reset,
            _ => End::Open,
        }
    }

    fn ended(&self, end: End) {
        let code = match end {
            End::Open => 0,
            End::Clean => 1,
            End::Bare => 2,
            End::Reset => 3,
        };
        // The first ending is the true one; what follows it is an echo.
        let _ = self.end.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
    }

    fn took(&self, fresh: &[u8]) {
        self.received.fetch_add(fresh.len() as u64, Ordering::AcqRel);
        let mut line = self.status_line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.last() != Some(&b'\n') && line.len() < STATUS_LINE {
            let rest = memchr::memchr(b'\n', fresh).map_or(fresh.len(), |at| at + 1);
            line.extend(fresh.iter().take(rest));
        }
    }

    /// The reason phrase as it stood on the wire; hyper gives none that holds other letters than ASCII.
    pub(crate) fn raw_reason(&self, status: u16) -> Option<String> {
        let line = self.status_line.lock().unwrap_or_else(PoisonError::into_inner);
        let line = String::from_utf8_lossy(&line);
        let mut parts = line.trim_end().splitn(3, ' ');
        let (_version, code, reason) = (parts.next()?, parts.next()?, parts.next()?);
        (code.parse() == Ok(status) && !reason.is_empty()).then(|| reason.to_owned())
    }
}

/// The stream above TLS: notes what passes, and makes every ending of the other side an end of file, so that the
/// exchange, which knows the status, can say what the ending means.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    io: S,
    watch: Arc<Watch>,
}

impl<S> Watched<S> {
    pub(crate) fn new(io: S) -> Self {
        Self { io, watch: Arc::default() }
    }

    pub(crate) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match ready!(Pin::new(&mut self.io).poll_read(cx, buf)) {
            Ok(()) => match buf.filled().get(before..) {
                Some(fresh) if !fresh.is_empty() => self.watch.took(fresh),
                _ => self.watch.ended(End::Clean),
            },
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => self.watch.ended(End::Bare),
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => {
                    self.watch.ended(End::Reset);
                }
                _ => return Poll::Ready(Err(error)),
            },
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, data))?;
        self.watch.written.fetch_add(written as u64, Ordering::AcqRel);
        self.watch.flushed.store(false, Ordering::Release);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        if self.watch.wrote() {
            self.watch.flushed.store(true, Ordering::Release);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
