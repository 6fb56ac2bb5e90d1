//! `muster at`: what may be typed.

use clap::{Args, Subcommand};

use super::{Output, SignIn};

const AT_EXAMPLES: &str = "\
Examples:
  muster at 192.0.2.7 ls
  muster at home=192.0.2.7 office=https://pve.example:8006/ ls
  muster at home=pve1.example,pve2.example ls          two endpoints of one cluster
  muster at pve.example --user alice@pve show web
  muster at pve.example --token-file ~/.muster-token start 101
  muster at pve.example --token-file - --fingerprint 1F:3B:… ls -o json < token
  muster at pve.example tasks
  muster at pve.example log UPID:pve1:0000C530:001C9BEC:6677F3B0:vzstart:101:root@pam:

An ADDRESS is a host, with or without port, scheme or path: a line from the
browser's address bar will do. NAME=ADDRESS says what to call it; several
endpoints of one cluster are separated by commas.

A GUEST is REMOTE/VMID or REMOTE/NAME, or a VMID or name that only one guest has.
Nothing is done to a bare one while a remote given could not be asked.

Nothing secret is an argument: passwords and tokens are typed without echo, or
come from a file, a descriptor, or standard input (the file \"-\"). They are sent
only once the certificate is trusted: because the system's store says so, because
its fingerprint was given, or because you said yes.";

/// `muster at`.
#[derive(Debug, Args)]
#[command(after_help = AT_EXAMPLES, subcommand_precedence_over_arg = true)]
#[command(disable_help_subcommand = true, subcommand_value_name = "COMMAND")]
pub struct At {
    /// Hosts or clusters to look at
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<String>,
    /// How to sign in.
    #[command(flatten)]
    pub sign_in: SignIn,
    /// How to print: text for people, json for programs
    #[arg(short = 'o', long = "output", value_enum, default_value_t, global = true, value_name = "FORMAT")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub output: Output,
    /// What to do there.
    #[command(subcommand)]
    pub action: Option<AtCommand>,
}

/// What `muster at` can do.
#[derive(Debug, Subcommand)]
pub enum AtCommand {
    /// List the guests, with state, age and where the state comes from
    #[command(after_help = AT_EXAMPLES, visible_alias = "list")]
    Ls(Ls),
    /// Show everything known about one guest
    #[command(after_help = AT_EXAMPLES)]
    Show(Guest),
    /// Start a guest
    #[command(after_help = AT_EXAMPLES)]
    Start(Guest),
    /// Ask a guest to shut down, and wait until it has
    #[command(after_help = AT_EXAMPLES)]
    Shutdown(Guest),
    /// Stop a guest at once, like pulling the plug: what it has not written is lost
    #[command(after_help = AT_EXAMPLES)]
    Stop(Guest),
    /// Shut a guest down and start it again
    #[command(after_help = AT_EXAMPLES)]
    Reboot(Guest),
    /// Reset a virtual machine at once, like its reset button
    #[command(after_help = AT_EXAMPLES)]
    Reset(Guest),
    /// Pause a guest, keeping its memory
    #[command(after_help = AT_EXAMPLES)]
    Suspend(Guest),
    /// Let a paused guest go on
    #[command(after_help = AT_EXAMPLES)]
    Resume(Guest),
    /// List recent tasks, running ones first
    #[command(after_help = AT_EXAMPLES)]
    Tasks,
    /// Print a task's log
    #[command(after_help = AT_EXAMPLES)]
    Log(Log),
    /// A live table of everything, and things to do
    #[command(after_help = AT_EXAMPLES, visible_alias = "top")]
    Watch,
}

/// `ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// Only what contains this text in name, id, node, state, pool or tags
    #[arg(value_name = "FILTER", value_parser = super::words::plain_text)]
    pub filter: Option<String>,
}

/// A command on one guest.
#[derive(Debug, Args)]
pub struct Guest {
    /// REMOTE/VMID, REMOTE/NAME, or a VMID or name that only one guest has
    #[arg(value_name = "GUEST")]
    pub guest: String,
}

/// `log`.
#[derive(Debug, Args)]
pub struct Log {
    /// The task, as `tasks` lists it
    #[arg(value_name = "UPID")]
    pub upid: String,
    /// Go on until the task has ended, and end as it did
    #[arg(short, long)]
    pub follow: bool,
}
