//! `muster task`: tasks of all remotes, with their logs.

use api::stream::Topic;
use api::task::{LogPage, Task};
use jiff::Timestamp;
use model::Text;
use model::query::Vocabulary;
use serde_json::{Value, json};

use super::list::{List, plain, read, typed};
use super::sheet::{Facts, Sheet, add, when};
use super::watch::Watched;
use super::{Interrupt, list};
use crate::at::follow::{self, How, PAGE, Page};
use crate::cli::Common;
use crate::cli::task::TaskCommand;
use crate::client::{Client, path, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::shell;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::{ago, safe, seconds_between, span};
use crate::words;

/// Carries out `muster task`.
pub(super) async fn run(
    task: crate::cli::task::Task,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = task.common;
    let client = super::open(&common, environment).await?;
    match task.command {
        TaskCommand::Ls(listing) => {
            let list = List {
                path: path(&["tasks"]),
                nouns: ("task", "tasks"),
                about: Vocabulary::Tasks,
                sort: None,
                table: &table,
                watched: Watched::topics(&[Topic::Tasks]),
                of_listings: false,
            };
            list::show::<Task>(&client, &list, &listing, &common, context).await
        }
        TaskCommand::Show(one) => {
            let place = find(&client, &one.task).await?;
            let value: Value = client.get(&place.path(&[])).await?;
            match serde_json::from_value::<Task>(value.clone()) {
                Ok(task) if !common.json() => print(&task, context)?,
                _ => context.print_json(&value)?,
            }
            Ok(Exit::Done)
        }
        TaskCommand::Log(wanted) => {
            let place = find(&client, &wanted.one.task).await?;
            log(&client, &place, wanted.follow, &common, context).await
        }
        TaskCommand::Follow(one) => {
            let place = find(&client, &one.task).await?;
            log(&client, &place, true, &common, context).await
        }
        TaskCommand::Stop(wanted) => {
            let place = find(&client, &wanted.one.task).await?;
            stop(&client, &place, wanted.yes, &common, context).await
        }
    }
}

fn table(tasks: &[Task], now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("STARTED", 10),
        Column::new("TOOK", 6).right().rank(4),
        Column::new("REMOTE", 6).rank(5),
        Column::new("TASK", 12),
        Column::new("GUEST", 6).whole().rank(2),
        Column::new("USER", 10).rank(3),
        Column::new("OUTCOME", 12),
        Column::new("UPID", 20).short(beginning),
    ]);
    for task in tasks {
        let (outcome, tone) = words::outcome(&task.outcome);
        table.row(
            Tone::Plain,
            vec![
                plain(ago(now, task.started)),
                plain(took(task, now)),
                plain(task.remote.to_string()),
                plain(task.name.clone()),
                list::maybe(task.guest.as_ref()),
                plain(task.user.to_string()),
                (tone, outcome),
                plain(task.upid.to_string()),
            ],
        );
    }
    table
}

/// The beginning of a UPID, up to node and process: enough to tell the tasks of a list apart, and taken for the whole.
fn beginning(upid: &str) -> String {
    let mut parts = upid.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("UPID"), Some(node), Some(process)) => format!("{node}:{process}"),
        _ => upid.to_owned(),
    }
}

/// How long a task ran; a running one so far.
fn took(task: &Task, now: Timestamp) -> String {
    let end = match (task.ended, task.outcome.has_ended()) {
        (Some(end), _) => end,
        (None, false) => now,
        (None, true) => return String::new(),
    };
    u64::try_from(seconds_between(task.started, end)).map(span).unwrap_or_default()
}

fn print(task: &Task, context: &mut Context<'_>) -> Result<(), Failure> {
    let now = super::now();
    let mut sheet = Sheet::new(&format!("{} on {}/{}", task.name, task.remote, task.node), context.paper);
    let mut facts: Facts = Vec::new();
    add(&mut facts, "outcome", words::outcome(&task.outcome).0);
    add(&mut facts, "started", when(now, task.started));
    add(&mut facts, "ended", task.ended.map(|at| when(now, at)).unwrap_or_default());
    add(&mut facts, "took", took(task, now));
    add(&mut facts, "user", task.user.to_string());
    add(&mut facts, "guest", task.guest.as_ref().map(ToString::to_string).unwrap_or_default());
    add(&mut facts, "operation", task.operation.map(|id| id.to_string()).unwrap_or_default());
    add(&mut facts, "UPID", task.upid.to_string());
    sheet.facts(&facts);
    context.print_lines(&sheet.lines())
}

