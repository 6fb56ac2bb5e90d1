//! Onboarding over real sockets and TLS, against a simulated host: what is asked and in which order, what is made on the
//! host, and that nothing of it stays when something fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may end itself"
)]

mod fails;
mod membership;
mod support;
mod undo;
mod ways;
