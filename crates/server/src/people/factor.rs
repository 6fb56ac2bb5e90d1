//! The second factor of people: codes that follow from a sealed secret and the time (RFC 6238), and recovery codes.
//!
//! A time step is accepted once: whoever reads a code over somebody's shoulder is late with it.

use std::net::IpAddr;
use std::time::Duration;

use api::Secret;
use api::account::{Account, AccountTotp, RecoveryCodes, TotpBegun};
use http::StatusCode;
use jiff::Timestamp;
use model::Now;
use serde::{Deserialize, Serialize};
use store::{SecretId, StoreError, Write};
use subtle::ConstantTimeEq;
use totp_rs::{Algorithm, Secret as Base32, TOTP};
use zeroize::Zeroizing;

use super::book::{Book, Factor, User, after, sha256};
use super::change::sessions_gone;
use super::setup::hex;
use super::{People, lock, too_many_tries};
use crate::caller::Caller;
use crate::peer::Whence;
use crate::problem::Problem;

/// Seconds of one step.
const STEP: u64 = 30;

/// How many steps the clocks may differ, either way.
const SKEW: i64 = 1;

/// Bytes of a secret: what RFC 4226 recommends.
const SECRET: usize = 20;

/// Recovery codes that somebody has at first, and bytes of randomness in each.
const CODES: usize = 10;
const CODE: usize = 10;

/// Purposes of what is sealed, under the user's name.
const SEALED: &str = "totp";
const PENDING: &str = "totp-pending";

/// What is told when a code is needed and none was sent.
pub(super) const SECOND_FACTOR: &str = "second_factor";

/// So many that wait to be confirmed are looked at in one sweep.
const SWEPT: u32 = 1_000;

/// What is sealed of a factor that waits for its first code.
#[derive(Serialize, Deserialize)]
struct Pending {
    secret: String,
    expires: Timestamp,
}

/// What somebody has proved beside their password. It must still hold when what was proved is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Second {
    /// A code of this step, by the factor that is on since then.
    Step { since: Timestamp, step: i64 },
    /// The recovery code of this hash, of the same.
    Recovery { since: Timestamp, hash: String },
}

/// Who somebody has proved to be: the password's hash that they knew the password of, and the second factor.
#[derive(Clone)]
pub(crate) struct Proof {
    pub(crate) hash: String,
    pub(crate) second: Option<Second>,
}

impl Proof {
    /// By a password alone.
    pub(crate) fn password(hash: impl Into<String>) -> Self {
        Self { hash: hash.into(), second: None }
    }

    /// The factor once it was used like this; `None` when there is none.
    ///
    /// # Errors
    /// 401 when it is not what the user has to prove, or was used before.
    pub(super) fn uses(&self, factor: Option<&Factor>) -> Result<Option<Factor>, Problem> {
        let Some(mut factor) = factor.cloned() else { return Ok(None) };
        match &self.second {
            None => return Err(second_factor()),
            Some(Second::Step { since, step }) if *since == factor.since && *step > factor.step => {
                factor.step = *step;
            }
            Some(Second::Recovery { since, hash }) if *since == factor.since => {
                let mut recovery = factor.recovery.clone().ok_or_else(codes_unreadable)?;
                let at = recovery.iter().position(|kept| kept == hash);
                recovery.remove(at.ok_or_else(|| wrong_code(StatusCode::UNAUTHORIZED))?);
                factor = factor.with_recovery(recovery);
            }
            Some(_) => return Err(wrong_code(StatusCode::UNAUTHORIZED)),
        }
        Ok(Some(factor))
    }
}

impl People {
    /// The caller's account; `None` where no user is behind them.
    pub(crate) fn account(&self, caller: &Caller) -> Option<Account> {
        let book = self.book();
        let user = book.users.get(caller.user()?)?;
        Some(Account {
            user: user.name.clone(),
            grants: caller.grants.clone(),
            created: user.created,
            password_set: user.more.password_set,
            last_sign_in: user.more.last_sign_in,
            totp: book.factors.get(&user.name).map(|factor| AccountTotp {
                since: factor.since,
                recovery_codes_left: factor.recovery.as_ref().map(Vec::len),
            }),
        })
    }

