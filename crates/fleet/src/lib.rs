//! The running system: links, pollers, inventory, operations. Its heart runs in memory.
//!
//! Enter at [`Fleet`]. Each remote is one supervised task that alone owns its link machine, its inventory and
//! its operations; requests run in children that report back to it. What readers see is an immutable
//! [`RemoteSnapshot`], swapped in after what is durable was handed to the [`Journal`].
//!
//! [`Fleet::open`] keeps all of it in a store and has it back after a restart: rows as last seen (written when
//! something other than figures is different), history, operations at every step, and the remotes themselves.
//! [`Fleet::new`] keeps nothing.

#[doc(hidden)]
pub mod bench;
mod change;
mod chart;
mod clock;
mod detail;
mod durable;
pub mod errors;
mod figures;
mod fleet;
mod flight;
mod inventory;
mod journal;
mod lease;
mod lines;
pub mod lists;
mod look;
mod manage;
pub mod onboard;
mod operations;
pub mod overview;
mod remote;
mod rows;
mod snapshot;
mod spec;
mod timings;
mod traffic;
pub mod wire;

pub use chart::{ChartDetail, Charted};
pub use clock::{Clock, Wall};
pub use detail::{DetailError, GuestDetail, LogPage, Part as DetailPart};
pub use durable::Health;
pub use figures::{FacetFigures, LATENCY_BOUNDS};
pub use fleet::{Fleet, NoSuchRemote};
pub use journal::{Fact, Forgetful, Journal, JournalError, Receipt, Recorded, UnreadError};
pub use lease::{LeaseHealth, ProcessSeen, Who};
pub use look::{Contents, Figures as ContentFigures, NodeDetail, Share, StorageDetail, StorageLook};
pub use manage::{AddError, RemoveError, RestoreError, check_name};
pub use model::rows::{
    Cluster, GuestRow, HaRow, Interface, NodeRow, Standing, StorageRow, Traffic, UnreadableRow,
};
pub use operations::OperationError;
pub use remote::{
    DisconnectError, EditError, Leave, OperateError, Resolution, ResolveError, StopTaskError, TakeBackError,
};
pub use snapshot::{FleetSnapshot, RemoteSnapshot};
pub use spec::{RemoteEdit, RemoteSpec};
pub use timings::{Lease as LeaseTimings, Timings, Turns as TurnTimings};
