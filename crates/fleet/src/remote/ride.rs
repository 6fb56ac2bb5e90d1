//! Operations under way: each is recorded, sent once, and followed to its end. The rules are those of
//! [`model::operation`]; here is who is asked, and when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::backoff::Backoff;
use model::capability::{Availability, Situation};
use model::cause::Reach;
use model::guest::{GuestState, NodeState};
use model::matching::{Found, Lost, expected_types};
use model::operation::{Dispatch, Event, UnknownWhy};
use model::{
    Action, Author, Cause, EndpointId, GuestKey, Incarnation, NodeName, Now, Operation, OperationId,
    OperationState, PowerOptions, Presence, Task, TaskId, TaskOutcome, Text, Vmid,
};
use pve::upid::Upid;
use pve::{Client, Error, Method, Power, call};
use tokio::sync::watch;

use super::fetch::{self, Ear, Place};
use super::schedule::Part;
use super::{Done, Errand, OperateError, Remote};
use crate::errors::{Verdict, cause, never_left, verdict};
use crate::journal::Fact;
use crate::rows;

/// Ended operations kept for readers.
const KEPT: usize = 200;

/// One operation under way, or lately ended.
pub(super) struct Ride {
    pub(super) operation: Operation,
    /// The same, as it goes into snapshots.
    shown: Arc<Operation>,
    told: watch::Sender<Arc<Operation>>,
    /// A request about it is under way.
    asking: bool,
    /// How often was looked in its present state.
    looks: u32,
    due: Duration,
    /// Until when it waits for the link.
    patience: Duration,
    pressed: bool,
    /// The life of the number that was meant.
    incarnation: Incarnation,
    /// Looks in a row that brought no answer about it.
    silences: u32,
    /// Tasks that were there before it was sent: none of them is its own.
    before: BTreeSet<TaskId>,
}

/// Looks in a row that Proxmox answered with something else than the task's status, until that counts.
const SILENCES: u32 = 3;

/// What a request about an operation brought.
pub(super) enum Sight {
    /// It was sent, or tried to be.
    Sent {
        epoch: u64,
        /// Endpoints that could not be reached at all, in order.
        unreached: Vec<(EndpointId, Error)>,
        endpoint: EndpointId,
        /// When the last try began, the one that may have arrived.
        left: Now,
        result: Result<Option<Upid>, Error>,
    },
    /// Its task's status.
    Task { epoch: u64, endpoint: EndpointId, result: Result<(TaskOutcome, Vec<Text>), Error> },
    /// A task list, and whether it was read to the end.
    List { epoch: u64, endpoint: EndpointId, begun: Duration, result: Result<(Vec<Task>, bool), Error> },
    /// The guest itself.
    Guest { epoch: u64, endpoint: EndpointId, result: Result<(GuestState, Option<Text>), Error> },
}

/// What an operation needs next.
enum Need {
    Nothing,
    Send,
    Task(Upid),
    List,
    Guest,
}

impl Remote {
    /// Takes an operation on: checks that it may be done, records it, and lets it go.
    pub(super) async fn take_on(
        &mut self,
        vmid: Vmid,
        action: Action,
        options: PowerOptions,
        author: Author,
        now: Now,
    ) -> Result<OperationId, OperateError> {
        let known = self.inventory.guests.get(&vmid).ok_or(OperateError::NoSuchGuest(vmid))?;
        if let Availability::Disabled { reason, remedy } = self.may(vmid, action, now) {
            return Err(OperateError::Disabled { reason, remedy });
        }
        if known.guest.node.as_str().is_empty() {
            return Err(OperateError::Disabled {
                reason: "Proxmox VE has not said yet which node it is on".to_owned(),
                remedy: "Wait for the next listing.".to_owned(),
            });
        }
        let id = (self.common.ids)();
        let guest = GuestKey { remote: self.id, vmid };
        let (kind, name, node) = (known.guest.kind, known.guest.name.clone(), known.guest.node.clone());
        let operation = Operation::record(id, guest, kind, name, node, action, options, author, now);
        let record = vec![Fact::Operation(Box::new(operation.clone()))];
        if let Err(error) = self.common.journal.commit(self.id, record).await {
            return Err(OperateError::NotRecorded(error.to_string()));
        }
        let shown = Arc::new(operation.clone());
        let (told, watch) = watch::channel(shown.clone());
        self.shared.keep_operation(id, watch);
        let patience = now.after(self.common.timings.operation_wait);
        let ride = Ride {
            operation,
            shown,
            told,
            asking: false,
            looks: 0,
            due: now.mono,
            patience,
            pressed: false,
            incarnation: known.incarnation,
            silences: 0,
            before: BTreeSet::new(),
        };
        self.rides.insert(id, ride);
        self.forget_old_rides();
        Ok(id)
    }

