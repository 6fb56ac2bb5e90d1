//! Task lists, logs and states. A list spells a state otherwise than a single answer does.

use serde_json::{Map, Value};

use super::Cluster;
use super::failure::{Answer, Failure, Out};
use super::route::Cx;
use super::tasks::Task;
use crate::seam::Data;

/// Finished tasks that each node tells the cluster of.
const TOLD: usize = 25;

/// What every form of a task has.
fn row(task: &Task) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("upid".into(), task.upid().into());
    row.insert("node".into(), task.node_name.clone().into());
    row.insert("type".into(), task.kind.clone().into());
    row.insert("id".into(), task.id.clone().into());
    row.insert("user".into(), task.user().into());
    row.insert("starttime".into(), task.start.into());
    if let Some(token) = task.token() {
        row.insert("tokenid".into(), token.into());
    }
    row
}

impl Cluster {
    fn may_see_tasks(&self, cx: &Cx, node: &str) -> bool {
        self.may(&cx.who, &format!("/nodes/{node}"), "Sys.Audit")
    }

    /// `GET /cluster/tasks`: no parameters, about 25 finished ones a node, no `status` while one runs.
    pub(crate) fn cluster_tasks(&self, cx: &Cx) -> Answer {
        let mut rows = Vec::new();
        for (place, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.is_member()) {
            let audited = self.may_see_tasks(cx, &node.name);
            let mut finished = 0;
            for task in self.tasks.all.iter().rev().filter(|task| task.node == place) {
                if !audited && task.user() != cx.who.user {
                    continue;
                }
                let mut row = row(task);
                match &task.outcome {
                    None => {
                        row.insert("pid".into(), task.pid.into());
                    }
                    Some(_) if finished >= TOLD => continue,
                    Some(end) => {
                        finished += 1;
                        row.insert("saved".into(), "1".into());
                        row.insert("status".into(), end.text.clone().into());
                        row.insert("endtime".into(), end.at.into());
                    }
                }
                rows.push((task.start, Value::Object(row)));
            }
        }
        rows.sort_by_key(|(start, _)| std::cmp::Reverse(*start));
        Ok(Value::Array(rows.into_iter().map(|(_, row)| row).collect()).into())
    }

    /// `GET /nodes/{node}/tasks`.
    pub(crate) fn task_list(&self, cx: &Cx) -> Answer {
        let args = &cx.args;
        let source = args.get("source").unwrap_or("archive");
        let audited = self.may_see_tasks(cx, self.node_name(cx.node));
        let types = args.get("typefilter");
        let states = args.list("statusfilter");
        let wanted = |task: &&Task| {
            let runs = task.outcome.is_none();
            let by_source = match source {
                "archive" => !runs,
                "active" => runs,
                _ => true,
            };
            task.node == cx.node
                && by_source
                && (audited || task.user() == cx.who.user)
                && (!args.is_set("errors") || task.failed())
                && types.is_none_or(|kind| task.kind == kind)
                && args.get("vmid").is_none_or(|vmid| task.id == vmid)
                && args.get("userfilter").is_none_or(|user| task.authid.contains(user))
                && args.int("since").is_none_or(|since| task.start >= since)
                && args.int("until").is_none_or(|until| task.start <= until)
                && (states.is_empty() || states.iter().any(|state| has_state(task, state)))
        };
        let found: Vec<&Task> = self.tasks.all.iter().rev().filter(wanted).collect();
        let start = usize::try_from(args.int("start").unwrap_or(0)).unwrap_or(usize::MAX);
        let limit = usize::try_from(args.int("limit").unwrap_or(50)).unwrap_or(usize::MAX);
        let rows = found.iter().skip(start).take(limit).map(|task| {
            let mut row = row(task);
            row.insert("pid".into(), task.pid.into());
            row.insert("pstart".into(), task.pstart.into());
            match &task.outcome {
                Some(end) => {
                    row.insert("endtime".into(), end.at.into());
                    row.insert("status".into(), end.text.clone().into());
                }
                None => {
                    row.insert("status".into(), "RUNNING".into());
                    row.insert("saved".into(), "0".into());
                }
            }
            Value::Object(row)
        });
        let data = Data::Value(Value::Array(rows.collect()));
        // An empty list has no total.
        let total = (!found.is_empty()).then_some(found.len() as u64);
        Ok(Out { data, total })
    }

    /// The task of a UPID on the node that is asked: no other node knows of it.
    fn task_of(&self, cx: &Cx) -> Result<&Task, Failure> {
        let upid = cx.args.text("upid");
        if !upid.starts_with("UPID:") || upid.split(':').count() < 9 {
            return Err(Failure::param("upid", "unable to parse worker upid"));
        }
        let task = self.tasks.find(upid).filter(|task| task.node == cx.node);
        let task = task.ok_or_else(|| Failure::param("upid", "no such task"))?;
        if task.authid != cx.who.authid && task.user() != cx.who.user {
            self.require(&cx.who, &format!("/nodes/{}", task.node_name), "Sys.Audit")?;
        }
        Ok(task)
    }

    pub(crate) fn task_status(&self, cx: &Cx) -> Answer {
        let task = self.task_of(cx)?;
        let mut data = row(task);
        data.insert("pid".into(), task.pid.into());
        data.insert("pstart".into(), task.pstart.into());
        match &task.outcome {
            None => {
                data.insert("status".into(), "running".into());
            }
            Some(end) => {
                data.insert("status".into(), "stopped".into());
                data.insert("exitstatus".into(), end.text.clone().into());
            }
        }
        Ok(Value::Object(data).into())
    }

    pub(crate) fn task_log(&self, cx: &Cx) -> Answer {
        let task = self.task_of(cx)?;
        let start = usize::try_from(cx.args.int("start").unwrap_or(0)).unwrap_or(usize::MAX);
        let limit = usize::try_from(cx.args.int("limit").unwrap_or(50)).unwrap_or(usize::MAX);
        // No limit at all is written as 0.
        let limit = if limit == 0 { usize::MAX } else { limit };
        let lines: Vec<&str> = if task.log.is_empty() {
            vec!["no content"]
        } else {
            task.log.iter().map(String::as_str).collect()
        };
        let rows = lines.iter().enumerate().skip(start).take(limit);
        let rows = rows.map(|(place, line)| serde_json::json!({ "n": place + 1, "t": line }));
        let data = Data::Value(Value::Array(rows.collect()));
        Ok(Out { data, total: Some(lines.len() as u64) })
    }

    pub(crate) fn task_stop(&mut self, cx: &Cx) -> Answer {
        let task = self.task_of(cx)?;
        if task.user() != cx.who.user {
            self.require(&cx.who, &format!("/nodes/{}", task.node_name), "Sys.Modify")?;
        }
        let upid = task.upid();
        self.interrupt_task(&upid);
        Ok(Value::Null.into())
    }
}

fn has_state(task: &Task, state: &str) -> bool {
    match (&task.outcome, state) {
        (None, _) => false,
        (Some(end), "ok") => end.text == "OK",
        (Some(end), "warning") => end.text.starts_with("WARNINGS: "),
        (Some(_), "error") => task.failed(),
        (Some(end), _) => end.text == "unexpected status",
    }
}
