use serde_json::json;

use super::*;

fn managed(version: &str) -> World {
    let mut spec = spec(version, 3);
    for guest in &mut spec.guests {
        guest.ha = matches!(guest.vmid, 100 | 102);
    }
    World::of(&spec)
}

#[test]
fn the_wish_is_done_at_once_and_the_deed_later() {
    let mut world = managed("9.2");
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert!(got.data.as_str().unwrap().contains(":hastart:102:"), "{got:?}");
    assert_eq!(world.finish(&got), "OK");
    assert!(!running(&world, 102), "only the wish is recorded");
    assert_eq!(world.get("/nodes/pve1/lxc/102/status/current").data["ha"]["managed"], 1);
    world.pass(15_000);
    assert!(running(&world, 102));
    world.pass(10_000);
    let row = world.row("lxc/102").unwrap();
    assert_eq!((row["hastate"].clone(), row["status"].clone()), (json!("started"), json!("running")));
    let real = world.cluster.upids().into_iter().find(|upid| upid.contains(":vzstart:102:root@pam:"));
    assert!(real.is_some(), "the manager's own task");
}

#[test]
fn the_manager_chooses_the_node() {
    let mut world = managed("9.2");
    world.cluster.prefer_ha_node(102, "pve3");
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!(world.finish(&got), "OK");
    world.pass(20_000);
    assert_eq!(world.cluster.node_of(102), Some("pve3"));
    assert!(running(&world, 102));
    assert!(
        world
            .cluster
            .upids()
            .iter()
            .any(|upid| upid.starts_with("UPID:pve3:") && upid.contains(":vzstart:102:"))
    );
}

#[test]
fn a_held_guest_never_starts_until_it_is_let_go() {
    let mut world = managed("9.2");
    world.cluster.hold_ha(102, true);
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!(world.finish(&got), "OK", "the wish is recorded all the same");
    world.pass(3_600_000);
    assert!(!running(&world, 102));
    world.cluster.hold_ha(102, false);
    world.pass(20_000);
    assert!(running(&world, 102));
}

#[test]
fn a_failed_start_becomes_an_error_of_the_service() {
    let mut world = managed("9.2");
    world.cluster.fail_next_task("vzstart", "no space left");
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!(world.finish(&got), "OK");
    world.pass(20_000);
    assert_eq!(world.row("lxc/102").unwrap()["hastate"], "error");
    let rows = world.get("/cluster/ha/status/current").data;
    let row = rows.as_array().unwrap().iter().find(|row| row["id"] == "service:ct:102").unwrap().clone();
    assert_eq!((row["state"].clone(), row["request_state"].clone()), (json!("error"), json!("started")));
}

#[test]
fn stop_shutdown_and_migrate_are_wishes_and_reboot_is_not() {
    let mut world = managed("9.2");
    let name = |got: &Got| got.data.as_str().unwrap().split(':').nth(5).unwrap().to_owned();
    let got = world.post("/nodes/pve1/qemu/100/status/reboot", &[]);
    assert_eq!(name(&got), "qmreboot");
    assert_eq!(world.finish(&got), "OK");
    let got = world.post("/nodes/pve1/qemu/100/migrate", &[("target", "pve2"), ("online", "1")]);
    assert_eq!(name(&got), "hamigrate");
    assert_eq!(world.finish(&got), "OK");
    assert_eq!(world.cluster.node_of(100), Some("pve1"));
    world.pass(30_000);
    assert_eq!(world.cluster.node_of(100), Some("pve2"));
    assert!(running(&world, 100));
    let got = world.post("/nodes/pve2/qemu/100/status/shutdown", &[]);
    assert_eq!(name(&got), "hastop");
    assert_eq!(world.finish(&got), "OK");
    world.pass(30_000);
    assert!(!running(&world, 100));
}

#[test]
fn guests_of_a_dead_node_come_up_elsewhere() {
    let mut world = managed("9.2");
    world.node = "pve2".to_owned();
    world.cluster.kill_node("pve1");
    world.pass(20_000);
    assert_eq!(world.row("qemu/100").unwrap()["hastate"], "fence");
    world.pass(60_000);
    assert_eq!(world.cluster.node_of(100), Some("pve2"));
    world.pass(10_000);
    assert!(running(&world, 100));
    assert_eq!(world.cluster.node_of(101), Some("pve1"), "what is not under HA stays");
}

#[test]
fn a_node_that_comes_back_in_time_keeps_its_guests() {
    let mut world = managed("9.2");
    world.node = "pve2".to_owned();
    world.cluster.kill_node("pve1");
    world.pass(20_000);
    world.cluster.revive_node("pve1");
    world.pass(120_000);
    assert_eq!(world.cluster.node_of(100), Some("pve1"));
    assert!(running(&world, 100));
    assert_eq!(world.row("qemu/100").unwrap()["hastate"], "started");
}

#[test]
fn groups_until_8_and_rules_since_9() {
    let mut old = managed("8.4");
    assert_eq!(old.post("/cluster/ha/groups", &[("group", "g1"), ("nodes", "pve1,pve2:2")]).status, 200);
    assert_eq!(old.get("/cluster/ha/groups").data[0]["group"], "g1");
    assert_eq!(old.get("/cluster/ha/rules").status, 501);
    let mut new = managed("9.2");
    let got = new.get("/cluster/ha/groups");
    assert_eq!(got.reason, "cannot index groups: ha groups have been migrated to rules");
    assert_eq!(new.get("/cluster/ha/rules").data, json!([]));
}

#[test]
fn resources_are_added_and_removed() {
    let mut world = World::new("9.2");
    world.cluster.set_ha_manager(false);
    let add = [("sid", "vm:100"), ("state", "stopped"), ("max_restart", "2")];
    assert_eq!(world.post("/cluster/ha/resources", &add).status, 200);
    let row = world.get("/cluster/ha/resources/vm:100").data;
    assert_eq!((row["max_restart"].clone(), row["state"].clone()), (json!(2), json!("stopped")));
    let ha = world.get("/nodes/pve1/qemu/100/status/current").data["ha"].clone();
    assert_eq!(ha, json!({"managed": 1, "state": null}), "nobody took notice yet");
    assert_eq!(
        world.get("/cluster/ha/status/manager_status").data,
        json!({"manager_status": {"node_status": {}}, "quorum": {"quorate": "1", "node": "pve1"}})
    );
    assert_eq!(world.delete("/cluster/ha/resources/vm:100").status, 200);
    assert_eq!(world.get("/cluster/ha/resources/vm:100").reason, "no such resource 'vm:100'");
}
