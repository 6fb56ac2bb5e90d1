//! The body of one connection: asks the machine what there is to tell, for as long as somebody reads.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::MutexGuard;
use std::time::Duration;

use api::event::Event;
use api::stream::{Bye, ByeWhy, Heartbeat, Hello, ResetWhy, StreamMessage};
use bytes::Bytes;
use futures_util::Stream;
use model::Now;
use tokio::sync::watch;

use super::Timings;
use super::hub::{Held, Hub};
use super::machine::Machine;
use super::outbox::frame;
use super::rows;
use super::world::World;
use crate::caller::Caller;

/// Everything one connection needs.
struct Connection<W> {
    world: W,
    timings: Timings,
    hub: Hub,
    caller: Caller,
    held: Held,
    changed: watch::Receiver<u64>,
    history: Option<watch::Receiver<i64>>,
    bell: watch::Receiver<()>,
    taken: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    /// What comes before all else.
    first: VecDeque<Bytes>,
    /// Nothing comes any more.
    ended: bool,
    /// Of which revision all was told.
    told: Option<u64>,
    /// That revision as its caller may know it.
    shown: u64,
    /// When the next look is made at the earliest.
    look_at: Duration,
    /// When the last was made.
    looked_at: Duration,
    /// When events are read at the earliest.
    read_at: Duration,
    /// When it is next asked what may be seen.
    access_at: Duration,
    /// When a heartbeat is due.
    beat_at: Duration,
    /// By when somebody who reads would have asked for more.
    expected: Option<Duration>,
}

/// The messages of one connection.
pub(super) fn body<W: World>(
    world: W,
    hub: Hub,
    caller: Caller,
    held: Held,
    resumed: bool,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let now = world.now();
    let timings = hub.timings().clone();
    let mut first = VecDeque::new();
    let mut machine = held.entry.machine();
    if !resumed {
        // What the client holds is void: that comes before all else.
        first.extend(machine.next());
    }
    let hello = StreamMessage::Hello(Hello {
        stream: held.entry.id.clone(),
        resumed,
        heartbeat_seconds: timings.heartbeat.as_secs_f64(),
        resume_seconds: timings.resume.as_secs_f64(),
        at: now.wall,
    });
    first.push_back(frame(Some(&machine.position()), &hello));
    drop(machine);
    let connection = Connection {
        changed: world.changed(),
        history: world.history(),
        bell: held.entry.bell(),
        taken: held.entry.connection(),
        closing: hub.closing(),
        look_at: now.mono,
        looked_at: now.mono,
        read_at: now.mono,
        access_at: now.mono,
        beat_at: now.after(timings.heartbeat),
        world,
        timings,
        hub,
        caller,
        held,
        first,
        ended: false,
        told: None,
        shown: 0,
        expected: None,
    };
    futures_util::stream::unfold(connection, |mut connection| async move {
        let frame = connection.next().await?;
        Some((Ok(frame), connection))
    })
}

