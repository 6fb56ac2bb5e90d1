//! Who there is, who is signed in, and with what they prove it: [`People`].
//!
//! All of it is in memory, as the store has it: every change is committed first, then seen. Requests never wait
//! for the disk to learn who asks.

mod book;
mod change;
mod factor;
mod identify;
mod password;
mod preferences;
#[cfg(test)]
mod processes;
mod setup;
mod storm;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use fleet::Clock;
use jiff::Timestamp;
use model::access::Grants;
use store::{Store, StoreError, UserRecord, Write};
use tokio::sync::watch;

use self::book::{Book, Factor, Session, Token, User};
use self::password::Hasher;
use self::storm::Buckets;
pub(crate) use self::storm::neighbourhood;
use crate::caller::{Caller, Via};
use crate::mutation;
use crate::problem::Problem;
use crate::settings::{Sessions, Settings};

pub(crate) use self::change::NewSession;
pub(crate) use self::factor::Proof;
pub(crate) use self::identify::{bearer, csrf};

/// How often a change is decided anew when others change something at the same time.
const DECIDED_ANEW: usize = 8;

/// Users, grants, sessions and tokens.
#[derive(Debug)]
pub struct People {
    store: Store,
    clock: Clock,
    sessions: Sessions,
    setup_life: Duration,
    /// How long a second factor waits to be confirmed.
    factor_life: Duration,
    cookie: String,
    hasher: Hasher,
    /// Of one user.
    most_sessions: usize,
    /// Of one user.
    most_tokens: usize,
    book: RwLock<Book>,
    /// Whether there is an administrator.
    governed: watch::Sender<bool>,
    /// Changes one after the other: what each decides by must still hold when it is written.
    changes: tokio::sync::Mutex<()>,
    by_address: Mutex<Buckets<IpAddr>>,
    by_account: Mutex<Buckets<String>>,
    /// Codes of second factors, by account.
    by_code: Mutex<Buckets<String>>,
}

impl People {
    /// Reads them from the store.
    pub(crate) async fn open(store: Store, settings: &Settings, clock: Clock) -> Result<Self, Problem> {
        let book = read(&store).await?;
        let storms = &settings.storms;
        Ok(Self {
            cookie: format!("muster-{}", store.instance()),
            sessions: settings.sessions.clone(),
            setup_life: settings.setup_life,
            factor_life: settings.factor_life,
            hasher: Hasher::new(&settings.passwords)?,
            most_sessions: settings.limits.sessions_per_user.max(1),
            most_tokens: settings.limits.tokens_per_user,
            governed: watch::Sender::new(book.has_administrator()),
            book: RwLock::new(book),
            changes: tokio::sync::Mutex::default(),
            by_address: Mutex::new(Buckets::new(storms.per_address, storms.remembered)),
            by_account: Mutex::new(Buckets::new(storms.per_account, storms.remembered)),
            by_code: Mutex::new(Buckets::new(storms.per_code, storms.remembered)),
            store,
            clock,
        })
    }

    /// Reads them anew: another process has changed something.
    pub(crate) async fn read_again(&self) -> Result<(), StoreError> {
        // No change of our own meanwhile, lest it be lost from sight.
        let _one = self.changes.lock().await;
        self.read_in().await
    }

    /// The same between changes.
    async fn read_in(&self) -> Result<(), StoreError> {
        let mut anew = read(&self.store).await?;
        self.turn(|book| {
            keep_seen(book, &mut anew);
            *book = anew;
        });
        Ok(())
    }

    fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, page: impl FnOnce(&mut Book)) {
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        page(&mut book);
        let governed = book.has_administrator();
        self.governed.send_if_modified(|known| std::mem::replace(known, governed) != governed);
    }

    /// Whether somebody can govern this installation; tells when that changes.
    pub(crate) fn governed(&self) -> watch::Receiver<bool> {
        self.governed.subscribe()
    }

    /// Reads one of them anew, and nobody else: of whom something has turned out to be otherwise.
    async fn read_one(&self, name: &str) -> Result<(), StoreError> {
        let mut anew = Book::default();
        if let Some(record) = self.store.user(name).await? {
            read_user(&self.store, record, &mut anew).await?;
            anew.factors.extend(self.store.factor(name).await?.map(Factor::of));
        }
        self.turn(|book| {
            keep_seen(book, &mut anew);
            book.forget(name);
            // The number stays: of all others less is known than of this one.
            book.take(anew);
        });
        Ok(())
    }

    /// Commits a change, and with it that the request under way has made it.
    async fn write(&self, batch: Vec<Write>) -> Result<(), StoreError> {
        self.commit(batch, mutation::receipt(None)).await
    }

    async fn commit(&self, mut batch: Vec<Write>, receipt: Vec<Write>) -> Result<(), StoreError> {
        batch.extend(receipt);
        let written = self.store.write(batch).await?;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        // If another process has changed something in between, the book is older still.
        if written.people == Some(book.number + 1) {
            book.number += 1;
        }
        Ok(())
    }

    /// Decides by who there is what is to be changed, and commits it. When another process has changed something since it
    /// was read, it is read again, and decided anew. To be called between changes.
    async fn decide<T>(
        &self,
        decide: impl Fn(&Book) -> Result<(Vec<Write>, T), Problem>,
    ) -> Result<T, Problem> {
        self.decide_by(By::Everybody, decide).await
    }

    /// The same, by everybody or by one of them. What is decided by one alone says with its own writes what of that one
    /// it was decided by.
    async fn decide_by<T>(
        &self,
        by: By<'_>,
        decide: impl Fn(&Book) -> Result<(Vec<Write>, T), Problem>,
    ) -> Result<T, Problem> {
        let mut receipt = None;
        for _ in 0..DECIDED_ANEW {
            let (batch, decided) = {
                let book = self.book();
                let (mut batch, decided) = decide(&book)?;
                if matches!(by, By::Everybody) {
                    batch.push(Write::PeopleAt { number: book.number });
                }
                (batch, decided)
            };
            // There is one, for whichever commit succeeds.
            let receipt: &Vec<Write> = receipt.get_or_insert_with(|| mutation::receipt(None));
            match self.commit(batch, receipt.clone()).await {
                Err(StoreError::Stale) => match by {
                    By::Everybody => self.read_in().await?,
                    By::One(user) => self.read_one(user).await?,
                },
                committed => return Ok(committed.map(|()| decided)?),
            }
        }
        Err(StoreError::Stale.into())
    }

    /// What a caller may see and do at present; `None` when what they proved themselves with has ended.
    #[must_use]
    pub fn still(&self, caller: &Caller) -> Option<Grants> {
        let now = self.clock.now().wall;
        let book = self.book();
        match &caller.via {
            Via::Socket { .. } => Some(Grants::administrator()),
            Via::Session { id } => {
                let session = book.sessions.called(id)?;
                let alive = session.ends(&self.sessions) > now;
                alive.then(|| book.users.get(&session.user).map(|user| user.grants.clone()))?
            }
            Via::Token { id, .. } => {
                let token = book.tokens.get(id).filter(|token| !token.has_ended(now))?;
                Some(token.grants(book.users.get(&token.user)?))
            }
        }
    }

    /// Whether nobody can govern this installation yet.
    #[must_use]
    pub fn needs_setup(&self) -> bool {
        !self.book().has_administrator()
    }

    /// Sessions that have not ended.
    pub(crate) fn open_sessions(&self, now: Timestamp) -> usize {
        self.book().sessions.values().filter(|session| session.ends(&self.sessions) > now).count()
    }

    /// Takes one try to sign in, from an address and for an account.
    fn try_once(&self, address: Option<IpAddr>, account: &str, now: Duration) -> Result<Try<'_>, Problem> {
        let address = address.map(neighbourhood);
        if let Some(address) = address {
            lock(&self.by_address).take(&address, now).map_err(too_many_tries)?;
        }
        // A name is bounded before it is remembered.
        let account: String = account.chars().take(64).collect();
        lock(&self.by_account).take(&account, now).map_err(too_many_tries)?;
        mutation::paced();
        Ok(Try { people: self, address, account, now })
    }
}

/// What a change is decided by.
#[derive(Clone, Copy)]
enum By<'a> {
    Everybody,
    /// This user.
    One(&'a str),
}

