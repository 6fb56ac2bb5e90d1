//! The operation machine, and the finding of a lost answer's task.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::matching::{Found, Lost, expected_types};
use model::operation::{Dispatch, Event, FailedWhy, Rules, UnknownWhy};
use model::*;
use proptest::prelude::*;

fn at(seconds: u64) -> Now {
    let since = Duration::from_secs(seconds);
    let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Now { wall: epoch + since, mono: since }
}

fn operation(action: Action) -> Operation {
    Operation::record(
        OperationId(7),
        GuestKey { remote: RemoteId(1), vmid: Vmid(101) },
        GuestKind::Ct,
        Some("web".into()),
        "pve1".into(),
        action,
        PowerOptions::default(),
        Author { name: "ada".into(), from: "cli".into() },
        at(0),
    )
}

fn sending(seconds: u64) -> Event {
    Event::Sending(Dispatch {
        at: at(seconds).wall,
        endpoint: "pve1:8006".into(),
        user: "root@pam".into(),
        skew_ms: 0,
        mono: at(seconds).mono,
    })
}

fn upid(n: u32) -> TaskId {
    format!("UPID:pve1:{n:08X}:00000001:6A4BB5C8:vzstart:101:root@pam:").into()
}

fn lost() -> Cause {
    Cause::NoAnswer { after: Duration::from_secs(35) }
}

fn seen(outcome: TaskOutcome) -> Event {
    Event::Task { outcome, ha: false, last_lines: vec!["last words".into()] }
}

fn listed(found: Found, to_the_end: bool, begun: u64) -> Event {
    Event::Listed { found, to_the_end, begun: Duration::from_secs(begun) }
}

fn run(action: Action, events: Vec<Event>) -> Operation {
    let mut operation = operation(action);
    for (n, event) in events.into_iter().enumerate() {
        operation.step(event, &Rules::default(), at(n as u64 + 1));
    }
    operation
}

