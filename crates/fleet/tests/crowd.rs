//! A crowd in which many are ill: whoever is well is read at full pace, whoever is not is named as what it is, and no
//! node is asked more than it should bear. What is counted is what the simulated hosts received.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use fleet::{Clock, Fleet, RemoteSnapshot, Timings};
use model::backoff::Backoff;
use model::{Cause, FacetKind, GuestState, RemoteId, Vmid};
use pve_sim::topology::{GuestKind, GuestSpec, Script, Step};
use pve_sim::{BlackHoleAt, Exchange, Fault, FaultSpec, Remote, ResetAt, Sim, SimTimings, Topology};
use support::{Bench, PATIENCE, ada, root, spec};
use tokio::sync::mpsc;

/// What is measured here is pace: one at a time.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// So many stand-alone hosts.
fn hosts(prefix: &str, count: usize) -> Topology {
    let mut topology = Topology::single("9.2");
    let one = topology.remotes.remove(0);
    topology.remotes = (0..count)
        .map(|n| {
            let mut one = one.clone();
            one.name = format!("{prefix}{n}");
            one
        })
        .collect();
    topology
}

/// Requests that came within a span of the hosts' clock and fit.
fn asked(remote: &Remote, within: &Range<u64>, fits: impl Fn(&Exchange) -> bool) -> usize {
    remote.journal().iter().filter(|one| within.contains(&one.at.millis()) && fits(one)).count()
}

fn is_listing(one: &Exchange) -> bool {
    one.method == "GET" && one.api_path() == "/cluster/resources"
}

/// Resident memory of this process, bytes.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}

/// Sockets of this process, the simulators' among them.
fn sockets() -> Option<usize> {
    let all = std::fs::read_dir("/proc/self/fd").ok()?.flatten();
    let links = all.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    Some(links.filter(|link| link.to_string_lossy().starts_with("socket:")).count())
}

// --- the crowd ---

const WELL: usize = 25;
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the crowd is watched.
const WINDOW: Duration = Duration::from_secs(5);
/// Connections to one remote at once: three calls, four that are kept for the next ones, and what the host has not
/// seen closed yet.
const CONNECTIONS: usize = 10;

/// A crowd's pace: the same proportions, but so few requests that two processors bear 75 hosts and both ends of their
/// connections.
fn pace() -> Timings {
    let mut timings = Timings::shrunk();
    timings.resources = INTERVAL;
    timings.tasks = INTERVAL;
    for slower in [
        &mut timings.cluster,
        &mut timings.node_status,
        &mut timings.ha_status,
        &mut timings.permissions,
        &mut timings.addresses,
    ] {
        *slower = INTERVAL * 4;
    }
    timings.config_sweep = INTERVAL * 20;
    timings.config_step = INTERVAL / 10;
    timings.link.intervals = 4;
    timings.link.backoff = Backoff { first: INTERVAL / 10, most: INTERVAL * 2 };
    timings.facet_retry = INTERVAL / 2;
    // A busy machine answers late: that is not to look like slow hosts that want to be left alone.
    timings.rest = 1;
    timings
}

/// What is wrong with one that is ill, and what its link may say while it is down.
struct Ill {
    faults: Vec<FaultSpec>,
    /// Down and up by turns.
    flaps: bool,
    codes: &'static [&'static str],
}

fn ill() -> Vec<Ill> {
    let steady = |fault: Fault, codes| Ill { faults: vec![fault.into()], flaps: false, codes };
    let flapping = |fault: Fault, codes| Ill { faults: vec![fault.into()], flaps: true, codes };
    let hang = |n: usize| match n % 3 {
        0 => steady(Fault::BlackHole { at: BlackHoleAt::Answer }, &["no_answer"]),
        1 => steady(Fault::BlackHole { at: BlackHoleAt::Tls }, &["no_answer"]),
        _ => steady(Fault::BlackHole { at: BlackHoleAt::Syn }, &["connect_timeout"]),
    };
    let flap = |n: usize| match n % 2 {
        0 => flapping(Fault::Refuse, &["refused", "answer_cut"]),
        _ => flapping(Fault::Reset { at: ResetAt::Answer }, &["answer_cut"]),
    };
    let nonsense = [
        steady(Fault::NotProxmox, &["not_proxmox"]),
        steady(Fault::MalformedJson, &["not_understood"]),
        steady(Fault::PlainTextBody, &["not_understood", "not_proxmox"]),
        steady(Fault::PlainHttp, &["not_http", "tls_failure"]),
        steady(Fault::Redirect { to: "https://elsewhere.example:8006".into() }, &["not_proxmox"]),
    ];
    (0..10).map(hang).chain((0..10).map(flap)).chain(nonsense).collect()
}

