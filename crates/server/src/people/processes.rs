//! Tests: who there is, as two processes on one PostgreSQL have it that hear of each other's changes late.

#[path = "../../../store/tests/common/postgres.rs"]
mod postgres;

use api::Secret;
use fleet::Clock;
use model::access::Grants;
use store::{Keys, Place, Store};

use self::postgres::Postgres;
use super::People;
use crate::peer::{Peer, Whence};
use crate::settings::{Passwords, Settings};

const OLD: &str = "the old password";
const NEW: &str = "another long one";

async fn process(url: &str, clock: Clock) -> People {
    let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
    let store = Store::open(Place::Postgres(url.to_owned()), keys, store::Timings::default()).await.unwrap();
    let passwords = Passwords { memory_kib: 8, passes: 1, lanes: 1, ..Passwords::default() };
    People::open(store, &Settings { passwords, ..Settings::default() }, clock).await.unwrap()
}

fn started() -> Option<Postgres> {
    Postgres::start().map_err(|why| println!("skipped: {why}")).ok()
}

#[tokio::test]
async fn a_second_factor_holds_wherever_somebody_signs_in() {
    let Some(server) = started() else { return };
    let url = server.database().await;
    let clock = Clock::new();
    let (one, other) = (process(&url, clock).await, process(&url, clock).await);
    let now = clock.now();
    let step = now.wall.as_second() / 30;
    let whence = Whence { peer: Peer::Unix { uid: 0, name: None }, address: None, secure: false };
    one.add_user("anna", &OLD.into(), Grants::administrator(), now.wall).await.unwrap();
    other.read_again().await.unwrap();
    let enter = async |people: &People, code: Option<&Secret>| {
        let entered = people.sign_in("anna", &OLD.into(), code, None, &whence, now).await;
        entered.map(|session| session.caller).map_err(|problem| problem.code())
    };
    let anna = enter(&one, None).await.unwrap();
    let begun = one.begin_factor("anna", None, &OLD.into(), None, now).await.unwrap();
    let code = |step| super::factor::shown(&begun.secret, step);

    // Confirmed on one: the other has not heard of it, and does not let in who has no code.
    one.confirm_factor("anna", &anna, &code(step - 1), &whence, now).await.unwrap();
    assert!(!other.book().factors.contains_key("anna"));
    assert_eq!(enter(&other, None).await, Err("second_factor"));
    assert!(other.book().factors.contains_key("anna"), "it has read again");
    assert_eq!(other.store.sessions("anna").await.unwrap().len(), 1, "the one that turned it on");
    // One that is sent to a process that has not heard of it is compared all the same.
    let late = process(&url, clock).await;
    late.turn(|book| drop(book.factors.remove("anna")));
    assert!(enter(&late, Some(&code(step - 1))).await == Err("wrong_code"), "it was used");
    // A code works once, on one of them: at the same time, and afterwards.
    let fresh = code(step);
    let (a, b) = tokio::join!(enter(&one, Some(&fresh)), enter(&other, Some(&fresh)));
    assert_eq!([&a, &b].iter().filter(|entered| entered.is_ok()).count(), 1, "{a:?} {b:?}");
    assert_eq!(a.err().or(b.err()), Some("wrong_code"));
    assert_eq!(enter(&other, Some(&code(step - 1))).await, Err("wrong_code"));
    // So does a recovery code.
    let codes = other.renew_recovery("anna", &OLD.into(), None, now).await.unwrap().recovery_codes;
    one.read_again().await.unwrap();
    let (a, b) = tokio::join!(enter(&one, Some(&codes[0])), enter(&other, Some(&codes[0])));
    assert_eq!([&a, &b].iter().filter(|entered| entered.is_ok()).count(), 1, "{a:?} {b:?}");
    assert_eq!(a.err().or(b.err()), Some("wrong_code"));
    // Taken away on one, it is gone on the other, with what was asked of it.
    one.take_factor("anna").await.unwrap();
    assert!(other.book().factors.contains_key("anna"));
    enter(&other, None).await.unwrap();
    assert!(other.book().factors.is_empty());
}

