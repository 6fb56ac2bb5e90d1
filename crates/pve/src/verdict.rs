//! What an answer says before its data is looked at: yes, or one of the many kinds of no ([`judge`]).
//!
//! The words may stand in three places: the body's `message`, its `errors`, the reason phrase (older servers know
//! only that one, and answers of 401 and 595 have no body at all). All three are collected.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, LOCATION, SERVER};

use crate::envelope::{self, Envelope};
use crate::error::{ErrorKind, ServerClass};
use crate::scrub::Scrub;
use crate::transport::exchange::RawAnswer;

/// Longest piece of a foreign answer that is shown, and longest name of a parameter, in characters.
const SHOWN: usize = 300;

/// Longest text of the server's that is kept, in characters. A task's error may be long, a page must not be.
const WORDS: usize = 4000;

/// Is this answer a yes, and does it come from a Proxmox VE API? `node` is the node the call was about.
pub(crate) fn judge(answer: &RawAnswer, node: Option<&str>, scrub: &Scrub) -> Result<(), ErrorKind> {
    // What is only shown may hold bytes that are no text.
    let body = || String::from_utf8_lossy(&answer.body);
    match answer.status {
        200..=299 if is_proxmox(&answer.headers) => match answer.body.trim_ascii() {
            b"" => Err(ErrorKind::NotUnderstood { what: "the reply is empty".to_owned() }),
            _ => Ok(()),
        },
        200..=299 => good(answer, &body(), scrub),
        300..=399 => {
            let to = header(&answer.headers, &LOCATION).unwrap_or("nowhere");
            Err(ErrorKind::Redirected { to: shortened(&scrub.clean(to), SHOWN) })
        }
        status => Err(refused(status, answer, &body(), node, scrub)),
    }
}

/// Without the server's name in its head, an answer of 200 must be JSON in an envelope to count; whether it is
/// well-formed is seen when it is decoded.
fn good(answer: &RawAnswer, body: &str, scrub: &Scrub) -> Result<(), ErrorKind> {
    let start = body.trim_start();
    let json = header(&answer.headers, &CONTENT_TYPE).is_some_and(|kind| kind.contains("json"));
    let envelope = start.starts_with('{') && start.contains("\"data\"");
    if envelope || (json && start.starts_with('{') && envelope::open(body).is_err()) {
        return Ok(());
    }
    Err(ErrorKind::NotProxmox { seen: shortened(&scrub.clean(&seen(answer, body)), SHOWN) })
}

fn refused(status: u16, answer: &RawAnswer, body: &str, node: Option<&str>, scrub: &Scrub) -> ErrorKind {
    let envelope = envelope::open(body)
        .ok()
        .filter(|open| open.data.is_some() || open.message.is_some() || !open.errors.is_empty());
    if !is_proxmox(&answer.headers) && envelope.is_none() && is_foreign(status, answer, body) {
        return ErrorKind::NotProxmox { seen: shortened(&scrub.clean(&seen(answer, body)), SHOWN) };
    }
    let said = Said::collect(answer, body, envelope.as_ref(), scrub);
    let text = said.words();
    let node = node.map(str::to_owned);
    match status {
        400 => ErrorKind::Parameters { errors: said.errors, text },
        401 => ErrorKind::CredentialsRejected { reason: text },
        403 => {
            let (path, privileges) = missing_privileges(&text);
            ErrorKind::PrivilegeMissing { path, privileges, text }
        }
        501 => ErrorKind::NotSupported { text },
        595 => ErrorKind::NodeDown { node, status, text },
        596 => ErrorKind::NodeNoAnswer { node, status, text },
        597..=599 => ErrorKind::Proxying { status, text },
        404 => ErrorKind::Server { status, class: ServerClass::NotFound, text },
        _ => ErrorKind::Server { status, class: class_of(&text), text },
    }
}

/// Everything a refusal says.
struct Said {
    message: Option<String>,
    errors: BTreeMap<String, String>,
    reason: String,
}

