//! What is simulated: remotes, their nodes, users and guests, as plain data that a TOML file holds.
//!
//! Entry points: [`Topology::from_toml`], [`Topology::single`], [`Topology::cluster`], [`Topology::demo`].

mod check;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::door::FaultSpec;
use crate::seam::Oddity;
use crate::world::spec::{
    AclInput, ClusterSpec, GuestInput, Kind, NodeInput, StorageInput, TokenInput, UserInput,
};

/// The versions of Proxmox VE that can be simulated.
pub const VERSIONS: [&str; 3] = ["7.4", "8.4", "9.2"];

/// Everything that one simulator process simulates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Where all chance comes from: the same seed gives the same fleet.
    #[serde(default)]
    pub seed: u64,
    /// The clusters and stand-alone hosts.
    #[serde(default)]
    pub remotes: Vec<RemoteSpec>,
}

/// One cluster, or one stand-alone host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteSpec {
    /// Its name, for the control interface; unique.
    pub name: String,
    /// `7.4`, `8.4` or `9.2`.
    pub version: String,
    /// The cluster's own name; `name` if not given. A remote of one node is a stand-alone host unless this
    /// is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// At least one.
    pub nodes: Vec<NodeSpec>,
    /// An entry for `root@pam` sets its password; without one it is `secret-root`.
    #[serde(default)]
    pub users: Vec<UserSpec>,
    /// Roles beside the built-in ones: name → privileges.
    #[serde(default)]
    pub roles: BTreeMap<String, Vec<String>>,
    /// Guests named one by one.
    #[serde(default)]
    pub guests: Vec<GuestSpec>,
    /// Further guests, made by the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
    /// Storages beside `local` and `local-lvm`.
    #[serde(default)]
    pub storages: Vec<StorageSpec>,
    /// Whether its answers come with odd types everywhere.
    #[serde(default)]
    pub odd_types: bool,
    /// Faults that are in force from the beginning.
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
    /// Faults that come and go by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
}

/// One node and its socket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its host name.
    pub name: String,
    /// Where it listens; `127.0.0.1` and a port chosen by the system if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// The address that cluster status and certificate show; that of `listen` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// One user.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// `name@realm`; the realms are `pam` and `pve`.
    pub userid: String,
    /// Its password.
    pub password: String,
    /// Base32 secret of its TOTP, if it has a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp_secret: Option<String>,
    /// Recovery codes of its second factor.
    #[serde(default)]
    pub recovery: Vec<String>,
    /// Groups it belongs to.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Cannot sign in.
    #[serde(default)]
    pub disabled: bool,
    /// Seconds since the epoch after which it cannot sign in; 0 for never.
    #[serde(default)]
    pub expire: u64,
    /// What it may do.
    #[serde(default)]
    pub acl: Vec<AclSpec>,
    /// Its API tokens.
    #[serde(default)]
    pub tokens: Vec<TokenSpec>,
}

/// One API token.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// What stands after the `!`.
    pub name: String,
    /// Its secret.
    pub secret: String,
    /// Whether it has rights of its own only, as it has on a real server unless told otherwise.
    #[serde(default = "yes")]
    pub privsep: bool,
    /// Seconds since the epoch; 0 for never.
    #[serde(default)]
    pub expire: u64,
    /// What it may do, if `privsep`.
    #[serde(default)]
    pub acl: Vec<AclSpec>,
}

/// One line of the access control list, for the user or token it stands at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AclSpec {
    /// `/`, `/vms/100`, `/nodes/pve1`…
    pub path: String,
    /// A role's name.
    pub role: String,
    /// Whether it holds below the path too.
    #[serde(default = "yes")]
    pub propagate: bool,
}

impl AclSpec {
    /// A role on a path and all below it.
    #[must_use]
    pub fn new(path: &str, role: &str) -> Self {
        Self { path: path.to_owned(), role: role.to_owned(), propagate: true }
    }
}

/// Container or virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestKind {
    /// LXC container.
    #[default]
    Ct,
    /// QEMU virtual machine.
    Vm,
}

/// One guest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestSpec {
    /// Its number, 100 or more.
    pub vmid: u32,
    /// What it is.
    pub kind: GuestKind,
    /// `name` of a VM, `hostname` of a container.
    pub name: String,
    /// Where it is; the first node if empty.
    #[serde(default)]
    pub node: String,
    /// Whether it runs at the beginning.
    #[serde(default)]
    pub running: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Its pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Whether HA manages it.
    #[serde(default)]
    pub ha: bool,
    /// Whether it is a template.
    #[serde(default)]
    pub template: bool,
    /// Whether the guest agent of a VM answers.
    #[serde(default)]
    pub agent: bool,
    /// Further configuration: key and value as in the configuration file.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// Guests made by the seed and spread over the nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// How many.
    pub count: usize,
    /// How many of them are under HA.
    #[serde(default)]
    pub ha: usize,
}

