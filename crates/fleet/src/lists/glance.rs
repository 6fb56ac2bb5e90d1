//! What most queries ask of a guest, close together in memory: to go over 100,000 rows is to wait for memory, and
//! a row is long.

use std::sync::OnceLock;

use model::rows::{GuestRow, Standing};
use model::{Freshness, GuestKind, GuestState, Vmid};

/// The glances at all guests of a snapshot, made when a list first needs them. A copy of a snapshot, which may be
/// changed before others see it, begins without.
#[derive(Debug, Default)]
pub struct Glances(OnceLock<Vec<Glance>>);

impl Clone for Glances {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Glances {
    /// One per guest, in the same order.
    pub(super) fn of(&self, guests: &[std::sync::Arc<GuestRow>]) -> &[Glance] {
        self.0.get_or_init(|| guests.iter().map(|guest| Glance::at(guest)).collect())
    }
}

/// What most queries ask of a guest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glance {
    pub(super) kind: GuestKind,
    pub(super) status: Status,
    pub(super) fresh: Fresh,
    pub(super) vmid: Vmid,
    /// Not a number where it is not known.
    cpu: f64,
    memory: f64,
}

/// What `status:` tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Stopped,
    Paused,
    Suspended,
    /// A word of its own, which stands in the row.
    Other,
    Unknown,
    NodeDown,
    OutOfReach,
    Missing,
    Deleted,
    NotVisible,
}

/// What `fresh:` tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fresh {
    Live,
    Stale,
    NeverSeen,
}

impl Status {
    pub(super) fn of(row: &GuestRow) -> Self {
        match (&row.standing, &row.state) {
            (Standing::Known { .. }, GuestState::Running) => Self::Running,
            (Standing::Known { .. }, GuestState::Stopped) => Self::Stopped,
            (Standing::Known { .. }, GuestState::Paused) => Self::Paused,
            (Standing::Known { .. }, GuestState::Suspended) => Self::Suspended,
            (Standing::Known { .. }, GuestState::Other(_)) => Self::Other,
            (Standing::Known { .. }, GuestState::Unknown) | (Standing::Unknown, _) => Self::Unknown,
            (Standing::NodeDown { .. }, _) => Self::NodeDown,
            (Standing::OutOfReach, _) => Self::OutOfReach,
            (Standing::Missing, _) => Self::Missing,
            (Standing::Deleted, _) => Self::Deleted,
            (Standing::NotVisible, _) => Self::NotVisible,
        }
    }

    /// The word for it; `None` where it stands in the row.
    pub(super) fn word(self) -> Option<&'static str> {
        Some(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Other => return None,
            Self::Unknown => "unknown",
            Self::NodeDown => "node_down",
            Self::OutOfReach => "out_of_reach",
            Self::Missing => "missing",
            Self::Deleted => "deleted",
            Self::NotVisible => "not_visible",
        })
    }

    /// Whether it is the state it is in, rather than why that is not known.
    pub(super) fn is_known(self) -> bool {
        matches!(self, Self::Running | Self::Stopped | Self::Paused | Self::Suspended | Self::Other)
    }
}

impl Fresh {
    pub(super) fn of(freshness: &Freshness) -> Self {
        match freshness {
            Freshness::Live => Self::Live,
            Freshness::Stale { .. } => Self::Stale,
            Freshness::NeverSeen => Self::NeverSeen,
        }
    }

    /// The word for it, as in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::NeverSeen => "never_seen",
        }
    }
}

impl Glance {
    fn at(row: &GuestRow) -> Self {
        Self {
            kind: row.guest.kind,
            status: Status::of(row),
            fresh: Fresh::of(&row.freshness),
            vmid: row.guest.vmid,
            cpu: row.guest.cpu.unwrap_or(f64::NAN),
            memory: row.guest.memory.map_or(f64::NAN, super::subject::bytes),
        }
    }

    pub(super) fn cpu(&self) -> Option<f64> {
        (!self.cpu.is_nan()).then_some(self.cpu)
    }

    pub(super) fn memory(&self) -> Option<f64> {
        (!self.memory.is_nan()).then_some(self.memory)
    }
}
