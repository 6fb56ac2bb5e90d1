//! What is given when a remote is added, and the form in which that is kept.

use std::time::Duration;

use crate::onboard::MintedToken;
use jiff::Timestamp;
use model::link::Login;
use model::{EndpointId, RemoteId, Rights, Text};
use pve::address::Address;
use pve::{Client, Credential, TrustPolicy};
use serde::{Deserialize, Serialize};
use store::{RemoteRecord, SecretId, Write};
use zeroize::Zeroizing;

/// What a sealed credential is sealed for.
pub(crate) const CREDENTIAL: &str = "credential";

/// A remote to be managed.
#[derive(Debug, Clone)]
pub struct RemoteSpec {
    /// What it is called. Unique.
    pub name: String,
    /// Where it answers, each with what makes its certificate good. The first one is tried first.
    pub endpoints: Vec<(Address, TrustPolicy)>,
    /// What to sign in with.
    pub credential: Credential,
    /// Least interval of its listing; `None`: as in the timings.
    pub interval: Option<Duration>,
    /// Disconnected before, by whom and when: it stays so.
    pub disconnected: Option<(String, Timestamp)>,
    /// Fingerprint of its root certificate, where onboarding has read it: it is not added when that is managed.
    pub identity: Option<Text>,
    /// The address of its own web interface, where that is not an endpoint's.
    pub web_url: Option<String>,
    /// What the credential was made for, where Muster made it.
    pub rights: Option<Rights>,
    /// The token that Muster made on it, which goes with it if that is wished.
    pub minted: Option<MintedToken>,
    /// A client that has signed in with the credential: its session is taken over. Not kept.
    pub session: Option<Client>,
}

/// What may be changed about a remote without touching how it is signed in to. `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteEdit {
    /// Another name.
    pub name: Option<String>,
    /// Another least interval of its listing; `Some(None)`: as in the timings.
    pub interval: Option<Option<Duration>>,
    /// Another address of its web interface; `Some(None)`: that of the endpoint in use.
    pub web_url: Option<Option<String>>,
}

impl RemoteSpec {
    /// A remote with one endpoint.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        address: Address,
        trust: TrustPolicy,
        credential: Credential,
    ) -> Self {
        Self {
            name: name.into(),
            endpoints: vec![(address, trust)],
            credential,
            interval: None,
            disconnected: None,
            identity: None,
            web_url: None,
            rights: None,
            minted: None,
            session: None,
        }
    }

    /// One more endpoint.
    #[must_use]
    pub fn endpoint(mut self, address: Address, trust: TrustPolicy) -> Self {
        self.endpoints.push((address, trust));
        self
    }

    pub(crate) fn ids(&self) -> Vec<EndpointId> {
        self.endpoints.iter().map(|(address, _)| EndpointId::from(address.to_string())).collect()
    }

    pub(crate) fn login(&self) -> Login {
        if self.credential.is_token() { Login::Token } else { Login::of_password(self.credential.user()) }
    }

    /// The form in which it is kept, the credential apart.
    pub(crate) fn record(
        &self,
        id: RemoteId,
        identity: Option<&Text>,
        created: Timestamp,
        now: Timestamp,
    ) -> Write {
        let kept = Kept {
            endpoints: self
                .endpoints
                .iter()
                .map(|(address, trust)| KeptEndpoint { address: address.to_string(), trust: trust.clone() })
                .collect(),
            interval_ms: self.interval.map(|one| u64::try_from(one.as_millis()).unwrap_or(u64::MAX)),
            web_url: self.web_url.clone(),
            rights: self.rights,
            minted: self.minted.clone(),
        };
        Write::Remote(RemoteRecord {
            id,
            name: self.name.clone(),
            identity: identity.or(self.identity.as_ref()).map(|one| one.as_str().to_owned()),
            owner: None,
            disconnected: self.disconnected.clone(),
            spec: serde_json::to_string(&kept).unwrap_or_default(),
            created,
            updated: now,
        })
    }

    /// The credential, to be sealed.
    pub(crate) fn sealed(&self, id: RemoteId) -> Write {
        Write::Secret { id: secret_id(id), plain: plain(&self.credential) }
    }

    /// Out of the form in which it was kept.
    pub(crate) fn restored(record: &RemoteRecord, credential: Option<&[u8]>) -> Result<Self, String> {
        let kept: Kept = serde_json::from_str(&record.spec).map_err(|error| error.to_string())?;
        let endpoints = kept
            .endpoints
            .into_iter()
            .map(|one| {
                Ok((one.address.parse().map_err(|error| format!("{}: {error}", one.address))?, one.trust))
            })
            .collect::<Result<Vec<_>, String>>()?;
        let read = credential.and_then(credential_of);
        let mut disconnected = record.disconnected.clone();
        if read.is_none() && disconnected.is_none() {
            // Nothing is sent without what to sign in with: an empty one would only lock the account.
            disconnected = Some((LOST_CREDENTIAL.to_owned(), record.updated));
        }
        Ok(Self {
            name: record.name.clone(),
            endpoints,
            credential: read.unwrap_or_else(nobody),
            interval: kept.interval_ms.map(Duration::from_millis),
            disconnected,
            identity: record.identity.as_deref().map(Text::from),
            web_url: kept.web_url,
            rights: kept.rights,
            minted: kept.minted,
            session: None,
        })
    }
}

