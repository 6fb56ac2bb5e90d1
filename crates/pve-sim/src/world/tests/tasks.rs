use serde_json::json;

use super::*;

fn start(world: &mut World) -> String {
    world.post("/nodes/pve1/lxc/102/status/start", &[]).data.as_str().unwrap().to_owned()
}

#[test]
fn a_upid_is_built_as_proxmox_builds_it() {
    let mut world = World::new("9.2");
    let upid = start(&mut world);
    let parts: Vec<&str> = upid.split(':').collect();
    assert_eq!(parts.len(), 9, "{upid}");
    assert_eq!(
        (parts[0], parts[1], parts[5], parts[6], parts[7], parts[8]),
        ("UPID", "pve1", "vzstart", "102", "root@pam", "")
    );
    assert!(parts[2].len() == 8 && parts[3].len() == 8 && parts[4] == format!("{:08X}", world.now.seconds()));
    world.token("root@pam!admin=s-admin");
    world.pass(10_000);
    let got = world.post("/nodes/pve1/lxc/102/status/stop", &[]);
    assert!(got.data.as_str().unwrap().ends_with(":vzstop:102:root@pam!admin:"), "{got:?}");
    let status = world.get(&format!("/nodes/pve1/tasks/{}/status", got.data.as_str().unwrap())).data;
    assert_eq!((status["user"].clone(), status["tokenid"].clone()), (json!("root@pam"), json!("admin")));
}

#[test]
fn a_task_reads_differently_alone_in_its_nodes_list_and_in_the_clusters() {
    let mut world = World::new("9.2");
    let upid = start(&mut world);
    let status = world.get(&format!("/nodes/pve1/tasks/{upid}/status")).data;
    assert_eq!(status["status"], "running");
    assert!(status.get("exitstatus").is_none());
    let active = world.get("/nodes/pve1/tasks?source=active").data;
    assert_eq!((active[0]["status"].clone(), active[0]["saved"].clone()), (json!("RUNNING"), json!("0")));
    assert!(world.get("/cluster/tasks").data[0].get("status").is_none());
    assert_eq!(world.get("/nodes/pve1/tasks").data, json!([]), "the archive has the finished ones");
    world.pass(5_000);
    let status = world.get(&format!("/nodes/pve1/tasks/{upid}/status")).data;
    assert_eq!((status["status"].clone(), status["exitstatus"].clone()), (json!("stopped"), json!("OK")));
    assert_eq!(world.get("/nodes/pve1/tasks").data[0]["status"], "OK");
    assert_eq!(world.get("/cluster/tasks").data[0]["status"], "OK");
}

#[test]
fn tasks_fail_warn_and_hang_as_they_are_told() {
    let mut world = World::new("9.2");
    world.cluster.fail_next_task("vzstart", "startup for container '102' failed");
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!(world.finish(&got), "startup for container '102' failed");
    assert!(!running(&world, 102));
    let log = world.get(&format!("/nodes/pve1/tasks/{}/log", got.data.as_str().unwrap())).data;
    assert_eq!(log[0], json!({"n": 1, "t": "TASK ERROR: startup for container '102' failed"}));

    world.cluster.warn_next_task("vzstart", 1);
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!(world.finish(&got), "WARNINGS: 1");
    assert!(running(&world, 102));
    assert_eq!(world.get("/nodes/pve1/tasks?errors=1").total, Some(1), "a warning is no error");

    world.cluster.hang_next_task("vzstop");
    let got = world.post("/nodes/pve1/lxc/102/status/stop", &[]);
    let upid = got.data.as_str().unwrap().to_owned();
    world.pass(3_600_000);
    world.sign_in("root@pam", "secret-root");
    assert_eq!(world.get(&format!("/nodes/pve1/tasks/{upid}/status")).data["status"], "running");
    assert_eq!(world.delete(&format!("/nodes/pve1/tasks/{upid}")).status, 200);
    let status = world.get(&format!("/nodes/pve1/tasks/{upid}/status")).data;
    assert_eq!(status["exitstatus"], "interrupted by signal");
    assert!(running(&world, 102));
}

