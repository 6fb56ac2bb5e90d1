//! One change as SQL, inside the writer's transaction. Constants in the common subset of both engines.

use std::borrow::Cow;

use jiff::Timestamp;
use sqlx::{AnyConnection, Row};

use crate::audit;
use crate::error::StoreError;
use crate::lease;
use crate::record::{GrantRecord, PreferencesRecord, SecretId, Stage, Write};
use crate::seal::Keys;

/// What a transaction hands out and needs while it runs.
pub(crate) struct Hand<'a> {
    pub(crate) keys: &'a Keys,
    /// The number the next event gets.
    pub(crate) next_event: i64,
    /// The number the next audit row gets, and the hash of the one before.
    pub(crate) audit: audit::Tail,
    /// Other processes may write to the same database.
    pub(crate) shared: bool,
    /// The number that users and what they come with are at before the present batch, where they are counted.
    pub(crate) people: Option<i64>,
    /// Bytes of bodies so far.
    pub(crate) bytes: usize,
}

/// Times in columns: milliseconds since 1970.
pub(crate) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Numbers that may use all 64 bits, kept bit by bit.
pub(crate) fn bits(number: u64) -> i64 {
    number.cast_signed()
}

/// Where the answer to a request with an idempotency key is sealed.
pub(crate) fn reply_id(principal: &str, key: &str) -> SecretId {
    // The length keeps `a` + `b:c` and `a:b` + `c` apart.
    SecretId::new(REPLY, format!("{}:{principal}:{key}", principal.len()))
}

/// Purpose of sealed answers.
pub(crate) const REPLY: &str = "idempotency";

/// In the place of an answer's status: what was asked for is recorded, the answer is not.
pub(crate) const DONE: i64 = 0;

/// Text as both engines take it. PostgreSQL's knows no NUL; a name from outside that holds one must not make a
/// whole batch fail for ever, and means the same on both.
pub(crate) fn text(any: &str) -> Cow<'_, str> {
    if any.contains('\0') { Cow::Owned(any.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(any) }
}

