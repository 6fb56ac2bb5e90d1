//! One request and its answer: the journal, the faults that strike single calls, the world, and the bytes.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

use super::connection::{Connection, End, Io};
use super::fault::{BlackHoleAt, Fault, ResetAt};
use super::http::{ApiPath, Request};
use super::journal::Exchange;
use super::response::{Encoded, Response, index_page};
use crate::seam::{
    Auth, BadBody, Body, Call, Data, Delay, Envelope, Format, Method, ParamValue, Params, Reply,
};

/// What becomes of the connection.
pub(crate) enum Outcome {
    GoOn,
    End(End),
}

/// Reads, carries out and answers one request.
pub(crate) async fn carry_out(
    connection: &Connection,
    io: &mut Io,
    request: &Request,
    refused: Option<BadBody>,
    keep_alive: bool,
) -> Outcome {
    let began = Instant::now();
    let inner = &connection.inner;
    let Some(node) = inner.node(connection.node) else { return Outcome::End(End::Close) };
    let params = if refused.is_some() { Ok(Params::new()) } else { request.params() };
    let seq = inner.journal().open_exchange(record(connection, &node.name, request, params.as_ref().ok()));

    let api = ApiPath::parse(request.path());
    let decoded = match &api {
        Some(Ok(api)) => api.decoded(),
        _ => request.path().to_owned(),
    };
    let struck = inner.strikes_on_call(&node.name, &request.method, &decoded);
    if inner.is_silent(connection.node) || struck.iter().any(|fault| is(fault, &BLACK_HOLE)) {
        return Outcome::End(End::Silence);
    }
    if struck.iter().any(|fault| is(fault, &RESET_REQUEST)) {
        return Outcome::End(End::Reset);
    }

    let answer = answer(connection, &node.name, request, api, params, refused, &struck);
    wait(connection, began, answer.delay, &struck).await;
    if struck.contains(&Fault::LoseAnswer) || inner.is_silent(connection.node) {
        return Outcome::End(End::Silence);
    }
    let status = answer.response.status;
    let keep_alive = keep_alive && status < 400;
    let encoded = answer.response.encode(request, &connection.date(), keep_alive);
    let now = inner.now();
    inner.journal().answered(seq, status, now);
    match send_with(io, &encoded, &struck).await {
        Ok(None) if keep_alive => Outcome::GoOn,
        Ok(None) => Outcome::End(End::Close),
        Ok(Some(end)) => Outcome::End(end),
        Err(_) => Outcome::End(End::Gone),
    }
}

const BLACK_HOLE: Fault = Fault::BlackHole { at: BlackHoleAt::Answer };
const RESET_REQUEST: Fault = Fault::Reset { at: ResetAt::Request };

fn is(fault: &Fault, wanted: &Fault) -> bool {
    fault == wanted
}

struct Answer {
    response: Response,
    delay: Option<Delay>,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { response, delay: None }
    }
}

