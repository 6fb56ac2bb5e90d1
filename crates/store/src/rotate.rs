//! Changing the sealing key while the store is in use.

use sqlx::{AnyConnection, Row};
use std::sync::{Arc, PoisonError};

use crate::error::{OpenError, StoreError};
use crate::place::Engine;
use crate::record::SecretId;
use crate::seal::{KeyId, Keys};
use crate::store::{Store, keys_needed};
use crate::writer::{Job, keys_now};

/// Rows sealed anew in one transaction: small enough that nobody waits for it.
const STEP: i64 = 64;

/// What a rotation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Rows that are now under the new key.
    pub resealed: usize,
    /// Rows that do not open under any key given: left as they are.
    pub unopened: Vec<SecretId>,
}

/// One step: where it begins (after this purpose and record), and where the next one does.
pub(crate) struct Reseal {
    pub(crate) after: (String, String),
}

/// What one step did.
#[derive(Debug, Default)]
pub(crate) struct Resealed {
    pub(crate) rotated: Rotated,
    /// The last row looked at; `None`: there are no more.
    pub(crate) last: Option<(String, String)>,
}

impl Store {
    /// Seals every secret anew under the current one of `keys`, which must also hold every key in use. From
    /// the start of the call on everything new is sealed under the new key, while rows not yet done open
    /// under the older one; reads go on. Interrupted at any moment, both keys together open everything, and
    /// calling it again finishes the work: keep the older key until it has returned.
    ///
    /// # Errors
    /// [`OpenError::WrongKey`] when `keys` lacks one that is in use (nothing was changed); otherwise what
    /// stopped it.
    pub async fn rotate(&self, keys: Keys) -> Result<Rotated, OpenError> {
        if keys.current().is_none() {
            return Err(OpenError::KeyMissing);
        }
        let mut needed = keys_needed(&mut *self.reader().await?).await?;
        needed.extend(keys_now(&self.inner.keys).current().map(ToString::to_string));
        if let Some(missing) = needed.into_iter().find(|id| !keys.has(id)) {
            return Err(OpenError::WrongKey { needed: missing });
        }
        *self.inner.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        let mut all = Rotated::default();
        let mut after = (String::new(), String::new());
        loop {
            let step = self.ask(|author| Job::Reseal(Reseal { after }, author)).await??;
            all.resealed += step.rotated.resealed;
            all.unopened.extend(step.rotated.unopened);
            match step.last {
                Some(last) => after = last,
                None => return Ok(all),
            }
        }
    }

    /// Name of the key that seals at present.
    #[must_use]
    pub fn current_key(&self) -> Option<KeyId> {
        keys_now(&self.inner.keys).current().cloned()
    }

    /// Names of the keys that sealed rows are under, the current one first: more than one after a rotation that was
    /// interrupted.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keys_in_use(&self) -> Result<Vec<String>, StoreError> {
        let mut keys = keys_needed(&mut *self.reader().await?).await?;
        let current = self.current_key();
        keys.sort_by_key(|key| current.as_ref().is_none_or(|current| current.as_str() != key));
        Ok(keys)
    }
}

/// One step, inside the writer's transaction.
pub(crate) async fn reseal(
    c: &mut AnyConnection,
    keys: &Keys,
    after: &(String, String),
) -> Result<Resealed, StoreError> {
    let current = keys.current().map(ToString::to_string).unwrap_or_default();
    let rows = sqlx::query(
        "SELECT purpose, record, key_id, body FROM secrets WHERE key_id <> $1 AND (purpose, record) > ($2, $3) \
         ORDER BY purpose, record LIMIT $4",
    )
    .bind(current)
    .bind(after.0.as_str())
    .bind(after.1.as_str())
    .bind(STEP)
    .fetch_all(&mut *c)
    .await?;
    let mut done = Resealed::default();
    for row in &rows {
        let (purpose, record): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (name, body): (String, Vec<u8>) = (row.try_get(2)?, row.try_get(3)?);
        let id = SecretId::new(purpose.clone(), &record);
        done.last = Some((purpose, record));
        let plain = match keys.open(&id, &name, &body) {
            Ok(plain) => plain,
            Err(error) => {
                tracing::error!(%error, "a sealed record was left under its key");
                done.rotated.unopened.push(id);
                continue;
            }
        };
        let (new_name, new_body) = keys.seal(&id, &plain)?;
        sqlx::query(
            "UPDATE secrets SET key_id = $1, body = $2 WHERE purpose = $3 AND record = $4 AND key_id = $5",
        )
        .bind(new_name.as_str())
        .bind(new_body)
        .bind(id.purpose.as_ref())
        .bind(id.record.as_str())
        .bind(name)
        .execute(&mut *c)
        .await?;
        done.rotated.resealed += 1;
    }
    Ok(done)
}

/// Afterwards: what was sealed under the old key should not linger in the write-ahead log.
pub(crate) async fn forget(c: &mut AnyConnection, engine: Engine) {
    if engine == Engine::Sqlite {
        // A reader in its way makes it do less; the next checkpoint does the rest.
        let _ = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(c).await;
    }
}
