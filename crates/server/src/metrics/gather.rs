//! The fleet's and the store's figures, taken from one snapshot at each scrape.

use std::collections::BTreeMap;
use std::fmt;

use fleet::{FleetSnapshot, LATENCY_BOUNDS, RemoteSnapshot};
use model::rows::{GuestRow, NodeRow};
use model::{Freshness, Presence};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use store::Figures;

use crate::app::App;
use crate::routes::resident_bytes;

/// One scrape's figures.
#[derive(Debug)]
pub(crate) struct Gathered {
    snapshot: FleetSnapshot,
    store: Figures,
    guests: bool,
    nodes: bool,
    streams: usize,
    sessions: usize,
    started: i64,
    version: String,
    resident: Option<u64>,
    not_recorded: u64,
}

type Labels = Vec<(&'static str, String)>;

impl Gathered {
    pub(crate) fn of(app: &App) -> Self {
        let settings = app.settings();
        Self {
            snapshot: app.fleet().snapshot(),
            store: app.store().figures(),
            guests: settings.metrics.guests,
            nodes: settings.metrics.nodes,
            streams: app.streams().open(),
            sessions: app.people().open_sessions(app.now().wall),
            started: app.started().as_second(),
            version: settings.version.clone(),
            resident: resident_bytes(),
            not_recorded: app.fleet().health().failures,
        }
    }
}

impl Collector for Gathered {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut to = Page(encoder);
        self.own(&mut to)?;
        self.links(&mut to)?;
        self.facets(&mut to)?;
        if self.nodes {
            self.nodes(&mut to)?;
        }
        if self.guests {
            self.guests(&mut to)?;
        }
        Ok(())
    }
}

impl Gathered {
    fn own(&self, to: &mut Page) -> fmt::Result {
        to.gauges(
            "build_info",
            "Always 1; what is running.",
            [(vec![("version", self.version.clone())], 1.0)],
        )?;
        to.gauge("start_time_seconds", "When this process started, Unix time.", float_i(self.started))?;
        if let Some(bytes) = self.resident {
            to.gauge("resident_bytes", "Memory the process holds.", float(bytes))?;
        }
        to.gauge("stream_clients", "Live streams that are open.", float_n(self.streams))?;
        to.gauge("sessions", "Sessions that are open.", float_n(self.sessions))?;
        to.counter("store_writes", "Changes committed to the store.", self.store.writes)?;
        to.counter("store_commits", "Transactions committed.", self.store.commits)?;
        to.counter("store_failures", "Transactions that failed.", self.store.failed)?;
        to.counter("store_bytes", "Bytes of bodies committed.", self.store.bytes)?;
        to.counter("store_syncs", "Times the disk was told to keep what was written.", self.store.syncs)?;
        to.gauge("store_queue", "Batches that wait for the writer.", float(self.store.queue))?;
        to.gauge("store_queue_bound", "Batches that may wait.", float(self.store.queue_bound))?;
        to.counter(
            "not_recorded",
            "Records of the fleet that could not be kept and were tried again.",
            self.not_recorded,
        )
    }

