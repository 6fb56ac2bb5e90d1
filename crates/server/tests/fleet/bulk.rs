//! Many guests in one request: each taken on or refused by itself, and done once.

use http::Method;
use model::access::Role;
use pve_sim::Topology;
use pve_sim::world::Kind;
use pve_sim::world::spec::GuestInput;
use serde_json::{Value, json};

use crate::support::{Answer, House};

fn targets(vmids: &[u32]) -> Vec<Value> {
    vmids.iter().map(|vmid| json!({"remote": "home", "vmid": vmid})).collect()
}

fn wish(vmids: &[u32], action: &str) -> Value {
    json!({"targets": targets(vmids), "action": action})
}

/// So many containers on one node that are off.
async fn crowd(house: &House, count: u32) -> Vec<u32> {
    let vmids: Vec<u32> = (1000..1000 + count).collect();
    house.remote.with_world(|world, _| {
        for vmid in &vmids {
            let (kind, name, node) = (Kind::Ct, format!("crowd-{vmid}"), "pve1".to_owned());
            world.add_guest(&GuestInput { vmid: *vmid, kind, name, node, ..GuestInput::default() }).unwrap();
        }
    });
    let last = format!("/guests?limit=1&q=vmid:{}", vmids[vmids.len() - 1]);
    house.until(&last, "all of them", |page| page["total"] == 1).await;
    vmids
}

#[tokio::test]
async fn each_has_its_own_answer_in_the_order_asked() {
    let house = House::managing(Topology::single("9.2")).await;
    let mut wanted = wish(&[102, 101, 999, 102], "start");
    wanted["targets"].as_array_mut().unwrap().push(json!({"remote": "nowhere", "vmid": 1}));
    let answer = house.post("/operations", wanted).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(answer.headers.get("location").is_none(), "there is no one place");
    let started = answer.ok();
    assert_eq!((&started["total"], &started["accepted"]), (&json!(5), &json!(1)), "{started}");
    let items = started["items"].as_array().unwrap();
    let asked: Vec<&Value> = items.iter().map(|item| &item["vmid"]).collect();
    assert_eq!(asked, [102, 101, 999, 102, 1]);
    let codes: Vec<&str> =
        items.iter().map(|item| item["problem"]["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        codes,
        ["", "urn:muster:disabled", "urn:muster:not_found", "urn:muster:invalid", "urn:muster:not_found"]
    );
    assert!(items[1]["problem"]["detail"].as_str().unwrap().contains("running already"), "{started}");
    assert!(items[1].get("operation").is_none() && items[0].get("problem").is_none());
    let id = items[0]["operation"]["id"].as_str().unwrap();
    assert_eq!(house.ended(id).await["state"], "succeeded");
    assert_eq!(house.mutations().len(), 1);
    house.end().await;
}

/// A request for many with that key.
async fn with_key(house: &House, key: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", house.token);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    house.send(Method::POST, "/operations", Some(body), &headers).await
}

/// The lines of requests for operations, oldest first.
async fn lines(house: &House) -> Vec<Value> {
    let log = house.get("/audit?limit=1000").await.ok();
    let mut lines = log["items"].as_array().unwrap().clone();
    lines.retain(|row| row["name"] == "operations.create");
    lines.reverse();
    lines
}

fn ids(started: &Value) -> Vec<&str> {
    let items = started["items"].as_array().unwrap();
    items.iter().filter_map(|item| item["operation_id"].as_str()).collect()
}

#[tokio::test]
async fn the_same_key_does_all_of_it_once() {
    let house = House::managing(Topology::single("9.2")).await;
    let body = wish(&[102, 103, 101], "start");
    let first = with_key(&house, "bulk-1", &body).await;
    assert_eq!((first.status.as_u16(), &first.body["accepted"]), (202, &json!(2)), "{first:?}");
    for id in ids(&first.body) {
        house.ended(id).await;
    }
    // The same items, each operation as it stands now.
    let again = with_key(&house, "bulk-1", &body).await;
    assert_eq!(again.status, first.status);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(ids(&again.body), ids(&first.body));
    let states: Vec<&Value> =
        again.body["items"].as_array().unwrap()[..2].iter().map(|item| &item["operation"]["state"]).collect();
    assert_eq!(states, ["succeeded", "succeeded"]);
    assert_eq!(again.body["items"][2], first.body["items"][2]);
    assert_eq!((&again.body["total"], &again.body["accepted"]), (&json!(3), &json!(2)));
    assert_eq!(house.mutations().len(), 2);
    let other = with_key(&house, "bulk-1", &wish(&[102], "stop")).await;
    other.refused(422, "idempotency_key_reused");
    house.end().await;
}

#[tokio::test]
async fn the_audit_log_tells_what_was_begun_and_what_came_of_it() {
    let house = House::managing(Topology::single("9.2")).await;
    let home = house.get("/remotes/home").await.ok()["id"].clone();
    let started = house.post("/operations", wish(&[102, 101, 103, 999], "start")).await.ok();
    let told = lines(&house).await;
    let [begun, ended] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((&begun["outcome"], &ended["outcome"]), (&json!("begun"), &json!("partly")), "{told:?}");
    for line in [begun, ended] {
        assert_eq!(line["remote_id"], home, "{line}");
        assert_eq!(
            (&line["target"], &line["parameters"]["action"]),
            (&json!("home: 4 guests"), &json!("start"))
        );
    }
    assert_eq!(begun["parameters"]["targets"], json!(["home/101-103,999"]));
    let (parameters, ids) = (&ended["parameters"], ids(&started));
    assert_eq!((&parameters["accepted"], &parameters["total"]), (&json!(2), &json!(4)), "{ended}");
    assert_eq!(parameters["refused"], json!({"disabled": ["home/101"], "not_found": ["home/999"]}));
    assert_eq!(parameters["operations"], json!([format!("{}-{}", ids[0], ids[1])]));
    for id in ids {
        house.ended(id).await;
    }
    house.post("/operations", wish(&[102, 103], "stop")).await.ok();
    let told = lines(&house).await;
    let outcomes: Vec<&Value> = told[2..].iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["begun", "ok"], "{told:?}");
    house.end().await;
}

