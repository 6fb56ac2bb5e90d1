//! `muster remote`: what may be typed.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::{Common, Listing, SignIn, value};
use crate::cmd::names;
use crate::privileges::{Major, Rights};

const EXAMPLES: &str = "\
Examples:
  muster remote add pve.example                add a host or cluster, asked step by step
  muster remote ls                             how every link stands, and why
  muster remote show home                      one in full
  muster remote coverage home                  what is known of it, how old, and what is missing
  muster remote disconnect home                leave it alone, until \"connect\"";

const ADD_EXAMPLES: &str = "\
Examples:
  muster remote add pve.example
  muster remote add https://pve.example:8006/ --name home --user root@pam --rights operate
  muster remote add 192.0.2.7 --fingerprint 1F:3B:… --token-file ~/.pve-token
  muster remote add pve.example --accept-new --user root@pam --password-file pw --rights look

What is kept to sign in with (asked for in a terminal, a script must say it):
  --rights look          a token that sees everything and changes nothing
  --rights operate       a token that also starts, stops and otherwise switches guests
  --rights same-as-user  a token that may do whatever the user may
  --keep-password        no token: the password itself, sealed on the server
A token that is given (--token-file) is kept as it is.

Nothing secret is an argument. It is sent only once the certificate is trusted, and
nothing is saved before the remote has answered an authorised request.";

const LS_EXAMPLES: &str = "\
Examples:
  muster remote ls
  muster remote ls --watch
  muster remote ls -o json";

const SHOW_EXAMPLES: &str = "\
Examples:
  muster remote show home
  muster remote show home -o json";

const OPEN_EXAMPLES: &str = "\
Examples:
  muster remote open home
  xdg-open $(muster remote open home)

Where that is, is the address of an endpoint, or what \"muster remote edit --web-url\" says.";

const EDIT_EXAMPLES: &str = "\
Examples:
  muster remote edit home --name cellar
  muster remote edit home --interval 30s
  muster remote edit home --web-url https://pve.example/";

const RM_EXAMPLES: &str = "\
Examples:
  muster remote rm home                        its name is asked for
  muster remote rm home --yes home             in a script
  muster remote rm home --keep-token           leave the token on the host
  muster remote rm home --yes home --user root@pam --password-file pw

What Muster made on the host (its token, its role) is removed there as well, unless
--keep-token is given. A token that only looks or operates cannot remove itself: that
takes somebody who signs in for it (--user), who is asked for in a terminal.
Guests are not touched.";

const CONNECT_EXAMPLES: &str = "\
Examples:
  muster remote connect home
  muster remote connect home --no-wait";

const DISCONNECT_EXAMPLES: &str = "\
Examples:
  muster remote disconnect home
  muster remote disconnect home --even-with-open    although operations are under way

From then on no request is sent there, also after a restart, until \"connect\". What was
known of it stays, with its age.";

const TRY_EXAMPLES: &str = "\
Examples:
  muster remote try home                       do not wait for the next try, try now";

const TRUST_EXAMPLES: &str = "\
Examples:
  muster remote trust home                     shows both certificates and asks
  muster remote trust home --endpoint pve2.example:8006
  muster remote trust home --fingerprint 1F:3B:…    in a script: trust this one, no other";

const REAUTH_EXAMPLES: &str = "\
Examples:
  muster remote reauth home
  muster remote reauth home --user root@pam --password-file - --rights operate < password
  muster remote reauth home --token-file ~/.pve-token
  muster remote reauth home --otp-file -       answer the second factor that the link waits for";

const ENDPOINT_EXAMPLES: &str = "\
Examples:
  muster remote endpoint ls home               those in use, and those the cluster proposes
  muster remote endpoint add home pve2.example
  muster remote endpoint rm home pve2.example:8006";

const COVERAGE_EXAMPLES: &str = "\
Examples:
  muster remote coverage home
  muster remote coverage home -o json";

const DRIFT_EXAMPLES: &str = "\
Examples:
  muster remote drift home                     answers that were not as documented";

