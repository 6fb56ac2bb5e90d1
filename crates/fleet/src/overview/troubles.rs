//! What is wrong with one remote and with what is on it.

use std::cmp::Reverse;

use jiff::Timestamp;
use model::operation::UnknownWhy;
use model::rows::{GuestRow, NodeRow, StorageRow};
use model::{
    Cause, FacetKind, Freshness, GuestState, LinkState, NodeName, NodeState, Operation, OperationId,
    OperationState, Task, TaskId, TaskOutcome, Text, Vmid,
};

use crate::snapshot::RemoteSnapshot;

/// From this share on a storage is nearly full.
const NEARLY_FULL: f64 = 0.85;

/// From this share on it is as good as full.
const FULL: f64 = 0.95;

/// How bad a task that failed is: whoever began it may know already.
pub(super) const FAILED_TASK: Severity = Severity::Warning;

/// How bad something is; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something does not work, or waits for a person.
    Error,
    /// Something has gone wrong, or soon will.
    Warning,
    /// Somebody wanted it so, or less is known than could be.
    Notice,
}

/// What kind of thing is wrong; what explains others comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    /// The link to a remote.
    Link,
    /// A node is down.
    Node,
    /// A cluster has no quorum.
    Quorum,
    /// An operation of which the outcome is unknown.
    Operation,
    /// A guest is in a state of error.
    Guest,
    /// A storage is nearly full.
    Storage,
    /// A task that failed lately.
    Task,
    /// A kind of information that cannot be read.
    Coverage,
}

impl Severity {
    /// All of them, in their order.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Notice];
}

impl TroubleKind {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Link,
        Self::Node,
        Self::Quorum,
        Self::Operation,
        Self::Guest,
        Self::Storage,
        Self::Task,
        Self::Coverage,
    ];
}

/// What a trouble is about, on its remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The remote itself.
    Remote,
    /// A node.
    Node(NodeName),
    /// A guest.
    Guest(Vmid, Option<Text>),
    /// A storage, and the node that has it to itself.
    Storage(Text, Option<NodeName>),
    /// A task; what it is called, and the guest it works on.
    Task(TaskId, String, Option<Vmid>),
    /// An operation; what it is called, and its guest.
    Operation(OperationId, String, Vmid),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// What kind of thing.
    pub kind: TroubleKind,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// Where it is not seen to be so at present: when it last was.
    pub seen: Option<Timestamp>,
    /// Whether it is seen to be so at present.
    pub live: bool,
    /// What is wrong, in one clause.
    pub sentence: String,
    /// What would mend it.
    pub remedy: Option<String>,
}

impl Trouble {
    /// Its place among others, the worst first; of what is as bad, by kind, the newest first.
    pub(super) fn rank(&self) -> Rank {
        (self.severity, self.kind, Reverse(self.since.or(self.seen)))
    }
}

/// How bad, of which kind, how new.
pub(super) type Rank = (Severity, TroubleKind, Reverse<Option<Timestamp>>);

/// All but guests and failed tasks.
pub(super) fn of_remote(remote: &RemoteSnapshot) -> Vec<Trouble> {
    let mut all: Vec<Trouble> = link(remote).into_iter().collect();
    all.extend(remote.nodes.iter().filter_map(node));
    all.extend(quorum(remote));
    all.extend(remote.operations.iter().filter_map(|one| operation(one)));
    crate::lists::each_storage(remote, &mut |row| all.extend(storage(row)));
    all.extend(coverage(remote));
    all
}

