//! Every recorded answer to a call that has a reply type decodes, without losing a row or a field.
//!
//! What came is judged by `serde_json::Value`, independently of the code under test: rows are counted, and every
//! declared field that was there must be there with the same meaning. Drift is expected exactly where
//! [`EXPECTED_DRIFT`] says so.
//!
//! The recordings lie beside the checkout or under `$PVE_CORPUS`; where they are missing the tests say so and
//! are skipped, but fail where `CI=true`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pve::decode::{self, FieldFact, Reply};
use pve::drift::Drift;
use pve::reply::{
    AclRow, AgentInterfaces, CertificateInfo, ClusterStatus, Domain, GuestConfig, GuestListRow, GuestStatus,
    HaStatusRow, Interface, LogLine, NodeListRow, NodeStatus, PendingRow, Permissions, Resource,
    RolePrivileges, RoleRow, RrdPoint, TaskRow, TaskStatus, Ticket, Token, TokenInfo, TokenRow, User,
    Version,
};
use pve::upid::Upid;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Where a recorded answer does depart from what is documented: file, field, what came. Complete both ways.
const EXPECTED_DRIFT: &[(&str, &str, &str)] = &[];

/// Recorded answers to these calls are looked at; the call's template, and how its `data` is read.
const CALLS: &[(&str, &str, Reader)] = &[
    ("GET", "/version", object::<Version>),
    ("GET", "/nodes/{node}/version", object::<Version>),
    ("GET", "/access/domains", list::<Domain>),
    ("GET", "/access/permissions", object::<Permissions>),
    ("POST", "/access/ticket", object::<Ticket>),
    ("GET", "/access/users/{userid}", object::<User>),
    ("GET", "/access/users/{userid}/token", list::<TokenRow>),
    ("GET", "/access/users/{userid}/token/{tokenid}", object::<TokenInfo>),
    ("PUT", "/access/users/{userid}/token/{tokenid}", object::<TokenInfo>),
    ("POST", "/access/users/{userid}/token/{tokenid}", object::<Token>),
    ("GET", "/access/roles", list::<RoleRow>),
    ("GET", "/access/roles/{roleid}", object::<RolePrivileges>),
    ("GET", "/access/acl", list::<AclRow>),
    ("GET", "/cluster/resources", list::<Resource>),
    ("GET", "/cluster/status", list::<ClusterStatus>),
    ("GET", "/cluster/tasks", list::<TaskRow>),
    ("GET", "/cluster/nextid", number),
    ("GET", "/cluster/ha/status/current", list::<HaStatusRow>),
    ("GET", "/nodes", list::<NodeListRow>),
    ("GET", "/nodes/{node}/status", object::<NodeStatus>),
    ("GET", "/nodes/{node}/certificates/info", list::<CertificateInfo>),
    ("GET", "/nodes/{node}/rrddata", list::<RrdPoint>),
    ("GET", "/nodes/{node}/tasks", list::<TaskRow>),
    ("GET", "/nodes/{node}/tasks/{upid}/status", object::<TaskStatus>),
    ("GET", "/nodes/{node}/tasks/{upid}/log", list::<LogLine>),
    ("DELETE", "/nodes/{node}/tasks/{upid}", task),
    ("GET", "/nodes/{node}/lxc", list::<GuestListRow>),
    ("GET", "/nodes/{node}/qemu", list::<GuestListRow>),
    ("GET", "/nodes/{node}/lxc/{vmid}/status/current", object::<GuestStatus>),
    ("GET", "/nodes/{node}/qemu/{vmid}/status/current", object::<GuestStatus>),
    ("GET", "/nodes/{node}/lxc/{vmid}/config", object::<GuestConfig>),
    ("GET", "/nodes/{node}/qemu/{vmid}/config", object::<GuestConfig>),
    ("GET", "/nodes/{node}/lxc/{vmid}/pending", list::<PendingRow>),
    ("GET", "/nodes/{node}/qemu/{vmid}/pending", list::<PendingRow>),
    ("GET", "/nodes/{node}/lxc/{vmid}/rrddata", list::<RrdPoint>),
    ("GET", "/nodes/{node}/qemu/{vmid}/rrddata", list::<RrdPoint>),
    ("GET", "/nodes/{node}/lxc/{vmid}/interfaces", list::<Interface>),
    ("GET", "/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces", object::<AgentInterfaces>),
    ("POST", "/nodes/{node}/lxc/{vmid}/status/{action}", task),
    ("POST", "/nodes/{node}/qemu/{vmid}/status/{action}", task),
];

/// What was made of one recorded `data`.
struct Outcome {
    rows: usize,
    drift: Drift,
}

/// Reads `data`, and compares what came out with what went in.
type Reader = fn(&RawValue, &Value) -> Result<Outcome, String>;

