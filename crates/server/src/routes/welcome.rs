//! What a browser finds until there is a console: `/` and `/setup` say how to go on. Not part of the API.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, header};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().route("/", get(welcome)).route("/setup", get(welcome))
}

/// The next step, as a page or as a refusal with a remedy: as whoever asks likes it.
async fn welcome(State(app): State<App>, headers: HeaderMap) -> Response {
    let html = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|accepted| accepted.contains("text/html"));
    let base = app.base_url();
    match (html, app.needs_setup()) {
        (true, needed) => Html(page(&base, needed)).into_response(),
        (false, true) => Problem::not_found("page")
            .detail("There is no console yet, and no administrator.")
            .remedy(format!(
                "On the server's machine: muster user add NAME --role administrator. From elsewhere: POST \
                 {base}/api/v1/setup with secret (what stands after the # of the set-up link), user and password."
            ))
            .into_response(),
        (false, false) => Problem::not_found("page")
            .detail("There is no console yet.")
            .remedy(format!("Use the command line: muster login {base}"))
            .into_response(),
    }
}

/// Plain, and without a script: what stands after the `#` of a link is read by nobody here.
fn page(base: &str, needs_setup: bool) -> String {
    let base = escaped(base);
    let next = match needs_setup {
        true => format!(
            "<p>There is no administrator yet. Make the first one in either of two ways:</p>\n\
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
         <h1>Muster</h1>\n<p>It runs. A console for the browser is still to come.</p>\n{next}</body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
