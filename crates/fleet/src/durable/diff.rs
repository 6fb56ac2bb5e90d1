//! What is different between two configurations of a guest, and the task that made it so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::{ConfigChange, Task, TaskId, Vmid};
use pve::reply::GuestConfig;

/// What stands for a value that is not told.
const HIDDEN: &str = "(not shown)";
/// Longest value kept of either side.
const LONGEST: usize = 1000;

/// The digest says only that something is different; another name is told by the listing.
const TOLD_OTHERWISE: [&str; 3] = ["digest", "name", "hostname"];

/// Whether the values of a key are told to nobody.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "secret", "token", "environment"].iter().any(|part| key.contains(part)) || key == "env"
}

/// Key by key, in the order of the keys.
pub(crate) fn diff(old: &GuestConfig, new: &GuestConfig) -> Vec<ConfigChange> {
    let (old, new) = (flat(old), flat(new));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter(|key| !TOLD_OTHERWISE.contains(&key.as_str()) && old.get(*key) != new.get(*key))
        .map(|key| {
            let told = |value: Option<&String>| {
                value.map(|value| if is_secret(key) { HIDDEN.to_owned() } else { short(value) })
            };
            ConfigChange { key: key.as_str().into(), from: told(old.get(key)), to: told(new.get(key)) }
        })
        .collect()
}

fn flat(config: &GuestConfig) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> =
        config.entries.iter().map(|(key, value)| (key.clone(), value.as_str().to_owned())).collect();
    for (key, value) in &config.lxc {
        // These may stand there repeatedly; together they are one value.
        all.entry(key.clone())
            .and_modify(|known| *known = format!("{known}\n{value}"))
            .or_insert(value.clone());
    }
    all
}

fn short(value: &str) -> String {
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// Types of tasks that change a configuration.
const CHANGES: [&str; 18] = [
    "qmconfig",
    "vzconfig",
    "resize",
    "qmmove",
    "move_volume",
    "qmsnapshot",
    "vzsnapshot",
    "qmdelsnapshot",
    "vzdelsnapshot",
    "qmrollback",
    "vzrollback",
    "qmtemplate",
    "vztemplate",
    "qmigrate",
    "vzmigrate",
    "qmrestore",
    "vzrestore",
    "imgdel",
];

/// The task that may have changed the configuration of a guest since it was read last: the newest one of a type
/// that does, begun since. `since` by the remote's clock.
pub(crate) fn maker<'t>(
    tasks: impl Iterator<Item = &'t Task>,
    vmid: Vmid,
    since: Option<Timestamp>,
) -> Option<TaskId> {
    let id = vmid.to_string();
    tasks
        .filter(|task| *task.id == *id && CHANGES.contains(&&*task.kind))
        .filter(|task| since.is_none_or(|since| task.ended.unwrap_or(task.started) >= since))
        .max_by_key(|task| task.started)
        .map(|task| task.upid.clone())
}

#[cfg(test)]
mod tests {
    use pve::decode::Scalar;

    use super::*;

    fn config(entries: &[(&str, &str)], lxc: &[(&str, &str)]) -> GuestConfig {
        let text = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let entries = text(entries).into_iter().map(|(key, value)| (key, Scalar(value))).collect();
        GuestConfig { entries, lxc: text(lxc) }
    }

    #[test]
    fn only_what_is_different_is_told_and_no_secret() {
        let old = config(
            &[("cores", "2"), ("memory", "512"), ("digest", "a"), ("cipassword", "hunter2")],
            &[("lxc.environment", "TOKEN=one"), ("lxc.cap.drop", "a")],
        );
        let new = config(
            &[("memory", "1024"), ("digest", "b"), ("cipassword", "hunter3"), ("onboot", "1")],
            &[("lxc.environment", "TOKEN=two"), ("lxc.cap.drop", "a"), ("lxc.cap.drop", "b")],
        );
        let changes = diff(&old, &new);
        let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(keys, ["cipassword", "cores", "lxc.cap.drop", "lxc.environment", "memory", "onboot"]);
        let told = format!("{changes:?}");
        assert!(!told.contains("hunter") && !told.contains("TOKEN"), "{told}");
        let memory = changes.iter().find(|change| change.key.as_str() == "memory").unwrap();
        assert_eq!((memory.from.as_deref(), memory.to.as_deref()), (Some("512"), Some("1024")));
        assert!(diff(&new, &new).is_empty());
    }
}
