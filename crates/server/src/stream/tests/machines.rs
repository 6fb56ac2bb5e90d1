//! The machine alone.

use std::sync::Arc;

use api::stream::{ListOf, ListSubscription, ResetWhy, StreamMessage, Subscriptions, Topic};
use model::access::Visible;
use model::*;
use proptest::prelude::*;

use super::{Client, Fleet, at, everything, guest, operation, parse, storage, task};
use crate::stream::Timings;
use crate::stream::machine::{Machine, Wanted};

fn timings() -> Timings {
    let overview = std::time::Duration::ZERO;
    Timings { kept_messages: 12, kept_bytes: 64 * 1024, chunk: 3, events: 4, overview, ..Timings::default() }
}

fn wanted(subscriptions: Subscriptions) -> Wanted {
    Wanted::read(subscriptions, &timings()).unwrap()
}

fn machine(subscriptions: Subscriptions, visible: &Visible, last_event: i64) -> Machine {
    let mut machine = Machine::new("e".into(), visible.clone(), timings());
    machine.subscribe(wanted(subscriptions), last_event);
    machine
}

/// A machine with its client and the fleet between them.
struct Play {
    fleet: Fleet,
    machine: Machine,
    client: Client,
    visible: Visible,
    asked: Subscriptions,
}

impl Play {
    fn new(fleet: Fleet, asked: Subscriptions) -> Self {
        let machine = machine(asked.clone(), &Visible::All, fleet.last());
        Self { fleet, machine, client: Client::default(), visible: Visible::All, asked }
    }

    /// Delivers all that waits.
    fn deliver(&mut self) -> usize {
        let mut count = 0;
        while let Some(frame) = self.machine.next() {
            self.client.take(&frame, &self.fleet, &self.visible);
            count += 1;
        }
        count
    }

    /// Looks once, as a connection does.
    fn tick(&mut self) {
        self.deliver();
        self.machine.tick(&self.fleet.snapshot, at(0));
        if let Some(after) = self.machine.events_after() {
            let (page, up_to) = self.fleet.page(after, &self.visible, 4);
            let told = page
                .iter()
                .map(|one| crate::stream::rows::event(one, &self.fleet.snapshot, &self.visible))
                .collect();
            self.machine.happened(after, told, up_to);
        }
    }

    /// The connection breaks with so many messages on their way; another one comes.
    fn reconnect(&mut self, lost: usize) {
        for _ in 0..lost {
            self.machine.next();
        }
        let last =
            self.client.last_id.as_deref().map_or(0, |id| id.split_once('.').unwrap().1.parse().unwrap());
        self.machine.resume(last, &self.visible.clone());
    }

    /// Goes on until there is nothing more to tell.
    fn settle(&mut self) {
        loop {
            self.tick();
            let behind = self.machine.events_after().is_some_and(|after| after < self.fleet.last());
            if self.deliver() == 0 && !behind {
                return;
            }
        }
    }

    fn check(&mut self) {
        self.settle();
        self.client.check(&self.fleet, &self.visible, &self.asked);
    }
}

#[test]
fn what_does_not_change_is_told_once() {
    let mut play = Play::new(Fleet::new(2, 3), everything());
    play.check();
    play.client.kinds.clear();
    // The same rows in another snapshot.
    play.fleet.change(1, |_| {});
    play.check();
    assert!(play.client.kinds.is_empty(), "{:?}", play.client.kinds);
    // That a link which is up was up once more is no news.
    play.fleet.change(1, |remote| remote.link.last_success = Some(at(1)));
    play.settle();
    assert!(play.client.kinds.is_empty(), "{:?}", play.client.kinds);
}

#[test]
fn only_what_changed_is_told() {
    let mut play = Play::new(Fleet::new(2, 2), everything());
    play.check();
    play.fleet.change(1, |remote| remote.guests[0] = Arc::new(guest(100, 9)));
    play.tick();
    let messages: Vec<_> = std::iter::from_fn(|| play.machine.next()).map(|frame| parse(&frame).1).collect();
    // The other part of the list shows other rows, the nodes are as they were.
    let [StreamMessage::List(hot)] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((hot.list.as_str(), hot.removed.len()), ("hot", 0));
    assert_eq!(hot.order, None, "it was first before");
    let rows = serde_json::to_value(&hot.upserted).unwrap();
    assert_eq!((rows["rows"].as_array().unwrap().len(), &rows["rows"][0]["id"]), (1, &"1/100".into()));
}

