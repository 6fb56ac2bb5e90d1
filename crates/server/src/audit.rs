//! Lines of the audit log: who did what, from where, with which parameters, and how it ended. No secret is in
//! them, whatever was sent.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::RawPathParams;
use http::StatusCode;
use jiff::Timestamp;
use model::{Author, OperationId, RemoteId, Vmid};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::AuditRecord;

use crate::app::App;

/// What stands in the place of a secret.
const REDACTED: &str = "(redacted)";

/// The longest text that is kept of a parameter.
const LONGEST: usize = 300;

/// The most entries that are kept of a list or an object.
const MOST: usize = 50;

/// The most bytes that are kept of all parameters together.
const WHOLE: usize = 8 * 1024;

/// What says what a request is about, in this order.
const TELLS: [&str; 5] = ["remote", "vmid", "user", "name", "address"];

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

/// What a line says of a request about many things, in place of what was sent.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// Where all of it is on one.
    pub(crate) remote: Option<RemoteId>,
    pub(crate) target: String,
    pub(crate) parameters: Value,
}

/// The most bytes of a list of guests or operations in a line: enough for five hundred of them.
const LISTED: usize = 12 * 1024;

/// Guests, those of a remote together: `home/101-105,117`.
pub(crate) fn listed<'a>(guests: impl Iterator<Item = (&'a str, Vmid)>) -> Vec<String> {
    let mut of_remote: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (remote, vmid) in guests {
        of_remote.entry(remote).or_default().push(u64::from(vmid.0));
    }
    let (mut parts, mut bytes) = (Vec::new(), 0);
    let all = of_remote.len();
    for (remote, numbers) in of_remote {
        let part = format!("{}/{}", clipped(remote), ranges(numbers.into_iter()).join(","));
        bytes += part.len();
        if bytes > LISTED {
            parts.push(format!("(those of {} more)", all - parts.len()));
            break;
        }
        parts.push(part);
    }
    parts
}

