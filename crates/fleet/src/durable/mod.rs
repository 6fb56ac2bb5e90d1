//! What survives a restart: facts into the store, and everything known back out of it.

pub(crate) mod diff;
pub(crate) mod docs;
mod unread;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use model::interfaces::Interfaces;
use model::{
    EndpointId, Event, Incarnation, NodeName, Observed, Operation, RemoteId, Task, TaskId, Text, Vmid,
};
use pve::reply::{GuestConfig, NodeStatus};
use serde::de::DeserializeOwned;
use store::{
    Bundle, Bundled, EventRecord, ObservedKind, ObservedRecord, OperationFilter, OperationRecord, ReadError,
    RemoteRecord, Store, StoreError, Write,
};
use tokio::sync::watch;

use crate::inventory::Inventory;
use crate::journal::{Fact, Journal, JournalError, Recorded, UnreadError};
use crate::lease::Party;
use crate::look::Contents;
use crate::manage::to_its_end;
use crate::spec::{RemoteSpec, secret_id};
pub(crate) use unread::Unread;

use docs::{ConfigDoc, FacetsDoc, GaugesDoc, GuestDoc, NodeDoc, StateDoc, StorageDoc, storage_of};

/// Ended operations of a remote that are shown again after a restart.
const ENDED_SHOWN: usize = 50;

/// Open operations of a remote that are taken up again at most.
const OPEN_TAKEN_UP: usize = 100_000;

/// Whether what is durable is being kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why the last record could not be kept, and since when none could; `None`: all is well.
    pub failing: Option<(String, Timestamp)>,
    /// Records that could not be kept so far; each was tried again.
    pub failures: u64,
}

/// Hands facts to a store.
pub(crate) struct StoreJournal {
    store: Store,
    clock: crate::Clock,
    /// The others that share the store, if there may be any.
    party: Option<Arc<Party>>,
    health: Mutex<Health>,
    /// The sequence number of the newest event.
    events: watch::Sender<i64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StoreJournal {
    pub(crate) fn new(store: Store, clock: crate::Clock, last_event: i64, party: Option<Arc<Party>>) -> Self {
        let (events, _) = watch::channel(last_event);
        Self { store, clock, party, health: Mutex::default(), events }
    }

    pub(crate) fn health(&self) -> Health {
        lock(&self.health).clone()
    }

    pub(crate) fn events(&self) -> watch::Receiver<i64> {
        self.events.subscribe()
    }

    /// There is an event of this number, whoever wrote it.
    pub(crate) fn heard_of(&self, last: i64) {
        self.events.send_if_modified(|known| {
            let news = last > *known;
            *known = (*known).max(last);
            news
        });
    }

    /// Writes about a remote that is looked after by this process, and by no other.
    async fn write_as_owner(
        &self,
        party: &Party,
        remote: RemoteId,
        mut batch: Vec<Write>,
    ) -> Result<(), JournalError> {
        let is_new = batch.iter().any(|write| matches!(write, Write::Remote(_)));
        let is_gone = batch.iter().any(|write| matches!(write, Write::RemoteGone { .. }));
        let owner = party.id().to_owned();
        for write in &mut batch {
            if let Write::Remote(record) = write {
                record.owner = Some(owner.clone());
            }
        }
        let term = match party.term(remote) {
            Some(term) => term,
            // Nobody had it before.
            None if is_new => 0,
            None => return Err(JournalError(StoreError::NotHeld.to_string())),
        };
        let held = Write::Held { remote, owner, term };
        // After a removal there is nothing left to hold, before an addition nothing yet.
        if is_gone {
            batch.insert(0, held);
        } else {
            batch.push(held);
        }
        let written = self.put(batch).await;
        match &written {
            Ok(()) if is_gone => party.let_go(remote),
            Ok(()) => party.hold_new(remote, term),
            Err(StoreError::NotHeld) => {
                party.let_go(remote);
                party.look_now();
            }
            Err(_) => {}
        }
        written.map_err(|error| JournalError(error.to_string()))
    }

    /// Writes, and takes note of whether that works.
    pub(crate) async fn write(&self, batch: Vec<Write>) -> Result<(), JournalError> {
        self.put(batch).await.map_err(|error| JournalError(error.to_string()))
    }

    async fn put(&self, batch: Vec<Write>) -> Result<(), StoreError> {
        let result = self.store.write(batch).await;
        let mut health = lock(&self.health);
        match result {
            Ok(written) => {
                health.failing = None;
                drop(health);
                if let Some(last) = written.events.last() {
                    self.heard_of(*last);
                }
                Ok(())
            }
            // Nothing is wrong with the store.
            Err(error @ (StoreError::AlreadyDone | StoreError::NotHeld)) => Err(error),
            Err(error) => {
                health.failures = health.failures.saturating_add(1);
                let since = health.failing.take().map_or_else(|| self.clock.now().wall, |(_, since)| since);
                health.failing = Some((error.to_string(), since));
                Err(error)
            }
        }
    }
}

/// An event as it is kept.
pub(crate) fn event_record(event: &Event) -> Write {
    Write::Event(EventRecord {
        at: event.at,
        remote: event.remote,
        vmid: event.vmid,
        incarnation: event.incarnation,
        node: event.node.clone(),
        kind: event.what.word().to_owned(),
        operation: event.operation,
        task: event.task.clone(),
        author: event.author.as_ref().map(|author| author.name.clone()),
        body: docs::json(event),
    })
}

fn operation_record(recorded: &Recorded, instance: &str) -> Write {
    let operation = &recorded.operation;
    Write::Operation(OperationRecord {
        id: operation.id,
        remote: operation.guest.remote,
        vmid: Some(operation.guest.vmid),
        instance: instance.to_owned(),
        open: is_open(operation),
        requested: operation.requested,
        body: docs::json(recorded),
    })
}

/// Whether something may still change it, be it a person.
pub(crate) fn is_open(operation: &Operation) -> bool {
    use model::OperationState as S;
    !operation.state.is_final() || matches!(operation.state, S::OutcomeUnknown(_))
}

impl Journal for StoreJournal {
    fn commit(&self, remote: RemoteId, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        async move {
            let instance = self.party.as_ref().map_or(self.store.instance(), |party| party.id());
            let batch = facts
                .into_iter()
                .map(|fact| match fact {
                    Fact::Event(event) => event_record(&event),
                    Fact::Operation(recorded) => operation_record(&recorded, instance),
                    Fact::Kept(write) => *write,
                })
                .collect();
            match &self.party {
                Some(party) => self.write_as_owner(party, remote, batch).await,
                None => self.write(batch).await,
            }
        }
        .boxed()
    }

