//! What is read of a remote, part by part, and when each part is due. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::backoff::Backoff;
use model::facet::{Coverage, Parts, interval};
use model::{Cause, EndpointId, FacetKind, Failure, NodeName, Now, Vmid};

use crate::clock::Micros;
use crate::timings::Timings;

/// One thing that is read by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    Version(EndpointId),
    Permissions,
    Cluster,
    Resources,
    Tasks,
    HaStatus,
    NodeStatus(NodeName),
    Certificates(NodeName),
    Config(Vmid),
    Addresses(Vmid),
    /// The state of one guest, where a listing is not enough.
    Glimpse(Vmid),
    /// Whether a guest that listings lack exists.
    Inquiry(Vmid),
}

impl Part {
    /// The facet it belongs to; a glimpse and an inquiry belong to none.
    pub(crate) fn facet(&self) -> Option<FacetKind> {
        Some(match self {
            Self::Version(_) => FacetKind::Version,
            Self::Permissions => FacetKind::Permissions,
            Self::Cluster => FacetKind::Cluster,
            Self::Resources => FacetKind::Resources,
            Self::Tasks => FacetKind::Tasks,
            Self::HaStatus => FacetKind::HaStatus,
            Self::NodeStatus(_) => FacetKind::NodeStatus,
            Self::Certificates(_) => FacetKind::Certificates,
            Self::Config(_) => FacetKind::GuestConfig,
            Self::Addresses(_) => FacetKind::Addresses,
            Self::Glimpse(_) | Self::Inquiry(_) => return None,
        })
    }

    /// About one node or one guest, whose own trouble may be all there is.
    pub(crate) fn is_narrow(&self) -> bool {
        matches!(
            self,
            Self::NodeStatus(_)
                | Self::Certificates(_)
                | Self::Config(_)
                | Self::Addresses(_)
                | Self::Glimpse(_)
                | Self::Inquiry(_)
        )
    }
}

/// How one part stands. There are two of these for every guest, so what is rarely there is apart.
#[derive(Debug, Clone)]
struct Slot {
    due: Micros,
    /// By the wall, since the epoch, and by the clock that nobody sets.
    succeeded: Option<Success>,
    running: bool,
    /// What was wrong or odd about it last.
    trouble: Option<Box<Trouble>>,
}

/// The last time that a part was read.
#[derive(Debug, Clone, Copy)]
struct Success {
    /// By the wall, since the epoch.
    wall: Option<Micros>,
    /// By the clock that nobody sets.
    mono: Micros,
    /// How long the answer took.
    took: Micros,
}

#[derive(Debug, Clone, Default)]
struct Trouble {
    /// In a row.
    failures: u32,
    error: Option<Box<Failure>>,
    failed: Option<Micros>,
    drift: u32,
}

impl Slot {
    fn due(due: Duration) -> Self {
        Self { due: Micros::of(due), succeeded: None, running: false, trouble: None }
    }

    fn error(&self) -> Option<&Failure> {
        self.trouble.as_ref()?.error.as_deref()
    }

    fn took(&self) -> Option<Duration> {
        self.succeeded.map(|success| success.took.span())
    }

    /// When it was last read, by the wall.
    fn last_success(&self) -> Option<Timestamp> {
        let since_epoch = SignedDuration::try_from(self.succeeded?.wall?.span()).ok()?;
        Timestamp::UNIX_EPOCH.checked_add(since_epoch).ok()
    }
}

/// Slots by part. Those of guests, of which there are many, are kept by number: the name of a part takes half as much
/// room as what is known of it.
#[derive(Debug, Default)]
struct Slots {
    few: BTreeMap<Part, Slot>,
    configs: BTreeMap<Vmid, Slot>,
    addresses: BTreeMap<Vmid, Slot>,
    /// With more than this the maps of guests are built anew.
    compact_at: usize,
}

