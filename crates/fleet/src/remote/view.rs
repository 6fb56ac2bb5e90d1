//! What others see of a remote: the snapshot is made here, and swapped in once what is durable is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::guest::NodeState;
use model::link::Link;
use model::{Cause, Freshness, LinkState, Now, OperationId, Presence, RemoteId, StaleWhy, Task, Text, Vmid};
use pve::drift::{Drift, DriftRecord};

use super::schedule::Part;
use super::{PUBLISH_GAP, Remote, Way, newest_first};
use crate::inventory::{Doubt, Inventory, Known};
use crate::lines::Lines;
use crate::snapshot::RemoteSnapshot;
use crate::spec::RemoteSpec;
use model::rows::{GuestRow, NodeRow, Standing, StorageRow, Traffic, UnreadableRow};

/// Unreadable rows shown per call.
const UNREADABLE_SHOWN: usize = 20;
/// What stands for a facet where an answer was asked for by somebody, not by the clock.
const ON_DEMAND: &str = "on_demand";
/// After a record could not be kept: how long until the next attempt.
pub(super) const JOURNAL_PAUSE: Duration = Duration::from_secs(1);

// === impl Inventory: what may be asked ===

impl Inventory {
    /// A node that is not known to be down.
    pub(super) fn answers(&self, node: &model::NodeName) -> bool {
        self.nodes.get(node).is_some_and(|known| known.listed && known.node.state != NodeState::Offline)
    }

    /// A guest that is there, on a node that is not known to be down.
    pub(super) fn can_be_read(&self, vmid: Vmid) -> bool {
        self.guests.get(&vmid).is_some_and(|known| {
            known.presence.is_present() && !matches!(known.doubt, Some(Doubt::NodeDown(_)))
        })
    }

    /// A guest that is there and runs.
    pub(super) fn runs(&self, vmid: Vmid) -> bool {
        self.can_be_read(vmid)
            && self.guests.get(&vmid).is_some_and(|known| known.guest.state == model::GuestState::Running)
    }
}

// === impl Remote: publishing ===

impl Remote {
    /// Publishes if there is news and the last time is not too near; says when to wake.
    pub(super) async fn publish_if_due(&mut self, until: Duration) -> Duration {
        let now = self.now();
        let mut until = self.rides_due().map_or(until, |due| until.min(due.max(now.mono)));
        if self.dirty {
            let gap = if self.stuck { JOURNAL_PAUSE } else { PUBLISH_GAP };
            let due = self.published.saturating_add(gap);
            if now.mono < due {
                until = until.min(due);
            } else if !self.publish().await {
                until = until.min(now.after(JOURNAL_PAUSE));
            }
        }
        until
    }

    /// Records what is durable, then swaps the snapshot in and tells everybody. `false`: it could not be
    /// recorded, so nobody was told anything.
    pub(super) async fn publish(&mut self) -> bool {
        let now = self.now();
        if !self.keep(false, now).await {
            self.published = self.now().mono;
            return false;
        }
        let now = self.now();
        self.show(now);
        self.tell_riders();
        self.dirty = false;
        true
    }

    /// Records what is news.
    async fn keep(&mut self, last: bool, now: Now) -> bool {
        let mut keeping = self.keeping(last, now);
        let facts = std::mem::take(&mut keeping.facts);
        let anew = self.unread.among(&facts);
        if !facts.is_empty()
            && let Err(error) = self.common.journal.commit(self.id, facts).await
        {
            tracing::error!(remote = %self.spec.name, %error, "nothing is published before it is recorded");
            self.get_stuck(&error.to_string(), now);
            return false;
        }
        self.unread.forget(anew);
        self.have_kept(keeping, now);
        self.stuck = false;
        true
    }

    /// What was last shown grows old while nothing can be recorded: readers are told that much, and why.
    fn get_stuck(&mut self, why: &str, now: Now) {
        let first = !std::mem::replace(&mut self.stuck, true);
        let state = self.link.state().clone();
        if first || self.shared.snapshot.load().link.state != state {
            // The link is seen here, not recorded: it is told, and may be used, as it is.
            self.open_way(&state);
            self.show_stuck(
                StaleWhy::Facet { cause: Arc::new(Cause::Internal { text: why.to_owned() }) },
                now,
            );
        }
    }

