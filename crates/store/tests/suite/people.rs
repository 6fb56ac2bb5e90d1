//! Users with what they have, and requests remembered.

use crate::common::*;
use crate::writing::session;
use model::OperationId;
use sqlx::{Connection, Row};
use store::*;
use zeroize::Zeroizing;

fn user(name: &str, second: i64) -> UserRecord {
    UserRecord {
        name: name.into(),
        password: Some("$argon2id$…".into()),
        created: at(second),
        updated: at(second),
        body: "{}".into(),
    }
}

pub async fn people_come_and_go_with_all_they_had(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let user = |name| user(name, 0);
    let token = |id: &str, user: &str| TokenRecord {
        id: id.into(),
        hash: [3; 32],
        user: user.into(),
        name: "ci".into(),
        created: at(0),
        expires: None,
        seen: None,
        body: "{}".into(),
    };
    let grant =
        |role: &str| GrantRecord { role: role.into(), scope_kind: "all".into(), scope_value: String::new() };
    for (n, name) in ["anna", "bert"].into_iter().enumerate() {
        let n = u8::try_from(n).unwrap();
        store
            .write(vec![
                Write::User(user(name)),
                Write::Grants {
                    user: name.into(),
                    grants: vec![grant("viewer"), grant("operator"), grant("viewer")],
                },
                Write::Session(session(&format!("{name}1"), name, [n; 32])),
                Write::Session(session(&format!("{name}2"), name, [n + 10; 32])),
                Write::Token(token(&format!("{name}t"), name)),
            ])
            .await
            .unwrap();
    }
    assert_eq!(store.users().await.unwrap().len(), 2);
    assert_eq!(store.user("anna").await.unwrap(), Some(user("anna")));
    assert_eq!(store.grants("anna").await.unwrap(), [grant("operator"), grant("viewer")]);
    store.write(vec![Write::Grants { user: "anna".into(), grants: vec![grant("viewer")] }]).await.unwrap();
    assert_eq!(store.grants("anna").await.unwrap(), [grant("viewer")]);

    assert_eq!(store.session(&[0; 32]).await.unwrap().unwrap().id, "anna1");
    store
        .write(vec![
            Write::SessionSeen { id: "anna1".into(), at: at(50) },
            Write::SessionSeen { id: "anna1".into(), at: at(40) },
            Write::TokenSeen { id: "annat".into(), at: at(60) },
            Write::SessionsGone { user: "anna".into(), except: Some("anna1".into()) },
        ])
        .await
        .unwrap();
    let sessions = store.sessions("anna").await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!((sessions[0].id.as_str(), sessions[0].seen), ("anna1", at(50)));
    assert_eq!(store.token("annat").await.unwrap().unwrap().seen, Some(at(60)));
    store.write(vec![Write::SessionGone { id: "anna1".into() }]).await.unwrap();
    assert_eq!(store.session(&[0; 32]).await.unwrap(), None);

    let last = Write::Session(session("anna3", "anna", [20; 32]));
    store.write(vec![last, Write::UserGone { name: "anna".into() }]).await.unwrap();
    assert_eq!(store.user("anna").await.unwrap(), None);
    assert_eq!(store.grants("anna").await.unwrap(), []);
    assert_eq!(store.sessions("anna").await.unwrap(), []);
    assert_eq!(store.tokens("anna").await.unwrap(), []);
    assert_eq!(store.sessions("bert").await.unwrap().len(), 2);
    assert_eq!(store.tokens("bert").await.unwrap().len(), 1);
    store
        .write(vec![
            Write::TokenGone { id: "bertt".into() },
            Write::SessionsGone { user: "bert".into(), except: None },
        ])
        .await
        .unwrap();
    assert_eq!(store.token("bertt").await.unwrap(), None);
    assert_eq!(store.sessions("bert").await.unwrap(), []);
    store.close().await;
}

