//! One node, one storage, looked at closely, on demand. What was read last is given, with why it is not newer, where
//! the remote does not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use model::{Failure, NodeName, Observed, RemoteId, Text, Vmid};
use pve::decode::Rows;
use pve::drift::DriftRecord;
use pve::reply::{GuestConfig, NodeStatus, Volume};
use serde::{Deserialize, Serialize};

use crate::detail::{Asker, DetailError, Part};
use crate::fleet::Fleet;
use crate::journal::UnreadError;
use crate::snapshot::RemoteSnapshot;
use model::rows::{GuestRow, NodeRow};

/// So many nodes are asked at most what lies on the storages of one name that they have each to itself.
const NODES_ASKED: usize = 16;

/// So many of them at once.
const NODES_AT_ONCE: usize = 4;

/// Of so many guests at most a configuration is looked for where it is kept, when it is not held in memory.
const CONFIGS_SOUGHT: usize = 200;

/// What a node says of itself, and what lies on a storage, is written down this often, beside each time that the row of
/// it is.
const WRITTEN_AGAIN: Duration = Duration::from_secs(3600);

/// Everything known of one node.
#[derive(Debug, Clone)]
pub struct NodeDetail {
    /// Its row.
    pub row: NodeRow,
    /// `GET /nodes/{node}/status`.
    pub status: Part<NodeStatus>,
    /// Fields of that reply that did not fit.
    pub drift: Vec<DriftRecord>,
}

/// What lies on a storage, as one node sees it.
#[derive(Debug, Clone)]
pub struct StorageLook {
    /// The node that was asked, or would be.
    pub node: NodeName,
    /// Whether other nodes see the same.
    pub shared: bool,
    /// What lies there.
    pub contents: Part<Contents>,
}

/// Everything known of the storages of one name.
#[derive(Debug, Clone)]
pub struct StorageDetail {
    /// Each: one for each node that has it to itself, one in all when it is shared.
    pub looks: Vec<StorageLook>,
    /// The guests that have something there: their numbers, with what.
    pub guests: BTreeMap<Vmid, Share>,
    /// How many more guests may have something there: of these nothing was listed, and no configuration is known.
    pub guests_unknown: usize,
    /// Why configurations that are kept could not be told, if that was why.
    pub unread: Option<Failure>,
    /// How many of the nodes were not asked, though what lies there was wanted anew: there are too many of them.
    pub nodes_left_out: usize,
    /// Fields and rows of the replies that did not fit.
    pub drift: Vec<DriftRecord>,
}

/// What lies on a storage. Endpoint: `GET /nodes/{node}/storage/{storage}/content`, which tells an account only of what
/// it may see.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// By what it is: `images`, `rootdir`, `backup`, `iso`, `vztmpl`…; the empty word: not told.
    pub kinds: BTreeMap<Text, Figures>,
    /// By whose it is.
    pub guests: BTreeMap<Vmid, BTreeMap<Text, Figures>>,
    /// How many rows could not be read.
    pub unreadable: usize,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Volumes.
    pub volumes: usize,
    /// Their bytes; `None` when that is known of none of them.
    pub bytes: Option<u64>,
    /// Volumes of which the size is not known.
    pub sizeless: usize,
}

/// What a guest has on a storage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Share {
    /// What was listed there, by what it is.
    pub listed: BTreeMap<Text, Figures>,
    /// Whether its configuration, as last read, names a volume there.
    pub configured: bool,
}

/// What was read last of nodes and storages.
#[derive(Default)]
pub(crate) struct Looks {
    statuses: Mutex<BTreeMap<NodeName, Said>>,
    contents: Mutex<BTreeMap<(Text, NodeName), Listed>>,
}

/// What a node said of itself, and what of that reply did not fit.
#[derive(Clone)]
struct Said {
    seen: Observed<Arc<NodeStatus>>,
    drift: Vec<DriftRecord>,
    /// When it was written down last, on the clock that nobody sets.
    written: Option<Duration>,
}

