//! `muster storage`: what may be typed.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::chart::Back;
use super::{Common, Listing};
use crate::cmd::names;

const EXAMPLES: &str = "\
Examples:
  muster storage ls                            shared storage is listed once
  muster storage ls remote:home
  muster storage show home/local-lvm";

const OPEN_EXAMPLES: &str = "\
Examples:
  muster storage open home/local@pve1";

const CHART_EXAMPLES: &str = "\
Examples:
  muster storage chart home/local@pve1
  muster storage chart home/local@pve1 --span year -o json";

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
    /// Print where Proxmox VE's own web interface shows a storage
    #[command(after_help = OPEN_EXAMPLES)]
    Open(One),
    /// Show one storage's figures over time
    #[command(after_help = CHART_EXAMPLES)]
    Chart(Chart),
}

/// One storage.
#[derive(Debug, Args)]
pub struct One {
    /// REMOTE/STORAGE, or the name of a storage that only one remote has; with @NODE as that node has it
    #[arg(value_name = "STORAGE", add = ArgValueCandidates::new(names::storages))]
    pub storage: String,
}

/// `muster storage chart`.
#[derive(Debug, Args)]
pub struct Chart {
    /// Which.
    #[command(flatten)]
    pub one: One,
    /// How far back.
    #[command(flatten)]
    pub back: Back,
}
