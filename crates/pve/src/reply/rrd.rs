//! Figures over time.

use crate::decode::reply;

reply! {
    /// One point of `…/rrddata`, of a node, a guest or a storage. A figure that was not measured is absent; the last
    /// point may hold nothing but its time. Names differ by release: a node's memory is `memused` of
    /// `memtotal`, a guest's `mem` of `maxmem`.
    pub struct RrdPoint {
        /// Unix time in seconds.
        pub time: i64 = "time",
        /// Processor time used, as a fraction of `maxcpu`.
        pub cpu: Option<f64> = "cpu",
        /// Processors.
        pub maxcpu: Option<f64> = "maxcpu",
        /// A guest's memory used, in bytes.
        pub mem: Option<f64> = "mem",
        /// A guest's memory, in bytes.
        pub maxmem: Option<f64> = "maxmem",
        /// Memory a guest takes from its node, in bytes.
        pub memhost: Option<f64> = "memhost" since (9, 0),
        /// A node's memory used, in bytes.
        pub memused: Option<f64> = "memused",
        /// A node's memory, in bytes.
        pub memtotal: Option<f64> = "memtotal",
        /// A node's memory that is free or soon given back, in bytes.
        pub memavailable: Option<f64> = "memavailable" since (9, 0),
        /// A guest's root disk used, in bytes.
        pub disk: Option<f64> = "disk",
        /// Size of a guest's root disk, in bytes.
        pub maxdisk: Option<f64> = "maxdisk",
        /// Bytes read a second.
        pub diskread: Option<f64> = "diskread",
        /// Bytes written a second.
        pub diskwrite: Option<f64> = "diskwrite",
        /// Bytes received a second.
        pub netin: Option<f64> = "netin",
        /// Bytes sent a second.
        pub netout: Option<f64> = "netout",
        /// A node's load average.
        pub loadavg: Option<f64> = "loadavg",
        /// A node's processor time spent waiting for I/O.
        pub iowait: Option<f64> = "iowait",
        /// A node's root file system used, in bytes.
        pub rootused: Option<f64> = "rootused",
        /// Size of a node's root file system, in bytes.
        pub roottotal: Option<f64> = "roottotal",
        /// A node's swap used, in bytes.
        pub swapused: Option<f64> = "swapused",
        /// A node's swap, in bytes.
        pub swaptotal: Option<f64> = "swaptotal",
        /// A storage's bytes used.
        pub used: Option<f64> = "used",
        /// A storage's size, in bytes.
        pub total: Option<f64> = "total",
        /// A node's ZFS cache, in bytes.
        pub arcsize: Option<f64> = "arcsize" since (9, 0),
        /// Time some task waited for a processor, in percent.
        pub pressure_cpu_some: Option<f64> = "pressurecpusome" since (9, 0),
        /// Time all tasks waited for a processor.
        pub pressure_cpu_full: Option<f64> = "pressurecpufull" since (9, 0),
        /// Time some task waited for I/O.
        pub pressure_io_some: Option<f64> = "pressureiosome" since (9, 0),
        /// Time all tasks waited for I/O.
        pub pressure_io_full: Option<f64> = "pressureiofull" since (9, 0),
        /// Time some task waited for memory.
        pub pressure_memory_some: Option<f64> = "pressurememorysome" since (9, 0),
        /// Time all tasks waited for memory.
        pub pressure_memory_full: Option<f64> = "pressurememoryfull" since (9, 0),
    }
}