#[tokio::test]
async fn that_all_of_it_was_refused_is_in_the_audit_log_once() {
    let house = House::managing(Topology::single("9.2")).await;
    let before = lines(&house).await.len();
    let body = json!({"targets": [{"remote": "nowhere", "vmid": 1}], "action": "stop"});
    let first = with_key(&house, "bulk-none", &body).await;
    assert_eq!((first.status.as_u16(), &first.body["accepted"]), (202, &json!(0)), "{first:?}");
    let told = lines(&house).await;
    assert_eq!(told.len(), before + 1);
    let line = told.last().unwrap();
    assert_eq!(
        (&line["outcome"], &line["target"]),
        (&json!("refused"), &json!("nowhere: 1 guest")),
        "{line}"
    );
    assert_eq!(line["parameters"]["refused"], json!({"not_found": ["nowhere/1"]}));
    let again = with_key(&house, "bulk-none", &body).await;
    assert_eq!(again.body, first.body);
    assert_eq!(lines(&house).await.len(), before + 1);
    assert!(house.mutations().is_empty());
    house.end().await;
}

#[tokio::test]
async fn what_waits_at_a_restart_is_not_sent_and_the_key_sends_nothing_twice() {
    let mut house = House::managing(Topology::single("9.2")).await;
    let vmids = crowd(&house, 12).await;
    house.remote.with_world(|world, _| (0..12).for_each(|_| world.hang_next_task("vzstart")));
    let body = wish(&vmids, "start");
    let started = with_key(&house, "bulk-2", &body).await.ok();
    let ids = ids(&started);
    assert_eq!(ids.len(), 12);
    for id in &ids[..8] {
        house.until(&format!("/operations/{id}"), "running", |one| one["state"] == "running").await;
    }
    house.restart().await;
    house.ended(ids[11]).await;
    let words = |told: &Value| -> Vec<String> {
        let items = told["items"].as_array().unwrap();
        items.iter().map(|item| item["operation"]["state"].as_str().unwrap().to_owned()).collect()
    };
    let again = with_key(&house, "bulk-2", &body).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(words(&again.body), [vec!["running"; 8], vec!["not_sent"; 4]].concat());
    // As a kill between the taking on and the answer leaves it.
    let token = house.get("/tokens").await.ok()["items"][0]["id"].as_str().unwrap().to_owned();
    house.alter("UPDATE idempotency SET status = NULL WHERE key = 'bulk-2'").await;
    let (principal, key) = (format!("token:{token}"), "bulk-2".to_owned());
    let done = store::Write::IdempotencyDone { principal, key, operation: None };
    house.fleet().store().unwrap().write(vec![done]).await.unwrap();
    with_key(&house, "bulk-2", &body).await.refused(409, "already_done");
    assert_eq!(house.mutations().len(), 8);
    house.end().await;
}

