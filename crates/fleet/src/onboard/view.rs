//! What an onboarding is given, what it shows, and what comes of it.

use std::time::Duration;

use jiff::Timestamp;
use model::backoff::Backoff;
use model::{EndpointId, RemoteId};
use pve::address::Address;
use pve::{Certificate, Fingerprint, Secret, SystemStore, TrustPolicy};
use serde::{Deserialize, Serialize};

use super::rights::{Major, Rights};
use super::undo::Hold;
use crate::RemoteSpec;
use crate::snapshot::RemoteSnapshot;

/// What an onboarding begins with.
#[derive(Debug, Clone)]
pub struct Begin {
    /// The address to dial.
    pub address: Address,
    /// Every time-out.
    pub timings: Timings,
    /// The system's certificate store.
    pub store: SystemStore,
    /// The remotes that are managed already.
    pub known: Vec<Known>,
    /// What it is for.
    pub purpose: Purpose,
}

/// What an onboarding is for.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// A remote that is not managed yet.
    Add,
    /// A new credential for one that is.
    Again {
        /// The remote: only its identity is accepted.
        remote: Known,
        /// What is believed of the address already.
        trust: Option<TrustPolicy>,
    },
}

/// A remote that is managed already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: RemoteId,
    /// What it is called.
    pub name: String,
    /// SHA-256 of its root certificate, if that was ever read.
    pub identity: Option<Fingerprint>,
    /// Where it answers.
    pub endpoints: Vec<EndpointId>,
}

impl Known {
    /// What a snapshot tells of a remote.
    #[must_use]
    pub fn of(remote: &RemoteSnapshot) -> Self {
        Self {
            id: remote.id,
            name: remote.name.to_string(),
            identity: remote.identity.as_deref().and_then(|text| text.parse().ok()),
            endpoints: remote.link.endpoints.iter().map(|one| one.endpoint.clone()).collect(),
        }
    }
}

/// Every wait of an onboarding.
#[derive(Debug, Clone)]
pub struct Timings {
    /// The client's own.
    pub pve: pve::Timings,
    /// How long it is tried to take back what was made, when something fails after it.
    pub undo: Duration,
    /// Between two such tries.
    pub undo_pause: Backoff,
    /// How long something whose making was asked for, and not answered, is looked for before it counts as not made.
    pub settle: Duration,
    /// How long it is tried to remove what was made earlier: somebody waits for the answer, and can do it by hand.
    pub removal: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            pve: pve::Timings::default(),
            undo: Duration::from_secs(120),
            undo_pause: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(10) },
            settle: Duration::from_secs(5),
            removal: Duration::from_secs(10),
        }
    }
}

impl Timings {
    /// The true figures, with the client's own handed in.
    #[must_use]
    pub fn of(pve: pve::Timings) -> Self {
        Self { pve, ..Self::default() }
    }

    /// For tests over real sockets.
    #[must_use]
    pub fn shrunk() -> Self {
        Self {
            pve: pve::Timings::shrunk(),
            undo: Duration::from_secs(4),
            undo_pause: Backoff { first: Duration::from_millis(40), most: Duration::from_millis(300) },
            settle: Duration::from_millis(200),
            removal: Duration::from_secs(2),
        }
    }
}

/// How the trust in a certificate came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grounds {
    /// The system's store vouches for it.
    System,
    /// It was trusted before, as this remote's.
    Known,
    /// A person confirmed its fingerprint.
    Confirmed,
}

/// A realm one may sign in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Realm {
    /// The part of a user behind the `@`.
    pub name: String,
    /// `pam`, `pve`, `ldap`, `ad`, `openid`…
    pub kind: Option<String>,
    /// What the administrator wrote about it.
    pub comment: Option<String>,
    /// Whether it is offered first.
    pub default: bool,
}

/// Where an onboarding stands. Its order is that of the steps.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// The certificate waits for a person's word. Nothing was sent.
    Certificate,
    /// Waits for a user with a password, or for a token.
    SignIn,
    /// The password was right; waits for the second factor.
    SecondFactor {
        /// The user who is signing in.
        user: String,
        /// The kinds that would do: `totp`, `recovery`, `yubico`, `webauthn`…
        kinds: Vec<String>,
    },
    /// The sign-in was accepted; what is there could not be read yet.
    Entered,
    /// Signed in; waits for what shall be kept.
    SignedIn(Box<SignedIn>),
    /// Done.
    Finished,
    /// Given up.
    Abandoned,
}

