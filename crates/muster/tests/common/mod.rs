//! The real binary against the simulator in this process.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod canary;
pub mod cost;
pub mod many;
pub mod process;

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use pve_sim::topology::{AclSpec, TokenSpec, UserSpec};
use pve_sim::{Remote, Sim, SimTimings, Topology};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

pub const PASSWORD: &str = "canary-password-9Q";
pub const TOKEN_SECRET: &str = "7e1c5f2e-canary-4b1d-token-000000000001";
pub const TOTP_SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("not JSON: {e}: {self:?}"))
    }
}

/// Runs `muster` without a terminal.
pub async fn muster(args: &[&str]) -> Run {
    run(args, None, &[]).await
}

pub async fn run(args: &[&str], stdin: Option<&str>, env: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command.env_remove("MUSTER_LOG").envs(env.iter().copied());
    let mut child = command.spawn().unwrap();
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        pipe.write_all(text.as_bytes()).await.unwrap();
    }
    let output = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("muster {args:?} does not end"))
        .unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file with a secret on its one line.
pub fn secret(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{text}").unwrap();
    file
}

pub fn path(file: &NamedTempFile) -> String {
    file.path().to_str().unwrap().to_owned()
}

/// One stand-alone host `pve1` with users that have what the tests need:
/// `root@pam` with a token `ops` of full rights, `tfa@pve` with a TOTP, `look@pve` who may only look, `nobody@pve`
/// without rights.
pub fn host(version: &str) -> Topology {
    let mut topology = Topology::single(version);
    let remote = &mut topology.remotes[0];
    remote.users.retain(|u| u.userid != "root@pam");
    let user = |userid: &str, acl: Vec<AclSpec>| UserSpec {
        userid: userid.to_owned(),
        password: PASSWORD.to_owned(),
        acl,
        ..UserSpec::default()
    };
    let token = |name: &str, privsep| TokenSpec {
        name: name.to_owned(),
        secret: TOKEN_SECRET.to_owned(),
        privsep,
        ..TokenSpec::default()
    };
    remote.users.push(UserSpec { tokens: vec![token("ops", false)], ..user("root@pam", Vec::new()) });
    remote.users.push(UserSpec {
        totp_secret: Some(TOTP_SECRET.to_owned()),
        recovery: vec!["1a2b-3c4d-5e6f-7a8b".to_owned()],
        ..user("tfa@pve", vec![AclSpec::new("/", "PVEAdmin")])
    });
    remote.users.push(user("look@pve", vec![AclSpec::new("/", "PVEAuditor")]));
    remote.users.push(user("nobody@pve", Vec::new()));
    topology
}

/// The simulator with that one host.
pub struct Host {
    pub sim: Sim,
    pub remote: Remote,
    pub address: String,
    pub fingerprint: String,
    pub token: NamedTempFile,
    pub password: NamedTempFile,
}

impl Host {
    pub async fn start(version: &str) -> Self {
        Self::of(host(version)).await
    }

    pub async fn of(topology: Topology) -> Self {
        let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
        let remote = sim.first().unwrap();
        let node = remote.nodes()[0].clone();
        Self {
            address: remote.first_address().to_string(),
            fingerprint: remote.leaf_fingerprint(&node).unwrap(),
            token: secret(&format!("root@pam!ops={TOKEN_SECRET}")),
            password: secret(PASSWORD),
            remote,
            sim,
        }
    }

    /// `muster at HOST --token-file … --fingerprint …`, and more.
    pub async fn at(&self, more: &[&str]) -> Run {
        let token = path(&self.token);
        let mut args = vec!["at", &self.address, "--token-file", &token, "--fingerprint", &self.fingerprint];
        args.extend(more);
        muster(&args).await
    }

    /// The same, as a user with the password.
    pub async fn at_as(&self, user: &str, more: &[&str]) -> Run {
        let password = path(&self.password);
        let mut args = vec!["at", &self.address, "--user", user, "--password-file", &password];
        args.extend(["--fingerprint", &self.fingerprint]);
        args.extend(more);
        muster(&args).await
    }
}
