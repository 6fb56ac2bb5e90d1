//! `pve-sim`: simulates Proxmox VE hosts and clusters, for anyone who writes against them.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pve_sim::topology::RemoteSpec;
use pve_sim::{Remote, Sim, SimError, SimTimings, Topology};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// Simulates Proxmox VE hosts and clusters: real TLS, real sockets, guests and tasks that live, faults on demand.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("what").args(["topology", "demo"]).required(true)))]
struct Arguments {
    /// Simulate what this file describes
    #[arg(long, value_name = "FILE")]
    topology: Option<PathBuf>,
    /// Simulate the demo fleet: a cluster, an 8.4, a 7.4, a bad link, a host with odd types
    #[arg(long)]
    demo: bool,
    /// Open the control port (plain HTTP, loopback only) for faults, journal and edits
    #[arg(long, value_name = "ADDRESS:PORT")]
    control: Option<SocketAddr>,
    /// Keep certificates and keys in this directory, so that pins of them outlast a restart
    #[arg(long, value_name = "DIRECTORY")]
    state: Option<PathBuf>,
    /// Another seed than the topology's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Tasks in tens of milliseconds, and no three seconds of waiting for a 401
    #[arg(long)]
    fast: bool,
    /// Print addresses and sign-ins as JSON, on one line
    #[arg(long)]
    print_json: bool,
}

const EXAMPLES: &str = "\
Examples:
  The demo fleet, with a control port:
    pve-sim --demo --control 127.0.0.1:8900

  One host of your own:
    cat > one.toml <<END
    [[remotes]]
    name = \"home\"
    version = \"9.2\"
    nodes = [{ name = \"pve\", listen = \"127.0.0.1:8006\" }]
    users = [{ userid = \"root@pam\", password = \"secret\" }]
    guests = [{ vmid = 101, kind = \"ct\", name = \"dns\", running = true }]
    END
    pve-sim --topology one.toml
    curl -k https://127.0.0.1:8006/api2/json/access/domains

  Cut the next answer short:
    curl -d '{\"fault\": \"cut\", \"after_bytes\": 20, \"times\": 1}' \\
         http://127.0.0.1:8900/remotes/rack/faults

Every node takes a file descriptor, and every connection another one: for
thousands of hosts raise the limit first (ulimit -n 65536).";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("pve-sim: {what}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let mut topology = match &arguments.topology {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            Topology::from_toml(&text).map_err(|error| format!("{}: {error}", file.display()))?
        }
        None => Topology::demo(),
    };
    if let Some(seed) = arguments.seed {
        topology.seed = seed;
    }
    let timings = if arguments.fast { SimTimings::fast() } else { SimTimings::default() };

    // Signals are caught before anything is announced: whoever reads the announcement may send one at once.
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;

    let sim = match &arguments.state {
        Some(directory) => Sim::start_in(directory, topology.clone(), timings).await,
        None => Sim::start(topology.clone(), timings).await,
    };
    let sim = sim.map_err(|error| explain(&error))?;
    let control = match arguments.control {
        Some(address) => Some(sim.serve_control(address).await.map_err(|error| explain(&error))?),
        None => None,
    };
    let announcement = if arguments.print_json {
        format!("{}\n", as_json(&topology, &sim, control))
    } else {
        as_text(&topology, &sim, control)
    };
    let mut out = std::io::stdout().lock();
    out.write_all(announcement.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to standard output: {error}"))?;
    drop(out);

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    sim.stop().await;
    Ok(())
}

/// An error, with what to do about it where that is known.
fn explain(error: &SimError) -> String {
    let too_many_open_files = 24;
    let (SimError::Listen { source, .. } | SimError::Control { source, .. }) = error else {
        return error.to_string();
    };
    let remedy = match source.kind() {
        ErrorKind::AddrInUse => "Another program listens there: end it, or choose another port.",
        ErrorKind::AddrNotAvailable => {
            "This machine has no such address; 127.0.0.1 to 127.255.255.254 are always there."
        }
        ErrorKind::PermissionDenied => "Ports below 1024 are for root: choose another one.",
        _ if source.raw_os_error() == Some(too_many_open_files) => {
            "Every node needs a file descriptor: raise the limit with ulimit -n and try again."
        }
        _ => return error.to_string(),
    };
    format!("{error}\n{remedy}")
}

fn pairs<'a>(topology: &'a Topology, sim: &Sim) -> Vec<(&'a RemoteSpec, Remote)> {
    topology.remotes.iter().zip(sim.remotes()).collect()
}

fn as_text(topology: &Topology, sim: &Sim, control: Option<SocketAddr>) -> String {
    let mut lines = Vec::new();
    for (spec, remote) in pairs(topology, sim) {
        lines.push(format!("{} (Proxmox VE {})", remote.name(), remote.version()));
        for node in remote.nodes() {
            if let Some(address) = remote.address(&node) {
                lines.push(format!("  node     {node}  https://{address}"));
                lines.push(format!(
                    "           SHA-256 {}",
                    remote.leaf_fingerprint(&node).unwrap_or_default()
                ));
            }
        }
        for user in &spec.users {
            let second =
                user.totp_secret.as_ref().map(|secret| format!("  TOTP secret {secret}")).unwrap_or_default();
            lines.push(format!("  sign-in  {}  password {}{second}", user.userid, user.password));
            for token in &user.tokens {
                lines.push(format!("  token    {}!{}={}", user.userid, token.name, token.secret));
            }
        }
        if spec.users.iter().all(|user| user.userid != "root@pam") {
            lines.push("  sign-in  root@pam  password secret-root".to_owned());
        }
        lines.push(String::new());
    }
    if let Some(control) = control {
        lines.push(format!("control  http://{control}"));
    }
    lines.push("Ctrl-C ends it.".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

fn as_json(topology: &Topology, sim: &Sim, control: Option<SocketAddr>) -> Value {
    let remotes: Vec<Value> = pairs(topology, sim)
        .into_iter()
        .map(|(spec, remote)| {
            let nodes: Vec<Value> = remote
                .nodes()
                .iter()
                .map(|node| {
                    let address = remote.address(node);
                    json!({"name": node, "address": address, "fingerprint": remote.leaf_fingerprint(node)})
                })
                .collect();
            let mut users: Vec<Value> = spec
                .users
                .iter()
                .map(|user| {
                    let tokens: Vec<Value> = user
                        .tokens
                        .iter()
                        .map(|token| json!({"id": format!("{}!{}", user.userid, token.name), "secret": token.secret}))
                        .collect();
                    json!({
                        "userid": user.userid,
                        "password": user.password,
                        "totp_secret": user.totp_secret,
                        "tokens": tokens,
                    })
                })
                .collect();
            if spec.users.iter().all(|user| user.userid != "root@pam") {
                users.push(json!({"userid": "root@pam", "password": "secret-root", "tokens": []}));
            }
            json!({
                "name": remote.name(),
                "version": remote.version(),
                "ca_pem": remote.ca_pem(),
                "nodes": nodes,
                "users": users,
            })
        })
        .collect();
    json!({ "control": control.map(|address| format!("http://{address}")), "remotes": remotes })
}
