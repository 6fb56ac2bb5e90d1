//! What survives a restart, a crash and a full disk, against a real store and a simulated host.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::time::Duration;

use fleet::{AddError, Clock, EditError, Fleet, RemoteEdit, RemoteSpec, Resolution, Timings};
use jiff::SignedDuration;
use model::{
    Action, Cause, FacetKind, Freshness, GuestState, Happening, LinkState, OperationState, StaleWhy, Vmid,
};
use pve_sim::world::Run;
use pve_sim::{Fault, Sim, SimTimings, Topology};
use store::{ObservedKind, SecretId};
use support::{Bench, Lasting, PATIENCE, ada, operator, root, spec};

fn quick() -> Timings {
    Timings::shrunk()
}

/// Every facet that has parts is known for each of them, as far as it can be.
fn complete(now: &fleet::RemoteSnapshot) -> bool {
    let known =
        |facet| now.facet(facet).is_some_and(|one| one.parts.is_none_or(|parts| parts.known == parts.due));
    now.link.state.is_up()
        && known(FacetKind::GuestConfig)
        && known(FacetKind::NodeStatus)
        && known(FacetKind::Certificates)
        && now.identity.is_some()
        && now.cluster.is_some()
        && now.guest(Vmid(101)).is_some_and(|row| row.addresses.is_some())
}

