//! What a remote is told by people, by readers and by the fleet.

use std::sync::Arc;
use std::time::Duration;

use model::link::Event;
use model::outage::Pace;
use model::{
    Author, Cause, ConfigChange, EndpointId, Event as Line, Failure, Happening, LinkState, Now, Observed,
    OperationId, Rights, TaskId, Vmid, operation,
};
use pve::address::Address;
use pve::drift::Drift;
use pve::reply::GuestConfig;
use pve::{Credential, Error, Factor, TrustPolicy};
use tokio::sync::oneshot;

use super::schedule::Part;
use super::wish::{OperateError, Resolution, ResolveError, TakeBackError, Wish};
use super::{Done, Errand, Remote};
use crate::inventory::{Glimpse, Reading};
use crate::journal::{Fact, Receipt, Recorded};
use crate::lines::retrust;
use crate::onboard::MintedToken;
use crate::spec::{LOST_CREDENTIAL, RemoteEdit, RemoteSpec};
use model::rows::Interface;

/// A remote was not disconnected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DisconnectError {
    /// There is no such remote.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// Operations on it have not ended; they would not be followed any more.
    #[error("{} operation(s) on it have not ended and would not be followed", .0.len())]
    OpenOperations(Vec<OperationId>),
    /// It could not be recorded, so nothing was changed.
    #[error("it stays connected: {0}")]
    NotRecorded(String),
    /// Another process looks after the remote, or none does.
    #[error("{0}")]
    Elsewhere(Cause),
}

/// What is known of how to reach or poll a remote was not changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EditError {
    /// There is no such remote.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// The name is none, or another remote has it.
    #[error("{0}")]
    Name(String),
    /// There is no such endpoint, or it is there already, or it is the only one.
    #[error("{0}")]
    Endpoint(String),
    /// It could not be recorded, so nothing was changed.
    #[error("nothing was changed: {0}")]
    NotRecorded(String),
    /// Another process looks after the remote, or none does.
    #[error("{0}")]
    Elsewhere(Cause),
}

/// A change of the specification could not be recorded.
struct Unrecorded(String);

impl From<Unrecorded> for EditError {
    fn from(error: Unrecorded) -> Self {
        Self::NotRecorded(error.0)
    }
}

/// Applies an edit; says what is different.
fn apply(spec: &mut RemoteSpec, edit: RemoteEdit) -> Vec<ConfigChange> {
    let mut changes = Vec::new();
    let mut note = |key: &str, from: Option<String>, to: Option<String>| {
        if from != to {
            changes.push(ConfigChange { key: key.into(), from, to });
        }
    };
    let spelt = |interval: Option<Duration>| interval.map(model::time::spell);
    if let Some(name) = edit.name {
        note("name", Some(spec.name.clone()), Some(name.clone()));
        spec.name = name;
    }
    if let Some(interval) = edit.interval {
        note("interval", spelt(spec.interval), spelt(interval));
        spec.interval = interval;
    }
    if let Some(url) = edit.web_url {
        note("web_url", spec.web_url.clone(), url.clone());
        spec.web_url = url;
    }
    changes
}

/// What is trusted, in words.
fn trust_words(trust: &TrustPolicy) -> String {
    let mut kinds = Vec::new();
    if let Some(leaf) = &trust.leaf {
        kinds.push(format!("the certificate {leaf}"));
    }
    if !trust.ca.is_empty() {
        kinds.push("certificates of its own authority".to_owned());
    }
    if trust.system {
        kinds.push("whatever the system trusts".to_owned());
    }
    if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", or ") }
}

/// Who wants a change, and what is to be recorded with it.
#[derive(Clone, Copy)]
struct By<'a> {
    author: &'a Author,
    receipt: Option<&'a Receipt>,
}

/// What is to be changed about a remote itself.
pub(crate) enum Edit {
    Facts(RemoteEdit),
    Trust { endpoint: EndpointId, trust: TrustPolicy },
    Credential { credential: Credential, rights: Option<Rights>, minted: Option<MintedToken> },
    Add { address: Address, trust: TrustPolicy },
    Remove { endpoint: EndpointId },
}