#[test]
fn a_client_that_comes_back_has_missed_nothing() {
    let mut play = Play::new(Fleet::new(2, 3), everything());
    play.check();
    play.fleet.change(2, |remote| remote.tasks.push(task(1, TaskOutcome::Running)));
    play.fleet.happens(2);
    play.tick();
    // Two messages left and never arrived; meanwhile things went on.
    play.client.kinds.clear();
    play.fleet.change(2, |remote| remote.tasks[0].outcome = TaskOutcome::Ok);
    play.reconnect(2);
    play.check();
    assert!(!play.client.kinds.contains(&"reset"), "{:?}", play.client.kinds);
    assert_eq!(play.client.events, [1]);
}

#[test]
fn a_client_that_slept_too_long_begins_anew() {
    let mut play = Play::new(Fleet::new(1, 3), everything());
    play.check();
    let slept = play.client.last_id.clone();
    for cpu in 0..20 {
        play.fleet.change(1, |remote| remote.guests[1] = Arc::new(guest(101, cpu)));
        play.check();
    }
    play.client.last_id = slept;
    play.client.kinds.clear();
    play.reconnect(0);
    play.check();
    assert_eq!(play.client.kinds.first(), Some(&"reset"));
}

#[test]
fn a_changed_scope_takes_away_what_may_not_be_seen() {
    let mut play = Play::new(Fleet::new(3, 2), everything());
    play.check();
    play.fleet.happens(3);
    play.tick();
    // It waits in the outbox; the right to it ends before it leaves.
    play.visible = Visible::Remotes([RemoteId(1)].into());
    assert!(play.machine.sees(&play.visible));
    play.client.kinds.clear();
    play.check();
    assert_eq!(play.client.kinds.first(), Some(&"reset"));
    assert!(play.client.events.is_empty());
    // Also when it ended while there was no connection.
    play.visible = Visible::Remotes([RemoteId(2)].into());
    play.client.kinds.clear();
    play.reconnect(0);
    play.check();
    assert_eq!(play.client.kinds.first(), Some(&"reset"));
    // What neither concerns is not told.
    assert!(!play.machine.sees(&play.visible.clone()));
}

/// How many rows of the topic `tasks` wait to be sent; the client takes them.
fn tasks_told(play: &mut Play) -> usize {
    let mut rows = 0;
    while let Some(frame) = play.machine.next() {
        if let StreamMessage::Tasks(changes) = parse(&frame).1 {
            rows += changes.upserted.len();
        }
        play.client.take(&frame, &play.fleet, &play.visible);
    }
    rows
}

#[test]
fn what_there_is_is_made_part_by_part_as_it_is_taken() {
    let (remotes, each) = (12, 4);
    let mut fleet = Fleet::new(remotes, 0);
    for id in 1..=remotes {
        fleet.change(id, |remote| remote.tasks = (0..each).map(|n| task(n, TaskOutcome::Ok)).collect());
    }
    let topics = [Topic::Tasks, Topic::Counts].into();
    let mut play = Play::new(fleet, Subscriptions { topics, ..Subscriptions::default() });
    let each = usize::try_from(each).unwrap();
    let (mut looks, mut rows) = (0, 0);
    while play.machine.is_new() {
        play.machine.tick(&play.fleet.snapshot, at(0));
        let now = tasks_told(&mut play);
        // A remote is told as a whole; beyond that no more than goes into one message.
        assert!(now < timings().chunk + each, "{now} rows were made at once");
        (looks, rows) = (looks + 1, rows + now);
        if looks == 2 {
            // Of those that wait, one goes and two change: they are told as they are once it is their turn.
            play.fleet.remove(11);
            play.fleet.change(12, |remote| remote.tasks[0].outcome = TaskOutcome::Running);
            play.fleet.change(10, |remote| remote.tasks.clear());
            // One that was told changes: that comes after all that waits, and only what is different.
            play.fleet.change(1, |remote| remote.tasks[0].outcome = TaskOutcome::Running);
        }
    }
    assert_eq!(rows, 10 * each + 1, "each is told once");
    assert!(looks >= 10, "{looks}");
    assert_eq!(
        play.client.kinds.iter().filter(|kind| **kind == "counts").count(),
        2,
        "of all remotes at once"
    );
    play.check();
    play.client.kinds.clear();
    play.check();
    assert!(play.client.kinds.is_empty(), "{:?}", play.client.kinds);
}

