//! `rrddata`: gauges over time. A bucket from before the thing ran has its time and nothing else.

use serde_json::{Map, Value};

use super::Cluster;
use super::failure::{Answer, Failure};
use super::gauges::{drift, mix};
use super::guest::{Figures, Guest};
use super::route::Cx;
use crate::seam::SimTime;

/// How many buckets each timeframe has.
const BUCKETS: u64 = 70;

/// The length of a bucket, in seconds.
fn step(timeframe: &str) -> u64 {
    match timeframe {
        "day" => 1_800,
        "week" => 10_800,
        "month" => 43_200,
        "year" => 604_800,
        "decade" => 4 * 604_800,
        _ => 60,
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

impl Cluster {
    fn buckets(&self, cx: &Cx) -> impl Iterator<Item = u64> + use<> {
        let step = step(cx.args.text("timeframe"));
        let last = self.now.seconds() / step * step;
        (0..BUCKETS).rev().map(move |back| last.saturating_sub(back * step))
    }

    fn pressures(&self, row: &mut Map<String, Value>, seed: u64, at: u64, keys: &[&str]) {
        if self.facts.since(9) {
            for (place, key) in (0_u64..).zip(keys) {
                row.insert((*key).to_owned(), rate(mix(seed, 60 + place), at, 0.5));
            }
        }
    }

    pub(crate) fn node_rrd(&self, cx: &Cx) -> Answer {
        let node = self.nodes.get(cx.node).ok_or_else(|| Failure::server("no such node"))?;
        let rows = self.buckets(cx).map(|at| {
            let mut row = Map::new();
            row.insert("time".into(), at.into());
            let then = SimTime::from_seconds(at);
            if then < node.booted {
                return Value::Object(row);
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
            self.pressures(&mut row, seed, at, &keys);
            Value::Object(row)
        });
        Ok(Value::Array(rows.collect()).into())
    }

    pub(crate) fn guest_rrd(&self, cx: &Cx, guest: &Guest) -> Answer {
        let seen = guest.look();
        let rows = self.buckets(cx).map(|at| {
            let mut row = Map::new();
            row.insert("time".into(), at.into());
            let then = SimTime::from_seconds(at);
            let figures: Figures = guest.figures(&seen, then);
            let runs = seen.run != super::Run::Stopped && then >= seen.started;
            row.insert("maxcpu".into(), figures.maxcpu.into());
            row.insert("maxmem".into(), figures.maxmem.into());
            row.insert("maxdisk".into(), figures.maxdisk.into());
            row.insert("disk".into(), figures.disk.into());
            if !runs {
                return Value::Object(row);
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
            self.pressures(&mut row, seed, at, &keys);
            Value::Object(row)
        });
        Ok(Value::Array(rows.collect()).into())
    }
}
