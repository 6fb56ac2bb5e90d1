//! How many calls at once: [`Limits`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At most so many calls at once to each node. Cluster-level calls count for the node that the endpoint is, once
/// that is known; until then, for the endpoint.
///
/// One value is shared by all clients of a remote: a node is the same node whichever endpoint leads to it.
#[derive(Debug)]
pub(crate) struct Limits {
    at_once: usize,
    places: Mutex<HashMap<Place, Arc<Semaphore>>>,
    names: Mutex<HashMap<String, String>>,
}

/// What is limited. A node may have the name of an endpoint.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Place {
    Node(String),
    Endpoint(String),
}

/// Permission for one call; given back when dropped.
pub(crate) type Permit = Option<OwnedSemaphorePermit>;

impl Limits {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { at_once: at_once.max(1), places: Mutex::default(), names: Mutex::default() }
    }

    /// The node that an endpoint is.
    pub(crate) fn name(&self, endpoint: &str, node: &str) {
        lock(&self.names).insert(endpoint.to_owned(), node.to_owned());
    }

    /// Waits for a free place at the node, or, for a call about no node, at the endpoint.
    pub(crate) async fn enter(&self, node: Option<&str>, endpoint: &str) -> Permit {
        let place = match node.map(str::to_owned).or_else(|| lock(&self.names).get(endpoint).cloned()) {
            Some(node) => Place::Node(node),
            None => Place::Endpoint(endpoint.to_owned()),
        };
        let places = Arc::clone(
            lock(&self.places).entry(place).or_insert_with(|| Arc::new(Semaphore::new(self.at_once))),
        );
        // The semaphores are never closed; were one, the call would go out unlimited rather than not at all.
        places.acquire_owned().await.ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_node_is_the_same_node_by_its_name_and_as_an_endpoint() {
        let limits = Limits::new(2);
        limits.name("192.0.2.1:8006", "pve1");
        let _one = limits.enter(Some("pve1"), "192.0.2.1:8006").await;
        let two = limits.enter(None, "192.0.2.1:8006").await;
        let third = limits.enter(Some("pve1"), "192.0.2.2:8006");
        assert!(timeout(Duration::from_millis(20), third).await.is_err(), "both places are taken");
        let _other = limits.enter(Some("pve2"), "192.0.2.1:8006").await;
        drop(two);
        let _third = limits.enter(Some("pve1"), "192.0.2.2:8006").await;
    }
}