    /// Whether `action` may be taken on a guest now, by what is known this moment.
    fn may(&self, vmid: Vmid, action: Action, now: Now) -> Availability {
        let Some(known) = self.inventory.guests.get(&vmid) else {
            return Availability::Disabled {
                reason: "there is no such guest".to_owned(),
                remedy: "Check the number.".to_owned(),
            };
        };
        let node_state: Option<&NodeState> =
            self.inventory.nodes.get(&known.guest.node).map(|node| &node.node.state);
        let unknown = GuestState::Unknown;
        let situation = Situation {
            kind: known.guest.kind,
            state: if known.doubt.is_some() { &unknown } else { &known.guest.state },
            last_seen: known.seen.as_ref().map(|(at, _)| *at),
            template: known.guest.template == Some(true),
            lock: known.guest.lock.as_ref(),
            presence: &known.presence,
            node: &known.guest.node,
            node_state,
            quorate: self.cluster.as_ref().and_then(|cluster| cluster.value.quorate),
            link: self.link.state(),
            busy: self.busy_with(vmid),
        };
        model::capability(action, &situation, now)
    }

    /// The operation that a guest is busy with.
    pub(super) fn busy_with(&self, vmid: Vmid) -> Option<OperationId> {
        self.rides
            .iter()
            .find(|(_, ride)| ride.operation.guest.vmid == vmid && ride.operation.state.blocks())
            .map(|(id, _)| *id)
    }

    /// Operations that have not ended.
    pub(super) fn open_rides(&self) -> Vec<OperationId> {
        self.rides.iter().filter(|(_, ride)| !ride.operation.state.is_final()).map(|(id, _)| *id).collect()
    }

    fn forget_old_rides(&mut self) {
        while self.rides.len() > KEPT {
            let ended = self.rides.iter().find(|(_, ride)| ride.operation.state.is_final());
            let Some(id) = ended.map(|(id, _)| *id) else { return };
            self.rides.remove(&id);
            self.shared.drop_operation(id);
        }
    }

    /// Steps one operation, and has the step recorded before anybody is told.
    pub(super) fn step_ride(&mut self, id: OperationId, event: Event, now: Now) -> bool {
        let rules = self.common.timings.operation.clone();
        let Some(ride) = self.rides.get_mut(&id) else { return false };
        let before = ride.operation.state.word();
        if !ride.operation.step(event, &rules, now) {
            return false;
        }
        if ride.operation.state.is_final() {
            ride.before.clear();
        }
        if ride.operation.state.word() != before {
            ride.looks = 0;
            ride.due = now.mono;
            let operation = &ride.operation;
            tracing::info!(
                remote = %self.spec.name, operation = %id, vmid = %operation.guest.vmid,
                action = %operation.action, state = operation.state.word(), "operation"
            );
            if operation.state.is_final() {
                // What it did to the guest is worth seeing at once.
                let vmid = operation.guest.vmid;
                self.schedule.hasten(Part::Resources, now.mono);
                self.schedule.hasten(Part::Tasks, now.mono);
                self.schedule.hasten(Part::Config(vmid), now.mono);
            }
        }
        let Some(ride) = self.rides.get(&id) else { return true };
        self.facts.push(Fact::Operation(Box::new(ride.operation.clone())));
        self.dirty = true;
        true
    }

