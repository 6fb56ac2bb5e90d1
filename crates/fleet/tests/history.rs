//! What history tells: one line per thing that happened, to whom, and what made it happen.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{Clock, Fleet, Timings};
use model::{Event, GuestState, Happening, Incarnation, NodeState, Presence, Vmid};
use pve_sim::world::Kind;
use pve_sim::world::spec::GuestInput;
use pve_sim::{Fault, Sim, SimTimings, Topology};
use serde_json::json;
use store::{EventFilter, ObservedKind};
use support::{Bench, Lasting, alice};

fn of(all: &[Event], vmid: u32) -> Vec<&Event> {
    all.iter().filter(|event| event.vmid == Some(Vmid(vmid))).collect()
}

fn words(all: &[Event], vmid: u32) -> Vec<&'static str> {
    of(all, vmid).iter().map(|event| event.what.word()).collect()
}

/// Time for several listings, in which what must not happen would.
async fn several_listings() {
    tokio::time::sleep(Duration::from_millis(1200)).await;
}

#[tokio::test]
async fn a_guest_that_migrates_behind_our_back_is_one_guest_and_one_line() {
    let (bench, lasting) = Bench::lasting(Topology::cluster(3, "9.2"), 1, Timings::shrunk()).await;
    let before = bench.ready().await;
    let on = before.guest(Vmid(201)).unwrap().guest.node.clone();
    bench.remote.with_world(|world, _| assert!(world.move_guest(201, "pve3")));
    bench.guest(201, "moved", |row| row.guest.node.as_str() == "pve3" && row.freshness.is_live()).await;
    several_listings().await;
    let now = bench.now();
    assert_eq!(now.guests.len(), before.guests.len());
    assert_eq!(now.guest(Vmid(201)).unwrap().incarnation, Incarnation(0));
    let all = lasting.history().await;
    assert_eq!(words(&all, 201), ["guest_appeared", "guest_moved"]);
    let line = of(&all, 201)[1];
    assert_eq!(line.what, Happening::GuestMoved { from: on, to: "pve3".into() });
    assert_eq!((line.remote, line.incarnation), (Some(bench.id), Some(Incarnation(0))));
    bench.end().await;
}

#[tokio::test]
async fn a_configuration_change_is_told_key_by_key_without_secrets_and_over_a_restart() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    let swept = |now: &fleet::RemoteSnapshot| {
        let parts = now.facet(model::FacetKind::GuestConfig).and_then(|one| one.parts);
        now.guests.len() == 4 && parts.is_some_and(|parts| parts.known == parts.due && parts.due == 4)
    };
    bench.until("all configurations", swept).await;
    bench.remote.with_world(|world, _| {
        let guest = world.guest_mut(102).unwrap();
        guest.set_config("onboot", Some("1"));
        guest.set_config("description", Some("a new one"));
    });
    let changed = |all: &[Event], key: &str| {
        of(all, 102).iter().any(|event| {
            matches!(&event.what, Happening::GuestConfig { changes }
                if changes.iter().any(|change| change.key.as_str() == key))
        })
    };
    let all = lasting.until("the change", |all| changed(all, "onboot")).await;
    let line = of(&all, 102).into_iter().find(|event| event.what.word() == "guest_config").unwrap();
    let Happening::GuestConfig { changes } = &line.what else { panic!() };
    let onboot = changes.iter().find(|change| change.key.as_str() == "onboot").unwrap();
    assert_eq!(onboot.to.as_deref(), Some("1"));
    assert!(changes.iter().all(|change| change.key.as_str() != "digest"), "{changes:?}");

    // What changed while Muster was not there.
    bench.fleet.stop().await;
    bench.remote.with_world(|world, _| {
        let guest = world.guest_mut(102).unwrap();
        guest.set_config("cipassword", Some("hunter2"));
        // Unlike a password, this is told by the host in the open.
        guest.set_config("env", Some("TOKEN=hunter2"));
    });
    let bench = bench.restart(&lasting, Timings::shrunk()).await;
    let all =
        lasting.until("the other change", |all| changed(all, "cipassword") && changed(all, "env")).await;
    assert!(!format!("{all:?}").contains("hunter2"), "no secret in history");
    assert!(!lasting.words_of(102).await.contains(&"guest_reborn"));
    bench.end().await;
}

