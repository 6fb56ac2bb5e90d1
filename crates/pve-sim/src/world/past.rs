//! When something ran that does so no more: what its measurements have to tell of the time before.

use crate::seam::SimTime;

/// How many times are remembered; the oldest are forgotten.
const KEPT: usize = 32;

/// Times that are over, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past(Vec<(SimTime, SimTime)>);

impl Past {
    pub(crate) fn add(&mut self, from: SimTime, to: SimTime) {
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        self.0.push((from, to));
    }

    /// Whether it ran then.
    pub(crate) fn has(&self, at: SimTime) -> bool {
        self.0.iter().any(|(from, to)| *from <= at && at <= *to)
    }

    /// Somebody sets the clock.
    pub(crate) fn shift(&mut self, by: i64) {
        for (from, to) in &mut self.0 {
            (*from, *to) = (from.shifted(by), to.shifted(by));
        }
    }
}
