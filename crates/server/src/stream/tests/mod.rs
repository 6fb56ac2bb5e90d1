//! A client that joins late, reconnects, sleeps, is slow, loses its session, has its scope changed: no gap, no
//! duplicate, no row it may not see.

mod connections;
mod machines;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::stream::{
    FleetCounts, LinkRow, ListOf, ListRows, ListSubscription, StreamMessage, Subscriptions, Topic,
};
use fleet::{FleetSnapshot, RemoteSnapshot};
use jiff::Timestamp;
use model::access::Visible;
use model::rows::{GuestRow, NodeRow, Standing, StorageRow};
use model::*;

use super::rows;

pub(super) const NOW: i64 = 1_800_000_000;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(NOW + second).unwrap()
}

/// A fleet that a test changes as it likes.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    pub(super) snapshot: FleetSnapshot,
    pub(super) events: Vec<Event>,
}

impl Fleet {
    pub(super) fn new(remotes: u64, guests: u32) -> Self {
        let mut fleet =
            Self { snapshot: FleetSnapshot { revision: 1, remotes: Vec::new() }, events: Vec::new() };
        for id in 1..=remotes {
            fleet.add(id);
            for n in 0..guests {
                fleet.change(id, |remote| remote.guests.push(Arc::new(guest(100 + n, 1))));
            }
        }
        fleet
    }

    pub(super) fn add(&mut self, id: u64) {
        if self.snapshot.remote(RemoteId(id)).is_none() {
            let mut one = RemoteSnapshot::bare(RemoteId(id), format!("site-{id}").into(), at(0));
            one.link.state = LinkState::Connected;
            one.nodes = vec![NodeRow {
                node: Node { state: NodeState::Online, ..Node::bare("pve1".into()) },
                observed_at: Some(at(0)),
                through: None,
                freshness: Freshness::Live,
            }];
            one.storages = vec![storage("local", "pve1", 1)];
            self.snapshot.remotes.push(Arc::new(one));
            self.snapshot.remotes.sort_by_key(|one| one.id);
            self.snapshot.revision += 1;
        }
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.snapshot.remotes.retain(|one| one.id != RemoteId(id));
        self.snapshot.revision += 1;
    }

    /// Puts another snapshot in the place of a remote's, as its task does.
    pub(super) fn change(&mut self, id: u64, change: impl FnOnce(&mut RemoteSnapshot)) {
        self.snapshot.revision += 1;
        if let Some(remote) = self.snapshot.remotes.iter_mut().find(|one| one.id == RemoteId(id)) {
            let mut next = (**remote).clone();
            change(&mut next);
            *remote = Arc::new(next);
        }
    }

    pub(super) fn happens(&mut self, remote: u64) {
        let seq = self.last() + 1 + i64::try_from(remote).unwrap() % 2;
        let mut event = Event::of(RemoteId(remote), at(0), Happening::RemoteConnected);
        event.seq = EventSeq(seq);
        self.events.push(event);
    }

    pub(super) fn last(&self) -> i64 {
        self.events.last().map_or(0, |event| event.seq.0)
    }

    /// As the store tells them.
    pub(super) fn page(&self, after: i64, visible: &Visible, limit: usize) -> (Vec<Event>, i64) {
        let sees = |event: &&Event| event.remote.is_some_and(|id| visible.sees(id));
        let all = self.events.iter().filter(|event| event.seq.0 > after);
        let page: Vec<Event> = all.filter(sees).take(limit).cloned().collect();
        let up_to =
            if page.len() >= limit { page.last().map_or(after, |one| one.seq.0) } else { self.last() };
        (page, up_to.max(after))
    }
}

pub(super) fn guest(vmid: u32, cpu: u32) -> GuestRow {
    let mut facts = Guest::bare(GuestKind::Ct, Vmid(vmid), "pve1".into());
    facts.name = Some(format!("g-{vmid}").into());
    facts.state = GuestState::Running;
    facts.cpu = Some(f64::from(cpu) / 10.0);
    GuestRow {
        state: GuestState::Running,
        guest: facts,
        incarnation: Incarnation(0),
        observed_at: Some(at(0)),
        through: None,
        freshness: Freshness::Live,
        presence: Presence::Present,
        standing: Standing::Known { state: GuestState::Running },
        addresses: None,
        busy: None,
    }
}

pub(super) fn storage(name: &str, node: &str, used: u64) -> StorageRow {
    let facts = Storage {
        storage: name.into(),
        node: node.into(),
        status: Some("available".into()),
        shared: Some(false),
        plugin: Some("dir".into()),
        used: Some(used),
        size: Some(10),
        content: Vec::new(),
    };
    StorageRow { storage: facts, observed_at: at(0), freshness: Freshness::Live }
}

