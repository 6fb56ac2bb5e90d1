//! `muster guest`: list, show, history; what is done to them is in [`super::act`].

use api::guest::{Guest, GuestDetail, Part};
use api::stream::ListOf;
use jiff::Timestamp;
use model::query::Vocabulary;
use model::{Action, Availability, GuestKind};
use serde_json::Value;

use super::list::{List, plain};
use super::sheet::{Facts, Sheet, add, when};
use super::watch::Watched;
use super::{act, chart, event, list, resolve, web};
use crate::cli::Common;
use crate::cli::guest::{GuestCommand, One};
use crate::client::{Client, path, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Paper, Table, Tone};
use crate::term::text::{ago, bytes};
use crate::words;

/// Carries out `muster guest`.
pub(super) async fn run(
    guest: crate::cli::guest::Guest,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = guest.common;
    let client = super::open(&common, environment).await?;
    let wish = |action, wanted| act::Wish { action, wanted, timeout: None, force_stop: false };
    match guest.command {
        GuestCommand::Ls(mut listing) => {
            for word in &mut listing.query {
                if let Some(terms) = resolve::place(word) {
                    *word = terms;
                }
            }
            let list = List {
                path: path(&["guests"]),
                nouns: ("guest", "guests"),
                about: Vocabulary::Guests,
                sort: None,
                table: &table,
                watched: Watched::list(ListOf::Guests, &listing),
                of_listings: true,
            };
            list::show::<Guest>(&client, &list, &listing, &common, context).await
        }
        GuestCommand::Show(one) => show(&client, &one, &common, context).await,
        GuestCommand::Open(one) => {
            let guest = resolve::guest(&client, &one.guest, false).await?;
            let (remote, vmid) = (guest.remote_id.to_string(), guest.row.guest.vmid.to_string());
            web::print(&client, &unasked(&["guests", &remote, &vmid]), &common, context).await
        }
        GuestCommand::Chart(wanted) => {
            let guest = resolve::guest(&client, &wanted.one.guest, false).await?;
            let (remote, vmid) = (guest.remote_id.to_string(), guest.row.guest.vmid.to_string());
            let at = path(&["guests", &remote, &vmid, "chart"]);
            chart::show(&client, &at, wanted.back.span, &full_name(&guest), &common, context).await
        }
        GuestCommand::Events(events) => {
            let one = resolve::guest(&client, &events.one.guest, false).await?;
            event::of_guest(&client, &one, events.limit, &common, context).await
        }
        GuestCommand::Start(act) => act::run(&client, wish(Action::Start, act), &common, context).await,
        GuestCommand::Stop(act) => act::run(&client, wish(Action::Stop, act), &common, context).await,
        GuestCommand::Reboot(reboot) => {
            let wish = act::Wish { timeout: reboot.timeout, ..wish(Action::Reboot, reboot.act) };
            act::run(&client, wish, &common, context).await
        }
        GuestCommand::Reset(act) => act::run(&client, wish(Action::Reset, act), &common, context).await,
        GuestCommand::Suspend(suspend) => {
            let action = if suspend.to_disk { Action::Hibernate } else { Action::Suspend };
            act::run(&client, wish(action, suspend.act), &common, context).await
        }
        GuestCommand::Resume(act) => act::run(&client, wish(Action::Resume, act), &common, context).await,
        GuestCommand::Shutdown(shutdown) => {
            let wish = act::Wish {
                action: Action::Shutdown,
                wanted: shutdown.act,
                timeout: shutdown.timeout,
                force_stop: shutdown.force_stop,
            };
            act::run(&client, wish, &common, context).await
        }
    }
}

/// The path of something of which the remote is asked nothing.
pub(super) fn unasked(segments: &[&str]) -> String {
    with_query(&path(segments), &[("look", Some("false".to_owned()))])
}

/// `home/101`.
pub(super) fn label(guest: &Guest) -> String {
    words::label(guest.remote.as_str(), &guest.row)
}

/// `container web (home/101)`.
pub(super) fn full_name(guest: &Guest) -> String {
    words::full_name(guest.remote.as_str(), &guest.row)
}

