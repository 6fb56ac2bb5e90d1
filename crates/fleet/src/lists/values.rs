//! The values that a key has on the rows of a list: what whoever types a query may go on with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::access::Visible;
use model::query::complete::begins_with;
use model::query::{Key, Subject, Vocabulary};

use super::order::natural;
use super::subject::OfRemote;
use super::{guests, nodes, operations, remotes, storages, tasks};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// Different values that are looked at; beyond them any are as good as others.
const MOST: usize = 2000;

/// Values of a key that begin so, as people sort names, at most `limit`; each with how many rows have it.
#[must_use]
pub fn values(
    snapshot: &FleetSnapshot,
    visible: &Visible,
    about: Vocabulary,
    key: Key,
    begins: &str,
    limit: usize,
) -> Vec<(String, usize)> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut take = |text: &str| {
        if text.is_empty() || !begins_with(text, begins) {
            return;
        }
        let full = found.len() >= MOST;
        match found.get_mut(text) {
            Some(count) => *count += 1,
            None if full => {}
            None => drop(found.insert(text.to_owned(), 1)),
        }
    };
    for remote in snapshot.remotes.iter().filter(|remote| visible.sees(remote.id)) {
        match key {
            // The same for all that is on it; of its number and its name, the name.
            Key::Remote => take(&remote.name),
            Key::Link => each(&OfRemote::new(remote), key, &mut take),
            _ => of_rows(remote, about, key, &mut take),
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by(|(a, _), (b, _)| natural(a, b));
    found.truncate(limit);
    found
}

/// Gives all texts of a key of one row to `take`.
fn each<S: Subject>(row: &S, key: Key, take: &mut dyn FnMut(&str)) {
    // No text is the one that is looked for: so all of them are given.
    let _ = row.text(key, &mut |text| {
        take(text);
        false
    });
}

fn of_rows(remote: &RemoteSnapshot, about: Vocabulary, key: Key, take: &mut dyn FnMut(&str)) {
    let now: Timestamp = remote.at;
    match about {
        Vocabulary::Guests => guests::standing(remote, now, &mut |row| each(&row, key, take)),
        Vocabulary::Nodes => nodes::all(remote, now, &mut |row| each(&row, key, take)),
        Vocabulary::Storages => storages::each_once(remote, now, &mut |row| each(&row, key, take)),
        Vocabulary::Tasks => tasks::all(remote, now, &mut |row| each(&row, key, take)),
        Vocabulary::Operations => operations::all(remote, now, &mut |row| each(&row, key, take)),
        Vocabulary::Remotes => remotes::itself(remote, now, &mut |row| each(&row, key, take)),
    }
}
