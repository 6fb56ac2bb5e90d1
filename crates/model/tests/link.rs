//! The link machine: what counts as connected, back-off, failover, what a 401 leads to.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

use std::time::Duration;

use jiff::Timestamp;
use model::link::{Duty, Event, Health, Link, LinkState, Login, Policy};
use model::outage::{Pace, paces};
use model::{Cause, EndpointId, Now, RemoteId};
use proptest::prelude::*;

const INTERVAL: Duration = Duration::from_secs(10);

fn at(seconds: f64) -> Now {
    let since = Duration::from_secs_f64(seconds);
    let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Now { wall: epoch + since, mono: since }
}

fn endpoint(n: usize) -> EndpointId {
    EndpointId::from(format!("pve{n}:8006"))
}

fn link(endpoints: usize, login: Login) -> Link {
    Link::new((1..=endpoints).map(endpoint).collect(), login, INTERVAL, Policy::default(), at(0.0))
}

/// Drives a link with times in seconds and no jitter.
struct Bench {
    link: Link,
    now: f64,
}

impl Bench {
    fn new(endpoints: usize, login: Login) -> Self {
        Self { link: link(endpoints, login), now: 0.0 }
    }

    fn step(&mut self, event: Event) -> &mut Self {
        self.link.step(event, at(self.now), 0.0);
        self
    }

    fn at(&mut self, now: f64) -> &mut Self {
        assert!(now >= self.now, "time runs forward");
        self.now = now;
        self
    }

    fn duty(&self) -> Duty {
        self.link.duty(at(self.now))
    }

    /// Begins the try that is due now and says where it goes.
    fn begin(&mut self) -> EndpointId {
        let Duty::Try { endpoint } = self.duty() else { panic!("no try is due: {:?}", self.duty()) };
        self.step(Event::Begun { endpoint: endpoint.clone() });
        endpoint
    }

    fn succeed(&mut self, n: usize) -> &mut Self {
        let epoch = self.link.epoch();
        self.step(Event::Succeeded { epoch, endpoint: endpoint(n) })
    }

    fn fail(&mut self, n: usize, cause: Cause) -> &mut Self {
        let epoch = self.link.epoch();
        self.step(Event::Failed { epoch, endpoint: endpoint(n), cause })
    }

    fn reject(&mut self, n: usize, again: bool) -> &mut Self {
        let epoch = self.link.epoch();
        self.step(Event::Rejected { epoch, endpoint: endpoint(n), cause: rejected(), again })
    }

    fn connected(endpoints: usize, login: Login) -> Self {
        let mut bench = Self::new(endpoints, login);
        assert_eq!(bench.begin(), endpoint(1));
        bench.succeed(1);
        assert_eq!(*bench.link.state(), LinkState::Connected);
        bench
    }

    fn wait(&self) -> f64 {
        match self.duty() {
            Duty::Wait { until } => until.as_secs_f64() - self.now,
            other => panic!("does not wait: {other:?}"),
        }
    }

    fn word(&self) -> &'static str {
        self.link.state().word()
    }
}

fn rejected() -> Cause {
    Cause::CredentialsRejected { reason: "authentication failure".into() }
}

fn changed() -> Cause {
    Cause::CertificateChanged { expected: "AA".into(), presented: "BB".into() }
}

#[test]
fn connected_is_said_only_after_an_authorised_success() {
    let mut bench = Bench::new(1, Login::Token);
    assert_eq!(bench.word(), "connecting");
    bench.begin();
    assert_eq!((bench.word(), bench.duty()), ("connecting", Duty::Busy));
    bench.succeed(1);
    assert_eq!(bench.word(), "connected");
}

#[test]
fn back_off_doubles_from_one_second_to_sixty() {
    let mut bench = Bench::new(1, Login::Token);
    let mut waits = Vec::new();
    for _ in 0..9 {
        bench.begin();
        bench.fail(1, Cause::Refused);
        assert_eq!(bench.word(), "backing_off");
        waits.push(bench.wait().round());
        let next = bench.now + bench.wait();
        bench.at(next + 0.001);
    }
    assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
    bench.begin();
    bench.succeed(1).fail(1, Cause::Refused);
    assert_eq!(bench.wait().round(), 1.0, "a success starts the count anew");
}

