//! Operations under way: each is recorded, sent once, and followed to its end. The rules are those of
//! [`model::operation`]; here is what each needs, and when. How that is asked for stands in `ask`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::capability::{Availability, Situation};
use model::guest::{GuestState, NodeState};
use model::matching::Found;
use model::operation::{Event, UnknownWhy};
use model::{
    Action, Author, Cause, Event as Line, GuestKey, Happening, Incarnation, Now, Operation, OperationId,
    OperationState, TaskId, Vmid,
};
use pve::upid::Upid;
use tokio::sync::watch;

use super::schedule::Part;
use super::turns::Turns;
use super::{OperateError, Remote, Resolution, ResolveError, TakeBackError, Wish};
use crate::durable::is_open;
use crate::journal::{Fact, Receipt, Recorded};
use crate::rows::task_of;

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
    /// Until when it waits for the link, or for its turn.
    patience: Duration,
    pressed: bool,
    /// Whether it was asked for together with others, and waits for its turn.
    turn: Turn,
    /// The life of the number that was meant.
    pub(super) incarnation: Incarnation,
    /// Looks in a row that brought no answer about it.
    pub(super) silences: u32,
    /// Tasks that were there before it was sent: none of them is its own.
    pub(super) before: BTreeSet<TaskId>,
}

/// Whether an operation takes its turn among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It was asked for by itself, or its turn has come.
    Own,
    /// It is looked whether there is a place for it.
    Next,
    /// There was none; what ends makes room. Until when it waits.
    Waits(Duration),
}

impl Ride {
    /// Whether it is to leave once it is its turn.
    fn waits_for_turn(&self) -> bool {
        self.turn != Turn::Own && self.operation.state == OperationState::Pending && self.operation.followed
    }

    /// Whether it has its turn and has not left yet.
    pub(super) fn is_leaving(&self) -> bool {
        self.turn == Turn::Own && self.operation.state == OperationState::Pending && self.operation.followed
    }

