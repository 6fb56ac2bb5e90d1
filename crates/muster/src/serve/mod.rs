//! `muster serve`: the server as a process. What may be set is in [`settings`], what was set in [`config`].

pub mod call;
pub mod command;
pub mod config;
mod console;
pub mod database;
pub mod datadir;
pub mod doors;
mod flags;
pub mod housekeeping;
pub mod keeper;
pub mod key;
pub mod limits;
pub mod log;
pub mod notify;
pub mod refusal;
pub mod running;
pub mod settings;
pub mod show;
pub mod signals;
pub mod tls;
