//! What people decide about operations: what became of one where nobody else can tell, and that one is not to be sent
//! after all.

use model::matching::Found;
use model::operation::{Event, UnknownWhy};
use model::{Author, Now, OperationId, OperationState};
use pve::upid::Upid;

use super::{Remote, Resolution, ResolveError, TakeBackError};
use crate::journal::Fact;
use crate::rows::task_of;

impl Remote {
    /// Takes in what a person decided about an outcome that nobody else can tell.
    pub(super) async fn resolve(
        &mut self,
        id: OperationId,
        resolution: Resolution,
        author: &Author,
        now: Now,
    ) -> Result<(), ResolveError> {
        let Some(ride) = self.rides.get(&id) else { return self.close_unread(id).await };
        let OperationState::OutcomeUnknown(why) = &ride.operation.state else {
            return Err(ResolveError::NotOpen);
        };
        let task = match resolution {
            Resolution::NotSent => None,
            Resolution::Task(task) => {
                if let UnknownWhy::Candidates { tasks } = why
                    && !tasks.contains(&task)
                {
                    return Err(ResolveError::NotACandidate(task));
                }
                // Whoever decides may know more than we do, but not that it is another guest's, or was there before.
                let may_be = |upid: Upid| self.find(id, &[task_of(&upid)]) != Found::Nothing;
                if !task.as_str().parse::<Upid>().is_ok_and(may_be) {
                    return Err(ResolveError::NotACandidate(task));
                }
                Some(task)
            }
        };
        let by = author.name.clone();
        if !self.step_ride(id, Event::Resolved { task, by }, now) {
            return Err(ResolveError::NotOpen);
        }
        if self.publish().await { Ok(()) } else { Err(ResolveError::NotRecorded) }
    }

    /// Takes an operation back that has not left. As everything about it is decided here, one after the other, it is
    /// either taken back or sent, never both; and it is recorded before anybody is told.
    pub(super) async fn take_back(
        &mut self,
        id: OperationId,
        author: &Author,
        now: Now,
    ) -> Result<(), TakeBackError> {
        let rules = self.common.timings.operation.clone();
        let ride = self.rides.get(&id).ok_or(TakeBackError::NoSuchOperation)?;
        let mut recorded = ride.recorded();
        if !recorded.operation.step(Event::TakenBack { by: author.name.clone() }, &rules, now) {
            return Err(match ride.operation.state.is_final() {
                true => TakeBackError::Ended(ride.operation.sentence()),
                false => TakeBackError::Sent,
            });
        }
        // What still waits to be recorded of it is older than this, and must not come after it.
        if !self.publish().await {
            return Err(TakeBackError::NotRecorded("what was before could not be recorded yet".to_owned()));
        }
        let line = self.line_of(&recorded.operation, recorded.incarnation, now);
        let facts = vec![Fact::Operation(Box::new(recorded.clone())), line];
        self.common
            .journal
            .commit(self.id, facts)
            .await
            .map_err(|error| TakeBackError::NotRecorded(error.to_string()))?;
        if let Some(ride) = self.rides.get_mut(&id) {
            ride.operation = recorded.operation;
            ride.in_line = None;
        }
        self.dirty = true;
        self.publish().await;
        Ok(())
    }

    /// A person says that an operation whose record cannot be read is over. Its record stays as it is.
    async fn close_unread(&mut self, id: OperationId) -> Result<(), ResolveError> {
        let closed = self.unread.closed(id).ok_or(ResolveError::NoSuchOperation)?;
        let facts = vec![Fact::Kept(Box::new(closed))];
        if self.common.journal.commit(self.id, facts).await.is_err() {
            return Err(ResolveError::NotRecorded);
        }
        self.unread.forget_operation(id);
        self.dirty = true;
        self.publish().await;
        Ok(())
    }
}