#[tokio::test]
async fn a_restart_while_the_host_is_away_shows_all_that_was_known_with_its_age() {
    let (bench, lasting) = Bench::lasting(Topology::cluster(3, "9.2"), 2, quick()).await;
    let before = bench.until("everything", complete).await;
    let detail = bench.fleet.guest_detail(bench.id, Vmid(101)).await.unwrap();
    let config = detail.config.seen.unwrap();
    let history = lasting.history().await;
    bench.remote.fault(None, Fault::Refuse).await;
    let bench = bench.restart(&lasting, quick()).await;

    // At once, before anything was tried.
    let now = bench.now();
    assert!(!now.link.state.is_up(), "{:?}", now.link.state);
    assert!(now.link.last_success.is_some());
    assert_eq!(now.guests.len(), before.guests.len());
    for (was, is) in before.guests.iter().zip(&now.guests) {
        assert_eq!(was.guest.name, is.guest.name);
        assert_eq!(was.guest.state, is.guest.state);
        assert_eq!(was.guest.memory_max, is.guest.memory_max);
        let figures = |row: &fleet::GuestRow| row.guest.memory.is_some();
        assert_eq!(figures(was), figures(is), "figures are kept when Muster ends in good order");
        assert_eq!(is.state, GuestState::Unknown);
        assert_eq!(is.incarnation, was.incarnation);
        let later = is.observed_at.unwrap().duration_since(was.observed_at.unwrap());
        assert!(later > SignedDuration::from_millis(-1), "{:?} {:?}", is.observed_at, was.observed_at);
        assert!(matches!(is.freshness, Freshness::Stale { .. }), "{:?}", is.freshness);
        assert_eq!(
            was.addresses.as_ref().map(|seen| &seen.value),
            is.addresses.as_ref().map(|seen| &seen.value)
        );
    }
    assert_eq!(now.nodes.len(), 3);
    assert!(now.nodes.iter().all(|row| row.node.version.is_some() && !row.freshness.is_live()));
    assert_eq!(now.storages.len(), before.storages.len());
    assert_eq!(now.tasks, before.tasks);
    assert_eq!(now.identity, before.identity);
    assert_eq!(now.versions, before.versions);
    assert_eq!(now.cluster.as_ref().unwrap().value, before.cluster.as_ref().unwrap().value);
    let age = |snapshot: &fleet::RemoteSnapshot| snapshot.facet(FacetKind::Resources).unwrap().last_success;
    assert!(age(&now) >= age(&before) && age(&now).is_some());

    // While the host stays away.
    bench.link("backing_off").await;
    let detail = bench.fleet.guest_detail(bench.id, Vmid(101)).await.unwrap();
    let seen = detail.config.seen.unwrap();
    assert_eq!(seen.value, config.value, "its configuration is read back");
    assert!(seen.at <= config.at && detail.config.error.is_some());
    let kept = lasting.history().await;
    assert_eq!(history, kept[..history.len()], "history goes on where it ended");

    bench.remote.clear_all().await;
    let back = bench.until("live", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    assert_eq!(back.guests.len(), before.guests.len());
    let after = lasting.history().await;
    let again = |event: &&model::Event| matches!(event.what, Happening::GuestAppeared { .. });
    assert_eq!(after.iter().filter(again).count(), back.guests.len(), "nobody appears twice");
    bench.end().await;
}

#[tokio::test]
async fn after_a_crash_everything_is_there_though_a_little_older() {
    let (bench, lasting) = Bench::lasting(Topology::single("8.4"), 1, quick()).await;
    let before = bench.until("everything", complete).await;
    bench.remote.fault(None, Fault::Refuse).await;
    let bench = bench.crash(&lasting, quick()).await;
    let now = bench.now();
    assert_eq!(now.guests.len(), before.guests.len());
    for (was, is) in before.guests.iter().zip(&now.guests) {
        assert_eq!((&was.guest.name, &was.guest.state), (&is.guest.name, &is.guest.state));
        assert!(is.observed_at.is_some() && !is.freshness.is_live());
    }
    bench.end().await;
}

#[tokio::test]
async fn disconnected_means_that_nothing_is_sent_be_it_after_a_restart_until_connected() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.until("everything", complete).await;
    bench.fleet.disconnect(bench.id, &ada(), false).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.remote.clear_journal();
    let quiet = async |bench: &Bench| {
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(bench.remote.journal().is_empty(), "{:?}", bench.remote.journal());
        let now = bench.now();
        assert_eq!(now.link.state, LinkState::Disconnected { by: "ada".into() });
        assert!(!now.guests.is_empty());
        let refused = bench.try_operate(102, Action::Start).await.unwrap_err();
        assert!(refused.to_string().contains("disconnected"), "{refused}");
        let why = now.guests[0].stale_why().unwrap();
        assert_eq!(*why, StaleWhy::Disconnected { by: "ada".into() });
    };
    quiet(&bench).await;
    let bench = bench.restart(&lasting, quick()).await;
    quiet(&bench).await;
    let bench = bench.crash(&lasting, quick()).await;
    quiet(&bench).await;
    bench.fleet.connect(bench.id, &ada()).await.unwrap();
    bench.until("live", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    let bench = bench.restart(&lasting, quick()).await;
    bench.until("connected again after a restart", |now| now.link.state.is_up()).await;
    let all = lasting.history().await;
    let by = |word: &str| {
        let found = all.iter().find(|event| event.what.word() == word).unwrap();
        found.author.as_ref().unwrap().name.clone()
    };
    assert_eq!((by("remote_disconnected"), by("remote_connected")), ("ada".into(), "ada".into()));
    bench.end().await;
}

#[tokio::test]
async fn remotes_are_kept_edited_and_forgotten_with_their_secrets() {
    let sim = Sim::start(Topology::cluster(2, "9.2"), SimTimings::fast()).await.unwrap();
    let lasting = Lasting::new().await;
    let remote = sim.first().unwrap();
    let fleet = Fleet::open(quick(), Clock::new(), 7, lasting.store.clone()).await.unwrap();
    let mut one = spec(&remote, 1, root());
    one.identity = Some("AA:BB".into());
    let id = fleet.add(one.clone(), &ada()).await.unwrap();
    let twin = RemoteSpec { name: "twin".into(), identity: Some("aa:bb".into()), ..one.clone() };
    let refused = fleet.add(twin, &ada()).await.unwrap_err();
    assert_eq!(refused, AddError::AlreadyManaged { id, name: "cluster".into() });
    let nameless = RemoteSpec { name: " ".into(), identity: None, ..one.clone() };
    assert!(matches!(fleet.add(nameless, &ada()).await, Err(AddError::Name(_))));
    assert_eq!(lasting.store.remotes().await.unwrap().len(), 1, "what was refused is not there");

    let bench = Bench { sim, remote, fleet, id };
    bench.ready().await;
    let edit = RemoteEdit {
        name: Some("home".into()),
        interval: Some(Some(Duration::from_secs(3))),
        web_url: Some(Some("https://pve.example/".into())),
    };
    bench.fleet.edit(id, edit, &ada()).await.unwrap();
    let (address, trust) = support::endpoint(&bench.remote, &bench.remote.nodes()[1]);
    bench.fleet.add_endpoint(id, address.clone(), trust.clone(), &ada()).await.unwrap();
    let again = bench.fleet.add_endpoint(id, address.clone(), trust, &ada()).await.unwrap_err();
    assert!(matches!(again, EditError::Endpoint(_)));
    let both = |now: &fleet::RemoteSnapshot| now.link.endpoints.len() == 2 && now.link.state.is_up();
    bench.until("two endpoints", both).await;
    bench.fleet.credential(id, operator(), &ada()).await.unwrap();
    bench
        .until("the other user", |now| {
            now.user.as_ref().is_some_and(|user| user.as_str() == "operator@pve") && now.link.state.is_up()
        })
        .await;

    let bench = bench.restart(&lasting, quick()).await;
    let now = bench.now();
    assert_eq!((now.name.as_str(), now.link.endpoints.len()), ("home", 2));
    assert_eq!(now.interval, Some(Duration::from_secs(3)));
    assert_eq!(now.web_url.as_deref(), Some("https://pve.example/"));
    assert_eq!(now.user.as_ref().unwrap().as_str(), "operator@pve");
    bench.until("up by the other credential", |now| now.link.state.is_up()).await;
    let first =
        model::EndpointId::from(support::endpoint(&bench.remote, &bench.remote.nodes()[0]).0.to_string());
    bench.fleet.remove_endpoint(id, &first, &ada()).await.unwrap();
    bench
        .until("by the one that is left", |now| now.link.endpoints.len() == 1 && now.link.state.is_up())
        .await;
    let last = model::EndpointId::from(address.to_string());
    assert!(bench.fleet.remove_endpoint(id, &last, &ada()).await.is_err(), "not the only one");

    // No secret stands in what happened, nor anywhere in the database.
    let told = format!("{:?}", lasting.history().await);
    assert!(!told.contains("secret-operator") && !told.contains("secret-root"), "{told}");
    for file in std::fs::read_dir(lasting.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("secret-operator") && !text.contains("secret-root"));
    }

    bench.fleet.remove(id, &ada(), false).await.unwrap();
    assert!(bench.fleet.snapshot().remotes.is_empty());
    assert!(lasting.store.remotes().await.unwrap().is_empty());
    assert!(lasting.store.secret(&SecretId::new("credential", id)).await.unwrap().is_none());
    assert!(lasting.store.observed(id).await.unwrap().is_empty());
    assert_eq!(lasting.history().await.last().unwrap().what.word(), "remote_removed");
    let next = bench.fleet.add(spec(&bench.remote, 1, root()), &ada()).await.unwrap();
    assert!(next > id, "numbers are not used again");
    bench.end().await;
}