fn link(remote: &RemoteSnapshot) -> Option<Trouble> {
    let view = &remote.link;
    let trouble = |severity, sentence, remedy| Trouble {
        kind: TroubleKind::Link,
        severity,
        subject: Subject::Remote,
        since: view.down_since.or(Some(view.since)),
        seen: None,
        live: true,
        sentence,
        remedy,
    };
    // Nobody looks after it: that it is looked after elsewhere is no trouble.
    if let Some(cause @ Cause::Unattended { .. }) = &remote.elsewhere {
        return Some(trouble(Severity::Error, cause.sentence(), Some(cause.remedy())));
    }
    match &view.state {
        LinkState::Connected | LinkState::Connecting { last: None } => None,
        LinkState::Disconnected { by } => {
            let remedy = Cause::Disconnected { by: by.clone() }.remedy();
            Some(trouble(Severity::Notice, view.sentence(), Some(remedy)))
        }
        LinkState::Degraded { failing } => {
            let remedy = failing.first().map(|one| one.cause.remedy());
            Some(Trouble { since: Some(view.since), ..trouble(Severity::Warning, view.sentence(), remedy) })
        }
        state => {
            // Whether it is being tried at this instant or waited for makes no difference here.
            let cause = state.cause()?;
            let at = view.in_use().or_else(|| view.endpoints.first().map(|one| &one.endpoint));
            let at = at.map(|at| format!(" ({at})")).unwrap_or_default();
            let sentence = format!("{}{at}", cause.sentence());
            Some(trouble(Severity::Error, sentence, Some(cause.remedy())))
        }
    }
}

fn node(row: &NodeRow) -> Option<Trouble> {
    let down = crate::lists::node_word(row) == "offline";
    let since = match &row.freshness {
        Freshness::Stale { since, .. } if down => Some(*since),
        _ => None,
    };
    if !down && row.node.state != NodeState::Offline {
        return None;
    }
    Some(Trouble {
        kind: TroubleKind::Node,
        severity: if down { Severity::Error } else { Severity::Notice },
        subject: Subject::Node(row.node.name.clone()),
        since,
        seen: row.observed_at.filter(|_| !down),
        live: down,
        sentence: if down { "the node is down" } else { "the node was down when last heard of" }.to_owned(),
        remedy: down.then(|| Cause::NodeDown { node: None, text: String::new() }.remedy()),
    })
}

fn quorum(remote: &RemoteSnapshot) -> Option<Trouble> {
    let seen = remote.cluster.as_ref().filter(|seen| seen.value.quorate == Some(false))?;
    let read = remote.facet(FacetKind::Cluster).is_none_or(|facet| facet.last_error.is_none());
    let live = read && remote.link.state.is_up();
    Some(Trouble {
        kind: TroubleKind::Quorum,
        severity: if live { Severity::Error } else { Severity::Notice },
        subject: Subject::Remote,
        // Of when it was lost nobody has told.
        since: None,
        seen: (!live).then_some(seen.at),
        live,
        sentence: if live {
            "the cluster has no quorum: changes are refused"
        } else {
            "the cluster had no quorum when last seen"
        }
        .to_owned(),
        remedy: Some("Bring enough nodes of the cluster back; until then nothing can be changed.".to_owned()),
    })
}

fn operation(one: &Operation) -> Option<Trouble> {
    let OperationState::OutcomeUnknown(why) = &one.state else { return None };
    let (severity, remedy) = match why {
        // Whoever gave it up knows.
        UnknownWhy::GivenUp { .. } => return None,
        UnknownWhy::Candidates { .. } => {
            (Severity::Error, "Read the logs of the tasks and say which one it is, or that none is.")
        }
        UnknownWhy::Lost { .. } => (Severity::Warning, "Muster looks for it in the task list of its node."),
        UnknownWhy::Node { .. } | UnknownWhy::Ha => {
            (Severity::Warning, "It is still watched; where nothing will ever be heard of it, give it up.")
        }
    };
    let name = one.name.as_ref().map_or_else(|| one.guest.vmid.to_string(), ToString::to_string);
    Some(Trouble {
        kind: TroubleKind::Operation,
        severity,
        subject: Subject::Operation(one.id, format!("{} {name}", one.action), one.guest.vmid),
        since: Some(one.since),
        seen: None,
        live: one.followed,
        sentence: one.state.sentence(),
        remedy: Some(remedy.to_owned()),
    })
}

