//! `muster overview`: everything at a glance.

use std::collections::BTreeMap;

use api::operation::Operation;
use api::overview::{Amount, Cores, Overview, Severity, Trouble, Troubles};
use api::task::Task;
use jiff::Timestamp;
use serde_json::Value;

use super::list::{counted, plain};
use super::sheet::{Facts, Sheet, add};
use crate::client::path;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Paper, Table, Tone};
use crate::term::text::{ago, bytes, percent};
use crate::words;

/// Carries out `muster overview`.
pub(super) async fn run(
    wanted: crate::cli::overview::Overview,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = wanted.common;
    let client = super::open(&common, environment).await?;
    let value: Value = client.get(&path(&["overview"])).await?;
    if common.json() {
        context.print_json(&value)?;
    }
    let overview: Overview = match serde_json::from_value(value) {
        Ok(overview) => overview,
        Err(error) if common.json() => {
            context.note(&format!("Not all of it is understood by this muster: {error}."));
            return Ok(Exit::Partial);
        }
        Err(error) => {
            let sentence = format!("The overview is not understood by this muster: {error}.");
            return Err(Failure::new(Exit::Partial, sentence)
                .hint("\"muster overview -o json\" prints it as it came. Is the server much newer?"));
        }
    };
    if !common.json() {
        context.print_lines(&lines(&overview, super::now(), context.paper))?;
    }
    let never = overview.remotes.never_listed;
    if never > 0 {
        let remotes = counted(never, "remote");
        context.note(&format!("{remotes} never listed: what they have is in no figure here."));
        return Ok(Exit::Partial);
    }
    Ok(Exit::Done)
}

fn lines(overview: &Overview, now: Timestamp, paper: Paper) -> Vec<String> {
    let problems = &overview.problems;
    let title = match problems.total {
        0 => "nothing is wrong".to_owned(),
        n => counted(n, "problem"),
    };
    let mut sheet = Sheet::new(&title, paper);
    if problems.total > 0 {
        sheet.table(&wrong(problems, now));
        match problems.total.saturating_sub(problems.items.len()) {
            0 => {}
            n => sheet.line(&format!("… and {n} more")),
        }
    }
    let mut facts: Facts = Vec::new();
    let remotes = &overview.remotes;
    add(&mut facts, "remotes", of_which(remotes.total, &remotes.links));
    let guests = &overview.guests;
    add(&mut facts, "guests", of_which(guests.total, &guests.states));
    for (kind, states) in &guests.by_type {
        let name = if kind == "ct" { "containers" } else { "virtual machines" };
        add(&mut facts, name, of_which(states.values().sum(), states));
    }
    if guests.stale > 0 {
        add(&mut facts, "as last seen", counted(guests.stale, "guest"));
    }
    add(&mut facts, "nodes", of_which(overview.nodes.total, &overview.nodes.states));
    let capacity = &overview.capacity;
    add(&mut facts, "processors", cores(&capacity.cpu));
    add(&mut facts, "memory", amount(&capacity.memory, "node"));
    add(&mut facts, "storage", amount(&capacity.storage, "storage"));
    sheet.head("What there is", None);
    sheet.facts(&facts);
    let running = &overview.running;
    if running.operations_total + running.tasks_total > 0 {
        let more = |shown: usize, total: usize| (shown < total).then(|| format!("the newest of {total}"));
        sheet.head("Operations", more(running.operations.len(), running.operations_total).as_deref());
        sheet.table(&operations(&running.operations, now));
        sheet.head("Tasks", more(running.tasks.len(), running.tasks_total).as_deref());
        sheet.table(&tasks(&running.tasks, now));
    }
    sheet.lines()
}

/// `3: 2 connected, 1 backing off`.
fn of_which(total: usize, states: &BTreeMap<String, usize>) -> String {
    let each: Vec<String> =
        states.iter().map(|(word, count)| format!("{count} {}", word.replace('_', " "))).collect();
    if each.is_empty() { total.to_string() } else { format!("{total}: {}", each.join(", ")) }
}

/// Of how many a sum is made, where that is not all, or not of now.
fn made_of(of: usize, known: usize, stale: usize, noun: &str) -> String {
    let of = match known {
        _ if known < of => format!(" (known of {known} of {})", counted(of, noun)),
        _ => String::new(),
    };
    match stale {
        0 => of,
        n => format!("{of} ({n} as last seen)"),
    }
}

fn cores(cpu: &Cores) -> String {
    let (Some(total), Some(used)) = (cpu.total, cpu.used) else { return unknown(cpu.of) };
    let share = if total > 0.0 { format!(", {}", percent(used / total)) } else { String::new() };
    format!("{used:.1} of {total}{share}{}", made_of(cpu.of, cpu.known, cpu.stale, "node"))
}

fn amount(of: &Amount, noun: &str) -> String {
    let (Some(total), Some(used)) = (of.total, of.used) else { return unknown(of.of) };
    let share = words::share(Some(used), Some(total)).unwrap_or_else(|| bytes(total));
    format!("{share}{}", made_of(of.of, of.known, of.stale, noun))
}

fn unknown(of: usize) -> String {
    if of == 0 { String::new() } else { "not known".to_owned() }
}

fn wrong(problems: &Troubles, now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("", 7),
        Column::new("WHAT", 6),
        Column::new("WHERE", 8).whole(),
        Column::new("SINCE", 8).rank(2),
        Column::new("WHAT IS WRONG", 20),
        Column::new("WHAT MENDS IT", 14).rank(3),
    ]);
    for one in &problems.items {
        let (tone, word) = match one.severity {
            Severity::Error => (Tone::Bad, "error"),
            Severity::Warning => (Tone::Warn, "warning"),
            Severity::Notice => (Tone::Dim, "notice"),
        };
        table.row(
            if one.live { Tone::Plain } else { Tone::Dim },
            vec![
                (tone, word.to_owned()),
                plain(one.subject.kind.clone()),
                plain(place(one)),
                plain(one.since.map(|at| ago(now, at)).unwrap_or_default()),
                plain(one.sentence.clone()),
                plain(one.remedy.clone().unwrap_or_default()),
            ],
        );
    }
    table
}

/// `home/pve1`; of the remote itself its name.
fn place(one: &Trouble) -> String {
    match &one.subject.remote {
        Some(remote) if one.subject.kind != "remote" => format!("{remote}/{}", one.subject.name),
        _ => one.subject.name.clone(),
    }
}

fn operations(operations: &[Operation], now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("ASKED", 8),
        Column::new("WHAT", 8),
        Column::new("GUEST", 8).whole(),
        Column::new("BY", 8).rank(2),
        Column::new("HOW IT STANDS", 14),
    ]);
    for one in operations {
        table.row(
            Tone::Plain,
            vec![
                plain(ago(now, one.requested)),
                plain(one.action.to_string()),
                plain(format!("{}/{}", one.remote, one.vmid)),
                plain(one.author.name.clone()),
                plain(one.sentence.clone()),
            ],
        );
    }
    table
}

fn tasks(tasks: &[Task], now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("BEGUN", 8),
        Column::new("TASK", 8),
        Column::new("NODE", 8).whole(),
        Column::new("BY", 8).rank(2),
    ]);
    for one in tasks {
        table.row(
            Tone::Plain,
            vec![
                plain(ago(now, one.started)),
                plain(one.name.clone()),
                plain(format!("{}/{}", one.remote, one.node)),
                plain(one.user.to_string()),
            ],
        );
    }
    table
}
