//! The certificates of a remote, made as Proxmox VE makes them: one authority per cluster, one certificate per
//! node, which is shown without its chain.
//!
//! They are made when first asked for: a simulator of thousands of hosts does not pay for those nobody visits.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
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

use super::keep::{Keep, Kept, Said};
use crate::seam::CertificateFacts;

/// A certificate could not be made, or TLS not be set up with it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("certificates: {0}")]
pub struct CertificateError(String);

impl CertificateError {
    pub(crate) fn new(error: impl std::fmt::Display) -> Self {
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
    id: String,
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

fn authority_params(id: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "Proxmox Virtual Environment");
    params.distinguished_name.push(DnType::OrganizationalUnitName, id);
    params.distinguished_name.push(DnType::OrganizationName, "PVE Cluster Manager CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    /// A new one. `id` stands where a real cluster has a UUID.
    pub(crate) fn new(id: &str, now: jiff::Timestamp) -> Result<Self, CertificateError> {
        let key = KeyPair::generate().map_err(CertificateError::new)?;
        let mut params = authority_params(id);
        let days = days(10, now)?;
        set_days(&mut params, &days);
        let certificate = params.self_signed(&key).map_err(CertificateError::new)?;
        Ok(Self::of(id, certificate.der(), key, (days.from.3, days.to.3)))
    }

    /// One that was made earlier.
    pub(crate) fn kept(kept: Kept) -> Result<Self, CertificateError> {
        let said = Said::by(&kept.der)?;
        Ok(Self::of(&said.authority, &kept.der, kept.key, (said.not_before, said.not_after)))
    }

    fn of(id: &str, der: &CertificateDer<'_>, key: KeyPair, (not_before, not_after): (u64, u64)) -> Self {
        let name = format!("/CN=Proxmox Virtual Environment/OU={id}/O=PVE Cluster Manager CA");
        let pem = pem(der);
        let facts = CertificateFacts {
            filename: "pve-root-ca.pem".to_owned(),
            fingerprint: fingerprint(der),
            subject: name.clone(),
            issuer: name.clone(),
            not_before,
            not_after,
            pem: pem.clone(),
            san: Vec::new(),
            public_key_type: "id-ecPublicKey".to_owned(),
            public_key_bits: 256,
        };
        Self { issuer: Issuer::new(authority_params(id), key), pem, facts, name, id: id.to_owned() }
    }

    /// The key that it signs with.
    pub(crate) fn key(&self) -> &KeyPair {
        self.issuer.key()
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
        let (der, key) = self.sign(node, ip, now)?;
        identity(node, der, &key, &self.name, provider)
    }

    /// The certificate that was kept for a node, if it still fits; else a new one, which is kept.
    pub(crate) fn issue_or_reuse(
        &self,
        keep: &Keep,
        node: &str,
        ip: IpAddr,
        provider: &Arc<CryptoProvider>,
        now: jiff::Timestamp,
    ) -> Result<Identity, CertificateError> {
        if let Some(kept) = keep.node(node)? {
            let said = Said::by(&kept.der)?;
            let in_a_month = u64::try_from(now.as_second()).unwrap_or_default() + 30 * 86_400;
            let wanted: Vec<String> = names(node, ip).into_iter().map(shown_name).collect();
            if said.authority == self.id && said.not_after > in_a_month && said.names == wanted {
                return identity(node, kept.der, &kept.key, &self.name, provider);
            }
        }
        let (der, key) = self.sign(node, ip, now)?;
        keep.keep_node(node, &pem(&der), &key)?;
        identity(node, der, &key, &self.name, provider)
    }

    fn sign(
        &self,
        node: &str,
        ip: IpAddr,
        now: jiff::Timestamp,
    ) -> Result<(CertificateDer<'static>, KeyPair), CertificateError> {
        let params = leaf(node, ip, now)?;
        let key = KeyPair::generate().map_err(CertificateError::new)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(CertificateError::new)?;
        Ok((certificate.der().clone(), key))
    }
}

/// A certificate that nobody vouches for, with all the names of the true one.
pub(crate) fn impostor(
    node: &str,
    ip: IpAddr,
    provider: &Arc<CryptoProvider>,
    now: jiff::Timestamp,
) -> Result<Identity, CertificateError> {
    let params = leaf(node, ip, now)?;
    let key = KeyPair::generate().map_err(CertificateError::new)?;
    let certificate = params.self_signed(&key).map_err(CertificateError::new)?;
    identity(node, certificate.der().clone(), &key, &node_subject(node), provider)
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

/// What a node's certificate is good for.
fn names(node: &str, ip: IpAddr) -> Vec<String> {
    let mut names = vec![
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
        "localhost".to_owned(),
        ip.to_string(),
        node.to_owned(),
    ];
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// A name as the API shows it: the real server writes IPv6 addresses out in full.
pub(crate) fn shown_name(name: String) -> String {
    match name.parse::<std::net::Ipv6Addr>() {
        Ok(address) => address.segments().map(|part| format!("{part:04x}")).join(":"),
        Err(_) => name,
    }
}

fn leaf(node: &str, ip: IpAddr, now: jiff::Timestamp) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(names(node, ip)).map_err(CertificateError::new)?;
    set_days(&mut params, &days(2, now)?);
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "PVE Cluster Node");
    params.distinguished_name.push(DnType::OrganizationName, "Proxmox Virtual Environment");
    params.distinguished_name.push(DnType::CommonName, node);
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&rand::random::<[u8; 8]>()));
    Ok(params)
}

fn identity(
    node: &str,
    der: CertificateDer<'static>,
    key: &KeyPair,
    issuer: &str,
    provider: &Arc<CryptoProvider>,
) -> Result<Identity, CertificateError> {
    let said = Said::by(&der)?;
    let facts = CertificateFacts {
        filename: "pve-ssl.pem".to_owned(),
        fingerprint: fingerprint(&der),
        subject: node_subject(node),
        issuer: issuer.to_owned(),
        not_before: said.not_before,
        not_after: said.not_after,
        pem: pem(&der),
        san: said.names,
        public_key_type: "id-ecPublicKey".to_owned(),
        public_key_bits: 256,
    };
    let chain = vec![der];
    Ok(Identity { tls: server_config(chain.clone(), key, provider)?, facts, chain })
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

/// A certificate as Proxmox VE keeps it: PEM with Unix line ends.
fn pem(der: &CertificateDer<'_>) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut lines = vec!["-----BEGIN CERTIFICATE-----"];
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        lines.push(line);
        rest = more;
    }
    lines.extend(["-----END CERTIFICATE-----", ""]);
    lines.join("\n")
}