/// Waits until all of these are live.
async fn all_live(fleet: &Fleet, ids: &[RemoteId]) {
    let began = Instant::now();
    while !ids.iter().all(|id| is_live(&fleet.remote(*id).unwrap())) {
        assert!(began.elapsed() < PATIENCE, "those that are well do not come live");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_live(now: &RemoteSnapshot) -> bool {
    now.link.state.is_up()
        && now.guests.len() == 4
        && now.guests.iter().all(|row| row.freshness.is_live())
        && now.coverage.iter().all(|facet| facet.last_error.is_none())
}

/// What was seen of one remote: its link's words, and the codes of the causes.
type Seen = BTreeSet<(&'static str, Option<&'static str>)>;

/// What a while of watching told.
struct Watched {
    looks: usize,
    /// How often one that is well was not live.
    not_live: usize,
    /// Of each that is ill.
    seen: Vec<Seen>,
}

async fn watch(fleet: &Fleet, well: &[RemoteId], ill: &[RemoteId]) -> Watched {
    let began = Instant::now();
    let mut watched = Watched { looks: 0, not_live: 0, seen: vec![Seen::new(); ill.len()] };
    while began.elapsed() < WINDOW {
        tokio::time::sleep(Duration::from_millis(50)).await;
        watched.looks += 1;
        watched.not_live += well.iter().filter(|id| !is_live(&fleet.remote(**id).unwrap())).count();
        for (id, seen) in ill.iter().zip(&mut watched.seen) {
            let now = fleet.remote(*id).unwrap();
            seen.insert((now.link.state.word(), now.link.state.cause().map(Cause::code)));
        }
    }
    watched
}

/// A fleet that is told when to watch.
struct Watcher {
    go: mpsc::UnboundedSender<()>,
    told: mpsc::UnboundedReceiver<Watched>,
    thread: std::thread::JoinHandle<()>,
}

impl Watcher {
    /// On a thread of its own, as it would be in a process of its own: what blocks there, blocks there alone. Begins
    /// with a watch that comes back at once when all that are well are live.
    fn start(well: Vec<Remote>, ill: Vec<Remote>) -> Self {
        let (go, mut gone) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let fleet = Fleet::new(pace(), Clock::new(), 7);
                let mut ids = Vec::new();
                // The ill ones first: whatever they hold up would hold up the others.
                for remote in ill.iter().chain(&well) {
                    ids.push(fleet.add(spec(remote, 1, root()), &ada()).await.unwrap());
                }
                let (ill, well) = ids.split_at(ill.len());
                all_live(&fleet, well).await;
                let _ = tell.send(Watched { looks: 0, not_live: 0, seen: Vec::new() });
                while gone.recv().await.is_some() {
                    let _ = tell.send(watch(&fleet, well, ill).await);
                }
                fleet.stop().await;
            });
        });
        Self { go, told, thread }
    }

    async fn next(&mut self) -> Watched {
        // `None`: its thread has ended, and has said why.
        tokio::time::timeout(PATIENCE * 2, self.told.recv()).await.unwrap().unwrap()
    }

    async fn end(self) {
        drop(self.go);
        tokio::task::spawn_blocking(|| self.thread.join().unwrap()).await.unwrap();
    }
}

