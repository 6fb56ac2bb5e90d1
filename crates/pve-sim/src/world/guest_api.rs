//! Guests: lists, states, addresses. Containers and virtual machines take one way; where they differ, data
//! says so.

use catalogue::Method;
use serde_json::{Map, Value, json};

use super::Cluster;
use super::deeds::no_such_guest;
use super::failure::{Answer, Failure, Out};
use super::gauges::mix;
use super::guest::{Guest, Run, mebibytes};
use super::resources::run_word;
use super::route::{Cx, names, subdirs};
use super::spec::Kind;

impl Cx {
    /// Which of the two branches of the API the call is on.
    pub(crate) fn kind(&self) -> Kind {
        if self.template.starts_with("/nodes/{node}/lxc") { Kind::Ct } else { Kind::Vm }
    }

    pub(crate) fn vmid(&self) -> u32 {
        self.args.int("vmid").and_then(|vmid| u32::try_from(vmid).ok()).unwrap_or(0)
    }
}

impl Cluster {
    /// Everything below `/nodes/{node}/lxc` and `/nodes/{node}/qemu`.
    pub(crate) fn guest_call(&mut self, cx: &Cx) -> Answer {
        use Method::{Delete, Get, Post, Put};
        let kind = cx.kind();
        let rest = cx.template.strip_prefix("/nodes/{node}/").unwrap_or_default();
        let rest = rest.strip_prefix(kind.word()).unwrap_or_default();
        let rest = rest.strip_prefix("/{vmid}").unwrap_or(if rest.is_empty() { "list" } else { rest });
        match (cx.method, rest) {
            (Get, "list") => Ok(self.guest_list(cx)),
            (Post, "list") => self.guest_create(cx),
            (Get, "") => Ok(guest_index(kind)),
            (Delete, "") => self.guest_destroy(cx),
            (Get, "/config") => self.config_get(cx),
            (Put | Post, "/config") => self.config_set(cx),
            (Get, "/pending") => self.config_pending(cx),
            (Get, "/status") => Ok(power_index(kind)),
            (Get, "/status/current") => self.guest_status(cx),
            (Post, "/status/start") => self.power_start(cx),
            (Post, "/status/stop") => self.power_stop(cx),
            (Post, "/status/shutdown") => self.power_shutdown(cx),
            (Post, "/status/reboot") => self.power_reboot(cx),
            (Post, "/status/reset") => self.power_reset(cx),
            (Post, "/status/suspend") => self.power_suspend(cx),
            (Post, "/status/resume") => self.power_resume(cx),
            (Get, "/interfaces") => self.interfaces(cx),
            (Get, "/agent") => Ok(agent_index()),
            (Get, "/agent/network-get-interfaces") => self.agent_interfaces(cx),
            (Post, "/agent") => self.agent_command(cx),
            (Get, "/rrddata") => self.guest_rrd(cx),
            (Get, "/snapshot") => self.snapshot_list(cx),
            (Post, "/snapshot") => self.snapshot_create(cx),
            (Get, "/migrate") => self.migrate_check(cx),
            (Post, "/migrate") => self.migrate(cx),
            _ => Err(Failure::not_implemented(cx.method, &cx.path)),
        }
    }

    /// The guest of the path, if it is of that kind and on that node.
    pub(crate) fn find_guest(&self, cx: &Cx) -> Result<&Guest, Failure> {
        let (kind, vmid) = (cx.kind(), cx.vmid());
        self.guests
            .get(&vmid)
            .filter(|guest| guest.kind == kind && guest.node == cx.node)
            .ok_or_else(|| Failure::server(no_such_guest(kind, self.node_name(cx.node), vmid)))
    }

    fn guest_list(&self, cx: &Cx) -> Out {
        let kind = cx.kind();
        let here = self.guests.values().filter(|guest| guest.kind == kind && guest.node == cx.node);
        let seen = here.filter(|guest| self.may(&cx.who, &format!("/vms/{}", guest.vmid), "VM.Audit"));
        let full = cx.args.is_set("full");
        Value::Array(seen.map(|guest| Value::Object(self.status_row(guest, false, full))).collect()).into()
    }

