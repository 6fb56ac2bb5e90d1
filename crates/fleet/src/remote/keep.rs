//! What a remote gives to the journal beside events and operations: its rows as last seen, when something other than
//! figures is different; the figures seldom; how old all of it is.

use jiff::Timestamp;
use model::{Event, Happening, NodeName, Now, Observed, Text, Vmid};
use pve::reply::GuestConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use store::{GaugesRecord, ObservedKind, ObservedRecord, Write};

use super::Remote;
use crate::durable::diff::{diff, maker};
use crate::durable::docs::{
    ConfigDoc, FacetsDoc, GaugesDoc, GuestDoc, NodeDoc, StateDoc, StorageDoc, digest, json, storage_word,
};
use crate::inventory::Touched;
use crate::journal::{Fact, UnreadError};

/// A configuration that never changes has its age brought up to date this often.
const CONFIG_REFRESHED: Duration = Duration::from_secs(6 * 3600);

/// Samples of drift of one remote that are kept at most while Muster runs.
const DRIFT_KEPT: usize = 500;
/// A departure that goes on is told to the store again this often.
const DRIFT_TOLD_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// What was last kept, to tell what is news.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Digest of the document about the remote as a whole.
    pub(super) state: u64,
    pub(super) facets: FacetsDoc,
    pub(super) facets_at: Duration,
    pub(super) gauges_at: Duration,
    /// Departures that were told to the store, and when.
    pub(super) drift: BTreeMap<String, Duration>,
}

/// What goes to the journal now, and what is then to be remembered as kept.
pub(super) struct Keeping {
    pub(super) facts: Vec<Fact>,
    state: Option<u64>,
    facets: Option<FacetsDoc>,
    gauges: bool,
    drift: Vec<String>,
    /// Storages of which what lies there is kept.
    listed: Vec<(Text, NodeName)>,
}

fn kept(write: Write) -> Fact {
    Fact::Kept(Box::new(write))
}

impl Remote {
    /// Everything that is to be recorded before the next snapshot may be seen. `last`: nothing comes after.
    pub(super) fn keeping(&self, last: bool, now: Now) -> Keeping {
        let mut keeping = Keeping {
            facts: self.facts.clone(),
            state: None,
            facets: None,
            gauges: false,
            drift: Vec::new(),
            listed: Vec::new(),
        };
        if !self.common.journal.keeps() {
            return keeping;
        }
        keeping.listed = self.shared.looks.unwritten(now.mono);
        keeping.listed.retain(|key| self.inventory.storages.contains_key(key));
        self.keep_rows(&mut keeping.facts, &keeping.listed, now.wall);
        keeping.drift = self.keep_drift(&mut keeping.facts, now);
        let (probe, doc) = self.state_doc();
        if probe != self.kept.state {
            keeping.facts.push(self.document(ObservedKind::State, json(&doc), now.wall));
            keeping.state = Some(probe);
        }
        let timings = &self.common.timings;
        // Others show what is kept: how old it is may not depend on what else there is to keep.
        let read_by_others = self.common.party.as_ref().is_some_and(|party| party.has_others());
        let gauges_kept =
            if read_by_others { timings.ages_kept.min(timings.gauges_kept) } else { timings.gauges_kept };
        let gauges = last || now.since(self.kept.gauges_at) >= gauges_kept;
        if gauges {
            let body = json(&GaugesDoc::of(&self.inventory)).into_bytes();
            keeping.facts.push(kept(Write::Gauges(GaugesRecord { remote: self.id, at: now.wall, body })));
            keeping.gauges = true;
        }
        let link = self
            .facts
            .iter()
            .any(|fact| matches!(fact, Fact::Event(event) if matches!(event.what, Happening::Link { .. })));
        let often = now.since(self.kept.facets_at) >= timings.ages_kept;
        if gauges || link || (often && !keeping.facts.is_empty()) {
            let facets = self.facets_doc();
            if facets != self.kept.facets {
                keeping.facts.push(self.document(ObservedKind::Facets, json(&facets), now.wall));
                keeping.facets = Some(facets);
            }
        }
        keeping
    }

