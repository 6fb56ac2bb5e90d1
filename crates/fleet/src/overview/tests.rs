//! What is called wrong, in which order, and what is in the sums.

use std::time::Duration;

use jiff::ToSpan as _;
use model::facet::Coverage;
use model::operation::UnknownWhy;
use model::rows::{Cluster, GuestRow, NodeRow, Standing, StorageRow};
use model::*;

use super::*;

const NOW: i64 = 1_800_000_000;
const LIMITS: Limits = Limits { troubles: 100, running: 20 };

fn at(ago: i64) -> Timestamp {
    Timestamp::from_second(NOW - ago).unwrap()
}

fn stale() -> Freshness {
    let why = StaleWhy::Link { cause: Arc::new(Cause::Refused) };
    Freshness::Stale { since: at(60), why }
}

fn node(name: &str, state: NodeState, freshness: Freshness) -> NodeRow {
    let facts = Node {
        state,
        cpu: Some(0.5),
        cpus: Some(8.0),
        memory: Some(10),
        memory_max: Some(40),
        ..Node::bare(name.into())
    };
    NodeRow { node: facts, observed_at: Some(at(30)), through: None, freshness }
}

fn storage(name: &str, node: &str, shared: bool, used: Option<u64>) -> StorageRow {
    StorageRow {
        storage: Storage {
            storage: name.into(),
            node: node.into(),
            status: Some("available".into()),
            shared: Some(shared),
            plugin: None,
            used,
            size: Some(1000),
            content: Vec::new(),
        },
        observed_at: at(5),
        freshness: Freshness::Live,
    }
}

fn guest(vmid: u32, state: GuestState, change: impl FnOnce(&mut GuestRow)) -> Arc<GuestRow> {
    let mut facts = Guest::bare(GuestKind::Ct, Vmid(vmid), "pve1".into());
    facts.state = state.clone();
    let mut row = GuestRow {
        state: state.clone(),
        guest: facts,
        incarnation: Incarnation(0),
        observed_at: Some(at(5)),
        through: None,
        freshness: Freshness::Live,
        presence: Presence::Present,
        standing: Standing::Known { state },
        addresses: None,
        busy: None,
    };
    change(&mut row);
    Arc::new(row)
}

fn task(n: u32, ago: i64, outcome: TaskOutcome) -> Task {
    Task {
        upid: format!("UPID:pve1:{n}:").into(),
        node: "pve1".into(),
        kind: "vzstart".into(),
        id: "100".into(),
        user: "root@pam".into(),
        started: at(ago + 1),
        ended: Some(at(ago)),
        outcome,
    }
}

fn operation(remote: u64, id: u64, ago: i64, state: OperationState) -> Arc<Operation> {
    let now = Now { wall: at(ago), mono: Duration::ZERO };
    let guest = GuestKey { remote: RemoteId(remote), vmid: Vmid(100) };
    let author = Author { name: "ada".into(), from: "cli".into() };
    let (id, options) = (OperationId(id), PowerOptions::default());
    let mut one = Operation::record(
        id,
        guest,
        GuestKind::Ct,
        Some("web".into()),
        "pve1".into(),
        Action::Start,
        options,
        author,
        now,
    );
    one.state = state;
    Arc::new(one)
}

fn failed(text: &str) -> TaskOutcome {
    TaskOutcome::Failed { text: text.into() }
}

fn remote(id: u64, change: impl FnOnce(&mut RemoteSnapshot)) -> Arc<RemoteSnapshot> {
    let mut one = RemoteSnapshot::bare(RemoteId(id), format!("site-{id}").into(), at(0));
    one.link.state = LinkState::Connected;
    change(&mut one);
    Arc::new(one)
}

fn fleet(remotes: Vec<Arc<RemoteSnapshot>>) -> FleetSnapshot {
    FleetSnapshot { revision: 1, remotes }
}

fn look(snapshot: &FleetSnapshot) -> Overview {
    overview(snapshot, &Visible::All, at(0), LIMITS)
}

