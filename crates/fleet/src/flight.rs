//! Whoever wants the same thing at the same time shares one request.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

type Flight<V> = WeakShared<BoxFuture<'static, V>>;

/// Requests under way, by what they ask for. Only those who wait for one keep it going: when the last of them leaves,
/// it ends, and gives back its place at the node.
pub(crate) struct Flights<K, V: Clone> {
    under_way: Arc<Mutex<HashMap<K, Flight<V>>>>,
}

impl<K, V: Clone> Clone for Flights<K, V> {
    fn clone(&self) -> Self {
        Self { under_way: self.under_way.clone() }
    }
}

impl<K, V: Clone> Default for Flights<K, V> {
    fn default() -> Self {
        Self { under_way: Arc::default() }
    }
}

impl<K, V> Flights<K, V>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The answer to `key`: joins the request under way, or makes it with `request`. It goes on as long as
    /// anybody waits for it.
    pub(crate) async fn join<F>(&self, key: K, request: impl FnOnce() -> F) -> V
    where
        F: Future<Output = V> + Send + 'static,
    {
        let flight = self.boarded(key.clone(), request);
        let answer = flight.await;
        let mut under_way = self.lock();
        if under_way.get(&key).is_some_and(is_over) {
            under_way.remove(&key);
        }
        answer
    }

    fn boarded<F>(&self, key: K, request: impl FnOnce() -> F) -> Shared<BoxFuture<'static, V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut under_way = self.lock();
        under_way.retain(|_, flight| !is_over(flight));
        match under_way.get(&key).and_then(WeakShared::upgrade) {
            Some(flight) => flight,
            None => {
                let flight = request().boxed().shared();
                under_way.extend(flight.downgrade().map(|weak| (key, weak)));
                flight
            }
        }
    }

    /// Whoever asks from now on makes a request of their own.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Flight<V>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it has its answer, or nobody waits for it any more.
fn is_over<V: Clone>(flight: &Flight<V>) -> bool {
    flight.upgrade().is_none_or(|flight| flight.peek().is_some())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn equal_wishes_share_one_request_and_later_ones_make_their_own() {
        let flights = Flights::<&str, u32>::default();
        let made = Arc::new(AtomicU32::new(0));
        let ask = |key| {
            let (flights, made) = (flights.clone(), made.clone());
            async move {
                flights
                    .join(key, || async move {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        made.fetch_add(1, Ordering::SeqCst) + 1
                    })
                    .await
            }
        };
        let (a, b, c) = tokio::join!(ask("x"), ask("x"), ask("y"));
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_eq!(made.load(Ordering::SeqCst), 2);
        assert_eq!(ask("x").await, 3);
        assert!(flights.lock().is_empty());
    }

    #[tokio::test]
    async fn a_request_survives_the_one_who_made_it_and_an_abandoned_one_is_made_anew() {
        let flights = Flights::<u8, u32>::default();
        let slow = |n: u32| async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            n
        };
        let first = tokio::spawn({
            let flights = flights.clone();
            async move { flights.join(1, || slow(1)).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let second = tokio::spawn({
            let flights = flights.clone();
            async move { flights.join(1, || slow(2)).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        first.abort();
        assert_eq!(second.await.unwrap(), 1);

        let alone = tokio::spawn({
            let flights = flights.clone();
            async move { flights.join(2, || slow(3)).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        alone.abort();
        let _ = alone.await;
        assert_eq!(flights.join(2, || slow(4)).await, 4);
    }

    #[tokio::test]
    async fn what_everybody_has_left_ends() {
        let flights = Flights::<u8, ()>::default();
        let held = Arc::new(());
        let waits = async |key| {
            let held = held.clone();
            let never = || async move {
                std::future::pending::<()>().await;
                drop(held);
            };
            let waited = tokio::time::timeout(Duration::from_millis(20), flights.join(key, never)).await;
            assert!(waited.is_err());
        };
        tokio::join!(waits(1), waits(1), waits(2));
        assert_eq!(Arc::strong_count(&held), 1, "nothing of them is left");
        flights.join(3, || async {}).await;
        assert!(flights.lock().is_empty());
    }
}
