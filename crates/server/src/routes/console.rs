//! What a browser finds: the console, or, in a binary without one, a page that says how to go on. Not part of the API.

use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, header};

use crate::app::App;
use crate::console::escaped;
use crate::problem::Problem;

/// How a binary gets the console.
const BUILD: &str = "In Muster's source, with Node 20.19 or newer and npm: make console, then cargo build.";

/// Everything that no route of the API is asked for.
pub(super) async fn otherwise(State(app): State<App>, request: Request) -> Response {
    let (path, headers) = (request.uri().path(), request.headers());
    if path == "/api" || path.starts_with("/api/") {
        return Problem::not_found("page").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let is_there = path == "/" || app.its_console().is_some_and(|console| console.has(path));
        return if is_there { wrong_method() } else { Problem::not_found("page").into_response() };
    }
    match app.its_console() {
        Some(console) if console.has(path) || takes_pages(headers) => {
            match console.answer(path, app.settings().prefix(), headers) {
                Ok(response) => response,
                Err(problem) => problem.into_response(),
            }
        }
        Some(_) => Problem::not_found("page").into_response(),
        None => without(&app, path, headers),
    }
}

fn wrong_method() -> Response {
    let mut response = Problem::wrong_method().into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
    response
}

fn accepted(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|one| one.split(';').next()).map(str::trim)
}

/// Whether a page would be an answer: whoever asks for JSON and nothing else has gone astray.
fn takes_pages(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::ACCEPT)
        || accepted(headers).any(|kind| {
            ["text/html", "text/*", "*/*", "application/xhtml+xml"]
                .iter()
                .any(|one| kind.eq_ignore_ascii_case(one))
        })
}

/// The next step, as a page or as a refusal with a remedy: as whoever asks likes it.
fn without(app: &App, path: &str, headers: &HeaderMap) -> Response {
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return Problem::not_found("file").into_response();
    }
    let base = app.base_url();
    let html = accepted(headers).any(|kind| kind.eq_ignore_ascii_case("text/html"));
    match (html, app.needs_setup()) {
        (true, needed) => Html(page(&base, needed)).into_response(),
        (false, true) => Problem::not_found("page")
            .detail("This binary was built without its console, and there is no administrator.")
            .remedy(format!(
                "On the server's machine: muster user add NAME --role administrator. From elsewhere: POST \
                 {base}/api/v1/setup with secret (what stands after the # of the set-up link), user and password."
            ))
            .into_response(),
        (false, false) => Problem::not_found("page")
            .detail("This binary was built without its console.")
            .remedy(format!("Use the command line: muster login {base}. For the console: {BUILD}"))
            .into_response(),
    }
}

/// Plain, and without a script: what stands after the `#` of a link is read by nobody here.
fn page(base: &str, needs_setup: bool) -> String {
    let base = escaped(base);
    let next = match needs_setup {
        true => format!(
            "<p>There is no administrator yet. Without the console, make the first one in either of two ways:</p>\n\
             <ul>\n<li>on the machine that Muster runs on:\n\
             <pre>muster user add NAME --role administrator</pre></li>\n\
             <li>from here, with the secret that stands after the <code>#</code> of the link you followed:\n\
             <pre>curl {base}/api/v1/setup -H 'content-type: application/json' \\\n  \
             -d '{{\"secret\": \"…\", \"user\": \"NAME\", \"password\": \"…\"}}'</pre></li>\n</ul>\n\
             <p>Then sign in on the command line: <code>muster login {base}</code></p>\n"
        ),
        false => format!(
            "<p>Sign in on the command line: <code>muster login {base}</code></p>\n\
             <p>The API is described at <a href=\"{base}/api/v1/openapi.json\">{base}/api/v1/openapi.json</a>.</p>\n"
        ),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Muster</title></head>\n<body>\n\
         <h1>Muster</h1>\n<p>It runs, but this binary was built without the console.</p>\n\
         <p>To have the console: in Muster's source, with Node 20.19 or newer and npm,</p>\n\
         <pre>make console\ncargo build --release --bin muster</pre>\n\
         <p>and start the new binary; or look at a simulated fleet: <code>make demo</code>.</p>\n\
         {next}</body>\n</html>\n"
    )
}
