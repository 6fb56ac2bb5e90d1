//! A secret that goes through the client is found in no log, of the client or of what it is built on, at the most
//! talkative level, in whatever spelling; nor in any error or debug text.
//!
//! One test alone in its process: the log is the process's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use common::{After, Reply, pinned_with};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pve::{Credential, ErrorKind, Factor, GuestKind, Power, PowerOptions, Timings};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PASSWORD: &str = "canary pässword/\"+%41";
const TOKEN: &str = "canary-token-5f0e1c9a";
const TICKET: &str = "PVE:alice@pve:6B02::canary+ticket/sig==";
const CSRF: &str = "6B02:canary+csrf/sig";
// Not six digits: those are found by chance in the random numbers that TLS logs.
const CODE: &str = "canary-code-913572";
const CHALLENGE: &str = "PVE:!tfa!{\"totp\"%3Atrue}:6B02::canary+challenge/sig=";

/// What need not be encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Every spelling in which a secret may travel or be shown.
fn spellings(secret: &str) -> Vec<String> {
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let json = serde_json::to_string(secret).unwrap();
    let mut all = vec![
        secret.to_owned(),
        percent.to_lowercase(),
        percent,
        utf8_percent_encode(secret, UNRESERVED).to_string(),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        json.trim_matches('"').to_owned(),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        format!("{secret:?}").trim_matches('"').to_owned(),
    ];
    // Inside of something longer, base64 has two other alignments.
    for padding in ["x", "xy"] {
        let shifted = STANDARD.encode(format!("{padding}{secret}xyz"));
        all.push(shifted[4..shifted.len() - 8].to_owned());
    }
    all
}

type Handler = Box<dyn Fn(&common::Seen) -> Reply + Send + Sync>;

/// Answers sign-ins so, and everything else with rows that cannot be read.
fn at_sign_in(reply: Reply) -> Handler {
    Box::new(move |seen| match seen.path() {
        "/api2/json/access/ticket" => reply.clone(),
        _ => Reply::data("[{\"vmid\":\"x\"}]"),
    })
}

#[tokio::test]
async fn no_secret_is_in_any_log_or_error() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let mut said = String::new();
    let ticket =
        serde_json::json!({ "ticket": TICKET, "CSRFPreventionToken": CSRF, "username": "alice@pve" });
    let challenge = serde_json::json!({ "NeedTFA": 1, "ticket": CHALLENGE, "CSRFPreventionToken": CSRF });
    // Each way of answering, from good to one that says everything back.
    let echo = |seen: &common::Seen| format!("{:?} {} {}", seen.headers, seen.body, seen.target);
    let handlers: Vec<Handler> = vec![
        at_sign_in(Reply::data(&ticket.to_string())),
        Box::new(move |seen| {
            let message = serde_json::json!({ "data": null, "message": echo(seen), "errors": { "password": echo(seen) } });
            Reply::status(400, "Parameter verification failed.", &message.to_string())
        }),
        Box::new(move |seen| {
            let page = format!("<html><head><title>{}</title></head></html>", echo(seen).replace('<', " "));
            Reply::raw(
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
                    page.len()
                ),
                After::Close,
            )
        }),
        Box::new(move |seen| {
            let to = echo(seen).replace(|c: char| c.is_control() || !c.is_ascii(), "");
            Reply::raw(
                format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"),
                After::Close,
            )
        }),
        Box::new(move |seen| {
            let phrase = echo(seen).replace(|c: char| c.is_control(), "");
            Reply::bodiless(500, &phrase)
        }),
        // The reply to the sign-in itself, broken in several ways.
        at_sign_in(Reply::status(200, "OK", &format!("{{\"data\":{}", &ticket.to_string()[1..]))),
        at_sign_in(Reply::data(&format!("[\"{TICKET}\"]"))),
        at_sign_in(Reply::raw(format!("{TICKET}\r\n\r\n"), After::Close)),
        Box::new(move |seen| match (seen.path(), seen.form("tfa-challenge")) {
            ("/api2/json/access/ticket", None) => Reply::data(&challenge.to_string()),
            _ => Reply::status(401, "authentication failure", "{\"data\":null}"),
        }),
    ];
    for handler in handlers {
        let handler: Arc<Handler> = Arc::new(handler);
        for credential in [
            Credential::password("alice@pve", PASSWORD),
            Credential::token("alice@pve!ci", TOKEN),
            Credential::Password {
                user: "alice@pve".into(),
                password: PASSWORD.into(),
                otp: Some(CODE.into()),
            },
        ] {
            said += &format!("{credential:?}");
            let handler = Arc::clone(&handler);
            let (_server, client) =
                pinned_with(move |seen| handler(seen), credential, Timings::shrunk()).await;
            let mut errors = Vec::new();
            match client.sign_in().await {
                Ok(session) => said += &format!("{session:?}"),
                Err(error) => {
                    if let ErrorKind::SecondFactorNeeded { challenge } = error.kind() {
                        errors.extend(
                            client.answer_second_factor(challenge, &Factor::Totp(CODE.into())).await.err(),
                        );
                    }
                    errors.push(error);
                }
            }
            match client.guest_list("pve1", GuestKind::Ct).await {
                Ok(answer) => said += &format!("{answer:?}"),
                Err(error) => errors.push(error),
            }
            let options = PowerOptions::default();
            errors.extend(client.guest_power("pve1", GuestKind::Ct, 101, Power::Start, &options).await.err());
            assert!(!errors.is_empty());
            for error in errors {
                said += &format!("{error}\n{error:?}\n{error:#?}\n{:?}\n", error.words());
            }
            said += &format!("{client:?}\n");
        }
    }

    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    for wanted in ["pve::", "rustls", "failed", "answered"] {
        assert!(log.contains(wanted), "the log is not listening: no {wanted}");
    }
    for secret in [PASSWORD, TOKEN, TICKET, CSRF, CODE, CHALLENGE] {
        for spelling in spellings(secret) {
            for (place, text) in [("the log", &log), ("an error", &said)] {
                if let Some(at) = text.find(&spelling) {
                    let from = text[..at].rfind('\n').map_or(0, |line| line + 1);
                    let line: String = text[from..].chars().take(600).collect();
                    panic!("{spelling} is in {place}: {line}");
                }
            }
        }
    }
    // The distinctive part alone, for fragments that the spellings do not foresee.
    for text in [&log, &said] {
        assert!(
            !text.contains("canary"),
            "{}",
            &text[text.find("canary").unwrap().saturating_sub(300)..][..400]
        );
    }
}