impl Said {
    fn collect(answer: &RawAnswer, body: &str, envelope: Option<&Envelope<'_>>, scrub: &Scrub) -> Self {
        let plain = body.trim();
        let message = match envelope {
            Some(open) => open.message.clone(),
            // Errors raised before the formatter have a plain body, if any.
            None if plain.is_empty() || plain.starts_with(['{', '[', '<']) => None,
            None => Some(plain.to_owned()),
        };
        let errors = envelope.map(|open| open.errors.clone()).unwrap_or_default();
        let clean = |text: &str, length| shortened(&scrub.clean(text), length);
        Self {
            message: message.map(|text| clean(&text, WORDS)),
            errors: errors.into_iter().map(|(name, why)| (clean(&name, SHOWN), clean(&why, WORDS))).collect(),
            reason: clean(answer.reason.trim(), WORDS),
        }
    }

    /// The words: the message, else the errors, else the reason phrase.
    fn words(&self) -> String {
        if let Some(message) = &self.message {
            return message.clone();
        }
        if self.errors.is_empty() {
            return self.reason.clone();
        }
        let each: Vec<String> = self.errors.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        each.join("; ")
    }
}

/// `Permission check failed (/vms/100, VM.PowerMgmt|VM.Console)` names path and privileges; other texts name none.
fn missing_privileges(text: &str) -> (Option<String>, Vec<String>) {
    let inside = text
        .find("ermission check failed (")
        .and_then(|at| text.get(at..))
        .and_then(|rest| rest.split_once('('))
        .map(|(_, rest)| rest.trim_end().trim_end_matches(')'));
    let Some((path, privileges)) = inside.and_then(|inside| inside.rsplit_once(", ")) else {
        return (None, Vec::new());
    };
    let is_privilege =
        |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    let names: Vec<&str> = privileges.split(['|', ',', ' ']).filter(|word| !word.is_empty()).collect();
    if !path.starts_with('/') || names.is_empty() || !names.iter().all(is_privilege) {
        return (None, Vec::new());
    }
    (Some(path.to_owned()), names.into_iter().map(str::to_owned).collect())
}

/// What the words of a failed handler amount to.
pub(crate) fn class_of(text: &str) -> ServerClass {
    let text = text.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    // The cluster file system refuses to write without quorum; a lock is taken by writing.
    if says(&["no quorum", "cluster not ready"]) || (says(&["/etc/pve/"]) && says(&["permission denied"])) {
        return ServerClass::NoQuorum;
    }
    if says(&["detected modified configuration", "checksum mismatch (file change"]) {
        return ServerClass::Conflict;
    }
    if says(&["is locked", "can't lock file", "can't lock container", "got lock request timeout", "cfs-lock"])
    {
        return ServerClass::Locked;
    }
    if says(&["already exists", "already defined", "already used", "is already a ", "already managed"]) {
        return ServerClass::Exists;
    }
    // A file that the server itself lacks is not the thing that was asked for.
    if says(&["no such file or directory", "file not found"]) {
        return ServerClass::Other;
    }
    if says(&[
        "does not exist",
        "no such ",
        "not found",
        "hostname lookup ",
        "no rule at position",
        "unable to find",
    ]) {
        return ServerClass::NotFound;
    }
    ServerClass::Other
}

/// Does the head say that the API server itself answered?
fn is_proxmox(headers: &HeaderMap) -> bool {
    header(headers, &SERVER).is_some_and(|server| server.starts_with("pve-api-daemon"))
}

/// Would a Proxmox VE API never answer so? A web page, JSON of another make, or a status it does not use.
fn is_foreign(status: u16, answer: &RawAnswer, body: &str) -> bool {
    let start = body.trim_start();
    let html = header(&answer.headers, &CONTENT_TYPE).is_some_and(|kind| kind.contains("html"));
    html || start.starts_with(['<', '{', '[']) || matches!(status, 404 | 405 | 406 | 421 | 426 | 502..=504)
}

/// What answered instead: status, kind, name, and the page's title.
fn seen(answer: &RawAnswer, body: &str) -> String {
    let kind = match header(&answer.headers, &CONTENT_TYPE) {
        Some(kind) => kind.split(';').next().unwrap_or(kind).trim().to_owned(),
        None if body.trim().is_empty() => "an empty answer".to_owned(),
        None => "an answer of no declared kind".to_owned(),
    };
    let server = header(&answer.headers, &SERVER).map(|name| format!(" from “{name}”")).unwrap_or_default();
    let title = title(body).map(|title| format!(", titled “{title}”")).unwrap_or_default();
    format!("status {} with {kind}{server}{title}", answer.status)
}

