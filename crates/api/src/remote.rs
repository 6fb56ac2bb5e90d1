//! Remotes: `GET /remotes`, `GET /remotes/{remote}`, and what may be changed about one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::facet::Coverage;
use model::link::{EndpointView, Health, LinkView};
use model::rights::Rights;
use model::rows::{Cluster, HaRow, Traffic, UnreadableRow};
use model::{EndpointId, NodeName, Observed, RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Cause;

/// One remote in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RemoteRow {
    /// Its id; never used again for another.
    pub id: RemoteId,
    /// Its name.
    #[schema(example = "home")]
    pub name: Text,
    /// The link.
    pub link: Link,
    /// The cluster, once its status was read.
    #[serde(default)]
    pub cluster: Option<Observed<Cluster>>,
    /// What each endpoint told of its version.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub versions: BTreeMap<EndpointId, Text>,
    /// How much there is.
    pub counts: RemoteFigures,
    /// What is being asked of it.
    pub traffic: Traffic,
    /// When it was added.
    #[serde(default)]
    pub created: Option<Timestamp>,
    /// Its web interface, for "Open in Proxmox".
    #[serde(default)]
    pub web_url: Option<String>,
    /// The same, at the place in it that shows the whole remote.
    #[serde(default)]
    #[schema(example = "https://192.0.2.7:8006/#v1:0:18:4:::::::")]
    pub open_url: Option<String>,
    /// Another remote that turned out to be the same cluster or host.
    #[serde(default)]
    pub same_as: Option<Text>,
    /// The Muster process that looks after it, where that is not the one that answers: what is told is what that one
    /// has written down, and what changes it has to be asked of that one.
    #[serde(default)]
    pub run_by: Option<RunBy>,
}

/// One of several Muster processes that share a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunBy {
    /// What it is called.
    #[schema(example = "muster-2")]
    pub process: String,
    /// Where its API is reached.
    #[serde(default)]
    #[schema(example = "https://muster-2.example")]
    pub address: Option<String>,
}

/// One remote in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Remote {
    /// Its row.
    #[serde(flatten)]
    pub row: RemoteRow,
    /// SHA-256 of its own root certificate, which is its identity, once read.
    #[serde(default)]
    pub identity: Option<Text>,
    /// How we sign in.
    #[serde(default)]
    pub credential: Option<CredentialFacts>,
    /// The poll interval that was asked for; `null`: the usual one.
    #[serde(default)]
    pub interval_seconds: Option<f64>,
    /// How well each kind of information is known.
    pub coverage: Vec<CoverageRow>,
    /// Replies that departed from what is documented.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// Rows that could not be read, raw.
    #[serde(default)]
    pub unreadable: Vec<UnreadableRow>,
    /// What the HA manager says.
    #[serde(default)]
    pub ha: Vec<HaRow>,
    /// How many further endpoints its membership proposes.
    #[serde(default)]
    pub proposed: usize,
    /// How often its own task ended through a fault of Muster and was started again.
    #[serde(default)]
    pub faults: u32,
    /// The last such fault.
    #[serde(default)]
    pub last_fault: Option<Text>,
}

/// The link to a remote, as people and programs need it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// `disconnected`, `connecting`, `connected`, `degraded`, `backing_off`, `credentials_rejected`,
    /// `certificate_changed`.
    #[schema(example = "backing_off")]
    pub state: String,
    /// Whether requests go through now.
    pub up: bool,
    /// Whether nothing will happen by itself that could mend it.
    pub needs_person: bool,
    /// The state in one clause, with cause and endpoint.
    #[schema(example = "connection refused (192.0.2.7:8006)")]
    pub sentence: String,
    /// What is wrong, and what would mend it.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Who disconnected it.
    #[serde(default)]
    pub by: Option<String>,
    /// When this state began.
    pub since: Timestamp,
    /// While not up: since when.
    #[serde(default)]
    pub down_since: Option<Timestamp>,
    /// The last authorised success on any endpoint.
    #[serde(default)]
    pub last_success: Option<Timestamp>,
    /// When the next try is due, if one is set.
    #[serde(default)]
    pub next_try: Option<Timestamp>,
    /// The endpoint in use.
    #[serde(default)]
    pub in_use: Option<EndpointId>,
    /// All endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint of a remote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// `host:port`.
    #[schema(example = "192.0.2.7:8006")]
    pub id: EndpointId,
    /// The same.
    pub name: EndpointId,
    /// `untried`, `good`, `failing`, `stopped`.
    pub health: String,
    /// What is wrong with it, and what would mend it.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Since when something is.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Tries in a row that failed.
    #[serde(default)]
    pub failures: u32,
    /// When it is tried again.
    #[serde(default)]
    pub next_try: Option<Timestamp>,
    /// When an authorised request last succeeded on it.
    #[serde(default)]
    pub last_success: Option<Timestamp>,
    /// Whether requests go there at present.
    pub in_use: bool,
}

