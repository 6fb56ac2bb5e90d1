//! Facts about the Proxmox VE API, by version: endpoints, parameters, returns, privileges.
//!
//! There is nothing here but look-up: [`Catalogue::builtin`] reads a data file that is part of the crate,
//! [`Catalogue::resolve`] finds the endpoint of a concrete path, and [`Endpoint`] tells its facts for a
//! [`Release`]. The client and the simulator may both rely on this crate, and share nothing else.

mod endpoint;
mod lookup;
mod release;
mod schema;

pub use endpoint::{Access, Check, Endpoint, Method, Param, Permission, Returns};
pub use lookup::{Catalogue, Match};
pub use release::{Release, ReleaseError, Releases};
pub use schema::{Kind, Schema};
