//! Remotes, secrets, and what was seen.

use jiff::Timestamp;
use model::{EndpointId, RemoteId};
use sqlx::Row;
use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::{maybe_time, time};
use crate::apply::{bits, sealed_row};
use crate::error::{ReadError, StoreError};
use crate::place::Engine;
use crate::record::{DriftRecord, GaugesRecord, ObservedKind, ObservedRecord, RemoteRecord, SecretId};
use crate::store::Store;
use crate::writer::keys_now;

/// Between the documents of a bundle, and between the parts of each. No endpoint, no key and no document (they are
/// JSON, which escapes them) holds either.
const BETWEEN_ROWS: char = '\u{1e}';
const BETWEEN_PARTS: char = '\u{1f}';

/// Documents in a bundle: few enough that one is small, many enough that there are few.
const BUNDLED: i64 = 250;

/// Some of what was seen of one kind on a remote, in one piece.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    last: Option<String>,
    rows: String,
}

/// One thing out of a [`Bundle`]: as in [`ObservedRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundled<'a> {
    /// Which.
    pub key: &'a str,
    /// The document, as JSON.
    pub body: &'a str,
    /// When it was observed, if it has a time of its own.
    pub at: Option<Timestamp>,
    /// Through which endpoint.
    pub through: Option<&'a str>,
}

impl Bundle {
    /// The last of its keys, after which the next bundle begins; `None`: it is empty.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// One by one, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Bundled<'_>, StoreError>> {
        self.rows.split(BETWEEN_ROWS).filter(|row| !row.is_empty()).map(|row| {
            let mut parts = row.splitn(4, BETWEEN_PARTS);
            let mut part = || parts.next();
            let (Some(at), Some(through), Some(key), Some(body)) = (part(), part(), part(), part()) else {
                return Err(StoreError::Damaged(format!("{:?} is no document", crate::store::clip(row))));
            };
            let ms = (!at.is_empty()).then(|| at.parse()).transpose();
            let ms =
                ms.map_err(|_| StoreError::Damaged(format!("{:?} is no time", crate::store::clip(at))))?;
            let through = Some(through).filter(|through| !through.is_empty());
            Ok(Bundled { key, body, at: maybe_time(ms)?, through })
        })
    }
}

