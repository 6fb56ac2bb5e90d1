//! One remote, running: a task that alone owns the link machine, the inventory and the operations of its
//! remote. Requests run in children and report back; every decision is taken here, by the pure machines.

mod ask;
mod decide;
mod fetch;
mod follow;
mod hear;
mod keep;
mod read;
mod ride;
mod schedule;
mod shared;
mod told;
mod turns;
mod view;
mod wish;

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use model::link::{Duty, Event, Link};
use model::presence::PermissionsMark;
use model::{
    Author, Cause, EndpointId, Event as Line, FacetKind, Failure, Happening, LinkState, NodeName, Now,
    Observed, OperationId, RemoteId, Text, Vmid,
};
use pve::drift::Drift;
use pve::reply::GuestConfig;
use pve::{Error, SystemStore, TfaChallenge};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};

use crate::clock::{Clock, Dice};
use crate::detail::Flown;
use crate::durable::{Memory, Unread};
use crate::errors::cause;
use crate::figures::FacetFigures;
use crate::inventory::{Inventory, Reading};
use crate::journal::{Fact, Journal};
use crate::lease::Party;
use crate::lines::Lines;
use crate::spec::RemoteSpec;
use crate::timings::Timings;
use crate::traffic::Meter;
use ask::Sight;
pub(crate) use fetch::Place;
use fetch::{Ear, Job, Payload, fetch};
use follow::Follows;
use keep::Kept;
use model::rows::{Cluster, HaRow};
use ride::Ride;
use schedule::{Part, Schedule};
pub(crate) use shared::{Board, Shared, Way};
pub use told::{DisconnectError, EditError};
pub(crate) use told::{Edit, Message};
use view::{JOURNAL_PAUSE, blank};
pub(crate) use wish::Wish;
pub use wish::{Leave, OperateError, Resolution, ResolveError, StopTaskError, TakeBackError};

/// Snapshots are made at most this often; readers cannot follow faster anyway.
const PUBLISH_GAP: Duration = Duration::from_millis(25);

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
    Ride(OperationId, Box<(Sight, Ear)>),
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
    /// The others that share a database, if there may be any.
    pub(crate) party: Option<Arc<Party>>,
    pub(crate) ids: Arc<dyn Fn() -> OperationId + Send + Sync>,
}

/// Facts that wait for the journal at most.
const BACKLOG: usize = 10_000;

/// A remote, even an idle one, is published this often at least.
const A_MINUTE: Duration = Duration::from_secs(60);

/// One remote, running.
pub(crate) struct Remote {
    id: RemoteId,
    spec: RemoteSpec,
    common: Common,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Message>,

    link: Link,
    /// On the clock that nobody sets.
    up_since: Option<Duration>,
    lines: Option<Lines>,
    challenge: Option<TfaChallenge>,
    schedule: Schedule,
    inventory: Inventory,
    mark: Option<PermissionsMark>,
    cluster: Option<Observed<Cluster>>,
    /// Where the other nodes of the cluster should answer.
    others: Vec<EndpointId>,
    ha: Vec<HaRow>,
    versions: BTreeMap<EndpointId, Text>,
    identity: Option<Text>,
    skew: Option<SignedDuration>,
    drift: BTreeMap<Part, Drift>,
    /// What was odd about answers asked for by somebody: they are not read again by themselves.
    odd: Drift,
    meter: Meter,
    counted_before: (u64, u64),
    rides: BTreeMap<OperationId, Ride>,
    /// While operations wait for their turn: when one of a node has ended last.
    ended_on: BTreeMap<NodeName, Duration>,

    children: JoinSet<Done>,
    errands: HashMap<Id, Errand>,
    facts: Vec<Fact>,
    dirty: bool,
    published: Duration,
    revision: u64,
    faults: u32,
    last_fault: Option<Text>,

    created: Timestamp,
    /// Configurations that were read and not compared yet: of whom, when asked for, what.
    configs: Vec<(Vmid, Duration, Observed<Arc<GuestConfig>>)>,
    /// The state of the link that history told last.
    noted: Option<LinkState>,
    /// Through which endpoint the latest listing came.
    listed_through: Option<EndpointId>,
    kept: Kept,
    /// What the store had of it and could not be read.
    unread: Unread,
    figures: BTreeMap<FacetKind, FacetFigures>,
    /// While nothing can be recorded: that readers were told so.
    stuck: bool,
    /// It was removed: nothing of it is kept any more.
    gone: bool,
    /// Another process looks after it: how that is shown here.
    follows: Option<Follows>,
    /// From where that is read.
    store: Option<store::Store>,
    /// Nothing is asked of it, nor sent: whether it is still ours cannot be told.
    lapsed: bool,
}

