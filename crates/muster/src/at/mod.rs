//! `muster at`: looks at remotes and acts on their guests, on the fleet's engine, with no server in between.

mod act;
mod find;
mod log;
mod look;
mod ls;
mod open;
mod show;
mod tasks;

use std::collections::HashMap;
use std::time::Duration;

use fleet::{Clock, Fleet, FleetSnapshot, RemoteSnapshot};
use model::RemoteId;
use model::cause::Cause;
use model::operation::{Action, Author};

use crate::cli::{At, AtCommand, Output};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::sign_in::{CODE_REJECTED, TRIES, code, factor};
use crate::open::target::{Target, targets};
use crate::open::trust::Beliefs;
use crate::secrets::Means;
use crate::trouble::{exit_of, failure_of};
use crate::view;

/// A first look takes no longer than this: every step on the way has a time-out of its own, all of them together
/// stay below it.
const FIRST_LOOK: Duration = Duration::from_secs(90);

/// Carries out a command of `muster at`.
///
/// # Errors
/// What kept it from being done; remotes that failed beside others that did not are told on the way.
pub async fn run(at: At, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let json = at.output == Output::Json;
    let live = matches!(at.action, AtCommand::Watch);
    if live && (json || context.paper.columns.is_none()) {
        return Err(Failure::usage("watch is a live table: it needs a terminal, and has no JSON.")
            .hint("\"ls -o json\" gives the same, once."));
    }
    let targets = targets(&at.addresses)?;
    let beliefs = Beliefs::of(&at.sign_in)?;
    let means = Means::read(&at.sign_in)?;
    let within = at.sign_in.timeout.unwrap_or(FIRST_LOOK);

    let known = Known { beliefs, means };
    let mut session = Session::open(targets, &known, live, within, context).await?;
    let outcome = session.carry_out(&at.action, at.sign_in.timeout, json, context).await;
    session.fleet.stop().await;
    outcome
}

/// What the command line says about trust and sign-in.
struct Known {
    beliefs: Beliefs,
    means: Means,
}

/// A remote that did not come up, and why.
struct Down {
    remote: String,
    failure: Failure,
}

/// The remotes of a command line, running.
struct Session {
    fleet: Fleet,
    clock: Clock,
    /// What became of the remotes that did not come up, in the order of the command line.
    failures: Vec<Down>,
}

impl Session {
    /// Opens what can be opened; for the live table (`live`) also what may come up later. Fails if that is nothing.
    async fn open(
        targets: Vec<Target>,
        known: &Known,
        live: bool,
        within: Duration,
        context: &mut Context<'_>,
    ) -> Result<Self, Failure> {
        let Known { beliefs, means } = known;
        let clock = Clock::new();
        let seed = u64::from(std::process::id());
        let fleet = Fleet::new(context.timings.clone(), clock, seed);
        let several = targets.len() > 1;
        let mut failures = Vec::new();
        let mut wanted = HashMap::new();
        let a_person_types = context.ask.present();
        let opening = open::all(targets, beliefs, means, context.ask, &context.timings.pve);
        let outcomes = if a_person_types {
            opening.await
        } else {
            tokio::time::timeout(within, opening).await.map_err(|_| too_late())?
        };
        for outcome in outcomes {
            let name = outcome.target.name.clone();
            match outcome.opened {
                Ok(open::Opened { spec, factor }) => match fleet.add(spec) {
                    Ok(id) => wanted.extend(factor.map(|factor| (id, factor))),
                    Err(e) => {
                        let failure = Failure::usage(format!("{name}: {e}."));
                        failures.push(Down { remote: name, failure });
                    }
                },
                Err(failure) => {
                    let later = open::later(&outcome.target, beliefs, means)
                        .filter(|_| live && failure.exit == Exit::Unreachable);
                    if later.is_none_or(|spec| fleet.add(spec).is_err()) {
                        let failure = if several { failure.about(&name) } else { failure };
                        failures.push(Down { remote: name, failure });
                    }
                }
            }
        }
        let mut session = Self { fleet, clock, failures };
        if session.fleet.snapshot().remotes.is_empty() {
            return Err(session.only_failure(context));
        }
        let mut snapshot = look::first(&session.fleet, within).await;
        let mut told = Vec::new();
        for (id, factor) in wanted {
            if let Err(failure) = session.second_factor(id, factor, means, context).await {
                let remote = session.name(id);
                session.failures.push(Down { remote, failure });
                told.push(id);
            }
            snapshot = look::first(&session.fleet, within).await;
        }
        let down = snapshot.remotes.iter().filter(|r| !look::is_listed(r) && !told.contains(&r.id));
        session.failures.extend(
            down.map(|remote| Down { remote: remote.name.to_string(), failure: look::failure(remote) }),
        );
        Ok(session)
    }

