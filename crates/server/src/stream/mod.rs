//! The live stream: `GET /stream` (server-sent events) and `PUT /stream/{id}/subscriptions`.
//!
//! One [`Machine`] per stream knows what its client was told last and tells the difference to how things stand
//! now; it is pure, and asked at most every [`Timings::tick`]. [`body`] drives it only while the client reads:
//! what a slow client does not take is never made, so it costs nobody anything. The [`Hub`] keeps streams
//! whose connection broke until they are taken up again or forgotten.
//!
//! Read in this order: `machine`, `outbox`, `told`, `list`, `glance`, `body`, `hub`, `routes`.

mod body;
mod glance;
mod hub;
mod list;
mod machine;
mod outbox;
mod routes;
pub mod rows;
#[cfg(test)]
mod tests;
mod told;
mod world;

use std::time::Duration;

pub use hub::Hub;
pub use routes::routes;

/// The figures of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// At most so often is it looked whether there is something to tell.
    pub tick: Duration,
    /// That many times the cost of looking is waited before looking again.
    pub share: u32,
    /// Lists whose meaning changes with time alone are looked at again after that.
    pub aging: Duration,
    /// The overview is told at most so often.
    pub overview: Duration,
    /// After that long without a message a heartbeat is sent.
    pub heartbeat: Duration,
    /// For that long a stream may be taken up again.
    pub resume: Duration,
    /// So often it is asked whether its caller may still see what it tells.
    pub access: Duration,
    /// A client that has not read for that long is told to begin anew.
    pub slow: Duration,
    /// Messages kept of each stream for when it is taken up again.
    pub kept_messages: usize,
    /// Bytes of messages kept of each stream.
    pub kept_bytes: usize,
    /// Streams, connected or not.
    pub streams: usize,
    /// Streams of one caller, connected or not.
    pub streams_per_caller: usize,
    /// Lists that one stream may follow.
    pub lists: usize,
    /// Rows that its lists may have together: they are kept, so that only what changes need be told.
    pub rows: usize,
    /// Rows in one message of a topic.
    pub chunk: usize,
    /// Events read from the store at once.
    pub events: usize,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(250),
            share: 20,
            aging: Duration::from_secs(5),
            overview: Duration::from_secs(2),
            heartbeat: Duration::from_secs(15),
            resume: Duration::from_secs(600),
            access: Duration::from_millis(500),
            slow: Duration::from_secs(20),
            kept_messages: 1024,
            kept_bytes: 1024 * 1024,
            streams: 512,
            streams_per_caller: 32,
            lists: 8,
            rows: 1000,
            chunk: 500,
            events: 200,
        }
    }
}
