//! Measurements over time: what a chart shows. A time at which nothing was measured is a gap, never a zero.

use serde::{Deserialize, Serialize};

/// How far back a chart reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChartSpan {
    /// The last hour.
    #[default]
    Hour,
    /// The last day.
    Day,
    /// The last week.
    Week,
    /// The last month.
    Month,
    /// The last year.
    Year,
}

impl ChartSpan {
    /// Every span there is.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// What a figure of a series counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A part of the whole, 0 to 1.
    Share,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    Rate,
    /// Percent of the time, 0 to 100.
    Percent,
    /// Nothing else: a number.
    Number,
}

/// Declares the series once: field, unit, meaning.
macro_rules! series {
    ($($(#[doc = $about:literal])+ $name:ident: $unit:ident,)+) => {
        /// The series of a chart, each with one value for each time of the chart, in its order; `null` where nothing
        /// was measured. A series that was not measured at all, or that the thing does not have, is absent.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        pub struct Series {
            $($(#[doc = $about])+
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $name: Option<Vec<Option<f64>>>,)+
        }

        impl Series {
            /// The series there are: name, unit, values.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, Unit, &[Option<f64>])> {
                [$((stringify!($name), Unit::$unit, self.$name.as_deref()),)+]
                    .into_iter()
                    .filter_map(|(name, unit, values)| Some((name, unit, values?)))
            }
        }
    };
}

series! {
    /// Processor time used, as a fraction of `cpus`.
    cpu: Share,
    /// Processors.
    cpus: Number,
    /// A node's load average.
    load: Number,
    /// A node's processor time spent waiting for I/O, as a fraction.
    io_wait: Share,
    /// Memory used, in bytes.
    memory_used: Bytes,
    /// Memory there is, in bytes.
    memory_total: Bytes,
    /// A node's memory that is free or soon given back, in bytes.
    memory_available: Bytes,
    /// Memory that a virtual machine takes from its node, in bytes.
    memory_host: Bytes,
    /// A node's swap used, in bytes.
    swap_used: Bytes,
    /// A node's swap, in bytes.
    swap_total: Bytes,
    /// A node's ZFS cache, in bytes.
    arc: Bytes,
    /// Root disk used, in bytes. Of a virtual machine it is not known.
    disk_used: Bytes,
    /// Size of the root disk, in bytes.
    disk_total: Bytes,
    /// Bytes read from disk a second.
    disk_read: Rate,
    /// Bytes written to disk a second.
    disk_write: Rate,
    /// Bytes received a second.
    net_in: Rate,
    /// Bytes sent a second.
    net_out: Rate,
    /// Of a storage: bytes used.
    used: Bytes,
    /// Of a storage: its size in bytes.
    total: Bytes,
    /// Time in which some task waited for a processor, in percent. Since Proxmox VE 9.
    pressure_cpu_some: Percent,
    /// Time in which all tasks waited for a processor.
    pressure_cpu_full: Percent,
    /// Time in which some task waited for I/O.
    pressure_io_some: Percent,
    /// Time in which all tasks waited for I/O.
    pressure_io_full: Percent,
    /// Time in which some task waited for memory.
    pressure_memory_some: Percent,
    /// Time in which all tasks waited for memory.
    pressure_memory_full: Percent,
}

/// Measurements over a span of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// Seconds between two measurements, as most of them are apart; `None` when there are fewer than two.
    pub step: Option<u64>,
    /// When: Unix time in seconds, growing.
    pub at: Vec<i64>,
    /// What.
    pub series: Series,
}

impl Chart {
    /// How many values it holds.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.at.len() + self.series.iter().map(|(_, _, values)| values.len()).sum::<usize>()
    }
}

