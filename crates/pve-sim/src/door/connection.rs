//! One connection, from the first byte to the last: TLS, requests one after the other, and the way it ends.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::exchange::{self, Outcome};
use super::http::{self, Head, Request};
use super::inner::{Inner, Welcome};
use super::journal::Handshake;
use super::response::Response;

/// How long the rest of what a client sends is read after the connection was ended, so that it gets the answer
/// and not a reset.
const LINGER: Duration = Duration::from_millis(300);

/// Serves one accepted connection.
pub(crate) async fn serve(inner: Arc<Inner>, node: usize, stream: TcpStream, peer: SocketAddr) {
    let Some(place) = inner.node(node) else { return };
    let token = place.reset_token();
    let number = {
        let at = inner.now();
        inner.journal().open_connection(&place.name, at)
    };
    let _ = stream.set_nodelay(true);
    let mut connection = Connection { inner: Arc::clone(&inner), node, number, peer, token };
    tokio::select! {
        () = connection.run(stream) => {}
        () = inner.stop.cancelled() => {}
    }
    if let Some(record) = inner.journal().connection(number) {
        record.closed = true;
    }
}

pub(crate) struct Connection {
    pub(crate) inner: Arc<Inner>,
    pub(crate) node: usize,
    pub(crate) number: u64,
    pub(crate) peer: SocketAddr,
    /// Cancelled when every connection of the node is to be reset.
    token: CancellationToken,
}

/// How a connection ends.
pub(crate) enum End {
    /// As the server ends it: with close_notify if it is new enough.
    Close,
    /// With a FIN and nothing else: the answer breaks off.
    Cut,
    /// RST.
    Reset,
    /// Nothing more is ever sent.
    Silence,
    /// The other side is gone.
    Gone,
}

impl Connection {
    async fn run(&mut self, stream: TcpStream) {
        let welcome = match self.inner.welcome(self.node) {
            Ok(welcome) => welcome,
            Err(error) => {
                tracing::error!(%error, "no certificate to show");
                return;
            }
        };
        match welcome {
            Welcome::Reset => reset(&stream),
            Welcome::Silence => self.keep_silent(Io::Plain(stream)).await,
            Welcome::Plain => {
                self.note(|record| record.handshake = Handshake::Plain);
                self.inner.prepare();
                self.speak(Io::Plain(stream), false).await;
            }
            Welcome::Tls(config) => self.greet(stream, config).await,
        }
    }

    /// TLS, or the redirect of one who comes without.
    async fn greet(&mut self, stream: TcpStream, config: Arc<rustls::ServerConfig>) {
        let limit = self.inner.timings.keep_alive;
        let mut first = [0_u8; 1];
        match tokio::time::timeout(limit, stream.peek(&mut first)).await {
            Ok(Ok(1)) => {}
            _ => return,
        }
        // The first byte of a TLS handshake record; no HTTP method begins with it.
        if first != [0x16] {
            self.note(|record| record.handshake = Handshake::Plain);
            self.inner.prepare();
            self.speak(Io::Plain(stream), true).await;
            return;
        }
        let token = self.token.clone();
        let handshake = tokio::select! {
            handshake = tokio::time::timeout(limit, TlsAcceptor::from(config).accept(stream)) => handshake,
            () = token.cancelled() => return,
        };
        match handshake {
            Ok(Ok(tls)) => {
                let session = tls.get_ref().1;
                let handshake = match session.handshake_kind() {
                    Some(rustls::HandshakeKind::Resumed) => Handshake::Resumed,
                    _ => Handshake::Full,
                };
                let version = session.protocol_version().map(|version| format!("{version:?}"));
                let server_name = session.server_name().map(str::to_owned);
                self.note(|record| {
                    record.handshake = handshake;
                    record.tls_version = version;
                    record.server_name = server_name;
                });
                self.speak(Io::Tls(Box::new(tls)), false).await;
            }
            Ok(Err(error)) => self.note(|record| record.handshake = Handshake::Failed(error.to_string())),
            Err(_) => {
                self.note(|record| record.handshake = Handshake::Failed("the client fell silent".to_owned()));
            }
        }
    }

    /// Requests and answers, then the end.
    async fn speak(&mut self, mut io: Io, redirect: bool) {
        let token = self.token.clone();
        let end = tokio::select! {
            end = self.converse(&mut io, redirect) => end,
            () = token.cancelled() => End::Reset,
        };
        match end {
            End::Close => {
                let notify = self.inner.manners.close_notify;
                close(io, notify).await;
            }
            End::Cut => close(io, false).await,
            End::Reset => reset(io.tcp()),
            End::Silence => self.keep_silent(io).await,
            End::Gone => {}
        }
    }

