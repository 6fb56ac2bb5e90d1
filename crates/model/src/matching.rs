//! Finding the task of a request whose answer was lost.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::guest::Task;
use crate::id::{GuestKind, NodeName, TaskId, Vmid};
use crate::operation::Action;
use crate::time::shift;

/// A task's start is told in whole seconds, and so is the clock we measured the skew by.
const WHOLE_SECONDS: SignedDuration = SignedDuration::from_secs(2);

/// The types a task of this action may have, those of the HA manager included.
#[must_use]
pub fn expected_types(action: Action, kind: GuestKind) -> &'static [&'static str] {
    match (kind, action) {
        (GuestKind::Ct, Action::Start) => &["vzstart", "hastart"],
        (GuestKind::Ct, Action::Shutdown) => &["vzshutdown", "hastop"],
        (GuestKind::Ct, Action::Stop) => &["vzstop", "hastop"],
        (GuestKind::Ct, Action::Reboot) => &["vzreboot"],
        (GuestKind::Ct, Action::Suspend | Action::Hibernate) => &["vzsuspend"],
        (GuestKind::Ct, Action::Resume) => &["vzresume"],
        (GuestKind::Ct, Action::Reset) => &[],
        (GuestKind::Vm, Action::Start) => &["qmstart", "hastart"],
        (GuestKind::Vm, Action::Shutdown) => &["qmshutdown", "hastop"],
        (GuestKind::Vm, Action::Stop) => &["qmstop", "hastop"],
        (GuestKind::Vm, Action::Reboot) => &["qmreboot"],
        (GuestKind::Vm, Action::Reset) => &["qmreset"],
        (GuestKind::Vm, Action::Suspend) => &["qmpause", "qmsuspend"],
        (GuestKind::Vm, Action::Hibernate) => &["qmsuspend"],
        (GuestKind::Vm, Action::Resume) => &["qmresume"],
    }
}

/// A request whose answer was lost.
#[derive(Debug, Clone)]
pub struct Lost<'a> {
    /// The node it was for.
    pub node: &'a NodeName,
    /// The types its task may have.
    pub types: &'a [&'a str],
    /// The guest it was for.
    pub vmid: Vmid,
    /// Who asked, as a UPID names them (`root@pam`, `u@pve!token`).
    pub user: &'a str,
    /// When it was sent, by our clock.
    pub sent: Timestamp,
    /// The node's clock less ours; positive when it is ahead.
    pub skew: SignedDuration,
    /// How long after being sent it may still have started a task.
    pub window: Duration,
}

/// What the task list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No task fits.
    Nothing,
    /// Exactly one does.
    One(TaskId),
    /// Several do: a person decides.
    Several(Vec<TaskId>),
}

impl Lost<'_> {
    /// The earliest and latest start that fit, by the node's clock. The skew widens the window on the side it
    /// points to; it never narrows it, since a clock may have been set meanwhile.
    #[must_use]
    pub fn window(&self) -> (Timestamp, Timestamp) {
        let behind = self.skew.min(SignedDuration::ZERO);
        let ahead = self.skew.max(SignedDuration::ZERO);
        let from = behind
            .checked_sub(WHOLE_SECONDS)
            .and_then(|by| self.sent.checked_add(by).ok())
            .unwrap_or(self.sent);
        let to = shift(self.sent, self.window).checked_add(ahead).unwrap_or(self.sent);
        (from, to)
    }

    /// Looks for its task among those of the node, leaving out those bound to other operations.
    #[must_use]
    pub fn find<'t>(&self, tasks: impl IntoIterator<Item = &'t Task>, bound: &BTreeSet<TaskId>) -> Found {
        let (from, to) = self.window();
        let id = self.vmid.to_string();
        let fits = |task: &Task| {
            task.node == *self.node
                && self.types.contains(&&*task.kind)
                && (*task.id == *id
                    || task.id.strip_prefix("vm:").or(task.id.strip_prefix("ct:")) == Some(&id))
                && *task.user == *self.user
                && from <= task.started
                && task.started <= to
                && !bound.contains(&task.upid)
        };
        // The same task may stand on two pages of a list that grew meanwhile.
        let found: BTreeSet<TaskId> =
            tasks.into_iter().filter(|task| fits(task)).map(|task| task.upid.clone()).collect();
        let mut found: Vec<TaskId> = found.into_iter().collect();
        match (found.pop(), found.is_empty()) {
            (None, _) => Found::Nothing,
            (Some(only), true) => Found::One(only),
            (Some(last), false) => {
                found.push(last);
                Found::Several(found)
            }
        }
    }
}
