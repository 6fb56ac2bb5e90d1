//! The words of an operation: what may be asked for, by whom, and how it may stand.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::guest::GuestState;
use crate::id::{NodeName, TaskId, Text};

/// What can be done to a guest's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PowerOptions {
    /// How long a shutdown or reboot may take.
    #[serde(rename = "timeout_seconds", default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Whether a shutdown that takes longer ends as a stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_stop: Option<bool>,
}

/// Who asked, from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Author {
    /// A person's or a token's name.
    pub name: String,
    /// Where from: `cli`, an address.
    pub from: String,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum FailedWhy {
    /// Proxmox answered the request with an error: nothing was begun.
    Refused {
        /// Which.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum UnknownWhy {
    /// It was sent and no answer came; being looked for in the task list.
    Lost {
        /// How the answer was lost.
        cause: Cause,
    },
    /// Several tasks fit: a person decides.
    Candidates {
        /// Which.
        tasks: Vec<TaskId>,
    },
    /// The node that runs the task cannot be asked, or does not tell how it stands; still watched.
    Node {
        /// Which node.
        node: NodeName,
        /// What it was asked with.
        cause: Cause,
    },
    /// The HA manager has the wish and has not fulfilled it; still watched.
    Ha,
    /// A person decided to wait no longer for a node or the HA manager: nobody will know.
    GivenUp {
        /// Who.
        by: String,
    },
}

/// The states of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "state", content = "detail", rename_all = "snake_case")]
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
    /// Its task was ended on somebody's wish; or it was taken back before it was sent.
    Cancelled,
    /// Nothing was begun: it never left, or the task list shows that it never arrived.
    NotSent {
        /// Why.
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
            Self::OutcomeUnknown(why) => {
                matches!(why, UnknownWhy::Candidates { .. } | UnknownWhy::GivenUp { .. })
            }
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
                let which = match tasks.len() {
                    1 => "one task could be it, if a clock was set".to_owned(),
                    n => format!("{n} tasks could be it"),
                };
                format!("outcome unknown: {which}; read the logs and decide")
            }
            Self::OutcomeUnknown(UnknownWhy::Node { node, cause }) => {
                format!("outcome unknown while node {node} does not tell: {cause}; still watched")
            }
            Self::OutcomeUnknown(UnknownWhy::Ha) => {
                "outcome unknown: the HA manager has not done it in the time it usually takes; still watched"
                    .to_owned()
            }
            Self::OutcomeUnknown(UnknownWhy::GivenUp { by }) => {
                format!("outcome unknown: {by} decided to wait for it no longer")
            }
        }
    }
}