// === impl Remote ===

impl Remote {
    /// A remote, with what was known of it before.
    pub(crate) fn new(
        id: RemoteId,
        spec: RemoteSpec,
        created: Timestamp,
        memory: Memory,
        common: Common,
        board: Arc<Board>,
        inbox: mpsc::Receiver<Message>,
    ) -> Self {
        let now = common.clock.now();
        let first = blank(id, &spec, created, &link(&spec, &common.timings, now), now);
        let shared = Arc::new(Shared::new(id, board, &common, first));
        Self::known(id, spec, created, memory, common, shared, inbox)
    }

    /// This process looks after it: shows at once what was known, and takes up what was under way.
    pub(crate) fn running(mut self) -> Self {
        let now = self.common.clock.now();
        self.show(now);
        self.take_up_what_was_left(now);
        self
    }

    /// A remote as it was known.
    fn known(
        id: RemoteId,
        spec: RemoteSpec,
        created: Timestamp,
        mut memory: Memory,
        common: Common,
        shared: Arc<Shared>,
        inbox: mpsc::Receiver<Message>,
    ) -> Self {
        let now = common.clock.now();
        let link = link(&spec, &common.timings, now).remembering(memory.facets.link);
        let mut inventory = Inventory::new(common.timings.listing_lag);
        memory.onto(&mut inventory, now);
        for (node, seen) in memory.statuses.drain(..) {
            shared.looks.keep_status(&node, seen, Vec::new());
        }
        for (place, seen) in memory.contents.drain(..) {
            shared.looks.keep_contents(place, seen, Vec::new(), None);
        }
        let mut schedule = Schedule::new(common.timings.clone(), spec.interval);
        schedule.remember(memory.facets.facets.clone());
        let identity = memory.state.identity.take().or_else(|| spec.identity.clone());
        let operations = std::mem::take(&mut memory.operations);
        let mut remote = Self {
            id,
            schedule,
            spec,
            shared,
            inbox,
            link,
            up_since: None,
            lines: None,
            challenge: None,
            inventory,
            mark: None,
            cluster: memory.state.cluster.take(),
            others: Vec::new(),
            ha: std::mem::take(&mut memory.state.ha),
            versions: std::mem::take(&mut memory.state.versions),
            identity,
            skew: None,
            drift: BTreeMap::new(),
            odd: Drift::default(),
            meter: Meter::default(),
            counted_before: (0, 0),
            rides: BTreeMap::new(),
            ended_on: BTreeMap::new(),
            children: JoinSet::new(),
            errands: HashMap::new(),
            facts: Vec::new(),
            dirty: true,
            published: Duration::ZERO,
            revision: 0,
            faults: 0,
            last_fault: None,
            created,
            configs: Vec::new(),
            noted: memory.state.link.take(),
            listed_through: memory.facets.through.clone(),
            kept: Kept { facets: memory.facets, facets_at: now.mono, gauges_at: now.mono, ..Kept::default() },
            unread: memory.unread,
            figures: BTreeMap::new(),
            stuck: false,
            gone: false,
            follows: None,
            store: None,
            lapsed: false,
            common,
        };
        for recorded in operations {
            remote.take_up(recorded, now);
        }
        remote
    }

    /// What readers and the fleet share with it.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// The form in which it is kept.
    fn record(&self, now: Now) -> store::Write {
        self.spec.record(self.id, self.identity.as_ref(), self.created, now.wall)
    }

