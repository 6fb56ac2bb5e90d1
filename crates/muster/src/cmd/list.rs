//! Lists: asked for page by page, shown as a table or as JSON, once or as they change: [`show`].

use api::Counts;
use api::list::MAX_LIMIT;
use api::remote::{RemoteFigures, RemoteRow};
use jiff::Timestamp;
use model::query::{Key, Query, Vocabulary};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::reach;
use super::watch::{self, Watched};
use crate::cli::{Common, Listing};
use crate::client::{Client, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::table::{Table, Tone};
use crate::term::text::safe;

/// What a list is, and how it is shown.
pub(super) struct List<'a, T> {
    /// Where it is asked for.
    pub path: String,
    /// What one of them is called, and several: `guest`, `guests`.
    pub nouns: (&'static str, &'static str),
    /// What may be asked about it.
    pub about: Vocabulary,
    /// The order when nobody says another.
    pub sort: Option<&'static str>,
    /// The table.
    pub table: &'a (dyn Fn(&[T], Timestamp) -> Table + Sync),
    /// What changes tell that it changed.
    pub watched: Watched,
    /// Is it only whole when every remote was listed?
    pub of_listings: bool,
}

/// What was read of a list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Got {
    /// The rows as they came.
    pub items: Vec<Value>,
    /// How many fit in all.
    pub total: usize,
    /// What they are, as it came.
    counts: Value,
    /// Rows that the server had kept and cannot read any more.
    unreadable: usize,
}

impl Got {
    /// The list as an object.
    pub(super) fn json(&self) -> Value {
        let mut object = serde_json::Map::new();
        object.insert("items".to_owned(), json!(self.items));
        object.insert("total".to_owned(), json!(self.total));
        if !self.counts.is_null() {
            object.insert("counts".to_owned(), self.counts.clone());
        }
        if self.unreadable > 0 {
            object.insert("unreadable".to_owned(), json!(self.unreadable));
        }
        object.into()
    }

    fn counts(&self) -> Counts {
        serde_json::from_value(self.counts.clone()).unwrap_or_default()
    }
}

/// What a list lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Gaps {
    /// Remotes that were never listed: what they have is not in it.
    never_listed: usize,
    /// Rows that remotes sent and that could not be read.
    unreadable: usize,
}

/// Was it ever listed?
pub(super) fn was_listed(figures: &RemoteFigures) -> bool {
    figures.nodes.is_some()
}

/// What a list of listings lacks. Who asks about some remotes (`remote:home`, `-remote:lab`) is not told of the gaps
/// of others.
async fn gaps(client: &Client, got: &Got, query: Option<&str>, about: Vocabulary) -> Result<Gaps, Failure> {
    let all = got.counts().remotes;
    let all = Gaps { never_listed: all.never_listed, unreadable: all.unreadable };
    let remotes =
        query.and_then(|text| Query::parse(text, about).ok()).map(|query| query.split().0.to_string());
    let Some(remotes) = remotes.filter(|query| !query.is_empty() && all != Gaps::default()) else {
        return Ok(all);
    };
    let got = read(client, &crate::client::path(&["remotes"]), Some(&remotes), None, None).await?;
    let (rows, lost) = typed::<RemoteRow>(&got.items);
    Ok(Gaps {
        // A remote that is not understood was not seen to be listed.
        never_listed: lost + rows.iter().filter(|row| !was_listed(&row.counts)).count(),
        unreadable: rows.iter().map(|row| row.counts.unreadable).sum(),
    })
}

