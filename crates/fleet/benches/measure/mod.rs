//! How a figure is told: the best, the median and the 99th of a hundred.
#![allow(clippy::print_stdout)]

use std::time::Duration;

/// Prints a row of a table, in milliseconds; the median.
pub(crate) fn row(what: &str, mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let at = |at: usize| took.get(at).copied().unwrap_or_default();
    let ms = |at: Duration| at.as_secs_f64() * 1000.0;
    let (best, median, last) = (at(0), at(took.len() / 2), at(took.len() * 99 / 100));
    println!("| {what} | {:.2} | {:.2} | {:.2} |", ms(best), ms(median), ms(last));
    median
}
