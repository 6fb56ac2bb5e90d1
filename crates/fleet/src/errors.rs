//! The client's errors in Muster's words, and what each means for the link.

use model::cause::{Reach, ServerClass};
use model::{Cause, NodeName};
use pve::{Error, ErrorKind, Sent};

/// The cause of an error, whatever phase it struck in.
#[must_use]
pub fn cause(error: &Error) -> Cause {
    match error.kind() {
        ErrorKind::Dns { text } => Cause::Dns { text: text.clone() },
        ErrorKind::Refused => Cause::Refused,
        ErrorKind::Unreachable { text } => Cause::Unreachable { text: text.clone() },
        ErrorKind::ConnectTimeout { after } => Cause::ConnectTimeout { after: *after },
        ErrorKind::Tls { text } => Cause::TlsFailure { text: text.clone() },
        ErrorKind::Untrusted { presented, why } => {
            Cause::UntrustedCertificate { presented: presented.fingerprint.to_string(), why: why.to_string() }
        }
        ErrorKind::CertificateChanged { pinned, presented } => Cause::CertificateChanged {
            expected: pinned.to_string(),
            presented: presented.fingerprint.to_string(),
        },
        ErrorKind::CertificateWithoutKey { presented } => Cause::UntrustedCertificate {
            presented: presented.fingerprint.to_string(),
            why: "the server does not hold this certificate's private key".to_owned(),
        },
        ErrorKind::NoAnswer { after } => Cause::NoAnswer { after: *after },
        ErrorKind::Cut { text } => Cause::AnswerCut { text: text.clone() },
        ErrorKind::NotHttp { text } => Cause::NotHttp { text: text.clone() },
        ErrorKind::NotProxmox { seen } => Cause::NotProxmox { seen: seen.clone() },
        ErrorKind::Redirected { to } => {
            Cause::NotProxmox { seen: format!("it redirects to {to}, which is not followed") }
        }
        ErrorKind::CredentialsRejected { reason } => Cause::CredentialsRejected { reason: reason.clone() },
        ErrorKind::SecondFactorNeeded { challenge } => {
            Cause::SecondFactorNeeded { kinds: challenge.kinds().to_vec() }
        }
        ErrorKind::PrivilegeMissing { path, privileges, text } => Cause::PrivilegeMissing {
            path: path.clone().unwrap_or_default(),
            privileges: privileges.clone(),
            text: text.clone(),
        },
        ErrorKind::Parameters { .. } => {
            Cause::ParametersRejected { text: error.words().map(|words| words.text).unwrap_or_default() }
        }
        ErrorKind::NotSupported { text } => Cause::NotSupported { text: text.clone() },
        ErrorKind::NodeDown { node: Some(node), text, .. } => {
            Cause::NodeDown { node: Some(NodeName::from(node.as_str())), text: text.clone() }
        }
        // Not another node but the endpoint's own daemon: that is a fault of this server.
        ErrorKind::NodeDown { node: None, status, text } => {
            Cause::ServerError { status: *status, class: ServerClass::Other, text: text.clone() }
        }
        ErrorKind::NodeNoAnswer { node, text, .. } => {
            Cause::NodeNoAnswer { node: node.as_deref().map(NodeName::from), text: text.clone() }
        }
        ErrorKind::Proxying { status, text } => {
            Cause::NodeNoAnswer { node: None, text: format!("{text} ({status})") }
        }
        ErrorKind::Server { status, class, text } => {
            Cause::ServerError { status: *status, class: class_of(*class), text: text.clone() }
        }
        ErrorKind::NotUnderstood { what } => Cause::NotUnderstood { what: what.clone() },
        ErrorKind::TooLarge { limit } => Cause::TooLarge { limit: *limit },
        ErrorKind::InvalidRequest { what } => Cause::NotSendable { what: what.clone() },
        // The client may learn of new kinds before this function does; its own sentence is better than none.
        _ => Cause::Internal { text: error.to_string() },
    }
}

fn class_of(class: pve::ServerClass) -> ServerClass {
    match class {
        pve::ServerClass::NotFound => ServerClass::NotFound,
        pve::ServerClass::Locked => ServerClass::Locked,
        pve::ServerClass::NoQuorum => ServerClass::NoQuorum,
        pve::ServerClass::Conflict => ServerClass::Conflict,
        pve::ServerClass::Exists => ServerClass::Exists,
        pve::ServerClass::Other => ServerClass::Other,
    }
}

/// What an error of a call means for the link.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// The endpoint fails.
    Endpoint(Cause),
    /// The credential is not accepted.
    Rejected(Cause),
    /// Nothing; unless successes stay away, then this is why.
    Complaint(Cause),
}

/// Judges an error. `narrow`: the call was about one node or one guest, whose own trouble may be all there is.
pub(crate) fn verdict(error: &Error, narrow: bool) -> Verdict {
    let cause = cause(error);
    match (&cause, cause.reach()) {
        // An answer about one guest that breaks off says no more of the endpoint than one that does not come.
        (Cause::NoAnswer { .. } | Cause::AnswerCut { .. }, _) if narrow => Verdict::Complaint(cause),
        (_, Reach::Endpoint | Reach::Certificate) => Verdict::Endpoint(cause),
        (_, Reach::Credential) => Verdict::Rejected(cause),
        (_, Reach::Call | Reach::Node) => Verdict::Complaint(cause),
    }
}

