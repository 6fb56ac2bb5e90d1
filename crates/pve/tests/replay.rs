//! Every recorded exchange with a real server, replayed by a small TLS server, gives what `replay/table.tsv` says.
//!
//! One row per recording: file, the call that is made of its request, and what the call must give: the value in
//! short, or the kind of error with the beginning of its words; or why the recording does not apply. The table is
//! complete both ways. A refusal is replayed twice, also with the ending of older servers (no TLS goodbye), and must
//! be the same each time.
//!
//! With `PVE_REPLAY_WRITE=FILE` the outcomes are written there instead, to be read and judged before they are
//! believed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use catalogue::{Catalogue, Method, Release};
use common::{After, Identity, Reply, Server};
use pve::call::{self, Call, access, cluster, guest, node, task};
use pve::decode::Rows;
use pve::reply::{
    CertificateInfo, ClusterStatus, Domain, GuestConfig, GuestListRow, GuestStatus, HaStatusRow, LogLine,
    NodeListRow, NodeStatus, PendingRow, Permissions, Resource, RrdPoint, TaskRow, TaskStatus, Version,
};
use pve::upid::Upid;
use pve::{
    Answer, Client, Credential, Error, ErrorKind, Factor, GuestKind, Power, PowerOptions, Timings,
    TrustPolicy,
};

const TABLE: &str = include_str!("replay/table.tsv");

/// The challenge that comes before a recorded second step.
const CHALLENGE: &str =
    r#"{"NeedTFA":1,"ticket":"PVE:!tfa!{\"totp\"%3Atrue}:6B02::c2ln","username":"dave@pve"}"#;

/// A recorded exchange, taken apart.
struct Exchange {
    method: String,
    target: String,
    request: String,
    status: u16,
    response: Vec<u8>,
}

impl Exchange {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let split = find(&bytes, b"\n<<<").unwrap_or_else(|| panic!("{} has no response", path.display()));
        let request = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let start = split + 1 + find(&bytes[split + 1..], b"\n").unwrap() + 1;
        let line = request.lines().find(|line| {
            let line = line.trim_start_matches(">>> ");
            !line.is_empty() && !line.starts_with('#') && line != "REQUEST"
        });
        let line = line.unwrap();
        let mut words = line.trim_start_matches(">>> ").split(' ');
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let (head, body) = parts(&bytes[start..]);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map(|(_, value)| value.trim().parse::<usize>().unwrap());
        let body = match length {
            Some(length) => &body[..length],
            // The recorder's own newline.
            None => body.strip_suffix(b"\n").unwrap_or(body),
        };
        let mut response = head.replace('\r', "").replace('\n', "\r\n").into_bytes();
        response.extend_from_slice(b"\r\n\r\n");
        response.extend_from_slice(body);
        // The sweep names paths without their prefix.
        let target = if line.starts_with(">>> ") { format!("/api2/json{target}") } else { target };
        Self { method, target, request, status, response }
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Head and body, whichever line ends were kept.
fn parts(response: &[u8]) -> (String, &[u8]) {
    let (end, skip) = match (find(response, b"\r\n\r\n"), find(response, b"\n\n")) {
        (Some(crlf), lf) if lf.is_none_or(|lf| crlf < lf) => (crlf, 4),
        (_, Some(lf)) => (lf, 2),
        _ => (response.len(), 0),
    };
    (String::from_utf8(response[..end].to_vec()).unwrap(), &response[end + skip..])
}

/// What a row says.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Row {
    call: String,
    expected: String,
}

fn not_applicable(why: &str) -> Row {
    Row { call: "-".to_owned(), expected: format!("not applicable: {why}") }
}

fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

fn error(error: &Error) -> String {
    let class = |class| format!("{class:?}");
    match error.kind() {
        ErrorKind::CredentialsRejected { reason } => format!("CredentialsRejected “{}”", cut(reason)),
        ErrorKind::SecondFactorNeeded { challenge } => {
            format!("SecondFactorNeeded for {}: {}", challenge.user(), challenge.kinds().join(" "))
        }
        ErrorKind::PrivilegeMissing { path, privileges, text } => match path {
            Some(path) => format!("PrivilegeMissing on {path}: {}", privileges.join(" ")),
            None => format!("PrivilegeMissing “{}”", cut(text)),
        },
        ErrorKind::Parameters { errors, text } => {
            let each: Vec<_> =
                errors.iter().map(|(name, why)| format!("{}: {}", cut(name), cut(why))).collect();
            format!("Parameters “{}” {}", cut(text), each.join("; ")).trim_end().to_owned()
        }
        ErrorKind::NotSupported { text } => format!("NotSupported “{}”", cut(text)),
        ErrorKind::NodeDown { node, text, .. } => format!("NodeDown {node:?} “{}”", cut(text)),
        ErrorKind::NodeNoAnswer { node, text, .. } => format!("NodeNoAnswer {node:?} “{}”", cut(text)),
        ErrorKind::Server { status, class: found, text } => {
            format!("Server {} {status} “{}”", class(found), cut(text))
        }
        ErrorKind::NotUnderstood { what } => format!("NotUnderstood: {}", cut(what)),
        other => format!("{other:?}"),
    }
}

