//! What requests bring back beside their answers: how the link fares, how clocks differ, what was odd.

use model::link::Event;
use model::{EndpointId, Now};
use pve::Error;
use pve::drift::Drift;

use super::Remote;
use super::fetch::{Ear, Payload};
use super::schedule::Part;
use crate::errors::{Verdict, verdict};

/// Departures of answers on demand that are kept, of either sort.
const ODD_KEPT: usize = 100;

impl Remote {
    /// Tells the link how a request beside the tries ended. While it is not up only a try counts, lest the
    /// stragglers of an outage be taken for it.
    pub(super) fn overheard(
        &mut self,
        epoch: u64,
        endpoint: &EndpointId,
        result: Result<(), &Error>,
        narrow: bool,
        now: Now,
    ) {
        if self.link.state().is_up() {
            self.heard(epoch, endpoint, result, narrow, now);
        }
    }

    /// Tells the link how a request ended.
    pub(super) fn heard(
        &mut self,
        epoch: u64,
        endpoint: &EndpointId,
        result: Result<(), &Error>,
        narrow: bool,
        now: Now,
    ) {
        let endpoint = endpoint.clone();
        let event = match result.map_err(|error| (error, verdict(error, narrow))) {
            Ok(()) => Event::Succeeded { epoch, endpoint },
            Err((_, Verdict::Endpoint(cause))) => Event::Failed { epoch, endpoint, cause },
            Err((error, Verdict::Rejected(cause))) => {
                if let pve::ErrorKind::SecondFactorNeeded { challenge } = error.kind() {
                    self.challenge = Some(challenge.clone());
                }
                // The client has signed in anew, or repeated the token, by itself.
                Event::Rejected { epoch, endpoint, cause, again: true }
            }
            Err((_, Verdict::Complaint(cause))) => Event::Complained { epoch, cause },
        };
        self.step(event, now);
    }

    pub(super) fn tried(
        &mut self,
        epoch: u64,
        endpoint: EndpointId,
        mut ear: Ear,
        result: Result<Payload, Error>,
        now: Now,
    ) {
        let (part, drifted) = (Part::Version(endpoint.clone()), ear.drift.count());
        self.listen(Some(&part), &mut ear);
        match result {
            Ok(payload) => {
                if let Payload::Version(Some(version)) = payload {
                    self.versions.insert(endpoint.clone(), version);
                }
                // Should that bring the link up, all is due: all but what this has just read.
                self.heard(epoch, &endpoint, Ok(()), false, now);
                let jitter = self.jitter();
                self.schedule.want(part.clone(), now.mono);
                self.schedule.succeeded(&part, ear.took, drifted, now, jitter);
            }
            Err(error) => match verdict(&error, false) {
                // Whatever keeps a try from succeeding keeps the link from coming up.
                Verdict::Complaint(cause) => self.step(Event::Failed { epoch, endpoint, cause }, now),
                _ => self.heard(epoch, &endpoint, Err(&error), false, now),
            },
        }
    }

    /// Takes in what an ear heard beside the answer itself. What is odd about a part holds until it is read
    /// again.
    pub(super) fn listen(&mut self, part: Option<&Part>, ear: &mut Ear) {
        if let Some(skew) = ear.skew {
            self.skew = Some(skew);
            self.inventory.skew = skew;
        }
        let drift = std::mem::take(&mut ear.drift);
        let Some(part) = part else {
            self.note_odd(drift);
            return;
        };
        if !drift.is_empty() {
            self.drift.insert(part.clone(), drift);
        } else if ear.answered {
            self.drift.remove(part);
        }
    }

    /// Keeps what was odd about an answer that nobody reads again by the clock.
    pub(super) fn note_odd(&mut self, drift: Drift) {
        if drift.is_empty() {
            return;
        }
        self.odd.absorb(drift);
        let odd = &mut self.odd;
        odd.records.truncate(ODD_KEPT);
        let surplus = odd.unreadable.len().saturating_sub(ODD_KEPT);
        odd.unreadable.drain(..surplus);
        self.dirty = true;
    }
}
