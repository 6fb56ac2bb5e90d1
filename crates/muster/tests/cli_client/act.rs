//! What is done to guests: which is meant, how it ends, what waits.

use std::time::Duration;

use muster::term::ask::Scripted;
use serde_json::json;

use crate::fake::{Fake, Reply, guest, operation, page, problem, remote, started};
use crate::support::{answering, interrupt, running, two_webs};

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_the_only_one_or_none() {
    let fake = Fake::start(|asked, _| match asked.path.as_str() {
        "/api/v1/guests" => two_webs(asked),
        "/api/v1/operations" => Reply::Json(
            202,
            operation("1", 201, "db", "start", json!({ "state": "succeeded", "success": true })),
        ),
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    for text in ["web", "101"] {
        let run = fake.muster(&["guest", "start", text]).await;
        assert_eq!(run.code, 2, "{text}: {run:?}");
        assert!(run.err.contains("home/101  web") && run.err.contains("site/"), "{text}: {run:?}");
        assert!(run.err.contains("REMOTE/VMID"), "{run:?}");
    }
    let run = fake.muster(&["guest", "start", "nas"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("no guest “nas”"), "{run:?}");
    assert!(fake.mutations().is_empty(), "nothing was sent");

    let run = fake.muster(&["guest", "start", "db"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let sent = fake.mutations();
    assert_eq!((sent.len(), &sent[0].body["vmid"], &sent[0].body["remote"]), (1, &json!(201), &json!("2")));
    assert!(run.out.contains("start container db (site/201): done"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_once_more_with_the_same_key() {
    let once = Fake::start(|asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => two_webs(asked),
        _ => Reply::Json(
            202,
            operation("1", 201, "db", "start", json!({ "state": "succeeded", "success": true })),
        ),
    });
    let lost = std::sync::atomic::AtomicUsize::new(0);
    let flaky = Fake::start(move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => two_webs(asked),
        _ if lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 => Reply::Nothing,
        _ => Reply::Json(
            202,
            operation("1", 201, "db", "start", json!({ "state": "succeeded", "success": true })),
        ),
    });
    for (fake, times) in [(once, 1), (flaky, 2)] {
        let run = fake.muster(&["guest", "start", "db"]).await;
        assert_eq!(run.code, 0, "{run:?}");
        let keys: Vec<_> = fake.mutations().into_iter().map(|m| m.key.unwrap()).collect();
        assert_eq!(keys.len(), times, "{keys:?}");
        assert!(keys.iter().all(|k| *k == keys[0] && k.len() >= 16), "{keys:?}");
    }
    let dead = Fake::start(|asked, _| match asked.method.as_str() {
        "GET" => two_webs(asked),
        _ => Reply::Nothing,
    });
    let run = dead.muster(&["guest", "start", "db"]).await;
    assert_eq!(run.code, 7, "nobody knows whether it was done: {run:?}");
    assert_eq!(dead.mutations().len(), 2);
    assert!(run.err.contains("muster operation ls"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_guests_have_each_their_own_end() {
    let stopped = |vmid| match vmid {
        101 => Ok(operation("1", 101, "web", "stop", json!({ "state": "succeeded", "success": true }))),
        102 => {
            let why = json!({ "why": "task", "exit": "no" });
            let state = json!({ "state": "failed", "detail": why, "sentence": "failed: no" });
            Ok(operation("2", 102, "db", "stop", state))
        }
        _ => Err(problem(403, "an operator on home may do that", "Ask for the role.")),
    };
    let fake = Fake::start(move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => Reply::Json(
            200,
            page(&[
                guest((1, "home"), 101, "web", "running"),
                guest((1, "home"), 102, "db", "running"),
                guest((1, "home"), 103, "nas", "running"),
            ]),
        ),
        ("POST", "/api/v1/operations") => started(asked, stopped),
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    let run = fake.muster(&["guest", "stop", "--query", "tag:lab"]).await;
    assert_eq!(run.code, 2, "a script has to say --yes: {run:?}");
    assert!(run.err.contains("--yes") && run.err.contains("home/103"), "{run:?}");
    let run = fake.muster(&["guest", "stop", "--query", "tag:lab", "--dry-run"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("home/102") && run.err.contains("Nothing was done"), "{run:?}");
    assert!(fake.mutations().is_empty());

    let run = fake.muster(&["guest", "stop", "--query", "tag:lab", "--yes"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.out.contains("container web (home/101): done"), "{run:?}");
    assert!(run.err.contains("db (home/102): failed: no") && run.err.contains("TASK ERROR: no"), "{run:?}");
    assert!(run.err.contains("nas (home/103)") && run.err.contains("an operator on home"), "{run:?}");
    assert!(run.err.contains("stop: 1 of 3 done."), "{run:?}");
    let [sent] = fake.mutations().try_into().expect("one request for all");
    let targets = [101, 102, 103].map(|vmid| json!({"remote": "1", "vmid": vmid}));
    assert_eq!((&sent.body["targets"], &sent.body["action"]), (&json!(targets), &json!("stop")));
    let run = fake.muster(&["guest", "stop", "--query", "tag:lab", "--yes", "-o", "json"]).await;
    assert_eq!((run.code, &run.json()["total"]), (3, &json!(3)), "{run:?}");
    let states: Vec<_> = run.json()["items"].as_array().unwrap().iter().map(|i| i["state"].clone()).collect();
    assert_eq!(states, ["succeeded", "failed", "refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_asked_for_in_few_requests_and_told_in_their_order() {
    let rows: Vec<_> = (1000..1502).map(|vmid| guest((1, "home"), vmid, "x", "stopped")).collect();
    let done = |vmid: u32| {
        Ok(operation(&vmid.to_string(), vmid, "x", "start", json!({ "state": "succeeded", "success": true })))
    };
    let fake = Fake::start(move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => Reply::Json(200, page(&rows)),
        ("POST", "/api/v1/operations") => started(asked, done),
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    let run = fake.muster(&["guest", "start", "--query", "tag:lab", "--yes", "-o", "json"]).await;
    assert_eq!((run.code, &run.json()["total"]), (0, &json!(502)), "{}", run.err);
    let told: Vec<u64> =
        run.json()["items"].as_array().unwrap().iter().map(|item| item["vmid"].as_u64().unwrap()).collect();
    assert!(told.iter().copied().eq(1000..1502), "{told:?}");
    let sent = fake.mutations();
    let sizes: Vec<usize> = sent.iter().map(|one| one.body["targets"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [500, 2]);
    assert_ne!(sent[0].key, sent[1].key, "each is a wish of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_many_that_fails_as_a_whole_is_said_once_and_what_went_before_goes_on() {
    let rows: Vec<_> = (1000..2001).map(|vmid| guest((1, "home"), vmid, "x", "stopped")).collect();
    let small = rows[..3].to_vec();
    let refusing = Fake::start(move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => Reply::Json(200, page(&small)),
        _ => Reply::Problem(403, json!({ "detail": "an operator may do that" })),
    });
    let run = refusing.muster(&["guest", "start", "--query", "tag:lab", "--yes"]).await;
    assert_eq!((run.code, refusing.mutations().len()), (5, 1), "{run:?}");
    assert_eq!(run.err.matches("An operator may do that").count(), 1, "{run:?}");

    let fake = Fake::start(move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => Reply::Json(200, page(&rows)),
        ("POST", _) if asked.body["targets"][0]["vmid"] == 1000 => started(asked, |vmid| {
            let state = json!({ "state": "succeeded", "success": true });
            Ok(operation(&vmid.to_string(), vmid, "x", "start", state))
        }),
        ("POST", _) => Reply::Nothing,
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    let run = fake.muster(&["guest", "start", "--query", "tag:lab", "--yes", "-o", "json"]).await;
    assert_eq!(run.code, 3, "{}", run.err);
    let items = run.json()["items"].as_array().unwrap().clone();
    let of = |at: usize| items[at]["reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!((items.len(), &items[499]["state"]), (1001, &json!("succeeded")));
    assert!(of(500).contains("may have done it") && of(999).contains("may have done it"), "{}", of(500));
    assert!(of(1000).contains("Not asked for"), "{}", of(1000));
    let keys: Vec<_> = fake.mutations().into_iter().map(|one| one.key.unwrap()).collect();
    assert_eq!(keys.len(), 3, "the lost one was asked for once more, the last not at all");
    assert!(keys[1] == keys[2] && keys[0] != keys[1], "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_is_followed_to_its_own_end() {
    let looked = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::start(move |asked, _| {
        let at = |id: &str, vmid, ended: bool| match ended {
            true => operation(id, vmid, "x", "stop", json!({ "state": "succeeded", "success": true })),
            false => {
                let waits = json!({ "state": "pending", "final": false, "sentence": "waits for its turn" });
                operation(id, vmid, "x", "stop", waits)
            }
        };
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/api/v1/guests") => {
                Reply::Json(200, page(&[101, 102, 103].map(|vmid| guest((1, "home"), vmid, "x", "running"))))
            }
            ("POST", _) => {
                let Reply::Json(status, mut told) =
                    started(asked, |vmid| Ok(at(&vmid.to_string(), vmid, false)))
                else {
                    panic!()
                };
                // How the last one stands could not be told just then; it was taken on.
                told["items"][2]["operation"] = serde_json::Value::Null;
                told["items"][2]["problem"] = problem(503, "the database does not answer", "Wait.");
                Reply::Json(status, told)
            }
            (_, "/api/v1/operations/101") => {
                let looks = looked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Reply::Json(200, at("101", 101, looks > 1))
            }
            (_, "/api/v1/operations/103") => Reply::Json(200, at("103", 103, true)),
            _ => Reply::Json(200, at("102", 102, false)),
        }
    });
    let run = fake.muster(&["guest", "stop", "--query", "tag:lab", "--yes", "--wait", "2"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.out.contains("(home/101): done") && run.out.contains("(home/103): done"), "{run:?}");
    for words in ["(home/102): not sent yet", "muster operation follow 102", "muster operation cancel 102"] {
        assert!(run.err.contains(words), "{words}: {run:?}");
    }
    assert_eq!(fake.mutations().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_end_with_their_codes_and_say_what_to_do() {
    let fake = Fake::start(|asked, _| match asked.path.as_str() {
        "/api/v1/remotes/unseen" => Reply::Problem(404, json!({ "detail": "There is no such remote." })),
        "/api/v1/remotes/out" => Reply::Problem(401, json!({ "detail": "not signed in" })),
        "/api/v1/remotes/small" => Reply::Problem(403, json!({ "detail": "an administrator may do that" })),
        "/api/v1/remotes/web" => Reply::Text(200, "<html>hello</html>"),
        "/api/v1/guests" => Reply::Problem(
            400,
            json!({ "type": "urn:muster:query",
                "detail": "no key is called “stat”", "remedy": "Did you mean “status”?",
                "at": { "start": 8, "end": 12 },
            }),
        ),
        _ => Reply::Problem(500, json!({ "detail": "a fault of Muster" })),
    });
    for (name, code, words) in [
        ("unseen", 2, "muster remote ls"),
        ("out", 4, "muster login"),
        ("small", 5, "muster user role"),
        ("web", 1, "is not Muster"),
        ("broken", 1, "A fault of Muster."),
    ] {
        let run = fake.muster(&["remote", "show", name, "-o", "json"]).await;
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{name}: {run:?}");
        assert!(run.err.contains(words), "{name}: {words} in {run:?}");
    }
    let run = fake.muster(&["guest", "ls", "type:ct", "stat:running"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("  type:ct stat:running\n          ^^^^\n"), "{}", run.err);
    assert!(run.err.contains("hint: Did you mean “status”?"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_says_that_it_goes_on() {
    let fake = Fake::start(|asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => two_webs(asked),
        _ => Reply::Json(
            202,
            operation(
                "42",
                201,
                "db",
                "shutdown",
                json!({
                    "state": "running", "final": false, "sentence": "its task runs",
                }),
            ),
        ),
    });
    let run =
        fake.muster(&["guest", "shutdown", "db", "--wait", "1", "--timeout", "3m", "--force-stop"]).await;
    assert_eq!(run.code, 7, "{run:?}");
    assert!(
        run.err.contains("muster operation follow 42")
            && run.err.contains("its task still runs; the 1 s given with --wait have passed"),
        "what is known to run is not called unknown: {run:?}"
    );
    let run = fake.muster(&["guest", "shutdown", "db", "--wait", "1", "-o", "json"]).await;
    assert_eq!((run.code, &run.json()["state"]), (7, &json!("running")), "a script can tell: {run:?}");
    let sent = fake.mutations().len();
    assert_eq!(fake.mutations()[0].body["options"], json!({ "timeout_seconds": 180, "force_stop": true }));
    assert_eq!(sent, 2);
    let run = fake.muster(&["guest", "shutdown", "db", "--no-wait"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("muster operation follow 42"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_asked_for_and_not_done() {
    let fake = Fake::start(|asked, _| {
        let going_on = json!({ "state": "running", "final": false, "sentence": "its task runs" });
        let failed = json!({
            "state": "failed", "detail": { "why": "task", "exit": "no" }, "sentence": "failed: no",
        });
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/api/v1/guests") => Reply::Json(
                200,
                page(&[
                    guest((1, "home"), 101, "web", "running"),
                    guest((1, "home"), 102, "db", "running"),
                    guest((1, "home"), 103, "nas", "running"),
                ]),
            ),
            ("POST", "/api/v1/operations") => started(asked, |vmid| match vmid {
                103 => Ok(operation("3", 103, "nas", "stop", failed.clone())),
                vmid => Ok(operation("1", vmid, "x", "shutdown", going_on.clone())),
            }),
            _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
        }
    });
    let run = fake.muster(&["guest", "shutdown", "home/101", "home/102", "--no-wait"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("shutdown: 2 of 2 asked for."), "{run:?}");
    assert!(!format!("{}{}", run.out, run.err).contains("done"), "nothing has ended: {run:?}");
    // What has ended by the time of the answer is told as it ended.
    let run = fake.muster(&["guest", "shutdown", "home/101", "home/103", "--no-wait"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.err.contains("failed: no") && run.err.contains("1 of 2 asked for."), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_waiting_and_not_the_operation() {
    let going_on = || {
        operation(
            "42",
            201,
            "db",
            "shutdown",
            json!({
                "state": "running", "final": false, "sentence": "its task runs",
            }),
        )
    };
    let fake = Fake::start(move |asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => two_webs(asked),
        ("GET", "/api/v1/guests/2/201") => {
            let mut detail = guest((2, "site"), 201, "db", "running");
            let more = json!({
                "actions": [], "operation": going_on(), "status": { "seen": null }, "config": { "seen": null },
                "pending": { "seen": null }, "interfaces": { "seen": null }, "link": remote(2, "site", true)["link"],
            });
            detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Reply::Json(200, detail)
        }
        _ => Reply::Json(202, going_on()),
    });
    let dir = fake.dir();
    let (child, _) = running(&["guest", "shutdown", "db", "--data-dir", dir.to_str().unwrap()]);
    while fake.asked().iter().filter(|a| a.path.starts_with("/api/v1/operations/")).count() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (code, err) = interrupt(child).await;
    assert_eq!(code, 7, "{err}");
    assert!(err.contains("interrupted") && err.contains("muster operation follow 42"), "{err}");
    assert_eq!(fake.mutations().len(), 1, "nothing was sent to end it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_that_takes_too_long_offers_to_stop() {
    let fake = Fake::start(|asked, _| match (asked.method.as_str(), asked.body["action"].as_str()) {
        ("GET", _) => two_webs(asked),
        (_, Some("stop")) => Reply::Json(
            202,
            operation("2", 201, "db", "stop", json!({ "state": "succeeded", "success": true })),
        ),
        _ => Reply::Json(
            202,
            operation(
                "1",
                201,
                "db",
                "shutdown",
                json!({
                    "state": "failed", "detail": { "why": "task", "exit": "got timeout" }, "sentence": "failed: got timeout",
                }),
            ),
        ),
    });
    let mut ask = Scripted::answering(["no"]);
    let (code, _, err) = answering(&fake, &["guest", "shutdown", "db"], &mut ask).await;
    assert_eq!((code, fake.mutations().len()), (1, 1), "{err}");
    let mut ask = Scripted::answering(["yes"]);
    let (code, out, err) = answering(&fake, &["guest", "shutdown", "db"], &mut ask).await;
    assert_eq!((code, fake.mutations().len()), (0, 3), "{err}");
    assert!(err.contains("got timeout") && out.contains("stop container db (site/201): done"), "{out}{err}");
    assert!(ask.heard[0].contains("Stop it now? What it has not written is lost."), "{:?}", ask.heard);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_named_by_the_end_of_its_id() {
    let ids = ["7353666445783041", "7353666445783042", "7353666444783042"];
    let done = |id: &str| operation(id, 201, "db", "start", json!({ "state": "succeeded", "success": true }));
    let fake = Fake::start(move |asked, _| match asked.path.as_str() {
        "/api/v1/operations" => Reply::Json(200, page(&ids.map(done))),
        path => match ids.iter().find(|id| path == format!("/api/v1/operations/{id}")) {
            Some(id) => Reply::Json(200, done(id)),
            None => Reply::Problem(404, json!({ "title": "There is no such operation." })),
        },
    });
    for text in ["783041", "…783041", "41", ids[0]] {
        let run = fake.muster(&["operation", "show", text]).await;
        assert_eq!(run.code, 0, "{text}: {run:?}");
        assert!(run.out.contains(ids[0]), "{text}: {run:?}");
    }
    let run = fake.muster(&["operation", "follow", "783042"]).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains(ids[1]) && run.err.contains(ids[2]), "both are named: {run:?}");
    let run = fake.muster(&["operation", "show", "9"]).await;
    assert_eq!(run.code, 2, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_does_not_count_templates_nor_an_end_what_had_nothing_to_do() {
    let fake = Fake::start(|asked, _| {
        let mut master = guest((1, "home"), 102, "master", "stopped");
        master["template"] = json!(true);
        match asked.path.as_str() {
            "/api/v1/guests" => Reply::Json(200, page(&[guest((1, "home"), 101, "web", "stopped"), master])),
            _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
        }
    });
    let run = fake.muster(&["guest", "start", "--query", "tag:lab", "--dry-run"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let words = "1 guest would be started; 1 cannot be, it is a template. Nothing was done.";
    assert!(run.err.contains(words), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_done_is_said_in_other_words_and_nothing_is_sent() {
    let fake = Fake::start(|asked, _| match asked.path.as_str() {
        "/api/v1/guests" => two_webs(asked),
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    let run = fake.muster(&["guest", "reboot", "db", "--timeout", "60s", "--show-as"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    for words in [
        "reboot container db (site/201)",
        "muster guest reboot home/201",
        "POST /api2/json/nodes/pve1/lxc/201/status/reboot timeout=60",
        "POST /api/v1/operations {\"action\":\"reboot\"}",
    ] {
        assert!(run.out.contains(words), "{words}: {run:?}");
    }
    assert!(run.err.contains("Nothing was done."), "{run:?}");
    let plans: Vec<_> = fake.asked().into_iter().filter(|one| one.path.ends_with("/plan")).collect();
    assert_eq!(plans.len(), 1);
    assert_eq!(plans[0].body["options"], json!({"timeout_seconds": 60}));
    assert_eq!(plans[0].body["targets"], json!([{"remote": "2", "vmid": 201}]));
    let run = fake.muster(&["guest", "reboot", "db", "--show-as", "-o", "json"]).await;
    assert_eq!(run.json()["items"][0]["show_as"]["call"]["method"], "POST", "{run:?}");
    assert!(fake.mutations().is_empty());
}
