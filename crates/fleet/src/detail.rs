//! One guest, one log, looked at closely, on demand: whoever asks for the same at the same time shares the
//! requests; what was known before is given where the remote does not answer.

use std::sync::Arc;
use std::time::Duration;

use model::{Cause, ChartSpan, EndpointId, Failure, GuestKind, LinkState, NodeName, Observed, Text, Vmid};
use pve::call::Call;
use pve::call::guest::Addresses;
use pve::decode::Rows;
use pve::drift::Drift;
use pve::reply::{GuestConfig, GuestStatus, LogLine, NodeStatus, PendingRow, RrdPoint, Volume};
use pve::upid::{Upid, UpidError};
use pve::{Answer, Client, Error, Method, Phase, call};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::errors::cause;
use crate::flight::Flights;
use crate::inventory::Reading;
use crate::journal::UnreadError;
use crate::remote::{Message, Place, Shared, Way};
use crate::rows;
use crate::snapshot::glimpsed;
use model::interfaces::Interfaces;
use model::rows::GuestRow;
use model::rows::Interface;

/// Nothing can be said.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DetailError {
    /// There is no such remote.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// There is no such guest.
    #[error("there is no guest {0} on this remote")]
    NoSuchGuest(Vmid),
    /// There is no such node.
    #[error("there is no such node on this remote")]
    NoSuchNode,
    /// There is no such storage, or not on that node.
    #[error("there is no such storage on this remote")]
    NoSuchStorage,
    /// Several nodes have a storage of that name, each to itself.
    #[error("several nodes have a storage of that name, each to itself")]
    WhichNode(Vec<NodeName>),
    /// What was given is no task id.
    #[error("{0}")]
    NotATask(String),
    /// The call failed, or the link is not up.
    #[error("{0}")]
    Failed(Failure),
}

/// Everything known of one guest.
#[derive(Debug, Clone, Serialize)]
pub struct GuestDetail {
    /// Its row.
    pub row: GuestRow,
    /// `GET …/status/current`.
    pub status: Part<GuestStatus>,
    /// `GET …/config`: pending values merged in.
    pub config: Part<GuestConfig>,
    /// `GET …/pending`: key by key.
    pub pending: Part<Vec<PendingRow>>,
    /// Interfaces with addresses, of a running guest.
    pub addresses: Part<Vec<Interface>>,
    /// Fields and rows of these replies that did not fit.
    pub drift: Vec<pve::drift::DriftRecord>,
}

/// One part of a detail: the value as last seen, and why it could not be seen anew, if it could not.
#[derive(Debug, Clone, Serialize)]
#[serde(bound = "T: Serialize")]
pub struct Part<T> {
    /// As last seen.
    #[serde(serialize_with = "seen")]
    pub seen: Option<Observed<Arc<T>>>,
    /// Why not now.
    pub error: Option<Failure>,
}

/// Some lines of a task's log. Endpoint: `GET /nodes/{node}/tasks/{upid}/log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogPage {
    /// The number of the first of these lines, from 0.
    pub start: u64,
    /// The lines.
    pub lines: Vec<Text>,
    /// How many there are in all, where Proxmox said.
    pub total: Option<u64>,
}

fn seen<T: Serialize, S: serde::Serializer>(
    seen: &Option<Observed<Arc<T>>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let plain = seen.as_ref().map(|seen| Observed {
        value: seen.value.as_ref(),
        at: seen.at,
        through: seen.through.clone(),
    });
    plain.serialize(to)
}

/// The endpoint belongs to it: what one answers says nothing about another.
type Key = (String, Vmid, NodeName, GuestKind);
pub(crate) type Flight<T> = Result<Arc<Answer<T>>, Error>;
type Page = (String, String, u64, u64);

