//! How much a token of Muster's may do, and the smallest roles for it: [`Rights`].

use std::fmt;
use std::str::FromStr;

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

/// How much Muster shall be able to do with a token that it makes for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    /// See everything, change nothing.
    Look,
    /// See everything; start, stop and otherwise switch guests.
    Operate,
    /// Whatever the token's user may do.
    SameAsUser,
}

/// A text that names no rights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is none of look, operate, same-as-user")]
pub struct UnknownRights(String);

impl Rights {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Look, Self::Operate, Self::SameAsUser];

    /// As it is typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Operate => "operate",
            Self::SameAsUser => "same-as-user",
        }
    }

    /// The name of the role on the Proxmox VE side; none is needed for the same rights as the user's.
    #[must_use]
    pub fn role(self) -> Option<&'static str> {
        match self {
            Self::Look => Some("MusterLook"),
            Self::Operate => Some("MusterOperate"),
            Self::SameAsUser => None,
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
    pub fn privileges(self, major: Major) -> Vec<&'static str> {
        if self == Self::SameAsUser {
            return Vec::new();
        }
        let mut privileges = vec!["Datastore.Audit", "Pool.Audit", "Sys.Audit", "VM.Audit"];
        match (major, self) {
            (Major::Nine, _) => privileges.push("VM.GuestAgent.Audit"),
            (Major::Seven | Major::Eight, Self::Operate) => privileges.push("VM.Monitor"),
            (Major::Seven | Major::Eight, _) => {}
        }
        if self == Self::Operate {
            privileges.push("VM.PowerMgmt");
        }
        privileges
    }

    /// What it comes to, in words.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Look => "sees everything, changes nothing",
            Self::Operate => "sees everything; starts, stops and otherwise switches guests",
            Self::SameAsUser => "may do everything that its user may do, now and later",
        }
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rights {
    type Err = UnknownRights;

    fn from_str(text: &str) -> Result<Self, UnknownRights> {
        let found = Self::ALL.into_iter().find(|rights| rights.as_str() == text.replace('_', "-"));
        found.ok_or_else(|| UnknownRights(text.to_owned()))
    }
}
