//! What may be done with a guest right now: action × link × guest → available, may fail, or disabled with a
//! reason. One table for every screen and every command.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::guest::{GuestState, NodeState};
use crate::id::{GuestKind, NodeName, OperationId, Text};
use crate::link::LinkState;
use crate::operation::{Action, ago};
use crate::presence::Presence;
use crate::rights::Rights;
use crate::time::Now;

/// Whether an action may be taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "availability", rename_all = "snake_case")]
pub enum Availability {
    /// Yes.
    Available,
    /// Yes, but for a reason known now it may well not work.
    MayFail {
        /// The reason, in one clause.
        why: String,
    },
    /// No.
    Disabled {
        /// Why not, in one clause.
        reason: String,
        /// What would make it possible.
        remedy: String,
    },
}

impl Availability {
    /// Whether it may be pressed.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        !matches!(self, Self::Disabled { .. })
    }

    fn disabled(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Disabled { reason: reason.into(), remedy: remedy.into() }
    }

    fn may_fail(why: impl Into<String>) -> Self {
        Self::MayFail { why: why.into() }
    }
}

/// What is known of a guest when the question is asked.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// Container or virtual machine.
    pub kind: GuestKind,
    /// Its state as last seen.
    pub state: &'a GuestState,
    /// When that was.
    pub last_seen: Option<Timestamp>,
    /// Whether it is a template.
    pub template: bool,
    /// What holds its lock.
    pub lock: Option<&'a Text>,
    /// Whether it is there.
    pub presence: &'a Presence,
    /// Its node.
    pub node: &'a NodeName,
    /// The state of its node, where known.
    pub node_state: Option<&'a NodeState>,
    /// Whether the cluster has quorum, where known.
    pub quorate: Option<bool>,
    /// The link to its remote.
    pub link: &'a LinkState,
    /// An operation on it that has not ended.
    pub busy: Option<OperationId>,
    /// The rights of the token that Muster made for itself on the remote, if it did.
    pub rights: Option<Rights>,
}

/// What a guest's own state allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It makes sense.
    Yes,
    /// It may work, with this doubt.
    Doubtful(&'static str),
    /// It makes none, for this reason, with this remedy.
    No(&'static str, &'static str),
}

/// The known states a rule depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Running.
    Running,
    /// Off.
    Stopped,
    /// Paused.
    Paused,
    /// Suspended to RAM.
    Suspended,
}

const RUNNING_ALREADY: Rule = Rule::No("it is running already", "Nothing to do.");
const OFF_ALREADY: Rule = Rule::No("it is stopped already", "Nothing to do.");
const NOT_RUNNING: Rule = Rule::No("it is not running", "Start it.");
const NOT_SUSPENDED: Rule = Rule::No("it is not suspended", "Start it.");
const SUSPENDED_ALREADY: Rule = Rule::No("it is suspended already", "Nothing to do.");
const RESUME_FIRST: Rule = Rule::No("it is suspended", "Resume it first, or stop it.");
/// `POST /nodes/{node}/lxc/{vmid}/status/suspend` makes a checkpoint (`lxc-checkpoint -s`), with which the container
/// stops; nothing that Proxmox VE tells shows that there is one, and HA starts what it finds stopped.
const CHECKPOINT: Rule = Rule::Doubtful(
    "suspending containers is experimental in Proxmox VE: its processes are written to disk, and it is stopped then",
);
/// `…/resume` restores that checkpoint, and fails where there is none.
const THAW: Rule = Rule::Doubtful(
    "resuming containers is experimental in Proxmox VE, and whether this one was suspended cannot be seen",
);
const NO_RESET_CT: Rule = Rule::No("containers do not have this", "Use reboot, or shutdown.");
const NO_HIBERNATE_CT: Rule =
    Rule::No("containers cannot be suspended to disk", "Suspend it to memory, or shut it down.");

/// The table: kind × action × state.
#[must_use]
pub fn rule(kind: GuestKind, action: Action, power: Power) -> Rule {
    use Action as A;
    use GuestKind::{Ct, Vm};
    use Power as P;
    match (kind, action, power) {
        (Ct, A::Reset, _) => NO_RESET_CT,
        (Ct, A::Hibernate, _) => NO_HIBERNATE_CT,

        (_, A::Start, P::Running) => RUNNING_ALREADY,
        (_, A::Start, P::Stopped) => Rule::Yes,
        (_, A::Start, P::Paused | P::Suspended) => RESUME_FIRST,

        (_, A::Stop, P::Stopped) => OFF_ALREADY,
        (_, A::Stop, _) => Rule::Yes,

        (_, A::Shutdown, P::Stopped) => OFF_ALREADY,
        (_, A::Reboot, P::Stopped) | (Vm, A::Reset, P::Stopped) => NOT_RUNNING,
        (_, A::Shutdown | A::Reboot, P::Running) => Rule::Yes,
        (_, A::Shutdown | A::Reboot, P::Paused | P::Suspended) => RESUME_FIRST,
        (Vm, A::Reset, _) => Rule::Yes,

        (_, A::Suspend | A::Hibernate, P::Stopped) => NOT_RUNNING,
        (_, A::Suspend, P::Paused | P::Suspended) => SUSPENDED_ALREADY,
        (Ct, A::Suspend, P::Running) => CHECKPOINT,
        (Vm, A::Suspend | A::Hibernate, P::Running) => Rule::Yes,
        (Vm, A::Hibernate, P::Paused | P::Suspended) => RESUME_FIRST,

        (_, A::Resume, P::Running) => RUNNING_ALREADY,
        (Vm, A::Resume, P::Stopped) => NOT_SUSPENDED,
        (Ct, A::Resume, _) => THAW,
        (Vm, A::Resume, _) => Rule::Yes,
    }
}

