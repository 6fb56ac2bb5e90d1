//! `muster at`: looks at remotes and acts on their guests, on the fleet's engine, with no server in between.

mod act;
pub(crate) mod find;
pub(crate) mod follow;
pub(crate) mod limit;
mod log;
mod look;
mod ls;
mod open;
mod show;
mod tasks;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use fleet::{Clock, Fleet, FleetSnapshot, RemoteSnapshot};
use limit::Limit;
use model::cause::Cause;
use model::operation::{Action, Author};
use model::{FacetKind, RemoteId};

use crate::cli::{At, AtCommand, Output};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::sign_in::{CODE_REJECTED, TRIES, code, code_rejected, factor};
use crate::open::target::{Target, targets};
use crate::open::trust::Beliefs;
use crate::secrets::Means;
use crate::term::ask::Ask;
use crate::term::text::{distance, safe};
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
    let Some(action) = at.action else { return Err(no_command(&at.addresses)) };
    let live = matches!(action, AtCommand::Watch);
    if live && (json || context.paper.columns.is_none()) {
        return Err(Failure::usage("watch is a live table: it needs a terminal, and has no JSON.")
            .hint("\"ls -o json\" gives the same, once."));
    }
    let targets = targets(&at.addresses)?;
    let beliefs = Beliefs::of(&at.sign_in)?;
    let means = Means::read(&at.sign_in)?;
    let limit = Limit::new(at.sign_in.timeout, FIRST_LOOK);

    let known = Known { beliefs, means };
    let mut session = Session::open(targets, &known, live, &limit, context).await?;
    let outcome = session.carry_out(&action, &limit, json, context).await;
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
        limit: &Limit,
        context: &mut Context<'_>,
    ) -> Result<Self, Failure> {
        let Known { beliefs, means } = known;
        let clock = Clock::new();
        let seed = u64::from(std::process::id());
        let fleet = Fleet::new(context.timings.clone(), clock, seed);
        let several = targets.len() > 1;
        let mut failures = Vec::new();
        let mut wanted = HashMap::new();
        let mut ask = limit.patient(context.ask);
        let outcomes = open::all(targets, beliefs, means, &mut ask, &context.timings.pve, limit).await;
        let author = Author { name: act::whoami(), from: "command line".to_owned() };
        for outcome in outcomes {
            let name = outcome.target.name.clone();
            match outcome.opened {
                Ok(open::Opened { spec, factor }) => match fleet.add(spec, &author).await {
                    Ok(id) => wanted.extend(factor.map(|factor| (id, factor))),
                    Err(e) => {
                        let failure = Failure::usage(format!("{name}: {e}."));
                        failures.push(Down { remote: name, failure });
                    }
                },
                Err(failure) => {
                    let later = open::later(&outcome.target, beliefs, means)
                        .filter(|_| live && failure.exit == Exit::Unreachable);
                    let waits = match later {
                        Some(spec) => fleet.add(spec, &author).await.is_ok(),
                        None => false,
                    };
                    if !waits {
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
        let mut snapshot = look::first(&session.fleet, limit.left()).await;
        let mut told = Vec::new();
        for (id, factor) in wanted {
            if let Err(failure) =
                session.second_factor(id, factor, means, &mut limit.patient(context.ask)).await
            {
                let remote = session.name(id);
                session.failures.push(Down { remote, failure });
                told.push(id);
            }
            snapshot = look::first(&session.fleet, limit.left()).await;
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
        ask: &mut dyn Ask,
    ) -> Result<(), Failure> {
        let outcome = self.answer_factor(id, &mut wanted, means, ask).await;
        ask.judged();
        outcome
    }

    async fn answer_factor(
        &self,
        id: RemoteId,
        wanted: &mut open::Wanted,
        means: &Means,
        ask: &mut dyn Ask,
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
            match self.fleet.second_factor(id, factor(wanted.code.clone())).await {
                Ok(()) => break,
                Err(Some(failure)) => {
                    let rejected = matches!(failure.cause, Cause::CredentialsRejected { .. });
                    if !rejected || !wanted.typed || tries >= TRIES {
                        let told = if rejected { code_rejected() } else { failure_of(&failure.cause) };
                        return Err(told.about(&name));
                    }
                    ask.tell(CODE_REJECTED);
                    tries += 1;
                    (wanted.code, wanted.typed) = code(&name, &wanted.user, &wanted.kinds, means, ask)?;
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
        limit: &Limit,
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
        if let Some((action, guest)) = power(action) {
            return self.act(action, guest, limit, json, context).await;
        }
        match action {
            AtCommand::Ls(wanted) => {
                let filter = wanted.filter.as_deref();
                if json {
                    let missing = self.missing(&snapshot);
                    context.print_json(&ls::json(&snapshot, &missing, filter))?;
                } else {
                    let table = ls::table(&snapshot, filter, now.wall);
                    if table.is_empty() {
                        context.note(
                            match (filter, unreadable(&snapshot, FacetKind::Resources).is_empty()) {
                                (_, false) => "No guest could be read that would have to be listed here.",
                                (Some(_), true) => "No guest fits the filter.",
                                (None, true) => "No guests, or none that this account may see.",
                            },
                        );
                    } else {
                        context.print_table(&table)?;
                    }
                    note_drift(&snapshot, context);
                }
                Ok(self.exit_of_list(&snapshot, FacetKind::Resources, snapshot.guests().next().is_some()))
            }
            AtCommand::Tasks => {
                let snapshot = look::tasks(&self.fleet, limit.left()).await;
                if json {
                    context.print_json(&tasks::json(&snapshot))?;
                } else {
                    let table = tasks::table(&snapshot, now.wall);
                    if table.is_empty() {
                        context.note("No tasks.");
                    } else {
                        context.print_table(&table)?;
                    }
                }
                let any = snapshot.remotes.iter().any(|r| !r.tasks.is_empty());
                Ok(self.exit_of_list(&snapshot, FacetKind::Tasks, any))
            }
            AtCommand::Show(wanted) => {
                let (remote, vmid) = self.guest(&wanted.guest, &snapshot, false, context)?;
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
            AtCommand::Log(wanted) => {
                log::log(&self.fleet, &snapshot, wanted, &self.unasked(), limit, json, context).await
            }
            _ => Ok(Exit::Done),
        }
    }

    async fn act(
        &self,
        action: Action,
        guest: &str,
        limit: &Limit,
        json: bool,
        context: &mut Context<'_>,
    ) -> Result<Exit, Failure> {
        let snapshot = self.fleet.snapshot();
        let (remote, vmid) = self.guest(guest, &snapshot, true, context)?;
        let Some(row) = remote.guest(vmid) else {
            return Err(Failure::usage(format!("There is no guest “{guest}” any more.")));
        };
        let wait = act::Wait { within: limit.left_of_given(), now: self.clock.now() };
        act::act(&self.fleet, act::Subject { remote, row }, action, wait, json, context).await
    }

    /// Remotes that were given and whose list is not known.
    fn unasked(&self) -> Vec<String> {
        self.failures.iter().map(|down| down.remote.clone()).collect()
    }

    /// What did not even become a remote of the fleet.
    fn missing(&self, snapshot: &FleetSnapshot) -> Vec<&Down> {
        self.failures.iter().filter(|down| snapshot.remote_named(&down.remote).is_none()).collect()
    }

    /// The one guest that a text means. Where another remote may have one too, nothing is done to it (`strictly`), or
    /// that is said.
    fn guest<'a>(
        &self,
        text: &str,
        snapshot: &'a FleetSnapshot,
        strictly: bool,
        context: &mut Context<'_>,
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
        let (unasked, unreadable) = (self.unasked(), unreadable(snapshot, FacetKind::Resources));
        let gaps = find::Gaps { unasked: &unasked, unreadable: &unreadable };
        let find::Found { index, unsure } = find::guest(text, &candidates, gaps)?;
        if let Some(meant) = candidates.get(index).filter(|_| !unsure.is_empty()) {
            if strictly {
                return Err(find::uncertain(text, meant, &unsure));
            }
            context.note(&safe(&format!(
                "“{text}” is taken as {}/{}; that is not certain, {} could not be asked.",
                meant.remote,
                meant.vmid,
                unsure.join(", ")
            )));
        }
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
            patience: context.timings.operation_wait,
        };
        view::run::run(&self.fleet, self.clock, screen)
            .await
            .map_err(|e| Failure::new(Exit::Failed, format!("The terminal cannot be used: {e}.")))?;
        for failure in &missing {
            context.complain(failure);
        }
        Ok(Exit::Done)
    }

    /// A list is done when every remote is in it, with every row; `any`: there are rows in it.
    fn exit_of_list(&self, snapshot: &FleetSnapshot, facet: FacetKind, any: bool) -> Exit {
        let listed = snapshot.remotes.iter().filter(|r| look::is_listed(r)).map(|_| Exit::Done);
        let exit = Exit::combined(self.failures.iter().map(|down| down.failure.exit).chain(listed));
        match (exit, unreadable(snapshot, facet).is_empty()) {
            (Exit::Done, false) if any => Exit::Partial,
            (Exit::Done, false) => Exit::Failed,
            (exit, _) => exit,
        }
    }
}

/// The action and the guest of a command that changes something.
fn power(command: &AtCommand) -> Option<(Action, &str)> {
    let (action, guest) = match command {
        AtCommand::Start(guest) => (Action::Start, guest),
        AtCommand::Shutdown(guest) => (Action::Shutdown, guest),
        AtCommand::Stop(guest) => (Action::Stop, guest),
        AtCommand::Reboot(guest) => (Action::Reboot, guest),
        AtCommand::Reset(guest) => (Action::Reset, guest),
        AtCommand::Suspend(guest) => (Action::Suspend, guest),
        AtCommand::Resume(guest) => (Action::Resume, guest),
        _ => return None,
    };
    Some((action, &guest.guest))
}

/// The words that may stand where a command is due.
const COMMANDS: [&str; 12] = [
    "ls", "show", "start", "shutdown", "stop", "reboot", "reset", "suspend", "resume", "tasks", "log",
    "watch",
];

/// No command was given, or a word that is none: it was taken for one more address.
fn no_command(addresses: &[String]) -> Failure {
    let plain =
        |word: &&String| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
    let Some(word) = addresses.iter().skip(1).find(plain) else {
        return Failure::usage("Say what to do there: a command is missing.")
            .hint(format!("The commands are: {}.", COMMANDS.join(", ")));
    };
    let mut hint = format!("The commands are: {}.", COMMANDS.join(", "));
    let near = COMMANDS.iter().find(|c| distance(c, &word.to_lowercase()) <= 1 + word.len() / 4);
    if let Some(near) = near {
        let _ = write!(hint, " Did you mean {near}?");
    }
    Failure::usage(format!("“{word}” is neither a command nor an address with a command after it."))
        .hint(hint)
}

/// Rows of a list that could not be read, a line for each remote that has some.
fn unreadable(snapshot: &FleetSnapshot, facet: FacetKind) -> Vec<String> {
    let count = |r: &RemoteSnapshot| r.unreadable.iter().filter(|u| &*u.facet == facet.as_str()).count();
    let told = |r: &RemoteSnapshot| match count(r) {
        0 => None,
        1 => Some(format!("{}: 1 row could not be read", r.name)),
        n => Some(format!("{}: {n} rows could not be read", r.name)),
    };
    snapshot.remotes.iter().filter_map(|r| told(r)).collect()
}

/// What did not fit is said, in one line: the list is not all there was to see.
fn note_drift(snapshot: &FleetSnapshot, context: &mut Context<'_>) {
    for remote in &snapshot.remotes {
        let fields: u64 = remote.drift.iter().map(|d| d.count).sum();
        let name = safe(remote.name.as_str());
        if fields > 0 {
            context.note(&format!(
                "{name}: {fields} odd field(s) were left out; \"-o json\" lists them under \"remotes\"."
            ));
        }
        let of = |row: &&fleet::UnreadableRow| row.raw.contains("qemu") || row.raw.contains("lxc");
        let (all, guests) = (remote.unreadable.len(), remote.unreadable.iter().filter(of).count());
        let (count, noun) = if guests == all { (guests, "guest") } else { (all, "row") };
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            context.note(&format!("{name}: {count} {noun}{plural} could not be read (see -o json)."));
        }
    }
}
