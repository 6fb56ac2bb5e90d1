//! How to sign in at a host, and whom to trust: [`SignIn`].

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

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
    #[arg(long, value_name = "TIME", global = true, value_parser = super::value::span)]
    pub timeout: Option<Duration>,
}

/// Files and descriptors that carry secrets.
pub(super) type Sources<'a> = (Vec<Option<&'a PathBuf>>, Vec<Option<u32>>);

impl SignIn {
    /// Where secrets come from.
    pub(super) fn sources(&self) -> Sources<'_> {
        (
            vec![self.password_file.as_ref(), self.token_file.as_ref(), self.otp_file.as_ref()],
            vec![self.password_fd, self.token_fd, self.otp_fd],
        )
    }
}
