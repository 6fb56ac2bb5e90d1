//! `muster operation`: what may be typed.

use clap::{ArgGroup, Args, Subcommand};

use super::{Common, Listing};

const EXAMPLES: &str = "\
Examples:
  muster operation ls                          open ones first
  muster operation show 783041                 who asked, what was sent, how it ended
  muster operation follow 783041               wait for its end
  muster operation cancel 783041 783045        take back what was not sent yet
  muster operation resolve 783041 --task UPID:…    say which task it became
  muster operation resolve 783041 --not-sent       say that it never became one

An OPERATION is its id, or the end of it when no other ends so.";

const CANCEL_EXAMPLES: &str = "\
Examples:
  muster operation cancel 783041
  muster operation ls status:pending
  muster operation ls status:pending -o json | jq -r '.items[].id' | xargs muster operation cancel

What was sent already goes on: \"muster task stop\" asks its task to end.
Several end with 3 when some were sent, or had ended, before.";

/// `muster operation`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Operation {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about it.
    #[command(subcommand)]
    pub command: OperationCommand,
}

/// What `muster operation` can do.
#[derive(Debug, Subcommand)]
pub enum OperationCommand {
    /// List operations, open ones first
    #[command(after_help = EXAMPLES, visible_alias = "list")]
    Ls(Listing),
    /// Show one operation with its log
    #[command(after_help = EXAMPLES)]
    Show(One),
    /// Wait for the end of one operation, and end with its exit code
    #[command(after_help = EXAMPLES)]
    Follow(One),
    /// Take back operations that were not sent yet: they wait for their turn, or for the link
    #[command(after_help = CANCEL_EXAMPLES)]
    Cancel(Several),
    /// Settle one whose outcome is unknown
    #[command(after_help = EXAMPLES)]
    Resolve(Resolve),
}

/// One operation.
#[derive(Debug, Args)]
pub struct One {
    /// Its id, as "operation ls" shows it, or the end of it
    #[arg(value_name = "OPERATION")]
    pub operation: String,
}

/// `muster operation cancel`.
#[derive(Debug, Args)]
pub struct Several {
    /// Their ids, as "operation ls" shows them, or the ends of them
    #[arg(value_name = "OPERATION", required = true)]
    pub operations: Vec<String>,
}

/// `muster operation resolve`.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group = ArgGroup::new("as").required(true))]
pub struct Resolve {
    /// Its id, as "operation ls" shows it, or the end of it
    #[arg(value_name = "OPERATION")]
    pub operation: String,
    /// It became this task
    #[arg(long, value_name = "UPID", group = "as")]
    pub task: Option<String>,
    /// It was never carried out; or, on a node that is gone, nobody waits for it any more
    #[arg(long, group = "as")]
    pub not_sent: bool,
}
