//! `muster node`: nodes of all remotes.

use api::node::{Node, NodeDetail};
use api::stream::ListOf;
use jiff::Timestamp;
use model::query::Vocabulary;
use model::{Freshness, NodeState};
use serde_json::Value;

use super::list::{List, maybe, plain};
use super::sheet::{Facts, Sheet, add, when};
use super::watch::Watched;
use super::{list, resolve};
use crate::cli::node::NodeCommand;
use crate::client::path;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Paper, Table, Tone};
use crate::term::text::ago;
use crate::words;

/// Carries out `muster node`.
pub(super) async fn run(
    node: crate::cli::node::Node,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = node.common;
    let client = super::open(&common, environment).await?;
    match node.command {
        NodeCommand::Ls(listing) => {
            let list = List {
                path: path(&["nodes"]),
                nouns: ("node", "nodes"),
                about: Vocabulary::Nodes,
                sort: None,
                table: &table,
                watched: Watched::list(ListOf::Nodes, &listing),
                of_listings: true,
            };
            list::show::<Node>(&client, &list, &listing, &common, context).await
        }
        NodeCommand::Show(one) => {
            let (remote, name) = resolve::node(&client, &one.node).await?;
            let value: Value = client.get(&path(&["nodes", &remote, &name])).await?;
            match serde_json::from_value::<NodeDetail>(value.clone()) {
                Ok(detail) if !common.json() => {
                    context.print_lines(&lines(&detail, super::now(), context.paper))?;
                }
                _ => context.print_json(&value)?,
            }
            Ok(Exit::Done)
        }
    }
}

/// `2/3`; `?/3` where nobody knows how many of them run.
fn guests(node: &Node) -> String {
    let running = node.guests_running.map_or_else(|| "?".to_owned(), |n| n.to_string());
    format!("{running}/{}", node.guests)
}

/// When something was last seen: `live`, `40 s ago`, `never`.
pub(super) fn seen(freshness: &Freshness, now: Timestamp) -> String {
    match freshness {
        Freshness::Live => "live".to_owned(),
        Freshness::Stale { since, .. } => ago(now, *since),
        Freshness::NeverSeen => "never".to_owned(),
    }
}

/// A node's state; what is not known for sure now is said as what it was.
fn state(node: &Node) -> (Tone, String) {
    let word = node.row.node.state.word();
    match (&node.row.node.state, node.row.freshness.is_live()) {
        (NodeState::Online, true) => (Tone::Good, word.to_owned()),
        (NodeState::Offline, _) => (Tone::Bad, word.to_owned()),
        (_, true) => (Tone::Warn, word.to_owned()),
        (NodeState::Unknown, false) => (Tone::Dim, word.to_owned()),
        (_, false) => (Tone::Dim, format!("was {word}")),
    }
}

fn table(nodes: &[Node], now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("NODE", 8).whole(),
        Column::new("STATE", 8),
        Column::new("GUESTS", 6).right().rank(3),
        Column::new("CPU", 6).right().rank(2),
        Column::new("MEMORY", 8).right().rank(2),
        Column::new("OF", 8).right().rank(4),
        Column::new("UP", 10).right().rank(5),
        Column::new("VERSION", 6).rank(4),
        Column::new("SEEN", 8),
        Column::new("NOTE", 14).rank(1),
    ]);
    for node in nodes {
        let facts = &node.row.node;
        table.row(
            if node.row.freshness.is_live() { Tone::Plain } else { Tone::Dim },
            vec![
                plain(format!("{}/{}", node.remote, facts.name)),
                state(node),
                plain(guests(node)),
                plain(words::cpu(facts.cpu)),
                plain(words::size(facts.memory)),
                plain(words::size(facts.memory_max)),
                plain(words::uptime(facts.uptime)),
                maybe(facts.version.as_ref().map(|version| words::node_version(version.as_str()))),
                plain(seen(&node.row.freshness, now)),
                maybe(node.stale_why.as_ref()),
            ],
        );
    }
    table
}

fn lines(detail: &NodeDetail, now: Timestamp, paper: Paper) -> Vec<String> {
    let (node, facts) = (&detail.node, &detail.node.row.node);
    let mut sheet = Sheet::new(&format!("node {}/{}", node.remote, facts.name), paper);
    let mut list: Facts = Vec::new();
    add(&mut list, "state", state(node).1);
    let through = node.row.through.as_ref().map(|t| format!(" through {t}")).unwrap_or_default();
    let at = node.row.observed_at.map(|at| when(now, at)).unwrap_or_else(|| "never".to_owned());
    add(&mut list, "last seen", format!("{at}{through}"));
    add(&mut list, "not live", node.stale_why.clone().unwrap_or_default());
    add(&mut list, "link", super::remote::broken(&detail.link));
    add(
        &mut list,
        "guests",
        match node.guests_running {
            Some(running) => format!("{running} running of {}", node.guests),
            None => format!("{}, running ones not known", node.guests),
        },
    );
    let cpus = facts.cpus.map(|n| format!(" of {n}")).unwrap_or_default();
    add(
        &mut list,
        "processors",
        facts.cpu.map(|c| format!("{}{cpus}", words::cpu(Some(c)))).unwrap_or_default(),
    );
    add(&mut list, "load", facts.load.iter().map(ToString::to_string).collect::<Vec<_>>().join("  "));
    add(&mut list, "memory", words::share(facts.memory, facts.memory_max).unwrap_or_default());
    add(&mut list, "root disk", words::share(facts.disk, facts.disk_max).unwrap_or_default());
    add(&mut list, "up for", words::uptime(facts.uptime));
    add(&mut list, "version", facts.version.as_ref().map(ToString::to_string).unwrap_or_default());
    add(&mut list, "certificate ends", facts.certificate_ends.map(|at| when(now, at)).unwrap_or_default());
    sheet.facts(&list);
    sheet.lines()
}
