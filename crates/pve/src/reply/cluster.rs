//! What the whole cluster tells: resources, membership, high availability.

use super::guest::GuestKind;
use crate::decode::{reply, tagged};

tagged! {
    /// One row of `GET /cluster/resources`.
    pub enum Resource by "type" {
        /// A container or a virtual machine.
        Guest(GuestRow) = "lxc" | "qemu",
        /// A node.
        Node(NodeRow) = "node",
        /// A storage as one node sees it: a shared one has a row for every node.
        Storage(StorageRow) = "storage",
        /// A pool.
        Pool(PoolRow) = "pool",
        /// An SDN zone on one node, as releases before 9 tell of it.
        Sdn(SdnRow) = "sdn",
        /// An SDN zone or fabric on one node.
        Network(NetworkRow) = "network",
    }
}

tagged! {
    /// One row of `GET /cluster/status`. A stand-alone host has no row for a cluster.
    pub enum ClusterStatus by "type" {
        /// The cluster itself.
        Cluster(ClusterInfo) = "cluster",
        /// A member.
        Node(ClusterNode) = "node",
    }
}

reply! {
    /// A guest in `GET /cluster/resources`. While its node is down longer than five minutes, all that is left
    /// is type, VMID, node, id and the status `unknown`.
    pub struct GuestRow {
        /// Container or virtual machine.
        pub kind: GuestKind = "type",
        /// Its number, unique in the cluster.
        pub vmid: u32 = "vmid",
        /// `lxc/101` or `qemu/100`.
        pub id: Option<String> = "id",
        /// The node it is on.
        pub node: Option<String> = "node",
        /// Its name; not unique.
        pub name: Option<String> = "name",
        /// `running`, `stopped`, `paused`, `unknown`…: a virtual machine's QMP state.
        pub status: Option<String> = "status",
        /// Whether it is a template.
        pub template: Option<bool> = "template",
        /// Processor time used, as a fraction of `maxcpu`.
        pub cpu: Option<f64> = "cpu",
        /// Processors it may use.
        pub maxcpu: Option<f64> = "maxcpu",
        /// Memory used, in bytes.
        pub mem: Option<u64> = "mem",
        /// Memory it may use, in bytes.
        pub maxmem: Option<u64> = "maxmem",
        /// Memory it takes from its node, in bytes.
        pub memhost: Option<u64> = "memhost" since (9, 0),
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
        /// Its state under high availability; absent where it is not managed.
        pub hastate: Option<String> = "hastate",
        /// The pool it is in.
        pub pool: Option<String> = "pool",
        /// Its tags.
        pub tags: Option<Vec<String>> = "tags",
        /// What holds it locked: `backup`, `migrate`, `snapshot`…
        pub lock: Option<String> = "lock",
    }

    /// A node in `GET /cluster/resources`. One that is down has little more than its name and status.
    pub struct NodeRow {
        /// `node`.
        pub kind: Option<String> = "type",
        /// `node/pve1`.
        pub id: Option<String> = "id",
        /// Its name.
        pub node: Option<String> = "node",
        /// `online`, `offline` or `unknown`.
        pub status: Option<String> = "status",
        /// Processor time used, as a fraction of `maxcpu`.
        pub cpu: Option<f64> = "cpu",
        /// Processors.
        pub maxcpu: Option<f64> = "maxcpu",
        /// Memory used, in bytes.
        pub mem: Option<u64> = "mem",
        /// Memory, in bytes.
        pub maxmem: Option<u64> = "maxmem",
        /// Root file system used, in bytes.
        pub disk: Option<u64> = "disk",
        /// Size of the root file system, in bytes.
        pub maxdisk: Option<u64> = "maxdisk",
        /// Seconds since boot.
        pub uptime: Option<u64> = "uptime",
        /// Support level, empty where there is none.
        pub level: Option<String> = "level",
        /// Its state under high availability.
        pub hastate: Option<String> = "hastate",
        /// 1 or 2.
        pub cgroup_mode: Option<i64> = "cgroup-mode" since (7, 0),
    }

    /// A storage in `GET /cluster/resources`, as one node sees it.
    pub struct StorageRow {
        /// `storage`.
        pub kind: Option<String> = "type",
        /// `storage/pve1/local`.
        pub id: Option<String> = "id",
        /// Its name.
        pub storage: Option<String> = "storage",
        /// The node that tells of it.
        pub node: Option<String> = "node",
        /// `available` or `unknown`.
        pub status: Option<String> = "status",
        /// Space used, in bytes.
        pub disk: Option<u64> = "disk",
        /// Space, in bytes.
        pub maxdisk: Option<u64> = "maxdisk",
        /// What may be kept there: `images`, `rootdir`, `iso`, `backup`…
        pub content: Option<Vec<String>> = "content",
        /// `dir`, `lvmthin`, `nfs`, `rbd`…
        pub plugintype: Option<String> = "plugintype",
        /// Whether all nodes see the same.
        pub shared: Option<bool> = "shared",
    }

    /// A pool in `GET /cluster/resources`.
    pub struct PoolRow {
        /// `pool`.
        pub kind: Option<String> = "type",
        /// `/pool/dev`.
        pub id: Option<String> = "id",
        /// Its name; a nested one holds its path, `dev/sub`.
        pub pool: Option<String> = "pool",
    }

    /// An SDN zone in `GET /cluster/resources` before 9.
    pub struct SdnRow {
        /// `sdn`.
        pub kind: Option<String> = "type",
        /// `sdn/pve1/localnetwork`.
        pub id: Option<String> = "id",
        /// The zone.
        pub sdn: Option<String> = "sdn",
        /// The node that tells of it.
        pub node: Option<String> = "node",
        /// Its state there.
        pub status: Option<String> = "status",
    }

    /// An SDN zone or fabric in `GET /cluster/resources`.
    pub struct NetworkRow {
        /// `network`.
        pub kind: Option<String> = "type",
        /// `network/pve1/zone/localnetwork`.
        pub id: Option<String> = "id",
        /// Its name.
        pub network: Option<String> = "network" since (9, 0),
        /// `zone` or `fabric`.
        pub network_type: Option<String> = "network-type" since (9, 0),
        /// What kind of zone.
        pub zone_type: Option<String> = "zone-type" since (9, 0),
        /// A fabric's protocol.
        pub protocol: Option<String> = "protocol" since (9, 0),
        /// The node that tells of it.
        pub node: Option<String> = "node",
        /// Its state there.
        pub status: Option<String> = "status",
    }

    /// The cluster in `GET /cluster/status`.
    pub struct ClusterInfo {
        /// `cluster`.
        pub kind: Option<String> = "type",
        /// `cluster`.
        pub id: Option<String> = "id",
        /// The cluster's name.
        pub name: Option<String> = "name",
        /// How many members it has.
        pub nodes: Option<u64> = "nodes",
        /// Whether the member that answers sees a quorum.
        pub quorate: Option<bool> = "quorate",
        /// The version of the membership's configuration.
        pub version: Option<i64> = "version",
    }

    /// A member in `GET /cluster/status`, or the one host that is no cluster.
    pub struct ClusterNode {
        /// `node`.
        pub kind: Option<String> = "type",
        /// `node/pve1`.
        pub id: Option<String> = "id",
        /// Its name.
        pub name: String = "name",
        /// The address the members know it by.
        pub ip: Option<String> = "ip",
        /// Whether it is seen by the one that answers.
        pub online: Option<bool> = "online",
        /// Whether it is the one that answers.
        pub local: Option<bool> = "local",
        /// Its number in the cluster; 0 on a stand-alone host.
        pub nodeid: Option<i64> = "nodeid",
        /// Support level, empty where there is none.
        pub level: Option<String> = "level",
    }

    /// One row of `GET /cluster/ha/status/current`.
    pub struct HaStatusRow {
        /// `quorum`, `master`, `fencing`, `lrm:pve1`, `service:vm:100`.
        pub id: String = "id",
        /// `quorum`, `master`, `lrm`, `service` or `fencing`.
        pub kind: Option<String> = "type",
        /// What it says of itself, in one line.
        pub status: Option<String> = "status",
        /// The node it is on.
        pub node: Option<String> = "node",
        /// The managed resource, `vm:100` or `ct:101`.
        pub sid: Option<String> = "sid",
        /// The resource's state.
        pub state: Option<String> = "state",
        /// The state the manager works towards.
        pub crm_state: Option<String> = "crm_state",
        /// The state that was asked for.
        pub request_state: Option<String> = "request_state",
        /// How often a start is tried on one node.
        pub max_restart: Option<i64> = "max_restart",
        /// How many other nodes are tried.
        pub max_relocate: Option<i64> = "max_relocate",
        /// What the administrator wrote about it.
        pub comment: Option<String> = "comment",
        /// Whether the cluster has a quorum.
        pub quorate: Option<bool> = "quorate",
        /// When the row was last true: Unix time in seconds.
        pub timestamp: Option<i64> = "timestamp",
        /// Whether it moves back to its preferred node.
        pub failback: Option<bool> = "failback" since (9, 0),
        /// Whether the watchdogs are armed.
        pub armed_state: Option<String> = "armed-state" since (9, 0),
        /// Whether resources are moved to balance the nodes.
        pub auto_rebalance: Option<bool> = "auto-rebalance" since (9, 0),
        /// What happens to resources while disarmed.
        pub resource_mode: Option<String> = "resource_mode" since (9, 0),
    }
}

impl NodeRow {
    /// The node's name, from either field that holds it.
    pub fn name(&self) -> Option<&str> {
        self.node.as_deref().or_else(|| self.id.as_deref()?.strip_prefix("node/"))
    }
}
