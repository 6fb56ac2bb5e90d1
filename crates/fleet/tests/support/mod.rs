//! A simulated remote and a fleet that manages it, over real sockets.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

use std::sync::Arc;
use std::time::Duration;

use fleet::{Clock, Fleet, GuestRow, OperateError, RemoteSnapshot, RemoteSpec, Timings};
use model::{Action, Author, Event, Operation, OperationId, PowerOptions, RemoteId, Vmid};
use pve::{Credential, TrustPolicy};
use pve_sim::{Exchange, Remote, Sim, SimTimings, Topology};
use store::{EventFilter, Keys, Place, Store};

/// Generous: the machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Bench {
    pub sim: Sim,
    pub remote: Remote,
    pub fleet: Fleet,
    pub id: RemoteId,
}

pub fn ada() -> Author {
    Author { name: "ada".into(), from: "test".into() }
}

pub fn root() -> Credential {
    Credential::password("root@pam", "secret-root")
}

pub fn alice() -> Credential {
    Credential::password("alice@pve", "secret-alice")
}

pub fn operator() -> Credential {
    Credential::password("operator@pve", "secret-operator")
}

/// A spec for the first `endpoints` nodes of a remote, each pinned by its leaf.
pub fn spec(remote: &Remote, endpoints: usize, credential: Credential) -> RemoteSpec {
    let endpoints = remote.nodes().iter().take(endpoints).map(|node| endpoint(remote, node)).collect();
    let (first, trust) = endpoint(remote, &remote.nodes()[0]);
    RemoteSpec { endpoints, ..RemoteSpec::new(remote.name(), first, trust, credential) }
}

pub fn endpoint(remote: &Remote, node: &str) -> (pve::address::Address, TrustPolicy) {
    let address = remote.address(node).unwrap().to_string().parse().unwrap();
    let leaf = remote.leaf_fingerprint(node).unwrap().parse().unwrap();
    (address, TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) })
}

/// A store in a directory that goes with it.
pub struct Lasting {
    pub dir: tempfile::TempDir,
    pub store: Store,
}