    /// Operations as they stand, newest first.
    pub(super) fn operations(&mut self) -> Vec<Arc<Operation>> {
        for ride in self.rides.values_mut() {
            if *ride.shown != ride.operation {
                ride.shown = Arc::new(ride.operation.clone());
            }
        }
        self.rides.values().rev().map(|ride| ride.shown.clone()).collect()
    }

    /// Tells those who watch; called once the steps are recorded and the snapshot shows them.
    pub(super) fn tell_riders(&mut self) {
        for ride in self.rides.values() {
            ride.told.send_if_modified(|told| {
                let news = !Arc::ptr_eq(told, &ride.shown);
                if news {
                    told.clone_from(&ride.shown);
                }
                news
            });
        }
    }

    /// When an operation next wants something. While the link is down nothing can be looked at, and that it is
    /// up again is a report of its own.
    pub(super) fn rides_due(&self) -> Option<Duration> {
        let up = self.link.state().is_up();
        self.rides
            .values()
            .filter(|ride| !ride.asking && !ride.operation.state.is_final() && ride.operation.followed)
            .filter_map(|ride| match ride.operation.state {
                OperationState::Pending => Some(ride.patience),
                _ => up.then_some(ride.due),
            })
            .min()
    }

    /// Gives every operation what it needs next.
    pub(super) async fn drive_rides(&mut self, now: Now) {
        for id in self.open_rides() {
            self.step_ride(id, Event::Tick, now);
            match self.need(id, now) {
                Need::Nothing => {}
                Need::Send => self.send(id, now).await,
                Need::Task(upid) => self.look_at_task(id, upid, now),
                Need::List => self.look_at_list(id, now),
                Need::Guest => self.look_at_guest(id, now),
            }
        }
    }

    fn need(&mut self, id: OperationId, now: Now) -> Need {
        let up = self.link.state().is_up();
        let before_listing = self.is_before_listing();
        let Some(ride) = self.rides.get_mut(&id) else { return Need::Nothing };
        if ride.asking || !ride.operation.followed {
            return Need::Nothing;
        }
        if ride.operation.state == OperationState::Pending {
            if !up {
                return self.wait_for_link(id, now);
            }
            // What was known before the link went may have moved, or be another guest by now.
            let wait = before_listing && now.mono < ride.patience;
            return if wait { Need::Nothing } else { Need::Send };
        }
        if !up || ride.due > now.mono {
            return Need::Nothing;
        }
        match &ride.operation.state {
            OperationState::Running | OperationState::OutcomeUnknown(UnknownWhy::Node { .. }) => {
                match ride.operation.task.as_ref().map(|task| task.as_str().parse()) {
                    Some(Ok(upid)) => Need::Task(upid),
                    _ => {
                        ride.due = now.after(Duration::from_secs(60));
                        Need::Nothing
                    }
                }
            }
            OperationState::OutcomeUnknown(UnknownWhy::Lost { .. }) => Need::List,
            OperationState::HandedToHa | OperationState::OutcomeUnknown(UnknownWhy::Ha) => Need::Guest,
            _ => Need::Nothing,
        }
    }

    /// The link is not up: it is tried at once, and waited for a little while.
    fn wait_for_link(&mut self, id: OperationId, now: Now) -> Need {
        let state = self.link.state().clone();
        let Some(ride) = self.rides.get_mut(&id) else { return Need::Nothing };
        let hopeless = state.needs_person();
        if hopeless || now.mono >= ride.patience {
            let cause = state
                .cause()
                .cloned()
                .unwrap_or(Cause::ConnectTimeout { after: self.common.timings.operation_wait });
            self.step_ride(id, Event::CannotSend { cause }, now);
        } else if !std::mem::replace(&mut ride.pressed, true) {
            self.step(model::link::Event::TryNow, now);
            // What there is to do next is done at once, not at the next report.
            self.act(now);
        }
        Need::Nothing
    }