#[test]
fn try_now_tries_now_and_a_failure_of_several_requests_counts_once() {
    let mut bench = Bench::connected(1, Login::Token);
    bench.fail(1, Cause::Refused).fail(1, Cause::Refused).fail(1, Cause::Refused);
    assert_eq!(bench.wait().round(), 1.0);
    bench.at(0.5).step(Event::TryNow);
    assert_eq!(bench.begin(), endpoint(1));
    bench.fail(1, Cause::Refused);
    assert_eq!(bench.wait().round(), 2.0);
}

#[test]
fn connected_lapses_after_three_intervals_without_success() {
    let mut bench = Bench::connected(1, Login::Token);
    bench.at(29.9).step(Event::Tick);
    assert_eq!(bench.word(), "connected");
    bench.at(30.1).step(Event::Tick);
    let LinkState::BackingOff { cause: Cause::NoAnswer { after }, .. } = bench.link.state() else {
        panic!("{:?}", bench.link.state())
    };
    assert!(*after > Duration::from_secs(30));

    let mut slow = Bench::connected(1, Login::Token);
    slow.step(Event::Interval(Duration::from_secs(40)));
    slow.at(119.0).step(Event::Tick);
    assert_eq!(slow.word(), "connected", "the interval counts, not a fixed time");
}

#[test]
fn a_complaint_becomes_the_cause_only_when_successes_stay_away() {
    let mut bench = Bench::connected(1, Login::Token);
    let epoch = bench.link.epoch();
    let cause = Cause::NotUnderstood { what: "odd".into() };
    bench.at(1.0).step(Event::Complained { epoch, cause: cause.clone() });
    assert_eq!(bench.word(), "connected");
    bench.at(31.0).step(Event::Tick);
    assert_eq!(bench.link.state().cause(), Some(&cause));

    let mut other = Bench::connected(1, Login::Token);
    let epoch = other.link.epoch();
    other.at(1.0).step(Event::Complained { epoch, cause });
    other.at(2.0).succeed(1);
    other.at(33.0).step(Event::Tick);
    assert_eq!(other.link.state().cause().map(Cause::code), Some("no_answer"));
}

#[test]
fn a_success_under_way_does_not_undo_a_failure() {
    let mut bench = Bench::connected(1, Login::Token);
    bench.at(1.0).fail(1, Cause::Refused);
    bench.at(1.1).succeed(1);
    assert_eq!(bench.word(), "backing_off", "it must prove itself by a try");
    bench.at(2.1).begin();
    bench.succeed(1);
    assert_eq!(bench.word(), "connected");
}

#[test]
fn another_endpoint_takes_over_and_the_link_is_degraded() {
    let mut bench = Bench::connected(3, Login::Token);
    bench.at(1.0).fail(1, Cause::Refused);
    assert_eq!(bench.word(), "connecting", "nothing is proven on the other endpoint yet");
    assert_eq!(bench.begin(), endpoint(2));
    bench.succeed(2);
    let LinkState::Degraded { failing } = bench.link.state() else { panic!() };
    assert_eq!(failing.len(), 1);
    assert_eq!((&failing[0].endpoint, &failing[0].cause), (&endpoint(1), &Cause::Refused));

    // The failing one is tried beside it, and the link is whole again.
    bench.at(2.5);
    let Duty::Serve { endpoint: serving, probe, .. } = bench.duty() else { panic!() };
    assert_eq!((serving, probe), (endpoint(2), Some(endpoint(1))));
    bench.step(Event::Begun { endpoint: endpoint(1) });
    let Duty::Serve { probe: None, .. } = bench.duty() else { panic!("one probe at a time") };
    bench.succeed(1);
    assert_eq!(bench.word(), "connected");
    assert_eq!(bench.link.endpoint(), Some(&endpoint(2)), "no reason to go back");
}

#[test]
fn when_all_endpoints_fail_the_first_due_is_next() {
    let mut bench = Bench::connected(2, Login::Token);
    bench.at(1.0).fail(1, Cause::Refused);
    bench.begin();
    bench.at(1.5).fail(2, Cause::Dns { text: String::new() });
    assert_eq!(bench.word(), "backing_off");
    assert_eq!(bench.link.state().cause(), Some(&Cause::Refused));
    bench.at(2.01);
    assert_eq!(bench.begin(), endpoint(1));
}

