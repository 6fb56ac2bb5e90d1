//! A remote of which nothing is known yet: what tests and measurements start from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::rows::Traffic;
use model::{LinkState, LinkView, RemoteId, Text};

use super::Glances;
use crate::snapshot::RemoteSnapshot;

impl RemoteSnapshot {
    /// A remote of which nothing is known yet, with its link being made.
    #[must_use]
    pub fn bare(id: RemoteId, name: Text, at: Timestamp) -> Self {
        Self {
            id,
            name,
            at,
            link: LinkView {
                state: LinkState::Connecting { last: None },
                since: at,
                down_since: Some(at),
                last_success: None,
                endpoints: Vec::new(),
            },
            versions: BTreeMap::new(),
            cluster: None,
            proposed: 0,
            same_as: None,
            identity: None,
            user: None,
            ha: Vec::new(),
            coverage: Vec::new(),
            nodes: Vec::new(),
            guests: Vec::new(),
            glances: Glances::default(),
            digests: crate::overview::Digests::default(),
            values: super::Values::default(),
            storages: Vec::new(),
            tasks: Vec::new(),
            created: at,
            interval: None,
            web_url: None,
            rights: None,
            token: None,
            minted: None,
            figures: Vec::new(),
            operations: Vec::new(),
            drift: Vec::new(),
            unreadable: Vec::new(),
            traffic: Traffic::default(),
            faults: 0,
            last_fault: None,
            elsewhere: None,
        }
    }
}