#[test]
fn other_subscriptions_leave_what_stays_alone() {
    let mut play = Play::new(Fleet::new(2, 4), everything());
    play.check();
    play.client.kinds.clear();
    let mut asked = everything();
    asked.events_after = None;
    asked.lists.remove("next");
    let page = ListSubscription {
        of: ListOf::Guests,
        q: String::new(),
        sort: String::new(),
        offset: 4,
        limit: Some(4),
    };
    asked.lists.insert("page".to_owned(), page);
    play.fleet.happens(1);
    let stands = play.machine.subscribe(wanted(asked.clone()), play.fleet.last());
    assert_eq!(stands.events_after, Some(0), "the history goes on where it was");
    play.asked = asked;
    play.check();
    assert_eq!(play.client.kinds, ["list", "events"]);
    // Unsubscribed and subscribed again, all is told anew.
    play.machine.subscribe(wanted(Subscriptions::default()), 0);
    play.client.kinds.clear();
    play.settle();
    assert!(play.client.kinds.is_empty());
    let topics = [Topic::Links, Topic::Events].into();
    play.machine.subscribe(wanted(Subscriptions { topics, ..Subscriptions::default() }), play.fleet.last());
    play.settle();
    assert_eq!(play.client.kinds, ["links"]);
}

#[test]
fn what_cannot_be_told_is_refused_with_its_place() {
    let mut asked = everything();
    asked.lists.get_mut("hot").unwrap().q = "status:running cpv>1%".to_owned();
    let problem = Wanted::read(asked, &timings()).unwrap_err();
    assert_eq!((problem.status().as_u16(), problem.code()), (422, "query"));
    let mut many = everything();
    let one = many.lists["hot"].clone();
    many.lists = (0..9).map(|n| (n.to_string(), one.clone())).collect();
    assert!(Wanted::read(many, &timings()).is_err());
    let mut long = everything();
    long.lists.get_mut("hot").unwrap().limit = Some(1000);
    assert!(Wanted::read(long, &timings()).is_err());
}

#[test]
fn rows_come_in_parts() {
    let fleet = Fleet::new(7, 1);
    let topics = [Topic::Links].into();
    let mut machine = machine(Subscriptions { topics, ..Subscriptions::default() }, &Visible::All, 0);
    let count = |frame: &[u8]| match parse(frame).1 {
        StreamMessage::Links(changes) => changes.upserted.len(),
        other => panic!("{other:?}"),
    };
    let mut parts = Vec::new();
    while machine.is_new() {
        machine.tick(&fleet.snapshot, at(0));
        let made: Vec<_> = std::iter::from_fn(|| machine.next()).map(|frame| count(&frame)).collect();
        parts.push(made);
    }
    assert_eq!(parts, [vec![3], vec![3], vec![1]], "each once the one before has left");
}