    /// Whether the link is up and no listing has been read, or failed to be, since it came up.
    fn is_before_listing(&self) -> bool {
        let Some(up) = self.up_since else { return false };
        let last = self.schedule.last_success(&Part::Resources);
        let failed = self.schedule.last_failure(&Part::Resources);
        last.is_none_or(|at| at < up) && failed.is_none_or(|at| at < up)
    }

    /// The node its guest is on now, as far as is known.
    fn target(&self, id: OperationId) -> Result<NodeName, Cause> {
        let not_sendable = |what: &str| Cause::NotSendable { what: what.to_owned() };
        let ride = self.rides.get(&id).ok_or_else(|| not_sendable("there is no such operation"))?;
        let Some(known) = self.inventory.guests.get(&ride.operation.guest.vmid) else {
            return Ok(ride.operation.node.clone());
        };
        if known.incarnation != ride.incarnation {
            return Err(not_sendable("its number belongs to another guest by now"));
        }
        if matches!(known.presence, Presence::Deleted { .. }) {
            return Err(not_sendable("the guest was deleted meanwhile"));
        }
        Ok(known.guest.node.clone())
    }

    /// Sends it, once. That it is about to be sent is recorded before the first byte leaves.
    async fn send(&mut self, id: OperationId, now: Now) {
        let Some(endpoint) = self.link.endpoint().cloned() else { return };
        match self.target(id) {
            Ok(node) => {
                let tasks_before = self.inventory.tasks.keys().cloned().collect();
                let Some(ride) = self.rides.get_mut(&id) else { return };
                ride.before = tasks_before;
                if ride.operation.node != node {
                    ride.operation.note(format!("it is on node {node} by now"), now);
                    ride.operation.node = node;
                }
            }
            Err(cause) => {
                self.step_ride(id, Event::CannotSend { cause }, now);
                return;
            }
        }
        let lines = self.candidates(&endpoint);
        let user = Text::from(self.lines().user());
        let skew_ms = self.skew.map_or(0, |skew| i64::try_from(skew.as_millis()).unwrap_or(0));
        let dispatch = Dispatch { at: now.wall, endpoint: endpoint.clone(), user, skew_ms, mono: now.mono };
        self.step_ride(id, Event::Sending(dispatch), now);
        if !self.publish().await {
            let cause = Cause::Internal { text: "it could not be recorded, so it was not sent".to_owned() };
            self.step_ride(id, Event::CannotSend { cause }, now);
            return;
        }
        let Some(ride) = self.rides.get_mut(&id) else { return };
        ride.asking = true;
        let operation = &ride.operation;
        let (action, options) = power(operation.action, &operation.options);
        let (node, kind, vmid) =
            (operation.node.clone(), rows::pve_kind(operation.kind), operation.guest.vmid.0);
        let epoch = self.link.epoch();
        let clock = self.common.clock;
        self.spawn(Errand::Ride(id), async move {
            let mut ear = Ear::default();
            let mut unreached = Vec::new();
            let mut last = None;
            let mut left = now;
            for (endpoint, client) in lines {
                let call = call::guest::power(node.as_str(), kind, vmid, action, &options);
                left = clock.now();
                let result = ear.run(&client, call).await;
                match result {
                    // Not a byte of it left, so it may go by another way.
                    Err(error) if never_left(&error) && moves_on(&error) => {
                        unreached.push((endpoint.clone(), error.clone()));
                        last = Some((endpoint, Err(error)));
                    }
                    result => {
                        last = Some((endpoint, result));
                        break;
                    }
                }
            }
            let sight = match last {
                Some((endpoint, result)) => {
                    // The one it ended at is told by its result.
                    unreached.retain(|(at, _)| *at != endpoint);
                    Sight::Sent { epoch, unreached, endpoint, left, result }
                }
                None => Sight::Sent {
                    epoch,
                    unreached,
                    endpoint: endpoint.clone(),
                    left,
                    result: Err(Error::new(
                        pve::ErrorKind::InvalidRequest { what: "there is no endpoint".to_owned() },
                        pve::Phase::Local,
                        endpoint.as_str(),
                    )),
                },
            };
            Done::Ride(id, Box::new((sight, ear)))
        });
    }

