//! Why something did not work, as a fact with its own sentence and remedy.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{EndpointId, NodeName};
use crate::time::{seconds, spell};

/// What kind of failure a server's own words describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServerClass {
    /// The thing asked for does not exist.
    NotFound,
    /// It is locked.
    Locked,
    /// The cluster has no quorum.
    NoQuorum,
    /// Somebody else changed it meanwhile.
    Conflict,
    /// The name or number is taken.
    Exists,
    /// Anything else.
    Other,
}

/// One cause of a failure. The first sixteen are what a link can suffer from; the rest concern one call or one
/// node and leave the link alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CauseFacts))]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The name does not resolve.
    Dns {
        /// The resolver's words.
        text: String,
    },
    /// The host answered that nobody listens on that port.
    Refused,
    /// No route to the host, or the network is down.
    Unreachable {
        /// The system's words.
        text: String,
    },
    /// Nothing answered the connection attempt.
    ConnectTimeout {
        /// After how long we gave up.
        #[serde(with = "seconds")]
        #[cfg_attr(feature = "schema", schema(value_type = f64))]
        after: Duration,
    },
    /// TCP works, TLS does not.
    TlsFailure {
        /// The TLS library's words.
        text: String,
    },
    /// A certificate that nothing vouches for and nobody has confirmed.
    UntrustedCertificate {
        /// SHA-256 of what was shown, `AA:BB:…`.
        presented: String,
        /// Why it is not trusted.
        why: String,
    },
    /// Another certificate than the one confirmed.
    CertificateChanged {
        /// SHA-256 of the confirmed one.
        expected: String,
        /// SHA-256 of what was shown.
        presented: String,
    },
    /// Connected, asked, and nothing came.
    NoAnswer {
        /// For how long.
        #[serde(with = "seconds")]
        #[cfg_attr(feature = "schema", schema(value_type = f64))]
        after: Duration,
    },
    /// The connection broke before the answer was complete.
    AnswerCut {
        /// How.
        text: String,
    },
    /// What answered does not speak HTTP over TLS.
    NotHttp {
        /// What was seen.
        text: String,
    },
    /// A web server, but no Proxmox VE.
    NotProxmox {
        /// What was seen.
        seen: String,
    },
    /// Wrong password, disabled account, wrong or expired token: Proxmox does not say which.
    CredentialsRejected {
        /// Proxmox's words.
        reason: String,
    },
    /// The account wants a second factor.
    SecondFactorNeeded {
        /// Which kinds are accepted (`totp`, `recovery`, …).
        kinds: Vec<String>,
    },
    /// Signed in, but not allowed.
    PrivilegeMissing {
        /// The object, as an ACL path (`/vms/100`); empty when Proxmox did not say.
        path: String,
        /// The privileges, any or all of which it wants.
        privileges: Vec<String>,
        /// Proxmox's words.
        text: String,
    },
    /// Proxmox answered with an error of its own.
    ServerError {
        /// HTTP status.
        status: u16,
        /// What kind.
        class: ServerClass,
        /// Proxmox's words.
        text: String,
    },
    /// The answer arrived and *we* could not read it.
    NotUnderstood {
        /// What was odd.
        what: String,
    },

    /// Another node of the cluster is down (595); the link is fine.
    NodeDown {
        /// Which, when known.
        node: Option<NodeName>,
        /// The words of the node that answered.
        text: String,
    },
    /// Another node of the cluster did not answer in time (596 and beyond).
    NodeNoAnswer {
        /// Which, when known.
        node: Option<NodeName>,
        /// The words of the node that answered.
        text: String,
    },
    /// This version of Proxmox VE does not have the call.
    NotSupported {
        /// Proxmox's words.
        text: String,
    },
    /// Proxmox rejected parameters.
    ParametersRejected {
        /// Parameter and text, in Proxmox's words.
        text: String,
    },
    /// The answer is larger than we accept.
    TooLarge {
        /// The bound in bytes.
        limit: u64,
    },
    /// What was given cannot be sent as it is; nothing was.
    NotSendable {
        /// What is wrong with it.
        what: String,
    },
    /// Somebody disconnected the remote.
    Disconnected {
        /// Who.
        by: String,
    },
    /// Another of the Muster processes that share a database looks after the remote.
    RunElsewhere {
        /// What people call it.
        process: String,
        /// Where its API is reached.
        address: Option<String>,
    },
    /// None of the Muster processes that share a database may look after the remote at present.
    Unattended {
        /// Why not.
        text: String,
    },
    /// A fault of Muster itself: something ended that should not have.
    Internal {
        /// What.
        text: String,
    },
}

