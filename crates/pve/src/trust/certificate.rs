//! A certificate as it was shown, read for people: [`Certificate`], and its SHA-256 [`Fingerprint`].

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;

/// The SHA-256 of a certificate's DER form.
///
/// Displayed as Proxmox VE shows it, `AA:BB:…`; read in either case, with or without colons or spaces, with or
/// without a `sha256:` in front.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// A text that is no SHA-256 fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 fingerprint: 64 hexadecimal digits are wanted, as AA:BB:… or without the colons")]
pub struct FingerprintError;

impl Fingerprint {
    /// The fingerprint of a certificate in DER form.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            let colon = if i == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let text = text.trim();
        let text = match text.get(..7) {
            Some(prefix) if prefix.eq_ignore_ascii_case("sha256:") => text.get(7..).unwrap_or_default(),
            _ => text,
        };
        let mut bytes = [0u8; 32];
        let mut digits = 0usize;
        for c in text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')) {
            let digit = c.to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or(FingerprintError)?;
            let byte = bytes.get_mut(digits / 2).ok_or(FingerprintError)?;
            *byte = (*byte << 4) | digit;
            digits += 1;
        }
        if digits == 64 { Ok(Self(bytes)) } else { Err(FingerprintError) }
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A certificate, its facts parsed for showing; the DER form is kept.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The certificate itself.
    #[serde(skip)]
    pub der: Vec<u8>,
    /// Subject, e.g. `OU=PVE Cluster Node, O=Proxmox Virtual Environment, CN=pve1.example`.
    pub subject: String,
    /// Issuer, in the same form.
    pub issuer: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// The names and IP addresses it is for.
    pub sans: Vec<String>,
    /// SHA-256 of the DER form.
    pub fingerprint: Fingerprint,
}

/// Bytes that are no X.509 certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate: {0}")]
pub struct BadCertificate(pub String);

impl Certificate {
    /// Reads a certificate in DER form.
    pub fn from_der(der: &[u8]) -> Result<Self, BadCertificate> {
        let (_, parsed) =
            x509_parser::parse_x509_certificate(der).map_err(|error| BadCertificate(error.to_string()))?;
        let at = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp())
                .map_err(|_| BadCertificate("its validity lies outside of the calendar".to_owned()))
        };
        let sans = match parsed.subject_alternative_name() {
            Ok(Some(extension)) => extension.value.general_names.iter().filter_map(name_text).collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            not_before: at(parsed.validity().not_before)?,
            not_after: at(parsed.validity().not_after)?,
            sans,
            fingerprint: Fingerprint::of(der),
            der: der.to_vec(),
        })
    }

    /// Reads the first certificate of a PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, BadCertificate> {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| BadCertificate(format!("{error:?}")))?;
        Self::from_der(&der)
    }

    /// Is it signed by itself, as far as the names say?
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

/// A subject alternative name as text; kinds other than DNS names and IP addresses are left out.
fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let ip = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                16 => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
                _ => return None,
            };
            Some(ip.to_string())
        }
        _ => None,
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("issuer", &self.issuer)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .field("sans", &self.sans)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_in_every_spelling() {
        let shown = "0A:1B:2C:3D:4E:5F:60:71:82:93:A4:B5:C6:D7:E8:F9:\
                     00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
        let fingerprint: Fingerprint = shown.parse().unwrap();
        assert_eq!(fingerprint.to_string(), shown);
        let bare = shown.replace(':', "").to_lowercase();
        assert_eq!(bare.parse::<Fingerprint>().unwrap(), fingerprint);
        assert_eq!(format!(" SHA256:{bare} ").parse::<Fingerprint>().unwrap(), fingerprint);
        assert_eq!(shown.replace(':', " ").parse::<Fingerprint>().unwrap(), fingerprint);
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        for text in ["", "AA", "zz".repeat(32).as_str(), "aa".repeat(33).as_str(), "ab".repeat(20).as_str()] {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
        }
    }

    #[test]
    fn a_certificate_gives_its_facts() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["pve1.example".into(), "192.0.2.7".into()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "pve1.example");
        let made = params.self_signed(&key).unwrap();
        let read = Certificate::from_der(made.der()).unwrap();
        assert_eq!(read.sans, ["pve1.example", "192.0.2.7"]);
        assert!(read.subject.contains("CN=pve1.example"), "{}", read.subject);
        assert!(read.is_self_issued());
        assert!(read.not_before < read.not_after);
        assert_eq!(Certificate::from_pem(&made.pem()).unwrap(), read);
        assert!(Certificate::from_der(b"no certificate").is_err());
    }
}
