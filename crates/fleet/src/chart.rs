//! Measurements over time, on demand: whoever looks at the same within a while shares one answer, and what was read
//! last is given, with why it is not newer, where the remote does not answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::chart::{self, Chart, ChartSpan, Series};
use model::{Incarnation, NodeName, Observed, RemoteId, Text, Vmid};
use pve::call::guest::{Consolidation, Timeframe};
use pve::call::{self, Call};
use pve::decode::Rows;
use pve::drift::DriftRecord;
use pve::reply::RrdPoint;

use crate::detail::{Asker, DetailError, Part};
use crate::fleet::Fleet;
use crate::rows;
use crate::snapshot::RemoteSnapshot;

/// What charts that were read are kept in takes at most so many values (16 bytes each).
const CELLS: usize = 1_000_000;

/// What a chart is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Charted {
    /// A guest.
    Guest(Vmid),
    /// A node.
    Node(NodeName),
    /// A storage, as one node sees it; `None`: as any of those that share it.
    Storage {
        /// Its name.
        storage: Text,
        /// The node.
        node: Option<NodeName>,
    },
}

/// A chart with how far it is known.
#[derive(Debug, Clone)]
pub struct ChartDetail {
    /// The measurements, as last read.
    pub chart: Part<Chart>,
    /// The node whose view of it that is, of a storage.
    pub node: Option<NodeName>,
    /// Fields and rows of the reply that did not fit.
    pub drift: Vec<DriftRecord>,
}

/// One chart of one remote. Another life of a guest's number is another guest.
type Key = (RemoteId, Charted, Option<Incarnation>, ChartSpan);

#[derive(Debug)]
struct Kept {
    seen: Observed<Arc<Chart>>,
    drift: Vec<DriftRecord>,
    /// When it was read, on the clock that nobody sets.
    read: Duration,
    /// When somebody last wanted it, likewise.
    wanted: Duration,
}

/// Charts that were read, those that were wanted last.
#[derive(Debug, Default)]
pub(crate) struct Charts {
    kept: Mutex<HashMap<Key, Kept>>,
}

// === impl Charts ===

impl Charts {
    /// What was read last, with whether that is no longer ago than `fresh`.
    fn get(
        &self,
        key: &Key,
        now: Duration,
        fresh: Duration,
    ) -> Option<(Observed<Arc<Chart>>, Vec<DriftRecord>, bool)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let one = kept.get_mut(key)?;
        one.wanted = now;
        Some((one.seen.clone(), one.drift.clone(), now.saturating_sub(one.read) < fresh))
    }

    fn put(&self, key: Key, seen: Observed<Arc<Chart>>, drift: Vec<DriftRecord>, now: Duration) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, Kept { seen, drift, read: now, wanted: now });
        let cells = |kept: &HashMap<Key, Kept>| -> usize {
            kept.values().map(|one| one.seen.value.cells().max(1)).sum()
        };
        while cells(&kept) > CELLS {
            let Some(oldest) = kept.iter().min_by_key(|(_, one)| one.wanted).map(|(key, _)| key.clone())
            else {
                return;
            };
            kept.remove(&oldest);
        }
    }

    /// Nothing of a remote that is no more is kept.
    pub(crate) fn forget(&self, id: RemoteId) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| key.0 != id);
    }
}

/// How long a chart counts as new, where one of an hour does for `hour`: what is measured seldom is asked for seldom.
fn fresh(span: ChartSpan, hour: Duration) -> Duration {
    match span {
        ChartSpan::Hour => hour,
        ChartSpan::Day => hour * 2,
        ChartSpan::Week | ChartSpan::Month | ChartSpan::Year => hour * 10,
    }
}

fn timeframe(span: ChartSpan) -> Timeframe {
    match span {
        ChartSpan::Hour => Timeframe::Hour,
        ChartSpan::Day => Timeframe::Day,
        ChartSpan::Week => Timeframe::Week,
        ChartSpan::Month => Timeframe::Month,
        ChartSpan::Year => Timeframe::Year,
    }
}

