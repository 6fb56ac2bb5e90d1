//! Comparing texts as people mean it: no difference between upper and lower case, `*` for anything.

use core::net::IpAddr;

/// Lower case, once, when a query is parsed.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Whether `folded` (lower case) stands in `hay`.
pub(super) fn contains(hay: &str, folded: &str) -> bool {
    if !folded.is_ascii() || !hay.is_ascii() {
        return hay.to_lowercase().contains(folded);
    }
    let (hay, needle) = (hay.as_bytes(), folded.as_bytes());
    let Some(first) = needle.first() else { return true };
    hay.len() >= needle.len()
        && hay.windows(needle.len()).any(|part| {
            part.first().is_some_and(|byte| byte.eq_ignore_ascii_case(first))
                && part.eq_ignore_ascii_case(needle)
        })
}

/// Whether `folded` (lower case) is all of `hay`.
pub(super) fn equals(hay: &str, folded: &str) -> bool {
    hay.eq_ignore_ascii_case(folded) || (!folded.is_ascii() && hay.to_lowercase() == folded)
}

/// Whether `hay` has the shape of `folded`, in which `*` stands for anything.
pub(super) fn fits(hay: &str, folded: &str) -> bool {
    let hay = hay.to_lowercase();
    let mut parts = folded.split('*');
    let Some(mut rest) = parts.next().and_then(|head| hay.strip_prefix(head)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// An address, or the network that is written after a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `10.0.0.5`, `10.0.0.0/24`, `fd00::/8`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        (bits <= all).then_some(Self { address, bits })
    }

    /// Whether an address, with or without a prefix length of its own, lies in it.
    pub(super) fn holds(&self, text: &str) -> bool {
        let bare = text.split(['/', '%']).next().unwrap_or(text);
        match (self.address, bare.parse()) {
            (IpAddr::V4(net), Ok(IpAddr::V4(one))) => {
                let differ = net.to_bits() ^ one.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(net), Ok(IpAddr::V6(one))) => {
                let differ = net.to_bits() ^ one.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

/// Of `words` the one that `typed` was most likely meant to be; `None` when nothing is near.
pub(super) fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = fold(typed);
    // What is longer than any word of ours is none mistyped; it is not worth its time.
    if typed.len() > 40 {
        return None;
    }
    words
        .map(|word| {
            let begins = typed.len() >= 2 && (word.starts_with(&typed) || typed.starts_with(word));
            (if begins { 1 } else { distance(&typed, word) }, word)
        })
        .filter(|(far, word)| *far <= 1 + word.len().min(typed.len()) / 4)
        .min_by_key(|(far, _)| *far)
        .map(|(_, word)| word)
}

/// How many letters to change, add, leave out or swap.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], n: usize| row.get(n).copied().unwrap_or(usize::MAX / 2);
            let change = at(&row, j) + usize::from(x != *y);
            let add = at(&next, j) + 1;
            let omit = at(&row, j + 1) + 1;
            let swap = match j.checked_sub(1) {
                Some(k) if last == Some(*y) && b.get(k) == Some(&x) => at(&before, k) + 1,
                _ => usize::MAX / 2,
            };
            next.push(change.min(add).min(omit).min(swap));
        }
        before = std::mem::replace(&mut row, next);
        last = Some(x);
    }
    row.last().copied().unwrap_or(usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter() {
        assert!(contains("WebServer", "bser") && !contains("Web", "webs") && contains("x", ""));
        assert!(contains("MÜNCHEN-1", "münchen") && equals("MÜNCHEN", "münchen") && equals("Ab", "ab"));
    }

    #[test]
    fn stars_stand_for_anything() {
        for (hay, shape, fit) in [
            ("web-1", "web*", true),
            ("my-web", "*web", true),
            ("a-web-b", "*web*", true),
            ("web", "w*b", true),
            ("wb", "w*b", true),
            ("b", "w*b", false),
            ("abcbc", "a*bc", true),
            ("ab", "ab*b", false),
            ("", "*", true),
            ("Web", "*", true),
            ("web-1x", "web-*1", false),
        ] {
            assert_eq!(fits(hay, shape), fit, "{hay} {shape}");
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, holds) in [
            ("10.0.0.5", "10.0.0.5/24", true),
            ("10.0.0.5", "10.0.0.50", false),
            ("10.0.0.0/24", "10.0.0.50", true),
            ("10.0.0.0/24", "10.0.1.50", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("fd00::/8", "fd12::1/64", true),
            ("fd00::/8", "fe80::1", false),
            ("fe80::1", "fe80::1%eth0", true),
            ("10.0.0.0/24", "fe80::1", false),
            ("10.0.0.0/24", "nonsense", false),
        ] {
            assert_eq!(Network::parse(network).unwrap().holds(address), holds, "{network} {address}");
        }
        assert!(Network::parse("10.0.0.0/33").is_none() && Network::parse("web").is_none());
    }

    #[test]
    fn the_nearest_word_is_proposed() {
        let words = ["status", "type", "tag", "node", "name", "uptime"];
        let near = |typed| nearest(typed, words.into_iter());
        assert_eq!(near("stauts"), Some("status"));
        assert_eq!(near("stat"), Some("status"));
        assert_eq!(near("nmae"), Some("name"));
        assert_eq!(near("tags"), Some("tag"));
        assert_eq!(near("xyzzy"), None);
    }
}
