//! `muster doctor`: what may be typed.

use clap::Args;

use super::{Output, SignIn};

const DOCTOR_EXAMPLES: &str = "\
Examples:
  muster doctor pve.example
  muster doctor pve.example --token-file ~/.muster-token
  muster doctor 192.0.2.7 --user root@pam --fingerprint 1F:3B:… -o json

Steps after a failed one are \"not tried\". Without a credential the doctor goes
as far as one can without signing in. The exit code names the first step that
failed.";

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