impl<W: World> Connection<W> {
    /// The stream, unless another connection has it: what is taken from it then would be lost to that one.
    fn machine(&self) -> Option<MutexGuard<'_, Machine>> {
        let machine = self.held.entry.machine();
        // Asked while it is held: whoever takes the stream up first says so, then rewinds it.
        (!self.held.is_lost()).then_some(machine)
    }

    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.pop_front() {
            return Some(first);
        }
        loop {
            if self.ended {
                return None;
            }
            let now = self.world.now();
            if let Some(why) = self.over() {
                return Some(self.bye(why));
            }
            self.held.lives(now);
            if self.expected.take().is_some_and(|by| now.since(by) > self.timings.slow) {
                if let Some(mut machine) = self.machine() {
                    machine.reset(ResetWhy::Slow);
                }
                self.told = None;
            }
            if now.mono >= self.access_at {
                if !self.may_see().await {
                    return Some(self.bye(ByeWhy::SignedOut));
                }
                self.access_at = now.after(self.timings.access);
                continue;
            }
            let frame = self.machine().and_then(|mut machine| machine.next());
            if let Some(frame) = frame {
                self.expected = Some(now.mono);
                self.beat_at = now.after(self.timings.heartbeat);
                return Some(frame);
            }
            if self.look(now) || self.read(now).await {
                continue;
            }
            if now.mono >= self.beat_at {
                self.beat_at = now.after(self.timings.heartbeat);
                self.expected = Some(now.mono);
                return Some(frame_of_heartbeat(now, self.shown));
            }
            self.wait(now).await;
        }
    }

    /// Why it has to end, if it has to.
    fn over(&self) -> Option<ByeWhy> {
        if *self.closing.borrow() {
            return Some(ByeWhy::Stopping);
        }
        self.held.is_lost().then_some(ByeWhy::TakenUp)
    }

    fn bye(&mut self, why: ByeWhy) -> Bytes {
        self.ended = true;
        if why == ByeWhy::SignedOut {
            self.held.forget();
        }
        frame(None, &StreamMessage::Bye(Bye { why }))
    }

    /// Asks what the caller may see now.
    async fn may_see(&mut self) -> bool {
        let Some(grants) = self.world.grants(&self.caller).await else { return false };
        let changed = self.machine().is_some_and(|mut machine| machine.sees(&grants.visible()));
        if changed {
            (self.told, self.shown) = (None, 0);
        }
        self.caller.grants = grants;
        true
    }

    /// Whether there may be something to tell.
    fn is_due(&self, now: Now) -> bool {
        let Some(machine) = self.machine() else { return false };
        self.told != Some(*self.changed.borrow())
            || machine.is_new()
            || machine.aging().is_some_and(|aging| now.since(self.looked_at) >= aging)
    }

    /// Looks whether there is something to tell, if it is time to; `true` when it did.
    fn look(&mut self, now: Now) -> bool {
        if now.mono < self.look_at || !self.is_due(now) {
            return false;
        }
        self.changed.borrow_and_update();
        let snapshot = self.world.snapshot();
        let (shown, more, behind) = match self.machine() {
            Some(mut machine) => {
                if machine.tells_own() {
                    machine.own(self.world.own(&self.caller));
                }
                machine.tick(&snapshot, now.wall);
                (snapshot.revision_for(machine.visible()), machine.is_new(), machine.is_behind())
            }
            None => return false,
        };
        let after = self.world.now();
        // All streams together take a bounded share of one processor, however many they are.
        let open = u32::try_from(self.hub.open()).unwrap_or(u32::MAX);
        let share = self.timings.share.max(open.saturating_mul(4));
        let cost = after.since(now.mono);
        // What was begun goes on as soon as that allows: the tick is for what changes meanwhile.
        let tick = if more { Duration::ZERO } else { self.timings.tick };
        self.look_at = after.after(tick.max(cost.saturating_mul(share)));
        self.looked_at = now.mono;
        self.told = Some(snapshot.revision);
        // Until all of it was told nothing can be said of this revision.
        if !more && !behind {
            self.shown = shown;
        }
        true
    }

    /// Reads what happened, if it is time to and something did; `true` when there was.
    async fn read(&mut self, now: Now) -> bool {
        let Some(last) = self.history.as_mut().map(|history| *history.borrow_and_update()) else {
            return false;
        };
        let due = |machine: &Machine| {
            let after = machine.events_after().filter(|after| now.mono >= self.read_at && last > *after)?;
            Some((after, machine.visible().clone()))
        };
        let Some((after, visible)) = self.machine().and_then(|machine| due(&machine)) else { return false };
        match self.world.events(after, &visible, self.timings.events).await {
            Ok((events, up_to)) => {
                let snapshot = self.world.snapshot();
                let told: Vec<Event> =
                    events.iter().map(|event| rows::happened(event, &snapshot, &visible)).collect();
                // What was read for other eyes is not told.
                if let Some(mut machine) = self.machine().filter(|machine| *machine.visible() == visible) {
                    machine.happened(after, told, up_to);
                }
                true
            }
            Err(error) => {
                tracing::warn!(error, "the history cannot be read for a stream");
                self.read_at = now.after(self.timings.aging);
                false
            }
        }
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self, now: Now) {
        let due = self.is_due(now);
        let behind = self.history.is_some() && now.mono < self.read_at;
        let mut until = self.access_at.min(self.beat_at);
        if due {
            until = until.min(self.look_at);
        }
        if behind {
            until = until.min(self.read_at);
        }
        if let Some(aging) = self.machine().and_then(|machine| machine.aging()) {
            until = until.min(self.looked_at.saturating_add(aging).max(self.look_at));
        }
        let nap = until.saturating_sub(now.mono).max(Duration::from_millis(1));
        self.expected = Some(now.after(nap));
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            // While a look is due, or was just made, more changes need not wake anybody.
            _ = self.changed.changed(), if !due => {}
            () = next(&mut self.history), if !behind => {}
            _ = self.bell.changed() => {}
            _ = self.taken.changed() => {}
            _ = self.closing.changed() => {}
        }
    }
}

fn frame_of_heartbeat(now: Now, revision: u64) -> Bytes {
    frame(None, &StreamMessage::Heartbeat(Heartbeat { at: now.wall, revision }))
}

/// The next event, if there is a history.
async fn next(history: &mut Option<watch::Receiver<i64>>) {
    let gone = match history {
        Some(history) => history.changed().await.is_err(),
        None => true,
    };
    if gone {
        std::future::pending::<()>().await;
    }
}