/// Reads a list, all of it or `limit` rows.
pub(super) async fn read(
    client: &Client,
    path: &str,
    query: Option<&str>,
    sort: Option<&str>,
    limit: Option<usize>,
) -> Result<Got, Failure> {
    let mut items = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut asked = 0;
    loop {
        let wanted = limit.map_or(MAX_LIMIT, |l| l.saturating_sub(items.len()).min(MAX_LIMIT));
        let parameters = [
            ("q", query.map(str::to_owned)),
            ("sort", sort.map(str::to_owned)),
            ("offset", Some(asked).filter(|n| *n > 0).map(|n| n.to_string())),
            ("limit", Some(wanted.max(1).to_string())),
        ];
        let mut page: Value = client.get(&with_query(path, &parameters)).await?;
        let rows = rows_of(&mut page, "items", client)?;
        let got = rows.len();
        // What moved from one page to the next while they were read stands in both.
        items.extend(
            rows.into_iter().filter(|row| row.get("id").is_none_or(|id| seen.insert(id.to_string()))),
        );
        let number =
            |name: &str| page.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let (total, unreadable) = (number("total").unwrap_or(items.len()), number("unreadable").unwrap_or(0));
        let enough = limit.is_some_and(|l| items.len() >= l);
        asked += got;
        if got == 0 || asked >= total || enough {
            items.truncate(limit.unwrap_or(usize::MAX));
            return Ok(Got {
                items,
                total,
                counts: page.get_mut("counts").map(Value::take).unwrap_or_default(),
                unreadable,
            });
        }
    }
}

/// The rows that stand under a name in an answer.
///
/// # Errors
/// There are none: what is no list is not an empty one.
pub(super) fn rows_of(page: &mut Value, name: &str, client: &Client) -> Result<Vec<Value>, Failure> {
    match page.get_mut(name).map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(Failure::new(Exit::Failed, format!("The answer of {} is no list.", client.name()))),
    }
}

/// Rows as they are meant, and how many could not be understood.
pub(super) fn typed<T: DeserializeOwned>(items: &[Value]) -> (Vec<T>, usize) {
    let rows: Vec<T> = items.iter().filter_map(|item| serde_json::from_value(item.clone()).ok()).collect();
    let lost = items.len() - rows.len();
    (rows, lost)
}

/// Rows as they are meant, and what a command that shows them comes to. Those that could not be understood are told.
pub(super) fn understood<T: DeserializeOwned>(items: &[Value], context: &mut Context<'_>) -> (Vec<T>, Exit) {
    let (rows, lost) = typed(items);
    let them = match lost {
        0 => return (rows, Exit::Done),
        1 => "1 row is".to_owned(),
        _ => format!("{lost} rows are"),
    };
    context.note(&format!("{them} not understood by this muster; -o json shows all as they came."));
    let exit = exit_of(rows.len(), lost);
    (rows, exit)
}

/// What a list comes to of which so many rows were read and so many were not.
pub(super) fn exit_of(read: usize, lost: usize) -> Exit {
    match (read, lost) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Failed,
        _ => Exit::Partial,
    }
}

/// What is asked for, with what a saved view says of it.
async fn viewed(client: &Client, list: &str, listing: &Listing) -> Result<Listing, Failure> {
    let mut listing = listing.clone();
    if let Some(name) = &listing.view {
        let (query, sort) = super::account::view(client, list, name).await?;
        if !query.trim().is_empty() {
            listing.query.insert(0, query);
        }
        listing.sort = listing.sort.or(sort);
    }
    Ok(listing)
}

