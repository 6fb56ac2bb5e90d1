//! What a process takes of the machine, as the system counts it.

use std::time::{Duration, Instant};

/// Readings of one process at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub at: Instant,
    /// Resident memory, bytes.
    pub resident: u64,
    /// Processor time since its start, seconds.
    pub processor: f64,
    /// Bytes handed to `write` and its like since its start: to files, and the eight bytes by which threads wake each
    /// other. What goes to sockets by `send`, as all of ours does, is not in it: polls alone make a KiB a minute.
    pub wchar: u64,
    /// Bytes that were or will be written to disks, page by page.
    pub to_disk: u64,
    /// Open sockets, those it listens on included.
    pub sockets: usize,
}

impl Cost {
    pub fn of(pid: u32) -> Self {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let field = |text: &str, name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let stat = read("stat");
        let after_name: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = after_name[11].parse::<f64>().unwrap() + after_name[12].parse::<f64>().unwrap();
        let io = read("io");
        let sockets = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter(|entry| {
            // One that was closed between the two calls is none.
            let target = entry.as_ref().ok().and_then(|entry| std::fs::read_link(entry.path()).ok());
            target.is_some_and(|target| target.to_string_lossy().starts_with("socket:"))
        });
        Self {
            at: Instant::now(),
            resident: field(&read("status"), "VmRSS:") * 1024,
            processor: ticks / 100.0,
            wchar: field(&io, "wchar:"),
            to_disk: field(&io, "write_bytes:"),
            sockets: sockets.count(),
        }
    }

    /// What was spent since an earlier reading, for a minute: processor seconds, `wchar`, bytes to disk.
    pub fn a_minute_since(&self, before: &Self) -> (f64, u64, u64) {
        let millis = u64::try_from((self.at - before.at).as_millis()).unwrap();
        let share = |n: u64| n * 60_000 / millis;
        let processor = (self.processor - before.processor) / (self.at - before.at).as_secs_f64() * 60.0;
        (processor, share(self.wchar - before.wchar), share(self.to_disk - before.to_disk))
    }
}

/// Whether more wants to run on this machine than it has processors for, twice over: then nothing that is timed says
/// anything.
pub fn is_overloaded() -> bool {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    load > 2.0 * processors as f64
}

/// As many open files as the system allows: thousands of simulated hosts listen.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Of sorted times: the one below which so many of a hundred lie.
pub fn percentile(sorted: &[Duration], of_hundred: usize) -> Duration {
    sorted[(sorted.len() * of_hundred / 100).min(sorted.len() - 1)]
}
