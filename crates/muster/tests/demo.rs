//! The demo as a process: ready with a sign-in, over the simulated fleet, in a directory of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::Connection;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

struct Demo {
    child: Child,
    said: String,
}

async fn demo(dir: &Path, home: &Path) -> Demo {
    started(&["--data-dir", dir.to_str().unwrap()], home).await
}

async fn started(more: &[&str], home: &Path) -> Demo {
    let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["demo", "--port", "0", "--no-open", "--control-port", "0"])
        .args(more)
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    let ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            said.push_str(&line);
            said.push('\n');
            if line.contains("Ctrl-C") {
                return;
            }
        }
        panic!("it has ended: {said}");
    };
    tokio::time::timeout(Duration::from_secs(60), ready).await.expect("it is not ready");
    Demo { child, said }
}

impl Demo {
    async fn end(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let pid = Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await.unwrap().unwrap();
        (ended.code(), began.elapsed())
    }

    fn after(&self, word: &str) -> String {
        let line = self.said.lines().find_map(|line| line.split_once(word)).expect(word).1;
        line.trim().to_owned()
    }
}

async fn list(dir: &Path, what: &[&str]) -> Value {
    let mut args = what.to_vec();
    args.extend(["-o", "json", "--data-dir", dir.to_str().unwrap()]);
    let run = common::muster(&args).await;
    assert_eq!(run.code, 0, "{run:?}");
    run.json()
}

/// What is printed is typed as it stands: the three commands, the sign-in, and one site's own sign-in.
async fn what_it_says_to_try_works(demo: &Demo, password: &str, home: &Path) {
    let said = &demo.said;
    let lines: Vec<&str> =
        said.lines().filter_map(|l| l.strip_prefix("  ")).filter(|l| l.contains("--data-dir")).collect();
    for (line, words) in lines.iter().zip(["running", "done", "rack"]) {
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {line}")])
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = String::new();
        let found = async {
            while let Some(line) = out.next_line().await.unwrap() {
                seen.push_str(&line);
                seen.push('\n');
                if line.contains(words) {
                    return true;
                }
            }
            false
        };
        let found = tokio::time::timeout(Duration::from_secs(60), found).await.expect("it says nothing");
        assert!(found, "{line}: {seen}");
        if line.contains("--watch") {
            let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
            kill_process(pid, Signal::INT).unwrap();
        }
        drop(out);
        let code = child.wait().await.unwrap().code();
        // One site's link comes and goes: while it is gone, nobody knows which of its guests run.
        let in_part = line.contains("status:") && code == Some(3);
        assert!(code == Some(0) || in_part, "{line}: {code:?} {seen}");
    }
    let held = common::secret(password);
    let url = demo.after("served at");
    let env = [("HOME", home.to_str().unwrap())];
    let sign_in =
        ["login", &url, "--name", "demo", "--user", "admin", "--password-file", &common::path(&held)];
    let run = common::run(&sign_in, None, &env).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = common::run(&["remote", "ls", "-o", "json"], None, &env).await;
    assert_eq!(run.json()["total"], 5, "{run:?}");
    let run = common::run(&["context", "use", "local"], None, &env).await;
    assert_eq!(run.code, 0, "{run:?}");

    let site: Vec<&str> =
        said.lines().find(|l| l.starts_with("  attic ")).expect(said).split_whitespace().collect();
    let [_, user, password, address] = site[..] else { panic!("{site:?}") };
    let held = common::secret(password);
    let look = [
        "at",
        address,
        "--user",
        user,
        "--password-file",
        &common::path(&held),
        "--accept-new",
        "ls",
        "-o",
        "json",
    ];
    let run = common::run(&look, None, &env).await;
    assert_eq!(run.code, 0, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_with_five_sites_and_is_there_again_after_a_restart() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("demo");
    let first = demo(&dir, base.path()).await;
    assert!(first.after("served at").starts_with("http://127.0.0.1:"), "{}", first.said);
    assert_eq!(first.said.matches("--data-dir").count(), 3, "three commands to try: {}", first.said);
    let remotes = list(&dir, &["remote", "ls"]).await;
    let names: Vec<_> = remotes["items"].as_array().unwrap().iter().map(|r| r["name"].clone()).collect();
    for name in ["attic", "cellar", "field", "oddball", "rack"] {
        assert!(names.contains(&name.into()), "{names:?}");
    }
    let sign_in = first.after("sign-in");
    let password = sign_in.split_whitespace().nth(1).unwrap().to_owned();
    assert!(password.len() >= 20, "{sign_in}");
    what_it_says_to_try_works(&first, &password, base.path()).await;
    let ids: Vec<_> = remotes["items"].as_array().unwrap().iter().map(|r| r["id"].clone()).collect();
    let (code, took) = first.end().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");

    let second = demo(&dir, base.path()).await;
    assert!(second.after("sign-in").contains(&password), "the same sign-in: {}", second.said);
    let remotes = list(&dir, &["remote", "ls"]).await;
    let again: Vec<_> = remotes["items"].as_array().unwrap().iter().map(|r| r["id"].clone()).collect();
    assert_eq!(again, ids, "the same remotes");
    second.end().await;

    // A host that is not on this machine is somebody's own.
    let url = format!("sqlite://{}", dir.join("muster.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let sql = "UPDATE remotes SET spec = replace(spec, '127.0.0.1', '192.0.2.7') WHERE name = 'attic'";
    assert_eq!(sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected(), 1);
    connection.close().await.unwrap();
    let line = ["demo", "--no-open", "--port", "0", "--data-dir", dir.to_str().unwrap()];
    let run = tokio::time::timeout(Duration::from_secs(60), common::muster(&line)).await.expect("it runs");
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("real remotes (attic)"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_its_own_goes_when_it_ends() {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join(".cache/muster/demo");
    for signal in [Signal::TERM, Signal::INT] {
        let mut demo = started(&[], home.path()).await;
        assert!(place.join("key").exists() && place.join("muster.db").exists());
        let pid = Pid::from_raw(i32::try_from(demo.child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(30), demo.child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0));
        assert!(!place.exists(), "{signal:?}: {:?}", std::fs::read_dir(&place).map(Iterator::count));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_directory_is_no_place_for_it() {
    let mut server = common::process::Server::fresh().await;
    let run = common::muster(&["demo", "--no-open", "--data-dir", &server.dir_text()]).await;
    assert_ne!(run.code, 0, "{run:?}");
    server.end().await;
    let run = common::muster(&["demo", "--no-open", "--data-dir", &server.dir_text()]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("of a server"), "{run:?}");
}