/// Kind, severity and whether it is seen at present, of each.
fn found(all: &Overview) -> Vec<(u64, TroubleKind, Severity, bool)> {
    let of = |(remote, one): &(Arc<RemoteSnapshot>, Trouble)| (remote.id.0, one.kind, one.severity, one.live);
    all.troubles.iter().map(of).collect()
}

#[test]
fn a_fleet_that_is_well_has_nothing_wrong() {
    let well = remote(1, |one| {
        one.nodes = vec![node("pve1", NodeState::Online, Freshness::Live)];
        one.storages = vec![storage("local", "pve1", false, Some(849))];
        one.guests = vec![guest(100, GuestState::Running, |_| {}), guest(101, GuestState::Stopped, |_| {})];
        one.tasks = vec![task(1, 5, TaskOutcome::Ok), task(2, 5, TaskOutcome::Warnings { count: None })];
        one.operations = vec![operation(1, 1, 5, OperationState::Succeeded)];
    });
    // Trying for the first time is nothing wrong either, and neither is being looked after by another process.
    let first = remote(2, |one| one.link.state = LinkState::Connecting { last: None });
    let elsewhere = remote(3, |one| {
        one.elsewhere = Some(Cause::RunElsewhere { process: "b".to_owned(), address: None });
    });
    let all = look(&fleet(vec![well, first, elsewhere]));
    assert_eq!(found(&all), []);
    assert!(all.by_kind.is_empty() && all.by_severity.is_empty());
    assert_eq!((all.guests.containers.of("running"), all.guests.containers.of("stopped")), (1, 1));
}

#[test]
fn what_is_worst_and_newest_comes_first() {
    use {Severity as S, TroubleKind as K};
    let home = remote(1, |one| {
        one.nodes = vec![node("pve1", NodeState::Online, Freshness::Live)];
        let why = StaleWhy::NodeDown { node: "pve2".into() };
        one.nodes.push(node("pve2", NodeState::Offline, Freshness::Stale { since: at(30), why }));
        one.storages = vec![storage("a", "pve1", false, Some(950)), storage("b", "pve1", false, Some(850))];
        one.guests = vec![guest(100, GuestState::Running, |row| row.guest.ha = Some("error".into()))];
        one.tasks = vec![task(1, 50, failed("older")), task(2, 7, failed("newer"))];
        let tasks = vec!["UPID:1:".into(), "UPID:2:".into()];
        let undecided = OperationState::OutcomeUnknown(UnknownWhy::Candidates { tasks });
        let given_up = OperationState::OutcomeUnknown(UnknownWhy::GivenUp { by: "ada".to_owned() });
        one.operations = vec![operation(1, 1, 5, undecided), operation(1, 2, 5, given_up)];
        let cluster = Cluster { name: Some("c".into()), quorate: Some(false), nodes: 2 };
        one.cluster = Some(Observed { value: cluster, at: at(3), through: "a:8006".into() });
        let error = Failure { cause: Cause::Refused, endpoint: None, at: at(1) };
        one.coverage = vec![Coverage {
            last_error: Some(error),
            ..Coverage::new(FacetKind::HaStatus, Duration::from_secs(10))
        }];
    });
    let away = remote(2, |one| {
        one.link.state = LinkState::BackingOff { cause: Cause::Refused, next_try: at(-5) };
        one.link.down_since = Some(at(90));
    });
    let off = remote(3, |one| one.link.state = LinkState::Disconnected { by: "ada".to_owned() });
    let all = look(&fleet(vec![home, away, off]));
    assert_eq!(
        found(&all),
        [
            (2, K::Link, S::Error, true),
            (1, K::Node, S::Error, true),
            (1, K::Quorum, S::Error, true),
            (1, K::Operation, S::Error, true),
            (1, K::Guest, S::Error, true),
            (1, K::Storage, S::Error, true),
            (1, K::Storage, S::Warning, true),
            (1, K::Task, S::Warning, true),
            (1, K::Task, S::Warning, true),
            (3, K::Link, S::Notice, true),
            (1, K::Coverage, S::Notice, true),
        ]
    );
    let sentences: Vec<&str> = all.troubles.iter().map(|(_, one)| one.sentence.as_str()).collect();
    assert_eq!(sentences[7..9], ["newer", "older"]);
    assert_eq!((sentences[5], sentences[6]), ("95 % full", "85 % full"));
    assert_eq!(all.troubles[0].1.since, Some(at(90)), "since it is down, not since it is tried again");
    assert_eq!(all.by_severity, [(S::Error, 6), (S::Warning, 3), (S::Notice, 2)]);
    // Of more than are wanted the worst stay, and all are counted.
    let snapshot = fleet(vec![
        remote(1, |one| one.tasks = (0..50).map(|n| task(n, i64::from(n), failed("no"))).collect()),
        remote(2, |one| one.link.state = LinkState::BackingOff { cause: Cause::Refused, next_try: at(0) }),
    ]);
    let few = overview(&snapshot, &Visible::All, at(0), Limits { troubles: 3, running: 1 });
    assert_eq!(few.troubles.iter().map(|(_, one)| one.kind).collect::<Vec<_>>(), [K::Link, K::Task, K::Task]);
    assert_eq!(few.by_kind, [(K::Link, 1), (K::Task, 50)]);
}

