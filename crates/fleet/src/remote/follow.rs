//! A remote that another process looks after: shown as the store has it, read again when that process has written, and
//! refused for everything that would touch it. And the other side: a remote of ours, as long as that is certain.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::link::{Event, Health};
use model::{Cause, FacetKind, Failure, LinkState, LinkView, Now, RemoteId, StaleWhy};
use store::Store;
use tokio::sync::mpsc;

use super::{DisconnectError, EditError, Message, OperateError, Remote, ResolveError, TakeBackError};
use crate::durable::{Restored, restore};
use crate::lease::{Party, Reading};

/// How a remote is shown that another process looks after.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Follows {
    /// Who does, or why nobody.
    pub(super) elsewhere: Cause,
    /// The link as that process told last.
    pub(super) link: LinkView,
    /// Why nothing that listings bring is live; `None` when it is.
    pub(super) why: Option<StaleWhy>,
}

/// What tells that there is something new to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mark {
    term: i64,
    written: i64,
}

impl Mark {
    fn of(reading: &Reading, id: RemoteId) -> Self {
        reading.stand.holding(id).map(|one| Self { term: one.term, written: one.written }).unwrap_or_default()
    }
}

impl Remote {
    /// Another process looks after it: shows at once what the store has of it.
    pub(crate) fn following(mut self, store: Option<Store>) -> Self {
        self.store = store;
        self.show_as_told(self.common.clock.now());
        self
    }

    /// Shows what is told of it, if that is something else than before.
    fn show_as_told(&mut self, now: Now) {
        let Some(party) = self.common.party.clone() else { return };
        let follows = self.as_told(&party, now);
        if self.follows.as_ref() != Some(&follows) {
            self.follows = Some(follows);
            self.show(now);
        }
    }

    fn as_told(&self, party: &Party, now: Now) -> Follows {
        let elsewhere = match party.lapsed() {
            Some(text) => Cause::Unattended { text },
            None => party.whose(self.id),
        };
        let listed = self.kept.facets.of(FacetKind::Resources);
        let last = self.kept.facets.link;
        let recent = |at: Option<Timestamp>| at.is_some_and(|at| self.age(at, now) <= self.told_for());
        let state = match (self.link.state(), &elsewhere) {
            (state @ LinkState::Disconnected { .. }, _) => state.clone(),
            (_, Cause::RunElsewhere { process, .. }) => match &self.noted {
                Some(LinkState::Connected | LinkState::Degraded { .. }) if !recent(last) => {
                    let text = format!("{process} has not told of it for a while");
                    LinkState::Connecting { last: Some(Cause::Unattended { text }) }
                }
                // When the next try is made is not told.
                Some(LinkState::BackingOff { cause, .. }) => {
                    LinkState::Connecting { last: Some(cause.clone()) }
                }
                Some(told) => told.clone(),
                None => LinkState::Connecting { last: None },
            },
            (_, nobody) => LinkState::Connecting { last: Some(nobody.clone()) },
        };
        let why = match state.stale_why() {
            Some(why) => Some(why),
            None if recent(listed) => None,
            None => Some(StaleWhy::Overdue),
        };
        let mut link = self.link.view();
        let before = self.follows.as_ref().map(|follows| &follows.link);
        link.since = match before {
            Some(before) if before.state.word() == state.word() => before.since,
            _ if matches!(state, LinkState::Disconnected { .. }) => link.since,
            _ => last.unwrap_or(now.wall),
        };
        link.down_since = if state.is_up() { None } else { link.down_since.or(Some(link.since)) };
        link.last_success = last;
        if state.is_up()
            && let Some(through) = &self.kept.facets.through
        {
            for one in &mut link.endpoints {
                one.in_use = one.endpoint == *through;
                if one.in_use {
                    (one.health, one.last_success) = (Health::Good, last);
                }
            }
        }
        link.state = state;
        Follows { elsewhere, link, why }
    }

    fn age(&self, at: Timestamp, now: Now) -> Duration {
        Duration::try_from(now.wall.duration_since(at).max(SignedDuration::ZERO)).unwrap_or_default()
    }

    /// For how long what its owner has written counts as what is: three of its intervals, and what it takes to be told.
    fn told_for(&self) -> Duration {
        let timings = &self.common.timings;
        let interval = self.spec.interval.unwrap_or(timings.resources).max(timings.resources);
        let told = timings.ages_kept + timings.lease.look + timings.lease.follow;
        interval.saturating_mul(timings.link.intervals) + told
    }

    /// Follows what the store has of it until it is told to stop.
    pub(crate) async fn follow(mut self: Box<Self>) {
        let (Some(party), Some(store)) = (self.common.party.clone(), self.store.clone()) else { return };
        let mut stand = party.stand();
        // What was read may be older than how things stand now: it is read once more.
        let mut mark = Mark::default();
        let mut due = self.now().mono;
        let timings = self.common.timings.lease.clone();
        loop {
            tokio::select! {
                message = self.inbox.recv() => match message {
                    None | Some(Message::Stop) => return,
                    Some(message) => {
                        self.refuse(message, party.not_ours(self.id).unwrap_or_else(|| party.whose(self.id)));
                        continue;
                    }
                },
                changed = stand.changed() => if changed.is_err() { return },
                // Nobody tells how things stand: what is shown grows old all the same.
                () = tokio::time::sleep(timings.life) => {}
            }
            let found = Mark::of(&stand.borrow_and_update(), self.id);
            let now = self.now();
            if found != mark && now.mono >= due {
                let _turn = party.reading.acquire().await;
                match self.read_again(&store).await {
                    Ok(()) => mark = found,
                    Err(error) => {
                        tracing::warn!(remote = %self.spec.name, error, "what is kept of it could not be read");
                    }
                }
                due = self.now().after(timings.follow);
            }
            let now = self.now();
            self.show_as_told(now);
        }
    }