#[test]
fn lists_and_logs_are_paged() {
    let mut world = World::new("9.2");
    for number in 0..60 {
        world.cluster.add_finished_task("pve1", "vzdump", "", "root@pam", 1_000 - number, "OK");
    }
    let all = world.get("/nodes/pve1/tasks");
    assert_eq!((all.data.as_array().unwrap().len(), all.total), (50, Some(60)));
    let page = world.get("/nodes/pve1/tasks?start=55&limit=50");
    assert_eq!((page.data.as_array().unwrap().len(), page.total), (5, Some(60)));
    assert_eq!(world.get("/cluster/tasks").data.as_array().unwrap().len(), 25);
    assert_eq!(world.send(Method::Get, "/cluster/tasks", &[("limit", "5")]).status, 400);
    world.cluster.warn_next_task("vzstart", 70);
    let upid = start(&mut world);
    world.pass(5_000);
    let log = world.get(&format!("/nodes/pve1/tasks/{upid}/log"));
    assert_eq!((log.data.as_array().unwrap().len(), log.total), (50, Some(71)));
    let rest = world.get(&format!("/nodes/pve1/tasks/{upid}/log?start=50&limit=100"));
    assert_eq!(rest.data.as_array().unwrap().len(), 21);
    assert_eq!(rest.data[20], json!({"n": 71, "t": "TASK WARNINGS: 70"}));
    let filtered = world.get("/nodes/pve1/tasks?typefilter=vzstart&vmid=102");
    assert_eq!(filtered.total, Some(1));
}

#[test]
fn only_its_own_node_knows_a_task() {
    let mut world = World::cluster("9.2");
    let upid = start(&mut world);
    let got = world.get(&format!("/nodes/pve2/tasks/{upid}/status"));
    assert_eq!((got.status, got.errors), (400, vec!["upid".to_owned()]));
    let got =
        world.get("/nodes/pve1/tasks/UPID:pve1:00000001:00000001:6B022000:qmstart:100:root@pam:/status");
    assert_eq!(got.errors, ["upid"]);
    world.node = "pve2".to_owned();
    assert_eq!(world.get(&format!("/nodes/pve1/tasks/{upid}/status")).status, 200, "asked through another");
    world.cluster.kill_node("pve1");
    let got = world.get(&format!("/nodes/pve1/tasks/{upid}/status"));
    assert_eq!((got.status, got.reason.as_str(), got.bare), (595, "No route to host", true));
    world.cluster.revive_node("pve1");
    let status = world.get(&format!("/nodes/pve1/tasks/{upid}/status")).data;
    assert_eq!(status["exitstatus"], "unexpected status", "it died with its node");
}

#[test]
fn who_may_not_look_at_the_node_sees_own_tasks_only() {
    let mut spec = spec("9.2", 1);
    spec.acl = vec![acl("/vms", "alice@pve", "PVEVMUser")];
    let mut world = World::of(&spec);
    start(&mut world);
    world.pass(5_000);
    world.sign_in("alice@pve", "secret-alice");
    assert_eq!(world.get("/nodes/pve1/tasks").total, None);
    let got = world.post("/nodes/pve1/lxc/102/status/stop", &[]);
    assert_eq!(world.finish(&got), "OK");
    assert_eq!(world.get("/nodes/pve1/tasks").total, Some(1));
}

