//! The first administrator: a secret that is shown once, works once, and not for long.

use api::Secret;
use jiff::Timestamp;
use model::access::Grants;
use serde::{Deserialize, Serialize};
use store::{StoreError, Write};
use subtle::ConstantTimeEq;

use super::book::{User, UserMore, after, grant_records, sha256};
use super::change::name_is_fit;
use super::{People, random};
use crate::peer::Whence;
use crate::problem::Problem;

const SETTING: &str = "setup";

/// What is kept of the secret.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    sha256: String,
    expires: Timestamp,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl People {
    /// Makes a secret with which the first administrator is made, and says until when it works; the one before
    /// ends. `None` once there is an administrator.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub(crate) async fn setup_secret(&self, now: Timestamp) -> Result<Option<(Secret, Timestamp)>, Problem> {
        let _one = self.changes.lock().await;
        if !self.needs_setup() {
            return Ok(None);
        }
        let secret = random::<32>()?;
        let expires = after(now, self.setup_life);
        let kept = Kept { sha256: hex(&sha256(&secret)), expires };
        let value = serde_json::to_string(&kept).ok();
        self.write(vec![Write::Setting { key: SETTING.to_owned(), value }]).await?;
        Ok(Some((Secret::from(secret.as_str()), expires)))
    }

    /// Makes the first administrator; the hash of their password, with which a session may begin.
    ///
    /// # Errors
    /// 409 once there is one, or when a user is called so; 403 for a secret that is not the one, or too old.
    pub(crate) async fn set_up(
        &self,
        secret: &Secret,
        user: &str,
        password: &Secret,
        whence: &Whence,
        now: model::Now,
    ) -> Result<String, Problem> {
        let attempt = self.try_once(whence.address, "", now.mono)?;
        let _one = self.changes.lock().await;
        if !self.needs_setup() {
            return Err(set_up_already());
        }
        let kept = self.store.setting(SETTING).await?;
        let kept: Option<Kept> = kept.and_then(|text| serde_json::from_str(&text).ok());
        let known = kept.as_ref().map(|kept| kept.sha256.clone()).unwrap_or_default();
        let same = bool::from(known.as_bytes().ct_eq(hex(&sha256(secret.reveal())).as_bytes()));
        if !same || kept.is_none_or(|kept| kept.expires <= now.wall) {
            return Err(Problem::new(
                http::StatusCode::FORBIDDEN,
                "setup_secret",
                "This set-up link does not work (any more).",
            )
            .remedy(
                "It works once and for an hour. “muster config setup-link” on the server makes a new one.",
            ));
        }
        name_is_fit(user)?;
        let hash = self.hasher.make(password).await?;
        let user = User {
            name: user.to_owned(),
            hash: Some(hash.clone()),
            created: now.wall,
            grants: Grants::administrator(),
            more: UserMore { password_set: Some(now.wall), last_sign_in: None },
        };
        self.decide(|book| {
            if book.has_administrator() {
                return Err(set_up_already());
            }
            // The secret makes somebody; it does not make it be somebody else.
            if book.users.contains_key(&user.name) {
                return Err(Problem::conflict("name_taken", "There is a user of that name already.")
                    .remedy("Choose another name."));
            }
            let batch = vec![
                Write::Setting { key: SETTING.to_owned(), value: None },
                Write::User(user.record(now.wall)),
                Write::Grants { user: user.name.clone(), grants: grant_records(&user.grants) },
            ];
            Ok((batch, ()))
        })
        .await?;
        self.turn(|book| {
            book.users.insert(user.name.clone(), user);
        });
        attempt.succeeded();
        Ok(hash)
    }

    /// Ends a set-up secret that nobody needs any more.
    pub(super) fn no_more_setup(batch: &mut Vec<Write>) {
        batch.push(Write::Setting { key: SETTING.to_owned(), value: None });
    }
}

fn set_up_already() -> Problem {
    Problem::conflict("set_up_already", "There is an administrator already.").remedy("Sign in.")
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::NoSpace => http::StatusCode::INSUFFICIENT_STORAGE,
            error if error.may_pass() || *error == StoreError::Stale => http::StatusCode::SERVICE_UNAVAILABLE,
            _ => http::StatusCode::INTERNAL_SERVER_ERROR,
        };
        tracing::error!(%error, "the store");
        let code = match &error {
            StoreError::NoSpace => "disk_full",
            StoreError::ReadOnly(_) => "disk_read_only",
            StoreError::Damaged(_) => "database_damaged",
            _ => "store",
        };
        Self::new(status, code, "Muster's own database does not take or give what it should.")
            .detail(format!("{error}."))
    }
}
