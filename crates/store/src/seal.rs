//! Sealing: what may not be read by whoever copies the database. XChaCha20-Poly1305 under a key that is kept
//! elsewhere; the associated data binds a sealed text to its table, purpose and record, so that rows swapped
//! by hand do not open.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::record::SecretId;

const NONCE: usize = 24;

/// A key's name: the first 8 bytes of its SHA-256, in hexadecimal. Tells keys apart, says nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    fn of(key: &[u8; 32]) -> Self {
        use fmt::Write;
        let digest = Sha256::digest(key);
        let mut text = String::with_capacity(16);
        for byte in digest.iter().take(8) {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// As it stands in the rows: 16 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The sealing keys: the one that seals, and older ones that still open what they sealed.
#[derive(Clone)]
pub struct Keys {
    // The first one seals. Empty: no key at all.
    keys: Vec<(KeyId, Zeroizing<[u8; 32]>)>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id.as_str())).finish()
    }
}

impl Keys {
    /// `current` seals and opens, `older` ones only open.
    #[must_use]
    pub fn new(current: Zeroizing<[u8; 32]>, older: Vec<Zeroizing<[u8; 32]>>) -> Self {
        let keys = std::iter::once(current).chain(older).map(|key| (KeyId::of(&key), key)).collect();
        Self { keys }
    }

    /// No key: opening a store with it is refused ([`crate::OpenError::KeyMissing`]).
    #[must_use]
    pub fn none() -> Self {
        Self { keys: Vec::new() }
    }

    /// A fresh random key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        random(key.as_mut())?;
        Ok(key)
    }

    /// Name of the key that seals.
    #[must_use]
    pub fn current(&self) -> Option<&KeyId> {
        self.keys.first().map(|(id, _)| id)
    }

    /// Whether a key of this name is here.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|(own, _)| own.as_str() == id)
    }

    /// Seals under the current key: nonce, then ciphertext with tag.
    pub(crate) fn seal(&self, id: &SecretId, plain: &[u8]) -> Result<(KeyId, Vec<u8>), StoreError> {
        let broken = |why| broken(id, why);
        let (name, key) = self.keys.first().ok_or_else(|| broken("there is no sealing key"))?;
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let sealed = XChaCha20Poly1305::new((&**key).into())
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &bound_to(id) })
            .map_err(|_| broken("it is too long to be sealed"))?;
        let mut body = Vec::with_capacity(NONCE + sealed.len());
        body.extend_from_slice(&nonce);
        body.extend_from_slice(&sealed);
        Ok((name.clone(), body))
    }

    /// Opens what a key of this name sealed for this very record.
    pub(crate) fn open(
        &self,
        id: &SecretId,
        key_id: &str,
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let broken = |why| broken(id, why);
        let (_, key) = self
            .keys
            .iter()
            .find(|(own, _)| own.as_str() == key_id)
            .ok_or_else(|| broken("its key is not here"))?;
        let (nonce, sealed) = body.split_first_chunk::<NONCE>().ok_or_else(|| broken("it is cut short"))?;
        XChaCha20Poly1305::new((&**key).into())
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &bound_to(id) })
            .map(Zeroizing::new)
            .map_err(|_| broken("it was altered, or belongs to another record"))
    }
}

/// Fills with randomness from the system.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), StoreError> {
    rand::rngs::OsRng
        .try_fill_bytes(bytes)
        .map_err(|error| StoreError::Other(format!("the system gives no randomness: {error}")))
}

fn broken(id: &SecretId, why: &'static str) -> StoreError {
    StoreError::Sealed { purpose: id.purpose.to_string(), record: id.record.clone(), why }
}

/// Table, purpose and record, each with its length before it: no two different triples look alike.
fn bound_to(id: &SecretId) -> Vec<u8> {
    let mut bound = Vec::with_capacity(40 + id.purpose.len() + id.record.len());
    for part in ["secrets", &id.purpose, &id.record] {
        bound.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bound.extend_from_slice(part.as_bytes());
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Zeroizing<[u8; 32]> {
        Zeroizing::new([byte; 32])
    }

    #[test]
    fn a_seal_opens_for_its_own_record_only() {
        let keys = Keys::new(key(1), vec![]);
        let id = SecretId::new("credential", "7");
        let (name, body) = keys.seal(&id, b"hunter2").unwrap();
        assert_eq!(keys.open(&id, name.as_str(), &body).unwrap().as_slice(), b"hunter2");
        for other in [
            SecretId::new("credential", "8"),
            SecretId::new("token", "7"),
            SecretId::new("credentia", "l7"),
            SecretId::new("credential7", ""),
        ] {
            assert!(keys.open(&other, name.as_str(), &body).is_err(), "{other:?}");
        }
        for at in 0..body.len() {
            let mut bent = body.clone();
            bent[at] ^= 1;
            assert!(keys.open(&id, name.as_str(), &bent).is_err(), "byte {at}");
        }
        for cut in 0..body.len() {
            assert!(keys.open(&id, name.as_str(), &body[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn older_keys_open_and_strange_ones_do_not() {
        let id = SecretId::new("credential", "7");
        let (name, body) = Keys::new(key(1), vec![]).seal(&id, b"x").unwrap();
        let rotated = Keys::new(key(2), vec![key(1)]);
        assert_eq!(rotated.open(&id, name.as_str(), &body).unwrap().as_slice(), b"x");
        assert_ne!(rotated.seal(&id, b"x").unwrap().0, name);
        assert!(Keys::new(key(2), vec![]).open(&id, name.as_str(), &body).is_err());
        assert!(Keys::none().seal(&id, b"x").is_err());
    }

    #[test]
    fn debug_shows_names_not_keys() {
        let text = format!("{:?}", Keys::new(key(0xab), vec![]));
        assert!(!text.contains("171") && !text.to_lowercase().contains("abab"), "{text}");
    }
}
