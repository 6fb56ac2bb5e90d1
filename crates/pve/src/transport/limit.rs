//! How many calls at once, and whether any at all: [`Limits`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// At most so many calls at once to each node. Cluster-level calls count for the node that the endpoint is, once
/// that is known; until then, for the endpoint.
///
/// One value is shared by all clients of a remote: a node is the same node whichever endpoint leads to it.
#[derive(Debug)]
pub(crate) struct Limits {
    at_once: usize,
    places: Mutex<Places>,
    names: Mutex<HashMap<String, String>>,
}

#[derive(Debug, Default)]
struct Places {
    by: HashMap<Place, Arc<Semaphore>>,
    /// Nothing is let through any more.
    closed: bool,
}

/// What is limited. A node may have the name of an endpoint.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Place {
    Node(String),
    Endpoint(String),
}

/// Permission for one call; given back when dropped.
pub(crate) type Permit = OwnedSemaphorePermit;

/// Why a call was not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barred {
    /// No place became free in time: the calls before it are not answered.
    Full,
    /// Nothing more is to leave.
    Closed,
}

impl Limits {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { at_once: at_once.max(1), places: Mutex::default(), names: Mutex::default() }
    }

    /// The node that an endpoint is.
    pub(crate) fn name(&self, endpoint: &str, node: &str) {
        lock(&self.names).insert(endpoint.to_owned(), node.to_owned());
    }

    /// Waits for a free place at the node, or, for a call about no node, at the endpoint; no longer than `patience`.
    pub(crate) async fn enter(
        &self,
        node: Option<&str>,
        endpoint: &str,
        patience: Duration,
    ) -> Result<Permit, Barred> {
        let place = match node.map(str::to_owned).or_else(|| lock(&self.names).get(endpoint).cloned()) {
            Some(node) => Place::Node(node),
            None => Place::Endpoint(endpoint.to_owned()),
        };
        let places = {
            let mut places = lock(&self.places);
            if places.closed {
                return Err(Barred::Closed);
            }
            let free = || Arc::new(Semaphore::new(self.at_once));
            Arc::clone(places.by.entry(place).or_insert_with(free))
        };
        match timeout(patience, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_closed)) => Err(Barred::Closed),
            Err(_elapsed) => Err(Barred::Full),
        }
    }

    /// Lets nothing through any more; whoever waits is told at once.
    pub(crate) fn close(&self) {
        let mut places = lock(&self.places);
        places.closed = true;
        for semaphore in places.by.values() {
            semaphore.close();
        }
    }

    /// Whether nothing more is to leave.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.places).closed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_WHILE: Duration = Duration::from_secs(10);
    const A_MOMENT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_node_is_the_same_node_by_its_name_and_as_an_endpoint() {
        let limits = Limits::new(2);
        limits.name("192.0.2.1:8006", "pve1");
        let _one = limits.enter(Some("pve1"), "192.0.2.1:8006", A_WHILE).await.unwrap();
        let two = limits.enter(None, "192.0.2.1:8006", A_WHILE).await.unwrap();
        let third = limits.enter(Some("pve1"), "192.0.2.2:8006", A_MOMENT).await;
        assert_eq!(third.unwrap_err(), Barred::Full, "both places are taken");
        let _other = limits.enter(Some("pve2"), "192.0.2.1:8006", A_WHILE).await.unwrap();
        drop(two);
        let _third = limits.enter(Some("pve1"), "192.0.2.2:8006", A_WHILE).await.unwrap();
    }

    #[tokio::test]
    async fn closed_bars_who_comes_and_who_waits() {
        let limits = Arc::new(Limits::new(1));
        let _one = limits.enter(Some("pve1"), "192.0.2.1:8006", A_WHILE).await.unwrap();
        let waiting = tokio::spawn({
            let limits = Arc::clone(&limits);
            async move { limits.enter(Some("pve1"), "192.0.2.1:8006", A_WHILE).await }
        });
        tokio::time::sleep(A_MOMENT).await;
        assert!(!limits.is_closed());
        limits.close();
        assert_eq!(waiting.await.unwrap().unwrap_err(), Barred::Closed);
        for node in ["pve1", "pve2"] {
            let late = limits.enter(Some(node), "192.0.2.1:8006", A_WHILE).await;
            assert_eq!(late.unwrap_err(), Barred::Closed);
        }
    }
}
