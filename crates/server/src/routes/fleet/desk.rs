//! Onboardings under way: held in memory, few, and not for long. What ends without being finished is abandoned, and
//! whatever it made on a host is taken back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use fleet::onboard::{self, Onboarding};
use jiff::Timestamp;
use model::RemoteId;
use rand::Rng as _;
use tokio::sync::OwnedMutexGuard;

use crate::app::App;
use crate::problem::Problem;

/// The bounds of onboardings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// After that long an onboarding is given up by itself.
    pub life: Duration,
    /// Onboardings at the same time.
    pub at_once: usize,
    /// Of these, how many may be one caller's.
    pub per_caller: usize,
    /// How long it is tried to take back what was made on a host.
    pub undo: Duration,
    /// How long something of which nobody knows whether it was made is looked for.
    pub settle: Duration,
    /// How long it is tried to remove what was made earlier, while somebody waits.
    pub removal: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let usual = onboard::Timings::default();
        Self {
            life: Duration::from_secs(15 * 60),
            at_once: 64,
            per_caller: 8,
            undo: usual.undo,
            settle: usual.settle,
            removal: usual.removal,
        }
    }
}

/// Where onboardings lie between two requests.
#[derive(Debug, Clone, Default)]
pub struct Desk {
    places: Arc<Mutex<BTreeMap<String, Arc<Place>>>>,
}

/// One onboarding.
#[derive(Debug)]
pub(super) struct Place {
    /// Its id: as good as unguessable.
    pub(super) id: String,
    /// Whose it is: nobody else goes on where somebody has signed in.
    owner: String,
    /// The existing remote that is signed in to anew.
    pub(super) again: Option<RemoteId>,
    /// When it is given up by itself.
    pub(super) expires: Timestamp,
    held: Arc<tokio::sync::Mutex<Option<Onboarding>>>,
}

/// An onboarding taken in hand for one step. `None` once it has ended.
pub(super) type Held = OwnedMutexGuard<Option<Onboarding>>;

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every wait of an onboarding.
    pub(super) fn timings(&self, app: &App) -> onboard::Timings {
        let bounds = &app.settings().onboarding;
        onboard::Timings {
            undo: bounds.undo,
            settle: bounds.settle,
            removal: bounds.removal,
            ..onboard::Timings::of(app.fleet().timings().pve.clone())
        }
    }

    /// Whether one more may begin.
    ///
    /// # Errors
    /// 429 when there are too many.
    pub(super) fn room(&self, bounds: &Bounds, owner: &str) -> Result<(), Problem> {
        let places = self.lock();
        let own = places.values().filter(|place| place.owner == owner).count();
        if places.len() < bounds.at_once && own < bounds.per_caller {
            return Ok(());
        }
        Err(Problem::new(
            http::StatusCode::TOO_MANY_REQUESTS,
            "too_many_onboardings",
            "Too many remotes are being added at the same time.",
        )
        .remedy("Finish or end one of them.")
        .retry_after(Duration::from_secs(60)))
    }

    /// Keeps an onboarding until it is finished, ended, or its time is over.
    pub(super) fn keep(
        &self,
        onboarding: Onboarding,
        owner: String,
        again: Option<RemoteId>,
        now: Timestamp,
        bounds: &Bounds,
    ) -> Arc<Place> {
        let id = format!("{:032x}", rand::rng().random::<u128>());
        let life = jiff::SignedDuration::try_from(bounds.life).unwrap_or(jiff::SignedDuration::from_mins(15));
        let place = Arc::new(Place {
            id: id.clone(),
            owner,
            again,
            expires: now.checked_add(life).unwrap_or(now),
            held: Arc::new(tokio::sync::Mutex::new(Some(onboarding))),
        });
        self.lock().insert(id.clone(), place.clone());
        let (places, life) = (Arc::downgrade(&self.places), bounds.life);
        tokio::spawn(async move {
            tokio::time::sleep(life).await;
            give_up(&places, &id).await;
        });
        place
    }

    /// The caller's onboarding of that id.
    ///
    /// # Errors
    /// 404 when there is none, or it is somebody else's.
    pub(super) fn find(&self, id: &str, owner: &str) -> Result<Arc<Place>, Problem> {
        self.lock().get(id).filter(|place| place.owner == owner).cloned().ok_or_else(|| {
            Problem::not_found("onboarding").remedy("Begin anew: an onboarding ends by itself.")
        })
    }

    /// Forgets an onboarding that is in hand.
    pub(super) fn end_held(&self, place: &Place, mut held: Held) {
        self.lock().remove(&place.id);
        *held = None;
    }

    /// Forgets an onboarding. What is in hand at the moment ends with its step.
    pub(super) async fn end(&self, place: &Place) {
        self.lock().remove(&place.id);
        *place.held.lock().await = None;
    }
}

impl Place {
    /// Takes it in hand for one step.
    ///
    /// # Errors
    /// 409 while another step is under way; 404 once it has ended.
    pub(super) fn take(&self) -> Result<Held, Problem> {
        let held = self.held.clone().try_lock_owned().map_err(|_| {
            Problem::conflict("busy", "Another step of this onboarding is under way.").remedy("Wait for it.")
        })?;
        if held.is_none() { Err(Problem::not_found("onboarding")) } else { Ok(held) }
    }
}

async fn give_up(places: &Weak<Mutex<BTreeMap<String, Arc<Place>>>>, id: &str) {
    let Some(places) = places.upgrade() else { return };
    let place = places.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    if let Some(place) = place {
        *place.held.lock().await = None;
    }
}
