//! From a request to the bytes of its answer: connecting in phases (`connect`), one HTTP exchange (`exchange`), the
//! way to one endpoint (`line`), connections kept for a while (`pool`), how many calls at once (`limit`), and the
//! figures ([`StatsSnapshot`]).

pub(crate) mod body;
pub(crate) mod connect;
pub(crate) mod exchange;
pub(crate) mod limit;
pub(crate) mod line;
pub(crate) mod pool;
mod stats;
pub(crate) mod watch;

pub(crate) use stats::Stats;
pub use stats::StatsSnapshot;
