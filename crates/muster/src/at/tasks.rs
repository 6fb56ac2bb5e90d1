//! `tasks`: what runs and what ran, running ones first.

use fleet::{FleetSnapshot, RemoteSnapshot};
use jiff::Timestamp;
use model::Task;
use serde_json::{Value, json};

use crate::term::table::{Column, Table, Tone};
use crate::term::text::ago;
use crate::words;

/// All tasks: running ones first, then the newest.
fn rows(fleet: &FleetSnapshot) -> Vec<(&RemoteSnapshot, &Task)> {
    let mut rows: Vec<_> = fleet
        .remotes
        .iter()
        .flat_map(|remote| remote.tasks.iter().map(move |task| (&**remote, task)))
        .collect();
    rows.sort_by_key(|(_, task)| (task.outcome.has_ended(), std::cmp::Reverse(task.started)));
    rows
}

/// The tasks as a table. The UPID is whole: it is what `log` wants.
pub(super) fn table(fleet: &FleetSnapshot, now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("STARTED", 10),
        Column::new("TOOK", 5).right().rank(2),
        Column::new("REMOTE", 6).rank(3),
        Column::new("TASK", 12),
        Column::new("USER", 8).rank(4),
        Column::new("OUTCOME", 12),
        Column::new("UPID", 20).rank(5),
    ]);
    for (remote, task) in rows(fleet) {
        let plain = |text: String| (Tone::Plain, text);
        let (outcome, tone) = words::outcome(&task.outcome);
        table.row(
            Tone::Plain,
            vec![
                plain(ago(now, task.started)),
                plain(words::took(task, now)),
                plain(remote.name.to_string()),
                plain(words::task(task)),
                plain(task.user.to_string()),
                (tone, outcome),
                plain(task.upid.to_string()),
            ],
        );
    }
    table
}

/// The tasks as an object.
pub(super) fn json(fleet: &FleetSnapshot) -> Value {
    let items: Vec<Value> = rows(fleet)
        .into_iter()
        .map(|(remote, task)| {
            let mut object = serde_json::to_value(task).unwrap_or_default();
            if let Some(map) = object.as_object_mut() {
                // What the task works on keeps its documented name out of the way of ours.
                let about = map.insert("id".to_owned(), json!(task.upid.as_str())).unwrap_or_default();
                map.insert("object".to_owned(), about);
                map.insert("name".to_owned(), json!(words::task(task)));
                map.insert("remote".to_owned(), json!(remote.name.as_str()));
            }
            object
        })
        .collect();
    json!({ "total": items.len(), "items": items })
}
