//! One remote, running: a task that alone owns the link machine, the inventory and the operations of its
//! remote. Requests run in children and report back; every decision is taken here, by the pure machines.

mod fetch;
mod ride;
mod schedule;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use model::link::{Event, Link, Todo};
use model::outage::Pace;
use model::presence::PermissionsMark;
use model::{
    Action, Author, Cause, EndpointId, Failure, LinkState, Now, Observed, OperationId, PowerOptions,
    RemoteId, TaskId, Text, Vmid,
};
use pve::drift::Drift;
use pve::{Credential, Error, Factor, SystemStore, TfaChallenge, TrustPolicy};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};

use crate::clock::{Clock, Dice};
use crate::errors::{Verdict, cause, verdict};
use crate::inventory::{Change, Inventory, Reading};
use crate::journal::{Fact, Journal};
use crate::lines::{Lines, recredential, retrust};
use crate::snapshot::{Cluster, HaRow};
use crate::spec::RemoteSpec;
use crate::timings::Timings;
use crate::traffic::Meter;
use fetch::{Ear, Job, Payload, Place, fetch, traits};
use ride::{Ride, Sight};
use schedule::{Part, Schedule};
pub(crate) use view::{Board, Shared};

/// Snapshots are made at most this often; readers cannot follow faster anyway.
const PUBLISH_GAP: Duration = Duration::from_millis(25);
/// A part that could not be asked for (its node is down, its guest off) is looked at again after this.
const ONE_MOMENT: Duration = Duration::from_millis(500);

/// An operation was not taken on; nothing was recorded or sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OperateError {
    /// There is no such remote, or it is being removed.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// There is no such guest.
    #[error("there is no guest {0} on this remote")]
    NoSuchGuest(Vmid),
    /// It cannot be done now.
    #[error("{reason}")]
    Disabled {
        /// Why not.
        reason: String,
        /// What would make it possible.
        remedy: String,
    },
    /// It could not be recorded, so it was not sent either.
    #[error("not sent: {0}")]
    NotRecorded(String),
}

/// A remote was not disconnected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectError {
    /// There is no such remote.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// Operations on it have not ended; they would not be followed any more.
    #[error("{} operation(s) on it have not ended and would not be followed", .0.len())]
    OpenOperations(Vec<OperationId>),
}

/// A task was not asked to stop.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StopTaskError {
    /// There is no such remote.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// What was given is no task id.
    #[error("{0}")]
    NotATask(String),
    /// The call failed.
    #[error("{0}")]
    Failed(Failure),
}

/// What a remote is told.
pub(crate) enum Message {
    Disconnect {
        by: String,
        even_with_open: bool,
        reply: oneshot::Sender<Result<(), DisconnectError>>,
    },
    Connect,
    TryNow,
    Pace(Pace),
    Operate {
        vmid: Vmid,
        action: Action,
        options: PowerOptions,
        author: Author,
        reply: oneshot::Sender<Result<OperationId, OperateError>>,
    },
    /// Somebody asked for a task to end; it may be that of an operation.
    CancelAsked {
        task: TaskId,
        by: String,
    },
    Trust {
        endpoint: EndpointId,
        trust: Box<TrustPolicy>,
    },
    Credential(Box<Credential>),
    SecondFactor {
        factor: Factor,
        reply: oneshot::Sender<Result<(), Failure>>,
    },
    /// A call made on behalf of a reader ended.
    Heard {
        epoch: u64,
        endpoint: EndpointId,
        result: Result<(), Error>,
    },
    /// A guest is being looked at.
    Opened(Vmid),
    Stop,
}

/// What a child brought back.
enum Done {
    Part(Box<PartDone>),
    Tried {
        epoch: u64,
        endpoint: EndpointId,
        ear: Box<Ear>,
        result: Result<Payload, Error>,
    },
    Factor {
        epoch: u64,
        endpoint: EndpointId,
        result: Result<(), Error>,
        reply: oneshot::Sender<Result<(), Failure>>,
    },
    Ride(OperationId, Box<Sight>),
    Closed,
}

struct PartDone {
    part: Part,
    place: Option<Place>,
    epoch: u64,
    reading: Reading,
    ear: Ear,
    result: Result<Payload, Error>,
}

