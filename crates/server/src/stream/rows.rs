//! From what the fleet holds to what the API tells: pages, rows and counts, for routes and stream alike.

use api::event::Event;
use api::guest::Guest;
use api::list::{Counts, DEFAULT_LIMIT, ListQuery, MAX_LIMIT, Page, RemoteCounts};
use api::node::Node;
use api::operation::Operation;
use api::remote::Link;
use api::storage::Storage;
use api::stream::{FleetCounts, LinkRow};
use api::task::Task;
use fleet::lists::{
    self, FleetTotals, GuestAt, NodeAt, OperationAt, Request, RequestError, StorageAt, Tally, TaskAt,
};
use fleet::{FleetSnapshot, RemoteSnapshot, Standing};
use http::StatusCode;
use model::access::Visible;
use model::event::Happening;
use model::query::{QueryError, Vocabulary};
use model::{Incarnation, Text, Vmid};
use store::EventRecord;

use crate::problem::Problem;
use crate::show_as;

/// Reads which part of a list is wanted.
///
/// # Errors
/// 422 with the place in the query, or in the sort keys, and what to write instead.
pub fn request(about: Vocabulary, query: &ListQuery) -> Result<Request, Problem> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    Request::parse(about, &text(&query.q), &text(&query.sort), query.offset.unwrap_or(0), limit).map_err(
        |error| match error {
            RequestError::Query(error) => unreadable("query", "The query cannot be read.", error),
            RequestError::Sort(error) => unreadable("sort", "The sort keys cannot be read.", error),
        },
    )
}

fn unreadable(code: &'static str, title: &str, error: QueryError) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title)
        .detail(error.message)
        .remedy(error.hint)
        .at(error.at)
}

/// A page of a list as the API tells it.
pub(crate) fn page<A, B>(of: lists::Page<A>, row: impl Fn(A) -> Option<B>) -> Page<B> {
    let lists::Page { items, total, counts, revision } = of;
    Page {
        items: items.into_iter().filter_map(row).collect(),
        total,
        counts: self::counts(&counts),
        revision,
        unreadable: 0,
    }
}

/// A page of guests.
#[must_use]
pub fn guests(of: lists::Page<GuestAt>) -> Page<Guest> {
    page(of, |at| Some(Guest::of(&at.guest, at.remote.id, &at.remote.name, &at.remote.link)))
}

/// A page of nodes.
#[must_use]
pub fn nodes(of: lists::Page<NodeAt>) -> Page<Node> {
    page(of, |at| Some(node(&at.remote, at.row()?)))
}

/// How many guests there are, and of how many it is known for sure how they stand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GuestFigures {
    pub(crate) all: usize,
    pub(crate) running: usize,
    pub(crate) unknown: usize,
}

impl GuestFigures {
    /// Of guests that are not deleted.
    pub(crate) fn of<'a>(guests: impl Iterator<Item = &'a model::rows::GuestRow>) -> Self {
        let mut figures = Self::default();
        for guest in guests {
            figures.all += 1;
            match &guest.standing {
                Standing::Known { state: model::GuestState::Running } => figures.running += 1,
                Standing::Known { .. } => {}
                _ => figures.unknown += 1,
            }
        }
        figures
    }

    /// How many run; `None` where that is known of none. `tells`: whoever would know is there.
    pub(crate) fn running_if(self, tells: bool) -> Option<usize> {
        let known = if self.all == 0 { tells } else { self.unknown < self.all };
        known.then_some(self.running)
    }
}

/// A node of a remote, with its guests counted.
#[must_use]
pub fn node(remote: &RemoteSnapshot, row: &model::rows::NodeRow) -> Node {
    let there = |guest: &&std::sync::Arc<model::rows::GuestRow>| {
        guest.guest.node == row.node.name && !matches!(guest.presence, model::Presence::Deleted { .. })
    };
    let guests = GuestFigures::of(remote.guests.iter().filter(there).map(|guest| &**guest));
    // Of none that runs there it is known only while the node is there to tell.
    let tells = row.freshness.is_live() && row.node.state == model::NodeState::Online;
    let word = lists::node_word(row);
    Node::of(row, remote.id, &remote.name, &remote.link, word, guests.all, guests.running_if(tells))
}

/// A page of storages.
#[must_use]
pub fn storages(of: lists::Page<StorageAt>) -> Page<Storage> {
    page(of, |at| {
        let row = at.row()?.clone();
        Some(Storage::of(&row, at.remote.id, &at.remote.name, &at.remote.link, at.shared, at.nodes))
    })
}

/// A page of tasks.
#[must_use]
pub fn tasks(of: lists::Page<TaskAt>) -> Page<Task> {
    page(of, |at| Some(task(&at.remote, at.task()?)))
}

/// A task of a remote.
#[must_use]
pub fn task(remote: &RemoteSnapshot, task: &model::Task) -> Task {
    let guest = lists::guest_of(remote, task);
    Task::of(task, remote.id, &remote.name, guest, lists::operation_of(remote, task))
}

