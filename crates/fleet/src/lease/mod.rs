//! One process among several that share a store: which remotes are its own ([`Party`]), and how the fleet keeps to that.
//!
//! Safety does not rest on any clock: whatever a process records about a remote, that it is about to send something
//! among it, is committed only while the store still names it as the owner, in the same term. The clock serves the rest:
//! a process that cannot say that it lives stops by itself before another may take over.

mod settle;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::{Cause, Now, RemoteId};
use store::{Leases, Process, ProcessRecord, Stand, Store, StoreError};
use tokio::sync::{Notify, Semaphore, watch};

use crate::clock::Clock;
use crate::manage::RESTORED_AT_ONCE;
use crate::timings::Lease;

/// Operations of so many processes that enrolled one after the other never get the same number.
const NUMBERS: u64 = 1024;

/// How a process introduces itself to those that share its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Its data directory's id: whoever starts there again takes the place of the one before.
    pub home: String,
    /// What people call it.
    pub name: String,
    /// Where its API is reached.
    pub address: Option<String>,
}

/// One of the processes that share a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSeen {
    /// What people call it.
    pub name: String,
    /// Where its API is reached.
    pub address: Option<String>,
    /// When it started.
    pub started: Timestamp,
    /// When it last said that it lives.
    pub seen: Timestamp,
    /// Whether that still counts.
    pub alive: bool,
    /// How many remotes it looks after.
    pub remotes: usize,
    /// It is this one.
    pub this: bool,
}

/// Whether this process may look after remotes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaseHealth {
    /// Why it may not look after any at present.
    pub lapsed: Option<String>,
}

/// This process among those that share a store.
pub(crate) struct Party {
    leases: Leases,
    clock: Clock,
    timings: Lease,
    state: Mutex<State>,
    /// Readings of the stand that were begun.
    readings: AtomicU64,
    stand: watch::Sender<Arc<Reading>>,
    look_now: Notify,
    /// What is held was brought in line with how things stand since it was last said that this process lives.
    settled: AtomicBool,
    /// So many remotes are read from the store at once.
    pub(crate) reading: Semaphore,
}

#[derive(Default)]
struct State {
    held: BTreeMap<RemoteId, Held>,
    /// Until when nobody else can have taken what is held: on the clock that nobody sets, and on the other, should the
    /// first have stood still with the machine.
    until: (Duration, Timestamp),
    failing: Option<String>,
    /// What was let go, and how many readings had been begun by then.
    let_go: BTreeMap<RemoteId, u64>,
}

/// A remote that is ours.
#[derive(Clone, Copy)]
struct Held {
    term: i64,
    /// How many readings had been begun when it became ours: those tell nothing about it.
    since: u64,
}

/// How things stand, as of one reading.
#[derive(Default)]
pub(crate) struct Reading {
    number: u64,
    pub(crate) stand: Stand,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(SignedDuration::try_from(by).unwrap_or(SignedDuration::ZERO)).unwrap_or(at)
}

/// `bytes` random bytes in hexadecimal digits.
fn random_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

impl Who {
    /// A process that nobody knows, with no home to come back to.
    #[must_use]
    pub fn nameless() -> Self {
        let home = random_id();
        Self { name: format!("muster-{}", home.get(..6).unwrap_or_default()), home, address: None }
    }
}

// === impl Party ===

impl Party {
    /// Joins those that share the store, and takes its part of what nobody looks after. `None`: nobody can share it.
    pub(crate) async fn join(
        store: &Store,
        who: Who,
        timings: &Lease,
        clock: Clock,
    ) -> Result<Option<Arc<Self>>, StoreError> {
        let process = Process { id: random_id(), home: who.home, name: who.name, address: who.address };
        let begun = clock.now();
        let Some(leases) = store.enrol(process, timings.life).await? else { return Ok(None) };
        let party = Self {
            leases,
            clock,
            timings: timings.clone(),
            state: Mutex::default(),
            readings: AtomicU64::new(0),
            stand: watch::Sender::new(Arc::default()),
            look_now: Notify::new(),
            settled: AtomicBool::new(false),
            reading: Semaphore::new(RESTORED_AT_ONCE),
        };
        party.renewed(begun);
        party.look().await?;
        let stand = party.stand.borrow().clone();
        party.take(&stand.stand).await?;
        Ok(Some(Arc::new(party)))
    }

