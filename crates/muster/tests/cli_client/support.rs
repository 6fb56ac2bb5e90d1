//! What the tests share: two guests of one name, a command that goes on running, somebody who answers.

use std::process::Stdio;
use std::time::Duration;

use clap::Parser;
use muster::cli::Cli;
use muster::term::ask::Ask;
use muster::term::table::Paper;
use muster::{Context, run};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::fake::{Asked, Fake, Reply, guest, page};

pub(crate) fn two_webs(asked: &Asked) -> Reply {
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

/// `muster` as a process that is still running, with its lines.
pub(crate) fn running(
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

pub(crate) async fn interrupt(child: tokio::process::Child) -> (i32, String) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended =
        tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await.unwrap().unwrap();
    (ended.status.code().unwrap_or(-1), String::from_utf8(ended.stderr).unwrap())
}

/// Runs a command with somebody who answers.
pub(crate) async fn answering(fake: &Fake, args: &[&str], ask: &mut dyn Ask) -> (u8, String, String) {
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
