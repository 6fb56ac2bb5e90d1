//! What a text on the command line means: one guest, node or storage, never the first match.

use api::guest::Guest;
use api::node::Node;
use api::remote::RemoteRow;
use model::query::Vocabulary;
use serde::de::DeserializeOwned;

use super::list::{read, typed, was_listed};
use super::reach;
use crate::at::find;
use crate::client::{Client, path};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::shell;

/// How many guests of a like name are looked at for proposals.
const NEAR: usize = 200;

/// `home/101` or `home/web` in a query: the guest that every other command takes for it. An address (`10.0.0.0/8`) is
/// a text to look for, and so is what stands in quotes.
pub(super) fn place(word: &str) -> Option<String> {
    let (remote, guest) = word.trim().split_once('/')?;
    let plain = |text: &str| {
        !text.is_empty()
            && !text
                .contains(|c: char| c.is_whitespace() || matches!(c, ':' | '~' | '<' | '>' | '=' | '"' | '/'))
    };
    if !plain(remote)
        || !plain(guest)
        || remote.starts_with('-')
        || remote.parse::<std::net::IpAddr>().is_ok()
    {
        return None;
    }
    let key = if guest.chars().all(|c| c.is_ascii_digit()) { "vmid" } else { "name" };
    Some(format!("remote:{} {key}:{}", shell::quoted(remote), shell::quoted(guest)))
}

/// A text as one word of a query.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The guests that fit a query, and how many more do of which nothing is understood.
async fn guests(client: &Client, query: &str, limit: Option<usize>) -> Result<(Vec<Guest>, usize), Failure> {
    let got = read(client, &path(&["guests"]), Some(query), Some("remote,vmid"), limit).await?;
    Ok(typed(&got.items))
}

fn not_understood(lost: usize) -> Failure {
    let sentence = format!("{lost} of the guests that fit are not understood by this muster.");
    Failure::new(Exit::Failed, sentence).hint("Is the server much newer? Nothing was done.")
}

/// All guests that fit a query of the person's own.
pub(super) async fn guests_of_query(client: &Client, query: &str) -> Result<Vec<Guest>, Failure> {
    let place = place(query);
    match guests(client, place.as_deref().unwrap_or(query), None).await? {
        (rows, 0) => Ok(rows),
        (_, lost) => Err(not_understood(lost)),
    }
}

/// What such a query leaves open, in a sentence: guests of which the state is not known now.
pub(super) async fn left_open(client: &Client, query: &str) -> Result<Option<String>, Failure> {
    let place = place(query);
    let query = place.as_deref().unwrap_or(query);
    reach::left_open(client, &path(&["guests"]), Some(query), Vocabulary::Guests).await
}

/// The one guest that a text means. `strictly`: not when a remote that was never listed may have another one.
pub(super) async fn guest(client: &Client, text: &str, strictly: bool) -> Result<Guest, Failure> {
    let wanted = text.trim();
    let (mut rows, mut lost) = (Vec::new(), 0);
    let mut words = vec![wanted];
    words.extend(wanted.split_once('/').map(|(_, rest)| rest));
    for word in words.into_iter().filter(|w| !w.is_empty()) {
        let number = word.chars().all(|c| c.is_ascii_digit()).then(|| format!("vmid:{word}"));
        for query in number.into_iter().chain([format!("name:{}", quoted(word))]) {
            let (fit, odd) = guests(client, &query, Some(NEAR)).await?;
            rows.extend(fit);
            lost += odd;
        }
    }
    // Gone ones are shown where one asks for them by number; they do not stand in the way of those that are there.
    unique(&mut rows);
    let gone = |g: &Guest| matches!(g.row.presence, model::Presence::Deleted { .. });
    if rows.iter().any(|g| !gone(g)) {
        rows.retain(|g| !gone(g));
    }
    let never = never_listed(client).await?;
    let gaps = find::Gaps { unasked: &never, unreadable: &[] };
    let first = pick(wanted, &rows, gaps);
    let (index, unsure) = match first {
        Ok(found) => found,
        // What is not understood may be the one that is meant.
        Err(_) if lost > 0 => return Err(not_understood(lost)),
        Err(failure) if !rows.is_empty() => return Err(failure),
        Err(_) => {
            // Nothing of that name or number: what is like it may be meant.
            let rest = wanted.split_once('/').map_or(wanted, |(_, rest)| rest);
            let like = async |query: String| {
                guests(client, &query, Some(NEAR)).await.map(|(near, _)| near).unwrap_or_default()
            };
            let mut near = like(quoted(rest)).await;
            let start: String = rest.chars().take(2).collect();
            if near.is_empty() && !start.is_empty() {
                near = like(format!("name~{}", quoted(&start))).await;
            }
            unique(&mut near);
            return match pick(wanted, &near, gaps) {
                Err(failure) => Err(with_hint(failure)),
                Ok(_) => Err(Failure::usage(format!("There is no guest “{wanted}”."))),
            };
        }
    };
    let Some(meant) = rows.get(index) else {
        return Err(Failure::usage(format!("There is no guest “{wanted}”.")));
    };
    // Nor is one acted on that may not be the only one; REMOTE/VMID has none beside it.
    let exact = wanted == format!("{}/{}", meant.remote, meant.row.guest.vmid);
    if strictly && lost > 0 && !exact {
        return Err(not_understood(lost));
    }
    if strictly && !unsure.is_empty() {
        return Err(find::uncertain(wanted, &candidate(meant), &unsure));
    }
    Ok(meant.clone())
}