/// Whether a mutation that ended like this surely never left: not a byte of it, or only the sign-in before it.
pub(crate) fn never_left(error: &Error) -> bool {
    error.request_sent() == Sent::No || error.call() == Some("POST /access/ticket")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use pve::Phase;

    use super::*;

    fn error(kind: ErrorKind, phase: Phase) -> Error {
        Error::new(kind, phase, "pve1:8006")
    }

    /// Kind, phase, code of the cause, what it means for the link (for a cluster-wide call).
    fn table() -> Vec<(ErrorKind, Phase, &'static str, char)> {
        let text = || "words".to_owned();
        let node = || Some("pve2".to_owned());
        let after = Duration::from_secs(5);
        use Phase::{Await, Connect, Decode, Local, Read, Resolve, Tls};
        vec![
            (ErrorKind::Dns { text: text() }, Resolve, "dns", 'e'),
            (ErrorKind::Refused, Connect, "refused", 'e'),
            (ErrorKind::Unreachable { text: text() }, Connect, "unreachable", 'e'),
            (ErrorKind::ConnectTimeout { after }, Connect, "connect_timeout", 'e'),
            (ErrorKind::Tls { text: text() }, Tls, "tls_failure", 'e'),
            (ErrorKind::NoAnswer { after }, Await, "no_answer", 'e'),
            (ErrorKind::Cut { text: text() }, Read, "answer_cut", 'e'),
            (ErrorKind::NotHttp { text: text() }, Await, "not_http", 'e'),
            (ErrorKind::NotProxmox { seen: text() }, Decode, "not_proxmox", 'e'),
            (ErrorKind::Redirected { to: text() }, Decode, "not_proxmox", 'e'),
            (ErrorKind::CredentialsRejected { reason: text() }, Decode, "credentials_rejected", 'r'),
            (
                ErrorKind::PrivilegeMissing { path: None, privileges: vec![], text: text() },
                Decode,
                "privilege_missing",
                'c',
            ),
            (
                ErrorKind::Parameters { errors: BTreeMap::from([("a".into(), text())]), text: text() },
                Decode,
                "parameters_rejected",
                'c',
            ),
            (ErrorKind::NotSupported { text: text() }, Decode, "not_supported", 'c'),
            (ErrorKind::NodeDown { node: node(), status: 595, text: text() }, Decode, "node_down", 'c'),
            (ErrorKind::NodeDown { node: None, status: 595, text: text() }, Decode, "server_error", 'c'),
            (
                ErrorKind::NodeNoAnswer { node: node(), status: 596, text: text() },
                Decode,
                "node_no_answer",
                'c',
            ),
            (ErrorKind::Proxying { status: 597, text: text() }, Decode, "node_no_answer", 'c'),
            (
                ErrorKind::Server { status: 500, class: pve::ServerClass::NoQuorum, text: text() },
                Decode,
                "server_error",
                'c',
            ),
            (ErrorKind::NotUnderstood { what: text() }, Decode, "not_understood", 'c'),
            (ErrorKind::TooLarge { limit: 1 }, Read, "too_large", 'c'),
            (ErrorKind::InvalidRequest { what: text() }, Local, "not_sendable", 'c'),
        ]
    }

    #[test]
    fn every_kind_of_error_has_its_cause_and_its_meaning_for_the_link() {
        for (kind, phase, code, meaning) in table() {
            let shown = format!("{kind:?}");
            let error = error(kind, phase);
            assert_eq!(cause(&error).code(), code, "{shown}");
            let letter = match verdict(&error, false) {
                Verdict::Endpoint(_) => 'e',
                Verdict::Rejected(_) => 'r',
                Verdict::Complaint(_) => 'c',
            };
            assert_eq!(letter, meaning, "{shown}");
            if !matches!(error.kind(), ErrorKind::Unreachable { .. }) {
                assert!(!cause(&error).sentence().contains("unreachable"), "{shown}");
            }
        }
    }

    #[test]
    fn a_silence_or_a_cut_answer_about_one_guest_says_nothing_about_the_endpoint() {
        let silent = error(ErrorKind::NoAnswer { after: Duration::from_secs(35) }, Phase::Await);
        assert!(matches!(verdict(&silent, true), Verdict::Complaint(_)));
        let cut = error(ErrorKind::Cut { text: "reset".into() }, Phase::Read);
        assert!(matches!(verdict(&cut, true), Verdict::Complaint(_)));
        let refused = error(ErrorKind::Refused, Phase::Connect);
        assert!(matches!(verdict(&refused, true), Verdict::Endpoint(_)));
    }

    #[test]
    fn what_never_left_is_told_from_what_may_have_arrived() {
        let silent = || error(ErrorKind::NoAnswer { after: Duration::from_secs(35) }, Phase::Await);
        assert!(never_left(&error(ErrorKind::Refused, Phase::Connect)));
        assert!(!never_left(&silent().in_call("POST /nodes/{node}/lxc/{vmid}/status/start")));
        assert!(never_left(&silent().in_call("POST /access/ticket")), "only the sign-in before it left");
    }
}