const PRIVILEGES_EXAMPLES: &str = "\
Examples:
  muster remote privileges --pve 9
  muster remote privileges --pve 8 --rights look";

/// `muster remote`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Remote {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about it.
    #[command(subcommand)]
    pub command: RemoteCommand,
}

/// What `muster remote` can do.
#[derive(Debug, Subcommand)]
pub enum RemoteCommand {
    /// List the remotes, with how each link stands and why
    #[command(after_help = LS_EXAMPLES, visible_alias = "list")]
    Ls(Listing),
    /// Show one in full: link, endpoints, versions, traffic, coverage
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Named),
    /// Print where its own web interface is
    #[command(after_help = OPEN_EXAMPLES)]
    Open(Named),
    /// Add a host or cluster
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<Add>),
    /// Change its name, how often it is asked, or where its own console is
    #[command(after_help = EDIT_EXAMPLES)]
    Edit(Edit),
    /// Remove it from Muster, with all that is known of it
    #[command(after_help = RM_EXAMPLES, visible_alias = "remove")]
    Rm(Box<Rm>),
    /// Connect one that was disconnected
    #[command(after_help = CONNECT_EXAMPLES)]
    Connect(Connect),
    /// Leave one alone: no request is sent there any more, and that is remembered
    #[command(after_help = DISCONNECT_EXAMPLES)]
    Disconnect(Disconnect),
    /// Try one now that waits for its next try
    #[command(after_help = TRY_EXAMPLES)]
    Try(Named),
    /// Accept a changed certificate, after comparing it
    #[command(after_help = TRUST_EXAMPLES)]
    Trust(Trust),
    /// Give it new credentials, or the second factor it waits for
    #[command(after_help = REAUTH_EXAMPLES)]
    Reauth(Box<Reauth>),
    /// The addresses it is reached at: list, add, remove
    #[command(after_help = ENDPOINT_EXAMPLES)]
    Endpoint(Endpoint),
    /// What is known of it: each kind of information with its age, last error, and what is missing
    #[command(after_help = COVERAGE_EXAMPLES)]
    Coverage(Named),
    /// Answers of it that were not as documented
    #[command(after_help = DRIFT_EXAMPLES)]
    Drift(Named),
    /// Print the commands that make an account for Muster with no more rights than it needs
    #[command(after_help = PRIVILEGES_EXAMPLES)]
    Privileges(Privileges),
}

/// One remote.
#[derive(Debug, Args)]
pub struct Named {
    /// The remote's name or number
    #[arg(value_name = "REMOTE", add = ArgValueCandidates::new(names::remotes))]
    pub remote: String,
}

/// What is kept to sign in with.
#[derive(Debug, Args, Clone, Default)]
#[group(id = "keep", multiple = false)]
pub struct Keep {
    /// Keep a token of these rights: look, operate, or same-as-user
    #[arg(long, value_enum, value_name = "RIGHTS", hide_possible_values = true)]
    pub rights: Option<KeepRights>,
    /// Keep the password itself, sealed on the server
    #[arg(long)]
    pub keep_password: bool,
}

/// Rights of a token that is made for Muster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeepRights {
    /// See everything, change nothing
    Look,
    /// See everything; start, stop and otherwise switch guests
    Operate,
    /// Whatever the user may do
    SameAsUser,
}

/// `muster remote add`.
#[derive(Debug, Args)]
pub struct Add {
    /// A host, with or without port, scheme or path
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// What to call it; without this, the cluster's or host's own name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What is kept.
    #[command(flatten)]
    pub keep: Keep,
    /// Save it without connecting
    #[arg(long)]
    pub disconnected: bool,
    /// How to sign in.
    #[command(flatten)]
    pub sign_in: SignIn,
}

/// `muster remote reauth`.
#[derive(Debug, Args)]
pub struct Reauth {
    /// Which.
    #[command(flatten)]
    pub named: Named,
    /// What is kept.
    #[command(flatten)]
    pub keep: Keep,
    /// How to sign in.
    #[command(flatten)]
    pub sign_in: SignIn,
}

