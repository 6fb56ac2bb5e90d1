//! What is found, counted, ordered and left out.

use std::time::Duration;

use model::access::Visible;
use model::facet::Coverage;
use model::rows::{GuestRow, Interface, NodeRow, Standing, StorageRow, UnreadableRow};
use model::*;
use proptest::prelude::*;

use super::order::natural;
use super::*;

const NOW: i64 = 1_800_000_000;

fn at(ago: i64) -> Timestamp {
    Timestamp::from_second(NOW - ago).unwrap()
}

fn guest(vmid: u32, change: impl FnOnce(&mut GuestRow)) -> Arc<GuestRow> {
    let mut facts = Guest::bare(GuestKind::Ct, Vmid(vmid), "pve1".into());
    facts.name = Some(format!("g-{vmid}").into());
    (facts.state, facts.template) = (GuestState::Running, Some(false));
    let mut row = GuestRow {
        state: GuestState::Running,
        guest: facts,
        incarnation: Incarnation(0),
        observed_at: Some(at(5)),
        through: None,
        freshness: Freshness::Live,
        presence: Presence::Present,
        standing: Standing::Known { state: GuestState::Running },
        addresses: None,
        busy: None,
    };
    change(&mut row);
    Arc::new(row)
}

fn remote(id: u64, name: &str, up: bool) -> RemoteSnapshot {
    let mut one = RemoteSnapshot::bare(RemoteId(id), name.into(), at(0));
    one.coverage = vec![Coverage {
        facet: FacetKind::Resources,
        interval: Duration::from_secs(10),
        took: None,
        last_success: Some(at(5)),
        last_error: None,
        missing_privilege: None,
        drift: 0,
        parts: None,
    }];
    if up {
        one.link.state = LinkState::Connected;
    } else {
        one.link.state = LinkState::BackingOff { cause: Cause::Refused, next_try: at(-5) };
    }
    one
}

/// Home is up; away is not, and what it has is known from before.
fn fleet() -> FleetSnapshot {
    let mut home = remote(1, "home", true);
    home.guests = vec![
        guest(100, |row| {
            (row.guest.cpu, row.guest.memory, row.guest.memory_max) = (Some(0.9), Some(10), Some(20))
        }),
        guest(101, |row| {
            row.guest.cpu = Some(0.1);
            row.guest.tags = ["prod".into(), "web".into()].into();
            row.addresses = Some(Arc::new(Observed {
                value: [Interface {
                    name: "eth0".into(),
                    mac: Some("AA:BB:CC:00:11:22".into()),
                    addresses: vec!["10.0.0.5/24".into()],
                }]
                .as_slice()
                .into(),
                at: at(9),
                through: "a:8006".into(),
            }));
        }),
        guest(102, |row| {
            (row.guest.kind, row.guest.name) = (GuestKind::Vm, None);
            (row.state, row.guest.state) = (GuestState::Stopped, GuestState::Stopped);
            row.standing = Standing::Known { state: GuestState::Stopped };
        }),
        guest(103, |row| {
            row.presence = Presence::Deleted { at: at(60) };
            (row.state, row.standing) = (GuestState::Unknown, Standing::Deleted);
            row.freshness = Freshness::Stale { since: at(60), why: StaleWhy::Deleted };
        }),
    ];
    home.nodes = ["pve1", "pve2"]
        .map(|name| NodeRow {
            node: Node { state: NodeState::Online, cpu: Some(0.5), ..Node::bare(name.into()) },
            observed_at: Some(at(5)),
            through: None,
            freshness: Freshness::Live,
        })
        .into();
    let storage = |name: &str, node: &str, shared, used| StorageRow {
        storage: Storage {
            storage: name.into(),
            node: node.into(),
            status: Some("available".into()),
            shared: Some(shared),
            plugin: Some("dir".into()),
            used,
            size: Some(100),
            content: vec!["images".into()],
        },
        observed_at: at(5),
        freshness: Freshness::Live,
    };
    home.storages = vec![
        storage("ceph", "pve1", true, None),
        storage("ceph", "pve2", true, Some(40)),
        storage("local", "pve1", false, Some(90)),
        storage("local", "pve2", false, Some(10)),
    ];
    home.tasks = vec![Task {
        upid: "UPID:pve1:1:".into(),
        node: "pve1".into(),
        kind: "vzstart".into(),
        id: "101".into(),
        user: "root@pam".into(),
        started: at(30),
        ended: Some(at(20)),
        outcome: TaskOutcome::Failed { text: "no such device".into() },
    }];
    let now = Now { wall: at(50), mono: Duration::ZERO };
    home.operations = vec![Arc::new(Operation::record(
        OperationId(1),
        GuestKey { remote: RemoteId(1), vmid: Vmid(101) },
        GuestKind::Ct,
        Some("g-101".into()),
        "pve1".into(),
        Action::Start,
        PowerOptions::default(),
        Author { name: "anna".into(), from: "cli".into() },
        now,
    ))];
    let mut away = remote(2, "away", false);
    away.guests = vec![guest(100, |row| {
        row.guest.cpu = Some(0.95);
        (row.state, row.standing) = (GuestState::Unknown, Standing::OutOfReach);
        row.freshness =
            Freshness::Stale { since: at(3600), why: StaleWhy::Link { cause: Arc::new(Cause::Refused) } };
        row.observed_at = Some(at(3600));
    })];
    FleetSnapshot { revision: 7, remotes: vec![Arc::new(home), Arc::new(away)] }
}

