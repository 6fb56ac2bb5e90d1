//! The certificates of a remote, made as Proxmox VE makes them: one authority per cluster, one certificate per
//! node, which is shown without its chain.
//!
//! They are made when first asked for: a simulator of thousands of hosts does not pay for those nobody visits.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use crate::seam::CertificateFacts;

/// A certificate could not be made, or TLS not be set up with it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("making a certificate failed: {0}")]
pub struct CertificateError(String);

impl CertificateError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }

    pub(crate) fn no_node() -> Self {
        Self("there is no such node".to_owned())
    }
}

/// The certificate authority of one cluster, `pve-root-ca.pem`.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    facts: CertificateFacts,
    name: String,
}

/// What a node shows, and TLS set up to show it.
pub(crate) struct Identity {
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) facts: CertificateFacts,
    chain: Vec<CertificateDer<'static>>,
}

/// The day on which certificates begin and end: they start yesterday, so that a clock that is a little off
/// does no harm.
struct Days {
    from: (i32, u8, u8, u64),
    to: (i32, u8, u8, u64),
}

fn days(years: i16, now: jiff::Timestamp) -> Result<Days, CertificateError> {
    let part = |date: jiff::civil::Date| -> Result<(i32, u8, u8, u64), CertificateError> {
        let at = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(CertificateError::new)?.timestamp();
        Ok((
            i32::from(date.year()),
            u8::try_from(date.month()).map_err(CertificateError::new)?,
            u8::try_from(date.day()).map_err(CertificateError::new)?,
            u64::try_from(at.as_second()).map_err(CertificateError::new)?,
        ))
    };
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let yesterday = today.yesterday().map_err(CertificateError::new)?;
    let end = yesterday.checked_add(jiff::Span::new().years(years)).map_err(CertificateError::new)?;
    Ok(Days { from: part(yesterday)?, to: part(end)? })
}

fn set_days(params: &mut CertificateParams, days: &Days) {
    params.not_before = rcgen::date_time_ymd(days.from.0, days.from.1, days.from.2);
    params.not_after = rcgen::date_time_ymd(days.to.0, days.to.1, days.to.2);
}

impl Authority {
    /// A new one. `id` stands where a real cluster has a UUID.
    pub(crate) fn new(id: &str, now: jiff::Timestamp) -> Result<Self, CertificateError> {
        let key = KeyPair::generate().map_err(CertificateError::new)?;
        let mut params = CertificateParams::default();
        let days = days(10, now)?;
        set_days(&mut params, &days);
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, "Proxmox Virtual Environment");
        params.distinguished_name.push(DnType::OrganizationalUnitName, id);
        params.distinguished_name.push(DnType::OrganizationName, "PVE Cluster Manager CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(CertificateError::new)?;
        let name = format!("/CN=Proxmox Virtual Environment/OU={id}/O=PVE Cluster Manager CA");
        let pem = unix_lines(&certificate.pem());
        let facts = CertificateFacts {
            filename: "pve-root-ca.pem".to_owned(),
            fingerprint: fingerprint(certificate.der()),
            subject: name.clone(),
            issuer: name.clone(),
            not_before: days.from.3,
            not_after: days.to.3,
            pem: pem.clone(),
            san: Vec::new(),
            public_key_type: "id-ecPublicKey".to_owned(),
            public_key_bits: 256,
        };
        Ok(Self { issuer: Issuer::new(params, key), pem, facts, name })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// A new certificate for a node, `pve-ssl.pem`.
    pub(crate) fn issue(
        &self,
        node: &str,
        ip: IpAddr,
        provider: &Arc<CryptoProvider>,
        now: jiff::Timestamp,
    ) -> Result<Identity, CertificateError> {
        let (params, days, san) = leaf(node, ip, now)?;
        let key = KeyPair::generate().map_err(CertificateError::new)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(CertificateError::new)?;
        identity(node, &certificate, &key, &days, san, &self.name, provider)
    }
}

/// A certificate that nobody vouches for, with all the names of the true one.
pub(crate) fn impostor(
    node: &str,
    ip: IpAddr,
    provider: &Arc<CryptoProvider>,
    now: jiff::Timestamp,
) -> Result<Identity, CertificateError> {
    let (params, days, san) = leaf(node, ip, now)?;
    let key = KeyPair::generate().map_err(CertificateError::new)?;
    let certificate = params.self_signed(&key).map_err(CertificateError::new)?;
    identity(node, &certificate, &key, &days, san, &node_subject(node), provider)
}

impl Identity {
    /// The same, with another key for session tickets: what was begun before is not resumed.
    pub(crate) fn without_sessions(&self) -> Result<Self, CertificateError> {
        let mut tls = ServerConfig::clone(&self.tls);
        tls.ticketer = rustls::crypto::ring::Ticketer::new().map_err(CertificateError::new)?;
        Ok(Self { tls: Arc::new(tls), facts: self.facts.clone(), chain: self.chain.clone() })
    }

