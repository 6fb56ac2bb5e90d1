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
                Phase::Local => {
                    write!(f, "not sent: the calls before it were not answered within {}", seconds(*after))
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::TfaChallenge;
    use crate::error::ServerClass;
    use crate::trust::{Certificate, Distrust, Fingerprint, Pinned};

    fn certificate() -> Box<Certificate> {
        Box::new(Certificate {
            der: Vec::new(),
            subject: "CN=pve1".into(),
            issuer: "CN=pve1".into(),
            not_before: jiff::Timestamp::UNIX_EPOCH,
            not_after: jiff::Timestamp::UNIX_EPOCH,
            sans: Vec::new(),
            fingerprint: Fingerprint([0xAB; 32]),
        })
    }

    /// Every kind there is, in every phase in which it reads otherwise, and the sentence.
    fn listing() -> Vec<(ErrorKind, Phase, String)> {
        use Phase::{Await, Connect, Decode, Local, Read, Resolve, Tls};
        let five = Duration::from_secs(5);
        let quick = Duration::from_millis(200);
        let print = Fingerprint([0xAB; 32]);
        let text = || "words".to_owned();
        let node = || Some("pve2".to_owned());
        let untrusted = |why| ErrorKind::Untrusted { presented: certificate(), why };
        let changed = |pinned| ErrorKind::CertificateChanged { pinned, presented: certificate() };
        let challenge =
            TfaChallenge::read("a@pve", r#"PVE:!tfa!{"totp"%3Atrue,"recovery"%3A[1]}:1::x"#.into(), None);
        let missing = |path: Option<&str>, privileges: &[&str]| ErrorKind::PrivilegeMissing {
            path: path.map(str::to_owned),
            privileges: privileges.iter().map(|name| (*name).to_owned()).collect(),
            text: "Permission check failed".into(),
        };
        let refused = |errors: &[(&str, &str)]| ErrorKind::Parameters {
            errors: errors.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect(),
            text: "Parameter verification failed.".into(),
        };
        let server =
            |text: &str| ErrorKind::Server { status: 500, class: ServerClass::Other, text: text.into() };
        let rows: Vec<(ErrorKind, Phase, &str)> = vec![
            (
                ErrorKind::Dns { text: "Name or service not known".into() },
                Resolve,
                "the name could not be resolved: Name or service not known",
            ),
            (ErrorKind::Refused, Connect, "connection refused"),
            (
                ErrorKind::Unreachable { text: "No route to host".into() },
                Connect,
                "no way to the host: No route to host",
            ),
            (ErrorKind::ConnectTimeout { after: five }, Connect, "connection timed out after 5 s"),
            (ErrorKind::ConnectTimeout { after: quick }, Connect, "connection timed out after 0.2 s"),
            (ErrorKind::Tls { text: text() }, Tls, "the TLS handshake failed: words"),
            (ErrorKind::Tls { text: text() }, Read, "the TLS connection failed: words"),
            (
                untrusted(Distrust::UnknownIssuer { issuer: "CN=x".into(), self_issued: true }),
                Tls,
                "the certificate is not trusted: it is self-signed and has not been confirmed",
            ),
            (
                untrusted(Distrust::UnknownIssuer { issuer: "CN=x".into(), self_issued: false }),
                Tls,
                "the certificate is not trusted: its issuer is not known here (CN=x)",
            ),
            (
                untrusted(Distrust::Expired { since: jiff::Timestamp::UNIX_EPOCH }),
                Tls,
                "the certificate is not trusted: it expired at 1970-01-01T00:00:00Z",
            ),
            (
                untrusted(Distrust::NotYetValid { from: jiff::Timestamp::UNIX_EPOCH }),
                Tls,
                "the certificate is not trusted: it is not valid before 1970-01-01T00:00:00Z",
            ),
            (
                untrusted(Distrust::NameMismatch {
                    dialled: "a".into(),
                    names: vec!["b".into(), "c".into()],
                }),
                Tls,
                "the certificate is not trusted: it is not for a, but for b, c",
            ),
            (
                untrusted(Distrust::NameMismatch { dialled: "a".into(), names: vec![] }),
                Tls,
                "the certificate is not trusted: it is not for a, nor for any other name",
            ),
            (
                changed(Pinned::Leaf(print)),
                Tls,
                "the certificate has changed: PRINT was confirmed, the server now shows PRINT",
            ),
            (
                changed(Pinned::Authority(vec![print])),
                Tls,
                "the certificate has changed: one issued by the authority PRINT was confirmed, the server now shows PRINT",
            ),
            (
                ErrorKind::CertificateWithoutKey { presented: certificate() },
                Tls,
                "the server shows a certificate whose private key it does not have; something else answers in its place",
            ),
            (
                ErrorKind::NoAnswer { after: five },
                Local,
                "not sent: the calls before it were not answered within 5 s",
            ),
            (ErrorKind::NoAnswer { after: five }, Tls, "no answer to the TLS greeting within 5 s"),
            (ErrorKind::NoAnswer { after: five }, Await, "no answer to the request within 5 s"),
            (ErrorKind::NoAnswer { after: five }, Read, "the answer did not end within 5 s"),
            (ErrorKind::Cut { text: text() }, Tls, "the connection was cut in the TLS handshake: words"),
            (ErrorKind::Cut { text: text() }, Await, "the connection was cut before an answer came: words"),
            (ErrorKind::Cut { text: text() }, Read, "the answer was cut: words"),
            (ErrorKind::NotHttp { text: text() }, Await, "the answer is not HTTP: words"),
            (
                ErrorKind::NotProxmox { seen: "status 200 with text/html".into() },
                Decode,
                "this is not a Proxmox VE API: status 200 with text/html",
            ),
            (
                ErrorKind::Redirected { to: "https://x/".into() },
                Decode,
                "this is not a Proxmox VE API: it redirects to https://x/ (not followed)",
            ),
            (
                ErrorKind::CredentialsRejected { reason: "authentication failure".into() },
                Decode,
                "the credentials were rejected: “authentication failure”",
            ),
            (
                ErrorKind::CredentialsRejected { reason: String::new() },
                Decode,
                "the credentials were rejected",
            ),
            (
                ErrorKind::SecondFactorNeeded { challenge },
                Decode,
                "a second factor is needed to sign in (totp or recovery)",
            ),
            (missing(Some("/vms/1"), &["VM.Audit"]), Decode, "not allowed: VM.Audit on /vms/1 is missing"),
            (
                missing(Some("/vms/1"), &["VM.Audit", "VM.Console"]),
                Decode,
                "not allowed: one of VM.Audit, VM.Console on /vms/1 is missing",
            ),
            (missing(None, &[]), Decode, "not allowed: “Permission check failed”"),
            (
                refused(&[("vmid", "too small")]),
                Decode,
                "the parameters were refused: “Parameter verification failed. vmid: too small”",
            ),
            (refused(&[]), Decode, "the parameters were refused: “Parameter verification failed.”"),
            (
                ErrorKind::NotSupported { text: "Method 'GET /x' not implemented".into() },
                Decode,
                "not supported by this version of Proxmox VE: “Method 'GET /x' not implemented”",
            ),
            (
                ErrorKind::NodeDown { node: node(), status: 595, text: "No route to host".into() },
                Decode,
                "node pve2 is down, as this endpoint sees it: “No route to host”",
            ),
            (
                ErrorKind::NodeDown { node: None, status: 595, text: "Connection refused".into() },
                Decode,
                "the server cannot reach its own daemon or the node concerned: “Connection refused”",
            ),
            (
                ErrorKind::NodeNoAnswer { node: node(), status: 596, text: "Connection timed out".into() },
                Decode,
                "node pve2 gave this endpoint no answer in time: “Connection timed out”",
            ),
            (
                ErrorKind::NodeNoAnswer { node: None, status: 596, text: String::new() },
                Decode,
                "the node concerned gave this endpoint no answer in time",
            ),
            (
                ErrorKind::Proxying { status: 597, text: text() },
                Decode,
                "the answer of the node was lost on the way (597): “words”",
            ),
            (server("VM is locked (backup)"), Decode, "Proxmox VE says: “VM is locked (backup)”"),
            (server("two\nlines\u{1b}[2J and\tmore"), Decode, "Proxmox VE says: “two lines [2J and more”"),
            (server(""), Decode, "Proxmox VE refused with status 500 and no words"),
            (
                ErrorKind::NotUnderstood { what: "expected a list".into() },
                Decode,
                "the server answered, but its answer to GET /x was not understood: expected a list",
            ),
            (
                ErrorKind::TooLarge { limit: 64 * 1024 * 1024 },
                Read,
                "the answer is larger than the limit of 64 MiB",
            ),
            (ErrorKind::TooLarge { limit: 1000 }, Read, "the answer is larger than the limit of 1000 bytes"),
            (
                ErrorKind::InvalidRequest { what: "“..” cannot be a node".into() },
                Local,
                "not sent: “..” cannot be a node",
            ),
        ];
        rows.into_iter()
            .map(|(kind, phase, said)| (kind, phase, said.replace("PRINT", &print.to_string())))
            .collect()
    }

    #[test]
    fn every_kind_is_one_sentence_that_names_its_cause() {
        let mut kinds = std::collections::HashSet::new();
        for (kind, phase, said) in listing() {
            kinds.insert(std::mem::discriminant(&kind));
            let error = Error::new(kind, phase, "pve1.example:8006").in_call("GET /x");
            assert_eq!(error.to_string(), format!("pve1.example:8006: {said}"));
            assert!(!said.to_lowercase().contains("unreachable"));
        }
        // One more kind in the declaration: one more row above.
        let declared = include_str!("mod.rs").split_once("pub enum ErrorKind {").unwrap().1;
        let declared = declared.split_once("\n}").unwrap().0;
        let is_kind =
            |line: &&str| line.strip_prefix("    ").is_some_and(|rest| rest.starts_with(char::is_uppercase));
        assert_eq!(kinds.len(), declared.lines().filter(is_kind).count());
    }
}