/// What a remote is told.
pub(crate) enum Message {
    Disconnect {
        author: Author,
        even_with_open: bool,
        receipt: Option<Receipt>,
        reply: oneshot::Sender<Result<(), DisconnectError>>,
    },
    Connect {
        author: Author,
        receipt: Option<Receipt>,
        reply: oneshot::Sender<Result<(), EditError>>,
    },
    Edit {
        edit: Box<Edit>,
        author: Author,
        receipt: Option<Receipt>,
        reply: oneshot::Sender<Result<(), EditError>>,
    },
    /// It is to be removed: the reply tells its open operations; it goes when told so, and else goes on.
    Leave {
        reply: oneshot::Sender<Result<Vec<Recorded>, Cause>>,
        go: oneshot::Receiver<bool>,
    },
    /// Another process is to look after it: it ends, unless an operation is open. The reply says whether it does.
    Yield {
        reply: oneshot::Sender<bool>,
    },
    /// What it is now.
    Spec {
        reply: oneshot::Sender<Box<RemoteSpec>>,
    },
    Resolve {
        operation: OperationId,
        resolution: Resolution,
        author: Author,
        reply: oneshot::Sender<Result<(), ResolveError>>,
    },
    /// An operation is taken back, unless it was sent.
    TakeBack {
        operation: OperationId,
        author: Author,
        reply: oneshot::Sender<Result<(), TakeBackError>>,
    },
    TryNow,
    Pace(Pace),
    /// The reply has an answer for each guest, in their order.
    Operate {
        wish: Box<Wish>,
        receipt: Option<Receipt>,
        reply: oneshot::Sender<Vec<Result<OperationId, OperateError>>>,
    },
    /// Somebody asks for a task to end; it may be that of an operation. The reply says whether that is recorded.
    CancelAsked {
        task: TaskId,
        author: Author,
        reply: oneshot::Sender<bool>,
    },
    /// The wish was refused, or never left.
    CancelRefused {
        task: TaskId,
        cause: Cause,
    },
    SecondFactor {
        factor: Factor,
        reply: oneshot::Sender<Result<(), Failure>>,
    },
    /// A call made on behalf of a reader ended.
    Heard {
        epoch: u64,
        endpoint: EndpointId,
        result: Result<(), Error>,
        /// What was odd about the answer, unless it is read by the clock as well.
        drift: Drift,
    },
    /// A guest was asked for its state.
    Glimpse {
        vmid: Vmid,
        glimpse: Glimpse,
        reading: Reading,
    },
    /// A reader has seen a guest's configuration.
    Config {
        vmid: Vmid,
        begun: Duration,
        seen: Observed<Arc<GuestConfig>>,
    },
    /// A reader has seen a guest's addresses.
    Addresses {
        vmid: Vmid,
        begun: Duration,
        seen: Observed<Vec<Interface>>,
    },
    Stop,
}

impl Remote {
    pub(super) async fn told(&mut self, message: Message) {
        let now = self.now();
        self.dirty = true;
        match message {
            Message::Disconnect { author, even_with_open, receipt, reply } => {
                let done = self.disconnect_asked(&author, even_with_open, receipt.as_ref(), now).await;
                let _ = reply.send(done);
            }
            Message::Connect { author, receipt, reply } => {
                let _ = reply.send(self.connect_asked(&author, receipt.as_ref(), now).await);
            }
            Message::Edit { edit, author, receipt, reply } => {
                let _ = reply
                    .send(self.edit(*edit, By { author: &author, receipt: receipt.as_ref() }, now).await);
            }
            Message::Spec { reply } => {
                let _ = reply.send(Box::new(self.spec.clone()));
            }
            Message::Resolve { operation, resolution, author, reply } => {
                let _ = reply.send(self.resolve(operation, resolution, &author, now).await);
            }
            Message::TakeBack { operation, author, reply } => {
                let _ = reply.send(self.take_back(operation, &author, now).await);
            }
            Message::TryNow => self.step(Event::TryNow, now),
            Message::Pace(pace) => self.step(Event::Pace(pace), now),
            Message::Operate { wish, receipt, reply } => {
                let _ = reply.send(self.take_on(&wish, receipt.as_ref(), now).await);
            }
            Message::CancelAsked { task, author, reply } => {
                let line = Line {
                    task: Some(task.clone()),
                    ..Line::of(self.id, now.wall, Happening::TaskEndAsked).by(&author)
                };
                self.facts.push(Fact::Event(Box::new(line)));
                self.step_task(&task, operation::Event::CancelAsked { by: author.name }, now);
                let recorded = self.publish().await;
                let _ = reply.send(recorded);
            }
            Message::CancelRefused { task, cause } => {
                self.step_task(&task, operation::Event::CancelRefused { cause }, now);
            }
            Message::SecondFactor { factor, reply } => self.second_factor(factor, reply, now),
            Message::Heard { epoch, endpoint, result, drift } => {
                self.note_odd(drift);
                self.overheard(epoch, &endpoint, result.as_ref().copied(), true, now);
            }
            Message::Glimpse { vmid, glimpse, reading } => {
                let changes = self.inventory.glimpse(vmid, glimpse, &reading, now);
                self.note(changes, now);
            }
            Message::Config { vmid, begun, seen } => self.configs.push((vmid, begun, seen)),
            Message::Addresses { vmid, begun, seen } => {
                if self.inventory.is_about(vmid, begun) {
                    self.inventory.take_addresses(vmid, seen);
                }
            }
            Message::Leave { .. } | Message::Yield { .. } | Message::Stop => {}
        }
    }

