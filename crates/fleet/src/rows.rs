//! Proxmox's rows as Muster's nouns. What is missing stays missing.

use jiff::Timestamp;
use model::guest::{GuestState, NodeState, Task, TaskOutcome};
use model::presence::PermissionsMark;
use model::{Guest, GuestKind, Node, NodeName, Storage, TaskId, Text, Vmid};
use pve::decode::Rows;
use pve::drift::Unreadable;
use pve::reply::{
    ClusterStatus, GuestRow, GuestStatus, NodeRow, Permissions, Resource, StorageRow as PveStorage, TaskRow,
};
use pve::upid::Upid;

use crate::inventory::{Glimpse, Listing};
use model::rows::Cluster;
use model::rows::Interface;

/// What is kept of a row that cannot be placed.
const RAW_CHARS: usize = 4096;

pub(crate) fn kind(kind: pve::GuestKind) -> GuestKind {
    match kind {
        pve::GuestKind::Ct => GuestKind::Ct,
        pve::GuestKind::Vm => GuestKind::Vm,
    }
}

pub(crate) fn pve_kind(kind: GuestKind) -> pve::GuestKind {
    match kind {
        GuestKind::Ct => pve::GuestKind::Ct,
        GuestKind::Vm => pve::GuestKind::Vm,
    }
}

fn texts<T: FromIterator<Text>>(list: Option<Vec<String>>) -> T {
    list.unwrap_or_default().into_iter().map(Text::from).collect()
}

/// Empty text stands for nothing in many of Proxmox's fields.
fn some(text: Option<String>) -> Option<Text> {
    text.filter(|text| !text.is_empty()).map(Text::from)
}

fn guest(row: GuestRow) -> Guest {
    let kind = kind(row.kind);
    Guest {
        kind,
        vmid: Vmid(row.vmid),
        node: NodeName::from(row.node.unwrap_or_default()),
        name: some(row.name),
        state: GuestState::from_word(row.status.as_deref().unwrap_or_default()),
        template: row.template,
        cpu: row.cpu,
        cpus: row.maxcpu,
        memory: row.mem,
        memory_max: row.maxmem,
        // 0 means "not measured": of every virtual machine, and of a container that is off.
        disk: row.disk.filter(|used| *used > 0),
        disk_max: row.maxdisk,
        uptime: row.uptime,
        tags: texts(row.tags),
        pool: some(row.pool),
        lock: some(row.lock),
        ha: some(row.hastate),
    }
}

fn node(row: NodeRow) -> Result<Node, String> {
    let named = row.node.clone().or_else(|| row.id.as_deref()?.strip_prefix("node/").map(str::to_owned));
    let name = named.ok_or_else(|| format!("{row:?}"))?;
    Ok(Node {
        state: NodeState::from_word(row.status.as_deref().unwrap_or_default()),
        cpu: row.cpu,
        cpus: row.maxcpu,
        memory: row.mem,
        memory_max: row.maxmem,
        disk: row.disk,
        disk_max: row.maxdisk,
        uptime: row.uptime,
        ..Node::bare(NodeName::from(name))
    })
}

fn storage(row: PveStorage) -> Result<Storage, String> {
    // The id says both once more: storage/pve1/local.
    let id = row.id.as_deref().and_then(|id| id.strip_prefix("storage/")?.split_once('/'));
    let storage = row.storage.as_deref().or(id.map(|(_, storage)| storage)).map(Text::from);
    let node = row.node.as_deref().or(id.map(|(node, _)| node)).map(NodeName::from);
    let (Some(storage), Some(node)) = (storage, node) else { return Err(format!("{row:?}")) };
    Ok(Storage {
        storage,
        node,
        status: some(row.status),
        shared: row.shared,
        plugin: some(row.plugintype),
        used: row.disk,
        size: row.maxdisk,
        content: texts(row.content),
    })
}

/// A listing out of `GET /cluster/resources`, and the rows of it that do not say what they are about.
pub(crate) fn listing(rows: Rows<Resource>) -> (Listing, Vec<Unreadable>) {
    let mut listing = Listing { complete: rows.unreadable.is_empty(), ..Listing::default() };
    let mut nameless = Vec::new();
    for (at, row) in rows.rows.into_iter().enumerate() {
        let taken = match row {
            Resource::Guest(row) => {
                if row.status.is_none() {
                    listing.unread.insert(Vmid(row.vmid));
                }
                listing.guests.push(guest(row));
                Ok(())
            }
            Resource::Node(row) => node(row).map(|node| listing.nodes.push(node)),
            Resource::Storage(row) => storage(row).map(|storage| listing.storages.push(storage)),
            _ => Ok(()),
        };
        if let Err(raw) = taken {
            // Whatever it was about was not left out by the host: nothing is missing for it.
            listing.complete = false;
            nameless.push(Unreadable {
                list: "[]".to_owned(),
                row: at,
                raw: raw.chars().take(RAW_CHARS).collect(),
                why: "it does not say what it is about".to_owned(),
            });
        }
    }
    (listing, nameless)
}