fn answer(
    connection: &Connection,
    node: &str,
    request: &Request,
    api: Option<Result<ApiPath, ()>>,
    params: Result<Params, BadBody>,
    refused: Option<BadBody>,
    struck: &[Fault],
) -> Answer {
    for fault in struck {
        match fault {
            Fault::NotProxmox => return not_proxmox(request).into(),
            Fault::Redirect { to } => {
                let location = format!("{}{}", to.trim_end_matches('/'), request.target);
                return Response { location: Some(location), ..Response::plain(302, "Found") }.into();
            }
            _ => {}
        }
    }
    let Ok(method) = request.method.parse::<Method>() else {
        return Response::empty(501, &format!("method '{}' not available", request.method)).into();
    };
    if let Some(encoding) = request.header("Transfer-Encoding") {
        let text = if encoding.eq_ignore_ascii_case("chunked") {
            "chunked transfer encoding not supported".to_owned()
        } else {
            format!("Unknown transfer encoding '{encoding}'")
        };
        return Response::plain(501, &text).into();
    }
    match api {
        None => outside_api(connection, node, request).into(),
        Some(Err(())) => Response::plain(501, "no such uri").into(),
        Some(Ok(api)) => {
            let (params, bad_body) = match (params, refused) {
                (_, Some(refused)) => (Params::new(), Some(refused)),
                (Err(bad), None) => (Params::new(), Some(bad)),
                (Ok(params), None) => (params, None),
            };
            call_api(connection, node, request, method, &api, params, bad_body, struck)
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "all of them are the one request, taken apart")]
fn call_api(
    connection: &Connection,
    node: &str,
    request: &Request,
    method: Method,
    api: &ApiPath,
    params: Params,
    bad_body: Option<BadBody>,
    struck: &[Fault],
) -> Answer {
    let inner = &connection.inner;
    let format = api.format();
    let bad_body = bad_body.or_else(|| {
        format.is_none().then(|| BadBody {
            status: 501,
            text: format!("no formatter for uri {}, {}", api.decoded(), api.word),
            plain: true,
        })
    });
    let format = format.unwrap_or(Format::Json);
    let call = Call {
        node: node.to_owned(),
        method,
        path: api.rest.clone(),
        params,
        auth: request.auth(),
        format,
        peer: connection.peer.ip(),
        bad_body,
    };
    let mut reply = match struck.iter().find_map(|fault| instead(fault, &call)) {
        Some(reply) => reply,
        None => inner.with_world(|world, now| world.handle(now, &call)),
    };
    let delay = reply.delay;
    let success = reply.status < 400;
    if success {
        bend(&mut reply, struck);
    }
    let upstream = success.then(|| handed_on(inner.version.as_str(), &call, node)).flatten();
    let mut response = Response::from_reply(reply, format, &api.word, inner.manners);
    response.upstream_connection = upstream;
    if success && struck.contains(&Fault::MalformedJson) {
        break_json(&mut response.body);
    }
    if success && method == Method::Get && is_journal(&api.rest) {
        response.always_gzip = true;
        response.content_type = Some("application/json");
    }
    Answer { response, delay }
}

/// What a fault answers in place of the world.
fn instead(fault: &Fault, call: &Call) -> Option<Reply> {
    let error = |status, text: &str| Reply {
        status,
        reason: super::response::first_line(text),
        body: Body::Envelope(Envelope { message: Some(format!("{text}\n")), ..Envelope::default() }),
        delay: None,
    };
    let bare =
        |status, reason: &str, delay| Reply { status, reason: reason.to_owned(), body: Body::None, delay };
    match fault {
        Fault::Unauthorized if call.path == "/access/ticket" && call.method == Method::Post => {
            Some(Reply { delay: Some(Delay::Unauthorized), ..error(401, "authentication failure") })
        }
        Fault::Unauthorized => Some(bare(401, "Authentication failed!", Some(Delay::Unauthorized))),
        Fault::Forbidden { text } => Some(error(403, text)),
        Fault::ServerError { text } => Some(error(500, text)),
        Fault::Proxy { status, reason, .. } => {
            let (usual, delay) = match status {
                595 => ("No route to host", Some(Delay::NoRoute)),
                596 => ("Connection timed out", Some(Delay::ProxyTimeout)),
                _ => ("Connection reset by peer", None),
            };
            let delay = if reason.contains("refused") { None } else { delay };
            Some(bare(*status, if reason.is_empty() { usual } else { reason }, delay))
        }
        Fault::PlainTextBody => {
            let reply = Reply { status: 200, reason: "OK".to_owned(), body: Body::None, delay: None };
            Some(Reply { body: Body::Plain("Everything is fine.\n".to_owned()), ..reply })
        }
        _ => None,
    }
}

/// Puts other types into a success, or takes fields out of it.
fn bend(reply: &mut Reply, struck: &[Fault]) {
    for fault in struck {
        let (pointer, value) = match fault {
            Fault::WrongType { pointer, value } => (pointer, Some(value)),
            Fault::MissingField { pointer } => (pointer, None),
            _ => continue,
        };
        let Body::Envelope(envelope) = &mut reply.body else { continue };
        let mut data = match std::mem::take(&mut envelope.data) {
            Data::Value(value) => value,
            Data::Raw(text) => serde_json::from_str(&text).unwrap_or_default(),
        };
        let keys: Vec<String> =
            pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
        put(&mut data, &keys, value);
        envelope.data = Data::Value(data);
    }
}

fn put(place: &mut Value, keys: &[String], value: Option<&Value>) {
    let Some((key, rest)) = keys.split_first() else {
        *place = value.cloned().unwrap_or_default();
        return;
    };
    match place {
        Value::Array(elements) if key == "*" => {
            elements.iter_mut().for_each(|element| put(element, rest, value))
        }
        Value::Array(elements) => {
            let Ok(index) = key.parse::<usize>() else { return };
            match (elements.get_mut(index), rest.is_empty(), value) {
                (Some(_), true, None) => drop(elements.remove(index)),
                (Some(element), ..) => put(element, rest, value),
                (None, ..) => {}
            }
        }
        Value::Object(fields) if rest.is_empty() => match value {
            Some(value) => drop(fields.insert(key.clone(), value.clone())),
            None => drop(fields.remove(key)),
        },
        // What has no such object yet gets one: `ha` of a container that is not under HA, for example.
        Value::Object(fields) if value.is_some() || fields.contains_key(key) => {
            let inner = fields.entry(key.clone()).or_insert_with(|| Value::Object(serde_json::Map::new()));
            put(inner, rest, value);
        }
        _ => {}
    }
}

/// JSON that breaks off and goes on as something else, of the same length.
fn break_json(body: &mut [u8]) {
    let half = body.len() / 2;
    for byte in body.iter_mut().skip(half) {
        *byte = b'\'';
    }
}

fn is_journal(path: &str) -> bool {
    path.strip_prefix("/nodes/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, rest)| rest == "journal")
}

/// The `Connection` header that the daemon or node sent that a call was handed to: the local root daemon ends
/// its connection, another node keeps that of a GET.
fn handed_on(version: &str, call: &Call, node: &str) -> Option<&'static str> {
    let release: catalogue::Release = version.parse().ok()?;
    let found = catalogue::Catalogue::builtin().resolve(release, call.method, &call.path)?;
    let access = found.endpoint.access(release)?;
    let elsewhere = found.segment("node").is_some_and(|other| other != node && other != "localhost");
    if elsewhere && access.proxied {
        return Some(if call.method == Method::Get { "Keep-Alive" } else { "close" });
    }
    access.protected.then_some("close")
}

fn outside_api(connection: &Connection, node: &str, request: &Request) -> Response {
    if request.method == "GET" && request.path() == "/" {
        return index_page(node, &connection.inner.version);
    }
    Response::plain(500, &format!("no such file '{}'\n", request.path()))
}

fn not_proxmox(request: &Request) -> Response {
    let (status, reason) = if request.path() == "/" { (200, "OK") } else { (404, "Not Found") };
    let page = format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} \
         {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    Response { foreign: Some("nginx"), ..Response::html(status, reason, "text/html", &page) }
}

/// The answer to someone who speaks without TLS: where to find it with.
pub(crate) fn to_https(request: &Request) -> Response {
    let host = request.header("Host").unwrap_or("localhost:8006");
    let host = host.trim_start_matches("http://").trim_start_matches("https://");
    let location = Some(format!("https://{host}{}", request.target));
    if request.method == "GET" || request.method == "HEAD" {
        Response { location, ..Response::plain(301, "Moved Permanently") }
    } else {
        Response { location, ..Response::plain(308, "Permanent Redirect") }
    }
}

/// Whether these bytes could be the beginning of a request, so that an answer makes sense.
pub(crate) fn looks_like_http(buffer: &BytesMut) -> bool {
    buffer.first().is_some_and(u8::is_ascii_alphabetic)
}

async fn wait(connection: &Connection, began: Instant, delay: Option<Delay>, struck: &[Fault]) {
    let timings = &connection.inner.timings;
    let usual = match delay {
        Some(Delay::Unauthorized) => timings.unauthorized_delay,
        Some(Delay::NoRoute) => timings.no_route,
        Some(Delay::ProxyTimeout) => timings.proxy_timeout,
        None => Duration::ZERO,
    };
    let extra: u64 = struck
        .iter()
        .map(|fault| match fault {
            Fault::Delay { ms } => *ms,
            _ => 0,
        })
        .fold(0, u64::saturating_add);
    let total = usual + Duration::from_millis(extra);
    if !total.is_zero() {
        tokio::time::sleep_until(began + total).await;
    }
}

/// Sends an answer as it is.
pub(crate) async fn send(io: &mut (impl AsyncWrite + Unpin), encoded: &Encoded) -> std::io::Result<()> {
    let mut all = Vec::with_capacity(encoded.head.len() + encoded.body.len());
    all.extend_from_slice(&encoded.head);
    all.extend_from_slice(&encoded.body);
    io.write_all(&all).await?;
    io.flush().await
}

/// Sends an answer as the faults want it; how the connection ends, if they end it.
async fn send_with(io: &mut Io, encoded: &Encoded, struck: &[Fault]) -> std::io::Result<Option<End>> {
    for fault in struck {
        match fault {
            Fault::Cut { after_bytes } => {
                // One byte short at least: a cut answer is not a whole one.
                let keep = (*after_bytes).min(encoded.body.len().saturating_sub(1));
                let part = Encoded { head: encoded.head.clone(), body: encoded.body.slice(..keep) };
                send(io, &part).await?;
                return Ok(Some(End::Cut));
            }
            Fault::Reset { at: ResetAt::Answer } => {
                let part = Encoded {
                    head: encoded.head.clone(),
                    body: encoded.body.slice(..encoded.body.len() / 2),
                };
                send(io, &part).await?;
                // Long enough for it to arrive: a reset throws away what is under way.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Ok(Some(End::Reset));
            }
            Fault::Drip { bytes_per_second } => {
                drip(io, encoded, *bytes_per_second).await?;
                return Ok(None);
            }
            _ => {}
        }
    }
    send(io, encoded).await?;
    Ok(None)
}

async fn drip(io: &mut Io, encoded: &Encoded, bytes_per_second: u64) -> std::io::Result<()> {
    // At most twenty drops a second, so that even a fast drip is one.
    let drop_size = usize::try_from((bytes_per_second / 20).max(1)).unwrap_or(usize::MAX);
    let pause = Duration::from_secs_f64(drop_size as f64 / bytes_per_second.max(1) as f64);
    for part in [&encoded.head, &encoded.body] {
        for piece in part.chunks(drop_size) {
            io.write_all(piece).await?;
            io.flush().await?;
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

fn record(connection: &Connection, node: &str, request: &Request, params: Option<&Params>) -> Exchange {
    let auth = request.auth();
    let params = params.into_iter().flat_map(Params::iter).map(|(name, value)| {
        let text = match value {
            ParamValue::Form(text) => text.clone(),
            ParamValue::Json(Value::String(text)) => text.clone(),
            ParamValue::Json(other) => other.to_string(),
            ParamValue::Bare => String::new(),
        };
        (name.to_owned(), text)
    });
    Exchange {
        seq: 0,
        node: node.to_owned(),
        connection: connection.number,
        method: request.method.clone(),
        path: request.path().to_owned(),
        params: params.collect(),
        headers: request.headers.clone(),
        had_cookie: matches!(auth, Auth::Ticket { .. }),
        had_csrf: request.header("CSRFPreventionToken").is_some(),
        had_token: matches!(&auth, Auth::Token { header } if header.contains("PVEAPIToken")),
        status: None,
        at: connection.inner.now(),
        answered: None,
    }
}
