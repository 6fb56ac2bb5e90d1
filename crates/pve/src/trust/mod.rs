//! Whom to believe: what makes a server's certificate good ([`TrustPolicy`]), why one is not ([`Distrust`]), and
//! a way to see the certificate before anything is sent ([`probe`]).
//!
//! A certificate is good when any one of these holds:
//! - it is the pinned leaf itself (the pin stands for chain, name and validity, never for the signature);
//! - its chain ends at a pinned authority, it is valid now, and it is for the dialled host or a known node;
//! - the system's store trusts it for the dialled host.
//!
//! Whatever holds, the handshake's signature is always verified: a certificate is public, its key is not.

mod certificate;
mod probe;
mod verifier;

use std::fmt;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

pub use certificate::{BadCertificate, Certificate, Fingerprint, FingerprintError};
pub(crate) use probe::judge_chain;
pub use probe::{Presented, probe, probe_with};
pub(crate) use verifier::{Verifier, refusal_in, server_name};

use crate::reply::CertificateInfo;

/// What makes a certificate good for one endpoint. Any one of the three kinds of trust is enough.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TrustPolicy {
    /// Believe the system's certificate store, for the dialled name.
    pub system: bool,
    /// Believe certificates issued by these authorities (DER form), for the dialled name or a node's name.
    #[serde(default, with = "der_list")]
    pub ca: Vec<Vec<u8>>,
    /// Believe the certificate with this fingerprint, whatever it says.
    #[serde(default)]
    pub leaf: Option<Fingerprint>,
    /// Names and addresses of the cluster's nodes: what a certificate of a pinned authority may be for beside the
    /// dialled host.
    #[serde(default)]
    pub node_names: Vec<String>,
}

impl TrustPolicy {
    /// Trust by the system's store alone.
    pub fn system() -> Self {
        Self { system: true, ..Self::default() }
    }

    /// Trust for one confirmed certificate (and for what the system's store trusts anyway).
    pub fn leaf(fingerprint: Fingerprint) -> Self {
        Self { system: true, leaf: Some(fingerprint), ..Self::default() }
    }

    /// Trust for every node of a cluster by the cluster's own authority (and for what the system's store trusts
    /// anyway), so that renewals pass in silence.
    pub fn cluster_ca(ca: &Certificate, node_names: impl IntoIterator<Item = String>) -> Self {
        Self {
            system: true,
            ca: vec![ca.der.clone()],
            leaf: None,
            node_names: node_names.into_iter().collect(),
        }
    }

    /// The fingerprints of the pinned authorities.
    pub fn authorities(&self) -> Vec<Fingerprint> {
        self.ca.iter().map(|der| Fingerprint::of(der)).collect()
    }
}

/// The cluster's own root certificate among the answers of `GET /nodes/{node}/certificates/info`.
///
/// `None` when the listing has none, or when it cannot be read.
pub fn cluster_authority(certificates: &[CertificateInfo]) -> Option<Certificate> {
    let root = certificates.iter().find(|row| row.filename.as_deref() == Some("pve-root-ca.pem"))?;
    Certificate::from_pem(root.pem.as_deref()?).ok()
}

/// What the trust in an endpoint rested on when its certificate changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinned {
    /// One confirmed certificate.
    Leaf(Fingerprint),
    /// Authorities, by their fingerprints.
    Authority(Vec<Fingerprint>),
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(fingerprint) => write!(f, "{fingerprint}"),
            Self::Authority(fingerprints) => {
                f.write_str("one issued by the authority ")?;
                for (i, fingerprint) in fingerprints.iter().enumerate() {
                    let or = if i == 0 { "" } else { " or " };
                    write!(f, "{or}{fingerprint}")?;
                }
                Ok(())
            }
        }
    }
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Distrust {
    /// Nobody known vouches for it.
    UnknownIssuer {
        /// The issuer it names.
        issuer: String,
        /// It vouches for itself.
        self_issued: bool,
    },
    /// Its validity has ended.
    Expired {
        /// When.
        since: Timestamp,
    },
    /// Its validity has not begun (or this machine's clock is behind).
    NotYetValid {
        /// When it begins.
        from: Timestamp,
    },
    /// It is for other names.
    NameMismatch {
        /// The name or address that was dialled.
        dialled: String,
        /// The names and addresses it is for.
        names: Vec<String>,
    },
    /// Anything else, in the verifier's words.
    Other {
        /// The words.
        text: String,
    },
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer { self_issued: true, .. } => {
                f.write_str("it is self-signed and has not been confirmed")
            }
            Self::UnknownIssuer { issuer, .. } => write!(f, "its issuer is not known here ({issuer})"),
            Self::Expired { since } => write!(f, "it expired at {since}"),
            Self::NotYetValid { from } => write!(f, "it is not valid before {from}"),
            Self::NameMismatch { dialled, names } if names.is_empty() => {
                write!(f, "it is not for {dialled}, nor for any other name")
            }
            Self::NameMismatch { dialled, names } => {
                write!(f, "it is not for {dialled}, but for {}", names.join(", "))
            }
            Self::Other { text } => f.write_str(text),
        }
    }
}

/// The system's certificate store, read once when first needed. Clones share it.
///
/// A store that is empty or cannot be read trusts nothing; that is no error.
#[derive(Clone, Default)]
pub struct SystemStore {
    roots: Arc<OnceLock<Arc<RootCertStore>>>,
}

impl SystemStore {
    /// The store of this machine (`SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded).
    pub fn new() -> Self {
        Self::default()
    }

    /// A store of just these authorities, in DER form; for tests and for machines without a store.
    pub fn of<D: AsRef<[u8]>>(authorities: impl IntoIterator<Item = D>) -> Self {
        let store = Self::default();
        let roots = roots_of(authorities.into_iter().map(|der| der.as_ref().to_vec()));
        let _ = store.roots.set(Arc::new(roots));
        store
    }

    /// The authorities, read now if this is the first time.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        self.roots
            .get_or_init(|| {
                let found = rustls_native_certs::load_native_certs();
                tracing::debug!(
                    certificates = found.certs.len(),
                    errors = found.errors.len(),
                    "read the system's certificate store"
                );
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(found.certs);
                Arc::new(roots)
            })
            .clone()
    }
}

impl fmt::Debug for SystemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemStore").field("read", &self.roots.get().map(|roots| roots.len())).finish()
    }
}

/// A root store of these certificates; those that cannot be an authority are left out.
pub(crate) fn roots_of(ders: impl IntoIterator<Item = Vec<u8>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(ders.into_iter().map(CertificateDer::from));
    roots
}

/// DER certificates as base64 text, for whoever stores a policy.
mod der_list {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(list: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|der| STANDARD.encode(der)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| STANDARD.decode(text).map_err(serde::de::Error::custom)).collect()
    }
}
