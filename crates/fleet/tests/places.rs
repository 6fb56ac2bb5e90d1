//! Nodes and storages looked at closely: what they say now, what they said last, whose disks lie where.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{DetailError, StorageDetail, Timings};
use model::{Cause, NodeName, Text, Vmid};
use pve_sim::topology::StorageSpec;
use pve_sim::{Fault, Topology};
use support::{Bench, alice, root};

async fn storage(bench: &Bench, name: &str, node: Option<&str>, anew: bool) -> StorageDetail {
    let node = node.map(NodeName::from);
    bench.fleet.storage_detail(bench.id, &Text::from(name), node.as_ref(), anew).await.unwrap()
}

/// Waits until the host refuses connections; those that were open broke before.
async fn refused(bench: &Bench) {
    bench.until("refused", |now| now.link.state.cause() == Some(&Cause::Refused)).await;
}

#[tokio::test]
async fn a_node_says_how_it_is_and_what_it_said_is_kept() {
    let bench = Bench::new(Topology::cluster(2, "9.2")).await;
    bench.until("nodes", |now| now.nodes.len() == 2).await;
    let second = NodeName::from("pve2");
    let detail = bench.fleet.node_detail(bench.id, &second, true).await.unwrap();
    let seen = detail.status.seen.unwrap();
    assert!(detail.status.error.is_none() && detail.drift.is_empty());
    assert!(seen.value.cpuinfo.as_ref().unwrap().model.is_some());
    assert!(seen.value.pveversion.as_deref().unwrap().starts_with("pve-manager/9.2"));

    // The node goes down behind a cluster that answers: what it said stays, with why it says no more.
    bench.remote.fault(None, Fault::NodeDown { node: "pve2".to_owned() }).await;
    let down = bench.fleet.node_detail(bench.id, &second, true).await.unwrap().status;
    assert!(matches!(down.error.unwrap().cause, Cause::NodeDown { .. }));
    assert!(down.seen.unwrap().at >= seen.at);
    bench.remote.fault(None, Fault::Refuse).await;
    refused(&bench).await;
    let away = bench.fleet.node_detail(bench.id, &second, true).await.unwrap().status;
    assert!(away.seen.is_some() && away.error.unwrap().cause == Cause::Refused);
    let known = bench.fleet.node_detail(bench.id, &second, false).await.unwrap().status;
    assert!(known.seen.is_some() && known.error.is_none(), "nobody asked");
    let none = bench.fleet.node_detail(bench.id, &"pve9".into(), true).await;
    assert!(matches!(none, Err(DetailError::NoSuchNode)));
    bench.end().await;
}

#[tokio::test]
async fn what_a_poll_reads_of_a_node_is_what_is_known_of_it() {
    let bench = Bench::new(Topology::single("8.4")).await;
    let read = |now: &fleet::RemoteSnapshot| now.nodes.first().is_some_and(|row| row.node.version.is_some());
    bench.until("the first status", read).await;
    let known = bench.fleet.node_detail(bench.id, &"pve1".into(), false).await.unwrap();
    assert!(known.status.seen.is_some(), "without anybody having looked");
    bench.end().await;
}

#[tokio::test]
async fn what_a_node_said_outlives_a_restart() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    let name = NodeName::from("pve1");
    let read = |now: &fleet::RemoteSnapshot| now.nodes.first().is_some_and(|row| row.node.version.is_some());
    bench.until("the first status", read).await;
    let before = bench.fleet.node_detail(bench.id, &name, false).await.unwrap().status.seen.unwrap();
    bench.remote.fault(None, Fault::Refuse).await;
    refused(&bench).await;
    let bench = bench.restart(&lasting, Timings::shrunk()).await;
    let after = bench.fleet.node_detail(bench.id, &name, true).await.unwrap().status;
    let seen = after.seen.unwrap();
    assert_eq!(seen.value.cpuinfo, before.value.cpuinfo);
    assert_eq!((&seen.value.kversion, &seen.through), (&before.value.kversion, &before.through));
    assert!(after.error.is_some());
    bench.end().await;
}

