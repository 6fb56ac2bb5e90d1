//! Answers as pveproxy writes them: the set and order of its headers, its envelope, its compression.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Map, Value};

use super::http::Request;
use crate::seam::{Body, Data, Envelope, Format, Reply};

/// The content type of the two JSON formats.
const JSON: &str = "application/json;charset=UTF-8";
/// What is longer than this is compressed when the client asks for it.
const COMPRESS_ABOVE: usize = 1024;

/// How an old server differs from a new one in what stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manners {
    /// `message` stands in JSON bodies (since pve-http-server 5.2.0).
    pub(crate) message_in_json: bool,
    /// A connection is closed with TLS close_notify (since 5.2.1).
    pub(crate) close_notify: bool,
    /// The longest body of a request.
    pub(crate) body_limit: usize,
}

impl Manners {
    pub(crate) fn of(version: &str) -> Self {
        let old = version.starts_with("7.");
        Self {
            message_in_json: !old,
            close_notify: !old,
            body_limit: if old { 64 * 1024 } else { 512 * 1024 },
        }
    }
}

/// An answer, ready but for the headers that every answer has.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) content_type: Option<&'static str>,
    /// Further headers that come before `Server`, such as `Location`.
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
    /// Compressed even if nobody asked (the journal).
    pub(crate) always_gzip: bool,
    /// Never compressed (an image).
    pub(crate) never_compress: bool,
    /// The `Connection` header of another daemon that the call was handed to, and which stays beside our own.
    pub(crate) upstream_connection: Option<&'static str>,
    /// The name of another web server, which sends fewer headers.
    pub(crate) foreign: Option<&'static str>,
}

impl Response {
    /// Words without content type, as errors before the formatter are.
    pub(crate) fn plain(status: u16, text: &str) -> Self {
        Self {
            status,
            reason: first_line(text),
            content_type: None,
            location: None,
            body: text.as_bytes().to_vec(),
            always_gzip: false,
            never_compress: false,
            upstream_connection: None,
            foreign: None,
        }
    }

    pub(crate) fn html(status: u16, reason: &str, content_type: &'static str, html: &str) -> Self {
        Self {
            content_type: Some(content_type),
            body: html.as_bytes().to_vec(),
            ..Self::empty(status, reason)
        }
    }

    pub(crate) fn empty(status: u16, reason: &str) -> Self {
        Self { body: Vec::new(), ..Self::plain(status, reason) }
    }

    /// Writes a reply of the world in the form asked for.
    pub(crate) fn from_reply(reply: Reply, format: Format, word: &str, manners: Manners) -> Self {
        match reply.body {
            Body::None => Self::empty(reply.status, &reply.reason),
            Body::Plain(text) => {
                Self { reason: first_line(&reply.reason), ..Self::plain(reply.status, &text) }
            }
            Body::Envelope(envelope) => {
                Self::from_envelope(reply.status, &reply.reason, &envelope, format, word, manners)
            }
        }
    }

    fn from_envelope(
        status: u16,
        reason: &str,
        envelope: &Envelope,
        format: Format,
        word: &str,
        manners: Manners,
    ) -> Self {
        match format {
            Format::Json => {
                let mut body = Vec::new();
                write_envelope(&mut body, envelope, status, manners.message_in_json, false);
                Self { content_type: Some(JSON), body, ..Self::empty(status, reason) }
            }
            Format::ExtJs => {
                let mut body = Vec::new();
                write_envelope(&mut body, envelope, status, true, true);
                Self { content_type: Some(JSON), body, ..Self::empty(200, "OK") }
            }
            Format::Other if word == "png" => {
                Self { content_type: Some("image/png"), never_compress: true, ..Self::empty(status, reason) }
            }
            Format::Other if word == "htmljs" => {
                let mut body = Vec::new();
                write_envelope(&mut body, envelope, status, true, true);
                let text = escape(&String::from_utf8_lossy(&body));
                Self::html(200, "OK", "text/html;charset=UTF-8", &text)
            }
            Format::Other => {
                let mut body = Vec::new();
                write_envelope(&mut body, envelope, status, true, false);
                let text = escape(&String::from_utf8_lossy(&body));
                let page = format!(
                    "<!DOCTYPE html>\n<html lang=\"en\">\n  <head>\n    <meta charset=\"utf-8\">\n    \
                     <title>Proxmox VE API</title>\n  </head>\n  <body>\n    <pre>{text}</pre>\n  </body>\n</html>\n"
                );
                Self::html(status, reason, "text/html;charset=UTF-8", &page)
            }
        }
    }