/// What a child was for, should it fall over.
#[derive(Debug, Clone)]
enum Errand {
    Part(Part),
    Try(EndpointId),
    Factor,
    Ride(OperationId),
    Close,
}

/// What all remotes of a fleet share.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) clock: Clock,
    pub(crate) dice: Dice,
    pub(crate) timings: Arc<Timings>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) store: SystemStore,
    pub(crate) ids: Arc<dyn Fn() -> OperationId + Send + Sync>,
}

/// One remote, running.
pub(crate) struct Remote {
    id: RemoteId,
    spec: RemoteSpec,
    common: Common,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Message>,

    link: Link,
    up_since: Option<Timestamp>,
    lines: Option<Lines>,
    challenge: Option<TfaChallenge>,
    schedule: Schedule,
    inventory: Inventory,
    mark: Option<PermissionsMark>,
    cluster: Option<Observed<Cluster>>,
    ha: Vec<HaRow>,
    versions: BTreeMap<EndpointId, Text>,
    identity: Option<Text>,
    skew: Option<SignedDuration>,
    drift: BTreeMap<Part, Drift>,
    meter: Meter,
    counted_before: (u64, u64),
    rides: BTreeMap<OperationId, Ride>,

    children: JoinSet<Done>,
    errands: HashMap<Id, Errand>,
    facts: Vec<Fact>,
    dirty: bool,
    published: Duration,
    revision: u64,
    faults: u32,
    last_fault: Option<Text>,
}

// === impl Remote ===

impl Remote {
    pub(crate) fn new(
        id: RemoteId,
        spec: RemoteSpec,
        common: Common,
        shared: Arc<Shared>,
        inbox: mpsc::Receiver<Message>,
    ) -> Self {
        let now = common.clock.now();
        let interval = spec.interval.unwrap_or(common.timings.resources);
        let mut link = Link::new(spec.ids(), spec.login(), interval, common.timings.link.clone(), now);
        if let Some((by, since)) = &spec.disconnected {
            link = link.disconnected(by.clone(), *since);
        }
        Self {
            id,
            schedule: Schedule::new(common.timings.clone(), spec.interval),
            spec,
            shared,
            inbox,
            link,
            up_since: None,
            lines: None,
            challenge: None,
            inventory: Inventory::default(),
            mark: None,
            cluster: None,
            ha: Vec::new(),
            versions: BTreeMap::new(),
            identity: None,
            skew: None,
            drift: BTreeMap::new(),
            meter: Meter::default(),
            counted_before: (0, 0),
            rides: BTreeMap::new(),
            children: JoinSet::new(),
            errands: HashMap::new(),
            facts: Vec::new(),
            dirty: true,
            published: Duration::ZERO,
            revision: 0,
            faults: 0,
            last_fault: None,
            common,
        }
    }

    /// Runs until told to stop. Whatever falls over inside is caught, reported and taken up again; what was
    /// known stays known.
    pub(crate) async fn supervise(mut self) {
        loop {
            match AssertUnwindSafe(self.run()).catch_unwind().await {
                Ok(()) => break,
                Err(panic) => {
                    self.fell(&words(panic.as_ref()));
                    tokio::time::sleep(self.common.timings.link.backoff.first).await;
                }
            }
        }
        self.children.abort_all();
        if let Some(lines) = self.lines.take() {
            lines.close().await;
        }
    }

    fn fell(&mut self, what: &str) {
        tracing::error!(remote = %self.spec.name, what, "the task of a remote fell over; starting it again");
        self.faults = self.faults.saturating_add(1);
        self.last_fault = Some(what.into());
        self.children.abort_all();
        self.children.detach_all();
        self.errands.clear();
        self.schedule.interrupted();
        let now = self.now();
        self.step(Event::Interrupted, now);
        self.interrupt_rides("the answer was not waited for: a fault inside Muster", now);
        self.dirty = true;
    }

    async fn run(&mut self) {
        loop {
            let now = self.now();
            self.step(Event::Tick, now);
            let until = self.act(now);
            self.drive_rides(now).await;
            let until = self.publish_if_due(until).await;
            let sleep = tokio::time::sleep_until(self.common.clock.instant(until));
            tokio::select! {
                message = self.inbox.recv() => match message {
                    None | Some(Message::Stop) => return,
                    Some(message) => self.told(message).await,
                },
                Some(done) = self.children.join_next_with_id(), if !self.children.is_empty() => {
                    self.back(done).await;
                }
                () = sleep => {}
            }
            // Whatever else is ready belongs to the same step: one snapshot instead of many.
            while let Some(done) = self.children.try_join_next_with_id() {
                self.back(done).await;
            }
        }
    }

