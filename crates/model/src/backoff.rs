//! How long to wait before the next try: doubling, bounded, and never two remotes in step.

use std::time::Duration;

/// First and longest wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// No wait is longer.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row (1 is the first). `jitter` lies in 0..1 and takes up to a
    /// quarter off, so that the bound is never exceeded.
    #[must_use]
    pub fn wait(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.first.saturating_mul(1 << doublings).min(self.most);
        spread(full, jitter)
    }
}

/// `full` less up to a quarter of it.
pub(crate) fn spread(full: Duration, jitter: f64) -> Duration {
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
    full.mul_f64(1.0 - jitter / 4.0)
}