    /// Answers the sign-in of a remote that waits for its second factor. A typed code that is rejected may be typed
    /// again; what remains wrong shows in the link.
    async fn second_factor(
        &self,
        id: RemoteId,
        mut wanted: open::Wanted,
        means: &Means,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let waits = |fleet: &Fleet| {
            fleet
                .remote(id)
                .is_some_and(|r| matches!(look::trouble(&r), Some(Cause::SecondFactorNeeded { .. })))
        };
        if !waits(&self.fleet) {
            return Ok(());
        }
        let name = self.name(id);
        let mut tries = 1;
        loop {
            match self.fleet.second_factor(id, factor(wanted.code)).await {
                Ok(()) => break,
                Err(Some(failure)) => {
                    let rejected = matches!(failure.cause, Cause::CredentialsRejected { .. });
                    if !rejected || !wanted.typed || tries >= TRIES {
                        return Err(failure_of(&failure.cause).about(&name));
                    }
                    context.ask.tell(CODE_REJECTED);
                    tries += 1;
                    (wanted.code, wanted.typed) =
                        code(&name, &wanted.user, &wanted.kinds, means, context.ask)?;
                }
                Err(None) => return Ok(()),
            }
        }
        // The link says so a moment later than the answer.
        let mut changed = self.fleet.changed();
        let end = tokio::time::Instant::now() + Duration::from_secs(5);
        while waits(&self.fleet) && tokio::time::timeout_at(end, changed.changed()).await.is_ok() {}
        Ok(())
    }

    fn name(&self, id: RemoteId) -> String {
        self.fleet.remote(id).map(|r| r.name.to_string()).unwrap_or_default()
    }

    /// The failure when nothing could be opened: the others have been told before it.
    fn only_failure(&self, context: &mut Context<'_>) -> Failure {
        let exit = Exit::combined(self.failures.iter().map(|f| f.failure.exit));
        let mut failures: Vec<Failure> = self.failures.iter().map(|d| d.failure.clone()).collect();
        let last = failures.pop();
        for failure in &failures {
            context.complain(failure);
        }
        let last = last.unwrap_or_else(|| Failure::new(Exit::Failed, "There is nothing to look at."));
        Failure { exit, ..last }
    }

    async fn carry_out(
        &mut self,
        action: &AtCommand,
        timeout: Option<Duration>,
        json: bool,
        context: &mut Context<'_>,
    ) -> Result<Exit, Failure> {
        let snapshot = self.fleet.snapshot();
        let any = snapshot.remotes.iter().any(|r| look::is_listed(r));
        if let AtCommand::Watch = action {
            return self.watch(context).await;
        }
        if !any {
            return Err(self.only_failure(context));
        }
        for down in &self.failures {
            context.complain(&down.failure);
        }
        let now = self.clock.now();
        match action {
            AtCommand::Ls(wanted) => {
                let filter = wanted.filter.as_deref();
                if json {
                    context.print_json(&ls::json(&snapshot, filter))?;
                } else {
                    let table = ls::table(&snapshot, filter, now.wall);
                    if table.is_empty() {
                        context.note(if filter.is_some() {
                            "No guest fits the filter."
                        } else {
                            "No guests, or none that this account may see."
                        });
                    } else {
                        context.print_table(&table)?;
                    }
                    note_drift(&snapshot, context);
                }
                Ok(self.exit_of_list(&snapshot))
            }
            AtCommand::Tasks => {
                if json {
                    context.print_json(&tasks::json(&snapshot))?;
                } else {
                    context.print_table(&tasks::table(&snapshot, now.wall))?;
                }
                Ok(self.exit_of_list(&snapshot))
            }
            AtCommand::Show(wanted) => {
                let (remote, vmid) = self.guest(&wanted.guest, &snapshot)?;
                let detail = self
                    .fleet
                    .guest_detail(remote.id, vmid)
                    .await
                    .map_err(|e| Failure::usage(format!("{e}.")))?;
                if json {
                    context.print_json(&show::json(remote, &detail))?;
                } else {
                    let lines = show::lines(remote, &detail, self.clock.now().wall, context.paper);
                    context.print_lines(&lines)?;
                }
                let error = detail.config.error.as_ref().or(detail.status.error.as_ref());
                Ok(error.map_or(Exit::Done, |failure| match exit_of(&failure.cause) {
                    // The row was read; only its parts were not.
                    _ if detail.config.error.is_none() || detail.status.error.is_none() => Exit::Partial,
                    exit => exit,
                }))
            }
            AtCommand::Log(wanted) => log::log(&self.fleet, &snapshot, wanted, json, context).await,
            AtCommand::Start(guest) => self.act(Action::Start, &guest.guest, timeout, json, context).await,
            AtCommand::Shutdown(guest) => {
                self.act(Action::Shutdown, &guest.guest, timeout, json, context).await
            }
            AtCommand::Stop(guest) => self.act(Action::Stop, &guest.guest, timeout, json, context).await,
            AtCommand::Reboot(guest) => self.act(Action::Reboot, &guest.guest, timeout, json, context).await,
            AtCommand::Reset(guest) => self.act(Action::Reset, &guest.guest, timeout, json, context).await,
            AtCommand::Suspend(guest) => {
                self.act(Action::Suspend, &guest.guest, timeout, json, context).await
            }
            AtCommand::Resume(guest) => self.act(Action::Resume, &guest.guest, timeout, json, context).await,
            AtCommand::Watch => Ok(Exit::Done),
        }
    }

