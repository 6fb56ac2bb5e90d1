//! What the doctor found: [`Report`], made of [`Step`]s, as lines and as JSON.

use std::time::Duration;

use pve::drift::Drift;
use serde::Serialize;

use crate::exit::Exit;
use crate::term::table::{Paper, Tone};
use crate::term::text::{pad_left, pad_right, safe, stopwatch, width};

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should.
    Ok,
    /// It works, and there is something to know.
    Warning,
    /// It does not work.
    Failed,
    /// An earlier step failed, or there was nothing to try it with.
    NotTried,
}

impl Verdict {
    fn word(self) -> (&'static str, Tone) {
        match self {
            Self::Ok => ("ok", Tone::Good),
            Self::Warning => ("note", Tone::Warn),
            Self::Failed => ("FAILED", Tone::Bad),
            Self::NotTried => ("not tried", Tone::Dim),
        }
    }
}

/// One step on the way.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// A name that does not change, for programs.
    pub id: &'static str,
    /// Its name for people; of a call, method and path.
    pub name: String,
    /// How it went.
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    #[serde(rename = "took_ms", serialize_with = "milliseconds")]
    pub took: Option<Duration>,
    /// What was found, or what went wrong.
    pub found: String,
    /// More of it, one entry a line: a certificate, odd fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// The cause in a word, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// What in the reply did not have its documented type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// The exit code this step stands for.
    #[serde(skip)]
    pub exit: Exit,
}

fn milliseconds<S: serde::Serializer>(took: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match took {
        Some(took) => to.serialize_f64((took.as_secs_f64() * 1_000_000.0).round() / 1000.0),
        None => to.serialize_none(),
    }
}

impl Step {
    /// A step that has an outcome.
    pub fn new(
        id: &'static str,
        name: impl Into<String>,
        verdict: Verdict,
        found: impl Into<String>,
    ) -> Self {
        Self {
            id,
            name: name.into(),
            verdict,
            took: None,
            found: found.into(),
            detail: Vec::new(),
            cause: None,
            remedy: None,
            drift: None,
            exit: Exit::Done,
        }
    }

    /// A step that was not tried, and why not.
    pub fn not_tried(id: &'static str, name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(id, name, Verdict::NotTried, why)
    }

    /// Adds how long it took.
    #[must_use]
    pub fn took(mut self, took: Duration) -> Self {
        self.took = Some(took);
        self
    }

    /// Adds lines below.
    #[must_use]
    pub fn detail(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.detail.extend(lines);
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The step as lines.
    pub fn lines(&self, paper: Paper) -> Vec<String> {
        /// Names up to this width are set in a column.
        const NAME: usize = 28;
        let (word, tone) = self.verdict.word();
        let took = self.took.map(stopwatch).unwrap_or_default();
        let said = format!("{}  {}", pad_right(&safe(&self.name), NAME), safe(&self.found));
        let indent = " ".repeat(20);
        let mut lines = wrap(said.trim_end(), paper.columns, &indent);
        if let Some(first) = lines.first_mut() {
            let text = first.split_off(indent.len().min(first.len()));
            *first =
                format!("{}{}  {text}", tone.paint(&pad_right(word, 10), paper.colour), pad_left(&took, 8));
        }
        for line in &self.detail {
            // Never cut: a fingerprint is to be compared to its last digit.
            lines.push(Tone::Dim.paint(&format!("{indent}{}", safe(line)), paper.colour));
        }
        if let Some(remedy) = &self.remedy {
            lines.extend(remedy.lines().enumerate().flat_map(|(i, line)| {
                let mark = if i == 0 { "→ " } else { "  " };
                wrap(&format!("{mark}{}", safe(line)), paper.columns, &indent)
            }));
        }
        lines
    }
}

/// Steps as lines, with those that were not tried for the same reason in one line.
#[derive(Debug, Default)]
pub struct Fold {
    held: Vec<Step>,
}

/// Steps that are named in a line of several.
const NAMED: usize = 3;

impl Fold {
    /// The lines that can be written now that `step` is there, too.
    pub fn add(&mut self, step: &Step, paper: Paper) -> Vec<String> {
        let same = self.held.first().is_none_or(|held| held.found == step.found);
        let mut lines = Vec::new();
        if step.verdict != Verdict::NotTried || step.remedy.is_some() {
            lines.extend(self.rest(paper));
            lines.extend(step.lines(paper));
        } else {
            if !same {
                lines.extend(self.rest(paper));
            }
            self.held.push(step.clone());
        }
        lines
    }