/// The value in short, and what drifted.
fn answer<T>(outcome: Result<Answer<T>, Error>, short: impl Fn(&T) -> String) -> String {
    match outcome {
        Ok(answer) => {
            let mut text = format!("ok: {}", short(&answer.value));
            for record in &answer.drift.records {
                text += &format!(
                    "; drift {} {:?} not {} ×{}",
                    record.field, record.found, record.expected, record.count
                );
            }
            text
        }
        Err(failed) => error(&failed),
    }
}

/// A list in short: how many rows, how many unreadable, and the rows' names while they are few.
fn rows<T>(rows: &Rows<T>, name: impl Fn(&T) -> String) -> String {
    let mut text = format!("{} rows", rows.rows.len());
    if !rows.unreadable.is_empty() {
        text += &format!(", {} unreadable", rows.unreadable.len());
    }
    if let Some(total) = rows.total {
        text += &format!(" of {total}");
    }
    let mut names: Vec<_> = rows.rows.iter().map(name).collect();
    names.sort();
    if !names.is_empty() && names.len() <= 12 {
        text += &format!(": {}", names.join(", "));
    }
    text
}

fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), T::to_string)
}

fn resources(list: &Rows<Resource>) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut guests = Vec::new();
    for row in &list.rows {
        let kind = match row {
            Resource::Guest(guest) => {
                guests.push(format!("{} {}", guest.vmid, or_dash(guest.status.as_ref())));
                "guests"
            }
            Resource::Node(_) => "nodes",
            Resource::Storage(_) => "storages",
            Resource::Pool(_) => "pools",
            Resource::Sdn(_) => "sdn",
            Resource::Network(_) => "networks",
            Resource::Other(_) => "others",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    guests.sort();
    let kinds: Vec<_> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let mut text = format!("{} rows: {}", list.rows.len(), kinds.join(", "));
    if !guests.is_empty() {
        text += &format!(" ({})", guests.join(", "));
    }
    if !list.unreadable.is_empty() {
        text += &format!(", {} unreadable", list.unreadable.len());
    }
    text
}

fn any(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(list) => format!("list of {}", list.len()),
        Value::Object(object) => format!("object of {}", object.len()),
        Value::String(text) if text.starts_with("UPID:") => {
            let upid: Upid = text.parse().unwrap();
            format!("task {} of {:?}", upid.task_type(), upid.id())
        }
        Value::String(text) => format!("text of {}", text.chars().count()),
        other => format!("value {other}"),
    }
}

fn upid(task: &Option<Upid>) -> String {
    task.as_ref()
        .map_or_else(|| "no task".to_owned(), |upid| format!("task {} of {:?}", upid.task_type(), upid.id()))
}