    /// What a code proves about a user whose password was right.
    ///
    /// # Errors
    /// 401 when one is needed, or is wrong; 429 when too many were.
    pub(super) async fn second(
        &self,
        user: &str,
        code: Option<&Secret>,
        now: Now,
    ) -> Result<Option<Second>, Problem> {
        match self.second_as_known(user, code, now).await {
            // Another process may just have turned it off, or made other codes.
            Err(_) if self.store.people().await? != self.book().number => {
                let one = self.changes.lock().await;
                self.read_one(user).await?;
                drop(one);
                self.second_as_known(user, code, now).await
            }
            found => found,
        }
    }

    async fn second_as_known(
        &self,
        user: &str,
        code: Option<&Secret>,
        now: Now,
    ) -> Result<Option<Second>, Problem> {
        let Some(factor) = self.book().factors.get(user).cloned() else { return Ok(None) };
        let code = plain(code.ok_or_else(second_factor)?);
        let guess = self.guess(user, now.mono)?;
        let since = factor.since;
        let compared = if is_of_authenticator(&code) {
            self.sealed(user).await.map(|secret| {
                let step = step_of(&secret, &code, now.wall, factor.step);
                step.map(|step| Second::Step { since, step })
            })
        } else {
            let hash = recovery_hash(user, &code);
            let known = factor.recovery.as_ref().ok_or_else(codes_unreadable);
            known.map(|known| known.contains(&hash).then_some(Second::Recovery { since, hash }))
        };
        let second = match compared {
            Ok(second) => second.ok_or_else(|| wrong_code(StatusCode::UNAUTHORIZED))?,
            // Nothing was compared: that is no guess.
            Err(problem) => {
                guess.was_right();
                return Err(problem);
            }
        };
        guess.was_right();
        Ok(Some(second))
    }