    /// The endpoint in use, then others against which nothing is known.
    fn candidates(&mut self, first: &EndpointId) -> Vec<(EndpointId, Client)> {
        let view = self.link.view();
        let fit = |health: &model::link::Health| {
            matches!(health, model::link::Health::Good | model::link::Health::Untried)
        };
        let others = view.endpoints.iter().filter(|one| one.endpoint != *first && fit(&one.health));
        let order: Vec<EndpointId> =
            std::iter::once(first.clone()).chain(others.map(|one| one.endpoint.clone())).collect();
        let lines = self.lines();
        order.into_iter().filter_map(|id| lines.get(&id).cloned().map(|client| (id, client))).collect()
    }

    /// Starts a look, through the endpoint in use; the next one is due a little later than the last.
    fn look<F>(
        &mut self,
        id: OperationId,
        pause: Backoff,
        now: Now,
        look: impl FnOnce(EndpointId, Client, u64) -> F,
    ) where
        F: Future<Output = (Sight, Ear)> + Send + 'static,
    {
        let Some(endpoint) = self.link.endpoint().cloned() else { return };
        let Some(client) = self.lines().get(&endpoint).cloned() else { return };
        let jitter = self.jitter();
        let Some(ride) = self.rides.get_mut(&id) else { return };
        ride.asking = true;
        ride.looks = ride.looks.saturating_add(1);
        ride.due = now.after(pause.wait(ride.looks, jitter));
        let sight = look(endpoint, client, self.link.epoch());
        self.spawn(Errand::Ride(id), async move { Done::Ride(id, Box::new(sight.await)) });
    }

    fn look_at_task(&mut self, id: OperationId, upid: Upid, now: Now) {
        let lines = u64::try_from(self.common.timings.last_lines).unwrap_or(20);
        let pause = self.common.timings.task_watch;
        self.look(id, pause, now, |endpoint, client, epoch| async move {
            let mut ear = Ear::default();
            let result = fetch::task(&upid, lines, &client, &mut ear).await;
            (Sight::Task { epoch, endpoint, result }, ear)
        });
    }

    fn look_at_list(&mut self, id: OperationId, now: Now) {
        let window = self.common.timings.operation.list_proves_after;
        let page = u64::from(self.common.timings.page);
        let pause = self.common.timings.lost_watch;
        let Some(operation) = self.rides.get(&id).map(|ride| &ride.operation) else { return };
        let Some(from) = lost(operation, window).map(|lost| lost.window().0) else { return };
        let (node, vmid) = (operation.node.clone(), operation.guest.vmid);
        self.look(id, pause, now, |endpoint, client, epoch| async move {
            let mut ear = Ear::default();
            let result = fetch::search(&node, vmid, from, page, &client, &mut ear).await;
            (Sight::List { epoch, endpoint, begun: now.mono, result }, ear)
        });
    }

    fn look_at_guest(&mut self, id: OperationId, now: Now) {
        let pause = self.common.timings.ha_watch;
        let Some(operation) = self.rides.get(&id).map(|ride| &ride.operation) else { return };
        let vmid = operation.guest.vmid;
        // The HA manager may have moved it.
        let node = self.inventory.guests.get(&vmid).map_or(&operation.node, |known| &known.guest.node);
        let place = Place { vmid, kind: operation.kind, node: node.clone() };
        self.look(id, pause, now, |endpoint, client, epoch| async move {
            let mut ear = Ear::default();
            let result = fetch::guest_now(&place, &client, &mut ear).await;
            (Sight::Guest { epoch, endpoint, result }, ear)
        });
    }

