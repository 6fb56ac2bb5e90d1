//! Seeing a server's certificate without sending it anything: [`probe`].

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};

use super::verifier::server_name;
use super::{Certificate, Distrust, SystemStore, TrustPolicy, Verifier};
use crate::address::Address;
use crate::error::{Error, ErrorKind, Phase};
use crate::timings::Timings;
use crate::transport::connect::Connector;

/// What a server showed in a TLS handshake. The server proved that it has the key of the first certificate.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The chain, leaf first. Never empty.
    chain: Vec<Certificate>,
    /// The address it was shown at.
    pub peer: SocketAddr,
    dialled: String,
    system: SystemStore,
}

impl Presented {
    /// The server's own certificate.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Would this policy trust it? The error is one of the trust kinds of [`ErrorKind`].
    pub fn judge(&self, policy: &TrustPolicy) -> Result<(), ErrorKind> {
        judge_chain(&self.chain, &self.dialled, policy, &self.system)
    }

    /// Does the system's store trust it for the dialled host, so that no pin is needed? If not, why not.
    pub fn by_system(&self) -> Result<(), Distrust> {
        match self.judge(&TrustPolicy::system()) {
            Ok(()) => Ok(()),
            Err(ErrorKind::Untrusted { why, .. }) => Err(why),
            Err(_) => Err(Distrust::Other { text: "the certificate could not be judged".to_owned() }),
        }
    }
}

/// Would this policy trust this chain (leaf first) for the dialled host, now?
pub(crate) fn judge_chain(
    chain: &[Certificate],
    dialled: &str,
    policy: &TrustPolicy,
    system: &SystemStore,
) -> Result<(), ErrorKind> {
    let other = |text: &str| ErrorKind::Tls { text: text.to_owned() };
    let ders: Vec<CertificateDer<'_>> =
        chain.iter().map(|certificate| CertificateDer::from(certificate.der.as_slice())).collect();
    let (Some(leaf), Some((first, rest))) = (chain.first(), ders.split_first()) else {
        return Err(other("no certificate was shown"));
    };
    let name = server_name(dialled).ok_or_else(|| other("the host is no name for TLS"))?;
    let verifier = Verifier::new(Some(policy.clone()), system.clone());
    verifier.judge(policy, leaf, first, rest, &name, UnixTime::now()).map_err(ErrorKind::from)
}

/// Connects, takes the certificate from the TLS handshake and closes. Nothing is sent on the level of HTTP.
///
/// Errors are those of the phases resolve, connect and TLS; trust is not judged here ([`Presented::judge`]).
pub async fn probe(address: &Address, timings: &Timings) -> Result<Presented, Error> {
    probe_with(address, timings, SystemStore::new()).await
}

/// [`probe`], with a system store to judge by.
pub async fn probe_with(
    address: &Address,
    timings: &Timings,
    system: SystemStore,
) -> Result<Presented, Error> {
    let verifier = Verifier::new(None, system.clone());
    let connector = Connector::new(address.clone(), verifier, timings.clone(), Arc::default());
    let connected = connector.connect().await?;
    let peer = connected.peer;
    connected.close().await;
    let chain = connector.shown();
    if chain.is_empty() {
        let kind = ErrorKind::Tls { text: "no certificate was shown".to_owned() };
        return Err(Error::new(kind, Phase::Tls, address.to_string()));
    }
    Ok(Presented { chain, peer, dialled: connector.host().to_owned(), system })
}
