//! What differs between the releases: names, versions, privileges, built-in roles.

use catalogue::Release;

/// The facts of one release.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) release: Release,
    /// `version` of `GET /version`.
    pub(crate) version: &'static str,
    /// `release` of `GET /version`.
    pub(crate) short: &'static str,
    pub(crate) repoid: &'static str,
    pub(crate) kernel: &'static str,
    pub(crate) qemu: &'static str,
}

static FACTS: [Facts; 3] = [
    Facts {
        release: Release::V7_4,
        version: "7.4-16",
        short: "7.4",
        repoid: "0f39f621",
        kernel: "5.15.108-1-pve",
        qemu: "7.2.0",
    },
    Facts {
        release: Release::V8_4,
        version: "8.4.5",
        short: "8.4",
        repoid: "57892e8e686cb35b",
        kernel: "6.8.12-11-pve",
        qemu: "9.2.0",
    },
    Facts {
        release: Release::V9_2,
        version: "9.2.3",
        short: "9.2",
        repoid: "3d1e0a8c9b5f7246",
        kernel: "6.17.4-2-pve",
        qemu: "10.1.2",
    },
];

impl Facts {
    /// The facts of a release; of 6.4 only schemas are known, so it is not simulated.
    pub(crate) fn of(release: Release) -> Option<&'static Self> {
        FACTS.iter().find(|facts| facts.release.major == release.major)
    }

    /// Whether the release is at least the one of this major number.
    pub(crate) fn since(&self, major: u16) -> bool {
        self.release.major >= major
    }
}

/// Every privilege of any simulated release; its place is its bit in a [`Mask`].
pub(crate) const PRIVILEGES: [&str; 48] = [
    "VM.Allocate",
    "VM.Audit",
    "VM.Backup",
    "VM.Clone",
    "VM.Config.CDROM",
    "VM.Config.CPU",
    "VM.Config.Cloudinit",
    "VM.Config.Disk",
    "VM.Config.HWType",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.Console",
    "VM.Migrate",
    "VM.Monitor",
    "VM.PowerMgmt",
    "VM.Snapshot",
    "VM.Snapshot.Rollback",
    "VM.GuestAgent.Audit",
    "VM.GuestAgent.FileRead",
    "VM.GuestAgent.FileSystemMgmt",
    "VM.GuestAgent.FileWrite",
    "VM.GuestAgent.Unrestricted",
    "VM.Replicate",
    "Sys.Audit",
    "Sys.Console",
    "Sys.Incoming",
    "Sys.Modify",
    "Sys.PowerMgmt",
    "Sys.Syslog",
    "Sys.AccessNetwork",
    "Permissions.Modify",
    "Datastore.Allocate",
    "Datastore.AllocateSpace",
    "Datastore.AllocateTemplate",
    "Datastore.Audit",
    "SDN.Allocate",
    "SDN.Audit",
    "SDN.Use",
    "User.Modify",
    "Group.Allocate",
    "Realm.Allocate",
    "Realm.AllocateUser",
    "Pool.Allocate",
    "Pool.Audit",
    "Mapping.Audit",
    "Mapping.Modify",
    "Mapping.Use",
];

/// A set of privileges.
pub(crate) type Mask = u64;

/// The bit of one privilege; nothing for a name that no release knows.
pub(crate) fn bit(privilege: &str) -> Mask {
    PRIVILEGES.iter().position(|known| *known == privilege).map_or(0, |place| 1 << place)
}

/// The privileges of a set, by name.
pub(crate) fn names(mask: Mask) -> impl Iterator<Item = &'static str> {
    PRIVILEGES.iter().enumerate().filter(move |(place, _)| mask & (1 << place) != 0).map(|(_, name)| *name)
}

fn exists(facts: &Facts, name: &str) -> bool {
    match name {
        "VM.Monitor" => !facts.since(9),
        "VM.Replicate" => facts.since(9),
        "SDN.Use" | "Sys.AccessNetwork" => facts.since(8),
        _ if name.starts_with("Mapping.") => facts.since(8),
        _ if name.starts_with("VM.GuestAgent.") => facts.since(9),
        _ => true,
    }
}

/// All privileges of the release.
pub(crate) fn all(facts: &Facts) -> Mask {
    select(facts, |_| true)
}

