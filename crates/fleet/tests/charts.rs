//! Figures over time: asked once for many, kept while the remote is away, and never made up.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{ChartDetail, Charted, DetailError, Timings};
use model::{Cause, ChartSpan, NodeName, Text, Vmid};
use pve_sim::topology::StorageSpec;
use pve_sim::{Fault, Topology};
use support::{Bench, root};

const WEB: Charted = Charted::Guest(Vmid(101));
const PATH: &str = "/nodes/pve1/lxc/101/rrddata";

async fn chart(bench: &Bench, what: Charted, span: ChartSpan) -> ChartDetail {
    bench.fleet.chart(bench.id, what, span).await.unwrap()
}

/// Charts that stay new for so long.
async fn bench(topology: Topology, fresh: Duration) -> Bench {
    let bench = Bench::with(topology, 1, root(), Timings { chart: fresh, ..Timings::shrunk() }).await;
    bench.ready().await;
    bench
}

#[tokio::test]
async fn what_is_measured_is_told_with_its_gaps() {
    let bench = bench(Topology::single("9.2"), Duration::from_secs(60)).await;
    let read = chart(&bench, WEB, ChartSpan::Hour).await;
    assert!(read.chart.error.is_none() && read.drift.is_empty(), "{read:?}");
    let seen = read.chart.seen.unwrap();
    assert_eq!((seen.value.at.len(), seen.value.step), (60, Some(60)));
    for (name, _, values) in seen.value.series.iter() {
        assert_eq!(values.len(), 60, "{name}");
    }
    let cpu = seen.value.series.cpu.clone().unwrap();
    assert!(cpu.iter().flatten().all(|share| (0.0..=1.0).contains(share)));
    assert!(seen.value.series.memory_total.is_some() && seen.value.series.load.is_none());

    // A guest that does not run has its size, and nothing else.
    let off = chart(&bench, Charted::Guest(Vmid(102)), ChartSpan::Hour).await.chart.seen.unwrap();
    assert!(off.value.series.cpu.is_none(), "nothing measured is no series of zeros");
    assert!(off.value.series.memory_total.is_some());

    let node = chart(&bench, Charted::Node("pve1".into()), ChartSpan::Week).await.chart.seen.unwrap();
    assert!(node.value.series.load.is_some() && node.value.series.io_wait.is_some());
    assert_eq!((node.value.step, node.value.at.len()), (Some(1_800), 336));
    bench.end().await;
}

#[tokio::test]
async fn a_virtual_machines_disk_is_not_said_to_be_empty() {
    let mut topology = Topology::single("8.4");
    topology.remotes[0].guests[0].kind = pve_sim::topology::GuestKind::Vm;
    let vmid = topology.remotes[0].guests[0].vmid;
    let bench = bench(topology, Duration::from_secs(60)).await;
    let seen = chart(&bench, Charted::Guest(Vmid(vmid)), ChartSpan::Hour).await.chart.seen.unwrap();
    assert!(seen.value.series.disk_used.is_none(), "the host does not see how full it is");
    assert!(seen.value.series.disk_total.is_some());
    bench.end().await;
}

#[tokio::test]
async fn many_who_look_ask_once() {
    let bench = bench(Topology::single("9.2"), Duration::from_secs(60)).await;
    bench.remote.fault(None, Fault::Delay { ms: 40 }.on(PATH)).await;
    let looks = (0..20).map(|_| chart(&bench, WEB, ChartSpan::Hour));
    for read in futures_util::future::join_all(looks).await {
        assert!(read.chart.seen.is_some());
    }
    chart(&bench, WEB, ChartSpan::Hour).await;
    assert_eq!(bench.asked("GET", PATH), 1);
    // Another span is another question.
    chart(&bench, WEB, ChartSpan::Day).await;
    assert_eq!(bench.asked("GET", PATH), 2);
    bench.end().await;
}

#[tokio::test]
async fn what_is_old_is_read_anew() {
    let bench = bench(Topology::single("9.2"), Duration::ZERO).await;
    let first = chart(&bench, WEB, ChartSpan::Hour).await.chart.seen.unwrap().at;
    let second = chart(&bench, WEB, ChartSpan::Hour).await.chart.seen.unwrap().at;
    assert!(second > first);
    assert_eq!(bench.asked("GET", PATH), 2);
    bench.end().await;
}

#[tokio::test]
async fn what_was_read_stays_while_the_remote_is_away() {
    let bench = bench(Topology::single("9.2"), Duration::ZERO).await;
    let before = chart(&bench, WEB, ChartSpan::Hour).await.chart.seen.unwrap();
    bench.remote.fault(None, Fault::Refuse).await;
    // Those that were open broke before.
    bench.until("refused", |now| now.link.state.cause() == Some(&Cause::Refused)).await;
    let away = chart(&bench, WEB, ChartSpan::Hour).await.chart;
    let seen = away.seen.unwrap();
    assert_eq!((seen.at, &seen.value.at), (before.at, &before.value.at));
    assert_eq!(away.error.unwrap().cause, Cause::Refused);
    // What was never read is nothing, with the reason; not a chart without anything in it.
    let never = chart(&bench, WEB, ChartSpan::Year).await.chart;
    assert!(never.seen.is_none() && never.error.is_some());
    bench.end().await;
}

