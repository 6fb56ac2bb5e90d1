//! What goes over the wire and how often: requests as they stand, kept connections, limits, counters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use common::{After, Reply, Seen, VERSION, pinned_with, signed_in, token};
use pve::call::cluster::ResourceType;
use pve::call::guest::{Consolidation, Timeframe};
use pve::call::task::TaskQuery;
use pve::upid::Upid;
use pve::{ErrorKind, GuestKind, Power, PowerOptions, Timings};

const UPID: &str = "UPID:pve1:0000ABCD:00001234:6B022481:vzstart:101:alice@pve!ci:";

async fn any_server(
    handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (common::Server, pve::Client) {
    pinned_with(handler, token(), patient()).await
}

/// Kept connections last, so that a busy machine does not turn one into two.
fn patient() -> Timings {
    Timings { pool_idle: Timings::default().pool_idle, ..Timings::shrunk() }
}

#[tokio::test]
async fn requests_are_written_as_proxmox_wants_them() {
    let (server, client) = any_server(|seen| match seen.method.as_str() {
        "POST" => Reply::data(&format!("\"{UPID}\"")),
        "DELETE" => Reply::data("null"),
        _ => Reply::data("[]"),
    })
    .await;
    let upid: Upid = UPID.parse().unwrap();
    client.cluster_resources(Some(ResourceType::Guests)).await.unwrap();
    client.cluster_resources(None).await.unwrap();
    let _ = client.next_id(Some(101)).await;
    let query = TaskQuery { start: Some(50), limit: Some(500), errors: Some(false), ..TaskQuery::default() };
    client.node_tasks("pve1", &query).await.unwrap();
    client.task_log("pve1", &upid, 0, 5000).await.unwrap();
    client.guest_pending("a/b c", GuestKind::Ct, 101).await.unwrap();
    client.guest_rrd("pve1", GuestKind::Vm, 100, Timeframe::Hour, Consolidation::Maximum).await.unwrap();
    let options = PowerOptions { timeout: Some(60), force_stop: Some(true), ..PowerOptions::default() };
    client.guest_power("pve1", GuestKind::Ct, 101, Power::Shutdown, &options).await.unwrap();
    client.guest_power("pve1", GuestKind::Vm, 100, Power::Start, &PowerOptions::default()).await.unwrap();
    client.task_stop("pve1", &upid).await.unwrap();

    let encoded = "UPID%3Apve1%3A0000ABCD%3A00001234%3A6B022481%3Avzstart%3A101%3Aalice%40pve%21ci%3A";
    assert_eq!(
        server.lines(),
        [
            "GET /api2/json/cluster/resources?type=vm".to_owned(),
            "GET /api2/json/cluster/resources".to_owned(),
            "GET /api2/json/cluster/nextid?vmid=101".to_owned(),
            "GET /api2/json/nodes/pve1/tasks?start=50&limit=500&errors=0".to_owned(),
            format!("GET /api2/json/nodes/pve1/tasks/{encoded}/log?start=0&limit=5000"),
            "GET /api2/json/nodes/a%2Fb%20c/lxc/101/pending".to_owned(),
            "GET /api2/json/nodes/pve1/qemu/100/rrddata?timeframe=hour&cf=MAX".to_owned(),
            "POST /api2/json/nodes/pve1/lxc/101/status/shutdown".to_owned(),
            "POST /api2/json/nodes/pve1/qemu/100/status/start".to_owned(),
            format!("DELETE /api2/json/nodes/pve1/tasks/{encoded}"),
        ]
    );
    for seen in server.seen() {
        assert_eq!(seen.header("host"), Some(server.addr.to_string().as_str()));
        assert_eq!(seen.header("accept-encoding"), Some("gzip"));
        for absent in ["referer", "transfer-encoding", "expect", "origin"] {
            assert_eq!(seen.header(absent), None, "{}", seen.line());
        }
        let with_body = seen.path().ends_with("/shutdown");
        assert_eq!(seen.body, if with_body { "timeout=60&forceStop=1" } else { "" });
        let content_type = with_body.then_some("application/x-www-form-urlencoded");
        assert_eq!(seen.header("content-type"), content_type, "{}", seen.line());
        let length = match seen.method.as_str() {
            "POST" => Some(seen.body.len().to_string()),
            _ => None,
        };
        assert_eq!(seen.header("content-length"), length.as_deref(), "{}", seen.line());
    }
}

#[tokio::test]
async fn an_answer_says_how_it_was_come_by() {
    let (server, client) = any_server(|_| {
        Reply::data(r#"[{"vmid":"101","status":"running","type":"lxc","cpu":[]},{"name":"no vmid"}]"#)
    })
    .await;
    let answer = client.guest_list("pve1", GuestKind::Ct).await.unwrap();
    assert_eq!(answer.endpoint, server.addr.to_string());
    assert_eq!(answer.server_date.unwrap().to_string(), "2026-11-21T23:08:33Z");
    assert!(answer.bytes > 20);
    assert_eq!((answer.value.rows.len(), answer.value.unreadable.len()), (1, 1));
    assert_eq!(answer.drift.call, "GET /nodes/{node}/lxc");
    assert_eq!(answer.drift.records[0].field, "[].cpu");
}

#[tokio::test]
async fn gets_share_a_connection_and_mutations_never_do() {
    let (server, client) = any_server(|seen| match seen.method.as_str() {
        "GET" => Reply::data(VERSION),
        _ => Reply::data(&format!("\"{UPID}\"")),
    })
    .await;
    for _ in 0..3 {
        client.version().await.unwrap();
    }
    let upid: Upid = UPID.parse().unwrap();
    client.guest_power("pve1", GuestKind::Ct, 101, Power::Start, &PowerOptions::default()).await.unwrap();
    client.task_stop("pve1", &upid).await.unwrap();
    client.version().await.unwrap();
    let by_connection: Vec<_> =
        server.seen().iter().map(|seen| (seen.conn, seen.nth, seen.method.clone())).collect();
    let firsts: Vec<_> = by_connection.iter().filter(|(_, _, method)| method != "GET").collect();
    assert!(firsts.iter().all(|(_, nth, _)| *nth == 1), "{by_connection:?}");
    assert_eq!(by_connection[2], (1, 3, "GET".to_owned()));
    assert_eq!(server.connections().len(), 3);
}

#[tokio::test]
async fn a_kept_connection_is_given_up_in_time() {
    let timings = Timings { pool_idle: Duration::from_millis(100), ..Timings::shrunk() };
    let (server, client) = pinned_with(|_| Reply::data(VERSION), token(), timings).await;
    client.version().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.version().await.unwrap();
    assert_eq!(server.connections().len(), 2);

    let timings = Timings { requests_per_connection: 3, ..patient() };
    let (server, client) = pinned_with(|_| Reply::data(VERSION), token(), timings).await;
    for _ in 0..7 {
        client.version().await.unwrap();
    }
    let per_connection: Vec<_> =
        (1..=3).map(|conn| server.seen().iter().filter(|seen| seen.conn == conn).count()).collect();
    assert_eq!(per_connection, [3, 3, 1]);
}

#[tokio::test]
async fn a_refusal_or_a_close_ends_the_connection() {
    let closing = Reply::raw(
        format!(
            "HTTP/1.1 200 OK\r\nServer: pve-api-daemon/3.0\r\nConnection: Keep-Alive\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{{\"data\":{VERSION}}}",
            VERSION.len() + 9
        ),
        After::Hang,
    );
    for reply in [closing, Reply { after: After::Hang, ..Reply::status(500, "no", "{\"data\":null}") }] {
        let (server, client) = any_server(move |_| reply.clone()).await;
        for _ in 0..2 {
            let _ = client.version().await;
        }
        assert_eq!(server.connections().len(), 2);
        assert_eq!(client.stats().retries, 0);
    }
}

#[tokio::test]
async fn a_get_on_a_dead_kept_connection_goes_out_once_more() {
    for after in [After::Close, After::Bare, After::Reset] {
        // The second request of every connection is swallowed, as by a server that closed a moment before.
        let (server, client) = any_server(move |seen| match seen.nth {
            1 => Reply::data(VERSION),
            _ => Reply::raw("", after),
        })
        .await;
        client.version().await.unwrap();
        client.version().await.unwrap();
        assert_eq!(client.stats().retries, 1);
        assert_eq!(server.connections().len(), 2);
    }
}

#[tokio::test]
async fn nothing_is_repeated_once_a_byte_of_an_answer_came_or_on_a_fresh_connection() {
    let (server, client) = any_server(|seen| match seen.nth {
        1 => Reply::data(VERSION),
        _ => Reply::raw("HTTP/1.1 2", After::Close),
    })
    .await;
    client.version().await.unwrap();
    let error = client.version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Cut { .. }), "{error:?}");
    assert_eq!((server.seen().len(), client.stats().retries), (2, 0));

    let (server, client) = any_server(|_| Reply::raw("", After::Close)).await;
    client.version().await.unwrap_err();
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_mutation_is_sent_once_whatever_happens() {
    for after in [After::Close, After::Bare, After::Reset, After::Hang] {
        let (server, client) = any_server(move |seen| match seen.method.as_str() {
            "GET" => Reply::data(VERSION),
            _ => Reply::raw("", after),
        })
        .await;
        client.version().await.unwrap();
        client
            .guest_power("pve1", GuestKind::Ct, 101, Power::Start, &PowerOptions::default())
            .await
            .unwrap_err();
        assert_eq!(server.seen().iter().filter(|seen| seen.method == "POST").count(), 1);
    }
}

#[tokio::test]
async fn three_calls_at_once_to_a_node_and_no_more() {
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let total = Arc::new(AtomicU64::new(0));
    let (inside, peak, count) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&total));
    let (_server, client) = any_server(move |seen| {
        count.fetch_add(1, Ordering::SeqCst);
        if seen.path().contains("/pve1/") {
            peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let inside = Arc::clone(&inside);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                inside.fetch_sub(1, Ordering::SeqCst);
            });
        }
        Reply::data("[]").late(Duration::from_millis(60))
    })
    .await;
    let mut calls: Vec<_> = (0..10).map(|_| client.guest_list("pve1", GuestKind::Ct)).collect();
    calls.extend((0..5).map(|_| client.guest_list("pve2", GuestKind::Ct)));
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert_eq!(total.load(Ordering::SeqCst), 15);
}

