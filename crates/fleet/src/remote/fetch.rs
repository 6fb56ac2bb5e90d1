//! Reading one part of a remote: the calls, and their answers in Muster's words.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::presence::{Inquiry, PermissionsMark, Traits};
use model::{EndpointId, GuestKind, GuestState, NodeName, Observed, Task, TaskId, TaskOutcome, Text, Vmid};
use pve::call::Call;
use pve::call::task::{TaskQuery, TaskSource};
use pve::drift::Drift;
use pve::reply::{GuestConfig, NodeStatus};
use pve::upid::Upid;
use pve::{Answer, Client, Error, ErrorKind, call};

use crate::clock::Clock;
use crate::detail::Flown;
use crate::inventory::{Glimpse, Listing};
use crate::onboard;
use crate::rows;
use model::rows::Interface;
use model::rows::{Cluster, HaRow};

/// Pages of a task list read at most in search of one task.
const PAGES: u64 = 40;

/// Listens to every answer of a job: what departed from the documents, what the server's clock says.
#[derive(Debug)]
pub(crate) struct Ear {
    clock: Clock,
    pub(crate) drift: Drift,
    pub(crate) skew: Option<SignedDuration>,
    /// Whether anything was answered at all.
    pub(crate) answered: bool,
    /// How long the longest answer took.
    pub(crate) took: Duration,
}

impl Ear {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, drift: Drift::default(), skew: None, answered: false, took: Duration::ZERO }
    }

    /// Makes a call and listens to its answer.
    pub(crate) async fn run<T: Send + 'static>(
        &mut self,
        client: &Client,
        call: Call<T>,
    ) -> Result<T, Error> {
        let answer = client.run(call).await?;
        self.note(&answer);
        Ok(answer.value)
    }

    /// Listens to an answer that somebody else may hear as well.
    fn note<T>(&mut self, answer: &Answer<T>) {
        self.answered = true;
        self.took = self.took.max(answer.took);
        self.drift.absorb(answer.drift.clone());
        if let Some(date) = answer.server_date {
            // The header is told in whole seconds, rounded down: half a second is its middle.
            let theirs = date.saturating_add(SignedDuration::from_millis(500)).unwrap_or(date);
            self.skew = Some(theirs.duration_since(self.clock.wall()));
        }
    }
}

/// One part to read, with what must be known to ask for it.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    Version,
    Permissions,
    Cluster,
    Resources { expected: BTreeSet<Vmid> },
    Tasks,
    HaStatus,
    NodeStatus(NodeName),
    Certificates(NodeName),
    Config(Place),
    Addresses(Place),
    Glimpse(Place),
    Inquiry(Place),
}

/// Where a guest is asked about.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) vmid: Vmid,
    pub(crate) kind: GuestKind,
    pub(crate) node: NodeName,
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Payload {
    Version(Option<Text>),
    Permissions(PermissionsMark),
    /// With where its other nodes should answer.
    Cluster(Cluster, Vec<EndpointId>),
    Resources {
        listing: Box<Listing>,
        after: Option<PermissionsMark>,
    },
    Tasks(Vec<Task>),
    HaStatus(Vec<HaRow>),
    NodeStatus(NodeFacts),
    Certificates {
        ends: Option<Timestamp>,
        authority: Option<Text>,
    },
    Config(Arc<Answer<GuestConfig>>),
    Addresses(Vec<Interface>),
    Glimpse(Glimpse),
    Inquiry(Inquiry),
}

/// What a node says of itself.
#[derive(Debug)]
pub(crate) struct NodeFacts {
    pub(crate) version: Option<Text>,
    pub(crate) load: Vec<Text>,
    /// All of it.
    pub(crate) status: Arc<NodeStatus>,
}

