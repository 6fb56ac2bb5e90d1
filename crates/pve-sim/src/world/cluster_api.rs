//! What is below `/cluster`, resources and HA apart: status, next free number, options, tasks.

use serde_json::{Map, Value, json};

use super::Cluster;
use super::failure::{Answer, Failure, Out};
use super::route::{Cx, names};

impl Cluster {
    pub(crate) fn version(&self, cx: &Cx) -> Answer {
        let facts = self.facts;
        let mut data = json!({ "version": facts.version, "release": facts.short, "repoid": facts.repoid });
        // Once the datacenter's options name a console, `/version` tells too; the node's own version does not.
        if cx.template == "/version"
            && let (Some(console), Some(data)) = (self.options.get("console"), data.as_object_mut())
        {
            data.insert("console".into(), console.clone().into());
        }
        Ok(data.into())
    }

    pub(crate) fn cluster_index(&self) -> Out {
        let mut words = vec![
            "acme",
            "backup",
            "backup-info",
            "ceph",
            "config",
            "firewall",
            "ha",
            "jobs",
            "log",
            "metrics",
        ];
        if self.facts.since(8) {
            words.extend(["mapping", "notifications"]);
        }
        if self.facts.since(9) {
            words.extend(["bulk-action", "qemu"]);
        }
        words.sort_unstable();
        words.extend(["nextid", "options", "replication", "resources", "status", "tasks", "sdn"]);
        names(&words)
    }

    pub(crate) fn ha_status_index(&self) -> Out {
        let mut words = vec!["current", "manager_status"];
        if self.facts.since(9) {
            words.extend(["disarm-ha", "arm-ha"]);
        }
        names(&words)
    }

    pub(crate) fn cluster_status(&self, cx: &Cx) -> Answer {
        let mut rows = Vec::new();
        if let Some(name) = &self.cluster_name {
            rows.push(json!({
                "id": "cluster", "type": "cluster", "name": name, "version": 3, "nodes": self.nodes.iter().filter(|node| node.joined).count(),
                "quorate": u8::from(self.quorate),
            }));
        }
        for (place, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.joined) {
            let mut row = json!({
                "id": format!("node/{}", node.name), "type": "node", "name": node.name,
                "local": u8::from(place == cx.local),
                "online": u8::from(self.node_word(node, cx.local) != "offline"),
                "ip": node.ip.to_string(), "level": "",
            });
            // A host on its own has the number 0.
            let number = if self.cluster_name.is_some() { place + 1 } else { 0 };
            if let Some(row) = row.as_object_mut() {
                row.insert("nodeid".into(), number.into());
            }
            rows.push(row);
        }
        Ok(Value::Array(rows).into())
    }

    pub(crate) fn next_id(&self, cx: &Cx) -> Answer {
        if let Some(vmid) = cx.args.int("vmid") {
            let taken = u32::try_from(vmid).is_ok_and(|vmid| self.guests.contains_key(&vmid));
            if taken {
                return Err(Failure::param("vmid", format!("VM {vmid} already exists")));
            }
            return Ok(Value::from(vmid.to_string()).into());
        }
        let free = (100..).find(|vmid| !self.guests.contains_key(vmid)).unwrap_or(100);
        // A number, as text.
        Ok(Value::from(free.to_string()).into())
    }

    pub(crate) fn options_get(&self, cx: &Cx) -> Answer {
        let mut data = Map::new();
        if self.facts.since(8) {
            let mut tags: Vec<&str> = self
                .guests
                .values()
                .filter_map(|guest| guest.conf.get("tags"))
                .flat_map(|tags| tags.split(';'))
                .collect();
            tags.sort_unstable();
            tags.dedup();
            data.insert("allowed-tags".into(), tags.into());
        }
        if !self.may(&cx.who, "/", "Sys.Audit") {
            return Ok(Value::Object(data).into());
        }
        data.insert("mac_prefix".into(), "BC:24:11".into());
        data.insert("description".into(), "".into());
        for (key, value) in &self.options {
            // A property string that comes back taken apart.
            let shown = if matches!(key.as_str(), "tag-style" | "migration" | "ha" | "crs") {
                let parts = value.split(',').filter_map(|part| part.split_once('='));
                Value::Object(parts.map(|(k, v)| (k.to_owned(), v.into())).collect())
            } else {
                value.clone().into()
            };
            data.insert(key.clone(), shown);
        }
        Ok(Value::Object(data).into())
    }

    pub(crate) fn options_set(&mut self, cx: &Cx) -> Answer {
        self.writable("options")?;
        for (key, value) in cx.args.iter() {
            if key == "delete" {
                for gone in super::verify::split_list(value) {
                    self.options.remove(&gone);
                }
            } else {
                self.options.insert(key.to_owned(), value.to_owned());
            }
        }
        Ok(Value::Null.into())
    }
}
