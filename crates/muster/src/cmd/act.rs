//! Actions on guests: planned, sent once, followed to their end. *Done* is said only after the exit status.

use std::collections::BTreeMap;
use std::time::Duration;

use api::guest::{Guest, GuestDetail};
use api::operation::{Operation, OperationRequest};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use model::operation::{FailedWhy, PowerOptions, UnknownWhy};
use model::{Action, OperationState};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::guest::{full_name, label};
use super::list::counted;
use super::plan::Planned;
use super::{Interrupt, resolve};
use crate::cli::Common;
use crate::cli::guest::{Act, How};
use crate::client::{Client, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::{safe, span};
use crate::trouble::{exit_of_operation, failure_of};
use crate::words;

/// Between two looks at an operation: soon at first, then at leisure.
const LOOKS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(800)];

/// How often the line that says how long it has been is written anew.
const REFRESH: Duration = Duration::from_millis(500);

/// What somebody wants done.
pub(super) struct Wish {
    /// What.
    pub action: Action,
    /// To which, and how.
    pub wanted: Act,
    /// How long a guest may take.
    pub timeout: Option<Duration>,
    /// Whether it is stopped after that.
    pub force_stop: bool,
}

/// Why nobody waits any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
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
enum Ended {
    /// The operation is at its end, or as near to it as it will come by itself.
    Settled(Box<Operation>),
    /// Nobody waits any longer; it goes on.
    GoesOn(Box<Operation>, Why),
    /// It was not even recorded.
    Refused(Failure),
    /// It is in that state already.
    Nothing(String),
}

/// Carries it out.
///
/// # Errors
/// What is wrong with the wish, or, of a single guest, how it failed.
pub(super) async fn run(
    client: &Client,
    wish: Wish,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let guests = targets(client, &wish.wanted).await?;
    let open = match &wish.wanted.query {
        Some(query) => resolve::left_open(client, query).await?,
        None => None,
    };
    // Said before anybody is asked whether it is right.
    if let Some(line) = &open {
        context.note(&safe(line));
    }
    match to_these(client, wish, guests, common, context).await? {
        Exit::Done if open.is_some() => Ok(Exit::Partial),
        exit => Ok(exit),
    }
}

async fn to_these(
    client: &Client,
    wish: Wish,
    guests: Vec<Guest>,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let how = &wish.wanted.how;
    let by_query = wish.wanted.query.is_some();
    if guests.is_empty() {
        if common.json() {
            context.print_json(&json!({ "items": [], "total": 0 }))?;
        }
        context.note("No guests fit the query. Nothing to do.");
        return Ok(Exit::Done);
    }
    let options = PowerOptions {
        timeout: wish.timeout.map(|t| t.as_secs()),
        force_stop: Some(true).filter(|_| wish.force_stop),
    };
    if how.dry_run || how.show_as || (by_query && !how.yes) {
        let plan = Planned::ask(client, wish.action, &options, &guests).await?;
        if how.show_as {
            return plan.show_as(common, context);
        }
        if how.dry_run {
            return plan.show(common, context);
        }
        plan.confirm(context)?;
    }
    let alone = guests.len() == 1 && !by_query;
    let interrupt = Interrupt::heed();
    let ended = carry_out(client, wish.action, &options, &guests, how, &interrupt, context).await;
    drop(interrupt);
    if common.json() {
        let items: Vec<Value> =
            guests.iter().zip(&ended).map(|(guest, ended)| object(wish.action, guest, ended)).collect();
        match items.as_slice() {
            [one] if alone => context.print_json(one)?,
            _ => context.print_json(&json!({ "total": items.len(), "items": items }))?,
        }
    }
    let asked = ended.iter().filter(|ended| matches!(ended, Ended::GoesOn(_, Why::NotWaited))).count();
    let idle = ended.iter().filter(|ended| matches!(ended, Ended::Nothing(_))).count();
    let mut exits = Vec::new();
    let mut failures = Vec::new();
    let mut stubborn = Vec::new();
    for (guest, ended) in guests.iter().zip(ended) {
        match conclude(wish.action, guest, ended, common.json(), context)? {
            Ok(()) => exits.push(Exit::Done),
            Err((failure, timed_out)) => {
                exits.push(failure.exit);
                if timed_out {
                    stubborn.push(guest.clone());
                }
                failures.push(failure);
            }
        }
    }
    let last = if alone { failures.pop() } else { None };
    for failure in &failures {
        context.complain(failure);
    }
    if !stubborn.is_empty() && context.ask.present() && !common.json() {
        if let Some(failure) = &last {
            context.complain(failure);
        }
        if offer_stop(&stubborn, context)? {
            let again = Interrupt::heed();
            let options = PowerOptions::default();
            let ended = carry_out(client, Action::Stop, &options, &stubborn, how, &again, context).await;
            drop(again);
            let mut stopped = Vec::new();
            for (guest, ended) in stubborn.iter().zip(ended) {
                match conclude(Action::Stop, guest, ended, false, context)? {
                    Ok(()) => stopped.push(Exit::Done),
                    Err((failure, _)) => {
                        context.complain(&failure);
                        stopped.push(failure.exit);
                    }
                }
            }
            let others = exits.iter().filter(|e| **e == Exit::Done).copied();
            return Ok(Exit::combined(others.chain(stopped)));
        }
        return Ok(Exit::combined(exits));
    }
    match last {
        Some(failure) => Err(failure),
        None => {
            let done = exits.iter().filter(|e| **e == Exit::Done).count();
            if guests.len() > 1 && !common.json() {
                // What nobody waits for is asked for, and no more than that.
                let (count, word) =
                    if asked > 0 { (asked, "asked for") } else { (done.saturating_sub(idle), "done") };
                let nothing = match idle {
                    0 => String::new(),
                    n => format!(", nothing to do for {n}"),
                };
                context.note(&format!("{}: {count} of {} {word}{nothing}.", wish.action, guests.len()));
            }
            Ok(Exit::combined(exits))
        }
    }
}

