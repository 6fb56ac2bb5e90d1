//! The query language: which rows of a list are meant. `type:ct status:running tag:prod -tag:test cpu>80%`.
//!
//! Terms are separated by blanks and must all hold. A term is a word to search for, or a key with a value:
//!
//! | written | means |
//! |---|---|
//! | `web`, `"two words"` | stands in the name or another of its texts |
//! | `key:value`, `key:a,b` | is that, or one of those; `*` stands for anything |
//! | `key~part` | contains it |
//! | `key>4G`, `>=`, `<`, `<=`, `=` | compares, with units |
//! | `-term` | does not hold |
//!
//! A term about something that is not known neither holds nor does its contrary: `-cpu>80%` finds the guests
//! that are known to use 80 % or less, and none of which the use is unknown. Likewise `-status:running` finds
//! no guest whose state is unknown; `status:unknown` does.

pub mod complete;
mod keys;
mod parse;
mod quantity;
mod sort;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::ops::Range;

pub use keys::{KEYS, Key, KeyRow, Kind, Vocabulary, keys};
pub use quantity::Quantity;
pub use sort::{SortKey, sort};

use text::Network;

/// What a row tells of itself. What it does not know it must not guess.
pub trait Subject {
    /// Gives the texts of a key to `test`, one by one until one passes, and says whether one did. What is known
    /// to be nothing (no tag, no pool) is given as the empty text. `None`: not known.
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool>;

    /// The figure of a key in its own unit: bytes, seconds, a number; of a key that is a share, 0..1.
    fn figure(&self, key: Key) -> Option<f64>;

    /// The most that [`figure`](Self::figure) can be, which shares are reckoned of.
    fn whole(&self, key: Key) -> Option<f64>;

    /// Gives the texts that a bare word is looked for in to `test`, until one passes.
    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool;
}

/// A query, ready to be asked of many rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    terms: Vec<Term>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    not: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// A bare word.
    Word { written: String, folded: String },
    /// A key with values, any of which will do.
    Texts { key: Key, how: How, values: Vec<Pattern> },
    /// A key compared with figures, any of which will do.
    Figures { key: Key, how: Compare, values: Vec<Figure> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Is,
    Contains,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Is,
    More,
    AtLeast,
    Less,
    AtMost,
}

#[derive(Debug, Clone, PartialEq)]
struct Pattern {
    written: String,
    folded: String,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Plain,
    /// A word in quotes that is not among those the key is known to have.
    Unlisted,
    Stars,
    Network(Network),
}

#[derive(Debug, Clone, PartialEq)]
struct Figure {
    written: String,
    value: Quantity,
}

/// What is wrong with a query, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// Where it lies, in bytes of the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.hint)
    }
}

impl std::error::Error for QueryError {}

// === impl Query ===

impl Query {
    /// Reads a query about one kind of thing. The empty text asks for everything.
    ///
    /// # Errors
    /// Names the place, what is wrong there, and what to write instead.
    pub fn parse(text: &str, about: Vocabulary) -> Result<Self, QueryError> {
        parse::parse(text, about)
    }

    /// Whether it asks for everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether it asks about this.
    #[must_use]
    pub fn asks_about(&self, key: Key) -> bool {
        self.terms.iter().any(|term| term.key() == Some(key))
    }

    /// Whether it asks, other than by `-`, for what has this value: `status:deleted`.
    #[must_use]
    pub fn asks_for(&self, key: Key, value: &str) -> bool {
        self.terms.iter().filter(|term| !term.not).any(|term| match &term.test {
            Test::Texts { key: asked, values, .. } => {
                *asked == key && values.iter().any(|one| one.folded == value)
            }
            Test::Word { .. } | Test::Figures { .. } => false,
        })
    }

    /// The texts that a key is asked for, other than by `-`, and as a whole: `remote:home`.
    #[must_use]
    pub fn asked_for(&self, key: Key) -> Vec<&str> {
        let terms = self.terms.iter().filter(|term| !term.not && term.key() == Some(key));
        terms
            .flat_map(|term| match &term.test {
                Test::Texts { how: How::Is, values, .. } => values.as_slice(),
                _ => &[],
            })
            .filter(|value| matches!(value.shape, Shape::Plain | Shape::Unlisted))
            .map(|value| value.written.as_str())
            .collect()
    }

    /// Whether a row is meant.
    #[must_use]
    pub fn matches<S: Subject + ?Sized>(&self, row: &S) -> bool {
        self.terms.iter().all(|term| term.holds(row))
    }

