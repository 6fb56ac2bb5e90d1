//! The host goes away, Muster restarts, somebody disconnects: everything known is still served, with its age.

use std::time::Duration;

use pve_sim::{BlackHoleAt, Fault, Topology};
use serde_json::{Value, json};

use crate::support::{House, wish};

#[tokio::test]
async fn everything_is_served_with_its_age_and_nothing_is_sent_later() {
    let house = House::managing(Topology::single("9.2")).await;
    let before = house.get("/guests?sort=vmid").await.ok();
    assert!(before["items"].as_array().unwrap().iter().all(|row| row["freshness"] == "live"), "{before}");
    let faults = [
        (Fault::Refuse, "refused"),
        (Fault::BlackHole { at: BlackHoleAt::Answer }, "no_answer"),
        (Fault::NotProxmox, "not_proxmox"),
    ];
    for (fault, code) in faults {
        house.remote.fault(None, fault).await;
        let remote = house
            .until("/remotes/home", code, |remote| {
                remote["link"]["state"] == "backing_off" && remote["link"]["cause"]["code"] == code
            })
            .await;
        let link = &remote["link"];
        assert!(link["next_try"].is_string() && link["last_success"].is_string(), "{link}");
        assert!(!link["cause"]["remedy"].as_str().unwrap().is_empty());

        let now = house.get("/guests?sort=vmid").await.ok();
        assert_eq!(now["total"], before["total"]);
        for row in now["items"].as_array().unwrap() {
            assert_eq!((&row["freshness"], &row["word"]), (&json!("stale"), &json!("out of reach")), "{row}");
            assert!(row["since"].is_string() && row["last_state"].is_string());
            assert!(row["stale_why"].as_str().unwrap().contains(&house.address("pve1")), "{row}");
        }
        assert_eq!(now["counts"]["freshness"], json!({"stale": before["total"]}));
        let guest = house.get("/guests/home/102").await.ok();
        assert_eq!(guest["config"]["error"]["code"], code, "{}", guest["config"]);
        let start = guest["actions"].as_array().unwrap().iter().find(|one| one["action"] == "start").unwrap();
        assert_eq!(start["availability"], "may_fail");

        // It is tried, and ends as not sent, with the cause.
        let id = house.operate(102, "start").await;
        let operation = house.ended(&id).await;
        assert_eq!(
            (&operation["state"], &operation["success"]),
            (&json!("not_sent"), &json!(false)),
            "{operation}"
        );
        assert_eq!(operation["cause"]["code"], code, "{operation}");

        house.remote.clear_all().await;
        house.until("/guests?q=vmid:102", "live again", |page| page["items"][0]["freshness"] == "live").await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(house.mutations().is_empty(), "{:?}", house.mutations());
    house.end().await;
}

#[tokio::test]
async fn after_a_restart_while_the_host_is_away_all_is_there_at_once() {
    let mut house = House::managing(Topology::single("9.2")).await;
    let seen = |guest: &Value| !guest["config"]["seen"].is_null() && !guest["addresses"].is_null();
    house.until("/guests/home/101?look=false", "configuration and addresses", seen).await;
    let id = house.operate(102, "start").await;
    assert_eq!(house.ended(&id).await["state"], "succeeded");
    house.until("/guests?q=vmid:102", "runs", |page| page["items"][0]["word"] == "running").await;
    let guests = house.get("/guests?sort=vmid").await.ok();
    let events = house.get("/guests/home/102/events").await.ok();
    assert!(events["items"].as_array().unwrap().iter().any(|event| event["operation"] == id), "{events}");
    let config = house.get("/guests/home/101?look=false").await.ok()["config"]["seen"]["value"].clone();

    house.remote.fault(None, Fault::Refuse).await;
    house.link("home", "backing_off").await;
    house.restart().await;

    let remote = house.get("/remotes/home").await.ok();
    assert_eq!(remote["link"]["up"], false, "nothing is connected before a request has succeeded");
    assert!(remote["link"]["last_success"].is_string(), "{}", remote["link"]);
    let now = house.get("/guests?sort=vmid").await.ok();
    let names = |page: &Value| -> Vec<(Value, Value)> {
        let rows = page["items"].as_array().unwrap();
        rows.iter().map(|row| (row["id"].clone(), row["name"].clone())).collect()
    };
    assert_eq!(names(&now), names(&guests));
    assert!(now["items"].as_array().unwrap().iter().all(|row| row["freshness"] == "stale"), "{now}");
    let guest = house.get("/guests/home/101").await.ok();
    assert_eq!(guest["config"]["seen"]["value"], config, "{guest}");
    assert!(guest["config"]["seen"]["at"].is_string() && !guest["config"]["error"].is_null());
    assert!(!guest["addresses"].is_null(), "{guest}");
    let later = house.get("/guests/home/102/events?kind=guest_state").await.ok();
    assert!(
        later["items"].as_array().unwrap().iter().any(|event| event["what"]["to"] == "running"),
        "{later}"
    );
    assert_eq!(house.get(&format!("/operations/{id}")).await.ok()["state"], "succeeded");
    let ended = house.get("/operations").await.ok();
    assert!(ended["items"].as_array().unwrap().iter().any(|one| one["id"] == id), "{ended}");

    house.remote.clear_all().await;
    house.listed("home").await;
    house.end().await;
}

#[tokio::test]
async fn disconnected_nothing_reaches_the_host_and_it_is_remembered() {
    let mut house = House::managing(Topology::single("9.2")).await;
    let task = house.operate(102, "start").await;
    let upid = house.ended(&task).await["task"].as_str().unwrap().to_owned();
    let remote = house.post("/remotes/home/disconnect", json!({})).await.ok();
    assert_eq!(
        (&remote["link"]["state"], &remote["link"]["by"]),
        (&json!("disconnected"), &json!("ada (token test)"))
    );
    // What was under way has ended by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let endpoint = house.address("pve1");
    for restarted in [false, true] {
        if restarted {
            house.restart().await;
        }
        let reached = (house.remote.journal().len(), house.remote.connections().len());
        let calls = [
            house.post("/operations", wish(102, "stop")).await,
            house.post("/remotes/home/try", json!({})).await,
            house.get("/remotes/home/proposed").await,
            house.get(&format!("/remotes/home/endpoints/{endpoint}/certificate")).await,
            house.post("/remotes/home/endpoints", json!({"address": "192.0.2.9"})).await,
            house.post("/remotes/home/second-factor", json!({"code": "123456"})).await,
            house.get(&format!("/tasks/home/{upid}/log")).await,
        ];
        for call in calls {
            let problem = call.refused(409, "disconnected");
            assert_eq!(problem["remedy"], "Connect the remote.", "{problem}");
        }
        let guests = house.get("/guests").await.ok();
        assert!(guests["total"].as_u64().unwrap() > 0);
        assert_eq!(guests["counts"]["link"], json!({"disconnected": guests["total"]}));
        let guest = house.get("/guests/home/101").await.ok();
        assert_eq!(guest["status"]["error"]["code"], "disconnected");
        assert!(guest["actions"].as_array().unwrap().iter().all(|one| one["availability"] == "disabled"));
        tokio::time::sleep(Duration::from_millis(700)).await;
        let now = (house.remote.journal().len(), house.remote.connections().len());
        assert_eq!(now, reached, "no request reaches the host");
        assert_eq!(house.get("/remotes/home").await.ok()["link"]["state"], "disconnected");
    }
    house.post("/remotes/home/connect", json!({})).await.ok();
    house.listed("home").await;
    house.until("/guests", "live", |page| page["counts"]["freshness"]["stale"].is_null()).await;
    house.end().await;
}

#[tokio::test]
async fn disconnecting_with_open_operations_asks_first() {
    let house = House::managing(Topology::single("9.2")).await;
    house.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = house.operate(102, "start").await;
    let at = format!("/operations/{id}");
    house.until(&at, "running", |operation| operation["state"] == "running").await;
    let problem = house.post("/remotes/home/disconnect", json!({})).await.refused(409, "open_operations");
    assert_eq!(problem["candidates"], json!([{"id": id, "name": "", "type": "operation"}]));
    let problem = house.delete("/remotes/home?confirm=home").await.refused(409, "open_operations");
    assert_eq!(problem["candidates"][0]["id"], id);
    house.post("/remotes/home/disconnect", json!({"even_with_open": true})).await.ok();
    let left = house.get(&at).await.ok();
    assert_eq!((&left["followed"], &left["final"]), (&json!(false), &json!(false)), "{left}");
    house.post("/remotes/home/connect", json!({})).await.ok();
    house.until(&at, "followed again", |operation| operation["followed"] == true).await;
    house.end().await;
}