#[tokio::test]
async fn a_number_used_again_is_another_life_and_the_old_one_stays_readable() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    bench.until("configurations", |now| now.guests.len() == 4).await;
    let name = bench.now().guest(Vmid(102)).unwrap().guest.name.clone();
    bench.remote.with_world(|world, _| assert!(world.remove_guest(102)));
    bench.guest(102, "deleted", |row| matches!(row.presence, Presence::Deleted { .. })).await;
    let bench = bench.restart(&lasting, Timings::shrunk()).await;
    assert!(matches!(bench.now().guest(Vmid(102)).unwrap().presence, Presence::Deleted { .. }));
    let second = GuestInput {
        vmid: 102,
        kind: Kind::Ct,
        name: "second".into(),
        node: "pve1".into(),
        running: false,
        tags: Vec::new(),
        pool: None,
        ha: false,
        template: false,
        agent: false,
        config: Vec::new(),
    };
    bench.remote.with_world(|world, _| world.add_guest(&second).unwrap());
    let now = bench
        .guest(102, "another", |row| row.guest.name.as_ref().is_some_and(|name| name.as_str() == "second"))
        .await;
    assert_eq!(now.guest(Vmid(102)).unwrap().incarnation, Incarnation(1));
    lasting.until("reborn", |all| words(all, 102).contains(&"guest_reborn")).await;
    let past = lasting.store.observed_kind(bench.id, ObservedKind::GuestPast).await.unwrap();
    assert_eq!(past.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["102/0"]);
    assert!(past[0].body.contains(name.unwrap().as_str()));
    let life = |n| EventFilter {
        remote: Some(bench.id),
        vmid: Some(Vmid(102)),
        incarnation: Some(Incarnation(n)),
        limit: 100,
        ..EventFilter::default()
    };
    assert!(lasting.store.events(life(0)).await.unwrap().len() >= 2, "the first life's own history");
    assert!(!lasting.store.events(life(1)).await.unwrap().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn a_privilege_taken_away_and_given_back_leaves_the_same_guests_with_the_same_history() {
    let (bench, lasting) = Bench::lasting_as(Topology::single("9.2"), 1, alice(), Timings::shrunk()).await;
    bench.until("all", |now| now.guests.len() == 4).await;
    bench.remote.with_world(|world, _| {
        world.grant("/vms/101", "alice@pve", "PVEAuditor");
        world.revoke("/", "alice@pve");
    });
    bench.guest(102, "hidden", |row| matches!(row.presence, Presence::NoLongerVisible { .. })).await;
    let bench = bench.restart(&lasting, Timings::shrunk()).await;
    let hidden = bench.now().guest(Vmid(102)).unwrap().presence.clone();
    assert!(matches!(hidden, Presence::NoLongerVisible { .. } | Presence::Missing { .. }), "{hidden:?}");
    bench.remote.with_world(|world, _| world.grant("/", "alice@pve", "PVEAuditor"));
    let back = bench.guest(102, "back", |row| row.presence.is_present() && row.freshness.is_live()).await;
    assert_eq!(back.guest(Vmid(102)).unwrap().incarnation, Incarnation(0));
    let all = lasting.until("told", |all| {
        let present = |event: &&Event| event.what == Happening::GuestPresence { presence: Presence::Present };
        of(all, 102).into_iter().any(|event| present(&event))
    });
    let told = words(&all.await, 102);
    assert_eq!(told.iter().filter(|word| **word == "guest_appeared").count(), 1, "{told:?}");
    assert!(!told.contains(&"guest_reborn"));
    bench.end().await;
}

#[tokio::test]
async fn nodes_and_quorum_go_and_come_in_one_line_each() {
    let (bench, lasting) = Bench::lasting(Topology::cluster(3, "9.2"), 1, Timings::shrunk()).await;
    bench.until("the cluster", |now| now.cluster.is_some() && now.nodes.len() == 3).await;
    bench.remote.with_world(|world, _| world.set_quorum(false));
    let lost = Happening::Quorum { quorate: false };
    lasting.until("quorum lost", |all| all.iter().any(|event| event.what == lost)).await;
    bench.remote.with_world(|world, _| world.set_quorum(true));
    let had = Happening::Quorum { quorate: true };
    lasting.until("quorum back", |all| all.iter().any(|event| event.what == had)).await;
    // Without quorum the others look as if they were down, too.
    bench.until("all up", |now| now.nodes.iter().all(|row| row.node.state == NodeState::Online)).await;
    let earlier = lasting.history().await.len();
    let fault = bench.remote.fault(None, Fault::NodeDown { node: "pve2".into() }).await;
    let down = |event: &Event| {
        event.node.as_ref().is_some_and(|node| node.as_str() == "pve2")
            && matches!(&event.what, Happening::NodeState { from: NodeState::Online, to: NodeState::Offline })
    };
    lasting.until("down", |all| all[earlier..].iter().any(down)).await;
    several_listings().await;
    bench.remote.clear(fault).await;
    bench.until("up", |now| now.nodes.iter().all(|row| row.node.state == NodeState::Online)).await;
    let all = lasting.history().await;
    assert_eq!(all[earlier..].iter().filter(|event| down(event)).count(), 1);
    for what in [&lost, &had] {
        assert_eq!(all.iter().filter(|event| event.what == *what).count(), 1, "{what:?}");
    }
    let appeared = all.iter().filter(|event| event.what.word() == "node_appeared").count();
    assert_eq!(appeared, 3);
    bench.end().await;
}

/// A cluster of three whose nodes answer on the same port of different addresses, as real ones do, and whose third has
/// not joined yet.
async fn growing() -> (Bench, Lasting) {
    for _ in 0..20 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut topology = Topology::cluster(3, "9.2");
        for (node, last) in topology.remotes[0].nodes.iter_mut().zip(1..) {
            node.listen = Some(std::net::SocketAddr::from(([127, 0, 0, last], port)));
        }
        let Ok(sim) = Sim::start(topology, SimTimings::fast()).await else { continue };
        let remote = sim.first().unwrap();
        remote.with_world(|world, _| world.set_joined("pve3", false));
        let lasting = Lasting::new().await;
        let fleet = Fleet::open(Timings::shrunk(), Clock::new(), 7, lasting.store.clone()).await.unwrap();
        let id = fleet.add(support::spec(&remote, 1, support::root()), &support::ada()).await.unwrap();
        return (Bench { sim, remote, fleet, id }, lasting);
    }
    panic!("no port was free on three addresses at once")
}

