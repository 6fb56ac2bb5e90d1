//! Asked for, and followed: one guest by itself, many with one request for up to five hundred. How many of them are
//! sent at once is the server's to bound, and what waits for its turn goes out also when nobody looks on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::guest::{Guest, GuestDetail};
use api::operation::{
    MAX_TARGETS, Operation, OperationRequest, OperationsRequest, Started, StartedItem, Target,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use model::operation::PowerOptions;
use model::{Action, OperationState};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::ended::{Ended, Why};
use super::follow::{Pace, follow, settled};
use crate::cli::guest::How;
use crate::client::{Client, path, problem};
use crate::cmd::Interrupt;
use crate::cmd::guest::{full_name, label};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::{safe, span};
use crate::words;

/// How often the line that says how long it has been is written anew.
const REFRESH: Duration = Duration::from_millis(500);

/// What is done to guests, and how.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) action: Action,
    pub(super) options: &'a PowerOptions,
    pub(super) guests: &'a [Guest],
    pub(super) how: &'a How,
}

/// What is known so far, by the guests' places.
#[derive(Default)]
struct Seen {
    /// How many were asked for.
    asked: usize,
    /// Those that are followed, as last seen.
    operations: BTreeMap<usize, Operation>,
    ended: BTreeMap<usize, Ended>,
}

/// Sends and follows. What comes back is in the order of the guests.
///
/// # Errors
/// The request, or the first of several, was refused as a whole: nothing was begun, or nobody knows.
pub(super) async fn carry_out(
    client: &Client,
    order: Order<'_>,
    interrupt: &Interrupt,
    context: &mut Context<'_>,
) -> Result<Vec<Ended>, Failure> {
    let seen = Mutex::new(Seen::default());
    let began = Instant::now();
    let mut refresh = interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let done = {
        let mut work = std::pin::pin!(ask_and_follow(client, order, &seen));
        loop {
            tokio::select! {
                done = &mut work => break done,
                _ = refresh.tick() => {
                    let line = progress(order, &look_at(&seen), began.elapsed());
                    context.show_progress(&line);
                }
                () = interrupt.wait() => break Ok(()),
            }
        }
    };
    context.clear_progress();
    done?;
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut all = Vec::with_capacity(order.guests.len());
    for (index, guest) in order.guests.iter().enumerate() {
        let known = seen.ended.remove(&index).or_else(|| {
            let operation = seen.operations.remove(&index)?;
            Some(Ended::GoesOn(Box::new(operation), Why::Interrupted))
        });
        all.push(match known {
            Some(ended) => ended,
            None if index >= seen.asked => {
                Ended::Refused(Failure::new(Exit::Failed, "Interrupted before it was asked for."))
            }
            None if order.guests.len() == 1 => left(client, guest).await,
            None => unknown("Interrupted; it may go on."),
        });
    }
    Ok(all)
}

