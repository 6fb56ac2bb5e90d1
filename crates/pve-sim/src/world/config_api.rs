//! Configuration of guests: read live or merged, changed with digest, pending while the guest runs.

use std::collections::BTreeMap;

use catalogue::{Catalogue, Kind as ValueKind, Method};
use serde_json::{Map, Value, json};

use super::Cluster;
use super::conf::Conf;
use super::deeds::Deed;
use super::facts::bit;
use super::failure::{Answer, Failure};
use super::gauges::mix;
use super::guest::{Guest, Run, mac};
use super::route::Cx;
use super::spec::Kind;
use super::verify::split_list;

/// Parameters of the call that are no options.
const NOT_OPTIONS: [&str; 9] = [
    "node",
    "vmid",
    "digest",
    "delete",
    "revert",
    "skiplock",
    "force",
    "background_delay",
    "import-working-storage",
];

/// Options of a running container that take effect at once; the others wait.
const LIVE_CT: [&str; 13] = [
    "memory",
    "swap",
    "cores",
    "cpulimit",
    "cpuunits",
    "hostname",
    "nameserver",
    "searchdomain",
    "description",
    "tags",
    "onboot",
    "startup",
    "protection",
];

/// The same for machines; network and disks are hot-plugged besides.
const LIVE_VM: [&str; 9] =
    ["name", "description", "tags", "onboot", "startup", "protection", "balloon", "shares", "autostart"];

/// Options without which a guest is none.
const REQUIRED: [&str; 1] = ["rootfs"];

fn indexed(name: &str, stems: &[&str]) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    stem.len() < name.len() && stems.contains(&stem)
}

fn is_live(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Ct => LIVE_CT.contains(&name) || indexed(name, &["net", "mp", "unused"]),
        Kind::Vm => {
            LIVE_VM.contains(&name)
                || indexed(name, &["net", "scsi", "virtio", "sata", "ide", "unused", "ipconfig"])
        }
    }
}

/// The privilege that one option asks for.
fn privilege_for(kind: Kind, name: &str) -> &'static str {
    match name {
        "memory" | "swap" | "balloon" | "shares" => "VM.Config.Memory",
        "cores" | "cpulimit" | "cpuunits" | "sockets" | "cpu" | "numa" | "vcpus" | "affinity" => {
            "VM.Config.CPU"
        }
        "nameserver" | "searchdomain" if kind == Kind::Ct => "VM.Config.Network",
        "hostname" => "VM.Config.Network",
        "rootfs" => "VM.Config.Disk",
        "ciuser" | "cipassword" | "sshkeys" | "cicustom" | "citype" | "nameserver" | "searchdomain" => {
            "VM.Config.Network"
        }
        "vga" | "bios" | "machine" | "acpi" | "tablet" | "kvm" | "scsihw" | "arch" | "watchdog" => {
            "VM.Config.HWType"
        }
        "unprivileged" => "VM.Allocate",
        _ if indexed(name, &["net", "ipconfig"]) => "VM.Config.Network",
        _ if indexed(name, &["scsi", "virtio", "sata", "ide", "mp", "unused", "efidisk", "tpmstate"]) => {
            "VM.Config.Disk"
        }
        _ if indexed(name, &["usb", "hostpci", "serial", "parallel"]) => "VM.Config.HWType",
        _ => "VM.Config.Options",
    }
}

impl Cluster {
    /// A value in the type in which the file's reader hands it on: whole numbers and truths as numbers, all
    /// else as text, fractions too.
    pub(crate) fn typed(&self, kind: Kind, key: &str, value: &str) -> Value {
        let template = match kind {
            Kind::Ct => "/nodes/{node}/lxc/{vmid}/config",
            Kind::Vm => "/nodes/{node}/qemu/{vmid}/config",
        };
        let param = Catalogue::builtin()
            .get(Method::Put, template)
            .and_then(|endpoint| endpoint.accepts(self.facts.release, key));
        let whole = matches!(key, "template" | "snaptime")
            || param.is_some_and(|param| matches!(param.kind, ValueKind::Integer | ValueKind::Boolean));
        match value.parse::<i64>() {
            Ok(number) if whole => number.into(),
            _ => value.into(),
        }
    }

    pub(crate) fn conf_json(&self, guest: &Guest, conf: &Conf, digest: &str) -> Map<String, Value> {
        let mut data = Map::new();
        let mut raw: Vec<Value> = Vec::new();
        for (key, value) in conf.iter() {
            if key.starts_with("lxc.") {
                raw.push(json!([key, value]));
                continue;
            }
            let value = match key {
                "cipassword" => "**********".into(),
                // A container's description is read with its line's end.
                "description" if guest.kind == Kind::Ct => {
                    format!("{}\n", value.trim_end_matches('\n')).into()
                }
                _ => self.typed(guest.kind, key, value),
            };
            data.insert(key.to_owned(), value);
        }
        if !raw.is_empty() {
            data.insert("lxc".into(), raw.into());
        }
        data.insert("digest".into(), digest.into());
        data
    }

