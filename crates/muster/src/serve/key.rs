//! The key that seals stored secrets: where it is kept, apart from the database, and how it is replaced: [`KeyRing`].
//!
//! A key file holds the key on its first line, as 64 hexadecimal digits or 32 bytes in base64. Lines below hold older
//! keys, which still open what was sealed with them; a line that begins with `#` says something to people.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

use super::config::{Config, Environment};
use super::datadir::{DataDir, write_private};
use super::settings;
use crate::exit::Exit;
use crate::failure::Failure;

/// The name of the systemd credential.
pub const CREDENTIAL: &str = "muster-key";

/// One key.
pub type Key = Zeroizing<[u8; 32]>;

/// Where the key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file that Muster may write, `made` by it when there was none.
    File(PathBuf),
    /// A file that somebody else keeps: the systemd credential.
    Credential(PathBuf),
    /// The environment.
    Variable(&'static str),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Credential(path) => write!(f, "the systemd credential {}", path.display()),
            Self::Variable(name) => write!(f, "the variable {name}"),
        }
    }
}

/// The key in use and those before it.
#[derive(Clone)]
pub struct KeyRing {
    /// Seals.
    pub current: Key,
    /// Only open.
    pub older: Vec<Key>,
    /// Where it comes from.
    pub place: Place,
    /// Was the key made just now, because nothing was sealed yet?
    pub made: bool,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("place", &self.place).field("older", &self.older.len()).finish()
    }
}

impl KeyRing {
    /// Looks for the key: `MUSTER_KEY`, the key file that was given, the systemd credential, the file in the data
    /// directory. `None`: it is not there.
    ///
    /// # Errors
    /// What is there is no key, or others may read its file.
    pub fn look(config: &Config, environment: &Environment, dir: &DataDir) -> Result<Option<Self>, Failure> {
        if let Some(text) = config.text(&settings::KEY) {
            return parse(text, Place::Variable(settings::KEY.variable)).map(Some);
        }
        if config.path(&settings::KEY_FILE).is_none()
            && let Some(path) = environment.path("CREDENTIALS_DIRECTORY").map(|dir| dir.join(CREDENTIAL))
            && let Some(ring) = read(Place::Credential(path.clone()), &path)?
        {
            return Ok(Some(ring));
        }
        let path = Self::awaited(config, dir);
        read(Place::File(path.clone()), &path)
    }

    /// Where a key that is not there has to be put.
    pub fn awaited(config: &Config, dir: &DataDir) -> PathBuf {
        config.path(&settings::KEY_FILE).unwrap_or_else(|| dir.key())
    }

    /// The same as [`KeyRing::look`]; `None`: it is not there, and may be made. Only the one in the data directory may,
    /// and only while there is no database that was sealed with another (`sealed`).
    ///
    /// # Errors
    /// The key is missing or is none, or others may read its file.
    pub fn needed(
        config: &Config,
        environment: &Environment,
        dir: &DataDir,
        sealed: bool,
    ) -> Result<Option<Self>, Failure> {
        let ring = Self::look(config, environment, dir)?;
        if ring.is_none() && (sealed || config.path(&settings::KEY_FILE).is_some()) {
            return Err(missing(&Self::awaited(config, dir), sealed));
        }
        Ok(ring)
    }

    /// Finds the key, or makes it where [`KeyRing::needed`] allows that.
    ///
    /// # Errors
    /// As [`KeyRing::needed`]; it cannot be made.
    pub fn find(
        config: &Config,
        environment: &Environment,
        dir: &DataDir,
        sealed: bool,
    ) -> Result<Self, Failure> {
        if let Some(ring) = Self::needed(config, environment, dir, sealed)? {
            return Ok(ring);
        }
        let ring = Self { current: fresh()?, older: Vec::new(), place: Place::File(dir.key()), made: true };
        ring.write()?;
        Ok(ring)
    }