/// What a cause concerns, hence what must change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The way to this endpoint; another endpoint may do.
    Endpoint,
    /// The credential, on every endpoint.
    Credential,
    /// This endpoint's certificate: a person decides.
    Certificate,
    /// One call only; the link is as it was.
    Call,
    /// One node only; the link is as it was.
    Node,
}

impl Cause {
    /// What it concerns.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self {
            Self::Dns { .. }
            | Self::Refused
            | Self::Unreachable { .. }
            | Self::ConnectTimeout { .. }
            | Self::TlsFailure { .. }
            | Self::NoAnswer { .. }
            | Self::AnswerCut { .. }
            | Self::NotHttp { .. }
            | Self::NotProxmox { .. } => Reach::Endpoint,
            Self::UntrustedCertificate { .. } | Self::CertificateChanged { .. } => Reach::Certificate,
            Self::CredentialsRejected { .. } | Self::SecondFactorNeeded { .. } => Reach::Credential,
            Self::NodeDown { .. } | Self::NodeNoAnswer { .. } => Reach::Node,
            Self::PrivilegeMissing { .. }
            | Self::ServerError { .. }
            | Self::NotUnderstood { .. }
            | Self::NotSupported { .. }
            | Self::ParametersRejected { .. }
            | Self::TooLarge { .. }
            | Self::NotSendable { .. }
            | Self::Disconnected { .. }
            | Self::RunElsewhere { .. }
            | Self::Unattended { .. }
            | Self::Internal { .. } => Reach::Call,
        }
    }

    /// Whether waiting cannot mend it: a person has to do something first.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        matches!(self.reach(), Reach::Credential | Reach::Certificate)
    }

    /// The stable word for it, as in contracts and JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "dns",
            Self::Refused => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::ConnectTimeout { .. } => "connect_timeout",
            Self::TlsFailure { .. } => "tls_failure",
            Self::UntrustedCertificate { .. } => "untrusted_certificate",
            Self::CertificateChanged { .. } => "certificate_changed",
            Self::NoAnswer { .. } => "no_answer",
            Self::AnswerCut { .. } => "answer_cut",
            Self::NotHttp { .. } => "not_http",
            Self::NotProxmox { .. } => "not_proxmox",
            Self::CredentialsRejected { .. } => "credentials_rejected",
            Self::SecondFactorNeeded { .. } => "second_factor_needed",
            Self::PrivilegeMissing { .. } => "privilege_missing",
            Self::ServerError { .. } => "server_error",
            Self::NotUnderstood { .. } => "not_understood",
            Self::NodeDown { .. } => "node_down",
            Self::NodeNoAnswer { .. } => "node_no_answer",
            Self::NotSupported { .. } => "not_supported",
            Self::ParametersRejected { .. } => "parameters_rejected",
            Self::TooLarge { .. } => "too_large",
            Self::NotSendable { .. } => "not_sendable",
            Self::Disconnected { .. } => "disconnected",
            Self::RunElsewhere { .. } => "run_elsewhere",
            Self::Unattended { .. } => "unattended",
            Self::Internal { .. } => "internal",
        }
    }

    /// What happened, in one clause without a full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Dns { text } => with("the name could not be resolved", text),
            Self::Refused => "connection refused: nothing listens on that port".to_owned(),
            Self::Unreachable { text } => with("no route to the host", text),
            Self::ConnectTimeout { after } => format!("connection timed out after {}", spell(*after)),
            Self::TlsFailure { text } => with("the TLS handshake failed", text),
            Self::UntrustedCertificate { presented, why } => {
                with(&format!("the certificate is not trusted (SHA-256 {presented})"), why)
            }
            Self::CertificateChanged { expected, presented } => {
                format!("the certificate changed: expected SHA-256 {expected}, was shown {presented}")
            }
            Self::NoAnswer { after } => {
                format!("connected, but no answer came within {}", spell(*after))
            }
            Self::AnswerCut { text } => with("the connection broke off before the answer was complete", text),
            Self::NotHttp { text } => with("what answers there does not speak HTTPS", text),
            Self::NotProxmox { seen } => with("what answers there is not Proxmox VE", seen),
            Self::CredentialsRejected { reason } => with("the credentials were rejected", reason),
            Self::SecondFactorNeeded { kinds } if kinds.is_empty() => {
                "a second factor is needed to sign in".to_owned()
            }
            Self::SecondFactorNeeded { kinds } => {
                format!("a second factor is needed to sign in ({})", kinds.join(" or "))
            }
            Self::PrivilegeMissing { path, privileges, text } => privilege(path, privileges, text),
            Self::ServerError { status, text, .. } => {
                with(&format!("Proxmox VE answered with an error ({status})"), text)
            }
            Self::NotUnderstood { what } => with("Muster could not read the answer", what),
            Self::NodeDown { node, text } => {
                with(&format!("{} is down, though the cluster answers", the_node(node.as_ref())), text)
            }
            Self::NodeNoAnswer { node, text } => with(
                &format!("{} did not answer in time, though the cluster does", the_node(node.as_ref())),
                text,
            ),
            Self::NotSupported { text } => with("this version of Proxmox VE does not support the call", text),
            Self::ParametersRejected { text } => with("Proxmox VE rejected the parameters", text),
            Self::TooLarge { limit } => format!("the answer is larger than {limit} bytes"),
            Self::NotSendable { what } => with("nothing was sent", what),
            Self::Disconnected { by } => format!("the remote was disconnected by {by}"),
            Self::RunElsewhere { process, address: Some(address) } => {
                format!("the Muster process {process} looks after this remote ({address})")
            }
            Self::RunElsewhere { process, address: None } => {
                format!("the Muster process {process} looks after this remote")
            }
            Self::Unattended { text } => with("no Muster process looks after this remote at present", text),
            Self::Internal { text } => with("a fault inside Muster", text),
        }
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Dns { .. } => {
                "Check the spelling of the host name and this machine's DNS, or use the IP address.".to_owned()
            }
            Self::Refused => {
                "Check the port (Proxmox VE uses 8006) and that the service pveproxy runs on the host.".to_owned()
            }
            Self::Unreachable { .. } => {
                "Check the address, this machine's network and any VPN to the host.".to_owned()
            }
            Self::ConnectTimeout { .. } => {
                "Check that the host is switched on and that no firewall drops the connection.".to_owned()
            }
            Self::TlsFailure { .. } => {
                "Check pveproxy on the host, and whether something between here and there breaks TLS open."
                    .to_owned()
            }
            Self::UntrustedCertificate { .. } => {
                "Compare the fingerprint with the one shown on the host, then confirm it.".to_owned()
            }
            Self::CertificateChanged { .. } => {
                "If the certificate was renewed on purpose, compare the new fingerprint on the host and accept \
                 it; otherwise someone may be in between: do not sign in."
                    .to_owned()
            }
            Self::NoAnswer { .. } => {
                "The host may be overloaded: look at its load, and restart pveproxy if it hangs.".to_owned()
            }
            Self::AnswerCut { .. } => {
                "Usually passes. If it stays, look for a proxy or firewall that cuts connections.".to_owned()
            }
            Self::NotHttp { .. } => "Check the port: Proxmox VE speaks HTTPS on 8006.".to_owned(),
            Self::NotProxmox { .. } => {
                "Check address and port; a reverse proxy must pass /api2/ through unchanged.".to_owned()
            }
            Self::CredentialsRejected { .. } => {
                "Give the right password or token; check that the account is enabled and not expired.".to_owned()
            }
            Self::SecondFactorNeeded { .. } => {
                "Sign in again with the code of the second factor, or use an API token.".to_owned()
            }
            Self::PrivilegeMissing { path, privileges, .. } => grant(path, privileges),
            Self::ServerError { class, .. } => match class {
                ServerClass::NotFound => "Check that it still exists; the next refresh will tell.".to_owned(),
                ServerClass::Locked => "Wait for the task that holds the lock, then try again.".to_owned(),
                ServerClass::NoQuorum => {
                    "Bring enough nodes of the cluster back; until then nothing can be changed.".to_owned()
                }
                ServerClass::Conflict => "Read it again and repeat the change.".to_owned(),
                ServerClass::Exists => "Choose another name or number.".to_owned(),
                ServerClass::Other => "Read Proxmox VE's own words above; its log has more.".to_owned(),
            },
            Self::NotUnderstood { .. } => {
                "Please report this reply: Muster should read it. Everything else goes on.".to_owned()
            }
            Self::NodeDown { .. } => "Bring the node back, or look at its network.".to_owned(),
            Self::NodeNoAnswer { .. } => {
                "Look at that node's load; what was asked of it may still have been done.".to_owned()
            }
            Self::NotSupported { .. } => "Update Proxmox VE on that host to use this.".to_owned(),
            Self::ParametersRejected { .. } => "Correct the named parameter and try again.".to_owned(),
            Self::TooLarge { .. } => {
                "Check what answers there: no list of Proxmox VE is expected to be so large.".to_owned()
            }
            Self::NotSendable { .. } => "Correct what was entered and try again.".to_owned(),
            Self::Disconnected { .. } => "Connect the remote.".to_owned(),
            Self::RunElsewhere { process, address: Some(address) } => {
                format!("Ask {process} instead, at {address}.")
            }
            Self::RunElsewhere { process, address: None } => format!("Ask {process} instead."),
            Self::Unattended { .. } => {
                "Another process takes over within seconds; if none does, look at the database that they share."
                    .to_owned()
            }
            Self::Internal { .. } => "Please report this with Muster's log; it goes on by itself.".to_owned(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())
    }
}

