//! In which order: `-cpu,name`.

use super::keys::{Key, Kind, Vocabulary, find, keys};
use super::{QueryError, text};

/// One thing to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// What.
    pub key: Key,
    /// The greatest first.
    pub descending: bool,
    /// Whether figures are compared, or texts.
    pub by_figure: bool,
}

/// Reads sort keys, separated by commas; `-` before one turns it round. The empty text: the usual order.
///
/// # Errors
/// Names the place, what is wrong there, and what to write instead.
pub fn sort(text: &str, about: Vocabulary) -> Result<Vec<SortKey>, QueryError> {
    let mut found: Vec<SortKey> = Vec::new();
    let mut start = 0;
    for part in text.split(',') {
        let at = start..start + part.len();
        start = at.end + 1;
        let word = part.trim();
        if word.is_empty() {
            if text.trim().is_empty() {
                break;
            }
            let message = "a key is missing between the commas".to_owned();
            return Err(QueryError { at, message, hint: format!("one of {}", listed(about)) });
        }
        let (descending, word) = match word.strip_prefix('-') {
            Some(word) => (true, word),
            None => (false, word),
        };
        let Some(row) = find(word, about) else {
            let hint = match text::nearest(word, keys(about).map(|row| row.word)) {
                Some(near) => format!("did you mean {near}? There are {}", listed(about)),
                None => format!("there are {}", listed(about)),
            };
            let message = format!("{} cannot be sorted by {word:?}", about.as_str());
            return Err(QueryError { at, message, hint });
        };
        let by_figure = matches!(row.kind, Kind::Number | Kind::Share | Kind::Bytes | Kind::Span);
        // The same key a second time decides nothing.
        if found.iter().all(|one| one.key != row.key) {
            found.push(SortKey { key: row.key, descending, by_figure });
        }
    }
    Ok(found)
}

/// The keys to sort by.
fn listed(about: Vocabulary) -> String {
    keys(about).map(|row| row.word).collect::<Vec<_>>().join(", ")
}
