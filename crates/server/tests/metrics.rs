//! `/metrics` with a real fleet behind it, read by a parser that others wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use common::{Ask, PASSWORD, PATIENCE, Reader, Who, ada, bare, manage, read_by_python, settings};
use fleet::{Fleet, RemoteSpec};
use model::access::Grants;
use pve::{Credential, TrustPolicy};
use pve_sim::{Fault, Sim, SimTimings, Topology};
use serde_json::{Value, json};
use server::listen::Doors;
use server::{App, Settings};
use sha2::Digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Names nobody should have, and somebody has.
const ODD: &str = "we\"b\\1 {}=, é ☂ 😀";
const ODD_REMOTE: &str = "z\"w\\i ☂";

/// What one scrape says: by family, its type and its samples.
struct Scrape(BTreeMap<String, (String, Vec<Sample>)>);

#[derive(Debug, Clone)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scrape {
    async fn of(python: &std::path::Path, router: &axum::Router) -> Self {
        let text = Ask::get("/metrics").by(&Who::Socket).of(router).await.text;
        let read = read_by_python(python, "read_metrics.py", text.as_bytes()).await;
        let families: Vec<Value> = serde_json::from_slice(&read).unwrap();
        let sample = |one: &Value| Sample {
            name: one[0].as_str().unwrap().to_owned(),
            labels: serde_json::from_value(one[1].clone()).unwrap(),
            value: one[2].as_f64().unwrap(),
        };
        let family = |one: Value| {
            let samples = one["samples"].as_array().unwrap().iter().map(sample).collect();
            assert!(!one["help"].as_str().unwrap().is_empty(), "{} is not explained", one["name"]);
            let name = one["name"].as_str().unwrap().strip_prefix("muster_").unwrap().to_owned();
            (name, (one["type"].as_str().unwrap().to_owned(), samples))
        };
        let count = families.len();
        let all: BTreeMap<_, _> = families.into_iter().map(family).collect();
        assert_eq!(all.len(), count, "a family is there twice");
        Self(all)
    }

    fn samples(&self, family: &str) -> &[Sample] {
        self.0.get(family).map_or(&[], |(_, samples)| samples)
    }

    /// The one sample whose labels have these values.
    fn value(&self, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |sample: &&Sample| {
            labels.iter().all(|(key, value)| sample.labels.get(*key).map(String::as_str) == Some(*value))
        };
        let mut found = self.samples(family).iter().filter(fits);
        let value = found.next().map(|sample| sample.value);
        assert!(found.next().is_none(), "{family} {labels:?} is there twice");
        value
    }
}

/// A server over a cluster with odd names.
struct House {
    _dir: tempfile::TempDir,
    sim: Sim,
    fleet: Fleet,
    app: App,
    router: axum::Router,
}

