//! What the handles and the connections of one simulated remote share: its world behind a lock, its sockets, its
//! certificates, its faults and its journal.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::certificate::{self, Authority, CertificateError, Identity};
use super::fault::{BlackHoleAt, Fault, FaultId, FaultSpec, MOST_SKEW_SECONDS, ResetAt};
use super::journal::Journal;
use super::keep::Keep;
use super::listener::{Mode, Order};
use super::response::Manners;
use crate::seam::SimTime;
use crate::timings::SimTimings;
use crate::topology::RemoteSpec;
use crate::world::{Cluster, Health};

/// The farthest that all clock faults together set a clock off: fifty years, in milliseconds.
const MOST_SKEW: i64 = 1_000 * MOST_SKEW_SECONDS;

/// One node's socket.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    shown_ip: std::net::IpAddr,
    orders: watch::Sender<Order>,
    done: watch::Receiver<u64>,
    /// Cancelled to reset every open connection of the node; then replaced.
    reset: Mutex<CancellationToken>,
}

/// The ends of a node's channels that its listener holds.
pub(crate) struct ListenerEnds {
    pub(crate) orders: watch::Receiver<Order>,
    pub(crate) done: watch::Sender<u64>,
}

impl Node {
    pub(crate) fn new(name: &str, address: SocketAddr, shown_ip: std::net::IpAddr) -> (Self, ListenerEnds) {
        let (orders, orders_end) = watch::channel(Order::default());
        let (done_end, done) = watch::channel(0);
        let node = Self {
            name: name.to_owned(),
            address,
            shown_ip,
            orders,
            done,
            reset: Mutex::new(CancellationToken::new()),
        };
        (node, ListenerEnds { orders: orders_end, done: done_end })
    }

    pub(crate) fn reset_token(&self) -> CancellationToken {
        lock(&self.reset).clone()
    }

    fn reset_connections(&self) {
        let old = std::mem::take(&mut *lock(&self.reset));
        old.cancel();
    }

    /// Gives the order if it differs from the last one; its number.
    fn order(&self, mode: Mode) -> u64 {
        let mut number = 0;
        self.orders.send_if_modified(|order| {
            let differs = order.mode != mode;
            if differs {
                *order = Order { number: order.number + 1, mode };
            }
            number = order.number;
            differs
        });
        number
    }

    async fn carried_out(&self, number: u64) {
        // The listener is gone when the simulator ends: then there is nothing to wait for.
        let _ = self.done.clone().wait_for(|done| *done >= number).await;
    }
}

/// A fault in force.
struct Active {
    id: FaultId,
    spec: FaultSpec,
    /// How often it may still strike.
    left: Option<u32>,
    /// The certificates that it shows, by node.
    identities: BTreeMap<usize, Arc<Identity>>,
}

/// What a connection is to expect of the faults that look at connections.
pub(crate) enum Welcome {
    /// TLS as usual, or as a fault wants it.
    Tls(Arc<ServerConfig>),
    /// Nothing.
    Silence,
    /// RST.
    Reset,
    /// HTTP in the clear.
    Plain,
}

pub(crate) struct Identities {
    pub(crate) authority: Arc<Authority>,
    own: Vec<Arc<Identity>>,
}

/// What all remotes of a simulator share.
pub(crate) struct Common {
    pub(crate) timings: Arc<SimTimings>,
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) stop: CancellationToken,
    pub(crate) tracker: TaskTracker,
    /// How many remotes there are.
    pub(crate) remotes: usize,
    /// Where certificates are kept, a folder for each remote.
    pub(crate) state: Option<PathBuf>,
}

/// What is behind the sockets.
struct World {
    cluster: Cluster,
    /// How far off its clock is, in milliseconds.
    skew: i64,
}

/// What a remote's handles and connections share.
pub(crate) struct Inner {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manners: Manners,
    pub(crate) timings: Arc<SimTimings>,
    pub(crate) tracker: TaskTracker,
    pub(crate) stop: CancellationToken,
    nodes: Vec<Node>,
    world: Mutex<World>,
    faults: Mutex<Vec<Active>>,
    faults_ended: watch::Sender<u64>,
    last_fault: AtomicU64,
    journal: Mutex<Journal>,
    identities: Mutex<Option<Arc<Identities>>>,
    provider: Arc<CryptoProvider>,
    /// Where its certificates outlast the program, if they do.
    keep: Option<Keep>,
}

