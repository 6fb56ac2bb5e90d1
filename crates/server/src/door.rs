//! What every request meets first: is the host ours, is the origin ours, where does it really come from.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::peer::{Peer, Whence};
use crate::problem::Problem;

/// Puts the door before `router`. The path's prefix is cut off before routes are looked up.
pub(crate) fn before(app: &App, router: Router) -> Router {
    Router::new().fallback_service(router).layer(from_fn_with_state(app.clone(), pass))
}

async fn pass(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match receive(&app, &mut request) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            app.counters().refused(problem.code());
            problem.into_response()
        }
    }
}

fn receive(app: &App, request: &mut Request) -> Result<(), Problem> {
    let peer = request.extensions().get::<Peer>().cloned().ok_or_else(Problem::internal)?;
    let (address, secure) = match &peer {
        Peer::Tcp { address, tls, .. } => (Some(address.ip()), *tls),
        Peer::Unix { .. } => (None, false),
    };
    request.extensions_mut().insert(Whence { peer, address, secure });
    request.extensions_mut().insert(app.clone());
    Ok(())
}