/// The guests that are meant, each once.
async fn targets(client: &Client, wanted: &Act) -> Result<Vec<Guest>, Failure> {
    let mut guests: Vec<Guest> = match &wanted.query {
        Some(query) => resolve::guests_of_query(client, query).await?,
        None => {
            let mut guests = Vec::new();
            for text in &wanted.guests {
                guests.push(resolve::guest(client, text, true).await?);
            }
            guests
        }
    };
    let mut seen = std::collections::BTreeSet::new();
    guests.retain(|g| seen.insert(g.id.clone()));
    Ok(guests)
}

fn offer_stop(guests: &[Guest], context: &mut Context<'_>) -> Result<bool, Failure> {
    let question = match guests {
        [one] => {
            format!("{} has not shut down. Stop it now? What it has not written is lost.", full_name(one))
        }
        several => format!(
            "{} have not shut down. Stop them now? What they have not written is lost.",
            counted(several.len(), "guest")
        ),
    };
    Ok(context.ask.confirm(&question)?)
}

/// What is told while it goes on.
type Told = (usize, String);

/// Sends and follows, so many at once. What comes back is in the order of the guests.
async fn carry_out(
    client: &Client,
    action: Action,
    options: &PowerOptions,
    guests: &[Guest],
    how: &How,
    interrupt: &Interrupt,
    context: &mut Context<'_>,
) -> Vec<Ended> {
    let (tell, mut told) = unbounded_channel::<Told>();
    let mut waiting = guests.iter().enumerate();
    let mut under_way = FuturesUnordered::new();
    let one = |(index, guest)| {
        let tell = tell.clone();
        async move { (index, one(client, action, options, guest, how, index, &tell).await) }
    };
    under_way.extend(waiting.by_ref().take(usize::from(how.parallel)).map(&one));
    let mut results: BTreeMap<usize, Ended> = BTreeMap::new();
    let mut latest: BTreeMap<usize, String> = BTreeMap::new();
    let began = Instant::now();
    let mut refresh = interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            next = under_way.next() => match next {
                Some((index, ended)) => {
                    latest.remove(&index);
                    results.insert(index, ended);
                    under_way.extend(waiting.by_ref().take(1).map(&one));
                }
                None => break,
            },
            Some((index, words)) = told.recv() => { latest.insert(index, words); }
            _ = refresh.tick() => {
                let line = progress(action, guests, &latest, results.len(), began.elapsed());
                context.show_progress(&line);
            }
            () = interrupt.wait() => break,
        }
    }
    context.clear_progress();
    drain(&mut told, &mut latest);
    drop(under_way);
    let mut ended = Vec::with_capacity(guests.len());
    for (index, guest) in guests.iter().enumerate() {
        ended.push(match results.remove(&index) {
            Some(result) => result,
            None => left(client, guest, latest.contains_key(&index)).await,
        });
    }
    ended
}

fn drain(told: &mut UnboundedReceiver<Told>, latest: &mut BTreeMap<usize, String>) {
    while let Ok((index, words)) = told.try_recv() {
        latest.insert(index, words);
    }
}

/// What is left behind at Ctrl-C: what is going on there, if it was begun.
async fn left(client: &Client, guest: &Guest, begun: bool) -> Ended {
    if !begun {
        return Ended::Refused(Failure::new(Exit::Failed, "Interrupted before anything was sent."));
    }
    match detail(client, guest, false).await.map(|d| d.operation) {
        Ok(Some(operation)) => Ended::GoesOn(Box::new(operation), Why::Interrupted),
        Ok(None) => Ended::Refused(
            Failure::new(Exit::OutcomeUnknown, "Interrupted; it has ended meanwhile.")
                .hint("See how: muster operation ls"),
        ),
        Err(_) => Ended::Refused(
            Failure::new(Exit::OutcomeUnknown, "Interrupted; it may go on.")
                .hint("Look at it: muster operation ls"),
        ),
    }
}

