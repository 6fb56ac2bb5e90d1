//! What happened to a remote's guests and nodes, one thing at a time: what histories are made of.

use model::guest::{GuestState, NodeState};
use model::{Incarnation, NodeName, Presence, Text, Vmid};
use serde::Serialize;

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Seen for the first time.
    GuestAppeared {
        /// Which.
        vmid: Vmid,
        /// In which state.
        state: GuestState,
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