/// Contents that were listed, and what of that reply did not fit.
#[derive(Clone)]
struct Listed {
    seen: Observed<Arc<Contents>>,
    drift: Vec<DriftRecord>,
    /// When, on the clock that nobody sets; `None`: before it began.
    read: Option<Duration>,
    /// When it was written down last, likewise.
    written: Option<Duration>,
}

// === impl Looks ===

impl Looks {
    /// A node's status was read.
    pub(crate) fn keep_status(
        &self,
        node: &NodeName,
        seen: Observed<Arc<NodeStatus>>,
        drift: Vec<DriftRecord>,
    ) {
        let mut statuses = lock(&self.statuses);
        let written = statuses.get(node).and_then(|said| said.written);
        statuses.insert(node.clone(), Said { seen, drift, written });
    }

    /// What lies on a storage was listed at `read`; `None`: before Muster was started.
    pub(crate) fn keep_contents(
        &self,
        place: (Text, NodeName),
        seen: Observed<Arc<Contents>>,
        drift: Vec<DriftRecord>,
        read: Option<Duration>,
    ) {
        let mut contents = lock(&self.contents);
        let written = contents.get(&place).and_then(|listed| listed.written);
        contents.insert(place, Listed { seen, drift, read, written });
    }

    /// Nothing is kept of what a remote does not have any more.
    fn retain(&self, remote: &RemoteSnapshot) {
        lock(&self.statuses).retain(|node, _| remote.node(node).is_some());
        lock(&self.contents).retain(|(storage, node), _| {
            remote.storages.iter().any(|row| row.storage.storage == *storage && row.storage.node == *node)
        });
    }

    /// Whether what a node says of itself is to be written down: it moves all the time, so that is not done each time.
    pub(crate) fn is_due(&self, node: &NodeName, now: Duration) -> bool {
        let mut statuses = lock(&self.statuses);
        let due = statuses.get_mut(node).filter(|said| is_due(said.written, now));
        due.map(|said| said.written = Some(now)).is_some()
    }

    /// Storages of which what lies there is to be written down: it was listed since that was done, and that is a while
    /// ago.
    pub(crate) fn unwritten(&self, now: Duration) -> Vec<(Text, NodeName)> {
        let contents = lock(&self.contents);
        let due = |listed: &Listed| listed.read > listed.written && is_due(listed.written, now);
        contents.iter().filter(|(_, listed)| due(listed)).map(|(place, _)| place.clone()).collect()
    }

    /// What lies on these storages was written down.
    pub(crate) fn have_written(&self, places: &[(Text, NodeName)], now: Duration) {
        let mut contents = lock(&self.contents);
        for place in places {
            if let Some(listed) = contents.get_mut(place) {
                listed.written = Some(now);
            }
        }
    }

    pub(crate) fn status(&self, node: &NodeName) -> Option<Observed<Arc<NodeStatus>>> {
        lock(&self.statuses).get(node).map(|said| said.seen.clone())
    }

    pub(crate) fn contents(&self, place: &(Text, NodeName)) -> Option<Observed<Arc<Contents>>> {
        lock(&self.contents).get(place).map(|listed| listed.seen.clone())
    }
}