impl House {
    async fn new(settings: Settings) -> Self {
        let (dir, app) = bare(settings).await;
        let sim = Sim::start(Topology::cluster(2, "9.2"), SimTimings::fast()).await.unwrap();
        sim.first().unwrap().with_world(|world, _| world.guest_mut(101).unwrap().set_name(ODD));
        let fleet = app.fleet().clone();
        let id = manage(&fleet, &sim, ODD_REMOTE).await;
        // One that was never reached.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let credential = Credential::password("root@pam", "secret-root");
        let spec =
            RemoteSpec::new("nowhere", free.to_string().parse().unwrap(), TrustPolicy::default(), credential);
        fleet.add(spec, &ada()).await.unwrap();
        let begun = Instant::now();
        let listed = || {
            let remote = fleet.remote(id).unwrap();
            remote.guests.len() == 6 && remote.nodes.iter().all(|row| row.node.cpu.is_some())
        };
        while !listed() {
            assert!(begun.elapsed() < PATIENCE, "the guests are never listed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let router = app.router();
        Self { _dir: dir, sim, fleet, app, router }
    }

    /// Waits until the list of guests of the odd remote fits.
    async fn until(&self, what: &str, fits: impl Fn(&fleet::RemoteSnapshot) -> bool) {
        let begun = Instant::now();
        loop {
            let remote = self.fleet.snapshot().remote_named(ODD_REMOTE).unwrap().clone();
            if fits(&remote) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_family_is_there_and_says_what_is_so() {
    let Some(python) = common::python() else { return };
    let house = House::new(settings()).await;
    house.app.add_user("anna", &PASSWORD.into(), Grants::administrator()).await.unwrap();
    let stream = Ask::get("/api/v1/stream").by(&Who::Socket).sent(&house.router).await;
    let _open = Reader::of(stream);
    let start = json!({"remote": ODD_REMOTE, "vmid": 102, "action": "start"});
    let start = Ask::post("/api/v1/operations", start).by(&Who::Socket).of(&house.router).await;
    start.is(202, "");
    house.until("it has ended", |remote| remote.operations.iter().all(|one| one.state.is_final())).await;
    // A field of another type is drift, not the end of the list.
    house.sim.first().unwrap().with_world(|world, _| {
        world.override_field("/cluster/resources", "/*/maxcpu", json!({"odd": true}));
    });
    house.until("there is drift", |remote| remote.figures.iter().any(|one| one.drift > 0)).await;
    house.sim.first().unwrap().with_world(|world, _| world.clear_overrides());
    house
        .until("all is live again", |remote| {
            remote.guests.iter().all(|row| row.freshness.is_live() && row.guest.cpus.is_some())
        })
        .await;
    Ask::get("/api/v1/guests").header("host", "evil.example").of(&house.router).await.is(421, "unknown_host");
    let scrape = Scrape::of(&python, &house.router).await;

    let gauges = [
        "build_info",
        "start_time_seconds",
        "resident_bytes",
        "stream_clients",
        "sessions",
        "connections",
        "links",
        "operations",
        "remote_up",
        "remote_last_success_seconds",
        "remote_guests",
        "remote_nodes",
        "store_queue",
        "store_queue_bound",
        "node_state",
        "node_cpu_ratio",
        "node_cpus",
        "node_memory_bytes",
        "node_memory_max_bytes",
        "node_disk_bytes",
        "node_uptime_seconds",
        "node_observed_seconds",
        "guest_state",
        "guest_cpu_ratio",
        "guest_memory_bytes",
        "guest_memory_max_bytes",
        "guest_disk_bytes",
        "guest_uptime_seconds",
        "guest_observed_seconds",
    ];
    let counters = [
        "http_requests",
        "refusals",
        "store_writes",
        "store_commits",
        "store_failures",
        "store_bytes",
        "store_syncs",
        "not_recorded",
        "remote_requests",
        "remote_received_bytes",
        "remote_faults",
        "polls",
        "poll_failures",
        "drift",
    ];
    let missing = |(name, kind): &(&str, &str)| match scrape.0.get(*name) {
        Some((found, samples)) => found != kind || samples.is_empty(),
        None => true,
    };
    let wanted = gauges.map(|name| (name, "gauge")).into_iter();
    let wanted = wanted.chain(counters.map(|name| (name, "counter"))).chain([("poll_seconds", "histogram")]);
    let missing: Vec<_> = wanted.filter(missing).collect();
    assert!(missing.is_empty(), "{missing:?} of {:?}", scrape.0.keys());

    // What they say.
    let odd = [("remote", ODD_REMOTE)];
    assert_eq!(scrape.value("links", &[("state", "connected")]), Some(1.0));
    assert_eq!(scrape.value("links", &[("state", "disconnected")]), Some(0.0));
    assert_eq!(scrape.value("remote_up", &odd), Some(1.0));
    assert_eq!(scrape.value("remote_up", &[("remote", "nowhere")]), Some(0.0));
    assert_eq!(scrape.value("remote_guests", &odd), Some(6.0));
    assert_eq!(scrape.value("remote_nodes", &odd), Some(2.0));
    assert_eq!(scrape.value("stream_clients", &[]), Some(1.0));
    assert_eq!(scrape.value("operations", &[("state", "succeeded")]), Some(1.0));
    assert_eq!(scrape.value("refusals", &[("reason", "unknown_host")]), Some(1.0));
    let route = [("route", "/api/v1/operations"), ("method", "POST"), ("status", "202")];
    assert_eq!(scrape.value("http_requests", &route), Some(1.0));
    let of = |facet| [("remote", ODD_REMOTE), ("facet", facet)];
    assert!(scrape.value("polls", &of("resources")).unwrap() >= 2.0);
    assert!(scrape.value("drift", &of("resources")).unwrap() >= 1.0);
    assert!(scrape.value("remote_requests", &odd).unwrap() > 5.0);
    assert!(scrape.value("store_writes", &[]).unwrap() > 5.0);
    let seconds = scrape.samples("poll_seconds");
    let of_listing: Vec<&Sample> = seconds
        .iter()
        .filter(|one| one.labels["facet"] == "resources" && one.labels["remote"] == ODD_REMOTE)
        .collect();
    let named =
        |name: &str| of_listing.iter().find(|one| one.name == format!("muster_poll_seconds_{name}")).unwrap();
    assert!(named("count").value >= 2.0 && named("sum").value > 0.0);
    let last = of_listing.iter().find(|one| one.labels.get("le").is_some_and(|le| le == "+Inf")).unwrap();
    assert_eq!(last.value, named("count").value, "each answer is in a bucket");

    // Odd names come through as they are.
    let guest = scrape.samples("guest_state").iter().find(|one| one.labels["vmid"] == "101").unwrap();
    assert_eq!(guest.labels["name"], ODD);
    let labels: Vec<&str> = guest.labels.keys().map(String::as_str).collect();
    assert_eq!(labels, ["name", "node", "remote", "remote_id", "state", "type", "vmid"]);
    assert_eq!((guest.labels["state"].as_str(), guest.labels["type"].as_str()), ("running", "ct"));
    let node = &scrape.samples("node_state")[0];
    assert_eq!((node.labels["node"].as_str(), node.labels["state"].as_str()), ("pve1", "online"));
    assert!(scrape.value("guest_cpu_ratio", &[("vmid", "101")]).is_some());
    house.fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_known_is_absent_and_never_0() {
    const MOVING: [&str; 4] =
        ["guest_cpu_ratio", "guest_memory_bytes", "guest_disk_bytes", "guest_uptime_seconds"];
    let Some(python) = common::python() else { return };
    let house = House::new(settings()).await;
    let remote = house.sim.first().unwrap();
    let scrape = Scrape::of(&python, &house.router).await;
    for family in ["remote_guests", "remote_nodes", "remote_last_success_seconds"] {
        assert_eq!(scrape.value(family, &[("remote", "nowhere")]), None, "{family} of what was never read");
    }
    // A figure that Proxmox does not tell.
    remote.with_world(|world, _| world.remove_field("/cluster/resources", "/*/cpu"));
    house.until("no figure", |remote| remote.guests.iter().all(|row| row.guest.cpu.is_none())).await;
    let scrape = Scrape::of(&python, &house.router).await;
    assert!(scrape.samples("guest_cpu_ratio").is_empty(), "{:?}", scrape.samples("guest_cpu_ratio"));
    assert!(scrape.value("guest_memory_bytes", &[("vmid", "101")]).is_some(), "the others are there");
    remote.with_world(|world, _| world.clear_overrides());
    house.until("figures", |remote| remote.guests.iter().any(|row| row.guest.cpu.is_some())).await;

    // A node that is down: neither it nor its guests have moving figures, and nobody says that they stand still.
    remote.with_world(|world, _| world.kill_node("pve2"));
    house
        .until("in doubt", |remote| {
            remote
                .guests
                .iter()
                .filter(|row| row.guest.node == "pve2".into())
                .all(|row| !row.freshness.is_live())
        })
        .await;
    let scrape = Scrape::of(&python, &house.router).await;
    let there = [("node", "pve2")];
    for family in ["node_cpu_ratio", "node_memory_bytes", "node_uptime_seconds", "node_disk_bytes"] {
        assert_eq!(scrape.value(family, &there), None, "{family}");
        assert!(scrape.value(family, &[("node", "pve1")]).is_some(), "{family}");
    }
    for vmid in ["200", "201", "202"] {
        for family in MOVING {
            assert_eq!(scrape.value(family, &[("vmid", vmid)]), None, "{family}");
        }
        let state = scrape.samples("guest_state").iter().find(|one| one.labels["vmid"] == vmid).unwrap();
        assert!(!["running", "stopped"].contains(&state.labels["state"].as_str()), "{state:?}");
    }
    remote.with_world(|world, _| world.revive_node("pve2"));
    house.until("live", |remote| remote.guests.iter().all(|row| row.freshness.is_live())).await;

    // The whole remote is out of reach: what does not move is still known, what moves is not.
    remote.fault(None, Fault::Refuse).await;
    house.until("stale", |remote| remote.guests.iter().all(|row| !row.freshness.is_live())).await;
    let scrape = Scrape::of(&python, &house.router).await;
    for family in MOVING.into_iter().chain(["node_cpu_ratio", "node_memory_bytes", "node_uptime_seconds"]) {
        assert!(scrape.samples(family).is_empty(), "{family}: {:?}", scrape.samples(family));
    }
    assert_eq!(scrape.samples("guest_memory_max_bytes").len(), 6);
    assert_eq!(scrape.samples("guest_observed_seconds").len(), 6);
    assert_eq!(scrape.value("remote_up", &[("remote", ODD_REMOTE)]), Some(0.0));
    assert_eq!(scrape.value("remote_guests", &[("remote", ODD_REMOTE)]), Some(6.0), "last known good");
    for state in scrape.samples("guest_state") {
        assert!(!["running", "stopped"].contains(&state.labels["state"].as_str()), "{state:?}");
    }
    house.fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_guest_is_counted_no_more() {
    let house = House::new(settings()).await;
    let text = async || Ask::get("/metrics").by(&Who::Socket).of(&house.router).await.text;
    let of_guests = |text: &str, what: &str| {
        text.lines().filter(|line| line.starts_with("muster_") && line.contains(what)).count()
    };
    let before = text().await;
    assert!(of_guests(&before, "vmid=\"102\"") > 0, "{before}");
    house.sim.first().unwrap().with_world(|world, _| world.remove_guest(102));
    let gone = |remote: &fleet::RemoteSnapshot| {
        remote
            .guest(model::Vmid(102))
            .is_some_and(|row| matches!(row.presence, model::Presence::Deleted { .. }))
    };
    house.until("that it is deleted", gone).await;
    let began = Instant::now();
    let after = loop {
        let after = text().await;
        // One page is made for all who ask at about the same time.
        if of_guests(&after, "vmid=\"102\"") == 0 || began.elapsed() > Duration::from_secs(10) {
            break after;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(of_guests(&after, "vmid=\"102\""), 0, "{after}");
    let count = after.lines().find(|line| line.starts_with("muster_remote_guests{")).unwrap();
    assert!(count.ends_with(" 5.0") || count.ends_with(" 5"), "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gauges_of_guests_and_nodes_can_be_left_out() {
    let Some(python) = common::python() else { return };
    let without = async |guests: bool, nodes: bool| {
        let mut settings = settings();
        (settings.metrics.guests, settings.metrics.nodes) = (guests, nodes);
        let house = House::new(settings).await;
        let scrape = Scrape::of(&python, &house.router).await;
        for (family, (_, samples)) in &scrape.0 {
            assert!(guests || !family.starts_with("guest_"), "{family}");
            assert!(nodes || !family.starts_with("node_"), "{family}");
            let about_guest = samples.iter().any(|one| one.labels.contains_key("vmid"));
            assert!(guests || !about_guest, "{family} tells of guests one by one");
        }
        assert_eq!(guests, !scrape.samples("guest_state").is_empty());
        assert_eq!(nodes, !scrape.samples("node_state").is_empty());
        assert_eq!(
            scrape.value("remote_guests", &[("remote", ODD_REMOTE)]),
            Some(6.0),
            "how many is no secret"
        );
        house.fleet.stop().await;
    };
    tokio::join!(without(false, true), without(true, false), without(false, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_for_figures_serves_figures_and_health_and_nothing_else() {
    let mut settings = settings();
    settings.metrics.token_sha256 = Some(sha2::Sha256::digest(b"scrape-me").into());
    let (_dir, app) = bare(settings).await;
    let (stop, stopped) = watch::channel(false);
    let doors = Doors::new(&app, stopped);
    let (own, usual) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (own_at, usual_at) = (own.local_addr().unwrap(), usual.local_addr().unwrap());
    let serving = [tokio::spawn(doors.clone().metrics(own, None)), tokio::spawn(doors.tcp(usual, None))];
    let ask = async |at: std::net::SocketAddr, path: &str, more: &str| {
        let mut stream = TcpStream::connect(at).await.unwrap();
        // Prometheus comes under whatever name it was given.
        let head = format!("GET {path} HTTP/1.1\r\nHost: figures.example\r\nConnection: close\r\n{more}\r\n");
        let head = if at == usual_at { head.replace("figures.example", "localhost") } else { head };
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    };
    let (status, answer) = ask(own_at, "/metrics", "").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("application/openmetrics-text; version=1.0.0; charset=utf-8"), "{answer}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(own_at, path, "").await.0, 200, "{path}");
    }
    for path in
        ["/api/v1/session", "/api/v1/guests", "/api/v1/openapi.json", "/api/v1/setup", "/", "/metrics/x"]
    {
        for proof in ["", "Authorization: Bearer scrape-me\r\n"] {
            let (status, answer) = ask(own_at, path, proof).await;
            assert_eq!(status, 404, "{path}: {answer}");
        }
    }
    // At the usual address it takes the token.
    assert_eq!(ask(usual_at, "/metrics", "").await.0, 401);
    assert_eq!(ask(usual_at, "/metrics", "Authorization: Bearer scrape-me\r\n").await.0, 200);
    stop.send(true).unwrap();
    for one in serving {
        tokio::time::timeout(PATIENCE, one).await.unwrap().unwrap();
    }
}