    /// Every byte of the answer. `keep_alive`: whether the connection goes on.
    pub(crate) fn encode(mut self, request: &Request, date: &str, keep_alive: bool) -> Encoded {
        let mut encoding = None;
        if !self.never_compress {
            let long = self.body.len() > COMPRESS_ABOVE;
            if self.always_gzip || (long && request.accepts("gzip")) {
                self.body = gzip(&self.body);
                encoding = Some("gzip");
            } else if long && request.accepts("deflate") {
                self.body = zlib(&self.body);
                encoding = Some("deflate");
            }
        }
        let mut head = format!("{} {} {}\r\n", request.protocol, self.status, self.reason).into_bytes();
        let mut header = |name: &str, value: &str| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        };
        if let Some(server) = self.foreign {
            header("Server", server);
            header("Date", date);
            header("Content-Type", self.content_type.unwrap_or("text/html"));
            header("Content-Length", &self.body.len().to_string());
            header("Connection", if keep_alive { "keep-alive" } else { "close" });
            head.extend_from_slice(b"\r\n");
            return Encoded { head: Bytes::from(head), body: Bytes::from(self.body) };
        }
        header("Cache-Control", "max-age=0");
        if keep_alive {
            // What the other daemon said stays, and ours is added: two headers that may contradict each other.
            if let Some(upstream) = self.upstream_connection {
                header("Connection", upstream);
            }
            header("Connection", "Keep-Alive");
        } else {
            header("Connection", "close");
        }
        header("Date", date);
        header("Pragma", "no-cache");
        if let Some(location) = &self.location {
            header("Location", location);
        }
        header("Server", "pve-api-daemon/3.0");
        if let Some(encoding) = encoding {
            header("Content-Encoding", encoding);
        }
        if !self.body.is_empty() {
            header("Content-Length", &self.body.len().to_string());
        }
        if let Some(content_type) = self.content_type {
            header("Content-Type", content_type);
        }
        header("Expires", date);
        head.extend_from_slice(b"\r\n");
        Encoded { head: Bytes::from(head), body: Bytes::from(self.body) }
    }
}

/// An answer as bytes.
pub(crate) struct Encoded {
    pub(crate) head: Bytes,
    pub(crate) body: Bytes,
}

fn write_envelope(out: &mut Vec<u8>, envelope: &Envelope, status: u16, with_message: bool, extjs: bool) {
    let failed = status >= 400;
    out.extend_from_slice(b"{\"data\":");
    match &envelope.data {
        Data::Raw(text) => out.extend_from_slice(text.as_bytes()),
        Data::Value(value) => write_json(out, value),
    }
    let mut rest = Map::new();
    let has_errors = envelope.errors.as_ref().is_some_and(|errors| !errors.is_empty());
    if let Some(errors) = envelope.errors.as_ref().filter(|errors| !errors.is_empty()) {
        rest.insert("errors".to_owned(), Value::Object(errors.clone()));
    }
    if failed
        && with_message
        && let Some(message) = &envelope.message
    {
        rest.insert("message".to_owned(), Value::from(message.clone()));
    }
    let success = !failed && !has_errors;
    if extjs {
        if failed {
            rest.insert("status".to_owned(), Value::from(status));
        }
        rest.insert("success".to_owned(), Value::from(u8::from(success)));
    }
    if success {
        if let Some(total) = envelope.total {
            rest.insert("total".to_owned(), Value::from(total));
        }
        if let Some(changes) = &envelope.changes {
            rest.insert("changes".to_owned(), Value::from(changes.clone()));
        }
    }
    for (key, value) in &rest {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        write_json(out, value);
    }
    out.push(b'}');
}

fn write_json(out: &mut Vec<u8>, value: &Value) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// A reason phrase is the first line of the words.
pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('\r').to_owned()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The page that a browser gets at `/`.
pub(crate) fn index_page(node: &str, version: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html>\n  <head>\n    <meta http-equiv=\"Content-Type\" content=\"text/html; \
         charset=utf-8\" />\n    <title>{node} - Proxmox Virtual Environment</title>\n  </head>\n  <body>\n    \
         <p>This is pve-sim, which simulates Proxmox Virtual Environment {version}. It has no console: its API is \
         at <a href=\"/api2/html/version\">/api2</a>.</p>\n  </body>\n</html>\n"
    );
    Response::html(200, "OK", "text/html; charset=utf-8", &page)
}

#[cfg(test)]
mod recorded;
