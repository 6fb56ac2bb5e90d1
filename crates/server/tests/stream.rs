//! The live stream through the whole of the server, over a simulated remote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use api::stream::{ByeWhy, ListRows, ResetWhy, StreamMessage, Subscriptions};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use fleet::{Clock, Fleet, RemoteSpec};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use model::access::{Grant, Grants, Role};
use model::{Action, Author, PowerOptions, RemoteId};
use pve::{Credential, TrustPolicy};
use pve_sim::{Sim, SimTimings, Topology};
use serde_json::{Value, json};
use server::settings::Passwords;
use server::{App, Peer, Settings};
use store::{EventFilter, Keys, Place, Store};
use tower::ServiceExt;

use crate::common::{Ask, PATIENCE, Reader, Who};

struct House {
    _sim: Sim,
    _dir: tempfile::TempDir,
    store: Store,
    fleet: Fleet,
    app: App,
    router: Router,
    id: RemoteId,
}

/// Hashing that takes no time: how passwords are kept is not what is tested here.
fn quick() -> Passwords {
    Passwords { memory_kib: 8, passes: 1, lanes: 1, ..Passwords::default() }
}

fn ada() -> Author {
    Author { name: "ada".into(), from: "test".into() }
}

impl House {
    async fn new() -> Self {
        let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
        let remote = sim.first().unwrap();
        let node = &remote.nodes()[0];
        let address = remote.address(node).unwrap().to_string().parse().unwrap();
        let leaf = remote.leaf_fingerprint(node).unwrap().parse().unwrap();
        let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) };
        let credential = Credential::password("root@pam", "secret-root");
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(place, keys, store::Timings::default()).await.unwrap();
        let clock = Clock::new();
        let fleet = Fleet::open(fleet::Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
        let spec = RemoteSpec::new("home", address, trust, credential);
        let id = fleet.add(spec, &ada()).await.unwrap();
        let settings = Settings { passwords: quick(), ..Settings::default() };
        let app = App::new(fleet.clone(), store.clone(), settings, clock).await.unwrap();
        let router = app.router();
        let house = Self { _sim: sim, _dir: dir, store, fleet, app, router, id };
        house.until("the guests are listed", |house| house.fleet.snapshot().guests().count() > 0).await;
        house
    }

    async fn until(&self, what: &str, fits: impl Fn(&Self) -> bool) {
        let begun = std::time::Instant::now();
        while !fits(self) {
            assert!(begun.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A request over the Unix socket, by that user of the system.
    async fn ask(
        &self,
        uid: u32,
        method: Method,
        path: &str,
        last: Option<&str>,
        body: Value,
    ) -> http::Response<Body> {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        request = request.header("content-type", "application/json").header("host", "localhost");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(Peer::Unix { uid, name: None });
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// A request over TCP, with a session's cookie.
    async fn knock(
        &self,
        method: Method,
        path: &str,
        cookie: Option<&str>,
        body: Value,
    ) -> http::Response<Body> {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        request = request.header("content-type", "application/json").header("host", "localhost");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let mut request = request.body(body).unwrap();
        let peer = Peer::Tcp { address: "127.0.0.1:9".parse().unwrap(), tls: false, metrics_only: false };
        request.extensions_mut().insert(peer);
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Signs in; the cookie.
    async fn sign_in(&self, user: &str, password: &str) -> String {
        let body = json!({"user": user, "password": password});
        let answer = self.knock(Method::POST, "/session", None, body).await;
        assert!(answer.status().is_success(), "{:?}", answer.into_body().collect().await.unwrap().to_bytes());
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn open(&self, last: Option<&str>, subscriptions: &Subscriptions) -> Reader {
        let text = serde_json::to_string(subscriptions).unwrap();
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let path = format!("/stream?subscribe={query}");
        let answer = self.ask(0, Method::GET, &path, last, Value::Null).await;
        assert_eq!(answer.status(), StatusCode::OK);
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("x-accel-buffering", "no"),
            ("cache-control", "no-store"),
        ] {
            let header = answer.headers()[name].to_str().unwrap();
            assert!(header.starts_with(value), "{name}: {header}");
        }
        Reader::of(answer)
    }
}

fn wanted() -> Subscriptions {
    serde_json::from_value(json!({
        "topics": ["links", "operations", "tasks", "events", "counts"],
        "lists": {"main": {"of": "guests", "q": "type:ct", "sort": "vmid"}},
        "events_after": 0
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_is_told_while_it_happens() {
    let house = House::new().await;
    let mut stream = house.open(None, &wanted()).await;
    let StreamMessage::Hello(hello) = stream.next().await else { panic!("hello comes first") };
    assert!(hello.resumed);
    let list = stream.until(|message| matches!(message, StreamMessage::List(_))).await;
    let StreamMessage::List(list) = list else { unreachable!() };
    let ListRows::Guests(rows) = &list.upserted else { panic!("guests were asked for") };
    assert_eq!((rows.len(), list.order.unwrap().len()), (list.total, list.total));
    let startable = |row: &&api::guest::Guest| row.word == "stopped" && row.row.guest.template != Some(true);
    let row = rows.iter().find(startable).expect("a stopped container");
    let (guest, vmid) = (row.id.clone(), row.row.guest.vmid);

    let start = house.fleet.operate(house.id, vmid, Action::Start, PowerOptions::default(), ada());
    let op = start.await.unwrap();
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    while seen.len() < 3 {
        match stream.next().await {
            StreamMessage::Operations(changes)
                if changes.upserted.iter().any(|one| one.id == op && one.success) =>
            {
                seen.insert("operation");
            }
            StreamMessage::List(changes) => {
                let ListRows::Guests(rows) = changes.upserted else { panic!("guests were asked for") };
                if rows.iter().any(|row| row.id == guest && row.word == "running") {
                    seen.insert("guest");
                }
            }
            StreamMessage::Events(page) => {
                events.extend(page.items.iter().map(|event| event.id));
                if page.items.iter().any(|event| event.operation == Some(op)) {
                    seen.insert("event");
                }
            }
            _ => {}
        }
    }
    // The connection breaks, things happen, another one comes: each event once, in order, none left out.
    let last = stream.last_id.clone();
    drop(stream);
    let stop = house.fleet.operate(house.id, vmid, Action::Stop, PowerOptions::default(), ada());
    stop.await.unwrap();
    house
        .until("it has stopped", |house| {
            let remote = house.fleet.remote(house.id).unwrap();
            let row = remote.guest(vmid);
            row.is_some_and(|row| row.state == model::GuestState::Stopped && row.busy.is_none())
        })
        .await;
    let newest = *house.fleet.events().unwrap().borrow();
    let unchanged = Subscriptions { events_after: None, ..wanted() };
    let mut stream = house.open(last.as_deref(), &unchanged).await;
    let StreamMessage::Hello(again) = stream.next().await else { panic!("hello comes first") };
    assert!(again.resumed && again.stream == hello.stream);
    loop {
        if let StreamMessage::Events(page) = stream.next().await {
            events.extend(page.items.iter().map(|event| event.id));
            if page.up_to >= newest {
                break;
            }
        }
    }
    let filter = EventFilter { after: Some(0), limit: 10_000, ..EventFilter::default() };
    let kept = house.store.events(filter).await.unwrap().into_iter().map(|(seq, _)| seq);
    let kept: Vec<i64> = kept.filter(|seq| Some(seq) <= events.last()).collect();
    assert_eq!(events, kept);
    house.fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_changed_on_an_open_stream_and_by_its_owner_alone() {
    let house = House::new().await;
    let mut stream = house.open(None, &Subscriptions::default()).await;
    let StreamMessage::Hello(hello) = stream.next().await else { panic!("hello comes first") };
    let path = format!("/stream/{}/subscriptions", hello.stream);
    let body = json!({"topics": ["counts"], "lists": {}});
    let stranger = house.ask(1000, Method::PUT, &path, None, body.clone()).await;
    assert_eq!(stranger.status(), StatusCode::NOT_FOUND);
    let answer = house.ask(0, Method::PUT, &path, None, body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let told = stream.until(|message| matches!(message, StreamMessage::Counts(_))).await;
    let StreamMessage::Counts(counts) = told else { unreachable!() };
    assert!(counts.guests > 0 && counts.remotes == 1);

    let wrong = json!({"lists": {"main": {"of": "guests", "q": "type:ct cpv>1%"}}});
    let answer = house.ask(0, Method::PUT, &path, None, wrong).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem = answer.into_body().collect().await.unwrap().to_bytes();
    let problem: api::Problem = serde_json::from_slice(&problem).unwrap();
    let at = problem.at.unwrap();
    assert_eq!((problem.code(), at.start, at.end), ("query", 8, 11));
    let unknown = json!({"topics": ["gossip"]});
    let answer = house.ask(0, Method::PUT, &path, None, unknown).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    house.fleet.stop().await;
}

/// Nothing else wakes the stream here: no change, no heartbeat, no look at what may be seen.
#[tokio::test]
async fn other_subscriptions_wake_a_stream_that_waits() {
    let never = Duration::from_secs(3600);
    let mut settings = common::settings();
    (settings.stream.access, settings.stream.heartbeat) = (never, never);
    let (_dir, app) = common::bare(settings).await;
    let router = app.router();
    let mut stream = Reader::of(Ask::get("/api/v1/stream").by(&Who::Socket).sent(&router).await);
    let StreamMessage::Hello(hello) = stream.next().await else { panic!("hello comes first") };
    let path = format!("/api/v1/stream/{}/subscriptions", hello.stream);
    let change = async {
        // By then it waits.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let body = json!({"topics": ["counts"], "lists": {}});
        Ask::new(Method::PUT, path).json(&body).by(&Who::Socket).of(&router).await.is(200, "");
    };
    let told = stream.until(|message| matches!(message, StreamMessage::Counts(_)));
    tokio::join!(told, change);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_get_no_stream() {
    let house = House::new().await;
    let answer = house.knock(Method::GET, "/stream", None, Value::Null).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let body = json!({"topics": ["links"]});
    let answer = house.knock(Method::PUT, "/stream/0123/subscriptions", None, body).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    house.fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_longer_granted_is_no_longer_told() {
    let house = House::new().await;
    let password = "a long enough password";
    house.app.add_user("boss", &password.into(), Grants::administrator()).await.unwrap();
    house
        .app
        .add_user("berta", &password.into(), Grants(vec![Grant::everywhere(Role::Viewer)]))
        .await
        .unwrap();
    let cookie = house.sign_in("berta", password).await;
    let wanted = json!({"topics": ["links"], "lists": {"main": {"of": "guests"}}}).to_string();
    let query: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    let path = format!("/stream?subscribe={query}");
    let answer = house.knock(Method::GET, &path, Some(&cookie), Value::Null).await;
    let mut stream = Reader::of(answer);
    let list = stream.until(|message| matches!(message, StreamMessage::List(_))).await;
    assert!(matches!(list, StreamMessage::List(list) if list.total > 0));

    // Nowhere at all: the rows are taken away.
    let nothing = json!({"grants": []});
    let answer = house.ask(0, Method::PUT, "/users/berta/grants", None, nothing).await;
    assert!(answer.status().is_success(), "{}", answer.status());
    let reset = stream.until(|message| matches!(message, StreamMessage::Reset(_))).await;
    assert!(matches!(reset, StreamMessage::Reset(reset) if reset.why == ResetWhy::Scope));
    let list = stream.until(|message| matches!(message, StreamMessage::List(_))).await;
    assert!(matches!(list, StreamMessage::List(list) if list.total == 0 && list.counts.remotes.total == 0));

    // No longer there: the stream ends at once.
    let ended = std::time::Instant::now();
    let answer = house.ask(0, Method::DELETE, "/users/berta", None, Value::Null).await;
    assert!(answer.status().is_success(), "{}", answer.status());
    let bye = stream.until(|message| matches!(message, StreamMessage::Bye(_))).await;
    assert!(matches!(bye, StreamMessage::Bye(bye) if bye.why == ByeWhy::SignedOut));
    assert!(stream.body.frame().await.is_none());
    assert!(ended.elapsed() < Duration::from_secs(3), "{:?}", ended.elapsed());
    house.fleet.stop().await;
}

/// An event that a newer Muster wrote, or that was damaged, has its place in the stream as it has in the history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_not_understood_is_told_as_the_history_tells_it() {
    use sqlx::Connection as _;
    let house = House::new().await;
    house.fleet.disconnect(house.id, &ada(), true).await.unwrap();
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", house._dir.path().join("muster.db").display());
    let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
    let sql = r#"UPDATE events SET kind = 'disk_wore_out', body = '{"what": {"type": "disk_wore_out"}}'
        WHERE kind = 'remote_added'"#;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let history = house.ask(0, Method::GET, "/events?kind=disk_wore_out", None, Value::Null).await;
    let history: Value =
        serde_json::from_slice(&history.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(history["items"].as_array().unwrap().len(), 1, "{history}");
    let odd = &history["items"][0];
    assert_eq!((&odd["remote_id"], &odd["remote"]), (&json!(house.id), &json!("home")), "{history}");
    let mut stream = house.open(None, &wanted()).await;
    let told = stream.until(|message| matches!(message, StreamMessage::Events(_))).await;
    let StreamMessage::Events(told) = told else { panic!("{told:?}") };
    let odd: Vec<Value> = told
        .items
        .iter()
        .filter(|event| event.name == "disk_wore_out")
        .map(|event| serde_json::to_value(event).unwrap())
        .collect();
    assert_eq!(Value::from(odd), history["items"]);
    assert!(history["items"][0]["sentence"].as_str().unwrap().contains("does not know"), "{history}");
}
