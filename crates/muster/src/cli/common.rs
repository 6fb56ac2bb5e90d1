//! What commands that talk to a server have in common: where it is, and how results are printed.

use std::path::PathBuf;

use clap::Args;

use super::{Output, words};

/// Options of every command that talks to a server.
#[derive(Debug, Args, Clone, Default)]
pub struct Common {
    /// The server that uses this data directory, over the socket in it [env: MUSTER_DATA_DIR]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Server")]
    #[arg(conflicts_with_all = ["server", "context"])]
    pub data_dir: Option<PathBuf>,
    /// The server at this URL, known from "muster login" [env: MUSTER_SERVER]
    #[arg(long, value_name = "URL", global = true, help_heading = "Server", conflicts_with = "context")]
    pub server: Option<String>,
    /// The server of this name ("muster context ls") [env: MUSTER_CONTEXT]
    #[arg(long, value_name = "NAME", global = true, help_heading = "Server")]
    #[arg(add = clap_complete::ArgValueCandidates::new(crate::cmd::names::contexts))]
    pub context: Option<String>,
    /// How to print: text for people, json for programs
    #[arg(short = 'o', long = "output", value_enum, default_value_t, global = true, value_name = "FORMAT")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub output: Output,
}

impl Common {
    /// Is JSON wanted?
    pub fn json(&self) -> bool {
        self.output == Output::Json
    }
}

/// Options of lists.
#[derive(Debug, Args, Clone, Default)]
pub struct Listing {
    /// Only what fits, e.g.: status:running remote:home cpu>80% name~web -tag:test ip:10.0.0.5
    #[arg(value_name = "QUERY", value_parser = words::query_word)]
    pub query: Vec<String>,
    /// What your saved view of this name shows; a query beside it narrows it down
    #[arg(long, value_name = "NAME")]
    #[arg(add = clap_complete::ArgValueCandidates::new(crate::cmd::names::views))]
    pub view: Option<String>,
    /// Order, e.g. -cpu,name (a dash: largest first)
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Go on showing what changes, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
}

impl Listing {
    /// The query as one text; none when nothing was given.
    pub fn text(&self) -> Option<String> {
        let text = self.query.join(" ");
        Some(text).filter(|t| !t.trim().is_empty())
    }
}
