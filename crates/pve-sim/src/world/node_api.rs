//! Nodes: the list, and what each tells of itself.

use serde_json::{Value, json};

use super::Cluster;
use super::failure::{Answer, Failure, Out};
use super::gauges::{drift, mix};
use super::node::{Health, Node};
use super::resources::Row;
use super::route::Cx;
use crate::seam::{Data, SimTime};

impl Cluster {
    pub(crate) fn node_list(&self, cx: &Cx) -> Answer {
        let mut text = String::from("[");
        for (place, node) in self.nodes.iter().filter(|node| node.joined).enumerate() {
            if place > 0 {
                text.push(',');
            }
            let audited = self.may(&cx.who, &format!("/nodes/{}", node.name), "Sys.Audit");
            self.node_row(Row::open(&mut text), node, cx.local, audited)
                .text("ssl_fingerprint", &node.fingerprint())
                .close();
        }
        text.push(']');
        Ok(Out { data: Data::Raw(text.into()), total: None })
    }

    fn node_at(&self, cx: &Cx) -> Result<&Node, Failure> {
        self.nodes.get(cx.node).ok_or_else(|| Failure::server("no such node"))
    }

    pub(crate) fn node_status(&self, cx: &Cx) -> Answer {
        let node = self.node_at(cx)?;
        let now = self.now;
        let facts = self.facts;
        let (used, disk) = (node.mem(now), node.disk(now));
        let mut memory = json!({ "total": node.maxmem, "used": used, "free": node.maxmem - used });
        let version = format!("#1 SMP PREEMPT_DYNAMIC PMX {} (2025-05-07T12:50Z)", facts.kernel);
        let mut data = json!({
            "uptime": node.uptime(now),
            "cpu": node.cpu(now),
            "wait": drift(mix(node.seed, 30), now, 60_000) / 100.0,
            "idle": 0,
            "loadavg": [node.load(now, 60_000), node.load(now, 300_000), node.load(now, 900_000)],
            "swap": { "total": 8_589_930_496_u64, "used": 0, "free": 8_589_930_496_u64 },
            "rootfs": {
                "total": node.maxdisk, "used": disk, "free": node.maxdisk - disk,
                "avail": (node.maxdisk - disk) / 100 * 95,
            },
            "ksm": { "shared": 0 },
            "kversion": format!("Linux {} {version}", facts.kernel),
            "pveversion": format!("pve-manager/{}/{}", facts.version, facts.repoid),
            "cpuinfo": {
                "cpus": node.maxcpu, "cores": node.maxcpu / 2, "sockets": 1, "hvm": "1", "user_hz": 100,
                "mhz": "2445.404", "model": "AMD EPYC 7763 64-Core Processor",
                "flags": "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov svm lm aes",
            },
        });
        if let Some(data) = data.as_object_mut() {
            if facts.since(8) {
                data.insert("boot-info".into(), json!({ "mode": "efi", "secureboot": 0 }));
                let kernel = json!({
                    "sysname": "Linux", "machine": "x86_64", "release": facts.kernel, "version": version,
                });
                data.insert("current-kernel".into(), kernel);
            }
            if facts.since(9) {
                if let Some(memory) = memory.as_object_mut() {
                    memory.insert("available".into(), (node.maxmem - used).into());
                }
                if let Some(cpu) = data.get_mut("cpuinfo").and_then(Value::as_object_mut) {
                    cpu.insert("vendor".into(), "AuthenticAMD".into());
                    cpu.insert("family".into(), "25".into());
                }
            }
            data.insert("memory".into(), memory);
        }
        Ok(data.into())
    }

    /// `POST /nodes/{node}/status`: reboot or shutdown.
    pub(crate) fn node_command(&mut self, cx: &Cx) -> Answer {
        let name = self.node_name(cx.node).to_owned();
        self.kill_node(&name);
        if cx.args.text("command") == "reboot" {
            self.revive_node(&name);
        }
        Ok(Value::Null.into())
    }

    pub(crate) fn certificates(&self, cx: &Cx) -> Answer {
        let rows = self.node_at(cx)?.certificates.iter().map(|facts| {
            json!({
                "filename": facts.filename, "fingerprint": facts.fingerprint, "subject": facts.subject,
                "issuer": facts.issuer, "notbefore": facts.not_before, "notafter": facts.not_after,
                "pem": facts.pem, "san": facts.san, "public-key-type": facts.public_key_type,
                "public-key-bits": facts.public_key_bits,
            })
        });
        Ok(Value::Array(rows.collect()).into())
    }

    // === edits for tests ===

    /// A node goes down: its socket, its tasks, its guests with it.
    pub fn kill_node(&mut self, name: &str) {
        self.set_health(name, Health::Down);
    }

    /// A node comes back. Its guests with `onboot` start again; it is `unknown` until it has reported.
    pub fn revive_node(&mut self, name: &str) {
        self.set_health(name, Health::Up);
    }

    /// How a node answers from now on.
    pub fn set_health(&mut self, name: &str, health: Health) {
        let now = self.now;
        let Some(place) = self.node_place(name) else { return };
        let Some(node) = self.nodes.get_mut(place) else { return };
        let (was, is) = (node.health, health);
        node.health = health;
        if was != Health::Down && is == Health::Down {
            node.past.add(node.measured, node.reported.unwrap_or(now));
            self.lose_tasks_of(place);
            self.ha_loses(place);
        } else if was == Health::Down && is != Health::Down {
            (node.booted, node.measured) = (now, now);
            node.reported = None;
            for guest in self.guests.values_mut().filter(|guest| guest.node == place) {
                guest.seen = None;
                guest.set_run(super::Run::Stopped, now);
                if guest.conf.is_set("onboot") {
                    guest.set_run(super::Run::Running, now);
                }
            }
            self.ha_regains(place);
        }
        self.touch();
    }

    /// Stops or starts the status daemon of a node: it stays online, and what is known of it ages.
    pub fn set_statd(&mut self, name: &str, runs: bool) {
        let now = self.now;
        if let Some(node) = self.nodes.iter_mut().find(|node| node.name == name) {
            match (node.statd, runs) {
                (true, false) => node.past.add(node.measured, now),
                (false, true) => node.measured = now,
                _ => {}
            }
            node.statd = runs;
        }
        self.touch();
    }

    /// Whether the cluster has quorum: without it reads go on and writes fail.
    pub fn set_quorum(&mut self, quorate: bool) {
        self.quorate = quorate;
        self.touch();
    }

    /// When a node booted: its uptime follows.
    pub fn set_booted(&mut self, name: &str, at: SimTime) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.name == name) {
            (node.booted, node.measured) = (at, at);
        }
    }
}
