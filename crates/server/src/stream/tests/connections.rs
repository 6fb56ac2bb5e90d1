//! One connection and the hub behind it, in a world of their own.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::stream::{ByeWhy, ResetWhy, StreamMessage, Subscriptions, Topic};
use bytes::Bytes;
use fleet::FleetSnapshot;
use futures_util::{Stream, StreamExt};
use model::access::{Grant, Grants, Role, Visible};
use model::*;
use tokio::sync::watch;

use super::{Client, Fleet, at, everything, guest, parse, task};
use crate::caller::{Caller, Via};
use crate::stream::Timings;
use crate::stream::body::body;
use crate::stream::hub::Hub;
use crate::stream::machine::Wanted;
use crate::stream::routes::attach;
use crate::stream::rows::Kept;
use crate::stream::world::World;

const SOON: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Stage {
    begun: Instant,
    fleet: Arc<Mutex<Fleet>>,
    changed: watch::Sender<u64>,
    history: watch::Sender<i64>,
    grants: Arc<Mutex<Option<Grants>>>,
    hub: Hub,
}

impl World for Stage {
    fn now(&self) -> Now {
        Now { wall: at(0), mono: self.begun.elapsed() }
    }

    fn snapshot(&self) -> FleetSnapshot {
        self.fleet.lock().unwrap().snapshot.clone()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn history(&self) -> Option<watch::Receiver<i64>> {
        Some(self.history.subscribe())
    }

    async fn events(&self, after: i64, visible: &Visible, limit: usize) -> Result<(Vec<Kept>, i64), String> {
        let (page, up_to) = self.fleet.lock().unwrap().page(after, visible, limit);
        Ok((page.into_iter().map(|event| Kept::Known(Box::new(event))).collect(), up_to))
    }

    async fn grants(&self, _: &Caller) -> Option<Grants> {
        self.grants.lock().unwrap().clone()
    }
}

type Body = Pin<Box<dyn Stream<Item = Result<Bytes, std::convert::Infallible>> + Send>>;

impl Stage {
    fn new(change: impl FnOnce(&mut Timings)) -> Self {
        let mut timings = Timings {
            tick: Duration::from_millis(5),
            share: 1,
            access: Duration::from_millis(20),
            heartbeat: Duration::from_secs(3600),
            ..Timings::default()
        };
        change(&mut timings);
        let fleet = Fleet::new(2, 2);
        Self {
            begun: Instant::now(),
            changed: watch::Sender::new(fleet.snapshot.revision),
            history: watch::Sender::new(0),
            fleet: Arc::new(Mutex::new(fleet)),
            grants: Arc::new(Mutex::new(Some(Grants::administrator()))),
            hub: Hub::new(timings),
        }
    }

    fn caller(&self, name: &str) -> Caller {
        Caller {
            name: name.to_owned(),
            from: "192.0.2.1".to_owned(),
            via: Via::Session { id: "s".to_owned() },
            grants: self.grants.lock().unwrap().clone().unwrap_or_default(),
        }
    }

    fn connect(&self, name: &str, last: Option<&str>, subscriptions: Option<Subscriptions>) -> Body {
        let (held, resumed) = attach(&self.hub, &self.caller(name), last, self.now()).unwrap();
        if let Some(subscriptions) = subscriptions {
            let wanted = Wanted::read(subscriptions, self.hub.timings()).unwrap();
            held.entry.machine().subscribe(wanted, *self.history.borrow());
        }
        Box::pin(body(self.clone(), self.hub.clone(), self.caller(name), held, resumed))
    }

    fn change(&self, change: impl FnOnce(&mut Fleet)) {
        let mut fleet = self.fleet.lock().unwrap();
        change(&mut fleet);
        self.changed.send_replace(fleet.snapshot.revision);
        self.history.send_replace(fleet.last());
    }

    fn visible(&self) -> Visible {
        self.grants.lock().unwrap().clone().unwrap_or_default().visible()
    }

    async fn read(&self, body: &mut Body, client: &mut Client) -> Option<StreamMessage> {
        let frame = tokio::time::timeout(SOON, body.next()).await.expect("a message")?.unwrap();
        client.take(&frame, &self.fleet.lock().unwrap(), &self.visible());
        Some(parse(&frame).1)
    }

    /// Reads until a message is of that kind.
    async fn until(&self, body: &mut Body, client: &mut Client, kind: &str) -> StreamMessage {
        loop {
            let message = self.read(body, client).await.expect("not the end");
            if message.word() == kind {
                return message;
            }
        }
    }

