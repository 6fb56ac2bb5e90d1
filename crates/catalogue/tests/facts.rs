//! The catalogue's data is what the published API descriptions say, no more and no less.
//!
//! `CATALOGUE_WRITE=1 cargo test -p catalogue --test facts` writes the data file anew, for the paths that
//! `data/wanted.txt` lists.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use catalogue::{
    Access, Catalogue, Check, Endpoint, Kind, Method, Param, Permission, Release, Releases, Returns, Schema,
};
use serde_json::Value;

const WANTED: &str = include_str!("../data/wanted.txt");
const FILES: [(Release, &str); 4] = [
    (Release::V6_4, "pve-6.4-15.json"),
    (Release::V7_4, "pve-7.4-16.json"),
    (Release::V8_4, "pve-8.4.5.json"),
    (Release::V9_2, "pve-9.2.3.json"),
];

fn corpus() -> Option<PathBuf> {
    let path = std::env::var_os("PVE_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/pve"), PathBuf::from);
    if path.join("schema").is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no corpus at {}", path.display());
    eprintln!("skipped: no API descriptions at {} (set PVE_CORPUS)", path.display());
    None
}

#[test]
fn the_data_is_what_the_descriptions_say() {
    let Some(corpus) = corpus() else { return };
    let extracted = extract(&corpus);
    let text: String = extracted.iter().map(|e| serde_json::to_string(e).unwrap() + "\n").collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/endpoints.jsonl");
    if std::env::var_os("CATALOGUE_WRITE").is_some() {
        std::fs::write(&file, &text).unwrap();
        return;
    }
    for (kept, said) in Catalogue::builtin().endpoints().iter().zip(&extracted) {
        assert_eq!(kept, said, "{} {}", said.method, said.path);
    }
    assert_eq!(Catalogue::builtin().endpoints().len(), extracted.len());
}

#[test]
fn every_wanted_path_is_there() {
    let known: BTreeSet<_> = Catalogue::builtin().endpoints().iter().map(|e| e.path.as_str()).collect();
    let wanted: BTreeSet<_> = wanted().collect();
    assert_eq!(known, wanted);
}

#[test]
fn a_concrete_path_finds_its_endpoint() {
    let catalogue = Catalogue::builtin();
    let upid = "UPID%3Apve1%3A00000001%3A00000002%3A00000003%3Avzstart%3A101%3Aroot%40pam%3A";
    let found =
        catalogue.resolve(Release::V9_2, Method::Get, &format!("/nodes/pve1/tasks/{upid}/status")).unwrap();
    assert_eq!(found.endpoint.path, "/nodes/{node}/tasks/{upid}/status");
    assert_eq!(found.segment("node"), Some("pve1"));
    assert_eq!(found.segment("upid"), Some("UPID:pve1:00000001:00000002:00000003:vzstart:101:root@pam:"));
    // An encoded slash is part of its segment, and an empty segment counts for nothing.
    assert!(catalogue.resolve(Release::V9_2, Method::Get, "/nodes/a%2Fb/status").is_some());
    assert!(catalogue.resolve(Release::V9_2, Method::Get, "//nodes//pve1/status").is_some());
    for (method, path) in [(Method::Get, "/nope"), (Method::Delete, "/version"), (Method::Get, "/version/x")]
    {
        assert!(catalogue.resolve(Release::V9_2, method, path).is_none(), "{method} {path}");
    }
    assert!(catalogue.knows_path(Release::V9_2, "/access/ticket"));
}

#[test]
fn facts_go_by_release() {
    let catalogue = Catalogue::builtin();
    assert!(catalogue.resolve(Release::V8_4, Method::Get, "/cluster/ha/rules").is_none());
    assert!(catalogue.resolve(Release::V9_2, Method::Get, "/cluster/ha/rules").is_some());
    let ticket = catalogue.get(Method::Post, "/access/ticket").unwrap();
    assert!(ticket.accepts(Release::V6_4, "new-format").is_none());
    assert!(ticket.accepts(Release::V7_4, "new-format").is_some());
    let agent = catalogue.get(Method::Get, "/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces").unwrap();
    let text = |release| format!("{:?}", agent.access(release).unwrap().permission);
    assert!(text(Release::V8_4).contains("VM.Monitor"));
    assert!(text(Release::V9_2).contains("VM.GuestAgent.Audit"));
    let config = catalogue.get(Method::Put, "/nodes/{node}/lxc/{vmid}/config").unwrap();
    assert_eq!(config.accepts(Release::V9_2, "net12").map(|p| p.name.as_str()), Some("net[n]"));
    assert!(config.accepts(Release::V9_2, "net").is_none());
    assert!(config.accepts(Release::V9_2, "netx").is_none());
    let vmid = config.accepts(Release::V9_2, "vmid").unwrap();
    assert_eq!((vmid.kind, vmid.required, vmid.minimum), (Kind::Integer, true, Some(100.0)));
}

// === reading the descriptions ===

