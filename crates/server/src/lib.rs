//! The HTTP API over the fleet.
