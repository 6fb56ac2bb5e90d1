//! Messages on their way to one client, and those that left lately, for when it comes back.

use std::collections::VecDeque;

use api::stream::StreamMessage;
use bytes::Bytes;

/// Numbered messages: sent ones, then those that wait.
#[derive(Debug)]
pub(super) struct Outbox {
    epoch: String,
    /// The number of the last message.
    last: u64,
    /// What the oldest frame follows on.
    before: u64,
    frames: VecDeque<Bytes>,
    /// How many of them were sent.
    sent: usize,
    bytes: usize,
    kept: usize,
    kept_bytes: usize,
}

impl Outbox {
    pub(super) fn new(epoch: String, kept: usize, kept_bytes: usize) -> Self {
        Self { epoch, last: 0, before: 0, frames: VecDeque::new(), sent: 0, bytes: 0, kept, kept_bytes }
    }

    /// Puts a message at the end.
    pub(super) fn push(&mut self, message: &StreamMessage) {
        self.last += 1;
        let frame = frame(Some(&format!("{}.{}", self.epoch, self.last)), message);
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// Whether nothing waits.
    pub(super) fn is_drained(&self) -> bool {
        self.sent >= self.frames.len()
    }

    /// The next message to be sent. Of those that were, the oldest are let go when there are too many.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        let frame = self.frames.get(self.sent)?.clone();
        self.sent += 1;
        while self.sent > 1 && (self.frames.len() > self.kept || self.bytes > self.kept_bytes) {
            if let Some(gone) = self.frames.pop_front() {
                self.bytes -= gone.len();
            }
            self.sent -= 1;
            self.before += 1;
        }
        Some(frame)
    }

    /// Goes back to right after the message of that number. `false`: it is not known any more, or never was.
    pub(super) fn rewind(&mut self, last: u64) -> bool {
        let sent = last.checked_sub(self.before).and_then(|sent| usize::try_from(sent).ok());
        match sent.filter(|sent| *sent <= self.frames.len()) {
            Some(sent) => {
                self.sent = sent;
                true
            }
            None => false,
        }
    }

    /// Forgets all messages; the numbers go on, so that none of before is taken for one of after.
    pub(super) fn clear(&mut self) {
        // The client may have seen any number up to the last: the next connection can follow on none of them.
        self.last += 1;
        self.before = self.last;
        self.frames.clear();
        (self.sent, self.bytes) = (0, 0);
    }

    /// The id that the next message follows on.
    pub(super) fn position(&self) -> String {
        let sent = u64::try_from(self.sent).unwrap_or(u64::MAX);
        format!("{}.{}", self.epoch, self.before.saturating_add(sent))
    }
}

/// A message as it goes over the wire.
pub(super) fn frame(id: Option<&str>, message: &StreamMessage) -> Bytes {
    let mut text = Vec::with_capacity(256);
    if let Some(id) = id {
        text.extend_from_slice(b"id: ");
        text.extend_from_slice(id.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(b"event: ");
    text.extend_from_slice(message.word().as_bytes());
    text.extend_from_slice(b"\ndata: ");
    // JSON in one line: nothing in it ends the event early. Our own types are always written.
    if let Err(error) = serde_json::to_writer(&mut text, message) {
        tracing::error!(%error, message = message.word(), "a message of the stream could not be written");
    }
    text.extend_from_slice(b"\n\n");
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use api::stream::{Events, StreamMessage};

    use super::*;

    fn message(up_to: i64) -> StreamMessage {
        StreamMessage::Events(Events { items: Vec::new(), up_to })
    }

    fn text(frame: Option<Bytes>) -> String {
        frame.map(|frame| String::from_utf8(frame.to_vec()).unwrap()).unwrap_or_default()
    }

    #[test]
    fn a_frame_is_one_event() {
        let mut outbox = Outbox::new("e".into(), 10, 10_000);
        outbox.push(&message(5));
        let want = "id: e.1\nevent: events\ndata: {\"type\":\"events\",\"items\":[],\"up_to\":5}\n\n";
        assert_eq!(text(outbox.next()), want);
        assert!(outbox.next().is_none() && outbox.is_drained());
        assert_eq!(outbox.position(), "e.1");
    }

    #[test]
    fn what_was_missed_is_sent_again_for_as_long_as_it_is_kept() {
        let mut outbox = Outbox::new("e".into(), 3, 10_000);
        for n in 1..=5 {
            outbox.push(&message(n));
        }
        // What waits is kept however much it is.
        for n in 1..=5u64 {
            assert!(text(outbox.next()).starts_with(&format!("id: e.{n}\n")));
        }
        assert!(!outbox.rewind(1), "it is one of those that were let go");
        assert!(!outbox.rewind(6), "it was never sent");
        assert!(outbox.rewind(5) && outbox.is_drained());
        assert!(outbox.rewind(3));
        assert!(text(outbox.next()).starts_with("id: e.4\n"));
        outbox.clear();
        assert!(!outbox.rewind(5) && !outbox.rewind(4));
        outbox.push(&message(9));
        assert!(text(outbox.next()).starts_with("id: e.7\n"));
    }
}