#[tokio::test]
async fn an_operation_that_ran_when_muster_went_is_followed_and_one_whose_answer_was_lost_is_found() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Delay { ms: 600 }.on("/nodes/pve1/lxc/102/status/start")).await;
    let lost = bench.operate(102, Action::Start).await;
    bench.reaches(lost, "sent").await;
    let running = bench.operate(101, Action::Stop).await;
    bench.reaches(running, "running").await;
    // The host has it, and its answer is on the way.
    bench.until("received", |_| bench.asked("POST", "/nodes/pve1/lxc/102/status/start") == 1).await;
    let bench = bench.crash(&lasting, quick()).await;
    bench.remote.clear_all().await;
    assert_eq!(bench.ended(running).await.state, OperationState::Succeeded);
    let found = bench.ended(lost).await;
    assert_eq!(found.state, OperationState::Succeeded, "{:?}", found.log);
    assert!(found.log.iter().any(|line| line.text == "found in the task list"), "{:?}", found.log);
    assert_eq!(found.author, ada());
    let sent: Vec<String> = bench.mutations().iter().map(|one| one.api_path().to_owned()).collect();
    let each = ["/nodes/pve1/lxc/102/status/start", "/nodes/pve1/lxc/101/status/stop"];
    assert_eq!(sent, each, "each once, as the host has it");
    let all = lasting.until("both ended", |all| {
        let ended = |id| {
            all.iter().any(|event| {
                event.operation == Some(id)
                    && matches!(&event.what, Happening::Operation { state, .. }
                        if state.as_str() == "succeeded" || state.as_str() == "not_sent")
            })
        };
        ended(lost) && ended(running)
    });
    all.await;
    bench.end().await;
}

