//! The envelope around every answer, unwrapped here and nowhere else: [`open`] for the good ones, and the verdict
//! on all others.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::NotUnderstood;

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

/// The keys as they stand, so that an odd value in one costs nothing but itself.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    total: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    changes: Option<&'a RawValue>,
}

/// A key that is there, even if it is `null`.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
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
    fn what_is_no_envelope_is_an_error() {
        assert!(open("").unwrap_err().to_string().contains("JSON"));
        assert!(open("[1]").unwrap_err().to_string().contains("no object"));
        assert!(open("<html>").unwrap_err().to_string().contains("JSON"));
        assert!(open(r#"{"data":[1,2"#).unwrap_err().to_string().contains("line 1"));
        assert!(open(r#"{"data":1} trailing"#).is_err());
    }
}
