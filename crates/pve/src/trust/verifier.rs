//! The judgement of one presented certificate, in the form rustls asks for: [`Verifier`].

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::{Certificate, Distrust, Pinned, SystemStore, TrustPolicy, roots_of};
use crate::error::ErrorKind;

/// Why a handshake was broken off on account of the certificate. Travels through rustls as an `OtherError`.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    Untrusted { presented: Box<Certificate>, why: Distrust },
    Changed { pinned: Pinned, presented: Box<Certificate> },
    WithoutKey { presented: Box<Certificate> },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted { why, .. } => write!(f, "the certificate is not trusted: {why}"),
            Self::Changed { .. } => f.write_str("the certificate has changed"),
            Self::WithoutKey { .. } => f.write_str("the server lacks the key of its certificate"),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for ErrorKind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Untrusted { presented, why } => Self::Untrusted { presented, why },
            Refusal::Changed { pinned, presented } => Self::CertificateChanged { pinned, presented },
            Refusal::WithoutKey { presented } => Self::CertificateWithoutKey { presented },
        }
    }
}

impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
    }
}

/// The refusal inside of a rustls error, if it is one of ours.
pub(crate) fn refusal_in(error: &rustls::Error) -> Option<Refusal> {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            inner.downcast_ref::<Refusal>().cloned()
        }
        _ => None,
    }
}

/// Judges the certificate of every full handshake by a [`TrustPolicy`].
///
/// Without a policy it only looks: every certificate passes, provided that the server has its key.
#[derive(Debug)]
pub(crate) struct Verifier {
    policy: Option<TrustPolicy>,
    authorities: RootCertStore,
    system: SystemStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(crate) fn new(policy: Option<TrustPolicy>, system: SystemStore) -> Self {
        let authorities = roots_of(policy.iter().flat_map(|policy| policy.ca.iter().cloned()));
        Self {
            policy,
            authorities,
            system,
            algorithms: rustls::crypto::ring::default_provider().signature_verification_algorithms,
        }
    }

    /// Is this chain good for the dialled name at that time?
    pub(crate) fn judge(
        &self,
        policy: &TrustPolicy,
        presented: &Certificate,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        dialled: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        if policy.leaf == Some(presented.fingerprint) {
            return Ok(());
        }
        let chain = |roots: &RootCertStore, names: &[ServerName<'_>]| {
            let parsed = ParsedCertificate::try_from(leaf)?;
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
            let mut verdict = Err(CertificateError::NotValidForName.into());
            for name in names {
                verdict = verify_server_name(&parsed, name);
                if verdict.is_ok() {
                    break;
                }
            }
            verdict
        };

        let mut why = None;
        if !policy.ca.is_empty() {
            let mut names = vec![dialled.to_owned()];
            names.extend(policy.node_names.iter().filter_map(|name| server_name(name)));
            match chain(&self.authorities, &names) {
                Ok(()) => return Ok(()),
                Err(error) => why = Some(distrust(&error, presented, dialled)),
            }
        }
        if policy.system {
            let roots = self.system.roots();
            match chain(&roots, &[dialled.to_owned()]) {
                Ok(()) => return Ok(()),
                // What the pinned authority says weighs more, unless it does not know the certificate.
                Err(error) => match &why {
                    None | Some(Distrust::UnknownIssuer { .. }) => {
                        why = Some(distrust(&error, presented, dialled));
                    }
                    Some(_) => {}
                },
            }
        }
        let why = why.unwrap_or_else(|| unknown_issuer(presented));
        let presented = Box::new(presented.clone());
        match policy.leaf {
            Some(pin) => Err(Refusal::Changed { pinned: Pinned::Leaf(pin), presented }),
            None if !policy.ca.is_empty() && matches!(why, Distrust::UnknownIssuer { .. }) => {
                Err(Refusal::Changed { pinned: Pinned::Authority(policy.authorities()), presented })
            }
            None => Err(Refusal::Untrusted { presented, why }),
        }
    }

    /// A signature that does not fit the certificate means that the key is not there.
    fn signature(
        &self,
        leaf: &CertificateDer<'_>,
        verdict: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let foreign = matches!(
            verdict,
            Err(rustls::Error::InvalidCertificate(
                CertificateError::BadSignature
                    | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            ))
        );
        match Certificate::from_der(leaf) {
            Ok(presented) if foreign => Err(Refusal::WithoutKey { presented: Box::new(presented) }.into()),
            _ => verdict,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let presented = Certificate::from_der(end_entity)
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match &self.policy {
            None => {}
            Some(policy) => self.judge(policy, &presented, end_entity, intermediates, server_name, now)?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(cert, verify_tls12_signature(message, cert, dss, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(cert, verify_tls13_signature(message, cert, dss, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A name or address as TLS knows it; `None` for what can stand in no certificate.
pub(crate) fn server_name(text: &str) -> Option<ServerName<'static>> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ServerName::from(ip));
    }
    ServerName::try_from(text.to_owned()).ok()
}

fn unknown_issuer(presented: &Certificate) -> Distrust {
    Distrust::UnknownIssuer { issuer: presented.issuer.clone(), self_issued: presented.is_self_issued() }
}

/// The verifier's verdict in our words.
fn distrust(error: &rustls::Error, presented: &Certificate, dialled: &ServerName<'_>) -> Distrust {
    let rustls::Error::InvalidCertificate(verdict) = error else {
        return Distrust::Other { text: error.to_string() };
    };
    match verdict {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => unknown_issuer(presented),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => expired(presented),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Distrust::NotYetValid { from: presented.not_before }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::NameMismatch { dialled: dialled.to_str().into_owned(), names: presented.sans.clone() }
        }
        // A certificate that vouches for itself is often marked as an authority, which webpki refuses in its own way.
        CertificateError::Other(_) if presented.is_self_issued() => unknown_issuer(presented),
        CertificateError::Other(OtherError(inner)) => Distrust::Other { text: inner.to_string() },
        other => Distrust::Other { text: other.to_string() },
    }
}

/// Expired, by the leaf's own date or by that of an intermediate.
fn expired(presented: &Certificate) -> Distrust {
    if presented.not_after < Timestamp::now() {
        Distrust::Expired { since: presented.not_after }
    } else {
        Distrust::Other { text: "a certificate of its chain has expired".to_owned() }
    }
}