/// The title of a web page.
fn title(body: &str) -> Option<String> {
    let lower = body.to_ascii_lowercase();
    let from = lower.find("<title>")? + "<title>".len();
    let to = lower.get(from..)?.find("</title>")? + from;
    let title = body.get(from..to)?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then_some(title)
}

fn header<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn shortened(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, reason: &str, headers: &[(&'static str, &str)], body: &str) -> RawAnswer {
        RawAnswer {
            status,
            reason: reason.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn judged(answer: &RawAnswer) -> Result<(), ErrorKind> {
        judge(answer, Some("pve2"), &Scrub::default())
    }

    const PVE: (&str, &str) = ("server", "pve-api-daemon/3.0");
    const JSON: (&str, &str) = ("content-type", "application/json;charset=UTF-8");
    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");

    #[test]
    fn the_words_are_found_wherever_they_stand() {
        let text = |answer: &RawAnswer| match judged(answer) {
            Err(ErrorKind::Server { text, .. }) => text,
            other => panic!("{other:?}"),
        };
        let in_body = r#"{"data":null,"message":"VM is locked (backup)\nsecond line\n"}"#;
        assert_eq!(
            text(&answer(500, "VM is locked (backup)", &[PVE, JSON], in_body)),
            "VM is locked (backup)\nsecond line"
        );
        assert_eq!(
            text(&answer(500, "VM is locked (backup)", &[PVE, JSON], r#"{"data":null}"#)),
            "VM is locked (backup)"
        );
        assert_eq!(text(&answer(500, "no words", &[PVE], "")), "no words");
        let in_errors = r#"{"data":null,"errors":{"storage":"no such storage"}}"#;
        assert_eq!(text(&answer(500, "ignored", &[PVE, JSON], in_errors)), "storage: no such storage");
        let plain = [PVE, ("content-type", "text/plain")];
        assert_eq!(text(&answer(506, "upload", &plain, "upload not implemented")), "upload not implemented");
    }

    #[test]
    fn parameters_are_named_each() {
        let body =
            r#"{"data":null,"message":"Parameter verification failed.\n","errors":{"vmid":"too small"}}"#;
        match judged(&answer(400, "Parameter verification failed.", &[PVE, JSON], body)) {
            Err(ErrorKind::Parameters { errors, text }) => {
                assert_eq!(errors["vmid"], "too small");
                assert_eq!(text, "Parameter verification failed.");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_privilege_is_named() {
        for (text, path, privileges) in [
            ("Permission check failed (/vms/100, VM.PowerMgmt)", Some("/vms/100"), vec!["VM.PowerMgmt"]),
            (
                "Permission check failed (/vms/100, VM.Config.Disk|VM.Config.CDROM)\n",
                Some("/vms/100"),
                vec!["VM.Config.Disk", "VM.Config.CDROM"],
            ),
            ("Permission check failed (/, Sys.Audit)", Some("/"), vec!["Sys.Audit"]),
            ("Permission check failed (user != root@pam)", None, vec![]),
            ("Permission check failed", None, vec![]),
            (
                "Permission check failed (URI '/access/password' not available with API token, need proper ticket.\n)",
                None,
                vec![],
            ),
        ] {
            let (found_path, found) = missing_privileges(text);
            assert_eq!(
                (found_path.as_deref(), found),
                (path, privileges.iter().map(|p| p.to_string()).collect())
            );
        }
    }

    #[test]
    fn every_status_is_what_it_is() {
        let bare = |status, reason| judged(&answer(status, reason, &[PVE], ""));
        assert!(
            matches!(bare(401, "No ticket"), Err(ErrorKind::CredentialsRejected { reason }) if reason == "No ticket")
        );
        assert!(matches!(bare(403, "x"), Err(ErrorKind::PrivilegeMissing { path: None, .. })));
        assert!(matches!(
            bare(404, "No such tfa entry"),
            Err(ErrorKind::Server { class: ServerClass::NotFound, .. })
        ));
        assert!(matches!(bare(501, "Method 'GET /x' not implemented"), Err(ErrorKind::NotSupported { .. })));
        assert!(matches!(bare(595, "No route to host"),
            Err(ErrorKind::NodeDown { node: Some(node), text, .. }) if node == "pve2" && text == "No route to host"));
        assert!(matches!(bare(596, "Connection timed out"), Err(ErrorKind::NodeNoAnswer { .. })));
        for status in 597..=599 {
            assert!(matches!(bare(status, "x"), Err(ErrorKind::Proxying { .. })));
        }
        // A 401 without a word or a name is still one.
        assert!(matches!(judged(&answer(401, "", &[], "")), Err(ErrorKind::CredentialsRejected { .. })));
    }

    #[test]
    fn what_is_no_proxmox_is_named() {
        let page = "<!doctype html><html><head><TITLE>My\n router</TITLE></head></html>";
        for answer in [
            answer(200, "OK", &[HTML, ("server", "nginx")], page),
            answer(502, "Bad Gateway", &[HTML, ("server", "nginx")], page),
            answer(401, "Unauthorized", &[HTML, ("server", "nginx")], page),
        ] {
            match judged(&answer) {
                Err(ErrorKind::NotProxmox { seen }) => {
                    assert!(
                        seen.contains("text/html") && seen.contains("nginx") && seen.contains("“My router”")
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        for answer in [
            answer(200, "OK", &[JSON], r#"{"version":"2.1"}"#),
            answer(200, "OK", &[JSON], r#"["a"]"#),
            answer(200, "OK", &[], ""),
            answer(200, "OK", &[("content-type", "text/plain")], "hello"),
            answer(404, "Not Found", &[JSON], r#"{"error":"Not found"}"#),
            answer(404, "Not Found", &[("server", "nginx")], ""),
        ] {
            assert!(
                matches!(judged(&answer), Err(ErrorKind::NotProxmox { .. })),
                "{:?}",
                String::from_utf8_lossy(&answer.body)
            );
        }
        let moved = answer(301, "Moved", &[("location", "https://elsewhere.example/")], "");
        assert!(
            matches!(judged(&moved), Err(ErrorKind::Redirected { to }) if to == "https://elsewhere.example/")
        );
    }

    #[test]
    fn broken_json_of_a_proxmox_is_not_called_another_server() {
        assert!(judged(&answer(200, "OK", &[PVE, JSON], r#"{"data":[{"#)).is_ok());
        assert!(judged(&answer(200, "OK", &[JSON], r#"{"dat"#)).is_ok());
        assert!(matches!(
            judged(&answer(200, "OK", &[PVE], "")),
            Err(ErrorKind::NotUnderstood { what }) if what == "the reply is empty"
        ));
    }

    #[test]
    fn failures_fall_into_classes() {
        use ServerClass::{Conflict, Exists, Locked, NoQuorum, NotFound, Other};
        for (text, class) in [
            ("Configuration file 'nodes/pve1/lxc/999.conf' does not exist", NotFound),
            ("no such user ('nobody@pve')", NotFound),
            (
                "hostname lookup 'pve9' failed - failed to get address info for: pve9: Name or service not known",
                NotFound,
            ),
            ("VM is locked (backup)", Locked),
            ("can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", Locked),
            ("create pool failed: cfs-lock 'file-user_cfg' error: no quorum!", NoQuorum),
            ("cluster not ready - no quorum?", NoQuorum),
            ("unable to open file '/etc/pve/nodes/pve1/lxc/103.conf.tmp.403' - Permission denied", NoQuorum),
            ("detected modified configuration - file changed by other user? Try again.", Conflict),
            ("checksum mismatch (file change by other user?)", Conflict),
            ("unable to create VM 100 - VM 100 already exists on node 'pve1'", Exists),
            ("create storage failed: storage ID 'data' already defined", Exists),
            ("could not load versions - can't open '/usr/share/x' - No such file or directory", Other),
            ("VM 100 not running", Other),
        ] {
            assert_eq!(class_of(text), class, "{text}");
        }
    }
}
