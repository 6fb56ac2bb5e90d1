//! What a command works with: [`Context`].

use std::io::{self, Write};

use fleet::Timings;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::ask::Ask;
use crate::term::table::{Paper, Table};

/// Timings, the person, and where results and failures go.
pub struct Context<'a> {
    /// Every interval and time-out.
    pub timings: Timings,
    /// Who can be asked.
    pub ask: &'a mut dyn Ask,
    /// Results.
    pub out: &'a mut (dyn Write + Send),
    /// Everything else.
    pub err: &'a mut (dyn Write + Send),
    /// What `out` can show.
    pub paper: Paper,
    /// Is `err` a terminal on which a line may be written over?
    pub progress: bool,
}

impl Context<'_> {
    /// Writes a result.
    ///
    /// # Errors
    /// The output cannot be written. That a reader has left early (`| head`) is none.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        written(self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()))
    }

    /// Writes lines of a result.
    ///
    /// # Errors
    /// As [`Context::print`].
    pub fn print_lines(&mut self, lines: &[String]) -> Result<(), Failure> {
        self.print(&lines.iter().map(|l| format!("{l}\n")).collect::<String>())
    }

    /// Writes a table.
    ///
    /// # Errors
    /// As [`Context::print`].
    pub fn print_table(&mut self, table: &Table) -> Result<(), Failure> {
        self.print_lines(&table.lines(self.paper))
    }

    /// Writes a result as JSON, one object.
    ///
    /// # Errors
    /// As [`Context::print`].
    pub fn print_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Failure::new(Exit::Failed, format!("The result cannot be written as JSON: {e}.")))?;
        self.print(&format!("{text}\n"))
    }

    /// Writes a failure. Nothing can be done when even that fails.
    pub fn complain(&mut self, failure: &Failure) {
        let _ = writeln!(self.err, "{failure}");
    }

    /// Writes a line beside the result.
    pub fn note(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    /// Writes a line that the next one replaces; only on a terminal.
    pub fn show_progress(&mut self, line: &str) {
        if self.progress {
            let columns = crossterm::terminal::size().map_or(80, |(c, _)| usize::from(c));
            let line = crate::term::text::fit(line, columns.saturating_sub(1));
            let _ = write!(self.err, "\r\u{1b}[K{line}").and_then(|()| self.err.flush());
        }
    }

    /// Takes the last progress line away.
    pub fn clear_progress(&mut self) {
        if self.progress {
            let _ = write!(self.err, "\r\u{1b}[K").and_then(|()| self.err.flush());
        }
    }
}

fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, format!("The output cannot be written: {e}.")))
        }
        _ => Ok(()),
    }
}