/// When a session was last used is written down later than it is known.
fn keep_seen(known: &Book, anew: &mut Book) {
    for (hash, session) in anew.sessions.iter_mut() {
        if let Some(known) = known.sessions.get(hash) {
            session.seen = session.seen.max(known.seen);
        }
    }
}

/// Everybody there is, out of the store.
async fn read(store: &Store) -> Result<Book, StoreError> {
    // First: what is changed while the rest is read is then known to be newer.
    let mut book = Book { number: store.people().await?, ..Book::default() };
    for record in store.users().await? {
        read_user(store, record, &mut book).await?;
    }
    book.factors.extend(store.factors().await?.into_iter().map(Factor::of));
    Ok(book)
}

/// One of them, all but the second factor.
async fn read_user(store: &Store, record: UserRecord, book: &mut Book) -> Result<(), StoreError> {
    let grants = store.grants(&record.name).await?;
    book.sessions.extend(store.sessions(&record.name).await?.into_iter().map(Session::of));
    let tokens = store.tokens(&record.name).await?;
    book.tokens.extend(tokens.into_iter().map(Token::of).map(|token| (token.id.clone(), token)));
    book.users.insert(record.name.clone(), User::of(record, grants));
    Ok(())
}

/// A try to sign in; failed unless said otherwise.
struct Try<'a> {
    people: &'a People,
    address: Option<IpAddr>,
    account: String,
    now: Duration,
}

impl Try<'_> {
    fn succeeded(self) {
        if let Some(address) = self.address {
            lock(&self.people.by_address).give_back(&address, self.now);
        }
        lock(&self.people.by_account).give_back(&self.account, self.now);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn too_many_tries(after: Duration) -> Problem {
    Problem::new(
        http::StatusCode::TOO_MANY_REQUESTS,
        "too_many_tries",
        "Too many failed tries; wait a while.",
    )
    .retry_after(after)
}

/// `N` random bytes.
fn random_bytes<const N: usize>() -> Result<zeroize::Zeroizing<[u8; N]>, Problem> {
    use rand::TryRngCore as _;
    let mut bytes = zeroize::Zeroizing::new([0u8; N]);
    rand::rngs::OsRng.try_fill_bytes(bytes.as_mut()).map_err(|_| Problem::internal())?;
    Ok(bytes)
}

/// `N` random bytes as text without signs that need care.
fn random<const N: usize>() -> Result<zeroize::Zeroizing<String>, Problem> {
    use base64::Engine as _;
    let bytes = random_bytes::<N>()?;
    Ok(zeroize::Zeroizing::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

#[cfg(test)]
mod tests {
    use store::{Keys, Place};

    use super::*;
    use crate::peer::{Peer, Whence};
    use crate::settings::Passwords;

    /// People of a database of their own, whose passwords cost little and are compared one at a time.
    pub(super) async fn people(clock: Clock) -> (tempfile::TempDir, People) {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(place, keys, store::Timings::default()).await.unwrap();
        let passwords = Passwords { memory_kib: 8, passes: 1, lanes: 1, at_once: 1, ..Passwords::default() };
        let settings = Settings { passwords, ..Settings::default() };
        let people = People::open(store, &settings, clock).await.unwrap();
        (dir, people)
    }

    /// Somebody at the machine itself.
    pub(super) fn whence() -> Whence {
        Whence { peer: Peer::Unix { uid: 0, name: None }, address: None, secure: false }
    }

    #[tokio::test]
    async fn no_session_begins_with_a_password_that_was_changed_meanwhile() {
        let clock = Clock::new();
        let (_dir, people) = people(clock).await;
        let (now, whence) = (clock.now(), whence());
        people.add_user("ben", &"the old password".into(), Grants::default(), now.wall).await.unwrap();
        let hash = || people.book().users["ben"].hash.clone().unwrap();
        let old = hash();
        people.set_password("ben", None, &"another long one".into(), &whence, now).await.unwrap();
        // As it goes when the old one was found right before the change, and the session begins after it.
        let refused = people.begin("ben", &Proof::password(old), None, &whence, now.wall).await.unwrap_err();
        assert_eq!(refused.code(), "wrong_password");
        assert_eq!(people.open_sessions(now.wall), 0);
        people.begin("ben", &Proof::password(hash()), None, &whence, now.wall).await.unwrap();
    }
}
