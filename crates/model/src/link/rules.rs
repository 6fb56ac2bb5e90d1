//! What a link is told, what it answers, and the figures it goes by.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::cause::Cause;
use crate::id::EndpointId;
use crate::outage::Pace;

/// How one signs in, as far as it decides when to try again after a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// API token: a rejected one may have been mended on the host.
    Token,
    /// Password of Proxmox's own realms `pam` and `pve`.
    OwnPassword,
    /// Password of a directory (`ldap`, `ad`, `openid`), which may lock an account after a few tries: only a
    /// person says when to try again.
    DirectoryPassword,
}

impl Login {
    /// By the realm of `user@realm`.
    #[must_use]
    pub fn of_password(user: &str) -> Self {
        match user.rsplit_once('@').map(|(_, realm)| realm) {
            Some("pam" | "pve") => Self::OwnPassword,
            _ => Self::DirectoryPassword,
        }
    }
}

/// The figures of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Between tries of an endpoint that fails.
    pub backoff: Backoff,
    /// After how many poll intervals without success a link no longer counts as connected.
    pub intervals: u32,
    /// Waits of a rejected token; the last one repeats.
    pub token_retry: Vec<Duration>,
    /// Wait of a rejected password of `pam` or `pve`.
    pub password_retry: Duration,
    /// While every remote fails: longest wait of the one that is probed often.
    pub outage_often: Duration,
    /// While every remote fails: wait of all others.
    pub outage_seldom: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            backoff: Backoff::default(),
            intervals: 3,
            token_retry: vec![minutes(1), minutes(5), minutes(30)],
            password_retry: minutes(30),
            outage_often: Duration::from_secs(5),
            outage_seldom: minutes(1),
        }
    }
}

/// What has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A person connects a disconnected remote.
    Connect,
    /// A person disconnects it.
    Disconnect {
        /// Who.
        by: String,
    },
    /// A person wants a try now.
    TryNow,
    /// A person accepted a certificate of this endpoint, or gave a new credential: start afresh.
    Mended,
    /// The owner lost track of everything under way.
    Interrupted,
    /// The owner has begun the try that [`Link::duty`] asked for.
    Begun {
        /// Where.
        endpoint: EndpointId,
    },
    /// An authorised request succeeded.
    Succeeded {
        /// The [`Link::epoch`] in which it was begun.
        epoch: u64,
        /// Where.
        endpoint: EndpointId,
    },
    /// The endpoint failed, or the try to connect did.
    Failed {
        /// The [`Link::epoch`] in which it was begun.
        epoch: u64,
        /// Where.
        endpoint: EndpointId,
        /// How.
        cause: Cause,
    },
    /// A 401, or a second factor asked for.
    Rejected {
        /// The [`Link::epoch`] in which it was begun.
        epoch: u64,
        /// Where.
        endpoint: EndpointId,
        /// [`Cause::CredentialsRejected`] or [`Cause::SecondFactorNeeded`].
        cause: Cause,
        /// Whether the credential itself was already presented again (signed in anew, or token retried)
        /// after a first 401.
        again: bool,
    },
    /// A call failed in a way that leaves the endpoint in doubt, no more. It becomes the cause only if
    /// successes stay away.
    Complained {
        /// The [`Link::epoch`] in which it was begun.
        epoch: u64,
        /// How.
        cause: Cause,
    },
    /// The poll interval is now this long.
    Interval(Duration),
    /// How often to try while everything fails.
    Pace(Pace),
    /// Time has passed.
    Tick,
}

/// What the owner shall do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Duty {
    /// Nothing, until a person acts.
    Rest,
    /// Nothing until then (monotonic), unless something happens.
    Wait {
        /// When.
        until: Duration,
    },
    /// A try is under way: await its end.
    Busy,
    /// Try to connect there, now.
    Try {
        /// Where.
        endpoint: EndpointId,
    },
    /// Poll through this endpoint.
    Serve {
        /// The endpoint in use.
        endpoint: EndpointId,
        /// Another one that failed and is due to be tried beside it.
        probe: Option<EndpointId>,
        /// When to look again (monotonic): the link lapses, or a probe is due.
        until: Duration,
    },
}
