//! [`PropertyString`]: `key=value,…` as Proxmox VE writes disks, NICs, mount points and many options.

use std::fmt;

use serde::{Serialize, Serializer};

/// A property string taken apart, in the order it was written.
///
/// `net0: name=eth0,bridge=vmbr0,ip=dhcp`, `scsi0: local-lvm:vm-100-disk-0,size=8G`, `agent: 1`. One value may
/// come without its key: it belongs to the property's *default key*, which depends on the property and is given
/// to [`PropertyString::parse`]. A value may stand in double quotes, with `\"` and `\\` inside.
///
/// Reading never fails: what Proxmox would refuse to write is still shown as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertyString {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    key: String,
    value: String,
    /// Whether the value came without its key, and is written so again.
    bare: bool,
}

impl PropertyString {
    /// Takes `text` apart. A value without a key is given `default_key`, or an empty one if there is none.
    pub fn parse(default_key: Option<&str>, text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, more) = Self::part(default_key.unwrap_or_default(), rest);
            parts.extend(part);
            rest = more;
        }
        Self { parts }
    }

    /// The first part of the text, and what comes after its comma.
    fn part<'t>(default_key: &str, text: &'t str) -> (Option<Part>, &'t str) {
        let end = text.find(',').unwrap_or(text.len());
        // An equals sign inside quotes makes no key, and no key begins with a quote.
        let equals = text.find('=').filter(|at| *at < end && !text.trim_start().starts_with('"'));
        let (key, value_text) = match equals {
            Some(at) => (text.get(..at), text.get(at + 1..).unwrap_or_default()),
            None => (None, text),
        };
        let in_quotes = quoted(value_text);
        let plain = in_quotes.is_none();
        let (value, rest) = match in_quotes {
            Some(found) => found,
            None => {
                let end = value_text.find(',').unwrap_or(value_text.len());
                let value = value_text.get(..end).unwrap_or_default();
                (value.to_owned(), value_text.get(end + 1..).unwrap_or_default())
            }
        };
        let part = match key {
            Some(key) => Some(Part { key: key.trim().to_owned(), value, bare: false }),
            // Nothing between two commas is nothing.
            None if plain && value.trim().is_empty() => None,
            None => Some(Part { key: default_key.to_owned(), value, bare: true }),
        };
        (part, rest)
    }

    /// The value of `key`; the first, should it stand there twice.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// Whether `key` is on: `1`, `on`, `yes` or `true`, as Proxmox reads booleans in property strings.
    /// `None` if it is absent or neither on nor off.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)?.to_ascii_lowercase().as_str() {
            "1" | "on" | "yes" | "true" => Some(true),
            "0" | "off" | "no" | "false" => Some(false),
            _ => None,
        }
    }

    /// Keys and values in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.iter().map(|part| (part.key.as_str(), part.value.as_str()))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// A value in double quotes that ends the text or a part of it, and what comes after its comma.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.char_indices();
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            '"' => {
                let after = text.get(at + 2..)?;
                return match after.strip_prefix(',') {
                    Some(rest) => Some((value, rest)),
                    // Text behind the closing quote: it was no quoting, then.
                    None => after.is_empty().then_some((value, after)),
                };
            }
            c => value.push(c),
        }
    }
    None
}

impl fmt::Display for PropertyString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            if !part.bare {
                write!(f, "{}=", part.key)?;
            }
            let plain = !part.value.contains(',')
                && !part.value.starts_with('"')
                && (!part.bare || !part.value.contains('=') && !part.value.trim().is_empty());
            if plain {
                f.write_str(&part.value)?;
            } else {
                write!(f, "\"{}\"", part.value.replace('\\', "\\\\").replace('"', "\\\""))?;
            }
        }
        Ok(())
    }
}

impl Serialize for PropertyString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(default_key: &str, text: &str) -> Vec<(String, String)> {
        let parsed = PropertyString::parse(Some(default_key), text);
        parsed.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    #[test]
    fn properties_as_they_occur() {
        let net = PropertyString::parse(Some("model"), "virtio=4A:5F:57:08:66:0B,bridge=vmbr0,firewall=1");
        assert_eq!(net.get("virtio"), Some("4A:5F:57:08:66:0B"));
        assert_eq!(net.flag("firewall"), Some(true));
        assert_eq!((net.get("tag"), net.flag("tag"), net.flag("bridge")), (None, None, None));
        let disk = PropertyString::parse(Some("file"), "local:100/vm-100-disk-1.raw,backup=0,size=2G");
        assert_eq!(disk.get("file"), Some("local:100/vm-100-disk-1.raw"));
        assert_eq!(disk.flag("backup"), Some(false));
        assert_eq!(pairs("enabled", "1"), [("enabled".into(), "1".into())]);
        assert_eq!(
            pairs("volume", "/mnt/a,mp=/b c,,"),
            [("volume".into(), "/mnt/a".into()), ("mp".into(), "/b c".into())]
        );
        assert_eq!(pairs("x", "order=scsi0;ide2;net0"), [("order".into(), "scsi0;ide2;net0".into())]);
        assert_eq!(pairs("x", "a=b=c"), [("a".into(), "b=c".into())]);
        assert_eq!(pairs("x", "a="), [("a".into(), String::new())]);
    }

    #[test]
    fn quotes_hold_commas_and_quotes() {
        assert_eq!(
            pairs("d", r#"a="x,y",b="say \"hi\" \\",c=1"#),
            [("a".into(), "x,y".into()), ("b".into(), r#"say "hi" \"#.into()), ("c".into(), "1".into())]
        );
        assert_eq!(pairs("d", r#""x,y=1",z=2"#), [("d".into(), "x,y=1".into()), ("z".into(), "2".into())]);
        assert_eq!(pairs("d", r#"a="open"#), [("a".into(), "\"open".into())]);
        assert_eq!(pairs("d", r#"a="b"c,e=f"#), [("a".into(), "\"b\"c".into()), ("e".into(), "f".into())]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            bare in proptest::option::of("[^ ]{1,12}"),
            keyed in proptest::collection::vec(("[a-z][a-z0-9-]{0,6}", any::<String>()), 0..6),
        ) {
            let mut parts: Vec<Part> = Vec::new();
            parts.extend(bare.map(|value| Part { key: "d".into(), value, bare: true }));
            parts.extend(keyed.into_iter().map(|(key, value)| Part { key, value, bare: false }));
            let written = PropertyString { parts };
            let read = PropertyString::parse(Some("d"), &written.to_string());
            prop_assert_eq!(read, written);
        }

        #[test]
        fn any_text_is_read_and_reading_settles(text in "[a-c=,\"\\\\ é]{0,20}") {
            let first = PropertyString::parse(Some("d"), &text);
            prop_assert_eq!(PropertyString::parse(Some("d"), &first.to_string()), first);
        }

        #[test]
        fn plain_text_comes_back_to_the_letter(
            parts in proptest::collection::vec("[a-z]{1,5}=[a-zA-Z0-9:/. ;]{0,8}", 1..6),
        ) {
            let text = parts.join(",");
            prop_assert_eq!(PropertyString::parse(None, &text).to_string(), text);
        }
    }
}