/// Whether `action` may be taken now. The first thing that stands in the way is what is said: what a person
/// has to mend, then what makes no sense, then what may pass.
#[must_use]
pub fn capability(action: Action, at: &Situation<'_>, now: Now) -> Availability {
    match allowed(action, at, now) {
        Availability::Available => {
            rights_doubt(action, at.rights).map_or(Availability::Available, Availability::may_fail)
        }
        other => other,
    }
}

/// The same, whatever the account may do.
fn allowed(action: Action, at: &Situation<'_>, now: Now) -> Availability {
    if let Some(no) = link_forbids(at.link) {
        return no;
    }
    if let Some(no) = guest_forbids(action, at) {
        return no;
    }
    if let Some(why) = link_doubt(at, now) {
        return Availability::may_fail(why);
    }
    if let Some(why) = cluster_doubt(at) {
        return Availability::may_fail(why);
    }
    let power = match at.state {
        GuestState::Running => Power::Running,
        GuestState::Stopped => Power::Stopped,
        GuestState::Paused => Power::Paused,
        GuestState::Suspended => Power::Suspended,
        GuestState::Unknown => return Availability::may_fail("state unknown, may fail"),
        GuestState::Other(word) => {
            return Availability::may_fail(format!("state {word:?} is not one Muster knows, may fail"));
        }
    };
    let hibernated = at.kind == GuestKind::Vm && at.lock.is_some_and(|lock| &**lock == "suspended");
    match action {
        // Off, but with its memory kept: resuming is starting it from there.
        Action::Resume if hibernated && power == Power::Stopped => return Availability::Available,
        Action::Suspend | Action::Hibernate if hibernated && power == Power::Stopped => {
            let Rule::No(reason, remedy) = SUSPENDED_ALREADY else { return Availability::Available };
            return Availability::disabled(reason, remedy);
        }
        _ => {}
    }
    match rule(at.kind, action, power) {
        Rule::No(reason, remedy) => Availability::disabled(reason, remedy),
        Rule::Doubtful(why) => Availability::may_fail(why),
        Rule::Yes => match at.lock {
            // A hibernated machine carries this lock and is started out of it.
            Some(lock) if !(&**lock == "suspended" && action == Action::Start) => {
                Availability::may_fail(format!("locked ({lock}), may fail"))
            }
            _ => Availability::Available,
        },
    }
}

/// What Muster's own role does not hold. Whoever governs the host may have given the token more.
fn rights_doubt(action: Action, rights: Option<Rights>) -> Option<&'static str> {
    match (rights?, action) {
        (Rights::Look, _) => Some("Muster's token there may only look (VM.PowerMgmt is missing), may fail"),
        // `POST /nodes/{node}/qemu/{vmid}/status/suspend` with `todisk`: the memory is written to a volume.
        (Rights::Operate, Action::Hibernate) => Some(
            "this also takes VM.Config.Disk and Datastore.AllocateSpace, which Muster's role does not have, may fail",
        ),
        _ => None,
    }
}

/// What only a person can mend about the link.
fn link_forbids(link: &LinkState) -> Option<Availability> {
    match link {
        LinkState::Disconnected { by } => Some(Availability::disabled(
            format!("the remote was disconnected by {by}"),
            "Connect the remote.",
        )),
        LinkState::CredentialsRejected { cause, .. } | LinkState::CertificateChanged { cause } => {
            Some(Availability::disabled(cause.sentence(), cause.remedy()))
        }
        LinkState::BackingOff { cause, .. } if cause.needs_person() => {
            Some(Availability::disabled(cause.sentence(), cause.remedy()))
        }
        _ => None,
    }
}

fn guest_forbids(action: Action, at: &Situation<'_>) -> Option<Availability> {
    match at.presence {
        Presence::Deleted { .. } => {
            return Some(Availability::disabled("it was deleted", "Restore it from a backup."));
        }
        Presence::NoLongerVisible { .. } => {
            return Some(Availability::disabled(
                "this account may no longer see it",
                "Give the account a role with VM.Audit and VM.PowerMgmt on it.",
            ));
        }
        Presence::Present | Presence::Missing { .. } => {}
    }
    if at.template {
        return Some(Availability::disabled("it is a template", "Clone it and run the clone."));
    }
    let never = match (at.kind, action) {
        (GuestKind::Ct, Action::Reset) => Some(NO_RESET_CT),
        (GuestKind::Ct, Action::Hibernate) => Some(NO_HIBERNATE_CT),
        _ => None,
    };
    if let Some(Rule::No(reason, remedy)) = never {
        return Some(Availability::disabled(reason, remedy));
    }
    at.busy.map(|id| {
        Availability::disabled(
            format!("operation {id} on it has not ended"),
            "Wait for it to end, or end its task.",
        )
    })
}

/// A cause that may pass by itself.
fn link_doubt(at: &Situation<'_>, now: Now) -> Option<String> {
    if at.link.is_up() {
        return None;
    }
    let seen = match at.last_seen {
        Some(seen) => format!("last seen {}", ago(seen, now)),
        None => "never seen".to_owned(),
    };
    let cause = at.link.cause().map(|cause: &Cause| format!(": {cause}")).unwrap_or_default();
    Some(format!("may fail: {seen}{cause}"))
}

fn cluster_doubt(at: &Situation<'_>) -> Option<String> {
    if at.node_state == Some(&NodeState::Offline) {
        return Some(format!("node {} is down: state unknown, may fail", at.node));
    }
    if matches!(at.presence, Presence::Missing { .. }) {
        return Some("absent from the latest listing: state unknown, may fail".to_owned());
    }
    (at.quorate == Some(false)).then(|| "the cluster has no quorum: changes will be refused".to_owned())
}
