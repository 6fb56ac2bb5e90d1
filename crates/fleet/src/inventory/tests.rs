//! Reconciling listings, as tables and by chance.

use proptest::prelude::*;

use model::{ConfigChange, Incarnation, TaskOutcome};

use super::tasks::TASKS_KEPT;
use super::*;

const MARK: Option<PermissionsMark> = Some(PermissionsMark(1));

fn at(seconds: u64) -> Now {
    let mono = Duration::from_secs(seconds);
    Now { wall: Timestamp::UNIX_EPOCH + mono, mono }
}

fn reading(begun: u64) -> Reading {
    Reading { begun: Duration::from_secs(begun), through: "pve1:8006".into() }
}

fn node(name: &str, state: &str) -> Node {
    Node { state: NodeState::from_word(state), ..Node::bare(name.into()) }
}

fn guest(vmid: u32, node: &str, state: &str) -> Guest {
    Guest {
        name: Some(format!("guest-{vmid}").into()),
        state: GuestState::from_word(state),
        memory_max: Some(1024),
        ..Guest::bare(GuestKind::Ct, Vmid(vmid), node.into())
    }
}

/// What is left of a guest whose node is down longer than five minutes.
fn forgotten(vmid: u32, node: &str) -> Guest {
    Guest::bare(GuestKind::Ct, Vmid(vmid), node.into())
}

fn listing(nodes: &[(&str, &str)], guests: Vec<Guest>) -> Listing {
    Listing {
        nodes: nodes.iter().map(|(name, state)| node(name, state)).collect(),
        guests,
        complete: true,
        ..Listing::default()
    }
}

const BOTH: &[(&str, &str)] = &[("a", "online"), ("b", "online")];
const B_DOWN: &[(&str, &str)] = &[("a", "online"), ("b", "offline")];

fn seeded() -> Inventory {
    let mut inventory = Inventory::default();
    let guests = vec![guest(101, "a", "running"), guest(201, "b", "running")];
    let changes = inventory.reconcile(listing(BOTH, guests), &reading(1), MARK, None, at(1)).unwrap();
    assert_eq!(changes.len(), 4, "two nodes and two guests appeared");
    inventory
}

fn known(inventory: &Inventory, vmid: u32) -> &Known {
    &inventory.guests[&Vmid(vmid)]
}

#[test]
fn a_listing_that_may_lag_does_not_overrule_the_guest_itself() {
    let mut inventory = Inventory::new(Duration::from_secs(15));
    let list = |inventory: &mut Inventory, state: &str, second| {
        let rows = vec![guest(101, "a", state)];
        inventory.reconcile(listing(BOTH, rows), &reading(second), MARK, None, at(second)).unwrap()
    };
    list(&mut inventory, "stopped", 1);
    let said = |state: &str| Glimpse { uptime: Some(3), ..Glimpse::of(&guest(101, "a", state)) };
    let changes = inventory.glimpse(Vmid(101), said("running"), &reading(5), at(6));
    assert_eq!(changes.len(), 1, "{changes:?}");
    // A listing from before the start is still being served.
    assert!(list(&mut inventory, "stopped", 10).is_empty());
    assert_eq!(known(&inventory, 101).guest.state, GuestState::Running);
    assert_eq!(known(&inventory, 101).guest.uptime, Some(3));
    assert_eq!(inventory.contradicted(), BTreeSet::from([Vmid(101)]), "so the guest is asked again");
    assert!(inventory.contradicted().is_empty(), "once");
    // An older answer that comes late changes nothing.
    assert!(inventory.glimpse(Vmid(101), said("stopped"), &reading(4), at(11)).is_empty());
    // Later listings count again.
    assert_eq!(list(&mut inventory, "stopped", 30).len(), 1);
    assert_eq!(known(&inventory, 101).guest.state, GuestState::Stopped);
}

