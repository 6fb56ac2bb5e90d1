//! A whole server on loopback, over a simulated remote: spoken to in HTTP, as anybody would.

use std::io::Read as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fleet::{Clock, Fleet, RemoteSpec, Timings};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use model::access::{Grant, Grants, Role};
use model::{Author, RemoteId};
use pve::{Credential, TrustPolicy};
use pve_sim::{Exchange, Remote, Sim, SimTimings, Topology};
use serde_json::{Value, json};
use server::listen::Doors;
use server::{App, Settings};
use store::{Keys, Place, Store};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Generous: the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Beside `root@pam` with `secret-root`.
pub(crate) const ADA: (&str, &str) = ("ada", "long enough a password");

pub(crate) struct House {
    pub(crate) sim: Sim,
    pub(crate) remote: Remote,
    dir: tempfile::TempDir,
    change: fn(&mut Settings),
    running: Option<Running>,
    /// The bearer token of an administrator.
    pub(crate) token: String,
}

/// One life of Muster.
struct Running {
    fleet: Fleet,
    store: Store,
    app: App,
    at: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// Its body, if it went well.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.body
    }

    /// That it was refused so, with words and a remedy; gives the problem.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["type"], format!("urn:muster:{code}"), "{self:?}");
        assert_eq!(self.body["status"], status);
        assert!(!self.body["detail"].as_str().unwrap().is_empty(), "{self:?}");
        self.body
    }
}

impl House {
    pub(crate) async fn new(topology: Topology) -> Self {
        Self::configured(topology, |_| {}).await
    }

    pub(crate) async fn configured(topology: Topology, change: fn(&mut Settings)) -> Self {
        Self::over(Sim::start(topology, SimTimings::fast()).await.unwrap(), change).await
    }

    async fn over(sim: Sim, change: fn(&mut Settings)) -> Self {
        let remote = sim.first().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let running = run(dir.path(), change).await;
        let mut house = Self { sim, remote, dir, change, running: Some(running), token: String::new() };
        house.token = house.user(ADA.0, Grants::administrator()).await;
        house
    }

    pub(crate) async fn single() -> Self {
        Self::new(Topology::single("9.2")).await
    }

    /// With the simulated remote managed as `home`, signed in to by password, listed once.
    pub(crate) async fn managing(topology: Topology) -> Self {
        let house = Self::new(topology).await;
        house.adopt("home", "root@pam", "secret-root").await;
        house.listed("home").await;
        house
    }

    /// A cluster of three whose nodes answer on the same port of different addresses, as real ones do.
    pub(crate) async fn managing_cluster() -> Self {
        for _ in 0..20 {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut topology = Topology::cluster(3, "9.2");
            for (node, last) in topology.remotes[0].nodes.iter_mut().zip(1..) {
                node.listen = Some(SocketAddr::from(([127, 0, 0, last], port)));
            }
            match Sim::start(topology, SimTimings::fast()).await {
                Ok(sim) => {
                    let house = Self::over(sim, |_| {}).await;
                    house.adopt("home", "root@pam", "secret-root").await;
                    house.listed("home").await;
                    return house;
                }
                Err(error) => eprintln!("once more: {error}"),
            }
        }
        panic!("no port was free on three addresses at once")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn fleet(&self) -> &Fleet {
        &self.running().fleet
    }

    /// Muster is stopped and started again on the same data.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.running = Some(run(self.dir.path(), self.change).await);
    }

