//! What is seen of a remote, over real sockets: last known good, and honest about what is not known.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{Standing, Timings};
use model::facet::Coverage;
use model::operation::FailedWhy;
use model::{
    Action, Availability, Cause, FacetKind, Freshness, GuestState, NodeState, OperationState, Presence,
    StaleWhy, Vmid,
};
use pve_sim::{Fault, Topology};
use serde_json::json;
use support::{Bench, ada, alice, root};

fn facet(snapshot: &fleet::RemoteSnapshot, facet: FacetKind) -> Coverage {
    snapshot.facet(facet).unwrap_or_else(|| panic!("{facet} was not read")).clone()
}

#[tokio::test]
async fn everything_is_there_and_every_facet_is_read() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    let now = bench
        .until("every facet", |now| {
            now.coverage.len() == FacetKind::ALL.len()
                && now.coverage.iter().all(|one| {
                    // Virtual machines without an agent do not tell their addresses.
                    let whole = one.parts.is_none_or(|parts| parts.known == parts.due);
                    one.last_success.is_some()
                        && one.last_error.is_none()
                        && (whole || one.facet == FacetKind::Addresses)
                })
        })
        .await;
    assert_eq!(now.guests.len(), 9);
    assert_eq!(now.nodes.len(), 3);
    assert!(!now.storages.is_empty());
    for row in &now.guests {
        assert!(row.freshness.is_live() && row.observed_at.is_some() && row.through.is_some());
        assert!(row.guest.name.is_some());
    }
    for node in &now.nodes {
        assert_eq!(node.node.state, NodeState::Online);
        assert!(node.node.version.is_some() && node.node.certificate_ends.is_some(), "{node:?}");
    }
    let cluster = now.cluster.as_ref().unwrap();
    assert_eq!((cluster.value.quorate, cluster.value.nodes), (Some(true), 3));
    assert!(now.identity.is_some() && now.same_as.is_none());
    assert!(now.ha.iter().any(|row| row.id.as_str() == "service:ct:101"));
    assert!(now.guest(Vmid(101)).unwrap().guest.ha.is_some());
    assert!(now.traffic.requests_per_minute > 10 && now.traffic.bytes_per_minute > 1000);
    assert_eq!(now.versions.len(), 1);
    let running = now.guest(Vmid(101)).unwrap();
    assert!(running.addresses.as_ref().is_some_and(|seen| !seen.value.is_empty()));
    bench.end().await;
}

#[tokio::test]
async fn the_same_cluster_added_twice_is_noticed() {
    let bench = Bench::new(Topology::cluster(2, "9.2")).await;
    let mut again = support::spec(&bench.remote, 2, root());
    again.endpoints.remove(0);
    assert!(bench.fleet.add(again.clone(), &ada()).await.is_err(), "the name is taken");
    again.name = "again".into();
    bench.until("its identity", |now| now.identity.is_some()).await;
    let twin = bench.fleet.add(again, &ada()).await.unwrap();
    let mut changed = bench.fleet.changed();
    tokio::time::timeout(support::PATIENCE, async {
        while bench.fleet.remote(twin).unwrap().same_as.is_none() {
            changed.changed().await.unwrap();
        }
    })
    .await
    .unwrap();
    assert_eq!(bench.fleet.remote(twin).unwrap().same_as.as_ref().unwrap().as_str(), "cluster");
    bench.end().await;
}

/// By its authority a remote is known: that it has another one may mean that its name leads elsewhere by now.
#[tokio::test]
async fn another_authority_is_not_taken_over_in_silence() {
    let timings = Timings { certificates: Duration::from_millis(200), ..Timings::shrunk() };
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, timings).await;
    let before = bench.until("its identity", |now| now.identity.is_some()).await;
    let other = ["AB"; 32].join(":");
    let fault = Fault::WrongType { pointer: "/*/fingerprint".into(), value: json!(other) };
    bench.remote.fault(None, fault.on("/nodes/*/certificates/info")).await;
    let is = Some(other.as_str());
    bench.until("another", |now| now.identity.as_ref().map(model::Text::as_str) == is).await;
    let told = |event: &model::Event| match &event.what {
        model::Happening::RemoteEdited { changes } => changes.iter().any(|one| {
            one.key.as_str() == "identity"
                && one.from.as_deref() == before.identity.as_ref().map(model::Text::as_str)
                && one.to.as_deref() == is
        }),
        _ => false,
    };
    lasting.until("told", |all| all.iter().filter(|event| told(event)).count() == 1).await;
    bench.end().await;
}

