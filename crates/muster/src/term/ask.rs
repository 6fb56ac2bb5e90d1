//! Questions to the person at the terminal, behind [`Ask`] so that everything above can be tested.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::text::safe;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody is there to be asked: standard input or standard error is no terminal.
    #[error("there is no terminal to ask on")]
    NoTerminal,
    /// The person ended the question with Ctrl-C or Ctrl-D.
    #[error("the question was not answered")]
    Declined,
    /// The terminal failed.
    #[error("the terminal cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Someone who can be asked, or not.
pub trait Ask: Send {
    /// Is there anyone?
    fn present(&self) -> bool;
    /// Tells something that belongs to the next question.
    fn tell(&mut self, line: &str);
    /// A line of text; an empty answer is `default`.
    ///
    /// # Errors
    /// When nobody can be asked or nothing was answered.
    fn line(&mut self, question: &str, default: Option<&str>) -> Result<String, NoAnswer>;
    /// A secret, typed without echo.
    ///
    /// # Errors
    /// When nobody can be asked or nothing was answered.
    fn secret(&mut self, question: &str) -> Result<Zeroizing<String>, NoAnswer>;
    /// What was answered has been judged: whatever was kept quiet since the last secret need not be any longer.
    fn judged(&mut self) {}
    /// Yes or no, spelled out; anything else is asked again.
    ///
    /// # Errors
    /// When nobody can be asked or nothing was answered.
    fn confirm(&mut self, question: &str) -> Result<bool, NoAnswer> {
        loop {
            let answer = self.line(&format!("{question} (yes/no)"), None)?;
            match answer.trim().to_lowercase().as_str() {
                "yes" | "y" => return Ok(true),
                "no" | "n" => return Ok(false),
                _ => self.tell("Please type yes or no."),
            }
        }
    }
}

/// The terminal this program runs in. Questions go to standard error: standard output is for results.
///
/// What is typed before a secret was judged is not shown either: it may be the rest of it.
#[derive(Debug)]
pub struct Terminal {
    stdin_is_taken: bool,
    echo: Echo,
    /// Does somebody look after Ctrl-C already?
    guarded: bool,
}

/// The terminal's echo: on, or kept off with what to put back.
#[derive(Debug, Clone, Default)]
struct Echo {
    before: Arc<Mutex<Option<Termios>>>,
}

impl Echo {
    fn off(&self) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if before.is_some() {
            // Typed blindly while the last answer was judged: no part of the next one.
            let _ = tcflush(io::stdin(), QueueSelector::IFlush);
            return;
        }
        let Ok(now) = tcgetattr(io::stdin()) else { return };
        let mut quiet = now.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        if tcsetattr(io::stdin(), OptionalActions::Now, &quiet).is_ok() {
            *before = Some(now);
        }
    }

    /// Puts it back. What was typed meanwhile is thrown away: nobody else shall read it.
    fn back(&self) {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
        }
    }
}

/// Set while somebody else decides what Ctrl-C means.
pub static HEEDED: AtomicBool = AtomicBool::new(false);

/// Ends the process at Ctrl-C, as it would by itself, with the echo put back.
async fn guard(echo: Echo) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if !HEEDED.load(Ordering::Relaxed) {
            echo.back();
            eprintln!();
            std::process::exit(130);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.echo.back();
    }
}

impl Terminal {
    /// `stdin_is_taken`: standard input carries a secret (`--password-file -`), so no answer can come there.
    pub fn new(stdin_is_taken: bool) -> Self {
        Self { stdin_is_taken, echo: Echo::default(), guarded: false }
    }
}

impl Ask for Terminal {
    fn present(&self) -> bool {
        !self.stdin_is_taken && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn tell(&mut self, line: &str) {
        // A terminal that cannot be written to will fail at the question itself.
        let _ = writeln!(io::stderr(), "{line}");
    }

    fn line(&mut self, question: &str, default: Option<&str>) -> Result<String, NoAnswer> {
        if !self.present() {
            return Err(NoAnswer::NoTerminal);
        }
        self.echo.back();
        let mut err = io::stderr();
        match default {
            Some(default) => write!(err, "{} [{}]: ", safe(question), safe(default))?,
            None => write!(err, "{}: ", safe(question))?,
        }
        err.flush()?;
        let mut answer = String::new();
        if io::stdin().lock().read_line(&mut answer)? == 0 {
            writeln!(err)?;
            return Err(NoAnswer::Declined);
        }
        let answer = answer.trim();
        Ok(if answer.is_empty() { default.unwrap_or_default().to_owned() } else { answer.to_owned() })
    }

    fn secret(&mut self, question: &str) -> Result<Zeroizing<String>, NoAnswer> {
        if !self.present() {
            return Err(NoAnswer::NoTerminal);
        }
        if let (false, Ok(runtime)) = (self.guarded, tokio::runtime::Handle::try_current()) {
            runtime.spawn(guard(self.echo.clone()));
            self.guarded = true;
        }
        self.echo.off();
        match rpassword::prompt_password(format!("{}: ", safe(question))) {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(e) if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::Interrupted) => {
                Err(NoAnswer::Declined)
            }
            Err(e) => Err(NoAnswer::Io(e)),
        }
    }

    fn judged(&mut self) {
        self.echo.back();
    }
}

/// Answers given beforehand, for tests; with none left it behaves like a script without a terminal.
#[derive(Debug, Default)]
pub struct Scripted {
    answers: std::collections::VecDeque<String>,
    /// Everything that was asked or told, in order.
    pub heard: Vec<String>,
    present: bool,
}

impl Scripted {
    /// Someone who gives these answers in turn.
    pub fn answering<'a>(answers: impl IntoIterator<Item = &'a str>) -> Self {
        Self { answers: answers.into_iter().map(str::to_owned).collect(), heard: Vec::new(), present: true }
    }

    /// Nobody.
    pub fn nobody() -> Self {
        Self::default()
    }

    fn next(&mut self, question: &str) -> Result<String, NoAnswer> {
        if !self.present {
            return Err(NoAnswer::NoTerminal);
        }
        self.heard.push(question.to_owned());
        self.answers.pop_front().ok_or(NoAnswer::Declined)
    }
}

impl Ask for Scripted {
    fn present(&self) -> bool {
        self.present
    }

    fn tell(&mut self, line: &str) {
        self.heard.push(line.to_owned());
    }

    fn line(&mut self, question: &str, default: Option<&str>) -> Result<String, NoAnswer> {
        let answer = self.next(question)?;
        Ok(if answer.is_empty() { default.unwrap_or_default().to_owned() } else { answer })
    }

    fn secret(&mut self, question: &str) -> Result<Zeroizing<String>, NoAnswer> {
        self.next(question).map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_or_no_is_asked_until_it_is_one() {
        let mut ask = Scripted::answering(["perhaps", "YES"]);
        assert!(ask.confirm("Trust it?").unwrap());
        assert_eq!(ask.heard, ["Trust it? (yes/no)", "Please type yes or no.", "Trust it? (yes/no)"]);
        let mut ask = Scripted::answering(["n"]);
        assert!(!ask.confirm("Trust it?").unwrap());
        assert!(matches!(Scripted::nobody().confirm("Trust it?"), Err(NoAnswer::NoTerminal)));
        assert!(matches!(Scripted::answering([]).confirm("Trust it?"), Err(NoAnswer::Declined)));
    }
}
