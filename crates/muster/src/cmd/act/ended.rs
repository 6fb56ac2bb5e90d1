//! How an action on a guest ended: as an object, as a line, as a failure.

use std::time::Duration;

use api::guest::Guest;
use api::operation::Operation;
use model::operation::{FailedWhy, UnknownWhy};
use model::{Action, OperationState};
use serde_json::{Value, json};

use crate::cmd::guest::full_name;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::{safe, span};
use crate::trouble::{exit_of_operation, failure_of};
use crate::words;

/// Why nobody waits any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// `--no-wait`.
    NotWaited,
    /// The time given with `--wait` has passed.
    Waited(Duration),
    /// Ctrl-C.
    Interrupted,
    /// The server.
    Silent,
}

/// How it ended for one guest.
pub(super) enum Ended {
    /// The operation is at its end, or as near to it as it will come by itself.
    Settled(Box<Operation>),
    /// Nobody waits any longer; it goes on.
    GoesOn(Box<Operation>, Why),
    /// It was not even recorded.
    Refused(Failure),
    /// It is in that state already.
    Nothing(String),
}

/// One guest's result as an object.
pub(super) fn object(action: Action, guest: &Guest, ended: &Ended) -> Value {
    match ended {
        Ended::Settled(operation) | Ended::GoesOn(operation, _) => {
            serde_json::to_value(operation).unwrap_or_default()
        }
        Ended::Nothing(reason) => unsent(action, guest, "nothing_to_do", reason, None),
        Ended::Refused(failure) => {
            unsent(action, guest, "refused", failure.sentence.trim_end_matches('.'), failure.hint.as_deref())
        }
    }
}

fn unsent(action: Action, guest: &Guest, state: &str, reason: &str, remedy: Option<&str>) -> Value {
    json!({
        "id": null,
        "state": state,
        "action": action,
        "remote": guest.remote,
        "remote_id": guest.remote_id,
        "guest": guest.id,
        "vmid": guest.row.guest.vmid,
        "name": guest.row.guest.name,
        "reason": reason,
        "remedy": remedy,
    })
}

/// A sentence as the second half of another one.
fn inner(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            format!("{}{}", first.to_lowercase(), chars.as_str())
        }
        _ => sentence.to_owned(),
    }
}

/// How an operation stands that nobody waits for any longer. What is known to run is not called unknown.
fn unended(state: &OperationState, sentence: &str, why: Why) -> String {
    let stands = match state {
        OperationState::Pending => "not sent yet",
        OperationState::Sent => "sent, and not confirmed yet",
        OperationState::Running => "its task still runs",
        OperationState::HandedToHa => "the HA manager is still at it",
        _ => sentence,
    };
    match why {
        Why::Waited(time) => format!("{stands}; the {} given with --wait have passed", span(time.as_secs())),
        Why::Interrupted => format!("{stands}; the waiting was interrupted, it was not"),
        Why::Silent => format!("{stands} when last heard of; the server no longer answers"),
        Why::NotWaited => stands.to_owned(),
    }
}

/// Says how it ended. A failure comes with whether it is a shutdown that took too long.
pub(super) fn conclude(
    action: Action,
    guest: &Guest,
    ended: Ended,
    json: bool,
    context: &mut Context<'_>,
) -> Result<Result<(), (Failure, bool)>, Failure> {
    let name = full_name(guest);
    match ended {
        Ended::Nothing(reason) => {
            context.note(&safe(&format!("{action} {name}: {reason}. Nothing to do.")));
            Ok(Ok(()))
        }
        Ended::Refused(failure) => {
            let sentence = format!("Cannot {} {name}: {}", words::verb(action), inner(&failure.sentence));
            let hint = failure.hint.map(|hint| words::connect(&hint, guest.remote.as_str()));
            Ok(Err((Failure { sentence, hint, ..failure }, false)))
        }
        Ended::GoesOn(operation, Why::NotWaited) => {
            if !json {
                context.print(&safe(&format!("{action} {name}: {}", operation.sentence)))?;
                context.print(&format!("\nFollow it: muster operation follow {}\n", operation.id))?;
            }
            Ok(Ok(()))
        }
        Ended::GoesOn(operation, why) => {
            let sentence =
                format!("{action} {name}: {}.", unended(&operation.state, &operation.sentence, why));
            let id = operation.id;
            let mut hint = format!("Wait on for its end: muster operation follow {id}");
            if operation.state == OperationState::Pending {
                hint.push_str(&format!("\nTake it back before it is sent: muster operation cancel {id}"));
            }
            let failure = Failure::new(Exit::OutcomeUnknown, sentence)
                .detail(operation.task.as_ref().map(|t| format!("task {t}")))
                .hint(hint);
            Ok(Err((failure, false)))
        }
        Ended::Settled(operation) => match outcome(&operation, &name) {
            Ok(lines) => {
                if !json {
                    let sentence = match &operation.state {
                        OperationState::Succeeded => "done".to_owned(),
                        _ => operation.sentence.clone(),
                    };
                    context.print(&format!("{action} {}: {}\n", safe(&name), safe(&sentence)))?;
                }
                for line in lines {
                    context.note(&format!("  {}", safe(&line)));
                }
                Ok(Ok(()))
            }
            Err(failure) => {
                let timed_out = action == Action::Shutdown
                    && matches!(&operation.state, OperationState::Failed(FailedWhy::Task { .. }));
                Ok(Err((failure, timed_out)))
            }
        },
    }
}

/// How an operation ended: lines of warning, or a failure.
///
/// # Errors
/// It did not succeed.
pub(in crate::cmd) fn outcome(operation: &Operation, name: &str) -> Result<Vec<String>, Failure> {
    let action = operation.action;
    let log: Vec<String> = operation.last_lines.iter().map(ToString::to_string).collect();
    let task = operation.task.as_ref().map(|t| format!("task {t}"));
    let failure = || {
        let exit = exit_of_operation(&operation.state);
        Failure::new(exit, format!("{action} {name}: {}.", operation.sentence))
    };
    match &operation.state {
        OperationState::Succeeded => Ok(Vec::new()),
        OperationState::SucceededWithWarnings { .. } => Ok(log),
        OperationState::NotSent { cause } | OperationState::Failed(FailedWhy::Refused { cause }) => {
            let failure = failure().detail(task).detail(log);
            Err(match failure_of(cause).hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        }
        OperationState::OutcomeUnknown(UnknownWhy::Candidates { tasks }) => {
            Err(failure().detail(tasks.iter().map(ToString::to_string)).hint(format!(
                "Compare them (muster task log UPID), then say which it is:\n\
                 muster operation resolve {} --task UPID, or --not-sent",
                operation.id
            )))
        }
        state if state.is_final() => {
            let failure = failure().detail(task).detail(log);
            Err(match action {
                Action::Shutdown => failure
                    .hint("A guest that does not shut down by itself can be stopped: \"muster guest stop\" pulls the plug."),
                _ => failure,
            })
        }
        _ => Err(failure()
            .detail(task)
            .hint(format!("It may still go on there. Look at it: muster operation follow {}", operation.id))),
    }
}
