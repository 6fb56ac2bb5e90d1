//! A server over three simulated remotes, and those who ask it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use api::stream::StreamMessage;
use axum::Router;
use axum::body::Body;
use fleet::{Clock, Fleet, RemoteSpec};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use model::access::{Grant, Grants};
use model::{Author, RemoteId};
use pve::{Credential, TrustPolicy};
use pve_sim::{Sim, SimTimings, Topology};
use serde_json::Value;
use server::settings::Passwords;
use server::{App, Peer, Settings};
use store::{Keys, Place, Store};
use tower::ServiceExt;

/// Generous: the machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What everything of the remote `there` is called.
pub const THERE: &str = "zwilling";

/// What everything of the third remote is called.
pub const YONDER: &str = "drilling";

/// How many cases a property test draws: so many in an ordinary run, and of what `make fuzz` asks for one in `share`.
pub fn cases(ordinary: u32, share: u32) -> proptest::test_runner::Config {
    let usual = proptest::test_runner::Config::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if asked { (usual.cases / share).max(ordinary) } else { ordinary };
    // What fails because something never comes is not waited for again and again.
    proptest::test_runner::Config { cases, failure_persistence: None, max_shrink_time: 60_000, ..usual }
}

pub const PASSWORD: &str = "correct horse battery";

pub struct Site {
    pub dir: tempfile::TempDir,
    pub store: Store,
    pub fleet: Fleet,
    pub app: App,
    pub router: Router,
    pub here: RemoteId,
    pub there: RemoteId,
    pub yonder: RemoteId,
    pub sims: Vec<Sim>,
}

/// Hashing that takes no time.
pub fn cheap() -> Passwords {
    Passwords { memory_kib: 8, passes: 1, lanes: 1, ..Passwords::default() }
}

pub fn settings() -> Settings {
    Settings { passwords: cheap(), listen: vec!["127.0.0.1:8088".parse().unwrap()], ..Settings::default() }
}

pub fn ada() -> Author {
    Author { name: "ada".into(), from: "test".into() }
}

/// A server without remotes.
pub async fn bare(settings: Settings) -> (tempfile::TempDir, App) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir).await;
    let clock = Clock::new();
    let fleet = Fleet::open(fleet::Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
    let app = App::new(fleet, store, Settings { scratch: dir.path().into(), ..settings }, clock);
    (dir, app.await.unwrap())
}

pub async fn open(dir: &tempfile::TempDir) -> Store {
    let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
    let place = Place::Sqlite(dir.path().join("muster.db"));
    Store::open(place, keys, store::Timings::default()).await.unwrap()
}

async fn add(fleet: &Fleet, topology: Topology, name: &str) -> (Sim, RemoteId) {
    let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
    let id = manage(fleet, &sim, name).await;
    (sim, id)
}

/// Adds a simulated remote, signed in to by password.
pub async fn manage(fleet: &Fleet, sim: &Sim, name: &str) -> RemoteId {
    let remote = sim.first().unwrap();
    let node = &remote.nodes()[0];
    let address = remote.address(node).unwrap().to_string().parse().unwrap();
    let leaf = remote.leaf_fingerprint(node).unwrap().parse().unwrap();
    let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) };
    let credential = Credential::password("root@pam", "secret-root");
    fleet.add(RemoteSpec::new(name, address, trust, credential), &ada()).await.unwrap()
}

/// Another fleet than all others: everything in it is called so, and nothing has a number of theirs.
fn called(mut topology: Topology, name: &str, seed: u64) -> Topology {
    topology.seed = seed;
    let remote = &mut topology.remotes[0];
    if remote.cluster.is_some() {
        remote.cluster = Some(name.to_owned());
    }
    for node in &mut remote.nodes {
        node.name = format!("{name}-{}", node.name);
    }
    for guest in &mut remote.guests {
        guest.name = format!("{name}-{}", guest.vmid);
        guest.node = format!("{name}-{}", guest.node);
        guest.vmid += 800 * u32::try_from(seed - 1).unwrap();
    }
    topology
}