fn wanted() -> impl Iterator<Item = &'static str> {
    WANTED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn extract(corpus: &Path) -> Vec<Endpoint> {
    let wanted: BTreeSet<_> = wanted().collect();
    let mut by_name: BTreeMap<(String, Method), Vec<(Release, Value)>> = BTreeMap::new();
    for (release, file) in FILES {
        let text = std::fs::read_to_string(corpus.join("schema").join(file)).unwrap();
        let mut description: Value = serde_json::from_str(&text).unwrap();
        for endpoint in description["endpoints"].as_array_mut().unwrap().iter_mut().map(Value::take) {
            let path = endpoint["path"].as_str().unwrap().to_owned();
            if wanted.contains(path.as_str()) {
                let method = endpoint["method"].as_str().unwrap().parse().unwrap();
                by_name.entry((path, method)).or_default().push((release, endpoint));
            }
        }
    }
    by_name.into_iter().map(|((path, method), forms)| endpoint(method, path, &forms)).collect()
}

fn endpoint(method: Method, path: String, forms: &[(Release, Value)]) -> Endpoint {
    let existing = forms.iter().fold(Releases::NONE, |set, (release, _)| set.with(*release));
    let mut access: Vec<Access> = Vec::new();
    let mut params: Vec<Param> = Vec::new();
    let mut returns: Vec<Returns> = Vec::new();
    for (release, form) in forms {
        let this = Access {
            releases: Releases::NONE,
            protected: truth(&form["protected"]),
            proxied: form["proxyto"] == "node",
            token_allowed: truth(&form["allowtoken"]),
            permission: permission(&form["permissions"]),
        };
        let known =
            access.iter_mut().find(|known| Access { releases: Releases::NONE, ..(**known).clone() } == this);
        match known {
            Some(known) => known.releases = known.releases.with(*release),
            None => access.push(Access { releases: Releases::NONE.with(*release), ..this }),
        }
        for (name, facts) in form["params"].as_object().into_iter().flatten() {
            let schema = schema(facts);
            match params.iter_mut().find(|known| known.name == *name && known.schema == schema) {
                Some(known) => known.releases = known.releases.with(*release),
                None => {
                    params.push(Param {
                        name: name.clone(),
                        releases: Releases::NONE.with(*release),
                        schema,
                    });
                }
            }
        }
        let schema = schema(&form["returns"]);
        match returns.iter_mut().find(|known| known.schema == schema) {
            Some(known) => known.releases = known.releases.with(*release),
            None => returns.push(Returns { releases: Releases::NONE.with(*release), schema }),
        }
    }
    params.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(access.iter().fold(0, |n, a| n + a.releases.iter().count()), existing.iter().count());
    Endpoint { method, path, access, params, returns }
}

/// The descriptions spell truth in three ways.
fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(value) => value.as_f64() != Some(0.0),
        Value::String(value) => value == "1",
        _ => false,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn length(value: &Value) -> Option<usize> {
    text(value)?.parse().ok()
}

fn schema(facts: &Value) -> Schema {
    let format = &facts["format"];
    let inner = if format.is_object() { format } else { &facts["properties"] };
    let fields: BTreeMap<_, _> = inner
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, facts)| facts.is_object())
        .map(|(name, facts)| (name.clone(), schema(facts)))
        .collect();
    Schema {
        kind: match facts["type"].as_str() {
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            Some("boolean") => Kind::Boolean,
            Some("array") => Kind::Array,
            Some("object") => Kind::Object,
            Some("string") => Kind::String,
            Some("null") => Kind::Null,
            _ => Kind::Any,
        },
        required: !truth(&facts["optional"]),
        default: text(&facts["default"]),
        minimum: number(&facts["minimum"]),
        maximum: number(&facts["maximum"]),
        min_length: length(&facts["min_length"]),
        max_length: length(&facts["max_length"]),
        values: facts["enum"].as_array().into_iter().flatten().filter_map(text).collect(),
        format: format.as_str().map(str::to_owned),
        pattern: text(&facts["pattern"]),
        default_key: truth(&facts["default_key"]),
        fields,
        items: facts["items"].is_object().then(|| Box::new(schema(&facts["items"]))),
    }
}

fn permission(facts: &Value) -> Permission {
    match (facts["user"].as_str(), &facts["check"]) {
        (_, check) if check.is_array() => Permission::Check(self::check(check)),
        (Some("world"), _) => Permission::World,
        (Some("all"), _) => Permission::User,
        _ => Permission::Root,
    }
}

fn check(facts: &Value) -> Check {
    let parts = facts.as_array().unwrap();
    let names =
        |value: &Value| -> Vec<String> { value.as_array().into_iter().flatten().filter_map(text).collect() };
    match parts[0].as_str().unwrap() {
        "and" => Check::All(parts[1..].iter().map(check).collect()),
        "or" => Check::Any(parts[1..].iter().map(check).collect()),
        "perm" => {
            let (path, privileges) = (parts[1].as_str().unwrap().to_owned(), names(&parts[2]));
            let any = parts.iter().position(|part| part == "any").is_some_and(|at| truth(&parts[at + 1]));
            if any { Check::PermAny { path, privileges } } else { Check::Perm { path, privileges } }
        }
        _ => Check::Special(parts.iter().map(|part| text(part).unwrap_or_default()).collect()),
    }
}
