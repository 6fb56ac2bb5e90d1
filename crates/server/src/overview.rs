//! The overview as the API tells it, for its route and for the live stream.

use std::collections::BTreeMap;

use api::overview::{
    Amount, Capacity, Cores, GuestsAtAGlance, MAX_PROBLEMS, MAX_RUNNING, NodesAtAGlance, Overview,
    RemotesAtAGlance, Running, Severity, Trouble, TroubleKind, TroubleSubject, Troubles,
};
use fleet::overview::{self as whole, Limits, Measure, Subject};
use fleet::{FleetSnapshot, RemoteSnapshot};
use jiff::Timestamp;
use model::access::{Act, Visible};

use crate::app::App;
use crate::caller::Caller;
use crate::show_as;
use crate::stream::rows::{self, tally};

/// The overview of what may be seen. `own`: what is wrong with Muster itself.
pub(crate) fn told(
    snapshot: &FleetSnapshot,
    visible: &Visible,
    own: Vec<Trouble>,
    now: Timestamp,
) -> Overview {
    let limits = Limits { troubles: MAX_PROBLEMS.saturating_sub(own.len()), running: MAX_RUNNING };
    let all = whole::overview(snapshot, visible, now, limits);
    let mut problems = Troubles::default();
    for (severity, count) in &all.by_severity {
        problems.by_severity.insert(self::severity(*severity), *count);
    }
    for (kind, count) in &all.by_kind {
        problems.by_kind.insert(self::kind(*kind), *count);
    }
    for trouble in &own {
        *problems.by_severity.entry(trouble.severity).or_default() += 1;
        *problems.by_kind.entry(trouble.kind).or_default() += 1;
    }
    problems.total = problems.by_severity.values().sum();
    // What is wrong with Muster itself comes first: nothing else is sure then.
    problems.items = own;
    problems.items.extend(all.troubles.iter().map(|(remote, trouble)| self::trouble(remote, trouble)));
    let guests = &all.guests;
    let by_type: BTreeMap<String, _> = [("ct", &guests.containers), ("vm", &guests.machines)]
        .map(|(kind, of)| (kind.to_owned(), tally(of)))
        .into();
    let mut states = BTreeMap::new();
    for (word, count) in by_type.values().flatten() {
        *states.entry(word.clone()).or_default() += count;
    }
    Overview {
        problems,
        remotes: RemotesAtAGlance {
            total: all.remotes.total,
            up: all.remotes.up,
            needs_person: all.remotes.needs_person,
            never_listed: all.remotes.never_listed,
            links: tally(&all.links),
        },
        guests: GuestsAtAGlance {
            total: guests.total,
            states,
            by_type,
            unknown: guests.unknown,
            stale: guests.stale,
            templates: guests.templates,
        },
        nodes: NodesAtAGlance { total: all.nodes, states: tally(&all.node_states) },
        capacity: Capacity {
            cpu: cores(&all.capacity.cpu),
            memory: amount(&all.capacity.memory),
            storage: amount(&all.capacity.storage),
        },
        running: Running {
            operations: all
                .operations
                .iter()
                .map(|at| show_as::operation(&at.operation, &at.remote.name))
                .collect(),
            operations_total: all.operations_total,
            tasks: all.tasks.iter().filter_map(|at| Some(rows::task(&at.remote, at.task()?))).collect(),
            tasks_total: all.tasks_total,
            tasks_unknown: all.tasks_unknown,
        },
        revision: snapshot.revision_for(visible),
    }
}

/// What is wrong with Muster itself. Why, only those are told who govern it.
pub(crate) fn own(app: &App, caller: &Caller) -> Vec<Trouble> {
    let governs = caller.needs(Act::Users, None).is_ok();
    let why = |text: &str| if governs { format!(": {text}") } else { String::new() };
    let mut all = Vec::new();
    if let Some((text, since)) = app.fleet().health().failing {
        all.push(of_muster(
            "store",
            Some(since),
            format!("what is seen is not recorded{}", why(&text)),
            "Look at the disk, or at the database, that Muster keeps its records in.",
        ));
    }
    if let Some(text) = app.fleet().lease().lapsed {
        all.push(of_muster(
            "lease",
            None,
            format!("this process looks after no remote at present{}", why(&text)),
            "Look at the database that the processes share; it goes on by itself once that answers.",
        ));
    }
    let figures = app.store().figures();
    if figures.damaged {
        all.push(of_muster(
            "damaged",
            None,
            "the database is damaged".to_owned(),
            "Restore a backup into a new data directory.",
        ));
    }
    if figures.unsynced > 0 {
        all.push(of_muster(
            "unsynced",
            None,
            "the disk has refused to keep what was written: a power failure may lose some of it".to_owned(),
            "Look at the disk, make a backup, and start Muster again.",
        ));
    }
    all
}

