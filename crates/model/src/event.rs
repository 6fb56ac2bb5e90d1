//! One line of a guest's, a node's, a remote's history. One event per thing that happened.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::guest::{GuestState, NodeState, node_word, word};
use crate::id::{EndpointId, Incarnation, NodeName, OperationId, RemoteId, TaskId, Text, Vmid};
use crate::link::LinkState;
use crate::operation::{Action, Author};
use crate::presence::Presence;

/// The place of an event among all events of an installation: given by the store when it is kept, growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct EventSeq(pub i64);

impl fmt::Display for EventSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One thing that happened, to whom, when, and by whose wish where it was somebody's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = KeptEvent))]
pub struct Event {
    /// Its place among all; 0 before it is kept.
    #[serde(default)]
    pub seq: EventSeq,
    /// When Muster saw it.
    pub at: Timestamp,
    /// The remote it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteId>,
    /// The guest it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmid: Option<Vmid>,
    /// Which life of that number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,
    /// The node it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// Who wanted it, where it was somebody's wish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// The operation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The task that did it, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// What.
    pub what: Happening,
}

impl Event {
    /// Something about a remote.
    #[must_use]
    pub fn of(remote: RemoteId, at: Timestamp, what: Happening) -> Self {
        Self {
            seq: EventSeq::default(),
            at,
            remote: Some(remote),
            vmid: None,
            incarnation: None,
            node: None,
            author: None,
            operation: None,
            task: None,
            what,
        }
    }

    /// What happened, in one sentence that names the node it is about. Guest and remote stand beside it.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Some(node) = &self.node else { return self.what.sentence() };
        match &self.what {
            Happening::NodeAppeared { state } => {
                format!("node {node} seen for the first time, {}", state.word())
            }
            Happening::NodeState { from, to } => format!("node {node}: {} → {}", from.word(), to.word()),
            Happening::NodeMissing => format!("node {node} no longer listed"),
            Happening::NodeBack => format!("node {node} listed again"),
            Happening::NodeRenamed { from } => format!("node {from} is now called {node}"),
            other => other.sentence(),
        }
    }

    /// By whose wish.
    #[must_use]
    pub fn by(mut self, author: &Author) -> Self {
        self.author = Some(author.clone());
        self
    }
}

/// One key of a configuration that has another value. Values of keys that hold secrets are never told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigChange {
    /// Which.
    pub key: Text,
    /// Before; `None`: it was not set.
    pub from: Option<String>,
    /// Now; `None`: it is no longer set.
    pub to: Option<String>,
}

