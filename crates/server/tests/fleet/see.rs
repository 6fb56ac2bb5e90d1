//! Lists and details.

use pve_sim::{Fault, Topology};
use serde_json::json;

use crate::support::House;

#[tokio::test]
async fn lists_are_asked_sorted_paged_and_counted() {
    let house = House::managing(Topology::cluster(2, "9.2")).await;
    let all = house.get("/guests?sort=-vmid").await.ok();
    assert_eq!(all["total"], 6);
    assert_eq!(all["items"][0]["vmid"], 202);
    let row = &all["items"][0];
    assert_eq!(row["id"], format!("{}/202", row["remote_id"]));
    let running = house.get("/guests?q=type:ct%20status:running&sort=vmid&limit=1").await.ok();
    assert_eq!((&running["total"], running["items"].as_array().unwrap().len()), (&json!(2), 1));
    assert_eq!(running["counts"]["type"], json!({"ct": 2}));
    let second = house.get("/guests?q=type:ct%20status:running&sort=vmid&limit=1&offset=1").await.ok();
    assert_ne!(running["items"][0]["id"], second["items"][0]["id"]);
    let by_name = house.get("/guests?q=name~guest-10").await.ok();
    assert_eq!(by_name["total"], 3);

    let nodes = house.get("/nodes?sort=name").await.ok();
    assert_eq!((&nodes["total"], &nodes["items"][0]["guests"]), (&json!(2), &json!(3)), "{nodes}");
    let node = house.get("/nodes/home/pve2").await.ok();
    assert_eq!((&node["name"], &node["link"]["up"]), (&json!("pve2"), &json!(true)));
    assert!(node["status"]["seen"]["value"]["cpuinfo"]["model"].is_string(), "{}", node["status"]);
    assert!(node["open_url"].as_str().unwrap().ends_with("/#v1:0:=node%2Fpve2:4:::::::"), "{node}");
    house.get("/nodes/home/pve9").await.refused(404, "not_found");
    let storage = house.get("/storages/home/local").await.ok();
    assert_eq!(storage["storages"].as_array().unwrap().len(), 2, "{storage}");
    let contents = &storage["contents"][1];
    assert_eq!((&contents["node"], &contents["shared"]), (&json!("pve2"), &json!(false)), "{storage}");
    let iso = json!({"content": "iso", "volumes": 1, "bytes": 820_838_400, "sizeless": 0});
    assert!(contents["seen"]["value"]["kinds"].as_array().unwrap().contains(&iso), "{contents}");
    assert!(contents["open_url"].as_str().unwrap().ends_with("=storage%2Fpve2%2Flocal:4:::::::"));
    let disks = house.get("/storages/home/local-lvm@pve1").await.ok();
    assert_eq!(
        (&disks["guests_total"], &disks["guests"][0]["remote"]),
        (&json!(3), &json!("home")),
        "{disks}"
    );
    assert_eq!(disks["contents"][0]["seen"]["value"]["unlisted_guests"], 0, "{disks}");
    assert_eq!(disks["guests"][0]["has"][0]["volumes"], 1, "{disks}");
    assert_eq!(house.get("/storages/home/local@pve1").await.ok()["storages"].as_array().unwrap().len(), 1);
    house.get("/storages/home/nope").await.refused(404, "not_found");
    let remotes = house.get("/remotes?q=link:connected").await.ok();
    assert_eq!(remotes["items"][0]["counts"]["nodes"], 2);
    house.end().await;
}

#[tokio::test]
async fn an_error_in_a_query_points_at_its_place() {
    let house = House::managing(Topology::single("9.2")).await;
    for list in ["guests", "nodes", "storages", "tasks", "operations", "remotes"] {
        let problem = house.get(&format!("/{list}?q=web%20colour:red")).await.refused(422, "query");
        assert_eq!(problem["at"], json!({"start": 4, "end": 10}), "{list}: {problem}");
        house.get(&format!("/{list}?sort=-colour")).await.refused(422, "sort");
    }
    let problem = house.get("/guests?q=cpu%3Elots").await.refused(422, "query");
    assert!(!problem["remedy"].as_str().unwrap().is_empty(), "{problem}");
    house.get("/guests?limit=many").await.refused(400, "malformed");
    house.end().await;
}