/// Does it. Returns the event's number if it was one.
pub(crate) async fn apply(
    connection: &mut AnyConnection,
    hand: &mut Hand<'_>,
    write: &Write,
) -> Result<Option<i64>, StoreError> {
    let c = &mut *connection;
    match write {
        Write::Remote(it) => {
            hand.bytes += it.spec.len();
            if hand.shared && it.owner.is_some() {
                lease::is_alone(c, it).await?;
            }
            let (by, at) = it.disconnected.as_ref().map(|(by, at)| (by.as_str(), ms(*at))).unzip();
            sqlx::query(
                "INSERT INTO remotes (id, name, identity, owner, disconnected_by, disconnected_at, spec, \
                 created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET \
                 name = excluded.name, identity = excluded.identity, \
                 disconnected_by = excluded.disconnected_by, disconnected_at = excluded.disconnected_at, \
                 spec = excluded.spec, created = excluded.created, updated = excluded.updated",
            )
            .bind(bits(it.id.0))
            .bind(&*text(&it.name))
            .bind(it.identity.as_deref().map(text).as_deref())
            .bind(it.owner.as_deref())
            .bind(by)
            .bind(at)
            .bind(&*text(&it.spec))
            .bind(ms(it.created))
            .bind(ms(it.updated))
            .execute(&mut *c)
            .await?;
            // A remote that came with a number of its own (restored, imported) keeps it from being given again.
            sqlx::query("UPDATE counters SET value = $1 WHERE name = 'remote' AND value < $1")
                .bind(bits(it.id.0))
                .execute(c)
                .await?;
        }
        Write::Held { remote, owner, term } => lease::held(c, *remote, owner, *term).await?,
        Write::RemoteGone { id } => {
            for sql in [
                "DELETE FROM remotes WHERE id = $1",
                "DELETE FROM observed WHERE remote = $1",
                "DELETE FROM gauges WHERE remote = $1",
                "DELETE FROM drift WHERE remote = $1",
            ] {
                sqlx::query(sql).bind(bits(id.0)).execute(&mut *c).await?;
            }
            sqlx::query("DELETE FROM grants WHERE scope_kind = 'remote' AND scope_value = $1")
                .bind(id.to_string())
                .execute(c)
                .await?;
        }
        Write::Secret { id, plain } => put_secret(c, hand.keys, id, plain).await?,
        Write::SecretOnce { id, plain } => put_secret_once(c, hand.keys, id, plain).await?,
        Write::SecretGone { id } => drop_secret(c, id).await?,
        Write::Observed(it) => {
            hand.bytes += it.body.len();
            sqlx::query(
                "INSERT INTO observed (remote, kind, key, at, through, body) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (remote, kind, key) DO UPDATE SET at = excluded.at, through = excluded.through, \
                 body = excluded.body",
            )
            .bind(bits(it.remote.0))
            .bind(it.kind.as_str())
            .bind(&*text(&it.key))
            .bind(it.at.map(ms))
            .bind(it.through.as_ref().map(|through| text(through.as_str())).as_deref())
            .bind(&*text(&it.body))
            .execute(c)
            .await?;
        }
        Write::ObservedGone { remote, kind, key } => {
            sqlx::query("DELETE FROM observed WHERE remote = $1 AND kind = $2 AND key = $3")
                .bind(bits(remote.0))
                .bind(kind.as_str())
                .bind(&*text(key))
                .execute(c)
                .await?;
        }
        Write::Gauges(it) => {
            hand.bytes += it.body.len();
            sqlx::query(
                "INSERT INTO gauges (remote, at, body) VALUES ($1, $2, $3) \
                 ON CONFLICT (remote) DO UPDATE SET at = excluded.at, body = excluded.body",
            )
            .bind(bits(it.remote.0))
            .bind(ms(it.at))
            .bind(it.body.clone())
            .execute(c)
            .await?;
        }
        Write::Event(it) => {
            hand.bytes += it.body.len();
            let seq = hand.next_event;
            hand.next_event += 1;
            sqlx::query(
                "INSERT INTO events (seq, at, remote, vmid, incarnation, node, kind, operation, task, author, \
                 body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(seq)
            .bind(ms(it.at))
            .bind(it.remote.map(|remote| bits(remote.0)))
            .bind(it.vmid.map(|vmid| i64::from(vmid.0)))
            .bind(it.incarnation.map(|life| i64::from(life.0)))
            .bind(it.node.as_ref().map(|node| text(node.as_str())).as_deref())
            .bind(&*text(&it.kind))
            .bind(it.operation.map(|operation| bits(operation.0)))
            .bind(it.task.as_ref().map(|task| text(task.as_str())).as_deref())
            .bind(it.author.as_deref().map(text).as_deref())
            .bind(&*text(&it.body))
            .execute(c)
            .await?;
            return Ok(Some(seq));
        }
        Write::Operation(it) => {
            hand.bytes += it.body.len();
            sqlx::query(
                "INSERT INTO operations (id, remote, vmid, instance, open, requested, body) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET remote = excluded.remote, \
                 vmid = excluded.vmid, instance = excluded.instance, open = excluded.open, \
                 requested = excluded.requested, body = excluded.body",
            )
            .bind(bits(it.id.0))
            .bind(bits(it.remote.0))
            .bind(it.vmid.map(|vmid| i64::from(vmid.0)))
            .bind(&*text(&it.instance))
            .bind(i64::from(it.open))
            .bind(ms(it.requested))
            .bind(&*text(&it.body))
            .execute(c)
            .await?;
        }
        Write::Drift(it) => {
            hand.bytes += it.body.len();
            sqlx::query(
                "INSERT INTO drift (remote, key, first, at, body) VALUES ($1, $2, $3, $3, $4) \
                 ON CONFLICT (remote, key) DO UPDATE SET at = excluded.at, body = excluded.body",
            )
            .bind(bits(it.remote.0))
            .bind(&*text(&it.key))
            .bind(ms(it.at))
            .bind(&*text(&it.body))
            .execute(c)
            .await?;
        }
        Write::Audit(it) => {
            hand.bytes += it.body.len();
            audit::append(c, &mut hand.audit, it).await?;
        }
        Write::AuditExported { through } => {
            sqlx::query(
                "UPDATE counters SET value = $1 WHERE name = 'audit_exported' AND value < $1 \
                 AND $1 <= (SELECT value FROM counters WHERE name = 'audit')",
            )
            .bind(*through)
            .execute(c)
            .await?;
        }
        other => people(c, hand, other).await?,
    }
    Ok(None)
}

/// Users and what they come with, requests remembered, settings.
async fn people(c: &mut AnyConnection, hand: &mut Hand<'_>, write: &Write) -> Result<(), StoreError> {
    match write {
        Write::User(it) => {
            sqlx::query(
                "INSERT INTO users (name, password, created, updated, body) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (name) DO UPDATE SET password = excluded.password, created = excluded.created, \
                 updated = excluded.updated, body = excluded.body",
            )
            .bind(&*text(&it.name))
            .bind(it.password.as_deref())
            .bind(ms(it.created))
            .bind(ms(it.updated))
            .bind(&*text(&it.body))
            .execute(c)
            .await?;
        }
        Write::PeopleAt { number } if hand.people.is_some_and(|people| people != *number) => {
            return Err(StoreError::Stale);
        }
        Write::SignedIn { name, checked, at, body } => {
            // Never the password: another process may have changed it, or removed the user, since it was checked.
            let same =
                sqlx::query("UPDATE users SET updated = $3, body = $4 WHERE name = $1 AND password = $2")
                    .bind(&*text(name))
                    .bind(checked.as_str())
                    .bind(ms(*at))
                    .bind(&*text(body))
                    .execute(c)
                    .await?;
            if same.rows_affected() != 1 {
                return Err(StoreError::Stale);
            }
        }
        Write::UserGone { name } => {
            for sql in [
                "DELETE FROM users WHERE name = $1",
                "DELETE FROM grants WHERE subject = $1",
                "DELETE FROM sessions WHERE subject = $1",
                "DELETE FROM tokens WHERE subject = $1",
                "DELETE FROM factors WHERE subject = $1",
                "DELETE FROM preferences WHERE subject = $1",
            ] {
                sqlx::query(sql).bind(&*text(name)).execute(&mut *c).await?;
            }
        }
        Write::Grants { user, grants } => {
            sqlx::query("DELETE FROM grants WHERE subject = $1").bind(&*text(user)).execute(&mut *c).await?;
            for GrantRecord { role, scope_kind, scope_value } in grants {
                sqlx::query(
                    "INSERT INTO grants (subject, role, scope_kind, scope_value) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (subject, role, scope_kind, scope_value) DO NOTHING",
                )
                .bind(&*text(user))
                .bind(&*text(role))
                .bind(&*text(scope_kind))
                .bind(&*text(scope_value))
                .execute(&mut *c)
                .await?;
            }
        }
        Write::Session(it) => {
            sqlx::query(
                "INSERT INTO sessions (id, hash, subject, created, seen, expires, body) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, \
                 subject = excluded.subject, created = excluded.created, seen = excluded.seen, \
                 expires = excluded.expires, body = excluded.body",
            )
            .bind(&*text(&it.id))
            .bind(it.hash.to_vec())
            .bind(&*text(&it.user))
            .bind(ms(it.created))
            .bind(ms(it.seen))
            .bind(ms(it.expires))
            .bind(&*text(&it.body))
            .execute(c)
            .await?;
        }
        Write::SessionSeen { id, at } => {
            sqlx::query("UPDATE sessions SET seen = $2 WHERE id = $1 AND seen < $2")
                .bind(&*text(id))
                .bind(ms(*at))
                .execute(c)
                .await?;
        }
        Write::SessionGone { id } => {
            sqlx::query("DELETE FROM sessions WHERE id = $1").bind(&*text(id)).execute(c).await?;
        }
        Write::SessionsGone { user, except } => {
            sqlx::query("DELETE FROM sessions WHERE subject = $1 AND id <> $2")
                .bind(&*text(user))
                // No session has an empty id.
                .bind(except.as_deref().unwrap_or(""))
                .execute(c)
                .await?;
        }
        Write::Token(it) => {
            sqlx::query(
                "INSERT INTO tokens (id, hash, subject, name, created, expires, seen, body) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, \
                 subject = excluded.subject, name = excluded.name, created = excluded.created, \
                 expires = excluded.expires, seen = excluded.seen, body = excluded.body",
            )
            .bind(&*text(&it.id))
            .bind(it.hash.to_vec())
            .bind(&*text(&it.user))
            .bind(&*text(&it.name))
            .bind(ms(it.created))
            .bind(it.expires.map(ms))
            .bind(it.seen.map(ms))
            .bind(&*text(&it.body))
            .execute(c)
            .await?;
        }
        Write::TokenSeen { id, at } => {
            sqlx::query("UPDATE tokens SET seen = $2 WHERE id = $1 AND (seen IS NULL OR seen < $2)")
                .bind(&*text(id))
                .bind(ms(*at))
                .execute(c)
                .await?;
        }
        Write::TokenGone { id } => {
            sqlx::query("DELETE FROM tokens WHERE id = $1").bind(&*text(id)).execute(c).await?;
        }
        Write::Factor(it) => {
            sqlx::query(
                "INSERT INTO factors (subject, since, step, body) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (subject) DO UPDATE SET since = excluded.since, step = excluded.step, \
                 body = excluded.body",
            )
            .bind(&*text(&it.user))
            .bind(ms(it.since))
            .bind(it.step)
            .bind(&*text(&it.body))
            .execute(c)
            .await?;
        }
        Write::FactorUsed { was, step, body } => {
            let same = sqlx::query(
                "UPDATE factors SET step = $5, body = $6 \
                 WHERE subject = $1 AND since = $2 AND step = $3 AND body = $4",
            )
            .bind(&*text(&was.user))
            .bind(ms(was.since))
            .bind(was.step)
            .bind(&*text(&was.body))
            .bind(*step)
            .bind(&*text(body))
            .execute(c)
            .await?;
            if same.rows_affected() != 1 {
                return Err(StoreError::Stale);
            }
        }
        Write::FactorAbsent { user } => {
            let one = sqlx::query("SELECT 1 FROM factors WHERE subject = $1").bind(&*text(user));
            if one.fetch_optional(c).await?.is_some() {
                return Err(StoreError::Stale);
            }
        }
        Write::FactorGone { user } => {
            sqlx::query("DELETE FROM factors WHERE subject = $1").bind(&*text(user)).execute(c).await?;
        }
        Write::Preferences(it) => put_preferences(c, it).await?,
        Write::Idempotency(it) => {
            let (status, answer): (_, Cow<'_, [u8]>) = match &it.stage {
                Stage::Begun => (None, Cow::default()),
                Stage::Done { operation } => (Some(DONE), operation_text(*operation).into_bytes().into()),
                Stage::Answered { status, body } => (Some(i64::from(*status)), body.as_slice().into()),
            };
            let first = sqlx::query(
                "INSERT INTO idempotency (principal, key, fingerprint, at, status) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (principal, key) DO NOTHING",
            )
            .bind(&*text(&it.principal))
            .bind(&*text(&it.key))
            .bind(&*text(&it.fingerprint))
            .bind(ms(it.at))
            .bind(status)
            .execute(&mut *c)
            .await?;
            if first.rows_affected() != 1 {
                return Err(StoreError::AlreadyDone);
            }
            if status.is_some() {
                put_secret(c, hand.keys, &reply_id(&it.principal, &it.key), &answer).await?;
            }
        }
        Write::IdempotencyAnswered { principal, key, done, status, body } => {
            // What another has done is not told to have been refused, and an answer that was given stays.
            let kept = sqlx::query(
                "UPDATE idempotency SET status = $3 WHERE principal = $1 AND key = $2 \
                 AND (status IS NULL OR (status = $4 AND $5 = 1))",
            )
            .bind(&*text(principal))
            .bind(&*text(key))
            .bind(i64::from(*status))
            .bind(DONE)
            .bind(i64::from(*done))
            .execute(&mut *c)
            .await?;
            if kept.rows_affected() != 1 {
                return Err(StoreError::AlreadyDone);
            }
            put_secret(c, hand.keys, &reply_id(principal, key), body).await?;
        }
        Write::IdempotencyDone { principal, key, operation } => {
            let begun = sqlx::query(
                "UPDATE idempotency SET status = $3 WHERE principal = $1 AND key = $2 AND status IS NULL",
            )
            .bind(&*text(principal))
            .bind(&*text(key))
            .bind(DONE)
            .execute(&mut *c)
            .await?;
            if begun.rows_affected() != 1 {
                return Err(StoreError::AlreadyDone);
            }
            let sealed = reply_id(principal, key);
            put_secret(c, hand.keys, &sealed, operation_text(*operation).as_bytes()).await?;
        }
        Write::IdempotencyGone { principal, key } => {
            sqlx::query("DELETE FROM idempotency WHERE principal = $1 AND key = $2 AND status IS NULL")
                .bind(&*text(principal))
                .bind(&*text(key))
                .execute(c)
                .await?;
        }
        Write::Setting { key, value: Some(value) } => {
            sqlx::query(
                "INSERT INTO settings (name, value) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )
            .bind(&*text(key))
            .bind(&*text(value))
            .execute(c)
            .await?;
        }
        Write::Setting { key, value: None } => {
            sqlx::query("DELETE FROM settings WHERE name = $1").bind(&*text(key)).execute(c).await?;
        }
        // People as they were; and what is `apply`'s own.
        _ => {}
    }
    Ok(())
}

/// Keeps preferences where nobody else has changed them since they were read.
async fn put_preferences(c: &mut AnyConnection, it: &PreferencesRecord) -> Result<(), StoreError> {
    // What a former user of that name left behind counts as nothing.
    let kept = sqlx::query(
        "INSERT INTO preferences (subject, born, number, body) \
         SELECT name, created, $3, $4 FROM users WHERE name = $1 AND created = $2 \
         AND ($3 = 1 OR EXISTS (SELECT 1 FROM preferences WHERE subject = $1)) \
         ON CONFLICT (subject) DO UPDATE SET born = excluded.born, number = excluded.number, body = excluded.body \
         WHERE (preferences.born = excluded.born AND preferences.number = excluded.number - 1) \
         OR (preferences.born <> excluded.born AND excluded.number = 1)",
    )
    .bind(&*text(&it.user))
    .bind(ms(it.born))
    .bind(it.number)
    .bind(&*text(&it.body))
    .execute(c)
    .await?;
    if kept.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// The operation that a request became, as it is kept in the place of the answer.
fn operation_text(operation: Option<model::OperationId>) -> String {
    operation.map(|id| id.0.to_string()).unwrap_or_default()
}

/// Seals and keeps.
pub(crate) async fn put_secret(
    c: &mut AnyConnection,
    keys: &Keys,
    id: &SecretId,
    plain: &[u8],
) -> Result<(), StoreError> {
    let (key, body) = keys.seal(id, plain)?;
    sqlx::query(
        "INSERT INTO secrets (purpose, record, key_id, body) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (purpose, record) DO UPDATE SET key_id = excluded.key_id, body = excluded.body",
    )
    .bind(id.purpose.as_ref())
    .bind(id.record.as_str())
    .bind(key.as_str())
    .bind(body)
    .execute(c)
    .await?;
    Ok(())
}

/// Seals and keeps, unless something is kept there.
pub(crate) async fn put_secret_once(
    c: &mut AnyConnection,
    keys: &Keys,
    id: &SecretId,
    plain: &[u8],
) -> Result<(), StoreError> {
    let (key, body) = keys.seal(id, plain)?;
    sqlx::query(
        "INSERT INTO secrets (purpose, record, key_id, body) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (purpose, record) DO NOTHING",
    )
    .bind(id.purpose.as_ref())
    .bind(id.record.as_str())
    .bind(key.as_str())
    .bind(body)
    .execute(c)
    .await?;
    Ok(())
}

/// The sealed row as it stands: key id and body.
pub(crate) async fn sealed_row(
    c: &mut AnyConnection,
    id: &SecretId,
) -> Result<Option<(String, Vec<u8>)>, StoreError> {
    let row = sqlx::query("SELECT key_id, body FROM secrets WHERE purpose = $1 AND record = $2")
        .bind(id.purpose.as_ref())
        .bind(id.record.as_str())
        .fetch_optional(c)
        .await?;
    Ok(match row {
        Some(row) => Some((row.try_get(0)?, row.try_get(1)?)),
        None => None,
    })
}

/// Forgets a secret.
pub(crate) async fn drop_secret(c: &mut AnyConnection, id: &SecretId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM secrets WHERE purpose = $1 AND record = $2")
        .bind(id.purpose.as_ref())
        .bind(id.record.as_str())
        .execute(c)
        .await?;
    Ok(())
}

/// Takes `count` numbers from a counter and returns the first of them. The row stays locked until the
/// transaction ends, so numbers are committed in their order, and without gaps.
pub(crate) async fn take_numbers(
    c: &mut AnyConnection,
    counter: &'static str,
    count: usize,
) -> Result<i64, StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last: i64 = sqlx::query("UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value")
        .bind(count)
        .bind(counter)
        .fetch_one(c)
        .await?
        .try_get(0)?;
    Ok(last - count + 1)
}