#[test]
fn every_way_through() {
    use OperationState as S;
    let accepted = || Event::Accepted { task: upid(1) };
    let ha_ok = || Event::Task { outcome: TaskOutcome::Ok, ha: true, last_lines: vec![] };
    let guest = |word: &str, ha: Option<&str>| Event::GuestSeen {
        state: GuestState::from_word(word),
        ha: ha.map(Into::into),
    };
    let node = || Event::NodeSilent {
        node: "pve1".into(),
        cause: Cause::NodeDown { node: Some("pve1".into()), text: "No route to host".into() },
    };
    let failed = || TaskOutcome::Failed { text: "command failed".into() };
    let cancel = || Event::CancelAsked { by: "ada".into() };
    let table: Vec<(&str, Vec<Event>, S)> = vec![
        ("recorded", vec![], S::Pending),
        (
            "the link is down",
            vec![Event::CannotSend { cause: Cause::Refused }],
            S::NotSent { cause: Cause::Refused },
        ),
        ("taken back", vec![Event::TakenBack { by: "ada".into() }], S::Cancelled),
        ("taken back too late", vec![sending(0), Event::TakenBack { by: "ada".into() }], S::Sent),
        ("taken back, never sent", vec![Event::TakenBack { by: "ada".into() }, sending(0)], S::Cancelled),
        ("sent", vec![sending(0)], S::Sent),
        (
            "no byte left after all",
            vec![sending(0), Event::CannotSend { cause: Cause::Refused }],
            S::NotSent { cause: Cause::Refused },
        ),
        (
            "refused",
            vec![sending(0), Event::Refused { cause: Cause::Refused }],
            S::Failed(FailedWhy::Refused { cause: Cause::Refused }),
        ),
        ("accepted", vec![sending(0), accepted()], S::Running),
        ("done", vec![sending(0), accepted(), seen(TaskOutcome::Ok)], S::Succeeded),
        ("done, no task", vec![sending(0), Event::AcceptedWithoutTask], S::Succeeded),
        (
            "warnings",
            vec![sending(0), accepted(), seen(TaskOutcome::from_exit("WARNINGS: 1"))],
            S::SucceededWithWarnings { count: Some(1) },
        ),
        (
            "failed",
            vec![sending(0), accepted(), seen(failed())],
            S::Failed(FailedWhy::Task { exit: "command failed".into() }),
        ),
        ("cancelled", vec![sending(0), accepted(), cancel(), seen(failed())], S::Cancelled),
        ("cancelled too late", vec![sending(0), accepted(), cancel(), seen(TaskOutcome::Ok)], S::Succeeded),
        (
            "node down",
            vec![sending(0), accepted(), node()],
            S::OutcomeUnknown(UnknownWhy::Node {
                node: "pve1".into(),
                cause: Cause::NodeDown { node: Some("pve1".into()), text: "No route to host".into() },
            }),
        ),
        ("node back", vec![sending(0), accepted(), node(), seen(TaskOutcome::Running)], S::Running),
        ("node back, done", vec![sending(0), accepted(), node(), seen(TaskOutcome::Ok)], S::Succeeded),
        (
            "lost",
            vec![sending(0), Event::Lost { cause: lost() }],
            S::OutcomeUnknown(UnknownWhy::Lost { cause: lost() }),
        ),
        (
            "lost and found",
            vec![sending(0), Event::Lost { cause: lost() }, listed(Found::One(upid(2)), false, 3)],
            S::Running,
        ),
        (
            "two candidates",
            vec![
                sending(0),
                Event::Lost { cause: lost() },
                listed(Found::Several(vec![upid(1), upid(2)]), true, 99),
            ],
            S::OutcomeUnknown(UnknownWhy::Candidates { tasks: vec![upid(1), upid(2)] }),
        ),
        (
            "list too early",
            vec![sending(0), Event::Lost { cause: lost() }, listed(Found::Nothing, true, 59)],
            S::OutcomeUnknown(UnknownWhy::Lost { cause: lost() }),
        ),
        (
            "list not read to its end",
            vec![sending(0), Event::Lost { cause: lost() }, listed(Found::Nothing, false, 70)],
            S::OutcomeUnknown(UnknownWhy::Lost { cause: lost() }),
        ),
        (
            "never arrived",
            vec![sending(0), Event::Lost { cause: lost() }, listed(Found::Nothing, true, 60)],
            S::NotSent { cause: lost() },
        ),
        ("handed to HA", vec![sending(0), accepted(), ha_ok()], S::HandedToHa),
        ("HA late", vec![sending(0), accepted(), ha_ok(), guest("stopped", Some("starting"))], S::HandedToHa),
        ("HA done", vec![sending(0), accepted(), ha_ok(), guest("running", Some("started"))], S::Succeeded),
        (
            "HA error",
            vec![sending(0), accepted(), ha_ok(), guest("stopped", Some("error"))],
            S::Failed(FailedWhy::Ha),
        ),
        (
            "HA task failed",
            vec![sending(0), accepted(), Event::Task { outcome: failed(), ha: true, last_lines: vec![] }],
            S::Failed(FailedWhy::Task { exit: "command failed".into() }),
        ),
    ];
    for (what, events, expected) in table {
        assert_eq!(run(Action::Start, events).state, expected, "{what}");
    }
}

