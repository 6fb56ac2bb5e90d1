//! A client that others wrote, against the simulator: proxmoxer from PyPI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::path::PathBuf;

use pve_sim::Topology;
use pve_sim::topology::{AclSpec, TokenSpec, UserSpec};

/// The interpreter of the environment that `make venv` makes.
fn python() -> Option<PathBuf> {
    let given = std::env::var_os("MUSTER_PYTHON").map(PathBuf::from);
    let usual = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/bin/python"));
    given.or(Some(usual)).filter(|path| path.is_file())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxmoxer_works_with_it() {
    let Some(python) = python() else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no Python environment: run `make venv`");
        println!("skipped: run `make venv`");
        return;
    };
    for version in ["7.4", "8.4", "9.2"] {
        let mut topology = Topology::single(version);
        let users = &mut topology.remotes[0].users;
        users.push(UserSpec {
            userid: "carol@pve".to_owned(),
            password: "secret-carol".to_owned(),
            totp_secret: Some("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".to_owned()),
            acl: vec![AclSpec::new("/", "PVEAuditor")],
            ..UserSpec::default()
        });
        users[0].tokens.push(TokenSpec {
            name: "robot".to_owned(),
            secret: "0b75e0e2-51f5-4c4e-a6b8-5e1b0f2d5a11".to_owned(),
            privsep: false,
            ..TokenSpec::default()
        });
        let (sim, remote) = support::start(topology).await;
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("pve-root-ca.pem");
        std::fs::write(&ca, remote.ca_pem()).unwrap();
        let address = remote.first_address();
        let output = tokio::process::Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/drive_with_proxmoxer.py"))
            .args([address.ip().to_string(), address.port().to_string()])
            .arg(&ca)
            .arg(version)
            .env_remove("http_proxy")
            .env_remove("https_proxy")
            .env_remove("HTTPS_PROXY")
            .env_remove("ALL_PROXY")
            .env("NO_PROXY", "127.0.0.1")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.trim() == "done", "{version}: {said}\n{complained}");
        sim.stop().await;
    }
}
