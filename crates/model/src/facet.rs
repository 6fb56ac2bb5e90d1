//! The kinds of information polled from a remote, and the manners of polling each.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cause::Failure;
use crate::time::seconds;

/// One kind of information polled from a remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FacetKind {
    /// `GET /version`, per endpoint.
    Version,
    /// `GET /access/permissions`.
    Permissions,
    /// `GET /cluster/status`: quorum and membership.
    Cluster,
    /// `GET /cluster/resources`.
    Resources,
    /// `GET /cluster/tasks`.
    Tasks,
    /// `GET /nodes/{node}/status`.
    NodeStatus,
    /// `GET /cluster/ha/status/current`.
    HaStatus,
    /// `GET /nodes/{node}/{lxc,qemu}/{vmid}/config`.
    GuestConfig,
    /// `GET …/interfaces`, `GET …/agent/network-get-interfaces`.
    Addresses,
    /// `GET /nodes/{node}/certificates/info`.
    Certificates,
}

impl FacetKind {
    /// All of them, in the order in which a remote is read for the first time.
    pub const ALL: [Self; 10] = [
        Self::Version,
        Self::Permissions,
        Self::Cluster,
        Self::Resources,
        Self::Tasks,
        Self::NodeStatus,
        Self::HaStatus,
        Self::GuestConfig,
        Self::Addresses,
        Self::Certificates,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Permissions => "permissions",
            Self::Cluster => "cluster",
            Self::Resources => "resources",
            Self::Tasks => "tasks",
            Self::NodeStatus => "node_status",
            Self::HaStatus => "ha_status",
            Self::GuestConfig => "guest_config",
            Self::Addresses => "addresses",
            Self::Certificates => "certificates",
        }
    }
}

impl fmt::Display for FacetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many times the duration of its last answer a remote is left alone at least: it spends no more than a twentieth
/// of its time on each thing that we ask for.
pub const REST: u32 = 20;

/// The interval of a poll: never below `least`, and never below `rest` times (by right [`REST`]) what the last answer
/// took.
#[must_use]
pub fn interval(least: Duration, last_answer_took: Duration, rest: u32) -> Duration {
    least.max(last_answer_took.saturating_mul(rest))
}

/// A facet's coverage: how well this kind of information is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Coverage {
    /// Which.
    pub facet: FacetKind,
    /// Its interval at present.
    #[serde(with = "seconds", rename = "interval_seconds")]
    #[cfg_attr(feature = "schema", schema(value_type = f64))]
    pub interval: Duration,
    /// How long its last answer took.
    #[serde(with = "seconds::optional", rename = "took_seconds", default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<f64>))]
    pub took: Option<Duration>,
    /// When it was last read with success.
    pub last_success: Option<Timestamp>,
    /// What its last reading failed with, if it did; cleared by a success.
    pub last_error: Option<Failure>,
    /// The privilege it lacks, `path: privilege`, when that is why it fails.
    pub missing_privilege: Option<String>,
    /// Fields and rows of its last reading that did not fit.
    pub drift: u64,
    /// Of a facet read in parts (per node, per guest): parts known / parts due.
    pub parts: Option<Parts>,
}

/// How much of a facet that is read in parts is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Parts {
    /// Parts read at least once with success and not failing now.
    pub known: usize,
    /// Parts there are.
    pub due: usize,
}

impl Coverage {
    /// A facet not read yet.
    #[must_use]
    pub fn new(facet: FacetKind, interval: Duration) -> Self {
        Self {
            facet,
            interval,
            took: None,
            last_success: None,
            last_error: None,
            missing_privilege: None,
            drift: 0,
            parts: None,
        }
    }
}