    /// Reads until the client holds what there is.
    async fn settled(&self, body: &mut Body, client: &mut Client, asked: &Subscriptions) {
        loop {
            let silence = Duration::from_millis(300);
            match tokio::time::timeout(silence, body.next()).await {
                Ok(frame) => {
                    let frame = frame.expect("not the end").unwrap();
                    client.take(&frame, &self.fleet.lock().unwrap(), &self.visible());
                }
                Err(_) => break client.check(&self.fleet.lock().unwrap(), &self.visible(), asked),
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_joins_late_and_comes_back_holds_what_there_is() {
    let stage = Stage::new(|_| {});
    stage.change(|fleet| fleet.happens(1));
    let mut client = Client::default();
    let mut body = stage.connect("anna", None, Some(everything()));
    assert_eq!(stage.read(&mut body, &mut client).await.unwrap().word(), "hello");
    stage.settled(&mut body, &mut client, &everything()).await;
    assert_eq!(client.events, [2]);
    drop(body);
    // While it is away the world goes on.
    stage.change(|fleet| fleet.change(1, |remote| remote.guests[0] = Arc::new(guest(100, 7))));
    stage.change(|fleet| fleet.happens(2));
    client.kinds.clear();
    let mut body = stage.connect("anna", client.last_id.clone().as_deref(), None);
    stage.settled(&mut body, &mut client, &everything()).await;
    assert_eq!(client.kinds[0], "hello");
    assert!(!client.kinds.contains(&"reset") && !client.kinds.contains(&"links"), "{:?}", client.kinds);
    assert_eq!(client.events.len(), 2);
    assert_eq!(stage.hub.open(), 1);
    drop(body);
    assert_eq!(stage.hub.open(), 0);
}

#[tokio::test]
async fn who_cannot_be_taken_up_again_is_reset_first() {
    let stage = Stage::new(|timings| timings.resume = Duration::from_millis(50));
    let mut client = Client::default();
    let mut body = stage.connect("anna", None, Some(everything()));
    stage.settled(&mut body, &mut client, &everything()).await;
    let id = client.last_id.clone().unwrap();
    // Another person's stream is not known, as none is that never was.
    for (name, last) in [("berta", id.as_str()), ("anna", "0123.4"), ("anna", "nonsense")] {
        let mut other = stage.connect(name, Some(last), None);
        let mut fresh = Client::default();
        let first = stage.read(&mut other, &mut fresh).await.unwrap();
        assert!(
            matches!(first, StreamMessage::Reset(reset) if reset.why == ResetWhy::NotKnown),
            "{name} {last}"
        );
        let StreamMessage::Hello(hello) = stage.read(&mut other, &mut fresh).await.unwrap() else { panic!() };
        assert!(!hello.resumed && Some(hello.stream) != client.stream);
    }
    drop(body);
    tokio::time::sleep(Duration::from_millis(120)).await;
    let mut late = stage.connect("anna", Some(&id), Some(everything()));
    client.kinds.clear();
    stage.settled(&mut late, &mut client, &everything()).await;
    assert_eq!(client.kinds[..2], ["reset", "hello"]);
}

#[tokio::test]
async fn a_session_that_ends_ends_its_stream() {
    let stage = Stage::new(|timings| timings.access = Timings::default().access);
    let mut client = Client::default();
    let mut body = stage.connect("anna", None, Some(everything()));
    stage.settled(&mut body, &mut client, &everything()).await;
    let ended = Instant::now();
    *stage.grants.lock().unwrap() = None;
    let StreamMessage::Bye(bye) = stage.until(&mut body, &mut client, "bye").await else { panic!() };
    assert_eq!(bye.why, ByeWhy::SignedOut);
    assert!(stage.read(&mut body, &mut client).await.is_none());
    // Half of it is the interval; the rest is for a busy machine.
    assert!(ended.elapsed() < Duration::from_secs(1), "{:?}", ended.elapsed());
    drop(body);
    *stage.grants.lock().unwrap() = Some(Grants::administrator());
    let mut again = stage.connect("anna", client.last_id.clone().as_deref(), None);
    assert_eq!(stage.read(&mut again, &mut client).await.unwrap().word(), "reset");
}

#[tokio::test]
async fn a_narrower_scope_takes_rows_away() {
    let stage = Stage::new(|_| {});
    let mut client = Client::default();
    let mut body = stage.connect("anna", None, Some(everything()));
    stage.settled(&mut body, &mut client, &everything()).await;
    *stage.grants.lock().unwrap() = Some(Grants(vec![Grant::on(Role::Viewer, RemoteId(2))]));
    let StreamMessage::Reset(reset) = stage.until(&mut body, &mut client, "reset").await else { panic!() };
    assert_eq!(reset.why, ResetWhy::Scope);
    stage.settled(&mut body, &mut client, &everything()).await;
}

#[tokio::test]
async fn a_second_connection_takes_the_stream_over() {
    let stage = Stage::new(|_| {});
    let (mut client, mut old) = (Client::default(), Client::default());
    let mut first = stage.connect("anna", None, Some(everything()));
    stage.settled(&mut first, &mut client, &everything()).await;
    // A laptop wakes up; its first connection looks alive to us.
    let mut second = stage.connect("anna", client.last_id.clone().as_deref(), None);
    let StreamMessage::Bye(bye) = stage.until(&mut first, &mut old, "bye").await else { panic!() };
    assert_eq!(bye.why, ByeWhy::TakenUp);
    drop(first);
    stage.change(|fleet| fleet.happens(1));
    stage.settled(&mut second, &mut client, &everything()).await;
    assert_eq!(client.events, [2]);
    // The end of the first took nothing from the second.
    assert_eq!(stage.hub.open(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_nothing_and_is_reset() {
    let stage = Stage::new(|timings| timings.slow = Duration::from_millis(100));
    let mut client = Client::default();
    let mut body = stage.connect("anna", None, Some(everything()));
    stage.settled(&mut body, &mut client, &everything()).await;
    for cpu in 0..50 {
        stage.change(|fleet| fleet.change(1, |remote| remote.guests[0] = Arc::new(guest(100, cpu % 10))));
        stage.change(|fleet| fleet.happens(1));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    client.kinds.clear();
    let StreamMessage::Reset(reset) = stage.until(&mut body, &mut client, "reset").await else { panic!() };
    assert_eq!(reset.why, ResetWhy::Slow);
    stage.settled(&mut body, &mut client, &everything()).await;
    assert_eq!(client.events.len(), 50);
    // Fifty changes became one message of each kind: none was made while nobody read.
    assert!(client.kinds.iter().filter(|kind| **kind == "list").count() <= 6, "{:?}", client.kinds);
}

#[tokio::test]
async fn a_silent_stream_has_a_heart_and_a_stopping_server_says_goodbye() {
    let stage = Stage::new(|timings| timings.heartbeat = Duration::from_millis(50));
    let mut client = Client::default();
    let mut body = stage.connect("anna", None, None);
    stage.read(&mut body, &mut client).await;
    let id = client.last_id.clone();
    assert_eq!(stage.read(&mut body, &mut client).await.unwrap().word(), "heartbeat");
    assert_eq!(stage.read(&mut body, &mut client).await.unwrap().word(), "heartbeat");
    assert_eq!(client.last_id, id, "a heartbeat carries no id");
    stage.hub.close();
    let StreamMessage::Bye(bye) = stage.until(&mut body, &mut client, "bye").await else { panic!() };
    assert_eq!(bye.why, ByeWhy::Stopping);
    assert!(stage.read(&mut body, &mut client).await.is_none());
}

#[tokio::test]
async fn what_was_begun_is_told_to_its_end_before_it_is_called_told() {
    // What changes is looked for so seldom that it is not seen here.
    let stage = Stage::new(|timings| {
        (timings.chunk, timings.tick) = (2, Duration::from_secs(3600));
        // There is one whenever there is nothing else to tell, as while the next part is waited for.
        (timings.heartbeat, timings.share) = (Duration::ZERO, 50);
    });
    stage.change(|fleet| {
        for id in 1..=9 {
            fleet.add(id);
            fleet.change(id, |remote| remote.tasks = (0..3).map(|n| task(n, TaskOutcome::Ok)).collect());
        }
    });
    let asked = Subscriptions { topics: [Topic::Tasks].into(), ..Subscriptions::default() };
    let mut client = Client::default();
    let mut body = stage.connect("anna", None, Some(asked.clone()));
    let revision = stage.fleet.lock().unwrap().snapshot.revision;
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < SOON, "not all of it is ever told");
        let StreamMessage::Heartbeat(beat) = stage.until(&mut body, &mut client, "heartbeat").await else {
            panic!()
        };
        if beat.revision == revision {
            break;
        }
    }
    client.check(&stage.fleet.lock().unwrap(), &stage.visible(), &asked);
}

#[tokio::test]
async fn other_subscriptions_are_told_at_once() {
    let stage = Stage::new(|_| {});
    let mut client = Client::default();
    let mut body = stage.connect("anna", None, None);
    stage.read(&mut body, &mut client).await;
    let id = client.stream.clone().unwrap();
    assert!(stage.hub.find(&id, "user:berta", stage.now()).is_none());
    let entry = stage.hub.find(&id, "user:anna", stage.now()).unwrap();
    let asked = Subscriptions { topics: [Topic::Counts].into(), ..Subscriptions::default() };
    entry.machine().subscribe(Wanted::read(asked.clone(), stage.hub.timings()).unwrap(), 0);
    entry.ring();
    stage.until(&mut body, &mut client, "counts").await;
    stage.settled(&mut body, &mut client, &asked).await;
}

#[tokio::test]
async fn streams_are_bounded() {
    let stage = Stage::new(|timings| (timings.streams, timings.streams_per_caller) = (3, 2));
    let first = stage.connect("anna", None, None);
    let second = stage.connect("anna", None, None);
    let refused = attach(&stage.hub, &stage.caller("anna"), None, stage.now()).unwrap_err();
    assert_eq!(refused.status().as_u16(), 429);
    // One that lost its connection makes room.
    drop(first);
    let third = stage.connect("anna", None, None);
    let other = stage.connect("berta", None, None);
    let refused = attach(&stage.hub, &stage.caller("carla"), None, stage.now()).unwrap_err();
    assert_eq!(refused.status().as_u16(), 429);
    drop((second, third, other));
    assert_eq!(stage.hub.open(), 0);
}