#[test]
fn the_ha_manager_has_five_minutes_and_is_watched_beyond() {
    let mut operation = operation(Action::Stop);
    let rules = Rules::default();
    for event in [
        sending(0),
        Event::Accepted { task: upid(1) },
        Event::Task { outcome: TaskOutcome::Ok, ha: true, last_lines: vec![] },
    ] {
        operation.step(event, &rules, at(1));
    }
    operation.step(Event::Tick, &rules, at(300));
    assert_eq!(operation.state, OperationState::HandedToHa);
    operation.step(Event::Tick, &rules, at(301));
    assert_eq!(operation.state, OperationState::OutcomeUnknown(UnknownWhy::Ha));
    let mut abandoned = operation.clone();
    assert!(abandoned.step(Event::Resolved { task: None, by: "bob".into() }, &Rules::default(), at(1_000)));
    let given_up = OperationState::OutcomeUnknown(UnknownWhy::GivenUp { by: "bob".into() });
    assert_eq!(abandoned.state, given_up, "and nothing is said of what it came to");
    assert!(!operation.state.is_final(), "still watched");
    operation.step(Event::GuestSeen { state: GuestState::Stopped, ha: None }, &rules, at(900));
    assert_eq!(operation.state, OperationState::Succeeded);
}

#[test]
fn the_last_lines_stay_with_a_failure_and_its_log_tells_the_story() {
    let operation = run(
        Action::Start,
        vec![
            sending(0),
            Event::Accepted { task: upid(1) },
            seen(TaskOutcome::Failed { text: "no space".into() }),
        ],
    );
    assert_eq!(operation.last_lines, vec![Text::from("last words")]);
    let log: Vec<_> = operation.log.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(log[0], "start asked for by ada (cli)");
    assert!(log.last().unwrap().contains("no space"));
    let json = serde_json::to_value(&operation).unwrap();
    assert_eq!((json["id"].as_str(), json["state"].as_str()), (Some("7"), Some("failed")));
}

#[test]
fn a_disconnected_remote_leaves_it_unfollowed() {
    let mut operation = run(Action::Start, vec![sending(0), Event::Accepted { task: upid(1) }]);
    let rules = Rules::default();
    assert!(operation.step(Event::Unfollowed, &rules, at(5)));
    assert!(!operation.followed && operation.state == OperationState::Running);
    assert!(operation.step(Event::Followed, &rules, at(9)));
    assert!(operation.followed);
}

#[test]
fn a_log_watched_for_days_stays_bounded() {
    let mut operation = operation(Action::Start);
    for n in 0..10_000 {
        operation.note(format!("line {n}"), at(n));
    }
    assert_eq!(operation.log.len(), 200);
    assert!(operation.log[0].text.starts_with("start asked for"));
    assert_eq!(operation.log.last().unwrap().text, "line 9999");
}

fn task(n: u32, started: i64) -> Task {
    Task {
        upid: upid(n),
        node: "pve1".into(),
        kind: "vzstart".into(),
        id: "101".into(),
        user: "root@pam".into(),
        started: Timestamp::from_second(at(1000).wall.as_second() + started).unwrap(),
        ended: None,
        outcome: TaskOutcome::Running,
    }
}

/// Where two tasks fit, a person decides; that is the one way on from there.
#[test]
fn candidates_are_decided_by_a_person() {
    use OperationState as S;
    let several = || {
        let lines = vec![
            sending(0),
            Event::Lost { cause: lost() },
            listed(Found::Several(vec![upid(1), upid(2)]), true, 99),
        ];
        run(Action::Start, lines)
    };
    let resolved = |task| Event::Resolved { task, by: "bob".into() };
    let rules = Rules::default();
    assert!(several().state.is_final(), "nothing more is found out by itself");

    let mut operation = several();
    assert!(
        !operation.step(listed(Found::One(upid(1)), true, 120), &rules, at(120)),
        "a list decides nothing"
    );
    assert!(operation.step(resolved(Some(upid(2))), &rules, at(130)));
    assert_eq!((&operation.state, &operation.task), (&S::Running, &Some(upid(2))));
    assert!(operation.log.iter().any(|line| line.text.starts_with("bob decided")), "{:?}", operation.log);
    assert!(!operation.step(resolved(None), &rules, at(131)), "once");
    assert!(operation.step(seen(TaskOutcome::Ok), &rules, at(140)), "it is followed from there");
    assert_eq!(operation.state, S::Succeeded);
    assert!(!operation.step(resolved(None), &rules, at(150)), "its outcome is known");

    let mut operation = several();
    assert!(operation.step(resolved(None), &rules, at(130)));
    let S::NotSent { cause: Cause::NotSendable { what } } = &operation.state else {
        panic!("{:?}", operation.state)
    };
    assert!(what.contains("bob"), "{what}");
    assert!(!operation.step(resolved(Some(upid(1))), &rules, at(131)), "it is decided");

    // Before anything was lost there is nothing to decide.
    for lines in [vec![], vec![sending(0)], vec![sending(0), Event::Accepted { task: upid(1) }]] {
        let mut operation = run(Action::Start, lines);
        let before = operation.clone();
        assert!(!operation.step(resolved(None), &rules, at(130)));
        assert_eq!(operation, before);
    }
}