    /// The row of a list, or the beginning of a single state.
    fn status_row(&self, guest: &Guest, single: bool, full: bool) -> Map<String, Value> {
        let figures = guest.figures(&guest.look(), self.now);
        let conf = &guest.conf;
        let runs = guest.run != Run::Stopped;
        let mut row = Map::new();
        // Containers of a list are numbered in text until 8.
        let vmid: Value = if guest.kind == Kind::Ct && !single && !self.facts.since(8) {
            guest.vmid.to_string().into()
        } else {
            guest.vmid.into()
        };
        row.insert("vmid".into(), vmid);
        let fallback = format!("{} {}", guest.title(), guest.vmid);
        row.insert("name".into(), conf.get(guest.name_key()).unwrap_or(&fallback).into());
        row.insert("status".into(), if runs { "running" } else { "stopped" }.into());
        row.insert("cpus".into(), figures.maxcpu.into());
        for (key, value) in [
            ("mem", figures.mem),
            ("maxmem", figures.maxmem),
            ("disk", figures.disk),
            ("maxdisk", figures.maxdisk),
            ("netin", figures.netin),
            ("netout", figures.netout),
            ("uptime", figures.uptime),
        ] {
            row.insert(key.into(), value.into());
        }
        row.insert("cpu".into(), whole_or(figures.cpu));
        if let Some(tags) = conf.get("tags") {
            row.insert("tags".into(), tags.into());
        }
        if let Some(lock) = guest.lock() {
            row.insert("lock".into(), lock.into());
        }
        if guest.is_template() {
            row.insert("template".into(), 1.into());
        }
        if runs {
            row.insert("pid".into(), guest.pid().into());
        }
        let is_ct = guest.kind == Kind::Ct;
        if is_ct {
            row.insert("type".into(), "lxc".into());
            row.insert("swap".into(), figures.swap.into());
            row.insert("maxswap".into(), figures.maxswap.into());
        }
        // The counters of a machine's disks come from QEMU, so a stopped one has none.
        if is_ct || runs {
            row.insert("diskread".into(), figures.diskread.into());
            row.insert("diskwrite".into(), figures.diskwrite.into());
        }
        if self.facts.since(9) {
            if !is_ct {
                row.insert("memhost".into(), figures.memhost.into());
            }
            if runs {
                self.pressure(&mut row, guest);
            }
        }
        if !is_ct {
            if conf.get("serial0").is_some() {
                row.insert("serial".into(), 1.into());
            }
            if full || single {
                row.insert("qmpstatus".into(), run_word(guest.run).into());
            }
            if let Some(balloon) = conf.int("balloon").filter(|balloon| *balloon > 0) {
                row.insert("balloon_min".into(), mebibytes(balloon).into());
                row.insert("shares".into(), conf.int("shares").unwrap_or(1000).into());
            }
        }
        row
    }

    fn pressure(&self, row: &mut Map<String, Value>, guest: &Guest) {
        let keys = ["cpusome", "cpufull", "iosome", "iofull", "memorysome", "memoryfull"];
        for (place, key) in (0_u64..).zip(keys) {
            let share = super::gauges::drift(mix(guest.seed, 70 + place), self.now, 20_000);
            let value = (share * 100.0).round() / 100.0;
            // A container's come as text, a machine's as numbers; where the kernel has none they are null.
            let value = if guest.kind == Kind::Ct { format!("{value:.2}").into() } else { whole_or(value) };
            row.insert(format!("pressure{key}"), value);
        }
    }

    pub(crate) fn guest_status(&self, cx: &Cx) -> Answer {
        let guest = self.find_guest(cx)?;
        let mut data = self.status_row(guest, true, true);
        data.insert("ha".into(), self.ha_of(guest));
        let runs = guest.run != Run::Stopped;
        if guest.kind == Kind::Vm {
            if guest
                .conf
                .get("agent")
                .is_some_and(|agent| agent.starts_with('1') || agent.contains("enabled=1"))
            {
                data.insert("agent".into(), 1.into());
            }
            if guest.conf.get("vga").is_some_and(|vga| vga.starts_with("qxl")) {
                data.insert("spice".into(), 1.into());
            }
            if runs {
                self.running_machine(&mut data, guest);
            }
        }
        Ok(Value::Object(data).into())
    }

