//! The list of guests.

use std::sync::Arc;

use jiff::Timestamp;
use model::access::Visible;
use model::query::{Key, Subject};
use model::rows::{GuestRow, Standing};
use model::{GuestState, Presence, Vmid};

use super::counts::freshness_word;
use super::subject::{Digits, age, bytes, each, link, or_none, unknown, yes_no};
use super::{Counts, Page, Request, Sortable, Source, Tally, remote_at, run};
use crate::snapshot::{FleetSnapshot, RemoteSnapshot};

/// One guest of a page.
#[derive(Debug, Clone)]
pub struct GuestAt {
    /// Its remote.
    pub remote: Arc<RemoteSnapshot>,
    /// Its row.
    pub guest: Arc<GuestRow>,
}

/// Guests. Deleted ones are left out unless the query asks for them (`status:deleted`). The usual order: by
/// remote as added, by number.
#[must_use]
pub fn guests(
    snapshot: &FleetSnapshot,
    visible: &Visible,
    request: &Request,
    now: Timestamp,
) -> Page<GuestAt> {
    let deleted = request.query.asks_for(Key::Status, "deleted");
    let (rows, total, counts) = run(&Source {
        snapshot,
        visible,
        request,
        now,
        rows: if deleted { all } else { standing },
        count: |row: &Row<'_>, counts: &mut Counts| {
            count_state(row.guest, &mut counts.state);
            counts.kind.add(row.guest.guest.kind.as_str(), 1);
            counts.freshness.add(freshness_word(&row.guest.freshness), 1);
        },
    });
    let items = rows
        .into_iter()
        .filter_map(|(at, row)| Some(GuestAt { remote: remote_at(snapshot, at)?, guest: row.guest.clone() }))
        .collect();
    Page { items, total, counts, revision: snapshot.revision }
}

fn all<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    for guest in &remote.guests {
        take(Row { remote, guest, now });
    }
}

fn standing<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    for guest in &remote.guests {
        if !matches!(guest.presence, Presence::Deleted { .. }) {
            take(Row { remote, guest, now });
        }
    }
}

/// What `status:` calls a guest's state now: one word, the most telling one.
#[must_use]
pub fn status_word(guest: &GuestRow) -> &str {
    match &guest.standing {
        Standing::Known { .. } => guest.state.word(),
        other => standing_word(other),
    }
}

/// Takes a guest's state into a tally.
pub(super) fn count_state(guest: &GuestRow, tally: &mut Tally) {
    match (&guest.standing, &guest.state) {
        (Standing::Known { .. }, GuestState::Running) => tally.add("running", 1),
        (Standing::Known { .. }, GuestState::Stopped) => tally.add("stopped", 1),
        (Standing::Known { .. }, GuestState::Paused) => tally.add("paused", 1),
        (Standing::Known { .. }, GuestState::Suspended) => tally.add("suspended", 1),
        (Standing::Known { .. }, GuestState::Other(word)) => tally.add_other(word, 1),
        (other, _) => tally.add(standing_word(other), 1),
    }
}

fn standing_word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Known { .. } | Standing::Unknown => "unknown",
        Standing::NodeDown { .. } => "node_down",
        Standing::OutOfReach => "out_of_reach",
        Standing::Missing => "missing",
        Standing::Deleted => "deleted",
        Standing::NotVisible => "not_visible",
    }
}

#[derive(Clone, Copy)]
struct Row<'a> {
    remote: &'a RemoteSnapshot,
    guest: &'a Arc<GuestRow>,
    now: Timestamp,
}

impl Row<'_> {
    /// Its addresses, or its hardware addresses; `None` while they were not read.
    fn interfaces(&self) -> Option<&[model::rows::Interface]> {
        self.guest.addresses.as_ref().map(|seen| seen.value.as_slice())
    }

    fn vmid(&self) -> Digits {
        let Vmid(vmid) = self.guest.guest.vmid;
        Digits::of(u64::from(vmid))
    }
}

