//! Lines of the audit log: who did what, from where, with which parameters, and how it ended. No secret is in
//! them, whatever was sent.

use std::collections::BTreeSet;

use axum::extract::RawPathParams;
use http::StatusCode;
use jiff::Timestamp;
use model::{Author, OperationId, RemoteId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::AuditRecord;

use crate::app::App;

/// What stands in the place of a secret.
const REDACTED: &str = "(redacted)";

/// The longest text that is kept of a parameter.
const LONGEST: usize = 300;

/// The most entries that are kept of a list.
const MOST: usize = 50;

/// What of a line is kept as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Body {
    #[serde(default)]
    pub(crate) target: Option<String>,
    #[serde(default)]
    pub(crate) parameters: Value,
    #[serde(default)]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) outcome: String,
}

/// A line that waits for its outcome.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) action: String,
    pub(crate) author: Option<Author>,
    pub(crate) from: String,
    pub(crate) remote: Option<RemoteId>,
    pub(crate) target: String,
    pub(crate) parameters: Value,
}

impl Line {
    /// Fills in what it is about, from the path, else from what was sent.
    pub(crate) fn named(mut self, app: &App, params: Option<&RawPathParams>) -> Self {
        let from_path: Vec<String> =
            params.into_iter().flat_map(|params| params.iter()).map(|(_, value)| clipped(value)).collect();
        let said = |key: &str| match self.parameters.get(key) {
            Some(Value::String(text)) if text != REDACTED => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        if self.remote.is_none() {
            self.remote = said("remote").and_then(|text| app.remote_called(&text));
        }
        self.target = if from_path.is_empty() {
            let parts = ["remote", "vmid", "user", "name", "address"].into_iter().filter_map(said);
            parts.collect::<Vec<_>>().join("/")
        } else {
            from_path.join("/")
        };
        self
    }

    /// The line with its outcome. `answer` is looked at for the operation it became.
    pub(crate) fn record(self, status: StatusCode, code: Option<&str>, answer: &[u8]) -> AuditRecord {
        let operation = (status == StatusCode::ACCEPTED)
            .then(|| serde_json::from_slice::<Value>(answer).ok())
            .flatten()
            .and_then(|answer| answer.get("id")?.as_str()?.parse::<OperationId>().ok());
        self.ended(status, code, operation)
    }

    /// The line of what is done by the very commit that this line goes into.
    pub(crate) fn done(self, operation: Option<OperationId>) -> AuditRecord {
        self.ended(if operation.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK }, None, operation)
    }

    fn ended(self, status: StatusCode, code: Option<&str>, operation: Option<OperationId>) -> AuditRecord {
        let claimed = self.parameters.get("user").and_then(Value::as_str);
        let (who, source) = match (self.author, claimed) {
            (Some(author), _) => (author.name, author.from),
            // Whoever signs in is nobody before, and themselves once it has succeeded.
            (None, Some(name)) if status.is_success() => (clipped(name), self.from),
            (None, Some(name)) => (format!("{} (not signed in)", clipped(name)), self.from),
            (None, None) => ("(not signed in)".to_owned(), self.from),
        };
        let outcome = match code {
            Some(code) => code.to_owned(),
            None if status.is_success() => "ok".to_owned(),
            None => status.as_u16().to_string(),
        };
        let target = Some(self.target).filter(|target| !target.is_empty());
        let body = Body { target, parameters: self.parameters, status: status.as_u16(), outcome };
        AuditRecord {
            at: self.at,
            who,
            source,
            action: self.action,
            remote: self.remote,
            operation,
            body: serde_json::to_string(&body).unwrap_or_default(),
        }
    }
}

/// What a request asked for, without its secrets.
pub(crate) fn parameters(secrets: &BTreeSet<String>, body: &[u8], query: Option<&str>) -> Value {
    let mut all = Map::new();
    let pairs = query.map(|query| url::form_urlencoded::parse(query.as_bytes()));
    for (key, value) in pairs.into_iter().flatten() {
        all.insert(clipped(&key), Value::String(value.into_owned()));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(sent)) => all.extend(sent),
        Ok(other) => drop(all.insert("body".to_owned(), other)),
        Err(_) if body.is_empty() => {}
        Err(_) => drop(all.insert("body".to_owned(), json!(format!("({} bytes)", body.len())))),
    }
    let mut all = Value::Object(all);
    redact(secrets, &mut all);
    all
}

/// Takes out what the API declares as secret, and whatever is called like one.
fn redact(secrets: &BTreeSet<String>, value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if is_secret(secrets, key) {
                    if !value.is_null() {
                        *value = json!(REDACTED);
                    }
                } else {
                    redact(secrets, value);
                }
            }
        }
        Value::Array(list) => {
            list.truncate(MOST);
            list.iter_mut().for_each(|value| redact(secrets, value));
        }
        Value::String(text) => *text = clipped(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Words that a secret's name has in it.
const TELLING: [&str; 9] =
    ["password", "passwd", "secret", "token", "ticket", "csrf", "totp", "private", "credential"];

fn is_secret(declared: &BTreeSet<String>, key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    // A token's name is no secret.
    if lower == "token_name" {
        return false;
    }
    declared.contains(key)
        || lower == "code"
        || lower == "key"
        || TELLING.iter().any(|word| lower.contains(word))
}

fn clipped(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_asked_for_and_none_of_its_secrets() {
        let declared = ["new".to_owned()].into();
        let body = br#"{"user":"anna","password":"hunter2","deep":[{"api_token":"hunter2"}],"new":"hunter2",
            "code":null,"confirm":true}"#;
        let kept = parameters(&declared, body, Some("minted=keep&ticket=hunter2"));
        assert!(!kept.to_string().contains("hunter2"), "{kept}");
        assert_eq!(kept["user"], "anna");
        assert_eq!(kept["minted"], "keep");
        assert_eq!(kept["deep"][0]["api_token"], REDACTED);
        assert_eq!(kept["code"], Value::Null);
    }

    #[test]
    fn what_is_not_json_is_not_kept() {
        assert_eq!(parameters(&BTreeSet::new(), b"password=hunter2", None), json!({"body": "(16 bytes)"}));
        assert_eq!(parameters(&BTreeSet::new(), b"", None), json!({}));
    }
}
