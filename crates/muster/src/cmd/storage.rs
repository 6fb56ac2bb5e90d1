//! `muster storage`: storages of all remotes, shared ones once.

use api::storage::{Storage, StorageDetail};
use api::stream::ListOf;
use jiff::Timestamp;
use model::query::Vocabulary;
use serde_json::Value;

use super::list::{List, maybe, plain};
use super::node::seen;
use super::sheet::Sheet;
use super::watch::Watched;
use super::{list, resolve};
use crate::cli::storage::StorageCommand;
use crate::client::path;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Table, Tone};
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
            let (remote, name) = resolve::storage(&client, &one.storage).await?;
            let value: Value = client.get(&path(&["storages", &remote, &name])).await?;
            match serde_json::from_value::<StorageDetail>(value.clone()) {
                Ok(detail) if !common.json() => {
                    let mut sheet =
                        Sheet::new(&format!("storage {}/{}", detail.remote, detail.name), context.paper);
                    let broken = super::remote::broken(&detail.link);
                    if !broken.is_empty() {
                        sheet.warn(&broken);
                    }
                    sheet.table(&table(&detail.storages, super::now()));
                    context.print_lines(&sheet.lines())?;
                }
                _ => context.print_json(&value)?,
            }
            Ok(Exit::Done)
        }
    }
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
