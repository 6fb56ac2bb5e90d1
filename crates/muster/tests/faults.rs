//! Every fault is named as what it is: by the link's cause and by the doctor. Printed as a matrix
//! (`cargo test -p muster --test faults -- --nocapture`), and at true timings in `make soak`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use std::time::{Duration, Instant};

use common::{TOKEN_SECRET, host};
use fleet::{Clock, Fleet, RemoteSpec};
use model::{FacetKind, RemoteId};
use muster::doctor::{self, Verdict};
use muster::open::trust::Beliefs;
use muster::secrets::Means;
use muster::term::ask::Scripted;
use pve::{Credential, TrustPolicy};
use pve_sim::topology::NodeSpec;
use pve_sim::{BlackHoleAt, Fault, FaultSpec, Remote, ResetAt, Sim, SimTimings};
use serde_json::json;

/// A fault, and what is to be said of it.
struct Case {
    name: &'static str,
    fault: FaultSpec,
    /// The step of the doctor that fails and its cause; or a step with a note and no cause; or all is well.
    doctor: (&'static str, &'static str),
    /// The cause that the link or its listing shows; `""` for none.
    link: &'static str,
    /// At true timings it is to be said within so many seconds.
    within: u64,
}

/// Refused or reset: 12 s. Connection unanswered: 20 s. Request unanswered: 50 s.
fn cases() -> Vec<Case> {
    const LIST: &str = "/cluster/resources";
    let case = |name, fault: FaultSpec, doctor, link, within| Case { name, fault, doctor, link, within };
    let wrong = |p: &str| Fault::WrongType { pointer: p.to_owned(), value: json!({"a": 1}) };
    let text = |t: &str| t.to_owned();
    vec![
        case("refused", Fault::Refuse.into(), ("tcp", "refused"), "refused", 12),
        case(
            "SYN unanswered",
            Fault::BlackHole { at: BlackHoleAt::Syn }.into(),
            ("tcp", "connect_timeout"),
            "connect_timeout",
            20,
        ),
        case(
            "TLS silent",
            Fault::BlackHole { at: BlackHoleAt::Tls }.into(),
            ("tls", "no_answer"),
            "no_answer",
            20,
        ),
        case(
            "request unanswered",
            Fault::BlackHole { at: BlackHoleAt::Answer }.into(),
            ("http", "no_answer"),
            "no_answer",
            50,
        ),
        case(
            "reset in TLS",
            Fault::Reset { at: ResetAt::Tls }.into(),
            ("tls", "answer_cut"),
            "answer_cut",
            12,
        ),
        case(
            "reset at the request",
            Fault::Reset { at: ResetAt::Request }.into(),
            ("http", "answer_cut"),
            "answer_cut",
            12,
        ),
        case(
            "reset in the answer",
            Fault::Reset { at: ResetAt::Answer }.into(),
            ("http", "answer_cut"),
            "answer_cut",
            12,
        ),
        case("a slow answer", Fault::Delay { ms: 200 }.into(), ("", ""), "", 50),
        case(
            "a dripping answer",
            Fault::Drip { bytes_per_second: 1 }.into(),
            ("http", "no_answer"),
            "no_answer",
            50,
        ),
        case(
            "a body cut short",
            Fault::Cut { after_bytes: 10 }.into(),
            ("http", "answer_cut"),
            "answer_cut",
            12,
        ),
        case(
            "malformed JSON",
            Fault::MalformedJson.on(LIST),
            ("cluster_resources", "not_understood"),
            "not_understood",
            12,
        ),
        case("wrong type of a field", wrong("/0/cpu").on(LIST), ("cluster_resources", ""), "", 12),
        case("unreadable row", wrong("/0/type").on(LIST), ("cluster_resources", ""), "", 12),
        case("a field missing", Fault::MissingField { pointer: text("/*/cpu") }.on(LIST), ("", ""), "", 12),
        case(
            "401 to all",
            Fault::Unauthorized.into(),
            ("sign_in", "credentials_rejected"),
            "credentials_rejected",
            20,
        ),
        case(
            "403 on the listing",
            Fault::Forbidden { text: text("Permission check failed (/, Sys.Audit)") }.on(LIST),
            ("cluster_resources", "privilege_missing"),
            "privilege_missing",
            12,
        ),
        case(
            "500 with words",
            Fault::ServerError { text: text("got no worker upid - start worker failed") }.on(LIST),
            ("cluster_resources", "server_error"),
            "server_error",
            12,
        ),
        case(
            "595 for the node",
            Fault::Proxy { node: text("pve1"), status: 595, reason: text("No route to host") }.into(),
            ("node_status", "node_down"),
            "",
            12,
        ),
        case(
            "596 for the node",
            Fault::Proxy { node: text("pve1"), status: 596, reason: text("Connection timed out") }.into(),
            ("node_status", "node_no_answer"),
            "",
            40,
        ),
        case(
            "certificate changed",
            Fault::ChangeCertificate { same_ca: false }.into(),
            ("certificate", "certificate_changed"),
            "certificate_changed",
            12,
        ),
        case(
            "certificate without its key",
            Fault::WrongKey.into(),
            ("tls", "untrusted_certificate"),
            "untrusted_certificate",
            12,
        ),
        case(
            "redirect",
            Fault::Redirect { to: text("https://elsewhere.example:8006") }.into(),
            ("proxmox", "not_proxmox"),
            "not_proxmox",
            12,
        ),
        case("tickets expired", Fault::ExpireTickets.into(), ("", ""), "", 12),
        case("quorum lost", Fault::QuorumLost.into(), ("cluster_status", ""), "", 12),
        case("a node down", Fault::NodeDown { node: text("pve3") }.into(), ("nodes", ""), "", 12),
        case("restart", Fault::Restart { down_ms: 60_000 }.into(), ("tcp", "refused"), "refused", 12),
        case("clock askew", Fault::ClockSkew { seconds: 3_600 }.into(), ("proxmox", ""), "", 12),
        case("plain HTTP", Fault::PlainHttp.into(), ("tls", "tls_failure"), "tls_failure", 12),
        case("another web server", Fault::NotProxmox.into(), ("proxmox", "not_proxmox"), "not_proxmox", 12),
        case(
            "words without envelope",
            Fault::PlainTextBody.into(),
            ("proxmox", "not_understood"),
            "not_understood",
            12,
        ),
        case("answer never sent", Fault::LoseAnswer.into(), ("http", "no_answer"), "no_answer", 50),
    ]
}

