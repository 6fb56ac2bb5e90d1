//! `muster serve`, `demo`, `config`, `backup`, `restore`: what may be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, Output};
use crate::serve::config::Given;

const SERVE_EXAMPLES: &str = "\
Examples:
  muster serve                                 on 127.0.0.1:8088, for this machine
  muster serve --listen 0.0.0.0:8443           for others: TLS with a certificate of its own making
  muster serve --listen 0.0.0.0:443 --tls-certificate chain.pem --tls-key key.pem
  muster serve --public-url https://muster.example/ --trusted-proxy 127.0.0.1
                                               behind a reverse proxy on the same machine

Every flag is also a key of the configuration file and a variable of the
environment: docs/configuration.md. A flag is stronger than the environment,
which is stronger than the file.

The first start prints a link that makes the first administrator. SIGTERM ends the
server, SIGHUP reads certificate and log level again.";

const DEMO_EXAMPLES: &str = "\
Examples:
  muster demo                                  a server with a simulated fleet, until Ctrl-C
  muster demo --port 9000 --control-port 8900  at another port, with faults to be made by hand
  muster demo --watch                          no server: a live table in this terminal";

const CONFIG_EXAMPLES: &str = "\
Examples:
  muster config show                           each setting of a server started here, and who said so
  muster config check --config new.toml        is this file right?
  muster config setup-link                     a new link to make the first administrator
  muster config rotate-key                     a new sealing key, while the server runs
  muster config licences                       what this binary is made of that others wrote";

const BACKUP_EXAMPLES: &str = "\
Examples:
  muster backup muster-backup.db               of the server on this machine, or of one that is stopped

The file holds everything but the sealing key. Keep the key apart: without it the
credentials in the file stay sealed.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  muster restore muster-backup.db --data-dir new
  muster restore muster-backup.db --replace    in place of what is there; the server must be stopped

The backup is checked first. The sealing key it was made under has to be in place:
in the data directory, or where --key-file, MUSTER_KEY or the credential says.";

/// `muster serve`.
#[derive(Debug, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub struct Serve {
    /// Every setting.
    #[command(flatten)]
    pub given: Given,
}

/// `muster demo`.
#[derive(Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub struct Demo {
    /// Keep the demo in this directory [default: one of its own that goes when it ends]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Listen on this port of 127.0.0.1 [default: 8088, or a free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Do not open a browser
    #[arg(long)]
    pub no_open: bool,
    /// Serve the simulator's control interface on this port of 127.0.0.1, to make faults by hand
    #[arg(long, value_name = "PORT")]
    pub control_port: Option<u16>,
    /// A live table in this terminal instead of a server
    #[arg(long, conflicts_with_all = ["data_dir", "port", "no_open"])]
    pub watch: bool,
}

/// `muster config`.
#[derive(Debug, Args)]
#[command(after_help = CONFIG_EXAMPLES, disable_help_subcommand = true)]
pub struct Config {
    /// What about it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What `muster config` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each setting of a server started here, with its value and who said so
    #[command(after_help = CONFIG_EXAMPLES)]
    Show(ConfigShow),
    /// Say whether a server could be started with these settings
    #[command(after_help = CONFIG_EXAMPLES)]
    Check(ConfigCheck),
    /// Print a new link that makes the first administrator; the one before ends
    #[command(after_help = CONFIG_EXAMPLES)]
    SetupLink(ConfigCall),
    /// Seal all stored secrets with a new key, while the server runs
    #[command(after_help = CONFIG_EXAMPLES)]
    RotateKey(ConfigCall),
    /// List what this binary is made of that others wrote, with versions and licences
    #[command(after_help = CONFIG_EXAMPLES)]
    Licences(ConfigLicences),
}

/// `muster config show`.
#[derive(Debug, Args)]
pub struct ConfigShow {
    /// Every setting, as for `muster serve`.
    #[command(flatten)]
    pub given: Given,
    /// How to print: text for people, json for programs
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub output: Output,
}

/// `muster config check`.
#[derive(Debug, Args)]
pub struct ConfigCheck {
    /// Every setting, as for `muster serve`.
    #[command(flatten)]
    pub given: Given,
}

/// `muster config licences`.
#[derive(Debug, Args)]
pub struct ConfigLicences {
    /// How to print: text for people, json for programs
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub output: Output,
}

/// A command to the running server.
#[derive(Debug, Args)]
pub struct ConfigCall {
    /// Which server.
    #[command(flatten)]
    pub common: Common,
}

/// `muster backup`.
#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub struct Backup {
    /// Where to write it; "-" is standard output
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
    /// Which server.
    #[command(flatten)]
    pub common: Common,
}

/// `muster restore`.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The data directory to restore into [default: that of `muster serve`]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The file with the sealing key [default: that of `muster serve`]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Put the backup in the place of what is there
    #[arg(long)]
    pub replace: bool,
}
