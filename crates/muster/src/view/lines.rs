//! From a fleet's snapshot to the [`Picture`] of it at one moment.

use fleet::{FleetSnapshot, GuestRow, RemoteSnapshot};
use model::capability::Availability;
use model::cause::Cause;
use model::guest::{GuestState, NodeState};
use model::id::GuestKey;
use model::operation::{Action, Operation, OperationState};
use model::{LinkState, Now, Task};

use std::time::Duration;

use super::picture::{Fact, GuestLine, OperationLines, Picture, RemoteLine, RowId, TaskLine};
use crate::term::table::Tone;
use crate::term::text::{ago, bytes, safe, until};
use crate::words;

/// Actions that have a key.
const KEYED: [Action; 6] =
    [Action::Start, Action::Shutdown, Action::Reboot, Action::Stop, Action::Resume, Action::Suspend];

/// Lines of a log that fit into the panel.
const LOG: usize = 6;

/// The picture of `fleet` at `now`. `patience` is how long an operation waits for a link that is not up.
pub fn picture(fleet: &FleetSnapshot, now: Now, patience: Duration) -> Picture {
    let mut picture = Picture::default();
    for remote in &fleet.remotes {
        picture.remotes.push(remote_line(remote, now));
        picture.guests.extend(remote.guests.iter().map(|row| guest_line(remote, row, now, patience)));
        picture.tasks.extend(
            remote.tasks.iter().map(|task| (task.started, task_line(remote, task, now))).map(|(_, t)| t),
        );
    }
    let started = |line: &TaskLine| match &line.id {
        RowId::Task(remote, upid) => {
            fleet.remote(*remote).and_then(|r| r.tasks.iter().find(|t| t.upid == *upid)).map(|t| t.started)
        }
        RowId::Remote(_) | RowId::Guest(_) => None,
    };
    // Newest first over all remotes; the sort is stable, so equal ones keep their order.
    picture.tasks.sort_by_cached_key(|line| std::cmp::Reverse(started(line)));
    picture
}

fn fact(name: &str, value: impl Into<String>) -> Option<Fact> {
    let value = value.into();
    (!value.is_empty()).then(|| (name.to_owned(), safe(&value)))
}