#[tokio::test]
async fn a_call_given_up_frees_its_place() {
    let (_server, client) = any_server(|seen| match seen.path() {
        "/api2/json/nodes/pve1/lxc" => Reply::raw("", After::Hang),
        _ => Reply::data("[]"),
    })
    .await;
    let hanging = futures_util::future::join_all((0..3).map(|_| client.guest_list("pve1", GuestKind::Ct)));
    let _ = tokio::time::timeout(Duration::from_millis(100), hanging).await;
    let next = tokio::time::timeout(Duration::from_secs(1), client.guest_list("pve1", GuestKind::Vm));
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_went_over_the_wire_is_counted() {
    let (server, client) = pinned_with(signed_in(|_| Reply::data(VERSION)), common::root(), patient()).await;
    client.version().await.unwrap();
    client.version().await.unwrap();
    let stats = client.stats();
    // The connection of the sign-in is kept for the reads that follow.
    assert_eq!((stats.requests, stats.connections, stats.sign_ins), (3, 1, 1));
    assert!(stats.bytes_out > u64::try_from(server.bytes()).unwrap(), "TLS is counted too");
    assert!(stats.bytes_in > 500);
}

/// A node that never answers, three calls to it, and a client that waits so long for a place.
async fn silent_node(place: Duration) -> (common::Server, pve::Client, Vec<tokio::task::JoinHandle<()>>) {
    let handler = |seen: &Seen| match seen.path().contains("/pve1/") {
        true => Reply::raw([], After::Hang),
        false => Reply::data("[]"),
    };
    let timings = Timings { answer: Duration::from_secs(60), place, ..patient() };
    let (server, client) = pinned_with(handler, token(), timings).await;
    let ask = |client: pve::Client| async move { drop(client.node_status("pve1").await) };
    let hung: Vec<_> = (0..3).map(|_| tokio::spawn(ask(client.clone()))).collect();
    let received = async {
        while server.seen().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), received).await.unwrap();
    (server, client, hung)
}

