//! Any run of batches, good and bad, from several authors at once or one after the other, against maps in
//! memory: the store holds what they hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::BTreeMap;

use common::*;
use model::RemoteId;
use proptest::prelude::*;
use store::*;

/// One change, over few enough keys that they meet.
#[derive(Debug, Clone)]
enum Step {
    Observe(u64, u8, String),
    Forget(u64, u8),
    Gauges(u64, u8),
    Remote(u64, String),
    RemoteGone(u64),
    Event(u64),
    Setting(u8, Option<String>),
    /// Makes the whole batch fail.
    Bad,
}

fn step() -> impl Strategy<Value = Step> {
    let remote = 1..4_u64;
    prop_oneof![
        6 => (remote.clone(), 0..4_u8, ".{0,12}").prop_map(|(r, k, b)| Step::Observe(r, k, text(&b))),
        2 => (remote.clone(), 0..4_u8).prop_map(|(r, k)| Step::Forget(r, k)),
        3 => (remote.clone(), any::<u8>()).prop_map(|(r, b)| Step::Gauges(r, b)),
        2 => (remote.clone(), "[a-z]{1,5}").prop_map(|(r, n)| Step::Remote(r, n)),
        1 => remote.clone().prop_map(Step::RemoteGone),
        4 => remote.prop_map(Step::Event),
        2 => (0..3_u8, proptest::option::of(".{0,12}")).prop_map(|(k, v)| Step::Setting(k, v.map(|v| text(&v)))),
        1 => Just(Step::Bad),
    ]
}

/// PostgreSQL's text knows no NUL, and neither does JSON in the raw.
fn text(any: &str) -> String {
    any.replace('\0', "")
}

fn write(step: &Step) -> Vec<Write> {
    match step {
        Step::Observe(remote, key, body) => {
            vec![Write::Observed(observed(*remote, ObservedKind::Guest, &key.to_string(), body))]
        }
        Step::Forget(remote, key) => {
            vec![Write::ObservedGone {
                remote: RemoteId(*remote),
                kind: ObservedKind::Guest,
                key: key.to_string(),
            }]
        }
        Step::Gauges(remote, body) => {
            vec![Write::Gauges(GaugesRecord { remote: RemoteId(*remote), at: at(0), body: vec![*body] })]
        }
        Step::Remote(id, name) => vec![Write::Remote(remote(*id, name))],
        Step::RemoteGone(id) => vec![Write::RemoteGone { id: RemoteId(*id) }],
        Step::Event(remote) => vec![Write::Event(event(*remote, 1, "x", 0))],
        Step::Setting(key, value) => vec![Write::Setting { key: key.to_string(), value: value.clone() }],
        Step::Bad => ["one", "two"]
            .map(|id| {
                Write::Session(SessionRecord {
                    id: id.into(),
                    hash: [0; 32],
                    user: "anna".into(),
                    created: at(0),
                    seen: at(0),
                    expires: at(0),
                    body: String::new(),
                })
            })
            .into(),
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Held {
    observed: BTreeMap<(u64, String), String>,
    gauges: BTreeMap<u64, Vec<u8>>,
    remotes: BTreeMap<u64, String>,
    events: Vec<u64>,
    settings: BTreeMap<String, String>,
}

impl Held {
    fn apply(&mut self, batch: &[Step]) -> bool {
        let mut next = self.clone();
        for step in batch {
            match step.clone() {
                Step::Observe(remote, key, body) => {
                    next.observed.insert((remote, key.to_string()), body);
                }
                Step::Forget(remote, key) => {
                    next.observed.remove(&(remote, key.to_string()));
                }
                Step::Gauges(remote, body) => {
                    next.gauges.insert(remote, vec![body]);
                }
                Step::Remote(id, name) => {
                    next.remotes.insert(id, name);
                }
                Step::RemoteGone(id) => {
                    next.remotes.remove(&id);
                    next.gauges.remove(&id);
                    next.observed.retain(|(remote, _), _| *remote != id);
                }
                Step::Event(remote) => next.events.push(remote),
                Step::Setting(key, Some(value)) => {
                    next.settings.insert(key.to_string(), value);
                }
                Step::Setting(key, None) => {
                    next.settings.remove(&key.to_string());
                }
                Step::Bad => return false,
            }
        }
        *self = next;
        true
    }

    async fn of(store: &Store) -> Self {
        let mut held = Self::default();
        for record in store.remotes().await.unwrap() {
            held.remotes.insert(record.id.0, record.name);
        }
        for id in 1..4 {
            for record in store.observed(RemoteId(id)).await.unwrap() {
                held.observed.insert((id, record.key), record.body);
            }
            if let Some(record) = store.gauges(RemoteId(id)).await.unwrap() {
                held.gauges.insert(id, record.body);
            }
        }
        let all = EventFilter { after: Some(0), limit: 10_000, ..EventFilter::default() };
        for (at, (seq, record)) in store.events(all).await.unwrap().into_iter().enumerate() {
            assert_eq!(seq, i64::try_from(at).unwrap() + 1);
            held.events.push(record.remote.unwrap().0);
        }
        for key in 0..3 {
            if let Some(value) = store.setting(&key.to_string()).await.unwrap() {
                held.settings.insert(key.to_string(), value);
            }
        }
        held
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn the_store_holds_what_the_batches_say(
        batches in proptest::collection::vec(proptest::collection::vec(step(), 1..6), 1..30),
        together in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ground = Ground::sqlite();
            let (store, place) = ground.store().await;
            let mut held = Held::default();
            let mut answers = Vec::new();
            for batch in &batches {
                let wanted = held.apply(batch);
                let writes: Batch = batch.iter().flat_map(write).collect();
                let written = {
                    let store = store.clone();
                    tokio::spawn(async move { store.write(writes).await })
                };
                // Together: they meet in the queue, in the order in which they were sent.
                if together {
                    tokio::task::yield_now().await;
                    answers.push((wanted, written));
                } else {
                    assert_eq!(written.await.unwrap().is_ok(), wanted, "{batch:?}");
                }
            }
            for (wanted, written) in answers {
                assert_eq!(written.await.unwrap().is_ok(), wanted);
            }
            assert_eq!(Held::of(&store).await, held.clone());
            store.close().await;
            let store = Store::open(place, keys(), timings()).await.unwrap();
            assert_eq!(Held::of(&store).await, held);
            store.close().await;
        });
    }
}
