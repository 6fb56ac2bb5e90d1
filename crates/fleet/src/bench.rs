//! What measurements need of the inside. No part of the interface.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::Now;
use pve::decode;
use pve::drift::Drift;
use pve::reply::Resource;

use crate::inventory::{Inventory, Reading};
use crate::rows;

/// A listing that is taken in again and again, with moving figures only.
pub struct Listed {
    body: String,
    inventory: Inventory,
    rounds: u64,
}

impl Listed {
    /// A listing of so many guests on eight nodes.
    #[must_use]
    pub fn new(guests: usize) -> Self {
        let nodes = (0..8).map(|n| {
            format!(
                r#"{{"id":"node/pve{n}","type":"node","node":"pve{n}","status":"online","cpu":0.1,"maxcpu":64,"mem":1,"maxmem":2,"uptime":77}}"#
            )
        });
        let guests = (0..guests).map(|n| {
            format!(
                r#"{{"id":"lxc/{0}","type":"lxc","vmid":{0},"node":"pve{1}","name":"guest-{0}","status":"running","cpu":0.0312{1},"maxcpu":4,"mem":18237440,"maxmem":536870912,"disk":1234567,"maxdisk":8589934592,"diskread":1,"diskwrite":2,"netin":3,"netout":4,"uptime":86400,"template":0,"tags":"prod;web","pool":"customers"}}"#,
                100 + n,
                n % 8
            )
        });
        let body = format!("[{}]", nodes.chain(guests).collect::<Vec<_>>().join(","));
        Self { body, inventory: Inventory::new(Duration::ZERO), rounds: 0 }
    }

    /// Takes it in once more; how long decoding took, and how long reconciling.
    pub fn take(&mut self) -> (Duration, Duration) {
        self.rounds += 1;
        let mono = Duration::from_secs(self.rounds);
        let now = Now { wall: Timestamp::UNIX_EPOCH + mono, mono };
        let began = Instant::now();
        let mut drift = Drift::default();
        let listed =
            decode::check(self.body.as_bytes()).and_then(|raw| decode::list::<Resource>(raw, &mut drift));
        let Ok(listed) = listed else { return (Duration::ZERO, Duration::MAX) };
        let decoded = began.elapsed();
        let began = Instant::now();
        let (listing, _) = rows::listing(listed);
        let reading = Reading { begun: mono, through: "bench:8006".into() };
        let changes = self.inventory.reconcile(listing, &reading, None, None, now);
        std::hint::black_box(&changes);
        (decoded, began.elapsed())
    }
}
