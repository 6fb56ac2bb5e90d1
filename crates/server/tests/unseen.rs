//! What somebody may not see is, to them, not there: it is in no list, no count, no search, no order, no revision and
//! no stream, and what happens to it changes nothing of what they are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::stream::StreamMessage;
use common::{Answer, Ask, PASSWORD, Reader, Site, THERE, Who, YONDER, ada, cases, settings};
use http::{Method, StatusCode};
use model::RemoteId;
use model::access::{Grant, Grants, Role};
use proptest::prelude::*;
use serde_json::{Value, json};

const LISTS: [&str; 6] = ["remotes", "guests", "nodes", "storages", "tasks", "operations"];

/// Words to search with: some that every list knows, some that are of one remote alone, some that no list knows.
const WORDS: [&str; 24] = [
    "",
    "zwilling",
    "drilling",
    "home",
    "101",
    "remote:zwilling",
    "remote:home,drilling",
    "-remote:zwilling",
    "-zwilling",
    "name:zwilling*",
    "name~1",
    "type:ct",
    "status:running",
    "-status:running",
    "node:zwilling-pve1",
    "node~pve",
    "link:down",
    "vmid>200",
    "vmid:902",
    "user:root@pam",
    "action:start",
    "age<1d",
    "local",
    "cpu>1%",
];

const SORTS: [&str; 12] = [
    "",
    "name",
    "-name",
    "remote",
    "-remote",
    "status",
    "-vmid",
    "node,name",
    "type,-age",
    "-cpu",
    "link",
    "-disk",
];

/// A site in which nothing changes any more.
struct Scene {
    runtime: tokio::runtime::Runtime,
    site: Site,
    root: Who,
    people: BTreeMap<&'static str, Who>,
}

/// Somebody whose rights are changed as one test likes.
#[derive(Clone, Copy)]
struct Somebody {
    scene: &'static Scene,
    name: &'static str,
}

impl Scene {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (site, root, people) = runtime.block_on(async {
            let mut settings = settings();
            settings.stream.tick = Duration::from_millis(5);
            settings.stream.access = Duration::from_millis(15);
            settings.stream.heartbeat = Duration::from_millis(60);
            let site = Site::with(settings).await;
            site.operated().await;
            site.freeze().await;
            let root = site.user("root", [Grant::everywhere(Role::Administrator)]).await;
            let mut people = BTreeMap::new();
            // One for each test: their rights change while it runs.
            for name in ["lister", "looker", "reader", "typist", "watcher"] {
                people.insert(name, site.user(name, []).await);
            }
            (site, root, people)
        });
        Self { runtime, site, root, people }
    }

    async fn get(&self, path: &str, who: &Who) -> Answer {
        Ask::get(path).by(who).of(&self.site.router).await
    }

    fn remotes(&self) -> [RemoteId; 3] {
        self.site.remotes().map(|(id, _)| id)
    }
}

impl Somebody {
    async fn may(self, grants: &Grants) {
        let body = json!({"grants": grants});
        let set = Ask::new(Method::PUT, format!("/api/v1/users/{}/grants", self.name)).json(&body);
        assert_eq!(set.by(&self.scene.root).of(&self.scene.site.router).await.status, StatusCode::OK);
    }

    fn who(self) -> &'static Who {
        &self.scene.people[self.name]
    }

    async fn get(self, path: &str) -> Answer {
        self.scene.get(path, self.who()).await
    }
}

fn scene() -> &'static Scene {
    static SCENE: std::sync::OnceLock<Scene> = std::sync::OnceLock::new();
    SCENE.get_or_init(Scene::new)
}

/// The remotes that grants let see: any role reads.
fn seen(grants: &Grants, remotes: [RemoteId; 3]) -> BTreeSet<RemoteId> {
    let sees = |id: &RemoteId| {
        grants
            .0
            .iter()
            .any(|grant| *grant == Grant::everywhere(grant.role) || *grant == Grant::on(grant.role, *id))
    };
    remotes.into_iter().filter(sees).collect()
}

