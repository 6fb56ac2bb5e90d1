//! The list of tasks.

use std::sync::Arc;

use jiff::Timestamp;
use model::access::Visible;
use model::query::{Key, SortKey, Subject};
use model::{OperationId, Task, TaskOutcome, Text, Vmid};

use super::subject::{age, link, unknown};
use super::{Counts, Page, Request, Sortable, Source, remote_at, run};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// One task of a page.
#[derive(Debug, Clone)]
pub struct TaskAt {
    /// Its remote.
    pub remote: Arc<RemoteSnapshot>,
    /// Its place in that remote's tasks.
    pub index: usize,
}

impl TaskAt {
    /// The task.
    #[must_use]
    pub fn task(&self) -> Option<&Task> {
        self.remote.tasks.get(self.index)
    }
}

/// The usual order of what has a beginning: the newest first.
pub(super) const NEWEST: [SortKey; 1] = [SortKey { key: Key::Age, descending: false, by_figure: true }];

/// Tasks. The usual order: the newest first.
#[must_use]
pub fn tasks(snapshot: &FleetSnapshot, visible: &Visible, request: &Request, now: Timestamp) -> Page<TaskAt> {
    let mut request = request.clone();
    request.sort.extend(NEWEST);
    let (rows, total, counts) = run(&Source {
        snapshot,
        visible,
        request: &request,
        now,
        rows: all,
        count: |row: &Row<'_>, counts: &mut Counts| {
            counts.state.add(task_word(&row.task.outcome), 1);
            counts.kind.add_other(&row.task.kind, 1);
        },
    });
    let items = rows
        .into_iter()
        .filter_map(|(at, row)| Some(TaskAt { remote: remote_at(snapshot, at)?, index: row.index }))
        .collect();
    Page { items, total, counts, revision: snapshot.revision_for(visible) }
}

pub(super) fn all<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    for (index, task) in remote.tasks.iter().enumerate() {
        take(Row { remote, task, index, now });
    }
}

/// The word for how a task stands, as in JSON.
#[must_use]
pub fn task_word(outcome: &TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Running => "running",
        TaskOutcome::Ok => "ok",
        TaskOutcome::Warnings { .. } => "warnings",
        TaskOutcome::Failed { .. } => "failed",
        TaskOutcome::Unknown => "unknown",
    }
}

/// The guest that a task works on, with its name where one is known.
#[must_use]
pub fn guest_of<'a>(remote: &'a RemoteSnapshot, task: &Task) -> Option<(Vmid, Option<&'a Text>)> {
    // Tasks about nodes, storages and disks have other objects, none of them a bare number.
    let vmid = Vmid(task.id.parse().ok()?);
    Some((vmid, remote.guest(vmid).and_then(|row| row.guest.name.as_ref())))
}

/// The operation that a task came of, if it came of one.
#[must_use]
pub fn operation_of(remote: &RemoteSnapshot, task: &Task) -> Option<OperationId> {
    remote.operations.iter().find(|one| one.task.as_ref() == Some(&task.upid)).map(|one| one.id)
}

#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    remote: &'a RemoteSnapshot,
    task: &'a Task,
    index: usize,
    now: Timestamp,
}

impl<'a> Row<'a> {
    fn guest(&self) -> Option<&'a str> {
        guest_of(self.remote, self.task).and_then(|(_, name)| name).map(|name| &**name)
    }
}

impl Subject for Row<'_> {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        match key {
            Key::Name => self.guest().map(test),
            Key::Remote => Some(test(&self.remote.name)),
            Key::Link => Some(link(self.remote, test)),
            Key::Type => Some(test(&self.task.kind)),
            Key::Status => match &self.task.outcome {
                TaskOutcome::Unknown => unknown(test("unknown")),
                known => Some(test(task_word(known))),
            },
            Key::Node => Some(test(self.task.node.as_str())),
            Key::Storage => self.task.storage().map(test),
            Key::User => Some(test(&self.task.user)),
            _ => None,
        }
    }

    fn figure(&self, key: Key) -> Option<f64> {
        match key {
            Key::Vmid => guest_of(self.remote, self.task).map(|(vmid, _)| f64::from(vmid.0)),
            Key::Age => Some(age(self.task.started, self.now)),
            _ => None,
        }
    }

    fn whole(&self, _: Key) -> Option<f64> {
        None
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.task.kind)
            || test(&self.task.id)
            || self.guest().is_some_and(&mut *test)
            || test(&self.task.user)
            || test(self.task.node.as_str())
            || test(&self.remote.name)
            || match &self.task.outcome {
                TaskOutcome::Failed { text } => test(text),
                _ => false,
            }
    }
}

impl Sortable for Row<'_> {
    fn order(&self, key: Key) -> Option<&str> {
        match key {
            Key::Name => self.guest(),
            Key::Remote => Some(&self.remote.name),
            Key::Link => Some(self.remote.link.state.word()),
            Key::Type => Some(&self.task.kind),
            Key::Status => Some(task_word(&self.task.outcome)),
            Key::Node => Some(self.task.node.as_str()),
            Key::Storage => self.task.storage(),
            Key::User => Some(&self.task.user),
            _ => None,
        }
    }
}
