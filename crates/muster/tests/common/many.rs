//! Many simulated remotes, and a data directory that knows them before the server starts: a person would add them one
//! by one.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fleet::{Clock, Fleet, RemoteSpec, Timings};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use model::{Author, FacetKind};
use pve::{Credential, TrustPolicy};
use pve_sim::{Remote, Topology};
use serde_json::{Value, json};
use store::{Keys, Place, Store, Write};
use tokio::net::TcpStream;

use super::process::Server;

const KEY: [u8; 32] = [7; 32];

/// So many stand-alone hosts of so many guests each, called `site-0` and on.
pub fn alike(remotes: usize, guests: usize) -> Topology {
    let mut topology = Topology::single("9.2");
    let mut one = topology.remotes.remove(0);
    one.fill = serde_json::from_value(json!({"count": guests.saturating_sub(one.guests.len())})).unwrap();
    topology.remotes = (0..remotes)
        .map(|n| {
            let mut one = one.clone();
            one.name = format!("site-{n}");
            one
        })
        .collect();
    topology
}

/// A remote as it is added: pinned, with root's password.
pub fn spec(remote: &Remote) -> RemoteSpec {
    let node = &remote.nodes()[0];
    let address = remote.address(node).unwrap().to_string().parse().unwrap();
    let leaf = remote.leaf_fingerprint(node).unwrap().parse().unwrap();
    let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) };
    RemoteSpec::new(remote.name(), address, trust, Credential::password("root@pam", "secret-root"))
}

fn author() -> Author {
    Author { name: "ada".into(), from: "bench".into() }
}

/// The database of a server that has not started yet; its key lies where the server looks for it.
pub async fn database(server: &Server) -> Store {
    let dir = server.dir();
    DirBuilder::new().recursive(true).mode(0o700).create(&dir).unwrap();
    let mut key =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(dir.join("key")).unwrap();
    writeln!(key, "{}", KEY.map(|byte| format!("{byte:02x}")).concat()).unwrap();
    let keys = Keys::new(zeroize::Zeroizing::new(KEY), Vec::new());
    Store::open(Place::Sqlite(dir.join("muster.db")), keys, store::Timings::default()).await.unwrap()
}

/// Has the server know these remotes, and nothing about them yet.
pub async fn known(server: &Server, remotes: &[Remote]) {
    let store = database(server).await;
    let fleet = Fleet::open(Timings::default(), Clock::new(), 7, store.clone()).await.unwrap();
    let now = Clock::new().now().wall;
    for remote in remotes {
        // Nothing is to be asked from here: the server is to do that itself.
        let spec = RemoteSpec { disconnected: Some(("ada".to_owned(), now)), ..spec(remote) };
        fleet.add(spec, &author()).await.unwrap();
    }
    fleet.stop().await;
    drop(fleet);
    let mut records = store.remotes().await.unwrap();
    for record in &mut records {
        record.disconnected = None;
    }
    for some in records.chunks(200) {
        store.write(some.iter().cloned().map(Write::Remote).collect()).await.unwrap();
    }
    store.close().await;
}