fn object<T: Reply + Serialize>(data: &RawValue, came: &Value) -> Result<Outcome, String> {
    let mut drift = Drift::default();
    let read: T = decode::object(data, &mut drift).map_err(|e| e.to_string())?;
    nothing_lost::<T>(&serde_json::to_value(read).unwrap(), came, &drift)?;
    Ok(Outcome { rows: 1, drift })
}

fn list<T: Reply + Serialize>(data: &RawValue, came: &Value) -> Result<Outcome, String> {
    let mut drift = Drift::default();
    let read = decode::list::<T>(data, &mut drift).map_err(|e| e.to_string())?;
    let sent = came.as_array().map_or(0, Vec::len);
    if read.rows.len() != sent {
        return Err(format!("{} of {sent} rows: {:?}", read.rows.len(), read.unreadable));
    }
    for (row, came) in read.rows.iter().zip(came.as_array().into_iter().flatten()) {
        nothing_lost::<T>(&serde_json::to_value(row).unwrap(), came, &drift)?;
    }
    Ok(Outcome { rows: sent, drift })
}

fn number(data: &RawValue, came: &Value) -> Result<Outcome, String> {
    let mut drift = Drift::default();
    let read = decode::value::<u32>(data, &mut drift).map_err(|e| e.to_string())?;
    means_the_same(&serde_json::to_value(read).unwrap(), came, "data")?;
    Ok(Outcome { rows: 1, drift })
}

fn task(data: &RawValue, came: &Value) -> Result<Outcome, String> {
    let mut drift = Drift::default();
    let read = decode::value::<Upid>(data, &mut drift).map_err(|e| e.to_string())?;
    means_the_same(&serde_json::to_value(read).unwrap(), came, "data")?;
    Ok(Outcome { rows: 1, drift })
}

/// Every declared field that came is in what was read, unless there is drift for it; and nothing that did not
/// come is.
fn nothing_lost<T: Reply>(read: &Value, came: &Value, drift: &Drift) -> Result<(), String> {
    let read = read.as_object().ok_or("what was read is no object")?;
    let came = came.as_object().ok_or("what came is no object")?;
    let drifted = |wire: &str| drift.records.iter().any(|r| r.field.contains(wire));
    for (wire, value) in read {
        let sent = came.get(wire).unwrap_or(&Value::Null);
        if !drifted(wire) {
            means_the_same(value, sent, wire)?;
        }
    }
    let missing = |fact: &&FieldFact| {
        came.get(fact.wire).is_some_and(|v| !v.is_null()) && !read.contains_key(fact.wire)
    };
    match T::FIELDS.iter().find(missing) {
        Some(fact) => Err(format!("`{}` was not read", fact.wire)),
        None => Ok(()),
    }
}

/// Whether two values mean the same under the rules of leniency.
fn means_the_same(read: &Value, came: &Value, at: &str) -> Result<(), String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let number = |value: &Value| text(value).parse::<f64>().ok();
    let same = match (read, came) {
        (Value::Null, came) => came.is_null(),
        (Value::Bool(read), came) => match came {
            Value::Bool(came) => read == came,
            came => *read == (text(came) == "1") && ["0", "1", ""].contains(&text(came).as_str()),
        },
        (Value::Number(_), came) => number(read) == number(came) && !came.is_null(),
        (Value::String(secret), came) if secret == "•••" => came.is_string(),
        (Value::String(read), came) => *read == text(came),
        (Value::Array(read), Value::String(came)) => {
            let parts: Vec<_> = came.split([',', ';', ' ']).filter(|p| !p.is_empty()).collect();
            *read == parts
        }
        (Value::Array(read), Value::Array(came)) => {
            read.len() == came.len()
                && read.iter().zip(came).all(|(read, came)| means_the_same(read, came, at).is_ok())
        }
        (Value::Object(read), Value::Object(came)) => {
            // Inside a part, fields nobody declared are passed over.
            for (key, value) in read {
                means_the_same(value, came.get(key).unwrap_or(&Value::Null), &format!("{at}.{key}"))?;
            }
            true
        }
        _ => false,
    };
    if same { Ok(()) } else { Err(format!("`{at}`: {came} was read as {read}")) }
}

/// The call a recorded path belongs to.
fn reader(method: &str, path: &str) -> Option<(&'static str, Reader)> {
    let path: Vec<_> = path.split('?').next()?.trim_matches('/').split('/').collect();
    CALLS
        .iter()
        .find(|(m, template, _)| {
            let template: Vec<_> = template.trim_matches('/').split('/').collect();
            *m == method
                && template.len() == path.len()
                && template.iter().zip(&path).all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
        })
        .map(|(_, template, reader)| (*template, *reader))
}