async fn proposed(bench: &Bench) -> Vec<String> {
    let found = bench.fleet.proposed_endpoints(bench.id, &fleet::onboard::Timings::shrunk()).await.unwrap();
    found.iter().map(|one| one.node.to_string()).collect()
}

#[tokio::test]
async fn a_node_that_joins_appears_once_with_its_guests_and_is_proposed_as_an_endpoint() {
    let (bench, lasting) = growing().await;
    let before = bench.until("two nodes", |now| now.nodes.len() == 2 && now.proposed == 1).await;
    assert_eq!(before.guests.len(), 6);
    assert_eq!(before.cluster.as_ref().unwrap().value.nodes, 2);
    assert_eq!(proposed(&bench).await, ["pve2"]);
    let earlier = lasting.history().await.len();
    bench.remote.with_world(|world, _| world.set_joined("pve3", true));
    let now = bench
        .until("the third", |now| {
            let there = now.node(&"pve3".into()).is_some_and(|row| {
                row.node.state == NodeState::Online
                    && row.node.version.is_some()
                    && row.node.certificate_ends.is_some()
                    && row.freshness.is_live()
            });
            let parts = now.facet(model::FacetKind::GuestConfig).and_then(|one| one.parts);
            there
                && now.guests.len() == 9
                && now.guests.iter().all(|row| row.freshness.is_live())
                && parts.is_some_and(|parts| parts.known == 9)
                && now.proposed == 2
        })
        .await;
    assert_eq!(now.cluster.as_ref().unwrap().value.nodes, 3);
    assert_eq!(proposed(&bench).await, ["pve2", "pve3"]);
    let detail = bench.fleet.guest_detail(bench.id, Vmid(301)).await.unwrap();
    assert!(detail.status.error.is_none() && detail.config.error.is_none());
    several_listings().await;
    let all = lasting.history().await;
    let news: Vec<(&str, Option<u32>)> =
        all[earlier..].iter().map(|event| (event.what.word(), event.vmid.map(|vmid| vmid.0))).collect();
    let times = |what: &(&str, Option<u32>)| news.iter().filter(|one| *one == what).count();
    assert_eq!(times(&("node_appeared", None)), 1, "{news:?}");
    for vmid in [300, 301, 302] {
        assert_eq!(times(&("guest_appeared", Some(vmid))), 1, "{news:?}");
    }
    let expected = ["node_appeared", "guest_appeared"];
    assert!(news.iter().all(|(word, _)| expected.contains(word)), "and nothing else happened: {news:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_node_of_a_cluster_that_is_renamed_keeps_its_guests_and_they_can_be_switched_there() {
    let (bench, lasting) = Bench::lasting(Topology::cluster(3, "9.2"), 1, Timings::shrunk()).await;
    let before = bench.until("three", |now| now.nodes.len() == 3 && now.guests.len() == 9).await;
    let earlier = lasting.history().await.len();
    bench.remote.with_world(|world, _| world.rename_node("pve3", "rack3"));
    let now = bench
        .until("renamed", |now| {
            now.node(&"rack3".into()).is_some_and(|row| row.freshness.is_live())
                && now.guests.iter().filter(|row| row.guest.node.as_str() == "rack3").count() == 3
        })
        .await;
    assert_eq!(now.nodes.len(), 3, "{:?}", now.nodes);
    assert_eq!(now.guests.len(), before.guests.len());
    let id = bench.operate(302, model::Action::Start).await;
    assert_eq!(bench.ended(id).await.state, model::OperationState::Succeeded);
    assert_eq!(bench.mutations()[0].api_path(), "/nodes/rack3/lxc/302/status/start");
    several_listings().await;
    let all = lasting.history().await;
    let words: Vec<&str> = all[earlier..].iter().map(|event| event.what.word()).collect();
    assert_eq!(words.iter().filter(|word| **word == "node_renamed").count(), 1, "{words:?}");
    for word in ["guest_moved", "node_appeared", "node_missing", "guest_presence", "guest_reborn"] {
        assert!(!words.contains(&word), "{words:?}");
    }
    bench.end().await;
}

#[tokio::test]
async fn a_host_that_goes_by_another_name_has_the_same_guests() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    let before = bench.ready().await;
    bench.remote.with_world(|world, _| {
        world.override_field("/cluster/resources", "/*/node", json!("renamed"));
    });
    let now = bench
        .until("renamed", |now| {
            now.guests.iter().all(|row| row.guest.node.as_str() == "renamed") && now.nodes.len() == 1
        })
        .await;
    assert_eq!(now.nodes[0].node.name.as_str(), "renamed");
    assert_eq!(now.guests.len(), before.guests.len());
    let all = lasting.until("told", |all| all.iter().any(|one| one.what.word() == "node_renamed")).await;
    let moved = all.iter().filter(|event| event.what.word() == "guest_moved").count();
    assert_eq!(moved, 0, "nobody moved");
    bench.end().await;
}