#[tokio::test]
async fn ha_managed_in_all_its_forms() {
    let path = "/nodes/pve1/lxc/101/status/current";
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let plain = bench.fleet.guest_detail(bench.id, Vmid(101)).await.unwrap();
    let plain = plain.status.seen.unwrap().value;
    // What stands in `managed`, what is understood of it; `None`: the field is not there at all.
    let forms = [
        (Some(json!(0)), Some(false)),
        (Some(json!(1)), Some(true)),
        (Some(json!(true)), Some(true)),
        (Some(json!(false)), Some(false)),
        (Some(json!("1")), Some(true)),
        (Some(json!("")), Some(false)),
        (Some(json!(null)), None),
        (None, None),
    ];
    let list = [("/ha", Some(json!([])), None, 1), ("/ha", Some(json!([{"managed": 1}])), None, 1)];
    let all = forms.into_iter().map(|(value, managed)| ("/ha/managed", value, managed, 0)).chain(list);
    let mut on = true;
    for (pointer, value, managed, drift) in all {
        let shown = format!("{pointer} = {value:?}");
        bench.remote.with_world(|world, _| {
            world.clear_overrides();
            match &value {
                Some(value) => world.override_field(path, pointer, value.clone()),
                None => world.remove_field(path, pointer),
            }
        });
        let detail = bench.fleet.guest_detail(bench.id, Vmid(101)).await.unwrap();
        let error = detail.status.error.as_ref();
        assert!(error.is_none(), "{shown}: {error:?}");
        let status = detail.status.seen.clone().unwrap().value;
        assert_eq!(status.ha_managed(), managed, "{shown}");
        assert_eq!(
            (&status.vmid, &status.name, &status.maxmem, &status.cpus, &status.maxdisk),
            (&plain.vmid, &plain.name, &plain.maxmem, &plain.cpus, &plain.maxdisk),
            "{shown}: everything else is read"
        );
        let found = detail.drift.iter().filter(|one| one.call.ends_with("/status/current")).count();
        assert_eq!(found, drift, "{shown}: {:?}", detail.drift);

        let action = if on { Action::Stop } else { Action::Start };
        let id = bench.operate(101, action).await;
        assert_eq!(bench.ended(id).await.state, OperationState::Succeeded, "{shown}: {action}");
        on = !on;
        let wanted = if on { GuestState::Running } else { GuestState::Stopped };
        bench.guest(101, "acted on", |row| row.guest.state == wanted && row.busy.is_none()).await;
        let said = serde_json::to_string(&*bench.now()).unwrap() + &serde_json::to_string(&detail).unwrap();
        assert!(!said.contains("unreachable"), "{shown}");
        assert!(bench.now().link.state.is_up(), "{shown}");
    }
    bench.end().await;
}

#[tokio::test]
async fn odd_names_pass_unharmed() {
    let names = [
        "<script>alert('x')</script>&amp;\"".to_owned(),
        "x".repeat(200),
        "🦀🐢 naïve — 名前".to_owned(),
        "\u{202e}txt.exe שלום".to_owned(),
        "../../etc/passwd%2F?a=b#c".to_owned(),
        "two\nlines\tand a tab".to_owned(),
    ];
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    for name in names {
        bench.remote.with_world(|world, _| {
            let guest = world.guest_mut(102).unwrap();
            guest.set_name(&name);
            guest.set_pool(Some("a/b c%<i>"));
            guest.set_config("tags", Some("prod;ä-ö;🦀"));
        });
        let now = bench
            .guest(102, &name, |row| row.guest.name.as_ref().is_some_and(|seen| seen.as_str() == name))
            .await;
        let row = now.guest(Vmid(102)).unwrap();
        assert_eq!(row.guest.pool.as_ref().unwrap().as_str(), "a/b c%<i>");
        let tags: Vec<_> = row.guest.tags.iter().map(model::Text::as_str).collect();
        assert_eq!(tags, ["prod", "ä-ö", "🦀"]);
        let id = bench.operate(102, Action::Start).await;
        let operation = bench.ended(id).await;
        assert_eq!(operation.state, OperationState::Succeeded, "{name}");
        assert_eq!(operation.name.as_ref().unwrap().as_str(), name);
        bench.guest(102, "running", |row| row.guest.state == GuestState::Running && row.busy.is_none()).await;
        let id = bench.operate(102, Action::Stop).await;
        bench.ended(id).await;
        bench.guest(102, "stopped", |row| row.guest.state == GuestState::Stopped && row.busy.is_none()).await;
    }
    bench.end().await;
}