impl Subject for Row<'_> {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        let facts = &self.guest.guest;
        match key {
            Key::Name => facts.name.as_deref().map(test),
            Key::Remote => Some(test(&self.remote.name)),
            Key::Link => Some(link(self.remote, test)),
            Key::Type => Some(test(facts.kind.as_str())),
            Key::Status if self.guest.state.is_known() => Some(test(self.guest.state.word())),
            Key::Status => unknown(test("unknown") || test(standing_word(&self.guest.standing))),
            Key::Node => Some(test(facts.node.as_str())),
            Key::Tag => Some(each(facts.tags.iter().map(|tag| &**tag), test)),
            Key::Pool => Some(or_none(facts.pool.as_deref(), test)),
            Key::Lock => Some(or_none(facts.lock.as_deref(), test)),
            Key::Ha => Some(or_none(facts.ha.as_deref(), test)),
            Key::Fresh => Some(test(freshness_word(&self.guest.freshness))),
            Key::Template => facts.template.map(|is| test(yes_no(is))),
            Key::Busy => Some(test(yes_no(self.guest.busy.is_some()))),
            Key::Ip => {
                let all = self.interfaces()?.iter().flat_map(|one| &one.addresses);
                Some(each(all.map(|address| &**address), test))
            }
            Key::Mac => {
                let all = self.interfaces()?.iter().filter_map(|one| one.mac.as_deref());
                Some(each(all, test))
            }
            _ => None,
        }
    }

    fn figure(&self, key: Key) -> Option<f64> {
        let facts = &self.guest.guest;
        match key {
            Key::Vmid => Some(f64::from(facts.vmid.0)),
            Key::Cpu => facts.cpu,
            Key::Mem => facts.memory.map(bytes),
            Key::Disk => facts.disk.map(bytes),
            Key::Uptime => facts.uptime.map(bytes),
            Key::Age => self.guest.observed_at.map(|at| age(at, self.now)),
            _ => None,
        }
    }

    fn whole(&self, key: Key) -> Option<f64> {
        let facts = &self.guest.guest;
        match key {
            Key::Cpu => Some(1.0),
            Key::Mem => facts.memory_max.map(bytes),
            Key::Disk => facts.disk_max.map(bytes),
            _ => None,
        }
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let facts = &self.guest.guest;
        facts.name.as_deref().is_some_and(&mut *test)
            || test(self.vmid().as_str())
            || facts.tags.iter().any(|tag| test(tag))
            || test(facts.node.as_str())
            || test(&self.remote.name)
            || facts.pool.as_deref().is_some_and(&mut *test)
            || self.interfaces().unwrap_or_default().iter().any(|one| {
                one.addresses.iter().any(|address| test(address))
                    || one.mac.as_deref().is_some_and(&mut *test)
            })
    }
}

impl Sortable for Row<'_> {
    fn order(&self, key: Key) -> Option<&str> {
        let facts = &self.guest.guest;
        match key {
            Key::Name => facts.name.as_deref(),
            Key::Remote => Some(&self.remote.name),
            Key::Link => Some(self.remote.link.state.word()),
            Key::Type => Some(facts.kind.as_str()),
            Key::Status => Some(status_word(self.guest)),
            Key::Node => Some(facts.node.as_str()),
            Key::Tag => facts.tags.first().map(|tag| &**tag),
            Key::Pool => facts.pool.as_deref(),
            Key::Lock => facts.lock.as_deref(),
            Key::Ha => facts.ha.as_deref(),
            Key::Fresh => Some(freshness_word(&self.guest.freshness)),
            Key::Template => facts.template.map(yes_no),
            Key::Busy => Some(yes_no(self.guest.busy.is_some())),
            Key::Ip => self.interfaces()?.iter().flat_map(|one| &one.addresses).next().map(|text| &**text),
            Key::Mac => self.interfaces()?.iter().find_map(|one| one.mac.as_deref()),
            _ => None,
        }
    }
}