    /// This process's id.
    pub(crate) fn id(&self) -> &str {
        &self.leases.process().id
    }

    /// Step and rest of the numbers that are this process's to give.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        (NUMBERS, self.leases.number().unsigned_abs() % NUMBERS)
    }

    /// How things stood at the last look, and whenever they are looked at.
    pub(crate) fn stand(&self) -> watch::Receiver<Arc<Reading>> {
        self.stand.subscribe()
    }

    /// Whether others live.
    pub(crate) fn has_others(&self) -> bool {
        self.stand.borrow().stand.living().count() > 1
    }

    /// The term in which this process looks after a remote; `None`: it does not.
    pub(crate) fn term(&self, remote: RemoteId) -> Option<i64> {
        lock(&self.state).held.get(&remote).map(|held| held.term)
    }

    fn held(&self) -> BTreeMap<RemoteId, Held> {
        lock(&self.state).held.clone()
    }

    fn hold(&self, remote: RemoteId, term: i64) {
        let since = self.readings.load(Ordering::SeqCst);
        let mut state = lock(&self.state);
        state.held.insert(remote, Held { term, since });
        state.let_go.remove(&remote);
    }

    /// A remote that was recorded is ours, if it was not before.
    pub(crate) fn hold_new(&self, remote: RemoteId, term: i64) {
        if self.term(remote).is_none() {
            self.hold(remote, term);
        }
    }

    /// A remote is no longer ours.
    pub(crate) fn let_go(&self, remote: RemoteId) {
        let readings = self.readings.load(Ordering::SeqCst);
        let mut state = lock(&self.state);
        state.held.remove(&remote);
        state.let_go.insert(remote, readings);
    }

    /// Something does not fit: how things stand is looked at without delay.
    pub(crate) fn look_now(&self) {
        self.look_now.notify_one();
    }

    fn renewed(&self, begun: Now) {
        let surely = self.timings.life.saturating_sub(self.timings.margin);
        let mut state = lock(&self.state);
        state.until = (begun.after(surely), later(begun.wall, surely));
        state.failing = None;
    }

    /// Why nothing that is held is surely ours; `None`: it is.
    pub(crate) fn lapsed(&self) -> Option<String> {
        let now = self.clock.now();
        let state = lock(&self.state);
        let (mono, wall) = state.until;
        if now.mono < mono && now.wall < wall {
            return None;
        }
        let why = state.failing.clone().unwrap_or_else(|| "no answer yet".to_owned());
        Some(format!("the lease in the database could not be renewed ({why})"))
    }

    /// When what is held lapses if nothing is heard until then.
    pub(crate) fn lapses(&self) -> Duration {
        lock(&self.state).until.0
    }

    /// Why a remote may not be touched by this process; `None`: it may.
    pub(crate) fn not_ours(&self, remote: RemoteId) -> Option<Cause> {
        if let Some(text) = self.lapsed() {
            return Some(Cause::Unattended { text });
        }
        if self.term(remote).is_some() {
            return None;
        }
        Some(self.whose(remote))
    }

    /// Who looks after a remote that is not ours.
    pub(crate) fn whose(&self, remote: RemoteId) -> Cause {
        let reading = self.stand.borrow();
        let stand = &reading.stand;
        let owner = stand.holding(remote).and_then(|one| one.owner.as_deref());
        let unattended = |text: &str| Cause::Unattended { text: text.to_owned() };
        match owner {
            Some(id) if id == self.id() => unattended("it is being handed from one process to another"),
            Some(id) => match stand.alive(id) {
                Some(one) => Cause::RunElsewhere {
                    process: one.process.name.clone(),
                    address: one.process.address.clone(),
                },
                None => unattended("the process that did has ended, or is cut off from the database"),
            },
            None => unattended("none has taken it yet"),
        }
    }

    /// Looks how things stand.
    async fn look(&self) -> Result<(), StoreError> {
        let number = self.readings.fetch_add(1, Ordering::SeqCst) + 1;
        let stand = self.leases.stand().await?;
        self.stand.send_replace(Arc::new(Reading { number, stand }));
        Ok(())
    }

    /// Says that it lives, and looks how things stand, as long as there is somebody to do that for.
    async fn renewing(self: Arc<Self>) {
        let mut due = self.clock.now().after(self.timings.renew);
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.timings.look) => {}
                () = self.look_now.notified() => tokio::time::sleep(self.timings.look / 10).await,
            }
            let begun = self.clock.now();
            let mut result = Ok(());
            if begun.mono >= due || self.lapsed().is_some() {
                let settled = self.settled.swap(false, Ordering::SeqCst);
                result = self.leases.renew(settled).await;
                if result.is_ok() {
                    self.renewed(begun);
                    due = begun.after(self.timings.renew);
                } else {
                    self.settled.fetch_or(settled, Ordering::SeqCst);
                }
            }
            let result = match result {
                Ok(()) => self.look().await,
                failed => failed,
            };
            if let Err(error) = result {
                let text = error.to_string();
                let mut state = lock(&self.state);
                if state.failing.is_none() {
                    tracing::warn!(%error, "how things stand with the other processes cannot be told");
                }
                state.failing = Some(text);
            }
        }
    }

    /// How many remotes are this process's part, by how things stand. Those that live and do not take theirs have none:
    /// it would be nobody's.
    fn share(&self, stand: &Stand) -> usize {
        let counts = |one: &&ProcessRecord| one.settles || one.process.id == self.id();
        let taking: Vec<&str> = stand.living().filter(counts).map(|one| one.process.id.as_str()).collect();
        let Some(rank) = taking.iter().position(|id| *id == self.id()) else { return 0 };
        let all = stand.holdings.len();
        all / taking.len() + usize::from(rank < all % taking.len())
    }

    /// Takes what is missing to its part, of what nobody living looks after.
    async fn take(&self, stand: &Stand) -> Result<(), StoreError> {
        let free = |owner: Option<&str>| owner.is_none_or(|id| stand.alive(id).is_none());
        let free = stand.holdings.iter().filter(|one| free(one.owner.as_deref())).count();
        let missing = self.share(stand).saturating_sub(lock(&self.state).held.len());
        if free.min(missing) == 0 || self.lapsed().is_some() {
            return Ok(());
        }
        for (remote, term) in self.leases.take(missing).await? {
            tracing::info!(%remote, term, "this process looks after the remote from now on");
            self.hold(remote, term);
        }
        Ok(())
    }

    /// Compares what is held with how things stand: what another has taken is let go, and what is ours by the store,
    /// unknown to us, is held.
    fn compare(&self, reading: &Reading) {
        for (remote, held) in self.held() {
            let Some(told) = reading.stand.holding(remote) else { continue };
            let ours = told.owner.as_deref() == Some(self.id()) && told.term == held.term;
            if !ours && reading.number > held.since {
                tracing::warn!(%remote, "another process has taken the remote over");
                self.let_go(remote);
            }
        }
        for told in &reading.stand.holdings {
            let known = {
                let state = lock(&self.state);
                state.held.contains_key(&told.remote)
                    || state.let_go.get(&told.remote).is_some_and(|readings| reading.number <= *readings)
            };
            if told.owner.as_deref() == Some(self.id()) && !known {
                self.hold(told.remote, told.term);
            }
        }
        lock(&self.state).let_go.retain(|_, readings| reading.number <= *readings);
    }
}