fn remote_line(remote: &RemoteSnapshot, now: Now) -> RemoteLine {
    let (link, tone) = words::link(&remote.link.state);
    let of_nodes = |state: NodeState| remote.nodes.iter().filter(|n| n.node.state == state).count();
    let (online, unsaid) = (of_nodes(NodeState::Online), of_nodes(NodeState::Unknown));
    let up = remote.link.state.is_up();
    // By the last known state: a guest that is not seen now has not stopped for that.
    let of_guests = |state: GuestState| remote.guests.iter().filter(|g| g.guest.state == state).count();
    let (running, unknown) = (of_guests(GuestState::Running), of_guests(GuestState::Unknown));
    let certain = up && remote.guests.iter().all(|g| g.freshness.is_live());
    let about = match &remote.link.state {
        LinkState::Connected => {
            let version = words::versions(remote);
            let version = if version.is_empty() { String::new() } else { format!("Proxmox VE {version}") };
            match remote.cluster.as_ref().and_then(|c| c.value.quorate) {
                Some(false) => format!("no quorum: nothing can be changed. {version}"),
                _ => version,
            }
        }
        _ => match remote.link.next_try() {
            Some(next) => format!("{}; next try {}", remote.link.sentence(), until(now.wall, next)),
            None => remote.link.sentence(),
        },
    };
    let seen = remote.link.last_success.map_or_else(|| "never".to_owned(), |at| ago(now.wall, at));
    let drift: u64 = remote.drift.iter().map(|d| d.count).sum();
    let name = safe(remote.name.as_str());
    let mut facts: Vec<Fact> = [
        fact("link", remote.link.sentence()),
        remote.link.state.cause().and_then(|cause| fact("remedy", cause.remedy())),
        outside(remote).and_then(|how| fact("how", how)),
        remote.link.next_try().and_then(|at| fact("next try", until(now.wall, at))),
        fact("last answer", seen.clone()),
        fact("version", words::versions(remote)),
        remote.cluster.as_ref().and_then(|c| {
            let name = c.value.name.as_ref().map_or_else(|| "stand-alone".to_owned(), ToString::to_string);
            let quorum = match c.value.quorate {
                Some(true) => ", has quorum",
                Some(false) => ", NO QUORUM",
                None => "",
            };
            fact("cluster", format!("{name}{quorum}"))
        }),
        remote.user.as_ref().and_then(|user| fact("signed in as", user.to_string())),
        remote
            .same_as
            .as_ref()
            .and_then(|other| fact("same as", format!("{other}: one cluster, given twice"))),
        (drift > 0).then(|| ("odd fields".to_owned(), format!("{drift}, left out and listed by -o json"))),
        (!remote.unreadable.is_empty()).then(|| {
            ("unreadable rows".to_owned(), format!("{}, shown raw by -o json", remote.unreadable.len()))
        }),
        fact(
            "traffic",
            format!(
                "{} requests, {} a minute",
                remote.traffic.requests_per_minute,
                bytes(remote.traffic.bytes_per_minute)
            ),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    for endpoint in &remote.link.endpoints {
        let how = match &endpoint.health {
            model::link::Health::Untried => "not tried yet".to_owned(),
            model::link::Health::Good => "good".to_owned(),
            model::link::Health::Failing { cause, .. } | model::link::Health::Stopped { cause, .. } => {
                cause.sentence()
            }
        };
        let used = if endpoint.in_use { ", in use" } else { "" };
        facts.push(("endpoint".to_owned(), safe(&format!("{}: {how}{used}", endpoint.endpoint))));
    }
    for node in &remote.nodes {
        let load = words::cpu(node.node.cpu);
        let memory = words::share(node.node.memory, node.node.memory_max).unwrap_or_default();
        facts.push((
            "node".to_owned(),
            safe(&format!("{}: {}  {load}  {memory}", node.node.name, node.node.state.word())),
        ));
    }
    for facet in &remote.coverage {
        if let Some(error) = &facet.last_error {
            facts.push(("not read".to_owned(), safe(&format!("{}: {error}", facet.facet))));
        }
    }
    RemoteLine {
        id: RowId::Remote(remote.id),
        haystack: format!("{} {link} {about}", remote.name).to_lowercase(),
        name,
        link,
        tone,
        about: safe(&about),
        nodes: if remote.nodes.is_empty() {
            String::new()
        } else {
            share(online, unsaid, remote.nodes.len(), up)
        },
        guests: if remote.guests.is_empty() {
            String::new()
        } else {
            share(running, unknown, remote.guests.len(), certain)
        },
        seen,
        facts,
    }
}

/// `2/3`; `~2/3` when that is not certain; `?/3` when nothing is known, which is not none.
fn share(count: usize, unknown: usize, of: usize, certain: bool) -> String {
    match (count, unknown) {
        (0, 1..) => format!("?/{of}"),
        _ => format!("{}{count}/{of}", if certain && unknown == 0 { "" } else { "~" }),
    }
}

/// What has to be done outside the table, where the cause of a link that is down can only be mended there.
fn outside(remote: &RemoteSnapshot) -> Option<String> {
    let endpoint = remote.link.in_use().or_else(|| remote.link.endpoints.first().map(|e| &e.endpoint))?;
    let at = format!("muster at {}={endpoint}", remote.name);
    match remote.link.state.cause()? {
        Cause::UntrustedCertificate { presented, .. } | Cause::CertificateChanged { presented, .. } => {
            Some(format!("leave the table, compare, then: {at} --fingerprint {presented} watch"))
        }
        Cause::CredentialsRejected { .. } => {
            Some(format!("leave the table, then give another password or token: {at} watch"))
        }
        Cause::SecondFactorNeeded { .. } => {
            Some(format!("leave the table, then sign in with a fresh code: {at} watch"))
        }
        _ => None,
    }
}

fn guest_line(remote: &RemoteSnapshot, row: &GuestRow, now: Now, patience: Duration) -> GuestLine {
    let up = remote.link.state.is_up();
    let guest = &row.guest;
    let key = GuestKey { remote: remote.id, vmid: guest.vmid };
    let operation = remote.operations.iter().find(|o| o.guest == key);
    let stale = words::staleness(remote, row, now.wall);
    let state = words::state(row);
    let mut notes = Vec::new();
    if let Some(operation) = operation.filter(|o| Some(o.id) == row.busy) {
        notes.push(format!("{}: {}", operation.action, words::operation(operation, up, patience)));
    }
    notes.extend(stale.clone());
    notes.extend(words::remarks(row));
    let tags: Vec<String> = guest.tags.iter().map(ToString::to_string).collect();
    if !tags.is_empty() {
        notes.push(format!("#{}", tags.join(" #")));
    }

    let mut may_fail = None;
    let mut refused = Vec::new();
    for action in KEYED {
        match remote.availability(guest.vmid, action, now) {
            // That the processors of a container are hard to hold still is no doubt about anything else.
            Some(Availability::MayFail { why }) if !matches!(action, Action::Resume | Action::Suspend) => {
                may_fail = Some(safe(&why));
            }
            Some(Availability::Disabled { reason, remedy }) => {
                let reason = words::refusal(remote, row, &reason);
                refused.push((action, safe(&format!("As last seen, {reason}. {remedy}"))));
            }
            Some(Availability::Available | Availability::MayFail { .. }) | None => {}
        }
    }
    let label = words::label(remote.name.as_str(), row);
    let (cpu, memory) = words::usage(guest);
    let name = guest.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let haystack = format!(
        "{label} {name} {} {state} {} {} {}",
        guest.node,
        guest.kind,
        tags.iter().map(|tag| format!("#{tag}")).collect::<Vec<_>>().join(" "),
        guest.pool.as_ref().map(ToString::to_string).unwrap_or_default()
    );
    GuestLine {
        id: RowId::Guest(key),
        remote_id: RowId::Remote(remote.id),
        kind: guest.kind.as_str(),
        noun: words::noun(guest.kind),
        name: safe(&name),
        node: safe(guest.node.as_str()),
        tone: words::state_tone(row),
        dim: !row.freshness.is_live(),
        cpu,
        memory,
        uptime: words::uptime(guest.uptime),
        note: safe(&notes.join("; ")),
        ha: guest.ha.is_some(),
        may_fail,
        refused,
        facts: guest_facts(row, stale, now),
        operation: operation.map(|o| operation_lines(o, up, now, patience)),
        haystack: haystack.to_lowercase(),
        state: safe(&state),
        label: safe(&label),
    }
}

fn guest_facts(row: &GuestRow, stale: Option<String>, now: Now) -> Vec<Fact> {
    let guest = &row.guest;
    let through = row.through.as_ref().map(|t| format!(" through {t}")).unwrap_or_default();
    let addresses =
        row.addresses.as_ref().map(|observed| observed.value.addresses().collect::<Vec<_>>().join(", "));
    [
        fact("seen", format!("{}{through}", words::seen(row, now.wall))),
        stale.and_then(|why| fact("not live", why)),
        fact("node", guest.node.to_string()),
        fact("processors", words::processors(guest)),
        words::memory(guest).and_then(|m| fact("memory", m)),
        words::share(guest.disk, guest.disk_max).and_then(|d| fact("root disk", d)),
        fact("up for", words::uptime(guest.uptime)),
        addresses.and_then(|a| fact("addresses", a)),
        guest.pool.as_ref().and_then(|p| fact("pool", p.to_string())),
        fact("tags", guest.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        guest.ha.as_ref().and_then(|h| fact("HA", h.to_string())),
        guest.lock.as_ref().and_then(|l| fact("locked by", l.to_string())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How an operation stands, for the panel and for the line at the bottom.
pub fn operation_lines(operation: &Operation, up: bool, now: Now, patience: Duration) -> OperationLines {
    let tone = match &operation.state {
        OperationState::Succeeded => Tone::Good,
        OperationState::Pending
        | OperationState::Sent
        | OperationState::Running
        | OperationState::HandedToHa => Tone::Warn,
        OperationState::SucceededWithWarnings { .. } | OperationState::Cancelled => Tone::Warn,
        OperationState::Failed(_) | OperationState::NotSent { .. } | OperationState::OutcomeUnknown(_) => {
            Tone::Bad
        }
    };
    let mut log: Vec<String> = operation.last_lines.iter().map(|l| safe(l.as_str())).collect();
    if log.is_empty() {
        log = operation.log.iter().map(|entry| safe(&entry.text)).collect();
    }
    let log = log.split_off(log.len().saturating_sub(LOG));
    OperationLines {
        headline: safe(&format!(
            "{}: {} ({})",
            operation.action,
            words::operation(operation, up, patience),
            ago(now.wall, operation.since)
        )),
        tone,
        log,
    }
}

fn task_line(remote: &RemoteSnapshot, task: &Task, now: Now) -> TaskLine {
    let (outcome, tone) = words::outcome(&task.outcome);
    let what = words::task(task);
    TaskLine {
        id: RowId::Task(remote.id, task.upid.clone()),
        started: ago(now.wall, task.started),
        took: words::took(task, now.wall),
        haystack: format!("{} {} {what} {} {outcome}", remote.name, task.node, task.user).to_lowercase(),
        remote: safe(remote.name.as_str()),
        node: safe(task.node.as_str()),
        what: safe(&what),
        user: safe(task.user.as_str()),
        outcome: safe(&outcome),
        tone,
        upid: safe(task.upid.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn unknown_is_never_zero() {
        assert_eq!(share(2, 0, 3, true), "2/3");
        assert_eq!(share(2, 0, 3, false), "~2/3");
        assert_eq!(share(2, 1, 3, true), "~2/3");
        assert_eq!(share(0, 1, 1, true), "?/1");
        assert_eq!(share(0, 0, 1, true), "0/1");
    }
}
