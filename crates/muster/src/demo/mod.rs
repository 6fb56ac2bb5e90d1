//! `muster demo`: the server with a simulated fleet, in a data directory of its own: [`run`].

mod sites;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fleet::{Clock, Fleet};
use pve_sim::{Sim, SimTimings, Topology};
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use store::{DirLock, OpenError};

use crate::cli::serve::Demo;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::{Config, Environment};
use crate::serve::datadir::{DataDir, write_private};
use crate::serve::log::Log;
use crate::serve::notify::Notify;
use crate::serve::running::{Link, Running, Start};
use crate::serve::{refusal, settings, signals};
use crate::term::shell;

/// The administrator of the demo.
const USER: &str = "admin";
/// Where it listens unless told otherwise.
const PORT: u16 = 8088;
/// How long the first listings of all sites are waited for.
const LISTED_WITHIN: Duration = Duration::from_secs(10);

/// What a demo's directory remembers between two demos. The password guards a simulated fleet.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    password: String,
    /// Where each simulated node listens.
    ports: BTreeMap<String, u16>,
}

/// Runs the demo until Ctrl-C or SIGTERM.
///
/// # Errors
/// The directory is not the demo's, or something that a server needs cannot be had.
pub async fn run(demo: &Demo, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if demo.watch {
        return watch::run(demo, context).await;
    }
    let environment = Environment::of_process();
    let (path, kept) = match &demo.data_dir {
        Some(path) => (std::path::absolute(path).unwrap_or_else(|_| path.clone()), true),
        None => (own_place(&environment)?, false),
    };
    let dir = DataDir::take(&path)?;
    let mut mark = prepare(&dir, kept)?;
    // Dropped last, when everything that has files in it has ended.
    let _gone = Gone(Some(dir.clone()).filter(|_| !kept));
    let config = config(demo, &environment, &dir)?;
    let log = Log::start(&config);
    let signals = signals::Signals::catch()?;

    let mut topology = Topology::demo();
    for node in topology.remotes.iter_mut().flat_map(|remote| remote.nodes.iter_mut()) {
        let port = mark.ports.get(&node.name).copied().unwrap_or(0);
        node.listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let sim =
        Sim::start_in(&dir.simulator(), topology.clone(), SimTimings::default()).await.map_err(|e| {
            trouble(&e).hint(format!("Without {} the demo starts from the beginning.", dir.path().display()))
        })?;
    let control = match demo.control_port {
        Some(port) => {
            let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            Some(sim.serve_control(wanted).await.map_err(|e| trouble(&e))?)
        }
        None => None,
    };
    for remote in sim.remotes() {
        for node in remote.nodes() {
            mark.ports.extend(remote.address(&node).map(|address| (node, address.port())));
        }
    }
    let clock = Clock::new();
    let start = Start {
        config,
        given: None,
        environment: Environment::default(),
        dir: dir.clone(),
        timings: context.timings.clone(),
        clock,
        log,
        notify: Notify::of(&environment),
        link: Link::None,
    };
    let running = Running::start(start).await?;
    let outcome = ready(&running, &sim, &topology, &dir, &mut mark, clock).await;
    if let Err(failure) = outcome {
        running.stop().await;
        sim.stop().await;
        return Err(failure);
    }
    context.print(&greeting(&running, &mark, &dir, control, &sites::told(&sim, &topology)))?;
    let ended = running.until_ended(signals).await;
    sim.stop().await;
    ended
}

/// Makes the administrator and onboards the sites.
async fn ready(
    running: &Running,
    sim: &Sim,
    topology: &Topology,
    dir: &DataDir,
    mark: &mut Mark,
    clock: Clock,
) -> Result<(), Failure> {
    only_simulated(running.fleet(), dir)?;
    if mark.password.is_empty() {
        mark.password = password();
    }
    running.administrator(USER, &mark.password).await?;
    let text = serde_json::to_vec_pretty(mark).map_err(|e| trouble(&e))?;
    write_private(&dir.demo_mark(), &text).map_err(|e| trouble(&e))?;
    let token_name = format!("muster-{}", running.instance());
    sites::add(running.fleet(), &clock, sim, topology, &token_name).await?;
    all_listed(running.fleet()).await;
    Ok(())
}

/// Waits until every site has been listed once, so that the first command shows them all; not for ever, as one of them
/// comes and goes.
async fn all_listed(fleet: &Fleet) {
    let mut changed = fleet.changed();
    let listed = async {
        while !fleet.snapshot().remotes.iter().all(|one| one.was_listed()) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(LISTED_WITHIN, listed).await;
}

/// The demo's own settings: nothing of the real server's file or environment, but for what is logged.
fn config(demo: &Demo, environment: &Environment, dir: &DataDir) -> Result<Config, Failure> {
    let port = match demo.port {
        Some(port) => port,
        // Whoever did not ask for a port gets the usual one, or else any.
        None => match std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)) {
            Ok(_) => PORT,
            Err(_) => 0,
        },
    };
    Ok(Config::defaults()
        .with(&settings::DATA_DIR, &dir.path().display().to_string())
        .with(&settings::LISTEN, &format!("127.0.0.1:{port}"))
        .with(&settings::LOG_LEVEL, environment.text(settings::LOG_LEVEL.variable)?.unwrap_or("warn")))
}

