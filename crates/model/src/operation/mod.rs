//! Something an operator asked for, from the asking to the exit status.

mod state;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::guest::{GuestState, TaskOutcome};
use crate::id::{EndpointId, GuestKey, GuestKind, NodeName, OperationId, TaskId, Text};
use crate::matching::Found;
use crate::time::{Now, spell};

pub use state::{Action, Author, FailedWhy, OperationState, PowerOptions, UnknownWhy};

/// How and when the request left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Dispatch {
    /// When, by our clock.
    pub at: Timestamp,
    /// Through which endpoint.
    pub endpoint: EndpointId,
    /// As whom, as a UPID names them.
    pub user: Text,
    /// The remote's clock less ours, milliseconds.
    pub skew_ms: i64,
    #[serde(skip)]
    /// When, on the monotonic clock.
    pub mono: Duration,
}

impl Dispatch {
    /// The remote's clock less ours.
    #[must_use]
    pub fn skew(&self) -> SignedDuration {
        SignedDuration::from_millis(self.skew_ms)
    }
}

/// Lines kept of an operation's own log.
const LOG_KEPT: usize = 200;

/// One line of an operation's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = KeptOperation))]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// The guest it concerns.
    #[serde(flatten)]
    pub guest: GuestKey,
    /// Container or virtual machine.
    pub kind: GuestKind,
    /// The guest's name when it was asked for.
    pub name: Option<Text>,
    /// The node the guest was on.
    pub node: NodeName,
    /// What was asked for.
    pub action: Action,
    /// With which options.
    pub options: PowerOptions,
    /// By whom.
    pub author: Author,
    /// When.
    pub requested: Timestamp,
    /// How it stands.
    #[serde(flatten)]
    pub state: OperationState,
    /// Since when.
    pub since: Timestamp,
    /// Whether it is being followed; `false` while its remote is disconnected.
    pub followed: bool,
    /// How the request left; `None` before.
    pub dispatch: Option<Dispatch>,
    /// Its task, once known.
    pub task: Option<TaskId>,
    /// Somebody wants the task ended.
    pub cancel_asked: bool,
    /// Who took it back before anything was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<String>,
    /// What happened to it, oldest first.
    pub log: Vec<LogEntry>,
    /// The last lines of its task's log, when it failed or warned.
    pub last_lines: Vec<Text>,
    #[serde(skip)]
    ha_since: Option<Duration>,
}

/// The figures of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How long the HA manager may take before the outcome counts as unknown.
    pub ha_patience: Duration,
    /// How long after sending a task list that lacks the task proves that it never arrived; also the window
    /// in which its task may have started.
    pub list_proves_after: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self { ha_patience: Duration::from_secs(5 * 60), list_proves_after: Duration::from_secs(60) }
    }
}

/// What has happened to an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It cannot leave; nothing was sent.
    CannotSend {
        /// Why.
        cause: Cause,
    },
    /// It is about to leave. Recorded before the first byte does.
    Sending(Dispatch),
    /// Proxmox took it and named its task.
    Accepted {
        /// Which.
        task: TaskId,
    },
    /// Proxmox took it and has no task for it: done.
    AcceptedWithoutTask,
    /// Proxmox, or the way to it, refused: surely nothing was begun.
    Refused {
        /// How.
        cause: Cause,
    },
    /// It was sent, or may have been, and the answer was lost.
    Lost {
        /// How.
        cause: Cause,
    },
    /// The node's task list was read.
    Listed {
        /// What was found in it.
        found: Found,
        /// Whether it was read to the end of the window.
        to_the_end: bool,
        /// When that reading was begun (monotonic).
        begun: Duration,
    },
    /// The task's status was read.
    Task {
        /// How it stands.
        outcome: TaskOutcome,
        /// Whether it is a task of the HA manager, which ends once the wish is recorded.
        ha: bool,
        /// The last lines of its log, where they could be read.
        last_lines: Vec<Text>,
    },
    /// The task's node could not be asked.
    NodeSilent {
        /// Which node.
        node: NodeName,
        /// Why not.
        cause: Cause,
    },
    /// The guest was seen, by a request begun after the wish was handed over.
    GuestSeen {
        /// Its state.
        state: GuestState,
        /// What the HA manager says of it.
        ha: Option<Text>,
    },
    /// Somebody takes it back. That can be done until it is sent.
    TakenBack {
        /// Who.
        by: String,
    },
    /// Somebody wants the task ended.
    CancelAsked {
        /// Who.
        by: String,
    },
    /// The wish to end its task was refused, or never left.
    CancelRefused {
        /// Why.
        cause: Cause,
    },
    /// A person has decided what became of it, where nobody else can tell.
    Resolved {
        /// Its task; `None`: it never arrived, or, where its task is known, nothing will ever be heard of that.
        task: Option<TaskId>,
        /// Who.
        by: String,
    },
    /// Its remote was disconnected.
    Unfollowed,
    /// Its remote was connected again.
    Followed,
    /// Time has passed.
    Tick,
}

