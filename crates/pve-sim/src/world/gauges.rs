//! Figures that move by themselves: pure functions of a seed and the time, so that nothing has to be stored
//! or ticked, and two runs with the same seed show the same.

use crate::seam::SimTime;

/// Scatters a number over all bits.
pub(crate) const fn scatter(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One seed out of two.
pub(crate) const fn mix(seed: u64, salt: u64) -> u64 {
    scatter(seed ^ scatter(salt))
}

/// A number in `[0, 1)`.
#[allow(clippy::cast_precision_loss)] // 53 bits are what a float holds.
pub(crate) fn unit(seed: u64) -> f64 {
    (scatter(seed) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A whole number below `bound` (at least 1).
pub(crate) const fn below(seed: u64, bound: u64) -> u64 {
    scatter(seed) % if bound == 0 { 1 } else { bound }
}

/// A number in `[0, 1)` that drifts: another value every `period` milliseconds, straight lines between.
#[allow(clippy::cast_precision_loss)] // A remainder below the period is small.
pub(crate) fn drift(seed: u64, now: SimTime, period: u64) -> f64 {
    let period = period.max(1);
    let bucket = now.millis() / period;
    let along = (now.millis() % period) as f64 / period as f64;
    let (from, to) = (unit(mix(seed, bucket)), unit(mix(seed, bucket + 1)));
    from + (to - from) * along
}

/// A counter that only grows: about `rate` a second since `start`.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
// Rates and uptimes multiply to far less than 2^53, and nothing here is negative.
pub(crate) fn counter(seed: u64, start: SimTime, now: SimTime, rate: f64) -> u64 {
    const PERIOD: u64 = 60_000;
    let seconds = now.since(start) as f64 / 1000.0;
    // The swing is a fifth of a period's growth: its steepest fall is still slower than the growth.
    let swing = (rate * 12.0 * drift(seed, now, PERIOD)).min(rate * seconds);
    (rate * seconds + swing) as u64
}

/// A share of a whole number.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
// Bytes of machines stay below 2^53; the share lies in [0, 1].
pub(crate) fn share(of: u64, part: f64) -> u64 {
    (of as f64 * part.clamp(0.0, 1.0)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_never_run_backwards() {
        let start = SimTime(1_000_000);
        let mut last = 0;
        for step in 0..5_000 {
            let value = counter(42, start, start.plus(step * 137), 1_000.0);
            assert!(value >= last, "{step}: {value} < {last}");
            last = value;
        }
        assert!(last > 600_000);
    }

    #[test]
    fn drift_is_even_and_repeatable() {
        let now = SimTime(123_456_789);
        assert_eq!(drift(7, now, 10_000).to_bits(), drift(7, now, 10_000).to_bits());
        let step = (drift(7, now, 10_000) - drift(7, now.plus(100), 10_000)).abs();
        assert!(step < 0.02, "{step}");
    }
}
