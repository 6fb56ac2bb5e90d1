//! How many calls at once: [`Limits`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// At most so many calls at once to each node, and of cluster-level calls to each endpoint.
///
/// One value is shared by all clients of a remote: a node is the same node whichever endpoint leads to it.
#[derive(Debug)]
pub(crate) struct Limits {
    at_once: usize,
    nodes: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Permission for one call; given back when dropped.
pub(crate) type Permit = Option<OwnedSemaphorePermit>;

impl Limits {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { at_once: at_once.max(1), nodes: Mutex::default() }
    }

    /// Waits for a free place at the node, or, for a call about no node, at the endpoint.
    pub(crate) async fn enter(&self, node: Option<&str>, endpoint: &str) -> Permit {
        // A node may have the name of an endpoint; the prefixes keep them apart.
        let key = match node {
            Some(node) => format!("node {node}"),
            None => format!("endpoint {endpoint}"),
        };
        let places = {
            let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(nodes.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.at_once))))
        };
        // The semaphores are never closed; were one, the call would go out unlimited rather than not at all.
        places.acquire_owned().await.ok()
    }
}
