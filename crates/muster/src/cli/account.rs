//! `muster account`: what may be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, SignIn, sign_in};

const EXAMPLES: &str = "\
Examples:
  muster account show
  muster account totp on                       a second factor, with recovery codes
  muster account session ls
  muster account session rm --others           sign out everywhere else
  muster account preferences set theme dark

It is the account of whom you signed in as with muster login: over the socket of the
server you are no user.";

const PREFERENCES_EXAMPLES: &str = "\
Examples:
  muster account preferences
  muster account preferences set theme dark
  muster account preferences set lists.guests.columns '[\"name\",\"state\",\"cpu\"]'
  muster account preferences set views '[{\"name\":\"busy\",\"list\":\"guests\",\"q\":\"cpu>80%\"}]'
  muster account preferences unset lists.guests
  muster guest ls --view busy                  what a saved view shows

How the web console shows things to you. A KEY is written with dots; a VALUE that is no
JSON is taken as text.";

const TOTP_EXAMPLES: &str = "\
Examples:
  muster account totp on                       asks for the first code of the authenticator
  muster account totp off
  muster account totp off --password-file p --otp-file code

From then on signing in takes a code as well. All your other sessions end when it goes on;
tokens go on. An administrator can turn it off for who has lost it: muster user totp-off NAME";

const RECOVERY_EXAMPLES: &str = "\
Examples:
  muster account recovery-codes                ten new ones; those before work no more
  muster account recovery-codes -o json";

const SESSION_EXAMPLES: &str = "\
Examples:
  muster account session ls
  muster account session ls --all              everybody's, for administrators
  muster account session rm k3Jd82-fQx1a
  muster account session rm --others           all of yours but the one that asks";

/// `muster account`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Account {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about it.
    #[command(subcommand)]
    pub command: AccountCommand,
}

/// What `muster account` can do.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Show who you are there, what you may, and whether a second factor is on
    #[command(after_help = EXAMPLES)]
    Show,
    /// How things are shown to you: theme, columns, saved views
    #[command(after_help = PREFERENCES_EXAMPLES)]
    Preferences(Preferences),
    /// The second factor: codes of an authenticator
    #[command(after_help = TOTP_EXAMPLES, disable_help_subcommand = true)]
    Totp(Totp),
    /// Make new recovery codes in the place of those there are; they are shown once
    #[command(after_help = RECOVERY_EXAMPLES)]
    RecoveryCodes(Proof),
    /// Your sessions in browsers: list, end
    #[command(after_help = SESSION_EXAMPLES, disable_help_subcommand = true)]
    Session(Session),
}

/// That it is you: your password, and a code where a second factor is on.
#[derive(Debug, Args, Clone, Default)]
pub struct Proof {
    /// Read your password from a file ("-": standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "password_fd")]
    pub password_file: Option<PathBuf>,
    /// Read your password from an open descriptor
    #[arg(long, value_name = "N")]
    pub password_fd: Option<u32>,
    /// Read the second factor (six digits, or a recovery code) from a file
    #[arg(long, value_name = "FILE", conflicts_with = "otp_fd")]
    pub otp_file: Option<PathBuf>,
    /// Read the second factor from an open descriptor
    #[arg(long, value_name = "N")]
    pub otp_fd: Option<u32>,
}

impl Proof {
    /// Where secrets come from.
    pub(super) fn sources(&self) -> sign_in::Sources<'_> {
        (vec![self.password_file.as_ref(), self.otp_file.as_ref()], vec![self.password_fd, self.otp_fd])
    }

    /// The same as what secrets are read by.
    pub fn sign_in(&self) -> SignIn {
        SignIn {
            password_file: self.password_file.clone(),
            password_fd: self.password_fd,
            otp_file: self.otp_file.clone(),
            otp_fd: self.otp_fd,
            ..SignIn::default()
        }
    }
}

/// `muster account preferences`.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
pub struct Preferences {
    /// What about them; without this they are shown.
    #[command(subcommand)]
    pub command: Option<PreferencesCommand>,
}

/// What `muster account preferences` can do.
#[derive(Debug, Subcommand)]
pub enum PreferencesCommand {
    /// Set one of them
    #[command(after_help = PREFERENCES_EXAMPLES)]
    Set(Set),
    /// Take one away: it is as if it had never been set
    #[command(after_help = PREFERENCES_EXAMPLES)]
    Unset(Unset),
}

/// `muster account preferences set`.
#[derive(Debug, Args)]
pub struct Set {
    /// Which, e.g. theme, density, lists.guests.sort
    #[arg(value_name = "KEY")]
    pub key: String,
    /// What it shall be: JSON, or plain text
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub value: String,
}

/// `muster account preferences unset`.
#[derive(Debug, Args)]
pub struct Unset {
    /// Which, e.g. theme, lists.guests
    #[arg(value_name = "KEY")]
    pub key: String,
}

/// `muster account totp`.
#[derive(Debug, Args)]
pub struct Totp {
    /// What about it.
    #[command(subcommand)]
    pub command: TotpCommand,
}

/// What `muster account totp` can do.
#[derive(Debug, Subcommand)]
pub enum TotpCommand {
    /// Turn it on: shows a secret for the authenticator, then asks for its first code
    #[command(after_help = TOTP_EXAMPLES)]
    On(Proof),
    /// Turn it off
    #[command(after_help = TOTP_EXAMPLES)]
    Off(Proof),
}

/// `muster account session`.
#[derive(Debug, Args)]
pub struct Session {
    /// What about them.
    #[command(subcommand)]
    pub command: SessionCommand,
}

/// What `muster account session` can do.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List sessions that have not ended
    #[command(after_help = SESSION_EXAMPLES, visible_alias = "list")]
    Ls(SessionLs),
    /// End sessions; their live streams end within a second
    #[command(after_help = SESSION_EXAMPLES, visible_alias = "remove")]
    Rm(SessionRm),
}

/// `muster account session ls`.
#[derive(Debug, Args)]
pub struct SessionLs {
    /// Everybody's, for administrators
    #[arg(long)]
    pub all: bool,
}

/// `muster account session rm`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SessionRm {
    /// Its id, as "session ls" shows it (may be given several times)
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// All of yours but the one that asks
    #[arg(long)]
    pub others: bool,
}
