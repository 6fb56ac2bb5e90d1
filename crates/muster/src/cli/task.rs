//! `muster task`: what may be typed.

use clap::{Args, Subcommand};

use super::{Common, Listing};

const EXAMPLES: &str = "\
Examples:
  muster task ls                               running ones first
  muster task ls status:failed
  muster task log UPID:pve1:0000C530:001C9BEC:6677F3B0:vzstart:101:root@pam:
  muster task log -f home/UPID:pve1:…          as it grows, until the task ends
  muster task log pve1:0000C530                the beginning, when no other begins so
  muster task stop home/UPID:pve1:…

A TASK is a UPID, or the beginning of one that \"task ls\" lists; REMOTE/UPID says where,
when several remotes might have it. Quote a UPID with a \"!\" in it.";

/// `muster task`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Task {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about it.
    #[command(subcommand)]
    pub command: TaskCommand,
}

/// What `muster task` can do.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// List tasks of all remotes, running ones first
    #[command(after_help = EXAMPLES, visible_alias = "list")]
    Ls(Listing),
    /// Show one task
    #[command(after_help = EXAMPLES)]
    Show(One),
    /// Print a task's log
    #[command(after_help = EXAMPLES)]
    Log(Log),
    /// Print a task's log as it grows, and end as the task ends
    #[command(after_help = EXAMPLES)]
    Follow(One),
    /// Ask a running task to stop
    #[command(after_help = EXAMPLES)]
    Stop(Stop),
}

/// One task.
#[derive(Debug, Args)]
pub struct One {
    /// UPID, its beginning, or REMOTE/UPID
    #[arg(value_name = "TASK")]
    pub task: String,
}

/// `muster task log`.
#[derive(Debug, Args)]
pub struct Log {
    /// Which.
    #[command(flatten)]
    pub one: One,
    /// Go on until the task has ended, and end as it did
    #[arg(short, long)]
    pub follow: bool,
}

/// `muster task stop`.
#[derive(Debug, Args)]
pub struct Stop {
    /// Which.
    #[command(flatten)]
    pub one: One,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}