    /// Adds a line to its history.
    fn happened(&mut self, what: Happening, author: Option<&Author>, now: Now) {
        let event = Line::of(self.id, now.wall, what);
        let event = author.map_or(event.clone(), |author| event.by(author));
        self.facts.push(Fact::Event(Box::new(event)));
        self.dirty = true;
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
        self.shared.close();
        if let Some(lines) = &self.lines {
            lines.shut();
        }
        if !self.gone {
            self.keep_last().await;
        }
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
            self.mind_the_lease(now);
            // The figures a minute go down by themselves when nothing is asked any more.
            self.dirty |= now.since(self.published) >= A_MINUTE;
            // While nothing can be recorded, nothing new is asked for either: it would only pile up.
            let until = if self.facts.len() < BACKLOG { self.act(now) } else { now.after(JOURNAL_PAUSE) };
            let until = until.min(now.after(A_MINUTE)).min(self.lease_until(now));
            self.drive_rides(now).await;
            self.settle_configs().await;
            let until = self.publish_if_due(until).await;
            let sleep = tokio::time::sleep_until(self.common.clock.instant(until));
            tokio::select! {
                message = self.inbox.recv() => match message {
                    None | Some(Message::Stop) => return,
                    Some(Message::Leave { reply, go }) => {
                        // While it is decided whether it goes, it writes nothing.
                        let _ = reply.send(Ok(self.open_recorded()));
                        if go.await.unwrap_or(false) {
                            self.gone = true;
                            return;
                        }
                    }
                    Some(Message::Yield { reply }) => {
                        let yields = self.open_rides().is_empty();
                        let _ = reply.send(yields);
                        if yields {
                            return;
                        }
                    }
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
            let cause = after.cause().map(Cause::code);
            tracing::info!(remote = %self.spec.name, state = after.word(), cause, "link");
        }
        self.note_link(&after, now);
        if after.is_up() && !before.is_up() {
            self.came_up(now);
        }
        if !after.is_up() {
            // Whether or not it can be recorded, nobody asks this way any more.
            self.shared.close();
        }
        self.shared.link_changed(self.id, after);
    }

    /// History tells of a link what lasts: that it came up, and why it is down; not every try.
    fn note_link(&mut self, state: &LinkState, now: Now) {
        let told = |state: &LinkState| (state.word(), state.cause().map(Cause::code));
        let passing = matches!(state, LinkState::Connecting { .. });
        if passing || self.noted.as_ref().is_some_and(|noted| told(noted) == told(state)) {
            return;
        }
        self.noted = Some(state.clone());
        if matches!(state, LinkState::Disconnected { .. }) {
            // That somebody wanted it so is a line of its own.
            return;
        }
        self.happened(Happening::Link { link: state.clone() }, None, now);
    }

    /// The link is up: everything is worth reading again.
    fn came_up(&mut self, now: Now) {
        self.up_since = Some(now.mono);
        for part in [Part::Permissions, Part::Cluster, Part::Resources, Part::Tasks, Part::HaStatus] {
            self.schedule.want(part, now.mono);
        }
        for endpoint in self.spec.ids() {
            self.schedule.want(Part::Version(endpoint), now.mono);
        }
        self.schedule.all_due(now.mono);
    }

    /// Does what is due, and says when to look again.
    fn act(&mut self, now: Now) -> Duration {
        let idle = now.after(Duration::from_secs(3600));
        if self.lapsed {
            return now.after(self.common.timings.lease.look);
        }
        match self.link.duty(now) {
            Duty::Rest | Duty::Busy => idle,
            Duty::Wait { until } => until,
            Duty::Try { endpoint } => {
                self.try_at(endpoint, now);
                idle
            }
            Duty::Serve { endpoint, probe, until } => {
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
        let clock = self.common.clock;
        self.spawn(errand, async move {
            let mut ear = Ear::new(clock);
            let result = fetch(Job::Version, &client, &Flown::default(), &mut ear).await;
            Done::Tried { epoch, endpoint, ear: Box::new(ear), result }
        });
    }

    fn spawn(&mut self, errand: Errand, work: impl Future<Output = Done> + Send + 'static) {
        let handle = self.children.spawn(work);
        self.errands.insert(handle.id(), errand);
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
                    Done::Ride(id, brought) => {
                        let (sight, ear) = *brought;
                        self.ride_back(id, sight, ear, now);
                    }
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
}

/// A link as a remote's specification has it.
fn link(spec: &RemoteSpec, timings: &Timings, now: Now) -> Link {
    let interval = spec.interval.unwrap_or(timings.resources);
    let link = Link::new(spec.ids(), spec.login(), interval, timings.link.clone(), now);
    match &spec.disconnected {
        Some((by, since)) => link.disconnected(by.clone(), *since),
        None => link,
    }
}

/// The words of a panic, bounded.
pub(crate) fn words(panic: &(dyn std::any::Any + Send)) -> String {
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
