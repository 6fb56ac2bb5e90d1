//! What reconciling finds to have happened to a remote's guests and nodes, one thing at a time.

use jiff::Timestamp;
use model::guest::{GuestState, NodeState};
use model::{ConfigChange, Event, Happening, Incarnation, NodeName, Presence, RemoteId, Text, Vmid};

/// One thing that changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Seen for the first time.
    GuestAppeared {
        /// Which.
        vmid: Vmid,
        /// In which state.
        state: GuestState,
        /// Under which name.
        name: Option<Text>,
    },
    /// Another state.
    GuestState {
        /// Which.
        vmid: Vmid,
        /// Before.
        from: GuestState,
        /// Now.
        to: GuestState,
    },
    /// On another node.
    GuestMoved {
        /// Which.
        vmid: Vmid,
        /// Before.
        from: NodeName,
        /// Now.
        to: NodeName,
    },
    /// Another name.
    GuestRenamed {
        /// Which.
        vmid: Vmid,
        /// Before.
        from: Option<Text>,
        /// Now.
        to: Option<Text>,
    },
    /// What its row says of its configuration (size, tags, pool, template, lock) is different.
    GuestReshaped {
        /// Which.
        vmid: Vmid,
        /// In which way.
        changes: Vec<ConfigChange>,
    },
    /// No longer known for sure: its node is down or Proxmox does not know.
    GuestInDoubt {
        /// Which.
        vmid: Vmid,
        /// The node, if it is down.
        node_down: Option<NodeName>,
    },
    /// Known again.
    GuestCertain {
        /// Which.
        vmid: Vmid,
    },
    /// Whether it is there.
    GuestPresence {
        /// Which.
        vmid: Vmid,
        /// Now.
        presence: Presence,
    },
    /// The number belongs to another guest from here on.
    GuestReborn {
        /// Which.
        vmid: Vmid,
        /// The new life.
        incarnation: Incarnation,
    },
    /// A node seen for the first time.
    NodeAppeared {
        /// Which.
        node: NodeName,
        /// In which state.
        state: NodeState,
    },
    /// A node is no longer listed.
    NodeMissing {
        /// Which.
        node: NodeName,
    },
    /// A node that was missing is listed again.
    NodeBack {
        /// Which.
        node: NodeName,
    },
    /// A node goes by another name.
    NodeRenamed {
        /// Before.
        from: NodeName,
        /// Now.
        to: NodeName,
    },
    /// A node in another state.
    NodeState {
        /// Which.
        node: NodeName,
        /// Before.
        from: NodeState,
        /// Now.
        to: NodeState,
    },
}

impl Change {
    /// The guest it is about.
    pub(crate) fn vmid(&self) -> Option<Vmid> {
        match self {
            Self::GuestAppeared { vmid, .. }
            | Self::GuestState { vmid, .. }
            | Self::GuestMoved { vmid, .. }
            | Self::GuestRenamed { vmid, .. }
            | Self::GuestReshaped { vmid, .. }
            | Self::GuestInDoubt { vmid, .. }
            | Self::GuestCertain { vmid }
            | Self::GuestPresence { vmid, .. }
            | Self::GuestReborn { vmid, .. } => Some(*vmid),
            Self::NodeAppeared { .. }
            | Self::NodeMissing { .. }
            | Self::NodeBack { .. }
            | Self::NodeRenamed { .. }
            | Self::NodeState { .. } => None,
        }
    }

    /// As a line of history. `incarnation` and `node` are those of its guest now.
    pub(crate) fn event(
        self,
        remote: RemoteId,
        incarnation: Option<Incarnation>,
        on: Option<NodeName>,
        at: Timestamp,
    ) -> Event {
        let vmid = self.vmid();
        let mut about = on;
        let what = match self {
            Self::GuestAppeared { state, name, .. } => Happening::GuestAppeared { state, name },
            Self::GuestState { from, to, .. } => Happening::GuestState { from, to },
            Self::GuestMoved { from, to, .. } => Happening::GuestMoved { from, to },
            Self::GuestRenamed { from, to, .. } => Happening::GuestRenamed { from, to },
            Self::GuestReshaped { changes, .. } => Happening::GuestReshaped { changes },
            Self::GuestInDoubt { node_down, .. } => Happening::GuestInDoubt { node_down },
            Self::GuestCertain { .. } => Happening::GuestCertain,
            Self::GuestPresence { presence, .. } => Happening::GuestPresence { presence },
            Self::GuestReborn { .. } => Happening::GuestReborn,
            Self::NodeAppeared { node, state } => {
                about = Some(node);
                Happening::NodeAppeared { state }
            }
            Self::NodeMissing { node } => {
                about = Some(node);
                Happening::NodeMissing
            }
            Self::NodeBack { node } => {
                about = Some(node);
                Happening::NodeBack
            }
            Self::NodeRenamed { from, to } => {
                about = Some(to);
                Happening::NodeRenamed { from }
            }
            Self::NodeState { node, from, to } => {
                about = Some(node);
                Happening::NodeState { from, to }
            }
        };
        Event { vmid, incarnation, node: about, ..Event::of(remote, at, what) }
    }
}
