//! The floors: a crate imports only from floors below its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

use std::collections::BTreeMap;
use std::path::Path;

/// Every crate has its floor here, and nowhere else.
const FLOORS: [(&str, u8); 9] = [
    ("api", 2),
    ("catalogue", 0),
    ("fleet", 3),
    ("model", 1),
    ("muster", 5),
    ("pve", 1),
    ("pve-sim", 2),
    ("server", 4),
    ("store", 2),
];

fn crates() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifests() -> BTreeMap<String, toml::Table> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(crates()).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        if let Ok(text) = std::fs::read_to_string(&manifest) {
            let table: toml::Table = text.parse().unwrap();
            found.insert(table["package"]["name"].as_str().unwrap().to_owned(), table);
        }
    }
    found
}

fn imports(manifest: &toml::Table, section: &str) -> Vec<String> {
    let plain = manifest.get(section).and_then(toml::Value::as_table);
    let by_target = manifest.get("target").and_then(toml::Value::as_table);
    let by_target =
        by_target.into_iter().flat_map(toml::Table::values).filter_map(|t| t.get(section)?.as_table());
    plain.into_iter().chain(by_target).flat_map(toml::Table::keys).cloned().collect()
}

#[test]
fn every_crate_has_a_floor_and_imports_only_from_below() {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let manifests = manifests();
    assert_eq!(
        manifests.keys().map(String::as_str).collect::<Vec<_>>(),
        floors.keys().copied().collect::<Vec<_>>(),
        "the crates in the folder and the crates with a floor"
    );
    for (name, manifest) in &manifests {
        for section in ["dependencies", "build-dependencies"] {
            for import in imports(manifest, section) {
                let Some(floor) = floors.get(import.as_str()) else { continue };
                assert!(
                    *floor < floors[name.as_str()],
                    "{name} (floor {}) imports {import} (floor {floor})",
                    floors[name.as_str()]
                );
            }
        }
    }
}

/// What the client and the simulator both got wrong must not cancel out.
#[test]
fn the_simulator_and_the_client_share_the_catalogue_alone() {
    let manifests = manifests();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let sim = imports(&manifests["pve-sim"], section);
        assert!(!sim.iter().any(|i| matches!(i.as_str(), "pve" | "model" | "fleet" | "muster")), "{sim:?}");
    }
    let client = imports(&manifests["pve"], "dependencies");
    assert!(!client.iter().any(|i| i == "pve-sim"), "{client:?}");
}

/// `model` is pure: no clock, no files, no sockets, no runtime.
#[test]
fn the_model_reads_no_clock_and_does_no_io() {
    let imports = imports(&manifests()["model"], "dependencies");
    assert!(!imports.iter().any(|i| matches!(i.as_str(), "tokio" | "rand" | "tracing")), "{imports:?}");
    let mut folders = vec![crates().join("model/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in ["::now()", "std::fs", "std::net", "std::env", "async fn", "SystemTime", "Instant"] {
                assert!(!text.contains(word), "{} has {word}", path.display());
            }
        }
    }
}

/// The promise of `#![forbid(unsafe_code)]` is made once, for all.
#[test]
fn every_crate_takes_the_workspace_lints() {
    for (name, manifest) in manifests() {
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{name}");
        assert_eq!(manifest["package"]["license"]["workspace"].as_bool(), Some(true), "{name}");
    }
}
