//! One node, one storage, looked at closely, on demand. What was read last is given, with why it is not newer, where
//! the remote does not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use model::{EndpointId, NodeName, Observed, RemoteId, Text, Vmid};
use pve::decode::Rows;
use pve::drift::{Drift, DriftRecord};
use pve::reply::{GuestConfig, NodeStatus, Volume};

use crate::detail::{Asker, DetailError, Part};
use crate::fleet::Fleet;
use crate::snapshot::RemoteSnapshot;
use model::rows::{GuestRow, NodeRow};

/// So many nodes are asked at most what lies on the storages of one name that they have each to itself.
const NODES_ASKED: usize = 16;

/// So many of them at once.
const NODES_AT_ONCE: usize = 4;

/// Of so many guests at most a configuration is looked for where it is kept, when it is not held in memory.
const CONFIGS_SOUGHT: usize = 200;

/// What a node says of itself is written down this often, beside each time that its version is another.
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
    /// Fields and rows of the replies that did not fit.
    pub drift: Vec<DriftRecord>,
}

/// What lies on a storage. Endpoint: `GET /nodes/{node}/storage/{storage}/content`, which tells an account only of what
/// it may see.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// By what it is: `images`, `rootdir`, `backup`, `iso`, `vztmpl`…; the empty word: not told.
    pub kinds: BTreeMap<Text, Figures>,
    /// By whose it is.
    pub guests: BTreeMap<Vmid, BTreeMap<Text, Figures>>,
    /// How many rows could not be read.
    pub unreadable: usize,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    statuses: Mutex<BTreeMap<NodeName, Observed<Arc<NodeStatus>>>>,
    /// When that was written down last, on the clock that nobody sets.
    written: Mutex<BTreeMap<NodeName, Duration>>,
    contents: Mutex<BTreeMap<(Text, NodeName), Listed>>,
}

/// Contents that were listed, with when, on the clock that nobody sets.
type Listed = (Observed<Arc<Contents>>, Duration);

// === impl Looks ===

impl Looks {
    /// A node's status was read.
    pub(crate) fn keep_status(&self, node: &NodeName, seen: Observed<Arc<NodeStatus>>) {
        lock(&self.statuses).insert(node.clone(), seen);
    }

    /// Nothing is kept of what a remote does not have any more.
    pub(crate) fn retain(&self, remote: &RemoteSnapshot) {
        lock(&self.statuses).retain(|node, _| remote.node(node).is_some());
        lock(&self.written).retain(|node, _| remote.node(node).is_some());
        lock(&self.contents).retain(|(storage, node), _| {
            remote.storages.iter().any(|row| row.storage.storage == *storage && row.storage.node == *node)
        });
    }

    /// Whether what a node says of itself is to be written down: it moves all the time, so that is not done each time.
    pub(crate) fn is_due(&self, node: &NodeName, now: Duration) -> bool {
        let mut written = lock(&self.written);
        let due = written.get(node).is_none_or(|last| now.saturating_sub(*last) >= WRITTEN_AGAIN);
        if due {
            written.insert(node.clone(), now);
        }
        due
    }

    pub(crate) fn status(&self, node: &NodeName) -> Option<Observed<Arc<NodeStatus>>> {
        lock(&self.statuses).get(node).cloned()
    }

    fn listed(&self, storage: &Text, node: &NodeName) -> Option<Listed> {
        lock(&self.contents).get(&(storage.clone(), node.clone())).cloned()
    }
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
    let having: Vec<_> =
        remote.storages.iter().map(|row| &row.storage).filter(|one| one.storage == *storage).collect();
    let named = |node: &NodeName| named.is_none_or(|named| named == node);
    let mut places: Vec<(NodeName, bool)> = Vec::new();
    let mut of_all: Vec<&NodeName> = Vec::new();
    for one in having.iter().filter(|one| named(&one.node)) {
        match one.shared {
            Some(true) => of_all.push(&one.node),
            _ => places.push((one.node.clone(), false)),
        }
    }
    let answers = of_all.iter().find(|node| remote.is_online(node)).or(of_all.first());
    places.extend(answers.map(|node| ((*node).clone(), true)));
    places
}

impl RemoteSnapshot {
    /// Whether a node is known to be online now.
    pub(crate) fn is_online(&self, node: &NodeName) -> bool {
        self.node(node)
            .is_some_and(|row| row.node.state == model::NodeState::Online && row.freshness.is_live())
    }
}

