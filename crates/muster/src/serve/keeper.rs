//! Who keeps the sealing key while the server runs, and replaces it: [`Keeper`].

use std::pin::Pin;
use std::sync::Arc;

use server::app::{KeyChanged, KeyNotChanged};
use store::{Rotated, Store};
use tokio::sync::Mutex;

use super::key::{KeyRing, Place};
use super::refusal;
use crate::failure::Failure;

/// The key and the store that is sealed with it.
#[derive(Debug, Clone)]
pub struct Keeper {
    store: Store,
    ring: Arc<Mutex<KeyRing>>,
}

impl Keeper {
    /// Keeps this key.
    pub fn new(store: Store, ring: KeyRing) -> Self {
        Self { store, ring: Arc::new(Mutex::new(ring)) }
    }

    /// Ends what an interrupted change of keys has left: seals with the first key what older ones still seal. Not while
    /// others use the database (`shared`), who may have none but an older one.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn finish(&self, shared: bool) -> Result<(), Failure> {
        let mut ring = self.ring.lock().await;
        if ring.older.is_empty() {
            return Ok(());
        }
        if shared {
            tracing::warn!(
                "{} holds a new key and older ones, and other Muster processes use the database: nothing is sealed anew. \
                 End them, start this one again, and give each of them the new key before it starts",
                ring.place
            );
            return Ok(());
        }
        let sealed = self.seal(&ring).await?;
        if !sealed.unopened.is_empty() {
            return Ok(());
        }
        let only = ring.without_older();
        match (only.write(), &ring.place) {
            (Ok(()), _) => tracing::info!("everything is sealed with the new key"),
            (Err(failure), Place::File(_)) => tracing::error!(
                "everything is sealed with the first key of {}, but the older ones cannot be taken out of it: {}",
                ring.place,
                failure.sentence
            ),
            // Whoever keeps the key takes the old one out.
            (Err(_), _) => {
                tracing::info!(
                    "everything is sealed with the first key of {}; the older ones can go",
                    ring.place
                );
            }
        }
        *ring = only;
        Ok(())
    }

    /// Makes a new key and seals everything with it. The key file holds both until that is done, so that it may be
    /// interrupted at any moment, and stays so when there are records that do not open.
    async fn rotate(&self) -> Result<(String, Rotated), Stopped> {
        let mut ring = self.ring.lock().await;
        let unbegun = |failure| Stopped { both: false, failure };
        let begun = |failure| Stopped { both: true, failure };
        let both = ring.renewed().map_err(unbegun)?;
        both.write().map_err(unbegun)?;
        // From here on the file is right whatever happens: it opens what is sealed with either.
        *ring = both;
        let sealed = self.seal(&ring).await.map_err(begun)?;
        if sealed.unopened.is_empty() {
            let only = ring.without_older();
            only.write().map_err(begun)?;
            *ring = only;
        }
        let key = ring.keys().current().map(ToString::to_string).unwrap_or_default();
        Ok((key, sealed))
    }

    /// What does not open stays as it is, and so does the key it names: without that the database would be refused.
    async fn seal(&self, ring: &KeyRing) -> Result<Rotated, Failure> {
        let sealed = self.store.rotate(ring.keys()).await.map_err(|e| refusal::of(&e, Some(ring)))?;
        if !sealed.unopened.is_empty() {
            tracing::error!(
                records = sealed.unopened.len(),
                "sealed records do not open under any key; they stay as they are, and older keys are kept"
            );
        }
        Ok(sealed)
    }
}

/// Why a change of keys has not come to its end.
struct Stopped {
    /// Does the key file hold both keys already?
    both: bool,
    failure: Failure,
}

impl server::app::Keeper for Keeper {
    fn rotate(&self) -> Pin<Box<dyn Future<Output = Result<KeyChanged, KeyNotChanged>> + Send + '_>> {
        Box::pin(async {
            let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            match Self::rotate(self).await {
                Ok((key, sealed)) => Ok(KeyChanged {
                    key,
                    records: count(sealed.resealed),
                    unopened: count(sealed.unopened.len()),
                }),
                Err(Stopped { both, failure }) => {
                    let hint = failure.hint.map(|hint| format!(" {hint}")).unwrap_or_default();
                    Err(KeyNotChanged { both, why: format!("{}{hint}", failure.sentence) })
                }
            }
        })
    }
}
