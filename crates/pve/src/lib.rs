//! A truthful client for the Proxmox VE API.

pub mod address;
pub mod auth;
pub mod call;
pub mod client;
pub mod decode;
pub mod drift;
pub mod envelope;
pub mod error;
pub mod property;
pub mod reply;
pub mod secret;
pub mod timings;
pub mod transport;
pub mod trust;
pub mod upid;