    async fn converse(&mut self, io: &mut Io, redirect: bool) -> End {
        let mut buffer = BytesMut::new();
        let mut left = self.inner.timings.requests_per_connection;
        loop {
            let mut request = match self.read_head(io, &mut buffer, redirect).await {
                Ok(request) => request,
                Err(end) => return end,
            };
            left = left.saturating_sub(1);
            self.note(|record| record.requests += 1);
            if redirect {
                let response = exchange::to_https(&request);
                let encoded = response.encode(&request, &self.date(), request.wants_keep_alive());
                let _ = exchange::send(io, &encoded).await;
                return End::Close;
            }
            let refused = request.refuse_body(self.inner.manners.body_limit);
            if refused.is_none()
                && let Err(end) = self.read_body(io, &mut buffer, &mut request).await
            {
                return end;
            }
            let keep_alive = left > 0 && request.wants_keep_alive();
            match exchange::carry_out(self, io, &request, refused, keep_alive).await {
                Outcome::GoOn => {}
                Outcome::End(end) => return end,
            }
        }
    }

    async fn read_head(&self, io: &mut Io, buffer: &mut BytesMut, redirect: bool) -> Result<Request, End> {
        loop {
            match http::take_head(buffer) {
                Head::Complete(request) => return Ok(request),
                Head::Partial => self.fill(io, buffer).await?,
                Head::Silence => {
                    tokio::time::sleep(self.inner.timings.keep_alive).await;
                    return Err(End::Close);
                }
                Head::Refused(status, text) => {
                    // Someone who speaks TLS to a server without it, or no HTTP at all.
                    let request = Request::none();
                    let response = Response::plain(status, &text);
                    let encoded = response.encode(&request, &self.date(), false);
                    if !redirect || exchange::looks_like_http(buffer) {
                        let _ = exchange::send(io, &encoded).await;
                    }
                    return Err(End::Close);
                }
            }
        }
    }

    async fn read_body(&self, io: &mut Io, buffer: &mut BytesMut, request: &mut Request) -> Result<(), End> {
        let length = request.content_length();
        while buffer.len() < length {
            self.fill(io, buffer).await?;
        }
        request.body = buffer.split_to(length).freeze();
        Ok(())
    }

    /// Reads what comes; the connection ends if nothing does for the time of keep-alive.
    async fn fill(&self, io: &mut Io, buffer: &mut BytesMut) -> Result<(), End> {
        match tokio::time::timeout(self.inner.timings.keep_alive, io.read_buf(buffer)).await {
            Ok(Ok(0) | Err(_)) => Err(End::Gone),
            Ok(Ok(count)) => {
                self.note(|record| {
                    record.bytes_received = record.bytes_received.saturating_add(count as u64);
                });
                Ok(())
            }
            Err(_) => Err(End::Close),
        }
    }

    /// Holds the connection without a word until the client goes, or a fault ends.
    async fn keep_silent(&self, mut io: Io) {
        let mut changed = self.inner.faults_ended();
        let mut sink = [0_u8; 1024];
        let limit = tokio::time::sleep(self.inner.timings.black_hole);
        tokio::pin!(limit);
        loop {
            tokio::select! {
                read = io.read(&mut sink) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                },
                _ = changed.changed() => return,
                () = self.token.cancelled() => return reset(io.tcp()),
                () = &mut limit => return,
            }
        }
    }

    pub(crate) fn note(&self, f: impl FnOnce(&mut super::journal::ConnectionRecord)) {
        if let Some(record) = self.inner.journal().connection(self.number) {
            f(record);
        }
    }

    pub(crate) fn date(&self) -> String {
        http_date(self.inner.now())
    }
}

/// `Sat, 21 Nov 2026 23:08:33 GMT`
pub(crate) fn http_date(now: crate::seam::SimTime) -> String {
    let seconds = i64::try_from(now.seconds()).unwrap_or(0);
    jiff::Timestamp::from_second(seconds)
        .ok()
        .and_then(|at| jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok())
        .unwrap_or_default()
}

fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn close(mut io: Io, notify: bool) {
    if notify {
        let _ = tokio::time::timeout(LINGER, io.shutdown()).await;
    } else {
        let _ = SockRef::from(io.tcp()).shutdown(std::net::Shutdown::Write);
    }
    // Bytes that nobody read would turn the end into a reset.
    let mut sink = [0_u8; 4096];
    let stream = io.into_tcp();
    let drain = async {
        let mut stream = stream;
        while let Ok(1..) = stream.read(&mut sink).await {}
    };
    let _ = tokio::time::timeout(LINGER, drain).await;
}

/// A stream with TLS or without.
pub(crate) enum Io {
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

impl Io {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tls(stream) => stream.get_ref().0,
            Self::Plain(stream) => stream,
        }
    }

    fn into_tcp(self) -> TcpStream {
        match self {
            Self::Tls(stream) => stream.into_inner().0,
            Self::Plain(stream) => stream,
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
