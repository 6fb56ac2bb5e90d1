//! What Muster is made of that others wrote: [`all`]. The list is written by `tests/licences.rs`, out of what cargo and
//! npm say.

use std::sync::OnceLock;

use api::system::{Licence, LicencePart};

/// One object a line.
const LIST: &str = include_str!("../data/licences.jsonl");

/// Everything, ordered by part and name. Without the console, if the binary has none.
#[must_use]
pub fn all(with_console: bool) -> Vec<Licence> {
    let wanted = |one: &&Licence| with_console || one.part != LicencePart::Console;
    list().iter().filter(wanted).cloned().collect()
}

/// How many there are.
pub(crate) fn count(with_console: bool) -> usize {
    list().iter().filter(|one| with_console || one.part != LicencePart::Console).count()
}

fn list() -> &'static [Licence] {
    static READ: OnceLock<Vec<Licence>> = OnceLock::new();
    READ.get_or_init(|| LIST.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}
