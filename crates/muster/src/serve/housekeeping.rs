//! What is done now and then: what is older than it is kept for goes, in small batches.

use std::time::Duration;

use fleet::Clock;
use server::App;
use store::Retention;
use tokio::sync::watch;

/// When it is done.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// After the start, when everything else has settled.
    first: Duration,
    /// From then on.
    every: Duration,
}

impl Pace {
    /// As it should be, or in hundredths for tests.
    pub fn of(test: bool) -> Self {
        let part = if test { 100 } else { 1 };
        Self { first: Duration::from_secs(120) / part, every: Duration::from_secs(3_600) / part }
    }
}

/// Rows that go at once, so that no write waits long.
const BATCH: usize = 500;

/// Runs until the server ends.
pub async fn run(app: App, kept: Retention, pace: Pace, clock: Clock, mut stopped: watch::Receiver<bool>) {
    let mut wait = pace.first;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        wait = pace.every;
        if !app.fleet().is_eldest() {
            continue;
        }
        if let Err(e) = app.people().sweep().await {
            tracing::warn!("what was begun and never confirmed stays for now: {}", e.sentence());
        }
        match app.store().expire(&kept, clock.now().wall, BATCH).await {
            Ok(gone) if gone.clock_doubted => tracing::warn!(
                "the clock has jumped by more than a day: nothing old is deleted until it is seen twice"
            ),
            Ok(gone) if gone.events + gone.operations + gone.drift + gone.audit == 0 => {}
            Ok(gone) => tracing::info!(
                events = gone.events,
                operations = gone.operations,
                drift = gone.drift,
                audit = gone.audit,
                "records older than they are kept for are gone"
            ),
            Err(e) => tracing::warn!("old records stay for now: {e}"),
        }
    }
}
