//! Users, grants, sessions, tokens; requests remembered; settings.

use jiff::Timestamp;
use model::OperationId;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{maybe_time, time};
use crate::apply::{DONE, ms, reply_id, text};
use crate::audit::hash_of;
use crate::error::{ReadError, StoreError};
use crate::record::{
    FactorRecord, GrantRecord, IdempotencyRecord, PreferencesRecord, SessionRecord, Stage, TokenRecord,
    UserRecord,
};
use crate::store::Store;
use crate::writer::keys_now;

const SESSION_OF: &str = "SELECT id, hash, subject, created, seen, expires, body FROM sessions WHERE subject = $1 ORDER BY created, id";
const SESSION_BY_HASH: &str =
    "SELECT id, hash, subject, created, seen, expires, body FROM sessions WHERE hash = $1";
const TOKENS_OF: &str = "SELECT id, hash, subject, name, created, expires, seen, body FROM tokens \
                         WHERE subject = $1 ORDER BY created, id";
const TOKEN: &str = "SELECT id, hash, subject, name, created, expires, seen, body FROM tokens WHERE id = $1";

impl Store {
    /// The number that users, grants, sessions and tokens are at: it grows with every change of them, whoever made it,
    /// where several processes share the database; elsewhere it stays. Read before them, for [`crate::Write::PeopleAt`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn people(&self) -> Result<i64, ReadError> {
        let row = sqlx::query("SELECT value FROM counters WHERE name = 'people'")
            .fetch_one(&mut *self.reader().await?)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// All users, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn users(&self) -> Result<Vec<UserRecord>, ReadError> {
        let rows = sqlx::query("SELECT name, password, created, updated, body FROM users ORDER BY name")
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(user_row).collect()
    }

    /// One user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn user(&self, name: &str) -> Result<Option<UserRecord>, ReadError> {
        let row = sqlx::query("SELECT name, password, created, updated, body FROM users WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(user_row).transpose()
    }

    /// A user's grants.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn grants(&self, user: &str) -> Result<Vec<GrantRecord>, ReadError> {
        let rows = sqlx::query(
            "SELECT role, scope_kind, scope_value FROM grants WHERE subject = $1 \
             ORDER BY role, scope_kind, scope_value",
        )
        .bind(user)
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(GrantRecord {
                    role: row.try_get(0)?,
                    scope_kind: row.try_get(1)?,
                    scope_value: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// A user's sessions, expired ones included until they are cleared away.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions(&self, user: &str) -> Result<Vec<SessionRecord>, ReadError> {
        let rows = sqlx::query(SESSION_OF).bind(user).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(session_row).collect()
    }

    /// The session with this hash of its secret. The caller looks at its times.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(&self, hash: &[u8; 32]) -> Result<Option<SessionRecord>, ReadError> {
        let row = sqlx::query(SESSION_BY_HASH)
            .bind(hash.to_vec())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(session_row).transpose()
    }

    /// A user's tokens.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tokens(&self, user: &str) -> Result<Vec<TokenRecord>, ReadError> {
        let rows = sqlx::query(TOKENS_OF).bind(user).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(token_row).collect()
    }

    /// One token. The caller compares its hash (in constant time) and looks at its times.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token(&self, id: &str) -> Result<Option<TokenRecord>, ReadError> {
        let row = sqlx::query(TOKEN).bind(id).fetch_optional(&mut *self.reader().await?).await?;
        row.as_ref().map(token_row).transpose()
    }

    /// The second factors of all who have one, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn factors(&self) -> Result<Vec<FactorRecord>, ReadError> {
        let rows = sqlx::query("SELECT subject, since, step, body FROM factors ORDER BY subject")
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(factor_row).collect()
    }

    /// A user's second factor.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn factor(&self, user: &str) -> Result<Option<FactorRecord>, ReadError> {
        let row = sqlx::query("SELECT subject, since, step, body FROM factors WHERE subject = $1")
            .bind(&*text(user))
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(factor_row).transpose()
    }

    /// The preferences of the user of this name who was made at `born`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn preferences(
        &self,
        user: &str,
        born: Timestamp,
    ) -> Result<Option<PreferencesRecord>, ReadError> {
        let row = sqlx::query("SELECT number, body FROM preferences WHERE subject = $1 AND born = $2")
            .bind(&*text(user))
            .bind(ms(born))
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.map(|row| {
            Ok(PreferencesRecord {
                user: user.to_owned(),
                born,
                number: row.try_get(0)?,
                body: row.try_get(1)?,
            })
        })
        .transpose()
    }

    /// What a request with this key by this principal came to.
    ///
    /// # Errors
    /// When the database cannot be read, or the answer kept does not open.
    pub async fn idempotency(
        &self,
        principal: &str,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>, ReadError> {
        let id = reply_id(principal, key);
        // In one statement: row and secret change together, and must be of one moment.
        let row = sqlx::query(
            "SELECT i.fingerprint, i.at, i.status, s.key_id, s.body FROM idempotency i \
             LEFT JOIN secrets s ON s.purpose = $3 AND s.record = $4 WHERE i.principal = $1 AND i.key = $2",
        )
        .bind(principal)
        .bind(key)
        .bind(id.purpose.as_ref())
        .bind(id.record.as_str())
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let stage = match row.try_get::<Option<i64>, _>(2)? {
            None => Stage::Begun,
            Some(status) => {
                let sealed: (Option<String>, Option<Vec<u8>>) = (row.try_get(3)?, row.try_get(4)?);
                let (Some(name), Some(body)) = sealed else {
                    return Err(StoreError::Damaged("the answer to a request is missing".into()));
                };
                let body = keys_now(&self.inner.keys).open(&id, &name, &body)?;
                match u16::try_from(status) {
                    Ok(status) if i64::from(status) != DONE => Stage::Answered { status, body },
                    _ => Stage::Done { operation: operation_of(&body)? },
                }
            }
        };
        Ok(Some(IdempotencyRecord {
            principal: principal.to_owned(),
            key: key.to_owned(),
            fingerprint: row.try_get(0)?,
            at: time(row.try_get(1)?)?,
            stage,
        }))
    }

    /// A setting.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn setting(&self, key: &str) -> Result<Option<String>, ReadError> {
        let row = sqlx::query("SELECT value FROM settings WHERE name = $1")
            .bind(key)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}