#[test]
fn a_clock_that_is_set_lets_tasks_go_on_and_keeps_uptimes() {
    const MONTH: i64 = 31 * 86_400_000;
    for by in [-MONTH, MONTH, -600_000, 600_000] {
        let mut world = World::new("9.2");
        let uptime = |world: &mut World| {
            let status = world.get("/nodes/pve1/lxc/101/status/current");
            (status.data["uptime"].as_u64().unwrap(), world.get("/nodes/pve1/status").data["uptime"].clone())
        };
        let before = uptime(&mut world);
        let begun = start(&mut world);
        world.now = world.now.shifted(by);
        world.cluster.set_clock(by);
        // Tickets written before are too old or from the future; the tasks know nothing of that.
        world.sign_in("root@pam", "secret-root");
        assert_eq!(uptime(&mut world), before);
        let row = world.row("lxc/102").unwrap();
        assert_eq!((row["status"].clone(), row["name"].is_string()), (json!("stopped"), true), "not yet");
        assert_eq!(world.get(&format!("/nodes/pve1/tasks/{begun}/status")).data["status"], "running");
        world.pass(2_500);
        let status = world.get(&format!("/nodes/pve1/tasks/{begun}/status")).data;
        assert_eq!((status["status"].clone(), status["exitstatus"].clone()), (json!("stopped"), json!("OK")));
        world.pass(10_000);
        assert_eq!(world.row("lxc/102").unwrap()["status"], "running", "the status daemon reports");
        let got = world.post("/nodes/pve1/lxc/102/status/stop", &[]);
        let stamp = u64::from_str_radix(got.data.as_str().unwrap().split(':').nth(4).unwrap(), 16).unwrap();
        assert_eq!(stamp, world.now.seconds());
        assert_eq!(world.finish(&got), "OK");
    }
}

#[test]
fn a_dead_node_is_forgotten_after_five_minutes_whatever_the_clock_says() {
    let mut world = World::cluster("9.2");
    world.cluster.kill_node("pve2");
    world.now = world.now.shifted(86_400_000);
    world.cluster.set_clock(86_400_000);
    world.sign_in("root@pam", "secret-root");
    world.pass(60_000);
    assert!(world.row("lxc/201").unwrap().get("name").is_some());
    world.pass(300_000);
    assert!(world.row("lxc/201").unwrap().get("name").is_none());
}

#[test]
fn a_second_task_of_a_guest_waits_for_the_first() {
    let mut world = World::new("9.2");
    let first = world.post("/nodes/pve1/lxc/101/status/shutdown", &[]);
    let second = world.post("/nodes/pve1/lxc/101/status/stop", &[]);
    let upid = |got: &Got| got.data.as_str().unwrap().to_owned();
    let status = |world: &mut World, upid: &str| {
        let data = world.get(&format!("/nodes/pve1/tasks/{upid}/status")).data;
        data["exitstatus"].as_str().unwrap_or("running").to_owned()
    };
    world.pass(3_000);
    assert_eq!(status(&mut world, &upid(&second)), "running", "a stop alone takes one second");
    assert!(running(&world, 101));
    world.pass(1_500);
    assert_eq!(status(&mut world, &upid(&first)), "OK");
    assert_eq!(status(&mut world, &upid(&second)), "running");
    world.pass(1_000);
    assert_eq!(status(&mut world, &upid(&second)), "OK");
    let log = world.get(&format!("/nodes/pve1/tasks/{}/log", upid(&second))).data;
    assert_eq!(
        (log[0]["t"].clone(), log[1]["t"].clone()),
        (json!("trying to acquire lock..."), json!(" OK"))
    );
    let other = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    let got = world.post("/nodes/pve1/qemu/100/status/stop", &[]);
    assert_eq!((world.finish(&got), world.finish(&other)), ("OK".to_owned(), "OK".to_owned()));
}

#[test]
fn who_waits_too_long_for_a_guest_fails() {
    for (path, task, file) in [
        ("/nodes/pve1/lxc/101", "vzshutdown", "/run/lock/lxc/pve-config-101.lock"),
        ("/nodes/pve1/qemu/100", "qmshutdown", "/var/lock/qemu-server/lock-100.conf"),
    ] {
        let mut world = World::new("9.2");
        world.cluster.hang_next_task(task);
        world.post(&format!("{path}/status/shutdown"), &[]);
        let stop = world.post(&format!("{path}/status/stop"), &[]);
        assert_eq!(world.finish(&stop), format!("can't lock file '{file}' - got timeout"));
        let waiting = world.post(&format!("{path}/status/stop"), &[]);
        world.pass(2_000);
        let overruling = world.post(&format!("{path}/status/stop"), &[("overrule-shutdown", "1")]);
        assert_eq!(world.finish(&waiting), "OK", "the lock is free");
        assert_eq!(world.finish(&overruling), "OK");
    }
}
