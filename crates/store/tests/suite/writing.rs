//! What is written: whole, in order, numbered, and there afterwards.

use crate::common::*;
use model::{OperationId, RemoteId};
use std::collections::BTreeSet;
use std::time::Duration;
use store::*;

pub async fn what_was_written_is_there_after_opening_again(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    let instance = store.instance().to_owned();
    assert_eq!(instance.len(), 8);
    let mut kept = remote(7, "site");
    kept.disconnected = Some(("anna".into(), at(3)));
    let operation_kept = operation(u64::MAX, 7, true, 4);
    let mut nothing_known = event(7, 101, "guest_state", 2);
    nothing_known.remote = None;
    nothing_known.vmid = None;
    nothing_known.incarnation = None;
    nothing_known.node = None;
    nothing_known.author = None;
    nothing_known.operation = Some(OperationId(u64::MAX));
    nothing_known.task = Some("UPID:x".into());
    let gauges = GaugesRecord { remote: RemoteId(7), at: at(9), body: vec![0, 255, 3] };
    let mut bare = observed(7, ObservedKind::State, "", "{\"é\":\"\u{1F600}\"}");
    bare.at = None;
    bare.through = None;
    store
        .write(vec![
            Write::Remote(kept.clone()),
            Write::Observed(observed(7, ObservedKind::Guest, "101", "{\"old\":1}")),
            Write::Observed(observed(7, ObservedKind::Guest, "101", "{\"new\":1}")),
            Write::Observed(bare.clone()),
            Write::Gauges(gauges.clone()),
            Write::Event(nothing_known.clone()),
            Write::Operation(operation_kept.clone()),
            Write::Setting { key: "theme".into(), value: Some("dark".into()) },
            secret("credential", "7", "hunter2"),
        ])
        .await
        .unwrap();
    store.close().await;

    let store = Store::open(place, keys(), timings()).await.unwrap();
    assert_eq!(store.instance(), instance);
    assert_eq!(store.remotes().await.unwrap(), [kept]);
    assert_eq!(
        store.observed(RemoteId(7)).await.unwrap(),
        [observed(7, ObservedKind::Guest, "101", "{\"new\":1}"), bare]
    );
    assert_eq!(store.observed_kind(RemoteId(7), ObservedKind::Guest).await.unwrap().len(), 1);
    assert_eq!(
        store.observed_one(RemoteId(7), ObservedKind::Guest, "101").await.unwrap().unwrap().body,
        "{\"new\":1}"
    );
    assert_eq!(store.observed_one(RemoteId(8), ObservedKind::Guest, "101").await.unwrap(), None);
    assert_eq!(store.gauges(RemoteId(7)).await.unwrap(), Some(gauges));
    let events = store.events(EventFilter { limit: 9, ..EventFilter::default() }).await.unwrap();
    assert_eq!(events, [(1, nothing_known)]);
    assert_eq!(store.operation(OperationId(u64::MAX)).await.unwrap(), Some(operation_kept));
    assert_eq!(store.setting("theme").await.unwrap().as_deref(), Some("dark"));
    let opened = store.secret(&SecretId::new("credential", "7")).await.unwrap().unwrap();
    assert_eq!(opened.as_slice(), b"hunter2");
    assert_eq!(store.secret(&SecretId::new("credential", "8")).await.unwrap(), None);
    store
        .write(vec![
            Write::ObservedGone { remote: RemoteId(7), kind: ObservedKind::Guest, key: "101".into() },
            Write::SecretGone { id: SecretId::new("credential", "7") },
            Write::Setting { key: "theme".into(), value: None },
        ])
        .await
        .unwrap();
    assert_eq!(store.observed(RemoteId(7)).await.unwrap().len(), 1);
    assert_eq!(store.secret(&SecretId::new("credential", "7")).await.unwrap(), None);
    assert_eq!(store.setting("theme").await.unwrap(), None);
    store.close().await;
}

/// A write that the database refuses: the hash of another session.
pub fn refused() -> Vec<Write> {
    let twin = |id: &str| Write::Session(session(id, "anna", [9; 32]));
    vec![twin("one"), twin("two")]
}

pub fn session(id: &str, user: &str, hash: [u8; 32]) -> SessionRecord {
    SessionRecord {
        id: id.into(),
        hash,
        user: user.into(),
        created: at(0),
        seen: at(1),
        expires: at(1000),
        body: "{}".into(),
    }
}

pub async fn a_batch_is_written_whole_or_not_at_all(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let mut batch = vec![Write::Event(event(1, 1, "a", 0)), Write::Audit(audit("login", 0))];
    batch.extend(refused());
    batch.push(Write::Event(event(1, 1, "b", 0)));
    let error = store.write(batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)), "{error:?}");
    assert!(!error.may_pass());
    assert_eq!(store.last_event_seq().await.unwrap(), 0);
    assert_eq!(store.audit(None, 10).await.unwrap(), []);
    assert_eq!(store.session(&[9; 32]).await.unwrap(), None);
    // The numbers go on where they were.
    let written = store.write(vec![Write::Event(event(1, 1, "c", 0))]).await.unwrap();
    assert_eq!(written.events, [1]);
    store.close().await;
}

