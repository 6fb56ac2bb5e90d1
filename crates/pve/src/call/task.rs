//! Tasks of a node.

use catalogue::Method;

use super::{Call, nothing, object, rows};
use crate::decode::Rows;
use crate::reply::{LogLine, TaskRow, TaskStatus};
use crate::upid::Upid;

/// Which tasks of a node to list; what is `None` is left to the server (50 finished tasks).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskQuery {
    /// Rows to pass over.
    pub start: Option<u64>,
    /// Rows at most.
    pub limit: Option<u64>,
    /// Tasks of this guest only.
    pub vmid: Option<u32>,
    /// Failed tasks only.
    pub errors: Option<bool>,
    /// Finished, running, or both.
    pub source: Option<TaskSource>,
    /// Tasks of this type only. Since 6.4.
    pub kind: Option<String>,
    /// Tasks of this user only.
    pub user: Option<String>,
    /// Tasks begun since then (Unix time). Since 7.
    pub since: Option<i64>,
    /// Tasks begun until then (Unix time). Since 7.
    pub until: Option<i64>,
}

/// Where to look for tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskSource {
    /// Finished ones.
    Archive,
    /// Running ones.
    Active,
    /// Both.
    All,
}

impl TaskSource {
    fn wire(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Active => "active",
            Self::All => "all",
        }
    }
}

/// `GET /nodes/{node}/tasks`: the node's own tasks, newest first, with how many there are in all.
pub fn list(node: &str, query: &TaskQuery) -> Call<Rows<TaskRow>> {
    Call::new(Method::Get, "/nodes/{node}/tasks", &[("node", node)], rows)
        .with("start", query.start)
        .with("limit", query.limit)
        .with("vmid", query.vmid)
        .with("errors", query.errors)
        .with("source", query.source.map(TaskSource::wire))
        .with("typefilter", query.kind.as_deref())
        .with("userfilter", query.user.as_deref())
        .with("since", query.since)
        .with("until", query.until)
        .listing()
}

/// `GET /nodes/{node}/tasks/{upid}/status`: running, or stopped and how. Only the task's own node can answer.
pub fn status(node: &str, upid: &Upid) -> Call<TaskStatus> {
    let segments = [("node", node), ("upid", upid.as_str())];
    Call::new(Method::Get, "/nodes/{node}/tasks/{upid}/status", &segments, object)
}

/// `GET /nodes/{node}/tasks/{upid}/log`: lines of the task's log, with how many there are in all.
pub fn log(node: &str, upid: &Upid, start: u64, limit: u64) -> Call<Rows<LogLine>> {
    let segments = [("node", node), ("upid", upid.as_str())];
    Call::new(Method::Get, "/nodes/{node}/tasks/{upid}/log", &segments, rows)
        .with("start", Some(start))
        .with("limit", Some(limit))
        .listing()
}

/// `DELETE /nodes/{node}/tasks/{upid}`: asks the task to stop. That it has is seen in its status.
pub fn stop(node: &str, upid: &Upid) -> Call<()> {
    let segments = [("node", node), ("upid", upid.as_str())];
    Call::new(Method::Delete, "/nodes/{node}/tasks/{upid}", &segments, nothing)
}
