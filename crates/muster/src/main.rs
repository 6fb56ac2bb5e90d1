//! The `muster` binary: the terminal, the log, and the exit code around [`muster::run`].

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;
use muster::cli::{Cli, Command, arguments};
use muster::term::ask::Terminal;
use muster::term::table::Paper;
use muster::{Context, run};
use tracing_subscriber::EnvFilter;

/// Gives back to the system what a fleet no longer needs, and packs closely what it does: with the C library's, each of
/// 100,000 guests takes half as much again.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Does the command start a server?
fn logs_by_itself(command: &Command) -> bool {
    match command {
        Command::Serve(_) => true,
        Command::Demo(demo) => !demo.watch,
        _ => false,
    }
}

/// Writes help, the version, or what is wrong with the command line. Help that cannot be written was not given.
fn tell(told: &clap::Error) -> ExitCode {
    match told.print().and_then(|()| io::stdout().flush()) {
        Err(e) if !told.use_stderr() && e.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("muster: The output cannot be written: {e}.");
            ExitCode::FAILURE
        }
        _ => ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2)),
    }
}

fn main() -> ExitCode {
    // A shell that completes a command line asks through the environment.
    CompleteEnv::with_factory(Cli::command).complete();
    let cli = match Cli::try_parse_from(arguments(std::env::args_os())) {
        Ok(cli) => cli,
        Err(told) => return tell(&told),
    };
    // Quiet unless asked: MUSTER_LOG=debug, or any filter that tracing understands. A server has its own log, by its
    // own settings.
    let asked = std::env::var("MUSTER_LOG").ok().filter(|text| !text.is_empty());
    if let Some(filter) = asked.and_then(|text| EnvFilter::try_new(text).ok())
        && !logs_by_itself(&cli.command)
    {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("muster: the system gives no threads or timers to run on: {e}.");
            return ExitCode::FAILURE;
        }
    };
    let mut ask = Terminal::new(cli.takes_stdin());
    let mut context = Context {
        timings: fleet::Timings::default(),
        ask: &mut ask,
        out: &mut io::stdout(),
        err: &mut io::stderr(),
        paper: Paper::stdout(),
        progress: io::stderr().is_terminal(),
    };
    let exit = runtime.block_on(run(cli, &mut context));
    // What is still under way (a poll, a farewell) must not hold up the exit.
    runtime.shutdown_background();
    exit.into()
}