fn of_muster(what: &str, since: Option<Timestamp>, sentence: String, remedy: &str) -> Trouble {
    Trouble {
        id: format!("muster/{what}"),
        kind: TroubleKind::Muster,
        severity: Severity::Error,
        subject: TroubleSubject {
            kind: "muster".to_owned(),
            id: "muster".to_owned(),
            name: "Muster".to_owned(),
            remote_id: None,
            remote: None,
            guest: None,
        },
        since,
        seen: None,
        live: true,
        sentence,
        remedy: Some(remedy.to_owned()),
    }
}

fn trouble(remote: &RemoteSnapshot, of: &whole::Trouble) -> Trouble {
    let kind = kind(of.kind);
    let on = remote.id;
    let (subject, id, name, guest) = match &of.subject {
        Subject::Remote => ("remote", on.to_string(), remote.name.to_string(), None),
        Subject::Node(node) => ("node", format!("{on}/{node}"), node.to_string(), None),
        Subject::Guest(vmid, name) => {
            let name = name.as_ref().map_or_else(|| vmid.to_string(), ToString::to_string);
            ("guest", api::guest_id(on, *vmid), name, None)
        }
        Subject::Storage(name, None) => ("storage", format!("{on}/{name}"), name.to_string(), None),
        Subject::Storage(name, Some(node)) => {
            ("storage", format!("{on}/{name}@{node}"), name.to_string(), None)
        }
        Subject::Task(upid, name, vmid) => {
            ("task", format!("{on}/{upid}"), name.clone(), vmid.map(|vmid| api::guest_id(on, vmid)))
        }
        Subject::Operation(id, name, vmid) => {
            ("operation", id.to_string(), name.clone(), Some(api::guest_id(on, *vmid)))
        }
    };
    Trouble {
        id: format!("{}/{id}", word(kind)),
        kind,
        severity: severity(of.severity),
        subject: TroubleSubject {
            kind: subject.to_owned(),
            id,
            name,
            remote_id: Some(on),
            remote: Some(remote.name.clone()),
            guest,
        },
        since: of.since,
        seen: of.seen,
        live: of.live,
        sentence: of.sentence.clone(),
        remedy: of.remedy.clone(),
    }
}

fn severity(of: whole::Severity) -> Severity {
    match of {
        whole::Severity::Error => Severity::Error,
        whole::Severity::Warning => Severity::Warning,
        whole::Severity::Notice => Severity::Notice,
    }
}

fn kind(of: whole::TroubleKind) -> TroubleKind {
    match of {
        whole::TroubleKind::Link => TroubleKind::Link,
        whole::TroubleKind::Node => TroubleKind::Node,
        whole::TroubleKind::Quorum => TroubleKind::Quorum,
        whole::TroubleKind::Operation => TroubleKind::Operation,
        whole::TroubleKind::Guest => TroubleKind::Guest,
        whole::TroubleKind::Storage => TroubleKind::Storage,
        whole::TroubleKind::Task => TroubleKind::Task,
        whole::TroubleKind::Coverage => TroubleKind::Coverage,
    }
}

/// The word for it in JSON.
fn word(kind: TroubleKind) -> String {
    serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn cores(of: &Measure<f64>) -> Cores {
    let known = of.known > 0;
    Cores {
        total: known.then_some(of.total),
        used: known.then_some(of.used),
        of: of.of,
        known: of.known,
        stale: of.stale,
    }
}

fn amount(of: &Measure<u64>) -> Amount {
    let known = of.known > 0;
    Amount {
        total: known.then_some(of.total),
        used: known.then_some(of.used),
        of: of.of,
        known: of.known,
        stale: of.stale,
    }
}