    /// The terms that are about the remote as a whole, and the others. All that is on one remote can be told
    /// by the first; only what they leave needs the second.
    #[must_use]
    pub fn split(&self) -> (Self, Self) {
        let of_remote = |term: &Term| term.key().is_some_and(Key::is_of_the_remote);
        let (remote, row) = self.terms.iter().cloned().partition(of_remote);
        (Self { terms: remote }, Self { terms: row })
    }

    /// The same without what it asks about one thing.
    #[must_use]
    pub fn without(&self, key: Key) -> Self {
        let others = self.terms.iter().filter(|term| term.key() != Some(key));
        Self { terms: others.cloned().collect() }
    }
}

/// The query as it would be typed; parsed again it is the same.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, term) in self.terms.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

// === impl Term ===

impl Term {
    fn key(&self) -> Option<Key> {
        match &self.test {
            Test::Word { .. } => None,
            Test::Texts { key, .. } | Test::Figures { key, .. } => Some(*key),
        }
    }

    /// How much it costs to ask it of a row.
    fn weight(&self) -> usize {
        match &self.test {
            Test::Word { .. } => 1,
            Test::Texts { values, .. } => values.len(),
            Test::Figures { values, .. } => values.len(),
        }
    }

    /// What is not known makes no term hold, whichever way it is turned.
    fn holds<S: Subject + ?Sized>(&self, row: &S) -> bool {
        let said = match &self.test {
            Test::Word { folded, .. } => Some(row.any_text(&mut |text| text::contains(text, folded))),
            Test::Texts { key, how, values } => {
                row.text(*key, &mut |text| values.iter().any(|value| value.fits(text, *how)))
            }
            Test::Figures { key, how, values } => {
                any(values.iter().map(|value| value.holds(row, *key, *how)))
            }
        };
        said.is_some_and(|said| said != self.not)
    }
}

/// Whether one is true; unknown if none is and one is unknown.
fn any(all: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut said = Some(false);
    for one in all {
        match one {
            Some(true) => return Some(true),
            Some(false) => {}
            None => said = None,
        }
    }
    said
}

impl Pattern {
    /// Whether it means itself only in quotes: a star that is a star, a word that is not among the known ones.
    fn literal(&self) -> bool {
        match self.shape {
            Shape::Plain => self.written.contains('*'),
            Shape::Unlisted => true,
            Shape::Stars | Shape::Network(_) => false,
        }
    }

    fn fits(&self, text: &str, how: How) -> bool {
        match (&self.shape, how) {
            (Shape::Network(network), How::Is) => network.holds(text),
            (Shape::Stars, How::Is) => text::fits(text, &self.folded),
            (Shape::Plain | Shape::Unlisted, How::Is) => text::equals(text, &self.folded),
            (_, How::Contains) => text::contains(text, &self.folded),
        }
    }
}

impl Figure {
    fn holds<S: Subject + ?Sized>(&self, row: &S, key: Key, how: Compare) -> Option<bool> {
        let figure = row.figure(key)?;
        let (figure, wanted) = match self.value {
            Quantity::Figure(wanted) => (figure, wanted),
            Quantity::Share(wanted) => {
                let whole = row.whole(key).filter(|whole| *whole > 0.0)?;
                (figure / whole, wanted)
            }
        };
        if !figure.is_finite() {
            return None;
        }
        Some(match how {
            Compare::More => figure > wanted,
            Compare::AtLeast => figure >= wanted,
            Compare::Less => figure < wanted,
            Compare::AtMost => figure <= wanted,
            Compare::Is => (figure - wanted).abs() < f64::EPSILON * wanted.abs().max(1.0),
        })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.not {
            f.write_str("-")?;
        }
        match &self.test {
            Test::Word { written, .. } => parse::write_word(written, f),
            Test::Texts { key, how, values } => {
                f.write_str(key.as_str())?;
                f.write_str(match how {
                    How::Is => ":",
                    How::Contains => "~",
                })?;
                parse::write_values(values.iter().map(|value| (value.written.as_str(), value.literal())), f)
            }
            Test::Figures { key, how, values } => {
                f.write_str(key.as_str())?;
                f.write_str(match how {
                    Compare::Is => ":",
                    Compare::More => ">",
                    Compare::AtLeast => ">=",
                    Compare::Less => "<",
                    Compare::AtMost => "<=",
                })?;
                parse::write_values(values.iter().map(|value| (value.written.as_str(), false)), f)
            }
        }
    }
}