    /// The same certificate, shown by someone who has another key.
    pub(crate) fn without_key(&self, provider: &Arc<CryptoProvider>) -> Result<Self, CertificateError> {
        let key = KeyPair::generate().map_err(CertificateError::new)?;
        Ok(Self {
            tls: server_config(self.chain.clone(), &key, provider)?,
            facts: self.facts.clone(),
            chain: self.chain.clone(),
        })
    }
}

fn node_subject(node: &str) -> String {
    format!("/OU=PVE Cluster Node/O=Proxmox Virtual Environment/CN={node}")
}

fn leaf(
    node: &str,
    ip: IpAddr,
    now: jiff::Timestamp,
) -> Result<(CertificateParams, Days, Vec<String>), CertificateError> {
    let mut names = vec![
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
        "localhost".to_owned(),
        ip.to_string(),
        node.to_owned(),
    ];
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let mut params = CertificateParams::new(names.clone()).map_err(CertificateError::new)?;
    let days = days(2, now)?;
    set_days(&mut params, &days);
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "PVE Cluster Node");
    params.distinguished_name.push(DnType::OrganizationName, "Proxmox Virtual Environment");
    params.distinguished_name.push(DnType::CommonName, node);
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&rand::random::<[u8; 8]>()));
    // The real server writes IPv6 addresses out in full.
    let shown = names
        .into_iter()
        .map(|name| match name.parse::<std::net::Ipv6Addr>() {
            Ok(address) => address.segments().map(|part| format!("{part:04x}")).join(":"),
            Err(_) => name,
        })
        .collect();
    Ok((params, days, shown))
}

fn identity(
    node: &str,
    certificate: &rcgen::Certificate,
    key: &KeyPair,
    days: &Days,
    san: Vec<String>,
    issuer: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Identity, CertificateError> {
    let chain = vec![certificate.der().clone()];
    Ok(Identity {
        tls: server_config(chain.clone(), key, provider)?,
        facts: CertificateFacts {
            filename: "pve-ssl.pem".to_owned(),
            fingerprint: fingerprint(certificate.der()),
            subject: node_subject(node),
            issuer: issuer.to_owned(),
            not_before: days.from.3,
            not_after: days.to.3,
            pem: unix_lines(&certificate.pem()),
            san,
            public_key_type: "id-ecPublicKey".to_owned(),
            public_key_bits: 256,
        },
        chain,
    })
}

/// TLS that shows this chain and signs with this key, whether or not they belong together. Sessions are
/// resumed by tickets under a key of its own: no server resumes what another one began.
fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, CertificateError> {
    let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(CertificateError::new)?;
    let signing = provider.key_provider.load_private_key(der).map_err(CertificateError::new)?;
    let resolver = AlwaysThis(Arc::new(CertifiedKey::new(chain, signing)));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::new)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(CertificateError::new)?;
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AlwaysThis(Arc<CertifiedKey>);

impl ResolvesServerCert for AlwaysThis {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// SHA-256 as Proxmox VE writes it: `AA:BB:…`.
fn fingerprint(der: &[u8]) -> String {
    let bytes: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

fn unix_lines(pem: &str) -> String {
    pem.replace("\r\n", "\n")
}
