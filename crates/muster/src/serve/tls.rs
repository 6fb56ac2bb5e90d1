//! The certificate that is shown off loopback: one that was given, or one made at first start; read again while
//! running: [`Shown`].

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::datadir::write_private;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::guard;

/// How long a certificate of our own making is good for: whoever confirmed its fingerprint is not asked again soon.
const YEARS: i32 = 10;

/// What is shown, and where it was read.
#[derive(Debug)]
pub struct Shown {
    chain: PathBuf,
    key: PathBuf,
    resolver: Arc<Resolver>,
    read: RwLock<Stamp>,
}

/// What tells that files have been written anew.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// Hands out what is shown now: connections that are open keep what they were shown.
#[derive(Debug)]
struct Resolver {
    now: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Shown {
    /// Reads a chain and its key from PEM files.
    ///
    /// # Errors
    /// They cannot be read, are none, or do not belong together.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, Failure> {
        let stamp = stamp(chain, key);
        let now = load(chain, key)?;
        Ok(Self {
            chain: chain.to_owned(),
            key: key.to_owned(),
            resolver: Arc::new(Resolver { now: RwLock::new(Arc::new(now)) }),
            read: RwLock::new(stamp),
        })
    }

    /// Reads the certificate made earlier, or makes one for these names and addresses. The second value: was it
    /// made just now?
    ///
    /// # Errors
    /// It cannot be made, kept or read.
    pub fn own(
        (chain, key): (&Path, &Path),
        names: &[String],
        addresses: &[IpAddr],
        year: i16,
    ) -> Result<(Self, bool), Failure> {
        let made = !chain.exists();
        if made {
            let trouble = |e: &dyn std::fmt::Display| {
                Failure::new(Exit::Failed, format!("A certificate cannot be made: {e}."))
            };
            let (certificate, private) = make(names, addresses, year).map_err(|e| trouble(&e))?;
            // The certificate comes last: where it is, its key is.
            write_private(key, private.as_bytes()).map_err(|e| trouble(&e))?;
            write_private(chain, certificate.as_bytes()).map_err(|e| trouble(&e))?;
        }
        Ok((Self::read(chain, key)?, made))
    }

    /// What TLS needs to show it.
    ///
    /// # Errors
    /// The provider of cryptography has no protocol version in common with us.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, Failure> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| Failure::new(Exit::Failed, format!("TLS cannot be set up: {e}.")))?
            .with_no_client_auth()
            .with_cert_resolver(self.resolver.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// SHA-256 of the certificate that is shown, as people compare it.
    pub fn fingerprint(&self) -> String {
        let now = self.resolver.now.read().unwrap_or_else(PoisonError::into_inner);
        let digest = now.cert.first().map(Sha256::digest).unwrap_or_default();
        let mut text = String::with_capacity(3 * digest.len());
        for (i, byte) in digest.iter().enumerate() {
            let _ = write!(text, "{}{byte:02X}", if i == 0 { "" } else { ":" });
        }
        text
    }

    /// Reads the files again. What cannot be used leaves what is shown as it is. True when something else is shown
    /// from now on.
    ///
    /// # Errors
    /// As [`Shown::read`].
    pub fn reload(&self) -> Result<bool, Failure> {
        let stamp = stamp(&self.chain, &self.key);
        // What was wrong with these very files has been said once.
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = stamp;
        let new = load(&self.chain, &self.key)?;
        let mut now = self.resolver.now.write().unwrap_or_else(PoisonError::into_inner);
        let other = now.cert != new.cert;
        *now = Arc::new(new);
        Ok(other)
    }

    /// Have the files been written since they were read?
    pub fn is_outdated(&self) -> bool {
        stamp(&self.chain, &self.key) != *self.read.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(chain: &Path, key: &Path) -> Stamp {
    [chain, key].map(|path| {
        let about = fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn load(chain: &Path, key: &Path) -> Result<CertifiedKey, Failure> {
    let trouble = |what: &str, path: &Path, e: &dyn std::fmt::Display| {
        Failure::usage(format!("The {what} {} cannot be used: {e}.", path.display())).hint(
            "tls.certificate is a chain in PEM, the server's own certificate first; tls.key its private key.",
        )
    };
    let bytes = fs::read(chain).map_err(|e| trouble("certificate", chain, &e))?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|e| trouble("certificate", chain, &e))?;
    if certificates.is_empty() {
        return Err(trouble("certificate", chain, &"it holds no certificate"));
    }
    let bytes = zeroize::Zeroizing::new(fs::read(key).map_err(|e| trouble("key", key, &e))?);
    guard(key).map_err(Failure::of_settings)?;
    let private = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| trouble("key", key, &io::Error::other("it holds no private key")))?;
    CertifiedKey::from_der(certificates, private, &provider()).map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => trouble("key", key, &"it is not that of the certificate"),
        e => trouble("key", key, &e),
    })
}

/// A certificate signed by itself, and its key, in PEM.
fn make(
    names: &[String],
    addresses: &[IpAddr],
    year: i16,
) -> Result<(String, zeroize::Zeroizing<String>), rcgen::Error> {
    let mut subjects: Vec<String> = names.to_vec();
    subjects.push("localhost".to_owned());
    subjects.extend(addresses.iter().filter(|ip| !ip.is_unspecified()).map(ToString::to_string));
    subjects.sort();
    subjects.dedup();
    let mut params = CertificateParams::new(subjects)?;
    // A day's grace for clocks that are behind.
    params.not_before = rcgen::date_time_ymd(i32::from(year) - 1, 12, 31);
    params.not_after = rcgen::date_time_ymd(i32::from(year) + YEARS, 12, 31);
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationName, "Muster");
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("muster", String::as_str));
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), zeroize::Zeroizing::new(key.serialize_pem())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(dir: &tempfile::TempDir) -> (PathBuf, PathBuf) {
        (dir.path().join("c.pem"), dir.path().join("k.pem"))
    }

    #[test]
    fn it_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = paths(&dir);
        let names = ["muster.example".to_owned()];
        let (first, made) =
            Shown::own((&chain, &key), &names, &["192.0.2.7".parse().unwrap()], 2026).unwrap();
        assert!(made);
        assert_eq!(first.fingerprint().len(), 95);
        let (second, made) = Shown::own((&chain, &key), &names, &[], 2027).unwrap();
        assert!(!made);
        assert_eq!(first.fingerprint(), second.fingerprint());
        first.server_config().unwrap();
    }

    #[test]
    fn a_new_one_is_taken_up_and_a_bad_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = paths(&dir);
        let (shown, _) = Shown::own((&chain, &key), &["a".to_owned()], &[], 2026).unwrap();
        let first = shown.fingerprint();
        assert!(!shown.is_outdated());
        assert!(!shown.reload().unwrap(), "the same");

        let (certificate, private) = make(&["b".to_owned()], &[], 2026).unwrap();
        fs::write(&chain, format!("# renewed\n{certificate}")).unwrap();
        assert!(shown.is_outdated());
        let failure = shown.reload().unwrap_err().to_string();
        assert!(failure.contains("not that of the certificate"), "{failure}");
        assert_eq!(shown.fingerprint(), first);
        assert!(!shown.is_outdated(), "said once");
        fs::write(&key, private.as_bytes()).unwrap();
        assert!(shown.reload().unwrap());
        assert_ne!(shown.fingerprint(), first);

        fs::write(&chain, "nothing").unwrap();
        assert!(shown.reload().unwrap_err().to_string().contains("holds no certificate"));
        assert!(Shown::read(&chain, &dir.path().join("none")).is_err());
    }
}