/// Reads one part.
pub(crate) async fn fetch(job: Job, client: &Client, flown: &Flown, ear: &mut Ear) -> Result<Payload, Error> {
    Ok(match job {
        Job::Version => {
            let version = ear.run(client, call::access::version()).await?;
            Payload::Version(version.version.or(version.release).map(Text::from))
        }
        Job::Permissions => {
            Payload::Permissions(rows::mark(&ear.run(client, call::access::permissions()).await?))
        }
        Job::Cluster => {
            let rows = ear.run(client, call::cluster::status()).await?;
            let others = onboard::candidates(&rows.rows, client.endpoint());
            let others = others.into_iter().map(|(_, address)| address.to_string().into()).collect();
            let (cluster, own) = rows::cluster(rows);
            if let Some(node) = own {
                client.is_node(&node);
            }
            Payload::Cluster(cluster, others)
        }
        Job::Resources { expected } => resources(expected, client, ear).await?,
        Job::Tasks => {
            let rows = ear.run(client, call::cluster::tasks()).await?;
            Payload::Tasks(rows.rows.iter().map(rows::task).collect())
        }
        Job::HaStatus => {
            let rows = ear.run(client, call::cluster::ha_status()).await?;
            Payload::HaStatus(rows.rows.into_iter().map(rows::ha).collect())
        }
        Job::NodeStatus(node) => {
            let answer = flown.node_status(client, &node).await?;
            ear.note(&answer);
            let status = Arc::new(answer.value.clone());
            let load = status.loadavg.iter().flatten().flatten();
            Payload::NodeStatus(NodeFacts {
                version: status.pveversion.as_deref().map(Text::from),
                load: load.map(|load| Text::from(format!("{load:.2}"))).collect(),
                status,
            })
        }
        Job::Certificates(node) => certificates(&node, client, ear).await?,
        Job::Config(at) => {
            let answer = flown.config(client, &at).await?;
            ear.note(&answer);
            Payload::Config(answer)
        }
        Job::Addresses(at) => {
            let answer = flown.addresses(client, &at).await?;
            ear.note(&answer);
            Payload::Addresses(rows::interfaces(&answer.value.interfaces.rows))
        }
        Job::Glimpse(at) => {
            let answer = flown.status(client, &at).await?;
            ear.note(&answer);
            Payload::Glimpse(rows::glimpse(&answer.value))
        }
        Job::Inquiry(at) => Payload::Inquiry(inquire(&at, client, ear).await?),
    })
}

async fn resources(expected: BTreeSet<Vmid>, client: &Client, ear: &mut Ear) -> Result<Payload, Error> {
    let rows = ear.run(client, call::cluster::resources(None)).await?;
    let took = ear.took;
    let (listing, nameless) = rows::listing(rows);
    ear.drift.unreadable.extend(nameless);
    let listed: BTreeSet<Vmid> = listing.guests.iter().map(|guest| guest.vmid).collect();
    // Absence means something only under unchanged permissions, so they are read again behind the listing.
    let after = if expected.is_subset(&listed) {
        None
    } else {
        ear.run(client, call::access::permissions()).await.ok().map(|held| rows::mark(&held))
    };
    ear.took = took;
    Ok(Payload::Resources { listing: Box::new(listing), after })
}

async fn certificates(node: &NodeName, client: &Client, ear: &mut Ear) -> Result<Payload, Error> {
    let rows = ear.run(client, call::node::certificates(node.as_str())).await?.rows;
    let named = |name: &str| rows.iter().find(|row| row.filename.as_deref() == Some(name));
    // A certificate of one's own takes the place of the one that the cluster issued.
    let served = named("pveproxy-ssl.pem").or_else(|| named("pve-ssl.pem"));
    let ends = served.and_then(|row| row.notafter).and_then(|at| Timestamp::from_second(at).ok());
    let authority = named("pve-root-ca.pem").and_then(|row| row.fingerprint.as_deref()).map(Text::from);
    Ok(Payload::Certificates { ends, authority })
}

/// Asks a guest's own node whether it has it.
async fn inquire(at: &Place, client: &Client, ear: &mut Ear) -> Result<Inquiry, Error> {
    let call = call::guest::config(at.node.as_str(), rows::pve_kind(at.kind), at.vmid.0, false);
    match ear.run(client, call).await {
        Ok(_) => Ok(Inquiry::Exists),
        Err(error) => match error.kind() {
            ErrorKind::Server { text, .. } if denies(text, at.vmid) => Ok(Inquiry::DoesNotExist),
            ErrorKind::PrivilegeMissing { .. } => Ok(Inquiry::Forbidden),
            _ => Err(error),
        },
    }
}

/// Whether these are the words of a node that does not have this guest's configuration. Other things may be
/// missing, too (the node itself, when its name no longer resolves), and prove nothing about the guest.
fn denies(text: &str, vmid: Vmid) -> bool {
    text.contains("onfiguration file")
        && text.contains(&format!("/{vmid}.conf'"))
        && text.contains("does not exist")
}

/// What tells one life of a number from another, out of its configuration.
pub(crate) fn traits(kind: GuestKind, config: &GuestConfig) -> Traits {
    Traits { kind: Some(kind), ctime: config.ctime(), vmgenid: config.vmgenid().map(Text::from) }
}

