//! `muster guest`: what may be typed.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::chart::Back;
use super::{Common, Listing, value, words};
use crate::cmd::names;

const EXAMPLES: &str = "\
Examples:
  muster guest ls                              everything, on all remotes
  muster guest ls type:ct status:running tag:prod -tag:test
  muster guest show home/101
  muster guest shutdown web db                 two guests by name
  muster guest start --query 'tag:lab status:stopped'

A GUEST is REMOTE/VMID or REMOTE/NAME, or a VMID or name that only one guest has.";

const LS_EXAMPLES: &str = "\
Examples:
  muster guest ls
  muster guest ls web                          free text: name, number, tag, node…
  muster guest ls home/101                     one, as every command names it
  muster guest ls type:vm status:running remote:home 'cpu>80%' --sort -cpu
  muster guest ls 'mem>=4G' 'uptime<1h' -tag:test
  muster guest ls status:running --watch
  muster guest ls -o json

Keys: type status remote node tag pool vmid name cpu mem uptime age link ip.
A dash leaves out what fits; key:a,b is any of both; name~web contains. Quote what
the shell would take for itself (> < * and blanks).";

const SHOW_EXAMPLES: &str = "\
Examples:
  muster guest show home/101
  muster guest show web -o json";

const ACTION_EXAMPLES: &str = "\
Examples:
  muster guest start web
  muster guest start home/101 home/102         several, each with its own result
  muster guest stop --query 'tag:lab status:running'    the plan is shown and confirmed
  muster guest stop --query tag:lab --yes      in a script
  muster guest reboot web --no-wait            do not wait for the end; prints how to look
  muster guest start web --show-as             how Proxmox VE and Muster are asked for it

Several guests are asked for in one request, and sent in their order, a few of a node at
once; \"muster operation cancel\" takes back what waits. They end with 3 when it was done
for some only.";

const SUSPEND_EXAMPLES: &str = "\
Examples:
  muster guest suspend win11                   stand still, memory kept where it is
  muster guest suspend win11 --to-disk         write the memory to disk and switch off
  muster guest resume web win11

Suspending a container is experimental in Proxmox VE: its processes are written to
disk and it is stopped; \"resume\" brings them back, \"start\" begins afresh, and nothing
shows that it was suspended. --to-disk is for virtual machines; it takes the
privileges VM.Config.Disk and Datastore.AllocateSpace, which a token of the rights
\"operate\" does not have.";

const SHUTDOWN_EXAMPLES: &str = "\
Examples:
  muster guest shutdown web
  muster guest shutdown web --timeout 3m       give it three minutes to shut down
  muster guest shutdown web --force-stop       pull the plug when it has not by then
  muster guest shutdown --query 'remote:home status:running'

When the time has passed and somebody is there to be asked, stopping is offered.";

const EVENTS_EXAMPLES: &str = "\
Examples:
  muster guest events web
  muster guest events home/101 --limit 200 -o json";

const CHART_EXAMPLES: &str = "\
Examples:
  muster guest chart web                       the last hour
  muster guest chart home/101 --span week
  muster guest chart web --span day -o json";

const OPEN_EXAMPLES: &str = "\
Examples:
  muster guest open web
  xdg-open $(muster guest open home/101)

Where that is, is the address of an endpoint, or what \"muster remote edit --web-url\" says.";

/// `muster guest`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Guest {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about it.
    #[command(subcommand)]
    pub command: GuestCommand,
}