fn progress(
    action: Action,
    guests: &[Guest],
    latest: &BTreeMap<usize, String>,
    done: usize,
    took: Duration,
) -> String {
    let took = span(took.as_secs());
    let current = latest.iter().next().and_then(|(index, words)| Some((guests.get(*index)?, words)));
    match (guests.len(), current) {
        (1, Some((guest, words))) => {
            format!("{action} {}: {} ({took})", safe(&full_name(guest)), safe(words))
        }
        (n, Some((guest, words))) => {
            format!("{action}: {done} of {n} ended; {}: {} ({took})", safe(&label(guest)), safe(words))
        }
        (n, None) => format!("{action}: {done} of {n} ended ({took})"),
    }
}

async fn detail(client: &Client, guest: &Guest, look: bool) -> Result<GuestDetail, Failure> {
    let (remote, vmid) = (guest.remote_id.to_string(), guest.row.guest.vmid.to_string());
    let at = path(&["guests", &remote, &vmid]);
    client
        .get(&if look { at } else { crate::client::with_query(&at, &[("look", Some("false".to_owned()))]) })
        .await
}

/// One guest, from asking to the end.
async fn one(
    client: &Client,
    action: Action,
    options: &PowerOptions,
    guest: &Guest,
    how: &How,
    index: usize,
    tell: &UnboundedSender<Told>,
) -> Ended {
    let request = OperationRequest {
        remote: guest.remote_id.to_string(),
        vmid: guest.row.guest.vmid,
        action,
        options: options.clone(),
    };
    let _ = tell.send((index, "being sent".to_owned()));
    let operation: Operation = match client.post(&path(&["operations"]), &request).await {
        Ok(operation) => operation,
        Err(failure) => return refused(client, action, guest, failure).await,
    };
    if how.no_wait && !settled(&operation) {
        return Ended::GoesOn(Box::new(operation), Why::NotWaited);
    }
    let seen = std::sync::Mutex::new(operation.clone());
    let end = follow(client, operation, |operation| {
        let _ = tell.send((index, operation.sentence.clone()));
        if let Ok(mut seen) = seen.lock() {
            *seen = operation.clone();
        }
    });
    let latest = || Box::new(seen.lock().map_or_else(|e| e.into_inner().clone(), |o| o.clone()));
    let ended = match how.wait {
        Some(wait) => match timeout(wait, end).await {
            Ok(ended) => ended,
            Err(_) => return Ended::GoesOn(latest(), Why::Waited(wait)),
        },
        None => end.await,
    };
    match ended {
        Ok(operation) => Ended::Settled(operation),
        Err(failure) => {
            let _ = tell.send((index, failure.sentence));
            Ended::GoesOn(latest(), Why::Silent)
        }
    }
}

/// Follows an operation to its end, or as near to it as it will come by itself.
///
/// # Errors
/// It cannot be asked for any longer.
pub(super) async fn follow(
    client: &Client,
    mut operation: Operation,
    mut on_look: impl FnMut(&Operation),
) -> Result<Box<Operation>, Failure> {
    let id = operation.id.to_string();
    let mut silent = 0;
    for look in 0_usize.. {
        on_look(&operation);
        if settled(&operation) {
            break;
        }
        sleep(LOOKS.get(look / 5).copied().unwrap_or(Duration::from_secs(1))).await;
        match client.get(&path(&["operations", &id])).await {
            Ok(fresh) => {
                operation = fresh;
                silent = 0;
            }
            // A server that is being restarted takes it up again; so do we.
            Err(failure) if failure.exit == Exit::Unreachable && silent < 30 => silent += 1,
            Err(failure) => return Err(failure),
        }
    }
    Ok(Box::new(operation))
}

/// Is there nothing more to wait for? An outcome that is being looked for in the task list is waited for; one that
/// hangs on a dead node or on the HA manager may take for ever, and is said to be unknown.
pub(super) fn settled(operation: &Operation) -> bool {
    match &operation.state {
        OperationState::OutcomeUnknown(why) => !matches!(why, UnknownWhy::Lost { .. }),
        _ => operation.is_final,
    }
}

/// An action that was not even recorded: refused, or fulfilled already.
async fn refused(client: &Client, action: Action, guest: &Guest, failure: Failure) -> Ended {
    if matches!(failure.exit, Exit::Failed | Exit::Usage) {
        // What was seen before proves nothing: it is looked at now.
        let asked = super::now();
        if let Ok(detail) = detail(client, guest, true).await {
            let there = detail.status.seen.as_ref().filter(|seen| seen.at >= asked - Duration::from_secs(2));
            let fact = |key: &str| there.and_then(|seen| seen.value.0.get(key)).and_then(Value::as_str);
            let already = words::already(action, fact("status"), fact("qmpstatus"), fact("lock"));
            if let (Some(word), None) = (already, &detail.operation) {
                return Ended::Nothing(format!("it is {word} already"));
            }
        }
    }
    Ended::Refused(failure)
}

/// One guest's result as an object.
fn object(action: Action, guest: &Guest, ended: &Ended) -> Value {
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
fn conclude(
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
            let failure = Failure::new(Exit::OutcomeUnknown, sentence)
                .detail(operation.task.as_ref().map(|t| format!("task {t}")))
                .hint(format!("Wait on for its end: muster operation follow {}", operation.id));
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
pub(super) fn outcome(operation: &Operation, name: &str) -> Result<Vec<String>, Failure> {
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