#[test]
fn rejected_credentials_of_one_endpoint() {
    // (login, waits in minutes before each further try)
    let table: [(Login, &[f64]); 3] = [
        (Login::Token, &[1.0, 5.0, 30.0, 30.0, 30.0]),
        (Login::OwnPassword, &[30.0, 30.0, 30.0]),
        (Login::DirectoryPassword, &[]),
    ];
    for (login, waits) in table {
        let mut bench = Bench::connected(1, login);
        bench.at(1.0).reject(1, false);
        assert_eq!(bench.word(), "connecting", "{login:?}: once more after the first 401");
        bench.begin();
        bench.reject(1, true);
        assert_eq!(bench.word(), "credentials_rejected", "{login:?}");
        for wait in waits {
            assert_eq!((bench.wait() / 60.0 * 100.0).round() / 100.0, *wait, "{login:?}");
            let due = bench.now + bench.wait();
            bench.at(due + 0.01);
            bench.begin();
            assert_eq!(bench.word(), "connecting");
            bench.reject(1, true);
            assert_eq!(bench.word(), "credentials_rejected", "{login:?}: one try is one try");
        }
        if waits.is_empty() {
            assert_eq!(bench.duty(), Duty::Rest, "{login:?}: only when a person says so");
            bench.step(Event::TryNow);
            bench.begin();
            bench.succeed(1);
            assert_eq!(bench.word(), "connected");
        }
    }
}

#[test]
fn a_second_401_is_tried_once_on_another_endpoint() {
    let mut bench = Bench::connected(3, Login::OwnPassword);
    bench.at(1.0).reject(1, false);
    assert_eq!(bench.begin(), endpoint(1), "signs in again where it was");
    bench.reject(1, true);
    assert_eq!(bench.begin(), endpoint(2), "then once elsewhere");
    bench.reject(2, true);
    assert_eq!(bench.word(), "credentials_rejected", "and never on a third");

    // Where only one endpoint is out of step, the other one serves.
    let mut lucky = Bench::connected(2, Login::OwnPassword);
    lucky.at(1.0).reject(1, true);
    assert_eq!(lucky.begin(), endpoint(2));
    lucky.succeed(2);
    let LinkState::Degraded { failing } = lucky.link.state() else { panic!("{:?}", lucky.link.state()) };
    assert_eq!((&failing[0].endpoint, &failing[0].cause), (&endpoint(1), &rejected()));
}

/// Degraded: 2 serves, 1 fails and is due to be tried beside it.
fn degraded(login: Login) -> Bench {
    let mut bench = Bench::connected(2, login);
    bench.at(1.0).fail(1, Cause::Refused);
    bench.begin();
    bench.succeed(2);
    assert_eq!(bench.word(), "degraded");
    bench.at(2.1);
    bench
}

impl Bench {
    /// When the next endpoint is tried beside the one in use, which is proven good until then.
    fn probes_after(&mut self) -> Option<f64> {
        let from = self.now;
        for _ in 0..4000 {
            match self.duty() {
                Duty::Serve { probe: Some(_), .. } => return Some(self.now - from),
                Duty::Serve { until, .. } => {
                    let next = until.as_secs_f64();
                    self.at(next.max(self.now) + 0.001).succeed(2);
                }
                other => panic!("{other:?}"),
            }
        }
        None
    }
}

#[test]
fn what_another_endpoint_rejects_leaves_the_one_in_use_alone() {
    let minutes = |n: f64| Some(n * 60.0);
    // (login, waits before each further try of that endpoint)
    let table: [(Login, &[Option<f64>]); 3] = [
        (Login::Token, &[minutes(1.0), minutes(5.0), minutes(30.0), minutes(30.0)]),
        (Login::OwnPassword, &[minutes(30.0), minutes(30.0)]),
        (Login::DirectoryPassword, &[None]),
    ];
    for (login, waits) in table {
        let mut bench = degraded(login);
        let (epoch, since) = (bench.link.epoch(), bench.link.view().since);
        for wait in waits {
            bench.step(Event::Begun { endpoint: endpoint(1) });
            bench.reject(1, true);
            let LinkState::Degraded { failing } = bench.link.state() else { panic!("{:?}", bench.link) };
            assert_eq!((&failing[0].endpoint, &failing[0].cause), (&endpoint(1), &rejected()));
            assert_eq!(
                (bench.link.epoch(), bench.link.view().since),
                (epoch, since),
                "{login:?}: not touched"
            );
            assert_eq!(bench.link.endpoint(), Some(&endpoint(2)));
            // Whether there is an outage elsewhere makes no difference.
            bench.step(Event::Pace(Pace::Often)).step(Event::Pace(Pace::Usual));
            let probed = bench.probes_after();
            assert_eq!(probed.map(f64::round), *wait, "{login:?}");
        }
        if waits == [None] {
            bench.step(Event::TryNow);
            assert_eq!(bench.probes_after(), Some(0.0), "a person says so");
        }
    }
}

