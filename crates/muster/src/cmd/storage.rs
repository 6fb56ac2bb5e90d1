//! `muster storage`: storages of all remotes, shared ones once.

use api::storage::{ContentKind, ContentSummary, Storage, StorageDetail, StorageGuest};
use api::stream::ListOf;
use jiff::Timestamp;
use model::query::Vocabulary;
use serde_json::Value;

use super::guest::{self, When, part, unasked};
use super::list::{List, counted, maybe, plain};
use super::node::seen;
use super::sheet::{Facts, Sheet, add};
use super::watch::Watched;
use super::{chart, list, resolve, web};
use crate::cli::storage::{One, StorageCommand};
use crate::client::{Client, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Paper, Table, Tone};
use crate::words;

/// Carries out `muster storage`.
pub(super) async fn run(
    storage: crate::cli::storage::Storage,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = storage.common;
    let client = super::open(&common, environment).await?;
    match storage.command {
        StorageCommand::Ls(listing) => {
            let list = List {
                path: path(&["storages"]),
                nouns: ("storage", "storages"),
                about: Vocabulary::Storages,
                sort: None,
                table: &table,
                watched: Watched::list(ListOf::Storages, &listing),
                of_listings: true,
            };
            list::show::<Storage>(&client, &list, &listing, &common, context).await
        }
        StorageCommand::Show(one) => {
            let (remote, name) = at_node(&client, &one).await?;
            let value: Value = client.get(&path(&["storages", &remote, &name])).await?;
            let detail: Option<StorageDetail> = serde_json::from_value(value.clone()).ok();
            match &detail {
                Some(detail) if !common.json() => {
                    context.print_lines(&lines(detail, super::now(), context.paper))?;
                }
                _ => context.print_json(&value)?,
            }
            Ok(if detail.is_some_and(|detail| is_partial(&detail)) { Exit::Partial } else { Exit::Done })
        }
        StorageCommand::Open(one) => {
            let (remote, name) = at_node(&client, &one).await?;
            web::print(&client, &unasked(&["storages", &remote, &name]), &common, context).await
        }
        StorageCommand::Chart(wanted) => {
            let (remote, name) = at_node(&client, &wanted.one).await?;
            let title = format!("storage {remote}/{name}");
            let at = path(&["storages", &remote, &name, "chart"]);
            chart::show(&client, &at, wanted.back.span, &title, &common, context).await
        }
    }
}

/// The remote and the storage that are meant; `name@node` where one node's is.
async fn at_node(client: &Client, one: &One) -> Result<(String, String), Failure> {
    let (remote, name) = resolve::storage(client, &one.storage).await?;
    let node = one.storage.rsplit_once('@').map(|(_, node)| format!("@{node}")).unwrap_or_default();
    Ok((remote, format!("{name}{node}")))
}

/// Whether something may be there that is not told.
fn is_partial(detail: &StorageDetail) -> bool {
    let unread = detail.contents.iter().any(|one| one.contents.error.is_some());
    unread || detail.guests_unknown > 0 || detail.nodes_not_asked > 0
}

fn lines(detail: &StorageDetail, now: Timestamp, paper: Paper) -> Vec<String> {
    let mut sheet = Sheet::new(&format!("storage {}/{}", detail.remote, detail.name), paper);
    let broken = super::remote::broken(&detail.link);
    if !broken.is_empty() {
        sheet.warn(&broken);
    }
    sheet.table(&table(&detail.storages, now));
    let left_alone = detail.link.state == "disconnected";
    for one in &detail.contents {
        let title = match one.shared {
            true => "What lies there".to_owned(),
            false => format!("What lies there, on {}", one.node),
        };
        part(&mut sheet, &title, &one.contents, When { now, left_alone }, summary);
    }
    if detail.nodes_not_asked > 0 {
        let nodes = counted(detail.nodes_not_asked, "node");
        sheet.warn(&format!("{nodes} more not asked: say “{}@NODE” for one of them", detail.name));
    }
    if !detail.guests.is_empty() || detail.guests_unknown > 0 {
        sheet.head("Guests", None);
        sheet.facts(&detail.guests.iter().map(|one| (guest::label(&one.guest), has(one))).collect());
        let more = detail.guests_total.saturating_sub(detail.guests.len());
        if more > 0 {
            sheet.line(&format!("and {more} more"));
        }
        if detail.guests_unknown > 0 {
            let guests = counted(detail.guests_unknown, "guest");
            sheet.line(&match &detail.guests_error {
                None => format!("not known of {guests}: the configuration was not read yet"),
                Some(cause) => format!("not known of {guests}: {}", cause.sentence),
            });
        }
    }
    if !detail.drift.is_empty() {
        sheet.head("Did not fit", None);
        sheet.facts(&detail.drift.iter().map(super::remote::drift_fact).collect());
    }
    sheet.lines()
}

