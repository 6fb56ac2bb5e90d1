//! The command line: what may be typed, and its help.

use std::path::{Path, PathBuf};

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::privileges::{Major, Rights};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const TOP_EXAMPLES: &str = "\
Examples:
  muster doctor pve.example                    what works on the way to a host, and what does not
  muster at pve.example ls                     what is there, and in which state
  muster at pve.example watch                  the same, live, and things to do
  muster at pve.example shutdown 101           ask a guest to shut down, and wait until it has
  muster remote privileges --pve 9             the commands that make a minimal account for Muster
  muster demo                                  look around without any host

MUSTER_LOG=debug shows on standard error what is asked and answered. No secret
is ever in it.

Exit codes: 0 done, 1 failed, 2 usage or no such thing, 3 done in part,
4 credentials rejected, 5 not allowed, 6 unreachable, 7 outcome unknown,
8 certificate untrusted or changed, 9 second factor needed, 10 not a Proxmox VE.";

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

const DOCTOR_EXAMPLES: &str = "\
Examples:
  muster doctor pve.example
  muster doctor pve.example --token-file ~/.muster-token
  muster doctor 192.0.2.7 --user root@pam --fingerprint 1F:3B:… -o json

Steps after a failed one are \"not tried\". Without a credential the doctor goes
as far as one can without signing in. The exit code names the first step that
failed.";

const PRIVILEGES_EXAMPLES: &str = "\
Examples:
  muster remote privileges --pve 9
  muster remote privileges --pve 8 --rights look";

/// One console, one API and one command line for every Proxmox VE host and cluster you have.
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
        let sign_in = match &self.command {
            Command::At(at) => &at.sign_in,
            Command::Doctor(doctor) => &doctor.sign_in,
            Command::Remote(_) | Command::Demo(_) => return false,
        };
        let files = [&sign_in.password_file, &sign_in.token_file, &sign_in.otp_file];
        let descriptors = [sign_in.password_fd, sign_in.token_fd, sign_in.otp_fd];
        files.into_iter().flatten().any(|f| f == Path::new("-")) || descriptors.contains(&Some(0))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at hosts and clusters, and act on their guests, with no server in between
    At(At),
    /// Try every step on the way to a host, and say what is wrong and how to mend it
    Doctor(Doctor),
    /// What Muster needs of a remote
    Remote(Remote),
    /// A simulated fleet, live in this terminal: nothing to set up, nothing to break
    Demo(Demo),
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

/// Options that say how to sign in, and whom to trust.
#[derive(Debug, Args, Clone, Default)]
pub struct SignIn {
    /// Sign in as this user with a password
    #[arg(long, value_name = "USER@REALM", global = true, help_heading = "Sign-in")]
    #[arg(conflicts_with_all = ["token_file", "token_fd"])]
    pub user: Option<String>,
    /// Read the password from a file ("-": standard input)
    #[arg(long, value_name = "FILE", global = true, help_heading = "Sign-in")]
    #[arg(conflicts_with_all = ["password_fd", "token_file", "token_fd"])]
    pub password_file: Option<PathBuf>,
    /// Read the password from an open descriptor
    #[arg(long, value_name = "N", global = true, help_heading = "Sign-in")]
    #[arg(conflicts_with_all = ["token_file", "token_fd"])]
    pub password_fd: Option<u32>,
    /// Read an API token, USER@REALM!NAME=SECRET, from a file ("-": standard input)
    #[arg(long, value_name = "FILE", global = true, help_heading = "Sign-in", conflicts_with = "token_fd")]
    pub token_file: Option<PathBuf>,
    /// Read an API token from an open descriptor
    #[arg(long, value_name = "N", global = true, help_heading = "Sign-in")]
    pub token_fd: Option<u32>,
    /// Read the second factor (six digits, or a recovery key) from a file
    #[arg(long, value_name = "FILE", global = true, help_heading = "Sign-in")]
    #[arg(conflicts_with_all = ["otp_fd", "token_file", "token_fd"])]
    pub otp_file: Option<PathBuf>,
    /// Read the second factor from an open descriptor
    #[arg(long, value_name = "N", global = true, help_heading = "Sign-in")]
    #[arg(conflicts_with_all = ["token_file", "token_fd"])]
    pub otp_fd: Option<u32>,
    /// Trust the certificate with this SHA-256 fingerprint (may be given several times)
    #[arg(long, value_name = "SHA256", global = true, help_heading = "Trust")]
    pub fingerprint: Vec<String>,
    /// Trust whatever certificate is shown this time. Only where nobody can sit in between
    #[arg(long, global = true, help_heading = "Trust", conflicts_with = "fingerprint")]
    pub accept_new: bool,
    /// Give up after this long in all, from connecting to the end, e.g. 30, 30s, 5m
    #[arg(long, value_name = "TIME", global = true, value_parser = parse_span)]
    pub timeout: Option<std::time::Duration>,
}

