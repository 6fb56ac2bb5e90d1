//! `GET /cluster/resources`: the one cheap call, so it is cheap here too. Rows are written as text once per
//! report of the status daemon and caller, and handed out again until something changes.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Cluster;
use super::acl::Principal;
use super::facts::bit;
use super::failure::{Answer, Out};
use super::guest::{Guest, Run, Seen};
use super::node::Node;
use super::route::Cx;
use super::spec::Kind;
use crate::seam::{Data, SimTime};

/// How many renderings are kept: callers differ in rights, and ask for all or for one type.
const KEPT: usize = 6;

/// What was written last.
#[derive(Debug, Default)]
pub(crate) struct Rendered(Vec<Rendering>);

#[derive(Debug)]
struct Rendering {
    authid: String,
    only: String,
    /// The node that was asked: without quorum each sees itself only.
    local: usize,
    tick: SimTime,
    revision: u64,
    text: Arc<str>,
}

/// Writes one object of one line, key by key.
pub(crate) struct Row<'a> {
    text: &'a mut String,
    first: bool,
}

impl<'a> Row<'a> {
    pub(crate) fn open(text: &'a mut String) -> Self {
        text.push('{');
        Self { text, first: true }
    }

    fn key(&mut self, key: &str) -> &mut String {
        if !self.first {
            self.text.push(',');
        }
        self.first = false;
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
        self.text
    }

    pub(crate) fn int(mut self, key: &str, value: u64) -> Self {
        let _ = write!(self.key(key), "{value}");
        self
    }

    pub(crate) fn float(mut self, key: &str, value: f64) -> Self {
        // Perl writes 15 digits, and nothing after a whole number.
        let rounded: f64 = format!("{value:.14e}").parse().unwrap_or(value);
        let _ = write!(self.key(key), "{rounded}");
        self
    }

    pub(crate) fn text(mut self, key: &str, value: &str) -> Self {
        let plain = !value.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\' || byte == 0x7f);
        let text = self.key(key);
        if plain {
            text.push('"');
            text.push_str(value);
            text.push('"');
        } else {
            text.push_str(&serde_json::Value::from(value).to_string());
        }
        self
    }

    pub(crate) fn some(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    pub(crate) fn close(self) {
        self.text.push('}');
    }
}

pub(crate) const fn run_word(run: Run) -> &'static str {
    match run {
        Run::Stopped => "stopped",
        Run::Running => "running",
        Run::Paused => "paused",
    }
}

impl Cluster {
    pub(crate) fn resources(&mut self, cx: &Cx) -> Answer {
        let only = cx.args.text("type");
        let (tick, revision) = (self.last_tick, self.revision);
        let known = self.rendered.0.iter().find(|known| {
            known.authid == cx.who.authid
                && known.only == only
                && known.local == cx.local
                && known.tick == tick
                && known.revision == revision
        });
        if let Some(known) = known {
            return Ok(Out { data: Data::Raw(Arc::clone(&known.text)), total: None });
        }
        let text: Arc<str> = self.render(&cx.who, only, cx.local).into();
        if self.rendered.0.len() >= KEPT {
            self.rendered.0.remove(0);
        }
        self.rendered.0.push(Rendering {
            authid: cx.who.authid.clone(),
            only: only.to_owned(),
            local: cx.local,
            tick,
            revision,
            text: Arc::clone(&text),
        });
        Ok(Out { data: Data::Raw(text), total: None })
    }

    fn render(&self, who: &Principal, only: &str, local: usize) -> String {
        let mut text = String::with_capacity(64 + self.guests.len() * 420);
        text.push('[');
        let wants = |kind: &str| only.is_empty() || only == kind;
        if only.is_empty() {
            for pool in self.pools.iter().filter(|pool| self.may(who, &format!("/pool/{pool}"), "Pool.Audit"))
            {
                comma(&mut text);
                Row::open(&mut text)
                    .text("id", &format!("/pool/{pool}"))
                    .text("type", "pool")
                    .text("pool", pool)
                    .close();
            }
        }
        if wants("vm") {
            // A line for the whole tree spares looking at each guest.
            let audit = bit("VM.Audit");
            let everywhere = who.user == "root@pam" && !who.separated && !self.edits.hides_anything();
            let joined = |node: usize| self.nodes.get(node).is_some_and(|node| node.joined);
            for guest in self.guests.values().filter(|guest| joined(guest.node)) {
                let path = || format!("/vms/{}", guest.vmid);
                if everywhere || self.granted(who, &path()).mask & audit != 0 {
                    comma(&mut text);
                    self.guest_row(&mut text, guest);
                }
            }
        }
        if wants("node") {
            for node in self.nodes.iter().filter(|node| node.joined) {
                comma(&mut text);
                let audited = self.may(who, &format!("/nodes/{}", node.name), "Sys.Audit");
                self.node_row(Row::open(&mut text), node, local, audited).int("cgroup-mode", 2).close();
            }
        }
        if wants("storage") {
            self.storage_rows(&mut text, who);
        }
        if (wants("sdn") || wants("network"))
            && self.facts.since(8)
            && self.may(who, "/sdn/zones/localnetwork", "SDN.Audit")
        {
            self.network_rows(&mut text);
        }
        text.push(']');
        text
    }

