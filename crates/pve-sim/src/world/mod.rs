//! What a cluster *is*: nodes, guests, tasks, HA, users, permissions, configuration, and every endpoint's
//! answer. No sockets, no async, no clock: time is an argument, chance comes from a seed.
//!
//! Entry point: [`Cluster`]. A call comes in through [`Cluster::handle`] and passes, in the order of the real
//! server, sign-in (`sign_in`), the catalogue, permissions (`acl`), the way to its node, and the check of
//! its parameters (`verify`) before a handler sees it (`route`). One file per noun holds the handlers.

mod access_api;
mod acl;
mod agenda;
mod cluster_api;
mod conf;
mod config_api;
mod deeds;
mod edits;
mod facts;
mod failure;
mod formats;
mod gauges;
mod guest;
mod guest_api;
mod ha;
mod lifecycle;
mod locks;
mod node;
mod node_api;
mod past;
mod power;
mod resources;
mod route;
mod rrd;
mod sign_in;
pub mod spec;
mod storage_api;
mod task_api;
mod tasks;
#[cfg(test)]
mod tests;
mod tfa_api;
mod tickets;
mod users;
mod verify;

use std::collections::BTreeMap;

use catalogue::Release;

use self::acl::{Line, Roles};
use self::agenda::{Agenda, Event};
use self::facts::Facts;
use self::gauges::{below, mix};
use self::ha::Ha;
use self::node::Node;
use self::spec::{GuestInput, StorageInput};
use self::tasks::Tasks;
use self::tickets::Signer;
use self::users::Users;
use crate::seam::{CertificateFacts, SimTime, WorldTimings};
pub use guest::{Guest, Run};
pub use node::Health;
pub use spec::{ClusterSpec, Kind};
pub(crate) use tasks::TYPES;

/// One simulated cluster or stand-alone host.
pub struct Cluster {
    facts: &'static Facts,
    cluster_name: Option<String>,
    seed: u64,
    timings: WorldTimings,
    now: SimTime,
    /// When the status daemons last reported.
    last_tick: SimTime,
    nodes: Vec<Node>,
    guests: BTreeMap<u32, Guest>,
    storages: Vec<StorageInput>,
    /// Pools that exist without a guest in them are here too.
    pools: Vec<String>,
    users: Users,
    realms: Vec<access_api::Realm>,
    acl: Vec<Line>,
    roles: Roles,
    tasks: Tasks,
    agenda: Agenda,
    ha: Ha,
    /// `/cluster/options`.
    options: BTreeMap<String, String>,
    signer: Signer,
    quorate: bool,
    edits: edits::Edits,
    /// Grows with whatever changes; what was rendered before is old then.
    revision: u64,
    /// Whether anything changed since the last tick.
    dirty: bool,
    rendered: resources::Rendered,
}

/// The description cannot be made into a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub String);

/// The numbers that a guest may have.
pub(crate) const VMIDS: std::ops::RangeInclusive<u32> = 100..=999_999_999;

/// Words that guests of a made-up fleet are named with.
const ROLES: [&str; 12] =
    ["web", "db", "cache", "mail", "git", "proxy", "build", "dns", "metrics", "queue", "files", "auth"];

impl Cluster {
    /// Builds the world from its description.
    ///
    /// # Errors
    /// When the description contradicts itself: no node, an unknown version, a guest on a node that is not
    /// there, a vmid given twice.
    pub fn new(spec: &ClusterSpec, timings: WorldTimings, now: SimTime) -> Result<Self, SpecError> {
        let release: Release = spec.version.parse().map_err(|error| SpecError(format!("{error}")))?;
        let facts = Facts::of(release)
            .ok_or_else(|| SpecError(format!("version {release} is not simulated: 7.4, 8.4 and 9.2 are")))?;
        if spec.nodes.is_empty() {
            return Err(SpecError("a cluster has at least one node".to_owned()));
        }
        if spec.cluster_name.is_none() && spec.nodes.len() > 1 {
            return Err(SpecError("several nodes need a cluster name".to_owned()));
        }
        spec.check(facts)?;
        let node_seed = |place: usize| mix(spec.seed, 1_000 + place as u64);
        let nodes = spec.nodes.iter().enumerate();
        let nodes = nodes.map(|(place, node)| Node::new(&node.name, node.ip, node_seed(place), now));
        let mut cluster = Self {
            facts,
            cluster_name: spec.cluster_name.clone(),
            seed: spec.seed,
            timings,
            now,
            last_tick: SimTime(now.millis() - now.millis() % timings.statd_interval.max(1)),
            nodes: nodes.collect(),
            guests: BTreeMap::new(),
            storages: storages(spec),
            pools: Vec::new(),
            users: Users::from_spec(spec, now),
            realms: access_api::builtin_realms(),
            acl: spec.acl.iter().map(Line::from_input).collect(),
            roles: Roles::new(facts, &spec.roles),
            tasks: Tasks::default(),
            agenda: Agenda::default(),
            ha: Ha::default(),
            options: BTreeMap::new(),
            signer: Signer::new(spec.seed),
            quorate: true,
            edits: edits::Edits::new(spec.oddity, spec.seed),
            revision: 0,
            dirty: true,
            rendered: resources::Rendered::default(),
        };
        for input in &spec.guests {
            cluster.insert_guest(input)?;
        }
        for input in filled(spec, &cluster) {
            cluster.insert_guest(&input)?;
        }
        cluster.tick(cluster.last_tick);
        Ok(cluster)
    }