    async fn act(
        &self,
        action: Action,
        guest: &str,
        within: Option<Duration>,
        json: bool,
        context: &mut Context<'_>,
    ) -> Result<Exit, Failure> {
        let snapshot = self.fleet.snapshot();
        let (remote, vmid) = self.guest(guest, &snapshot)?;
        let Some(row) = remote.guest(vmid) else {
            return Err(Failure::usage(format!("There is no guest “{guest}” any more.")));
        };
        let wait = act::Wait { within, now: self.clock.now() };
        act::act(&self.fleet, act::Subject { remote, row }, action, wait, json, context).await
    }

    /// The one guest that a text means.
    fn guest<'a>(
        &self,
        text: &str,
        snapshot: &'a FleetSnapshot,
    ) -> Result<(&'a RemoteSnapshot, model::Vmid), Failure> {
        let all: Vec<_> = snapshot.guests().collect();
        let candidates: Vec<find::Candidate<'_>> = all
            .iter()
            .map(|(remote, row)| find::Candidate {
                remote: remote.name.as_str(),
                vmid: row.guest.vmid,
                name: row.guest.name.as_ref().map(|n| n.as_str()),
            })
            .collect();
        let index = find::guest(text, &candidates, self.failures.is_empty())?;
        all.get(index)
            .map(|(remote, row)| (&***remote, row.guest.vmid))
            .ok_or_else(|| Failure::usage(format!("There is no guest “{text}”.")))
    }

    async fn watch(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        // What could not be opened at all has no place in the table; it is told before and after it.
        let snapshot = self.fleet.snapshot();
        let missing: Vec<Failure> = self
            .failures
            .iter()
            .filter(|down| snapshot.remote_named(&down.remote).is_none())
            .map(|down| down.failure.clone())
            .collect();
        let greeting = missing.first().map(|f| format!("Left out: {}", f.sentence));
        let screen = view::run::Screen {
            title: "muster".to_owned(),
            greeting,
            author: Author { name: act::whoami(), from: "terminal".to_owned() },
        };
        view::run::run(&self.fleet, self.clock, screen)
            .await
            .map_err(|e| Failure::new(Exit::Failed, format!("The terminal cannot be used: {e}.")))?;
        for failure in &missing {
            context.complain(failure);
        }
        Ok(Exit::Done)
    }

    /// A list is done when every remote is in it.
    fn exit_of_list(&self, snapshot: &FleetSnapshot) -> Exit {
        let listed = snapshot.remotes.iter().filter(|r| look::is_listed(r)).map(|_| Exit::Done);
        Exit::combined(self.failures.iter().map(|down| down.failure.exit).chain(listed))
    }
}

fn too_late() -> Failure {
    Failure::new(Exit::Unreachable, "The time given with --timeout has passed.").hint("Give it longer.")
}

/// What did not fit is said, in one line: the list is not all there was to see.
fn note_drift(snapshot: &FleetSnapshot, context: &mut Context<'_>) {
    for remote in &snapshot.remotes {
        let fields: u64 = remote.drift.iter().map(|d| d.count).sum();
        let name = crate::term::text::safe(remote.name.as_str());
        if fields > 0 {
            context.note(&format!(
                "{name}: {fields} odd field(s) were left out; \"-o json\" lists them under \"remotes\"."
            ));
        }
        if !remote.unreadable.is_empty() {
            context.note(&format!(
                "{name}: {} row(s) could not be read; \"-o json\" shows them raw under \"remotes\".",
                remote.unreadable.len()
            ));
        }
    }
}
