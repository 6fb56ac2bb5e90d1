//! The control port.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::door::Remote;

/// Serves the control port until the simulator ends.
pub(crate) async fn serve(listener: TcpListener, remotes: Vec<Remote>, stop: CancellationToken) {
    let _ = (listener, remotes);
    stop.cancelled().await;
}