#[tokio::test]
async fn the_link_is_told_when_it_goes_and_when_it_comes_and_not_at_every_try() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Refuse).await;
    bench.link("backing_off").await;
    several_listings().await;
    bench.remote.clear_all().await;
    bench.until("live", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    let bench = bench.restart(&lasting, Timings::shrunk()).await;
    bench.ready().await;
    bench.until("live", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    let all = lasting.history().await;
    let links: Vec<String> = all
        .iter()
        .filter_map(|event| match &event.what {
            Happening::Link { link } => {
                Some(format!("{} {}", link.word(), link.cause().map_or("", model::Cause::code)))
            }
            _ => None,
        })
        .collect();
    assert_eq!(links.first().map(String::as_str), Some("connected "), "{links:?}");
    assert_eq!(links.last().map(String::as_str), Some("connected "), "{links:?}");
    assert!(links.len() <= 4, "a few, not one for each try: {links:?}");
    bench.end().await;
}

#[tokio::test]
async fn a_listing_cut_in_the_middle_or_with_a_row_missing_deletes_nothing() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    bench.ready().await;
    let fault = bench.remote.fault(None, Fault::Cut { after_bytes: 300 }.on("/cluster/resources")).await;
    several_listings().await;
    assert_eq!(bench.now().guests.len(), 4);
    bench.remote.clear(fault).await;
    bench.until("live", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    let all = lasting.history().await;
    let gone = |event: &&Event| {
        matches!(&event.what, Happening::GuestPresence { presence } if !presence.is_present())
            || event.what == Happening::NodeMissing
    };
    assert_eq!(all.iter().filter(gone).count(), 0);

    // A listing that is whole by itself, but lacks a guest and a node whose configuration and status are there.
    bench.remote.with_world(|world, _| world.remove_field("/cluster/resources", "/id=lxc~1102"));
    let lacking = bench.guest(102, "missing", |row| matches!(row.presence, Presence::Missing { .. })).await;
    let name = lacking.guest(Vmid(102)).unwrap().guest.name.clone();
    assert!(name.is_some() && lacking.guests.len() == 4, "it is still shown");
    several_listings().await;
    several_listings().await;
    let now = bench.now();
    let row = now.guest(Vmid(102)).unwrap();
    assert!(matches!(row.presence, Presence::Missing { .. }), "not deleted: {:?}", row.presence);
    assert!(now.guests.iter().all(|row| row.guest.vmid == Vmid(102) || row.freshness.is_live()));
    bench.remote.with_world(|world, _| world.clear_overrides());
    let back = bench.guest(102, "back", |row| row.presence.is_present() && row.freshness.is_live()).await;
    assert_eq!(back.guest(Vmid(102)).unwrap().incarnation, Incarnation(0));
    several_listings().await;
    let told = lasting.words_of(102).await;
    assert_eq!(told, ["guest_appeared", "guest_presence", "guest_presence"], "gone and back, and no more");
    bench.end().await;
}

#[tokio::test]
async fn what_departs_from_the_documents_is_kept_once() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, Timings::shrunk()).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| {
        world.override_field("/cluster/resources", "/*/maxcpu", json!({ "odd": true }));
    });
    bench.until("drift", |now| !now.drift.is_empty()).await;
    several_listings().await;
    let kept = lasting.store.drift(Some(bench.id), 100).await.unwrap();
    assert!(!kept.is_empty() && kept.len() < 5, "{kept:?}");
    assert!(kept[0].1.key.contains("maxcpu"), "{kept:?}");
    assert!(kept.iter().all(|(first, one)| *first == one.at), "told once: {kept:?}");
    bench.end().await;
}

