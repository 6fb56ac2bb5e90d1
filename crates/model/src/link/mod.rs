//! The link to one remote: a machine of states, stepped by [`Link::step`], that says through [`Link::duty`]
//! what its owner shall do next.
//!
//! It holds the rules of who is asked and when: what counts as connected, back-off, failover over several
//! endpoints, what a 401 leads to, what stops for good until a person acts.

mod rules;
mod state;

use std::time::Duration;

use jiff::Timestamp;

use crate::backoff::spread;
use crate::cause::{Cause, Reach};
use crate::id::EndpointId;
use crate::outage::Pace;
use crate::time::Now;

pub use rules::{Duty, Event, Login, Policy};
pub use state::{EndpointView, FailingEndpoint, Health, LinkState, LinkView};

#[derive(Debug, Clone)]
struct Endpoint {
    id: EndpointId,
    health: Health,
    last_success: Option<Timestamp>,
    /// A try of it is under way.
    trying: bool,
}

/// What a 401 has led to so far.
#[derive(Debug, Clone, Default)]
struct Rejections {
    /// The credential was presented once more after the first 401.
    again: bool,
    /// Another endpoint was asked.
    elsewhere: bool,
    /// How often the credential was given up.
    given_up: usize,
}

/// The link to one remote.
#[derive(Debug, Clone)]
pub struct Link {
    policy: Policy,
    login: Login,
    state: LinkState,
    since: Timestamp,
    down_since: Option<Timestamp>,
    endpoints: Vec<Endpoint>,
    current: usize,
    epoch: u64,
    last_success: Option<Now>,
    interval: Duration,
    rejections: Rejections,
    retry_due: Option<Duration>,
    complaint: Option<Cause>,
    pace: Pace,
    /// The last success of a process that is gone: told, and counting for nothing.
    remembered: Option<Timestamp>,
}

// === impl Link ===

impl Link {
    /// A link that will connect at once.
    #[must_use]
    pub fn new(
        endpoints: Vec<EndpointId>,
        login: Login,
        interval: Duration,
        policy: Policy,
        now: Now,
    ) -> Self {
        Self {
            policy,
            login,
            state: LinkState::Connecting { last: None },
            since: now.wall,
            down_since: Some(now.wall),
            endpoints: endpoints
                .into_iter()
                .map(|id| Endpoint { id, health: Health::Untried, last_success: None, trying: false })
                .collect(),
            current: 0,
            epoch: 0,
            last_success: None,
            interval,
            rejections: Rejections::default(),
            retry_due: None,
            complaint: None,
            pace: Pace::Usual,
            remembered: None,
        }
    }

    /// A link whose last success lies before Muster started. It proves nothing now.
    #[must_use]
    pub fn remembering(mut self, last_success: Option<Timestamp>) -> Self {
        self.remembered = last_success;
        if !matches!(self.state, LinkState::Disconnected { .. }) && last_success.is_some() {
            self.down_since = last_success;
        }
        self
    }

    /// Other endpoints from now on: those that stay keep their health. When the one in use is gone, the link starts
    /// afresh.
    pub fn set_endpoints(&mut self, endpoints: Vec<EndpointId>, now: Now) {
        let in_use = self.endpoint().cloned();
        self.endpoints = endpoints
            .into_iter()
            .map(|id| {
                let known = self.endpoints.iter().find(|one| one.id == id).cloned();
                known.unwrap_or(Endpoint { id, health: Health::Untried, last_success: None, trying: false })
            })
            .collect();
        match in_use.and_then(|id| self.position(&id)) {
            Some(index) => {
                self.current = index;
                if self.state.is_up() {
                    self.up(now);
                }
            }
            None => {
                self.current = 0;
                if !matches!(self.state, LinkState::Disconnected { .. }) {
                    self.restart(now);
                }
            }
        }
    }

    /// A link that was disconnected before Muster started: it stays so.
    #[must_use]
    pub fn disconnected(mut self, by: String, since: Timestamp) -> Self {
        self.state = LinkState::Disconnected { by };
        self.since = since;
        self.down_since = Some(since);
        self
    }

