//! What a client was told of each topic, and what it has to be told now.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use api::operation::Operation;
use api::stream::{FleetCounts, LinkChanges, LinkRow, OperationChanges, StreamMessage, TaskChanges};
use api::task::Task;
use fleet::lists::{self, Totals};
use fleet::{FleetSnapshot, RemoteSnapshot};
use jiff::Timestamp;
use model::access::Visible;
use model::{OperationId, RemoteId, TaskId, TaskOutcome, Text};

use super::rows;
use crate::show_as;

/// The remotes as they were when they were last looked at. Held weakly: an old snapshot is not kept alive, yet
/// none that is made later can be taken for it.
#[derive(Debug, Default)]
pub(super) struct Looked {
    remotes: BTreeMap<RemoteId, Weak<RemoteSnapshot>>,
}

/// What is different since the last look, of what may be seen.
pub(super) struct Changes<'a> {
    /// All remotes, as they are now.
    pub(super) all: BTreeMap<RemoteId, &'a Arc<RemoteSnapshot>>,
    /// New ones and those that changed.
    pub(super) changed: Vec<RemoteId>,
    /// Those that are gone.
    pub(super) gone: Vec<RemoteId>,
}

impl Changes<'_> {
    /// Whether anything is.
    pub(super) fn any(&self) -> bool {
        !self.changed.is_empty() || !self.gone.is_empty()
    }
}

impl Looked {
    pub(super) fn look<'a>(&mut self, snapshot: &'a FleetSnapshot, visible: &Visible) -> Changes<'a> {
        let seen = snapshot.remotes.iter().filter(|remote| visible.sees(remote.id));
        let all: BTreeMap<RemoteId, _> = seen.map(|remote| (remote.id, remote)).collect();
        let same = |id: &RemoteId, remote: &Arc<RemoteSnapshot>| {
            let before = self.remotes.get(id);
            before.is_some_and(|before| std::ptr::eq(before.as_ptr(), Arc::as_ptr(remote)))
        };
        let changed: Vec<_> = all.iter().filter(|(id, remote)| !same(id, remote)).collect();
        let gone: Vec<RemoteId> = self.remotes.keys().filter(|id| !all.contains_key(id)).copied().collect();
        for id in &gone {
            self.remotes.remove(id);
        }
        for (id, remote) in &changed {
            self.remotes.insert(**id, Arc::downgrade(remote));
        }
        let changed = changed.into_iter().map(|(id, _)| *id).collect();
        Changes { all, changed, gone }
    }
}

/// One topic: what it was told, by remote. What is told the first time is all there is.
pub(super) trait Told: Default {
    /// Takes in one remote as it is now.
    fn remote(&mut self, remote: &RemoteSnapshot);
    /// Takes in that a remote is gone.
    fn gone(&mut self, id: RemoteId);
    /// How many rows wait to be told.
    fn waiting(&self) -> usize;
    /// What has to be told, in messages of at most so many rows.
    fn tell(&mut self, chunk: usize, messages: &mut Vec<StreamMessage>);
}

/// A topic that is subscribed to. Of what has to be told only so much is made at a time as goes into one message: the
/// rest is taken from the remotes as they are once that has left.
#[derive(Debug, Default)]
pub(super) struct Topic<T> {
    told: T,
    begun: bool,
    /// Remotes that were not looked at since they changed, the one that waits longest first; each is there once.
    queue: VecDeque<RemoteId>,
    queued: BTreeSet<RemoteId>,
}

impl<T: Told> Topic<T> {
    /// Whether some of it has still to be told, whatever happens.
    pub(super) fn is_new(&self) -> bool {
        !self.begun || !self.queue.is_empty()
    }