fn grants() -> impl Strategy<Value = Grants> {
    let remotes = scene().remotes();
    let grant = (0..4usize, 0..9usize).prop_map(move |(role, place)| match place {
        0 => Grant::everywhere(Role::ALL[role]),
        n => Grant::on(Role::ALL[role], remotes[n % 3]),
    });
    prop::collection::vec(grant, 0..3).prop_map(Grants)
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn of_remote(list: &str, row: &Value) -> RemoteId {
    let key = if list == "remotes" { "id" } else { "remote_id" };
    RemoteId(row[key].as_u64().unwrap())
}

fn add(total: &mut BTreeMap<String, u64>, counts: &Value) {
    for (word, count) in counts.as_object().into_iter().flatten() {
        *total.entry(word.clone()).or_default() += count.as_u64().unwrap();
    }
}

fn told(counts: &Value) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    add(&mut all, counts);
    all.retain(|_, count| *count > 0);
    all
}

proptest! {
    #![proptest_config(cases(48, 16))]

    /// Whatever is asked for, in whatever order, from wherever on: a list is that of who sees everything without the
    /// rows that may not be seen, and so are its counts.
    #[test]
    fn lists_are_as_if_the_unseen_were_not_there(
        grants in grants(),
        asked in prop::collection::vec(
            (0..LISTS.len(), prop::collection::vec(0..WORDS.len(), 1..3), 0..SORTS.len(), 0..6usize, 1..8usize), 8),
    ) {
        let scene = scene();
        let somebody = Somebody { scene, name: "lister" };
        scene.runtime.block_on(async {
            somebody.may(&grants).await;
            let seen = seen(&grants, scene.remotes());
            for (list, words, sort, offset, limit) in asked {
                let list = LISTS[list];
                let q = words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
                let base = format!("/api/v1/{list}?sort={}&q=", encoded(SORTS[sort]));
                let part = format!("{base}{}&offset={offset}&limit={limit}", encoded(&q));
                let own = somebody.get(&part).await;
                let all = scene.get(&format!("{base}{}&limit=1000", encoded(&q)), &scene.root).await;
                assert_eq!(own.status, all.status, "{part}: {own:?}");
                if !own.status.is_success() {
                    // It may say what was written, and what may be written; not what there is.
                    let said = own.text.replace(&q, "");
                    for name in [THERE, YONDER] {
                        assert!(q.contains(name) || !said.contains(name), "{part}: {own:?}");
                    }
                    continue;
                }
                let rows = |answer: &Answer| answer.json["items"].as_array().unwrap().clone();
                let visible: Vec<Value> =
                    rows(&all).into_iter().filter(|row| seen.contains(&of_remote(list, row))).collect();
                let page: Vec<Value> = visible.iter().skip(offset).take(limit).cloned().collect();
                assert_eq!(rows(&own), page, "{part} as {grants:?}");
                assert_eq!(own.json["total"], visible.len(), "{part} as {grants:?}");
                let counts = &own.json["counts"];
                assert_eq!(counts["remotes"]["total"], seen.len(), "{part}: {counts}");
                // What who sees everything counts on each of these remotes alone, put together.
                let mut sums: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
                for id in seen.iter().filter(|_| list != "remotes") {
                    let narrowed = format!("{base}{}", encoded(&format!("{q} remote:{id}")));
                    let alone = scene.get(&narrowed, &scene.root).await;
                    for kind in ["state", "type", "freshness", "link"] {
                        add(sums.entry(kind).or_default(), &alone.json["counts"][kind]);
                    }
                }
                for (kind, mut sum) in sums {
                    sum.retain(|_, count| *count > 0);
                    assert_eq!(told(&counts[kind]), sum, "{kind} of {part} as {grants:?}");
                }
            }
        });
    }

    /// The history likewise.
    #[test]
    fn the_history_is_as_if_the_unseen_had_none(
        grants in grants(),
        limit in 1..20usize,
        kind in prop::sample::select(vec!["", "operation", "link,guest_appeared", "node_appeared", "nonsense"]),
    ) {
        let scene = scene();
        let somebody = Somebody { scene, name: "reader" };
        scene.runtime.block_on(async {
            somebody.may(&grants).await;
            let seen = seen(&grants, scene.remotes());
            let all = scene.get(&format!("/api/v1/events?limit=1000&kind={kind}"), &scene.root).await;
            let all = all.json["items"].as_array().unwrap().clone();
            let visible: Vec<Value> = all
                .into_iter()
                .filter(|row| row["remote_id"].as_u64().is_some_and(|id| seen.contains(&RemoteId(id))))
                .collect();
            let path = format!("/api/v1/events?limit={limit}&kind={kind}");
            // Who sees everything also sees what is of no remote.
            if seen.len() < 3 {
                let own = somebody.get(&path).await;
                let first: Vec<Value> = visible.iter().take(limit).cloned().collect();
                assert_eq!(own.json["items"], Value::from(first), "{path} as {grants:?}");
            }
            for (id, name) in scene.site.remotes() {
                let path = format!("/api/v1/events?remote={name}&limit=1000");
                let own = somebody.get(&path).await;
                assert_eq!(own.status == StatusCode::NOT_FOUND, !seen.contains(&id), "{path}: {own:?}");
                if !seen.contains(&id) {
                    let absent = somebody.get("/api/v1/events?remote=nowhere").await;
                    assert_eq!((own.text, own.headers), (absent.text, absent.headers), "{path}");
                }
            }
        });
    }

    /// Everything at a glance: each figure is that of the list of the same things.
    #[test]
    fn the_overview_is_as_if_the_unseen_were_not_there(grants in grants()) {
        let scene = scene();
        let somebody = Somebody { scene, name: "looker" };
        scene.runtime.block_on(async {
            somebody.may(&grants).await;
            let seen = seen(&grants, scene.remotes());
            let overview = somebody.get("/api/v1/overview").await;
            let all = &overview.json;
            for list in ["guests", "nodes", "remotes"] {
                let page = somebody.get(&format!("/api/v1/{list}?limit=1")).await.json;
                assert_eq!(all[list]["total"], page["total"], "{list} as {grants:?}");
            }
            let nodes = somebody.get("/api/v1/nodes?limit=1").await.json["total"].clone();
            let storages = somebody.get("/api/v1/storages?limit=1").await.json["total"].clone();
            let capacity = &all["capacity"];
            let of = ["cpu", "memory", "storage"].map(|what| capacity[what]["of"].clone());
            assert_eq!(of, [nodes.clone(), nodes, storages], "{capacity} as {grants:?}");
            // Each of them is disconnected, and nothing else is wrong with it.
            assert_eq!(all["problems"]["by_kind"].get("link").map_or(0, |n| n.as_u64().unwrap()), seen.len() as u64);
            assert_eq!((&all["problems"]["total"], &all["running"]["tasks_unknown"]), (&json!(seen.len()), &json!(seen.len())));
            let running = &all["running"];
            assert_eq!((&running["tasks_total"], &running["operations_total"]), (&json!(0), &json!(0)), "{running}");
            for (id, name) in scene.site.remotes() {
                assert!(seen.contains(&id) || !overview.text.contains(name), "{name} as {grants:?}: {overview:?}");
            }
        });
    }

    /// How a query may go on: with nothing that is on what may not be seen.
    #[test]
    fn what_may_not_be_seen_is_not_proposed(
        grants in grants(),
        list in 0..LISTS.len(),
        begins in prop::sample::select(vec!["", "z", "d", "zwilling", "p"]),
    ) {
        let scene = scene();
        let somebody = Somebody { scene, name: "typist" };
        scene.runtime.block_on(async {
            somebody.may(&grants).await;
            let (seen, list) = (seen(&grants, scene.remotes()), LISTS[list]);
            let fields = somebody.get(&format!("/api/v1/query/{list}")).await;
            for field in fields.json["fields"].as_array().unwrap() {
                let field = field["name"].as_str().unwrap();
                let path = format!("/api/v1/query/{list}/complete?q={}", encoded(&format!("{field}:{begins}")));
                let (own, all) = (somebody.get(&path).await, scene.get(&path, &scene.root).await);
                let texts = |answer: &Answer| -> BTreeSet<String> {
                    let all = answer.json["suggestions"].as_array().unwrap();
                    all.iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
                };
                if all.json["suggestions"].as_array().unwrap().len() < 20 {
                    assert!(texts(&own).is_subset(&texts(&all)), "{path} as {grants:?}");
                }
                for (id, name) in scene.site.remotes() {
                    let own = own.text.contains(name);
                    assert!(seen.contains(&id) || !own, "{path} as {grants:?}");
                    // The test would see it: all but storages and tasks of these remotes is called like them.
                    let named = !matches!(list, "storages" | "tasks");
                    let its_name = named && field == "name" && begins == "zwilling" && name == begins;
                    assert!(!(its_name && seen.contains(&id)) || own, "{path} as {grants:?}");
                }
            }
        });
    }

    /// Every topic and every list of a stream, for any grants and then for any others: what is told is what may be
    /// read, and what may no longer be seen is void.
    #[test]
    fn streams_tell_what_may_be_read(first in grants(), second in grants()) {
        let scene = scene();
        let somebody = Somebody { scene, name: "watcher" };
        scene.runtime.block_on(async {
            somebody.may(&first).await;
            let wanted = json!({
                "topics": ["links", "operations", "tasks", "events", "counts", "overview"],
                "lists": {
                    "guests": {"of": "guests", "limit": 200},
                    "nodes": {"of": "nodes", "limit": 200},
                    "storages": {"of": "storages", "limit": 200},
                    "hidden": {"of": "guests", "q": "zwilling", "sort": "-remote,-name", "limit": 3},
                },
                "events_after": 0,
            });
            let path = format!("/api/v1/stream?subscribe={}", encoded(&wanted.to_string()));
            let mut stream = Reader::of(Ask::get(path).by(somebody.who()).sent(&scene.site.router).await);
            let mut held = Held::default();
            held.read(&mut stream, somebody).await;
            held.check(somebody, &first).await;
            somebody.may(&second).await;
            let everywhere = |grants: &Grants| grants.0.iter().any(|one| *one == Grant::everywhere(one.role));
            let remotes = scene.remotes();
            let scope = |grants: &Grants| (everywhere(grants), seen(grants, remotes));
            if scope(&first) != scope(&second) {
                let reset = stream.until(|message| matches!(message, StreamMessage::Reset(_))).await;
                held.take(reset, &seen(&second, remotes));
            }
            held.read(&mut stream, somebody).await;
            held.check(somebody, &second).await;
        });
    }
}

