//! Decoding `/cluster/resources` of 100,000 rows, envelope included, beside what `serde_json` takes to parse
//! the same bytes into a `Value`. Run with `cargo bench -p pve --bench decode`; prints one table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use pve::decode::{self, Rows};
use pve::drift::Drift;
use pve::envelope;
use pve::reply::Resource;
use serde_json::Value;

const ROWS: usize = 100_000;
const ROUNDS: usize = 9;

fn main() {
    let body = body();
    // Cargo says `--bench` when it measures; built without optimisation the figures would mean nothing.
    if !std::env::args().any(|arg| arg == "--bench") {
        let (rows, drift) = typed(&body);
        println!("{} rows, {} departures; not measured", rows.rows.len(), drift.count());
        return;
    }
    println!(
        "{ROWS} rows of /cluster/resources, {:.1} MB, best and median of {ROUNDS}",
        body.len() as f64 / 1e6
    );
    // Taken in turn, so that whatever else the machine does meets both.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(timed(|| serde_json::from_slice::<Value>(&body).expect("the body is JSON")));
        ours.push(timed(|| typed(&body)));
    }
    let (rows, drift) = typed(&body);
    assert_eq!(
        (rows.rows.len(), drift.count()),
        (ROWS - 1, DRIFTING + 1),
        "every row but the unreadable one, all drift"
    );
    println!("{:<44} {:>9} {:>9}", "", "best ms", "median ms");
    println!("{}", line("serde_json::Value", &mut theirs));
    println!("{}", line("typed rows with drift", &mut ours));
    let ratio = ours[ROUNDS / 2].as_secs_f64() / theirs[ROUNDS / 2].as_secs_f64();
    println!("{:<44} {ratio:>19.2}", "typed / Value (median; at most 1.00)");
    if ratio > 1.0 {
        std::process::exit(1);
    }
}

fn typed(body: &[u8]) -> (Rows<Resource>, Drift) {
    let text = std::str::from_utf8(body).expect("the body is UTF-8");
    let data = envelope::open(text).expect("the body has an envelope").data.expect("and data in it");
    let mut drift = Drift::of("GET /cluster/resources");
    let rows = decode::list::<Resource>(data, &mut drift).expect("data is a list");
    (rows, drift)
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = black_box(work());
    let took = start.elapsed();
    // Giving the memory back is part of what a poll costs, but not of what is compared here.
    drop(result);
    took
}

fn line(name: &str, times: &mut [Duration]) -> String {
    times.sort();
    let ms = |at: usize| times[at].as_secs_f64() * 1e3;
    format!("{name:<44} {:>9.1} {:>9.1}", ms(0), ms(times.len() / 2))
}

/// How many fields in the body do not fit.
const DRIFTING: u64 = 100;

/// A large fleet's answer: mostly guests, some stopped, some on nodes that are down, with nodes, storages and
/// pools among them, keys in changing order as Perl's hashes give them, a field that does not fit in every
/// thousandth row, and one row that cannot be read.
fn body() -> Vec<u8> {
    let mut rows = String::with_capacity(ROWS * 400);
    rows.push_str("{\"data\":[");
    for n in 0..ROWS {
        if n > 0 {
            rows.push(',');
        }
        let node = format!("pve{}", n % 400);
        if n == ROWS / 2 {
            rows.push_str("\"not a row\"");
            continue;
        }
        let mut members: Vec<String> = match n % 20 {
            0 => storage(n, &node),
            1 if n % 400 == 1 => host(n, &node),
            2 => vec![
                "\"type\":\"lxc\"".into(),
                format!("\"vmid\":{}", 100 + n),
                format!("\"id\":\"lxc/{}\"", 100 + n),
                format!("\"node\":\"{node}\""),
                "\"status\":\"unknown\"".into(),
            ],
            _ => guest(n, &node),
        };
        let turn = n % members.len();
        members.rotate_left(turn);
        let _ = write!(rows, "{{{}}}", members.join(","));
    }
    rows.push_str("]}");
    rows.into_bytes()
}

fn guest(n: usize, node: &str) -> Vec<String> {
    let (kind, vmid) = (if n.is_multiple_of(3) { "qemu" } else { "lxc" }, 100 + n);
    let running = !n.is_multiple_of(4);
    let figure = |x: usize| if running { x } else { 0 };
    // 100 of the rows 3, 1003, 2003, …: the last drifts as all do, by a load written in words.
    let cpu = if n % 1000 == 3 { "\"high\"".to_owned() } else { format!("0.0{:013}", figure(n * 7_919_317)) };
    let mut members = vec![
        format!("\"type\":\"{kind}\""),
        format!("\"vmid\":{vmid}"),
        format!("\"id\":\"{kind}/{vmid}\""),
        format!("\"node\":\"{node}\""),
        format!("\"name\":\"service-{:03}.example\"", n % 997),
        format!("\"status\":\"{}\"", if running { "running" } else { "stopped" }),
        format!("\"template\":{}", usize::from(n % 50 == 7)),
        format!("\"cpu\":{cpu}"),
        format!("\"maxcpu\":{}", 1 + n % 16),
        format!("\"mem\":{}", figure(n * 21_023)),
        "\"maxmem\":17179869184".to_owned(),
        format!("\"memhost\":{}", figure(n * 22_511)),
        format!("\"disk\":{}", figure(n * 9_973)),
        "\"maxdisk\":68719476736".to_owned(),
        format!("\"diskread\":{}", figure(n * 131_071)),
        format!("\"diskwrite\":{}", figure(n * 65_537)),
        format!("\"netin\":{}", figure(n * 524_287)),
        format!("\"netout\":{}", figure(n * 262_147)),
        format!("\"uptime\":{}", figure(n * 13)),
    ];
    if n.is_multiple_of(2) {
        members.push(format!("\"tags\":\"prod;team-{};web\"", n % 9));
    }
    if n.is_multiple_of(5) {
        members.push(format!("\"pool\":\"pool-{}\"", n % 30));
    }
    if n.is_multiple_of(11) {
        members.push("\"hastate\":\"started\"".to_owned());
    }
    members
}

fn storage(n: usize, node: &str) -> Vec<String> {
    vec![
        "\"type\":\"storage\"".to_owned(),
        format!("\"id\":\"storage/{node}/store-{}\"", n % 7),
        format!("\"storage\":\"store-{}\"", n % 7),
        format!("\"node\":\"{node}\""),
        "\"status\":\"available\"".to_owned(),
        format!("\"disk\":{}", n * 1_000_003),
        "\"maxdisk\":2037808889856".to_owned(),
        "\"content\":\"iso,vztmpl,snippets,import,backup\"".to_owned(),
        "\"plugintype\":\"dir\"".to_owned(),
        format!("\"shared\":{}", usize::from(n.is_multiple_of(3))),
    ]
}

fn host(n: usize, node: &str) -> Vec<String> {
    vec![
        "\"type\":\"node\"".to_owned(),
        format!("\"id\":\"node/{node}\""),
        format!("\"node\":\"{node}\""),
        "\"status\":\"online\"".to_owned(),
        format!("\"cpu\":0.1{:010}", n * 7_919),
        "\"maxcpu\":64".to_owned(),
        format!("\"mem\":{}", n * 1_000_033),
        "\"maxmem\":270138515456".to_owned(),
        "\"disk\":12673380352,\"maxdisk\":20939620352".to_owned(),
        format!("\"uptime\":{}", n * 31),
        "\"level\":\"c\",\"cgroup-mode\":2".to_owned(),
    ]
}
