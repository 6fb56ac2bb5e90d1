//! The commands that talk to a server, one file per noun.

pub mod names;
