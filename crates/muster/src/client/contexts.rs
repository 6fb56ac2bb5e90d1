//! The servers that were signed in to: [`Contexts`], one file that only its owner can read.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use pve::trust::Fingerprint;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::secrets::guard;
use crate::serve::config::Environment;
use crate::serve::datadir::write_private;

/// The server on this machine, over its socket: always there, never in the file.
pub const LOCAL: &str = "local";

/// One server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Known {
    /// What it is called here.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Who we are there.
    #[serde(default)]
    pub user: Option<String>,
    /// SHA-256 of the certificate that was confirmed; without one, the system's store is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The id of the token that was made for us, and may be taken back by us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minted: Option<String>,
    /// The API token.
    pub token: api::Secret,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Known {
    /// The certificate that was confirmed. None: the system's store is believed.
    ///
    /// # Errors
    /// What was written down is no fingerprint: then nothing is believed.
    pub fn pinned(&self) -> Result<Option<Fingerprint>, Failure> {
        let Some(text) = self.fingerprint.as_deref() else { return Ok(None) };
        text.parse().map(Some).map_err(|e| {
            Failure::new(
                Exit::Certificate,
                format!("The fingerprint that is kept for {} is damaged: “{text}” is {e}.", self.name),
            )
            .hint(format!("Sign in again: muster login {} --name {}", self.url, self.name))
        })
    }
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    /// The one in use; none is the server on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    #[serde(default, rename = "context")]
    contexts: Vec<Known>,
}

/// The servers that were signed in to.
#[derive(Debug)]
pub struct Contexts {
    path: PathBuf,
    written: Written,
}

impl Contexts {
    /// The file; without a home directory there is none.
    pub fn place(environment: &Environment) -> Option<PathBuf> {
        Some(environment.xdg("XDG_CONFIG_HOME", ".config")?.join("muster/contexts.toml"))
    }

    /// Reads them; a file that is not there is empty.
    ///
    /// # Errors
    /// The file cannot be read, or somebody else could read it.
    pub fn read(environment: &Environment) -> Result<Self, Failure> {
        let path = Self::place(environment).ok_or_else(|| {
            Failure::usage("Nothing says where the known servers are kept: there is no home directory.")
                .hint("Set HOME or XDG_CONFIG_HOME.")
        })?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, written: Written::default() });
            }
            Err(e) => return Err(trouble(&path, "read", &e)),
        };
        guard(&path)?;
        // The library's own words would quote the line, and with it perhaps a token.
        let written = toml::from_str(&text).map_err(|e| {
            let line = e.span().map_or(0, |s| text.get(..s.start).unwrap_or_default().lines().count().max(1));
            Failure::new(Exit::Failed, format!("{}, line {line}, is not understood.", path.display()))
                .hint("Mend it, or remove the file and sign in again: muster login URL")
        })?;
        Ok(Self { path, written })
    }

    /// All of them, by name.
    pub fn all(&self) -> &[Known] {
        &self.written.contexts
    }

    /// The one in use, if it is not the server on this machine.
    pub fn current(&self) -> Option<&Known> {
        self.named(self.written.current.as_deref()?)
    }

    /// One by its name.
    pub fn named(&self, name: &str) -> Option<&Known> {
        self.written.contexts.iter().find(|c| c.name == name)
    }

    /// One by its URL.
    pub fn at(&self, url: &str) -> Option<&Known> {
        let plain = |text: &str| text.trim_end_matches('/').to_lowercase();
        self.written.contexts.iter().find(|c| plain(&c.url) == plain(url))
    }

    /// One by its name, or what is said when there is none.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn expect(&self, name: &str) -> Result<&Known, Failure> {
        self.named(name).ok_or_else(|| {
            let names: Vec<String> = self.written.contexts.iter().map(|c| c.name.clone()).collect();
            let failure = Failure::usage(format!("No server is known here as “{name}”."));
            match names.is_empty() {
                true => failure.hint("Sign in to one first: muster login URL"),
                false => failure.hint(format!("Known are: {}, {LOCAL}.", names.join(", "))),
            }
        })
    }

    /// Takes one in, in place of one of the same name, and uses it from now on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put(&mut self, known: Known) -> Result<(), Failure> {
        self.written.contexts.retain(|c| c.name != known.name);
        self.written.current = Some(known.name.clone());
        self.written.contexts.push(known);
        self.written.contexts.sort_by(|a, b| a.name.cmp(&b.name));
        self.write()
    }

    /// Uses this one from now on; [`LOCAL`] is the server on this machine.
    ///
    /// # Errors
    /// There is none of that name, or the file cannot be written.
    pub fn use_from_now_on(&mut self, name: &str) -> Result<(), Failure> {
        self.written.current = match name {
            LOCAL if self.named(LOCAL).is_none() => None,
            _ => Some(self.expect(name)?.name.clone()),
        };
        self.write()
    }

    /// Forgets one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget(&mut self, name: &str) -> Result<(), Failure> {
        self.written.contexts.retain(|c| c.name != name);
        if self.written.current.as_deref() == Some(name) {
            self.written.current = None;
        }
        self.write()
    }

    fn write(&self) -> Result<(), Failure> {
        let text = toml::to_string(&self.written)
            .map(Zeroizing::new)
            .map_err(|_| Failure::new(Exit::Failed, "The known servers cannot be written down."))?;
        if let Some(parent) = self.path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .map_err(|e| trouble(parent, "made", &e))?;
        }
        write_private(&self.path, text.as_bytes()).map_err(|e| trouble(&self.path, "written", &e))
    }
}

fn trouble(path: &Path, what: &str, e: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{} cannot be {what}: {e}.", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn known(name: &str) -> Known {
        Known {
            name: name.to_owned(),
            url: format!("https://{name}.example"),
            user: Some("alice".to_owned()),
            fingerprint: None,
            minted: Some("1".to_owned()),
            token: "mst_1_canary".into(),
        }
    }

    #[test]
    fn tokens_are_kept_where_only_their_owner_can_read() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([("HOME", home.path().to_str().unwrap())]);
        let mut contexts = Contexts::read(&environment).unwrap();
        assert!(contexts.all().is_empty() && contexts.current().is_none());
        contexts.put(known("work")).unwrap();
        contexts.put(known("home")).unwrap();
        let path = home.path().join(".config/muster/contexts.toml");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));

        let mut again = Contexts::read(&environment).unwrap();
        assert_eq!(again.current().unwrap().name, "home");
        assert_eq!(again.at("HTTPS://work.example/").unwrap().token.reveal(), "mst_1_canary");
        assert!(!format!("{again:?}").contains("canary"));
        assert!(again.use_from_now_on("nowhere").unwrap_err().hint.unwrap().contains("home, work"));
        again.use_from_now_on(LOCAL).unwrap();
        assert!(Contexts::read(&environment).unwrap().current().is_none());
        again.forget("work").unwrap();
        assert_eq!(Contexts::read(&environment).unwrap().all().len(), 1);

        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Contexts::read(&environment).unwrap_err().hint.unwrap().contains("chmod 600"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, "[[context]]\ntoken = \"mst_1_canary\"\nname = 7\n").unwrap();
        assert!(!Contexts::read(&environment).unwrap_err().to_string().contains("canary"));
    }
}