    fn guest_row(&self, text: &mut String, guest: &Guest) {
        let word = guest.kind.word();
        let node = self.nodes.get(guest.node);
        let row = Row::open(text)
            .text("id", &format!("{word}/{}", guest.vmid))
            .text("type", word)
            .int("vmid", guest.vmid.into())
            .text("node", node.map_or("", |node| node.name.as_str()));
        let row = match (&guest.seen, node) {
            (Some(seen), Some(node)) if self.is_fresh(node) => {
                let at = node.reported.unwrap_or(self.last_tick);
                self.seen_columns(row, guest, seen, at)
            }
            _ => row.text("status", "unknown"),
        };
        // What stands in the cluster's own file system is known without the node.
        row.some("tags", guest.conf.get("tags"))
            .some("pool", guest.pool.as_deref())
            .some("lock", guest.lock())
            .some("hastate", self.ha.resources.get(&guest.vmid).and_then(|r| r.state.as_deref()))
            .close();
    }

    fn seen_columns<'a>(&self, row: Row<'a>, guest: &Guest, seen: &Seen, at: SimTime) -> Row<'a> {
        let figures = guest.figures(seen, at);
        let fallback =
            format!("{}{}{}", guest.title(), if guest.kind == Kind::Vm { " " } else { "" }, guest.vmid);
        let row = row
            .text("name", seen.conf.get(guest.name_key()).unwrap_or(&fallback))
            .text(
                "status",
                run_word(if guest.kind == Kind::Ct && seen.run == Run::Paused {
                    Run::Running
                } else {
                    seen.run
                }),
            )
            .int("template", u64::from(guest.is_template()))
            .float("cpu", figures.cpu)
            .int("maxcpu", figures.maxcpu)
            .int("mem", figures.mem)
            .int("maxmem", figures.maxmem)
            .int("disk", figures.disk)
            .int("maxdisk", figures.maxdisk)
            .int("diskread", figures.diskread)
            .int("diskwrite", figures.diskwrite)
            .int("netin", figures.netin)
            .int("netout", figures.netout)
            .int("uptime", figures.uptime);
        if self.facts.since(9) { row.int("memhost", figures.memhost) } else { row }
    }

    /// Whether the last report of a node's status daemon still counts.
    pub(crate) fn is_fresh(&self, node: &Node) -> bool {
        node.reported.is_some_and(|at| self.now.since(at) < self.timings.node_forgotten_after)
    }

    /// `online`, `offline`, or `unknown` for a node that is there but has not reported yet; as the node at
    /// `local` sees it.
    pub(crate) fn node_word(&self, node: &Node, local: usize) -> &'static str {
        let alone = !self.quorate && self.node_name(local) != node.name;
        if !node.is_member() || alone {
            "offline"
        } else if node.reported.is_none() {
            "unknown"
        } else {
            "online"
        }
    }

    /// The columns of a node that `/nodes` and `/cluster/resources` share. Without `Sys.Audit` only its name.
    pub(crate) fn node_row<'a>(&self, row: Row<'a>, node: &Node, local: usize, audited: bool) -> Row<'a> {
        let word = self.node_word(node, local);
        let row = row
            .text("id", &format!("node/{}", node.name))
            .text("type", "node")
            .text("node", &node.name)
            .text("status", word);
        if !audited {
            return row.text("level", "");
        }
        if !self.is_fresh(node) {
            return row;
        }
        let row = row
            .text("level", "")
            .int("maxcpu", node.maxcpu)
            .int("maxmem", node.maxmem)
            .int("maxdisk", node.maxdisk);
        if word != "online" {
            return row;
        }
        let at = node.reported.unwrap_or(self.last_tick);
        row.float("cpu", node.cpu(at))
            .int("mem", node.mem(at))
            .int("disk", node.disk(at))
            .int("uptime", node.uptime(at))
    }

    fn storage_rows(&self, text: &mut String, who: &Principal) {
        for storage in &self.storages {
            let granted = self.granted(who, &format!("/storage/{}", storage.name)).mask;
            if granted & (bit("Datastore.Audit") | bit("Datastore.AllocateSpace")) == 0 {
                continue;
            }
            for node in self.nodes.iter().filter(|node| node.joined) {
                comma(text);
                let row = Row::open(text)
                    .text("id", &format!("storage/{}/{}", node.name, storage.name))
                    .text("type", "storage")
                    .text("storage", &storage.name)
                    .text("node", &node.name)
                    .text("plugintype", &storage.kind)
                    .text("content", &storage.content)
                    .int("shared", u64::from(storage.shared));
                if self.is_fresh(node) {
                    row.text("status", "available")
                        .int("disk", storage.used)
                        .int("maxdisk", storage.total)
                        .close();
                } else {
                    row.text("status", "unknown").close();
                }
            }
        }
    }

    fn network_rows(&self, text: &mut String) {
        for node in &self.nodes {
            comma(text);
            if self.facts.since(9) {
                Row::open(text)
                    .text("id", &format!("network/{}/zone/localnetwork", node.name))
                    .text("type", "network")
                    .text("network-type", "zone")
                    .text("network", "localnetwork")
                    .text("node", &node.name)
                    .text("status", "ok")
                    .close();
            } else {
                Row::open(text)
                    .text("id", &format!("sdn/{}/localnetwork", node.name))
                    .text("type", "sdn")
                    .text("sdn", "localnetwork")
                    .text("node", &node.name)
                    .text("status", "ok")
                    .close();
            }
        }
    }
}

fn comma(text: &mut String) {
    if !text.ends_with('[') {
        text.push(',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_json_whatever_the_names_are() {
        let mut text = String::new();
        Row::open(&mut text)
            .text("name", "a\"b\\c\n<b>\u{202e}🦀")
            .float("cpu", 0.1 + 0.2)
            .float("none", 0.0)
            .int("mem", 7)
            .close();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], "a\"b\\c\n<b>\u{202e}🦀");
        assert_eq!(value["cpu"].as_f64(), Some(0.3));
        assert!(value["none"].is_u64(), "{text}");
    }
}