pub async fn what_is_a_persons_own_goes_with_them(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let factor = |user: &str, step| FactorRecord {
        user: user.into(),
        since: at(3),
        step,
        body: "{\"recovery\":[]}".into(),
    };
    let likes = |born, number| PreferencesRecord {
        user: "anna".into(),
        born: at(born),
        number,
        body: format!("{{\"n\":{number}}}"),
    };
    let prefer = async |born, number| store.write(vec![Write::Preferences(likes(born, number))]).await;
    let preferred = async |born| store.preferences("anna", at(born)).await.unwrap();
    assert_eq!(prefer(1, 1).await.unwrap_err(), StoreError::Stale, "there is nobody of that name");
    store.write(vec![Write::User(user("anna", 1)), Write::User(user("bert", 1))]).await.unwrap();
    assert_eq!(preferred(1).await, None);
    assert_eq!(prefer(1, 2).await.unwrap_err(), StoreError::Stale, "there are none yet");
    prefer(1, 1).await.unwrap();
    prefer(1, 2).await.unwrap();
    for older in [1, 2, 4] {
        assert_eq!(prefer(1, older).await.unwrap_err(), StoreError::Stale, "{older}");
    }
    assert_eq!(preferred(1).await, Some(likes(1, 2)));
    assert_eq!(prefer(9, 1).await.unwrap_err(), StoreError::Stale, "that is another anna");
    assert_eq!(preferred(9).await, None);

    let on = |factor| store.write(vec![Write::Factor(factor)]);
    on(factor("anna", 7)).await.unwrap();
    on(factor("bert", 7)).await.unwrap();
    on(factor("anna", 8)).await.unwrap();
    assert_eq!(store.factors().await.unwrap(), [factor("anna", 8), factor("bert", 7)]);
    assert_eq!(store.factor("anna").await.unwrap(), Some(factor("anna", 8)));
    assert_eq!(store.factor("carl").await.unwrap(), None);
    // It is used as it is, or not at all; and whoever has none proves none.
    let used = |was: FactorRecord, step| Write::FactorUsed { was, step, body: "{\"recovery\":[]}".into() };
    let other = |change: fn(&mut FactorRecord)| {
        let mut was = factor("anna", 8);
        change(&mut was);
        was
    };
    for was in [
        other(|was| was.step = 7),
        other(|was| was.since = at(4)),
        other(|was| was.body = "{}".into()),
        other(|was| was.user = "carl".into()),
    ] {
        assert_eq!(store.write(vec![used(was, 9)]).await, Err(StoreError::Stale));
    }
    store.write(vec![used(factor("anna", 8), 9)]).await.unwrap();
    assert_eq!(store.write(vec![used(factor("anna", 8), 9)]).await, Err(StoreError::Stale));
    store.write(vec![used(factor("anna", 9), 8)]).await.unwrap();
    let absent = |user: &str| store.write(vec![Write::FactorAbsent { user: user.into() }]);
    assert_eq!(absent("anna").await, Err(StoreError::Stale));
    absent("carl").await.unwrap();
    store.write(vec![Write::FactorGone { user: "bert".into() }]).await.unwrap();
    assert_eq!(store.factors().await.unwrap(), [factor("anna", 8)]);
    store.write(vec![Write::UserGone { name: "anna".into() }]).await.unwrap();
    assert_eq!(store.factors().await.unwrap(), []);
    // Whoever is called the same later has none of it.
    store.write(vec![Write::User(user("anna", 9))]).await.unwrap();
    assert_eq!((preferred(1).await, preferred(9).await), (None, None));
    prefer(9, 1).await.unwrap();
    // Not even of what was left behind.
    store.write(vec![Write::User(user("anna", 10))]).await.unwrap();
    assert_eq!(prefer(10, 2).await.unwrap_err(), StoreError::Stale);
    prefer(10, 1).await.unwrap();
    assert_eq!(preferred(10).await, Some(likes(10, 1)));
    store.close().await;
}