    pub(crate) fn config_get(&self, cx: &Cx) -> Answer {
        let guest = self.find_guest(cx)?;
        let digest = guest.digest();
        if let Some(name) = cx.args.get("snapshot") {
            let snapshot = guest.snapshots.iter().find(|known| known.name == name);
            let snapshot =
                snapshot.ok_or_else(|| Failure::server(format!("snapshot '{name}' does not exist")))?;
            let mut data = self.conf_json(guest, &snapshot.conf, &digest);
            data.insert("snaptime".into(), snapshot.time.into());
            if !snapshot.description.is_empty() {
                let end = if guest.kind == Kind::Ct { "\n" } else { "" };
                data.insert("description".into(), format!("{}{end}", snapshot.description).into());
            }
            if let Some(parent) = &snapshot.parent {
                data.insert("parent".into(), parent.clone().into());
            }
            return Ok(Value::Object(data).into());
        }
        let conf = if cx.args.is_set("current") { guest.conf.clone() } else { guest.future() };
        Ok(Value::Object(self.conf_json(guest, &conf, &digest)).into())
    }

    /// `GET …/pending`: every option with its value, and what waits; `digest` and `description` are rows too.
    pub(crate) fn config_pending(&self, cx: &Cx) -> Answer {
        let guest = self.find_guest(cx)?;
        let mut values = self.conf_json(guest, &guest.conf, &guest.digest());
        values.remove("lxc");
        let mut rows: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for (key, value) in values {
            let row = rows.entry(key.clone()).or_default();
            row.insert("key".into(), key.into());
            row.insert("value".into(), value);
        }
        for (key, change) in &guest.pending {
            let row = rows.entry(key.clone()).or_default();
            row.insert("key".into(), key.clone().into());
            match change {
                Some(value) => {
                    let value = if key == "cipassword" {
                        "**********".into()
                    } else {
                        self.typed(guest.kind, key, value)
                    };
                    row.insert("pending".into(), value);
                }
                None => {
                    row.insert("delete".into(), 1.into());
                }
            }
        }
        Ok(Value::Array(rows.into_values().map(Value::Object).collect()).into())
    }

    /// What only root@pam, signed in with a password, may set.
    fn root_options(cx: &Cx, guest: &Guest, set: &[(String, String)]) -> Result<(), Failure> {
        if cx.who.is_root() {
            return Ok(());
        }
        for (key, value) in set {
            let words = match key.as_str() {
                "features" => {
                    let other = split_list(value).iter().any(|part| !part.starts_with("nesting"));
                    if other {
                        "changing feature flags (except nesting) is only allowed for root@pam"
                    } else if !guest.conf.is_set("unprivileged") {
                        "changing feature flags for privileged container is only allowed for root@pam"
                    } else {
                        continue;
                    }
                }
                "hookscript" => "changing the hookscript is only allowed for root@pam",
                "args" => "only root can set 'args' config",
                _ if indexed(key, &["dev"]) => "mount point type device is only allowed for root@pam",
                _ if indexed(key, &["mp"]) && value.starts_with('/') => {
                    "mount point type bind is only allowed for root@pam"
                }
                _ => continue,
            };
            // A container says it as a missing permission, a machine as a failure.
            return Err(if guest.kind == Kind::Ct || key == "hookscript" {
                Failure::permission(words)
            } else {
                Failure::server(words)
            });
        }
        Ok(())
    }