/// Runs the call that a recorded request amounts to.
async fn replayed(exchange: &Exchange, client: &Client, stage: &Stage) -> Row {
    let json = exchange.path().strip_prefix("/api2/json").filter(|path| path.starts_with('/'));
    let Some(path) = json else {
        let why = match exchange.path() {
            "/" => "the web interface's page; the client asks for /api2/json only",
            _ => "another format; the client asks for /api2/json only",
        };
        return not_applicable(why);
    };
    if exchange.status == 101 || exchange.request.to_lowercase().contains("\nupgrade: websocket") {
        return not_applicable("a console's WebSocket; the client opens none");
    }
    let Ok(method) = exchange.method.parse::<Method>() else {
        return not_applicable("a method that the client never sends");
    };
    if (method, path) == (Method::Post, "/access/ticket") {
        return signed_in(exchange, client, stage).await;
    }
    let resolved = Catalogue::builtin().resolve(Release::V9_2, method, path);
    let segment = |name: &str| {
        let found = resolved.as_ref().and_then(|found| found.segment(name));
        found.unwrap_or_default().to_owned()
    };
    let (node_name, vmid) = (segment("node"), segment("vmid").parse::<u32>().unwrap_or_default());
    let task_id = segment("upid").parse::<Upid>();
    let n = node_name.as_str();
    let template = resolved.as_ref().map_or("", |found| found.endpoint.path.as_str());
    let kind = if template.contains("/qemu") { GuestKind::Vm } else { GuestKind::Ct };
    let guest_template = template.replace("/qemu", "/GUEST").replace("/lxc", "/GUEST");
    let current = exchange.target.contains("current=1");
    let row = |call: &str, expected: String| Row { call: call.to_owned(), expected };
    match (method, template, guest_template.as_str()) {
        (Method::Get, "/version", _) => {
            let short =
                |v: &Version| format!("{} of {}", or_dash(v.version.as_ref()), or_dash(v.release.as_ref()));
            row("version", answer(client.run(access::version()).await, short))
        }
        (Method::Get, "/access/domains", _) => {
            let short = |list: &Rows<Domain>| rows(list, |row| row.realm.clone());
            row("domains", answer(client.run(access::domains()).await, short))
        }
        (Method::Get, "/access/permissions", _) => {
            let short = |all: &Permissions| format!("{} paths", all.paths.len());
            row("permissions", answer(client.run(access::permissions()).await, short))
        }
        (Method::Get, "/cluster/status", _) => {
            let short = |list: &Rows<ClusterStatus>| {
                rows(list, |row| match row {
                    ClusterStatus::Cluster(c) => format!(
                        "cluster {} quorate {}",
                        or_dash(c.name.as_ref()),
                        or_dash(c.quorate.as_ref())
                    ),
                    ClusterStatus::Node(n) => {
                        format!("node {} online {}", n.name, or_dash(n.online.as_ref()))
                    }
                    ClusterStatus::Other(_) => "other".to_owned(),
                })
            };
            row("cluster_status", answer(client.run(cluster::status()).await, short))
        }
        (Method::Get, "/cluster/resources", _) => {
            row("cluster_resources", answer(client.run(cluster::resources(None)).await, resources))
        }
        (Method::Get, "/cluster/tasks", _) => {
            let short = |list: &Rows<TaskRow>| {
                let running = list.rows.iter().filter(|row| row.status.is_none()).count();
                format!("{}, {running} running", rows(list, |row| row.upid.task_type().to_owned()))
            };
            row("cluster_tasks", answer(client.run(cluster::tasks()).await, short))
        }
        (Method::Get, "/cluster/nextid", _) => {
            row("next_id", answer(client.run(cluster::next_id(None)).await, u32::to_string))
        }
        (Method::Get, "/cluster/ha/status/current", _) => {
            let short = |list: &Rows<HaStatusRow>| rows(list, |row| row.id.clone());
            row("ha_status", answer(client.run(cluster::ha_status()).await, short))
        }
        (Method::Get, "/nodes", _) => {
            let short = |list: &Rows<NodeListRow>| {
                rows(list, |row| format!("{} {}", row.node, or_dash(row.status.as_ref())))
            };
            row("nodes", answer(client.run(node::list()).await, short))
        }
        (Method::Get, "/nodes/{node}/status", _) => {
            let short = |s: &NodeStatus| {
                let memory = s.memory.as_ref().and_then(|memory| memory.total);
                format!("up {} s, memory {}", or_dash(s.uptime.as_ref()), or_dash(memory.as_ref()))
            };
            row("node_status", answer(client.run(node::status(n)).await, short))
        }
        (Method::Get, "/nodes/{node}/certificates/info", _) => {
            let short = |list: &Rows<CertificateInfo>| {
                let names = rows(list, |row| or_dash(row.filename.as_ref()));
                let authority = pve::trust::cluster_authority(&list.rows);
                format!("{names}; authority {}", if authority.is_some() { "readable" } else { "missing" })
            };
            row("node_certificates", answer(client.run(node::certificates(n)).await, short))
        }
        (Method::Get, "/nodes/{node}/tasks", _) => {
            let short = |list: &Rows<TaskRow>| {
                rows(list, |row| format!("{} {}", row.upid.task_type(), or_dash(row.status.as_ref())))
            };
            row("node_tasks", answer(client.run(task::list(n, &task::TaskQuery::default())).await, short))
        }
        (Method::Get, "/nodes/{node}/tasks/{upid}/status", _) if task_id.is_ok() => {
            let short =
                |s: &TaskStatus| format!("{} {}", or_dash(s.status.as_ref()), or_dash(s.exitstatus.as_ref()));
            row("task_status", answer(client.run(task::status(n, &task_id.unwrap())).await, short))
        }
        (Method::Get, "/nodes/{node}/tasks/{upid}/log", _) if task_id.is_ok() => {
            let short = |list: &Rows<LogLine>| {
                rows(list, |line| cut(line.text())).split(':').next().unwrap().to_owned()
            };
            row("task_log", answer(client.run(task::log(n, &task_id.unwrap(), 0, 50)).await, short))
        }
        (Method::Delete, "/nodes/{node}/tasks/{upid}", _) if task_id.is_ok() => row(
            "task_stop",
            answer(client.run(task::stop(n, &task_id.unwrap())).await, |()| "done".to_owned()),
        ),
        (Method::Get, _, "/nodes/{node}/GUEST") => {
            let short = |list: &Rows<GuestListRow>| {
                rows(list, |row| format!("{} {}", row.vmid, or_dash(row.status.as_ref())))
            };
            row(&format!("guest_list {kind}"), answer(client.run(guest::list(n, kind)).await, short))
        }
        (Method::Get, _, "/nodes/{node}/GUEST/{vmid}/status/current") => {
            let short = |s: &GuestStatus| {
                let qmp = s.qmpstatus.as_ref().map(|qmp| format!(" ({qmp})")).unwrap_or_default();
                format!("{}{qmp}, ha {}", or_dash(s.status.as_ref()), or_dash(s.ha_managed().as_ref()))
            };
            row(
                &format!("guest_status {kind}"),
                answer(client.run(guest::status(n, kind, vmid)).await, short),
            )
        }
        (Method::Get, _, "/nodes/{node}/GUEST/{vmid}/config") => {
            let short = |c: &GuestConfig| {
                let digest = if c.get("digest").is_some() { "digest" } else { "no digest" };
                format!("{} keys, {digest}, name {}", c.entries.len(), c.name().unwrap_or("-"))
            };
            let name = format!("guest_config {kind}{}", if current { " current" } else { "" });
            row(&name, answer(client.run(guest::config(n, kind, vmid, current)).await, short))
        }
        (Method::Get, _, "/nodes/{node}/GUEST/{vmid}/pending") => {
            let short = |list: &Rows<PendingRow>| {
                let waiting = list.rows.iter().filter(|row| row.is_waiting()).count();
                format!("{} rows, {waiting} waiting", list.rows.len())
            };
            row(
                &format!("guest_pending {kind}"),
                answer(client.run(guest::pending(n, kind, vmid)).await, short),
            )
        }
        (Method::Get, _, "/nodes/{node}/GUEST/{vmid}/rrddata") => {
            let short = |list: &Rows<RrdPoint>| format!("{} rows", list.rows.len());
            let call = guest::rrd(n, kind, vmid, guest::Timeframe::Hour, guest::Consolidation::Average);
            row(&format!("guest_rrd {kind}"), answer(client.run(call).await, short))
        }
        (Method::Get, "/nodes/{node}/lxc/{vmid}/interfaces", _)
        | (Method::Get, "/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces", _) => {
            let short = |a: &guest::Addresses| rows(&a.interfaces, |i| or_dash(i.name.as_ref()));
            row(
                &format!("guest_addresses {kind}"),
                answer(client.run(guest::addresses(n, kind, vmid)).await, short),
            )
        }
        (Method::Post, _, status) if status.starts_with("/nodes/{node}/GUEST/{vmid}/status/") => {
            let action = Power::ALL.into_iter().find(|action| status.ends_with(action.wire())).unwrap();
            let call = guest::power(n, kind, vmid, action, &PowerOptions::default());
            row(&format!("guest_power {kind} {}", action.wire()), answer(client.run(call).await, upid))
        }
        _ => {
            let segments: Vec<(&str, &str)> = match &resolved {
                Some(found) => found.segments.iter().map(|(name, value)| (*name, value.as_str())).collect(),
                None => Vec::new(),
            };
            // Paths that the catalogue does not hold go out as they stand.
            let asked = if template.is_empty() { path } else { template };
            let name = format!("{method} {asked}");
            row(&name, answer(client.run(Call::new(method, asked, &segments, call::any)).await, any))
        }
    }
}