/// A node that never comes back never tells how its task ended: a person may give it up.
#[test]
fn a_task_on_a_node_that_is_gone_is_given_up_by_a_person() {
    let silent = Event::NodeSilent {
        node: "pve2".into(),
        cause: Cause::NodeDown { node: Some("pve2".into()), text: "No route to host".into() },
    };
    let mut operation = run(Action::Start, vec![sending(0), Event::Accepted { task: upid(1) }, silent]);
    assert!(matches!(operation.state, OperationState::OutcomeUnknown(UnknownWhy::Node { .. })));
    let resolved = |task| Event::Resolved { task, by: "bob".into() };
    let rules = Rules::default();
    assert!(!operation.step(resolved(Some(upid(2))), &rules, at(99)), "which one it is, is known");
    assert!(operation.step(resolved(None), &rules, at(100)));
    // Whether it was done is known as little as before.
    let given_up = OperationState::OutcomeUnknown(UnknownWhy::GivenUp { by: "bob".into() });
    assert_eq!((&operation.state, &operation.task), (&given_up, &Some(upid(1))));
    assert!(operation.state.is_final() && operation.state.sentence().contains("bob"));
    assert!(!operation.step(seen(TaskOutcome::Ok), &rules, at(200)), "it is decided");
}

#[test]
fn a_lost_answer_is_matched_by_node_type_id_user_and_time() {
    let node: NodeName = "pve1".into();
    let find_as = |user: &str, skew: i64, tasks: &[Task], bound: &[TaskId]| {
        let lost = Lost {
            node: &node,
            types: expected_types(Action::Start, GuestKind::Ct),
            vmid: Vmid(101),
            user,
            sent: at(1000).wall,
            skew: SignedDuration::from_secs(skew),
            window: Duration::from_secs(60),
        };
        lost.find(tasks, &bound.iter().cloned().collect::<BTreeSet<_>>())
    };
    let find = |tasks: &[Task]| find_as("root@pam", 0, tasks, &[]);
    let ok = task(1, 1);
    assert_eq!(find(std::slice::from_ref(&ok)), Found::One(upid(1)));
    let other = |change: fn(&mut Task)| {
        let mut task = task(2, 1);
        change(&mut task);
        task
    };
    for (what, wrong) in [
        ("node", other(|t| t.node = "pve2".into())),
        ("type", other(|t| t.kind = "vzstop".into())),
        ("type of the other kind", other(|t| t.kind = "qmstart".into())),
        ("id", other(|t| t.id = "1010".into())),
        ("no id", other(|t| t.id = "".into())),
        ("user", other(|t| t.user = "bob@pve".into())),
        ("token of the same user", other(|t| t.user = "root@pam!x".into())),
        ("too early", task(2, -3)),
        ("too late", task(2, 61)),
    ] {
        assert_eq!(find(std::slice::from_ref(&wrong)), Found::Nothing, "{what}");
        assert_eq!(find(&[wrong, ok.clone()]), Found::One(upid(1)), "{what}");
    }
    assert_eq!(find(&[other(|t| t.kind = "hastart".into())]), Found::One(upid(2)), "ha* counts");
    assert_eq!(find(&[ok.clone(), task(3, 5)]), Found::Several(vec![upid(1), upid(3)]));
    assert_eq!(find(&[ok.clone(), ok.clone()]), Found::One(upid(1)), "the same task on two pages");
    assert_eq!(find_as("root@pam", 0, &[ok.clone(), task(3, 5)], &[upid(3)]), Found::One(upid(1)), "bound");
    let token = other(|t| t.user = "root@pam!ci".into());
    assert_eq!(find_as("root@pam!ci", 0, &[token, ok], &[]), Found::One(upid(2)));
    // The node's clock is 90 s behind, or ahead.
    assert_eq!(find_as("root@pam", -90, &[task(1, -89)], &[]), Found::One(upid(1)));
    assert_eq!(find_as("root@pam", 90, &[task(1, 91)], &[]), Found::One(upid(1)));
    assert_eq!(find_as("root@pam", 0, &[task(1, -89)], &[]), Found::Nothing);
}

