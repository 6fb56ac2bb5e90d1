//! The roles that `muster remote privileges` makes, held against what the calls ask for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

use std::process::Command;

use catalogue::{Catalogue, Check, Method, Permission, Release};
use muster::privileges::{Account, Major, Rights, commands};

/// Every call that Muster makes, and whether it switches something.
const CALLS: [(Method, &str, Rights); 36] = {
    use Method::{Delete, Get, Post};
    use Rights::{Look, Operate};
    [
        (Get, "/version", Look),
        (Get, "/access/permissions", Look),
        (Get, "/cluster/status", Look),
        (Get, "/cluster/resources", Look),
        (Get, "/cluster/tasks", Look),
        (Get, "/cluster/nextid", Look),
        (Get, "/cluster/ha/status/current", Look),
        (Get, "/nodes", Look),
        (Get, "/nodes/{node}/status", Look),
        (Get, "/nodes/{node}/certificates/info", Look),
        (Get, "/nodes/{node}/tasks", Look),
        (Get, "/nodes/{node}/tasks/{upid}/status", Look),
        (Get, "/nodes/{node}/tasks/{upid}/log", Look),
        (Delete, "/nodes/{node}/tasks/{upid}", Operate),
        (Get, "/nodes/{node}/lxc", Look),
        (Get, "/nodes/{node}/lxc/{vmid}/config", Look),
        (Get, "/nodes/{node}/lxc/{vmid}/pending", Look),
        (Get, "/nodes/{node}/lxc/{vmid}/status/current", Look),
        (Get, "/nodes/{node}/lxc/{vmid}/interfaces", Look),
        (Get, "/nodes/{node}/lxc/{vmid}/rrddata", Look),
        (Post, "/nodes/{node}/lxc/{vmid}/status/start", Operate),
        (Post, "/nodes/{node}/lxc/{vmid}/status/shutdown", Operate),
        (Post, "/nodes/{node}/lxc/{vmid}/status/stop", Operate),
        (Post, "/nodes/{node}/lxc/{vmid}/status/reboot", Operate),
        (Get, "/nodes/{node}/qemu", Look),
        (Get, "/nodes/{node}/qemu/{vmid}/config", Look),
        (Get, "/nodes/{node}/qemu/{vmid}/pending", Look),
        (Get, "/nodes/{node}/qemu/{vmid}/status/current", Look),
        (Get, "/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces", Look),
        (Get, "/nodes/{node}/qemu/{vmid}/rrddata", Look),
        (Post, "/nodes/{node}/qemu/{vmid}/status/start", Operate),
        (Post, "/nodes/{node}/qemu/{vmid}/status/shutdown", Operate),
        (Post, "/nodes/{node}/qemu/{vmid}/status/stop", Operate),
        (Post, "/nodes/{node}/qemu/{vmid}/status/reboot", Operate),
        (Post, "/nodes/{node}/qemu/{vmid}/status/suspend", Operate),
        (Post, "/nodes/{node}/qemu/{vmid}/status/resume", Operate),
    ]
};

const VERSIONS: [(Major, Release); 3] =
    [(Major::Seven, Release::V7_4), (Major::Eight, Release::V8_4), (Major::Nine, Release::V9_2)];

fn passes(check: &Check, held: &[&str]) -> bool {
    let has = |wanted: &String| held.contains(&wanted.as_str());
    match check {
        Check::Perm { privileges, .. } => privileges.iter().all(has),
        Check::PermAny { privileges, .. } => privileges.iter().any(has),
        Check::All(checks) => checks.iter().all(|c| passes(c, held)),
        Check::Any(checks) => checks.iter().any(|c| passes(c, held)),
        Check::Special(_) => false,
    }
}

fn allowed(release: Release, method: Method, path: &str, held: &[&str]) -> Option<bool> {
    let endpoint =
        Catalogue::builtin().get(method, path).unwrap_or_else(|| panic!("{method} {path} is not known"));
    let access = endpoint.access(release)?;
    Some(match &access.permission {
        Permission::Root => false,
        Permission::World | Permission::User => true,
        Permission::Check(check) => passes(check, held),
    })
}

#[test]
fn the_role_allows_every_call_it_is_for() {
    for (major, release) in VERSIONS {
        for rights in [Rights::Look, Rights::Operate] {
            let held = rights.privileges(major);
            for (method, path, needs) in CALLS {
                let Some(allowed) = allowed(release, method, path, &held) else { continue };
                // Until 8 this takes VM.Monitor, which is too much for looking; the printed note says so.
                let given_up = rights == Rights::Look
                    && major != Major::Nine
                    && path.ends_with("network-get-interfaces");
                if rights == Rights::Operate || needs == Rights::Look {
                    assert_eq!(allowed, !given_up, "{release} {rights:?}: {method} {path} with {held:?}");
                }
            }
        }
    }
}

#[test]
fn the_role_for_looking_switches_nothing() {
    for (major, release) in VERSIONS {
        let held = Rights::Look.privileges(major);
        for (method, path, needs) in CALLS {
            if needs == Rights::Operate && path.contains("/status/") {
                assert_ne!(allowed(release, method, path, &held), Some(true), "{release}: {method} {path}");
            }
        }
    }
}

/// A privilege is there for a call that asks for it, or because the listing is filtered by it.
#[test]
fn no_privilege_is_there_for_nothing() {
    const FILTERS: [&str; 2] = ["Datastore.Audit", "Pool.Audit"];
    for (major, release) in VERSIONS {
        for rights in [Rights::Look, Rights::Operate] {
            let held = rights.privileges(major);
            for (i, privilege) in held.iter().enumerate().filter(|(_, p)| !FILTERS.contains(p)) {
                let mut fewer = held.clone();
                fewer.remove(i);
                let missed = CALLS.iter().any(|(method, path, _)| {
                    allowed(release, *method, path, &held) == Some(true)
                        && allowed(release, *method, path, &fewer) == Some(false)
                });
                assert!(missed, "{release} {rights:?}: {privilege} is not needed");
            }
        }
    }
}

#[test]
fn names_fit_the_version() {
    let account = Account { user: "muster@pve", token: "muster" };
    for (major, has, has_not) in [
        (Major::Seven, "VM.Monitor", "VM.GuestAgent"),
        (Major::Eight, "VM.Monitor", "VM.GuestAgent"),
        (Major::Nine, "VM.GuestAgent.Audit", "VM.Monitor"),
    ] {
        let text = commands(major, Rights::Operate, &account);
        assert!(text.contains(has) && !text.contains(has_not), "{text}");
    }
}

#[test]
fn what_is_printed_is_shell_and_only_the_commands_run() {
    let output = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["remote", "privileges", "--pve", "8", "--user", "ops@pve", "--token", "watch"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let run: Vec<_> = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).collect();
    assert_eq!(
        run,
        [
            "pveum role add MusterOperate --privs \"Datastore.Audit Pool.Audit Sys.Audit VM.Audit VM.Monitor VM.PowerMgmt\"",
            "pveum user add ops@pve --comment \"Muster\"",
            "pveum acl modify / --users ops@pve --roles MusterOperate",
            "pveum user token add ops@pve watch --privsep 1 --comment \"Muster\"",
            "pveum acl modify / --tokens 'ops@pve!watch' --roles MusterOperate",
        ]
    );
    for wrong in ["$(reboot)@pve", "a b@pve", "nobody", "x@pve;id"] {
        let output = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["remote", "privileges", "--pve", "8", "--user", wrong])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}
