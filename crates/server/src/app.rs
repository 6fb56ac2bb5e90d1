//! What all handlers share ([`App`]), and the router made of all routes.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use api::Secret;
use api::problem::Candidate;
use api::setup::SetupLink;
use axum::Router;
use fleet::{Clock, Fleet, FleetSnapshot, RemoteSnapshot};
use http::StatusCode;
use jiff::Timestamp;
use model::access::{Grants, Visible};
use model::{Now, RemoteId};
use sha2::{Digest, Sha256};
use store::{SecretId, Store, Write};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::console::Console;
use crate::door;
use crate::metrics::Counters;
use crate::mutation::{self, UnderWay};
use crate::openapi;
use crate::people::People;
use crate::problem::Problem;
use crate::routes::{self, fleet::Desk};
use crate::settings::Settings;
use crate::stream::Hub;

/// After a failure to read who there is, until it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Who keeps the sealing key. The server itself never sees it.
pub trait Keeper: Send + Sync {
    /// Makes a new key and seals everything with it.
    ///
    /// # Errors
    /// What stopped it, and where.
    fn rotate(&self) -> Pin<Box<dyn Future<Output = Result<KeyChanged, KeyNotChanged>> + Send + '_>>;
}

/// A new sealing key is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChanged {
    /// The new key's id.
    pub key: String,
    /// How many records were sealed anew.
    pub records: u64,
    /// How many open under none of the keys, and stay as they were; the older keys are kept for them.
    pub unopened: u64,
}

/// A change of keys was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNotChanged {
    /// The new key is in use already, and the older one is kept beside it.
    pub both: bool,
    /// Why, in sentences.
    pub why: String,
}