/// `muster remote edit`.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group = ArgGroup::new("changes").required(true).multiple(true))]
pub struct Edit {
    /// The remote's name or number
    #[arg(value_name = "REMOTE", add = ArgValueCandidates::new(names::remotes))]
    pub remote: String,
    /// A new name
    #[arg(long, value_name = "NAME", group = "changes")]
    pub name: Option<String>,
    /// Ask it at most this often, e.g. 30s
    #[arg(long, value_name = "TIME", group = "changes", value_parser = value::span)]
    pub interval: Option<Duration>,
    /// Where people find its own console
    #[arg(long, value_name = "URL", group = "changes")]
    pub web_url: Option<String>,
}

/// `muster remote rm`.
#[derive(Debug, Args)]
pub struct Rm {
    /// Which.
    #[command(flatten)]
    pub named: Named,
    /// Do not ask: the remote's name, once more
    #[arg(long, value_name = "NAME")]
    pub yes: Option<String>,
    /// Leave what Muster made on the host: its token, its role
    #[arg(long)]
    pub keep_token: bool,
    /// Although operations are under way
    #[arg(long)]
    pub even_with_open: bool,
    /// Who removes the token: one with rights of its own may not remove itself.
    #[command(flatten)]
    pub sign_in: SignIn,
}

/// `muster remote connect`.
#[derive(Debug, Args)]
pub struct Connect {
    /// Which.
    #[command(flatten)]
    pub named: Named,
    /// Do not wait until the link stands
    #[arg(long)]
    pub no_wait: bool,
}

/// `muster remote disconnect`.
#[derive(Debug, Args)]
pub struct Disconnect {
    /// Which.
    #[command(flatten)]
    pub named: Named,
    /// Although operations are under way: they are not followed until it is connected again
    #[arg(long)]
    pub even_with_open: bool,
}

/// `muster remote trust`.
#[derive(Debug, Args)]
pub struct Trust {
    /// Which.
    #[command(flatten)]
    pub named: Named,
    /// The endpoint whose certificate it is about, when several have changed
    #[arg(long, value_name = "HOST:PORT")]
    pub endpoint: Option<String>,
    /// Do not ask: trust the certificate with this SHA-256 fingerprint, and no other
    #[arg(long, value_name = "SHA256")]
    pub fingerprint: Option<String>,
}

/// `muster remote endpoint`.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct Endpoint {
    /// What about them.
    #[command(subcommand)]
    pub command: EndpointCommand,
}

/// What `muster remote endpoint` can do.
#[derive(Debug, Subcommand)]
pub enum EndpointCommand {
    /// List those in use, and those that the cluster proposes
    #[command(after_help = ENDPOINT_EXAMPLES, visible_alias = "list")]
    Ls(Named),
    /// Use another address of the same cluster as well
    #[command(after_help = ENDPOINT_EXAMPLES)]
    Add(EndpointAdd),
    /// Do not use an address any more
    #[command(after_help = ENDPOINT_EXAMPLES, visible_alias = "remove")]
    Rm(EndpointAt),
}

/// One endpoint of one remote.
#[derive(Debug, Args)]
pub struct EndpointAt {
    /// Which remote.
    #[command(flatten)]
    pub named: Named,
    /// The endpoint: a host, with or without port
    #[arg(value_name = "ADDRESS")]
    pub address: String,
}

/// A further endpoint of a remote.
#[derive(Debug, Args)]
pub struct EndpointAdd {
    /// Which, and where.
    #[command(flatten)]
    pub at: EndpointAt,
    /// Trust the certificate with this SHA-256 fingerprint there, where the cluster does not vouch for it
    #[arg(long, value_name = "SHA256")]
    pub fingerprint: Option<String>,
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
    #[arg(long, default_value = "muster@pve", value_name = "USER@REALM", value_parser = value::account)]
    pub user: String,
    /// The name of its token
    #[arg(long, default_value = "muster", value_name = "NAME", value_parser = value::token_name)]
    pub token: String,
}
