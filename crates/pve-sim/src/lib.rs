//! A Proxmox VE simulator: real TLS, real sockets, stateful guests and tasks, scripted faults.
//!
//! Two stories meet at one seam. [`door`] owns the wire: sockets, certificates, HTTP/1.1, faults and the record
//! of what came. [`world`] owns what a cluster *is*, without sockets and without a clock. [`seam`] holds the few
//! types that pass between them.
//!
//! ```no_run
//! # async fn example() -> Result<(), pve_sim::SimError> {
//! use pve_sim::{Fault, Sim, SimTimings, Topology};
//! let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await?;
//! if let Some(remote) = sim.first() {
//!     println!("https://{} {:?}", remote.first_address(), remote.leaf_fingerprint("pve1"));
//!     remote.fault(None, Fault::Cut { after_bytes: 20 }.on("/cluster/resources").times(1)).await;
//! }
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```

mod control;
mod demo;
pub mod door;
pub mod seam;
mod timings;
pub mod topology;
pub mod world;

pub use door::{
    BlackHoleAt, ConnectionRecord, Exchange, Fault, FaultError, FaultId, FaultSpec, Handshake, Remote,
    ResetAt, Sim, SimError,
};
pub use timings::SimTimings;
pub use topology::{RemoteSpec, Topology, TopologyError};
