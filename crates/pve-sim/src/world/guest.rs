//! One guest: what it is, what state it is in, what the status daemon last saw of it.

use super::conf::{Conf, digest_of};
use super::gauges::{below, counter, drift, mix, share};
use super::past::Past;
use super::spec::{GuestInput, Kind};
use crate::seam::SimTime;

/// What a guest does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Run {
    /// Off.
    Stopped,
    /// On.
    Running,
    /// A virtual machine that is halted; a container that is frozen.
    Paused,
}

/// A snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) time: u64,
    pub(crate) description: String,
    pub(crate) parent: Option<String>,
    pub(crate) vmstate: bool,
    pub(crate) conf: Conf,
}

/// What the status daemon last saw.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) run: Run,
    pub(crate) started: SimTime,
    pub(crate) conf: Conf,
}

/// A container or a virtual machine.
#[derive(Debug, Clone)]
pub struct Guest {
    pub(crate) vmid: u32,
    pub(crate) kind: Kind,
    /// The place of its node in the cluster's list.
    pub(crate) node: usize,
    pub(crate) run: Run,
    pub(crate) started: SimTime,
    /// When it ran before.
    pub(crate) past: Past,
    /// When it was made.
    pub(crate) made: SimTime,
    pub(crate) conf: Conf,
    /// Changes that wait for the next start: a value, or nothing for a key to be removed.
    pub(crate) pending: Vec<(String, Option<String>)>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) pool: Option<Box<str>>,
    /// Whether the guest agent of a virtual machine answers while it runs.
    pub(crate) agent: bool,
    /// Whether a checkpoint of a container lies on its node's disk. Nothing that may be read tells of it.
    pub(crate) checkpointed: bool,
    pub(crate) seen: Option<Seen>,
    pub(crate) seed: u64,
}