    /// Begins with a second factor: makes its secret, which waits for its first code.
    ///
    /// # Errors
    /// 403 for a wrong password; 409 when there is one.
    pub(crate) async fn begin_factor(
        &self,
        user: &str,
        host: Option<&str>,
        password: &Secret,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<TotpBegun, Problem> {
        let hash = self.prove(user, password, address, now).await?;
        let bytes = Zeroizing::new(super::random_bytes::<SECRET>()?.to_vec());
        let secret = base32(&bytes);
        let expires = after(now.wall, self.factor_life);
        let pending = Pending { secret: secret.to_string(), expires };
        let plain = Zeroizing::new(serde_json::to_vec(&pending).map_err(|_| Problem::internal())?);
        let _one = self.changes.lock().await;
        self.decide(|book| {
            proved(book, user, &hash)?;
            if book.factors.contains_key(user) {
                return Err(Problem::conflict("second_factor_on", "There is a second factor already.")
                    .remedy("Turn it off first."));
            }
            let id = SecretId::new(PENDING, user);
            Ok((vec![Write::Secret { id, plain: plain.clone() }], ()))
        })
        .await?;
        let uri = uri(user, host, &secret);
        Ok(TotpBegun { secret: Secret::from(secret.as_str()), uri: Secret::from(uri.as_str()), expires })
    }

    /// Turns a second factor on, by the first code of it. All other sessions of that user end.
    ///
    /// # Errors
    /// 403 for a wrong code; 409 when there is nothing to be confirmed, or a factor is on.
    pub(crate) async fn confirm_factor(
        &self,
        user: &str,
        caller: &Caller,
        code: &Secret,
        whence: &Whence,
        now: Now,
    ) -> Result<RecoveryCodes, Problem> {
        let attempt = self.try_once(whence.address, user, now.mono)?;
        let guess = self.guess(user, now.mono)?;
        self.drop_expired(user, now.wall).await?;
        let pending = self.pending(user).await?;
        let nothing = || {
            Problem::conflict("no_second_factor", "No second factor waits to be confirmed (any more).")
                .remedy("Begin anew: its secret works for a quarter of an hour until it is confirmed.")
        };
        let pending = pending.filter(|pending| pending.expires > now.wall).ok_or_else(nothing)?;
        let secret = bytes(&pending.secret).ok_or_else(Problem::internal)?;
        let step = step_of(&secret, &plain(code), now.wall, i64::MIN)
            .ok_or_else(|| wrong_code(StatusCode::FORBIDDEN))?;
        let (codes, recovery) = recovery_codes(user)?;
        let factor = Factor::new(now.wall, step, recovery);
        let stays = caller.session();
        let sealed = Zeroizing::new(pending.secret.clone().into_bytes());
        let _one = self.changes.lock().await;
        self.decide(|book| {
            if !book.users.contains_key(user) {
                return Err(Problem::not_found("user"));
            }
            if book.factors.contains_key(user) {
                return Err(nothing());
            }
            let batch = vec![
                Write::Secret { id: SecretId::new(SEALED, user), plain: sealed.clone() },
                Write::SecretGone { id: SecretId::new(PENDING, user) },
                Write::Factor(factor.record(user)),
                sessions_gone(user, stays),
            ];
            Ok((batch, ()))
        })
        .await?;
        self.turn(|book| {
            book.end_sessions(user, stays);
            book.factors.insert(user.to_owned(), factor);
        });
        attempt.succeeded();
        guess.was_right();
        Ok(codes)
    }

    /// Turns a user's own second factor off.
    ///
    /// # Errors
    /// 403 for a wrong password; 409 when there is none.
    pub(crate) async fn end_factor(
        &self,
        user: &str,
        password: &Secret,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<(), Problem> {
        let hash = self.prove(user, password, address, now).await?;
        self.without_factor(user, Some(&hash)).await
    }

    /// Turns the second factor of somebody off who has lost it.
    ///
    /// # Errors
    /// 404 when there is no such user, 409 when they have none.
    pub(crate) async fn take_factor(&self, user: &str) -> Result<(), Problem> {
        self.without_factor(user, None).await
    }

    async fn without_factor(&self, user: &str, hash: Option<&str>) -> Result<(), Problem> {
        let _one = self.changes.lock().await;
        self.decide(|book| {
            match hash {
                Some(hash) => drop(proved(book, user, hash)?),
                None if book.users.contains_key(user) => {}
                None => return Err(Problem::not_found("user")),
            }
            if !book.factors.contains_key(user) {
                return Err(none_on());
            }
            let mut batch = vec![Write::FactorGone { user: user.to_owned() }];
            batch.extend(factor_secrets_gone(user));
            Ok((batch, ()))
        })
        .await?;
        self.turn(|book| {
            book.factors.remove(user);
        });
        Ok(())
    }

    /// Makes new recovery codes in the place of those there are.
    ///
    /// # Errors
    /// 403 for a wrong password; 409 when no second factor is on.
    pub(crate) async fn renew_recovery(
        &self,
        user: &str,
        password: &Secret,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<RecoveryCodes, Problem> {
        let hash = self.prove(user, password, address, now).await?;
        let (codes, recovery) = recovery_codes(user)?;
        let _one = self.changes.lock().await;
        let factor = self
            .decide(|book| {
                proved(book, user, &hash)?;
                let factor = book.factors.get(user).ok_or_else(none_on)?;
                let factor = factor.with_recovery(recovery.clone());
                Ok((vec![Write::Factor(factor.record(user))], factor))
            })
            .await?;
        self.turn(|book| {
            book.factors.insert(user.to_owned(), factor);
        });
        Ok(codes)
    }

    /// Takes the password of somebody who is signed in, once more; its hash.
    pub(super) async fn prove(
        &self,
        user: &str,
        password: &Secret,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<String, Problem> {
        let attempt = self.try_once(address, user, now.mono)?;
        let known = self.book().users.get(user).and_then(|user| user.hash.clone());
        let same = self.hasher.check(known.clone(), password).await?;
        let hash = known.filter(|_| same).ok_or_else(not_the_password)?;
        attempt.succeeded();
        Ok(hash)
    }

    /// Takes one guess at a code: whoever guesses knows the password, and is to be held up all the more.
    fn guess(&self, user: &str, now: Duration) -> Result<Guess<'_>, Problem> {
        lock(&self.by_code).take(&user.to_owned(), now).map_err(too_many_tries)?;
        Ok(Guess { people: self, user: user.to_owned(), now })
    }

    /// What waits for its first code, expired or not.
    async fn pending(&self, user: &str) -> Result<Option<Pending>, Problem> {
        let text = self.store.secret(&SecretId::new(PENDING, user)).await?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// The secret of a factor that is on.
    async fn sealed(&self, user: &str) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let text = match self.store.secret(&SecretId::new(SEALED, user)).await {
            // Sealed with another key, or damaged.
            Err(StoreError::Sealed { .. }) => None,
            text => text?,
        };
        let secret = text.as_ref().and_then(|text| bytes(std::str::from_utf8(text).ok()?));
        secret.ok_or_else(|| {
            tracing::error!(user, "the secret of a second factor that is on cannot be read");
            unreadable(
                "The secret of the second factor is not there, or cannot be read: no code can be compared.",
            )
            .remedy("Sign in with a recovery code, or have an administrator turn the second factor off.")
        })
    }

    /// Lets go of secrets that were never confirmed, once their time is over.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn sweep(&self) -> Result<(), Problem> {
        let now = self.clock.now().wall;
        for user in self.store.sealed(PENDING, SWEPT).await? {
            self.drop_expired(&user, now).await?;
        }
        Ok(())
    }

    /// The same of one user.
    async fn drop_expired(&self, user: &str, now: Timestamp) -> Result<(), Problem> {
        let _one = self.changes.lock().await;
        // Whoever begins anew meanwhile changes this number: then it is theirs, and stays.
        let number = self.store.people().await?;
        if self.pending(user).await?.is_none_or(|pending| pending.expires > now) {
            return Ok(());
        }
        let gone = Write::SecretGone { id: SecretId::new(PENDING, user) };
        match self.store.write(vec![Write::PeopleAt { number }, gone]).await {
            Err(StoreError::Stale) => Ok(()),
            written => Ok(written.map(drop)?),
        }
    }
}

/// A guess at a code; wrong unless said otherwise.
struct Guess<'a> {
    people: &'a People,
    user: String,
    now: Duration,
}

impl Guess<'_> {
    fn was_right(self) {
        lock(&self.people.by_code).give_back(&self.user, self.now);
    }
}