    pub(super) fn tick(&mut self, changes: &Changes<'_>, chunk: usize, messages: &mut Vec<StreamMessage>) {
        if self.begun {
            changes.changed.iter().for_each(|id| self.enqueue(*id));
        } else {
            changes.all.keys().for_each(|id| self.enqueue(*id));
        }
        self.begun = true;
        for id in &changes.gone {
            self.told.gone(*id);
        }
        while self.told.waiting() < chunk.max(1)
            && let Some(id) = self.queue.pop_front()
        {
            self.queued.remove(&id);
            // One that is gone meanwhile has nothing to tell.
            if let Some(remote) = changes.all.get(&id) {
                self.told.remote(remote);
            }
        }
        self.told.tell(chunk, messages);
    }

    fn enqueue(&mut self, id: RemoteId) {
        if self.queued.insert(id) {
            self.queue.push_back(id);
        }
    }
}

/// Hands `rows` out in parts of at most `chunk`; the last one, with what was `removed`, only if there is any.
fn parts<R, K, M>(chunk: usize, rows: Vec<R>, removed: Vec<K>, mut make: M)
where
    M: FnMut(Vec<R>, Vec<K>),
{
    let mut rows = rows.into_iter().peekable();
    let mut removed = Some(removed).filter(|removed| !removed.is_empty());
    while rows.peek().is_some() || removed.is_some() {
        let part = rows.by_ref().take(chunk.max(1)).collect();
        make(part, removed.take().unwrap_or_default());
    }
}

// === links ===

#[derive(Debug, Default)]
pub(super) struct Links {
    told: BTreeMap<RemoteId, LinkRow>,
    upserted: Vec<LinkRow>,
    removed: Vec<RemoteId>,
}

impl Told for Links {
    fn remote(&mut self, remote: &RemoteSnapshot) {
        let row = rows::link(remote);
        if self.told.get(&remote.id).is_none_or(|before| !same_link(before, &row)) {
            self.told.insert(remote.id, row.clone());
            self.upserted.push(row);
        }
    }

    fn gone(&mut self, id: RemoteId) {
        if self.told.remove(&id).is_some() {
            self.removed.push(id);
        }
    }

    fn waiting(&self) -> usize {
        self.upserted.len() + self.removed.len()
    }

    fn tell(&mut self, chunk: usize, messages: &mut Vec<StreamMessage>) {
        let (rows, removed) = (std::mem::take(&mut self.upserted), std::mem::take(&mut self.removed));
        parts(chunk, rows, removed, |upserted, removed| {
            messages.push(StreamMessage::Links(LinkChanges { upserted, removed }));
        });
    }
}

/// Whether there is nothing to tell: that an endpoint which works has worked once more is no news.
fn same_link(a: &LinkRow, b: &LinkRow) -> bool {
    let still = |row: &LinkRow, at: Option<Timestamp>| {
        let mut link = row.link.clone();
        if link.up {
            link.last_success = at;
        }
        for one in &mut link.endpoints {
            if one.health == "good" {
                one.last_success = at;
            }
        }
        link
    };
    a.name == b.name && still(a, None) == still(b, None)
}

// === operations ===

#[derive(Debug, Default)]
pub(super) struct Operations {
    told: BTreeMap<RemoteId, BTreeMap<OperationId, (Text, Arc<model::Operation>)>>,
    upserted: Vec<Operation>,
    removed: Vec<OperationId>,
}

impl Told for Operations {
    fn remote(&mut self, remote: &RemoteSnapshot) {
        let told = self.told.entry(remote.id).or_default();
        let mut before = std::mem::take(told);
        // Oldest first, so that whoever shows them as they come ends with the newest.
        for operation in remote.operations.iter().rev() {
            let same = before.remove(&operation.id).is_some_and(|(name, before)| {
                name == remote.name && (Arc::ptr_eq(&before, operation) || before == *operation)
            });
            told.insert(operation.id, (remote.name.clone(), operation.clone()));
            if !same {
                self.upserted.push(show_as::operation(operation, &remote.name));
            }
        }
        self.removed.extend(before.into_keys());
    }

    fn gone(&mut self, id: RemoteId) {
        self.removed.extend(self.told.remove(&id).unwrap_or_default().into_keys());
    }

    fn waiting(&self) -> usize {
        self.upserted.len() + self.removed.len()
    }

