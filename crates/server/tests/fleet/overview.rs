//! Everything at a glance.

use model::access::Role;
use pve_sim::{Fault, Topology};
use serde_json::{Value, json};

use crate::support::House;

fn kinds(overview: &Value) -> Vec<&str> {
    let items = overview["problems"]["items"].as_array().unwrap();
    items.iter().map(|one| one["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_there_is_and_what_goes_wrong() {
    let house = House::managing(Topology::cluster(2, "9.2")).await;
    let well = house.until("/overview", "nothing wrong", |all| all["problems"]["total"] == 0).await;
    assert_eq!(well["problems"]["items"], json!([]));
    assert_eq!(well["remotes"]["links"], json!({"connected": 1}));
    assert_eq!((&well["nodes"]["states"], &well["guests"]["total"]), (&json!({"online": 2}), &json!(6)));
    let cpu = &well["capacity"]["cpu"];
    assert_eq!((&cpu["of"], &cpu["known"], &cpu["stale"]), (&json!(2), &json!(2), &json!(0)), "{well}");
    assert!(cpu["used"].as_f64().unwrap() <= cpu["total"].as_f64().unwrap(), "{cpu}");
    // Storages are counted as the list of them counts: what nodes share once.
    let storages = house.get("/storages").await.ok();
    assert_eq!(well["capacity"]["storage"]["of"], storages["total"]);

    let id = house.operate(102, "start").await;
    house.ended(&id).await;
    house.remote.fault(None, Fault::Refuse).await;
    let down = house
        .until("/overview", "the link", |all| {
            all["problems"]["by_kind"]["link"] == 1 && all["guests"]["stale"] == 6
        })
        .await;
    let link = &down["problems"]["items"][0];
    assert_eq!(
        (&link["kind"], &link["severity"], &link["live"]),
        (&json!("link"), &json!("error"), &json!(true))
    );
    assert_eq!((&link["subject"]["type"], &link["subject"]["name"]), (&json!("remote"), &json!("home")));
    assert!(link["sentence"].as_str().unwrap().contains("refused"), "{link}");
    assert!(!link["remedy"].as_str().unwrap().is_empty() && link["since"].is_string(), "{link}");
    // What is known stays, as last seen; how the guests stand now is not known.
    assert_eq!(down["capacity"]["memory"]["known"], 2, "{down}");
    assert_eq!(down["capacity"]["memory"]["stale"], 2, "{down}");
    assert_eq!((&down["guests"]["total"], &down["guests"]["unknown"]), (&json!(6), &json!(6)));
    assert!(down["guests"]["states"].get("running").is_none(), "{down}");
    house.remote.clear_all().await;
    house.until("/overview", "all well again", |all| all["problems"]["total"] == 0).await;
    house.end().await;
}

#[tokio::test]
async fn a_task_that_failed_is_told_and_who_may_not_see_it_is_not() {
    let house = House::managing(Topology::single("9.2")).await;
    house.remote.with_world(|world, _| world.fail_next_task("vzstart", "no space left"));
    let id = house.operate(102, "start").await;
    house.ended(&id).await;
    let told = house.until("/overview", "the task", |all| kinds(all) == ["task"]).await;
    let task = &told["problems"]["items"][0];
    assert_eq!(task["severity"], "warning");
    assert!(task["sentence"].as_str().unwrap().contains("no space left"), "{task}");
    assert!(task["subject"]["id"].as_str().unwrap().contains("/UPID:"), "{task}");
    assert!(task["subject"]["guest"].as_str().unwrap().ends_with("/102"), "{task}");

    let eve = house.viewer("eve", Role::Viewer, Some(model::RemoteId(999))).await;
    let seen = house.ask(&eve, http::Method::GET, "/overview", None).await.ok();
    assert_eq!((&seen["problems"]["total"], &seen["remotes"]["total"]), (&json!(0), &json!(0)), "{seen}");
    assert_eq!(seen["capacity"]["cpu"]["total"], Value::Null);
    house.end().await;
}