impl Slots {
    fn get(&self, part: &Part) -> Option<&Slot> {
        match part {
            Part::Config(vmid) => self.configs.get(vmid),
            Part::Addresses(vmid) => self.addresses.get(vmid),
            part => self.few.get(part),
        }
    }

    fn get_mut(&mut self, part: &Part) -> Option<&mut Slot> {
        match part {
            Part::Config(vmid) => self.configs.get_mut(vmid),
            Part::Addresses(vmid) => self.addresses.get_mut(vmid),
            part => self.few.get_mut(part),
        }
    }

    fn or_insert(&mut self, part: Part, due: Duration) -> &mut Slot {
        let slot = || Slot::due(due);
        match part {
            Part::Config(vmid) => self.configs.entry(vmid).or_insert_with(slot),
            Part::Addresses(vmid) => self.addresses.entry(vmid).or_insert_with(slot),
            part => self.few.entry(part).or_insert_with(slot),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Part, &Slot)> {
        let few = self.few.iter().map(|(part, slot)| (part.clone(), slot));
        let configs = self.configs.iter().map(|(vmid, slot)| (Part::Config(*vmid), slot));
        let addresses = self.addresses.iter().map(|(vmid, slot)| (Part::Addresses(*vmid), slot));
        few.chain(configs).chain(addresses)
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.few.values_mut().chain(self.configs.values_mut()).chain(self.addresses.values_mut())
    }

    fn retain(&mut self, mut keep: impl FnMut(&Part, &Slot) -> bool) {
        self.few.retain(|part, slot| keep(part, slot));
        self.configs.retain(|vmid, slot| keep(&Part::Config(*vmid), slot));
        self.addresses.retain(|vmid, slot| keep(&Part::Addresses(*vmid), slot));
    }

    /// Makes the maps of guests as small as they can be: filled one by one in order, their nodes are half empty.
    fn compact(&mut self) {
        let count = self.configs.len() + self.addresses.len();
        if count > self.compact_at {
            for map in [&mut self.configs, &mut self.addresses] {
                *map = std::mem::take(map).into_iter().collect();
            }
            self.compact_at = count + count / 8;
        }
    }
}

/// All parts of one remote.
#[derive(Debug)]
pub(crate) struct Schedule {
    slots: Slots,
    timings: Arc<Timings>,
    /// Set for this remote by its owner.
    resources: Duration,
    /// When facets were last read by a process that is gone.
    remembered: BTreeMap<FacetKind, Timestamp>,
    /// Nodes of which the last that was asked about them or their guests was not answered.
    silent: BTreeSet<NodeName>,
}

/// What is to be read now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    /// These parts.
    pub(crate) parts: Vec<Part>,
    /// Others are due as well and have to wait until one that is being read has reported back.
    pub(crate) held: bool,
}

impl Schedule {
    pub(crate) fn new(timings: Arc<Timings>, resources: Option<Duration>) -> Self {
        let resources = resources.unwrap_or(timings.resources);
        Self {
            slots: Slots::default(),
            timings,
            resources,
            remembered: BTreeMap::new(),
            silent: BTreeSet::new(),
        }
    }

    /// Remembers when facets were last read before this process was.
    pub(crate) fn remember(&mut self, facets: BTreeMap<FacetKind, Timestamp>) {
        self.remembered = facets;
    }

    /// Another least interval of the listing.
    pub(crate) fn set_interval(&mut self, resources: Option<Duration>) {
        self.resources = resources.unwrap_or(self.timings.resources);
    }

    fn least(&self, part: &Part) -> Duration {
        match part {
            Part::Version(_) => self.timings.version,
            Part::Permissions => self.timings.permissions,
            Part::Cluster => self.timings.cluster,
            Part::Resources => self.resources,
            Part::Tasks => self.timings.tasks,
            Part::HaStatus => self.timings.ha_status,
            Part::NodeStatus(_) => self.timings.node_status,
            Part::Certificates(_) => self.timings.certificates,
            Part::Config(_) => self.timings.config_sweep,
            Part::Addresses(_) => self.timings.addresses,
            Part::Glimpse(_) | Part::Inquiry(_) => self.resources,
        }
    }

