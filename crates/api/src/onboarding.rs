//! How a remote is added, step by step: `POST /onboardings` and what follows. Nothing is kept before the last
//! step has succeeded.

use jiff::Timestamp;
use model::rights::Rights;
use model::{NodeName, RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Secret;
use crate::remote::{Certificate, MintedToken, Remote};

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"address": "pve.example"}))]
pub struct OnboardingRequest {
    /// A host, `host:port`, or whatever stands in a browser's address line. May be empty when `remote` is given.
    #[serde(default)]
    pub address: String,
    /// An existing remote, by id or name, that shall be signed in to anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// What has to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The certificate waits for a person: `…/trust`.
    Trust,
    /// Trusted; who shall sign in: `…/sign-in`.
    SignIn,
    /// The account wants a second factor: `…/second-factor`.
    SecondFactor,
    /// Signed in; what shall be kept: `…/finish`.
    Finish,
}

/// Where adding a remote has got to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Onboarding {
    /// Its id.
    pub id: String,
    /// The address, cleaned up: `https://pve.example:8006`.
    pub name: String,
    /// What has to be done next.
    pub step: Step,
    /// The endpoint, `host:port`.
    pub endpoint: String,
    /// The existing remote that is signed in to anew.
    #[serde(default)]
    pub remote: Option<Known>,
    /// The certificate it shows.
    #[serde(default)]
    pub certificate: Option<Certificate>,
    /// Whether it is trusted, by the system's store or by a person.
    pub trusted: bool,
    /// Why it is not.
    #[serde(default)]
    pub untrusted_why: Option<String>,
    /// Whom it knows: for the sign-in form.
    #[serde(default)]
    pub realms: Vec<Realm>,
    /// The remote that turned out to be the same cluster or host already: finishing is refused.
    #[serde(default)]
    pub managed_as: Option<Known>,
    /// Which second factors it takes.
    #[serde(default)]
    pub factors: Vec<String>,
    /// Once signed in.
    #[serde(default)]
    pub signed_in: Option<SignedIn>,
    /// When it is given up by itself.
    pub expires: Timestamp,
}

/// A remote that Muster has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Known {
    /// Its id.
    pub id: RemoteId,
    /// Its name.
    pub name: Text,
}

/// A realm of Proxmox VE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Realm {
    /// `pam`, `pve`, …
    pub name: String,
    /// What kind.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// What its administrator calls it.
    #[serde(default)]
    pub comment: Option<String>,
    /// Whether it is the one to start with.
    #[serde(default)]
    pub default: bool,
    /// The second factor that the realm itself asks for.
    #[serde(default)]
    pub second_factor: Option<String>,
}

/// What was learnt by signing in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// As whom.
    pub user: Text,
    /// Whether with an API token: that one is kept, no other is made.
    pub with_token: bool,
    /// The version.
    #[serde(default)]
    pub version: Option<Text>,
    /// The cluster's name; `null` of a stand-alone host.
    #[serde(default)]
    pub cluster: Option<Text>,
    /// Its nodes.
    #[serde(default)]
    pub nodes: Vec<NodeName>,
    /// SHA-256 of its own root certificate.
    #[serde(default)]
    pub identity: Option<Text>,
    /// What the name of the remote could be.
    #[serde(default)]
    pub suggested_name: Option<String>,
    /// What may be chosen for the token that is made.
    #[serde(default)]
    pub offers: Vec<RightsOffer>,
}

/// One choice of rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RightsOffer {
    /// Which.
    pub rights: Rights,
    /// What it means.
    pub sentence: String,
    /// The privileges of the role that is made.
    #[serde(default)]
    pub privileges: Vec<String>,
    /// Those of them that the account does not have itself, and can therefore not give.
    #[serde(default)]
    pub lacking: Vec<String>,
    /// Whether it cannot be had with this account; `sentence` then says why.
    #[serde(default)]
    pub refused: bool,
}

/// `…/trust`: this is the right certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Confirm {
    /// SHA-256, as the person saw it.
    pub fingerprint: String,
}

/// `…/sign-in`: `{"user", "password"}` or `{"token"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum SignIn {
    /// With an API token.
    Token {
        /// `user@realm!name=secret`.
        token: Secret,
    },
    /// With a password.
    Password {
        /// `user@realm`.
        #[schema(example = "root@pam")]
        user: String,
        /// The password.
        password: Secret,
    },
}

/// `…/second-factor`, also for a remote that asks for one later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecondFactor {
    /// The code.
    pub code: Secret,
    /// Which kind it is: `totp` when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What Muster signs in with from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// A token made for it; the password is forgotten. (Signed in with a token: that one.)
    #[default]
    Token,
    /// The password, sealed.
    Password,
}

/// `…/finish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finish {
    /// What the remote shall be called; the suggestion when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is kept.
    #[serde(default)]
    pub keep: Keep,
    /// Which rights a token made for it gets; must be said when one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<Rights>,
    /// `false`: saved, but left disconnected.
    #[serde(default = "yes")]
    pub connect: bool,
}

fn yes() -> bool {
    true
}

impl Default for Finish {
    fn default() -> Self {
        Self { name: None, keep: Keep::default(), rights: None, connect: true }
    }
}

/// It is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finished {
    /// The remote.
    pub remote: Remote,
    /// What was made on it.
    #[serde(default)]
    pub minted: Option<MintedToken>,
    /// What was done there, one line each.
    #[serde(default)]
    pub done: Vec<String>,
}
