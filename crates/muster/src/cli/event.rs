//! `muster event`: what may be typed.

use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{Common, value};
use crate::cmd::names;

const EXAMPLES: &str = "\
Examples:
  muster event ls                              the latest, newest last
  muster event ls --follow                     and what happens from now on
  muster event ls --remote home --since 2h
  muster event ls --guest web --kind guest_state -o json";

/// `muster event`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Event {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about them.
    #[command(subcommand)]
    pub command: EventCommand,
}

/// What `muster event` can do.
#[derive(Debug, Subcommand)]
pub enum EventCommand {
    /// List what happened
    #[command(after_help = EXAMPLES, visible_alias = "list")]
    Ls(Ls),
}

/// `muster event ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// Only of this remote
    #[arg(long, value_name = "REMOTE", add = ArgValueCandidates::new(names::remotes))]
    pub remote: Option<String>,
    /// Only of this guest
    #[arg(long, value_name = "GUEST", conflicts_with = "remote", add = ArgValueCandidates::new(names::guests))]
    pub guest: Option<String>,
    /// Only of this kind, or of these with commas between: guest_state, link, operation…
    #[arg(long, value_name = "KIND", add = ArgValueCandidates::new(names::kinds_of_events))]
    pub kind: Option<String>,
    /// Only the last so long, e.g. 2h, 3d
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    pub since: Option<Duration>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Go on with what happens, until Ctrl-C
    #[arg(short, long, visible_alias = "watch")]
    pub follow: bool,
}
