//! What the live table says while a link goes and comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end itself")]

use std::time::Duration;

use fleet::{Clock, Fleet, RemoteSpec, Timings};
use muster::view::lines::picture;
use muster::view::picture::{Picture, RemoteLine};
use pve::{Credential, TrustPolicy};
use pve_sim::{Fault, Sim, SimTimings, Topology};

async fn until(fleet: &Fleet, clock: &Clock, fits: impl Fn(&Picture) -> bool) -> Picture {
    let wait = async {
        loop {
            let picture = picture(&fleet.snapshot(), clock.now(), Duration::from_secs(10));
            if fits(&picture) {
                return picture;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap()
}

fn figures(line: &RemoteLine) -> (&str, &str) {
    (&line.nodes, &line.guests)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_goes_leaves_the_table_as_last_seen() {
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let clock = Clock::new();
    let fleet = Fleet::new(Timings::shrunk(), clock, 1);
    let leaf = remote.leaf_fingerprint("pve1").unwrap().parse().unwrap();
    let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) };
    let address = remote.first_address().to_string().parse().unwrap();
    let credential = Credential::password("root@pam", "secret-root");
    fleet.add(RemoteSpec::new("lab", address, trust, credential)).unwrap();

    let live = |p: &Picture| p.guests.len() == 4 && p.guests.iter().all(|guest| !guest.dim);
    let before = until(&fleet, &clock, live).await;
    assert_eq!(figures(&before.remotes[0]), ("1/1", "2/4"));
    let off = before.guests.iter().find(|guest| guest.state == "stopped").unwrap();
    let said = |name: &str| off.facts.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    for name in ["processors", "memory"] {
        assert!(!said(name).unwrap_or_default().starts_with('0'), "no figure for what is off: {name}");
    }

    let fault = remote.fault(None, Fault::Refuse).await;
    let gone =
        until(&fleet, &clock, |p| !p.guests.is_empty() && p.guests.iter().all(|guest| guest.dim)).await;
    assert_eq!(gone.guests.len(), 4, "nothing vanishes");
    assert_eq!(figures(&gone.remotes[0]), ("~1/1", "~2/4"), "what is not seen has not stopped");
    assert!(gone.guests.iter().all(|guest| guest.note.contains("last seen")), "{:?}", gone.guests[0].note);
    assert!(gone.guests.iter().any(|guest| guest.state == "was running"));

    remote.clear(fault).await;
    until(&fleet, &clock, live).await;
    fleet.stop().await;
    sim.stop().await;
}
