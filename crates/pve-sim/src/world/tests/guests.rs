use serde_json::json;

use super::*;

#[test]
fn a_container_starts_and_stops_through_tasks() {
    let mut world = World::new("9.2");
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert!(got.data.as_str().unwrap().contains(":vzstart:102:root@pam:"), "{got:?}");
    assert!(!running(&world, 102), "only the task starts it");
    assert_eq!(world.finish(&got), "OK");
    assert!(running(&world, 102));
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!((got.status, got.reason.as_str()), (500, "CT 102 already running"));
    let got = world.post("/nodes/pve1/lxc/102/status/shutdown", &[]);
    assert_eq!(world.finish(&got), "OK");
    for verb in ["stop", "shutdown", "reboot", "suspend"] {
        let got = world.post(&format!("/nodes/pve1/lxc/102/status/{verb}"), &[]);
        assert_eq!((got.status, got.reason.as_str()), (500, "CT 102 not running"), "{verb}");
    }
}

#[test]
fn a_machine_is_patient_where_a_container_is_not() {
    let mut world = World::new("9.2");
    let got = world.post("/nodes/pve1/qemu/100/status/start", &[]);
    assert_eq!(world.finish(&got), "VM 100 already running", "200, and the task fails");
    let got = world.post("/nodes/pve1/qemu/103/status/stop", &[]);
    assert_eq!(world.finish(&got), "OK", "stopping a stopped machine is fine");
    assert_eq!(world.post("/nodes/pve1/qemu/103/status/reset", &[]).reason, "VM 103 not running");
    let got = world.post("/nodes/pve1/qemu/100/status/suspend", &[]);
    assert_eq!(world.finish(&got), "OK");
    let status = world.get("/nodes/pve1/qemu/100/status/current").data;
    assert_eq!((status["status"].clone(), status["qmpstatus"].clone()), (json!("running"), json!("paused")));
    assert_eq!(
        world.post("/nodes/pve1/qemu/100/status/shutdown", &[]).reason,
        "VM is paused - cannot shutdown"
    );
    let got = world.post("/nodes/pve1/qemu/100/status/resume", &[]);
    assert_eq!(world.finish(&got), "OK");
    assert_eq!(world.get("/nodes/pve1/qemu/100/status/current").data["qmpstatus"], "running");
}

/// Suspending a container is a checkpoint: it is stopped then, and nothing tells it from any other that is.
#[test]
fn a_suspended_container_is_stopped_and_resumed_from_its_checkpoint() {
    for version in ["7.4", "8.4", "9.2"] {
        let mut world = World::new(version);
        let path = "/nodes/pve1/lxc/101/status";
        let resume = |world: &mut World| world.post(&format!("{path}/resume"), &[]);
        assert_eq!(resume(&mut world).reason, "CT 101 already running");
        let got = world.post(&format!("{path}/suspend"), &[]);
        assert!(got.data.as_str().unwrap().contains(":vzsuspend:101:"), "{got:?}");
        assert_eq!(world.finish(&got), "OK");
        let now = world.get(&format!("{path}/current")).data;
        assert_eq!((&now["status"], now.get("lock")), (&json!("stopped"), None), "{version}");
        let got = resume(&mut world);
        assert!(got.data.as_str().unwrap().contains(":vzresume:101:"), "{got:?}");
        assert_eq!(world.finish(&got), "OK");
        assert!(running(&world, 101));
        // One that was merely off has none.
        let got = world.post("/nodes/pve1/lxc/102/status/resume", &[]);
        let end = world.finish(&got);
        assert!(
            end.starts_with("command 'lxc-checkpoint -n 102 -r") && end.ends_with("exit code 1"),
            "{end}"
        );
        assert!(!running(&world, 102));
    }
}