impl Guest {
    /// A guest as described, with the configuration that a real one would have.
    pub(crate) fn new(input: &GuestInput, node: usize, seed: u64, now: SimTime) -> Self {
        let seed = mix(seed, u64::from(input.vmid));
        let conf = made_up(input, seed, now).chain(input.config.iter().cloned()).collect();
        // It was started some time ago, but not all on the same second.
        let ago = 3_600_000 + below(mix(seed, 1), 40 * 86_400) * 1000;
        Self {
            vmid: input.vmid,
            kind: input.kind,
            node,
            run: if input.running { Run::Running } else { Run::Stopped },
            started: SimTime(now.millis().saturating_sub(ago)),
            past: Past::default(),
            made: SimTime(now.millis().saturating_sub(90 * 86_400_000)),
            conf,
            pending: Vec::new(),
            snapshots: Vec::new(),
            pool: input.pool.as_deref().map(Into::into),
            agent: input.agent,
            checkpointed: false,
            seen: None,
            seed,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn vmid(&self) -> u32 {
        self.vmid
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What it does.
    #[must_use]
    pub const fn run(&self) -> Run {
        self.run
    }

    /// Puts it into a state, without a task.
    pub fn set_run(&mut self, run: Run, now: SimTime) {
        if run != Run::Stopped && self.run == Run::Stopped {
            self.started = now;
            self.apply_pending();
        } else if run == Run::Stopped && self.run != Run::Stopped {
            self.past.add(self.started, now);
        }
        self.run = run;
        if run == Run::Stopped {
            self.apply_pending();
        }
    }

    /// One value of the configuration.
    #[must_use]
    pub fn config(&self, key: &str) -> Option<&str> {
        self.conf.get(key)
    }

    /// Sets or removes one value of the configuration at once.
    pub fn set_config(&mut self, key: &str, value: Option<&str>) {
        self.conf = self.conf.with(key, value);
    }

    /// Sets the whole configuration at once; nothing waits for a start any more.
    pub fn replace_config<K: Into<String>, V: Into<String>>(
        &mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) {
        self.conf = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.pending.clear();
    }

    /// Locks it (`backup`, `migrate`…) or unlocks it.
    pub fn set_lock(&mut self, lock: Option<&str>) {
        self.set_config("lock", lock);
    }

    /// Names it.
    pub fn set_name(&mut self, name: &str) {
        self.set_config(self.name_key(), Some(name));
    }

    /// Whether the guest agent answers.
    pub fn set_agent(&mut self, answers: bool) {
        self.agent = answers;
    }

    /// Puts it into a pool, or takes it out.
    pub fn set_pool(&mut self, pool: Option<&str>) {
        self.pool = pool.map(Into::into);
    }

    pub(crate) const fn name_key(&self) -> &'static str {
        match self.kind {
            Kind::Ct => "hostname",
            Kind::Vm => "name",
        }
    }

    pub(crate) fn is_template(&self) -> bool {
        self.conf.is_set("template")
    }

    pub(crate) fn lock(&self) -> Option<&str> {
        self.conf.get("lock")
    }

    /// Whether it is a machine whose memory lies on disk.
    pub(crate) fn is_hibernated(&self) -> bool {
        self.kind == Kind::Vm && self.lock() == Some("suspended")
    }

    /// `VM` or `CT`, as the server's words have it.
    pub(crate) const fn title(&self) -> &'static str {
        title(self.kind)
    }

    /// The digest of its file: configuration, pending changes, snapshots.
    pub(crate) fn digest(&self) -> String {
        let pending = format!("{:?}", self.pending);
        let snapshots: String = self.snapshots.iter().map(|s| format!("{}@{}", s.name, s.time)).collect();
        digest_of(&[self.conf.text(), &pending, &snapshots])
    }

    /// The configuration as it will be after the next start.
    pub(crate) fn future(&self) -> Conf {
        self.pending.iter().fold(self.conf.clone(), |conf, (key, value)| conf.with(key, value.as_deref()))
    }

    pub(crate) fn apply_pending(&mut self) {
        if !self.pending.is_empty() {
            self.conf = self.future();
            self.pending.clear();
        }
    }

    /// What is to be seen of it now.
    pub(crate) fn look(&self) -> Seen {
        Seen { run: self.run, started: self.started, conf: self.conf.clone() }
    }

    /// The figures of a state of it at a moment.
    pub(crate) fn figures(&self, seen: &Seen, now: SimTime) -> Figures {
        Figures::new(self, seen, now)
    }

    /// The process id of a running one.
    pub(crate) fn pid(&self) -> u64 {
        1_000 + below(mix(self.seed, self.started.millis()), 4_000_000)
    }
}

pub(crate) const fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Ct => "CT",
        Kind::Vm => "VM",
    }
}

/// The gauges of a guest at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) cpu: f64,
    pub(crate) maxcpu: u64,
    pub(crate) mem: u64,
    pub(crate) memhost: u64,
    pub(crate) maxmem: u64,
    pub(crate) disk: u64,
    pub(crate) maxdisk: u64,
    pub(crate) netin: u64,
    pub(crate) netout: u64,
    pub(crate) diskread: u64,
    pub(crate) diskwrite: u64,
    pub(crate) uptime: u64,
    pub(crate) swap: u64,
    pub(crate) maxswap: u64,
}

