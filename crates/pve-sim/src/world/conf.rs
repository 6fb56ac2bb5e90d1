//! A guest's configuration: keys and values in one text, as the file of the real thing is one text. A fleet
//! of a hundred thousand guests holds a hundred thousand of these: one allocation each, shared by the copies.

use std::fmt::Write as _;
use std::sync::Arc;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

const BETWEEN: char = '\u{1f}';
const END: char = '\u{1e}';

/// Keys and values, sorted by key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Conf(Arc<str>);

impl Conf {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split_terminator(END).filter_map(|line| line.split_once(BETWEEN))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// The value as a whole number.
    pub(crate) fn int(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok()
    }

    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.get(key) == Some("1")
    }

    /// This configuration with one value set, or removed.
    pub(crate) fn with(&self, key: &str, value: Option<&str>) -> Self {
        let mut pairs: Vec<(String, String)> =
            self.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).filter(|(k, _)| k != key).collect();
        if let Some(value) = value {
            pairs.push((key.to_owned(), value.to_owned()));
        }
        pairs.into_iter().collect()
    }

    /// The bytes of a disk or mount point: `…,size=8G`.
    pub(crate) fn size_of(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(disk_size)
    }
}

impl FromIterator<(String, String)> for Conf {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(iter: T) -> Self {
        let mut pairs: Vec<(String, String)> = iter.into_iter().collect();
        // The last of equal keys counts.
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, kept| later.0 == kept.0);
        let mut text = String::new();
        for (key, value) in pairs {
            let clean = value.replace([BETWEEN, END], " ");
            let _ = write!(text, "{key}{BETWEEN}{clean}{END}");
        }
        Self(text.into())
    }
}

impl std::fmt::Debug for Conf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What opens a guest must not reach a log.
        let secret = |key: &str| key == "cipassword";
        f.debug_map().entries(self.iter().map(|(k, v)| (k, if secret(k) { "•••" } else { v }))).finish()
    }
}

/// The digest of a configuration with all that stands in its file.
pub(crate) fn digest_of(parts: &[&str]) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.join("\n").as_bytes());
    hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Conf {
    /// The whole text, for the digest.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// One part of a property string; the first part may stand without its key.
fn part<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split(',').find_map(|part| part.split_once('=').filter(|(k, _)| *k == key).map(|(_, value)| value))
}

pub(super) fn disk_size(text: &str) -> Option<u64> {
    let size = part(text, "size")?;
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match size.get(digits.len()..)? {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_the_last_value_counts() {
        let pairs = [("memory", "512"), ("cores", "2"), ("memory", "1024")];
        let conf: Conf = pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(conf.iter().collect::<Vec<_>>(), [("cores", "2"), ("memory", "1024")]);
        let conf = conf.with("cores", None).with("tags", Some("a;b"));
        assert_eq!(conf.iter().collect::<Vec<_>>(), [("memory", "1024"), ("tags", "a;b")]);
    }

    #[test]
    fn a_password_is_not_shown() {
        let conf: Conf = [("cipassword".to_owned(), "hunter2".to_owned())].into_iter().collect();
        assert!(!format!("{conf:?}").contains("hunter2"));
        assert_eq!(conf.get("cipassword"), Some("hunter2"));
    }

    #[test]
    fn sizes_and_digests() {
        assert_eq!(disk_size("data:100/vm-100-disk-0.qcow2,size=1G"), Some(1 << 30));
        assert_eq!(disk_size("data:x,size=528K"), Some(528 << 10));
        assert_eq!(disk_size("local:iso/debian.iso,media=cdrom"), None);
        let one = digest_of(&["a", "b"]);
        assert_eq!(one.len(), 40);
        assert_ne!(one, digest_of(&["a", "c"]));
    }
}
