//! High availability: wishes are recorded at once, deeds follow later, on the node that the manager chooses,
//! or never.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Cluster;
use super::agenda::Event;
use super::conf::digest_of;
use super::deeds::Deed;
use super::failure::{Answer, Failure};
use super::guest::Run;
use super::route::Cx;
use super::spec::Kind;
use super::tasks::Job;
use crate::seam::SimTime;

/// What is asked of the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Started,
    Stopped,
    /// To another node.
    On(usize),
}

impl Wish {
    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Started => "start",
            Self::Stopped => "stop",
            Self::On(_) => "migration",
        }
    }
}

/// A guest under HA.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    /// `started`, `stopped`, `disabled`, `ignored`.
    pub(crate) request: String,
    /// The state that the manager has it in; none before it took notice.
    pub(crate) state: Option<String>,
    /// `max_restart`, `max_relocate`, `group`, `comment`, as they were set.
    pub(crate) fields: BTreeMap<String, String>,
    /// A node that the manager prefers to the one where the guest is.
    pub(crate) prefer: Option<usize>,
    /// The manager never gets to it.
    pub(crate) held: bool,
}

/// All that HA knows.
#[derive(Debug, Default)]
pub(crate) struct Ha {
    pub(crate) resources: BTreeMap<u32, Resource>,
    pub(crate) groups: BTreeMap<String, Map<String, Value>>,
    pub(crate) rules: BTreeMap<String, Map<String, Value>>,
    /// Whether the manager is at rest: nothing becomes of any wish.
    pub(crate) idle: bool,
}

impl Ha {
    pub(crate) fn wish(&mut self, vmid: u32, wish: Wish) {
        if let Some(resource) = self.resources.get_mut(&vmid) {
            match wish {
                Wish::Started => "started".clone_into(&mut resource.request),
                Wish::Stopped => "stopped".clone_into(&mut resource.request),
                Wish::On(node) => resource.prefer = Some(node),
            }
        }
    }

    pub(crate) fn forget(&mut self, vmid: u32) {
        self.resources.remove(&vmid);
    }

    pub(crate) fn manages(&self, vmid: u32) -> bool {
        self.resources.get(&vmid).is_some_and(|resource| resource.request != "ignored")
    }

    pub(crate) fn manager_works(&self) -> bool {
        !self.idle && !self.resources.is_empty()
    }
}

pub(crate) const fn sid_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Ct => "ct",
        Kind::Vm => "vm",
    }
}

fn sid(vmid: u32, resource: &Resource) -> String {
    format!("{}:{vmid}", sid_word(resource.kind))
}

impl Cluster {
    /// Puts a guest under HA, as it is.
    pub(crate) fn ha_add(&mut self, vmid: u32) {
        if let Some(guest) = self.guests.get(&vmid) {
            let request = if guest.run == Run::Stopped { "stopped" } else { "started" };
            let resource = Resource {
                kind: guest.kind,
                request: request.to_owned(),
                state: Some(request.to_owned()),
                fields: BTreeMap::new(),
                prefer: None,
                held: false,
            };
            self.ha.resources.insert(vmid, resource);
        }
    }

