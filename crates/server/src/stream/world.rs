//! What a stream needs of the world around it, so that tests may put another in its place.

use std::future::Future;

use api::overview::Trouble;
use fleet::FleetSnapshot;
use model::Now;
use model::access::{Grants, Visible};
use store::EventFilter;
use tokio::sync::watch;

use super::rows::{self, Kept};
use crate::app::App;
use crate::caller::Caller;

/// The world.
pub(super) trait World: Clone + Send + Sync + 'static {
    /// This instant.
    fn now(&self) -> Now;

    /// The fleet.
    fn snapshot(&self) -> FleetSnapshot;

    /// The revision of the fleet.
    fn changed(&self) -> watch::Receiver<u64>;

    /// The number of the last event; `None`: nothing is kept.
    fn history(&self) -> Option<watch::Receiver<i64>>;

    /// Events after that one that `visible` lets through, the oldest first, at most `limit`; with the number up
    /// to which these are all. An error is worth another try.
    fn events(
        &self,
        after: i64,
        visible: &Visible,
        limit: usize,
    ) -> impl Future<Output = Result<(Vec<Kept>, i64), String>> + Send;

    /// What is wrong with Muster itself, as far as the caller is told.
    fn own(&self, _: &Caller) -> Vec<Trouble> {
        Vec::new()
    }

    /// What the caller may see and do at present; `None` when what they proved themselves with has ended.
    fn grants(&self, caller: &Caller) -> impl Future<Output = Option<Grants>> + Send;
}

impl World for App {
    fn now(&self) -> Now {
        self.now()
    }

    fn snapshot(&self) -> FleetSnapshot {
        self.fleet().snapshot()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.fleet().changed()
    }

    fn history(&self) -> Option<watch::Receiver<i64>> {
        self.fleet().events()
    }

    async fn events(&self, after: i64, visible: &Visible, limit: usize) -> Result<(Vec<Kept>, i64), String> {
        let Some(store) = self.fleet().store() else { return Ok((Vec::new(), after)) };
        // Read before the page: all that it takes in was committed by then.
        let last = self.history().map_or(after, |last| *last.borrow());
        let remotes = match visible {
            Visible::All => None,
            Visible::Remotes(these) => Some(these.iter().copied().collect()),
        };
        let filter = EventFilter { remotes, after: Some(after), limit, ..EventFilter::default() };
        let page = store.events(filter).await.map_err(|error| error.to_string())?;
        let up_to = match page.last() {
            Some((seq, _)) if page.len() >= limit => *seq,
            Some((seq, _)) => last.max(*seq),
            None => last,
        };
        Ok((page.into_iter().map(|(seq, record)| rows::kept_event(seq, record)).collect(), up_to))
    }

    fn own(&self, caller: &Caller) -> Vec<Trouble> {
        crate::overview::own(self, caller)
    }

    async fn grants(&self, caller: &Caller) -> Option<Grants> {
        self.people().still(caller)
    }
}