#[tokio::test]
async fn a_call_behind_others_that_are_not_answered_waits_no_longer_than_it_may() {
    let (server, client, hung) = silent_node(Duration::from_millis(100)).await;
    let error = client.node_status("pve1").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoAnswer { .. }), "{error:?}");
    assert_eq!((error.phase(), error.request_sent()), (pve::Phase::Local, pve::Sent::No));
    assert!(error.to_string().contains("not sent"), "{error}");
    client.guest_list("pve2", GuestKind::Ct).await.unwrap();
    // One that nobody waits for any more gives back its place.
    hung[0].abort();
    let late = tokio::time::timeout(Duration::from_millis(300), client.node_status("pve1")).await;
    assert!(late.is_err(), "it was sent, and not answered either");
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn after_its_end_nothing_leaves_a_client_nor_its_siblings() {
    let (server, client, hung) = silent_node(Duration::from_secs(60)).await;
    let sibling = client.sibling(server.endpoint(pve::TrustPolicy::leaf(client.presented()[0].fingerprint)));
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.node_status("pve1").await.map(|_| ()) }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let connections = server.connections().len();
    client.close();
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
    let refused = |error: pve::Error| {
        assert!(matches!(error.kind(), ErrorKind::InvalidRequest { .. }), "{error:?}");
        assert_eq!((error.phase(), error.request_sent()), (pve::Phase::Local, pve::Sent::No));
    };
    refused(waited.unwrap_err());
    refused(client.nodes().await.unwrap_err());
    refused(sibling.nodes().await.unwrap_err());
    refused(sibling.sign_in().await.unwrap_err());
    hung.iter().for_each(tokio::task::JoinHandle::abort);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((server.seen().len(), server.connections().len()), (3, connections));
}

