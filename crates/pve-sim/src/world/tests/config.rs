use serde_json::json;

use super::*;

#[test]
fn a_running_guest_keeps_what_cannot_be_changed_at_once() {
    let mut world = World::new("9.2");
    let before = world.get("/nodes/pve1/qemu/100/config").data;
    let change = [("memory", "160"), ("name", "runner2"), ("cores", "9")];
    assert_eq!(world.put("/nodes/pve1/qemu/100/config", &change).status, 200);
    let merged = world.get("/nodes/pve1/qemu/100/config").data;
    assert_eq!((merged["memory"].clone(), merged["cores"].clone()), (json!("160"), json!(9)));
    let live = world.get("/nodes/pve1/qemu/100/config?current=1").data;
    assert_eq!(live["memory"], before["memory"]);
    assert_eq!(live["name"], "runner2", "a name needs no restart");
    assert_ne!(before["digest"], live["digest"]);
    let rows = world.get("/nodes/pve1/qemu/100/pending").data;
    let row = |key: &str| rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(row("cores")["pending"], 9);
    assert_eq!(row("memory")["pending"], "160");
    assert_eq!(row("digest")["value"], live["digest"]);

    let got = world.post("/nodes/pve1/qemu/100/status/reboot", &[]);
    assert_eq!(world.finish(&got), "OK");
    assert_eq!(world.get("/nodes/pve1/qemu/100/config?current=1").data["cores"], 9);
    let rows = world.get("/nodes/pve1/qemu/100/pending").data;
    assert!(rows.as_array().unwrap().iter().all(|row| row.get("pending").is_none()));
}

#[test]
fn pending_changes_can_be_taken_back_and_removals_wait_too() {
    let mut world = World::new("9.2");
    let path = "/nodes/pve1/lxc/101/config";
    assert_eq!(world.put(path, &[("delete", "features")]).status, 200);
    let rows = world.get("/nodes/pve1/lxc/101/pending").data;
    let row = rows.as_array().unwrap().iter().find(|row| row["key"] == "features").unwrap().clone();
    assert_eq!(row["delete"], 1);
    assert!(world.get(path).data.get("features").is_none());
    assert_eq!(world.get("/nodes/pve1/lxc/101/config?current=1").data["features"], "nesting=1");
    assert_eq!(world.put(path, &[("revert", "features")]).status, 200);
    assert_eq!(world.get(path).data["features"], "nesting=1");
}

#[test]
fn an_old_digest_is_refused_in_two_sets_of_words() {
    let mut world = World::new("9.2");
    let stale = "ffffffffffffffffffffffffffffffffffffffff";
    let got = world.put("/nodes/pve1/lxc/101/config", &[("memory", "1000"), ("digest", stale)]);
    assert_eq!(got.reason, "detected modified configuration - file changed by other user? Try again.");
    let got = world.put("/nodes/pve1/qemu/100/config", &[("memory", "1000"), ("digest", stale)]);
    assert_eq!(got.reason, "checksum mismatch (file change by other user?)");
    let digest = world.get("/nodes/pve1/lxc/101/config").data["digest"].as_str().unwrap().to_owned();
    let change = [("memory", "1000"), ("digest", digest.as_str())];
    assert_eq!(world.put("/nodes/pve1/lxc/101/config", &change).status, 200);
    assert_eq!(world.put("/nodes/pve1/lxc/101/config", &change).status, 500, "it is another one now");
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let mut world = World::new("9.2");
    let path = "/nodes/pve1/lxc/102/config";
    assert_eq!(world.put(path, &[]).reason, "no options specified");
    assert_eq!(world.put(path, &[("delete", "memory"), ("memory", "256")]).errors, ["delete"]);
    assert_eq!(world.put(path, &[("delete", "rootfs")]).reason, "unable to delete required option 'rootfs'");
    assert_eq!(world.put(path, &[("lxc.apparmor.profile", "unconfined")]).status, 400);
}

#[test]
fn a_machine_is_changed_by_post_with_a_task_and_unlocked_by_root() {
    let mut world = World::new("9.2");
    let got = world.post("/nodes/pve1/qemu/103/config", &[("cores", "3")]);
    assert_eq!(world.finish(&got), "OK");
    assert_eq!(world.get("/nodes/pve1/qemu/103/config").data["cores"], 3);
    world.cluster.guest_mut(103).unwrap().set_lock(Some("backup"));
    let path = "/nodes/pve1/qemu/103/config";
    assert_eq!(world.put(path, &[("delete", "lock")]).reason, "VM is locked (backup)");
    assert_eq!(world.put(path, &[("delete", "lock"), ("skiplock", "1")]).status, 200);
    assert!(world.get(path).data.get("lock").is_none());
}

#[test]
fn types_of_values_follow_the_schema_of_the_version() {
    let memory = |version: &str, path: &str| World::new(version).get(path).data["memory"].is_string();
    assert!(!memory("7.4", "/nodes/pve1/qemu/100/config"));
    assert!(memory("9.2", "/nodes/pve1/qemu/100/config"), "a property string since 8");
    assert!(!memory("9.2", "/nodes/pve1/lxc/101/config"));
    let mut world = World::new("9.2");
    let raw = world.cluster.guest_mut(101).unwrap();
    raw.set_config("lxc.cgroup2.devices.allow", Some("c 10:200 rwm"));
    raw.set_config("description", Some("two\nlines"));
    raw.set_config("cpulimit", Some("1.5"));
    let conf = world.get("/nodes/pve1/lxc/101/config").data;
    assert_eq!(conf["lxc"], json!([["lxc.cgroup2.devices.allow", "c 10:200 rwm"]]));
    assert_eq!(conf["description"], "two\nlines\n");
    assert_eq!(conf["cpulimit"], "1.5");
    assert_eq!(conf["unprivileged"], 1);
    let vm = world.cluster.guest_mut(100).unwrap();
    vm.set_config("cipassword", Some("hunter2"));
    vm.set_config("description", Some("one line"));
    let conf = world.get("/nodes/pve1/qemu/100/config").data;
    assert_eq!(
        (conf["cipassword"].clone(), conf["description"].clone()),
        (json!("**********"), json!("one line"))
    );
}

#[test]
fn single_options_ask_for_their_own_privilege() {
    let mut spec = spec("9.2", 1);
    spec.roles.push(("Mem".to_owned(), vec!["VM.Audit".to_owned(), "VM.Config.Memory".to_owned()]));
    spec.acl = vec![acl("/vms", "alice@pve", "Mem")];
    let mut world = World::of(&spec);
    world.sign_in("alice@pve", "secret-alice");
    assert_eq!(world.put("/nodes/pve1/lxc/102/config", &[("memory", "256")]).status, 200);
    let got = world.put("/nodes/pve1/lxc/102/config", &[("cores", "2")]);
    assert_eq!(got.reason, "Permission check failed (/vms/102, VM.Config.CPU)");
}
