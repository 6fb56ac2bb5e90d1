//! What the rows of a list are, counted without writing a word anew for each.

use model::{Freshness, Text};

use super::glance::Fresh;
use crate::snapshot::RemoteSnapshot;

/// How often each word came up.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Words of ours. There are few of them, and each is nearly always the very same text in memory.
    ours: Vec<(&'static str, usize)>,
    /// Words of others.
    others: Vec<(Text, usize)>,
}

impl Tally {
    /// A word of ours came up so many times more.
    pub fn add(&mut self, word: &'static str, times: usize) {
        if times == 0 {
            return;
        }
        let known = match self.ours.iter().position(|(known, _)| std::ptr::eq(*known, word)) {
            None => self.ours.iter().position(|(known, _)| *known == word),
            at => at,
        };
        match known.and_then(|at| self.ours.get_mut(at)) {
            Some((_, count)) => *count += times,
            None => self.ours.push((word, times)),
        }
    }

    /// A word of others came up so many times more.
    pub fn add_other(&mut self, word: &Text, times: usize) {
        match self.others.iter_mut().find(|(known, _)| known == word) {
            Some((_, count)) => *count += times,
            None if times > 0 => self.others.push((word.clone(), times)),
            None => {}
        }
    }

    /// How often the word came up.
    #[must_use]
    pub fn of(&self, word: &str) -> usize {
        self.iter().filter(|(known, _)| *known == word).map(|(_, count)| count).sum()
    }

    /// All of them. A word may stand there twice, as ours and as another's.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        let ours = self.ours.iter().copied();
        ours.chain(self.others.iter().map(|(word, count)| (word.as_str(), *count)))
    }

    /// Takes in another one.
    pub fn merge(&mut self, other: &Self) {
        for (word, count) in &other.ours {
            self.add(word, *count);
        }
        for (word, count) in &other.others {
            self.add_other(word, *count);
        }
    }
}

/// What the rows of a list are.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// By state.
    pub state: Tally,
    /// By type.
    pub kind: Tally,
    /// By how sure they are.
    pub freshness: Tally,
    /// By the state of the link to their remote.
    pub link: Tally,
    /// The remotes behind the list.
    pub remotes: RemoteCounts,
}

/// The remotes that a list is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoteCounts {
    /// How many may be seen.
    pub total: usize,
    /// Of these, how many are up.
    pub up: usize,
    /// Of these, how many wait for a person.
    pub needs_person: usize,
    /// Of these, how many were never listed: what they have is in no list.
    pub never_listed: usize,
    /// Rows of theirs that could not be read.
    pub unreadable: usize,
}

impl RemoteCounts {
    pub(crate) fn take(&mut self, remote: &RemoteSnapshot) {
        self.total += 1;
        self.up += usize::from(remote.link.state.is_up());
        self.needs_person += usize::from(remote.link.state.needs_person());
        self.never_listed += usize::from(!remote.was_listed());
        self.unreadable += remote.unreadable.len();
    }
}

/// The word for it, as in JSON.
pub(super) fn freshness_word(freshness: &Freshness) -> &'static str {
    Fresh::of(freshness).word()
}