    /// Takes in what a request about an operation brought.
    pub(super) fn ride_back(&mut self, id: OperationId, sight: Sight, mut ear: Ear, now: Now) {
        self.listen(None, &mut ear);
        if let Some(ride) = self.rides.get_mut(&id) {
            ride.asking = false;
        }
        match sight {
            Sight::Sent { epoch, unreached, endpoint, left, result } => {
                for (at, error) in &unreached {
                    self.overheard(epoch, at, Err(error), false, now);
                }
                self.overheard(epoch, &endpoint, result.as_ref().map(|_| ()), true, now);
                if let Some(dispatch) =
                    self.rides.get_mut(&id).and_then(|ride| ride.operation.dispatch.as_mut())
                {
                    dispatch.endpoint = endpoint;
                    // What was tried before surely did not arrive.
                    (dispatch.at, dispatch.mono) = (left.wall, left.mono);
                }
                self.step_ride(id, sent(result), now);
            }
            Sight::Task { epoch, endpoint, result } => {
                self.overheard(epoch, &endpoint, result.as_ref().map(|_| ()), true, now);
                let Some(ride) = self.rides.get_mut(&id) else { return };
                let Some(task) = ride.operation.task.clone() else { return };
                let told = result.as_ref().is_ok_and(|(outcome, _)| *outcome != TaskOutcome::Unknown);
                ride.silences = if told { 0 } else { ride.silences.saturating_add(1) };
                let event = match result {
                    Ok((TaskOutcome::Unknown, _)) => unsaid(&task, ride.silences),
                    Ok((outcome, last_lines)) => {
                        Some(Event::Task { outcome, ha: fetch::is_ha(&task), last_lines })
                    }
                    Err(error) => node_silent(&error, &task, ride.silences),
                };
                if let Some(event) = event {
                    self.step_ride(id, event, now);
                }
            }
            Sight::List { epoch, endpoint, begun, result } => {
                self.overheard(epoch, &endpoint, result.as_ref().map(|_| ()), true, now);
                if let Ok((tasks, to_the_end)) = result {
                    let found = self.find(id, &tasks);
                    self.step_ride(id, Event::Listed { found, to_the_end, begun }, now);
                }
            }
            Sight::Guest { epoch, endpoint, result } => {
                self.overheard(epoch, &endpoint, result.as_ref().map(|_| ()), true, now);
                match result {
                    Ok((state, ha)) => {
                        self.step_ride(id, Event::GuestSeen { state, ha }, now);
                    }
                    // Not where it was: the next listing says where it went.
                    Err(_) => self.schedule.hasten(Part::Resources, now.mono),
                }
            }
        }
    }

    /// The task of a lost answer among those of its node, leaving out what other operations are bound to and what
    /// was there before.
    fn find(&self, id: OperationId, tasks: &[Task]) -> Found {
        let window = self.common.timings.operation.list_proves_after;
        let Some(ride) = self.rides.get(&id) else { return Found::Nothing };
        let bound = self.rides.iter().filter(|(other, _)| **other != id);
        let bound = bound.filter_map(|(_, ride)| ride.operation.task.clone());
        let others: BTreeSet<TaskId> = ride.before.iter().cloned().chain(bound).collect();
        lost(&ride.operation, window).map_or(Found::Nothing, |lost| lost.find(tasks, &others))
    }

    /// A request about an operation fell over.
    pub(super) fn ride_fell(&mut self, id: OperationId, cause: Cause, now: Now) {
        if let Some(ride) = self.rides.get_mut(&id) {
            ride.asking = false;
        }
        self.step_ride(id, Event::Lost { cause }, now);
    }

    /// Nothing under way will report back.
    pub(super) fn interrupt_rides(&mut self, why: &str, now: Now) {
        let ids: Vec<_> = self.rides.keys().copied().collect();
        for id in ids {
            if let Some(ride) = self.rides.get_mut(&id) {
                ride.asking = false;
            }
            self.step_ride(id, Event::Lost { cause: Cause::AnswerCut { text: why.to_owned() } }, now);
        }
    }

