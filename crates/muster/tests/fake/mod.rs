//! A server that answers what a test tells it to, on a Unix socket: for what a real one does not do on request.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;

/// What came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub key: Option<String>,
    pub head: String,
    pub body: Value,
}

/// What goes back.
#[derive(Debug, Clone)]
pub enum Reply {
    Json(u16, Value),
    Problem(u16, Value),
    Text(u16, &'static str),
    /// The connection ends without a word.
    Nothing,
}

type Answer = dyn Fn(&Asked, usize) -> Reply + Send + Sync;

/// The server.
pub struct Fake {
    dir: TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Where it is, when it speaks TLS.
    pub url: String,
    /// What its certificate's fingerprint is.
    pub fingerprint: String,
}

impl Fake {
    /// Answers by `answer`, which is told how many requests came before.
    pub fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("muster.sock")).unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, answer): (_, Arc<Answer>) = (asked.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, seen.clone(), answer.clone()));
            }
        });
        Self { dir, asked, url: String::new(), fingerprint: String::new() }
    }

    /// The same over TLS, with a certificate that nobody vouches for; at the port of `like`, if there is one.
    pub async fn tls(
        like: Option<u16>,
        answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        use tokio_rustls::rustls::ServerConfig;
        use tokio_rustls::rustls::crypto::ring;
        use tokio_rustls::rustls::pki_types::PrivateKeyDer;
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let fingerprint = pve::trust::Fingerprint::of(made.cert.der()).to_string();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", like.unwrap_or(0))).await.unwrap();
        let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (seen, answer): (_, Arc<Answer>) = (asked.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen, answer) = (acceptor.clone(), seen.clone(), answer.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, seen, answer).await;
                    }
                });
            }
        });
        Self { dir: tempfile::tempdir().unwrap(), asked, url, fingerprint }
    }

    pub fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Requests that change something.
    pub fn mutations(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(|a| a.method != "GET" && !a.path.ends_with("/plan")).collect()
    }

    /// `muster … --data-dir DIR`.
    pub async fn muster(&self, args: &[&str]) -> super::common::Run {
        let dir = self.dir();
        let mut line = args.to_vec();
        line.extend(["--data-dir", dir.to_str().unwrap()]);
        super::common::muster(&line).await
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Answer>,
) {
    let mut bytes = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let header = |name: &str| {
            head.lines()
                .filter_map(|l| l.split_once(':'))
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.trim().to_owned())
        };
        let length: usize = header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        while bytes.len() < head_end + length {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            }
        }
        let body = serde_json::from_slice(&bytes[head_end..head_end + length]).unwrap_or(Value::Null);
        bytes.drain(..head_end + length);
        let mut words = head.split_whitespace();
        let method = words.next().unwrap().to_owned();
        let target = words.next().unwrap().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let request = Asked {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            key: header("idempotency-key"),
            head: head.clone(),
            body,
        };
        let before = {
            let mut asked = asked.lock().unwrap();
            asked.push(request.clone());
            asked.len() - 1
        };
        let told = match request.path.as_str() {
            "/api/v1/operations/plan" => Reply::Json(200, plan(&request.body)),
            _ => answer(&request, before),
        };
        let (status, kind, body) = match told {
            Reply::Json(status, body) => (status, "application/json", body.to_string()),
            Reply::Problem(status, mut body) => {
                body["status"] = json!(status);
                if body["type"].is_null() {
                    body["type"] = json!("urn:muster:test");
                }
                body["title"] = json!("A test");
                (status, "application/problem+json", body.to_string())
            }
            Reply::Text(status, text) => (status, "text/html", text.to_owned()),
            Reply::Nothing => return,
        };
        let reply = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What a server that finds nothing against it plans.
fn plan(wanted: &Value) -> Value {
    let items: Vec<Value> = wanted["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| {
            let (remote, vmid) = (target["remote"].as_str().unwrap(), &target["vmid"]);
            let action = wanted["action"].as_str().unwrap();
            json!({
                "remote": "home", "vmid": vmid, "id": format!("{remote}/{vmid}"), "name": null,
                "availability": "available",
                "show_as": {
                    "command": format!("muster guest {action} home/{vmid}"),
                    "call": {
                        "method": "POST", "path": format!("/api2/json/nodes/pve1/lxc/{vmid}/status/{action}"),
                        "parameters": {"timeout": 60},
                    },
                    "api": {"method": "POST", "path": "/api/v1/operations", "body": {"action": action}},
                },
            })
        })
        .collect();
    json!({
        "action": wanted["action"], "options": wanted["options"], "total": items.len(),
        "available": items.len(), "may_fail": 0, "disabled": 0, "items": items,
    })
}

