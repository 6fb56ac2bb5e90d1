//! Guests switched, tasks followed and stopped, lists watched.

use serde_json::Value;

use crate::common::process::Server;
use crate::support::home;

#[tokio::test(flavor = "multi_thread")]
async fn guests_are_switched_and_tasks_stopped() {
    let (server, _host) = home("9.2").await;
    for (action, guest, state) in [
        ("shutdown", "101", "stopped"),
        ("start", "101", "running"),
        ("reboot", "101", "running"),
        ("stop", "101", "stopped"),
    ] {
        let run = server.muster(&["guest", action, guest, "-o", "json"]).await;
        assert_eq!(run.code, 0, "{action}: {run:?}");
        assert_eq!(run.json()["state"], "succeeded", "{action}: {run:?}");
        assert!(run.json()["author"]["name"].is_string(), "{run:?}");
        let at = "/guests?q=vmid:101";
        server.until(at, |page| page["items"][0]["state"] == state).await;
    }
    let run = server.muster(&["guest", "start", "--query", "vmid:101,102", "--yes", "-o", "json"]).await;
    assert!(run.code == 0, "{run:?}");
    assert_eq!(run.json()["total"], 2, "{run:?}");
    // What had nothing to do was not done, and is not counted as such.
    assert_eq!(server.muster(&["guest", "stop", "101"]).await.code, 0);
    server.until("/guests?q=vmid:101", |page| page["items"][0]["state"] == "stopped").await;
    let run = server.muster(&["guest", "start", "--query", "vmid:101,102", "--yes"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("start: 1 of 2 done, nothing to do for 1."), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_remote_out_of_reach_is_shown_as_none() {
    let (server, _host) = home("9.2").await;
    let run = server.muster(&["guest", "ls", "status:running"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(server.muster(&["remote", "disconnect", "home"]).await.code, 0);
    server.until("/nodes", |page| page["items"][0]["freshness"] == "stale").await;
    let run = server.muster(&["node", "ls"]).await;
    assert!(run.code == 0 && run.out.contains("?/4") && !run.out.contains("0/4"), "{run:?}");
    let run = server.muster(&["node", "ls", "-o", "json"]).await;
    assert_eq!(run.json()["items"][0]["guests_running"], Value::Null, "{run:?}");
    let run = server.muster(&["remote", "show", "home"]).await;
    assert!(run.out.contains("1, those online not known"), "{run:?}");
    assert!(run.out.contains("4, running ones not known"), "{run:?}");
    let run = server.muster(&["storage", "ls"]).await;
    assert!(run.out.contains("was available"), "{run:?}");
    let words = "4 guests of home are out of reach: whether they fit is not known.";
    for line in [
        &["guest", "ls", "status:running", "remote:home"][..],
        &["guest", "stop", "--query", "status:running", "--yes"],
        &["guest", "start", "--query", "-status:running", "--dry-run"],
    ] {
        let run = server.muster(line).await;
        assert!(run.code == 3 && run.err.contains(words), "{line:?}: {run:?}");
    }
    let run = server.muster(&["guest", "ls", "status:unknown"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["node", "ls", "status:online"]).await;
    assert!(run.code == 3 && run.err.contains("1 node of home is out of reach"), "{run:?}");
}

/// `muster task follow …` as a process, with its lines.
fn following(
    server: &Server,
    task: &str,
    more: &[&str],
) -> (tokio::process::Child, tokio::io::Lines<impl tokio::io::AsyncBufRead>) {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["task", "follow", task, "--data-dir", &server.dir_text()])
        .args(more)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let out = tokio::io::BufReader::new(child.stdout.take().unwrap());
    (child, tokio::io::AsyncBufReadExt::lines(out))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_line_by_line_while_the_task_runs() {
    let (server, host) = home("9.2").await;
    host.remote.with_world(|world, _| world.hang_next_task("vzshutdown"));
    let run = server.muster(&["guest", "shutdown", "101", "--no-wait"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let page = server.until("/tasks?q=status:running", |page| page["total"] == 1).await;
    let upid = page["items"][0]["upid"].as_str().unwrap().to_owned();
    let running = async || {
        let shown = server.muster(&["task", "show", &upid, "-o", "json"]).await;
        assert_eq!(shown.json()["outcome"], "running", "{shown:?}");
    };
    let (mut child, mut lines) = following(&server, &upid, &[]);
    let mut next = async || {
        let line = tokio::time::timeout(std::time::Duration::from_secs(30), lines.next_line()).await;
        line.expect("no line comes").unwrap()
    };
    for words in ["asking the guest to shut down", "waiting for it"] {
        // The log is looked at while it is still empty, too: what Proxmox VE says of that is no line of it.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        host.remote.with_world(|world, _| world.log_line("vzshutdown", words));
        assert_eq!(next().await.as_deref(), Some(words));
        running().await;
    }
    let run = server.muster(&["task", "stop", &upid, "--yes"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(next().await.as_deref(), Some("TASK ERROR: interrupted by signal"));
    assert_eq!(next().await, None);
    assert_eq!(child.wait().await.unwrap().code(), Some(1), "it ends as the task did");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_suspended_to_disk_and_taken_up_again() {
    let (server, host) = home("9.2").await;
    let vms = server.get("/guests?q=type:vm").await;
    let vmid = vms["items"][0]["vmid"].to_string();
    let run = server.muster(&["guest", "start", &vmid]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let run = server.muster(&["guest", "suspend", &vmid, "--to-disk"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let sent = host
        .remote
        .journal()
        .iter()
        .any(|e| e.path.ends_with("/status/suspend") && format!("{e:?}").contains("todisk"));
    assert!(sent, "suspended to disk, not only to memory");
    let shown = server.muster(&["guest", "show", &vmid]).await;
    assert!(shown.out.contains("suspend --to-disk"), "{shown:?}");
    let run = server.muster(&["guest", "resume", &vmid]).await;
    assert_eq!(run.code, 0, "{run:?}");
    server.until(&format!("/guests?q=vmid:{vmid}"), |page| page["items"][0]["state"] == "running").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_watched_tells_of_a_change_at_once() {
    let (server, _host) = home("9.2").await;
    let dir = server.dir_text();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["remote", "ls", "--watch", "-o", "json", "--data-dir", &dir])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let mut until = async |state: &str| {
        let seen = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it goes on");
                let list: Value = serde_json::from_str(&line).unwrap();
                if list["items"][0]["link"]["state"] == state {
                    return;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), seen).await.expect(state);
    };
    until("connected").await;
    assert_eq!(server.muster(&["remote", "disconnect", "home"]).await.code, 0);
    until("disconnected").await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}
