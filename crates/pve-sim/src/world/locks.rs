//! One task at a time works on a guest: it holds the lock of the guest's configuration. Another one waits for
//! it, and fails when it has waited too long.

use super::Cluster;
use super::agenda::Event;
use super::deeds::Deed;
use super::spec::Kind;
use super::tasks::Task;
use crate::seam::SimTime;

impl Task {
    /// The guest whose lock it takes.
    fn locks(&self) -> Option<u32> {
        // A wish is only written into the configuration of HA.
        if matches!(self.deed, Deed::Wish { .. }) { None } else { self.deed.vmid() }
    }

    fn holds_lock_of(&self, vmid: u32) -> bool {
        self.outcome.is_none() && self.waits.is_none() && self.locks() == Some(vmid)
    }
}

impl Cluster {
    /// Lets a task that was just forked begin, or wait for the lock.
    pub(crate) fn begin_or_wait(&mut self, serial: u64, takes: u64) {
        let vmid = self.tasks.get_mut(serial).and_then(|task| task.locks());
        let busy = vmid.is_some_and(|vmid| {
            self.tasks
                .all
                .iter()
                .rev()
                .skip(1)
                .any(|task| task.outcome.is_none() && task.locks() == Some(vmid))
        });
        if !busy {
            self.begin_task(serial, takes, self.now);
            return;
        }
        if let Some(task) = self.tasks.get_mut(serial) {
            task.waits = Some(takes);
            task.log.push("trying to acquire lock...".to_owned());
        }
        self.agenda.add(self.now.plus(self.timings.lock_timeout), Event::LockTimesOut(serial));
    }

    fn begin_task(&mut self, serial: u64, takes: u64, at: SimTime) {
        if self.tasks.get_mut(serial).is_some_and(|task| !task.hangs()) {
            self.agenda.add(at.plus(takes), Event::TaskEnds(serial));
        }
    }

    /// A task of the guest is over: the one that waited longest begins.
    pub(crate) fn pass_lock_on(&mut self, deed: &Deed, at: SimTime) {
        let Some(vmid) = deed.vmid() else { return };
        if self.tasks.all.iter().any(|task| task.holds_lock_of(vmid)) {
            return;
        }
        let next = self.tasks.serials().find_map(|(serial, task)| {
            let takes = task.waits.filter(|_| task.outcome.is_none() && task.locks() == Some(vmid))?;
            Some((serial, takes))
        });
        let Some((serial, takes)) = next else { return };
        if let Some(task) = self.tasks.get_mut(serial) {
            task.waits = None;
            task.log.push(" OK".to_owned());
        }
        self.begin_task(serial, takes, at);
    }

    /// A task has waited long enough.
    pub(crate) fn lock_times_out(&mut self, serial: u64, at: SimTime) {
        let Some(task) = self.tasks.get_mut(serial).filter(|task| task.waits.is_some()) else { return };
        let Some(vmid) = task.deed.vmid() else { return };
        let file = match self.guests.get(&vmid).map(|guest| guest.kind) {
            Some(Kind::Vm) => format!("/var/lock/qemu-server/lock-{vmid}.conf"),
            _ => format!("/run/lock/lxc/pve-config-{vmid}.lock"),
        };
        self.fail_task(serial, &format!("can't lock file '{file}' - got timeout"), at);
    }
}
