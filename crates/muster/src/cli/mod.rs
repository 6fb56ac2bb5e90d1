//! The command line: what may be typed, and its help. One file per noun; [`Cli`] holds what was typed.

use std::path::Path;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};

pub mod account;
pub mod at;
pub mod audit;
pub mod chart;
pub mod common;
pub mod completion;
pub mod doctor;
pub mod event;
pub mod guest;
pub mod login;
pub mod node;
pub mod operation;
pub mod overview;
pub mod remote;
pub mod serve;
pub mod sign_in;
pub mod storage;
pub mod task;
pub mod token;
pub mod user;
pub mod value;
mod words;

pub use at::{At, AtCommand};
pub use common::{Common, Listing};
pub use doctor::Doctor;
pub use sign_in::SignIn;
pub use words::arguments;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const TOP_EXAMPLES: &str = "\
Examples:
  muster serve                                 start the server that knows and remembers
  muster remote add pve.example                give it a host or cluster to look after
  muster guest ls status:running               what runs, on all of them
  muster guest shutdown web                    ask a guest to shut down, and wait until it has
  muster demo                                  look around without any host

  muster doctor pve.example                    what works on the way to a host, and what does not
  muster at pve.example ls                     look at a host without any server

Commands that need a server look for one on this machine (muster serve), or go to
the one that \"muster login URL\" or --server URL names.

MUSTER_LOG=debug shows on standard error what is asked of whom and how it is
answered. No secret is ever in it.

Exit codes: 0 done, 1 failed, 2 usage or no such thing, 3 done in part,
4 credentials rejected, 5 not allowed, 6 unreachable, 7 outcome unknown,
8 certificate untrusted or changed, 9 second factor needed, 10 not a Proxmox VE.";

/// One command line and one API for every Proxmox VE host and cluster you have.
#[derive(Debug, Parser)]
#[command(name = "muster", version, styles = STYLES, after_help = TOP_EXAMPLES, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Does a secret come from standard input, so that no answer can come there?
    pub fn takes_stdin(&self) -> bool {
        use account::{AccountCommand, TotpCommand};
        use {remote::RemoteCommand, token::TokenCommand, user::UserCommand};
        let (files, descriptors) = match &self.command {
            Command::At(at) => at.sign_in.sources(),
            Command::Doctor(doctor) => doctor.sign_in.sources(),
            Command::Remote(remote) => match &remote.command {
                RemoteCommand::Add(add) => add.sign_in.sources(),
                RemoteCommand::Reauth(reauth) => reauth.sign_in.sources(),
                RemoteCommand::Rm(rm) => rm.sign_in.sources(),
                _ => return false,
            },
            Command::User(user) => match &user.command {
                UserCommand::Add(add) => add.password.sources(),
                UserCommand::Passwd(passwd) => passwd.password.sources(),
                _ => return false,
            },
            Command::Account(account) => match &account.command {
                AccountCommand::RecoveryCodes(proof) => proof.sources(),
                AccountCommand::Totp(totp) => match &totp.command {
                    TotpCommand::On(proof) | TotpCommand::Off(proof) => proof.sources(),
                },
                _ => return false,
            },
            Command::Token(token) => match &token.command {
                TokenCommand::Add(add) => add.proof.sources(),
                _ => return false,
            },
            Command::Login(login) => login.sources(),
            _ => return false,
        };
        files.into_iter().flatten().any(|f| f == Path::new("-")) || descriptors.contains(&Some(0))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server: it looks after remotes, remembers, and carries out what it is asked
    Serve(serve::Serve),
    /// A simulated fleet to look around in: nothing to set up, nothing to break
    Demo(serve::Demo),
    /// Everything at a glance: what is wrong, what there is, what runs
    Overview(overview::Overview),
    /// Hosts and clusters that Muster looks after: add, connect, trust, remove
    Remote(remote::Remote),
    /// Containers and virtual machines on all remotes: list, show, start, stop
    Guest(guest::Guest),
    /// Nodes of all remotes
    Node(node::Node),
    /// Storages of all remotes
    Storage(storage::Storage),
    /// Tasks on all remotes: list, log, follow, stop
    Task(task::Task),
    /// What was asked of Muster, and what became of it
    Operation(operation::Operation),
    /// What happened, on all remotes
    Event(event::Event),
    /// Who did what in Muster: list, export, verify
    Audit(audit::Audit),
    /// People who may sign in to Muster, and what each may do
    User(user::User),
    /// Your own account: second factor, sessions, how things are shown to you
    Account(account::Account),
    /// API tokens for scripts
    Token(token::Token),
    /// Sign in to a Muster server elsewhere, and use it from now on
    Login(login::Login),
    /// Forget a server, and take back the token that was made for it
    Logout(login::Logout),
    /// The servers that this command line knows
    Context(login::Context),
    /// What a server started here would be set to, and who said so; set-up link, sealing key
    Config(serve::Config),
    /// Write everything the server knows into one file
    Backup(serve::Backup),
    /// Make a data directory from a backup
    Restore(serve::Restore),
    /// Look at hosts and clusters, and act on their guests, with no server in between
    At(At),
    /// Try every step on the way to a host, and say what is wrong and how to mend it
    Doctor(Doctor),
    /// Completion of commands and live names for bash, zsh or fish
    Completion(completion::Completion),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Output {
    /// For people
    #[default]
    Text,
    /// For programs: nothing but JSON on standard output
    Json,
}

#[cfg(test)]
mod tests;
