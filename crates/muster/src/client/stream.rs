//! Server-sent events, read as they come: [`Events`].

use std::time::Duration;

use api::stream::StreamMessage;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

/// What an open stream is read from.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    lines: Lines,
    silence: Duration,
}

impl Events {
    /// A stream that has ended when it says nothing for `silence`, heartbeats included.
    pub(super) fn new(body: Incoming, silence: Duration) -> Self {
        Self { body, lines: Lines::default(), silence }
    }

    /// The next message; `None` when the stream has ended, or the server is silent for so long that it is gone. What is
    /// not understood is passed over: a newer server may say more than we know.
    pub async fn next(&mut self) -> Option<StreamMessage> {
        loop {
            while let Some(data) = self.lines.event() {
                match serde_json::from_str(&data) {
                    Ok(message) => {
                        tracing::debug!("the stream tells: {} bytes", data.len());
                        return Some(message);
                    }
                    Err(e) => tracing::debug!("a message of the stream is not understood: {e}"),
                }
            }
            let Ok(frame) = timeout(self.silence, self.body.frame()).await else {
                tracing::debug!("the stream has said nothing for {} s", self.silence.as_secs());
                return None;
            };
            let frame = frame?.ok()?;
            if let Some(data) = frame.data_ref() {
                self.lines.push(data);
            }
        }
    }
}

/// Bytes that become lines, lines that become events.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    data: String,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The data of the next whole event.
    fn event(&mut self) -> Option<String> {
        loop {
            let end = self.bytes.iter().position(|b| *b == b'\n')?;
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                if self.data.is_empty() {
                    continue;
                }
                return Some(std::mem::take(&mut self.data));
            }
            if let Some(data) = line.strip_prefix("data:") {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text = ": hi\nid: 1.1\nevent: bye\ndata: {\"a\":\ndata: 1}\r\n\r\nretry: 5\n\ndata:x\n\nda";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut events = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                lines.push(piece);
                events.extend(std::iter::from_fn(|| lines.event()));
            }
            assert_eq!(events, ["{\"a\":\n1}", "x"], "{size}");
        }
    }
}
