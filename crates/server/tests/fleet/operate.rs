//! Operations and tasks: followed to their end, done once.

use http::Method;
use model::access::Role;
use pve_sim::{Fault, Topology};
use serde_json::{Value, json};

use crate::support::{House, wish};

#[tokio::test]
async fn an_operation_is_followed_to_its_end() {
    let house = House::managing(Topology::single("9.2")).await;
    let id = house.operate(102, "start").await;
    let operation = house.ended(&id).await;
    assert_eq!((&operation["state"], &operation["success"]), (&json!("succeeded"), &json!(true)));
    assert_eq!(operation["author"]["name"], "ada (token test)");
    assert_eq!((&operation["remote"], &operation["action"]), (&json!("home"), &json!("start")));
    let upid = operation["task"].as_str().unwrap();

    let task = house.get(&format!("/tasks/home/{upid}")).await.ok();
    assert_eq!(
        (&task["outcome"], &task["operation"], &task["vmid"]),
        (&json!("ok"), &json!(id), &json!(102))
    );
    let log = house.get(&format!("/tasks/home/{upid}/log")).await.ok();
    assert_eq!(log["outcome"], json!({"outcome": "ok"}));
    let lines = log["lines"].as_array().unwrap();
    assert!(lines.last().unwrap().as_str().unwrap().contains("TASK OK"), "{log}");
    let page = house.get(&format!("/tasks/home/{upid}/log?start=0&limit=1")).await.ok();
    assert_eq!((&page["start"], &page["lines"]), (&json!(0), &json!([lines[0]])));
    let listed = house.until("/tasks?q=vmid:102", "listed", |page| page["total"] == 1).await;
    assert_eq!(listed["items"][0]["upid"], upid);
    let after = house.get(&format!("/tasks/home/{upid}/log?start={}", lines.len())).await.ok();
    assert_eq!(after["lines"], json!([]));
    let own = house.get("/guests/home/102/tasks").await.ok();
    assert_eq!(own["items"][0]["upid"], upid);

    house
        .get("/tasks/home/UPID:pve1:00000001:00000001:6B022530:vzstart:999:root@pam:")
        .await
        .refused(404, "not_found");
    house.get("/tasks/home/nonsense/log").await.refused(404, "not_found");
    house.delete(&format!("/tasks/home/{upid}")).await.refused(409, "ended");
    house.get("/operations/1").await.refused(404, "not_found");
    house.get("/operations/x").await.refused(404, "not_found");
    let undecided = house.post(&format!("/operations/{id}/resolve"), json!({"as": "not_sent"})).await;
    undecided.refused(409, "not_undecided");
    house.end().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_reason_and_remedy() {
    let house = House::managing(Topology::single("9.2")).await;
    let problem = house.post("/operations", wish(101, "start")).await.refused(409, "disabled");
    assert!(problem["detail"].as_str().unwrap().contains("running already"), "{problem}");
    assert_eq!(problem["remedy"], "Nothing to do.");
    house.post("/operations", wish(999, "start")).await.refused(404, "not_found");
    house
        .post("/operations", json!({"remote": "nowhere", "vmid": 1, "action": "start"}))
        .await
        .refused(404, "not_found");
    house
        .post("/operations", json!({"remote": "home", "vmid": 101, "action": "explode"}))
        .await
        .refused(422, "invalid");
    // What is misspelt is not passed over, and nothing is sent as if it had not been said.
    for (more, field) in [
        (json!({"optoins": {"timeout_seconds": 3}}), "optoins"),
        (json!({"options": {"timeout_secs": 3}}), "options.timeout_secs"),
    ] {
        let mut misspelt = wish(101, "shutdown");
        misspelt.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = house.post("/operations", misspelt).await.refused(422, "invalid");
        assert!(problem["detail"].as_str().unwrap().contains(&format!("“{field}”")), "{problem}");
    }
    let problem = house.get("/guests?qq=status:running").await.refused(400, "malformed");
    assert!(problem["detail"].as_str().unwrap().contains("“qq”"), "{problem}");
    let viewer = house.viewer("vera", Role::Viewer, None).await;
    let asked = house.ask(&viewer, Method::POST, "/operations", Some(&wish(102, "start"))).await;
    asked.refused(403, "not_allowed");
    assert!(house.mutations().is_empty());
    house.end().await;
}

#[tokio::test]
async fn the_same_key_does_it_once() {
    let house = House::managing(Topology::single("9.2")).await;
    let bearer = format!("Bearer {}", house.token);
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "6f1b1c1e")];
    let body = wish(102, "start");
    let first = house.send(Method::POST, "/operations", Some(&body), &headers).await;
    assert_eq!(first.status, 202, "{first:?}");
    let id = first.body["id"].as_str().unwrap().to_owned();
    house.ended(&id).await;
    let again = house.send(Method::POST, "/operations", Some(&body), &headers).await;
    assert_eq!((again.status, &again.body["id"]), (first.status, &json!(id)));
    assert_eq!(again.headers["location"], first.headers["location"]);
    let other = house.send(Method::POST, "/operations", Some(&wish(101, "stop")), &headers).await;
    other.refused(422, "idempotency_key_reused");
    let sent: Vec<String> = house.mutations().iter().map(|one| one.api_path().to_owned()).collect();
    assert_eq!(sent, ["/nodes/pve1/lxc/102/status/start"]);
    house.end().await;
}

