//! A guest's configuration, and what of it waits for a restart.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use super::guest::GuestKind;
use crate::decode::{Cx, Decode, Elements, FieldFact, JsonKind, Kind, Members, Reply, Scalar, Unfit, reply};
use crate::property::PropertyString;

/// `GET /nodes/{node}/{lxc|qemu}/{vmid}/config`.
///
/// Keys are open-ended (`net0`, `mp3`, `scsi12`, whatever the next release adds), so all of them are kept, as
/// text and in wire order. The typed accessors read from that text and give `None` where it does not fit. A
/// known key whose value is of the wrong kind is noted as drift when the reply is decoded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GuestConfig {
    /// Every key with its value as text: a number or boolean as its text, an object or list as its JSON.
    pub entries: Vec<(String, Scalar)>,
    /// The raw container options that Proxmox has no keys for, in order; a key may stand there repeatedly.
    pub lxc: Vec<(String, String)>,
}

/// Declares the keys that have a kind of their own, with an accessor each.
macro_rules! known_keys {
    ($($(#[doc = $doc:literal])* $name:ident: $ty:ty = $wire:literal,)*) => {
        const KNOWN: &[FieldFact] = &[$(FieldFact {
            name: stringify!($name),
            wire: $wire,
            kind: <$ty as Decode>::KIND,
            since: None,
            key: false,
            secret: false,
            about: concat!($($doc),*),
        },)*];

        /// Whether the raw value of a known key fits its kind; what does not is noted.
        fn check(key: &str, raw: &str, cx: &mut Cx<'_>) {
            match key {
                $($wire => drop(cx.known_key($wire, <$ty as Decode>::KIND, raw, <$ty>::decode)),)*
                _ => {}
            }
        }

        impl GuestConfig {
            $(
                $(#[doc = $doc])*
                pub fn $name(&self) -> Option<$ty> {
                    self.read($wire)
                }
            )*
        }
    };
}

known_keys! {
    /// What to send back with a change, so that nobody's edit is lost.
    digest: String = "digest",
    /// A virtual machine's name.
    vm_name: String = "name",
    /// A container's host name.
    hostname: String = "hostname",
    /// Notes. A container's end with a line break.
    description: String = "description",
    /// Tags.
    tags: Vec<String> = "tags",
    /// What holds the guest locked.
    lock: String = "lock",
    /// The guest's kind of operating system.
    ostype: String = "ostype",
    /// Processor architecture.
    arch: String = "arch",
    /// Whether it is started at boot.
    onboot: bool = "onboot",
    /// Whether it cannot be removed.
    protection: bool = "protection",
    /// Whether it is a template.
    template: bool = "template",
    /// Whether a container has no root on its node.
    unprivileged: bool = "unprivileged",
    /// Cores (of each socket, for a virtual machine).
    cores: u64 = "cores",
    /// A virtual machine's sockets.
    sockets: u64 = "sockets",
    /// Processors it may use at most; 0 for no limit.
    cpulimit: f64 = "cpulimit",
    /// Its weight against others when processors are scarce.
    cpuunits: u64 = "cpuunits",
    /// A container's swap in MiB.
    swap: u64 = "swap",
    /// The least memory a virtual machine's balloon leaves it, in MiB; 0 for no balloon.
    balloon: u64 = "balloon",
    /// A virtual machine's generation id: another one means another incarnation.
    vmgenid: String = "vmgenid",
}

impl GuestConfig {
    /// The text of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The guest's name: `hostname` of a container, `name` of a virtual machine.
    pub fn name(&self) -> Option<&str> {
        self.get("hostname").or_else(|| self.get("name"))
    }

    /// Memory in MiB. Newer virtual machines write it as a property string.
    pub fn memory(&self) -> Option<u64> {
        PropertyString::parse(Some("current"), self.get("memory")?).get("current")?.parse().ok()
    }

    /// A key's value taken apart as a property string, its bare value under the key's default key.
    pub fn property(&self, key: &str) -> Option<PropertyString> {
        self.get(key).map(|text| PropertyString::parse(default_key(key), text))
    }

    /// The keys that are `prefix` and a number, such as `net0`, `net1`, each taken apart, by number.
    pub fn numbered(&self, prefix: &str) -> Vec<(u32, PropertyString)> {
        let mut found: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(key, value)| {
                let digits = key.strip_prefix(prefix)?;
                let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
                Some((number, PropertyString::parse(default_key(key), value.as_str())))
            })
            .collect();
        found.sort_by_key(|(number, _)| *number);
        found
    }

    /// The network interfaces: `net0`, `net1`…
    pub fn nets(&self) -> Vec<(u32, PropertyString)> {
        self.numbered("net")
    }

    /// When a virtual machine was created: Unix time in seconds.
    pub fn ctime(&self) -> Option<i64> {
        self.property("meta")?.get("ctime")?.parse().ok()
    }

    /// Whether this is a container's or a virtual machine's configuration, as far as its keys tell.
    pub fn kind(&self) -> Option<GuestKind> {
        let has = |key| self.get(key).is_some();
        match (has("rootfs") || has("hostname"), has("name") || has("vmgenid") || has("smbios1")) {
            (true, false) => Some(GuestKind::Ct),
            (false, true) => Some(GuestKind::Vm),
            _ => None,
        }
    }

    /// Reads a key's text as if it had come as JSON text; drift was noted when the reply was decoded.
    fn read<T: Decode>(&self, key: &str) -> Option<T> {
        let raw = serde_json::to_string(self.get(key)?).ok()?;
        let mut unheard = crate::drift::Drift::default();
        T::decode(&raw, &mut Cx::new(&mut unheard)).ok()
    }
}

/// The key that a bare value of this property belongs to.
fn default_key(key: &str) -> Option<&'static str> {
    Some(match key.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "ide" | "sata" | "scsi" | "virtio" | "efidisk" | "tpmstate" => "file",
        "rootfs" | "mp" | "unused" => "volume",
        "net" => "model",
        "agent" => "enabled",
        "boot" => "legacy",
        "cpu" => "cputype",
        "memory" => "current",
        "vga" => "type",
        "dev" => "path",
        "machine" => "type",
        "hostpci" | "usb" => "host",
        "startup" => "order",
        "watchdog" => "model",
        _ => return None,
    })
}

