//! What goes to standard error when a command does not do what was asked: [`Failure`].

use std::fmt;

use crate::exit::Exit;
use crate::term::ask::NoAnswer;
use crate::term::text::{safe, safe_lines};

/// One sentence, a hint what to do about it, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code the process ends with.
    pub exit: Exit,
    /// What happened, one sentence.
    pub sentence: String,
    /// What is behind it: a certificate, candidates, the end of a log. One entry a line.
    pub detail: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The cause in a word, for programs, where it is known.
    pub cause: Option<&'static str>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self { exit, sentence: sentence.into(), detail: Vec::new(), hint: None, cause: None }
    }

    /// The command line does not say what it must, or names what is not there.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Usage, sentence)
    }

    /// The same as one of what was set: a service manager does not try again.
    #[must_use]
    pub fn of_settings(self) -> Self {
        Self { exit: Exit::Usage, ..self }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause's word.
    #[must_use]
    pub fn cause(mut self, code: &'static str) -> Self {
        self.cause = Some(code);
        self
    }

    /// Adds lines below the sentence.
    #[must_use]
    pub fn detail(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.detail.extend(lines);
        self
    }

    /// Puts `name: ` before the sentence, to say which remote it is about.
    #[must_use]
    pub fn about(mut self, name: &str) -> Self {
        self.sentence = format!("{name}: {}", self.sentence);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "muster: {}", safe(self.sentence.trim_end()))?;
        for line in self.detail.iter().flat_map(|l| safe_lines(l)) {
            write!(f, "\n  {line}")?;
        }
        if let Some(hint) = &self.hint {
            for (i, line) in safe_lines(hint).into_iter().enumerate() {
                write!(f, "\n{}{line}", if i == 0 { "hint: " } else { "      " })?;
            }
        }
        Ok(())
    }
}

impl From<NoAnswer> for Failure {
    fn from(e: NoAnswer) -> Self {
        Self::new(Exit::Failed, format!("{e}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_sentence_detail_hint() {
        let failure = Failure::new(Exit::Unreachable, "lab: connection refused.")
            .detail(["two\nlines".to_owned(), "\u{1b}[2J".to_owned()])
            .hint("Is it on?");
        assert_eq!(
            failure.to_string(),
            "muster: lab: connection refused.\n  two\n  lines\n  ␛[2J\nhint: Is it on?"
        );
    }
}
