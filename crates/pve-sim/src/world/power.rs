//! Start, stop, shutdown, reboot, reset, suspend, resume. Some refuse at once, some only in their task, and
//! what HA manages answers with a wish instead of a deed.

use serde_json::Value;

use super::Cluster;
use super::deeds::Deed;
use super::failure::{Answer, Failure};
use super::guest::{Run, title};
use super::ha::Wish;
use super::route::Cx;
use super::spec::Kind;
use super::tasks::{Job, Task};

/// The name of a task: `vz…` for containers, `qm…` for machines.
fn task_name(kind: Kind, verb: &str) -> String {
    match (kind, verb) {
        (Kind::Ct, _) => format!("vz{verb}"),
        (Kind::Vm, "suspend") => "qmpause".to_owned(),
        (Kind::Vm, _) => format!("qm{verb}"),
    }
}

impl Cluster {
    pub(crate) fn fork_for(&mut self, cx: &Cx, kind: &str, deed: Deed, takes: u64) -> Answer {
        let vmid = cx.vmid().to_string();
        let upid = self.fork(Job { node: cx.node, kind, id: &vmid, authid: &cx.who.authid, deed, takes });
        Ok(Value::from(upid).into())
    }

    fn power(&mut self, cx: &Cx, verb: &str, deed: Deed, takes: u64) -> Answer {
        self.fork_for(cx, &task_name(cx.kind(), verb), deed, takes)
    }

    /// Whether HA takes this over; the task only records the wish and ends at once.
    fn wish(&mut self, cx: &Cx, task: &str, wish: Wish) -> Option<Answer> {
        let vmid = cx.vmid();
        if !self.ha.manages(vmid) {
            return None;
        }
        let takes = self.timings.other_task.min(500);
        Some(self.fork_for(cx, task, Deed::Wish { vmid, wish }, takes))
    }

    /// The state of the guest of the path. Most calls die of a missing guest only within their task.
    fn run_of(&self, cx: &Cx) -> Run {
        self.find_guest(cx).map_or(Run::Stopped, |guest| guest.run)
    }

    fn must_run(&self, cx: &Cx) -> Result<(), Failure> {
        self.find_guest(cx)?;
        if self.run_of(cx) == Run::Stopped {
            return Err(Failure::server(format!("{} {} not running", title(cx.kind()), cx.vmid())));
        }
        Ok(())
    }

    /// `skiplock` and its like are for root alone.
    fn root_only(cx: &Cx) -> Result<(), Failure> {
        for key in ["skiplock", "stateuri", "migratedfrom", "machine"] {
            if cx.args.get(key).is_some() && !cx.who.is_root() {
                return Err(Failure::param(key, "Only root may use this option."));
            }
        }
        Ok(())
    }

    /// The task of a guest that is not there: it is started all the same, and fails.
    fn missing(&self, cx: &Cx) -> Option<Deed> {
        self.find_guest(cx).err().map(|failure| match failure {
            Failure::Words { text, .. } => Deed::Fail(text.trim_end().to_owned()),
            _ => Deed::Nothing,
        })
    }

    pub(crate) fn power_start(&mut self, cx: &Cx) -> Answer {
        Self::root_only(cx)?;
        if !self.quorate {
            return Err(Failure::no_quorum());
        }
        let vmid = cx.vmid();
        if cx.kind() == Kind::Ct && self.run_of(cx) != Run::Stopped {
            return Err(Failure::server(format!("CT {vmid} already running")));
        }
        if let Some(answer) = self.wish(cx, "hastart", Wish::Started) {
            return answer;
        }
        let deed = self.missing(cx).unwrap_or(Deed::Start(vmid));
        self.power(cx, "start", deed, self.timings.start_task)
    }

    pub(crate) fn power_stop(&mut self, cx: &Cx) -> Answer {
        Self::root_only(cx)?;
        if cx.kind() == Kind::Ct {
            self.must_run(cx)?;
        }
        if let Some(answer) = self.wish(cx, "hastop", Wish::Stopped) {
            return answer;
        }
        if cx.args.is_set("overrule-shutdown") {
            self.interrupt_shutdowns(cx);
        }
        let deed = self.missing(cx).unwrap_or(Deed::Stop(cx.vmid()));
        self.power(cx, "stop", deed, self.timings.other_task)
    }

    /// Ends the shutdowns of the guest that are under way, so that a stop need not wait for them.
    fn interrupt_shutdowns(&mut self, cx: &Cx) {
        let kind = task_name(cx.kind(), "shutdown");
        let id = cx.vmid().to_string();
        let under_way = |task: &&Task| task.outcome.is_none() && task.kind == kind && task.id == id;
        let upids: Vec<String> = self.tasks.all.iter().filter(under_way).map(Task::upid).collect();
        for upid in upids {
            self.interrupt_task(&upid);
        }
    }

    pub(crate) fn power_shutdown(&mut self, cx: &Cx) -> Answer {
        Self::root_only(cx)?;
        if cx.kind() == Kind::Ct {
            self.must_run(cx)?;
        }
        if let Some(answer) = self.wish(cx, "hastop", Wish::Stopped) {
            return answer;
        }
        let force = cx.args.is_set("forceStop");
        if self.run_of(cx) == Run::Paused && cx.kind() == Kind::Vm && !force {
            return Err(Failure::server("VM is paused - cannot shutdown"));
        }
        let deed = self.missing(cx).unwrap_or(Deed::Shutdown { vmid: cx.vmid(), force });
        self.power(cx, "shutdown", deed, self.timings.shutdown_task)
    }