fn select(facts: &Facts, wanted: impl Fn(&str) -> bool) -> Mask {
    PRIVILEGES.iter().filter(|name| exists(facts, name) && wanted(name)).map(|name| bit(name)).sum()
}

/// What only root's role has, by release.
fn root_only(facts: &Facts, name: &str) -> bool {
    match name {
        "Sys.PowerMgmt" | "Sys.Modify" | "Sys.Incoming" | "Sys.AccessNetwork" | "Realm.Allocate"
        | "Mapping.Modify" => true,
        "Permissions.Modify" => facts.since(8),
        _ => false,
    }
}

fn vm_user(name: &str) -> bool {
    matches!(
        name,
        "VM.Audit"
            | "VM.Backup"
            | "VM.Config.CDROM"
            | "VM.Config.Cloudinit"
            | "VM.Console"
            | "VM.PowerMgmt"
            | "VM.GuestAgent.Audit"
    )
}

/// The roles that every installation of the release has, with their privileges.
pub(crate) fn builtin_roles(facts: &Facts) -> Vec<(&'static str, Mask)> {
    let starts = |prefix: &'static str| move |name: &str| name.starts_with(prefix);
    let audit = |name: &str| name.ends_with(".Audit");
    let mut roles = vec![
        ("Administrator", all(facts)),
        ("NoAccess", 0),
        ("PVEAdmin", select(facts, |name| !root_only(facts, name))),
        ("PVEAuditor", select(facts, audit)),
        ("PVEDatastoreAdmin", select(facts, starts("Datastore."))),
        (
            "PVEDatastoreUser",
            select(facts, |name| matches!(name, "Datastore.AllocateSpace" | "Datastore.Audit")),
        ),
        ("PVEPoolAdmin", select(facts, starts("Pool."))),
        ("PVESDNAdmin", select(facts, starts("SDN."))),
        (
            "PVESysAdmin",
            select(facts, |name| {
                matches!(name, "Sys.Console" | "Sys.Audit" | "Sys.Syslog")
                    || (name == "Permissions.Modify" && !facts.since(8))
            }),
        ),
        ("PVETemplateUser", select(facts, |name| matches!(name, "VM.Audit" | "VM.Clone"))),
        (
            "PVEUserAdmin",
            select(facts, |name| matches!(name, "User.Modify" | "Group.Allocate" | "Realm.AllocateUser")),
        ),
        ("PVEVMAdmin", select(facts, starts("VM."))),
        ("PVEVMUser", select(facts, vm_user)),
    ];
    if facts.since(8) {
        roles.push(("PVEPoolUser", select(facts, |name| name == "Pool.Audit")));
        roles.push(("PVESDNUser", select(facts, |name| matches!(name, "SDN.Use" | "SDN.Audit"))));
        roles.push(("PVEMappingAdmin", select(facts, starts("Mapping."))));
        roles.push(("PVEMappingAuditor", select(facts, |name| name == "Mapping.Audit")));
        roles.push(("PVEMappingUser", select(facts, |name| matches!(name, "Mapping.Use" | "Mapping.Audit"))));
    }
    roles.sort_by_key(|(name, _)| *name);
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitor_goes_and_the_guest_agent_comes_with_nine() {
        let of = |release| Facts::of(release).unwrap();
        assert_ne!(all(of(Release::V8_4)) & bit("VM.Monitor"), 0);
        assert_eq!(all(of(Release::V9_2)) & bit("VM.Monitor"), 0);
        assert_ne!(all(of(Release::V9_2)) & bit("VM.GuestAgent.Audit"), 0);
        assert_eq!(all(of(Release::V8_4)) & bit("VM.GuestAgent.Audit"), 0);
        assert_eq!(names(all(of(Release::V9_2))).count(), 47);
    }

    #[test]
    fn an_auditor_may_look_and_do_nothing() {
        let facts = Facts::of(Release::V9_2).unwrap();
        let (_, mask) = builtin_roles(facts).into_iter().find(|(name, _)| *name == "PVEAuditor").unwrap();
        assert!(names(mask).all(|name| name.ends_with(".Audit")));
        assert_eq!(names(mask).count(), 7);
    }
}
