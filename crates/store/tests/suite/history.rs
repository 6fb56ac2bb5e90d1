//! Events, operations, drift, audit: found again, and let go of when old.

use crate::common::*;
use crate::moving::fill;
use crate::writing::session;
use model::{OperationId, RemoteId, Vmid};
use std::time::Duration;
use store::*;
use zeroize::Zeroizing;

pub async fn events_are_found_by_everything_that_may_be_asked(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let mut batch = Vec::new();
    for second in 0..20 {
        let mut it = event(1 + u64::try_from(second % 2).unwrap(), 100, "even", second);
        if second % 5 == 0 {
            it.kind = "fifth".into();
            it.vmid = Some(Vmid(500));
            it.operation = Some(OperationId(5));
        }
        batch.push(Write::Event(it));
    }
    let mut fleet = event(0, 0, "fleet", 20);
    fleet.remote = None;
    batch.push(Write::Event(fleet));
    store.write(batch).await.unwrap();

    let all = EventFilter { limit: 100, ..EventFilter::default() };
    let found = async |filter: EventFilter| -> Vec<i64> {
        store.events(filter).await.unwrap().iter().map(|(seq, _)| *seq).collect()
    };
    assert_eq!(found(all.clone()).await, (1..=21).rev().collect::<Vec<_>>());
    assert_eq!(found(EventFilter { remotes: Some(vec![]), ..all.clone() }).await, Vec::<i64>::new());
    assert_eq!(
        found(EventFilter { remotes: Some(vec![RemoteId(1), RemoteId(9)]), ..all.clone() }).await.len(),
        10
    );
    assert_eq!(
        found(EventFilter { remotes: Some(vec![RemoteId(1)]), remote: Some(RemoteId(2)), ..all.clone() })
            .await,
        Vec::<i64>::new()
    );
    assert_eq!(found(EventFilter { vmid: Some(Vmid(500)), ..all.clone() }).await, [16, 11, 6, 1]);
    assert_eq!(
        found(EventFilter { remote: Some(RemoteId(1)), vmid: Some(Vmid(500)), ..all.clone() }).await,
        [11, 1]
    );
    assert_eq!(found(EventFilter { operation: Some(OperationId(5)), limit: 1, ..all.clone() }).await, [16]);
    let kinds = vec!["fleet".to_owned(), "fifth'; DROP TABLE events; --".to_owned()];
    assert_eq!(found(EventFilter { kinds, ..all.clone() }).await, [21]);
    assert_eq!(found(EventFilter { before: Some(3), ..all.clone() }).await, [2, 1]);
    assert_eq!(found(EventFilter { after: Some(19), ..all.clone() }).await, [20, 21]);
    assert_eq!(found(EventFilter { after: Some(5), limit: 2, ..all.clone() }).await, [6, 7]);
    assert_eq!(found(EventFilter { from: Some(at(3)), until: Some(at(5)), ..all.clone() }).await, [5, 4]);
    store.close().await;
}

pub async fn operations_are_found_by_everything_that_may_be_asked(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let batch = (0..10).map(|n| {
        // Two at each moment: the id decides which comes first.
        let second = i64::try_from(n / 2).unwrap();
        Write::Operation(operation(n, 1 + n % 2, n > 7, second))
    });
    store.write(batch.collect()).await.unwrap();
    let all = OperationFilter { limit: 100, ..OperationFilter::default() };
    let found = async |filter: OperationFilter| -> Vec<u64> {
        store.operations(filter).await.unwrap().iter().map(|operation| operation.id.0).collect()
    };
    assert_eq!(found(all.clone()).await, (0..10).rev().collect::<Vec<_>>());
    assert_eq!(found(OperationFilter { open: Some(true), ..all.clone() }).await, [9, 8]);
    assert_eq!(
        found(OperationFilter { remotes: Some(vec![RemoteId(2)]), limit: 2, ..all.clone() }).await,
        [9, 7]
    );
    assert_eq!(
        found(OperationFilter { instance: Some("two".into()), ..all.clone() }).await,
        Vec::<u64>::new()
    );
    assert_eq!(found(OperationFilter { vmid: Some(Vmid(101)), ..all.clone() }).await.len(), 10);
    let page = OperationFilter { before: Some((at(3), OperationId(7))), limit: 3, ..all.clone() };
    assert_eq!(found(page).await, [6, 5, 4]);
    let closed = OperationRecord { open: false, body: "{\"log\":[]}".into(), ..operation(9, 2, true, 4) };
    store.write(vec![Write::Operation(closed.clone())]).await.unwrap();
    assert_eq!(found(OperationFilter { open: Some(true), ..all }).await, [8]);
    assert_eq!(store.operation(OperationId(9)).await.unwrap(), Some(closed));
    assert_eq!(store.operation(OperationId(99)).await.unwrap(), None);
    store.close().await;
}

