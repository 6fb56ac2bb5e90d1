//! The list of nodes.

use std::sync::Arc;

use jiff::Timestamp;
use model::access::Visible;
use model::query::{Key, Subject};
use model::rows::NodeRow;
use model::{Freshness, NodeState, StaleWhy};

use super::counts::freshness_word;
use super::subject::{age, bytes, link, unknown};
use super::{Counts, Page, Request, Sortable, Source, Tally, remote_at, run};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// One node of a page.
#[derive(Debug, Clone)]
pub struct NodeAt {
    /// Its remote.
    pub remote: Arc<RemoteSnapshot>,
    /// Its place in that remote's nodes.
    pub index: usize,
}

impl NodeAt {
    /// Its row.
    #[must_use]
    pub fn row(&self) -> Option<&NodeRow> {
        self.remote.nodes.get(self.index)
    }
}

/// Nodes. The usual order: by remote as added, by name.
#[must_use]
pub fn nodes(snapshot: &FleetSnapshot, visible: &Visible, request: &Request, now: Timestamp) -> Page<NodeAt> {
    let (rows, total, counts) = run(&Source {
        snapshot,
        visible,
        request,
        now,
        rows: all,
        count: |row: &Row<'_>, counts: &mut Counts| {
            count_state(row.node, &mut counts.state);
            counts.freshness.add(freshness_word(&row.node.freshness), 1);
        },
    });
    let items = rows
        .into_iter()
        .filter_map(|(at, row)| Some(NodeAt { remote: remote_at(snapshot, at)?, index: row.index }))
        .collect();
    Page { items, total, counts, revision: snapshot.revision_for(visible) }
}

pub(super) fn all<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    for (index, node) in remote.nodes.iter().enumerate() {
        take(Row { remote, node, index, now });
    }
}

/// What `status:` calls a node's state now.
#[must_use]
pub fn node_word(row: &NodeRow) -> &str {
    match &row.freshness {
        Freshness::Live => row.node.state.word(),
        Freshness::Stale { why: StaleWhy::NodeDown { .. }, .. } => "offline",
        // Down since before we first looked: nothing was ever seen of it but that.
        Freshness::NeverSeen if row.node.state == NodeState::Offline => "offline",
        Freshness::Stale { .. } | Freshness::NeverSeen => "unknown",
    }
}

/// Takes a node's state into a tally.
pub(crate) fn count_state(row: &NodeRow, tally: &mut Tally) {
    match (node_word(row), &row.node.state) {
        ("online", _) => tally.add("online", 1),
        ("offline", _) => tally.add("offline", 1),
        (_, NodeState::Other(word)) if row.freshness.is_live() => tally.add_other(word, 1),
        _ => tally.add("unknown", 1),
    }
}

#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    remote: &'a RemoteSnapshot,
    node: &'a NodeRow,
    index: usize,
    now: Timestamp,
}

impl Subject for Row<'_> {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        match key {
            Key::Name | Key::Node => Some(test(self.node.node.name.as_str())),
            Key::Remote => Some(test(&self.remote.name)),
            Key::Link => Some(link(self.remote, test)),
            Key::Status => match node_word(self.node) {
                "unknown" => unknown(test("unknown")),
                word => Some(test(word)),
            },
            Key::Fresh => Some(test(freshness_word(&self.node.freshness))),
            Key::Version => self.node.node.version.as_deref().map(test),
            _ => None,
        }
    }

    fn figure(&self, key: Key) -> Option<f64> {
        let facts = &self.node.node;
        match key {
            Key::Cpu => facts.cpu,
            Key::Mem => facts.memory.map(bytes),
            Key::Disk => facts.disk.map(bytes),
            Key::Uptime => facts.uptime.map(bytes),
            Key::Age => self.node.observed_at.map(|at| age(at, self.now)),
            _ => None,
        }
    }

    fn whole(&self, key: Key) -> Option<f64> {
        let facts = &self.node.node;
        match key {
            Key::Cpu => Some(1.0),
            Key::Mem => facts.memory_max.map(bytes),
            Key::Disk => facts.disk_max.map(bytes),
            _ => None,
        }
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(self.node.node.name.as_str())
            || test(&self.remote.name)
            || self.node.node.version.as_deref().is_some_and(test)
    }
}

impl Sortable for Row<'_> {
    fn order(&self, key: Key) -> Option<&str> {
        match key {
            Key::Name | Key::Node => Some(self.node.node.name.as_str()),
            Key::Remote => Some(&self.remote.name),
            Key::Link => Some(self.remote.link.state.word()),
            Key::Status => Some(node_word(self.node)),
            Key::Fresh => Some(freshness_word(&self.node.freshness)),
            Key::Version => self.node.node.version.as_deref(),
            _ => None,
        }
    }
}
