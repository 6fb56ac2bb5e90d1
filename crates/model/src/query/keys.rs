//! What may be asked about each kind of thing: one table, for the parser, for completion and for the docs.

use Vocabulary::{Guests, Nodes, Operations, Remotes, Storages, Tasks};

/// What a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vocabulary {
    /// Containers and virtual machines.
    Guests,
    /// Nodes.
    Nodes,
    /// Storages.
    Storages,
    /// Tasks of Proxmox VE.
    Tasks,
    /// Operations of Muster.
    Operations,
    /// Remotes.
    Remotes,
}

impl Vocabulary {
    /// All of them.
    pub const ALL: [Self; 6] = [Guests, Nodes, Storages, Tasks, Operations, Remotes];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guests => "guests",
            Self::Nodes => "nodes",
            Self::Storages => "storages",
            Self::Tasks => "tasks",
            Self::Operations => "operations",
            Self::Remotes => "remotes",
        }
    }
}

/// One thing that may be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is said in the table")]
pub enum Key {
    Name,
    Remote,
    Link,
    Type,
    Status,
    Node,
    Vmid,
    Tag,
    Pool,
    Cpu,
    Mem,
    Disk,
    Uptime,
    Age,
    Fresh,
    Ip,
    Mac,
    Lock,
    Ha,
    Template,
    Busy,
    Version,
    Size,
    Content,
    Shared,
    Storage,
    User,
    Action,
    Cluster,
    Cause,
    Drift,
    Guests,
}

/// What kind of value a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text; `:` asks for the whole, `~` for a part.
    Text,
    /// One of the words of its row, no other.
    Word,
    /// A whole number.
    Number,
    /// A share, `80%`.
    Share,
    /// Bytes, `4G`, or the share of what there is, `80%`.
    Bytes,
    /// A span of time, `5m`.
    Span,
    /// An IP address or a network, `10.0.0.5`, `10.0.0.0/24`.
    Address,
    /// `yes` or `no`.
    Flag,
}

/// One row of the table.
#[derive(Debug)]
pub struct KeyRow {
    /// The key.
    pub key: Key,
    /// How it is written.
    pub word: &'static str,
    /// About what it may be asked.
    pub about: &'static [Vocabulary],
    /// What kind of value it has.
    pub kind: Kind,
    /// Values to propose; of a [`Kind::Word`] the only ones.
    pub values: &'static [&'static str],
    /// What it is, in one clause.
    pub meaning: &'static str,
}

const EVERYTHING: &[Vocabulary] = &[Guests, Nodes, Storages, Tasks, Operations, Remotes];
const MACHINES: &[Vocabulary] = &[Guests, Nodes];
const POLLED: &[Vocabulary] = &[Guests, Nodes, Storages];

macro_rules! table {
    ($($key:ident $word:literal $about:expr, $kind:ident $values:expr, $meaning:literal;)*) => {
        /// The table.
        pub const KEYS: &[KeyRow] = &[$(KeyRow {
            key: Key::$key, word: $word, about: $about, kind: Kind::$kind, values: $values, meaning: $meaning,
        }),*];
    };
}

