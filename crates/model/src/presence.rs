//! Whether a guest that a listing lacks is gone: missing, deleted, or only hidden from us.
//!
//! Three things must agree before *deleted* is said: two successive complete listings without it, the
//! account's permissions unchanged around them, and the guest's own node saying that its configuration does
//! not exist. Also here: the rule by which late answers are dropped, and the one that tells a reused number
//! from the guest that had it before.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{GuestKind, Text};
use crate::time::Now;

/// A digest of `GET /access/permissions`, to be compared and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PermissionsMark(pub u64);

/// Whether a guest is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Presence {
    /// In the latest listing.
    Present,
    /// Absent from it; still shown as last seen.
    Missing {
        /// Since the first listing that lacked it.
        since: Timestamp,
        /// Successive complete listings that lacked it under unchanged permissions.
        listings: u32,
        /// The permissions under which they were made.
        #[serde(skip)]
        mark: Option<PermissionsMark>,
    },
    /// Gone; believed only after all three signs.
    Deleted {
        /// When the last sign came in.
        at: Timestamp,
    },
    /// Asking for it was forbidden: it may well exist.
    NoLongerVisible {
        /// Since the first listing that lacked it.
        since: Timestamp,
    },
}

/// What its own node says when asked for the configuration of a guest that listings lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inquiry {
    /// It has a configuration.
    Exists,
    /// Its configuration does not exist.
    DoesNotExist,
    /// We may not ask (403).
    Forbidden,
    /// No answer that says anything (node down, link down, another error).
    NoAnswer,
}

impl Presence {
    /// In the latest listing.
    #[must_use]
    pub fn is_present(&self) -> bool {
        matches!(self, Self::Present)
    }

    /// Whether its node shall now be asked for its configuration.
    #[must_use]
    pub fn asks(&self) -> bool {
        match self {
            Self::Missing { listings, .. } => *listings >= 2,
            Self::NoLongerVisible { .. } | Self::Present | Self::Deleted { .. } => false,
        }
    }

    /// After a listing that contains it.
    #[must_use]
    pub fn listed(self) -> Self {
        Self::Present
    }

    /// After a listing that lacks it. `complete`: every row of it could be read. `before` and `after`: the
    /// account's permissions as read last before the listing and first after it, where they were.
    #[must_use]
    pub fn absent(
        self,
        complete: bool,
        before: Option<PermissionsMark>,
        after: Option<PermissionsMark>,
        now: Now,
    ) -> Self {
        let unchanged = before.is_some() && before == after;
        match self {
            Self::Present => {
                Self::Missing { since: now.wall, listings: u32::from(complete && unchanged), mark: after }
            }
            Self::Missing { since, .. } if !complete => Self::Missing { since, listings: 0, mark: after },
            Self::Missing { since, listings, mark } => {
                // Permissions that changed in between may have hidden it: counting starts anew.
                let same = unchanged && (listings == 0 || mark == after);
                let listings = if same { listings.saturating_add(1) } else { 0 };
                Self::Missing { since, listings, mark: after }
            }
            settled @ (Self::Deleted { .. } | Self::NoLongerVisible { .. }) => settled,
        }
    }

    /// After its node was asked.
    #[must_use]
    pub fn asked(self, said: Inquiry, now: Now) -> Self {
        match (self, said) {
            (Self::Missing { listings, .. }, Inquiry::DoesNotExist) if listings >= 2 => {
                Self::Deleted { at: now.wall }
            }
            (Self::Missing { since, .. }, Inquiry::Forbidden) => Self::NoLongerVisible { since },
            (Self::Missing { since, mark, .. }, Inquiry::Exists) => {
                Self::Missing { since, listings: 0, mark }
            }
            (same, _) => same,
        }
    }

    /// After the account's permissions changed: what was hidden may be asked for again.
    #[must_use]
    pub fn permissions_changed(self) -> Self {
        match self {
            Self::NoLongerVisible { since } => Self::Missing { since, listings: 0, mark: None },
            Self::Missing { since, mark, .. } => Self::Missing { since, listings: 0, mark },
            other => other,
        }
    }
}

/// Lets answers through in the order in which their requests were begun: one begun before the last that was
/// applied is dropped.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    applied: Option<Duration>,
}

impl Gate {
    /// Whether the answer to a request begun then (monotonic) may be applied; if so, it counts as applied.
    pub fn admit(&mut self, begun: Duration) -> bool {
        if self.applied.is_some_and(|applied| begun < applied) {
            return false;
        }
        self.applied = Some(begun);
        true
    }
}

/// What tells one life of a number from the next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traits {
    /// Container or virtual machine.
    pub kind: Option<GuestKind>,
    /// `ctime` out of the configuration's `meta`.
    pub ctime: Option<i64>,
    /// `vmgenid` of the configuration.
    pub vmgenid: Option<Text>,
}

impl Traits {
    /// Whether `seen` can be the same guest. A trait that is not known on one side says nothing.
    #[must_use]
    pub fn may_be(&self, seen: &Self) -> bool {
        fn agree<T: PartialEq>(old: Option<&T>, new: Option<&T>) -> bool {
            match (old, new) {
                (Some(old), Some(new)) => old == new,
                _ => true,
            }
        }
        agree(self.kind.as_ref(), seen.kind.as_ref())
            && agree(self.ctime.as_ref(), seen.ctime.as_ref())
            && agree(self.vmgenid.as_ref(), seen.vmgenid.as_ref())
    }

    /// The same guest, with what is newly known.
    #[must_use]
    pub fn merged(self, seen: Self) -> Self {
        Self {
            kind: seen.kind.or(self.kind),
            ctime: seen.ctime.or(self.ctime),
            vmgenid: seen.vmgenid.or(self.vmgenid),
        }
    }
}

/// Whether a finished task of this type means that the number is another guest from then on.
#[must_use]
pub fn begins_new_life(task_type: &str) -> bool {
    matches!(task_type, "qmcreate" | "vzcreate" | "qmrestore" | "vzrestore" | "qmdestroy" | "vzdestroy")
}
