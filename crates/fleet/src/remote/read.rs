//! Reading a remote: what is due is asked for, what comes back is taken in, and what that makes doubtful is
//! read again.

use std::sync::Arc;
use std::time::Duration;

use model::cause::Reach;
use model::link::{Event, Health};
use model::presence::PermissionsMark;
use model::rows::Cluster;
use model::{Cause, ConfigChange, EndpointId, Failure, Happening, Now, Text, Vmid};

use super::fetch::{self, Ear, Job, Payload, Place, fetch, traits};
use super::schedule::Part;
use super::{Done, Errand, PartDone, Remote};
use crate::change::Change;
use crate::errors::cause;
use crate::figures::FacetFigures;
use crate::inventory::Reading;
use crate::journal::Fact;

/// While no more may be asked at once, how long until the next look, should nothing report back.
const ONE_MOMENT: Duration = Duration::from_millis(500);

impl Remote {
    /// Starts reading what is due; says when something will be.
    pub(super) fn poll(&mut self, endpoint: &EndpointId, now: Now) -> Duration {
        let guests = &self.inventory.guests;
        let pick = self.schedule.pick(now.mono, |part| match part {
            Part::NodeStatus(node) | Part::Certificates(node) => Some(node.clone()),
            Part::Config(vmid) | Part::Addresses(vmid) | Part::Glimpse(vmid) | Part::Inquiry(vmid) => {
                guests.get(vmid).map(|known| known.guest.node.clone())
            }
            _ => None,
        });
        for part in pick.parts {
            self.read(part, endpoint, now);
        }
        let next = self.schedule.next_due(now.mono).unwrap_or(now.after(Duration::from_secs(3600)));
        // A place becomes free when one of them reports back.
        if pick.held { next.min(now.after(ONE_MOMENT)) } else { next }
    }

    fn read(&mut self, part: Part, endpoint: &EndpointId, now: Now) {
        let (job, place) = match self.job(&part) {
            Some(found) => found,
            None => {
                self.schedule.skipped(&part, now);
                return;
            }
        };
        let endpoint = match &part {
            Part::Version(own) if !self.may_be_asked(own) => {
                self.schedule.skipped(&part, now);
                return;
            }
            Part::Version(own) => own.clone(),
            _ => endpoint.clone(),
        };
        let Some(client) = self.lines().get(&endpoint).cloned() else {
            self.schedule.skipped(&part, now);
            return;
        };
        self.schedule.begun(&part);
        let epoch = self.link.epoch();
        let reading = Reading { begun: now.mono, through: endpoint };
        let flown = self.shared.flown.clone();
        let clock = self.common.clock;
        self.spawn(Errand::Part(part.clone()), async move {
            let mut ear = Ear::new(clock);
            let result = fetch(job, &client, &flown, &mut ear).await;
            Done::Part(Box::new(PartDone { part, place, epoch, reading, ear, result }))
        });
    }

    /// Whether an endpoint works as far as is known. One that does not is tried when the link says so, not read; and
    /// where it has stopped for a person to act, nothing is sent at all.
    fn may_be_asked(&self, endpoint: &EndpointId) -> bool {
        let view = self.link.view();
        let one = view.endpoints.iter().find(|one| one.endpoint == *endpoint);
        one.is_some_and(|one| one.in_use || matches!(one.health, Health::Good | Health::Untried))
    }

