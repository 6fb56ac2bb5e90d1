//! A running simulator: all remotes of a topology in one process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::certificate::CertificateError;
use super::inner::{Common, Inner, ListenerEnds, Node, real_time};
use super::listener;
use super::remote::Remote;
use super::script;
use crate::control;
use crate::timings::SimTimings;
use crate::topology::{RemoteSpec, Topology, TopologyError};
use crate::world::Cluster;

/// The simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The topology contradicts itself.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The world behind the sockets could not be built.
    #[error("remote \"{remote}\": {what}")]
    World {
        /// Which remote.
        remote: String,
        /// Why not.
        what: String,
    },
    /// A socket could not be opened. With thousands of nodes, raise `ulimit -n`.
    #[error("remote \"{remote}\", node \"{node}\": cannot listen on {address}: {source}")]
    Listen {
        /// Which remote.
        remote: String,
        /// Which node.
        node: String,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The control port could not be opened.
    #[error("cannot listen for control on {address}: {source}")]
    Control {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The control port is for this machine only.
    #[error("the control port has no protection: {address} is not a loopback address")]
    ControlNotLoopback {
        /// Where it was to be.
        address: SocketAddr,
    },
    /// Certificates could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A fault of the topology could not be placed.
    #[error("remote \"{remote}\": {what}")]
    Fault {
        /// Which remote.
        remote: String,
        /// Why not.
        what: String,
    },
}

/// A running simulator. It ends when this is dropped; [`Sim::stop`] also waits for its end.
pub struct Sim {
    remotes: Vec<Remote>,
    tracker: TaskTracker,
    stop: CancellationToken,
    _guard: DropGuard,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("remotes", &self.remotes.len()).finish_non_exhaustive()
    }
}

impl Sim {
    /// Opens the sockets of all nodes and puts the topology's faults in force.
    ///
    /// # Errors
    /// When the topology contradicts itself or a socket cannot be opened.
    pub async fn start(topology: Topology, timings: SimTimings) -> Result<Self, SimError> {
        Self::launch(topology, timings, None).await
    }

    /// The same, with certificates and keys that are kept in a directory from one start to the next: whoever
    /// pinned one finds it again.
    ///
    /// # Errors
    /// As [`Sim::start`], and when the directory cannot be read or written.
    pub async fn start_in(
        directory: &Path,
        topology: Topology,
        timings: SimTimings,
    ) -> Result<Self, SimError> {
        let sim = Self::launch(topology, timings, Some(directory.to_owned())).await?;
        for remote in &sim.remotes {
            remote.inner.identities()?;
        }
        Ok(sim)
    }

    async fn launch(
        topology: Topology,
        timings: SimTimings,
        state: Option<PathBuf>,
    ) -> Result<Self, SimError> {
        topology.check()?;
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let tracker = TaskTracker::new();
        let common = Common {
            timings: Arc::new(timings),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            stop: stop.clone(),
            tracker: tracker.clone(),
            remotes: topology.remotes.len(),
            state,
        };
        let mut remotes = Vec::with_capacity(topology.remotes.len());
        for (index, spec) in topology.remotes.iter().enumerate() {
            // Remotes of one topology differ from each other, yet each is the same at every start.
            let seed = topology.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(index as u64);
            let (inner, ends) = build(spec, seed, &common)?;
            for (node, (listener, ends)) in ends.into_iter().enumerate() {
                let inner = Arc::clone(&inner);
                tracker.spawn(listener::run(inner, node, listener, ends.orders, ends.done));
            }
            remotes.push(Remote { inner });
        }
        for (spec, remote) in topology.remotes.iter().zip(&remotes) {
            for fault in &spec.faults {
                remote.try_fault(fault.clone()).await.map_err(|error| SimError::Fault {
                    remote: spec.name.clone(),
                    what: error.to_string(),
                })?;
            }
            if let Some(script) = &spec.script {
                tracker.spawn(script::run(remote.clone(), script.clone(), stop.clone()));
            }
        }
        Ok(Self { remotes, tracker, stop, _guard: guard })
    }

    /// A remote by its name in the topology.
    #[must_use]
    pub fn remote(&self, name: &str) -> Option<Remote> {
        self.remotes.iter().find(|remote| remote.name() == name).cloned()
    }

    /// The first remote of the topology: the only one of [`Topology::single`] and [`Topology::cluster`].
    #[must_use]
    pub fn first(&self) -> Option<Remote> {
        self.remotes.first().cloned()
    }

    /// All remotes, in the order of the topology.
    #[must_use]
    pub fn remotes(&self) -> Vec<Remote> {
        self.remotes.clone()
    }

    /// Opens the control port (plain HTTP, JSON) and tells where it is.
    ///
    /// # Errors
    /// When the address is not a loopback address, or in use.
    pub async fn serve_control(&self, address: SocketAddr) -> Result<SocketAddr, SimError> {
        if !address.ip().is_loopback() {
            return Err(SimError::ControlNotLoopback { address });
        }
        let fail = |source| SimError::Control { address, source };
        let listener = listener::bind(address).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        self.tracker.spawn(control::serve(listener, self.remotes.clone(), self.stop.clone()));
        Ok(address)
    }

    /// Ends everything, and waits until it has ended.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

type Ends = Vec<(tokio::net::TcpListener, ListenerEnds)>;

fn build(spec: &RemoteSpec, seed: u64, common: &Common) -> Result<(Arc<Inner>, Ends), SimError> {
    let world = Cluster::new(&spec.to_cluster(seed), common.timings.world, real_time())
        .map_err(|error| SimError::World { remote: spec.name.clone(), what: error.to_string() })?;
    let mut nodes = Vec::with_capacity(spec.nodes.len());
    let mut ends = Vec::with_capacity(spec.nodes.len());
    for node in &spec.nodes {
        let wanted = node.listen_address();
        let fail = |source| SimError::Listen {
            remote: spec.name.clone(),
            node: node.name.clone(),
            address: wanted,
            source,
        };
        let listener = listener::bind(wanted).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let (node, end) = Node::new(&node.name, address, node.shown_ip());
        nodes.push(node);
        ends.push((listener, end));
    }
    let inner = Inner::new(spec, world, nodes, common);
    Ok((Arc::new(inner), ends))
}
