//! What the store has of a remote and nobody can read: shown as it is, until it is written anew.

use std::collections::BTreeMap;

use model::rows::UnreadableRow;
use model::{OperationId, Vmid};
use store::{ObservedKind, OperationRecord, Write};

use crate::journal::Fact;

/// What stands for a facet where the store brought the row.
const FACET: &str = "store";
/// Rows shown of each kind.
const SHOWN: usize = 20;
/// Longest raw text shown of one, characters.
const RAW: usize = 1_000;

const OPERATION: &str = "operation";
const GAUGES: &str = "gauges";

/// Where a record stands: the word for its kind, and its key.
pub(crate) type Spot = (&'static str, String);

/// Records that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    rows: BTreeMap<Spot, UnreadableRow>,
    /// Operations that are open, for all that can be told: each keeps its guest from being switched.
    operations: BTreeMap<OperationId, OperationRecord>,
}

impl Unread {
    /// One thing seen that cannot be read.
    pub(super) fn seen(&mut self, kind: ObservedKind, key: &str, raw: &str, why: &str) {
        self.note(kind.as_str(), key, raw, why);
    }

    /// The moving figures, which cannot be read.
    pub(super) fn gauges(&mut self, raw: &str, why: &str) {
        self.note(GAUGES, "", raw, why);
    }

    fn note(&mut self, kind: &'static str, key: &str, raw: &str, why: &str) {
        let place = format!("{kind} {key}");
        let why = format!("{} in the store could not be read: {why}", place.trim_end());
        let raw = raw.chars().take(RAW).collect();
        self.rows.insert((kind, key.to_owned()), UnreadableRow { facet: FACET.into(), why, raw });
    }

    /// An operation that cannot be read. One that is open blocks its guest, by what stands beside it.
    pub(super) fn operation(&mut self, record: OperationRecord, why: &str) {
        let why = match (record.open, record.vmid) {
            (true, Some(vmid)) => format!("{why}; its outcome is unknown, and it keeps guest {vmid} busy"),
            (true, None) => format!("{why}; its outcome is unknown"),
            _ => why.to_owned(),
        };
        self.note(OPERATION, &record.id.to_string(), &record.body, &why);
        if record.open {
            self.operations.insert(record.id, record);
        }
    }

    /// The operation that a guest is busy with, as far as can be told.
    pub(crate) fn busy_with(&self, vmid: Vmid) -> Option<OperationId> {
        self.busy().find(|(busy, _)| *busy == vmid).map(|(_, id)| id)
    }

    /// The guests that such operations keep busy.
    pub(crate) fn busy(&self) -> impl Iterator<Item = (Vmid, OperationId)> + '_ {
        self.operations.values().filter_map(|record| Some((record.vmid?, record.id)))
    }

    /// The record by which a person closes an operation that nobody can follow.
    pub(crate) fn closed(&self, id: OperationId) -> Option<Write> {
        let record = self.operations.get(&id)?;
        Some(Write::Operation(OperationRecord { open: false, ..record.clone() }))
    }

    /// Which of them these facts write anew.
    pub(crate) fn among(&self, facts: &[Fact]) -> Vec<Spot> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let spot = |fact: &Fact| {
            let Fact::Kept(write) = fact else { return None };
            match &**write {
                Write::Observed(row) => Some((row.kind.as_str(), row.key.clone())),
                Write::ObservedGone { kind, key, .. } => Some((kind.as_str(), key.clone())),
                Write::Gauges(_) => Some((GAUGES, String::new())),
                _ => None,
            }
        };
        facts.iter().filter_map(spot).filter(|spot| self.rows.contains_key(spot)).collect()
    }

    /// These were written anew.
    pub(crate) fn forget(&mut self, written: Vec<Spot>) {
        for spot in written {
            self.rows.remove(&spot);
        }
    }

    /// A person has closed an operation that nobody could follow.
    pub(crate) fn forget_operation(&mut self, id: OperationId) {
        self.operations.remove(&id);
        self.rows.remove(&(OPERATION, id.to_string()));
    }

    /// As they are shown: the first few of each kind, and how many more there are.
    pub(crate) fn rows(&self) -> Vec<UnreadableRow> {
        let mut shown = Vec::new();
        let mut rows = self.rows.iter().peekable();
        let mut count = 0;
        while let Some(((kind, _), row)) = rows.next() {
            count += 1;
            if count <= SHOWN {
                shown.push(row.clone());
            }
            if rows.peek().is_some_and(|((next, _), _)| next == kind) {
                continue;
            }
            if count > SHOWN {
                let why = format!("{} more of the kind {kind} in the store could not be read", count - SHOWN);
                shown.push(UnreadableRow { facet: FACET.into(), why, raw: String::new() });
            }
            count = 0;
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        let mut unread = Unread::default();
        for n in 0..SHOWN + 3 {
            unread.seen(ObservedKind::Guest, &format!("{n:03}"), "{", "it ends too early");
        }
        unread.gauges("{", "it ends too early");
        let rows = unread.rows();
        assert_eq!(rows.len(), SHOWN + 2, "{rows:?}");
        let more: Vec<&str> = rows.iter().map(|row| &*row.why).filter(|why| why.contains(" more ")).collect();
        assert_eq!(more, ["3 more of the kind guest in the store could not be read"]);
    }
}
