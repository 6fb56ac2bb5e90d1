//! How guests, links and tasks are put into words, the same in every list, panel and line.

use fleet::{GuestRow, RemoteSnapshot, Standing};
use jiff::Timestamp;
use model::guest::{GuestState, TaskOutcome};
use model::time::Freshness;
use model::{Guest, GuestKind, LinkState, StaleWhy, Task};

use crate::term::table::Tone;
use crate::term::text::{ago, bytes, percent, span};

/// A guest's state for a list. What is not known for sure now is said as what it was.
pub(crate) fn state(row: &GuestRow) -> String {
    let was = || match row.guest.state {
        GuestState::Unknown => "unknown".to_owned(),
        ref state => format!("was {}", state.word()),
    };
    match &row.standing {
        Standing::Known { .. } if row.freshness.is_live() => row.standing.word().to_owned(),
        Standing::Known { .. } | Standing::OutOfReach | Standing::NodeDown { .. } => was(),
        other => other.word().to_owned(),
    }
}

/// How the state is set off.
pub(crate) fn state_tone(row: &GuestRow) -> Tone {
    match (&row.standing, row.freshness.is_live()) {
        (Standing::Known { state: GuestState::Running }, true) => Tone::Good,
        (Standing::Known { state: GuestState::Stopped }, true) => Tone::Plain,
        (Standing::Known { .. }, true) => Tone::Warn,
        _ => Tone::Dim,
    }
}

/// `now`, `40 s ago` or `never`: when a guest's facts were last seen.
pub(crate) fn seen(row: &GuestRow, now: Timestamp) -> String {
    match (&row.freshness, row.observed_at) {
        (Freshness::Live, _) => "live".to_owned(),
        (Freshness::Stale { since, .. }, _) => ago(now, *since),
        (Freshness::NeverSeen, Some(at)) => ago(now, at),
        (Freshness::NeverSeen, None) => "never".to_owned(),
    }
}

/// Why a guest is not live: `connection timed out after 5 s (192.0.2.7:8006)`. `None` while it is.
pub(crate) fn why_stale(remote: &RemoteSnapshot, row: &GuestRow) -> Option<String> {
    let why = row.stale_why()?;
    let endpoint = remote.link.in_use().filter(|_| matches!(why, StaleWhy::Link { .. }));
    Some(match endpoint {
        Some(endpoint) => format!("{} ({endpoint})", why.sentence()),
        None => why.sentence(),
    })
}

/// The same with its age: `last seen 40 s ago: connection refused …`.
pub(crate) fn staleness(remote: &RemoteSnapshot, row: &GuestRow, now: Timestamp) -> Option<String> {
    match &row.freshness {
        Freshness::Live => None,
        Freshness::Stale { since, .. } => {
            let why = why_stale(remote, row).unwrap_or_default();
            Some(format!("last seen {}: {why}", ago(now, *since)))
        }
        Freshness::NeverSeen => Some("never seen".to_owned()),
    }
}

/// What else is to be said of a guest in a list: lock, template, HA.
pub(crate) fn remarks(row: &GuestRow) -> Vec<String> {
    let guest = &row.guest;
    let mut remarks = Vec::new();
    if guest.template == Some(true) {
        remarks.push("template".to_owned());
    }
    if let Some(lock) = &guest.lock {
        remarks.push(format!("locked: {lock}"));
    }
    if let Some(ha) = &guest.ha {
        remarks.push(format!("HA {ha}"));
    }
    remarks
}

/// Processor use and memory for a list. A guest that is off uses none; saying "0 %" of it would read like a figure.
pub(crate) fn usage(guest: &Guest) -> (String, String) {
    match guest.state {
        GuestState::Stopped => (String::new(), String::new()),
        _ => (cpu(guest.cpu), size(guest.memory)),
    }
}

/// Processor use, of what it has; nothing when it is not known.
pub(crate) fn cpu(share: Option<f64>) -> String {
    share.map(percent).unwrap_or_default()
}

/// `1.5 GiB`; nothing when it is not known.
pub(crate) fn size(count: Option<u64>) -> String {
    count.map(bytes).unwrap_or_default()
}

