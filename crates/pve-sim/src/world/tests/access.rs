use serde_json::json;

use super::*;

#[test]
fn a_refusal_names_path_and_privilege() {
    let mut world = World::new("9.2");
    world.sign_in("alice@pve", "secret-alice");
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    assert_eq!(got.status, 403);
    assert_eq!(got.reason, "Permission check failed (/vms/102, VM.PowerMgmt)");
    let got = world.put("/nodes/pve1/qemu/100/config", &[("memory", "512")]);
    assert_eq!(
        got.reason,
        "Permission check failed (/vms/100, VM.Config.Disk|VM.Config.CDROM|VM.Config.CPU|VM.Config.Memory|VM.Config.Network|VM.Config.HWType|VM.Config.Options|VM.Config.Cloudinit)"
    );
    assert_eq!(world.get("/nodes/pve1/lxc/102/config").status, 200, "an auditor reads");
    world.cluster.grant("/vms/102", "alice@pve", "PVEVMUser");
    assert_eq!(world.post("/nodes/pve1/lxc/102/status/start", &[]).status, 200);
    assert_eq!(world.post("/nodes/pve1/lxc/101/status/stop", &[]).status, 403);
}

#[test]
fn permissions_come_before_parameters() {
    let mut world = World::new("9.2");
    world.sign_in("alice@pve", "secret-alice");
    let got = world.post("/access/users", &[("userid", "al ice")]);
    assert_eq!(
        (got.status, got.reason.as_str()),
        (500, "value 'al ice' does not look like a valid user name")
    );
    let got = world.put("/nodes/pve1/qemu/100/config", &[("nonsense", "1")]);
    assert_eq!(got.status, 403);
}

#[test]
fn the_deepest_line_decides_and_no_access_ends_it() {
    let mut spec = spec("9.2", 1);
    spec.acl.push(acl("/vms/100", "alice@pve", "NoAccess"));
    spec.acl.push(acl("/vms/101", "alice@pve", "PVEVMUser"));
    let mut world = World::of(&spec);
    world.sign_in("alice@pve", "secret-alice");
    assert_eq!(world.get("/nodes/pve1/qemu/100/config").status, 403);
    assert_eq!(world.get("/nodes/pve1/lxc/101/config").status, 200);
    let data = world.get("/access/permissions").data;
    assert_eq!(data["/vms/101"]["VM.PowerMgmt"], 1);
    assert!(data.get("/vms/100").is_none());
    assert_eq!(data["/"]["VM.Audit"], 1);
    assert!(data["/"].get("VM.PowerMgmt").is_none());
}

#[test]
fn what_is_not_propagated_is_granted_as_zero() {
    let mut spec = spec("9.2", 1);
    let mut line = acl("/storage/local", "alice@pve", "PVEDatastoreUser");
    line.propagate = false;
    spec.acl = vec![line];
    let mut world = World::of(&spec);
    world.sign_in("alice@pve", "secret-alice");
    let data = world.get("/access/permissions").data;
    assert_eq!(data, json!({"/storage/local": {"Datastore.AllocateSpace": 0, "Datastore.Audit": 0}}));
}

#[test]
fn a_separated_token_has_its_own_rights_cut_with_its_users() {
    let mut spec = spec("9.2", 1);
    spec.acl.push(acl("/vms/101", "alice@pve!own", "Administrator"));
    let mut world = World::of(&spec);
    world.token("alice@pve!full=s-full");
    assert_eq!(world.get("/nodes/pve1/qemu/100/config").status, 200);
    world.token("alice@pve!own=s-own");
    assert_eq!(world.get("/nodes/pve1/qemu/100/config").status, 403);
    assert_eq!(world.get("/nodes/pve1/lxc/101/config").status, 200);
    let got = world.post("/nodes/pve1/lxc/101/status/stop", &[]);
    assert_eq!(got.reason, "Permission check failed (/vms/101, VM.PowerMgmt)", "alice may not either");
    assert_eq!(world.get("/access/permissions?path=/vms/101").data["/vms/101"]["VM.Audit"], 1);
}

#[test]
fn a_token_without_rights_sees_the_nodes_names_and_nothing_else() {
    let mut world = World::new("9.2");
    world.token("alice@pve!own=s-own");
    assert_eq!(world.get("/access/permissions").data, json!({}));
    let rows = world.get("/cluster/resources").data;
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["id"], "node/pve1");
    assert!(rows[0].get("cpu").is_none());
}