impl Figures {
    fn new(guest: &Guest, seen: &Seen, now: SimTime) -> Self {
        let conf = &seen.conf;
        let seed = guest.seed;
        let boot = match guest.kind {
            Kind::Ct => conf.size_of("rootfs"),
            Kind::Vm => ["scsi0", "virtio0", "sata0", "ide0"].iter().find_map(|disk| conf.size_of(disk)),
        };
        let sockets = conf.int("sockets").unwrap_or(1);
        let cores = conf.int("cores").unwrap_or(if guest.kind == Kind::Ct { 2 } else { 1 });
        let mut figures = Self {
            maxcpu: cores.saturating_mul(sockets),
            maxmem: mebibytes(conf.int("memory").unwrap_or(512)),
            maxdisk: boot.unwrap_or(0),
            maxswap: mebibytes(conf.int("swap").unwrap_or(512)),
            ..Self::default()
        };
        if seen.run == Run::Stopped {
            return figures;
        }
        let busy = 0.02 + 0.3 * super::gauges::unit(mix(seed, 2));
        figures.uptime = now.since(seen.started) / 1000;
        if seen.run == Run::Running {
            figures.cpu = busy * drift(mix(seed, 3), now, 30_000);
        }
        figures.mem = share(figures.maxmem, 0.2 + 0.6 * drift(mix(seed, 4), now, 120_000));
        figures.memhost = share(figures.maxmem, 0.3 + 0.6 * drift(mix(seed, 4), now, 120_000));
        if guest.kind == Kind::Ct {
            // The space of a virtual machine is its own affair: the host does not see how full it is.
            figures.disk = share(figures.maxdisk, 0.1 + 0.5 * drift(mix(seed, 5), now, 600_000));
        }
        let count = |salt, rate| counter(mix(seed, salt), seen.started, now, rate);
        figures.netin = count(6, 2_000.0);
        figures.netout = count(7, 900.0);
        figures.diskread = count(8, 4_000.0);
        figures.diskwrite = count(9, 6_000.0);
        figures
    }
}

/// Configurations count memory in MiB, answers in bytes.
pub(crate) const fn mebibytes(count: u64) -> u64 {
    count.saturating_mul(1 << 20)
}

/// A hardware address out of Proxmox's own range.
pub(crate) fn mac(seed: u64) -> String {
    let [a, b, c, ..] = seed.to_le_bytes();
    format!("BC:24:11:{a:02X}:{b:02X}:{c:02X}")
}

/// A UUID out of a seed.
pub(crate) fn uuid(seed: u64) -> String {
    let (high, low) = (mix(seed, 11), mix(seed, 12));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// The configuration that a guest has when nothing else is said.
fn made_up(input: &GuestInput, seed: u64, now: SimTime) -> impl Iterator<Item = (String, String)> {
    let vmid = input.vmid;
    let cores = 1 + below(mix(seed, 20), 4);
    let memory = 512_u64 << below(mix(seed, 21), 4);
    let size = 4_u64 << below(mix(seed, 22), 4);
    let mac = mac(mix(seed, 23));
    let mut pairs: Vec<(&str, String)> = match input.kind {
        Kind::Ct => vec![
            ("arch", "amd64".into()),
            ("cores", cores.to_string()),
            ("features", "nesting=1".into()),
            ("hostname", input.name.clone()),
            ("memory", memory.to_string()),
            ("net0", format!("name=eth0,bridge=vmbr0,firewall=1,hwaddr={mac},ip=dhcp,type=veth")),
            ("ostype", "debian".into()),
            ("rootfs", format!("local-lvm:vm-{vmid}-disk-0,size={size}G")),
            ("swap", "512".into()),
            ("unprivileged", "1".into()),
        ],
        Kind::Vm => vec![
            ("boot", "order=scsi0;net0".into()),
            ("cores", cores.to_string()),
            ("memory", memory.to_string()),
            ("meta", format!("creation-qemu=9.2.0,ctime={}", now.seconds().saturating_sub(90 * 86_400))),
            ("name", input.name.clone()),
            ("net0", format!("virtio={mac},bridge=vmbr0,firewall=1")),
            ("numa", "0".into()),
            ("ostype", "l26".into()),
            ("scsi0", format!("local-lvm:vm-{vmid}-disk-0,iothread=1,size={size}G")),
            ("scsihw", "virtio-scsi-single".into()),
            ("smbios1", format!("uuid={}", uuid(mix(seed, 24)))),
            ("sockets", "1".into()),
            ("vmgenid", uuid(mix(seed, 25))),
        ],
    };
    if input.agent {
        pairs.push(("agent", "1".into()));
    }
    if !input.tags.is_empty() {
        pairs.push(("tags", input.tags.join(";")));
    }
    if input.template {
        pairs.push(("template", "1".into()));
    }
    if input.running {
        pairs.push(("onboot", "1".into()));
    }
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value))
}
