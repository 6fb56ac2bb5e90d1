//! Which remotes there are: added, edited, connected, removed, and had back after a restart. Each of these is
//! somebody's wish, and is recorded before it takes effect.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use model::{Author, Cause, EndpointId, Event, Failure, Happening, NodeName, OperationId, RemoteId, Rights};
use pve::address::Address;
use pve::{Credential, TrustPolicy};
use store::{OperationFilter, OperationRecord, Store, Write};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::detail::{Asker, DetailError};
use crate::durable::{Health, Memory, Restored, StoreJournal, docs, event_record, restore};
use crate::fleet::{Fleet, Handle, Keeping, NoSuchRemote};
use crate::journal::{Fact, Recorded};
use crate::lease::{Party, Who};
use crate::onboard::{self, Claim, MintedToken};
use crate::remote::{DisconnectError, Edit, EditError, Message, Remote};
use crate::spec::{RemoteEdit, RemoteSpec, secret_id};
use crate::timings::Timings;

/// Messages to one remote that may wait.
pub(crate) const MAILBOX: usize = 64;
/// Remotes read from the store at once: at any time about half of them wait for the database.
pub(crate) const RESTORED_AT_ONCE: usize = 4;

/// A remote was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It has no name, or one that another remote has.
    #[error("{0}")]
    Name(String),
    /// It has no endpoint, or one twice.
    #[error("{0}")]
    Endpoints(String),
    /// It is a cluster or host that is managed already.
    #[error("already managed as {name}; add this address as an endpoint of it?")]
    AlreadyManaged {
        /// The remote.
        id: RemoteId,
        /// What it is called.
        name: String,
    },
    /// It could not be recorded, so it is not there.
    #[error("it was not added: {0}")]
    NotRecorded(String),
}

/// A remote was not removed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RemoveError {
    /// There is no such remote.
    #[error("there is no such remote")]
    NoSuchRemote,
    /// Operations on it have not ended; they would not be followed any more.
    #[error("{} operation(s) on it have not ended and would not be followed", .0.len())]
    OpenOperations(Vec<OperationId>),
    /// It could not be recorded, so it is still there.
    #[error("it was not removed: {0}")]
    NotRecorded(String),
    /// Another process looks after it, or none does.
    #[error("{0}")]
    Elsewhere(Cause),
}

/// The remotes could not be had back from the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The store does not tell.
    #[error("what is managed could not be read: {0}")]
    Store(String),
    /// The store does not tell what was kept of a remote.
    #[error("what was kept of remote {name} could not be read: {text}")]
    Remote {
        /// What it is called.
        name: String,
        /// Why not.
        text: String,
    },
}

/// A remote that is about to run.
pub(crate) struct Ready {
    pub(crate) id: RemoteId,
    pub(crate) name: String,
    /// Whether this process looks after it.
    pub(crate) runs: bool,
    /// Why it is not to be worked with, even so.
    pub(crate) unfit: Option<String>,
    pub(crate) asker: Asker,
    pub(crate) remote: Box<Remote>,
}

/// The most letters of a remote's name: it stands in every row, line and sentence about what is on it.
const NAME_MOST: usize = 100;

/// Whether a remote may be called so. One that has a longer name from before keeps it.
///
/// # Errors
/// What is wrong with the name.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.chars().any(|c| c.is_control() || c == '/') {
        return Err("a remote needs a name without slashes or control characters".to_owned());
    }
    let letters = name.chars().count();
    if letters > NAME_MOST {
        return Err(format!("a remote's name has at most {NAME_MOST} letters, and this one has {letters}"));
    }
    if name.trim().parse::<u64>().is_ok() {
        return Err(format!(
            "{} is a number, and numbers are the ids of remotes: a name needs something else besides",
            name.trim()
        ));
    }
    Ok(())
}

/// Carries something out even if whoever wanted it does not wait for its end: recorded in half, and running otherwise,
/// is what no remote may be.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    tokio::spawn(work).await.map_err(|_| "a fault inside Muster; see its log".to_owned())
}