    async fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        let _ = running.stop.send(true);
        let _ = tokio::time::timeout(PATIENCE, running.serving).await.unwrap();
        running.fleet.stop().await;
        running.store.close().await;
        drop(running.app);
    }

    pub(crate) async fn end(mut self) {
        self.stop().await;
        self.sim.stop().await;
    }

    /// Where a node answers.
    pub(crate) fn address(&self, node: &str) -> String {
        self.remote.address(node).unwrap().to_string()
    }

    pub(crate) async fn adopt(&self, name: &str, user: &str, password: &str) -> RemoteId {
        self.adopt_other(&self.remote, name, user, password).await
    }

    pub(crate) async fn adopt_other(
        &self,
        remote: &Remote,
        name: &str,
        user: &str,
        password: &str,
    ) -> RemoteId {
        let node = &remote.nodes()[0];
        let leaf = remote.leaf_fingerprint(node).unwrap().parse().unwrap();
        let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) };
        let credential = Credential::password(user, password);
        let address = remote.address(node).unwrap().to_string();
        let spec = RemoteSpec::new(name, address.parse().unwrap(), trust, credential);
        let author = Author { name: "test".into(), from: "test".into() };
        self.fleet().add(spec, &author).await.unwrap()
    }

    /// Makes a user with these grants; gives the token with which they come.
    pub(crate) async fn user(&self, name: &str, grants: Grants) -> String {
        let password = api::Secret::from(ADA.1);
        self.running().app.add_user(name, &password, grants).await.unwrap();
        let body = json!({"user": name, "password": ADA.1});
        let session = self.send(Method::POST, "/session", Some(&body), &[]).await;
        let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let csrf = session.body["csrf"].as_str().unwrap().to_owned();
        let headers = [("cookie", cookie.as_str()), (api::CSRF_HEADER, csrf.as_str())];
        let made = self.send(Method::POST, "/tokens", Some(&json!({"name": "test"})), &headers).await;
        made.ok()["secret"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn viewer(&self, name: &str, role: Role, remote: Option<RemoteId>) -> String {
        let grant = match remote {
            Some(id) => Grant::on(role, id),
            None => Grant::everywhere(role),
        };
        self.user(name, Grants(vec![grant])).await
    }

    /// One request, on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let at = self.running().at;
        let stream = TcpStream::connect(at).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driving = tokio::spawn(connection);
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", at.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(bytes::Bytes::from(bytes))).unwrap();
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        drop(sender);
        let _ = driving.await;
        let bytes = match parts.headers.get("content-encoding") {
            Some(_) => {
                let mut whole = Vec::new();
                flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut whole).unwrap();
                whole.into()
            }
            None => bytes,
        };
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| panic!("{} {}", parts.status, String::from_utf8_lossy(&bytes))),
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn ask(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send(method, path, body, &[("authorization", &bearer)]).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&self.token, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(&self.token, Method::POST, path, Some(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(&self.token, Method::DELETE, path, None).await
    }

    /// Reads until it fits.
    pub(crate) async fn until(&self, path: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let body = self.get(path).await.ok();
            if fits(&body) {
                return body;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "never came: {what}\n{}",
                serde_json::to_string_pretty(&body).unwrap()
            );
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits for the link and a listing.
    pub(crate) async fn listed(&self, remote: &str) -> Value {
        let up = |remote: &Value| {
            remote["link"]["up"] == true
                && remote["counts"]["guests"].as_u64().is_some_and(|guests| guests > 0)
        };
        self.until(&format!("/remotes/{remote}"), "the first listing", up).await
    }

    pub(crate) async fn link(&self, remote: &str, state: &str) -> Value {
        self.until(&format!("/remotes/{remote}"), state, |remote| remote["link"]["state"] == state).await
    }

    /// Asks for an action; gives the operation's id.
    pub(crate) async fn operate(&self, vmid: u32, action: &str) -> String {
        let answer = self.post("/operations", wish(vmid, action)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        let id = answer.body["id"].as_str().unwrap().to_owned();
        assert_eq!(answer.headers["location"], format!("/api/v1/operations/{id}"));
        id
    }

    pub(crate) async fn ended(&self, operation: &str) -> Value {
        self.until(&format!("/operations/{operation}"), "the end of the operation", |one| {
            one["final"] == true
        })
        .await
    }

    /// The requests that change something on the host, sign-ins apart.
    pub(crate) fn mutations(&self) -> Vec<Exchange> {
        let mut all = self.remote.journal();
        all.retain(|one| one.method != "GET" && !one.api_path().starts_with("/access/ticket"));
        all
    }

    /// Changes the database behind Muster's back.
    pub(crate) async fn alter(&self, sql: &str) {
        use sqlx::Connection as _;
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}", self.dir.path().join("muster.db").display());
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.remote.with_world(|world, _| world.token_ids().into_iter().collect())
    }
}

pub(crate) fn wish(vmid: u32, action: &str) -> Value {
    json!({"remote": "home", "vmid": vmid, "action": action})
}

async fn run(dir: &std::path::Path, change: fn(&mut Settings)) -> Running {
    let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
    let place = Place::Sqlite(dir.join("muster.db"));
    let store = Store::open(place, keys, store::Timings::default()).await.unwrap();
    let clock = Clock::new();
    let fleet = Fleet::open(Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut settings = Settings { listen: vec![at], ..Settings::default() };
    settings.passwords.memory_kib = 64;
    settings.passwords.passes = 1;
    settings.onboarding.undo = Duration::from_secs(4);
    settings.onboarding.settle = Duration::from_millis(200);
    change(&mut settings);
    let app = App::new(fleet.clone(), store.clone(), settings, clock).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let doors = Doors::new(&app, stopped);
    let serving = tokio::spawn(async move { doors.tcp(listener, None).await });
    Running { fleet, store, app, at, stop, serving }
}