/// A page of operations.
#[must_use]
pub fn operations(of: lists::Page<OperationAt>) -> Page<Operation> {
    page(of, |at| Some(show_as::operation(&at.operation, &at.remote.name)))
}

/// The link to a remote.
#[must_use]
pub fn link(remote: &RemoteSnapshot) -> LinkRow {
    LinkRow { id: remote.id, name: remote.name.clone(), link: Link::of(&remote.link) }
}

/// An event as the store keeps it.
#[derive(Debug, Clone)]
pub enum Kept {
    /// One that this Muster understands.
    Known(Box<model::Event>),
    /// One that was written by a newer Muster and says what this one does not know, or was damaged: its number, and what
    /// stands beside its body.
    Unknown(i64, Box<EventRecord>),
}

/// Reads an event out of the store.
#[must_use]
pub fn kept_event(seq: i64, record: EventRecord) -> Kept {
    match serde_json::from_str::<model::Event>(&record.body) {
        Ok(event) => Kept::Known(Box::new(model::Event { seq: model::EventSeq(seq), ..event })),
        Err(error) => {
            tracing::debug!(seq, kind = record.kind, %error, "an event in the store is not understood");
            Kept::Unknown(seq, Box::new(record))
        }
    }
}

/// What was kept, for somebody who may see `visible`; of what is not understood, all that stands beside its body.
#[must_use]
pub fn happened(kept: &Kept, snapshot: &FleetSnapshot, visible: &Visible) -> Event {
    let (seq, record) = match kept {
        Kept::Known(known) => return event(known, snapshot, visible),
        Kept::Unknown(seq, record) => (*seq, record),
    };
    let why = if Happening::WORDS.contains(&record.kind.as_str()) {
        "what was kept of it cannot be read"
    } else {
        "of a kind that this version of Muster does not know"
    };
    Event {
        id: seq,
        name: record.kind.clone(),
        at: record.at,
        sentence: format!("{} ({why})", record.kind.replace('_', " ")),
        remote_id: record.remote,
        remote: record.remote.and_then(|id| snapshot.remote(id)).map(|remote| remote.name.clone()),
        vmid: record.vmid,
        guest: record
            .remote
            .and_then(|id| snapshot.remote(id))
            .and_then(|remote| guest_name(remote, record.vmid, record.incarnation)),
        incarnation: record.incarnation,
        node: record.node.clone(),
        author: None,
        operation: record.operation,
        task: record.task.clone(),
        what: None,
    }
}

/// An event with the name of its remote, for somebody who may see `visible`: another remote that it speaks of is
/// named only if it is among these.
#[must_use]
pub fn event(event: &model::Event, snapshot: &FleetSnapshot, visible: &Visible) -> Event {
    let remote = event.remote.and_then(|id| snapshot.remote(id));
    let name = remote.map(|remote| &remote.name);
    let guest = remote.and_then(|remote| guest_name(remote, event.vmid, event.incarnation));
    let guest = guest.as_ref();
    match &event.what {
        Happening::RemoteSameAs { other } if *visible != Visible::All => {
            let seen = snapshot.remote_named(other).is_some_and(|other| visible.sees(other.id));
            let what =
                Happening::RemoteSameAs { other: if seen { other.clone() } else { "another remote".into() } };
            Event::of(&model::Event { what, ..event.clone() }, name, guest)
        }
        _ => Event::of(event, name, guest),
    }
}

/// What the guest of an event is called now, if the number is still the same guest's.
fn guest_name(remote: &RemoteSnapshot, vmid: Option<Vmid>, life: Option<Incarnation>) -> Option<Text> {
    let row = remote.guest(vmid?)?;
    if life.is_some_and(|life| life != row.incarnation) {
        return None;
    }
    row.guest.name.clone()
}

/// The counts of a list.
#[must_use]
pub fn counts(of: &lists::Counts) -> Counts {
    let remotes = of.remotes;
    Counts {
        state: tally(&of.state),
        kind: tally(&of.kind),
        freshness: tally(&of.freshness),
        link: tally(&of.link),
        remotes: RemoteCounts {
            total: remotes.total,
            up: remotes.up,
            needs_person: remotes.needs_person,
            never_listed: remotes.never_listed,
            unreadable: remotes.unreadable,
        },
    }
}

/// How often each word came up.
pub(crate) fn tally(of: &Tally) -> std::collections::BTreeMap<String, usize> {
    let mut all = std::collections::BTreeMap::new();
    for (word, count) in of.iter() {
        *all.entry(word.to_owned()).or_default() += count;
    }
    all
}

/// How many there are of everything.
#[must_use]
pub fn fleet_counts(of: &FleetTotals) -> FleetCounts {
    let totals = &of.totals;
    FleetCounts {
        guests: totals.guests,
        guest_states: tally(&totals.guest_states),
        nodes: totals.nodes,
        node_states: tally(&totals.node_states),
        storages: totals.storages,
        remotes: of.remotes,
        links: tally(&of.links),
        tasks_running: totals.tasks_running,
        tasks_unknown: totals.tasks_unknown,
        tasks_failed: totals.tasks_failed,
        operations_open: totals.operations_open,
        operations_undecided: totals.operations_undecided,
    }
}