#[test]
fn a_state_that_could_not_be_read_is_told_from_one_that_is_not_known() {
    let mut inventory = seeded();
    let mut odd = listing(BOTH, vec![guest(101, "a", ""), guest(201, "b", "unknown")]);
    odd.unread.insert(Vmid(101));
    inventory.reconcile(odd, &reading(11), MARK, None, at(11)).unwrap();
    assert_eq!(known(&inventory, 101).doubt, Some(Doubt::StateUnread));
    assert_eq!(known(&inventory, 201).doubt, Some(Doubt::StateUnknown));
    assert_eq!(known(&inventory, 101).guest.state, GuestState::Running, "as last known");
}

#[test]
fn the_guests_of_a_dead_node_keep_everything_that_was_known() {
    let mut inventory = seeded();
    for (second, row) in [(11, guest(201, "b", "running")), (400, forgotten(201, "b"))] {
        let rows = vec![guest(101, "a", "running"), row];
        let changes =
            inventory.reconcile(listing(B_DOWN, rows), &reading(second), MARK, None, at(second)).unwrap();
        let dead = known(&inventory, 201);
        assert_eq!(dead.doubt, Some(Doubt::NodeDown("b".into())));
        assert_eq!(dead.guest.name.as_ref().unwrap().as_str(), "guest-201");
        assert_eq!((dead.guest.memory_max, &dead.guest.state), (Some(1024), &GuestState::Running));
        assert_eq!(dead.observed_at, Some(at(1).wall), "it was not seen since");
        assert_eq!(known(&inventory, 101).observed_at, Some(at(second).wall), "the other one was");
        let told = changes.iter().filter(|one| matches!(one, Change::GuestInDoubt { .. })).count();
        assert_eq!(told, usize::from(second == 11), "told once");
        assert!(!changes.iter().any(|one| matches!(one, Change::GuestState { .. })), "{changes:?}");
    }
    let rows = vec![guest(101, "a", "running"), guest(201, "b", "stopped")];
    let changes = inventory.reconcile(listing(BOTH, rows), &reading(500), MARK, None, at(500)).unwrap();
    assert!(changes.contains(&Change::GuestCertain { vmid: Vmid(201) }));
    assert_eq!(known(&inventory, 201).guest.state, GuestState::Stopped);
}

#[test]
fn a_state_that_proxmox_does_not_know_is_no_state() {
    let mut inventory = seeded();
    let nodes = [("a", "online"), ("b", "unknown")];
    let rows = vec![guest(101, "a", "running"), forgotten(201, "b")];
    inventory.reconcile(listing(&nodes, rows), &reading(2), MARK, None, at(2));
    assert_eq!(known(&inventory, 201).doubt, Some(Doubt::StateUnknown), "just booted is not down");
    assert_eq!(known(&inventory, 201).guest.state, GuestState::Running, "as last known");
}

#[test]
fn a_guest_first_met_on_a_dead_node_was_never_seen_alive() {
    let mut inventory = Inventory::default();
    inventory.reconcile(listing(B_DOWN, vec![forgotten(201, "b")]), &reading(1), MARK, None, at(1));
    let met = known(&inventory, 201);
    assert!(met.observed_at.is_none() && met.guest.state == GuestState::Unknown && met.guest.name.is_none());
}

#[test]
fn a_late_answer_is_dropped() {
    let mut inventory = seeded();
    let rows = vec![guest(101, "a", "stopped"), guest(201, "b", "running")];
    inventory.reconcile(listing(BOTH, rows), &reading(20), MARK, None, at(21));
    let late = vec![guest(101, "a", "running")];
    assert!(inventory.reconcile(listing(BOTH, late), &reading(15), MARK, MARK, at(22)).is_none());
    assert_eq!(known(&inventory, 101).guest.state, GuestState::Stopped);
    assert!(known(&inventory, 201).presence.is_present());
}

#[test]
fn a_name_is_not_lost_to_a_row_that_lacks_it() {
    let mut inventory = seeded();
    let bare = Guest { name: None, ..guest(101, "a", "stopped") };
    inventory.reconcile(
        listing(BOTH, vec![bare, guest(201, "b", "running")]),
        &reading(2),
        MARK,
        None,
        at(2),
    );
    assert_eq!(known(&inventory, 101).guest.name.as_ref().unwrap().as_str(), "guest-101");
}