#[test]
fn an_endpoint_read_beside_the_one_in_use_may_reject_too() {
    let mut bench = Bench::connected(3, Login::OwnPassword);
    bench.at(1.0).reject(3, true);
    assert_eq!((bench.word(), bench.link.endpoint()), ("degraded", Some(&endpoint(1))));
    bench.at(2.0).fail(1, Cause::Refused);
    assert_eq!(bench.begin(), endpoint(2));
    bench.fail(2, Cause::Refused);
    // The one that rejects is due in half an hour; the others are not made to wait for it.
    assert_eq!((bench.word(), bench.link.state().cause()), ("backing_off", Some(&Cause::Refused)));
    bench.at(3.1);
    assert_eq!(bench.begin(), endpoint(1));

    // Where it is the only one that may be asked at all, that it rejects is what is told.
    let mut alone = Bench::connected(2, Login::OwnPassword);
    alone.at(1.0).reject(2, true);
    alone.fail(1, changed());
    let LinkState::CredentialsRejected { next_try: Some(_), .. } = alone.link.state() else {
        panic!("{:?}", alone.link.state())
    };
    assert_eq!((alone.wait() / 60.0).round(), 30.0);
    alone.at(1801.1);
    assert_eq!(alone.begin(), endpoint(2));
    alone.succeed(2);
    assert_eq!(alone.word(), "degraded");
}

#[test]
fn a_second_factor_wanted_by_another_endpoint_stops_that_one_only() {
    let mut bench = degraded(Login::OwnPassword);
    bench.step(Event::Begun { endpoint: endpoint(1) });
    let epoch = bench.link.epoch();
    let cause = Cause::SecondFactorNeeded { kinds: vec!["totp".into()] };
    bench.step(Event::Rejected { epoch, endpoint: endpoint(1), cause, again: true });
    assert_eq!(bench.word(), "degraded");
    assert_eq!(bench.probes_after(), None);
}

#[test]
fn a_second_factor_waits_for_a_person() {
    let mut bench = Bench::new(2, Login::OwnPassword);
    bench.begin();
    let epoch = bench.link.epoch();
    let cause = Cause::SecondFactorNeeded { kinds: vec!["totp".into()] };
    bench.step(Event::Rejected { epoch, endpoint: endpoint(1), cause: cause.clone(), again: true });
    assert_eq!(*bench.link.state(), LinkState::CredentialsRejected { cause, next_try: None });
    assert_eq!(bench.duty(), Duty::Rest);
    bench.step(Event::Mended);
    assert_eq!(bench.begin(), endpoint(1));
}

#[test]
fn results_of_before_a_rejection_count_for_nothing() {
    let mut bench = Bench::connected(1, Login::DirectoryPassword);
    let before = bench.link.epoch();
    bench.at(1.0).reject(1, true);
    for event in [
        Event::Succeeded { epoch: before, endpoint: endpoint(1) },
        Event::Failed { epoch: before, endpoint: endpoint(1), cause: Cause::Refused },
        Event::Rejected { epoch: before, endpoint: endpoint(1), cause: rejected(), again: true },
    ] {
        bench.step(event);
        assert_eq!(bench.word(), "credentials_rejected");
    }
}

#[test]
fn a_changed_certificate_stops_that_endpoint_only() {
    let mut bench = Bench::connected(2, Login::Token);
    bench.at(1.0).fail(1, changed());
    assert_eq!(bench.begin(), endpoint(2));
    bench.succeed(2);
    assert_eq!(bench.word(), "degraded");
    let Duty::Serve { probe: None, .. } = bench.at(1000.0).duty() else { panic!("it is not probed") };

    bench.fail(2, changed());
    assert_eq!(bench.word(), "certificate_changed");
    assert_eq!(bench.duty(), Duty::Rest);
    bench.at(5000.0);
    assert_eq!(bench.duty(), Duty::Rest);
    bench.step(Event::Mended);
    bench.begin();
    bench.succeed(1);
    assert_eq!(bench.word(), "connected");
}

