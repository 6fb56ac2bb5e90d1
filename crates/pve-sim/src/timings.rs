//! How long things take in the simulator. The defaults are the true figures of Proxmox VE.

use std::time::Duration;

use crate::seam::WorldTimings;

/// Every interval of the simulator, handed in when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimTimings {
    /// How long every 401 takes: 3 s, counted from the request.
    pub unauthorized_delay: Duration,
    /// How long a 595 `No route to host` takes: about 3 s.
    pub no_route: Duration,
    /// After how long a call to another node is given up (596): 30 s.
    pub proxy_timeout: Duration,
    /// How long an idle connection, or one that is in the middle of a request, is kept: 5 s.
    pub keep_alive: Duration,
    /// How many requests a connection may carry: 100.
    pub requests_per_connection: u32,
    /// How long one connection may hold on to a black hole, so that a forgotten one does not live for ever.
    pub black_hole: Duration,
    /// The intervals of what is behind the sockets: tasks, HA, status daemon, tickets.
    pub world: WorldTimings,
}

impl Default for SimTimings {
    fn default() -> Self {
        Self {
            unauthorized_delay: Duration::from_secs(3),
            no_route: Duration::from_secs(3),
            proxy_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(5),
            requests_per_connection: 100,
            black_hole: Duration::from_secs(3600),
            world: WorldTimings::default(),
        }
    }
}

impl SimTimings {
    /// Shrunk, for tests: no delay of a 401, tasks in tens of milliseconds, another node given up after
    /// half a second. What belongs to HTTP (5 s of keep-alive, 100 requests) stays true.
    #[must_use]
    pub fn fast() -> Self {
        Self {
            unauthorized_delay: Duration::ZERO,
            no_route: Duration::from_millis(50),
            proxy_timeout: Duration::from_millis(500),
            world: WorldTimings::fast(),
            ..Self::default()
        }
    }
}