table! {
    Name "name" EVERYTHING, Text &[], "its name";
    Remote "remote" EVERYTHING, Text &[], "the remote it is on, by name or number";
    Link "link" EVERYTHING, Word &[
        "up", "down", "connected", "degraded", "connecting", "backing_off", "disconnected",
        "credentials_rejected", "certificate_changed",
    ], "the link to its remote";
    Type "type" &[Guests, Operations], Word &["ct", "vm"], "container or virtual machine";
    Type "type" &[Storages], Text &["dir", "lvm", "lvmthin", "zfspool", "nfs", "cifs", "rbd", "cephfs", "pbs"],
        "the storage's plugin";
    Type "type" &[Tasks], Text &["vzstart", "vzstop", "qmstart", "qmstop", "vzdump"], "the task's type";
    Status "status" &[Guests], Text &[
        "running", "stopped", "paused", "suspended", "unknown", "node_down", "out_of_reach", "missing",
        "deleted", "not_visible",
    ], "its state now; what is not known now is `unknown`, whatever it was when last seen";
    Status "status" &[Nodes], Text &["online", "offline", "unknown"], "the node's state now";
    Status "status" &[Storages], Text &["available", "unknown"], "the storage's state";
    Status "status" &[Tasks], Word &["running", "ok", "warnings", "failed", "unknown"], "how the task stands";
    Status "status" &[Operations], Word &[
        "open", "ended", "pending", "sent", "running", "handed_to_ha", "succeeded",
        "succeeded_with_warnings", "failed", "cancelled", "not_sent", "outcome_unknown",
    ], "how the operation stands";
    Status "status" &[Remotes], Word &[
        "up", "down", "connected", "degraded", "connecting", "backing_off", "disconnected",
        "credentials_rejected", "certificate_changed",
    ], "the same as `link`";
    Node "node" &[Guests, Nodes, Storages, Tasks, Operations], Text &[], "the node it is on";
    Vmid "vmid" &[Guests, Tasks, Operations], Number &[], "the guest's number";
    Tag "tag" &[Guests], Text &[], "one of its tags; `tag:\"\"`: none";
    Pool "pool" &[Guests], Text &[], "its pool; `pool:\"\"`: none";
    Cpu "cpu" MACHINES, Share &[], "use of the processors it has";
    Mem "mem" MACHINES, Bytes &[], "memory in use, in bytes or as share of what it has";
    Disk "disk" POLLED, Bytes &[], "disk in use (of guests and nodes the root disk)";
    Uptime "uptime" MACHINES, Span &[], "for how long it has been running";
    Age "age" POLLED, Span &[], "how long ago it was last seen";
    Age "age" &[Tasks, Operations], Span &[], "how long ago it was begun";
    Age "age" &[Remotes], Span &[], "how long ago a request last succeeded";
    Fresh "fresh" POLLED, Word &["live", "stale", "never_seen"], "how sure it is";
    Ip "ip" &[Guests], Address &[], "one of its addresses, or a network they lie in";
    Mac "mac" &[Guests], Text &[], "one of its hardware addresses";
    Lock "lock" &[Guests], Text &["backup", "migrate", "snapshot", "suspended"],
        "what holds its lock; `lock:\"\"`: nothing";
    Ha "ha" &[Guests], Text &["started", "stopped", "error", "ignored"],
        "what the HA manager says; `ha:\"\"`: not managed";
    Template "template" &[Guests], Flag &["yes", "no"], "whether it is a template";
    Busy "busy" &[Guests], Flag &["yes", "no"], "whether an operation on it has not ended";
    Version "version" &[Nodes, Remotes], Text &[], "version of Proxmox VE";
    Size "size" &[Storages], Bytes &[], "bytes in all";
    Content "content" &[Storages], Text &["images", "rootdir", "iso", "vztmpl", "backup", "snippets"],
        "what may be kept there";
    Shared "shared" &[Storages], Flag &["yes", "no"], "whether all nodes see the same";
    Storage "storage" &[Tasks], Text &[],
        "the storage it works on; of deletions and prunings alone Proxmox VE tells that";
    User "user" &[Tasks, Operations], Text &[], "who began it";
    Action "action" &[Operations], Word &[
        "start", "shutdown", "stop", "reboot", "reset", "suspend", "hibernate", "resume",
    ], "what was asked for";
    Cluster "cluster" &[Remotes], Text &[], "the cluster's name; `cluster:\"\"`: a stand-alone host";
    Cause "cause" &[Remotes], Text &["dns", "refused", "unreachable", "connect_timeout"],
        "what is wrong with the link; `cause:\"\"`: nothing";
    Drift "drift" &[Remotes], Flag &["yes", "no"], "whether replies departed from what is documented";
    Guests "guests" &[Remotes], Number &[], "how many guests it has";
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Word => "word",
            Self::Number => "number",
            Self::Share => "share",
            Self::Bytes => "bytes",
            Self::Span => "span",
            Self::Address => "address",
            Self::Flag => "flag",
        }
    }

    /// What may stand between a key of this kind and its value.
    #[must_use]
    pub fn operators(self) -> &'static [&'static str] {
        match self {
            Self::Text | Self::Word | Self::Address | Self::Flag => &[":", "~"],
            Self::Number | Self::Share | Self::Bytes | Self::Span => &[":", "=", ">", ">=", "<", "<="],
        }
    }
}

impl Key {
    /// What is true of the remote as a whole: the same for all that is on it.
    #[must_use]
    pub fn is_of_the_remote(self) -> bool {
        matches!(self, Self::Remote | Self::Link)
    }

    /// How it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        KEYS.iter().find(|row| row.key == self).map_or("", |row| row.word)
    }
}

/// What may be asked about one kind of thing.
pub fn keys(about: Vocabulary) -> impl Iterator<Item = &'static KeyRow> {
    KEYS.iter().filter(move |row| row.about.contains(&about))
}

/// The row of a key as it was written.
pub(super) fn find(word: &str, about: Vocabulary) -> Option<&'static KeyRow> {
    keys(about).find(|row| row.word.eq_ignore_ascii_case(word))
}

/// Other words for words of the table, as people know them from elsewhere.
pub(super) fn translated(key: Key, word: &str) -> &str {
    match (key, word) {
        (Key::Type, "lxc" | "container") => "ct",
        (Key::Type, "qemu" | "kvm") => "vm",
        (Key::Template | Key::Busy | Key::Shared | Key::Drift, "true" | "1" | "on") => "yes",
        (Key::Template | Key::Busy | Key::Shared | Key::Drift, "false" | "0" | "off") => "no",
        _ => word,
    }
}
