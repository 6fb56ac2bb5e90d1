//! The command line against a server that does what a real one seldom does: loses answers, refuses, is none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../fake/mod.rs"]
mod fake;

mod act;
mod elsewhere;
mod lists;
mod remotes;
mod support;
mod tasks;
mod tokens;
