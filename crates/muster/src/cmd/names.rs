//! Live names for the completion of command lines. Quick, and silent when there is no server.

use std::time::Duration;

use clap_complete::CompletionCandidate;
use serde_json::Value;

use super::list::read;
use super::user::whole;
use crate::cli::Common;
use crate::client::contexts::{Contexts, LOCAL};
use crate::client::{Client, Patience, find, path};
use crate::serve::config::Environment;
use crate::term::text::safe;

/// Nobody waits longer for a proposal.
const PATIENCE: Duration = Duration::from_millis(700);

/// More names than this help nobody.
const MOST: usize = 1000;

/// What the command line that is being completed says about the server.
fn common(words: impl IntoIterator<Item = String>) -> Common {
    let mut common = Common::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        let mut value = || value.clone().or_else(|| words.next());
        match name.as_str() {
            "--data-dir" => common.data_dir = value().map(Into::into),
            "--server" => common.server = value(),
            "--context" => common.context = value(),
            _ => {}
        }
    }
    common
}

/// Asks the server something, in a runtime of its own: a shell waits for it.
fn ask<F>(question: impl FnOnce(Client) -> F) -> Vec<CompletionCandidate>
where
    F: Future<Output = Vec<CompletionCandidate>>,
{
    let words = std::env::args_os().filter_map(|word| word.into_string().ok());
    let patience = Patience { connect: PATIENCE, answer: PATIENCE, ..Patience::default() };
    let Ok(client) = find::find(&common(words), &Environment::of_process(), patience) else {
        return Vec::new();
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let found = runtime
        .block_on(async { tokio::time::timeout(PATIENCE, question(client)).await.unwrap_or_default() });
    runtime.shutdown_background();
    found
}

async fn rows(client: &Client, segments: &[&str]) -> Vec<Value> {
    read(client, &path(segments), None, None, Some(MOST)).await.map(|got| got.items).unwrap_or_default()
}

fn text(row: &Value, name: &str) -> String {
    match row.get(name) {
        Some(Value::String(text)) => safe(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn candidate(name: String, help: String) -> CompletionCandidate {
    let candidate = CompletionCandidate::new(name);
    if help.trim().is_empty() { candidate } else { candidate.help(Some(help.into())) }
}

/// Names of remotes.
pub fn remotes() -> Vec<CompletionCandidate> {
    ask(async |client: Client| {
        let state = |row: &Value| {
            row.pointer("/link/state").and_then(Value::as_str).unwrap_or_default().replace('_', " ")
        };
        rows(&client, &["remotes"]).await.iter().map(|row| candidate(text(row, "name"), state(row))).collect()
    })
}

/// Guests: names that only one has, and `REMOTE/VMID` of all.
pub fn guests() -> Vec<CompletionCandidate> {
    ask(async |client: Client| {
        let rows = rows(&client, &["guests"]).await;
        let names: Vec<String> = rows.iter().map(|row| text(row, "name")).collect();
        let mut found: Vec<CompletionCandidate> = Vec::with_capacity(rows.len() * 2);
        for (row, name) in rows.iter().zip(&names) {
            let place = format!("{}/{}", text(row, "remote"), text(row, "vmid"));
            let word = text(row, "word");
            let alone = !name.is_empty() && names.iter().filter(|other| *other == name).count() == 1;
            // A blank would have to be quoted; the number need not.
            if alone && !name.contains(char::is_whitespace) {
                found.push(candidate(name.clone(), format!("{place} {word}")));
            }
            found.push(candidate(place, format!("{name} {word}")));
        }
        found
    })
}

/// Nodes, `REMOTE/NODE`.
pub fn nodes() -> Vec<CompletionCandidate> {
    ask(async |client: Client| {
        let place = |row: &Value| format!("{}/{}", text(row, "remote"), text(row, "name"));
        rows(&client, &["nodes"]).await.iter().map(|row| candidate(place(row), text(row, "state"))).collect()
    })
}

/// Storages, `REMOTE/STORAGE`.
pub fn storages() -> Vec<CompletionCandidate> {
    ask(async |client: Client| {
        let place = |row: &Value| format!("{}/{}", text(row, "remote"), text(row, "name"));
        let mut places: Vec<String> = rows(&client, &["storages"]).await.iter().map(place).collect();
        places.sort();
        places.dedup();
        places.into_iter().map(CompletionCandidate::new).collect()
    })
}

/// Users of Muster.
pub fn users() -> Vec<CompletionCandidate> {
    ask(async |client: Client| {
        let rows = whole(&client, &path(&["users"])).await.unwrap_or_default();
        rows.iter().map(|row| candidate(text(row, "name"), String::new())).collect()
    })
}

/// Saved views.
pub fn views() -> Vec<CompletionCandidate> {
    ask(async |client: Client| {
        let all: Value = client.get(&path(&["preferences"])).await.unwrap_or_default();
        let views = all.get("views").and_then(Value::as_array).cloned().unwrap_or_default();
        views.iter().map(|view| candidate(text(view, "name"), text(view, "q"))).collect()
    })
}

/// Servers that this command line knows.
pub fn contexts() -> Vec<CompletionCandidate> {
    let environment = Environment::of_process();
    let known = Contexts::read(&environment).ok();
    let known = known.iter().flat_map(|c| c.all()).map(|c| candidate(c.name.clone(), c.url.clone()));
    std::iter::once(candidate(LOCAL.to_owned(), "the server on this machine".to_owned()))
        .chain(known)
        .collect()
}

/// Kinds of events.
pub fn kinds_of_events() -> Vec<CompletionCandidate> {
    model::event::Happening::WORDS.map(CompletionCandidate::new).into()
}

/// Roles of Muster.
pub fn roles() -> Vec<CompletionCandidate> {
    model::access::Role::ALL.map(|role| CompletionCandidate::new(role.as_str())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_the_line_is_asked() {
        let words =
            ["muster", "--", "muster", "guest", "--data-dir", "/d", "start", "--server=https://a", ""];
        let common = common(words.map(str::to_owned));
        assert_eq!(common.data_dir.as_deref(), Some(std::path::Path::new("/d")));
        assert_eq!(common.server.as_deref(), Some("https://a"));
    }
}