    pub(crate) fn power_reboot(&mut self, cx: &Cx) -> Answer {
        self.must_run(cx)?;
        if self.run_of(cx) == Run::Paused && cx.kind() == Kind::Vm {
            return Err(Failure::server("VM is paused - cannot shutdown"));
        }
        let takes = self.timings.shutdown_task + self.timings.start_task;
        self.power(cx, "reboot", Deed::Reboot(cx.vmid()), takes)
    }

    pub(crate) fn power_reset(&mut self, cx: &Cx) -> Answer {
        Self::root_only(cx)?;
        self.must_run(cx)?;
        self.power(cx, "reset", Deed::Reset(cx.vmid()), self.timings.other_task)
    }

    pub(crate) fn power_suspend(&mut self, cx: &Cx) -> Answer {
        Self::root_only(cx)?;
        self.must_run(cx)?;
        let (vmid, takes) = (cx.vmid(), self.timings.other_task);
        let locked = self.find_guest(cx)?;
        let locked = locked.lock().map(|lock| Deed::Fail(format!("{} is locked ({lock})", locked.title())));
        let deed = match (cx.kind(), cx.args.is_set("todisk")) {
            (Kind::Vm, true) => return self.hibernate(cx, locked),
            (Kind::Vm, false) => Deed::Pause(vmid),
            (Kind::Ct, _) => Deed::Checkpoint(vmid),
        };
        self.power(cx, "suspend", locked.unwrap_or(deed), takes)
    }

    /// `suspend` with `todisk`: locked `suspending` while it lasts, and `suspended` then.
    fn hibernate(&mut self, cx: &Cx, locked: Option<Deed>) -> Answer {
        let vmid = cx.vmid();
        if self.ha.manages(vmid) {
            return Err(Failure::server("Cannot suspend HA managed VM to disk"));
        }
        self.require(&cx.who, &format!("/vms/{vmid}"), "VM.Config.Disk")?;
        let storage = Some(cx.args.text("statestorage")).filter(|name| !name.is_empty()).unwrap_or("local");
        self.require(&cx.who, &format!("/storage/{storage}"), "Datastore.AllocateSpace")?;
        if let (None, Some(guest)) = (&locked, self.guests.get_mut(&vmid)) {
            guest.set_lock(Some("suspending"));
        }
        self.fork_for(cx, "qmsuspend", locked.unwrap_or(Deed::Hibernate(vmid)), self.timings.other_task)
    }

    pub(crate) fn power_resume(&mut self, cx: &Cx) -> Answer {
        Self::root_only(cx)?;
        let vmid = cx.vmid();
        let deed = match cx.kind() {
            Kind::Ct if self.run_of(cx) != Run::Stopped => {
                return Err(Failure::server(format!("CT {vmid} already running")));
            }
            Kind::Ct => self.missing(cx).unwrap_or(Deed::Thaw(vmid)),
            Kind::Vm if self.find_guest(cx)?.is_hibernated() => Deed::Start(vmid),
            Kind::Vm => {
                self.must_run(cx)?;
                Deed::Resume(vmid)
            }
        };
        self.power(cx, "resume", deed, self.timings.other_task)
    }

    // === migration ===

    pub(crate) fn migrate_check(&self, cx: &Cx) -> Answer {
        let guest = self.find_guest(cx)?;
        let others: Vec<&str> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(place, node)| *place != guest.node && node.is_member())
            .map(|(_, node)| node.name.as_str())
            .collect();
        let running = u8::from(guest.run != Run::Stopped);
        Ok(match guest.kind {
            Kind::Ct => serde_json::json!({
                "running": running, "allowed-nodes": others, "not-allowed-nodes": {},
            }),
            Kind::Vm => serde_json::json!({
                "running": running, "allowed_nodes": others, "not_allowed_nodes": {}, "local_disks": [],
                "local_resources": [], "mapped-resources": [], "mapped-resource-info": {},
                "has-dbus-vmstate": 1,
            }),
        }
        .into())
    }

    pub(crate) fn migrate(&mut self, cx: &Cx) -> Answer {
        if !self.quorate {
            return Err(Failure::no_quorum());
        }
        let target = cx.args.text("target");
        if target == self.node_name(cx.node) {
            return Err(Failure::param("target", "target is local node."));
        }
        let Some(place) = self.node_place(target) else {
            return Err(Failure::server(format!("no such cluster node '{target}'")));
        };
        if !self.nodes.get(place).is_some_and(super::node::Node::is_member) {
            return Err(Failure::server(format!("node '{target}' is offline")));
        }
        let guest = self.find_guest(cx)?;
        let (vmid, kind, runs) = (guest.vmid, guest.kind, guest.run != Run::Stopped);
        if let Some(lock) = guest.lock() {
            return Err(Failure::server(format!("{} is locked ({lock})", guest.title())));
        }
        if runs && kind == Kind::Ct && !cx.args.is_set("restart") && !cx.args.is_set("online") {
            return Err(Failure::server("can't migrate running container without --online or --restart"));
        }
        if runs && kind == Kind::Vm && !cx.args.is_set("online") {
            return Err(Failure::server("can't migrate running VM without --online"));
        }
        if let Some(answer) = self.wish(cx, "hamigrate", Wish::On(place)) {
            return answer;
        }
        if let Some(guest) = self.guests.get_mut(&vmid) {
            guest.set_lock(Some("migrate"));
        }
        let name = if kind == Kind::Ct { "vzmigrate" } else { "qmigrate" };
        self.fork_for(cx, name, Deed::Migrate { vmid, target: place }, self.timings.shutdown_task)
    }
}
