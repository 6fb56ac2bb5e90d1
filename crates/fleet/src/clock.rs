//! Where time and chance come in. Everything below takes them as arguments.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::Now;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// The clocks of this process.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A monotonic clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { wall: Timestamp::now(), mono: self.origin.elapsed() }
    }

    /// The instant on tokio's clock that lies at `mono` on this one.
    #[must_use]
    pub(crate) fn instant(&self, mono: Duration) -> tokio::time::Instant {
        // A wait beyond what the system can count is as good as a day.
        let at = self.origin.checked_add(mono);
        tokio::time::Instant::from_std(at.unwrap_or_else(|| self.origin + Duration::from_secs(86400)))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// A source of chance, for jitter only.
#[derive(Debug, Clone)]
pub(crate) struct Dice(Arc<Mutex<SmallRng>>);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(SmallRng::seed_from_u64(seed))))
    }

    /// A number in 0..1.
    pub(crate) fn roll(&self) -> f64 {
        match self.0.lock() {
            Ok(mut dice) => dice.random(),
            Err(poisoned) => poisoned.into_inner().random(),
        }
    }
}
