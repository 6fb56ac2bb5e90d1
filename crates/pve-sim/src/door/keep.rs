//! Certificates and keys that outlast the program: PEM files, laid out as under `/etc/pve`.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::certificate::{CertificateError, shown_name};

/// Where one remote keeps its certificates.
pub(crate) struct Keep {
    directory: PathBuf,
}

/// A certificate with its key, as they were kept.
pub(crate) struct Kept {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

/// What a certificate says of itself.
pub(crate) struct Said {
    /// The OU of its issuer: which authority signed it.
    pub(crate) authority: String,
    /// Seconds since the epoch.
    pub(crate) not_before: u64,
    /// Seconds since the epoch.
    pub(crate) not_after: u64,
    /// Names and addresses as the API shows them.
    pub(crate) names: Vec<String>,
}

impl Keep {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn authority_files(&self) -> (PathBuf, PathBuf) {
        (self.directory.join("pve-root-ca.pem"), self.directory.join("priv/pve-root-ca.key"))
    }

    fn node_files(&self, node: &str) -> (PathBuf, PathBuf) {
        let directory = self.directory.join("nodes").join(node);
        (directory.join("pve-ssl.pem"), directory.join("pve-ssl.key"))
    }

    pub(crate) fn authority(&self) -> Result<Option<Kept>, CertificateError> {
        read(self.authority_files())
    }

    pub(crate) fn keep_authority(&self, pem: &str, key: &KeyPair) -> Result<(), CertificateError> {
        write(self.authority_files(), pem, key)
    }

    pub(crate) fn node(&self, node: &str) -> Result<Option<Kept>, CertificateError> {
        read(self.node_files(node))
    }

    pub(crate) fn keep_node(&self, node: &str, pem: &str, key: &KeyPair) -> Result<(), CertificateError> {
        write(self.node_files(node), pem, key)
    }
}

impl Said {
    pub(crate) fn by(der: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(CertificateError::new)?;
        let units = certificate.issuer().iter_organizational_unit().next();
        let authority = units.and_then(|unit| unit.as_str().ok()).unwrap_or_default().to_owned();
        let seconds = |time: i64| u64::try_from(time).unwrap_or_default();
        let san = certificate.subject_alternative_name().ok().flatten();
        let names = san.into_iter().flat_map(|san| &san.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        });
        Ok(Self {
            authority,
            not_before: seconds(certificate.validity().not_before.timestamp()),
            not_after: seconds(certificate.validity().not_after.timestamp()),
            names: names.collect(),
        })
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from)).ok()?;
    Some(shown_name(address.to_string()))
}

/// Reads both files. None of them is nothing; one without the other, or one that does not fit, is an error.
fn read((certificate, key): (PathBuf, PathBuf)) -> Result<Option<Kept>, CertificateError> {
    let (Some(pem), Some(key_pem)) = (text_of(&certificate)?, text_of(&key)?) else {
        let one = [&certificate, &key].into_iter().find(|file| file.exists());
        return match one {
            None => Ok(None),
            Some(one) => Err(bad(one, "it is there without the other half; remove it")),
        };
    };
    let der = pem.as_bytes();
    let der = x509_parser::pem::parse_x509_pem(der).map_err(|error| bad(&certificate, error))?.1.contents;
    let pair = KeyPair::from_pem(&key_pem).map_err(|error| bad(&key, error))?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| bad(&certificate, error))?;
    if parsed.public_key().subject_public_key.data != pair.public_key_raw() {
        return Err(bad(&certificate, format!("{} is not its key; remove both", key.display())));
    }
    Ok(Some(Kept { der: CertificateDer::from(der), key: pair }))
}

fn text_of(file: &Path) -> Result<Option<String>, CertificateError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(bad(file, error)),
    }
}

fn write((certificate, key): (PathBuf, PathBuf), pem: &str, pair: &KeyPair) -> Result<(), CertificateError> {
    for (file, text, mode) in [(&key, pair.serialize_pem().as_str(), 0o600), (&certificate, pem, 0o644)] {
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory).map_err(|error| bad(directory, error))?;
        }
        let mut options = std::fs::OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(mode).open(file);
        opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| bad(file, error))?;
    }
    Ok(())
}

fn bad(file: &Path, what: impl std::fmt::Display) -> CertificateError {
    CertificateError::new(format!("{}: {what}", file.display()))
}