impl Asker {
    async fn node(&self, name: &NodeName, anew: bool) -> Result<NodeDetail, DetailError> {
        let remote = self.shared.snapshot.load_full();
        let row = remote.node(name).ok_or(DetailError::NoSuchNode)?.clone();
        let known = self.shared.looks.status(name);
        let told = |seen, error| NodeDetail { row, status: Part { seen, error }, drift: Vec::new() };
        if !anew {
            return Ok(told(known, None));
        }
        let way = match self.way() {
            Ok(way) => way,
            Err(error) => return Ok(told(known, Some(error))),
        };
        let Some(client) = way.lines.get(&way.endpoint) else {
            return Ok(told(known, Some(self.link_failure())));
        };
        let answer = self.shared.flown.node_status(client, name).await;
        Ok(match self.heard(&way, answer, Drift::default()) {
            Err(failure) => told(known, Some(failure)),
            Ok(answer) => {
                let through = EndpointId::from(answer.endpoint.as_str());
                let at = self.shared.clock.wall();
                let seen = Observed { value: Arc::new(answer.value.clone()), at, through };
                self.shared.looks.keep_status(name, seen.clone());
                NodeDetail { drift: answer.drift.records.clone(), ..told(Some(seen), None) }
            }
        })
    }

    async fn contents(
        &self,
        storage: &Text,
        node: &NodeName,
        fresh: Option<Duration>,
    ) -> (Part<Contents>, Vec<DriftRecord>) {
        let known = self.shared.looks.listed(storage, node);
        let seen = known.as_ref().map(|(seen, _)| seen.clone());
        let Some(fresh) = fresh else { return (Part { seen, error: None }, Vec::new()) };
        let way = match self.way() {
            Ok(way) => way,
            Err(error) => return (Part { seen, error: Some(error) }, Vec::new()),
        };
        let now = self.shared.clock.now().mono;
        if known.is_some_and(|(_, read)| now.saturating_sub(read) < fresh) {
            return (Part { seen, error: None }, Vec::new());
        }
        let Some(client) = way.lines.get(&way.endpoint) else {
            return (Part { seen, error: Some(self.link_failure()) }, Vec::new());
        };
        let answer = self.shared.flown.content(client, node, storage).await;
        let told = answer.as_ref().map(|answer| answer.drift.clone()).unwrap_or_default();
        match self.heard(&way, answer, told) {
            Err(failure) => (Part { seen, error: Some(failure) }, Vec::new()),
            Ok(answer) => {
                let value = Arc::new(Contents::of(&answer.value));
                let through = EndpointId::from(answer.endpoint.as_str());
                let seen = Observed { value, at: self.shared.clock.wall(), through };
                let listed = (seen.clone(), self.shared.clock.now().mono);
                lock(&self.shared.looks.contents).insert((storage.clone(), node.clone()), listed);
                (Part { seen: Some(seen), error: None }, answer.drift.records.clone())
            }
        }
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
        let looks = places.into_iter().enumerate().map(async |(place, (node, shared))| {
            let fresh = fresh.filter(|_| place < NODES_ASKED);
            let (contents, drift) = self.contents(storage, &node, fresh).await;
            (StorageLook { node, shared, contents }, drift)
        });
        let found: Vec<_> = futures_util::stream::iter(looks).buffered(NODES_AT_ONCE).collect().await;
        let (looks, drift): (Vec<StorageLook>, Vec<_>) = found.into_iter().unzip();
        let guests = self.shares(&remote, storage, &looks).await;
        Ok(StorageDetail { looks, guests, drift: drift.into_iter().flatten().collect() })
    }

    /// Whose something there is: by what was listed, and by the configurations.
    async fn shares(
        &self,
        remote: &RemoteSnapshot,
        storage: &Text,
        looks: &[StorageLook],
    ) -> BTreeMap<Vmid, Share> {
        let mut shares: BTreeMap<Vmid, Share> = BTreeMap::new();
        for contents in looks.iter().filter_map(|look| look.contents.seen.as_ref()) {
            for (vmid, kinds) in &contents.value.guests {
                let share = shares.entry(*vmid).or_default();
                for (kind, figures) in kinds {
                    share.listed.entry(kind.clone()).or_default().join(*figures);
                }
            }
        }
        let shared = looks.iter().any(|look| look.shared);
        let nodes: BTreeSet<&NodeName> = looks.iter().map(|look| &look.node).collect();
        let there =
            |row: &&GuestRow| (shared || nodes.contains(&row.guest.node)) && row.presence.is_present();
        let mut sought = 0;
        for row in remote.guests.iter().map(|row| &**row).filter(there) {
            let vmid = row.guest.vmid;
            let config = match self.shared.config(vmid) {
                Some(config) => Some(config),
                None if sought < CONFIGS_SOUGHT => {
                    sought += 1;
                    self.shared.known_config(vmid).await.ok().flatten()
                }
                None => None,
            };
            if config.is_some_and(|config| uses(&config.value, storage.as_str())) {
                shares.entry(vmid).or_default().configured = true;
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
