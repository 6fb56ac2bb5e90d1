//! Every interval and time-out of the running system, in one value that is handed in.

use std::time::Duration;

use model::backoff::Backoff;
use model::facet::REST;
use model::link::Policy;
use model::operation::Rules;

/// How often to ask, how long to wait, when to give up. [`Timings::default`] holds the true figures.
#[derive(Debug, Clone)]
pub struct Timings {
    /// The client's own.
    pub pve: pve::timings::Timings,
    /// Link rules: back-off, lapse, retries of rejected credentials, pace while everything fails.
    pub link: Policy,
    /// Operation rules: patience with the HA manager, when a task list proves that nothing arrived.
    pub operation: Rules,
    /// Least interval of `GET /cluster/resources`; settable per remote.
    pub resources: Duration,
    /// No interval of a poll is shorter than so many times what its last answer took.
    pub rest: u32,
    /// How far a listing may lag behind what a guest says of itself: Proxmox VE's status daemon feeds it every 10 s.
    pub listing_lag: Duration,
    /// Least interval of `GET /cluster/tasks`.
    pub tasks: Duration,
    /// Interval of `GET /cluster/status` (quorum, members).
    pub cluster: Duration,
    /// Interval of each node's status.
    pub node_status: Duration,
    /// Interval of the HA manager's status.
    pub ha_status: Duration,
    /// Interval of the account's permissions.
    pub permissions: Duration,
    /// Interval of each endpoint's version.
    pub version: Duration,
    /// Interval of each node's certificates.
    pub certificates: Duration,
    /// Time in which every guest's configuration is read once.
    pub config_sweep: Duration,
    /// Least time between two configurations of the sweep.
    pub config_step: Duration,
    /// Interval of a running guest's addresses.
    pub addresses: Duration,
    /// Longest interval of the addresses of a guest whose agent fails.
    pub addresses_most: Duration,
    /// How long a chart of an hour that was read counts as new, however many look at it; longer spans a multiple of it.
    pub chart: Duration,
    /// Wait before a facet that failed is read again, doubling up to its interval (or `link.backoff.most`).
    pub facet_retry: Duration,
    /// How long an operation waits for a link that is not up before it ends as not sent.
    pub operation_wait: Duration,
    /// How operations that are asked for many at once take turns.
    pub turns: Turns,
    /// First and longest wait between two looks at a running task.
    pub task_watch: Backoff,
    /// First and longest wait between two looks at a guest that was handed to the HA manager.
    pub ha_watch: Backoff,
    /// First and longest wait between two readings of a task list in search of a lost answer.
    pub lost_watch: Backoff,
    /// Between two records of the figures that move all the time.
    pub gauges_kept: Duration,
    /// Between two records of when each facet was last read, while other things are recorded.
    pub ages_kept: Duration,
    /// How many background calls of one remote may be under way at once.
    pub background_calls: usize,
    /// Rows asked for in one page of a task list.
    pub page: u32,
    /// Lines kept of the log of a task that failed or warned.
    pub last_lines: usize,
    /// Between processes that share a database; of no effect where there is but one.
    pub lease: Lease,
}

/// How operations that are asked for many at once take turns, so that no host has to begin hundreds of tasks in the same
/// second. What is asked for by itself waits for none of these.
#[derive(Debug, Clone)]
pub struct Turns {
    /// Requests of a remote that are on their way at once.
    pub sending: usize,
    /// The same of one node.
    pub sending_per_node: usize,
    /// Operations of one node that are on their way or have a task that runs.
    pub per_node: usize,
    /// How long one waits for its turn while nothing of its node ends, before it ends as not sent.
    pub patience: Duration,
    /// How long one waits for its turn in all.
    pub longest: Duration,
}

/// How processes that share a database divide the remotes.
#[derive(Debug, Clone)]
pub struct Lease {
    /// How long it counts that a process has said that it lives: after that, others take what it looked after.
    pub life: Duration,
    /// How much earlier the process itself believes that to be over. A request that was begun before is through, or has
    /// failed, when another process takes over.
    pub margin: Duration,
    /// How often a process says that it lives.
    pub renew: Duration,
    /// How often a process looks how things stand with the others.
    pub look: Duration,
    /// Least time between two readings of a remote that another process looks after.
    pub follow: Duration,
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            pve: pve::timings::Timings::default(),
            link: Policy::default(),
            operation: Rules::default(),
            resources: seconds(10),
            rest: REST,
            listing_lag: seconds(15),
            tasks: seconds(10),
            cluster: seconds(30),
            node_status: seconds(60),
            ha_status: seconds(60),
            permissions: seconds(5 * 60),
            version: seconds(15 * 60),
            certificates: seconds(6 * 3600),
            config_sweep: seconds(30 * 60),
            config_step: millis(500),
            addresses: seconds(10 * 60),
            addresses_most: seconds(2 * 3600),
            chart: seconds(30),
            facet_retry: seconds(5),
            operation_wait: seconds(10),
            turns: Turns {
                sending: 6,
                sending_per_node: 3,
                per_node: 8,
                patience: seconds(10 * 60),
                longest: seconds(60 * 60),
            },
            task_watch: Backoff { first: millis(500), most: seconds(5) },
            ha_watch: Backoff { first: seconds(1), most: seconds(10) },
            lost_watch: Backoff { first: seconds(1), most: seconds(15) },
            gauges_kept: seconds(5 * 60),
            ages_kept: seconds(10),
            background_calls: 4,
            page: 500,
            last_lines: 20,
            lease: Lease {
                life: seconds(15),
                margin: seconds(5),
                renew: seconds(3),
                look: seconds(1),
                follow: seconds(2),
            },
        }
    }
}

impl Timings {
    /// For tests over real sockets: the same rules in hundredths of the time.
    #[must_use]
    pub fn shrunk() -> Self {
        let backoff = Backoff { first: millis(50), most: millis(400) };
        Self {
            pve: pve::timings::Timings::shrunk(),
            link: Policy {
                backoff,
                // A busy machine may stand still for longer than three of these intervals.
                intervals: 10,
                token_retry: vec![millis(300), millis(600), millis(1200)],
                password_retry: millis(800),
                outage_often: millis(100),
                outage_seldom: millis(400),
            },
            operation: Rules { ha_patience: millis(1500), list_proves_after: millis(1500) },
            resources: millis(250),
            // With twenty times an answer's time, and ten intervals before a link lapses, it would be up for longer than
            // any test waits where a busy machine has taken a quarter of a second over one answer.
            rest: 2,
            listing_lag: millis(400),
            tasks: millis(250),
            cluster: millis(250),
            node_status: millis(500),
            ha_status: millis(500),
            permissions: millis(800),
            version: seconds(5),
            certificates: seconds(20),
            config_sweep: seconds(4),
            config_step: millis(20),
            addresses: millis(800),
            addresses_most: seconds(4),
            chart: millis(500),
            facet_retry: millis(50),
            operation_wait: millis(1500),
            turns: Turns {
                sending: 6,
                sending_per_node: 3,
                per_node: 8,
                patience: seconds(10),
                longest: seconds(60),
            },
            task_watch: Backoff { first: millis(30), most: millis(150) },
            ha_watch: Backoff { first: millis(50), most: millis(200) },
            lost_watch: Backoff { first: millis(50), most: millis(300) },
            gauges_kept: seconds(3),
            ages_kept: millis(500),
            background_calls: 4,
            page: 50,
            last_lines: 20,
            lease: Lease {
                life: millis(3_000),
                margin: millis(1_000),
                renew: millis(300),
                look: millis(100),
                follow: millis(150),
            },
        }
    }
}
