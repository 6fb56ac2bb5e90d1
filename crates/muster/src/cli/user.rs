//! `muster user`: what may be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{Common, sign_in};
use crate::cmd::names;

const EXAMPLES: &str = "\
Examples:
  muster user add alice --role operator        may do power actions on all remotes
  muster user add bob --role viewer --role operator@home
  muster user ls
  muster user passwd alice
  muster user totp-off alice                   who has lost the authenticator
  muster user role alice administrator
  muster user rm bob --yes bob

Roles: viewer (sees), operator (also starts, stops…), provisioner (also makes and
changes), administrator (everything). ROLE@REMOTE holds on that remote only.";

/// `muster user`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct User {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about them.
    #[command(subcommand)]
    pub command: UserCommand,
}

/// What `muster user` can do.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List users with their roles
    #[command(after_help = EXAMPLES, visible_alias = "list")]
    Ls,
    /// Add a user; the password is asked for
    #[command(after_help = EXAMPLES)]
    Add(Add),
    /// Set a user's password; all sessions of that user end
    #[command(after_help = EXAMPLES)]
    Passwd(Passwd),
    /// Turn the second factor of a user off who has lost it
    #[command(after_help = EXAMPLES)]
    TotpOff(TotpOff),
    /// Set what a user may do, in place of what it was
    #[command(after_help = EXAMPLES)]
    Role(Role),
    /// Remove a user, with sessions and tokens
    #[command(after_help = EXAMPLES, visible_alias = "remove")]
    Rm(Rm),
}

/// Where a user's password comes from.
#[derive(Debug, Args, Clone, Default)]
pub struct Password {
    /// Read the password from a file ("-": standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "password_fd")]
    pub password_file: Option<PathBuf>,
    /// Read the password from an open descriptor
    #[arg(long, value_name = "N")]
    pub password_fd: Option<u32>,
}

impl Password {
    /// Where secrets come from.
    pub(super) fn sources(&self) -> sign_in::Sources<'_> {
        (vec![self.password_file.as_ref()], vec![self.password_fd])
    }
}

/// `muster user add`.
#[derive(Debug, Args)]
pub struct Add {
    /// The name to sign in with
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What the user may do: ROLE, or ROLE@REMOTE (may be given several times)
    #[arg(long = "role", value_name = "ROLE", required = true, add = ArgValueCandidates::new(names::roles))]
    pub roles: Vec<String>,
    /// The password.
    #[command(flatten)]
    pub password: Password,
}

/// `muster user passwd`.
#[derive(Debug, Args)]
pub struct Passwd {
    /// The user
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(names::users))]
    pub name: String,
    /// The password.
    #[command(flatten)]
    pub password: Password,
}

/// `muster user totp-off`.
#[derive(Debug, Args)]
pub struct TotpOff {
    /// The user
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(names::users))]
    pub name: String,
}

/// `muster user role`.
#[derive(Debug, Args)]
pub struct Role {
    /// The user
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(names::users))]
    pub name: String,
    /// What the user may do from now on: ROLE, or ROLE@REMOTE
    #[arg(value_name = "ROLE", required = true, add = ArgValueCandidates::new(names::roles))]
    pub roles: Vec<String>,
}

/// `muster user rm`.
#[derive(Debug, Args)]
pub struct Rm {
    /// The user
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(names::users))]
    pub name: String,
    /// Do not ask: the user's name, once more
    #[arg(long, value_name = "NAME")]
    pub yes: Option<String>,
}