/// What `muster at` can do.
#[derive(Debug, Subcommand)]
pub enum AtCommand {
    /// List the guests, with state, age and where the state comes from
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Show everything known about one guest
    Show(Guest),
    /// Start a guest
    Start(Guest),
    /// Ask a guest to shut down, and wait until it has
    Shutdown(Guest),
    /// Stop a guest at once, like pulling the plug: what it has not written is lost
    Stop(Guest),
    /// Shut a guest down and start it again
    Reboot(Guest),
    /// Reset a virtual machine at once, like its reset button
    Reset(Guest),
    /// Pause a guest, keeping its memory
    Suspend(Guest),
    /// Let a paused guest go on
    Resume(Guest),
    /// List recent tasks, running ones first
    Tasks,
    /// Print a task's log
    Log(Log),
    /// A live table of everything, and things to do
    #[command(visible_alias = "top")]
    Watch,
}

/// `ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// Only what contains this text in name, id, node, state, pool or tags
    #[arg(value_name = "FILTER")]
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
    /// Go on until the task has ended
    #[arg(short, long)]
    pub follow: bool,
}

/// `muster doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub struct Doctor {
    /// Where
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// How to sign in.
    #[command(flatten)]
    pub sign_in: SignIn,
    /// How to print: text for people, json for programs
    #[arg(short = 'o', long = "output", value_enum, default_value_t, value_name = "FORMAT")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub output: Output,
}

/// `muster remote`.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct Remote {
    /// What about it.
    #[command(subcommand)]
    pub command: RemoteCommand,
}

/// What `muster remote` can do.
#[derive(Debug, Subcommand)]
pub enum RemoteCommand {
    /// Print the commands that make an account for Muster with no more rights than it needs
    #[command(after_help = PRIVILEGES_EXAMPLES)]
    Privileges(Privileges),
}

/// `muster remote privileges`.
#[derive(Debug, Args)]
pub struct Privileges {
    /// The Proxmox VE version the account is for
    #[arg(long, value_enum, value_name = "VERSION")]
    pub pve: Major,
    /// What Muster shall be able to do
    #[arg(long, value_enum, default_value = "operate")]
    pub rights: Rights,
    /// The user to make
    #[arg(long, default_value = "muster@pve", value_name = "USER@REALM", value_parser = parse_account)]
    pub user: String,
    /// The name of its token
    #[arg(long, default_value = "muster", value_name = "NAME", value_parser = parse_token_name)]
    pub token: String,
}

/// `muster demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Serve the simulator's control interface on this port of 127.0.0.1, to make faults by hand
    #[arg(long, value_name = "PORT")]
    pub control_port: Option<u16>,
}

/// `30`, `30s`, `5m`, `1h`.
fn parse_span(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "give seconds, or a number with s, m or h: 30, 90s, 5m".to_owned();
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "s" => number,
        "m" | "min" => number.saturating_mul(60),
        "h" => number.saturating_mul(3_600),
        _ => return Err(wrong()),
    };
    match seconds {
        0 => Err("a time-out of nothing leaves no time for anything".to_owned()),
        // A year: enough for anyone, and far from what a clock cannot add.
        _ => Ok(std::time::Duration::from_secs(seconds.min(31_536_000))),
    }
}

/// A user name that can stand unquoted in a shell command.
fn parse_account(text: &str) -> Result<String, String> {
    let plain = |part: &str, more: &[char]| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
    };
    match text.rsplit_once('@') {
        Some((name, realm)) if plain(name, &['.', '_', '-', '@']) && plain(realm, &['.', '_', '-']) => {
            Ok(text.to_owned())
        }
        _ => Err("a user has a name and a realm, as in muster@pve".to_owned()),
    }
}

/// A token name as Proxmox VE takes it.
fn parse_token_name(text: &str) -> Result<String, String> {
    let mut chars = text.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && text.len() >= 2
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if plain {
        Ok(text.to_owned())
    } else {
        Err("a token name starts with a letter and has letters, digits, . _ -".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_may_stand_before_and_after_the_command() {
        for line in [
            "muster at pve.example --user a@pve -o json ls",
            "muster at pve.example ls --user a@pve -o json",
            "muster at -o json --user a@pve pve.example ls",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Command::At(at) = cli.command else { panic!("{line}") };
            assert_eq!(at.addresses, ["pve.example"], "{line}");
            assert_eq!(at.output, Output::Json, "{line}");
            assert_eq!(at.sign_in.user.as_deref(), Some("a@pve"), "{line}");
        }
        let cli = Cli::try_parse_from("muster at a=1.2.3.4 b=h,i show a/101".split(' ')).unwrap();
        let Command::At(At { addresses, action: Some(AtCommand::Show(guest)), .. }) = cli.command else {
            panic!()
        };
        assert_eq!((addresses.len(), guest.guest.as_str()), (2, "a/101"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "muster at ls",
            "muster at pve.example --user a@pve --token-file t ls",
            "muster at pve.example --accept-new --fingerprint AA ls",
            "muster at pve.example --timeout 0 ls",
            "muster at pve.example --password hunter2 ls",
            "muster at pve.example --token t ls",
            "muster remote privileges --pve 5",
            "muster remote privileges",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn spans_of_time() {
        assert_eq!(parse_span("30").unwrap().as_secs(), 30);
        assert_eq!(parse_span("5m").unwrap().as_secs(), 300);
        assert!(parse_span("five").is_err());
        assert!(parse_span("-1").is_err());
    }
}