    fn links(&self, to: &mut Page) -> fmt::Result {
        let remotes = &self.snapshot.remotes;
        let mut states: BTreeMap<&str, usize> = [
            "disconnected",
            "connecting",
            "connected",
            "degraded",
            "backing_off",
            "credentials_rejected",
            "certificate_changed",
        ]
        .map(|word| (word, 0))
        .into();
        let mut operations: BTreeMap<&str, usize> = BTreeMap::new();
        for remote in remotes {
            *states.entry(remote.link.state.word()).or_default() += 1;
            for operation in &remote.operations {
                *operations.entry(operation.state.word()).or_default() += 1;
            }
        }
        let by = |key: &'static str, counts: BTreeMap<&str, usize>| {
            counts
                .into_iter()
                .map(move |(word, n)| (vec![(key, word.to_owned())], float_n(n)))
                .collect::<Vec<_>>()
        };
        to.gauges("links", "Remotes, by the state of their link.", by("state", states))?;
        to.gauges(
            "operations",
            "Operations that have not ended, and of each remote the latest that have; older ones are not counted.",
            by("state", operations),
        )?;
        let up = remotes.iter().map(|one| (label(one), if one.link.state.is_up() { 1.0 } else { 0.0 }));
        to.gauges("remote_up", "1 while a remote's link is up.", up)?;
        let seen =
            remotes.iter().filter_map(|one| Some((label(one), float_i(one.link.last_success?.as_second()))));
        to.gauges(
            "remote_last_success_seconds",
            "When an authorised request last succeeded, Unix time.",
            seen,
        )?;
        let requests = remotes.iter().map(|one| (label(one), one.traffic.requests));
        to.counters("remote_requests", "Requests sent to a remote.", requests)?;
        let bytes = remotes.iter().map(|one| (label(one), one.traffic.bytes));
        to.counters("remote_received_bytes", "Bytes received from a remote.", bytes)?;
        let faults = remotes.iter().map(|one| (label(one), u64::from(one.faults)));
        to.counters("remote_faults", "Times a remote's task ended through a fault of ours.", faults)?;
        // A listing never read says nothing of how many there are.
        let listed = || {
            remotes.iter().filter(|one| {
                one.facet(model::FacetKind::Resources).is_some_and(|f| f.last_success.is_some())
            })
        };
        to.gauges(
            "remote_guests",
            "Guests known on a remote.",
            listed().map(|one| (label(one), float_n(one.guests_there()))),
        )?;
        to.gauges(
            "remote_nodes",
            "Nodes known on a remote.",
            listed().map(|one| (label(one), float_n(one.nodes.len()))),
        )
    }

    fn facets(&self, to: &mut Page) -> fmt::Result {
        let each = || {
            self.snapshot.remotes.iter().flat_map(|remote| {
                remote.figures.iter().map(move |figures| {
                    (with(remote, vec![("facet", figures.facet.as_str().to_owned())]), figures)
                })
            })
        };
        to.counters("polls", "Readings of a facet that succeeded.", each().map(|(l, f)| (l, f.polls)))?;
        to.counters(
            "poll_failures",
            "Readings of a facet that failed.",
            each().map(|(l, f)| (l, f.failures)),
        )?;
        to.counters(
            "drift",
            "Fields and rows that did not fit what is documented.",
            each().map(|(l, f)| (l, f.drift)),
        )?;
        let mut metric = to.begin("poll_seconds", "How long the answers took.", MetricType::Histogram)?;
        for (labels, figures) in each() {
            let bounds = LATENCY_BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(figures.buckets).collect();
            let count = figures.buckets.iter().sum();
            metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                figures.seconds,
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn nodes(&self, to: &mut Page) -> fmt::Result {
        let each = || {
            self.snapshot.remotes.iter().flat_map(|remote| remote.nodes.iter().map(move |row| (remote, row)))
        };
        let figure = |of: fn(&NodeRow) -> Option<f64>| {
            each().filter_map(move |(remote, row)| Some((node_label(remote, row), of(row)?)))
        };
        let up = each().map(|(remote, row)| {
            let mut labels = node_label(remote, row);
            labels.push(("state", row.node.state.word().to_owned()));
            (labels, 1.0)
        });
        to.gauges("node_state", "1 for the state a node is in as far as is known.", up)?;
        to.gauges(
            "node_cpu_ratio",
            "Processor use, 0 to 1.",
            figure(|row| live(&row.freshness, row.node.cpu)),
        )?;
        to.gauges("node_cpus", "Processors.", figure(|row| row.node.cpus))?;
        to.gauges(
            "node_memory_bytes",
            "Memory in use.",
            figure(|row| live(&row.freshness, row.node.memory.map(float))),
        )?;
        to.gauges("node_memory_max_bytes", "Memory.", figure(|row| row.node.memory_max.map(float)))?;
        to.gauges(
            "node_disk_bytes",
            "Root disk in use.",
            figure(|row| live(&row.freshness, row.node.disk.map(float))),
        )?;
        to.gauges(
            "node_uptime_seconds",
            "Since it booted.",
            figure(|row| live(&row.freshness, row.node.uptime.map(float))),
        )?;
        let seen = figure(|row| row.observed_at.map(|at| float_i(at.as_second())));
        to.gauges("node_observed_seconds", "When a node was last seen, Unix time.", seen)
    }

    fn guests(&self, to: &mut Page) -> fmt::Result {
        let each = || {
            self.snapshot
                .remotes
                .iter()
                .flat_map(|remote| remote.guests.iter().map(move |row| (remote, &**row)))
                .filter(|(_, row)| !matches!(row.presence, Presence::Deleted { .. }))
        };
        let figure = |of: fn(&GuestRow) -> Option<f64>| {
            each().filter_map(move |(remote, row)| Some((guest_label(remote, row), of(row)?)))
        };
        let state = each().map(|(remote, row)| {
            let mut labels = guest_label(remote, row);
            labels.push(("state", row.state.word().to_owned()));
            (labels, 1.0)
        });
        to.gauges("guest_state", "1 for the state a guest is in; unknown while that is not sure.", state)?;
        to.gauges(
            "guest_cpu_ratio",
            "Processor use, 0 to 1 of what it has.",
            figure(|row| live(&row.freshness, row.guest.cpu)),
        )?;
        to.gauges(
            "guest_memory_bytes",
            "Memory in use.",
            figure(|row| live(&row.freshness, row.guest.memory.map(float))),
        )?;
        to.gauges("guest_memory_max_bytes", "Memory it has.", figure(|row| row.guest.memory_max.map(float)))?;
        to.gauges(
            "guest_disk_bytes",
            "Root disk in use.",
            figure(|row| live(&row.freshness, row.guest.disk.map(float))),
        )?;
        to.gauges(
            "guest_uptime_seconds",
            "Since it started.",
            figure(|row| live(&row.freshness, row.guest.uptime.map(float))),
        )?;
        let seen = figure(|row| row.observed_at.map(|at| float_i(at.as_second())));
        to.gauges("guest_observed_seconds", "When a guest was last seen, Unix time.", seen)
    }
}

/// A moving figure counts only while it moves: an old one would be drawn as a flat line.
fn live(freshness: &Freshness, value: Option<f64>) -> Option<f64> {
    value.filter(|_| matches!(freshness, Freshness::Live))
}

fn label(remote: &RemoteSnapshot) -> Labels {
    with(remote, Vec::new())
}

fn with(remote: &RemoteSnapshot, mut more: Labels) -> Labels {
    let mut labels = vec![("remote_id", remote.id.to_string()), ("remote", remote.name.to_string())];
    labels.append(&mut more);
    labels
}

fn node_label(remote: &RemoteSnapshot, row: &NodeRow) -> Labels {
    with(remote, vec![("node", row.node.name.to_string())])
}

fn guest_label(remote: &RemoteSnapshot, row: &GuestRow) -> Labels {
    let guest = &row.guest;
    let mut labels = vec![("vmid", guest.vmid.to_string())];
    labels.extend(guest.name.as_ref().map(|name| ("name", name.to_string())));
    labels.extend([("type", guest.kind.to_string()), ("node", guest.node.to_string())]);
    with(remote, labels)
}

#[expect(clippy::cast_precision_loss, reason = "figures for a graph")]
fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures for a graph")]
fn float_i(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures for a graph")]
fn float_n(value: usize) -> f64 {
    value as f64
}

/// Where the text goes.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help.trim_end_matches('.'), None, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let metric = self.begin(name, help, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = self.begin(name, help, MetricType::Counter)?;
        ConstCounter::new(value).encode(metric)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        all: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Gauge)?;
        for (labels, value) in all {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        all: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut metric = self.begin(name, help, MetricType::Counter)?;
        for (labels, value) in all {
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }
}