    /// The same keys behind a new one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn renewed(&self) -> Result<Self, Failure> {
        let older = std::iter::once(&self.current).chain(&self.older).cloned().collect();
        Ok(Self { current: fresh()?, older, place: self.place.clone(), made: true })
    }

    /// As the store takes them.
    pub fn keys(&self) -> store::Keys {
        store::Keys::new(self.current.clone(), self.older.clone())
    }

    /// Only the key in use.
    #[must_use]
    pub fn without_older(&self) -> Self {
        Self { older: Vec::new(), ..self.clone() }
    }

    /// Writes the key file, whole or not at all.
    ///
    /// # Errors
    /// The key comes from somewhere that Muster cannot write, or the file cannot be written.
    pub fn write(&self) -> Result<(), Failure> {
        let Place::File(path) = &self.place else {
            return Err(Failure::new(
                Exit::Failed,
                format!("The sealing key comes from {}, which Muster cannot write.", self.place),
            )
            .hint(
                "Put a new key on its first line, before the present one, and start the server again: it seals \
                 everything anew and says when the old key can go.",
            ));
        };
        let mut text = Zeroizing::new(String::with_capacity(64 * (self.older.len() + 2)));
        text.push_str("# The key that seals Muster's stored secrets. Keep a copy apart from the database.\n");
        for key in std::iter::once(&self.current).chain(&self.older) {
            for byte in key.iter() {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\n');
        }
        write_private(path, text.as_bytes()).map_err(|e| {
            Failure::new(Exit::Failed, format!("The key file {} cannot be written: {e}.", path.display()))
        })
    }

    /// Takes back a key file that was made for nothing.
    pub fn unmake(&self) {
        if let (true, Place::File(path)) = (self.made, &self.place) {
            let _ = fs::remove_file(path);
        }
    }
}

fn fresh() -> Result<Key, Failure> {
    let mut key = Key::default();
    OsRng.try_fill_bytes(key.as_mut()).map_err(|e| {
        Failure::new(Exit::Failed, format!("The system gives no random numbers for a key: {e}."))
    })?;
    Ok(key)
}

fn missing(path: &Path, sealed: bool) -> Failure {
    let shown = path.display();
    if sealed {
        Failure::new(
            Exit::Failed,
            format!("The sealing key {shown} is missing, and the database holds what was sealed with it."),
        )
        .hint("Put the key back from where its copy is kept. Nothing has been changed.")
    } else {
        Failure::usage(format!("There is no key file {shown}."))
            .hint(format!("Make one: (umask 077; openssl rand -hex 32 > {shown})"))
    }
}

fn read(place: Place, path: &Path) -> Result<Option<KeyRing>, Failure> {
    let trouble = |e: &io::Error| {
        Failure::new(Exit::Failed, format!("The key file {} cannot be read: {e}.", path.display()))
    };
    let about = match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| trouble(&e))?,
    };
    let mode = about.permissions().mode() & 0o777;
    // systemd guards the directory of its credentials; their modes differ with its version.
    if mode & 0o077 != 0 && !matches!(place, Place::Credential(_)) {
        return Err(Failure::usage(format!(
            "Others can read or write the key file {} (mode {mode:04o}).",
            path.display()
        ))
        .hint(format!("chmod 600 {}", path.display())));
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(|e| trouble(&e))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| no_key(&place))?;
    parse(text, place).map(Some)
}

fn parse(text: &str, place: Place) -> Result<KeyRing, Failure> {
    let words = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split([',', ' ', '\t', '\r']))
        .filter(|word| !word.is_empty());
    let mut keys = Vec::new();
    for word in words {
        keys.push(decode(word).ok_or_else(|| no_key(&place))?);
    }
    let mut keys = keys.into_iter();
    let current = keys.next().ok_or_else(|| no_key(&place))?;
    Ok(KeyRing { current, older: keys.collect(), place, made: false })
}

fn no_key(place: &Place) -> Failure {
    Failure::usage(format!("What {place} holds is no sealing key."))
        .hint("A key is 64 hexadecimal digits, or 32 bytes in base64: openssl rand -hex 32")
}

