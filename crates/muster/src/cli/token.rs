//! `muster token`: what may be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::account::Proof;
use super::{Common, value};

const EXAMPLES: &str = "\
Examples:
  muster token add backup-script --expires 90d --file token.txt
  muster token ls
  muster token rm 4f1c2a9b

Making one takes your password, and a server that you signed in to with muster login:
over the socket you are no user that a token could belong to.
A token's secret is shown once, or written to a file that only you can read. Use it with
MUSTER_TOKEN_FILE=token.txt, or as  Authorization: Bearer mst_…  against the API.";

/// `muster token`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Token {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about them.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What `muster token` can do.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List your tokens
    #[command(after_help = EXAMPLES, visible_alias = "list")]
    Ls,
    /// Make a token; its secret is shown once
    #[command(after_help = EXAMPLES)]
    Add(Add),
    /// Take a token back
    #[command(after_help = EXAMPLES, visible_alias = "remove")]
    Rm(Rm),
}

/// `muster token add`.
#[derive(Debug, Args)]
pub struct Add {
    /// What it is for
    #[arg(value_name = "NAME")]
    pub name: String,
    /// When it ends, from now, e.g. 90d; without this, never
    #[arg(long, value_name = "TIME", value_parser = value::lifetime)]
    pub expires: Option<Duration>,
    /// Write the secret to this new file, readable by you alone, instead of showing it
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// That it is you: a token may not make tokens.
    #[command(flatten)]
    pub proof: Proof,
}

/// `muster token rm`.
#[derive(Debug, Args)]
pub struct Rm {
    /// Its id, as "token ls" shows it
    #[arg(value_name = "ID")]
    pub id: String,
}
