//! What is done now and then: what is older than it is kept for goes, in small batches.

use std::time::Duration;

use fleet::Clock;
use store::Store;
use tokio::sync::watch;

use super::config::Config;
use super::settings;

/// After the start, when everything else has settled.
const FIRST: Duration = Duration::from_secs(120);
/// From then on.
const EVERY: Duration = Duration::from_secs(3_600);
/// Rows that go at once, so that no write waits long.
const BATCH: usize = 500;

/// Runs until the server ends.
pub async fn run(store: Store, config: Config, clock: Clock, mut stopped: watch::Receiver<bool>) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        wait = EVERY;
        match store.expire(&retention(&config), clock.now().wall, BATCH).await {
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

/// How long each kind is kept.
pub fn retention(config: &Config) -> store::Retention {
    store::Retention {
        events: config.span(&settings::KEEP_EVENTS),
        operations: config.span(&settings::KEEP_OPERATIONS),
        drift: config.span(&settings::KEEP_DRIFT),
        ..store::Retention::default()
    }
}
