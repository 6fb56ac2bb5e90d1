//! The first rows of a list by its sort keys, without sorting the others.

use std::cmp::Ordering;

use model::query::SortKey;

use super::Sortable;

/// Rows kept beyond twice the page before the worse half is let go: small pages would else be cut too often.
const SPARE: usize = 512;

/// Keeps the first `wanted` of all rows that are offered.
pub(super) struct Top<'k, T> {
    keys: &'k [SortKey],
    wanted: usize,
    kept: Vec<Held<T>>,
    /// How many were offered.
    offered: usize,
    /// The last of the `wanted`, once there were so many: what comes after it need not be kept.
    worst: Option<Held<T>>,
}

#[derive(Clone, Copy)]
struct Held<T> {
    /// The figure of the first key: most comparisons end here, without a look at the row.
    figure: Option<f64>,
    /// Its place in the usual order.
    place: usize,
    /// The number of its remote.
    remote: usize,
    what: T,
}

impl<'k, T: Sortable> Top<'k, T> {
    pub(super) fn new(keys: &'k [SortKey], wanted: usize) -> Self {
        Self { keys, wanted, kept: Vec::new(), offered: 0, worst: None }
    }

    /// Takes a row into account. Rows come in the usual order.
    pub(super) fn offer(&mut self, remote: usize, what: T) {
        let place = self.offered;
        self.offered += 1;
        let Some(first) = self.keys.first() else {
            // The usual order: the first to come are the first.
            if self.kept.len() < self.wanted {
                self.kept.push(Held { figure: None, place, remote, what });
            }
            return;
        };
        let figure = if first.by_figure { what.figure(first.key) } else { None };
        let held = Held { figure, place, remote, what };
        if self.worst.as_ref().is_some_and(|worst| compare(self.keys, &held, worst) == Ordering::Greater) {
            return;
        }
        self.kept.push(held);
        if self.kept.len() >= self.wanted.saturating_mul(2).saturating_add(SPARE) {
            self.cut();
        }
    }

    /// Lets go of all but the first.
    fn cut(&mut self) {
        let (keys, Some(last)) = (self.keys, self.wanted.checked_sub(1)) else {
            self.kept.clear();
            return;
        };
        if self.kept.len() > self.wanted {
            let (_, worst, _) = self.kept.select_nth_unstable_by(last, |a, b| compare(keys, a, b));
            self.worst = Some(*worst);
            self.kept.truncate(self.wanted);
        }
    }

    /// The first rows in order, each with the number of its remote.
    pub(super) fn finish(mut self) -> Vec<(usize, T)> {
        let keys = self.keys;
        if !keys.is_empty() {
            self.cut();
            self.kept.sort_unstable_by(|a, b| compare(keys, a, b));
        }
        self.kept.into_iter().map(|held| (held.remote, held.what)).collect()
    }
}

fn compare<T: Sortable>(keys: &[SortKey], a: &Held<T>, b: &Held<T>) -> Ordering {
    for (n, key) in keys.iter().enumerate() {
        let order = match (key.by_figure, n) {
            (true, 0) => compare_figures(a.figure, b.figure, key.descending),
            (true, _) => compare_figures(a.what.figure(key.key), b.what.figure(key.key), key.descending),
            (false, _) => compare_texts(a.what.order(key.key), b.what.order(key.key), key.descending),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.place.cmp(&b.place)
}

/// What is not known comes last, either way round.
fn compare_figures(a: Option<f64>, b: Option<f64>, descending: bool) -> Ordering {
    known_first(a, b, descending, |a, b| a.total_cmp(b))
}

fn compare_texts(a: Option<&str>, b: Option<&str>, descending: bool) -> Ordering {
    known_first(a, b, descending, |a, b| natural(a, b))
}

fn known_first<V>(
    a: Option<V>,
    b: Option<V>,
    descending: bool,
    order: impl Fn(&V, &V) -> Ordering,
) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => order(&b, &a),
        (Some(a), Some(b)) => order(&a, &b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// As people sort names: `web-2` before `web-10`, `Web` beside `web`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.as_bytes(), b.as_bytes());
    while let (Some(p), Some(q)) = (x.first(), y.first()) {
        if p.is_ascii_digit() && q.is_ascii_digit() {
            let (m, n) = (digits(x), digits(y));
            let (p, q) = (bare(m.0), bare(n.0));
            let order = p.len().cmp(&q.len()).then_with(|| p.cmp(q));
            if order != Ordering::Equal {
                return order;
            }
            (x, y) = (m.1, n.1);
        } else {
            let order = p.to_ascii_lowercase().cmp(&q.to_ascii_lowercase());
            if order != Ordering::Equal {
                return order;
            }
            (x, y) = (x.get(1..).unwrap_or_default(), y.get(1..).unwrap_or_default());
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

/// The digits at the beginning, and what follows.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// Without leading zeros.
fn bare(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}