/// What a client of a stream holds: the ids it was told, by what they are of.
#[derive(Default)]
struct Held {
    ids: BTreeMap<String, Vec<String>>,
    guests: Option<usize>,
    remotes: Option<usize>,
    revisions: BTreeSet<u64>,
    /// The overview, part by part.
    overview: serde_json::Map<String, Value>,
    everything: String,
}

impl Held {
    /// Reads until there is nothing more to tell.
    async fn read(&mut self, stream: &mut Reader, somebody: Somebody) {
        let now = somebody.get("/api/v1/guests?limit=1").await.json["revision"].as_u64();
        let begun = std::time::Instant::now();
        loop {
            assert!(begun.elapsed() < common::PATIENCE, "it never rests");
            let message = stream.next().await;
            if let StreamMessage::Heartbeat(beat) = &message
                && Some(beat.revision) == now
                && self.guests.is_some()
                && !self.overview.is_empty()
            {
                return;
            }
            self.take(message, &BTreeSet::new());
        }
    }

    fn take(&mut self, message: StreamMessage, after_reset: &BTreeSet<RemoteId>) {
        self.everything.push_str(&serde_json::to_string(&message).unwrap());
        let mut told = |of: &str, ids: Vec<String>| self.ids.entry(of.to_owned()).or_default().extend(ids);
        match message {
            StreamMessage::Links(all) => {
                told("remotes", all.upserted.iter().map(|row| row.id.to_string()).collect());
            }
            StreamMessage::Operations(all) => {
                told("operations", all.upserted.iter().map(|row| row.id.to_string()).collect());
            }
            StreamMessage::Tasks(all) => {
                told("tasks", all.upserted.iter().map(|row| row.id.clone()).collect())
            }
            StreamMessage::Events(all) => {
                let seen = |row: &&api::event::Event| {
                    after_reset.is_empty() || row.remote_id.is_some_and(|id| after_reset.contains(&id))
                };
                told("events", all.items.iter().filter(seen).map(|row| row.id.to_string()).collect());
            }
            StreamMessage::Counts(counts) => {
                (self.guests, self.remotes) = (Some(counts.guests), Some(counts.remotes));
            }
            StreamMessage::List(list) => {
                self.ids.insert(format!("list {}", list.list), list.order.unwrap());
                self.revisions.insert(list.revision);
            }
            StreamMessage::Overview(parts) => match serde_json::to_value(parts).unwrap() {
                Value::Object(parts) => self.overview.extend(parts),
                other => panic!("{other}"),
            },
            // The history is not told again: it is read.
            StreamMessage::Reset(_) => {
                *self = Self::default();
            }
            StreamMessage::Hello(_) | StreamMessage::Heartbeat(_) => {}
            StreamMessage::Bye(bye) => panic!("{bye:?}"),
        }
    }