    /// The remote was disconnected: what was not sent will not be, the rest is taken up again later.
    pub(super) fn unfollow_rides(&mut self, by: &str, now: Now) {
        for id in self.open_rides() {
            self.step_ride(id, Event::CannotSend { cause: Cause::Disconnected { by: by.to_owned() } }, now);
            self.step_ride(id, Event::Unfollowed, now);
        }
    }

    /// The remote is connected again.
    pub(super) fn follow_rides(&mut self, now: Now) {
        for id in self.open_rides() {
            self.step_ride(id, Event::Followed, now);
        }
    }

    /// Something about the end of a task that may be that of an operation.
    pub(super) fn step_task(&mut self, task: &TaskId, event: Event, now: Now) {
        let found = self.rides.iter().find(|(_, ride)| ride.operation.task.as_ref() == Some(task));
        if let Some(id) = found.map(|(id, _)| *id) {
            self.step_ride(id, event, now);
        }
    }
}

/// Whether another endpoint may do better.
fn moves_on(error: &Error) -> bool {
    matches!(verdict(error, false), Verdict::Endpoint(_))
}

/// What the answer to the sending means.
fn sent(result: Result<Option<Upid>, Error>) -> Event {
    match result {
        Ok(Some(upid)) => Event::Accepted { task: TaskId::from(upid.as_str()) },
        // Every power action is a task. An answer that names none, or none that can be read, leaves it unknown
        // which one it is, and the task list will tell.
        Ok(None) => {
            Event::Lost { cause: Cause::NotUnderstood { what: "the answer names no task".to_owned() } }
        }
        Err(error) if never_left(&error) => Event::CannotSend { cause: cause(&error) },
        Err(error) if error.outcome_unknown(Method::Post) => Event::Lost { cause: cause(&error) },
        Err(error) => Event::Refused { cause: cause(&error) },
    }
}

/// The task's node could not be asked, or keeps answering with something else (the task is forgotten, or may no
/// longer be read). What concerns the link says nothing about the task.
fn node_silent(error: &Error, task: &TaskId, silences: u32) -> Option<Event> {
    let cause = cause(error);
    let upid: Upid = task.as_str().parse().ok()?;
    let counts = match cause.reach() {
        Reach::Node => true,
        Reach::Call => silences >= SILENCES,
        Reach::Endpoint | Reach::Credential | Reach::Certificate => false,
    };
    counts.then(|| Event::NodeSilent { node: upid.node().into(), cause })
}

/// The task has ended, and how was not told, or not so that it could be read.
fn unsaid(task: &TaskId, silences: u32) -> Option<Event> {
    let upid: Upid = task.as_str().parse().ok()?;
    let cause = Cause::NotUnderstood { what: "its task has ended without an exit status".to_owned() };
    (silences >= SILENCES).then(|| Event::NodeSilent { node: upid.node().into(), cause })
}

/// The request of an operation, as it is looked for in a task list.
fn lost(operation: &Operation, window: Duration) -> Option<Lost<'_>> {
    let dispatch = operation.dispatch.as_ref()?;
    Some(Lost {
        node: &operation.node,
        types: expected_types(operation.action, operation.kind),
        vmid: operation.guest.vmid,
        user: &dispatch.user,
        sent: dispatch.at,
        skew: dispatch.skew(),
        window,
    })
}

/// An action in the client's words.
fn power(action: Action, options: &PowerOptions) -> (Power, pve::PowerOptions) {
    let power = match action {
        Action::Start => Power::Start,
        Action::Shutdown => Power::Shutdown,
        Action::Stop => Power::Stop,
        Action::Reboot => Power::Reboot,
        Action::Reset => Power::Reset,
        Action::Suspend | Action::Hibernate => Power::Suspend,
        Action::Resume => Power::Resume,
    };
    let options = pve::PowerOptions {
        timeout: options.timeout.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        force_stop: options.force_stop,
        to_disk: (action == Action::Hibernate).then_some(true),
        ..pve::PowerOptions::default()
    };
    (power, options)
}