#[tokio::test]
async fn one_guest_in_full() {
    let house = House::managing(Topology::single("9.2")).await;
    let guest = house.get("/guests/home/101").await.ok();
    assert_eq!(
        (&guest["vmid"], &guest["kind"], &guest["word"]),
        (&json!(101), &json!("ct"), &json!("running"))
    );
    assert_eq!(guest["status"]["seen"]["value"]["status"], "running", "{}", guest["status"]);
    assert!(guest["config"]["seen"]["value"]["hostname"].is_string(), "{}", guest["config"]);
    assert!(guest["interfaces"]["seen"]["value"].is_array());
    let open = format!("https://{}/#v1:0:=lxc%2F101:4:::::::", house.address("pve1"));
    assert_eq!(guest["open_url"], open);
    let of = |action: &str| {
        guest["actions"].as_array().unwrap().iter().find(|one| one["action"] == action).cloned()
    };
    assert_eq!(of("shutdown").unwrap()["availability"], "available");
    let start = of("start").unwrap();
    assert_eq!(start["availability"], "disabled");
    assert!(start["reason"].is_string() && start["remedy"].is_string(), "{start}");

    // Told without asking: no request is made for it.
    let asked = |house: &House| {
        house.remote.journal().iter().filter(|one| one.api_path().ends_with("/lxc/101/pending")).count()
    };
    let before = asked(&house);
    let known = house
        .until("/guests/home/101?look=false", "its configuration", |known| !known["config"]["seen"].is_null())
        .await;
    assert_eq!(known["config"]["seen"]["value"], guest["config"]["seen"]["value"]);
    assert!(known["status"]["seen"].is_null() && known["status"]["error"].is_null());
    assert_eq!(asked(&house), before);
    house.get("/guests/home/999").await.refused(404, "not_found");
    house.get("/guests/home/x").await.refused(404, "not_found");
    house.end().await;
}