// === impl Fleet: the store ===

impl Fleet {
    /// The fleet as `store` kept it: every remote with all that was known of it and how old that is, its operations
    /// followed on. No link counts as connected before a request has succeeded on it. A remote of which something cannot
    /// be read is shown as far as it can, disconnected by Muster, and can be removed.
    ///
    /// # Errors
    /// When the store does not tell. Then nothing runs.
    pub async fn open(timings: Timings, clock: Clock, seed: u64, store: Store) -> Result<Self, RestoreError> {
        Self::open_as(timings, clock, seed, store, Who::nameless()).await
    }

    /// The same, as one of several processes that may share the store: this one looks after its part of the remotes,
    /// and shows of the others what the store has.
    ///
    /// # Errors
    /// As [`Fleet::open`].
    pub async fn open_as(
        timings: Timings,
        clock: Clock,
        seed: u64,
        store: Store,
        who: Who,
    ) -> Result<Self, RestoreError> {
        use futures_util::{StreamExt as _, TryStreamExt as _};
        let says = |error: store::StoreError| RestoreError::Store(error.to_string());
        let party = Party::join(&store, who, &timings.lease, clock).await.map_err(says)?;
        let records = store.remotes().await.map_err(says)?;
        let last_event = store.last_event_seq().await.map_err(says)?;
        let newest = OperationFilter { limit: 1, ..OperationFilter::default() };
        let newest = store.operations(newest).await.map_err(says)?.first().map(|one| one.id);
        let journal = Arc::new(StoreJournal::new(store.clone(), clock, last_event, party.clone()));
        let keeping = Keeping { store: store.clone(), journal: journal.clone() };
        let fleet = Self::begin(timings, clock, seed, journal, Some(keeping), party.clone());
        fleet.begin_renewing();
        fleet.number_after(newest);
        // A few at a time, each a task so that every processor reads, and each put into its place before the next: what
        // was read takes more room than what it says.
        let restored = futures_util::stream::iter(records).map(|record| {
            let store = store.clone();
            async move {
                let name = record.name.clone();
                let one = restore(&store, record).await;
                one.map_err(|text| RestoreError::Remote { name, text })
            }
        });
        let mut restored = restored.buffered(RESTORED_AT_ONCE);
        let mut ready = Vec::new();
        while let Some(one) = restored.try_next().await? {
            let Restored { record, spec, memory } = one;
            fleet.number_after(memory.operations.iter().map(|recorded| recorded.operation.id).max());
            ready.push(fleet.prepare(record.id, spec, record.created, memory));
        }
        for one in ready {
            fleet.set_going(one);
        }
        fleet.begin_settling();
        Ok(fleet)
    }