pub async fn waiting_batches_share_a_transaction_and_fail_alone(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let writes = (0..100).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut batch = vec![Write::Event(event(1, n, "a", 0))];
            if n == 50 {
                batch.extend(refused());
            }
            (n, store.write(batch).await)
        })
    });
    let writes: Vec<_> = writes.collect();
    let mut numbers = BTreeSet::new();
    for write in writes {
        match write.await.unwrap() {
            (50, written) => assert!(written.is_err()),
            (_, written) => numbers.extend(written.unwrap().events),
        }
    }
    assert_eq!(numbers, (1..=99).collect());
    let figures = store.figures();
    assert_eq!((figures.batches, figures.writes), (99, 99));
    assert!(figures.failed >= 1 && figures.commits <= figures.batches, "{figures:?}");
    assert_eq!((figures.queue, figures.queue_bound), (0, 256));
    store.close().await;
}

pub async fn events_are_numbered_without_gaps(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    let mut tasks = Vec::new();
    for task in 0..8 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..25 {
                let batch = (0..=n % 3).map(|_| Write::Event(event(task, 1, "x", n))).collect();
                let written = store.write(batch).await.unwrap();
                // Those of a batch follow one another.
                assert!(written.events.windows(2).all(|pair| pair[1] == pair[0] + 1));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let last = store.last_event_seq().await.unwrap();
    store.close().await;
    let store = Store::open(place, keys(), timings()).await.unwrap();
    let events =
        store.events(EventFilter { after: Some(0), limit: 10_000, ..EventFilter::default() }).await.unwrap();
    let numbers: Vec<i64> = events.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    assert_eq!(store.write(vec![Write::Event(event(1, 1, "x", 0))]).await.unwrap().events, [last + 1]);
    store.close().await;
}

pub async fn gauges_that_wait_are_replaced(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let gauges = |n: u8| Write::Gauges(GaugesRecord { remote: RemoteId(1), at: at(n.into()), body: vec![n] });
    // In one batch is as good as in the queue: they meet in one transaction.
    store.write((0..10).map(gauges).collect()).await.unwrap();
    assert_eq!(store.gauges(RemoteId(1)).await.unwrap().unwrap().body, [9]);
    assert_eq!(store.figures().coalesced, 9);
    store.write(vec![gauges(1), Write::RemoteGone { id: RemoteId(1) }]).await.unwrap();
    assert_eq!(store.gauges(RemoteId(1)).await.unwrap(), None);
    store.close().await;
}

pub async fn a_remotes_number_is_never_given_twice(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    assert_eq!(store.next_remote_id().await.unwrap(), RemoteId(1));
    let second = store.next_remote_id().await.unwrap();
    store.write(vec![Write::Remote(remote(second.0, "b")), Write::RemoteGone { id: second }]).await.unwrap();
    store.write(vec![Write::Remote(remote(40, "imported"))]).await.unwrap();
    store.close().await;
    let store = Store::open(place, keys(), timings()).await.unwrap();
    assert_eq!(store.next_remote_id().await.unwrap(), RemoteId(41));
    store.close().await;
}

pub async fn removing_a_remote_takes_with_it_what_was_seen(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    for id in [1, 2] {
        let scope =
            GrantRecord { role: "operator".into(), scope_kind: "remote".into(), scope_value: id.to_string() };
        store
            .write(vec![
                Write::Remote(remote(id, "site")),
                Write::Observed(observed(id, ObservedKind::Node, "pve1", "{}")),
                Write::Gauges(GaugesRecord { remote: RemoteId(id), at: at(0), body: vec![] }),
                Write::Drift(DriftRecord {
                    remote: RemoteId(id),
                    key: "x".into(),
                    at: at(0),
                    body: "{}".into(),
                }),
                Write::Event(event(id, 1, "x", 0)),
                Write::Operation(operation(id, id, false, 0)),
                Write::Grants { user: format!("u{id}"), grants: vec![scope] },
            ])
            .await
            .unwrap();
    }
    store.write(vec![Write::RemoteGone { id: RemoteId(1) }]).await.unwrap();
    assert_eq!(store.remotes().await.unwrap().len(), 1);
    assert_eq!(store.observed(RemoteId(1)).await.unwrap(), []);
    assert_eq!(store.gauges(RemoteId(1)).await.unwrap(), None);
    assert_eq!(store.drift(Some(RemoteId(1)), 9).await.unwrap(), []);
    assert_eq!(store.grants("u1").await.unwrap(), []);
    assert_eq!(store.grants("u2").await.unwrap().len(), 1);
    assert_eq!(store.observed(RemoteId(2)).await.unwrap().len(), 1);
    // History stays.
    assert_eq!(store.events(EventFilter { limit: 9, ..EventFilter::default() }).await.unwrap().len(), 2);
    assert!(store.operation(OperationId(1)).await.unwrap().is_some());
    store.close().await;
}

pub async fn a_closed_store_says_so(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    let other = store.clone();
    // What was queued before is still written.
    let late = tokio::spawn({
        let store = store.clone();
        async move { store.write(vec![Write::Event(event(1, 1, "x", 0))]).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.close().await;
    store.close().await;
    late.await.unwrap().unwrap();
    let error = other.write(vec![Write::Event(event(1, 1, "x", 0))]).await.unwrap_err();
    assert_eq!(error, StoreError::Closed);
    assert_eq!(other.remotes().await.unwrap_err(), StoreError::Closed);
    // Dropped without a word, it lets go all the same.
    let store =
        Store::open(place.clone(), keys(), Timings { lock_wait: Duration::from_secs(10), ..timings() })
            .await
            .unwrap();
    assert_eq!(store.last_event_seq().await.unwrap(), 1);
    drop(store);
    let waiting = Timings { lock_wait: Duration::from_secs(10), ..timings() };
    Store::open(place, keys(), waiting).await.unwrap().close().await;
}

pub async fn odd_text_from_outside_is_kept_on_both_engines(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let mut odd = event(1, 1, "x\0y", 0);
    odd.node = Some("pve\0".into());
    odd.body = "\u{10ffff} \u{202e} \r\n ' \" $1 {int} \0".into();
    let mut entry = audit("x", 0);
    entry.body = "a\0b".into();
    let key = "k\0ey";
    store
        .write(vec![
            Write::Event(odd),
            Write::Audit(entry),
            Write::Observed(observed(1, ObservedKind::Storage, key, "b\0")),
            Write::Drift(DriftRecord { remote: RemoteId(1), key: key.into(), at: at(0), body: "\0".into() }),
        ])
        .await
        .unwrap();
    let (_, event) =
        store.events(EventFilter { limit: 1, ..EventFilter::default() }).await.unwrap().remove(0);
    assert_eq!(event.kind, "x\u{fffd}y");
    assert_eq!(event.body, "\u{10ffff} \u{202e} \r\n ' \" $1 {int} \u{fffd}");
    assert_eq!(store.verify_audit().await, Ok(1));
    assert_eq!(store.observed(RemoteId(1)).await.unwrap()[0].key, "k\u{fffd}ey");
    // What was written under such a key is removed under it.
    let gone = Write::ObservedGone { remote: RemoteId(1), kind: ObservedKind::Storage, key: key.into() };
    store.write(vec![gone]).await.unwrap();
    assert_eq!(store.observed(RemoteId(1)).await.unwrap(), []);
    store.close().await;
}

pub async fn a_bundle_holds_what_its_rows_do_and_the_next_one_goes_on(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let mut rows: Vec<ObservedRecord> = (100..800)
        .map(|vmid| observed(7, ObservedKind::Guest, &vmid.to_string(), "{\"name\":\"\\u001f é \\u001e\"}"))
        .collect();
    (rows[3].at, rows[5].through) = (None, None);
    let others = [
        observed(7, ObservedKind::GuestAddresses, "100", "[]"),
        observed(8, ObservedKind::Guest, "100", "{}"),
    ];
    store.write(rows.iter().chain(&others).cloned().map(Write::Observed).collect()).await.unwrap();
    let (mut read, mut bundles) = (Vec::new(), 0);
    let mut bundle = store.observed_bundle(RemoteId(7), ObservedKind::Guest, "").await.unwrap();
    while let Some(last) = bundle.last() {
        bundles += 1;
        read.extend(bundle.iter().map(|one| {
            let one = one.unwrap();
            ObservedRecord {
                remote: RemoteId(7),
                kind: ObservedKind::Guest,
                key: one.key.to_owned(),
                body: one.body.to_owned(),
                at: one.at,
                through: one.through.map(Into::into),
            }
        }));
        bundle = store.observed_bundle(RemoteId(7), ObservedKind::Guest, last).await.unwrap();
    }
    assert!(bundles > 1);
    read.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(read, rows);
    let none = store.observed_bundle(RemoteId(9), ObservedKind::Guest, "").await.unwrap();
    assert!(none.last().is_none() && none.iter().next().is_none());
    store.close().await;
}

pub async fn what_begins_alike_is_found_by_its_beginning(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let keys =
        ["10/1", "101", "101/", "101/1", "101/12", "101/\u{1f600}", "1010/1", "101\u{e9}", "102/1", "%/1"];
    let mut batch: Vec<Write> =
        keys.iter().map(|key| Write::Observed(observed(7, ObservedKind::GuestPast, key, key))).collect();
    batch.push(Write::Observed(observed(7, ObservedKind::Guest, "101/1", "another kind")));
    batch.push(Write::Observed(observed(8, ObservedKind::GuestPast, "101/1", "elsewhere")));
    store.write(batch).await.unwrap();
    let found = async |prefix: &str| {
        let rows = store.observed_prefix(RemoteId(7), ObservedKind::GuestPast, prefix).await.unwrap();
        rows.into_iter().map(|row| row.body).collect::<Vec<_>>()
    };
    assert_eq!(found("101/").await, ["101/", "101/1", "101/12", "101/\u{1f600}"]);
    assert_eq!(found("%").await, ["%/1"]);
    assert_eq!(found("9").await, [""; 0]);
    assert_eq!(found("").await.len(), keys.len());
    store.close().await;
}
