//! Tasks: lists, the status of one, its log.

use crate::decode::reply;
use crate::upid::Upid;

reply! {
    /// One row of `GET /cluster/tasks` or `GET /nodes/{node}/tasks`.
    pub struct TaskRow {
        /// The task's id.
        pub upid: Upid = "upid",
        /// The node it runs or ran on.
        pub node: Option<String> = "node",
        /// What kind of task: `qmstart`, `vzdump`…
        pub kind: Option<String> = "type",
        /// What it is about, such as a VMID; may be empty.
        pub id: Option<String> = "id",
        /// Who asked, without the token.
        pub user: Option<String> = "user",
        /// The API token that was used, if one was.
        pub tokenid: Option<String> = "tokenid" since (7, 0),
        /// When it began: Unix time in seconds.
        pub starttime: Option<i64> = "starttime",
        /// When it ended: Unix time in seconds.
        pub endtime: Option<i64> = "endtime",
        /// How it ended: `OK`, `WARNINGS: 1` or an error's text. While it runs, absent or `RUNNING`.
        pub status: Option<String> = "status",
        /// Its process on the node.
        pub pid: Option<u64> = "pid",
        /// When the process began, in ticks since boot.
        pub pstart: Option<u64> = "pstart",
        /// Whether it is in the node's archive.
        pub saved: Option<bool> = "saved",
    }

    /// `GET /nodes/{node}/tasks/{upid}/status`.
    pub struct TaskStatus {
        /// The task's id.
        pub upid: Option<Upid> = "upid",
        /// The node it runs or ran on.
        pub node: Option<String> = "node",
        /// What kind of task.
        pub kind: Option<String> = "type",
        /// What it is about; may be empty.
        pub id: Option<String> = "id",
        /// Who asked, without the token.
        pub user: Option<String> = "user",
        /// The API token that was used, if one was.
        pub tokenid: Option<String> = "tokenid" since (7, 0),
        /// `running` or `stopped`.
        pub status: Option<String> = "status",
        /// Once stopped: `OK`, `WARNINGS: 1` or an error's text.
        pub exitstatus: Option<String> = "exitstatus",
        /// When it began: Unix time in seconds.
        pub starttime: Option<i64> = "starttime",
        /// Its process on the node.
        pub pid: Option<u64> = "pid",
        /// When the process began, in ticks since boot.
        pub pstart: Option<u64> = "pstart",
    }

    /// One line of `GET /nodes/{node}/tasks/{upid}/log` (and of the syslog).
    pub struct LogLine {
        /// Its number, from 1.
        pub n: Option<i64> = "n",
        /// Its text.
        pub t: Option<String> = "t",
    }
}

impl TaskRow {
    /// Whether the task was still running when the list was made.
    pub fn is_running(&self) -> bool {
        self.endtime.is_none() && matches!(self.status.as_deref(), None | Some("" | "RUNNING"))
    }
}

impl LogLine {
    /// The line's text; empty where there is none.
    pub fn text(&self) -> &str {
        self.t.as_deref().unwrap_or_default()
    }
}