pub(super) fn operation(remote: u64, id: u64) -> Arc<Operation> {
    let now = Now { wall: at(0), mono: std::time::Duration::ZERO };
    Arc::new(Operation::record(
        OperationId(id),
        GuestKey { remote: RemoteId(remote), vmid: Vmid(100) },
        GuestKind::Ct,
        None,
        "pve1".into(),
        Action::Start,
        PowerOptions::default(),
        Author { name: "anna".into(), from: "cli".into() },
        now,
    ))
}

pub(super) fn task(id: u32, outcome: TaskOutcome) -> Task {
    Task {
        upid: format!("UPID:pve1:{id}:").into(),
        node: "pve1".into(),
        kind: "vzstart".into(),
        id: "100".into(),
        user: "root@pam".into(),
        started: at(0),
        ended: None,
        outcome,
    }
}

pub(super) fn everything() -> Subscriptions {
    let list = |of, q: &str, sort: &str, offset, limit| ListSubscription {
        of,
        q: q.to_owned(),
        sort: sort.to_owned(),
        offset,
        limit: Some(limit),
    };
    Subscriptions {
        topics: Topic::ALL.into(),
        lists: [
            ("hot".to_owned(), list(ListOf::Guests, "status:running", "-cpu", 0, 3)),
            ("next".to_owned(), list(ListOf::Guests, "", "name", 2, 4)),
            ("nodes".to_owned(), list(ListOf::Nodes, "", "", 0, 100)),
            ("storages".to_owned(), list(ListOf::Storages, "", "-disk,name", 0, 5)),
        ]
        .into(),
        events_after: Some(0),
    }
}

/// What a client makes of the messages, as the documents say.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) last_id: Option<String>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) stream: Option<String>,
    links: BTreeMap<RemoteId, LinkRow>,
    operations: BTreeMap<OperationId, api::operation::Operation>,
    tasks: BTreeMap<String, api::task::Task>,
    counts: Option<FleetCounts>,
    overview: serde_json::Map<String, serde_json::Value>,
    lists: BTreeMap<String, Held>,
    pub(super) events: Vec<i64>,
}

#[derive(Debug, Default)]
struct Held {
    rows: BTreeMap<String, serde_json::Value>,
    order: Vec<String>,
    total: usize,
}

/// Reads a frame as an `EventSource` does.
pub(super) fn parse(frame: &[u8]) -> (Option<String>, StreamMessage) {
    let text = std::str::from_utf8(frame).unwrap();
    assert!(text.ends_with("\n\n") && !text.trim_end().contains("\n\n"), "{text}");
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let message: StreamMessage = serde_json::from_str(field("data: ").unwrap()).unwrap();
    assert_eq!(field("event: "), Some(message.word()));
    (field("id: ").map(str::to_owned), message)
}

impl Client {
    /// Takes in a frame; `fleet` and `visible`: for reading the history again after a reset, and to see that
    /// nothing is told that may not be.
    pub(super) fn take(&mut self, frame: &[u8], fleet: &Fleet, visible: &Visible) {
        let (id, message) = parse(frame);
        self.kinds.push(message.word());
        self.last_id = id.or(self.last_id.take());
        match message {
            StreamMessage::Hello(hello) => self.stream = Some(hello.stream),
            StreamMessage::Reset(reset) => {
                let (last_id, kinds) = (self.last_id.take(), std::mem::take(&mut self.kinds));
                let stream = self.stream.take();
                *self = Self { last_id, kinds, stream, ..Self::default() };
                let known = fleet.events.iter().filter(|one| one.seq.0 <= reset.events_after.unwrap_or(0));
                self.events = known
                    .filter(|one| one.remote.is_some_and(|id| visible.sees(id)))
                    .map(|one| one.seq.0)
                    .collect();
            }
            StreamMessage::Links(changes) => {
                for row in changes.upserted {
                    assert!(visible.sees(row.id));
                    self.links.insert(row.id, row);
                }
                for id in changes.removed {
                    assert!(self.links.remove(&id).is_some(), "{id} was never told");
                }
            }
            StreamMessage::Operations(changes) => {
                for row in changes.upserted {
                    assert!(visible.sees(row.remote_id));
                    self.operations.insert(row.id, row);
                }
                for id in changes.removed {
                    assert!(self.operations.remove(&id).is_some(), "{id} was never told");
                }
            }
            StreamMessage::Tasks(changes) => {
                for row in changes.upserted {
                    assert!(visible.sees(row.remote_id));
                    self.tasks.insert(row.id.clone(), row);
                }
                for id in changes.removed {
                    assert!(self.tasks.remove(&id).is_some(), "{id} was never told");
                }
            }
            StreamMessage::Events(events) => {
                for event in events.items {
                    assert!(visible.sees(event.remote_id.unwrap()));
                    assert!(self.events.last().is_none_or(|last| *last < event.id), "{} twice", event.id);
                    assert!(event.id <= events.up_to);
                    self.events.push(event.id);
                }
            }
            StreamMessage::Counts(counts) => self.counts = Some(counts),
            StreamMessage::Overview(changes) => {
                let serde_json::Value::Object(parts) = serde_json::to_value(&changes).unwrap() else {
                    panic!()
                };
                for one in parts.get("problems").iter().flat_map(|all| all["items"].as_array().unwrap()) {
                    let remote = RemoteId(one["subject"]["remote_id"].as_u64().unwrap());
                    assert!(visible.sees(remote), "{one}");
                }
                self.overview.extend(parts);
            }
            StreamMessage::List(changes) => {
                let held = self.lists.entry(changes.list).or_default();
                for row in values(&changes.upserted) {
                    let remote = RemoteId(row["remote_id"].as_u64().unwrap());
                    assert!(visible.sees(remote), "{row}");
                    held.rows.insert(row["id"].as_str().unwrap().to_owned(), row);
                }
                for id in changes.removed {
                    assert!(held.rows.remove(&id).is_some(), "{id} was never told");
                }
                held.order = changes.order.unwrap_or(std::mem::take(&mut held.order));
                held.total = changes.total;
            }
            StreamMessage::Heartbeat(_) | StreamMessage::Bye(_) => {}
        }
    }

