//! `muster storage`: what may be typed.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{Common, Listing};
use crate::cmd::names;

const EXAMPLES: &str = "\
Examples:
  muster storage ls                            shared storage is listed once
  muster storage ls remote:home
  muster storage show home/local-lvm";

/// `muster storage`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Storage {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about it.
    #[command(subcommand)]
    pub command: StorageCommand,
}

/// What `muster storage` can do.
#[derive(Debug, Subcommand)]
pub enum StorageCommand {
    /// List storages, with use and age; shared ones once
    #[command(after_help = EXAMPLES, visible_alias = "list")]
    Ls(Listing),
    /// Show one storage on every node that has it
    #[command(after_help = EXAMPLES)]
    Show(One),
}

/// One storage.
#[derive(Debug, Args)]
pub struct One {
    /// REMOTE/STORAGE, or the name of a storage that only one remote has
    #[arg(value_name = "STORAGE", add = ArgValueCandidates::new(names::storages))]
    pub storage: String,
}
