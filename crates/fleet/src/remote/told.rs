//! What a remote is told by people, by readers and by the fleet.

use model::link::Event;
use model::outage::Pace;
use model::{
    Action, Author, Cause, EndpointId, Failure, LinkState, Now, Observed, OperationId, PowerOptions, TaskId,
    Vmid, operation,
};
use pve::drift::Drift;
use pve::{Credential, Error, Factor, TrustPolicy};
use tokio::sync::oneshot;

use super::{Done, Errand, Remote};
use crate::inventory::{Glimpse, Reading};
use crate::journal::Fact;
use crate::lines::retrust;
use model::rows::Interface;

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
    /// Somebody asks for a task to end; it may be that of an operation. The reply says whether that is recorded.
    CancelAsked {
        task: TaskId,
        by: String,
        reply: oneshot::Sender<bool>,
    },
    /// The wish was refused, or never left.
    CancelRefused {
        task: TaskId,
        cause: Cause,
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
        /// What was odd about the answer, unless it is read by the clock as well.
        drift: Drift,
    },
    /// A guest was asked for its state.
    Glimpse {
        vmid: Vmid,
        glimpse: Glimpse,
        reading: Reading,
    },
    /// A reader has seen a guest's addresses.
    Addresses {
        vmid: Vmid,
        seen: Observed<Vec<Interface>>,
    },
    Stop,
}

impl Remote {
    pub(super) async fn told(&mut self, message: Message) {
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
            Message::CancelAsked { task, by, reply } => {
                self.facts.push(Fact::TaskEndAsked { task: task.clone(), by: by.clone() });
                self.step_task(&task, operation::Event::CancelAsked { by }, now);
                let recorded = self.publish().await;
                let _ = reply.send(recorded);
            }
            Message::CancelRefused { task, cause } => {
                self.step_task(&task, operation::Event::CancelRefused { cause }, now);
            }
            Message::Trust { endpoint, trust } => {
                if retrust(&mut self.spec, &endpoint, *trust) {
                    self.reopen(now);
                }
            }
            Message::Credential(credential) => {
                self.spec.credential = *credential;
                self.link.signs_in_with(self.spec.login());
                self.reopen(now);
            }
            Message::SecondFactor { factor, reply } => self.second_factor(factor, reply, now),
            Message::Heard { epoch, endpoint, result, drift } => {
                self.note_odd(drift);
                self.overheard(epoch, &endpoint, result.as_ref().copied(), true, now);
            }
            Message::Glimpse { vmid, glimpse, reading } => {
                let changes = self.inventory.glimpse(vmid, glimpse, &reading, now);
                self.note(changes, now);
            }
            Message::Addresses { vmid, seen } => {
                if let Some(known) = self.inventory.guests.get_mut(&vmid) {
                    known.addresses = Some(std::sync::Arc::new(seen));
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
