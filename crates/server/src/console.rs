//! The console in the browser, as files: [`Console`] holds what its build made, ready to be sent, and decides how
//! each request for one of them is answered. It reads no disk: whoever starts the server hands the files in.

mod negotiate;

use std::collections::{BTreeSet, HashMap};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use self::negotiate::Coding;
use crate::problem::Problem;

/// The page that every address of the console answers with.
const INDEX: &str = "index.html";

/// Stands in the page for a random number that no other answer has.
const NONCE: &str = "__NONCE__";

/// Stands in the page for the path under which the console is reached, with a slash at its end.
const BASE: &str = "__BASE__";

/// Where the build puts what has its content's hash in its name.
const HASHED: &str = "assets/";

/// What a page of the console may load, run and speak with: what comes from this server. A worker's script is
/// bound by the policy that it came with itself, so files carry this as well.
const POLICY: [&str; 11] = [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    "connect-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    "style-src 'self'",
    "manifest-src 'self'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
];

/// The built console.
#[derive(Debug)]
pub struct Console {
    /// The page, with its placeholders.
    index: String,
    files: HashMap<String, File>,
    /// First parts of paths under which there are files and no pages: `assets`.
    folders: BTreeSet<String>,
}

#[derive(Debug)]
struct File {
    kind: &'static str,
    /// Its name changes with its content.
    hashed: bool,
    /// Of the plain bytes, hexadecimal.
    digest: String,
    plain: Bytes,
    gzip: Option<Bytes>,
    brotli: Option<Bytes>,
}

impl Console {
    /// Takes the files of a build by their paths, such as `assets/index-4mXk1a2b.js`, without a slash before. What is
    /// beside a file under its name with `.gz` or `.br` behind it is the same, compressed. `None` when there is no
    /// page among them.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (String, Bytes)>) -> Option<Self> {
        let mut all: HashMap<String, Bytes> = files.into_iter().collect();
        let index = String::from_utf8(all.remove(INDEX)?.into()).ok()?;
        // Compressed, it would keep its placeholders.
        all.remove("index.html.gz");
        all.remove("index.html.br");
        let packed = |path: &str| {
            let plain = path.strip_suffix(".gz").or_else(|| path.strip_suffix(".br"));
            plain.is_some_and(|plain| all.contains_key(plain))
        };
        let files: HashMap<String, File> = all
            .iter()
            .filter(|(path, _)| !packed(path))
            .map(|(path, plain)| {
                let file = File {
                    kind: kind(path),
                    hashed: is_hashed(path),
                    digest: Sha256::digest(plain).iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
                    plain: plain.clone(),
                    gzip: all.get(&format!("{path}.gz")).cloned(),
                    brotli: all.get(&format!("{path}.br")).cloned(),
                };
                (path.clone(), file)
            })
            .collect();
        let folders = files.keys().filter_map(|path| Some(path.split_once('/')?.0.to_owned())).collect();
        Some(Self { index, files, folders })
    }

    /// Answers a `GET` for `path` (with its slash, without the server's prefix); `prefix` has no slash at its end.
    ///
    /// # Errors
    /// 404 for a file that there is not, 406 for one that the caller takes in no form that there is.
    pub(crate) fn answer(&self, path: &str, prefix: &str, headers: &HeaderMap) -> Result<Response, Problem> {
        let name = named(path);
        if let Some(file) = self.files.get(name) {
            return file.answer(headers);
        }
        if self.means_file(name) {
            return Err(Problem::not_found("file"));
        }
        Ok(self.page(prefix))
    }

    /// Whether that is one of its files.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains_key(named(path))
    }

    /// Whether whoever asks for that wants a file, and would do harm to themselves with a page. A dot further behind is
    /// part of a name: `/remotes/pve.example`.
    fn means_file(&self, name: &str) -> bool {
        match name.split_once('/') {
            Some((first, _)) => self.folders.contains(first),
            None => name != INDEX && (name.contains('.') || self.folders.contains(name)),
        }
    }

    fn page(&self, prefix: &str) -> Response {
        let nonce = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 16]>());
        let base = escaped(&format!("{prefix}/"));
        let text = self.index.replace(NONCE, &nonce).replace(BASE, &base);
        let mut response = Response::new(Body::from(text));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        insert(headers, header::CONTENT_SECURITY_POLICY, &policy(Some(&nonce)));
        response
    }
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Result<Response, Problem> {
        let offered = [
            (Coding::Brotli, self.brotli.as_ref()),
            (Coding::Gzip, self.gzip.as_ref()),
            (Coding::Identity, Some(&self.plain)),
        ];
        let offered: Vec<(Coding, &Bytes)> =
            offered.into_iter().filter_map(|(coding, bytes)| Some((coding, bytes?))).collect();
        let codings: Vec<Coding> = offered.iter().map(|(coding, _)| *coding).collect();
        let chosen = negotiate::choose(headers, &codings);
        let chosen = offered.iter().find(|(coding, _)| Some(*coding) == chosen);
        let mut response = match chosen {
            None => Problem::new(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                "That file is not there in an encoding that was asked for.",
            )
            .remedy("Ask for it with “Accept-Encoding: identity”, or without that header.")
            .into_response(),
            Some((coding, bytes)) => {
                let tag = match coding.name() {
                    None => format!("\"{}\"", self.digest),
                    Some(name) => format!("\"{}-{name}\"", self.digest),
                };
                let mut response = if negotiate::is_known(headers, &tag) {
                    StatusCode::NOT_MODIFIED.into_response()
                } else {
                    let mut response = Response::new(Body::from(Bytes::clone(bytes)));
                    let headers = response.headers_mut();
                    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
                    if let Some(name) = coding.name() {
                        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
                    }
                    insert(headers, header::CONTENT_SECURITY_POLICY, &policy(None));
                    response
                };
                let cache = if self.hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
                insert(response.headers_mut(), header::ETAG, &tag);
                response
            }
        };
        if codings.len() > 1 {
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        Ok(response)
    }
}