/// Everything a handler needs. Clones are cheap and share everything.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    fleet: Fleet,
    store: Store,
    settings: Settings,
    clock: Clock,
    started: Timestamp,
    people: People,
    counters: Counters,
    streams: Hub,
    onboardings: Desk,
    under_way: UnderWay,
    fingerprint_key: Zeroizing<Vec<u8>>,
    secret_names: BTreeSet<String>,
    keeper: OnceLock<Arc<dyn Keeper>>,
    console: OnceLock<Console>,
    tried: routes::Tried,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// The server over a running fleet.
    ///
    /// # Errors
    /// When people or settings cannot be read from the store, or the settings make no sense.
    pub async fn new(fleet: Fleet, store: Store, settings: Settings, clock: Clock) -> Result<Self, Problem> {
        let others = fleet.people();
        let people = People::open(store.clone(), &settings, clock).await?;
        let streams = Hub::new(settings.stream.clone());
        let fingerprint_key = fingerprint_key(&store).await?;
        let started = clock.now().wall;
        let app = Self {
            inner: Arc::new(Inner {
                fleet,
                store,
                settings,
                clock,
                started,
                people,
                counters: Counters::default(),
                streams,
                onboardings: Desk::default(),
                under_way: UnderWay::default(),
                fingerprint_key,
                secret_names: openapi::secret_names(),
                keeper: OnceLock::new(),
                console: OnceLock::new(),
                tried: routes::Tried::default(),
            }),
        };
        if let Some(others) = others {
            tokio::spawn(keep_up(Arc::downgrade(&app.inner), others));
        }
        Ok(app)
    }

    /// Says who keeps the sealing key; once, before requests come.
    #[must_use]
    pub fn keeper(self, keeper: Arc<dyn Keeper>) -> Self {
        let _ = self.inner.keeper.set(keeper);
        self
    }

    /// Hands in the console's files; once, before requests come. Without them browsers are told how to go on.
    #[must_use]
    pub fn console(self, console: Option<Console>) -> Self {
        if let Some(console) = console {
            let _ = self.inner.console.set(console);
        }
        self
    }

    pub(crate) fn its_console(&self) -> Option<&Console> {
        self.inner.console.get()
    }

    pub(crate) fn its_keeper(&self) -> Option<&Arc<dyn Keeper>> {
        self.inner.keeper.get()
    }

    /// The fleet.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.inner.fleet
    }

    /// The fleet, to be asked for the one change that the request under way makes: that it made it is committed
    /// with the change.
    #[must_use]
    pub(crate) fn changing(&self) -> Fleet {
        self.fleet().with(fleet::Receipt::new(mutation::receipt_of_this_request()))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> Now {
        self.inner.clock.now()
    }

    /// When it started.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        self.inner.started
    }

    /// Who there is.
    #[must_use]
    pub fn people(&self) -> &People {
        &self.inner.people
    }

    /// Live streams.
    #[must_use]
    pub fn streams(&self) -> &Hub {
        &self.inner.streams
    }

    /// Onboardings under way.
    pub(crate) fn onboardings(&self) -> &Desk {
        &self.inner.onboardings
    }

    /// Whether the store takes what is written.
    pub(crate) fn tried(&self) -> &routes::Tried {
        &self.inner.tried
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    pub(crate) fn under_way(&self) -> &UnderWay {
        &self.inner.under_way
    }

    /// Names of everything that the API declares as secret.
    pub(crate) fn secret_names(&self) -> &BTreeSet<String> {
        &self.inner.secret_names
    }

    /// A digest under a key of this installation: what is in it cannot be guessed at from the outside.
    pub(crate) fn fingerprint(&self, feed: impl FnOnce(&mut Sha256)) -> String {
        let mut digest = Sha256::new();
        digest.update(self.inner.fingerprint_key.as_slice());
        feed(&mut digest);
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The remote of that number or name, whoever asks; `None` too when the text is one's number and another's name.
    #[must_use]
    pub fn remote_called(&self, text: &str) -> Option<RemoteId> {
        self.remote_meant(text, &Visible::All).ok()
    }

    /// Whether there is a remote of that number or name at all, whoever asks.
    pub(crate) fn is_any_called(&self, text: &str) -> bool {
        !matches!(self.remote_meant(text, &Visible::All), Err(absent) if absent.status() == StatusCode::NOT_FOUND)
    }

    /// The remote that somebody who may see `visible` means by a number or name.
    ///
    /// # Errors
    /// 404 when there is none that they may see; 422 with both when the text is one's number and another's name.
    pub(crate) fn remote_meant(&self, text: &str, visible: &Visible) -> Result<RemoteId, Problem> {
        meant(&self.fleet().snapshot(), text, visible)
    }

    /// Whether nobody can govern this installation yet.
    #[must_use]
    pub fn needs_setup(&self) -> bool {
        self.people().needs_setup()
    }

    /// Whether somebody can govern this installation; tells when that changes.
    #[must_use]
    pub fn governed(&self) -> watch::Receiver<bool> {
        self.people().governed()
    }

    /// A new link with which the first administrator is made; the one before ends. `None` once there is one.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn setup_link(&self) -> Result<Option<SetupLink>, Problem> {
        let Some((secret, expires)) = self.people().setup_secret(self.now().wall).await? else {
            return Ok(None);
        };
        let text = Zeroizing::new(format!("{}/setup#{}", self.base_url(), secret.reveal()));
        Ok(Some(SetupLink { url: Secret::from(text.as_str()), expires }))
    }

    /// Adds a user without a request.
    ///
    /// # Errors
    /// When the name is taken or not fit, the password too short, or it could not be recorded.
    pub async fn add_user(&self, name: &str, password: &Secret, grants: Grants) -> Result<(), Problem> {
        self.people().add_user(name, password, grants, self.now().wall).await
    }

    /// How a browser on this machine, or wherever the public address leads, reaches it; no slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        let settings = self.settings();
        if let Some(url) = &settings.public_url {
            return url.as_str().trim_end_matches('/').to_owned();
        }
        let scheme = if settings.tls { "https" } else { "http" };
        let address = settings.listen.first().map(|address| {
            let mut address = *address;
            if address.ip().is_unspecified() {
                address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            address
        });
        match address {
            Some(address) => format!("{scheme}://{address}"),
            None => format!("{scheme}://localhost"),
        }
    }

    /// What whoever governs this server should know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.settings().insecure_http {
            warnings.push(
                "Muster speaks plain HTTP beyond this machine: passwords and sessions can be read on the way."
                    .to_owned(),
            );
        }
        if let Some((why, since)) = self.fleet().health().failing {
            warnings.push(format!("What is seen has not been recorded since {since}: {why}."));
        }
        if let Some(why) = self.fleet().lease().lapsed {
            warnings.push(format!("This process looks after no remote at present: {why}."));
        }
        if self.store().figures().unsynced > 0 {
            warnings.push(
                "The disk has refused to keep what was written: a power failure may lose some of it. Look at the \
                 disk, make a backup, and start Muster again."
                    .to_owned(),
            );
        }
        if self.store().figures().damaged {
            warnings.push("The database is damaged; restore a backup into a new data directory.".to_owned());
        }
        warnings
    }

    /// Ends what would keep connections open: live streams.
    pub fn close(&self) {
        self.streams().close();
    }

    /// All routes, behind the door that every request passes.
    pub fn router(&self) -> Router {
        let (router, _) = routes::all().split_for_parts();
        door::before(self, router.with_state(self.clone()))
    }
}

