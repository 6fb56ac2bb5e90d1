//! `muster completion`: what a shell needs to complete command lines with live names.

use clap_complete::env::Shells;

use crate::cli::completion::{Completion, Shell};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints the registration for a shell.
pub(super) fn run(wanted: &Completion, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let name = match wanted.shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    };
    let failed =
        |e: std::io::Error| Failure::new(Exit::Failed, format!("The completion cannot be written: {e}."));
    let shells = Shells::builtins();
    let shell = shells
        .completer(name)
        .ok_or_else(|| Failure::new(Exit::Failed, format!("There is no completion for {name}.")))?;
    // Where this very program lies, so that the names come from it even when it is not on the path.
    let program = std::env::current_exe().ok().and_then(|p| p.to_str().map(str::to_owned));
    let mut script = Vec::new();
    shell
        .write_registration(
            "COMPLETE",
            "muster",
            "muster",
            program.as_deref().unwrap_or("muster"),
            &mut script,
        )
        .map_err(failed)?;
    context.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