/// Numbers in their order, those that follow one another together: `101-105`, `117`.
pub(crate) fn ranges(numbers: impl Iterator<Item = u64>) -> Vec<String> {
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match spans.last_mut() {
            Some((_, last)) if number.saturating_sub(*last) <= 1 => *last = number,
            _ => spans.push((number, number)),
        }
    }
    let told = spans.into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    told.collect()
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
            let parts = TELLS.into_iter().filter_map(said);
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

    /// The same of a request about many things.
    pub(crate) fn about(self, about: About) -> Self {
        Self { remote: about.remote, target: about.target, parameters: about.parameters, ..self }
    }

    /// The line that says in a word how it stands with what is many changes.
    pub(crate) fn stands(self, outcome: &str) -> AuditRecord {
        self.ended(StatusCode::ACCEPTED, Some(outcome), None)
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

/// What a request asked for, without its secrets, and within bounds.
pub(crate) fn parameters(secrets: &BTreeSet<String>, body: &[u8], query: Option<&str>) -> Value {
    let mut all = Map::new();
    let pairs = query.map(|query| url::form_urlencoded::parse(query.as_bytes()));
    for (key, value) in pairs.into_iter().flatten() {
        all.insert(clipped(&key), Value::String(value.into_owned()));
    }
    let size = json!(format!("({} bytes)", body.len()));
    match serde_json::from_slice(body) {
        Ok(Value::Object(sent)) => all.extend(sent),
        // What has no name may be anything, a secret too.
        _ if !body.is_empty() => drop(all.insert("body".to_owned(), size.clone())),
        _ => {}
    }
    let mut all = Value::Object(all);
    redact(secrets, &mut all);
    if let Value::Object(kept) = &mut all
        && serde_json::to_vec(kept).map_or(usize::MAX, |text| text.len()) > WHOLE
    {
        kept.retain(|key, value| TELLS.contains(&key.as_str()) && !value.is_object() && !value.is_array());
        kept.insert("body".to_owned(), size);
    }
    all
}

/// Takes out what the API declares as secret, and whatever is called like one.
fn redact(secrets: &BTreeSet<String>, value: &mut Value) {
    match value {
        Value::Object(object) => {
            let (all, mut left) = (object.len(), MOST);
            object.retain(|key, _| {
                let kept = left > 0 || TELLS.contains(&key.as_str());
                left = left.saturating_sub(1);
                kept
            });
            let more = all - object.len();
            for (key, mut value) in std::mem::take(object) {
                if !is_secret(secrets, &key) {
                    redact(secrets, &mut value);
                } else if !value.is_null() {
                    value = json!(REDACTED);
                }
                object.insert(clipped(&key), value);
            }
            if more > 0 {
                object.insert("…".to_owned(), json!(format!("({more} more)")));
            }
        }
        Value::Array(list) => {
            let more = list.len().saturating_sub(MOST);
            list.truncate(MOST);
            list.iter_mut().for_each(|value| redact(secrets, value));
            if more > 0 {
                list.push(json!(format!("({more} more)")));
            }
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
    fn many_are_told_in_short_and_within_bounds() {
        let guests = [("lab", 7), ("home", 103), ("home", 101), ("home", 102), ("home", 110)];
        let told = listed(guests.into_iter().map(|(remote, vmid)| (remote, Vmid(vmid))));
        assert_eq!(told, ["home/101-103,110", "lab/7"]);
        // None of five hundred is left out, however they are spread.
        let spread = listed((0..500).map(|n| ("home", Vmid(100_000_000 + 2 * n))));
        assert_eq!(spread[0].split(',').count(), 500);
        let ids = ranges((0..500).map(|n| 7_300_000_000_000_000 + 16 * n));
        assert_eq!(ids.len(), 500);
        let names: Vec<String> = (0..500).map(|n| format!("{n}{}", "\u{1F600}".repeat(300))).collect();
        let told = listed(names.iter().map(|name| (name.as_str(), Vmid(1))));
        assert!(told.join("").len() < LISTED + 100, "{}", told.join("").len());
        assert!(told.last().unwrap().ends_with("more)"), "{:?}", told.last());
    }

    #[test]
    fn what_is_not_json_is_not_kept() {
        assert_eq!(parameters(&BTreeSet::new(), b"password=hunter2", None), json!({"body": "(16 bytes)"}));
        assert_eq!(parameters(&BTreeSet::new(), b"", None), json!({}));
        // Nor what is, but says of nothing what it is.
        for body in [&b"\"hunter2\""[..], b"[\"hunter2\"]", b"1"] {
            let size = format!("({} bytes)", body.len());
            assert_eq!(parameters(&BTreeSet::new(), body, None), json!({"body": size}));
        }
    }

    #[test]
    fn a_line_has_a_bound_whatever_was_sent() {
        let kept = |body: &Value| parameters(&BTreeSet::new(), body.to_string().as_bytes(), None);
        let mut many: Map<String, Value> = (0..5000).map(|n| (format!("k{n:04}"), json!(n))).collect();
        many.insert("user".to_owned(), json!("anna"));
        let told = kept(&Value::Object(many.clone()));
        assert_eq!((&told["user"], &told["k0000"]), (&json!("anna"), &json!(0)));
        assert_eq!(told["…"], "(4950 more)");
        let deep = json!({"user": "anna", "deep": {"list": vec![many; 60], "long": "x".repeat(5000)}});
        let told = kept(&deep);
        assert_eq!(told, json!({"user": "anna", "body": format!("({} bytes)", deep.to_string().len())}));
        let told = kept(&json!({"a": {"x".repeat(100_000): 1}, "list": vec![1; 60]}));
        assert!(told.to_string().len() < 1000, "{told}");
        assert_eq!(told["list"][50], "(10 more)");
        let wide: Map<String, Value> =
            TELLS.iter().map(|key| ((*key).to_owned(), json!("\u{1F600}".repeat(9000)))).collect();
        assert!(kept(&Value::Object(wide)).to_string().len() <= WHOLE);
    }
}