    /// The manager turns to a guest.
    pub(crate) fn ha_acts(&mut self, vmid: u32) {
        if self.ha.idle || !self.quorate {
            return;
        }
        let Some(resource) = self.ha.resources.get_mut(&vmid) else { return };
        if resource.held {
            return;
        }
        let Some(guest) = self.guests.get(&vmid) else { return };
        let (kind, running) = (guest.kind, guest.run != Run::Stopped);
        let mut node = guest.node;
        let request = resource.request.clone();
        let prefer = resource.prefer.take().filter(|target| *target != node);
        if let Some(target) = prefer.filter(|_| request == "started" && !running) {
            // A guest that is off is simply started elsewhere.
            node = target;
            if let Some(guest) = self.guests.get_mut(&vmid) {
                guest.node = target;
            }
        } else if let Some(target) = prefer {
            self.set_ha_state(vmid, "migrate");
            let kind = if kind == Kind::Ct { "vzmigrate" } else { "qmigrate" };
            self.ha_fork(node, kind, vmid, Deed::Migrate { vmid, target }, self.timings.shutdown_task);
            return;
        }
        match (request.as_str(), running) {
            ("started", false) => {
                self.set_ha_state(vmid, "starting");
                let kind = if kind == Kind::Ct { "vzstart" } else { "qmstart" };
                self.ha_fork(node, kind, vmid, Deed::Start(vmid), self.timings.start_task);
            }
            ("stopped" | "disabled", true) => {
                self.set_ha_state(vmid, "request_stop");
                let kind = if kind == Kind::Ct { "vzshutdown" } else { "qmshutdown" };
                let deed = Deed::Shutdown { vmid, force: true };
                self.ha_fork(node, kind, vmid, deed, self.timings.shutdown_task);
            }
            _ => self.set_ha_state(vmid, &request),
        }
        self.touch();
    }

    fn ha_fork(&mut self, node: usize, kind: &str, vmid: u32, deed: Deed, takes: u64) {
        self.fork(Job { node, kind, id: &vmid.to_string(), authid: "root@pam", deed, takes });
    }

    pub(crate) fn set_ha_state(&mut self, vmid: u32, state: &str) {
        if let Some(resource) = self.ha.resources.get_mut(&vmid) {
            resource.state = Some(state.to_owned());
        }
    }

    /// A task about a guest ended: the manager takes notice.
    pub(crate) fn ha_learns(&mut self, deed: &Deed, failed: bool, at: SimTime) {
        let Some(vmid) = deed.vmid() else { return };
        if !self.ha.manages(vmid) || matches!(deed, Deed::Wish { .. }) {
            return;
        }
        let Some(resource) = self.ha.resources.get(&vmid) else { return };
        let by_manager = resource.state.as_deref().is_some_and(|state| {
            matches!(state, "starting" | "request_stop" | "migrate" | "recovery" | "relocate")
        });
        if !by_manager {
            return;
        }
        // The real manager tries again `max_restart` times first; a test that wants an error wants it now.
        let state = if failed { "error".to_owned() } else { resource.request.clone() };
        self.set_ha_state(vmid, &state);
        if !failed && matches!(deed, Deed::Migrate { .. }) {
            self.agenda.add(at, Event::HaActs(vmid));
        }
    }

    /// A node is gone: its guests under HA are fenced first, and started elsewhere later.
    pub(crate) fn ha_loses(&mut self, node: usize) {
        if self.ha.idle {
            return;
        }
        let mut any = false;
        for (vmid, resource) in &mut self.ha.resources {
            if self.guests.get(vmid).is_some_and(|guest| guest.node == node) && resource.request == "started"
            {
                resource.state = Some("fence".to_owned());
                any = true;
            }
        }
        if any {
            // Fencing takes about a minute on a real cluster: six rounds of the manager.
            self.agenda.add(self.now.plus(6 * self.timings.ha_delay), Event::HaRecovers(node));
        }
    }

    /// A node is back before its guests were taken up elsewhere: they stay.
    pub(crate) fn ha_regains(&mut self, node: usize) {
        for (vmid, resource) in &mut self.ha.resources {
            let here = self.guests.get(vmid).is_some_and(|guest| guest.node == node);
            if here && resource.state.as_deref() == Some("fence") {
                resource.state = Some(resource.request.clone());
                self.agenda.add(self.now.plus(self.timings.ha_delay), Event::HaActs(*vmid));
            }
        }
    }

    pub(crate) fn ha_recovers(&mut self, node: usize) {
        if self.nodes.get(node).is_none_or(super::node::Node::is_member) || !self.quorate {
            return;
        }
        let Some(target) = self.nodes.iter().position(super::node::Node::is_member) else { return };
        let fenced: Vec<u32> = self
            .ha
            .resources
            .iter()
            .filter(|(_, resource)| resource.state.as_deref() == Some("fence") && !resource.held)
            .map(|(vmid, _)| *vmid)
            .collect();
        for vmid in fenced {
            if let Some(guest) = self.guests.get_mut(&vmid) {
                guest.node = target;
                guest.run = Run::Stopped;
            }
            self.set_ha_state(vmid, "recovery");
            self.ha_acts(vmid);
        }
    }