#[tokio::test]
async fn bytes_that_are_no_text_spoil_only_the_text_they_are_in() {
    let answered = |body: &[u8]| {
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\nServer: pve-api-daemon/3.0\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend(body);
        Reply::raw(bytes, After::Keep)
    };
    let latin = b"{\"data\":[{\"vmid\":101,\"status\":\"running\",\"type\":\"lxc\",\"name\":\"gr\xf6\xdfe\"},
        {\"vmid\":102,\"status\":\"running\",\"type\":\"lxc\",\"name\":\"gr\xc3\xb6\xc3\x9fe\"}]}";
    let (_server, client) = any_server(move |_| answered(latin)).await;
    let answer = client.guest_list("pve1", GuestKind::Ct).await.unwrap();
    let names: Vec<_> = answer.value.rows.iter().map(|row| (row.vmid, row.name.as_deref())).collect();
    assert_eq!(names, [(101, None), (102, Some("größe"))]);
    let [drift] = answer.drift.records.as_slice() else { panic!("{:?}", answer.drift) };
    assert_eq!(
        (drift.field.as_str(), drift.row, drift.sample.as_str()),
        ("[].name", Some(0), r#""gr\udcf6\udcdfe""#)
    );

    let (_server, client) = any_server(move |_| answered(b"{\"data\":[\xff]}")).await;
    let error = client.guest_list("pve1", GuestKind::Ct).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotUnderstood { .. }), "{error:?}");
}

#[tokio::test]
async fn odd_texts_arrive_as_they_are() {
    let odd = "<b>größe</b> 🦀 \u{202e}rtl \\ \" / .. %2e";
    let data = serde_json::to_string(odd).unwrap();
    let (_server, client) =
        any_server(move |_| Reply::data(&format!("[{{\"node\":{data},\"status\":\"online\"}}]"))).await;
    let node = client.nodes().await.unwrap().value.rows.remove(0).node;
    assert_eq!(node, odd);
    // And go back out in one segment.
    let _ = client.node_status(&node).await;
}