#[test]
fn changes_are_told_one_by_one() {
    let mut inventory = seeded();
    let moved = Guest { name: Some("new".into()), memory_max: Some(2048), ..guest(101, "b", "stopped") };
    let rows = vec![moved, guest(201, "b", "running")];
    let changes = inventory.reconcile(listing(BOTH, rows), &reading(2), MARK, None, at(2)).unwrap();
    let vmid = Vmid(101);
    let expected = vec![
        Change::GuestState { vmid, from: GuestState::Running, to: GuestState::Stopped },
        Change::GuestMoved { vmid, from: "a".into(), to: "b".into() },
        Change::GuestRenamed { vmid, from: Some("guest-101".into()), to: Some("new".into()) },
        Change::GuestReshaped {
            vmid,
            changes: vec![ConfigChange {
                key: "memory".into(),
                from: Some("1024".into()),
                to: Some("2048".into()),
            }],
        },
    ];
    assert_eq!(changes, expected);
}

#[test]
fn another_kind_or_a_number_that_was_deleted_is_another_guest() {
    let mut inventory = seeded();
    let vm = Guest { kind: GuestKind::Vm, ..guest(101, "a", "running") };
    let changes = inventory.reconcile(
        listing(BOTH, vec![vm, guest(201, "b", "running")]),
        &reading(2),
        MARK,
        None,
        at(2),
    );
    assert!(changes.unwrap().contains(&Change::GuestReborn { vmid: Vmid(101), incarnation: Incarnation(1) }));

    let gone = || listing(BOTH, vec![guest(201, "b", "running")]);
    for second in [3, 4] {
        inventory.reconcile(gone(), &reading(second), MARK, MARK, at(second));
    }
    assert_eq!(inventory.to_ask().len(), 1);
    inventory.asked(Vmid(101), Inquiry::DoesNotExist, at(5));
    assert!(matches!(known(&inventory, 101).presence, Presence::Deleted { .. }));
    assert!(!inventory.expected().contains(&Vmid(101)), "nobody looks for it any more");
    let again = listing(BOTH, vec![guest(101, "a", "stopped"), guest(201, "b", "running")]);
    inventory.reconcile(again, &reading(6), MARK, None, at(6));
    assert_eq!(known(&inventory, 101).incarnation, Incarnation(2));
    assert!(known(&inventory, 101).presence.is_present());
}

fn task(upid: &str, kind: &str, started: u64, outcome: TaskOutcome) -> Task {
    Task {
        upid: upid.into(),
        node: "a".into(),
        kind: kind.into(),
        id: "101".into(),
        user: "root@pam".into(),
        started: at(started).wall,
        ended: None,
        outcome,
    }
}

#[test]
fn a_create_or_restore_begins_another_life_and_an_old_one_does_not() {
    let mut inventory = seeded();
    let told = |inventory: &mut Inventory, second: u64, task: Task| {
        inventory.take_tasks(vec![task], Duration::from_secs(second), at(second)).unwrap().len()
    };
    assert_eq!(
        told(&mut inventory, 2, task("1", "vzcreate", 0, TaskOutcome::Ok)),
        0,
        "before it was first seen"
    );
    assert_eq!(told(&mut inventory, 3, task("2", "vzrestore", 3, TaskOutcome::Running)), 0, "not ended");
    assert_eq!(told(&mut inventory, 4, task("2", "vzrestore", 3, TaskOutcome::Ok)), 1);
    assert_eq!(told(&mut inventory, 5, task("2", "vzrestore", 3, TaskOutcome::Ok)), 0, "told once");
    let failed = TaskOutcome::Failed { text: "no space".into() };
    assert_eq!(told(&mut inventory, 6, task("3", "vzcreate", 6, failed)), 0);
    assert_eq!(known(&inventory, 101).incarnation, Incarnation(1));
    // Destroyed, then there again.
    assert_eq!(told(&mut inventory, 7, task("4", "vzdestroy", 7, TaskOutcome::Ok)), 0);
    let rows = vec![guest(101, "a", "stopped"), guest(201, "b", "running")];
    inventory.reconcile(listing(BOTH, rows), &reading(8), MARK, None, at(8));
    assert_eq!(known(&inventory, 101).incarnation, Incarnation(2));
    // Or by what its configuration says.
    let traits = |ctime| Traits { ctime: Some(ctime), ..Traits::default() };
    assert_eq!(inventory.note_traits(Vmid(101), traits(5), at(9)), None, "learnt, not changed");
    assert!(inventory.note_traits(Vmid(101), traits(6), at(9)).is_some());
}

