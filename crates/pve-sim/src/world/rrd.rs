//! `rrddata`: gauges over time. A bucket in which nothing was measured has its time and nothing else; what a guest
//! has whether it runs or not is there in all that its node measured.

use serde_json::{Map, Value};

use super::failure::{Answer, Failure};
use super::gauges::{drift, mix};
use super::guest::{Figures, Guest};
use super::node::Node;
use super::route::Cx;
use super::{Cluster, Run};
use crate::seam::SimTime;

/// The length of a bucket in seconds, and how many there are, by release.
fn buckets(nine: bool, timeframe: &str) -> (u64, u64) {
    match (nine, timeframe) {
        (true, "day") => (60, 1_440),
        (true, "week") => (1_800, 336),
        (true, "month") => (1_800, 1_440),
        (true, "year") => (21_600, 1_440),
        (true, "decade") => (604_800, 570),
        (true, _) => (60, 60),
        (false, "day") => (1_800, 70),
        (false, "week") => (10_800, 70),
        (false, "month") => (43_200, 70),
        (false, "year") => (604_800, 70),
        (false, _) => (60, 70),
    }
}

/// Means of what is whole at one moment are seldom whole.
#[allow(clippy::cast_precision_loss)] // Bytes of machines stay below 2^53.
fn mean(value: u64, seed: u64, at: u64) -> Value {
    let share = drift(seed, SimTime::from_seconds(at), 90_000);
    if value == 0 { 0.into() } else { (value as f64 + share).into() }
}

fn rate(seed: u64, at: u64, about: f64) -> Value {
    (about * drift(seed, SimTime::from_seconds(at), 120_000)).into()
}

/// What the server says of something that was never measured.
fn never_measured(kind: &str, name: &str) -> Failure {
    Failure::server(format!(
        "RRD error: opening '/var/lib/rrdcached/db/{kind}/{name}': No such file or directory"
    ))
}

type Row = Map<String, Value>;

impl Cluster {
    /// The rows of a series: `fill` adds what was measured in a bucket. Old releases begin a bucket before anything
    /// of it is measured.
    fn series(&self, cx: &Cx, fill: impl Fn(&mut Row, u64, SimTime)) -> Answer {
        let nine = self.facts.since(9);
        let (step, count) = buckets(nine, cx.args.text("timeframe"));
        let now = self.now.seconds();
        let last = now / step * step;
        let begun = !nine && now - last < step / 6;
        let rows = (0..count).rev().map(|back| {
            let at = last.saturating_sub(back * step);
            let mut row = Row::new();
            row.insert("time".into(), at.into());
            if !(begun && back == 0) {
                fill(&mut row, at, SimTime::from_seconds(at));
            }
            Value::Object(row)
        });
        Ok(Value::Array(rows.collect()).into())
    }

    fn pressures(&self, row: &mut Row, seed: u64, at: u64, keys: &[&str]) {
        if self.facts.since(9) {
            for (place, key) in (0_u64..).zip(keys) {
                row.insert((*key).to_owned(), rate(mix(seed, 60 + place), at, 0.5));
            }
        }
    }

    /// The node of the path. Measurements of all are on all of them: whichever is asked answers itself.
    fn measured_node(&self, cx: &Cx) -> Result<&Node, Failure> {
        let name = match cx.args.text("node") {
            "localhost" => self.node_name(cx.local),
            name => name,
        };
        self.node_place(name).and_then(|place| self.nodes.get(place)).ok_or_else(|| {
            never_measured(if self.facts.since(9) { "pve-node-9.0" } else { "pve2-node" }, name)
        })
    }

