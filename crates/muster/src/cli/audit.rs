//! `muster audit`: what may be typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Common;

const EXAMPLES: &str = "\
Examples:
  muster audit ls                              who did what, newest last
  muster audit ls --limit 500 -o json
  muster audit export audit-2026-03.jsonl      what was not exported yet, checked and marked
  muster audit export --all --keep all.jsonl   everything there is; nothing is marked
  muster audit verify                          follow the chain in the server's database
  muster audit verify audit-*.jsonl            and in exported files, without any server

Each row of the audit log carries the hash of the one before. Rows are deleted only once
they were exported and are older than the server keeps them (retention.audit).
Only administrators see the audit log.";

/// `muster audit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Audit {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
    /// What about it.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What `muster audit` can do.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List who did what, from where, and how it ended
    #[command(after_help = EXAMPLES, visible_alias = "list")]
    Ls(Ls),
    /// Write rows to a file, one line of JSON each, and mark them as exported
    #[command(after_help = EXAMPLES)]
    Export(Export),
    /// Check that no row was altered, removed or put in, in the server or in exported files
    #[command(after_help = EXAMPLES)]
    Verify(Verify),
}

/// `muster audit ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Only rows before this one
    #[arg(long, value_name = "ROW")]
    pub before: Option<i64>,
}

/// `muster audit export`.
#[derive(Debug, Args)]
pub struct Export {
    /// A new file, readable by you alone; "-" is standard output, and marks nothing
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// All rows that are there, also those that were exported before
    #[arg(long)]
    pub all: bool,
    /// Do not mark them as exported: they are kept for ever, until another export marks them
    #[arg(long)]
    pub keep: bool,
}

/// `muster audit verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Exported files, in their order; without one, the server's own log
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}