fn with(head: &str, detail: &str) -> String {
    let detail = detail.trim();
    if detail.is_empty() { head.to_owned() } else { format!("{head}: {detail}") }
}

fn the_node(node: Option<&NodeName>) -> String {
    node.map_or_else(|| "a node".to_owned(), |node| format!("node {node}"))
}

fn privilege(path: &str, privileges: &[String], text: &str) -> String {
    match (path.is_empty(), privileges.is_empty()) {
        (true, true) => with("the account lacks a privilege", text),
        (true, false) => format!("the account lacks the privilege {}", privileges.join(" or ")),
        (false, true) => with(&format!("the account lacks a privilege on {path}"), text),
        (false, false) => format!("the account lacks the privilege {} on {path}", privileges.join(" or ")),
    }
}

fn grant(path: &str, privileges: &[String]) -> String {
    let what =
        if privileges.is_empty() { "the missing privilege".to_owned() } else { privileges.join(" or ") };
    let path = if path.is_empty() { "the object" } else { path };
    format!("Give the account a role with {what} on {path} (Datacenter → Permissions).")
}

/// A cause with where and when it struck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Failure {
    /// What happened.
    #[serde(flatten)]
    pub cause: Cause,
    /// The endpoint asked, when one was.
    pub endpoint: Option<EndpointId>,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Some(endpoint) => write!(f, "{} ({endpoint})", self.cause),
            None => self.cause.fmt(f),
        }
    }
}
