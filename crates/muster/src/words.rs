//! How guests, links and tasks are put into words, the same in every list, panel and line.

use std::time::Duration;

use fleet::{GuestRow, RemoteSnapshot, Standing};
use jiff::Timestamp;
use model::capability::{Power, Rule, rule};
use model::cause::Cause;
use model::guest::{GuestState, NodeState, TaskOutcome};
use model::operation::{Action, Operation, OperationState};
use model::time::{Freshness, spell};
use model::{Guest, GuestKind, LinkState, StaleWhy, Task};

use crate::term::shell;
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
    if row.freshness == Freshness::NeverSeen {
        return why_unseen(remote, row);
    }
    let why = row.stale_why()?;
    let endpoint = remote.link.in_use().filter(|_| matches!(why, StaleWhy::Link { .. }));
    Some(match endpoint {
        Some(endpoint) => format!("{} ({endpoint})", why.sentence()),
        None => why.sentence(),
    })
}

/// Why a guest was not seen even once, where that is known.
fn why_unseen(remote: &RemoteSnapshot, row: &GuestRow) -> Option<String> {
    let down = |node: &model::NodeName| format!("node {node} is down");
    let node = &row.guest.node;
    match &row.standing {
        Standing::NodeDown { node } => Some(down(node)),
        _ if remote.node(node).is_some_and(|n| n.node.state == NodeState::Offline) => Some(down(node)),
        _ => remote.link.state.cause().map(Cause::sentence),
    }
}

/// The same with its age: `connection refused …; last seen 40 s ago`. The reason comes first: where room is short, it is
/// the age that is cut.
pub(crate) fn staleness(remote: &RemoteSnapshot, row: &GuestRow, now: Timestamp) -> Option<String> {
    match &row.freshness {
        Freshness::Live => None,
        Freshness::Stale { since, .. } => {
            let why = why_stale(remote, row).unwrap_or_default();
            Some(format!("{why}; last seen {}", ago(now, *since)))
        }
        Freshness::NeverSeen => Some(match why_stale(remote, row) {
            Some(why) => format!("{why}; never seen"),
            None => "never seen".to_owned(),
        }),
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
        (None, Some(of)) => Some(format!("{} in all, use not known", bytes(of))),
        (None, None) => None,
    }
}

/// `1.2 GiB of 4.0 GiB`, or what of it is known; only how much there is of a guest that is off.
pub(crate) fn memory(guest: &Guest) -> Option<String> {
    match guest.state {
        GuestState::Stopped => guest.memory_max.map(bytes),
        _ => share(guest.memory, guest.memory_max),
    }
}

/// The verb of an action: `shut down`.
pub(crate) fn verb(action: Action) -> &'static str {
    match action {
        Action::Shutdown => "shut down",
        Action::Hibernate => "suspend",
        other => other.as_str(),
    }
}

/// How an action is asked for on the command line.
pub(crate) fn command(action: Action) -> &'static str {
    match action {
        Action::Hibernate => "suspend --to-disk",
        other => other.as_str(),
    }
}

/// A remedy as it is typed here, where it is about connecting a remote.
pub(crate) fn connect(remedy: &str, remote: &str) -> String {
    match remedy {
        "Connect the remote." => format!("To connect it: muster remote connect {}", shell::word(remote)),
        other => other.to_owned(),
    }
}

/// Why an action was refused, without the number that an operation has inside Muster.
pub(crate) fn refusal(remote: &RemoteSnapshot, row: &GuestRow, reason: &str) -> String {
    let busy = row.busy.filter(|id| reason.contains(&id.to_string()));
    match busy.and_then(|id| remote.operations.iter().find(|o| o.id == id)) {
        Some(operation) => format!("{} is still going on", operation.action),
        None => reason.to_owned(),
    }
}

/// Is the reason of a refusal that the guest is, as just seen, in the state that the action would bring about?
pub(crate) fn fulfilled(action: Action, kind: GuestKind, reason: &str) -> bool {
    let all = [Power::Running, Power::Stopped, Power::Paused, Power::Suspended];
    let nothing =
        |power| matches!(rule(kind, action, power), Rule::No(why, "Nothing to do.") if why == reason);
    all.into_iter().any(nothing)
}

/// What a guest is already that an action would make it, by what its status says: `status`, a virtual machine's
/// `qmpstatus`, and what holds its lock.
pub(crate) fn already(
    action: Action,
    status: Option<&str>,
    qmp: Option<&str>,
    lock: Option<&str>,
) -> Option<&'static str> {
    let is = match (status?, qmp) {
        ("running", Some("paused" | "suspended")) => GuestState::Suspended,
        (word, _) => GuestState::from_word(word),
    };
    let hibernated = is == GuestState::Stopped && lock == Some("suspended");
    match action {
        Action::Start | Action::Resume => (is == GuestState::Running).then_some("running"),
        Action::Shutdown | Action::Stop => (is == GuestState::Stopped).then_some("stopped"),
        Action::Suspend => (is == GuestState::Suspended || hibernated).then_some("suspended"),
        Action::Hibernate => hibernated.then_some("hibernated"),
        Action::Reboot | Action::Reset => None,
    }
}

/// How an operation stands. One that waits for a link says for how long: `patience` is what it has in all.
pub(crate) fn operation(operation: &Operation, up: bool, patience: Duration) -> String {
    match operation.state {
        OperationState::Pending if !up => format!("not sent yet: trying the link for {}", spell(patience)),
        _ => operation.sentence(),
    }
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

/// `9.2.3` of a node's `pve-manager/9.2.3/3d1e0a8c9b5f7246`; what looks otherwise as it is.
pub(crate) fn node_version(text: &str) -> &str {
    match text.strip_prefix("pve-manager/") {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => text,
    }
}

/// The versions that a remote's endpoints told, without repeats: `9.2.3`.
pub(crate) fn versions(remote: &RemoteSnapshot) -> String {
    let mut versions: Vec<&str> = remote.versions.values().map(model::Text::as_str).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is so already is nothing to do, in the same words wherever it is found out.
    #[test]
    fn what_is_so_already() {
        use Action::{Hibernate, Reboot, Resume, Shutdown, Start, Stop, Suspend};
        let table = [
            (Start, "running", Some("running"), None, Some("running")),
            (Start, "running", Some("paused"), None, None),
            (Resume, "running", None, None, Some("running")),
            (Resume, "running", Some("paused"), None, None),
            (Resume, "stopped", None, None, None),
            (Stop, "stopped", None, None, Some("stopped")),
            (Shutdown, "stopped", None, Some("suspended"), Some("stopped")),
            (Suspend, "running", Some("paused"), None, Some("suspended")),
            (Suspend, "running", Some("running"), None, None),
            (Hibernate, "stopped", Some("stopped"), Some("suspended"), Some("hibernated")),
            (Hibernate, "stopped", Some("stopped"), None, None),
            (Reboot, "running", None, None, None),
        ];
        for (action, status, qmp, lock, expected) in table {
            assert_eq!(already(action, Some(status), qmp, lock), expected, "{action} {status} {qmp:?}");
        }
        assert!(fulfilled(Resume, GuestKind::Ct, "it is running already"));
        assert!(fulfilled(Suspend, GuestKind::Vm, "it is suspended already"));
        assert!(!fulfilled(Resume, GuestKind::Vm, "it is not suspended"));
    }
}