/// How long a link is looked at.
#[derive(Clone, Copy)]
struct Patience {
    /// Until it says what is expected.
    trouble: Duration,
    /// When nothing is expected: longer than it takes to poll once more.
    quiet: Duration,
}

/// What was said, and after how long.
struct Said {
    doctor: (String, String),
    doctor_took: Duration,
    state: String,
    link: String,
    link_took: Duration,
}

fn leaf(remote: &Remote) -> pve::Fingerprint {
    remote.leaf_fingerprint("pve1").unwrap().parse().unwrap()
}

/// What the doctor says: the first step that failed, else the first with a note that the fault brought.
async fn ask_doctor(
    remote: &Remote,
    fingerprint: pve::Fingerprint,
    timings: &pve::Timings,
) -> (String, String) {
    let beliefs = Beliefs { fingerprints: vec![fingerprint], accept_new: false };
    let means = Means { token: Some(Credential::token("root@pam!ops", TOKEN_SECRET)), ..Means::default() };
    let address = remote.first_address().to_string();
    let mut nobody = Scripted::nobody();
    let report = doctor::examine(&address, &beliefs, &means, &mut nobody, timings, &mut |_| {}).await;
    let failed = report.steps.iter().find(|s| s.verdict == Verdict::Failed);
    // A virtual machine without a guest agent is part of the host, not of the fault.
    let noted = report.steps.iter().find(|s| s.verdict == Verdict::Warning && s.id != "vm_addresses");
    // Up to the sign-in, what comes after a failed step is not tried.
    let at = failed.and_then(|f| report.steps.iter().position(|s| s.id == f.id)).unwrap_or(usize::MAX);
    if report.steps.iter().position(|s| s.id == "sign_in").is_some_and(|sign_in| at <= sign_in) {
        assert!(report.steps[at + 1..].iter().all(|s| s.verdict == Verdict::NotTried), "{report:?}");
        assert!(report.steps.len() > 25, "every step is told: {report:?}");
    }
    let said = failed.or(noted).map(|s| (s.id.to_owned(), s.cause.unwrap_or_default().to_owned()));
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("unreachable") || text.contains("\"cause\":\"unreachable\""), "{text}");
    said.unwrap_or_default()
}

fn trouble(fleet: &Fleet, id: RemoteId) -> Option<(String, String)> {
    let remote = fleet.remote(id)?;
    let state = remote.link.state.word().to_owned();
    let cause = remote.link.state.cause().cloned();
    let listing =
        remote.facet(FacetKind::Resources).and_then(|f| f.last_error.as_ref()).map(|e| e.cause.clone());
    cause.or(listing).map(|cause| (state, cause.code().to_owned()))
}