fn with_hint(failure: Failure) -> Failure {
    match failure.hint.as_deref() {
        Some("\"ls\" lists the guests there are.") => {
            failure.hint("\"muster guest ls\" lists the guests there are.")
        }
        _ => failure,
    }
}

fn unique(rows: &mut Vec<Guest>) {
    let mut seen = std::collections::BTreeSet::new();
    rows.retain(|row| seen.insert(row.id.clone()));
}

fn candidate(guest: &Guest) -> find::Candidate<'_> {
    find::Candidate {
        remote: guest.remote.as_str(),
        vmid: guest.row.guest.vmid,
        name: guest.row.guest.name.as_ref().map(|n| n.as_str()),
    }
}

fn pick(wanted: &str, rows: &[Guest], gaps: find::Gaps<'_>) -> Result<(usize, Vec<String>), Failure> {
    let candidates: Vec<find::Candidate<'_>> = rows.iter().map(candidate).collect();
    find::guest(wanted, &candidates, gaps).map(|found| (found.index, found.unsure))
}

/// Remotes of which no listing was ever read: they may have anything.
async fn never_listed(client: &Client) -> Result<Vec<String>, Failure> {
    let counts: serde_json::Value = client
        .get(&crate::client::with_query(&path(&["guests"]), &[("limit", Some("1".to_owned()))]))
        .await?;
    let never = counts.pointer("/counts/remotes/never_listed").and_then(serde_json::Value::as_u64);
    if never.unwrap_or(0) == 0 {
        return Ok(Vec::new());
    }
    let got = read(client, &path(&["remotes"]), None, None, None).await?;
    let (rows, lost) = typed::<RemoteRow>(&got.items);
    let silent = rows.into_iter().filter(|row| !was_listed(&row.counts)).map(|row| row.name.to_string());
    // One of which not even the name is understood is one more that may have it.
    let nameless = (lost > 0).then(|| "a remote that this muster does not understand".to_owned());
    Ok(silent.chain(nameless).collect())
}

/// Something with a remote and a name.
trait Placed: DeserializeOwned {
    const NOUN: &'static str;
    fn place(&self) -> (&str, &str);
}

impl Placed for Node {
    const NOUN: &'static str = "node";
    fn place(&self) -> (&str, &str) {
        (self.remote.as_str(), self.row.node.name.as_str())
    }
}

impl Placed for api::storage::Storage {
    const NOUN: &'static str = "storage";
    fn place(&self) -> (&str, &str) {
        (self.remote.as_str(), self.name.as_str())
    }
}

/// The one node that `REMOTE/NODE`, or a name that only one has, means: remote and name.
pub(super) async fn node(client: &Client, text: &str) -> Result<(String, String), Failure> {
    placed::<Node>(client, &path(&["nodes"]), text).await
}

/// The one storage that `REMOTE/STORAGE`, or a name that only one remote has, means: remote and name.
pub(super) async fn storage(client: &Client, text: &str) -> Result<(String, String), Failure> {
    let text = text.split_once('@').map_or(text, |(name, _)| name);
    placed::<api::storage::Storage>(client, &path(&["storages"]), text).await
}

async fn placed<T: Placed>(client: &Client, at: &str, text: &str) -> Result<(String, String), Failure> {
    let got = read(client, at, None, None, None).await?;
    let (rows, _) = typed::<T>(&got.items);
    let mut found: Vec<(String, String)> = rows
        .iter()
        .map(Placed::place)
        .filter(|(remote, name)| *name == text || format!("{remote}/{name}") == text)
        .map(|(remote, name)| (remote.to_owned(), name.to_owned()))
        .collect();
    found.sort();
    found.dedup();
    let noun = T::NOUN;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::usage(format!("There is no {noun} “{text}”, or none that you may see."))
            .hint(format!("\"muster {noun} ls\" lists those there are."))),
        several => Err(Failure::usage(format!("“{text}” is the name of {} {noun}s.", several.len()))
            .detail(several.iter().map(|(remote, name)| format!("{remote}/{name}")))
            .hint(format!("Say which: REMOTE/{}.", noun.to_uppercase()))),
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_guest_is_named_in_a_query_as_elsewhere() {
        assert_eq!(place("rack/101").as_deref(), Some("remote:rack vmid:101"));
        assert_eq!(place("rack/web").as_deref(), Some("remote:rack name:web"));
        for text in
            ["web", "10.0.0.0/8", "fd00::/8", "ip:10.0.0.0/8", "\"a/b\"", "/101", "rack/", "a/b/c", "-a/1"]
        {
            assert_eq!(place(text), None, "{text}");
        }
    }
}