impl Site {
    pub async fn new() -> Self {
        Self::with(settings()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir).await;
        let clock = Clock::new();
        let fleet = Fleet::open(fleet::Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
        let (sim, here) = add(&fleet, Topology::single("9.2"), "home").await;
        let (other, there) = add(&fleet, called(Topology::single("8.4"), THERE, 2), THERE).await;
        let (third, yonder) = add(&fleet, called(Topology::cluster(2, "9.2"), YONDER, 3), YONDER).await;
        let settings = Settings { scratch: dir.path().into(), ..settings };
        let app = App::new(fleet.clone(), store.clone(), settings, clock).await.unwrap();
        let router = app.router();
        let sims = vec![sim, other, third];
        let site = Self { dir, store, fleet, app, router, here, there, yonder, sims };
        site.until("the guests are listed", |site| site.fleet.snapshot().guests().count() >= 14).await;
        site
    }

    pub async fn until(&self, what: &str, fits: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !fits(self) {
            assert!(begun.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// All remotes with their names.
    pub fn remotes(&self) -> [(RemoteId, &'static str); 3] {
        [(self.here, "home"), (self.there, THERE), (self.yonder, YONDER)]
    }

    /// One operation and its task on each remote, ended; by remote, its id and the task's.
    pub async fn operated(&self) -> Vec<(RemoteId, String, String)> {
        let mut all = Vec::new();
        for (id, _) in self.remotes() {
            let remote = self.fleet.remote(id).unwrap();
            let stopped = |row: &&std::sync::Arc<model::rows::GuestRow>| {
                row.state == model::GuestState::Stopped && row.guest.kind == model::GuestKind::Ct
            };
            let vmid = remote.guests.iter().find(stopped).unwrap().guest.vmid;
            let options = model::PowerOptions::default();
            let operation = self.fleet.operate(id, vmid, model::Action::Start, options, ada()).await.unwrap();
            let ended = || {
                let remote = self.fleet.remote(id).unwrap();
                let one = remote.operations.iter().find(|one| one.id == operation)?;
                let upid = one.task.clone()?;
                let listed = remote.tasks.iter().any(|task| task.upid == upid && task.outcome.has_ended());
                (one.state.is_final() && listed).then(|| upid.as_str().to_owned())
            };
            self.until("it has ended and its task is listed", |_| ended().is_some()).await;
            all.push((id, operation.to_string(), ended().unwrap()));
        }
        all
    }

    /// Lets nothing change any more: every remote is disconnected.
    pub async fn freeze(&self) {
        for (id, _) in self.remotes() {
            self.fleet.disconnect(id, &ada(), true).await.unwrap();
        }
        let mut revision = 0;
        let begun = Instant::now();
        while revision != self.fleet.snapshot().revision {
            assert!(begun.elapsed() < PATIENCE, "it never rests");
            revision = self.fleet.snapshot().revision;
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    }

    /// A user with these grants, and a token of theirs.
    pub async fn user(&self, name: &str, grants: impl IntoIterator<Item = Grant>) -> Who {
        let grants: Grants = grants.into_iter().collect();
        self.app.add_user(name, &PASSWORD.into(), grants).await.unwrap();
        token(&self.router, name).await
    }
}

/// A token for a user, made as they would.
pub async fn token(router: &Router, name: &str) -> Who {
    let session = sign_in(router, name, PASSWORD).await;
    let made = Ask::post("/api/v1/tokens", serde_json::json!({"name": "test"})).by(&session).of(router).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    Who::Token(made.json["secret"].as_str().unwrap().to_owned())
}

pub async fn sign_in(router: &Router, name: &str, password: &str) -> Who {
    let body = serde_json::json!({"user": name, "password": password});
    let answer = Ask::post("/api/v1/session", body).of(router).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    session_of(&answer)
}

pub fn session_of(answer: &Answer) -> Who {
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    Who::Session { cookie, csrf: answer.json["csrf"].as_str().unwrap().to_owned() }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Who {
    Nobody,
    Token(String),
    Session { cookie: String, csrf: String },
    Socket,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub who: Who,
    pub from: SocketAddr,
    pub tls: bool,
}

impl Ask {
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: vec![("host".into(), "127.0.0.1:8088".into())],
            body: String::new(),
            who: Who::Nobody,
            from: "127.0.0.1:40000".parse().unwrap(),
            tls: false,
        }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path).json(&body)
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("content-type", "application/json")
    }

    /// Sets a header in the place of one of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn by(mut self, who: &Who) -> Self {
        self.who = who.clone();
        self
    }

    pub fn from(mut self, address: &str) -> Self {
        self.from = address.parse().unwrap();
        self
    }

    pub async fn of(self, router: &Router) -> Answer {
        let response = self.sent(router).await;
        let (parts, body) = response.into_parts();
        // A stream has no end to wait for.
        let live = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let bytes = match live {
            true => bytes::Bytes::new(),
            false => body.collect().await.unwrap().to_bytes(),
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, text, json }
    }

    /// The answer, of which the body is still to be read.
    pub async fn sent(self, router: &Router) -> http::Response<Body> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut peer = Peer::Tcp { address: self.from, tls: self.tls, metrics_only: false };
        match &self.who {
            Who::Nobody => {}
            Who::Token(token) => request = request.header("authorization", format!("Bearer {token}")),
            Who::Session { cookie, csrf } => {
                request = request.header("cookie", cookie).header(api::CSRF_HEADER, csrf);
            }
            Who::Socket => peer = Peer::Unix { uid: 1234, name: Some("tester".into()) },
        }
        let request = request.extension(peer).body(Body::from(self.body)).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    /// The problem's code; empty when there is none.
    pub fn code(&self) -> &str {
        self.json["type"].as_str().and_then(|kind| kind.strip_prefix("urn:muster:")).unwrap_or("")
    }

    pub fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{self:?}");
    }
}

/// An authenticator.
pub struct Authenticator {
    pub secret: Vec<u8>,
}

impl Authenticator {
    pub fn of(secret: &str) -> Self {
        Self { secret: totp_rs::Secret::Encoded(secret.to_owned()).to_bytes().unwrap() }
    }

    pub fn step() -> u64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 30
    }

    pub fn code(&self, step: u64) -> String {
        totp_rs::TOTP::new(totp_rs::Algorithm::SHA1, 6, 1, 30, self.secret.clone())
            .unwrap()
            .generate(step * 30)
    }

    /// A code that is none of those that could be right now.
    pub fn wrong(&self) -> String {
        let right: Vec<_> = (0..6).map(|n| self.code(Self::step() + n - 3)).collect();
        (0..).map(|n| format!("{n:06}")).find(|code| !right.contains(code)).unwrap()
    }
}

/// The interpreter of the environment that `make venv` makes; without it a test is skipped, in CI it fails.
pub fn python() -> Option<std::path::PathBuf> {
    let given = std::env::var_os("MUSTER_PYTHON").map(std::path::PathBuf::from);
    let usual =
        std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/bin/python"));
    let found = given.or(Some(usual)).filter(|path| path.is_file());
    if found.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no Python environment: run `make venv`");
        println!("skipped: run `make venv`");
    }
    found
}

