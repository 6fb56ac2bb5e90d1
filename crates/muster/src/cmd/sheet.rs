//! One thing in full, as lines: [`Sheet`].

use jiff::Timestamp;

use crate::term::table::{Paper, Table, Tone};
use crate::term::text::{ago, moment, pad_right, safe, safe_lines, width};

/// A page of facts under headings.
pub(super) struct Sheet {
    lines: Vec<String>,
    paper: Paper,
}

/// Names and values.
pub(super) type Facts = Vec<(String, String)>;

/// Adds a fact unless there is nothing to say.
pub(super) fn add(facts: &mut Facts, name: &str, value: impl Into<String>) {
    let value = value.into();
    if !value.is_empty() {
        facts.push((name.to_owned(), value));
    }
}

/// `3 min ago (2026-01-01 10:00:00 UTC)`.
pub(super) fn when(now: Timestamp, at: Timestamp) -> String {
    format!("{} ({})", ago(now, at), moment(at))
}

impl Sheet {
    /// A page about something.
    pub(super) fn new(title: &str, paper: Paper) -> Self {
        Self { lines: vec![Tone::Bold.paint(&safe(title), paper.colour)], paper }
    }

    /// A heading, with a remark beside it.
    pub(super) fn head(&mut self, title: &str, remark: Option<&str>) {
        let remark =
            remark.map(|r| format!("  {}", Tone::Dim.paint(&safe(r), self.paper.colour))).unwrap_or_default();
        self.lines.push(String::new());
        self.lines.push(format!("{}{remark}", Tone::Bold.paint(title, self.paper.colour)));
    }

    /// Names in a column, values beside it; a value of several lines keeps them.
    pub(super) fn facts(&mut self, facts: &Facts) {
        let column = facts.iter().map(|(name, _)| width(&safe(name))).max().unwrap_or(0).min(28);
        for (name, value) in facts {
            let mut lines = safe_lines(value).into_iter();
            let first = lines.next().unwrap_or_default();
            self.lines.push(format!("  {}  {first}", pad_right(&safe(name), column)).trim_end().to_owned());
            for line in lines {
                self.lines.push(format!("  {}  {line}", " ".repeat(column)));
            }
        }
    }

    /// A line that is to be looked at.
    pub(super) fn warn(&mut self, text: &str) {
        self.lines.push(Tone::Warn.paint(&format!("  {}", safe(text)), self.paper.colour));
    }

    /// A plain line.
    pub(super) fn line(&mut self, text: &str) {
        self.lines.push(format!("  {}", safe(text)));
    }

    /// A table.
    pub(super) fn table(&mut self, table: &Table) {
        let columns = self.paper.columns.map(|c| c.saturating_sub(2));
        let lines = table.lines(Paper { columns, ..self.paper });
        self.lines.extend(lines.into_iter().map(|line| format!("  {line}")));
    }

    /// The page.
    pub(super) fn lines(self) -> Vec<String> {
        self.lines
    }
}
