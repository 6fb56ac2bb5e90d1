//! What can go wrong, as data: the same words in Rust, in a topology file and on the control port.
//!
//! A [`Fault`] says what goes wrong, a [`FaultSpec`] also where and how often:
//! `Fault::Cut { after_bytes: 20 }.on("/cluster/*").times(1)`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The farthest that a clock may be off: fifty years, so that no time leaves the eight hexadecimal digits that
/// task identifiers have for it.
pub(crate) const MOST_SKEW_SECONDS: i64 = 50 * 365 * 86_400;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Nothing listens: connections are refused, those that are open are reset.
    Refuse,
    /// No answer, ever.
    BlackHole {
        /// In which phase the silence begins.
        at: BlackHoleAt,
    },
    /// The connection is reset (RST).
    Reset {
        /// In which phase.
        at: ResetAt,
    },
    /// Every answer comes so much later.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Answers come a few bytes at a time.
    Drip {
        /// How fast; at least 1.
        bytes_per_second: u64,
    },
    /// The connection ends in the middle of a body, without TLS close_notify.
    Cut {
        /// So many bytes of the body are sent.
        after_bytes: usize,
    },
    /// The body of a success is not JSON any more: it breaks off in the middle, although all of
    /// `Content-Length` is there.
    MalformedJson,
    /// A value of a success has another type.
    WrongType {
        /// JSON pointer into `data`; `*` stands for every element of a list.
        pointer: String,
        /// What stands there instead.
        value: Value,
    },
    /// A value of a success is not there.
    MissingField {
        /// JSON pointer into `data`; `*` stands for every element of a list.
        pointer: String,
    },
    /// 401 to all, sign-in included.
    Unauthorized,
    /// 403.
    Forbidden {
        /// Proxmox's words, such as `Permission check failed (/vms/100, VM.PowerMgmt)`.
        text: String,
    },
    /// 500.
    ServerError {
        /// Proxmox's words, such as `VM is locked (backup)`.
        text: String,
    },
    /// The calls that concern one node end as if the way to that node were broken.
    Proxy {
        /// The node.
        node: String,
        /// 595 (nothing was sent to it) or 596 (it did not answer).
        status: u16,
        /// `No route to host`, `Connection refused`, `Connection timed out`…
        #[serde(default)]
        reason: String,
    },
    /// The node shows a new certificate.
    ChangeCertificate {
        /// Signed by the cluster's CA, as by a renewal; otherwise self-signed, as by an impostor.
        same_ca: bool,
    },
    /// The right certificate, by someone who does not have its key.
    WrongKey,
    /// Every request is sent elsewhere (302).
    Redirect {
        /// The beginning of the new address, such as `https://elsewhere.example:8006`; the path is kept.
        to: String,
    },
    /// Every ticket ends at once. Happens once, and is over.
    ExpireTickets,
    /// The node is switched off: it is silent, the others answer 595 for it, and after five minutes forget
    /// the names of its guests.
    NodeDown {
        /// The node.
        node: String,
    },
    /// The node's API server is stuck: connections are accepted and TLS is silent; the others answer 596 for
    /// it after 30 s.
    NodeHung {
        /// The node.
        node: String,
    },
    /// The cluster has no quorum: reads go on, writes fail.
    QuorumLost,
    /// A user no longer sees what is at a path.
    HideRows {
        /// `name@realm`.
        user: String,
        /// As in an ACL: `/vms/100`.
        path: String,
    },
    /// The API server restarts: open connections are reset, new ones refused for a while. Happens once, and is
    /// over.
    Restart {
        /// Milliseconds.
        down_ms: u64,
    },
    /// The clock of the remote is off.
    ///
    /// What is under way takes as long as it would have and uptimes stay; times written down before (of tasks,
    /// in tickets) stay as they were written.
    ClockSkew {
        /// Seconds ahead; negative for behind. At most fifty years.
        seconds: i64,
    },
    /// No TLS at all on this port: HTTP in the clear.
    PlainHttp,
    /// Some other web server.
    NotProxmox,
    /// The request is carried out, its answer never sent.
    LoseAnswer,
    /// Answers are words without envelope.
    PlainTextBody,
}