impl Link {
    /// A link as it stands.
    #[must_use]
    pub fn of(view: &LinkView) -> Self {
        let by = match &view.state {
            model::LinkState::Disconnected { by } => Some(by.clone()),
            _ => None,
        };
        Self {
            state: view.state.word().to_owned(),
            up: view.state.is_up(),
            needs_person: view.state.needs_person(),
            sentence: view.sentence(),
            cause: view.state.cause().map(|cause| Cause::at(cause, view.in_use())),
            by,
            since: view.since,
            down_since: view.down_since,
            last_success: view.last_success,
            next_try: view.next_try(),
            in_use: view.in_use().cloned(),
            endpoints: view.endpoints.iter().map(Endpoint::of).collect(),
        }
    }
}

impl Endpoint {
    /// An endpoint as it fares.
    #[must_use]
    pub fn of(view: &EndpointView) -> Self {
        let (health, cause, since, failures, next_try) = match &view.health {
            Health::Untried => ("untried", None, None, 0, None),
            Health::Good => ("good", None, None, 0, None),
            Health::Failing { cause, since, failures, next_try, .. } => {
                ("failing", Some(cause), Some(*since), *failures, Some(*next_try))
            }
            Health::Stopped { cause, since } => ("stopped", Some(cause), Some(*since), 1, None),
        };
        Self {
            id: view.endpoint.clone(),
            name: view.endpoint.clone(),
            health: health.to_owned(),
            cause: cause.map(|cause| Cause::at(cause, Some(&view.endpoint))),
            since,
            failures,
            next_try,
            last_success: view.last_success,
            in_use: view.in_use,
        }
    }
}

/// How much there is on a remote, as last known. What was never listed is `null`, which is not 0; and so is how much of
/// it is in some state while that is known of none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemoteFigures {
    /// Nodes.
    pub nodes: Option<usize>,
    /// Nodes that are online now, for sure.
    pub nodes_online: Option<usize>,
    /// Guests that are there (missing ones included, deleted ones not).
    pub guests: Option<usize>,
    /// Guests that run now, for sure.
    pub guests_running: Option<usize>,
    /// Guests of which the state is not known now.
    pub guests_unknown: Option<usize>,
    /// Storages, shared ones once.
    pub storages: Option<usize>,
    /// Tasks that run; `null` as well while its link is down.
    pub tasks_running: Option<usize>,
    /// Operations that have not ended.
    pub operations_open: usize,
    /// Facets whose last reading failed.
    pub facets_failing: usize,
    /// Kinds of drift.
    pub drift: usize,
    /// Rows that could not be read.
    pub unreadable: usize,
}

/// How well one kind of information is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CoverageRow {
    /// The figures.
    #[serde(flatten)]
    pub coverage: Coverage,
    /// What its last reading failed with, in words and with what would mend it.
    #[serde(default)]
    pub cause: Option<Cause>,
}

impl CoverageRow {
    /// A facet's coverage.
    #[must_use]
    pub fn of(coverage: &Coverage) -> Self {
        Self { cause: coverage.last_error.as_ref().map(Cause::from), coverage: coverage.clone() }
    }
}

/// A field that did not have its documented type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Drift {
    /// The call that was answered.
    pub call: String,
    /// Where the field stands.
    pub field: String,
    /// What is documented.
    pub expected: String,
    /// What came.
    pub found: String,
    /// The first such value as it stood on the wire, cut; redacted where the field is secret.
    pub sample: String,
    /// The row of the first such value, from 0, in a list.
    #[serde(default)]
    pub row: Option<usize>,
    /// How many values of this field came like this.
    pub count: u64,
}

/// How we sign in to a remote; nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CredentialFacts {
    /// `token` or `password`.
    pub kind: String,
    /// As whom, as a UPID names it: `root@pam`, `muster@pve!muster-1a2b3c4d`.
    pub user: Text,
    /// The rights that were chosen when it was made here.
    #[serde(default)]
    pub rights: Option<Rights>,
    /// What Muster made on the remote for it, and may remove again.
    #[serde(default)]
    pub minted: Option<MintedToken>,
}

/// What Muster made on a remote so that it can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MintedToken {
    /// The token: `root@pam!muster-1a2b3c4d`.
    pub id: String,
    /// The role it was given, if it is privilege-separated.
    #[serde(default)]
    pub role: Option<String>,
    /// The privileges in that role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privileges: Vec<String>,
    /// When.
    #[serde(default)]
    pub created: Option<Timestamp>,
}

