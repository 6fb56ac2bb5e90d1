//! `docs/configuration.md` says of every setting what the table of settings says, and the unit that is shipped is one
//! that systemd takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

use std::path::Path;
use std::process::Command;

use muster::serve::settings::{ALL, Kind, Setting};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The line of a setting in the document.
fn row(setting: &Setting) -> String {
    let code = |text: &str| format!("`{text}`");
    let key = if setting.in_file { code(setting.key) } else { "–".to_owned() };
    let flag = setting.flag.map_or("–".to_owned(), |flag| code(&format!("--{flag}")));
    let default = match (setting.default, setting.fixed) {
        ("", _) => "none".to_owned(),
        (value, true) => code(value),
        (words, false) => words.to_owned(),
    };
    format!("| {key} | {flag} | `{}` | {default} | {} |", setting.variable, setting.help)
}

#[test]
fn every_setting_is_documented_as_it_is() {
    let document = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let missing: Vec<String> = ALL.iter().map(|s| row(s)).filter(|row| !document.contains(row)).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks:\n{}", missing.join("\n"));
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.contains("`MUSTER_")).count();
    assert_eq!(rows, ALL.len(), "docs/configuration.md has settings that are none");
    for setting in ALL.iter().filter(|setting| setting.kind == Kind::Secret) {
        assert_eq!(setting.flag, None, "a secret is never an argument: {}", setting.key);
    }
}

/// The unit with a program that is there in the place of the one that would be.
#[test]
fn systemd_takes_the_unit() {
    let unit = std::fs::read_to_string(root().join("contrib/muster.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/local/bin/muster serve"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.service");
    std::fs::write(&path, unit.replace("/usr/local/bin/muster serve", env!("CARGO_BIN_EXE_muster"))).unwrap();
    let Ok(ended) = Command::new("systemd-analyze").arg("verify").arg(&path).output() else {
        // A machine without systemd is no reason to fail: the unit is for those that have it.
        println!("skipped: there is no systemd-analyze here");
        return;
    };
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && said.trim().is_empty(), "{said}");
}
