//! The way to one endpoint: which connection a request takes, and what is repeated ([`Line`]).

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use catalogue::Method;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::Full;
use zeroize::Zeroizing;

use super::Stats;
use super::connect::Connector;
use super::exchange::{Conn, Failure, RawAnswer};
use super::limit::Limits;
use super::pool::Pool;
use crate::error::{Error, ErrorKind, Phase};
use crate::timings::Timings;

/// How the client names itself.
const AGENT: &str = concat!("pve/", env!("CARGO_PKG_VERSION"));

/// What is said of a request that came after the end.
pub(crate) fn closed() -> ErrorKind {
    ErrorKind::InvalidRequest { what: "the connection was closed before it could be".to_owned() }
}

/// A request ready to be sent, as often as it may be.
pub(crate) struct Prepared {
    pub(crate) method: Method,
    /// Path and query, `/api2/json` included.
    pub(crate) target: String,
    /// Authorisation headers.
    pub(crate) headers: HeaderMap,
    /// The form, of POST and PUT.
    pub(crate) form: Zeroizing<String>,
    /// Bound of the answer after decompression, in bytes.
    pub(crate) limit: u64,
}

/// Sends requests to one endpoint: GETs over kept connections, everything else over a fresh one, once.
#[derive(Debug)]
pub(crate) struct Line {
    connector: Connector,
    pool: Pool,
    timings: Timings,
    stats: Arc<Stats>,
    limits: Arc<Limits>,
}

impl Line {
    pub(crate) fn new(
        connector: Connector,
        timings: Timings,
        stats: Arc<Stats>,
        limits: Arc<Limits>,
    ) -> Self {
        let pool = Pool::new(timings.pool_idle, timings.pool_size, timings.requests_per_connection);
        Self { connector, pool, timings, stats, limits }
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.connector.endpoint()
    }

    pub(crate) fn timings(&self) -> &Timings {
        &self.timings
    }

    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// How many calls at once.
    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// Closes the kept connections.
    pub(crate) fn close_idle(&self) {
        self.pool.clear();
    }

    /// Sends the request and reads the answer, whatever it says.
    ///
    /// A GET that meets a dead kept connection goes out once more, on a fresh one, provided that nothing of an
    /// answer was received. Nothing else is ever repeated here. Once its [`Limits`] are closed, nothing leaves.
    pub(crate) async fn exchange(&self, prepared: &Prepared) -> Result<RawAnswer, Error> {
        self.open()?;
        let idempotent = prepared.method == Method::Get;
        if idempotent && let Some(conn) = self.pool.take(Instant::now()) {
            match self.on(conn, prepared).await {
                Err(failure) if failure.silent => {
                    tracing::debug!(
                        endpoint = self.endpoint(),
                        "a kept connection was dead, trying a fresh one"
                    );
                    self.stats.retry();
                }
                outcome => return outcome.map_err(|failure| self.error(failure)),
            }
        }
        let connected = self.connector.connect().await?;
        let conn = Conn::open(connected).await.map_err(|failure| self.error(failure))?;
        self.on(conn, prepared).await.map_err(|failure| self.error(failure))
    }

    async fn on(&self, conn: Conn, prepared: &Prepared) -> Result<RawAnswer, Failure> {
        let request = self.request(prepared)?;
        // The connection may have taken its time.
        if self.limits.is_closed() {
            return Err(Failure::local(closed()));
        }
        self.stats.request();
        let (answer, conn) = conn.exchange(request, prepared.limit, &self.timings).await?;
        if let Some(conn) = conn.filter(|_| !self.limits.is_closed()) {
            self.pool.put(conn, Instant::now());
        }
        Ok(answer)
    }

    /// Refuses once nothing is to leave any more.
    pub(crate) fn open(&self) -> Result<(), Error> {
        if self.limits.is_closed() {
            return Err(Error::new(closed(), Phase::Local, self.endpoint()));
        }
        Ok(())
    }

    fn request(&self, prepared: &Prepared) -> Result<Request<Full<Bytes>>, Failure> {
        let invalid = |what: String| Failure::local(ErrorKind::InvalidRequest { what });
        let host = HeaderValue::from_str(&self.host_header())
            .map_err(|_| invalid("the host cannot stand in a request".to_owned()))?;
        let body = Bytes::from_owner(prepared.form.clone());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = match prepared.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
        };
        *request.uri_mut() = prepared
            .target
            .parse()
            .map_err(|_| invalid("path and parameters are too long for a request line".to_owned()))?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.extend(prepared.headers.clone());
        if !prepared.form.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        } else if matches!(prepared.method, Method::Post | Method::Put) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(request)
    }

    /// The host as it was dialled, brackets and port included, without an IPv6 zone.
    fn host_header(&self) -> String {
        let host = self.connector.host();
        let port = self.connector.port();
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    fn error(&self, failure: Failure) -> Error {
        Error::new(failure.kind, failure.phase, self.endpoint()).with_sent(failure.sent)
    }
}

impl Failure {
    fn local(kind: ErrorKind) -> Self {
        Self { kind, phase: Phase::Local, sent: crate::error::Sent::No, silent: false }
    }
}
