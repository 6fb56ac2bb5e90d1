//! The running system: links, pollers, inventory, operations. Its heart runs in memory.
//!
//! Enter at [`Fleet`]. Each remote is one supervised task that alone owns its link machine, its inventory and
//! its operations; requests run in children that report back to it. What readers see is an immutable
//! [`RemoteSnapshot`], swapped in after what is durable was handed to the [`Journal`].

mod change;
mod clock;
mod detail;
pub mod errors;
mod fleet;
mod flight;
mod inventory;
mod journal;
mod lines;
pub mod onboard;
mod remote;
mod rows;
mod snapshot;
mod spec;
mod timings;
mod traffic;

pub use change::Change;
pub use clock::Clock;
pub use detail::{DetailError, GuestDetail, LogPage, Part as DetailPart};
pub use fleet::{AddError, Fleet, NoSuchRemote};
pub use journal::{Fact, Forgetful, Journal, JournalError};
pub use model::rows::{
    Cluster, GuestRow, HaRow, Interface, NodeRow, Standing, StorageRow, Traffic, UnreadableRow,
};
pub use remote::{DisconnectError, OperateError, StopTaskError};
pub use snapshot::{FleetSnapshot, RemoteSnapshot};
pub use spec::RemoteSpec;
pub use timings::Timings;
