//! A part of a list that a client follows: what it was told of it, and what it has to be told now.

use std::collections::{HashMap, HashSet};

use api::guest::Guest;
use api::node::Node;
use api::storage::Storage;
use api::stream::{ListChanges, ListOf, ListRows, ListSubscription};
use api::{Counts, Page};
use fleet::FleetSnapshot;
use fleet::lists::{self, Request};
use jiff::Timestamp;
use model::access::Visible;
use model::query::Vocabulary;

use super::rows;
use crate::problem::Problem;

/// A list that is followed.
#[derive(Debug)]
pub(super) struct List {
    asked: ListSubscription,
    request: Request,
    told: Option<Told>,
}

/// What was told last.
#[derive(Debug)]
struct Told {
    rows: ListRows,
    total: usize,
    counts: Counts,
}

impl List {
    /// Reads what is asked for.
    ///
    /// # Errors
    /// 422 with the place in the query.
    pub(super) fn new(asked: ListSubscription) -> Result<Self, Problem> {
        let about = match asked.of {
            ListOf::Guests => Vocabulary::Guests,
            ListOf::Nodes => Vocabulary::Nodes,
            ListOf::Storages => Vocabulary::Storages,
        };
        let query = api::ListQuery {
            q: Some(asked.q.clone()),
            sort: Some(asked.sort.clone()),
            offset: Some(asked.offset),
            limit: asked.limit,
        };
        Ok(Self { request: rows::request(about, &query)?, asked, told: None })
    }

    pub(super) fn asked(&self) -> &ListSubscription {
        &self.asked
    }

    /// Tells all of it anew next time.
    pub(super) fn forget(&mut self) {
        self.told = None;
    }

    /// Whether all of it has still to be told.
    pub(super) fn is_new(&self) -> bool {
        self.told.is_none()
    }

    /// Whether what it means changes with time alone.
    pub(super) fn ages(&self) -> bool {
        self.request.ages()
    }

    /// What is different from what was told last, if anything.
    pub(super) fn tick(
        &mut self,
        name: &str,
        snapshot: &FleetSnapshot,
        visible: &Visible,
        now: Timestamp,
    ) -> Option<ListChanges> {
        let request = &self.request;
        let (rows, total, counts) = match self.asked.of {
            ListOf::Guests => {
                let Page { items, total, counts, .. } =
                    rows::guests(lists::guests(snapshot, visible, request, now));
                (ListRows::Guests(items), total, counts)
            }
            ListOf::Nodes => {
                let Page { items, total, counts, .. } =
                    rows::nodes(lists::nodes(snapshot, visible, request, now));
                (ListRows::Nodes(items), total, counts)
            }
            ListOf::Storages => {
                let Page { items, total, counts, .. } =
                    rows::storages(lists::storages(snapshot, visible, request, now));
                (ListRows::Storages(items), total, counts)
            }
        };
        let before = self.told.as_ref();
        let (upserted, removed, order) = match (&rows, before.map(|told| &told.rows)) {
            (ListRows::Guests(now), Some(ListRows::Guests(before))) => {
                let (new, gone, order) = differ(before, now);
                (ListRows::Guests(new), gone, order)
            }
            (ListRows::Nodes(now), Some(ListRows::Nodes(before))) => {
                let (new, gone, order) = differ(before, now);
                (ListRows::Nodes(new), gone, order)
            }
            (ListRows::Storages(now), Some(ListRows::Storages(before))) => {
                let (new, gone, order) = differ(before, now);
                (ListRows::Storages(new), gone, order)
            }
            (all, _) => (all.clone(), Vec::new(), Some(ids(all))),
        };
        let nothing = before.is_some_and(|told| told.total == total && told.counts == counts)
            && is_empty(&upserted)
            && removed.is_empty()
            && order.is_none();
        if nothing {
            return None;
        }
        self.told = Some(Told { rows, total, counts: counts.clone() });
        let revision = snapshot.revision_for(visible);
        Some(ListChanges { list: name.to_owned(), upserted, removed, order, total, counts, revision })
    }
}

trait Row: PartialEq + Clone {
    fn id(&self) -> &str;
}

macro_rules! row {
    ($($row:ident)*) => {$(
        impl Row for $row {
            fn id(&self) -> &str {
                &self.id
            }
        }
    )*};
}

row!(Guest Node Storage);

/// Rows that are new or changed, ids that are gone, and the order if it is another one.
fn differ<R: Row>(before: &[R], now: &[R]) -> (Vec<R>, Vec<String>, Option<Vec<String>>) {
    let known: HashMap<&str, &R> = before.iter().map(|row| (row.id(), row)).collect();
    let here: HashSet<&str> = now.iter().map(Row::id).collect();
    let upserted = now.iter().filter(|row| known.get(row.id()) != Some(row)).cloned().collect();
    let removed = before.iter().map(Row::id).filter(|id| !here.contains(id)).map(str::to_owned).collect();
    let same = before.len() == now.len() && before.iter().zip(now).all(|(a, b)| a.id() == b.id());
    let order = (!same).then(|| now.iter().map(|row| row.id().to_owned()).collect());
    (upserted, removed, order)
}

fn ids(rows: &ListRows) -> Vec<String> {
    match rows {
        ListRows::Guests(rows) => rows.iter().map(|row| row.id.clone()).collect(),
        ListRows::Nodes(rows) => rows.iter().map(|row| row.id.clone()).collect(),
        ListRows::Storages(rows) => rows.iter().map(|row| row.id.clone()).collect(),
    }
}

fn is_empty(rows: &ListRows) -> bool {
    match rows {
        ListRows::Guests(rows) => rows.is_empty(),
        ListRows::Nodes(rows) => rows.is_empty(),
        ListRows::Storages(rows) => rows.is_empty(),
    }
}
