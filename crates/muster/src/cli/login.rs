//! `muster login`, `logout`, `context`: what may be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;

use super::{Output, sign_in};
use crate::cmd::names;

const LOGIN_EXAMPLES: &str = "\
Examples:
  muster login https://muster.example
  muster login https://muster.example --user alice --name work
  muster login https://192.0.2.9:8443 --fingerprint 1F:3B:… --user ci --password-file - < password
  muster login https://muster.example --token-file token.txt     with a token you have

A token is made there for this command line and kept in a file that only you can read;
the password is not kept. From then on commands go there (\"muster context use\" changes that).";

const LOGOUT_EXAMPLES: &str = "\
Examples:
  muster logout                                the server in use
  muster logout work";

const CONTEXT_EXAMPLES: &str = "\
Examples:
  muster context ls
  muster context use work
  muster context use local                     the server on this machine, over its socket
  muster context rm work                       forget it; \"muster logout\" also takes its token back";

/// `muster login`.
#[derive(Debug, Args)]
#[command(after_help = LOGIN_EXAMPLES)]
pub struct Login {
    /// Where the server is, as in the browser
    #[arg(value_name = "URL")]
    pub url: String,
    /// What to call it; without this, its host
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Sign in as this user
    #[arg(long, value_name = "USER", help_heading = "Sign-in", conflicts_with_all = ["token_file", "token_fd"])]
    pub user: Option<String>,
    /// Read the password from a file ("-": standard input)
    #[arg(long, value_name = "FILE", help_heading = "Sign-in")]
    #[arg(conflicts_with_all = ["password_fd", "token_file", "token_fd"])]
    pub password_file: Option<PathBuf>,
    /// Read the password from an open descriptor
    #[arg(long, value_name = "N", help_heading = "Sign-in", conflicts_with_all = ["token_file", "token_fd"])]
    pub password_fd: Option<u32>,
    /// Read the second factor (six digits, or a recovery code) from a file
    #[arg(long, value_name = "FILE", help_heading = "Sign-in")]
    #[arg(conflicts_with_all = ["otp_fd", "token_file", "token_fd"])]
    pub otp_file: Option<PathBuf>,
    /// Read the second factor from an open descriptor
    #[arg(long, value_name = "N", help_heading = "Sign-in", conflicts_with_all = ["token_file", "token_fd"])]
    pub otp_fd: Option<u32>,
    /// Use this API token of the server, read from a file ("-": standard input)
    #[arg(long, value_name = "FILE", help_heading = "Sign-in", conflicts_with = "token_fd")]
    pub token_file: Option<PathBuf>,
    /// Read the API token from an open descriptor
    #[arg(long, value_name = "N", help_heading = "Sign-in")]
    pub token_fd: Option<u32>,
    /// Trust the server's certificate with this SHA-256 fingerprint
    #[arg(long, value_name = "SHA256", help_heading = "Trust")]
    pub fingerprint: Option<String>,
    /// Trust whatever certificate is shown. Only where nobody can sit in between
    #[arg(long, help_heading = "Trust", conflicts_with = "fingerprint")]
    pub accept_new: bool,
    /// Send the password without TLS to another machine. Anyone on the way can read it
    #[arg(long, help_heading = "Trust")]
    pub insecure_http: bool,
    /// How to print: text for people, json for programs
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub output: Output,
}

impl Login {
    /// Where secrets come from.
    pub(super) fn sources(&self) -> sign_in::Sources<'_> {
        (
            vec![self.password_file.as_ref(), self.token_file.as_ref(), self.otp_file.as_ref()],
            vec![self.password_fd, self.token_fd, self.otp_fd],
        )
    }
}

/// `muster logout`.
#[derive(Debug, Args)]
#[command(after_help = LOGOUT_EXAMPLES)]
pub struct Logout {
    /// Which; without this, the one in use
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(names::contexts))]
    pub name: Option<String>,
}

/// `muster context`.
#[derive(Debug, Args)]
#[command(after_help = CONTEXT_EXAMPLES, disable_help_subcommand = true)]
pub struct Context {
    /// How to print: text for people, json for programs
    #[arg(short = 'o', long = "output", value_enum, default_value_t, global = true, value_name = "FORMAT")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub output: Output,
    /// What about them.
    #[command(subcommand)]
    pub command: ContextCommand,
}

/// What `muster context` can do.
#[derive(Debug, Subcommand)]
pub enum ContextCommand {
    /// List the servers that this command line knows
    #[command(after_help = CONTEXT_EXAMPLES, visible_alias = "list")]
    Ls,
    /// Talk to this one from now on
    #[command(after_help = CONTEXT_EXAMPLES)]
    Use(Which),
    /// Forget one, without asking it anything: the token that was made there goes on holding
    #[command(after_help = CONTEXT_EXAMPLES, visible_alias = "remove")]
    Rm(Which),
}

/// One of them.
#[derive(Debug, Args)]
pub struct Which {
    /// Its name, or "local" for the server on this machine
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(names::contexts))]
    pub name: String,
}