#[tokio::test]
async fn when_the_link_is_cut_everything_stays_with_its_age_and_comes_back_by_itself() {
    let bench = Bench::new(Topology::cluster(2, "8.4")).await;
    let before = bench.ready().await;
    bench.remote.fault(None, Fault::Refuse).await;
    // Requests that were under way are reset; then the port is seen to be closed.
    let cut = bench
        .until("refused", |now| {
            now.link.state.word() == "backing_off" && now.link.state.cause() == Some(&Cause::Refused)
        })
        .await;
    assert_eq!(cut.guests.len(), before.guests.len());
    for row in &cut.guests {
        let Freshness::Stale { since, why: StaleWhy::Link { cause } } = &row.freshness else {
            panic!("{:?}", row.freshness)
        };
        assert_eq!(**cause, Cause::Refused);
        assert_eq!(Some(*since), row.observed_at);
        assert_eq!(row.standing, Standing::OutOfReach);
        assert!(row.guest.name.is_some());
    }
    assert!(cut.nodes.iter().all(|row| !row.freshness.is_live()));
    assert!(cut.storages.iter().all(|row| !row.freshness.is_live()));
    assert!(cut.link.sentence().starts_with("connection refused"), "{}", cut.link.sentence());
    assert!(
        cut.link.next_try().is_some() && cut.link.last_success.is_some() && cut.link.down_since.is_some()
    );
    let now = Clock::now();
    let may = cut.availability(Vmid(102), Action::Start, now).unwrap();
    assert!(
        matches!(&may, Availability::MayFail { why } if why.starts_with("may fail: last seen")),
        "{may:?}"
    );
    let detail = bench.fleet.guest_detail(bench.id, Vmid(101)).await.unwrap();
    assert_eq!(detail.status.error.unwrap().cause, Cause::Refused);

    bench.remote.clear_all().await;
    let back = bench.until("live again", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    assert!(back.guests[0].observed_at > before.guests[0].observed_at);
    bench.end().await;
}

struct Clock;

impl Clock {
    fn now() -> model::Now {
        fleet::Clock::new().now()
    }
}

#[tokio::test]
async fn a_dead_node_takes_nothing_away() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    let whole = |now: &fleet::RemoteSnapshot| {
        !now.guests.is_empty() && now.nodes.iter().all(|row| row.node.version.is_some())
    };
    let before = bench.until("listing and nodes", whole).await;
    let names: Vec<_> = before.guests.iter().map(|row| row.guest.name.clone()).collect();
    let fault = bench.remote.fault(None, Fault::NodeDown { node: "pve2".into() }).await;
    // 201 and 202 are not under HA; the manager may well move 200.
    let down = |row: &fleet::GuestRow| matches!(&row.standing, Standing::NodeDown { node } if node.as_str() == "pve2");
    let at_first = bench.guest(201, "node down", down).await;
    // After (shrunk) five minutes Proxmox forgets their names.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let wire = bench.remote.with_world(|world, _| world.guest(201).is_some());
    assert!(wire);
    let listed_since = |now: &fleet::RemoteSnapshot| {
        now.guests
            .iter()
            .filter(|row| row.guest.node.as_str() != "pve2")
            .all(|row| row.observed_at > at_first.guest(row.guest.vmid).and_then(|first| first.observed_at))
    };
    bench.until("another listing", listed_since).await;
    let late = bench.guest(201, "still node down", down).await;
    assert!(late.link.state.is_up());
    for (row, name) in late.guests.iter().zip(&names) {
        assert_eq!(&row.guest.name, name);
        if row.guest.node.as_str() == "pve2" {
            let json = serde_json::to_value(row).unwrap();
            assert_eq!(json["state"], "unknown", "nobody reads a state into a row of a dead node");
            assert_eq!(json["last_state"], row.guest.state.word());
            let Freshness::Stale { since, why: StaleWhy::NodeDown { .. } } = &row.freshness else {
                panic!("{:?}", row.freshness)
            };
            assert_eq!(Some(*since), row.observed_at);
            assert_ne!(row.guest.state, GuestState::Unknown, "the last known state stays");
        } else {
            assert!(row.freshness.is_live(), "{:?}", row.freshness);
        }
    }
    let row = late.guest(Vmid(201)).unwrap();
    assert_eq!(row.guest.state, GuestState::Running);
    assert!(row.guest.memory_max.is_some() && row.guest.cpu.is_some());
    let node = late.node(&"pve2".into()).unwrap();
    assert_eq!(node.node.state, NodeState::Offline);
    assert!(node.node.version.is_some() && node.observed_at.is_some());
    let may = late.availability(Vmid(202), Action::Start, Clock::now()).unwrap();
    let Availability::MayFail { why } = &may else { panic!("{may:?}") };
    assert!(why.contains("node pve2 is down"), "{why}");
    // Pressed anyway, Proxmox's own words come back.
    let id = bench.operate(202, Action::Start).await;
    let ended = bench.ended(id).await;
    assert!(
        matches!(&ended.state, OperationState::Failed(FailedWhy::Refused { cause: Cause::NodeDown { .. } })),
        "{:?}",
        ended.state
    );

    bench.remote.clear(fault).await;
    bench.guest(201, "live again", |row| row.freshness.is_live()).await;
    bench.end().await;
}