/// What the link of a running fleet says once the fault has struck.
async fn ask_link(
    remote: &Remote,
    case: &Case,
    fingerprint: pve::Fingerprint,
    timings: fleet::Timings,
    patience: Patience,
) -> (String, String, Duration) {
    let address: pve::address::Address = remote.first_address().to_string().parse().unwrap();
    let fleet = Fleet::new(timings, Clock::new(), 1);
    let credential = Credential::token("root@pam!ops", TOKEN_SECRET);
    let author = model::Author { name: "ada".into(), from: "test".into() };
    let id = fleet
        .add(RemoteSpec::new("lab", address, TrustPolicy::leaf(fingerprint), credential), &author)
        .await
        .unwrap();
    let up = Instant::now();
    let listed = |fleet: &Fleet| {
        fleet.remote(id).is_some_and(|r| {
            r.link.state.is_up() && r.facet(FacetKind::Resources).is_some_and(|f| f.last_success.is_some())
        })
    };
    while !listed(&fleet) {
        assert!(
            up.elapsed() < Duration::from_secs(30),
            "{}: the link does not come up: {:?}",
            case.name,
            trouble(&fleet, id)
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let guests = fleet.remote(id).unwrap().guests.len();
    remote.fault(None, case.fault.clone()).await;
    let began = Instant::now();
    // A connection that was open when the fault struck may tell of its own end first; and where nothing is to be said,
    // there is a while in which it could be.
    let wait = if case.link.is_empty() { patience.quiet } else { patience.trouble };
    let said = loop {
        let said = trouble(&fleet, id);
        let expected = said.as_ref().is_some_and(|(_, cause)| cause == case.link);
        if expected || began.elapsed() > wait {
            break said;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let took = began.elapsed();
    let snapshot = fleet.remote(id).unwrap();
    assert_eq!(snapshot.guests.len(), guests, "{}: nothing that was seen goes away", case.name);
    let (state, cause) = said.unwrap_or_else(|| (snapshot.link.state.word().to_owned(), String::new()));
    if state == "connected" {
        assert!(
            cause.is_empty()
                || matches!(cause.as_str(), "not_understood" | "privilege_missing" | "server_error"),
            "{}",
            case.name
        );
    }
    fleet.stop().await;
    (state, cause, took)
}

async fn say(case: &Case, timings: fleet::Timings, patience: Patience) -> Said {
    let mut topology = host("9.2");
    topology.remotes[0].nodes = ["pve1", "pve2", "pve3"].map(NodeSpec::named).to_vec();
    let sim = Sim::start(topology, SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let fingerprint = leaf(&remote);
    let (state, link, link_took) = ask_link(&remote, case, fingerprint, timings.clone(), patience).await;
    // Faults that happen once are over by now.
    remote.clear_all().await;
    remote.fault(None, case.fault.clone()).await;
    // The cluster itself takes a moment to see that a node or the quorum is gone.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    let doctor = ask_doctor(&remote, fingerprint, &timings.pve).await;
    let doctor_took = began.elapsed();
    sim.stop().await;
    Said { doctor, doctor_took, state, link, link_took }
}

fn line(case: &Case, said: &Said) -> String {
    let doctor = match (said.doctor.0.as_str(), said.doctor.1.as_str()) {
        ("", _) => "all is well".to_owned(),
        (step, "") => format!("{step}: a note"),
        (step, cause) => format!("{step}: {cause}"),
    };
    let link =
        if said.link.is_empty() { said.state.clone() } else { format!("{}: {}", said.state, said.link) };
    format!(
        "{:28} {:38} {:>6.1} s   {:44} {:>6.1} s",
        case.name,
        doctor,
        said.doctor_took.as_secs_f64(),
        link,
        said.link_took.as_secs_f64()
    )
}

async fn matrix(timings: fleet::Timings, patience: Patience, at_once: usize, true_times: bool) {
    use futures_util::StreamExt;
    println!("{:28} {:38} {:>8}   {:44} {:>8}", "FAULT", "DOCTOR", "TOOK", "LINK", "TOOK");
    let cases = cases();
    let mut wrong = Vec::new();
    let mut said = futures_util::stream::iter(&cases)
        .map(|case| {
            let timings = timings.clone();
            async move { (case, say(case, timings, patience).await) }
        })
        .buffered(at_once);
    while let Some((case, said)) = said.next().await {
        println!("{}", line(case, &said));
        let doctor = (said.doctor.0.as_str(), said.doctor.1.as_str());
        if doctor != case.doctor || said.link != case.link {
            wrong.push(format!(
                "{}: expected {:?} and {:?}, was {:?} and {:?}",
                case.name, case.doctor, case.link, doctor, said.link
            ));
        }
        let within = Duration::from_secs(case.within);
        if true_times && (said.doctor_took > within || (!case.link.is_empty() && said.link_took > within)) {
            wrong.push(format!("{}: took longer than {} s", case.name, case.within));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_named_as_what_it_is() {
    let patience = Patience { trouble: Duration::from_secs(15), quiet: Duration::from_millis(1500) };
    matrix(fleet::Timings::shrunk(), patience, 6, false).await;
}

/// `make soak`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "true time-outs: minutes"]
async fn every_fault_is_named_in_time() {
    let patience = Patience { trouble: Duration::from_secs(60), quiet: Duration::from_secs(13) };
    matrix(fleet::Timings::default(), patience, 40, true).await;
}
