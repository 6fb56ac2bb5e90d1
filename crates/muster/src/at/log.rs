//! `log`: a task's log, to its end, or as it grows.

use std::time::Duration;

use fleet::{DetailError, Fleet, FleetSnapshot, RemoteSnapshot};
use model::TaskId;
use model::cause::{Cause, ServerClass};
use pve::upid::Upid;
use serde_json::json;

use crate::cli::at::Log;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::safe;
use crate::trouble::failure_of;
use crate::words;

/// Lines asked for at once.
const PAGE: u64 = 500;

/// Between two looks at a log that grows.
const PAUSE: Duration = Duration::from_secs(1);

/// Prints the log.
///
/// # Errors
/// No such task, or it cannot be read.
pub(super) async fn log(
    fleet: &Fleet,
    snapshot: &FleetSnapshot,
    wanted: &Log,
    unasked: &[String],
    json: bool,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if json && wanted.follow {
        return Err(Failure::usage("--follow prints lines as they come, which is no JSON.")
            .hint("Leave one of the two out."));
    }
    let (remote, upid) = find(&wanted.upid, snapshot)?;
    let known = remote.tasks.iter().any(|t| t.upid.as_str() == upid.as_str());
    if !known && !unasked.is_empty() && !wanted.upid.starts_with(&format!("{}/", remote.name)) {
        context.note(&safe(&format!(
            "The task is looked for at {}; that is not certain, {} could not be asked.",
            remote.name,
            unasked.join(", ")
        )));
    }
    let mut next = 0;
    let mut all = Vec::new();
    loop {
        // Read before the lines: what is written up to its end is then surely among them.
        let ended = outcome(fleet, remote, &upid).is_none_or(|o| o.has_ended());
        let mut page =
            fleet.task_log(remote.id, upid.as_str(), next, PAGE).await.map_err(|e| unread(e, &upid))?;
        // Proxmox VE says so of a log that is still empty. Counted as a line it would hide the first real one.
        if !ended && next == 0 && page.lines.iter().map(|line| line.as_str()).eq(["no content"]) {
            page.lines.clear();
        }
        let count = u64::try_from(page.lines.len()).unwrap_or(PAGE);
        next += count;
        if json {
            all.extend(page.lines.iter().map(ToString::to_string));
        } else {
            let lines: Vec<String> = page.lines.iter().map(|l| safe(l.as_str())).collect();
            context.print_lines(&lines)?;
        }
        if count >= PAGE {
            continue;
        }
        if ended || !wanted.follow {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if json {
        let items: Vec<_> =
            all.iter().enumerate().map(|(n, line)| json!({ "n": n + 1, "text": line })).collect();
        let task = snapshot
            .remote(remote.id)
            .and_then(|r| r.tasks.iter().find(|t| t.upid.as_str() == upid.as_str()));
        context.print_json(&json!({
            "id": upid.as_str(),
            "name": format!("{} {}", upid.task_type(), upid.id()).trim_end(),
            "remote": remote.name.as_str(),
            "task": task,
            "items": items,
            "total": items.len(),
        }))?;
    }
    Ok(Exit::Done)
}

/// The remote that knows the task, and the task. `REMOTE/UPID…` says which, where several might.
fn find<'a>(text: &str, fleet: &'a FleetSnapshot) -> Result<(&'a RemoteSnapshot, Upid), Failure> {
    let (named, upid) = match text.split_once('/') {
        Some((remote, upid)) if upid.starts_with("UPID:") && !remote.starts_with("UPID:") => {
            (Some(remote), upid)
        }
        _ => (None, text),
    };
    let upid: Upid = upid.parse().map_err(|e| {
        let why = format!("{e}");
        let why = why.strip_prefix("not a task id: ").unwrap_or(&why);
        Failure::usage(format!("“{upid}” is no task: {why}."))
            .hint("\"tasks\" lists the tasks; quote the UPID, it may hold a \"!\".")
    })?;
    let id = TaskId::from(upid.as_str());
    let remotes =
        || fleet.remotes.iter().map(|r| &**r).filter(|r| named.is_none_or(|n| n == r.name.as_str()));
    let knows: Vec<_> = remotes().filter(|r| r.tasks.iter().any(|t| t.upid == id)).collect();
    let has_node: Vec<_> =
        remotes().filter(|r| r.nodes.iter().any(|n| n.node.name.as_str() == upid.node())).collect();
    match (knows.as_slice(), has_node.as_slice()) {
        ([one], _) | ([], [one]) => Ok((one, upid)),
        ([], []) => {
            Err(Failure::usage(format!("No remote here has a node {}, on which that task ran.", upid.node())))
        }
        (several, _) if several.len() > 1 => Err(several_have(several)),
        (_, several) => Err(several_have(several)),
    }
}

fn several_have(remotes: &[&RemoteSnapshot]) -> Failure {
    Failure::usage("Several remotes may have that task.")
        .detail(remotes.iter().map(|r| r.name.to_string()))
        .hint("Say which: REMOTE/UPID:…")
}

fn outcome(fleet: &Fleet, remote: &RemoteSnapshot, upid: &Upid) -> Option<model::TaskOutcome> {
    let now = fleet.remote(remote.id)?;
    now.tasks.iter().find(|t| t.upid.as_str() == upid.as_str()).map(|t| t.outcome.clone())
}

/// Does the host say that it does not know the task?
fn no_such_task(cause: &Cause) -> bool {
    match cause {
        Cause::ServerError { class: ServerClass::NotFound, .. } => true,
        Cause::ServerError { text, .. } | Cause::ParametersRejected { text } => text.contains("no such task"),
        _ => false,
    }
}

fn unread(error: DetailError, upid: &Upid) -> Failure {
    let what = format!("the log of {}", words::task_name(upid.task_type(), upid.id()));
    match error {
        DetailError::Failed(failure) if no_such_task(&failure.cause) => Failure::usage(format!(
            "There is no task {} there, or none that this account may see.",
            upid.as_str()
        ))
        .hint("\"tasks\" lists the recent tasks; quote the UPID, it may hold a \"!\"."),
        DetailError::Failed(failure) => {
            let mut told = failure_of(&failure.cause);
            told.sentence = format!("Cannot read {what}: {failure}.");
            told
        }
        other => Failure::usage(format!("Cannot read {what}: {other}.")),
    }
}