    async fn check(&self, somebody: Somebody, grants: &Grants) {
        let scene = somebody.scene;
        let seen = seen(grants, scene.remotes());
        let read = |path: String| async move {
            let page = somebody.get(&path).await;
            page.json["items"].as_array().unwrap_or_else(|| panic!("{page:?}")).clone()
        };
        let ids = |rows: &[Value]| -> Vec<String> {
            let id = |row: &Value| match &row["id"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            rows.iter().map(id).collect()
        };
        for of in ["remotes", "operations", "tasks"] {
            let want: BTreeSet<String> =
                ids(&read(format!("/api/v1/{of}?limit=1000")).await).into_iter().collect();
            let got: BTreeSet<String> = self.ids.get(of).cloned().unwrap_or_default().into_iter().collect();
            assert_eq!(got, want, "{of} as {grants:?}");
        }
        for (name, path) in [
            ("guests", "/api/v1/guests?limit=200"),
            ("nodes", "/api/v1/nodes?limit=200"),
            ("storages", "/api/v1/storages?limit=200"),
            ("hidden", "/api/v1/guests?q=zwilling&sort=-remote,-name&limit=3"),
        ] {
            let rows = read(path.to_owned()).await;
            assert!(rows.iter().all(|row| seen.contains(&of_remote(name, row))), "{path}");
            assert_eq!(self.ids[&format!("list {name}")], ids(&rows), "{name} as {grants:?}");
        }
        let guests = read("/api/v1/guests?limit=1000".to_owned()).await.len();
        assert_eq!((self.guests, self.remotes), (Some(guests), Some(seen.len())), "{grants:?}");
        let overview = somebody.get("/api/v1/overview").await.json;
        for (part, told) in &self.overview {
            assert_eq!(told, &overview[part], "{part} of the overview as {grants:?}");
        }
        assert_eq!(self.overview.len(), 6, "{:?}", self.overview.keys());
        let revision = somebody.get("/api/v1/guests?limit=1").await.json["revision"].as_u64().unwrap();
        assert_eq!(self.revisions, BTreeSet::from([revision]), "{grants:?}");
        for (id, name) in scene.site.remotes() {
            assert!(name == "home" || seen.contains(&id) || !self.everything.contains(name), "{grants:?}");
        }
    }
}

/// Things happen to what somebody may not see; every answer they get stays the same to the byte, and their stream says
/// nothing.
#[test]
fn what_happens_to_the_unseen_changes_no_answer() {
    // A site of its own: what happens in it would disturb the others. It lives as long as the process.
    let scene: &'static Scene = Box::leak(Box::new(Scene::new()));
    let somebody = Somebody { scene, name: "reader" };
    scene.runtime.block_on(async {
        let site = &scene.site;
        somebody.may(&Grants(vec![Grant::on(Role::Administrator, site.here)])).await;
        let home = site.fleet.remote(site.here).unwrap();
        let operation = home.operations[0].id;
        let upid = home.tasks[0].upid.as_str().to_owned();
        let mut paths: Vec<String> = ["101?look=false", "101/events", "101/tasks", "101/past"]
            .map(|part| format!("guests/home/{part}"))
            .into();
        paths.extend(LISTS.map(str::to_owned));
        paths.extend(LISTS.map(|list| format!("{list}?sort=-name&limit=2&q=-zwilling")));
        paths.extend(LISTS.map(|list| format!("{list}?q=zwilling")));
        paths.extend([
            "events".to_owned(),
            "overview".to_owned(),
            "query/guests/complete?q=name:".to_owned(),
            "query/guests/complete?q=node:".to_owned(),
            "query/tasks/complete?q=user:".to_owned(),
            "query/operations/complete?q=name:".to_owned(),
            "query/remotes/complete?q=name:".to_owned(),
            "remotes/home".to_owned(),
            format!("remotes/{THERE}"),
            format!("guests/{THERE}/901"),
            "nodes/home/pve1?look=false".to_owned(),
            "storages/home/local?look=false".to_owned(),
            format!("tasks/home/{upid}"),
            format!("operations/{operation}"),
            "session".to_owned(),
            "sessions".to_owned(),
            "tokens".to_owned(),
        ]);
        let all = async || {
            let mut answers = Vec::new();
            for path in &paths {
                let answer = somebody.get(&format!("/api/v1/{path}")).await;
                answers.push((path.clone(), answer.status, format!("{:?}", answer.headers), answer.text));
            }
            answers
        };
        let wanted = json!({
            "topics": ["links", "operations", "tasks", "events", "counts", "overview"],
            "lists": {"guests": {"of": "guests"}, "nodes": {"of": "nodes"}, "storages": {"of": "storages"}},
        });
        let path = format!("/api/v1/stream?subscribe={}", encoded(&wanted.to_string()));
        let mut stream = Reader::of(Ask::get(path).by(somebody.who()).sent(&site.router).await);
        let quiet = stream.until(|message| matches!(message, StreamMessage::Heartbeat(_))).await;
        let StreamMessage::Heartbeat(quiet) = quiet else { unreachable!() };

        let before = all().await;
        assert!(before.iter().filter(|(_, status, ..)| status.is_success()).count() > 25, "{before:?}");
        let revision = site.fleet.snapshot().revision;

        let edit = json!({"name": "umbenannt", "interval_seconds": 30});
        let path = format!("/api/v1/remotes/{THERE}");
        Ask::new(Method::PATCH, path).json(&edit).by(&scene.root).of(&site.router).await.is(200, "");
        site.fleet.connect(site.there, &ada()).await.unwrap();
        site.until("it is connected", |site| site.fleet.remote(site.there).unwrap().link.state.is_up()).await;
        let body = json!({"remote": "umbenannt", "vmid": 902, "action": "stop"});
        let stop = Ask::post("/api/v1/operations", body).by(&scene.root).of(&site.router).await;
        assert_eq!(stop.status, StatusCode::ACCEPTED, "{stop:?}");
        let body =
            json!({"name": "neu", "password": PASSWORD, "grants": [Grant::on(Role::Viewer, site.there)]});
        Ask::post("/api/v1/users", body).by(&scene.root).of(&site.router).await.is(201, "");
        site.until("it has ended", |site| {
            let remote = site.fleet.remote(site.there).unwrap();
            remote.operations.iter().all(|one| one.state.is_final()) && remote.operations.len() > 1
        })
        .await;
        site.fleet.remove(site.yonder, &ada(), true).await.unwrap();
        assert!(site.fleet.snapshot().revision > revision + 5, "much has happened");

        for (before, after) in before.into_iter().zip(all().await) {
            assert_eq!(before, after);
        }
        // All that it said meanwhile, and for some time on.
        for _ in 0..5 {
            match stream.next().await {
                StreamMessage::Heartbeat(beat) => assert_eq!(beat.revision, quiet.revision),
                other => panic!("{other:?}"),
            }
        }
        // The test would see it: who sees everything is told.
        let after = scene.get("/api/v1/guests", &scene.root).await;
        assert!(after.text.contains("umbenannt"));
    });
}

/// That a remote is the same as another one is told to who may see both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_twin_of_a_remote_is_named_to_who_sees_both() {
    let (_dir, app) = common::bare(settings()).await;
    let sim =
        pve_sim::Sim::start(pve_sim::Topology::single("9.2"), pve_sim::SimTimings::fast()).await.unwrap();
    let fleet = app.fleet().clone();
    let here = common::manage(&fleet, &sim, "home").await;
    let until = async |id, what: &str, fits: fn(&fleet::RemoteSnapshot) -> bool| {
        let begun = std::time::Instant::now();
        while !fits(&fleet.remote(id).unwrap()) {
            assert!(begun.elapsed() < common::PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    until(here, "its identity", |remote| remote.identity.is_some()).await;
    let there = common::manage(&fleet, &sim, THERE).await;
    until(there, "taken for the same", |remote| remote.same_as.is_some()).await;
    let router = app.router();
    for (name, grant, twin) in [
        ("one", Grant::on(Role::Administrator, there), Value::Null),
        ("both", Grant::everywhere(Role::Viewer), json!("home")),
    ] {
        app.add_user(name, &PASSWORD.into(), [grant].into_iter().collect()).await.unwrap();
        let who = common::token(&router, name).await;
        let one = Ask::get(format!("/api/v1/remotes/{THERE}")).by(&who).of(&router).await;
        assert_eq!(one.json["same_as"], twin, "{one:?}");
        let all = Ask::get(format!("/api/v1/remotes?q={THERE}")).by(&who).of(&router).await;
        assert_eq!(all.json["items"][0]["same_as"], twin, "{all:?}");
    }
    fleet.stop().await;
}
