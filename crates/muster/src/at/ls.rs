//! `ls`: the guests, with state, age, and where the state comes from.

use fleet::{FleetSnapshot, GuestRow, RemoteSnapshot};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::term::table::{Column, Table, Tone};
use crate::words;

/// A guest is listed when the filter is empty or hits one of its texts.
fn hit(filter: Option<&str>, remote: &RemoteSnapshot, row: &GuestRow) -> bool {
    let Some(needle) = filter.map(str::to_lowercase) else { return true };
    let guest = &row.guest;
    let mut texts = vec![
        words::label(remote.name.as_str(), row),
        guest.node.to_string(),
        guest.kind.to_string(),
        words::state(row),
    ];
    texts.extend(guest.name.as_ref().map(ToString::to_string));
    texts.extend(guest.pool.as_ref().map(ToString::to_string));
    texts.extend(guest.tags.iter().map(|tag| format!("#{tag}")));
    texts.iter().any(|t| t.to_lowercase().contains(&needle))
}

fn rows<'a>(
    fleet: &'a FleetSnapshot,
    filter: Option<&'a str>,
) -> impl Iterator<Item = (&'a RemoteSnapshot, &'a GuestRow)> {
    fleet
        .remotes
        .iter()
        .flat_map(|remote| remote.guests.iter().map(move |row| (&**remote, &**row)))
        .filter(move |(remote, row)| hit(filter, remote, row))
}

/// The guests as a table.
pub(super) fn table(fleet: &FleetSnapshot, filter: Option<&str>, now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("GUEST", 8),
        Column::new("TYPE", 4).rank(4),
        Column::new("NAME", 8),
        Column::new("NODE", 4).rank(1),
        Column::new("STATE", 7),
        Column::new("CPU", 5).right().rank(3),
        Column::new("MEMORY", 8).right().rank(3),
        Column::new("UP", 5).right().rank(5),
        Column::new("SEEN", 4),
        Column::new("NOTE", 6).rank(2),
    ]);
    for (remote, row) in rows(fleet, filter) {
        let guest = &row.guest;
        let live = row.freshness.is_live();
        let (cpu, memory) = words::usage(guest);
        let mut notes: Vec<String> = words::why_stale(remote, row).into_iter().collect();
        notes.extend(words::remarks(row));
        notes.extend(guest.tags.iter().map(|tag| format!("#{tag}")));
        let plain = |text: String| (Tone::Plain, text);
        table.row(
            if live { Tone::Plain } else { Tone::Dim },
            vec![
                plain(words::label(remote.name.as_str(), row)),
                plain(guest.kind.to_string()),
                plain(guest.name.as_ref().map(ToString::to_string).unwrap_or_default()),
                plain(guest.node.to_string()),
                (words::state_tone(row), words::state(row)),
                plain(cpu),
                plain(memory),
                plain(words::uptime(guest.uptime)),
                plain(words::seen(row, now)),
                plain(notes.join(" ")),
            ],
        );
    }
    table
}

/// A guest as an object: everything the row holds, with `id`, `name` and `remote`.
pub(super) fn guest_json(remote: &RemoteSnapshot, row: &GuestRow) -> Value {
    let mut object = serde_json::to_value(row).unwrap_or_default();
    if let Some(map) = object.as_object_mut() {
        map.insert("id".to_owned(), json!(words::label(remote.name.as_str(), row)));
        map.insert("remote".to_owned(), json!(remote.name.as_str()));
        map.entry("name").or_insert(Value::Null);
    }
    object
}

/// A remote as an object: how its link stands and what is known of its listing.
pub(super) fn remote_json(remote: &RemoteSnapshot) -> Value {
    json!({
        "id": remote.name.as_str(),
        "name": remote.name.as_str(),
        "link": remote.link,
        "versions": remote.versions,
        "cluster": remote.cluster,
        "listed": super::look::is_listed(remote),
        "drift": remote.drift,
        "unreadable": remote.unreadable,
    })
}

/// A remote that could not be opened, as an object.
fn missing_json(down: &super::Down) -> Value {
    let failure = &down.failure;
    json!({
        "id": down.remote,
        "name": down.remote,
        "link": { "state": "not_opened", "cause": failure.cause },
        "listed": false,
        "error": { "exit_code": failure.exit.code(), "text": failure.sentence, "remedy": failure.hint },
    })
}

/// The list as an object: `items`, `total`, and beside them the remotes, so that a program sees who did not answer.
pub(super) fn json(fleet: &FleetSnapshot, missing: &[&super::Down], filter: Option<&str>) -> Value {
    let items: Vec<Value> = rows(fleet, filter).map(|(remote, row)| guest_json(remote, row)).collect();
    let opened = fleet.remotes.iter().map(|r| remote_json(r));
    let remotes: Vec<Value> = opened.chain(missing.iter().map(|down| missing_json(down))).collect();
    json!({ "total": items.len(), "items": items, "remotes": remotes })
}