#[tokio::test]
async fn what_was_recorded_and_never_sent_is_not_sent_later() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Refuse).await;
    bench.link("backing_off").await;
    let waits = bench.operate(102, Action::Start).await;
    let bench = bench.crash(&lasting, quick()).await;
    bench.remote.clear_all().await;
    let ended = bench.ended(waits).await;
    let OperationState::NotSent { cause: Cause::NotSendable { what } } = &ended.state else {
        panic!("{:?}", ended.state)
    };
    assert!(what.contains("Muster ended"), "{what}");
    bench.until("live", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(bench.mutations().is_empty());
    assert_eq!(*bench.fleet.operation_now(waits).await.unwrap().unwrap(), *ended);
    bench.end().await;
}

#[tokio::test]
async fn an_outcome_that_nobody_can_tell_is_decided_by_a_person_be_it_after_a_restart() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.ready().await;
    bench.remote.fault(None, Fault::Delay { ms: 3000 }.on("/nodes/pve1/lxc/102/status/start")).await;
    let lost = bench.operate(102, Action::Start).await;
    bench.reaches(lost, "sent").await;
    bench.remote.clear_all().await;
    bench.remote.fault(None, Fault::Refuse).await;
    let bench = bench.crash(&lasting, quick()).await;
    bench.reaches(lost, "outcome_unknown").await;
    // While it may still be decided it is not let go of, by nothing and nobody.
    let bench = bench.crash(&lasting, quick()).await;
    bench.reaches(lost, "outcome_unknown").await;
    assert!(lasting.store.operation(lost).await.unwrap().unwrap().open);
    // Of another guest, by somebody else, another deed, long before: none of these can be it.
    let started = |seconds: i64| Clock::new().now().wall.as_second() + seconds;
    let upid = |at: i64, rest: &str| format!("UPID:pve1:00000001:00000002:{at:08X}:{rest}:");
    let other = upid(started(0), "vzstart:103:root@pam");
    for no in [
        other.clone(),
        upid(started(0), "vzstart:102:eve@pve"),
        upid(started(0), "vzstop:102:root@pam"),
        upid(started(-3600), "vzstart:102:root@pam"),
        "UPID:foo".to_owned(),
    ] {
        let refused = bench.fleet.resolve(lost, Resolution::Task(no.as_str().into()), &ada()).await;
        assert_eq!(refused, Err(fleet::ResolveError::NotACandidate(no.as_str().into())));
    }
    bench.fleet.resolve(lost, Resolution::NotSent, &ada()).await.unwrap();
    let ended = bench.ended(lost).await;
    assert_eq!(ended.state.word(), "not_sent");
    let late = bench.fleet.resolve(lost, Resolution::Task(other.as_str().into()), &ada()).await;
    assert!(late.is_err(), "it is decided");
    bench.end().await;
}