    fn tell(&mut self, chunk: usize, messages: &mut Vec<StreamMessage>) {
        let (rows, removed) = (std::mem::take(&mut self.upserted), std::mem::take(&mut self.removed));
        parts(chunk, rows, removed, |upserted, removed| {
            messages.push(StreamMessage::Operations(OperationChanges { upserted, removed }));
        });
    }
}

// === tasks ===

#[derive(Debug, Default)]
pub(super) struct Tasks {
    told: BTreeMap<RemoteId, BTreeMap<TaskId, Standing>>,
    upserted: Vec<Task>,
    removed: Vec<String>,
}

/// What of a task can change.
#[derive(Debug, PartialEq)]
struct Standing {
    remote: Text,
    outcome: TaskOutcome,
    ended: Option<Timestamp>,
    operation: Option<OperationId>,
    guest: Option<Text>,
}

impl Told for Tasks {
    fn remote(&mut self, remote: &RemoteSnapshot) {
        let told = self.told.entry(remote.id).or_default();
        let mut before = std::mem::take(told);
        for task in remote.tasks.iter().rev() {
            let now = Standing {
                remote: remote.name.clone(),
                outcome: task.outcome.clone(),
                ended: task.ended,
                operation: lists::operation_of(remote, task),
                guest: lists::guest_of(remote, task).and_then(|(_, name)| name.cloned()),
            };
            if before.remove(&task.upid).as_ref() != Some(&now) {
                self.upserted.push(rows::task(remote, task));
            }
            told.insert(task.upid.clone(), now);
        }
        self.removed.extend(before.into_keys().map(|upid| format!("{}/{upid}", remote.id)));
    }

    fn gone(&mut self, id: RemoteId) {
        let gone = self.told.remove(&id).unwrap_or_default();
        self.removed.extend(gone.into_keys().map(|upid| format!("{id}/{upid}")));
    }

    fn waiting(&self) -> usize {
        self.upserted.len() + self.removed.len()
    }

    fn tell(&mut self, chunk: usize, messages: &mut Vec<StreamMessage>) {
        let (rows, removed) = (std::mem::take(&mut self.upserted), std::mem::take(&mut self.removed));
        parts(chunk, rows, removed, |upserted, removed| {
            messages.push(StreamMessage::Tasks(TaskChanges { upserted, removed }));
        });
    }
}

// === counts ===

#[derive(Debug, Default)]
pub(super) struct Counted {
    totals: BTreeMap<RemoteId, (&'static str, Totals)>,
    told: Option<FleetCounts>,
}

impl Told for Counted {
    fn remote(&mut self, remote: &RemoteSnapshot) {
        self.totals.insert(remote.id, (remote.link.state.word(), lists::totals(remote)));
    }

    fn gone(&mut self, id: RemoteId) {
        self.totals.remove(&id);
    }

    fn waiting(&self) -> usize {
        // One message, of all remotes together.
        0
    }

    fn tell(&mut self, _: usize, messages: &mut Vec<StreamMessage>) {
        let mut all = lists::FleetTotals::default();
        for (link, totals) in self.totals.values() {
            all.add(link, totals);
        }
        let counts = rows::fleet_counts(&all);
        if self.told.as_ref() != Some(&counts) {
            self.told = Some(counts.clone());
            messages.push(StreamMessage::Counts(counts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_that_changes_again_and_again_waits_in_one_place() {
        let bare =
            |id: u64| Arc::new(RemoteSnapshot::bare(RemoteId(id), "home".into(), Timestamp::UNIX_EPOCH));
        let (mut topic, mut looked, mut told) = (Topic::<Links>::default(), Looked::default(), Vec::new());
        for _ in 0..10 {
            // Each is another one than before, and one of them is told.
            let snapshot = FleetSnapshot { revision: 1, remotes: (1..=30).map(bare).collect() };
            topic.tick(&looked.look(&snapshot, &Visible::All), 1, &mut told);
            assert!(topic.queue.len() <= 30, "{}", topic.queue.len());
        }
        assert_eq!(told.len(), 10);
    }
}
