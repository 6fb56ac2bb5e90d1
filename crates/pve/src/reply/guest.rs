//! Containers and virtual machines: the node's list and the current status.
//!
//! Both kinds share these types. A field that only one of them has says so.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::decode::{Cx, Decode, Kind, Unfit, reply, unquoted};

/// What kind of guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuestKind {
    /// A container (`lxc`).
    Ct,
    /// A virtual machine (`qemu`).
    Vm,
}

impl GuestKind {
    /// The kind's name in paths and rows: `lxc` or `qemu`.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Ct => "lxc",
            Self::Vm => "qemu",
        }
    }
}

impl fmt::Display for GuestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ct => "ct",
            Self::Vm => "vm",
        })
    }
}

impl Serialize for GuestKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.wire())
    }
}

impl Decode for GuestKind {
    const KIND: Kind = Kind::GuestKind;

    fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
        match unquoted(raw).as_deref() {
            Some("lxc") => Ok(Self::Ct),
            Some("qemu") => Ok(Self::Vm),
            _ => Err(Unfit::default()),
        }
    }
}

reply! {
    /// One row of `GET /nodes/{node}/lxc` or `GET /nodes/{node}/qemu`.
    pub struct GuestListRow {
        /// Its number.
        pub vmid: u32 = "vmid",
        /// Containers say `lxc`; rows of virtual machines do not say. The call tells for sure.
        pub kind: Option<String> = "type",
        /// Its name.
        pub name: Option<String> = "name",
        /// `running` or `stopped`.
        pub status: Option<String> = "status",
        /// A virtual machine's QMP state, asked for with `full`.
        pub qmpstatus: Option<String> = "qmpstatus",
        /// Whether it is a template.
        pub template: Option<bool> = "template",
        /// Processor time used, as a fraction of `cpus`.
        pub cpu: Option<f64> = "cpu",
        /// Processors it may use.
        pub cpus: Option<f64> = "cpus",
        /// Memory used, in bytes.
        pub mem: Option<u64> = "mem",
        /// Memory it may use, in bytes.
        pub maxmem: Option<u64> = "maxmem",
        /// Memory it takes from its node, in bytes.
        pub memhost: Option<u64> = "memhost" since (9, 0),
        /// A container's swap used, in bytes.
        pub swap: Option<u64> = "swap",
        /// Swap a container may use, in bytes.
        pub maxswap: Option<u64> = "maxswap",
        /// Root disk used, in bytes.
        pub disk: Option<u64> = "disk",
        /// Size of the root disk, in bytes.
        pub maxdisk: Option<u64> = "maxdisk",
        /// Bytes read from disk since start.
        pub diskread: Option<u64> = "diskread",
        /// Bytes written to disk since start.
        pub diskwrite: Option<u64> = "diskwrite",
        /// Bytes received since start.
        pub netin: Option<u64> = "netin",
        /// Bytes sent since start.
        pub netout: Option<u64> = "netout",
        /// Seconds since start.
        pub uptime: Option<u64> = "uptime",
        /// Its main process on the node.
        pub pid: Option<u64> = "pid",
        /// What holds it locked; containers of old releases send the empty text for nothing.
        pub lock: Option<String> = "lock",
        /// Its tags.
        pub tags: Option<Vec<String>> = "tags",
    }

    /// `GET /nodes/{node}/{lxc|qemu}/{vmid}/status/current`.
    pub struct GuestStatus {
        /// Its number.
        pub vmid: Option<u32> = "vmid",
        /// Containers say `lxc`; virtual machines do not say. The call tells for sure.
        pub kind: Option<String> = "type",
        /// Its name.
        pub name: Option<String> = "name",
        /// `running` or `stopped`.
        pub status: Option<String> = "status",
        /// A virtual machine's QMP state: `running`, `paused`, `prelaunch`…
        pub qmpstatus: Option<String> = "qmpstatus",
        /// Whether and how high availability manages it.
        pub ha: Option<HaState> = "ha",
        /// Whether it is a template.
        pub template: Option<bool> = "template",
        /// What holds it locked; containers of old releases send the empty text for nothing.
        pub lock: Option<String> = "lock",
        /// Its tags.
        pub tags: Option<Vec<String>> = "tags",
        /// Processor time used, as a fraction of `cpus`. Right after a start it may be below zero.
        pub cpu: Option<f64> = "cpu",
        /// Processors it may use.
        pub cpus: Option<f64> = "cpus",
        /// Memory used, in bytes.
        pub mem: Option<u64> = "mem",
        /// Memory it may use, in bytes.
        pub maxmem: Option<u64> = "maxmem",
        /// Memory it takes from its node, in bytes.
        pub memhost: Option<u64> = "memhost" since (9, 0),
        /// Free memory as a virtual machine's balloon tells it, in bytes.
        pub freemem: Option<u64> = "freemem",
        /// The size of a virtual machine's balloon, in bytes.
        pub balloon: Option<u64> = "balloon",
        /// A container's swap used, in bytes.
        pub swap: Option<u64> = "swap",
        /// Swap a container may use, in bytes.
        pub maxswap: Option<u64> = "maxswap",
        /// Root disk used, in bytes. Always 0 for a virtual machine, where it means nothing.
        pub disk: Option<u64> = "disk",
        /// Size of the root disk, in bytes.
        pub maxdisk: Option<u64> = "maxdisk",
        /// Bytes read from disk since start.
        pub diskread: Option<u64> = "diskread",
        /// Bytes written to disk since start.
        pub diskwrite: Option<u64> = "diskwrite",
        /// Bytes received since start.
        pub netin: Option<u64> = "netin",
        /// Bytes sent since start.
        pub netout: Option<u64> = "netout",
        /// Seconds since start.
        pub uptime: Option<u64> = "uptime",
        /// Its main process on the node.
        pub pid: Option<u64> = "pid",
        /// Whether a virtual machine's configuration has the guest agent on.
        pub agent: Option<bool> = "agent",
        /// Whether a virtual machine has a serial port.
        pub serial: Option<bool> = "serial" since (8, 0),
        /// Whether a virtual machine has a SPICE display.
        pub spice: Option<bool> = "spice",
        /// How a virtual machine's clipboard is shared.
        pub clipboard: Option<String> = "clipboard" since (8, 0),
        /// The machine type a virtual machine runs on.
        pub running_machine: Option<String> = "running-machine",
        /// The version of QEMU it runs on.
        pub running_qemu: Option<String> = "running-qemu",
        /// Time some task waited for a processor, in percent of ten seconds.
        pub pressure_cpu_some: Option<f64> = "pressurecpusome" since (9, 0),
        /// Time all tasks waited for a processor.
        pub pressure_cpu_full: Option<f64> = "pressurecpufull" since (9, 0),
        /// Time some task waited for I/O.
        pub pressure_io_some: Option<f64> = "pressureiosome" since (9, 0),
        /// Time all tasks waited for I/O.
        pub pressure_io_full: Option<f64> = "pressureiofull" since (9, 0),
        /// Time some task waited for memory.
        pub pressure_memory_some: Option<f64> = "pressurememorysome" since (9, 0),
        /// Time all tasks waited for memory.
        pub pressure_memory_full: Option<f64> = "pressurememoryfull" since (9, 0),
    }

    /// The `ha` part of [`GuestStatus`].
    pub struct HaState {
        /// Whether high availability manages the guest.
        pub managed: Option<bool> = "managed",
        /// The state that was asked for: `started`, `stopped`, `ignored`…
        pub state: Option<String> = "state",
        /// The group it is in; there are none since 9.
        pub group: Option<String> = "group",
    }
}

impl GuestStatus {
    /// Whether high availability manages the guest; `None` if the reply does not tell.
    pub fn ha_managed(&self) -> Option<bool> {
        self.ha.as_ref().and_then(|ha| ha.managed)
    }
}