fn decode(word: &str) -> Option<Key> {
    let mut key = Key::default();
    if word.len() == 64 {
        for (byte, pair) in key.iter_mut().zip(word.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        return Some(key);
    }
    let bytes = Zeroizing::new(STANDARD.decode(word).ok()?);
    (bytes.len() == key.len()).then(|| {
        key.copy_from_slice(&bytes);
        key
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::config::Given;

    fn config(pairs: &[(&str, &str)]) -> (Config, Environment) {
        let environment = Environment::of(pairs.iter().copied());
        (Config::read(&Given::default(), &environment).unwrap(), environment)
    }

    fn dir() -> (tempfile::TempDir, DataDir) {
        let base = tempfile::tempdir().unwrap();
        let dir = DataDir::take(&base.path().join("data")).unwrap();
        (base, dir)
    }

    #[test]
    fn a_key_is_made_once_and_never_for_a_database_that_has_another() {
        let (_base, dir) = dir();
        let (config, environment) = config(&[]);
        let failure = KeyRing::find(&config, &environment, &dir, true).unwrap_err();
        assert!(failure.to_string().contains("is missing"), "{failure}");
        assert!(!dir.key().exists());
        let made = KeyRing::find(&config, &environment, &dir, false).unwrap();
        assert!(made.made && made.older.is_empty());
        assert_eq!(fs::metadata(dir.key()).unwrap().permissions().mode() & 0o777, 0o600);
        let found = KeyRing::find(&config, &environment, &dir, true).unwrap();
        assert!(!found.made);
        assert_eq!(found.current, made.current);
        assert!(!format!("{found:?}").contains(&format!("{:?}", &found.current[..4])));
    }

    #[test]
    fn a_new_key_stands_before_the_one_it_replaces() {
        let (_base, dir) = dir();
        let (config, environment) = config(&[]);
        let first = KeyRing::find(&config, &environment, &dir, false).unwrap();
        let second = first.renewed().unwrap();
        second.write().unwrap();
        let found = KeyRing::find(&config, &environment, &dir, true).unwrap();
        assert_eq!(found.current, second.current);
        assert_ne!(found.current, first.current);
        assert_eq!(found.older, vec![first.current.clone()]);
        found.without_older().write().unwrap();
        assert!(KeyRing::find(&config, &environment, &dir, true).unwrap().older.is_empty());
    }

    #[test]
    fn the_surroundings_may_hold_it() {
        let (base, dir) = dir();
        let hex = "0f".repeat(32);
        let (c, e) = config(&[("MUSTER_KEY", &hex)]);
        let ring = KeyRing::find(&c, &e, &dir, true).unwrap();
        assert_eq!(*ring.current, [15; 32]);
        assert!(ring.write().is_err(), "a variable cannot be written");

        let file = base.path().join("elsewhere");
        let (c, e) = config(&[("MUSTER_KEY_FILE", file.to_str().unwrap())]);
        let failure = KeyRing::find(&c, &e, &dir, false).unwrap_err();
        assert!(!file.exists(), "a file that was named is never made: {failure}");
        fs::write(&file, format!("# ours\n{}\n", STANDARD.encode([7; 32]))).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(KeyRing::find(&c, &e, &dir, false).unwrap_err().to_string().contains("mode 0640"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(*KeyRing::find(&c, &e, &dir, true).unwrap().current, [7; 32]);

        let credentials = base.path().join("credentials");
        fs::create_dir(&credentials).unwrap();
        fs::write(credentials.join("muster-key"), format!("{}\n{hex}\n", "aB".repeat(32))).unwrap();
        let (c, e) = config(&[("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())]);
        let ring = KeyRing::find(&c, &e, &dir, true).unwrap();
        assert_eq!((*ring.current, ring.older.len()), ([0xab; 32], 1));
        assert!(!dir.key().exists());
    }

    #[test]
    fn what_is_no_key_is_not_repeated() {
        let (_base, dir) = dir();
        for wrong in ["hunter2", "0f0f", &"zz".repeat(32), "#"] {
            let (c, e) = config(&[("MUSTER_KEY", wrong)]);
            let failure = KeyRing::find(&c, &e, &dir, true).unwrap_err().to_string();
            assert!(failure.contains("no sealing key"), "{failure}");
            assert!(wrong == "#" || !failure.contains(wrong), "{failure}");
        }
    }
}