#[tokio::test]
async fn what_another_process_has_changed_is_not_undone() {
    let Some(server) = started() else { return };
    let url = server.database().await;
    let clock = Clock::new();
    let (one, other) = (process(&url, clock).await, process(&url, clock).await);
    let now = clock.now();
    let whence = Whence { peer: Peer::Unix { uid: 0, name: None }, address: None, secure: false };
    let add = async |people: &People, name: &str| {
        people.add_user(name, &OLD.into(), Grants::administrator(), now.wall).await
    };

    // A name is given once.
    let (a, b) = tokio::join!(add(&one, "anna"), add(&other, "anna"));
    let refused = a.err().or(b.err()).expect("one of them is refused");
    assert_eq!(refused.code(), "name_taken");
    add(&one, "ben").await.unwrap();
    other.read_again().await.unwrap();

    // Somebody's sign-in takes no look at anybody else, however much has changed; nor does it lose sight of that.
    let number = other.book().number;
    for n in 0..3 {
        one.add_user(&format!("new{n}"), &OLD.into(), Grants::default(), now.wall).await.unwrap();
    }
    other.sign_in("ben", &OLD.into(), None, None, &whence, now).await.unwrap();
    assert_eq!((other.book().number, other.user("new0", now.wall)), (number, None), "they were not read");
    other.add_user("more", &OLD.into(), Grants::default(), now.wall).await.unwrap();
    assert!(other.user("new0", now.wall).is_some() && other.user("new2", now.wall).is_some());
    one.read_again().await.unwrap();

    // A sign-in with the password of yesterday begins nothing, and does not bring it back.
    one.set_password("anna", None, &NEW.into(), &whence, now).await.unwrap();
    let kept = async || one.store.user("anna").await.unwrap().unwrap().password;
    let hash = kept().await;
    let enter =
        async |password: &str| other.sign_in("anna", &password.into(), None, None, &whence, now).await;
    assert_eq!(enter(OLD).await.unwrap_err().code(), "wrong_password");
    assert_eq!((kept().await, one.store.sessions("anna").await.unwrap().len()), (hash, 0));
    other.read_again().await.unwrap();
    enter(NEW).await.unwrap();

    // Of two administrators one stays, whoever removes whom where.
    one.remove_user("anna").await.unwrap();
    assert_eq!(other.remove_user("ben").await.unwrap_err().code(), "last_administrator");
    assert_eq!(other.user("anna", now.wall), None, "it has read again");
    one.add_user("carl", &OLD.into(), Grants::administrator(), now.wall).await.unwrap();
    other.read_again().await.unwrap();
    other.remove_user("carl").await.unwrap();
    let late = one.add_token("carl", "ci", None, None, now.wall).await.unwrap_err();
    assert_eq!(late.code(), "not_found", "nobody's token waits for the next of that name");
    assert_eq!(one.store.tokens("carl").await.unwrap(), []);
    // What somebody prefers is the same wherever they ask.
    let like = async |people: &People, patch: serde_json::Value| {
        people.prefer("ben", patch.as_object().unwrap().clone()).await.unwrap()
    };
    let (a, b) = tokio::join!(
        like(&one, serde_json::json!({"theme": "dark"})),
        like(&other, serde_json::json!({"density": "compact"})),
    );
    assert!(a.theme.is_some() && b.density.is_some());
    let (a, b) = (one.preferences("ben").await.unwrap(), other.preferences("ben").await.unwrap());
    assert!(a == b && a.theme.is_some() && a.density.is_some(), "{a:?} {b:?}");
    // What they did themselves they need not read again.
    for n in 0..20 {
        add(&one, &format!("user{n}")).await.unwrap();
    }
    let number = one.book().number;
    assert_eq!(number, one.store.people().await.unwrap());
}
