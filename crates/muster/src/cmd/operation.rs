//! `muster operation`: what was asked of Muster, and what became of it.

use api::operation::{Operation, Resolve};
use api::stream::Topic;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use model::query::Vocabulary;
use model::{GuestKind, OperationState};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::list::{List, plain};
use super::plan::other_words;
use super::sheet::{Facts, Sheet, add, when};
use super::watch::Watched;
use super::{Interrupt, act, list};
use crate::cli::Common;
use crate::cli::operation::OperationCommand;
use crate::client::{Client, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Paper, Table, Tone};
use crate::term::text::{ago, moment, safe, span};

/// Carries out `muster operation`.
pub(super) async fn run(
    operation: crate::cli::operation::Operation,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = operation.common;
    let client = super::open(&common, environment).await?;
    match operation.command {
        OperationCommand::Ls(listing) => {
            let list = List {
                path: path(&["operations"]),
                nouns: ("operation", "operations"),
                about: Vocabulary::Operations,
                sort: None,
                table: &table,
                watched: Watched::topics(&[Topic::Operations]),
                of_listings: false,
            };
            list::show::<Operation>(&client, &list, &listing, &common, context).await
        }
        OperationCommand::Show(one) => {
            let id = find(&client, &one.operation).await?;
            let at = path(&["operations", &id]);
            let value: Value =
                client.get(&at).await.map_err(|f| super::no_such(f, "operation", &one.operation))?;
            print(&value, &common, context)?;
            Ok(Exit::Done)
        }
        OperationCommand::Follow(one) => {
            let id = find(&client, &one.operation).await?;
            follow(&client, &id, &common, context).await
        }
        OperationCommand::Cancel(several) => cancel(&client, &several.operations, &common, context).await,
        OperationCommand::Resolve(resolve) => {
            let body = match resolve.task {
                Some(task) => Resolve::Task { task: bare(&task).into() },
                None => Resolve::NotSent {},
            };
            let id = find(&client, &resolve.operation).await?;
            let at = path(&["operations", &id, "resolve"]);
            let value: Value = client
                .post(&at, &body)
                .await
                .map_err(|f| super::no_such(f, "operation", &resolve.operation))?;
            print(&value, &common, context)?;
            Ok(Exit::Done)
        }
    }
}

/// Operations that are taken back at the same time.
const AT_ONCE: usize = 8;