#[tokio::test]
async fn a_person_decides_between_two_tasks_that_fit() {
    let house = House::managing(Topology::single("9.2")).await;
    let unread = Fault::ServerError { text: "not now".into() };
    house.remote.fault(None, unread.on("/cluster/tasks")).await;
    let failing = |remote: &Value| {
        let tasks = remote["coverage"].as_array().unwrap().iter().find(|one| one["facet"] == "tasks");
        tasks.is_some_and(|tasks| tasks["cause"]["code"] == "server_error")
    };
    house.until("/remotes/home", "tasks unread", failing).await;
    // Somebody else, with the same account, did the same at the same time.
    house.remote.with_world(|world, _| {
        world.add_finished_task("pve1", "vzstart", "102", "root@pam", 0, "OK").unwrap();
    });
    house.remote.fault(None, Fault::LoseAnswer.on("/nodes/pve1/lxc/102/status/start").times(1)).await;
    let id = house.operate(102, "start").await;
    let at = format!("/operations/{id}");
    let undecided = house
        .until(&at, "two tasks", |one| one["candidates"].as_array().is_some_and(|all| all.len() == 2))
        .await;
    assert_eq!(undecided["state"], "outcome_unknown");
    let decide = |body: Value| {
        let (house, path) = (&house, format!("{at}/resolve"));
        async move { house.post(&path, body).await }
    };
    let other = "UPID:pve1:00000001:00000002:6A4BB5C8:vzstart:102:root@pam:";
    let problem = decide(json!({"as": "task", "task": other})).await.refused(422, "invalid");
    assert_eq!(problem["candidates"].as_array().unwrap().len(), 2, "{problem}");
    let viewer = house.viewer("vera", Role::Viewer, None).await;
    let body = json!({"as": "not_sent"});
    house.ask(&viewer, Method::POST, &format!("{at}/resolve"), Some(&body)).await.refused(403, "not_allowed");
    decide(json!({"as": "task", "task": undecided["candidates"][0]})).await.ok();
    let ended = house.until(&at, "decided", |one| one["success"] == true).await;
    assert_eq!(ended["task"], undecided["candidates"][0]);
    decide(body).await.refused(409, "not_undecided");
    house.end().await;
}

#[tokio::test]
async fn a_task_is_asked_to_end() {
    let house = House::managing(Topology::single("9.2")).await;
    house.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = house.operate(102, "start").await;
    let at = format!("/operations/{id}");
    let running = house.until(&at, "running", |operation| operation["state"] == "running").await;
    let upid = running["task"].as_str().unwrap();
    let busy = house.post("/operations", wish(102, "start")).await.refused(409, "disabled");
    assert!(busy["detail"].as_str().unwrap().contains("has not ended"), "{busy}");
    let viewer = house.viewer("vera", Role::Viewer, None).await;
    let task = format!("/tasks/home/{upid}");
    house.ask(&viewer, Method::DELETE, &task, None).await.refused(403, "not_allowed");
    let asked = house.delete(&task).await;
    assert_eq!((asked.status.as_u16(), &asked.body["upid"]), (202, &json!(upid)));
    assert_eq!(house.ended(&id).await["state"], "cancelled");
    house.end().await;
}

/// Done on the host, and then the log takes no line: it is told neither as done nor as not done.
#[tokio::test]
async fn what_was_done_and_could_not_be_recorded_is_told_as_that() {
    let house = House::managing(Topology::single("9.2")).await;
    house.remote.with_world(|world, _| world.hang_next_task("vzstart"));
    let id = house.operate(102, "start").await;
    let running = house.until(&format!("/operations/{id}"), "running", |one| one["state"] == "running").await;
    let task = format!("/tasks/home/{}", running["task"].as_str().unwrap());
    house.alter("CREATE TRIGGER no BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'worn out'); END").await;
    let problem = house.delete(&task).await.refused(500, "not_recorded");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("202") && detail.contains("worn out"), "{problem}");
    assert!(problem["remedy"].as_str().unwrap().contains("how things stand"), "{problem}");
    let asked = house.mutations().iter().filter(|one| one.method == "DELETE").count();
    assert_eq!(asked, 1, "the host was asked");
    house.alter("DROP TRIGGER no").await;
    assert_eq!(house.ended(&id).await["state"], "cancelled");
    house.end().await;
}

#[tokio::test]
async fn who_sees_one_remote_sees_nothing_of_the_others() {
    let house = House::managing(Topology::single("9.2")).await;
    let id = house.operate(102, "start").await;
    let operation = house.ended(&id).await;
    let upid = operation["task"].as_str().unwrap();
    let stranger = house.viewer("sid", Role::Administrator, Some(model::RemoteId(4711))).await;
    let ask = |path: String| {
        let (house, stranger) = (&house, &stranger);
        async move { house.ask(stranger, Method::GET, &path, None).await }
    };
    for list in ["/remotes", "/guests", "/nodes", "/storages", "/tasks", "/operations", "/events"] {
        let page = ask(list.to_owned()).await.ok();
        assert_eq!((&page["total"], &page["items"]), (&json!(0), &json!([])), "{list}: {page}");
        if list != "/events" {
            assert_eq!(page["counts"]["remotes"]["total"], 0, "{list}");
        }
    }
    for one in [
        "/remotes/home".to_owned(),
        "/guests/home/101".to_owned(),
        "/guests/home/101/events".to_owned(),
        "/nodes/home/pve1".to_owned(),
        "/storages/home/local".to_owned(),
        format!("/tasks/home/{upid}"),
        format!("/operations/{id}"),
        "/events?remote=home".to_owned(),
    ] {
        ask(one).await.refused(404, "not_found");
    }
    let start = house.ask(&stranger, Method::POST, "/operations", Some(&wish(101, "stop"))).await;
    let unseen = start.refused(404, "not_found");
    let absent: Value = house
        .ask(
            &stranger,
            Method::POST,
            "/operations",
            Some(&json!({"remote": "nowhere", "vmid": 1, "action": "stop"})),
        )
        .await
        .refused(404, "not_found");
    assert_eq!(unseen, absent, "what may not be seen answers like what is not there");
    house.end().await;
}