    /// It is recorded.
    pub(super) fn have_kept(&mut self, keeping: Keeping, now: Now) {
        self.facts.clear();
        self.inventory.touched = Touched::default();
        if let Some(state) = keeping.state {
            self.kept.state = state;
        }
        if let Some(facets) = keeping.facets {
            (self.kept.facets, self.kept.facets_at) = (facets, now.mono);
        }
        if keeping.gauges {
            self.kept.gauges_at = now.mono;
        }
        self.shared.looks.have_written(&keeping.listed, now.mono);
        self.kept.drift.extend(keeping.drift.into_iter().map(|key| (key, now.mono)));
    }

    fn document(&self, kind: ObservedKind, body: String, at: Timestamp) -> Fact {
        let remote = self.id;
        let key = String::new();
        kept(Write::Observed(ObservedRecord { remote, kind, key, body, at: Some(at), through: None }))
    }

    fn keep_rows(&self, facts: &mut Vec<Fact>, listed: &[(Text, NodeName)], at: Timestamp) {
        let remote = self.id;
        let mut keep = |kind, key: String, body: Option<String>, at, through| {
            facts.push(kept(match body {
                Some(body) => {
                    Write::Observed(ObservedRecord { remote, kind, key, body, at: Some(at), through })
                }
                None => Write::ObservedGone { remote, kind, key },
            }));
        };
        let mut row = |kind, key, body| keep(kind, key, body, at, None);
        let (inventory, touched) = (&self.inventory, &self.inventory.touched);
        for past in &touched.past {
            let key = format!("{}/{}", past.guest.vmid, past.incarnation.0);
            row(ObservedKind::GuestPast, key, Some(json(&GuestDoc::of(past))));
        }
        for vmid in &touched.guests {
            let known = inventory.guests.get(vmid);
            row(ObservedKind::Guest, vmid.to_string(), known.map(|known| json(&GuestDoc::of(known))));
        }
        for name in &touched.nodes {
            let known = inventory.nodes.get(name);
            row(
                ObservedKind::Node,
                name.to_string(),
                known.map(|known| json(&NodeDoc::of(known, self.shared.looks.status(name).as_ref()))),
            );
        }
        let looks = &self.shared.looks;
        let storages: BTreeSet<_> = touched.storages.iter().chain(listed).collect();
        for key in storages {
            let known = inventory.storages.get(key);
            let doc = known.map(|known| json(&StorageDoc::of(known, looks.contents(key).as_ref())));
            row(ObservedKind::Storage, storage_word(key), doc);
        }
        for upid in &touched.tasks {
            row(ObservedKind::Task, upid.to_string(), inventory.tasks.get(upid).map(json));
        }
        for vmid in &touched.addresses {
            let known = inventory.guests.get(vmid);
            if known.is_none_or(|known| known.config.is_none()) {
                row(ObservedKind::GuestConfig, vmid.to_string(), None);
            }
        }
        for vmid in &touched.addresses {
            let seen = inventory.guests.get(vmid).and_then(|known| known.addresses.as_ref());
            let (at, through) = seen.map_or((at, None), |seen| (seen.at, Some(seen.through.clone())));
            let body = seen.map(|seen| json(&seen.value));
            keep(ObservedKind::GuestAddresses, vmid.to_string(), body, at, through);
        }
    }

    /// Samples of what departed from the documents: each once, and again when it still does after a day.
    fn keep_drift(&self, facts: &mut Vec<Fact>, now: Now) -> Vec<String> {
        let mut told = Vec::new();
        let all = self.drift.values().chain(std::iter::once(&self.odd)).flat_map(|drift| &drift.records);
        for record in all {
            let key =
                format!("{} {}: {:?}, not {:?}", record.call, record.field, record.found, record.expected);
            let lately = self.kept.drift.get(&key).is_some_and(|at| now.since(*at) < DRIFT_TOLD_AGAIN);
            if lately || told.contains(&key) || self.kept.drift.len() + told.len() >= DRIFT_KEPT {
                continue;
            }
            let sample =
                store::DriftRecord { remote: self.id, key: key.clone(), at: now.wall, body: json(record) };
            facts.push(kept(Write::Drift(sample)));
            told.push(key);
        }
        told
    }