impl RemoteSpec {
    /// Who signs in, as Proxmox VE names them; `None` when that cannot be read.
    pub(crate) fn account(&self) -> Option<&str> {
        Some(self.credential.authid()).filter(|account| *account != NOBODY)
    }

    /// What stands for a specification that cannot be used, for `text`. It is shown, and never recorded.
    pub(crate) fn unreadable(record: &RemoteRecord, text: &str) -> Self {
        let by = format!("Muster, because what was kept of it cannot be read: {text}");
        let kept = Self::restored(record, None).ok();
        Self {
            name: record.name.clone(),
            endpoints: kept.as_ref().map(|kept| kept.endpoints.clone()).unwrap_or_default(),
            credential: nobody(),
            interval: None,
            disconnected: Some((by, record.updated)),
            identity: record.identity.as_deref().map(Text::from),
            web_url: kept.and_then(|kept| kept.web_url),
            rights: None,
            minted: None,
            session: None,
        }
    }
}

/// The account of [`nobody`].
const NOBODY: &str = "unknown@pam!unknown";

/// What stands for a credential that cannot be read. It is presented to nobody, and not shown.
fn nobody() -> Credential {
    Credential::token(NOBODY, "")
}

/// Who disconnects a remote whose credential cannot be read.
pub(crate) const LOST_CREDENTIAL: &str = "Muster, because its credential cannot be read: give it again";

pub(crate) fn secret_id(id: RemoteId) -> SecretId {
    SecretId::new(CREDENTIAL, id)
}

#[derive(Serialize, Deserialize)]
struct Kept {
    endpoints: Vec<KeptEndpoint>,
    #[serde(default)]
    interval_ms: Option<u64>,
    #[serde(default)]
    web_url: Option<String>,
    #[serde(default)]
    rights: Option<Rights>,
    #[serde(default)]
    minted: Option<MintedToken>,
}

#[derive(Serialize, Deserialize)]
struct KeptEndpoint {
    address: String,
    trust: TrustPolicy,
}

/// The words between its parts: neither an id nor a user may hold a line's end.
const BREAK: char = '\n';

fn plain(credential: &Credential) -> Zeroizing<Vec<u8>> {
    let (kind, name, secret) = match credential {
        Credential::Password { user, password, .. } => ("password", user, password),
        Credential::Token { id, secret } => ("token", id, secret),
    };
    let mut text = Zeroizing::new(Vec::with_capacity(kind.len() + name.len() + secret.expose().len() + 2));
    text.extend_from_slice(kind.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(name.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(secret.expose().as_bytes());
    text
}

fn credential_of(plain: &[u8]) -> Option<Credential> {
    let text = std::str::from_utf8(plain).ok()?;
    let (kind, rest) = text.split_once(BREAK)?;
    let (name, secret) = rest.split_once(BREAK)?;
    match kind {
        "password" => Some(Credential::password(name, secret)),
        "token" => Some(Credential::token(name, secret)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_comes_back_as_it_was_kept() {
        let leaf = "AA:".repeat(31) + "AA";
        let trust = TrustPolicy::leaf(leaf.parse().unwrap());
        let mut spec = RemoteSpec::new(
            "lab",
            "pve.example:8006".parse().unwrap(),
            trust,
            Credential::token("muster@pve!muster-1", "0-1-2\n3"),
        )
        .endpoint("[2001:db8::1]:8006".parse().unwrap(), TrustPolicy::system());
        spec.interval = Some(Duration::from_secs(30));
        spec.rights = Some(Rights::Operate);
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        spec.minted = Some(MintedToken {
            id: "muster@pve!muster-1".into(),
            rights: Rights::Operate,
            role: None,
            created: at,
            ends: None,
        });
        let Write::Remote(record) = spec.record(RemoteId(3), Some(&"AB".into()), at, at) else { panic!() };
        assert!(!record.spec.contains("0-1-2"), "the credential is kept apart");
        let Write::Secret { plain, .. } = spec.sealed(RemoteId(3)) else { panic!() };
        let back = RemoteSpec::restored(&record, Some(&plain)).unwrap();
        assert_eq!(back.endpoints, spec.endpoints);
        assert_eq!((back.interval, back.rights, &back.minted), (spec.interval, spec.rights, &spec.minted));
        assert_eq!(back.identity.as_deref(), Some("AB"));
        let Credential::Token { id, secret } = back.credential else { panic!() };
        assert_eq!((id.as_str(), secret.expose()), ("muster@pve!muster-1", "0-1-2\n3"));
        let lost = RemoteSpec::restored(&record, None).unwrap();
        assert!(lost.disconnected.is_some(), "without its credential it sends nothing");
    }
}