/// Takes back each of them; what was sent before goes on, and is told.
async fn cancel(
    client: &Client,
    texts: &[String],
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut ids: Vec<String> = Vec::with_capacity(texts.len());
    for text in texts {
        let id = find(client, text).await?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let asked = ids.iter().map(async |id| {
        let at = path(&["operations", id, "cancel"]);
        client.post(&at, &json!({})).await.map_err(|f| super::no_such(f, "operation", id))
    });
    let answers: Vec<Result<Value, Failure>> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    if let ([_], Ok([answer])) = (ids.as_slice(), <[_; 1]>::try_from(answers.clone())) {
        print(&answer?, common, context)?;
        return Ok(Exit::Done);
    }
    let (mut exits, mut done) = (Vec::new(), Vec::new());
    for (id, answer) in ids.iter().zip(answers) {
        match answer {
            Ok(value) => {
                exits.push(Exit::Done);
                if !common.json() {
                    context.print(&format!("{}\n", safe(&line(id, &value))))?;
                }
                done.push(value);
            }
            Err(failure) => {
                exits.push(failure.exit);
                let sentence = format!("Operation {id}: {}", failure.sentence);
                context.complain(&Failure { sentence, ..failure });
            }
        }
    }
    if common.json() {
        context.print_json(&json!({ "total": done.len(), "items": done }))?;
    }
    Ok(Exit::combined(exits))
}

/// An operation in one line.
fn line(id: &str, value: &Value) -> String {
    match serde_json::from_value::<Operation>(value.clone()) {
        Ok(operation) => {
            format!("{} {}: {}", operation.action, full_name(&operation), operation.sentence)
        }
        Err(_) => format!("operation {id}: cancelled"),
    }
}

/// As many digits at the end of an id as nobody minds typing. Those of one run of the server begin alike.
const END: usize = 6;

/// The end of an id, which is taken for the whole where no other ends so.
fn end(id: &str) -> String {
    match id.len().checked_sub(END).and_then(|at| id.get(at..)) {
        Some(end) if id.len() > END + 1 => format!("…{end}"),
        _ => id.to_owned(),
    }
}

/// The id that a text means: itself, or the one that alone ends so.
async fn find(client: &Client, text: &str) -> Result<String, Failure> {
    let wanted = text.trim().trim_start_matches('…');
    let is_end = !wanted.is_empty() && wanted.chars().all(|c| c.is_ascii_digit());
    if !is_end {
        return Ok(text.trim().to_owned());
    }
    // An id that is whole costs no list.
    if wanted.len() > 12 && wanted == text.trim() {
        return Ok(wanted.to_owned());
    }
    let got = list::read(client, &path(&["operations"]), None, None, None).await?;
    let (operations, _) = list::typed::<Operation>(&got.items);
    let mut fit: Vec<&Operation> = operations.iter().filter(|o| o.id.to_string().ends_with(wanted)).collect();
    if let Some(itself) = fit.iter().find(|o| o.id.to_string() == wanted) {
        fit = vec![itself];
    }
    match fit.as_slice() {
        [] => Ok(wanted.to_owned()),
        [one] => Ok(one.id.to_string()),
        several => {
            Err(Failure::usage(format!("{} operations have an id that ends with {wanted}.", several.len()))
                .detail(several.iter().take(12).map(|o| format!("{}  {} {}", o.id, o.action, full_name(o))))
                .hint("Give more of its digits."))
        }
    }
}

/// A UPID without the remote before it.
fn bare(task: &str) -> &str {
    match task.split_once('/') {
        Some((_, upid)) if upid.starts_with("UPID:") => upid,
        _ => task,
    }
}

/// `container web (home/101)`.
fn full_name(operation: &Operation) -> String {
    let noun = match operation.kind {
        GuestKind::Ct => "container",
        GuestKind::Vm => "virtual machine",
    };
    let at = format!("{}/{}", operation.remote, operation.vmid);
    match &operation.name {
        Some(name) => format!("{noun} {name} ({at})"),
        None => format!("{noun} {at}"),
    }
}

fn tone(operation: &Operation) -> Tone {
    match &operation.state {
        OperationState::Succeeded => Tone::Good,
        OperationState::SucceededWithWarnings { .. } => Tone::Warn,
        _ if !operation.is_final => Tone::Warn,
        _ => Tone::Bad,
    }
}

fn table(operations: &[Operation], now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("ASKED", 8),
        Column::new("WHAT", 8),
        Column::new("GUEST", 8).whole(),
        Column::new("NAME", 10).rank(4),
        Column::new("BY", 8).rank(2),
        Column::new("HOW IT STANDS", 14),
        Column::new("ID", 8).short(end),
    ]);
    for operation in operations {
        table.row(
            Tone::Plain,
            vec![
                plain(ago(now, operation.requested)),
                plain(operation.action.to_string()),
                plain(format!("{}/{}", operation.remote, operation.vmid)),
                list::maybe(operation.name.as_ref()),
                plain(operation.author.name.clone()),
                (tone(operation), operation.sentence.clone()),
                plain(operation.id.to_string()),
            ],
        );
    }
    table
}

fn print(value: &Value, common: &Common, context: &mut Context<'_>) -> Result<(), Failure> {
    match serde_json::from_value::<Operation>(value.clone()) {
        Ok(operation) if !common.json() => {
            context.print_lines(&lines(&operation, super::now(), context.paper))
        }
        _ => context.print_json(value),
    }
}

