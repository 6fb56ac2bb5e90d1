//! What is given when a remote is added.

use std::time::Duration;

use jiff::Timestamp;
use model::EndpointId;
use model::link::Login;
use pve::address::Address;
use pve::{Credential, TrustPolicy};

/// A remote to be managed.
#[derive(Debug, Clone)]
pub struct RemoteSpec {
    /// What it is called. Unique.
    pub name: String,
    /// Where it answers, each with what makes its certificate good. The first one is tried first.
    pub endpoints: Vec<(Address, TrustPolicy)>,
    /// What to sign in with.
    pub credential: Credential,
    /// Least interval of its listing; `None`: as in the timings.
    pub interval: Option<Duration>,
    /// Disconnected before, by whom and when: it stays so.
    pub disconnected: Option<(String, Timestamp)>,
}

impl RemoteSpec {
    /// A remote with one endpoint.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        address: Address,
        trust: TrustPolicy,
        credential: Credential,
    ) -> Self {
        Self {
            name: name.into(),
            endpoints: vec![(address, trust)],
            credential,
            interval: None,
            disconnected: None,
        }
    }

    /// One more endpoint.
    #[must_use]
    pub fn endpoint(mut self, address: Address, trust: TrustPolicy) -> Self {
        self.endpoints.push((address, trust));
        self
    }

    pub(crate) fn ids(&self) -> Vec<EndpointId> {
        self.endpoints.iter().map(|(address, _)| EndpointId::from(address.to_string())).collect()
    }

    pub(crate) fn login(&self) -> Login {
        if self.credential.is_token() { Login::Token } else { Login::of_password(self.credential.user()) }
    }
}