/// Signs in against a recorded answer; a recorded second step comes after a challenge.
async fn signed_in(exchange: &Exchange, client: &Client, stage: &Stage) -> Row {
    let body = exchange.request.split("\n\n").nth(1).unwrap_or_default();
    if body.contains("&privs=") {
        return not_applicable(
            "a password tested for a privilege, without a session; the client never asks that",
        );
    }
    let user = form_urlencoded::parse(body.trim().as_bytes())
        .find(|(name, _)| name == "username")
        .map_or_else(|| "root@pam".to_owned(), |(_, user)| user.into_owned());
    // The client of the stage has a token; a sibling with the password takes its place here.
    let endpoint = stage.endpoint();
    let client = {
        let _ = client;
        Client::new(endpoint, Credential::password(user, "canary-password"), Timings::shrunk())
    };
    let second = body.contains("tfa-challenge=");
    let outcome = if second {
        let recorded = stage.swap(Reply::data(CHALLENGE));
        let challenged = client.sign_in().await.unwrap_err();
        let ErrorKind::SecondFactorNeeded { challenge } = challenged.kind() else { panic!("{challenged}") };
        stage.swap(recorded);
        client.answer_second_factor(challenge, &Factor::Totp("123456".into())).await
    } else {
        client.sign_in().await
    };
    let expected = match outcome {
        Ok(session) => {
            format!("ok: session of {} at {}", session.username, or_dash(session.clustername.as_ref()))
        }
        Err(failed) => error(&failed),
    };
    Row { call: if second { "answer_second_factor" } else { "sign_in" }.to_owned(), expected }
}