    fn keeps(&self) -> bool {
        true
    }

    fn config(
        &self,
        remote: RemoteId,
        vmid: Vmid,
    ) -> BoxFuture<'_, Result<Option<Observed<Arc<GuestConfig>>>, UnreadError>> {
        async move {
            let key = vmid.to_string();
            let found = self.store.observed_one(remote, ObservedKind::GuestConfig, &key).await;
            let Some(record) = found.map_err(|error| UnreadError::Store(error.to_string()))? else {
                return Ok(None);
            };
            let doc: ConfigDoc = serde_json::from_str(&record.body)
                .map_err(|error| UnreadError::Damaged(error.to_string()))?;
            let (at, through) = record.at.zip(record.through).ok_or_else(|| {
                UnreadError::Damaged("it does not say when or where it was seen".to_owned())
            })?;
            Ok(Some(Observed { value: Arc::new(doc.restored()), at, through }))
        }
        .boxed()
    }
}

/// A remote with all that was known of it when it was last kept.
pub(crate) struct Restored {
    pub(crate) record: RemoteRecord,
    pub(crate) spec: RemoteSpec,
    pub(crate) memory: Memory,
}

/// A storage, as one node sees it.
type Place = (Text, NodeName);

/// What was seen of several things.
type Seen<K, T> = Vec<(K, Observed<Arc<T>>)>;

/// What was known of a remote.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) state: StateDoc,
    pub(crate) facets: FacetsDoc,
    guests: Vec<(Option<Timestamp>, GuestDoc)>,
    addresses: BTreeMap<Vmid, Observed<Interfaces>>,
    nodes: Vec<(Option<Timestamp>, NodeDoc)>,
    /// What the nodes said of themselves, once it was taken out of their documents.
    pub(crate) statuses: Seen<NodeName, NodeStatus>,
    storages: Vec<(Option<Timestamp>, StorageDoc)>,
    /// What lay on the storages, likewise.
    pub(crate) contents: Seen<Place, Contents>,
    tasks: BTreeMap<TaskId, Task>,
    /// The figures, and when they were kept.
    gauges: Option<(Timestamp, GaugesDoc)>,
    /// The last life that is over of each number that has had one.
    lived: BTreeMap<Vmid, Incarnation>,
    pub(crate) operations: Vec<Recorded>,
    /// What of all this could not be read: it is left out, and shown as that.
    pub(crate) unread: Unread,
    /// Why the remote cannot be worked with.
    pub(crate) unfit: Option<String>,
}

/// Whose rows were kept after the figures were.
#[derive(Default)]
pub(crate) struct Since {
    pub(crate) guests: BTreeSet<Vmid>,
    pub(crate) nodes: BTreeSet<NodeName>,
    pub(crate) storages: BTreeSet<Place>,
}