/// One thing that may happen between a server and its client.
#[derive(Debug, Clone)]
enum Step {
    Guest(u64, u32, u32),
    NoGuest(u64, u32),
    Link(u64),
    Rename(u64, u8),
    Add(u64),
    Remove(u64),
    Operation(u64, u64),
    Task(u64, u32, bool),
    Happens(u64),
    Storage(u64, u8, u64),
    NoStorage(u64, u8),
    Node(u64, bool),
    Tick,
    Reconnect(usize),
    Stranger,
    Slow,
    Scope(u8),
    Subscribe(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let remote = 1u64..4;
    prop_oneof![
        6 => (remote.clone(), 100u32..106, 0u32..10).prop_map(|(r, g, c)| Step::Guest(r, g, c)),
        2 => (remote.clone(), 100u32..106).prop_map(|(r, g)| Step::NoGuest(r, g)),
        2 => remote.clone().prop_map(Step::Link),
        1 => (remote.clone(), 0u8..3).prop_map(|(r, n)| Step::Rename(r, n)),
        1 => (2u64..4).prop_map(Step::Add),
        1 => (2u64..4).prop_map(Step::Remove),
        2 => (remote.clone(), 0u64..4).prop_map(|(r, id)| Step::Operation(r, id)),
        2 => (remote.clone(), 0u32..4, any::<bool>()).prop_map(|(r, id, ok)| Step::Task(r, id, ok)),
        3 => (remote.clone(), 0u8..3, 0u64..9).prop_map(|(r, n, used)| Step::Storage(r, n, used)),
        1 => (remote.clone(), 0u8..3).prop_map(|(r, n)| Step::NoStorage(r, n)),
        1 => (remote.clone(), any::<bool>()).prop_map(|(r, up)| Step::Node(r, up)),
        4 => remote.prop_map(Step::Happens),
        8 => Just(Step::Tick),
        3 => (0usize..5).prop_map(Step::Reconnect),
        1 => Just(Step::Stranger),
        1 => Just(Step::Slow),
        1 => (0u8..4).prop_map(Step::Scope),
        1 => any::<bool>().prop_map(Step::Subscribe),
    ]
}

proptest! {
    // So many in an ordinary run; as many as `PROPTEST_CASES` says where it does.
    #![proptest_config(match std::env::var_os("PROPTEST_CASES") {
        None => ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() },
        Some(_) => ProptestConfig { failure_persistence: None, ..ProptestConfig::default() },
    })]

    /// Whatever happens in whatever order: in the end the client holds what it would read, saw each event of the
    /// remote it always might see once and in order, and nothing that it might not.
    #[test]
    fn no_gap_no_duplicate_no_row_that_may_not_be_seen(steps in prop::collection::vec(step(), 0..60)) {
        let mut play = Play::new(Fleet::new(3, 2), everything());
        for step in steps {
            match step {
                Step::Guest(remote, vmid, cpu) => play.fleet.change(remote, |one| {
                    one.guests.retain(|row| row.guest.vmid != Vmid(vmid));
                    one.guests.push(Arc::new(guest(vmid, cpu)));
                    one.guests.sort_by_key(|row| row.guest.vmid);
                }),
                Step::NoGuest(remote, vmid) => {
                    play.fleet.change(remote, |one| one.guests.retain(|row| row.guest.vmid != Vmid(vmid)));
                }
                Step::Link(remote) => play.fleet.change(remote, |one| {
                    one.link.state = match one.link.state {
                        LinkState::Connected => LinkState::Disconnected { by: "anna".into() },
                        _ => LinkState::Connected,
                    };
                }),
                Step::Rename(remote, name) => {
                    play.fleet.change(remote, |one| one.name = format!("r{remote}-{name}").into());
                }
                Step::Add(remote) => play.fleet.add(remote),
                Step::Remove(remote) => play.fleet.remove(remote),
                Step::Operation(remote, id) => play.fleet.change(remote, |one| {
                    let id = remote * 10 + id;
                    let known = one.operations.iter().position(|one| one.id == OperationId(id));
                    match known {
                        Some(at) => drop(one.operations.remove(at)),
                        None => one.operations.insert(0, operation(remote, id)),
                    }
                }),
                Step::Task(remote, id, ok) => play.fleet.change(remote, |one| {
                    let outcome = if ok { TaskOutcome::Ok } else { TaskOutcome::Running };
                    one.tasks.retain(|known| known.upid != task(id, TaskOutcome::Ok).upid);
                    one.tasks.push(task(id, outcome));
                }),
                Step::Storage(remote, n, used) => play.fleet.change(remote, |one| {
                    let name = format!("store-{n}");
                    one.storages.retain(|row| row.storage.storage.as_str() != name);
                    one.storages.push(storage(&name, "pve1", used));
                }),
                Step::NoStorage(remote, n) => play.fleet.change(remote, |one| {
                    let name = format!("store-{n}");
                    one.storages.retain(|row| row.storage.storage.as_str() != name);
                }),
                Step::Node(remote, up) => play.fleet.change(remote, |one| {
                    let state = if up { NodeState::Online } else { NodeState::Offline };
                    one.nodes.iter_mut().for_each(|row| row.node.state = state.clone());
                }),
                Step::Happens(remote) => play.fleet.happens(remote),
                Step::Tick => play.tick(),
                Step::Reconnect(lost) => play.reconnect(lost),
                Step::Stranger => play.client.last_id = Some("e.999999".to_owned()),
                Step::Slow => play.machine.reset(ResetWhy::Slow),
                Step::Scope(which) => {
                    play.visible = match which {
                        0 => Visible::All,
                        1 => Visible::Remotes([RemoteId(1)].into()),
                        2 => Visible::Remotes([RemoteId(1), RemoteId(2)].into()),
                        _ => Visible::Remotes([RemoteId(1), RemoteId(3)].into()),
                    };
                    play.machine.sees(&play.visible.clone());
                }
                Step::Subscribe(all) => {
                    let mut asked = everything();
                    asked.events_after = None;
                    if !all {
                        asked.lists.remove("hot");
                    }
                    if play.asked.lists.len() != asked.lists.len() {
                        // What is no longer told is no longer held.
                        play.deliver();
                        play.client.lists.remove("hot");
                        play.machine.subscribe(wanted(asked.clone()), play.fleet.last());
                        play.asked = asked;
                    }
                }
            }
        }
        // Whoever was on a wrong id comes back once more, for good.
        play.reconnect(0);
        play.check();
        let of_first = |id: &i64| play.fleet.events.iter().any(|one| one.seq.0 == *id && one.remote == Some(RemoteId(1)));
        let told: Vec<i64> = play.client.events.iter().copied().filter(of_first).collect();
        let all: Vec<i64> = play.fleet.events.iter().map(|one| one.seq.0).filter(of_first).collect();
        prop_assert_eq!(told, all);
    }
}