/// The node to ask for a storage: the one that is named, or any that has it where they share it.
fn node_of(
    remote: &RemoteSnapshot,
    storage: &Text,
    named: Option<&NodeName>,
) -> Result<NodeName, DetailError> {
    let having: Vec<_> =
        remote.storages.iter().map(|row| &row.storage).filter(|one| one.storage == *storage).collect();
    if having.is_empty() {
        return Err(DetailError::NoSuchStorage);
    }
    if let Some(named) = named {
        let has = having.iter().any(|one| one.node == *named);
        return if has { Ok(named.clone()) } else { Err(DetailError::NoSuchStorage) };
    }
    if having.len() > 1 && having.iter().any(|one| one.shared != Some(true)) {
        return Err(DetailError::WhichNode(having.iter().map(|one| one.node.clone()).collect()));
    }
    let nodes: Vec<_> = having.iter().map(|one| &one.node).collect();
    remote.to_ask(&nodes).cloned().ok_or(DetailError::NoSuchStorage)
}

/// The series of measurements.
fn series(points: &[RrdPoint]) -> Chart {
    let times: Vec<i64> = points.iter().map(|point| point.time).collect();
    let places = chart::places(&times);
    let line = |of: fn(&RrdPoint) -> Option<f64>| {
        let at = |(_, index): &(i64, Option<usize>)| {
            points.get((*index)?).and_then(of).filter(|value| value.is_finite()).map(chart::rounded)
        };
        let values: Vec<Option<f64>> = places.iter().map(at).collect();
        values.iter().any(Option::is_some).then_some(values)
    };
    Chart {
        step: chart::step(&places),
        at: places.iter().map(|(time, _)| *time).collect(),
        series: Series {
            cpu: line(|point| point.cpu),
            cpus: line(|point| point.maxcpu),
            load: line(|point| point.loadavg),
            io_wait: line(|point| point.iowait),
            memory_used: line(|point| point.memused.or(point.mem)),
            memory_total: line(|point| point.memtotal.or(point.maxmem)),
            memory_available: line(|point| point.memavailable),
            memory_host: line(|point| point.memhost),
            swap_used: line(|point| point.swapused),
            swap_total: line(|point| point.swaptotal),
            arc: line(|point| point.arcsize),
            disk_used: line(|point| point.rootused.or(point.disk)),
            disk_total: line(|point| point.roottotal.or(point.maxdisk)),
            disk_read: line(|point| point.diskread),
            disk_write: line(|point| point.diskwrite),
            net_in: line(|point| point.netin),
            net_out: line(|point| point.netout),
            used: line(|point| point.used),
            total: line(|point| point.total),
            pressure_cpu_some: line(|point| point.pressure_cpu_some),
            pressure_cpu_full: line(|point| point.pressure_cpu_full),
            pressure_io_some: line(|point| point.pressure_io_some),
            pressure_io_full: line(|point| point.pressure_io_full),
            pressure_memory_some: line(|point| point.pressure_memory_some),
            pressure_memory_full: line(|point| point.pressure_memory_full),
        },
    }
}

/// What to ask, and what it is about.
struct Wanted {
    call: Call<Rows<RrdPoint>>,
    key: Key,
    node: Option<NodeName>,
    /// Of a virtual machine the host does not see how full its disk is: Proxmox VE says 0.
    blind_to_disk: bool,
}

impl Wanted {
    fn of(remote: &RemoteSnapshot, what: Charted, span: ChartSpan) -> Result<Self, DetailError> {
        let (time, mean) = (timeframe(span), Consolidation::Average);
        let (call, life, what, node, blind) = match what {
            Charted::Guest(vmid) => {
                let row = remote.guest(vmid).ok_or(DetailError::NoSuchGuest(vmid))?;
                let kind = rows::pve_kind(row.guest.kind);
                let call = call::guest::rrd(row.guest.node.as_str(), kind, vmid.0, time, mean);
                let blind = row.guest.kind == model::GuestKind::Vm;
                (call, Some(row.incarnation), Charted::Guest(vmid), None, blind)
            }
            Charted::Node(name) => {
                remote.node(&name).ok_or(DetailError::NoSuchNode)?;
                (call::node::rrd(name.as_str(), time, mean), None, Charted::Node(name), None, false)
            }
            Charted::Storage { storage, node } => {
                let node = node_of(remote, &storage, node.as_ref())?;
                let call = call::storage::rrd(node.as_str(), storage.as_str(), time, mean);
                (call, None, Charted::Storage { storage, node: Some(node.clone()) }, Some(node), false)
            }
        };
        Ok(Self { call, key: (remote.id, what, life, span), node, blind_to_disk: blind })
    }
}