impl Step {
    /// One word for it, as in JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::SignIn => "sign_in",
            Self::SecondFactor { .. } => "second_factor",
            Self::Entered => "entered",
            Self::SignedIn(_) => "signed_in",
            Self::Finished => "finished",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What one signs in with.
#[derive(Debug, Clone)]
pub enum Given {
    /// A user's password.
    Password {
        /// The user with realm, e.g. `root@pam`.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An API token.
    Token {
        /// `USER@REALM!NAME`.
        id: String,
        /// Its secret.
        secret: Secret,
    },
}

/// What is there, and what may be done there.
#[derive(Debug, Clone, Serialize)]
pub struct SignedIn {
    /// Who signed in: `USER@REALM`, or `USER@REALM!NAME`.
    pub who: String,
    /// Whether that was with an API token.
    pub by_token: bool,
    /// The full version of the endpoint's node.
    pub version: Option<String>,
    /// The privilege names that fit the version.
    pub major: Major,
    /// The cluster's name; `None` on a stand-alone host, or when it may not be read.
    pub cluster: Option<String>,
    /// SHA-256 of the cluster's (or host's) own root certificate.
    pub identity: Fingerprint,
    /// The cluster's own authority, when it issued the certificate that was shown: it may be trusted for all nodes.
    pub authority: Option<Certificate>,
    /// The cluster's nodes, by name.
    pub nodes: Vec<NodeFound>,
    /// What may be kept, and what may not and why.
    pub offers: Vec<Offer>,
    /// When the account itself ends, if it does and that may be read.
    pub account_ends: Option<Timestamp>,
    /// What the remote could be called: as the cluster, or as the only node.
    pub suggested_name: Option<String>,
}

/// A node of what was signed in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeFound {
    /// Its name.
    pub name: String,
    /// The address by which the other nodes know it.
    pub ip: Option<String>,
    /// Whether it is up, as the endpoint sees it.
    pub online: Option<bool>,
    /// Whether it is the one that answers here; `None`: not told.
    pub local: Option<bool>,
}

/// Something that may be kept to sign in with, or may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The rights of a token to be made; `None`: what was signed in with is kept.
    pub rights: Option<Rights>,
    /// The role that a token would get, and its privileges on `/`.
    pub role: Option<RoleFacts>,
    /// Those of the privileges that the account does not hold itself, and can therefore not give.
    pub lacking: Vec<String>,
    /// What it comes to, in words.
    pub note: Option<String>,
    /// Why it cannot be had, in one sentence.
    pub refused: Option<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFacts {
    /// Its name.
    pub name: String,
    /// Its privileges.
    pub privileges: Vec<String>,
    /// Whether Muster makes (or made) it; if not, it was there with just these privileges.
    pub made: bool,
}

/// What shall be kept, and under which name.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The remote's name in Muster.
    pub name: String,
    /// What to sign in with from now on.
    pub keep: Keep,
    /// Trust the cluster's own authority for all its nodes, where it was offered. Otherwise the certificate shown.
    pub trust_cluster: bool,
    /// Now.
    pub at: Timestamp,
}

/// What to sign in with from now on.
#[derive(Debug, Clone)]
pub enum Keep {
    /// A token made for Muster.
    Mint {
        /// What it may do.
        rights: Rights,
        /// Its name; `-2`, `-3`… is added when that is taken.
        token_name: String,
        /// When it ends; `None`: never.
        ends: Option<Timestamp>,
    },
    /// What was signed in with: the password, or the token that was given.
    Given,
}

/// A token that Muster made for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MintedToken {
    /// `USER@REALM!NAME`.
    pub id: String,
    /// What it was made for.
    pub rights: Rights,
    /// The role it has on `/`; none for the rights of its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleFacts>,
    /// When.
    pub created: Timestamp,
    /// When it ends; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

impl MintedToken {
    /// Its user and its name.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.id.split_once('!').unwrap_or((&self.id, ""))
    }
}

/// A remote that may be saved.
///
/// Whatever was made on the host for it is taken back unless [`Finished::saved`] is called: dropping this undoes.
#[derive(Debug)]
pub struct Finished {
    /// The remote.
    pub spec: RemoteSpec,
    /// Its identity.
    pub identity: Fingerprint,
    /// The token that was made.
    pub minted: Option<MintedToken>,
    /// What was made on the host, one line each, to be shown.
    pub printed: Vec<String>,
    pub(super) hold: Hold,
    /// Who signed in, to take away what an earlier onboarding has made.
    pub(super) client: pve::Client,
    pub(super) timings: Timings,
}

impl Finished {
    /// The remote is saved: what was made on the host stays. Until this is called, dropping takes it back.
    pub fn saved(&mut self) {
        self.hold.release();
    }

    /// Removes a token that an earlier onboarding of the same remote has made, now that another one is in use, with the
    /// account that signed in: its line and its role too, unless something else uses that.
    pub async fn remove_older(&self, older: &MintedToken) -> super::Undone {
        super::remove_minted(&self.client, older, &self.timings).await
    }

    /// Takes back what was made on the host.
    pub async fn undo(self) -> super::Undone {
        self.hold.undo().await
    }
}