pub async fn drift_keeps_when_it_was_first_seen(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let drift = |key: &str, second, body: &str| {
        Write::Drift(DriftRecord { remote: RemoteId(1), key: key.into(), at: at(second), body: body.into() })
    };
    store.write(vec![drift("a", 1, "1"), drift("b", 2, "1"), drift("a", 3, "2")]).await.unwrap();
    let found = store.drift(None, 9).await.unwrap();
    let found: Vec<_> =
        found.iter().map(|(first, it)| (it.key.as_str(), *first, it.at, it.body.as_str())).collect();
    assert_eq!(found, [("a", at(1), at(3), "2"), ("b", at(2), at(2), "1")]);
    assert_eq!(store.drift(Some(RemoteId(2)), 9).await.unwrap(), []);
    store.close().await;
}

pub async fn the_audit_chain_tells_what_was_done_to_it(ground: &Ground<'_>) {
    for (sql, wanted) in [
        ("SELECT 1", None),
        ("UPDATE audit SET who = 'bert' WHERE seq = 3", Some(BrokenAt::Row(3))),
        ("UPDATE audit SET remote = NULL WHERE seq = 1", Some(BrokenAt::Row(1))),
        ("DELETE FROM audit WHERE seq = 4", Some(BrokenAt::Missing(4))),
        ("DELETE FROM audit WHERE seq >= 5", Some(BrokenAt::Missing(5))),
        ("DELETE FROM audit WHERE seq <= 2", Some(BrokenAt::Missing(1))),
        ("DELETE FROM audit", Some(BrokenAt::Missing(1))),
    ] {
        let (store, place) = ground.store().await;
        for n in 0..3 {
            let batch = vec![Write::Audit(audit("login", n)), Write::Audit(audit("start", n))];
            store.write(batch).await.unwrap();
        }
        let rows = store.audit(Some(4), 2).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(rows[0].before, rows[1].hash);
        assert_eq!(store.audit_after(0, 1).await.unwrap()[0].before, [0; 32]);
        execute(&place, sql).await;
        match (store.verify_audit().await, wanted) {
            (Ok(count), None) => assert_eq!(count, 6),
            (Err(broken), Some(wanted)) => assert_eq!(broken, wanted, "{sql}"),
            (found, wanted) => panic!("{sql}: {found:?} instead of {wanted:?}"),
        }
        store.close().await;
    }
}

/// Rows that are sound by themselves, and follow from others than those that are there.
pub async fn a_piece_of_another_audit_chain_does_not_fit(ground: &Ground<'_>) {
    let mut chains = Vec::new();
    for who in ["login", "logout"] {
        let (store, _) = ground.store().await;
        let batch = [who, "start", "stop"].into_iter().map(|action| Write::Audit(audit(action, 0)));
        store.write(batch.collect()).await.unwrap();
        chains.push(store.audit_after(0, 9).await.unwrap());
        store.close().await;
    }
    let follow = |rows: Vec<&AuditRow>| {
        let mut chain = AuditChain::default();
        rows.into_iter().try_for_each(|row| chain.take(row))
    };
    let (one, other) = (&chains[0], &chains[1]);
    assert_eq!(follow(one.iter().collect()), Ok(()));
    assert_eq!(follow(other.iter().collect()), Ok(()));
    assert_eq!(follow(one[..1].iter().chain(&other[1..]).collect()), Err(BrokenAt::Row(2)));
}

