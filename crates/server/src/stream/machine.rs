//! One stream: what its client subscribed to, was told, and has to be told. Pure: time, snapshot, events and
//! rights are handed in.

use std::collections::BTreeMap;
use std::time::Duration;

use api::event::Event;
use api::list::DEFAULT_LIMIT;
use api::overview::Trouble;
use api::stream::{Events, Reset, ResetWhy, StreamMessage, Subscriptions, Topic as Name};
use bytes::Bytes;
use fleet::FleetSnapshot;
use jiff::Timestamp;
use model::access::Visible;

use super::Timings;
use super::glance::Glance;
use super::list::List;
use super::outbox::Outbox;
use super::told::{Counted, Links, Looked, Operations, Tasks, Topic};
use crate::problem::Problem;

/// One stream.
#[derive(Debug)]
pub(super) struct Machine {
    timings: Timings,
    visible: Visible,
    outbox: Outbox,
    looked: Looked,
    links: Option<Topic<Links>>,
    operations: Option<Topic<Operations>>,
    tasks: Option<Topic<Tasks>>,
    counts: Option<Topic<Counted>>,
    overview: Option<Glance>,
    /// What is wrong with Muster itself.
    own: Vec<Trouble>,
    /// Events up to this one were told.
    events: Option<i64>,
    lists: BTreeMap<String, List>,
}

/// Subscriptions that can be told.
#[derive(Debug)]
pub(super) struct Wanted {
    subscriptions: Subscriptions,
    lists: BTreeMap<String, List>,
}

impl Wanted {
    /// Reads what is subscribed to.
    ///
    /// # Errors
    /// 422: too many lists, or one that cannot be read, with the place in its query.
    pub(super) fn read(subscriptions: Subscriptions, timings: &Timings) -> Result<Self, Problem> {
        if subscriptions.lists.len() > timings.lists {
            let detail = format!("One stream follows at most {} lists.", timings.lists);
            return Err(Problem::invalid(detail));
        }
        let rows = subscriptions.lists.values().map(|list| list.limit.unwrap_or(DEFAULT_LIMIT));
        if rows.fold(0, usize::saturating_add) > timings.rows {
            let detail = format!("The lists of one stream have at most {} rows together.", timings.rows);
            return Err(Problem::invalid(detail));
        }
        let lists = subscriptions
            .lists
            .iter()
            .map(|(name, asked)| Ok((name.clone(), List::new(asked.clone())?)))
            .collect::<Result<_, Problem>>()?;
        Ok(Self { subscriptions, lists })
    }
}

impl Machine {
    pub(super) fn new(epoch: String, visible: Visible, timings: Timings) -> Self {
        let outbox = Outbox::new(epoch, timings.kept_messages, timings.kept_bytes);
        Self {
            timings,
            visible,
            outbox,
            looked: Looked::default(),
            links: None,
            operations: None,
            tasks: None,
            counts: None,
            overview: None,
            own: Vec::new(),
            events: None,
            lists: BTreeMap::new(),
        }
    }

    /// Tells something else from now on. What was told before and is still wanted goes on without a break.
    /// `last_event`: where the history ends now. Returns the subscriptions as they stand.
    pub(super) fn subscribe(&mut self, wanted: Wanted, last_event: i64) -> Subscriptions {
        let Wanted { mut subscriptions, mut lists } = wanted;
        let topics = &subscriptions.topics;
        keep(&mut self.links, topics.contains(&Name::Links));
        keep(&mut self.operations, topics.contains(&Name::Operations));
        keep(&mut self.tasks, topics.contains(&Name::Tasks));
        keep(&mut self.counts, topics.contains(&Name::Counts));
        keep(&mut self.overview, topics.contains(&Name::Overview));
        self.events = match (topics.contains(&Name::Events), subscriptions.events_after, self.events) {
            (false, ..) => None,
            (true, Some(after), _) => Some(after),
            (true, None, Some(told)) => Some(told),
            (true, None, None) => Some(last_event),
        };
        for (name, before) in std::mem::take(&mut self.lists) {
            if let Some(list) = lists.get_mut(&name)
                && list.asked() == before.asked()
            {
                *list = before;
            }
        }
        self.lists = lists;
        subscriptions.events_after = self.events;
        subscriptions
    }

    /// Takes in what its caller may see. `true`: that is something else than before; all that was told is void.
    pub(super) fn sees(&mut self, visible: &Visible) -> bool {
        if self.visible == *visible {
            return false;
        }
        self.visible = visible.clone();
        self.reset(ResetWhy::Scope);
        true
    }

    /// What may be seen.
    pub(super) fn visible(&self) -> &Visible {
        &self.visible
    }

