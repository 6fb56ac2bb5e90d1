//! A truthful client for the Proxmox VE API.
//!
//! A [`Client`] speaks to one endpoint; it is cheap to clone, and [`Client::sibling`] makes one for another
//! endpoint of the same cluster that shares its session. What it may believe is a [`TrustPolicy`], what it signs in
//! with a [`Credential`], how long it waits are [`Timings`]. Every typed call gives an [`Answer`] (the value, what
//! did not fit in it, and how it was come by) or an [`Error`] that names its own cause and phase.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pve::{Client, Credential, Endpoint, Timings, TrustPolicy, trust};
//!
//! let address: pve::address::Address = "pve.example".parse()?;
//! let timings = Timings::default();
//! // See the certificate before anything is sent, and let a person confirm it.
//! let presented = trust::probe(&address, &timings).await?;
//! let leaf = presented.leaf().ok_or("no certificate")?;
//! println!("{} {}", leaf.subject, leaf.fingerprint);
//!
//! let endpoint = Endpoint { address, trust: TrustPolicy::leaf(leaf.fingerprint) };
//! let client = Client::new(endpoint, Credential::password("root@pam", "secret"), timings);
//! client.sign_in().await?;
//! for row in client.nodes().await?.value.rows {
//!     println!("{}", row.node);
//! }
//! # Ok(())
//! # }
//! ```

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
mod scrub;
pub mod secret;
pub mod timings;
pub mod transport;
pub mod trust;
pub mod upid;
mod verdict;

pub use auth::{Credential, Factor, SessionInfo, TfaChallenge};
pub use call::guest::{Power, PowerOptions};
pub use catalogue::Method;
pub use client::{Answer, Client, Endpoint};
pub use error::{Error, ErrorKind, Phase, Sent, ServerClass, Speaker, Words};
pub use reply::GuestKind;
pub use secret::Secret;
pub use timings::Timings;
pub use trust::{Certificate, Fingerprint, SystemStore, TrustPolicy};
