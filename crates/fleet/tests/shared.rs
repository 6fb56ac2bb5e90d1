//! Several Muster processes on one PostgreSQL: each remote is looked after by one of them, and nothing is sent by any
//! other, or twice. Where no PostgreSQL is installed these tests say so and are skipped.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

#[path = "../../store/tests/common/postgres.rs"]
mod postgres;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::{Clock, Fleet, OperateError, RemoteEdit, RemoteSnapshot, Timings, Who};
use model::{Action, Cause, Operation, OperationId, OperationState, PowerOptions, RemoteId, Vmid};
use postgres::Postgres;
use pve_sim::{Exchange, Fault, Remote, Sim, SimTimings, Topology};
use sqlx::Connection;
use store::{Keys, Place, Store};
use support::{PATIENCE, ada, root, spec};

const START_102: &str = "/nodes/pve1/lxc/102/status/start";

fn server() -> Option<Postgres> {
    Postgres::start().inspect_err(|why| println!("skipped: {why}")).ok()
}

fn timings() -> Timings {
    let mut timings = Timings::shrunk();
    // A task list proves that nothing arrived soon enough for a test, and late enough for a busy machine.
    timings.operation.list_proves_after = Duration::from_millis(1_500);
    timings
}

/// One process of several, as far as the fleet is concerned.
struct One {
    fleet: Fleet,
    store: Store,
}

impl One {
    async fn start(url: &str, name: &str, timings: Timings) -> Self {
        let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
        let store =
            Store::open(Place::Postgres(url.to_owned()), keys, store::Timings::default()).await.unwrap();
        let who = Who {
            home: format!("home of {name}"),
            name: name.to_owned(),
            address: Some(format!("https://{name}.example")),
        };
        let fleet = Fleet::open_as(timings, Clock::new(), 7, store.clone(), who).await.unwrap();
        Self { fleet, store }
    }

    /// Which remotes it looks after.
    fn own(&self) -> Vec<RemoteId> {
        let all = self.fleet.snapshot();
        all.remotes.iter().filter(|remote| remote.elsewhere.is_none()).map(|remote| remote.id).collect()
    }

