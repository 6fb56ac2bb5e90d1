//! Several processes on one database.

use std::time::Duration;

use model::RemoteId;
use store::*;

use crate::common::*;

const LONG: Duration = Duration::from_secs(60);

fn process(id: &str) -> Process {
    Process { id: id.into(), home: format!("home of {id}"), name: id.into(), address: None }
}

fn owned(id: u64, name: &str, owner: &str) -> Write {
    let identity = Some(format!("root of {name}"));
    Write::Remote(RemoteRecord { owner: Some(owner.into()), identity, ..remote(id, name) })
}

fn held(id: u64, owner: &str, term: i64) -> Write {
    Write::Held { remote: RemoteId(id), owner: owner.into(), term }
}

async fn enrolled(store: &Store, id: &str, life: Duration) -> Leases {
    store.enrol(process(id), life).await.unwrap().unwrap()
}

fn owners(stand: &Stand) -> Vec<(u64, Option<&str>, i64)> {
    stand.holdings.iter().map(|one| (one.remote.0, one.owner.as_deref(), one.term)).collect()
}

pub async fn a_remote_has_one_owner_and_nobody_else_writes_about_it(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    if ground.is_sqlite() {
        assert!(
            store.enrol(process("one"), LONG).await.unwrap().is_none(),
            "there is nobody to share it with"
        );
        store.close().await;
        return;
    }
    let other = Store::open(place, keys(), timings()).await.unwrap();
    let one = enrolled(&store, "one", LONG).await;
    let two = enrolled(&other, "two", LONG).await;
    assert_ne!(one.number(), two.number());
    store.write(vec![owned(1, "a", "one"), held(1, "one", 0)]).await.unwrap();
    assert_eq!(two.take(9).await.unwrap(), [], "its owner lives");
    let stand = two.stand().await.unwrap();
    assert_eq!(owners(&stand), [(1, Some("one"), 0)]);
    assert_eq!(stand.living().count(), 2);

    // What is written without the lease is not written at all, whatever else is in the batch or waits with it.
    let line = || Write::Event(event(1, 101, "x", 0));
    for wrong in [held(1, "two", 0), held(1, "one", 1), held(2, "one", 0)] {
        let error = other.write(vec![line(), wrong]).await.unwrap_err();
        assert_eq!(error, StoreError::NotHeld);
    }
    assert_eq!(store.last_event_seq().await.unwrap(), 0);
    store.write(vec![line(), held(1, "one", 0)]).await.unwrap();
    let after = two.stand().await.unwrap();
    assert_eq!(after.last_event, 1);
    assert!(after.holdings[0].written > stand.holdings[0].written, "others can tell that there is news");

    // Given up, it is the next one's, in another term: what the former owner still has in hand fails.
    one.give_up(RemoteId(1)).await.unwrap();
    assert_eq!(two.take(9).await.unwrap(), [(RemoteId(1), 1)]);
    assert_eq!(store.write(vec![held(1, "one", 0)]).await.unwrap_err(), StoreError::NotHeld);
    other.write(vec![held(1, "two", 1)]).await.unwrap();
    // A record written anew changes no owner.
    other.write(vec![owned(1, "renamed", "one"), held(1, "two", 1)]).await.unwrap();
    assert_eq!(owners(&one.stand().await.unwrap()), [(1, Some("two"), 1)]);
    other.write(vec![held(1, "two", 1), Write::RemoteGone { id: RemoteId(1) }]).await.unwrap();
    assert_eq!(owners(&one.stand().await.unwrap()), []);
    store.close().await;
    other.close().await;
}

pub async fn what_a_process_looked_after_is_free_once_it_is_gone(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    if ground.is_sqlite() {
        store.close().await;
        return;
    }
    let short = Duration::from_millis(400);
    let one = enrolled(&store, "one", short).await;
    let two = enrolled(&store, "two", LONG).await;
    for (id, name) in [(1, "a"), (2, "b"), (3, "c")] {
        store.write(vec![owned(id, name, "one")]).await.unwrap();
    }
    one.renew(false).await.unwrap();
    assert_eq!(two.take(9).await.unwrap(), []);
    // That it takes its part counts once it says so, and for as long; saying nothing of it takes nothing back.
    let settles = async || two.stand().await.unwrap().alive("one").unwrap().settles;
    assert!(!settles().await);
    one.renew(true).await.unwrap();
    assert!(settles().await);
    one.renew(false).await.unwrap();
    assert!(settles().await);
    tokio::time::sleep(short * 2).await;
    assert_eq!(two.take(2).await.unwrap().len(), 2, "no more than wanted");
    assert_eq!(one.take(9).await.unwrap(), [], "whoever does not live takes nothing");
    assert_eq!(two.take(9).await.unwrap(), [(RemoteId(3), 1)]);
    let stand = two.stand().await.unwrap();
    assert!(stand.alive("one").is_none() && stand.alive("two").is_some());

    // Whoever leaves leaves nothing behind.
    two.leave().await.unwrap();
    one.renew(false).await.unwrap();
    assert_eq!(one.take(9).await.unwrap().len(), 3);
    // Whoever starts again in the same place takes the place of the one before, alive or not.
    let again = store.enrol(Process { id: "three".into(), ..process("one") }, LONG).await.unwrap().unwrap();
    let stand = again.stand().await.unwrap();
    assert_eq!(stand.processes.len(), 1);
    assert!(stand.holdings.iter().all(|one| one.owner.is_none()), "{stand:?}");
    store.close().await;
}

pub async fn two_processes_cannot_give_the_same_name(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    if ground.is_sqlite() {
        store.close().await;
        return;
    }
    let other = Store::open(place, keys(), timings()).await.unwrap();
    let add = |id, owner: &str| vec![owned(id, "site", owner), Write::Event(event(id, 1, "x", 0))];
    let (a, b) = tokio::join!(store.write(add(1, "one")), other.write(add(2, "two")));
    let refused = a.err().or(b.err()).expect("one of them is refused");
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    assert_eq!(store.remotes().await.unwrap().len(), 1);
    // Users, too, change where others see it.
    let leases = enrolled(&store, "one", LONG).await;
    let before = leases.stand().await.unwrap().people;
    other.write(vec![Write::UserGone { name: "anna".into() }]).await.unwrap();
    assert!(leases.stand().await.unwrap().people > before);
    store.close().await;
    other.close().await;
}

pub async fn a_database_in_use_is_not_restored_over(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    if ground.is_sqlite() {
        store.close().await;
        return;
    }
    let file = ground.file("kept.db");
    store.write(vec![owned(1, "a", "one")]).await.unwrap();
    let leases = enrolled(&store, "one", LONG).await;
    store.backup(&file).await.unwrap();
    let error = Store::restore(&file, &place, true, &timings()).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    leases.leave().await.unwrap();
    store.close().await;
    Store::restore(&file, &place, true, &timings()).await.unwrap();
    let store = Store::open(place, keys(), timings()).await.unwrap();
    let stand = enrolled(&store, "two", LONG).await.stand().await.unwrap();
    assert_eq!(owners(&stand), [(1, None, 0)]);
    assert_eq!(stand.processes.len(), 1, "who was there when it was made is not in a backup");
    store.close().await;
}