    fn ha_of(&self, guest: &Guest) -> Value {
        let Some(resource) = self.ha.resources.get(&guest.vmid) else { return json!({ "managed": 0 }) };
        let mut ha = json!({ "managed": 1, "state": resource.state });
        if let (Some(ha), Some(group)) = (ha.as_object_mut(), resource.fields.get("group")) {
            ha.insert("group".into(), group.clone().into());
        }
        ha
    }

    /// What only QEMU itself can tell.
    fn running_machine(&self, data: &mut Map<String, Value>, guest: &Guest) {
        let figures = guest.figures(&guest.look(), self.now);
        let nic = format!("tap{}i0", guest.vmid);
        let counters = json!({ "netin": figures.netin, "netout": figures.netout });
        data.insert("nics".into(), json!({ nic: counters }));
        if self.facts.since(8) {
            data.insert("clipboard".into(), Value::Null);
        }
        data.insert("running-qemu".into(), self.facts.qemu.into());
        let short = self.facts.qemu.rsplit_once('.').map_or(self.facts.qemu, |(short, _)| short);
        data.insert("running-machine".into(), format!("pc-i440fx-{short}+pve0").into());
        data.insert("balloon".into(), figures.maxmem.into());
        data.insert("freemem".into(), figures.maxmem.saturating_sub(figures.mem).into());
        data.insert(
            "ballooninfo".into(),
            json!({
                "actual": figures.maxmem, "max_mem": figures.maxmem, "total_mem": figures.maxmem,
                "free_mem": figures.maxmem.saturating_sub(figures.mem), "last_update": self.now.seconds(),
                "mem_swapped_in": 0, "mem_swapped_out": 0, "major_page_faults": 1_005,
                "minor_page_faults": 2_919_589,
            }),
        );
        data.insert(
            "blockstat".into(),
            json!({
                "scsi0": {
                    "rd_bytes": figures.diskread, "wr_bytes": figures.diskwrite,
                    "rd_operations": figures.diskread / 16_384, "wr_operations": figures.diskwrite / 16_384,
                    "failed_rd_operations": 0, "failed_wr_operations": 0, "flush_operations": 13_945,
                },
            }),
        );
        data.insert(
            "proxmox-support".into(),
            json!({ "pbs-dirty-bitmap": true, "query-bitmap-info": true, "backup-max-workers": true }),
        );
    }

    // === addresses ===

    fn addresses(&self, guest: &Guest) -> (String, String, String) {
        let mac = guest
            .conf
            .get("net0")
            .and_then(|net| {
                net.split(',').find_map(|part| part.split_once('=').map(|(_, v)| v).filter(|v| v.len() == 17))
            })
            .unwrap_or("BC:24:11:00:00:00")
            .to_lowercase();
        let vmid = guest.vmid;
        let v4 = format!("192.0.2.{}", 2 + vmid % 250);
        let v6 = format!("2001:db8::{vmid:x}");
        (mac, v4, v6)
    }

    pub(crate) fn interfaces(&self, cx: &Cx) -> Answer {
        let guest = self.find_guest(cx)?;
        if guest.run == Run::Stopped {
            return Ok(Value::Null.into());
        }
        let (mac, v4, v6) = self.addresses(guest);
        let nine = self.facts.since(9);
        let nic = |name: &str, mac: &str, v4: (&str, u8), v6: (&str, u8)| {
            let mut row = json!({
                "name": name, "hwaddr": mac,
                "inet": format!("{}/{}", v4.0, v4.1), "inet6": format!("{}/{}", v6.0, v6.1),
            });
            if let Some(row) = row.as_object_mut().filter(|_| nine) {
                let address = |kind: &str, (ip, prefix): (&str, u8)| json!({ "ip-address-type": kind, "ip-address": ip, "prefix": prefix.to_string() });
                row.insert("hardware-address".into(), mac.into());
                row.insert("ip-addresses".into(), json!([address("inet", v4), address("inet6", v6)]));
            }
            row
        };
        let lo = nic("lo", "00:00:00:00:00:00", ("127.0.0.1", 8), ("::1", 128));
        let eth = nic("eth0", &mac, (&v4, 24), (&v6, 64));
        Ok(json!([lo, eth]).into())
    }

