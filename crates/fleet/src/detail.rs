//! One guest, one log, looked at closely, on demand: whoever asks for the same at the same time shares the
//! requests; what was known before is given where the remote does not answer.

use std::sync::Arc;

use jiff::Timestamp;
use model::{Cause, EndpointId, Failure, GuestKind, LinkState, NodeName, Observed, Text, Vmid};
use pve::call::Call;
use pve::call::guest::Addresses;
use pve::decode::Rows;
use pve::reply::{GuestConfig, GuestStatus, PendingRow};
use pve::upid::Upid;
use pve::{Error, call};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::errors::cause;
use crate::flight::Flights;
use crate::inventory::Interface;
use crate::remote::{Message, Shared};
use crate::rows;
use crate::snapshot::GuestRow;

/// Nothing can be said.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DetailError {
    /// There is no such remote.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// There is no such guest.
    #[error("there is no guest {0} on this remote")]
    NoSuchGuest(Vmid),
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

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { seen: None, error: None }
    }
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

type Answered<T> = Result<(Observed<Arc<T>>, Arc<pve::drift::Drift>), (Error, EndpointId, Timestamp)>;
type Key = (Vmid, NodeName, GuestKind);

/// Asks a remote on behalf of its readers.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mailbox: mpsc::Sender<Message>,
    status: Flights<Key, Answered<GuestStatus>>,
    config: Flights<Key, Answered<GuestConfig>>,
    pending: Flights<Key, Answered<Rows<PendingRow>>>,
    addresses: Flights<Key, Answered<Addresses>>,
    logs: Flights<(String, u64, u64), Answered<LogPage>>,
}

// === impl Asker ===

impl Asker {
    pub(crate) fn new(shared: Arc<Shared>, mailbox: mpsc::Sender<Message>) -> Self {
        Self {
            shared,
            mailbox,
            status: Flights::default(),
            config: Flights::default(),
            pending: Flights::default(),
            addresses: Flights::default(),
            logs: Flights::default(),
        }
    }

    /// Makes one call through the endpoint in use, and tells the remote's task how it ended.
    fn ask<T, U>(
        &self,
        call: Call<T>,
        make: impl FnOnce(T) -> U + Send + 'static,
    ) -> impl Future<Output = Answered<U>> + Send + 'static
    where
        T: Send + 'static,
        U: Send + Sync + 'static,
    {
        let (shared, mailbox) = (self.shared.clone(), self.mailbox.clone());
        async move {
            let way = shared.way.load_full();
            let found = way.as_ref().and_then(|way| Some((way, way.lines.get(&way.endpoint)?)));
            let Some((way, client)) = found else {
                let what = "the link is not up".to_owned();
                let kind = pve::ErrorKind::InvalidRequest { what };
                let nowhere = EndpointId::from("");
                return Err((Error::new(kind, pve::Phase::Local, ""), nowhere, Timestamp::now()));
            };
            let result = client.run(call).await;
            let at = Timestamp::now();
            let ended = result.as_ref().map(|_| ()).map_err(Clone::clone);
            let heard = Message::Heard { epoch: way.epoch, endpoint: way.endpoint.clone(), result: ended };
            // A full mailbox means that the task hears enough already.
            let _ = mailbox.try_send(heard);
            match result {
                Ok(answer) => {
                    let through = way.endpoint.clone();
                    let value = Observed { value: Arc::new(make(answer.value)), at, through };
                    Ok((value, Arc::new(answer.drift)))
                }
                Err(error) => Err((error, way.endpoint.clone(), at)),
            }
        }
    }

    /// Why an answer is missing: the call's own cause, or that of the link when there was no way to ask.
    fn failure(&self, error: &Error, endpoint: &EndpointId, at: Timestamp) -> Failure {
        if endpoint.as_str().is_empty() {
            return self.link_failure(at);
        }
        Failure { cause: cause(error), endpoint: Some(endpoint.clone()), at }
    }

    fn link_failure(&self, at: Timestamp) -> Failure {
        let snapshot = self.shared.snapshot.load();
        let cause = match &snapshot.link.state {
            LinkState::Disconnected { by } => Cause::Disconnected { by: by.clone() },
            state => state.cause().cloned().unwrap_or(Cause::NoAnswer { after: std::time::Duration::ZERO }),
        };
        Failure { cause, endpoint: snapshot.link.in_use().cloned(), at }
    }

