//! Counters of what a remote is asked, for metrics.

use std::time::Duration;

use model::FacetKind;
use serde::Serialize;

/// Upper bounds of the latency histogram's buckets, in seconds; one more is without bound.
pub const LATENCY_BOUNDS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How the reading of one facet of one remote has gone since Muster started.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FacetFigures {
    /// Which.
    pub facet: FacetKind,
    /// Readings that succeeded.
    pub polls: u64,
    /// Readings that failed.
    pub failures: u64,
    /// Fields and rows that did not fit, of all readings.
    pub drift: u64,
    /// Seconds that the answers took, in all.
    pub seconds: f64,
    /// Answers by how long they took: not cumulative, bounded by [`LATENCY_BOUNDS`], the last one without bound.
    pub buckets: [u64; 10],
}

impl FacetFigures {
    pub(crate) fn new(facet: FacetKind) -> Self {
        Self { facet, polls: 0, failures: 0, drift: 0, seconds: 0.0, buckets: [0; 10] }
    }

    pub(crate) fn succeeded(&mut self, took: Duration, drift: u64) {
        self.polls = self.polls.saturating_add(1);
        self.drift = self.drift.saturating_add(drift);
        let seconds = took.as_secs_f64();
        self.seconds += seconds;
        let at = LATENCY_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(LATENCY_BOUNDS.len());
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket = bucket.saturating_add(1);
        }
    }

    pub(crate) fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }
}
