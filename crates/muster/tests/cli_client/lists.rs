//! Lists: whole or said not to be, watched, followed.

use std::time::Duration;

use serde_json::json;

use crate::fake::{Asked, Fake, Reply, guest, operation, page, remote, unlisted};
use crate::support::{interrupt, running};

/// Three remotes of which `field` was never listed, and `lab` has sent a row that could not be read.
fn three(asked: &Asked) -> Reply {
    let mut all = [remote(1, "home", true), unlisted(2, "field", false), remote(3, "lab", true)];
    for (remote, unreadable) in all.iter_mut().zip([0, 0, 1]) {
        remote["counts"]["unreadable"] = json!(unreadable);
    }
    let mut page = match asked.path.as_str() {
        "/api/v1/remotes" => {
            let has = |name: &str| match asked.query.contains("q=-remote") {
                true => !asked.query.contains(name),
                false => asked.query.contains(name) || !asked.query.contains("q="),
            };
            page(&all.into_iter().filter(|row| has(row["name"].as_str().unwrap())).collect::<Vec<_>>())
        }
        _ if asked.query.contains("remote%3Afield") && !asked.query.contains("-remote") => page(&[]),
        _ => page(&[guest((1, "home"), 101, "web", "running")]),
    };
    page["counts"]["remotes"]["never_listed"] = json!(1);
    page["counts"]["remotes"]["unreadable"] = json!(1);
    Reply::Json(200, page)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_not_whole_says_so() {
    let fake = Fake::start(|asked, _| three(asked));
    for (query, code, never) in [
        (&[][..], 3, true),
        (&["remote:home"], 0, false),
        (&["remote:home", "type:ct"], 0, false),
        (&["remote:field"], 3, true),
        (&["remote:home,field"], 3, true),
        (&["remote:lab"], 3, false),
        (&["-remote:home"], 3, true),
        (&["\"remote:\""], 3, true),
    ] {
        for json in [false, true] {
            let format: &[&str] = if json { &["-o", "json"] } else { &[] };
            let run = fake.muster(&[&["guest", "ls"], query, format].concat()).await;
            assert_eq!(run.code, code, "{query:?} {json}: {run:?}");
            assert_eq!(run.err.contains("1 remote was never reached"), never, "{query:?} {json}: {run:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overview_that_is_not_understood_is_not_called_done() {
    let fake = Fake::start(|_, _| Reply::Json(200, json!({ "problems": { "items": "none" } })));
    let run = fake.muster(&["overview"]).await;
    assert_eq!((run.code, run.out.as_str()), (3, ""), "{run:?}");
    assert!(run.err.contains("not understood") && run.err.contains("muster overview -o json"), "{run:?}");
    let run = fake.muster(&["overview", "-o", "json"]).await;
    assert_eq!((run.code, &run.json()["problems"]["items"]), (3, &json!("none")), "{run:?}");
    assert!(run.err.contains("understood"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_kept_and_cannot_read_is_told() {
    let kept = operation("1", 101, "web", "stop", json!({ "state": "succeeded", "success": true }));
    for (rows, code) in [(vec![kept], 3), (vec![], 1)] {
        let fake = Fake::start(move |_, _| {
            let mut page = page(&rows);
            page["unreadable"] = json!(2);
            Reply::Json(200, page)
        });
        let run = fake.muster(&["operation", "ls"]).await;
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.err.contains("2 rows that the server had kept cannot be read"), "{run:?}");
        let run = fake.muster(&["operation", "ls", "-o", "json"]).await;
        assert_eq!((run.code, &run.json()["unreadable"]), (code, &json!(2)), "{run:?}");
    }
}

/// What a later server may send: rows of which some, or all, are not as they are known here.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_understood_are_told_and_the_list_is_done_in_part() {
    let odd = json!({ "id": "1/102", "name": "odd", "odd": true });
    let audit = json!({
        "id": 1, "name": "sign_in", "at": "2026-01-01T00:00:00Z", "author": { "name": "a", "from": "b" }, "target": null,
        "outcome": "done", "seq": 1, "unreadable": null,
    });
    let event = json!({
        "id": 1, "name": "link", "at": "2026-01-01T00:00:00Z", "sentence": "an event", "remote_id": 1, "vmid": null,
        "author": null, "operation": null, "what": { "type": "link" },
    });
    let drift = json!({ "field": "mem", "expected": "a number", "found": "text", "sample": "x", "call": "GET /", "count": 1 });
    let user = json!({
        "name": "alice", "id": "1", "grants": [], "created": "2026-01-01T00:00:00Z", "sessions": 0, "tokens": 0,
    });
    let token =
        json!({ "id": "4f", "name": "t", "user": "alice", "grants": [], "created": "2026-01-01T00:00:00Z" });
    for (line, known) in [
        (&["guest", "ls"][..], guest((1, "home"), 101, "web", "running")),
        (&["remote", "ls"], remote(1, "home", true)),
        (&["audit", "ls"], audit),
        (&["event", "ls"], event),
        (&["user", "ls"], user),
        (&["token", "ls"], token),
        (&["remote", "drift", "home"], drift),
    ] {
        for (rows, code) in
            [(vec![known.clone()], 0), (vec![known.clone(), odd.clone()], 3), (vec![odd.clone()], 1)]
        {
            let of_one = line[1] == "drift";
            let fake = Fake::start(move |_, _| {
                if !of_one {
                    return Reply::Json(200, page(&rows));
                }
                let mut one = remote(1, "home", true);
                one["drift"] = json!(rows);
                Reply::Json(200, one)
            });
            for json in [false, true] {
                let format: &[&str] = if json { &["-o", "json"] } else { &[] };
                let run = fake.muster(&[line, format].concat()).await;
                assert_eq!(run.code, code, "{line:?} {json}: {run:?}");
                assert_eq!(run.err.contains("-o json shows"), code != 0, "{line:?} {json}: {run:?}");
                assert!(!json || run.json()["items"].is_array(), "{run:?}");
            }
        }
    }
    let fake = Fake::start(|_, _| Reply::Json(200, json!({ "items": { "none": true } })));
    assert_eq!(fake.muster(&["audit", "ls"]).await.code, 1, "what is no list is not an empty one");
}

/// Nothing is done to the one guest of a name that could be read when another one could not.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_not_the_only_one_while_another_is_not_understood() {
    let fake = Fake::start(|asked, _| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v1/guests") => Reply::Json(
            200,
            page(&[guest((1, "home"), 101, "web", "running"), json!({ "id": "2/200", "odd": true })]),
        ),
        ("POST", _) => Reply::Json(
            202,
            operation("1", 101, "web", "stop", json!({ "state": "succeeded", "success": true })),
        ),
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    for text in ["web", "101", "home/web", "site/200"] {
        let run = fake.muster(&["guest", "stop", text]).await;
        assert_eq!(run.code, 1, "{text}: {run:?}");
        assert!(run.err.contains("not understood by this muster"), "{text}: {run:?}");
    }
    assert!(fake.mutations().is_empty(), "nothing was sent");
    let run = fake.muster(&["guest", "stop", "home/101"]).await;
    assert_eq!(run.code, 0, "what is named in full has none beside it: {run:?}");
}

/// Nor while a remote of which nothing is known may have one of that name or number.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_not_the_only_one_while_a_remote_was_never_listed() {
    let fake = Fake::start(|asked, _| match asked.method.as_str() {
        "GET" => three(asked),
        _ => Reply::Json(
            202,
            operation("1", 101, "web", "stop", json!({ "state": "succeeded", "success": true })),
        ),
    });
    for text in ["web", "101"] {
        let run = fake.muster(&["guest", "stop", text]).await;
        assert_eq!(run.code, 2, "{text}: {run:?}");
        let words = "field could not be asked, and it may have one too";
        assert!(run.err.contains(words) && run.err.contains("home/101"), "{text}: {run:?}");
    }
    assert!(fake.mutations().is_empty(), "nothing was sent");
    for text in ["home/101", "home/web"] {
        let run = fake.muster(&["guest", "stop", text]).await;
        assert_eq!(run.code, 0, "no other remote has that one: {text}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_is_written_when_it_changes_and_ends_at_ctrl_c() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::start(move |request, _| match request.path.as_str() {
        "/api/v1/guests" => {
            let n = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let state = if n < 2 { "running" } else { "stopped" };
            Reply::Json(200, page(&[guest((1, "home"), 101, "web", state)]))
        }
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    let dir = fake.dir();
    let (child, mut lines) =
        running(&["guest", "ls", "--watch", "-o", "json", "--data-dir", dir.to_str().unwrap()]);
    for state in ["running", "stopped"] {
        let line =
            tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap().unwrap();
        let list: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&list["total"], &list["items"][0]["state"]), (&json!(1), &json!(state)));
    }
    let (code, err) = interrupt(child).await;
    assert_eq!((code, err.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_read_to_its_end_and_each_row_once() {
    let fake = Fake::start(|asked, _| {
        let number = |name: &str| -> usize {
            let value = asked.query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
            value.map_or(0, |v| v.parse().unwrap())
        };
        // While it is read, one row moves down: it comes twice.
        let (offset, limit) = (number("offset"), number("limit"));
        let first = if offset > 0 { offset - 1 } else { 0 };
        let items: Vec<_> = (first..(offset + limit).min(2_500))
            .map(|n| guest((1, "home"), u32::try_from(n).unwrap() + 100, "web", "running"))
            .take(limit)
            .collect();
        Reply::Json(200, json!({ "items": items, "total": 2_500 }))
    });
    let run = fake.muster(&["guest", "ls", "-o", "json"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let list = run.json();
    let items = list["items"].as_array().unwrap();
    let ids: std::collections::BTreeSet<u64> = items.iter().map(|i| i["vmid"].as_u64().unwrap()).collect();
    assert_eq!((items.len(), ids.len()), (2_500, 2_500), "none stands twice");
    assert_eq!(fake.asked().len(), 3);
    let run = fake.muster(&["guest", "ls", "-o", "json", "--limit", "7"]).await;
    assert_eq!((run.json()["items"].as_array().unwrap().len(), &run.json()["total"]), (7, &json!(2_500)));
}

/// A page of events of a remote, newest first, as `limit` and `before` ask for it.
fn events(asked: &Asked, ids: &std::ops::RangeInclusive<i64>, name: &str) -> Reply {
    let number = |name: &str| {
        let value = asked.query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
        value.map(|v| v.parse::<i64>().unwrap())
    };
    let (before, limit) = (number("before").unwrap_or(i64::MAX), number("limit").unwrap());
    let page: Vec<i64> =
        ids.clone().rev().filter(|id| *id < before).take(limit.try_into().unwrap()).collect();
    let more = page.last().is_some_and(|last| last > ids.start());
    let items: Vec<_> = page
        .iter()
        .map(|id| {
            json!({
                "id": id, "name": name, "at": "2026-01-01T00:00:00Z", "sentence": format!("event {id}"),
                "remote_id": 1, "vmid": null, "author": null, "operation": null, "what": { "type": name },
            })
        })
        .collect();
    Reply::Json(200, json!({ "total": items.len(), "items": items, "next": more.then(|| page.last()) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_followed_without_a_stream_are_all_told_once_and_none_from_before() {
    // Nothing of the wanted kind so far; then more than a page holds, while there is no stream to be had.
    let lists = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::start(move |asked, _| match asked.path.as_str() {
        "/api/v1/events" if asked.query.contains("kind=") => {
            Reply::Json(200, json!({ "items": [], "total": 0, "next": null }))
        }
        "/api/v1/events" => {
            let first = lists.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            events(asked, &(1..=if first { 500 } else { 3_000 }), "guest_state")
        }
        _ => Reply::Problem(404, json!({ "detail": "there is no such thing" })),
    });
    let dir = fake.dir();
    let (child, mut lines) = running(&[
        "event",
        "ls",
        "--follow",
        "--kind",
        "guest_state",
        "-o",
        "json",
        "--data-dir",
        dir.to_str().unwrap(),
    ]);
    for id in 501..=3_000 {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap();
        let Some(line) = line else { panic!("it ended: {:?}", child.wait_with_output().await) };
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(told["id"], id);
    }
    // Nor again when it asks once more.
    let asked = fake.asked().len();
    while fake.asked().len() < asked + 4 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let more = tokio::time::timeout(Duration::from_millis(50), lines.next_line()).await;
    assert!(more.is_err(), "{more:?}");
    let (code, err) = interrupt(child).await;
    assert_eq!((code, err.as_str()), (0, ""));
}

/// A guest, and one of which nobody knows the state: its remote is out of reach.
fn one_out_of_reach(asked: &Asked) -> Reply {
    let mut gone = guest((2, "site"), 200, "db", "running");
    gone["freshness"] = json!("stale");
    gone["since"] = json!("2026-01-01T00:00:00Z");
    gone["why"] = json!({ "kind": "disconnected", "by": "ann" });
    let home = asked.query.contains("remote%3Ahome");
    Reply::Json(
        200,
        match () {
            () if asked.query.contains("status%3Aunknown") && !home => page(&[gone]),
            () if asked.query.contains("status%3Aunknown") || asked.query.contains("remote%3Asite") => {
                page(&[])
            }
            () => page(&[guest((1, "home"), 101, "web", "running")]),
        },
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_reach_may_fit_a_query_about_the_state() {
    let fake = Fake::start(|asked, _| one_out_of_reach(asked));
    let words = "1 guest of site is out of reach: whether it fits is not known.";
    for (line, code) in [
        (&["guest", "ls", "status:running", "remote:site"][..], 3),
        (&["guest", "ls", "status:running"], 3),
        (&["guest", "ls", "-status:running", "-o", "json"], 3),
        (&["guest", "stop", "--query", "status:running remote:site", "--yes"], 3),
        (&["guest", "stop", "--query", "status:running", "--dry-run"], 3),
        (&["guest", "ls", "status:running", "remote:home"], 0),
        (&["guest", "ls", "status:running,unknown"], 0),
        (&["guest", "ls", "type:ct"], 0),
    ] {
        let run = fake.muster(line).await;
        assert_eq!(run.code, code, "{line:?}: {run:?}");
        assert_eq!(run.err.contains(words), code == 3, "{line:?}: {run:?}");
    }
    assert!(fake.mutations().is_empty());
}

/// The node `pve1` with three guests on it.
fn node(running: &serde_json::Value, freshness: serde_json::Value) -> serde_json::Value {
    let mut node = json!({
        "id": "1/pve1", "remote_id": 1, "remote": "home", "guests": 3, "guests_running": running, "name": "pve1",
        "state": "online", "load": [], "observed_at": "2026-01-01T00:00:00Z", "through": null,
        "word": if freshness["freshness"] == "live" { "online" } else { "unknown" },
        "status": { "seen": null, "error": null },
    });
    for (name, value) in freshness.as_object().unwrap() {
        node[name] = value.clone();
    }
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_is_not_none() {
    let stale = json!({
        "freshness": "stale", "since": "2026-01-01T00:00:00Z", "why": { "kind": "disconnected", "by": "ann" },
    });
    for (freshness, cell, line, figure) in [
        (json!({ "freshness": "live" }), "0/3", "0 running of 3", json!(0)),
        (stale, "?/3", "3, running ones not known", json!(null)),
    ] {
        let row = node(&figure, freshness);
        let fake = Fake::start(move |asked, _| match asked.path.as_str() {
            "/api/v1/nodes" => Reply::Json(200, page(std::slice::from_ref(&row))),
            _ => {
                let mut detail = row.clone();
                detail["link"] = remote(1, "home", false)["link"].clone();
                Reply::Json(200, detail)
            }
        });
        let run = fake.muster(&["node", "ls"]).await;
        assert!(run.out.contains(cell), "{run:?}");
        let run = fake.muster(&["node", "ls", "-o", "json"]).await;
        assert_eq!(run.json()["items"][0]["guests_running"], figure, "{run:?}");
        let run = fake.muster(&["node", "show", "home/pve1"]).await;
        assert!(run.out.contains(line), "{run:?}");
        let run = fake.muster(&["node", "show", "home/pve1", "-o", "json"]).await;
        assert_eq!(run.json()["guests_running"], figure, "{run:?}");
    }
    for (up, nodes, guests, figure) in [
        (true, "0 online of 1", "0 running of 3", json!(0)),
        (false, "1, those online not known", "3, running ones not known", json!(null)),
    ] {
        let mut one = remote(1, "home", up);
        for (name, n) in [
            ("nodes_online", figure.clone()),
            ("guests", json!(3)),
            ("guests_running", figure.clone()),
            ("guests_unknown", json!(if up { 0 } else { 3 })),
        ] {
            one["counts"][name] = n;
        }
        let quorum = if up { "has quorum" } else { "had quorum when last seen" };
        one["cluster"] = json!({
            "value": { "name": "rack", "quorate": true, "nodes": 1 },
            "at": "2026-01-01T00:00:00Z", "through": "192.0.2.7:8006",
        });
        let fake = Fake::start(move |asked, _| match asked.path.as_str() {
            "/api/v1/remotes" => Reply::Json(200, page(std::slice::from_ref(&one))),
            _ => Reply::Json(200, one.clone()),
        });
        let run = fake.muster(&["remote", "show", "home"]).await;
        assert!(run.out.contains(nodes) && run.out.contains(guests) && run.out.contains(quorum), "{run:?}");
        for line in [&["remote", "show", "home", "-o", "json"][..], &["remote", "ls", "-o", "json"]] {
            let value = fake.muster(line).await.json();
            let counts = value.pointer("/items/0/counts").unwrap_or(&value["counts"]);
            assert_eq!((&counts["nodes_online"], &counts["guests_running"]), (&figure, &figure), "{line:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_out_of_reach_was_available() {
    for (live, words) in [(true, " available"), (false, "was available")] {
        let mut row = json!({
            "id": "1/local", "name": "local", "remote_id": 1, "remote": "home", "nodes": ["pve1"], "storage": "local",
            "node": "pve1", "status": "available", "content": [], "observed_at": "2026-01-01T00:00:00Z",
            "freshness": "live",
        });
        if !live {
            row["freshness"] = json!("stale");
            row["since"] = json!("2026-01-01T00:00:00Z");
            row["why"] = json!({ "kind": "disconnected", "by": "ann" });
        }
        let fake = Fake::start(move |_, _| Reply::Json(200, page(std::slice::from_ref(&row))));
        let run = fake.muster(&["storage", "ls"]).await;
        assert!(run.out.contains(words), "{run:?}");
        assert_eq!(run.out.contains("was available"), !live, "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_log_without_rows_is_said_to_be_empty() {
    let fake = Fake::start(|_, _| Reply::Json(200, page(&[])));
    let run = fake.muster(&["audit", "ls"]).await;
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
    assert!(run.err.contains("Nothing was recorded yet."), "{run:?}");
}