    fn insert_guest(&mut self, input: &GuestInput) -> Result<(), SpecError> {
        let place = self.nodes.iter().position(|node| node.name == input.node).ok_or_else(|| {
            SpecError(format!("guest {} is on node \"{}\", which is not there", input.vmid, input.node))
        })?;
        if !VMIDS.contains(&input.vmid) {
            return Err(SpecError(format!("guest {}: numbers go from 100 to 999999999", input.vmid)));
        }
        if self.guests.contains_key(&input.vmid) {
            return Err(SpecError(format!("guest {}: the number is taken", input.vmid)));
        }
        if let Some(pool) = &input.pool
            && !self.pools.contains(pool)
        {
            self.pools.push(pool.clone());
            self.pools.sort();
        }
        self.guests.insert(input.vmid, Guest::new(input, place, self.seed, self.now));
        if input.ha {
            self.ha_add(input.vmid);
        }
        Ok(())
    }

    /// Lets time pass: tasks end, HA acts, the status daemon reports. Time never goes back: an earlier `now`
    /// is ignored.
    pub fn advance(&mut self, now: SimTime) {
        while let Some((at, event)) = self.agenda.take(now) {
            // What the daemon saw before this happened is what it reports of that time.
            self.tick_until(at);
            self.now = self.now.max(at);
            match event {
                Event::TaskEnds(serial) => self.end_task(serial, at),
                Event::LockTimesOut(serial) => self.lock_times_out(serial, at),
                Event::HaActs(vmid) => self.ha_acts(vmid),
                Event::HaRecovers(node) => self.ha_recovers(node),
            }
        }
        self.tick_until(now);
        self.now = self.now.max(now);
    }

    /// Somebody sets the clock, forward or (negative) back by so many milliseconds.
    ///
    /// What is under way takes as long as it would have, and uptimes stay what they are. What is written down
    /// (task times, tickets, snapshots) keeps the time that it was written with.
    pub fn set_clock(&mut self, by: i64) {
        self.now = self.now.shifted(by);
        self.last_tick = self.last_tick.shifted(by);
        self.agenda.shift(by);
        for node in &mut self.nodes {
            node.booted = node.booted.shifted(by);
            node.measured = node.measured.shifted(by);
            node.past.shift(by);
            node.reported = node.reported.map(|at| at.shifted(by));
        }
        for guest in self.guests.values_mut() {
            guest.started = guest.started.shifted(by);
            guest.made = guest.made.shifted(by);
            guest.past.shift(by);
            if let Some(seen) = &mut guest.seen {
                seen.started = seen.started.shifted(by);
            }
        }
        self.revision += 1;
    }

    /// When something will next happen by itself, if anything will. Reports of the status daemon do not
    /// count: nobody sees them before asking.
    #[must_use]
    pub fn next_event(&self) -> Option<SimTime> {
        self.agenda.next()
    }

    /// The last report due by then; those before it were overtaken, since nothing changed in between.
    fn tick_until(&mut self, now: SimTime) {
        let interval = self.timings.statd_interval.max(1);
        let due = now.since(self.last_tick) / interval;
        if due > 0 {
            self.tick(self.last_tick.plus(due * interval));
        }
    }

    fn tick(&mut self, at: SimTime) {
        self.last_tick = at;
        let mut reporting = Vec::with_capacity(self.nodes.len());
        for node in &mut self.nodes {
            reporting.push(node.reports());
            if node.reports() {
                // A node that came back has not been seen yet: its guests neither.
                self.dirty |= node.reported.is_none();
                node.reported = Some(at);
            }
        }
        if self.dirty {
            for guest in self.guests.values_mut() {
                if reporting.get(guest.node) == Some(&true) {
                    guest.seen = Some(guest.look());
                }
            }
            self.dirty = reporting.contains(&false);
        }
    }