    /// Operations are numbered after this one, even should the clock have been set back since.
    pub(crate) fn number_after(&self, id: Option<OperationId>) {
        if let Some(id) = id {
            self.inner.next_operation.fetch_max(id.0.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// The store behind it, if there is one.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.inner.keeping.as_ref().map(|keeping| &keeping.store)
    }

    /// Whether what is durable is being kept. Without a store all is always well.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.keeping.as_ref().map(|keeping| keeping.journal.health()).unwrap_or_default()
    }

    /// The number of the newest event in the store; grows with each. Read them from the store.
    #[must_use]
    pub fn events(&self) -> Option<watch::Receiver<i64>> {
        self.inner.keeping.as_ref().map(|keeping| keeping.journal.events())
    }

    fn receipt(&self) -> Vec<Write> {
        self.receipt.as_ref().map(|receipt| receipt.writes(None)).unwrap_or_default()
    }

    async fn record(&self, id: RemoteId, writes: Vec<Write>) -> Result<(), String> {
        let facts = writes.into_iter().map(|write| Fact::Kept(Box::new(write))).collect();
        self.inner.common.journal.commit(id, facts).await.map_err(|error| error.0)
    }

    // --- remotes ---

    /// Adds a remote and begins to connect to it (unless it is to stay disconnected).
    ///
    /// # Errors
    /// When the name is empty or taken, or there is no endpoint, or one twice, or the cluster is managed already, or
    /// it cannot be recorded. Then nothing is saved.
    pub async fn add(&self, spec: RemoteSpec, author: &Author) -> Result<RemoteId, AddError> {
        let (fleet, author) = (self.clone(), author.clone());
        let added = to_its_end(async move { fleet.add_now(spec, &author).await }).await;
        added.unwrap_or_else(|text| Err(AddError::NotRecorded(text)))
    }

    async fn add_now(&self, spec: RemoteSpec, author: &Author) -> Result<RemoteId, AddError> {
        check_name(&spec.name).map_err(AddError::Name)?;
        let endpoints = spec.ids();
        if endpoints.is_empty() {
            return Err(AddError::Endpoints("a remote needs an endpoint".to_owned()));
        }
        if let Some(twice) =
            endpoints.iter().enumerate().find(|(n, one)| endpoints.iter().take(*n).any(|o| o == *one))
        {
            return Err(AddError::Endpoints(format!("the endpoint {} is there twice", twice.1)));
        }
        let _changing = self.inner.changing.lock().await;
        if self.is_taken(&spec.name, None) {
            return Err(AddError::Name(format!("a remote is already called {}", spec.name)));
        }
        if let Some((id, name)) = spec.identity.as_deref().and_then(|identity| self.managed_as(identity)) {
            return Err(AddError::AlreadyManaged { id, name });
        }
        let id = match self.store() {
            Some(store) => {
                store.next_remote_id().await.map_err(|error| AddError::NotRecorded(error.to_string()))?
            }
            None => RemoteId(self.inner.next.fetch_add(1, Ordering::Relaxed)),
        };
        let now = self.inner.common.clock.now().wall;
        if self.store().is_some() {
            let what = Happening::RemoteAdded { name: spec.name.as_str().into() };
            let event = event_record(&Event::of(id, now, what).by(author));
            let mut writes = vec![spec.record(id, None, now, now), spec.sealed(id), event];
            writes.extend(self.receipt());
            self.record(id, writes).await.map_err(AddError::NotRecorded)?;
        }
        self.set_going(self.prepare(id, spec, now, Memory::default()));
        Ok(id)
    }

    /// A remote with all that is known of it, not running yet: to be looked after here or, where another process does
    /// that, to be shown as that one writes it down.
    pub(crate) fn prepare(
        &self,
        id: RemoteId,
        spec: RemoteSpec,
        created: Timestamp,
        mut memory: Memory,
    ) -> Ready {
        let name = spec.name.clone();
        let runs = self.inner.common.party.as_ref().is_none_or(|party| party.term(id).is_some());
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let (common, board) = (self.inner.common.clone(), self.inner.board.clone());
        let unfit = memory.unfit.take();
        let remote = Remote::new(id, spec, created, memory, common, board, inbox);
        let remote = match (runs, &unfit) {
            (true, None) => remote.running(),
            (true, Some(_)) => remote.standing_still(),
            (false, _) => remote.following(self.store().cloned()),
        };
        let asker = Asker::new(remote.shared(), mailbox);
        if !runs {
            asker.shared.forget_link();
        }
        Ready { id, name, runs, unfit, asker, remote: Box::new(remote) }
    }

    /// Starts a remote's task.
    pub(crate) fn set_going(&self, ready: Ready) {
        let Ready { id, name, runs, unfit, asker, remote } = ready;
        let task = match (runs, unfit) {
            (true, None) => tokio::spawn(remote.supervise()),
            (true, Some(why)) => tokio::spawn(remote.stand_still(why)),
            (false, _) => tokio::spawn(remote.follow()),
        };
        let before = self.remotes().insert(id, Handle { name, runs, asker, task });
        if let Some(before) = before {
            before.task.abort();
        }
        self.inner.board.revision.send_modify(|revision| *revision += 1);
    }

    fn is_taken(&self, name: &str, but: Option<RemoteId>) -> bool {
        self.remotes().iter().any(|(id, handle)| handle.name == name && Some(*id) != but)
    }

    /// The remote that shows this root certificate, if one does.
    #[must_use]
    pub fn managed_as(&self, identity: &str) -> Option<(RemoteId, String)> {
        let snapshot = self.snapshot();
        let found = snapshot.remotes.iter().find(|remote| {
            remote.identity.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(identity))
        })?;
        Some((found.id, found.name.to_string()))
    }