#[tokio::test]
async fn without_quorum_reads_go_on_and_writes_say_why_not() {
    let bench = Bench::new(Topology::cluster(3, "9.2")).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::QuorumLost).await;
    let lost = bench
        .until("no quorum", |now| now.cluster.as_ref().is_some_and(|c| c.value.quorate == Some(false)))
        .await;
    let may = lost.availability(Vmid(102), Action::Start, Clock::now()).unwrap();
    assert!(matches!(&may, Availability::MayFail { why } if why.contains("quorum")), "{may:?}");
    let id = bench.operate(102, Action::Start).await;
    let ended = bench.ended(id).await;
    let words =
        ended.state.sentence() + &ended.last_lines.iter().map(|line| line.to_string()).collect::<String>();
    assert_eq!(ended.state.word(), "failed");
    assert!(words.contains("quorum"), "{words}");
    if let OperationState::Failed(FailedWhy::Refused { cause }) = &ended.state {
        let no_quorum =
            matches!(cause, Cause::ServerError { class: model::cause::ServerClass::NoQuorum, .. });
        assert!(no_quorum, "{cause:?}");
    }
    let seen = lost.guest(Vmid(102)).unwrap().observed_at;
    bench.guest(102, "read on", |row| row.observed_at > seen && row.freshness.is_live()).await;
    bench.end().await;
}

#[tokio::test]
async fn deleted_is_said_only_after_all_three_signs() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    bench.remote.clear_journal();
    bench.remote.with_world(|world, _| assert!(world.remove_guest(102)));
    let missing = bench.guest(102, "missing", |row| !row.presence.is_present()).await;
    let row = missing.guest(Vmid(102)).unwrap();
    assert!(matches!(row.presence, Presence::Missing { .. }), "{:?}", row.presence);
    assert_eq!(row.standing, Standing::Missing);
    assert_eq!(row.guest.name.as_ref().unwrap().as_str(), "build", "still shown");
    let gone = bench.guest(102, "deleted", |row| matches!(row.presence, Presence::Deleted { .. })).await;
    assert_eq!(gone.guest(Vmid(102)).unwrap().guest.name.as_ref().unwrap().as_str(), "build");
    assert!(bench.asked("GET", "/nodes/pve1/lxc/102/config") >= 1, "its node was asked");
    assert!(bench.asked("GET", "/access/permissions") >= 2, "and what we may see");
    let may = gone.availability(Vmid(102), Action::Start, Clock::now()).unwrap();
    assert!(!may.is_enabled());

    // The number comes again: it is another guest.
    bench.remote.with_world(|world, _| {
        let mut spec = pve_sim::world::ClusterSpec::default();
        spec.guests.push(Default::default());
        let again = &mut spec.guests[0];
        (again.vmid, again.kind) = (102, pve_sim::world::Kind::Ct);
        (again.name, again.node) = ("phoenix".into(), "pve1".into());
        world.add_guest(again).unwrap();
    });
    let reborn = bench.guest(102, "another guest", |row| row.presence.is_present()).await;
    let row = reborn.guest(Vmid(102)).unwrap();
    assert_eq!((row.incarnation.0, row.guest.name.as_ref().unwrap().as_str()), (1, "phoenix"));
    bench.end().await;
}

