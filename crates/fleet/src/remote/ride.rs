//! Operations under way: each is recorded, sent once, and followed to its end. The rules are those of
//! [`model::operation`]; here is what each needs, and when. How that is asked for stands in `ask`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::capability::{Availability, Situation};
use model::guest::{GuestState, NodeState};
use model::operation::{Event, UnknownWhy};
use model::{
    Action, Cause, Event as Line, GuestKey, Happening, Incarnation, Now, Operation, OperationId,
    OperationState, TaskId, Vmid,
};
use pve::upid::Upid;
use tokio::sync::watch;

use super::schedule::Part;
use super::turns::{InLine, Turns};
use super::{OperateError, Remote, Wish};
use crate::durable::is_open;
use crate::journal::{Fact, Receipt, Recorded};

/// Ended operations kept for readers.
const KEPT: usize = 200;

/// One operation under way, or lately ended.
pub(super) struct Ride {
    pub(super) operation: Operation,
    /// The same, as it goes into snapshots.
    shown: Arc<Operation>,
    told: watch::Sender<Arc<Operation>>,
    /// A request about it is under way.
    pub(super) asking: bool,
    /// How often was looked in its present state.
    pub(super) looks: u32,
    pub(super) due: Duration,
    /// Until when it waits for the link.
    pub(super) patience: Duration,
    pressed: bool,
    /// While it stands in line with others. `None`: it was asked for by itself, or its turn has come.
    pub(super) in_line: Option<InLine>,
    /// The life of the number that was meant.
    pub(super) incarnation: Incarnation,
    /// Looks in a row that brought no answer about it.
    pub(super) silences: u32,
    /// Tasks that were there before it was sent: none of them is its own.
    pub(super) before: BTreeSet<TaskId>,
}

impl Ride {
    /// Whether it has not left, and is to.
    fn is_to_leave(&self) -> bool {
        self.operation.state == OperationState::Pending && self.operation.followed
    }

    /// Whether it is to leave once it is its turn.
    pub(super) fn waits_for_turn(&self) -> bool {
        self.in_line.is_some() && self.is_to_leave()
    }

    /// Whether it has its turn and has not left yet.
    pub(super) fn is_leaving(&self) -> bool {
        self.in_line.is_none() && self.is_to_leave()
    }

    /// Whether it takes a place on its node: others wait until it has ended.
    pub(super) fn takes_place(&self) -> bool {
        matches!(self.operation.state, OperationState::Sent | OperationState::Running) || self.is_leaving()
    }

    /// As it is recorded.
    pub(super) fn recorded(&self) -> Recorded {
        Recorded {
            operation: self.operation.clone(),
            incarnation: self.incarnation,
            before: self.before.iter().cloned().collect(),
        }
    }
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
    /// Takes operations on: checks of each that it may be done, records all of them in one commit, and lets them go.
    /// One answer for each guest, in their order.
    pub(super) async fn take_on(
        &mut self,
        wish: &Wish,
        receipt: Option<&Receipt>,
        now: Now,
    ) -> Vec<Result<OperationId, OperateError>> {
        let (mut answers, mut record, mut taken) = (Vec::new(), Vec::new(), BTreeMap::new());
        for vmid in &wish.vmids {
            let one = match taken.contains_key(vmid) {
                true => Err(OperateError::NamedBefore),
                false => self.recordable(*vmid, wish, now),
            };
            answers.push(one.map(|(operation, incarnation)| {
                let id = operation.id;
                let recorded = Recorded { operation: operation.clone(), incarnation, before: Vec::new() };
                record.push(Fact::Operation(Box::new(recorded)));
                record.push(self.line_of(&operation, incarnation, now));
                taken.insert(*vmid, (operation, incarnation));
                id
            }));
        }
        let Some((first, _)) = taken.values().next() else { return answers };
        record.extend(Receipt::facts(receipt, Some(first.id)));
        if let Err(error) = self.common.journal.commit(self.id, record).await {
            let error = match self.shared.not_ours() {
                Some(cause) => OperateError::Elsewhere(cause),
                None => OperateError::NotRecorded(error.to_string()),
            };
            return answers.into_iter().map(|answer| answer.and(Err(error.clone()))).collect();
        }
        for (operation, incarnation) in taken.into_values() {
            let in_line = wish.by_turns.clone().map(|leave| InLine::new(leave, now));
            self.begin_ride(operation, incarnation, in_line, now);
        }
        self.forget_old_rides();
        answers
    }

