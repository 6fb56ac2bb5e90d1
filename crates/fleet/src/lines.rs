//! The clients of one remote: one per endpoint, all with one session.

use model::EndpointId;
use pve::{Client, Endpoint, SystemStore, Timings, TrustPolicy};

use crate::spec::RemoteSpec;

/// The clients of one remote.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    clients: Vec<(EndpointId, Client)>,
    user: String,
}

impl Lines {
    pub(crate) fn open(spec: &RemoteSpec, timings: &Timings, store: &SystemStore) -> Self {
        let user = spec.credential.authid().to_owned();
        let mut clients: Vec<(EndpointId, Client)> = Vec::new();
        for (address, trust) in &spec.endpoints {
            let id = EndpointId::from(address.to_string());
            let endpoint = Endpoint { address: address.clone(), trust: trust.clone() };
            // A session is worth nothing under another credential.
            let session = spec.session.as_ref().filter(|one| *one.credential() == spec.credential);
            let client = match (clients.first(), session) {
                (None, Some(session)) => {
                    Client::taking_over(session, endpoint, timings.clone(), store.clone())
                }
                (None, None) => {
                    Client::with_store(endpoint, spec.credential.clone(), timings.clone(), store.clone())
                }
                (Some((_, first)), _) => first.sibling(endpoint),
            };
            clients.push((id, client));
        }
        Self { clients, user }
    }

    pub(crate) fn get(&self, endpoint: &EndpointId) -> Option<&Client> {
        self.clients.iter().find(|(id, _)| id == endpoint).map(|(_, client)| client)
    }

    /// Who we are there, as a UPID names us.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Requests and bytes received so far.
    pub(crate) fn counted(&self) -> (u64, u64) {
        self.clients.first().map_or((0, 0), |(_, client)| {
            let stats = client.stats();
            (stats.requests, stats.bytes_in)
        })
    }

    /// From now on nothing leaves any more.
    pub(crate) fn shut(&self) {
        for (_, client) in &self.clients {
            client.close();
        }
    }

    /// Ends the session and closes its connections.
    pub(crate) async fn close(&self) {
        self.shut();
        for (_, client) in &self.clients {
            client.sign_out().await;
        }
    }
}

/// Replaces what is believed of one endpoint.
pub(crate) fn retrust(spec: &mut RemoteSpec, endpoint: &EndpointId, trust: TrustPolicy) -> bool {
    match spec.endpoints.iter_mut().find(|(address, _)| address.to_string() == endpoint.as_str()) {
        Some((_, known)) => {
            *known = trust;
            true
        }
        None => false,
    }
}
