//! A guest as known, and what a listing changes about it.

use std::sync::Arc;

use jiff::Timestamp;
use model::guest::GuestState;
use model::presence::{Presence, Traits};
use model::rows::{GuestRow, Standing};
use model::{ConfigChange, EndpointId, Freshness, Guest, Incarnation, Now, Text};

use super::{Doubt, Reading};
use crate::change::Change;
use crate::clock::Micros;

/// A guest as known. Reads as its row; the row is shared with snapshots, and replaced when it changes.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The facts. What follows from the link (`state`, `freshness`, `standing`, `busy`) is brought up to date when a
    /// snapshot is made.
    pub(crate) row: Arc<GuestRow>,
    pub(crate) traits: Traits,
    pub(crate) first_seen: Timestamp,
    pub(crate) doubt: Option<Doubt>,
    /// Its configuration as last read: a digest of it, and when.
    pub(crate) config: Option<(u64, Timestamp)>,
    /// A task destroyed it, as told then (monotonic): if a listing begun later has the number, it is another
    /// guest.
    pub(super) ended: Option<Micros>,
    /// Since when this life is known (monotonic).
    pub(super) born: Micros,
    /// When it was last asked for its own state (monotonic): listings that may lag behind that do not count for it.
    pub(super) glimpsed: Option<Micros>,
}

impl std::ops::Deref for Known {
    type Target = GuestRow;

    fn deref(&self) -> &GuestRow {
        &self.row
    }
}

impl Known {
    pub(super) fn new(
        guest: Guest,
        seen: Option<(Timestamp, EndpointId)>,
        doubt: Option<Doubt>,
        now: Now,
    ) -> Self {
        let traits = Traits { kind: Some(guest.kind), ..Traits::default() };
        let (observed_at, through) = seen.unzip();
        let row = Arc::new(GuestRow {
            state: GuestState::Unknown,
            guest,
            incarnation: Incarnation::default(),
            observed_at,
            through,
            freshness: Freshness::NeverSeen,
            presence: Presence::Present,
            standing: Standing::Unknown,
            addresses: None,
            busy: None,
        });
        Self::of(row, traits, now.wall, doubt, now)
    }

    /// A guest as it was kept.
    pub(crate) fn of(
        row: Arc<GuestRow>,
        traits: Traits,
        first_seen: Timestamp,
        doubt: Option<Doubt>,
        now: Now,
    ) -> Self {
        Self {
            row,
            traits,
            first_seen,
            doubt,
            config: None,
            ended: None,
            born: Micros::of(now.mono),
            glimpsed: None,
        }
    }

    /// Its row, to be changed: a copy of its own while a snapshot holds the other.
    pub(crate) fn row_mut(&mut self) -> &mut GuestRow {
        Arc::make_mut(&mut self.row)
    }

    /// Whether a task destroyed it.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    pub(crate) fn end(&mut self, now: Now) {
        self.ended = Some(Micros::of(now.mono));
    }

    /// The number is another guest's from here on: what the last one told of itself is not this one's.
    pub(super) fn reborn(&mut self, traits: Traits, now: Now) {
        let row = self.row_mut();
        row.incarnation = row.incarnation.next();
        row.addresses = None;
        self.traits = traits;
        self.first_seen = now.wall;
        self.config = None;
        self.ended = None;
        self.born = Micros::of(now.mono);
        self.glimpsed = None;
    }

    pub(super) fn fill(
        &mut self,
        name: Option<Text>,
        template: Option<bool>,
        memory_max: Option<u64>,
        cpus: Option<f64>,
    ) {
        let guest = &mut self.row_mut().guest;
        guest.name = name.or(guest.name.take());
        guest.template = template.or(guest.template);
        guest.memory_max = memory_max.or(guest.memory_max);
        guest.cpus = cpus.or(guest.cpus);
    }

    /// A row that is known for sure takes the place of the last one. Returns whether more than the figures moved.
    pub(super) fn replace(
        &mut self,
        mut fresh: Guest,
        reading: &Reading,
        now: Now,
        changes: &mut Vec<Change>,
    ) -> bool {
        let (vmid, before, old) = (fresh.vmid, changes.len(), &self.row.guest);
        // A name is never lost to a row that happens to lack it; and the same name is kept once.
        if fresh.name.is_none() || fresh.name == old.name {
            fresh.name.clone_from(&old.name);
        }
        if old.state != fresh.state {
            changes.push(Change::GuestState { vmid, from: old.state.clone(), to: fresh.state.clone() });
        }
        if old.node != fresh.node {
            changes.push(Change::GuestMoved { vmid, from: old.node.clone(), to: fresh.node.clone() });
        }
        if old.name != fresh.name {
            changes.push(Change::GuestRenamed { vmid, from: old.name.clone(), to: fresh.name.clone() });
        }
        let different = reshaped(old, &fresh);
        if !different.is_empty() {
            changes.push(Change::GuestReshaped { vmid, changes: different });
        }
        let through = match &self.row.through {
            Some(known) if *known == reading.through => known.clone(),
            _ => reading.through.clone(),
        };
        let row = self.row_mut();
        row.guest = fresh;
        (row.observed_at, row.through) = (Some(now.wall), Some(through));
        changes.len() > before
    }
}

/// What a row says of a guest's shape, key by key, where it is different.
fn reshaped(old: &Guest, new: &Guest) -> Vec<ConfigChange> {
    let mut changes = Vec::new();
    let mut note = |key: &str, from: Option<String>, to: Option<String>| {
        changes.push(ConfigChange { key: key.into(), from, to });
    };
    fn text<T: ToString>(value: Option<&T>) -> Option<String> {
        value.map(ToString::to_string)
    }
    let tags = |tags: &[Text]| (!tags.is_empty()).then(|| tags.join(";"));
    if old.template != new.template {
        note("template", text(old.template.as_ref()), text(new.template.as_ref()));
    }
    if old.memory_max != new.memory_max {
        note("memory", text(old.memory_max.as_ref()), text(new.memory_max.as_ref()));
    }
    if old.disk_max != new.disk_max {
        note("disk", text(old.disk_max.as_ref()), text(new.disk_max.as_ref()));
    }
    if old.cpus.map(f64::to_bits) != new.cpus.map(f64::to_bits) {
        note("cpus", text(old.cpus.as_ref()), text(new.cpus.as_ref()));
    }
    if old.tags != new.tags {
        note("tags", tags(&old.tags), tags(&new.tags));
    }
    if old.pool != new.pool {
        note("pool", text(old.pool.as_ref()), text(new.pool.as_ref()));
    }
    if old.lock != new.lock {
        note("lock", text(old.lock.as_ref()), text(new.lock.as_ref()));
    }
    if old.ha != new.ha {
        note("ha", text(old.ha.as_ref()), text(new.ha.as_ref()));
    }
    changes
}
