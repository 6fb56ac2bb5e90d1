//! What tasks do when their time has come.

use super::Cluster;
use super::guest::{Guest, Run, Snapshot};
use super::ha::Wish;
use super::spec::Kind;
use crate::seam::SimTime;

/// The effect of a task.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Nothing,
    Start(u32),
    Stop(u32),
    Shutdown {
        vmid: u32,
        force: bool,
    },
    Reboot(u32),
    Reset(u32),
    Pause(u32),
    Resume(u32),
    /// A container's processes are written to disk; it stops with that.
    Checkpoint(u32),
    /// A container is started from such a checkpoint.
    Thaw(u32),
    /// A machine's memory is written to disk; it stops with that, locked until its next start.
    Hibernate(u32),
    /// The guest is there already, locked; it is unlocked, and started if so wished.
    Create {
        vmid: u32,
        start: bool,
    },
    /// The same without a guest to show for it: a template that cannot be read, a name that is taken…
    Fail(String),
    Destroy(u32),
    Snapshot {
        vmid: u32,
        name: String,
        description: String,
        vmstate: bool,
    },
    Migrate {
        vmid: u32,
        target: usize,
    },
    Wish {
        vmid: u32,
        wish: Wish,
    },
}

impl Deed {
    /// The guest that it is about.
    pub(crate) const fn vmid(&self) -> Option<u32> {
        match self {
            Self::Nothing | Self::Fail(_) => None,
            Self::Start(vmid)
            | Self::Stop(vmid)
            | Self::Reboot(vmid)
            | Self::Reset(vmid)
            | Self::Pause(vmid)
            | Self::Resume(vmid)
            | Self::Checkpoint(vmid)
            | Self::Thaw(vmid)
            | Self::Hibernate(vmid)
            | Self::Destroy(vmid)
            | Self::Shutdown { vmid, .. }
            | Self::Create { vmid, .. }
            | Self::Snapshot { vmid, .. }
            | Self::Migrate { vmid, .. }
            | Self::Wish { vmid, .. } => Some(*vmid),
        }
    }

    /// What the log says from the first moment.
    pub(crate) fn first_lines(&self) -> Vec<String> {
        match self {
            Self::Create { vmid, .. } => {
                vec![format!("creating guest {vmid}"), "allocating volumes".to_owned()]
            }
            Self::Migrate { vmid, .. } => vec![format!("starting migration of guest {vmid}")],
            Self::Wish { vmid, wish } => vec![format!("Requesting HA {} for guest {vmid}", wish.verb())],
            Self::Snapshot { name, .. } => vec![format!("snapshotting into '{name}'")],
            _ => Vec::new(),
        }
    }
}

fn conf_path(kind: Kind, node: &str, vmid: u32) -> String {
    let folder = match kind {
        Kind::Ct => "lxc",
        Kind::Vm => "qemu-server",
    };
    format!("nodes/{node}/{folder}/{vmid}.conf")
}

/// The words for a guest that is not there.
pub(crate) fn no_such_guest(kind: Kind, node: &str, vmid: u32) -> String {
    format!("Configuration file '{}' does not exist", conf_path(kind, node, vmid))
}