    fn part<T, U: Clone>(
        &self,
        answer: Answered<T>,
        before: Option<Observed<Arc<U>>>,
        drift: &mut Vec<pve::drift::DriftRecord>,
        make: impl FnOnce(&Arc<T>) -> Arc<U>,
    ) -> Part<U> {
        match answer {
            Ok((seen, found)) => {
                drift.extend(found.records.iter().cloned());
                let value = make(&seen.value);
                Part { seen: Some(Observed { value, at: seen.at, through: seen.through }), error: None }
            }
            Err((error, endpoint, at)) => {
                Part { seen: before, error: Some(self.failure(&error, &endpoint, at)) }
            }
        }
    }

    /// Everything about one guest, read now.
    pub(crate) async fn guest(&self, vmid: Vmid) -> Result<GuestDetail, DetailError> {
        let snapshot = self.shared.snapshot.load_full();
        let row = snapshot.guest(vmid).ok_or(DetailError::NoSuchGuest(vmid))?.clone();
        let (node, kind) = (row.guest.node.clone(), row.guest.kind);
        let key: Key = (vmid, node.clone(), kind);
        let (n, k, v) = (node.as_str().to_owned(), rows::pve_kind(kind), vmid.0);
        let _ = self.mailbox.try_send(Message::Opened(vmid));
        let runs = row.guest.state == model::GuestState::Running;
        let (status, config, pending, addresses) = tokio::join!(
            self.status.join(key.clone(), || self.ask(call::guest::status(&n, k, v), |one| one)),
            self.config.join(key.clone(), || self.ask(call::guest::config(&n, k, v, false), |one| one)),
            self.pending.join(key.clone(), || self.ask(call::guest::pending(&n, k, v), |one| one)),
            async {
                if !runs {
                    return None;
                }
                let ask = || self.ask(call::guest::addresses(&n, k, v), |one| one);
                Some(self.addresses.join(key.clone(), ask).await)
            },
        );
        if let Ok((config, _)) = &config {
            self.shared.keep_config(vmid, config.clone());
        }
        let mut drift = Vec::new();
        let known = row.addresses.clone().map(|seen| seen.map(Arc::new));
        Ok(GuestDetail {
            status: self.part(status, None, &mut drift, Arc::clone),
            config: self.part(config, self.shared.config(vmid), &mut drift, Arc::clone),
            pending: self.part(pending, None, &mut drift, |rows| Arc::new(rows.rows.clone())),
            addresses: match addresses {
                Some(answer) => self.part(answer, known, &mut drift, |found| {
                    Arc::new(rows::interfaces(&found.interfaces.rows))
                }),
                None => Part { seen: known, error: None },
            },
            row,
            drift,
        })
    }

    /// Some lines of a task's log.
    pub(crate) async fn log(&self, upid: &str, start: u64, limit: u64) -> Result<LogPage, DetailError> {
        let task: Upid =
            upid.parse().map_err(|error: pve::upid::UpidError| DetailError::NotATask(error.to_string()))?;
        let node = task.node().to_owned();
        let answer = self
            .logs
            .join((upid.to_owned(), start, limit), || {
                self.ask(call::task::log(&node, &task, start, limit), move |rows| LogPage {
                    start,
                    lines: rows.rows.iter().map(|line| Text::from(line.text())).collect(),
                    total: rows.total,
                })
            })
            .await;
        match answer {
            Ok((page, _)) => Ok((*page.value).clone()),
            Err((error, endpoint, at)) => Err(DetailError::Failed(self.failure(&error, &endpoint, at))),
        }
    }

    /// Asks a task to stop. Sent once; whether it did is seen in its status.
    pub(crate) async fn stop(&self, upid: &Upid) -> Result<(), Failure> {
        let answer = self.ask(call::task::stop(upid.node(), upid), |()| ()).await;
        answer.map(|_| ()).map_err(|(error, endpoint, at)| self.failure(&error, &endpoint, at))
    }
}
