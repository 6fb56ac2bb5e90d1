//! The client against the simulator: every typed call, every way to sign in, every fault, on every version.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use pve::call::guest::{Consolidation, Timeframe};
use pve::call::task::TaskQuery;
use pve::reply::Resource;
use pve::upid::Upid;
use pve::{
    Client, Credential, Endpoint, ErrorKind, Factor, GuestKind, Method, Phase, Power, PowerOptions,
    ServerClass, Timings, TrustPolicy,
};
use pve_sim::{BlackHoleAt, Fault, FaultSpec, Remote, ResetAt, Sim, SimTimings, Topology};

const VERSIONS: [&str; 3] = ["7.4", "8.4", "9.2"];

async fn single(version: &str) -> (Sim, Remote) {
    sim(Topology::single(version)).await
}

async fn sim(topology: Topology) -> (Sim, Remote) {
    let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    (sim, remote)
}

fn endpoint(remote: &Remote, node: &str) -> Endpoint {
    let fingerprint = remote.leaf_fingerprint(node).unwrap().parse().unwrap();
    let address = remote.address(node).unwrap().to_string().parse().unwrap();
    Endpoint { address, trust: TrustPolicy::leaf(fingerprint) }
}

fn root(remote: &Remote) -> Client {
    let credential = Credential::password("root@pam", "secret-root");
    Client::new(endpoint(remote, "pve1"), credential, Timings::shrunk())
}

