//! `log`: a task's log, to its end, or as it grows.

use fleet::{DetailError, Fleet, FleetSnapshot, RemoteSnapshot};
use model::cause::{Cause, ServerClass};
use model::{TaskId, TaskOutcome, Text};
use pve::upid::Upid;
use serde_json::json;

use super::follow::{self, How, PAGE, Page};
use super::limit::{Limit, too_late};
use crate::cli::at::Log;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::safe;
use crate::trouble::failure_of;
use crate::words;

/// Prints the log.
///
/// # Errors
/// No such task, or it cannot be read.
pub(super) async fn log(
    fleet: &Fleet,
    snapshot: &FleetSnapshot,
    wanted: &Log,
    unasked: &[String],
    limit: &Limit,
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
    let how = How { follow: wanted.follow, patience: 3 * context.timings.tasks };
    let page = async |start| {
        // Asked before the lines: what is written up to its end is then surely among them.
        let outcome = outcome(fleet, remote, &upid).await;
        let page = fleet.task_log(remote.id, upid.as_str(), start, PAGE).await;
        Ok(Page { lines: page.map_err(|e| unread(e, &upid))?.lines, outcome })
    };
    let stop = async {
        limit.over().await;
        match wanted.follow {
            true => Failure::new(
                Exit::OutcomeUnknown,
                "The time given with --timeout has passed; the task goes on.",
            )
            .hint("Look at it again: \"log --follow\""),
            false => too_late(),
        }
    };
    let mut all = Vec::new();
    let take = |_, lines: &[Text]| {
        if json {
            all.extend(lines.iter().map(ToString::to_string));
            return Ok(());
        }
        context.print_lines(&lines.iter().map(|l| safe(l.as_str())).collect::<Vec<_>>())
    };
    let outcome = follow::read(how, page, take, stop).await?;
    if wanted.follow {
        return follow::end(outcome, &format!("log {upid}"), context);
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

/// How a task stands: as listed, or as its node tells of one that is on no list.
async fn outcome(fleet: &Fleet, remote: &RemoteSnapshot, upid: &Upid) -> Option<TaskOutcome> {
    let now = fleet.remote(remote.id)?;
    let listed = now.tasks.iter().find(|t| t.upid.as_str() == upid.as_str()).map(|t| t.outcome.clone());
    if listed.as_ref().is_some_and(|outcome| *outcome != TaskOutcome::Unknown) {
        return listed;
    }
    let status = fleet.client(remote.id).ok()?.task_status(upid.node(), upid).await.ok()?.value;
    match (status.status.as_deref(), status.exitstatus) {
        (Some("running"), _) => Some(TaskOutcome::Running),
        (_, Some(exit)) => Some(TaskOutcome::from_exit(&exit)),
        (_, None) => listed,
    }
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