    /// Removes a remote; its task ends, and what was observed on it is forgotten. Its history stays.
    ///
    /// # Errors
    /// When there is none; with open operations, unless `even_with_open`: they would not be followed; when it cannot
    /// be recorded. Then it goes on as before.
    pub async fn remove(
        &self,
        id: RemoteId,
        author: &Author,
        even_with_open: bool,
    ) -> Result<(), RemoveError> {
        let (fleet, author) = (self.clone(), author.clone());
        let removed = to_its_end(async move { fleet.remove_now(id, &author, even_with_open).await }).await;
        removed.unwrap_or_else(|text| Err(RemoveError::NotRecorded(text)))
    }

    async fn remove_now(
        &self,
        id: RemoteId,
        author: &Author,
        even_with_open: bool,
    ) -> Result<(), RemoveError> {
        let _changing = self.inner.changing.lock().await;
        let (reply, answer) = oneshot::channel();
        let (go, told) = oneshot::channel();
        self.tell(id, Message::Leave { reply, go: told })
            .await
            .map_err(|NoSuchRemote| RemoveError::NoSuchRemote)?;
        let open = answer.await.map_err(|_| RemoveError::NoSuchRemote)?.map_err(RemoveError::Elsewhere)?;
        let unended: Vec<OperationId> = open
            .iter()
            .filter(|recorded| !recorded.operation.state.is_final())
            .map(|recorded| recorded.operation.id)
            .collect();
        if !unended.is_empty() && !even_with_open {
            return Err(RemoveError::OpenOperations(unended));
        }
        if let Err(text) = self.record_removal(id, author, open).await {
            return Err(RemoveError::NotRecorded(text));
        }
        let _ = go.send(true);
        let handle = self.remotes().remove(&id);
        if let Some(handle) = handle {
            let _ = handle.task.await;
        }
        self.inner.board.forget(id);
        self.inner.charts.forget(id);
        Ok(())
    }

    async fn record_removal(&self, id: RemoteId, author: &Author, open: Vec<Recorded>) -> Result<(), String> {
        let Some(store) = self.store() else { return Ok(()) };
        let now = self.inner.common.clock.now();
        let name = self.remote(id).map(|remote| remote.name.clone()).unwrap_or_else(|| "".into());
        let mut writes: Vec<Write> = open
            .into_iter()
            .map(|mut recorded| {
                recorded.operation.note("not followed any more: the remote was removed", now);
                recorded.operation.followed = false;
                Write::Operation(OperationRecord {
                    id: recorded.operation.id,
                    remote: id,
                    vmid: Some(recorded.operation.guest.vmid),
                    instance: store.instance().to_owned(),
                    open: false,
                    requested: recorded.operation.requested,
                    body: docs::json(&recorded),
                })
            })
            .collect();
        writes.push(Write::RemoteGone { id });
        writes.push(Write::SecretGone { id: secret_id(id) });
        let what = Happening::RemoteRemoved { name };
        writes.push(event_record(&Event::of(id, now.wall, what).by(author)));
        writes.extend(self.receipt());
        self.record(id, writes).await
    }

    /// Connects a remote that was disconnected; its open operations are followed again.
    ///
    /// # Errors
    /// When there is none, or it cannot be recorded.
    pub async fn connect(&self, id: RemoteId, author: &Author) -> Result<(), EditError> {
        let author = author.clone();
        let receipt = self.receipt.clone();
        self.ask(id, |reply| Message::Connect { author, receipt, reply }).await
    }

