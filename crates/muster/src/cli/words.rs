//! Words of a query that begin with a dash: [`arguments`].
//!
//! In the query language `-tag:test` leaves out what has the tag. On the command line a word with a dash is an
//! option. Both are told apart by their looks: no option has a key of several letters, one dash and an operator.

use std::ffi::OsString;

/// Stands before a word that begins with a dash and is none of an option. Nobody types it.
const NOT_AN_OPTION: char = '\u{1}';

/// The arguments of this process, with the words of queries marked so that they are not taken for options.
pub fn arguments(given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    given
        .into_iter()
        .map(|word| match word.to_str().filter(|text| negates(text)) {
            Some(text) => format!("{NOT_AN_OPTION}{text}").into(),
            None => word,
        })
        .collect()
}

/// `-tag:test`, `-cpu>80%`, `-name~web`: one dash, a key of at least two letters, an operator.
fn negates(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-') else { return false };
    let key = rest.chars().take_while(char::is_ascii_lowercase).count();
    key >= 2 && rest.chars().nth(key).is_some_and(|c| matches!(c, ':' | '~' | '<' | '>' | '='))
}

/// A word of a query, as it was typed.
#[expect(clippy::unnecessary_wraps, reason = "the form that clap asks for")]
pub(super) fn query_word(text: &str) -> Result<String, String> {
    Ok(text.strip_prefix(NOT_AN_OPTION).unwrap_or(text).to_owned())
}

/// A text to look for, where there is no query language: a word of it would find nothing.
pub(super) fn plain_text(text: &str) -> Result<String, String> {
    match text.strip_prefix(NOT_AN_OPTION) {
        Some(word) => Err(format!(
            "{word} is a word of the query language, which \"muster guest ls\" has; here a text is looked for"
        )),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_queries_are_marked() {
        for word in ["-tag:test", "-cpu>80%", "-name~web", "-mem>=4G"] {
            assert!(negates(word), "{word}");
        }
        for word in ["-o", "-ojson", "-o=json", "--sort=-cpu", "--watch", "-", "-f", "tag:test", "-web"] {
            assert!(!negates(word), "{word}");
        }
        let given = ["muster", "guest", "ls", "-tag:test"].map(OsString::from);
        let marked = arguments(given);
        let last = marked.last().and_then(|w| w.to_str()).unwrap_or_default();
        assert_eq!(query_word(last).as_deref(), Ok("-tag:test"));
        assert!(plain_text(last).unwrap_err().starts_with("-tag:test is a word"));
        assert_eq!(plain_text("web").as_deref(), Ok("web"));
    }
}
