//! What is done now and then: what is older than it is kept for goes, in small batches.

use std::time::Duration;

use fleet::Clock;
use store::{Retention, Store};
use tokio::sync::watch;

/// After the start, when everything else has settled.
const FIRST: Duration = Duration::from_secs(120);
/// From then on.
const EVERY: Duration = Duration::from_secs(3_600);
/// Rows that go at once, so that no write waits long.
const BATCH: usize = 500;

/// Runs until the server ends.
pub async fn run(store: Store, kept: Retention, clock: Clock, mut stopped: watch::Receiver<bool>) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        wait = EVERY;
        match store.expire(&kept, clock.now().wall, BATCH).await {
            Ok(gone) if gone.events + gone.operations + gone.drift == 0 => {}
            Ok(gone) => tracing::info!(
                events = gone.events,
                operations = gone.operations,
                drift = gone.drift,
                "records older than they are kept for are gone"
            ),
            Err(e) => tracing::warn!("old records stay for now: {e}"),
        }
    }
}
