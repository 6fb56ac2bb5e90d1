//! How the fleet keeps to what is its own: who the others are, and what begins and ends here as remotes change hands.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use futures_util::{FutureExt as _, StreamExt as _};
use model::{Cause, RemoteId};
use store::{RemoteRecord, Stand};
use tokio::sync::{oneshot, watch};

use super::{LeaseHealth, Party, ProcessSeen, Reading, lock};
use crate::durable::{Restored, restore};
use crate::fleet::{Fleet, Inner};
use crate::manage::RESTORED_AT_ONCE;
use crate::remote::{Message, words};

impl Fleet {
    /// The processes that share the store, by name; empty where none can.
    #[must_use]
    pub fn processes(&self) -> Vec<ProcessSeen> {
        let Some(party) = &self.inner.common.party else { return Vec::new() };
        let reading = party.stand.borrow().clone();
        let stand = &reading.stand;
        let seen = stand.processes.iter().map(|one| ProcessSeen {
            name: one.process.name.clone(),
            address: one.process.address.clone(),
            started: one.started,
            seen: one.seen,
            alive: one.alive,
            remotes: stand
                .holdings
                .iter()
                .filter(|held| held.owner.as_deref() == Some(one.process.id.as_str()))
                .count(),
            this: one.process.id == party.id(),
        });
        let mut all: Vec<ProcessSeen> = seen.collect();
        all.sort_by(|a, b| (&a.name, a.started).cmp(&(&b.name, b.started)));
        all
    }

    /// Whether this process may look after remotes; always, where none other can.
    #[must_use]
    pub fn lease(&self) -> LeaseHealth {
        LeaseHealth { lapsed: self.inner.common.party.as_ref().and_then(|party| party.lapsed()) }
    }

    /// Why nothing can be done with a remote in this process; `None`: it can, or there is no such remote.
    #[must_use]
    pub fn elsewhere(&self, id: RemoteId) -> Option<Cause> {
        self.asker(id)?.shared.not_ours()
    }

    /// Whether this one of the processes that share the store is to do what one of them must: the eldest is.
    #[must_use]
    pub fn is_eldest(&self) -> bool {
        let Some(party) = &self.inner.common.party else { return true };
        let reading = party.stand.borrow().clone();
        let eldest = reading.stand.living().min_by_key(|one| (one.started, one.process.id.clone()));
        eldest.is_some_and(|one| one.process.id == party.id())
    }

