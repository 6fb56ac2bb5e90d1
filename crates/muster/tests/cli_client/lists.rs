//! Lists: whole or said not to be, watched, followed.

use std::time::Duration;

use serde_json::json;

use crate::fake::{Asked, Fake, Reply, guest, page};
use crate::support::{interrupt, running};

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_not_whole_says_so() {
    let fake = Fake::start(|_, _| {
        let mut page =
            page(&[guest((1, "home"), 101, "web", "running"), json!({ "id": "1/102", "odd": true })]);
        page["counts"]["remotes"]["never_listed"] = json!(1);
        Reply::Json(200, page)
    });
    let run = fake.muster(&["guest", "ls"]).await;
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.out.contains("home/101") && run.err.contains("never reached"), "{run:?}");
    assert!(run.err.contains("1 row is not understood"), "{run:?}");
    let run = fake.muster(&["guest", "ls", "-o", "json"]).await;
    assert_eq!((&run.json()["total"], run.json()["items"].as_array().unwrap().len()), (&json!(2), 2));
    let run = fake.muster(&["guest", "ls", "remote:home"]).await;
    assert_eq!(run.code, 0, "the gaps of others do not matter: {run:?}");
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
            .map(|n| json!({ "id": n, "name": format!("n{n}"), "at": "2026-01-01T00:00:00Z" }))
            .take(limit)
            .collect();
        Reply::Json(200, json!({ "items": items, "total": 2_500 }))
    });
    let run = fake.muster(&["node", "ls", "-o", "json"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    let list = run.json();
    let items = list["items"].as_array().unwrap();
    let ids: std::collections::BTreeSet<u64> = items.iter().map(|i| i["id"].as_u64().unwrap()).collect();
    assert_eq!((items.len(), ids.len()), (2_500, 2_500), "none stands twice");
    assert_eq!(fake.asked().len(), 3);
    let run = fake.muster(&["node", "ls", "-o", "json", "--limit", "7"]).await;
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
