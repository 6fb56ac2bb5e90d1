//! One server per data directory: an advisory lock that the kernel drops with the process.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::OpenError;

/// A data directory held by this process for as long as this value lives. The file `lock` in it stays behind,
/// empty of meaning: what locks is the kernel's `flock`, gone with the process however it ends.
#[derive(Debug)]
pub struct DirLock {
    dir: PathBuf,
    file: File,
}

impl DirLock {
    /// Takes the directory, which must exist.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another process (or another part of this one) has it; read-only and full
    /// places by their own names.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|error| match crate::StoreError::from(error) {
            crate::StoreError::ReadOnly(text) => {
                OpenError::Store(crate::StoreError::ReadOnly(format!("{}: {text}", dir.display())))
            }
            crate::StoreError::Other(text) => {
                OpenError::Store(crate::StoreError::Other(format!("{}: {text}", path.display())))
            }
            other => other.into(),
        })?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error == rustix::io::Errno::WOULDBLOCK {
                let mut text = String::new();
                // Who holds it is a courtesy; the refusal stands without it.
                let _ = file.read_to_string(&mut text);
                return Err(OpenError::Locked {
                    dir: dir.display().to_string(),
                    pid: text.trim().parse().ok(),
                });
            }
            return Err(std::io::Error::from(error).into());
        }
        // On a full disk the number may not fit; the lock holds all the same.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { dir: dir.to_owned(), file })
    }

    /// The directory held.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Said here rather than left to closing: a child started meanwhile might still hold the descriptor.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let held = DirLock::take(dir.path()).unwrap();
        let error = DirLock::take(dir.path()).unwrap_err();
        assert_eq!(
            error,
            OpenError::Locked { dir: dir.path().display().to_string(), pid: Some(std::process::id()) }
        );
        assert!(error.to_string().contains("in use by another Muster"), "{error}");
        drop(held);
        DirLock::take(dir.path()).unwrap();
    }
}
