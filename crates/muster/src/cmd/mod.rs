//! The commands that talk to a server, one file per noun: [`run`].

mod account;
mod act;
mod audit;
mod chart;
mod completion;
mod event;
mod guest;
mod list;
mod login;
pub mod names;
mod node;
mod operation;
mod overview;
mod plan;
mod reach;
mod remote;
mod resolve;
mod session;
mod sheet;
mod storage;
mod task;
mod token;
mod user;
mod watch;
mod web;

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Command, Common};
use crate::client::{Client, Patience, find};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::ask::HEEDED;

/// Carries out a command that talks to a server, or that is about how to.
///
/// # Errors
/// What kept it from being done.
pub async fn run(command: Command, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    match command {
        Command::Overview(overview) => overview::run(overview, &environment, context).await,
        Command::Remote(remote) => remote::run(remote, &environment, context).await,
        Command::Guest(guest) => guest::run(guest, &environment, context).await,
        Command::Node(node) => node::run(node, &environment, context).await,
        Command::Storage(storage) => storage::run(storage, &environment, context).await,
        Command::Task(task) => task::run(task, &environment, context).await,
        Command::Operation(operation) => operation::run(operation, &environment, context).await,
        Command::Event(event) => event::run(event, &environment, context).await,
        Command::Audit(audit) => audit::run(audit, &environment, context).await,
        Command::User(user) => user::run(user, &environment, context).await,
        Command::Account(account) => account::run(account, &environment, context).await,
        Command::Token(token) => token::run(token, &environment, context).await,
        Command::Login(login) => login::login(login, &environment, context).await,
        Command::Logout(logout) => login::logout(&logout, &environment, context).await,
        Command::Context(known) => login::context(&known, &environment, context),
        Command::Completion(completion) => completion::run(&completion, context),
        _ => Err(Failure::new(Exit::Failed, "This is no command for a server.")),
    }
}

/// The server that a command is for; it is there.
///
/// # Errors
/// It is not known, not there, or not to be trusted.
pub async fn open(common: &Common, environment: &Environment) -> Result<Client, Failure> {
    let client = find::find(common, environment, Patience::default())?;
    client.connect().await?;
    Ok(client)
}

/// Says of what there is no such thing, where the server only says that there is none.
fn no_such(failure: Failure, noun: &str, name: &str) -> Failure {
    let told = format!("There is no such {noun}.");
    match failure.sentence == told {
        true => Failure {
            sentence: format!("There is no {noun} “{name}”, or none that you may see."),
            ..failure
        }
        .hint(format!("\"muster {noun} ls\" lists those there are.")),
        false => failure,
    }
}

/// Now, by this machine's clock: what ages are counted from.
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Waits for Ctrl-C, which does not end the process meanwhile. One that comes while nobody waits is not lost.
struct Interrupt {
    signal: tokio::sync::Mutex<Option<Signal>>,
    came: AtomicBool,
}

/// Is somebody there for the Ctrl-C that comes later, while a question is asked?
static GUARDED: AtomicBool = AtomicBool::new(false);

impl Interrupt {
    fn heed() -> Self {
        HEEDED.store(true, Ordering::Relaxed);
        // Once it was heeded it no longer ends the process by itself.
        if !GUARDED.swap(true, Ordering::Relaxed) {
            tokio::spawn(async {
                while tokio::signal::ctrl_c().await.is_ok() {
                    if !HEEDED.load(Ordering::Relaxed) {
                        eprintln!();
                        std::process::exit(130);
                    }
                }
            });
        }
        let signal = tokio::sync::Mutex::new(signal(SignalKind::interrupt()).ok());
        Self { signal, came: AtomicBool::new(false) }
    }

    async fn wait(&self) {
        match self.signal.lock().await.as_mut() {
            Some(signal) => {
                signal.recv().await;
                self.came.store(true, Ordering::Relaxed);
            }
            None => std::future::pending().await,
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // The same Ctrl-C may be seen elsewhere a moment later: it was heeded here.
        if !self.came.load(Ordering::Relaxed) {
            HEEDED.store(false, Ordering::Relaxed);
        }
    }
}
