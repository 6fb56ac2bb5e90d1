//! Where time and chance come in. Everything below takes them as arguments.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use model::Now;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// The clocks of this process.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    /// How far the wall is set ahead, milliseconds.
    ahead: Option<&'static AtomicI64>,
}

/// Sets the wall of a [`Clock::settable`].
#[derive(Debug, Clone, Copy)]
pub struct Wall(&'static AtomicI64);

impl Wall {
    /// Sets the wall so far ahead of the system's (or behind it).
    pub fn set_ahead(&self, by: SignedDuration) {
        self.0.store(i64::try_from(by.as_millis()).unwrap_or_default(), Ordering::SeqCst);
    }
}

impl Clock {
    /// A monotonic clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now(), ahead: None }
    }

    /// A clock whose wall can be set, as somebody sets that of a machine. For tests: what holds the setting is never
    /// freed.
    #[must_use]
    pub fn settable() -> (Self, Wall) {
        let ahead: &'static AtomicI64 = Box::leak(Box::default());
        (Self { origin: Instant::now(), ahead: Some(ahead) }, Wall(ahead))
    }

    /// What the wall shows.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        let now = Timestamp::now();
        let ahead = self.ahead.map_or(0, |ahead| ahead.load(Ordering::SeqCst));
        now.checked_add(SignedDuration::from_millis(ahead)).unwrap_or(now)
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { wall: self.wall(), mono: self.origin.elapsed() }
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

/// A moment on the monotonic clock, one since the epoch, or a span: to the microsecond, and no longer when it may be
/// missing. There are several for every guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Micros(NonZeroU64);

impl Micros {
    pub(crate) fn of(span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX - 1);
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    pub(crate) fn span(self) -> Duration {
        Duration::from_micros(self.0.get() - 1)
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