fn asked(q: &str, sort: &str) -> Request {
    Request::parse(Vocabulary::Guests, q, sort, 0, 100).unwrap()
}

fn found(snapshot: &FleetSnapshot, visible: &Visible, request: &Request) -> Vec<String> {
    guests(snapshot, visible, request, at(0))
        .items
        .iter()
        .map(|one| format!("{}/{}", one.remote.name, one.guest.guest.vmid))
        .collect()
}

#[test]
fn guests_are_found_by_what_is_known_of_them_now() {
    let fleet = fleet();
    for (q, sort, want) in [
        ("", "", "home/100 home/101 home/102 away/100"),
        ("status:running", "", "home/100 home/101"),
        // Whether it runs nobody knows: neither way.
        ("-status:running", "", "home/102"),
        ("status:unknown", "", "away/100"),
        ("status:out_of_reach,stopped", "", "home/102 away/100"),
        ("status:deleted", "", "home/103"),
        ("type:vm", "", "home/102"),
        ("remote:home -type:vm", "", "home/100 home/101"),
        ("remote:2", "", "away/100"),
        ("link:down", "", "away/100"),
        ("-link:down 100", "", "home/100"),
        ("100", "", "home/100 away/100"),
        ("tag:web", "", "home/101"),
        ("-tag:web link:up", "", "home/100 home/102"),
        ("ip:10.0.0.0/24", "", "home/101"),
        ("-ip:10.0.0.5", "", ""),
        ("mac:aa:bb:cc:00:11:22", "", "home/101"),
        ("10.0.0", "", "home/101"),
        ("age>5m", "", "away/100"),
        ("fresh:stale", "", "away/100"),
        ("cpu>=90%", "", "home/100 away/100"),
        ("cpu>=90% status:running", "", "home/100"),
        ("mem=50%", "", "home/100"),
        ("name~G-10 link:up", "", "home/100 home/101"),
        // What is not known comes last either way.
        ("", "cpu", "home/101 home/100 away/100 home/102"),
        ("", "-cpu", "away/100 home/100 home/101 home/102"),
        ("", "-vmid,remote", "home/102 home/101 away/100 home/100"),
        ("", "status,-vmid", "away/100 home/101 home/100 home/102"),
    ] {
        assert_eq!(found(&fleet, &Visible::All, &asked(q, sort)).join(" "), want, "{q:?} by {sort:?}");
    }
}

#[test]
fn counts_are_of_all_that_match_and_pages_are_cut_from_it() {
    let fleet = fleet();
    let page = guests(&fleet, &Visible::All, &Request { offset: 1, limit: 2, ..asked("", "-vmid") }, at(0));
    assert_eq!((page.total, page.items.len(), page.revision), (4, 2, 7));
    assert_eq!(page.items[0].guest.guest.vmid, Vmid(101));
    let tally = |tally: &Tally| {
        let mut all: Vec<_> = tally.iter().map(|(word, n)| format!("{word} {n}")).collect();
        all.sort();
        all.join(", ")
    };
    assert_eq!(tally(&page.counts.state), "out_of_reach 1, running 2, stopped 1");
    assert_eq!(tally(&page.counts.kind), "ct 3, vm 1");
    assert_eq!(tally(&page.counts.freshness), "live 3, stale 1");
    assert_eq!(tally(&page.counts.link), "backing_off 1, connected 3");
    let remotes = page.counts.remotes;
    assert_eq!((remotes.total, remotes.up, remotes.never_listed), (2, 1, 0));
    let none = guests(&fleet, &Visible::All, &Request { limit: 0, ..asked("", "cpu") }, at(0));
    assert_eq!((none.total, none.items.len()), (4, 0));
}