/// Where a black hole begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlackHoleAt {
    /// SYN unanswered, by a full listen queue.
    Syn,
    /// Accepted, but TLS is silent.
    Tls,
    /// The request is read, but neither carried out nor answered.
    Answer,
}

/// Where a reset strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResetAt {
    /// In place of the TLS handshake.
    Tls,
    /// When the request has come; it is not carried out.
    Request,
    /// In the middle of the answer; the request is carried out.
    Answer,
}

/// A fault, where it strikes and how often.
///
/// As JSON or TOML it is one flat object: `{"fault": "delay", "ms": 500, "path": "/nodes/*", "times": 2}`.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultSpec {
    /// What goes wrong.
    pub fault: Fault,
    /// On the sockets of this node only.
    pub node: Option<String>,
    /// For calls whose path (after `/api2/json`, decoded) fits this pattern only; `*` stands for any text.
    pub path: Option<String>,
    /// For calls with this method only.
    pub method: Option<String>,
    /// It is over after it struck so many times.
    pub times: Option<u32>,
}

/// Names one fault in force, to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Fault {
    /// For calls whose path fits this pattern only; `*` stands for any text, slashes included.
    #[must_use]
    pub fn on(self, path: &str) -> FaultSpec {
        FaultSpec::from(self).on(path)
    }

    /// For calls with this method only.
    #[must_use]
    pub fn method(self, method: &str) -> FaultSpec {
        FaultSpec::from(self).method(method)
    }

    /// Over after it struck so many times.
    #[must_use]
    pub fn times(self, times: u32) -> FaultSpec {
        FaultSpec::from(self).times(times)
    }

    /// Its name, as in `fault = "…"`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::BlackHole { .. } => "black-hole",
            Self::Reset { .. } => "reset",
            Self::Delay { .. } => "delay",
            Self::Drip { .. } => "drip",
            Self::Cut { .. } => "cut",
            Self::MalformedJson => "malformed-json",
            Self::WrongType { .. } => "wrong-type",
            Self::MissingField { .. } => "missing-field",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::ServerError { .. } => "server-error",
            Self::Proxy { .. } => "proxy",
            Self::ChangeCertificate { .. } => "change-certificate",
            Self::WrongKey => "wrong-key",
            Self::Redirect { .. } => "redirect",
            Self::ExpireTickets => "expire-tickets",
            Self::NodeDown { .. } => "node-down",
            Self::NodeHung { .. } => "node-hung",
            Self::QuorumLost => "quorum-lost",
            Self::HideRows { .. } => "hide-rows",
            Self::Restart { .. } => "restart",
            Self::ClockSkew { .. } => "clock-skew",
            Self::PlainHttp => "plain-http",
            Self::NotProxmox => "not-proxmox",
            Self::LoseAnswer => "lose-answer",
            Self::PlainTextBody => "plain-text-body",
        }
    }

    /// Whether `path`, `method` and `times` mean anything to it: whether it strikes single calls.
    pub(crate) const fn is_per_call(&self) -> bool {
        matches!(
            self,
            Self::BlackHole { at: BlackHoleAt::Answer }
                | Self::Reset { at: ResetAt::Request | ResetAt::Answer }
                | Self::Delay { .. }
                | Self::Drip { .. }
                | Self::Cut { .. }
                | Self::MalformedJson
                | Self::WrongType { .. }
                | Self::MissingField { .. }
                | Self::Unauthorized
                | Self::Forbidden { .. }
                | Self::ServerError { .. }
                | Self::Proxy { .. }
                | Self::Redirect { .. }
                | Self::NotProxmox
                | Self::LoseAnswer
                | Self::PlainTextBody
        )
    }

    const fn is_per_connection(&self) -> bool {
        matches!(
            self,
            Self::BlackHole { at: BlackHoleAt::Tls } | Self::Reset { at: ResetAt::Tls } | Self::PlainHttp
        )
    }
}