#[test]
fn another_life_shows_nothing_of_the_last_one_and_is_told_by_the_remotes_own_clock() {
    let mut inventory = seeded();
    let addresses = Observed { value: Interfaces::default(), at: at(1).wall, through: "a:8006".into() };
    inventory.guests.get_mut(&Vmid(101)).unwrap().row_mut().addresses = Some(Arc::new(addresses));
    // Three hours behind us: restored just now is long ago by our clock.
    inventory.skew = SignedDuration::from_hours(-3);
    let mut restored = task("1", "vzrestore", 0, TaskOutcome::Ok);
    restored.started = at(5).wall.checked_add(inventory.skew).unwrap();
    assert_eq!(inventory.take_tasks(vec![restored], Duration::from_secs(6), at(6)).unwrap().len(), 1);
    assert_eq!(known(&inventory, 101).incarnation, Incarnation(1));
    assert!(known(&inventory, 101).addresses.is_none());
    // Three hours ahead: created long ago looks like tomorrow.
    inventory.skew = SignedDuration::from_hours(3);
    let mut created = task("2", "vzcreate", 0, TaskOutcome::Ok);
    created.started = at(1).wall.checked_add(inventory.skew).unwrap();
    assert!(inventory.take_tasks(vec![created], Duration::from_secs(7), at(7)).unwrap().is_empty());
}

#[test]
fn a_listing_begun_before_the_destruction_was_told_is_no_new_life() {
    let mut inventory = seeded();
    inventory.take_tasks(vec![task("1", "vzdestroy", 4, TaskOutcome::Ok)], Duration::from_secs(5), at(5));
    let rows = || vec![guest(101, "a", "stopped"), guest(201, "b", "running")];
    inventory.reconcile(listing(BOTH, rows()), &reading(3), MARK, None, at(6));
    assert_eq!(known(&inventory, 101).incarnation, Incarnation(0));
    assert!(inventory.is_about(Vmid(101), Duration::from_secs(2)));
    inventory.reconcile(listing(BOTH, rows()), &reading(7), MARK, None, at(7));
    assert_eq!(known(&inventory, 101).incarnation, Incarnation(1));
    assert!(!inventory.is_about(Vmid(101), Duration::from_secs(6)), "an answer about the one before");
}

#[test]
fn a_row_that_does_not_say_where_a_guest_is_has_not_moved_it() {
    let mut inventory = seeded();
    let rows = vec![guest(101, "", "running"), guest(201, "b", "running")];
    let changes = inventory.reconcile(listing(BOTH, rows), &reading(2), MARK, None, at(2)).unwrap();
    assert_eq!(changes, []);
    assert_eq!(known(&inventory, 101).guest.node.as_str(), "a");
}

#[test]
fn a_storage_that_is_no_longer_listed_or_measured_stays_and_is_not_called_live() {
    let storage = |name: &str, size: Option<u64>| Storage {
        storage: name.into(),
        node: "a".into(),
        status: Some("available".into()),
        shared: None,
        plugin: None,
        used: size,
        size,
        content: Vec::new(),
    };
    let mut inventory = Inventory::default();
    let mut take = |second: u64, storages: Vec<Storage>| {
        let listing = Listing { storages, ..listing(BOTH, Vec::new()) };
        inventory.reconcile(listing, &reading(second), MARK, None, at(second));
        inventory
            .storages
            .values()
            .map(|one| (one.seen.value.size, one.listed, one.vague))
            .collect::<Vec<_>>()
    };
    take(1, vec![storage("x", Some(5)), storage("y", Some(6))]);
    assert_eq!(take(2, vec![storage("y", None)]), [(Some(5), false, false), (Some(6), true, true)]);
    let back = take(3, vec![storage("x", Some(7)), storage("y", Some(8))]);
    assert_eq!(back, [(Some(7), true, false), (Some(8), true, false)]);
}