/// Everything known of one remote, out of the store. What of it cannot be read keeps the remote from being worked with,
/// not from being shown, nor the others from anything.
///
/// # Errors
/// When the store does not tell: then nothing is known of what is there.
pub(crate) async fn restore(store: &Store, record: RemoteRecord) -> Result<Restored, String> {
    let (from, spare) = (store.clone(), record.clone());
    match to_its_end(async move { restore_now(&from, record).await }).await {
        Ok(restored) => restored,
        Err(fault) => Ok(Restored::unfit(spare, Memory::default(), fault)),
    }
}

async fn restore_now(store: &Store, record: RemoteRecord) -> Result<Restored, String> {
    let id = record.id;
    let credential = match store.secret(&secret_id(id)).await {
        Ok(credential) => credential,
        Err(error @ StoreError::Sealed { .. }) => {
            tracing::error!(remote = %record.name, %error, "a credential does not open; the remote stays disconnected");
            None
        }
        Err(error) => return Err(error.to_string()),
    };
    let mut memory = Memory::default();
    let remembered = remember(store, id, &mut memory).await;
    let spec = RemoteSpec::restored(&record, credential.as_ref().map(|plain| plain.as_slice()));
    match (spec, remembered) {
        (_, Err(error)) if !matches!(error, StoreError::Damaged(_)) => Err(error.to_string()),
        (Ok(spec), Ok(())) => Ok(Restored { record, spec, memory }),
        (Err(text), _) => Ok(Restored::unfit(record, memory, text)),
        (_, Err(error)) => Ok(Restored::unfit(record, memory, error.to_string())),
    }
}

impl Restored {
    /// A remote of which not everything can be read: nothing is done with it, lest what is left be written over.
    fn unfit(record: RemoteRecord, mut memory: Memory, text: String) -> Self {
        tracing::error!(remote = %record.name, text, "what was kept of a remote cannot be read; nothing is done with it");
        let spec = RemoteSpec::unreadable(&record, &text);
        memory.unfit = Some(text);
        Self { record, spec, memory }
    }
}

/// What was seen of a remote, as far as it can be read.
async fn remember(store: &Store, id: RemoteId, memory: &mut Memory) -> Result<(), ReadError> {
    for kind in [
        ObservedKind::State,
        ObservedKind::Facets,
        ObservedKind::Node,
        ObservedKind::Storage,
        ObservedKind::Task,
    ] {
        memory.take(&store.observed_kind(id, kind).await?);
    }
    for kind in [ObservedKind::Guest, ObservedKind::GuestAddresses] {
        let mut bundle = store.observed_bundle(id, kind, "").await?;
        while let Some(last) = bundle.last() {
            memory.take_bundle(id, kind, &bundle)?;
            bundle = store.observed_bundle(id, kind, last).await?;
        }
    }
    for key in store.observed_keys(id, ObservedKind::GuestPast).await? {
        memory.take_past(id, &key);
    }
    if let Some(gauges) = store.gauges(id).await? {
        match serde_json::from_slice(&gauges.body) {
            Ok(doc) => memory.gauges = Some((gauges.at, doc)),
            Err(error) => {
                tracing::warn!(remote = %id, %error, "the figures in the store could not be read");
                let raw = String::from_utf8_lossy(&gauges.body);
                memory.unread.gauges(&raw, &error.to_string());
            }
        }
    }
    for (open, limit) in [(true, OPEN_TAKEN_UP), (false, ENDED_SHOWN)] {
        let filter = OperationFilter {
            open: Some(open),
            remotes: Some(vec![id]),
            limit,
            ..OperationFilter::default()
        };
        for record in store.operations(filter).await? {
            match serde_json::from_str::<Recorded>(&record.body) {
                Ok(recorded) => memory.operations.push(recorded),
                Err(error) => {
                    tracing::error!(operation = %record.id, %error, "an operation in the store could not be read");
                    memory.unread.operation(record, &error.to_string());
                }
            }
        }
    }
    Ok(())
}

impl Memory {
    /// Reads one document. One that cannot be read is left out, and told about; the next listing brings it again.
    fn read<T: DeserializeOwned>(
        &mut self,
        (remote, kind, key, body): (RemoteId, ObservedKind, &str, &str),
    ) -> Option<T> {
        match serde_json::from_str(body) {
            Ok(doc) => Some(doc),
            Err(error) => {
                self.damaged((remote, kind, key, body), &error.to_string());
                None
            }
        }
    }