fn look_at(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for all of them, then sees each through.
async fn ask_and_follow(client: &Client, order: Order<'_>, seen: &Mutex<Seen>) -> Result<(), Failure> {
    let pace = Pace::of(order.guests.len());
    let asked = match order.guests {
        [guest] => vec![ask_for_one(client, order, guest, seen).await],
        _ => ask_for_many(client, order, seen).await?,
    };
    let mut under_way: FuturesUnordered<_> = asked
        .into_iter()
        .zip(order.guests)
        .enumerate()
        .map(async |(index, (asked, guest))| {
            let ended = see_through(client, order, (index, guest), asked, &pace, seen).await;
            pace.ended();
            (index, ended)
        })
        .collect();
    while let Some((index, ended)) = under_way.next().await {
        let mut seen = look_at(seen);
        seen.operations.remove(&index);
        seen.ended.insert(index, ended);
    }
    Ok(())
}

/// What became of a wish: an operation, or a refusal.
type Asked = Result<Box<Operation>, Failure>;

async fn ask_for_one(client: &Client, order: Order<'_>, guest: &Guest, seen: &Mutex<Seen>) -> Asked {
    let request = OperationRequest {
        remote: guest.remote_id.to_string(),
        vmid: guest.row.guest.vmid,
        action: order.action,
        options: order.options.clone(),
    };
    look_at(seen).asked = 1;
    client.post(&path(&["operations"]), &request).await.map(Box::new)
}

/// Asks for all, with as few requests as there can be.
async fn ask_for_many(client: &Client, order: Order<'_>, seen: &Mutex<Seen>) -> Result<Vec<Asked>, Failure> {
    let mut all: Vec<Asked> = Vec::with_capacity(order.guests.len());
    for some in order.guests.chunks(MAX_TARGETS) {
        let wanted = OperationsRequest {
            targets: targets(some),
            action: order.action,
            options: order.options.clone(),
        };
        look_at(seen).asked += some.len();
        match client.post::<Started>(&path(&["operations"]), &wanted).await {
            Ok(started) => {
                let mut items = started.items.into_iter();
                for _ in some {
                    all.push(match items.next() {
                        Some(item) => taken(client, item).await,
                        None => Err(nothing_said()),
                    });
                }
            }
            Err(failure) if all.is_empty() => return Err(failure),
            // What went before is under way; of what comes after, nothing is asked for any more.
            Err(failure) => {
                all.extend(some.iter().map(|_| Err(failure.clone())));
                let rest = order.guests.len().saturating_sub(all.len());
                let unasked = Failure::new(Exit::Failed, "Not asked for: the request before failed.");
                all.extend(std::iter::repeat_n(unasked, rest).map(Err));
                break;
            }
        }
    }
    Ok(all)
}

/// The guests, as a request for many names them.
pub(in crate::cmd) fn targets(guests: &[Guest]) -> Vec<Target> {
    let target = |guest: &Guest| Target { remote: guest.remote_id.to_string(), vmid: guest.row.guest.vmid };
    guests.iter().map(target).collect()
}

/// What became of one of many.
async fn taken(client: &Client, item: StartedItem) -> Asked {
    match item {
        StartedItem { operation: Some(operation), .. } => Ok(Box::new(operation)),
        // It was taken on; how it stands could not be told just then.
        StartedItem { operation_id: Some(id), .. } => {
            client.get(&path(&["operations", &id.to_string()])).await.map(Box::new).map_err(|failure| {
                Failure { exit: Exit::OutcomeUnknown, ..failure }
                    .hint(format!("It was asked for. Look at it: muster operation follow {id}"))
            })
        }
        StartedItem { problem: Some(problem), .. } => Err(problem::failure(&problem, None)),
        StartedItem { .. } => Err(nothing_said()),
    }
}

fn nothing_said() -> Failure {
    Failure::new(Exit::OutcomeUnknown, "The server does not say what became of it.")
        .hint("Look at it: muster operation ls")
}

/// One guest, from the answer to the end.
async fn see_through(
    client: &Client,
    order: Order<'_>,
    (index, guest): (usize, &Guest),
    asked: Asked,
    pace: &Pace,
    seen: &Mutex<Seen>,
) -> Ended {
    let operation = match asked {
        Ok(operation) => operation,
        Err(failure) => {
            return pace.at_its_place(refused(client, order.action, guest, failure)).await;
        }
    };
    if order.how.no_wait && !settled(&operation) {
        return Ended::GoesOn(operation, Why::NotWaited);
    }
    let end = follow(client, *operation.clone(), pace, |operation| {
        look_at(seen).operations.insert(index, operation.clone());
    });
    let latest = || match look_at(seen).operations.get(&index) {
        Some(seen) => Box::new(seen.clone()),
        None => operation.clone(),
    };
    let ended = match order.how.wait {
        Some(wait) => match timeout(wait, end).await {
            Ok(ended) => ended,
            Err(_) => return Ended::GoesOn(latest(), Why::Waited(wait)),
        },
        None => end.await,
    };
    match ended {
        Ok(operation) => Ended::Settled(operation),
        Err(_) => Ended::GoesOn(latest(), Why::Silent),
    }
}

fn unknown(sentence: &str) -> Ended {
    let failure = Failure::new(Exit::OutcomeUnknown, sentence);
    Ended::Refused(failure.hint("Look at it: muster operation ls"))
}

/// What is left behind at Ctrl-C while one was asked for: what is going on there, if it was begun.
async fn left(client: &Client, guest: &Guest) -> Ended {
    match detail(client, guest, false).await.map(|d| d.operation) {
        Ok(Some(operation)) => Ended::GoesOn(Box::new(operation), Why::Interrupted),
        Ok(None) => unknown("Interrupted; it has ended meanwhile."),
        Err(_) => unknown("Interrupted; it may go on."),
    }
}

fn progress(order: Order<'_>, seen: &Seen, took: Duration) -> String {
    let (action, took) = (order.action, span(took.as_secs()));
    let current = seen.operations.iter().next();
    let words = current.and_then(|(index, operation)| Some((order.guests.get(*index)?, &operation.sentence)));
    match (order.guests, words) {
        ([guest], words) => {
            let words = words.map_or("being sent", |(_, words)| words.as_str());
            format!("{action} {}: {} ({took})", safe(&full_name(guest)), safe(words))
        }
        (all, words) => {
            let pending = |one: &&Operation| one.state == OperationState::Pending;
            let waiting = match seen.operations.values().filter(pending).count() {
                0 => String::new(),
                n => format!(", {n} not sent yet"),
            };
            let first = words.map_or_else(String::new, |(guest, words)| {
                format!("; {}: {}", safe(&label(guest)), safe(words))
            });
            format!("{action}: {} of {} ended{waiting}{first} ({took})", seen.ended.len(), all.len())
        }
    }
}

async fn detail(client: &Client, guest: &Guest, look: bool) -> Result<GuestDetail, Failure> {
    let (remote, vmid) = (guest.remote_id.to_string(), guest.row.guest.vmid.to_string());
    let at = path(&["guests", &remote, &vmid]);
    client
        .get(&if look { at } else { crate::client::with_query(&at, &[("look", Some("false".to_owned()))]) })
        .await
}

/// An action that was not even recorded: refused, or fulfilled already.
async fn refused(client: &Client, action: Action, guest: &Guest, failure: Failure) -> Ended {
    if matches!(failure.exit, Exit::Failed | Exit::Usage) {
        // What was seen before proves nothing: it is looked at now.
        let asked = crate::cmd::now();
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
