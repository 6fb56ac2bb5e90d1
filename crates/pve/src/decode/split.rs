//! Walks the members and elements of JSON text that is already known to be well-formed.
//!
//! The text comes out of a `RawValue`, so every check was done once by `serde_json`. What is left is finding
//! where values begin and end, which lets a reply be decoded field by field with the raw text of each at hand:
//! one odd value can then spoil nothing but itself. Nothing here trusts the promise with its life: on text that
//! is not well-formed the walk ends early.

use std::borrow::Cow;

/// A position in well-formed JSON text.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte that is not white space, left where it is.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Steps over `byte` if it is next.
    fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    /// The text of the value that begins here, quotes and brackets included; steps behind it.
    fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_nested(),
            _ => self.skip_plain(),
        }
        // What takes no room is no value: a walk over it would not end.
        self.text.get(start..self.at).filter(|text| !text.is_empty())
    }

    fn skip_string(&mut self) {
        self.at += 1;
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                None => return,
                Some(b'"') => {
                    self.at += 1;
                    return;
                }
                // Whatever is escaped is no closing quote; the digits of \u may be walked over like any other.
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
            }
        }
    }

    /// Iterative, so that no nesting, however deep, can exhaust the stack.
    fn skip_nested(&mut self) {
        let bytes = self.text.as_bytes();
        let mut depth = 0usize;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    fn skip_plain(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r') {
                return;
            }
            self.at += 1;
        }
    }
}

/// The members of an object: key and raw text of the value, in wire order, duplicates included.
#[derive(Clone)]
pub struct Members<'a>(Cursor<'a>);

impl<'a> Members<'a> {
    /// `None` if the text is not that of an object.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let mut cursor = Cursor { text, at: 0 };
        cursor.eat(b'{').then_some(Self(cursor))
    }

    /// The text of the whole object.
    pub(crate) fn text(&self) -> &'a str {
        self.0.text
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.eat(b',');
        if self.0.peek()? != b'"' {
            return None;
        }
        let key = self.0.value()?;
        if !self.0.eat(b':') {
            return None;
        }
        let value = self.0.value()?;
        // A key that is no Unicode text is no key that anyone declared: its raw form stands for it.
        let key = unquoted(key).unwrap_or(Cow::Borrowed(key));
        Some((key, value))
    }
}

/// The elements of a list: the raw text of each.
#[derive(Clone)]
pub(crate) struct Elements<'a>(Cursor<'a>);

impl<'a> Elements<'a> {
    /// `None` if the text is not that of a list.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let mut cursor = Cursor { text, at: 0 };
        cursor.eat(b'[').then_some(Self(cursor))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.eat(b',');
        if self.0.peek()? == b']' {
            return None;
        }
        self.0.value()
    }
}

/// The text inside a JSON string. `None` if it is no string, or an escape in it stands for no character
/// (half of a surrogate pair).
pub(crate) fn unquoted(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\\\\"{}\\[\\],: ]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    /// Takes the text apart with the walkers under test and puts it together again.
    fn rebuilt(text: &str) -> Value {
        if let Some(members) = Members::of(text) {
            Value::Object(members.map(|(k, v)| (k.into_owned(), rebuilt(v))).collect())
        } else if let Some(elements) = Elements::of(text) {
            elements.map(rebuilt).collect()
        } else if let Some(string) = unquoted(text) {
            Value::from(string.into_owned())
        } else {
            serde_json::from_str(text).unwrap()
        }
    }

    proptest! {
        #[test]
        fn taking_apart_agrees_with_serde_json(value in json()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                prop_assert_eq!(rebuilt(&text), serde_json::from_str::<Value>(&text).unwrap());
            }
        }

        #[test]
        fn text_that_is_no_json_ends_the_walk(text in "[\\\\\"{}\\[\\],: a1é]{0,40}") {
            if let Some(members) = Members::of(&text) {
                prop_assert!(members.take(100).count() < 100);
            }
            if let Some(elements) = Elements::of(&text) {
                prop_assert!(elements.take(100).count() < 100);
            }
        }
    }
}
