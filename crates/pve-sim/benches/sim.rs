//! What the simulator can carry: requests a second, and the memory of thousands of hosts.
//!
//! It runs as a process of its own, so that its memory is its own and its client does not share its threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::Tls;

const TOKEN: &str = "Authorization: PVEAPIToken=root@pam!bench=0b75e0e2-51f5-4c4e-a6b8-5e1b0f2d5a11\r\n";
const RESOURCES: &str = "/api2/json/cluster/resources";
const LASTING: Duration = Duration::from_secs(4);
const CLIENTS: usize = 4;
const HOSTS: usize = 5_000;
const GUESTS: usize = 20;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("skipped: run `cargo bench --bench sim`");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut table = String::from("| pve-sim | figure |\n|---|---|\n");
    runtime.block_on(async {
        throughput(&mut table).await;
        memory(&mut table).await;
    });
    println!("\n{table}");
}

async fn throughput(table: &mut String) {
    let sim = Process::start(&topology(1, 100));
    let address = sim.addresses[0];
    for (what, how) in [
        ("kept connections", How::Kept),
        ("new connections, TLS session resumed", How::New { resumed: true }),
        ("new connections, full handshake", How::New { resumed: false }),
    ] {
        let rate = requests_per_second(address, how).await;
        let _ = writeln!(
            table,
            "| requests a second, `/cluster/resources` of 100 guests, {CLIENTS} clients, {what} | {rate:.0} |"
        );
    }
}

#[derive(Clone, Copy)]
enum How {
    Kept,
    New { resumed: bool },
}

async fn requests_per_second(address: SocketAddr, how: How) -> f64 {
    let count = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut tls = Tls::new();
                while began.elapsed() < LASTING {
                    if matches!(how, How::New { resumed: false }) {
                        tls = Tls::new();
                    }
                    let mut conversation = tls.connect(address).await.expect("a connection");
                    loop {
                        let response = conversation.ask("GET", RESOURCES, TOKEN, "").await;
                        assert_eq!(response.status, 200, "{}", response.reason);
                        count.fetch_add(1, Ordering::Relaxed);
                        let last = response.header("Connection") == Some("close");
                        if last || matches!(how, How::New { .. }) || began.elapsed() >= LASTING {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("a client");
    }
    count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

async fn memory(table: &mut String) {
    let limit = open_files();
    // A descriptor for each host, and some for everything else.
    let hosts = HOSTS.min(limit.saturating_sub(200));
    if hosts < HOSTS {
        println!(
            "Only {limit} files may be open: {hosts} hosts instead of {HOSTS}. Raise it with ulimit -n 8192."
        );
    }
    let began = Instant::now();
    let sim = Process::start(&topology(hosts, GUESTS));
    let starting = began.elapsed();
    let before = sim.resident();

    let addresses = Arc::new(sim.addresses.clone());
    let next = Arc::new(AtomicUsize::new(0));
    let visitors: Vec<_> = (0..8)
        .map(|_| {
            let (addresses, next) = (Arc::clone(&addresses), Arc::clone(&next));
            tokio::spawn(async move {
                while let Some(address) = addresses.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut conversation = Tls::new().connect(*address).await.expect("a connection");
                    let response = conversation.ask("GET", RESOURCES, TOKEN, "").await;
                    assert_eq!(response.status, 200, "{}", response.reason);
                    assert!(response.text().matches("\"vmid\"").count() >= GUESTS);
                }
            })
        })
        .collect();
    for visitor in visitors {
        visitor.await.expect("a visitor");
    }
    let after = sim.resident();
    for (when, kib) in [("all listening, certificates made", before), ("each asked for its resources", after)]
    {
        let _ = writeln!(
            table,
            "| memory (VmRSS), {hosts} hosts of {GUESTS} guests, {when} | {} MiB ({:.0} KiB a host) |",
            kib / 1024,
            kib as f64 / hosts as f64
        );
    }
    let _ =
        writeln!(table, "| start of {hosts} hosts of {GUESTS} guests | {:.1} s |", starting.as_secs_f64());
}

fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(1024)
}

fn topology(hosts: usize, guests: usize) -> String {
    let mut text = String::from("seed = 7\n");
    for host in 0..hosts {
        let _ = write!(
            text,
            "[[remotes]]\nname = \"site-{host}\"\nversion = \"9.2\"\nnodes = [{{ name = \"node\" }}]\nfill = {{ count = \
             {guests} }}\n[[remotes.users]]\nuserid = \"root@pam\"\npassword = \"x\"\ntokens = [{{ name = \"bench\", \
             privsep = false, secret = \"0b75e0e2-51f5-4c4e-a6b8-5e1b0f2d5a11\" }}]\n"
        );
    }
    text
}

/// A simulator in a process of its own; ended when dropped.
struct Process {
    child: Child,
    addresses: Vec<SocketAddr>,
    _folder: tempfile::TempDir,
}

impl Process {
    fn start(topology: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("topology.toml");
        std::fs::write(&file, topology).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_pve-sim"))
            .arg("--topology")
            .arg(&file)
            .arg("--print-json")
            .stdout(Stdio::piped())
            .spawn()
            .expect("pve-sim starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let remotes = said["remotes"].as_array().expect("remotes");
        let addresses = remotes
            .iter()
            .map(|remote| remote["nodes"][0]["address"].as_str().expect("text").parse().expect("an address"))
            .collect();
        Self { child, addresses, _folder: folder }
    }

    /// VmRSS in KiB.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
