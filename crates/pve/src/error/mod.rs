//! What went wrong, in which phase, whose words say so, and whether it may be tried again: [`Error`].
//!
//! The phase is a fact noted where the call stood when it failed, never guessed from a text. Nothing in an
//! error holds a secret: words that came from a server are scrubbed of every secret that was sent to it.

mod sentence;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use catalogue::Method;

use crate::auth::TfaChallenge;
use crate::trust::{Certificate, Distrust, Pinned};
use sentence::parameter_words;
pub(crate) use sentence::seconds;

/// A call that did not succeed.
///
/// `Display` gives one sentence, on one line, that names the endpoint and the cause; [`Error::kind`] is for programs.
#[derive(Debug, Clone, thiserror::Error)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    phase: Phase,
    sent: Sent,
    endpoint: String,
    call: Option<String>,
    attempts: Vec<Attempt>,
}

/// How far a call had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Refused by this library before anything was opened.
    Local,
    /// Turning the host name into addresses.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// The TLS handshake, the judgement of the certificate included.
    Tls,
    /// Writing the request.
    Send,
    /// Waiting for the head of the answer.
    Await,
    /// Reading the body of the answer.
    Read,
    /// The answer was complete; understanding it failed, or it says no.
    Decode,
}

/// Whether the request can have reached the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// Certainly not a byte of it.
    No,
    /// Part or all of it; the server may have acted.
    Maybe,
    /// All of it.
    Yes,
}

/// One address that was tried for a connection, and how that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The address, port included.
    pub address: SocketAddr,
    /// What came of it, in the system's words.
    pub outcome: String,
}

/// Whose words a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The Proxmox VE server: body message, `errors`, or reason phrase.
    Proxmox,
    /// The TLS library, or the other side's TLS alert.
    Tls,
    /// The operating system: resolver, sockets.
    System,
}

/// A text together with whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Who said it.
    pub speaker: Speaker,
    /// What was said, trimmed.
    pub text: String,
}