#[tokio::test]
async fn rows_hidden_by_permission_are_no_longer_visible_and_never_deleted() {
    let bench = Bench::with(Topology::single("9.2"), 1, alice(), Timings::shrunk()).await;
    bench.ready().await;
    bench.remote.with_world(|world, _| {
        world.grant("/vms/101", "alice@pve", "PVEAuditor");
        world.revoke("/", "alice@pve");
    });
    let hidden =
        bench.guest(102, "hidden", |row| matches!(row.presence, Presence::NoLongerVisible { .. })).await;
    assert_eq!(hidden.guest(Vmid(102)).unwrap().standing, Standing::NotVisible);
    assert!(hidden.guest(Vmid(101)).unwrap().presence.is_present());
    assert!(hidden.link.state.is_up());
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let still = bench.now();
    assert!(matches!(still.guest(Vmid(102)).unwrap().presence, Presence::NoLongerVisible { .. }));

    bench.remote.with_world(|world, _| world.grant("/", "alice@pve", "PVEAuditor"));
    bench.guest(102, "visible again", |row| row.presence.is_present() && row.freshness.is_live()).await;

    // What goes while it is hidden is asked for again once it could be seen.
    bench.remote.with_world(|world, _| world.revoke("/", "alice@pve"));
    bench.guest(102, "hidden", |row| matches!(row.presence, Presence::NoLongerVisible { .. })).await;
    bench.remote.with_world(|world, _| {
        assert!(world.remove_guest(102));
        world.grant("/", "alice@pve", "PVEAuditor");
    });
    bench.guest(102, "deleted", |row| matches!(row.presence, Presence::Deleted { .. })).await;
    bench.end().await;
}

#[tokio::test]
async fn a_hidden_row_under_unchanged_permissions_is_not_deleted_either() {
    let bench = Bench::with(Topology::single("9.2"), 1, alice(), Timings::shrunk()).await;
    bench.ready().await;
    let hide = Fault::HideRows { user: "alice@pve".into(), path: "/vms/102".into() };
    let fault = bench.remote.fault(None, hide).await;
    bench.guest(102, "hidden", |row| !row.presence.is_present()).await;
    tokio::time::sleep(Duration::from_millis(2000)).await;
    let row = bench.now().guest(Vmid(102)).unwrap().clone();
    assert!(!matches!(row.presence, Presence::Deleted { .. } | Presence::Present), "{:?}", row.presence);
    bench.remote.clear(fault).await;
    bench.guest(102, "back", |row| row.presence.is_present()).await;
    bench.end().await;
}

#[tokio::test]
async fn an_unreadable_row_is_counted_and_shown_and_costs_nobody_else_anything() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    // Whichever row is first, it cannot be read any more; the order of rows is random on the wire.
    bench.remote.with_world(|world, _| {
        world.override_field("/cluster/resources", "/0/type", json!("lxc"));
        world.override_field("/cluster/resources", "/0/vmid", json!({"odd": "vmid"}));
    });
    let now = bench.until("counted", |now| !now.unreadable.is_empty()).await;
    assert!(now.unreadable[0].raw.contains("odd"), "{:?}", now.unreadable);
    assert!(facet(&now, FacetKind::Resources).drift >= 1);
    assert!(now.link.state.is_up());
    assert_eq!(now.guests.len(), 4);
    // An incomplete listing proves nobody's absence, be it that of one who is gone.
    bench.remote.with_world(|world, _| assert!(world.remove_guest(102)));
    bench.guest(102, "missing", |row| !row.presence.is_present()).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let later = bench.now();
    assert!(later.guests.iter().all(|row| !matches!(row.presence, Presence::Deleted { .. })));
    bench.remote.with_world(|world, _| world.clear_overrides());
    bench.guest(102, "deleted", |row| matches!(row.presence, Presence::Deleted { .. })).await;

    // Nor that of a node, when it is its row that does not say whose it is.
    bench.remote.with_world(|world, _| {
        world.override_field("/cluster/resources", "/id=node~1pve1/node", json!({"odd": "node"}));
        world.override_field("/cluster/resources", "/id=node~1pve1/id", json!({"odd": "id"}));
    });
    let now = bench.until("counted", |now| !now.unreadable.is_empty()).await;
    assert!(now.nodes.len() == 1 && now.nodes[0].freshness.is_live(), "{:?}", now.nodes);
    bench.end().await;
}