fn lines(operation: &Operation, now: Timestamp, paper: Paper) -> Vec<String> {
    let mut sheet = Sheet::new(&format!("{} {}", operation.action, full_name(operation)), paper);
    let mut facts: Facts = Vec::new();
    add(&mut facts, "stands", operation.sentence.clone());
    add(&mut facts, "since", when(now, operation.since));
    if let Some(cause) = &operation.cause {
        add(&mut facts, "to do", cause.remedy.clone());
    }
    add(&mut facts, "asked for by", format!("{} ({})", operation.author.name, operation.author.from));
    add(&mut facts, "asked for", when(now, operation.requested));
    let mut options = Vec::new();
    options.extend(operation.options.timeout.map(|s| format!("within {}", span(s))));
    options.extend(operation.options.force_stop.filter(|f| *f).map(|_| "stopped after that".to_owned()));
    add(&mut facts, "options", options.join(", "));
    if let Some(dispatch) = &operation.dispatch {
        add(
            &mut facts,
            "sent",
            format!("{} through {} as {}", moment(dispatch.at), dispatch.endpoint, dispatch.user),
        );
    }
    add(&mut facts, "task", operation.task.as_ref().map(ToString::to_string).unwrap_or_default());
    if !operation.is_final && !operation.followed {
        add(&mut facts, "followed", "no: its remote is disconnected");
    }
    add(&mut facts, "id", operation.id.to_string());
    sheet.facts(&facts);
    if !operation.candidates.is_empty() {
        sheet.head("Tasks that could be it", Some("\"muster operation resolve\" settles it"));
        for task in &operation.candidates {
            sheet.line(task.as_str());
        }
    }
    if let Some(said) = &operation.show_as {
        sheet.head("The same elsewhere", None);
        sheet.facts(&other_words(said).map(|(name, line)| (name.to_owned(), line)).collect());
    }
    sheet.head("What happened", None);
    sheet.facts(&operation.log.iter().map(|entry| (moment(entry.at), entry.text.clone())).collect());
    if !operation.last_lines.is_empty() {
        sheet.head("End of the task's log", None);
        for line in &operation.last_lines {
            sheet.line(line.as_str());
        }
    }
    sheet.lines()
}

async fn follow(
    client: &Client,
    id: &str,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let operation: Operation =
        client.get(&path(&["operations", id])).await.map_err(|f| super::no_such(f, "operation", id))?;
    let name = full_name(&operation);
    let action = operation.action;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let began = Instant::now();
    let interrupt = Interrupt::heed();
    let ended = {
        let pace = act::Pace::of(1);
        let mut end = std::pin::pin!(act::follow(client, operation, &pace, |operation| {
            let _ = tell.send(operation.sentence.clone());
        }));
        loop {
            tokio::select! {
                ended = &mut end => break Some(ended),
                Some(sentence) = told.recv() => context.show_progress(&safe(&format!(
                    "{action} {name}: {sentence} ({})",
                    span(began.elapsed().as_secs())
                ))),
                () = interrupt.wait() => break None,
            }
        }
    };
    drop(interrupt);
    context.clear_progress();
    let Some(ended) = ended else {
        return Err(Failure::new(Exit::OutcomeUnknown, format!("{action} {name}: interrupted; it goes on."))
            .hint(format!("Look at it again: muster operation follow {id}")));
    };
    let operation = ended?;
    if common.json() {
        context.print_json(&operation)?;
    }
    for line in act::outcome(&operation, &name)? {
        context.note(&format!("  {}", safe(&line)));
    }
    if !common.json() {
        let sentence =
            if operation.state == OperationState::Succeeded { "done" } else { &operation.sentence };
        context.print(&safe(&format!("{action} {name}: {sentence}")))?;
        context.print("\n")?;
    }
    Ok(Exit::Done)
}