    /// What to ask for a part; `None` when there is nobody to ask at present.
    fn job(&self, part: &Part) -> Option<(Job, Option<Place>)> {
        let place = |vmid: &Vmid| {
            let known = self.inventory.guests.get(vmid)?;
            Some(Place { vmid: *vmid, kind: known.guest.kind, node: known.guest.node.clone() })
        };
        Some(match part {
            Part::Version(_) => (Job::Version, None),
            Part::Permissions => (Job::Permissions, None),
            Part::Cluster => (Job::Cluster, None),
            Part::Resources => (Job::Resources { expected: self.inventory.expected() }, None),
            Part::Tasks => (Job::Tasks, None),
            Part::HaStatus => (Job::HaStatus, None),
            Part::NodeStatus(node) if self.inventory.answers(node) => (Job::NodeStatus(node.clone()), None),
            Part::Certificates(node) if self.inventory.answers(node) => {
                (Job::Certificates(node.clone()), None)
            }
            Part::Config(vmid) if self.inventory.can_be_read(*vmid) => {
                let place = place(vmid)?;
                (Job::Config(place.clone()), Some(place))
            }
            Part::Addresses(vmid) if self.inventory.runs(*vmid) => {
                let place = place(vmid)?;
                (Job::Addresses(place.clone()), Some(place))
            }
            Part::Glimpse(vmid) if self.inventory.can_be_read(*vmid) => {
                let place = place(vmid)?;
                (Job::Glimpse(place.clone()), Some(place))
            }
            Part::Inquiry(vmid) => {
                let place = place(vmid)?;
                (Job::Inquiry(place.clone()), Some(place))
            }
            Part::NodeStatus(_)
            | Part::Certificates(_)
            | Part::Config(_)
            | Part::Addresses(_)
            | Part::Glimpse(_) => return None,
        })
    }

    pub(super) fn part_done(&mut self, done: PartDone, now: Now) {
        let PartDone { part, place, epoch, reading, mut ear, result } = done;
        let drifted = ear.drift.count();
        self.listen(Some(&part), &mut ear);
        let jitter = self.jitter();
        self.overheard(epoch, &reading.through, result.as_ref().map(|_| ()), part.is_narrow(), now);
        let node = match (&part, &place) {
            (Part::NodeStatus(node) | Part::Certificates(node), _) => Some(node),
            (_, place) => place.as_ref().map(|place| &place.node),
        };
        if let Some(node) = node {
            match result.as_ref().err().map(cause) {
                Some(cause) if matches!(cause, Cause::NoAnswer { .. }) || cause.reach() == Reach::Node => {
                    self.schedule.heard(node, false);
                }
                // It has answered, if only with a complaint.
                None => self.schedule.heard(node, true),
                Some(cause) if cause.reach() == Reach::Call => self.schedule.heard(node, true),
                // What concerns the way to it says nothing about the node.
                Some(_) => {}
            }
        }
        if let Some(facet) = part.facet() {
            let figures = self.figures.entry(facet).or_insert_with(|| FacetFigures::new(facet));
            match &result {
                Ok(_) => figures.succeeded(ear.took, drifted),
                Err(_) => figures.failed(),
            }
        }
        match result {
            Err(error) => {
                let endpoint = Some(reading.through);
                let failure = Failure { cause: cause(&error), endpoint, at: now.wall };
                let own_affair = matches!(part, Part::Addresses(_))
                    && matches!(failure.cause, Cause::ServerError { .. } | Cause::ParametersRejected { .. });
                let turned_away = failure.cause.reach() == Reach::Credential
                    && matches!(&part, Part::Version(own) if self.link.endpoint() != Some(own));
                if turned_away || matches!(part, Part::Glimpse(_)) {
                    // The listing will have to do; and an endpoint that does not let us in is told by the link, and
                    // not asked again before a try of it has succeeded.
                    self.schedule.skipped(&part, now);
                    self.schedule.retain(|one| *one != part);
                } else if own_affair {
                    self.schedule.declined(&part, failure, now, jitter);
                } else {
                    self.schedule.failed(&part, failure, now, jitter);
                }
            }
            Ok(payload) => {
                self.schedule.succeeded(&part, ear.took, drifted, now, jitter);
                self.take(&part, place, payload, &reading, now);
                if part == Part::Resources {
                    let interval = self.schedule.interval(&Part::Resources);
                    self.step(Event::Interval(interval), now);
                }
            }
        }
    }