/// The guests as a table.
pub(super) fn table(guests: &[Guest], now: Timestamp) -> Table {
    // Why something is not live must be seen; what HA or tags say may give way to figures.
    let note = if guests.iter().any(|g| g.stale_why.is_some()) { 2 } else { 6 };
    let mut table = Table::new(vec![
        Column::new("GUEST", 8).whole(),
        Column::new("TYPE", 4).rank(4),
        Column::new("NAME", 14),
        Column::new("NODE", 8).rank(1),
        Column::new("STATE", 8),
        Column::new("CPU", 6).right().rank(3),
        Column::new("MEMORY", 8).right().rank(3),
        Column::new("UP", 10).right().rank(5),
        Column::new("SEEN", 8),
        Column::new("NOTE", 14).rank(note),
    ]);
    for guest in guests {
        let (row, facts) = (&guest.row, &guest.row.guest);
        let (cpu, memory) = words::usage(facts);
        let mut notes: Vec<String> = guest.stale_why.clone().into_iter().collect();
        notes.extend(words::remarks(row));
        notes.extend(facts.tags.iter().map(|tag| format!("#{tag}")));
        table.row(
            if row.freshness.is_live() { Tone::Plain } else { Tone::Dim },
            vec![
                plain(label(guest)),
                plain(facts.kind.to_string()),
                list::maybe(facts.name.as_ref()),
                plain(facts.node.to_string()),
                (words::state_tone(row), words::state(row)),
                plain(cpu),
                plain(memory),
                plain(words::uptime(facts.uptime)),
                plain(words::seen(row, now)),
                plain(notes.join(" ")),
            ],
        );
    }
    table
}

async fn show(
    client: &Client,
    one: &One,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let guest = resolve::guest(client, &one.guest, false).await?;
    let (remote, vmid) = (guest.remote_id.to_string(), guest.row.guest.vmid.to_string());
    let value: Value = client.get(&path(&["guests", &remote, &vmid])).await?;
    let detail: Option<GuestDetail> = serde_json::from_value(value.clone()).ok();
    if common.json() {
        context.print_json(&value)?;
    } else {
        match &detail {
            Some(detail) => context.print_lines(&lines(detail, super::now(), context.paper))?,
            // A server that says more than we know: better raw than not at all.
            None => context.print_json(&value)?,
        }
    }
    let unread = detail.is_some_and(|d| d.config.error.is_some() || d.status.error.is_some());
    Ok(if unread { Exit::Partial } else { Exit::Done })
}