    /// An operation that may be recorded, and the life of the number that is meant.
    fn recordable(
        &self,
        vmid: Vmid,
        wish: &Wish,
        now: Now,
    ) -> Result<(Operation, Incarnation), OperateError> {
        if let Some(cause) = self.shared.not_ours() {
            return Err(OperateError::Elsewhere(cause));
        }
        let known = self.inventory.guests.get(&vmid).ok_or(OperateError::NoSuchGuest(vmid))?;
        if let Availability::Disabled { reason, remedy } = self.may(vmid, wish.action, None, now) {
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
        let (options, author) = (wish.options.clone(), wish.author.clone());
        let operation = Operation::record(id, guest, kind, name, node, wish.action, options, author, now);
        Ok((operation, known.incarnation))
    }

    fn begin_ride(
        &mut self,
        operation: Operation,
        incarnation: Incarnation,
        in_line: Option<InLine>,
        now: Now,
    ) {
        let id = operation.id;
        let shown = Arc::new(operation.clone());
        let (told, watch) = watch::channel(shown.clone());
        self.shared.keep_operation(id, watch);
        let ride = Ride {
            operation,
            shown,
            told,
            asking: false,
            looks: 0,
            due: now.mono,
            patience: now.after(self.common.timings.operation_wait),
            pressed: false,
            in_line,
            incarnation,
            silences: 0,
            before: BTreeSet::new(),
        };
        self.rides.insert(id, ride);
    }

    /// Whether `action` may be taken on a guest now, by what is known this moment; `of` is the operation by which it
    /// is, where that is recorded already.
    pub(super) fn may(&self, vmid: Vmid, action: Action, of: Option<OperationId>, now: Now) -> Availability {
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
            last_seen: known.observed_at,
            template: known.guest.template == Some(true),
            lock: known.guest.lock.as_ref(),
            presence: &known.presence,
            node: &known.guest.node,
            node_state,
            quorate: self.cluster.as_ref().and_then(|cluster| cluster.value.quorate),
            link: self.link.state(),
            busy: self.busy_with(vmid).filter(|busy| Some(*busy) != of),
            rights: self.spec.rights,
        };
        model::capability(action, &situation, now)
    }

    /// The operation that a guest is busy with.
    pub(super) fn busy_with(&self, vmid: Vmid) -> Option<OperationId> {
        self.rides
            .iter()
            .find(|(_, ride)| ride.operation.guest.vmid == vmid && ride.operation.state.blocks())
            .map(|(id, _)| *id)
            .or_else(|| self.unread.busy_with(vmid))
    }

    /// Operations that have not ended.
    pub(super) fn open_rides(&self) -> Vec<OperationId> {
        self.rides.iter().filter(|(_, ride)| !ride.operation.state.is_final()).map(|(id, _)| *id).collect()
    }

    fn forget_old_rides(&mut self) {
        while self.rides.len() > KEPT {
            let ended = self.rides.iter().find(|(_, ride)| !is_open(&ride.operation));
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
        let took_place = ride.takes_place();
        if !ride.operation.step(event, &rules, now) {
            return false;
        }
        if ride.operation.state.is_final() {
            ride.before.clear();
            ride.in_line = None;
        }
        if took_place && !ride.takes_place() {
            self.ended_on.insert(ride.operation.node.clone(), now.mono);
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
                self.schedule.hasten(Part::Glimpse(vmid), now.mono);
            }
        }
        let Some(ride) = self.rides.get(&id) else { return true };
        let line = (ride.operation.state.word() != before)
            .then(|| self.line_of(&ride.operation, ride.incarnation, now));
        self.facts.push(Fact::Operation(Box::new(ride.recorded())));
        self.facts.extend(line);
        self.dirty = true;
        true
    }