    /// Something changed.
    fn touch(&mut self) {
        self.revision += 1;
        self.dirty = true;
    }

    fn node_name(&self, place: usize) -> &str {
        self.nodes.get(place).map_or("", |node| node.name.as_str())
    }

    fn node_place(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.joined && node.name == name)
    }

    /// Whether a node belongs to the cluster. One that does not is unknown there, with the guests on it; it joins with
    /// them, as no real one may, which saves a test the making of some.
    pub fn set_joined(&mut self, node: &str, joined: bool) {
        if let Some(node) = self.nodes.iter_mut().find(|known| known.name == node) {
            node.joined = joined;
        }
        self.touch();
    }

    /// Gives a node another name. Its own endpoint goes by the one before, and is of no use any more.
    pub fn rename_node(&mut self, from: &str, to: &str) {
        if let Some(node) = self.nodes.iter_mut().find(|known| known.name == from) {
            to.clone_into(&mut node.name);
        }
        self.touch();
    }

    /// Tells the world which certificates a node has.
    pub fn set_certificates(&mut self, node: &str, certificates: Vec<CertificateFacts>) {
        if let Some(node) = self.nodes.iter_mut().find(|known| known.name == node) {
            node.certificates = certificates;
        }
    }

    /// Ends every ticket signed so far, as a new signing key does.
    pub fn expire_tickets(&mut self, now: SimTime) {
        self.advance(now);
        self.signer.renew();
    }

    /// Whether a node is up: the socket of one that is not does not answer.
    #[must_use]
    pub fn node_is_up(&self, node: &str) -> bool {
        self.node_health(node) == Some(Health::Up) || self.node_health(node) == Some(Health::DaemonDown)
    }

    /// How a node answers; none where there is no such node.
    #[must_use]
    pub fn node_health(&self, node: &str) -> Option<Health> {
        self.nodes.iter().find(|known| known.name == node).map(|node| node.health)
    }

    /// The names of the nodes.
    #[must_use]
    pub fn node_names(&self) -> Vec<&str> {
        self.nodes.iter().map(|node| node.name.as_str()).collect()
    }

    /// The world's own time.
    #[must_use]
    pub const fn now(&self) -> SimTime {
        self.now
    }
}

/// What every node has, and what was asked for.
fn storages(spec: &ClusterSpec) -> Vec<StorageInput> {
    let mut all = vec![
        StorageInput {
            name: "local".to_owned(),
            kind: "dir".to_owned(),
            content: "iso,vztmpl,backup".to_owned(),
            shared: false,
            total: 100_861_726_720,
            used: 21_474_836_480,
        },
        StorageInput {
            name: "local-lvm".to_owned(),
            kind: "lvmthin".to_owned(),
            content: "images,rootdir".to_owned(),
            shared: false,
            total: 366_828_584_960,
            used: 98_784_247_808,
        },
    ];
    for storage in &spec.storages {
        all.retain(|known| known.name != storage.name);
        all.push(storage.clone());
    }
    all
}

/// The guests that were asked for by number only.
fn filled(spec: &ClusterSpec, cluster: &Cluster) -> Vec<GuestInput> {
    let first = cluster.guests.keys().next_back().map_or(100, |last| last + 1).max(100);
    let mut made = Vec::with_capacity(spec.fill);
    for (vmid, place) in (first..).zip(0..spec.fill) {
        let seed = mix(spec.seed, 5_000 + place as u64);
        let kind = if below(mix(seed, 1), 3) == 0 { Kind::Vm } else { Kind::Ct };
        let role = ROLES.get(place % ROLES.len()).copied().unwrap_or("guest");
        let template = below(mix(seed, 2), 20) == 0 && place >= spec.fill_ha;
        let running = !template && (below(mix(seed, 3), 4) > 0 || place < spec.fill_ha);
        let stage = if below(mix(seed, 4), 3) == 0 { "test" } else { "prod" };
        made.push(GuestInput {
            vmid,
            kind,
            name: format!("{role}{:02}", place / ROLES.len() + 1),
            node: cluster.node_name(place % cluster.nodes.len()).to_owned(),
            running,
            tags: vec![role.to_owned(), stage.to_owned()],
            pool: None,
            ha: place < spec.fill_ha,
            template,
            agent: kind == Kind::Vm && below(mix(seed, 5), 3) > 0,
            config: Vec::new(),
        });
    }
    made
}