#[test]
fn hours_of_skew_do_not_make_hours_of_other_peoples_tasks_ours() {
    let node: NodeName = "pve1".into();
    let find = |skew: i64, tasks: &[Task]| {
        Lost {
            node: &node,
            types: expected_types(Action::Start, GuestKind::Ct),
            vmid: Vmid(101),
            user: "root@pam",
            sent: at(1000).wall,
            skew: SignedDuration::from_secs(skew),
            window: Duration::from_secs(60),
        }
        .find(tasks, &BTreeSet::new())
    };
    // The node is three hours ahead. One of an hour ago by the same account is not taken for ours.
    let ahead = 3 * 3600;
    let (old, ours) = (task(1, ahead - 3600), task(2, ahead + 1));
    assert_eq!(find(ahead, &[old.clone(), ours.clone()]), Found::One(upid(2)));
    assert_eq!(find(ahead, std::slice::from_ref(&old)), Found::Several(vec![upid(1)]), "not ours for sure");
    // Its clock was set right between the measuring and the sending, or another node's was measured.
    assert_eq!(find(ahead, &[task(3, 1)]), Found::Several(vec![upid(3)]), "perhaps, but a person says so");
    assert_eq!(find(-ahead, &[task(4, 1)]), Found::Several(vec![upid(4)]));
    assert_eq!(find(-ahead, &[task(4, -ahead)]), Found::One(upid(4)));
}

#[test]
fn what_the_ha_manager_does_about_a_wish_is_no_second_candidate() {
    let node: NodeName = "pve1".into();
    let find = |tasks: &[Task]| {
        Lost {
            node: &node,
            types: expected_types(Action::Start, GuestKind::Ct),
            vmid: Vmid(101),
            user: "root@pam",
            sent: at(1000).wall,
            skew: SignedDuration::ZERO,
            window: Duration::from_secs(60),
        }
        .find(tasks, &BTreeSet::new())
    };
    let wish = |n: u32, second: i64| Task { kind: "hastart".into(), ..task(n, second) };
    assert_eq!(find(&[task(1, 9), wish(2, 1), task(3, 20)]), Found::One(upid(2)));
    let both = Found::Several(vec![upid(1), upid(2)]);
    assert_eq!(find(&[task(1, 0), wish(2, 1)]), both, "it began before the wish, so it is not its effect");
    assert_eq!(find(&[wish(1, 1), wish(2, 5)]), both);
}

#[test]
fn a_wish_to_end_it_that_was_refused_does_not_make_its_failure_a_cancelling() {
    let refused = Event::CancelRefused { cause: Cause::Refused };
    let failed = || seen(TaskOutcome::Failed { text: "boom".into() });
    let accepted = || Event::Accepted { task: upid(1) };
    let begin = || vec![sending(0), accepted(), Event::CancelAsked { by: "x".into() }];
    let ended = run(Action::Start, begin().into_iter().chain([failed()]).collect());
    assert_eq!(ended.state, OperationState::Cancelled);
    let ended = run(Action::Start, begin().into_iter().chain([refused, failed()]).collect());
    assert_eq!(ended.state, OperationState::Failed(FailedWhy::Task { exit: "boom".into() }));
    assert!(ended.log.iter().any(|line| line.text.contains("its task was not ended")));
}

