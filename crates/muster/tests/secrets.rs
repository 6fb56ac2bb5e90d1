//! No secret is anywhere in what `muster` writes, its own log and that of every dependency at trace included: neither
//! as it is, nor percent-, base64- or JSON-encoded.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use common::canary::forms;
use common::{Host, TOTP_SECRET, host, path, run, secret};
use pve_sim::Fault;
use pve_sim::topology::{AclSpec, TokenSpec, UserSpec};

/// A password that looks different in every encoding.
const PASSWORD: &str = "cänary \"p\\w/ d%+&=9Q";
const WRONG: &str = "wröng-cänary \"x\\y%+&=7Z";
const TOKEN: &str = "7e1c5f2e-c4na-4b1d-t0ken-000000000077";
const WRONG_TOKEN: &str = "0badc0de-c4na-4b1d-t0ken-000000000078";
const RECOVERY: &str = "c0de-c4na-ry00-0001";
/// Longer than a real code: six digits stand by chance in the hexadecimal of a trace now and then.
const WRONG_CODE: &str = "918273645546372819";

fn topology(version: &str) -> pve_sim::Topology {
    let mut topology = host(version);
    let remote = &mut topology.remotes[0];
    remote.users.retain(|u| !matches!(u.userid.as_str(), "root@pam" | "tfa@pve"));
    remote.users.push(UserSpec {
        userid: "root@pam".to_owned(),
        password: PASSWORD.to_owned(),
        tokens: vec![TokenSpec {
            name: "ops".to_owned(),
            secret: TOKEN.to_owned(),
            privsep: false,
            ..TokenSpec::default()
        }],
        ..UserSpec::default()
    });
    remote.users.push(UserSpec {
        userid: "tfa@pve".to_owned(),
        password: PASSWORD.to_owned(),
        totp_secret: Some(TOTP_SECRET.to_owned()),
        recovery: vec![RECOVERY.to_owned()],
        acl: vec![AclSpec::new("/", "PVEAdmin")],
        ..UserSpec::default()
    });
    topology
}

/// A log line without its time: six digits of a second may be a code by chance.
fn without_times(text: &str) -> String {
    let timeless = |line: &str| match line.split_once(' ') {
        Some((first, rest)) if first.ends_with('Z') && first.contains('T') => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(timeless).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let found = |text: &str| forms(PASSWORD).iter().any(|f| text.contains(f.as_str()));
    assert!(found(&format!("password={PASSWORD}")));
    assert!(found(&format!("{:?}", PASSWORD)));
    assert!(found(&serde_json::json!({ "p": PASSWORD }).to_string()));
    assert!(found("password=c%C3%A4nary%20%22p%5Cw%2F%20d%25%2B%26%3D9Q&x=1"));
    for before in ["", "x", "xy", "xyz"] {
        assert!(found(&STANDARD_NO_PAD.encode(format!("{before}{PASSWORD}tail"))), "{before}");
    }
    assert!(!found("nothing to see"));
}

async fn everything_said(version: &str) -> String {
    let host = Host::of(topology(version)).await;
    let (password, wrong) = (secret(PASSWORD), secret(WRONG));
    let (token, wrong_token) =
        (secret(&format!("root@pam!ops={TOKEN}")), secret(&format!("root@pam!ops={WRONG_TOKEN}")));
    let (recovery, wrong_code) = (secret(RECOVERY), secret(WRONG_CODE));
    let (password, wrong, token, wrong_token) =
        (path(&password), path(&wrong), path(&token), path(&wrong_token));
    let (recovery, wrong_code) = (path(&recovery), path(&wrong_code));
    let (address, fingerprint) = (host.address.as_str(), host.fingerprint.as_str());

    let by_password = ["--user", "root@pam", "--password-file", password.as_str()];
    let by_wrong = ["--user", "root@pam", "--password-file", wrong.as_str()];
    let by_token = ["--token-file", token.as_str()];
    let by_wrong_token = ["--token-file", wrong_token.as_str()];
    let by_factor =
        ["--user", "tfa@pve", "--password-file", password.as_str(), "--otp-file", recovery.as_str()];
    let by_wrong_factor =
        ["--user", "tfa@pve", "--password-file", password.as_str(), "--otp-file", wrong_code.as_str()];
    let mut said = String::new();
    let mut go = async |what: &[&str], how: &[&str], code: Option<i32>| {
        let mut args = match what {
            ["doctor", ..] => vec!["doctor", address],
            _ => vec!["at", address],
        };
        args.extend(["--fingerprint", fingerprint]);
        args.extend(how);
        args.extend(what.iter().filter(|w| **w != "doctor"));
        let run = run(&args, None, &[("MUSTER_LOG", "trace"), ("RUST_BACKTRACE", "1")]).await;
        if let Some(code) = code {
            let end = run.err.lines().last();
            assert_eq!(run.code, code, "{version}: {what:?} {how:?}: {end:?}");
        }
        assert!(run.err.contains("TRACE"), "the log is there");
        said.push_str(&run.out);
        said.push_str(&run.err);
    };
    go(&["ls", "-o", "json"], &by_password, Some(0)).await;
    go(&["ls"], &by_wrong, Some(4)).await;
    go(&["show", "101", "-o", "json"], &by_token, Some(0)).await;
    go(&["ls"], &by_wrong_token, Some(4)).await;
    go(&["ls"], &by_factor, Some(0)).await;
    go(&["ls"], &by_wrong_factor, Some(4)).await;
    go(&["stop", "101", "-o", "json"], &by_password, Some(0)).await;
    go(&["start", "101"], &by_token, Some(0)).await;
    go(&["doctor", "-o", "json"], &by_password, None).await;
    go(&["doctor"], &by_wrong_token, Some(4)).await;

    // A server that repeats what it was sent, and answers that break.
    for (fault, how) in [
        (
            Fault::ServerError { text: format!("no such password: {PASSWORD}") }.on("/access/ticket"),
            &by_password[..],
        ),
        (
            Fault::ServerError { text: format!("no such password: {PASSWORD}") }.on("/cluster/*"),
            &by_password[..],
        ),
        (Fault::Forbidden { text: format!("bad token {TOKEN}") }.on("/cluster/*"), &by_token[..]),
        (Fault::MalformedJson.on("/access/ticket"), &by_password[..]),
        (Fault::Cut { after_bytes: 40 }.on("/access/ticket"), &by_password[..]),
        (Fault::PlainTextBody.into(), &by_password[..]),
        (Fault::Redirect { to: "https://elsewhere.example".to_owned() }.into(), &by_password[..]),
    ] {
        host.remote.fault(None, fault).await;
        go(&["ls"], how, None).await;
        go(&["doctor", "-o", "json"], how, None).await;
        host.remote.clear_all().await;
    }
    host.sim.stop().await;
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_is_written() {
    for version in ["7.4", "9.2"] {
        let said = without_times(&everything_said(version).await);
        for (what, secret) in [
            ("password", PASSWORD),
            ("wrong password", WRONG),
            ("token", TOKEN),
            ("wrong token", WRONG_TOKEN),
            ("recovery key", RECOVERY),
            ("one-time code", WRONG_CODE),
            ("ticket", "PVE:root@pam:"),
            ("ticket of the challenge", "PVE:!tfa!"),
            ("TOTP secret", TOTP_SECRET),
        ] {
            for form in forms(secret) {
                if let Some(at) = said.find(&form) {
                    let line = said[..at].matches('\n').count();
                    panic!(
                        "{version}: the {what} is written, as {form:?}: {}",
                        said.lines().nth(line).unwrap()
                    );
                }
            }
        }
    }
}
