//! HTTP/1.x as pveproxy reads it: by hand, because its limits and its refusals are part of what clients meet.

use bytes::{Buf as _, Bytes, BytesMut};
use serde_json::Value;

use crate::seam::{Auth, BadBody, Format, ParamValue, Params};

/// The line that would be number 64 ends it, the empty one included.
const HEADER_LINES: usize = 64;
/// Bytes of all header lines together.
const HEADER_BYTES: usize = 8 * 1024;
/// A request line longer than this is nobody's.
const REQUEST_LINE_BYTES: usize = 64 * 1024;

/// One request.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query as sent.
    pub(crate) target: String,
    /// `HTTP/1.1`, echoed in the answer.
    pub(crate) protocol: String,
    /// 1.0: the connection ends after the answer unless the client says otherwise.
    pub(crate) is_1_0: bool,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

/// What stands at the beginning of the buffer.
pub(crate) enum Head {
    /// Not all of it is there.
    Partial,
    /// A request without its body yet.
    Complete(Request),
    /// Too many header lines, or too long: the real server says nothing and lets the connection run out.
    Silence,
    /// No HTTP/1.x: answered with this status and text, and closed.
    Refused(u16, String),
}

/// Takes the head of a request out of the buffer, if all of it is there.
pub(crate) fn take_head(buffer: &mut BytesMut) -> Head {
    // Empty lines before a request are passed over.
    while buffer.starts_with(b"\r\n") || buffer.starts_with(b"\n") {
        let length = if buffer.starts_with(b"\r\n") { 2 } else { 1 };
        buffer.advance(length);
    }
    let Some(line_end) = memchr::memchr(b'\n', buffer) else {
        return if buffer.len() > REQUEST_LINE_BYTES {
            Head::Refused(400, "bad request".to_owned())
        } else {
            Head::Partial
        };
    };
    let line = String::from_utf8_lossy(buffer.get(..line_end).unwrap_or_default()).trim_end().to_owned();
    let (method, target, protocol) = match parse_request_line(&line) {
        Ok(parts) => parts,
        Err((status, text)) => return Head::Refused(status, text),
    };

    let rest = buffer.get(line_end + 1..).unwrap_or_default();
    let mut lines = 0;
    let mut bytes = 0;
    let mut end = None;
    let mut start = 0;
    while let Some(length) = memchr::memchr(b'\n', rest.get(start..).unwrap_or_default()) {
        let text = rest.get(start..start + length).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        lines += 1;
        bytes += text.len();
        if lines >= HEADER_LINES || bytes >= HEADER_BYTES {
            return Head::Silence;
        }
        start += length + 1;
        if text.is_empty() {
            end = Some(start);
            break;
        }
    }
    let Some(end) = end else {
        return if rest.len() - start >= HEADER_BYTES { Head::Silence } else { Head::Partial };
    };

    let mut slots = [httparse::EMPTY_HEADER; HEADER_LINES];
    let headers = match httparse::parse_headers(rest.get(..end).unwrap_or_default(), &mut slots) {
        Ok(httparse::Status::Complete((_, headers))) => headers
            .iter()
            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
            .collect(),
        _ => return Head::Refused(506, "unable to parse request header".to_owned()),
    };
    buffer.advance(line_end + 1 + end);
    let is_1_0 = protocol == "HTTP/1.0";
    Head::Complete(Request { method, target, protocol, is_1_0, headers, body: Bytes::new() })
}

fn parse_request_line(line: &str) -> Result<(String, String, String), (u16, String)> {
    let bad = || (400, "bad request".to_owned());
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(protocol)) = (words.next(), words.next(), words.next()) else {
        return Err(bad());
    };
    let version = protocol.strip_prefix("HTTP/").ok_or_else(bad)?;
    let (major, minor) = version.split_once('.').ok_or_else(bad)?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if method.is_empty() || target.is_empty() || !number(major) || !number(minor) {
        return Err(bad());
    }
    if major != "1" {
        return Err((506, format!("http protocol version {version} not supported")));
    }
    if target.split('/').next().unwrap_or_default().contains('@') {
        return Err((400, "invalid url".to_owned()));
    }
    Ok((method.to_owned(), target.to_owned(), protocol.to_owned()))
}