/// The cluster out of `GET /cluster/status`, and which of its nodes was asked.
pub(crate) fn cluster(rows: Rows<ClusterStatus>) -> (Cluster, Option<String>) {
    let mut own = None;
    let mut cluster = Cluster { name: None, quorate: None, nodes: 0 };
    for row in rows.rows {
        match row {
            ClusterStatus::Cluster(info) => {
                cluster.name = some(info.name);
                cluster.quorate = info.quorate;
            }
            ClusterStatus::Node(node) => {
                cluster.nodes += 1;
                if node.local == Some(true) {
                    own = Some(node.name);
                }
            }
            _ => {}
        }
    }
    (cluster, own)
}

fn seconds(at: i64) -> Option<Timestamp> {
    Timestamp::from_second(at).ok()
}

/// A task by its id alone.
pub(crate) fn task_of(upid: &Upid) -> Task {
    Task {
        upid: TaskId::from(upid.as_str()),
        node: upid.node().into(),
        kind: upid.task_type().into(),
        id: upid.id().into(),
        user: upid.authid().into(),
        started: upid.starttime(),
        ended: None,
        outcome: TaskOutcome::Running,
    }
}

/// A task out of a list. Everything that identifies it comes from its id, which lists cannot distort.
pub(crate) fn task(row: &TaskRow) -> Task {
    let outcome = match (&row.status, row.is_running()) {
        (_, true) => TaskOutcome::Running,
        (Some(exit), false) if !exit.is_empty() => TaskOutcome::from_exit(exit),
        _ => TaskOutcome::Unknown,
    };
    Task { ended: row.endtime.and_then(seconds), outcome, ..task_of(&row.upid) }
}

/// A digest of what the account may do.
pub(crate) fn mark(permissions: &Permissions) -> PermissionsMark {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    permissions.paths.hash(&mut hasher);
    PermissionsMark(hasher.finish())
}

/// A guest's state out of its own status, which tells a paused machine from a running one only in a second
/// field.
pub(crate) fn state_of(status: &GuestStatus) -> GuestState {
    let word = match (status.status.as_deref(), status.qmpstatus.as_deref()) {
        (Some("running"), Some(precise)) if !precise.is_empty() => precise,
        (Some(word), _) => word,
        (None, precise) => precise.unwrap_or_default(),
    };
    GuestState::from_word(word)
}

/// What a guest says of itself now.
pub(crate) fn glimpse(status: &GuestStatus) -> Glimpse {
    Glimpse {
        state: state_of(status),
        cpu: status.cpu,
        memory: status.mem,
        uptime: status.uptime,
        lock: some(status.lock.clone()),
    }
}

/// The interfaces of a guest. One without a name still has its addresses.
pub(crate) fn interfaces(rows: &[pve::reply::Interface]) -> Vec<Interface> {
    rows.iter()
        .map(|row| Interface {
            name: row.name.as_deref().unwrap_or_default().into(),
            mac: row.mac().map(Text::from),
            addresses: row.addresses().into_iter().map(Text::from).collect(),
        })
        .collect()
}

pub(crate) fn ha(row: pve::reply::HaStatusRow) -> model::rows::HaRow {
    model::rows::HaRow {
        id: row.id.into(),
        kind: row.kind.map(Text::from),
        status: row.status.map(Text::from),
        node: row.node.map(NodeName::from),
        state: row.state.map(Text::from),
    }
}

#[cfg(test)]
mod tests {
    use pve::decode::{check, list};

    use super::*;

    #[test]
    fn a_listing_with_a_row_about_nobody_leaves_nothing_out() {
        let read = |body: &str| {
            let rows = list(check(body.as_bytes()).unwrap(), &mut pve::drift::Drift::default()).unwrap();
            let (listing, nameless) = listing(rows);
            (listing.complete, listing.nodes.len(), nameless.len())
        };
        assert_eq!(read(r#"[{"type":"node","node":"pve1"}]"#), (true, 1, 0));
        // What it was about may be there.
        assert_eq!(
            read(r#"[{"type":"node","node":"pve1"},{"type":"node","status":"online"}]"#),
            (false, 1, 1)
        );
    }
}
