//! A server over two simulated remotes, and those who ask it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

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

pub const PASSWORD: &str = "correct horse battery";

pub struct Site {
    pub dir: tempfile::TempDir,
    pub store: Store,
    pub fleet: Fleet,
    pub app: App,
    pub router: Router,
    pub here: RemoteId,
    pub there: RemoteId,
    _sims: Vec<Sim>,
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

async fn open(dir: &tempfile::TempDir) -> Store {
    let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
    let place = Place::Sqlite(dir.path().join("muster.db"));
    Store::open(place, keys, store::Timings::default()).await.unwrap()
}

async fn add(fleet: &Fleet, topology: Topology, name: &str) -> (Sim, RemoteId) {
    let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let node = &remote.nodes()[0];
    let address = remote.address(node).unwrap().to_string().parse().unwrap();
    let leaf = remote.leaf_fingerprint(node).unwrap().parse().unwrap();
    let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) };
    let credential = Credential::password("root@pam", "secret-root");
    let id = fleet.add(RemoteSpec::new(name, address, trust, credential), &ada()).await.unwrap();
    (sim, id)
}

impl Site {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir).await;
        let clock = Clock::new();
        let fleet = Fleet::open(fleet::Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
        let (sim, here) = add(&fleet, Topology::single("9.2"), "home").await;
        let mut other = Topology::single("8.4");
        other.seed = 2;
        for node in &mut other.remotes[0].nodes {
            node.name = format!("{THERE}-node");
        }
        for guest in &mut other.remotes[0].guests {
            guest.name = format!("{THERE}-{}", guest.vmid);
            guest.node = format!("{THERE}-node");
            guest.vmid += 800;
        }
        let (other, there) = add(&fleet, other, THERE).await;
        let settings = Settings { scratch: dir.path().into(), ..settings() };
        let app = App::new(fleet.clone(), store.clone(), settings, clock).await.unwrap();
        let router = app.router();
        let site = Self { dir, store, fleet, app, router, here, there, _sims: vec![sim, other] };
        let begun = Instant::now();
        while site.fleet.snapshot().guests().count() < 8 {
            assert!(begun.elapsed() < PATIENCE, "the guests are never listed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        site
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
        let response = router.clone().oneshot(request).await.unwrap();
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

/// One counter's value in `/metrics`; 0 when it is not there.
pub async fn refusals(router: &Router, reason: &str) -> u64 {
    let text = Ask::get("/metrics").by(&Who::Socket).of(router).await.text;
    let head = format!("muster_refusals_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&head)).map_or(0, |value| value.parse().unwrap())
}
