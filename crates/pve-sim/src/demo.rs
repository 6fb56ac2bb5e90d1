//! The demo fleet: one of each kind of site, and of trouble, that an operator meets.

use std::collections::BTreeMap;

use crate::door::{BlackHoleAt, Fault};
use crate::topology::{
    AclSpec, Fill, GuestKind, GuestSpec, NodeSpec, RemoteSpec, Script, Step, StorageSpec, TokenSpec,
    Topology, UserSpec,
};

/// The password of every demo user.
const PASSWORD: &str = "demo-secret";
/// The second factor of `carol@pve`.
const TOTP: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const GIB: u64 = 1 << 30;

impl Topology {
    /// The fleet that shows everything: *rack*, a three-node 9.2 cluster of 60 guests, some under HA; *attic*, a
    /// stand-alone 8.4; *cellar*, a 7.4; *field*, a site whose link comes and goes; *oddball*, a host that sends
    /// odd types.
    #[must_use]
    pub fn demo() -> Self {
        Self { seed: 20, remotes: vec![rack(), attic(), cellar(), field(), oddball()] }
    }
}

fn rack() -> RemoteSpec {
    let config = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    RemoteSpec {
        cluster: Some("rack".to_owned()),
        nodes: ["rack1", "rack2", "rack3"].map(NodeSpec::named).to_vec(),
        guests: vec![
            GuestSpec { ha: true, agent: true, ..guest(100, GuestKind::Vm, "shop-db", "rack1", true) },
            GuestSpec {
                ha: true,
                tags: vec!["shop".to_owned(), "web".to_owned()],
                config: config(&[("description", "The shop's front. Mind the <b>cache</b>.\n")]),
                ..guest(101, GuestKind::Ct, "shop-web", "rack2", true)
            },
            GuestSpec { ha: true, ..guest(102, GuestKind::Ct, "queue", "rack3", true) },
            GuestSpec {
                config: config(&[("lock", "backup")]),
                ..guest(103, GuestKind::Vm, "ledger", "rack1", true)
            },
            GuestSpec { template: true, ..guest(104, GuestKind::Ct, "debian-13-template", "rack1", false) },
            guest(105, GuestKind::Vm, "windows-licences", "rack2", false),
        ],
        fill: Some(Fill { count: 54, ha: 6 }),
        storages: vec![StorageSpec {
            name: "vault".to_owned(),
            kind: "nfs".to_owned(),
            content: "images,rootdir,vztmpl,backup,iso".to_owned(),
            shared: true,
            total: 8192 * GIB,
            used: 5150 * GIB,
        }],
        ..remote("rack", "9.2")
    }
}

fn attic() -> RemoteSpec {
    RemoteSpec {
        guests: vec![
            guest(100, GuestKind::Ct, "pihole", "attic", true),
            guest(101, GuestKind::Ct, "jellyfin", "attic", true),
            GuestSpec { agent: true, ..guest(102, GuestKind::Vm, "homeassistant", "attic", true) },
            guest(103, GuestKind::Vm, "games", "attic", false),
            guest(104, GuestKind::Ct, "paperless", "attic", true),
        ],
        ..remote("attic", "8.4")
    }
}

fn cellar() -> RemoteSpec {
    RemoteSpec {
        guests: vec![
            guest(100, GuestKind::Vm, "old-erp", "cellar", true),
            guest(101, GuestKind::Ct, "print", "cellar", true),
            guest(102, GuestKind::Ct, "wiki", "cellar", false),
        ],
        ..remote("cellar", "7.4")
    }
}

/// A link that is up for most of the time, and goes in three different ways.
fn field() -> RemoteSpec {
    let up = |seconds: u64| Step { ms: seconds * 1000, faults: Vec::new() };
    let down = |seconds: u64, fault: Fault| Step { ms: seconds * 1000, faults: vec![fault.into()] };
    RemoteSpec {
        guests: vec![
            guest(100, GuestKind::Ct, "gateway", "field", true),
            guest(101, GuestKind::Ct, "sensors", "field", true),
            GuestSpec { agent: true, ..guest(102, GuestKind::Vm, "camera", "field", true) },
        ],
        script: Some(Script {
            repeat: true,
            steps: vec![
                up(40),
                down(25, Fault::BlackHole { at: BlackHoleAt::Syn }),
                up(45),
                down(15, Fault::Refuse),
                up(40),
                down(20, Fault::Delay { ms: 1500 }),
            ],
        }),
        ..remote("field", "8.4")
    }
}

fn oddball() -> RemoteSpec {
    RemoteSpec {
        guests: vec![
            guest(100, GuestKind::Ct, "odd", "oddball", true),
            guest(101, GuestKind::Vm, "odder", "oddball", true),
            guest(102, GuestKind::Ct, "oddest", "oddball", false),
        ],
        fill: Some(Fill { count: 5, ha: 0 }),
        odd_types: true,
        ..remote("oddball", "9.2")
    }
}

fn guest(vmid: u32, kind: GuestKind, name: &str, node: &str, running: bool) -> GuestSpec {
    GuestSpec { vmid, kind, name: name.to_owned(), node: node.to_owned(), running, ..GuestSpec::default() }
}

/// A stand-alone host whose only node has its name, with the demo's users.
fn remote(name: &str, version: &str) -> RemoteSpec {
    let user = |userid: &str, acl: Vec<AclSpec>| UserSpec {
        userid: userid.to_owned(),
        password: PASSWORD.to_owned(),
        acl,
        ..UserSpec::default()
    };
    RemoteSpec {
        name: name.to_owned(),
        version: version.to_owned(),
        nodes: vec![NodeSpec::named(name)],
        users: vec![
            UserSpec {
                tokens: vec![TokenSpec {
                    name: "muster".to_owned(),
                    secret: "00000000-0000-4000-8000-000000000001".to_owned(),
                    privsep: false,
                    ..TokenSpec::default()
                }],
                ..user("root@pam", Vec::new())
            },
            user("alice@pve", vec![AclSpec::new("/", "PVEAuditor")]),
            user("bob@pve", vec![AclSpec::new("/", "PVEAuditor"), AclSpec::new("/vms", "PVEVMAdmin")]),
            UserSpec {
                totp_secret: Some(TOTP.to_owned()),
                ..user("carol@pve", vec![AclSpec::new("/", "PVEAdmin")])
            },
        ],
        ..RemoteSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_topology_that_a_file_can_hold() {
        let demo = Topology::demo();
        demo.check().unwrap();
        let text = toml::to_string(&demo).unwrap();
        assert_eq!(Topology::from_toml(&text).unwrap(), demo);
    }
}