    /// The lines that are left at the end.
    pub fn rest(&mut self, paper: Paper) -> Vec<String> {
        let held = std::mem::take(&mut self.held);
        let Some(first) = held.first() else { return Vec::new() };
        let mut names: Vec<String> = held.iter().take(NAMED).map(|s| s.name.clone()).collect();
        let more = held.len().saturating_sub(NAMED);
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        Step::not_tried(first.id, names.join(", "), first.found.clone()).lines(paper)
    }
}

/// `text` in lines of at most `columns`, each behind `indent`, broken at single blanks. What has no blank is not
/// broken: the terminal does that, and nothing is lost when it is copied.
fn wrap(text: &str, columns: Option<usize>, indent: &str) -> Vec<String> {
    let room = columns.map_or(usize::MAX, |c| c.saturating_sub(width(indent)).max(20));
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) > room {
            lines.push(format!("{indent}{}", line.trim_end()));
            line.clear();
        } else if !line.is_empty() || word.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.trim().is_empty() {
        lines.push(format!("{indent}{}", line.trim_end()));
    }
    lines
}

/// Everything the doctor found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The address as it was understood, `host:port`.
    pub id: String,
    /// The same, for programs that look for a name.
    pub name: String,
    /// How all of it went: the worst verdict there is.
    pub verdict: Verdict,
    /// The exit code of the command.
    #[serde(rename = "exit_code", serialize_with = "code")]
    pub exit: Exit,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

fn code<S: serde::Serializer>(exit: &Exit, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u8(exit.code())
}

impl Report {
    /// A report of these steps.
    pub fn of(address: &str, steps: Vec<Step>) -> Self {
        let failed = steps.iter().find(|s| s.verdict == Verdict::Failed);
        let verdict = match failed {
            Some(_) => Verdict::Failed,
            None if steps.iter().any(|s| s.verdict == Verdict::Warning) => Verdict::Warning,
            None => Verdict::Ok,
        };
        let exit = failed.map_or(Exit::Done, |s| if s.exit == Exit::Done { Exit::Failed } else { s.exit });
        Self { id: address.to_owned(), name: address.to_owned(), verdict, exit, steps }
    }

    /// The step of this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|s| s.id == id)
    }

    /// One sentence below the steps.
    pub fn summary(&self) -> String {
        let count = |verdict| self.steps.iter().filter(|s| s.verdict == verdict).count();
        let first = self.steps.iter().find(|s| s.verdict == Verdict::Failed);
        match first {
            Some(step) => format!("{} failed: {}", step.name, step.found),
            None => {
                let (notes, skipped) = (count(Verdict::Warning), count(Verdict::NotTried));
                let mut said = format!("{} steps are well", count(Verdict::Ok));
                if notes > 0 {
                    said.push_str(&format!(", {notes} with a note"));
                }
                if skipped > 0 {
                    said.push_str(&format!(", {skipped} not tried"));
                }
                said.push('.');
                said
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Step {
        let mut step =
            Step::new("tcp", "TCP", Verdict::Failed, "connection refused").remedy("Look at the port.");
        step.exit = Exit::Unreachable;
        step.took = Some(Duration::from_millis(12));
        step
    }

    #[test]
    fn the_first_failure_is_the_command_s() {
        let steps = vec![
            Step::new("dns", "DNS", Verdict::Ok, "192.0.2.7"),
            failed(),
            Step::not_tried("tls", "TLS", "no connection"),
        ];
        let report = Report::of("pve.example:8006", steps);
        assert_eq!((report.verdict, report.exit), (Verdict::Failed, Exit::Unreachable));
        assert_eq!(report.summary(), "TCP failed: connection refused");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["id"], "pve.example:8006");
        assert_eq!(json["exit_code"], 6);
        assert_eq!(json["steps"][1]["verdict"], "failed");
        assert_eq!(json["steps"][1]["took_ms"], 12.0);
        assert_eq!(json["steps"][2]["verdict"], "not_tried");
    }

    #[test]
    fn a_step_fits_the_terminal_and_keeps_its_words() {
        let mut step = failed();
        step.found =
            "Proxmox VE says: “a rather long sentence that nobody would want to have cut off in the middle”"
                .to_owned();
        step.detail = vec!["SHA-256  ".to_owned() + &"AA:".repeat(31) + "AA"];
        let lines = step.lines(Paper { columns: Some(80), colour: false });
        assert!(lines[0].starts_with("FAILED       12 ms  TCP"), "{lines:?}");
        assert!(lines.iter().filter(|l| !l.contains("SHA-256")).all(|l| width(l) <= 80), "{lines:?}");
        let all = lines.iter().map(|l| l.trim()).collect::<Vec<_>>().join(" ");
        assert!(
            all.contains("cut off in the middle”")
                && all.contains(&"AA:".repeat(31))
                && all.contains("→ Look at the port.")
        );
    }
}