/// Of two batches that carry the same key one is written, whole, and the other is not, in no part.
pub async fn a_request_changes_something_once(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    // What was never begun with, or carried out already, is not carried out.
    store.write(vec![begun("k1"), begun("k2")]).await.unwrap();
    let never = store.write(vec![Write::User(user("x", 0)), done("k9", None)]).await;
    assert_eq!(never, Err(StoreError::AlreadyDone));
    assert_eq!(store.user("x").await.unwrap(), None);
    let batch = |id| vec![Write::Operation(operation(id, 1, true, 0)), done("k1", Some(id))];
    let (one, other) = tokio::join!(store.write(batch(7)), store.write(batch(8)));
    assert_eq!((one.is_ok(), other), (true, Err(StoreError::AlreadyDone)));
    assert_eq!(stage(&store, "k1").await, Some(Stage::Done { operation: Some(OperationId(7)) }));
    assert!(store.operation(OperationId(7)).await.unwrap().is_some());
    assert_eq!(store.operation(OperationId(8)).await.unwrap(), None, "nothing of a refused batch stays");
    // Nor is it remembered that something was done when it was not.
    let refused = store.write(vec![done("k2", None), done("k9", None)]).await;
    assert_eq!(refused, Err(StoreError::AlreadyDone));
    assert_eq!(stage(&store, "k2").await, Some(Stage::Begun));
    store.write(vec![Write::User(user("x", 0)), done("k2", None)]).await.unwrap();
    assert_eq!(stage(&store, "k2").await, Some(Stage::Done { operation: None }));
    store.close().await;
    // And after a restart as well.
    let store = Store::open(place, keys(), timings()).await.unwrap();
    assert_eq!(stage(&store, "k1").await, Some(Stage::Done { operation: Some(OperationId(7)) }));
    let again = store.write(batch(9)).await;
    assert_eq!(again, Err(StoreError::AlreadyDone));
    store.write(vec![answered("k1", true, 202)]).await.unwrap();
    assert_eq!(stage(&store, "k1").await, Some(stage_of(202)));
    store.close().await;
}

fn begun(key: &str) -> Write {
    Write::Idempotency(IdempotencyRecord {
        principal: "anna".into(),
        key: key.into(),
        fingerprint: "f".into(),
        at: at(0),
        stage: Stage::Begun,
    })
}

fn done(key: &str, operation: Option<u64>) -> Write {
    Write::IdempotencyDone {
        principal: "anna".into(),
        key: key.into(),
        operation: operation.map(OperationId),
    }
}

fn answered(key: &str, done: bool, status: u16) -> Write {
    let body = Zeroizing::new(b"{}".to_vec());
    Write::IdempotencyAnswered { principal: "anna".into(), key: key.into(), done, status, body }
}

fn stage_of(status: u16) -> Stage {
    Stage::Answered { status, body: Zeroizing::new(b"{}".to_vec()) }
}

async fn stage(store: &Store, key: &str) -> Option<Stage> {
    store.idempotency("anna", key).await.unwrap().map(|record| record.stage)
}

/// Two processes have the same request at the same time: what one has recorded the other does not undo.
pub async fn what_is_remembered_of_a_request_is_not_overwritten(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    // On PostgreSQL the second is another process.
    let other =
        if ground.is_sqlite() { store.clone() } else { Store::open(place, keys(), timings()).await.unwrap() };
    let (one, two) = tokio::join!(store.write(vec![begun("k")]), other.write(vec![begun("k")]));
    assert_eq!([one, two].iter().filter(|begun| begun.is_ok()).count(), 1);
    store.write(vec![done("k", Some(7))]).await.unwrap();
    // Neither begun with again, nor refused, nor forgotten.
    assert_eq!(other.write(vec![begun("k")]).await, Err(StoreError::AlreadyDone));
    let line = Write::Audit(audit("refused", 0));
    assert_eq!(other.write(vec![line, answered("k", false, 409)]).await, Err(StoreError::AlreadyDone));
    assert_eq!(store.audit(None, 9).await.unwrap(), []);
    let gone = || Write::IdempotencyGone { principal: "anna".into(), key: "k".into() };
    other.write(vec![gone()]).await.unwrap();
    assert_eq!(stage(&store, "k").await, Some(Stage::Done { operation: Some(OperationId(7)) }));
    // The answer of whoever has done it is kept, and stays.
    store.write(vec![answered("k", true, 202)]).await.unwrap();
    for late in [answered("k", true, 500), answered("k", false, 409), begun("k")] {
        assert_eq!(other.write(vec![late]).await, Err(StoreError::AlreadyDone));
    }
    assert_eq!(stage(&store, "k").await, Some(stage_of(202)));
    // What was only begun with may be refused, or forgotten.
    store.write(vec![begun("l"), begun("m")]).await.unwrap();
    other.write(vec![answered("l", false, 422)]).await.unwrap();
    assert_eq!(stage(&store, "l").await, Some(stage_of(422)));
    other.write(vec![Write::IdempotencyGone { principal: "anna".into(), key: "m".into() }]).await.unwrap();
    assert_eq!(stage(&store, "m").await, None);
    other.close().await;
    store.close().await;
}

