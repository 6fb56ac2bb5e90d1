//! Guests: `GET /guests`, `GET /guests/{remote}/{vmid}` and what hangs below it.

use jiff::Timestamp;
use model::link::LinkView;
use model::rows::{GuestRow, Interface, Standing};
use model::{
    Action, Availability, Failure, Freshness, Incarnation, Observed, Presence, RemoteId, StaleWhy, Text, Vmid,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::Cause;
use crate::operation::Operation;
use crate::remote::{Drift, Link};

/// One guest in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Guest {
    /// `remote/vmid`.
    #[schema(example = "7/101")]
    pub id: String,
    /// The remote it lives on.
    pub remote_id: RemoteId,
    /// That remote's name.
    #[schema(example = "home")]
    pub remote: Text,
    /// What its state is now, in a word or two: `running`, `stopped`, `node down`, `out of reach`, …
    #[schema(example = "running")]
    pub word: String,
    /// While it is not live: why, in one clause, with the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "connection timed out after 5 s (192.0.2.7:8006)")]
    pub stale_why: Option<String>,
    /// Everything else, `name` among it (`null` while none is known).
    #[serde(flatten)]
    pub row: GuestRow,
}

impl Guest {
    /// A guest of a remote. `word`: what its state is now. `link`: the link to its remote.
    #[must_use]
    pub fn of(row: &GuestRow, remote_id: RemoteId, remote: &Text, link: &LinkView) -> Self {
        Self {
            id: crate::guest_id(remote_id, row.guest.vmid),
            remote_id,
            remote: remote.clone(),
            word: match &row.standing {
                Standing::Known { .. } => row.state.word().to_owned(),
                other => other.word().to_owned(),
            },
            stale_why: stale_why(&row.freshness, link),
            row: row.clone(),
        }
    }
}

/// Why something is not live, in one clause; where the link is why, with the endpoint.
pub(crate) fn stale_why(freshness: &Freshness, link: &LinkView) -> Option<String> {
    match freshness {
        Freshness::Live => None,
        Freshness::NeverSeen => Some("never seen".to_owned()),
        Freshness::Stale { why: StaleWhy::Link { .. }, .. } if !link.state.is_up() => Some(link.sentence()),
        Freshness::Stale { why, .. } => Some(why.sentence()),
    }
}

/// How to look at one guest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DetailQuery {
    /// `false`: tell what is known, without asking the remote anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<bool>,
}

/// One guest in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GuestDetail {
    /// Its row.
    #[serde(flatten)]
    pub guest: Guest,
    /// What may be done with it now.
    pub actions: Vec<ActionAvailability>,
    /// The link to its remote.
    pub link: Link,
    /// The operation on it that has not ended.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// What the guest's own status says, with the field names of Proxmox VE.
    pub status: Part<Fields>,
    /// Its configuration, with the field names of Proxmox VE; pending values merged in.
    pub config: Part<Fields>,
    /// What is set and waits for a restart, key by key.
    pub pending: Part<PendingRows>,
    /// Its network interfaces with their addresses, asked for anew.
    pub interfaces: Part<Vec<Interface>>,
    /// Where Proxmox VE's own web interface shows it.
    #[serde(default)]
    #[schema(example = "https://192.0.2.7:8006/#v1:0:=lxc%2F101:4:::::::")]
    pub open_url: Option<String>,
    /// Fields and rows of these replies that did not fit.
    #[serde(default)]
    pub drift: Vec<Drift>,
}

/// An object with the field names of Proxmox VE.
// Not called `Object`: that word means any object at all where schemas are made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = HashMap<String, Value>)]
pub struct Fields(pub Map<String, Value>);

/// What is set and waits for a restart, a row for each key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct PendingRows(pub Vec<Fields>);

/// One part of what is known: as last seen, and why it could not be seen anew, if it could not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Part<T> {
    /// As last seen; `null`: never.
    pub seen: Option<Observed<T>>,
    /// Why not now.
    #[serde(default)]
    pub error: Option<Cause>,
}

impl<T> Part<T> {
    /// From what was seen and what went wrong.
    #[must_use]
    pub fn of(seen: Option<Observed<T>>, error: Option<&Failure>) -> Self {
        Self { seen, error: error.map(Cause::from) }
    }
}

/// Whether one action may be taken now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionAvailability {
    /// Which.
    pub action: Action,
    /// Whether it may be, with reason and remedy.
    #[serde(flatten)]
    pub availability: Availability,
}

/// Another life of the same number: a guest that was there before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PastGuest {
    /// `remote/vmid/incarnation`.
    #[schema(example = "7/101/2")]
    pub id: String,
    /// Its name, as last known.
    pub name: Option<Text>,
    /// The remote it lived on.
    pub remote_id: RemoteId,
    /// That remote's name.
    pub remote: Text,
    /// Its number.
    pub vmid: Vmid,
    /// Which life of the number.
    pub incarnation: Incarnation,
    /// How its life ended, as far as is known.
    #[serde(default)]
    pub presence: Option<Presence>,
    /// When it was last seen.
    #[serde(default)]
    pub last_seen: Option<Timestamp>,
    /// Its row as last known.
    #[serde(default)]
    pub row: Option<GuestRow>,
}