    /// From now on one signs in with something else.
    pub fn signs_in_with(&mut self, login: Login) {
        self.login = login;
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &LinkState {
        &self.state
    }

    /// Changes whenever what is under way no longer counts; outcomes carry the one they were begun in.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The endpoint in use, or next to be tried.
    #[must_use]
    pub fn endpoint(&self) -> Option<&EndpointId> {
        self.endpoints.get(self.current).map(|one| &one.id)
    }

    /// Up to when the last success counts; `None` before the first.
    #[must_use]
    pub fn lapses(&self) -> Option<Duration> {
        let last = self.last_success?;
        Some(last.after(self.interval.saturating_mul(self.policy.intervals)))
    }

    /// How others see it.
    #[must_use]
    pub fn view(&self) -> LinkView {
        LinkView {
            state: self.state.clone(),
            since: self.since,
            down_since: self.down_since,
            last_success: self.last_success.map(|at| at.wall).or(self.remembered),
            endpoints: self
                .endpoints
                .iter()
                .enumerate()
                .map(|(index, one)| EndpointView {
                    endpoint: one.id.clone(),
                    health: one.health.clone(),
                    last_success: one.last_success,
                    in_use: index == self.current,
                })
                .collect(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn duty(&self, now: Now) -> Duty {
        match &self.state {
            LinkState::Disconnected { .. } | LinkState::CertificateChanged { .. } => Duty::Rest,
            LinkState::CredentialsRejected { .. } => match self.retry_due {
                None => Duty::Rest,
                Some(due) if due > now.mono => Duty::Wait { until: due },
                Some(_) => self.try_at(self.current),
            },
            LinkState::Connecting { .. } => self.try_at(self.current),
            LinkState::BackingOff { .. } => match first_to_try(&self.endpoints) {
                None => Duty::Rest,
                Some((_, due)) if due > now.mono => Duty::Wait { until: due },
                Some((index, _)) => self.try_at(index),
            },
            LinkState::Connected | LinkState::Degraded { .. } => self.serve(now),
        }
    }

    /// Takes in what happened. `jitter` lies in 0..1.
    pub fn step(&mut self, event: Event, now: Now, jitter: f64) {
        match event {
            Event::Connect => {
                if matches!(self.state, LinkState::Disconnected { .. }) {
                    self.restart(now);
                }
            }
            Event::Disconnect { by } => {
                self.epoch += 1;
                self.forget_tries();
                self.complaint = None;
                self.enter(LinkState::Disconnected { by }, now);
            }
            Event::Mended => {
                if !matches!(self.state, LinkState::Disconnected { .. }) {
                    self.restart(now);
                }
            }
            Event::TryNow => self.try_now(now),
            Event::Interrupted => {
                self.epoch += 1;
                self.forget_tries();
            }
            Event::Begun { endpoint } => self.begun(&endpoint, now),
            Event::Succeeded { epoch, endpoint } => {
                if self.counts(epoch) {
                    self.succeeded(&endpoint, now);
                }
            }
            Event::Failed { epoch, endpoint, cause } => {
                if self.counts(epoch) {
                    self.failed(&endpoint, cause, now, jitter);
                }
            }
            Event::Rejected { epoch, endpoint, cause, again } => {
                if self.counts(epoch) {
                    self.rejected(&endpoint, cause, again, now);
                }
            }
            Event::Complained { epoch, cause } => {
                if self.counts(epoch) {
                    self.complaint = Some(cause);
                }
            }
            Event::Interval(interval) => self.interval = interval,
            Event::Pace(pace) => self.paced(pace, now, jitter),
            Event::Tick => self.tick(now, jitter),
        }
    }

    fn counts(&self, epoch: u64) -> bool {
        epoch == self.epoch && !matches!(self.state, LinkState::Disconnected { .. })
    }

    fn restart(&mut self, now: Now) {
        self.epoch += 1;
        self.forget_tries();
        for one in &mut self.endpoints {
            one.health = Health::Untried;
        }
        self.rejections = Rejections::default();
        self.retry_due = None;
        self.complaint = None;
        self.enter(LinkState::Connecting { last: None }, now);
    }

    fn forget_tries(&mut self) {
        for one in &mut self.endpoints {
            one.trying = false;
        }
    }

    fn try_now(&mut self, now: Now) {
        for one in &mut self.endpoints {
            match &mut one.health {
                Health::Failing { due, next_try, .. } => {
                    *due = now.mono;
                    *next_try = now.wall;
                }
                Health::Stopped { cause, since } => {
                    one.health = Health::Failing {
                        cause: cause.clone(),
                        since: *since,
                        failures: 1,
                        next_try: now.wall,
                        due: now.mono,
                    };
                }
                Health::Untried | Health::Good => {}
            }
        }
        match &self.state {
            LinkState::BackingOff { cause, .. } | LinkState::CertificateChanged { cause } => {
                let last = Some(cause.clone());
                if let Some((index, _)) = first_to_try(&self.endpoints) {
                    self.current = index;
                }
                self.enter(LinkState::Connecting { last }, now);
            }
            LinkState::CredentialsRejected { cause, .. } => {
                let last = Some(cause.clone());
                self.retry_due = None;
                self.enter(LinkState::Connecting { last }, now);
            }
            LinkState::Connected | LinkState::Degraded { .. } => self.up(now),
            LinkState::Disconnected { .. } | LinkState::Connecting { .. } => {}
        }
    }

    fn begun(&mut self, endpoint: &EndpointId, now: Now) {
        let Some(index) = self.position(endpoint) else { return };
        if let Some(one) = self.endpoints.get_mut(index) {
            one.trying = true;
        }
        let last = match &self.state {
            LinkState::BackingOff { cause, .. } | LinkState::CredentialsRejected { cause, .. } => {
                Some(cause.clone())
            }
            _ => return,
        };
        self.retry_due = None;
        self.current = index;
        self.enter(LinkState::Connecting { last }, now);
    }

    fn succeeded(&mut self, endpoint: &EndpointId, now: Now) {
        let Some(index) = self.position(endpoint) else { return };
        if let Some(one) = self.endpoints.get_mut(index) {
            // A success that was under way when another request failed does not undo that failure: the
            // endpoint has to prove itself by a try.
            let proven = one.trying || !matches!(one.health, Health::Failing { .. } | Health::Stopped { .. });
            if !proven {
                return;
            }
            one.trying = false;
            one.health = Health::Good;
            one.last_success = Some(now.wall);
        }
        match &self.state {
            LinkState::Connected | LinkState::Degraded { .. } => {
                if index == self.current {
                    self.prove(now);
                }
                self.up(now);
            }
            LinkState::Connecting { .. } | LinkState::BackingOff { .. } => {
                self.current = index;
                self.prove(now);
                self.up(now);
            }
            LinkState::Disconnected { .. }
            | LinkState::CredentialsRejected { .. }
            | LinkState::CertificateChanged { .. } => {}
        }
    }

    fn prove(&mut self, now: Now) {
        self.last_success = Some(now);
        self.complaint = None;
        self.rejections = Rejections::default();
    }

    fn failed(&mut self, endpoint: &EndpointId, cause: Cause, now: Now, jitter: f64) {
        let Some(index) = self.position(endpoint) else { return };
        self.mark_failing(index, cause.clone(), now, jitter);
        match &self.state {
            LinkState::Connected | LinkState::Degraded { .. } if index != self.current => self.up(now),
            LinkState::Connecting { .. } if index != self.current => {}
            // While backing off, too: what was due next may just have been stopped.
            LinkState::Connecting { .. }
            | LinkState::Connected
            | LinkState::Degraded { .. }
            | LinkState::BackingOff { .. } => self.next_endpoint(cause, now),
            LinkState::Disconnected { .. }
            | LinkState::CredentialsRejected { .. }
            | LinkState::CertificateChanged { .. } => {}
        }
    }

    fn mark_failing(&mut self, index: usize, cause: Cause, now: Now, jitter: f64) {
        let (backoff, pace) = (self.policy.backoff, self.pace);
        let (often, seldom) = (self.policy.outage_often, self.policy.outage_seldom);
        let Some(one) = self.endpoints.get_mut(index) else { return };
        let tried = std::mem::take(&mut one.trying);
        if matches!(cause, Cause::CertificateChanged { .. }) {
            one.health = Health::Stopped { cause, since: now.wall };
            return;
        }
        let (failures, since) = match &one.health {
            // Several requests in flight fail together: that is one failure, not several.
            Health::Failing { .. } | Health::Stopped { .. } if !tried => return,
            Health::Failing { failures, since, .. } => (failures.saturating_add(1), *since),
            Health::Stopped { .. } | Health::Untried | Health::Good => (1, now.wall),
        };
        let wait = match pace {
            Pace::Usual => backoff.wait(failures, jitter),
            Pace::Often => backoff.wait(failures, jitter).min(often),
            Pace::Seldom => backoff.wait(failures, jitter).max(spread(seldom, jitter)),
        };
        one.health =
            Health::Failing { cause, since, failures, next_try: now.wall_after(wait), due: now.after(wait) };
    }

    /// The endpoint in use is out: on to one that may work, else wait for the first that is due.
    fn next_endpoint(&mut self, cause: Cause, now: Now) {
        if let Some(index) = self.usable_other() {
            self.current = index;
            self.enter(LinkState::Connecting { last: Some(cause) }, now);
            return;
        }
        match first_to_try(&self.endpoints) {
            Some((index, due)) => {
                let (cause, next_try) = match self.endpoints.get(index).map(|one| &one.health) {
                    Some(Health::Failing { cause: own, next_try, .. }) => (own.clone(), *next_try),
                    _ => (cause, now.wall),
                };
                self.current = index;
                if is_rejection(&cause) {
                    self.retry_due = Some(due);
                    self.enter(LinkState::CredentialsRejected { cause, next_try: Some(next_try) }, now);
                } else {
                    self.enter(LinkState::BackingOff { cause, next_try }, now);
                }
            }
            None => self.enter(LinkState::CertificateChanged { cause }, now),
        }
    }

    fn rejected(&mut self, endpoint: &EndpointId, cause: Cause, again: bool, now: Now) {
        let Some(index) = self.position(endpoint) else { return };
        if matches!(self.state, LinkState::CredentialsRejected { .. } | LinkState::CertificateChanged { .. })
        {
            if let Some(one) = self.endpoints.get_mut(index) {
                one.trying = false;
            }
            return;
        }
        if index != self.current {
            // What another endpoint accepts, or will be asked about, is not given up for this one.
            self.mark_rejected(index, cause, now);
            if self.state.is_up() {
                self.up(now);
            }
            return;
        }
        if let Some(one) = self.endpoints.get_mut(index) {
            one.trying = false;
        }
        if matches!(cause, Cause::SecondFactorNeeded { .. }) {
            // No other endpoint and no later time would ask for less.
            self.give_up(cause, None, now);
            return;
        }
        if !again && !self.rejections.again {
            self.rejections.again = true;
            self.enter(LinkState::Connecting { last: Some(cause) }, now);
            return;
        }
        self.rejections.again = true;
        if !self.rejections.elsewhere {
            self.rejections.elsewhere = true;
            if let Some(other) = self.usable_other() {
                self.mark_rejected(index, cause.clone(), now);
                self.current = other;
                self.enter(LinkState::Connecting { last: Some(cause) }, now);
                return;
            }
        }
        let wait = self.wait_after_rejection(self.rejections.given_up);
        self.give_up(cause, wait, now);
    }

    /// How long a credential that was given up so often before is not presented; `None`: until a person says so.
    fn wait_after_rejection(&self, before: usize) -> Option<Duration> {
        match self.login {
            Login::Token => {
                let schedule = &self.policy.token_retry;
                schedule.get(before).or(schedule.last()).copied()
            }
            Login::OwnPassword => Some(self.policy.password_retry),
            Login::DirectoryPassword => None,
        }
    }

    /// One endpoint does not accept what others may: it alone is left in peace for as long as the credential would be.
    fn mark_rejected(&mut self, index: usize, cause: Cause, now: Now) {
        let Some(one) = self.endpoints.get(index) else { return };
        let (before, since) = match &one.health {
            // A straggler of before it failed.
            Health::Failing { .. } | Health::Stopped { .. } if !one.trying => return,
            Health::Failing { failures, since, cause, .. } if is_rejection(cause) => (*failures, *since),
            _ => (0, now.wall),
        };
        let wait = match cause {
            Cause::SecondFactorNeeded { .. } => None,
            _ => self.wait_after_rejection(usize::try_from(before).unwrap_or(usize::MAX)),
        };
        let health = match wait {
            None => Health::Stopped { cause, since },
            Some(wait) => Health::Failing {
                cause,
                since,
                failures: before.saturating_add(1),
                next_try: now.wall_after(wait),
                due: now.after(wait),
            },
        };
        if let Some(one) = self.endpoints.get_mut(index) {
            (one.health, one.trying) = (health, false);
        }
    }

    fn give_up(&mut self, cause: Cause, wait: Option<Duration>, now: Now) {
        self.epoch += 1;
        self.forget_tries();
        self.rejections.given_up = self.rejections.given_up.saturating_add(1);
        self.retry_due = wait.map(|wait| now.after(wait));
        let next_try = wait.map(|wait| now.wall_after(wait));
        self.enter(LinkState::CredentialsRejected { cause, next_try }, now);
    }

    fn tick(&mut self, now: Now, jitter: f64) {
        if !self.state.is_up() {
            return;
        }
        let Some((last, lapses)) = self.last_success.zip(self.lapses()) else { return };
        if now.mono > lapses {
            let cause = self.complaint.take().unwrap_or(Cause::NoAnswer { after: now.since(last.mono) });
            let index = self.current;
            self.mark_failing(index, cause.clone(), now, jitter);
            self.next_endpoint(cause, now);
        }
    }

    fn paced(&mut self, pace: Pace, now: Now, jitter: f64) {
        if pace == self.pace {
            return;
        }
        self.pace = pace;
        let (often, seldom) = (self.policy.outage_often, spread(self.policy.outage_seldom, jitter));
        let soon = spread(self.policy.backoff.first, jitter);
        for one in &mut self.endpoints {
            if let Health::Failing { due, next_try, cause, .. } = &mut one.health
                && !is_rejection(cause)
            {
                let wait = match pace {
                    Pace::Usual => due.saturating_sub(now.mono).min(soon),
                    Pace::Often => due.saturating_sub(now.mono).min(often),
                    Pace::Seldom => due.saturating_sub(now.mono).max(seldom),
                };
                *due = now.after(wait);
                *next_try = now.wall_after(wait);
            }
        }
        if let (LinkState::BackingOff { next_try, .. }, Some((_, due))) =
            (&mut self.state, first_to_try(&self.endpoints))
        {
            *next_try = now.wall_after(due.saturating_sub(now.mono));
        }
    }

    fn serve(&self, now: Now) -> Duty {
        let Some(endpoint) = self.endpoint().cloned() else { return Duty::Rest };
        let mut until = self.lapses().unwrap_or(now.mono);
        let mut probe = None;
        if let Some((index, due)) = self.next_probe() {
            if due <= now.mono {
                probe = self.endpoints.get(index).map(|one| one.id.clone());
            } else {
                until = until.min(due);
            }
        }
        Duty::Serve { endpoint, probe, until }
    }

    fn try_at(&self, index: usize) -> Duty {
        if self.endpoints.iter().any(|one| one.trying) {
            return Duty::Busy;
        }
        match self.endpoints.get(index) {
            Some(one) => Duty::Try { endpoint: one.id.clone() },
            None => Duty::Rest,
        }
    }

    /// Connected, or degraded when others fail.
    fn up(&mut self, now: Now) {
        let failing: Vec<_> = self
            .endpoints
            .iter()
            .filter_map(|one| match &one.health {
                Health::Failing { cause, .. } | Health::Stopped { cause, .. } => {
                    Some(FailingEndpoint { endpoint: one.id.clone(), cause: cause.clone() })
                }
                Health::Untried | Health::Good => None,
            })
            .collect();
        let state = if failing.is_empty() { LinkState::Connected } else { LinkState::Degraded { failing } };
        self.enter(state, now);
    }

    fn enter(&mut self, state: LinkState, now: Now) {
        let was_up = self.state.is_up();
        if self.state.word() != state.word() {
            self.since = now.wall;
        }
        if state.is_up() {
            self.down_since = None;
        } else if was_up || self.down_since.is_none() {
            self.down_since = Some(now.wall);
        }
        self.state = state;
    }

    fn position(&self, endpoint: &EndpointId) -> Option<usize> {
        self.endpoints.iter().position(|one| one.id == *endpoint)
    }

    /// Another endpoint than the current one that nothing is known against.
    fn usable_other(&self) -> Option<usize> {
        let fit = |one: &Endpoint| matches!(one.health, Health::Good | Health::Untried);
        self.endpoints
            .iter()
            .enumerate()
            .find(|(index, one)| *index != self.current && fit(one))
            .map(|(i, _)| i)
    }

    /// The failing endpoint beside the current one whose try is due first, and when.
    fn next_probe(&self) -> Option<(usize, Duration)> {
        let beside = failing(&self.endpoints).filter(|(index, ..)| *index != self.current);
        beside.map(|(index, due, _)| (index, due)).min_by_key(|(_, due)| *due)
    }
}

/// The endpoint to try first when none works, and when: one that does not accept the credential comes last.
fn first_to_try(endpoints: &[Endpoint]) -> Option<(usize, Duration)> {
    let first = failing(endpoints).min_by_key(|(_, due, cause)| (is_rejection(cause), *due));
    first.map(|(index, due, _)| (index, due))
}

/// The failing endpoints of which no try is under way: when one is due, and why they fail.
fn failing(endpoints: &[Endpoint]) -> impl Iterator<Item = (usize, Duration, &Cause)> {
    endpoints.iter().enumerate().filter(|(_, one)| !one.trying).filter_map(|(index, one)| match &one.health {
        Health::Failing { due, cause, .. } => Some((index, *due, cause)),
        _ => None,
    })
}

fn is_rejection(cause: &Cause) -> bool {
    cause.reach() == Reach::Credential
}