#[test]
fn of_guests_deleted_long_ago_only_so_many_are_kept_in_memory() {
    let mut inventory = seeded();
    for n in 0..3000u32 {
        let mut gone = known(&inventory, 101).clone();
        gone.row_mut().presence = Presence::Deleted { at: at(u64::from(n)).wall };
        inventory.guests.insert(Vmid(1000 + n), gone);
    }
    let rows = vec![guest(101, "a", "running"), guest(201, "b", "running")];
    inventory.reconcile(listing(BOTH, rows), &reading(2), MARK, None, at(2));
    assert_eq!(inventory.guests.len(), 2 + DELETED_KEPT);
    assert!(inventory.guests.contains_key(&Vmid(3999)) && !inventory.guests.contains_key(&Vmid(1000)));
    // Whoever has such a number next is not the one who had it.
    let rows = vec![guest(101, "a", "running"), guest(201, "b", "running"), guest(1000, "a", "running")];
    inventory.reconcile(listing(BOTH, rows), &reading(3), MARK, None, at(3));
    assert_eq!(known(&inventory, 1000).incarnation, Incarnation(1));
}

#[test]
fn a_task_that_is_no_longer_told_of_is_unknown_and_an_ended_one_stays_ended() {
    let mut inventory = Inventory::default();
    let take = |inventory: &mut Inventory, second: u64, tasks: Vec<Task>| {
        inventory.take_tasks(tasks, Duration::from_secs(second), at(second));
    };
    take(
        &mut inventory,
        1,
        vec![task("1", "vzstart", 1, TaskOutcome::Running), task("2", "vzstop", 1, TaskOutcome::Ok)],
    );
    take(&mut inventory, 2, vec![task("2", "vzstop", 1, TaskOutcome::Running)]);
    assert_eq!(inventory.tasks[&TaskId::from("1")].outcome, TaskOutcome::Unknown);
    assert_eq!(inventory.tasks[&TaskId::from("2")].outcome, TaskOutcome::Ok);
}

#[test]
fn of_tasks_the_newest_are_kept_and_all_that_the_list_has() {
    let mut inventory = Inventory::default();
    let mut take = |second: u64, tasks: std::ops::Range<u64>| {
        let tasks = tasks.map(|n| task(&format!("n{n:04}"), "vzdump", n, TaskOutcome::Ok)).collect();
        inventory.touched.tasks.clear();
        inventory.take_tasks(tasks, Duration::from_secs(second), at(second));
        (inventory.tasks.len(), inventory.tasks.keys().next().cloned(), inventory.touched.tasks.len())
    };
    let first = |n: u64| Some(TaskId::from(format!("n{n:04}").as_str()));
    // A large cluster lists more than are kept of others: read again, nothing of it has changed.
    assert_eq!(take(1, 0..900), (900, first(0), 900));
    assert_eq!(take(2, 0..900), (900, first(0), 0));
    // With a shorter list the oldest go that it no longer has.
    assert_eq!(take(3, 880..910), (TASKS_KEPT, first(410), 420));
}

#[test]
fn what_another_facet_brought_stays_with_its_node() {
    let mut inventory = seeded();
    inventory.nodes.get_mut("a").unwrap().node.version = Some("9.2.3".into());
    let rows = || vec![guest(101, "a", "running"), guest(201, "b", "running")];
    inventory.reconcile(listing(BOTH, rows()), &reading(2), MARK, None, at(2));
    assert_eq!(inventory.nodes["a"].node.version.as_ref().unwrap().as_str(), "9.2.3");
    inventory.reconcile(listing(&[("a", "online")], rows()), &reading(3), MARK, None, at(3));
    assert!(!inventory.nodes["b"].listed && inventory.nodes.len() == 2, "a node that is not listed stays");
}

#[derive(Debug, Clone)]
struct Round {
    rows: Vec<(u32, bool, u8)>,
    b: bool,
    complete: bool,
    before: u64,
    after: Option<u64>,
    late: bool,
    inquiry: u8,
}