/// A storage of every node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSpec {
    /// Its id.
    pub name: String,
    /// `dir`, `nfs`, `lvmthin`, `zfspool`, `rbd`…
    #[serde(rename = "type")]
    pub kind: String,
    /// `images,rootdir,…`
    pub content: String,
    /// Whether all nodes see the same.
    #[serde(default)]
    pub shared: bool,
    /// Bytes.
    pub total: u64,
    /// Bytes.
    #[serde(default)]
    pub used: u64,
}

/// Faults that come and go by themselves, one step after the other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Whether it begins anew after its last step.
    #[serde(default = "yes")]
    pub repeat: bool,
    /// The steps.
    pub steps: Vec<Step>,
}

/// A while, and what is wrong during it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long it lasts, in milliseconds.
    pub ms: u64,
    /// What is wrong meanwhile; nothing, if empty.
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
}

const fn yes() -> bool {
    true
}

/// Why a topology cannot be simulated: one sentence that names the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TopologyError(pub(crate) String);

impl Topology {
    /// Reads a topology file and checks it.
    ///
    /// # Errors
    /// When it is no TOML (with line and column), has a field that is not known, lacks one that is needed,
    /// names no remote, or contradicts itself.
    pub fn from_toml(text: &str) -> Result<Self, TopologyError> {
        let topology: Self =
            toml::from_str(text).map_err(|error| TopologyError(error.to_string().trim_end().to_owned()))?;
        if topology.remotes.is_empty() {
            return Err(TopologyError("there is nothing to simulate: add a [[remotes]] table".to_owned()));
        }
        topology.check()?;
        Ok(topology)
    }

    /// One stand-alone host `pve1` of that version: container 101 (runs), container 102, VM 100 (runs),
    /// VM 103; `root@pam` with password `secret-root`, `alice@pve` (`secret-alice`, reads everything),
    /// `operator@pve` (`secret-operator`, administers guests). The remote is called `single`.
    #[must_use]
    pub fn single(version: &str) -> Self {
        let guest = |vmid, kind, name: &str, running| GuestSpec {
            vmid,
            kind,
            name: name.to_owned(),
            node: "pve1".to_owned(),
            running,
            ..GuestSpec::default()
        };
        Self {
            seed: 1,
            remotes: vec![RemoteSpec {
                name: "single".to_owned(),
                version: version.to_owned(),
                nodes: nodes(1),
                users: usual_users(),
                guests: vec![
                    guest(100, GuestKind::Vm, "web", true),
                    guest(101, GuestKind::Ct, "dns", true),
                    guest(102, GuestKind::Ct, "build", false),
                    guest(103, GuestKind::Vm, "backup", false),
                ],
                ..RemoteSpec::default()
            }],
        }
    }

    /// A cluster of `count` nodes `pve1`… of that version, each with a running container (`101`, `201`…)
    /// and a running VM (`100`, `200`…), a stopped container (`102`, `202`…), and the users of
    /// [`Self::single`]. Container `101` and VM `200` are under HA. The remote is called `cluster`.
    #[must_use]
    pub fn cluster(count: usize, version: &str) -> Self {
        let nodes = nodes(count);
        let mut guests = Vec::new();
        for (node, base) in nodes.iter().zip((1_u32..).map(|n| n * 100)) {
            for (offset, kind, running) in
                [(0, GuestKind::Vm, true), (1, GuestKind::Ct, true), (2, GuestKind::Ct, false)]
            {
                let vmid = base + offset;
                guests.push(GuestSpec {
                    vmid,
                    kind,
                    name: format!("guest-{vmid}"),
                    node: node.name.clone(),
                    running,
                    ha: vmid == 101 || vmid == 200,
                    ..GuestSpec::default()
                });
            }
        }
        Self {
            seed: 1,
            remotes: vec![RemoteSpec {
                name: "cluster".to_owned(),
                version: version.to_owned(),
                cluster: Some("cluster".to_owned()),
                nodes,
                users: usual_users(),
                guests,
                ..RemoteSpec::default()
            }],
        }
    }
}

