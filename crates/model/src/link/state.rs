//! The states of a link and of its endpoints, and how others see them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::id::EndpointId;
use crate::time::StaleWhy;

/// An endpoint that does not work, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FailingEndpoint {
    /// Which.
    pub endpoint: EndpointId,
    /// Why.
    #[serde(flatten)]
    pub cause: Cause,
}

/// The states of a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkState {
    /// Somebody wants it so; remembered until somebody connects it again.
    Disconnected {
        /// Who.
        by: String,
    },
    /// A try is under way.
    Connecting {
        /// What the last try failed with, if one did.
        last: Option<Cause>,
    },
    /// An authorised request succeeded lately, and nothing has failed since on the endpoint in use.
    Connected,
    /// Connected, with other endpoints failing.
    Degraded {
        /// Which, and why.
        failing: Vec<FailingEndpoint>,
    },
    /// Every endpoint fails; the next try is set.
    BackingOff {
        /// Why the last try failed. (`cause` and its facts.)
        #[serde(flatten)]
        cause: Cause,
        /// When the next one is made.
        next_try: Timestamp,
    },
    /// Proxmox does not accept the credential, or wants a second factor with it.
    CredentialsRejected {
        /// Which of the two, in its words.
        #[serde(flatten)]
        cause: Cause,
        /// When it is tried again without being told; `None`: only when a person says so.
        next_try: Option<Timestamp>,
    },
    /// Every endpoint shows another certificate than the one confirmed.
    CertificateChanged {
        /// Which ones.
        #[serde(flatten)]
        cause: Cause,
    },
}

impl LinkState {
    /// The word for it, as in contracts and JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Disconnected { .. } => "disconnected",
            Self::Connecting { .. } => "connecting",
            Self::Connected => "connected",
            Self::Degraded { .. } => "degraded",
            Self::BackingOff { .. } => "backing_off",
            Self::CredentialsRejected { .. } => "credentials_rejected",
            Self::CertificateChanged { .. } => "certificate_changed",
        }
    }

    /// Whether requests go through now: connected or degraded.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Connected | Self::Degraded { .. })
    }

    /// What is wrong, if something is.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Connecting { last } => last.as_ref(),
            Self::BackingOff { cause, .. }
            | Self::CredentialsRejected { cause, .. }
            | Self::CertificateChanged { cause } => Some(cause),
            Self::Disconnected { .. } | Self::Connected | Self::Degraded { .. } => None,
        }
    }

    /// Whether nothing will happen by itself that could mend it.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        match self {
            Self::Disconnected { .. }
            | Self::CredentialsRejected { .. }
            | Self::CertificateChanged { .. } => true,
            Self::BackingOff { cause, .. } => cause.needs_person(),
            Self::Connecting { .. } | Self::Connected | Self::Degraded { .. } => false,
        }
    }

    /// Why values that came over this link are not live; `None` while it is up.
    #[must_use]
    pub fn stale_why(&self) -> Option<StaleWhy> {
        match self {
            Self::Connected | Self::Degraded { .. } => None,
            Self::Disconnected { by } => Some(StaleWhy::Disconnected { by: by.as_str().into() }),
            other => Some(match other.cause() {
                Some(cause) => StaleWhy::Link { cause: Arc::new(cause.clone()) },
                None => StaleWhy::Connecting,
            }),
        }
    }
}

/// How one endpoint fares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "health", rename_all = "snake_case")]
pub enum Health {
    /// Never tried.
    Untried,
    /// Its last request succeeded.
    Good,
    /// Its last request failed.
    Failing {
        /// How.
        #[serde(flatten)]
        cause: Cause,
        /// Since when.
        since: Timestamp,
        /// Tries in a row.
        failures: u32,
        /// When it is tried again.
        next_try: Timestamp,
        /// The same, on the monotonic clock.
        #[serde(skip)]
        due: Duration,
    },
    /// It shows another certificate, or does not accept a credential that may not be presented to it again by itself;
    /// nothing is sent to it until a person acts.
    Stopped {
        /// Which of the two.
        #[serde(flatten)]
        cause: Cause,
        /// Since when.
        since: Timestamp,
    },
}

/// An endpoint as others see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EndpointView {
    /// Its address.
    pub endpoint: EndpointId,
    /// How it fares.
    #[serde(flatten)]
    pub health: Health,
    /// When an authorised request last succeeded on it.
    pub last_success: Option<Timestamp>,
    /// Whether requests go there at present.
    pub in_use: bool,
}

/// A link as others see it: immutable, for snapshots and JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LinkView {
    /// The state.
    #[serde(flatten)]
    pub state: LinkState,
    /// When this state began.
    pub since: Timestamp,
    /// While not up: since when.
    pub down_since: Option<Timestamp>,
    /// The last authorised success on any endpoint.
    pub last_success: Option<Timestamp>,
    /// All endpoints.
    pub endpoints: Vec<EndpointView>,
}

impl LinkView {
    /// The endpoint in use.
    #[must_use]
    pub fn in_use(&self) -> Option<&EndpointId> {
        self.endpoints.iter().find(|one| one.in_use).map(|one| &one.endpoint)
    }

    /// When the next try is due, if one is set.
    #[must_use]
    pub fn next_try(&self) -> Option<Timestamp> {
        match &self.state {
            LinkState::BackingOff { next_try, .. } => Some(*next_try),
            LinkState::CredentialsRejected { next_try, .. } => *next_try,
            _ => None,
        }
    }

    /// The state in one clause: "connection refused: … (192.0.2.7:8006)".
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.state {
            LinkState::Disconnected { by } => format!("disconnected by {by}"),
            LinkState::Connected => "connected".to_owned(),
            LinkState::Degraded { failing } => {
                let each: Vec<_> =
                    failing.iter().map(|one| format!("{} ({})", one.cause, one.endpoint)).collect();
                format!("connected; failing: {}", each.join(", "))
            }
            LinkState::Connecting { last: None } => "connecting".to_owned(),
            state => {
                let cause = state.cause().map(Cause::sentence).unwrap_or_default();
                let at = self.in_use().map(|at| format!(" ({at})")).unwrap_or_default();
                let head = if matches!(state, LinkState::Connecting { .. }) { "trying again: " } else { "" };
                format!("{head}{cause}{at}")
            }
        }
    }
}