/// What is wrong with a guest.
pub(super) fn of_guest(row: &GuestRow) -> Option<Trouble> {
    let (facts, live) = (&row.guest, row.freshness.is_live());
    let (sentence, remedy) = match (&facts.ha, &facts.state) {
        (Some(ha), _) if &**ha == "error" => (
            if live {
                "the HA manager reports it in error".to_owned()
            } else {
                "the HA manager reported it in error when last seen".to_owned()
            },
            "Mend what stopped it, then set its HA state to disabled and back to started.",
        ),
        (_, GuestState::Other(word)) if matches!(&**word, "io-error" | "internal-error") => (
            if live {
                format!("Proxmox VE reports {word}")
            } else {
                format!("Proxmox VE reported {word} when last seen")
            },
            "Look at the space and health of its storages, then resume or reset it.",
        ),
        _ => return None,
    };
    Some(Trouble {
        kind: TroubleKind::Guest,
        severity: if live { Severity::Error } else { Severity::Notice },
        subject: Subject::Guest(facts.vmid, facts.name.clone()),
        since: None,
        seen: row.observed_at.filter(|_| !live),
        live,
        sentence,
        remedy: Some(remedy.to_owned()),
    })
}

fn storage(row: &StorageRow) -> Option<Trouble> {
    let facts = &row.storage;
    let (used, size) = (facts.used?, facts.size.filter(|size| *size > 0)?);
    let share = crate::lists::bytes(used) / crate::lists::bytes(size);
    if share < NEARLY_FULL {
        return None;
    }
    let live = row.freshness.is_live();
    let node = (facts.shared != Some(true)).then(|| facts.node.clone());
    // Rounded down: what is not quite full is not called full.
    let percent = (share * 100.0).floor();
    Some(Trouble {
        kind: TroubleKind::Storage,
        severity: match (share >= FULL, live) {
            (true, true) => Severity::Error,
            (false, true) => Severity::Warning,
            (_, false) => Severity::Notice,
        },
        subject: Subject::Storage(facts.storage.clone(), node),
        // Of since when nobody has told.
        since: None,
        seen: (!live).then_some(row.observed_at),
        live,
        sentence: match live {
            true => format!("{percent} % full"),
            false => format!("{percent} % full when last seen"),
        },
        remedy: Some("Remove what is not needed, or give it more space.".to_owned()),
    })
}

/// Of a remote that answers: what of it cannot be read.
fn coverage(remote: &RemoteSnapshot) -> Option<Trouble> {
    if !remote.link.state.is_up() {
        return None;
    }
    // What its version cannot tell is not wrong: that is told where it says how well each kind is known.
    let failing = || {
        let failed = remote.coverage.iter().filter_map(|one| Some((one.facet, one.last_error.as_ref()?)));
        failed.filter(|(_, failure)| !matches!(failure.cause, Cause::NotSupported { .. }))
    };
    let listing = failing().find(|(facet, _)| *facet == FacetKind::Resources);
    let (facet, failure) = listing.or_else(|| failing().next())?;
    let others = match failing().count() {
        0 | 1 => String::new(),
        2 => "; and one more kind of information".to_owned(),
        n => format!("; and {} more kinds of information", n - 1),
    };
    let what = facet.as_str().replace('_', " ");
    Some(Trouble {
        kind: TroubleKind::Coverage,
        // Without the listing nothing that is shown of it is live.
        severity: if listing.is_some() { Severity::Error } else { Severity::Notice },
        subject: Subject::Remote,
        // Read for the last time then.
        since: remote.facet(facet).and_then(|one| one.last_success),
        seen: None,
        live: true,
        sentence: format!("{what} cannot be read: {}{others}", failure.cause.sentence()),
        remedy: Some(failure.cause.remedy()),
    })
}

/// A task that failed.
pub(super) fn of_task(remote: &RemoteSnapshot, task: &Task) -> Trouble {
    let guest = crate::lists::guest_of(remote, task);
    let name = match &guest {
        Some((_, Some(name))) => format!("{} {name}", task.kind),
        _ if task.id.is_empty() => task.kind.to_string(),
        _ => format!("{} {}", task.kind, task.id),
    };
    Trouble {
        kind: TroubleKind::Task,
        severity: FAILED_TASK,
        subject: Subject::Task(task.upid.clone(), name, guest.map(|(vmid, _)| vmid)),
        since: Some(task.ended.unwrap_or(task.started)),
        seen: None,
        live: true,
        sentence: match &task.outcome {
            TaskOutcome::Failed { text } => text.to_string(),
            _ => "failed".to_owned(),
        },
        remedy: Some("Read its log.".to_owned()),
    }
}
