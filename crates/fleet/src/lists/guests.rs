//! The list of guests.

use std::sync::Arc;

use jiff::Timestamp;
use model::access::Visible;
use model::interfaces::{Interfaces, Word};
use model::query::{Key, Subject};
use model::rows::GuestRow;
use model::{GuestState, Vmid};

use super::glance::{Glance, Status};
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
            row.count_state(&mut counts.state);
            counts.kind.add(row.glance.kind.as_str(), 1);
            counts.freshness.add(row.glance.fresh.word(), 1);
        },
    });
    let items = rows
        .into_iter()
        .filter_map(|(at, row)| Some(GuestAt { remote: remote_at(snapshot, at)?, guest: row.guest.clone() }))
        .collect();
    Page { items, total, counts, revision: snapshot.revision_for(visible) }
}

fn all<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    for (glance, guest) in remote.glances.of(&remote.guests).iter().zip(&remote.guests) {
        take(Row { remote, glance, guest, now });
    }
}

pub(super) fn standing<'a>(remote: &'a RemoteSnapshot, now: Timestamp, take: &mut dyn FnMut(Row<'a>)) {
    for (glance, guest) in remote.glances.of(&remote.guests).iter().zip(&remote.guests) {
        if glance.status != Status::Deleted {
            take(Row { remote, glance, guest, now });
        }
    }
}

/// What `status:` calls a guest's state now: one word, the most telling one.
#[must_use]
pub fn status_word(guest: &GuestRow) -> &str {
    Status::of(guest).word().unwrap_or_else(|| guest.state.word())
}

/// How many guests of a remote are in which state, those left out that are known to be deleted.
pub(super) fn count_states(remote: &RemoteSnapshot) -> (usize, Tally) {
    let (mut guests, mut states) = (0, Tally::default());
    standing(remote, remote.at, &mut |row| {
        guests += 1;
        row.count_state(&mut states);
    });
    (guests, states)
}

/// Counts a guest's state in the tally it is given.
type CountState<'a> = dyn FnMut(&mut Tally) + 'a;

/// Gives each guest of a remote that is not known to be deleted to `take`: its row, whether its state is known now, and
/// what counts that state in the tally it is given.
pub(crate) fn each_row(remote: &RemoteSnapshot, take: &mut dyn FnMut(&GuestRow, bool, &mut CountState<'_>)) {
    standing(remote, remote.at, &mut |row| {
        take(row.guest, row.glance.status.is_known(), &mut |tally| row.count_state(tally));
    });
}

#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    remote: &'a RemoteSnapshot,
    glance: &'a Glance,
    guest: &'a Arc<GuestRow>,
    now: Timestamp,
}

impl Row<'_> {
    /// Its addresses, or its hardware addresses; `None` while they were not read.
    fn interfaces(&self) -> Option<&Interfaces> {
        self.guest.addresses.as_ref().map(|seen| &seen.value)
    }

    fn vmid(&self) -> Digits {
        let Vmid(vmid) = self.glance.vmid;
        Digits::of(u64::from(vmid))
    }

    /// The word for its state now.
    fn status(&self) -> &str {
        self.glance.status.word().unwrap_or_else(|| self.guest.state.word())
    }

    fn count_state(&self, tally: &mut Tally) {
        match (self.glance.status.word(), &self.guest) {
            (Some(word), _) => tally.add(word, 1),
            (None, guest) => {
                if let GuestState::Other(word) = &guest.state {
                    tally.add_other(word, 1);
                }
            }
        }
    }
}

impl Subject for Row<'_> {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        // What the glance tells comes first: the row itself is looked at only for the rest.
        match key {
            Key::Type => return Some(test(self.glance.kind.as_str())),
            Key::Fresh => return Some(test(self.glance.fresh.word())),
            Key::Status if self.glance.status.is_known() => return Some(test(self.status())),
            Key::Status => return unknown(test("unknown") || test(self.status())),
            _ => {}
        }
        let facts = &self.guest.guest;
        match key {
            Key::Name => facts.name.as_deref().map(test),
            Key::Remote => Some(test(&self.remote.name)),
            Key::Link => Some(link(self.remote, test)),
            Key::Node => Some(test(facts.node.as_str())),
            Key::Tag => Some(each(facts.tags.iter().map(|tag| &**tag), test)),
            Key::Pool => Some(or_none(facts.pool.as_deref(), test)),
            Key::Lock => Some(or_none(facts.lock.as_deref(), test)),
            Key::Ha => Some(or_none(facts.ha.as_deref(), test)),
            Key::Template => facts.template.map(|is| test(yes_no(is))),
            Key::Busy => Some(test(yes_no(self.guest.busy.is_some()))),
            Key::Ip => Some(each(self.interfaces()?.addresses(), test)),
            Key::Mac => Some(each(self.interfaces()?.macs(), test)),
            _ => None,
        }
    }

    fn figure(&self, key: Key) -> Option<f64> {
        match key {
            Key::Vmid => return Some(f64::from(self.glance.vmid.0)),
            Key::Cpu => return self.glance.cpu(),
            Key::Mem => return self.glance.memory(),
            _ => {}
        }
        let facts = &self.guest.guest;
        match key {
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
            || self.interfaces().is_some_and(|all| {
                all.words().any(|word| match word {
                    Word::Address(text) | Word::Mac(text) => test(text),
                    Word::Name(_) => false,
                })
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
            Key::Type => Some(self.glance.kind.as_str()),
            Key::Status => Some(self.status()),
            Key::Node => Some(facts.node.as_str()),
            Key::Tag => facts.tags.first().map(|tag| &**tag),
            Key::Pool => facts.pool.as_deref(),
            Key::Lock => facts.lock.as_deref(),
            Key::Ha => facts.ha.as_deref(),
            Key::Fresh => Some(self.glance.fresh.word()),
            Key::Template => facts.template.map(yes_no),
            Key::Busy => Some(yes_no(self.guest.busy.is_some())),
            Key::Ip => self.interfaces()?.addresses().next(),
            Key::Mac => self.interfaces()?.macs().next(),
            _ => None,
        }
    }
}
