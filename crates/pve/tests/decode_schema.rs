//! What is declared of a field agrees with the documented return types of the releases that document it: its
//! kind, and the release it is known since. The documents lie beside the checkout or under `$PVE_CORPUS`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pve::decode::{FieldFact, Kind, Reply};
use pve::reply::{
    self, AclRow, CertificateInfo, ClusterInfo, ClusterNode, Domain, GuestListRow, GuestRow, GuestStatus,
    HaStatusRow, Interface, IpAddress, LogLine, NetworkRow, NodeListRow, NodeRow, NodeStatus, PendingRow,
    RoleRow, SdnRow, StorageRow, TaskRow, TaskStatus, Ticket, Token, TokenInfo, TokenRow, User, Version,
};
use serde_json::Value;

/// Call, type of its object or rows, and the part of the documented object it describes.
const DOCUMENTED: &[(&str, &str, &str, &[FieldFact])] = &[
    ("GET", "/version", "", Version::FIELDS),
    ("GET", "/access/domains", "", Domain::FIELDS),
    ("POST", "/access/ticket", "", Ticket::FIELDS),
    ("POST", "/access/users/{userid}/token/{tokenid}", "", Token::FIELDS),
    ("GET", "/access/users/{userid}", "", User::FIELDS),
    ("GET", "/access/users/{userid}/token", "", TokenRow::FIELDS),
    ("GET", "/access/users/{userid}/token/{tokenid}", "", TokenInfo::FIELDS),
    ("PUT", "/access/users/{userid}/token/{tokenid}", "", TokenInfo::FIELDS),
    ("GET", "/access/roles", "", RoleRow::FIELDS),
    ("GET", "/access/acl", "", AclRow::FIELDS),
    ("GET", "/cluster/resources", "", GuestRow::FIELDS),
    ("GET", "/cluster/resources", "", NodeRow::FIELDS),
    ("GET", "/cluster/resources", "", StorageRow::FIELDS),
    ("GET", "/cluster/resources", "", NetworkRow::FIELDS),
    ("GET", "/cluster/resources", "", SdnRow::FIELDS),
    ("GET", "/cluster/status", "", ClusterInfo::FIELDS),
    ("GET", "/cluster/status", "", ClusterNode::FIELDS),
    ("GET", "/cluster/ha/status/current", "", HaStatusRow::FIELDS),
    ("GET", "/nodes", "", NodeListRow::FIELDS),
    ("GET", "/nodes/{node}/status", "", NodeStatus::FIELDS),
    ("GET", "/nodes/{node}/status", "cpuinfo", reply::CpuInfo::FIELDS),
    ("GET", "/nodes/{node}/status", "memory", reply::Memory::FIELDS),
    ("GET", "/nodes/{node}/status", "rootfs", reply::Space::FIELDS),
    ("GET", "/nodes/{node}/status", "current-kernel", reply::Kernel::FIELDS),
    ("GET", "/nodes/{node}/status", "boot-info", reply::BootInfo::FIELDS),
    ("GET", "/nodes/{node}/certificates/info", "", CertificateInfo::FIELDS),
    ("GET", "/nodes/{node}/tasks", "", TaskRow::FIELDS),
    ("GET", "/nodes/{node}/tasks/{upid}/status", "", TaskStatus::FIELDS),
    ("GET", "/nodes/{node}/tasks/{upid}/log", "", LogLine::FIELDS),
    ("GET", "/nodes/{node}/lxc", "", GuestListRow::FIELDS),
    ("GET", "/nodes/{node}/qemu", "", GuestListRow::FIELDS),
    ("GET", "/nodes/{node}/lxc/{vmid}/status/current", "", GuestStatus::FIELDS),
    ("GET", "/nodes/{node}/qemu/{vmid}/status/current", "", GuestStatus::FIELDS),
    ("GET", "/nodes/{node}/lxc/{vmid}/pending", "", PendingRow::FIELDS),
    ("GET", "/nodes/{node}/lxc/{vmid}/interfaces", "", Interface::FIELDS),
    ("GET", "/nodes/{node}/lxc/{vmid}/interfaces", "ip-addresses", IpAddress::FIELDS),
    ("GET", "/nodes/{node}/lxc/{vmid}/config", "", reply::GuestConfig::FIELDS),
    ("GET", "/nodes/{node}/qemu/{vmid}/config", "", reply::GuestConfig::FIELDS),
];