#[tokio::test]
async fn two_remotes_in_mixed_order_are_told_in_that_order() {
    let mut topology = Topology::single("9.2");
    let mut second = topology.remotes[0].clone();
    second.name = "second".into();
    topology.remotes.push(second);
    let house = House::managing(topology).await;
    let other = house.sim.remote("second").unwrap();
    house.adopt_other(&other, "lab", "root@pam", "secret-root").await;
    house.listed("lab").await;
    let asked = [("lab", 102), ("home", 101), ("home", 102), ("lab", 999), ("home", 103), ("lab", 103)];
    let targets: Vec<Value> =
        asked.iter().map(|(remote, vmid)| json!({"remote": remote, "vmid": vmid})).collect();
    let started = house.post("/operations", json!({"targets": targets, "action": "start"})).await.ok();
    let items = started["items"].as_array().unwrap();
    let told: Vec<(&str, u64)> =
        items.iter().map(|item| (item["remote"].as_str().unwrap(), item["vmid"].as_u64().unwrap())).collect();
    assert_eq!(told, asked);
    let became: Vec<bool> = items.iter().map(|item| item["operation"].is_object()).collect();
    assert_eq!(became, [true, false, true, false, true, true], "{started}");
    for (item, (remote, vmid)) in items.iter().zip(asked).filter(|(item, _)| item["operation"].is_object()) {
        assert_eq!(
            (&item["operation"]["remote"], &item["operation"]["vmid"]),
            (&json!(remote), &json!(vmid))
        );
        assert_eq!(house.ended(item["operation_id"].as_str().unwrap()).await["state"], "succeeded");
    }
    let line = &lines(&house).await[0];
    assert_eq!(
        (&line["target"], &line["remote_id"]),
        (&json!("2 remotes: 6 guests"), &Value::Null),
        "{line}"
    );
    assert_eq!(line["parameters"]["targets"], json!(["home/101-103", "lab/102-103,999"]));
    let sent = |remote: &pve_sim::Remote| {
        remote
            .journal()
            .iter()
            .filter(|one| one.method == "POST" && one.api_path().ends_with("/start"))
            .count()
    };
    assert_eq!((sent(&house.remote), sent(&other)), (2, 2));
    house.end().await;
}

#[tokio::test]
async fn five_hundred_with_the_longest_names_are_all_told() {
    let house = House::new(Topology::single("9.2")).await;
    let author = model::Author { name: "test".into(), from: "test".into() };
    let longest = "\u{1F600}".repeat(100);
    let id = house.adopt(&longest, "root@pam", "secret-root").await;
    house.listed(&id.to_string()).await;
    // One letter more is too many; what has such a name from before keeps it.
    let edit = fleet::RemoteEdit { name: Some(format!("{longest}!")), ..fleet::RemoteEdit::default() };
    let refused = house.fleet().edit(id, edit, &author).await.unwrap_err().to_string();
    assert!(refused.contains("at most 100 letters") && refused.contains("101"), "{refused}");
    let vmids = crowd(&house, 500).await;
    let targets: Vec<Value> = vmids.iter().map(|vmid| json!({"remote": longest, "vmid": vmid})).collect();
    let body = json!({"targets": targets, "action": "start"});
    let first = with_key(&house, "bulk-500", &body).await;
    assert_eq!((first.status.as_u16(), &first.body["accepted"]), (202, &json!(500)));
    let again = with_key(&house, "bulk-500", &body).await;
    assert_eq!((again.status.as_u16(), ids(&again.body)), (202, ids(&first.body)));
    assert_eq!(ids(&first.body).len(), 500);
    let told = lines(&house).await;
    assert_eq!((told.len(), &told[1]["outcome"]), (2, &json!("ok")));
    let which = told[0]["parameters"]["targets"][0].as_str().unwrap();
    assert!(which.ends_with("/1000-1499"), "{which}");
    house.end().await;
}

