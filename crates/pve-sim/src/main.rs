//! `pve-sim`: simulates Proxmox VE hosts and clusters.

use std::net::SocketAddr;

use pve_sim::{Sim, SimTimings, Topology};

#[tokio::main]
async fn main() {
    let Ok(sim) = Sim::start(Topology::single("9.2"), SimTimings::default()).await else { return };
    for remote in sim.remotes() {
        println!("{} https://{}", remote.name(), remote.first_address());
    }
    let _: Option<SocketAddr> = None;
    let _ = tokio::signal::ctrl_c().await;
    sim.stop().await;
}