    /// Takes in what a part brought.
    fn take(&mut self, part: &Part, place: Option<Place>, payload: Payload, reading: &Reading, now: Now) {
        let through = &reading.through;
        match payload {
            Payload::Version(version) => {
                if let Some(version) = version {
                    self.versions.insert(through.clone(), version);
                }
            }
            Payload::Permissions(mark) => self.take_mark(mark),
            Payload::Cluster(cluster, others) => {
                self.others = others;
                self.take_cluster(cluster, through, now);
            }
            Payload::Resources { listing, after } => {
                let before = self.mark;
                let changes = self.inventory.reconcile(*listing, reading, before, after, now);
                if let Some(after) = after {
                    self.take_mark(after);
                }
                if let Some(changes) = changes {
                    self.listed_through = Some(through.clone());
                    self.note(changes, now);
                    self.plan(now);
                    for vmid in self.inventory.contradicted() {
                        self.schedule.hasten(Part::Glimpse(vmid), now.mono);
                    }
                }
            }
            Payload::Tasks(tasks) => {
                if let Some(changes) = self.inventory.take_tasks(tasks, reading.begun, now) {
                    self.note(changes, now);
                }
            }
            Payload::HaStatus(rows) => self.ha = rows,
            Payload::NodeStatus(facts) => {
                if let Part::NodeStatus(name) = part
                    && let Some(known) = self.inventory.nodes.get_mut(name)
                {
                    if facts.version.is_some() && known.node.version != facts.version {
                        self.inventory.touched.nodes.insert(name.clone());
                    }
                    known.node.version = facts.version.or(known.node.version.take());
                    known.node.load = facts.load;
                    let seen = fetch::observed(facts.status, now.wall, through);
                    let drift = self.drift.get(part).map(|drift| drift.records.clone());
                    self.shared.looks.keep_status(name, seen, drift.unwrap_or_default());
                    if self.shared.looks.is_due(name, now.mono) {
                        self.inventory.touched.nodes.insert(name.clone());
                    }
                }
            }
            Payload::Certificates { ends, authority } => {
                if let Part::Certificates(name) = part
                    && let Some(known) = self.inventory.nodes.get_mut(name)
                {
                    if ends.is_some() && known.node.certificate_ends != ends {
                        self.inventory.touched.nodes.insert(name.clone());
                    }
                    known.node.certificate_ends = ends.or(known.node.certificate_ends);
                }
                if let Some(authority) = authority {
                    self.take_identity(authority, now);
                }
            }
            Payload::Config(config) => {
                if let Some(place) = place.filter(|place| self.inventory.is_about(place.vmid, reading.begun))
                {
                    let traits = traits(place.kind, &config.value);
                    let change = self.inventory.note_traits(place.vmid, traits, now);
                    self.note(change.into_iter().collect(), now);
                    let seen = fetch::observed(Arc::new(config.value.clone()), now.wall, through);
                    self.configs.push((place.vmid, reading.begun, seen));
                }
            }
            Payload::Addresses(interfaces) => {
                if let Part::Addresses(vmid) = part
                    && self.inventory.is_about(*vmid, reading.begun)
                {
                    self.inventory.take_addresses(*vmid, fetch::observed(interfaces, now.wall, through));
                }
            }
            Payload::Glimpse(glimpse) => {
                if let Part::Glimpse(vmid) = part {
                    let changes = self.inventory.glimpse(*vmid, glimpse, reading, now);
                    self.note(changes, now);
                }
                self.schedule.retain(|one| one != part);
            }
            Payload::Inquiry(said) => {
                if let Part::Inquiry(vmid) = part {
                    let changes = self.inventory.asked(*vmid, said, now);
                    self.note(changes, now);
                }
                self.schedule.retain(|one| one != part);
            }
        }
    }

    fn take_cluster(&mut self, cluster: Cluster, through: &EndpointId, now: Now) {
        let before = self.cluster.as_ref().and_then(|seen| seen.value.quorate);
        if let (Some(before), Some(quorate)) = (before, cluster.quorate)
            && before != quorate
        {
            self.happened(Happening::Quorum { quorate }, None, now);
        }
        self.cluster = Some(fetch::observed(cluster, now.wall, through));
    }

    /// Its root certificate was read: by that it is known.
    fn take_identity(&mut self, authority: Text, now: Now) {
        if self.identity.as_ref() == Some(&authority) {
            return;
        }
        if let Some(before) = self.identity.replace(authority.clone()) {
            // A cluster may make itself a new authority. Or the name leads elsewhere: that is for a person to tell.
            let (from, to) = (Some(before.to_string()), Some(authority.to_string()));
            let changes = vec![ConfigChange { key: "identity".into(), from, to }];
            self.happened(Happening::RemoteEdited { changes }, None, now);
        }
        self.facts.push(Fact::Kept(Box::new(self.record(now))));
        let name = Text::from(self.spec.name.as_str());
        if let Some(other) = self.shared.board.same_as(&authority, self.id, &name) {
            self.happened(Happening::RemoteSameAs { other }, None, now);
        }
    }