// === impl Operation ===

impl Operation {
    /// Records what was asked for. Nothing is sent before this stands.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each is one column of the record")]
    pub fn record(
        id: OperationId,
        guest: GuestKey,
        kind: GuestKind,
        name: Option<Text>,
        node: NodeName,
        action: Action,
        options: PowerOptions,
        author: Author,
        now: Now,
    ) -> Self {
        let text = format!("{action} asked for by {} ({})", author.name, author.from);
        Self {
            id,
            guest,
            kind,
            name,
            node,
            action,
            options,
            author,
            requested: now.wall,
            state: OperationState::Pending,
            since: now.wall,
            followed: true,
            dispatch: None,
            task: None,
            cancel_asked: false,
            taken_back: None,
            log: vec![LogEntry { at: now.wall, text }],
            last_lines: Vec::new(),
            ha_since: None,
        }
    }

    /// Takes it up again as it was recorded by a process that is gone, whose monotonic clock went with it. Whatever
    /// counts from the sending counts from now: that can only make waits longer, never prove too much.
    #[must_use]
    pub fn restored(mut self, now: Now) -> Self {
        if let Some(dispatch) = &mut self.dispatch {
            dispatch.mono = now.mono;
        }
        if self.state == OperationState::HandedToHa {
            let waited = Duration::try_from(now.wall.duration_since(self.since)).unwrap_or_default();
            self.ha_since = Some(now.mono.saturating_sub(waited));
        }
        self
    }

    /// Adds a line to its log. What one watches for days must not grow for days: of a long log, beginning and
    /// end stay.
    pub fn note(&mut self, text: impl Into<String>, now: Now) {
        if self.log.len() >= LOG_KEPT {
            self.log.remove(LOG_KEPT / 2);
        }
        self.log.push(LogEntry { at: now.wall, text: text.into() });
    }

    /// Takes in what happened; returns whether the operation changed. What does not fit its state is ignored:
    /// a late or doubled report can neither undo an end nor cause a second sending.
    pub fn step(&mut self, event: Event, rules: &Rules, now: Now) -> bool {
        // Where nobody else can tell, a person's decision goes on from the end.
        let decided =
            matches!((&self.state, &event), (OperationState::OutcomeUnknown(_), Event::Resolved { .. }));
        if self.state.is_final() && !decided {
            return false;
        }
        match event {
            Event::Unfollowed => self.follow(false, now),
            Event::Followed => self.follow(true, now),
            Event::CancelAsked { by } => {
                if self.cancel_asked {
                    return false;
                }
                self.cancel_asked = true;
                self.note(format!("{by} wants its task ended"), now);
                true
            }
            Event::CancelRefused { cause } => {
                // Should it fail now, that is its own affair.
                let asked = std::mem::take(&mut self.cancel_asked);
                if asked {
                    self.note(format!("its task was not ended: {cause}"), now);
                }
                asked
            }
            other => match self.next(other, rules, now) {
                Some(state) if state != self.state => {
                    self.enter(state, now);
                    true
                }
                _ => false,
            },
        }
    }

    fn follow(&mut self, followed: bool, now: Now) -> bool {
        if self.followed == followed {
            return false;
        }
        self.followed = followed;
        let text = if followed { "followed again" } else { "not followed: the remote was disconnected" };
        self.note(text, now);
        true
    }

    fn enter(&mut self, state: OperationState, now: Now) {
        if state.word() != self.state.word() {
            self.since = now.wall;
        }
        self.state = state;
        self.note(self.sentence(), now);
    }

    /// How it stands, in one clause.
    #[must_use]
    pub fn sentence(&self) -> String {
        match (&self.state, &self.taken_back) {
            (OperationState::Cancelled, Some(by)) => format!("not sent: cancelled by {by}"),
            (state, _) => state.sentence(),
        }
    }