/// What `muster guest` can do.
#[derive(Debug, Subcommand)]
pub enum GuestCommand {
    /// List guests, with state, age, and why the state may be old
    #[command(after_help = LS_EXAMPLES, visible_alias = "list")]
    Ls(Listing),
    /// Show everything known about one guest
    #[command(after_help = SHOW_EXAMPLES)]
    Show(One),
    /// Show one guest's figures over time
    #[command(after_help = CHART_EXAMPLES)]
    Chart(Chart),
    /// Print where Proxmox VE's own web interface shows a guest
    #[command(after_help = OPEN_EXAMPLES)]
    Open(One),
    /// Start guests
    #[command(after_help = ACTION_EXAMPLES)]
    Start(Act),
    /// Ask guests to shut down, and wait until they have
    #[command(after_help = SHUTDOWN_EXAMPLES)]
    Shutdown(Shutdown),
    /// Stop guests at once, like pulling the plug: what they have not written is lost
    #[command(after_help = ACTION_EXAMPLES)]
    Stop(Act),
    /// Shut guests down and start them again
    #[command(after_help = ACTION_EXAMPLES)]
    Reboot(Reboot),
    /// Reset virtual machines at once, like their reset button
    #[command(after_help = ACTION_EXAMPLES)]
    Reset(Act),
    /// Let guests stand still, keeping their memory
    #[command(after_help = SUSPEND_EXAMPLES)]
    Suspend(Suspend),
    /// Let suspended guests go on
    #[command(after_help = ACTION_EXAMPLES)]
    Resume(Act),
    /// What happened to one guest, newest last
    #[command(after_help = EVENTS_EXAMPLES, visible_alias = "history")]
    Events(Events),
}

/// One guest.
#[derive(Debug, Args)]
pub struct One {
    /// REMOTE/VMID, REMOTE/NAME, or a VMID or name that only one guest has
    #[arg(value_name = "GUEST", add = ArgValueCandidates::new(names::guests))]
    pub guest: String,
}

/// `muster guest chart`.
#[derive(Debug, Args)]
pub struct Chart {
    /// Which.
    #[command(flatten)]
    pub one: One,
    /// How far back.
    #[command(flatten)]
    pub back: Back,
}

/// An action on guests.
#[derive(Debug, Args, Clone)]
#[group(skip)]
#[command(group = ArgGroup::new("which").required(true))]
pub struct Act {
    /// REMOTE/VMID, REMOTE/NAME, or a VMID or name that only one guest has
    #[arg(value_name = "GUEST", group = "which", add = ArgValueCandidates::new(names::guests))]
    pub guests: Vec<String>,
    /// All guests that fit (as for "guest ls"); the plan is shown and confirmed
    #[arg(short, long, value_name = "QUERY", group = "which", value_parser = words::query_word)]
    pub query: Option<String>,
    /// How it is carried out.
    #[command(flatten)]
    pub how: How,
}

/// How an action is carried out.
#[derive(Debug, Args, Clone)]
pub struct How {
    /// Do not ask whether the plan is right
    #[arg(short, long)]
    pub yes: bool,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Only say how the same is asked for elsewhere: as a command, of Proxmox VE's API, of Muster's API
    #[arg(long)]
    pub show_as: bool,
    /// Do not wait for the end: 0 then says that it was asked for, not that it is done
    #[arg(long, conflicts_with = "wait")]
    pub no_wait: bool,
    /// Wait at most so long for the end, e.g. 90s; what was begun goes on
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    pub wait: Option<Duration>,
}

/// `muster guest shutdown`.
#[derive(Debug, Args, Clone)]
pub struct Shutdown {
    /// Which, and how.
    #[command(flatten)]
    pub act: Act,
    /// How long a guest may take to shut down, e.g. 3m
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    pub timeout: Option<Duration>,
    /// Stop it when it has not shut down by then: what it has not written is lost
    #[arg(long)]
    pub force_stop: bool,
}

/// `muster guest reboot`.
#[derive(Debug, Args, Clone)]
pub struct Reboot {
    /// Which, and how.
    #[command(flatten)]
    pub act: Act,
    /// How long a guest may take to shut down, e.g. 3m
    #[arg(long, value_name = "TIME", value_parser = value::span)]
    pub timeout: Option<Duration>,
}

/// `muster guest suspend`.
#[derive(Debug, Args, Clone)]
pub struct Suspend {
    /// Which, and how.
    #[command(flatten)]
    pub act: Act,
    /// Write the memory to disk and switch off (hibernate): virtual machines only
    #[arg(long)]
    pub to_disk: bool,
}

/// `muster guest events`.
#[derive(Debug, Args)]
pub struct Events {
    /// Which.
    #[command(flatten)]
    pub one: One,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}