/// What goes with the second factor of a user, and with the user.
pub(super) fn factor_secrets_gone(user: &str) -> [Write; 2] {
    [SEALED, PENDING].map(|purpose| Write::SecretGone { id: SecretId::new(purpose, user) })
}

/// The user, whose password was proved and must still be theirs.
pub(super) fn proved<'a>(book: &'a Book, user: &str, hash: &str) -> Result<&'a User, Problem> {
    let user = book.users.get(user).ok_or_else(|| Problem::not_found("user"))?;
    // It may have been changed while it was compared.
    if user.hash.as_deref() == Some(hash) { Ok(user) } else { Err(not_the_password()) }
}

fn not_the_password() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "wrong_password", "The present password is not right.")
}

fn second_factor() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, SECOND_FACTOR, "A code of the second factor is needed.")
        .remedy("Send it as “code”: the six digits of the authenticator, or a recovery code.")
}

fn wrong_code(status: StatusCode) -> Problem {
    Problem::new(status, "wrong_code", "That code is not right, or was used before.")
        .remedy("A code works once, and for about a minute; the clock must be right, too.")
}

/// What is kept of a second factor is not what it should be.
fn unreadable(sentence: &'static str) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "second_factor_unreadable", sentence)
}

fn codes_unreadable() -> Problem {
    unreadable("What is kept of the recovery codes cannot be read: none can be compared.")
        .remedy("Sign in with the authenticator and make new ones, or have an administrator turn the second factor off.")
}

fn none_on() -> Problem {
    Problem::conflict("no_second_factor", "There is no second factor.")
}

// === codes ===

/// A code as it is compared: people write blanks and dashes into it.
fn plain(code: &Secret) -> Zeroizing<String> {
    let letters = code.reveal().chars().filter(char::is_ascii_alphanumeric).take(64);
    Zeroizing::new(letters.map(|c| c.to_ascii_lowercase()).collect())
}

fn is_of_authenticator(code: &str) -> bool {
    code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// The step after `last` that a code is of.
fn step_of(secret: &[u8], code: &str, now: Timestamp, last: i64) -> Option<i64> {
    let totp = TOTP::new_unchecked(Algorithm::SHA1, 6, 0, STEP, secret.to_vec());
    let present = now.as_second().div_euclid(STEP.cast_signed());
    let mut found = None;
    // All are compared: which one it is does not show in the time it takes.
    for step in present - SKEW..=present + SKEW {
        let Some(seconds) = u64::try_from(step).ok().and_then(|step| step.checked_mul(STEP)) else {
            continue;
        };
        let wanted = Zeroizing::new(totp.generate(seconds));
        if bool::from(wanted.as_bytes().ct_eq(code.as_bytes())) && step > last {
            found = found.or(Some(step));
        }
    }
    found
}

fn base32(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(Base32::Raw(bytes.to_vec()).to_encoded().to_string())
}

fn bytes(secret: &str) -> Option<Zeroizing<Vec<u8>>> {
    Base32::Encoded(secret.to_owned()).to_bytes().ok().map(Zeroizing::new)
}

/// What an authenticator reads off a picture.
fn uri(user: &str, host: Option<&str>, secret: &str) -> Zeroizing<String> {
    let account = match host {
        Some(host) => format!("Muster:{user}@{host}"),
        None => format!("Muster:{user}"),
    };
    let mut label = String::new();
    for byte in account.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            label.push(char::from(byte));
        } else {
            label.push_str(&format!("%{byte:02X}"));
        }
    }
    Zeroizing::new(format!(
        "otpauth://totp/{label}?secret={secret}&issuer=Muster&algorithm=SHA1&digits=6&period={STEP}"
    ))
}