    /// `PUT …/config`, and for machines `POST` with a task.
    pub(crate) fn config_set(&mut self, cx: &Cx) -> Answer {
        let guest = self.find_guest(cx)?;
        let kind = guest.kind;
        let path = format!("/vms/{}", guest.vmid);
        let set: Vec<(String, String)> = cx
            .args
            .iter()
            .filter(|(key, _)| !NOT_OPTIONS.contains(key))
            .map(|(key, value)| (key.to_owned(), normalised(kind, key, value, guest)))
            .collect();
        let (delete, revert) = (cx.args.list("delete"), cx.args.list("revert"));
        if cx.args.is_set("skiplock") && !cx.who.is_root() {
            return Err(Failure::param("skiplock", "Only root may use this option."));
        }
        if set.is_empty() && delete.is_empty() && revert.is_empty() {
            return Err(Failure::server("no options specified"));
        }
        if let Some(both) = delete.iter().find(|name| set.iter().any(|(key, _)| key == *name)) {
            let words = format!("you can't use '-{both}' and -delete {both}' at the same time");
            return Err(Failure::param("delete", words));
        }
        let named = set.iter().map(|(key, _)| key.as_str()).chain(delete.iter().map(String::as_str));
        for name in named {
            let privilege = privilege_for(kind, name);
            if self.granted(&cx.who, &path).mask & bit(privilege) == 0 {
                return Err(Failure::permission(&format!("{path}, {privilege}")));
            }
        }
        Self::root_options(cx, guest, &set)?;
        if cx.args.get("digest").is_some_and(|digest| digest != guest.digest()) {
            return Err(Failure::server(match kind {
                Kind::Ct => "detected modified configuration - file changed by other user? Try again.",
                Kind::Vm => "checksum mismatch (file change by other user?)",
            }));
        }
        if let Some(name) = delete.iter().find(|name| REQUIRED.contains(&name.as_str())) {
            return Err(Failure::server(format!("unable to delete required option '{name}'")));
        }
        let unlocks = delete.iter().any(|name| name == "lock") && cx.args.is_set("skiplock");
        if let Some(lock) = guest.lock().filter(|_| !cx.args.is_set("skiplock") && !unlocks) {
            return Err(Failure::server(format!("{} is locked ({lock})", guest.title())));
        }
        if !self.quorate {
            let folder = if kind == Kind::Ct { "lxc" } else { "qemu-server" };
            let file =
                format!("/etc/pve/nodes/{}/{folder}/{}.conf.tmp.402", self.node_name(cx.node), guest.vmid);
            return Err(Failure::server(format!("unable to open file '{file}' - Permission denied")));
        }
        self.change_config(cx.vmid(), set, &delete, &revert);
        if cx.method == Method::Post {
            return self.fork_for(cx, "qmconfig", Deed::Nothing, self.timings.other_task);
        }
        Ok(Value::Null.into())
    }

    fn change_config(&mut self, vmid: u32, set: Vec<(String, String)>, delete: &[String], revert: &[String]) {
        let Some(guest) = self.guests.get_mut(&vmid) else { return };
        guest.pending.retain(|(key, _)| !revert.contains(key));
        let runs = guest.run != Run::Stopped;
        let changes = set.into_iter().map(|(key, value)| (key, Some(value)));
        for (key, value) in changes.chain(delete.iter().map(|key| (key.clone(), None))) {
            guest.pending.retain(|(known, _)| *known != key);
            if runs && !is_live(guest.kind, &key) && key != "lock" {
                if guest.conf.get(&key) != value.as_deref() {
                    guest.pending.push((key, value));
                }
            } else {
                guest.conf = guest.conf.with(&key, value.as_deref());
            }
        }
    }
}

/// A value as it is written down: hardware addresses are made up, volumes allocated, tags sorted.
pub(crate) fn normalised(kind: Kind, key: &str, value: &str, guest: &Guest) -> String {
    let seed = key.bytes().fold(guest.seed, |hash, byte| mix(hash, u64::from(byte)));
    if indexed(key, &["net"]) {
        return match kind {
            Kind::Ct => {
                let mut parts = vec![value.to_owned()];
                if !value.contains("hwaddr=") {
                    parts.push(format!("hwaddr={}", mac(seed)));
                }
                if !value.contains("type=") {
                    parts.push("type=veth".to_owned());
                }
                parts.join(",")
            }
            Kind::Vm => {
                let (model, rest) = value.split_once(',').map_or((value, ""), |(model, rest)| (model, rest));
                let model = model.strip_prefix("model=").unwrap_or(model);
                let model =
                    if model.contains('=') { model.to_owned() } else { format!("{model}={}", mac(seed)) };
                if rest.is_empty() { model } else { format!("{model},{rest}") }
            }
        };
    }
    if indexed(key, &["scsi", "virtio", "sata", "ide", "mp"]) || key == "rootfs" {
        return allocated(kind, key, value, guest.vmid);
    }
    match key {
        "tags" => {
            let mut tags = split_list(value);
            tags.sort();
            tags.dedup();
            tags.join(";")
        }
        "description" => value.trim_end_matches('\n').to_owned(),
        _ => value.to_owned(),
    }
}

/// `storage:8` asks for a new volume of 8 GiB.
fn allocated(kind: Kind, key: &str, value: &str, vmid: u32) -> String {
    let (volume, rest) = value.split_once(',').map_or((value, ""), |(volume, rest)| (volume, rest));
    let Some((storage, size)) = volume.split_once(':') else { return value.to_owned() };
    if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.to_owned();
    }
    let number = key.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let number = if number.is_empty() { "0" } else { number };
    let word = if kind == Kind::Ct { "subvol" } else { "vm" };
    let more: String = rest
        .split(',')
        .filter(|part| !part.is_empty() && !part.starts_with("format="))
        .map(|part| format!(",{part}"))
        .collect();
    format!("{storage}:{vmid}/{word}-{vmid}-disk-{number}.raw{more},size={size}G")
}
