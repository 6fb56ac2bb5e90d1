//! What rows of every kind have in common when a query asks about them.

use jiff::Timestamp;
use model::RemoteId;
use model::query::{Key, Subject};

use crate::snapshot::RemoteSnapshot;

/// A number written without asking for memory.
pub(super) struct Digits {
    bytes: [u8; 20],
    from: usize,
}

impl Digits {
    pub(super) fn of(number: u64) -> Self {
        let mut bytes = [b'0'; 20];
        let (mut rest, mut from) = (number, bytes.len());
        for (at, byte) in bytes.iter_mut().enumerate().rev() {
            *byte = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            (rest, from) = (rest / 10, at);
            if rest == 0 {
                break;
            }
        }
        Self { bytes, from }
    }

    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(self.from..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
    }
}

/// A remote's own terms: told once for all that is on it.
pub(super) struct OfRemote<'a> {
    remote: &'a RemoteSnapshot,
    id: Digits,
}

impl<'a> OfRemote<'a> {
    pub(super) fn new(remote: &'a RemoteSnapshot) -> Self {
        let RemoteId(id) = remote.id;
        Self { remote, id: Digits::of(id) }
    }
}

impl Subject for OfRemote<'_> {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        match key {
            Key::Remote => Some(test(&self.remote.name) || test(self.id.as_str())),
            Key::Link => Some(link(self.remote, test)),
            _ => None,
        }
    }

    fn figure(&self, _: Key) -> Option<f64> {
        None
    }

    fn whole(&self, _: Key) -> Option<f64> {
        None
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.remote.name)
    }
}

/// The words for a remote's link.
pub(super) fn link(remote: &RemoteSnapshot, test: &mut dyn FnMut(&str) -> bool) -> bool {
    let state = &remote.link.state;
    test(state.word()) || test(if state.is_up() { "up" } else { "down" })
}

/// A text that may be known to be nothing.
pub(super) fn or_none(text: Option<&str>, test: &mut dyn FnMut(&str) -> bool) -> bool {
    test(text.unwrap_or_default())
}

/// Several texts, of which there may be none.
pub(super) fn each<'a>(texts: impl Iterator<Item = &'a str>, test: &mut dyn FnMut(&str) -> bool) -> bool {
    let mut none = true;
    for text in texts {
        none = false;
        if test(text) {
            return true;
        }
    }
    none && test("")
}

pub(super) fn yes_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// A state that is surely not known answers to the words for that alone: whether it is another, nobody knows.
pub(super) fn unknown(passed: bool) -> Option<bool> {
    passed.then_some(true)
}

/// Seconds from `at` to `now`; a clock that was set back makes it no younger than now.
pub(super) fn age(at: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(at).as_secs_f64().max(0.0)
}

/// Bytes, as exactly as comparing takes.
#[expect(
    clippy::cast_precision_loss,
    reason = "bytes beyond 2^53 are rounded, by less than their unit shows"
)]
pub(crate) fn bytes(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written() {
        for number in [0, 7, 10, 101, 999_999_999, u64::MAX] {
            assert_eq!(Digits::of(number).as_str(), number.to_string());
        }
    }
}
