//! The command line against a server that does what a real one seldom does: loses answers, refuses, is none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;
mod fake;

use std::process::Stdio;
use std::time::Duration;

use clap::Parser;
use common::muster;
use fake::{Asked, Fake, Reply, guest, operation, page, remote};
use muster::cli::Cli;
use muster::term::ask::Scripted;
use muster::term::table::Paper;
use muster::{Context, run};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn no_server_says_what_was_tried_and_how_to_start_one() {
    let nowhere = tempfile::tempdir().unwrap();
    let dir = nowhere.path().to_str().unwrap();
    for command in [
        vec!["guest", "ls"],
        vec!["guest", "start", "web"],
        vec!["remote", "ls", "-o", "json"],
        vec!["node", "ls"],
        vec!["storage", "ls"],
        vec!["task", "ls"],
        vec!["operation", "ls"],
        vec!["event", "ls"],
        vec!["user", "ls"],
        vec!["token", "ls"],
    ] {
        let mut line = command.clone();
        line.extend(["--data-dir", dir]);
        let run = muster(&line).await;
        assert_eq!((run.code, run.out.as_str()), (6, ""), "{command:?}: {run:?}");
        for words in ["No server found", "muster.sock: not there", "muster serve", "muster login URL"] {
            assert!(run.err.contains(words), "{command:?}: {words} in {run:?}");
        }
    }
}

