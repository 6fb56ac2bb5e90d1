//! `muster overview`: what may be typed.

use clap::Args;

use super::Common;

const EXAMPLES: &str = "\
Examples:
  muster overview                              what is wrong, what there is, what runs
  muster overview -o json                      the same for programs";

/// `muster overview`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Overview {
    /// Where the server is, and how to print.
    #[command(flatten)]
    pub common: Common,
}
