//! Tasks as known, and what they mean for the life of a number.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use model::guest::{Task, TaskOutcome};
use model::presence::{Traits, begins_new_life};
use model::{Now, TaskId, Vmid};

use super::Inventory;
use crate::change::Change;

/// How many tasks of a remote are kept, unless its list has more.
pub(super) const TASKS_KEPT: usize = 500;

impl Inventory {
    /// Takes in a task list. Tasks that it lacks stay; those that ran and are no longer told of are unknown.
    pub(crate) fn take_tasks(&mut self, tasks: Vec<Task>, begun: Duration, now: Now) -> Option<Vec<Change>> {
        if !self.task_gate.admit(begun) {
            return None;
        }
        let told: BTreeSet<TaskId> = tasks.iter().map(|task| task.upid.clone()).collect();
        for (upid, task) in &mut self.tasks {
            if task.outcome == TaskOutcome::Running && !told.contains(upid) {
                task.outcome = TaskOutcome::Unknown;
                self.touched.tasks.insert(upid.clone());
            }
        }
        let mut changes = Vec::new();
        for task in tasks {
            if let Some(change) = self.life_told(&task, now) {
                changes.push(change);
            }
            // A list read from a node that lags must not make an ended task run again.
            let known = self.tasks.get(&task.upid);
            let ended = known.is_some_and(|known| known.outcome.has_ended());
            if known != Some(&task) && (!ended || task.outcome.has_ended()) {
                self.touched.tasks.insert(task.upid.clone());
                self.tasks.insert(task.upid.clone(), task);
            }
        }
        self.forget_old_tasks(&told);
        Some(changes)
    }

    /// Forgets the oldest of those that the list no longer has. What it has stays, be it more than that: it would come
    /// back with the next list.
    fn forget_old_tasks(&mut self, told: &BTreeSet<TaskId>) {
        let surplus = self.tasks.len().saturating_sub(TASKS_KEPT.max(told.len()));
        if surplus == 0 {
            return;
        }
        let untold = self.tasks.values().filter(|task| !told.contains(&task.upid));
        let mut by_age: Vec<(Timestamp, TaskId)> =
            untold.map(|task| (task.started, task.upid.clone())).collect();
        by_age.sort();
        for (_, upid) in by_age.into_iter().take(surplus) {
            self.tasks.remove(&upid);
            self.lives_told.remove(&upid);
            self.touched.tasks.insert(upid);
        }
    }

    /// What an ended task means for the life of the number it worked on.
    fn life_told(&mut self, task: &Task, now: Now) -> Option<Change> {
        let good = matches!(task.outcome, TaskOutcome::Ok | TaskOutcome::Warnings { .. });
        if !good || !begins_new_life(&task.kind) || self.lives_told.contains(&task.upid) {
            return None;
        }
        let vmid: Vmid = task.id.parse().ok()?;
        let known = self.guests.get_mut(&vmid)?;
        self.lives_told.insert(task.upid.clone());
        // Told by the remote's clock, compared with ours.
        let started = task.started.checked_sub(self.skew).unwrap_or(task.started);
        if started <= known.first_seen {
            return None;
        }
        if task.kind.ends_with("destroy") {
            known.end(now);
            self.touched.guests.insert(vmid);
            return None;
        }
        self.touched.past.push(known.clone());
        self.touched.guests.insert(vmid);
        self.touched.addresses.insert(vmid);
        known.reborn(Traits { kind: Some(known.guest.kind), ..Traits::default() }, now);
        Some(Change::GuestReborn { vmid, incarnation: known.incarnation })
    }
}