/// Requests about guests, nodes, storages and tasks that are under way, whoever made them.
#[derive(Clone, Default)]
pub(crate) struct Flown {
    status: Flights<Key, Flight<GuestStatus>>,
    config: Flights<Key, Flight<GuestConfig>>,
    pending: Flights<Key, Flight<Rows<PendingRow>>>,
    addresses: Flights<Key, Flight<Addresses>>,
    logs: Flights<Page, Flight<Rows<LogLine>>>,
    charts: Flights<(String, String, ChartSpan), Flight<Rows<RrdPoint>>>,
    nodes: Flights<(String, NodeName), Flight<NodeStatus>>,
    contents: Flights<(String, NodeName, Text), Flight<Rows<Volume>>>,
}

async fn join<K, T>(flights: &Flights<K, Flight<T>>, key: K, client: &Client, call: Call<T>) -> Flight<T>
where
    K: Eq + std::hash::Hash + Clone + Send + 'static,
    T: Send + Sync + 'static,
{
    let client = client.clone();
    flights.join(key, || async move { client.run(call).await.map(Arc::new) }).await
}

// === impl Flown ===

impl Flown {
    pub(crate) async fn config(&self, client: &Client, at: &Place) -> Flight<GuestConfig> {
        let call = call::guest::config(at.node.as_str(), rows::pve_kind(at.kind), at.vmid.0, false);
        join(&self.config, at.key(client), client, call).await
    }

    pub(crate) async fn addresses(&self, client: &Client, at: &Place) -> Flight<Addresses> {
        let call = call::guest::addresses(at.node.as_str(), rows::pve_kind(at.kind), at.vmid.0);
        join(&self.addresses, at.key(client), client, call).await
    }

    pub(crate) async fn status(&self, client: &Client, at: &Place) -> Flight<GuestStatus> {
        let call = call::guest::status(at.node.as_str(), rows::pve_kind(at.kind), at.vmid.0);
        join(&self.status, at.key(client), client, call).await
    }

    async fn pending(&self, client: &Client, at: &Place) -> Flight<Rows<PendingRow>> {
        let call = call::guest::pending(at.node.as_str(), rows::pve_kind(at.kind), at.vmid.0);
        join(&self.pending, at.key(client), client, call).await
    }

    pub(crate) async fn node_status(&self, client: &Client, node: &NodeName) -> Flight<NodeStatus> {
        let key = (client.endpoint().to_owned(), node.clone());
        join(&self.nodes, key, client, call::node::status(node.as_str())).await
    }

    pub(crate) async fn content(
        &self,
        client: &Client,
        node: &NodeName,
        storage: &Text,
    ) -> Flight<Rows<Volume>> {
        let key = (client.endpoint().to_owned(), node.clone(), storage.clone());
        let call = call::storage::content(node.as_str(), storage.as_str());
        join(&self.contents, key, client, call).await
    }

    pub(crate) async fn chart(
        &self,
        client: &Client,
        call: Call<Rows<RrdPoint>>,
        span: ChartSpan,
    ) -> Flight<Rows<RrdPoint>> {
        let key = (client.endpoint().to_owned(), call.path().to_owned(), span);
        join(&self.charts, key, client, call).await
    }

    /// Nothing that is under way is joined any more: it goes through clients that are no longer in use.
    pub(crate) fn forget(&self) {
        self.status.forget();
        self.config.forget();
        self.pending.forget();
        self.addresses.forget();
        self.logs.forget();
        self.charts.forget();
        self.nodes.forget();
        self.contents.forget();
    }
}

impl Place {
    fn key(&self, client: &Client) -> Key {
        (client.endpoint().to_owned(), self.vmid, self.node.clone(), self.kind)
    }
}

/// Asks a remote on behalf of its readers.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mailbox: mpsc::Sender<Message>,
}

// === impl Asker ===

impl Asker {
    pub(crate) fn new(shared: Arc<Shared>, mailbox: mpsc::Sender<Message>) -> Self {
        Self { shared, mailbox }
    }

    /// The way in, if the link is up.
    pub(crate) fn way(&self) -> Result<Arc<Way>, Failure> {
        if let Some(cause) = self.shared.not_ours() {
            return Err(Failure { cause, endpoint: None, at: self.shared.clock.wall() });
        }
        self.shared.way.load_full().ok_or_else(|| self.link_failure())
    }

