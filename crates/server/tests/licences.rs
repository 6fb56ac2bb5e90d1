//! The list of what Muster is made of is what cargo and npm say.
//!
//! `LICENCES_WRITE=1 cargo test -p server --test licences` writes it anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use api::system::{Licence, LicencePart};
use serde_json::Value;

/// The list is of this platform's build; others differ in a few names.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text<'a>(of: &'a Value, field: &str) -> &'a str {
    of[field].as_str().unwrap_or_default()
}

/// What is linked into the binary: from `muster` along normal dependencies; what runs only while it is built is not.
fn of_cargo() -> Vec<Licence> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", PLATFORM])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(package, "id"), package))
        .collect();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let only_builds = |package: &Value| {
        let targets = package["targets"].as_array().unwrap();
        targets.iter().any(|target| target["kind"].as_array().unwrap().contains(&"proc-macro".into()))
    };
    let binary = packages.values().find(|package| text(package, "name") == "muster").unwrap();
    let (mut seen, mut next) = (BTreeSet::new(), vec![text(binary, "id")]);
    while let Some(id) = next.pop() {
        if only_builds(packages[id]) || !seen.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let linked =
                dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
            next.extend(linked.then(|| text(dependency, "pkg")));
        }
    }
    // What has no source is ours.
    let theirs = seen.into_iter().map(|id| packages[id]).filter(|package| !package["source"].is_null());
    theirs
        .map(|package| {
            let licence = text(package, "license");
            licence_of("cargo", text(package, "name"), text(package, "version"), licence, LicencePart::Binary)
        })
        .collect()
}

/// What the console's build may take code from.
fn of_npm() -> Vec<Licence> {
    let lock = std::fs::read_to_string(root().join("web/package-lock.json")).unwrap();
    let lock: Value = serde_json::from_str(&lock).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    let shipped = packages.iter().filter(|(path, package)| !path.is_empty() && package["dev"] != true);
    let found: BTreeSet<Licence> = shipped
        .map(|(path, package)| {
            let name = path.rsplit("node_modules/").next().unwrap();
            let (version, licence) = (text(package, "version"), text(package, "license"));
            licence_of("npm", name, version, licence, LicencePart::Console)
        })
        .collect();
    found.into_iter().collect()
}

fn licence_of(registry: &str, name: &str, version: &str, licence: &str, part: LicencePart) -> Licence {
    assert!(!licence.is_empty(), "{name} {version} names no licence");
    Licence {
        id: format!("{registry}:{name}@{version}"),
        name: name.to_owned(),
        version: version.to_owned(),
        // An old way to write it.
        licence: licence.split('/').map(str::trim).collect::<Vec<_>>().join(" OR "),
        part,
    }
}

fn said() -> Vec<Licence> {
    let mut all = of_cargo();
    all.extend(of_npm());
    all.sort_by(|a, b| (a.part, &a.name, &a.version).cmp(&(b.part, &b.name, &b.version)));
    all
}

#[test]
fn the_list_is_what_cargo_and_npm_say() {
    let said = said();
    assert!(said.len() > 150, "{}", said.len());
    if std::env::var_os("LICENCES_WRITE").is_some() {
        let lines: String = said.iter().map(|one| serde_json::to_string(one).unwrap() + "\n").collect();
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/licences.jsonl"), lines).unwrap();
        return;
    }
    let kept: BTreeSet<Licence> = server::licences::all(true).into_iter().collect();
    let said: BTreeSet<Licence> = said.into_iter().collect();
    let missing: Vec<&str> = said.difference(&kept).map(|one| one.id.as_str()).collect();
    let stale: Vec<&str> = kept.difference(&said).map(|one| one.id.as_str()).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "not in the list: {missing:?}; in it without being used: {stale:?}. \
         LICENCES_WRITE=1 cargo test -p server --test licences"
    );
}

#[test]
fn nothing_in_it_asks_for_more_than_to_be_named() {
    // Of those that leave a choice one must be free; of those that leave none, all.
    let free = [
        "MIT",
        "MIT-0",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unlicense",
        "CC0-1.0",
        "0BSD",
        "Unicode-3.0",
        "CDLA-Permissive-2.0",
        "BSL-1.0",
        "Apache-2.0 WITH LLVM-exception",
        "MPL-2.0",
        "WTFPL",
        "Unicode-DFS-2016",
    ];
    for one in server::licences::all(true) {
        let fine = one.licence.split(" OR ").any(|choice| {
            let choice = choice.trim().trim_matches(['(', ')']);
            choice.split(" AND ").all(|part| free.contains(&part.trim().trim_matches(['(', ')'])))
        });
        assert!(fine, "{}: {}", one.id, one.licence);
    }
}

#[test]
fn a_binary_without_the_console_does_not_name_its_parts() {
    let all = server::licences::all(true);
    let without = server::licences::all(false);
    assert!(without.len() < all.len());
    assert!(without.iter().all(|one| one.part == LicencePart::Binary));
}