/// Follows a task to its end.
async fn followed(client: &Client, upid: &Upid) -> String {
    for _ in 0..200 {
        let status = client.task_status(upid.node(), upid).await.unwrap().value;
        if let Some(exit) = status.exitstatus {
            return exit;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{upid} does not end");
}

#[tokio::test]
async fn every_typed_call_is_answered_and_nothing_drifts() {
    for version in VERSIONS {
        let (sim, remote) = single(version).await;
        let client = root(&remote);
        let mut drift = Vec::new();
        macro_rules! good {
            ($call:expr) => {{
                let answer = $call.await.unwrap_or_else(|error| panic!("{version}: {error}"));
                drift.extend(answer.drift.records.clone());
                answer.value
            }};
        }
        assert!(good!(client.version()).version.unwrap().starts_with(version));
        assert!(good!(client.domains()).rows.iter().any(|realm| realm.realm == "pam"));
        assert!(good!(client.permissions()).holds("/vms/100", "VM.PowerMgmt"));
        assert!(!good!(client.cluster_status()).rows.is_empty());
        let resources = good!(client.cluster_resources(None));
        let guests = resources.rows.iter().filter(|row| matches!(row, Resource::Guest(_))).count();
        assert_eq!(guests, 4);
        good!(client.cluster_tasks());
        assert!(good!(client.next_id(None)) >= 104);
        assert_eq!(good!(client.nodes()).rows.len(), 1);
        assert!(good!(client.node_status("pve1")).uptime.is_some());
        assert!(!good!(client.node_certificates("pve1")).rows.is_empty());
        good!(client.ha_status());
        for (kind, vmid) in [(GuestKind::Vm, 100), (GuestKind::Ct, 101)] {
            assert_eq!(good!(client.guest_list("pve1", kind)).rows.len(), 2);
            let status = good!(client.guest_status("pve1", kind, vmid));
            assert_eq!((status.status.as_deref(), status.ha_managed()), (Some("running"), Some(false)));
            assert!(good!(client.guest_config("pve1", kind, vmid, false)).get("digest").is_some());
            assert!(good!(client.guest_config("pve1", kind, vmid, true)).get("digest").is_some());
            assert!(!good!(client.guest_pending("pve1", kind, vmid)).rows.is_empty());
            let call = client.guest_rrd("pve1", kind, vmid, Timeframe::Hour, Consolidation::Average);
            assert!(!good!(call).rows.is_empty());
        }
        match client.guest_addresses("pve1", GuestKind::Ct, 101).await {
            Ok(answer) => assert!(!answer.value.interfaces.rows.is_empty()),
            Err(error) => {
                assert_eq!(version, "7.4", "{error}");
                assert!(matches!(error.kind(), ErrorKind::NotSupported { .. }), "{error}");
            }
        }
        let options = PowerOptions::default();
        let start = client.guest_power("pve1", GuestKind::Ct, 102, Power::Start, &options);
        let upid = good!(start).unwrap();
        assert_eq!((upid.task_type(), upid.id(), upid.user()), ("vzstart", "102", "root@pam"));
        assert_eq!(followed(&client, &upid).await, "OK");
        good!(client.task_log("pve1", &upid, 0, 50));
        let tasks = good!(client.node_tasks("pve1", &TaskQuery { vmid: Some(102), ..TaskQuery::default() }));
        assert_eq!(tasks.rows[0].upid, upid);
        good!(client.task_stop("pve1", &upid));
        assert!(drift.is_empty(), "{version}: {drift:?}");
        for exchange in remote.journal() {
            let sign_in = exchange.api_path() == "/access/ticket";
            let mutation = exchange.method != "GET" && !sign_in;
            assert_eq!(exchange.had_csrf, mutation, "{exchange:?}");
        }
        sim.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_read_as_one_on_every_version() {
    for version in VERSIONS {
        let (sim, remote) = single(version).await;
        let credential = Credential::password("root@pam", "wrong");
        let client = Client::new(endpoint(&remote, "pve1"), credential, Timings::shrunk());
        let error = client.sign_in().await.unwrap_err();
        let ErrorKind::CredentialsRejected { reason } = error.kind() else { panic!("{version}: {error}") };
        assert_eq!(reason, "authentication failure");
        // Without any authorisation, too.
        let open =
            Client::new(endpoint(&remote, "pve1"), Credential::token("root@pam!x", "y"), Timings::shrunk());
        let error = open.version().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::CredentialsRejected { .. }), "{version}: {error}");
        sim.stop().await;
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_on_every_version() {
    for version in VERSIONS {
        let mut topology = Topology::single(version);
        let alice = topology.remotes[0].users.iter_mut().find(|user| user.userid == "alice@pve").unwrap();
        alice.totp_secret = Some("JBSWY3DPEHPK3PXP".to_owned());
        alice.recovery = vec!["recover-me-0001".to_owned(), "recover-me-0002".to_owned()];
        let (sim, remote) = sim(topology).await;
        let credential = Credential::password("alice@pve", "secret-alice");
        let client = Client::new(endpoint(&remote, "pve1"), credential, Timings::shrunk());
        let error = client.version().await.unwrap_err();
        let ErrorKind::SecondFactorNeeded { challenge } = error.kind() else { panic!("{version}: {error}") };
        assert_eq!(challenge.kinds(), ["totp", "recovery"], "{version}");
        let wrong = client.answer_second_factor(challenge, &Factor::Totp("000000".into())).await.unwrap_err();
        assert!(matches!(wrong.kind(), ErrorKind::CredentialsRejected { .. }), "{version}: {wrong}");
        let factor = Factor::Recovery("recover-me-0001".into());
        assert_eq!(client.answer_second_factor(challenge, &factor).await.unwrap().username, "alice@pve");
        client.version().await.unwrap();
        for exchange in remote.journal() {
            let cookie = exchange.header("cookie").unwrap_or_default();
            assert!(!cookie.contains("tfa"), "{version}: a challenge went out as authorisation");
        }
        sim.stop().await;
    }
}

#[tokio::test]
async fn an_expired_ticket_is_replaced_once() {
    for version in VERSIONS {
        let (sim, remote) = single(version).await;
        let client = root(&remote);
        client.version().await.unwrap();
        remote.fault(None, Fault::ExpireTickets).await;
        remote.clear_journal();
        client.version().await.unwrap();
        let paths: Vec<_> =
            remote.journal().iter().map(|seen| (seen.api_path().to_owned(), seen.status)).collect();
        let wanted = [("/version", 401), ("/access/ticket", 200), ("/version", 200)];
        assert_eq!(paths, wanted.map(|(path, status)| (path.to_owned(), Some(status))), "{version}");
        sim.stop().await;
    }
}

/// Is this what the fault must be called?
type IsRight = fn(&ErrorKind) -> bool;

/// What each fault must be called, and in which phase.
fn faults() -> Vec<(FaultSpec, IsRight, Phase)> {
    use Phase::{Await, Connect, Decode, Read, Tls};
    let words = |fault: Fault| FaultSpec::from(fault);
    vec![
        (words(Fault::Refuse), |kind| matches!(kind, ErrorKind::Refused), Connect),
        (
            words(Fault::BlackHole { at: BlackHoleAt::Syn }),
            |kind| matches!(kind, ErrorKind::ConnectTimeout { .. }),
            Connect,
        ),
        (
            words(Fault::BlackHole { at: BlackHoleAt::Tls }),
            |kind| matches!(kind, ErrorKind::NoAnswer { .. }),
            Tls,
        ),
        (
            words(Fault::BlackHole { at: BlackHoleAt::Answer }),
            |kind| matches!(kind, ErrorKind::NoAnswer { .. }),
            Await,
        ),
        (words(Fault::Reset { at: ResetAt::Tls }), |kind| matches!(kind, ErrorKind::Cut { .. }), Tls),
        (words(Fault::Reset { at: ResetAt::Request }), |kind| matches!(kind, ErrorKind::Cut { .. }), Await),
        (words(Fault::Cut { after_bytes: 12 }), |kind| matches!(kind, ErrorKind::Cut { .. }), Read),
        (words(Fault::MalformedJson), |kind| matches!(kind, ErrorKind::NotUnderstood { .. }), Decode),
        (words(Fault::Unauthorized), |kind| matches!(kind, ErrorKind::CredentialsRejected { .. }), Decode),
        (
            words(Fault::Forbidden { text: "Permission check failed (/, Sys.Audit)".to_owned() }),
            |kind| matches!(kind, ErrorKind::PrivilegeMissing { path: Some(path), .. } if path == "/"),
            Decode,
        ),
        (
            words(Fault::ServerError { text: "VM is locked (backup)".to_owned() }),
            |kind| {
                matches!(kind, ErrorKind::Server { class: ServerClass::Locked, text, .. }
                    if text == "VM is locked (backup)")
            },
            Decode,
        ),
        (
            words(Fault::Proxy {
                node: "pve1".to_owned(),
                status: 595,
                reason: "No route to host".to_owned(),
            }),
            |kind| {
                matches!(kind, ErrorKind::NodeDown { node: Some(node), text, .. }
                    if node == "pve1" && text == "No route to host")
            },
            Decode,
        ),
        (
            words(Fault::Proxy { node: "pve1".to_owned(), status: 596, reason: String::new() }),
            |kind| matches!(kind, ErrorKind::NodeNoAnswer { .. }),
            Decode,
        ),
        (
            words(Fault::ChangeCertificate { same_ca: true }),
            |kind| matches!(kind, ErrorKind::CertificateChanged { .. }),
            Tls,
        ),
        (
            words(Fault::ChangeCertificate { same_ca: false }),
            |kind| matches!(kind, ErrorKind::CertificateChanged { .. }),
            Tls,
        ),
        (words(Fault::WrongKey), |kind| matches!(kind, ErrorKind::CertificateWithoutKey { .. }), Tls),
        (
            words(Fault::Redirect { to: "https://elsewhere.example:8006".to_owned() }),
            |kind| matches!(kind, ErrorKind::Redirected { .. }),
            Decode,
        ),
        (
            words(Fault::PlainHttp),
            |kind| matches!(kind, ErrorKind::Tls { text } if text.contains("plain HTTP")),
            Tls,
        ),
        (words(Fault::NotProxmox), |kind| matches!(kind, ErrorKind::NotProxmox { .. }), Decode),
        (words(Fault::PlainTextBody), |kind| matches!(kind, ErrorKind::NotUnderstood { .. }), Decode),
    ]
}

#[tokio::test]
async fn every_fault_is_called_by_its_name() {
    for version in ["7.4", "9.2"] {
        let (sim, remote) = single(version).await;
        for (fault, is_right, phase) in faults() {
            // A fresh client each time: whatever was kept from before is not what is asked about.
            let client = root(&remote);
            client.sign_in().await.unwrap();
            client.sign_out().await;
            client.sign_in().await.unwrap();
            let fresh = client.sibling(endpoint(&remote, "pve1"));
            let name = fault.fault.name();
            let id = remote.fault(None, fault).await;
            let error = fresh.node_status("pve1").await.unwrap_err();
            assert!(is_right(error.kind()), "{version} {name}: {error:?}");
            assert_eq!(error.phase(), phase, "{version} {name}: {error:?}");
            assert!(!error.to_string().contains("unreachable"), "{version} {name}: {error}");
            remote.clear(id).await;
        }
        sim.stop().await;
    }
}

#[tokio::test]
async fn faults_that_only_slow_or_bend_an_answer_leave_it_readable() {
    for version in ["7.4", "9.2"] {
        let (sim, remote) = single(version).await;
        let client = root(&remote);
        client.sign_in().await.unwrap();
        let late = remote.fault(None, Fault::Delay { ms: 200 }).await;
        client.node_status("pve1").await.unwrap();
        remote.clear(late).await;

        let wrong = Fault::WrongType { pointer: "/uptime".to_owned(), value: serde_json::json!(["x"]) };
        let bent = remote.fault(None, wrong).await;
        let answer = client.node_status("pve1").await.unwrap();
        assert_eq!(answer.value.uptime, None);
        assert!(answer.value.memory.is_some());
        assert_eq!(answer.drift.records[0].field, "uptime");
        remote.clear(bent).await;

        let slow = remote.fault(None, Fault::Drip { bytes_per_second: 50 }).await;
        let error = client.node_status("pve1").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoAnswer { .. }), "{error:?}");
        remote.clear(slow).await;
        sim.stop().await;
    }
}

#[tokio::test]
async fn an_answer_lost_after_the_deed_leaves_the_outcome_open_and_is_not_repeated() {
    let lost: Vec<(FaultSpec, &str)> = vec![
        (Fault::LoseAnswer.method("POST"), "lost"),
        (Fault::Reset { at: ResetAt::Answer }.method("POST"), "reset"),
        (Fault::BlackHole { at: BlackHoleAt::Answer }.method("POST"), "silent"),
    ];
    for (fault, name) in lost {
        let (sim, remote) = single("9.2").await;
        let client = root(&remote);
        client.sign_in().await.unwrap();
        remote.clear_journal();
        remote.fault(None, fault).await;
        let options = PowerOptions::default();
        let error = client.guest_power("pve1", GuestKind::Ct, 102, Power::Start, &options).await.unwrap_err();
        assert!(error.outcome_unknown(Method::Post), "{name}: {error:?}");
        assert!(!error.repeatable(Method::Post), "{name}: {error:?}");
        assert_eq!(remote.journal().iter().filter(|seen| seen.method == "POST").count(), 1, "{name}");
        sim.stop().await;
    }
}

#[tokio::test]
async fn without_quorum_reads_go_on_and_writes_say_why_not() {
    let (sim, remote) = sim(Topology::cluster(3, "9.2")).await;
    let client = root(&remote);
    client.sign_in().await.unwrap();
    remote.fault(None, Fault::QuorumLost).await;
    client.cluster_resources(None).await.unwrap();
    let options = PowerOptions::default();
    let error = client.guest_power("pve1", GuestKind::Ct, 102, Power::Start, &options).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Server { class: ServerClass::NoQuorum, .. }), "{error:?}");
    assert!(!error.outcome_unknown(Method::Post));
    sim.stop().await;
}

