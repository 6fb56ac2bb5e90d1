//! `muster doctor`: every step on the way to a host, tried in order, each with its own verdict.
//!
//! It runs on the client alone: there, the phase of a failure is a fact. A step after a failed one is *not tried*,
//! never failed; calls do not depend on each other, so each of them is tried.

mod calls;
mod report;
mod way;

pub use report::{Fold, Report, Step, Verdict};

use pve::Timings;

use crate::open::trust::Beliefs;
use crate::secrets::Means;
use crate::term::ask::Ask;

/// Told of each step as soon as it has an outcome.
pub type OnStep<'a> = &'a mut (dyn FnMut(&Step) + Send);

/// Examines `address`.
///
/// Without a credential, and without anyone to ask for one, the steps behind the sign-in are not tried.
pub async fn examine(
    address: &str,
    beliefs: &Beliefs,
    means: &Means,
    ask: &mut dyn Ask,
    timings: &Timings,
    on_step: OnStep<'_>,
) -> Report {
    let mut steps = Steps { done: Vec::new(), on_step };
    let canonical = match way::signed_in(address, beliefs, means, ask, timings, &mut steps).await {
        Ok(arrived) => {
            let address = arrived.client.endpoint().to_owned();
            calls::each(&arrived.client, &mut steps).await;
            address
        }
        Err(stopped) => {
            for (id, name) in way::STEPS.into_iter().chain(calls::STEPS) {
                if !steps.has(id) {
                    steps.add(Step::not_tried(id, name, stopped.why.clone()));
                }
            }
            stopped.address
        }
    };
    Report::of(&canonical, steps.done)
}

/// The steps so far.
struct Steps<'a> {
    done: Vec<Step>,
    on_step: OnStep<'a>,
}

impl Steps<'_> {
    fn add(&mut self, step: Step) {
        (self.on_step)(&step);
        self.done.push(step);
    }

    fn has(&self, id: &str) -> bool {
        self.done.iter().any(|s| s.id == id)
    }
}