/// A guest as the list has it, made of the API's own types.
pub fn guest(remote: (u64, &str), vmid: u32, name: &str, state: &str) -> Value {
    use model::guest::GuestState;
    use model::rows::{GuestRow, Standing};
    use model::{Freshness, GuestKind, Incarnation, Presence, RemoteId, Vmid};
    let state = GuestState::from_word(state);
    let mut facts = model::Guest::bare(GuestKind::Ct, Vmid(vmid), "pve1".into());
    facts.name = Some(name.into());
    facts.state = state.clone();
    let row = GuestRow {
        state: state.clone(),
        guest: facts,
        incarnation: Incarnation(1),
        observed_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        through: Some("192.0.2.7:8006".into()),
        freshness: Freshness::Live,
        presence: Presence::Present,
        standing: Standing::Known { state: state.clone() },
        addresses: None,
        busy: None,
    };
    serde_json::to_value(api::guest::Guest {
        id: format!("{}/{vmid}", remote.0),
        remote_id: RemoteId(remote.0),
        remote: remote.1.into(),
        word: state.word().to_owned(),
        stale_why: None,
        row,
    })
    .unwrap()
}

/// A page of these rows.
pub fn page(items: &[Value]) -> Value {
    json!({ "items": items, "total": items.len(), "counts": { "remotes": { "total": 1, "up": 1, "needs_person": 0, "never_listed": 0, "unreadable": 0 } }, "revision": 1 })
}

/// What becomes of a wish for many: of each its operation, or the problem that it was refused with.
pub fn started(asked: &Asked, each: impl Fn(u32) -> Result<Value, Value>) -> Reply {
    let one = |target: &Value| {
        let mut item = target.clone();
        match each(u32::try_from(target["vmid"].as_u64().unwrap()).unwrap()) {
            Ok(operation) => {
                item["operation_id"] = operation["id"].clone();
                item["operation"] = operation;
            }
            Err(problem) => item["problem"] = problem,
        }
        item
    };
    let items: Vec<Value> = asked.body["targets"].as_array().unwrap().iter().map(one).collect();
    let accepted = items.iter().filter(|item| item["operation"].is_object()).count();
    Reply::Json(202, json!({ "total": items.len(), "accepted": accepted, "items": items }))
}

/// A problem, as it stands in an item.
pub fn problem(status: u16, detail: &str, remedy: &str) -> Value {
    json!({ "type": "urn:muster:test", "title": "A test", "status": status, "detail": detail, "remedy": remedy })
}

/// An operation at a state.
pub fn operation(id: &str, vmid: u32, name: &str, action: &str, state: Value) -> Value {
    let mut object = json!({
        "id": id, "name": name, "remote_id": 1, "remote": "home", "guest": format!("1/{vmid}"), "vmid": vmid,
        "kind": "ct", "node": "pve1", "action": action, "options": {},
        "author": { "name": "tester", "from": "socket" }, "requested": "2026-01-01T00:00:00Z",
        "sentence": "as it is", "final": true, "success": false, "since": "2026-01-01T00:00:00Z",
        "followed": true, "dispatch": null, "task": "UPID:pve1:0000C530:001C9BEC:6677F3B0:vzstart:101:root@pam:",
        "cancel_asked": false, "log": [], "last_lines": ["TASK ERROR: no"],
    });
    for (name, value) in state.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// A remote in full, as the API has it.
pub fn remote(id: u64, name: &str, up: bool) -> Value {
    let counts = [
        "nodes",
        "nodes_online",
        "guests",
        "guests_running",
        "guests_unknown",
        "storages",
        "tasks_running",
        "operations_open",
        "facets_failing",
        "drift",
        "unreadable",
    ];
    let counts: serde_json::Map<String, Value> = counts.iter().map(|c| ((*c).to_owned(), json!(1))).collect();
    json!({
        "id": id, "name": name,
        "link": {
            "state": if up { "connected" } else { "backing_off" }, "up": up, "needs_person": false,
            "sentence": "as it is", "since": "2026-01-01T00:00:00Z", "endpoints": [],
            "cause": if up { Value::Null } else { json!({
                "code": "refused", "sentence": "connection refused (192.0.2.7:8006)", "remedy": "Is it on?",
                "needs_person": false,
            }) },
        },
        "counts": counts,
        "traffic": { "requests_per_minute": 1, "bytes_per_minute": 1, "requests": 1, "bytes": 1 },
        "coverage": [],
    })
}

/// The same before its first listing: nothing is known of it, which is not none.
pub fn unlisted(id: u64, name: &str, up: bool) -> Value {
    let mut remote = remote(id, name, up);
    for figure in
        ["nodes", "nodes_online", "guests", "guests_running", "guests_unknown", "storages", "tasks_running"]
    {
        remote["counts"][figure] = Value::Null;
    }
    remote
}