impl Cluster {
    /// Does what a task does; the words of a failure become its exit status.
    pub(crate) fn carry_out(&mut self, deed: &Deed, node: usize, at: SimTime) -> Result<(), String> {
        let Some(vmid) = deed.vmid() else {
            return if let Deed::Fail(words) = deed { Err(words.clone()) } else { Ok(()) };
        };
        let ha_wait = self.timings.ha_delay;
        let node_name = self.node_name(node).to_owned();
        let Some(guest) = self.guests.get_mut(&vmid) else {
            return Err(format!("Configuration file for guest {vmid} on node '{node_name}' does not exist"));
        };
        match deed {
            Deed::Nothing | Deed::Fail(_) => {}
            Deed::Start(_) => start(guest, at)?,
            Deed::Stop(_) => guest.set_run(Run::Stopped, at),
            Deed::Shutdown { force, .. } => {
                if guest.config("description").is_some_and(|text| text.contains("never shuts down")) && !force
                {
                    return Err(match guest.kind {
                        Kind::Ct => "command 'lxc-stop' failed: exit code 1".to_owned(),
                        Kind::Vm => "VM quit/powerdown failed - got timeout".to_owned(),
                    });
                }
                guest.set_run(Run::Stopped, at);
            }
            Deed::Reboot(_) => {
                guest.set_run(Run::Stopped, at);
                guest.set_run(Run::Running, at);
            }
            Deed::Reset(_) => {
                guest.past.add(guest.started, at);
                guest.started = at;
            }
            Deed::Pause(_) => guest.run = Run::Paused,
            Deed::Resume(_) => guest.run = Run::Running,
            Deed::Checkpoint(_) => {
                guest.set_run(Run::Stopped, at);
                guest.checkpointed = true;
                if self.ha.manages(vmid) {
                    // The manager finds it off and starts it anew.
                    self.agenda.add(at.plus(ha_wait), super::agenda::Event::HaActs(vmid));
                }
            }
            Deed::Thaw(_) if guest.run != Run::Stopped => {
                return Err(format!("{} {vmid} already running", guest.title()));
            }
            Deed::Thaw(_) if !guest.checkpointed => {
                let command = format!("lxc-checkpoint -n {vmid} -r --foreground -D /var/lib/vz/dump");
                return Err(format!("command '{command}' failed: exit code 1"));
            }
            Deed::Thaw(_) => guest.set_run(Run::Running, at),
            Deed::Hibernate(_) => {
                guest.set_run(Run::Stopped, at);
                guest.set_lock(Some("suspended"));
                guest.set_config("vmstate", Some(&format!("local:{vmid}/vm-{vmid}-state-suspend.raw")));
            }
            Deed::Create { start: run, .. } => {
                guest.set_lock(None);
                if *run {
                    start(guest, at)?;
                }
            }
            Deed::Destroy(_) => {
                self.guests.remove(&vmid);
                self.ha.forget(vmid);
            }
            Deed::Snapshot { name, description, vmstate, .. } => {
                if guest.snapshots.iter().any(|known| known.name == *name) {
                    return Err(format!("snapshot name '{name}' already used"));
                }
                let parent = guest.conf.get("parent").map(str::to_owned);
                guest.snapshots.push(Snapshot {
                    name: name.clone(),
                    time: at.seconds(),
                    description: description.clone(),
                    parent,
                    vmstate: *vmstate,
                    conf: guest.conf.with("parent", None).with("lock", None),
                });
                guest.conf = guest.conf.with("parent", Some(name));
            }
            Deed::Migrate { target, .. } => {
                guest.node = *target;
                guest.set_lock(None);
            }
            Deed::Wish { wish, .. } => {
                self.ha.wish(vmid, *wish);
                self.agenda.add(at.plus(ha_wait), super::agenda::Event::HaActs(vmid));
            }
        }
        self.touch();
        Ok(())
    }

    /// What a task leaves behind that did not come to its end.
    pub(crate) fn undo(&mut self, deed: &Deed) {
        match deed {
            Deed::Create { vmid, .. } => {
                self.guests.remove(vmid);
            }
            Deed::Migrate { vmid, .. } | Deed::Hibernate(vmid) => {
                if let Some(guest) = self.guests.get_mut(vmid) {
                    guest.set_lock(None);
                }
            }
            _ => {}
        }
    }
}

fn start(guest: &mut Guest, at: SimTime) -> Result<(), String> {
    if guest.is_template() {
        return Err(match guest.kind {
            Kind::Ct => "you can't start a CT if it's a template".to_owned(),
            Kind::Vm => "you can't start a vm if it's a template".to_owned(),
        });
    }
    let hibernated = guest.is_hibernated();
    if let Some(lock) = guest.lock().filter(|_| !hibernated) {
        return Err(format!("{} is locked ({lock})", guest.title()));
    }
    if guest.run != Run::Stopped {
        return Err(format!("{} {} already running", guest.title(), guest.vmid));
    }
    guest.set_run(Run::Running, at);
    if hibernated {
        guest.set_lock(None);
        guest.set_config("vmstate", None);
    }
    Ok(())
}