impl Reply for GuestConfig {
    const NAME: &'static str = "GuestConfig";
    const FIELDS: &'static [FieldFact] = KNOWN;

    fn from_members(members: Members<'_>, cx: &mut Cx<'_>) -> Result<Self, String> {
        let mut config = Self::default();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (key, raw) in members {
            if raw == "null" {
                continue;
            }
            if key == "lxc" && JsonKind::of(raw) == JsonKind::List {
                config.lxc = cx.known_key("lxc", Kind::Pairs, raw, pairs).unwrap_or_default();
                continue;
            }
            check(&key, raw, cx);
            let known = KNOWN.iter().any(|fact| fact.wire == key);
            let value = Scalar::decode(raw, cx).unwrap_or_else(|_| {
                if !known {
                    cx.any_key(Kind::Scalar, raw, Scalar::decode);
                }
                Scalar(raw.to_owned())
            });
            // Of a key that stands there twice, the last value counts.
            match places.get(key.as_ref()).and_then(|at| config.entries.get_mut(*at)) {
                Some(known) => known.1 = value,
                None => {
                    places.insert(key.to_string(), config.entries.len());
                    config.entries.push((key.into_owned(), value));
                }
            }
        }
        Ok(config)
    }
}

/// `[["lxc.mount.entry", "…"], …]`
fn pairs(raw: &str, cx: &mut Cx<'_>) -> Result<Vec<(String, String)>, Unfit> {
    let elements = Elements::of(raw).ok_or_else(Unfit::default)?;
    let pair = |raw: &str, cx: &mut Cx<'_>| -> Result<(String, String), Unfit> {
        let mut parts = Elements::of(raw).ok_or_else(Unfit::default)?;
        match (parts.next(), parts.next(), parts.next()) {
            (Some(key), Some(value), None) => Ok((String::decode(key, cx)?, Scalar::decode(value, cx)?.0)),
            _ => Err(Unfit::default()),
        }
    };
    Ok(elements.filter_map(|element| cx.element(Kind::Pairs, element, pair)).collect())
}

impl Serialize for GuestConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &self.entries {
            map.serialize_entry(key, value)?;
        }
        if !self.lxc.is_empty() {
            map.serialize_entry("lxc", &self.lxc)?;
        }
        map.end()
    }
}

