//! The list of operations that a snapshot holds: the open ones and the recent ones.

use std::sync::Arc;

use jiff::Timestamp;
use model::Operation;
use model::access::Visible;
use model::query::{Key, Subject};

use super::subject::{Digits, age, link};
use super::tasks::NEWEST;
use super::{Counts, Page, Request, Sortable, Source, remote_at, run};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// One operation of a page.
#[derive(Debug, Clone)]
pub struct OperationAt {
    /// Its remote.
    pub remote: Arc<RemoteSnapshot>,
    /// The operation.
    pub operation: Arc<Operation>,
}

/// Operations. The usual order: the newest first.
#[must_use]
pub fn operations(
    snapshot: &FleetSnapshot,
    visible: &Visible,
    request: &Request,
    now: Timestamp,
) -> Page<OperationAt> {
    let mut request = request.clone();
    request.sort.extend(NEWEST);
    let (rows, total, counts) = run(&Source {
        snapshot,
        visible,
        request: &request,
        now,
        rows: all,
        count: |row: &Row<'_>, counts: &mut Counts| {
            counts.state.add(row.operation.state.word(), 1);
            counts.kind.add(row.operation.action.as_str(), 1);
        },
    });
    let items = rows
        .into_iter()
        .filter_map(|(at, row)| {
            Some(OperationAt { remote: remote_at(snapshot, at)?, operation: row.operation.clone() })
        })
        .collect();
    Page { items, total, counts, revision: snapshot.revision_for(visible) }
}

pub(super) fn all<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    for operation in &remote.operations {
        take(Row { remote, operation, now });
    }
}

#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    remote: &'a RemoteSnapshot,
    operation: &'a Arc<Operation>,
    now: Timestamp,
}

impl Subject for Row<'_> {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        let one = self.operation;
        match key {
            Key::Name => one.name.as_deref().map(test),
            Key::Remote => Some(test(&self.remote.name)),
            Key::Link => Some(link(self.remote, test)),
            Key::Type => Some(test(one.kind.as_str())),
            Key::Status => {
                Some(test(one.state.word()) || test(if one.state.is_final() { "ended" } else { "open" }))
            }
            Key::Node => Some(test(one.node.as_str())),
            Key::User => Some(test(&one.author.name)),
            Key::Action => Some(test(one.action.as_str())),
            _ => None,
        }
    }

    fn figure(&self, key: Key) -> Option<f64> {
        match key {
            Key::Vmid => Some(f64::from(self.operation.guest.vmid.0)),
            Key::Age => Some(age(self.operation.requested, self.now)),
            _ => None,
        }
    }

    fn whole(&self, _: Key) -> Option<f64> {
        None
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let one = self.operation;
        one.name.as_deref().is_some_and(&mut *test)
            || test(Digits::of(u64::from(one.guest.vmid.0)).as_str())
            || test(one.action.as_str())
            || test(&one.author.name)
            || test(one.node.as_str())
            || test(&self.remote.name)
    }
}

impl Sortable for Row<'_> {
    fn order(&self, key: Key) -> Option<&str> {
        let one = self.operation;
        match key {
            Key::Name => one.name.as_deref(),
            Key::Remote => Some(&self.remote.name),
            Key::Link => Some(self.remote.link.state.word()),
            Key::Type => Some(one.kind.as_str()),
            Key::Status => Some(one.state.word()),
            Key::Node => Some(one.node.as_str()),
            Key::User => Some(&one.author.name),
            Key::Action => Some(one.action.as_str()),
            _ => None,
        }
    }
}