#[tokio::test]
async fn a_refusal_is_told_and_odd_figures_are_drift() {
    let bench = bench(Topology::single("9.2"), Duration::ZERO).await;
    let text = "Permission check failed (/vms/101, VM.Audit)".to_owned();
    let refused = bench.remote.fault(None, Fault::Forbidden { text }.on(PATH)).await;
    let read = chart(&bench, WEB, ChartSpan::Hour).await.chart;
    assert!(matches!(read.error.unwrap().cause, Cause::PrivilegeMissing { .. }));
    assert!(bench.now().link.state.is_up(), "and the link stands");
    bench.remote.clear(refused).await;
    let odd = Fault::WrongType { pointer: "/5/cpu".to_owned(), value: "lots".into() };
    bench.remote.fault(None, odd.on(PATH)).await;
    let read = chart(&bench, WEB, ChartSpan::Hour).await;
    let seen = read.chart.seen.unwrap();
    assert_eq!(seen.value.series.cpu.as_ref().unwrap()[5], None, "a gap there");
    assert!(
        seen.value.series.cpu.as_ref().unwrap()[6].is_some()
            && seen.value.series.net_in.as_ref().unwrap()[5].is_some()
    );
    assert_eq!(read.drift.len(), 1, "{:?}", read.drift);
    bench.until("drift at the remote", |now| !now.drift.is_empty()).await;
    bench.end().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_leaves_a_gap() {
    let bench = bench(Topology::single("9.2"), Duration::ZERO).await;
    bench.remote.fault(None, Fault::MissingField { pointer: "/7/time".to_owned() }.on(PATH)).await;
    let seen = chart(&bench, WEB, ChartSpan::Hour).await.chart.seen.unwrap();
    assert_eq!(seen.value.at.len(), 60, "its time stands");
    assert!(seen.value.series.iter().all(|(_, _, values)| values[7].is_none()), "with nothing at it");
    bench.end().await;
}

#[tokio::test]
async fn a_storage_is_of_one_node_unless_they_share_it() {
    let mut topology = Topology::cluster(2, "9.2");
    topology.remotes[0].storages.push(StorageSpec {
        name: "nas".to_owned(),
        kind: "nfs".to_owned(),
        content: "backup".to_owned(),
        shared: true,
        total: 1 << 40,
        used: 1 << 39,
    });
    let bench = bench(topology, Duration::from_secs(60)).await;
    bench.until("storages", |now| now.storages.len() == 6).await;
    let of = |storage: &str, node: Option<&str>| {
        let what = Charted::Storage { storage: Text::from(storage), node: node.map(NodeName::from) };
        bench.fleet.chart(bench.id, what, ChartSpan::Hour)
    };
    let shared = of("nas", None).await.unwrap();
    assert!(shared.node.is_some() && shared.chart.seen.unwrap().value.series.used.is_some());
    let Err(DetailError::WhichNode(nodes)) = of("local", None).await else { panic!("of neither") };
    assert_eq!(nodes.len(), 2);
    let second = of("local", Some("pve2")).await.unwrap();
    assert_eq!(second.node, Some(NodeName::from("pve2")));
    assert_eq!(bench.asked("GET", "/nodes/pve2/storage/local/rrddata"), 1);
    assert!(matches!(of("local", Some("pve9")).await, Err(DetailError::NoSuchStorage)));
    assert!(matches!(of("nope", None).await, Err(DetailError::NoSuchStorage)));
    let no_guest = bench.fleet.chart(bench.id, Charted::Guest(Vmid(999)), ChartSpan::Hour).await;
    assert!(matches!(no_guest, Err(DetailError::NoSuchGuest(_))));
    let no_node = bench.fleet.chart(bench.id, Charted::Node("pve9".into()), ChartSpan::Hour).await;
    assert!(matches!(no_node, Err(DetailError::NoSuchNode)));
    bench.end().await;
}

#[tokio::test]
async fn a_node_that_is_down_still_has_its_past() {
    let bench = bench(Topology::cluster(3, "9.2"), Duration::ZERO).await;
    bench.until("three nodes", |now| now.nodes.len() == 3).await;
    bench.remote.fault(None, Fault::NodeDown { node: "pve3".to_owned() }).await;
    let read = chart(&bench, Charted::Node("pve3".into()), ChartSpan::Hour).await.chart;
    assert!(read.error.is_none(), "{:?}", read.error);
    assert!(read.seen.unwrap().value.series.cpu.as_ref().unwrap().iter().flatten().count() > 50);
    bench.end().await;
}
