//! Every recorded answer of a real server, written again from its status, type and body: line by line the same.

use std::path::PathBuf;

use bytes::BytesMut;
use serde_json::Value;

use super::{JSON, Manners, Response};
use crate::door::http::{ApiPath, Head, take_head};
use crate::seam::{Body, Data, Envelope, Reply};

/// The folder of recordings; `None` (said so) where there is none.
fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("PVE_CORPUS")
        .map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/pve")),
            PathBuf::from,
        )
        .join("wire");
    if folder.is_dir() {
        return Some(folder);
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no recordings in {}", folder.display());
    println!("skipped: there are no recordings in {}", folder.display());
    None
}

struct Recorded {
    file: String,
    request: Vec<u8>,
    head: Vec<String>,
    body: Vec<u8>,
}

fn read_all() -> Vec<Recorded> {
    let Some(folder) = recordings() else { return Vec::new() };
    let mut all = Vec::new();
    for folder in [folder.clone(), folder.join("sweep")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                all.push(split(&path));
            }
        }
    }
    assert!(all.len() > 500, "{} recordings", all.len());
    all
}

/// One file. Those of the sweep name the call in their first line and keep CRLF.
fn split(path: &std::path::Path) -> Recorded {
    let data = std::fs::read(path).unwrap();
    let find = |from: usize, what: &[u8]| {
        let rest = &data[from..];
        rest.windows(what.len()).position(|window| window == what).map(|at| from + at)
    };
    let (request, answer) = match find(0, b">>> REQUEST\n") {
        Some(at) => {
            let end = find(at, b"\n<<< RESPONSE").unwrap();
            (data[at + b">>> REQUEST\n".len()..end].to_vec(), find(end + 1, b"\n").unwrap() + 1)
        }
        None => {
            let end = find(0, b"\n<<<\n").unwrap();
            let call = String::from_utf8(data[b">>> ".len()..end].to_vec()).unwrap();
            let mut words = call.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let request = format!("{method} /api2/json{path} HTTP/1.1\r\nConnection: close\r\n\r\n");
            (request.into_bytes(), end + b"\n<<<\n".len())
        }
    };
    let (head_end, gap) = match find(answer, b"\r\n\r\n") {
        Some(at) if !data[answer..at].windows(2).any(|pair| pair == b"\n\n") => (at, 4),
        _ => (find(answer, b"\n\n").unwrap(), 2),
    };
    let head: Vec<String> =
        String::from_utf8(data[answer..head_end].to_vec()).unwrap().lines().map(str::to_owned).collect();
    let length = header(&head, "Content-Length").map_or(0, |text| text.parse().unwrap());
    let body = data[head_end + gap..][..length].to_vec();
    Recorded { file: path.file_name().unwrap().to_string_lossy().into_owned(), request, head, body }
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn heads_are_written_as_recorded() {
    let mut same = 0;
    for recorded in read_all() {
        let mut words = recorded.head[0].splitn(3, ' ');
        let (_, status, reason) = (words.next(), words.next().unwrap(), words.next().unwrap());
        if status == "101" {
            continue;
        }
        let mut wire = BytesMut::from(recorded.request.as_slice());
        let Head::Complete(request) = take_head(&mut wire) else { panic!("{}", recorded.file) };
        let type_of =
            |known: &'static str| (header(&recorded.head, "Content-Type") == Some(known)).then_some(known);
        let content_type =
            [JSON, "application/json", "text/html;charset=UTF-8", "text/html; charset=utf-8", "image/png"]
                .into_iter()
                .find_map(type_of);
        assert_eq!(content_type, header(&recorded.head, "Content-Type"), "{}", recorded.file);
        let compressed = header(&recorded.head, "Content-Encoding").is_some();
        let response = Response {
            content_type,
            body: recorded.body.clone(),
            always_gzip: compressed,
            ..Response::empty(status.parse().unwrap(), reason)
        };
        let date = header(&recorded.head, "Date").unwrap();
        let encoded = response.encode(&request, date, false);
        let mut written: Vec<String> =
            String::from_utf8(encoded.head.to_vec()).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(written.pop().as_deref(), Some(""), "an empty line ends it");
        if compressed {
            // How well it compresses is not the same.
            let length = |line: &String| line.starts_with("Content-Length: ");
            written.retain(|line| !length(line));
            let expected: Vec<String> = recorded.head.iter().filter(|line| !length(line)).cloned().collect();
            assert_eq!(written, expected, "{}", recorded.file);
        } else {
            assert_eq!(written, recorded.head, "{}", recorded.file);
        }
        same += 1;
    }
    assert!(same == 0 || same > 500, "{same}");
}

#[test]
fn envelopes_are_written_as_recorded() {
    let mut same = 0;
    for recorded in read_all() {
        let Ok(Value::Object(body)) = serde_json::from_slice(&recorded.body) else { continue };
        let mut wire = BytesMut::from(recorded.request.as_slice());
        let Head::Complete(request) = take_head(&mut wire) else { panic!("{}", recorded.file) };
        let Some(Ok(api)) = ApiPath::parse(request.path()) else { continue };
        let sent: u16 = recorded.head[0].split(' ').nth(1).unwrap().parse().unwrap();
        // The true status of an `extjs` answer stands in its body.
        let status =
            body.get("status").and_then(Value::as_u64).map_or(sent, |status| u16::try_from(status).unwrap());
        let envelope = Envelope {
            data: Data::Value(body["data"].clone()),
            message: body.get("message").and_then(Value::as_str).map(str::to_owned),
            errors: body.get("errors").and_then(Value::as_object).cloned(),
            total: body.get("total").and_then(Value::as_u64),
            changes: body.get("changes").and_then(Value::as_str).map(str::to_owned),
        };
        let reply = Reply { status, reason: "x".to_owned(), body: Body::Envelope(envelope), delay: None };
        let response = Response::from_reply(reply, api.format().unwrap(), &api.word, Manners::of("9.2"));
        assert_eq!(response.status, sent, "{}", recorded.file);
        let written: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(written, Value::Object(body), "{}", recorded.file);
        same += 1;
    }
    assert!(same == 0 || same > 450, "{same}");
}