    /// Shows again what was shown last, stale by now, with the link as it is.
    pub(super) fn show_stuck(&self, why: StaleWhy, now: Now) {
        let mut shown = RemoteSnapshot::clone(&self.shared.snapshot.load());
        grow_stale(&mut shown, &why);
        shown.at = now.wall;
        shown.link = self.link.view();
        self.shared.snapshot.store(Arc::new(shown));
        self.shared.board.revision.send_modify(|revision| *revision += 1);
    }

    /// The last record before its task ends.
    pub(super) async fn keep_last(&mut self) {
        let now = self.now();
        self.keep(true, now).await;
    }

    /// Swaps in what is known now. What of it is durable has been recorded.
    pub(super) fn show(&mut self, now: Now) {
        self.revision += 1;
        let snapshot = self.snapshot(now);
        self.open_way(&snapshot.link.state);
        self.shared.snapshot.store(Arc::new(snapshot));
        self.shared.board.revision.send_modify(|revision| *revision += 1);
        self.published = now.mono;
    }

    fn open_way(&mut self, state: &LinkState) {
        let epoch = self.link.epoch();
        let endpoint = self.link.endpoint().cloned();
        let (Some(lines), Some(endpoint), true) = (&self.lines, endpoint, state.is_up()) else {
            self.shared.close();
            return;
        };
        let open = self.shared.way.load();
        if open.as_ref().is_none_or(|way| way.epoch != epoch || way.endpoint != endpoint) {
            self.shared.way.store(Some(Arc::new(Way { lines: lines.clone(), endpoint, epoch })));
        }
    }

    fn snapshot(&mut self, now: Now) -> RemoteSnapshot {
        let (requests, bytes) = self.lines.as_ref().map_or((0, 0), Lines::counted);
        self.meter.read(now.mono, self.counted_before.0 + requests, self.counted_before.1 + bytes);
        let name = Text::from(self.spec.name.as_str());
        let same_as = self.identity.as_ref().and_then(|one| self.shared.board.same_as(one, self.id, &name));
        let why = match &self.follows {
            Some(follows) => follows.why.clone(),
            None => self.why_stale(now),
        };
        let guests = self.guest_rows(why.as_ref());
        let mut tasks: Vec<Task> = self.inventory.tasks.values().cloned().collect();
        tasks.sort_by(|a, b| newest_first(a.started, b.started).then_with(|| a.upid.cmp(&b.upid)));
        RemoteSnapshot {
            id: self.id,
            name,
            elsewhere: self.follows.as_ref().map(|follows| follows.elsewhere.clone()),
            at: now.wall,
            link: self.follows.as_ref().map_or_else(|| self.link.view(), |follows| follows.link.clone()),
            versions: self.versions.clone(),
            cluster: self.cluster.clone(),
            proposed: self.others.iter().filter(|other| !self.spec.ids().contains(other)).count(),
            same_as,
            identity: self.identity.clone(),
            user: self.spec.account().map(Text::from),
            ha: self.ha.clone(),
            coverage: self.schedule.coverage(),
            nodes: self.node_rows(why.as_ref()),
            guests,
            glances: crate::lists::Glances::default(),
            digests: crate::overview::Digests::default(),
            values: crate::lists::Values::default(),
            storages: self.storage_rows(why.as_ref()),
            tasks,
            created: self.created,
            interval: self.spec.interval,
            web_url: self.spec.web_url.clone(),
            rights: self.spec.rights,
            token: self.spec.account().filter(|_| self.spec.credential.is_token()).map(Text::from),
            minted: self.spec.minted.clone(),
            figures: self.figures.values().copied().collect(),
            operations: self.operations(),
            drift: self.drift_records(),
            unreadable: self.unreadable_rows(),
            traffic: self.meter.traffic(),
            faults: self.faults,
            last_fault: self.last_fault.clone(),
        }
    }