#[tokio::test]
async fn a_storage_tells_what_lies_there_and_whose_that_is() {
    let bench = Bench::new(Topology::cluster(2, "9.2")).await;
    bench.until("storages", |now| now.storages.len() == 4).await;
    let all = storage(&bench, "local-lvm", None, true).await;
    assert_eq!(all.looks.len(), 2, "each node has it to itself");
    assert!(all.looks.iter().all(|look| !look.shared && look.contents.error.is_none()));
    assert_eq!(all.guests.len(), bench.now().guests.len());
    let first = storage(&bench, "local-lvm", Some("pve1"), true).await;
    assert!(first.looks.len() == 1 && first.guests.len() < all.guests.len());
    let share = &first.guests[&Vmid(101)];
    assert_eq!(share.listed[&Text::from("rootdir")].volumes, 1);
    assert!(share.listed[&Text::from("rootdir")].bytes.unwrap() > 1 << 30);
    let isos = &storage(&bench, "local", Some("pve1"), true).await.looks[0];
    assert_eq!(isos.contents.seen.as_ref().unwrap().value.kinds[&Text::from("iso")].volumes, 1);
    let none = bench.fleet.storage_detail(bench.id, &Text::from("nope"), None, true).await;
    assert!(matches!(none, Err(DetailError::NoSuchStorage)));
    bench.end().await;
}

#[tokio::test]
async fn whose_disks_are_not_listed_is_told_by_the_configurations() {
    // An auditor's account sees the storage, and nobody's disks on it.
    let bench = Bench::with(Topology::single("9.2"), 1, alice(), Timings::shrunk()).await;
    bench.ready().await;
    let path = "/nodes/pve1/storage/local-lvm/content";
    let known = |detail: &StorageDetail| detail.guests.get(&Vmid(101)).is_some_and(|share| share.configured);
    let mut detail = storage(&bench, "local-lvm", None, true).await;
    let begun = std::time::Instant::now();
    while !known(&detail) {
        assert!(begun.elapsed() < support::PATIENCE, "its configuration never came: {:?}", detail.guests);
        tokio::time::sleep(Duration::from_millis(30)).await;
        detail = storage(&bench, "local-lvm", None, false).await;
    }
    assert!(bench.asked("GET", path) >= 1);
    let listed = detail.looks[0].contents.seen.as_ref().unwrap();
    assert!(listed.value.kinds.is_empty(), "{:?}", listed.value);
    assert!(detail.guests[&Vmid(101)].listed.is_empty());
    bench.end().await;
}