    /// Tells the remote's task how a request ended, and says the same in Muster's words.
    pub(crate) fn heard<T>(&self, way: &Way, result: Result<T, Error>, drift: Drift) -> Result<T, Failure> {
        let ended = result.as_ref().map(|_| ()).map_err(Clone::clone);
        let heard = Message::Heard { epoch: way.epoch, endpoint: way.endpoint.clone(), result: ended, drift };
        // A full mailbox means that the task hears enough already.
        let _ = self.mailbox.try_send(heard);
        result.map_err(|error| match self.way() {
            // It was kept from leaving because the way was closed meanwhile.
            Err(closed) if error.phase() == Phase::Local => closed,
            _ => {
                let endpoint = Some(way.endpoint.clone());
                Failure { cause: cause(&error), endpoint, at: self.shared.clock.wall() }
            }
        })
    }

    /// Asks the endpoint in use, unless what is known is `fresh`: then there is nothing to tell. `on_demand`: nothing else
    /// reads it, so what of the answer does not fit is told to the remote's task.
    pub(crate) async fn anew<T, F>(
        &self,
        fresh: bool,
        on_demand: bool,
        fly: impl FnOnce(Client) -> F,
    ) -> Result<Option<Arc<Answer<T>>>, Failure>
    where
        F: Future<Output = Flight<T>>,
    {
        let way = self.way()?;
        if fresh {
            return Ok(None);
        }
        let client = way.lines.get(&way.endpoint).cloned().ok_or_else(|| self.link_failure())?;
        let answer = fly(client).await;
        let odd = answer.as_ref().ok().filter(|_| on_demand).map(|answer| answer.drift.clone());
        self.heard(&way, answer, odd.unwrap_or_default()).map(Some)
    }

    /// Something that was answered just now.
    pub(crate) fn seen<T, U>(&self, answer: &Answer<T>, value: U) -> Observed<Arc<U>> {
        let through = EndpointId::from(answer.endpoint.as_str());
        Observed { value: Arc::new(value), at: self.shared.clock.wall(), through }
    }

    /// Why nothing can be asked, by the link.
    pub(crate) fn link_failure(&self) -> Failure {
        let snapshot = self.shared.snapshot.load();
        let state = self.shared.link_state();
        let cause = match state.as_ref().unwrap_or(&snapshot.link.state) {
            LinkState::Disconnected { by } => Cause::Disconnected { by: by.clone() },
            state if state.is_up() => {
                Cause::NotSendable { what: "its connections were closed meanwhile".to_owned() }
            }
            state => state.cause().cloned().unwrap_or(Cause::NoAnswer { after: Duration::ZERO }),
        };
        Failure { cause, endpoint: snapshot.link.in_use().cloned(), at: self.shared.clock.wall() }
    }

    /// A guest's configuration as last read; or why that cannot be told.
    async fn known_config(&self, vmid: Vmid) -> Part<GuestConfig> {
        match self.shared.known_config(vmid).await {
            Ok(seen) => Part { seen, error: None },
            Err(error) => Part { seen: None, error: Some(self.untold(vmid, &error)) },
        }
    }

    /// Why a guest's configuration cannot be told as last read.
    pub(crate) fn untold(&self, vmid: Vmid, error: &UnreadError) -> Failure {
        tracing::warn!(remote = %self.shared.snapshot.load().name, %vmid, %error, "a configuration is not told");
        let cause = Cause::Internal { text: error.to_string() };
        Failure { cause, endpoint: None, at: self.shared.clock.wall() }
    }

    /// Everything that is known of one guest, without asking anew.
    pub(crate) async fn known(&self, vmid: Vmid) -> Result<GuestDetail, DetailError> {
        let row = self.shared.snapshot.load().guest(vmid).ok_or(DetailError::NoSuchGuest(vmid))?.clone();
        let config = self.known_config(vmid).await;
        let addresses = row.addresses.as_deref().map(listed);
        Ok(GuestDetail::as_last_seen(row, config, addresses, None))
    }

