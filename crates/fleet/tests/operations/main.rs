//! Operations over real sockets: to the exit status, and honest about what is not known.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

#[path = "../support/mod.rs"]
mod support;

mod ends;
mod ha;
mod link;
mod lost;
mod suspend;
mod turns;

/// Where a start of the container 102 is sent.
pub(crate) const START_102: &str = "/nodes/pve1/lxc/102/status/start";