/// `1.5 of 4.0 GiB`, or what of it is known.
pub(crate) fn share(used: Option<u64>, of: Option<u64>) -> Option<String> {
    match (used, of) {
        (Some(used), Some(of)) => Some(format!("{} of {}", bytes(used), bytes(of))),
        (Some(used), None) => Some(bytes(used)),
        (None, Some(of)) => Some(format!("of {}", bytes(of))),
        (None, None) => None,
    }
}

/// `1.2 GiB of 4.0 GiB`, or what of it is known; only how much there is of a guest that is off.
pub(crate) fn memory(guest: &Guest) -> Option<String> {
    share(guest.memory.filter(|_| guest.state != GuestState::Stopped), guest.memory_max)
}

/// How long it has been up; nothing when it is not known or it is not running.
pub(crate) fn uptime(seconds: Option<u64>) -> String {
    seconds.filter(|s| *s > 0).map(span).unwrap_or_default()
}

/// `lab/101`: how a guest is named on the command line.
pub(crate) fn label(remote: &str, row: &GuestRow) -> String {
    format!("{remote}/{}", row.guest.vmid)
}

/// `container web (lab/101)`.
pub(crate) fn full_name(remote: &str, row: &GuestRow) -> String {
    let noun = noun(row.guest.kind);
    match &row.guest.name {
        Some(name) => format!("{noun} {name} ({})", label(remote, row)),
        None => format!("{noun} {}", label(remote, row)),
    }
}

/// `container` or `virtual machine`.
pub(crate) fn noun(kind: GuestKind) -> &'static str {
    kind.noun()
}

/// A link's state in a word or two, with the tone it deserves.
pub(crate) fn link(state: &LinkState) -> (String, Tone) {
    let tone = match state {
        LinkState::Connected => Tone::Good,
        LinkState::Degraded { .. } | LinkState::Connecting { .. } => Tone::Warn,
        LinkState::Disconnected { .. } => Tone::Dim,
        LinkState::BackingOff { .. }
        | LinkState::CredentialsRejected { .. }
        | LinkState::CertificateChanged { .. } => Tone::Bad,
    };
    (state.word().replace('_', " "), tone)
}

/// How a task stands, with the tone it deserves.
pub(crate) fn outcome(outcome: &TaskOutcome) -> (String, Tone) {
    match outcome {
        TaskOutcome::Running => ("running".to_owned(), Tone::Warn),
        TaskOutcome::Ok => ("OK".to_owned(), Tone::Good),
        TaskOutcome::Warnings { count: Some(1) } => ("done, 1 warning".to_owned(), Tone::Warn),
        TaskOutcome::Warnings { count: Some(n) } => (format!("done, {n} warnings"), Tone::Warn),
        TaskOutcome::Warnings { count: None } => ("done, with warnings".to_owned(), Tone::Warn),
        TaskOutcome::Failed { text } => (text.to_string(), Tone::Bad),
        TaskOutcome::Unknown => ("unknown".to_owned(), Tone::Dim),
    }
}

/// `vzstart 101`.
pub(crate) fn task(task: &Task) -> String {
    task_name(task.kind.as_str(), task.id.as_str())
}

/// `vzstart 101`, from its parts.
pub(crate) fn task_name(kind: &str, id: &str) -> String {
    format!("{kind} {id}").trim_end().to_owned()
}

/// `3.1 % of 2`, or what of it is known; only how many there are of a guest that is off.
pub(crate) fn processors(guest: &Guest) -> String {
    match (guest.cpu.filter(|_| guest.state != GuestState::Stopped), guest.cpus) {
        (Some(_), Some(cpus)) => format!("{} of {cpus}", cpu(guest.cpu)),
        (None, Some(cpus)) => cpus.to_string(),
        (_, None) => cpu(guest.cpu),
    }
}

/// How long a task ran; a running one so far.
pub(crate) fn took(task: &Task, now: Timestamp) -> String {
    let end = match (task.ended, task.outcome.has_ended()) {
        (Some(end), _) => end,
        (None, false) => now,
        (None, true) => return String::new(),
    };
    let seconds = crate::term::text::seconds_between(task.started, end);
    u64::try_from(seconds).map(span).unwrap_or_default()
}

/// The versions that a remote's endpoints told, without repeats: `9.2.3`.
pub(crate) fn versions(remote: &RemoteSnapshot) -> String {
    let mut versions: Vec<&str> = remote.versions.values().map(model::Text::as_str).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.join(", ")
}