impl From<Fault> for FaultSpec {
    fn from(fault: Fault) -> Self {
        Self { fault, node: None, path: None, method: None, times: None }
    }
}

impl FaultSpec {
    /// On the sockets of this node only.
    #[must_use]
    pub fn at_node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// For calls whose path fits this pattern only; `*` stands for any text, slashes included.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// For calls with this method only.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Over after it struck so many times.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The nodes that it speaks of.
    pub(crate) fn nodes_named(&self) -> impl Iterator<Item = &str> {
        let inner = match &self.fault {
            Fault::Proxy { node, .. } | Fault::NodeDown { node } | Fault::NodeHung { node } => Some(node),
            _ => None,
        };
        inner.into_iter().chain(self.node.as_ref()).map(String::as_str)
    }

    /// Whether what it says makes sense.
    pub(crate) fn check(&self) -> Result<(), String> {
        let name = self.fault.name();
        let per_call = self.fault.is_per_call();
        if !per_call && (self.path.is_some() || self.method.is_some()) {
            return Err(format!("fault {name} does not look at single calls: no path or method"));
        }
        if !per_call && self.times.is_some() && !self.fault.is_per_connection() {
            return Err(format!("fault {name} is a state, which has no times"));
        }
        if self.times == Some(0) {
            return Err(format!("fault {name}: times must be at least 1"));
        }
        match &self.fault {
            Fault::Proxy { status, .. } if !(595..=599).contains(status) => {
                Err(format!("fault {name}: status must be 595 to 599, not {status}"))
            }
            Fault::Drip { bytes_per_second: 0 } => {
                Err(format!("fault {name}: bytes_per_second must be at least 1"))
            }
            Fault::ClockSkew { seconds } if !(-MOST_SKEW_SECONDS..=MOST_SKEW_SECONDS).contains(seconds) => {
                Err(format!("fault {name}: seconds must be within {MOST_SKEW_SECONDS} of zero (fifty years)"))
            }
            Fault::WrongType { pointer, .. } | Fault::MissingField { pointer }
                if !pointer.is_empty() && !pointer.starts_with('/') =>
            {
                Err(format!("fault {name}: pointer \"{pointer}\" must be empty or begin with a slash"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it strikes this call.
    pub(crate) fn strikes(&self, node: &str, method: &str, path: &str) -> bool {
        self.node.as_deref().is_none_or(|wanted| wanted == node)
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_deref().is_none_or(|pattern| fits(pattern, path))
    }
}

impl Serialize for FaultSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ok(Value::Object(mut object)) = serde_json::to_value(&self.fault) else {
            return Err(S::Error::custom("a fault is an object"));
        };
        let texts = [("at_node", &self.node), ("path", &self.path), ("method", &self.method)];
        for (key, value) in texts {
            if let Some(value) = value {
                object.insert(key_for(&self.fault, key).to_owned(), Value::from(value.clone()));
            }
        }
        if let Some(times) = self.times {
            object.insert("times".to_owned(), Value::from(times));
        }
        object.serialize(serializer)
    }
}

/// `node`, `path`… at the level of the fault itself, except where the fault has a field of that name.
fn key_for<'a>(fault: &Fault, key: &'a str) -> &'a str {
    match (fault, key) {
        (Fault::Proxy { .. } | Fault::NodeDown { .. } | Fault::NodeHung { .. }, "at_node") => "at_node",
        (_, "at_node") => "node",
        (_, other) => other,
    }
}

impl<'de> Deserialize<'de> for FaultSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let kind = fields.get("fault").and_then(Value::as_str).unwrap_or_default().to_owned();
        let text = |key: &str, fields: &mut BTreeMap<String, Value>| match fields.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(D::Error::custom(format!("fault {kind}: {key} must be text"))),
        };
        let mut node = text("at_node", &mut fields)?;
        if !matches!(kind.as_str(), "proxy" | "node-down" | "node-hung") {
            node = node.or(text("node", &mut fields)?);
        }
        let path = if kind == "hide-rows" { None } else { text("path", &mut fields)? };
        let method = text("method", &mut fields)?;
        let times = match fields.remove("times") {
            None => None,
            Some(value) => Some(
                serde_json::from_value(value)
                    .map_err(|_| D::Error::custom(format!("fault {kind}: times must be a whole number")))?,
            ),
        };
        let given: Vec<String> = fields.keys().cloned().collect();
        let fault: Fault = serde_json::from_value(Value::Object(fields.into_iter().collect())).map_err(
            |error| match kind.as_str() {
                "" => D::Error::custom(error),
                kind => D::Error::custom(format!("fault {kind}: {error}")),
            },
        )?;
        // serde passes over what stands beside the tag of a variant without fields.
        let has_fields =
            matches!(serde_json::to_value(&fault), Ok(Value::Object(object)) if object.len() > 1);
        if !has_fields && let Some(stray) = given.iter().find(|key| *key != "fault") {
            return Err(D::Error::custom(format!("fault {kind}: unknown field `{stray}`")));
        }
        let spec = Self { fault, node, path, method, times };
        spec.check().map_err(D::Error::custom)?;
        Ok(spec)
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(first) = pieces.next() else { return text.is_empty() };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("/version", "/version", true),
            ("/version", "/versions", false),
            ("*", "/anything/at/all", true),
            ("/nodes/*/lxc/*", "/nodes/pve1/lxc/101/config", true),
            ("/nodes/*/config", "/nodes/pve1/lxc/101/config", true),
            ("/nodes/*/config", "/nodes/pve1/lxc/101/status", false),
            ("*/status", "/status", true),
            ("/a*a", "/a", false),
            ("", "/", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} and {text}");
        }
    }

    #[test]
    fn one_flat_object() {
        let value = json!({"fault": "delay", "ms": 500, "path": "/nodes/*", "times": 2, "node": "pve1"});
        let spec: FaultSpec = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(spec, Fault::Delay { ms: 500 }.on("/nodes/*").times(2).at_node("pve1"));
        assert_eq!(serde_json::to_value(&spec).unwrap(), value);
    }

    #[test]
    fn the_node_that_is_down_is_not_the_socket_it_strikes() {
        let spec: FaultSpec = serde_json::from_value(json!({"fault": "node-down", "node": "pve2"})).unwrap();
        assert_eq!(spec, Fault::NodeDown { node: "pve2".into() }.into());
        let value =
            json!({"fault": "proxy", "node": "pve2", "status": 595, "reason": "x", "at_node": "pve1"});
        let spec: FaultSpec = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(spec.node.as_deref(), Some("pve1"));
        assert_eq!(serde_json::to_value(&spec).unwrap(), value);
        let spec: FaultSpec =
            serde_json::from_value(json!({"fault": "hide-rows", "user": "a@pve", "path": "/vms/1"})).unwrap();
        assert_eq!(spec.path, None);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (value, words) in [
            (json!({"fault": "refuse", "path": "/x"}), "single calls"),
            (json!({"fault": "refuse", "colour": 1}), "unknown field `colour`"),
            (json!({"fault": "refused"}), "unknown variant `refused`"),
            (json!({"fault": "delay", "ms": 1, "colour": 1}), "unknown field `colour`"),
            (json!({"fault": "delay"}), "missing field `ms`"),
            (json!({"fault": "cut", "after_bytes": 1, "times": 0}), "at least 1"),
            (json!({"fault": "quorum-lost", "times": 1}), "a state"),
            (json!({"fault": "proxy", "node": "a", "status": 500}), "595 to 599"),
            (json!({"fault": "wrong-type", "pointer": "a", "value": 1}), "begin with a slash"),
            (json!({"fault": "clock-skew", "seconds": i64::MIN}), "fifty years"),
            (json!({"path": "/x"}), "missing field `fault`"),
        ] {
            let error = serde_json::from_value::<FaultSpec>(value).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