#[test]
fn a_token_is_not_its_user_where_tokens_are_made() {
    let mut world = World::new("9.2");
    world.token("alice@pve!full=s-full");
    assert_eq!(world.post("/access/users/alice@pve/token/more", &[]).status, 403);
    assert_eq!(world.delete("/access/users/alice@pve/token/full").status, 403, "not even itself");
    world.token("root@pam!admin=s-admin");
    assert_eq!(world.post("/access/users/root@pam/token/more", &[]).status, 200, "but by User.Modify");
    let got = world.post("/access/ticket", &[("username", "alice@pve"), ("password", "secret-alice")]);
    assert_eq!(got.status, 403, "{}", got.reason);
    world.sign_in("alice@pve", "secret-alice");
    assert_eq!(world.post("/access/users/alice@pve/token/more", &[]).status, 200);
    assert_eq!(world.delete("/access/users/alice@pve/token/more").status, 200);
}

#[test]
fn privileges_and_roles_are_those_of_the_version() {
    for (version, known, unknown) in [
        ("7.4", "VM.Monitor", "VM.GuestAgent.Audit"),
        ("8.4", "VM.Monitor", "VM.GuestAgent.Audit"),
        ("9.2", "VM.GuestAgent.Audit", "VM.Monitor"),
    ] {
        let mut world = World::new(version);
        assert_eq!(world.post("/access/roles", &[("roleid", "Good"), ("privs", known)]).status, 200);
        let got = world.post("/access/roles", &[("roleid", "Bad"), ("privs", unknown)]);
        assert_eq!((got.status, got.errors), (400, vec!["privs".to_owned()]), "{version}");
        assert_eq!(world.get("/access/roles/Good").data, json!({ known: 1 }), "{version}");
        let got = world.post("/access/roles", &[("roleid", "Good"), ("privs", known)]);
        assert_eq!(got.reason, "create role failed: role 'Good' already exists");
    }
}

#[test]
fn roots_token_is_not_root() {
    let mut world = World::new("9.2");
    world.cluster.guest_mut(102).unwrap().set_config("features", None);
    world.token("root@pam!admin=s-admin");
    let got = world.put("/nodes/pve1/lxc/102/config", &[("features", "nesting=1,keyctl=1")]);
    assert_eq!(got.status, 403);
    assert!(got.reason.contains("only allowed for root@pam"), "{}", got.reason);
    assert_eq!(world.put("/nodes/pve1/lxc/102/config", &[("features", "nesting=1")]).status, 200);
    let got = world.put("/nodes/pve1/qemu/103/config", &[("args", "-cpu max")]);
    assert_eq!(got.reason, "only root can set 'args' config");
    world.sign_in("root@pam", "secret-root");
    assert_eq!(world.put("/nodes/pve1/lxc/102/config", &[("features", "nesting=1,keyctl=1")]).status, 200);
}

#[test]
fn types_depend_on_the_path_taken() {
    let mut world = World::new("9.2");
    let got = world.post("/access/users/alice@pve/token/t1", &[("comment", "sep")]);
    assert_eq!(got.data["info"]["privsep"], 1);
    let got = world.post("/access/users/alice@pve/token/t2", &[("privsep", "0")]);
    assert_eq!(got.data["info"]["privsep"], "0");
    assert_eq!(got.data["full-tokenid"], "alice@pve!t2");
    let got = world.post("/access/users/alice@pve/token/t1", &[]);
    assert_eq!((got.status, got.errors), (400, vec!["tokenid".to_owned()]));
    let got = world.post("/access/users/alice@pve/token/1a", &[]);
    assert_eq!((got.status, got.errors), (400, vec!["tokenid".to_owned()]));
    assert_eq!(world.get("/access/users/root@pam").data["groups"], json!([]));
    let rows = world.get("/access/users?full=1").data;
    let bob = rows.as_array().unwrap().iter().find(|row| row["userid"] == "bob@pve").unwrap().clone();
    assert_eq!((bob["groups"].clone(), bob["tokens"].clone()), (json!(""), Value::Null));
    assert_eq!(bob["enable"], 0);
}

#[test]
fn a_pools_rights_reach_its_guests() {
    let mut spec = spec("9.2", 1);
    spec.acl = vec![acl("/pool/dev", "alice@pve", "PVEVMUser")];
    spec.guests[2].pool = Some("dev".to_owned());
    let mut world = World::of(&spec);
    world.sign_in("alice@pve", "secret-alice");
    assert_eq!(world.post("/nodes/pve1/lxc/102/status/start", &[]).status, 200);
    assert_eq!(world.post("/nodes/pve1/lxc/101/status/stop", &[]).status, 403);
}

