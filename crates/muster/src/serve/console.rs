//! The console that was built into this binary.

use bytes::Bytes;
use server::Console;

/// The files of the console's build, by path; empty when there was none at the time.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// The console; `None` in a binary that was built without it.
pub(super) fn built_in() -> Option<Console> {
    Console::new(FILES.iter().map(|(path, bytes)| ((*path).to_owned(), Bytes::from_static(bytes))))
}
