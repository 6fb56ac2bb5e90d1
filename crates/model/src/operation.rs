//! Something an operator asked for, from the asking to the exit status.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cause::Cause;
use crate::guest::{GuestState, TaskOutcome};
use crate::id::{EndpointId, GuestKey, GuestKind, NodeName, OperationId, TaskId, Text};
use crate::matching::Found;
use crate::time::{Now, spell};

/// What can be done to a guest's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Switch on.
    Start,
    /// Ask it to switch itself off.
    Shutdown,
    /// Switch off at once.
    Stop,
    /// Ask it to switch off, then on.
    Reboot,
    /// Press the reset button (virtual machines).
    Reset,
    /// Hold the processors still (virtual machines), freeze (containers, experimental).
    Suspend,
    /// Save the memory to disk and switch off (virtual machines).
    Hibernate,
    /// Go on after suspend.
    Resume,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Start,
        Self::Shutdown,
        Self::Stop,
        Self::Reboot,
        Self::Reset,
        Self::Suspend,
        Self::Hibernate,
        Self::Resume,
    ];

    /// The word for it, also on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Shutdown => "shutdown",
            Self::Stop => "stop",
            Self::Reboot => "reboot",
            Self::Reset => "reset",
            Self::Suspend => "suspend",
            Self::Hibernate => "hibernate",
            Self::Resume => "resume",
        }
    }

    /// The state a guest is in once it is done, where that tells.
    #[must_use]
    pub fn wanted(self) -> Option<GuestState> {
        match self {
            Self::Start => Some(GuestState::Running),
            Self::Shutdown | Self::Stop => Some(GuestState::Stopped),
            Self::Reboot | Self::Reset | Self::Suspend | Self::Hibernate | Self::Resume => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| format!("no action is called {text:?}"))
    }
}

/// What may be said beside the action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PowerOptions {
    /// How long a shutdown or reboot may take.
    #[serde(rename = "timeout_seconds", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Whether a shutdown that takes longer ends as a stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_stop: Option<bool>,
}

/// Who asked, from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Author {
    /// A person's or a token's name.
    pub name: String,
    /// Where from: `cli`, an address.
    pub from: String,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum FailedWhy {
    /// Proxmox answered the request with an error: nothing was begun.
    Refused {
        /// Which.
        #[serde(flatten)]
        cause: Cause,
    },
    /// Its task ended with an error.
    Task {
        /// The exit status, in Proxmox's words.
        exit: Text,
    },
    /// The HA manager put the guest into the state `error`.
    Ha,
}

/// Why an outcome is unknown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum UnknownWhy {
    /// It was sent and no answer came; being looked for in the task list.
    Lost {
        /// How the answer was lost.
        #[serde(flatten)]
        cause: Cause,
    },
    /// Several tasks fit: a person decides.
    Candidates {
        /// Which.
        tasks: Vec<TaskId>,
    },
    /// The node that runs the task cannot be asked; still watched.
    Node {
        /// Which node.
        node: NodeName,
        /// What it was asked with.
        #[serde(flatten)]
        cause: Cause,
    },
    /// The HA manager has the wish and has not fulfilled it; still watched.
    Ha,
}

/// The states of an operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OperationState {
    /// Recorded, nothing sent.
    Pending,
    /// Sent, no answer yet.
    Sent,
    /// Its task is known and runs.
    Running,
    /// The HA manager has the wish; the thing itself is still to come.
    HandedToHa,
    /// Done, exit status `OK`, or the guest seen in the wanted state.
    Succeeded,
    /// Done, with warnings.
    SucceededWithWarnings {
        /// How many, where Proxmox said.
        count: Option<u32>,
    },
    /// Not done, and known to be so.
    Failed(FailedWhy),
    /// Its task was ended on somebody's wish.
    Cancelled,
    /// Nothing was begun: it never left, or the task list shows that it never arrived.
    NotSent {
        /// Why.
        #[serde(flatten)]
        cause: Cause,
    },
    /// It may or may not be done.
    OutcomeUnknown(UnknownWhy),
}