/// At what intervals each of these was listed within a span, on the average, milliseconds; the slowest last. How many
/// fall into the span would say as much about where it begins.
fn intervals(remotes: &[Remote], window: &Range<u64>) -> Vec<f64> {
    let of = |remote: &Remote| {
        let all = remote.journal();
        let at = |one: &Exchange| is_listing(one).then(|| one.at.millis()).filter(|at| window.contains(at));
        let at: Vec<u64> = all.iter().filter_map(at).collect();
        match at[..] {
            [first, .., last] => (last - first) as f64 / (at.len() - 1) as f64,
            // Not even two: the whole span.
            _ => (window.end - window.start) as f64,
        }
    };
    let mut all: Vec<f64> = remotes.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// Fifty remotes of which ten hang, ten flap and five answer nonsense; beside them, as the measure of what this machine
/// can do at this moment, a fleet of 25 that are all well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_crowd_of_ill_ones_those_that_are_well_keep_their_pace() {
    let _alone = ALONE.lock().await;
    let ill = ill();
    assert_eq!(ill.len(), 25);
    let mut topology = hosts("well", WELL);
    topology.remotes.extend(hosts("ill", ill.len()).remotes);
    for (one, ill) in topology.remotes[WELL..].iter_mut().zip(&ill) {
        if ill.flaps {
            let quiet = Step { ms: 1_200, faults: Vec::new() };
            let steps = vec![quiet, Step { ms: 800, faults: ill.faults.clone() }];
            one.script = Some(Script { repeat: true, steps });
        } else {
            one.faults.clone_from(&ill.faults);
        }
    }
    let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
    let measure = Sim::start(hosts("alone", WELL), SimTimings::fast()).await.unwrap();
    let (remotes, alone) = (sim.remotes(), measure.remotes());
    let (well, unwell) = remotes.split_at(WELL);
    let mut crowd = Watcher::start(well.to_vec(), unwell.to_vec());
    let mut control = Watcher::start(alone.clone(), Vec::new());
    crowd.next().await;
    control.next().await;

    // Up to a twentieth late by right.
    let allowed = INTERVAL.as_millis() as f64 * 1.05;
    let (memory, mut most_sockets) = (resident(), 0);
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen = vec![Seen::new(); ill.len()];
    // A machine that cannot even keep the control's pace has something else to do: then once more.
    for last in [false, false, false, true] {
        let began = remotes[0].now().millis();
        crowd.go.send(()).unwrap();
        control.go.send(()).unwrap();
        let watched = {
            let both = async { (crowd.next().await, control.next().await) };
            tokio::pin!(both);
            loop {
                tokio::select! {
                    watched = &mut both => break watched,
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
                most_sockets = most_sockets.max(sockets().unwrap_or(0));
                for remote in &remotes {
                    let open = remote.connections().iter().filter(|one| !one.closed).count();
                    let known = most.entry(remote.name().to_owned()).or_default();
                    *known = open.max(*known);
                }
            }
        };
        let window = began..began + u64::try_from(WINDOW.as_millis()).unwrap();
        for (all, now) in seen.iter_mut().zip(&watched.0.seen) {
            all.extend(now.iter().copied());
        }
        let (here, there) = (intervals(well, &window), intervals(&alone, &window));
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        let (crowded, quiet) = (mean(&here), mean(&there));
        let (not_live, not_live_alone) = (watched.0.not_live, watched.1.not_live);
        println!(
            "the {WELL} that are well are listed every {crowded:.0} ms in the crowd (slowest {:.0}), every {quiet:.0} ms \
             alone (slowest {:.0}); {allowed:.0} allowed; not live {not_live} times in {} looks (alone {not_live_alone})",
            here[WELL - 1],
            there[WELL - 1],
            watched.0.looks
        );
        let measured = quiet <= allowed / 0.9;
        if !measured && !last {
            continue;
        }
        let share = if measured { 0.9 } else { 0.5 };
        assert!(crowded * share <= quiet.max(allowed), "in the crowd {here:.0?}, alone {there:.0?}");
        let slowest = here[WELL - 1] <= 1.5 * there[WELL - 1].max(allowed);
        assert!(slowest || !measured, "in the crowd {here:.0?}, alone {there:.0?}");
        assert!(not_live <= not_live_alone, "one that is well and not live");
        break;
    }

    for (n, (ill, seen)) in ill.iter().zip(&seen).enumerate() {
        let what = format!("{} ({:?}): {seen:?}", unwell[n].name(), ill.faults[0].fault);
        let is_up = seen.iter().any(|(word, _)| matches!(*word, "connected" | "degraded"));
        let codes: BTreeSet<&str> = seen.iter().filter_map(|(_, code)| *code).collect();
        assert!(!codes.is_empty() && codes.iter().all(|code| ill.codes.contains(code)), "{what}");
        assert_eq!(is_up, ill.flaps, "{what}");
    }
    for (name, most) in &most {
        assert!(*most <= CONNECTIONS, "{most} connections to {name}");
    }
    if let (Some(before), Some(after)) = (memory, resident()) {
        let grown = after.saturating_sub(before) >> 20;
        // Both ends of everything, and what the simulators remember of every request.
        assert!(grown < 64, "{grown} MiB more than {WINDOW:?} before");
        let most = most.values().max().unwrap();
        println!(
            "{grown} MiB more than before; {most_sockets} sockets in all, at most {most} connections to one"
        );
    }
    crowd.end().await;
    control.end().await;
    sim.stop().await;
    measure.stop().await;
}

// --- a node that hangs ---

/// A cluster of three nodes with so many running containers on each.
fn cluster(each: [u32; 3]) -> Topology {
    let mut topology = Topology::cluster(3, "9.2");
    let one = &mut topology.remotes[0];
    one.guests = (1..=3)
        .zip(each)
        .flat_map(|(node, each)| {
            (0..each).map(move |n| GuestSpec {
                vmid: node * 1000 + n,
                kind: GuestKind::Ct,
                name: format!("ct-{node}-{n}"),
                node: format!("pve{node}"),
                running: true,
                ..GuestSpec::default()
            })
        })
        .collect();
    topology
}

fn about_guests(one: &Exchange, node: &str) -> bool {
    one.method == "GET" && one.api_path().starts_with(&format!("/nodes/{node}/lxc/"))
}

/// Two clusters are read side by side, and a node of one of them hangs: the other one is the measure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hangs_holds_up_nobody_but_itself() {
    let _alone = ALONE.lock().await;
    let mut timings = Timings::shrunk();
    // Nothing but what recurs: as many readings in any second as in the one before.
    timings.resources = Duration::from_millis(500);
    timings.node_status = Duration::from_millis(500);
    timings.addresses = Duration::from_millis(1_000);
    timings.config_sweep = Duration::from_millis(2_000);
    timings.rest = 1;
    // As many as one node takes: were they all its own, there would be none for the others.
    timings.background_calls = timings.pve.calls_per_node;
    let mut topology = cluster([3, 10, 3]);
    let mut twin = topology.remotes[0].clone();
    twin.name = "twin".to_owned();
    topology.remotes.push(twin);
    let bench = Bench::with(topology, 1, root(), timings).await;
    let twin = bench.sim.remote("twin").unwrap();
    let other = bench.fleet.add(spec(&twin, 1, root()), &ada()).await.unwrap();
    let known =
        |now: &RemoteSnapshot, kind| now.facet(kind).and_then(|facet| facet.parts).map(|parts| parts.known);
    let whole = |now: &RemoteSnapshot| {
        known(now, FacetKind::GuestConfig) == Some(16)
            && known(now, FacetKind::Addresses) == Some(16)
            && known(now, FacetKind::NodeStatus) == Some(3)
    };
    bench.until("everything", |now| whole(now) && whole(&bench.fleet.remote(other).unwrap())).await;

    bench.remote.fault(None, Fault::NodeHung { node: "pve2".into() }).await;
    bench.until("that it hangs", |now| known(now, FacetKind::NodeStatus) == Some(2)).await;
    let began = bench.remote.now().millis();
    let until = Instant::now() + WINDOW;
    let (mut samples, mut stale) = (0, BTreeSet::new());
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(25)).await;
        let now = bench.now();
        samples += 1;
        // What the cluster says of all guests goes on; also of those on the node that hangs.
        stale.extend(now.guests.iter().filter(|row| !row.freshness.is_live()).map(|row| row.guest.vmid));
        assert!(now.link.state.is_up(), "{}", now.link.sentence());
    }
    let window = began..bench.remote.now().millis();
    assert!(stale.is_empty(), "not live in {samples} looks: {stale:?}");
    for (what, fits) in [
        ("listings", Box::new(is_listing) as Box<dyn Fn(&Exchange) -> bool>),
        ("statuses of pve1", Box::new(|one: &Exchange| one.api_path() == "/nodes/pve1/status")),
        ("statuses of pve3", Box::new(|one: &Exchange| one.api_path() == "/nodes/pve3/status")),
        ("readings about guests on pve1", Box::new(|one: &Exchange| about_guests(one, "pve1"))),
        ("readings about guests on pve3", Box::new(|one: &Exchange| about_guests(one, "pve3"))),
    ] {
        let (here, there) = (asked(&bench.remote, &window, &fits), asked(&twin, &window, &fits));
        println!("{what}: {here} beside a node that hangs, {there} where none does");
        assert!(here as f64 >= 0.8 * there as f64, "{what}: {here}, where none hangs {there}");
    }

    // Its own facets are stale, with the cause; what was known of it is still there.
    let now = bench.now();
    let facet = now.facet(FacetKind::NodeStatus).unwrap();
    let failure = facet.last_error.as_ref().unwrap();
    let Cause::NodeNoAnswer { node, .. } = &failure.cause else { panic!("{failure}") };
    assert_eq!(node.as_ref().map(model::NodeName::as_str), Some("pve2"));
    assert!(now.node(&"pve2".into()).unwrap().node.version.is_some());
    let detail = bench.fleet.guest_detail(bench.id, Vmid(2000)).await.unwrap();
    assert!(matches!(detail.config.error.as_ref().unwrap().cause, Cause::NodeNoAnswer { .. }));
    assert!(detail.config.seen.is_some(), "its configuration as last seen");
    assert_eq!(detail.row.guest.state, GuestState::Running);
    let well = bench.fleet.guest_detail(bench.id, Vmid(3000)).await.unwrap();
    assert!(well.config.error.is_none() && well.status.error.is_none());

    // It comes back by itself, with its guests.
    bench.remote.clear_all().await;
    bench.until("the node again", whole).await;
    bench.end().await;
}

