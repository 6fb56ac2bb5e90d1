//! `muster demo --watch`: the live table on a simulated fleet, in one process and without a server.

use std::net::{Ipv4Addr, SocketAddr};

use fleet::{Clock, Fleet, RemoteSpec};
use model::operation::Author;
use pve::{Certificate, Credential, TrustPolicy};
use pve_sim::{Sim, SimTimings, Topology};

use super::trouble;
use crate::cli::serve::Demo;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view;

/// Feeds the jitter of back-offs; any number does.
const SEED: u64 = 7;

/// Shows the table until the person leaves.
///
/// # Errors
/// No terminal, or no free port on the loopback interface.
pub(super) async fn run(demo: &Demo, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if context.paper.columns.is_none() || !context.ask.present() {
        return Err(Failure::usage("The live table needs a terminal.")
            .hint("Without --watch the demo is a server; pve-sim --help says how to run the fleet alone."));
    }
    let topology = Topology::demo();
    let sim = Sim::start(topology.clone(), SimTimings::default()).await.map_err(|e| trouble(&e))?;
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, demo.control_port.unwrap_or(0)));
    let control = sim.serve_control(wanted).await.map_err(|e| trouble(&e))?;

    let clock = Clock::new();
    let fleet = Fleet::new(context.timings.clone(), clock, SEED);
    let author = Author { name: "you".to_owned(), from: "demo".to_owned() };
    for spec in specs(&sim, &topology) {
        fleet.add(spec, &author).await.map_err(|e| trouble(&e))?;
    }
    let screen = view::run::Screen {
        title: "muster demo".to_owned(),
        greeting: Some(format!(
            "A simulated fleet. Make faults by hand at http://{control}/remotes (docs/simulator.md)."
        )),
        author,
        patience: context.timings.operation_wait,
    };
    let shown = view::run::run(&fleet, clock, screen).await;
    fleet.stop().await;
    sim.stop().await;
    shown.map_err(|e| Failure::new(Exit::Failed, format!("The terminal cannot be used: {e}.")))?;
    Ok(Exit::Done)
}

/// The simulated remotes as the fleet is told of them: every node an endpoint, trusted by the cluster's own
/// authority, signed in as root.
fn specs(sim: &Sim, topology: &Topology) -> Vec<RemoteSpec> {
    let mut specs = Vec::new();
    for remote in sim.remotes() {
        let password = topology
            .remotes
            .iter()
            .find(|spec| spec.name == remote.name())
            .and_then(|spec| spec.users.iter().find(|user| user.userid == "root@pam"))
            .map_or("secret-root", |user| user.password.as_str());
        let Ok(authority) = Certificate::from_pem(&remote.ca_pem()) else { continue };
        let trust = TrustPolicy::cluster_ca(&authority, remote.nodes());
        let mut endpoints =
            remote.nodes().into_iter().filter_map(|node| remote.address(&node)).map(|address| {
                (pve::address::Address::new(address.ip().into(), address.port()), trust.clone())
            });
        let Some((address, policy)) = endpoints.next() else { continue };
        let spec =
            RemoteSpec::new(remote.name(), address, policy, Credential::password("root@pam", password));
        specs.push(endpoints.fold(spec, |spec, (address, policy)| spec.endpoint(address, policy)));
    }
    specs
}
