//! Who keeps the sealing key while the server runs, and replaces it: [`Keeper`].

use std::pin::Pin;
use std::sync::Arc;

use store::{Rotated, Store};
use tokio::sync::Mutex;

use super::key::KeyRing;
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

    /// Ends what an interrupted change of keys has left: seals with the first key what older ones still seal.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn finish(&self) -> Result<(), Failure> {
        let mut ring = self.ring.lock().await;
        if ring.older.is_empty() {
            return Ok(());
        }
        let sealed = self.seal(&ring).await?;
        if !sealed.unopened.is_empty() {
            return Ok(());
        }
        let only = ring.without_older();
        match only.write() {
            Ok(()) => tracing::info!("everything is sealed with the new key"),
            // Whoever keeps the key takes the old one out.
            Err(_) => {
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
    /// interrupted at any moment. Tells how many records were sealed anew.
    ///
    /// # Errors
    /// The key comes from where it cannot be written, or the store cannot be written.
    pub async fn rotate(&self) -> Result<usize, Failure> {
        let mut ring = self.ring.lock().await;
        let both = ring.renewed()?;
        both.write()?;
        // From here on the file is right whatever happens: it opens what is sealed with either.
        *ring = both;
        let sealed = self.seal(&ring).await?;
        if sealed.unopened.is_empty() {
            let only = ring.without_older();
            only.write()?;
            *ring = only;
        }
        Ok(sealed.resealed)
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

impl server::app::Keeper for Keeper {
    fn rotate(&self) -> Pin<Box<dyn Future<Output = Result<u64, String>> + Send + '_>> {
        Box::pin(async {
            let records = Self::rotate(self).await.map_err(|failure| {
                let hint = failure.hint.map(|hint| format!(" {hint}")).unwrap_or_default();
                format!("{}{hint}", failure.sentence)
            })?;
            Ok(u64::try_from(records).unwrap_or(u64::MAX))
        })
    }
}
