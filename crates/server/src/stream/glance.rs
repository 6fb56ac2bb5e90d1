//! The topic `overview`: told as a whole, part by part as they change, and not more often than somebody can look.

use std::time::Duration;

use api::overview::{Overview, OverviewChanges, Trouble};
use api::stream::StreamMessage;
use fleet::FleetSnapshot;
use jiff::{SignedDuration, Timestamp};
use model::access::Visible;

use crate::overview;

/// What a client was told of the overview.
#[derive(Debug, Default)]
pub(super) struct Glance {
    told: Option<Overview>,
    /// When it was last looked whether there is something to tell.
    looked_at: Option<Timestamp>,
    /// Something may have changed that was not looked at yet.
    behind: bool,
}

impl Glance {
    /// Whether nothing was told yet.
    pub(super) fn is_new(&self) -> bool {
        self.told.is_none()
    }

    /// Whether something may have changed since the last look.
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }

    /// What is different from what was told last, unless the last look was less than `gap` ago.
    pub(super) fn tick(
        &mut self,
        snapshot: &FleetSnapshot,
        visible: &Visible,
        own: &[Trouble],
        gap: Duration,
        now: Timestamp,
    ) -> Option<StreamMessage> {
        // A clock that was set back makes nobody wait.
        let waited = self.looked_at.map(|at| now.duration_since(at)).filter(|waited| !waited.is_negative());
        let gap = SignedDuration::try_from(gap).unwrap_or(SignedDuration::ZERO);
        if !self.is_new() && waited.is_some_and(|waited| waited < gap) {
            self.behind = true;
            return None;
        }
        (self.looked_at, self.behind) = (Some(now), false);
        let all = overview::told(snapshot, visible, own.to_vec(), now);
        let changes = OverviewChanges::between(self.told.as_ref(), &all);
        self.told = Some(all);
        (!changes.is_nothing()).then(|| StreamMessage::Overview(Box::new(changes)))
    }
}