impl Asker {
    async fn chart(&self, wanted: Wanted, charts: &Charts, hour: Duration) -> ChartDetail {
        let Wanted { call, key, node, blind_to_disk } = wanted;
        let span = key.3;
        let known = charts.get(&key, self.shared.clock.now().mono, fresh(span, hour));
        let is_fresh = known.as_ref().is_some_and(|(_, _, fresh)| *fresh);
        let flown = &self.shared.flown;
        let answer =
            self.anew(is_fresh, true, |client| async move { flown.chart(&client, call, span).await }).await;
        match answer {
            Err(failure) => ChartDetail::as_last_read(known, Some(failure), node),
            Ok(None) => ChartDetail::as_last_read(known, None, node),
            Ok(Some(answer)) => {
                let mut chart = series(&answer.value.rows);
                if blind_to_disk {
                    chart.series.disk_used = None;
                }
                let (seen, drift) = (self.seen(&answer, chart), answer.drift.records.clone());
                charts.put(key, seen.clone(), drift.clone(), self.shared.clock.now().mono);
                ChartDetail { chart: Part { seen: Some(seen), error: None }, node, drift }
            }
        }
    }
}

impl ChartDetail {
    fn as_last_read(
        known: Option<(Observed<Arc<Chart>>, Vec<DriftRecord>, bool)>,
        error: Option<model::Failure>,
        node: Option<NodeName>,
    ) -> Self {
        let (seen, drift) = known.map(|(seen, drift, _)| (seen, drift)).unzip();
        Self { chart: Part { seen, error }, node, drift: drift.unwrap_or_default() }
    }
}

impl Fleet {
    /// Measurements over time. Asked for anew only when what was read last is older than [`Timings::chart`] says, so
    /// that many who look ask once; where the remote does not answer: as last read, and why.
    ///
    /// [`Timings::chart`]: crate::Timings
    ///
    /// # Errors
    /// When there is no such remote, guest, node or storage; when a storage that nodes have each to itself is wanted of
    /// none of them in particular.
    pub async fn chart(
        &self,
        id: RemoteId,
        what: Charted,
        span: ChartSpan,
    ) -> Result<ChartDetail, DetailError> {
        let asker = self.asker(id).ok_or(DetailError::NoSuchRemote)?;
        let wanted = Wanted::of(&asker.shared.snapshot.load_full(), what, span)?;
        Ok(asker.chart(wanted, &self.inner.charts, self.timings().chart).await)
    }
}

#[cfg(test)]
mod tests {
    use model::EndpointId;

    use super::*;

    fn point(time: i64, cpu: Option<f64>) -> RrdPoint {
        let mut drift = pve::drift::Drift::default();
        let cpu = cpu.map_or(String::new(), |cpu| format!(r#","cpu":{cpu}"#));
        let text = format!(r#"{{"time":{time}{cpu}}}"#);
        let raw = pve::decode::check(text.as_bytes()).unwrap();
        pve::decode::object(raw, &mut drift).unwrap()
    }

    #[test]
    fn what_was_not_measured_is_a_gap_and_what_never_was_is_absent() {
        let chart =
            series(&[point(60, Some(0.25)), point(120, None), point(180, Some(0.5)), point(300, None)]);
        assert_eq!(chart.at, [60, 120, 180, 240, 300], "one is missing");
        assert_eq!(chart.series.cpu, Some(vec![Some(0.25), None, Some(0.5), None, None]));
        assert_eq!((chart.step, chart.series.memory_used), (Some(60), None));
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_nobody_wants_goes_first() {
        let charts = Charts::default();
        let key = |n: u32| (RemoteId(1), Charted::Guest(Vmid(n)), None, ChartSpan::Day);
        let chart = || {
            let value = Arc::new(Chart { step: None, at: vec![0; CELLS / 4], series: Series::default() });
            Observed { value, at: jiff::Timestamp::UNIX_EPOCH, through: EndpointId::from("a:8006") }
        };
        let at = Duration::from_secs;
        for n in 0..4 {
            charts.put(key(n), chart(), Vec::new(), at(u64::from(n)));
        }
        assert!(charts.get(&key(0), at(5), at(60)).is_some_and(|(_, _, fresh)| fresh));
        charts.put(key(9), chart(), Vec::new(), at(6));
        assert!(charts.get(&key(0), at(60), at(60)).is_some_and(|(_, _, fresh)| !fresh), "wanted lately");
        assert!(charts.get(&key(1), at(7), at(60)).is_none(), "not wanted for longest");
        charts.forget(RemoteId(1));
        assert!(charts.get(&key(9), at(7), at(60)).is_none());
    }
}
