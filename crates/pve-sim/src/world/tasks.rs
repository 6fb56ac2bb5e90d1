//! Tasks: forked with a UPID, running over time, ended with an exit status and a log.

use std::collections::{BTreeMap, VecDeque};

use super::Cluster;
use super::deeds::Deed;
use crate::seam::SimTime;

/// How many finished tasks are remembered. The real archive is far longer, but a simulated week is not.
const KEPT: usize = 2_000;

/// The types of the tasks that there are.
pub(crate) const TYPES: [&str; 28] = [
    "hamigrate",
    "hastart",
    "hastop",
    "qmconfig",
    "qmcreate",
    "qmdestroy",
    "qmigrate",
    "qmpause",
    "qmreboot",
    "qmreset",
    "qmrestore",
    "qmresume",
    "qmshutdown",
    "qmsnapshot",
    "qmstart",
    "qmstop",
    "qmsuspend",
    "vzcreate",
    "vzdestroy",
    "vzmigrate",
    "vzreboot",
    "vzrestore",
    "vzresume",
    "vzshutdown",
    "vzsnapshot",
    "vzstart",
    "vzstop",
    "vzsuspend",
];

/// What shall go otherwise with a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Twist {
    /// It fails with these words, and does nothing.
    Fail(String),
    /// It does what it should, and warns so many times.
    Warn(u32),
    /// It never ends by itself.
    Hang,
}

/// How a task ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) text: String,
    /// Seconds since the epoch.
    pub(crate) at: u64,
}

/// A task.
#[derive(Debug)]
pub(crate) struct Task {
    /// The place of its node in the cluster's list.
    pub(crate) node: usize,
    pub(crate) node_name: String,
    pub(crate) pid: u32,
    pub(crate) pstart: u64,
    pub(crate) start: u64,
    pub(crate) kind: String,
    pub(crate) id: String,
    /// `user@realm`, or `user@realm!token`.
    pub(crate) authid: String,
    pub(crate) log: Vec<String>,
    pub(crate) deed: Deed,
    pub(crate) twist: Option<Twist>,
    /// While it waits for the lock of its guest: how long it will take from then on, in milliseconds.
    pub(crate) waits: Option<u64>,
    pub(crate) outcome: Option<Outcome>,
}

impl Task {
    pub(crate) fn upid(&self) -> String {
        format!(
            "UPID:{}:{:08X}:{:08X}:{:08X}:{}:{}:{}:",
            self.node_name, self.pid, self.pstart, self.start, self.kind, self.id, self.authid
        )
    }

    pub(crate) fn user(&self) -> &str {
        self.authid.split_once('!').map_or(self.authid.as_str(), |(user, _)| user)
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.authid.split_once('!').map(|(_, token)| token)
    }

    /// Whether it will never end by itself.
    pub(crate) fn hangs(&self) -> bool {
        self.twist == Some(Twist::Hang)
    }

    pub(crate) fn failed(&self) -> bool {
        self.outcome.as_ref().is_some_and(|end| end.text != "OK" && !end.text.starts_with("WARNINGS: "))
    }
}

/// All tasks of a cluster, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) all: VecDeque<Task>,
    /// The serial number of the first of `all`.
    first: u64,
    /// What shall befall the next task of a type.
    pub(crate) twists: BTreeMap<String, VecDeque<Twist>>,
}

impl Tasks {
    fn add(&mut self, task: Task) -> u64 {
        self.all.push_back(task);
        while self.all.len() > KEPT && self.all.front().is_some_and(|task| task.outcome.is_some()) {
            self.all.pop_front();
            self.first += 1;
        }
        self.first + self.all.len() as u64 - 1
    }

    pub(crate) fn get_mut(&mut self, serial: u64) -> Option<&mut Task> {
        let place = usize::try_from(serial.checked_sub(self.first)?).ok()?;
        self.all.get_mut(place)
    }

    /// All of them with their serial numbers, oldest first.
    pub(crate) fn serials(&self) -> impl Iterator<Item = (u64, &Task)> {
        (self.first..).zip(&self.all)
    }

    pub(crate) fn find(&self, upid: &str) -> Option<&Task> {
        self.all.iter().rev().find(|task| task.upid() == upid)
    }

    fn serial_of(&self, upid: &str) -> Option<u64> {
        self.all.iter().rposition(|task| task.upid() == upid).map(|place| self.first + place as u64)
    }

    fn twist_for(&mut self, kind: &str) -> Option<Twist> {
        self.twists.get_mut(kind).and_then(VecDeque::pop_front)
    }
}

/// What is to be forked.
pub(crate) struct Job<'a> {
    pub(crate) node: usize,
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
    pub(crate) authid: &'a str,
    pub(crate) deed: Deed,
    /// Milliseconds.
    pub(crate) takes: u64,
}

impl Cluster {
    /// Starts a task and gives its UPID.
    pub(crate) fn fork(&mut self, job: Job<'_>) -> String {
        let now = self.now;
        let twist = self.tasks.twist_for(job.kind);
        let Some(node) = self.nodes.get_mut(job.node) else { return String::new() };
        node.next_pid = node.next_pid.wrapping_add(7) % 4_000_000;
        let task = Task {
            node: job.node,
            node_name: node.name.clone(),
            pid: node.next_pid,
            // Hundredths of a second since the node booted, eight hexadecimal digits of them.
            pstart: (now.since(node.booted) / 10) & 0xffff_ffff,
            start: now.seconds(),
            kind: job.kind.to_owned(),
            id: job.id.to_owned(),
            authid: job.authid.to_owned(),
            log: job.deed.first_lines(),
            deed: job.deed,
            twist,
            waits: None,
            outcome: None,
        };
        let upid = task.upid();
        let serial = self.tasks.add(task);
        self.begin_or_wait(serial, job.takes);
        upid
    }