/// New recovery codes: as they are told, and their hashes.
fn recovery_codes(user: &str) -> Result<(RecoveryCodes, Vec<String>), Problem> {
    let mut all = RecoveryCodes { recovery_codes: Vec::with_capacity(CODES) };
    let mut hashes = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        let code = Zeroizing::new(base32(super::random_bytes::<CODE>()?.as_ref()).to_ascii_lowercase());
        hashes.push(recovery_hash(user, &code));
        let mut told = Zeroizing::new(String::with_capacity(CODE * 2));
        for (at, c) in code.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                told.push('-');
            }
            told.push(c);
        }
        all.recovery_codes.push(Secret::from(told.as_str()));
    }
    Ok((all, hashes))
}

/// What is kept of a recovery code. It has 80 random bits, so nothing slower is needed.
fn recovery_hash(user: &str, code: &str) -> String {
    hex(&sha256(&Zeroizing::new(format!("recovery\0{user}\0{code}"))))
}

/// What an authenticator would show of a step.
#[cfg(test)]
pub(super) fn shown(secret: &Secret, step: i64) -> Secret {
    let totp = TOTP::new_unchecked(Algorithm::SHA1, 6, 0, STEP, bytes(secret.reveal()).unwrap().to_vec());
    Secret::from(totp.generate(u64::try_from(step).unwrap() * STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B, and its codes of eight digits, of which ours are the last six.
    #[test]
    fn a_code_is_that_of_the_standard_and_of_its_own_step_or_the_next_ones() {
        let secret = b"12345678901234567890";
        let at = |second| Timestamp::from_second(second).unwrap();
        for (second, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            let step = second / 30;
            for near in [step - 1, step, step + 1] {
                assert_eq!(step_of(secret, code, at(near * 30), i64::MIN), Some(step), "{code}");
            }
            for far in [step - 2, step + 2].into_iter().filter(|far| *far >= 0) {
                assert_eq!(step_of(secret, code, at(far * 30), i64::MIN), None, "{code}");
            }
            assert_eq!(step_of(secret, code, at(second), step - 1), Some(step));
            assert_eq!(step_of(secret, code, at(second), step), None, "it was used");
        }
        for wrong in ["", "287", "287083", "2870820", "94287082"] {
            assert_eq!(step_of(secret, wrong, at(59), i64::MIN), None, "{wrong}");
        }
    }

    #[test]
    fn what_an_authenticator_reads_is_its_secret() {
        let secret = base32(b"12345678901234567890");
        assert_eq!(secret.as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(bytes(&secret).unwrap().as_slice(), b"12345678901234567890");
        assert_eq!(
            uri("änna", Some("muster.example"), "GEZ").as_str(),
            "otpauth://totp/Muster:%C3%A4nna@muster.example?secret=GEZ&issuer=Muster&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn recovery_codes_are_all_different_and_one_persons() {
        let (told, kept) = recovery_codes("anna").unwrap();
        assert_eq!((told.recovery_codes.len(), kept.len()), (10, 10));
        for (told, kept) in told.recovery_codes.iter().zip(&kept) {
            assert_eq!(told.reveal().len(), 19, "{}", told.reveal());
            assert!(!is_of_authenticator(&plain(told)));
            assert_eq!(&recovery_hash("anna", &plain(told)), kept);
            assert_eq!(&recovery_hash("anna", &plain(&told.reveal().to_uppercase().into())), kept);
            assert_ne!(&recovery_hash("ann", &plain(told)), kept);
        }
        let distinct: std::collections::HashSet<_> = kept.iter().collect();
        assert_eq!(distinct.len(), 10);
    }
}