/// A lock whose holder panicked still holds usable data here: the panic belongs to the test that caused it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    pub(crate) fn new(spec: &RemoteSpec, world: Cluster, nodes: Vec<Node>, common: &Common) -> Self {
        Self {
            name: spec.name.clone(),
            version: spec.version.clone(),
            manners: Manners::of(&spec.version),
            timings: Arc::clone(&common.timings),
            tracker: common.tracker.clone(),
            stop: common.stop.clone(),
            nodes,
            world: Mutex::new(World { cluster: world, skew: 0 }),
            faults: Mutex::new(Vec::new()),
            faults_ended: watch::Sender::new(0),
            last_fault: AtomicU64::new(0),
            journal: Mutex::new(Journal::among(common.remotes)),
            identities: Mutex::new(None),
            provider: Arc::clone(&common.provider),
            keep: common.state.as_ref().map(|directory| Keep::new(directory.join(&spec.name))),
        }
    }

    pub(crate) fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn index(&self, node: &str) -> Option<usize> {
        self.nodes.iter().position(|other| other.name == node)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    /// How far off the remote's clock is, in milliseconds.
    fn skew(&self) -> i64 {
        let skews = lock(&self.faults).iter().fold(0_i64, |sum, active| match active.spec.fault {
            Fault::ClockSkew { seconds } => sum.saturating_add(seconds.saturating_mul(1000)),
            _ => sum,
        });
        skews.clamp(-MOST_SKEW, MOST_SKEW)
    }

    /// The remote's own clock.
    pub(crate) fn now(&self) -> SimTime {
        real_time().shifted(self.skew())
    }

    /// The world, at the remote's own time.
    pub(crate) fn with_world<R>(&self, f: impl FnOnce(&mut Cluster, SimTime) -> R) -> R {
        let mut world = lock(&self.world);
        let (real, skew) = (real_time(), self.skew());
        if skew != world.skew {
            let before = real.shifted(world.skew);
            world.cluster.advance(before);
            let by = skew.saturating_sub(world.skew);
            world.cluster.set_clock(by);
            world.skew = skew;
        }
        let now = real.shifted(skew);
        world.cluster.advance(now);
        f(&mut world.cluster, now)
    }

    /// Changes the world as it is now.
    fn edit(&self, f: impl FnOnce(&mut Cluster)) {
        self.with_world(|world, _| f(world));
    }

    // === certificates ===

    pub(crate) fn identities(&self) -> Result<Arc<Identities>, CertificateError> {
        let mut slot = lock(&self.identities);
        if let Some(identities) = &*slot {
            return Ok(Arc::clone(identities));
        }
        let now = jiff::Timestamp::now();
        let authority = self.authority(now)?;
        let mut own = Vec::new();
        for Node { name, shown_ip, .. } in &self.nodes {
            own.push(Arc::new(match &self.keep {
                Some(keep) => authority.issue_or_reuse(keep, name, *shown_ip, &self.provider, now)?,
                None => authority.issue(name, *shown_ip, &self.provider, now)?,
            }));
        }
        let identities = Arc::new(Identities { authority: Arc::new(authority), own });
        *slot = Some(Arc::clone(&identities));
        drop(slot);
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(own) = identities.own.get(index) {
                self.tell_world(&identities, node, own);
            }
        }
        Ok(identities)
    }

    /// The one that was kept, or a new one.
    fn authority(&self, now: jiff::Timestamp) -> Result<Authority, CertificateError> {
        let Some(keep) = &self.keep else { return Authority::new(&uuid(), now) };
        if let Some(kept) = keep.authority()? {
            return Authority::kept(kept);
        }
        let authority = Authority::new(&uuid(), now)?;
        keep.keep_authority(authority.pem(), authority.key())?;
        Ok(authority)
    }

    /// As a restart does: the certificates stay, no TLS session goes on.
    fn forget_sessions(&self) -> Result<(), CertificateError> {
        let mut slot = lock(&self.identities);
        if let Some(identities) = &*slot {
            let own = identities.own.iter().map(|own| own.without_sessions().map(Arc::new));
            let own = own.collect::<Result<_, _>>()?;
            *slot = Some(Arc::new(Identities { authority: Arc::clone(&identities.authority), own }));
        }
        Ok(())
    }

    fn tell_world(&self, identities: &Identities, node: &Node, own: &Identity) {
        let facts = vec![identities.authority.facts().clone(), own.facts.clone()];
        lock(&self.world).cluster.set_certificates(&node.name, facts);
    }

    /// What the node shows now.
    pub(crate) fn identity(&self, index: usize) -> Result<Arc<Identity>, CertificateError> {
        let identities = self.identities()?;
        let shown = lock(&self.faults).iter().rev().find_map(|active| active.identities.get(&index).cloned());
        match shown.or_else(|| identities.own.get(index).cloned()) {
            Some(identity) => Ok(identity),
            None => Err(CertificateError::no_node()),
        }
    }

    /// Makes what is made at the first handshake, for a caller that comes without TLS.
    pub(crate) fn prepare(&self) {
        if let Err(error) = self.identities() {
            tracing::error!(%error, "no certificates");
        }
    }

    // === faults, as connections and calls meet them ===

    /// What a new connection to the node meets.
    pub(crate) fn welcome(&self, index: usize) -> Result<Welcome, CertificateError> {
        let Some(node) = self.nodes.get(index) else { return Ok(Welcome::Silence) };
        if self.health(node) == Health::Hung {
            return Ok(Welcome::Silence);
        }
        let mut welcome = None;
        for fault in self.strike(|active| match active.spec.fault {
            Fault::BlackHole { at: BlackHoleAt::Tls }
            | Fault::Reset { at: ResetAt::Tls }
            | Fault::PlainHttp
            | Fault::WrongKey
            | Fault::ChangeCertificate { .. } => active.spec.strikes(&node.name, "", ""),
            _ => false,
        }) {
            match fault {
                Fault::BlackHole { .. } => return Ok(Welcome::Silence),
                Fault::Reset { .. } => return Ok(Welcome::Reset),
                Fault::PlainHttp => welcome = Some(Welcome::Plain),
                _ => {}
            }
        }
        match welcome {
            Some(welcome) => Ok(welcome),
            None => Ok(Welcome::Tls(Arc::clone(&self.identity(index)?.tls))),
        }
    }

    /// Whether open connections to the node get no answer any more.
    pub(crate) fn is_silent(&self, index: usize) -> bool {
        let Some(node) = self.nodes.get(index) else { return true };
        let black_hole = lock(&self.faults).iter().any(|active| match &active.spec.fault {
            Fault::BlackHole { at: BlackHoleAt::Syn | BlackHoleAt::Tls } => {
                active.spec.strikes(&node.name, "", "")
            }
            _ => false,
        });
        black_hole || matches!(self.health(node), Health::Down | Health::Hung | Health::ProxyDown)
    }

    fn health(&self, node: &Node) -> Health {
        lock(&self.world).cluster.node_health(&node.name).unwrap_or(Health::Up)
    }

    /// The faults that strike one call, each counted as having struck.
    pub(crate) fn strikes_on_call(&self, node: &str, method: &str, path: &str) -> Vec<Fault> {
        let target = path.strip_prefix("/nodes/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        self.strike(|active| match &active.spec.fault {
            Fault::Proxy { node: broken, .. } => broken == target && active.spec.strikes(node, method, path),
            fault => fault.is_per_call() && active.spec.strikes(node, method, path),
        })
    }

    fn strike(&self, wanted: impl Fn(&Active) -> bool) -> Vec<Fault> {
        let mut faults = lock(&self.faults);
        let mut struck = Vec::new();
        for active in faults.iter_mut().filter(|active| wanted(active)) {
            if let Some(left) = &mut active.left {
                *left = left.saturating_sub(1);
            }
            struck.push(active.spec.fault.clone());
        }
        faults.retain(|active| active.left != Some(0));
        struck
    }

    pub(crate) fn faults_in_force(&self) -> Vec<(FaultId, FaultSpec)> {
        lock(&self.faults).iter().map(|active| (active.id, active.spec.clone())).collect()
    }

    /// Tells when a fault was ended: whoever was silent because of it need not be any more.
    pub(crate) fn faults_ended(&self) -> watch::Receiver<u64> {
        self.faults_ended.subscribe()
    }

    fn note_end(&self) {
        self.faults_ended.send_modify(|version| *version += 1);
    }

    // === faults, as they come and go ===

    fn wanted_mode(&self, node: &Node) -> Mode {
        let mut mode = Mode::Open;
        for active in lock(&self.faults).iter() {
            match &active.spec.fault {
                Fault::Refuse | Fault::Restart { .. } if active.spec.strikes(&node.name, "", "") => {
                    return Mode::Refuse;
                }
                Fault::BlackHole { at: BlackHoleAt::Syn } if active.spec.strikes(&node.name, "", "") => {
                    mode = Mode::Deaf;
                }
                _ => {}
            }
        }
        match self.health(node) {
            Health::Down => Mode::Deaf,
            Health::ProxyDown => Mode::Refuse,
            Health::Up | Health::Hung | Health::DaemonDown => mode,
        }
    }

    /// Orders every socket into the mode that it should be in; the order numbers.
    pub(crate) fn order_modes(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.order(self.wanted_mode(node))).collect()
    }

    async fn settle(&self) {
        let numbers = self.order_modes();
        for (node, number) in self.nodes.iter().zip(numbers) {
            node.carried_out(number).await;
        }
    }

    /// What the faults that are left want of a node.
    fn health_left_to(&self, node: &str) -> Health {
        let faults = lock(&self.faults);
        let left = faults.iter().rev().find_map(|active| match &active.spec.fault {
            Fault::NodeDown { node: other } if other == node => Some(Health::Down),
            Fault::NodeHung { node: other } if other == node => Some(Health::Hung),
            _ => None,
        });
        left.unwrap_or(Health::Up)
    }

    /// Tells the world anew what is hidden from whom.
    fn hide_rows(&self) {
        let hidden: Vec<(String, String)> = lock(&self.faults)
            .iter()
            .filter_map(|active| match &active.spec.fault {
                Fault::HideRows { user, path } => Some((user.clone(), path.clone())),
                _ => None,
            })
            .collect();
        self.edit(|world| {
            world.hide_nothing();
            for (user, path) in &hidden {
                world.hide_from(user, path);
            }
        });
    }

    pub(crate) async fn place(self: &Arc<Self>, spec: FaultSpec) -> Result<FaultId, CertificateError> {
        let id = FaultId(self.last_fault.fetch_add(1, Ordering::Relaxed) + 1);
        let mut identities = BTreeMap::new();
        let strikes_node = |node: &Node| spec.strikes(&node.name, "", "");
        match &spec.fault {
            Fault::ChangeCertificate { same_ca } => {
                let ours = self.identities()?;
                let now = jiff::Timestamp::now();
                for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| strikes_node(node)) {
                    let new = if *same_ca {
                        ours.authority.issue(&node.name, node.shown_ip, &self.provider, now)?
                    } else {
                        certificate::impostor(&node.name, node.shown_ip, &self.provider, now)?
                    };
                    self.tell_world(&ours, node, &new);
                    identities.insert(index, Arc::new(new));
                }
            }
            Fault::WrongKey => {
                for (index, _) in self.nodes.iter().enumerate().filter(|(_, node)| strikes_node(node)) {
                    identities.insert(index, Arc::new(self.identity(index)?.without_key(&self.provider)?));
                }
            }
            Fault::Restart { .. } => self.forget_sessions()?,
            Fault::ExpireTickets => self.with_world(|world, now| world.expire_tickets(now)),
            Fault::NodeDown { node } => self.edit(|world| world.kill_node(node)),
            Fault::QuorumLost => self.edit(|world| world.set_quorum(false)),
            Fault::NodeHung { node } => self.edit(|world| world.set_health(node, Health::Hung)),
            Fault::HideRows { user, path } => self.edit(|world| world.hide_from(user, path)),
            _ => {}
        }
        let resets = matches!(
            spec.fault,
            Fault::Refuse
                | Fault::Restart { .. }
                | Fault::ChangeCertificate { .. }
                | Fault::WrongKey
                | Fault::PlainHttp
                | Fault::Reset { at: ResetAt::Tls }
        );
        let lasts = !matches!(spec.fault, Fault::ExpireTickets);
        if lasts {
            let left = spec.times;
            lock(&self.faults).push(Active { id, spec: spec.clone(), left, identities });
        }
        self.settle().await;
        if resets {
            for node in self.nodes.iter().filter(|node| strikes_node(node)) {
                node.reset_connections();
            }
        }
        if let Fault::Restart { down_ms } = spec.fault {
            let inner = Arc::clone(self);
            self.tracker.spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(down_ms)) => {}
                    () = inner.stop.cancelled() => {}
                }
                inner.remove(id).await;
            });
        }
        Ok(id)
    }

    pub(crate) async fn remove(&self, id: FaultId) -> bool {
        let removed = {
            let mut faults = lock(&self.faults);
            faults.iter().position(|active| active.id == id).map(|at| faults.remove(at))
        };
        let Some(removed) = removed else { return false };
        match &removed.spec.fault {
            Fault::NodeDown { node } | Fault::NodeHung { node } => {
                let health = self.health_left_to(node);
                self.edit(|world| world.set_health(node, health));
            }
            Fault::QuorumLost => {
                let quorate = lock(&self.faults).iter().all(|other| other.spec.fault != Fault::QuorumLost);
                self.edit(|world| world.set_quorum(quorate));
            }
            Fault::HideRows { .. } => self.hide_rows(),
            Fault::ChangeCertificate { .. } => {
                if let Ok(identities) = self.identities() {
                    for (index, node) in self.nodes.iter().enumerate() {
                        if let Ok(shown) = self.identity(index) {
                            self.tell_world(&identities, node, &shown);
                        }
                    }
                }
            }
            _ => {}
        }
        if !removed.identities.is_empty() {
            for node in removed.identities.keys().filter_map(|index| self.nodes.get(*index)) {
                node.reset_connections();
            }
        }
        self.settle().await;
        self.note_end();
        true
    }
}

/// The time of this machine.
pub(crate) fn real_time() -> SimTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SimTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Text of the form of a UUID, as a cluster's authority has in its name.
fn uuid() -> String {
    let number = format!("{:032x}", rand::random::<u128>());
    let part = |from: usize, to: usize| number.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