#[tokio::test]
async fn the_history_is_paged_and_filtered() {
    let house = House::managing(Topology::single("9.2")).await;
    let id = house.operate(102, "start").await;
    house.ended(&id).await;
    let started = house.until("/events?kind=guest_state", "its event", |page| page["total"] == 1).await;
    let guest = house.get("/guests/home/102?look=false").await.ok();
    assert!(guest["name"].is_string());
    assert_eq!(started["items"][0]["guest"], guest["name"], "the guest's name as it is now");
    let all = house.get("/events").await.ok();
    let ids: Vec<i64> =
        all["items"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {ids:?}");
    let mut paged = Vec::new();
    let mut path = "/events?limit=2".to_owned();
    loop {
        assert!(paged.len() < ids.len() + 1000, "the pages never end: {paged:?}");
        let page = house.get(&path).await.ok();
        paged.extend(page["items"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()));
        match page["next"].as_i64() {
            Some(next) => path = format!("/events?limit=2&before={next}"),
            None => break,
        }
    }
    // What happened meanwhile is newer.
    paged.retain(|id| *id <= ids[0]);
    assert_eq!(paged, ids);
    let of_guest = house.get("/guests/home/102/events").await.ok();
    assert!(
        of_guest["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event["vmid"] == 102 && event["remote"] == "home")
    );
    house.get("/events?remote=nowhere").await.refused(404, "not_found");
    house.end().await;
}

#[tokio::test]
async fn a_number_that_belongs_to_another_guest_keeps_its_past() {
    let house = House::managing(Topology::single("9.2")).await;
    assert_eq!(house.get("/guests/home/102/past").await.ok()["total"], 0);
    house.remote.with_world(|world, _| {
        world.remove_guest(102);
        world
            .add_guest(&pve_sim::world::spec::GuestInput {
                vmid: 102,
                kind: pve_sim::world::Kind::Vm,
                name: "another".to_owned(),
                node: "pve1".to_owned(),
                ..Default::default()
            })
            .unwrap();
    });
    let past = house.until("/guests/home/102/past", "an earlier life", |page| page["total"] == 1).await;
    let life = &past["items"][0];
    assert_eq!((&life["row"]["kind"], &life["vmid"]), (&json!("ct"), &json!(102)), "{life}");
    house.end().await;
}

#[tokio::test]
async fn what_was_kept_and_cannot_be_read_is_not_passed_over() {
    let house = House::managing(Topology::single("9.2")).await;
    let remote = house.get("/remotes/home").await.ok()["id"].as_u64().unwrap();
    let upid = "UPID:pve1:0000C530:001C9BEC:6B022530:vzstart:101:root@pam:";
    house.get(&format!("/tasks/home/{upid}")).await.refused(404, "not_found");
    assert_eq!(house.get("/operations").await.ok().get("unreadable"), None);
    for sql in [
        format!(
            "INSERT INTO operations (id, remote, vmid, instance, open, requested, body)
            VALUES (77, {remote}, 101, 'x', 0, 1, '{{')"
        ),
        format!(
            "INSERT INTO observed (remote, kind, key, at, through, body)
            VALUES ({remote}, 'guest_past', '101/0', 1, NULL, '{{')"
        ),
        format!(
            "INSERT INTO observed (remote, kind, key, at, through, body)
            VALUES ({remote}, 'task', '{upid}', 1, NULL, '{{')"
        ),
    ] {
        house.alter(&sql).await;
    }
    let operations = house.get("/operations").await.ok();
    assert_eq!((&operations["total"], &operations["unreadable"]), (&json!(0), &json!(1)), "{operations}");
    let past = house.get("/guests/home/101/past").await.ok();
    assert_eq!((&past["total"], &past["unreadable"]), (&json!(0), &json!(1)), "{past}");
    // What a task's id says is told; how it ended is not known.
    let task = house.get(&format!("/tasks/home/{upid}")).await.ok();
    assert_eq!(
        (&task["type"], &task["vmid"], &task["ended"]),
        (&json!("vzstart"), &json!(101), &json!(null)),
        "{task}"
    );
    assert_eq!(task["outcome"], "unknown", "{task}");
    // Nor is it told to whom may not see that remote.
    let nobody = house.viewer("ben", model::access::Role::Viewer, Some(model::RemoteId(remote + 1))).await;
    let operations = house.ask(&nobody, http::Method::GET, "/operations", None).await.ok();
    assert_eq!(operations.get("unreadable"), None, "{operations}");
    house.end().await;
}

#[tokio::test]
async fn before_the_first_listing_nobody_says_how_many_there_are() {
    let mut house = House::single().await;
    house.remote.fault(None, Fault::Refuse).await;
    house.adopt("home", "root@pam", "secret-root").await;
    house.link("home", "backing_off").await;
    let of = |remote: &serde_json::Value, key: &str| remote["counts"][key].clone();
    let keys =
        ["nodes", "nodes_online", "guests", "guests_running", "guests_unknown", "storages", "tasks_running"];
    let remote = house.get("/remotes/home").await.ok();
    for key in keys {
        assert_eq!(remote["counts"].get(key), Some(&json!(null)), "{key}: {}", remote["counts"]);
    }
    assert_eq!(of(&remote, "operations_open"), 0, "that Muster knows by itself");
    house.remote.clear_all().await;
    let counted = |remote: &serde_json::Value| keys.iter().all(|key| remote["counts"][key].is_u64());
    let remote = house.until("/remotes/home", "its figures", counted).await;
    assert_eq!((of(&remote, "nodes"), of(&remote, "tasks_running")), (json!(1), json!(0)));
    let guests = of(&remote, "guests").as_u64().unwrap();

    // One that was deleted is still shown where one asks for it, and counted nowhere.
    house.remote.with_world(|world, _| world.remove_guest(102));
    let gone = |page: &serde_json::Value| page["total"] == 0;
    house.until("/guests?q=vmid:102", "that it is deleted", gone).await;
    house.get("/guests/home/102?look=false").await.ok();
    assert_eq!(house.get("/system").await.ok()["guests"], guests - 1);
    assert_eq!(of(&house.get("/remotes/home").await.ok(), "guests"), guests - 1);
    assert_eq!(house.get("/nodes/home/pve1").await.ok()["guests"], guests - 1);

    // What was listed once stays known, whether or not the host answers.
    house.remote.fault(None, Fault::Refuse).await;
    house.restart().await;
    house.link("home", "backing_off").await;
    let remote = house.get("/remotes/home").await.ok();
    assert_eq!((of(&remote, "nodes"), of(&remote, "guests")), (json!(1), json!(guests - 1)));
    // What runs there now, nobody knows.
    assert_eq!(of(&remote, "tasks_running"), json!(null), "{remote}");
    let running = house.get("/overview").await.ok()["running"].clone();
    assert_eq!((&running["tasks_total"], &running["tasks_unknown"]), (&json!(0), &json!(1)), "{running}");
    house.end().await;
}