/// Where a demo lives that nobody gave a directory.
fn own_place(environment: &Environment) -> Result<PathBuf, Failure> {
    let cache = environment.xdg("XDG_CACHE_HOME", ".cache");
    Ok(cache.unwrap_or_else(std::env::temp_dir).join("muster/demo"))
}

/// Looks whether the directory is a demo's, and empties one of its own.
fn prepare(dir: &DataDir, kept: bool) -> Result<Mark, Failure> {
    let shown = dir.path().display();
    let lock = DirLock::take(dir.path()).map_err(|e| match e {
        OpenError::Locked { .. } => refusal::of(&e, None)
            .hint("Another demo runs there. For a second one: muster demo --data-dir DIR"),
        e => refusal::of(&e, None),
    })?;
    let mark = match fs::read(dir.demo_mark()) {
        Ok(text) => Some(serde_json::from_slice::<Mark>(&text).unwrap_or_default()),
        Err(_) => None,
    };
    if mark.is_none() && dir.database().exists() {
        return Err(Failure::usage(format!("{shown} is the data directory of a server, not of a demo."))
            .hint("The demo needs a directory of its own: --data-dir DIR"));
    }
    let others = entries(dir.path()).into_iter().any(|path| path != dir.path().join("lock"));
    if mark.is_none() && others {
        return Err(Failure::usage(format!("{shown} is not empty, and no demo has made it."))
            .hint("The demo needs a directory of its own: --data-dir DIR"));
    }
    let mark = if kept { mark.unwrap_or_default() } else { Mark::default() };
    if !kept {
        for path in entries(dir.path()).into_iter().filter(|path| *path != dir.path().join("lock")) {
            let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.map_err(|e| trouble(&e))?;
        }
    }
    // From here on it is a demo's, whatever happens.
    if !dir.demo_mark().exists() {
        write_private(&dir.demo_mark(), b"{\"password\": \"\", \"ports\": {}}\n").map_err(|e| trouble(&e))?;
    }
    drop(lock);
    Ok(mark)
}

/// A directory of the demo's own: it goes when the demo ends, whichever way.
struct Gone(Option<DataDir>);

impl Drop for Gone {
    fn drop(&mut self) {
        let Some(dir) = &self.0 else { return };
        // Another demo may have begun there the moment this one let go.
        let Ok(lock) = DirLock::take(dir.path()) else { return };
        for path in entries(dir.path()).into_iter().filter(|path| *path != dir.path().join("lock")) {
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
        let _ = fs::remove_file(dir.path().join("lock"));
        let _ = fs::remove_dir(dir.path());
        drop(lock);
    }
}

fn entries(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).map(|entries| entries.filter_map(Result::ok).map(|e| e.path()));
    entries.map(Iterator::collect).unwrap_or_default()
}