    fn take_mark(&mut self, mark: PermissionsMark) {
        if self.mark.is_some_and(|known| known != mark) {
            self.inventory.permissions_changed();
        }
        self.mark = Some(mark);
    }

    /// Notes changes, and has read at once what they make doubtful.
    pub(super) fn note(&mut self, changes: Vec<Change>, now: Now) {
        for change in &changes {
            match change {
                Change::GuestState { vmid, .. } | Change::GuestMoved { vmid, .. } => {
                    self.schedule.hasten(Part::Config(*vmid), now.mono);
                    if self.inventory.runs(*vmid) {
                        self.schedule.hasten(Part::Addresses(*vmid), now.mono);
                    }
                }
                Change::GuestRenamed { vmid, .. } | Change::GuestReshaped { vmid, .. } => {
                    self.schedule.hasten(Part::Config(*vmid), now.mono);
                }
                Change::GuestReborn { vmid, .. } => {
                    self.shared.drop_config(*vmid);
                    self.schedule.hasten(Part::Config(*vmid), now.mono);
                }
                _ => {}
            }
        }
        for mut change in changes {
            if let Change::GuestReshaped { vmid, changes } = &mut change
                && self.inventory.guests.get(vmid).is_some_and(|known| known.config.is_some())
            {
                // Its configuration is read at once, and tells the rest itself.
                changes.retain(|one| matches!(one.key.as_str(), "pool" | "ha"));
                if changes.is_empty() {
                    continue;
                }
            }
            let known = change.vmid().and_then(|vmid| self.inventory.guests.get(&vmid));
            let (incarnation, node) =
                known.map(|known| (known.incarnation, known.guest.node.clone())).unzip();
            let event = change.event(self.id, incarnation, node, now.wall);
            self.facts.push(Fact::Event(Box::new(event)));
        }
        self.dirty = true;
    }

    /// Plans the parts of nodes and guests after a listing.
    fn plan(&mut self, now: Now) {
        let timings = self.common.timings.clone();
        let inventory = &self.inventory;
        self.drift.retain(|part, _| self.schedule.contains(part));
        self.shared.retain_configs(|vmid| inventory.guests.contains_key(vmid));
        self.schedule.retain(|part| match part {
            Part::NodeStatus(node) | Part::Certificates(node) => inventory.nodes.contains_key(node),
            Part::Config(vmid) | Part::Glimpse(vmid) => inventory.can_be_read(*vmid),
            Part::Addresses(vmid) => inventory.runs(*vmid),
            Part::Inquiry(vmid) => inventory.guests.get(vmid).is_some_and(|known| known.presence.asks()),
            _ => true,
        });
        for node in inventory.nodes.keys() {
            self.schedule.want(Part::NodeStatus(node.clone()), now.mono);
            self.schedule.want(Part::Certificates(node.clone()), now.mono);
        }
        let readable: Vec<Vmid> =
            inventory.guests.keys().copied().filter(|vmid| inventory.can_be_read(*vmid)).collect();
        let count = u32::try_from(readable.len()).unwrap_or(u32::MAX).max(1);
        // The first sweep is not a storm either, and takes no longer than a whole one.
        let step = timings.config_step.min(timings.config_sweep / count);
        let mut due = now.mono;
        for vmid in readable {
            for part in [Part::Config(vmid), Part::Addresses(vmid)] {
                let sensible = matches!(part, Part::Config(_)) || self.inventory.runs(vmid);
                if sensible && !self.schedule.contains(&part) {
                    due = due.saturating_add(step);
                    self.schedule.want(part, due);
                }
            }
        }
        for (vmid, ..) in self.inventory.to_ask() {
            self.schedule.want(Part::Inquiry(vmid), now.mono);
        }
        self.schedule.compact();
    }
}