impl fmt::Display for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{} {from} → {to}", self.key),
            (None, Some(to)) => write!(f, "{} set to {to}", self.key),
            (Some(from), None) => write!(f, "{} removed (was {from})", self.key),
            (None, None) => write!(f, "{}", self.key),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Happening {
    /// A guest was seen for the first time.
    GuestAppeared {
        /// In which state.
        #[serde(with = "word")]
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        state: GuestState,
        /// Under which name.
        #[serde(default)]
        name: Option<Text>,
    },
    /// It is in another state.
    GuestState {
        /// Before.
        #[serde(with = "word")]
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        from: GuestState,
        /// Now.
        #[serde(with = "word")]
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        to: GuestState,
    },
    /// It is on another node.
    GuestMoved {
        /// Before.
        from: NodeName,
        /// Now.
        to: NodeName,
    },
    /// It has another name.
    GuestRenamed {
        /// Before.
        from: Option<Text>,
        /// Now.
        to: Option<Text>,
    },
    /// What its row says of its configuration (size, tags, pool, template, lock) is different.
    GuestReshaped {
        /// In which way.
        #[serde(default)]
        changes: Vec<ConfigChange>,
    },
    /// Its configuration is different.
    GuestConfig {
        /// In which way.
        changes: Vec<ConfigChange>,
    },
    /// No longer known for sure: its node is down or Proxmox does not know.
    GuestInDoubt {
        /// The node, if it is down.
        node_down: Option<NodeName>,
    },
    /// Known again.
    GuestCertain,
    /// Whether it is there.
    GuestPresence {
        /// Now.
        presence: Presence,
    },
    /// The number belongs to another guest from here on.
    GuestReborn,
    /// A node was seen for the first time.
    NodeAppeared {
        /// In which state.
        #[serde(with = "node_word")]
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        state: NodeState,
    },
    /// A node is in another state.
    NodeState {
        /// Before.
        #[serde(with = "node_word")]
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        from: NodeState,
        /// Now.
        #[serde(with = "node_word")]
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        to: NodeState,
    },
    /// A node is no longer listed.
    NodeMissing,
    /// A node that was missing is listed again.
    NodeBack,
    /// A node goes by another name: its guests and storages are those of the one that went.
    NodeRenamed {
        /// Before.
        from: NodeName,
    },
    /// The cluster has, or has lost, quorum.
    Quorum {
        /// Whether it has it now.
        quorate: bool,
    },
    /// The link is in another state.
    Link {
        /// In which.
        link: LinkState,
    },
    /// An operation took a step.
    Operation {
        /// What was asked for.
        action: Action,
        /// The word for its state now.
        state: Text,
        /// Its state in one clause.
        text: String,
    },
    /// Somebody wants a task ended.
    TaskEndAsked,
    /// The remote was added.
    RemoteAdded {
        /// Under which name.
        name: Text,
    },
    /// What is known of how to reach or poll the remote was changed.
    RemoteEdited {
        /// In which way.
        changes: Vec<ConfigChange>,
    },
    /// The remote was removed.
    RemoteRemoved {
        /// Its name.
        name: Text,
    },
    /// Somebody connected the remote.
    RemoteConnected,
    /// Somebody disconnected the remote.
    RemoteDisconnected,
    /// Somebody accepted a certificate or an authority.
    RemoteTrusted {
        /// For which endpoint.
        endpoint: EndpointId,
        /// What is trusted now, in words.
        trust: String,
    },
    /// Another credential is used from now on.
    RemoteCredential {
        /// Whose.
        user: Text,
    },
    /// The remote turned out to be the same cluster or host as another one.
    RemoteSameAs {
        /// Which.
        other: Text,
    },
}

impl Happening {
    /// Every word there is, as in JSON.
    pub const WORDS: [&'static str; 27] = [
        "guest_appeared",
        "guest_state",
        "guest_moved",
        "guest_renamed",
        "guest_reshaped",
        "guest_config",
        "guest_in_doubt",
        "guest_certain",
        "guest_presence",
        "guest_reborn",
        "node_appeared",
        "node_state",
        "node_missing",
        "node_back",
        "node_renamed",
        "quorum",
        "link",
        "operation",
        "task_end_asked",
        "remote_added",
        "remote_edited",
        "remote_removed",
        "remote_connected",
        "remote_disconnected",
        "remote_trusted",
        "remote_credential",
        "remote_same_as",
    ];

