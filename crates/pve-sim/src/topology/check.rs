//! What a topology must not say: names and numbers given twice, nodes that are not there, and the like.

use std::collections::{BTreeMap, BTreeSet};

use super::{RemoteSpec, Topology, TopologyError, VERSIONS};
use crate::world::VMIDS;

/// The most guests that are made up for one remote.
const MOST_FILL: usize = 1_000_000;

impl Topology {
    /// Looks for contradictions.
    ///
    /// # Errors
    /// The first one found.
    pub fn check(&self) -> Result<(), TopologyError> {
        let mut names = BTreeSet::new();
        let mut addresses = BTreeMap::new();
        for remote in &self.remotes {
            let fail = |what: String| Err(TopologyError(format!("remote \"{}\": {what}", remote.name)));
            let odd = remote.name.starts_with('.') || remote.name.contains(['/', '?', '#', '%', ' ', '\0']);
            if remote.name.is_empty() || odd {
                let rule = "a name is needed, without any of \"/ ? # %\" and blanks, nor a dot in front";
                return fail(rule.to_owned());
            }
            if !names.insert(remote.name.as_str()) {
                return fail("the name is given twice".to_owned());
            }
            remote.check().map_err(|what| TopologyError(format!("remote \"{}\": {what}", remote.name)))?;
            for node in &remote.nodes {
                let Some(listen) = node.listen.filter(|listen| listen.port() != 0) else { continue };
                if let Some((other, its)) = addresses.insert(listen, (&remote.name, &node.name)) {
                    let name = &node.name;
                    return fail(format!(
                        "node \"{name}\" listens on {listen}, as node \"{its}\" of remote \"{other}\" does"
                    ));
                }
            }
        }
        Ok(())
    }
}

impl RemoteSpec {
    fn check(&self) -> Result<(), String> {
        if !VERSIONS.contains(&self.version.as_str()) {
            return Err(format!(
                "version \"{}\" cannot be simulated; those that can are {}",
                self.version,
                VERSIONS.join(", ")
            ));
        }
        let mut nodes = BTreeSet::new();
        for node in &self.nodes {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if node.name.is_empty() || !node.name.chars().all(plain) {
                return Err(format!("\"{}\" is not a node name", node.name));
            }
            if !nodes.insert(node.name.as_str()) {
                return Err(format!("node \"{}\" is given twice", node.name));
            }
        }
        if nodes.is_empty() {
            return Err("it needs at least one node".to_owned());
        }
        let mut vmids = BTreeSet::new();
        for guest in &self.guests {
            if !VMIDS.contains(&guest.vmid) {
                return Err(format!("guest {}: numbers go from 100 to 999999999", guest.vmid));
            }
            if !vmids.insert(guest.vmid) {
                return Err(format!("guest {} is given twice", guest.vmid));
            }
            if !guest.node.is_empty() && !nodes.contains(guest.node.as_str()) {
                let known: Vec<&str> = nodes.iter().copied().collect();
                return Err(format!(
                    "guest {}: \"{}\" is not one of its nodes ({})",
                    guest.vmid,
                    guest.node,
                    known.join(", ")
                ));
            }
        }
        if self.fill.is_some_and(|fill| fill.count > MOST_FILL) {
            return Err(format!("fill: count must be at most {MOST_FILL}"));
        }
        let mut users = BTreeSet::new();
        for user in &self.users {
            if !user.userid.contains('@') {
                return Err(format!("user \"{}\" lacks a realm, such as in name@pve", user.userid));
            }
            if !users.insert(user.userid.as_str()) {
                return Err(format!("user \"{}\" is given twice", user.userid));
            }
        }
        let steps = self.script.iter().flat_map(|script| &script.steps);
        for fault in self.faults.iter().chain(steps.flat_map(|step| &step.faults)) {
            if let Some(node) = fault.nodes_named().find(|node| !nodes.contains(node)) {
                let known: Vec<&str> = nodes.iter().copied().collect();
                return Err(format!(
                    "fault {}: \"{node}\" is not one of its nodes ({})",
                    fault.fault.name(),
                    known.join(", ")
                ));
            }
        }
        if let Some(script) = &self.script
            && script.steps.iter().all(|step| step.ms == 0)
        {
            return Err("script: at least one step must last some time (ms)".to_owned());
        }
        Ok(())
    }
}
