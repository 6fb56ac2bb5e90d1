//! One node: whether it is there, and its own figures.

use std::net::IpAddr;

use super::gauges::{below, drift, mix, share};
use super::past::Past;
use crate::seam::{CertificateFacts, SimTime};

/// How a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Up,
    /// It is off: nobody at its address.
    Down,
    /// It takes connections and never answers.
    Hung,
    /// It is there, but its API server is not.
    ProxyDown,
    /// Its API server is there, but the root daemon behind it is not: protected calls fail.
    DaemonDown,
}

/// A node of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) ip: IpAddr,
    pub(crate) health: Health,
    /// Whether it belongs to the cluster yet.
    pub(crate) joined: bool,
    pub(crate) booted: SimTime,
    /// Since when it is being measured without a break.
    pub(crate) measured: SimTime,
    /// When it was measured before.
    pub(crate) past: Past,
    /// When the status daemon last reported; nothing since it booted means nothing at all.
    pub(crate) reported: Option<SimTime>,
    /// Whether the status daemon runs.
    pub(crate) statd: bool,
    pub(crate) certificates: Vec<CertificateFacts>,
    pub(crate) maxcpu: u64,
    pub(crate) maxmem: u64,
    pub(crate) maxdisk: u64,
    /// The next process id.
    pub(crate) next_pid: u32,
    pub(crate) seed: u64,
}

impl Node {
    pub(crate) fn new(name: &str, ip: IpAddr, seed: u64, now: SimTime) -> Self {
        let days = 2 + below(mix(seed, 1), 90);
        let booted =
            SimTime(now.millis().saturating_sub(days * 86_400_000 + below(mix(seed, 2), 86_400_000)));
        Self {
            name: name.to_owned(),
            ip,
            health: Health::Up,
            joined: true,
            booted,
            measured: booted,
            past: Past::default(),
            reported: None,
            statd: true,
            certificates: Vec::new(),
            maxcpu: 8 << below(mix(seed, 3), 4),
            maxmem: (32 << 30) << below(mix(seed, 4), 4),
            maxdisk: 100_861_726_720,
            next_pid: 1_000 + u32::try_from(below(mix(seed, 5), 30_000)).unwrap_or(0),
            seed,
        }
    }

    /// Whether the other nodes see it.
    pub(crate) const fn is_member(&self) -> bool {
        self.joined && !matches!(self.health, Health::Down)
    }

    /// Whether its status daemon reports.
    pub(crate) const fn reports(&self) -> bool {
        self.is_member() && self.statd
    }

    /// Whether its status daemon measured anything at that time.
    pub(crate) fn measured_at(&self, at: SimTime, now: SimTime) -> bool {
        (self.reports() && self.measured <= at && at <= now) || self.past.has(at)
    }

    pub(crate) fn uptime(&self, now: SimTime) -> u64 {
        now.since(self.booted) / 1000
    }

    pub(crate) fn cpu(&self, now: SimTime) -> f64 {
        0.01 + 0.4 * drift(mix(self.seed, 10), now, 60_000)
    }

    pub(crate) fn mem(&self, now: SimTime) -> u64 {
        share(self.maxmem, 0.2 + 0.4 * drift(mix(self.seed, 11), now, 300_000))
    }

    pub(crate) fn disk(&self, now: SimTime) -> u64 {
        share(self.maxdisk, 0.1 + 0.2 * drift(mix(self.seed, 12), now, 3_600_000))
    }

    pub(crate) fn load(&self, now: SimTime, period: u64) -> String {
        format!("{:.2}", 2.0 * drift(mix(self.seed, 13), now, period))
    }

    /// The fingerprint of the certificate by which the other nodes know it.
    pub(crate) fn fingerprint(&self) -> String {
        let known = self.certificates.iter().find(|facts| facts.filename == "pve-ssl.pem");
        known.map_or_else(
            || {
                let bytes: Vec<String> =
                    (0..32).map(|place| format!("{:02X}", mix(self.seed, 100 + place) & 0xff)).collect();
                bytes.join(":")
            },
            |facts| facts.fingerprint.clone(),
        )
    }
}
