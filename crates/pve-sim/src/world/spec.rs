//! What a cluster is made from: plain data, which a topology file is turned into.

use std::net::IpAddr;

use super::SpecError;
use super::facts::{self, Facts, bit};
use super::users::decode_secret;
use crate::seam::Oddity;

/// One cluster, or one stand-alone host.
#[derive(Debug, Clone, Default)]
pub struct ClusterSpec {
    /// The name of the cluster. `None`: a stand-alone host (exactly one node).
    pub cluster_name: Option<String>,
    /// `7.4`, `8.4` or `9.2`.
    pub version: String,
    /// Where all chance comes from.
    pub seed: u64,
    /// At least one.
    pub nodes: Vec<NodeInput>,
    /// Users beside `root@pam`; an entry for `root@pam` sets its password, tokens and second factor.
    pub users: Vec<UserInput>,
    /// Groups and their members are made from the users' `groups`.
    pub acl: Vec<AclInput>,
    /// Roles beside the built-in ones: name and privileges.
    pub roles: Vec<(String, Vec<String>)>,
    /// Guests named one by one.
    pub guests: Vec<GuestInput>,
    /// So many further guests, made by the seed and spread over the nodes.
    pub fill: usize,
    /// How many of `fill` are under HA.
    pub fill_ha: usize,
    /// Storages beside `local` and `local-lvm`, which every node has.
    pub storages: Vec<StorageInput>,
    /// How odd the types are that this remote sends.
    pub oddity: Oddity,
}

/// A node.
#[derive(Debug, Clone)]
pub struct NodeInput {
    /// Its host name.
    pub name: String,
    /// The address that the cluster's status shows.
    pub ip: IpAddr,
}

/// A user.
#[derive(Clone, Default)]
pub struct UserInput {
    /// `name@realm`.
    pub userid: String,
    /// Its password.
    pub password: String,
    /// Base32 secret of its TOTP, if it has a second factor.
    pub totp_secret: Option<String>,
    /// Recovery codes, as typed.
    pub recovery: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// Cannot sign in.
    pub disabled: bool,
    /// Seconds since the epoch after which it cannot sign in; 0 for never.
    pub expire: u64,
    /// API tokens.
    pub tokens: Vec<TokenInput>,
}

/// An API token.
#[derive(Clone, Default)]
pub struct TokenInput {
    /// What stands after the `!`.
    pub name: String,
    /// A UUID on a real server; any text here.
    pub secret: String,
    /// Whether it has rights of its own only.
    pub privsep: bool,
    /// Seconds since the epoch; 0 for never.
    pub expire: u64,
}

/// One line of the access control list.
#[derive(Debug, Clone, Default)]
pub struct AclInput {
    /// `/`, `/vms/100`…
    pub path: String,
    /// User, token (`user@realm!name`), or `@group`.
    pub subject: String,
    /// A role's name.
    pub role: String,
    /// Whether it holds below the path too.
    pub propagate: bool,
}

/// Container or virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// LXC container.
    #[default]
    Ct,
    /// QEMU virtual machine.
    Vm,
}

impl Kind {
    /// `lxc` or `qemu`, as it stands in paths and ids.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ct => "lxc",
            Self::Vm => "qemu",
        }
    }
}

/// A guest.
#[derive(Debug, Clone, Default)]
pub struct GuestInput {
    /// Its number.
    pub vmid: u32,
    /// What it is.
    pub kind: Kind,
    /// `name` of a VM, `hostname` of a container.
    pub name: String,
    /// Where it is.
    pub node: String,
    /// Whether it runs at the beginning.
    pub running: bool,
    /// In the order in which they shall be shown.
    pub tags: Vec<String>,
    /// Its pool.
    pub pool: Option<String>,
    /// Whether HA manages it.
    pub ha: bool,
    /// Whether it is a template.
    pub template: bool,
    /// Whether the guest agent of a VM answers.
    pub agent: bool,
    /// Further configuration: key and value as in the configuration file. It wins over what is made up.
    pub config: Vec<(String, String)>,
}

/// A storage of every node.
#[derive(Debug, Clone, Default)]
pub struct StorageInput {
    /// Its id.
    pub name: String,
    /// `dir`, `nfs`, `lvmthin`, `zfspool`, `rbd`…
    pub kind: String,
    /// `images,rootdir,…`
    pub content: String,
    /// Whether all nodes see the same.
    pub shared: bool,
    /// Bytes.
    pub total: u64,
    /// Bytes.
    pub used: u64,
}

impl std::fmt::Debug for UserInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserInput").field("userid", &self.userid).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TokenInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenInput").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ClusterSpec {
    /// Looks for what would be lost in silence: privileges, roles and secrets that mean nothing.
    pub(crate) fn check(&self, facts: &Facts) -> Result<(), SpecError> {
        for (role, privileges) in &self.roles {
            if let Some(unknown) = privileges.iter().find(|privilege| bit(privilege) == 0) {
                return Err(SpecError(format!("role \"{role}\": there is no privilege \"{unknown}\"")));
            }
        }
        for line in &self.acl {
            let builtin = facts::builtin_roles(facts).iter().any(|(name, _)| *name == line.role);
            if !builtin && self.roles.iter().all(|(name, _)| *name != line.role) {
                return Err(SpecError(format!(
                    "{} on {}: there is no role \"{}\"",
                    line.subject, line.path, line.role
                )));
            }
        }
        for user in &self.users {
            let secret = user.totp_secret.as_deref().map(decode_secret);
            if matches!(secret.as_ref().map(Option::as_deref), Some(None | Some([]))) {
                return Err(SpecError(format!("user \"{}\": totp_secret is not base32", user.userid)));
            }
        }
        Ok(())
    }
}
