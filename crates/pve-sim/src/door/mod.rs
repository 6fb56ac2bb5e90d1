//! The wire of the simulator: sockets, TLS, HTTP/1.1, faults, and the record of what came.
//!
//! A connection ([`connection`](self)) reads requests, an exchange carries each of them out: it asks the faults,
//! then the world through [`crate::seam`], and writes the answer as the real API server would.
//! Entry points: [`Sim::start`] and [`Remote`].

mod certificate;
mod connection;
mod exchange;
mod fault;
pub(crate) mod http;
mod inner;
mod journal;
mod keep;
mod listener;
mod remote;
mod response;
mod script;
mod sim;

pub use certificate::CertificateError;
pub use fault::{BlackHoleAt, Fault, FaultId, FaultSpec, ResetAt};
pub use journal::{ConnectionRecord, Exchange, Handshake};
pub use remote::{FaultError, Remote};
pub use sim::{Sim, SimError};