#[test]
fn a_hibernated_machine_is_locked_and_its_start_is_its_waking() {
    let mut world = World::new("9.2");
    let suspend = "/nodes/pve1/qemu/100/status/suspend";
    for verb in ["resume", "start"] {
        let got = world.post(suspend, &[("todisk", "1")]);
        assert!(got.data.as_str().unwrap().contains(":qmsuspend:100:"), "{got:?}");
        assert_eq!(world.get("/nodes/pve1/qemu/100/status/current").data["lock"], "suspending");
        assert_eq!(world.finish(&got), "OK");
        let now = world.get("/nodes/pve1/qemu/100/status/current").data;
        assert_eq!((&now["status"], &now["lock"]), (&json!("stopped"), &json!("suspended")));
        assert!(world.get("/nodes/pve1/qemu/100/config").data["vmstate"].is_string());
        let got = world.post(&format!("/nodes/pve1/qemu/100/status/{verb}"), &[]);
        assert_eq!(world.finish(&got), "OK", "{verb}");
        let now = world.get("/nodes/pve1/qemu/100/status/current").data;
        assert_eq!((&now["status"], now.get("lock")), (&json!("running"), None), "{verb}");
    }
    assert_eq!(world.post("/nodes/pve1/qemu/103/status/resume", &[]).reason, "VM 103 not running");
    world.cluster.guest_mut(100).unwrap().set_lock(Some("backup"));
    let got = world.post(suspend, &[("todisk", "1")]);
    assert_eq!(world.finish(&got), "VM is locked (backup)");
    assert!(running(&world, 100));
}

#[test]
fn locks_and_templates_keep_a_guest_from_starting() {
    let mut world = World::new("9.2");
    world.cluster.guest_mut(102).unwrap().set_lock(Some("backup"));
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!(world.finish(&got), "CT is locked (backup)");
    assert_eq!(world.put("/nodes/pve1/lxc/102/config", &[("memory", "64")]).reason, "CT is locked (backup)");
    world.cluster.guest_mut(103).unwrap().set_config("template", Some("1"));
    let got = world.post("/nodes/pve1/qemu/103/status/start", &[]);
    assert_eq!(world.finish(&got), "you can't start a vm if it's a template");
}

#[test]
fn a_missing_guest_is_a_500_that_says_so_or_a_task_that_fails() {
    let mut world = World::new("9.2");
    let words = "Configuration file 'nodes/pve1/lxc/999.conf' does not exist";
    assert_eq!(world.get("/nodes/pve1/lxc/999/config").reason, words);
    assert_eq!(
        world.get("/nodes/pve1/lxc/100/config").reason,
        "Configuration file 'nodes/pve1/lxc/100.conf' does not exist",
        "a machine is no container"
    );
    let got = world.post("/nodes/pve1/lxc/999/status/start", &[]);
    assert_eq!(world.finish(&got), words);
    assert_eq!(world.get("/nodes/pve1/lxc/0101/config").errors, ["vmid"]);
}

#[test]
fn a_shutdown_may_time_out_unless_it_is_forced() {
    let mut world = World::new("9.2");
    world.cluster.guest_mut(100).unwrap().set_config("description", Some("never shuts down"));
    let got = world.post("/nodes/pve1/qemu/100/status/shutdown", &[]);
    assert_eq!(world.finish(&got), "VM quit/powerdown failed - got timeout");
    assert!(running(&world, 100));
    let got = world.post("/nodes/pve1/qemu/100/status/shutdown", &[("forceStop", "1")]);
    assert_eq!(world.finish(&got), "OK");
    assert!(!running(&world, 100));
}

#[test]
fn states_have_the_types_of_their_version() {
    for version in ["7.4", "8.4", "9.2"] {
        let mut world = World::new(version);
        let nine = version == "9.2";
        let rows = world.get("/nodes/pve1/lxc").data;
        let row = &rows[0];
        assert_eq!(row["vmid"], if version == "7.4" { json!("101") } else { json!(101) }, "{version}");
        let status = world.get("/nodes/pve1/lxc/101/status/current").data;
        assert_eq!(status["vmid"], 101);
        assert_eq!(status["ha"], json!({"managed": 0}));
        assert_eq!(status.get("pressurecpusome").is_some(), nine);
        assert!(status["cpu"].as_f64().unwrap() > 0.0);
        let vm = world.get("/nodes/pve1/qemu/100/status/current").data;
        assert_eq!(vm.get("memhost").is_some(), nine);
        assert_eq!(vm["disk"], 0, "the host does not see into a machine's disk");
        let stopped = world.get("/nodes/pve1/qemu/103/status/current").data;
        assert!(stopped.get("pid").is_none() && stopped.get("diskread").is_none());
    }
}

