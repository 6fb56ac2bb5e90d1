//! The command line of Muster: [`run`] carries out what [`cli::Cli`] holds, in a [`Context`].
//!
//! `main` is a few lines around it, so that tests can call everything in-process with timings, a person and a
//! terminal of their own making.

pub mod at;
pub mod cli;
pub mod client;
pub mod cmd;
mod context;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod failure;
pub mod open;
pub mod privileges;
pub mod secrets;
pub mod serve;
pub mod term;
pub mod trouble;
pub mod view;
mod words;

pub use context::Context;

use cli::{Cli, Command, Output};
use exit::Exit;
use failure::Failure;
use open::trust::Beliefs;
use secrets::Means;

/// Carries out a command. Results go to the context's output, failures to its errors.
pub async fn run(cli: Cli, context: &mut Context<'_>) -> Exit {
    let outcome = match cli.command {
        Command::At(at) => at::run(at, context).await,
        Command::Doctor(doctor) => examine(doctor, context).await,
        Command::Demo(demo) => demo::run(&demo, context).await,
        Command::Serve(wanted) => serve::command::serve(wanted, context).await,
        Command::Config(config) => serve::call::config(&config.command, context).await,
        Command::Backup(backup) => serve::call::backup(&backup, context).await,
        Command::Restore(restore) => serve::call::restore(&restore, context).await,
        other => cmd::run(other, context).await,
    };
    match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            context.complain(&failure);
            failure.exit
        }
    }
}

async fn examine(doctor: cli::Doctor, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let address = open::target::single(&doctor.address)?;
    let beliefs = Beliefs::of(&doctor.sign_in)?;
    let means = Means::read(&doctor.sign_in)?;
    let json = doctor.output == Output::Json;
    let Context { timings, ask, out, paper, .. } = context;
    let paper = *paper;
    let mut broken = None;
    let report = {
        let mut write = |line: String| {
            broken = broken.take().or(writeln!(out, "{line}").and_then(|()| out.flush()).err());
        };
        let mut fold = doctor::Fold::default();
        let mut on_step = |step: &doctor::Step| {
            if !json {
                fold.add(step, paper).into_iter().for_each(&mut write);
            }
        };
        let examined = doctor::examine(&address, &beliefs, &means, &mut **ask, &timings.pve, &mut on_step);
        let report = match doctor.sign_in.timeout {
            Some(limit) => tokio::time::timeout(limit, examined)
                .await
                .map_err(|_| Failure::new(Exit::Unreachable, "The time given with --timeout has passed.")),
            None => Ok(examined.await),
        };
        fold.rest(paper).into_iter().for_each(&mut write);
        report?
    };
    if json {
        context.print_json(&report)?;
    } else if broken.is_none() {
        context.print(&format!("\n{}\n", term::text::safe(&report.summary())))?;
    }
    Ok(report.exit)
}