#[test]
fn the_overview_is_told_part_by_part_and_not_too_often() {
    let subscriptions = Subscriptions { topics: [Topic::Overview].into(), ..Subscriptions::default() };
    let gap = std::time::Duration::from_secs(2);
    let mut machine = Machine::new("e".into(), Visible::All, Timings { overview: gap, ..timings() });
    machine.subscribe(wanted(subscriptions), 0);
    let mut fleet = Fleet::new(2, 3);
    let told = |machine: &mut Machine, fleet: &Fleet, second: i64| {
        machine.tick(&fleet.snapshot, at(second));
        let mut parts = Vec::new();
        while let Some(frame) = machine.next() {
            let StreamMessage::Overview(changes) = parse(&frame).1 else { panic!() };
            let value = serde_json::to_value(&changes).unwrap();
            parts.extend(value.as_object().unwrap().keys().cloned());
        }
        parts
    };
    assert!(machine.is_new());
    let all = ["capacity", "guests", "nodes", "problems", "remotes", "running"];
    assert_eq!(told(&mut machine, &fleet, 0), all);
    assert!(!machine.is_new() && !machine.is_behind());
    // A change at once is not told at once, and not forgotten.
    fleet.change(1, |remote| remote.link.state = LinkState::Disconnected { by: "anna".to_owned() });
    assert_eq!(told(&mut machine, &fleet, 1), [""; 0]);
    assert!(machine.is_behind());
    assert_eq!(machine.aging(), Some(gap));
    assert_eq!(told(&mut machine, &fleet, 2), ["problems", "remotes"]);
    assert!(!machine.is_behind());
    assert_eq!(told(&mut machine, &fleet, 9), [""; 0], "nothing is different");
    // What is wrong with Muster itself changes no remote.
    let own = serde_json::from_value(serde_json::json!({
        "id": "muster/store", "kind": "muster", "severity": "error", "since": null, "live": true,
        "subject": {"type": "muster", "id": "muster", "name": "Muster"}, "sentence": "what is seen is not recorded"
    }));
    machine.own(vec![own.unwrap()]);
    assert_eq!(told(&mut machine, &fleet, 12), ["problems"]);
    // A clock that was set back stops nothing.
    fleet.change(1, |remote| remote.link.state = LinkState::Connected);
    assert_eq!(told(&mut machine, &fleet, -50), ["problems", "remotes"]);
}
