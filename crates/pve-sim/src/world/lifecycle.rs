//! Creating, destroying, snapshots.

use serde_json::{Map, Value, json};

use super::Cluster;
use super::config_api::normalised;
use super::deeds::Deed;
use super::failure::{Answer, Failure};
use super::gauges::mix;
use super::guest::{Guest, Run, uuid};
use super::route::Cx;
use super::spec::{GuestInput, Kind};

/// Parameters of a creation that do not become options.
const NOT_OPTIONS: [&str; 15] = [
    "node",
    "vmid",
    "ostemplate",
    "restore",
    "storage",
    "pool",
    "start",
    "password",
    "ssh-public-keys",
    "force",
    "unique",
    "archive",
    "bwlimit",
    "ignore-unpack-errors",
    "live-restore",
];

impl Cluster {
    pub(crate) fn guest_create(&mut self, cx: &Cx) -> Answer {
        let (kind, vmid) = (cx.kind(), cx.vmid());
        if !self.quorate {
            return Err(Failure::no_quorum());
        }
        if let Some(guest) = self.guests.get(&vmid) {
            let node = self.node_name(guest.node);
            let title = guest.title();
            return Err(Failure::server(match kind {
                Kind::Ct => format!("{title} {vmid} already exists on node '{node}'"),
                Kind::Vm => {
                    format!("unable to create VM {vmid} - {title} {vmid} already exists on node '{node}'")
                }
            }));
        }
        let restores = cx.args.is_set("restore") || cx.args.get("archive").is_some();
        let task = match (kind, restores) {
            (Kind::Ct, false) => "vzcreate",
            (Kind::Ct, true) => "vzrestore",
            (Kind::Vm, false) => "qmcreate",
            (Kind::Vm, true) => "qmrestore",
        };
        let takes = self.timings.shutdown_task;
        let template = cx.args.text("ostemplate");
        if kind == Kind::Ct && !template.contains(':') && !template.starts_with('/') {
            // Accepted all the same: only the task finds out.
            let words = format!("unable to create CT {vmid} - unable to parse volume ID '{template}'");
            return self.fork_for(cx, task, Deed::Fail(words), self.timings.other_task);
        }
        let guest = self.new_guest(cx, kind, vmid);
        self.guests.insert(vmid, guest);
        let start = cx.args.is_set("start");
        self.fork_for(cx, task, Deed::Create { vmid, start }, takes)
    }

    fn new_guest(&self, cx: &Cx, kind: Kind, vmid: u32) -> Guest {
        let input = GuestInput { vmid, kind, ..GuestInput::default() };
        let mut guest = Guest::new(&input, cx.node, self.seed, self.now);
        guest.made = self.now;
        let seed = mix(guest.seed, self.now.millis());
        let mut pairs: Vec<(String, String)> = cx
            .args
            .iter()
            .filter(|(key, _)| !NOT_OPTIONS.contains(key))
            .map(|(key, value)| (key.to_owned(), normalised(kind, key, value, &guest)))
            .collect();
        let storage = cx.args.get("storage").unwrap_or("local");
        let mut defaults: Vec<(&str, String)> = vec![("lock", "create".into())];
        match kind {
            Kind::Ct => defaults.extend([
                ("arch", "amd64".into()),
                ("hostname", format!("CT{vmid}")),
                ("memory", "512".into()),
                ("ostype", "debian".into()),
                ("rootfs", format!("{storage}:{vmid}/subvol-{vmid}-disk-0.subvol,size=4G")),
                ("swap", "512".into()),
            ]),
            Kind::Vm => defaults.extend([
                ("meta", format!("creation-qemu={},ctime={}", self.facts.qemu, self.now.seconds())),
                ("smbios1", format!("uuid={}", uuid(mix(seed, 1)))),
                ("vmgenid", uuid(mix(seed, 2))),
            ]),
        }
        if kind == Kind::Vm {
            let bootable = ["scsi0", "virtio0", "sata0", "ide2", "net0"];
            let order: Vec<&str> =
                bootable.into_iter().filter(|key| pairs.iter().any(|(known, _)| known == key)).collect();
            defaults.push(("boot", format!("order={}", order.join(";"))));
        }
        for (key, value) in defaults {
            if !pairs.iter().any(|(known, _)| known == key) {
                pairs.push((key.to_owned(), value));
            }
        }
        guest.conf = pairs.into_iter().collect();
        guest.pool = cx.args.get("pool").map(Into::into);
        guest
    }