    /// Why nothing that listings bring is live; `None` when it is.
    fn why_stale(&self, now: Now) -> Option<StaleWhy> {
        if let Some(why) = self.link.state().stale_why() {
            return Some(why);
        }
        if let Some(failure) = self.schedule.error(&Part::Resources) {
            return Some(StaleWhy::Facet { cause: Arc::new(failure.cause.clone()) });
        }
        let Some(last) = self.schedule.last_success(&Part::Resources) else {
            // What is known is of before this process.
            return Some(StaleWhy::Overdue);
        };
        if self.up_since.is_some_and(|up| last < up) {
            // What was seen before the link came back is not live before it was seen again.
            return Some(StaleWhy::Overdue);
        }
        (now.since(last) > self.schedule.interval(&Part::Resources).saturating_mul(3))
            .then_some(StaleWhy::Overdue)
    }

    fn node_rows(&self, why: Option<&StaleWhy>) -> Vec<NodeRow> {
        self.inventory
            .nodes
            .values()
            .map(|known| {
                let (at, through) = known.seen.clone().unzip();
                let own = match (&known.node.state, known.listed) {
                    (_, false) => Some(StaleWhy::Missing),
                    (NodeState::Offline, _) => Some(StaleWhy::NodeDown { node: known.node.name.clone() }),
                    (NodeState::Unknown, _) => Some(StaleWhy::StateUnknown),
                    _ => None,
                };
                NodeRow {
                    node: known.node.clone(),
                    observed_at: at,
                    through,
                    freshness: freshness(at, why.cloned().or(own)),
                }
            })
            .collect()
    }

    fn storage_rows(&self, why: Option<&StaleWhy>) -> Vec<StorageRow> {
        self.inventory
            .storages
            .values()
            .map(|one| {
                let seen = &one.seen;
                let node = self.inventory.nodes.get(&seen.value.node).map(|known| &known.node.state);
                let own = match (node, one.listed) {
                    (Some(NodeState::Offline), _) => {
                        Some(StaleWhy::NodeDown { node: seen.value.node.clone() })
                    }
                    (_, false) => Some(StaleWhy::Missing),
                    (_, true) => one.vague.then_some(StaleWhy::StateUnknown),
                };
                StorageRow {
                    storage: seen.value.clone(),
                    observed_at: seen.at,
                    freshness: freshness(Some(seen.at), why.cloned().or(own)),
                }
            })
            .collect()
    }

    /// The rows of all guests, brought up to date with what follows from the link. Those of which nothing is
    /// different are the same rows as in the snapshot before.
    fn guest_rows(&mut self, why: Option<&StaleWhy>) -> Vec<Arc<GuestRow>> {
        let mut busy: BTreeMap<Vmid, OperationId> = self.unread.busy().collect();
        for (id, ride) in &self.rides {
            if ride.operation.state.blocks() {
                busy.insert(ride.operation.guest.vmid, *id);
            }
        }
        let rows = self.inventory.guests.iter_mut().map(|(vmid, known)| {
            bring_up_to_date(known, why, busy.get(vmid).copied());
            known.row.clone()
        });
        rows.collect()
    }

    /// What is odd now, equal records of one call together.
    fn drift_records(&self) -> Vec<DriftRecord> {
        let mut all = Drift::default();
        for drift in self.drift.values() {
            all.absorb(Drift { unreadable: Vec::new(), ..drift.clone() });
        }
        all.absorb(Drift { unreadable: Vec::new(), ..self.odd.clone() });
        all.records
    }

    fn unreadable_rows(&self) -> Vec<UnreadableRow> {
        let rows = |facet: &str, drift: &Drift| -> Vec<UnreadableRow> {
            drift
                .unreadable
                .iter()
                .take(UNREADABLE_SHOWN)
                .map(|row| UnreadableRow { facet: facet.into(), why: row.why.clone(), raw: row.raw.clone() })
                .collect()
        };
        let polled = self
            .drift
            .iter()
            .flat_map(|(part, drift)| rows(part.facet().map_or("", model::FacetKind::as_str), drift));
        polled.chain(rows(ON_DEMAND, &self.odd)).chain(self.unread.rows()).collect()
    }
}