/// The classes into which failures of a Proxmox VE handler (nearly all of them status 500) fall by their text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerClass {
    /// Something that the call names or touches does not exist: guest, user, snapshot, node, bridge.
    NotFound,
    /// The guest or a file is locked by another task.
    Locked,
    /// The cluster has no quorum; nothing can be written.
    NoQuorum,
    /// Somebody else changed the configuration meanwhile (digest mismatch).
    Conflict,
    /// The thing to be made exists already.
    Exists,
    /// Any other refusal: the words say it.
    Other,
}

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The name could not be resolved.
    Dns {
        /// The resolver's words.
        text: String,
    },
    /// Nobody listens on that port (connection refused).
    Refused,
    /// No way to the host (no route, network down, host down).
    Unreachable {
        /// The system's words.
        text: String,
    },
    /// The TCP connection was not answered.
    ConnectTimeout {
        /// How long it was waited for.
        after: Duration,
    },
    /// The TLS handshake failed, for another reason than trust.
    Tls {
        /// The TLS library's words.
        text: String,
    },
    /// The certificate is not trusted. Nothing was sent.
    Untrusted {
        /// The certificate shown.
        presented: Box<Certificate>,
        /// Why not.
        why: Distrust,
    },
    /// Another certificate than the one that was confirmed. Nothing was sent.
    CertificateChanged {
        /// What had been confirmed.
        pinned: Pinned,
        /// The certificate shown now.
        presented: Box<Certificate>,
    },
    /// The server shows a certificate whose private key it does not have: the handshake signature is wrong.
    CertificateWithoutKey {
        /// The certificate shown.
        presented: Box<Certificate>,
    },
    /// The request (or the TLS greeting) was not answered in time, or the answer did not end in time.
    NoAnswer {
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection broke, or the answer ended before its end.
    Cut {
        /// What was seen of it.
        text: String,
    },
    /// What came back over TLS is not HTTP.
    NotHttp {
        /// What was wrong with it.
        text: String,
    },
    /// A web server answered, but no Proxmox VE API.
    NotProxmox {
        /// What was seen instead.
        seen: String,
    },
    /// The server points elsewhere. Never followed.
    Redirected {
        /// The address it named.
        to: String,
    },
    /// Wrong password, token or ticket, disabled user, wrong second factor: the server has one text for all.
    CredentialsRejected {
        /// The server's words.
        reason: String,
    },
    /// The password is right and a second factor is asked for.
    SecondFactorNeeded {
        /// What [`crate::Client::answer_second_factor`] needs.
        challenge: TfaChallenge,
    },
    /// Signed in, but not allowed.
    PrivilegeMissing {
        /// The object whose permission was checked, e.g. `/vms/100`, when the server named it.
        path: Option<String>,
        /// The privileges of which at least one is missing, e.g. `VM.PowerMgmt`.
        privileges: Vec<String>,
        /// The server's words.
        text: String,
    },
    /// The parameters were refused (400).
    Parameters {
        /// What is wrong with each parameter.
        errors: BTreeMap<String, String>,
        /// The server's words.
        text: String,
    },
    /// This version of Proxmox VE has no such method or path (501).
    NotSupported {
        /// The server's words.
        text: String,
    },
    /// The endpoint answered, but could not reach the node (or its own local daemon) (595). Nothing was done.
    NodeDown {
        /// The node asked for, if the call was about one.
        node: Option<String>,
        /// 595.
        status: u16,
        /// The server's words, e.g. `No route to host`.
        text: String,
    },
    /// The endpoint answered, but the node did not answer it in time (596). A mutation may have been done.
    NodeNoAnswer {
        /// The node asked for, if the call was about one.
        node: Option<String>,
        /// 596.
        status: u16,
        /// The server's words.
        text: String,
    },
    /// The endpoint lost the node's answer on the way (597 to 599). A mutation may have been done.
    Proxying {
        /// 597 to 599.
        status: u16,
        /// The server's words.
        text: String,
    },
    /// Proxmox VE refused or failed, in its own words.
    Server {
        /// The HTTP status, nearly always 500.
        status: u16,
        /// What the words amount to.
        class: ServerClass,
        /// The server's words.
        text: String,
    },
    /// The answer is a Proxmox VE answer that this library could not read. The link is fine.
    NotUnderstood {
        /// What could not be read.
        what: String,
    },
    /// The answer is larger than this library is willing to hold.
    TooLarge {
        /// The bound that was exceeded, in bytes.
        limit: u64,
    },
    /// Refused before anything was sent.
    InvalidRequest {
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    /// An error of the given kind in the given phase; whether the request was sent follows from the phase.
    pub fn new(kind: ErrorKind, phase: Phase, endpoint: impl Into<String>) -> Self {
        let sent = match phase {
            Phase::Local | Phase::Resolve | Phase::Connect | Phase::Tls => Sent::No,
            Phase::Send => Sent::Maybe,
            Phase::Await | Phase::Read | Phase::Decode => Sent::Yes,
        };
        Self {
            inner: Box::new(Inner {
                kind,
                phase,
                sent,
                endpoint: endpoint.into(),
                call: None,
                attempts: Vec::new(),
            }),
        }
    }

    /// Names the call, e.g. `GET /nodes/{node}/lxc/{vmid}/config`, unless one is named already.
    #[must_use]
    pub fn in_call(mut self, call: impl Into<String>) -> Self {
        self.inner.call.get_or_insert_with(|| call.into());
        self
    }

    /// Overrides what follows from the phase: it is known better whether anything was sent.
    #[must_use]
    pub(crate) fn with_sent(mut self, sent: Sent) -> Self {
        self.inner.sent = sent;
        self
    }

    /// Adds the addresses that were tried.
    #[must_use]
    pub(crate) fn with_attempts(mut self, attempts: Vec<Attempt>) -> Self {
        self.inner.attempts = attempts;
        self
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// How far the call had come.
    pub fn phase(&self) -> Phase {
        self.inner.phase
    }

    /// The endpoint, `host:port`.
    pub fn endpoint(&self) -> &str {
        &self.inner.endpoint
    }

    /// The call as method and path template, when the error belongs to one.
    pub fn call(&self) -> Option<&str> {
        self.inner.call.as_deref()
    }

    /// The addresses that were tried for a connection; empty unless connecting failed.
    pub fn attempts(&self) -> &[Attempt] {
        &self.inner.attempts
    }

    /// Whether the request can have reached the server. Of a call that failed in the sign-in before it, nothing has.
    pub fn request_sent(&self) -> Sent {
        self.inner.sent
    }

    /// May the same call be made again (now through another endpoint, or later through this one)?
    ///
    /// Yes when no connection came about, whatever the method. Yes when the answer was lost on the way, of a GET,
    /// or of the sign-in that was to come before the call itself. No when the server has answered for good
    /// (refused, rejected, not supported), and no for any other method once a byte was sent: PUT is not idempotent
    /// here (`resize` by `+10G`).
    pub fn repeatable(&self, method: Method) -> bool {
        let lost = matches!(
            self.inner.kind,
            ErrorKind::NoAnswer { .. }
                | ErrorKind::Cut { .. }
                | ErrorKind::Tls { .. }
                | ErrorKind::NotHttp { .. }
                | ErrorKind::NodeDown { .. }
                | ErrorKind::NodeNoAnswer { .. }
                | ErrorKind::Proxying { .. }
        );
        match self.inner.phase {
            Phase::Local => false,
            Phase::Resolve | Phase::Connect | Phase::Tls => true,
            Phase::Send | Phase::Await | Phase::Read | Phase::Decode => {
                lost && (method == Method::Get || self.inner.sent == Sent::No)
            }
        }
    }

    /// After this error, is it unknown whether the call took effect? Never for a GET; for anything else when
    /// the request may have arrived and no verdict of the server came back that could be read.
    pub fn outcome_unknown(&self, method: Method) -> bool {
        if method == Method::Get || self.inner.sent == Sent::No {
            return false;
        }
        match &self.inner.kind {
            // Nothing that reads a verdict: the request left, and that is all that is known.
            ErrorKind::NoAnswer { .. }
            | ErrorKind::Cut { .. }
            | ErrorKind::Tls { .. }
            | ErrorKind::NotHttp { .. }
            | ErrorKind::NotUnderstood { .. }
            | ErrorKind::TooLarge { .. }
            | ErrorKind::NodeNoAnswer { .. }
            | ErrorKind::Proxying { .. } => true,
            // A gateway in between may have passed the request on before it spoke for itself.
            ErrorKind::NotProxmox { .. } => true,
            _ => false,
        }
    }

    /// Did the server say that the guest asked for does not exist on that node? Other things may be missing too
    /// (a bridge, a snapshot, the node): those are [`ServerClass::NotFound`] and no answer to this.
    pub fn says_guest_missing(&self) -> bool {
        match &self.inner.kind {
            ErrorKind::Server { class: ServerClass::NotFound, text, .. } => {
                text.starts_with("Configuration file '") && text.contains("' does not exist")
            }
            _ => false,
        }
    }

    /// The words of whoever refused or failed, as they stand: Proxmox VE's, the TLS library's, the system's.
    pub fn words(&self) -> Option<Words> {
        let (speaker, text) = match &self.inner.kind {
            ErrorKind::CredentialsRejected { reason: text }
            | ErrorKind::PrivilegeMissing { text, .. }
            | ErrorKind::NotSupported { text }
            | ErrorKind::NodeDown { text, .. }
            | ErrorKind::NodeNoAnswer { text, .. }
            | ErrorKind::Proxying { text, .. }
            | ErrorKind::Server { text, .. } => (Speaker::Proxmox, text.clone()),
            ErrorKind::Parameters { errors, text } => (Speaker::Proxmox, parameter_words(errors, text)),
            ErrorKind::Tls { text } => (Speaker::Tls, text.clone()),
            ErrorKind::Dns { text } | ErrorKind::Unreachable { text } => (Speaker::System, text.clone()),
            _ => return None,
        };
        (!text.is_empty()).then_some(Words { speaker, text })
    }
}
