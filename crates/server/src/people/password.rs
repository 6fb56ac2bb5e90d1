//! Passwords: hashed and compared off the runtime's threads, a bounded number at the same time, and always at
//! the same price.

use std::sync::Arc;

use api::Secret;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use crate::problem::Problem;
use crate::settings::Passwords;

/// Makes and checks argon2id hashes (PHC strings).
#[derive(Debug)]
pub(crate) struct Hasher {
    params: Params,
    places: Arc<Semaphore>,
    /// What an unknown user's password is compared with, so that it takes as long.
    nobody: String,
    least: usize,
}

impl Hasher {
    pub(crate) fn new(settings: &Passwords) -> Result<Self, Problem> {
        let params = Params::new(settings.memory_kib, settings.passes, settings.lanes, None)
            .map_err(|_| Problem::internal())?;
        let nobody = hash(&params, b"nobody has this one").ok_or_else(Problem::internal)?;
        let places = Arc::new(Semaphore::new(settings.at_once.max(1)));
        Ok(Self { params, places, nobody, least: settings.least })
    }

    /// Hashes a new password.
    pub(crate) async fn make(&self, password: &Secret) -> Result<String, Problem> {
        let letters = password.reveal().chars().count();
        if letters < self.least {
            return Err(Problem::new(
                http::StatusCode::UNPROCESSABLE_ENTITY,
                "weak_password",
                "The password is too short.",
            )
            .detail(match letters {
                0 => format!("A password has at least {} letters.", self.least),
                1 => format!("The password has 1 letter; it takes at least {}.", self.least),
                n => format!("The password has {n} letters; it takes at least {}.", self.least),
            }));
        }
        if password.reveal().len() > LONGEST {
            return Err(Problem::invalid(format!("A password has at most {LONGEST} bytes.")));
        }
        let (params, password) = (self.params.clone(), password.clone());
        self.work(move || hash(&params, password.reveal().as_bytes())).await?.ok_or_else(Problem::internal)
    }

    /// Whether it is the password behind `known`. Takes as long when there is none.
    pub(crate) async fn check(&self, known: Option<String>, password: &Secret) -> Result<bool, Problem> {
        let exists = known.is_some();
        let known = known.unwrap_or_else(|| self.nobody.clone());
        let (params, password) = (self.params.clone(), password.clone());
        let same = self
            .work(move || {
                // A text longer than any password is compared as well: it costs the same.
                let bytes = password.reveal().as_bytes();
                let bytes = bytes.get(..LONGEST + 1).unwrap_or(bytes);
                PasswordHash::new(&known)
                    .is_ok_and(|known| argon(&params).verify_password(bytes, &known).is_ok())
            })
            .await?;
        Ok(same && exists)
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| Problem::internal())?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|_| Problem::internal())
    }
}

/// Longer ones only cost time.
const LONGEST: usize = 1024;

fn argon(params: &Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
}

fn hash(params: &Params, password: &[u8]) -> Option<String> {
    let hash: PasswordHash = argon(params).hash_password(password).ok()?;
    Some(hash.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{people, whence};
    use super::*;

    #[tokio::test]
    async fn a_password_opens_its_own_hash_only() {
        let cheap = Passwords { memory_kib: 8, passes: 1, lanes: 1, at_once: 2, least: 3 };
        let hasher = Hasher::new(&cheap).unwrap();
        let known = hasher.make(&"correct horse".into()).await.unwrap();
        assert!(known.starts_with("$argon2id$"));
        assert_ne!(known, hasher.make(&"correct horse".into()).await.unwrap(), "no salt");
        assert!(hasher.check(Some(known.clone()), &"correct horse".into()).await.unwrap());
        assert!(!hasher.check(Some(known), &"wrong".into()).await.unwrap());
        assert!(!hasher.check(None, &"nobody has this one".into()).await.unwrap());
        assert!(!hasher.check(Some("not a hash".into()), &"x".into()).await.unwrap());
        assert_eq!(hasher.make(&"ab".into()).await.unwrap_err().code(), "weak_password");
    }

    #[tokio::test]
    async fn an_unknown_user_costs_what_a_wrong_password_costs() {
        let clock = fleet::Clock::new();
        let (_dir, people) = people(clock).await;
        let (now, whence) = (clock.now(), whence());
        people.add_user("anna", &"a long password".into(), Default::default(), now.wall).await.unwrap();
        // The same price: all but salt and hash are the same.
        let price = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        let hers = people.book().users["anna"].hash.clone().unwrap();
        assert_eq!(price(&people.hasher.nobody), price(&hers));
        let wrong = Secret::from("wrong");
        // And it is paid: neither is refused while nothing can be compared.
        for user in ["anna", "nobody"] {
            let place = people.hasher.places.clone().acquire_owned().await.unwrap();
            let mut entered = std::pin::pin!(people.sign_in(user, &wrong, None, None, &whence, now));
            let early = tokio::time::timeout(Duration::from_millis(50), &mut entered).await;
            assert!(early.is_err(), "{user} was refused before anything was compared");
            drop(place);
            assert_eq!(entered.await.map(drop).unwrap_err().code(), "wrong_password");
        }
    }
}