#[test]
fn a_stopped_endpoint_does_not_hide_that_the_other_one_is_tried() {
    let mut bench = Bench::connected(2, Login::Token);
    bench.at(1.0).fail(1, changed());
    bench.begin();
    bench.fail(2, Cause::Refused);
    assert_eq!((bench.word(), bench.link.state().cause()), ("backing_off", Some(&Cause::Refused)));
    bench.at(2.1);
    assert_eq!(bench.begin(), endpoint(2));
}

#[test]
fn a_person_may_look_whether_the_old_certificate_is_back() {
    let mut bench = Bench::connected(1, Login::Token);
    bench.at(1.0).fail(1, changed());
    bench.step(Event::TryNow);
    assert_eq!(bench.begin(), endpoint(1));
    bench.fail(1, changed());
    assert_eq!(bench.word(), "certificate_changed");
}

#[test]
fn disconnected_is_left_by_connecting_only() {
    let mut bench = Bench::connected(1, Login::Token);
    let before = bench.link.epoch();
    bench.at(1.0).step(Event::Disconnect { by: "ada".into() });
    for event in [
        Event::Succeeded { epoch: before, endpoint: endpoint(1) },
        Event::Succeeded { epoch: bench.link.epoch(), endpoint: endpoint(1) },
        Event::Failed { epoch: before, endpoint: endpoint(1), cause: Cause::Refused },
        Event::TryNow,
        Event::Mended,
        Event::Tick,
        Event::Pace(Pace::Often),
    ] {
        bench.step(event);
        assert_eq!(*bench.link.state(), LinkState::Disconnected { by: "ada".into() });
        assert_eq!(bench.duty(), Duty::Rest);
    }
    bench.step(Event::Connect);
    assert_eq!(bench.word(), "connecting");
    bench.step(Event::Succeeded { epoch: before, endpoint: endpoint(1) });
    assert_eq!(bench.word(), "connecting", "a success of the session before proves nothing");

    let remembered = link(1, Login::Token).disconnected("ada".into(), at(0.0).wall);
    assert_eq!(remembered.duty(at(5.0)), Duty::Rest);
}

#[test]
fn when_everything_fails_one_is_probed_often_and_the_others_seldom() {
    let down = LinkState::BackingOff { cause: Cause::Refused, next_try: at(0.0).wall };
    let person = LinkState::CredentialsRejected { cause: rejected(), next_try: None };
    let up = LinkState::Connected;
    let id = |n| RemoteId(n);
    let just = |states: &[&LinkState]| -> Vec<Pace> {
        let list: Vec<_> = states.iter().zip(1..).map(|(state, n)| (id(n), *state)).collect();
        paces(&list).into_iter().map(|(_, pace)| pace).collect()
    };
    use Pace::{Often, Seldom, Usual};
    assert_eq!(just(&[&down, &down, &down]), [Often, Seldom, Seldom]);
    assert_eq!(just(&[&down, &up, &down]), [Usual, Usual, Usual]);
    assert_eq!(just(&[&person, &down, &down]), [Usual, Often, Seldom]);
    assert_eq!(just(&[&down]), [Usual]);
    assert_eq!(just(&[&person, &down]), [Usual, Usual]);
    assert_eq!(just(&[]), []);

    let mut bench = Bench::new(1, Login::Token);
    bench.begin();
    bench.fail(1, Cause::Refused);
    bench.step(Event::Pace(Seldom));
    assert_eq!(bench.wait().round(), 60.0);
    bench.at(1.0).step(Event::Pace(Often));
    assert_eq!(bench.wait().round(), 5.0);
    bench.at(2.0).step(Event::Pace(Seldom));
    bench.at(3.0).step(Event::Pace(Usual));
    assert_eq!(bench.wait().round(), 1.0, "once the outage is over, it does not wait for its minute");
}

