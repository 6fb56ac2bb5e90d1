//! Storages as a node sees them: the list, how full one is, what lies on it.

use serde_json::{Map, Value, json};

use super::conf::disk_size;
use super::facts::bit;
use super::failure::{Answer, Failure};
use super::gauges::{below, mix};
use super::guest::Guest;
use super::route::Cx;
use super::spec::StorageInput;
use super::{Cluster, Kind};

/// A day, in seconds.
const DAY: u64 = 86_400;

impl Cluster {
    pub(crate) fn node_storage(&self, cx: &Cx) -> Answer {
        let wanted = bit("Datastore.Audit") | bit("Datastore.AllocateSpace");
        let mut rows = Vec::new();
        for storage in &self.storages {
            if self.granted(&cx.who, &format!("/storage/{}", storage.name)).mask & wanted == 0 {
                continue;
            }
            if cx.args.get("storage").is_some_and(|only| only != storage.name) {
                continue;
            }
            let holds = |kind: &str| storage.content.split(',').any(|known| known == kind);
            if cx.args.get("content").is_some_and(|wanted| !wanted.split(',').any(holds)) {
                continue;
            }
            let mut row = facts(storage);
            row.insert("storage".into(), storage.name.clone().into());
            row.insert("used_fraction".into(), fraction(storage.used, storage.total).into());
            rows.push(Value::Object(row));
        }
        Ok(Value::Array(rows).into())
    }

    /// The storage of the path.
    pub(crate) fn storage_at(&self, cx: &Cx) -> Result<&StorageInput, Failure> {
        let name = cx.args.text("storage");
        let found = self.storages.iter().find(|storage| storage.name == name);
        found.ok_or_else(|| Failure::server(format!("storage '{name}' does not exist")))
    }

    pub(crate) fn storage_status(&self, cx: &Cx) -> Answer {
        Ok(Value::Object(facts(self.storage_at(cx)?)).into())
    }

    /// `GET …/content`: the disks of guests, and what else a storage of that content has.
    pub(crate) fn storage_content(&self, cx: &Cx) -> Answer {
        let storage = self.storage_at(cx)?;
        let mut rows = Vec::new();
        for guest in self.guests.values().filter(|guest| storage.shared || guest.node == cx.node) {
            self.disks(storage, guest, &mut rows);
            self.backup(storage, guest, &mut rows);
        }
        self.files(storage, &mut rows);
        let (content, vmid) = (cx.args.get("content"), cx.args.int("vmid"));
        rows.retain(|row| {
            content.is_none_or(|only| row.get("content").and_then(Value::as_str) == Some(only))
                && vmid.is_none_or(|only| row.get("vmid").and_then(Value::as_u64) == Some(only))
                && self.may_see(cx, storage, row)
        });
        Ok(Value::Array(rows).into())
    }

    /// Who may list a volume: the real server asks for more than to see the storage.
    fn may_see(&self, cx: &Cx, storage: &StorageInput, row: &Value) -> bool {
        let at = format!("/storage/{}", storage.name);
        if cx.who.is_root() || self.may(&cx.who, &at, "Datastore.Allocate") {
            return true;
        }
        let guest = row.get("vmid").map(|vmid| format!("/vms/{vmid}"));
        let both = |storage: &str, of_guest: &str| {
            self.may(&cx.who, &at, storage)
                && guest.as_ref().is_none_or(|path| self.may(&cx.who, path, of_guest))
        };
        match row.get("content").and_then(Value::as_str) {
            Some("images" | "rootdir") => both("Datastore.Audit", "VM.Config.Disk"),
            Some("backup") => both("Datastore.AllocateSpace", "VM.Backup"),
            _ => true,
        }
    }

