//! Finding the task of a request whose answer was lost.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Several do, or one of which it is not sure: a person decides.
    Several(Vec<TaskId>),
}

impl Lost<'_> {
    /// The earliest and latest start worth looking at, by the node's clock: with the skew as measured or without
    /// any, since a clock may have been set meanwhile, and the one that was measured may be another node's.
    #[must_use]
    pub fn window(&self) -> (Timestamp, Timestamp) {
        let behind = self.skew.min(SignedDuration::ZERO);
        let ahead = self.skew.max(SignedDuration::ZERO);
        (self.from(behind), self.to(ahead))
    }

    fn from(&self, skew: SignedDuration) -> Timestamp {
        let by = skew.checked_sub(WHOLE_SECONDS);
        by.and_then(|by| self.sent.checked_add(by).ok()).unwrap_or(self.sent)
    }

    fn to(&self, skew: SignedDuration) -> Timestamp {
        shift(self.sent, self.window).checked_add(skew).unwrap_or(self.sent)
    }

    /// Looks for its task among those of the node, leaving out those of `others`: bound to other operations, or
    /// there before it was sent.
    ///
    /// Only a start that fits the skew as measured is taken for ours. One that would fit another skew is no
    /// proof of anything: hours of skew make hours of window, with anybody's task in it. It is shown to a
    /// person instead.
    #[must_use]
    pub fn find<'t>(&self, tasks: impl IntoIterator<Item = &'t Task>, others: &BTreeSet<TaskId>) -> Found {
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
                && !others.contains(&task.upid)
        };
        // The same task may stand on two pages of a list that grew meanwhile.
        let far: BTreeMap<TaskId, &Task> =
            tasks.into_iter().filter(|task| fits(task)).map(|task| (task.upid.clone(), task)).collect();
        let (from, to) = (self.from(self.skew), self.to(self.skew));
        let near: Vec<&Task> =
            far.values().copied().filter(|task| from <= task.started && task.started <= to).collect();
        match near.as_slice() {
            [] if far.is_empty() => Found::Nothing,
            [] => Found::Several(far.into_keys().collect()),
            [only] => Found::One(only.upid.clone()),
            several => match wish(several) {
                Some(wish) => Found::One(wish.upid.clone()),
                None => Found::Several(several.iter().map(|task| task.upid.clone()).collect()),
            },
        }
    }
}

/// The one wish to the HA manager among tasks that else are those by which it was fulfilled: while a guest is
/// under HA nobody starts or stops it by another way, and the manager works as `root@pam` like many a person.
fn wish<'t>(tasks: &[&'t Task]) -> Option<&'t Task> {
    let mut wishes = tasks.iter().filter(|task| task.kind.starts_with("ha"));
    let (wish, None) = (wishes.next()?, wishes.next()) else { return None };
    let after = |task: &&&Task| task.upid == wish.upid || task.started >= wish.started;
    (tasks.iter().filter(after).count() == tasks.len()).then_some(*wish)
}