    /// A virtual machine is asked through its guest agent, if that is there and answers.
    fn agent_of(&self, cx: &Cx) -> Result<&Guest, Failure> {
        let guest = self.find_guest(cx)?;
        if guest.run == Run::Stopped {
            return Err(Failure::server(format!("VM {} is not running", guest.vmid)));
        }
        if guest.conf.get("agent").is_none_or(|agent| agent.starts_with('0')) {
            return Err(Failure::server("No QEMU guest agent configured"));
        }
        if !guest.agent || guest.run == Run::Paused {
            return Err(Failure::server("QEMU guest agent is not running"));
        }
        Ok(guest)
    }

    pub(crate) fn agent_interfaces(&self, cx: &Cx) -> Answer {
        let guest = self.agent_of(cx)?;
        let (mac, v4, v6) = self.addresses(guest);
        let figures = guest.figures(&guest.look(), self.now);
        let address = |kind: &str, ip: &str, prefix: u64| json!({ "ip-address-type": kind, "ip-address": ip, "prefix": prefix });
        let statistics = |rx: u64, tx: u64| {
            json!({
                "rx-bytes": rx, "tx-bytes": tx, "rx-packets": rx / 900, "tx-packets": tx / 900,
                "rx-errs": 0, "tx-errs": 0, "rx-dropped": 0, "tx-dropped": 0,
            })
        };
        Ok(json!({ "result": [
            {
                "name": "lo", "hardware-address": "00:00:00:00:00:00", "statistics": statistics(0, 0),
                "ip-addresses": [address("ipv4", "127.0.0.1", 8), address("ipv6", "::1", 128)],
            },
            {
                "name": "eth0", "hardware-address": mac, "statistics": statistics(figures.netin, figures.netout),
                "ip-addresses": [address("ipv4", &v4, 24), address("ipv6", &v6, 64)],
            },
        ] })
        .into())
    }

    pub(crate) fn agent_command(&self, cx: &Cx) -> Answer {
        self.agent_of(cx)?;
        match cx.args.text("command") {
            "network-get-interfaces" => self.agent_interfaces(cx),
            _ => Ok(json!({ "result": {} }).into()),
        }
    }
}

fn power_index(kind: Kind) -> Out {
    subdirs(match kind {
        Kind::Vm => &["current", "start", "stop", "reset", "shutdown", "suspend", "reboot"],
        Kind::Ct => &["current", "start", "stop", "shutdown", "suspend", "resume", "reboot"],
    })
}

/// A float that is a whole number is written as one, as Perl does.
pub(crate) fn whole_or(value: f64) -> Value {
    if value == 0.0 { 0.into() } else { value.into() }
}

fn guest_index(kind: Kind) -> Out {
    let mut words = vec![
        "config",
        "pending",
        "status",
        "vncproxy",
        "termproxy",
        "vncwebsocket",
        "spiceproxy",
        "migrate",
        "clone",
        "rrd",
        "rrddata",
        "firewall",
        "snapshot",
        "resize",
    ];
    match kind {
        Kind::Ct => words.push("interfaces"),
        Kind::Vm => words.extend(["agent", "monitor", "feature", "sendkey", "unlink", "cloudinit"]),
    }
    subdirs(&words)
}

fn agent_index() -> Out {
    names(&[
        "exec",
        "exec-status",
        "file-read",
        "file-write",
        "fsfreeze-freeze",
        "fsfreeze-status",
        "fsfreeze-thaw",
        "fstrim",
        "get-fsinfo",
        "get-host-name",
        "get-memory-block-info",
        "get-memory-blocks",
        "get-osinfo",
        "get-time",
        "get-timezone",
        "get-users",
        "get-vcpus",
        "info",
        "network-get-interfaces",
        "ping",
        "set-user-password",
        "shutdown",
        "suspend-disk",
        "suspend-hybrid",
        "suspend-ram",
    ])
}
