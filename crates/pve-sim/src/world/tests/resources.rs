use serde_json::json;

use super::*;
use crate::seam::Oddity;

#[test]
fn changes_show_with_the_status_daemons_delay() {
    let mut world = World::new("9.2");
    world.pass(10_000);
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    world.pass(2_500);
    assert_eq!(world.get("/nodes/pve1/lxc/102/status/current").data["status"], "running");
    assert_eq!(world.row("lxc/102").unwrap()["status"], "stopped", "not reported yet: {got:?}");
    world.pass(10_000);
    assert_eq!(world.row("lxc/102").unwrap()["status"], "running");
}

#[test]
fn a_new_guest_is_unknown_until_it_is_reported_and_a_lock_shows_at_once() {
    let mut world = World::new("9.2");
    world.pass(10_000);
    world.cluster.add_guest(&guest(500, Kind::Ct, "pve1", true)).unwrap();
    let row = world.row("lxc/500").unwrap();
    assert_eq!(
        row,
        json!({"id": "lxc/500", "type": "lxc", "vmid": 500, "node": "pve1", "status": "unknown"})
    );
    world.cluster.guest_mut(101).unwrap().set_lock(Some("backup"));
    assert_eq!(world.row("lxc/101").unwrap()["lock"], "backup");
    world.pass(10_000);
    assert_eq!(world.row("lxc/500").unwrap()["name"], "lxc500");
}

#[test]
fn rows_have_the_columns_of_their_version() {
    for (version, kind, memhost) in
        [("7.4", None, false), ("8.4", Some("sdn"), false), ("9.2", Some("network"), true)]
    {
        let mut world = World::new(version);
        let row = world.row("qemu/100").unwrap();
        assert_eq!(row.get("memhost").is_some(), memhost, "{version}");
        assert_eq!((row["template"].clone(), row["disk"].clone()), (json!(0), json!(0)));
        let rows = world.get("/cluster/resources").data;
        let has = |kind: &str| rows.as_array().unwrap().iter().any(|row| row["type"] == kind);
        assert_eq!(has("sdn"), kind == Some("sdn"), "{version}");
        assert_eq!(has("network"), kind == Some("network"), "{version}");
        let only = world.get("/cluster/resources?type=vm").data;
        assert!(
            only.as_array().unwrap().iter().all(|row| row["vmid"].is_number()),
            "containers are under vm too"
        );
    }
    assert_eq!(World::new("9.2").get("/cluster/resources?type=lxc").errors, ["type"]);
}

#[test]
fn a_hidden_guest_is_missing_and_a_shown_one_back() {
    let mut world = World::new("9.2");
    world.sign_in("alice@pve", "secret-alice");
    world.cluster.hide_from("alice@pve", "/vms/101");
    assert!(world.row("lxc/101").is_none());
    assert_eq!(world.get("/nodes/pve1/lxc/101/config").status, 403);
    assert!(world.row("lxc/102").is_some());
    world.cluster.hide_nothing();
    assert!(world.row("lxc/101").is_some());
    world.cluster.revoke("/", "alice@pve");
    assert_eq!(world.get("/cluster/resources?type=vm").data, json!([]));
    world.sign_in("root@pam", "secret-root");
    world.cluster.hide_from("root@pam", "/vms");
    assert_eq!(world.get("/cluster/resources?type=vm").data, json!([]), "even root can be blinded");
}

#[test]
fn gauges_move_and_the_same_seed_moves_them_the_same_way() {
    let show = |wait: u64| {
        let mut world = World::new("9.2");
        world.pass(wait);
        world.row("lxc/101").unwrap()
    };
    assert_eq!(show(30_000), show(30_000));
    let (early, late) = (show(30_000), show(90_000));
    assert_ne!(early["cpu"], late["cpu"]);
    assert!(late["netin"].as_u64() > early["netin"].as_u64());
}

#[test]
fn fields_can_be_overridden_and_taken_away() {
    let mut world = World::new("9.2");
    for value in [json!(1), json!(true), json!("1"), json!(""), Value::Null] {
        world.cluster.override_field("/nodes/*/lxc/101/status/current", "/ha/managed", value.clone());
        assert_eq!(world.get("/nodes/pve1/lxc/101/status/current").data["ha"]["managed"], value);
    }
    world.cluster.remove_field("/nodes/*/lxc/101/status/current", "/ha/managed");
    assert_eq!(world.get("/nodes/pve1/lxc/101/status/current").data["ha"], json!({}));
    world.cluster.override_field("/cluster/resources", "/*/node", json!(7));
    let rows = world.get("/cluster/resources?type=vm").data;
    assert!(rows.as_array().unwrap().iter().all(|row| row["node"] == 7));
    world.cluster.clear_overrides();
    assert_eq!(world.get("/nodes/pve1/lxc/101/status/current").data["ha"]["managed"], 0);
}

#[test]
fn an_odd_host_sends_odd_types_and_signs_in_all_the_same() {
    let mut world = World::new("9.2");
    let plain = world.get("/cluster/resources").data;
    world.cluster.set_oddity(Oddity::Odd);
    let odd = world.get("/cluster/resources").data;
    assert_ne!(plain, odd);
    assert_eq!(odd, world.get("/cluster/resources").data);
    assert!(world.get("/nodes/pve1/lxc/101/status/current").data["ha"].is_array());
    world.sign_in("alice@pve", "secret-alice");
}

#[test]
fn a_filled_cluster_is_what_its_seed_says() {
    let mut spec = spec("9.2", 3);
    spec.fill = 60;
    spec.fill_ha = 8;
    let mut world = World::of(&spec);
    assert_eq!(world.cluster.vmids().len(), 64);
    assert_eq!(world.get("/cluster/ha/resources").data.as_array().unwrap().len(), 8);
    let mut again = World::of(&spec);
    assert_eq!(world.get("/cluster/resources").data, again.get("/cluster/resources").data);
    let names = world.get("/cluster/resources?type=vm").data;
    assert!(names.as_array().unwrap().iter().all(|row| row["name"].is_string()));
}