    fn damaged(&mut self, (remote, kind, key, body): (RemoteId, ObservedKind, &str, &str), error: &str) {
        tracing::warn!(%remote, kind = kind.as_str(), key, error, "a document in the store could not be read");
        self.unread.seen(kind, key, body, error);
    }

    fn take(&mut self, rows: &[ObservedRecord]) {
        for row in rows {
            let body = (row.remote, row.kind, row.key.as_str(), row.body.as_str());
            match row.kind {
                ObservedKind::State => self.state = self.read(body).unwrap_or_default(),
                ObservedKind::Facets => self.facets = self.read(body).unwrap_or_default(),
                ObservedKind::Node => {
                    let doc = self.read(body);
                    self.nodes.extend(doc.map(|doc| (row.at, doc)));
                }
                ObservedKind::Storage => {
                    let doc = self.read(body);
                    self.storages.extend(doc.map(|doc| (row.at, doc)));
                }
                ObservedKind::Task => {
                    if let Some(task) = self.read::<Task>(body) {
                        self.tasks.insert(task.upid.clone(), task);
                    }
                }
                // Of these there are many: they come in bundles, or are read when asked for.
                ObservedKind::Guest
                | ObservedKind::GuestAddresses
                | ObservedKind::GuestConfig
                | ObservedKind::GuestPast => {}
            }
        }
    }

    /// Takes in guests, or their addresses.
    fn take_bundle(&mut self, id: RemoteId, kind: ObservedKind, bundle: &Bundle) -> Result<(), ReadError> {
        // Nearly all of them came through the same endpoint.
        let mut last: Option<EndpointId> = None;
        for one in bundle.iter() {
            let Bundled { key, body, at, through } = one?;
            if kind == ObservedKind::Guest {
                let doc = self.read((id, kind, key, body));
                self.guests.extend(doc.map(|doc| (at, doc)));
                continue;
            }
            let (Ok(vmid), Some(at), Some(through)) = (key.parse(), at, through) else {
                self.damaged(
                    (id, kind, key, body),
                    "it does not say whose it is, or when or where it was seen",
                );
                continue;
            };
            let through = match &last {
                Some(last) if last.as_str() == through => last.clone(),
                _ => last.insert(through.into()).clone(),
            };
            let found = self.read((id, kind, key, body)).map(|value| Observed { value, at, through });
            self.addresses.extend(found.map(|seen| (vmid, seen)));
        }
        Ok(())
    }

    /// Takes in that a life of a number is over; its place among the documents tells which.
    fn take_past(&mut self, id: RemoteId, key: &str) {
        let parts =
            key.split_once('/').and_then(|(vmid, life)| Some((vmid.parse().ok()?, life.parse().ok()?)));
        let Some((vmid, life)) = parts else {
            self.damaged((id, ObservedKind::GuestPast, key, ""), "it does not say whose life it was");
            return;
        };
        let last = self.lived.entry(vmid).or_insert(Incarnation(life));
        *last = (*last).max(Incarnation(life));
    }

    /// Puts it into an inventory that knows nothing yet.
    pub(crate) fn onto(&mut self, inventory: &mut Inventory, now: model::Now) {
        let facets = &self.facets;
        let at = self.gauges.as_ref().map(|(at, _)| *at);
        // What was kept after the figures may be something else than what they were taken of.
        let newer = |written: Option<Timestamp>| at.is_some() && written > at;
        let mut since = Since::default();
        for (written, mut doc) in self.nodes.drain(..) {
            self.statuses.extend(doc.status());
            let known = doc.restored(written, facets);
            if newer(written) {
                since.nodes.insert(known.node.name.clone());
            }
            inventory.nodes.insert(known.node.name.clone(), known);
        }
        let guests = std::mem::take(&mut self.guests).into_iter().map(|(written, doc)| {
            let mut known = doc.restored(written, facets, now);
            let row = known.row_mut();
            inventory.share(&mut row.guest);
            row.addresses = self.addresses.remove(&row.guest.vmid).map(Arc::new);
            if newer(written) {
                since.guests.insert(known.guest.vmid);
            }
            (known.guest.vmid, known)
        });
        let guests = guests.collect();
        inventory.guests = guests;
        inventory.lived = std::mem::take(&mut self.lived);
        for (written, mut doc) in self.storages.drain(..) {
            let contents = doc.contents();
            let (key, known) = storage_of(doc, facets);
            self.contents.extend(contents.map(|seen| (key.clone(), seen)));
            if newer(written) {
                since.storages.insert(key.clone());
            }
            inventory.storages.insert(key, known);
        }
        inventory.tasks = std::mem::take(&mut self.tasks);
        if let Some((_, gauges)) = self.gauges.take() {
            gauges.onto(inventory, &since);
        }
    }
}
