//! `muster event`: what happened.

use std::time::Duration;

use api::event::{Event, EventPage};
use api::guest::Guest;
use api::stream::{StreamMessage, Subscriptions, Topic};
use jiff::Timestamp;
use model::Happening;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::list::{rows_of, understood};
use super::{Interrupt, resolve, watch};
use crate::cli::Common;
use crate::cli::event::{EventCommand, Ls};
use crate::client::{Client, path, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::{distance, moment};

/// Most events that are asked for at once.
const PAGE: usize = 1000;

/// Between two looks where there is no stream.
const PAUSE: Duration = Duration::from_secs(2);

/// Carries out `muster event`.
pub(super) async fn run(
    event: crate::cli::event::Event,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = event.common;
    let client = super::open(&common, environment).await?;
    let EventCommand::Ls(wanted) = event.command;
    list(&client, &wanted, &common, context).await
}

/// Which events are wanted.
#[derive(Debug, Default)]
struct Which {
    remote: Option<String>,
    vmid: Option<u32>,
    kind: Option<String>,
    since: Option<Timestamp>,
}

impl Which {
    fn fits(&self, event: &Event) -> bool {
        let remote = |wanted: &String| {
            event.remote_id.is_some_and(|id| id.to_string() == *wanted)
                || event.remote.as_ref().is_some_and(|name| name.as_str() == wanted)
        };
        self.remote.as_ref().is_none_or(remote)
            && self.vmid.is_none_or(|vmid| event.vmid.is_some_and(|v| v.0 == vmid))
            && self.kind.as_ref().is_none_or(|kinds| kinds.split(',').any(|kind| kind.trim() == event.name))
    }
}

/// Reads the newest events, as they came, newest first; and whether there are older ones that fit.
async fn read(client: &Client, which: &Which, limit: usize) -> Result<(Vec<Value>, bool), Failure> {
    let mut items: Vec<Value> = Vec::new();
    let mut before: Option<i64> = None;
    loop {
        let query = [
            ("remote", which.remote.clone()),
            ("vmid", which.vmid.map(|v| v.to_string())),
            ("kind", which.kind.clone()),
            ("before", before.map(|b| b.to_string())),
            ("limit", Some(limit.saturating_sub(items.len()).clamp(1, PAGE).to_string())),
        ];
        let mut page: Value = client.get(&with_query(&path(&["events"]), &query)).await?;
        let next = page.get("next").and_then(Value::as_i64);
        let rows = rows_of(&mut page, "items", client)?;
        let too_old = |row: &Value| {
            let at = row.get("at").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
            which.since.is_some_and(|since| at.is_some_and(|at| at < since))
        };
        let (all, old) = (rows.len(), rows.iter().any(too_old));
        items.extend(rows.into_iter().filter(|row| !too_old(row)));
        if items.len() >= limit || next.is_none() || all == 0 || old {
            let more = items.len() > limit || (next.is_some() && !old && all > 0);
            items.truncate(limit);
            return Ok((items, more));
        }
        before = next;
    }
}

async fn list(
    client: &Client,
    wanted: &Ls,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut which = Which { remote: wanted.remote.clone(), kind: wanted.kind.clone(), ..Which::default() };
    if let Some(text) = &wanted.guest {
        let guest = resolve::guest(client, text, false).await?;
        which.remote = Some(guest.remote_id.to_string());
        which.vmid = Some(guest.row.guest.vmid.0);
    }
    which.since = wanted.since.and_then(|span| super::now().checked_sub(span).ok());
    if let Some(kind) = &which.kind {
        known(kind)?;
    }
    let interrupt = wanted.follow.then(Interrupt::heed);
    // Before the rest is read, so that what happens meanwhile comes after it; and of all events, so that nothing older
    // comes when none fits.
    let newest =
        if wanted.follow { after(client, 0, 1).await?.first().map_or(0, |event| event.id) } else { 0 };
    let (items, more) = read(client, &which, wanted.limit).await.map_err(|failure| match &wanted.remote {
        Some(name) => super::no_such(failure, "remote", name),
        None => failure,
    })?;
    if !wanted.follow {
        return show(items, more, common, context);
    }
    let last =
        items.first().and_then(|e| e.get("id")).and_then(Value::as_i64).map_or(newest, |id| id.max(newest));
    for item in items.iter().rev() {
        line(item, common, context)?;
    }
    let Some(interrupt) = interrupt else { return Ok(Exit::Done) };
    tokio::select! {
        ended = follow(client, &which, last, common, context) => ended,
        () = interrupt.wait() => Ok(Exit::Done),
    }
}

/// The history of one guest.
pub(super) async fn of_guest(
    client: &Client,
    guest: &Guest,
    limit: usize,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let (remote, vmid) = (guest.remote_id.to_string(), guest.row.guest.vmid.to_string());
    let at = with_query(
        &path(&["guests", &remote, &vmid, "events"]),
        &[("limit", Some(limit.clamp(1, PAGE).to_string()))],
    );
    let mut page: Value = client.get(&at).await?;
    let more = page.get("next").is_some_and(|next| !next.is_null());
    show(rows_of(&mut page, "items", client)?, more, common, context)
}

/// Refuses a kind that no event has: misspelt it would look as if nothing had happened.
fn known(kinds: &str) -> Result<(), Failure> {
    for kind in kinds.split(',').map(str::trim) {
        if Happening::WORDS.contains(&kind) {
            continue;
        }
        let near = Happening::WORDS.into_iter().min_by_key(|word| distance(kind, word));
        let near = near.filter(|word| distance(kind, word) <= 2).map(|word| format!("Did you mean {word}? "));
        return Err(Failure::usage(format!("No events are of the kind “{kind}”.")).hint(format!(
            "{}There are {}.",
            near.unwrap_or_default(),
            Happening::WORDS.join(", ")
        )));
    }
    Ok(())
}

fn show(items: Vec<Value>, more: bool, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let (events, exit) = understood::<Event>(&items, context);
    if common.json() {
        context.print_json(&json!({ "total": items.len(), "items": items }))?;
        return Ok(exit);
    }
    if items.is_empty() {
        context.note("No events, or none that you may see.");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(vec![
        Column::new("WHEN", 23),
        Column::new("WHERE", 8).rank(2),
        Column::new("WHAT", 20),
        Column::new("BY", 6).rank(1),
    ]);
    // The newest stands where the eye is: at the end.
    for event in events.into_iter().rev() {
        let cells = [
            moment(event.at),
            place(&event),
            event.sentence.clone(),
            event.author.map(|a| a.name).unwrap_or_default(),
        ];
        table.row(Tone::Plain, cells.into_iter().map(|cell| (Tone::Plain, cell)).collect());
    }
    context.print_table(&table)?;
    if more {
        let line = format!("The latest {}, newest last; --limit N shows more.", items.len());
        let line = Tone::Dim.paint(&line, context.progress);
        context.note(&line);
    }
    Ok(exit)
}

/// `home/101`, `home/pve1`, `home`: what it concerns, as far as that is known.
fn place(event: &Event) -> String {
    let remote = event.remote.as_ref().map(ToString::to_string);
    let inner = event.vmid.map(|v| v.to_string()).or_else(|| event.node.as_ref().map(ToString::to_string));
    [remote, inner].into_iter().flatten().collect::<Vec<_>>().join("/")
}

/// One event as a line.
fn line(item: &Value, common: &Common, context: &mut Context<'_>) -> Result<(), Failure> {
    if common.json() {
        return context.print(&format!("{item}\n"));
    }
    let text =
        |name: &str| crate::term::text::safe(item.get(name).and_then(Value::as_str).unwrap_or_default());
    let at = text("at").parse::<Timestamp>().map(moment).unwrap_or_default();
    let place = serde_json::from_value::<Event>(item.clone()).map(|e| place(&e)).unwrap_or_default();
    let place = if place.is_empty() { place } else { format!("{}: ", crate::term::text::safe(&place)) };
    let by = item
        .pointer("/author/name")
        .and_then(Value::as_str)
        .map(|n| format!(" (by {n})"))
        .unwrap_or_default();
    context.print(&format!("{at}  {place}{}{}\n", text("sentence"), crate::term::text::safe(&by)))
}

/// Up to so many events of the fleet that came after one, newest first.
async fn after(client: &Client, last: i64, limit: usize) -> Result<Vec<Event>, Failure> {
    let mut all: Vec<Event> = Vec::new();
    let mut before = None;
    loop {
        let wanted = limit.saturating_sub(all.len()).clamp(1, PAGE);
        let query = [("limit", Some(wanted.to_string())), ("before", before.map(|id: i64| id.to_string()))];
        let page: EventPage = client.get(&with_query(&path(&["events"]), &query)).await?;
        let reached = page.items.iter().any(|event| event.id <= last);
        all.extend(page.items.into_iter().filter(|event| event.id > last));
        before = page.next;
        if reached || before.is_none() || all.len() >= limit {
            return Ok(all);
        }
    }
}

/// What happens from now on; ends only with an error.
async fn follow(
    client: &Client,
    which: &Which,
    mut last: i64,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    loop {
        let subscriptions = Subscriptions {
            topics: [Topic::Events].into(),
            events_after: Some(last),
            ..Subscriptions::default()
        };
        if let Some(mut stream) = watch::open(client, &subscriptions).await {
            while let Some(message) = stream.next().await {
                let StreamMessage::Events(events) = message else { continue };
                for event in events.items.iter().filter(|e| e.id > last && which.fits(e)) {
                    line(&serde_json::to_value(event).unwrap_or_default(), common, context)?;
                }
                last = last.max(events.up_to).max(events.items.iter().map(|e| e.id).max().unwrap_or(0));
            }
        }
        // Without a stream, or once it ended: what came meanwhile is asked for.
        sleep(PAUSE).await;
        match after(client, last, usize::MAX).await {
            Ok(events) => {
                for event in events.iter().rev().filter(|e| which.fits(e)) {
                    line(&serde_json::to_value(event).unwrap_or_default(), common, context)?;
                }
                last = events.first().map_or(last, |newest| newest.id);
            }
            Err(failure) if failure.exit == Exit::Unreachable => {}
            Err(failure) => return Err(failure),
        }
    }
}
