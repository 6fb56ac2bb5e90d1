//! An operation, looked at until it has ended; or many, without asking too often.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::operation::Operation;
use model::OperationState;
use model::operation::UnknownWhy;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::client::{Client, path};
use crate::exit::Exit;
use crate::failure::Failure;

/// Between two looks at an operation: soon at first, then at leisure.
const LOOKS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(800)];

/// Between two looks at any of many: fifty a second at most.
const APART: Duration = Duration::from_millis(20);

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// How often the server is asked, by all who follow something together.
pub(in crate::cmd) struct Pace {
    open: AtomicUsize,
    places: Semaphore,
}

impl Pace {
    /// For so many operations.
    pub(in crate::cmd) fn of(operations: usize) -> Self {
        Self { open: AtomicUsize::new(operations), places: Semaphore::new(AT_ONCE) }
    }

    /// Does it once a place is free.
    pub(super) async fn at_its_place<T>(&self, request: impl Future<Output = T>) -> T {
        // It is never closed; were it, all would go at once.
        let _place = self.places.acquire().await.ok();
        request.await
    }

    /// One fewer is followed.
    pub(super) fn ended(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// How long to wait before the next look at one that was looked at so often.
    fn pause(&self, looks: usize) -> Duration {
        let open = u32::try_from(self.open.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        let alone = LOOKS.get(looks / 5).copied().unwrap_or(Duration::from_secs(1));
        alone.max(APART.saturating_mul(open))
    }
}

/// Follows an operation to its end, or as near to it as it will come by itself.
///
/// # Errors
/// It cannot be asked for any longer.
pub(in crate::cmd) async fn follow(
    client: &Client,
    mut operation: Operation,
    pace: &Pace,
    mut on_look: impl FnMut(&Operation),
) -> Result<Box<Operation>, Failure> {
    let id = operation.id.to_string();
    let mut silent = 0;
    for look in 0_usize.. {
        on_look(&operation);
        if settled(&operation) {
            break;
        }
        sleep(pace.pause(look)).await;
        match pace.at_its_place(client.get(&path(&["operations", &id]))).await {
            Ok(fresh) => {
                operation = fresh;
                silent = 0;
            }
            // A server that is being restarted takes it up again; so do we.
            Err(failure) if failure.exit == Exit::Unreachable && silent < 30 => silent += 1,
            Err(failure) => return Err(failure),
        }
    }
    Ok(Box::new(operation))
}

/// Is there nothing more to wait for? An outcome that is being looked for in the task list is waited for; one that
/// hangs on a dead node or on the HA manager may take for ever, and is said to be unknown.
pub(in crate::cmd) fn settled(operation: &Operation) -> bool {
    match &operation.state {
        OperationState::OutcomeUnknown(why) => !matches!(why, UnknownWhy::Lost { .. }),
        _ => operation.is_final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_looked_at_less_often_each() {
        let one = Pace::of(1);
        assert_eq!([one.pause(0), one.pause(5), one.pause(100)].map(|p| p.as_millis()), [100, 300, 1000]);
        let many = Pace::of(500);
        assert_eq!([many.pause(0), many.pause(100)].map(|p| p.as_millis()), [10_000, 10_000]);
        (0..490).for_each(|_| many.ended());
        assert_eq!(many.pause(0).as_millis(), 200, "as they end the others are looked at more often");
    }
}
