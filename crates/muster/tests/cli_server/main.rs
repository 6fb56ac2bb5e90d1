//! The command line against a real server that looks after simulated hosts: every noun, every way in, every code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

#[path = "../common/mod.rs"]
mod common;

mod account;
mod guests;
mod nouns;
mod people;
mod remotes;
mod support;