#[test]
fn what_may_not_be_seen_is_neither_found_nor_counted() {
    let fleet = fleet();
    let only = |id| Visible::Remotes([RemoteId(id)].into());
    let page = guests(&fleet, &only(2), &asked("", ""), at(0));
    assert_eq!((page.total, page.counts.remotes.total, page.counts.link.of("connected")), (1, 1, 0));
    assert!(found(&fleet, &only(2), &asked("remote:home", "")).is_empty());
    assert!(found(&fleet, &only(3), &asked("", "")).is_empty());
    let about = |about| Request::parse(about, "", "", 0, 100).unwrap();
    assert_eq!(nodes(&fleet, &only(2), &about(Vocabulary::Nodes), at(0)).total, 0);
    assert_eq!(storages(&fleet, &only(2), &about(Vocabulary::Storages), at(0)).total, 0);
    assert_eq!(tasks(&fleet, &only(2), &about(Vocabulary::Tasks), at(0)).total, 0);
    assert_eq!(operations(&fleet, &only(2), &about(Vocabulary::Operations), at(0)).total, 0);
    assert_eq!(remotes(&fleet, &only(2), &about(Vocabulary::Remotes), at(0)).total, 1);
    let seen = fleet_totals(&fleet, &only(2), |remote| totals(remote));
    assert_eq!((seen.remotes, seen.totals.guests, seen.totals.nodes), (1, 1, 0));
}