fn two_webs(asked: &Asked) -> Reply {
    let all = [
        guest((1, "home"), 101, "web", "running"),
        guest((2, "site"), 101, "mail", "stopped"),
        guest((2, "site"), 200, "web", "running"),
        guest((2, "site"), 201, "db", "running"),
    ];
    let fits = |g: &&serde_json::Value| match () {
        () if asked.query.contains("vmid%3A101") => g["vmid"] == 101,
        () if asked.query.contains("name%3A%22web%22") => g["name"] == "web",
        () if asked.query.contains("name%3A%22db%22") => g["name"] == "db",
        () if asked.query.contains("q=") => false,
        () => true,
    };
    Reply::Json(200, page(&all.iter().filter(fits).cloned().collect::<Vec<_>>()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_the_only_one_or_none() {
    let fake = Fake::start(|asked, _| match asked.path.as_str() {
        "/api/v1/guests" => two_webs(asked),
        "/api/v1/operations" => Reply::Json(
            202,
            operation("1", 201, "db", "start", json!({ "state": "succeeded", "success": true })),
        ),
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    for text in ["web", "101"] {
        let run = fake.muster(&["guest", "start", text]).await;
        assert_eq!(run.code, 2, "{text}: {run:?}");
        assert!(run.err.contains("home/101  web") && run.err.contains("site/"), "{text}: {run:?}");
        assert!(run.err.contains("REMOTE/VMID"), "{run:?}");
    }
    let run = fake.muster(&["guest", "start", "nas"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("no guest “nas”"), "{run:?}");
    assert!(fake.mutations().is_empty(), "nothing was sent");

    let run = fake.muster(&["guest", "start", "db"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let sent = fake.mutations();
    assert_eq!((sent.len(), &sent[0].body["vmid"], &sent[0].body["remote"]), (1, &json!(201), &json!("2")));
    assert!(run.out.contains("start container db (site/201): done"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_once_more_with_the_same_key() {
    let once = Fake::start(|asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => two_webs(asked),
        _ => Reply::Json(
            202,
            operation("1", 201, "db", "start", json!({ "state": "succeeded", "success": true })),
        ),
    });
    let lost = std::sync::atomic::AtomicUsize::new(0);
    let flaky = Fake::start(move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => two_webs(asked),
        _ if lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 => Reply::Nothing,
        _ => Reply::Json(
            202,
            operation("1", 201, "db", "start", json!({ "state": "succeeded", "success": true })),
        ),
    });
    for (fake, times) in [(once, 1), (flaky, 2)] {
        let run = fake.muster(&["guest", "start", "db"]).await;
        assert_eq!(run.code, 0, "{run:?}");
        let keys: Vec<_> = fake.mutations().into_iter().map(|m| m.key.unwrap()).collect();
        assert_eq!(keys.len(), times, "{keys:?}");
        assert!(keys.iter().all(|k| *k == keys[0] && k.len() >= 16), "{keys:?}");
    }
    let dead = Fake::start(|asked, _| match asked.method.as_str() {
        "GET" => two_webs(asked),
        _ => Reply::Nothing,
    });
    let run = dead.muster(&["guest", "start", "db"]).await;
    assert_eq!(run.code, 7, "nobody knows whether it was done: {run:?}");
    assert_eq!(dead.mutations().len(), 2);
    assert!(run.err.contains("muster operation ls"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_guests_have_each_their_own_end() {
    let fake = Fake::start(|asked, _| {
        let vmid = asked.body["vmid"].as_u64().unwrap_or(0);
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/api/v1/guests") => Reply::Json(
                200,
                page(&[
                    guest((1, "home"), 101, "web", "running"),
                    guest((1, "home"), 102, "db", "running"),
                    guest((1, "home"), 103, "nas", "running"),
                ]),
            ),
            ("POST", _) if vmid == 101 => Reply::Json(
                202,
                operation("1", 101, "web", "stop", json!({ "state": "succeeded", "success": true })),
            ),
            ("POST", _) if vmid == 102 => Reply::Json(
                202,
                operation(
                    "2",
                    102,
                    "db",
                    "stop",
                    json!({
                        "state": "failed", "detail": { "why": "task", "exit": "no" }, "sentence": "failed: no",
                    }),
                ),
            ),
            ("POST", _) => Reply::Problem(
                403,
                json!({ "detail": "an operator on home may do that", "remedy": "Ask for the role." }),
            ),
            _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
        }
    });
    let run = fake.muster(&["guest", "stop", "--query", "tag:lab"]).await;
    assert_eq!(run.code, 2, "a script has to say --yes: {run:?}");
    assert!(run.err.contains("--yes") && run.err.contains("home/103"), "{run:?}");
    let run = fake.muster(&["guest", "stop", "--query", "tag:lab", "--dry-run"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("home/102") && run.err.contains("Nothing was done"), "{run:?}");
    assert!(fake.mutations().is_empty());

    let run = fake.muster(&["guest", "stop", "--query", "tag:lab", "--yes"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.out.contains("container web (home/101): done"), "{run:?}");
    assert!(run.err.contains("db (home/102): failed: no") && run.err.contains("TASK ERROR: no"), "{run:?}");
    assert!(run.err.contains("nas (home/103)") && run.err.contains("an operator on home"), "{run:?}");
    let run = fake.muster(&["guest", "stop", "--query", "tag:lab", "--yes", "-o", "json"]).await;
    assert_eq!((run.code, &run.json()["total"]), (3, &json!(3)), "{run:?}");
    let states: Vec<_> = run.json()["items"].as_array().unwrap().iter().map(|i| i["state"].clone()).collect();
    assert_eq!(states, ["succeeded", "failed", "refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_end_with_their_codes_and_say_what_to_do() {
    let fake = Fake::start(|asked, _| match asked.path.as_str() {
        "/api/v1/remotes/unseen" => Reply::Problem(404, json!({ "detail": "There is no such remote." })),
        "/api/v1/remotes/out" => Reply::Problem(401, json!({ "detail": "not signed in" })),
        "/api/v1/remotes/small" => Reply::Problem(403, json!({ "detail": "an administrator may do that" })),
        "/api/v1/remotes/web" => Reply::Text(200, "<html>hello</html>"),
        "/api/v1/guests" => Reply::Problem(
            400,
            json!({ "type": "urn:muster:query",
                "detail": "no key is called “stat”", "remedy": "Did you mean “status”?",
                "at": { "start": 8, "end": 12 },
            }),
        ),
        _ => Reply::Problem(500, json!({ "detail": "a fault of Muster" })),
    });
    for (name, code, words) in [
        ("unseen", 2, "muster remote ls"),
        ("out", 4, "muster login"),
        ("small", 5, "muster user role"),
        ("web", 1, "is not Muster"),
        ("broken", 1, "A fault of Muster."),
    ] {
        let run = fake.muster(&["remote", "show", name, "-o", "json"]).await;
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{name}: {run:?}");
        assert!(run.err.contains(words), "{name}: {words} in {run:?}");
    }
    let run = fake.muster(&["guest", "ls", "type:ct", "stat:running"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("  type:ct stat:running\n          ^^^^\n"), "{}", run.err);
    assert!(run.err.contains("hint: Did you mean “status”?"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_goes_only_by_its_name() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(
            200,
            json!({
                "id": 7, "name": "home", "credential": { "kind": "token", "user": "root@pam!muster-1", "minted": { "id": "root@pam!muster-1" } },
            }),
        ),
        _ => Reply::Json(200, json!({ "minted_removed": "root@pam!muster-1" })),
    });
    for (args, words) in [
        (vec!["remote", "rm", "home"], "--yes home"),
        (vec!["remote", "rm", "7", "--yes", "7"], "not its name"),
        (vec!["remote", "rm", "home", "--yes", "hom"], "not its name"),
    ] {
        let run = fake.muster(&args).await;
        assert_eq!(run.code, 2, "{args:?}: {run:?}");
        assert!(run.err.contains(words), "{args:?}: {run:?}");
    }
    assert!(fake.mutations().is_empty());
    let run = fake.muster(&["remote", "rm", "home", "--yes", "home"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let sent = fake.mutations();
    assert_eq!(
        (sent[0].path.as_str(), sent[0].query.as_str()),
        ("/api/v1/remotes/7", "confirm=home&minted=remove")
    );
    let run = fake.muster(&["remote", "rm", "home", "--yes", "home", "--keep-token", "-o", "json"]).await;
    assert_eq!(run.json()["name"], "home");
    assert_eq!(fake.mutations()[1].query, "confirm=home&minted=keep");
}

/// Line, token and role: what is still on the host, why, and what removes it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_removed_remote_leaves_on_its_host_is_said() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "GET" => Reply::Json(
            200,
            json!({
                "id": 7, "name": "home",
                "credential": {
                    "kind": "token", "user": "root@pam!muster-1", "rights": "look",
                    "minted": { "id": "root@pam!muster-1", "role": "MusterLook" },
                },
            }),
        ),
        _ => Reply::Json(
            200,
            json!({ "minted_left": {
                "id": "root@pam!muster-1",
                "why": "privilege missing: Permissions.Modify on /",
                "acl": { "what": "the role MusterLook of root@pam!muster-1 on /", "why": "not allowed", "command": "remove 1" },
                "token": { "what": "the token root@pam!muster-1", "why": "not allowed either", "command": "remove 2" },
                "role": { "what": "the role MusterLook", "why": "nor this", "command": "remove 3" },
                "commands": ["remove 1", "remove 2", "remove 3"],
            } }),
        ),
    });
    let run = fake.muster(&["remote", "rm", "home", "--yes", "home"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert_eq!(fake.mutations()[0].query, "confirm=home&minted=remove", "it is tried");
    for words in ["on / (not allowed)", "the token root@pam!muster-1 (not allowed either)", "(nor this)"] {
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
    let at = |n: u8| run.err.find(&format!("  remove {n}\n")).unwrap_or_else(|| panic!("{}", run.err));
    assert!(at(1) < at(2) && at(2) < at(3), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_not_whole_says_so() {
    let fake = Fake::start(|_, _| {
        let mut page =
            page(&[guest((1, "home"), 101, "web", "running"), json!({ "id": "1/102", "odd": true })]);
        page["counts"]["remotes"]["never_listed"] = json!(1);
        Reply::Json(200, page)
    });
    let run = fake.muster(&["guest", "ls"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.out.contains("home/101") && run.err.contains("never reached"), "{run:?}");
    assert!(run.err.contains("1 row is not understood"), "{run:?}");
    let run = fake.muster(&["guest", "ls", "-o", "json"]).await;
    assert_eq!((&run.json()["total"], run.json()["items"].as_array().unwrap().len()), (&json!(2), 2));
    let run = fake.muster(&["guest", "ls", "remote:home"]).await;
    assert_eq!(run.code, 0, "the gaps of others do not matter: {run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_says_that_it_goes_on() {
    let fake = Fake::start(|asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => two_webs(asked),
        _ => Reply::Json(
            202,
            operation(
                "42",
                201,
                "db",
                "shutdown",
                json!({
                    "state": "running", "final": false, "sentence": "its task runs",
                }),
            ),
        ),
    });
    let run =
        fake.muster(&["guest", "shutdown", "db", "--wait", "1", "--timeout", "3m", "--force-stop"]).await;
    assert_eq!(run.code, 7, "{run:?}");
    assert!(
        run.err.contains("muster operation follow 42")
            && run.err.contains("its task still runs; the 1 s given with --wait have passed"),
        "what is known to run is not called unknown: {run:?}"
    );
    let run = fake.muster(&["guest", "shutdown", "db", "--wait", "1", "-o", "json"]).await;
    assert_eq!((run.code, &run.json()["state"]), (7, &json!("running")), "a script can tell: {run:?}");
    let sent = fake.mutations().len();
    assert_eq!(fake.mutations()[0].body["options"], json!({ "timeout_seconds": 180, "force_stop": true }));
    assert_eq!(sent, 2);
    let run = fake.muster(&["guest", "shutdown", "db", "--no-wait"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("muster operation follow 42"), "{run:?}");
}

/// `muster` as a process that is still running, with its lines.
fn running(
    args: &[&str],
) -> (tokio::process::Child, tokio::io::Lines<BufReader<tokio::process::ChildStdout>>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

async fn interrupt(child: tokio::process::Child) -> (i32, String) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended =
        tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await.unwrap().unwrap();
    (ended.status.code().unwrap_or(-1), String::from_utf8(ended.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_is_written_when_it_changes_and_ends_at_ctrl_c() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::start(move |request, _| match request.path.as_str() {
        "/api/v1/guests" => {
            let n = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let state = if n < 2 { "running" } else { "stopped" };
            Reply::Json(200, page(&[guest((1, "home"), 101, "web", state)]))
        }
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    let dir = fake.dir();
    let (child, mut lines) =
        running(&["guest", "ls", "--watch", "-o", "json", "--data-dir", dir.to_str().unwrap()]);
    for state in ["running", "stopped"] {
        let line =
            tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap().unwrap();
        let list: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&list["total"], &list["items"][0]["state"]), (&json!(1), &json!(state)));
    }
    let (code, err) = interrupt(child).await;
    assert_eq!((code, err.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_waiting_and_not_the_operation() {
    let going_on = || {
        operation(
            "42",
            201,
            "db",
            "shutdown",
            json!({
                "state": "running", "final": false, "sentence": "its task runs",
            }),
        )
    };
    let fake = Fake::start(move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => two_webs(asked),
        ("GET", "/api/v1/guests/2/201") => {
            let mut detail = guest((2, "site"), 201, "db", "running");
            let more = json!({
                "actions": [], "operation": going_on(), "status": { "seen": null }, "config": { "seen": null },
                "pending": { "seen": null }, "interfaces": { "seen": null }, "link": remote(2, "site", true)["link"],
            });
            detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Reply::Json(200, detail)
        }
        _ => Reply::Json(202, going_on()),
    });
    let dir = fake.dir();
    let (child, _) = running(&["guest", "shutdown", "db", "--data-dir", dir.to_str().unwrap()]);
    while fake.asked().iter().filter(|a| a.path.starts_with("/api/v1/operations/")).count() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (code, err) = interrupt(child).await;
    assert_eq!(code, 7, "{err}");
    assert!(err.contains("interrupted") && err.contains("muster operation follow 42"), "{err}");
    assert_eq!(fake.mutations().len(), 1, "nothing was sent to end it");
}

/// Runs a command with somebody who answers.
async fn answering(fake: &Fake, args: &[&str], ask: &mut Scripted) -> (u8, String, String) {
    let dir = fake.dir();
    let mut line = vec!["muster"];
    line.extend(args);
    line.extend(["--data-dir", dir.to_str().unwrap()]);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut context = Context {
        timings: fleet::Timings::shrunk(),
        ask,
        out: &mut out,
        err: &mut err,
        paper: Paper { columns: Some(100), colour: false },
        progress: false,
    };
    let exit = run(Cli::try_parse_from(line).unwrap(), &mut context).await;
    (exit.code(), String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// The fingerprint of the certificate that is shown.
const SHOWN: &str =
    "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99";

/// Onboarding as the server plays it, for an account with a second factor.
fn onboarding(asked: &Asked) -> Reply {
    let state = |step: &str| {
        json!({
            "id": "o1", "name": "https://pve.example:8006", "step": step, "endpoint": "pve.example:8006",
            "certificate": { "fingerprint": SHOWN, "subject": "CN=pve", "issuer": "CN=ca" },
            "trusted": step != "trust", "untrusted_why": "nobody vouches for it",
            "realms": [{ "name": "pam", "default": true }, { "name": "pve" }], "factors": ["totp", "recovery"],
            "signed_in": if step == "finish" { json!({
                "user": "root@pam", "with_token": false, "nodes": ["pve1"], "version": "9.2.1", "suggested_name": "pve1",
                "offers": [{ "rights": "look", "sentence": "sees everything, changes nothing", "privileges": ["VM.Audit"] }],
            }) } else { json!(null) },
            "expires": "2099-01-01T00:00:00Z",
        })
    };
    let path = asked.path.strip_prefix("/api/v1/").unwrap_or_default();
    match (asked.method.as_str(), path) {
        ("POST", "onboardings") => Reply::Json(201, state("trust")),
        ("POST", "onboardings/o1/trust") => Reply::Json(200, state("sign_in")),
        ("POST", "onboardings/o1/sign-in") if asked.body["password"] == "right" => {
            Reply::Json(200, state("second_factor"))
        }
        ("POST", "onboardings/o1/sign-in") => Reply::Problem(
            401,
            json!({
                "type": "urn:muster:credentials_rejected", "detail": "the credentials were rejected",
                "cause": { "code": "credentials_rejected", "sentence": "rejected", "remedy": "Check them.", "needs_person": true },
            }),
        ),
        ("POST", "onboardings/o1/second-factor") => Reply::Json(200, state("finish")),
        ("POST", "onboardings/o1/finish") => Reply::Json(
            201,
            json!({
                "remote": remote(7, "cellar", true), "minted": { "id": "root@pam!muster-1" },
                "done": ["made the role MusterLook: VM.Audit", "made the token root@pam!muster-1"],
            }),
        ),
        ("GET", "remotes/7") => Reply::Json(200, remote(7, "cellar", true)),
        ("DELETE", _) => Reply::Json(200, json!(null)),
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adding_a_remote_is_a_conversation() {
    let fake = Fake::start(|asked, _| onboarding(asked));
    let answers = ["yes", "root", "wrong", "right", "123456", "everything", "look", "cellar"];
    let mut ask = Scripted::answering(answers);
    let (code, out, err) = answering(&fake, &["remote", "add", "pve.example"], &mut ask).await;
    assert_eq!(code, 0, "{out}{err}");
    for words in [
        "made the role MusterLook: VM.Audit",
        "made the token root@pam!muster-1",
        "cellar was added: connected",
    ] {
        assert!(out.contains(words), "{words} in {out}");
    }
    let heard = ask.heard.join("\n");
    let order = [
        "SHA-256  AA:BB",
        "Trust it?",
        "Realms of pve.example:8006: pam, pve",
        "User",
        "Password of root@pam",
        "That was rejected",
        "Password of root@pam",
        "Second factor",
        "Signed in as root@pam: Proxmox VE 9.2.1",
        "sees everything, changes nothing",
        "VM.Audit",
        "look, operate, same-as-user or password",
        "Please type one of the four words",
        "What shall it be called",
    ];
    let mut rest = heard.as_str();
    for words in order {
        let at = rest.find(words).unwrap_or_else(|| panic!("{words:?} comes not in its turn: {heard}"));
        rest = &rest[at + words.len()..];
    }
    let sent = fake.mutations();
    assert_eq!(sent[1].body, json!({ "fingerprint": SHOWN }));
    assert_eq!(sent[3].body, json!({ "user": "root@pam", "password": "right" }));
    assert_eq!(sent[4].body, json!({ "code": "123456", "kind": "totp" }));
    assert_eq!(sent[5].body, json!({ "name": "cellar", "keep": "token", "rights": "look", "connect": true }));
    assert!(!format!("{out}{err}{heard}").contains("right\n"), "no answer is repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_no_to_the_certificate_sends_nothing_and_leaves_nothing() {
    let fake = Fake::start(|asked, _| onboarding(asked));
    let mut ask = Scripted::answering(["no"]);
    let (code, _, err) = answering(&fake, &["remote", "add", "pve.example"], &mut ask).await;
    assert_eq!(code, 8, "{err}");
    let sent: Vec<String> = fake.mutations().iter().map(|m| format!("{} {}", m.method, m.path)).collect();
    assert_eq!(sent, ["POST /api/v1/onboardings", "DELETE /api/v1/onboardings/o1"]);
    // The third wrong password is the last, and what was begun is forgotten.
    let mut ask = Scripted::answering(["yes", "root@pam", "a", "b", "c"]);
    let (code, _, err) = answering(&fake, &["remote", "add", "pve.example"], &mut ask).await;
    assert_eq!(code, 4, "{err}");
    assert_eq!(fake.mutations().last().unwrap().method, "DELETE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_that_takes_too_long_offers_to_stop() {
    let fake = Fake::start(|asked, _| match (asked.method.as_str(), asked.body["action"].as_str()) {
        ("GET", _) => two_webs(asked),
        (_, Some("stop")) => Reply::Json(
            202,
            operation("2", 201, "db", "stop", json!({ "state": "succeeded", "success": true })),
        ),
        _ => Reply::Json(
            202,
            operation(
                "1",
                201,
                "db",
                "shutdown",
                json!({
                    "state": "failed", "detail": { "why": "task", "exit": "got timeout" }, "sentence": "failed: got timeout",
                }),
            ),
        ),
    });
    let mut ask = Scripted::answering(["no"]);
    let (code, _, err) = answering(&fake, &["guest", "shutdown", "db"], &mut ask).await;
    assert_eq!((code, fake.mutations().len()), (1, 1), "{err}");
    let mut ask = Scripted::answering(["yes"]);
    let (code, out, err) = answering(&fake, &["guest", "shutdown", "db"], &mut ask).await;
    assert_eq!((code, fake.mutations().len()), (0, 3), "{err}");
    assert!(err.contains("got timeout") && out.contains("stop container db (site/201): done"), "{out}{err}");
    assert!(ask.heard[0].contains("Stop it now? What it has not written is lost."), "{:?}", ask.heard);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_does_not_stand_ends_with_its_cause() {
    let fake = Fake::start(|_, _| Reply::Json(200, remote(7, "cellar", false)));
    let run = fake.muster(&["remote", "connect", "cellar"]).await;
    assert_eq!((run.code, run.out.as_str()), (6, ""), "{run:?}");
    assert!(run.err.contains("cellar: ") && run.err.contains("refused (192.0.2.7:8006)"), "{run:?}");
    assert!(run.err.contains("hint: Is it on?"), "{run:?}");
}

/// A server that signs in `alice`, makes a token for her, and knows her by it.
fn people(asked: &Asked) -> Reply {
    let session = |via: &str| {
        json!({
            "user": "alice", "via": via, "grants": [], "csrf": "c-77", "instance": "0badcafe", "version": "1",
        })
    };
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/setup") => {
            Reply::Json(200, json!({ "needed": false, "instance": "0badcafe", "version": "1" }))
        }
        ("POST", "/api/v1/session") if asked.body["password"] == "c4nary-password" => {
            Reply::Json(201, session("session"))
        }
        ("POST", "/api/v1/session") => Reply::Problem(401, json!({ "detail": "wrong name or password" })),
        ("POST", "/api/v1/tokens") => Reply::Json(
            201,
            json!({
                "token": { "id": "4f1c", "name": "muster", "user": "alice", "grants": [], "created": "2026-01-01T00:00:00Z" },
                "secret": "mst_4f1c_c4nary",
            }),
        ),
        ("DELETE", _) => Reply::Json(200, json!(null)),
        ("GET", "/api/v1/guests") if asked.head.contains("Bearer mst_4f1c_c4nary") => {
            Reply::Json(200, page(&[guest((1, "home"), 101, "web", "running")]))
        }
        _ => Reply::Problem(401, json!({ "detail": "not signed in" })),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_elsewhere_is_believed_by_the_certificate_that_was_confirmed() {
    let fake = Fake::tls(None, |asked, _| people(asked)).await;
    let held = common::secret("c4nary-password");
    let password = common::path(&held);
    let home = tempfile::tempdir().unwrap();
    let env = [("HOME", home.path().to_str().unwrap()), ("MUSTER_LOG", "trace")];
    let go = async |args: &[&str]| common::run(args, None, &env).await;
    let sign_in = ["login", &fake.url, "--name", "work", "--user", "alice", "--password-file", &password];

    let run = go(&sign_in).await;
    assert_eq!(run.code, 8, "{run:?}");
    assert!(run.err.contains(&fake.fingerprint) && run.err.contains("Nothing was sent"), "{run:?}");
    let zero = "00:".repeat(31) + "00";
    let run = go(&[&sign_in[..], &["--fingerprint", &zero]].concat()).await;
    assert_eq!(run.code, 8, "{run:?}");
    assert!(fake.asked().is_empty(), "nothing was sent before the certificate was believed");

    let run = go(&[&sign_in[..], &["--fingerprint", &fake.fingerprint]].concat()).await;
    assert_eq!(run.code, 0, "{run:?}");
    let sent = fake.mutations();
    let lines: Vec<String> = sent.iter().map(|m| format!("{} {}", m.method, m.path)).collect();
    assert_eq!(lines, ["POST /api/v1/session", "POST /api/v1/tokens", "DELETE /api/v1/session"]);
    assert!(sent[1].head.to_lowercase().contains("x-muster-csrf: c-77"), "{}", sent[1].head);

    let listed = go(&["guest", "ls"]).await;
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.out.contains("home/101"), "{listed:?}");
    for said in [&run, &listed] {
        assert!(!said.err.contains("c4nary") && !said.out.contains("c4nary"), "no secret is told: {said:?}");
    }

    // Another one sits there now, with a certificate of its own.
    let port: u16 = fake.url.rsplit(':').next().unwrap().parse().unwrap();
    let file = home.path().join(".config/muster/contexts.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let other = Fake::tls(None, |asked, _| people(asked)).await;
    let there: u16 = other.url.rsplit(':').next().unwrap().parse().unwrap();
    std::fs::write(&file, text.replace(&port.to_string(), &there.to_string())).unwrap();
    let run = go(&["guest", "ls"]).await;
    assert_eq!(run.code, 8, "{run:?}");
    assert!(run.err.contains("another certificate") && run.err.contains("--name work"), "{run:?}");
    assert!(other.asked().is_empty(), "the token was not sent there");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_goes_to_what_is_no_muster() {
    let fake = Fake::tls(None, |asked, _| match asked.path.as_str() {
        "/api/v1/setup" => Reply::Text(200, "another program"),
        "/ui/api/v1/setup" => Reply::Problem(404, json!({ "detail": "There is no such page." })),
        _ => people(asked),
    })
    .await;
    let held = common::secret("c4nary-password");
    let password = common::path(&held);
    let home = tempfile::tempdir().unwrap();
    let env = [("HOME", home.path().to_str().unwrap())];
    let pin = ["--user", "alice", "--password-file", &password, "--fingerprint", &fake.fingerprint];
    let deep = format!("{}/ui/", fake.url);
    for (url, words) in
        [(&fake.url, "is not Muster"), (&deep, "without what a browser shows behind it: https://127.")]
    {
        let run = common::run(&[&["login", url.as_str()][..], &pin].concat(), None, &env).await;
        assert_eq!((run.code == 1 || run.code == 2, run.out.as_str()), (true, ""), "{url}: {run:?}");
        assert!(run.err.contains(words) && run.err.contains("No password was sent"), "{url}: {run:?}");
    }
    assert!(fake.mutations().is_empty(), "{:?}", fake.mutations());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_named_by_the_end_of_its_id() {
    let ids = ["7353666445783041", "7353666445783042", "7353666444783042"];
    let done = |id: &str| operation(id, 201, "db", "start", json!({ "state": "succeeded", "success": true }));
    let fake = Fake::start(move |asked, _| match asked.path.as_str() {
        "/api/v1/operations" => Reply::Json(200, page(&ids.map(done))),
        path => match ids.iter().find(|id| path == format!("/api/v1/operations/{id}")) {
            Some(id) => Reply::Json(200, done(id)),
            None => Reply::Problem(404, json!({ "title": "There is no such operation." })),
        },
    });
    for text in ["783041", "…783041", "41", ids[0]] {
        let run = fake.muster(&["operation", "show", text]).await;
        assert_eq!(run.code, 0, "{text}: {run:?}");
        assert!(run.out.contains(ids[0]), "{text}: {run:?}");
    }
    let run = fake.muster(&["operation", "follow", "783042"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains(ids[1]) && run.err.contains(ids[2]), "both are named: {run:?}");
    let run = fake.muster(&["operation", "show", "9"]).await;
    assert_eq!(run.code, 2, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_read_to_its_end_and_each_row_once() {
    let fake = Fake::start(|asked, _| {
        let number = |name: &str| -> usize {
            let value = asked.query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
            value.map_or(0, |v| v.parse().unwrap())
        };
        // While it is read, one row moves down: it comes twice.
        let (offset, limit) = (number("offset"), number("limit"));
        let first = if offset > 0 { offset - 1 } else { 0 };
        let items: Vec<_> = (first..(offset + limit).min(2_500))
            .map(|n| json!({ "id": n, "name": format!("n{n}"), "at": "2026-01-01T00:00:00Z" }))
            .take(limit)
            .collect();
        Reply::Json(200, json!({ "items": items, "total": 2_500 }))
    });
    let run = fake.muster(&["node", "ls", "-o", "json"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let list = run.json();
    let items = list["items"].as_array().unwrap();
    let ids: std::collections::BTreeSet<u64> = items.iter().map(|i| i["id"].as_u64().unwrap()).collect();
    assert_eq!((items.len(), ids.len()), (2_500, 2_500), "none stands twice");
    assert_eq!(fake.asked().len(), 3);
    let run = fake.muster(&["node", "ls", "-o", "json", "--limit", "7"]).await;
    assert_eq!((run.json()["items"].as_array().unwrap().len(), &run.json()["total"]), (7, &json!(2_500)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_managed_already_gets_one_more_address() {
    let fake = Fake::start(|asked, _| {
        let state = |step: &str| {
            json!({
                "id": "o1", "name": "https://192.0.2.8:8006", "step": step, "endpoint": "192.0.2.8:8006",
                "certificate": { "fingerprint": SHOWN, "subject": "CN=pve", "issuer": "CN=ca" }, "trusted": step != "trust",
                    "expires": "2099-01-01T00:00:00Z",
            })
        };
        match (asked.method.as_str(), asked.path.strip_prefix("/api/v1/").unwrap_or_default()) {
            ("POST", "onboardings") => Reply::Json(201, state("trust")),
            ("POST", "onboardings/o1/trust") => Reply::Json(200, state("sign_in")),
            ("POST", "onboardings/o1/sign-in") => Reply::Problem(
                409,
                json!({
                    "type": "urn:muster:already_managed", "detail": "Already managed as cellar.",
                    "candidates": [{ "id": "7", "name": "cellar", "type": "remote" }],
                }),
            ),
            ("POST", "remotes/7/endpoints") => Reply::Json(200, remote(7, "cellar", true)),
            _ => Reply::Json(200, json!(null)),
        }
    });
    let line = ["remote", "add", "192.0.2.8", "--rights", "look"];
    let mut ask = Scripted::answering(["yes", "root@pam", "secret", "no"]);
    let (code, _, err) = answering(&fake, &line, &mut ask).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("already managed as cellar"), "{err}");
    assert!(err.contains("muster remote endpoint add cellar 192.0.2.8:8006"), "{err}");
    let mut ask = Scripted::answering(["yes", "root@pam", "secret", "yes"]);
    let (code, out, err) = answering(&fake, &line, &mut ask).await;
    assert_eq!((code, out.as_str()), (0, "cellar: connected\n"), "{err}");
    let sent = fake.mutations();
    let joined = sent.iter().find(|m| m.path.ends_with("/endpoints")).unwrap();
    assert_eq!(joined.body, json!({ "address": "192.0.2.8:8006", "fingerprint": SHOWN }));
    assert_eq!(sent.last().unwrap().method, "DELETE", "what was begun is forgotten");
}
