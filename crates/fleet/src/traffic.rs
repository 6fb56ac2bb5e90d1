//! Requests and bytes a minute, as shown per remote.

use std::collections::VecDeque;
use std::time::Duration;

use model::rows::Traffic;

const MINUTE: Duration = Duration::from_secs(60);

/// Turns counters that only grow into figures a minute.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Counter readings, oldest first; the first one is the last from before the minute.
    samples: VecDeque<(Duration, u64, u64)>,
}

impl Meter {
    /// Takes a reading of the counters at `now` (monotonic).
    pub(crate) fn read(&mut self, now: Duration, requests: u64, bytes: u64) {
        if self.samples.is_empty() {
            self.samples.push_back((now, 0, 0));
        }
        // Readings closer together than a second would only fill the queue.
        let close = self.samples.len() > 1
            && self.samples.back().is_some_and(|(at, ..)| now.saturating_sub(*at) < Duration::from_secs(1));
        if close {
            self.samples.pop_back();
        }
        self.samples.push_back((now, requests, bytes));
        while self.samples.get(1).is_some_and(|(at, ..)| now.saturating_sub(*at) >= MINUTE) {
            self.samples.pop_front();
        }
    }

    /// How much of the time between the two oldest readings lies in the last minute, in thousandths.
    fn share(&self) -> u64 {
        let (Some((first, ..)), Some((second, ..)), Some((last, ..))) =
            (self.samples.front(), self.samples.get(1), self.samples.back())
        else {
            return 0;
        };
        let begin = last.saturating_sub(MINUTE).max(*first);
        let (inside, whole) = (second.saturating_sub(begin), second.saturating_sub(*first));
        let thousandths = inside.as_millis().saturating_mul(1000).checked_div(whole.as_millis());
        thousandths.map_or(1000, |share| u64::try_from(share).unwrap_or(1000))
    }

    /// The figures of the last minute.
    pub(crate) fn traffic(&self) -> Traffic {
        let (Some((_, first_requests, first_bytes)), Some((_, requests, bytes))) =
            (self.samples.front(), self.samples.back())
        else {
            return Traffic::default();
        };
        // The oldest reading is from before the minute; of what came until the next one, its share counts.
        let share = self.share();
        let within = |first: u64, second: u64, last: u64| {
            let partly = second.saturating_sub(first);
            last.saturating_sub(second).saturating_add(portion(partly, share))
        };
        let (_, second_requests, second_bytes) = self.samples.get(1).copied().unwrap_or_default();
        Traffic {
            requests_per_minute: within(*first_requests, second_requests, *requests),
            bytes_per_minute: within(*first_bytes, second_bytes, *bytes),
            requests: *requests,
            bytes: *bytes,
        }
    }
}

fn portion(of: u64, thousandths: u64) -> u64 {
    of.saturating_mul(thousandths) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_last_minute_only() {
        let mut meter = Meter::default();
        let at = Duration::from_secs;
        assert_eq!(meter.traffic(), Traffic::default());
        meter.read(at(10), 5, 500);
        assert_eq!(meter.traffic().requests_per_minute, 5);
        meter.read(at(40), 20, 2_000);
        assert_eq!(meter.traffic().requests_per_minute, 20);
        meter.read(at(69), 30, 3_000);
        meter.read(at(75), 31, 3_100);
        let traffic = meter.traffic();
        assert_eq!((traffic.requests_per_minute, traffic.bytes_per_minute), (23, 2_349));
        assert_eq!((traffic.requests, traffic.bytes), (31, 3_100));
        meter.read(at(1000), 31, 3_100);
        assert_eq!(meter.traffic().requests_per_minute, 0);
    }

    #[test]
    fn does_not_grow_with_frequent_readings() {
        let mut meter = Meter::default();
        for n in 0..100_000u64 {
            meter.read(Duration::from_millis(n), n, n);
        }
        assert!(meter.samples.len() < 200, "{} samples", meter.samples.len());
    }
}