fn corpus() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/pve");
    let folder = std::env::var_os("PVE_CORPUS").map_or_else(|| beside.into(), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no recordings at {}", folder.display());
    println!("skipped: no recordings at {}", folder.display());
    None
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What was seen in all files of one kind.
#[derive(Default)]
struct Tally {
    by_call: BTreeMap<&'static str, (usize, usize)>,
    drift: BTreeSet<(String, String, String)>,
    failures: Vec<String>,
}

impl Tally {
    fn look(&mut self, file: &str, method: &str, path: &str, data: &RawValue) {
        let Some((template, reader)) = reader(method, path) else { return };
        let came: Value = serde_json::from_str(data.get()).unwrap();
        match reader(data, &came) {
            Ok(outcome) => {
                let seen = self.by_call.entry(template).or_default();
                *seen = (seen.0 + 1, seen.1 + outcome.rows);
                for record in outcome.drift.records {
                    println!("{file}: {record}");
                    self.drift.insert((file.to_owned(), record.field, record.found.to_string()));
                }
                self.failures.extend(outcome.drift.unreadable.iter().map(|lost| format!("{file}: {lost}")));
            }
            Err(why) => self.failures.push(format!("{file} ({method} {path}): {why}")),
        }
    }

    /// Prints the tally and holds it to what is expected of files whose names begin like this.
    fn close(self, prefix: &str) {
        for (template, (bodies, rows)) in &self.by_call {
            println!("{bodies:>4} answers {rows:>6} rows  {template}");
        }
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        let expected: BTreeSet<_> = EXPECTED_DRIFT
            .iter()
            .filter(|(file, ..)| file.starts_with(prefix))
            .map(|(file, field, found)| ((*file).to_owned(), (*field).to_owned(), (*found).to_owned()))
            .collect();
        assert_eq!(self.drift, expected, "what drifts, and what EXPECTED_DRIFT says");
    }
}

fn name(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap().to_string_lossy().into_owned()
}

#[test]
fn every_body_from_the_field_decodes() {
    #[derive(serde::Deserialize)]
    struct Recorded<'a> {
        method: String,
        path: String,
        status: u16,
        envelope: bool,
        #[serde(borrow)]
        body: &'a RawValue,
    }
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let Some(root) = corpus() else { return };
    let mut tally = Tally::default();
    for file in files(&root.join("bodies"), "json") {
        let text = fs::read_to_string(&file).unwrap();
        let recorded: Recorded<'_> = serde_json::from_str(&text).unwrap();
        if recorded.status != 200 {
            continue;
        }
        let data = if recorded.envelope {
            serde_json::from_str::<Envelope<'_>>(recorded.body.get()).unwrap().data
        } else {
            recorded.body
        };
        tally.look(&name(&root, &file), &recorded.method, &recorded.path, data);
    }
    assert!(tally.by_call.len() >= 18, "too few calls were met: {:?}", tally.by_call);
    tally.close("bodies/");
}

#[test]
fn every_recorded_exchange_decodes() {
    let Some(root) = corpus() else { return };
    let mut tally = Tally::default();
    let mut packed = Vec::new();
    for file in files(&root.join("wire"), "txt") {
        let name = name(&root, &file);
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        let Some((request, response)) = text.split_once("<<<") else { panic!("{name} holds no response") };
        let Some((method, path)) = request_line(request) else { continue };
        // Behind `<<<` the rest of a heading, then the status line, the header lines, an empty line, the body.
        let Some((head, body)) = response.split_once("\n\n") else { continue };
        let good = head.lines().any(|line| line.starts_with("HTTP/1.1 200"));
        if !good || reader(method, path).is_none() {
            continue;
        }
        if head.lines().any(|line| line.eq_ignore_ascii_case("content-encoding: gzip")) {
            packed.push(name);
            continue;
        }
        let envelope: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(body).unwrap_or_else(|e| panic!("{name}: {e}"));
        match envelope.get("data") {
            Some(data) => tally.look(&name, method, path, data),
            None => panic!("{name} holds no data"),
        }
    }
    println!("not looked into, since packed: {packed:?}");
    assert!(tally.by_call.len() >= 25, "too few calls were met: {:?}", tally.by_call);
    tally.close("wire/");
}

/// Method and path below `/api2/json`, of either form of recording.
fn request_line(request: &str) -> Option<(&str, &str)> {
    let line = request.lines().find_map(|line| {
        let line = line.trim_start_matches(">>> ");
        ["GET ", "POST ", "PUT ", "DELETE "].iter().any(|method| line.starts_with(method)).then_some(line)
    })?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    match path.strip_prefix("/api2/") {
        Some(rest) => rest.strip_prefix("json").map(|path| (method, path)),
        None => Some((method, path)),
    }
}
