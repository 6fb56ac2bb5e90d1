//! Plain tables for a terminal: [`Table`].
//!
//! On a terminal a table is made to fit: ids take their short form, wide columns are narrowed, then the least important
//! ones are left out, and a line below says which. What is typed again is never cut. In a pipe nothing is.

use super::text::{fit, pad_left, pad_right, safe, width};

/// How a row or a cell is set off. Shown only where colour is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// Known, but not from just now.
    Dim,
    /// All is well.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// A heading.
    Bold,
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Dim => Some("2"),
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
            Self::Bad => Some("31"),
            Self::Bold => Some("1"),
        }
    }

    /// `text` in this tone, if `colour` is wanted.
    pub fn paint(self, text: &str, colour: bool) -> String {
        match self.code() {
            Some(code) if colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_owned(),
        }
    }
}

/// Where the output goes: how wide it is, and whether it shows colour.
#[derive(Debug, Clone, Copy)]
pub struct Paper {
    /// Columns of the terminal; `None` in a pipe or a file, where nothing is cut.
    pub columns: Option<usize>,
    /// Are escape sequences of our own making welcome?
    pub colour: bool,
}

impl Paper {
    /// Standard output as it is now. Honours `NO_COLOR` and `COLUMNS`.
    pub fn stdout() -> Self {
        use std::io::IsTerminal;
        if !std::io::stdout().is_terminal() {
            return Self { columns: None, colour: false };
        }
        let columns =
            crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|c| *c > 0);
        let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        Self { columns: Some(columns.unwrap_or(80)), colour }
    }
}

/// A column's head and how it behaves when space is short.
#[derive(Debug, Clone)]
pub struct Column {
    head: &'static str,
    right: bool,
    least: usize,
    rank: u8,
    whole: bool,
    short: Option<fn(&str) -> String>,
}

impl Column {
    /// A column that is always there and may be narrowed to `least` columns.
    pub const fn new(head: &'static str, least: usize) -> Self {
        Self { head, right: false, least, rank: 0, whole: false, short: None }
    }

    /// Figures: set to the right.
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Is typed again as it stands here: never narrowed, only left out if its rank says so.
    #[must_use]
    pub const fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// An id that has a shorter form which may be typed as well: where room is short, that one is shown, whole.
    #[must_use]
    pub const fn short(mut self, short: fn(&str) -> String) -> Self {
        self.whole = true;
        self.short = Some(short);
        self
    }

    /// May be left out when there is no room; the highest rank goes first.
    #[must_use]
    pub const fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

/// A table: columns, then rows. Cells are made safe on the way in.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<(Tone, Vec<(Tone, String)>)>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; `tone` holds for the cells that have none of their own.
    pub fn row(&mut self, tone: Tone, cells: Vec<(Tone, String)>) {
        self.rows.push((tone, cells.into_iter().map(|(t, text)| (t, safe(&text))).collect()));
    }

    /// Are there no rows?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How wide each column would like to be.
    fn natural(&self) -> Vec<usize> {
        let widest = |(i, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(i)).map(|(_, text)| width(text));
            cells.max().unwrap_or(0).max(width(column.head))
        };
        self.columns.iter().enumerate().map(widest).collect()
    }

    /// The same with ids in their short form, and the heads of those columns.
    fn shortened(&self) -> Option<(Self, Vec<&'static str>)> {
        let mut short = self.clone();
        let mut heads = Vec::new();
        for (i, column) in short.columns.iter_mut().enumerate() {
            let Some(shorten) = column.short.take() else { continue };
            heads.push(column.head);
            for cell in short.rows.iter_mut().filter_map(|(_, cells)| cells.get_mut(i)) {
                cell.1 = shorten(&cell.1);
            }
        }
        (!heads.is_empty()).then_some((short, heads))
    }

    /// The table as lines.
    pub fn lines(&self, paper: Paper) -> Vec<String> {
        let natural = self.natural();
        let fits = paper.columns.is_none_or(|columns| total(natural.iter().copied().map(Some)) <= columns);
        if !fits && let Some((short, heads)) = self.shortened() {
            let mut lines = short.lines(paper);
            let note = format!("{} in short: it may be typed so.", heads.join(", "));
            lines.push(Tone::Dim.paint(&note, paper.colour));
            return lines;
        }
        let (widths, hidden) = match paper.columns {
            None => (natural.into_iter().map(Some).collect(), Vec::new()),
            Some(columns) => self.squeeze(&natural, columns),
        };

        let mut lines = Vec::with_capacity(self.rows.len() + 2);
        let heads = self.columns.iter().map(|c| (Tone::Bold, c.head));
        lines.push(self.line(heads, Tone::Bold, &widths, paper.colour));
        for (tone, cells) in &self.rows {
            lines.push(self.line(
                cells.iter().map(|(t, text)| (*t, text.as_str())),
                *tone,
                &widths,
                paper.colour,
            ));
        }
        if !hidden.is_empty() {
            let note = format!("Not shown for want of room: {}.", hidden.join(", "));
            lines.push(Tone::Dim.paint(&note, paper.colour));
        }
        lines
    }

    fn line<'a>(
        &self,
        cells: impl Iterator<Item = (Tone, &'a str)>,
        row: Tone,
        widths: &[Option<usize>],
        colour: bool,
    ) -> String {
        let shown: Vec<_> = cells
            .zip(&self.columns)
            .zip(widths)
            .filter_map(|((cell, column), width)| width.map(|w| (cell, column, w)))
            .collect();
        // Nothing is padded behind the last text there is: no line ends in blanks.
        let last = shown.iter().rposition(|((_, text), _, _)| !text.is_empty()).unwrap_or(0);
        let mut line = String::new();
        for (i, ((tone, text), column, columns)) in shown.into_iter().enumerate().take(last + 1) {
            let text = fit(text, columns);
            let text = match (column.right, i == last) {
                (true, _) => pad_left(&text, columns),
                (false, true) => text,
                (false, false) => pad_right(&text, columns),
            };
            let tone = if tone == Tone::Plain { row } else { tone };
            line.push_str(&tone.paint(&text, colour));
            if i != last {
                line.push_str("  ");
            }
        }
        line
    }

    /// Widths that fit into `room`, and the heads of the columns that had to go.
    fn squeeze(&self, natural: &[usize], room: usize) -> (Vec<Option<usize>>, Vec<&'static str>) {
        let mut widths: Vec<Option<usize>> = natural.iter().copied().map(Some).collect();
        let mut hidden = Vec::new();
        loop {
            let narrowed =
                |(w, c): (&Option<usize>, &Column)| w.map(|w| if c.whole { w } else { w.min(c.least) });
            let least: usize = total(widths.iter().zip(&self.columns).map(narrowed));
            if least <= room {
                break;
            }
            let gone = self
                .columns
                .iter()
                .enumerate()
                .filter(|(i, c)| c.rank > 0 && widths.get(*i).is_some_and(Option::is_some))
                .max_by_key(|(_, c)| c.rank);
            let Some((i, column)) = gone else { break };
            if let Some(width) = widths.get_mut(i) {
                *width = None;
            }
            hidden.push(column.head);
        }
        while total(widths.iter().copied()) > room {
            // The widest gives first: a name of 200 characters must not cost the state next to it.
            let widest = widths
                .iter_mut()
                .zip(&self.columns)
                .filter_map(|(w, c)| w.as_mut().filter(|w| !c.whole && **w > c.least))
                .max_by_key(|w| **w);
            match widest {
                Some(width) => *width -= 1,
                None => break,
            }
        }
        (widths, hidden)
    }
}

