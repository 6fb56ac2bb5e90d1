//! `muster serve` from its first line to its last: what is said to whoever starts it.

use std::io::{self, IsTerminal};

use fleet::{Clock, Timings};

use super::config::{Config, Environment};
use super::datadir::{self, DataDir};
use super::limits;
use super::log::Log;
use super::notify::Notify;
use super::running::{Link, Running, Start};
use super::settings;
use super::signals::Signals;
use crate::cli::serve::Serve;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::shell;

/// Serves until told to end.
///
/// # Errors
/// Whatever keeps the server from starting.
pub async fn serve(serve: Serve, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let config = Config::read(&serve.given, &environment)?;
    let dir = DataDir::take(&datadir::place(&config, &environment)?)?;
    let log = Log::start(&config);
    limits::raise_open_files();
    // Caught before anything is announced: whoever reads that may send one at once.
    let mut signals = Signals::catch()?;
    let test = config.text(&settings::PACE) == Some("test");
    let start = Start {
        given: Some(serve.given),
        notify: Notify::of(&environment),
        environment,
        dir: dir.clone(),
        timings: if test { Timings::shrunk() } else { context.timings.clone() },
        clock: Clock::new(),
        log,
        link: if io::stdout().is_terminal() { Link::Terminal } else { Link::File },
        config,
    };
    let started = tokio::select! {
        started = Running::start(start) => started.map(Some),
        () = signals.end() => Ok(None),
    };
    let running = match started {
        Ok(Some(running)) => running,
        other => {
            if dir.made {
                // Only when it is empty: the lock file is all that may be left of a refusal.
                let _ = std::fs::remove_file(dir.path().join("lock"));
                let _ = std::fs::remove_dir(dir.path());
            }
            other?;
            tracing::info!("ended before it served, as asked");
            return Ok(Exit::Done);
        }
    };
    announce(&running, &dir, context)?;
    running.until_ended(signals).await
}

fn announce(running: &Running, dir: &DataDir, context: &mut Context<'_>) -> Result<(), Failure> {
    let made = |yes: bool, more: &str| if yes { format!(" (made now{more})") } else { String::new() };
    let mut lines =
        vec![format!("Muster {} listens on {}", env!("CARGO_PKG_VERSION"), running.urls().join(" and "))];
    lines.push(format!("data directory  {}{}", dir.path().display(), made(dir.made, "")));
    lines.extend(running.public_url().map(|url| format!("reached at      {url}")));
    let (place, key_made) = &running.key;
    lines.push(format!("sealing key     {place}{}", made(*key_made, ": keep a copy of it apart")));
    if let Some(fingerprint) = running.fingerprint() {
        lines.push(format!("certificate     SHA-256 {fingerprint}{}", made(running.certificate_made, "")));
    }
    if let Some(place) = &running.begins_empty {
        let dir = shell::word(&dir.path().to_string_lossy());
        let warning = format!(
            "{dir} has a sealing key but {place}: this server begins empty. If there was one: end it, then \
             muster restore FILE --data-dir {dir}"
        );
        tracing::warn!("{warning}");
        lines.push(format!("WARNING: {warning}"));
    }
    for address in running.insecure() {
        let warning = format!("{address} is plain HTTP: others can read passwords and sessions on the way.");
        tracing::warn!("{warning}");
        lines.push(format!("WARNING: {warning}"));
    }
    if let Some(link) = &running.link {
        lines.push("Make the first administrator, within an hour:".to_owned());
        lines.push(format!("  {}", link.reveal()));
    }
    if let Some(file) = &running.link_file {
        let file = file.display();
        lines.push(format!("Make the first administrator, within an hour, with the link in {file}"));
    }
    if running.link.is_some() || running.link_file.is_some() {
        // Until there is a console to open the link in, this is the shortest way. The directory is named: without it a
        // variable or the context in use might take the command to another server.
        let place = shell::word(&dir.path().to_string_lossy());
        lines.push(format!(
            "or on this machine: muster user add NAME --role administrator --data-dir {place}"
        ));
    }
    context.print_lines(&lines)?;
    // What stands in the log is read by more eyes than a terminal.
    tracing::info!(version = env!("CARGO_PKG_VERSION"), urls = running.urls().join(" "), "serving");
    Ok(())
}
