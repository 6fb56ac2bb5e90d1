//! A task's log, as it stands or as it grows: [`read`]. The same for a server's answers and for a host's own.

use std::future::Future;
use std::time::Duration;

use model::{TaskOutcome, Text};
use tokio::time::{Instant, sleep};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::safe;

/// Lines asked for at once.
pub(crate) const PAGE: u64 = 500;

/// Between two looks at a log that grows.
const PAUSE: Duration = Duration::from_millis(700);

/// Some lines of a log, and how the task stood before they were read.
pub(crate) struct Page {
    /// The lines.
    pub lines: Vec<Text>,
    /// How the task stood; `None`: on no list.
    pub outcome: Option<TaskOutcome>,
}

/// How a log is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    /// To the end of the task, not only of what is there.
    pub follow: bool,
    /// For how long nobody may know how a task stands: one that has just begun is on no list yet.
    pub patience: Duration,
}

/// Is that an end, or a task that runs?
fn known(outcome: Option<&TaskOutcome>) -> bool {
    outcome.is_some_and(|outcome| *outcome != TaskOutcome::Unknown)
}

/// Reads a log page by page; `take` gets its lines with the number of the first. Comes back with how the task stood
/// at last. `stop` is why nobody waits any longer.
///
/// # Errors
/// It cannot be read, or `stop` came first.
pub(crate) async fn read(
    how: How,
    page: impl AsyncFn(u64) -> Result<Page, Failure>,
    mut take: impl FnMut(u64, &[Text]) -> Result<(), Failure>,
    stop: impl Future<Output = Failure>,
) -> Result<Option<TaskOutcome>, Failure> {
    let work = async {
        let (mut next, mut unknown_since) = (0, None);
        loop {
            let Page { mut lines, outcome } = page(next).await?;
            let ended = outcome.as_ref().is_some_and(TaskOutcome::has_ended);
            // Proxmox VE says so of a log that is still empty. Counted as a line it would hide the first real one.
            let may_grow = !ended && (how.follow || outcome.is_some());
            if may_grow && next == 0 && lines.iter().map(Text::as_str).eq(["no content"]) {
                lines.clear();
            }
            let count = u64::try_from(lines.len()).unwrap_or(PAGE);
            take(next, &lines)?;
            next += count;
            if count >= PAGE {
                continue;
            }
            if ended || !how.follow {
                return Ok(outcome);
            }
            if known(outcome.as_ref()) {
                unknown_since = None;
            } else if unknown_since.get_or_insert_with(Instant::now).elapsed() >= how.patience {
                return Ok(outcome);
            }
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        outcome = work => outcome,
        failure = stop => Err(failure),
    }
}

/// What following a task comes to: it ends as the task did. `again` is the command that looks once more.
///
/// # Errors
/// How the task ended is not known.
pub(crate) fn end(
    outcome: Option<TaskOutcome>,
    again: &str,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    match outcome {
        Some(TaskOutcome::Ok | TaskOutcome::Warnings { .. }) => Ok(Exit::Done),
        Some(TaskOutcome::Failed { text }) => {
            context.note(&safe(&format!("The task failed: {text}")));
            Ok(Exit::Failed)
        }
        Some(TaskOutcome::Running | TaskOutcome::Unknown) | None => {
            let what = "Whether the task has ended, and how, is not known: no list of tasks tells it.";
            Err(Failure::new(Exit::OutcomeUnknown, what).hint(format!("Look at it again: {again}")))
        }
    }
}
