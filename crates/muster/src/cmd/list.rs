//! Lists: asked for page by page, shown as a table or as JSON, once or as they change: [`show`].

use api::Counts;
use api::list::MAX_LIMIT;
use jiff::Timestamp;
use model::query::{Key, Query, Vocabulary};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

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
}

impl Got {
    /// The list as an object.
    pub(super) fn json(&self) -> Value {
        match self.counts.is_null() {
            true => json!({ "items": self.items, "total": self.total }),
            false => json!({ "items": self.items, "total": self.total, "counts": self.counts }),
        }
    }

    fn counts(&self) -> Counts {
        serde_json::from_value(self.counts.clone()).unwrap_or_default()
    }

    /// Is it surely all there is?
    fn is_whole(&self, query: Option<&str>) -> bool {
        let remotes = self.counts().remotes;
        // Who asks about one remote is not told of the gaps of others.
        query.is_some_and(|q| q.contains("remote:")) || (remotes.never_listed == 0 && remotes.unreadable == 0)
    }
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
        let total = page
            .get("total")
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(items.len());
        let enough = limit.is_some_and(|l| items.len() >= l);
        asked += got;
        if got == 0 || asked >= total || enough {
            items.truncate(limit.unwrap_or(usize::MAX));
            return Ok(Got {
                items,
                total,
                counts: page.get_mut("counts").map(Value::take).unwrap_or_default(),
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

/// What is to be said of rows that could not be understood.
pub(super) fn not_understood(lost: usize) -> Option<String> {
    let rows = match lost {
        0 => return None,
        1 => "1 row is".to_owned(),
        _ => format!("{lost} rows are"),
    };
    Some(format!("{rows} not understood by this muster; -o json shows all as they came."))
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
    let query = listing.text();
    let (query, sort) = (query.as_deref(), listing.sort.as_deref().or(list.sort));
    let ask = || read(client, &list.path, query, sort, listing.limit);
    if listing.watch {
        let lines = |got: &Got, now: Timestamp| {
            let (rows, _) = typed::<T>(&got.items);
            (list.table)(&rows, now)
        };
        return watch::run(client, &list.watched, common.json(), &ask, &lines, context).await;
    }
    let got = ask().await?;
    if common.json() {
        context.print_json(&got.json())?;
    } else {
        let (rows, lost) = typed::<T>(&got.items);
        let table = (list.table)(&rows, super::now());
        if table.is_empty() {
            let several = list.nouns.1;
            let remotes = got.counts().remotes.total;
            context.note(&match query {
                Some(_) => format!("No {several} fit the query."),
                None if remotes == 0 && !got.counts.is_null() => {
                    "No remotes yet. Add a host or cluster: muster remote add ADDRESS".to_owned()
                }
                None => format!("No {several}, or none that you may see."),
            });
            if let Some(line) = stranger(client, query, list.about).await {
                context.note(&safe(&line));
            }
        } else {
            context.print_table(&table)?;
        }
        for line in remarks(&got, lost, rows.len(), list.nouns, list.of_listings) {
            let line = Tone::Dim.paint(&line, context.progress);
            context.note(&line);
        }
    }
    Ok(if !list.of_listings || got.is_whole(query) { Exit::Done } else { Exit::Partial })
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

/// What is to be said beside a list: what it lacks.
fn remarks(got: &Got, lost: usize, shown: usize, nouns: (&str, &str), of_listings: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if got.total > shown + lost {
        lines.push(format!("{} of {} {} shown.", shown, got.total, nouns.1));
    }
    lines.extend(not_understood(lost));
    if !of_listings {
        return lines;
    }
    let remotes = got.counts().remotes;
    if remotes.never_listed > 0 {
        let them = if remotes.never_listed == 1 {
            "1 remote was".to_owned()
        } else {
            format!("{} remotes were", remotes.never_listed)
        };
        lines.push(format!(
            "{them} never reached: what is there is not in this list. \"muster remote ls\" tells why."
        ));
    }
    if remotes.unreadable > 0 {
        let rows =
            if remotes.unreadable == 1 { "1 row".to_owned() } else { format!("{} rows", remotes.unreadable) };
        lines.push(format!(
            "{rows} of what remotes sent could not be read: \"muster remote show NAME\" shows them raw."
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