#[test]
fn what_was_taken_back_says_by_whom_and_that_nothing_was_sent() {
    let ended = run(Action::Start, vec![Event::TakenBack { by: "ada".into() }]);
    assert_eq!(ended.sentence(), "not sent: cancelled by ada");
    assert_eq!(ended.log.last().unwrap().text, ended.sentence());
    assert!(ended.dispatch.is_none() && ended.task.is_none());
    let kept: Operation = serde_json::from_value(serde_json::to_value(&ended).unwrap()).unwrap();
    assert_eq!(kept, ended);
}

#[test]
fn every_action_of_every_kind_has_its_task_types() {
    for action in Action::ALL {
        for kind in [GuestKind::Ct, GuestKind::Vm] {
            let types = expected_types(action, kind);
            assert_eq!(types.is_empty(), kind == GuestKind::Ct && action == Action::Reset, "{action} {kind}");
            let by_ha = types.iter().any(|one| one.starts_with("ha"));
            assert_eq!(by_ha, action.wanted().is_some(), "{action} {kind}");
        }
    }
}

fn events() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        Just(TaskOutcome::Running),
        Just(TaskOutcome::Ok),
        Just(TaskOutcome::Unknown),
        Just(TaskOutcome::Warnings { count: None }),
        Just(TaskOutcome::Failed { text: "x".into() }),
    ];
    let found = prop_oneof![
        Just(Found::Nothing),
        Just(Found::One(upid(1))),
        Just(Found::Several(vec![upid(1), upid(2)])),
    ];
    prop_oneof![
        Just(Event::CannotSend { cause: Cause::Refused }),
        (0u64..200).prop_map(sending),
        Just(Event::Accepted { task: upid(1) }),
        Just(Event::Refused { cause: Cause::Refused }),
        Just(Event::Lost { cause: lost() }),
        (found, any::<bool>(), 0u64..200).prop_map(|(f, end, begun)| listed(f, end, begun)),
        (outcome, any::<bool>()).prop_map(|(outcome, ha)| Event::Task { outcome, ha, last_lines: vec![] }),
        Just(Event::NodeSilent { node: "pve1".into(), cause: Cause::Refused }),
        Just(Event::GuestSeen { state: GuestState::Running, ha: None }),
        Just(Event::CancelAsked { by: "x".into() }),
        Just(Event::TakenBack { by: "x".into() }),
        Just(Event::Unfollowed),
        Just(Event::Followed),
        Just(Event::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn it_is_sent_once_and_an_end_is_an_end(steps in prop::collection::vec(events(), 1..60)) {
        let mut operation = operation(Action::Start);
        let (mut sent, mut ended) = (0, None::<OperationState>);
        let mut now = 0;
        for step in steps {
            now += 3;
            let sending = matches!(step, Event::Sending(_));
            let changed = operation.step(step, &Rules::default(), at(now));
            if sending && changed {
                sent += 1;
            }
            if let Some(end) = &ended {
                prop_assert!(!changed);
                prop_assert_eq!(end, &operation.state);
            }
            if operation.state.is_final() {
                ended = Some(operation.state.clone());
            }
            if operation.state.is_success() {
                prop_assert!(operation.task.is_some(), "success without a task's exit status");
            }
            if sent == 0 {
                let unsent = match &operation.state {
                    OperationState::Pending | OperationState::NotSent { .. } => true,
                    OperationState::Cancelled => operation.taken_back.is_some(),
                    _ => false,
                };
                prop_assert!(unsent);
            }
        }
        prop_assert!(sent <= 1);
    }
}
