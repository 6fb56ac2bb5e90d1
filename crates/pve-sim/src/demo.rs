//! The demo fleet: one of each kind of trouble.

use crate::topology::{RemoteSpec, Topology};

impl Topology {
    /// The fleet that shows everything.
    #[must_use]
    pub fn demo() -> Self {
        Self { seed: 1, remotes: Vec::<RemoteSpec>::new() }
    }
}
