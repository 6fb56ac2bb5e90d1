//! Actions on guests: planned, sent once, followed to their end. *Done* is said only after the exit status.

mod carry;
mod ended;
mod follow;

use std::time::Duration;

use api::guest::Guest;
use model::Action;
use model::operation::PowerOptions;
use serde_json::{Value, json};

pub(super) use self::carry::targets;
use self::carry::{Order, carry_out};
pub(super) use self::ended::outcome;
use self::ended::{Ended, Why, conclude, object};
pub(super) use self::follow::{Pace, follow};
use super::guest::full_name;
use super::list::counted;
use super::plan::Planned;
use super::{Interrupt, resolve};
use crate::cli::Common;
use crate::cli::guest::Act;
use crate::client::Client;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::safe;

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
    let guests = meant(client, &wish.wanted).await?;
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
    let order = Order { action: wish.action, options: &options, guests: &guests, how };
    let ended = carry_out(client, order, &interrupt, context).await?;
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
            let order = Order { action: Action::Stop, options: &options, guests: &stubborn, how };
            let ended = carry_out(client, order, &again, context).await?;
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
async fn meant(client: &Client, wanted: &Act) -> Result<Vec<Guest>, Failure> {
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