    /// The interval of a part at present.
    pub(crate) fn interval(&self, part: &Part) -> Duration {
        let took = self.slots.get(part).and_then(Slot::took).unwrap_or_default();
        interval(self.least(part), took, self.timings.rest)
    }

    /// Makes it as small as it can be.
    pub(crate) fn compact(&mut self) {
        self.slots.compact();
    }

    /// Adds a part, due then, unless it is there.
    pub(crate) fn want(&mut self, part: Part, due: Duration) {
        self.slots.or_insert(part, due);
    }

    /// Has a part read by then at the latest.
    pub(crate) fn hasten(&mut self, part: Part, due: Duration) {
        let slot = self.slots.or_insert(part, due);
        slot.due = slot.due.min(Micros::of(due));
    }

    /// No longer reads the parts that `keep` refuses, unless one is being read.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Part) -> bool) {
        self.slots.retain(|part, slot| slot.running || keep(part));
    }

    pub(crate) fn contains(&self, part: &Part) -> bool {
        self.slots.get(part).is_some()
    }

    /// What to read now of what is due. `node_of` names the node that a part about one node or guest is asked of.
    ///
    /// A node that does not answer holds every call for half a minute, and all its guests are due again and again: it
    /// gets one call at a time, which takes no place of another node's. None gets more than the client lets through.
    pub(crate) fn pick(&self, now: Duration, node_of: impl Fn(&Part) -> Option<NodeName>) -> Pick {
        let mut busy: BTreeMap<NodeName, usize> = BTreeMap::new();
        let mut places = self.timings.background_calls;
        let mut take = |part: &Part, forced: bool| {
            let node = node_of(part);
            let silent = node.as_ref().is_some_and(|node| self.silent.contains(node));
            let most = if silent { 1 } else { self.timings.pve.calls_per_node };
            let here = node.map(|node| busy.entry(node).or_default());
            let full = here.as_ref().is_some_and(|here| **here >= most) || (!silent && places == 0);
            if forced || !full {
                places = places.saturating_sub(usize::from(!silent));
                here.into_iter().for_each(|here| *here += 1);
            }
            !full
        };
        for (part, slot) in self.slots.iter() {
            if slot.running && part.is_narrow() {
                take(&part, true);
            }
        }
        let mut due = self.due(now);
        let before = due.len();
        due.retain(|part| !part.is_narrow() || take(part, false));
        Pick { held: due.len() < before, parts: due }
    }

    /// A node, or a guest on it, was asked for something, and it answered or did not.
    pub(crate) fn heard(&mut self, node: &NodeName, answered: bool) {
        if answered {
            self.silent.remove(node);
        } else {
            self.silent.insert(node.clone());
        }
    }

    /// The parts that are due and not being read, longest due first.
    fn due(&self, now: Duration) -> Vec<Part> {
        let now = Micros::of(now);
        let mut due: Vec<_> =
            self.slots.iter().filter(|(_, slot)| !slot.running && slot.due <= now).collect();
        due.sort_by_key(|(part, slot)| (part.is_narrow(), slot.due));
        due.into_iter().map(|(part, _)| part).collect()
    }

    /// When the next part is due of those that are not yet.
    pub(crate) fn next_due(&self, now: Duration) -> Option<Duration> {
        let now = Micros::of(now);
        let idle = self.slots.iter().map(|(_, slot)| slot).filter(|slot| !slot.running && slot.due > now);
        idle.map(|slot| slot.due).min().map(Micros::span)
    }

    pub(crate) fn begun(&mut self, part: &Part) {
        if let Some(slot) = self.slots.get_mut(part) {
            slot.running = true;
        }
    }

    /// Nothing is being read any more.
    pub(crate) fn interrupted(&mut self) {
        for slot in self.slots.values_mut() {
            slot.running = false;
        }
    }

    /// Everything is due: the link has just come up. Guests' own parts keep their time, lest a flickering link
    /// turn the sweep into a storm.
    pub(crate) fn all_due(&mut self, now: Duration) {
        for slot in self.slots.few.values_mut() {
            slot.due = slot.due.min(Micros::of(now));
        }
    }

    /// A part was read. `jitter` in 0..1 keeps remotes out of step.
    pub(crate) fn succeeded(&mut self, part: &Part, took: Duration, drift: u64, now: Now, jitter: f64) {
        let (least, rest) = (self.least(part), self.timings.rest);
        let Some(slot) = self.slots.get_mut(part) else { return };
        let wait = interval(least, took, rest);
        let since_epoch = Duration::try_from(now.wall.duration_since(Timestamp::UNIX_EPOCH)).ok();
        let drift = u32::try_from(drift).unwrap_or(u32::MAX);
        *slot = Slot {
            succeeded: Some(Success {
                wall: since_epoch.map(Micros::of),
                mono: Micros::of(now.mono),
                took: Micros::of(took),
            }),
            trouble: (drift > 0).then(|| Box::new(Trouble { drift, ..Trouble::default() })),
            // Up to a twentieth late, never early.
            ..Slot::due(now.after(wait.mul_f64(1.0 + jitter / 20.0)))
        };
    }

    /// A part could not be read.
    pub(crate) fn failed(&mut self, part: &Part, failure: Failure, now: Now, jitter: f64) {
        let full = self.interval(part);
        let (retry, most) = (self.timings.facet_retry, self.timings.link.backoff.most);
        let (addresses_most, sweep) = (self.timings.addresses_most, self.timings.config_sweep);
        let Some(slot) = self.slots.get_mut(part) else { return };
        slot.running = false;
        let trouble = slot.trouble.get_or_insert_default();
        trouble.failures = trouble.failures.saturating_add(1);
        let backoff = match (&failure.cause, part) {
            // An agent that does not run, or a call that is not for us, is not there the sooner for being asked.
            (_, Part::Addresses(_)) => Backoff { first: full, most: addresses_most.max(full) },
            // Where a guest's node is gone for good, there is nobody who could tell, however often one asks.
            (_, Part::Inquiry(_)) => Backoff { first: full, most: sweep.max(full) },
            (Cause::PrivilegeMissing { .. } | Cause::NotSupported { .. }, _) => {
                Backoff { first: full, most: full }
            }
            _ => Backoff { first: retry, most: full.min(most).max(retry) },
        };
        slot.due = Micros::of(now.after(backoff.wait(trouble.failures, jitter)));
        (trouble.error, trouble.failed) = (Some(Box::new(failure)), Some(Micros::of(now.mono)));
    }

    /// A guest has no agent to tell its addresses. That is its own affair and no error of ours; it is asked ever
    /// more seldom.
    pub(crate) fn declined(&mut self, part: &Part, failure: Failure, now: Now, jitter: f64) {
        self.failed(part, failure, now, jitter);
        if let Some(trouble) = self.slots.get_mut(part).and_then(|slot| slot.trouble.as_mut()) {
            trouble.error = None;
        }
    }

    /// A part was not read after all (its answer came too late, or there was nobody to ask).
    pub(crate) fn skipped(&mut self, part: &Part, now: Now) {
        let full = self.interval(part);
        if let Some(slot) = self.slots.get_mut(part) {
            slot.running = false;
            slot.due = Micros::of(now.after(full));
        }
    }

    /// The last error of a part, if its last reading failed.
    pub(crate) fn error(&self, part: &Part) -> Option<&Failure> {
        self.slots.get(part)?.error()
    }

    /// When a part was last read (monotonic).
    pub(crate) fn last_success(&self, part: &Part) -> Option<Duration> {
        self.slots.get(part)?.succeeded.map(|success| success.mono.span())
    }

    /// When a part last could not be read, if it could not be since (monotonic).
    pub(crate) fn last_failure(&self, part: &Part) -> Option<Duration> {
        self.slots.get(part)?.trouble.as_ref()?.failed.map(Micros::span)
    }

    /// How well each facet is known. One pass: there are two parts for every guest.
    pub(crate) fn coverage(&self) -> Vec<Coverage> {
        let mut all: BTreeMap<FacetKind, (Coverage, Parts)> = BTreeMap::new();
        let blank = |facet, interval| (Coverage::new(facet, interval), Parts { known: 0, due: 0 });
        for (part, slot) in self.slots.iter() {
            let Some(facet) = part.facet() else { continue };
            let (one, parts) = all.entry(facet).or_insert_with(|| blank(facet, self.interval(&part)));
            parts.due += 1;
            if slot.succeeded.is_some() && slot.error().is_none() {
                parts.known += 1;
            }
            one.took = one.took.max(slot.took());
            one.last_success = one.last_success.max(slot.last_success());
            one.drift =
                one.drift.saturating_add(slot.trouble.as_ref().map_or(0, |trouble| trouble.drift.into()));
            if slot.error().map(|error| error.at) > one.last_error.as_ref().map(|error| error.at) {
                one.last_error = slot.error().cloned();
            }
        }
        for (facet, at) in &self.remembered {
            let (one, _) = all.entry(*facet).or_insert_with(|| blank(*facet, self.resources));
            one.last_success = one.last_success.max(Some(*at));
        }
        FacetKind::ALL
            .into_iter()
            .filter_map(|facet| {
                let (mut one, parts) = all.remove(&facet)?;
                if let Some(Failure { cause: Cause::PrivilegeMissing { path, privileges, .. }, .. }) =
                    &one.last_error
                {
                    one.missing_privilege = Some(format!("{path}: {}", privileges.join(" or ")));
                }
                let in_parts = matches!(
                    facet,
                    FacetKind::Version
                        | FacetKind::NodeStatus
                        | FacetKind::Certificates
                        | FacetKind::GuestConfig
                        | FacetKind::Addresses
                );
                one.parts = (in_parts && parts.due > 0).then_some(parts);
                Some(one)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        let mono = Duration::from_secs(seconds);
        Now { wall: Timestamp::UNIX_EPOCH + mono, mono }
    }

    fn schedule() -> Schedule {
        Schedule::new(Arc::new(Timings::default()), None)
    }

    fn failure(cause: Cause, now: Now) -> Failure {
        Failure { cause, endpoint: None, at: now.wall }
    }

    #[test]
    fn the_interval_follows_the_last_answer() {
        let mut schedule = schedule();
        schedule.want(Part::Resources, Duration::ZERO);
        schedule.begun(&Part::Resources);
        assert!(schedule.due(Duration::from_secs(99)).is_empty(), "never twice at once");
        schedule.succeeded(&Part::Resources, Duration::from_millis(100), 0, at(100), 0.0);
        assert_eq!(schedule.next_due(Duration::ZERO), Some(Duration::from_secs(110)));
        schedule.succeeded(&Part::Resources, Duration::from_secs(3), 0, at(200), 0.0);
        assert_eq!(schedule.next_due(Duration::ZERO), Some(Duration::from_secs(260)));
    }

    #[test]
    fn a_failed_part_is_read_again_soon_but_not_what_is_forbidden() {
        let mut schedule = schedule();
        schedule.want(Part::Resources, Duration::ZERO);
        let error = failure(Cause::NotUnderstood { what: String::new() }, at(0));
        schedule.failed(&Part::Resources, error, at(0), 0.0);
        assert_eq!(schedule.next_due(Duration::ZERO), Some(Duration::from_secs(5)));
        let cause = Cause::PrivilegeMissing {
            path: "/".into(),
            privileges: vec!["Sys.Audit".into()],
            text: String::new(),
        };
        schedule.failed(&Part::Resources, failure(cause, at(10)), at(10), 0.0);
        assert_eq!(schedule.next_due(Duration::ZERO), Some(Duration::from_secs(20)));
        let coverage = &schedule.coverage()[0];
        assert_eq!(coverage.missing_privilege.as_deref(), Some("/: Sys.Audit"));
        schedule.succeeded(&Part::Resources, Duration::ZERO, 3, at(20), 0.0);
        let coverage = &schedule.coverage()[0];
        assert_eq!((coverage.last_error.clone(), coverage.drift), (None, 3));
    }

    #[test]
    fn a_failing_agent_is_asked_ever_more_seldom() {
        let mut schedule = schedule();
        let part = Part::Addresses(Vmid(100));
        schedule.want(part.clone(), Duration::ZERO);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let error = failure(Cause::NotSupported { text: String::new() }, at(0));
            schedule.failed(&part, error, at(0), 0.0);
            waits.push(schedule.next_due(Duration::ZERO).unwrap().as_secs() / 60);
        }
        assert_eq!(waits, [10, 20, 40, 80, 120, 120]);
    }

    #[test]
    fn who_cannot_tell_of_a_guest_is_asked_ever_more_seldom() {
        let mut schedule = schedule();
        let part = Part::Inquiry(Vmid(100));
        schedule.want(part.clone(), Duration::ZERO);
        let mut waits = Vec::new();
        for _ in 0..10 {
            let error = failure(Cause::NotUnderstood { what: "hostname lookup failed".into() }, at(0));
            schedule.failed(&part, error, at(0), 0.0);
            waits.push(schedule.next_due(Duration::ZERO).unwrap().as_secs());
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800]);
    }

    #[test]
    fn what_concerns_everything_goes_first() {
        let mut schedule = schedule();
        schedule.want(Part::Config(Vmid(1)), Duration::ZERO);
        schedule.want(Part::Resources, Duration::from_secs(1));
        assert_eq!(schedule.due(Duration::from_secs(2)), [Part::Resources, Part::Config(Vmid(1))]);
    }

    #[test]
    fn a_node_that_does_not_answer_takes_nobody_s_place() {
        let mut schedule = schedule();
        let now = Duration::from_secs(1);
        // Eight guests of node a, due long since, before two of node b and a third node's status.
        let node_of = |part: &Part| match part {
            Part::Config(Vmid(vmid)) => Some(NodeName::from(if *vmid < 200 { "a" } else { "b" })),
            Part::NodeStatus(node) => Some(node.clone()),
            _ => None,
        };
        let guest = |vmid| Part::Config(Vmid(vmid));
        for vmid in 100..108 {
            schedule.want(guest(vmid), Duration::ZERO);
        }
        for part in [guest(200), guest(201), Part::NodeStatus("c".into())] {
            schedule.want(part, Duration::from_millis(1));
        }
        schedule.want(Part::Resources, now);
        let first = schedule.pick(now, node_of);
        assert_eq!(
            first,
            Pick {
                parts: vec![
                    Part::Resources,
                    guest(100),
                    guest(101),
                    guest(102),
                    Part::NodeStatus("c".into())
                ],
                held: true
            },
            "three for one node, four in all, and what concerns everything besides"
        );
        for part in &first.parts {
            schedule.begun(part);
        }
        assert_eq!(schedule.pick(now, node_of).parts, [], "all places are taken");
        let silent = failure(Cause::NoAnswer { after: now }, at(1));
        for part in &first.parts[1..4] {
            schedule.failed(part, silent.clone(), at(1), 0.0);
        }
        schedule.heard(&"a".into(), false);
        let then = schedule.pick(now, node_of);
        assert_eq!(then, Pick { parts: vec![guest(103), guest(200), guest(201)], held: true });
        for part in &then.parts {
            schedule.begun(part);
        }
        schedule.heard(&"a".into(), true);
        assert_eq!(
            schedule.pick(now, node_of).parts,
            [],
            "of its places one is taken, and so are all the others"
        );
        schedule.failed(&guest(103), silent, at(1), 0.0);
        assert_eq!(schedule.pick(now, node_of).parts, [guest(104)], "as any other");
    }
}