#[tokio::test]
async fn what_waits_is_not_sent_once_its_author_may_not_any_more() {
    let house = House::managing(Topology::single("9.2")).await;
    let otto = house.viewer("otto", Role::Operator, None).await;
    let vmids = crowd(&house, 10).await;
    house.remote.with_world(|world, _| (0..10).for_each(|_| world.hang_next_task("vzstart")));
    let started = house.ask(&otto, Method::POST, "/operations", Some(&wish(&vmids, "start"))).await.ok();
    let ids = ids(&started);
    let running =
        house.until(&format!("/operations/{}", ids[0]), "running", |one| one["state"] == "running").await;
    let grants = json!({"grants": [{"role": "viewer", "scope": {"kind": "all"}}]});
    house.ask(&house.token, Method::PUT, "/users/otto/grants", Some(&grants)).await.ok();
    let upid = running["task"].as_str().unwrap();
    house.delete(&format!("/tasks/home/{upid}")).await.ok();
    let next = house.ended(ids[8]).await;
    assert_eq!(next["state"], "not_sent", "{next}");
    assert!(
        next["sentence"].as_str().unwrap().contains("otto (token test) may not do this any more"),
        "{next}"
    );
    house.end().await;
}

#[tokio::test]
async fn a_plan_says_how_each_stands_and_sends_nothing() {
    let house = House::managing(Topology::single("9.2")).await;
    let before = house.remote.journal().iter().filter(|one| one.api_path().contains("/lxc/")).count();
    let mut wanted = wish(&[101, 102, 999], "shutdown");
    wanted["options"] = json!({"timeout_seconds": 60});
    let plan = house.post("/operations/plan", wanted).await.ok();
    let counts = ["total", "available", "may_fail", "disabled"].map(|key| plan[key].as_u64().unwrap());
    assert_eq!(counts, [3, 1, 0, 2], "{plan}");
    let one = &plan["items"][0];
    assert_eq!(
        [&one["remote"], &one["vmid"], &one["kind"], &one["node"], &one["state"], &one["freshness"]],
        [&json!("home"), &json!(101), &json!("ct"), &json!("pve1"), &json!("running"), &json!("live")]
    );
    assert_eq!(one["availability"], "available");
    assert_eq!(one["show_as"]["command"], "muster guest shutdown home/101 --timeout 60s");
    assert_eq!(
        one["show_as"]["call"],
        json!({"method": "POST", "path": "/api2/json/nodes/pve1/lxc/101/status/shutdown",
            "parameters": {"timeout": 60}})
    );
    let off = &plan["items"][1];
    assert_eq!(off["availability"], "disabled");
    assert!(off["reason"].as_str().unwrap().contains("stopped") && off["remedy"].is_string(), "{off}");
    let none = &plan["items"][2];
    assert_eq!((&none["availability"], &none["id"]), (&json!("disabled"), &Value::Null));
    assert_eq!(none["problem"]["type"], "urn:muster:not_found");
    assert!(house.mutations().is_empty());
    let after = house.remote.journal().iter().filter(|one| one.api_path().contains("/lxc/")).count();
    // Configurations may be read meanwhile; no guest is asked for its state.
    let asked =
        house.remote.journal().iter().filter(|one| one.api_path().ends_with("/status/current")).count();
    assert!(asked == 0 || after == before, "{asked}");
    assert_eq!(house.get("/operations").await.ok()["total"], 0);

    // What is shown is what is sent: the request to Muster, and what it becomes.
    let body = one["show_as"]["api"]["body"].clone();
    let operation = house.post("/operations", body).await.ok();
    assert_eq!(operation["show_as"], one["show_as"]);
    house.ended(operation["id"].as_str().unwrap()).await;
    let sent = house.mutations();
    assert_eq!(format!("/api2/json{}", sent[0].api_path()), one["show_as"]["call"]["path"].as_str().unwrap());
    house.end().await;
}

