//! What will happen by itself, in the order of its time.

use std::collections::BTreeMap;

use crate::seam::SimTime;

/// Something that happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A task has run its time.
    TaskEnds(u64),
    /// A task no longer waits for the lock of its guest.
    LockTimesOut(u64),
    /// The HA manager turns to a guest.
    HaActs(u32),
    /// The HA manager takes up the guests of a node that is gone.
    HaRecovers(usize),
}

/// The events to come.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    /// By time, and among equal times by the order in which they were added.
    events: BTreeMap<(SimTime, u64), Event>,
    serial: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, at: SimTime, event: Event) {
        self.serial += 1;
        self.events.insert((at, self.serial), event);
    }

    /// Every event comes so many milliseconds later, or earlier if negative.
    pub(crate) fn shift(&mut self, millis: i64) {
        let events = std::mem::take(&mut self.events);
        self.events =
            events.into_iter().map(|((at, serial), event)| ((at.shifted(millis), serial), event)).collect();
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<SimTime> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next one, if it is due by then.
    pub(crate) fn take(&mut self, now: SimTime) -> Option<(SimTime, Event)> {
        let entry = self.events.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }
}