/// A remote that is not on this machine's loopback is somebody's real one.
fn only_simulated(fleet: &Fleet, dir: &DataDir) -> Result<(), Failure> {
    let simulated = |endpoint: &str| {
        endpoint
            .rsplit_once(':')
            .and_then(|(host, _)| host.trim_matches(['[', ']']).parse::<IpAddr>().ok())
            .is_some_and(|ip| ip.is_loopback())
    };
    let snapshot = fleet.snapshot();
    let real: Vec<String> = snapshot
        .remotes
        .iter()
        .filter(|remote| !remote.link.endpoints.iter().all(|one| simulated(one.endpoint.as_str())))
        .map(|remote| remote.name.to_string())
        .collect();
    if real.is_empty() {
        return Ok(());
    }
    let shown = dir.path().display();
    Err(Failure::usage(format!("{shown} has real remotes ({}): no place for a demo.", real.join(", ")))
        .hint(format!("Serve them with: muster serve --data-dir {shown}")))
}

/// Five groups of four: easy to type, and 100 bits.
fn password() -> String {
    let letters: Vec<char> = "abcdefghijkmnpqrstuvwxyz23456789".chars().collect();
    let mut random = rand::rng();
    let group = |random: &mut rand::rngs::ThreadRng| -> String {
        (0..4).filter_map(|_| letters.choose(random)).collect()
    };
    (0..5).map(|_| group(&mut random)).collect::<Vec<_>>().join("-")
}

fn greeting(
    running: &Running,
    mark: &Mark,
    dir: &DataDir,
    control: Option<SocketAddr>,
    sites: &str,
) -> String {
    let dir = shell::word(&dir.path().to_string_lossy());
    let muster = std::env::args().next().filter(|name| name.contains('/')).unwrap_or("muster".to_owned());
    let muster = shell::word(&muster);
    let url = running.urls().into_iter().next().unwrap_or_default();
    let faults = control.map(|at| format!("faults    http://{at}/remotes (docs/simulator.md)\n"));
    format!(
        "A simulated fleet is served at {url}\n\
         sign-in   {USER}  {}\n\
         data      {dir}\n\
         {}{sites}\n\
         Open it in a browser, or try, in another terminal:\n  \
         {muster} guest ls status:running --data-dir {dir}\n  \
         {muster} guest start rack/windows-licences --data-dir {dir}\n  \
         {muster} remote ls --watch --data-dir {dir}\n\n\
         Ctrl-C ends it.\n",
        mark.password,
        faults.unwrap_or_default(),
    )
}

/// Something of the simulated fleet that does not work.
fn trouble(e: &dyn std::fmt::Display) -> Failure {
    let text = e.to_string();
    Failure::new(Exit::Failed, format!("The simulated fleet cannot start: {}.", text.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_demos_directory_is_taken() {
        let base = tempfile::tempdir().unwrap();
        let dir = DataDir::take(&base.path().join("d")).unwrap();
        prepare(&dir, true).unwrap();
        fs::write(dir.database(), "x").unwrap();
        fs::write(dir.demo_mark(), "{\"password\": \"p\", \"ports\": {\"a\": 1}}").unwrap();
        assert_eq!(prepare(&dir, true).unwrap().ports["a"], 1, "kept");
        assert!(dir.database().exists());
        assert!(prepare(&dir, false).unwrap().ports.is_empty());
        assert!(!dir.database().exists(), "begun anew");

        let real = DataDir::take(&base.path().join("real")).unwrap();
        fs::write(real.database(), "x").unwrap();
        for kept in [true, false] {
            assert!(prepare(&real, kept).unwrap_err().to_string().contains("of a server"));
        }
        let other = DataDir::take(&base.path().join("other")).unwrap();
        fs::write(other.path().join("letters"), "x").unwrap();
        assert!(prepare(&other, false).unwrap_err().to_string().contains("not empty"));
        assert!(other.path().join("letters").exists());

        let _held = DirLock::take(dir.path()).unwrap();
        assert!(prepare(&dir, false).unwrap_err().to_string().contains("Another demo"));
    }

    #[test]
    fn passwords_are_long_and_never_the_same() {
        let (one, two) = (password(), password());
        assert_eq!(one.len(), 24);
        assert_ne!(one, two);
    }
}