/// Whether it is time to write something down that was last written then.
fn is_due(written: Option<Duration>, now: Duration) -> bool {
    written.is_none_or(|last| now.saturating_sub(last) >= WRITTEN_AGAIN)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Figures ===

impl Figures {
    fn add(&mut self, bytes: Option<u64>) {
        self.volumes += 1;
        match bytes {
            Some(bytes) => self.bytes = Some(self.bytes.unwrap_or(0).saturating_add(bytes)),
            None => self.sizeless += 1,
        }
    }

    fn join(&mut self, other: Self) {
        self.volumes += other.volumes;
        self.sizeless += other.sizeless;
        self.bytes = match (self.bytes, other.bytes) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
    }
}

// === impl Contents ===

impl Contents {
    fn of(rows: &Rows<Volume>) -> Self {
        let mut contents = Self { unreadable: rows.unreadable.len(), ..Self::default() };
        for volume in &rows.rows {
            let kind = Text::from(volume.content.as_deref().unwrap_or_default());
            contents.kinds.entry(kind.clone()).or_default().add(volume.size);
            if let Some(vmid) = volume.vmid {
                let of_guest = contents.guests.entry(Vmid(vmid)).or_default();
                of_guest.entry(kind).or_default().add(volume.size);
            }
        }
        contents
    }
}

/// Whether a configuration names a volume of that storage as one of the guest's own.
fn uses(config: &GuestConfig, storage: &str) -> bool {
    config.entries.iter().any(|(key, value)| {
        let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_disk = matches!(
            stem,
            "rootfs"
                | "mp"
                | "scsi"
                | "virtio"
                | "sata"
                | "ide"
                | "efidisk"
                | "tpmstate"
                | "unused"
                | "vmstate"
        );
        let first = value.as_str().split(',').next().unwrap_or_default();
        let volume = ["volume=", "file="].iter().find_map(|name| first.strip_prefix(name)).unwrap_or(first);
        let on_it = volume.strip_prefix(storage).and_then(|rest| rest.strip_prefix(':'));
        // What is only put in is not the guest's own.
        is_disk && on_it.is_some_and(|name| !name.starts_with("iso/"))
    })
}

/// The storages of one name: the nodes to ask, each with whether others see the same.
fn places(remote: &RemoteSnapshot, storage: &Text, named: Option<&NodeName>) -> Vec<(NodeName, bool)> {
    let having = remote.storages.iter().map(|row| &row.storage).filter(|one| one.storage == *storage);
    let named = |node: &NodeName| named.is_none_or(|named| named == node);
    let mut places: Vec<(NodeName, bool)> = Vec::new();
    let mut of_all: Vec<&NodeName> = Vec::new();
    for one in having.filter(|one| named(&one.node)) {
        match one.shared {
            Some(true) => of_all.push(&one.node),
            _ => places.push((one.node.clone(), false)),
        }
    }
    places.extend(remote.to_ask(&of_all).map(|node| (node.clone(), true)));
    places
}

impl RemoteSnapshot {
    /// Of nodes that would tell the same the one to ask: one that is known to be online now, or the first.
    pub(crate) fn to_ask<'a>(&self, nodes: &[&'a NodeName]) -> Option<&'a NodeName> {
        let is_online = |node: &NodeName| {
            self.node(node)
                .is_some_and(|row| row.node.state == model::NodeState::Online && row.freshness.is_live())
        };
        nodes.iter().find(|node| is_online(node)).or(nodes.first()).copied()
    }
}

/// Whose something lies on a storage.
#[derive(Default)]
struct Shares {
    known: BTreeMap<Vmid, Share>,
    unknown: usize,
    unread: Option<Failure>,
}

impl Asker {
    async fn node(&self, name: &NodeName, anew: bool) -> Result<NodeDetail, DetailError> {
        let remote = self.shared.snapshot.load_full();
        let row = remote.node(name).ok_or(DetailError::NoSuchNode)?.clone();
        let looks = &self.shared.looks;
        let error = if anew {
            let flown = &self.shared.flown;
            let answer =
                self.anew(false, false, |client| async move { flown.node_status(&client, name).await }).await;
            let kept = answer.map(|answer| {
                let answer = answer.as_deref();
                let seen = answer.map(|answer| (self.seen(answer, answer.value.clone()), answer));
                seen.map(|(seen, answer)| looks.keep_status(name, seen, answer.drift.records.clone()))
            });
            kept.err()
        } else {
            None
        };
        let said = lock(&looks.statuses).get(name).cloned();
        let (seen, drift) = said.map(|said| (said.seen, said.drift)).unzip();
        Ok(NodeDetail { row, status: Part { seen, error }, drift: drift.unwrap_or_default() })
    }