fn rounds() -> impl Strategy<Value = Round> {
    let row = (100u32..106, any::<bool>(), 0u8..4);
    (
        prop::collection::vec(row, 0..6),
        any::<bool>(),
        any::<bool>(),
        0u64..2,
        prop::option::of(0u64..2),
        prop::bool::weighted(0.2),
        0u8..4,
    )
        .prop_map(|(rows, b, complete, before, after, late, inquiry)| Round {
            rows,
            b,
            complete,
            before,
            after,
            late,
            inquiry,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever listings come: nothing that was seen disappears, no name is lost, an unknown state is never
    /// taken for one, and deletion is believed on three signs only.
    #[test]
    fn nothing_that_was_seen_disappears(rounds in prop::collection::vec(rounds(), 1..30)) {
        let mut inventory = Inventory::default();
        let mut names: BTreeMap<Vmid, Text> = BTreeMap::new();
        let mut second = 10u64;
        for round in rounds {
            second += 10;
            let nodes: &[(&str, &str)] = if round.b { BOTH } else { B_DOWN };
            let mut rows: BTreeMap<u32, Guest> = BTreeMap::new();
            for (vmid, on_b, form) in &round.rows {
                let node = if *on_b { "b" } else { "a" };
                let row = match form {
                    0 => forgotten(*vmid, node),
                    1 => guest(*vmid, node, "stopped"),
                    2 => Guest { name: None, ..guest(*vmid, node, "running") },
                    _ => guest(*vmid, node, "running"),
                };
                rows.insert(*vmid, row);
            }
            let listed: BTreeSet<u32> = rows.keys().copied().collect();
            let begun = if round.late { second - 100_000u64.min(second) } else { second };
            let mut listing = listing(nodes, rows.into_values().collect());
            listing.complete = round.complete;
            let was: BTreeMap<Vmid, Known> = inventory.guests.clone();
            let mark = |n: u64| PermissionsMark(n);
            let taken = inventory
                .reconcile(listing, &reading(begun), Some(mark(round.before)), round.after.map(mark), at(second))
                .is_some();
            for (vmid, before) in &was {
                let now = &inventory.guests[vmid];
                if !taken {
                    prop_assert_eq!(&now.guest, &before.guest);
                    prop_assert_eq!(&now.presence, &before.presence);
                    continue;
                }
                if listed.contains(&vmid.0) {
                    prop_assert!(now.presence.is_present());
                } else {
                    prop_assert!(!now.presence.is_present());
                    let deleted = matches!(now.presence, Presence::Deleted { .. });
                    prop_assert_eq!(deleted, matches!(before.presence, Presence::Deleted { .. }), "by a listing alone");
                    prop_assert_eq!(&now.guest, &before.guest, "absence takes nothing away");
                }
                if now.incarnation == before.incarnation && before.guest.state.is_known() && now.doubt.is_some() {
                    prop_assert!(now.guest.state.is_known());
                    prop_assert_eq!(now.observed_at, before.observed_at);
                }
            }
            for (vmid, known) in &inventory.guests {
                if let (Some(name), None) = (names.get(vmid), &known.guest.name) {
                    prop_assert!(known.incarnation != was[vmid].incarnation, "{name} was lost");
                }
                match &known.guest.name {
                    Some(name) => { names.insert(*vmid, name.clone()); }
                    None => { names.remove(vmid); }
                }
            }
            for (vmid, ..) in inventory.to_ask() {
                let said = [Inquiry::Exists, Inquiry::DoesNotExist, Inquiry::Forbidden, Inquiry::NoAnswer][usize::from(round.inquiry)];
                let Presence::Missing { listings, .. } = inventory.guests[&vmid].presence else { panic!() };
                prop_assert!(listings >= 2);
                inventory.asked(vmid, said, at(second));
                let deleted = matches!(inventory.guests[&vmid].presence, Presence::Deleted { .. });
                prop_assert_eq!(deleted, said == Inquiry::DoesNotExist);
            }
        }
    }
}
