//! The list of storages: what nodes share is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use model::access::Visible;
use model::query::{Key, Subject};
use model::rows::StorageRow;
use model::{Freshness, NodeName};

use super::counts::freshness_word;
use super::subject::{age, bytes, each, link, unknown, yes_no};
use super::{Counts, Page, Request, Sortable, Source, remote_at, run};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// One storage of a page.
#[derive(Debug, Clone)]
pub struct StorageAt {
    /// Its remote.
    pub remote: Arc<RemoteSnapshot>,
    /// The place in that remote's storages of the row that tells most.
    pub index: usize,
    /// Whether it is one row of several nodes.
    pub shared: bool,
    /// The nodes that have it.
    pub nodes: Vec<NodeName>,
}

impl StorageAt {
    /// Its row.
    #[must_use]
    pub fn row(&self) -> Option<&StorageRow> {
        self.remote.storages.get(self.index)
    }
}

/// Storages. The usual order: by remote as added, then as the remote keeps them.
#[must_use]
pub fn storages(
    snapshot: &FleetSnapshot,
    visible: &Visible,
    request: &Request,
    now: Timestamp,
) -> Page<StorageAt> {
    let (rows, total, counts) = run(&Source {
        snapshot,
        visible,
        request,
        now,
        rows: each_once,
        count: |row: &Row<'_>, counts: &mut Counts| {
            match (row.status(), &row.storage.storage.status) {
                (Some(_), Some(word)) => counts.state.add_other(word, 1),
                _ => counts.state.add("unknown", 1),
            }
            if let Some(plugin) = &row.storage.storage.plugin {
                counts.kind.add_other(plugin, 1);
            }
            counts.freshness.add(freshness_word(&row.storage.freshness), 1);
        },
    });
    let items = rows
        .into_iter()
        .filter_map(|(at, row)| {
            Some(StorageAt {
                remote: remote_at(snapshot, at)?,
                index: row.index,
                shared: row.is_shared(),
                nodes: row.nodes().cloned().collect(),
            })
        })
        .collect();
    Page { items, total, counts, revision: snapshot.revision_for(visible) }
}

/// Gives each storage once: of those that are shared, the row that tells most.
pub(super) fn each_once<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    let mut shared: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, storage) in remote.storages.iter().enumerate() {
        if storage.storage.shared == Some(true) {
            let best = shared.entry(storage.storage.storage.as_str()).or_insert(index);
            if remote.storages.get(*best).is_some_and(|best| tells(storage) > tells(best)) {
                *best = index;
            }
        }
    }
    for (index, storage) in remote.storages.iter().enumerate() {
        let best = shared.get(storage.storage.storage.as_str());
        if storage.storage.shared != Some(true) || best == Some(&index) {
            take(Row { remote, storage, index, now });
        }
    }
}

/// Gives each storage of a remote to `take`; of what nodes share the row that tells most.
pub(crate) fn each_row(remote: &RemoteSnapshot, take: &mut dyn FnMut(&StorageRow)) {
    each_once(remote, remote.at, &mut |row| take(row.storage));
}

/// How much a row tells.
fn tells(row: &StorageRow) -> (bool, bool, Timestamp) {
    (row.freshness.is_live(), row.storage.used.is_some(), row.observed_at)
}

/// How many storages a remote has.
pub(super) fn count(remote: &RemoteSnapshot) -> usize {
    let mut count = 0;
    each_once(remote, remote.at, &mut |_| count += 1);
    count
}

#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    remote: &'a RemoteSnapshot,
    storage: &'a StorageRow,
    index: usize,
    now: Timestamp,
}

impl<'a> Row<'a> {
    fn is_shared(&self) -> bool {
        self.storage.storage.shared == Some(true)
    }

    /// The nodes that have it.
    fn nodes(self) -> impl Iterator<Item = &'a NodeName> {
        let Self { remote, storage, .. } = self;
        let own = &storage.storage;
        let of_all =
            remote.storages.iter().map(|row| &row.storage).filter(move |other| match self.is_shared() {
                true => other.shared == Some(true) && other.storage == own.storage,
                false => std::ptr::eq(*other, own),
            });
        of_all.map(|storage| &storage.node)
    }

    /// Its state now; `None`: not known.
    fn status(&self) -> Option<&str> {
        match &self.storage.freshness {
            Freshness::Live => self.storage.storage.status.as_deref().filter(|word| *word != "unknown"),
            Freshness::Stale { .. } | Freshness::NeverSeen => None,
        }
    }
}

impl Subject for Row<'_> {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        let facts = &self.storage.storage;
        match key {
            Key::Name => Some(test(&facts.storage)),
            Key::Remote => Some(test(&self.remote.name)),
            Key::Link => Some(link(self.remote, test)),
            Key::Type => facts.plugin.as_deref().map(test),
            Key::Status => match self.status() {
                Some(word) => Some(test(word)),
                None => unknown(test("unknown")),
            },
            Key::Node => Some(each(self.nodes().map(NodeName::as_str), test)),
            Key::Fresh => Some(test(freshness_word(&self.storage.freshness))),
            Key::Content => Some(each(facts.content.iter().map(|text| &**text), test)),
            Key::Shared => facts.shared.map(|is| test(yes_no(is))),
            _ => None,
        }
    }

    fn figure(&self, key: Key) -> Option<f64> {
        match key {
            Key::Disk => self.storage.storage.used.map(bytes),
            Key::Size => self.storage.storage.size.map(bytes),
            Key::Age => Some(age(self.storage.observed_at, self.now)),
            _ => None,
        }
    }

    fn whole(&self, key: Key) -> Option<f64> {
        match key {
            Key::Disk | Key::Size => self.storage.storage.size.map(bytes),
            _ => None,
        }
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let facts = &self.storage.storage;
        test(&facts.storage)
            || facts.plugin.as_deref().is_some_and(&mut *test)
            || test(&self.remote.name)
            || self.nodes().any(|node| test(node.as_str()))
    }
}

impl Sortable for Row<'_> {
    fn order(&self, key: Key) -> Option<&str> {
        let facts = &self.storage.storage;
        match key {
            Key::Name => Some(&facts.storage),
            Key::Remote => Some(&self.remote.name),
            Key::Link => Some(self.remote.link.state.word()),
            Key::Type => facts.plugin.as_deref(),
            Key::Status => self.status(),
            Key::Node => Some(facts.node.as_str()),
            Key::Fresh => Some(freshness_word(&self.storage.freshness)),
            Key::Content => facts.content.first().map(|text| &**text),
            Key::Shared => facts.shared.map(yes_no),
            _ => None,
        }
    }
}