/// Where the document itself is at odds with every recording and with the other releases' documents.
const MISTAKEN: &[(&str, &str)] = &[("6.4-15", "mem"), ("6.4-15", "disk"), ("7.4-16", "starttime")];

/// Whether a declared kind reads everything of a documented type.
fn agrees(declared: Kind, documented: &str) -> bool {
    match documented {
        "boolean" => declared == Kind::Bool,
        // A count that is a number in one call is an integer in another.
        "integer" => matches!(declared, Kind::Int | Kind::UInt | Kind::Float),
        "number" => declared == Kind::Float,
        "string" => {
            matches!(
                declared,
                Kind::Text | Kind::Secret | Kind::List | Kind::Scalar | Kind::Upid | Kind::GuestKind
            )
        }
        "array" => matches!(declared, Kind::List | Kind::Floats | Kind::Objects(_)),
        "object" => matches!(declared, Kind::Object(_) | Kind::Any),
        other => panic!("no rule for {other}"),
    }
}

/// The documented fields of a call in one release, by name: their type.
fn documented(schema: &Value, method: &str, path: &str, part: &str) -> BTreeMap<String, String> {
    let endpoints = schema["endpoints"].as_array().unwrap();
    let Some(endpoint) = endpoints.iter().find(|e| e["method"] == method && e["path"] == path) else {
        return BTreeMap::new();
    };
    let rows = |v: &Value| if v["type"] == "array" { v["items"].clone() } else { v.clone() };
    let mut object = rows(&endpoint["returns"]);
    if !part.is_empty() {
        object = rows(&object["properties"][part]);
    }
    let fields = object["properties"].as_object().into_iter().flatten();
    fields.filter_map(|(name, fact)| Some((name.clone(), fact["type"].as_str()?.to_owned()))).collect()
}

fn corpus() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/pve");
    let root = std::env::var_os("PVE_CORPUS").map_or_else(|| beside.into(), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no documents at {}", root.display());
    println!("skipped: no documents at {}", root.display());
    None
}

/// All text in a folder, the folders in it included.
fn all_text(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_text(&path, into);
        } else {
            into.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
    }
}

/// A misspelt name would never be sent, and its field be unknown for ever without anybody noticing.
#[test]
fn every_declared_name_is_documented_or_was_recorded() {
    let Some(root) = corpus() else { return };
    let mut text = String::new();
    for folder in ["schema", "bodies", "wire"] {
        all_text(&root.join(folder), &mut text);
    }
    let names: BTreeSet<_> = reply::ALL.iter().flat_map(|facts| facts.fields).map(|fact| fact.wire).collect();
    let unheard: Vec<_> = names.iter().filter(|name| !text.contains(&format!("\"{name}\""))).collect();
    assert!(unheard.is_empty(), "{unheard:?}");
}

#[test]
fn declared_fields_agree_with_the_documented_ones() {
    let Some(root) = corpus() else { return };
    let releases = [((6, 4), "6.4-15"), ((7, 4), "7.4-16"), ((8, 4), "8.4.5"), ((9, 2), "9.2.3")];
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (release, name) in releases {
        let text = fs::read_to_string(root.join(format!("schema/pve-{name}.json"))).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        for (method, path, part, facts) in DOCUMENTED {
            let documented = documented(&schema, method, path, part);
            for fact in *facts {
                let Some(kind) = documented.get(fact.wire) else { continue };
                compared += 1;
                let at = format!("{method} {path} {part} `{}` in {name}", fact.wire);
                if !agrees(fact.kind, kind) && !MISTAKEN.contains(&(name, fact.wire)) {
                    wrong.push(format!("{at}: documented as {kind}, declared as {}", fact.kind));
                }
                if fact.since.is_some_and(|since| since > release) {
                    wrong.push(format!("{at}: declared since {:?}", fact.since));
                }
            }
        }
    }
    println!("{compared} documented fields compared");
    assert!(compared > 600, "{compared}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