    /// The step of an operation as a line of history.
    pub(super) fn line_of(&self, operation: &Operation, incarnation: Incarnation, now: Now) -> Fact {
        let what = Happening::Operation {
            action: operation.action,
            state: operation.state.word().into(),
            text: operation.sentence(),
        };
        let line = Line {
            vmid: Some(operation.guest.vmid),
            incarnation: Some(incarnation),
            node: Some(operation.node.clone()),
            operation: Some(operation.id),
            task: operation.task.clone(),
            ..Line::of(self.id, now.wall, what).by(&operation.author)
        };
        Fact::Event(Box::new(line))
    }

    /// Takes up an operation that a process that is gone had recorded, as it was then.
    pub(super) fn take_up(&mut self, recorded: Recorded, now: Now) {
        let Recorded { operation, incarnation, before } = recorded;
        let (id, operation) = (operation.id, operation.restored(now));
        let shown = Arc::new(operation.clone());
        let (told, watch) = watch::channel(shown.clone());
        self.shared.keep_operation(id, watch);
        let ride = Ride {
            operation,
            shown,
            told,
            asking: false,
            looks: 0,
            due: now.mono,
            patience: now.mono,
            pressed: true,
            in_line: None,
            incarnation,
            silences: 0,
            before: before.into_iter().collect(),
        };
        self.rides.insert(id, ride);
    }

    /// What a process that is gone had not sent will not be sent any more; what it may have sent is looked for.
    pub(super) fn take_up_what_was_left(&mut self, now: Now) {
        for id in self.open_rides() {
            let event = match self.rides.get(&id).map(|ride| &ride.operation.state) {
                Some(OperationState::Pending) => {
                    let what = "Muster ended before it was sent".to_owned();
                    Event::CannotSend { cause: Cause::NotSendable { what } }
                }
                Some(OperationState::Sent) => {
                    let text = "Muster ended before the answer came".to_owned();
                    Event::Lost { cause: Cause::AnswerCut { text } }
                }
                _ => continue,
            };
            self.step_ride(id, event, now);
        }
    }

    /// The operations that are open, as they are recorded.
    pub(super) fn open_recorded(&self) -> Vec<Recorded> {
        self.rides.values().filter(|ride| is_open(&ride.operation)).map(Ride::recorded).collect()
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
                OperationState::Pending => match &ride.in_line {
                    // What ends meanwhile is a report of its own.
                    Some(line) if up && line.waits => Some(self.gives_up(line, &ride.operation.node)),
                    _ => Some(ride.patience),
                },
                _ => up.then_some(ride.due),
            })
            .min()
    }

    /// Gives every operation what it needs next.
    pub(super) async fn drive_rides(&mut self, now: Now) {
        let bounds = &self.common.timings.turns;
        let waits = self.rides.values().any(|ride| ride.waits_for_turn());
        let mut turns = waits.then(|| Turns::of(&self.rides, bounds));
        if !waits {
            self.ended_on.clear();
        }
        for id in self.open_rides() {
            self.step_ride(id, Event::Tick, now);
            if let Some(turns) = &mut turns
                && !self.has_turn(id, turns, now)
            {
                continue;
            }
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
            // Nothing has failed yet: then no more is known than that the link did not come up.
            let cause = state.cause().cloned().unwrap_or_else(|| {
                let waited = self.common.timings.operation_wait.as_secs_f64();
                Cause::NotSendable { what: format!("the link did not come up within {waited} s") }
            });
            self.step_ride(id, Event::CannotSend { cause }, now);
        } else if !std::mem::replace(&mut ride.pressed, true) {
            self.step(model::link::Event::TryNow, now);
            // What there is to do next is done at once, not at the next report.
            self.act(now);
        }
        Need::Nothing
    }

    /// Whether the link is up and no listing has been read, or failed to be, since it came up.
    pub(super) fn is_before_listing(&self) -> bool {
        let Some(up) = self.up_since else { return false };
        let last = self.schedule.last_success(&Part::Resources);
        let failed = self.schedule.last_failure(&Part::Resources);
        last.is_none_or(|at| at < up) && failed.is_none_or(|at| at < up)
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