    /// What lies on a storage. `fresh`: it is read now, unless it was within that time.
    async fn contents(
        &self,
        place: (Text, NodeName),
        fresh: Option<Duration>,
    ) -> (Part<Contents>, Vec<DriftRecord>) {
        let looks = &self.shared.looks;
        let error = match fresh {
            None => None,
            Some(fresh) => {
                let now = self.shared.clock.now().mono;
                let read = lock(&looks.contents).get(&place).and_then(|listed| listed.read);
                let is_fresh = read.is_some_and(|read| now.saturating_sub(read) < fresh);
                let (flown, (storage, node)) = (&self.shared.flown, &place);
                let answer = self
                    .anew(is_fresh, true, |client| async move { flown.content(&client, node, storage).await })
                    .await;
                match answer {
                    Err(failure) => Some(failure),
                    Ok(answer) => {
                        if let Some(answer) = answer {
                            let seen = self.seen(&answer, Contents::of(&answer.value));
                            let read = Some(self.shared.clock.now().mono);
                            looks.keep_contents(place.clone(), seen, answer.drift.records.clone(), read);
                        }
                        None
                    }
                }
            }
        };
        let listed = lock(&looks.contents).get(&place).cloned();
        let (seen, drift) = listed.map(|listed| (listed.seen, listed.drift)).unzip();
        (Part { seen, error }, drift.unwrap_or_default())
    }

    async fn storage(
        &self,
        storage: &Text,
        node: Option<&NodeName>,
        fresh: Option<Duration>,
    ) -> Result<StorageDetail, DetailError> {
        let remote = self.shared.snapshot.load_full();
        self.shared.looks.retain(&remote);
        let places = places(&remote, storage, node);
        if places.is_empty() {
            return Err(DetailError::NoSuchStorage);
        }
        let nodes_left_out = fresh.map_or(0, |_| places.len().saturating_sub(NODES_ASKED));
        let looks = places.into_iter().enumerate().map(async |(place, (node, shared))| {
            let fresh = fresh.filter(|_| place < NODES_ASKED);
            let (contents, drift) = self.contents((storage.clone(), node.clone()), fresh).await;
            (StorageLook { node, shared, contents }, drift)
        });
        let found: Vec<_> = futures_util::stream::iter(looks).buffered(NODES_AT_ONCE).collect().await;
        let (looks, drift): (Vec<StorageLook>, Vec<_>) = found.into_iter().unzip();
        let shares = self.shares(&remote, storage, &looks).await;
        Ok(StorageDetail {
            looks,
            guests: shares.known,
            guests_unknown: shares.unknown,
            unread: shares.unread,
            nodes_left_out,
            drift: drift.into_iter().flatten().collect(),
        })
    }

    /// Whose something there is: by what was listed, and by the configurations.
    async fn shares(&self, remote: &RemoteSnapshot, storage: &Text, looks: &[StorageLook]) -> Shares {
        let mut shares = Shares::default();
        for contents in looks.iter().filter_map(|look| look.contents.seen.as_ref()) {
            for (vmid, kinds) in &contents.value.guests {
                let share = shares.known.entry(*vmid).or_default();
                for (kind, figures) in kinds {
                    share.listed.entry(kind.clone()).or_default().join(*figures);
                }
            }
        }
        let shared = looks.iter().any(|look| look.shared);
        let nodes: BTreeSet<&NodeName> = looks.iter().map(|look| &look.node).collect();
        let there =
            |row: &&GuestRow| (shared || nodes.contains(&row.guest.node)) && row.presence.is_present();
        let (mut sought, mut silent) = (0, false);
        for row in remote.guests.iter().map(|row| &**row).filter(there) {
            let vmid = row.guest.vmid;
            let config = match self.shared.config(vmid) {
                Some(config) => Some(config),
                // A store that has failed once is not asked for each of the others.
                None if sought < CONFIGS_SOUGHT && !silent => {
                    sought += 1;
                    let found = self.shared.known_config(vmid).await;
                    found.unwrap_or_else(|error| {
                        silent = matches!(error, UnreadError::Store(_));
                        shares.unread.get_or_insert_with(|| self.untold(vmid, &error));
                        None
                    })
                }
                None => None,
            };
            match config {
                Some(config) if uses(&config.value, storage.as_str()) => {
                    shares.known.entry(vmid).or_default().configured = true;
                }
                Some(_) => {}
                None => shares.unknown += usize::from(!shares.known.contains_key(&vmid)),
            }
        }
        shares
    }
}