impl Request {
    /// In place of one that could not be read.
    pub(crate) fn none() -> Self {
        Self {
            method: String::new(),
            target: String::new(),
            protocol: "HTTP/1.0".to_owned(),
            is_1_0: true,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The path as sent.
    pub(crate) fn path(&self) -> &str {
        let target = match self.target.find("://") {
            Some(at) if !self.target.starts_with('/') => {
                let rest = self.target.get(at + 3..).unwrap_or_default();
                rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
            }
            _ => &self.target,
        };
        target.split(['?', '#']).next().unwrap_or_default()
    }

    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// `Content-Length`, or 0.
    pub(crate) fn content_length(&self) -> usize {
        self.header("Content-Length").and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Whether the client wants the connection to go on.
    pub(crate) fn wants_keep_alive(&self) -> bool {
        match self.header("Connection") {
            Some(value) => !value.to_ascii_lowercase().contains("close"),
            None => !self.is_1_0,
        }
    }

    pub(crate) fn accepts(&self, encoding: &str) -> bool {
        self.header("Accept-Encoding").is_some_and(|value| value.contains(encoding))
    }

    fn content_type(&self) -> Option<String> {
        let value = self.header("Content-Type")?;
        Some(value.split([';', ',']).next().unwrap_or_default().trim().to_owned())
    }

    /// Who asks. A cookie wins over a token.
    pub(crate) fn auth(&self) -> Auth {
        let authorization = self.header("Authorization");
        let ticket = self
            .header("Cookie")
            .and_then(|header| auth_value(header, "PVEAuthCookie"))
            .or_else(|| authorization.and_then(|header| auth_value(header, "PVEAuthCookie")));
        match (ticket, authorization) {
            (Some(ticket), _) => {
                Auth::Ticket { ticket, csrf: self.header("CSRFPreventionToken").map(str::to_owned) }
            }
            (None, Some(header)) => Auth::Token { header: header.to_owned() },
            (None, None) => Auth::None,
        }
    }

    /// What is wrong with the body before anyone reads it, by the size that this version allows.
    pub(crate) fn refuse_body(&self, limit: usize) -> Option<BadBody> {
        let length = self.content_length();
        let plain = |status, text: String| Some(BadBody { status, text, plain: true });
        if length == 0 {
            return None;
        }
        if self.method != "POST" && self.method != "PUT" {
            return plain(501, format!("Unexpected content for method '{}'", self.method));
        }
        if length > limit {
            return plain(501, "for data too large".to_owned());
        }
        match self.content_type().as_deref() {
            None | Some("" | "application/x-www-form-urlencoded" | "application/json") => None,
            Some(_) => {
                let sent = self.header("Content-Type").unwrap_or_default();
                plain(506, format!("upload 'Content-Type '{sent}' not implemented"))
            }
        }
    }

    /// The parameters of body and query. What stands in both is taken from the query.
    pub(crate) fn params(&self) -> Result<Params, BadBody> {
        let query = form(self.query().as_bytes());
        let mut params = Params::new();
        if self.method == "POST" || self.method == "PUT" {
            let in_query = |name: &str| query.iter().any(|(key, _)| key == name);
            if self.content_type().as_deref() == Some("application/json") {
                for (name, value) in json_body(&self.body)? {
                    if !in_query(&name) {
                        params.push(name, ParamValue::Json(value));
                    }
                }
            } else {
                for (name, value) in form(&self.body) {
                    if !in_query(&name) {
                        params.push(name, value);
                    }
                }
            }
        }
        for (name, value) in query {
            if name != "_dc" {
                params.push(name, value);
            }
        }
        Ok(params)
    }
}

/// `KEY=value` in a Cookie header, `KEY=value` or `KEY value` in an Authorization header, decoded.
fn auth_value(header: &str, key: &str) -> Option<String> {
    let mut from = 0;
    while let Some(at) = header.get(from..)?.find(key).map(|at| at + from) {
        let before = header.get(..at)?.chars().next_back();
        let rest = header.get(at + key.len()..)?;
        if before.is_none_or(char::is_whitespace)
            && let Some(value) = rest.strip_prefix(['=', ' '])
        {
            let value = value.split(';').next().unwrap_or_default();
            let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
            return (!decoded.is_empty()).then_some(decoded);
        }
        from = at + key.len();
    }
    None
}

/// Pairs of a form. A name without `=` is given all the same: the real server refuses it if it does not know it.
fn form(data: &[u8]) -> Vec<(String, ParamValue)> {
    let decode = |part: &[u8]| {
        let plus: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_encoding::percent_decode(&plus).decode_utf8_lossy().into_owned()
    };
    data.split(|byte| *byte == b'&' || *byte == b';')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match memchr::memchr(b'=', pair) {
            Some(at) => {
                let value = decode(pair.get(at + 1..).unwrap_or_default());
                (decode(pair.get(..at).unwrap_or_default()), ParamValue::Form(value))
            }
            None => (decode(pair), ParamValue::Bare),
        })
        .collect()
}

fn json_body(body: &[u8]) -> Result<serde_json::Map<String, Value>, BadBody> {
    // The words of the JSON parser that the real server uses.
    let text = |offset: usize, before: &str| {
        format!(
            "malformed JSON string, neither tag, array, object, number, string or atom, at character offset \
             {offset} (before \"{before}\") at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 938.\n"
        )
    };
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(BadBody { status: 400, text: text(0, "(end of string)"), plain: true });
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(BadBody { status: 500, text: "Not a HASH reference\n".to_owned(), plain: true }),
        Err(error) => {
            let offset = error.column().saturating_sub(1).min(body.len());
            let rest = String::from_utf8_lossy(body.get(offset..).unwrap_or_default()).into_owned();
            let before: String =
                if rest.is_empty() { "(end of string)".to_owned() } else { rest.chars().take(20).collect() };
            Err(BadBody { status: 500, text: text(offset, &before), plain: true })
        }
    }
}

/// A path of the API: `/api2/FORMAT/…`.
pub(crate) struct ApiPath {
    /// `json`, `extjs`…
    pub(crate) word: String,
    /// What stands after it, still encoded; at least `/`.
    pub(crate) rest: String,
}

impl ApiPath {
    /// `None`: nothing of the API. `Some(Err)`: of the API, but without a format.
    pub(crate) fn parse(path: &str) -> Option<Result<Self, ()>> {
        let after = path.strip_prefix("/api2")?;
        let trimmed = after.trim_start_matches('/');
        if trimmed.len() == after.len() {
            return Some(Err(()));
        }
        let (word, rest) = match trimmed.find('/') {
            Some(at) => trimmed.split_at(at),
            None => (trimmed, "/"),
        };
        let mut letters = word.chars();
        let named = word.len() > 1
            && letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|other| other.is_ascii_lowercase() || other.is_ascii_digit());
        if !named {
            return Some(Err(()));
        }
        Some(Ok(Self { word: word.to_owned(), rest: rest.to_owned() }))
    }