/// Twenty times, at whatever moment: every operation is found and finished, nothing is lost or sent twice.
#[tokio::test]
async fn killed_at_any_moment_every_operation_is_found_and_nothing_is_sent_twice() {
    let rounds: u32 = std::env::var("MUSTER_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let (mut bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    let mut seed = 0x9E37_79B9_u64;
    let mut asked = Vec::new();
    bench.ready().await;
    for round in 0..rounds {
        bench.until("live", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
        // By what is true, not by a listing: one read just after a crash may be older than the last operation.
        let runs = bench.remote.with_world(|world, _| world.guest(102).unwrap().run() == Run::Running);
        let action = if runs { Action::Stop } else { Action::Start };
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait = Duration::from_micros((seed >> 33) % 60_000);
        let began = bench.mutations().len();
        // Every other time what was sent arrives, and its answer does not.
        if round % 2 == 1 {
            let late = Fault::Delay { ms: 400 }.method("POST").on("/nodes/pve1/lxc/102/status/*");
            bench.remote.fault(None, late).await;
        }
        if let Ok(id) = bench.try_operate(102, action).await {
            asked.push(id);
            tokio::time::sleep(wait).await;
            bench = bench.crash(&lasting, quick()).await;
            bench.remote.clear_all().await;
            let ended = bench.ended(id).await;
            let sent = bench.mutations().len() - began;
            match &ended.state {
                OperationState::Succeeded => assert_eq!(sent, 1, "round {round}: {:?}", ended.log),
                OperationState::NotSent { .. } => assert_eq!(sent, 0, "round {round}: {:?}", ended.log),
                other => panic!("round {round}: {other:?} {:?}", ended.log),
            }
        }
        bench.guest(102, "at rest", |row| row.busy.is_none()).await;
    }
    let mut unique = asked.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!((unique.len(), asked.is_empty()), (asked.len(), false), "no id twice");
    let all = lasting.history().await;
    for id in asked {
        let steps: Vec<String> = all
            .iter()
            .filter(|event| event.operation == Some(id))
            .filter_map(|event| match &event.what {
                Happening::Operation { state, .. } => Some(state.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(steps.first().map(String::as_str), Some("pending"), "{steps:?}");
        assert!(matches!(steps.last().map(String::as_str), Some("succeeded" | "not_sent")), "{steps:?}");
        let mut each = steps.clone();
        each.sort();
        each.dedup();
        assert_eq!(each.len(), steps.len(), "no step twice: {steps:?}");
    }
    bench.end().await;
}

/// Without any operation, while what is read for the first time is being written.
#[tokio::test]
async fn killed_while_a_first_sweep_writes_nothing_is_lost_or_told_twice() {
    let rounds: u32 = std::env::var("MUSTER_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let mut topology = Topology::single("9.2");
    topology.remotes[0].fill = serde_json::from_value(serde_json::json!({ "count": 56 })).unwrap();
    let timings = || Timings { config_step: Duration::from_millis(4), background_calls: 2, ..quick() };
    let (mut bench, lasting) = Bench::lasting(topology, 1, timings()).await;
    let kept = async |kind| lasting.store.observed_kind(bench_id(&lasting).await, kind).await.unwrap().len();
    let mut seed = 0x9E37_79B9_u64;
    let mut moments = std::collections::BTreeSet::new();
    for round in 0..rounds {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_micros((seed >> 33) % 160_000)).await;
        let (guests, configs) = (kept(ObservedKind::Guest).await, kept(ObservedKind::GuestConfig).await);
        moments.insert((guests, configs));
        bench = bench.crash(&lasting, timings()).await;
        let now = bench.now();
        assert!(now.guests.len() >= guests, "round {round}: {} of {guests}", now.guests.len());
        assert!(kept(ObservedKind::GuestConfig).await >= configs, "round {round}");
        assert!(now.guests.iter().all(|row| !row.freshness.is_live() && row.guest.name.is_some()));
    }
    println!("killed with so many guests and configurations written: {moments:?}");
    assert!(moments.iter().any(|(_, configs)| (1..60).contains(configs)), "in the midst of it: {moments:?}");
    let now = bench.until("everything", |now| now.guests.len() == 60 && complete(now)).await;
    assert!(now.guests.iter().all(|row| row.incarnation == now.guests[0].incarnation));
    let filter = store::EventFilter { after: Some(0), limit: 10_000, ..store::EventFilter::default() };
    let rows = lasting.store.events(filter).await.unwrap();
    assert!(rows.windows(2).all(|two| two[1].0 == two[0].0 + 1), "numbers without a gap");
    for guest in &now.guests {
        let told = lasting.words_of(guest.guest.vmid.0).await;
        assert_eq!(told, ["guest_appeared"], "{}", guest.guest.vmid);
    }
    assert!(bench.mutations().is_empty());
    bench.end().await;
}

/// The id of the one remote there is.
async fn bench_id(lasting: &Lasting) -> model::RemoteId {
    lasting.store.remotes().await.unwrap()[0].id
}

#[tokio::test]
async fn a_clock_that_jumps_back_a_day_and_forward_a_month_changes_nothing_but_what_the_wall_shows() {
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    let lasting = Lasting::new().await;
    let remote = sim.first().unwrap();
    let (clock, wall) = Clock::settable();
    let fleet = Fleet::open(quick(), clock, 7, lasting.store.clone()).await.unwrap();
    let id = fleet.add(spec(&remote, 1, root()), &ada()).await.unwrap();
    let bench = Bench { sim, remote, fleet, id };
    let before = bench.until("everything", complete).await;
    let mut last = None;
    for hours in [-24, 24 * 30, 0] {
        wall.set_ahead(SignedDuration::from_hours(hours));
        let set = clock.wall();
        let now = bench
            .until("read on", |now| {
                now.at >= set.checked_sub(SignedDuration::from_secs(1)).unwrap()
                    && now.guests.iter().all(|row| {
                        row.freshness.is_live()
                            && row
                                .observed_at
                                .is_some_and(|at| at.duration_since(set).abs() < SignedDuration::from_mins(5))
                    })
            })
            .await;
        assert!(now.link.state.is_up(), "{hours} h: {:?}", now.link.state);
        assert_eq!(now.guests.len(), before.guests.len());
        assert!(
            now.guests
                .iter()
                .all(|row| row.presence.is_present() && row.incarnation == before.guests[0].incarnation)
        );
        let wanted = bench.now().guest(Vmid(102)).unwrap().guest.state == GuestState::Running;
        let action = if wanted { Action::Stop } else { Action::Start };
        let operation = bench.operate(102, action).await;
        assert_eq!(bench.ended(operation).await.state, OperationState::Succeeded, "{hours} h");
        assert!(Some(operation) > last, "ids grow");
        last = Some(operation);
        bench.guest(102, "at rest", |row| row.busy.is_none()).await;
    }
    // A restart with the clock a day behind what was recorded.
    bench.fleet.stop().await;
    wall.set_ahead(SignedDuration::from_hours(-24));
    let fleet = Fleet::open(quick(), clock, 7, lasting.store.clone()).await.unwrap();
    let bench = Bench { fleet, ..bench };
    assert_eq!(bench.now().guests.len(), before.guests.len());
    bench.until("live again", |now| now.guests.iter().all(|row| row.freshness.is_live())).await;
    let wanted = bench.now().guest(Vmid(102)).unwrap().guest.state == GuestState::Running;
    let next = bench.operate(102, if wanted { Action::Stop } else { Action::Start }).await;
    assert!(Some(next) > last, "no id is used again");
    assert_eq!(bench.ended(next).await.state, OperationState::Succeeded);
    bench.end().await;
}

/// 1,000 guests whose figures move, at a tenth of the true intervals: in six seconds as much as else in a minute.
#[tokio::test]
async fn an_idle_fleet_writes_little() {
    let mut topology = Topology::single("9.2");
    topology.remotes[0].fill = serde_json::from_value(serde_json::json!({ "count": 996 })).unwrap();
    let mut timings = Timings::default();
    for interval in [
        &mut timings.resources,
        &mut timings.tasks,
        &mut timings.cluster,
        &mut timings.node_status,
        &mut timings.ha_status,
        &mut timings.permissions,
        &mut timings.gauges_kept,
        &mut timings.ages_kept,
    ] {
        *interval /= 10;
    }
    // Even so often it is little.
    timings.gauges_kept = Duration::from_secs(2);
    timings.config_sweep = Duration::from_secs(4);
    timings.config_step = Duration::from_millis(2);
    timings.background_calls = 16;
    let (bench, lasting) = Bench::lasting(topology, 1, timings).await;
    let swept = |now: &fleet::RemoteSnapshot| {
        let parts = now.facet(FacetKind::GuestConfig).and_then(|one| one.parts);
        now.guests.len() == 1000 && parts.is_some_and(|parts| parts.known == parts.due && parts.due == 1000)
    };
    let sweep = async {
        while !swept(&bench.now()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE * 3, sweep).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = (lasting.store.figures(), bench.now().guests[0].observed_at, files(&lasting));
    tokio::time::sleep(Duration::from_secs(6)).await;
    // A busy machine keeps the figures later.
    let kept = async {
        while lasting.store.figures().commits < before.0.commits + 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, kept).await.unwrap();
    let after = (lasting.store.figures(), bench.now().guests[0].observed_at, files(&lasting));
    assert!(after.1 > before.1, "it was read meanwhile");
    let bytes = after.0.bytes - before.0.bytes;
    let commits = after.0.commits - before.0.commits;
    println!(
        "bodies: {bytes} bytes in {commits} commits; files grew by {}",
        after.2.saturating_sub(before.2)
    );
    assert!(commits >= 2, "the figures were kept");
    assert!(bytes + commits * 3 * 4096 < 1 << 20, "{bytes} bytes of bodies in {commits} commits");
    bench.end().await;
}

/// Bytes of the database's files.
fn files(lasting: &Lasting) -> u64 {
    let entries = std::fs::read_dir(lasting.dir.path()).unwrap();
    entries.map(|file| file.unwrap().metadata().map_or(0, |facts| facts.len())).sum()
}

#[tokio::test]
async fn a_store_that_takes_nothing_any_more_is_said_to_and_nothing_is_shown_as_live_or_sent() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.until("everything", complete).await;
    assert_eq!(bench.fleet.health().failing, None);
    lasting.store.close().await;
    bench.remote.with_world(|world, _| world.guest_mut(102).unwrap().set_name("renamed"));
    let stuck = bench.until("not live", |now| now.guests.iter().all(|row| !row.freshness.is_live())).await;
    let why = stuck.guest(Vmid(101)).unwrap().stale_why().unwrap();
    assert!(matches!(why, StaleWhy::Facet { cause } if matches!(**cause, Cause::Internal { .. })), "{why:?}");
    let name = stuck.guest(Vmid(102)).unwrap().guest.name.clone().unwrap();
    assert_ne!(name.as_str(), "renamed", "nothing is published before it is recorded");
    let (said, _) = bench.fleet.health().failing.unwrap();
    assert!(said.contains("closed"), "{said}");
    assert_eq!(stuck.faults, 0, "it waits; it does not fall over");
    let refused = bench.try_operate(102, Action::Start).await.unwrap_err();
    assert!(matches!(refused, fleet::OperateError::NotRecorded(_)), "{refused}");
    assert!(bench.fleet.disconnect(bench.id, &ada(), true).await.is_err());
    assert!(bench.mutations().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn a_wish_and_that_it_was_made_are_recorded_together_or_not_at_all() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.until("everything", complete).await;
    let done = |operation| store::Write::IdempotencyDone {
        principal: "ada".to_owned(),
        key: "k".to_owned(),
        operation,
    };
    let with = bench.fleet.with(fleet::Receipt::new(move |operation| vec![done(operation)]));
    let start = async || {
        with.operate(bench.id, Vmid(102), Action::Start, model::PowerOptions::default(), ada()).await
    };
    let disconnect = async || with.disconnect(bench.id, &ada(), true).await;
    let edit = async || {
        let name = Some("other".to_owned());
        with.edit(bench.id, RemoteEdit { name, ..RemoteEdit::default() }, &ada()).await
    };
    // Nobody has begun with it (or another server is done with it): nothing is recorded, and nothing sent.
    assert!(matches!(start().await, Err(fleet::OperateError::NotRecorded(_))));
    assert!(disconnect().await.is_err());
    assert!(edit().await.is_err());
    assert!(with.remove(bench.id, &ada(), true).await.is_err());
    let now = bench.now();
    assert!(now.link.state.is_up() && now.name.as_str() != "other" && now.operations.is_empty(), "{now:?}");
    assert_eq!(bench.fleet.health().failing, None, "nothing is wrong with the store");
    assert!(bench.mutations().is_empty());

    let begun = store::IdempotencyRecord {
        principal: "ada".to_owned(),
        key: "k".to_owned(),
        fingerprint: String::new(),
        at: jiff::Timestamp::UNIX_EPOCH,
        stage: store::Stage::Begun,
    };
    lasting.store.write(vec![store::Write::Idempotency(begun)]).await.unwrap();
    let id = start().await.unwrap();
    let stage = async || lasting.store.idempotency("ada", "k").await.unwrap().map(|known| known.stage);
    assert_eq!(stage().await, Some(store::Stage::Done { operation: Some(id) }));
    assert!(start().await.is_err(), "the same wish once more");
    bench.until("done", |now| now.operations.iter().any(|one| one.state == OperationState::Succeeded)).await;
    assert_eq!(bench.mutations().len(), 1);
    bench.end().await;
}

#[tokio::test]
async fn what_cannot_be_read_back_is_left_out_and_the_rest_is_there() {
    let (bench, lasting) = Bench::lasting(Topology::single("9.2"), 1, quick()).await;
    bench.until("everything", complete).await;
    bench.fleet.stop().await;
    let mut row = lasting.store.observed_one(bench.id, ObservedKind::Guest, "101").await.unwrap().unwrap();
    row.body = "{\"guest\":17}".into();
    lasting.store.write(vec![store::Write::Observed(row)]).await.unwrap();
    bench.remote.fault(None, Fault::Refuse).await;
    let fleet = Fleet::open(quick(), Clock::new(), 7, lasting.store.clone()).await.unwrap();
    let bench = Bench { fleet, ..bench };
    assert_eq!(bench.now().guests.len(), 3, "one of four could not be read");
    bench.remote.clear_all().await;
    bench.until("all four", |now| now.guests.len() == 4).await;
    bench.end().await;
}
