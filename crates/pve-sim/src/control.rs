//! The control port: faults, journal and edits of the world over plain HTTP and JSON, for this machine only.
//!
//! It has no protection of its own. What a browser sends on behalf of a page is refused, so that no page can
//! reach it.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::door::http::{Head, Request, take_head};
use crate::door::{FaultId, FaultSpec, Remote};

mod world;

/// The longest body.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(30);

/// What can be asked for, told at `/`.
const HELP: &str = "\
GET    /remotes                           all remotes, with addresses and fingerprints
GET    /remotes/NAME                      one of them, with its CA certificate and faults
GET    /remotes/NAME/faults               the faults in force
POST   /remotes/NAME/faults               {\"fault\": \"delay\", \"ms\": 500, \"path\": \"/nodes/*\", \"times\": 2}
DELETE /remotes/NAME/faults/ID            ends one
DELETE /remotes/NAME/faults               ends all
GET    /remotes/NAME/journal              every request that came, secrets left out
DELETE /remotes/NAME/journal              forgets them
GET    /remotes/NAME/connections          every connection that came
POST   /remotes/NAME/world                {\"do\": \"kill-node\", \"node\": \"pve2\"}
";

/// Serves the control port until the simulator ends.
pub(crate) async fn serve(listener: TcpListener, remotes: Vec<Remote>, stop: CancellationToken) {
    let remotes: std::sync::Arc<[Remote]> = remotes.into();
    let connections = tokio_util::task::TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        if let Ok((stream, _)) = accepted {
            let remotes = std::sync::Arc::clone(&remotes);
            let stop = stop.clone();
            connections.spawn(async move {
                tokio::select! {
                    () = converse(stream, &remotes) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    }
    connections.close();
    connections.wait().await;
}

async fn converse(mut stream: TcpStream, remotes: &[Remote]) {
    let mut buffer = BytesMut::new();
    loop {
        let mut request = loop {
            match take_head(&mut buffer) {
                Head::Complete(request) => break request,
                Head::Partial => {}
                Head::Silence | Head::Refused(..) => return,
            }
            if !fill(&mut stream, &mut buffer).await {
                return;
            }
        };
        let length = request.content_length();
        let answer = if length > BODY_LIMIT {
            Answer::error(413, "the body is longer than 1 MiB")
        } else {
            while buffer.len() < length {
                if !fill(&mut stream, &mut buffer).await {
                    return;
                }
            }
            request.body = buffer.split_to(length).freeze();
            answer(&request, remotes).await
        };
        let go_on = request.wants_keep_alive() && length <= BODY_LIMIT;
        if stream.write_all(&answer.encode(go_on)).await.is_err() || !go_on {
            return;
        }
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut BytesMut) -> bool {
    matches!(tokio::time::timeout(IDLE, stream.read_buf(buffer)).await, Ok(Ok(1..)))
}

struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
}

impl Answer {
    fn json(value: &Value) -> Self {
        Self { status: 200, content_type: "application/json", body: format!("{value:#}\n") }
    }

    fn error(status: u16, what: &str) -> Self {
        Self { status, content_type: "application/json", body: format!("{}\n", json!({ "error": what })) }
    }

    fn encode(&self, go_on: bool) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Error",
        };
        let connection = if go_on { "keep-alive" } else { "close" };
        format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{}",
            self.status,
            self.content_type,
            self.body.len(),
            self.body
        )
        .into_bytes()
    }
}

async fn answer(request: &Request, remotes: &[Remote]) -> Answer {
    if request.header("Origin").is_some() {
        return Answer::error(403, "this port is not for web pages");
    }
    let path = percent_encoding::percent_decode_str(request.path()).decode_utf8_lossy().into_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let method = request.method.as_str();
    match (method, parts.as_slice()) {
        ("GET", []) => Answer { status: 200, content_type: "text/plain", body: HELP.to_owned() },
        ("GET", ["remotes"]) => Answer::json(&remotes.iter().map(brief).collect()),
        (_, ["remotes", name, rest @ ..]) => match remotes.iter().find(|remote| remote.name() == *name) {
            Some(remote) => on_remote(request, remote, rest).await,
            None => Answer::error(404, &format!("there is no remote \"{name}\"")),
        },
        _ => Answer::error(404, "there is nothing here; GET / tells what there is"),
    }
}

async fn on_remote(request: &Request, remote: &Remote, rest: &[&str]) -> Answer {
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let more = [("ca_pem", Value::from(remote.ca_pem())), ("faults", faults(remote))];
            Answer::json(&with(brief(remote), more))
        }
        ("GET", ["faults"]) => Answer::json(&faults(remote)),
        ("POST", ["faults"]) => match read::<FaultSpec>(&request.body) {
            Ok(spec) => match remote.try_fault(spec).await {
                Ok(id) => Answer::json(&json!({ "id": id })),
                Err(error) => Answer::error(400, &error.to_string()),
            },
            Err(what) => Answer::error(400, &what),
        },
        ("DELETE", ["faults"]) => {
            remote.clear_all().await;
            Answer::json(&json!({}))
        }
        ("DELETE", ["faults", id]) => match id.parse() {
            Ok(id) if remote.clear(FaultId(id)).await => Answer::json(&json!({})),
            _ => Answer::error(404, &format!("no fault {id} is in force")),
        },
        ("GET", ["journal"]) => Answer::json(&json!(remote.journal())),
        ("DELETE", ["journal"]) => {
            remote.clear_journal();
            Answer::json(&json!({}))
        }
        ("GET", ["connections"]) => Answer::json(&json!(remote.connections())),
        ("POST", ["world"]) => match world::edit(remote, &request.body) {
            Ok(value) => Answer::json(&value),
            Err(what) => Answer::error(400, &what),
        },
        (_, [] | ["faults" | "journal" | "connections" | "world"]) => {
            Answer::error(405, "not with this method; GET / tells what there is")
        }
        _ => Answer::error(404, "there is nothing here; GET / tells what there is"),
    }
}

/// Reads a body; what is wrong with it.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    if !value.is_object() {
        return Err("the body is not a JSON object; GET / shows what is meant".to_owned());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn brief(remote: &Remote) -> Value {
    let nodes: Vec<Value> = remote
        .nodes()
        .iter()
        .map(|node| {
            json!({
                "name": node,
                "address": remote.address(node),
                "fingerprint": remote.leaf_fingerprint(node),
            })
        })
        .collect();
    json!({ "name": remote.name(), "version": remote.version(), "nodes": nodes })
}

fn faults(remote: &Remote) -> Value {
    remote.faults().into_iter().map(|(id, spec)| with(json!(spec), [("id", json!(id))])).collect()
}

/// An object with further fields.
fn with<const N: usize>(mut value: Value, more: [(&str, Value); N]) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    value
}
