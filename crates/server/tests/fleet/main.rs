//! The fleet's routes over real HTTP, against a simulated Proxmox VE.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod bulk;
mod charts;
mod faults;
mod left;
mod manage;
mod onboarding;
mod operate;
mod outage;
mod overview;
mod query;
mod see;
mod support;