    fn next(&mut self, event: Event, rules: &Rules, now: Now) -> Option<OperationState> {
        use OperationState as S;
        match (&self.state, event) {
            (S::Pending, Event::CannotSend { cause }) => Some(S::NotSent { cause }),
            (S::Pending, Event::TakenBack { by }) => {
                self.taken_back = Some(by);
                Some(S::Cancelled)
            }
            (S::Pending, Event::Sending(dispatch)) => {
                self.dispatch = Some(dispatch);
                Some(S::Sent)
            }
            (S::Sent | S::OutcomeUnknown(UnknownWhy::Lost { .. }), Event::Accepted { task }) => {
                self.bind(task, now);
                Some(S::Running)
            }
            (S::Sent, Event::AcceptedWithoutTask) => Some(S::Succeeded),
            (S::Sent, Event::Refused { cause }) => Some(S::Failed(FailedWhy::Refused { cause })),
            (S::Sent, Event::CannotSend { cause }) => Some(S::NotSent { cause }),
            (S::Sent, Event::Lost { cause }) => Some(S::OutcomeUnknown(UnknownWhy::Lost { cause })),
            (S::OutcomeUnknown(UnknownWhy::Lost { cause }), Event::Listed { found, to_the_end, begun }) => {
                let cause = cause.clone();
                self.listed(found, to_the_end, begun, cause, rules, now)
            }
            (
                S::Running | S::OutcomeUnknown(UnknownWhy::Node { .. }),
                Event::Task { outcome, ha, last_lines },
            ) => self.task_seen(outcome, ha, last_lines, now),
            (S::Running, Event::NodeSilent { node, cause }) => {
                Some(S::OutcomeUnknown(UnknownWhy::Node { node, cause }))
            }
            (S::HandedToHa | S::OutcomeUnknown(UnknownWhy::Ha), Event::GuestSeen { state, ha }) => {
                self.guest_seen(&state, ha.as_deref())
            }
            (S::HandedToHa, Event::Tick) => {
                let since = *self.ha_since.get_or_insert(now.mono);
                (now.since(since) >= rules.ha_patience).then_some(S::OutcomeUnknown(UnknownWhy::Ha))
            }
            (
                S::OutcomeUnknown(UnknownWhy::Candidates { .. } | UnknownWhy::Lost { .. }),
                Event::Resolved { task, by },
            ) => match task {
                Some(task) => {
                    self.note(format!("{by} decided which task it is"), now);
                    self.bind(task, now);
                    Some(S::Running)
                }
                None => {
                    let what = format!("{by} decided that it never arrived");
                    Some(S::NotSent { cause: Cause::NotSendable { what } })
                }
            },
            // It was begun; that nothing will ever be heard of how it ended is known to people alone.
            (
                S::OutcomeUnknown(UnknownWhy::Node { .. } | UnknownWhy::Ha),
                Event::Resolved { task: None, by },
            ) => Some(S::OutcomeUnknown(UnknownWhy::GivenUp { by })),
            _ => None,
        }
    }

    fn bind(&mut self, task: TaskId, now: Now) {
        self.note(format!("task {task}"), now);
        self.task = Some(task);
    }

    fn listed(
        &mut self,
        found: Found,
        to_the_end: bool,
        begun: Duration,
        cause: Cause,
        rules: &Rules,
        now: Now,
    ) -> Option<OperationState> {
        match found {
            Found::One(task) => {
                self.note("found in the task list", now);
                self.bind(task, now);
                Some(OperationState::Running)
            }
            Found::Several(tasks) => Some(OperationState::OutcomeUnknown(UnknownWhy::Candidates { tasks })),
            Found::Nothing => {
                let sent = self.dispatch.as_ref()?.mono;
                let late_enough = begun >= sent.saturating_add(rules.list_proves_after);
                (to_the_end && late_enough).then(|| {
                    self.note("the task list of its node has nothing of it: it never arrived", now);
                    OperationState::NotSent { cause }
                })
            }
        }
    }

    fn task_seen(
        &mut self,
        outcome: TaskOutcome,
        ha: bool,
        last_lines: Vec<Text>,
        now: Now,
    ) -> Option<OperationState> {
        if outcome.has_ended() && outcome != TaskOutcome::Ok {
            self.last_lines = last_lines;
        }
        match outcome {
            TaskOutcome::Unknown => None,
            TaskOutcome::Running => Some(OperationState::Running),
            TaskOutcome::Failed { .. } if self.cancel_asked => Some(OperationState::Cancelled),
            TaskOutcome::Failed { text } => Some(OperationState::Failed(FailedWhy::Task { exit: text })),
            TaskOutcome::Ok | TaskOutcome::Warnings { .. } if ha && self.action.wanted().is_some() => {
                self.ha_since = Some(now.mono);
                Some(OperationState::HandedToHa)
            }
            TaskOutcome::Ok => Some(OperationState::Succeeded),
            TaskOutcome::Warnings { count } => Some(OperationState::SucceededWithWarnings { count }),
        }
    }

    fn guest_seen(&self, state: &GuestState, ha: Option<&str>) -> Option<OperationState> {
        if self.action.wanted().as_ref() == Some(state) {
            return Some(OperationState::Succeeded);
        }
        (ha == Some("error")).then_some(OperationState::Failed(FailedWhy::Ha))
    }
}

/// "3 min ago", for sentences about when something was last seen.
#[must_use]
pub fn ago(at: Timestamp, now: Now) -> String {
    let span = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
    format!("{} ago", spell(span))
}