    /// The time of a task has come.
    pub(crate) fn end_task(&mut self, serial: u64, at: SimTime) {
        let Some(task) = self.tasks.get_mut(serial) else { return };
        if task.outcome.is_some() {
            return;
        }
        let (twist, deed, node) = (task.twist.take(), task.deed.clone(), task.node);
        let result = match &twist {
            Some(Twist::Fail(words)) => {
                self.undo(&deed);
                Err(words.clone())
            }
            _ => self.carry_out(&deed, node, at),
        };
        let Some(task) = self.tasks.get_mut(serial) else { return };
        let text = match (result, twist) {
            (Err(words), _) => {
                task.log.push(format!("TASK ERROR: {words}"));
                words
            }
            (Ok(()), Some(Twist::Warn(count))) => {
                for number in 1..=count {
                    task.log.push(format!("WARN: something to know about, number {number}"));
                }
                task.log.push(format!("TASK WARNINGS: {count}"));
                format!("WARNINGS: {count}")
            }
            (Ok(()), _) => {
                task.log.push("TASK OK".to_owned());
                "OK".to_owned()
            }
        };
        let failed = text != "OK" && !text.starts_with("WARNINGS");
        task.outcome = Some(Outcome { text, at: at.seconds() });
        self.touch();
        self.ha_learns(&deed, failed, at);
        self.pass_lock_on(&deed, at);
    }

    /// A task ends without having done anything.
    pub(crate) fn fail_task(&mut self, serial: u64, words: &str, at: SimTime) {
        let Some(task) = self.tasks.get_mut(serial).filter(|task| task.outcome.is_none()) else { return };
        task.waits = None;
        task.log.push(format!("TASK ERROR: {words}"));
        task.outcome = Some(Outcome { text: words.to_owned(), at: at.seconds() });
        let deed = task.deed.clone();
        self.undo(&deed);
        self.touch();
        self.ha_learns(&deed, true, at);
        self.pass_lock_on(&deed, at);
    }

    /// Ends a task from outside. A task that has ended stays as it is.
    pub(crate) fn interrupt_task(&mut self, upid: &str) -> bool {
        let Some(serial) = self.tasks.serial_of(upid) else { return false };
        self.fail_task(serial, "interrupted by signal", self.now);
        true
    }

    /// The tasks of a node that went away died with it.
    pub(crate) fn lose_tasks_of(&mut self, node: usize) {
        let at = self.now.seconds();
        let mut lost = Vec::new();
        for task in self.tasks.all.iter_mut().filter(|task| task.node == node && task.outcome.is_none()) {
            task.outcome = Some(Outcome { text: "unexpected status".to_owned(), at });
            task.waits = None;
            lost.push(task.deed.clone());
        }
        for deed in lost {
            self.undo(&deed);
        }
    }

    // === edits for tests ===

    /// The next task of this type (`vzstart`, `qmshutdown`…) fails with these words.
    pub fn fail_next_task(&mut self, kind: &str, words: &str) {
        self.twist_next_task(kind, Twist::Fail(words.to_owned()));
    }

    /// The next task of this type ends with `WARNINGS: count`.
    pub fn warn_next_task(&mut self, kind: &str, count: u32) {
        self.twist_next_task(kind, Twist::Warn(count));
    }

    /// The next task of this type never ends by itself; it can be stopped.
    pub fn hang_next_task(&mut self, kind: &str) {
        self.twist_next_task(kind, Twist::Hang);
    }

    /// Writes a line into the logs of the running tasks of a type, as a task that is at work does.
    pub fn log_line(&mut self, kind: &str, line: &str) {
        for task in self.tasks.all.iter_mut().filter(|task| task.outcome.is_none() && task.kind == kind) {
            task.log.push(line.to_owned());
        }
    }

    fn twist_next_task(&mut self, kind: &str, twist: Twist) {
        self.tasks.twists.entry(kind.to_owned()).or_default().push_back(twist);
    }

    /// The UPIDs of all tasks that are remembered, oldest first.
    #[must_use]
    pub fn upids(&self) -> Vec<String> {
        self.tasks.all.iter().map(Task::upid).collect()
    }

    /// Puts a task into the list that ran and ended, as if somebody else had done it.
    ///
    /// `authid` is a user or a token; `seconds_ago` says when it started.
    pub fn add_finished_task(
        &mut self,
        node: &str,
        kind: &str,
        id: &str,
        authid: &str,
        seconds_ago: u64,
        exit: &str,
    ) -> Option<String> {
        let node = self.node_place(node)?;
        let start = self.now.seconds().saturating_sub(seconds_ago);
        let known = self.nodes.get_mut(node)?;
        known.next_pid += 7;
        let mut log = Vec::new();
        log.push(if exit == "OK" { "TASK OK".to_owned() } else { format!("TASK ERROR: {exit}") });
        let task = Task {
            node,
            node_name: known.name.clone(),
            pid: known.next_pid,
            pstart: (SimTime::from_seconds(start).since(known.booted) / 10) & 0xffff_ffff,
            start,
            kind: kind.to_owned(),
            id: id.to_owned(),
            authid: authid.to_owned(),
            log,
            deed: Deed::Nothing,
            twist: None,
            waits: None,
            outcome: Some(Outcome { text: exit.to_owned(), at: start }),
        };
        let upid = task.upid();
        self.tasks.add(task);
        Some(upid)
    }
}
