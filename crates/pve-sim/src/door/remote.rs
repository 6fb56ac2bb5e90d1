//! The handle on one simulated remote, for tests and for the control port.

use std::net::SocketAddr;
use std::sync::Arc;

use super::fault::{Fault, FaultId, FaultSpec};
use super::inner::Inner;
use super::journal::{ConnectionRecord, Exchange};
use crate::seam::SimTime;
use crate::world::Cluster;

/// A handle on one simulated remote: where it listens, what it shows, what it saw, and what goes wrong on it.
#[derive(Clone)]
pub struct Remote {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("name", &self.inner.name)
            .field("version", &self.inner.version)
            .finish_non_exhaustive()
    }
}

/// A fault that cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(pub(crate) String);

impl Remote {
    /// Its name in the topology.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// `7.4`, `8.4` or `9.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// The names of its nodes, in the order of the topology.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        self.inner.nodes().iter().map(|node| node.name.clone()).collect()
    }

    /// Where a node listens.
    #[must_use]
    pub fn address(&self, node: &str) -> Option<SocketAddr> {
        self.inner.nodes().iter().find(|other| other.name == node).map(|node| node.address)
    }

    /// Where the first node listens. (A remote has at least one.)
    #[must_use]
    pub fn first_address(&self) -> SocketAddr {
        let unspecified = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
        self.inner.nodes().first().map_or(unspecified, |node| node.address)
    }

    /// The certificate of the cluster's authority, `pve-root-ca.pem`; empty if it could not be made.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.inner.identities().map(|identities| identities.authority.pem().to_owned()).unwrap_or_default()
    }

    /// The SHA-256 fingerprint of the certificate that the node shows now, `AA:BB:…`.
    #[must_use]
    pub fn leaf_fingerprint(&self, node: &str) -> Option<String> {
        let index = self.inner.index(node)?;
        self.inner.identity(index).ok().map(|identity| identity.facts.fingerprint.clone())
    }

    /// Puts a fault in force, on one node's socket or on all. It is in force when this returns.
    ///
    /// A fault that makes no sense (see [`Self::try_fault`]) is not placed; the id then names nothing.
    pub async fn fault(&self, node: Option<&str>, fault: impl Into<FaultSpec>) -> FaultId {
        let mut spec = fault.into();
        if let Some(node) = node {
            spec = spec.at_node(node);
        }
        match self.try_fault(spec).await {
            Ok(id) => id,
            Err(error) => {
                tracing::error!(remote = %self.inner.name, %error, "fault not placed");
                FaultId(0)
            }
        }
    }

    /// Puts a fault in force.
    ///
    /// # Errors
    /// When it names a node that is not there, or says what makes no sense for it (a path for a fault of the
    /// socket, `times` for a state).
    pub async fn try_fault(&self, spec: FaultSpec) -> Result<FaultId, FaultError> {
        spec.check().map_err(FaultError)?;
        if let Some(unknown) = spec.nodes_named().find(|node| self.inner.index(node).is_none()) {
            let known = self.nodes().join(", ");
            return Err(FaultError(format!("\"{unknown}\" is not one of its nodes ({known})")));
        }
        if let Fault::HideRows { user, .. } = &spec.fault
            && !self.inner.with_world(|world, _| world.has_user(user))
        {
            return Err(FaultError(format!("there is no user \"{user}\"")));
        }
        self.inner.place(spec).await.map_err(|error| FaultError(error.to_string()))
    }

    /// Ends a fault. `false`: there was none of that id.
    pub async fn clear(&self, id: FaultId) -> bool {
        self.inner.remove(id).await
    }

    /// Ends all faults.
    pub async fn clear_all(&self) {
        for (id, _) in self.faults() {
            self.inner.remove(id).await;
        }
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> Vec<(FaultId, FaultSpec)> {
        self.inner.faults_in_force()
    }

    /// Every request that reached HTTP, oldest first: the last 20,000 of them, fewer where a topology has more
    /// than five remotes.
    #[must_use]
    pub fn journal(&self) -> Vec<Exchange> {
        self.inner.journal().exchanges()
    }

    /// How many requests have reached HTTP since it was started, those that are forgotten included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.inner.journal().exchanged()
    }

    /// Every connection that was accepted, oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionRecord> {
        self.inner.journal().connections()
    }

    /// Forgets exchanges, and connections that are over.
    pub fn clear_journal(&self) {
        self.inner.journal().clear();
    }

    /// Its own clock.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.inner.now()
    }

    /// Looks at what is behind the sockets, or changes it. The world is locked meanwhile: `f` must not use
    /// this handle.
    pub fn with_world<R>(&self, f: impl FnOnce(&mut Cluster, SimTime) -> R) -> R {
        let result = self.inner.with_world(f);
        // A node may have been switched off or on: its socket follows shortly.
        self.inner.order_modes();
        result
    }
}