reply! {
    /// One row of `GET /nodes/{node}/{lxc|qemu}/{vmid}/pending`: a configuration key with its value now and
    /// its value after the next start. `digest` and `description` are rows too.
    pub struct PendingRow {
        /// The configuration key.
        pub key: String = "key",
        /// The value in force.
        pub value: Option<Scalar> = "value",
        /// The value that waits.
        pub pending: Option<Scalar> = "pending",
        /// Whether removal waits: 1, or 2 for a forced one.
        pub delete: Option<i64> = "delete",
    }
}

impl PendingRow {
    /// Whether something waits for this key.
    pub fn is_waiting(&self) -> bool {
        self.pending.is_some() || self.delete.is_some_and(|delete| delete != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;
    use crate::drift::Drift;

    fn config(json: &str) -> (GuestConfig, Drift) {
        let mut drift = Drift::default();
        (decode::object(decode::check(json.as_bytes()).unwrap(), &mut drift).unwrap(), drift)
    }

    #[test]
    fn every_key_is_kept_in_wire_order_and_typed_on_demand() {
        let (config, drift) = config(
            r#"{"net1":"name=eth1","zzz-new":1.50,"net0":"name=eth0,bridge=vmbr0","onboot":1,"cpulimit":"0.4",
               "memory":512,"hostname":"box1","rootfs":"local-lvm:vm-100-disk-0,size=4G","tags":"a;b","gone":null,
               "lxc":[["lxc.mount.entry","/a b"],["lxc.mount.entry","/c"]],"cores":"2","template":true}"#,
        );
        assert!(drift.is_empty(), "{drift:?}");
        let keys: Vec<_> = config.entries.iter().map(|(k, _)| k.as_str()).collect();
        assert_eq!(
            keys,
            [
                "net1", "zzz-new", "net0", "onboot", "cpulimit", "memory", "hostname", "rootfs", "tags",
                "cores", "template"
            ]
        );
        assert_eq!(config.get("zzz-new"), Some("1.50"));
        assert_eq!((config.onboot(), config.cpulimit(), config.cores()), (Some(true), Some(0.4), Some(2)));
        assert_eq!((config.memory(), config.template()), (Some(512), Some(true)));
        assert_eq!((config.name(), config.kind()), (Some("box1"), Some(GuestKind::Ct)));
        assert_eq!(config.tags(), Some(vec!["a".to_owned(), "b".to_owned()]));
        let nets = config.nets();
        assert_eq!(
            nets.iter().map(|(n, p)| (*n, p.get("name").unwrap())).collect::<Vec<_>>(),
            [(0, "eth0"), (1, "eth1")]
        );
        assert_eq!(config.property("rootfs").unwrap().get("volume"), Some("local-lvm:vm-100-disk-0"));
        assert_eq!(
            config.lxc,
            [
                ("lxc.mount.entry".to_owned(), "/a b".to_owned()),
                ("lxc.mount.entry".to_owned(), "/c".to_owned())
            ]
        );
        assert_eq!((config.protection(), config.ctime()), (None, None));
    }

    #[test]
    fn a_wrong_kind_is_drift_and_its_text_is_kept() {
        let (config, drift) =
            config(r#"{"onboot":"often","scsi0":["x"],"cores":2,"lxc":[["a"],["b","c"]],"lxc2":{}}"#);
        let fields: Vec<_> = drift.records.iter().map(|r| (r.field.as_str(), r.count)).collect();
        assert_eq!(fields, [("onboot", 1), ("*", 1), ("lxc[]", 1), ("*", 1)]);
        assert_eq!((config.onboot(), config.get("onboot")), (None, Some("often")));
        assert_eq!((config.get("scsi0"), config.cores()), (Some("[\"x\"]"), Some(2)));
        assert_eq!(config.lxc, [("b".to_owned(), "c".to_owned())]);
    }

    #[test]
    fn memory_may_be_a_property_string() {
        for json in [r#"{"memory":2048}"#, r#"{"memory":"2048"}"#, r#"{"memory":"current=2048"}"#] {
            assert_eq!(config(json).0.memory(), Some(2048), "{json}");
        }
        let (vm, _) = config(r#"{"meta":"creation-qemu=7.2.0,ctime=1691463271","name":"x"}"#);
        assert_eq!((vm.ctime(), vm.kind()), (Some(1_691_463_271), Some(GuestKind::Vm)));
    }
}