impl RemoteSpec {
    /// The description of the world behind the sockets.
    pub(crate) fn to_cluster(&self, seed: u64) -> ClusterSpec {
        let mut acl = Vec::new();
        let mut users = Vec::new();
        let root = UserSpec {
            userid: "root@pam".to_owned(),
            password: "secret-root".to_owned(),
            ..UserSpec::default()
        };
        let has_root = self.users.iter().any(|user| user.userid == root.userid);
        for user in self.users.iter().chain((!has_root).then_some(&root)) {
            acl.extend(user.acl.iter().map(|line| line.with_subject(user.userid.clone())));
            let mut tokens = Vec::new();
            for token in &user.tokens {
                let id = format!("{}!{}", user.userid, token.name);
                acl.extend(token.acl.iter().map(|line| line.with_subject(id.clone())));
                tokens.push(TokenInput {
                    name: token.name.clone(),
                    secret: token.secret.clone(),
                    privsep: token.privsep,
                    expire: token.expire,
                });
            }
            users.push(UserInput {
                userid: user.userid.clone(),
                password: user.password.clone(),
                totp_secret: user.totp_secret.clone(),
                recovery: user.recovery.clone(),
                groups: user.groups.clone(),
                disabled: user.disabled,
                expire: user.expire,
                tokens,
            });
        }
        let first = self.nodes.first().map(|node| node.name.clone()).unwrap_or_default();
        let fill = self.fill.unwrap_or_default();
        ClusterSpec {
            cluster_name: self.cluster.clone().or_else(|| (self.nodes.len() > 1).then(|| self.name.clone())),
            version: self.version.clone(),
            seed,
            nodes: self
                .nodes
                .iter()
                .map(|node| NodeInput { name: node.name.clone(), ip: node.shown_ip() })
                .collect(),
            users,
            acl,
            roles: self.roles.iter().map(|(name, privileges)| (name.clone(), privileges.clone())).collect(),
            guests: self.guests.iter().map(|guest| guest.to_input(&first)).collect(),
            fill: fill.count,
            fill_ha: fill.ha,
            storages: self.storages.iter().map(StorageSpec::to_input).collect(),
            oddity: if self.odd_types { Oddity::Odd } else { Oddity::None },
        }
    }
}

impl NodeSpec {
    /// A node of that name on a port of the system's choice.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), listen: None, ip: None }
    }

    /// Where it is to listen.
    pub(crate) fn listen_address(&self) -> SocketAddr {
        self.listen.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))
    }

    /// The address that the cluster shows for it.
    pub(crate) fn shown_ip(&self) -> IpAddr {
        self.ip.unwrap_or_else(|| self.listen_address().ip())
    }
}

impl AclSpec {
    fn with_subject(&self, subject: String) -> AclInput {
        AclInput { path: self.path.clone(), subject, role: self.role.clone(), propagate: self.propagate }
    }
}

impl GuestSpec {
    pub(crate) fn to_input(&self, first_node: &str) -> GuestInput {
        GuestInput {
            vmid: self.vmid,
            kind: match self.kind {
                GuestKind::Ct => Kind::Ct,
                GuestKind::Vm => Kind::Vm,
            },
            name: self.name.clone(),
            node: if self.node.is_empty() { first_node.to_owned() } else { self.node.clone() },
            running: self.running,
            tags: self.tags.clone(),
            pool: self.pool.clone(),
            ha: self.ha,
            template: self.template,
            agent: self.agent,
            config: self.config.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

impl StorageSpec {
    fn to_input(&self) -> StorageInput {
        StorageInput {
            name: self.name.clone(),
            kind: self.kind.clone(),
            content: self.content.clone(),
            shared: self.shared,
            total: self.total,
            used: self.used,
        }
    }
}

// Passwords and secrets must not reach a log by way of `{:?}`.
impl std::fmt::Debug for UserSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserSpec")
            .field("userid", &self.userid)
            .field("tokens", &self.tokens)
            .field("acl", &self.acl)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TokenSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSpec")
            .field("name", &self.name)
            .field("privsep", &self.privsep)
            .finish_non_exhaustive()
    }
}

/// `pve1`, `pve2`…
pub(crate) fn nodes(count: usize) -> Vec<NodeSpec> {
    (1..=count).map(|n| NodeSpec::named(&format!("pve{n}"))).collect()
}

/// Root, one who reads and one who administers guests.
pub(crate) fn usual_users() -> Vec<UserSpec> {
    let user = |userid: &str, password: &str, acl: Vec<AclSpec>| UserSpec {
        userid: userid.to_owned(),
        password: password.to_owned(),
        acl,
        ..UserSpec::default()
    };
    vec![
        user("root@pam", "secret-root", Vec::new()),
        user("alice@pve", "secret-alice", vec![AclSpec::new("/", "PVEAuditor")]),
        user(
            "operator@pve",
            "secret-operator",
            vec![AclSpec::new("/", "PVEAuditor"), AclSpec::new("/vms", "PVEVMAdmin")],
        ),
    ]
}