/// Columns taken by cells of these widths with two blanks between them.
fn total(widths: impl Iterator<Item = Option<usize>>) -> usize {
    let (mut sum, mut count) = (0, 0_usize);
    for width in widths.flatten() {
        sum += width;
        count += 1;
    }
    sum + 2 * count.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests() -> Table {
        let mut table = Table::new(vec![
            Column::new("GUEST", 8),
            Column::new("NAME", 6),
            Column::new("STATE", 5),
            Column::new("TAGS", 4).rank(2),
            Column::new("MEM", 4).right().rank(1),
        ]);
        let plain = |t: &str| (Tone::Plain, t.to_owned());
        table.row(
            Tone::Plain,
            vec![plain("lab/101"), plain(&"n".repeat(200)), plain("running"), plain("a;b"), plain("1 GiB")],
        );
        table.row(
            Tone::Dim,
            vec![plain("lab/102"), plain("\u{1b}[2J日本"), plain("stopped"), plain(""), plain("")],
        );
        table
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in [20, 30, 40, 80, 120, 300] {
            let lines = guests().lines(Paper { columns: Some(columns), colour: false });
            for line in lines.iter().filter(|l| !l.starts_with("Not shown")) {
                assert!(width(line) <= columns.max(8 + 6 + 5 + 4), "{columns}: {line:?}");
            }
        }
    }

    #[test]
    fn what_was_left_out_is_said() {
        let lines = guests().lines(Paper { columns: Some(26), colour: false });
        assert_eq!(lines.last().unwrap(), "Not shown for want of room: TAGS, MEM.");
        assert!(lines[1].contains("running"), "the state survives: {:?}", lines[1]);
    }

    #[test]
    fn ids_are_whole_or_in_their_short_form_and_never_cut() {
        let mut table = Table::new(vec![
            Column::new("GUEST", 8).whole(),
            Column::new("NAME", 6),
            Column::new("STATE", 7).rank(1),
            Column::new("ID", 8).short(|id| format!("…{}", id.get(id.len() - 6..).unwrap_or(id))),
        ]);
        let cells = ["a-long-remote/101", "a name that is long as well", "running", "7353666445783041"];
        table.row(Tone::Plain, cells.map(|t| (Tone::Plain, t.to_owned())).into());
        let at = |columns| table.lines(Paper { columns: Some(columns), colour: false });
        assert!(at(80)[1].ends_with("7353666445783041"), "{:?}", at(80));
        for columns in [30, 40, 60] {
            let lines = at(columns);
            assert!(lines[1].contains("a-long-remote/101") && lines[1].ends_with("…783041"), "{lines:?}");
            assert_eq!(lines.last().unwrap(), "ID in short: it may be typed so.");
        }
        assert!(table.lines(Paper { columns: None, colour: false })[1].ends_with(" 7353666445783041"));
    }

    #[test]
    fn a_pipe_gets_everything_and_no_escape() {
        let lines = guests().lines(Paper { columns: None, colour: false });
        assert!(lines[1].contains(&"n".repeat(200)));
        assert!(lines.iter().all(|l| !l.contains('\u{1b}')));
        assert!(lines[2].contains("␛[2J日本"));
        assert!(lines.iter().all(|l| !l.ends_with(' ')), "{lines:?}");
    }
}