/// The path without the slash that it begins with: no file has a second name.
fn named(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

/// The policy; with a number for the styles that the page's own script adds.
fn policy(nonce: Option<&str>) -> String {
    let mut rules = POLICY.map(str::to_owned);
    if let (Some(nonce), Some(styles)) = (nonce, rules.iter_mut().find(|rule| rule.starts_with("style-src")))
    {
        styles.push_str(&format!(" 'nonce-{nonce}'"));
    }
    rules.join("; ")
}

/// Letters for which a header's value has a place; others are not in what is put there.
fn insert(headers: &mut HeaderMap, name: header::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Whether a name has its content's hash in it, as `assets/index-4mXk1a2b.js` has.
fn is_hashed(path: &str) -> bool {
    let Some(name) = path.strip_prefix(HASHED) else { return false };
    let stem = name.split('.').next().unwrap_or_default().as_bytes();
    let Some((rest, hash)) = stem.len().checked_sub(8).map(|at| stem.split_at(at)) else { return false };
    rest.ends_with(b"-") && hash.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// The media type that belongs to a file's name.
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

/// Text as it may stand in a page, between quotation marks too.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_hash_is_told_from_one_without() {
        for hashed in ["assets/index-4mXk1a2b.js", "assets/a-b_c-DeF0-_12.css", "assets/f-aaaaaaaa.v2.woff2"]
        {
            assert!(is_hashed(hashed), "{hashed}");
        }
        for plain in
            ["index-4mXk1a2b.js", "assets/worker.js", "assets/index-4mXk1a2.js", "assets/-a.js", "assets/"]
        {
            assert!(!is_hashed(plain), "{plain}");
        }
    }

    #[test]
    fn what_is_no_build_is_none() {
        let file = |path: &str, bytes: &'static [u8]| (path.to_owned(), Bytes::from_static(bytes));
        assert!(Console::new([]).is_none());
        assert!(Console::new([file("assets/x.js", b"")]).is_none());
        assert!(Console::new([file("index.html", b"\xff")]).is_none());
        assert!(Console::new([file("index.html", b"")]).is_some());
    }
}
