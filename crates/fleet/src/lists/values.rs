//! The values that a key has on the rows of a list: what whoever types a query may go on with.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use model::access::Visible;
use model::query::complete::Beginning;
use model::query::{Key, Subject, Vocabulary};

use super::order::natural;
use super::subject::OfRemote;
use super::{guests, nodes, operations, remotes, storages, tasks};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// The values of one key on the rows of one remote, as people sort names, each with how many rows have it.
type Sorted = Arc<[(Box<str>, usize)]>;

/// The values of keys on the rows of a remote, made when somebody types a query. A copy of a snapshot, which may be
/// changed before others see it, begins without.
#[derive(Debug, Default)]
pub struct Values(Mutex<BTreeMap<(Vocabulary, Key), Sorted>>);

impl Clone for Values {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Values {
    fn of(&self, remote: &RemoteSnapshot, about: Vocabulary, key: Key) -> Sorted {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry((about, key)).or_insert_with(|| sorted(remote, about, key)).clone()
    }
}

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
    let seen = snapshot.remotes.iter().filter(|remote| visible.sees(remote.id));
    let begins = Beginning::of(begins);
    let all: Vec<Sorted> = seen.map(|remote| remote.values.of(remote, about, key)).collect();
    // The first of all are among the first of each.
    let first = |of: &'_ Sorted| -> Vec<usize> {
        let fits = of.iter().enumerate().filter(|(_, (text, _))| begins.fits(text));
        fits.take(limit).map(|(at, _)| at).collect()
    };
    let mut found: Vec<&str> = all
        .iter()
        .flat_map(|of| first(of).into_iter().filter_map(|at| of.get(at)).map(|(text, _)| &**text))
        .collect();
    found.sort_unstable_by(|a, b| natural(a, b));
    found.dedup();
    found.truncate(limit);
    let count = |text: &str| all.iter().filter_map(|of| counted(of, text)).sum();
    found.into_iter().map(|text| (text.to_owned(), count(text))).collect()
}

/// How many rows have that value.
fn counted(of: &[(Box<str>, usize)], text: &str) -> Option<usize> {
    let at = of.binary_search_by(|(known, _)| natural(known, text)).ok()?;
    of.get(at).map(|(_, count)| *count)
}

fn sorted(remote: &RemoteSnapshot, about: Vocabulary, key: Key) -> Sorted {
    let mut found: Vec<(Box<str>, usize)> = Vec::new();
    let mut take = |text: &str| {
        // That there is none is no value to propose.
        if !text.is_empty() {
            found.push((text.into(), 1));
        }
    };
    match key {
        // The same for all that is on it; of its number and its name, the name.
        Key::Remote => take(&remote.name),
        Key::Link => each(&OfRemote::new(remote), key, &mut take),
        _ => of_rows(remote, about, key, &mut take),
    }
    found.sort_unstable_by(|(a, _), (b, _)| natural(a, b));
    found.dedup_by(|(text, count), (kept, all)| {
        let same = natural(text, kept) == Ordering::Equal;
        if same {
            *all += *count;
        }
        same
    });
    found.into()
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