#[test]
fn addresses_of_containers_and_machines_come_two_ways() {
    let mut world = World::new("9.2");
    assert_eq!(world.get("/nodes/pve1/lxc/102/interfaces").data, Value::Null, "off");
    let on = world.get("/nodes/pve1/lxc/101/interfaces").data;
    assert_eq!(on[1]["name"], "eth0");
    assert!(on[1]["ip-addresses"][0]["ip-address"].as_str().unwrap().starts_with("192.0.2."));
    let agent = "/nodes/pve1/qemu/100/agent/network-get-interfaces";
    assert_eq!(world.get(agent).reason, "No QEMU guest agent configured");
    world.cluster.guest_mut(100).unwrap().set_config("agent", Some("1"));
    assert_eq!(world.get(agent).reason, "QEMU guest agent is not running");
    world.cluster.guest_mut(100).unwrap().set_agent(true);
    assert_eq!(world.get(agent).data["result"][1]["ip-addresses"][0]["ip-address-type"], "ipv4");
    let off = world.get("/nodes/pve1/qemu/103/agent/network-get-interfaces");
    assert_eq!(off.reason, "VM 103 is not running");
}

#[test]
fn guests_are_created_and_destroyed() {
    let mut world = World::new("9.2");
    let got = world.post("/nodes/pve1/qemu", &[("vmid", "100")]);
    assert_eq!(got.reason, "unable to create VM 100 - VM 100 already exists on node 'pve1'");
    assert_eq!(world.post("/nodes/pve1/lxc", &[("vmid", "130")]).errors, ["ostemplate"]);
    let got = world.post("/nodes/pve1/lxc", &[("vmid", "131"), ("ostemplate", "foo")]);
    assert!(
        world.finish(&got).contains("unable to parse volume ID 'foo'"),
        "accepted, and fails in the task"
    );
    let got = world.post(
        "/nodes/pve1/qemu",
        &[
            ("vmid", "120"),
            ("name", "runner"),
            ("scsi0", "local:8,format=qcow2"),
            ("net0", "virtio,bridge=vmbr0"),
            ("tags", "b;a"),
        ],
    );
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(world.get("/nodes/pve1/qemu/120/config").data["lock"], "create");
    assert_eq!(world.finish(&got), "OK");
    let conf = world.get("/nodes/pve1/qemu/120/config").data;
    assert_eq!(conf["scsi0"], "local:120/vm-120-disk-0.raw,size=8G");
    assert!(conf["net0"].as_str().unwrap().starts_with("virtio=BC:24:11:"));
    assert_eq!(conf["tags"], "a;b");
    assert_eq!(conf["boot"], "order=scsi0;net0");
    assert!(conf.get("lock").is_none());

    assert_eq!(world.delete("/nodes/pve1/qemu/100").reason, "VM 100 is running - destroy failed");
    assert_eq!(world.delete("/nodes/pve1/lxc/101").reason, "unable to destroy CT 101 - container is running");
    world.cluster.guest_mut(102).unwrap().set_config("protection", Some("1"));
    assert_eq!(world.delete("/nodes/pve1/lxc/102").reason, "can't remove CT 102 - protection mode enabled");
    let got = world.delete("/nodes/pve1/qemu/120");
    assert_eq!(world.finish(&got), "OK");
    assert!(world.cluster.guest(120).is_none());
}

#[test]
fn snapshots_are_a_list_that_ends_here() {
    let mut world = World::new("9.2");
    let got = world.post("/nodes/pve1/lxc/101/snapshot", &[("snapname", "one"), ("description", "first")]);
    assert_eq!(world.finish(&got), "OK");
    let got = world.post("/nodes/pve1/lxc/101/snapshot", &[("snapname", "one")]);
    assert_eq!(world.finish(&got), "snapshot name 'one' already used");
    assert_eq!(
        world.post("/nodes/pve1/lxc/101/snapshot", &[("snapname", "current")]).reason,
        "unable to use snapshot name 'current' (reserved name)"
    );
    let rows = world.get("/nodes/pve1/lxc/101/snapshot").data;
    assert_eq!(rows[0]["name"], "one");
    assert_eq!(rows[0]["description"], "first\n");
    assert_eq!((rows[1]["name"].clone(), rows[1]["parent"].clone()), (json!("current"), json!("one")));
    assert_eq!(rows[1]["running"], 1);
    assert_eq!(
        world.get("/nodes/pve1/lxc/101/config?snapshot=nope").reason,
        "snapshot 'nope' does not exist"
    );
}
