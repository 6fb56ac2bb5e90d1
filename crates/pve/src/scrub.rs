//! Taking secrets out of texts that came from outside: [`Scrub`].
//!
//! A server is free to send back what it was sent. Whatever of its words goes into an error passes through here.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::utf8_percent_encode;

use zeroize::Zeroizing;

use crate::call::ESCAPED;
use crate::secret::{REDACTED, Secret};

/// Shorter texts are not looked for: they would be found everywhere.
const SHORTEST: usize = 4;

/// The secrets that were sent on one line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrub {
    secrets: Vec<Secret>,
}

impl Scrub {
    pub(crate) fn new(secrets: Vec<Secret>) -> Self {
        Self { secrets }
    }

    /// The text with every secret replaced, in any of the spellings in which it travels.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            for spelling in spellings(secret.expose()) {
                if spelling.len() >= SHORTEST && text.contains(spelling.as_str()) {
                    text = text.replace(spelling.as_str(), REDACTED);
                }
            }
        }
        text
    }
}

/// The text itself, percent-encoded in three ways, JSON-escaped, and in base64. The longest come first, so that no
/// rest of one is left over by a shorter one.
fn spellings(secret: &str) -> Vec<Zeroizing<String>> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let percent = utf8_percent_encode(secret, ESCAPED).to_string();
    let mut json = serde_json::to_string(secret).unwrap_or_default();
    json = json.trim_matches('"').to_owned();
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut all = vec![
        percent.to_lowercase(),
        percent,
        form,
        json,
        STANDARD.encode(secret).trim_end_matches('=').to_owned(),
        URL_SAFE_NO_PAD.encode(secret),
        secret.to_owned(),
    ];
    all.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    all.dedup();
    all.into_iter().map(Zeroizing::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_gets_through() {
        let secret = "pä$s w\"rd/+%1";
        let scrub = Scrub::new(vec![Secret::from(secret), Secret::from("ab")]);
        let percent = utf8_percent_encode(secret, ESCAPED).to_string();
        for echo in [
            secret.to_owned(),
            percent.to_lowercase(),
            percent,
            serde_json::to_string(secret).unwrap(),
            STANDARD.encode(secret),
            form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        ] {
            let cleaned = scrub.clean(&format!("you sent <{echo}> about it"));
            assert!(cleaned.contains("•••") && !cleaned.contains(&echo), "{cleaned}");
        }
        assert_eq!(scrub.clean("about it"), "about it");
    }
}
