//! Why an onboarding does not go on: [`OnboardError`].

use model::{Cause, RemoteId};
use pve::Fingerprint;

use super::undo::Undone;
use crate::errors;

/// Why an onboarding does not go on. Nothing is saved, and nothing is left on the host unless it says so.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OnboardError {
    /// A call failed.
    #[error("{} ({endpoint}, {during})", cause.sentence())]
    Failed {
        /// What was being done, e.g. `the sign-in`.
        during: &'static str,
        /// Why it failed.
        cause: Box<Cause>,
        /// Where.
        endpoint: String,
    },
    /// The fingerprint that was given is not that of the certificate shown. Nothing was sent.
    #[error("the certificate shown is {shown}, not {given}; nothing was sent")]
    OtherCertificate {
        /// What was shown.
        shown: Fingerprint,
        /// What was given.
        given: Fingerprint,
    },
    /// Not the time for that.
    #[error("the onboarding stands at “{is}”; that takes “{wanted}”")]
    WrongStep {
        /// Where it stands.
        is: &'static str,
        /// Where it should.
        wanted: &'static str,
    },
    /// The user has no realm, or one that the host does not have. No password was sent.
    #[error("{user} has no realm of this host ({}); no password was sent", realms.join(", "))]
    UnknownRealm {
        /// The user as it was given.
        user: String,
        /// The realms there are.
        realms: Vec<String>,
    },
    /// The token's id is none. Nothing was sent.
    #[error("an API token's id is USER@REALM!NAME; nothing was sent")]
    NotAToken,
    /// The second factors of the account only work in a browser.
    #[error("the account's second factor ({}) only works in a browser", kinds.join(" or "))]
    FactorUnusable {
        /// The kinds there are.
        kinds: Vec<String>,
    },
    /// It is managed already.
    #[error("already managed as {name}; add {address} as an endpoint of it?")]
    AlreadyManaged {
        /// The remote.
        id: RemoteId,
        /// What it is called.
        name: String,
        /// The address that was dialled.
        address: String,
        /// Whether that address is one of its endpoints already.
        endpoint: bool,
    },
    /// A new credential was given for one remote, and this is another.
    #[error("this is another cluster than {name}: its root certificate is {found}, not {expected}")]
    OtherCluster {
        /// The remote that was meant.
        name: String,
        /// Its identity.
        expected: Fingerprint,
        /// What was found.
        found: Fingerprint,
    },
    /// The host's root certificate, by which it is known, could not be read.
    #[error("the host's root certificate, by which it is known, was not among its certificates")]
    NoIdentity,
    /// What answers at an address is not known as a node of the cluster that it should belong to.
    #[error(
        "what answers at {address} is no node of this cluster, as far as its certificates tell ({shown})"
    )]
    Stranger {
        /// The address.
        address: String,
        /// SHA-256 of the certificate shown there.
        shown: String,
    },
    /// What was asked for cannot be had with this account.
    #[error("{why}")]
    NotOffered {
        /// Why, in one sentence.
        why: String,
    },
    /// Every name is taken.
    #[error("{name} and every name like it are taken")]
    NoFreeName {
        /// The name that was wanted.
        name: String,
    },
    /// The new token works, but may do less or more than was wanted.
    #[error("the new token {token} does not have the rights it should have: {how}")]
    Unproven {
        /// The token.
        token: String,
        /// What differs.
        how: String,
    },
    /// It failed after something had been made on the host; that was taken back, or not.
    #[error("{source}; {undone}")]
    Undone {
        /// What failed.
        #[source]
        source: Box<OnboardError>,
        /// What was taken back.
        undone: Undone,
    },
    /// The work ended without a word; a fault of Muster's own.
    #[error("the onboarding ended unexpectedly")]
    Lost,
}

impl OnboardError {
    pub(super) fn failed(during: &'static str) -> impl Fn(pve::Error) -> Self {
        move |error| Self::Failed {
            during,
            cause: Box::new(errors::cause(&error)),
            endpoint: error.endpoint().to_owned(),
        }
    }

    /// A word for it, the same in every version; of a failed call the cause's.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed { cause, .. } => cause.code(),
            Self::OtherCertificate { .. } => "other_certificate",
            Self::WrongStep { .. } => "wrong_step",
            Self::UnknownRealm { .. } => "unknown_realm",
            Self::NotAToken => "not_a_token",
            Self::FactorUnusable { .. } => "factor_unusable",
            Self::AlreadyManaged { .. } => "already_managed",
            Self::OtherCluster { .. } => "other_cluster",
            Self::NoIdentity => "no_identity",
            Self::Stranger { .. } => "stranger",
            Self::NotOffered { .. } => "not_offered",
            Self::NoFreeName { .. } => "no_free_name",
            Self::Unproven { .. } => "unproven",
            Self::Undone { source, .. } => source.code(),
            Self::Lost => "internal",
        }
    }

    /// The cause of the call that failed, if it was one.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Failed { cause, .. } => Some(cause),
            Self::Undone { source, .. } => source.cause(),
            _ => None,
        }
    }

    /// What was taken back after it, and what could not be.
    #[must_use]
    pub fn undone(&self) -> Option<&Undone> {
        match self {
            Self::Undone { undone, .. } => Some(undone),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Failed { cause, .. } => cause.remedy(),
            Self::OtherCertificate { .. } => {
                "Compare the fingerprint with the one on the host; if it was renewed on purpose, confirm the new one."
                    .to_owned()
            }
            Self::WrongStep { .. } | Self::Lost => "Begin anew.".to_owned(),
            Self::UnknownRealm { realms, .. } => {
                format!("A user has a name and a realm, as in root@pam. The realms are {}.", realms.join(", "))
            }
            Self::NotAToken => "Give it as in root@pam!muster.".to_owned(),
            Self::FactorUnusable { .. } => {
                "Add a TOTP or recovery key to the account, or use an API token.".to_owned()
            }
            Self::AlreadyManaged { name, endpoint: false, .. } => {
                format!("Add the address as an endpoint of {name}, or give {name} a new credential.")
            }
            Self::AlreadyManaged { name, .. } => format!("Give {name} a new credential, if that is what was meant."),
            Self::OtherCluster { .. } => "Add it as a remote of its own, or look at the address.".to_owned(),
            Self::NoIdentity => {
                "Look on the host for /etc/pve/pve-root-ca.pem; `pvecm updatecerts` makes it.".to_owned()
            }
            Self::Stranger { .. } => "Look at the address; another cluster is added as a remote of its own.".to_owned(),
            Self::NotOffered { .. } => {
                "Choose other rights, or sign in with an account that may do more.".to_owned()
            }
            Self::NoFreeName { .. } => "Remove tokens and roles on the host that nobody needs any more.".to_owned(),
            Self::Unproven { .. } => {
                "Look on the host at the permissions of the user and at roles that take rights away.".to_owned()
            }
            Self::Undone { source, undone } if undone.left.is_empty() => source.remedy(),
            Self::Undone { source, undone } => {
                let commands: Vec<&str> = undone.left.iter().map(|left| left.command.as_str()).collect();
                format!("{} On the host, as root: {}", source.remedy(), commands.join("; "))
            }
        }
    }
}