    pub(crate) fn guest_destroy(&mut self, cx: &Cx) -> Answer {
        let guest = self.find_guest(cx)?;
        let (vmid, title) = (guest.vmid, guest.title());
        if guest.conf.is_set("protection") {
            return Err(Failure::server(format!("can't remove {title} {vmid} - protection mode enabled")));
        }
        if !self.quorate {
            return Err(Failure::no_quorum());
        }
        if self.ha.manages(vmid) && !cx.args.is_set("purge") {
            let text = format!(
                "unable to remove {title} {vmid} - used in HA resources and purge parameter not set."
            );
            return Err(Failure::server(text));
        }
        let forced = guest.kind == Kind::Ct && cx.args.is_set("force");
        if guest.run != Run::Stopped && !forced {
            return Err(Failure::server(match guest.kind {
                Kind::Ct => format!("unable to destroy CT {vmid} - container is running"),
                Kind::Vm => format!("VM {vmid} is running - destroy failed"),
            }));
        }
        let task = if guest.kind == Kind::Ct { "vzdestroy" } else { "qmdestroy" };
        self.fork_for(cx, task, Deed::Destroy(vmid), self.timings.other_task)
    }

    // === snapshots ===

    pub(crate) fn snapshot_list(&self, cx: &Cx) -> Answer {
        let guest = self.find_guest(cx)?;
        let mut rows = Vec::new();
        for snapshot in &guest.snapshots {
            let mut row = Map::new();
            row.insert("name".into(), snapshot.name.clone().into());
            row.insert("snaptime".into(), snapshot.time.into());
            let end = if guest.kind == Kind::Ct && !snapshot.description.is_empty() { "\n" } else { "" };
            row.insert("description".into(), format!("{}{end}", snapshot.description).into());
            if guest.kind == Kind::Vm {
                row.insert("vmstate".into(), u8::from(snapshot.vmstate).into());
            }
            if let Some(parent) = &snapshot.parent {
                row.insert("parent".into(), parent.clone().into());
            }
            rows.push(Value::Object(row));
        }
        let mut current = json!({
            "name": "current", "description": "You are here!", "digest": guest.digest(),
            "running": u8::from(guest.run != Run::Stopped),
        });
        if let (Some(current), Some(parent)) = (current.as_object_mut(), guest.conf.get("parent")) {
            current.insert("parent".into(), parent.into());
        }
        rows.push(current);
        Ok(Value::Array(rows).into())
    }

    pub(crate) fn snapshot_create(&mut self, cx: &Cx) -> Answer {
        self.find_guest(cx)?;
        let name = cx.args.text("snapname");
        if name == "current" {
            return Err(Failure::server("unable to use snapshot name 'current' (reserved name)"));
        }
        if name == "pending" {
            return Err(Failure::server("unable to use snapshot name 'pending' (reserved name)"));
        }
        let task = if cx.kind() == Kind::Ct { "vzsnapshot" } else { "qmsnapshot" };
        let deed = Deed::Snapshot {
            vmid: cx.vmid(),
            name: name.to_owned(),
            description: cx.args.text("description").to_owned(),
            vmstate: cx.args.is_set("vmstate"),
        };
        self.fork_for(cx, task, deed, self.timings.other_task)
    }

    // === edits for tests ===

    /// Gives a guest a snapshot of its configuration as it is, taken at that time (seconds since the epoch).
    pub fn add_snapshot(&mut self, vmid: u32, name: &str, description: &str, time: u64) -> bool {
        self.touch();
        let Some(guest) = self.guests.get_mut(&vmid) else { return false };
        guest.snapshots.retain(|known| known.name != name);
        let parent = guest.conf.get("parent").map(str::to_owned);
        guest.snapshots.push(super::guest::Snapshot {
            name: name.to_owned(),
            time,
            description: description.to_owned(),
            parent,
            vmstate: false,
            conf: guest.conf.with("parent", None),
        });
        guest.conf = guest.conf.with("parent", Some(name));
        true
    }
}