    /// Disconnects a remote until somebody connects it again, be it after a restart: its session ends, its
    /// connections close.
    ///
    /// # Errors
    /// With open operations, unless `even_with_open`: they would not be followed; when it cannot be recorded.
    pub async fn disconnect(
        &self,
        id: RemoteId,
        author: &Author,
        even_with_open: bool,
    ) -> Result<(), DisconnectError> {
        let (reply, answer) = oneshot::channel();
        let author = author.clone();
        let receipt = self.receipt.clone();
        self.tell(id, Message::Disconnect { author, even_with_open, receipt, reply })
            .await
            .map_err(|NoSuchRemote| DisconnectError::NoSuchRemote)?;
        answer.await.unwrap_or(Err(DisconnectError::NoSuchRemote))
    }

    /// Changes name, interval or web address.
    ///
    /// # Errors
    /// When there is none, the name is no good or taken, or it cannot be recorded.
    pub async fn edit(&self, id: RemoteId, edit: RemoteEdit, author: &Author) -> Result<(), EditError> {
        let (fleet, author) = (self.clone(), author.clone());
        let edited = to_its_end(async move { fleet.edit_now(id, edit, &author).await }).await;
        edited.unwrap_or_else(|text| Err(EditError::NotRecorded(text)))
    }

    async fn edit_now(&self, id: RemoteId, edit: RemoteEdit, author: &Author) -> Result<(), EditError> {
        let _changing = self.inner.changing.lock().await;
        if let Some(name) = &edit.name {
            // Whoever keeps the name it has need not choose another one.
            if self.remotes().get(&id).is_none_or(|handle| handle.name != *name) {
                check_name(name).map_err(EditError::Name)?;
            }
            if self.is_taken(name, Some(id)) {
                return Err(EditError::Name(format!("a remote is already called {name}")));
            }
        }
        let name = edit.name.clone();
        self.change(id, Edit::Facts(edit), author).await?;
        if let (Some(name), Some(handle)) = (name, self.remotes().get_mut(&id)) {
            handle.name = name;
        }
        Ok(())
    }

    /// Believes something else of an endpoint from now on (a changed certificate was accepted), and tries again.
    ///
    /// # Errors
    /// When there is no such remote or endpoint, or it cannot be recorded.
    pub async fn trust(
        &self,
        id: RemoteId,
        endpoint: EndpointId,
        trust: TrustPolicy,
        author: &Author,
    ) -> Result<(), EditError> {
        self.change(id, Edit::Trust { endpoint, trust }, author).await
    }

    /// Signs in with something else from now on.
    ///
    /// # Errors
    /// When there is no such remote, or it cannot be recorded.
    pub async fn credential(
        &self,
        id: RemoteId,
        credential: Credential,
        author: &Author,
    ) -> Result<(), EditError> {
        self.change(id, Edit::Credential { credential, rights: None, minted: None }, author).await
    }

    /// Waits until nobody else makes or saves anything with this cluster or host: whoever is about to make a token on
    /// it holds this until the remote is saved, and asks then whether it is managed already ([`Fleet::managed_as`]).
    pub async fn claim(&self, identity: &str) -> Claim {
        self.inner.claims.take(identity).await
    }

    /// Signs in with what another onboarding has brought from now on: its credential, and what that was made for.
    ///
    /// A role that Muster made for the credential before stays one that Muster made.
    ///
    /// # Errors
    /// When there is no such remote, or it cannot be recorded.
    pub async fn reauthenticate(
        &self,
        id: RemoteId,
        credential: Credential,
        rights: Option<Rights>,
        mut minted: Option<MintedToken>,
        author: &Author,
    ) -> Result<(), EditError> {
        let before = self.remote(id).and_then(|remote| remote.minted.clone()).and_then(|minted| minted.role);
        if let Some(role) = minted.as_mut().and_then(|minted| minted.role.as_mut()) {
            role.made |= before.is_some_and(|before| before.made && before.name == role.name);
        }
        self.change(id, Edit::Credential { credential, rights, minted }, author).await
    }

