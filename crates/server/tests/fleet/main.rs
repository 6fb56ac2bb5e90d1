//! The fleet's routes over real HTTP, against a simulated Proxmox VE.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod charts;
mod bulk;
mod faults;
mod left;
mod manage;
mod onboarding;
mod operate;
mod outage;
mod overview;
mod see;
mod support;