    fn now(&self) -> Now {
        self.common.clock.now()
    }

    fn jitter(&self) -> f64 {
        self.common.dice.roll()
    }

    /// Steps the link machine, and notes what that changed.
    fn step(&mut self, event: Event, now: Now) {
        let before = self.link.state().clone();
        let jitter = self.jitter();
        self.link.step(event, now, jitter);
        let after = self.link.state().clone();
        if before == after {
            return;
        }
        self.dirty = true;
        if before.word() != after.word() || before.cause() != after.cause() {
            tracing::info!(remote = %self.spec.name, state = after.word(), cause = ?after.cause().map(Cause::code), "link");
            self.facts.push(Fact::Link { state: after.clone() });
        }
        if after.is_up() && !before.is_up() {
            self.came_up(now);
        }
        self.shared.link_changed(self.id, after);
    }

    /// The link is up: everything is worth reading again.
    fn came_up(&mut self, now: Now) {
        self.up_since = Some(now.wall);
        for part in [Part::Permissions, Part::Cluster, Part::Resources, Part::Tasks, Part::HaStatus] {
            self.schedule.want(part, now.mono);
        }
        for endpoint in self.spec.ids() {
            let in_use = self.link.endpoint() == Some(&endpoint);
            // The try that brought the link up has read the version already.
            let due = if in_use { now.after(self.common.timings.version) } else { now.mono };
            self.schedule.want(Part::Version(endpoint), due);
        }
        self.schedule.all_due(now.mono);
    }

    /// Does what is due, and says when to look again.
    fn act(&mut self, now: Now) -> Duration {
        let idle = now.after(Duration::from_secs(3600));
        match self.link.todo(now) {
            Todo::Rest | Todo::Busy => idle,
            Todo::Wait { until } => until,
            Todo::Try { endpoint } => {
                self.try_at(endpoint, now);
                idle
            }
            Todo::Serve { endpoint, probe, until } => {
                if let Some(probe) = probe {
                    self.try_at(probe, now);
                }
                let next = self.poll(&endpoint, now);
                until.min(next)
            }
        }
    }

    fn lines(&mut self) -> &Lines {
        self.lines
            .get_or_insert_with(|| Lines::open(&self.spec, &self.common.timings.pve, &self.common.store))
    }

    fn try_at(&mut self, endpoint: EndpointId, now: Now) {
        let Some(client) = self.lines().get(&endpoint).cloned() else { return };
        self.step(Event::Begun { endpoint: endpoint.clone() }, now);
        let epoch = self.link.epoch();
        let errand = Errand::Try(endpoint.clone());
        self.spawn(errand, async move {
            let mut ear = Ear::default();
            let result = fetch(Job::Version, &client, &mut ear).await;
            Done::Tried { epoch, endpoint, ear: Box::new(ear), result }
        });
    }

    fn spawn(&mut self, errand: Errand, work: impl Future<Output = Done> + Send + 'static) {
        let handle = self.children.spawn(work);
        self.errands.insert(handle.id(), errand);
    }

