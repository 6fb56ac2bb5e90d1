use serde_json::json;

use super::*;

#[test]
fn a_dead_nodes_guests_keep_their_last_state_for_five_minutes_and_then_lose_their_names() {
    let mut world = World::cluster("9.2");
    world.pass(20_000);
    let before = world.row("lxc/301").unwrap();
    world.cluster.kill_node("pve3");
    world.pass(20_000);
    let soon = world.row("lxc/301").unwrap();
    assert_eq!(soon, before, "the last state, all fields");
    let node = world.row("node/pve3").unwrap();
    assert_eq!(node["status"], "offline");
    assert!(node.get("cpu").is_none() && node.get("maxcpu").is_some());
    world.pass(300_000);
    let late = world.row("lxc/301").unwrap();
    assert_eq!(
        late,
        json!({"id": "lxc/301", "type": "lxc", "vmid": 301, "node": "pve3", "status": "unknown"})
    );
    let node = world.row("node/pve3").unwrap();
    assert!(node.get("maxcpu").is_none());
    assert_eq!(world.row("storage/pve3/local").unwrap()["status"], "unknown");
    assert_eq!(world.row("lxc/201").unwrap()["status"], "running", "the others go on");
}

#[test]
fn a_node_that_cannot_be_reached_is_named_by_its_status() {
    let mut world = World::cluster("9.2");
    let ask = |world: &mut World| {
        let got = world.get("/nodes/pve3/status");
        (got.status, got.reason, got.bare)
    };
    world.cluster.set_health("pve3", super::super::Health::Hung);
    assert_eq!(ask(&mut world), (596, "Connection timed out".to_owned(), true));
    world.cluster.set_health("pve3", super::super::Health::ProxyDown);
    assert_eq!(ask(&mut world), (595, "Connection refused".to_owned(), true));
    world.cluster.kill_node("pve3");
    assert_eq!(ask(&mut world), (595, "No route to host".to_owned(), true));
    assert_eq!(world.get("/nodes/pve3").status, 200, "the index answers for the dead");
    let got = world.get("/nodes/nonode/status");
    assert_eq!(got.status, 500);
    assert!(got.reason.starts_with("hostname lookup 'nonode' failed"), "{}", got.reason);
    let rows = world.get("/cluster/status").data;
    assert_eq!((rows[0]["quorate"].clone(), rows[3]["online"].clone()), (json!(1), json!(0)));
}

#[test]
fn the_local_daemon_may_be_down_while_the_proxy_answers() {
    let mut world = World::new("9.2");
    world.cluster.set_health("pve1", super::super::Health::DaemonDown);
    assert_eq!(world.get("/version").status, 200);
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!((got.status, got.reason.as_str()), (595, "Connection refused"));
    world.auth = Auth::None;
    let got = world.post("/access/ticket", &[("username", "root@pam"), ("password", "secret-root")]);
    assert_eq!(got.status, 595, "even sign-in");
}

#[test]
fn without_quorum_reads_go_on_and_writes_say_why_not() {
    let mut world = World::cluster("9.2");
    world.cluster.set_quorum(false);
    world.sign_in("root@pam", "secret-root");
    assert_eq!(world.get("/cluster/resources").status, 200);
    assert_eq!(world.get("/cluster/status").data[0]["quorate"], 0);
    for asked in ["pve1", "pve2"] {
        world.node = asked.to_owned();
        let rows = world.get("/nodes").data;
        let online = |row: &Value| row["status"] == "online";
        let alone: Vec<&Value> = rows.as_array().unwrap().iter().filter(|row| online(row)).collect();
        assert_eq!(alone.len(), 1, "each sees itself only");
        assert_eq!(alone[0]["node"], asked);
    }
    world.node = "pve1".to_owned();
    let words = [
        (world.post("/nodes/pve1/lxc/102/status/start", &[]), "cluster not ready - no quorum?"),
        (
            world.put("/access/acl", &[("path", "/"), ("roles", "PVEAuditor"), ("users", "alice@pve")]),
            "ACL update failed: cfs-lock 'file-user_cfg' error: no quorum!",
        ),
        (
            world.put("/nodes/pve1/qemu/100/config", &[("memory", "512")]),
            "unable to open file '/etc/pve/nodes/pve1/qemu-server/100.conf.tmp.402' - Permission denied",
        ),
    ];
    for (got, expected) in words {
        assert_eq!((got.status, got.reason.as_str()), (500, expected));
    }
    world.cluster.set_quorum(true);
    assert_eq!(world.post("/nodes/pve1/lxc/102/status/start", &[]).status, 200);
}

#[test]
fn a_node_that_came_back_is_unknown_until_it_reports() {
    let mut world = World::cluster("9.2");
    world.pass(1_000);
    world.cluster.kill_node("pve3");
    world.cluster.revive_node("pve3");
    assert_eq!(world.row("node/pve3").unwrap()["status"], "unknown");
    assert_eq!(world.row("lxc/301").unwrap()["status"], "unknown");
    world.pass(10_000);
    assert_eq!(world.row("node/pve3").unwrap()["status"], "online");
    let row = world.row("lxc/301").unwrap();
    assert_eq!(row["status"], "running", "its onboot guests started again");
    assert!(row["uptime"].as_u64().unwrap() < 60);
}

#[test]
fn a_silent_status_daemon_ages_what_is_known_of_a_node_that_is_online() {
    let mut world = World::cluster("9.2");
    world.cluster.set_statd("pve2", false);
    world.pass(290_000);
    assert_eq!(world.row("lxc/201").unwrap()["status"], "running");
    world.pass(20_000);
    assert_eq!(world.row("lxc/201").unwrap()["status"], "unknown");
    assert_eq!(world.row("node/pve2").unwrap()["status"], "online");
}

#[test]
fn versions_tell_what_they_are() {
    for (version, full) in [("7.4", "7.4-16"), ("8.4", "8.4.5"), ("9.2", "9.2.3")] {
        let mut world = World::new(version);
        assert_eq!(world.get("/version").data["version"], full);
        assert_eq!(world.get("/version").data["release"], version);
        let status = world.get("/nodes/localhost/status").data;
        assert!(status["loadavg"][0].is_string());
        assert_eq!(status.get("boot-info").is_some(), version != "7.4");
        assert_eq!(status["memory"].get("available").is_some(), version == "9.2");
    }
}

#[test]
fn the_next_free_number_is_a_text() {
    let mut world = World::new("9.2");
    assert_eq!(world.get("/cluster/nextid").data, "104");
    assert_eq!(world.get("/cluster/nextid?vmid=500").data, "500");
    assert_eq!(world.get("/cluster/nextid?vmid=100").errors, ["vmid"]);
}