    async fn disconnect_asked(
        &mut self,
        author: &Author,
        even_with_open: bool,
        receipt: Option<&Receipt>,
        now: Now,
    ) -> Result<(), DisconnectError> {
        let open = self.open_rides();
        if !open.is_empty() && !even_with_open {
            return Err(DisconnectError::OpenOperations(open));
        }
        if !matches!(self.link.state(), LinkState::Disconnected { .. }) {
            let mut spec = self.spec.clone();
            spec.disconnected = Some((author.name.clone(), now.wall));
            self.respec(spec, false, vec![Happening::RemoteDisconnected], By { author, receipt }, now)
                .await
                .map_err(|error| DisconnectError::NotRecorded(error.0))?;
            self.disconnect(author.name.clone(), now);
        }
        self.publish().await;
        Ok(())
    }

    async fn connect_asked(
        &mut self,
        author: &Author,
        receipt: Option<&Receipt>,
        now: Now,
    ) -> Result<(), EditError> {
        if !matches!(self.link.state(), LinkState::Disconnected { .. }) {
            return Ok(());
        }
        let mut spec = self.spec.clone();
        spec.disconnected = None;
        self.respec(spec, false, vec![Happening::RemoteConnected], By { author, receipt }, now).await?;
        self.step(Event::Connect, now);
        self.follow_rides(now);
        self.publish().await;
        Ok(())
    }

    async fn edit(&mut self, edit: Edit, by: By<'_>, now: Now) -> Result<(), EditError> {
        let mut spec = self.spec.clone();
        match edit {
            Edit::Facts(edit) => {
                let changes = apply(&mut spec, edit);
                if !changes.is_empty() {
                    self.respec(spec, false, vec![Happening::RemoteEdited { changes }], by, now).await?;
                    self.schedule.set_interval(self.spec.interval);
                    let interval = self.schedule.interval(&Part::Resources);
                    self.step(Event::Interval(interval), now);
                }
            }
            Edit::Trust { endpoint, trust } => {
                let told = trust_words(&trust);
                if !retrust(&mut spec, &endpoint, trust) {
                    return Err(EditError::Endpoint(format!("it has no endpoint {endpoint}")));
                }
                let what = Happening::RemoteTrusted { endpoint, trust: told };
                self.respec(spec, false, vec![what], by, now).await?;
                self.reopen(now);
            }
            Edit::Credential { credential, rights, minted } => {
                let what = Happening::RemoteCredential { user: credential.authid().into() };
                spec.credential = credential;
                (spec.rights, spec.minted) = (rights, minted);
                if matches!(&spec.disconnected, Some((by, _)) if by == LOST_CREDENTIAL) {
                    spec.disconnected = None;
                }
                let connects = self.spec.disconnected.is_some() && spec.disconnected.is_none();
                self.respec(spec, true, vec![what], by, now).await?;
                self.link.signs_in_with(self.spec.login());
                if connects {
                    self.step(Event::Connect, now);
                }
                self.reopen(now);
            }
            Edit::Add { address, trust } => {
                let endpoint = EndpointId::from(address.to_string());
                if spec.ids().contains(&endpoint) {
                    return Err(EditError::Endpoint(format!("{endpoint} is one of its endpoints already")));
                }
                let told = trust_words(&trust);
                spec.endpoints.push((address, trust));
                let added = ConfigChange {
                    key: "endpoint".into(),
                    from: None,
                    to: Some(endpoint.as_str().to_owned()),
                };
                let lines = vec![
                    Happening::RemoteEdited { changes: vec![added] },
                    Happening::RemoteTrusted { endpoint, trust: told },
                ];
                self.respec(spec, false, lines, by, now).await?;
                self.other_endpoints(now);
            }
            Edit::Remove { endpoint } => {
                if !spec.ids().contains(&endpoint) {
                    return Err(EditError::Endpoint(format!("it has no endpoint {endpoint}")));
                }
                if spec.endpoints.len() == 1 {
                    return Err(EditError::Endpoint(
                        "it is the only one; remove the remote instead".to_owned(),
                    ));
                }
                spec.endpoints.retain(|(address, _)| address.to_string() != endpoint.as_str());
                let gone = ConfigChange {
                    key: "endpoint".into(),
                    from: Some(endpoint.as_str().to_owned()),
                    to: None,
                };
                self.respec(spec, false, vec![Happening::RemoteEdited { changes: vec![gone] }], by, now)
                    .await?;
                self.versions.remove(&endpoint);
                self.other_endpoints(now);
            }
        }
        self.publish().await;
        Ok(())
    }