// --- manners ---

/// The most calls that one node had to answer at the same time, by node: those about it whichever way they came, and
/// those about no node that came to its own door.
fn at_once(journal: &[Exchange]) -> BTreeMap<String, usize> {
    let mut moments: BTreeMap<String, Vec<(u64, i32)>> = BTreeMap::new();
    for one in journal {
        let Some(answered) = one.answered else { continue };
        let named = one.api_path().strip_prefix("/nodes/").and_then(|rest| rest.split('/').next());
        let moments = moments.entry(named.unwrap_or(&one.node).to_owned()).or_default();
        moments.extend([(one.at.millis(), 1), (answered.millis(), -1)]);
    }
    let mut most = BTreeMap::new();
    for (node, mut moments) in moments {
        // One that has ended is over when the next one begins.
        moments.sort_unstable();
        let (mut open, mut highest) = (0, 0);
        for (_, step) in moments {
            open += step;
            highest = highest.max(open);
        }
        most.insert(node, usize::try_from(highest).unwrap());
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_node_has_more_than_three_calls_at_once() {
    let _alone = ALONE.lock().await;
    let mut timings = Timings::shrunk();
    timings.background_calls = 12;
    timings.config_sweep = Duration::from_millis(500);
    timings.config_step = Duration::from_millis(1);
    timings.addresses = Duration::from_millis(300);
    let bench = Bench::with(cluster([8; 3]), 2, root(), timings).await;
    bench
        .until("the first of everything", |now| {
            let known = now.facet(FacetKind::GuestConfig).and_then(|facet| facet.parts);
            now.cluster.is_some() && now.guests.len() == 24 && known.is_some_and(|parts| parts.known > 0)
        })
        .await;
    // Slow enough for everything to be due at the same time.
    bench.remote.fault(None, Fault::Delay { ms: 60 }).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.remote.clear_journal();
    // And people look at guests while all of that is being read.
    let looks: Vec<_> = (0..24)
        .map(|n| {
            let (fleet, id) = (bench.fleet.clone(), bench.id);
            let vmid = Vmid((n % 3 + 1) * 1000 + n / 3);
            tokio::spawn(async move { fleet.guest_detail(id, vmid).await.unwrap() })
        })
        .collect();
    for look in looks {
        let detail = look.await.unwrap();
        assert!(detail.config.error.is_none() && detail.status.error.is_none());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let most = at_once(&bench.remote.journal());
    println!("most calls at once: {most:?}");
    assert_eq!(most.keys().map(String::as_str).collect::<Vec<_>>(), ["pve1", "pve2", "pve3"]);
    assert!(most.values().all(|most| *most <= 3), "{most:?}");
    assert!(most.values().any(|most| *most == 3), "it never came near: {most:?}");
    bench.end().await;
}