#[tokio::test]
async fn only_on_what_one_may_act() {
    let house = House::managing(Topology::single("9.2")).await;
    let home = house.get("/remotes/home").await.ok()["id"].as_u64().unwrap();
    let viewer = house.viewer("vera", Role::Viewer, Some(model::RemoteId(home))).await;
    let elsewhere = house.viewer("otto", Role::Operator, Some(model::RemoteId(home + 1))).await;
    for path in ["/operations", "/operations/plan"] {
        let body = wish(&[102], "start");
        house.ask(&viewer, Method::POST, path, Some(&body)).await.refused(403, "not_allowed");
        let told = house.ask(&elsewhere, Method::POST, path, Some(&body)).await.ok();
        assert_eq!(told["items"][0]["problem"]["type"], "urn:muster:not_found", "{told}");
        assert!(!told.to_string().contains("pve1"), "{told}");
    }
    // Too many, none, and what there is not.
    let many: Vec<u32> = (1..=501).collect();
    house.post("/operations", wish(&many, "start")).await.refused(422, "invalid");
    house.post("/operations/plan", wish(&[], "start")).await.refused(422, "invalid");
    for (more, field) in [
        (json!({"optoins": {}}), "optoins"),
        (json!({"options": {"timeout_secs": 3}}), "options.timeout_secs"),
    ] {
        let mut misspelt = wish(&[102], "start");
        misspelt.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = house.post("/operations", misspelt).await.refused(422, "invalid");
        assert!(problem["detail"].as_str().unwrap().contains(&format!("“{field}”")), "{problem}");
    }
    assert!(house.mutations().is_empty());
    house.end().await;
}

#[tokio::test]
async fn what_waits_for_its_turn_is_taken_back_once_by_whoever_may() {
    let house = House::managing(Topology::single("9.2")).await;
    let vmids = crowd(&house, 12).await;
    house.remote.with_world(|world, _| (0..12).for_each(|_| world.hang_next_task("vzstart")));
    let started = house.post("/operations", wish(&vmids, "start")).await.ok();
    let id = |at: usize| started["items"][at]["operation"]["id"].as_str().unwrap().to_owned();
    house.until(&format!("/operations/{}", id(0)), "running", |one| one["state"] == "running").await;
    let at = format!("/operations/{}/cancel", id(11));
    let viewer = house.viewer("vera", Role::Viewer, None).await;
    house.ask(&viewer, Method::POST, &at, Some(&json!({}))).await.refused(403, "not_allowed");
    let back = house.post(&at, json!({})).await.ok();
    assert_eq!((&back["state"], &back["final"]), (&json!("cancelled"), &json!(true)), "{back}");
    assert_eq!(back["sentence"], "not sent: cancelled by ada (token test)");
    assert_eq!((&back["dispatch"], &back["task"]), (&Value::Null, &Value::Null));
    let again = house.post(&at, json!({})).await.refused(409, "already_ended");
    assert!(again["detail"].as_str().unwrap().contains("cancelled by ada"), "{again}");
    let late = house.post(&format!("/operations/{}/cancel", id(0)), json!({})).await;
    let late = late.refused(409, "already_sent");
    assert!(late["remedy"].as_str().unwrap().contains("muster task stop home/UPID:"), "{late}");
    house.post("/operations/1/cancel", json!({})).await.refused(404, "not_found");
    let log = house.get("/audit").await.ok();
    let lines: Vec<&Value> =
        log["items"].as_array().unwrap().iter().filter(|row| row["name"] == "operations.cancel").collect();
    let done = lines.iter().find(|row| row["outcome"] == "ok").unwrap();
    assert!(done["target"].as_str().unwrap().contains(&id(11)), "{done}");
    house.end().await;
}