    /// Reads what the store has of it. What was removed stays as it was until somebody says that it is gone.
    async fn read_again(&mut self, store: &Store) -> Result<(), String> {
        let found = store.remote(self.id).await.map_err(|error| error.to_string())?;
        let Some(record) = found else { return Ok(()) };
        let Restored { record, spec, memory } = restore(store, record).await?;
        let (_, nobody) = mpsc::channel(1);
        let inbox = std::mem::replace(&mut self.inbox, nobody);
        let before: Vec<_> = self.rides.keys().copied().collect();
        let (common, shared) = (self.common.clone(), self.shared.clone());
        let mut anew = Self::known(self.id, spec, record.created, memory, common, shared, inbox);
        for id in before {
            if !anew.rides.contains_key(&id) {
                anew.shared.drop_operation(id);
            }
        }
        anew.store = self.store.take();
        anew.revision = self.revision;
        // As it was told last, lest what tells since when be lost; and shown in any case.
        let party = anew.common.party.clone();
        anew.follows = self.follows.take();
        let now = anew.now();
        if let Some(party) = party {
            anew.follows = Some(anew.as_told(&party, now));
        }
        anew.show(now);
        *self = anew;
        Ok(())
    }

    /// Shows what could be read of it.
    pub(crate) fn standing_still(mut self) -> Self {
        self.show(self.common.clock.now());
        self
    }

    /// Does nothing with it, for what was kept of it cannot be read, and what is left shall not be written over. It can
    /// be removed.
    pub(crate) async fn stand_still(mut self: Box<Self>, why: String) {
        let cause = Cause::Internal { text: format!("what was kept of it cannot be read: {why}") };
        while let Some(message) = self.inbox.recv().await {
            match message {
                Message::Stop => return,
                Message::Leave { reply, go } => {
                    let _ = reply.send(Ok(self.open_recorded()));
                    if go.await.unwrap_or(false) {
                        return;
                    }
                }
                message => self.refuse(message, cause.clone()),
            }
        }
    }

    /// Says to whoever wants something of it why that cannot be, or who may do it.
    fn refuse(&self, message: Message, cause: Cause) {
        let at = self.now().wall;
        match message {
            Message::Disconnect { reply, .. } => drop(reply.send(Err(DisconnectError::Elsewhere(cause)))),
            Message::Connect { reply, .. } | Message::Edit { reply, .. } => {
                drop(reply.send(Err(EditError::Elsewhere(cause))));
            }
            Message::Leave { reply, .. } => drop(reply.send(Err(cause))),
            Message::Resolve { reply, .. } => drop(reply.send(Err(ResolveError::Elsewhere(cause)))),
            Message::TakeBack { reply, .. } => drop(reply.send(Err(TakeBackError::Elsewhere(cause)))),
            Message::Operate { wish, reply, .. } => {
                let refused = || Err(OperateError::Elsewhere(cause.clone()));
                drop(reply.send(wish.vmids.iter().map(|_| refused()).collect()));
            }
            Message::SecondFactor { reply, .. } => {
                drop(reply.send(Err(Failure { cause, endpoint: None, at })));
            }
            Message::Spec { reply } => drop(reply.send(Box::new(self.spec.clone()))),
            Message::Yield { reply } | Message::CancelAsked { reply, .. } => drop(reply.send(false)),
            Message::TryNow
            | Message::Pace(_)
            | Message::CancelRefused { .. }
            | Message::Heard { .. }
            | Message::Glimpse { .. }
            | Message::Config { .. }
            | Message::Addresses { .. }
            | Message::Stop => {}
        }
    }

    // --- as long as it is certain that it is ours ---

    /// While it cannot be told whether the remote is still ours, nothing is asked of it and nothing sent, and that is
    /// shown; once it can, it goes on.
    pub(super) fn mind_the_lease(&mut self, now: Now) {
        let Some(party) = &self.common.party else { return };
        match (party.lapsed(), self.lapsed) {
            (Some(text), false) => {
                tracing::warn!(remote = %self.spec.name, why = text, "nothing is asked of it for now");
                self.lapsed = true;
                let cause = Cause::Unattended { text };
                for endpoint in self.spec.ids() {
                    let (epoch, cause) = (self.link.epoch(), cause.clone());
                    self.step(Event::Failed { epoch, endpoint, cause }, now);
                }
                self.shared.close();
                // It cannot be recorded, for the same reason; it is true all the same.
                self.show_stuck(StaleWhy::Link { cause: Arc::new(cause) }, now);
            }
            (None, true) => {
                self.lapsed = false;
                self.step(Event::TryNow, now);
            }
            _ => {}
        }
    }

    /// When it has to be looked at whether the remote is still ours.
    pub(super) fn lease_until(&self, now: Now) -> Duration {
        match &self.common.party {
            Some(_) if self.lapsed => now.after(self.common.timings.lease.look),
            Some(party) => party.lapses().max(now.mono),
            None => Duration::MAX,
        }
    }
}