    pub(crate) fn node_rrd(&self, cx: &Cx) -> Answer {
        let node = self.measured_node(cx)?;
        self.series(cx, |row, at, then| {
            if !node.measured_at(then, self.now) {
                return;
            }
            let seed = node.seed;
            row.insert("cpu".into(), node.cpu(then).into());
            row.insert("iowait".into(), rate(mix(seed, 40), at, 0.02));
            row.insert("loadavg".into(), rate(mix(seed, 41), at, 2.0));
            row.insert("maxcpu".into(), node.maxcpu.into());
            row.insert("memtotal".into(), node.maxmem.into());
            row.insert("memused".into(), mean(node.mem(then), mix(seed, 42), at));
            row.insert("netin".into(), rate(mix(seed, 43), at, 50_000.0));
            row.insert("netout".into(), rate(mix(seed, 44), at, 30_000.0));
            row.insert("roottotal".into(), node.maxdisk.into());
            row.insert("rootused".into(), mean(node.disk(then), mix(seed, 45), at));
            row.insert("swaptotal".into(), 8_589_930_496_u64.into());
            row.insert("swapused".into(), 0.into());
            if self.facts.since(9) {
                row.insert("memavailable".into(), mean(node.maxmem - node.mem(then), mix(seed, 46), at));
                row.insert("arcsize".into(), 0.into());
            }
            let keys = [
                "pressurecpusome",
                "pressureiosome",
                "pressureiofull",
                "pressurememorysome",
                "pressurememoryfull",
            ];
            self.pressures(row, seed, at, &keys);
        })
    }

    pub(crate) fn guest_rrd(&self, cx: &Cx) -> Answer {
        let vmid = cx.vmid();
        let found = self.guests.get(&vmid).and_then(|guest| Some((guest, self.nodes.get(guest.node)?)));
        let kind = if self.facts.since(9) { "pve-vm-9.0" } else { "pve2-vm" };
        let (guest, node): (&Guest, &Node) = found.ok_or_else(|| never_measured(kind, &vmid.to_string()))?;
        let seen = guest.look();
        // What it was while it ran, wherever that is over.
        let ran = super::guest::Seen { run: Run::Running, ..seen.clone() };
        self.series(cx, |row, at, then| {
            if then < guest.made || !node.measured_at(then, self.now) {
                return;
            }
            let runs_now = seen.run != Run::Stopped && then >= seen.started;
            let runs = runs_now || guest.past.has(then);
            let figures: Figures = guest.figures(if runs && !runs_now { &ran } else { &seen }, then);
            row.insert("maxcpu".into(), figures.maxcpu.into());
            row.insert("maxmem".into(), figures.maxmem.into());
            row.insert("maxdisk".into(), figures.maxdisk.into());
            row.insert("disk".into(), figures.disk.into());
            if !runs {
                return;
            }
            let seed = guest.seed;
            row.insert("cpu".into(), figures.cpu.into());
            row.insert("mem".into(), mean(figures.mem, mix(seed, 50), at));
            row.insert("netin".into(), rate(mix(seed, 51), at, 2_000.0));
            row.insert("netout".into(), rate(mix(seed, 52), at, 900.0));
            row.insert("diskread".into(), rate(mix(seed, 53), at, 4_000.0));
            row.insert("diskwrite".into(), rate(mix(seed, 54), at, 6_000.0));
            if self.facts.since(9) && guest.kind == super::Kind::Vm {
                row.insert("memhost".into(), mean(figures.memhost, mix(seed, 55), at));
            }
            let keys = [
                "pressurecpusome",
                "pressurecpufull",
                "pressureiosome",
                "pressureiofull",
                "pressurememorysome",
                "pressurememoryfull",
            ];
            self.pressures(row, seed, at, &keys);
        })
    }

    pub(crate) fn storage_rrd(&self, cx: &Cx) -> Answer {
        let storage = self.storage_at(cx)?;
        let node = self.nodes.get(cx.node).ok_or_else(|| Failure::server("no such node"))?;
        self.series(cx, |row, at, then| {
            if node.measured_at(then, self.now) {
                row.insert("total".into(), storage.total.into());
                row.insert(
                    "used".into(),
                    filling(storage.used, self.now.since(then), mix(node.seed, 70), at),
                );
            }
        })
    }
}

/// How full something was that fills slowly: now as it is, half a year ago three quarters of that.
#[allow(clippy::cast_precision_loss)] // Bytes of disks stay below 2^53.
fn filling(used: u64, ago: u64, seed: u64, at: u64) -> Value {
    let years = ago as f64 / (365.0 * 86_400_000.0);
    let ripple = 0.01 * years.min(0.1) * drift(seed, SimTime::from_seconds(at), 7_200_000);
    let then = used as f64 * (1.0 - (0.5 * years).min(0.9) + ripple);
    if ago == 0 { used.into() } else { then.into() }
}