impl Lasting {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(place, keys, store::Timings::default()).await.unwrap();
        Self { dir, store }
    }

    /// What happened, oldest first.
    pub async fn history(&self) -> Vec<Event> {
        let filter = EventFilter { after: Some(0), limit: 10_000, ..EventFilter::default() };
        let rows = self.store.events(filter).await.unwrap();
        rows.iter().map(|(_, row)| serde_json::from_str(&row.body).unwrap()).collect()
    }

    /// The words of what happened to a guest, oldest first.
    pub async fn words_of(&self, vmid: u32) -> Vec<&'static str> {
        let all = self.history().await;
        all.iter().filter(|event| event.vmid == Some(Vmid(vmid))).map(|event| event.what.word()).collect()
    }

    /// Waits until history fits.
    pub async fn until(&self, what: &str, fits: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let began = std::time::Instant::now();
        loop {
            let all = self.history().await;
            if fits(&all) {
                return all;
            }
            if began.elapsed() > PATIENCE {
                let lines: Vec<String> =
                    all.iter().map(|one| format!("{:?} {}", one.vmid, one.what.sentence())).collect();
                panic!("never in history: {what}\n{}", lines.join("\n"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Bench {
    /// A fleet that keeps what it knows.
    pub async fn lasting(topology: Topology, endpoints: usize, timings: Timings) -> (Self, Lasting) {
        Self::lasting_as(topology, endpoints, root(), timings).await
    }

    pub async fn lasting_as(
        topology: Topology,
        endpoints: usize,
        credential: Credential,
        timings: Timings,
    ) -> (Self, Lasting) {
        let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
        let lasting = Lasting::new().await;
        let remote = sim.first().unwrap();
        let fleet = Fleet::open(timings, Clock::new(), 7, lasting.store.clone()).await.unwrap();
        let id = fleet.add(spec(&remote, endpoints, credential), &ada()).await.unwrap();
        (Self { sim, remote, fleet, id }, lasting)
    }

    /// Muster ends in good order and starts again.
    pub async fn restart(self, lasting: &Lasting, timings: Timings) -> Self {
        self.fleet.stop().await;
        self.started_again(lasting, timings).await
    }

    /// Muster is no more, from one moment to the next, and starts again.
    pub async fn crash(self, lasting: &Lasting, timings: Timings) -> Self {
        let Self { sim, remote, fleet, id } = self;
        drop(fleet);
        // What was aborted is let go of.
        tokio::time::sleep(Duration::from_millis(20)).await;
        // What was in the store's hands goes on being written there, as it would not after a crash: it is waited for.
        let last = store::Write::Setting { key: "crash".to_owned(), value: None };
        lasting.store.write(vec![last]).await.unwrap();
        let fleet = Fleet::open(timings, Clock::new(), 9, lasting.store.clone()).await.unwrap();
        Self { sim, remote, fleet, id }
    }

    async fn started_again(self, lasting: &Lasting, timings: Timings) -> Self {
        let fleet = Fleet::open(timings, Clock::new(), 8, lasting.store.clone()).await.unwrap();
        Self { fleet, ..self }
    }

    pub async fn new(topology: Topology) -> Self {
        Self::with(topology, 1, root(), Timings::shrunk()).await
    }

    pub async fn with(
        topology: Topology,
        endpoints: usize,
        credential: Credential,
        timings: Timings,
    ) -> Self {
        Self::slowly(topology, endpoints, credential, timings, SimTimings::fast()).await
    }

    /// A host whose listings are fed so seldom that they never tell what happened since.
    pub async fn lagging(topology: Topology) -> Self {
        let mut slow = SimTimings::fast();
        slow.world.statd_interval = 600_000;
        slow.world.node_forgotten_after = 3_600_000;
        let timings = Timings { listing_lag: Duration::from_secs(60), ..Timings::shrunk() };
        Self::slowly(topology, 1, root(), timings, slow).await
    }

    async fn slowly(
        topology: Topology,
        endpoints: usize,
        credential: Credential,
        timings: Timings,
        world: SimTimings,
    ) -> Self {
        let sim = Sim::start(topology, world).await.unwrap();
        let remote = sim.first().unwrap();
        let fleet = Fleet::new(timings, Clock::new(), 7);
        let id = fleet.add(spec(&remote, endpoints, credential), &ada()).await.unwrap();
        Self { sim, remote, fleet, id }
    }

    pub fn now(&self) -> Arc<RemoteSnapshot> {
        self.fleet.remote(self.id).unwrap()
    }

    /// Waits until `fits`, and gives the snapshot that did.
    pub async fn until(&self, what: &str, fits: impl Fn(&RemoteSnapshot) -> bool) -> Arc<RemoteSnapshot> {
        let mut changed = self.fleet.changed();
        let wait = async {
            loop {
                let now = self.now();
                if fits(&now) {
                    return now;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(snapshot) => snapshot,
            Err(_) => panic!("never came: {what}\n{}", serde_json::to_string_pretty(&*self.now()).unwrap()),
        }
    }

    /// Waits for the link and a first listing.
    pub async fn ready(&self) -> Arc<RemoteSnapshot> {
        self.until("the first listing", |now| now.link.state.is_up() && !now.guests.is_empty()).await
    }

    /// Waits until the link's state has this word.
    pub async fn link(&self, word: &str) -> Arc<RemoteSnapshot> {
        self.until(word, |now| now.link.state.word() == word).await
    }

    pub async fn guest(
        &self,
        vmid: u32,
        what: &str,
        fits: impl Fn(&GuestRow) -> bool,
    ) -> Arc<RemoteSnapshot> {
        self.until(what, |now| now.guest(Vmid(vmid)).is_some_and(&fits)).await
    }

    pub async fn try_operate(&self, vmid: u32, action: Action) -> Result<OperationId, OperateError> {
        self.fleet.operate(self.id, Vmid(vmid), action, PowerOptions::default(), ada()).await
    }

    pub async fn operate(&self, vmid: u32, action: Action) -> OperationId {
        self.try_operate(vmid, action).await.unwrap()
    }

    pub async fn operation(
        &self,
        id: OperationId,
        what: &str,
        fits: impl Fn(&Operation) -> bool,
    ) -> Arc<Operation> {
        let mut watch = self.fleet.operation(id).unwrap();
        let wait = async { watch.wait_for(|operation| fits(operation)).await.unwrap().clone() };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(operation) => operation,
            Err(_) => {
                let now = self.fleet.operation(id).unwrap().borrow().clone();
                panic!("never {what}: {}", serde_json::to_string_pretty(&*now).unwrap())
            }
        }
    }

    pub async fn reaches(&self, id: OperationId, word: &str) -> Arc<Operation> {
        self.operation(id, word, |operation| operation.state.word() == word).await
    }

    pub async fn ended(&self, id: OperationId) -> Arc<Operation> {
        self.operation(id, "ended", |operation| operation.state.is_final()).await
    }

    /// The requests that change something, beside sign-ins.
    pub fn mutations(&self) -> Vec<Exchange> {
        let mut all = self.remote.journal();
        all.retain(|one| one.method != "GET" && !one.api_path().starts_with("/access/"));
        all
    }

    /// How often a path was asked for.
    pub fn asked(&self, method: &str, path: &str) -> usize {
        self.remote.journal().iter().filter(|one| one.method == method && one.api_path() == path).count()
    }

    pub async fn end(self) {
        self.fleet.stop().await;
        self.sim.stop().await;
    }
}