/// The server and what it answers at the moment.
struct Stage {
    server: Server,
    trust: TrustPolicy,
    reply: Arc<Mutex<Reply>>,
}

impl Stage {
    async fn new() -> Self {
        let identity = Identity::self_signed(&["127.0.0.1"]);
        let reply = Arc::new(Mutex::new(Reply::data("null")));
        let current = Arc::clone(&reply);
        let server = Server::start(&identity, move |_| current.lock().unwrap().clone()).await;
        Self { server, trust: TrustPolicy::leaf(identity.fingerprint()), reply }
    }

    fn endpoint(&self) -> pve::Endpoint {
        self.server.endpoint(self.trust.clone())
    }

    fn swap(&self, reply: Reply) -> Reply {
        std::mem::replace(&mut self.reply.lock().unwrap(), reply)
    }
}

/// The recordings, by name.
fn corpus() -> Option<BTreeMap<String, PathBuf>> {
    let root = std::env::var_os("PVE_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/pve")),
        PathBuf::from,
    );
    let wire = root.join("wire");
    if !wire.is_dir() {
        let missing = format!("no recordings at {}", wire.display());
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        eprintln!("skipped: {missing}");
        return None;
    }
    let mut files = BTreeMap::new();
    for (prefix, folder) in [("", wire.clone()), ("sweep/", wire.join("sweep"))] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                files.insert(format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap()), path);
            }
        }
    }
    Some(files)
}

fn table() -> BTreeMap<String, Row> {
    let mut table = BTreeMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, call, expected] = columns.as_slice() else { panic!("not three columns: {line}") };
        let row = Row { call: (*call).to_owned(), expected: (*expected).to_owned() };
        assert!(table.insert((*file).to_owned(), row).is_none(), "{file} stands twice");
    }
    table
}

#[tokio::test]
async fn every_recording_gives_what_the_table_says() {
    let Some(corpus) = corpus() else { return };
    let stage = Stage::new().await;
    let client = Client::new(stage.endpoint(), common::token(), Timings::shrunk());
    let write = std::env::var_os("PVE_REPLAY_WRITE");
    let (mut table, mut written, mut wrong) = (table(), String::new(), Vec::new());
    for (file, path) in &corpus {
        let exchange = Exchange::read(path);
        stage.swap(Reply::raw(exchange.response.clone(), After::Close));
        let row = replayed(&exchange, &client, &stage).await;
        if exchange.status >= 400 {
            stage.swap(Reply::raw(exchange.response.clone(), After::Bare));
            let older = replayed(&exchange, &client, &stage).await;
            assert_eq!(older, row, "{file}: the ending of older servers changes the outcome");
        }
        written += &format!("{file}\t{}\t{}\n", row.call, row.expected);
        match table.remove(file) {
            Some(expected) if expected == row => {}
            Some(expected) => wrong.push(format!("{file}:\n   table {expected:?}\n   found {row:?}")),
            None => wrong.push(format!("{file} is not in the table; found {row:?}")),
        }
    }
    if let Some(path) = write {
        std::fs::write(path, written).unwrap();
        return;
    }
    wrong.extend(table.keys().map(|file| format!("{file} is in the table, but there is no such recording")));
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), corpus.len(), wrong.join("\n"));
}
