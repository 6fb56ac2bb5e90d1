//! Request, reply and stream types of Muster's own API, with their schemas: what the server encodes and the
//! command line decodes. One module per noun; unknown fields are ignored everywhere, so that an older client
//! understands a newer server.
//!
//! What the model already says is embedded, not said again. Shapes of our own are built by the `of`
//! constructors here from what the model holds, so that no handler picks fields.

pub mod account;
pub mod audit;
pub mod cause;
pub mod chart;
pub mod event;
pub mod guest;
pub mod list;
pub mod node;
pub mod onboarding;
pub mod operation;
pub mod overview;
pub mod preferences;
pub mod problem;
pub mod query;
pub mod remote;
pub mod secret;
pub mod session;
pub mod setup;
pub mod storage;
pub mod stream;
pub mod system;
pub mod task;
pub mod token;
pub mod user;

pub use cause::Cause;
pub use list::{Counts, ListQuery, Page};
pub use problem::Problem;
pub use secret::Secret;

/// Where all of it lives.
pub const BASE: &str = "/api/v1";

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The header that makes a repeated request harmless: the same key, caller and request get the first answer.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The header that carries a session's [`csrf`](session::Session::csrf) in every request that changes
/// something.
pub const CSRF_HEADER: &str = "x-muster-csrf";

/// A guest's id in every list: `7/101` is number 101 on remote 7.
#[must_use]
pub fn guest_id(remote: model::RemoteId, vmid: model::Vmid) -> String {
    format!("{remote}/{vmid}")
}
