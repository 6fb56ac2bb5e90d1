//! All streams of a server: those with a connection, and those that may still be taken up again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use model::Now;
use model::access::Visible;
use tokio::sync::watch;

use super::Timings;
use super::machine::Machine;
use crate::problem::Problem;

/// All streams. Clones are cheap and share everything.
#[derive(Debug, Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    timings: Timings,
    streams: Mutex<HashMap<String, Arc<Entry>>>,
    closing: watch::Sender<bool>,
    open: AtomicUsize,
    opened: AtomicU64,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    /// Whose it is: nobody else finds it.
    owner: String,
    machine: Mutex<Machine>,
    /// Which connection has it: the latest.
    connection: watch::Sender<u64>,
    /// Rings when something else was subscribed to.
    bell: watch::Sender<()>,
    /// Since when it has none (monotonic).
    left: Mutex<Option<Duration>>,
}

/// A connection's hold on its stream; when it ends, the stream waits to be taken up.
#[derive(Debug)]
pub(super) struct Held {
    hub: Hub,
    pub(super) entry: Arc<Entry>,
    number: u64,
    /// When it was last known to live (monotonic): the wait for another one counts from there.
    last: Duration,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Hub ===

impl Hub {
    /// No stream yet.
    #[must_use]
    pub fn new(timings: Timings) -> Self {
        let (closing, _) = watch::channel(false);
        let inner = Inner {
            timings,
            streams: Mutex::default(),
            closing,
            open: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The figures.
    #[must_use]
    pub fn timings(&self) -> &Timings {
        &self.inner.timings
    }

    /// Streams with a connection.
    #[must_use]
    pub fn open(&self) -> usize {
        self.inner.open.load(Ordering::Relaxed)
    }

    /// Connections of streams since the start.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.inner.opened.load(Ordering::Relaxed)
    }

    /// Ends all streams, now and from now on.
    pub fn close(&self) {
        self.inner.closing.send_replace(true);
    }

    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.inner.closing.subscribe()
    }

    /// Begins a stream.
    ///
    /// # Errors
    /// 429 when there are too many.
    pub(super) fn begin(&self, owner: &str, visible: Visible, now: Now) -> Result<Held, Problem> {
        let timings = &self.inner.timings;
        let mut streams = lock(&self.inner.streams);
        streams.retain(|_, entry| !entry.is_over(timings.resume, now.mono));
        let of_owner = streams.values().filter(|entry| entry.owner == owner).count();
        if of_owner >= timings.streams_per_caller {
            make_room(&mut streams, |entry| entry.owner == owner)?;
        }
        if streams.len() >= timings.streams {
            make_room(&mut streams, |_| true)?;
        }
        let id = format!("{:032x}", rand::random::<u128>());
        let entry = Arc::new(Entry {
            id: id.clone(),
            owner: owner.to_owned(),
            machine: Mutex::new(Machine::new(id.clone(), visible, timings.clone())),
            connection: watch::Sender::new(0),
            bell: watch::Sender::new(()),
            left: Mutex::new(Some(now.mono)),
        });
        streams.insert(id, entry.clone());
        drop(streams);
        Ok(self.hold(entry, now))
    }

    /// The stream of that id, if it is the caller's.
    pub(super) fn find(&self, id: &str, owner: &str, now: Now) -> Option<Arc<Entry>> {
        let streams = lock(&self.inner.streams);
        let entry = streams.get(id).filter(|entry| entry.owner == owner)?;
        (!entry.is_over(self.inner.timings.resume, now.mono)).then(|| entry.clone())
    }

    /// Gives the stream to a new connection; one that still has it is ended.
    pub(super) fn hold(&self, entry: Arc<Entry>, now: Now) -> Held {
        let mut left = lock(&entry.left);
        *left = None;
        let number = *entry.connection.borrow() + 1;
        entry.connection.send_replace(number);
        drop(left);
        self.inner.open.fetch_add(1, Ordering::Relaxed);
        self.inner.opened.fetch_add(1, Ordering::Relaxed);
        Held { hub: self.clone(), entry, number, last: now.mono }
    }

    /// Forgets a stream: it cannot be taken up.
    pub(super) fn forget(&self, id: &str) {
        lock(&self.inner.streams).remove(id);
    }
}

/// Lets go of the stream that has been without connection for longest.
fn make_room(streams: &mut HashMap<String, Arc<Entry>>, of: impl Fn(&Entry) -> bool) -> Result<(), Problem> {
    let left = streams.iter().filter(|(_, entry)| of(entry));
    let longest = left.filter_map(|(id, entry)| Some(((*lock(&entry.left))?, id.clone()))).min();
    match longest {
        Some((_, id)) => {
            streams.remove(&id);
            Ok(())
        }
        None => {
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", "Too many live streams.")
                .remedy("Close some of the windows that show live data.")
                .retry_after(Duration::from_secs(60)))
        }
    }
}

// === impl Entry ===

impl Entry {
    /// The machine. Nobody waits while holding it.
    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.machine)
    }

    /// Tells the connection to look whether there is something to tell.
    pub(super) fn ring(&self) {
        self.bell.send_replace(());
    }

    pub(super) fn bell(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// Which connection has it.
    pub(super) fn connection(&self) -> watch::Receiver<u64> {
        self.connection.subscribe()
    }

    fn is_over(&self, after: Duration, now: Duration) -> bool {
        lock(&self.left).is_some_and(|left| now.saturating_sub(left) > after)
    }
}

// === impl Held ===

impl Held {
    /// Whether another connection has taken the stream.
    pub(super) fn is_lost(&self) -> bool {
        *self.entry.connection.borrow() != self.number
    }

    /// The connection lives at this time.
    pub(super) fn lives(&mut self, now: Now) {
        self.last = now.mono;
    }

    /// Ends for good.
    pub(super) fn forget(&self) {
        self.hub.forget(&self.entry.id);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut left = lock(&self.entry.left);
        // Whoever took it over has it.
        if !self.is_lost() {
            *left = Some(self.last);
        }
        drop(left);
        self.hub.inner.open.fetch_sub(1, Ordering::Relaxed);
    }
}