    /// As it is recorded.
    fn recorded(&self) -> Recorded {
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
                true => Err(OperateError::Disabled {
                    reason: "it was named before in the same request".to_owned(),
                    remedy: "Name each guest once.".to_owned(),
                }),
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
        let turn = if wish.by_turns { Turn::Next } else { Turn::Own };
        for (operation, incarnation) in taken.into_values() {
            self.begin_ride(operation, incarnation, turn, now);
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
        if let Availability::Disabled { reason, remedy } = self.may(vmid, wish.action, now) {
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

    fn begin_ride(&mut self, operation: Operation, incarnation: Incarnation, turn: Turn, now: Now) {
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
            turn,
            incarnation,
            silences: 0,
            before: BTreeSet::new(),
        };
        self.rides.insert(id, ride);
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
            last_seen: known.observed_at,
            template: known.guest.template == Some(true),
            lock: known.guest.lock.as_ref(),
            presence: &known.presence,
            node: &known.guest.node,
            node_state,
            quorate: self.cluster.as_ref().and_then(|cluster| cluster.value.quorate),
            link: self.link.state(),
            busy: self.busy_with(vmid),
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
    fn line_of(&self, operation: &Operation, incarnation: Incarnation, now: Now) -> Fact {
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
            turn: Turn::Own,
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

    /// Takes in what a person decided about an outcome that nobody else can tell.
    pub(super) async fn resolve(
        &mut self,
        id: OperationId,
        resolution: Resolution,
        author: &Author,
        now: Now,
    ) -> Result<(), ResolveError> {
        let Some(ride) = self.rides.get(&id) else { return self.close_unread(id).await };
        let OperationState::OutcomeUnknown(why) = &ride.operation.state else {
            return Err(ResolveError::NotOpen);
        };
        let task = match resolution {
            Resolution::NotSent => None,
            Resolution::Task(task) => {
                if let UnknownWhy::Candidates { tasks } = why
                    && !tasks.contains(&task)
                {
                    return Err(ResolveError::NotACandidate(task));
                }
                // Whoever decides may know more than we do, but not that it is another guest's, or was there before.
                let may_be = |upid: Upid| self.find(id, &[task_of(&upid)]) != Found::Nothing;
                if !task.as_str().parse::<Upid>().is_ok_and(may_be) {
                    return Err(ResolveError::NotACandidate(task));
                }
                Some(task)
            }
        };
        let by = author.name.clone();
        if !self.step_ride(id, Event::Resolved { task, by }, now) {
            return Err(ResolveError::NotOpen);
        }
        if self.publish().await { Ok(()) } else { Err(ResolveError::NotRecorded) }
    }

    /// Takes an operation back that has not left. As everything about it is decided here, one after the other, it is
    /// either taken back or sent, never both; and it is recorded before anybody is told.
    pub(super) async fn take_back(
        &mut self,
        id: OperationId,
        author: &Author,
        now: Now,
    ) -> Result<(), TakeBackError> {
        let rules = self.common.timings.operation.clone();
        let ride = self.rides.get(&id).ok_or(TakeBackError::NoSuchOperation)?;
        let mut recorded = ride.recorded();
        if !recorded.operation.step(Event::TakenBack { by: author.name.clone() }, &rules, now) {
            return Err(match ride.operation.state.is_final() {
                true => TakeBackError::Ended(ride.operation.sentence()),
                false => TakeBackError::Sent,
            });
        }
        // What still waits to be recorded of it is older than this, and must not come after it.
        if !self.publish().await {
            return Err(TakeBackError::NotRecorded("what was before could not be recorded yet".to_owned()));
        }
        let line = self.line_of(&recorded.operation, recorded.incarnation, now);
        let facts = vec![Fact::Operation(Box::new(recorded.clone())), line];
        self.common
            .journal
            .commit(self.id, facts)
            .await
            .map_err(|error| TakeBackError::NotRecorded(error.to_string()))?;
        if let Some(ride) = self.rides.get_mut(&id) {
            ride.operation = recorded.operation;
        }
        self.dirty = true;
        self.publish().await;
        Ok(())
    }

    /// A person says that an operation whose record cannot be read is over. Its record stays as it is.
    async fn close_unread(&mut self, id: OperationId) -> Result<(), ResolveError> {
        let closed = self.unread.closed(id).ok_or(ResolveError::NoSuchOperation)?;
        let facts = vec![Fact::Kept(Box::new(closed))];
        if self.common.journal.commit(self.id, facts).await.is_err() {
            return Err(ResolveError::NotRecorded);
        }
        self.unread.forget_operation(id);
        self.dirty = true;
        self.publish().await;
        Ok(())
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
                OperationState::Pending => match ride.turn {
                    // What ends meanwhile is a report of its own.
                    Turn::Waits(until) if up => Some(until),
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
        let mut turns = waits.then(|| Turns::of(self.rides.values(), bounds));
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

    /// Whether it is its turn; where not, it goes on waiting, or ends when it has waited for too long.
    fn has_turn(&mut self, id: OperationId, turns: &mut Turns, now: Now) -> bool {
        let up = self.link.state().is_up();
        let timings = self.common.timings.clone();
        let Some(ride) = self.rides.get_mut(&id).filter(|ride| ride.waits_for_turn()) else { return true };
        if !up {
            // Nothing leaves: like any other it waits for the link, from now on, and takes its turn once that is up.
            if let Turn::Waits(_) = ride.turn {
                (ride.turn, ride.patience) = (Turn::Next, now.after(timings.operation_wait));
            }
            return true;
        }
        if turns.take(&ride.operation.node) {
            (ride.turn, ride.patience) = (Turn::Own, now.after(timings.operation_wait));
            return true;
        }
        let until = match ride.turn {
            Turn::Waits(until) => until,
            _ => now.after(timings.turns.patience),
        };
        ride.turn = Turn::Waits(until);
        if now.mono >= until {
            let what = format!(
                "its turn did not come within {}: what was asked for before it has not ended",
                model::time::spell(timings.turns.patience)
            );
            self.step_ride(id, Event::CannotSend { cause: Cause::NotSendable { what } }, now);
        }
        false
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
    fn is_before_listing(&self) -> bool {
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
