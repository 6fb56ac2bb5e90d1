//! Figures over time.

use http::Method;
use pve_sim::{Fault, Topology};
use serde_json::{Value, json};

use crate::support::{Answer, House};

fn smaller(answer: &Answer) -> bool {
    answer.headers.get("content-encoding").is_some_and(|coding| coding == "gzip")
}

/// A long answer is compressed for whoever takes that, and is the same; one that a secret may stand in is not.
#[tokio::test]
async fn what_is_long_is_smaller_for_whoever_takes_it() {
    let house = House::managing(Topology::single("9.2")).await;
    let bearer = format!("Bearer {}", house.token);
    let headers = [("authorization", bearer.as_str()), ("accept-encoding", "br, gzip")];
    let day = "/nodes/home/pve1/chart?span=day";
    let plain = house.get(day).await;
    assert!(!smaller(&plain) && plain.body.to_string().len() > 50_000);
    let packed = house.send(Method::GET, day, None, &headers).await;
    assert!(smaller(&packed) && packed.headers["vary"] == "accept-encoding", "{:?}", packed.headers);
    assert_eq!(packed.body, plain.body);
    let length = packed.headers.get("content-length");
    assert!(length.is_none(), "that of what it was would be wrong");
    // Short ones, changes, and what tells of people.
    assert!(!smaller(&house.send(Method::GET, "/query/guests/complete?q=remote:", None, &headers).await));
    let targets: Vec<Value> = (1..=100).map(|vmid| json!({"remote": "nowhere", "vmid": vmid})).collect();
    let many = json!({"targets": targets, "action": "start"});
    let told = house.send(Method::POST, "/operations", Some(&many), &headers).await;
    assert!(told.status == 202 && told.body.to_string().len() > 8_000 && !smaller(&told));
    for n in 0..30 {
        house.send(Method::POST, "/onboardings", Some(&json!({"address": format!("{n}")})), &headers).await;
    }
    let audit = house.send(Method::GET, "/audit?limit=1000", None, &headers).await;
    assert!(audit.body.to_string().len() > 8_000 && !smaller(&audit));
    house.end().await;
}

fn length(of: &Value) -> usize {
    of.as_array().unwrap().len()
}

#[tokio::test]
async fn figures_over_time_of_guests_nodes_and_storages() {
    let house = House::managing(Topology::cluster(2, "9.2")).await;
    let chart = house.get("/guests/home/101/chart").await.ok();
    assert_eq!((&chart["span"], &chart["step_seconds"]), (&json!("hour"), &json!(60)));
    assert_eq!((length(&chart["at"]), length(&chart["series"]["cpu"])), (60, 60), "{chart}");
    assert!(chart["observed_at"].is_string() && chart["through"].is_string() && chart["error"].is_null());
    assert!(chart["id"].as_str().unwrap().ends_with("/101") && chart["name"].is_string());
    assert!(chart["series"].get("load").is_none(), "what a guest does not have is absent");
    let year = house.get("/guests/home/101/chart?span=year").await.ok();
    assert_eq!(year["step_seconds"], 21_600);

    let node = house.get("/nodes/home/pve2/chart?span=day").await.ok();
    assert_eq!((length(&node["series"]["load"]), &node["name"]), (1_440, &json!("pve2")));

    house.until("/storages", "storages", |page| page["total"].as_u64() >= Some(4)).await;
    let problem = house.get("/storages/home/local/chart").await.refused(422, "ambiguous");
    assert_eq!(problem["candidates"][1]["name"], "pve2", "{problem}");
    for path in ["/storages/home/local@pve2/chart", "/storages/home/local/chart?node=pve2"] {
        let chart = house.get(path).await.ok();
        assert_eq!((&chart["node"], length(&chart["series"]["used"])), (&json!("pve2"), 60), "{chart}");
    }
    house.get("/storages/home/local@pve2/chart?node=pve1").await.refused(422, "invalid");
    house.get("/storages/home/local@pve9/chart").await.refused(404, "not_found");
    house.get("/guests/home/999/chart").await.refused(404, "not_found");
    house.get("/nodes/home/pve9/chart").await.refused(404, "not_found");
    house.get("/guests/home/101/chart?span=fortnight").await.refused(400, "malformed");
    house.get("/guests/home/101/chart?back=day").await.refused(400, "malformed");

    // Whoever may not see the remote hears of it what they hear of one there is not.
    let eve = house.viewer("eve", model::access::Role::Administrator, Some(model::RemoteId(999))).await;
    for path in ["guests/REMOTE/101/chart", "nodes/REMOTE/pve1/chart", "storages/REMOTE/local@pve1/chart"] {
        let of = async |remote: &str| {
            let path = format!("/{}", path.replace("REMOTE", remote));
            house.ask(&eve, Method::GET, &path, None).await.refused(404, "not_found")
        };
        assert_eq!(of("home").await, of("nowhere").await, "{path}");
    }
    house.end().await;
}

#[tokio::test]
async fn a_chart_of_a_host_that_is_away_says_how_old_it_is_and_why() {
    let house = House::managing(Topology::single("8.4")).await;
    let before = house.get("/guests/home/101/chart").await.ok();
    house.remote.fault(None, Fault::Refuse).await;
    let refused = |remote: &Value| remote["link"]["cause"]["code"] == "refused";
    house.until("/remotes/home", "refused", refused).await;
    let away = house.get("/guests/home/101/chart").await.ok();
    assert_eq!((&away["at"], &away["observed_at"]), (&before["at"], &before["observed_at"]));
    assert_eq!(away["error"]["code"], "refused", "{away}");
    assert!(away["error"]["remedy"].is_string(), "{away}");
    let never = house.get("/guests/home/101/chart?span=week").await.ok();
    assert_eq!((&never["observed_at"], &never["at"]), (&Value::Null, &json!([])));
    assert_eq!(never["error"]["code"], "refused");
    house.end().await;
}
