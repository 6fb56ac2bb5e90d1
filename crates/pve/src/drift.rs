//! [`Drift`]: what in a reply did not fit what is documented, so that nothing is dropped in silence.

use std::fmt;

use serde::Serialize;

use crate::decode::{JsonKind, Kind};

/// Longest sample of a value that did not fit, in characters.
pub const SAMPLE_CHARS: usize = 200;
/// Longest raw text kept of a row that could not be read, in bytes.
pub const RAW_BYTES: usize = 4 * 1024;
/// After this many unreadable rows in one reply only a sample of each further one is kept: the first show
/// what is wrong, and a whole listing gone bad must not be held in memory twice.
const RAW_ROWS: usize = 256;

/// All departures found while one reply was decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The call that was answered, such as `GET /nodes/{node}/tasks`; empty when nobody said.
    pub call: String,
    /// Fields that did not have the documented type. Equal ones stand once, with their count.
    pub records: Vec<DriftRecord>,
    /// Rows that could not be read at all.
    pub unreadable: Vec<Unreadable>,
}

/// A field whose value did not have the documented type; it is absent from the decoded reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DriftRecord {
    /// The call that was answered, as in [`Drift::call`].
    pub call: String,
    /// Where the field stands: `ha.managed` in an object, `[].ha` in the rows of a list.
    pub field: String,
    /// What is documented.
    pub expected: Kind,
    /// What came.
    pub found: JsonKind,
    /// The first such value as it stood on the wire, cut at [`SAMPLE_CHARS`]; redacted where the field is secret.
    pub sample: String,
    /// The row of the first such value, counted from 0, in a list.
    pub row: Option<usize>,
    /// How many values of this field came like this.
    pub count: u64,
}

/// A row that is not in the decoded list because it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The list it stood in: `[]`, or `files[]` for a list inside an object.
    pub list: String,
    /// Its position in that list, counted from 0.
    pub row: usize,
    /// Its text as it stood on the wire, cut at [`RAW_BYTES`]; redacted where rows of this type hold secrets.
    pub raw: String,
    /// Why it could not be read.
    pub why: String,
}

impl Drift {
    /// An empty collection for the answer to `call`, such as `GET /nodes/{node}/tasks`.
    pub fn of(call: impl Into<String>) -> Self {
        Self { call: call.into(), ..Self::default() }
    }

    /// Whether everything was as documented.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.unreadable.is_empty()
    }

    /// How many values did not fit, plus how many rows could not be read.
    pub fn count(&self) -> u64 {
        let rows = u64::try_from(self.unreadable.len()).unwrap_or(u64::MAX);
        self.records.iter().map(|r| r.count).sum::<u64>().saturating_add(rows)
    }

    /// Adds what was found in another reply, merging equal records of the same call.
    pub fn absorb(&mut self, other: Drift) {
        for record in other.records {
            match self.records.iter_mut().find(|r| r.same(&record)) {
                Some(known) => known.count = known.count.saturating_add(record.count),
                None => self.records.push(record),
            }
        }
        self.unreadable.extend(other.unreadable);
    }

    /// Notes one value that did not fit.
    pub(crate) fn note(
        &mut self,
        field: String,
        expected: Kind,
        found: JsonKind,
        sample: &str,
        row: Option<usize>,
    ) {
        let known = self
            .records
            .iter_mut()
            .find(|r| r.call == self.call && r.field == field && r.expected == expected && r.found == found);
        if let Some(known) = known {
            known.count = known.count.saturating_add(1);
            return;
        }
        let (call, sample) = (self.call.clone(), shortened(sample));
        self.records.push(DriftRecord { call, field, expected, found, sample, row, count: 1 });
    }

    /// Notes one row that could not be read.
    pub(crate) fn lose(&mut self, list: String, row: usize, raw: &str, why: String) -> Unreadable {
        let raw = if self.unreadable.len() < RAW_ROWS { cut_bytes(raw, RAW_BYTES) } else { shortened(raw) };
        let lost = Unreadable { list, row, raw, why };
        self.unreadable.push(lost.clone());
        lost
    }
}

impl DriftRecord {
    fn same(&self, other: &Self) -> bool {
        self.field == other.field
            && self.found == other.found
            && self.expected == other.expected
            && self.call == other.call
    }
}

impl fmt::Display for DriftRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.call.is_empty() {
            write!(f, "{}: ", self.call)?;
        }
        write!(f, "{}: expected {}, found {} `{}`", self.field, self.expected, self.found, self.sample)?;
        match (self.count, self.row) {
            (1, None) => Ok(()),
            (1, Some(row)) => write!(f, " in row {row}"),
            (n, None) => write!(f, ", {n} times"),
            (n, Some(row)) => write!(f, ", {n} times, first in row {row}"),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} row {}: {}: {}", self.list, self.row, self.why, self.raw)
    }
}

/// The text, cut at [`SAMPLE_CHARS`] characters and then ending in an ellipsis.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SAMPLE_CHARS) {
        None => text.to_owned(),
        // One less, so that the ellipsis does not make it longer than promised.
        Some(_) => text.chars().take(SAMPLE_CHARS - 1).chain(['…']).collect(),
    }
}

/// The text, cut at a character boundary at or before `limit` bytes and then ending in an ellipsis.
fn cut_bytes(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(drift: &mut Drift, field: &str, row: usize) {
        drift.note(field.to_owned(), Kind::Bool, JsonKind::List, "[]", Some(row));
    }

    #[test]
    fn equal_departures_stand_once_with_their_count() {
        let mut drift = Drift::of("GET /x");
        note(&mut drift, "[].a", 3);
        note(&mut drift, "[].b", 4);
        note(&mut drift, "[].a", 9);
        assert_eq!(drift.records.len(), 2);
        assert_eq!((drift.records[0].count, drift.records[0].row), (2, Some(3)));
        let mut more = Drift::of("GET /x");
        note(&mut more, "[].b", 1);
        drift.absorb(more);
        assert_eq!(drift.count(), 4);
        assert_eq!(
            drift.records[0].to_string(),
            "GET /x: [].a: expected a boolean, found a list `[]`, 2 times, first in row 3"
        );
    }

    #[test]
    fn samples_and_raw_rows_are_bounded_at_character_boundaries() {
        let long = "é".repeat(10_000);
        let mut drift = Drift::default();
        drift.note("f".into(), Kind::Text, JsonKind::List, &long, None);
        assert_eq!(drift.records[0].sample.chars().count(), SAMPLE_CHARS);
        for row in 0..RAW_ROWS + 1 {
            drift.lose("[]".into(), row, &long, "why".into());
        }
        assert!(drift.unreadable[0].raw.len() <= RAW_BYTES);
        assert!(drift.unreadable[0].raw.len() > RAW_BYTES - 8);
        assert_eq!(drift.unreadable[RAW_ROWS].raw.chars().count(), SAMPLE_CHARS);
        assert_eq!(drift.unreadable.len(), RAW_ROWS + 1, "every row is counted");
    }
}