/// Whose disks nobody was told of, and whose configuration was not read, may have some there.
#[tokio::test]
async fn guests_of_which_nothing_is_known_are_counted() {
    let bench = Bench::with(Topology::single("9.2"), 1, alice(), Timings::shrunk()).await;
    let text = "Permission check failed (/vms, VM.Audit)".to_owned();
    bench.remote.fault(None, Fault::Forbidden { text }.on("/nodes/*/*/*/config")).await;
    bench.until("storages", |now| now.storages.len() == 2).await;
    let guests = bench.now().guests.len();
    let detail = storage(&bench, "local-lvm", None, true).await;
    assert!(detail.looks[0].contents.error.is_none(), "{:?}", detail.looks);
    assert_eq!((detail.guests.len(), detail.guests_unknown), (0, guests), "{detail:?}");
    assert_eq!((detail.unread, detail.nodes_left_out), (None, 0));
    bench.remote.clear_all().await;
    let begun = std::time::Instant::now();
    while storage(&bench, "local-lvm", None, false).await.guests_unknown > 0 {
        assert!(begun.elapsed() < support::PATIENCE, "their configurations never came");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    // Of what is listed, no configuration is needed to know.
    let root = Bench::new(Topology::single("9.2")).await;
    let text = "no".to_owned();
    root.remote.fault(None, Fault::Forbidden { text }.on("/nodes/*/*/*/config")).await;
    root.until("storages", |now| now.storages.len() == 2).await;
    assert_eq!(storage(&root, "local-lvm", None, true).await.guests_unknown, 0);
    root.end().await;
    bench.end().await;
}

#[tokio::test]
async fn of_too_many_nodes_some_are_not_asked_and_that_is_told() {
    let bench = Bench::new(Topology::cluster(18, "9.2")).await;
    bench.until("storages", |now| now.storages.len() == 36).await;
    let detail = storage(&bench, "local", None, true).await;
    assert_eq!((detail.looks.len(), detail.nodes_left_out), (18, 2));
    let seen = detail.looks.iter().filter(|look| look.contents.seen.is_some()).count();
    assert_eq!(seen, 16);
    assert_eq!(storage(&bench, "local", None, false).await.nodes_left_out, 0, "nobody was to be asked");
    let last = storage(&bench, "local", Some(detail.looks[17].node.as_str()), true).await;
    assert!(last.looks[0].contents.seen.is_some() && last.nodes_left_out == 0);
    bench.end().await;
}

/// What did not fit the reply that is shown is shown with it, as long as that is.
#[tokio::test]
async fn drift_stays_with_what_it_is_about() {
    let timings = Timings { chart: Duration::from_secs(60), ..Timings::shrunk() };
    let bench = Bench::with(Topology::single("9.2"), 1, root(), timings).await;
    bench.until("storages", |now| now.storages.len() == 2).await;
    let path = "/nodes/pve1/storage/local/content";
    let odd = |pointer: &str| Fault::WrongType { pointer: pointer.to_owned(), value: "lots".into() };
    bench.remote.fault(None, odd("/0/size").on(path)).await;
    bench.remote.fault(None, odd("/uptime").on("/nodes/pve1/status")).await;
    for again in 0..2 {
        let detail = storage(&bench, "local", None, true).await;
        assert_eq!(detail.drift.len(), 1, "{again}: {:?}", detail.drift);
    }
    assert_eq!(bench.asked("GET", path), 1);
    assert_eq!(storage(&bench, "local", None, false).await.drift.len(), 1);
    let node = NodeName::from("pve1");
    for anew in [true, false] {
        let detail = bench.fleet.node_detail(bench.id, &node, anew).await.unwrap();
        assert_eq!(detail.drift.len(), 1, "{anew}: {:?}", detail.drift);
    }
    bench.end().await;
}

#[tokio::test]
async fn what_lay_on_a_storage_outlives_a_restart() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    bench.until("storages", |now| now.storages.len() == 2).await;
    let before = storage(&bench, "local-lvm", None, true).await;
    let seen = before.looks[0].contents.seen.clone().unwrap();
    assert!(!before.guests.is_empty());
    bench.remote.fault(None, Fault::Refuse).await;
    refused(&bench).await;
    let bench = bench.restart(&lasting, Timings::shrunk()).await;
    let after = storage(&bench, "local-lvm", None, true).await;
    let kept = after.looks[0].contents.seen.as_ref().unwrap();
    assert_eq!((&kept.value, &kept.through), (&seen.value, &seen.through));
    assert_eq!(kept.at.as_millisecond(), seen.at.as_millisecond());
    assert!(after.looks[0].contents.error.is_some());
    assert_eq!(after.guests.len(), before.guests.len());
    bench.end().await;
}

#[tokio::test]
async fn contents_are_asked_for_once_in_a_while_and_kept() {
    let timings = Timings { chart: Duration::from_secs(60), ..Timings::shrunk() };
    let bench = Bench::with(Topology::single("9.2"), 1, root(), timings).await;
    bench.until("storages", |now| now.storages.len() == 2).await;
    let path = "/nodes/pve1/storage/local/content";
    assert!(storage(&bench, "local", None, false).await.looks[0].contents.seen.is_none(), "never asked");
    for _ in 0..3 {
        assert!(storage(&bench, "local", None, true).await.looks[0].contents.seen.is_some());
    }
    assert_eq!(bench.asked("GET", path), 1);
    bench.remote.fault(None, Fault::Refuse).await;
    refused(&bench).await;
    let away = &storage(&bench, "local", None, true).await.looks[0].contents;
    assert!(away.seen.is_some() && away.error.as_ref().unwrap().cause == Cause::Refused);
    bench.end().await;
}

#[tokio::test]
async fn what_nodes_share_is_asked_of_one_of_them() {
    let mut topology = Topology::cluster(3, "9.2");
    topology.remotes[0].storages.push(StorageSpec {
        name: "nas".to_owned(),
        kind: "nfs".to_owned(),
        content: "backup,images".to_owned(),
        shared: true,
        total: 1 << 40,
        used: 1 << 39,
    });
    let bench = Bench::new(topology).await;
    bench.until("storages", |now| now.storages.len() == 9).await;
    let asked = |bench: &Bench| -> usize {
        ["pve1", "pve2", "pve3"]
            .iter()
            .map(|n| bench.asked("GET", &format!("/nodes/{n}/storage/nas/content")))
            .sum()
    };
    let detail = storage(&bench, "nas", None, true).await;
    assert_eq!((detail.looks.len(), detail.looks[0].shared, asked(&bench)), (1, true, 1));
    bench.end().await;
}