    fn disks(&self, storage: &StorageInput, guest: &Guest, rows: &mut Vec<Value>) {
        let content = match guest.kind {
            Kind::Ct => "rootdir",
            Kind::Vm => "images",
        };
        let prefix = format!("{}:", storage.name);
        for (key, value) in guest.conf.iter() {
            let volume = value.split(',').next().unwrap_or_default();
            let Some(name) = volume.strip_prefix(&prefix).filter(|_| is_disk(key)) else { continue };
            if name.starts_with("iso/") || value.contains("media=cdrom") {
                continue;
            }
            let format = match name.rsplit_once('.') {
                Some((_, "qcow2")) => "qcow2",
                Some((_, "subvol")) => "subvol",
                _ => "raw",
            };
            let made = guest.made.seconds();
            rows.push(json!({
                "volid": volume, "content": content, "format": format, "vmid": guest.vmid, "ctime": made,
                "size": disk_size(value).unwrap_or(4 << 20), "parent": Value::Null,
            }));
        }
    }

    /// Last night's backup, of one guest in three; half of them are protected.
    fn backup(&self, storage: &StorageInput, guest: &Guest, rows: &mut Vec<Value>) {
        let last = self.now.seconds() / DAY * DAY + 2 * 3_600;
        let at = if last > self.now.seconds() { last - DAY } else { last };
        if !storage.content.split(',').any(|kind| kind == "backup")
            || below(mix(guest.seed, 80), 3) != 0
            || at < guest.made.seconds()
        {
            return;
        }
        let (word, subtype, format) = match guest.kind {
            Kind::Ct => ("lxc", "lxc", "tar.zst"),
            Kind::Vm => ("qemu", "qemu", "vma.zst"),
        };
        let when = jiff::Timestamp::from_second(i64::try_from(at).unwrap_or(0)).unwrap_or_default();
        let when = when.strftime("%Y_%m_%d-%H_%M_%S");
        let name = guest.conf.get(guest.name_key()).unwrap_or_default();
        let mut row = json!({
            "volid": format!("{}:backup/vzdump-{word}-{}-{when}.{format}", storage.name, guest.vmid),
            "content": "backup", "format": format, "vmid": guest.vmid, "subtype": subtype, "ctime": at,
            "size": (1_u64 << 28) + below(mix(guest.seed, 81), 1 << 32), "notes": name,
        });
        if below(mix(guest.seed, 82), 2) == 1
            && let Some(row) = row.as_object_mut()
        {
            row.insert("protected".into(), 1.into());
        }
        rows.push(row);
    }

    /// Images to install from, where a fresh host has them.
    fn files(&self, storage: &StorageInput, rows: &mut Vec<Value>) {
        if storage.name != "local" {
            return;
        }
        let made = self.now.seconds().saturating_sub(40 * DAY);
        let files = [
            ("iso", "debian-13.1.0-amd64-netinst.iso", "iso", 820_838_400_u64),
            ("vztmpl", "debian-13-standard_13.1-2_amd64.tar.zst", "tzst", 129_710_398),
        ];
        for (content, name, format, size) in files {
            if storage.content.split(',').any(|kind| kind == content) {
                rows.push(json!({
                    "volid": format!("{}:{content}/{name}", storage.name), "content": content,
                    "format": format, "size": size, "ctime": made,
                }));
            }
        }
    }
}

/// Whether an option names a volume of the guest's own.
fn is_disk(key: &str) -> bool {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(stem, "rootfs" | "mp" | "scsi" | "virtio" | "sata" | "ide" | "unused" | "efidisk" | "tpmstate")
        || key == "vmstate"
}

/// What every answer about a storage says.
fn facts(storage: &StorageInput) -> Map<String, Value> {
    let all = [
        ("type", Value::from(storage.kind.clone())),
        ("content", storage.content.clone().into()),
        ("shared", u8::from(storage.shared).into()),
        ("enabled", 1.into()),
        ("active", 1.into()),
        ("total", storage.total.into()),
        ("used", storage.used.into()),
        ("avail", storage.total.saturating_sub(storage.used).into()),
    ];
    all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[allow(clippy::cast_precision_loss)] // Bytes of disks stay below 2^53.
fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