    /// Everything about one guest: read now where that can be done, else as last seen.
    pub(crate) async fn guest(&self, vmid: Vmid) -> Result<GuestDetail, DetailError> {
        let snapshot = self.shared.snapshot.load_full();
        let mut row = snapshot.guest(vmid).ok_or(DetailError::NoSuchGuest(vmid))?.clone();
        let before = self.known_config(vmid).await;
        let known = row.addresses.as_deref().map(listed);
        let way = match self.way() {
            Ok(way) => way,
            Err(error) => return Ok(GuestDetail::as_last_seen(row, before, known, Some(&error))),
        };
        let Some(client) = way.lines.get(&way.endpoint) else {
            return Ok(GuestDetail::as_last_seen(row, before, known, Some(&self.link_failure())));
        };
        let place = Place { vmid, kind: row.guest.kind, node: row.guest.node.clone() };
        let runs = row.guest.state == model::GuestState::Running;
        let begun = self.shared.clock.now().mono;
        let flown = &self.shared.flown;
        let (status, config, pending, addresses) = tokio::join!(
            flown.status(client, &place),
            flown.config(client, &place),
            flown.pending(client, &place),
            async { if runs { Some(flown.addresses(client, &place).await) } else { None } },
        );
        let mut drift = Drift::default();
        if let Ok(answer) = &status {
            self.glimpsed(&place, answer, begun, &way).await;
            glimpsed(&mut row, rows::glimpse(&answer.value), self.shared.clock.wall(), &way.endpoint);
        }
        let status = self.part(&way, status, None, &mut drift, true, Clone::clone);
        let config = match self.part(&way, config, before.seen, &mut drift, false, Clone::clone) {
            // Why nothing was seen before outweighs why nothing is seen now, which the other parts tell.
            Part { seen: None, error: Some(now) } => Part { seen: None, error: before.error.or(Some(now)) },
            part => part,
        };
        let pending = self.part(&way, pending, None, &mut drift, true, |rows| rows.rows.clone());
        let addresses = match addresses {
            None => Part { seen: known, error: None },
            Some(found) => {
                let make = |found: &Addresses| rows::interfaces(&found.interfaces.rows);
                let part = self.part(&way, found, known, &mut drift, false, make);
                if let (Some(seen), None) = (&part.seen, &part.error) {
                    let seen = seen.clone().map(|seen| (*seen).clone());
                    let _ = self.mailbox.try_send(Message::Addresses { vmid, begun, seen });
                }
                part
            }
        };
        if let (Some(seen), None) = (&config.seen, &config.error) {
            let _ = self.mailbox.try_send(Message::Config { vmid, begun, seen: seen.clone() });
        }
        Ok(GuestDetail { row, status, config, pending, addresses, drift: drift.records })
    }

    /// Tells the remote's task what a guest said of itself.
    async fn glimpsed(&self, at: &Place, answer: &Answer<GuestStatus>, begun: Duration, way: &Way) {
        let reading = Reading { begun, through: way.endpoint.clone() };
        let glimpse = rows::glimpse(&answer.value);
        let _ = self.mailbox.send(Message::Glimpse { vmid: at.vmid, glimpse, reading }).await;
    }

    /// Has a guest asked for its state now, so that nothing is refused by an old listing. What cannot be asked stays
    /// as it is known.
    pub(crate) async fn glance(&self, vmid: Vmid) {
        let snapshot = self.shared.snapshot.load_full();
        let (Some(row), Ok(way)) = (snapshot.guest(vmid), self.way()) else { return };
        let Some(client) = way.lines.get(&way.endpoint) else { return };
        let place = Place { vmid, kind: row.guest.kind, node: row.guest.node.clone() };
        let begun = self.shared.clock.now().mono;
        let answer = self.shared.flown.status(client, &place).await;
        if let Ok(answer) = &answer {
            self.glimpsed(&place, answer, begun, &way).await;
        }
        let drift = answer.as_ref().map(|answer| answer.drift.clone()).unwrap_or_default();
        let _ = self.heard(&way, answer, drift);
    }