#[test]
fn schemas_are_closed_and_say_what_is_wrong() {
    let mut world = World::new("9.2");
    let got = world.put(
        "/nodes/pve1/lxc/101/config",
        &[("memory", "1"), ("cores", "x"), ("net0", "bridge=vmbr0"), ("hostname", "bad_host!"), ("foo", "1")],
    );
    assert_eq!((got.status, got.reason.as_str()), (400, "Parameter verification failed."));
    assert_eq!(got.errors, ["cores", "foo", "hostname", "memory", "net0"]);
    let got = world.put(
        "/nodes/pve1/qemu/100/config",
        &[
            ("memory", "1"),
            ("scsi0", "foo"),
            ("net0", "nope"),
            ("ide9", "x"),
            ("agent", "zzz=1"),
            ("cores", "0"),
        ],
    );
    assert_eq!(got.errors, ["agent", "cores", "ide9", "memory", "net0", "scsi0"]);
    let rrd = world.get("/nodes/pve1/lxc/101/rrddata");
    assert_eq!((rrd.status, rrd.errors), (400, vec!["timeframe".to_owned()]));
    assert_eq!(world.get("/nodes?_dc=123").status, 200);
    for bad in ["true", "yes", "on", "2", ""] {
        assert_eq!(world.get(&format!("/access/users?enabled={bad}")).errors, ["enabled"], "{bad}");
    }
    let json =
        |value: Value| -> Params { [("enable".to_owned(), ParamValue::Json(value))].into_iter().collect() };
    assert_eq!(world.call(Method::Put, "/access/users/alice@pve", json(json!(true))).status, 200);
    assert_eq!(world.call(Method::Put, "/access/users/alice@pve", json(json!({"a": 1}))).errors, ["enable"]);
    assert_eq!(world.call(Method::Put, "/access/users/alice@pve", json(Value::Null)).status, 200);
    let bare = |name: &str| -> Params { [(name.to_owned(), ParamValue::Bare)].into_iter().collect() };
    assert_eq!(world.call(Method::Get, "/access/users", bare("enabled")).status, 200, "undefined");
    assert_eq!(world.call(Method::Get, "/access/users", bare("nonsense")).errors, ["nonsense"]);
    assert_eq!(world.call(Method::Post, "/access/users", bare("userid")).errors, ["userid"], "but required");
    let both: Params = [("type", "vm"), ("type", "node")]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), ParamValue::Form(v.to_owned())))
        .collect();
    assert_eq!(world.call(Method::Get, "/cluster/resources", both).errors, ["type"]);
}

#[test]
fn a_parameter_of_a_newer_version_is_refused_by_an_older_one() {
    let mut world = World::new("7.4");
    let got = world.put("/nodes/pve1/qemu/103/config", &[("import-working-storage", "local")]);
    assert_eq!(got.status, 400);
    assert_eq!(world.get("/cluster/ha/rules").status, 501);
    assert_eq!(World::new("9.2").get("/cluster/ha/rules").status, 200);
}

#[test]
fn users_roles_and_lines_come_and_go() {
    let mut world = World::new("9.2");
    world.cluster.add_group("devs");
    assert_eq!(world.post("/access/users", &[("userid", "eve@pve"), ("groups", "devs")]).status, 200);
    assert_eq!(world.get("/access/users/nobody@pve").reason, "no such user ('nobody@pve')");
    let got = world.put("/access/users/eve@pve", &[("groups", "devs,nope"), ("append", "1")]);
    assert_eq!(got.reason, "update user failed: no such group 'nope'");
    assert_eq!(
        world.post("/access/roles", &[("roleid", "My"), ("privs", "VM.Audit,VM.PowerMgmt")]).status,
        200
    );
    assert_eq!(world.post("/access/roles", &[("roleid", "My2"), ("privs", "VM.Foo")]).errors, ["privs"]);
    assert_eq!(
        world.delete("/access/roles/PVEAdmin").reason,
        "auto-generated role 'PVEAdmin' cannot be deleted"
    );
    let line = [("path", "/vms"), ("roles", "My"), ("groups", "devs")];
    assert_eq!(world.put("/access/acl", &line).status, 200);
    assert_eq!(world.get("/access/acl").data.as_array().unwrap().len(), 2);
    assert_eq!(world.delete("/access/roles/My").status, 200);
    assert_eq!(world.get("/access/acl").data.as_array().unwrap().len(), 1, "the line goes with its role");
    let got = world.put("/access/acl", &[("path", "/"), ("roles", "Nope"), ("users", "eve@pve")]);
    assert_eq!(got.reason, "ACL update failed: role 'Nope' does not exist");
    assert_eq!(world.delete("/access/users/eve@pve").status, 200);
    assert_eq!(world.delete("/access/users/eve@pve").status, 200, "who is not there is gone");
}