#[test]
fn what_nodes_share_is_one_storage() {
    let fleet = fleet();
    let list = |q: &str, sort: &str| {
        let request = Request::parse(Vocabulary::Storages, q, sort, 0, 100).unwrap();
        let page = storages(&fleet, &Visible::All, &request, at(0));
        assert_eq!(page.total, page.items.len());
        let each = |one: &StorageAt| {
            let nodes: Vec<_> = one.nodes.iter().map(ToString::to_string).collect();
            format!("{}@{}", one.row().unwrap().storage.storage, nodes.join("+"))
        };
        page.items.iter().map(each).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(list("", ""), "ceph@pve1+pve2 local@pve1 local@pve2");
    assert_eq!(list("node:pve2", ""), "ceph@pve1+pve2 local@pve2");
    assert_eq!(list("shared:yes disk:40%", ""), "ceph@pve1+pve2");
    assert_eq!(list("disk>50%", ""), "local@pve1");
    assert_eq!(list("", "-disk"), "local@pve1 ceph@pve1+pve2 local@pve2");
}

#[test]
fn nodes_tasks_operations_and_remotes_answer_for_themselves() {
    let fleet = fleet();
    let request = |about, q: &str| Request::parse(about, q, "", 0, 100).unwrap();
    for (q, total) in [("", 2), ("status:online", 2), ("pve2", 1), ("cpu<40%", 0), ("status:unknown", 0)] {
        assert_eq!(nodes(&fleet, &Visible::All, &request(Vocabulary::Nodes, q), at(0)).total, total, "{q}");
    }
    for (q, total) in
        [("status:failed", 1), ("status:ok", 0), ("vmid:101", 1), ("name:g-101", 1), ("device", 1)]
    {
        assert_eq!(tasks(&fleet, &Visible::All, &request(Vocabulary::Tasks, q), at(0)).total, total, "{q}");
    }
    for (q, total) in [("status:open", 1), ("status:pending", 1), ("user:anna age<1m", 1), ("action:stop", 0)]
    {
        let page = operations(&fleet, &Visible::All, &request(Vocabulary::Operations, q), at(0));
        assert_eq!(page.total, total, "{q}");
    }
    for (q, total) in
        [("cause:refused", 1), ("cause:\"\"", 1), ("guests>1", 1), ("drift:no", 2), ("cluster:x", 0)]
    {
        assert_eq!(
            remotes(&fleet, &Visible::All, &request(Vocabulary::Remotes, q), at(0)).total,
            total,
            "{q}"
        );
    }
}

/// How many guests a remote has is not known before it was listed, and the deleted are not among them.
#[test]
fn what_was_never_listed_has_no_number_of_guests() {
    let mut fleet = fleet();
    let mut new = remote(3, "new", false);
    new.coverage.clear();
    fleet.remotes.push(Arc::new(new));
    for (q, names) in
        [("guests:3", "home"), ("guests:1", "away"), ("guests<1", ""), ("guests>=0", "home away")]
    {
        let request = Request::parse(Vocabulary::Remotes, q, "", 0, 100).unwrap();
        let page = remotes(&fleet, &Visible::All, &request, at(0));
        let found: Vec<&str> = page.items.iter().map(|one| &*one.name).collect();
        assert_eq!(found.join(" "), names, "{q}");
        assert_eq!(page.counts.remotes.never_listed, 1);
    }
}

/// A remote of which only rows could not be read stands where one with drift does.
#[test]
fn drift_is_sorted_as_it_is_found() {
    let mut fleet = fleet();
    let mut odd = remote(3, "odd", true);
    odd.unreadable.push(UnreadableRow {
        facet: "resources".into(),
        why: "it does not say what it is about".into(),
        raw: "{}".into(),
    });
    fleet.remotes.push(Arc::new(odd));
    let first = |sort: &str| {
        let request = Request::parse(Vocabulary::Remotes, "", sort, 0, 100).unwrap();
        remotes(&fleet, &Visible::All, &request, at(0)).items[0].name.clone()
    };
    assert_eq!((&*first("drift"), &*first("-drift")), ("home", "odd"));
}

#[test]
fn names_are_sorted_as_people_do() {
    let mut names = ["web-10", "Web-2", "web-02", "web", "a1b2", "a1b10", "", "10", "9"];
    names.sort_by(|a, b| natural(a, b));
    assert_eq!(names, ["", "9", "10", "a1b2", "a1b10", "web", "Web-2", "web-02", "web-10"]);
}

proptest! {
    /// The page is what sorting everything and cutting would give, however the rows come.
    #[test]
    fn a_page_is_a_cut_of_the_whole_order(
        rows in prop::collection::vec((prop::option::of(0u8..20), 0u8..4), 0..1500),
        offset in 0usize..30,
        limit in 0usize..30,
        descending: bool,
    ) {
        let mut one = remote(1, "home", true);
        one.guests = (0u32..).zip(&rows).map(|(vmid, (cpu, mem))| guest(vmid, |row| {
            (row.guest.cpu, row.guest.memory) = (cpu.map(f64::from), Some(u64::from(*mem)));
        })).collect();
        let fleet = FleetSnapshot { revision: 1, remotes: vec![Arc::new(one)] };
        let sort = if descending { "-cpu,mem" } else { "cpu,mem" };
        let page = guests(&fleet, &Visible::All, &Request { offset, limit, ..asked("", sort) }, at(0));
        let mut all: Vec<u32> = (0u32..).take(rows.len()).collect();
        all.sort_by_key(|vmid| {
            let (cpu, mem) = rows[*vmid as usize];
            let cpu = cpu.map(|cpu| if descending { -i16::from(cpu) } else { i16::from(cpu) });
            (cpu.is_none(), cpu, mem)
        });
        let want: Vec<u32> = all.into_iter().skip(offset).take(limit).collect();
        let got: Vec<u32> = page.items.iter().map(|one| one.guest.guest.vmid.0).collect();
        prop_assert_eq!(got, want);
        prop_assert_eq!(page.total, rows.len());
    }
}

#[test]
fn values_are_those_of_the_rows_that_may_be_seen() {
    let mut fleet = fleet();
    let mut site = remote(7, "site", true);
    site.guests =
        (0..9).map(|n| guest(100 + n, |row| row.guest.tags = [format!("t-{n}").into()].into())).collect();
    fleet.remotes.push(Arc::new(site));
    let of = |visible: &Visible, about, key, begins: &str, limit| {
        values(&fleet, visible, about, key, begins, limit)
    };
    let all = |about, key, begins: &str| of(&Visible::All, about, key, begins, 20);
    let texts = |found: Vec<(String, usize)>| found.into_iter().map(|(text, _)| text).collect::<Vec<_>>();
    assert_eq!(all(Vocabulary::Guests, Key::Tag, "PR"), [("prod".to_owned(), 1)]);
    assert_eq!(texts(of(&Visible::All, Vocabulary::Guests, Key::Tag, "t-", 3)), ["t-0", "t-1", "t-2"]);
    assert_eq!(all(Vocabulary::Guests, Key::Node, ""), [("pve1".to_owned(), 12 + away(&fleet))]);
    assert!(texts(all(Vocabulary::Guests, Key::Remote, "")).contains(&"site".to_owned()));
    assert_eq!(texts(all(Vocabulary::Storages, Key::Name, "c")), ["ceph"]);
    assert_eq!(texts(all(Vocabulary::Nodes, Key::Name, "pve")), ["pve1", "pve2"]);
    // That there is no pool is no value to propose, and what may not be seen has none.
    assert_eq!(all(Vocabulary::Guests, Key::Pool, ""), []);
    let home = Visible::Remotes([RemoteId(1)].into());
    assert_eq!(of(&home, Vocabulary::Guests, Key::Tag, "t-", 20), []);
    assert_eq!(texts(of(&home, Vocabulary::Guests, Key::Remote, "", 20)), ["home"]);
}

/// However many there are: those that sort first, whichever remote has them, each with all that have it.
#[test]
fn the_values_that_sort_first_are_proposed() {
    let one = |id: u64, vmids: std::ops::Range<u32>| {
        let mut one = remote(id, &format!("site-{id}"), true);
        one.guests =
            vmids.map(|n| guest(n, |row| row.guest.name = Some(format!("web-{n}").into()))).collect();
        Arc::new(one)
    };
    let fleet = FleetSnapshot { revision: 1, remotes: vec![one(1, 2000..5000), one(2, 2..2001)] };
    let of = |visible: &Visible, begins: &str| {
        values(&fleet, visible, Vocabulary::Guests, Key::Name, begins, 3)
            .into_iter()
            .map(|(text, count)| format!("{text} {count}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(of(&Visible::All, ""), "web-2 1, web-3 1, web-4 1");
    assert_eq!(of(&Visible::All, "WEB-200"), "web-200 1, web-2000 2, web-2001 1");
    assert_eq!(of(&Visible::Remotes([RemoteId(1)].into()), "web-"), "web-2000 1, web-2001 1, web-2002 1");
    // A copy of a remote, which may be changed, has its own.
    let mut copy = (*fleet.remotes[1]).clone();
    copy.guests.truncate(1);
    let copied = FleetSnapshot { revision: 2, remotes: vec![Arc::new(copy)] };
    let of_copy = values(&copied, &Visible::All, Vocabulary::Guests, Key::Name, "", 3);
    assert_eq!(of_copy, [("web-2".to_owned(), 1)]);
}

#[test]
fn tasks_that_say_their_storage_are_found_by_it() {
    let task = |n: u32, kind: &str, id: &str| Task {
        upid: format!("UPID:pve1:{n}:").into(),
        node: "pve1".into(),
        kind: kind.into(),
        id: id.into(),
        user: "root@pam".into(),
        started: at(i64::from(n)),
        ended: None,
        outcome: TaskOutcome::Ok,
    };
    let mut home = remote(1, "home", true);
    home.tasks = vec![
        task(1, "imgdel", "101@nas"),
        task(2, "prunebackups", "nas"),
        task(3, "prunebackups", "local"),
        // Which one a clean-up belongs to it does not say; and of what a download names, none is a storage.
        task(4, "imgdel", ""),
        task(5, "download", "nas"),
    ];
    let fleet = FleetSnapshot { revision: 1, remotes: vec![Arc::new(home)] };
    let found = |q: &str| {
        let request = Request::parse(Vocabulary::Tasks, q, "", 0, 10).unwrap();
        let page = tasks(&fleet, &Visible::All, &request, at(0));
        page.items.iter().map(|one| one.task().unwrap().upid.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("storage:nas"), "UPID:pve1:1: UPID:pve1:2:");
    assert_eq!(found("-storage:nas"), "UPID:pve1:3:", "of the others nobody knows");
    let proposed = values(&fleet, &Visible::All, Vocabulary::Tasks, Key::Storage, "", 10);
    assert_eq!(proposed, [("local".to_owned(), 1), ("nas".to_owned(), 2)]);
}

/// How many guests on `pve1` the remotes beside home and site have.
fn away(fleet: &FleetSnapshot) -> usize {
    let others = fleet.remotes.iter().filter(|one| !matches!(one.name.as_str(), "home" | "site"));
    others.map(|one| one.guests_there()).sum()
}
