//! `muster completion`: what may be typed.

use clap::{Args, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  source <(muster completion bash)             for this shell; for all, in ~/.bashrc
  source <(muster completion zsh)              in ~/.zshrc, after compinit
  muster completion fish | source              in ~/.config/fish/config.fish

Names of remotes, guests, nodes and users are asked from the server while you type; when
it is not there, nothing is proposed and nothing is said.";

/// `muster completion`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Completion {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}