    /// Adds an endpoint to a remote.
    ///
    /// # Errors
    /// When there is no such remote, or it has it already, or it cannot be recorded.
    pub async fn add_endpoint(
        &self,
        id: RemoteId,
        address: Address,
        trust: TrustPolicy,
        author: &Author,
    ) -> Result<(), EditError> {
        self.change(id, Edit::Add { address, trust }, author).await
    }

    /// Takes an endpoint from a remote.
    ///
    /// # Errors
    /// When there is no such remote or endpoint, or it is the only one, or it cannot be recorded.
    pub async fn remove_endpoint(
        &self,
        id: RemoteId,
        endpoint: &EndpointId,
        author: &Author,
    ) -> Result<(), EditError> {
        self.change(id, Edit::Remove { endpoint: endpoint.clone() }, author).await
    }

    async fn change(&self, id: RemoteId, edit: Edit, author: &Author) -> Result<(), EditError> {
        let (edit, author) = (Box::new(edit), author.clone());
        let receipt = self.receipt.clone();
        self.ask(id, |reply| Message::Edit { edit, author, receipt, reply }).await
    }

    async fn ask(
        &self,
        id: RemoteId,
        message: impl FnOnce(oneshot::Sender<Result<(), EditError>>) -> Message,
    ) -> Result<(), EditError> {
        let (reply, answer) = oneshot::channel();
        self.tell(id, message(reply)).await.map_err(|NoSuchRemote| EditError::NoSuchRemote)?;
        answer.await.unwrap_or(Err(EditError::NoSuchRemote))
    }

    /// What a remote's endpoints are, with what is believed of each, and what it is signed in to with.
    ///
    /// # Errors
    /// When there is none.
    pub async fn spec(&self, id: RemoteId) -> Result<RemoteSpec, NoSuchRemote> {
        let (reply, answer) = oneshot::channel();
        self.tell(id, Message::Spec { reply }).await?;
        answer.await.map(|spec| *spec).map_err(|_| NoSuchRemote)
    }

    /// Further endpoints that a remote might have, found from its cluster's membership, each with whether it answers.
    ///
    /// # Errors
    /// When there is no such remote, its link is not up, or the membership cannot be read.
    pub async fn proposed_endpoints(
        &self,
        id: RemoteId,
        timings: &onboard::Timings,
    ) -> Result<Vec<onboard::Proposed>, DetailError> {
        let client =
            self.asker(id).ok_or(DetailError::NoSuchRemote)?.client().map_err(DetailError::Failed)?;
        let spec = self.spec(id).await.map_err(|NoSuchRemote| DetailError::NoSuchRemote)?;
        let known: Vec<(EndpointId, Option<NodeName>)> =
            spec.ids().into_iter().map(|id| (id, None)).collect();
        let proposed = onboard::membership(&client, &known, timings, &self.inner.common.store).await;
        proposed.map_err(|error| DetailError::Failed(self.failure(client.endpoint(), &error)))
    }

    /// Removes from a remote what Muster made on it: the token it signs in with, and its role.
    ///
    /// # Errors
    /// When there is no such remote, or its link is not up. What could not be removed is told in the answer.
    pub async fn remove_minted(
        &self,
        id: RemoteId,
        timings: &onboard::Timings,
    ) -> Result<Option<onboard::Undone>, DetailError> {
        let spec = self.spec(id).await.map_err(|NoSuchRemote| DetailError::NoSuchRemote)?;
        let Some(minted) = spec.minted else { return Ok(None) };
        let client =
            self.asker(id).ok_or(DetailError::NoSuchRemote)?.client().map_err(DetailError::Failed)?;
        Ok(Some(onboard::remove_minted(&client, &minted, timings).await))
    }

    fn failure(&self, endpoint: &str, error: &pve::Error) -> Failure {
        let at = self.inner.common.clock.now().wall;
        Failure { cause: crate::errors::cause(error), endpoint: Some(endpoint.into()), at }
    }
}
