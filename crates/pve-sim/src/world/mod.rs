//! What a cluster *is*: nodes, guests, tasks, HA, users, permissions, configuration, and every endpoint's
//! answer. No sockets, no async, no clock: time is an argument, chance comes from a seed.
//!
//! Entry point: [`Cluster`].

pub mod spec;

use crate::seam::{Body, Call, CertificateFacts, Envelope, Reply, SimTime, WorldTimings};
pub use spec::ClusterSpec;

/// One simulated cluster or stand-alone host.
pub struct Cluster {
    timings: WorldTimings,
}

/// The description cannot be made into a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub String);

impl Cluster {
    /// Builds the world from its description.
    ///
    /// # Errors
    /// When the description contradicts itself: no node, an unknown version, a guest on a node that is not
    /// there, a vmid given twice.
    pub fn new(spec: &ClusterSpec, timings: WorldTimings, now: SimTime) -> Result<Self, SpecError> {
        let _ = (spec, now);
        Ok(Self { timings })
    }

    /// Answers one call. Advances the world to `now` first.
    pub fn handle(&mut self, now: SimTime, call: &Call) -> Reply {
        self.advance(now);
        let _ = call;
        Reply {
            status: 501,
            reason: "not there yet".to_owned(),
            body: Body::Envelope(Envelope::default()),
            delay: None,
        }
    }

    /// Lets time pass: tasks end, HA acts, the status daemon reports. Time never goes back: an earlier `now`
    /// is ignored.
    pub fn advance(&mut self, now: SimTime) {
        let _ = (now, self.timings);
    }

    /// When something will next happen by itself, if anything will.
    #[must_use]
    pub fn next_event(&self) -> Option<SimTime> {
        None
    }

    /// Tells the world which certificates a node has.
    pub fn set_certificates(&mut self, node: &str, certificates: Vec<CertificateFacts>) {
        let _ = (node, certificates);
    }

    /// Ends every ticket signed so far, as a new signing key does.
    pub fn expire_tickets(&mut self, now: SimTime) {
        let _ = now;
    }

    /// Whether a node is up: the socket of one that is not does not answer.
    #[must_use]
    pub fn node_is_up(&self, node: &str) -> bool {
        let _ = node;
        true
    }
}