/// Has the server know all there is to know about these remotes, the configuration of every guest included: what takes
/// half an hour by right is done in a minute.
pub async fn observed(server: &Server, remotes: &[Remote], guests: usize) -> Duration {
    let began = Instant::now();
    let store = database(server).await;
    let minute = Duration::from_secs(60);
    let timings = Timings { config_sweep: minute, addresses: minute, ..Timings::default() };
    let fleet = Fleet::open(timings, Clock::new(), 7, store.clone()).await.unwrap();
    for remote in remotes {
        fleet.add(spec(remote), &author()).await.unwrap();
    }
    let whole = || {
        fleet.snapshot().remotes.iter().all(|one| {
            let parts = |kind| one.facet(kind).and_then(|facet| facet.parts);
            one.guests.len() == guests
                && parts(FacetKind::GuestConfig).is_some_and(|parts| parts.known == guests)
                // Addresses are told by no guest without an agent; each has been asked for once.
                && parts(FacetKind::Addresses).is_some()
        })
    };
    while !whole() {
        assert!(began.elapsed() < Duration::from_secs(1800), "the first sweep does not end");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    fleet.stop().await;
    drop(fleet);
    store.close().await;
    began.elapsed()
}

/// How many requests each remote has received since it was started.
pub fn requests(remotes: &[Remote]) -> u64 {
    remotes.iter().map(Remote::requests).sum()
}

/// How many guests the server counts in all, and how many of them are live; `None` while it does not answer.
pub async fn counted(server: &Server) -> Option<(u64, u64)> {
    let answer = server.try_call(Method::GET, "/api/v1/guests?limit=1", None, &[]).await?;
    let page = (answer.status == 200).then_some(answer.body)?;
    Some((page["total"].as_u64()?, page["counts"]["freshness"]["live"].as_u64().unwrap_or(0)))
}

/// Waits until so many guests are live; for how long that was.
pub async fn all_live(server: &Server, guests: usize, patience: Duration) -> Duration {
    let (began, guests) = (Instant::now(), u64::try_from(guests).unwrap());
    loop {
        let now = counted(server).await;
        if now.is_some_and(|(_, live)| live >= guests) {
            return began.elapsed();
        }
        assert!(began.elapsed() < patience, "of {guests} guests these are there and live: {now:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Somebody who has signed in with a password, over TCP, and may look at everything.
pub struct Viewer {
    address: String,
    cookie: String,
    line: SendRequest<Empty<Bytes>>,
}

impl Viewer {
    pub const NAME: &'static str = "viewer";
    const PASSWORD: &'static str = "a-password-of-some-length-4711";

    /// Makes the user over the socket if needed, and signs in.
    pub async fn sign_in(server: &Server) -> Self {
        let grants = json!([{"role": "viewer", "scope": {"kind": "all"}}]);
        let user = json!({"name": Self::NAME, "password": Self::PASSWORD, "grants": grants});
        let made = server.call(Method::POST, "/api/v1/users", Some(user)).await;
        assert!(made.status < 300 || made.status == 409, "{made:?}");
        let address = server.address();
        let body = json!({"user": Self::NAME, "password": Self::PASSWORD}).to_string();
        let request = Request::post("/api/v1/session")
            .header("host", &address)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = connect(&address).await.send_request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let line = connect(&address).await;
        Self { address, cookie, line }
    }

    /// One request, from before it is sent until the whole answer is there.
    pub async fn get(&mut self, path: &str) -> (Duration, Bytes) {
        if self.line.ready().await.is_err() {
            // An idle connection is not kept for ever.
            self.line = connect(&self.address).await;
        }
        let request = Request::get(path).header("host", &self.address).header("cookie", &self.cookie);
        let request = request.body(Empty::new()).unwrap();
        let began = Instant::now();
        let answer = self.line.send_request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let took = began.elapsed();
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        (took, body)
    }

    /// So many of the same, one after the other: the times, sorted, and the last answer.
    pub async fn time(&mut self, path: &str, times: usize) -> (Vec<Duration>, Value) {
        let mut all = Vec::with_capacity(times);
        let mut last = Bytes::new();
        for _ in 0..times {
            let (took, body) = self.get(path).await;
            all.push(took);
            last = body;
        }
        all.sort_unstable();
        (all, serde_json::from_slice(&last).unwrap())
    }
}

async fn connect<B>(address: &str) -> SendRequest<B>
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (line, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    line
}

/// The time between the last two listings of each remote whose journal holds two, sorted.
pub fn gaps(remotes: &[Remote]) -> Vec<Duration> {
    let mut gaps: Vec<Duration> = remotes
        .iter()
        .filter_map(|remote| {
            let journal = remote.journal();
            let mut last = journal.iter().rev().filter(|one| one.api_path() == "/cluster/resources");
            let (later, sooner) = (last.next()?, last.next()?);
            Some(Duration::from_millis(later.at.millis() - sooner.at.millis()))
        })
        .collect();
    gaps.sort_unstable();
    gaps
}

/// Listings in the journals, by remote.
pub fn listings(remotes: &[Remote]) -> BTreeMap<String, usize> {
    let count = |remote: &Remote| {
        remote.journal().iter().filter(|one| one.api_path() == "/cluster/resources").count()
    };
    remotes.iter().map(|remote| (remote.name().to_owned(), count(remote))).collect()
}