/// The places of a chart, in the order of time, out of the times of measurements as they came: each with the index of
/// the measurement that stands there. A place without one is a gap: measurements that are further apart than those
/// around them are not joined by a line. Of two measurements of the same time the later one counts.
#[must_use]
pub fn places(times: &[i64]) -> Vec<(i64, Option<usize>)> {
    let mut order: Vec<(i64, usize)> = times.iter().copied().zip(0..).collect();
    order.sort_unstable();
    order.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 = later.1;
        }
        same
    });
    let apart = |place: usize| Some(order.get(place + 1)?.0.saturating_sub(order.get(place)?.0));
    let mut places = Vec::with_capacity(order.len());
    for (place, (time, index)) in order.iter().enumerate() {
        places.push((*time, Some(*index)));
        let (before, after) = (place.checked_sub(1).and_then(apart), apart(place + 1));
        // A release that changed its steps sends old ones and new ones: each is measured by its neighbours.
        let usual = before.into_iter().chain(after).max();
        if let (Some(apart), Some(usual)) = (apart(place), usual)
            && apart > usual.saturating_add(usual / 2)
        {
            places.push((time.saturating_add(usual.min(apart / 2).max(1)), None));
        }
    }
    places
}

/// The seconds between two measurements, as most of them are apart.
#[must_use]
pub fn step(places: &[(i64, Option<usize>)]) -> Option<u64> {
    let mut steps: Vec<u64> = places
        .windows(2)
        .filter_map(|two| match two {
            [(from, Some(_)), (to, Some(_))] => u64::try_from(to.saturating_sub(*from)).ok(),
            _ => None,
        })
        .collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied()
}

/// A figure as a chart needs it: whole above a thousand, else to the millionth.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    if value.abs() >= 1_000.0 { value.round() } else { (value * 1e6).round() / 1e6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_measurements_have_no_gap() {
        let places = places(&[60, 120, 180, 240]);
        assert_eq!(places, [(60, Some(0)), (120, Some(1)), (180, Some(2)), (240, Some(3))]);
        assert_eq!(step(&places), Some(60));
    }

    #[test]
    fn a_row_that_is_not_there_leaves_a_gap() {
        let places = places(&[60, 120, 240, 300, 360]);
        assert_eq!(places[2], (180, None), "{places:?}");
        assert_eq!(places.len(), 6);
        assert_eq!(step(&places), Some(60));
        // However long it is.
        assert_eq!(super::places(&[60, 120, 9_000, 9_060])[2], (180, None));
        // Where nothing tells what is usual, nothing is a gap.
        assert_eq!(super::places(&[60, 9_000]).len(), 2);
    }

    #[test]
    fn old_steps_before_new_ones_are_no_gap() {
        let places = places(&[0, 1800, 3600, 4000, 4060, 4120, 4180]);
        assert!(places.iter().all(|(_, index)| index.is_some()), "{places:?}");
        assert_eq!(step(&places), Some(400), "between the two");
    }

    #[test]
    fn order_and_doubles_are_put_right() {
        assert_eq!(places(&[120, 60, 120, 180]), [(60, Some(1)), (120, Some(2)), (180, Some(3))]);
        assert_eq!((places(&[]), step(&[])), (Vec::new(), None));
        assert_eq!(step(&places(&[5])), None);
        assert_eq!(places(&[i64::MIN, 0, 1]).len(), 4, "and nothing overflows");
    }

    #[test]
    fn figures_keep_what_a_chart_can_show() {
        for (value, kept) in [(0.123_456_789, 0.123_457), (4_136_062_976.4, 4_136_062_976.0), (0.0, 0.0)] {
            assert!((rounded(value) - kept).abs() < f64::EPSILON, "{value}");
        }
        assert!(rounded(f64::NAN).is_nan());
    }

    #[test]
    fn absent_series_are_absent_and_gaps_are_null() {
        let series = Series { cpu: Some(vec![Some(0.5), None]), ..Series::default() };
        assert_eq!(serde_json::to_value(&series).unwrap(), serde_json::json!({"cpu": [0.5, null]}));
        let (name, unit, values) = series.iter().next().unwrap();
        assert_eq!((name, unit, values.len()), ("cpu", Unit::Share, 2));
        assert_eq!(series.iter().count(), 1);
    }
}