/// A sign-in with a password that is none any more changes nothing, and begins nothing.
pub async fn a_sign_in_undoes_no_change_of_password(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let new = || UserRecord { password: Some("$argon2id$new".into()), ..user("anna", 1) };
    let enter = |checked: &str, id: &str| {
        let entered = Write::SignedIn {
            name: "anna".into(),
            checked: checked.into(),
            at: at(5),
            body: "{\"last\":5}".into(),
        };
        vec![Write::Session(session(id, "anna", [id.len().try_into().unwrap(); 32])), entered]
    };
    store.write(vec![Write::User(new())]).await.unwrap();
    assert_eq!(store.write(enter("$argon2id$old", "x")).await, Err(StoreError::Stale));
    assert_eq!(store.sessions("anna").await.unwrap(), []);
    assert_eq!(store.user("anna").await.unwrap(), Some(new()));
    store.write(enter("$argon2id$new", "xx")).await.unwrap();
    let known = store.user("anna").await.unwrap().unwrap();
    assert_eq!(known, UserRecord { updated: at(5), body: "{\"last\":5}".into(), ..new() });
    assert_eq!(store.sessions("anna").await.unwrap().len(), 1);
    store.write(vec![Write::UserGone { name: "anna".into() }]).await.unwrap();
    assert_eq!(store.write(enter("$argon2id$new", "xxx")).await, Err(StoreError::Stale));
    assert_eq!(store.user("anna").await.unwrap(), None, "removed is removed");
    store.close().await;
}

/// What was decided by who there was is not written once somebody else has changed that.
pub async fn what_was_decided_by_an_older_book_is_stale(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    let add = |name: &str, number| vec![Write::PeopleAt { number }, Write::User(user(name, 0))];
    let number = store.people().await.unwrap();
    if ground.is_sqlite() {
        // There is nobody else.
        store.write(add("anna", number)).await.unwrap();
        store.write(add("anna", number)).await.unwrap();
        store.close().await;
        return;
    }
    let other = Store::open(place, keys(), timings()).await.unwrap();
    let (one, two) = tokio::join!(store.write(add("anna", number)), other.write(add("anna", number)));
    assert!(one == Err(StoreError::Stale) || two == Err(StoreError::Stale), "{one:?} {two:?}");
    let told = one.or(two).unwrap().people.unwrap();
    assert_eq!(told, store.people().await.unwrap(), "a refused batch is no change");
    assert_eq!(told, other.people().await.unwrap());
    // Whoever knows what it has changed itself need not read again.
    let told = other.write(add("bert", told)).await.unwrap().people.unwrap();
    other.write(vec![Write::SessionGone { id: "x".into() }]).await.unwrap();
    assert_eq!(store.write(add("carl", told)).await, Err(StoreError::Stale));
    // Two that wait together are two.
    let number = store.people().await.unwrap();
    let (one, two) = tokio::join!(store.write(add("carl", number)), store.write(add("carl", number)));
    assert_eq!([one, two].iter().filter(|written| written.is_ok()).count(), 1);
    other.close().await;
    store.close().await;
}

pub async fn remembered_requests_keep_their_answer_sealed(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    let asked = IdempotencyRecord {
        principal: "anna".into(),
        key: "k1".into(),
        fingerprint: "f".into(),
        at: at(0),
        stage: Stage::Begun,
    };
    store.write(vec![Write::Idempotency(asked.clone())]).await.unwrap();
    assert_eq!(store.idempotency("anna", "k1").await.unwrap(), Some(asked.clone()));
    let body = Zeroizing::new(b"{\"secret\":\"mst_x_canary\"}".to_vec());
    let answer = Write::IdempotencyAnswered {
        principal: "anna".into(),
        key: "k1".into(),
        done: false,
        status: 201,
        body: body.clone(),
    };
    store.write(vec![answer]).await.unwrap();
    let answered = IdempotencyRecord { stage: Stage::Answered { status: 201, body }, ..asked };
    assert_eq!(store.idempotency("anna", "k1").await.unwrap(), Some(answered));
    assert_eq!(store.idempotency("bert", "k1").await.unwrap(), None);
    let mut look = behind(&place).await;
    let rows = sqlx::query("SELECT body FROM secrets").fetch_all(&mut look).await.unwrap();
    look.close().await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let body: Vec<u8> = row.get(0);
        assert!(!body.windows(6).any(|six| six == b"canary"));
    }
    store.close().await;
}