impl Fleet {
    /// Everything about one node. `anew`: its status is read now; where it does not answer, as last read, and why.
    ///
    /// # Errors
    /// When there is no such remote or node.
    pub async fn node_detail(
        &self,
        id: RemoteId,
        node: &NodeName,
        anew: bool,
    ) -> Result<NodeDetail, DetailError> {
        self.asker(id).ok_or(DetailError::NoSuchRemote)?.node(node, anew).await
    }

    /// What lies on the storages of one name, on one node or on all that have it, and whose that is. `anew`: it is read
    /// now, unless it was within [`Timings::chart`]; of at most sixteen nodes.
    ///
    /// [`Timings::chart`]: crate::Timings
    ///
    /// # Errors
    /// When there is no such remote or storage.
    pub async fn storage_detail(
        &self,
        id: RemoteId,
        storage: &Text,
        node: Option<&NodeName>,
        anew: bool,
    ) -> Result<StorageDetail, DetailError> {
        let fresh = anew.then_some(self.timings().chart);
        self.asker(id).ok_or(DetailError::NoSuchRemote)?.storage(storage, node, fresh).await
    }
}

#[cfg(test)]
mod tests {
    use pve::drift::Drift;

    use super::*;

    fn config(text: &str) -> GuestConfig {
        let raw = pve::decode::check(text.as_bytes()).unwrap();
        pve::decode::object(raw, &mut Drift::default()).unwrap()
    }

    #[test]
    fn a_configuration_tells_whose_disks_lie_where() {
        let vm = config(
            r#"{"scsi0":"nas:101/vm-101-disk-0.qcow2,size=8G","ide2":"local:iso/debian.iso,media=cdrom",
                "efidisk0":"file=fast:vm-101-efi,size=4M","description":"ceph: soon","net0":"virtio=AA,bridge=lan"}"#,
        );
        for (storage, on) in [("nas", true), ("fast", true), ("local", false), ("ceph", false), ("na", false)]
        {
            assert_eq!(uses(&vm, storage), on, "{storage}");
        }
        let ct = config(r#"{"rootfs":"volume=zfs:subvol-7-disk-0,size=4G","mp3":"/mnt/host,mp=/data"}"#);
        assert!(uses(&ct, "zfs") && !uses(&ct, "local"));
    }

    #[test]
    fn what_is_listed_is_counted_by_kind_and_owner_and_unknown_is_not_zero() {
        let text = br#"[{"volid":"a:1","content":"images","vmid":7,"size":10},{"volid":"a:2","content":"images","vmid":7},
            {"volid":"a:3","content":"iso","size":"5"},{"volid":"a:4","content":"backup","vmid":8},{"content":"iso"}]"#;
        let rows = pve::decode::list(pve::decode::check(text).unwrap(), &mut Drift::default()).unwrap();
        let contents = Contents::of(&rows);
        let of = |kind: &str| contents.kinds[&Text::from(kind)];
        assert_eq!(of("images"), Figures { volumes: 2, bytes: Some(10), sizeless: 1 });
        assert_eq!(of("backup"), Figures { volumes: 1, bytes: None, sizeless: 1 });
        assert_eq!((of("iso").bytes, contents.unreadable), (Some(5), 1));
        assert_eq!(contents.guests.keys().copied().collect::<Vec<_>>(), [Vmid(7), Vmid(8)]);
    }
}
