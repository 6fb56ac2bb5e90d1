//! The list of remotes.

use std::sync::Arc;

use jiff::Timestamp;
use model::access::Visible;
use model::query::{Key, Subject};

use super::subject::{OfRemote, age, each, link, or_none, yes_no};
use super::{Counts, Page, Request, Sortable, Source, remote_at, run};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// Remotes. The usual order: as added.
#[must_use]
pub fn remotes(
    snapshot: &FleetSnapshot,
    visible: &Visible,
    request: &Request,
    now: Timestamp,
) -> Page<Arc<RemoteSnapshot>> {
    let (rows, total, counts) = run(&Source {
        snapshot,
        visible,
        request,
        now,
        rows: itself,
        count: |row: &Row<'_>, counts: &mut Counts| {
            counts.state.add(row.remote.link.state.word(), 1);
        },
    });
    let items = rows.into_iter().filter_map(|(at, _)| remote_at(snapshot, at)).collect();
    Page { items, total, counts, revision: snapshot.revision_for(visible) }
}

pub(super) fn itself<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    take(Row { remote, now });
}

#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    remote: &'a RemoteSnapshot,
    now: Timestamp,
}

impl Row<'_> {
    /// The cluster's name; empty of a stand-alone host. `None` before its status was read.
    fn cluster(&self) -> Option<&str> {
        self.remote.cluster.as_ref().map(|seen| seen.value.name.as_deref().unwrap_or_default())
    }

    fn drift(&self) -> &'static str {
        yes_no(!self.remote.drift.is_empty() || !self.remote.unreadable.is_empty())
    }

    fn cause(&self) -> Option<&'static str> {
        self.remote.link.state.cause().map(model::Cause::code)
    }
}

impl Subject for Row<'_> {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        match key {
            Key::Name => Some(test(&self.remote.name)),
            Key::Remote => OfRemote::new(self.remote).text(key, test),
            Key::Link | Key::Status => Some(link(self.remote, test)),
            Key::Version if self.remote.versions.is_empty() => None,
            Key::Version => Some(each(self.remote.versions.values().map(|text| &**text), test)),
            Key::Cluster => self.cluster().map(test),
            Key::Cause => Some(or_none(self.cause(), test)),
            Key::Drift => Some(test(self.drift())),
            _ => None,
        }
    }

    fn figure(&self, key: Key) -> Option<f64> {
        match key {
            Key::Age => self.remote.link.last_success.map(|at| age(at, self.now)),
            Key::Guests if !self.remote.was_listed() => None,
            Key::Guests => u32::try_from(self.remote.guests_there()).ok().map(f64::from),
            _ => None,
        }
    }

    fn whole(&self, _: Key) -> Option<f64> {
        None
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.remote.name)
            || self.cluster().is_some_and(&mut *test)
            || self.remote.link.endpoints.iter().any(|one| test(one.endpoint.as_str()))
            || self.remote.nodes.iter().any(|row| test(row.node.name.as_str()))
    }
}

impl Sortable for Row<'_> {
    fn order(&self, key: Key) -> Option<&str> {
        match key {
            Key::Name | Key::Remote => Some(&self.remote.name),
            Key::Link | Key::Status => Some(self.remote.link.state.word()),
            Key::Version => self.remote.versions.values().next().map(|text| &**text),
            Key::Cluster => self.cluster().filter(|name| !name.is_empty()),
            Key::Cause => self.cause(),
            Key::Drift => Some(self.drift()),
            _ => None,
        }
    }
}