pub async fn what_is_old_expires_in_small_steps(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let day = 24 * 60 * 60;
    for n in 0..20 {
        let mut idempotent = IdempotencyRecord {
            principal: "anna".into(),
            key: n.to_string(),
            fingerprint: String::new(),
            at: at(n * day / 10),
            stage: Stage::Answered { status: 200, body: Zeroizing::new(vec![1]) },
        };
        idempotent.at = at(198 * day + n * day / 10);
        let mut ending = session(&n.to_string(), "anna", [u8::try_from(n).unwrap(); 32]);
        ending.expires = at(190 * day + n * day);
        let number = u64::try_from(n).unwrap();
        let drift =
            DriftRecord { remote: RemoteId(1), key: n.to_string(), at: at(n * 10 * day), body: "{}".into() };
        let mut past = observed(1, ObservedKind::GuestPast, &format!("101/{n}"), "{}");
        past.at = Some(at(n * 10 * day));
        let mut present = observed(1, ObservedKind::Guest, &n.to_string(), "{}");
        present.at = past.at;
        store
            .write(vec![
                Write::Observed(past),
                Write::Observed(present),
                Write::Event(event(1, 1, "x", n * 10 * day)),
                Write::Operation(operation(number, 1, n == 0, n * 10 * day)),
                Write::Drift(drift),
                Write::Audit(audit("x", n * 10 * day)),
                Write::Idempotency(idempotent),
                Write::Session(ending),
            ])
            .await
            .unwrap();
    }
    store.write(vec![Write::AuditExported { through: 8 }]).await.unwrap();
    // What is not there is not taken for exported, nor does an export that was done become undone.
    store
        .write(vec![Write::AuditExported { through: 99 }, Write::AuditExported { through: 5 }])
        .await
        .unwrap();
    let retention =
        Retention { audit: Some(Duration::from_secs(100 * 24 * 60 * 60)), ..Retention::default() };
    let before = store.figures().commits;
    let expired = store.expire(&retention, at(200 * day), 3).await.unwrap();
    assert_eq!(
        expired,
        Expired {
            // Older than 180 days: 0 and 10. Exactly as old is not older.
            events: 2,
            // As events; of what there is now nothing expires.
            past: 2,
            // Older than 90 days: 0 to 100, but the first is open.
            operations: 10,
            drift: 17,
            idempotency: 10,
            sessions: 10,
            // 10 are old enough, of which the first 8 were exported.
            audit: 8,
            clock_doubted: false,
        }
    );
    // Of each kind three at a time, and the last time fewer.
    assert_eq!(store.figures().commits - before, 1 + 1 + 1 + 4 + 6 + 4 + 4 + 3);
    let sealed = store.sizes().await.unwrap().tables.into_iter().find(|size| size.name == "secrets");
    assert_eq!(sealed.unwrap().rows, 1 + 10, "no answer outlives its request");
    // Of the first 15, exported by now, 10 are old enough.
    store.write(vec![Write::AuditExported { through: 15 }]).await.unwrap();
    let expired = store.expire(&retention, at(200 * day), 3).await.unwrap();
    assert_eq!(expired, Expired { audit: 2, ..Expired::default() });
    assert!(store.operation(OperationId(0)).await.unwrap().is_some());
    let seen = async |kind| store.observed_kind(RemoteId(1), kind).await.unwrap().len();
    assert_eq!((seen(ObservedKind::GuestPast).await, seen(ObservedKind::Guest).await), (18, 20));
    assert_eq!(store.idempotency("anna", "9").await.unwrap(), None);
    assert!(store.idempotency("anna", "11").await.unwrap().is_some());
    assert_eq!(store.verify_audit().await, Ok(10));
    store.write(vec![Write::Audit(audit("after", 0))]).await.unwrap();
    assert_eq!(store.verify_audit().await, Ok(11));
    // All that was exported may go, and the chain still has a beginning.
    store.write(vec![Write::AuditExported { through: 21 }]).await.unwrap();
    let none_kept = Retention { audit: Some(Duration::ZERO), ..retention };
    assert_eq!(store.expire(&none_kept, at(200 * day), 1000).await.unwrap().audit, 11);
    assert_eq!(store.verify_audit().await, Ok(0));
    store.write(vec![Write::Audit(audit("after", 0))]).await.unwrap();
    assert_eq!(store.verify_audit().await, Ok(1));
    assert_eq!(store.audit(None, 1).await.unwrap()[0].seq, 22);
    store.close().await;
}

pub async fn a_clock_that_jumped_makes_nothing_old(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let day = 24 * 60 * 60;
    store.write(vec![Write::Event(event(1, 1, "x", 0))]).await.unwrap();
    let retention = Retention { events: Duration::from_secs(20 * 24 * 60 * 60), ..Retention::default() };
    assert_eq!(store.expire(&retention, at(day), 10).await.unwrap(), Expired::default());
    // A month ahead and back again: nothing happened.
    assert!(store.expire(&retention, at(31 * day), 10).await.unwrap().clock_doubted);
    assert!(store.expire(&retention, at(day + 60), 10).await.unwrap().clock_doubted);
    assert_eq!(store.expire(&retention, at(day + 120), 10).await.unwrap(), Expired::default());
    assert_eq!(store.last_event_seq().await.unwrap(), 1);
    // A month ahead and still there: it is a month later.
    assert!(store.expire(&retention, at(32 * day), 10).await.unwrap().clock_doubted);
    assert_eq!(store.expire(&retention, at(32 * day + 60), 10).await.unwrap().events, 1);
    store.close().await;
}

pub async fn sizes_count_what_is_there(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    fill(&store).await;
    let sizes = store.sizes().await.unwrap();
    let of = |name: &str| sizes.tables.iter().find(|size| size.name == name).unwrap().clone();
    assert_eq!(of("events").rows, 30);
    assert!(of("gauges").bytes == 90, "{:?}", of("gauges"));
    assert_eq!(of("tokens"), Size { name: "tokens", rows: 0, bytes: 0 });
    assert!(sizes.total > 10_000, "{sizes:?}");
    assert!(store.check().await.is_ok());
    store.close().await;
}
