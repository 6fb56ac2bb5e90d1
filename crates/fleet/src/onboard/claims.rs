//! One at a time per cluster: whoever makes something on a host, and saves it, holds its [`Claim`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

type Turn = tokio::sync::Mutex<()>;

/// Whose turn it is, by the identity of a cluster or host (SHA-256 of its root certificate). Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Claims(Arc<Mutex<BTreeMap<String, Weak<Turn>>>>);

/// The turn of one: between making a token and saving the remote nobody else does either with this cluster.
#[derive(Debug)]
pub struct Claim {
    _turn: OwnedMutexGuard<()>,
}

impl Claims {
    /// Waits for the turn at this identity.
    pub async fn take(&self, identity: &str) -> Claim {
        let key = identity.to_ascii_lowercase();
        let turn = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, turn| turn.strong_count() > 0);
            match all.get(&key).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::new(Turn::default());
                    all.insert(key, Arc::downgrade(&turn));
                    turn
                }
            }
        };
        Claim { _turn: turn.lock_owned().await }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_waits_for_the_other_at_the_same_cluster_only() {
        let claims = Claims::default();
        let first = claims.take("AA:BB").await;
        let _elsewhere = claims.take("CC:DD").await;
        let second = claims.clone();
        let mut waiting = tokio::spawn(async move { second.take("aa:bb").await });
        let soon = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
        assert!(soon.is_err(), "both at once");
        drop(first);
        drop(waiting.await.unwrap());
        assert_eq!(claims.0.lock().unwrap().len(), 2);
        drop(claims.take("ee").await);
        assert_eq!(claims.0.lock().unwrap().len(), 2, "what nobody holds is forgotten");
    }
}