/// What may be changed about a remote: `PATCH /remotes/{remote}`. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RemoteEdit {
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Another poll interval; `null`: the usual one.
    #[serde(default, with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub interval_seconds: Option<Option<f64>>,
    /// Another address of its web interface; `null`: the one of its first endpoint.
    #[serde(default, with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub web_url: Option<Option<String>>,
}

/// Tells `null` from absent.
mod nullable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::option_option, reason = "absent and null are two wishes")]
    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        from: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::deserialize(from).map(Some)
    }

    #[expect(clippy::ref_option, clippy::option_option, reason = "serde hands over a reference")]
    pub(super) fn serialize<S: Serializer, T: Serialize>(
        value: &Option<Option<T>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(to)
    }
}

/// How a remote is removed: `DELETE /remotes/{remote}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RemoveQuery {
    /// The remote's name, typed by the person who wants it gone.
    #[serde(default)]
    pub confirm: String,
    /// What becomes of the token that Muster made there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub minted: Option<MintedFate>,
    /// Whether open operations may be left behind.
    #[serde(default)]
    pub even_with_open: bool,
    /// The id of an onboarding of this remote (`POST /onboardings` with `remote`) in which somebody has signed in: what
    /// Muster made there is removed as that account. A token with rights of its own may not remove itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<String>,
}

/// What becomes of a token that Muster made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MintedFate {
    /// It is left there.
    #[default]
    Keep,
    /// It is removed, and the role with it when nobody else uses it.
    Remove,
}

/// What became of a removal. What Muster made on the remote to sign in with is removed with it, or told of here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// The token that was removed there.
    #[serde(default)]
    pub minted_removed: Option<String>,
    /// What is still there, with why, and what removes it.
    #[serde(default)]
    pub minted_left: Option<MintedLeft>,
    /// The role that was made for the token, when it stays because something else uses it by now.
    #[serde(default)]
    pub role_kept: Option<String>,
}

/// What Muster made on a remote, and is still there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MintedLeft {
    /// The token that it is about.
    pub id: String,
    /// Why it is still there; `null` when nobody wanted it removed.
    #[serde(default)]
    pub why: Option<String>,
    /// The line that gives the token its role on `/`.
    #[serde(default)]
    pub acl: Option<MintedThing>,
    /// The token itself.
    #[serde(default)]
    pub token: Option<MintedThing>,
    /// The role, where Muster made it.
    #[serde(default)]
    pub role: Option<MintedThing>,
    /// What removes all of it, in a root shell on any node, in this order.
    #[serde(default)]
    pub commands: Vec<String>,
}

/// One thing that Muster made on a remote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MintedThing {
    /// What it is, in words.
    pub what: String,
    /// Why it is still there; `null` when nobody wanted it removed.
    #[serde(default)]
    pub why: Option<String>,
    /// What removes it, in a root shell on any node.
    pub command: String,
}

/// `POST /remotes/{remote}/disconnect`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disconnect {
    /// Whether open operations may be left unfollowed until it is connected again.
    #[serde(default)]
    pub even_with_open: bool,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// SHA-256, `AA:BB:…`.
    pub fingerprint: String,
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Valid from.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// Valid to.
    #[serde(default)]
    pub not_after: Option<Timestamp>,
    /// The names and addresses it is good for.
    #[serde(default)]
    pub names: Vec<String>,
}

/// `GET /remotes/{remote}/endpoints/{endpoint}/certificate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CertificatePair {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What is trusted there, in words: `system`, `leaf`, `ca`.
    #[serde(default)]
    pub policy: Option<String>,
    /// The fingerprint that was confirmed.
    #[serde(default)]
    pub trusted: Option<String>,
    /// What it shows now.
    pub presented: Certificate,
    /// Whether what it shows is trusted.
    pub is_trusted: bool,
    /// Why not.
    #[serde(default)]
    pub cause: Option<Cause>,
}

/// `POST /remotes/{remote}/trust`: the certificate with this fingerprint is the right one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trust {
    /// At which endpoint.
    pub endpoint: EndpointId,
    /// SHA-256 of what it shows, as the person saw it.
    pub fingerprint: String,
}

/// A further endpoint that the cluster's own membership names: `GET /remotes/{remote}/proposed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proposed {
    /// `host:port`.
    pub id: EndpointId,
    /// The node's name.
    pub name: NodeName,
    /// Whether it can be reached and is what it should be.
    pub reachable: bool,
    /// Why not.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// What it shows, as far as it was reached.
    #[serde(default)]
    pub certificate: Option<Certificate>,
    /// Whether what it shows is the certificate that the cluster itself says it has, or is signed by its
    /// authority.
    #[serde(default)]
    pub vouched_for: bool,
}

/// `POST /remotes/{remote}/endpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewEndpoint {
    /// `host`, `host:port` or a URL.
    pub address: String,
    /// SHA-256 of the certificate that a person confirmed for it, where none is vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}
