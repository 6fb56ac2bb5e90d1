//! What the live table says while a link goes and comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end itself")]

use std::time::Duration;

use fleet::{Clock, Fleet, RemoteSpec, Timings};
use model::{Action, Author, PowerOptions, Vmid};
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
async fn nothing_from_outside_drives_the_terminal() {
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    remote.with_world(|world, _| {
        world.guest_mut(101).unwrap().set_name("\u{1b}[2Jred\u{202e}");
        world.fail_next_task("vzstart", "no \u{1b}[31mbread\u{202e}");
    });
    let clock = Clock::new();
    let fleet = Fleet::new(Timings::shrunk(), clock, 1);
    let leaf = remote.leaf_fingerprint("pve1").unwrap().parse().unwrap();
    let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) };
    let address = remote.first_address().to_string().parse().unwrap();
    let credential = Credential::password("root@pam", "secret-root");
    let author = Author { name: "ada".into(), from: "test".into() };
    let id = fleet.add(RemoteSpec::new("lab", address, trust, credential), &author).await.unwrap();
    until(&fleet, &clock, |p| p.guests.iter().any(|guest| guest.name.contains("red"))).await;
    let author = Author { name: "ada".into(), from: "test".into() };
    fleet.operate(id, Vmid(102), Action::Start, PowerOptions::default(), author).await.unwrap();
    let shown = until(&fleet, &clock, |p| {
        p.tasks.iter().any(|task| format!("{task:?}").contains("bread"))
            && p.guests.iter().any(|guest| format!("{:?}", guest.operation).contains("bread"))
    })
    .await;
    // What the filter looks into is never drawn. Of the rest, Debug would show as escaped what is not plain text.
    let mut shown = shown;
    shown.guests.iter_mut().for_each(|guest| guest.haystack.clear());
    shown.tasks.iter_mut().for_each(|task| task.haystack.clear());
    let all = format!("{:?} {:?} {:?}", shown.guests, shown.tasks, shown.remotes);
    for raw in ["\\u{1b}", "\\u{202e}", "\\n"] {
        assert!(!all.contains(raw), "{raw} in {all}");
    }
    fleet.stop().await;
    sim.stop().await;
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
    let author = Author { name: "ada".into(), from: "test".into() };
    fleet.add(RemoteSpec::new("lab", address, trust, credential), &author).await.unwrap();

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
