//! How long a command may take in all: [`Limit`]. What a person needs to type does not count.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::ask::{Ask, NoAnswer};

/// A bound over everything from connecting to the end. Clones share the time that was spent on typing.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    begun: Instant,
    /// As given with `--timeout`.
    given: Option<Duration>,
    /// What it is when nothing was given: for the first look only.
    usual: Duration,
    typed_ms: Arc<AtomicU64>,
}

impl Limit {
    /// Begins now.
    pub(crate) fn new(given: Option<Duration>, usual: Duration) -> Self {
        Self { begun: Instant::now(), given, usual, typed_ms: Arc::default() }
    }

    fn end(&self) -> Instant {
        let typed = Duration::from_millis(self.typed_ms.load(Ordering::Relaxed));
        self.begun + typed + self.given.unwrap_or(self.usual)
    }

    /// What is left for the first look.
    pub(super) fn left(&self) -> Duration {
        self.end().saturating_duration_since(Instant::now())
    }

    /// What is left of `--timeout`; `None` when it was not given.
    pub(crate) fn left_of_given(&self) -> Option<Duration> {
        self.given.map(|_| self.left())
    }

    /// Comes when the time of `--timeout` is over; never, when it was not given.
    pub(super) async fn over(&self) {
        match self.left_of_given() {
            Some(left) => sleep(left).await,
            None => std::future::pending().await,
        }
    }

    /// `work`, unless the time is over before it is.
    ///
    /// # Errors
    /// It is over.
    pub(crate) async fn bound<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = sleep_until(self.end()) => {}
            }
            // Typing may have moved the end meanwhile.
            if self.left().is_zero() {
                return Err(too_late());
            }
        }
    }

    /// `work` with half of the time there is: what follows needs some as well.
    ///
    /// # Errors
    /// It is over.
    pub(super) async fn bound_half<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::time::timeout(self.left() / 2, work).await.map_err(|_| match self.given {
            Some(_) => {
                Failure::new(Exit::Unreachable, "No answer came in half the time given with --timeout.")
                    .hint("Give it longer.")
            }
            None => too_late(),
        })
    }

    /// Whoever can be asked, with a watch on how long they type.
    pub(crate) fn patient<'a>(&self, ask: &'a mut dyn Ask) -> Patient<'a> {
        Patient { ask, typed_ms: self.typed_ms.clone() }
    }
}

/// What is said when nothing was done in that time.
pub(super) fn too_late() -> Failure {
    Failure::new(Exit::Unreachable, "The time given with --timeout has passed.").hint("Give it longer.")
}

/// Someone who is asked; the time they take is noted.
pub(crate) struct Patient<'a> {
    ask: &'a mut dyn Ask,
    typed_ms: Arc<AtomicU64>,
}

impl Patient<'_> {
    fn timed<T>(&mut self, question: impl FnOnce(&mut dyn Ask) -> T) -> T {
        let began = Instant::now();
        let answer = question(self.ask);
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(0);
        self.typed_ms.fetch_add(took, Ordering::Relaxed);
        answer
    }
}

impl Ask for Patient<'_> {
    fn present(&self) -> bool {
        self.ask.present()
    }

    fn tell(&mut self, line: &str) {
        self.ask.tell(line);
    }

    fn line(&mut self, question: &str, default: Option<&str>) -> Result<String, NoAnswer> {
        self.timed(|ask| ask.line(question, default))
    }

    fn secret(&mut self, question: &str) -> Result<Zeroizing<String>, NoAnswer> {
        self.timed(|ask| ask.secret(question))
    }

    fn judged(&mut self) {
        self.ask.judged();
    }
}