    /// The word for it, as in JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::GuestAppeared { .. } => "guest_appeared",
            Self::GuestState { .. } => "guest_state",
            Self::GuestMoved { .. } => "guest_moved",
            Self::GuestRenamed { .. } => "guest_renamed",
            Self::GuestReshaped { .. } => "guest_reshaped",
            Self::GuestConfig { .. } => "guest_config",
            Self::GuestInDoubt { .. } => "guest_in_doubt",
            Self::GuestCertain => "guest_certain",
            Self::GuestPresence { .. } => "guest_presence",
            Self::GuestReborn => "guest_reborn",
            Self::NodeAppeared { .. } => "node_appeared",
            Self::NodeState { .. } => "node_state",
            Self::NodeMissing => "node_missing",
            Self::NodeBack => "node_back",
            Self::NodeRenamed { .. } => "node_renamed",
            Self::Quorum { .. } => "quorum",
            Self::Link { .. } => "link",
            Self::Operation { .. } => "operation",
            Self::TaskEndAsked => "task_end_asked",
            Self::RemoteAdded { .. } => "remote_added",
            Self::RemoteEdited { .. } => "remote_edited",
            Self::RemoteRemoved { .. } => "remote_removed",
            Self::RemoteConnected => "remote_connected",
            Self::RemoteDisconnected => "remote_disconnected",
            Self::RemoteTrusted { .. } => "remote_trusted",
            Self::RemoteCredential { .. } => "remote_credential",
            Self::RemoteSameAs { .. } => "remote_same_as",
        }
    }

    /// What happened, in one clause that needs no subject.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::GuestAppeared { state, name } => match name {
                Some(name) => format!("{name} seen for the first time, {}", state.word()),
                None => format!("seen for the first time, {}", state.word()),
            },
            Self::GuestState { from, to } => format!("{} → {}", from.word(), to.word()),
            Self::GuestMoved { from, to } => format!("moved from node {from} to {to}"),
            Self::GuestRenamed { from, to } => format!("renamed from {} to {}", named(from), named(to)),
            Self::GuestReshaped { changes } => list("changed", changes),
            Self::GuestConfig { changes } => list("configuration changed", changes),
            Self::GuestInDoubt { node_down: Some(node) } => format!("node {node} is down: state unknown"),
            Self::GuestInDoubt { node_down: None } => "Proxmox VE does not know its state".to_owned(),
            Self::GuestCertain => "its state is known again".to_owned(),
            Self::GuestPresence { presence } => presence_sentence(presence).to_owned(),
            Self::GuestReborn => "the number belongs to another guest from here on".to_owned(),
            Self::NodeAppeared { state } => format!("node seen for the first time, {}", state.word()),
            Self::NodeState { from, to } => format!("node {} → {}", from.word(), to.word()),
            Self::NodeMissing => "node no longer listed".to_owned(),
            Self::NodeBack => "node listed again".to_owned(),
            Self::NodeRenamed { from } => format!("node renamed, was {from}"),
            Self::Quorum { quorate: true } => "the cluster has quorum".to_owned(),
            Self::Quorum { quorate: false } => "the cluster has lost quorum".to_owned(),
            Self::Link { link } => match link.cause().map(Cause::sentence) {
                Some(cause) => format!("link {}: {cause}", link.word().replace('_', " ")),
                None => format!("link {}", link.word().replace('_', " ")),
            },
            Self::Operation { action, text, .. } => format!("{action}: {text}"),
            Self::TaskEndAsked => "its task was asked to end".to_owned(),
            Self::RemoteAdded { name } => format!("remote {name} added"),
            Self::RemoteEdited { changes } => list("remote edited", changes),
            Self::RemoteRemoved { name } => format!("remote {name} removed"),
            Self::RemoteConnected => "connected by hand".to_owned(),
            Self::RemoteDisconnected => "disconnected by hand".to_owned(),
            Self::RemoteTrusted { endpoint, trust } => format!("trusted at {endpoint} from now on: {trust}"),
            Self::RemoteCredential { user } => format!("signs in as {user} with another credential"),
            Self::RemoteSameAs { other } => format!("this is the same cluster or host as {other}"),
        }
    }
}

fn named(name: &Option<Text>) -> &str {
    name.as_deref().unwrap_or("(no name)")
}

fn list(head: &str, changes: &[ConfigChange]) -> String {
    let each: Vec<String> = changes.iter().map(ToString::to_string).collect();
    if each.is_empty() { head.to_owned() } else { format!("{head}: {}", each.join(", ")) }
}

fn presence_sentence(presence: &Presence) -> &'static str {
    match presence {
        Presence::Present => "listed again",
        Presence::Missing { .. } => "absent from the latest listing",
        Presence::Deleted { .. } => "deleted",
        Presence::NoLongerVisible { .. } => "no longer visible to this account",
    }
}