#[tokio::test]
async fn the_same_number_on_two_remotes_is_two_guests() {
    let mut topology = Topology::single("9.2");
    let mut second = topology.remotes[0].clone();
    second.name = "second".into();
    topology.remotes.push(second);
    let (bench, lasting) = Bench::lasting(topology, 1, Timings::shrunk()).await;
    let other = bench.sim.remote("second").unwrap();
    let spec = support::spec(&other, 1, support::root());
    let id = bench.fleet.add(spec, &support::ada()).await.unwrap();
    bench.until("both", |_| bench.fleet.snapshot().remotes.iter().all(|one| one.guests.len() == 4)).await;
    other.with_world(|world, now| world.guest_mut(102).unwrap().set_run(pve_sim::world::Run::Running, now));
    bench
        .until("one of them runs", |_| {
            bench.fleet.remote(id).unwrap().guest(Vmid(102)).unwrap().guest.state == GuestState::Running
        })
        .await;
    assert_eq!(bench.now().guest(Vmid(102)).unwrap().guest.state, GuestState::Stopped);
    let all = lasting.until("told", |all| {
        all.iter().any(|event| event.vmid == Some(Vmid(102)) && event.what.word() == "guest_state")
    });
    let all = all.await;
    let states: Vec<_> =
        all.iter().filter(|event| event.what.word() == "guest_state").map(|e| e.remote).collect();
    assert_eq!(states, [Some(id)]);
    bench.end().await;
}