    /// Whether it holds exactly what it would read now.
    pub(super) fn check(&self, fleet: &Fleet, visible: &Visible, asked: &Subscriptions) {
        let snapshot = &fleet.snapshot;
        let seen = || snapshot.remotes.iter().filter(|remote| visible.sees(remote.id));
        if asked.topics.contains(&Topic::Links) {
            let want: BTreeMap<_, _> = seen().map(|one| (one.id, rows::link(one))).collect();
            assert_eq!(self.links, want);
        }
        if asked.topics.contains(&Topic::Operations) {
            let all = seen().flat_map(|remote| remote.operations.iter().map(move |one| (remote, one)));
            let of = |(remote, one): (&Arc<RemoteSnapshot>, &Arc<Operation>)| {
                (one.id, crate::show_as::operation(one, &remote.name))
            };
            assert_eq!(self.operations, all.map(of).collect());
        }
        if asked.topics.contains(&Topic::Tasks) {
            let all = seen().flat_map(|remote| remote.tasks.iter().map(move |one| rows::task(remote, one)));
            assert_eq!(self.tasks, all.map(|row| (row.id.clone(), row)).collect());
        }
        if asked.topics.contains(&Topic::Counts) {
            let all = fleet::lists::fleet_totals(snapshot, visible, |remote| fleet::lists::totals(remote));
            assert_eq!(self.counts, Some(rows::fleet_counts(&all)));
        }
        if asked.topics.contains(&Topic::Overview) {
            let all = crate::overview::told(snapshot, visible, Vec::new(), at(0));
            let mut want = serde_json::to_value(&all).unwrap();
            want.as_object_mut().unwrap().remove("revision");
            assert_eq!(serde_json::Value::Object(self.overview.clone()), want);
        }
        for (name, list) in &asked.lists {
            let about = match list.of {
                ListOf::Guests => query::Vocabulary::Guests,
                ListOf::Nodes => query::Vocabulary::Nodes,
                ListOf::Storages => query::Vocabulary::Storages,
            };
            let ask = api::ListQuery {
                q: Some(list.q.clone()),
                sort: Some(list.sort.clone()),
                offset: Some(list.offset),
                limit: list.limit,
            };
            let ask = rows::request(about, &ask).unwrap();
            let (want, total) = match list.of {
                ListOf::Guests => {
                    let page = rows::guests(fleet::lists::guests(snapshot, visible, &ask, at(0)));
                    (ListRows::Guests(page.items), page.total)
                }
                ListOf::Nodes => {
                    let page = rows::nodes(fleet::lists::nodes(snapshot, visible, &ask, at(0)));
                    (ListRows::Nodes(page.items), page.total)
                }
                ListOf::Storages => {
                    let page = rows::storages(fleet::lists::storages(snapshot, visible, &ask, at(0)));
                    (ListRows::Storages(page.items), page.total)
                }
            };
            let want = values(&want);
            let held = self.lists.get(name).unwrap_or_else(|| panic!("{name} was never told"));
            let got: Vec<_> = held.order.iter().map(|id| held.rows[id].clone()).collect();
            assert_eq!(got, want, "{name}");
            assert_eq!((held.total, held.rows.len()), (total, want.len()), "{name}");
        }
    }
}

fn values(rows: &ListRows) -> Vec<serde_json::Value> {
    serde_json::to_value(rows).unwrap()["rows"].as_array().unwrap().clone()
}
