//! TLS to a server: by the system's store, or by the fingerprint that was confirmed at sign-in.

use std::io;
use std::sync::Arc;

use pve::trust::{Certificate, Fingerprint};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::exit::Exit;
use crate::failure::Failure;

/// What makes the server's certificate good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The system's store.
    System,
    /// This certificate and no other.
    Leaf(Fingerprint),
}

/// The configuration for a trust.
///
/// # Errors
/// The library refuses its own defaults.
pub fn config(trust: Trust) -> Result<Arc<ClientConfig>, Failure> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::new(Exit::Failed, format!("TLS cannot be set up: {e}.")))?;
    let config = match trust {
        Trust::System => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Leaf(fingerprint) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned {
                fingerprint,
                algorithms: ring::default_provider().signature_verification_algorithms,
            }))
            .with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// Accepts the certificate with one fingerprint, from whoever has its key.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if Fingerprint::of(leaf) == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A handshake that did not come about, in words.
pub(super) fn failure(error: &io::Error, name: &str, context: Option<&str>) -> Failure {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    let again = match context {
        Some(context) => format!("muster login URL --name {context}"),
        None => "muster login URL".to_owned(),
    };
    match inner {
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => Failure::new(
            Exit::Certificate,
            format!("{name} shows another certificate than the one that was confirmed. Nothing was sent."),
        )
        .hint(format!(
            "If it was renewed on purpose, compare it and sign in again: {again}\n\
             Otherwise someone may sit in between."
        ))
        .cause("certificate_changed"),
        Some(Error::InvalidCertificate(why)) => Failure::new(
            Exit::Certificate,
            format!("The certificate of {name} is not trusted: {}. Nothing was sent.", distrust(why)),
        )
        .hint(format!("To look at it and confirm it: {again}"))
        .cause("untrusted_certificate"),
        Some(Error::InvalidMessage(_)) => {
            Failure::new(Exit::Unreachable, format!("{name} does not speak TLS on that port."))
                .hint("For a server that speaks plain HTTP, write http:// in the URL.")
                .cause("tls_failure")
        }
        Some(other) => {
            Failure::new(Exit::Unreachable, format!("TLS with {name} failed: {other}.")).cause("tls_failure")
        }
        None => Failure::new(Exit::Unreachable, format!("TLS with {name} broke off: {error}."))
            .cause("tls_failure"),
    }
}

fn distrust(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "nobody known here vouches for it".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        other => other.to_string(),
    }
}

/// A certificate's facts, one a line.
pub fn facts(certificate: &Certificate) -> Vec<String> {
    crate::open::trust::facts(certificate)
}
