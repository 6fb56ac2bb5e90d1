//! `show`: everything known of one guest, each part with when it was seen, and what of it did not fit.

use fleet::{DetailPart, GuestDetail, RemoteSnapshot};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::ls::guest_json;
use crate::term::table::{Paper, Tone};
use crate::term::text::{ago, moment, pad_right, safe, safe_lines, width};
use crate::words;

/// The guest as lines.
pub(super) fn lines(
    remote: &RemoteSnapshot,
    detail: &GuestDetail,
    now: Timestamp,
    paper: Paper,
) -> Vec<String> {
    let mut page = Page { lines: Vec::new(), paper };
    let row = &detail.row;
    let guest = &row.guest;
    page.lines.push(Tone::Bold.paint(&safe(&words::full_name(remote.name.as_str(), row)), paper.colour));

    let mut facts: Vec<(String, String)> = vec![("state".to_owned(), words::state(row))];
    let through = row.through.as_ref().map(|t| format!(" through {t}")).unwrap_or_default();
    let exactly = row.observed_at.map(|at| format!(" ({})", moment(at))).unwrap_or_default();
    facts.push(("seen".to_owned(), format!("{}{through}{exactly}", words::seen(row, now))));
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            facts.push((name.to_owned(), value));
        }
    };
    add("not live", words::staleness(remote, row, now).unwrap_or_default());
    add("node", guest.node.to_string());
    add("processors", words::processors(guest));
    add("memory", words::memory(guest).unwrap_or_default());
    add("root disk", words::share(guest.disk, guest.disk_max).unwrap_or_default());
    add("up for", words::uptime(guest.uptime));
    add("pool", guest.pool.as_ref().map(ToString::to_string).unwrap_or_default());
    add("tags", guest.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    add("remarks", words::remarks(row).join(", "));
    page.facts(&facts);

    page.part("Addresses", &detail.addresses, now, |interfaces| {
        interfaces
            .iter()
            .map(|i| {
                let addresses = i.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let mac = i.mac.as_ref().map(|m| format!("  {m}")).unwrap_or_default();
                (i.name.to_string(), format!("{addresses}{mac}"))
            })
            .collect()
    });
    page.part("Configuration", &detail.config, now, |config| {
        config
            .entries
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().to_owned()))
            .chain(config.lxc.iter().cloned())
            .collect()
    });
    page.part("Waiting for the next start", &detail.pending, now, |rows| {
        rows.iter()
            .filter_map(|row| match (&row.pending, row.delete) {
                (Some(value), _) => Some((row.key.clone(), format!("becomes {}", value.as_str()))),
                (None, Some(n)) if n > 0 => Some((row.key.clone(), "will be removed".to_owned())),
                (None, _) => None,
            })
            .collect()
    });
    page.part("Status", &detail.status, now, scalars);

    if !detail.drift.is_empty() {
        page.head("Did not fit", None);
        let drift: Vec<(String, String)> = detail
            .drift
            .iter()
            .map(|d| {
                (
                    d.field.clone(),
                    format!("{} expected, {} found: {}  ({})", d.expected, d.found, d.sample, d.call),
                )
            })
            .collect();
        page.facts(&drift);
    }
    page.lines
}

/// The guest as an object: its row, its parts, its drift.
pub(super) fn json(remote: &RemoteSnapshot, detail: &GuestDetail) -> Value {
    let mut object = guest_json(remote, &detail.row);
    if let (Some(map), Ok(Value::Object(parts))) = (object.as_object_mut(), serde_json::to_value(detail)) {
        // The addresses here were read just now; those of the row may be older.
        map.extend(parts.into_iter().filter(|(name, _)| name != "row"));
        map.insert("link".to_owned(), json!(remote.link));
    }
    object
}

/// Every field of a reply that has a value, in the order in which they are declared.
fn scalars(reply: &impl Serialize) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(reply) else { return Vec::new() };
    fields
        .into_iter()
        .filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name, text)),
            other => Some((name, other.to_string())),
        })
        .collect()
}

struct Page {
    lines: Vec<String>,
    paper: Paper,
}

impl Page {
    fn head(&mut self, title: &str, seen: Option<String>) {
        let seen = seen.map(|s| format!("  {}", Tone::Dim.paint(&s, self.paper.colour))).unwrap_or_default();
        self.lines.push(String::new());
        self.lines.push(format!("{}{seen}", Tone::Bold.paint(title, self.paper.colour)));
    }

    /// Names in a column, values beside it; a value of several lines keeps them.
    fn facts(&mut self, facts: &[(String, String)]) {
        let column = facts.iter().map(|(name, _)| width(&safe(name))).max().unwrap_or(0).min(28);
        for (name, value) in facts {
            let mut lines = safe_lines(value).into_iter();
            let first = lines.next().unwrap_or_default();
            self.lines.push(format!("  {}  {first}", pad_right(&safe(name), column)).trim_end().to_owned());
            for line in lines {
                self.lines.push(format!("  {}  {line}", " ".repeat(column)));
            }
        }
    }

    fn part<T>(
        &mut self,
        title: &str,
        part: &DetailPart<T>,
        now: Timestamp,
        facts: impl FnOnce(&T) -> Vec<(String, String)>,
    ) {
        let found = part.seen.as_ref().map(|seen| facts(&seen.value)).unwrap_or_default();
        if found.is_empty() && part.error.is_none() {
            return;
        }
        let seen = part
            .seen
            .as_ref()
            .filter(|_| part.error.is_some())
            .map(|seen| format!("as seen {}", ago(now, seen.at)));
        self.head(title, seen);
        if let Some(error) = &part.error {
            let text = format!("  not read now: {}", safe(&error.to_string()));
            self.lines.push(Tone::Warn.paint(&text, self.paper.colour));
        }
        self.facts(&found);
    }
}
