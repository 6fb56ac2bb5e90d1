//! What an operation needs is asked for here: it is sent once, then its task, the task list or its guest is looked
//! at; and what comes back is taken in.

use std::collections::BTreeSet;
use std::time::Duration;

use model::backoff::Backoff;
use model::cause::Reach;
use model::guest::GuestState;
use model::matching::{Found, Lost, expected_types};
use model::operation::{Dispatch, Event};
use model::{
    Cause, EndpointId, NodeName, Now, Operation, OperationId, Presence, Task, TaskId, TaskOutcome, Text,
};
use pve::upid::Upid;
use pve::{Client, Error, Method};

use super::fetch::{self, Ear, Place};
use super::schedule::Part;
use super::{Done, Errand, Remote};
use crate::errors::{Verdict, cause, never_left, verdict};
use crate::wire;

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
    /// It was not sent after all: the remote is no longer ours.
    Unsent { cause: Cause },
    /// Its task's status.
    Task { epoch: u64, endpoint: EndpointId, result: Result<(TaskOutcome, Vec<Text>), Error> },
    /// A task list, and whether it was read to the end.
    List { epoch: u64, endpoint: EndpointId, begun: Duration, result: Result<(Vec<Task>, bool), Error> },
    /// The guest itself.
    Guest { epoch: u64, endpoint: EndpointId, result: Result<(GuestState, Option<Text>), Error> },
}

impl Remote {
    /// The node its guest is on now, as far as is known.
    pub(super) fn target(&self, id: OperationId) -> Result<NodeName, Cause> {
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
    pub(super) async fn send(&mut self, id: OperationId, now: Now) {
        let Some(endpoint) = self.link.endpoint().cloned() else { return };
        match self.target(id) {
            Ok(node) => {
                // Those of earlier operations are known by them alone once this process is gone.
                let of_rides = self.tasks_of_others(id);
                let Some(ride) = self.rides.get_mut(&id) else { return };
                let vmid = ride.operation.guest.vmid.to_string();
                let tasks = self.inventory.tasks.values();
                ride.before = tasks
                    .filter(|task| task.id.rsplit(':').next() == Some(vmid.as_str()))
                    .map(|task| task.upid.clone())
                    .chain(of_rides)
                    .collect();
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
            let unrecorded =
                || Cause::Internal { text: "it was not seen to be recorded, so it was not sent".to_owned() };
            let cause = self.shared.not_ours().unwrap_or_else(unrecorded);
            self.step_ride(id, Event::CannotSend { cause }, now);
            return;
        }
        let Some(ride) = self.rides.get_mut(&id) else { return };
        ride.asking = true;
        let operation = &ride.operation;
        let (action, options) = (operation.action, operation.options.clone());
        let (node, kind, vmid) = (operation.node.clone(), operation.kind, operation.guest.vmid);
        let epoch = self.link.epoch();
        let clock = self.common.clock;
        let shared = self.shared.clone();
        self.spawn(Errand::Ride(id), async move {
            let mut ear = Ear::new(clock);
            let mut unreached = Vec::new();
            let mut last = None;
            let mut left = now;
            for (endpoint, client) in lines {
                // Recorded while it was ours; whether it still is when the first byte leaves is another question.
                if let Some(cause) = shared.not_ours() {
                    return Done::Ride(id, Box::new((Sight::Unsent { cause }, ear)));
                }
                let call = wire::call(action, &options, kind, &node, vmid);
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

    pub(super) fn look_at_task(&mut self, id: OperationId, upid: Upid, now: Now) {
        let lines = u64::try_from(self.common.timings.last_lines).unwrap_or(20);
        let pause = self.common.timings.task_watch;
        let clock = self.common.clock;
        self.look(id, pause, now, |endpoint, client, epoch| async move {
            let mut ear = Ear::new(clock);
            let result = fetch::task(&upid, lines, &client, &mut ear).await;
            (Sight::Task { epoch, endpoint, result }, ear)
        });
    }

    pub(super) fn look_at_list(&mut self, id: OperationId, now: Now) {
        let window = self.common.timings.operation.list_proves_after;
        let page = u64::from(self.common.timings.page);
        let pause = self.common.timings.lost_watch;
        let clock = self.common.clock;
        let Some(operation) = self.rides.get(&id).map(|ride| &ride.operation) else { return };
        let Some(from) = lost(operation, window).map(|lost| lost.window().0) else { return };
        let (node, vmid) = (operation.node.clone(), operation.guest.vmid);
        self.look(id, pause, now, |endpoint, client, epoch| async move {
            let mut ear = Ear::new(clock);
            let result = fetch::search(&node, vmid, from, page, &client, &mut ear).await;
            (Sight::List { epoch, endpoint, begun: now.mono, result }, ear)
        });
    }

    pub(super) fn look_at_guest(&mut self, id: OperationId, now: Now) {
        let pause = self.common.timings.ha_watch;
        let clock = self.common.clock;
        let Some(operation) = self.rides.get(&id).map(|ride| &ride.operation) else { return };
        let vmid = operation.guest.vmid;
        // The HA manager may have moved it.
        let node = self.inventory.guests.get(&vmid).map_or(&operation.node, |known| &known.guest.node);
        let place = Place { vmid, kind: operation.kind, node: node.clone() };
        self.look(id, pause, now, |endpoint, client, epoch| async move {
            let mut ear = Ear::new(clock);
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
            Sight::Unsent { cause } => {
                self.step_ride(id, Event::CannotSend { cause }, now);
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

    /// The tasks that other operations on the same guest are bound to.
    fn tasks_of_others(&self, id: OperationId) -> Vec<TaskId> {
        let vmid = self.rides.get(&id).map(|ride| ride.operation.guest.vmid);
        let others = self.rides.iter().filter(|(other, _)| **other != id).map(|(_, ride)| &ride.operation);
        let same = others.filter(|operation| Some(operation.guest.vmid) == vmid);
        same.filter_map(|operation| operation.task.clone()).collect()
    }

    /// The task of a lost answer among those of its node, leaving out what other operations are bound to and what
    /// was there before.
    pub(super) fn find(&self, id: OperationId, tasks: &[Task]) -> Found {
        let window = self.common.timings.operation.list_proves_after;
        let Some(ride) = self.rides.get(&id) else { return Found::Nothing };
        let bound = self.tasks_of_others(id);
        let others: BTreeSet<TaskId> = ride.before.iter().cloned().chain(bound).collect();
        lost(&ride.operation, window).map_or(Found::Nothing, |lost| lost.find(tasks, &others))
    }
}

/// Whether another endpoint may do better. What was not let out here goes out nowhere.
fn moves_on(error: &Error) -> bool {
    error.phase() != pve::Phase::Local && matches!(verdict(error, false), Verdict::Endpoint(_))
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