#[test]
fn what_was_wrong_when_last_seen_stays_and_says_so() {
    let down = remote(1, |one| {
        one.link.state = LinkState::Connecting { last: Some(Cause::Refused) };
        one.nodes = vec![node("pve1", NodeState::Offline, stale())];
        one.storages = vec![StorageRow { freshness: stale(), ..storage("a", "pve1", false, Some(990)) }];
        // What of it cannot be read is no news while nothing of it can.
        one.coverage = vec![Coverage {
            last_error: Some(Failure { cause: Cause::Refused, endpoint: None, at: at(1) }),
            ..Coverage::new(FacetKind::Resources, Duration::from_secs(10))
        }];
    });
    let all = look(&fleet(vec![down]));
    use {Severity as S, TroubleKind as K};
    assert_eq!(
        found(&all),
        [(1, K::Link, S::Error, true), (1, K::Node, S::Notice, false), (1, K::Storage, S::Notice, false)]
    );
    assert!(!all.troubles[0].1.sentence.contains("trying"), "it is the same trouble between two tries");
    // Since when it was so nobody has told; when it was seen to be so is known.
    let when: Vec<_> = all.troubles[1..].iter().map(|(_, one)| (one.since, one.seen)).collect();
    assert_eq!(when, [(None, Some(at(30))), (None, Some(at(5)))]);
}

#[test]
fn nothing_is_said_in_the_present_tense_that_was_last_seen_long_ago() {
    let read = Coverage::new(FacetKind::Cluster, Duration::from_secs(10));
    let one = |error: Option<Failure>, freshness: Freshness| {
        remote(1, |one| {
            one.guests = vec![guest(100, GuestState::Running, |row| {
                row.guest.ha = Some("error".into());
                row.freshness = freshness;
            })];
            let cluster = Cluster { name: None, quorate: Some(false), nodes: 2 };
            one.cluster = Some(Observed { value: cluster, at: at(30), through: "a:8006".into() });
            one.coverage = vec![Coverage { last_error: error, ..read.clone() }];
        })
    };
    let told = |one| {
        let all = look(&fleet(vec![one]));
        let of = |kind| {
            let mut found = all.troubles.iter().filter(|(_, one)| one.kind == kind);
            found
                .next()
                .map(|(_, one)| (one.live, one.seen, one.sentence.contains("when last seen")))
                .unwrap()
        };
        (of(TroubleKind::Quorum), of(TroubleKind::Guest))
    };
    let live = (true, None, false);
    assert_eq!(told(one(None, Freshness::Live)), (live, live));
    // The link stands, and yet this is not read any more.
    let error = Failure { cause: Cause::NotSendable { what: "no".to_owned() }, endpoint: None, at: at(1) };
    let was = |ago| (false, Some(at(ago)), true);
    assert_eq!(told(one(Some(error), stale())), (was(30), was(5)));
}