/// Where a task is.
struct Place {
    remote: String,
    upid: String,
}

impl Place {
    /// As it is typed.
    fn typed(&self) -> String {
        shell::word(&format!("{}/{}", self.remote, self.upid))
    }

    fn path(&self, more: &[&str]) -> String {
        let mut segments = vec!["tasks", self.remote.as_str(), self.upid.as_str()];
        segments.extend(more);
        path(&segments)
    }
}

/// The remote that knows the task, and the task. `REMOTE/UPID…` says which, where several might.
async fn find(client: &Client, text: &str) -> Result<Place, Failure> {
    let text = text.trim();
    let (named, upid) = match text.split_once('/') {
        Some((remote, upid)) if upid.contains(':') && !remote.contains(':') => (Some(remote), upid),
        _ => (None, text),
    };
    if upid.parse::<pve::upid::Upid>().is_err() && upid.contains(':') {
        return begun(client, named, upid).await;
    }
    let read_upid: pve::upid::Upid = upid.parse().map_err(|e| {
        let why = format!("{e}");
        let why = why.strip_prefix("not a task id: ").unwrap_or(&why);
        Failure::usage(format!("“{upid}” is no task: {why}."))
            .hint("\"muster task ls\" lists the tasks; quote the UPID, it may hold a \"!\".")
    })?;
    if let Some(remote) = named {
        return Ok(Place { remote: remote.to_owned(), upid: upid.to_owned() });
    }
    let got = read(client, &path(&["tasks"]), None, None, None).await?;
    let (tasks, _) = typed::<Task>(&got.items);
    let mut remotes: Vec<String> =
        tasks.iter().filter(|t| t.upid.as_str() == upid).map(|t| t.remote.to_string()).collect();
    if remotes.is_empty() {
        // Too old for the list: whoever has a node of that name may know it.
        let nodes = read(client, &path(&["nodes"]), None, None, None).await?;
        let (nodes, _) = typed::<api::node::Node>(&nodes.items);
        remotes = nodes
            .iter()
            .filter(|n| n.row.node.name.as_str() == read_upid.node())
            .map(|n| n.remote.to_string())
            .collect();
    }
    remotes.sort();
    remotes.dedup();
    match remotes.as_slice() {
        [one] => Ok(Place { remote: one.clone(), upid: upid.to_owned() }),
        [] => Err(Failure::usage(format!(
            "No remote that you may see has a node {}, on which that task ran.",
            read_upid.node()
        ))),
        several => Err(Failure::usage("Several remotes may have that task.")
            .detail(several.iter().cloned())
            .hint("Say which: REMOTE/UPID:…")),
    }
}