/// The guest as lines.
fn lines(detail: &GuestDetail, now: Timestamp, paper: Paper) -> Vec<String> {
    let guest = &detail.guest;
    let (row, known) = (&guest.row, &guest.row.guest);
    let mut sheet = Sheet::new(&full_name(guest), paper);
    let mut facts: Facts = Vec::new();
    add(&mut facts, "state", words::state(row));
    let through = row.through.as_ref().map(|t| format!(" through {t}")).unwrap_or_default();
    add(
        &mut facts,
        "seen",
        match row.observed_at {
            Some(at) => format!("{}{through} ({})", words::seen(row, now), crate::term::text::moment(at)),
            None => words::seen(row, now),
        },
    );
    add(&mut facts, "not live", guest.stale_why.clone().unwrap_or_default());
    // Once is enough where the link is the very reason.
    let broken = super::remote::broken(&detail.link);
    if guest.stale_why.as_deref() != Some(broken.as_str()) {
        add(&mut facts, "link", broken);
    }
    add(&mut facts, "node", known.node.to_string());
    add(&mut facts, "processors", words::processors(known));
    add(&mut facts, "memory", words::memory(known).unwrap_or_default());
    add(&mut facts, "root disk", words::share(known.disk, known.disk_max).unwrap_or_default());
    add(&mut facts, "up for", words::uptime(known.uptime));
    add(&mut facts, "pool", known.pool.as_ref().map(ToString::to_string).unwrap_or_default());
    add(&mut facts, "tags", known.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    add(&mut facts, "remarks", words::remarks(row).join(", "));
    if let Some(operation) = &detail.operation {
        let author = &operation.author;
        add(
            &mut facts,
            "going on",
            format!(
                "{} asked for by {} ({}): {}  [{}]",
                operation.action, author.name, author.from, operation.sentence, operation.id
            ),
        );
    }
    sheet.facts(&facts);

    actions(&mut sheet, detail);
    // What nobody asks for while the remote is left alone is not news part by part.
    let now = When { now, left_alone: detail.link.state == "disconnected" };
    part(&mut sheet, "Addresses", &detail.interfaces, now, |interfaces| {
        interfaces
            .iter()
            .map(|i| {
                let addresses = i.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let mac = i.mac.as_ref().map(|m| format!("  {m}")).unwrap_or_default();
                (i.name.to_string(), format!("{addresses}{mac}"))
            })
            .collect()
    });
    part(&mut sheet, "Configuration", &detail.config, now, |config| scalars(&config.0));
    part(&mut sheet, "Waiting for the next start", &detail.pending, now, |rows| {
        rows.0
            .iter()
            .filter_map(|row| {
                let key = row.0.get("key").and_then(Value::as_str)?.to_owned();
                match (row.0.get("pending"), row.0.get("delete")) {
                    (Some(value), _) if !value.is_null() => Some((key, format!("becomes {}", text(value)))),
                    (_, Some(delete)) if !delete.is_null() && text(delete) != "0" => {
                        Some((key, "will be removed".to_owned()))
                    }
                    _ => None,
                }
            })
            .collect()
    });
    part(&mut sheet, "Status", &detail.status, now, |status| figures(&status.0));
    if !detail.drift.is_empty() {
        sheet.head("Did not fit", None);
        sheet.facts(&detail.drift.iter().map(super::remote::drift_fact).collect());
    }
    sheet.lines()
}

/// The reason why something may fail, without the words that it may.
fn bare(why: &str) -> &str {
    let why = why.strip_prefix("may fail: ").unwrap_or(why);
    why.strip_suffix(", may fail").unwrap_or(why)
}

/// What may be done to it, as it is asked for on the command line.
fn actions(sheet: &mut Sheet, detail: &GuestDetail) {
    let kind = detail.guest.row.guest.kind;
    // What a container never has is not listed as something that is merely not possible now.
    let never = |action| kind == GuestKind::Ct && matches!(action, Action::Reset | Action::Hibernate);
    let said: Facts = detail
        .actions
        .iter()
        .filter(|a| !never(a.action))
        .map(|a| {
            let word = match &a.availability {
                Availability::Available => "possible".to_owned(),
                Availability::MayFail { why } => {
                    format!("may fail: {}", bare(why))
                }
                Availability::Disabled { reason, remedy } => {
                    let remedy = words::connect(remedy, detail.guest.remote.as_str());
                    format!("not now: {reason}. {remedy}")
                }
            };
            (words::command(a.action).to_owned(), word)
        })
        .collect();
    let Some((_, first)) = said.first() else { return };
    sheet.head("Actions", None);
    match said.len() > 1 && said.iter().all(|(_, word)| word == first) {
        true => sheet.facts(&vec![("all".to_owned(), first.clone())]),
        false => sheet.facts(&said),
    }
}

/// When a page is shown, and whether its remote is left alone.
#[derive(Clone, Copy)]
pub(super) struct When {
    pub(super) now: Timestamp,
    pub(super) left_alone: bool,
}

/// One part of what is known, with how old it is and why, where it is not from now.
pub(super) fn part<T>(
    sheet: &mut Sheet,
    title: &str,
    part: &Part<T>,
    at: When,
    facts: impl FnOnce(&T) -> Facts,
) {
    let When { now, left_alone } = at;
    let found = part.seen.as_ref().map(|seen| facts(&seen.value)).unwrap_or_default();
    if found.is_empty() && (part.error.is_none() || left_alone) {
        return;
    }
    let seen = part
        .seen
        .as_ref()
        .filter(|_| part.error.is_some())
        .map(|seen| format!("as seen {}", when(now, seen.at)));
    sheet.head(title, seen.as_deref());
    if let Some(error) = part.error.as_ref().filter(|_| !left_alone) {
        let at = error.at.map(|at| format!(" ({})", ago(now, at))).unwrap_or_default();
        sheet.warn(&format!("not read now: {}{at}", error.sentence));
    }
    sheet.facts(&found);
}

/// What the status says beyond what is said above in words.
fn figures(fields: &serde_json::Map<String, Value>) -> Facts {
    const SAID: [&str; 20] = [
        "cpu", "cpus", "maxcpu", "mem", "maxmem", "disk", "maxdisk", "uptime", "status", "name", "vmid",
        "type", "ha", "tags", "template", "lock", "pool", "node", "id", "hastate",
    ];
    const BYTES: [&str; 9] =
        ["diskread", "diskwrite", "netin", "netout", "swap", "maxswap", "freemem", "balloon", "balloon_min"];
    let rest = scalars(fields).into_iter().filter(|(name, _)| !SAID.contains(&name.as_str()));
    rest.map(|(name, value)| {
        let counted = value.parse().ok().filter(|_| BYTES.contains(&name.as_str()));
        (name, counted.map_or(value, bytes))
    })
    .collect()
}

fn scalars(fields: &serde_json::Map<String, Value>) -> Facts {
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    known.map(|(name, value)| (name.clone(), text(value))).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn that_something_may_fail_is_said_once() {
        assert_eq!(bare("locked (backup), may fail"), "locked (backup)");
        assert_eq!(bare("may fail: last seen 3 min ago"), "last seen 3 min ago");
        assert_eq!(bare("node a is down: state unknown, may fail"), "node a is down: state unknown");
    }
}
