//! What may be asked for, and how a query goes on.

use http::Method;
use model::access::Role;
use pve_sim::Topology;
use serde_json::{Value, json};

use crate::support::House;

fn texts(told: &Value) -> Vec<&str> {
    told["suggestions"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_list_tells_its_keys_and_each_key_can_be_asked_and_sorted_by() {
    let house = House::managing(Topology::single("9.2")).await;
    for list in ["guests", "nodes", "storages", "tasks", "operations", "remotes"] {
        let told = house.get(&format!("/query/{list}")).await.ok();
        let fields = told["fields"].as_array().unwrap();
        assert!(fields.len() > 5, "{told}");
        for field in fields {
            let name = field["name"].as_str().unwrap();
            assert_eq!(field["sortable"], true);
            house.get(&format!("/{list}?limit=1&sort=-{name}")).await.ok();
            let value = match field["type"].as_str().unwrap() {
                "text" => field["values"][0].as_str().unwrap_or("x"),
                "word" | "flag" => field["values"][0].as_str().unwrap(),
                "number" => "7",
                "share" => "80%25",
                "bytes" => "4G",
                "span" => "5m",
                "address" => "10.0.0.1",
                other => panic!("{other}"),
            };
            for operator in field["operators"].as_array().unwrap() {
                let operator = operator.as_str().unwrap().replace('>', "%3E").replace('<', "%3C");
                house.get(&format!("/{list}?limit=1&q={name}{operator}{value}")).await.ok();
            }
        }
    }
    house.get("/query/colours").await.refused(404, "not_found");
    house.end().await;
}

#[tokio::test]
async fn a_query_goes_on_with_what_there_is() {
    let house = House::managing(Topology::single("9.2")).await;
    let told = house.get("/query/guests/complete?q=type:ct%20stat&at=12").await.ok();
    let first = &told["suggestions"][0];
    assert_eq!(
        (&first["text"], &first["replace"], &first["type"]),
        (&json!("status:"), &json!([8, 12]), &json!("field"))
    );
    let told = house.get("/query/guests/complete?q=status:ru").await.ok();
    assert_eq!(texts(&told), ["running"]);
    assert_eq!(told["suggestions"][0]["replace"], json!([7, 9]));
    let told = house.get("/query/guests/complete?q=remote:").await.ok();
    assert_eq!((texts(&told), &told["suggestions"][0]["type"]), (vec!["home"], &json!("live")));
    let told = house.get("/query/guests/complete?q=node:").await.ok();
    assert_eq!(texts(&told), ["pve1"]);
    let guest = house.get("/guests/home/101?look=false").await.ok();
    let name = guest["name"].as_str().unwrap();
    let told = house.get(&format!("/query/guests/complete?q=name:{}", &name[..name.len() - 1])).await.ok();
    assert!(texts(&told).contains(&name), "{told}");
    // A word may be meant as the value of a key.
    let told = house.get("/query/storages/complete?q=hom").await.ok();
    assert_eq!(texts(&told), ["remote:home"]);
    assert_eq!(house.get("/query/guests/complete?q=nope:x").await.ok()["suggestions"], json!([]));
    house.get(&format!("/query/guests/complete?q={}", "a".repeat(9000))).await.refused(422, "invalid");

    // What may not be seen is not proposed.
    let eve = house.viewer("eve", Role::Viewer, Some(model::RemoteId(999))).await;
    let told = house.ask(&eve, Method::GET, "/query/guests/complete?q=remote:", None).await.ok();
    assert_eq!(told["suggestions"], json!([]));
    house.end().await;
}