/// Has a script of this folder read `input`; what it says.
pub async fn read_by_python(python: &std::path::Path, script: &str, input: &[u8]) -> Vec<u8> {
    use tokio::io::AsyncWriteExt as _;
    let mut child = tokio::process::Command::new(python)
        .arg(format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR")))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeding = tokio::spawn(async move {
        let _ = stdin.write_all(&input).await;
    });
    let output = child.wait_with_output().await.unwrap();
    feeding.await.unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// One counter's value in `/metrics`; 0 when it is not there.
pub async fn refusals(router: &Router, reason: &str) -> u64 {
    let text = Ask::get("/metrics").by(&Who::Socket).of(router).await.text;
    let head = format!("muster_refusals_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&head)).map_or(0, |value| value.parse().unwrap())
}

/// Reads events off a body, however they are cut.
pub struct Reader {
    pub body: Body,
    text: String,
    pub last_id: Option<String>,
}

impl Reader {
    pub fn of(answer: http::Response<Body>) -> Self {
        assert_eq!(answer.status(), StatusCode::OK);
        Self { body: answer.into_body(), text: String::new(), last_id: None }
    }

    pub async fn next(&mut self) -> StreamMessage {
        self.message().await.expect("not the end")
    }

    /// The next message; `None` at the end.
    pub async fn message(&mut self) -> Option<StreamMessage> {
        self.raw().await.map(|message| serde_json::from_value(message).unwrap())
    }

    /// The next message as it is written.
    pub async fn next_raw(&mut self) -> Value {
        self.raw().await.expect("not the end")
    }

    async fn raw(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let message = serde_json::from_str(field("data: ").unwrap()).unwrap();
                self.last_id = field("id: ").map(str::to_owned).or(self.last_id.take());
                self.text = rest.to_owned();
                return Some(message);
            }
            let frame =
                tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("something to be told");
            let data = frame?.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    pub async fn until(&mut self, fits: impl Fn(&StreamMessage) -> bool) -> StreamMessage {
        // In all: heartbeats come whether or not it is ever told.
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let message = tokio::time::timeout_at(end, self.next()).await.expect("it is never told");
            if fits(&message) {
                return message;
            }
        }
    }
}
