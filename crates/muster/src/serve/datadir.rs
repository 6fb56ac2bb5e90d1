//! The data directory: where it is, who may look into it, and what lies in it: [`DataDir`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::config::{Config, Environment};
use super::settings;
use crate::exit::Exit;
use crate::failure::Failure;

/// A directory that is there, is ours, and is nobody else's business.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    /// Was it made just now?
    pub made: bool,
}

/// Where the data directory is, or would be.
///
/// # Errors
/// Nothing says where: no flag, no variable, no home directory.
pub fn place(config: &Config, environment: &Environment) -> Result<PathBuf, Failure> {
    let given = config.path(&settings::DATA_DIR);
    let path = given.or_else(|| default_place(environment)).ok_or_else(|| {
        Failure::usage("Nothing says where the data directory is: there is no home directory.")
            .hint("Give --data-dir DIR or set MUSTER_DATA_DIR.")
    })?;
    std::path::absolute(&path).map_err(|e| trouble(&path, "found", &e))
}

/// `$STATE_DIRECTORY` under systemd, else `$XDG_DATA_HOME/muster`.
pub fn default_place(environment: &Environment) -> Option<PathBuf> {
    environment
        .path("STATE_DIRECTORY")
        .or_else(|| Some(environment.xdg("XDG_DATA_HOME", ".local/share")?.join("muster")))
}

impl DataDir {
    /// Takes the directory, making it when it is not there.
    ///
    /// # Errors
    /// It cannot be made, is no directory, or others may look into it or write to it.
    pub fn take(path: &Path) -> Result<Self, Failure> {
        match fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(path)
                    .map_err(|e| trouble(path, "made", &e))?;
                Ok(Self { path: path.to_owned(), made: true })
            }
            _ => Self::existing(path),
        }
    }

    /// Takes a directory that has to be there.
    ///
    /// # Errors
    /// It is not, is no directory, or others may look into it or write to it.
    pub fn existing(path: &Path) -> Result<Self, Failure> {
        let about = fs::metadata(path).map_err(|e| trouble(path, "read", &e))?;
        let shown = path.display();
        if !about.is_dir() {
            return Err(Failure::new(Exit::Failed, format!("{shown} is not a directory.")));
        }
        let me = rustix::process::geteuid().as_raw();
        if about.uid() != me {
            return Err(Failure::new(
                Exit::NotAllowed,
                format!(
                    "The data directory {shown} belongs to another user (uid {}, not {me}).",
                    about.uid()
                ),
            )
            .hint(match server::listen::user_name(about.uid()) {
                Some(owner) => format!("Run muster as its owner: runuser -u {owner} -- muster …"),
                None => "Run muster as its owner.".to_owned(),
            }));
        }
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Failure::new(
                Exit::Failed,
                format!("Others can read or write the data directory {shown} (mode {mode:04o})."),
            )
            .hint(format!("chmod 700 {shown}")));
        }
        Ok(Self { path: path.to_owned(), made: false })
    }

    /// One that may not be there yet.
    pub fn would_be(path: PathBuf) -> Self {
        Self { path, made: false }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The embedded database.
    pub fn database(&self) -> PathBuf {
        self.path.join("muster.db")
    }

    /// The sealing key, unless it is elsewhere.
    pub fn key(&self) -> PathBuf {
        self.path.join("key")
    }

    /// An id of its own, by which those that share a database know the process that runs here, whenever it starts.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn home(&self) -> Result<String, Failure> {
        let path = self.path.join("process");
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(trouble(&path, "read", &e)),
            _ => {}
        }
        let home = format!("{:016x}", rand::random::<u64>());
        write_private(&path, format!("{home}\n").as_bytes()).map_err(|e| trouble(&path, "write", &e))?;
        Ok(home)
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.path.join("muster.sock")
    }

    /// The set-up link, when nobody was at a terminal to read it.
    pub fn setup_link(&self) -> PathBuf {
        self.path.join("setup-link")
    }

    /// The certificate that is made at first start off loopback, and its key.
    pub fn certificate(&self) -> (PathBuf, PathBuf) {
        (self.path.join("tls.crt"), self.path.join("tls.key"))
    }

    /// Marks the directory as the demo's.
    pub fn demo_mark(&self) -> PathBuf {
        self.path.join("demo")
    }

    /// The simulator's own state, in the demo's directory.
    pub fn simulator(&self) -> PathBuf {
        self.path.join("simulator")
    }
}

/// Writes a file that only we may read, whole or not at all: beside its place first, then renamed into it. It lasts
/// through a power failure. Of a link it is the file it leads to that is written, else that one would keep what was.
///
/// # Errors
/// It cannot be written, or what is there is no ordinary file; what was there before is untouched.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let place;
    let path = match fs::symlink_metadata(path) {
        Err(_) => path,
        Ok(_) => {
            place = fs::canonicalize(path)?;
            if !place.is_file() {
                return Err(io::Error::other("it is there, and is no ordinary file"));
            }
            place.as_path()
        }
    };
    let beside = path.with_extension("new");
    let written = (|| {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn trouble(path: &Path, what: &str, e: &io::Error) -> Failure {
    let exit = if e.kind() == io::ErrorKind::PermissionDenied { Exit::NotAllowed } else { Exit::Failed };
    Failure::new(exit, format!("The data directory {} cannot be {what}: {e}.", path.display()))
        .hint("Another one can be given with --data-dir DIR or MUSTER_DATA_DIR.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn it_is_made_for_us_alone_and_refused_when_others_may_look() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b");
        assert!(DataDir::take(&path).unwrap().made);
        assert_eq!(mode(&path), 0o700);
        assert!(!DataDir::take(&path).unwrap().made);
        for open in [0o750, 0o705, 0o720, 0o777] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            let failure = DataDir::take(&path).unwrap_err();
            assert!(failure.to_string().contains("Others can read or write"), "{failure}");
            assert!(failure.hint.unwrap().starts_with("chmod 700"), "{open:o}");
        }
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(DataDir::take(&file).unwrap_err().to_string().contains("not a directory"));
        assert!(DataDir::existing(&base.path().join("none")).is_err());
    }

    #[test]
    fn it_is_found_where_the_surroundings_say() {
        let find = |pairs: &[(&str, &str)]| default_place(&Environment::of(pairs.iter().copied()));
        assert_eq!(find(&[("HOME", "/h")]), Some("/h/.local/share/muster".into()));
        assert_eq!(find(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")]), Some("/d/muster".into()));
        assert_eq!(find(&[("HOME", "/h"), ("XDG_DATA_HOME", "d")]), Some("/h/.local/share/muster".into()));
        assert_eq!(find(&[("HOME", "/h"), ("STATE_DIRECTORY", "/s/muster")]), Some("/s/muster".into()));
        assert_eq!(find(&[]), None);
    }

    #[test]
    fn a_private_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // A link stays one, and nothing but a file is written over.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_private(&link, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let odd = dir.path().join("odd");
        fs::create_dir(&odd).unwrap();
        assert!(write_private(&odd, b"four").is_err() && odd.is_dir());
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        assert!(write_private(&dir.path().join("socket"), b"five").is_err());
    }
}