impl Store {
    /// Every remote, by id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn remotes(&self) -> Result<Vec<RemoteRecord>, ReadError> {
        let rows = sqlx::query(
            "SELECT id, name, identity, owner, disconnected_by, disconnected_at, spec, created, updated \
             FROM remotes ORDER BY id",
        )
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(remote_row).collect()
    }

    /// A secret, opened. `None`: there is none.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it is there and does not open.
    pub async fn secret(&self, id: &SecretId) -> Result<Option<Zeroizing<Vec<u8>>>, ReadError> {
        let row = sealed_row(&mut *self.reader().await?, id).await?;
        // The keys are taken after the row: a rotation that has just sealed it has published them before.
        row.map(|(key, body)| keys_now(&self.inner.keys).open(id, &key, &body)).transpose()
    }

    /// The records of which a secret of this purpose is sealed, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sealed(&self, purpose: &str, limit: u32) -> Result<Vec<String>, ReadError> {
        let rows = sqlx::query("SELECT record FROM secrets WHERE purpose = $1 ORDER BY record LIMIT $2")
            .bind(purpose)
            .bind(i64::from(limit))
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Everything seen on a remote.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn observed(&self, remote: RemoteId) -> Result<Vec<ObservedRecord>, ReadError> {
        let rows = sqlx::query(
            "SELECT remote, kind, key, at, through, body FROM observed WHERE remote = $1 ORDER BY kind, key",
        )
        .bind(bits(remote.0))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(observed_row).collect()
    }

    /// Everything of one kind seen on a remote.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn observed_kind(
        &self,
        remote: RemoteId,
        kind: ObservedKind,
    ) -> Result<Vec<ObservedRecord>, ReadError> {
        let rows = sqlx::query(
            "SELECT remote, kind, key, at, through, body FROM observed WHERE remote = $1 AND kind = $2 \
             ORDER BY key",
        )
        .bind(bits(remote.0))
        .bind(kind.as_str())
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(observed_row).collect()
    }

    /// The keys of everything of one kind seen on a remote, without what was seen.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn observed_keys(
        &self,
        remote: RemoteId,
        kind: ObservedKind,
    ) -> Result<Vec<String>, ReadError> {
        let rows = sqlx::query("SELECT key FROM observed WHERE remote = $1 AND kind = $2 ORDER BY key")
            .bind(bits(remote.0))
            .bind(kind.as_str())
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Everything of one kind seen on a remote, a few hundred at a time: those whose keys come after `after` (in the
    /// database's order; empty: the first). For kinds of which there are thousands: to hand them over row by row is most
    /// of the work.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn observed_bundle(
        &self,
        remote: RemoteId,
        kind: ObservedKind,
        after: &str,
    ) -> Result<Bundle, ReadError> {
        let sql = match self.inner.engine {
            Engine::Sqlite => {
                "SELECT max(key), group_concat(coalesce(CAST(at AS TEXT), '') || char(31) || \
                 coalesce(through, '') || char(31) || key || char(31) || body, char(30)) FROM (SELECT key, at, \
                 through, body FROM observed WHERE remote = $1 AND kind = $2 AND key > $3 ORDER BY key LIMIT $4)"
            }
            Engine::Postgres => {
                "SELECT max(key), string_agg(coalesce(CAST(at AS TEXT), '') || chr(31) || \
                 coalesce(through, '') || chr(31) || key || chr(31) || body, chr(30)) FROM (SELECT key, at, \
                 through, body FROM observed WHERE remote = $1 AND kind = $2 AND key > $3 ORDER BY key LIMIT $4) \
                 AS page"
            }
        };
        let row = sqlx::query(sql)
            .bind(bits(remote.0))
            .bind(kind.as_str())
            .bind(after)
            .bind(BUNDLED)
            .fetch_one(&mut *self.reader().await?)
            .await?;
        let rows: Option<String> = row.try_get(1)?;
        Ok(Bundle { last: row.try_get(0)?, rows: rows.unwrap_or_default() })
    }

    /// Everything of one kind seen on a remote whose key begins so, by key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn observed_prefix(
        &self,
        remote: RemoteId,
        kind: ObservedKind,
        prefix: &str,
    ) -> Result<Vec<ObservedRecord>, ReadError> {
        let sql = match self.inner.engine {
            // A range of the primary key, whose order is that of the bytes: U+10FFFF is no sign, and after all of them.
            Engine::Sqlite => {
                "SELECT remote, kind, key, at, through, body FROM observed WHERE remote = $1 AND kind = $2 \
                 AND key >= $3 AND key < $3 || char(1114111) ORDER BY key"
            }
            // The order of its texts may be that of some language, in which a prefix is no range.
            Engine::Postgres => {
                "SELECT remote, kind, key, at, through, body FROM observed WHERE remote = $1 AND kind = $2 \
                 AND starts_with(key, $3) ORDER BY key"
            }
        };
        let rows = sqlx::query(sql)
            .bind(bits(remote.0))
            .bind(kind.as_str())
            .bind(prefix)
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(observed_row).collect()
    }

    /// One thing seen on a remote.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn observed_one(
        &self,
        remote: RemoteId,
        kind: ObservedKind,
        key: &str,
    ) -> Result<Option<ObservedRecord>, ReadError> {
        let row = sqlx::query(
            "SELECT remote, kind, key, at, through, body FROM observed \
             WHERE remote = $1 AND kind = $2 AND key = $3",
        )
        .bind(bits(remote.0))
        .bind(kind.as_str())
        .bind(key)
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        row.as_ref().map(observed_row).transpose()
    }

    /// The moving figures of a remote, as last written.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn gauges(&self, remote: RemoteId) -> Result<Option<GaugesRecord>, ReadError> {
        let row = sqlx::query("SELECT at, body FROM gauges WHERE remote = $1")
            .bind(bits(remote.0))
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(GaugesRecord { remote, at: time(row.try_get(0)?)?, body: row.try_get(1)? }))
    }

    /// Samples of drift of one remote or of all, the latest first, each with the time it was first seen.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn drift(
        &self,
        remote: Option<RemoteId>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, DriftRecord)>, ReadError> {
        let rows = sqlx::query(
            "SELECT remote, key, first, at, body FROM drift WHERE $1 = 0 OR remote = $2 \
             ORDER BY at DESC, remote, key LIMIT $3",
        )
        .bind(i64::from(remote.is_some()))
        .bind(remote.map_or(0, |remote| bits(remote.0)))
        .bind(super::bound(limit))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter()
            .map(|row| {
                let record = DriftRecord {
                    remote: RemoteId(row.try_get::<i64, _>(0)?.cast_unsigned()),
                    key: row.try_get(1)?,
                    at: time(row.try_get(3)?)?,
                    body: row.try_get(4)?,
                };
                Ok((time(row.try_get(2)?)?, record))
            })
            .collect()
    }
}

pub(crate) fn remote_row(row: &AnyRow) -> Result<RemoteRecord, StoreError> {
    let by: Option<String> = row.try_get(4)?;
    let at = maybe_time(row.try_get(5)?)?;
    Ok(RemoteRecord {
        id: RemoteId(row.try_get::<i64, _>(0)?.cast_unsigned()),
        name: row.try_get(1)?,
        identity: row.try_get(2)?,
        owner: row.try_get(3)?,
        disconnected: by.zip(at),
        spec: row.try_get(6)?,
        created: time(row.try_get(7)?)?,
        updated: time(row.try_get(8)?)?,
    })
}

fn observed_row(row: &AnyRow) -> Result<ObservedRecord, StoreError> {
    let kind: String = row.try_get(1)?;
    Ok(ObservedRecord {
        remote: RemoteId(row.try_get::<i64, _>(0)?.cast_unsigned()),
        kind: ObservedKind::of(&kind)
            .ok_or_else(|| StoreError::Damaged(format!("{:?} is no kind", crate::store::clip(&kind))))?,
        key: row.try_get(2)?,
        at: maybe_time(row.try_get(3)?)?,
        through: row.try_get::<Option<String>, _>(4)?.map(EndpointId::from),
        body: row.try_get(5)?,
    })
}