    /// Starts reading what is due; says when something will be.
    fn poll(&mut self, endpoint: &EndpointId, now: Now) -> Duration {
        for part in self.schedule.due(now.mono) {
            if part.is_narrow() && self.schedule.narrow_running() >= self.common.timings.background_calls {
                // A place becomes free when one of them reports back.
                break;
            }
            self.read(part, endpoint, now);
        }
        let free = self.schedule.narrow_running() < self.common.timings.background_calls;
        let next = self.schedule.next_due().unwrap_or(now.after(Duration::from_secs(3600)));
        if free { next.max(now.mono) } else { next.max(now.after(ONE_MOMENT)) }
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
            Part::Version(own) => own.clone(),
            _ => endpoint.clone(),
        };
        let Some(client) = self.lines().get(&endpoint).cloned() else { return };
        self.schedule.begun(&part);
        let epoch = self.link.epoch();
        let reading = Reading { begun: now.mono, through: endpoint };
        self.spawn(Errand::Part(part.clone()), async move {
            let mut ear = Ear::default();
            let result = fetch(job, &client, &mut ear).await;
            Done::Part(Box::new(PartDone { part, place, epoch, reading, ear, result }))
        });
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
            Part::Inquiry(vmid) => {
                let place = place(vmid)?;
                (Job::Inquiry(place.clone()), Some(place))
            }
            Part::NodeStatus(_) | Part::Certificates(_) | Part::Config(_) | Part::Addresses(_) => {
                return None;
            }
        })
    }

    // --- what comes back ---

    async fn back(&mut self, done: Result<(Id, Done), JoinError>) {
        let now = self.now();
        match done {
            Ok((id, done)) => {
                self.errands.remove(&id);
                match done {
                    Done::Part(done) => self.part_done(*done, now),
                    Done::Tried { epoch, endpoint, ear, result } => {
                        self.tried(epoch, endpoint, *ear, result, now);
                    }
                    Done::Factor { epoch, endpoint, result, reply } => {
                        let answer = match &result {
                            Ok(()) => Ok(()),
                            Err(error) => Err(Failure {
                                cause: cause(error),
                                endpoint: Some(endpoint.clone()),
                                at: now.wall,
                            }),
                        };
                        match result {
                            // The session is open: the link may try again, from the beginning.
                            Ok(()) => {
                                self.challenge = None;
                                self.step(Event::Mended, now);
                            }
                            Err(error) => self.heard(epoch, &endpoint, Err(&error), false, now),
                        }
                        let _ = reply.send(answer);
                    }
                    Done::Ride(id, sight) => self.ride_back(id, *sight, now),
                    Done::Closed => {}
                }
            }
            Err(error) => {
                let errand = self.errands.remove(&error.id());
                if error.is_panic() {
                    self.child_fell(errand, error.into_panic().as_ref(), now);
                }
            }
        }
        self.dirty = true;
    }

    /// A child fell over: its part has failed through a fault of ours, and nothing else.
    fn child_fell(&mut self, errand: Option<Errand>, panic: &(dyn std::any::Any + Send), now: Now) {
        let what = words(panic);
        tracing::error!(remote = %self.spec.name, ?errand, what, "a request fell over");
        self.faults = self.faults.saturating_add(1);
        self.last_fault = Some(what.as_str().into());
        let cause = Cause::Internal { text: what };
        let epoch = self.link.epoch();
        match errand {
            Some(Errand::Part(part)) => {
                let jitter = self.jitter();
                let failure = Failure { cause, endpoint: None, at: now.wall };
                self.schedule.failed(&part, failure, now, jitter);
            }
            Some(Errand::Try(endpoint)) => self.step(Event::Failed { epoch, endpoint, cause }, now),
            Some(Errand::Ride(id)) => self.ride_fell(id, cause, now),
            Some(Errand::Factor | Errand::Close) | None => {}
        }
    }

    /// Tells the link how a request ended.
    fn heard(
        &mut self,
        epoch: u64,
        endpoint: &EndpointId,
        result: Result<(), &Error>,
        narrow: bool,
        now: Now,
    ) {
        let endpoint = endpoint.clone();
        let event = match result.map_err(|error| (error, verdict(error, narrow))) {
            Ok(()) => Event::Succeeded { epoch, endpoint },
            Err((_, Verdict::Endpoint(cause))) => Event::Failed { epoch, endpoint, cause },
            Err((error, Verdict::Rejected(cause))) => {
                if let pve::ErrorKind::SecondFactorNeeded { challenge } = error.kind() {
                    self.challenge = Some(challenge.clone());
                }
                // The client has signed in anew, or repeated the token, by itself.
                Event::Rejected { epoch, endpoint, cause, again: true }
            }
            Err((_, Verdict::Complaint(cause))) => Event::Complained { epoch, cause },
        };
        self.step(event, now);
    }

    fn tried(
        &mut self,
        epoch: u64,
        endpoint: EndpointId,
        mut ear: Ear,
        result: Result<Payload, Error>,
        now: Now,
    ) {
        let (part, drifted) = (Part::Version(endpoint.clone()), ear.drift.count());
        self.listen(Some(&part), &mut ear);
        match result {
            Ok(payload) => {
                if let Payload::Version(Some(version)) = payload {
                    self.versions.insert(endpoint.clone(), version);
                }
                let jitter = self.jitter();
                self.schedule.want(part.clone(), now.mono);
                self.schedule.succeeded(&part, ear.took, drifted, now, jitter);
                self.heard(epoch, &endpoint, Ok(()), false, now);
            }
            Err(error) => match verdict(&error, false) {
                // Whatever keeps a try from succeeding keeps the link from coming up.
                Verdict::Complaint(cause) => self.step(Event::Failed { epoch, endpoint, cause }, now),
                _ => self.heard(epoch, &endpoint, Err(&error), false, now),
            },
        }
    }

    /// Takes in what an ear heard beside the answer itself. What is odd about a part holds until it is read
    /// again.
    fn listen(&mut self, part: Option<&Part>, ear: &mut Ear) {
        if let Some(skew) = ear.skew {
            self.skew = Some(skew);
        }
        let drift = std::mem::take(&mut ear.drift);
        let Some(part) = part else { return };
        if !drift.is_empty() {
            self.drift.insert(part.clone(), drift);
        } else if ear.answered {
            self.drift.remove(part);
        }
    }

    fn part_done(&mut self, done: PartDone, now: Now) {
        let PartDone { part, place, epoch, reading, mut ear, result } = done;
        let drifted = ear.drift.count();
        self.listen(Some(&part), &mut ear);
        let jitter = self.jitter();
        self.heard(epoch, &reading.through, result.as_ref().map(|_| ()), part.is_narrow(), now);
        match result {
            Err(error) => {
                let endpoint = Some(reading.through);
                let failure = Failure { cause: cause(&error), endpoint, at: now.wall };
                let own_affair = matches!(part, Part::Addresses(_))
                    && matches!(failure.cause, Cause::ServerError { .. } | Cause::ParametersRejected { .. });
                if own_affair {
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
            Payload::Cluster(cluster) => self.cluster = Some(fetch::observed(cluster, now.wall, through)),
            Payload::Resources { listing, after } => {
                let before = self.mark;
                let changes = self.inventory.reconcile(*listing, reading, before, after, now);
                if let Some(after) = after {
                    self.take_mark(after);
                }
                if let Some(changes) = changes {
                    self.note(changes, now);
                    self.plan(now);
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
                    known.node.version = facts.version.or(known.node.version.take());
                    known.node.load = facts.load;
                }
            }
            Payload::Certificates { ends, authority } => {
                if let Part::Certificates(name) = part
                    && let Some(known) = self.inventory.nodes.get_mut(name)
                {
                    known.node.certificate_ends = ends.or(known.node.certificate_ends);
                }
                if authority.is_some() && self.identity != authority {
                    self.identity = authority;
                }
            }
            Payload::Config(config) => {
                if let Some(place) = place {
                    let traits = traits(place.kind, &config);
                    let change = self.inventory.note_traits(place.vmid, traits, now);
                    self.shared
                        .keep_config(place.vmid, fetch::observed(Arc::new(*config), now.wall, through));
                    self.note(change.into_iter().collect(), now);
                }
            }
            Payload::Addresses(interfaces) => {
                if let Part::Addresses(vmid) = part
                    && let Some(known) = self.inventory.guests.get_mut(vmid)
                {
                    known.addresses = Some(fetch::observed(interfaces, now.wall, through));
                }
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

    fn take_mark(&mut self, mark: PermissionsMark) {
        if self.mark.is_some_and(|known| known != mark) {
            self.inventory.permissions_changed();
        }
        self.mark = Some(mark);
    }

    /// Notes changes, and has read at once what they make doubtful.
    fn note(&mut self, changes: Vec<Change>, now: Now) {
        for change in &changes {
            match change {
                Change::GuestState { vmid, .. } | Change::GuestMoved { vmid, .. } => {
                    self.schedule.hasten(Part::Config(*vmid), now.mono);
                    if self.inventory.runs(*vmid) {
                        self.schedule.hasten(Part::Addresses(*vmid), now.mono);
                    }
                }
                Change::GuestRenamed { vmid, .. }
                | Change::GuestReshaped { vmid }
                | Change::GuestReborn { vmid, .. } => self.schedule.hasten(Part::Config(*vmid), now.mono),
                _ => {}
            }
        }
        self.facts.extend(changes.into_iter().map(Fact::Changed));
        self.dirty = true;
    }

    /// Plans the parts of nodes and guests after a listing.
    fn plan(&mut self, now: Now) {
        let timings = self.common.timings.clone();
        let inventory = &self.inventory;
        self.drift.retain(|part, _| self.schedule.contains(part));
        self.schedule.retain(|part| match part {
            Part::NodeStatus(node) | Part::Certificates(node) => inventory.nodes.contains_key(node),
            Part::Config(vmid) => inventory.can_be_read(*vmid),
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
    }

    // --- what it is told ---

    async fn told(&mut self, message: Message) {
        let now = self.now();
        self.dirty = true;
        match message {
            Message::Disconnect { by, even_with_open, reply } => {
                let open = self.open_rides();
                if !open.is_empty() && !even_with_open {
                    let _ = reply.send(Err(DisconnectError::OpenOperations(open)));
                    return;
                }
                self.disconnect(by, now);
                self.publish().await;
                let _ = reply.send(Ok(()));
            }
            Message::Connect => {
                if matches!(self.link.state(), LinkState::Disconnected { .. }) {
                    self.step(Event::Connect, now);
                    self.follow_rides(now);
                }
            }
            Message::TryNow => self.step(Event::TryNow, now),
            Message::Pace(pace) => self.step(Event::Pace(pace), now),
            Message::Operate { vmid, action, options, author, reply } => {
                let answer = self.take_on(vmid, action, options, author, now).await;
                let _ = reply.send(answer);
            }
            Message::CancelAsked { task, by } => self.cancel_asked(&task, by, now),
            Message::Trust { endpoint, trust } => {
                if retrust(&mut self.spec, &endpoint, *trust) {
                    self.reopen(now);
                }
            }
            Message::Credential(credential) => {
                recredential(&mut self.spec, *credential);
                self.reopen(now);
            }
            Message::SecondFactor { factor, reply } => self.second_factor(factor, reply, now),
            Message::Heard { epoch, endpoint, result } => {
                self.heard(epoch, &endpoint, result.as_ref().copied(), true, now);
            }
            Message::Opened(vmid) => {
                if self.inventory.runs(vmid) {
                    self.schedule.hasten(Part::Addresses(vmid), now.mono);
                }
            }
            Message::Stop => {}
        }
    }

    fn disconnect(&mut self, by: String, now: Now) {
        self.step(Event::Disconnect { by: by.clone() }, now);
        self.children.abort_all();
        self.schedule.interrupted();
        self.interrupt_rides("the remote was disconnected while the answer was awaited", now);
        self.unfollow_rides(&by, now);
        self.close_lines();
        self.challenge = None;
    }

    /// New clients: what was believed or signed in with has changed.
    fn reopen(&mut self, now: Now) {
        self.close_lines();
        self.step(Event::Mended, now);
    }

    fn close_lines(&mut self) {
        let Some(lines) = self.lines.take() else { return };
        let (requests, bytes) = lines.counted();
        self.counted_before = (self.counted_before.0 + requests, self.counted_before.1 + bytes);
        self.shared.close();
        self.spawn(Errand::Close, async move {
            lines.close().await;
            Done::Closed
        });
    }

    fn second_factor(&mut self, factor: Factor, reply: oneshot::Sender<Result<(), Failure>>, now: Now) {
        let endpoint = self.link.endpoint().cloned();
        let client = endpoint.as_ref().and_then(|at| self.lines().get(at).cloned());
        let (Some(challenge), Some(client), Some(endpoint)) = (self.challenge.clone(), client, endpoint)
        else {
            let cause = Cause::Internal { text: "no sign-in is waiting for a second factor".to_owned() };
            let _ = reply.send(Err(Failure { cause, endpoint: None, at: now.wall }));
            return;
        };
        let epoch = self.link.epoch();
        self.spawn(Errand::Factor, async move {
            let result = client.answer_second_factor(&challenge, &factor).await.map(|_| ());
            Done::Factor { epoch, endpoint, result, reply }
        });
    }
}

/// The words of a panic, bounded.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it did not say why".to_owned());
    text.chars().take(200).collect()
}

/// When an observation was made, for sorting newest first.
fn newest_first(a: Timestamp, b: Timestamp) -> std::cmp::Ordering {
    b.cmp(&a)
}