    /// All that was told, or waits to be, is void; it will be told anew.
    pub(super) fn reset(&mut self, why: ResetWhy) {
        self.outbox.clear();
        self.looked = Looked::default();
        anew(&mut self.links);
        anew(&mut self.operations);
        anew(&mut self.tasks);
        anew(&mut self.counts);
        anew(&mut self.overview);
        for list in self.lists.values_mut() {
            list.forget();
        }
        self.outbox.push(&StreamMessage::Reset(Reset { why, events_after: self.events }));
    }

    /// Goes on after the message of that number, on a new connection of a caller who may see `visible`.
    pub(super) fn resume(&mut self, last: u64, visible: &Visible) -> bool {
        if self.sees(visible) {
            return false;
        }
        let known = self.outbox.rewind(last);
        if !known {
            self.reset(ResetWhy::TooFarBehind);
        }
        known
    }

    /// The id after which the next message comes.
    pub(super) fn position(&self) -> String {
        self.outbox.position()
    }

    /// The next message to be sent.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        self.outbox.next()
    }

    /// Whether something was subscribed to of which not all was told yet.
    pub(super) fn is_new(&self) -> bool {
        self.links.as_ref().is_some_and(Topic::is_new)
            || self.operations.as_ref().is_some_and(Topic::is_new)
            || self.tasks.as_ref().is_some_and(Topic::is_new)
            || self.counts.as_ref().is_some_and(Topic::is_new)
            || self.overview.as_ref().is_some_and(Glance::is_new)
            || self.lists.values().any(List::is_new)
    }

    /// After how long it is looked again though nothing has changed: something that is told changes with time alone, or
    /// was not looked at yet because that would have been too soon.
    pub(super) fn aging(&self) -> Option<Duration> {
        if self.is_behind() {
            return Some(self.timings.overview.min(self.timings.aging));
        }
        let ages = self.overview.is_some() || self.lists.values().any(List::ages);
        ages.then_some(self.timings.aging)
    }

    /// Whether something may have changed that was not looked at yet.
    pub(super) fn is_behind(&self) -> bool {
        self.overview.as_ref().is_some_and(Glance::is_behind)
    }

    /// Whether it tells how Muster itself fares.
    pub(super) fn tells_own(&self) -> bool {
        self.overview.is_some()
    }

    /// Takes in what is wrong with Muster itself.
    pub(super) fn own(&mut self, own: Vec<Trouble>) {
        self.own = own;
    }

    /// Tells what is different from what was told last, of each topic about one message. To be asked only once all that
    /// waits was sent, and again for as long as something [is new](Self::is_new).
    pub(super) fn tick(&mut self, snapshot: &FleetSnapshot, now: Timestamp) {
        debug_assert!(self.outbox.is_drained(), "what waits would grow without bound");
        let changes = self.looked.look(snapshot, &self.visible);
        let chunk = self.timings.chunk;
        let mut messages = Vec::new();
        if let Some(topic) = &mut self.links {
            topic.tick(&changes, chunk, &mut messages);
        }
        if let Some(topic) = &mut self.operations {
            topic.tick(&changes, chunk, &mut messages);
        }
        if let Some(topic) = &mut self.tasks {
            topic.tick(&changes, chunk, &mut messages);
        }
        for (name, list) in &mut self.lists {
            if changes.any() || list.is_new() || list.ages() {
                let told = list.tick(name, snapshot, &self.visible, now);
                messages.extend(told.map(StreamMessage::List));
            }
        }
        if let Some(topic) = &mut self.counts {
            topic.tick(&changes, chunk, &mut messages);
        }
        if let Some(topic) = &mut self.overview {
            let gap = self.timings.overview;
            messages.extend(topic.tick(snapshot, &self.visible, &self.own, gap, now));
        }
        for message in &messages {
            self.outbox.push(message);
        }
    }

    /// After which event the history goes on, if it is told.
    pub(super) fn events_after(&self) -> Option<i64> {
        self.events
    }

    /// Tells what happened: `items` are all that may be seen after `after` and up to `up_to`. What does not
    /// follow on what was told last (because that changed meanwhile) is not told.
    pub(super) fn happened(&mut self, after: i64, items: Vec<Event>, up_to: i64) {
        if self.events != Some(after) || up_to <= after {
            return;
        }
        self.events = Some(up_to);
        if !items.is_empty() {
            self.outbox.push(&StreamMessage::Events(Events { items, up_to }));
        }
    }
}

/// Keeps a topic as it is, begins it, or ends it.
fn keep<T: Default>(topic: &mut Option<T>, wanted: bool) {
    if wanted {
        topic.get_or_insert_default();
    } else {
        *topic = None;
    }
}

/// Begins a topic anew, if it is there.
fn anew<T: Default>(topic: &mut Option<T>) {
    if let Some(topic) = topic {
        *topic = T::default();
    }
}
