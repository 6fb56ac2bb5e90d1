//! Commands called as functions, with timings shrunk, where the true ones would take minutes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test helpers"
)]

mod common;

use std::time::Duration;

use clap::Parser;
use common::{Host, path};
use muster::cli::Cli;
use muster::exit::Exit;
use muster::term::ask::Scripted;
use muster::term::table::Paper;
use muster::{Context, run};
use pve_sim::{BlackHoleAt, Fault};

struct Ended {
    exit: Exit,
    out: String,
    err: String,
}

async fn at(host: &Host, more: &[&str], ask: &mut Scripted) -> Ended {
    let token = path(&host.token);
    let mut args = vec!["muster", "at", &host.address, "--token-file", &token];
    args.extend(more);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut context = Context {
        timings: fleet::Timings::shrunk(),
        ask,
        out: &mut out,
        err: &mut err,
        paper: Paper { columns: Some(100), colour: false },
        progress: false,
    };
    let cli = Cli::try_parse_from(args).unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(60), run(cli, &mut context)).await.unwrap();
    Ended { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn starts(host: &Host, vmid: u32) -> usize {
    let path = format!("/{vmid}/status/start");
    host.remote.journal().iter().filter(|e| e.path.ends_with(&path)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_and_nothing_is_sent_twice() {
    let host = Host::start("9.2").await;
    host.remote.fault(None, Fault::LoseAnswer.on("/nodes/*/lxc/102/status/start").times(1)).await;
    let ended =
        at(&host, &["--fingerprint", &host.fingerprint, "start", "102"], &mut Scripted::nobody()).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
    assert!(ended.out.contains(": done"), "{}", ended.out);
    assert_eq!(starts(&host, 102), 1, "a mutation is never repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_arrived_is_said_to_be_so() {
    let host = Host::start("8.4").await;
    let fault = Fault::BlackHole { at: BlackHoleAt::Answer }.on("/nodes/*/lxc/102/status/start");
    host.remote.fault(None, fault.times(1)).await;
    let ended =
        at(&host, &["--fingerprint", &host.fingerprint, "start", "102"], &mut Scripted::nobody()).await;
    assert_ne!(ended.exit, Exit::Done);
    assert!(ended.err.contains("not sent"), "{}", ended.err);
    assert_eq!(starts(&host, 102), 1);
    assert_eq!(ended.out, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_for_the_certificate_first() {
    let host = Host::start("9.2").await;
    let mut ask = Scripted::answering(["what?", "no"]);
    let ended = at(&host, &["ls"], &mut ask).await;
    assert_eq!(ended.exit, Exit::Certificate, "{}", ended.err);
    assert!(ask.heard.iter().any(|l| l.contains(&host.fingerprint)), "{:?}", ask.heard);
    assert!(host.remote.journal().is_empty(), "nothing was sent");

    let mut ask = Scripted::answering(["yes"]);
    let ended = at(&host, &["ls"], &mut ask).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
    assert!(ended.out.lines().all(|l| muster::term::text::width(l) <= 100), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_by_several_endpoints_trusts_its_authority() {
    let mut topology = common::host("9.2");
    topology.remotes[0].nodes = ["pve1", "pve2", "pve3"].map(pve_sim::topology::NodeSpec::named).to_vec();
    let host = Host::of(topology).await;
    let both = format!("lab={},{}", host.address, host.remote.address("pve2").unwrap());
    let token = path(&host.token);
    let list = ["at", &both, "--token-file", &token, "--fingerprint", &host.fingerprint, "ls", "-o", "json"];
    let run = common::muster(&list).await;
    assert_eq!(run.code, 0, "only the first one's fingerprint was given: {run:?}");
    let json = run.json();
    assert_eq!(json["remotes"][0]["link"]["endpoints"].as_array().unwrap().len(), 2, "{json}");

    // The first endpoint goes: the other one is asked, and the certificate that was not given is still not needed
    // when the cluster's own authority has vouched for it.
    host.remote.fault(None, pve_sim::FaultSpec::from(Fault::Refuse).at_node("pve1")).await;
    let second = host.remote.leaf_fingerprint("pve2").unwrap();
    let list = ["at", &both, "--token-file", &token, "--fingerprint", &second, "ls", "-o", "json"];
    let run = common::muster(&list).await;
    assert_eq!(run.code, 0, "{run:?}");
}