#[derive(Debug, Clone)]
enum Move {
    Pass(u32),
    Begin,
    Succeed(usize),
    Fail(usize, u8),
    Reject(usize, bool),
    Old(usize),
    TryNow,
    Tick,
    Disconnect,
    Connect,
    Pace(u8),
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (0u32..70_000).prop_map(Move::Pass),
        6 => Just(Move::Begin),
        4 => (0usize..3).prop_map(Move::Succeed),
        4 => ((0usize..3), (0u8..4)).prop_map(|(n, c)| Move::Fail(n, c)),
        2 => ((0usize..3), any::<bool>()).prop_map(|(n, a)| Move::Reject(n, a)),
        1 => (0usize..3).prop_map(Move::Old),
        1 => Just(Move::TryNow),
        4 => Just(Move::Tick),
        1 => Just(Move::Disconnect),
        1 => Just(Move::Connect),
        1 => (0u8..3).prop_map(Move::Pace),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_promises_hold(steps in prop::collection::vec(moves(), 1..120), jitter in 0.0f64..1.0) {
        let mut link = link(3, Login::Token);
        let mut now = 0.0;
        // When a request last succeeded on an endpoint, and failed on it since.
        let mut success: Option<f64> = None;
        let mut wanted = true;
        for step in steps {
            let epoch = link.epoch();
            let before = link.state().clone();
            let push = |link: &mut Link, event: Event| link.step(event, at(now), jitter);
            match step {
                Move::Pass(ms) => now += f64::from(ms) / 1000.0,
                Move::Begin => if let Duty::Try { endpoint } = link.duty(at(now)) {
                    push(&mut link, Event::Begun { endpoint });
                },
                Move::Succeed(n) => {
                    push(&mut link, Event::Succeeded { epoch, endpoint: endpoint(n + 1) });
                    success = Some(now);
                }
                Move::Fail(n, c) => {
                    let cause = match c {
                        0 => changed(),
                        1 => Cause::Refused,
                        2 => Cause::NoAnswer { after: INTERVAL },
                        _ => Cause::NotProxmox { seen: String::new() },
                    };
                    push(&mut link, Event::Failed { epoch, endpoint: endpoint(n + 1), cause });
                    if link.endpoint() == Some(&endpoint(n + 1)) {
                        prop_assert!(!link.state().is_up(), "up after a failure on the endpoint in use");
                    }
                }
                Move::Reject(n, again) => {
                    let in_use = link.endpoint() == Some(&endpoint(n + 1));
                    push(&mut link, Event::Rejected { epoch, endpoint: endpoint(n + 1), cause: rejected(), again });
                    if before.is_up() {
                        prop_assert_eq!(link.state().is_up(), !in_use, "only the one in use takes it down");
                        prop_assert!(in_use || link.epoch() == epoch);
                    }
                }
                Move::Old(n) => {
                    push(&mut link, Event::Succeeded { epoch: epoch.wrapping_sub(1), endpoint: endpoint(n + 1) });
                    prop_assert_eq!(link.state(), &before);
                }
                Move::TryNow => push(&mut link, Event::TryNow),
                Move::Tick => push(&mut link, Event::Tick),
                Move::Disconnect => { push(&mut link, Event::Disconnect { by: "x".into() }); wanted = false; }
                Move::Connect => { push(&mut link, Event::Connect); wanted = true; }
                Move::Pace(p) => push(&mut link, Event::Pace([Pace::Usual, Pace::Often, Pace::Seldom][p as usize])),
            }
            let state = link.state().clone();
            prop_assert_eq!(matches!(state, LinkState::Disconnected { .. }), !wanted);
            if state.is_up() {
                prop_assert!(success.is_some(), "connected without proof");
            }
            link.step(Event::Tick, at(now), jitter);
            if link.state().is_up() {
                prop_assert!(now - success.unwrap() <= 30.0 + 1e-6, "connected on an old success");
            }
            // It never stands still without a reason that a person knows.
            let rests = link.duty(at(now)) == Duty::Rest;
            if rests {
                prop_assert!(link.state().needs_person(), "rests in {:?}", link.state());
            }
            if let LinkState::BackingOff { next_try, .. } = link.state() {
                let wait = next_try.duration_since(at(now).wall).as_secs_f64();
                prop_assert!(wait <= 60.0 + 1e-6, "waits {wait} s");
            }
            for one in link.view().endpoints {
                if let Health::Failing { failures, .. } = one.health {
                    prop_assert!(failures >= 1);
                }
            }
        }
    }

    #[test]
    fn jitter_never_exceeds_the_bound_nor_falls_below_three_quarters(failures in 1u32..200, jitter in 0.0f64..1.0) {
        let backoff = model::backoff::Backoff::default();
        let full = 2f64.powi(i32::try_from(failures.min(30)).unwrap() - 1).min(60.0);
        let wait = backoff.wait(failures, jitter).as_secs_f64();
        prop_assert!(wait <= full + 1e-6 && wait >= full * 0.75 - 1e-6, "{wait} of {full}");
    }
}