#[tokio::test]
async fn a_field_of_another_type_is_absent_and_counted() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let fault = Fault::WrongType { pointer: "/*/maxmem".into(), value: json!([1]) };
    let fault = bench.remote.fault(None, fault.on("/cluster/resources")).await;
    let odd = bench.until("drift", |now| now.drift.iter().any(|one| one.field.contains("maxmem"))).await;
    let record = odd.drift.iter().find(|one| one.field.contains("maxmem")).unwrap();
    assert_eq!(record.call, "GET /cluster/resources");
    assert!(facet(&odd, FacetKind::Resources).drift >= 4);
    assert!(odd.link.state.is_up() && odd.guests.iter().all(|row| row.freshness.is_live()));
    bench.remote.clear(fault).await;
    bench
        .until("read again", |now| facet(now, FacetKind::Resources).drift == 0 && now.drift.is_empty())
        .await;
    bench.end().await;
}

#[tokio::test]
async fn what_we_cannot_read_is_called_that_and_the_link_stays_up() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let fault = bench.remote.fault(None, Fault::MalformedJson.on("/cluster/resources")).await;
    let odd = bench.until("its error", |now| facet(now, FacetKind::Resources).last_error.is_some()).await;
    let error = facet(&odd, FacetKind::Resources).last_error.unwrap();
    assert_eq!(error.cause.code(), "not_understood");
    assert!(odd.link.state.is_up());
    assert_eq!(odd.guests.len(), 4);
    let why = odd.guests[0].stale_why().unwrap();
    assert!(
        matches!(why, StaleWhy::Facet { cause } if matches!(**cause, Cause::NotUnderstood { .. })),
        "{why:?}"
    );
    assert!(!serde_json::to_string(&*odd).unwrap().contains("unreachable"));
    bench.remote.clear(fault).await;
    bench.guest(101, "live again", |row| row.freshness.is_live()).await;
    bench.end().await;
}

#[tokio::test]
async fn a_facet_that_may_not_be_read_names_its_privilege() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let text = "Permission check failed (/, Sys.Audit)".to_owned();
    bench.remote.fault(None, Fault::Forbidden { text }.on("/cluster/tasks")).await;
    let now =
        bench.until("the privilege", |now| facet(now, FacetKind::Tasks).missing_privilege.is_some()).await;
    assert_eq!(facet(&now, FacetKind::Tasks).missing_privilege.unwrap(), "/: Sys.Audit");
    assert!(now.link.state.is_up() && now.guests.iter().all(|row| row.freshness.is_live()));
    bench.end().await;
}

#[tokio::test]
async fn whoever_wants_the_same_shares_one_request() {
    let bench = Bench::new(Topology::single("9.2")).await;
    bench.ready().await;
    let path = "/nodes/pve1/lxc/101/status/current";
    bench.remote.fault(None, Fault::Delay { ms: 200 }.on(path)).await;
    bench.remote.clear_journal();
    let ask = || bench.fleet.guest_detail(bench.id, Vmid(101));
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    assert!(answers.0.unwrap().status.error.is_none() && answers.3.unwrap().status.error.is_none());
    assert_eq!(bench.asked("GET", path), 1);
    bench.end().await;
}

#[tokio::test]
async fn the_interval_follows_how_long_answers_take() {
    let timings = Timings { rest: Timings::default().rest, ..Timings::shrunk() };
    let bench = Bench::with(Topology::single("9.2"), 1, root(), timings).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Delay { ms: 150 }.on("/cluster/resources")).await;
    let now = bench
        .until("a longer interval", |now| {
            facet(now, FacetKind::Resources).interval >= Duration::from_millis(3000)
        })
        .await;
    assert!(facet(&now, FacetKind::Resources).took.unwrap() >= Duration::from_millis(150));
    bench.end().await;
}

#[tokio::test]
async fn a_change_is_seen_in_the_configuration_at_once() {
    let timings = Timings { config_sweep: Duration::from_secs(600), ..Timings::shrunk() };
    let bench = Bench::with(Topology::single("9.2"), 1, root(), timings).await;
    let path = "/nodes/pve1/lxc/102/config";
    bench
        .until("the first sweep", |now| {
            now.facet(FacetKind::GuestConfig).is_some_and(|one| one.parts.is_some_and(|p| p.known == 4))
        })
        .await;
    bench.remote.clear_journal();
    bench.remote.with_world(|world, _| world.guest_mut(102).unwrap().set_config("tags", Some("new")));
    bench.guest(102, "tagged", |row| row.guest.tags.len() == 1).await;
    let before = std::time::Instant::now();
    while bench.asked("GET", path) == 0 {
        assert!(before.elapsed() < support::PATIENCE, "its configuration was not read");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bench.end().await;
}