/// How a task stands, with the last lines of its log if it did not end well.
pub(crate) async fn task(
    upid: &Upid,
    lines: u64,
    client: &Client,
    ear: &mut Ear,
) -> Result<(TaskOutcome, Vec<Text>), Error> {
    let status = ear.run(client, call::task::status(upid.node(), upid)).await?;
    let outcome = match (status.status.as_deref(), status.exitstatus.as_deref()) {
        (_, Some(exit)) if !exit.is_empty() => TaskOutcome::from_exit(exit),
        (Some("running"), _) => TaskOutcome::Running,
        // Stopped without an exit status: its end was not recorded, so it is not known.
        _ => TaskOutcome::Unknown,
    };
    let last = match &outcome {
        TaskOutcome::Failed { .. } | TaskOutcome::Warnings { .. } => {
            last_lines(upid, lines, client, ear).await.unwrap_or_default()
        }
        _ => Vec::new(),
    };
    Ok((outcome, last))
}

async fn last_lines(upid: &Upid, lines: u64, client: &Client, ear: &mut Ear) -> Result<Vec<Text>, Error> {
    let page = ear.run(client, call::task::log(upid.node(), upid, 0, lines)).await?;
    let total = page.total.unwrap_or_default();
    let page = if total > lines {
        ear.run(client, call::task::log(upid.node(), upid, total - lines, lines)).await?
    } else {
        page
    };
    Ok(page.rows.iter().map(|line| Text::from(line.text())).collect())
}

/// The tasks of a guest on a node that were started at `from` or later, and whether the list was read to there.
pub(crate) async fn search(
    node: &NodeName,
    vmid: Vmid,
    from: Timestamp,
    page: u64,
    client: &Client,
    ear: &mut Ear,
) -> Result<(Vec<Task>, bool), Error> {
    let mut tasks: Vec<Task> = Vec::new();
    for n in 0..PAGES {
        let query = TaskQuery {
            start: Some(n * page),
            limit: Some(page),
            vmid: Some(vmid.0),
            source: Some(TaskSource::All),
            ..TaskQuery::default()
        };
        let rows = ear.run(client, call::task::list(node.as_str(), &query)).await?;
        if !rows.unreadable.is_empty() {
            // The row that could not be read may be the one.
            tasks.extend(rows.rows.iter().map(rows::task));
            return Ok((tasks, false));
        }
        let count = u64::try_from(rows.rows.len()).unwrap_or(u64::MAX);
        // The list goes back by when tasks ended: one that ran for long stands before others that began later.
        let past = rows.rows.last().and_then(|row| rows::task(row).ended).is_some_and(|ended| ended < from);
        tasks.extend(rows.rows.iter().map(rows::task));
        if count < page || past {
            return Ok((tasks, true));
        }
    }
    Ok((tasks, false))
}

/// A guest's state now, as its node and the HA manager see it.
pub(crate) async fn guest_now(
    at: &Place,
    client: &Client,
    ear: &mut Ear,
) -> Result<(GuestState, Option<Text>), Error> {
    let call = call::guest::status(at.node.as_str(), rows::pve_kind(at.kind), at.vmid.0);
    let status = ear.run(client, call).await?;
    let ha = status.ha.as_ref().and_then(|ha| ha.state.as_deref()).map(Text::from);
    Ok((rows::state_of(&status), ha))
}

/// Whether a task is one of the HA manager.
pub(crate) fn is_ha(task: &TaskId) -> bool {
    task.as_str().parse::<Upid>().is_ok_and(|upid| upid.task_type().starts_with("ha"))
}

/// A value with its observation.
pub(crate) fn observed<T>(value: T, at: Timestamp, through: &EndpointId) -> Observed<T> {
    Observed { value, at, through: through.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_missing_configuration_of_this_guest_proves_that_it_is_gone() {
        for (text, proves) in [
            ("Configuration file 'nodes/pve1/lxc/102.conf' does not exist", true),
            ("Configuration file 'nodes/pve1/qemu-server/102.conf' does not exist\n", true),
            ("Configuration file 'nodes/pve1/lxc/1102.conf' does not exist", false),
            (
                "hostname lookup 'pve1' failed - failed to get address info for: pve1: Name or service not known",
                false,
            ),
            ("no such cluster node 'pve1'", false),
            ("storage 'x' does not exist", false),
        ] {
            assert_eq!(denies(text, Vmid(102)), proves, "{text}");
        }
    }

    #[test]
    fn tasks_of_the_ha_manager_are_told_by_their_type() {
        let upid =
            |kind: &str| TaskId::from(format!("UPID:pve1:00000001:00000002:6A4BB5C8:{kind}:101:root@pam:"));
        assert!(is_ha(&upid("hastart")) && is_ha(&upid("hastop")));
        assert!(!is_ha(&upid("vzstart")) && !is_ha(&TaskId::from("rubbish")));
    }
}