impl OperationState {
    /// The word for it, as in contracts and JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Running => "running",
            Self::HandedToHa => "handed_to_ha",
            Self::Succeeded => "succeeded",
            Self::SucceededWithWarnings { .. } => "succeeded_with_warnings",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
            Self::NotSent { .. } => "not_sent",
            Self::OutcomeUnknown(_) => "outcome_unknown",
        }
    }

    /// Nothing more will change it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Pending | Self::Sent | Self::Running | Self::HandedToHa => false,
            Self::OutcomeUnknown(why) => matches!(why, UnknownWhy::Candidates { .. }),
            Self::Succeeded
            | Self::SucceededWithWarnings { .. }
            | Self::Failed(_)
            | Self::Cancelled
            | Self::NotSent { .. } => true,
        }
    }

    /// Whether another operation on the same guest has to wait for this one. An outcome that is being looked
    /// for in the task list does block: nobody repeats what may have been done.
    #[must_use]
    pub fn blocks(&self) -> bool {
        match self {
            Self::OutcomeUnknown(why) => matches!(why, UnknownWhy::Lost { .. }),
            other => !other.is_final(),
        }
    }

    /// The thing was done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded | Self::SucceededWithWarnings { .. })
    }

    /// In one clause.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Pending => "recorded, not sent yet".to_owned(),
            Self::Sent => "sent, waiting for the answer".to_owned(),
            Self::Running => "its task is running".to_owned(),
            Self::HandedToHa => "handed to the HA manager, which has not done it yet".to_owned(),
            Self::Succeeded => "done".to_owned(),
            Self::SucceededWithWarnings { count: Some(count) } => {
                format!("done, with {count} warning{}", if *count == 1 { "" } else { "s" })
            }
            Self::SucceededWithWarnings { count: None } => "done, with warnings".to_owned(),
            Self::Failed(FailedWhy::Refused { cause }) => format!("refused: {cause}"),
            Self::Failed(FailedWhy::Task { exit }) => format!("the task failed: {exit}"),
            Self::Failed(FailedWhy::Ha) => "the HA manager reports the guest in error".to_owned(),
            Self::Cancelled => "cancelled".to_owned(),
            Self::NotSent { cause } => format!("not sent: {cause}"),
            Self::OutcomeUnknown(UnknownWhy::Lost { cause }) => {
                format!("outcome unknown, looking for it in the task list: {cause}")
            }
            Self::OutcomeUnknown(UnknownWhy::Candidates { tasks }) => {
                format!("outcome unknown: {} tasks could be it; compare their logs and decide", tasks.len())
            }
            Self::OutcomeUnknown(UnknownWhy::Node { node, .. }) => {
                format!("outcome unknown while node {node} cannot be asked; still watched")
            }
            Self::OutcomeUnknown(UnknownWhy::Ha) => {
                "outcome unknown: the HA manager has not done it in the time it usually takes; still watched"
                    .to_owned()
            }
        }
    }
}

/// How and when the request left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

/// One line of an operation's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
        /// Whether that is a task of the HA manager, which ends when the wish is recorded.
        ha: bool,
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
        /// Whether the one that was found is a task of the HA manager.
        ha: bool,
        /// Whether it was read to the end of the window.
        to_the_end: bool,
        /// When that reading was begun (monotonic).
        begun: Duration,
    },
    /// The task's status was read.
    Task {
        /// How it stands.
        outcome: TaskOutcome,
        /// Whether it is a task of the HA manager.
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
    /// Somebody wants the task ended.
    CancelAsked {
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
            log: vec![LogEntry { at: now.wall, text }],
            last_lines: Vec::new(),
            ha_since: None,
        }
    }

    /// Adds a line to its log.
    pub fn note(&mut self, text: impl Into<String>, now: Now) {
        self.log.push(LogEntry { at: now.wall, text: text.into() });
    }

    /// Whether the request has left, or may have.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.dispatch.is_some()
    }

    /// Takes in what happened; returns whether the operation changed. What does not fit its state is ignored:
    /// a late or doubled report can neither undo an end nor cause a second sending.
    pub fn step(&mut self, event: Event, rules: &Rules, now: Now) -> bool {
        if self.state.is_final() {
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
        self.note(state.sentence(), now);
        self.state = state;
    }

    fn next(&mut self, event: Event, rules: &Rules, now: Now) -> Option<OperationState> {
        use OperationState as S;
        match (&self.state, event) {
            (S::Pending, Event::CannotSend { cause }) => Some(S::NotSent { cause }),
            (S::Pending, Event::Sending(dispatch)) => {
                self.dispatch = Some(dispatch);
                Some(S::Sent)
            }
            (S::Sent | S::OutcomeUnknown(UnknownWhy::Lost { .. }), Event::Accepted { task, .. }) => {
                self.bind(task, now);
                Some(S::Running)
            }
            (S::Sent, Event::AcceptedWithoutTask) => Some(S::Succeeded),
            (S::Sent, Event::Refused { cause }) => Some(S::Failed(FailedWhy::Refused { cause })),
            (S::Sent, Event::CannotSend { cause }) => Some(S::NotSent { cause }),
            (S::Sent, Event::Lost { cause }) => Some(S::OutcomeUnknown(UnknownWhy::Lost { cause })),
            (
                S::OutcomeUnknown(UnknownWhy::Lost { cause }),
                Event::Listed { found, to_the_end, begun, .. },
            ) => {
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
                (to_the_end && late_enough).then_some(OperationState::NotSent { cause })
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