/// `3 of 24 GiB`.
fn amount(kind: &ContentKind) -> String {
    let size = kind.bytes.map(|bytes| format!(" of {}", words::size(Some(bytes)))).unwrap_or_default();
    let sizeless = match (kind.sizeless, kind.bytes) {
        (0, _) => String::new(),
        (_, None) => ", sizes not known".to_owned(),
        (n, Some(_)) => format!(", and {n} of unknown size"),
    };
    format!("{}{size}{sizeless}", kind.volumes)
}

fn content(kind: &ContentKind) -> &str {
    kind.content.as_ref().map_or("(not told)", |word| word.as_str())
}

fn summary(all: &ContentSummary) -> Facts {
    let mut facts: Facts = all.kinds.iter().map(|kind| (content(kind).to_owned(), amount(kind))).collect();
    if facts.is_empty() {
        add(&mut facts, "listed", "nothing");
    }
    let some = |n: usize, words: &str| if n == 0 { String::new() } else { format!("{n} {words}") };
    add(&mut facts, "not listed", some(all.unlisted_guests, "guests' disks: the account may not see them"));
    add(&mut facts, "of no known guest", some(all.of_unknown_guests, "volumes"));
    add(&mut facts, "not readable", some(all.unreadable, "rows"));
    facts
}

fn has(one: &StorageGuest) -> String {
    let name = one.guest.row.guest.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    let mut parts: Vec<String> =
        one.has.iter().map(|kind| format!("{} {}", content(kind), amount(kind))).collect();
    if parts.is_empty() {
        parts.push("by its configuration".to_owned());
    }
    format!("{name}{}", parts.join("; "))
}

fn table(storages: &[Storage], now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("STORAGE", 8).whole(),
        Column::new("NODES", 8).rank(2),
        Column::new("TYPE", 4).rank(3),
        Column::new("STATUS", 9),
        Column::new("USED", 8).right(),
        Column::new("OF", 8).right().rank(1),
        Column::new("USE", 5).right().rank(4),
        Column::new("CONTENT", 8).rank(6),
        Column::new("SEEN", 8),
        Column::new("NOTE", 14).rank(5),
    ]);
    for storage in storages {
        let facts = &storage.row.storage;
        let nodes = storage.nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let status = facts.status.as_ref().map(|s| s.as_str());
        // What is not known for sure now is said as what it was.
        let (tone, status) = match (status, storage.row.freshness.is_live()) {
            (Some("available"), true) => (Tone::Good, "available".to_owned()),
            (Some(word), true) => (Tone::Warn, word.to_owned()),
            (Some("unknown") | None, _) => (Tone::Dim, "unknown".to_owned()),
            (Some(word), false) => (Tone::Dim, format!("was {word}")),
        };
        #[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
        let share = match (facts.used, facts.size) {
            (Some(used), Some(size)) if size > 0 => Some(used as f64 / size as f64),
            _ => None,
        };
        table.row(
            if storage.row.freshness.is_live() { Tone::Plain } else { Tone::Dim },
            vec![
                plain(format!("{}/{}", storage.remote, storage.name)),
                plain(nodes),
                maybe(facts.plugin.as_ref()),
                (tone, status),
                plain(words::size(facts.used)),
                plain(words::size(facts.size)),
                plain(words::cpu(share)),
                plain(facts.content.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
                plain(seen(&storage.row.freshness, now)),
                maybe(storage.stale_why.as_ref()),
            ],
        );
    }
    table
}
