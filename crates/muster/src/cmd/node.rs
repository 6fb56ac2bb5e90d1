//! `muster node`: nodes of all remotes.

use api::node::{Node, NodeDetail};
use api::stream::ListOf;
use jiff::Timestamp;
use model::query::Vocabulary;
use model::{Freshness, NodeState};
use serde_json::Value;

use super::guest::{When, part, unasked};
use super::list::{List, maybe, plain};
use super::sheet::{Facts, Sheet, add, when};
use super::watch::Watched;
use super::{chart, list, resolve, web};
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
            let detail: Option<NodeDetail> = serde_json::from_value(value.clone()).ok();
            match &detail {
                Some(detail) if !common.json() => {
                    context.print_lines(&lines(detail, super::now(), context.paper))?;
                }
                _ => context.print_json(&value)?,
            }
            let unread = detail.is_some_and(|detail| detail.status.error.is_some());
            Ok(if unread { Exit::Partial } else { Exit::Done })
        }
        NodeCommand::Open(one) => {
            let (remote, name) = resolve::node(&client, &one.node).await?;
            web::print(&client, &unasked(&["nodes", &remote, &name]), &common, context).await
        }
        NodeCommand::Chart(wanted) => {
            let (remote, name) = resolve::node(&client, &wanted.one.node).await?;
            let title = format!("node {remote}/{name}");
            let at = path(&["nodes", &remote, &name, "chart"]);
            chart::show(&client, &at, wanted.back.span, &title, &common, context).await
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
    let left_alone = detail.link.state == "disconnected";
    part(&mut sheet, "Status", &detail.status, When { now, left_alone }, |status| figures(&status.0));
    if !detail.drift.is_empty() {
        sheet.head("Did not fit", None);
        sheet.facts(&detail.drift.iter().map(super::remote::drift_fact).collect());
    }
    sheet.lines()
}

/// What a node says of itself beyond its row.
fn figures(status: &serde_json::Map<String, Value>) -> Facts {
    let status = Value::Object(status.clone());
    let at = |pointer: &str| status.pointer(pointer).filter(|value| !value.is_null());
    let text = |pointer: &str| at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |pointer: &str| at(pointer).and_then(Value::as_u64);
    let share = |of: &str| {
        words::share(number(&format!("/{of}/used")), number(&format!("/{of}/total"))).unwrap_or_default()
    };
    let mut facts: Facts = Vec::new();
    add(&mut facts, "Proxmox VE", text("/pveversion"));
    let kernel = Some(text("/current-kernel/release")).filter(|text| !text.is_empty());
    add(&mut facts, "kernel", kernel.unwrap_or_else(|| text("/kversion")));
    add(&mut facts, "processor", text("/cpuinfo/model"));
    let counted = |of: &str, word: &str| {
        number(&format!("/cpuinfo/{of}")).map(|n| format!("{n} {word}{}", if n == 1 { "" } else { "s" }))
    };
    let parts = [counted("cpus", "thread"), counted("cores", "core"), counted("sockets", "socket")];
    add(&mut facts, "of it", parts.into_iter().flatten().collect::<Vec<_>>().join(", "));
    let waits = at("/wait").and_then(Value::as_f64);
    add(&mut facts, "waits for I/O", waits.map(|share| words::cpu(Some(share))).unwrap_or_default());
    add(&mut facts, "memory", share("memory"));
    add(&mut facts, "swap", share("swap"));
    add(&mut facts, "root disk", share("rootfs"));
    add(&mut facts, "booted by", text("/boot-info/mode"));
    let secure = at("/boot-info/secureboot").and_then(Value::as_bool);
    add(&mut facts, "secure boot", secure.map_or("", |on| if on { "on" } else { "off" }));
    facts
}
