//! Lists over a [`FleetSnapshot`]: which rows a query means, in which order, one page of them, and what all of
//! them are. Pure; nothing is written into a row or allocated for one that is not on the page.
//!
//! What a caller may not see is left out before anything is looked at: it is neither counted nor found.

mod bare;
mod counts;
mod glance;
mod guests;
mod nodes;
mod operations;
mod order;
mod remotes;
mod storages;
mod subject;
mod tasks;
#[cfg(test)]
mod tests;
mod totals;
mod values;

use std::sync::Arc;

use jiff::Timestamp;
use model::access::Visible;
use model::query::{Key, Query, QueryError, SortKey, Subject, Vocabulary, sort};

use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

pub use counts::{Counts, RemoteCounts, Tally};
pub use glance::Glances;
pub(crate) use guests::each_row as each_guest;
pub use guests::{GuestAt, guests, status_word};
pub(crate) use nodes::count_state as count_node;
pub use nodes::node_word;
pub use nodes::{NodeAt, nodes};
pub use operations::{OperationAt, operations};
pub use remotes::remotes;
pub(crate) use storages::each_row as each_storage;
pub use storages::{StorageAt, storages};
pub(crate) use subject::bytes;
pub use tasks::{TaskAt, guest_of, operation_of, task_word, tasks};
pub use totals::{FleetTotals, Totals, fleet_totals, tasks_running, totals};
pub use values::{Values, values};

use order::Top;

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// Which rows.
    pub query: Query,
    /// In which order; what is equal stays in the usual one.
    pub sort: Vec<SortKey>,
    /// How many rows to leave out at the beginning.
    pub offset: usize,
    /// How many rows at most.
    pub limit: usize,
}

/// Which of the two texts of a request is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The query.
    #[error("{0}")]
    Query(QueryError),
    /// The sort keys.
    #[error("{0}")]
    Sort(QueryError),
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// How many match in all.
    pub total: usize,
    /// What they are.
    pub counts: Counts,
    /// Of which state of the fleet this is true.
    pub revision: u64,
}

impl Request {
    /// Reads a query and sort keys about one kind of thing.
    ///
    /// # Errors
    /// Says which of the two is wrong, where, and what to write instead.
    pub fn parse(
        about: Vocabulary,
        query: &str,
        keys: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Self, RequestError> {
        Ok(Self {
            query: Query::parse(query, about).map_err(RequestError::Query)?,
            sort: sort(keys, about).map_err(RequestError::Sort)?,
            offset,
            limit,
        })
    }

    /// Whether what it means changes by the mere passing of time.
    #[must_use]
    pub fn ages(&self) -> bool {
        self.query.asks_about(Key::Age)
    }
}

/// What can be sorted: a row with the text of each of its keys.
trait Sortable: Subject + Copy {
    /// The text of a key by which rows are sorted.
    fn order(&self, key: Key) -> Option<&str>;
}

/// What a list of one kind of thing is made of.
struct Source<'a, T> {
    snapshot: &'a FleetSnapshot,
    visible: &'a Visible,
    request: &'a Request,
    now: Timestamp,
    /// The rows of one remote, given one by one.
    rows: fn(&'a RemoteSnapshot, Timestamp, &mut dyn FnMut(T)),
    /// Takes a row into the counts.
    count: fn(&T, &mut Counts),
}

/// Goes over all that may be seen once, keeping of the rows only those that the page may need. Returns them
/// with the number of their remote in the snapshot.
fn run<'a, T: Sortable>(source: &Source<'a, T>) -> (Vec<(usize, T)>, usize, Counts) {
    let request = source.request;
    let (of_remote, of_row) = request.query.split();
    let mut counts = Counts::default();
    let mut total = 0;
    let mut top = Top::new(&request.sort, request.offset.saturating_add(request.limit));
    for (at, remote) in source.snapshot.remotes.iter().enumerate() {
        if !source.visible.sees(remote.id) {
            continue;
        }
        counts.remotes.take(remote);
        if !of_remote.matches(&subject::OfRemote::new(remote)) {
            continue;
        }
        let before = total;
        (source.rows)(remote, source.now, &mut |row| {
            if of_row.matches(&row) {
                total += 1;
                (source.count)(&row, &mut counts);
                top.offer(at, row);
            }
        });
        counts.link.add(remote.link.state.word(), total - before);
    }
    let rows = top.finish().into_iter().skip(request.offset).take(request.limit).collect();
    (rows, total, counts)
}

/// The remote of that number in a snapshot.
fn remote_at(snapshot: &FleetSnapshot, at: usize) -> Option<Arc<RemoteSnapshot>> {
    snapshot.remotes.get(at).cloned()
}