    /// One part of a detail. `on_demand`: nothing else reads it, so its drift is told to the remote's task.
    fn part<T, U>(
        &self,
        way: &Way,
        answer: Flight<T>,
        before: Option<Observed<Arc<U>>>,
        drift: &mut Drift,
        on_demand: bool,
        make: impl FnOnce(&T) -> U,
    ) -> Part<U> {
        let told = answer.as_ref().ok().filter(|_| on_demand).map(|answer| answer.drift.clone());
        match self.heard(way, answer, told.unwrap_or_default()) {
            Ok(answer) => {
                drift.absorb(answer.drift.clone());
                let through = EndpointId::from(answer.endpoint.as_str());
                let value = Arc::new(make(&answer.value));
                Part { seen: Some(Observed { value, at: self.shared.clock.wall(), through }), error: None }
            }
            Err(failure) => Part { seen: before, error: Some(failure) },
        }
    }

    /// The client of the endpoint in use, while the link is up.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let way = self.way()?;
        way.lines.get(&way.endpoint).cloned().ok_or_else(|| self.link_failure())
    }

    /// Some lines of a task's log.
    pub(crate) async fn log(&self, upid: &str, start: u64, limit: u64) -> Result<LogPage, DetailError> {
        let task: Upid = upid.parse().map_err(|error: UpidError| DetailError::NotATask(error.to_string()))?;
        let way = self.way().map_err(DetailError::Failed)?;
        let client = way.lines.get(&way.endpoint).ok_or_else(|| DetailError::Failed(self.link_failure()))?;
        let call = call::task::log(task.node(), &task, start, limit);
        let page = (client.endpoint().to_owned(), upid.to_owned(), start, limit);
        let answer = join(&self.shared.flown.logs, page, client, call).await;
        let drift = answer.as_ref().map(|answer| answer.drift.clone()).unwrap_or_default();
        let rows = self.heard(&way, answer, drift).map_err(DetailError::Failed)?;
        let lines = rows.value.rows.iter().map(|line| Text::from(line.text())).collect();
        Ok(LogPage { start, lines, total: rows.value.total })
    }

    /// Asks a task to stop. Sent once; whether it did is seen in its status. An error comes with whether the wish
    /// may have arrived all the same.
    pub(crate) async fn stop(&self, task: &Upid) -> Result<(), (Failure, bool)> {
        let way = self.way().map_err(|failure| (failure, false))?;
        let client = way.lines.get(&way.endpoint).ok_or_else(|| (self.link_failure(), false))?;
        let result = client.run(call::task::stop(task.node(), task)).await;
        let arrived = result.as_ref().err().is_some_and(|error| error.outcome_unknown(Method::Delete));
        self.heard(&way, result, Drift::default()).map(|_| ()).map_err(|failure| (failure, arrived))
    }
}

/// The interfaces of a row as a list.
fn listed(seen: &Observed<Interfaces>) -> Observed<Arc<Vec<Interface>>> {
    Observed { value: Arc::new(seen.value.to_vec()), at: seen.at, through: seen.through.clone() }
}

impl GuestDetail {
    /// What was known before, and why nothing could be read now, if that was tried.
    fn as_last_seen(
        row: GuestRow,
        config: Part<GuestConfig>,
        addresses: Option<Observed<Arc<Vec<Interface>>>>,
        error: Option<&Failure>,
    ) -> Self {
        let error = || error.cloned();
        Self {
            row,
            status: Part { seen: None, error: error() },
            config: Part { seen: config.seen, error: config.error.or_else(error) },
            pending: Part { seen: None, error: error() },
            addresses: Part { seen: addresses, error: error() },
            drift: Vec::new(),
        }
    }
}
