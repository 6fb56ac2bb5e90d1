//! What all handlers share ([`App`]), and the router made of all routes.

use std::sync::Arc;

use axum::Router;
use fleet::{Clock, Fleet};
use model::{Now, RemoteId};

use crate::door;
use crate::metrics::Counters;
use crate::people::People;
use crate::routes;
use crate::settings::Settings;
use crate::stream::Hub;

/// Everything a handler needs. Clones are cheap and share everything.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    fleet: Fleet,
    settings: Settings,
    clock: Clock,
    people: People,
    counters: Counters,
    streams: Hub,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// The server over a running fleet.
    #[must_use]
    pub fn new(fleet: Fleet, settings: Settings, clock: Clock) -> Self {
        let people = People::default();
        let streams = Hub::new(settings.stream.clone());
        Self {
            inner: Arc::new(Inner { fleet, settings, clock, people, counters: Counters::default(), streams }),
        }
    }

    /// The fleet.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.inner.fleet
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

    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// The remote of that number or name, whoever asks.
    #[must_use]
    pub fn remote_called(&self, text: &str) -> Option<RemoteId> {
        let by_number = text.parse().ok().map(RemoteId).filter(|id| self.fleet().remote(*id).is_some());
        by_number.or_else(|| self.fleet().snapshot().remote_named(text).map(|remote| remote.id))
    }

    /// All routes, behind the door that every request passes.
    pub fn router(&self) -> Router {
        let (router, _) = routes::all().split_for_parts();
        door::before(self, router.with_state(self.clone()))
    }
}