    /// Grows with every change of users, grants, sessions and tokens, whichever process made it. `None`: no other can.
    #[must_use]
    pub fn people(&self) -> Option<watch::Receiver<i64>> {
        let mut stand = self.inner.common.party.as_ref()?.stand();
        let people = watch::Sender::new(stand.borrow_and_update().stand.people);
        let told = people.subscribe();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    changed = stand.changed() => if changed.is_err() { return },
                    () = people.closed() => return,
                }
                let now = stand.borrow_and_update().stand.people;
                people.send_if_modified(|known| std::mem::replace(known, now) != now);
            }
        });
        Some(told)
    }

    /// Begins to say that this process lives.
    pub(crate) fn begin_renewing(&self) {
        let Some(party) = self.inner.common.party.clone() else { return };
        crate::fleet::lock(&self.inner.sharing).push(tokio::spawn(party.renewing()));
    }

    /// Begins to keep to how things stand.
    pub(crate) fn begin_settling(&self) {
        let Some(party) = self.inner.common.party.clone() else { return };
        let task = tokio::spawn(settling(Arc::downgrade(&self.inner), party));
        crate::fleet::lock(&self.inner.sharing).push(task);
    }

    /// Takes nothing more.
    pub(crate) fn stop_settling(&self) {
        for task in crate::fleet::lock(&self.inner.sharing).iter().skip(1) {
            task.abort();
        }
    }

    /// The others may take at once what this process looked after.
    pub(crate) async fn leave(&self) {
        let Some(party) = &self.inner.common.party else { return };
        for task in std::mem::take(&mut *crate::fleet::lock(&self.inner.sharing)) {
            task.abort();
        }
        if let Err(error) = party.leases.leave().await {
            tracing::warn!(%error, "what this process looked after is free only when its lease expires");
        }
        lock(&party.state).held.clear();
    }

    /// Brings what runs here in line with how things stand.
    async fn settle(&self, party: &Party, reading: &Reading) {
        if let Some(keeping) = &self.inner.keeping {
            keeping.journal.heard_of(reading.stand.last_event);
        }
        party.compare(reading);
        if let Err(error) = party.take(&reading.stand).await {
            tracing::warn!(%error, "remotes that nobody looks after could not be taken");
        }
        self.change_hands(party, reading).await;
        self.give_up_surplus(party, &reading.stand).await;
        for handle in self.remotes().values_mut().filter(|handle| !handle.runs) {
            let name = handle.asker.shared.snapshot.load().name.clone();
            if handle.name != name.as_str() {
                handle.name = name.to_string();
            }
        }
    }

    /// What is ours begins to run; what is no longer is followed; what others have added is followed, what they have
    /// removed goes.
    async fn change_hands(&self, party: &Party, reading: &Reading) {
        let (mut turned, mut unknown, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let judge = |turned: &mut Vec<RemoteId>, unknown: &mut Vec<RemoteId>, gone: &mut Vec<RemoteId>| {
            let remotes = self.remotes();
            for told in &reading.stand.holdings {
                let ours = party.term(told.remote).is_some();
                match remotes.get(&told.remote) {
                    Some(handle) if handle.runs == ours && !handle.task.is_finished() => {}
                    Some(_) => turned.push(told.remote),
                    None => unknown.push(told.remote),
                }
            }
            let is_gone = |id: &RemoteId| reading.stand.holding(*id).is_none() && party.term(*id).is_none();
            gone.extend(remotes.iter().filter(|(id, handle)| !handle.runs && is_gone(id)).map(|(id, _)| *id));
        };
        judge(&mut turned, &mut unknown, &mut gone);
        // One that is being added or removed just now is somebody else's affair.
        let changing = self.inner.changing.try_lock();
        if changing.is_err() {
            (unknown, gone) = (Vec::new(), Vec::new());
        } else if !unknown.is_empty() || !gone.is_empty() {
            (unknown, gone) = (Vec::new(), Vec::new());
            judge(&mut Vec::new(), &mut unknown, &mut gone);
        }
        for id in gone {
            let handle = self.remotes().remove(&id);
            if let Some(handle) = handle {
                handle.task.abort();
            }
            self.inner.board.forget(id);
        }
        turned.extend(unknown);
        if !turned.is_empty() {
            self.restart(party, &turned).await;
        }
    }

    /// Reads remotes anew from the store, and has each run here or be followed, whichever it is to be.
    async fn restart(&self, party: &Party, which: &[RemoteId]) {
        let Some(store) = self.store().cloned() else { return };
        // What another process looks after by now ends here before anything else, and is not shown as if it went on,
        // should it not be read.
        for id in which.iter().filter(|id| party.term(**id).is_none()) {
            let lost = self.remotes().get_mut(id).filter(|handle| handle.runs).map(|handle| {
                handle.task.abort();
                let ended = tokio::spawn(std::future::ready(()));
                (std::mem::replace(&mut handle.task, ended), handle.asker.shared.clone())
            });
            if let Some((task, shared)) = lost {
                let _ = tokio::time::timeout(party.timings.life, task).await;
                shared.left(party.whose(*id));
            }
        }
        let records = match store.remotes().await {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, "remotes that change hands could not be read; they are tried again");
                return;
            }
        };
        let wanted = records.into_iter().filter(|record| which.contains(&record.id));
        let read = |record: RemoteRecord| {
            let store = store.clone();
            async move {
                let name = record.name.clone();
                (name, restore(&store, record).await)
            }
        };
        let mut restored = futures_util::stream::iter(wanted).map(read).buffered(RESTORED_AT_ONCE);
        while let Some((name, one)) = restored.next().await {
            let Restored { record, spec, memory } = match one {
                Ok(one) => one,
                Err(error) => {
                    tracing::error!(remote = name, error, "what was kept of a remote cannot be read");
                    continue;
                }
            };
            self.number_after(memory.operations.iter().map(|recorded| recorded.operation.id).max());
            if let Some(before) = self.asker(record.id) {
                for operation in &before.shared.snapshot.load().operations {
                    before.shared.drop_operation(operation.id);
                }
            }
            self.set_going(self.prepare(record.id, spec, record.created, memory));
        }
    }

    /// Others have less than their part, and we more than ours: remotes on which nothing is under way are given up.
    async fn give_up_surplus(&self, party: &Party, stand: &Stand) {
        let held = party.held();
        let surplus = held.len().saturating_sub(party.share(stand));
        if surplus == 0 || stand.living().count() < 2 || stand.alive(party.id()).is_none() {
            return;
        }
        let mut given = 0;
        for id in held.into_keys().rev() {
            if given == surplus {
                return;
            }
            let Some(asker) = self.asker(id) else { continue };
            // A remote that does not answer keeps nobody from anything else.
            let life = party.timings.life;
            let (reply, yields) = oneshot::channel();
            let sent = tokio::time::timeout(life, asker.mailbox.send(Message::Yield { reply })).await;
            if !matches!(sent, Ok(Ok(())))
                || !matches!(tokio::time::timeout(life, yields).await, Ok(Ok(true)))
            {
                continue;
            }
            given += 1;
            let task = self
                .remotes()
                .get_mut(&id)
                .map(|handle| std::mem::replace(&mut handle.task, tokio::spawn(std::future::ready(()))));
            if let Some(mut task) = task {
                // It writes down what it has in hand.
                if tokio::time::timeout(life, &mut task).await.is_err() {
                    tracing::warn!(remote = %id, "its task has not ended in time; it is cut");
                    task.abort();
                }
            }
            party.let_go(id);
            self.restart(party, &[id]).await;
            match party.leases.give_up(id).await {
                Ok(()) => tracing::info!(remote = %id, "given up for another process to look after"),
                // By the next look it is ours again.
                Err(error) => tracing::warn!(remote = %id, %error, "could not be given up"),
            }
        }
    }
}

/// Keeps to how things stand, as long as the fleet is there.
async fn settling(fleet: Weak<Inner>, party: Arc<Party>) {
    let mut stand = party.stand();
    loop {
        let reading = stand.borrow_and_update().clone();
        let Some(inner) = fleet.upgrade() else { return };
        let fleet = Fleet { inner, receipt: None };
        match AssertUnwindSafe(fleet.settle(&party, &reading)).catch_unwind().await {
            Ok(()) => party.settled.store(true, Ordering::SeqCst),
            Err(panic) => {
                let what = words(panic.as_ref());
                tracing::error!(what, "bringing in line what runs here fell over; it is tried again");
            }
        }
        drop(fleet);
        if stand.changed().await.is_err() {
            return;
        }
    }
}