/// The one task of those listed whose UPID begins so.
async fn begun(client: &Client, named: Option<&str>, text: &str) -> Result<Place, Failure> {
    let wanted = text.trim_end_matches([':', '…']);
    let wanted = if wanted.starts_with("UPID:") { wanted.to_owned() } else { format!("UPID:{wanted}") };
    let got = read(client, &path(&["tasks"]), None, None, None).await?;
    let (tasks, _) = typed::<Task>(&got.items);
    let begins =
        |upid: &str| upid.strip_prefix(&wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    let of =
        |task: &&Task| begins(task.upid.as_str()) && named.is_none_or(|name| task.remote.as_str() == name);
    let fit: Vec<&Task> = tasks.iter().filter(of).collect();
    match fit.as_slice() {
        [one] => Ok(Place { remote: one.remote.to_string(), upid: one.upid.to_string() }),
        [] => Err(Failure::usage(format!("“{text}” is no task: no UPID that is listed begins so."))
            .hint("\"muster task ls\" lists the tasks; quote the UPID, it may hold a \"!\".")),
        several => Err(Failure::usage(format!("{} tasks have a UPID that begins so.", several.len()))
            .detail(several.iter().take(12).map(|t| format!("{}/{}  {}", t.remote, t.upid, t.name)))
            .hint("Give more of it, or REMOTE/UPID:…")),
    }
}

async fn log(
    client: &Client,
    place: &Place,
    follow: bool,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let interrupt = follow.then(Interrupt::heed);
    let how = How { follow, patience: 3 * context.timings.tasks };
    let read_page = async |start: u64| {
        let query = [("start", Some(start.to_string())), ("limit", Some(PAGE.to_string()))];
        let mut page: LogPage = client.get(&with_query(&place.path(&["log"]), &query)).await?;
        if follow && page.outcome.is_none() {
            // On no list any more; the server may have kept how it ended.
            page.outcome = client.get::<Task>(&place.path(&[])).await.ok().map(|task| task.outcome);
        }
        Ok(Page { lines: page.lines, outcome: page.outcome })
    };
    let again = format!("muster task follow {}", place.typed());
    let stop = async {
        match &interrupt {
            Some(interrupt) => interrupt.wait().await,
            None => std::future::pending().await,
        }
        Failure::new(Exit::OutcomeUnknown, "Interrupted; the task goes on.")
            .hint(format!("Look at it again: {again}"))
    };
    let mut all: Vec<String> = Vec::new();
    let take = |start: u64, lines: &[Text]| match (common.json(), follow) {
        (true, false) => {
            all.extend(lines.iter().map(ToString::to_string));
            Ok(())
        }
        (true, true) => (start + 1..)
            .zip(lines)
            .try_for_each(|(n, line)| context.print(&format!("{}\n", json!({ "n": n, "text": line })))),
        (false, _) => context.print_lines(&lines.iter().map(|l| safe(l.as_str())).collect::<Vec<_>>()),
    };
    let outcome = follow::read(how, read_page, take, stop).await?;
    // Who waits for a task's end wants to know which.
    if follow {
        return follow::end(outcome, &again, context);
    }
    if common.json() {
        let items: Vec<Value> =
            all.iter().enumerate().map(|(n, line)| json!({ "n": n + 1, "text": line })).collect();
        let outcome = serde_json::to_value(&outcome).unwrap_or_default();
        let mut object = json!({
            "id": format!("{}/{}", place.remote, place.upid),
            "name": place.upid,
            "remote": place.remote,
            "total": items.len(),
            "items": items,
        });
        if let (Some(object), Value::Object(outcome)) = (object.as_object_mut(), outcome) {
            object.extend(outcome);
        }
        context.print_json(&object)?;
    }
    Ok(Exit::Done)
}

async fn stop(
    client: &Client,
    place: &Place,
    yes: bool,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let task: Task = client.get(&place.path(&[])).await?;
    let name = format!("{} on {}/{}", task.name, task.remote, task.node);
    if task.outcome.has_ended() {
        let (outcome, _) = words::outcome(&task.outcome);
        if common.json() {
            context.print_json(&task)?;
        }
        context.note(&safe(&format!("{name} has ended already: {outcome}. Nothing to do.")));
        return Ok(Exit::Done);
    }
    if !yes {
        if !context.ask.present() {
            return Err(Failure::usage(format!("{name} would be stopped, and there is nobody to ask."))
                .hint("In a script, say --yes."));
        }
        if !context.ask.confirm(&format!("Stop {name}? It may leave things half done."))? {
            return Err(Failure::new(Exit::Failed, "Nothing was done."));
        }
    }
    let reply: Value = client.delete(&place.path(&[])).await?;
    if common.json() {
        context.print_json(&match reply {
            Value::Null => json!({ "id": task.id, "name": task.name, "stop_asked": true }),
            reply => reply,
        })?;
    } else {
        context.print(&format!("{}: asked to stop\n", safe(&name)))?;
        context.note(&format!("Whether it did: muster task show {}", place.typed()));
    }
    Ok(Exit::Done)
}
