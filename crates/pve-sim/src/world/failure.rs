//! What a handler gives back: an answer, or a failure in Proxmox's words.

use serde_json::{Map, Value};

use crate::seam::{BadBody, Body, Data, Delay, Envelope, Reply};

/// A good answer.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) data: Data,
    pub(crate) total: Option<u64>,
}

impl From<Value> for Out {
    fn from(value: Value) -> Self {
        Self { data: Data::Value(value), total: None }
    }
}

/// What a handler returns.
pub(crate) type Answer = Result<Out, Failure>;

/// A refusal.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Words in an envelope. The words are as the handler died with them, newline and all.
    Words { status: u16, text: String, errors: Option<Map<String, Value>> },
    /// A status line and nothing else.
    Bare { status: u16, reason: &'static str, delay: Option<Delay> },
    /// Words without an envelope.
    Plain { status: u16, text: String },
}

impl Failure {
    /// 500: what nearly every handler does when it cannot.
    pub(crate) fn server(text: impl Into<String>) -> Self {
        Self::Words { status: 500, text: text.into() + "\n", errors: None }
    }

    /// 400 for one parameter.
    pub(crate) fn param(name: &str, text: impl Into<String>) -> Self {
        let mut errors = Map::new();
        errors.insert(name.to_owned(), Value::String(text.into()));
        Self::params(errors)
    }

    /// 400 for several.
    pub(crate) fn params(errors: Map<String, Value>) -> Self {
        Self::Words { status: 400, text: "Parameter verification failed.\n".to_owned(), errors: Some(errors) }
    }

    /// 403, saying what was missing.
    pub(crate) fn permission(what: &str) -> Self {
        let text = if what.is_empty() {
            "Permission check failed\n".to_owned()
        } else {
            format!("Permission check failed ({what})\n")
        };
        Self::Words { status: 403, text, errors: None }
    }

    /// 401 of the door, before any handler: no body.
    pub(crate) const fn unauthorized(reason: &'static str) -> Self {
        Self::Bare { status: 401, reason, delay: Some(Delay::Unauthorized) }
    }

    /// 401 of the sign-in itself: with words, and the same ones for every cause.
    pub(crate) fn sign_in() -> Self {
        Self::Words { status: 401, text: "authentication failure\n".to_owned(), errors: None }
    }

    /// 501: no such method on this release.
    pub(crate) fn not_implemented(method: catalogue::Method, path: &str) -> Self {
        Self::Words { status: 501, text: format!("Method '{method} {path}' not implemented"), errors: None }
    }

    /// A write without quorum, where the lock is asked for first.
    pub(crate) fn no_quorum() -> Self {
        Self::server("cluster not ready - no quorum?")
    }

    pub(crate) fn into_reply(self) -> Reply {
        match self {
            Self::Words { status, text, errors } => Reply {
                status,
                reason: text.lines().next().unwrap_or_default().to_owned(),
                delay: (status == 401).then_some(Delay::Unauthorized),
                body: Body::Envelope(Envelope { message: Some(text), errors, ..Envelope::default() }),
            },
            Self::Bare { status, reason, delay } => {
                Reply { status, reason: reason.to_owned(), body: Body::None, delay }
            }
            Self::Plain { status, text } => Reply {
                status,
                reason: text.lines().next().unwrap_or_default().to_owned(),
                body: Body::Plain(text),
                delay: None,
            },
        }
    }
}

impl From<&BadBody> for Failure {
    fn from(bad: &BadBody) -> Self {
        if bad.plain {
            Self::Plain { status: bad.status, text: bad.text.clone() }
        } else {
            Self::Words { status: bad.status, text: bad.text.clone(), errors: None }
        }
    }
}

impl Out {
    pub(crate) fn into_reply(self) -> Reply {
        Reply {
            status: 200,
            reason: "OK".to_owned(),
            body: Body::Envelope(Envelope { data: self.data, total: self.total, ..Envelope::default() }),
            delay: None,
        }
    }
}