    // === edits for tests ===

    /// The manager never gets to this guest, whatever is wished; or it does again.
    pub fn hold_ha(&mut self, vmid: u32, held: bool) {
        if let Some(resource) = self.ha.resources.get_mut(&vmid) {
            resource.held = held;
        }
        if !held {
            self.agenda.add(self.now.plus(self.timings.ha_delay), Event::HaActs(vmid));
        }
    }

    /// Whether HA manages a guest.
    #[must_use]
    pub fn is_under_ha(&self, vmid: u32) -> bool {
        self.ha.manages(vmid)
    }

    /// The manager will start this guest on that node.
    pub fn prefer_ha_node(&mut self, vmid: u32, node: &str) {
        let place = self.node_place(node);
        if let Some(resource) = self.ha.resources.get_mut(&vmid) {
            resource.prefer = place;
        }
    }

    /// Whether the manager takes notice of anything at all.
    pub fn set_ha_manager(&mut self, works: bool) {
        self.ha.idle = !works;
        self.touch();
    }

    /// Puts a guest into an HA state (`error`, `freeze`…).
    pub fn set_ha_service_state(&mut self, vmid: u32, state: &str) {
        self.set_ha_state(vmid, state);
        self.touch();
    }

    // === endpoints ===

    fn ha_digest(&self) -> String {
        let parts: Vec<String> = self.ha.resources.iter().map(|(vmid, r)| format!("{vmid}{r:?}")).collect();
        digest_of(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn ha_row(&self, vmid: u32, resource: &Resource) -> Value {
        let mut row = Map::new();
        row.insert("sid".into(), sid(vmid, resource).into());
        row.insert("type".into(), sid_word(resource.kind).into());
        row.insert("digest".into(), self.ha_digest().into());
        row.insert("state".into(), resource.request.clone().into());
        for (key, value) in &resource.fields {
            row.insert(key.clone(), number_or_text(value));
        }
        Value::Object(row)
    }

    pub(crate) fn ha_list(&self) -> Answer {
        let rows = self.ha.resources.iter().map(|(vmid, resource)| self.ha_row(*vmid, resource));
        Ok(Value::Array(rows.collect()).into())
    }

    pub(crate) fn ha_get(&self, cx: &Cx) -> Answer {
        let (vmid, resource) = self.ha_find(cx)?;
        Ok(self.ha_row(vmid, resource).into())
    }

    fn ha_find(&self, cx: &Cx) -> Result<(u32, &Resource), Failure> {
        let wanted = cx.args.text("sid");
        let vmid = wanted.rsplit(':').next().and_then(|vmid| vmid.parse().ok());
        vmid.and_then(|vmid| self.ha.resources.get_key_value(&vmid))
            .map(|(vmid, resource)| (*vmid, resource))
            .ok_or_else(|| Failure::server(format!("no such resource '{wanted}'")))
    }

    pub(crate) fn ha_create(&mut self, cx: &Cx) -> Answer {
        self.writable("ha")?;
        let wanted = cx.args.text("sid");
        let vmid: u32 = wanted.rsplit(':').next().and_then(|vmid| vmid.parse().ok()).unwrap_or(0);
        let Some(guest) = self.guests.get(&vmid) else {
            return Err(Failure::server(format!("cannot read {wanted}: no such guest")));
        };
        if self.ha.resources.contains_key(&vmid) {
            return Err(Failure::server(format!("resource ID '{wanted}' already defined")));
        }
        let kind = guest.kind;
        let state = cx.args.get("state").unwrap_or("started");
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for (key, value) in cx.args.iter().filter(|(key, _)| !matches!(*key, "sid" | "state" | "type")) {
            fields.insert(key.to_owned(), value.to_owned());
        }
        let state = if state == "enabled" { "started" } else { state }.to_owned();
        let resource = Resource { kind, request: state, state: None, fields, prefer: None, held: false };
        self.ha.resources.insert(vmid, resource);
        self.agenda.add(self.now.plus(self.timings.ha_delay), Event::HaActs(vmid));
        Ok(Value::Null.into())
    }

    pub(crate) fn ha_update(&mut self, cx: &Cx) -> Answer {
        self.writable("ha")?;
        let (vmid, _) = self.ha_find(cx)?;
        if let Some(resource) = self.ha.resources.get_mut(&vmid) {
            for (key, value) in cx.args.iter() {
                match key {
                    "sid" | "digest" => {}
                    "state" => {
                        resource.request =
                            if value == "enabled" { "started".to_owned() } else { value.to_owned() };
                    }
                    "delete" => {
                        for gone in super::verify::split_list(value) {
                            resource.fields.remove(&gone);
                        }
                    }
                    _ => {
                        resource.fields.insert(key.to_owned(), value.to_owned());
                    }
                }
            }
        }
        self.agenda.add(self.now.plus(self.timings.ha_delay), Event::HaActs(vmid));
        Ok(Value::Null.into())
    }

    pub(crate) fn ha_delete(&mut self, cx: &Cx) -> Answer {
        self.writable("ha")?;
        let (vmid, _) = self.ha_find(cx)?;
        self.ha.forget(vmid);
        Ok(Value::Null.into())
    }

    pub(crate) fn ha_groups(&mut self, cx: &Cx) -> Answer {
        if self.facts.since(9) {
            let what = if cx.method == catalogue::Method::Get { "index" } else { "create" };
            let text = format!("cannot {what} groups: ha groups have been migrated to rules");
            return Err(Failure::server(text));
        }
        keep(&mut self.ha.groups, cx, "group")
    }

    pub(crate) fn ha_rules(&mut self, cx: &Cx) -> Answer {
        keep(&mut self.ha.rules, cx, "rule")
    }

    fn ha_date(&self) -> String {
        date(self.now)
    }

    pub(crate) fn ha_status(&self, cx: &Cx) -> Answer {
        let works = self.ha.manager_works();
        let local = self.node_name(cx.local);
        let mut rows = vec![json!({
            "id": "quorum", "type": "quorum", "node": local,
            "status": if self.quorate { "OK" } else { "No quorum!" },
            "quorate": u8::from(self.quorate),
        })];
        let now = self.now.seconds();
        let online = |place: &usize| self.nodes.get(*place).is_some_and(super::node::Node::is_member);
        let master = (0..self.nodes.len()).find(online).unwrap_or(0);
        if works {
            let name = self.node_name(master);
            rows.push(json!({
                "id": "master", "type": "master", "node": name, "timestamp": now,
                "status": format!("{name} (active, {})", self.ha_date()),
            }));
        }
        if self.facts.since(9) {
            let (armed, words) = if works {
                ("armed", "armed (CRM watchdog active)")
            } else {
                ("standby", "standby (CRM watchdog standby)")
            };
            let node = if works { self.node_name(master) } else { local };
            rows.push(json!({
                "id": "fencing", "type": "fencing", "node": node, "armed-state": armed, "status": words,
            }));
        }
        if works {
            for (place, node) in self.nodes.iter().enumerate() {
                let name = &node.name;
                let status = if online(&place) {
                    let busy = self
                        .ha
                        .resources
                        .keys()
                        .any(|vmid| self.guests.get(vmid).is_some_and(|guest| guest.node == place));
                    let what = if busy { "active, watchdog active" } else { "idle, watchdog standby" };
                    format!("{name} ({what}, {})", self.ha_date())
                } else {
                    format!("{name} (old timestamp - dead?, {})", self.ha_date())
                };
                rows.push(json!({
                    "id": format!("lrm:{name}"), "type": "lrm", "node": name, "timestamp": now, "status": status,
                }));
            }
        }
        for (vmid, resource) in self.ha.resources.iter().filter(|_| works) {
            rows.push(self.ha_service(*vmid, resource));
        }
        Ok(Value::Array(rows).into())
    }

    fn ha_service(&self, vmid: u32, resource: &Resource) -> Value {
        let node = self.guests.get(&vmid).map_or("", |guest| self.node_name(guest.node));
        let state = resource.state.as_deref().unwrap_or("queued");
        let sid = sid(vmid, resource);
        let text = |key: &str| resource.fields.get(key).and_then(|value| value.parse::<u64>().ok());
        let mut row = json!({
            "id": format!("service:{sid}"), "type": "service", "sid": sid, "node": node,
            "status": format!("{sid} ({node}, {state})"), "state": state, "crm_state": state,
            "request_state": resource.request,
            "max_restart": text("max_restart").unwrap_or(1),
            "max_relocate": text("max_relocate").unwrap_or(1),
        });
        if let Value::Object(row) = &mut row {
            if self.facts.since(9) {
                row.insert("failback".into(), text("failback").unwrap_or(1).into());
                row.insert("auto-rebalance".into(), 1.into());
            }
            for key in ["group", "comment"] {
                if let Some(value) = resource.fields.get(key) {
                    row.insert(key.into(), value.clone().into());
                }
            }
        }
        row
    }

    pub(crate) fn ha_manager_status(&self, cx: &Cx) -> Answer {
        let local = self.node_name(cx.local);
        let quorum = json!({ "quorate": if self.quorate { "1" } else { "0" }, "node": local });
        if !self.ha.manager_works() {
            return Ok(json!({ "manager_status": { "node_status": {} }, "quorum": quorum }).into());
        }
        let now = self.now.seconds();
        let mut nodes = Map::new();
        let mut lrm = Map::new();
        for node in &self.nodes {
            let status = if node.is_member() { "online" } else { "fence" };
            nodes.insert(node.name.clone(), status.into());
            lrm.insert(
                node.name.clone(),
                json!({ "mode": "active", "state": "active", "timestamp": now, "results": {} }),
            );
        }
        let master = self.nodes.iter().find(|node| node.is_member()).map_or("", |node| node.name.as_str());
        let mut services = Map::new();
        for (vmid, resource) in &self.ha.resources {
            let guest = self.guests.get(vmid);
            let node = guest.map_or("", |guest| self.node_name(guest.node));
            let running = guest.is_some_and(|guest| guest.run != Run::Stopped);
            let state = resource.state.as_deref().unwrap_or("queued");
            services.insert(
                sid(*vmid, resource),
                json!({ "node": node, "state": state, "uid": "c0ffee", "running": u8::from(running) }),
            );
        }
        Ok(json!({
            "manager_status": {
                "master_node": master, "node_status": nodes, "service_status": services, "timestamp": now,
            },
            "lrm_status": lrm,
            "quorum": quorum,
        })
        .into())
    }
}

fn number_or_text(value: &str) -> Value {
    value.parse::<u64>().map_or_else(|_| Value::from(value), Value::from)
}

/// A small table that is only written and read back: groups, rules.
fn keep(table: &mut BTreeMap<String, Map<String, Value>>, cx: &Cx, key: &str) -> Answer {
    if cx.method == catalogue::Method::Get {
        let rows = table.values().cloned().map(Value::Object);
        return Ok(Value::Array(rows.collect()).into());
    }
    let id = cx.args.text(key);
    if table.contains_key(id) {
        return Err(Failure::server(format!("{key} '{id}' already defined")));
    }
    let row = cx.args.iter().map(|(name, value)| (name.to_owned(), number_or_text(value))).collect();
    table.insert(id.to_owned(), row);
    Ok(Value::Null.into())
}

/// `Thu Jul 23 12:37:06 2026`, as Perl's `localtime` writes it.
pub(crate) fn date(now: SimTime) -> String {
    let seconds = i64::try_from(now.seconds()).unwrap_or_default();
    jiff::Timestamp::from_second(seconds)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a %b %e %T %Y").to_string())
        .unwrap_or_default()
}