#[test]
fn what_a_version_cannot_tell_is_not_wrong() {
    let failing = |cause: Cause| {
        let error = Failure { cause, endpoint: None, at: at(1) };
        Coverage { last_error: Some(error), ..Coverage::new(FacetKind::Addresses, Duration::from_secs(10)) }
    };
    let old = || failing(Cause::NotSupported { text: String::new() });
    let one = |coverage: Vec<Coverage>| look(&fleet(vec![remote(1, |one| one.coverage = coverage)]));
    assert_eq!(found(&one(vec![old()])), []);
    let both = one(vec![old(), failing(Cause::Refused)]);
    assert_eq!(both.by_kind, [(TroubleKind::Coverage, 1)]);
    assert!(!both.troubles[0].1.sentence.contains("one more"), "{}", both.troubles[0].1.sentence);
}

#[test]
fn of_how_many_remotes_it_is_not_known_what_runs() {
    let listed = |one: &mut RemoteSnapshot| {
        let read = Coverage::new(FacetKind::Tasks, Duration::from_secs(10));
        one.coverage = vec![Coverage { last_success: Some(at(5)), ..read }];
    };
    let well = remote(1, |one| {
        listed(one);
        one.tasks = vec![task(1, 5, TaskOutcome::Running)];
    });
    let away = remote(2, |one| {
        listed(one);
        one.link.state = LinkState::BackingOff { cause: Cause::Refused, next_try: at(0) };
    });
    let new = remote(3, |_| {});
    let snapshot = fleet(vec![well, away, new]);
    let all = look(&snapshot);
    assert_eq!((all.tasks_total, all.tasks_unknown), (1, 2));
    let each: Vec<_> = snapshot.remotes.iter().map(|one| crate::lists::tasks_running(one)).collect();
    assert_eq!(each, [Some(1), None, None]);
    let totals = crate::lists::fleet_totals(&snapshot, &Visible::All, |one| crate::lists::totals(one)).totals;
    assert_eq!((totals.tasks_running, totals.tasks_unknown), (1, 2));
}

#[test]
fn a_task_that_failed_is_told_for_a_day() {
    let day = 24 * 60 * 60;
    let one =
        remote(1, |one| one.tasks = vec![task(1, day - 10, failed("a")), task(2, day + 10, failed("b"))]);
    let snapshot = fleet(vec![one]);
    let of = |now| overview(&snapshot, &Visible::All, now, LIMITS).by_kind;
    assert_eq!(of(at(0)), [(TroubleKind::Task, 1)]);
    // The same snapshot, a little later.
    assert_eq!(of(at(0) + 1.minute()), []);
}

#[test]
fn sums_are_made_of_what_is_known() {
    let home = remote(1, |one| {
        let down = StaleWhy::NodeDown { node: "pve3".into() };
        one.nodes = vec![
            node("pve1", NodeState::Online, Freshness::Live),
            NodeRow {
                node: Node { cpu: None, ..node("pve2", NodeState::Online, Freshness::Live).node },
                ..node("pve2", NodeState::Online, Freshness::Live)
            },
            node("pve3", NodeState::Offline, Freshness::Stale { since: at(9), why: down }),
        ];
        one.storages = vec![
            storage("ceph", "pve1", true, Some(100)),
            storage("ceph", "pve2", true, Some(100)),
            storage("local", "pve1", false, Some(20)),
            storage("local", "pve2", false, None),
        ];
    });
    let away = remote(2, |one| {
        one.link.state = LinkState::BackingOff { cause: Cause::Refused, next_try: at(0) };
        one.nodes = vec![node("pve1", NodeState::Online, stale())];
    });
    let all = look(&fleet(vec![home, away])).capacity;
    // One whose use is unknown and one that is down are in no sum, and counted.
    assert_eq!(all.cpu, Measure { total: 16.0, used: 8.0, of: 4, known: 2, stale: 1 });
    assert_eq!(all.memory, Measure { total: 120, used: 30, of: 4, known: 3, stale: 1 });
    assert_eq!(all.storage, Measure { total: 2000, used: 120, of: 3, known: 2, stale: 0 });
}