    /// Takes over another specification once it is recorded, with what history says of that.
    async fn respec(
        &mut self,
        spec: RemoteSpec,
        credential: bool,
        lines: Vec<Happening>,
        by: By<'_>,
        now: Now,
    ) -> Result<(), Unrecorded> {
        let kept = |write| Fact::Kept(Box::new(write));
        let mut facts = vec![kept(spec.record(self.id, self.identity.as_ref(), self.created, now.wall))];
        if credential {
            facts.push(kept(spec.sealed(self.id)));
        }
        for what in lines {
            facts.push(Fact::Event(Box::new(Line::of(self.id, now.wall, what).by(by.author))));
        }
        facts.extend(Receipt::facts(by.receipt, None));
        self.common.journal.commit(self.id, facts).await.map_err(|error| Unrecorded(error.to_string()))?;
        // What still waits to be recorded of the remote itself is older than this, and must not come after it.
        let older = |fact: &Fact| matches!(fact, Fact::Kept(one) if matches!(**one, store::Write::Remote(_)));
        self.facts.retain(|fact| !older(fact));
        self.spec = spec;
        Ok(())
    }

    /// Other endpoints than before: the clients of those that stay are made anew with them, for one session is
    /// shared by all.
    fn other_endpoints(&mut self, now: Now) {
        let ids = self.spec.ids();
        self.schedule.retain(|part| !matches!(part, Part::Version(id) if !ids.contains(id)));
        self.link.set_endpoints(ids, now);
        self.reopen(now);
        for endpoint in self.spec.ids() {
            self.schedule.want(Part::Version(endpoint), now.mono);
        }
    }

    fn disconnect(&mut self, by: String, now: Now) {
        self.step(Event::Disconnect { by: by.clone() }, now);
        self.children.abort_all();
        self.schedule.interrupted();
        self.interrupt_rides("the remote was disconnected while the answer was awaited", now);
        self.unfollow_rides(&by, now);
        self.close_lines();
        self.challenge = None;
    }

    /// New clients: what was believed or signed in with has changed.
    fn reopen(&mut self, now: Now) {
        self.close_lines();
        self.step(Event::Mended, now);
    }

    fn close_lines(&mut self) {
        let Some(lines) = self.lines.take() else { return };
        lines.shut();
        let (requests, bytes) = lines.counted();
        self.counted_before = (self.counted_before.0 + requests, self.counted_before.1 + bytes);
        self.shared.close();
        self.shared.flown.forget();
        self.spawn(Errand::Close, async move {
            lines.close().await;
            Done::Closed
        });
    }

    fn second_factor(&mut self, factor: Factor, reply: oneshot::Sender<Result<(), Failure>>, now: Now) {
        let endpoint = self.link.endpoint().cloned();
        let client = endpoint.as_ref().and_then(|at| self.lines().get(at).cloned());
        let (Some(challenge), Some(client), Some(endpoint)) = (self.challenge.clone(), client, endpoint)
        else {
            let cause = Cause::Internal { text: "no sign-in is waiting for a second factor".to_owned() };
            let _ = reply.send(Err(Failure { cause, endpoint: None, at: now.wall }));
            return;
        };
        let epoch = self.link.epoch();
        self.spawn(Errand::Factor, async move {
            let result = client.answer_second_factor(&challenge, &factor).await.map(|_| ());
            Done::Factor { epoch, endpoint, result, reply }
        });
    }
}