/// Shows a list, once or as it changes.
///
/// # Errors
/// It cannot be asked for.
pub(super) async fn show<T: DeserializeOwned>(
    client: &Client,
    list: &List<'_, T>,
    listing: &Listing,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let viewed = viewed(client, list.nouns.1, listing).await?;
    let listing = &viewed;
    let query = listing.text();
    let (query, sort) = (query.as_deref(), listing.sort.as_deref().or(list.sort));
    let ask = || read(client, &list.path, query, sort, listing.limit);
    if listing.watch {
        let lines = |got: &Got, now: Timestamp| {
            let (rows, _) = typed::<T>(&got.items);
            (list.table)(&rows, now)
        };
        return watch::run(client, &list.watched.showing(listing), common.json(), &ask, &lines, context)
            .await;
    }
    let got = ask().await?;
    let open = reach::left_open(client, &list.path, query, list.about).await?;
    let gaps = match list.of_listings {
        true => gaps(client, &got, query, list.about).await?,
        false => Gaps::default(),
    };
    if common.json() {
        context.print_json(&got.json())?;
    }
    let (rows, exit) = understood::<T>(&got.items, context);
    if !common.json() {
        let table = (list.table)(&rows, super::now());
        if !table.is_empty() {
            context.print_table(&table)?;
        } else if got.items.is_empty() {
            let several = list.nouns.1;
            let remotes = got.counts().remotes;
            context.note(&match query {
                Some(_) => format!("No {several} fit the query."),
                None if remotes.total == 0 && !got.counts.is_null() => {
                    "No remotes yet. Add a host or cluster: muster remote add ADDRESS".to_owned()
                }
                None => format!("No {several}, or none that you may see."),
            });
            if let Some(line) = stranger(client, query, list.about).await {
                context.note(&safe(&line));
            }
        }
        if got.total > got.items.len() {
            let line = format!("{} of {} {} shown.", got.items.len(), got.total, list.nouns.1);
            context.note(&Tone::Dim.paint(&line, context.progress));
        }
    }
    if let Some(line) = &open {
        context.note(&safe(line));
    }
    for line in lacking(gaps, got.unreadable) {
        let line = Tone::Dim.paint(&line, context.progress);
        context.note(&line);
    }
    Ok(match exit {
        Exit::Done if gaps != Gaps::default() || open.is_some() => Exit::Partial,
        Exit::Done => exit_of(rows.len(), got.unreadable),
        exit => exit,
    })
}

/// A remote that a query names and that is not there: what was misspelt looks like an empty fleet.
pub(super) async fn stranger(client: &Client, query: Option<&str>, about: Vocabulary) -> Option<String> {
    let query = Query::parse(query?, about).ok()?;
    let asked = query.asked_for(Key::Remote);
    if asked.is_empty() {
        return None;
    }
    let got = read(client, &crate::client::path(&["remotes"]), None, None, None).await.ok()?;
    let name = |row: &Value| row.get("name").and_then(Value::as_str).map(str::to_owned);
    let names: Vec<String> = got.items.iter().filter_map(name).collect();
    let known = |text: &str| {
        got.items
            .iter()
            .any(|row| row.get("id").and_then(Value::as_u64).is_some_and(|id| text.parse() == Ok(id)))
            || names.iter().any(|name| name.to_lowercase() == text.to_lowercase())
    };
    let nope: Vec<String> = asked.into_iter().filter(|text| !known(text)).map(|n| format!("“{n}”")).collect();
    let known = if names.is_empty() {
        "there are none".to_owned()
    } else {
        format!("there are {}", names.join(", "))
    };
    (!nope.is_empty()).then(|| format!("No remote is called {}; {known}.", nope.join(" or ")))
}

/// `1 node`, `3 nodes`.
pub(super) fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// What is to be said beside a list: what it lacks. `kept`: rows that the server had kept and cannot read.
fn lacking(gaps: Gaps, kept: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if gaps.never_listed > 0 {
        let were = if gaps.never_listed == 1 { "was" } else { "were" };
        lines.push(format!(
            "{} {were} never reached: what is there is not in this list. \"muster remote ls\" tells why.",
            counted(gaps.never_listed, "remote")
        ));
    }
    if gaps.unreadable > 0 {
        lines.push(format!(
            "{} of what remotes sent could not be read: \"muster remote show NAME\" shows them raw.",
            counted(gaps.unreadable, "row")
        ));
    }
    if kept > 0 {
        lines.push(format!(
            "{} that the server had kept cannot be read any more; its log says which.",
            counted(kept, "row")
        ));
    }
    lines
}

/// A cell without a tone of its own.
pub(super) fn plain(text: impl Into<String>) -> (Tone, String) {
    (Tone::Plain, text.into())
}

/// A cell of something that may not be known.
pub(super) fn maybe(text: Option<impl std::fmt::Display>) -> (Tone, String) {
    (Tone::Plain, text.map(|t| t.to_string()).unwrap_or_default())
}
