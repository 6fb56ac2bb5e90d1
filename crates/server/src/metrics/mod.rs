//! What is counted, and `/metrics`.

mod counters;

pub(crate) use counters::Counters;
