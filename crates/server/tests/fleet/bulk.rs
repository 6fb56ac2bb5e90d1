//! Many guests in one request: each taken on or refused by itself, and done once.

use http::Method;
use model::access::Role;
use pve_sim::Topology;
use pve_sim::world::Kind;
use pve_sim::world::spec::GuestInput;
use serde_json::{Value, json};

use crate::support::House;

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

#[tokio::test]
async fn the_same_key_does_all_of_it_once() {
    let house = House::managing(Topology::single("9.2")).await;
    let bearer = format!("Bearer {}", house.token);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "bulk-1")];
    let body = wish(&[102, 103], "start");
    let first = house.send(Method::POST, "/operations", Some(&body), &headers).await;
    assert_eq!(first.body["accepted"], 2, "{first:?}");
    for item in first.body["items"].as_array().unwrap() {
        house.ended(item["operation"]["id"].as_str().unwrap()).await;
    }
    let again = house.send(Method::POST, "/operations", Some(&body), &headers).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(house.mutations().len(), 2);
    let other = house.send(Method::POST, "/operations", Some(&wish(&[102], "stop")), &headers).await;
    other.refused(422, "idempotency_key_reused");
    // One line for the request, by whom; each operation has its author besides.
    let log = house.get("/audit").await.ok();
    let lines = log["items"].as_array().unwrap().iter().filter(|line| line["name"] == "operations.create");
    assert_eq!(lines.count(), 1, "{log}");
    house.end().await;
}

#[tokio::test]
async fn that_all_of_it_was_refused_is_in_the_audit_log_once() {
    let house = House::managing(Topology::single("9.2")).await;
    let lines = async || {
        let log = house.get("/audit").await.ok();
        log["items"].as_array().unwrap().iter().filter(|row| row["name"] == "operations.create").count()
    };
    let before = lines().await;
    let bearer = format!("Bearer {}", house.token);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "bulk-none")];
    let body = json!({"targets": [{"remote": "nowhere", "vmid": 1}], "action": "stop"});
    let first = house.send(Method::POST, "/operations", Some(&body), &headers).await;
    assert_eq!((first.status.as_u16(), &first.body["accepted"]), (202, &json!(0)), "{first:?}");
    assert_eq!(lines().await, before + 1);
    let again = house.send(Method::POST, "/operations", Some(&body), &headers).await;
    assert_eq!(again.body, first.body);
    assert_eq!(lines().await, before + 1);
    assert!(house.mutations().is_empty());
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
