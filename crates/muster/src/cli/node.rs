//! `muster node`: what may be typed.

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::chart::Back;
use super::{Common, Listing};
use crate::cmd::names;

const EXAMPLES: &str = "\
Examples:
  muster node ls
  muster node ls status:offline
  muster node show home/pve1";

const OPEN_EXAMPLES: &str = "\
Examples:
  muster node open home/pve1";

const CHART_EXAMPLES: &str = "\
Examples:
  muster node chart home/pve1
  muster node chart home/pve1 --span year -o json";

/// `muster node`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Node {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about it.
    #[command(subcommand)]
    pub command: NodeCommand,
}

/// What `muster node` can do.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// List nodes, with state, load and age
    #[command(after_help = EXAMPLES, visible_alias = "list")]
    Ls(Listing),
    /// Show everything known about one node
    #[command(after_help = EXAMPLES)]
    Show(One),
    /// Print where Proxmox VE's own web interface shows a node
    #[command(after_help = OPEN_EXAMPLES)]
    Open(One),
    /// Show one node's figures over time
    #[command(after_help = CHART_EXAMPLES)]
    Chart(Chart),
}

/// One node.
#[derive(Debug, Args)]
pub struct One {
    /// REMOTE/NODE, or the name of a node that only one remote has
    #[arg(value_name = "NODE", add = ArgValueCandidates::new(names::nodes))]
    pub node: String,
}

/// `muster node chart`.
#[derive(Debug, Args)]
pub struct Chart {
    /// Which.
    #[command(flatten)]
    pub one: One,
    /// How far back.
    #[command(flatten)]
    pub back: Back,
}
