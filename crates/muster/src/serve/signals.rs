//! What the process is told from outside: end, or read your settings again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::failure::Failure;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM or SIGINT: end.
    End,
    /// SIGHUP: read certificate and log level again.
    Reload,
}

/// The signals, caught from the moment this is made.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Catches them.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn catch() -> Result<Self, Failure> {
        let trouble = |e| Failure::new(Exit::Failed, format!("Signals cannot be caught: {e}."));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(trouble)?,
            interrupt: signal(SignalKind::interrupt()).map_err(trouble)?,
            hang_up: signal(SignalKind::hangup()).map_err(trouble)?,
        })
    }

    /// Waits until one says to end.
    pub async fn end(&mut self) {
        while self.next().await != Asked::End {}
    }

    /// The next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}
