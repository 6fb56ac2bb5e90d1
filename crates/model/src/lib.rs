//! Muster's nouns and rules. Pure data and pure functions: no I/O, no clock, no async. Time comes in as
//! [`Now`], chance comes in as a number; whoever runs these machines is a floor above.
//!
//! Read in this order: [`id`], [`time`], [`cause`], [`link`], [`guest`], [`presence`], [`capability`],
//! [`operation`], [`rows`], [`event`].

pub mod access;
pub mod backoff;
pub mod capability;
pub mod cause;
pub mod chart;
pub mod event;
pub mod facet;
pub mod guest;
pub mod id;
pub mod interfaces;
pub mod link;
pub mod matching;
pub mod operation;
pub mod outage;
pub mod presence;
pub mod query;
pub mod rights;
pub mod rows;
pub mod time;

pub use capability::{Availability, capability};
pub use cause::{Cause, Failure};
pub use chart::ChartSpan;
pub use event::{ConfigChange, Event, EventSeq, Happening};
pub use facet::FacetKind;
pub use guest::{Guest, GuestState, Node, NodeState, Storage, Task, TaskOutcome};
pub use id::{
    EndpointId, GuestId, GuestKey, GuestKind, Incarnation, NodeName, OperationId, RemoteId, TaskId, Text,
    Vmid,
};
pub use link::{Link, LinkState, LinkView};
pub use operation::{Action, Author, Operation, OperationState, PowerOptions};
pub use presence::Presence;
pub use rights::Rights;
pub use time::{Freshness, Now, Observed, StaleWhy};