    /// The format, if there is one of that name.
    pub(crate) fn format(&self) -> Option<Format> {
        match self.word.as_str() {
            "json" => Some(Format::Json),
            "extjs" => Some(Format::ExtJs),
            "html" | "htmljs" | "png" | "spiceconfig" => Some(Format::Other),
            _ => None,
        }
    }

    /// Without percent signs.
    pub(crate) fn decoded(&self) -> String {
        percent_encoding::percent_decode_str(&self.rest).decode_utf8_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(text: &str) -> Request {
        match take_head(&mut BytesMut::from(text)) {
            Head::Complete(request) => request,
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn forms() {
        let pairs = |text: &str| form(text.as_bytes());
        let pair = |name: &str, value: &str| (name.to_owned(), ParamValue::Form(value.to_owned()));
        assert!(pairs("").is_empty());
        assert!(
            pairs("a=1&b=x+y;c=%C3%BC&&a=2")
                == [pair("a", "1"), pair("b", "x y"), pair("c", "ü"), pair("a", "2")]
        );
        assert!(pairs("full&x=") == [("full".to_owned(), ParamValue::Bare), pair("x", "")]);
    }

    #[test]
    fn who_asks() {
        let ticket = |headers: &str| match head(&format!("GET / HTTP/1.1\r\n{headers}\r\n")).auth() {
            Auth::None => "nobody".to_owned(),
            Auth::Ticket { ticket, csrf } => format!("{ticket} {csrf:?}"),
            Auth::Token { header } => header,
        };
        for (headers, expected) in [
            ("", "nobody"),
            ("Cookie: a=b\r\n", "nobody"),
            ("Cookie: PVEAuthCookie=PVE%3Aroot%40pam\r\n", "PVE:root@pam None"),
            ("Cookie: a=b; PVEAuthCookie=x; c=d\r\nCSRFPreventionToken: t\r\n", "x Some(\"t\")"),
            ("Cookie: NotPVEAuthCookie=x\r\n", "nobody"),
            ("Authorization: PVEAuthCookie=x\r\n", "x None"),
            ("Authorization: PVEAPIToken=a@b!c=d\r\n", "PVEAPIToken=a@b!c=d"),
            ("Authorization: PVEAPIToken=a@b!c=d\r\nCookie: PVEAuthCookie=x\r\n", "x None"),
        ] {
            assert_eq!(ticket(headers), expected, "{headers}");
        }
    }

    #[test]
    fn the_query_wins_over_the_body() {
        let mut request = head("PUT /x?a=query&_dc=1 HTTP/1.1\r\n\r\n");
        request.body = Bytes::from_static(b"a=body&b=body");
        let params = request.params().unwrap();
        let shown: Vec<(&str, bool)> = params
            .iter()
            .map(|(name, value)| (name, *value == ParamValue::Form("query".to_owned())))
            .collect();
        assert_eq!(shown, [("b", false), ("a", true)]);
    }

    #[test]
    fn paths_of_the_api() {
        for (path, expected) in [
            ("/", None),
            ("/api", None),
            ("/api2", Some(None)),
            ("/api2/", Some(None)),
            ("/api2x", Some(None)),
            ("/api2/JSON/version", Some(None)),
            ("/api2/json", Some(Some(("json", "/")))),
            ("/api2/json/", Some(Some(("json", "/")))),
            ("/api2//json/nodes/a%2Fb", Some(Some(("json", "/nodes/a%2Fb")))),
        ] {
            let parsed = ApiPath::parse(path);
            let shown = parsed.as_ref().map(|api| api.as_ref().ok().map(|api| (&*api.word, &*api.rest)));
            assert_eq!(shown, expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut buffer = BytesMut::from(bytes.as_slice());
            if let Head::Complete(request) = take_head(&mut buffer) {
                let _ = (request.path(), request.params().is_ok(), request.auth(), request.refuse_body(1));
            }
        }

        #[test]
        fn no_head_is_too_odd(
            line in "[ -~]{0,40}",
            target in "[ -~]{0,60}",
            headers in proptest::collection::vec("[ -~]{0,40}", 0..70),
            body in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let text = format!("{line} {target} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n"));
            let mut buffer = BytesMut::from(text.as_bytes());
            if let Head::Complete(mut request) = take_head(&mut buffer) {
                request.body = Bytes::from(body);
                let _ = (request.path(), request.params().is_ok(), request.auth(), request.refuse_body(1));
            }
        }
    }
}
