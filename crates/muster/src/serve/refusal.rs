//! Why a store does not open, as one sentence and what to do about it.

use std::io::Read as _;
use std::path::Path;

use store::{OpenError, StoreError};

use super::key::KeyRing;
use crate::exit::Exit;
use crate::failure::Failure;

/// What is to be said and done about it.
pub fn of(error: &OpenError, ring: Option<&KeyRing>) -> Failure {
    let sentence = sentence(&error.to_string());
    let place = ring.map(|ring| ring.place.to_string()).unwrap_or_default();
    match error {
        OpenError::Locked { pid, .. } => {
            let hint = match pid {
                Some(pid) => format!("End that one (kill {pid}), or give this one another --data-dir."),
                None => "End that one, or give this one another --data-dir.".to_owned(),
            };
            Failure::new(Exit::Failed, sentence).hint(hint)
        }
        OpenError::WrongKey { .. } => Failure::new(Exit::Failed, sentence)
            .hint(format!("The key given is that of {place}. Nothing has been changed.")),
        OpenError::KeyMissing => Failure::new(Exit::Failed, sentence)
            .hint("Put the key back from where its copy is kept (docs/backup.md). Nothing has been changed."),
        OpenError::NotEmpty(_) => {
            Failure::new(Exit::Failed, sentence).hint("Give another --data-dir, or --replace.")
        }
        OpenError::Newer { .. } | OpenError::Foreign(_) => {
            Failure::new(Exit::Failed, sentence).hint("Nothing has been changed.")
        }
        OpenError::Store(StoreError::NoSpace) => {
            Failure::new(Exit::Failed, sentence).hint("df -h says which disks are full.")
        }
        OpenError::Store(StoreError::ReadOnly(_)) => Failure::new(Exit::NotAllowed, sentence)
            .hint("Whoever runs muster must be able to write there. Nothing has been changed."),
        OpenError::Store(StoreError::Damaged(_)) => Failure::new(Exit::Failed, sentence)
            .hint("muster restore FILE --data-dir NEW (docs/backup.md). Nothing has been changed."),
        OpenError::Store(StoreError::Unreachable(_)) => Failure::new(Exit::Unreachable, sentence),
        _ => Failure::new(Exit::Failed, sentence),
    }
}

/// Why a file is not restored from.
pub fn of_backup(file: &Path, error: &OpenError) -> Failure {
    let shown = file.display();
    let begins = std::fs::File::open(file).and_then(|mut file| {
        let mut head = [0; 16];
        file.read_exact(&mut head).map(|()| head)
    });
    let is_database = begins.is_ok_and(|head| head == *b"SQLite format 3\0");
    match error {
        OpenError::Store(StoreError::Damaged(text)) if is_database => {
            Failure::new(Exit::Failed, format!("The backup {shown} is damaged ({text})."))
                .hint("Take another one. Nothing has been changed.")
        }
        OpenError::Store(StoreError::Damaged(_)) | OpenError::Foreign(_) => {
            Failure::new(Exit::Failed, format!("{shown} is no backup of Muster."))
                .hint("\"muster backup FILE\" makes one. Nothing has been changed.")
        }
        OpenError::Newer { found, known } => Failure::new(
            Exit::Failed,
            format!(
                "The backup {shown} was made by a newer Muster (schema {found}, this one knows {known})."
            ),
        )
        .hint("Restore it with that version. Nothing has been changed."),
        other => of(other, None),
    }
}

/// Why a backup was not put into its place: the file, or the place.
pub fn of_restore(file: &Path, error: &OpenError) -> Failure {
    match error {
        // What is in the place is only ever replaced, never read.
        OpenError::Store(StoreError::Damaged(_)) | OpenError::Foreign(_) => of_backup(file, error),
        other => of(other, None),
    }
}

/// A clause as a sentence: a capital at its head, a full stop at its end. Paths keep their spelling.
fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let capital = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
    let mut text = capital.unwrap_or_default();
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}
