//! Answers that take less of the line: what is read of the fleet is compressed for whoever takes gzip.
//!
//! Not the rest. How long a compressed text is tells something of what stands in it, to whoever sees it pass and can have
//! some of it repeat what they guess: so nothing is compressed in which a secret may stand (sessions, tokens, second
//! factors, whatever an onboarding tells), and of the fleet only what is read, never the answer to a change. The live
//! stream goes out as it is: an event that is held back until a block is full is late.

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::{Method, header};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// What is shorter is not worth the work.
const WORTH: u64 = 4 * 1024;

/// The same routes, what is read of them made smaller.
pub(crate) fn smaller(routes: OpenApiRouter<App>) -> OpenApiRouter<App> {
    let worth = SizeAbove::new(WORTH).and(NotForContentType::SSE);
    // Most of what there is to gain, for the least work.
    let gzip = CompressionLayer::new().gzip(true).quality(CompressionLevel::Fastest).compress_when(worth);
    routes.layer(gzip).layer(from_fn(only_what_is_read))
}

async fn only_what_is_read(mut request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    }
    next.run(request).await
}