    /// The document about the remote as a whole, and a digest of what of it is news when it changes.
    fn state_doc(&self) -> (u64, StateDoc) {
        let doc = StateDoc {
            cluster: self.cluster.clone(),
            versions: self.versions.clone(),
            identity: self.identity.clone(),
            ha: self.ha.clone(),
            link: self.noted.clone(),
        };
        let mut probe = StateDoc {
            cluster: doc.cluster.clone().map(|seen| Observed { at: Timestamp::UNIX_EPOCH, ..seen }),
            versions: doc.versions.clone(),
            identity: doc.identity.clone(),
            ha: doc.ha.clone(),
            link: doc.link.clone(),
        };
        for row in &mut probe.ha {
            // It tells the time.
            row.status = None;
        }
        (digest(json(&probe).as_bytes()), doc)
    }

    fn facets_doc(&self) -> FacetsDoc {
        let coverage = self.schedule.coverage();
        FacetsDoc {
            facets: coverage.iter().filter_map(|one| Some((one.facet, one.last_success?))).collect(),
            through: self.listed_through.clone(),
            link: self.link.view().last_success,
        }
    }

    /// Compares configurations that were read with those that were kept.
    pub(super) async fn settle_configs(&mut self) {
        for (vmid, begun, seen) in std::mem::take(&mut self.configs) {
            if self.inventory.is_about(vmid, begun) {
                self.settle_config(vmid, seen).await;
            }
        }
    }

    async fn settle_config(&mut self, vmid: Vmid, seen: Observed<Arc<GuestConfig>>) {
        let keeps = self.common.journal.keeps();
        let body = json(&ConfigDoc::of(&seen.value));
        let mark = digest(body.as_bytes());
        let Some(before) = self.inventory.guests.get(&vmid).map(|known| known.config) else { return };
        let same = before.is_some_and(|(known, _)| known == mark);
        let age = before.and_then(|(_, at)| Duration::try_from(seen.at.duration_since(at)).ok());
        if same && (!keeps || age.is_some_and(|age| age < CONFIG_REFRESHED)) {
            if !keeps {
                self.shared.keep_config(vmid, seen);
            }
            return;
        }
        if let (Some((_, read)), false) = (before, same) {
            let old = if keeps {
                self.common.journal.config(self.id, vmid).await
            } else {
                Ok(self.shared.config(vmid))
            };
            match old {
                Ok(old) => {
                    let changes = old.map(|old| diff(&old.value, &seen.value)).unwrap_or_default();
                    if !changes.is_empty() {
                        self.config_changed(vmid, changes, read, seen.at);
                    }
                }
                // There is nothing to compare it with, nor will be.
                Err(error @ UnreadError::Damaged(_)) => {
                    tracing::warn!(remote = %self.spec.name, %vmid, %error, "a configuration is kept anew");
                }
                Err(error @ UnreadError::Store(_)) => {
                    tracing::warn!(remote = %self.spec.name, %vmid, %error, "a configuration could not be compared");
                    return;
                }
            }
        }
        if let Some(known) = self.inventory.guests.get_mut(&vmid) {
            known.config = Some((mark, seen.at));
        }
        self.inventory.touched.guests.insert(vmid);
        if keeps {
            self.facts.push(kept(Write::Observed(ObservedRecord {
                remote: self.id,
                kind: ObservedKind::GuestConfig,
                key: vmid.to_string(),
                body,
                at: Some(seen.at),
                through: Some(seen.through),
            })));
        } else {
            self.shared.keep_config(vmid, seen);
        }
        self.dirty = true;
    }

    fn config_changed(
        &mut self,
        vmid: Vmid,
        changes: Vec<model::ConfigChange>,
        read: Timestamp,
        at: Timestamp,
    ) {
        // By the remote's clock.
        let since = self.skew.and_then(|skew| read.checked_add(skew).ok()).unwrap_or(read);
        let task = maker(self.inventory.tasks.values(), vmid, Some(since));
        let known = self.inventory.guests.get(&vmid);
        let event = Event {
            vmid: Some(vmid),
            incarnation: known.map(|known| known.incarnation),
            node: known.map(|known| known.guest.node.clone()),
            task,
            ..Event::of(self.id, at, Happening::GuestConfig { changes })
        };
        self.facts.push(Fact::Event(Box::new(event)));
    }
}
