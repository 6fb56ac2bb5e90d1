//! How often something may be tried: token buckets in a map of bounded size. Time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::settings::Bucket;

/// Buckets by key. When full, the one nearest to being full again is forgotten: it would soonest mean nothing.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rule: Bucket,
    most: usize,
    // When the bucket would be full again, on the monotonic clock.
    full_at: HashMap<K, Duration>,
}

/// What counts as one address where somebody's share is counted: a single IPv4 address, but of IPv6 the whole /64,
/// of which each of its hosts has all.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(own) => Ipv6Addr::from_bits(own.to_bits() & (u128::MAX << 64)).into(),
        own @ IpAddr::V4(_) => own,
    }
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    pub(crate) fn new(rule: Bucket, most: usize) -> Self {
        Self { rule, most: most.max(1), full_at: HashMap::new() }
    }

    /// Takes one try.
    ///
    /// # Errors
    /// How long to wait when there is none.
    pub(crate) fn take(&mut self, key: &K, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at.get(key).copied().unwrap_or_default().max(now);
        let then = full_at.saturating_add(self.rule.every);
        let bound = now.saturating_add(self.rule.every.saturating_mul(self.rule.burst.max(1)));
        if then > bound {
            return Err(then.saturating_sub(bound));
        }
        if !self.full_at.contains_key(key) && self.full_at.len() >= self.most {
            self.make_room(now);
        }
        self.full_at.insert(key.clone(), then);
        Ok(())
    }

    /// Gives a try back: it was not a failure.
    pub(crate) fn give_back(&mut self, key: &K, now: Duration) {
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at = full_at.saturating_sub(self.rule.every);
            if *full_at <= now {
                self.full_at.remove(key);
            }
        }
    }

    fn make_room(&mut self, now: Duration) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= self.most {
            let least = self.full_at.iter().min_by_key(|(_, full_at)| **full_at).map(|(key, _)| key.clone());
            if let Some(key) = least {
                self.full_at.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Bucket = Bucket { burst: 3, every: Duration::from_secs(10) };
    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn lets_a_burst_through_then_one_each_interval() {
        let mut buckets = Buckets::new(RULE, 10);
        for _ in 0..3 {
            assert_eq!(buckets.take(&"a", at(100)), Ok(()));
        }
        assert_eq!(buckets.take(&"a", at(100)), Err(at(10)));
        assert_eq!(buckets.take(&"b", at(100)), Ok(()));
        assert_eq!(buckets.take(&"a", at(104)), Err(at(6)));
        assert_eq!(buckets.take(&"a", at(110)), Ok(()));
        assert_eq!(buckets.take(&"a", at(110)), Err(at(10)));
    }

    #[test]
    fn an_address_of_ipv6_is_its_whole_network() {
        let same = |a: &str, b: &str| neighbourhood(a.parse().unwrap()) == neighbourhood(b.parse().unwrap());
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.7", "192.0.2.7"));
        assert!(!same("::ffff:192.0.2.7", "::ffff:192.0.2.8") && !same("192.0.2.7", "192.0.2.8"));
    }

    #[test]
    fn a_try_given_back_costs_nothing() {
        let mut buckets = Buckets::new(RULE, 10);
        for _ in 0..100 {
            assert_eq!(buckets.take(&"a", at(5)), Ok(()));
            buckets.give_back(&"a", at(5));
        }
        assert!(buckets.full_at.is_empty());
    }

    #[test]
    fn remembers_no_more_than_it_may_and_forgets_the_mildest() {
        let mut buckets = Buckets::new(RULE, 2);
        for _ in 0..3 {
            buckets.take(&0, at(1)).unwrap();
        }
        for key in 1..100 {
            buckets.take(&key, at(1)).unwrap();
            assert!(buckets.full_at.len() <= 2);
        }
        assert!(buckets.take(&0, at(1)).is_err(), "the one that stormed was forgotten");
    }
}
