//! The smallest roles with which a token of Muster's can do its work: [`privileges`].

pub use model::Rights;
use serde::{Deserialize, Serialize};

/// A major version of Proxmox VE whose privilege names are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Major {
    /// 7.x
    Seven,
    /// 8.x
    Eight,
    /// 9.x
    Nine,
}

impl Major {
    /// The known version that is nearest to this one.
    #[must_use]
    pub fn nearest(major: u16) -> Self {
        match major {
            0..=7 => Self::Seven,
            8 => Self::Eight,
            _ => Self::Nine,
        }
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Seven => 7,
            Self::Eight => 8,
            Self::Nine => 9,
        }
    }
}

/// The name of the role on the Proxmox VE side; none is needed for the same rights as the user's.
#[must_use]
pub fn role(rights: Rights) -> Option<&'static str> {
    match rights {
        Rights::Look => Some("MusterLook"),
        Rights::Operate => Some("MusterOperate"),
        Rights::SameAsUser => None,
    }
}

/// The privileges of the role, on `/`, sorted; none for the same rights as the user's.
///
/// Every one is there for a call: `Sys.Audit` for cluster and node status, HA and everyone's tasks;
/// `VM.Audit` for guests, their configuration and status; `Datastore.Audit` and `Pool.Audit` so that
/// storages and pools are in the listing; `VM.PowerMgmt` to switch guests. Addresses of VMs come from
/// the guest agent: `VM.GuestAgent.Audit` since 9. Before, that takes `VM.Monitor`, which lets its
/// holder run programs inside VMs: too much for a role that only looks.
#[must_use]
pub fn privileges(rights: Rights, major: Major) -> Vec<&'static str> {
    if rights == Rights::SameAsUser {
        return Vec::new();
    }
    let mut privileges = vec!["Datastore.Audit", "Pool.Audit", "Sys.Audit", "VM.Audit"];
    match (major, rights) {
        (Major::Nine, _) => privileges.push("VM.GuestAgent.Audit"),
        (Major::Seven | Major::Eight, Rights::Operate) => privileges.push("VM.Monitor"),
        (Major::Seven | Major::Eight, _) => {}
    }
    if rights == Rights::Operate {
        privileges.push("VM.PowerMgmt");
    }
    privileges
}

/// What the rights come to, in words.
#[must_use]
pub fn purpose(rights: Rights) -> &'static str {
    match rights {
        Rights::Look => "sees everything, changes nothing",
        Rights::Operate => "sees everything; starts, stops and otherwise switches guests",
        Rights::SameAsUser => "may do everything that its user may do, now and later",
    }
}