#[test]
fn guests_are_counted_by_what_is_known_of_them_now() {
    let one = remote(1, |one| {
        one.guests = vec![
            guest(100, GuestState::Running, |_| {}),
            guest(101, GuestState::Stopped, |row| row.guest.template = Some(true)),
            guest(102, GuestState::Running, |row| {
                (row.standing, row.freshness) = (Standing::OutOfReach, stale());
            }),
            guest(103, GuestState::Running, |row| {
                row.guest.kind = GuestKind::Vm;
                row.standing = Standing::Unknown;
            }),
            guest(104, GuestState::Running, |row| row.standing = Standing::Deleted),
        ];
    });
    let guests = look(&fleet(vec![one])).guests;
    assert_eq!((guests.total, guests.unknown, guests.stale, guests.templates), (4, 2, 1, 1));
    let word = |word| (guests.containers.of(word), guests.machines.of(word));
    assert_eq!(
        [word("running"), word("stopped"), word("out_of_reach"), word("unknown")],
        [(1, 0), (1, 0), (1, 0), (0, 1)]
    );
}

#[test]
fn what_may_not_be_seen_is_in_nothing() {
    let full = |id| {
        remote(id, |one| {
            one.link.state = LinkState::Degraded { failing: Vec::new() };
            one.nodes = vec![node("pve1", NodeState::Online, Freshness::Live)];
            one.guests = vec![guest(100, GuestState::Running, |_| {})];
            one.storages = vec![storage("a", "pve1", false, Some(990))];
            one.tasks = vec![task(1, 5, failed("no")), task(2, 5, TaskOutcome::Running)];
            one.operations = vec![operation(id, id, 5, OperationState::Running)];
        })
    };
    let snapshot = fleet(vec![full(1), full(2)]);
    let seen = overview(&snapshot, &Visible::Remotes([RemoteId(2)].into()), at(0), LIMITS);
    let alone = look(&fleet(vec![full(2)]));
    assert_eq!(format!("{seen:?}"), format!("{alone:?}"));
    assert_eq!((seen.operations_total, seen.tasks_total, seen.guests.total, seen.nodes), (1, 1, 1, 1));
    let nobody = overview(&snapshot, &Visible::Remotes([].into()), at(0), LIMITS);
    assert_eq!((nobody.troubles.len(), nobody.remotes.total, nobody.capacity), (0, 0, Capacity::default()));
}

#[test]
fn the_newest_that_run_are_shown_and_all_are_counted() {
    let one = |id: u64| {
        remote(id, |one| {
            let ago = |n: u64| i64::try_from(n * 2 + id).unwrap();
            one.operations =
                (0..15).map(|n| operation(id, id * 100 + n, ago(n), OperationState::Running)).collect();
            one.operations.push(operation(id, 999, 0, OperationState::Succeeded));
        })
    };
    let all = look(&fleet(vec![one(1), one(2)]));
    assert_eq!((all.operations_total, all.operations.len()), (30, 20));
    let asked: Vec<Timestamp> = all.operations.iter().map(|at| at.operation.requested).collect();
    assert!(asked.windows(2).all(|pair| pair[0] >= pair[1]), "newest first");
    assert_eq!(asked.last(), Some(&at(20)), "those of both remotes by time");
}

#[test]
fn a_part_that_was_made_is_not_made_again_and_a_copy_has_its_own() {
    let one = remote(1, |one| one.guests = vec![guest(100, GuestState::Running, |_| {})]);
    let first: *const Digest = one.digests.of(&one);
    assert!(std::ptr::eq(first, one.digests.of(&one)));
    let mut copy = (*one).clone();
    copy.guests.clear();
    assert_eq!(look(&fleet(vec![Arc::new(copy)])).guests.total, 0);
}
