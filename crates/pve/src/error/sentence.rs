//! An error as one sentence for a person: the endpoint, what happened, and whose words say so.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{Error, ErrorKind, Inner, Phase};

/// The server's words about refused parameters: each parameter with its text, or the message alone.
pub(super) fn parameter_words(errors: &BTreeMap<String, String>, text: &str) -> String {
    if errors.is_empty() {
        return text.to_owned();
    }
    let each: Vec<String> = errors.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    match text {
        "" => each.join("; "),
        _ => format!("{} {}", text, each.join("; ")),
    }
}

/// Seconds as a person says them: `5 s`, `0.2 s`.
pub(crate) fn seconds(after: Duration) -> String {
    let tenths = after.as_millis() / 100;
    match tenths % 10 {
        0 if tenths > 0 => format!("{} s", tenths / 10),
        _ => format!("{}.{} s", tenths / 10, tenths % 10),
    }
}

/// `“text”` or nothing.
fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": “{text}”") }
}

/// A size bound as a person says it: `64 MiB`, and in bytes what is less than one.
fn size(bytes: u64) -> String {
    match bytes / (1024 * 1024) {
        0 => format!("{bytes} bytes"),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

/// The text on one line, without control characters: words of a server may hold line ends, or codes that a terminal
/// would obey.
fn one_line(text: &str) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&format!("{}: {}", self.inner.endpoint, Sentence(&self.inner))))
    }
}

/// What happened, without the endpoint.
struct Sentence<'a>(&'a Inner);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, phase, call, .. } = self.0;
        match kind {
            ErrorKind::Dns { text } => write!(f, "the name could not be resolved: {text}"),
            ErrorKind::Refused => write!(f, "connection refused"),
            ErrorKind::Unreachable { text } => write!(f, "no way to the host: {text}"),
            ErrorKind::ConnectTimeout { after } => {
                write!(f, "connection timed out after {}", seconds(*after))
            }
            ErrorKind::Tls { text } => match phase {
                Phase::Send | Phase::Await | Phase::Read | Phase::Decode => {
                    write!(f, "the TLS connection failed: {text}")
                }
                _ => write!(f, "the TLS handshake failed: {text}"),
            },
            ErrorKind::Untrusted { why, .. } => write!(f, "the certificate is not trusted: {why}"),
            ErrorKind::CertificateChanged { pinned, presented } => write!(
                f,
                "the certificate has changed: {pinned} was confirmed, the server now shows {}",
                presented.fingerprint
            ),
            ErrorKind::CertificateWithoutKey { .. } => write!(
                f,
                "the server shows a certificate whose private key it does not have; \
                 something else answers in its place"
            ),
            ErrorKind::NoAnswer { after } => match phase {
                Phase::Tls => write!(f, "no answer to the TLS greeting within {}", seconds(*after)),
                Phase::Read => write!(f, "the answer did not end within {}", seconds(*after)),
                _ => write!(f, "no answer to the request within {}", seconds(*after)),
            },
            ErrorKind::Cut { text } => match phase {
                Phase::Tls => write!(f, "the connection was cut in the TLS handshake: {text}"),
                Phase::Read => write!(f, "the answer was cut: {text}"),
                _ => write!(f, "the connection was cut before an answer came: {text}"),
            },
            ErrorKind::NotHttp { text } => write!(f, "the answer is not HTTP: {text}"),
            ErrorKind::NotProxmox { seen } => write!(f, "this is not a Proxmox VE API: {seen}"),
            ErrorKind::Redirected { to } => {
                write!(f, "this is not a Proxmox VE API: it redirects to {to} (not followed)")
            }
            ErrorKind::CredentialsRejected { reason } => {
                write!(f, "the credentials were rejected{}", quoted(reason))
            }
            ErrorKind::SecondFactorNeeded { challenge } => {
                write!(f, "a second factor is needed to sign in ({})", challenge.kinds_text())
            }
            ErrorKind::PrivilegeMissing { path, privileges, text } => match (path, privileges.as_slice()) {
                (Some(path), [one]) => write!(f, "not allowed: {one} on {path} is missing"),
                (Some(path), several) if !several.is_empty() => {
                    write!(f, "not allowed: one of {} on {path} is missing", several.join(", "))
                }
                _ => write!(f, "not allowed{}", quoted(text)),
            },
            ErrorKind::Parameters { errors, text } => {
                write!(f, "the parameters were refused{}", quoted(&parameter_words(errors, text)))
            }
            ErrorKind::NotSupported { text } => {
                write!(f, "not supported by this version of Proxmox VE{}", quoted(text))
            }
            ErrorKind::NodeDown { node: Some(node), text, .. } => {
                write!(f, "node {node} is down, as this endpoint sees it{}", quoted(text))
            }
            ErrorKind::NodeDown { node: None, text, .. } => {
                write!(f, "the server cannot reach its own daemon or the node concerned{}", quoted(text))
            }
            ErrorKind::NodeNoAnswer { node, text, .. } => {
                match node {
                    Some(node) => write!(f, "node {node}")?,
                    None => f.write_str("the node concerned")?,
                }
                write!(f, " gave this endpoint no answer in time{}", quoted(text))
            }
            ErrorKind::Proxying { status, text } => {
                write!(f, "the answer of the node was lost on the way ({status}){}", quoted(text))
            }
            ErrorKind::Server { text, status, .. } => match text.as_str() {
                "" => write!(f, "Proxmox VE refused with status {status} and no words"),
                _ => write!(f, "Proxmox VE says: “{text}”"),
            },
            ErrorKind::NotUnderstood { what } => write!(
                f,
                "the server answered, but its answer{} was not understood: {what}",
                call.as_deref().map(|call| format!(" to {call}")).unwrap_or_default()
            ),
            ErrorKind::TooLarge { limit } => {
                write!(f, "the answer is larger than the limit of {}", size(*limit))
            }
            ErrorKind::InvalidRequest { what } => write!(f, "not sent: {what}"),
        }
    }
}