/// The operation that a request became, from what is kept in the place of its answer.
fn operation_of(body: &[u8]) -> Result<Option<OperationId>, StoreError> {
    if body.is_empty() {
        return Ok(None);
    }
    let id = std::str::from_utf8(body).ok().and_then(|text| text.parse().ok());
    let id = id.ok_or_else(|| StoreError::Damaged("a request's operation has no readable number".into()))?;
    Ok(Some(OperationId(id)))
}

fn factor_row(row: &AnyRow) -> Result<FactorRecord, ReadError> {
    Ok(FactorRecord {
        user: row.try_get(0)?,
        since: time(row.try_get(1)?)?,
        step: row.try_get(2)?,
        body: row.try_get(3)?,
    })
}

fn user_row(row: &AnyRow) -> Result<UserRecord, StoreError> {
    Ok(UserRecord {
        name: row.try_get(0)?,
        password: row.try_get(1)?,
        created: time(row.try_get(2)?)?,
        updated: time(row.try_get(3)?)?,
        body: row.try_get(4)?,
    })
}

fn session_row(row: &AnyRow) -> Result<SessionRecord, StoreError> {
    Ok(SessionRecord {
        id: row.try_get(0)?,
        hash: hash_of(row, 1)?,
        user: row.try_get(2)?,
        created: time(row.try_get(3)?)?,
        seen: time(row.try_get(4)?)?,
        expires: time(row.try_get(5)?)?,
        body: row.try_get(6)?,
    })
}

fn token_row(row: &AnyRow) -> Result<TokenRecord, StoreError> {
    Ok(TokenRecord {
        id: row.try_get(0)?,
        hash: hash_of(row, 1)?,
        user: row.try_get(2)?,
        name: row.try_get(3)?,
        created: time(row.try_get(4)?)?,
        expires: maybe_time(row.try_get(5)?)?,
        seen: maybe_time(row.try_get(6)?)?,
        body: row.try_get(7)?,
    })
}
