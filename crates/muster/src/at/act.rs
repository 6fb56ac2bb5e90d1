//! Power actions: sent once, followed to their end. *Done* is said only after the exit status.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use fleet::{Fleet, GuestRow, RemoteSnapshot};
use model::RemoteId;
use model::capability::Availability;
use model::operation::{Action, Author, Operation, OperationState, PowerOptions, UnknownWhy};
use model::time::Now;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::{safe, span};
use crate::trouble::{exit_of, exit_of_operation, failure_of};
use crate::words;

/// How often the line that says how long it has been is written anew.
const REFRESH: Duration = Duration::from_millis(500);

/// What an action is done to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Where it lives.
    pub remote: &'a RemoteSnapshot,
    /// The guest.
    pub row: &'a GuestRow,
}

/// How long an action is followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    /// At most so long; `None`: to its end.
    pub within: Option<Duration>,
    /// This instant.
    pub now: Now,
}

/// Why following ended.
enum Ended {
    /// The operation is at its end, or as near to it as it will come by itself.
    Settled,
    /// The time of `--timeout` has passed.
    TimedOut,
    /// The person does not want to wait.
    Interrupted,
}

/// Does it, and follows it. The operation is printed as JSON if `json` is set, else a line.
///
/// # Errors
/// Refused, failed, not sent, or outcome unknown; each with its exit code.
pub(super) async fn act(
    fleet: &Fleet,
    subject: Subject<'_>,
    action: Action,
    wait: Wait,
    json: bool,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let Wait { within, now } = wait;
    let Subject { remote, row } = subject;
    let name = words::full_name(remote.name.as_str(), row);
    if let Some(Availability::MayFail { why }) = remote.availability(row.guest.vmid, action, now) {
        context.note(&format!("{}: {}", safe(&name), safe(&why)));
    }
    let author = Author { name: whoami(), from: "command line".to_owned() };
    // Whether it makes sense is the fleet's to say: it looks at the guest once more before it refuses.
    let id = match fleet.operate(remote.id, row.guest.vmid, action, PowerOptions::default(), author).await {
        Ok(id) => id,
        Err(error) => {
            let fresh = fleet.remote(remote.id);
            let at = fresh.as_deref().unwrap_or(remote);
            return refused(fleet, &error, action, Subject { remote: at, row }, now, json, context).await;
        }
    };
    let mut receiver = fleet.operation(id).ok_or_else(|| {
        Failure::new(Exit::OutcomeUnknown, format!("{action} {name}: the operation is not to be found."))
    })?;
    let ended = follow(fleet, remote.id, &mut receiver, &name, within, context).await;
    let operation = receiver.borrow().clone();
    if json {
        context.print_json(&operation_json(remote.name.as_str(), row, &operation))?;
    }
    conclude(&operation, &ended, &name, json, context)
}

/// Waits for the operation to settle, showing how long it has been.
async fn follow(
    fleet: &Fleet,
    remote: RemoteId,
    receiver: &mut watch::Receiver<Arc<Operation>>,
    name: &str,
    within: Option<Duration>,
    context: &mut Context<'_>,
) -> Ended {
    let began = Instant::now();
    let deadline = within.map(|w| began + w);
    let mut refresh = interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    crate::term::ask::HEEDED.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let ended = loop {
        let operation = receiver.borrow_and_update().clone();
        if settled(&operation.state) {
            break Ended::Settled;
        }
        let up = fleet.remote(remote).is_some_and(|r| r.link.state.is_up());
        let patience = context.timings.operation_wait;
        context.show_progress(&format!(
            "{} {}: {} ({})",
            operation.action,
            safe(name),
            safe(&words::operation(&operation, up, patience)),
            span(began.elapsed().as_secs())
        ));
        let timed_out = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = receiver.changed() => if changed.is_err() { break Ended::Settled },
            _ = refresh.tick() => {}
            () = timed_out => break Ended::TimedOut,
            _ = &mut interrupt => break Ended::Interrupted,
        }
    };
    crate::term::ask::HEEDED.store(false, std::sync::atomic::Ordering::Relaxed);
    context.clear_progress();
    ended
}

/// Is there nothing more to wait for? An outcome that is being looked for in the task list is waited for; one that
/// hangs on a dead node or on the HA manager may take for ever, and is said to be unknown.
fn settled(state: &OperationState) -> bool {
    match state {
        OperationState::OutcomeUnknown(why) => !matches!(why, UnknownWhy::Lost { .. }),
        other => other.is_final(),
    }
}