#[tokio::test]
async fn a_node_that_is_down_is_told_from_a_link_that_is() {
    let (sim, remote) = sim(Topology::cluster(3, "9.2")).await;
    let client = root(&remote);
    client.sign_in().await.unwrap();
    remote.fault(None, Fault::NodeDown { node: "pve2".to_owned() }).await;
    let error = client.node_status("pve2").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NodeDown { node: Some(node), .. } if node == "pve2"),
        "{error:?}"
    );
    client.node_status("pve1").await.unwrap();
    remote.clear_all().await;
    remote.fault(None, Fault::NodeHung { node: "pve3".to_owned() }).await;
    let error = client.node_status("pve3").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NodeNoAnswer { node: Some(node), .. } if node == "pve3"),
        "{error:?}"
    );
    sim.stop().await;
}

#[tokio::test]
async fn the_clusters_authority_takes_the_place_of_pins() {
    for version in VERSIONS {
        let (sim, remote) = sim(Topology::cluster(3, version)).await;
        let client = root(&remote);
        client.sign_in().await.unwrap();
        let names: Vec<String> = remote.nodes();
        let (authority, trust) = client.cluster_trust("pve1", &names).await.unwrap().unwrap();
        let ca = pve::Certificate::from_pem(&remote.ca_pem()).unwrap();
        assert_eq!(authority.fingerprint, ca.fingerprint);
        // Every node passes under it, with the session of the first.
        for node in &names {
            let endpoint = Endpoint { trust: trust.clone(), ..endpoint(&remote, node) };
            client.sibling(endpoint).version().await.unwrap();
        }
        // A renewal passes in silence, an impostor does not.
        let renewed = client.sibling(Endpoint { trust, ..endpoint(&remote, "pve1") });
        remote.fault(Some("pve1"), Fault::ChangeCertificate { same_ca: true }).await;
        renewed.version().await.unwrap();
        remote.clear_all().await;
        remote.fault(Some("pve1"), Fault::ChangeCertificate { same_ca: false }).await;
        renewed.sign_out().await;
        remote.clear_journal();
        let error = renewed.version().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::CertificateChanged { .. }), "{version}: {error:?}");
        assert!(remote.journal().is_empty(), "{version}: an impostor received a request");
        sim.stop().await;
    }
}