/// A remote's number, as Muster writes it: `007` and `+7` are no numbers.
pub(crate) fn number(text: &str) -> Option<RemoteId> {
    text.parse().ok().map(RemoteId).filter(|id| id.to_string() == text)
}

/// What [`App::remote_meant`] says. No remote is given a number for a name any more; some may have one from before.
fn meant(snapshot: &FleetSnapshot, text: &str, visible: &Visible) -> Result<RemoteId, Problem> {
    let seen = |remote: &&Arc<RemoteSnapshot>| visible.sees(remote.id);
    let by_number = number(text).and_then(|id| snapshot.remote(id)).filter(seen);
    let by_name = snapshot.remote_named(text).filter(seen);
    match (by_number, by_name) {
        (Some(one), Some(other)) if one.id != other.id => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "ambiguous",
            "That is the number of one remote and the name of another.",
        )
        .detail(format!(
            "{text} is the number of the remote {}, and the name of the remote {}.",
            one.name, other.id
        ))
        .remedy(format!(
            "Say {} or {}; and give the one that is called {text} another name.",
            one.name, other.id
        ))
        .candidates([one, other].map(|remote| Candidate {
            id: remote.id.to_string(),
            name: remote.name.to_string(),
            kind: "remote".to_owned(),
        }))),
        (Some(one), _) | (None, Some(one)) => Ok(one.id),
        (None, None) => Err(Problem::not_found("remote")),
    }
}

/// Reads anew who there is whenever another process has changed that.
async fn keep_up(inner: Weak<Inner>, mut changed: watch::Receiver<i64>) {
    let mut again = false;
    loop {
        if again {
            tokio::time::sleep(AGAIN).await;
        } else if changed.changed().await.is_err() {
            return;
        }
        changed.mark_unchanged();
        let Some(inner) = inner.upgrade() else { return };
        again = match inner.people.read_again().await {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!(%error, "who there is could not be read anew");
                true
            }
        };
    }
}

/// The key of [`App::fingerprint`], made at the first start.
async fn fingerprint_key(store: &Store) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let id = SecretId::new("fingerprint", "requests");
    if let Some(key) = store.secret(&id).await? {
        return Ok(key);
    }
    let key = Zeroizing::new(store::Keys::generate()?.to_vec());
    store.write(vec![Write::SecretOnce { id: id.clone(), plain: key }]).await?;
    // Of several that start at once, each has the one that was there first.
    store.secret(&id).await?.ok_or_else(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[(u64, &str)]) -> FleetSnapshot {
        let bare = |(id, name): &(u64, &str)| {
            Arc::new(RemoteSnapshot::bare(RemoteId(*id), (*name).into(), Timestamp::UNIX_EPOCH))
        };
        FleetSnapshot { revision: 1, remotes: names.iter().map(bare).collect() }
    }

    #[test]
    fn a_number_is_a_number_only_as_it_is_written() {
        let fleet = named(&[(2, "alpha"), (3, "002"), (4, "+2")]);
        let meant = |text: &str| meant(&fleet, text, &Visible::All).ok();
        assert_eq!(meant("2"), Some(RemoteId(2)));
        assert_eq!(meant("alpha"), Some(RemoteId(2)));
        assert_eq!(meant("002"), Some(RemoteId(3)));
        assert_eq!(meant("+2"), Some(RemoteId(4)));
        assert_eq!((meant("003"), meant("02"), meant("")), (None, None, None));
    }

    #[test]
    fn a_number_that_is_the_name_of_another_is_asked_about() {
        let fleet = named(&[(2, "alpha"), (3, "2"), (4, "4")]);
        let problem = meant(&fleet, "2", &Visible::All).unwrap_err();
        assert_eq!((problem.status().as_u16(), problem.code()), (422, "ambiguous"));
        assert_eq!(meant(&fleet, "4", &Visible::All).ok(), Some(RemoteId(4)), "both are the same");
        // Nobody hears of what they may not see.
        let only = |id| Visible::Remotes([RemoteId(id)].into());
        assert_eq!(meant(&fleet, "2", &only(2)).ok(), Some(RemoteId(2)));
        assert_eq!(meant(&fleet, "2", &only(3)).ok(), Some(RemoteId(3)));
        assert_eq!(meant(&fleet, "2", &only(4)).unwrap_err().code(), "not_found");
    }
}