fn conclude(
    operation: &Operation,
    ended: &Ended,
    name: &str,
    json: bool,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let action = operation.action;
    let log = || operation.last_lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    let task = operation.task.as_ref().map(|t| format!("task {t}"));
    match &operation.state {
        OperationState::Succeeded => {
            if !json {
                context.print(&format!("{action} {}: done\n", safe(name)))?;
            }
            Ok(Exit::Done)
        }
        OperationState::SucceededWithWarnings { .. } => {
            if !json {
                context.print(&format!("{action} {}: {}\n", safe(name), operation.state.sentence()))?;
            }
            for line in log() {
                context.note(&format!("  {}", safe(&line)));
            }
            Ok(Exit::Done)
        }
        OperationState::NotSent { cause } => {
            let hint = failure_of(cause).hint.unwrap_or_default();
            Err(Failure::new(
                exit_of_operation(&operation.state),
                format!("{action} {name}: {}.", operation.state.sentence()),
            )
            .hint(hint))
        }
        state if state.is_final() => {
            let mut failure =
                Failure::new(exit_of_operation(state), format!("{action} {name}: {}.", state.sentence()));
            failure = failure.detail(task).detail(log());
            Err(match state {
                OperationState::Failed(model::operation::FailedWhy::Refused { cause }) => {
                    failure.hint(cause.remedy())
                }
                OperationState::OutcomeUnknown(UnknownWhy::Candidates { tasks }) => failure
                    .detail(tasks.iter().map(ToString::to_string))
                    .hint("Compare them (\"log UPID\") before anything is repeated."),
                _ if action == Action::Shutdown => failure.hint(
                    "A guest that does not shut down by itself can be stopped: \"stop\" pulls the plug.",
                ),
                _ => failure,
            })
        }
        state => {
            let why = match ended {
                Ended::TimedOut => "the time given with --timeout has passed",
                Ended::Interrupted => "interrupted",
                Ended::Settled => "nobody can tell at present",
            };
            Err(Failure::new(Exit::OutcomeUnknown, format!("{action} {name}: {}; {why}.", state.sentence()))
                .detail(task)
                .hint("It may still go on there. \"tasks\" and \"show\" tell, before anything is repeated."))
        }
    }
}

/// An action that was not even recorded: refused, or fulfilled already.
async fn refused(
    fleet: &Fleet,
    error: &fleet::OperateError,
    action: Action,
    subject: Subject<'_>,
    asked: Now,
    json: bool,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let Subject { remote, row } = subject;
    let name = words::full_name(remote.name.as_str(), row);
    let row = remote.guest(row.guest.vmid).unwrap_or(row);
    let (reason, remedy) = match error {
        fleet::OperateError::Disabled { reason, remedy } => {
            (words::refusal(remote, row, reason), Some(remedy.clone()))
        }
        other => (other.to_string(), None),
    };
    let fulfilled = words::fulfilled(action, row.guest.kind, &reason)
        && looked_at(fleet, remote, row, action, asked).await;
    if json {
        context.print_json(&json!({
            "state": if fulfilled { "nothing_to_do" } else { "refused" },
            "action": action,
            "remote": remote.name.as_str(),
            "guest": words::label(remote.name.as_str(), row),
            "name": row.guest.name,
            "reason": reason,
            "remedy": remedy,
        }))?;
    }
    if fulfilled {
        context.note(&safe(&format!("{action} {name}: {reason}. Nothing to do.")));
        return Ok(Exit::Done);
    }
    let exit = match error {
        fleet::OperateError::NoSuchGuest(_) => Exit::Usage,
        _ => remote.link.state.cause().filter(|c| c.needs_person()).map_or(Exit::Failed, exit_of),
    };
    let failure = Failure::new(exit, format!("Cannot {} {name}: {reason}.", words::verb(action)));
    Err(match remedy {
        Some(remedy) => failure.hint(remedy),
        None => failure,
    })
}

/// Is the guest, looked at after it was asked for, in the state that the action wants? What was seen before proves
/// nothing.
async fn looked_at(
    fleet: &Fleet,
    remote: &RemoteSnapshot,
    row: &GuestRow,
    action: Action,
    asked: Now,
) -> bool {
    match fleet.guest_detail(remote.id, row.guest.vmid).await {
        Ok(detail) => detail.status.seen.filter(|s| s.at >= asked.wall).is_some_and(|seen| {
            let status = &seen.value;
            let (word, qmp) = (status.status.as_deref(), status.qmpstatus.as_deref());
            words::already(action, word, qmp, status.lock.as_deref()).is_some()
        }),
        Err(_) => false,
    }
}

fn operation_json(remote: &str, row: &GuestRow, operation: &Operation) -> Value {
    let mut object = serde_json::to_value(operation).unwrap_or_default();
    if let Some(map) = object.as_object_mut() {
        map.insert("remote".to_owned(), json!(remote));
        map.insert("guest".to_owned(), json!(words::label(remote, row)));
    }
    object
}

/// Who is at the keyboard, for the operation's author.
pub(super) fn whoami() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let kind = if std::io::stdin().is_terminal() { "somebody at a terminal" } else { "a script" };
    if user.is_empty() { kind.to_owned() } else { user }
}
