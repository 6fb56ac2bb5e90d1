//! The envelope around every answer, unwrapped here and nowhere else: [`open`].

use std::collections::BTreeMap;

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::{NotUnderstood, unquoted};

/// The opened envelope of `/api2/json`: `{"data": …}` and what may stand beside it.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// What was asked for, still raw; `None` when the key is missing (a `null` is there).
    pub data: Option<&'a RawValue>,
    /// Rows there are in all, where the answer is one page of a longer list.
    pub total: Option<u64>,
    /// A message in words, trimmed.
    pub message: Option<String>,
    /// What is wrong with single parameters.
    pub errors: BTreeMap<String, String>,
    /// Pending changes as text (network configuration).
    pub changes: Option<String>,
}

/// The values as they stand, so that an odd one costs nothing but itself. Of a key that comes twice the last value
/// counts, as everywhere.
#[derive(Default)]
struct Raw<'a> {
    data: Option<&'a RawValue>,
    total: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    errors: Option<&'a RawValue>,
    changes: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

/// Collects the values of the known keys in one pass, whatever the others are.
struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Raw<'de>, A::Error> {
        let mut found = Raw::default();
        // A key is read raw too: one that is no Unicode text is merely not known.
        while let Some((key, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            match unquoted(key.get()).as_deref() {
                Some("data") => found.data = Some(value),
                Some("total") => found.total = Some(value),
                Some("message") => found.message = Some(value),
                Some("errors") => found.errors = Some(value),
                Some("changes") => found.changes = Some(value),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Opens an envelope.
///
/// # Errors
/// If the text is not well-formed JSON, or no object.
pub fn open(body: &str) -> Result<Envelope<'_>, NotUnderstood> {
    let body = body.trim();
    if !body.is_empty() && !body.starts_with('{') {
        // Well-formed or not decides which of the two is said.
        let _: &RawValue = serde_json::from_str(body)?;
        return Err(NotUnderstood { what: "the reply is no object".to_owned(), place: None });
    }
    let raw: Raw<'_> = serde_json::from_str(body)?;
    Ok(Envelope {
        data: raw.data,
        total: raw.total.and_then(number),
        message: raw.message.and_then(text),
        errors: raw.errors.map(parameter_errors).unwrap_or_default(),
        changes: raw.changes.and_then(text),
    })
}

fn number(raw: &RawValue) -> Option<u64> {
    match serde_json::from_str(raw.get()).ok()? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A text, trimmed; `None` if nothing is left. What is no text is shown as it stands.
fn text(raw: &RawValue) -> Option<String> {
    let text = match serde_json::from_str(raw.get()).ok()? {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn parameter_errors(raw: &RawValue) -> BTreeMap<String, String> {
    let plain = |value: Value| match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    match serde_json::from_str(raw.get()) {
        Ok(Value::Object(errors)) => errors.into_iter().map(|(name, why)| (name, plain(why))).collect(),
        _ => BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_taken_out() {
        let body = r#" {"total":"17","errors":{"vmid":"value must be at least 100\n","x":{"y":1}},
            "data":[1, 2],"message":"Parameter verification failed.\n","changes":"--- a\n+++ b\n","new":{}} "#;
        let open = open(body).unwrap();
        assert_eq!(open.data.unwrap().get(), "[1, 2]");
        assert_eq!(open.total, Some(17));
        assert_eq!(open.message.as_deref(), Some("Parameter verification failed."));
        assert_eq!(open.errors["vmid"], "value must be at least 100");
        assert_eq!(open.errors["x"], r#"{"y":1}"#);
        assert_eq!(open.changes.as_deref(), Some("--- a\n+++ b"));
    }

    #[test]
    fn null_data_is_data_and_missing_data_is_none() {
        assert_eq!(open(r#"{"data":null}"#).unwrap().data.unwrap().get(), "null");
        assert!(open("{}").unwrap().data.is_none());
        let odd = open(r#"{"data":1,"total":{},"message":["a"],"errors":"b","changes":null}"#).unwrap();
        assert_eq!((odd.total, odd.message.as_deref()), (None, Some(r#"["a"]"#)));
        assert!(odd.errors.is_empty() && odd.changes.is_none());
    }

    #[test]
    fn no_key_spoils_the_others() {
        let twice = open(r#"{"data":1,"total":1,"new":1,"new":2,"data":[2],"total":"3"}"#).unwrap();
        assert_eq!((twice.data.unwrap().get(), twice.total), ("[2]", Some(3)));
        let odd = open(r#"{"\ud800":1,"d\u0061ta":[1],"":{},"message":"\ud800"}"#).unwrap();
        assert_eq!((odd.data.unwrap().get(), odd.message), ("[1]", None));
        assert!(open(r#"{1:2}"#).unwrap_err().to_string().contains("JSON"));
    }

    #[test]
    fn what_is_no_envelope_is_an_error() {
        assert!(open("").unwrap_err().to_string().contains("JSON"));
        assert!(open("[1]").unwrap_err().to_string().contains("no object"));
        assert!(open("<html>").unwrap_err().to_string().contains("JSON"));
        assert!(open(r#"{"data":[1,2"#).unwrap_err().to_string().contains("line 1"));
        assert!(open(r#"{"data":1} trailing"#).is_err());
    }
}
