//! `muster serve`: the server as a process.

pub mod config;
pub mod datadir;
mod flags;
pub mod key;
pub mod log;
pub mod notify;
pub mod settings;
