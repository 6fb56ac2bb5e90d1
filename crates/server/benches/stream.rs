//! From a change on a host to whoever watches a list: after an action of one's own, and behind our back.
//!
//! `cargo bench -p server --bench stream`; takes two minutes, most of it waiting for polls at their usual pace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

use std::time::{Duration, Instant};

use api::guest::Guest;
use api::stream::{ListRows, StreamMessage};
use axum::body::Body;
use axum::extract::Request;
use fleet::{Clock, Fleet, RemoteSpec, Timings};
use http_body_util::BodyExt;
use model::{Action, Author, PowerOptions, RemoteId, Vmid};
use pve::{Credential, TrustPolicy};
use pve_sim::{Remote, Sim, SimTimings, Topology};
use server::{App, Peer, Settings};
use store::{Keys, Place, Store};
use tower::ServiceExt;

const TIMES: usize = 10;
/// What was told comes right after a poll: growing pauses let changes fall anywhere between two.
const PAUSE: Duration = Duration::from_millis(950);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let sim = Sim::start(Topology::cluster(3, "9.2"), SimTimings::default()).await.unwrap();
    let remote = sim.first().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
    let place = Place::Sqlite(dir.path().join("muster.db"));
    let store = Store::open(place, keys, store::Timings::default()).await.unwrap();
    let clock = Clock::new();
    let fleet = Fleet::open(Timings::default(), clock, 7, store.clone()).await.unwrap();
    let id = fleet.add(spec(&remote), &author()).await.unwrap();
    let app = App::new(fleet.clone(), store, Settings::default(), clock).await.unwrap();
    let mut stream = Reader::open(&app).await;
    while stream.rows().await.is_empty() {}

    println!("| from | to | best | median | worst |");
    println!("|---|---|---|---|---|");
    own_actions(&fleet, id, &mut stream).await;
    behind_our_back(&remote, &mut stream).await;
    fleet.stop().await;
}

/// From asking for an action until the list tells the guest's new state; the simulated tasks' own time is in it.
async fn own_actions(fleet: &Fleet, id: RemoteId, stream: &mut Reader) {
    let snapshot = fleet.remote(id).unwrap();
    let stopped = |row: &&std::sync::Arc<model::rows::GuestRow>| {
        row.state == model::GuestState::Stopped && row.guest.template != Some(true) && row.guest.ha.is_none()
    };
    let vmid = snapshot.guests.iter().find(stopped).expect("a guest that is off").guest.vmid;
    let (mut all, mut ends) = (Vec::new(), Vec::new());
    for n in 0..TIMES {
        let (action, word) = if n % 2 == 0 { (Action::Start, "running") } else { (Action::Stop, "stopped") };
        let begun = Instant::now();
        let op = fleet.operate(id, vmid, action, PowerOptions::default(), author()).await.unwrap();
        let mut watch = fleet.operation(op).unwrap();
        let ended = tokio::spawn(async move {
            watch.wait_for(|one| one.state.is_final()).await.unwrap();
            Instant::now()
        });
        stream.until(|row| row.row.guest.vmid == vmid && row.word == word).await;
        let told = Instant::now();
        all.push(told - begun);
        ends.push(told.saturating_duration_since(ended.await.unwrap()));
    }
    row("an action asked for", "its guest's new state in a followed list", all);
    row("the end of its operation", "the same", ends);
}

/// From a guest's move, which nobody told us of, until the list tells its new node.
async fn behind_our_back(remote: &Remote, stream: &mut Reader) {
    let mut all = Vec::new();
    for n in 0..TIMES {
        let node = ["pve2", "pve3"][n % 2];
        remote.with_world(|world, _| assert!(world.move_guest(201, node)));
        let begun = Instant::now();
        stream.until(|row| row.row.guest.vmid == Vmid(201) && row.row.guest.node.as_str() == node).await;
        all.push(begun.elapsed());
        tokio::time::sleep(PAUSE.saturating_mul(u32::try_from(n).unwrap())).await;
    }
    row("a move behind our back", "its new node in a followed list", all);
}

fn row(from: &str, to: &str, mut all: Vec<Duration>) {
    all.sort_unstable();
    let at = |n: usize| all[n].as_secs_f64();
    println!("| {from} | {to} | {:.3} s | {:.3} s | {:.3} s |", at(0), at(all.len() / 2), at(all.len() - 1));
}

fn author() -> Author {
    Author { name: "ada".into(), from: "bench".into() }
}

fn spec(remote: &Remote) -> RemoteSpec {
    let node = &remote.nodes()[0];
    let address = remote.address(node).unwrap().to_string().parse().unwrap();
    let leaf = remote.leaf_fingerprint(node).unwrap().parse().unwrap();
    let trust = TrustPolicy { system: false, ..TrustPolicy::leaf(leaf) };
    RemoteSpec::new("home", address, trust, Credential::password("root@pam", "secret-root"))
}

/// A client that follows all guests.
struct Reader {
    body: Body,
    text: String,
}

impl Reader {
    async fn open(app: &App) -> Self {
        let query = "subscribe=%7B%22lists%22%3A%7B%22main%22%3A%7B%22of%22%3A%22guests%22%7D%7D%7D";
        let request = Request::builder().uri(format!("/api/v1/stream?{query}")).header("host", "localhost");
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer::Unix { uid: 0, name: None });
        let answer = app.router().oneshot(request).await.unwrap();
        assert!(answer.status().is_success());
        Self { body: answer.into_body(), text: String::new() }
    }

    /// The guests that the next message about them tells.
    async fn rows(&mut self) -> Vec<Guest> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                let message = serde_json::from_str(data).unwrap();
                self.text = rest.to_owned();
                if let StreamMessage::List(changes) = message {
                    let ListRows::Guests(rows) = changes.upserted else { panic!("guests were asked for") };
                    return rows;
                }
                continue;
            }
            let frame = self.body.frame().await.expect("not the end").unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&frame).unwrap());
        }
    }

    async fn until(&mut self, fits: impl Fn(&Guest) -> bool) {
        while !self.rows().await.iter().any(&fits) {}
    }
}