/// What was live is so no longer.
pub(super) fn grow_stale(shown: &mut RemoteSnapshot, why: &StaleWhy) {
    let stale = |freshness: &mut Freshness, since: Option<Timestamp>| {
        if let (true, Some(since)) = (freshness.is_live(), since) {
            *freshness = Freshness::Stale { since, why: why.clone() };
        }
    };
    for row in &mut shown.guests {
        let since = row.observed_at;
        stale(&mut Arc::make_mut(row).freshness, since);
    }
    for row in &mut shown.nodes {
        stale(&mut row.freshness, row.observed_at);
    }
    for row in &mut shown.storages {
        stale(&mut row.freshness, Some(row.observed_at));
    }
}

fn freshness(at: Option<Timestamp>, why: Option<StaleWhy>) -> Freshness {
    match (at, why) {
        (None, _) => Freshness::NeverSeen,
        (Some(_), None) => Freshness::Live,
        (Some(since), Some(why)) => Freshness::Stale { since, why },
    }
}

fn bring_up_to_date(known: &mut Known, why: Option<&StaleWhy>, busy: Option<OperationId>) {
    let at = known.observed_at;
    let out_of_reach = || match why {
        Some(StaleWhy::Overdue | StaleWhy::Facet { .. }) | None => None,
        Some(why) => Some((why.clone(), Standing::OutOfReach)),
    };
    let found = match &known.presence {
        Presence::Deleted { .. } => Some((StaleWhy::Deleted, Standing::Deleted)),
        Presence::NoLongerVisible { .. } => Some((StaleWhy::NotVisible, Standing::NotVisible)),
        Presence::Missing { .. } => out_of_reach().or(Some((StaleWhy::Missing, Standing::Missing))),
        Presence::Present => out_of_reach().or_else(|| match &known.doubt {
            Some(Doubt::NodeDown(node)) => {
                Some((StaleWhy::NodeDown { node: node.clone() }, Standing::NodeDown { node: node.clone() }))
            }
            Some(Doubt::StateUnknown) => Some((StaleWhy::StateUnknown, Standing::Unknown)),
            Some(Doubt::StateUnread) => Some((StaleWhy::StateUnread, Standing::Unknown)),
            None => None,
        }),
    };
    let known_state = || Standing::Known { state: known.guest.state.clone() };
    let (why, standing) = match found {
        Some((why, standing)) => (Some(why), standing),
        None => (why.cloned(), known_state()),
    };
    let freshness = freshness(at, why);
    let state = match &standing {
        Standing::Known { state } if freshness.is_live() => state.clone(),
        _ => model::GuestState::Unknown,
    };
    let row = &known.row;
    let same =
        row.state == state && row.freshness == freshness && row.standing == standing && row.busy == busy;
    if !same {
        let row = known.row_mut();
        (row.state, row.freshness, row.standing, row.busy) = (state, freshness, standing, busy);
    }
}

/// What is seen of a remote before anything is known of it.
pub(super) fn blank(
    id: RemoteId,
    spec: &RemoteSpec,
    created: Timestamp,
    link: &Link,
    now: Now,
) -> RemoteSnapshot {
    RemoteSnapshot {
        id,
        name: Text::from(spec.name.as_str()),
        elsewhere: None,
        at: now.wall,
        link: link.view(),
        versions: BTreeMap::new(),
        cluster: None,
        proposed: 0,
        same_as: None,
        identity: spec.identity.clone(),
        user: None,
        ha: Vec::new(),
        coverage: Vec::new(),
        nodes: Vec::new(),
        guests: Vec::new(),
        glances: crate::lists::Glances::default(),
        digests: crate::overview::Digests::default(),
        values: crate::lists::Values::default(),
        storages: Vec::new(),
        tasks: Vec::new(),
        created,
        interval: spec.interval,
        web_url: spec.web_url.clone(),
        rights: spec.rights,
        token: None,
        minted: spec.minted.clone(),
        figures: Vec::new(),
        operations: Vec::new(),
        drift: Vec::new(),
        unreadable: Vec::new(),
        traffic: Traffic::default(),
        faults: 0,
        last_fault: None,
    }
}