    async fn until(&self, what: &str, fits: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !fits(self) {
            if began.elapsed() > PATIENCE {
                let now = serde_json::to_string_pretty(&self.fleet.snapshot().remotes).unwrap();
                panic!("never came: {what}\n{:#?}\n{now}", self.fleet.processes());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn remote(
        &self,
        id: RemoteId,
        what: &str,
        fits: impl Fn(&RemoteSnapshot) -> bool,
    ) -> Arc<RemoteSnapshot> {
        self.until(what, |one| one.fleet.remote(id).is_some_and(|remote| fits(&remote))).await;
        self.fleet.remote(id).unwrap()
    }

    /// It looks after the remote, and has seen it.
    async fn ready(&self, id: RemoteId) -> Arc<RemoteSnapshot> {
        self.remote(id, "seen and its own", |now| {
            now.elsewhere.is_none()
                && now.link.state.is_up()
                && !now.guests.is_empty()
                && now.guests.iter().all(|row| row.freshness.is_live())
        })
        .await
    }

    async fn operate(&self, id: RemoteId, vmid: u32) -> Result<OperationId, OperateError> {
        self.fleet.operate(id, Vmid(vmid), Action::Start, PowerOptions::default(), ada()).await
    }

    async fn operation(
        &self,
        id: OperationId,
        what: &str,
        fits: impl Fn(&Operation) -> bool,
    ) -> Arc<Operation> {
        let began = Instant::now();
        loop {
            let now = self.fleet.operation_now(id).await.unwrap();
            if let Some(now) = now.as_ref().filter(|now| fits(now)) {
                return now.clone();
            }
            assert!(began.elapsed() < PATIENCE, "never {what}: {now:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ended(&self, id: OperationId) -> Arc<Operation> {
        self.operation(id, "ended", |operation| operation.state.is_final()).await
    }

    /// Gone from one moment to the next, without a word to anybody.
    fn die(self) {
        drop(self.fleet);
    }

    async fn end(self) {
        self.fleet.stop().await;
        self.store.close().await;
    }
}

/// So many hosts of their own, each a remote.
async fn hosts(count: usize) -> Sim {
    let one = Topology::single("9.2").remotes.remove(0);
    let remotes =
        (0..count).map(|n| pve_sim::RemoteSpec { name: format!("host{n}"), ..one.clone() }).collect();
    Sim::start(Topology { seed: 1, remotes }, SimTimings::fast()).await.unwrap()
}

fn mutations(remote: &Remote) -> Vec<Exchange> {
    let mut all = remote.journal();
    all.retain(|one| one.method != "GET" && !one.api_path().starts_with("/access/"));
    all
}

fn listings(remote: &Remote) -> usize {
    remote.journal().iter().filter(|one| one.api_path() == "/cluster/resources").count()
}

/// Another process takes a remote, behind everybody's back.
async fn steal(url: &str) {
    alter(url, "UPDATE remotes SET owner = 'somebody else', term = term + 1").await;
}

/// As if a process had not said for long that it lives.
async fn expire(url: &str, name: &str) {
    alter(url, &format!("UPDATE processes SET expires = 0 WHERE name = '{name}'")).await;
}

async fn alter(url: &str, sql: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remotes_are_divided_and_each_is_polled_by_exactly_one() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let sim = hosts(4).await;
    let a = One::start(&url, "a", timings()).await;
    let mut ids = Vec::new();
    for remote in sim.remotes() {
        ids.push(a.fleet.add(spec(&remote, 1, root()), &ada()).await.unwrap());
    }
    assert_eq!(a.own(), ids, "whoever is alone looks after all");
    let b = One::start(&url, "b", timings()).await;
    assert_eq!(b.fleet.snapshot().remotes.len(), 4, "what others look after is there at once");
    b.until("its part", |b| b.own().len() == 2).await;
    a.until("its part", |a| a.own().len() == 2).await;
    for id in &ids {
        let (one, other) = if a.own().contains(id) { (&a, &b) } else { (&b, &a) };
        one.ready(*id).await;
        // The other shows the same, as told, and with whom to ask.
        let told = other
            .remote(*id, "told", |now| {
                now.link.state.is_up()
                    && now.guests.len() == 4
                    && now.guests.iter().all(|row| row.freshness.is_live())
            })
            .await;
        let name = if a.own().contains(id) { "a" } else { "b" };
        let wanted =
            Cause::RunElsewhere { process: name.into(), address: Some(format!("https://{name}.example")) };
        assert_eq!(told.elsewhere, Some(wanted));
        let refused = other.operate(*id, 102).await.unwrap_err();
        assert!(matches!(&refused, OperateError::Elsewhere(Cause::RunElsewhere { .. })), "{refused}");
        assert!(other.fleet.connect(*id, &ada()).await.is_err());
        assert!(other.fleet.remove(*id, &ada(), true).await.is_err());
        // What it does not ask anybody for is there, too.
        let known = other.fleet.guest_detail(*id, Vmid(101)).await.unwrap();
        assert!(known.status.error.is_some() && known.row.guest.name.as_deref() == Some("dns"));
    }
    // No more often than one asks: two that poll would be seen.
    for (remote, id) in sim.remotes().iter().zip(&ids) {
        let owner = if a.own().contains(id) { &a } else { &b };
        let began = Instant::now();
        remote.clear_journal();
        owner.until("polled", |_| listings(remote) >= 6).await;
        let (came, most) = (listings(remote), began.elapsed().as_millis() / 250 + 2);
        assert!(u128::try_from(came).unwrap() <= most, "{came} listings in {:?}", began.elapsed());
        assert!(mutations(remote).is_empty());
    }

    // What is changed by one is seen by the other.
    let (one, other) = if a.own().contains(&ids[0]) { (&a, &b) } else { (&b, &a) };
    let edit = RemoteEdit { name: Some("renamed".into()), ..RemoteEdit::default() };
    one.fleet.edit(ids[0], edit, &ada()).await.unwrap();
    other.remote(ids[0], "renamed", |now| now.name.as_str() == "renamed").await;
    let mut numbers = Vec::new();
    for (who, id) in [(&a, a.own()[0]), (&b, b.own()[0])] {
        let started = who.operate(id, 102).await.unwrap();
        assert_eq!(who.ended(started).await.state, OperationState::Succeeded);
        numbers.push(started);
    }
    // Not by chance: each process has numbers of its own.
    assert_ne!(numbers[0].0 % 1024, numbers[1].0 % 1024, "{numbers:?}");
    let through_other = b.operation(numbers[0], "seen by the other", |one| one.state.is_success()).await;
    assert_eq!(through_other.author, ada());
    one.fleet.remove(ids[0], &ada(), false).await.unwrap();
    other.until("removed", |other| other.fleet.remote(ids[0]).is_none()).await;
    a.end().await;
    b.end().await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_leaves_behind_another_finds_and_finishes() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let sim = hosts(2).await;
    let (first, second) = (sim.remotes()[0].clone(), sim.remotes()[1].clone());
    let a = One::start(&url, "a", timings()).await;
    let mut ids = Vec::new();
    for remote in [&first, &second] {
        ids.push(a.fleet.add(spec(remote, 1, root()), &ada()).await.unwrap());
    }
    for id in &ids {
        a.ready(*id).await;
    }
    // One that runs, one whose answer never came, one that waits for its link: and its process dies.
    first.with_world(|world, _| world.hang_next_task("vzstart"));
    let running = a.operate(ids[0], 102).await.unwrap();
    a.operation(running, "running", |one| one.state.word() == "running").await;
    second.fault(None, Fault::Delay { ms: 3_000 }.on(START_102)).await;
    let lost = a.operate(ids[1], 102).await.unwrap();
    a.operation(lost, "sent", |one| one.state.word() == "sent").await;
    let until = Instant::now() + PATIENCE;
    while mutations(&second).is_empty() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let b = One::start(&url, "b", timings()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(b.own().is_empty(), "what is under way keeps its remote where it is");
    a.die();
    b.until("taken over", |b| b.own().len() == 2).await;
    second.clear_all().await;
    let found = b.ended(lost).await;
    assert_eq!(found.state, OperationState::Succeeded, "the host has received it: {found:#?}");
    b.operation(running, "followed", |one| one.state.word() == "running").await;
    let task = b.fleet.operation_now(running).await.unwrap().unwrap().task.clone().unwrap();
    b.fleet.stop_task(ids[0], task.as_str(), &ada()).await.unwrap();
    assert_eq!(b.ended(running).await.state, OperationState::Cancelled);
    let starts = |remote: &Remote| mutations(remote).iter().filter(|one| one.api_path() == START_102).count();
    assert_eq!((starts(&first), starts(&second)), (1, 1), "nothing is sent twice");

    // A process that ends in good order leaves nothing to wait for, and takes nothing with it.
    let slow = {
        let mut slow = timings();
        slow.lease.life = Duration::from_secs(600);
        slow
    };
    let c = One::start(&url, "c", slow).await;
    c.until("its part", |c| c.own().len() == 1).await;
    b.until("its part", |b| b.own().len() == 1).await;
    let began = Instant::now();
    c.end().await;
    b.until("had back", |b| b.own().len() == 2).await;
    assert!(began.elapsed() < Duration::from_secs(60), "long before its lease would have expired");
    b.end().await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_lost_its_lease_sends_nothing() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let sim = hosts(1).await;
    let remote = sim.first().unwrap();
    // A process that does not look: nothing but the transaction can tell it.
    let blind = {
        let mut blind = timings();
        (blind.lease.look, blind.lease.renew) = (Duration::from_secs(600), Duration::from_secs(600));
        (blind.lease.life, blind.lease.margin) = (Duration::from_secs(1200), Duration::from_secs(1));
        blind.operation_wait = Duration::from_secs(20);
        blind
    };
    let a = One::start(&url, "a", blind).await;
    let id = a.fleet.add(spec(&remote, 1, root()), &ada()).await.unwrap();
    a.ready(id).await;
    // It is recorded while it was still ours, and waits for the link; when that is up, it is no longer.
    remote.fault(None, Fault::Refuse).await;
    a.remote(id, "down", |now| !now.link.state.is_up()).await;
    let waits = a.operate(id, 102).await.unwrap();
    steal(&url).await;
    remote.clear_all().await;
    a.until("told", |a| a.fleet.elsewhere(id).is_some()).await;
    let late = a.operate(id, 102).await.unwrap_err();
    assert!(matches!(late, OperateError::Elsewhere(_)), "{late}");
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(mutations(&remote).is_empty(), "{:?}", mutations(&remote));
    a.die();
    expire(&url, "a").await;

    // The next one to look after it says that it was never sent.
    let b = One::start(&url, "b", timings()).await;
    b.ready(id).await;
    let ended = b.ended(waits).await;
    assert!(matches!(ended.state, OperationState::NotSent { .. }), "{ended:#?}");
    let again = b.operate(id, 102).await.unwrap();
    assert_eq!(b.ended(again).await.state, OperationState::Succeeded);
    assert_eq!(mutations(&remote).len(), 1);
    b.end().await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_lives_and_takes_nothing_leaves_nothing_unattended() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let sim = hosts(4).await;
    let a = One::start(&url, "a", timings()).await;
    let mut ids = Vec::new();
    for remote in sim.remotes() {
        ids.push(a.fleet.add(spec(&remote, 1, root()), &ada()).await.unwrap());
    }
    // It says that it lives, for a while to come, and does nothing else.
    let idle = "INSERT INTO processes (id, home, name, number, started, seen, expires) \
                SELECT '0', '0', 'idle', 99, started, seen, expires + 600000 FROM processes";
    alter(&url, idle).await;
    a.until("seen", |a| a.fleet.processes().iter().filter(|one| one.alive).count() == 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(a.own(), ids, "nothing is given up for who does not take it");
    alter(&url, "UPDATE remotes SET owner = NULL, term = term + 1").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    a.until("had back", |a| a.own() == ids).await;
    // As soon as it takes its part it is left one.
    alter(&url, "UPDATE processes SET settles = expires WHERE id = '0'").await;
    a.until("gives up", |a| a.own().len() == 2).await;
    let b = One::start(&url, "b", timings()).await;
    alter(&url, "UPDATE processes SET settles = 0 WHERE id = '0'").await;
    b.until("its part", |b| b.own().len() == 2).await;
    a.until("its part", |a| a.own().len() == 2).await;
    a.end().await;
    b.end().await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_has_taken_is_not_shown_as_if_it_went_on() {
    let Some(server) = server() else { return };
    let url = server.database().await;
    let sim = hosts(1).await;
    let a = One::start(&url, "a", timings()).await;
    let id = a.fleet.add(spec(&sim.first().unwrap(), 1, root()), &ada()).await.unwrap();
    a.ready(id).await;
    // What its new owner tells of it cannot be read.
    alter(&url, "ALTER TABLE gauges RENAME TO hidden").await;
    let another = "INSERT INTO processes (id, home, name, number, started, seen, expires) \
                   SELECT 'b', 'b', 'b', 99, started, seen, expires + 60000 FROM processes; \
                   UPDATE remotes SET owner = 'b', term = term + 1";
    alter(&url, another).await;
    let shown = a
        .remote(id, "not its own", |now| {
            now.elsewhere.is_some() && !now.link.state.is_up() && now.guests.len() == 4
        })
        .await;
    assert!(shown.guests.iter().all(|row| !row.freshness.is_live()), "{:#?}", shown.guests);
    alter(&url, "ALTER TABLE hidden RENAME TO gauges; DELETE FROM processes WHERE id = 'b'").await;
    a.ready(id).await;
    a.end().await;
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_process_stops_by_itself_and_goes_on_when_it_is_back() {
    let Some(mut server) = server() else { return };
    let url = server.database().await;
    let sim = hosts(1).await;
    let remote = sim.first().unwrap();
    let a = One::start(&url, "a", timings()).await;
    let id = a.fleet.add(spec(&remote, 1, root()), &ada()).await.unwrap();
    a.ready(id).await;
    server.stop();
    a.until("lapsed", |a| a.fleet.lease().lapsed.is_some()).await;
    let shown = a
        .remote(id, "said so", |now| {
            now.link.state.cause().is_some_and(|cause| cause.code() == "unattended")
                && now.guests.iter().all(|row| !row.freshness.is_live())
        })
        .await;
    assert_eq!(shown.guests.len(), 4, "nothing is gone");
    let refused = a.operate(id, 102).await.unwrap_err();
    assert!(matches!(&refused, OperateError::Elsewhere(Cause::Unattended { .. })), "{refused}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    remote.clear_journal();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(listings(&remote), 0, "nothing is asked of what may be another's by now");
    server.start_again();
    a.ready(id).await;
    let done = a.operate(id, 102).await.unwrap();
    assert_eq!(a.ended(done).await.state, OperationState::Succeeded);
    assert_eq!(mutations(&remote).len(), 1);
    a.end().await;
    sim.stop().await;
}
