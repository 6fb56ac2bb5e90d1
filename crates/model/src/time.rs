//! Time as an argument, and how sure we are of a value.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::id::{EndpointId, NodeName, Text};

/// This instant, twice: `wall` is what people read and may jump; `mono` only grows and is what waits are
/// measured by (since any fixed origin, the same for the whole process).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall clock.
    pub wall: Timestamp,
    /// Monotonic clock.
    pub mono: Duration,
}

impl Now {
    /// `mono` after `wait`.
    #[must_use]
    pub fn after(&self, wait: Duration) -> Duration {
        self.mono.saturating_add(wait)
    }

    /// The wall clock after `wait`; stays put rather than overflow.
    #[must_use]
    pub fn wall_after(&self, wait: Duration) -> Timestamp {
        shift(self.wall, wait)
    }

    /// How long ago `earlier` was, by the monotonic clock.
    #[must_use]
    pub fn since(&self, earlier: Duration) -> Duration {
        self.mono.saturating_sub(earlier)
    }
}

pub(crate) fn shift(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(at)
}

/// A value with when it was observed and through which endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Observed<T> {
    /// What was seen.
    pub value: T,
    /// When the answer that said so arrived.
    pub at: Timestamp,
    /// The endpoint it came through.
    pub through: EndpointId,
}

impl<T> Observed<T> {
    /// The same observation of something derived from the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Observed<U> {
        Observed { value: change(self.value), at: self.at, through: self.through }
    }
}

/// Why a value is no longer live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StaleWhy {
    /// The link is not up.
    Link {
        /// Why not; shared, for it stands in the row of every guest of a remote.
        #[cfg_attr(feature = "schema", schema(value_type = Cause))]
        cause: Arc<Cause>,
    },
    /// Somebody disconnected the remote.
    Disconnected {
        /// Who.
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        by: Text,
    },
    /// The link is being made; nothing is known to be wrong.
    Connecting,
    /// The node it lives on is down, in a cluster that answers.
    NodeDown {
        /// Which node.
        node: NodeName,
    },
    /// Proxmox itself does not know this guest's state at present, though its node is not known to be down.
    StateUnknown,
    /// Muster could not read this guest's state in the latest listing.
    StateUnread,
    /// The link is up, but the facet that brings this value fails.
    Facet {
        /// Why.
        #[cfg_attr(feature = "schema", schema(value_type = Cause))]
        cause: Arc<Cause>,
    },
    /// The latest listing lacked it.
    Missing,
    /// It exists, or may exist, but our account may no longer see it.
    NotVisible,
    /// It was deleted.
    Deleted,
    /// The facet has not answered for longer than it should take; no failure is known yet.
    Overdue,
}

impl StaleWhy {
    /// In words, fit to follow "last seen 3 min ago: ".
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Link { cause } | Self::Facet { cause } => cause.sentence(),
            Self::Disconnected { by } => format!("disconnected by {by}"),
            Self::Connecting => "connecting".to_owned(),
            Self::NodeDown { node } => format!("node {node} is down"),
            Self::StateUnknown => "Proxmox VE does not know its state at present".to_owned(),
            Self::StateUnread => "its state in the latest listing could not be read".to_owned(),
            Self::Missing => "absent from the latest listing".to_owned(),
            Self::NotVisible => "no longer visible to this account".to_owned(),
            Self::Deleted => "deleted".to_owned(),
            Self::Overdue => "no fresh answer yet".to_owned(),
        }
    }
}

/// How far a value can be trusted to be true now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "freshness", rename_all = "snake_case")]
pub enum Freshness {
    /// Seen within its facet's time, over a link that is up.
    Live,
    /// True when last seen.
    Stale {
        /// When it was last seen.
        since: Timestamp,
        /// Why it is not live.
        why: StaleWhy,
    },
    /// Nothing was ever seen.
    NeverSeen,
}

impl Freshness {
    /// Seen within its time, over a link that is up.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }
}

/// A duration as seconds with fraction.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.as_secs_f64())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }

    /// The same of one that may be absent.
    pub(crate) mod optional {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        #[expect(clippy::ref_option, reason = "serde hands over a reference")]
        pub(crate) fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => super::serialize(value, to),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
            let seconds = Option::<f64>::deserialize(from)?;
            let span = seconds.map(Duration::try_from_secs_f64).transpose();
            span.map_err(serde::de::Error::custom)
        }
    }
}

/// A span as people say it: `5 s`, `3 min`, `2 h`, `4 days`.
#[must_use]
pub fn spell(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.as_millis() > 0 => format!("{} ms", span.as_millis()),
        1..=9 if span.subsec_millis() >= 100 => format!("{seconds}.{} s", span.subsec_millis() / 100),
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}
